package oauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/keys/keystest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

const (
	anna   = "11111111-1111-4111-8111-111111111111"
	own    = "22222222-2222-4222-8222-222222222222"
	school = "33333333-3333-4333-8333-333333333333"
	lab    = "44444444-4444-4444-8444-444444444444"
	alien  = "55555555-5555-4555-8555-555555555555"
	issuer = "https://house.lan/1"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// signers makes a key on first use and keeps it, as the key ring does.
type signers struct {
	mu  sync.Mutex
	all map[string]crypto.Signer // guarded by mu
}

func (s *signers) signer(_ context.Context, name string) (crypto.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[name] == nil {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		s.all[name] = k
	}
	return s.all[name], nil
}

// macRing has hashes beside the keys of keystest; what they hide is no matter here.
type macRing struct{ keystest.Ring }

func (macRing) MAC(name string) func([]byte) []byte {
	return func(msg []byte) []byte {
		sum := sha256.Sum256(append([]byte(name), msg...))
		return sum[:]
	}
}

// house is the room with a real one for keys below it. What stands for people and
// spaces is what the test says.
type house struct {
	*Service
	d        *db.DB
	signers  *signers
	apikeys  *apikey.Service
	now      time.Time
	epoch    int64
	out      bool        // Anna was disabled
	closed   string      // the space that admits nobody
	was      string      // a space that Anna is in as well
	inSchool access.Role // of Anna, in school and lab
	origin   string      // where the provider is
	first    []Client
	seal     keys.Sealer
}

var errOut = problem.New(problem.Unauthenticated, "out", "She is disabled.")

func each(t *testing.T, test func(t *testing.T, h *house)) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, build(t, d)) })
}

// build makes the room on d.
func build(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{d: d, signers: &signers{all: map[string]crypto.Signer{}}, now: noon, epoch: 1, inSchool: access.Viewer, origin: "https://id.house.lan", seal: newBox(t), first: []Client{
		{ID: "web", Name: "Web", Secret: sum("web's secret"), Redirects: []string{"/callback"}, Logouts: []string{"/"}, Scopes: Scopes()},
		{ID: "cli", Name: "Command line", Redirects: []string{"http://127.0.0.1/callback", "http://[::1]/callback"}, Scopes: Scopes(), Device: true},
	}}
	var err error
	if h.apikeys, err = apikey.New(apikey.Needs{Store: apikey.SQL(d), Keys: keystest.Ring{}, Now: h.clock, Role: h.role,
		Admit:   func(context.Context, access.Actor, string) error { return nil },
		Private: func(context.Context, string) (string, error) { return own, nil },
		Limit:   func(context.Context, string) (int, error) { return 0, nil },
		Full:    func(int, int) string { return "full" }}); err != nil {
		t.Fatal(err)
	}
	h.Service = h.again(t, issuer)
	return h
}

func (h *house) clock() time.Time { return h.now }

var errWeak = errors.New("sign in better")

func (h *house) role(_ context.Context, space, user string) (access.Role, error) {
	switch {
	case user != anna:
	case space == own, space == h.was:
		return access.Admin, nil
	case space == school, space == lab:
		return h.inSchool, nil
	}
	return access.NoRole, org.ErrNotMember
}

// again is the same room after a restart, or of another environment.
func (h *house) again(t testing.TB, issuer string) *Service {
	t.Helper()
	g, err := guard.New(t.Context(), guard.Needs{Store: guard.SQL(h.d), Keys: macRing{}, Log: slog.New(slog.DiscardHandler), Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Needs{Store: SQL(h.d), Signer: h.signers.signer, Keys: h.apikeys, Guard: g, Issuer: issuer, Now: h.clock, First: h.first, Seal: h.seal, Log: slog.New(slog.DiscardHandler),
		Origin: func() string { return h.origin },
		Profile: func(_ context.Context, user string) (Profile, error) {
			return Profile{Name: "Anna", Email: "anna@example.org", Verified: true}, nil
		},
		Standing: func(context.Context, string) (string, int64, error) {
			if h.out {
				return "", 0, errOut
			}
			return own, h.epoch, nil
		},
		Role: h.role,
		Admit: func(_ context.Context, _ access.Actor, space string) error {
			if space == h.closed {
				return errWeak
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (h *house) key(t testing.TB, space string) (id, secret string) {
	t.Helper()
	h.was = space // she is in there while the key is made
	k, s, err := h.apikeys.Add(t.Context(), access.Actor{Kind: access.System}, anna, space, access.NoRole, "laptop")
	h.was = ""
	if err != nil {
		t.Fatal(err)
	}
	return k.ID, s.Reveal()
}

func (h *house) token(t *testing.T, space, organization string) string {
	t.Helper()
	id, secret := h.key(t, space)
	token, err := h.Token(t.Context(), id, secret, organization)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Where a key leads: to the space of the token, of the header, or its person's own,
// and a key that was made for one space to that one only.
func TestWhereAKeyLeads(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, c := range map[string]struct {
			only, asked, header string
			space               string
			fails               error // at the token, or at the request when it has a header
		}{
			"its person's own":                   {"", "", "", own, nil},
			"a shared space by the token":        {"", school, "", school, nil},
			"a shared space by the header":       {"", "", school, school, nil},
			"the header wins":                    {"", school, lab, lab, nil},
			"a stranger's space by the token":    {"", alien, "", "", org.ErrNotMember},
			"a stranger's space by the header":   {"", "", alien, "", org.ErrNotMember},
			"a key of one space":                 {school, "", "", school, nil},
			"the same, asked for":                {school, school, school, school, nil},
			"another space by the token":         {school, lab, "", "", ErrOnly},
			"another space by the header":        {school, "", lab, "", ErrOnly},
			"its person's own space by a header": {school, "", own, "", ErrOnly},
			"its person's own space by a token":  {school, own, "", "", ErrOnly},
			"a key of the own space":             {own, "", "", own, nil},
			"a key of the own space elsewhere":   {own, "", school, "", ErrOnly},
			"a key of a space one has left":      {alien, "", "", "", org.ErrNotMember},
		} {
			t.Run(name, func(t *testing.T) {
				id, secret := h.key(t, c.only)
				token, err := h.Token(t.Context(), id, secret, c.asked)
				if c.fails != nil && c.header == "" {
					if !errors.Is(err, c.fails) || token != "" {
						t.Errorf("Token = %q, %v, want %v", token, err, c.fails)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				who, err := h.Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				who, err = h.Enter(t.Context(), who, c.header)
				if !errors.Is(err, c.fails) || who.Space != c.space {
					t.Errorf("entered %q, %v, want %q, %v", who.Space, err, c.space, c.fails)
				}
				if err == nil && (who.ID != anna || who.Client != id || who.Kind != access.APIKey || who.Role == access.NoRole) {
					t.Errorf("who = %+v", who)
				}
			})
		}
	})
}

func TestTokenEndsInTime(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token := h.token(t, "", "")
		for name, c := range map[string]struct {
			at   time.Duration
			want error
		}{
			"at once":                  {0, nil},
			"the last second":          {life - time.Second, nil},
			"after its life":           {life, ErrToken},
			"a clock a little behind":  {-leeway, nil},
			"a token from the future":  {-leeway - time.Second, ErrToken},
			"long after, once checked": {time.Hour, ErrToken},
		} {
			t.Run(name, func(t *testing.T) {
				h.now = noon.Add(c.at)
				for range 2 { // the second answer comes from memory
					if _, err := h.Verify(t.Context(), token); !errors.Is(err, c.want) {
						t.Errorf("Verify = %v, want %v", err, c.want)
					}
				}
			})
		}
	})
}

func TestTokenEndsWithWhatItStandsOn(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, h *house, id string){
		"the key is revoked": func(t *testing.T, h *house, id string) {
			if err := h.apikeys.Revoke(t.Context(), access.Actor{Kind: access.System}, id); err != nil {
				t.Fatal(err)
			}
		},
		"the person is kept out":       func(_ *testing.T, h *house, _ string) { h.out = true },
		"the password was set anew":    func(_ *testing.T, h *house, _ string) { h.epoch++ },
		"the clock was set back a day": func(_ *testing.T, h *house, _ string) { h.now = noon.Add(-24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				id, secret := h.key(t, "")
				token, err := h.Token(t.Context(), id, secret, "")
				if err != nil {
					t.Fatal(err)
				}
				if _, err := h.Verify(t.Context(), token); err != nil {
					t.Fatal(err)
				}
				end(t, h, id)
				h.now = h.now.Add(recheck + time.Millisecond)
				if _, err := h.Verify(t.Context(), token); !errors.Is(err, ErrToken) {
					t.Errorf("Verify = %v, want %v", err, ErrToken)
				}
			})
		})
	}
}

func TestForeignTokens(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token := h.token(t, "", "")
		parts := strings.Split(token, ".")
		signed := func(key any, alg jose.SignatureAlgorithm, change func(*claims), o *jose.SignerOptions) string {
			t.Helper()
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
			if err != nil {
				t.Fatal(err)
			}
			text, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				t.Fatal(err)
			}
			var c claims
			if err := json.Unmarshal(text, &c); err != nil {
				t.Fatal(err)
			}
			change(&c)
			body, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Sign(body)
			if err != nil {
				t.Fatal(err)
			}
			compact, err := out.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			return compact
		}
		kid := h.PublicKeys().Keys[0].KeyID
		ours := h.signers.all["token-1"]
		stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		jwt := func() *jose.SignerOptions { return (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", kid) }
		same := func(*claims) {}
		public, err := h.PublicKeys().Keys[0].MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			token string
			want  error
		}{
			"our own, signed again":         {signed(ours, jose.ES256, same, jwt()), nil},
			"nothing":                       {"", ErrToken},
			"no token":                      {"abc", ErrToken},
			"no signature":                  {parts[0] + "." + parts[1] + ".", ErrToken},
			"alg none":                      {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".", ErrToken},
			"a stranger's key":              {signed(stranger, jose.ES256, same, jwt()), ErrToken},
			"HMAC with our public key":      {signed(public, jose.HS256, same, jwt()), ErrToken},
			"no key id":                     {signed(ours, jose.ES256, same, (&jose.SignerOptions{}).WithType("JWT")), ErrToken},
			"another type":                  {signed(ours, jose.ES256, same, (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", kid)), ErrToken},
			"another audience":              {signed(ours, jose.ES256, func(c *claims) { c.Audience = "https://x" }, jwt()), ErrToken},
			"another environment":           {signed(ours, jose.ES256, func(c *claims) { c.Issuer = "https://house.lan/2" }, jwt()), ErrToken},
			"nobody's":                      {signed(ours, jose.ES256, func(c *claims) { c.User = "" }, jwt()), ErrToken},
			"a key that does not exist":     {signed(ours, jose.ES256, func(c *claims) { c.Client = "x" }, jwt()), ErrToken},
			"too long":                      {token + strings.Repeat("x", maxToken), ErrToken},
			"a claim changed after signing": {parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"http://arduino.cc/id":"x"}`)) + "." + parts[2], ErrToken},
		} {
			t.Run(name, func(t *testing.T) {
				if _, err := h.Verify(t.Context(), c.token); !errors.Is(err, c.want) {
					t.Errorf("Verify = %v, want %v", err, c.want)
				}
			})
		}
		if _, err := h.again(t, "https://other.lan/1").Verify(t.Context(), token); !errors.Is(err, ErrToken) {
			t.Errorf("another environment takes our token: %v", err)
		}
		if _, err := h.again(t, issuer).Verify(t.Context(), token); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	})
}

// Tokens of the key before are good until they expire; the public half is shown as long.
func TestSigningKeysTakeTurns(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.now = noon.Add(rotate - time.Minute)
		before := h.token(t, "", "")
		h.now = noon.Add(rotate + time.Minute)
		if err := h.rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		after := h.token(t, "", "")
		for name, token := range map[string]string{"before": before, "after": after} {
			if _, err := h.Verify(t.Context(), token); err != nil {
				t.Errorf("the token of %s: %v", name, err)
			}
		}
		if got := len(h.PublicKeys().Keys); got != 2 {
			t.Errorf("%d public keys, want 2", got)
		}
		h.now = noon.Add(2*rotate + 2*time.Minute)
		if err := h.rotate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(h.PublicKeys().Keys); got != 2 {
			t.Errorf("%d public keys after a month more, want 2", got)
		}
		if err := h.rotate(t.Context()); err != nil { // repeatable
			t.Fatal(err)
		}
		all, err := SQL(h.d).keys(t.Context())
		if err != nil || len(all) != 3 {
			t.Errorf("%d keys are kept, %v, want 3", len(all), err)
		}
	})
}

// ask is a token request over HTTP from an address; its error is what the client reads.
func (h *house) ask(id, secret, from string) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	r := httptest.NewRequest(http.MethodPost, "/iot/v1/clients/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = from + ":4711"
	return h.httpToken(httptest.NewRecorder(), r, access.Actor{})
}

func TestGuessingIsSlow(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, secret := h.key(t, "")
		for i := range 10 {
			if err := h.ask(id, "wrong", "203.0.113.7"); !errors.Is(err, apikey.ErrCredentials) {
				t.Fatalf("wrong secret %d: %v", i, err)
			}
		}
		if err := h.ask(id, secret, "203.0.113.7"); !errors.Is(err, guard.ErrTries) || problem.Of(err).Retry > 15*time.Minute {
			t.Errorf("after 10 failures: %v", err)
		}
		if err := h.ask(id, secret, "198.51.100.9"); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
		other, otherSecret := h.key(t, "")
		if err := h.ask(other, otherSecret, "203.0.113.7"); err != nil {
			t.Errorf("another key: %v", err)
		}
		h.now = h.now.Add(15 * time.Minute)
		if err := h.ask(id, secret, "203.0.113.7"); err != nil {
			t.Errorf("15 minutes later: %v", err)
		}
	})
}

// What is not the secret's fault is not counted as one.
func TestOnlyWrongSecretsCount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, secret := h.key(t, alien)
		for i := range 30 {
			if err := h.ask(id, secret, "203.0.113.7"); !errors.Is(err, org.ErrNotMember) {
				t.Fatalf("request %d: %v", i, err)
			}
		}
	})
}

func TestPersonWhoIsOutGetsNoToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		id, secret := h.key(t, "")
		h.out = true
		if token, err := h.Token(t.Context(), id, secret, ""); !errors.Is(err, errOut) || token != "" {
			t.Errorf("Token = %q, %v", token, err)
		}
	})
}

// A service account's key is at most what it was made for, and at most what its person is
// by now.
func TestServiceAccountIsNeverMoreThanItsPerson(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.inSchool = access.Admin
		k, secret, err := h.apikeys.Add(t.Context(), access.Actor{Kind: access.System}, anna, school, access.Service, "robot")
		if err != nil {
			t.Fatal(err)
		}
		token, err := h.Token(t.Context(), k.ID, secret.Reveal(), "")
		if err != nil {
			t.Fatal(err)
		}
		who, err := h.Verify(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		for now, want := range map[access.Role]access.Role{
			access.Admin: access.Service, access.Editor: access.Service, access.Service: access.Service, access.Viewer: access.NoRole,
		} {
			h.inSchool = now
			in, err := h.Enter(t.Context(), who, "")
			if in.Role != want || (want == access.NoRole) != errors.Is(err, org.ErrNotMember) {
				t.Errorf("the key of who is %s now is %q, %v, want %q", now, in.Role, err, want)
			}
		}
	})
}

func TestSpaceThatAsksForMoreAdmitsNobody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		who := access.Actor{Kind: access.User, ID: anna}
		if in, err := h.Enter(t.Context(), who, school); err != nil || in.Role != access.Viewer {
			t.Errorf("Enter = %+v, %v", in, err)
		}
		h.closed = school
		if in, err := h.Enter(t.Context(), who, school); !errors.Is(err, errWeak) || in != (access.Actor{}) {
			t.Errorf("Enter = %+v, %v, want %v", in, err, errWeak)
		}
	})
}
