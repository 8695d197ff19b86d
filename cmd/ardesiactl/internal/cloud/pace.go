package cloud

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/ardesia-iot/ardesia/client"
)

const (
	// tries is how often a request is made that fails for a reason that may pass: with the pauses below, for about two minutes.
	tries = 9
	// triesAtFirst is the same for a server that was never reached: its address may be wrong.
	triesAtFirst = 2
	// firstPause is that after the first failure, doubled each time up to maxPause; half of each is chance.
	firstPause = 500 * time.Millisecond
	maxPause   = 30 * time.Second
	// patience is the longest pause that a server may ask for. A quota of a day asks for more: then
	// it is better to end, and to be run again.
	patience = 10 * time.Minute
)

// A Pace says how often a server is asked, and what is tried again. All methods may be called from any goroutine.
type Pace struct {
	limit *rate.Limiter
	sleep func(ctx context.Context, d time.Duration) error
	now   func() time.Time
	met   atomic.Bool // the server has answered once
	// Note, if not nil, hears why there is a pause.
	Note func(why error, d time.Duration)
}

// NewPace lets in so many requests a second, one by one; any number if that is not above 0.
func NewPace(perSecond float64, now func() time.Time) *Pace {
	p := &Pace{limit: rate.NewLimiter(rate.Inf, 1), sleep: sleep, now: now}
	if perSecond > 0 {
		p.limit = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	return p
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Call makes a request that may be repeated, until it succeeds or fails for good.
func (p *Pace) Call(ctx context.Context, do func() error) error {
	return p.Make(ctx, do, nil)
}

// Make is Call for a request that makes something: after a failure it is asked first whether it was made
// all the same.
func (p *Pace) Make(ctx context.Context, do func() error, made func() (bool, error)) error {
	for try := 1; ; try++ {
		if err := p.limit.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err // the deadline of ctx comes before our turn
		}
		err := do()
		var answer *client.Error
		if err == nil || errors.As(err, &answer) {
			p.met.Store(true)
		}
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		pause, again := p.after(err, try)
		if !again {
			return err
		}
		if pause > patience {
			return fmt.Errorf("%w (the server asks to wait %v: run this again then, it goes on where it was)", err, pause.Round(time.Second))
		}
		if p.Note != nil {
			p.Note(err, pause)
		}
		if err := p.sleep(ctx, pause); err != nil {
			return err
		}
		if made == nil {
			continue
		}
		if there, err := made(); err != nil || there {
			return err
		}
	}
}

// after is how long to wait until a request is tried again that failed with err, and whether at all.
func (p *Pace) after(err error, try int) (time.Duration, bool) {
	if try >= tries || !p.met.Load() && try >= triesAtFirst || !passes(err) {
		return 0, false
	}
	var e *client.Error
	if errors.As(err, &e) {
		if d, told := p.retryAfter(e.Retry); told {
			return d, true
		}
	}
	pause := min(firstPause<<(try-1), maxPause)
	return pause/2 + rand.N(pause/2+1), true
}

// retryAfter reads the header of that name: seconds, or a date; RFC 9110, section 10.2.3.
func (p *Pace) retryAfter(text string) (time.Duration, bool) {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(p.now()), 0), true
	}
	return 0, false
}

// passes says whether the same request may succeed later.
func passes(err error) bool {
	var e *client.Error
	if errors.As(err, &e) {
		switch e.Status {
		case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var (
		verify  *tls.CertificateVerificationError
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		syntax  *json.SyntaxError
		kind    *json.UnmarshalTypeError
		dns     *net.DNSError
	)
	switch {
	case errors.As(err, &verify), errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &syntax), errors.As(err, &kind):
		return false
	case errors.As(err, &dns):
		return dns.IsTemporary || dns.IsTimeout
	}
	var (
		network net.Error
		address *url.Error
	)
	return errors.As(err, &network) || errors.As(err, &address) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}
