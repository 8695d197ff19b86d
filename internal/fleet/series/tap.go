package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A Tap follows the points of some series in the order in which they became durable, and
// misses none of them: what it has still to tell is on disk since the very transaction that
// made the points durable, so that a kill at any moment leaves it where its follower
// remembers to be. While the follower keeps up, points come from memory and nothing is read.
//
// It has one follower, which calls Next from one goroutine. There may be several Taps: each tells its
// own points, and what is on disk goes when all that need it are done. What a Tap tells from disk may be points that
// only others follow: who follows knows what is his.
type Tap struct {
	st      *stream
	mask    uint32 // its bit
	watched func(thing, series string) bool

	// What follows is guarded by st.mu.
	queue  []Tapped // the oldest that were not told, in order
	points int      // in queue
	bytes  int      // likewise, about
	spilt  bool     // there are newer ones, on disk only
	told   int64    // by Next
	done   int64    // what the follower remembers, on disk
	need   int64    // the newest commit that may have something for it

	wake chan struct{} // holds a word when there is something new
}

// A stream is what all Taps have in common.
type stream struct {
	s       *Service
	version atomic.Uint64 // of what any of them watches
	taps    []*Tap        // never change after Run has begun

	mu    sync.Mutex
	seq   int64         // guarded by mu; the newest commit that is visible
	rows  []tapSize     // guarded by mu; on disk, those that somebody still needs
	held  int64         // guarded by mu; bytes of rows
	freed chan struct{} // guarded by mu; closed when there is room again
	busy  chan struct{} // guarded by mu; closed when the commit that is under way has ended; nil for none
}

// maxTaps is how many a mask has room for; more would be a mistake.
const maxTaps = 16

// A Tapped is the points of one commit that somebody follows.
type Tapped struct {
	Seq    int64 // greater than of all before
	Points []Point
}

// A tapSize is how large a row on disk is.
type tapSize struct{ seq, bytes int64 }

// Bounds of a Tap.
const (
	tapPoints    = 64 << 10 // in memory, of one Tap; what comes then is read from disk later
	tapBytes     = 16 << 20 // likewise
	tapRows      = 1 << 16  // on disk; then commits wait, as they do for a flush: no value is missed
	tapDisk      = 1 << 30  // likewise, bytes
	tapPage      = 256      // rows that are read at once
	tapPageBytes = 4 << 20  // likewise; a row alone may have more
)

// tapPointBytes is about what a point takes in memory besides its text.
const tapPointBytes = 160

// Tap begins to follow the series for which watched is true, behind the commit with the
// number after. Commits get numbers above floor, which a follower gives that remembers more than the
// database does. watched is called by the committer: it must be quick, and its answer is kept until Changed is
// called. Tap must be called before Run, once for each follower.
func (s *Service) Tap(ctx context.Context, after, floor int64, watched func(thing, series string) bool) (*Tap, error) {
	if s.tap == nil {
		s.tap = &stream{s: s, freed: make(chan struct{})}
		s.tap.version.Store(1)
	}
	st := s.tap
	if len(st.taps) == maxTaps {
		return nil, errors.New("too many follow values")
	}
	rows, err := s.store.tapSizes(ctx, after)
	if err != nil {
		return nil, fmt.Errorf("end of the values that are followed: %w", err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	t := &Tap{st: st, mask: 1 << len(st.taps), watched: watched, told: after, done: after, spilt: len(rows) > 0, wake: make(chan struct{}, 1)}
	st.seq = max(st.seq, after, floor)
	if len(rows) > 0 {
		t.need = rows[len(rows)-1].seq
		st.seq = max(st.seq, t.need)
	}
	if len(rows) > len(st.rows) {
		st.rows, st.held = rows, 0
		for _, r := range rows {
			st.held += r.bytes
		}
	}
	st.taps = append(st.taps, t)
	return t, nil
}

// Changed says that watched answers otherwise than before. It holds for commits that begin after it.
func (t *Tap) Changed() { t.st.version.Add(1) }

// Settled waits until the commit has ended that is under way, if one is: what comes then knows of Changed.
func (t *Tap) Settled(ctx context.Context) error {
	t.st.mu.Lock()
	busy := t.st.busy
	t.st.mu.Unlock()
	if busy == nil {
		return nil
	}
	select {
	case <-busy:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin and end are around each commit.
func (t *stream) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = make(chan struct{})
}

func (t *stream) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy)
	t.busy = nil
}

// Seq is the number of the newest commit that is visible.
func (t *Tap) Seq() int64 { return t.st.newest() }

func (t *stream) newest() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// Next waits for the commits behind those that it told before, and tells some of them.
func (t *Tap) Next(ctx context.Context) ([]Tapped, error) {
	for {
		t.st.mu.Lock()
		if some := t.queue; len(some) > 0 {
			t.queue, t.points, t.bytes = nil, 0, 0
			t.told = some[len(some)-1].Seq
			t.st.mu.Unlock()
			return some, nil
		}
		from, to := t.told, t.pageLocked()
		if !t.spilt || from == to {
			t.spilt = false
			t.st.mu.Unlock()
			select {
			case <-t.wake:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		t.st.mu.Unlock()
		some, err := t.st.read(ctx, from, to)
		if err != nil {
			return nil, err
		}
		t.st.mu.Lock()
		t.told = to
		t.st.mu.Unlock()
		if len(some) > 0 {
			return some, nil
		}
	}
}

// pageLocked is up to where is read at once.
func (t *Tap) pageLocked() int64 {
	rows := t.st.rows
	first, _ := slices.BinarySearchFunc(rows, t.told+1, func(r tapSize, seq int64) int { return cmp.Compare(r.seq, seq) })
	var bytes int64
	for i, r := range rows[first:] {
		if bytes += r.bytes; i == tapPage || i > 0 && bytes > tapPageBytes {
			return rows[first+i-1].seq
		}
	}
	return t.st.seq
}

// read tells the commits behind from, up to to, from disk.
func (t *stream) read(ctx context.Context, from, to int64) (all []Tapped, err error) {
	rows, err := t.s.store.tapped(ctx, from, to, tapPage)
	if err != nil {
		return nil, fmt.Errorf("values that are followed, from %d: %w", from, err)
	}
	for _, r := range rows {
		one := Tapped{Seq: r.seq}
		_, err := eachSection(r.body, func(id string, sealed []byte) error {
			some, err := t.readThing(ctx, r.seq, id, sealed)
			switch {
			case isDamage(err): // it never gets better, and nobody's values may wait for it
				t.skip(r.seq, err)
			case err != nil:
				return err
			}
			one.Points = append(one.Points, some...)
			return nil
		})
		switch {
		case isDamage(err):
			t.skip(r.seq, err)
		case err != nil:
			return nil, fmt.Errorf("values that are followed, %d: %w", r.seq, err)
		}
		all = append(all, one)
	}
	return all, nil
}

func (t *stream) skip(seq int64, err error) {
	t.s.log.Error("history: a damaged part of what is followed is not told", "commit", seq, "err", err)
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.stats.SkippedSections++
}

// readThing reads a section: all of its points or none.
func (t *stream) readThing(ctx context.Context, seq int64, id string, sealed []byte) ([]Point, error) {
	m := t.s.mem
	m.mu.RLock()
	th := m.things[id]
	m.mu.RUnlock()
	if th == nil {
		return nil, nil // erased
	}
	key, err := t.s.keys.Thing(ctx, th.space, id)
	if errors.Is(err, keys.ErrErased) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plain, err := open(key, nil, sealed, tapPlace(seq, id))
	if err != nil {
		return nil, fmt.Errorf("points of thing %s: %w", id, err)
	}
	var some []Point
	var numbers []int64
	by := ""
	if err := readSection(plain, func(number, at int64, v Value) error {
		if number == byNumber {
			by = v.Text
			return nil
		}
		numbers = append(numbers, number)
		some = append(some, Point{Thing: id, Space: th.space, At: time.UnixMicro(at).UTC(), Value: v, By: by})
		return nil
	}); err != nil {
		return nil, fmt.Errorf("points of thing %s: %w", id, err)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	known := some[:0]
	for i, number := range numbers {
		if st := m.ids[number]; st != nil && st.thing == th {
			some[i].Series = st.property
			known = append(known, some[i])
		}
	}
	return known, nil
}

// Done says that the follower remembers, on disk, to have come to seq. What nobody needs any more goes.
func (t *Tap) Done(ctx context.Context, seq int64) error {
	st := t.st
	st.mu.Lock()
	t.done = max(t.done, seq)
	least := st.seq
	for _, one := range st.taps {
		if one.done < one.need {
			least = min(least, one.done)
		}
	}
	n := 0
	for n < len(st.rows) && st.rows[n].seq <= least {
		n++
	}
	st.mu.Unlock()
	if n == 0 {
		return nil
	}
	if err := st.s.store.untap(ctx, least); err != nil {
		return fmt.Errorf("forget the values that were followed, up to %d: %w", least, err)
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	for n = 0; n < len(st.rows) && st.rows[n].seq <= least; n++ { // others may have been here
		st.held -= st.rows[n].bytes
	}
	st.rows = slices.Delete(st.rows, 0, n)
	close(st.freed)
	st.freed = make(chan struct{})
	return nil
}

// push makes a commit one that Next tells, which takes so many bytes on disk. masks say whose each point is. The committer calls it.
func (t *stream) push(b Tapped, masks []uint32, disk int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq = b.Seq
	t.rows = append(t.rows, tapSize{b.Seq, int64(disk)})
	t.held += int64(disk)
	for _, one := range t.taps {
		one.pushLocked(b, masks)
	}
}

// pushLocked gives a Tap its points of a commit.
func (t *Tap) pushLocked(b Tapped, masks []uint32) {
	own, bytes := 0, 0
	for i := range b.Points {
		if masks[i]&t.mask != 0 {
			own++
			bytes += tapPointBytes + len(b.Points[i].Value.Text)
		}
	}
	if own == 0 {
		return
	}
	t.need = b.Seq
	if t.spilt = t.spilt || t.points > 0 && (t.points+own > tapPoints || t.bytes+bytes > tapBytes); !t.spilt {
		mine := b
		if own < len(b.Points) {
			mine.Points = make([]Point, 0, own)
			for i := range b.Points {
				if masks[i]&t.mask != 0 {
					mine.Points = append(mine.Points, b.Points[i])
				}
			}
		}
		t.queue = append(t.queue, mine)
		t.points += own
		t.bytes += bytes
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// await holds commits back while a follower is too far behind, at most until ctx ends.
func (t *stream) await(ctx context.Context) {
	for {
		t.mu.Lock()
		crowded, freed := len(t.rows) >= tapRows || t.held >= t.s.limits.tapDisk, t.freed
		t.mu.Unlock()
		if !crowded {
			return
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return
		}
	}
}

// tapPlace is what a section is bound to.
func tapPlace(seq int64, thing string) []byte { return sectionPlace(nil, "series_tap", seq, thing) }

// byNumber stands for no series: in what is followed such a point says who wrote those behind it, as its text. Rows of servers
// that did not write it have none, and servers that do not know it take it for a series that is gone.
const byNumber = math.MaxInt64

// follows says who follows st. It is the committer's to ask.
func (t *stream) follows(st *state) uint32 {
	if v := t.version.Load(); st.asked != v {
		st.asked, st.followed = v, 0
		for _, one := range t.taps {
			if one.watched(st.thing.id, st.property) {
				st.followed |= one.mask
			}
		}
	}
	return st.followed
}

// follow notes a point for whoever follows its series.
func (c *committer) follow(st *state, p *Point, mask uint32) {
	th := st.thing
	if len(th.tap.plain) == 0 {
		c.tapThings = append(c.tapThings, th)
		th.tapBy = ""
	}
	at := p.At.UnixMicro()
	if p.By != th.tapBy {
		th.tapBy = strings.Clone(p.By)
		th.tap.add(byNumber, at, &Value{Kind: Text, Text: th.tapBy})
	}
	th.tap.add(st.id, at, &p.Value)
	kept := Point{Series: st.property, Thing: th.id, Space: th.space, At: time.UnixMicro(at).UTC(), Value: p.Value, By: th.tapBy}
	if !p.Value.Kind.numeric() {
		kept.Value.Text = strings.Clone(p.Value.Text) // it may be a small part of a large message
	}
	c.tapped.Points = append(c.tapped.Points, kept)
	c.tapMasks = append(c.tapMasks, mask)
}

// tapRow makes the row of what is followed in a commit; its body is nil when nothing is.
func (c *committer) tapRow(next int64) (r logRow, err error) {
	t := c.s.tap
	r.seq = t.newest() + 1
	c.tapped.Seq = r.seq
	if len(c.tapThings) == 0 {
		return r, nil
	}
	r.body = beginRow(nil, next)
	for _, th := range c.tapThings {
		if r.body, err = appendSectionAt(r.body, th.key, tapPlace(r.seq, th.id), th.id, th.tap.plain, &c.sealed); err != nil {
			return r, fmt.Errorf("seal points of thing %s that are followed: %v", th.id, err) // see write
		}
	}
	return r, nil
}
