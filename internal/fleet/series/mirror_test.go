package series_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
)

// Two followers are told each its own, in memory and from disk; what is on disk goes when both are done with it, and one for
// whom there is nothing holds nothing up.
func TestTapsHaveTheirOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		ctx, keys := t.Context(), new(seriestest.Keys)
		open := func(afterOne, afterTwo int64) (s *series.Service, one, two *tapped, stop func()) {
			s, err := series.New(ctx, series.Needs{Store: series.SQL(d), Keys: keys, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			tap := func(after int64, what ...string) *tapped {
				k, err := s.Tap(ctx, after, 0, func(thing, id string) bool {
					if thing == "" {
						t.Error("a series of no thing is followed")
					}
					for _, w := range what {
						if w == id {
							return true
						}
					}
					return false
				})
				if err != nil {
					t.Fatal(err)
				}
				return &tapped{s, k, nil}
			}
			one, two = tap(afterOne, "p1", "p2"), tap(afterTwo, "p2", "p3")
			run, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(run) }()
			return s, one, two, func() { cancel(); <-ended }
		}
		add := func(s *series.Service, id string, n int) {
			t.Helper()
			p := point(id, n, number(float64(n)))
			p.By = "by " + id
			if err := s.Append(ctx, []series.Point{p}); err != nil {
				t.Fatal(err)
			}
		}
		rows := func(want int) {
			t.Helper()
			var n int
			if err := d.One(ctx, func(r db.Row) error { return r.Scan(&n) }, `SELECT COUNT(*) FROM series_tap`); err != nil || n != want {
				t.Errorf("%d rows are on disk, want %d: %v", n, want, err)
			}
		}
		done := func(k *tapped, seq int64) {
			t.Helper()
			if err := k.Done(ctx, seq); err != nil {
				t.Fatal(err)
			}
		}
		s, one, two, stop := open(0, 0)
		add(s, "p1", 1)
		add(s, "p2", 2)
		add(s, "p3", 3)
		rows(3)
		got, first := one.told(t, 2)
		if want := "[p1 1 p2 2]"; fmt.Sprint(got) != want {
			t.Errorf("one was told %v", got)
		}
		done(one, first)
		rows(3) // the second needs them
		got, second := two.told(t, 2)
		if want := "[p2 2 p3 3]"; fmt.Sprint(got) != want {
			t.Errorf("two was told %v", got)
		}
		done(two, second)
		rows(0)
		add(s, "p1", 4)
		add(s, "p1", 5)
		_, first = one.told(t, 2)
		done(one, first)
		rows(0) // the second has nothing there
		add(s, "p3", 6)
		add(s, "p1", 7)
		stop()
		// From disk each is told all that somebody follows, and who wrote it.
		_, one, two, stop = open(first, second)
		some, err := one.Next(ctx)
		if err != nil || len(some) != 2 || some[0].Points[0].By != "by p3" || some[1].Points[0].By != "by p1" {
			t.Errorf("from disk %+v: %v", some, err)
		}
		got, second = two.told(t, 2)
		if want := "[p3 6 p1 7]"; fmt.Sprint(got) != want {
			t.Errorf("two is told %v from disk", got)
		}
		done(one, some[len(some)-1].Seq)
		rows(2)
		done(two, second)
		rows(0)
		stop()
	})
}

// Copies are on disk with the values that they are of, or neither is; followers hear of them, and nobody copies a copy.
func TestMirrorKeepsCopiesWithTheirValues(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		ctx, keys := t.Context(), new(seriestest.Keys)
		store := &series.Fragile{Store: series.SQL(d), Left: -1}
		var mu sync.Mutex
		var kept []string // guarded by mu
		ends := 0         // guarded by mu
		open := func() (*series.Service, *series.Tap, func()) {
			s, err := series.New(ctx, series.Needs{Store: store, Keys: keys, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			tap, err := s.Tap(ctx, 0, 0, func(string, string) bool { return true })
			if err != nil {
				t.Fatal(err)
			}
			s.Mirror(series.MirrorFuncs{
				Watched: func(id string) bool { return id == "a" || id == "b" },
				Copies: func(p series.Point, came time.Time) (all []series.Point) {
					if time.Since(came) > time.Minute {
						t.Errorf("a value came at %v", came)
					}
					for _, to := range []string{"a", "b", "gone"} {
						if to != p.Series {
							all = append(all, series.Point{Series: to, Thing: "t" + to, Space: p.Space, At: p.At, Value: p.Value, By: p.By})
						}
					}
					return all
				},
				Kept: func(copies []series.Point) {
					mu.Lock()
					defer mu.Unlock()
					for _, p := range copies {
						kept = append(kept, fmt.Sprint(p.Series, " ", p.Value.Num))
					}
				},
				End: func() {
					mu.Lock()
					defer mu.Unlock()
					ends++
				},
			})
			run, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(run) }()
			return s, tap, func() { cancel(); <-ended }
		}
		keys.Erase("tgone")
		s, tap, stop := open()
		put := func(id string, n int) error {
			return s.Append(ctx, []series.Point{{Series: id, Thing: "t" + id, Space: "s", At: time.UnixMicro(int64(n)), Value: number(float64(n)), By: "me"}})
		}
		last := func(id string, want float64) {
			t.Helper()
			if p, ok := s.Last(id); !ok || p.Value.Num != want {
				t.Errorf("%s is %v, %v; want %v", id, p.Value.Num, ok, want)
			}
		}
		if err := put("a", 1); err != nil {
			t.Fatal(err)
		}
		last("b", 1)
		if err := put("b", 2); err != nil {
			t.Fatal(err)
		}
		last("a", 2)
		if err := put("c", 9); err != nil {
			t.Fatal(err)
		}
		if _, ok := s.Last("gone"); ok {
			t.Error("a value is there of a thing that was erased")
		}
		// A commit that fails keeps neither, and says so to nobody.
		store.Left, store.After, store.Heal = 0, false, true
		if err := put("a", 3); err == nil {
			t.Error("a commit without power succeeds")
		}
		last("a", 2)
		last("b", 2)
		mu.Lock()
		if fmt.Sprint(kept) != "[b 1 a 2]" || ends < 4 {
			t.Errorf("kept %v, in %d commits", kept, ends)
		}
		mu.Unlock()
		var heard []string
		for len(heard) < 5 {
			some, err := tap.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range some {
				for _, p := range b.Points {
					heard = append(heard, fmt.Sprint(p.Series, " ", p.Value.Num, " ", p.By))
				}
			}
		}
		if fmt.Sprint(heard) != "[a 1 me b 1 me b 2 me a 2 me c 9 me]" {
			t.Errorf("followers heard %v", heard)
		}
		stop()
		// After a start it is all there, once.
		s, _, stop = open()
		defer stop()
		for _, id := range []string{"a", "b"} {
			all, err := s.Raw(ctx, series.Query{Series: id, Space: "s", From: time.UnixMicro(0), To: time.UnixMicro(100), Limit: 10})
			if err != nil || len(all) != 2 || all[0].Value.Num != 1 || all[1].Value.Num != 2 {
				t.Errorf("%s has %+v: %v", id, all, err)
			}
		}
	})
}

// A commit that copies make too large is made in parts: nothing is lost, and the order stays.
func TestMirrorBoundsCommits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	s, err := series.New(ctx, series.Needs{Store: series.SQL(d), Keys: new(seriestest.Keys), Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	const batches, each, copies = 40, 1000, 16
	s.Mirror(series.MirrorFuncs{
		Watched: func(id string) bool { return id == "a" },
		Copies: func(p series.Point, _ time.Time) (all []series.Point) {
			for n := range copies {
				all = append(all, series.Point{Series: fmt.Sprint("c", n), Thing: "t", Space: p.Space, At: p.At, Value: p.Value})
			}
			return all
		},
		Kept: func([]series.Point) {}, End: func() {},
	})
	var order []int
	done := make(chan error, batches)
	for b := range batches { // all wait before the first commit
		some := make([]series.Point, each)
		for n := range some {
			some[n] = series.Point{Series: "a", Thing: "t", Space: "s", At: time.UnixMicro(int64(b*each + n)), Value: number(float64(n))}
		}
		s.Enqueue(some, func(err error) { order = append(order, b); done <- err })
	}
	run, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(run) }()
	for range batches {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	<-ended
	for b, got := range order {
		if got != b {
			t.Fatalf("batches ended in order %v", order)
		}
	}
	if st := s.Stats(); st.Points != batches*each*(copies+1) || st.Commits < 3 {
		t.Errorf("%d points in %d commits", st.Points, st.Commits)
	}
}
