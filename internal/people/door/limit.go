package door

import (
	"context"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrLimited is a key or an address that asks too often. "Maximum request limit
// reached" is what users of the compatible API know.
var ErrLimited = problem.New(problem.Limited, "rate-limited", "Maximum request limit reached. Try again later.")

// A Rate is how often something may happen.
type Rate struct {
	PerMinute int // in the long run; 0 is the default of where it stands, below 0 is without limit
	Burst     int // at once; 0 is a sixth of PerMinute
}

func (r Rate) or(standard Rate) Rate {
	if r.PerMinute == 0 {
		r = standard
	}
	if r.Burst <= 0 {
		r.Burst = max(1, r.PerMinute/6)
	}
	return r
}

// watched is how many keys or addresses one limiter remembers. Above it those not
// seen for the longest time start afresh; each costs about 200 bytes.
const watched = 1 << 15

// A Limiter lets each of many subjects in at one Rate. All methods may be called
// from any goroutine.
type Limiter struct {
	name string // of the policy, as clients are told
	rate Rate
	now  func() time.Time
	each *cache.Map[string, *rate.Limiter]
}

// NewLimiter takes r, or standard where r is zero.
func NewLimiter(r, standard Rate, now func() time.Time) *Limiter {
	return newLimiter("default", r, standard, now)
}

func newLimiter(name string, r, standard Rate, now func() time.Time) *Limiter {
	return &Limiter{name: name, rate: r.or(standard), now: now, each: cache.New[string, *rate.Limiter](watched)}
}

// Take lets subject in once, or says with ErrLimited when to come back. It tells
// the client where it stands (see tell); h may be nil.
func (l *Limiter) Take(h http.Header, subject string) error {
	if l.rate.PerMinute < 0 {
		return nil
	}
	return l.take(h, l.of(subject), l.rate)
}

func (l *Limiter) take(h http.Header, one *rate.Limiter, r Rate) error {
	now := l.now()
	allowed := one.AllowN(now, 1)
	if h != nil {
		tell(h, l.name, r, one.TokensAt(now))
	}
	if allowed {
		return nil
	}
	return ErrLimited.After(l.wait(one, now))
}

// tell says where a client stands, with left of what r lets in at once: by the headers of
// draft-ietf-httpapi-ratelimit-headers-10, which have a word for each limiter that counted the request, and by those
// that clients of such APIs have read for years, which have room for one: that of which least is left. Reset is in
// seconds until all is there again, so that nobody's clock matters.
func tell(h http.Header, name string, r Rate, left float64) {
	list := func(key, item string) {
		if had := h.Get(key); had != "" {
			item = had + ", " + item
		}
		h.Set(key, item)
	}
	n := max(0, int(left))
	list("Ratelimit-Policy", fmt.Sprintf(`"%s";q=%d;w=60`, name, r.PerMinute))
	list("Ratelimit", fmt.Sprintf(`"%s";r=%d`, name, n))
	if had, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining")); err == nil && had <= n {
		return
	}
	missing := float64(r.Burst) - left
	h.Set("X-Ratelimit-Limit", strconv.Itoa(r.Burst))
	h.Set("X-Ratelimit-Remaining", strconv.Itoa(n))
	h.Set("X-Ratelimit-Reset", strconv.Itoa(int(math.Ceil(max(0, missing*60/float64(r.PerMinute))))))
}

// Spent says, with ErrLimited, that subject has nothing left; it takes nothing.
func (l *Limiter) Spent(subject string) error {
	if l.rate.PerMinute < 0 {
		return nil
	}
	one, known := l.each.Get(subject)
	if now := l.now(); known && one.TokensAt(now) < 1 {
		return ErrLimited.After(l.wait(one, now))
	}
	return nil
}

func (l *Limiter) of(subject string) *rate.Limiter { return l.at(subject, l.rate) }

func (l *Limiter) at(subject string, r Rate) *rate.Limiter {
	return l.each.Add(subject, func() *rate.Limiter {
		return rate.NewLimiter(rate.Limit(float64(r.PerMinute)/60), r.Burst)
	})
}

// Spaces limit how often each space is asked, all its keys and people together, each at a rate of its own.
type Spaces struct {
	limit func(ctx context.Context, space string) (perMinute int, err error)
	l     *Limiter
}

// NewSpaces asks limit for the rate of a space each time; 0 is without limit. A sixth of it may come at once.
func NewSpaces(limit func(ctx context.Context, space string) (perMinute int, err error), now func() time.Time) *Spaces {
	return &Spaces{limit: limit, l: newLimiter("space", Rate{}, Rate{}, now)}
}

// Take is like that of a Limiter.
func (s *Spaces) Take(ctx context.Context, h http.Header, space string) error {
	n, err := s.limit(ctx, space)
	if err != nil || n <= 0 {
		return err
	}
	r := Rate{PerMinute: n}.or(Rate{})
	one := s.l.at(space, r)
	if now := s.l.now(); one.Burst() != r.Burst || one.Limit() != rate.Limit(float64(n)/60) { // it was changed
		one.SetLimitAt(now, rate.Limit(float64(n)/60))
		one.SetBurstAt(now, r.Burst)
	}
	return s.l.take(h, one, r)
}

// Used is how many of those requests that may come at once have come and are not made up for yet.
func (s *Spaces) Used(space string) int {
	one, known := s.l.each.Get(space)
	if !known {
		return 0
	}
	return max(0, one.Burst()-int(one.TokensAt(s.l.now())))
}

// wait is the time until one has a whole token again.
func (l *Limiter) wait(one *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - one.TokensAt(now)
	return max(time.Second, time.Duration(missing/float64(one.Limit())*float64(time.Second)))
}

// Address is whom an anonymous request counts for: an IPv4 address, or the /64 of
// an IPv6 address, because that is what one host is given.
func Address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
