package server_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

var shownSecret = regexp.MustCompile(`<code class="secret">([A-Z2-7 ]+)</code>`)

// enrol gives the person who is signed in an authenticator app, and returns its secret.
func (b *browser) enrol() (secret string) {
	b.t.Helper()
	_, page := b.do("POST", "/account/factors/app", nil, url.Values{})
	m := shownSecret.FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("no secret is shown: %s", page)
	}
	secret = strings.ReplaceAll(m[1], " ", "")
	if code, page := b.do("POST", "/account/factors/app/confirm", nil, url.Values{"code": {b.code(secret)}}); code != http.StatusOK {
		b.t.Fatalf("confirming the app: %d %s", code, page)
	}
	return secret
}

// code is what the app shows now.
func (b *browser) code(secret string) string {
	b.t.Helper()
	code, err := totp.GenerateCode(secret, b.h.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

// password signs in as far as the password leads, and returns the page after it.
func (b *browser) password(email string) string {
	b.t.Helper()
	_, page := b.do("POST", "/signin", nil, url.Values{"email": {email}})
	_, page = b.do("POST", "/signin/password", nil, hidden(page, "password", secretWords))
	return page
}

// hidden is the form of a page with one field filled in.
func hidden(page, name, value string) url.Values {
	form := url.Values{name: {value}}
	for _, m := range field.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], m[2])
	}
	return form
}

// All rooms of people together: an app is added, from then on the password alone lets nobody in,
// and a space that asks for two steps opens to who took them.
func TestASecondStepIsAskedForAndOpensWhatNeedsIt(t *testing.T) {
	h := servertest.Start(t)
	u, _ := addPerson(h, "berta@example.org")
	anna, key := h.Person("anna@example.org")
	shared := settle(t, h, anna, key, "shared")
	h.Admin("space.member", map[string]string{"space": shared.id, "user": u.ID, "role": "editor"}, nil)
	h.Admin("space.require", map[string]string{"space": shared.id, "level": "two-step"}, nil)
	b := newBrowser(t, h)
	b.signIn(u.Email, secretWords)
	if code := b.api("GET", shared.id, nil); code != http.StatusForbidden {
		t.Errorf("by password alone into a space that asks for two steps: %d, want 403", code)
	}
	if code := b.api("GET", "", nil); code != http.StatusOK {
		t.Errorf("into the private space: %d", code)
	}
	secret := b.enrol()
	h.Pass(time.Minute) // a code counts once

	b = newBrowser(t, h)
	page := b.password(u.Email)
	if code := b.api("GET", "", nil); code != http.StatusUnauthorized {
		t.Errorf("after the password alone: %d, want 401", code)
	}
	if _, wrong := b.do("POST", "/signin/second", nil, hidden(page, "code", "000000")); strings.Contains(wrong, u.Email) && strings.Contains(wrong, "/signout") {
		t.Error("a wrong code lets in")
	} else {
		page = wrong
	}
	if _, home := b.do("POST", "/signin/second", nil, hidden(page, "code", b.code(secret))); !strings.Contains(home, u.Email) {
		t.Fatalf("the right code: %s", home)
	}
	for _, space := range []string{"", shared.id} {
		if code := b.api("GET", space, nil); code != http.StatusOK {
			t.Errorf("after two steps into %q: %d", space, code)
		}
	}
	// The person hears of it, and can end it.
	if _, text := letter(t, h); !strings.Contains(text, h.URL()+"/frozen?token=") {
		t.Errorf("the letter is %q", text)
	}
}

// Who is invited by mail follows the letter's link, signs in, and joins.
func TestAnInvitationByMailIsTakenInABrowser(t *testing.T) {
	h := servertest.Start(t)
	u, _ := addPerson(h, "berta@example.org")
	anna, key := h.Person("anna@example.org")
	shared := settle(t, h, anna, key, "shared")
	h.Admin("space.invite", map[string]any{"space": shared.id, "role": "viewer", "email": u.Email}, nil)
	_, text := letter(t, h)
	link := regexp.MustCompile(regexp.QuoteMeta(h.URL()) + `(/invitation\?token=([A-Za-z0-9_-]+))`).FindStringSubmatch(text)
	if link == nil {
		t.Fatalf("the letter is %q", text)
	}
	b := newBrowser(t, h)
	if _, page := b.do("GET", link[1], nil, nil); !strings.Contains(page, `name="email"`) {
		t.Fatalf("without signing in: %s", page)
	}
	b.signIn(u.Email, secretWords)
	if code, page := b.do("GET", link[1], nil, nil); code != http.StatusOK || !strings.Contains(page, "shared") {
		t.Errorf("the page: %d %s", code, page)
	}
	if code := b.api("GET", shared.id, nil); code != http.StatusForbidden {
		t.Errorf("only looked at, and in: %d", code)
	}
	if code, page := b.do("POST", "/invitation", nil, url.Values{"token": {link[2]}}); code != http.StatusOK || !strings.Contains(page, "You have joined") {
		t.Errorf("joining: %d %s", code, page)
	}
	if code := b.api("GET", shared.id, nil); code != http.StatusOK {
		t.Errorf("after joining: %d", code)
	}
	if code, _ := b.do("POST", "/invitation", nil, url.Values{"token": {link[2]}}); code == http.StatusOK {
		t.Error("the invitation counts twice")
	}
}

// Guesses at a password are counted by the guard, and whoever has signed in here before is not kept out.
func TestGuessesAtAPasswordAreRefusedAndTheirVictimComesIn(t *testing.T) {
	h := servertest.Start(t)
	u, _ := addPerson(h, "berta@example.org")
	victim := newBrowser(t, h)
	victim.signIn(u.Email, secretWords)
	if code, _ := victim.do("POST", "/signout", nil, url.Values{}); code != http.StatusOK {
		t.Fatalf("signing out: %d", code)
	}
	refused := 0
	for range 14 {
		thief := newBrowser(t, h)
		_, page := thief.do("POST", "/signin", nil, url.Values{"email": {u.Email}})
		if code, _ := thief.do("POST", "/signin/password", nil, hidden(page, "password", "a guess that is wrong")); code == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused < 4 {
		t.Errorf("%d of 14 guesses were refused, want at least 4: 10 may be tried", refused)
	}
	victim.signIn(u.Email, secretWords)
}
