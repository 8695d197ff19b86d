package oidc

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/people/oauth"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

const (
	back    = "https://app.example/callback"
	bye     = "https://app.example/bye"
	spaBack = "http://127.0.0.1:40123/callback"
	cookie  = "test-session"
)

// A site is a house with pages to sign in at, as plain as they can be.
type site struct {
	*servertest.House
	pages *httptest.Server
	user  string
	key   servertest.Key
	app   registered
	spa   registered

	mu       sync.Mutex
	sessions map[string]oauth.Login // guarded by mu: by cookie
}

type registered struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func start(t *testing.T) *site {
	t.Helper()
	s := &site{House: servertest.Start(t), sessions: map[string]oauth.Login{}}
	s.user, s.key = s.Person("anna@example.org")
	s.Admin("client.add", map[string]any{"name": "An <app>", "redirects": []string{back}, "logouts": []string{bye}, "device": true}, &s.app)
	s.Admin("client.add", map[string]any{"name": "A page", "redirects": []string{"http://127.0.0.1/callback"}, "public": true}, &s.spa)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /sign-in", func(w http.ResponseWriter, r *http.Request) {
		show(w, "/sign-in", "who", "anna", "return_to", r.FormValue("return_to"))
	})
	mux.HandleFunc("POST /sign-in", s.signIn)
	mux.HandleFunc("GET /consent", s.consent)
	mux.HandleFunc("POST /consent", s.agree)
	mux.HandleFunc("GET /approve", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.Server.Tokens().Approve(r.Context(), s.login("device"), r.FormValue("user_code")))
	})
	mux.HandleFunc("GET /deny", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.Server.Tokens().Deny(r.Context(), s.login("device"), r.FormValue("user_code")))
	})
	s.pages = httptest.NewServer(mux)
	t.Cleanup(s.pages.Close)
	page := func(path string) func(*http.Request, string) string {
		return func(_ *http.Request, text string) string { return s.pages.URL + path + url.QueryEscape(text) }
	}
	err := s.Server.BindBrowser(oauth.Browser{
		Login: s.whose,
		SignIn: func(r *http.Request, returnTo string, _ oauth.Hint) string {
			return page("/sign-in?return_to=")(r, returnTo)
		},
		Consent: page("/consent?id="), SignOut: page("/sign-out?return_to="),
		Ended: func(context.Context, string) (bool, error) { return false, nil },
		End: func(_ context.Context, session string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.sessions, session)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var page = template.Must(template.New("page").Parse(`<!doctype html><form method="post" action="{{.To}}">{{range $name, $value := .Fields}}<input name="{{$name}}" value="{{$value}}">{{end}}<button>Go on</button></form>`))

func show(w http.ResponseWriter, to string, fields ...string) {
	all := map[string]string{}
	for i := 0; i+1 < len(fields); i += 2 {
		all[fields[i]] = fields[i+1]
	}
	if err := page.Execute(w, map[string]any{"To": to, "Fields": all}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

func (s *site) login(session string) oauth.Login {
	return oauth.Login{User: s.user, At: s.Now(), AMR: []string{"pwd"}, ACR: "1", Session: session}
}

func (s *site) whose(r *http.Request) (oauth.Login, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return oauth.Login{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.sessions[c.Value]
	return l, ok
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (s *site) signIn(w http.ResponseWriter, r *http.Request) {
	to := r.FormValue("return_to")
	if !strings.HasPrefix(to, "/oauth2/authorize?") || r.FormValue("who") != "anna" {
		http.Error(w, "who, and where to?", http.StatusBadRequest)
		return
	}
	id := rand.Text()
	s.mu.Lock()
	s.sessions[id] = s.login(id)
	s.mu.Unlock()
	http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/", HttpOnly: true})
	http.Redirect(w, r, s.URL()+to, http.StatusSeeOther)
}

func (s *site) consent(w http.ResponseWriter, r *http.Request) {
	l, _ := s.whose(r)
	if _, err := s.Server.Tokens().Asked(r.Context(), l.User, r.FormValue("id")); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	show(w, "/consent", "id", r.FormValue("id"))
}

func (s *site) agree(w http.ResponseWriter, r *http.Request) {
	l, _ := s.whose(r)
	to, err := s.Server.Tokens().Consent(r.Context(), l.User, r.FormValue("id"), true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, s.URL()+to, http.StatusSeeOther)
}

var install sync.Once

// installed sees to it that the packages beside this file are there.
func installed(t *testing.T) {
	t.Helper()
	install.Do(func() {
		_, clients := os.Stat("node_modules/openid-client")
		_, provider := os.Stat("node_modules/oidc-provider")
		if clients == nil && provider == nil && runtime() != "node" {
			return
		}
		if out, err := exec.Command("npm", "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
			t.Fatalf("install the JavaScript clients and provider (npm ci): %v\n%s", err, out)
		}
	})
}

// runtime is the Node.js that came with the clients, which is newer than Debian 12's: clients and
// provider need the Web Crypto of Node.js 20. Where there is none for this machine, its own must do.
func runtime() string {
	if found, _ := filepath.Glob("node_modules/node-linux-*/bin/node"); len(found) > 0 { // the pattern is good
		if full, err := filepath.Abs(found[0]); err == nil {
			return full
		}
	}
	return "node"
}

// node runs one of the programs beside this file. A missing Node.js, or clients that
// cannot be installed, fail the test.
func (s *site) node(t *testing.T, program string) {
	t.Helper()
	installed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, runtime(), program)
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1", "NODE_EXTRA_CA_CERTS="+s.CA(), "ISSUER="+s.URL(), "PAGES="+s.pages.URL, "USER_ID="+s.user,
		"APP_ID="+s.app.ID, "APP_SECRET="+s.app.Secret, "SPA_ID="+s.spa.ID, "CLI_ID=ardesiactl", "KEY_ID="+s.key.ID, "KEY_SECRET="+s.key.Secret,
		"BACK="+back, "BYE="+bye, "SPA_BACK="+spaBack)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func TestOpenIDClient(t *testing.T) { start(t).node(t, "openid-client.mjs") }

func TestOAuth4WebAPI(t *testing.T) { start(t).node(t, "oauth4webapi.mjs") }

// library is a context for golang.org/x/oauth2 that trusts the house.
func (s *site) library(t *testing.T) context.Context {
	t.Helper()
	pool, err := client.Trust(s.CA())
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}}}
	return context.WithValue(t.Context(), oauth2.HTTPClient, h)
}

// opens says whether a client's token opens the API.
func (s *site) opens(t *testing.T, h *http.Client) {
	t.Helper()
	answer, err := h.Get(s.URL() + "/v1/spaces")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the API answers %d", answer.StatusCode)
	}
}

func TestGoClientCredentials(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/oauth2/token", "/iot/v1/clients/token"} {
		for name, style := range map[string]oauth2.AuthStyle{"found out": oauth2.AuthStyleAutoDetect, "header": oauth2.AuthStyleInHeader, "body": oauth2.AuthStyleInParams} {
			t.Run(path+" "+name, func(t *testing.T) {
				cfg := clientcredentials.Config{ClientID: s.key.ID, ClientSecret: s.key.Secret, TokenURL: s.URL() + path, AuthStyle: style,
					EndpointParams: url.Values{"audience": {"https://api2.arduino.cc/iot"}}}
				s.opens(t, cfg.Client(s.library(t)))
			})
		}
	}
}

func TestGoDeviceGrant(t *testing.T) {
	s := start(t)
	// The library proves no client when it begins, so it is for public ones.
	cfg := oauth2.Config{ClientID: "ardesiactl", Scopes: []string{"iot", "offline_access"}, Endpoint: oauth2.Endpoint{
		TokenURL: s.URL() + "/oauth2/token", DeviceAuthURL: s.URL() + "/oauth2/device", AuthStyle: oauth2.AuthStyleInParams}}
	ctx := s.library(t)
	begun, err := cfg.DeviceAuth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Server.Tokens().Approve(ctx, s.login(""), begun.UserCode); err != nil {
		t.Fatal(err)
	}
	token, err := cfg.DeviceAccessToken(ctx, begun)
	if err != nil {
		t.Fatal(err)
	}
	s.opens(t, cfg.Client(ctx, token))
	first := token.RefreshToken
	token.Expiry = time.Now().Add(-time.Minute)
	s.opens(t, cfg.Client(ctx, token)) // renews
	s.Pass(11 * time.Second)
	_, err = cfg.TokenSource(ctx, &oauth2.Token{RefreshToken: first}).Token()
	if e := (*oauth2.RetrieveError)(nil); !errors.As(err, &e) || e.ErrorCode != "invalid_grant" {
		t.Errorf("a refresh token that was used: %v", err)
	}
}
