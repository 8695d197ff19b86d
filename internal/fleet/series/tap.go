package series

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
// It has one follower, which calls Next from one goroutine.
type Tap struct {
	s       *Service
	watched func(series string) bool
	version atomic.Uint64 // of what watched answers

	mu     sync.Mutex
	queue  []Tapped  // guarded by mu; the oldest that were not told, in order
	points int       // guarded by mu; in queue
	bytes  int       // guarded by mu; likewise, about
	spilt  bool      // guarded by mu; there are newer ones, on disk only
	seq    int64     // guarded by mu; the newest that is visible
	told   int64     // guarded by mu; by Next
	rows   []tapSize // guarded by mu; on disk, those that the follower still needs
	held   int64     // guarded by mu; bytes of rows
	freed  chan struct{}
	busy   chan struct{} // guarded by mu; closed when the commit that is under way has ended; nil for none

	wake chan struct{} // holds a word when there is something new
}

// A Tapped is the points of one commit that somebody follows.
type Tapped struct {
	Seq    int64 // greater than of all before
	Points []Point
}

// A tapSize is how large a row on disk is.
type tapSize struct{ seq, bytes int64 }

// Bounds of a Tap.
const (
	tapPoints    = 64 << 10 // in memory; what comes then is read from disk later
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
// called. Tap must be called before Run, once.
func (s *Service) Tap(ctx context.Context, after, floor int64, watched func(series string) bool) (*Tap, error) {
	rows, err := s.store.tapSizes(ctx, after)
	if err != nil {
		return nil, fmt.Errorf("end of the values that are followed: %w", err)
	}
	t := &Tap{s: s, watched: watched, seq: max(after, floor), told: after, rows: rows, spilt: len(rows) > 0, freed: make(chan struct{}), wake: make(chan struct{}, 1)}
	for _, r := range rows {
		t.seq = max(t.seq, r.seq)
		t.held += r.bytes
	}
	t.version.Store(1)
	s.tap = t
	return t, nil
}

// Changed says that watched answers otherwise than before. It holds for commits that begin after it.
func (t *Tap) Changed() { t.version.Add(1) }

// Settled waits until the commit has ended that is under way, if one is: what comes then knows of Changed.
func (t *Tap) Settled(ctx context.Context) error {
	t.mu.Lock()
	busy := t.busy
	t.mu.Unlock()
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
func (t *Tap) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy = make(chan struct{})
}

func (t *Tap) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.busy)
	t.busy = nil
}

// Seq is the number of the newest commit that is visible.
func (t *Tap) Seq() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seq
}

// Next waits for the commits behind those that it told before, and tells some of them.
func (t *Tap) Next(ctx context.Context) ([]Tapped, error) {
	for {
		t.mu.Lock()
		if some := t.queue; len(some) > 0 {
			t.queue, t.points, t.bytes = nil, 0, 0
			t.told = some[len(some)-1].Seq
			t.mu.Unlock()
			return some, nil
		}
		from, to := t.told, t.pageLocked()
		if !t.spilt || from == to {
			t.spilt = false
			t.mu.Unlock()
			select {
			case <-t.wake:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		t.mu.Unlock()
		some, err := t.read(ctx, from, to)
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		t.told = to
		t.mu.Unlock()
		if len(some) > 0 {
			return some, nil
		}
	}
}

// pageLocked is up to where is read at once.
func (t *Tap) pageLocked() int64 {
	first, _ := slices.BinarySearchFunc(t.rows, t.told+1, func(r tapSize, seq int64) int { return cmp.Compare(r.seq, seq) })
	var bytes int64
	for i, r := range t.rows[first:] {
		if bytes += r.bytes; i == tapPage || i > 0 && bytes > tapPageBytes {
			return t.rows[first+i-1].seq
		}
	}
	return t.seq
}

// read tells the commits behind from, up to to, from disk.
func (t *Tap) read(ctx context.Context, from, to int64) (all []Tapped, err error) {
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

func (t *Tap) skip(seq int64, err error) {
	t.s.log.Error("history: a damaged part of what is followed is not told", "commit", seq, "err", err)
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	t.s.stats.SkippedSections++
}

// readThing reads a section: all of its points or none.
func (t *Tap) readThing(ctx context.Context, seq int64, id string, sealed []byte) ([]Point, error) {
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
	if err := readSection(plain, func(number, at int64, v Value) error {
		numbers = append(numbers, number)
		some = append(some, Point{Thing: id, Space: th.space, At: time.UnixMicro(at).UTC(), Value: v})
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

// Done says that the follower remembers, on disk, to have come to seq. What is up to there goes.
func (t *Tap) Done(ctx context.Context, seq int64) error {
	if err := t.s.store.untap(ctx, seq); err != nil {
		return fmt.Errorf("forget the values that were followed, up to %d: %w", seq, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for ; n < len(t.rows) && t.rows[n].seq <= seq; n++ {
		t.held -= t.rows[n].bytes
	}
	t.rows = slices.Delete(t.rows, 0, n)
	close(t.freed)
	t.freed = make(chan struct{})
	return nil
}

// push makes a commit one that Next tells, which takes so many bytes on disk. The committer calls it.
func (t *Tap) push(b Tapped, disk int) {
	bytes := 0
	for i := range b.Points {
		bytes += tapPointBytes + len(b.Points[i].Value.Text)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq = b.Seq
	t.rows = append(t.rows, tapSize{b.Seq, int64(disk)})
	t.held += int64(disk)
	if t.spilt = t.spilt || t.points > 0 && (t.points+len(b.Points) > tapPoints || t.bytes+bytes > tapBytes); !t.spilt {
		t.queue = append(t.queue, b)
		t.points += len(b.Points)
		t.bytes += bytes
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// await holds commits back while the follower is too far behind, at most until ctx ends.
func (t *Tap) await(ctx context.Context) {
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

// follows says whether somebody follows st. It is the committer's to ask.
func (t *Tap) follows(st *state) bool {
	if v := t.version.Load(); st.asked != v {
		st.asked, st.followed = v, t.watched(st.property)
	}
	return st.followed
}

// follow notes a point for whoever follows its series.
func (c *committer) follow(st *state, p *Point) {
	th := st.thing
	if len(th.tap.plain) == 0 {
		c.tapThings = append(c.tapThings, th)
	}
	th.tap.add(st.id, p.At.UnixMicro(), &p.Value)
	kept := Point{Series: st.property, Thing: th.id, Space: th.space, At: time.UnixMicro(p.At.UnixMicro()).UTC(), Value: p.Value}
	if !p.Value.Kind.numeric() {
		kept.Value.Text = strings.Clone(p.Value.Text) // it may be a small part of a large message
	}
	c.tapped.Points = append(c.tapped.Points, kept)
}

// tapRow makes the row of what is followed in a commit; its body is nil when nothing is.
func (c *committer) tapRow(next int64) (r logRow, err error) {
	t := c.s.tap
	r.seq = t.Seq() + 1
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
