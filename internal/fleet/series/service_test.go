package series_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// point is a value of series id of thing "t" in space "s", n seconds after noon.
func point(id string, n int, v series.Value) series.Point {
	return series.Point{Series: id, Thing: "t", Space: "s", At: noon.Add(time.Duration(n) * time.Second), Value: v}
}

func points(id string, from, to int) []series.Point {
	var all []series.Point
	for n := from; n < to; n++ {
		all = append(all, point(id, n, number(float64(n))))
	}
	return all
}

// all is every point of a series.
func (h *house) all(id, space string) []series.Point {
	h.t.Helper()
	got, err := h.Raw(context.Background(), series.Query{Series: id, Space: space, Limit: series.MaxLimit})
	if err != nil {
		h.t.Fatal(err)
	}
	return got
}

func (h *house) want(id string, want ...series.Point) {
	h.t.Helper()
	compare(h.t, series.Query{Series: id}, h.all(id, "s"), want, samePoint)
}

// rows counts the rows of our tables.
func rows(t testing.TB, d *db.DB) (n struct{ series, lasts, log, chunks int }) {
	t.Helper()
	err := d.Read(context.Background(), func(tx *db.Tx) error {
		return tx.QueryRow(context.Background(),
			`SELECT (SELECT COUNT(id) FROM series), (SELECT COUNT(series) FROM series_last), (SELECT COUNT(seq) FROM series_log), (SELECT COUNT(series) FROM series_chunk)`).
			Scan(&n.series, &n.lasts, &n.log, &n.chunks)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPointsThatAreRefused(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{})
	good := point("p", 0, number(1))
	h.append(good)
	with := func(change func(p *series.Point)) []series.Point {
		p := point("p", 1, number(2))
		change(&p)
		return []series.Point{point("p", 1, number(3)), p}
	}
	for name, c := range map[string]struct {
		points []series.Point
		want   error
	}{
		"none":          {nil, nil},
		"no series":     {with(func(p *series.Point) { p.Series = "" }), series.ErrNoSeries},
		"no space":      {with(func(p *series.Point) { p.Space = "" }), series.ErrNoSeries},
		"no thing":      {with(func(p *series.Point) { p.Thing = "" }), series.ErrNoSeries},
		"endless id":    {with(func(p *series.Point) { p.Series = strings.Repeat("x", 129) }), series.ErrNoSeries},
		"another space": {with(func(p *series.Point) { p.Space = "t" }), series.ErrOwner},
		"another thing": {with(func(p *series.Point) { p.Thing = "u" }), series.ErrOwner},
		"before 1842":   {with(func(p *series.Point) { p.At = series.Earliest.Add(-time.Microsecond) }), series.ErrTime},
		"in 2242":       {with(func(p *series.Point) { p.At = series.Latest }), series.ErrTime},
		"no time":       {with(func(p *series.Point) { p.At = time.Time{} }), series.ErrTime},
		"unknown kind":  {with(func(p *series.Point) { p.Value.Kind = 5 }), series.ErrKind},
		"half true":     {with(func(p *series.Point) { p.Value = series.Value{Kind: series.Bool, Int: 2} }), series.ErrKind},
		"long text":     {with(func(p *series.Point) { p.Value = series.Value{Kind: series.Text, Text: strings.Repeat("x", 65_537)} }), series.ErrText},
		"too many":      {points("p", 1, 65_538), series.ErrBatch},
		"much text":     {slices.Repeat(with(func(p *series.Point) { p.Value = series.Value{Kind: series.Text, Text: strings.Repeat("x", 65_000)} }), 130), series.ErrBatch},
	} {
		t.Run(name, func(t *testing.T) {
			if err := h.Append(t.Context(), c.points); !errors.Is(err, c.want) {
				t.Errorf("append says %v, want %v", err, c.want)
			}
			h.want("p", good) // all or none
		})
	}
	if n := rows(t, h.db); n.series != 1 {
		t.Errorf("%d series, want 1", n.series)
	}
}

func TestOldestAndNewestInstants(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		first, last := point("p", 0, number(1)), point("p", 0, number(2))
		first.At, last.At = series.Earliest, series.Latest.Add(-time.Microsecond)
		h.append(last)
		h.append(first)
		h.want("p", first, last)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.want("p", first, last)
		bins, err := h.Aggregate(t.Context(), series.Query{Series: "p", Space: "s", Interval: 1000 * time.Hour})
		if err != nil || len(bins) != 2 || bins[0].At.After(first.At) || bins[0].At.Before(first.At.Add(-1000*time.Hour)) {
			t.Errorf("bins %v, %v", bins, err)
		}
	})
}

// A space has no way to another's points, also if it knows their id.
func TestAnotherSpaceSeesNothing(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{})
	h.append(points("p", 0, 10)...)
	if got := h.all("p", "t"); len(got) != 0 {
		t.Errorf("another space sees %v", got)
	}
	q := series.Query{Series: "p", Space: "t", Interval: time.Minute}
	if got, err := h.Aggregate(t.Context(), q); len(got) != 0 || err != nil {
		t.Errorf("another space sees %v (%v)", got, err)
	}
	if got, err := h.Sample(t.Context(), q); len(got) != 0 || err != nil {
		t.Errorf("another space sees %v (%v)", got, err)
	}
}

// done is called once per Enqueue, in order, after the points are visible; also for
// what is refused, and after the service has stopped.
func TestDoneComesInOrder(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{QueuePoints: 50})
		const n = 500
		var mu sync.Mutex
		var order []int
		all := make(chan struct{})
		for i := range n {
			p := point("p", i, number(float64(i)))
			if i%10 == 3 {
				p.Value.Kind = 99
			}
			h.Enqueue([]series.Point{p}, func(err error) {
				if want := i%10 == 3; errors.Is(err, series.ErrKind) != want || !want && err != nil {
					t.Errorf("enqueue %d: %v", i, err)
				}
				if last, _ := h.Last("p"); err == nil && last.At.Before(p.At) {
					t.Errorf("done of point %d: the last visible one is of %v", i, last.At)
				}
				mu.Lock()
				defer mu.Unlock()
				if order = append(order, i); len(order) == n {
					close(all)
				}
			})
		}
		<-all
		if !slices.IsSorted(order) {
			t.Errorf("done came in the order %v", order)
		}
		h.stop()
		called := false
		h.Enqueue(points("p", 0, 1), func(err error) { called = errors.Is(err, series.ErrStopped) })
		if !called {
			t.Error("enqueue after the end does not say that the service has stopped")
		}
		if err := h.Append(t.Context(), points("p", 0, 1)); !errors.Is(err, series.ErrStopped) {
			t.Errorf("append after the end says %v", err)
		}
	})
}

// What waits when the service is told to stop is still committed.
func TestStopCommitsWhatWaits(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{})
	results := make(chan error, 1000)
	for i := range 1000 {
		h.Enqueue(points("p", i, i+1), func(err error) { results <- err })
	}
	h.stop()
	for range 1000 {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	h.start()
	h.want("p", points("p", 0, 1000)...)
}

// While a commit is under way nothing of it is visible; and Enqueue holds its caller
// back once the queue is full.
func TestNothingIsShownBeforeItIsOnDisk(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{QueuePoints: 10})
	h.append(points("p", 0, 1)...)
	h.stop()
	at, goOn := make(chan string), make(chan struct{})
	h.fragile = &series.Fragile{Left: -1, Hook: func(act string) { at <- act; <-goOn }}
	h.start()
	done := make(chan error, 2)
	h.Enqueue(points("p", 1, 6), func(err error) { done <- err })
	<-at
	h.want("p", points("p", 0, 1)...)
	if last, _ := h.Last("p"); !last.At.Equal(noon) {
		t.Errorf("the last value is shown before it is on disk: %v", last)
	}
	h.Enqueue(points("p", 6, 16), func(err error) { done <- err })
	ctx, cancel := context.WithCancel(t.Context())
	refused := make(chan error)
	go func() { refused <- h.Append(ctx, points("p", 16, 17)) }()
	if s := h.Stats(); s.QueuedPoints != 10 {
		t.Errorf("%d points are queued, want 10", s.QueuedPoints)
	}
	cancel()
	if err := <-refused; !errors.Is(err, context.Canceled) {
		t.Errorf("append to a full queue says %v", err)
	}
	goOn <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.want("p", points("p", 0, 6)...)
	<-at
	goOn <- struct{}{}
	if err := <-done; err != nil {
		t.Error(err)
	}
	h.want("p", points("p", 0, 16)...)
}

// A commit that fails is shown to nobody, whether or not the database has it after
// all; the next one goes through, and a restart agrees.
func TestCommitThatFails(t *testing.T) {
	for name, after := range map[string]bool{"before it is on disk": false, "after it is on disk": true} {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
				h := open(t, d, series.Config{})
				h.append(points("p", 0, 3)...)
				h.stop()
				h.fragile = &series.Fragile{After: after, Heal: true}
				h.start()
				if err := h.Append(t.Context(), append(points("p", 3, 6), points("q", 0, 2)...)); !errors.Is(err, series.ErrPower) {
					t.Fatalf("append says %v", err)
				}
				h.want("p", points("p", 0, 3)...)
				h.want("q")
				h.append(append(points("r", 0, 1), points("p", 10, 12)...)...)
				want := append(points("p", 0, 3), points("p", 10, 12)...)
				for range 2 {
					h.want("p", want...)
					h.want("q")
					h.want("r", points("r", 0, 1)...)
					h.reopen()
				}
				if n := rows(t, d); n.series != 2 || n.log != 2 {
					t.Errorf("%+v, want 2 series and 2 rows of the log", n)
				}
			})
		})
	}
}

// Another process that writes to the same history is noticed before it does harm.
func TestTwoWriters(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		one := open(t, d, series.Config{})
		one.append(points("p", 0, 1)...)
		other, err := series.New(t.Context(), series.Needs{Store: series.SQL(d), Keys: one.keys, Log: nopLog, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		one.append(points("p", 1, 2)...)
		stopped := make(chan error, 1)
		go func() { stopped <- other.Run(context.Background()) }()
		if err := other.Append(t.Context(), points("p", 5, 6)); err == nil {
			t.Error("the second writer may append")
		}
		if err := <-stopped; err == nil {
			t.Error("the second writer goes on")
		}
		one.append(points("p", 2, 3)...)
		one.reopen()
		one.want("p", points("p", 0, 3)...)
	})
}

// The power goes between any two transactions of a flush, or of an erasure, before or
// after it is on disk. The next start has every point once, with its latest value;
// and a service that only lost the database for a moment goes on.
func TestPowerCutInAFlush(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		for _, after := range []bool{false, true} {
			for _, heal := range []bool{false, true} {
				for left := 0; ; left++ {
					if !cutFlush(t, d, left, after, heal) {
						if left < 8 {
							t.Fatalf("a flush has only %d transactions: too few to test what is between them", left)
						}
						break
					}
				}
			}
		}
	})
}

// cutFlush says whether the flush was cut.
func cutFlush(t *testing.T, d *db.DB, left int, after, heal bool) bool {
	h := open(t, d, series.Config{FlushPoints: 4000})
	defer func() { h.stop() }()
	h.stop()
	h.fragile = &series.Fragile{Left: -1, After: after, Heal: heal}
	h.start()
	name := func(s string) string { return fmt.Sprintf("%s-%v-%v-%d", s, after, heal, left) }
	m := &model{map[string]map[int64]series.Value{}, map[string]series.Point{}}
	add := func(all ...series.Point) {
		h.append(all...)
		for _, p := range all {
			m.record(p)
		}
	}
	check := func(when string) {
		t.Helper()
		for id := range m.points {
			q := series.Query{Series: id, Space: "s"}
			compare(t, q, h.all(id, "s"), m.raw(q), samePoint)
			if got, _ := h.Last(id); !samePoint(got, m.last[id]) {
				t.Fatalf("%s: last of %s is %v, want %v", when, id, got, m.last[id])
			}
		}
	}
	// Many, few that are carried over, few that were carried over before, and values
	// that are written more than once, in different rows of the log.
	add(points(name("slow"), 0, 5)...)
	add(points(name("many"), 0, 200)...)
	if err := h.FlushSome(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		add(points(name("many"), 200*i, 200*i+300)...)
		add(points(name("slow"), 3*i, 3*i+4)...)
		add(points(name(fmt.Sprint("other", i)), 0, 100)...)
		for n := range 6 {
			add(point(name("many"), n*7, number(float64(1000*i+n))), point(name("slow"), n%4, number(float64(1000*i+n))))
		}
	}
	h.fragile.Left, h.fragile.Acts = left, nil
	err := h.FlushSome(t.Context())
	if err != nil && !errors.Is(err, series.ErrPower) {
		t.Fatal(err)
	}
	if err == nil && !slices.Contains(h.fragile.Acts, "carry") {
		t.Fatalf("nothing was carried over: %v", h.fragile.Acts)
	}
	if err == nil {
		h.fragile.Left = -1
	}
	check("after the cut")
	if !heal {
		h.reopen()
		h.fragile.Dead, h.fragile.Left = false, -1
		check("after a start")
	}
	add(points(name("slow"), 2, 9)...)
	add(point(name("many"), 1, number(-1)))
	check("after more")
	if err := h.FlushSome(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after another flush")
	h.reopen()
	check("after another start")
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("after a whole flush")
	if n := rows(t, d); n.log != 0 {
		t.Fatalf("%d rows are left in the log after a whole flush", n.log)
	}
	return err != nil
}

// Points that are written while a flush fails are newer than what it gives back.
func TestPointsDuringAFlushThatFails(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		h.stop()
		once := true
		h.fragile = &series.Fragile{Left: -1, Heal: true}
		h.fragile.Hook = func(act string) {
			if act == "save" && once {
				once = false
				h.append(point("p", 5, number(-5)), point("p", 7, number(-7)), point("p", 4, number(-4)), point("p", 100, number(100)))
			}
		}
		h.start()
		h.append(points("p", 0, 100)...)
		h.fragile.Left = 1 // the commit; the flush's own is the one that fails
		if err := h.Flush(t.Context()); !errors.Is(err, series.ErrPower) {
			t.Fatalf("flush says %v", err)
		}
		want := points("p", 0, 101)
		want[4].Value.Num, want[5].Value.Num, want[7].Value.Num = -4, -5, -7
		h.want("p", want...)
		h.append(point("p", 7, number(-77)))
		want[7].Value.Num = -77
		for range 2 {
			h.want("p", want...)
			if err := h.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			h.want("p", want...)
			h.reopen()
		}
		if s := h.Stats(); s.LogPoints != 0 {
			t.Errorf("%d points are left in the log", s.LogPoints)
		}
	})
}

// A flush between the look at memory and the look at the database does not mix what
// was with what is.
func TestAnswerIsOfOneMoment(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		h.stop()
		h.fragile = &series.Fragile{Left: -1}
		looks, flushing := 0, false
		h.fragile.Look = func() {
			if flushing { // it looks too
				return
			}
			if looks++; looks > 3 {
				return
			}
			flushing = true
			defer func() { flushing = false }()
			h.append(point("p", 3, number(float64(-looks))), point("p", 10+looks, number(float64(looks))))
			if err := h.Flush(t.Context()); err != nil {
				t.Error(err)
			}
		}
		h.start()
		h.append(points("p", 0, 10)...)
		got := h.all("p", "s")
		if newest := got[len(got)-1].Value.Num; got[3].Value.Num != -newest && newest != 9 {
			t.Errorf("value 3 is %v while the newest is %v", got[3].Value.Num, newest)
		}
		if looks != 4 || len(got) != 13 {
			t.Errorf("%d points after %d looks, want 13 after 4", len(got), looks)
		}
	})
}

// A late value counts in a bin that swallows its whole chunk, before and after it is
// folded into that.
func TestLateValueInALargeBin(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		h.append(points("p", 0, 100)...)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.append(point("p", 50, number(1000)), point("p", 200, number(7)))
		late := point("p", 99, number(99))
		late.At = late.At.Add(-time.Millisecond)
		h.append(late)
		for range 2 {
			q := series.Query{Series: "p", Space: "s", Interval: 5000 * time.Hour, Aggregation: series.Max}
			if bins, err := h.Aggregate(t.Context(), q); err != nil || len(bins) != 1 || bins[0].Value != 1000 || bins[0].Count != 102 {
				t.Errorf("bins %v, %v", bins, err)
			}
			if sample, err := h.Sample(t.Context(), q); err != nil || len(sample) != 1 || sample[0].Value.Num != 7 {
				t.Errorf("sample %v, %v", sample, err)
			}
			q.To = noon.Add(100 * time.Second)
			if sample, err := h.Sample(t.Context(), q); err != nil || len(sample) != 1 || sample[0].Value.Num != 99 {
				t.Errorf("sample of a part %v, %v", sample, err)
			}
			if err := h.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Erasing leaves nothing behind, in no table, and may be repeated from wherever the
// power was cut.
func TestPowerCutInAnErasure(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		for _, c := range []struct {
			after bool
			thing string // of what is erased; "t" is also that of what stays
		}{{false, "t"}, {true, "t"}, {false, "u"}} {
			points := func(id string, from, to int) []series.Point {
				all := points(id, from, to)
				for i := range all {
					if id != "stays" {
						all[i].Thing = c.thing
					}
				}
				return all
			}
			for left := 0; ; left++ {
				h := open(t, d, series.Config{})
				h.stop()
				h.fragile = &series.Fragile{Left: -1, After: c.after}
				h.start()
				h.append(append(points("stays", 0, 100), points("gone", 0, 4000)...)...)
				if err := h.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				h.append(append(points("gone", 100, 200), points("stays", 100, 110)...)...)
				h.fragile.Left = left
				err := h.Erase(t.Context(), []string{"gone"})
				if err != nil {
					if !errors.Is(err, series.ErrPower) {
						t.Fatal(err)
					}
					h.reopen()
					h.fragile.Dead = false
					h.fragile.Left = -1
					// What is left of it in the log is not taken for a new series' points.
					h.append(points("new", 0, 3)...)
					h.reopen()
					h.want("new", points("new", 0, 3)...)
					if err := h.Erase(t.Context(), []string{"gone", "new"}); err != nil {
						t.Fatal(err)
					}
				}
				h.fragile.Left = -1
				h.want("gone")
				if _, ok := h.Last("gone"); ok {
					t.Error("an erased series has a last value")
				}
				h.want("stays", points("stays", 0, 110)...)
				h.reopen()
				h.want("gone")
				h.want("stays", points("stays", 0, 110)...)
				if n := rows(t, d); n.series != 1 {
					t.Errorf("%d series are left, want 1", n.series)
				}
				// A new series must not inherit anything.
				h.append(points("gone", 0, 1)...)
				h.want("gone", points("gone", 0, 1)...)
				if err := h.Erase(t.Context(), []string{"gone", "stays"}); err != nil {
					t.Fatal(err)
				}
				if n := rows(t, d); n.series+n.lasts != 0 || n.log != 0 || n.chunks != 0 {
					t.Fatalf("%+v are left of nothing", n)
				}
				h.stop()
				if err == nil {
					if left < 3 {
						t.Fatalf("an erasure has only %d transactions", left)
					}
					break
				}
			}
		}
	})
}

// A thing whose key was destroyed, or that of its space, is gone from the log, from chunks and
// from a start, whether or not anyone erased its rows.
func TestThingWithoutKey(t *testing.T) {
	for whose, id := range map[string]string{"of the thing": "t", "of its space": "s"} {
		t.Run(whose, func(t *testing.T) { thingWithoutKey(t, id) })
	}
}

func thingWithoutKey(t *testing.T, gone string) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		other := points("b", 0, 300)
		for i := range other {
			other[i].Thing, other[i].Space = "0190a0b0-0000-7000-8000-00000000000c", "0190a0b0-0000-7000-8000-00000000000b"
		}
		h.append(append(points("a", 0, 300), other...)...)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.append(points("a", 300, 310)...)
		h.append(append(points("a", 310, 320), other[:10]...)...)
		h.keys.Erase(gone)
		h.stop()
		h.start() // the log has rows that nobody can open
		h.want("a")
		if _, ok := h.Last("a"); ok {
			t.Error("a thing without key has a last value")
		}
		compare(t, series.Query{}, h.all("b", other[0].Space), other, samePoint)
		if err := h.Append(t.Context(), points("a", 0, 1)); !errors.Is(err, keys.ErrErased) {
			t.Errorf("append to a thing without key says %v", err)
		}
		h.append(other...)
		if err := h.EraseSpace(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
		compare(t, series.Query{}, h.all("b", other[0].Space), other, samePoint)
		if err := h.EraseSpace(t.Context(), other[0].Space); err != nil {
			t.Fatal(err)
		}
		if n := rows(t, d); n.series+n.lasts != 0 || n.log != 0 || n.chunks != 0 {
			t.Errorf("%+v are left of nothing", n)
		}
	})
}

// However many series there are with few points each, all of them come to chunks
// after some flushes, and never more than a quarter of the log is carried over.
func TestSlowSeriesAreWrittenInTheEnd(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{FlushPoints: 1000})
	const slow = 400
	for round := range 20 {
		var all []series.Point
		for i := range slow {
			all = append(all, point(fmt.Sprint("slow", i), round, number(float64(round))))
		}
		h.append(all...)
		if err := h.FlushSome(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := h.Stats(); s.LogPoints > 250 {
			t.Fatalf("%d points are carried over, want at most a quarter of 1,000", s.LogPoints)
		}
	}
	for i := range slow {
		h.want(fmt.Sprint("slow", i), points(fmt.Sprint("slow", i), 0, 20)...)
	}
	// One alone is never over the bound, and still does not stay in the log for ever.
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.append(points("lonely", 0, 1)...)
	for range 20 {
		if err := h.FlushSome(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if s := h.Stats(); s.LogPoints != 0 {
		t.Errorf("%d points are still in the log", s.LogPoints)
	}
}

// The log starts a flush by itself when it is long, and commits wait for it when it
// is twice as long: memory stays bounded.
func TestLongLogIsFlushed(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{FlushPoints: 1000})
		for n := range 100 {
			h.append(points("p", n*100, n*100+100)...)
			if s := h.Stats(); s.LogPoints > 2100 {
				t.Fatalf("%d points are in the log", s.LogPoints)
			}
		}
		h.want("p", points("p", 0, 10_000)...)
		if s := h.Stats(); s.Flushes == 0 || s.Points != 10_000 || s.Commits != 100 {
			t.Errorf("%+v", s)
		}
	})
}

func TestQueriesAreBounded(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{})
	h.append(points("p", 0, 20_000)...)
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.append(points("p", 20_000, 20_100)...)
	h.SetMaxDecoded(10_000)
	q := series.Query{Series: "p", Space: "s", Interval: time.Minute}
	if _, err := h.Aggregate(t.Context(), q); !errors.Is(err, series.ErrTooMuch) {
		t.Errorf("aggregate says %v", err)
	}
	if got, err := h.Raw(t.Context(), q); err != nil || len(got) != series.DefaultLimit {
		t.Errorf("raw of a few: %d points, %v", len(got), err)
	}
	// Whole chunks answer from their heads, of which many more may be read.
	q.Interval, q.Aggregation = 1000*time.Hour, series.Sum
	bins, err := h.Aggregate(t.Context(), q)
	if err != nil || len(bins) == 0 {
		t.Errorf("aggregate of whole chunks: %v, %v", bins, err)
	}
	sum := 0.0
	for _, b := range bins {
		sum += b.Value
	}
	if want := 20_099 * 20_100 / 2.0; sum != want {
		t.Errorf("sum %v, want %v", sum, want)
	}
	for _, bad := range []time.Duration{0, -time.Second, time.Nanosecond} {
		q.Interval = bad
		if _, err := h.Aggregate(t.Context(), q); !errors.Is(err, series.ErrInterval) {
			t.Errorf("interval %v: %v", bad, err)
		}
		if _, err := h.Sample(t.Context(), q); !errors.Is(err, series.ErrInterval) {
			t.Errorf("interval %v: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Raw(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("a query that was given up says %v", err)
	}
}

// A sum that is too large for a float, and floats that are not finite, never make an
// answer that JSON cannot hold.
func TestAnswersAreFinite(t *testing.T) {
	h := open(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History)), series.Config{})
	h.append(point("p", 0, number(math.MaxFloat64)), point("p", 1, number(math.MaxFloat64)),
		point("p", 2, number(math.NaN())), point("p", 3, number(math.Inf(-1))))
	for _, flush := range []bool{false, true} {
		if flush {
			if err := h.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for a := range series.BoolAnd + 1 {
			bins, err := h.Aggregate(t.Context(), series.Query{Series: "p", Space: "s", Interval: 2000 * time.Hour, Aggregation: a})
			if err != nil || len(bins) != 1 || bins[0].Count != 2 || math.IsNaN(bins[0].Value) || math.IsInf(bins[0].Value, 0) {
				t.Errorf("%v: %v, %v", a, bins, err)
			}
		}
	}
}

func TestEachGivesAll(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		h.append(points("p", 0, 40_000)...)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.append(points("p", 40_000, 40_500)...)
		for _, desc := range []bool{false, true} {
			want := points("p", 10, 40_400)
			if desc {
				slices.Reverse(want)
			}
			var got []series.Point
			q := series.Query{Series: "p", Space: "s", From: want[0].At, To: want[len(want)-1].At.Add(time.Nanosecond), Desc: desc}
			if desc {
				q.From, q.To = want[len(want)-1].At, want[0].At.Add(time.Nanosecond)
			}
			if err := h.Each(t.Context(), q, func(p series.Point) error { got = append(got, p); return nil }); err != nil {
				t.Fatal(err)
			}
			compare(t, q, got, want, samePoint)
			stop := errors.New("enough")
			if err := h.Each(t.Context(), q, func(series.Point) error { return stop }); err != stop {
				t.Errorf("each says %v", err)
			}
		}
	})
}

func TestAggregationNames(t *testing.T) {
	for a := range series.BoolAnd + 1 {
		if back, ok := series.ParseAggregation(a.String()); !ok || back != a {
			t.Errorf("%v is read as %v", a, back)
		}
	}
	if _, ok := series.ParseAggregation("MEDIAN"); ok {
		t.Error("MEDIAN is none of ours")
	}
}

// Everything at once, with the race detector watching: what a reader sees of a series
// is always the whole of what was acknowledged, in order, and never less than before.
func TestManyAtOnce(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{FlushPoints: 3000, QueuePoints: 500})
		const writers, rounds = 4, 120
		var wait sync.WaitGroup
		ended := make(chan struct{})
		for w := range writers {
			id := fmt.Sprint("p", w)
			wait.Go(func() {
				for n := range rounds {
					if err := h.Append(context.Background(), points(id, n*20, n*20+20)); err != nil {
						t.Error(err)
						return
					}
					if got := h.all(id, "s"); len(got) != n*20+20 || got[0].Value.Num != 0 || got[len(got)-1].Value.Num != float64(n*20+19) {
						t.Errorf("%s: %d points after %d were acknowledged", id, len(got), n*20+20)
						return
					}
				}
			})
		}
		var others sync.WaitGroup
		repeat := func(fn func() error) {
			others.Go(func() {
				for {
					select {
					case <-ended:
						return
					default:
					}
					if err := fn(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		repeat(func() error { return h.Flush(context.Background()) })
		repeat(func() error { return h.FlushSome(context.Background()) })
		repeat(func() error {
			if err := h.Append(context.Background(), points("gone", 0, 10)); err != nil {
				return err
			}
			return h.Erase(context.Background(), []string{"gone"})
		})
		seen := 0
		repeat(func() error {
			bins, err := h.Aggregate(context.Background(), series.Query{Series: "p0", Space: "s", Interval: 5000 * time.Hour, Aggregation: series.Count})
			n := 0
			for _, b := range bins {
				n += b.Count
			}
			if n < seen || n%20 != 0 {
				return fmt.Errorf("%d points are seen after %d were", n, seen)
			}
			seen = n
			h.Stats()
			h.Last("p1")
			return err
		})
		wait.Wait()
		close(ended)
		others.Wait()
		h.reopen()
		for w := range writers {
			h.want(fmt.Sprint("p", w), points(fmt.Sprint("p", w), 0, rounds*20)...)
		}
	})
}

// A bit that flips in a chunk, in the log or in a last value is an error that names the
// series or the row, and never a wrong value.
func TestDamageIsNoticed(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		h := open(t, d, series.Config{})
		h.append(points("p", 0, 3600)...)
		h.append(points("q", 0, 10)...)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		raw := series.Query{Series: "p", Space: "s"}
		bins := series.Query{Series: "p", Space: "s", Interval: 5000 * time.Hour, Aggregation: series.Sum}
		for column, read := range map[string]func() error{
			"body": func() error { _, err := h.Raw(t.Context(), raw); return err },
			"head": func() error { _, err := h.Aggregate(t.Context(), bins); return err },
		} {
			flip(t, d, "series_chunk", column, "series = (SELECT id FROM series WHERE property = 'p')", func() {
				if err := read(); !errors.Is(err, keys.ErrSeal) || !strings.Contains(err.Error(), "series p") {
					t.Errorf("%s: %v", column, err)
				}
			})
		}
		// A damaged chunk neither keeps others from being flushed nor is it written over.
		flip(t, d, "series_chunk", "body", "series = (SELECT id FROM series WHERE property = 'p')", func() {
			h.append(points("p", 3600, 3700)...)
			h.append(point("p", 5, number(-1)))
			h.append(points("q", 10, 100)...)
			if err := h.Flush(t.Context()); err != nil {
				t.Error(err)
			}
			h.want("q", points("q", 0, 100)...)
			later := series.Query{Series: "p", Space: "s", From: noon.Add(3600 * time.Second)}
			got, err := h.Raw(t.Context(), later)
			if err != nil {
				t.Error(err)
			}
			compare(t, later, got, points("p", 3600, 3700), samePoint)
		})
		if got := h.all("p", "s"); len(got) < 3700 || got[0].Value.Num != 0 || got[1].Value.Num != 1 {
			t.Errorf("the repaired chunk has %d points", len(got))
		}
		h.stop()
		flip(t, d, "series_last", "value", "series = (SELECT id FROM series WHERE property = 'p')", func() {
			h.start()
			if last, ok := h.Last("p"); ok {
				t.Errorf("a damaged last value is read as %v", last)
			}
			h.stop()
		})
		h.start()
		h.append(points("q", 100, 110)...)
		h.stop()
		flip(t, d, "series_log", "body", "seq > 0", func() {
			err := h.tryStart()
			if !errors.Is(err, keys.ErrSeal) || !strings.Contains(err.Error(), "history log, row") {
				t.Errorf("a start with a damaged log says %v", err)
			}
		})
		h.start()
		h.append(points("q", 110, 111)...)
		h.append(points("q", 111, 112)...)
		h.stop()
		hole(t, d, func() {
			if err := h.tryStart(); err == nil || !strings.Contains(err.Error(), "missing") {
				t.Errorf("a start without a row of the log says %v", err)
			}
		})
		h.start()
		h.want("q", points("q", 0, 112)...)
	})
}

// flip changes one bit in the middle of a column, runs fn and repairs the bit.
func flip(t *testing.T, d *db.DB, table, column, where string, fn func()) {
	t.Helper()
	var good []byte
	set := func(b []byte) {
		err := d.Write(context.Background(), func(tx *db.Tx) error {
			first := "(SELECT MIN(" + map[string]string{"series_chunk": "start_at", "series_log": "seq", "series_last": "at"}[table] + ") FROM " + table + " WHERE " + where + ")"
			key := map[string]string{"series_chunk": "start_at", "series_log": "seq", "series_last": "at"}[table]
			where := where + " AND " + key + " = " + first
			if b == nil {
				return tx.QueryRow(context.Background(), "SELECT "+column+" FROM "+table+" WHERE "+where).Scan(&good)
			}
			_, err := tx.Exec(context.Background(), "UPDATE "+table+" SET "+column+" = $1 WHERE "+where, b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	set(nil)
	bad := bytes.Clone(good)
	bad[len(bad)/2] ^= 0x10
	set(bad)
	fn()
	set(good)
}

// hole takes a row out of the middle of the log, runs fn and puts it back.
func hole(t *testing.T, d *db.DB, fn func()) {
	t.Helper()
	var seq int64
	var body []byte
	err := d.Write(context.Background(), func(tx *db.Tx) error {
		err := tx.QueryRow(context.Background(), `SELECT seq, body FROM series_log WHERE seq = (SELECT MAX(seq) - 1 FROM series_log)`).Scan(&seq, &body)
		if err != nil {
			return err
		}
		_, err = tx.Exec(context.Background(), `DELETE FROM series_log WHERE seq = $1`, seq)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	fn()
	err = d.Write(context.Background(), func(tx *db.Tx) error {
		_, err := tx.Exec(context.Background(), `INSERT INTO series_log (seq, body) VALUES ($1, $2)`, seq, body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
