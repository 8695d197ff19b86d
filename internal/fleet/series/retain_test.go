package series_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

func TestRetainRemovesWhatIsOld(t *testing.T) {
	dbtest.Each(t, dbtest.History, func(t *testing.T, d *db.DB) {
		const day = 86_400
		var age atomic.Int64 // of space s, in days
		h := open(t, d, series.Config{})
		h.stop()
		h.now = func() time.Time { return noon.Add(10 * day * time.Second) }
		h.keep = func(_ context.Context, space string) (time.Duration, error) {
			if space != "s" {
				return 0, nil
			}
			return time.Duration(age.Load()) * day * time.Second, nil
		}
		h.start()
		other := points("b", 0, 10)
		for i := range other {
			other[i].Thing, other[i].Space = "u", "t"
		}
		h.append(other...)
		for n := range 10 { // one chunk a day
			h.append(points("a", n*day, n*day+50)...)
		}
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Retain(t.Context()); err != nil || n != 0 {
			t.Fatalf("%d chunks removed (%v) of what is kept for ever", n, err)
		}

		// What is too old is not told from one moment to the next, nor counted.
		age.Store(6)
		if got := h.all("a", "s"); len(got) != 300 || !got[0].At.Equal(noon.Add(4*day*time.Second)) {
			t.Errorf("%d points are told, the first of %v", len(got), got[0].At)
		}
		bins, err := h.Aggregate(t.Context(), series.Query{Series: "a", Space: "s", Interval: 30 * day * time.Second, Aggregation: series.Count})
		if err != nil || len(bins) != 1 || bins[0].Value != 300 {
			t.Errorf("counted %v (%v), want 300", bins, err)
		}
		before := rows(t, d).chunks
		if n, err := h.Retain(t.Context()); err != nil || n != 4 || rows(t, d).chunks != before-4 {
			t.Fatalf("%d chunks removed (%v), %d are left, want 4 fewer than %d", n, err, rows(t, d).chunks, before)
		}
		age.Store(0)
		if got := h.all("a", "s"); len(got) != 300 {
			t.Errorf("%d points are left on disk, want 300", len(got))
		}
		if got := h.all("b", "t"); len(got) != 10 {
			t.Errorf("%d points of another space are left, want 10", len(got))
		}

		age.Store(1)
		h.now = func() time.Time { return noon.Add(100 * day * time.Second) }
		h.reopen() // Run retains by itself
		for late := time.After(20 * time.Second); rows(t, d).chunks > 1; {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-late:
				t.Fatalf("%d chunks are left, want only that of b", rows(t, d).chunks)
			}
		}
		h.want("a")
		if last, ok := h.Last("a"); !ok || last.Value.Num != 9*day+49 {
			t.Errorf("retention took the last value away: %v %v", last, ok)
		}
		// The series goes on, also where chunks were.
		age.Store(0)
		h.append(points("a", 0, 3)...)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		h.append(points("a", 3, 5)...)
		h.reopen()
		h.want("a", points("a", 0, 5)...)
	})
}

// A space whose age cannot be learnt keeps what it has and tells nothing; others go on.
func TestUnknownAgeKeepsAll(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	h := open(t, d, series.Config{})
	h.stop()
	h.now = func() time.Time { return noon.Add(1000 * time.Hour) }
	broken := errors.New("no answer")
	h.keep = func(_ context.Context, space string) (time.Duration, error) {
		if space == "s" {
			return 0, broken
		}
		return time.Hour, nil
	}
	h.start()
	other := points("b", 0, 10)
	for i := range other {
		other[i].Thing, other[i].Space = "u", "t"
	}
	h.append(append(other, points("a", 0, 10)...)...)
	if err := h.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Retain(t.Context()); !errors.Is(err, broken) {
		t.Errorf("Retain = %v, want %v", err, broken)
	}
	if left := rows(t, d).chunks; left != 1 { // it may have been removed by what runs beside
		t.Errorf("%d chunks are left, want that of the space whose age is unknown", left)
	}
	if got, err := h.Raw(t.Context(), series.Query{Series: "a", Space: "s", Limit: 10}); !errors.Is(err, broken) || len(got) != 0 {
		t.Errorf("told %d points (%v) of a space whose age is unknown", len(got), err)
	}
}
