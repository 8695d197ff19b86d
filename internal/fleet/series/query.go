package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// MaxDecoded is how many points one query may read: about 0.2 s of one processor.
const MaxDecoded = 10_000_000

// headCost is what reading the head of a chunk counts as, in points.
const headCost = 64

// A piece of an answer, in order of time: points, or the head of a whole chunk.
type segment struct {
	points *span // nil if head is there; good until the callback returns
	head   *head
}

// A scan is one query at work.
type queryScan struct {
	s        *Service
	st       *state
	key      keys.Sealer
	from, to int64 // to is after the last instant
	desc     bool
	page     int // chunks in the first page; each next has twice as many, up to maxPage

	// enough says whether the head of a chunk that lies within from and to answers for it. nil is no.
	enough func(start, end int64) bool
	// detail, if not nil, says that a head is not enough after all.
	detail func(*head) bool
	// each takes the answer in the order that desc says, until it says false.
	each func(segment) bool

	read    int // points
	most    int // points
	mem     span
	flushes uint64
	buf     *buffers
	chunk   *span
}

const maxPage = 32

// errMoved is a flush that began between the look at memory and the look at the database.
var errMoved = errors.New("history moved")

var bufferPool = sync.Pool{New: func() any { return new(buffers) }}
var spanPool = sync.Pool{New: func() any { return new(span) }}

// scan finds the series of q; run then reads it. There is none, which is no error, if
// the series has no points, is of another space, all that is asked for is too old, or
// the thing was erased.
func (s *Service) scan(ctx context.Context, q *Query) (*queryScan, error) {
	m := s.mem
	m.mu.RLock()
	st := m.series[q.Series]
	m.mu.RUnlock()
	if st == nil || st.thing.space != q.Space {
		return nil, nil
	}
	key, err := s.keys.Thing(ctx, q.Space, st.thing.id)
	if errors.Is(err, keys.ErrErased) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("key of thing %s: %w", st.thing.id, err)
	}
	r := &queryScan{s: s, st: st, key: key, from: earliest, to: latest, desc: q.Desc, page: maxPage, most: s.limits.decoded}
	if !q.From.IsZero() {
		r.from = max(r.from, microUp(q.From))
	}
	if !q.To.IsZero() {
		r.to = min(r.to, microUp(q.To))
	}
	floor, err := s.floor(ctx, q.Space)
	if err != nil {
		return nil, err
	}
	r.from = max(r.from, floor)
	if r.from >= r.to {
		return nil, nil
	}
	return r, nil
}

// microUp is the first microsecond that is not before t.
func microUp(t time.Time) int64 {
	us := t.UnixMicro()
	if t.Nanosecond()%1000 != 0 {
		us++
	}
	return us
}

// run reads until each has enough. What it gives is the state of one moment.
func (r *queryScan) run(ctx context.Context) error {
	r.buf, r.chunk = bufferPool.Get().(*buffers), spanPool.Get().(*span)
	defer func() {
		bufferPool.Put(r.buf)
		r.chunk.text, r.chunk.kind = nil, nil
		spanPool.Put(r.chunk)
	}()
	for {
		r.look()
		err := r.s.store.view(ctx, func(c chunks) error { return r.walk(ctx, c) })
		if !errors.Is(err, errMoved) {
			return err
		}
	}
}

// look takes what is in memory.
func (r *queryScan) look() {
	m := r.s.mem
	m.mu.RLock()
	old, now := r.st.old.freeze(), r.st.now.freeze()
	r.flushes = m.flushes
	m.mu.RUnlock()
	older, newer := old.points(), now.points()
	r.mem = merge(&older, &newer)
	r.mem = r.mem.between(r.from, r.to)
}

// moved says whether a flush began since look. If none did when the first page was
// read, then what memory gave up to flushes before is in the database, or in r.mem.
func (r *queryScan) moved() bool {
	m := r.s.mem
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.flushes != r.flushes
}

// walk goes through chunks and memory side by side. Where both have a point at one
// instant that in memory counts.
func (r *queryScan) walk(ctx context.Context, c chunks) error {
	q := chunkQuery{series: r.st.id, from: r.from, to: r.to, limit: r.page, desc: r.desc, bodies: r.enough == nil}
	done := 0 // points of mem that were given, from its first or from its last
	for first := true; ; first = false {
		page, err := c.page(ctx, q)
		if err != nil {
			return fmt.Errorf("read history of series %s: %w", r.st.property, err)
		}
		if first && r.moved() {
			return errMoved
		}
		for i := range page {
			if err := ctx.Err(); err != nil {
				return err
			}
			if more, err := r.give(ctx, c, &page[i], &done); err != nil || !more {
				return err
			}
		}
		if len(page) < q.limit {
			break
		}
		if last := &page[len(page)-1]; r.desc {
			q.to = last.start
		} else {
			q.from = last.end + 1
		}
		q.limit = min(2*q.limit, maxPage)
	}
	rest := r.mem.slice(done, r.mem.len())
	if r.desc {
		rest = r.mem.slice(0, r.mem.len()-done)
	}
	_, err := r.points(&rest)
	return err
}

// give gives what memory has before a chunk (after it, if desc), and the chunk.
func (r *queryScan) give(ctx context.Context, c chunks, row *chunkRow, done *int) (more bool, err error) {
	lo, hi := r.mem.find(row.start), r.mem.find(row.end+1)
	between := r.mem.slice(*done, max(*done, lo))
	if r.desc {
		end := r.mem.len() - *done
		between = r.mem.slice(min(end, hi), end)
		*done = r.mem.len() - lo
	} else {
		*done = max(*done, hi)
	}
	if more, err := r.points(&between); err != nil || !more {
		return more, err
	}
	whole := row.start >= r.from && row.end < r.to && lo == hi
	if whole && r.enough != nil && r.enough(row.start, row.end) {
		if r.read += headCost; r.read > r.most {
			return false, ErrTooMuch
		}
		h, err := openHead(r.key, r.st.property, row, r.buf)
		if err != nil {
			return false, err
		}
		if r.detail == nil || !r.detail(&h) {
			return r.each(segment{head: &h}), nil
		}
	}
	if row.body == nil {
		if row.body, err = c.body(ctx, row.series, row.start); err != nil {
			return false, errChunk(r.st.property, row, err)
		}
	}
	if r.read += row.points; r.read > r.most {
		return false, ErrTooMuch
	}
	if err := openBody(r.key, r.st.property, row, r.chunk, r.buf); err != nil {
		return false, err
	}
	all := r.chunk.between(r.from, r.to)
	if lo < hi {
		inside := r.mem.slice(lo, hi)
		all = merge(&all, &inside)
	}
	if all.len() == 0 {
		return true, nil
	}
	return r.each(segment{points: &all}), nil
}

// points gives points that are in memory.
func (r *queryScan) points(p *span) (more bool, err error) {
	if p.len() == 0 {
		return true, nil
	}
	if r.read += p.len(); r.read > r.most {
		return false, ErrTooMuch
	}
	return r.each(segment{points: p}), nil
}

// limit is how many points or bins q asks for.
func (q *Query) limit() int {
	if q.Limit <= 0 {
		return DefaultLimit
	}
	return min(q.Limit, MaxLimit)
}

// Raw gives the points of a series as they were written.
func (s *Service) Raw(ctx context.Context, q Query) ([]Point, error) {
	r, err := s.scan(ctx, &q)
	if r == nil || err != nil {
		return nil, err
	}
	limit := q.limit()
	r.page = min(maxPage, 1+limit/MaxChunkPoints)
	var out []Point
	r.each = func(g segment) bool {
		n := min(g.points.len(), limit-len(out))
		out = slices.Grow(out, n)
		for i := range n {
			if q.Desc {
				i = g.points.len() - 1 - i
			}
			out = append(out, Point{
				Series: r.st.property, Thing: r.st.thing.id, Space: r.st.thing.space,
				At: time.UnixMicro(g.points.at[i]).UTC(), Value: g.points.value(i),
			})
		}
		return len(out) < limit
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}

// Each calls fn for all points that q asks for, however many; Limit does not count. It
// reads a stretch at a time, so that a slow fn holds nothing up: points that are
// written meanwhile, further on, are given too.
func (s *Service) Each(ctx context.Context, q Query, fn func(Point) error) error {
	q.Limit = 4 * MaxChunkPoints
	for {
		points, err := s.Raw(ctx, q)
		if err != nil {
			return err
		}
		for _, p := range points {
			if err := fn(p); err != nil {
				return err
			}
		}
		if len(points) < q.Limit {
			return nil
		}
		if last := points[len(points)-1].At; q.Desc {
			q.To = last
		} else {
			q.From = last.Add(time.Microsecond)
		}
	}
}

// bins cuts an answer into bins.
type bins struct {
	width      int64
	desc       bool
	start, end int64 // of the bin at hand; equal before the first
}

// floor is the start of the bin of t.
func (b *bins) floor(t int64) int64 {
	r := t % b.width
	if r < 0 {
		r += b.width
	}
	return t - r
}

// enter makes the bin of t the one at hand, and says whether it is another.
func (b *bins) enter(t int64) bool {
	if t >= b.start && t < b.end {
		return false
	}
	b.start = b.floor(t)
	b.end = b.start + b.width
	return true
}

// split calls fn for the points i to before j of p that lie in one bin, in order.
func (b *bins) split(p *span, fn func(other bool, i, j int) bool) bool {
	for i, j := 0, p.len(); i < j; {
		if b.desc {
			other := b.enter(p.at[j-1])
			k := p.find(b.start)
			if !fn(other, max(i, k), j) {
				return false
			}
			j = max(i, k)
			continue
		}
		other := b.enter(p.at[i])
		k := i
		for k < j && p.at[k] < b.end {
			k++
		}
		if !fn(other, i, k) {
			return false
		}
		i = k
	}
	return true
}

// newBins checks the interval of q and prepares r to answer from heads where it can.
func (q *Query) newBins(r *queryScan) *bins {
	b := &bins{width: int64(q.Interval / time.Microsecond), desc: q.Desc}
	// Heads are worth reading first only where many chunks fit into a bin.
	if r != nil && q.Interval >= time.Hour {
		r.enough = func(start, end int64) bool { return b.floor(start) == b.floor(end) }
	}
	return b
}

// Aggregate gives a number for each bin that has any. Bins begin at whole multiples of
// the interval since 1970. Texts, objects and floats that are not finite do not count.
//
// Percentiles are exact, by nearest rank: a value of the bin that at least so many of
// a hundred do not exceed.
func (s *Service) Aggregate(ctx context.Context, q Query) ([]Bin, error) {
	if q.Interval < time.Microsecond {
		return nil, ErrInterval
	}
	if q.Aggregation >= aggregations {
		return nil, ErrAggregation
	}
	r, err := s.scan(ctx, &q)
	if r == nil || err != nil {
		return nil, err
	}
	b := q.newBins(r)
	percent, sorts := q.Aggregation.percentile()
	if sorts {
		r.enough = nil
	}
	limit := q.limit()
	var out []Bin
	var t tally
	var numbers []float64
	var at int64 // start of the bin that t is of
	flush := func() bool {
		if t.n > 0 {
			v := t.answer(q.Aggregation)
			if sorts {
				v = percentile(numbers, percent)
			}
			out = append(out, Bin{At: time.UnixMicro(at).UTC(), Value: v, Count: t.n})
		}
		t, numbers = tally{}, numbers[:0]
		return len(out) < limit
	}
	r.each = func(g segment) bool {
		if g.head != nil {
			if b.enter(g.head.start) {
				if !flush() {
					return false
				}
				at = b.start
			}
			t.addHead(g.head)
			return true
		}
		return b.split(g.points, func(other bool, i, j int) bool {
			if other {
				if !flush() {
					return false
				}
				at = b.start
			}
			part := g.points.slice(i, j)
			t.addSpan(&part)
			if sorts {
				numbers = part.numbers(numbers)
			}
			return true
		})
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	if len(out) < limit {
		flush()
	}
	return out, nil
}

// answer is what a makes of t, which is of one number at least.
func (t *tally) answer(a Aggregation) float64 {
	var f float64
	switch a {
	case Avg:
		if f = t.sum / float64(t.n); f-f != 0 {
			f = t.min/2 + t.max/2 // the sum was too large for a float
		}
	case Min:
		f = t.min
	case Max:
		f = t.max
	case Sum:
		f = t.sum
	case Count:
		f = float64(t.n)
	case BoolOr:
		if t.zeros < t.n {
			f = 1
		}
	case BoolAnd:
		if t.zeros == 0 {
			f = 1
		}
	}
	return max(-math.MaxFloat64, min(math.MaxFloat64, f))
}

// percentile is the number of which percent of a hundred are not greater, by nearest
// rank. There is one number at least; their order changes.
func percentile(numbers []float64, percent int) float64 {
	return nth(numbers, max(0, (len(numbers)*percent+99)/100-1))
}

// nth is what a[n] would be if a were sorted: Hoare's selection, with the middle of
// three for its pivot, and sorting when it comes on badly.
func nth(a []float64, n int) float64 {
	for tries := 0; len(a) > 16 && tries < 64; tries++ {
		x, y, z := a[0], a[len(a)/2], a[len(a)-1]
		pivot := max(min(x, y), min(max(x, y), z))
		i, j := 0, len(a)-1
		for i <= j {
			for a[i] < pivot {
				i++
			}
			for a[j] > pivot {
				j--
			}
			if i <= j {
				a[i], a[j] = a[j], a[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			a = a[:j+1]
		case n >= i:
			a, n = a[i:], n-i
		default:
			return a[n]
		}
	}
	slices.Sort(a)
	return a[n]
}

// Sample gives the last point of each bin that has any, of whatever kind, at its own time.
func (s *Service) Sample(ctx context.Context, q Query) ([]Point, error) {
	if q.Interval < time.Microsecond {
		return nil, ErrInterval
	}
	r, err := s.scan(ctx, &q)
	if r == nil || err != nil {
		return nil, err
	}
	b := q.newBins(r)
	r.detail = func(h *head) bool { return !h.brief }
	limit := q.limit()
	var out []Point
	take := func(other bool, at int64, v func() Value) bool {
		switch {
		case !other && q.Desc:
			return true // the newest of the bin came first
		case !other:
			out = out[:len(out)-1]
		case len(out) == limit:
			return false
		}
		out = append(out, Point{Series: r.st.property, Thing: r.st.thing.id, Space: r.st.thing.space, At: time.UnixMicro(at).UTC(), Value: v()})
		return true
	}
	r.each = func(g segment) bool {
		if g.head != nil {
			return take(b.enter(g.head.end), g.head.end, func() Value { return g.head.last })
		}
		return b.split(g.points, func(other bool, _, j int) bool {
			return take(other, g.points.at[j-1], func() Value { return g.points.value(j - 1) })
		})
	}
	if err := r.run(ctx); err != nil {
		return nil, err
	}
	return out, nil
}
