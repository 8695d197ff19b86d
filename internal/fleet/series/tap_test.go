package series_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/series/seriestest"
)

// A tapped is a history with a follower.
type tapped struct {
	*series.Service
	*series.Tap
	stop func()
}

func openTapped(t *testing.T, store series.Store, keys *seriestest.Keys, after int64, config series.Config, change ...func(*series.Service)) *tapped {
	t.Helper()
	return openTappedAbove(t, store, keys, after, 0, config, change...)
}

func openTappedAbove(t *testing.T, store series.Store, keys *seriestest.Keys, after, floor int64, config series.Config, change ...func(*series.Service)) *tapped {
	t.Helper()
	s, err := series.New(t.Context(), series.Needs{Store: store, Keys: keys, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: time.Now, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	tap, err := s.Tap(t.Context(), after, floor, func(_, id string) bool { return id != "p0" })
	if err != nil {
		t.Fatal(err)
	}
	for _, fn := range change {
		fn(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	k := &tapped{s, tap, func() {
		cancel()
		<-ended
	}}
	return k
}

// told reads what there is up to a number of points.
func (k *tapped) told(t *testing.T, n int) (all []string, seq int64) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	for len(all) < n {
		some, err := k.Next(ctx)
		if err != nil {
			t.Fatalf("%d points are told, want %d: %v", len(all), n, err)
		}
		for _, b := range some {
			if b.Seq <= seq {
				t.Fatalf("commit %d is told after %d", b.Seq, seq)
			}
			seq = b.Seq
			for _, p := range b.Points {
				all = append(all, fmt.Sprint(p.Series, " ", p.Value.Num))
			}
		}
	}
	return all, seq
}

// A follower is told every point that is durable, in order and once, across starts, whatever a flush or a failed commit did, and
// from where it remembers to be.
func TestTapTellsEverything(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		keys := new(seriestest.Keys)
		store := &series.Fragile{Store: series.SQL(d), Left: -1}
		k := openTapped(t, store, keys, 0, series.Config{})
		add := func(from, to int) {
			t.Helper()
			for n := from; n < to; n++ {
				if err := k.Append(t.Context(), []series.Point{point("p0", n, number(float64(n))), point("p1", n, number(float64(n))), point("p2", n, number(float64(n)))}); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := func(from, to int) (all []string) {
			for n := from; n < to; n++ {
				all = append(all, fmt.Sprint("p1 ", n), fmt.Sprint("p2 ", n))
			}
			return all
		}
		check := func(got, want []string) {
			t.Helper()
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("told %v, want %v", got, want)
			}
		}
		add(0, 3)
		got, seq := k.told(t, 6)
		check(got, want(0, 3))
		if err := k.Done(t.Context(), seq); err != nil {
			t.Fatal(err)
		}
		add(3, 6)
		if err := k.Flush(t.Context()); err != nil { // what is not told yet stays
			t.Fatal(err)
		}
		k.stop()
		// A new process: what was told and not remembered comes again, from disk, and what is new behind it.
		k = openTapped(t, store, keys, seq, series.Config{})
		add(6, 8)
		got, last := k.told(t, 10)
		check(got, want(3, 8))
		// A commit of which nobody knows what became of it is taken back, and its number given to the next.
		store.Left, store.After, store.Heal = 0, true, true
		if err := k.Append(t.Context(), []series.Point{point("p1", 99, number(99))}); err == nil {
			t.Fatal("a commit without power succeeds")
		}
		add(8, 9)
		got, next := k.told(t, 2)
		check(got, want(8, 9))
		if next != last+1 {
			t.Errorf("commit %d follows %d", next, last)
		}
		if err := k.Done(t.Context(), next); err != nil {
			t.Fatal(err)
		}
		k.stop()
		// Numbers are never used again, also when nothing is left.
		k = openTapped(t, store, keys, next, series.Config{})
		defer func() { k.stop() }()
		add(9, 10)
		if _, again := k.told(t, 2); again <= next {
			t.Errorf("commit %d comes after %d", again, next)
		}
		// What is erased is not told.
		add(10, 11)
		if err := k.Erase(t.Context(), []string{"p1"}); err != nil {
			t.Fatal(err)
		}
		k.stop()
		k = openTapped(t, store, keys, next, series.Config{})
		got, _ = k.told(t, 2)
		check(got, []string{"p2 9", "p2 10"})
	})
}

// A follower that is slow is told all the same, and memory stays bounded.
func TestTapSpills(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	k := openTapped(t, series.SQL(d), new(seriestest.Keys), 0, series.Config{})
	defer k.stop()
	const batches, each = 5, 20_000
	for b := range batches {
		var all []series.Point
		for n := range each {
			all = append(all, point("p1", b*each+n, number(float64(b*each+n))))
		}
		if err := k.Append(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	if n := k.Queued(); n > series.TapPoints {
		t.Errorf("%d points are in memory", n)
	}
	got, _ := k.told(t, batches*each)
	for n, text := range got {
		if text != fmt.Sprint("p1 ", n) {
			t.Fatalf("point %d is %s", n, text)
		}
	}
	if err := k.Append(t.Context(), []series.Point{point("p1", batches*each, number(1))}); err != nil {
		t.Fatal(err)
	}
	k.told(t, 1)
}

// What waits on disk is bounded in bytes: commits wait for the follower, and go on when it has come along.
func TestTapHoldsCommitsBack(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	k := openTapped(t, series.SQL(d), new(seriestest.Keys), 0, series.Config{}, func(s *series.Service) { s.SetTapDisk(10_000) })
	defer k.stop()
	text := series.Value{Kind: series.Text, Text: strings.Repeat("a", 20_000)}
	if err := k.Append(t.Context(), []series.Point{point("p1", 0, text)}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	k.Enqueue([]series.Point{point("p1", 1, text)}, func(err error) { done <- err })
	_, seq := k.told(t, 1)
	select {
	case err := <-done:
		t.Fatalf("a commit does not wait: %v", err)
	default:
	}
	if err := k.Done(t.Context(), seq); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// Long texts do not fill the memory either.
func TestTapSpillsTexts(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	k := openTapped(t, series.SQL(d), new(seriestest.Keys), 0, series.Config{})
	defer k.stop()
	text := series.Value{Kind: series.Text, Text: strings.Repeat("a", series.MaxText)}
	const batches, each = 6, 60 // 23 MiB
	for b := range batches {
		var all []series.Point
		for n := range each {
			all = append(all, point("p1", b*each+n, text))
		}
		if err := k.Append(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	if n := k.QueuedBytes(); n > series.TapBytes {
		t.Errorf("%d bytes are in memory", n)
	}
	k.told(t, batches*each)
}

// A damaged part is left out, and what comes behind it is told.
func TestTapSkipsDamage(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		keys := new(seriestest.Keys)
		k := openTapped(t, series.SQL(d), keys, 0, series.Config{})
		for n := range 4 {
			if err := k.Append(t.Context(), []series.Point{point("p1", n, number(float64(n)))}); err != nil {
				t.Fatal(err)
			}
		}
		k.stop()
		var body []byte
		if err := d.One(t.Context(), func(r db.Row) error { return r.Scan(&body) }, `SELECT body FROM series_tap WHERE seq = 2`); err != nil {
			t.Fatal(err)
		}
		body[len(body)-1] ^= 1
		for seq, bytes := range map[int][]byte{2: body, 3: {99}} {
			if err := d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), `UPDATE series_tap SET body = $1 WHERE seq = $2`, bytes, seq)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		k = openTapped(t, series.SQL(d), keys, 0, series.Config{})
		defer k.stop()
		if got, _ := k.told(t, 2); fmt.Sprint(got) != "[p1 0 p1 3]" {
			t.Errorf("told %v", got)
		}
		if n := k.Stats().SkippedSections; n != 2 {
			t.Errorf("%d sections are skipped", n)
		}
	})
}

// Numbers begin above the floor of the follower, and what waits on disk is told all the same.
func TestTapFloor(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	keys := new(seriestest.Keys)
	k := openTapped(t, series.SQL(d), keys, 0, series.Config{})
	if err := k.Append(t.Context(), []series.Point{point("p1", 0, number(1))}); err != nil {
		t.Fatal(err)
	}
	k.stop()
	const floor = 1 << 20 // more than may wait
	k = openTappedAbove(t, series.SQL(d), keys, 0, floor, series.Config{})
	defer k.stop()
	if err := k.Append(t.Context(), []series.Point{point("p1", 1, number(2))}); err != nil {
		t.Fatal(err)
	}
	if got, seq := k.told(t, 2); fmt.Sprint(got) != "[p1 1 p1 2]" || seq != floor+1 {
		t.Errorf("told %v up to %d", got, seq)
	}
}

// What is filled in is kept like any point, and no follower is told of it, not after a start either.
func TestTapIsNotToldOfThePast(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		keys := new(seriestest.Keys)
		k := openTapped(t, series.SQL(d), keys, 0, series.Config{})
		if err := k.Append(t.Context(), points("p1", 3, 5)); err != nil {
			t.Fatal(err)
		}
		if err := k.Fill(t.Context(), points("p1", 0, 3)); err != nil {
			t.Fatal(err)
		}
		if err := k.Append(t.Context(), points("p1", 5, 6)); err != nil {
			t.Fatal(err)
		}
		want := []string{"p1 3", "p1 4", "p1 5"}
		if got, _ := k.told(t, 3); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("told %q, want %q", got, want)
		}
		all, err := k.Raw(t.Context(), series.Query{Series: "p1", Space: "s"})
		if err != nil || len(all) != 6 {
			t.Errorf("%d points are there, %v", len(all), err)
		}
		k.stop()
		k = openTapped(t, series.SQL(d), keys, 0, series.Config{})
		defer k.stop()
		if got, _ := k.told(t, 3); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after a start told %q, want %q", got, want)
		}
	})
}
