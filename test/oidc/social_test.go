package oidc

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A town is a house with providers: those of Node.js, and two that can be told to do wrong.
type town struct {
	*servertest.House
	t     *testing.T
	urls  map[string]string
	bent  *socialtest.Issuer
	other *socialtest.Issuer
}

// at is who is signed in at the providers.
type at struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified bool   `json:"verified"`
	Name     string `json:"name"`
}

func socialTown(t *testing.T) *town {
	t.Helper()
	installed(t)
	w := &town{t: t}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	p8 := write("AuthKey.p8", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	secret := write("secret", []byte(socialtest.Secret+"\n"))
	w.launch("APPLE_KEY="+string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})), "TEAM_ID=TEAM123456", "KEY_ID=KEY1234567",
		"CLIENT_ID="+socialtest.ClientID, "CLIENT_SECRET="+socialtest.Secret)
	w.bent, w.other = socialtest.Start(t, time.Now), socialtest.Start(t, time.Now)
	provider := func(kind, id, name, issuer string) server.Social {
		p := server.Social{Kind: kind, Config: social.Config{ID: id, Name: name, Issuer: issuer, ClientID: socialtest.ClientID, AllowPrivate: true}}
		if kind == "apple" {
			p.TeamID, p.KeyID, p.KeyFile = "TEAM123456", "KEY1234567", p8
		} else {
			p.SecretFile = secret
		}
		return p
	}
	w.House = servertest.Start(t, func(c *server.Config) {
		c.Social = []server.Social{
			provider("google", "", "", w.urls["google"]), provider("apple", "", "", w.urls["apple"]), provider("github", "", "", w.urls["github"]),
			provider("oidc", "bent", "Bent", w.bent.URL), provider("oidc", "other", "Other", w.other.URL),
		}
	})
	redirects := map[string]string{}
	for _, id := range []string{"google", "apple", "github"} {
		redirects[id] = w.URL() + "/signin/with/" + id
	}
	w.tell(map[string]any{"redirects": redirects})
	return w
}

// launch runs the providers of Node.js until the test ends.
func (w *town) launch(env ...string) {
	w.t.Helper()
	cmd := exec.Command(runtime(), "provider.mjs")
	cmd.Env = append(append(os.Environ(), "NODE_NO_WARNINGS=1"), env...)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := errors.Join(in.Close(), cmd.Wait()); err != nil || w.t.Failed() {
			w.t.Errorf("the providers ended with %v: %s", err, said.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() { // oidc-provider says what tests should not do in production
		if json.Unmarshal(lines.Bytes(), &w.urls) == nil {
			go func() { _, _ = io.Copy(io.Discard, out) }() // ends with the program
			return
		}
	}
	w.t.Fatalf("the providers do not say where they are: %v", lines.Err())
}

func (w *town) tell(what map[string]any) {
	w.t.Helper()
	text, err := json.Marshal(what)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.Post(w.urls["desk"], "application/json", bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != 200 {
		w.t.Fatalf("the desk answers %s, %v", answer.Status, err)
	}
}

// is says who is at all providers.
func (w *town) is(who at) {
	w.t.Helper()
	w.tell(map[string]any{"person": who})
	for _, i := range []*socialtest.Issuer{w.bent, w.other} {
		i.Become(socialtest.Person(who))
		i.Bend(socialtest.Bend{})
	}
}

// A visitor is a browser without a screen.
type visitor struct {
	w    *town
	http *http.Client
	bare *http.Client // sends no cookies of the house, as browsers do with a form of another site
	code int          // of the last answer
	path string
	body string
}

func (w *town) visitor() *visitor {
	w.t.Helper()
	pool, err := client.Trust(w.CA())
	if err != nil {
		w.t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}, DisableKeepAlives: true}
	return &visitor{w: w, http: &http.Client{Jar: jar, Timeout: time.Minute, Transport: transport},
		bare: &http.Client{Timeout: time.Minute, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (v *visitor) do(c *http.Client, method, address string, form url.Values, header map[string]string) *http.Response {
	v.w.t.Helper()
	r, err := http.NewRequestWithContext(v.w.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.w.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := c.Do(r)
	if err != nil {
		v.w.t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		v.w.t.Fatal(err)
	}
	v.code, v.path, v.body = answer.StatusCode, answer.Request.URL.Path, string(body)
	return answer
}

func (v *visitor) get(path string) { v.w.t.Helper(); v.do(v.http, "GET", v.w.URL()+path, nil, nil) }

var (
	hidden = regexp.MustCompile(`<input type="hidden" name="([a-z_]+)" value="([^"]*)"`)
	onward = regexp.MustCompile(`<a class="button main" href="([^"]+)">`)
	action = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
)

// post sends a form with the hidden fields of the page that is shown.
func (v *visitor) post(path string, form url.Values) {
	v.w.t.Helper()
	all := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(v.body, -1) {
		all.Set(m[1], html.UnescapeString(m[2]))
	}
	for name, value := range form {
		all[name] = value
	}
	v.do(v.http, "POST", v.w.URL()+path, all, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": v.w.URL()})
}

// leave presses a provider's button, and tells where the page leads.
func (v *visitor) leave(provider string) string {
	v.w.t.Helper()
	form := "/signin/social"
	if v.path == "/account/links" {
		form = "/account/links/add"
	} else {
		v.get("/signin")
	}
	v.post(form, url.Values{"provider": {provider}})
	m := onward.FindStringSubmatch(v.body)
	if m == nil {
		v.w.t.Fatalf("no way on to %s: %d %s", provider, v.code, v.body)
	}
	return html.UnescapeString(m[1])
}

// by goes to a provider, says yes, and comes back: by its redirect, or by the form that it has browsers send.
func (v *visitor) by(provider, name string) {
	v.w.t.Helper()
	v.do(v.http, "GET", v.leave(provider), nil, nil)
	if m := action.FindStringSubmatch(v.body); provider == "apple" && m != nil && strings.HasPrefix(m[1], v.w.URL()) {
		v.form(m[1], name)
	}
}

// form sends a provider's form as browsers do: from another site, without our cookies.
func (v *visitor) form(to, name string) {
	v.w.t.Helper()
	all := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(v.body, -1) {
		all.Set(m[1], html.UnescapeString(m[2]))
	}
	if name != "" { // which Apple tells the first time only
		all.Set("user", fmt.Sprintf(`{"name":{"firstName":%q,"lastName":"Bianchi"},"email":"nobody@example.org"}`, name))
	}
	answer := v.do(v.bare, "POST", to, all, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": v.w.urls["apple"]})
	if answer.StatusCode != http.StatusSeeOther {
		v.w.t.Fatalf("the form: %s %s", answer.Status, v.body)
	}
	v.do(v.http, "GET", v.w.URL()+answer.Header.Get("Location"), nil, nil)
}

func (v *visitor) in(email string) bool {
	v.w.t.Helper()
	v.get("/account")
	return v.path == "/account" && strings.Contains(v.body, email)
}

const socialWords = "seven purple kettles sing"

func (v *visitor) signIn(email string) {
	v.w.t.Helper()
	v.get("/signin")
	v.post("/signin", url.Values{"email": {email}})
	v.post("/signin/password", url.Values{"password": {socialWords}})
}

func (w *town) person(email string) {
	w.t.Helper()
	w.Admin("user.add", map[string]string{"email": email, "name": "Somebody", "password": socialWords}, nil)
}

// acts are the entries of the journal about providers.
func (w *town) acts() map[string]int {
	w.t.Helper()
	var all []struct {
		Action string            `json:"action"`
		Detail map[string]string `json:"detail"`
	}
	w.Admin("journal.list", map[string]any{"limit": 1000}, &all)
	n := map[string]int{}
	for _, e := range all {
		if strings.HasPrefix(e.Action, "social:") {
			n[e.Action+" "+e.Detail["provider"]+" "+e.Detail["why"]]++
		}
	}
	return n
}

// One house, and everything that people do with providers, and that others try.
func TestSocialSignIn(t *testing.T) {
	w := socialTown(t)
	t.Run("sign up and in", w.signUpAndIn)
	t.Run("both sides", w.bothSides)
	t.Run("the account's page", w.accountsPage)
	t.Run("refused", w.refused)
	t.Run("in another browser", w.otherBrowser)
}

func (w *town) signUpAndIn(t *testing.T) {
	for n, id := range []string{"google", "apple", "github"} {
		email := id + "@example.org"
		w.is(at{Subject: fmt.Sprint(100 + n), Email: email, Verified: true, Name: "Anna Bianchi"})
		v := w.visitor()
		if v.by(id, "Anna"); v.path != "/signin/social/new" || !strings.Contains(v.body, email) || !strings.Contains(v.body, `value="Anna Bianchi"`) || strings.Contains(v.body, "nobody@") {
			t.Fatalf("%s, the first time: %d %s %s", id, v.code, v.path, v.body)
		}
		if v.post("/signin/social/new", url.Values{"name": {"Anna"}}); !v.in(email) {
			t.Fatalf("%s, after making the account: %d %s", id, v.code, v.body)
		}
		v = w.visitor()
		if v.by(id, ""); !v.in(email) {
			t.Errorf("%s, the second time: %d %s %s", id, v.code, v.path, v.body)
		}
		if n := w.acts()["social:sign-in "+id+" "]; n != 1 {
			t.Errorf("%s: %d sign-ins in the journal: %v", id, n, w.acts())
		}
		// What is not proved makes nothing, and takes nothing over.
		w.is(at{Subject: fmt.Sprint(200 + n), Email: email})
		v = w.visitor()
		if v.by(id, ""); v.code != 403 || v.in(email) {
			t.Errorf("%s, an address that is not proved: %d %s", id, v.code, v.body)
		}
	}
}

func (w *town) bothSides(t *testing.T) {
	w.person("both@example.org")
	w.is(at{Subject: "300", Email: "both@example.org", Verified: true})
	v := w.visitor()
	if v.by("google", ""); v.in("both@example.org") {
		t.Fatal("linked without a proof of its own side")
	}
	if v.by("google", ""); v.path != "/signin/social/new" || strings.Contains(v.body, `action="/signin/social/new"`) {
		t.Fatalf("%d %s %s", v.code, v.path, v.body)
	}
	v.post("/signin/social/own", url.Values{"email": {"both@example.org"}})
	if v.post("/signin/password", url.Values{"password": {"a wrong one, surely"}}); v.code != 401 {
		t.Errorf("a wrong password: %d %s", v.code, v.path)
	}
	if v.post("/signin/password", url.Values{"password": {socialWords}}); v.path != "/account" {
		t.Fatalf("after both proofs: %d %s %s", v.code, v.path, v.body)
	}
	if v.get("/account/links"); !strings.Contains(v.body, `action="/account/links/remove"`) {
		t.Fatalf("after both proofs, no link: %s", v.body)
	}
	v = w.visitor()
	if v.by("google", ""); !v.in("both@example.org") {
		t.Errorf("from then on: %d %s", v.code, v.path)
	}
}

func (w *town) accountsPage(t *testing.T) {
	w.person("page@example.org")
	w.is(at{Subject: "400", Email: "elsewhere@example.net"})
	for _, id := range []string{"github", "apple"} {
		v := w.visitor()
		v.signIn("page@example.org")
		v.get("/account/links")
		if v.by(id, ""); v.path != "/account/links" || !strings.Contains(v.body, "It is linked") {
			t.Fatalf("%s: %d %s %s", id, v.code, v.path, v.body)
		}
		v = w.visitor()
		if v.by(id, ""); !v.in("page@example.org") {
			t.Errorf("%s, from then on: %d %s", id, v.code, v.path)
		}
	}
	v := w.visitor()
	v.signIn("page@example.org")
	for range 2 {
		v.get("/account/links")
		m := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(v.body)
		if m == nil {
			t.Fatalf("no link to take away: %s", v.body)
		}
		if v.post("/account/links/remove", url.Values{"id": {m[1]}}); !strings.Contains(v.body, "It is unlinked") {
			t.Errorf("unlinking: %d %s", v.code, v.body)
		}
	}
	v = w.visitor()
	if v.by("github", ""); v.in("page@example.org") {
		t.Error("unlinked, and in")
	}
	if n := w.acts(); n["social:unlink github "] != 1 || n["social:unlink apple "] != 1 || n["social:link github "] != 2 {
		t.Errorf("the journal: %v", n)
	}
}

// What a provider, or somebody between, does wrong. Whoever is linked must not come in by it.
func (w *town) refused(t *testing.T) {
	w.is(at{Subject: "500", Email: "bent@example.org", Verified: true, Name: "Berta"})
	v := w.visitor()
	v.by("bent", "")
	if v.post("/signin/social/new", url.Values{"name": {"Berta"}}); !v.in("bent@example.org") {
		t.Fatalf("the honest way: %d %s", v.code, v.body)
	}
	answer := func(change func(url.Values)) socialtest.Bend { return socialtest.Bend{Answer: change} }
	sign := func(fn func(i *socialtest.Issuer, claims map[string]any) string) socialtest.Bend {
		return socialtest.Bend{Sign: fn}
	}
	for name, c := range map[string]struct {
		bend socialtest.Bend
		why  string
	}{
		"RFC 9700 4.4.2.1: mix-up, iss of another": {answer(func(v url.Values) { v.Set("iss", w.other.URL) }), "issuer"},
		"RFC 9700 4.4.2.1: mix-up, no iss":         {answer(func(v url.Values) { v.Del("iss") }), "issuer"},
		"RFC 9700 4.5.3.2: another nonce":          {socialtest.With(map[string]any{"nonce": "another"}), "nonce"},
		"RFC 9700 4.5: a code of another":          {answer(func(v url.Values) { v.Set("code", "stolen") }), "code"},
		"RFC 9700 4.7: another state":              {answer(func(v url.Values) { v.Set("state", v.Get("state")+"x") }), "state"},
		"RFC 9700 4.7: no state":                   {answer(func(v url.Values) { v.Del("state") }), "state"},
		"a token of another issuer":                {socialtest.With(map[string]any{"iss": w.other.URL}), "id-token"},
		"a foreign audience":                       {socialtest.With(map[string]any{"aud": "another-client"}), "id-token"},
		"expired":                                  {socialtest.With(map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}), "id-token"},
		"alg none":                                 {sign(func(_ *socialtest.Issuer, c map[string]any) string { return socialtest.Unsigned(c) }), "id-token"},
		"HS256 with the client secret":             {sign(hs256([]byte(socialtest.Secret + "........"))), "id-token"},
		"HS256 with the public key":                {sign(hs256(publicKey(t, w.bent))), "id-token"},
		"an unknown kid": {sign(func(i *socialtest.Issuer, c map[string]any) string {
			return socialtest.Signed(jose.SigningKey{Algorithm: jose.ES256, Key: w.other.Key}, "unknown", c)
		}), "id-token"},
		"a known kid, another key": {sign(func(i *socialtest.Issuer, c map[string]any) string {
			return socialtest.Signed(jose.SigningKey{Algorithm: jose.ES256, Key: w.other.Key}, i.Kid, c)
		}), "id-token"},
	} {
		before := w.acts()["social:refused bent "+c.why]
		w.bent.Bend(c.bend)
		v := w.visitor()
		v.by("bent", "")
		if v.code < 400 || v.code >= 500 || v.in("bent@example.org") {
			t.Errorf("%s: %d %s", name, v.code, v.body)
		}
		if after := w.acts()["social:refused bent "+c.why]; after != before+1 {
			t.Errorf("%s: not refused for %s: %v", name, c.why, w.acts())
		}
		w.Pass(time.Minute) // so that the guard has nothing against the next
	}
	w.bent.Bend(socialtest.Bend{})
	if v := w.visitor(); true {
		if v.by("bent", ""); !v.in("bent@example.org") {
			t.Errorf("honest again: %d %s", v.code, v.body)
		}
	}
}

func hs256(key []byte) func(*socialtest.Issuer, map[string]any) string {
	return func(i *socialtest.Issuer, claims map[string]any) string {
		return socialtest.Signed(jose.SigningKey{Algorithm: jose.HS256, Key: key}, i.Kid, claims)
	}
}

func publicKey(t *testing.T, i *socialtest.Issuer) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(i.Key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// A state belongs to one browser, counts once, and for ten minutes.
func (w *town) otherBrowser(t *testing.T) {
	w.is(at{Subject: "500", Email: "bent@example.org", Verified: true})
	back := func(provider string, answer url.Values) string {
		return "/signin/with/" + provider + "?" + answer.Encode()
	}
	mallory := w.visitor()
	_, hers := w.bent.Visit(t, mallory.leave("bent"))
	victim := w.visitor()
	_, mine := w.bent.Visit(t, victim.leave("bent"))
	if victim.get(back("bent", hers)); victim.code != 412 || victim.in("bent@example.org") {
		t.Errorf("RFC 9700 4.7: login CSRF: %d %s", victim.code, victim.body)
	}
	if mallory.get(back("bent", mine)); mallory.code != 412 || mallory.in("bent@example.org") {
		t.Errorf("RFC 9700 4.5: a stolen answer in another browser: %d %s", mallory.code, mallory.body)
	}
	if victim.get(back("other", mine)); victim.code != 412 || victim.in("bent@example.org") {
		t.Errorf("RFC 9700 4.4.2.2: at the return address of another provider: %d %s", victim.code, victim.body)
	}
	if victim.get(back("bent", mine)); !victim.in("bent@example.org") {
		t.Errorf("its own answer: %d %s", victim.code, victim.body)
	}
	if victim.get(back("bent", mine)); victim.code != 412 {
		t.Errorf("RFC 9700 4.7: a state that was used: %d %s", victim.code, victim.body)
	}
	late := w.visitor()
	_, old := w.bent.Visit(t, late.leave("bent"))
	w.Pass(10 * time.Minute)
	if late.get(back("bent", old)); late.code != 412 || late.in("bent@example.org") {
		t.Errorf("after ten minutes: %d %s", late.code, late.body)
	}
	// Whoever tries answers is refused after a while, as with other guesses.
	guesser, limited := w.visitor(), 0
	for range 24 {
		if guesser.get("/signin/with/bent?state=guess&code=guess"); guesser.code == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited < 4 || limited == 24 {
		t.Errorf("%d of 24 tries are refused by the guard, want those after the twentieth in a minute", limited)
	}
	w.Pass(2 * time.Minute)
	// No other site begins a sign-in either.
	v := w.visitor()
	v.get("/signin")
	v.do(v.http, "POST", w.URL()+"/signin/social", url.Values{"provider": {"bent"}}, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})
	if v.code != 403 {
		t.Errorf("begun by another site: %d", v.code)
	}
}
