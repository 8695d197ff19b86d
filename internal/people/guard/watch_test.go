package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// lesson is what an ordinary day looks like: a class of thirty comes in every hour, one in
// ten mistypes.
func (h *house) lesson(hours int) {
	h.t.Helper()
	for hour := range hours {
		for pupil := range 30 {
			x := another(Password, fmt.Sprint("pupil ", pupil), netip.AddrFrom4([4]byte{192, 0, 2, byte(pupil)}))
			if (hour+pupil)%10 == 0 {
				h.miss(x, 1)
				h.pass(3 * time.Second)
			}
			if _, err := h.hit(x); err != nil {
				h.t.Fatalf("pupil %d in hour %d: %v", pupil, hour, err)
			}
			h.pass(2 * time.Second)
		}
		h.pass(time.Hour)
	}
}

func TestPatternsAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		guess  func(h *house, i int) Try // the i-th
		n      int
		every  time.Duration
		want   []Kind
		within time.Duration
	}{
		"200 accounts by one guess each, one address": {
			func(h *house, i int) Try { return another(Password, h.Who(fmt.Sprint("user ", i)), here) }, 200, 250 * time.Millisecond, []Kind{Spraying}, time.Minute},
		"200 accounts, spread over a /24": {
			func(h *house, i int) Try {
				return another(Password, h.Who(fmt.Sprint("user ", i)), netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}))
			}, 200, 250 * time.Millisecond, []Kind{Spraying, Stuffing}, time.Minute},
		"500 addresses by one try each": {
			func(h *house, i int) Try { return another(Password, h.Who(fmt.Sprint("user ", i)), addr(i<<8)) }, 500, 100 * time.Millisecond, []Kind{Spraying, Stuffing}, time.Minute},
		"500 addresses, one account": {
			func(h *house, i int) Try { return try(Password, h.Who("anna"), addr(i<<8)) }, 500, 100 * time.Millisecond, []Kind{Stuffing, ManyFailures}, time.Minute},
		"somebody who forgot": {
			func(h *house, i int) Try { return try(Password, h.Who("anna"), here) }, 8, 5 * time.Second, nil, time.Minute},
		"a class on its first day": {
			func(h *house, i int) Try {
				return another(Password, h.Who(fmt.Sprint("new ", i%15)), netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 15)}))
			}, 20, 5 * time.Second, nil, time.Minute},
		"codes":          {func(h *house, i int) Try { return try(Code, anna, addr(i<<8)) }, 25, 100 * time.Second, []Kind{CodeGuessing}, time.Hour},
		"recovery codes": {func(h *house, i int) Try { return try(Recovery, anna, addr(i<<8)) }, 6, time.Second, []Kind{RecoveryGuessing}, time.Minute},
		"secrets of a client": {
			func(h *house, i int) Try { return try(Token, "0123456789abcdef0123456789abcdef", here) }, 12, time.Second, []Kind{TokenGuessing}, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			h := alone(t)
			h.lesson(48)
			told := h.Events.Subscribe(1000)
			defer told.Close()
			begin := h.now()
			for i := range c.n {
				h.miss(c.guess(h, i), 1)
				h.pass(c.every)
			}
			got := map[Kind]time.Time{}
			for len(told.C()) > 0 {
				e := <-told.C()
				if _, again := got[e.Kind]; !again {
					got[e.Kind] = e.At
				}
			}
			for _, k := range c.want {
				at, seen := got[k]
				if !seen || at.Sub(begin) > c.within {
					t.Errorf("%v: seen %v, after %v", k, seen, at.Sub(begin))
				}
				delete(got, k)
			}
			if len(got) > 0 {
				t.Errorf("also %v", got)
			}
		})
	}
}

func TestOrdinaryDaysAreQuiet(t *testing.T) {
	h := alone(t)
	told := h.Events.Subscribe(1000)
	defer told.Close()
	h.lesson(24 * 14)
	none(t, told.C())
}

// While the house is attacked the password alone is not enough for strangers, and enough for those
// who are known.
func TestAttackAsksStrangersForMore(t *testing.T) {
	h := alone(t)
	for i := range 500 {
		h.miss(another(Password, h.Who(fmt.Sprint("user ", i)), addr(i<<8)), 1)
		h.pass(100 * time.Millisecond)
	}
	x := try(Password, h.Who("anna"), there)
	if v, err := h.hit(x); err != nil || !v.StepUp {
		t.Errorf("a stranger: %+v, %v", v, err)
	}
	x.Known = true
	if v, err := h.hit(x); err != nil || v.StepUp {
		t.Errorf("a known device: %+v, %v", v, err)
	}
	h.pass(lookBack + time.Second)
	x.Known = false
	if v, err := h.hit(x); err != nil || v.StepUp {
		t.Errorf("when it is over: %+v, %v", v, err)
	}
}

// One event a minute and subject, and one journal entry for each.
func TestEventsAreToldOnceAMinute(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		h := open(t, SQL(d), &clock{at: noon}, Config{})
		told := h.Events.Subscribe(1000)
		defer told.Close()
		for i := range 600 { // ten minutes
			h.miss(another(Password, h.Who(fmt.Sprint("user ", i)), here), 1)
			h.pass(time.Second)
		}
		byHouse, byAddress := 0, 0
		for len(told.C()) > 0 {
			e := <-told.C()
			switch {
			case e.Kind != Spraying || e.Accounts < sprayNetwork:
				t.Errorf("event %+v", e)
			case e.Subject == "house":
				byHouse++
			default:
				byAddress++
			}
		}
		if byAddress < 9 || byAddress > 10 || byHouse < 9 || byHouse > 10 {
			t.Errorf("%d about the address, %d about the house, in ten minutes", byAddress, byHouse)
		}
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := journal.List(t.Context(), d, journal.Query{})
		if err != nil || len(all) != byHouse+byAddress {
			t.Errorf("%d journal entries, %v", len(all), err)
		}
		for _, e := range all {
			if e.Action != "guard:spraying" || e.Actor != "system" || e.Detail["accounts"] == "" {
				t.Errorf("entry %+v", e)
			}
		}
		if got := h.Recent(); len(got) != byHouse+byAddress {
			t.Errorf("%d recent events", len(got))
		}
	})
}

// The watch's memory ends at its bound, and is given back.
func TestWatchIsBounded(t *testing.T) {
	w := newWatch()
	now := noon.UnixNano()
	for i := range uint64(100_000) {
		w.failed(failure{at: now, who: i, from: i, near: i}, nil)
	}
	if w.size != remembered || len(w.who) > remembered || len(w.from) > remembered || len(w.networks) > remembered {
		t.Errorf("%d failures, %d accounts, %d addresses, %d networks", w.size, len(w.who), len(w.from), len(w.networks))
	}
	w.forget(now + int64(lookBack))
	if w.size+len(w.who)+len(w.from)+len(w.networks) != 0 {
		t.Errorf("%d failures, %d accounts, %d addresses, %d networks are left", w.size, len(w.who), len(w.from), len(w.networks))
	}
}
