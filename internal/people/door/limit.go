package door

import (
	"fmt"
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
	rate Rate
	now  func() time.Time
	each *cache.Map[string, *rate.Limiter]
}

// NewLimiter takes r, or standard where r is zero.
func NewLimiter(r, standard Rate, now func() time.Time) *Limiter {
	return &Limiter{rate: r.or(standard), now: now, each: cache.New[string, *rate.Limiter](watched)}
}

// Take lets subject in once, or says with ErrLimited when to come back. It tells
// the client where it stands, as draft-ietf-httpapi-ratelimit-headers-10 has it;
// h may be nil.
func (l *Limiter) Take(h http.Header, subject string) error {
	if l.rate.PerMinute < 0 {
		return nil
	}
	now := l.now()
	one := l.of(subject)
	allowed := one.AllowN(now, 1)
	left := max(0, int(one.TokensAt(now)))
	if h != nil {
		h.Set("Ratelimit-Policy", fmt.Sprintf(`"default";q=%d;w=60`, l.rate.PerMinute))
		h.Set("Ratelimit", `"default";r=`+strconv.Itoa(left))
	}
	if allowed {
		return nil
	}
	return ErrLimited.After(l.wait(one, now))
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

func (l *Limiter) of(subject string) *rate.Limiter {
	return l.each.Add(subject, func() *rate.Limiter {
		return rate.NewLimiter(rate.Limit(float64(l.rate.PerMinute)/60), l.rate.Burst)
	})
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
