package signin

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
)

// Pages on the way by a provider: they lead there and back without script, under a policy that names no
// other origin, and with the keyboard alone.
func TestTheWayByAProviderInABrowser(t *testing.T) {
	h := embedded(t)
	h.full()
	i := socialtest.Start(t, h.Now)
	// 204 leaves a browser where it is.
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(silent.Close)
	github := i.Config("github", social.GitHub)
	github.Issuer, github.Name = silent.URL, "GitHub"
	school := i.Config("school", social.OIDC)
	school.Name = "Scuola media statale di Torino"
	h.withSocial(school, github)
	s := h.screen(t)
	press := func(keys string) chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(keys) }
	to := func(provider string) chromedp.Action[chromedp.Void] {
		s.run(chromedp.Focus(chromedp.CSS(`button[value="` + provider + `"]`)))
		if got := s.text(`getComputedStyle(document.activeElement).outlineStyle`); got == "none" {
			t.Error("nobody sees where the focus is")
		}
		return press(kb.Enter)
	}
	until := func(selector string) { s.run(chromedp.WaitReady(chromedp.CSS(selector))) }

	// While the provider says nothing, the page that leads there stays.
	s.open("/signin")
	s.judge("social-signin")
	for range 10 {
		s.run(to("github"))
		until("main a.main")
		if eval[bool](s, `document.styleSheets.length > 0`) {
			break
		}
		s.open("/signin") // the way on was faster than the page's style, which is as it should be, and cannot be judged
	}
	if got := s.text(`document.querySelector("main a.main").host`); got != silent.Listener.Addr().String() {
		t.Errorf("the page leads to %s", got)
	}
	s.judge("social-away")

	s.open("/signup")
	s.judge("social-signup")
	s.run(to("school"))
	until("#new")
	s.judge("social-vouched")
	s.submit(nil, "main button.main")
	if got := s.path(); got != "/account" {
		t.Fatalf("after making the account: %s", got)
	}
	s.open("/account/links")
	s.judge("social-links")
	h.Pass(freshFor)
	s.open("/account/password")
	s.judge("social-again")
	s.run(to("school"))
	until("#password")
	if got := s.path(); got != "/account/password" {
		t.Fatalf("after proving it: %s", got)
	}

	// Somebody whose address has an account.
	h.person("berta@example.org")
	i.Become(socialtest.Person{Subject: "2", Email: "berta@example.org", Verified: true})
	o := h.screen(t)
	o.open("/signin")
	o.run(chromedp.Click(chromedp.CSS(`button[value="school"]`)), chromedp.WaitReady(chromedp.CSS("#own")))
	o.judge("social-there")
	o.submit(nil, "main button.main")
	o.judge("social-prove")
	o.submit(map[string]string{"password": good}, "main button.main")
	if got := o.path(); got != "/account/links" {
		t.Fatalf("after both proofs: %s", got)
	}
	o.judge("social-linked")
	o.submit(nil, "button.danger")
	o.judge("social-unlinked")
	// Somebody who takes too long, on the way to a program.
	h.person("dora@example.org")
	i.Become(socialtest.Person{Subject: "4", Email: "dora@example.org", Verified: true})
	q := h.screen(t)
	q.open("/signin?to=%2Foauth2%2Fauthorize%3Fclient_id%3Dx")
	q.run(chromedp.Click(chromedp.CSS(`button[value="school"]`)), chromedp.WaitReady(chromedp.CSS("#own")))
	q.submit(nil, "main button.main")
	h.Pass(vouchedFor)
	q.submit(map[string]string{"password": good}, "main button.main")
	q.judge("social-not-linked")
	// What was wrong.
	p := h.screen(t)
	i.Become(socialtest.Person{Subject: "3", Email: "carla@example.org"})
	p.open("/signin")
	p.run(chromedp.Click(chromedp.CSS(`button[value="school"]`)), chromedp.WaitReady(chromedp.CSS("#problem")))
	p.judge("social-unproved")
}
