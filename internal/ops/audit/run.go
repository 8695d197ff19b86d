package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	// every is how often the end of the journal is looked at: with what an append takes,
	// an entry is published within half a second.
	every = 200 * time.Millisecond
	// batch is how many entries are appended in one step.
	batch = 4096
	// rememberEvery is how much younger than the database's memory the log may be.
	rememberEvery = 10 * time.Second
	// againAfter is how long what failed is left alone: to prove a large log takes seconds.
	againAfter = 5 * time.Second
	// lateAfter is how old an entry may be that is not in the log, before the operator is told.
	lateAfter = time.Minute
	// tellEvery is how often one and the same trouble is told.
	tellEvery = time.Minute
	// finishWait is how long a stop waits for what is still to be appended.
	finishWait = 10 * time.Second
)

// Run follows the journal until ctx ends, and then to its end: stop it after everybody
// who writes entries. Whatever is wrong with the log or its disk it tells, and tries
// again: the house goes on, and the entries wait in the journal.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s.tell(ctx, s.follow(ctx, false))
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			last, stop := context.WithTimeout(context.WithoutCancel(ctx), finishWait)
			defer stop()
			s.tell(last, s.follow(last, true))
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Follow appends what is in the journal now. It is Run's work, once.
func (s *Service) Follow(ctx context.Context) error { return s.follow(ctx, true) }

func (s *Service) follow(ctx context.Context, last bool) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	err := s.recordEvents(ctx, last)
	if err == nil && s.upToDate(ctx) {
		return s.remember(ctx, last)
	}
	err = errors.Join(err, s.index(ctx))
	if now := s.needs.Now(); last || s.failed == nil || now.Sub(s.failedAt) >= againAfter || now.Before(s.failedAt) {
		if s.failed = s.catchUp(ctx); s.failed != nil {
			s.failedAt = now
		}
	}
	err = errors.Join(err, s.failed, s.remember(ctx, last))
	s.late(ctx)
	return err
}

// upToDate says whether there is nothing to do, with one look at the database.
func (s *Service) upToDate(ctx context.Context) bool {
	if !s.ready {
		return false
	}
	end, hash, err := journal.End(ctx, s.needs.Journal)
	if err != nil || end != s.at.number || end != s.indexed || !bytes.Equal(hash, s.at.hash) {
		return false
	}
	s.size.Store(int64(s.at.size))
	s.waiting.Store(0)
	s.oldest.Store(0)
	return true
}

// tell logs an error, but one and the same only now and then.
func (s *Service) tell(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if now := s.needs.Now(); err.Error() != s.told || now.Sub(s.toldAt) >= tellEvery {
		s.told, s.toldAt = err.Error(), now
		s.needs.Log.ErrorContext(ctx, "the audit log does not follow the journal", "err", err)
	}
}

// sweep is begun once, when there is a log.
func (s *Service) sweep(ctx context.Context) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.ready && !s.swept && ctx.Err() == nil {
		s.swept = s.tree.sweep(ctx) == nil
	}
}

// late tells how much is not in the log yet, and says so in the log when it is old.
func (s *Service) late(ctx context.Context) {
	s.size.Store(int64(s.at.size))
	end, _, err := journal.End(ctx, s.needs.Journal)
	if err != nil {
		return // who could not read the journal has said so
	}
	waiting := max(0, end-s.at.number)
	s.waiting.Store(waiting)
	if waiting == 0 {
		s.oldest.Store(0)
		return
	}
	rows, err := journal.Rows(ctx, s.needs.Journal, s.at.number, 1)
	if err != nil || len(rows) == 0 {
		return
	}
	s.oldest.Store(rows[0].At.UnixMicro())
	if now := s.needs.Now(); now.Sub(rows[0].At) > lateAfter && now.Sub(s.toldLate) >= tellEvery {
		s.toldLate = now
		s.needs.Log.ErrorContext(ctx, "the audit log is behind", "entries", waiting, "since", rows[0].At)
	}
}

// recordEvents writes what was refused into the journal, when its minute is over.
func (s *Service) recordEvents(ctx context.Context, everything bool) error {
	now := s.needs.Now()
	counts, since := s.events.take(now, everything)
	if len(counts) == 0 {
		return nil
	}
	all := make([]journal.Entry, 0, len(counts))
	for e, n := range counts {
		all = append(all, e.entry(n, since, now))
	}
	if err := s.needs.Store.record(ctx, all); err != nil {
		for e, n := range counts {
			s.events.add(e, n, now)
		}
		return fmt.Errorf("record what was refused: %w", err)
	}
	return nil
}

// index keeps whom new entries concern. It needs no log.
func (s *Service) index(ctx context.Context) error {
	if s.indexed == 0 {
		m, err := s.needs.Store.memory(ctx)
		if err != nil {
			return fmt.Errorf("read how far the journal is indexed: %w", err)
		}
		s.indexed = m.indexed
	}
	end, _, err := journal.End(ctx, s.needs.Journal)
	if err != nil {
		return err
	}
	if end < s.indexed { // the database was set back while we ran
		if err := s.needs.Store.forget(ctx, end); err != nil {
			return fmt.Errorf("forget entries that are no more: %w", err)
		}
		s.indexed = end
	}
	for s.indexed < end {
		rows, err := journal.Rows(ctx, s.needs.Journal, s.indexed, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		var all []concern
		for _, r := range rows {
			people, err := s.concerned(ctx, r.Entry)
			if err != nil {
				return err
			}
			for _, person := range people {
				all = append(all, concern{person, r.Number, r.Action})
			}
		}
		upTo := rows[len(rows)-1].Number
		if err := s.needs.Store.index(ctx, upTo, all, s.needs.Now()); err != nil {
			return fmt.Errorf("index the journal up to %d: %w", upTo, err)
		}
		s.indexed = upTo
		if err := s.needs.cut("indexed"); err != nil {
			return err
		}
	}
	return nil
}

// catchUp appends what the log lacks: docs/acts/audit.md, steps 1 to 5.
func (s *Service) catchUp(ctx context.Context) error {
	end, hash, err := journal.End(ctx, s.needs.Journal)
	if err != nil {
		return err
	}
	if s.ready && (end < s.at.number || end == s.at.number && !bytes.Equal(hash, s.at.hash)) {
		s.ready = false // the database was set back while we ran
	}
	if !s.ready {
		if err := s.repair(ctx); err != nil {
			return err
		}
		s.ready = true
	}
	for {
		// 4. What the log lacks, in the journal's order, all of a batch or nothing.
		rows, err := journal.Rows(ctx, s.needs.Journal, s.at.number, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := s.append(ctx, rows); err != nil {
			s.ready = false // ask the log where it is
			return err
		}
		if err := s.needs.cut("appended"); err != nil {
			return err
		}
		if len(rows) < batch {
			return nil
		}
	}
}

func (s *Service) append(ctx context.Context, rows []journal.Row) error {
	leaves := make([][]byte, len(rows))
	before := s.at.hash
	for i, r := range rows {
		if !r.Follows(before) || r.Number != s.at.number+int64(i)+1 {
			// It is appended as it is: what somebody did to the journal belongs into the log.
			s.needs.Log.ErrorContext(ctx, "the journal was changed before the audit log had it", "entry", r.Number)
		}
		b, err := encodeEntry(r.Entry, r.Hash)
		if err != nil {
			return err
		}
		leaves[i], before = b, r.Hash
	}
	if err := s.tree.append(ctx, s.at.size, leaves); err != nil {
		return err
	}
	last := rows[len(rows)-1]
	s.at = position{s.at.size + uint64(len(rows)), last.Number, last.Hash}
	return nil
}

// remember tells the database how far the log has come.
func (s *Service) remember(ctx context.Context, now bool) error {
	// 5. So that a log that is cut off later is found out.
	if !s.ready || s.at.size == s.rememSz || !now && s.needs.Now().Sub(s.rememAt) < rememberEvery {
		return nil
	}
	size, root, err := s.tree.state()
	if err != nil {
		return fmt.Errorf("read the root of the audit log: %w", err)
	}
	if err := s.needs.Store.remember(ctx, size, root, s.needs.Now()); err != nil {
		return fmt.Errorf("remember the root of the audit log: %w", err)
	}
	s.rememSz, s.rememAt = size, s.needs.Now()
	return s.needs.cut("remembered")
}

// repair finds out where the log is, and brings log and journal together again where
// one of them went back.
func (s *Service) repair(ctx context.Context) error {
	size, err := s.tree.begin(ctx)
	if err != nil {
		return err
	}
	m, err := s.needs.Store.memory(ctx)
	if err != nil {
		return fmt.Errorf("read what the database remembers of the audit log: %w", err)
	}
	// 1. The log proves, or nothing is built on it.
	root, err := s.prove(size, m)
	if err != nil {
		return err
	}
	// 2. It has all that the database remembers, or the journal says that it was cut off.
	if m.size > size {
		s.needs.Log.ErrorContext(ctx, "the audit log is shorter than it was", "leaves", size, "had", m.size)
		if err := s.needs.Store.note(ctx, size, root, s.entry(actionTruncated, map[string]string{
			"had": strconv.FormatUint(m.size, 10), "has": strconv.FormatUint(size, 10),
		})); err != nil {
			return fmt.Errorf("note that the audit log was cut off: %w", err)
		}
		m.size = size
		if err := s.needs.cut("noted truncation"); err != nil {
			return err
		}
	}
	// 3. Its last entry is the journal's, or both say from where on they part.
	at, lost, err := s.part(ctx, size)
	if err != nil {
		return err
	}
	if lost {
		if err := s.setBack(ctx, &at, root); err != nil {
			return err
		}
	}
	if err := s.tree.publish(ctx); err != nil { // a kill may have come between the append and its checkpoint
		return err
	}
	s.at, s.rememSz, s.indexed = at, m.size, 0
	return nil
}

// setBack goes on with a journal that has at and nothing that the log has after it.
func (s *Service) setBack(ctx context.Context, at *position, root []byte) error {
	s.needs.Log.ErrorContext(ctx, "the database is older than the audit log", "entry", at.number, "leaves", at.size)
	log := strconv.FormatUint(at.size, 10)
	said, err := journal.List(ctx, s.needs.Journal, journal.Query{Action: actionRestored, After: at.number, Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	if len(said) == 0 || said[0].Detail["log"] != log {
		if err := s.needs.Store.note(ctx, at.size, root, s.entry(actionRestored, map[string]string{
			"from": "database", "log": log, "entry": strconv.FormatInt(at.number, 10),
		})); err != nil {
			return fmt.Errorf("note that the database was set back: %w", err)
		}
		if err := s.needs.cut("noted restore"); err != nil {
			return err
		}
	}
	if err := s.needs.Store.forget(ctx, at.number); err != nil {
		return fmt.Errorf("forget whom entries concerned that are no more: %w", err)
	}
	if err := s.tree.append(ctx, at.size, [][]byte{encodeMark(at.number)}); err != nil {
		return err
	}
	at.size++
	return s.needs.cut("marked")
}

// entry is what the house itself records.
func (s *Service) entry(action string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.needs.Now(), Actor: access.Actor{Kind: access.System}.String(), Action: action, Resource: "audit", ID: s.needs.House, Detail: detail}
}

// part is where journal and log part: at the last entry that both have. lost says that
// the log has more.
func (s *Service) part(ctx context.Context, size uint64) (at position, lost bool, err error) {
	end, _, err := journal.End(ctx, s.needs.Journal)
	if err != nil {
		return at, false, err
	}
	at.size = size
	known := int64(math.MaxInt64) // up to here marks have not said that entries are of before
	err = s.tree.back(size, func(l leaf) (bool, error) {
		if l.mark {
			known = min(known, l.back)
			return true, nil
		}
		n := l.entry.Number
		if n > known {
			return true, nil
		}
		if n <= end {
			rows, err := journal.Rows(ctx, s.needs.Journal, n-1, 1)
			if err != nil {
				return false, err
			}
			if len(rows) == 1 && rows[0].Number == n && bytes.Equal(rows[0].Hash, l.hash) {
				at.number, at.hash = n, l.hash
				return false, nil
			}
		}
		lost = true
		return true, nil
	})
	return at, lost, err
}

// prove recomputes the log and returns its root.
func (s *Service) prove(size uint64, m memory) ([]byte, error) {
	var (
		r Report
		p published
	)
	p.text, p.err = s.tree.checkpoint()
	root, err := s.examineLog(&r, size, p, m, nil, nil)
	if err != nil {
		return nil, err
	}
	for _, f := range r.Findings {
		if f.Code != "log-shorter" { // that is told in the journal, and gone on with
			return nil, ErrUnproved.With("Nothing is appended to the audit log, because it is not as it was written: " + f.Text + " Look at it with \"ardesia audit verify\"; docs/acts/audit.md says how to go on.")
		}
	}
	return root, nil
}
