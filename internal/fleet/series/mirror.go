package series

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// A Mirror has values of some series kept for others, too: in the transaction that keeps the values themselves, so
// that after a kill there are all of them or none, and none twice. A copy has no copies.
//
// All of its functions are called by the committer, one after the other: they must neither block nor call Enqueue or Append.
type Mirror struct {
	with    MirrorFuncs
	version atomic.Uint64 // of what Watched answers
}

// MirrorFuncs are what a Mirror is made of.
type MirrorFuncs struct {
	// Watched says whether a series has copies. Its answer is kept until Changed is called.
	Watched func(series string) bool
	// Copies are what is kept with a point, which came at a time. They are no copies of a value when nil. It is asked in the order
	// in which values come; what it gives may be dropped when the thing that it is for was erased.
	Copies func(p Point, came time.Time) []Point
	// Kept tells of copies that are on disk and visible, after the done of the points that they are copies of.
	Kept func(copies []Point)
	// End says that what Copies was asked for is on disk and visible, or will never be.
	End func()
}

// Mirror begins to keep copies. It must be called before Run, once.
func (s *Service) Mirror(with MirrorFuncs) *Mirror {
	s.mirror = &Mirror{with: with}
	s.mirror.version.Store(1)
	return s.mirror
}

// Changed says that Watched answers otherwise than before. It holds for commits that begin after it.
func (m *Mirror) Changed() { m.version.Add(1) }

func (m *Mirror) end()                { m.with.End() }
func (m *Mirror) kept(copies []Point) { m.with.Kept(copies) }

// has says whether st has copies.
func (m *Mirror) has(st *state) bool {
	if v := m.version.Load(); st.inquired != v {
		st.inquired, st.mirrored = v, m.with.Watched(st.property)
	}
	return st.mirrored
}

// reflect gives a batch, whose states are behind from, its copies. A copy that cannot be, as its thing was erased, is
// left out; any other error is the batch's.
func (c *committer) reflect(ctx context.Context, b *entry, from int) error {
	b.copies = b.copies[:0]
	for j := range b.points {
		if !c.s.mirror.has(c.states[from+j]) {
			continue
		}
		for _, p := range c.s.mirror.with.Copies(b.points[j], b.at) {
			states, fresh := len(c.states), len(c.fresh)
			err := p.check()
			if err == nil {
				err = c.resolve(ctx, []Point{p})
			}
			if err == nil {
				b.copies = append(b.copies, p)
				continue
			}
			c.retreat(states, fresh)
			if q := (*problem.Problem)(nil); !errors.As(err, &q) {
				return err
			}
		}
	}
	return nil
}
