package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// How many people sign in, and how: as fast as so many at once can, at a steady pace, and far more than the
// server lets wait.
const (
	persons   = 40
	signers   = 8
	signPace  = 20 // a second
	crowd     = 400
	signWords = "seven purple kettles sing"
)

// A visitor is a person with a browser that was here before, at an address of their own.
type visitor struct {
	email, from string
	device      *http.Cookie
}

// signIns measures how people come in through the pages, over TLS, with Argon2id as it is always done.
func (b *bench) signIns(ctx context.Context) error {
	progress("sign-in: make %d accounts", persons)
	all := make([]visitor, persons)
	var failed errs
	each(persons, 4, func(i int) {
		v := visitor{email: fmt.Sprintf("person-%d@example.org", i), from: fmt.Sprintf("10.0.%d.7", i)}
		add := exec.CommandContext(ctx, "bin/ardesia", "user", "add", "--data", b.house.data, "--email", v.email, "--name", "Person", "--password-stdin")
		add.Stdin = strings.NewReader(signWords + "\n")
		if out, err := add.CombinedOutput(); err != nil {
			failed.add(fmt.Errorf("user add: %w: %s", err, out))
			return
		}
		if err := b.house.signIn(ctx, b.house.web(), &v); err != nil {
			failed.add(err)
		}
		all[i] = v
	})
	if err := failed.first(); err != nil {
		return err
	}
	progress("sign-in: %d at once", signers)
	if err := b.signRounds(fmt.Sprintf("sign-ins, %d at once", signers), func() (result, error) { return b.signAtOnce(ctx, all) }); err != nil {
		return err
	}
	progress("sign-in: %d a second", signPace)
	if err := b.signRounds(fmt.Sprintf("sign-ins at %d/s, counted from when they were due", signPace), func() (result, error) { return b.signPaced(ctx, all) }); err != nil {
		return err
	}
	progress("sign-in: %d at once", crowd)
	return b.signCrowd(ctx, all)
}

func (b *bench) signRounds(name string, round func() (result, error)) error {
	var all []result
	for range b.rounds {
		r, err := round()
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	b.report.door(name, all)
	return nil
}

// signAtOnce has some people sign in one after the other.
func (b *bench) signAtOnce(ctx context.Context, all []visitor) (result, error) {
	return b.drive(b.house, signers, func(i int) (func() error, func()) {
		web, n := b.house.web(), i
		return func() error {
			v := all[n%len(all)]
			n += signers
			return b.house.signIn(ctx, web, &v)
		}, web.CloseIdleConnections
	})
}

// signPaced has people sign in at a steady pace, whether those before them are in or not.
func (b *bench) signPaced(ctx context.Context, all []visitor) (result, error) {
	var lat histogram
	var failed errs
	var wg sync.WaitGroup
	m := meter(b.house.pid)
	made := b.house.allocated()
	n := int64(b.last.Seconds() * signPace)
	for i := range n {
		due := m.at.Add(time.Duration(i) * time.Second / signPace)
		sleep(time.Until(due))
		wg.Go(func() {
			v := all[int(i)%len(all)]
			web := b.house.web()
			defer web.CloseIdleConnections()
			if err := b.house.signIn(ctx, web, &v); err != nil {
				failed.add(err)
				return
			}
			lat.add(time.Since(due))
		})
	}
	wg.Wait()
	if err := failed.first(); err != nil {
		return result{}, err
	}
	r := m.result(n, time.Since(m.at), &lat)
	r.p95 = lat.at(0.95)
	r.alloc(made, b.house.allocated(), n)
	return r, nil
}

// signCrowd has more people come at once than may wait: those above get 503 and when to come back.
func (b *bench) signCrowd(ctx context.Context, all []visitor) error {
	var in, sent atomic.Int64
	var lat histogram
	var failed errs
	var wg sync.WaitGroup
	began := time.Now()
	for i := range crowd {
		wg.Go(func() {
			v := all[i%len(all)]
			web := b.house.web()
			defer web.CloseIdleConnections()
			asked := time.Now()
			err := b.house.signIn(ctx, web, &v)
			var busy busyError
			switch {
			case err == nil:
				in.Add(1)
			case errors.As(err, &busy) && busy > 0:
				sent.Add(1)
				lat.add(time.Since(asked))
			default:
				failed.add(err)
			}
		})
	}
	wg.Wait()
	if err := failed.first(); err != nil {
		return err
	}
	b.report.doors = append(b.report.doors, fmt.Sprintf("| %d sign-ins at once, once: %d got in within %.1f s, %d got 503 with Retry-After | | | %.0f | %.0f | | | |",
		crowd, in.Load(), time.Since(began).Seconds(), sent.Load(), ms(lat.at(0.5)), ms(lat.at(0.95))))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// busyError is an answer of 503, and the seconds after which to come back.
type busyError int

func (e busyError) Error() string { return fmt.Sprintf("503, come back in %d s", int(e)) }

// web is a client that follows nothing by itself.
func (h *house) web() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: h.roots, ServerName: "localhost"}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

var formToken = regexp.MustCompile(`name="flow" value="([^"]+)"><input type="hidden" name="step" value="([0-9]+)"`)

// signIn walks through the pages as a browser does: the form of the address, its answer, the form of the password, its answer.
func (h *house) signIn(ctx context.Context, web *http.Client, v *visitor) error {
	_, port, _ := strings.Cut(h.addr["https"], ":")
	origin := "https://localhost:" + port
	at, err := url.Parse(origin)
	if err != nil {
		return err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	if v.device != nil {
		jar.SetCookies(at, []*http.Cookie{v.device})
	}
	one := *web
	one.Jar = jar
	page, err := h.step(ctx, &one, v, http.MethodGet, origin+"/signin", nil)
	if err != nil {
		return err
	}
	if page, err = h.step(ctx, &one, v, http.MethodPost, origin+"/signin", url.Values{"email": {v.email}}); err != nil {
		return err
	}
	if page, err = h.step(ctx, &one, v, http.MethodGet, origin+page.to, nil); err != nil {
		return err
	}
	m := formToken.FindStringSubmatch(page.text)
	if m == nil {
		return fmt.Errorf("no form of a password: %s", page.text)
	}
	if page, err = h.step(ctx, &one, v, http.MethodPost, origin+"/signin/password", url.Values{"flow": {m[1]}, "step": {m[2]}, "password": {signWords}}); err != nil {
		return err
	}
	if page.to != "/account" {
		return fmt.Errorf("signing in led to %q: %s", page.to, page.text)
	}
	for _, c := range jar.Cookies(at) {
		if strings.HasSuffix(c.Name, "-device") {
			v.device = &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", Secure: true}
		}
	}
	return nil
}

// A shown is what came of one step.
type shown struct{ to, text string }

func (h *house) step(ctx context.Context, web *http.Client, v *visitor, method, to string, form url.Values) (shown, error) {
	r, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return shown{}, err
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0")
	r.Header.Set("X-Forwarded-For", v.from) // each at home: one address may post 120 forms a minute
	answer, err := web.Do(r)
	if err != nil {
		return shown{}, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	switch {
	case err != nil:
		return shown{}, err
	case answer.StatusCode == http.StatusServiceUnavailable:
		after, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // 0 is an error for whoever asked
		return shown{}, busyError(after)
	case answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSeeOther:
		return shown{}, fmt.Errorf("%s %s: %s: %s", method, to, answer.Status, text)
	}
	return shown{answer.Header.Get("Location"), string(text)}, nil
}

// allocated is how many pieces of memory the server has asked for since its start, and how many bytes.
func (h *house) allocated() (a allocations) {
	answer, err := http.Get("http://" + h.addr["metrics"] + "/metrics")
	if err != nil {
		return a // the figures are 0 then
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "go_memstats_mallocs_total":
			a.pieces = n
		case "go_memstats_alloc_bytes_total":
			a.bytes = n
		}
	}
	return a
}

type allocations struct{ pieces, bytes float64 }

func (r *result) alloc(before, after allocations, n int64) {
	if n > 0 {
		r.allocs, r.bytes = (after.pieces-before.pieces)/float64(n), (after.bytes-before.bytes)/float64(n)
	}
}

// decisions measures one decision of the policy, in this process.
func (b *bench) decisions(context.Context) error {
	policy, err := access.New()
	if err != nil {
		return err
	}
	who := access.Actor{Kind: access.APIKey, ID: "u1", Space: "3f2504e0-4f89-41d3-9a0c-0305e82c3301", Role: access.Editor}
	for _, c := range []struct {
		name  string
		space string
		want  bool
	}{{"allowed", who.Space, true}, {"another's thing", "3f2504e0-4f89-41d3-9a0c-0305e82c3302", false}} {
		progress("policy: %s", c.name)
		on := access.Resource{Type: "Thing", ID: "t", Space: c.space}
		var wrong error
		var lat histogram
		r := testing.Benchmark(func(t *testing.B) {
			t.ReportAllocs()
			for t.Loop() {
				began := time.Now()
				if err := policy.Allow(who, "thing:write", on); (err == nil) != c.want {
					wrong = fmt.Errorf("%s: %w", c.name, err)
				}
				lat.add(time.Since(began))
			}
		})
		if wrong != nil {
			return wrong
		}
		b.report.policy = append(b.report.policy, fmt.Sprintf("| %s | %s | %.1f | %.1f | %d | %d |", c.name, count(int(float64(r.N)/r.T.Seconds())),
			float64(lat.at(0.5).Nanoseconds())/1000, float64(lat.at(0.99).Nanoseconds())/1000, r.AllocsPerOp(), r.AllocedBytesPerOp()))
	}
	runtime.GC()
	return nil
}
