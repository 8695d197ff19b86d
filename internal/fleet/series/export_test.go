package series

import (
	"context"
	"errors"
	"time"
)

// FlushSome is the flush that Run does by itself: it may carry points over.
func (s *Service) FlushSome(ctx context.Context) error {
	return s.maintaining(ctx, func() error { return s.flush(ctx, false) })
}

// SetMaxDecoded makes the bound on a query one that a test can reach.
func (s *Service) SetMaxDecoded(n int) { s.limits.decoded = n }

// SetSmallSteps makes a flush take many transactions.
func (s *Service) SetSmallSteps() { s.limits.pieceRows, s.limits.cutRows = 2, 3 }

// Number is the value as aggregations see it.
func (v Value) Number() (float64, bool) { return v.number() }

// Same says whether two values are equal bit by bit.
func (v Value) Same(w Value) bool { return v.same(w) }

// ErrPower is what every transaction says after the power was cut.
var ErrPower = errors.New("no power")

// A Fragile is a store whose power can be cut: before or after the n-th transaction
// that writes from now on. After that it does nothing any more.
type Fragile struct {
	Store
	Left  int  // transactions that still succeed; less than 0 for all
	After bool // the one that is cut is on disk, but its caller does not learn so
	Dead  bool
	Heal  bool             // only that one transaction fails
	Hook  func(act string) // called before each transaction that writes
	Acts  []string         // that wrote, until the power was cut
	Look  func()           // called before each snapshot is read, unless nil
}

func (f *Fragile) act(name string, fn func() error) error {
	if f.Hook != nil {
		f.Hook(name)
	}
	if f.Dead {
		return ErrPower
	}
	if f.Left == 0 {
		f.Left--
		f.Dead = !f.Heal
		if f.After {
			f.Acts = append(f.Acts, name)
			return errors.Join(fn(), ErrPower)
		}
		return ErrPower
	}
	f.Left--
	f.Acts = append(f.Acts, name)
	return fn()
}

func (f *Fragile) view(ctx context.Context, fn func(chunks) error) error {
	if f.Look != nil {
		f.Look()
	}
	return f.Store.view(ctx, fn)
}

func (f *Fragile) commit(ctx context.Context, c *change) error {
	return f.act("commit", func() error { return f.Store.commit(ctx, c) })
}

func (f *Fragile) save(ctx context.Context, chunks []chunkRow, lasts []seriesRow) error {
	return f.act("save", func() error { return f.Store.save(ctx, chunks, lasts) })
}

func (f *Fragile) carry(ctx context.Context, rows []logRow) error {
	return f.act("carry", func() error { return f.Store.carry(ctx, rows) })
}

func (f *Fragile) cut(ctx context.Context, from, to int64) error {
	return f.act("cut", func() error { return f.Store.cut(ctx, from, to) })
}

func (f *Fragile) retain(ctx context.Context, series, cutoff []int64, limit int) (n int64, err error) {
	err = f.act("retain", func() error {
		n, err = f.Store.retain(ctx, series, cutoff, limit)
		return err
	})
	return n, err
}

func (f *Fragile) drop(ctx context.Context, series []int64) error {
	return f.act("drop", func() error { return f.Store.drop(ctx, series) })
}

// A Slow store keeps nothing, and takes its time for each commit.
type Slow struct {
	Store
	Takes   time.Duration
	Commits int
}

func (s *Slow) load(context.Context, func(seriesRow) error, func(logRow) error) error { return nil }

func (s *Slow) commit(context.Context, *change) error {
	<-time.After(s.Takes)
	s.Commits++
	return nil
}

// TapPoints is how many points a Tap keeps in memory.
const TapPoints = tapPoints

// TapBytes is how many bytes these have.
const TapBytes = tapBytes

// SetTapDisk makes the bound of a Tap on disk one that a test can reach.
func (s *Service) SetTapDisk(bytes int64) { s.limits.tapDisk = bytes }

// QueuedBytes is how many bytes of points a Tap has in memory.
func (t *Tap) QueuedBytes() int {
	t.st.mu.Lock()
	defer t.st.mu.Unlock()
	return t.bytes
}

// Queued is how many points it has there.
func (t *Tap) Queued() int {
	t.st.mu.Lock()
	defer t.st.mu.Unlock()
	return t.points
}
