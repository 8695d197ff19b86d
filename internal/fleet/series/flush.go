package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A flush moves points from the log to chunks while commits go on:
//
//  1. Under the lock, what memory holds becomes the flush's; new points start afresh.
//     The log up to the newest applied row is now exactly the flush's and what it
//     carries over.
//  2. The points are folded into chunks, which are written in transactions of a few
//     milliseconds, with the last value of each series.
//  3. What is carried over is written below the oldest row of the log.
//  4. The old rows are cut, the oldest first.
//
// A crash after any transaction is harmless. Replaying rows whose points are in chunks
// already gives the same points once more, and a point that is there counts once. The
// rows that are left are always the newest, so that of two values for one instant the
// later is replayed, or none.

const (
	carryBelow = 64      // points: series with fewer may be carried over
	carryTimes = 8       // in a row, then a series is written however few it has
	carryRow   = 1 << 20 // bytes of one row of carried points, about
	pieceBytes = 1 << 20 // of one transaction, about
)

// A job is the part of a flush that concerns one series.
type job struct {
	st     *state
	batch  batch
	lastAt int64 // of the newest value there ever was
	last   Value
	stored bool // that value is in the table already
}

// A plan is what one flush does.
type plan struct {
	write, carry  []job
	carried       int64 // rows of the log from here to -1 go
	from, to      int64 // and these
	points, bytes int   // of all these rows
	next          int64 // numbers of series from here on were never used
}

// begin takes from memory what a flush writes, and decides what it carries over:
// series with few new points, at most limit points together. Without that bound many
// slow series would be carried over for ever.
func (m *memory) begin(all bool, limit int) *plan {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &plan{carried: m.carry, from: m.cut + 1, to: m.seq, points: m.points, bytes: m.bytes, next: m.nextID}
	m.flushes++
	var few [carryBelow][]*state // by number of points: those with the fewest cost most to write
	for _, st := range m.dirty {
		st.dirty = false
		n := st.now.len()
		switch {
		case st.gone:
		case !all && n < carryBelow && st.carried < carryTimes:
			few[n] = append(few[n], st)
		default:
			p.write = append(p.write, st.take())
		}
	}
	clear(m.dirty)
	m.dirty = m.dirty[:0]
	for n, states := range few {
		for _, st := range states {
			if limit -= n; limit < 0 {
				p.write = append(p.write, st.take())
				continue
			}
			st.carried++
			m.touch(st)
			p.carry = append(p.carry, job{st: st, batch: st.now.freeze()})
		}
	}
	return p
}

// take makes the points of st those of a flush. The caller holds memory.mu.
func (st *state) take() job {
	st.old, st.now, st.carried = st.now, nil, 0
	return job{st: st, batch: st.old.freeze(), lastAt: st.lastAt, last: st.last, stored: st.sealed != nil}
}

// end forgets what is in chunks now, and counts what is left in the log.
func (m *memory) end(p *plan, rows int64, points, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range p.write {
		j.st.old = nil
	}
	m.cut = p.to
	m.carry = 0
	if rows > 0 {
		m.carry = p.carried - rows
	}
	m.points += points - p.points
	m.bytes += bytes - p.bytes
	close(m.shrunk)
	m.shrunk = make(chan struct{})
}

// giveBack undoes begin when a flush has failed. The rows are still in the log, and
// what is in chunks already may well come there again.
func (m *memory) giveBack(p *plan, rows int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, j := range p.write {
		st := j.st
		if st.old == nil {
			continue
		}
		points := st.old.points()
		if st.now != nil {
			newer := st.now.points()
			points = merge(&points, &newer)
		}
		st.old, st.now = nil, &batch{run: points}
		if !st.gone {
			m.touch(st)
		}
	}
	m.carry = p.carried - rows // they may be there: no later row may take their numbers
}

// flush moves what is in the log to chunks; all carries nothing over. The caller holds
// the right to maintain.
func (s *Service) flush(ctx context.Context, all bool) (err error) {
	began := s.now()
	p := s.mem.begin(all, s.cfg.FlushPoints/4)
	var rows []logRow
	var carried int
	defer func() {
		if err != nil {
			s.mem.giveBack(p, int64(len(rows)))
		}
		s.countFlush(carried, err, s.now().Sub(began))
	}()
	if p.bytes == 0 { // the log is empty
		s.mem.end(p, 0, 0, 0)
		return nil
	}
	if err = s.writeChunks(ctx, p.write); err != nil {
		return err
	}
	var bytes int
	rows, carried, bytes, err = s.carryRows(ctx, p)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		if err = s.store.carry(ctx, rows); err != nil {
			return fmt.Errorf("carry %d points over in the history log: %w", carried, err)
		}
	}
	if err = s.cutLog(ctx, p); err != nil {
		return err
	}
	s.mem.end(p, int64(len(rows)), carried, bytes)
	return nil
}

// cutLog removes the rows of a plan, the oldest first, in steps that are short.
func (s *Service) cutLog(ctx context.Context, p *plan) error {
	if p.carried < 0 {
		if err := s.store.cut(ctx, p.carried, -1); err != nil {
			return fmt.Errorf("cut carried rows from the history log: %w", err)
		}
	}
	step := s.limits.cutRows
	for from := p.from; from <= p.to; from += step {
		to := min(p.to, from+step-1)
		if err := s.store.cut(ctx, from, to); err != nil {
			return fmt.Errorf("cut rows %d to %d from the history log: %w", from, to, err)
		}
	}
	return nil
}

// carryRows writes what a plan carries over as rows of the log, below the oldest.
func (s *Service) carryRows(ctx context.Context, p *plan) (rows []logRow, points, bytes int, err error) {
	// By thing, so that each has one section in a row.
	slices.SortFunc(p.carry, func(a, b job) int {
		return cmp.Or(cmp.Compare(a.st.thing.id, b.st.thing.id), cmp.Compare(a.st.id, b.st.id))
	})
	var sect section
	var tmp []byte
	row := logRow{body: beginRow(nil, p.next)}
	empty := len(row.body)
	for i := range p.carry {
		j := &p.carry[i]
		pts := j.batch.points()
		for k := range pts.at {
			v := pts.value(k)
			sect.add(j.st.id, pts.at[k], &v)
		}
		points += pts.len()
		full := len(row.body)+len(sect.plain) > carryRow
		if !full && i+1 < len(p.carry) && p.carry[i+1].st.thing == j.st.thing {
			continue
		}
		key, err := s.keys.Thing(ctx, j.st.thing.space, j.st.thing.id)
		switch {
		case errors.Is(err, keys.ErrErased):
			sect.reset()
		case err != nil:
			return nil, 0, 0, fmt.Errorf("key of thing %s: %w", j.st.thing.id, err)
		default:
			// Rows are numbered downwards: the order among carried rows does not matter,
			// because no series is in two of them with one instant.
			row.seq = p.carried - int64(len(rows)) - 1
			if row.body, err = appendSection(row.body, key, row.seq, j.st.thing.id, sect.plain, &tmp); err != nil {
				return nil, 0, 0, fmt.Errorf("seal points of thing %s: %w", j.st.thing.id, err)
			}
			sect.reset()
		}
		if full || i+1 == len(p.carry) && len(row.body) > empty {
			bytes += len(row.body)
			rows = append(rows, row)
			row = logRow{body: beginRow(nil, p.next)}
		}
	}
	return rows, points, bytes, nil
}
