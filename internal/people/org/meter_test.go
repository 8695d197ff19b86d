package org

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestAMeterTakesADaysValues(t *testing.T) {
	m := NewMeter("school", 10)
	late := time.Date(2030, 1, 2, 23, 59, 59, 0, time.UTC)
	for name, c := range map[string][]struct {
		n    int
		at   time.Time
		want bool
		used int64
	}{
		"in order": {
			{4, noon, true, 4}, {7, noon, false, 4}, {6, noon, true, 10}, {1, late, false, 10}, {0, late, true, 10},
			{11, late.Add(time.Second), false, 0}, {10, late.Add(time.Second), true, 10},
		},
	} {
		for i, step := range c {
			if got := m.Take(step.n, step.at); got != step.want || m.Used(step.at) != step.used {
				t.Errorf("%s, step %d: %v with %d used, want %v with %d", name, i, got, m.Used(step.at), step.want, step.used)
			}
		}
	}
	var none *Meter
	if !none.Take(1<<40, noon) || !NewMeter("school", 0).Take(1<<30, noon) {
		t.Error("what is not limited is refused")
	}
	if p := problem.Of(m.Refusal(late)); !errors.Is(m.Refusal(late), ErrValues) || p.Kind != problem.Limited || p.Retry != time.Second {
		t.Errorf("a second before midnight: %+v", p)
	}
}

// However many count at the same time, exactly the limit is taken.
func TestAMeterIsExactWithManyAtOnce(t *testing.T) {
	const most = 10_000
	m := NewMeter("school", most)
	var taken atomic.Int64
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range most {
				if m.Take(1, noon) {
					taken.Add(1)
				}
			}
		})
	}
	wait.Wait()
	if taken.Load() != most || m.Used(noon) != most {
		t.Errorf("%d were taken, %d counted, want %d", taken.Load(), m.Used(noon), most)
	}
}

// What was counted survives a restart, adds up over processes, and administrators are told once a
// day whoever sees it first.
func TestValuesOfADayAreKept(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, now := t.Context(), noon
		told := map[string]int{}
		open := func() *Service {
			n := needs(t, d, ring{})
			n.Now = func() time.Time { return now }
			n.Full = func(_ context.Context, sp Space, user string, most int, _ string) error {
				if told[user]++; sp.Name != "School" || most != 20 {
					t.Errorf("%s is told of %q and %d", user, sp.Name, most)
				}
				return nil
			}
			s, err := New(n)
			must(t, err)
			return s
		}
		a, b := open(), open()
		sp, err := a.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		must(t, a.SetRole(ctx, system, sp.ID, "boris", access.Viewer))
		must(t, a.SetRole(ctx, system, sp.ID, "carla", access.Admin))
		must(t, a.SetLimit(ctx, system, sp.ID, Values, 20, false))
		meter := func(s *Service) *Meter {
			t.Helper()
			m, err := s.Meter(ctx, sp.ID)
			must(t, err)
			return m
		}
		flush := func(all ...*Service) {
			t.Helper()
			for _, s := range all {
				must(t, s.Flush(ctx))
			}
		}
		if one := meter(a); meter(a) != one {
			t.Error("a space has two meters")
		}
		meter(a).Take(5, now)
		meter(b).Take(6, now)
		flush(a, b, a)
		for name, s := range map[string]*Service{"one process": a, "the other": b, "a third": open()} {
			if got := meter(s).Used(now); got != 11 {
				t.Errorf("%s knows of %d values, want 11", name, got)
			}
		}
		usage, err := open().Usage(ctx, sp.ID)
		must(t, err)
		if got := usage[len(usage)-1]; got != (Use{Values, 11, 20, true}) {
			t.Errorf("usage %+v", got)
		}
		if meter(b).Take(10, now) || !meter(b).Take(9, now) || meter(b).Take(1, now) {
			t.Error("the limit is another")
		}
		flush(b, a)
		if meter(a).Take(1, now) {
			t.Error("the other process does not know that the space is full")
		}
		flush(a, b, a, b)
		if told["anna"] != 1 || told["carla"] != 1 || len(told) != 2 {
			t.Errorf("told %v", told)
		}
		now = now.Add(24 * time.Hour)
		again := open()
		if !meter(again).Take(20, now) || meter(again).Take(1, now) {
			t.Error("the next day does not begin anew")
		}
		flush(again, again)
		if told["anna"] != 2 {
			t.Errorf("on the second day told %v", told)
		}
		entries, err := journal.List(ctx, d, journal.Query{Action: "org:values-refused"})
		must(t, err)
		if len(entries) != 2 || entries[0].ID != sp.ID || entries[0].Space != sp.ID {
			t.Errorf("journal %+v", entries)
		}
		// More is given at once, and nothing is kept of a space that is gone.
		must(t, again.SetLimit(ctx, system, sp.ID, Values, 0, false))
		if !meter(again).Take(1000, now) {
			t.Error("without limit values are refused")
		}
		flush(again)
		_, err = again.Erase(ctx, system, sp.ID, Size{})
		must(t, err)
		meter(b).Take(1, now)
		flush(again, b)
		var rows int
		must(t, d.Read(ctx, func(tx *db.Tx) error {
			return tx.QueryRow(ctx, `select count(1) from org_value`).Scan(&rows)
		}))
		if rows != 0 || len(b.metered()) != 0 {
			t.Errorf("of an erased space there are %d rows and %d meters", rows, len(b.metered()))
		}
	})
}

// A badStore cannot keep what one space has sent, and loses the mark that administrators were told.
type badStore struct {
	Store
	space string
	mark  error
}

var errDisk = errors.New("the disk is full")

func (s *badStore) addValues(ctx context.Context, space string, day, more int64) (int64, error) {
	if space == s.space {
		return 0, errDisk
	}
	return s.Store.addValues(ctx, space, day, more)
}

func (s *badStore) tellValues(ctx context.Context, space string, day int64, e journal.Entry) error {
	if s.mark != nil {
		return s.mark
	}
	return s.Store.tellValues(ctx, space, day, e)
}

// A space whose values cannot be kept costs no other space its own, and loses none itself.
func TestOneSpaceKeepsNoOtherFromBeingKept(t *testing.T) {
	ctx, d := t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	n := needs(t, d, ring{})
	bad := &badStore{Store: n.Store}
	n.Store = bad
	s, err := New(n)
	must(t, err)
	var all []Space
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		sp, err := s.AddShared(ctx, person("anna"), "anna", name)
		must(t, err)
		m, err := s.Meter(ctx, sp.ID)
		must(t, err)
		m.Take(3, noon)
		all = append(all, sp)
	}
	bad.space = all[3].ID
	_, err = s.Erase(ctx, system, all[5].ID, Size{})
	must(t, err)
	if err := s.Flush(ctx); !errors.Is(err, errDisk) {
		t.Errorf("Flush = %v", err)
	}
	kept := func(want int) {
		t.Helper()
		n := 0
		for _, sp := range all {
			used, _, err := bad.values(ctx, sp.ID, int64(dayOf(noon)))
			must(t, err)
			if used == 3 {
				n++
			}
		}
		if n != want {
			t.Errorf("of %d spaces it is kept, want %d", n, want)
		}
	}
	kept(6)
	bad.space = ""
	must(t, s.Flush(ctx))
	kept(7)
	if got := len(s.metered()); got != 7 {
		t.Errorf("%d meters, one of them of a space that is erased", got)
	}
}

// Administrators are told before it is said that they were, and by the same letter when a crash came between.
func TestNobodyStaysUntoldByACrash(t *testing.T) {
	ctx, d := t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	n := needs(t, d, ring{})
	bad := &badStore{Store: n.Store}
	n.Store = bad
	letters := map[string]int{}
	lost := map[string]error{"carla": errDisk, "boris": problem.New(problem.NotFound, "nobody", "There is nobody.")}
	n.Full = func(_ context.Context, _ Space, user string, _ int, key string) error {
		if err := lost[user]; err != nil {
			return err
		}
		letters[key]++
		return nil
	}
	s, err := New(n)
	must(t, err)
	sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
	must(t, err)
	for _, user := range []string{"boris", "carla"} {
		must(t, s.SetRole(ctx, system, sp.ID, user, access.Admin))
	}
	must(t, s.SetLimit(ctx, system, sp.ID, Values, 1, false))
	m, err := s.Meter(ctx, sp.ID)
	must(t, err)
	m.Take(2, noon)
	bad.mark = errDisk
	for range 2 {
		if err := s.Flush(ctx); !errors.Is(err, errDisk) {
			t.Errorf("Flush = %v", err)
		}
		delete(lost, "carla")
	}
	bad.mark = nil
	must(t, s.Flush(ctx))
	before := len(letters)
	must(t, s.Flush(ctx))
	total := 0
	for _, n := range letters {
		total += n
	}
	if before != 2 || len(letters) != 2 || total != 5 { // anna three times by one key, carla twice
		t.Errorf("letters %v", letters)
	}
}

func BenchmarkMeter(b *testing.B) {
	m := NewMeter("school", 0)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			m.Take(3, noon)
		}
	})
}
