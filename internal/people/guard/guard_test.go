package guard

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys/keystest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	anna = "11111111-1111-4111-8111-111111111111"
	bert = "22222222-2222-4222-8222-222222222222"
)

var (
	noon   = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	here   = netip.MustParseAddr("203.0.113.7")
	there  = netip.MustParseAddr("198.51.100.9")
	system = access.Actor{Kind: access.System}
)

// ring has keyed hashes beside the keys of keystest.
type ring struct{ keystest.Ring }

func (ring) MAC(name string) func([]byte) []byte {
	pool := sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(name)) }} // as keys.Ring does
	return func(msg []byte) []byte {
		h := pool.Get().(hash.Hash)
		defer pool.Put(h)
		h.Reset()
		h.Write(msg)
		return h.Sum(nil)
	}
}

// clock is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// memory is a store that keeps nothing, for tests of counting alone.
type memory struct{ Store }

func (memory) counts(context.Context) ([]row, error) { return nil, nil }
func (memory) save(context.Context, []row, []rowKey, []journal.Entry) error {
	return nil
}

type house struct {
	*Service
	*clock
	t testing.TB
}

func open(t testing.TB, s Store, c *clock, cfg Config) *house {
	t.Helper()
	g, err := New(t.Context(), Needs{Store: s, Keys: ring{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: c.now, Config: cfg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return &house{g, c, t}
}

func alone(t testing.TB) *house { t.Helper(); return open(t, memory{}, &clock{at: noon}, Config{}) }

func try(act Act, who string, from netip.Addr) Try {
	return Try{Act: act, Who: who, Account: anna, Addr: from}
}

// another is try for a person of their own for each who.
func another(act Act, who string, from netip.Addr) Try {
	t := try(act, who, from)
	t.Account = fmt.Sprintf("%x", sha256.Sum256([]byte(who)))[:32]
	return t
}

// miss tries n times in vain and says how many were let through.
func (h *house) miss(t Try, n int) (through int) {
	h.t.Helper()
	for range n {
		if _, err := h.Ask(h.t.Context(), t); err == nil {
			through++
			if err := h.Tell(h.t.Context(), t, false); err != nil {
				h.t.Fatal(err)
			}
		} else if !errors.Is(err, ErrTries) {
			h.t.Fatal(err)
		}
	}
	return through
}

// hit tries once and is right.
func (h *house) hit(t Try) (Verdict, error) {
	h.t.Helper()
	v, err := h.Ask(h.t.Context(), t)
	if err == nil {
		err = h.Tell(h.t.Context(), t, true)
	}
	return v, err
}

func addr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{100, byte(i >> 16), byte(i >> 8), byte(i)})
}

func TestTenFailuresBlockAnAccountForOneAddress(t *testing.T) {
	h := alone(t)
	w := h.Who("anna@example.org")
	block := 15 * time.Minute
	for round := range 4 {
		if round > 0 {
			h.pass(block / 2)
			if got := h.miss(try(Password, w, here), 1); got != 0 {
				t.Errorf("block %d ended too early", round)
			}
			h.pass(block/2 + time.Second)
			block *= 2
		}
		through := 0
		for range 15 {
			through += h.miss(try(Password, w, here), 1)
			h.pass(4 * time.Second) // slow enough for the limit by the minute
		}
		if through != 10 {
			t.Errorf("round %d: %d tries came through, want 10", round, through)
		}
		_, err := h.Ask(t.Context(), try(Password, w, here))
		if p := problem.Of(err); p == nil || p.Kind != problem.Limited || p.Retry > block || p.Retry < block-2*time.Minute {
			t.Errorf("round %d: %v, retry after %v, want about %v", round, err, p.Retry, block)
		}
	}
	if _, err := h.hit(try(Password, w, there)); err != nil {
		t.Errorf("the same account from elsewhere: %v", err)
	}
	if got := h.miss(try(Password, h.Who("bert@example.org"), here), 1); got != 1 {
		t.Error("another account from the same address is refused")
	}
}

func TestBlocksEndInADayAtMost(t *testing.T) {
	h := alone(t)
	w := h.Who("anna")
	var longest time.Duration
	for range 14 {
		for range 10 {
			h.miss(try(Password, w, here), 1)
			h.pass(16 * time.Minute / 10)
		}
		_, err := h.Ask(t.Context(), try(Password, w, here))
		if err != nil {
			longest = max(longest, problem.Of(err).Retry)
			h.pass(problem.Of(err).Retry + time.Second)
		}
	}
	if longest > 24*time.Hour || longest < 23*time.Hour {
		t.Errorf("the longest block is %v, want a day", longest)
	}
}

// Each limit lets as many through as it says, and says when there is room again.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		try    func(h *house, i int) Try // the i-th
		every  time.Duration
		limit  int
		window time.Duration
	}{
		"one address in a minute": {func(h *house, i int) Try { return another(Password, fmt.Sprint(i), here) }, time.Second, 20, time.Minute},
		"one address in a day":    {func(h *house, i int) Try { return another(Password, fmt.Sprint(i), here) }, 5 * time.Second, 100, 24 * time.Hour},
		"a /64 is one address": {func(h *house, i int) Try {
			return another(Password, fmt.Sprint(i), netip.MustParseAddr(fmt.Sprintf("2001:db8:0:7::%x", i+1)))
		}, 5 * time.Second, 100, 24 * time.Hour},
		"a /24 in a day": {func(h *house, i int) Try {
			return another(Password, fmt.Sprint(i), netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		}, time.Second, 500, 24 * time.Hour},
		"a /56 in a day": {func(h *house, i int) Try {
			return another(Password, fmt.Sprint(i), netip.MustParseAddr(fmt.Sprintf("2001:db8:0:1%02x::1", i%256)))
		}, time.Second, 500, 24 * time.Hour},
		"codes of a login":         {func(h *house, i int) Try { return try(Code, anna, addr(i<<8)) }, time.Second, 5, 5 * time.Minute},
		"codes of a known device":  {func(h *house, i int) Try { x := try(Code, anna, addr(i<<8)); x.Known = true; return x }, time.Second, 5, 5 * time.Minute},
		"recovery codes":           {func(h *house, i int) Try { return try(Recovery, anna, addr(i<<8)) }, time.Second, 5, time.Hour},
		"letters to one account":   {func(h *house, i int) Try { return try(Reset, "anna", addr(i<<8)) }, time.Second, 3, time.Hour},
		"letters from one address": {func(h *house, i int) Try { return try(Reset, fmt.Sprint(i), here) }, time.Second, 10, time.Hour},
		"sign-ups from an address": {func(h *house, i int) Try { return try(SignUp, "", here) }, time.Second, 10, time.Hour},
		"sign-ups from a /24": {func(h *house, i int) Try {
			return try(SignUp, "", netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
		}, time.Second / 10, 50, time.Minute},
		"user codes":          {func(h *house, i int) Try { return try(DeviceCode, anna, addr(i<<8)) }, time.Second, 5, 10 * time.Minute},
		"secrets of a client": {func(h *house, i int) Try { return try(Token, "client", here) }, time.Second / 10, 10, 15 * time.Minute},
		"found secrets":       {func(h *house, i int) Try { return try(Leak, fmt.Sprint(i), here) }, time.Second / 10, 20, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			h := alone(t)
			begin := h.now()
			for i := range c.limit {
				if got := h.miss(c.try(h, i), 1); got != 1 {
					t.Fatalf("try %d of %d is refused", i+1, c.limit)
				}
				h.pass(c.every)
			}
			_, err := h.Ask(t.Context(), c.try(h, c.limit))
			if !errors.Is(err, ErrTries) {
				t.Fatalf("one too many: %v", err)
			}
			retry := problem.Of(err).Retry
			if least := c.window - h.now().Sub(begin) - c.every; retry < min(least, c.window-time.Second) || retry > c.window*9/8+time.Second {
				t.Errorf("again after %v, the window is %v", retry, c.window)
			}
			h.pass(retry - time.Millisecond)
			if _, err := h.Ask(t.Context(), c.try(h, c.limit+1)); !errors.Is(err, ErrTries) {
				t.Errorf("just before that: %v", err)
			}
			h.pass(time.Millisecond)
			if _, err := h.Ask(t.Context(), c.try(h, c.limit+2)); err != nil {
				t.Errorf("after that: %v", err)
			}
		})
	}
}

func TestAnswersGetLate(t *testing.T) {
	h := alone(t)
	w := h.Who("anna")
	var got []time.Duration
	for range 8 {
		v, err := h.Ask(t.Context(), try(Password, w, here))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v.Wait)
		if err := h.Tell(t.Context(), try(Password, w, here), false); err != nil {
			t.Fatal(err)
		}
	}
	ms := time.Millisecond
	want := []time.Duration{0, 0, 500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 4000 * ms, 4000 * ms}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("waits are %v, want %v", got, want)
	}
	if _, err := h.hit(try(Password, w, here)); err != nil {
		t.Fatal(err)
	}
	if v, _ := h.Ask(t.Context(), try(Password, w, here)); v.Wait != 0 {
		t.Errorf("after the right password still %v", v.Wait)
	}
}

// A thousand at once are let through no more than one by one.
func TestManyAtOnce(t *testing.T) {
	h := alone(t)
	var wg sync.WaitGroup
	var mu sync.Mutex
	through := 0
	for range 100 {
		wg.Go(func() {
			for range 10 {
				if _, err := h.Ask(t.Context(), try(Password, "anna", here)); err == nil {
					mu.Lock()
					through++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if through != 10 {
		t.Errorf("%d of a thousand came through, want 10", through)
	}
	// Those ten are being looked at; whoever comes meanwhile need not wait for long.
	_, err := h.Ask(t.Context(), try(Password, "anna", here))
	if p := problem.Of(err); p == nil || p.Retry > time.Second {
		t.Errorf("%v, again after %v, want a second", err, p.Retry)
	}
	for range 10 {
		if err := h.Void(t.Context(), try(Password, "anna", here)); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.miss(try(Password, "anna", here), 20); got != 10 {
		t.Errorf("after ten that could not be decided %d come through, want 10", got)
	}
}

// A try of which nobody says how it ended has failed.
func TestUntoldTriesHaveFailed(t *testing.T) {
	h := alone(t)
	if _, err := h.Ask(t.Context(), try(Password, "anna", here)); err != nil {
		t.Fatal(err)
	}
	if got := h.miss(try(Password, "anna", here), 20); got != 9 {
		t.Errorf("%d further guesses, want 9", got)
	}
	h.pass(untold + time.Second)
	_, err := h.Ask(t.Context(), try(Password, "anna", here))
	if p := problem.Of(err); p == nil || p.Retry < 14*time.Minute || p.Retry > 15*time.Minute {
		t.Fatalf("%v, again after %v, want a block of 15 minutes", err, p.Retry)
	}
	h.pass(15 * time.Minute)
	if _, err := h.hit(try(Password, "anna", here)); err != nil {
		t.Errorf("after the block: %v", err)
	}
}

// No answer differs between an account that exists and one that does not.
func TestUnknownAccountsCountTheSame(t *testing.T) {
	play := func(act Act, account string) (all []string) {
		h := alone(t)
		for i := range 60 {
			x := Try{Act: act, Who: h.Who("somebody"), Account: account, Addr: addr(i % 3 << 8)}
			v, err := h.Ask(t.Context(), x)
			all = append(all, fmt.Sprint(v, err, problem.Of(err)))
			if err == nil {
				if err := h.Tell(t.Context(), x, false); err != nil {
					t.Fatal(err)
				}
			}
			h.pass(time.Second)
		}
		return all
	}
	for act := range acts {
		a, b := play(act, anna), play(act, "")
		for i := range a {
			if a[i] != b[i] {
				t.Errorf("%v, try %d: %s for an account, %s for none", act, i, a[i], b[i])
			}
		}
	}
}

func TestFailuresFromEverywhereAskForMore(t *testing.T) {
	h := alone(t)
	told := h.Events.Subscribe(16)
	defer told.Close()
	w := h.Who("anna")
	for i := range 60 {
		if got := h.miss(try(Password, w, addr(i<<8)), 1); got != 1 {
			t.Fatalf("address %d is refused: an account must never be locked", i)
		}
		h.pass(5 * time.Minute)
	}
	if v, err := h.hit(try(Password, w, there)); err != nil || !v.StepUp {
		t.Errorf("Ask = %+v, %v, want a second proof", v, err)
	}
	x := try(Password, w, there)
	x.Known = true
	if v, err := h.hit(x); err != nil || v.StepUp || v.Wait != 0 {
		t.Errorf("a known device: %+v, %v", v, err)
	}
	if e := one(t, told.C()); e.Kind != ManyFailures || e.Account != anna || e.Failures != 50 {
		t.Errorf("event %+v", e)
	}
	none(t, told.C())
	h.pass(28 * time.Hour)
	if v, err := h.hit(try(Password, w, there)); err != nil || v.StepUp {
		t.Errorf("a day later: %+v, %v", v, err)
	}
}

func one(t *testing.T, c <-chan Event) Event {
	t.Helper()
	select {
	case e := <-c:
		return e
	default:
		t.Fatal("no event")
		return Event{}
	}
}

func none(t *testing.T, c <-chan Event) {
	t.Helper()
	select {
	case e := <-c:
		t.Errorf("a further event %+v", e)
	default:
	}
}

// A stolen device is no way to guess for ever: after enough failures of its own it is
// like any other.
func TestKnownDeviceHasABoundOfItsOwn(t *testing.T) {
	h := alone(t)
	x := try(Password, "anna", here)
	x.Known = true
	through := 0
	for range 200 {
		through += h.miss(x, 1)
		h.pass(5 * time.Second)
	}
	if want := 30 + 10; through != want {
		t.Errorf("%d guesses, want %d", through, want)
	}
	if _, err := h.hit(x); !errors.Is(err, ErrTries) {
		t.Errorf("a block as for any device: %v", err)
	}
	h.pass(28 * time.Hour)
	if _, err := h.hit(x); err != nil {
		t.Errorf("a day later: %v", err)
	}
}

// A known device is no way round limits that are not about its person's account.
func TestKnownDeviceCountsForItsPersonOnly(t *testing.T) {
	for act, limit := range map[Act]int{DeviceCode: 5, SignUp: 10, Leak: 20, Reset: 3} {
		h := alone(t)
		x := try(act, anna, here)
		x.Known = true
		if got := h.miss(x, 100); got != limit {
			t.Errorf("%v: %d tries from a known device, want %d", act, got, limit)
		}
	}
}

// A program that was right here before is not kept out by its neighbours, and nobody
// can use up its tokens from elsewhere.
func TestProgramsAreNotLockedOutByOthers(t *testing.T) {
	h := alone(t)
	if _, err := h.hit(try(Token, "good-client-good-client-good-cli", here)); err != nil {
		t.Fatal(err)
	}
	for i := range 300 { // a neighbour who guesses
		h.miss(try(Token, fmt.Sprint("other ", i), here), 1)
		h.miss(try(Token, "good-client-good-client-good-cli", there), 1)
		h.pass(time.Second)
	}
	if _, err := h.Ask(t.Context(), try(Token, "a new client", here)); !errors.Is(err, ErrTries) {
		t.Errorf("the address as such: %v, want a refusal", err)
	}
	for i := range 60 {
		if _, err := h.hit(try(Token, "good-client-good-client-good-cli", here)); err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	if _, err := h.hit(try(Token, "good-client-good-client-good-cli", here)); !errors.Is(err, ErrTries) {
		t.Errorf("the 61st token in a minute: %v", err)
	}
}

// A program that was right here before comes as often at once as it likes; with a wrong secret it is
// as anybody, also while answers are out.
func TestKnownProgramsThatFailAreCountedAtOnce(t *testing.T) {
	h := alone(t)
	good := try(Token, "good-client", here)
	if _, err := h.hit(good); err != nil {
		t.Fatal(err)
	}
	atOnce := func(n int) (through int) {
		for range n {
			if _, err := h.Ask(t.Context(), good); err == nil {
				through++
			}
		}
		return through
	}
	n := atOnce(30)
	for range n {
		if err := h.Void(t.Context(), good); err != nil {
			t.Fatal(err)
		}
	}
	if n != 30 {
		t.Errorf("%d of 30 at once, want all", n)
	}
	h.miss(good, 1)
	if n := atOnce(30); n != 9 {
		t.Errorf("%d at once after a wrong secret, want 9: ten wrong ones are the limit", n)
	}
}

// Many first tokens at once leave nothing behind that counts against their address, and
// a right one does not make up for somebody's wrong one.
func TestTriesAreUndoneAsTheyWereCounted(t *testing.T) {
	h := alone(t)
	good := try(Token, "good-client", here)
	for range 10 { // none of them is known here yet
		if _, err := h.Ask(t.Context(), good); err != nil {
			t.Fatal(err)
		}
	}
	for range 7 {
		if err := h.Tell(t.Context(), good, true); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		if err := h.Void(t.Context(), good); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.miss(try(Token, "other", here), 5) + h.miss(try(Token, "another", here), 8) + h.miss(try(Token, "third", here), 9); got != 20 {
		t.Errorf("%d wrong secrets from the address, want 20", got)
	}
	h.pass(2 * time.Minute)
	through := 0
	for i := range 30 {
		x := try(Token, fmt.Sprint("guess ", i), here)
		if _, err := h.Ask(t.Context(), x); err != nil {
			break
		}
		through++
		if _, err := h.hit(good); err != nil { // while the guess is being looked at
			t.Fatal(err)
		}
		if err := h.Tell(t.Context(), x, false); err != nil {
			t.Fatal(err)
		}
	}
	if through != 20 {
		t.Errorf("%d guesses beside an own key, want 20", through)
	}
	if n := len(h.flights); n != 0 {
		t.Errorf("%d tries are still in the air", n)
	}
}

func TestTokensWithoutLimit(t *testing.T) {
	for rate, want := range map[int]int{0: 60, 7: 7, -1: 100} {
		h := open(t, memory{}, &clock{at: noon}, Config{TokenRate: rate})
		through := 0
		for range 100 {
			if _, err := h.hit(try(Token, "client", here)); err == nil {
				through++
			}
		}
		if through != want {
			t.Errorf("rate %d: %d tokens, want %d", rate, through, want)
		}
		if got := h.miss(try(Token, "client", here), 20); rate < 0 && got != 10 {
			t.Errorf("rate %d: %d wrong secrets, want 10", rate, got)
		}
	}
}

func TestClockMayJump(t *testing.T) {
	h := alone(t)
	h.miss(try(Password, "anna", here), 10)
	for _, jump := range []time.Duration{-time.Hour, -365 * 24 * time.Hour, -time.Nanosecond} {
		h.pass(jump)
		if got := h.miss(try(Password, "anna", here), 1); got != 0 {
			t.Fatalf("a clock set back by %v ended the block", -jump)
		}
	}
	_, err := h.Ask(t.Context(), try(Password, "anna", here))
	if p := problem.Of(err); p == nil || p.Retry > 15*time.Minute {
		t.Fatalf("%v: a clock set back made the block %v long", err, p.Retry)
	}
	h.pass(15*time.Minute + time.Second)
	if _, err := h.hit(try(Password, "anna", here)); err != nil {
		t.Errorf("after 15 minutes by the clock that was set back: %v", err)
	}
}

// What an attacker counts up must not push out what counts against others, and memory
// ends at the bound.
func TestBoundIsNotBoughtCheaply(t *testing.T) {
	r := rules[rulePair]
	r.cap = 1000
	tab := newTable(&r)
	now := noon.UnixNano()
	k := func(i int) (k key) { copy(k[:], fmt.Sprintf("%016d", i)); return k }
	touch := func(i, times int) {
		for range times {
			c, _ := tab.make(k(i), now)
			c.add(&r, now)
			tab.changed(c, now)
			now += int64(time.Millisecond)
		}
	}
	touch(1, 1)
	touch(2, 2)
	touch(3, 10)
	for i := range 100_000 {
		touch(1000+i, 1)
	}
	if tab.get(k(1), now) != nil {
		t.Error("the oldest of one failure is still there: what went instead?")
	}
	if tab.get(k(2), now) == nil || tab.get(k(3), now) == nil {
		t.Error("single failures of others pushed out who failed more often")
	}
	for i := range 5000 {
		touch(500_000+i, 2)
	}
	if tab.get(k(2), now) != nil {
		t.Error("the oldest of two failures is still there")
	}
	if tab.get(k(3), now) == nil {
		t.Error("two failures of others pushed out who is refused")
	}
	for i := range 5000 {
		touch(900_000+i, 10)
	}
	if n := len(tab.all); n != r.cap {
		t.Errorf("%d counts are held, the bound is %d", n, r.cap)
	}
	now += int64(48 * time.Hour)
	touch(7, 1)
	tab.sweep(now, func(*count) {})
	if n := len(tab.all); n != 1 {
		t.Errorf("%d counts are held two days later, want 1", n)
	}
}

// The lists of a table have exactly what it holds, whatever happens.
func (t *table) check() error {
	n := 0
	for w, l := range t.lists {
		var before *count
		for c := l.oldest; c != nil; c = c.newer {
			if c.older != before || int(c.weight) != w || t.all[c.key] != c {
				return fmt.Errorf("list %d is broken at %x", w, c.key)
			}
			before = c
			n++
		}
		if l.newest != before {
			return fmt.Errorf("list %d ends elsewhere", w)
		}
	}
	if n != len(t.all) || n > t.rule.cap {
		return fmt.Errorf("%d on lists, %d held, bound %d", n, len(t.all), t.rule.cap)
	}
	return nil
}

func TestCountsSurviveARestart(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		c := &clock{at: noon}
		h := open(t, SQL(d), c, Config{})
		w := h.Who("anna")
		h.miss(try(Password, w, here), 10)
		h.miss(try(Password, "bert", here), 4)
		h.miss(try(Code, anna, here), 3)
		h.miss(try(Token, "0123456789abcdef0123456789abcdef", here), 2)
		h.hit(try(Password, "carl", there))
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := h.Stats().Unsaved; n != 0 {
			t.Errorf("%d counts wait after a flush", n)
		}
		for name, c := range map[string]*clock{
			"a minute later":            {at: noon.Add(time.Minute)},
			"with its clock set back":   {at: noon.Add(-time.Hour)},
			"with its clock far behind": {at: noon.Add(-1000 * time.Hour)},
		} {
			t.Run(name, func(t *testing.T) {
				again := open(t, SQL(d), c, Config{})
				_, err := again.Ask(t.Context(), try(Password, w, here))
				if p := problem.Of(err); p == nil || p.Retry > 15*time.Minute || p.Retry < 13*time.Minute {
					t.Errorf("%v, retry %v: the block is not as it was", err, p.Retry)
				}
				c.pass(time.Minute + 10*time.Second) // for the limit by the minute
				if got := again.miss(try(Password, "bert", here), 10); got != 6 {
					t.Errorf("%d further guesses, want 6", got)
				}
				if got := again.miss(try(Code, anna, there), 5); got != 2 {
					t.Errorf("%d further codes, want 2", got)
				}
			})
		}
		c.pass(72 * time.Hour)
		late := open(t, SQL(d), c, Config{})
		if n := late.Stats().Subjects; n != 0 {
			t.Errorf("%d counts are read after three days", n)
		}
		if err := late.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if rows, err := SQL(d).counts(t.Context()); err != nil || len(rows) != 0 {
			t.Errorf("%d rows are left, %v", len(rows), err)
		}
	})
}

// Nothing on disk says whose address it was or what was typed.
func TestRowsTellNoAddress(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		h := open(t, SQL(d), &clock{at: noon}, Config{})
		h.miss(Try{Act: Password, Who: "plain text of a slip", Addr: here}, 30)
		h.miss(Try{Act: Token, Who: "plain text, of a slip", Addr: here}, 30)
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := SQL(d).counts(t.Context())
		if err != nil || len(rows) < 5 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for _, r := range rows {
			if r.label != "" || len(r.subject) != 16 {
				t.Errorf("%s: label %q, %d bytes of a hash", r.rule, r.label, len(r.subject))
			}
		}
		all, err := journal.List(t.Context(), d, journal.Query{})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			t.Errorf("the journal has %+v of somebody who does not exist", e)
		}
	})
}

func TestLift(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		c := &clock{at: noon}
		h := open(t, SQL(d), c, Config{})
		w := h.Who("Anna@example.org ")
		block := func() {
			h.miss(try(Password, w, here), 30)
			h.miss(try(Code, anna, here), 30)
			h.miss(try(Token, "0123456789abcdef0123456789abcdef", here), 30)
			c.pass(10 * time.Second)
			h.miss(Try{Act: Password, Who: "other", Addr: here}, 30)
			if err := h.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		refused := func(s *Service, x Try) bool {
			_, err := s.Ask(t.Context(), x)
			if err == nil {
				_ = s.Void(t.Context(), x)
			}
			return err != nil
		}
		person := Try{Act: Password, Who: w, Account: anna, Addr: here}
		code := Try{Act: Code, Who: anna, Account: anna, Addr: here}
		for name, l := range map[string]Lift{"a person": {Account: anna, Typed: "anna@EXAMPLE.org"}, "an address": {Addr: here}} {
			block()
			if !refused(h.Service, person) || !refused(h.Service, code) || len(h.Show()) == 0 {
				t.Fatalf("%s: nothing to lift: %+v", name, h.Show())
			}
			if n, err := h.Lift(t.Context(), system, l); err != nil || n == 0 {
				t.Errorf("%s: %d lifted, %v", name, n, err)
			}
			if n, err := h.Lift(t.Context(), system, Lift{Account: anna, Typed: "anna@example.org", Addr: here}); err != nil || n == 0 {
				t.Errorf("%s: the rest: %d, %v", name, n, err)
			}
			for which, s := range map[string]*Service{"now": h.Service, "after a restart": open(t, SQL(d), c, Config{}).Service} {
				if refused(s, person) || refused(s, code) {
					t.Errorf("%s, %s: still refused: %+v", name, which, s.Show())
				}
			}
			h.hit(person)
		}
		if _, err := h.Lift(t.Context(), system, Lift{}); !errors.Is(err, ErrLift) {
			t.Errorf("nothing in particular: %v", err)
		}
		all, err := journal.List(t.Context(), d, journal.Query{})
		if err != nil {
			t.Fatal(err)
		}
		lifts := 0
		for _, e := range all {
			if e.Action == "guard:lift" {
				lifts++
			}
		}
		if lifts != 4 {
			t.Errorf("%d lifts are in the journal, want 4: %+v", lifts, all)
		}
	})
}

// stubborn refuses to write until told otherwise.
type stubborn struct {
	Store
	err error
}

func (s *stubborn) save(ctx context.Context, changed []row, gone []rowKey, entries []journal.Entry) error {
	if s.err != nil {
		return s.err
	}
	return s.Store.save(ctx, changed, gone, entries)
}

func TestNothingIsLostWhileTheDiskFails(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		s := &stubborn{SQL(d), errors.New("full")}
		h := open(t, s, &clock{at: noon}, Config{})
		for i := range 60 {
			h.miss(try(Password, "anna", addr(i<<8)), 1)
		}
		if err := h.Flush(t.Context()); !errors.Is(err, s.err) {
			t.Fatal(err)
		}
		s.err = nil
		if err := h.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := SQL(d).counts(t.Context())
		if err != nil || len(rows) != h.Stats().Subjects {
			t.Errorf("%d rows, %d counts, %v", len(rows), h.Stats().Subjects, err)
		}
		all, err := journal.List(t.Context(), d, journal.Query{})
		if err != nil || len(all) < 2 || all[0].Action != "guard:stuffing" {
			t.Errorf("journal %+v, %v", all, err)
		}
	})
}

func TestNeeds(t *testing.T) {
	if _, err := New(t.Context(), Needs{}); err == nil {
		t.Error("made of nothing")
	}
	for name, cfg := range map[string]Config{"list": {Breached: "/does/not/exist"}, "table": {Geo: "/does/not/exist"}} {
		if _, err := New(t.Context(), Needs{Store: memory{}, Keys: ring{}, Log: slog.New(slog.DiscardHandler), Now: (&clock{at: noon}).now, Config: cfg}); err == nil {
			t.Errorf("a %s that is not there was opened", name)
		}
	}
}

// Guesses at one account count together for the question whether its password is enough, by whichever address; what
// refuses strangers goes by what they typed, so that nobody sees that two addresses are one person's.
func TestAddressesOfOneAccountAreOneInDoubt(t *testing.T) {
	h := alone(t)
	try := func(typed, from, account string) Try {
		return Try{Act: Password, Who: h.Who(typed), Account: account, Addr: netip.MustParseAddr(from)}
	}
	for i := range rules[ruleAccount].limit {
		h.pass(10 * time.Minute) // slowly, so that the house sees no attack on all
		x := try(fmt.Sprintf("anna%d@example.org", i%2), fmt.Sprintf("2001:db8:%x::1", i), anna)
		v, err := h.Ask(t.Context(), x)
		if err != nil || v.StepUp {
			t.Fatalf("guess %d: %+v, %v", i, v, err)
		}
		if err := h.Tell(t.Context(), x, false); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		x    Try
		want bool
	}{
		"one of the addresses": {try("anna1@example.org", "203.0.113.7", anna), true},
		"a third address":      {try("anna9@example.org", "203.0.113.8", anna), true},
		"another account":      {try("bert@example.org", "203.0.113.9", bert), false},
		"nobody's":             {try("nobody@example.org", "203.0.113.10", ""), false},
	} {
		if v, err := h.Ask(t.Context(), c.x); err != nil || v.StepUp != c.want {
			t.Errorf("%s: %+v, %v, want doubt %v", name, v, err, c.want)
		}
	}
	// From one place: the guesses at one address refuse that, and not the other.
	for range rules[rulePair].limit {
		x := try("bert1@example.org", "198.51.100.9", bert)
		if _, err := h.Ask(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if err := h.Tell(t.Context(), x, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.Ask(t.Context(), try("bert1@example.org", "198.51.100.9", bert)); !errors.Is(err, ErrTries) {
		t.Errorf("the same again: %v, want %v", err, ErrTries)
	}
	if _, err := h.Ask(t.Context(), try("bert2@example.org", "198.51.100.9", bert)); err != nil {
		t.Errorf("another address of the same person: %v", err)
	}
}
