package series_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
)

// A house is a service that runs, on a database that outlives it.
type house struct {
	t    testing.TB
	db   *db.DB
	keys *seriestest.Keys
	cfg  series.Config
	keep series.Keep      // nil: for ever
	now  func() time.Time // nil: time.Now
	// fragile, if not nil, stands between the service and its database.
	fragile *series.Fragile
	*series.Service
	stop func()
}

// open starts a service, and stops it when t ends if nobody did.
func open(t testing.TB, d *db.DB, cfg series.Config) *house {
	t.Helper()
	h := &house{t: t, db: d, keys: new(seriestest.Keys), cfg: cfg, stop: func() {}}
	h.start()
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) start() {
	h.t.Helper()
	if err := h.tryStart(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) tryStart() error {
	store := series.SQL(h.db)
	if h.fragile != nil {
		h.fragile.Store = store
		store = h.fragile
	}
	now := h.now
	if now == nil {
		now = time.Now
	}
	s, err := series.New(context.Background(), series.Needs{
		Store: store, Keys: h.keys, Log: slog.New(slog.NewTextHandler(h.t.Output(), nil)), Now: now, Keep: h.keep, Config: h.cfg,
	})
	if err != nil {
		return err
	}
	if h.fragile != nil {
		s.SetSmallSteps()
	}
	ctx, cancel := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() { stopped <- s.Run(ctx) }()
	tidied := make(chan error, 1)
	go func() { tidied <- h.db.Run(ctx) }()
	h.Service = s
	h.stop = func() {
		cancel()
		if err := <-tidied; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("database stopped with %v", err)
		}
		if err := <-stopped; err != nil {
			h.t.Errorf("service stopped with %v", err)
		}
		h.stop = func() {}
	}
	return nil
}

func (h *house) reopen() {
	h.t.Helper()
	h.stop()
	h.start()
}

func (h *house) append(points ...series.Point) {
	h.t.Helper()
	if err := h.Append(context.Background(), points); err != nil {
		h.t.Fatalf("append %d points: %v", len(points), err)
	}
}

var nopLog = slog.New(slog.DiscardHandler)

var noon = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

func number(f float64) series.Value { return series.Value{Kind: series.Float, Num: f} }

// A model is history as a plain map.
type model struct {
	points map[string]map[int64]series.Value
	last   map[string]series.Point
}

func (m *model) record(p series.Point) {
	if m.points[p.Series] == nil {
		m.points[p.Series] = map[int64]series.Value{}
	}
	m.points[p.Series][p.At.UnixMicro()] = p.Value
	if l, ok := m.last[p.Series]; !ok || !p.At.Before(l.At) {
		m.last[p.Series] = p
	}
}

func (m *model) raw(q series.Query) []series.Point {
	var out []series.Point
	for _, at := range slices.Sorted(maps.Keys(m.points[q.Series])) {
		t := time.UnixMicro(at).UTC()
		if !q.From.IsZero() && t.Before(q.From) || !q.To.IsZero() && !t.Before(q.To) {
			continue
		}
		out = append(out, series.Point{Series: q.Series, Space: q.Space, At: t, Value: m.points[q.Series][at]})
	}
	if q.Desc {
		slices.Reverse(out)
	}
	return out
}

func binOf(t time.Time, width time.Duration) time.Time {
	us, w := t.UnixMicro(), int64(width/time.Microsecond)
	return time.UnixMicro(us - ((us%w)+w)%w).UTC()
}

func (m *model) aggregate(q series.Query) []series.Bin {
	var out []series.Bin
	var numbers []float64
	end := func() {
		if len(numbers) == 0 {
			return
		}
		b := &out[len(out)-1]
		b.Count = len(numbers)
		sum := 0.0
		for _, f := range numbers {
			sum += f
		}
		slices.Sort(numbers)
		rank := func(p int) float64 { return numbers[max(0, (len(numbers)*p+99)/100-1)] }
		truth := func(ok bool) float64 {
			if ok {
				return 1
			}
			return 0
		}
		b.Value = map[series.Aggregation]float64{
			series.Avg: sum / float64(len(numbers)), series.Min: numbers[0], series.Max: numbers[len(numbers)-1],
			series.Sum: sum, series.Count: float64(len(numbers)),
			series.Pct99: rank(99), series.Pct95: rank(95), series.Pct90: rank(90), series.Pct75: rank(75),
			series.Pct50: rank(50), series.Pct15: rank(15), series.Pct5: rank(5),
			series.BoolOr:  truth(slices.ContainsFunc(numbers, func(f float64) bool { return f != 0 })),
			series.BoolAnd: truth(!slices.Contains(numbers, 0)),
		}[q.Aggregation]
		numbers = nil
	}
	for _, p := range m.raw(q) {
		f, ok := p.Value.Number()
		if !ok {
			continue
		}
		if at := binOf(p.At, q.Interval); len(out) == 0 || out[len(out)-1].At != at {
			end()
			out = append(out, series.Bin{At: at})
		}
		numbers = append(numbers, f)
	}
	end()
	return out
}

func (m *model) sample(q series.Query) []series.Point {
	var out []series.Point
	for _, p := range m.raw(q) {
		if n := len(out); n > 0 && binOf(out[n-1].At, q.Interval).Equal(binOf(p.At, q.Interval)) {
			if !q.Desc {
				out[n-1] = p
			}
			continue
		}
		out = append(out, p)
	}
	return out
}

func cut[T any](all []T, n int) []T { return all[:min(n, len(all))] }

func samePoint(a, b series.Point) bool {
	return a.Series == b.Series && a.Space == b.Space && a.At.Equal(b.At) && a.Value.Same(b.Value)
}

// sameBin allows for sums that were added in another order.
func sameBin(a, b series.Bin) bool {
	return a.At.Equal(b.At) && a.Count == b.Count && math.Abs(a.Value-b.Value) <= 1e-9*max(1, math.Abs(a.Value), math.Abs(b.Value))
}

// Whatever is done to a service, in whatever order, it answers as a plain map would:
// values in order, late, repeated and of changing kinds, flushes, starts, erasures.
func TestAnswersAsAMapWould(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{FlushPoints: 700})
		run := 0
		rapid.Check(t, func(r *rapid.T) {
			run++
			machine{h, run, &model{map[string]map[int64]series.Value{}, map[string]series.Point{}}}.run(r)
		})
	})
}

type machine struct {
	h     *house
	round int // of this test on this database: makes names of its own
	m     *model
}

const machineSeries = 3

func (c machine) id(i int) string    { return fmt.Sprintf("property-%d-%d", c.round, i) }
func (c machine) space(i int) string { return fmt.Sprintf("space-%d-%d", c.round, i%2) }
func (c machine) thing(i int) string { return fmt.Sprintf("thing-%d-%d", c.round, i%4) }

func (c machine) run(r *rapid.T) {
	ctx := context.Background()
	clock := noon
	r.Repeat(map[string]func(*rapid.T){
		"append": func(r *rapid.T) {
			var points []series.Point
			for range rapid.IntRange(1, 4).Draw(r, "runs") {
				i := rapid.IntRange(0, machineSeries-1).Draw(r, "series")
				step := rapid.SampledFrom([]time.Duration{time.Second, time.Millisecond, time.Minute, 3 * time.Hour}).Draw(r, "step")
				at := clock
				switch rapid.IntRange(0, 3).Draw(r, "when") {
				case 0: // late, or once more
					at = at.Add(-time.Duration(rapid.IntRange(0, 2000).Draw(r, "late")) * step)
				case 1: // leaves a gap
					at = at.Add(time.Duration(rapid.IntRange(0, 100).Draw(r, "gap")) * step)
				}
				kind := series.Kind(rapid.IntRange(0, 4).Draw(r, "kind"))
				noise := rapid.Int64Range(0, 1<<40).Draw(r, "noise")
				for n := range rapid.SampledFrom([]int{1, 2, 30, 400, 2500}).Draw(r, "n") {
					points = append(points, series.Point{Series: c.id(i), Thing: c.thing(i), Space: c.space(i), At: at, Value: someValue(kind, noise+int64(n*n))})
					at = at.Add(step)
				}
				if at.After(clock) {
					clock = at
				}
			}
			if err := c.h.Append(ctx, points); err != nil {
				r.Fatal(err)
			}
			for _, p := range points {
				c.m.record(p)
			}
		},
		"flush": func(r *rapid.T) { c.must(r, c.h.Flush(ctx)) },
		"carry": func(r *rapid.T) { c.must(r, c.h.FlushSome(ctx)) },
		"start": func(r *rapid.T) { c.h.reopen() },
		"erase": func(r *rapid.T) {
			i := rapid.IntRange(0, machineSeries-1).Draw(r, "series")
			c.must(r, c.h.Erase(ctx, []string{c.id(i)}))
			delete(c.m.points, c.id(i))
			delete(c.m.last, c.id(i))
		},
		"raw": func(r *rapid.T) {
			q := c.query(r)
			got, err := c.h.Raw(ctx, q)
			c.must(r, err)
			compare(r, q, got, cut(c.m.raw(q), q.Limit), samePoint)
		},
		"aggregate": func(r *rapid.T) {
			q := c.query(r)
			q.Aggregation = series.Aggregation(rapid.IntRange(0, 13).Draw(r, "aggregation"))
			got, err := c.h.Aggregate(ctx, q)
			c.must(r, err)
			compare(r, q, got, cut(c.m.aggregate(q), q.Limit), sameBin)
		},
		"sample": func(r *rapid.T) {
			q := c.query(r)
			got, err := c.h.Sample(ctx, q)
			c.must(r, err)
			compare(r, q, got, cut(c.m.sample(q), q.Limit), samePoint)
		},
		"": func(r *rapid.T) {
			for i := range machineSeries {
				got, ok := c.h.Last(c.id(i))
				want, known := c.m.last[c.id(i)]
				if ok != known || ok && !samePoint(got, want) {
					r.Fatalf("last of %s: %v %v, want %v %v", c.id(i), got, ok, want, known)
				}
			}
		},
	})
}

func (c machine) must(r *rapid.T, err error) {
	if err != nil {
		r.Fatal(err)
	}
}

func (c machine) query(r *rapid.T) series.Query {
	i := rapid.IntRange(0, machineSeries-1).Draw(r, "series")
	q := series.Query{
		Series: c.id(i), Space: c.space(i),
		Desc:     rapid.Bool().Draw(r, "desc"),
		Limit:    rapid.SampledFrom([]int{1, 5, 1000, 20_000}).Draw(r, "limit"),
		Interval: rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 7 * time.Minute, time.Hour, 24 * time.Hour, 5000 * time.Hour}).Draw(r, "interval"),
	}
	if rapid.Bool().Draw(r, "from?") {
		q.From = noon.Add(time.Duration(rapid.IntRange(-5000, 50_000).Draw(r, "from")) * time.Second)
	}
	if rapid.Bool().Draw(r, "to?") {
		q.To = noon.Add(time.Duration(rapid.IntRange(-1000, 500_000).Draw(r, "to")) * time.Second)
	}
	return q
}

func compare[T any](t interface{ Fatalf(string, ...any) }, q series.Query, got, want []T, same func(a, b T) bool) {
	for i := range min(len(got), len(want)) {
		if !same(got[i], want[i]) {
			t.Fatalf("%+v: entry %d is %+v, want %+v", q, i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%+v: %d entries, want %d", q, len(got), len(want))
	}
}

// someValue is value n of a sequence that looks like something.
func someValue(k series.Kind, n int64) series.Value {
	v := series.Value{Kind: k}
	switch k {
	case series.Float:
		v.Num = []float64{float64(n%1000) / 10, float64(float32(n) / 7), math.NaN(), math.Sqrt(float64(n)), float64(float32(n%100) / 10)}[n%5]
	case series.Int:
		v.Int = n%2000 - 1000
	case series.Bool:
		v.Int = n / 3 & 1
	case series.Text:
		v.Text = fmt.Sprintf("state %d", n%7)
	case series.Object:
		v.Text = fmt.Sprintf(`{"lat":%d.5,"lon":%d}`, n%90, n%180)
	}
	return v
}
