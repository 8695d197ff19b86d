package signin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// A screen is a tab that looks at a house.
type screen struct {
	*browsertest.Screen
	t *testing.T
	h *house
}

// site is the server's address by a name: browsers have passkeys for names only.
func (h *house) site() string { return strings.Replace(h.server.URL, "127.0.0.1", "localhost", 1) }

func (h *house) screen(t *testing.T) *screen {
	t.Helper()
	h.browser() // starts the server
	h.Service.needs.Origin = func() string { return h.site() }
	// That a page of ours answers 401 to a wrong password is no error of the page.
	return &screen{browsertest.Open(t, browsertest.Look{Width: 1280, Ignore: []string{""}}), t, h}
}

// call sends one command to the tab.
func call[P, R any](s *screen, c cdp.Command[P, R], params P) {
	s.t.Helper()
	browsertest.Call(s.Screen, c, params)
}

func (s *screen) run(actions ...chromedp.Action[chromedp.Void]) { s.t.Helper(); s.Run(actions...) }

// eval is the value of an expression in the page.
func eval[T any](s *screen, js string, options ...chromedp.EvaluateOption) T {
	s.t.Helper()
	return browsertest.Eval[T](s.Screen, js, options...)
}

func (s *screen) open(path string) {
	s.t.Helper()
	s.run(chromedp.Navigate(s.h.site()+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// submit fills fields in and sends the form as a person does, and waits for the next page.
func (s *screen) submit(fields map[string]string, button string) {
	s.t.Helper()
	for id, text := range fields {
		s.run(chromedp.SetValue(chromedp.CSS("#"+id), text))
	}
	s.leave(chromedp.Click(chromedp.CSS(button)))
}

func (s *screen) leave(action chromedp.Action[chromedp.Void]) { s.t.Helper(); s.Leave(action) }

func (s *screen) text(js string) string { s.t.Helper(); return s.Text(js) }

func (s *screen) path() string { s.t.Helper(); return s.Path() }

func (s *screen) stumbles() string { s.t.Helper(); return s.Stumbles() }

// looks are what people see pages with.
var looks = []browsertest.Look{{Width: 360}, {Width: 360, Dark: true}, {Width: 768}, {Width: 768, Dark: true}, {Width: 1280, Dark: true}, {Width: 1280}}

// judge ends the test of a page, in every look. Its style was there.
func (s *screen) judge(name string) {
	s.t.Helper()
	if !eval[bool](s, `document.styleSheets.length > 0`) {
		s.t.Errorf("%s has no style", name)
	}
	for _, look := range looks {
		s.Resize(look)
		s.Judge(filepath.Join("..", "..", "..", "artifacts", "signin"), name+"-"+look.String())
	}
}

func (s *screen) signIn(email, password string) {
	s.t.Helper()
	s.open("/signin")
	s.submit(map[string]string{"email": email}, "main button.main")
	s.submit(map[string]string{"password": password}, "main button.main")
}

func TestPagesInABrowser(t *testing.T) {
	h := embedded(t)
	h.full()
	s := h.screen(t)

	link, err := h.SetupLink(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	_, tok := token(t, strings.Replace(link, h.site(), "https://example.org", 1))
	s.open("/setup?token=" + tok)
	s.judge("setup")
	s.submit(map[string]string{"name": "Anna Bianchi", "email": "anna@example.org", "password": good}, "main button.main")
	if got := s.path(); got != "/account/ready" {
		t.Fatalf("after setting up: %s", got)
	}
	s.judge("ready")
	u, err := h.accounts.Find(t.Context(), "anna@example.org")
	if err != nil {
		t.Fatal(err)
	}
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	h.factors.recovery[u.ID] = map[string]bool{"1111": true, "3333": true, "4444": true}
	s.leave(chromedp.Click(chromedp.CSS(".who button")))
	if got := s.path(); got != "/signin" {
		t.Fatalf("after signing out: %s", got)
	}
	s.judge("signed-out")
	s.open("/signin")
	s.judge("signin")
	s.submit(map[string]string{"email": "anna@example.org"}, "main button.main")
	s.judge("password")
	s.submit(map[string]string{"password": "wrong"}, "main button.main")
	s.judge("password-wrong")
	s.submit(map[string]string{"password": good}, "main button.main")
	s.judge("second")
	s.submit(map[string]string{"code": "000000"}, "main button.main")
	s.judge("second-wrong")
	s.leave(chromedp.Click(chromedp.CSS(`.aside a`)))
	s.judge("recovery")
	s.submit(map[string]string{"code": "1111"}, "main button.main")
	s.judge("replaced")
	s.leave(chromedp.Click(chromedp.CSS(`main a.main`)))
	if got := s.path(); got != "/account" {
		t.Fatalf("after signing in: %s", got)
	}
	s.judge("account")

	if _, _, err := h.apikeys.Add(t.Context(), person(u.ID), u.ID, "", "", "Greenhouse script"); err != nil {
		t.Fatal(err)
	}
	h.in2(u)
	s.open("/account/factors")
	s.judge("account-factors")
	s.leave(chromedp.Click(chromedp.CSS(`form[action="/account/factors/app"] button`)))
	s.judge("account-app")
	s.submit(map[string]string{"code": "000000"}, "main button.main")
	s.judge("account-app-wrong")
	h.factors.mu.Lock()
	h.factors.recovery[u.ID] = nil
	h.factors.mu.Unlock()
	s.submit(map[string]string{"code": "123456"}, "main button.main")
	s.judge("account-codes")
	s.open("/device?user_code=BCDF-GHJK")
	s.judge("device")
	s.submit(nil, "main button.main")
	s.judge("device-asked")
	s.open("/consent?id=r1")
	s.judge("consent")
	s.open("/invitation?token=i1")
	s.judge("invitation")
	s.submit(nil, "main button.main")
	if got := s.path(); got != "/account" {
		t.Fatalf("joining led to %s", got)
	}
	s.judge("joined")
	for _, name := range []string{"profile", "password", "email", "sessions", "keys", "checkup", "data", "delete"} {
		s.open("/account/" + name)
		if got := s.path(); got != "/account/"+name {
			t.Fatalf("%s led to %s", name, got)
		}
		s.judge("account-" + name)
	}
	s.open("/account/profile")
	s.submit(map[string]string{"username": "anna", "phone": "+39 011 123", "shipping-city": "Torino"}, "main button.main")
	s.judge("account-profile-saved")
	s.open("/account/password")
	s.submit(map[string]string{"password": "password password"}, "main button.main")
	s.judge("account-password-weak")
	s.open("/account/delete")
	s.submit(map[string]string{"email": "anna@example.org"}, "main button.main")
	s.judge("account-leaving")
	h.Pass(freshFor)
	s.open("/account/password")
	s.judge("again")
	s.leave(chromedp.Click(chromedp.CSS(`button[value="it"]`)))
	s.judge("again-italian")
	s.open("/account")
	s.judge("account-italian")

	o := h.screen(t)
	o.open("/signup")
	o.judge("signup")
	o.submit(map[string]string{"name": "Berta", "email": "berta@example.org", "password": other}, "main button.main")
	o.judge("sent")
	_, tok = token(t, strings.Replace(h.letter("verify").Fields["link"], h.site(), "https://example.org", 1))
	o.open("/verify?token=" + tok)
	o.judge("verify")
	o.submit(nil, "main button.main")
	o.judge("verified")
	o.open("/reset")
	o.judge("reset")
	o.submit(map[string]string{"email": "berta@example.org"}, "main button.main")
	o.judge("reset-sent")
	_, tok = token(t, strings.Replace(h.letter("reset").Fields["link"], h.site(), "https://example.org", 1))
	o.open("/reset/new?token=" + tok)
	o.judge("reset-new")
	o.signIn("berta@example.org", other)
	_, tok = token(t, strings.Replace(h.letter("new-device").Fields["link"], h.site(), "https://example.org", 1))
	h.mu.Lock()
	h.doubt = true
	h.mu.Unlock()
	d := h.screen(t)
	d.open("/signin")
	d.submit(map[string]string{"email": "berta@example.org"}, "main button.main")
	d.submit(map[string]string{"password": other}, "main button.main")
	d.judge("mailed")
	d.submit(map[string]string{"code": "0000 0000"}, "main button.main")
	d.judge("mailed-wrong")
	d.submit(map[string]string{"code": h.letter("code").Fields["code"]}, "main button.main")
	if got := d.path(); got != "/account" {
		t.Fatalf("after the code from the mail: %s", got)
	}
	o.open("/frozen?token=" + tok)
	o.judge("freeze")
	o.submit(nil, "main button.main")
	o.judge("frozen")
	o.open("/frozen?token=" + tok)
	o.judge("link-used")
}

// in2 signs a person in elsewhere, whatever second proofs there are.
func (h *house) in2(u account.User) {
	h.t.Helper()
	_, hash := newToken()
	if _, err := h.Service.begin(h.t.Context(), tab, u, hash, h.Now(), false, []string{methodPassword}); err != nil {
		h.t.Fatal(err)
	}
}

// What judges pages can say no: to a field without a name, to pale letters, and to script
// and style that the policy forbids.
func TestPagesAreJudged(t *testing.T) {
	h := embedded(t)
	s := h.screen(t)
	s.open("/signin")
	if found := s.stumbles(); found != "[]" {
		t.Errorf("before: %s", found)
	}
	eval[chromedp.Void](s, `document.querySelector("label").remove(); document.querySelector("h1").style.color = "#ccc"`)
	if found := s.stumbles(); !strings.Contains(found, `"label"`) || !strings.Contains(found, `"color-contrast"`) {
		t.Errorf("after: %s", found)
	}
	eval[chromedp.Void](s, `{ const x = document.createElement("style"); x.textContent = "p { color: red }"; document.head.append(x) }
		try { document.body.insertAdjacentHTML("beforeend", "<p>") } catch {}`)
	reported, _ := s.Trouble()
	if all := strings.Join(reported, " "); !strings.Contains(all, "style-src") || !strings.Contains(all, "TrustedHTML") {
		t.Errorf("the browser says %q", all)
	}
}

// A passkey is made on the account's page and then is all that signing in needs.
func TestAPasskeyIsMadeAndUsedInABrowser(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.full()
	s := h.screen(t)
	call(s, webauthn.Enable, webauthn.EnableParams{})
	call(s, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	s.signIn(u.Email, good)
	s.open("/account/factors")
	s.run(chromedp.SetValue(chromedp.CSS("#label"), "My laptop"))
	s.leave(chromedp.Click(chromedp.CSS("#passkey-new")))
	if got := s.text(`document.querySelector("main").innerText`); !strings.Contains(got, "My laptop") || !strings.Contains(got, "It is set up") {
		t.Fatalf("after making it: %s", got)
	}
	s.judge("account-factors-passkey")
	h.letter("factor-added")
	s.leave(chromedp.Click(chromedp.CSS(".who button")))
	s.leave(chromedp.Click(chromedp.CSS("#passkey-go")))
	if got := s.path(); got != "/account" {
		t.Fatalf("after using it: %s", got)
	}
	all, err := h.Sessions(t.Context(), u.ID)
	if err != nil || len(all) != 1 || !all[0].Has(methodPasskey) {
		t.Errorf("the session is %+v, %v", all, err)
	}
	// One that nobody here knows says so, and the page stays of use.
	h.factors.mu.Lock()
	clear(h.factors.passkeys)
	h.factors.mu.Unlock()
	s.leave(chromedp.Click(chromedp.CSS(".who button")))
	s.run(chromedp.Click(chromedp.CSS("#passkey-go")), chromedp.WaitVisible(chromedp.CSS("#passkey-problem")))
	s.submit(map[string]string{"email": u.Email}, "main button.main")
	s.submit(map[string]string{"password": good}, "main button.main")
	if got := s.path(); got != "/account" {
		t.Errorf("with the password after that: %s", got)
	}
}

// A person who has only a keyboard signs in, sees where the focus is, and gets to the content.
func TestSigningInWithTheKeyboardOnly(t *testing.T) {
	h := embedded(t)
	h.person("anna@example.org")
	s := h.screen(t)
	s.open("/signin")
	press := func(keys string) chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(keys) }
	if got := s.text(`document.activeElement.id`); got != "email" {
		t.Errorf("the focus begins at %q, want the field for the address", got)
	}
	s.leave(press("anna@example.org" + kb.Enter))
	if got := s.path() + " " + s.text(`document.activeElement.id`); got != "/signin/password password" {
		t.Fatalf("after the address: %s", got)
	}
	s.run(press(good+kb.Tab), press(" "))
	if got := s.text(`document.activeElement.id + document.activeElement.checked`); got != "keeptrue" {
		t.Errorf("after the password: %s, want the box to be ticked", got)
	}
	s.run(press(kb.Tab))
	if got := s.text(`document.activeElement.tagName + " " + (getComputedStyle(document.activeElement).outlineStyle !== "none")`); got != "BUTTON true" {
		t.Errorf("then: %s, want a button with an outline", got)
	}
	s.leave(press(kb.Enter))
	if got := s.path(); got != "/account" {
		t.Fatalf("in the end: %s", got)
	}
	s.run(press(kb.Tab))
	if got := s.text(`document.activeElement.className`); got != "skip" {
		t.Errorf("the first stop is %q, want the way to the content", got)
	}
	s.run(press(kb.Enter))
	if got := s.text(`document.activeElement.id`); got != "main" {
		t.Errorf("the way to the content leads to %q", got)
	}
}

// payloads are what somebody types who wants script to run in somebody's browser.
var payloads = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'"></title><svg onload=alert(1)>`, `javascript:alert(1)`,
	`{{.User}}`, "`${alert(1)}`", `</textarea><iframe srcdoc="<script>alert(1)</script>">`, `" autofocus onfocus="alert(1)`,
}

// Whatever people type into any field of any page is shown as text.
func TestWhatPeopleTypeNeverRuns(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	s := h.screen(t)
	s.open("/signin")
	for _, p := range payloads {
		for _, q := range []string{"/signin?email=", "/signin?to=", "/signin?done=", "/verify?token=", "/reset/new?token=", "/signin/password?flow="} {
			s.open(q + url.QueryEscape(p))
		}
		s.open("/signin")
		eval[chromedp.Void](s, `document.querySelector("#email").type = "text"`)
		s.submit(map[string]string{"email": p}, "main button.main")
		s.open("/signup")
		eval[chromedp.Void](s, `document.querySelector("#email").type = "text"`)
		s.submit(map[string]string{"name": p, "email": p, "password": good}, "main button.main")
	}
	s.signIn(u.Email, good)
	for _, p := range payloads {
		s.open("/account/profile")
		eval[chromedp.Void](s, `for (const i of document.querySelectorAll("input:not([type=file],[type=hidden])")) { i.maxLength = 500; i.value = `+quote(p)+` }
			document.querySelector("#username").value = ""; document.querySelector("#phone").value = ""`)
		s.leave(chromedp.Click(chromedp.CSS(`form[action="/account/profile"] button.main`)))
		if got := s.text(`document.querySelector("#shipping-city").value`); got != p {
			t.Errorf("the town is %q, want %q", got, p)
		}
		if _, _, err := h.apikeys.Add(t.Context(), access.Actor{Kind: access.System}, u.ID, "", "", p); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/account", "/account/keys", "/account/sessions", "/account/delete"} {
			s.open(path)
		}
	}
	if trouble, dialogs := s.Trouble(); dialogs > 0 || len(trouble) > 0 {
		t.Errorf("%d dialogs, and %v", dialogs, trouble)
	}
}

func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// A page of somebody else cannot show ours inside of it.
func TestOurPagesAreNotFramed(t *testing.T) {
	h := embedded(t)
	s := h.screen(t)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<main><iframe id="f" src="%s/signin" width="600" height="600"></iframe></main>`, h.site())
	}))
	defer evil.Close()
	s.run(chromedp.Navigate(evil.URL), chromedp.WaitReady(chromedp.CSS("main")))
	reported, _ := s.Trouble()
	refused := strings.Join(reported, " ")
	if !strings.Contains(refused, "frame-ancestors") {
		t.Errorf("the browser says %q, want that the policy forbids the frame", refused)
	}
}
