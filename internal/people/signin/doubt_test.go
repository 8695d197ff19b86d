package signin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// While the guard is in doubt a stranger's browser needs the mail beside the password, and one
// that was here before needs nothing more.
func TestInDoubtTheMailIsAsked(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		old := h.browser()
		if old.signIn(u.Email, good); old.path != "/account" {
			t.Fatalf("before: %s", old.path)
		}
		old.submit("/signout", nil)
		h.post()
		h.mu.Lock()
		h.doubt = true
		h.mu.Unlock()
		if old.signIn(u.Email, good); old.path != "/account" {
			t.Errorf("a browser that was here before is led to %s", old.path)
		}
		b := h.browser()
		if a := b.signIn(u.Email, "wrong"); a.StatusCode != http.StatusUnauthorized || len(h.post()) != 0 {
			t.Errorf("a wrong password: %d", a.StatusCode)
		}
		if b.signIn(u.Email, good); b.path != "/signin/mail" {
			t.Fatalf("a right password: %s", b.path)
		}
		asked := b.body
		if b.get("/account"); b.path != "/signin" {
			t.Errorf("with the password only: %s", b.path)
		}
		letter := h.letter("code")
		code := letter.Fields["code"]
		if letter.To != u.ID || len(code) != 9 || code[4] != ' ' {
			t.Fatalf("letter %+v", letter)
		}
		for _, path := range []string{"/signin/second", "/signin/recovery", "/signin/password"} {
			b.body = asked
			if b.submit(path, url.Values{"code": {code}, "password": {good}}); b.path != "/signin/mail" {
				t.Errorf("another step than the next, %s: %s", path, b.path)
			}
		}
		b.body = asked
		if a := b.submit("/signin/mail", url.Values{"code": {"00000000"}}); a.StatusCode != http.StatusUnauthorized || !strings.Contains(b.body, "newest mail") {
			t.Errorf("a wrong code: %d %s", a.StatusCode, b.body)
		}
		if b.submit("/signin/mail", url.Values{"code": {code}}); b.path != "/account" {
			t.Fatalf("the code: %s %s", b.path, b.body)
		}
		h.letter("new-device")
		all, err := h.Sessions(t.Context(), u.ID)
		if err != nil || len(all) != 2 || !all[0].Has(methodMail) && !all[1].Has(methodMail) || all[0].ACR() != "1" || all[1].ACR() != "1" {
			t.Errorf("sessions %+v, %v", all, err)
		}
		// A code that is too old, and then too many wrong ones.
		c := h.browser()
		c.signIn(u.Email, good)
		code = h.letter("code").Fields["code"]
		h.Pass(mailLife)
		var a *http.Response
		for range maxCodes {
			a = c.submit("/signin/mail", url.Values{"code": {code}})
		}
		if a.StatusCode != http.StatusUnauthorized || !strings.Contains(c.body, "This sign-in was ended") {
			t.Errorf("the fifth wrong code: %d %s", a.StatusCode, c.body)
		}
	})
}

// Who has a second proof is asked for that, in doubt or not, and nothing is mailed.
func TestInDoubtASecondProofIsEnough(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	h.doubt = true
	b := h.browser()
	if b.signIn(u.Email, good); b.path != "/signin/second" || len(h.post()) != 0 {
		t.Fatalf("after the password: %s", b.path)
	}
	if b.submit("/signin/second", url.Values{"code": {"123456"}}); b.path != "/account" {
		t.Errorf("after the code: %s", b.path)
	}
}

// A letter that cannot be queued leaves nobody signed in.
func TestInDoubtWithoutMailNobodyComesIn(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.doubt = true
	ref, browser, err := h.Begin(t.Context(), tab, Beginning{Typed: u.Email})
	if err != nil {
		t.Fatal(err)
	}
	c := tab
	c.Browser = browser
	h.Service.needs.Send = func(_ context.Context, l Letter) error { return errNoPost }
	if _, g, err := h.Password(t.Context(), c, ref, good, false); g != nil || !errors.Is(err, errNoPost) {
		t.Errorf("%v, %v", g, err)
	}
	h.Pass(time.Minute)
	if _, g, err := h.MailCode(t.Context(), c, Ref{ref.Token, ref.Step + 1}, ""); g != nil || !errors.Is(err, ErrMailCode) {
		t.Errorf("no code: %v, %v", g, err)
	}
}

var errNoPost = errors.New("no post today")

// A form with the address and the password at once, as programs that keep passwords fill it in, walks the same machine.
func TestAddressAndPasswordAtOnce(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.get("/signin")
	if a := b.submit("/signin", url.Values{"email": {u.Email}, "password": {"wrong"}}); a.StatusCode != http.StatusUnauthorized || !strings.Contains(b.body, `action="/signin/password"`) {
		t.Errorf("a wrong password: %d %s", a.StatusCode, b.body)
	}
	if b.submit("/signin/password", url.Values{"password": {good}}); b.path != "/account" {
		t.Errorf("then the right one: %s", b.path)
	}
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	c := h.browser()
	c.get("/signin")
	if c.submit("/signin", url.Values{"email": {u.Email}, "password": {good}, "to": {"/account/sessions"}}); c.path != "/signin/second" {
		t.Errorf("with a second proof: %s", c.path)
	}
	if c.submit("/signin/second", url.Values{"code": {"123456"}}); c.path != "/account/sessions" {
		t.Errorf("after the code: %s", c.path)
	}
}

// Who shares an address with somebody who sends too much gets on in a browser that was here before,
// within bounds of its own; one with a made-up cookie does not.
func TestWhoWasHereBeforeIsNotCrowdedOut(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	anna := h.browser()
	anna.signIn(u.Email, good)
	h.Service.posts = door.NewLimiter(door.Rate{PerMinute: 1, Burst: 4}, door.Rate{}, h.Now)
	crowd := h.browser()
	crowd.get("/signin")
	for range 4 {
		crowd.submit("/signin", url.Values{"email": {"nobody@example.org"}})
	}
	if a := crowd.submit("/signin", url.Values{"email": {"nobody@example.org"}}); a.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("the crowd: %d", a.StatusCode)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", crowd.base+"/signin", strings.NewReader("email=a"))
	if err != nil {
		t.Fatal(err)
	}
	made, _ := newToken()
	r.AddCookie(&http.Cookie{Name: cookieDevice, Value: made})
	if a := crowd.do(r); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("with a made-up cookie: %d", a.StatusCode)
	}
	if anna.post("/signout", nil); anna.path != "/signin" {
		t.Errorf("signing out: %s", anna.path)
	}
	if anna.signIn(u.Email, good); anna.path != "/account" {
		t.Errorf("signing in: %s", anna.path)
	}
	anna.post("/signout", nil)
	if a := anna.post("/signout", nil); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("without end: %d", a.StatusCode)
	}
}
