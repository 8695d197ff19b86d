package signin

import (
	"archive/zip"
	"bytes"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestAPersonSignsUpProvesTheAddressAndSignsIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		b := h.browser()
		b.get("/signup")
		if a := b.submit("/signup", url.Values{"email": {"anna@example.org"}, "name": {"Anna"}, "password": {good}}); a.StatusCode != 200 || !strings.Contains(b.body, "Look into your mail") {
			t.Fatalf("after signing up: %d %s", a.StatusCode, b.body)
		}
		h.letter("verify")
		if b.signIn("anna@example.org", good); !strings.Contains(b.body, "Look into your mail") {
			t.Errorf("before the proof: %s", b.body)
		}
		path, tok := token(t, h.letter("verify").Fields["link"]) // another one was sent
		for range 2 {                                            // a program that checks mail may look before
			if a := b.get(path + "?token=" + tok); a.StatusCode != 200 {
				t.Fatalf("the link: %d %s", a.StatusCode, b.body)
			}
		}
		b.submit(path, nil)
		if b.path != "/signin" || !strings.Contains(b.body, "Your address is confirmed") {
			t.Errorf("after the link: %s %s", b.path, b.body)
		}
		if a := b.get(path + "?token=" + tok); a.StatusCode != 404 {
			t.Errorf("the link again: %d", a.StatusCode)
		}
		if b.signIn("anna@example.org", good); b.path != "/account" || !strings.Contains(b.body, "anna@example.org") {
			t.Errorf("after signing in: %s %s", b.path, b.body)
		}
	})
}

func TestAForgottenPasswordIsSetByMail(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.person("anna@example.org")
		b, thief := h.browser(), h.browser()
		thief.signIn("anna@example.org", good)
		h.post()
		b.get("/reset")
		b.submit("/reset", url.Values{"email": {"anna@example.org"}})
		path, tok := token(t, h.letter("reset").Fields["link"])
		b.get(path + "?token=" + tok)
		if a := b.submit(path, url.Values{"password": {"short"}}); a.StatusCode != 400 {
			t.Errorf("a weak password: %d", a.StatusCode)
		}
		b.submit(path, url.Values{"password": {other}})
		if b.path != "/signin" {
			t.Errorf("after a new password: %s %s", b.path, b.body)
		}
		if l := h.letter("password-changed"); l.Fields["link"] == "" {
			t.Error("the letter has no link that freezes")
		}
		if a := b.post(path, url.Values{"token": {tok}, "password": {good}}); a.StatusCode != 404 {
			t.Errorf("the link again: %d", a.StatusCode)
		}
		if thief.get("/account"); thief.path != "/signin" {
			t.Errorf("who was signed in before still is: %s", thief.path)
		}
		if a := b.signIn("anna@example.org", good); a.StatusCode != 401 {
			t.Errorf("the old password: %d", a.StatusCode)
		}
		if b.signIn("anna@example.org", other); b.path != "/account" {
			t.Errorf("the new password: %s", b.path)
		}
	})
}

func TestTheFirstAccountIsMadeByTheLinkOfTheFirstStart(t *testing.T) {
	h, b := embedded(t), (*browser)(nil)
	b = h.browser()
	link, err := h.SetupLink(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	path, tok := token(t, link)
	h.Pass(30*time.Minute - time.Second)
	b.get(path + "?token=" + tok)
	if a := b.submit(path, url.Values{"email": {"anna@example.org"}, "name": {"Anna"}, "password": {"password"}}); a.StatusCode != 400 {
		t.Errorf("a weak password: %d %s", a.StatusCode, b.body)
	}
	b.submit(path, url.Values{"email": {"anna@example.org"}, "name": {"Anna"}, "password": {good}})
	if b.path != "/account" {
		t.Fatalf("after setting up: %s %s", b.path, b.body)
	}
	if a := b.post(path, url.Values{"token": {tok}, "email": {"mallory@example.org"}, "name": {"M"}, "password": {good}}); a.StatusCode != 404 {
		t.Errorf("the link again: %d", a.StatusCode)
	}
	if link, err := h.SetupLink(t.Context(), false); err != nil || link != "" {
		t.Errorf("a second link: %q, %v", link, err)
	}
	h2 := embedded(t)
	link, err = h2.SetupLink(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	h2.Pass(30 * time.Minute)
	path, tok = token(t, link)
	if a := h2.browser().get(path + "?token=" + tok); a.StatusCode != 404 {
		t.Errorf("after 30 minutes: %d", a.StatusCode)
	}
}

func TestSecondProofAndRecovery(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		h.factors.totp[u.ID] = map[string]bool{"123456": true}
		h.factors.recovery[u.ID] = map[string]bool{"1111 1111": true}
		b := h.browser()
		if b.signIn(u.Email, good); b.path != "/signin/second" {
			t.Fatalf("after the password: %s", b.path)
		}
		before := b.body
		if b.get("/account"); b.path != "/signin" {
			t.Errorf("with one proof of two: %s", b.path)
		}
		b.body = before
		if a := b.submit("/signin/second", url.Values{"code": {"000000"}}); a.StatusCode != 401 {
			t.Errorf("a wrong code: %d", a.StatusCode)
		}
		if b.submit("/signin/second", url.Values{"code": {"123456"}}); b.path != "/account" {
			t.Errorf("the right code: %s %s", b.path, b.body)
		}
		c := h.browser()
		c.signIn(u.Email, good)
		_, flow, _ := strings.Cut(c.body, `name="flow" value="`)
		flow, _, _ = strings.Cut(flow, `"`)
		c.get("/signin/recovery?flow=" + flow)
		h.post()
		if c.submit("/signin/recovery", url.Values{"code": {"1111 1111"}}); !strings.Contains(c.body, "2222 2222") {
			t.Errorf("after a recovery code: %s", c.body)
		}
		h.letter("recovery-used")
		if c.get("/account"); c.path != "/account" {
			t.Errorf("after a recovery code: %s", c.path)
		}
	})
}

func TestTooManyWrongProofsEndASignIn(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	b := h.browser()
	b.get("/signin")
	b.submit("/signin", url.Values{"email": {u.Email}})
	for range maxPasswords {
		b.submit("/signin/password", url.Values{"password": {"wrong"}})
	}
	if !strings.Contains(b.body, "Too many wrong tries") {
		t.Errorf("after %d passwords: %s", maxPasswords, b.body)
	}
	b.signIn(u.Email, good)
	for range maxCodes {
		b.submit("/signin/second", url.Values{"code": {"000000"}})
	}
	if !strings.Contains(b.body, "Too many wrong tries") {
		t.Errorf("after %d codes: %s", maxCodes, b.body)
	}
	if b.get("/account"); b.path != "/signin" {
		t.Error("signed in after all")
	}
}

// Whoever follows the link in a letter about somebody else at work shuts everybody out.
func TestThisWasNotMe(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.person("anna@example.org")
		thief, b := h.browser(), h.browser()
		thief.signIn("anna@example.org", good)
		path, tok := token(t, h.letter("new-device").Fields["link"])
		b.get(path + "?token=" + tok)
		if thief.get("/account"); thief.path != "/account" {
			t.Error("looking at the link has frozen the account")
		}
		if b.submit(path, nil); !strings.Contains(b.body, "Your account is frozen") {
			t.Errorf("after the link: %s", b.body)
		}
		if thief.get("/account"); thief.path != "/signin" {
			t.Error("the thief is still in")
		}
		if a := thief.signIn("anna@example.org", good); a.StatusCode != 401 || !strings.Contains(thief.body, "This account is frozen") {
			t.Errorf("signing in to a frozen account: %d %s", a.StatusCode, thief.body)
		}
		if a := b.get(path + "?token=" + tok); a.StatusCode != 404 {
			t.Errorf("the link again: %d", a.StatusCode)
		}
		h.post()
		b.get("/reset")
		b.submit("/reset", url.Values{"email": {"anna@example.org"}})
		path, tok = token(t, h.letter("reset").Fields["link"])
		b.get(path + "?token=" + tok)
		b.submit(path, url.Values{"password": {other}})
		if b.signIn("anna@example.org", other); b.path != "/account" {
			t.Errorf("after a new password: %s %s", b.path, b.body)
		}
	})
}

// answers of a page to a person who is there and to one who is not, without what was typed.
func TestPagesDoNotTellWhoIsThere(t *testing.T) {
	h := embedded(t)
	h.person("somebody@example.org")
	for name, c := range map[string]func(b *browser, email string) *http.Response{
		"signing in": func(b *browser, email string) *http.Response { return b.signIn(email, "wrong password") },
		"the page of the password": func(b *browser, email string) *http.Response {
			b.get("/signin")
			return b.submit("/signin", url.Values{"email": {email}})
		},
		"resetting": func(b *browser, email string) *http.Response {
			b.get("/reset")
			return b.submit("/reset", url.Values{"email": {email}})
		},
		"signing up": func(b *browser, email string) *http.Response {
			b.get("/signup")
			return b.submit("/signup", url.Values{"email": {email}, "name": {"Anna"}, "password": {good}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			type seen struct {
				status int
				header string
				body   string
				took   time.Duration
			}
			look := func(email string) seen {
				b := h.browser()
				begin := h.Now()
				a := c(b, email)
				a.Header.Del("Date")
				body := hidden.ReplaceAllString(strings.ReplaceAll(b.body, email, "EMAIL"), "")
				var names []string
				for n := range a.Header {
					if n != "Set-Cookie" && n != "Content-Length" && n != "Ratelimit" && n != "X-Ratelimit-Remaining" && n != "X-Ratelimit-Reset" { // which counts all posts of an address
						names = append(names, n+a.Header.Get(n))
					}
				}
				slices.Sort(names)
				flow := strings.Index(body, "?flow=")
				if flow > 0 {
					body = body[:flow]
				}
				return seen{a.StatusCode, strings.Join(names, "\n"), body, h.Now().Sub(begin)}
			}
			got, want := look("somebody@example.org"), look("nobody-xx@example.org")
			if name == "signing up" {
				got.took, want.took = got.took.Round(time.Second), want.took.Round(time.Second)
			}
			if got != want {
				t.Errorf("somebody: %+v\nnobody: %+v", got, want)
			}
		})
	}
}

// Every page that changes something refuses what another site makes a browser send.
func TestPostsFromOtherSitesAreRefused(t *testing.T) {
	h := embedded(t)
	h.person("anna@example.org")
	h.full()
	b := h.browser()
	b.signIn("anna@example.org", good)
	posts := 0
	for pattern := range h.Pages() {
		method, path, _ := strings.Cut(pattern, " ")
		if method != "POST" {
			continue
		}
		posts++
		for name, header := range map[string][2]string{
			"cross-site":     {"Sec-Fetch-Site", "cross-site"},
			"same-site":      {"Sec-Fetch-Site", "same-site"},
			"foreign origin": {"Origin", "https://evil.example"},
			"no origin":      {"Origin", "null"},
		} {
			r, err := http.NewRequestWithContext(t.Context(), "POST", b.base+path, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(header[0], header[1])
			if a := b.do(r); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: %d, want 403", pattern, name, a.StatusCode)
			}
		}
	}
	if posts < 15 {
		t.Errorf("only %d pages take a POST: this test looks in the wrong place", posts)
	}
	if b.get("/account"); b.path != "/account" {
		t.Error("somebody else has signed the person out")
	}
}

// Every answer says what the browser must not do with it.
func TestPagesAreShutIn(t *testing.T) {
	h := embedded(t)
	h.person("anna@example.org")
	h.full()
	b := h.browser()
	b.signIn("anna@example.org", good)
	for pattern := range h.Pages() {
		method, path, _ := strings.Cut(pattern, " ")
		if method != "GET" {
			continue
		}
		a := b.get(path)
		for name, want := range map[string]string{
			"Content-Security-Policy":      "frame-ancestors 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := a.Header.Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q", pattern, name, got)
			}
		}
		for _, part := range []string{"default-src 'none'", "trusted-types 'none'", "require-trusted-types-for 'script'", "script-src 'self';"} {
			if !strings.Contains(a.Header.Get("Content-Security-Policy"), part) {
				t.Errorf("%s: the policy lacks %s", pattern, part)
			}
		}
		if strings.HasSuffix(path, ".css") || strings.HasSuffix(path, ".js") || strings.HasSuffix(path, ".svg") {
			continue
		}
		if got := a.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", pattern, got)
		}
		if strings.Contains(b.body, " style=") || strings.Contains(b.body, " onclick=") || strings.Contains(b.body, "<script>") {
			t.Errorf("%s has something inline", pattern)
		}
	}
}

func TestCookiesAreShutIn(t *testing.T) {
	h := embedded(t)
	h.person("anna@example.org")
	b := h.browser()
	b.get("/signin")
	r := httptest.NewRequest("POST", "/signin/lang", strings.NewReader("lang=it"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.Pages()["POST /signin/lang"].ServeHTTP(w, r)
	v := &visit{w: w}
	v.setCookie(CookieSession, "x", 0)
	cookies := (&http.Response{Header: w.Header()}).Cookies()
	for _, c := range cookies {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %+v", c)
		}
	}
	if n := len(cookies); n != 2 {
		t.Errorf("%d cookies, want 2", n)
	}
}

// A request to the API counts by its cookie when our own pages send it.
func TestWhoARequestToTheAPIIsFrom(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	g := h.in(u.Email)
	for name, c := range map[string]struct {
		method, cookie string
		header         map[string]string
		want           bool
	}{
		"our page reads":                {"GET", g.Cookie, map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		"our page writes":               {"POST", g.Cookie, map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
		"typed into the address line":   {"GET", g.Cookie, map[string]string{"Sec-Fetch-Site": "none"}, true},
		"another site writes":           {"POST", g.Cookie, map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		"another site reads":            {"GET", g.Cookie, map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
		"a neighbour of the site reads": {"GET", g.Cookie, map[string]string{"Sec-Fetch-Site": "same-site"}, false},
		"an old browser, other origin":  {"DELETE", g.Cookie, map[string]string{"Origin": "https://evil.example"}, false},
		"another cookie":                {"GET", strings.Repeat("A", 43), nil, false},
		"no cookie":                     {"GET", "", nil, false},
		"nonsense":                      {"GET", "%%%", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, "https://example.org/iot/v2/things", nil)
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: CookieSession, Value: c.cookie})
			}
			for n, v := range c.header {
				r.Header.Set(n, v)
			}
			who, got, err := h.Actor(r)
			if err != nil || got != c.want || got && (who.ID != u.ID || who.Kind != access.User) {
				t.Errorf("Actor = %+v, %v, %v, want %v", who, got, err, c.want)
			}
		})
	}
}

func TestDangerousActsNeedAFreshProof(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.signIn(u.Email, good)
	for _, path := range []string{"/account/password", "/account/email", "/account/delete"} {
		if b.get(path); b.path != path {
			t.Fatalf("%s just after signing in: %s", path, b.path)
		}
	}
	old := cookieIn(b, CookieSession)
	h.Pass(freshFor)
	for _, path := range []string{"/account/password", "/account/email", "/account/delete", "/account/export", "/account/keys/revoke"} {
		if b.post(path, url.Values{"password": {other}, "email": {"anna@example.org"}}); b.path != "/signin/password" {
			t.Errorf("%s after five minutes: %s %s", path, b.path, b.body)
		}
	}
	if got, _ := h.accounts.Get(t.Context(), u.ID); got.Leaving() {
		t.Error("the account leaves")
	}
	b.get("/account/password")
	if !strings.Contains(b.body, "Is it you?") {
		t.Errorf("not asked again: %s", b.body)
	}
	b.submit("/signin/password", url.Values{"password": {good}})
	if b.path != "/account/password" {
		t.Errorf("after the proof: %s", b.path)
	}
	if now := cookieIn(b, CookieSession); now == old || now == "" {
		t.Error("the session has the same value after the proof")
	}
	if _, err := h.Look(t.Context(), old); err == nil {
		t.Error("the old value still counts")
	}
}

func cookieIn(b *browser, name string) string {
	u, _ := url.Parse(b.base)
	for _, c := range b.c.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func TestAPersonChangesPasswordAndAddress(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		b, elsewhere := h.browser(), h.browser()
		b.signIn(u.Email, good)
		elsewhere.signIn(u.Email, good)
		b.get("/account/password")
		b.submit("/account/password", url.Values{"password": {other}})
		if b.path != "/account" || !strings.Contains(b.body, "Your password has changed") {
			t.Errorf("after a new password: %s %s", b.path, b.body)
		}
		if elsewhere.get("/account"); elsewhere.path != "/signin" {
			t.Error("another browser is still signed in")
		}
		h.post()
		b.get("/account/email")
		b.submit("/account/email", url.Values{"email": {"anna@example.net"}})
		l := h.letter("address-proof")
		if l.Address != "anna@example.net" || l.Fields["who"] != u.Name {
			t.Errorf("the proof went to %q and names %q", l.Address, l.Fields["who"])
		}
		path, tok := token(t, l.Fields["link"])
		// A link that was sent to somebody else's address does nothing in their hands.
		mallory := h.person("mallory@example.org")
		stranger := h.browser()
		stranger.signIn(mallory.Email, good)
		for _, code := range []int{stranger.get(path + "?token=" + tok).StatusCode, stranger.post(path, url.Values{"token": {tok}}).StatusCode} {
			if code != http.StatusForbidden {
				t.Errorf("a stranger with the link: %d, want 403", code)
			}
		}
		b.get(path + "?token=" + tok)
		if got, _ := h.accounts.Get(t.Context(), u.ID); got.Email != u.Email {
			t.Errorf("looking at the link changed the address to %s", got.Email)
		}
		b.submit(path, nil)
		if got, _ := h.accounts.Get(t.Context(), u.ID); got.Email != "anna@example.net" {
			t.Errorf("the address is %s: %s", got.Email, b.body)
		}
		if l := h.letter("email-changed"); l.Address != u.Email {
			t.Errorf("the warning went to %q, want the old address", l.Address)
		}
	})
}

func TestAPersonSeesAndEndsSessions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		stranger := h.person("mallory@example.org")
		b := h.browser()
		b.signIn(u.Email, good)
		h.Pass(time.Second)
		lost := h.in(u.Email)
		b.get("/account/sessions")
		if !strings.Contains(b.body, "Firefox on Linux") || !strings.Contains(b.body, "192.0.2.7") {
			t.Errorf("the list lacks a session: %s", b.body)
		}
		if err := h.End(t.Context(), person(stranger.ID), stranger.ID, lost.Session.ID); err == nil {
			t.Error("a stranger ended the session")
		}
		b.submit("/account/sessions/end", url.Values{"id": {lost.Session.ID}})
		if _, err := h.Look(t.Context(), lost.Cookie); err == nil || !must(h.Ended(t.Context(), lost.Session.ID)) {
			t.Error("an ended session still counts")
		}
		third := h.in(u.Email)
		b.submit("/account/sessions/all", nil)
		if _, err := h.Look(t.Context(), third.Cookie); err == nil {
			t.Error("the others were not ended")
		}
		if b.get("/account"); b.path != "/account" {
			t.Error("this one was ended")
		}
		old := cookieIn(b, CookieSession)
		b.post("/signout", nil)
		if _, err := h.Look(t.Context(), old); err == nil {
			t.Error("after signing out the cookie still counts")
		}
	})
}

func TestAPersonKeepsAProfile(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.signIn(u.Email, good)
	b.get("/account/profile")
	b.submit("/account/profile", url.Values{"name": {"Anna <b>B</b>"}, "username": {"anna"}, "phone": {"+39 011 123"}, "lang": {"it"}, "shipping-city": {"Torino"}})
	if b.path != "/account/profile" || !strings.Contains(b.body, "Salvato") || !strings.Contains(b.body, "Anna &lt;b&gt;B&lt;/b&gt;") || !strings.Contains(b.body, `value="Torino"`) {
		t.Errorf("after saving: %s", b.body)
	}
	if a := b.submit("/account/profile", url.Values{"name": {"Anna"}, "username": {"<script>"}}); a.StatusCode != 400 || strings.Contains(b.body, "<script>") {
		t.Errorf("a bad user name: %d %s", a.StatusCode, b.body)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("picture", "me.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := png.Encode(part, image.NewNRGBA(image.Rect(0, 0, 9, 9))); err != nil {
		t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", b.base+"/account/picture", &body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	b.do(r)
	if a := b.get("/account/picture"); a.StatusCode != 200 || a.Header.Get("Content-Type") != "image/png" {
		t.Errorf("the picture: %d %s", a.StatusCode, a.Header)
	}
	stranger := h.browser()
	if stranger.get("/account/picture"); stranger.path != "/signin" {
		t.Error("a stranger sees the picture")
	}
	b.post("/account/export", nil)
	z, err := zip.NewReader(strings.NewReader(b.body), int64(len(b.body)))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[f.Name] = f.Name != "account.json" || bytes.Contains(text, []byte("Torino"))
	}
	if !found["account.json"] || !found["picture.png"] {
		t.Errorf("the export has %v", found)
	}
}

func TestAPersonLeavesAndStays(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.signIn(u.Email, good)
	b.get("/account/delete")
	if a := b.submit("/account/delete", url.Values{"email": {"berta@example.org"}}); a.StatusCode != 400 {
		t.Errorf("not said twice: %d", a.StatusCode)
	}
	b.submit("/account/delete", url.Values{"email": {"Anna@example.org"}})
	if got, _ := h.accounts.Get(t.Context(), u.ID); !got.Leaving() || !strings.Contains(b.body, "2030-01-09") {
		t.Errorf("after erasing: %v %s", got.LeavingAt, b.body)
	}
	if l := h.letter("delete-scheduled"); l.Fields["link"] == "" {
		t.Error("the letter has no link that freezes")
	}
	b.post("/account/stay", nil)
	if got, _ := h.accounts.Get(t.Context(), u.ID); got.Leaving() {
		t.Error("the account still leaves")
	}
}

func TestAPersonManagesSecondProofs(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.full()
	b := h.browser()
	b.signIn(u.Email, good)
	h.post()
	b.get("/account/factors")
	b.submit("/account/factors/app", nil)
	if !strings.Contains(b.body, "JBSW Y3DP") || !strings.Contains(b.body, `src="data:image/png;base64,`) || !strings.Contains(b.body, `href="otpauth://`) {
		t.Errorf("setting up: %s", b.body)
	}
	if a := b.submit("/account/factors/app/confirm", url.Values{"code": {"000000"}}); a.StatusCode != 401 {
		t.Errorf("a wrong code: %d", a.StatusCode)
	}
	b.submit("/account/factors/app/confirm", url.Values{"code": {"123 456"}})
	if n := strings.Count(b.body, "1111 2222"); n != 10 {
		t.Errorf("%d recovery codes are shown: %s", n, b.body)
	}
	h.letter("factor-added")
	if b.get("/account/factors"); strings.Contains(b.body, "1111 2222") {
		t.Error("the codes are shown again")
	}
	b.submit("/account/factors/app/remove", nil)
	h.letter("factor-removed")
	h.factors.passkeys["p1"] = u.ID
	h.factors.passkeys["p2"] = "somebody else"
	b.submit("/account/factors/passkey/remove", url.Values{"id": {"p2"}})
	b.submit("/account/factors/passkey/rename", url.Values{"id": {"p1"}, "label": {"<i>Mine</i>"}})
	if !strings.Contains(b.body, "&lt;i&gt;Mine&lt;/i&gt;") {
		t.Errorf("after renaming: %s", b.body)
	}
	b.submit("/account/factors/passkey/remove", url.Values{"id": {"p1"}})
	if h.factors.passkeys["p1"] != "" || h.factors.passkeys["p2"] == "" {
		t.Errorf("passkeys: %v", h.factors.passkeys)
	}
	h.Pass(freshFor)
	if b.post("/account/factors/app/remove", nil); b.path != "/signin/password" {
		t.Errorf("after five minutes: %s", b.path)
	}
	if a := b.post("/account/factors/passkey", nil); a.StatusCode != 403 {
		t.Errorf("a script after five minutes: %d", a.StatusCode)
	}
}

func TestAPersonLetsProgramsAct(t *testing.T) {
	for name, c := range map[string]struct{ path, id, answer, want string }{
		"a program may":     {"/consent", "r1", "yes", "r1 true"},
		"a program may not": {"/consent", "r1", "no", "r1 false"},
		"no answer is a no": {"/consent", "r1", "", "r1 false"},
		"a device may":      {"/device/answer", "BCDF-GHJK", "yes", "BCDF-GHJK approved"},
		"a device may not":  {"/device/answer", "BCDF-GHJK", "no", "BCDF-GHJK denied"},
		"no such code":      {"/device/answer", "XXXX-XXXX", "yes", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := embedded(t)
			u := h.person("anna@example.org")
			p := h.full()
			b := h.browser()
			if b.get("/consent?id=r1"); b.path != "/signin" || !strings.Contains(b.body, `value="/consent?id=r1"`) {
				t.Errorf("not signed in: %s %s", b.path, b.body)
			}
			b.signIn(u.Email, good)
			if c.path == "/consent" {
				a := b.get("/consent?id=r1")
				if !strings.Contains(b.body, "&lt;b&gt;Greenhouse&lt;/b&gt;") || !strings.Contains(b.body, "Know who you are") || !strings.Contains(b.body, "things:write") {
					t.Errorf("the page: %s", b.body)
				}
				if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://client.example; base-uri") {
					t.Errorf("the policy: %s", csp)
				}
			} else {
				b.get("/device?user_code=" + c.id)
				b.submit("/device", url.Values{"code": {c.id}})
			}
			b.submit(c.path, url.Values{"id": {c.id}, "answer": {c.answer}})
			want := u.ID + " " + c.want
			if c.want == "" {
				want = ""
			}
			if got := strings.Join(p.answered, ","); got != want {
				t.Errorf("answered %q, want %q", got, want)
			}
		})
	}
}

// changed is a text with another first letter.
func changed(text string) string {
	if text[0] == 'B' {
		return "C" + text[1:]
	}
	return "B" + text[1:]
}

func TestSigningOutLeadsBackToTheProgramThatAsked(t *testing.T) {
	h := embedded(t)
	h.person("anna@example.org")
	b := h.browser()
	b.signIn("anna@example.org", good)
	ends := h.Ends.Subscribe(8)
	defer ends.Close()
	address, err := h.SignOutPage("https://client.example/bye?state=1")
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(address, "https://example.org")
	if a := b.get(path); !strings.Contains(a.Header.Get("Content-Security-Policy"), "form-action 'self' https://client.example;") {
		t.Errorf("the policy: %s", a.Header.Get("Content-Security-Policy"))
	}
	if b.get("/account"); b.path != "/account" {
		t.Error("looking at the page has signed out")
	}
	_, to, _ := strings.Cut(path, "?to=")
	for name, c := range map[string]struct{ token, want string }{
		"as it was made": {to, "https://client.example/bye?state=1"},
		"changed":        {changed(to), "/signin?done=signout"},
		"somebody's own": {"https://evil.example/", "/signin?done=signout"},
		"nothing":        {"", "/signin?done=signout"},
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/signout", strings.NewReader(url.Values{"token": {c.token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		h.Pages()["POST /signout"].ServeHTTP(w, r)
		if got := w.Header().Get("Location"); got != c.want {
			t.Errorf("%s: led to %q, want %q", name, got, c.want)
		}
	}
	b.post("/signout", nil)
	select {
	case <-ends.C():
	default:
		t.Error("nobody was told that the session has ended")
	}
}

func TestSignUpCanBeClosed(t *testing.T) {
	h := embedded(t)
	h.needs.SignUp = false
	b := h.browser()
	if a := b.get("/signup"); a.StatusCode != 403 {
		t.Errorf("the page: %d", a.StatusCode)
	}
	if a := b.post("/signup", url.Values{"email": {"anna@example.org"}, "name": {"Anna"}, "password": {good}}); a.StatusCode != 403 {
		t.Errorf("the form: %d", a.StatusCode)
	}
	if b.get("/signin"); strings.Contains(b.body, "/signup") {
		t.Error("the page of signing in offers it")
	}
}

func TestNobodyIsSentToAStranger(t *testing.T) {
	for name, c := range map[string]struct{ path, want string }{
		"a page":            {"/account?x=1", "/account?x=1"},
		"another host":      {"https://evil.example/", ""},
		"without scheme":    {"//evil.example/", ""},
		"backslashes":       {`/\evil.example`, ""},
		"a tab":             {"/\t/evil.example", ""},
		"script":            {"javascript:alert(1)", ""},
		"not from the root": {"account", ""},
		"nothing":           {"", ""},
		"an encoded slash":  {"/%2f/evil.example", "/%2f/evil.example"},
		"very long":         {"/" + strings.Repeat("a", 2048), ""},
		"a user and a host": {"//a@evil.example", ""},
		"an invalid escape": {"/%zz", ""},
		"a line break":      {"/a\nb", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := local(c.path); got != c.want {
				t.Errorf("local(%q) = %q, want %q", c.path, got, c.want)
			}
		})
	}
}

// Whatever path a browser brings, local answers with one of this server or with none.
func FuzzLocal(f *testing.F) {
	for _, seed := range []string{"/account", "//evil.example", `/\evil.example`, "/a?b#c", "/%2f%2fevil.example"} {
		f.Add(seed)
	}
	base, _ := url.Parse("https://example.org/signin")
	f.Fuzz(func(t *testing.T, path string) {
		got := local(path)
		if got == "" {
			return
		}
		u, err := base.Parse(got)
		if err != nil || u.Host != "example.org" || u.Scheme != "https" {
			t.Fatalf("local(%q) leads to %v, %v", path, u, err)
		}
	})
}
