package guard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A check is a try that came as far as the secret itself.
type check struct {
	at   time.Time
	who  string
	from netip.Addr
}

// within counts the checks of the last d before at that which agrees to.
func within(all []check, at time.Time, d time.Duration, which func(check) bool) (n int) {
	for i := len(all) - 1; i >= 0 && at.Sub(all[i].at) < d; i-- {
		if which(all[i]) {
			n++
		}
	}
	return n
}

// Whatever attackers do, in whatever order, at whatever time, with clocks set
// back between: the victim gets a try from a device that is known, and is never
// asked to wait for others; and attackers from N addresses get no more real checks than the
// limits say, by account and address, by address, and by neighbourhood.
func TestAttackersAndTheirVictim(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		h := alone(t)
		victim := h.Who("victim@example.org")
		names := []string{victim, h.Who("other@example.org"), h.Who("nobody@example.org")}
		var addrs []netip.Addr
		for i := range rapid.IntRange(1, 6).Draw(r, "addresses") {
			addrs = append(addrs, netip.AddrFrom4([4]byte{203, 0, byte(i % 3), byte(i)}))
		}
		home := rapid.SampledFrom(append(addrs, there)).Draw(r, "the victim's address")
		var checks []check
		victimFailed := 0
		account := func(who string) string {
			if who == names[2] {
				return ""
			}
			return anna
		}
		attack := func(who string, from netip.Addr, right bool) {
			x := Try{Act: Password, Who: who, Account: account(who), Addr: from}
			if _, err := h.Ask(t.Context(), x); err != nil {
				if !errors.Is(err, ErrTries) {
					r.Fatal(err)
				}
				return
			}
			now := h.now()
			if err := h.Tell(t.Context(), x, right); err != nil {
				r.Fatal(err)
			}
			if right {
				return // an account of the attacker's own; it must not buy more guesses at others
			}
			checks = append(checks, check{now, who, from})
			for name, c := range map[string]struct {
				most  int
				in    time.Duration
				which func(check) bool
			}{
				"account and address": {10, 15 * time.Minute, func(c check) bool { return c.who == who && c.from == from }},
				"address by minute":   {20, time.Minute, func(c check) bool { return c.from == from }},
				"address by day":      {100, 24 * time.Hour, func(c check) bool { return c.from == from }},
				"neighbourhood":       {500, 24 * time.Hour, func(c check) bool { return neighbourhood(c.from) == neighbourhood(from) }},
				"all":                 {100 * len(addrs), 24 * time.Hour, func(check) bool { return true }},
			} {
				if n := within(checks, now, c.in, c.which); n > c.most {
					r.Fatalf("%s: %d checks in %v, at most %d", name, n, c.in, c.most)
				}
			}
		}
		step := func(r *rapid.T) {
			switch rapid.SampledFrom([]string{"guess", "guess", "storm", "own", "wait", "wait long", "back", "sweep", "victim", "victim slips"}).Draw(r, "step") {
			case "guess":
				attack(rapid.SampledFrom(names).Draw(r, "who"), rapid.SampledFrom(addrs).Draw(r, "from"), false)
			case "storm":
				who, from := rapid.SampledFrom(names).Draw(r, "who"), rapid.SampledFrom(addrs).Draw(r, "from")
				every := rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, 4 * time.Second, 10 * time.Minute}).Draw(r, "every")
				for range 120 {
					attack(who, from, false)
					h.pass(every)
				}
			case "own":
				attack(h.Who("attacker@example.org"), rapid.SampledFrom(addrs).Draw(r, "from"), true)
			case "wait":
				h.pass(time.Duration(rapid.Int64Range(0, int64(20*time.Minute)).Draw(r, "for")))
			case "wait long":
				h.pass(time.Duration(rapid.Int64Range(0, int64(30*time.Hour)).Draw(r, "for")))
			case "back":
				// The model's own clock does not go back; the room's is its last question's at least.
				d := time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(r, "by"))
				h.pass(-d)
				h.Service.mu.Lock()
				h.tick()
				h.Service.mu.Unlock()
				for i := range checks {
					checks[i].at = checks[i].at.Add(-d)
				}
			case "sweep":
				h.sweep()
			case "victim":
				x := Try{Act: Password, Who: victim, Account: anna, Addr: home, Known: true}
				v, err := h.Ask(t.Context(), x)
				if err != nil || v.StepUp {
					r.Fatalf("the victim from a known device: %+v, %v", v, err)
				}
				if victimFailed == 0 && v.Wait != 0 {
					r.Fatalf("the victim waits %v for what others did", v.Wait)
				}
				if err := h.Tell(t.Context(), x, true); err != nil {
					r.Fatal(err)
				}
				victimFailed = 0
			case "victim slips":
				if victimFailed == 5 {
					return
				}
				x := Try{Act: Password, Who: victim, Account: anna, Addr: home, Known: true}
				if _, err := h.Ask(t.Context(), x); err != nil {
					r.Fatalf("the victim's slip %d: %v", victimFailed, err)
				}
				if err := h.Tell(t.Context(), x, false); err != nil {
					r.Fatal(err)
				}
				victimFailed++
			}
			for i, tab := range h.tables {
				if err := tab.check(); err != nil {
					r.Fatalf("%s: %v", rules[i].name, err)
				}
			}
		}
		for range rapid.IntRange(10, 60).Draw(r, "steps") {
			step(r)
		}
	})
}

// A count in its eighths against every single time: never fewer than there were in the
// window, and room is told at a time when there is room.
func TestCountsAreNeverTooFew(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		ru := &rule{name: "x", limit: rapid.IntRange(1, 20).Draw(r, "limit"), window: time.Duration(rapid.Int64Range(slots, int64(time.Hour)).Draw(r, "window")), cap: 10}
		now := noon.UnixNano()
		c := &count{at: now}
		var all []int64
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			now += rapid.Int64Range(0, int64(ru.window)/4).Draw(r, "later")
			if n := c.sum(ru, now); n < ru.limit {
				c.add(ru, now)
				all = append(all, now)
			} else if room := c.room(ru, now); room <= now || room-now > int64(ru.window)+ru.slot()+int64(slots) || c.sum(ru, room) >= ru.limit {
				r.Fatalf("%d of %d at %d, room at %d, then %d", n, ru.limit, now, room, c.sum(ru, room))
			}
			exact := 0
			for _, at := range all {
				if now-at < ru.slot()*slots {
					exact++
				}
			}
			if n := c.sum(ru, now); n < exact || n > len(all) || exact > ru.limit {
				r.Fatalf("counted %d, there were %d, limit %d", n, exact, ru.limit)
			}
		}
		shifted := *c
		d := rapid.Int64Range(-int64(48*time.Hour), 0).Draw(r, "shift")
		d -= d % ru.slot()
		shifted.shift(ru, d)
		if a, b := c.sum(ru, now), shifted.sum(ru, now+d); a != b {
			r.Fatalf("%d before the clock was set back by %d, %d after", a, d, b)
		}
	})
}

var sink Verdict

func BenchmarkAskAndTell(b *testing.B) {
	for name, of := range map[string]func(i int) Try{
		"same":   func(int) Try { return try(Token, "0123456789abcdef0123456789abcdef", here) },
		"others": func(i int) Try { return another(Password, fmt.Sprint(i%100_000), addr(i%100_000)) },
	} {
		b.Run(name, func(b *testing.B) {
			h := alone(b)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				x := of(i)
				v, err := h.Ask(b.Context(), x)
				if err == nil {
					err = h.Tell(b.Context(), x, i%2 == 0)
				}
				if err != nil && !errors.Is(err, ErrTries) {
					b.Fatal(err)
				}
				sink = v
				h.pass(time.Second)
				i++
			}
		})
	}
}

// BenchmarkMemory tells what one subject costs: B/subject, the map's part included.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		tab, now := newTable(&rules[rulePair]), noon.UnixNano()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range rules[rulePair].cap {
			var k key
			binary.BigEndian.PutUint64(k[:], uint64(i))
			c, _ := tab.make(k, now)
			c.add(tab.rule, now)
			tab.changed(c, now)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(len(tab.all)), "B/subject")
	}
}

// Whoever tries whatever from wherever: the answer is a verdict or a refusal that says when
// to come back, and the lists stay whole.
func FuzzAsk(f *testing.F) {
	f.Add(uint8(Password), "anna", []byte{203, 0, 113, 7}, true, false, int64(time.Second))
	f.Add(uint8(Token), "", []byte{}, false, true, int64(-time.Hour))
	f.Add(uint8(200), string(make([]byte, 2000)), make([]byte, 16), true, true, int64(1)<<62)
	h := alone(f)
	f.Fuzz(func(t *testing.T, act uint8, who string, from []byte, known, ok bool, pass int64) {
		a, _ := netip.AddrFromSlice(from)
		x := Try{Act: Act(act), Who: who, Account: who, Addr: a, Known: known}
		h.pass(time.Duration(pass) % (48 * time.Hour))
		v, err := h.Ask(t.Context(), x)
		switch {
		case x.Act >= acts:
			if err == nil {
				t.Fatalf("an act %d", act)
			}
		case errors.Is(err, ErrTries):
			if !v.Until.After(h.now()) || v.Until.Sub(h.now()) > 31*24*time.Hour {
				t.Fatalf("refused until %v, it is %v", v.Until, h.now())
			}
		case err != nil:
			t.Fatal(err)
		default:
			if v.Wait < 0 || v.Wait > 4*time.Second || !v.Until.IsZero() {
				t.Fatalf("verdict %+v", v)
			}
			if err := h.Tell(t.Context(), x, ok); err != nil {
				t.Fatal(err)
			}
		}
		for i, tab := range h.tables {
			if err := tab.check(); err != nil {
				t.Fatalf("%s: %v", rules[i].name, err)
			}
		}
	})
}
