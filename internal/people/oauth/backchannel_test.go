package oauth

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A party is a program that wants to be told.
type party struct {
	*httptest.Server
	client Client

	mu     sync.Mutex
	status int      // guarded by mu: what it answers
	tokens []string // guarded by mu: what came
}

func (p *party) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tokens)
}

func (p *party) answers(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

// party registers a program that wants to be told, and lets the room reach it.
func (s *site) party(t *testing.T) *party {
	t.Helper()
	p := &party{status: http.StatusOK}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.Method == http.MethodPost && r.URL.Path == "/logout" && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" {
			p.tokens = append(p.tokens, r.PostFormValue("logout_token"))
		} else {
			p.tokens = append(p.tokens, r.Method+" "+r.URL.Path)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(p.status)
	}))
	t.Cleanup(p.Close)
	s.Service.needs.Roots = x509.NewCertPool()
	s.Service.needs.Roots.AddCert(p.Certificate())
	s.Service.needs.Private = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	var err error
	p.client, _, err = s.AddClient(t.Context(), access.Actor{Kind: access.System}, Client{Name: "Told", Redirects: []string{spaBack}, Backchannel: p.URL + "/logout"}, true)
	if err != nil {
		t.Fatal(err)
	}
	s.spa = p.client
	return p
}

// send looks and sends as RunLogouts does, once.
func (s *site) send(t *testing.T, on *Service) {
	t.Helper()
	if err := errors.Join(on.lookForEnded(t.Context(), ""), on.SendLogouts(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// check does what a program must with a logout token: section 2.6.
func (s *site) checkLogout(t *testing.T, p *party, token, idToken string) {
	t.Helper()
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	set := s.PublicKeys()
	keys := set.Key(signed.Signatures[0].Protected.KeyID)
	if len(keys) != 1 || signed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != "logout+jwt" {
		t.Fatalf("header %+v", signed.Signatures[0].Protected)
	}
	body, err := signed.Verify(keys[0])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(body, &c); err != nil {
		t.Fatal(err)
	}
	id, err := s.readIDToken(idToken)
	if err != nil {
		t.Fatal(err)
	}
	now := s.now.Unix()
	events, _ := c["events"].(map[string]any)
	if event, there := events[logoutEvent].(map[string]any); !there || len(event) != 0 || len(events) != 1 {
		t.Errorf("events %v", c["events"])
	}
	if _, there := c["nonce"]; there || c["iss"] != s.origin || c["aud"] != p.client.ID || c["sub"] != anna || c["sid"] != id.Session || id.Session == "" || c["jti"] == "" ||
		c["iat"] != float64(now) || c["exp"].(float64) > float64(now+120) {
		t.Errorf("claims %v of session %q", c, id.Session)
	}
	// It passes for nothing else.
	if _, err := s.readIDToken(token); err == nil {
		t.Error("it passes for an ID token")
	}
	if _, err := s.Verify(t.Context(), token); !errors.Is(err, ErrToken) {
		t.Errorf("it passes for an access token: %v", err)
	}
}

// However a session ends, the program hears of it once, with a token that holds what the standard asks for.
func TestProgramsAreToldThatASessionHasEnded(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, s *site) error{
		"signed out": func(t *testing.T, s *site) error { return s.SessionEnded(t.Context(), "browser-1") },
		"signed out twice": func(t *testing.T, s *site) error {
			return errors.Join(s.SessionEnded(t.Context(), "browser-1"), s.SessionEnded(t.Context(), "browser-1"))
		},
		"frozen, or over by itself": func(t *testing.T, s *site) error { s.ended["browser-1"] = true; return nil },
		"erased":                    func(t *testing.T, s *site) error { return s.Forget(t.Context(), anna) },
		"signed out by another program too": func(t *testing.T, s *site) error {
			s.get(t, "/oauth2/logout?id_token_hint="+s.tokens(t, s.app.ID).text("id_token"))
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			sites(t, func(t *testing.T, s *site) {
				p := s.party(t)
				id := s.tokens(t, p.client.ID).text("id_token")
				s.tokens(t, p.client.ID) // another grant of the session is no other session
				s.send(t, s.Service)
				if got := p.got(); len(got) != 0 {
					t.Fatalf("before the end: %v", got)
				}
				if err := end(t, s); err != nil {
					t.Fatal(err)
				}
				s.send(t, s.Service)
				s.send(t, s.Service)
				got := p.got()
				if len(got) != 1 {
					t.Fatalf("told %d times: %v", len(got), got)
				}
				s.checkLogout(t, p, got[0], id)
			})
		})
	}
}

// Whoever cannot be asked has ended nothing, and is asked again.
func TestProgramsAreNotToldOfWhatIsNotKnown(t *testing.T) {
	s := open(t, build(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))))
	p := s.party(t)
	s.tokens(t, p.client.ID)
	given := s.tokens(t, "web", with("scope", "openid iot"))
	s.lost = errors.New("the database does not answer")
	if err := s.lookForEnded(t.Context(), ""); !errors.Is(err, s.lost) {
		t.Errorf("looking: %v", err)
	}
	must(t, s.SendLogouts(t.Context()))
	if got := p.got(); len(got) != 0 {
		t.Errorf("told %v", got)
	}
	if _, err := s.Verify(t.Context(), given.text("access_token")); err == nil || errors.Is(err, ErrToken) {
		t.Errorf("an access token meanwhile: %v", err)
	}
	if a := s.renew(t, "web", given.text("refresh_token")); a.status < 500 || a.text("error") == "invalid_grant" {
		t.Errorf("a refresh token meanwhile: %d %s", a.status, a.body)
	}
	s.lost = nil
	s.send(t, s.Service)
	if got := p.got(); len(got) != 0 {
		t.Errorf("told %v of a session that stands", got)
	}
	if a := s.renew(t, "web", given.text("refresh_token")); a.status != http.StatusOK {
		t.Errorf("a refresh token later: %d %s", a.status, a.body)
	}
	s.ended["browser-1"] = true
	s.send(t, s.Service)
	if got := p.got(); len(got) != 1 {
		t.Errorf("told %d times in the end", len(got))
	}
}

// What waits is told after a restart, also what ended while nobody looked.
func TestWhatWaitsToBeToldSurvivesARestart(t *testing.T) {
	sites(t, func(t *testing.T, s *site) {
		p := s.party(t)
		id := s.tokens(t, p.client.ID).text("id_token")
		p.answers(http.StatusServiceUnavailable)
		if err := s.SessionEnded(t.Context(), "browser-1"); err != nil {
			t.Fatal(err)
		}
		s.send(t, s.Service)
		if got := p.got(); len(got) != 1 {
			t.Fatalf("at first: %d", len(got))
		}
		again := s.again(t, issuer)
		again.needs.Roots, again.needs.Private = s.Service.needs.Roots, s.Service.needs.Private
		again.browser.Store(s.browser.Load())
		s.send(t, again)
		if got := p.got(); len(got) != 1 {
			t.Errorf("tried again at once: %d", len(got))
		}
		pauses := []time.Duration{}
		for last := s.now; len(p.got()) < 5; {
			s.now = s.now.Add(time.Second)
			before := len(p.got())
			if s.send(t, again); len(p.got()) > before {
				pauses, last = append(pauses, s.now.Sub(last)), s.now
			}
			if s.now.Sub(noon) > 3*time.Hour {
				t.Fatal("not tried again")
			}
		}
		if !slices.IsSorted(pauses) || pauses[0] != logoutFirst || pauses[len(pauses)-1] <= time.Minute {
			t.Errorf("pauses %v", pauses)
		}
		p.answers(http.StatusNoContent)
		s.now = s.now.Add(logoutMost)
		s.send(t, again)
		got := p.got()
		s.checkLogout(t, p, got[len(got)-1], id)
		s.now = s.now.Add(logoutMost)
		if s.send(t, again); len(p.got()) != len(got) {
			t.Error("told again after it said yes")
		}
	})
}

// A program that says no, or never answers, is given up, and the journal says so.
func TestProgramsAreGivenUp(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(s *site, p *party)
		tries int // that reach the program
		why   string
	}{
		"it refuses":              {func(_ *site, p *party) { p.answers(http.StatusBadRequest) }, 1, "status 400"},
		"it leads elsewhere":      {func(_ *site, p *party) { p.answers(http.StatusTemporaryRedirect) }, 3, "status 307"},
		"it is away":              {func(_ *site, p *party) { p.Close() }, 0, "not reached"},
		"its address is not ours": {func(s *site, _ *party) { s.Service.needs.Private = nil }, 0, "not a public address"},
		"nobody knows its issuer": {func(s *site, _ *party) { s.Service.needs.Roots = x509.NewCertPool() }, 0, "not reached"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, build(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))))
			p := s.party(t)
			s.tokens(t, p.client.ID)
			c.spoil(s, p)
			if err := s.SessionEnded(t.Context(), "browser-1"); err != nil {
				t.Fatal(err)
			}
			for _, pass := range []time.Duration{0, logoutMost, logoutTries, logoutTries} {
				s.now = s.now.Add(pass)
				s.send(t, s.Service)
			}
			got := p.got()
			if len(got) != c.tries || slices.ContainsFunc(got, func(text string) bool { return strings.Contains(text, "/elsewhere") }) {
				t.Errorf("it was reached %d times, want %d: %v", len(got), c.tries, got)
			}
			entries, err := journal.List(t.Context(), s.d, journal.Query{Limit: 1000})
			must(t, err)
			given := slices.DeleteFunc(entries, func(e journal.Entry) bool { return e.Action != "logout:give-up" })
			if len(given) != 1 || given[0].ID != p.client.ID || given[0].Detail["why"] != c.why {
				t.Errorf("the journal says %+v, want %q", given, c.why)
			}
		})
	}
}

// Only who asked to be told is, and only at an address that people's sessions may be told to.
func TestWhereProgramsAreTold(t *testing.T) {
	s := open(t, build(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))))
	for address, want := range map[string]error{
		"":                                      nil,
		"https://app.example/logout":            nil,
		"https://app.example:8443/x?y=z":        nil,
		"http://app.example/logout":             ErrBackchannel,
		"http://127.0.0.1/logout":               ErrBackchannel,
		"https://app.example/logout#x":          ErrBackchannel,
		"https://u:p@app.example/logout":        ErrBackchannel,
		"https:///logout":                       ErrBackchannel,
		"/logout":                               ErrBackchannel,
		"https://*.example/logout":              ErrBackchannel,
		"https://app.example/../logout":         ErrBackchannel,
		"file:///etc/passwd":                    ErrBackchannel,
		"https://a/" + strings.Repeat("x", 512): ErrBackchannel,
	} {
		c, _, err := s.AddClient(t.Context(), access.Actor{Kind: access.System}, Client{Name: "x", Redirects: []string{spaBack}, Backchannel: address}, true)
		if !errors.Is(err, want) || err == nil && c.Backchannel != address {
			t.Errorf("%q: %v, want %v", address, err, want)
		}
	}
	p := s.party(t)
	s.tokens(t, s.app.ID)
	must(t, s.SessionEnded(t.Context(), "browser-1"))
	s.send(t, s.Service)
	if got := p.got(); len(got) != 0 {
		t.Errorf("a program that had no part in the session: %v", got)
	}
	// One that is removed is told nothing any more.
	s.login = nil
	s.tokens(t, p.client.ID)
	must(t, s.RemoveClient(t.Context(), access.Actor{Kind: access.System}, p.client.ID))
	must(t, s.SessionEnded(t.Context(), "browser-1"))
	s.send(t, s.Service)
	if got := p.got(); len(got) != 0 {
		t.Errorf("a program that was removed: %v", got)
	}
	a := s.get(t, "/.well-known/openid-configuration")
	if a.json["backchannel_logout_supported"] != true || a.json["backchannel_logout_session_supported"] != true {
		t.Errorf("discovery: %s", a.body)
	}
}

// The loop tells by itself, of sessions that ended with their account as well.
func TestTheLoopTells(t *testing.T) {
	s := open(t, build(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))))
	p := s.party(t)
	s.tokens(t, p.client.ID)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.RunLogouts(ctx) }()
	must(t, s.SessionEnded(t.Context(), "browser-1"))
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if <-tick.C; len(p.got()) > 0 {
			break
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) || len(p.got()) != 1 {
		t.Errorf("told %d times, %v", len(p.got()), err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
