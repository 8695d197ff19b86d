package signin

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
)

// provided is a house with second proofs and two providers, which are one issuer.
func provided(t *testing.T) (*house, *socialtest.Issuer) {
	t.Helper()
	h := embedded(t)
	h.full()
	i := socialtest.Start(t, h.Now)
	h.withSocial(i.Config("school", social.OIDC), i.Config("github", social.GitHub))
	return h, i
}

var onward = regexp.MustCompile(`<a class="button main" href="([^"]+)">`)

// leave presses a provider's button, and tells where the page leads.
func (b *browser) leave(form, provider string) string {
	b.t.Helper()
	a := b.submit(form, url.Values{"provider": {provider}})
	m := onward.FindStringSubmatch(b.body)
	if m == nil {
		b.t.Fatalf("no way on to %s: %d %s", provider, a.StatusCode, b.body)
	}
	to := html.UnescapeString(m[1])
	if got := a.Header.Get("Refresh"); got != "0; url="+to {
		b.t.Errorf("the page leads on to %q, its link to %q", got, to)
	}
	if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self';") {
		b.t.Errorf("the policy is %s", csp)
	}
	return to
}

// by presses a provider's button, says yes there, and comes back.
func (b *browser) by(i *socialtest.Issuer, form, provider string) *http.Response {
	b.t.Helper()
	to, answer := i.Visit(b.t, b.leave(form, provider))
	if to != "https://example.org/signin/with/"+provider {
		b.t.Fatalf("led back to %s", to)
	}
	return b.get("/signin/with/" + provider + "?" + answer.Encode())
}

func TestAStrangerOfAProviderMakesAnAccount(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	b := h.browser()
	b.get("/signin?to=/account/keys")
	if b.by(i, "/signin/social", "school"); b.path != "/signin/social/new" || !strings.Contains(b.body, "anna@example.org") || !strings.Contains(b.body, `value="Anna Bianchi"`) {
		t.Fatalf("%s %s", b.path, b.body)
	}
	if all, _ := h.accounts.List(t.Context()); len(all) != 0 {
		t.Fatal("an account is made before anybody said so")
	}
	if a := b.submit("/signin/social/new", url.Values{"name": {""}}); a.StatusCode != 400 || !strings.Contains(b.body, "1 to 128") {
		t.Errorf("no name: %d %s", a.StatusCode, b.body)
	}
	if b.submit("/signin/social/new", url.Values{"name": {"Anna"}}); b.path != "/account/keys" {
		t.Fatalf("after making it: %s %s", b.path, b.body)
	}
	u, err := h.accounts.Find(t.Context(), "anna@example.org")
	if err != nil || !u.Verified() || u.Name != "Anna" {
		t.Fatalf("%+v, %v", u, err)
	}
	if has, err := h.accounts.HasPassword(t.Context(), u.ID); err != nil || has {
		t.Errorf("has a password: %v, %v", has, err)
	}
	if a := h.browser().signIn(u.Email, ""); a.StatusCode != 401 {
		t.Errorf("without a password, by an empty one: %d", a.StatusCode)
	}

	// From then on the button is enough, and what the provider says of the address counts for nothing.
	i.Become(socialtest.Person{Subject: "1001", Email: "other@example.org", Name: "Somebody"})
	b = h.browser()
	b.get("/signin")
	if b.by(i, "/signin/social", "school"); b.path != "/account" || !strings.Contains(b.body, "anna@example.org") {
		t.Errorf("the second time: %s %s", b.path, b.body)
	}
	if all, _ := h.accounts.List(t.Context()); len(all) != 1 {
		t.Errorf("%d accounts", len(all))
	}
	for _, s := range must(h.Sessions(t.Context(), u.ID)) {
		if s.ACR() != "1" || !s.Has(methodSocial) {
			t.Errorf("a session by %v is as sure as %s", s.Methods, s.ACR())
		}
	}

	// The copy of one's data tells of it.
	archive := must(h.Export(t.Context(), u.ID))
	file, err := must(zip.NewReader(bytes.NewReader(archive), int64(len(archive)))).Open("account.json")
	if err != nil {
		t.Fatal(err)
	}
	var told wireExport
	if err := errors.Join(json.NewDecoder(file).Decode(&told), file.Close()); err != nil || len(told.Links) != 1 || told.Links[0].Subject != "1001" || told.Links[0].Issuer != i.URL || told.Links[0].UsedAt == nil {
		t.Errorf("the copy tells %+v, %v", told.Links, err)
	}

	// What such an account proves again, it proves at its provider; and it keeps a way in.
	if b.get("/account/links"); !strings.Contains(b.body, "Test school") {
		t.Fatalf("the links: %s", b.body)
	}
	if a := b.submit("/account/links/remove", nil); a.StatusCode != 412 || !strings.Contains(b.body, "only way in") {
		t.Errorf("taking the only way away: %d %s", a.StatusCode, b.body)
	}
	h.Pass(freshFor)
	if b.get("/account/password"); b.path != "/signin/password" || strings.Contains(b.body, `type="password"`) || !strings.Contains(b.body, "Test school") || strings.Contains(b.body, "Test github") {
		t.Fatalf("proving it again: %s %s", b.path, b.body)
	}
	i.Become(socialtest.Person{Subject: "1002", Email: "anna@example.org", Verified: true})
	if a := b.by(i, "/signin/social", "school"); a.StatusCode != 403 || !strings.Contains(b.body, "not linked to yours") {
		t.Errorf("by somebody else there: %d %s", a.StatusCode, b.body)
	}
	i.Become(socialtest.Person{Subject: "1001"})
	if b.by(i, "/signin/social", "school"); b.path != "/account/password" {
		t.Fatalf("after proving it: %s %s", b.path, b.body)
	}
	if b.submit("/account/password", url.Values{"password": {good}}); b.path != "/account" {
		t.Fatalf("the first password: %s %s", b.path, b.body)
	}
	b.get("/account/links")
	if b.submit("/account/links/remove", nil); b.path != "/account/links" || !strings.Contains(b.body, "It is unlinked") {
		t.Errorf("with a password: %s %s", b.path, b.body)
	}
	if l := h.letter("social-unlinked"); l.Fields["provider"] != "Test school" || l.Fields["link"] == "" {
		t.Errorf("the letter: %+v", l)
	}
	if h.browser().signIn(u.Email, good); t.Failed() {
		t.FailNow()
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// an address that a provider has seen proved takes no account over. The account proves its own side.
func TestAnAccountThatIsThereProvesItsOwnSide(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	u := h.person("anna@example.org")
	h.factors.totp[u.ID] = map[string]bool{"111111": true, "222222": true, "333333": true}
	linked := func() int { return len(must(h.needs.Social.Of(t.Context(), u.ID))) }
	b := h.browser()
	b.get("/signup")
	if b.by(i, "/signin/social", "school"); b.path != "/signin/social/new" || !strings.Contains(b.body, "There is an account with this address") || strings.Contains(b.body, `action="/signin/social/new"`) {
		t.Fatalf("%s %s", b.path, b.body)
	}
	if a := b.submit("/signin/social/new", url.Values{"name": {"Mallory"}}); a.StatusCode != 409 {
		t.Errorf("an account with its address: %d %s", a.StatusCode, b.body)
	}
	if b.submit("/signin/social/own", url.Values{"email": {u.Email}}); b.path != "/signin/password" || !strings.Contains(b.body, "With this sign-in") || strings.Contains(b.body, "Continue with") {
		t.Fatalf("to its own side: %s %s", b.path, b.body)
	}
	if a := b.submit("/signin/password", url.Values{"password": {"wrong"}}); a.StatusCode != 401 || !strings.Contains(b.body, "With this sign-in") {
		t.Errorf("a wrong password: %d %s", a.StatusCode, b.body)
	}
	if b.submit("/signin/password", url.Values{"password": {good}}); b.path != "/signin/second" || linked() != 0 {
		t.Fatalf("after the password alone: %s, %d links", b.path, linked())
	}
	h.post()
	if b.submit("/signin/second", url.Values{"code": {"111111"}}); b.path != "/account/links" || !strings.Contains(b.body, "It is linked") || linked() != 1 {
		t.Fatalf("after both: %s, %d links: %s", b.path, linked(), b.body)
	}
	if l := h.letter("social-linked"); l.To != u.ID || l.Fields["provider"] != "Test school" {
		t.Errorf("the letter: %+v", l)
	}

	// The second step stays.
	b = h.browser()
	b.get("/signin")
	if b.by(i, "/signin/social", "school"); b.path != "/signin/second" {
		t.Fatalf("by the provider: %s %s", b.path, b.body)
	}
	if b.get("/account"); b.path != "/signin" {
		t.Errorf("the provider's word alone lets in: %s", b.path)
	}
	b.get("/signin")
	b.by(i, "/signin/social", "school")
	if b.submit("/signin/second", url.Values{"code": {"222222"}}); b.path != "/account" {
		t.Errorf("after both: %s %s", b.path, b.body)
	}
	for _, s := range must(h.Sessions(t.Context(), u.ID)) {
		if s.ACR() != "2" {
			t.Errorf("a session by %v is as sure as %s", s.Methods, s.ACR())
		}
	}
	// Whoever has a password proves it again with that.
	h.Pass(freshFor)
	if b.get("/account/links"); strings.Contains(b.body, "Continue with") {
		t.Errorf("the links: %s", b.body)
	}
	if b.submit("/account/links/remove", nil); b.path != "/signin/password" || strings.Contains(b.body, "Continue with") {
		t.Errorf("proving it again: %s %s", b.path, b.body)
	}
	if a := b.submit("/signin/social", url.Values{"provider": {"school"}}); a.StatusCode != 403 || !strings.Contains(b.body, "Prove it here") {
		t.Errorf("at the provider after all: %d %s", a.StatusCode, b.body)
	}

	for name, c := range map[string]struct {
		change func(bool) error
		want   int
		says   string
	}{
		"frozen": {func(on bool) error { return h.accounts.Freeze(t.Context(), person(u.ID), u.ID) }, 401, "This account is"},
		"disabled": {func(on bool) error {
			_, err := h.accounts.Disable(t.Context(), person(u.ID), u.ID, on)
			return err
		}, 401, "This account is disabled"},
	} {
		if err := c.change(true); err != nil {
			t.Fatal(err)
		}
		b = h.browser()
		b.get("/signin")
		if a := b.by(i, "/signin/social", "school"); a.StatusCode != c.want || b.path == "/account" || !strings.Contains(b.body, c.says) {
			t.Errorf("%s: %d %s %s", name, a.StatusCode, b.path, b.body)
		}
	}
}

// Neither what is shown nor what is done tells whether there is an account, unless the address was proved to the provider.
func TestAnAddressThatIsNotProvedDoesNothing(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	h.person("anna@example.org")
	var first string
	for n, p := range []socialtest.Person{
		{Subject: "1", Email: "anna@example.org"},   // of an account
		{Subject: "2", Email: "nobody@example.org"}, // of nobody
		{Subject: "3"},
		{Subject: "4", Verified: true},
	} {
		i.Become(p)
		for _, provider := range []string{"school", "github"} {
			if provider == "github" && p.Email == "" {
				continue // GitHub's people have one
			}
			b := h.browser()
			b.get("/signin")
			a := b.by(i, "/signin/social", provider)
			if a.StatusCode != 403 || !strings.Contains(b.body, "does not say that its e-mail address is yours") {
				t.Errorf("%+v by %s: %d %s", p, provider, a.StatusCode, b.body)
			}
			shown := regexp.MustCompile(`value="[^"]*"|with/[^"]*`).ReplaceAllString(b.body, "")
			if first == "" {
				first = shown
			} else if shown != first {
				t.Errorf("person %d by %s is shown another page", n, provider)
			}
		}
	}
	if all := must(h.accounts.List(t.Context())); len(all) != 1 {
		t.Errorf("%d accounts", len(all))
	}
	// Where the operator makes the accounts it says so; the address's own account can still be linked.
	h.needs.SignUp = false
	i.Become(socialtest.Person{Subject: "5", Email: "new@example.org", Verified: true})
	b := h.browser()
	b.get("/signin")
	if b.by(i, "/signin/social", "school"); b.path != "/signin/social/new" || strings.Contains(b.body, `action="/signin/social/new"`) {
		t.Errorf("a closed house: %s %s", b.path, b.body)
	}
	if a := b.submit("/signin/social/new", url.Values{"name": {"Anna"}}); a.StatusCode != 403 {
		t.Errorf("an account of a closed house: %d", a.StatusCode)
	}
}

func TestAPersonLinksAndUnlinksOnTheAccountsPage(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	u, other := h.person("anna@example.org"), h.person("berta@example.org")
	i.Become(socialtest.Person{Subject: "1", Email: "elsewhere@example.net"}) // the address says nothing here
	b := h.browser()
	b.signIn(u.Email, good)
	b.get("/account/links")
	if b.by(i, "/account/links/add", "github"); b.path != "/account/links" || !strings.Contains(b.body, "It is linked") {
		t.Fatalf("%s %s", b.path, b.body)
	}
	h.letter("social-linked")
	i.Become(socialtest.Person{Subject: "2"})
	if a := b.by(i, "/account/links/add", "github"); a.StatusCode != 409 || !strings.Contains(b.body, "Unlink that one first") {
		t.Errorf("a second one: %d %s", a.StatusCode, b.body)
	}
	i.Become(socialtest.Person{Subject: "1"})
	thief := h.browser()
	thief.signIn(other.Email, good)
	thief.get("/account/links")
	if a := thief.by(i, "/account/links/add", "github"); a.StatusCode != 409 || strings.Contains(thief.body, u.Email) {
		t.Errorf("somebody else's: %d %s", a.StatusCode, thief.body)
	}
	// A proof of more than five minutes ago is not enough, neither before nor after the way to the provider.
	_, answer := i.Visit(t, b.leave("/account/links/add", "school"))
	h.Pass(freshFor)
	if b.get("/signin/with/school?" + answer.Encode()); b.path != "/signin/password" {
		t.Errorf("after the proof is old: %s %s", b.path, b.body)
	}
	if b.post("/account/links/add", url.Values{"provider": {"school"}}); b.path != "/signin/password" {
		t.Errorf("with an old proof: %s", b.path)
	}
	b.submit("/signin/password", url.Values{"password": {good}})
	if b.path != "/account/links" {
		t.Fatalf("after proving it: %s", b.path)
	}
	// Whoever signed out meanwhile, or is somebody else, links nothing.
	_, answer = i.Visit(t, b.leave("/account/links/add", "school"))
	b.post("/signout", nil)
	if a := b.get("/signin/with/school?" + answer.Encode()); a.StatusCode != 412 {
		t.Errorf("signed out meanwhile: %d %s", a.StatusCode, b.body)
	}
	b.signIn(u.Email, good)
	b.get("/account/links")
	if b.submit("/account/links/remove", nil); !strings.Contains(b.body, "It is unlinked") {
		t.Errorf("unlinking: %s", b.body)
	}
	if all := must(h.needs.Social.Of(t.Context(), u.ID)); len(all) != 0 {
		t.Errorf("links are left: %+v", all)
	}
}

// What is tried with the answer of a provider, as the browser brings it.
func TestAnswersThatNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	i.Become(socialtest.Person{Subject: "1", Email: "mallory@example.org", Verified: true})
	mallory := h.browser()
	mallory.get("/signin")
	_, hers := i.Visit(t, mallory.leave("/signin/social", "school"))
	victim := h.browser()
	victim.get("/signin")
	_, mine := i.Visit(t, victim.leave("/signin/social", "school"))
	swapped := func(state, code string) string {
		return "state=" + url.QueryEscape(state) + "&code=" + code + "&iss=" + url.QueryEscape(i.URL)
	}
	for _, c := range []struct{ name, at, query string }{
		{"RFC 9700 4.7: login CSRF, another browser's answer", "school", hers.Encode()},
		{"RFC 9700 4.7: no state", "school", "code=" + mine.Get("code")},
		{"RFC 9700 4.7: another state", "school", swapped(mine.Get("state")+"x", mine.Get("code"))},
		{"RFC 9700 4.7: the flow alone", "school", swapped(strings.Split(mine.Get("state"), ".")[0], mine.Get("code"))},
		{"RFC 9700 4.4.2.2: at the return address of another provider", "github", mine.Encode()},
		{"nothing at all", "school", ""},
		{"a seal that is none", "school", "answer=AAAA"},
	} {
		if a := victim.get("/signin/with/" + c.at + "?" + c.query); a.StatusCode < 400 || a.StatusCode >= 500 {
			t.Errorf("%s: %d %s", c.name, a.StatusCode, victim.body)
		}
		if victim.get("/account"); victim.path != "/signin" {
			t.Fatalf("%s: signed in", c.name)
		}
	}
	if a := victim.get("/signin/with/somebody-else?" + mine.Encode()); a.StatusCode != 404 {
		t.Errorf("a provider that there is not: %d", a.StatusCode)
	}
	// None of that harmed the journey that is under way; it counts once.
	if victim.get("/signin/with/school?" + mine.Encode()); victim.path != "/signin/social/new" {
		t.Fatalf("its own answer: %s %s", victim.path, victim.body)
	}
	if a := victim.get("/signin/with/school?" + mine.Encode()); a.StatusCode != 412 {
		t.Errorf("the same answer again: %d", a.StatusCode)
	}
	bad := 0
	h.mu.Lock()
	for _, try := range h.tries {
		if try.Act == ActSocial {
			bad++
		}
	}
	h.mu.Unlock()
	if bad != 8 { // all but the seal that is none, which is no answer
		t.Errorf("the guard was asked %d times", bad)
	}
	// A question that another one followed is over; so is one of more than ten minutes ago.
	b := h.browser()
	b.get("/signin")
	_, early := i.Visit(t, b.leave("/signin/social", "school"))
	b.get("/signin")
	b.submit("/signin", url.Values{"email": {"anna@example.org"}})
	_, first := i.Visit(t, b.leave("/signin/social", "school"))
	b.get("/signin/password?" + url.Values{"flow": {strings.Split(first.Get("state"), ".")[0]}}.Encode())
	_, second := i.Visit(t, b.leave("/signin/social", "school"))
	if a := b.get("/signin/with/school?" + first.Encode()); a.StatusCode != 412 {
		t.Errorf("the question before: %d", a.StatusCode)
	}
	h.Pass(10 * time.Minute)
	for name, late := range map[string]url.Values{"the flow": second, "another one of this browser": early} {
		if a := b.get("/signin/with/school?" + late.Encode()); a.StatusCode != 412 || !strings.Contains(b.body, "more than ten minutes") {
			t.Errorf("%s after ten minutes: %d %s", name, a.StatusCode, b.body)
		}
	}
	// RFC 9700, section 4.7.1, at the beginning: no other site begins a sign-in.
	r, err := http.NewRequestWithContext(t.Context(), "POST", b.base+"/signin/social", strings.NewReader("provider=school"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	if a := b.do(r); a.StatusCode != 403 {
		t.Errorf("begun by another site: %d", a.StatusCode)
	}
}

// An answer by form comes from the provider's page, without cookies.
func TestAnAnswerByFormIsHandedOn(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	b := h.browser()
	b.get("/signin")
	_, answer := i.Visit(t, b.leave("/signin/social", "school"))
	answer.Set("user", `{"name":{"firstName":"Anna"}}`)
	bare := &http.Client{Transport: h.server.Client().Transport, CheckRedirect: b.c.CheckRedirect}
	post := func(body string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", b.base+"/signin/with/school", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Origin", "https://appleid.apple.com")
		a, err := bare.Do(r)
		if err := errors.Join(err, a.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := post("state=" + strings.Repeat("x", 5000)); a.StatusCode != 400 {
		t.Errorf("a long answer: %d", a.StatusCode)
	}
	if a := post("state=" + strings.Repeat("x", maxForm)); a.StatusCode != 413 {
		t.Errorf("a very long answer: %d", a.StatusCode)
	}
	a := post(answer.Encode())
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, "/signin/with/school?answer=") || strings.Contains(to, answer.Get("code")) || len(a.Cookies()) != 0 {
		t.Fatalf("RFC 9700 4.3 and 4.12: led on by %d to %s", a.StatusCode, to)
	}
	other := strings.Replace(to, "/school", "/github", 1)
	if a := b.get(other); a.StatusCode != 400 {
		t.Errorf("sealed for another provider: %d", a.StatusCode)
	}
	if b.get(to); b.path != "/signin/social/new" {
		t.Fatalf("handed on: %s %s", b.path, b.body)
	}
	if a := b.get(to); a.StatusCode != 412 {
		t.Errorf("handed on again: %d", a.StatusCode)
	}
}

// What goes wrong at a provider is said in a sentence, in the reader's language, and what cannot be believed ends a flow in the end.
func TestTroubleWithAProviderIsSaid(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	b := h.browser()
	b.post("/signin/lang", url.Values{"lang": {"it"}})
	for name, c := range map[string]struct {
		bend socialtest.Bend
		want int
		says string
	}{
		"no":     {socialtest.Bend{Answer: func(v url.Values) { v.Del("code"); v.Set("error", "access_denied") }}, 412, "Non hai fatto l&#39;accesso"},
		"broken": {socialtest.Bend{Answer: func(v url.Values) { v.Del("code"); v.Set("error", "<b>") }}, 503, "non risponde come dovrebbe"},
		"forged": {socialtest.With(map[string]any{"nonce": "x"}), 401, "non è affidabile"},
	} {
		i.Bend(c.bend)
		b.get("/signin")
		if a := b.by(i, "/signin/social", "school"); a.StatusCode != c.want || !strings.Contains(b.body, c.says) || strings.Contains(b.body, "<b>") {
			t.Errorf("%s: %d %s", name, a.StatusCode, b.body)
		}
	}
	b.get("/signin")
	b.submit("/signin", url.Values{"email": {"anna@example.org"}})
	i.Bend(socialtest.With(map[string]any{"nonce": "x"}))
	for n := range maxAnswers {
		a := b.by(i, "/signin/social", "school")
		if closed := strings.Contains(b.body, "Troppi tentativi"); closed != (n == maxAnswers-1) || a.StatusCode != 401 {
			t.Errorf("forged answer %d: %d, closed %v", n+1, a.StatusCode, closed)
		}
		if n < maxAnswers-1 && !strings.Contains(b.body, `action="/signin/password"`) {
			t.Fatalf("forged answer %d: %s", n+1, b.body)
		}
	}
	i.Bend(socialtest.Bend{Document: func(d map[string]any) { d["issuer"] = "https://evil.example" }})
	h.Pass(time.Hour)
	b.get("/signin")
	if a := b.submit("/signin/social", url.Values{"provider": {"school"}}); a.StatusCode != 503 || !strings.Contains(b.body, "non risponde") || a.Header.Get("Refresh") != "" {
		t.Errorf("a provider that cannot be asked: %d %s", a.StatusCode, b.body)
	}
	b.get("/signin")
	if a := b.submit("/signin/social", url.Values{"provider": {"nobody"}}); a.StatusCode != 404 {
		t.Errorf("a provider that there is not: %d", a.StatusCode)
	}
	h.mu.Lock()
	h.refuse = problem.New(problem.Limited, "limited", "Later.").After(10 * time.Minute)
	h.mu.Unlock()
	if a := b.get("/signin/with/school?state=x"); a.StatusCode != 429 {
		t.Errorf("refused by the guard: %d", a.StatusCode)
	}
}

// An account that a crash kept from being made, and two who make it at the same time.
func TestOneAccountIsMadeOfOneStranger(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		i := socialtest.Start(t, h.Now)
		h.withSocial(i.Config("school", social.OIDC))
		c := tab
		vouched := func() Ref {
			t.Helper()
			ref, browser, err := h.Begin(t.Context(), c, Beginning{})
			if err != nil {
				t.Fatal(err)
			}
			c.Browser = browser
			address, err := h.Depart(t.Context(), c, ref, "school")
			if err != nil {
				t.Fatal(err)
			}
			_, answer := i.Visit(t, address)
			f, ref, _, err := h.Answer(t.Context(), c, Session{}, "school", answer)
			if err != nil || f.State != Vouched {
				t.Fatalf("state %d, %v", f.State, err)
			}
			_, ref, err = h.At(t.Context(), c, ref.Token)
			if err != nil {
				t.Fatal(err)
			}
			return ref
		}
		claim := social.Claim{Provider: "school", Issuer: i.URL, Subject: "1001"}
		if err := h.needs.Social.Link(t.Context(), person("nobody"), "nobody", claim); err != nil { // and the power goes off
			t.Fatal(err)
		}
		h.Pass(time.Minute)
		refs := []Ref{vouched(), vouched(), vouched()}
		errs := make(chan error, len(refs))
		for _, ref := range refs {
			go func() {
				_, err := h.JoinVouched(t.Context(), c, ref, "Anna")
				errs <- err
			}()
		}
		made := 0
		for range refs {
			switch err := <-errs; {
			case err == nil:
				made++
			case !errors.Is(err, social.ErrTaken) && !errors.Is(err, social.ErrBusy) && !errors.Is(err, ErrThere):
				t.Error(err)
			}
		}
		all := must(h.accounts.List(t.Context()))
		if made != 1 || len(all) != 1 {
			t.Fatalf("%d were made, and there are %d", made, len(all))
		}
		if user, _, err := h.needs.Social.Find(t.Context(), claim); err != nil || user != all[0].ID {
			t.Errorf("Find = %s, %v", user, err)
		}
	})
}

// Whatever a crash came between, the button makes the account when it is pressed again.
func TestTheButtonIsPressedAgainAfterACrash(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]func(h *house, f Flow) error{
		"after the link": func(h *house, f Flow) error {
			return h.needs.Social.Link(h.t.Context(), person(f.Claim.Account), f.Claim.Account, f.Claim.Claim)
		},
		"after the account": func(h *house, f Flow) error {
			_, err := h.makeVouched(h.t.Context(), *f.Claim, "Anna")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, i := provided(t)
			b := h.browser()
			b.get("/signin")
			b.by(i, "/signin/social", "school")
			r, err := http.NewRequestWithContext(t.Context(), "GET", b.base+"/signin", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			for _, cookie := range b.c.Jar.Cookies(r.URL) {
				r.AddCookie(cookie)
			}
			token := ""
			for _, m := range hidden.FindAllStringSubmatch(b.body, -1) {
				if m[1] == "flow" {
					token = m[2]
				}
			}
			f, _, err := h.At(t.Context(), clientOf(r), token)
			if err != nil {
				t.Fatal(err)
			}
			if err := crash(h, f); err != nil {
				t.Fatal(err)
			}
			if a := b.submit("/signin/social/new", url.Values{"name": {"Anna"}}); b.path != "/account" {
				t.Fatalf("pressed again: %d %s %s", a.StatusCode, b.path, b.body)
			}
			all := must(h.accounts.List(t.Context()))
			if len(all) != 1 || all[0].ID != f.Claim.Account {
				t.Fatalf("there are %+v", all)
			}
			if user, _, err := h.needs.Social.Find(t.Context(), f.Claim.Claim); err != nil || user != all[0].ID {
				t.Errorf("Find = %s, %v", user, err)
			}
		})
	}
}

// A password that is somebody else's makes no link, and a link that came too late is not made.
func TestALinkNeedsBothSidesInTime(t *testing.T) {
	t.Parallel()
	h, i := provided(t)
	u := h.person("anna@example.org")
	b := h.browser()
	b.get("/signin")
	b.by(i, "/signin/social", "school")
	b.submit("/signin/social/own", url.Values{"email": {u.Email}})
	h.Pass(vouchedFor)
	if b.submit("/signin/password", url.Values{"password": {good}}); b.path != "/account/links" || !strings.Contains(b.body, "more than ten minutes") {
		t.Errorf("%s %s", b.path, b.body)
	}
	if all := must(h.needs.Social.Of(t.Context(), u.ID)); len(all) != 0 {
		t.Errorf("linked: %+v", all)
	}
	b = h.browser()
	b.get("/signin")
	b.by(i, "/signin/social", "school")
	b.submit("/signin/social/own", url.Values{"email": {u.Email}})
	b.submit("/signin/other", nil) // who goes back begins anew
	if b.signIn(u.Email, good); b.path != "/account" {
		t.Errorf("%s %s", b.path, b.body)
	}
	if all := must(h.needs.Social.Of(t.Context(), u.ID)); len(all) != 0 {
		t.Errorf("linked after going back: %+v", all)
	}
}

// brokenRing has no key of anybody.
type brokenRing struct{ ring }

func (brokenRing) Person(context.Context, string) (keys.Sealer, error) {
	return nil, errors.New("the keyring is away")
}

// Whatever becomes of the link, who has proved to be the account's person is signed in, and goes on to where they came from.
func TestWhoLinksOnTheWayGoesOn(t *testing.T) {
	t.Parallel()
	const program = "/oauth2/authorize?client_id=x&state=1"
	for _, c := range []struct {
		name, to, want, says string
		broken               bool
		pass                 time.Duration
	}{
		{name: "to a program", to: program, want: "/oauth2/authorize"},
		{name: "to a page of the account", to: "/account/keys?x=1", want: "/account/keys", says: "It is linked"},
		{name: "nowhere", want: "/account/links", says: "It is linked"},
		{name: "too late, to a program", to: program, want: "/signin/password", says: "was not linked", pass: vouchedFor},
		{name: "too late, nowhere", want: "/account/links", says: "more than ten minutes", pass: vouchedFor},
		{name: "with a fault of ours, to a program", to: program, want: "/signin/password", says: "was not linked", broken: true},
		{name: "with a fault of ours, nowhere", want: "/account/links", says: "could not be linked now", broken: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, i := provided(t)
			u := h.person("anna@example.org")
			b := h.browser()
			b.get("/signin?" + url.Values{"to": {c.to}}.Encode())
			b.by(i, "/signin/social", "school")
			b.submit("/signin/social/own", url.Values{"email": {u.Email}})
			h.Pass(c.pass)
			working := h.needs.Social
			if c.broken {
				known := func(context.Context, string) (bool, error) { return true, nil }
				h.needs.Social = must(social.New(social.Needs{Store: social.SQL(h.db), Keys: brokenRing{}, Policy: h.policy, Known: known, Now: h.Now, Providers: h.providers()}))
			}
			b.submit("/signin/password", url.Values{"password": {good}})
			if b.path != c.want || !strings.Contains(b.body, c.says) {
				t.Errorf("%s: %s", b.path, b.body)
			}
			if c.to != "" && c.want == "/signin/password" && !strings.Contains(b.body, `href="`+html.EscapeString(c.to)+`"`) {
				t.Errorf("no way on: %s", b.body)
			}
			h.needs.Social = working
			if b.get("/account"); b.path != "/account" {
				t.Errorf("signed in: %s", b.path)
			}
			links := must(working.Of(t.Context(), u.ID))
			if want := !c.broken && c.pass == 0; (len(links) == 1) != want {
				t.Errorf("links %+v", links)
			}
		})
	}
}

// Without a password, and with a passkey alone, the passkey stays.
func TestTheLastWayInIsNotTakenAway(t *testing.T) {
	t.Parallel()
	h, _ := provided(t)
	id := account.NewID()
	u, err := h.accounts.Vouched(t.Context(), id, "anna@example.org", "Anna")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.accounts.Vouched(t.Context(), account.NewID(), "Anna@example.org", "Anna"); !errors.Is(err, account.ErrTaken) {
		t.Errorf("the same address again: %v", err)
	}
	h.factors.passkeys["one"] = u.ID
	for n, want := range []bool{true, false, false} {
		last, err := h.lastWay(t.Context(), u.ID, "one")
		if err != nil || last != want {
			t.Errorf("%d: %v, %v", n, last, err)
		}
		switch n {
		case 0:
			err = h.needs.Social.Link(t.Context(), person(u.ID), u.ID, social.Claim{Provider: "github", Issuer: h.issuerOf("github"), Subject: "1"})
		case 1:
			h.factors.passkeys["two"] = u.ID
			err = h.needs.Social.Forget(t.Context(), u.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// issuerOf is what a provider's people are kept under.
func (h *house) issuerOf(id string) string {
	for _, p := range h.providers() {
		if p.ID == id && p.Kind == social.GitHub {
			return p.Issuer + "/login/oauth"
		}
	}
	return fmt.Sprint("no ", id)
}
