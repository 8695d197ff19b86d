package oauth

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// A box seals as the key ring does: whatever is changed is noticed.
type box struct{ aead cipher.AEAD }

func newBox(t testing.TB) keys.Sealer {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return box{aead}
}

func (b box) Seal(plain, aad []byte) ([]byte, error)  { return b.aead.Seal(nil, nil, plain, aad), nil }
func (b box) Open(sealed, aad []byte) ([]byte, error) { return b.aead.Open(nil, nil, sealed, aad) }

// A site is the room behind its door, with a browser, and a sign-in page that the test plays.
type site struct {
	*house
	web    *http.Client
	door   http.Handler
	login  *Login // who is signed in in the browser; nil is nobody
	ended  map[string]bool
	lost   error             // of whoever knows which have ended
	hints  []Hint            // that the sign-in page was given
	app    Client            // registered, with the secret appSecret
	spa    Client            // registered, public
	secret map[string]string // by client
}

const (
	appBack = "https://app.example/cb?tenant=1"
	spaBack = "https://spa.example/cb"
	webBack = "/callback"
)

func sites(t *testing.T, test func(t *testing.T, s *site)) {
	each(t, func(t *testing.T, h *house) { test(t, open(t, h)) })
}

// open opens the doors of h.
func open(t testing.TB, h *house) *site {
	t.Helper()
	s := &site{house: h, ended: map[string]bool{}, secret: map[string]string{"web": "web's secret"}}
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	d, err := door.New(door.Config{Origins: []string{"*"}, OpenRate: door.Rate{PerMinute: -1}}, door.Needs{
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: h.clock, Policy: policy, Identify: h.Verify, Enter: h.Enter,
	})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := d.Handler(h.Routes())
	if err != nil {
		t.Fatal(err)
	}
	s.door = handler
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	h.origin = server.URL
	s.web = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	err = h.Bind(Browser{
		Login: func(*http.Request) (Login, bool) {
			if s.login == nil {
				return Login{}, false
			}
			return *s.login, true
		},
		SignIn: func(_ *http.Request, returnTo string, hint Hint) string {
			s.hints = append(s.hints, hint)
			return "/sign-in?return_to=" + url.QueryEscape(returnTo)
		},
		Consent: func(_ *http.Request, id string) string { return "/consent?id=" + id },
		SignOut: func(_ *http.Request, returnTo string) string {
			return "/sign-out?return_to=" + url.QueryEscape(returnTo)
		},
		Ended: func(_ context.Context, session string) (bool, error) { return s.ended[session], s.lost },
		End:   func(_ context.Context, session string) error { s.ended[session] = true; s.login = nil; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	add := func(c Client, public bool) Client {
		made, given, err := h.AddClient(t.Context(), access.Actor{Kind: access.System}, c, public)
		if err != nil {
			t.Fatal(err)
		}
		s.secret[made.ID] = given.Reveal()
		return made
	}
	s.app = add(Client{Name: "An app", Redirects: []string{appBack, "https://app.example/other"}, Logouts: []string{"https://app.example/bye"}, Device: true}, false)
	s.spa = add(Client{Name: "A page", Redirects: []string{spaBack}}, true)
	return s
}

// signIn is what the sign-in page does.
func (s *site) signIn() {
	s.login = &Login{User: anna, At: s.now, AMR: []string{"pwd"}, ACR: "1", Session: "browser-1", Epoch: s.epoch}
}

// an answer is what came back over HTTP.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
	to     *url.URL // of a redirect
}

func (a answer) text(name string) string { v, _ := a.json[name].(string); return v }

// param is a parameter of the redirect.
func (a answer) param(name string) string {
	if a.to == nil {
		return ""
	}
	return a.to.Query().Get(name)
}

func (s *site) do(t testing.TB, method, path, body string, head ...string) answer {
	t.Helper()
	if !strings.HasPrefix(path, "http") {
		path = s.origin + path
	}
	r, err := http.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(head); i += 2 {
		r.Header.Set(head[i], head[i+1])
	}
	got, err := s.web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: got.StatusCode, header: got.Header, body: string(text)}
	_ = json.Unmarshal(text, &a.json) // not every answer is JSON
	if to := got.Header.Get("Location"); to != "" {
		if a.to, err = url.Parse(to); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func (s *site) get(t testing.TB, path string, head ...string) answer {
	t.Helper()
	return s.do(t, http.MethodGet, path, "", head...)
}

// post sends a form as client id, which proves itself if it can.
func (s *site) post(t testing.TB, path, id string, f url.Values) answer {
	t.Helper()
	var head []string
	if given := s.secret[id]; given != "" {
		head = []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(given)))}
	} else {
		f.Set("client_id", id)
	}
	return s.do(t, http.MethodPost, path, f.Encode(), head...)
}

func challenge(verifier string) string { return base64.RawURLEncoding.EncodeToString(sum(verifier)) }

const verifier = "a-verifier-of-more-than-forty-three-characters-0123"

// request is an authorisation request that is right.
func (s *site) request(id string, change ...func(url.Values)) url.Values {
	back := map[string]string{"web": s.origin + webBack, "cli": "http://127.0.0.1:40123/callback", s.app.ID: appBack, s.spa.ID: spaBack}[id]
	f := url.Values{
		"response_type": {"code"}, "client_id": {id}, "redirect_uri": {back}, "scope": {"openid profile email offline_access iot"},
		"state": {"a-state"}, "nonce": {"a-nonce"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for _, fn := range change {
		fn(f)
	}
	return f
}

func (s *site) authorize(t testing.TB, f url.Values) answer {
	t.Helper()
	return s.get(t, pathAuthorize+"?"+f.Encode())
}

// with sets one parameter, or removes it with "".
func with(name, value string) func(url.Values) {
	return func(f url.Values) {
		if f.Set(name, value); value == "" {
			f.Del(name)
		}
	}
}

// code signs Anna in, agrees where that is asked for, and returns the code.
func (s *site) code(t testing.TB, id string, change ...func(url.Values)) string {
	t.Helper()
	if s.login == nil {
		s.signIn()
	}
	a := s.agree(t, s.authorize(t, s.request(id, change...)))
	if a.param("code") == "" {
		t.Fatalf("no code: %d %v %s", a.status, a.to, a.body)
	}
	return a.param("code")
}

// agree goes on behind the consent page if that is where the browser was sent.
func (s *site) agree(t testing.TB, a answer) answer {
	t.Helper()
	if a.to == nil || a.to.Path != "/consent" {
		return a
	}
	next, err := s.Consent(t.Context(), s.login.User, a.param("id"), true)
	if err != nil {
		t.Fatal(err)
	}
	return s.get(t, next)
}

// exchange is what a client sends for its code.
func exchange(code, back string, change ...func(url.Values)) url.Values {
	f := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {back}, "code_verifier": {verifier}}
	for _, fn := range change {
		fn(f)
	}
	return f
}

func (s *site) back(id string) string { return s.request(id).Get("redirect_uri") }

// tokens takes a client through the whole.
func (s *site) tokens(t testing.TB, id string, change ...func(url.Values)) answer {
	t.Helper()
	a := s.post(t, "/oauth2/token", id, exchange(s.code(t, id, change...), s.back(id)))
	if a.status != http.StatusOK || a.text("access_token") == "" {
		t.Fatalf("no token: %d %s", a.status, a.body)
	}
	return a
}

func (s *site) renew(t testing.TB, id, refresh string) answer {
	t.Helper()
	return s.post(t, "/oauth2/token", id, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
}

// alive says whether a person's access token still opens the API.
func (s *site) alive(t testing.TB, token string) bool {
	t.Helper()
	s.now = s.now.Add(recheck + time.Millisecond)
	_, err := s.Verify(t.Context(), token)
	return err == nil
}

// claimsOf reads what a JWT says, without checking it.
func claimsOf(t testing.TB, token string) (head, body map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	for i, to := range []*map[string]any{&head, &body} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, to); err != nil {
			t.Fatal(err)
		}
	}
	return head, body
}
