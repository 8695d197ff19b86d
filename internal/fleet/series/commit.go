package series

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Bounds of one commit: above these the next commit takes the rest.
const (
	commitPoints = 64 << 10
	commitBytes  = 8 << 20
)

// After a commit of a few batches the next one waits for more: a commit costs about as
// much as twenty batches. Who sends one after the other is alone in each commit and does not
// wait; many at once fill commits by themselves.
const (
	gatherFrom = 3  // batches
	gatherTo   = 64 // batches
	gatherTime = time.Millisecond
)

// commitWithin bounds the wait for the database, so that a lost one fails commits
// instead of hanging whoever waits for them.
const commitWithin = 30 * time.Second

// A seriesRow is a row of the table series.
type seriesRow struct {
	id                     int64
	property, thing, space string
	lastAt                 int64
	last                   []byte // sealed; nil if there is none
}

// A change is what one commit writes.
type change struct {
	// undo says that the commit before failed in a way that leaves open whether it is
	// on disk. It is not: nobody was told so. What it may have left is removed.
	undo  bool
	fresh []seriesRow // series that are new
	next  int64       // numbers of series from here on were never committed
	seq   int64
	body  []byte
	tap   logRow // of number 0 when nobody follows; its body is nil when nothing is followed
}

// A committer turns entries into commits. It belongs to one goroutine.
type committer struct {
	s     *Service
	stamp uint64
	undo  bool

	// Of the commit at work.
	states  []*state // one per point of the entries that are not refused
	fresh   []*state
	known   map[string]*state // fresh ones by property
	things  []*thing          // with points, in order of appearance
	text    int
	body    []byte
	sealed  []byte
	batches []entry

	tapThings []*thing // with points that are followed
	tapped    Tapped
	tapMasks  []uint32 // whose each point of tapped is
	tapBytes  int      // of tapped, on disk

	later []entry // what the mirror made too much for this commit
}

// run commits until the queue is stopped and empty. It fails only when going on would
// do harm; then nothing more is let in.
func (c *committer) run(ctx context.Context) (err error) {
	for {
		if n := len(c.batches); gatherFrom <= n && n < gatherTo {
			c.s.queue.gather(gatherTo, gatherTime)
		}
		clear(c.batches)
		if c.batches = append(c.batches[:0], c.later...); len(c.batches) > 0 {
			clear(c.later)
			c.later = c.later[:0]
		} else if c.batches = c.s.queue.take(c.batches, commitPoints, commitBytes); len(c.batches) == 0 {
			return err
		}
		if err != nil {
			for i := range c.batches {
				c.batches[i].err = err
			}
		} else {
			c.s.awaitRoom(ctx)
			if c.s.tap != nil {
				c.s.tap.await(ctx)
			}
		}
		if e := c.commit(context.WithoutCancel(ctx)); errors.Is(e, errTaken) {
			err = e
			c.s.queue.stop()
		}
	}
}

// commit writes all batches, makes their points visible and calls each done, in order.
func (c *committer) commit(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, commitWithin)
	defer stop()
	if c.s.tap != nil {
		c.s.tap.begin()
		defer c.s.tap.end()
	}
	began := c.s.now()
	err := c.write(ctx)
	if err != nil {
		for i := range c.batches {
			if b := &c.batches[i]; b.err == nil && len(b.points) > 0 {
				b.err = err
			}
		}
	} else {
		c.apply()
	}
	c.s.countCommit(len(c.states), err, c.s.now().Sub(began))
	if c.s.mirror != nil {
		c.s.mirror.end()
	}
	for _, b := range c.batches {
		if len(b.copies) > 0 && b.err == nil {
			c.s.mirror.kept(b.copies) // before done: who wrote sees what came of it
		}
		if b.done != nil {
			b.done(b.err)
		}
	}
	return err
}

// write resolves, encodes and commits.
func (c *committer) write(ctx context.Context) error {
	c.stamp++
	c.states, c.fresh, c.things, c.text = c.states[:0], c.fresh[:0], c.things[:0], 0
	c.tapThings, c.tapped, c.tapMasks = c.tapThings[:0], Tapped{}, c.tapMasks[:0]
	clear(c.known)
	m := c.s.mem
	for i := range c.batches {
		if i > 0 && (len(c.states) > 2*commitPoints || c.text > 2*commitBytes) {
			// Copies made it so much. The others wait for the next commit.
			c.later = append(c.later[:0], c.batches[i:]...)
			c.batches = c.batches[:i]
			break
		}
		b := &c.batches[i]
		if b.err != nil || len(b.points) == 0 {
			continue
		}
		states, fresh := len(c.states), len(c.fresh)
		if b.err = c.resolve(ctx, b.points); b.err == nil && c.s.mirror != nil && !b.quiet {
			b.err = c.reflect(ctx, b, states)
		}
		if b.err != nil {
			c.retreat(states, fresh)
			continue
		}
		for j := range b.points {
			c.note(c.states[states+j], &b.points[j], b.quiet)
		}
		for j := range b.copies {
			c.note(c.states[states+len(b.points)+j], &b.copies[j], false)
			c.text += len(b.copies[j].Value.Text)
		}
		c.text += b.text
	}
	if len(c.states) == 0 {
		return nil
	}
	m.mu.RLock()
	ch := change{undo: c.undo, seq: m.seq + 1, next: m.nextID}
	m.mu.RUnlock()
	c.body = beginRow(c.body[:0], ch.next+int64(len(c.fresh)))
	for _, th := range c.things {
		if len(th.sect.plain) == 0 {
			continue // its only batch was refused
		}
		var err error
		if c.body, err = appendSection(c.body, th.key, ch.seq, th.id, th.sect.plain, &c.sealed); err != nil {
			// Not wrapped: that a thing was erased just now is no answer to the others.
			return fmt.Errorf("seal points of thing %s: %v", th.id, err)
		}
	}
	for _, st := range c.fresh {
		ch.fresh = append(ch.fresh, seriesRow{id: st.id, property: st.property, thing: st.thing.id, space: st.thing.space})
	}
	ch.body = c.body
	if c.s.tap != nil {
		var err error
		if ch.tap, err = c.tapRow(ch.next + int64(len(c.fresh))); err != nil {
			return err
		}
		c.tapBytes = len(ch.tap.body)
	}
	if err := c.s.store.commit(ctx, &ch); err != nil {
		c.undo = true
		return fmt.Errorf("commit row %d of the history log: %w", ch.seq, err)
	}
	c.undo = false
	return nil
}

// note adds a point to what the commit writes; nobody follows a quiet one.
func (c *committer) note(st *state, p *Point, quiet bool) {
	st.thing.sect.add(st.id, p.At.UnixMicro(), &p.Value)
	if c.s.tap == nil || quiet {
		return
	}
	if mask := c.s.tap.follows(st); mask != 0 {
		c.follow(st, p, mask)
	}
}

// retreat forgets the points that were resolved last: from these states and fresh series on.
func (c *committer) retreat(states, fresh int) {
	for _, st := range c.fresh[fresh:] {
		delete(c.known, st.property)
	}
	c.states, c.fresh = c.states[:states], c.fresh[:fresh]
}

// resolve finds the state of each point's series, all or nothing.
func (c *committer) resolve(ctx context.Context, points []Point) error {
	m := c.s.mem
	m.mu.RLock()
	var last *state
	missing := false
	for i := range points {
		p := &points[i]
		if last == nil || last.property != p.Series {
			if last = m.series[p.Series]; last == nil {
				last = c.known[p.Series]
			}
		}
		missing = missing || last == nil
		c.states = append(c.states, last)
	}
	m.mu.RUnlock()
	states := c.states[len(c.states)-len(points):]
	if missing {
		c.introduce(points, states)
	}
	for i, st := range states {
		th := st.thing
		if th.id != points[i].Thing || th.space != points[i].Space {
			return ErrOwner
		}
		if th.stamp == c.stamp {
			continue
		}
		key, err := c.s.keys.Thing(ctx, th.space, th.id)
		if err != nil {
			if p := (*problem.Problem)(nil); errors.As(err, &p) {
				return err
			}
			return fmt.Errorf("key of thing %s: %w", th.id, err)
		}
		th.key, th.stamp = key, c.stamp
		th.sect.reset()
		th.tap.reset()
		c.things = append(c.things, th)
	}
	return nil
}

// introduce makes states for the series that nobody has heard of.
func (c *committer) introduce(points []Point, states []*state) {
	m := c.s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, st := range states {
		if st != nil {
			continue
		}
		p := &points[i]
		if st = c.known[p.Series]; st == nil {
			st = &state{
				id:       m.nextID + int64(len(c.fresh)),
				property: strings.Clone(p.Series), // the caller's may be part of a large message
				thing:    m.thing(p.Thing, p.Space),
				tail:     tail{known: true},
			}
			c.known[st.property] = st
			c.fresh = append(c.fresh, st)
		}
		states[i] = st
	}
}

// apply makes the points of a commit visible.
func (c *committer) apply() {
	m := c.s.mem
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(c.states) == 0 {
		return
	}
	for _, st := range c.fresh {
		m.know(st)
		m.nextID = max(m.nextID, st.id+1)
	}
	i := 0
	for _, b := range c.batches {
		if b.err != nil {
			continue
		}
		for _, points := range [][]Point{b.points, b.copies} {
			for j := range points {
				if st := c.states[i]; !st.gone {
					st.record(points[j].At.UnixMicro(), points[j].Value)
					m.touch(st)
				}
				i++
			}
		}
	}
	if len(c.tapped.Points) > 0 {
		c.s.tap.push(c.tapped, c.tapMasks, c.tapBytes)
	}
	m.seq++
	m.points += len(c.states)
	m.bytes += len(c.body)
	if m.points >= c.s.cfg.FlushPoints || m.bytes >= c.s.cfg.FlushBytes {
		c.s.wakeFlush()
	}
}
