package social_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
)

// ring seals with a key of its own for each person, as base/keys does, without a keyring.
type ring struct{}

type gcm struct{ cipher.AEAD }

func (g gcm) Seal(plain, aad []byte) ([]byte, error) {
	nonce := make([]byte, g.NonceSize())
	_, _ = rand.Read(nonce)
	return g.AEAD.Seal(nonce, nonce, plain, aad), nil
}

func (g gcm) Open(sealed, aad []byte) ([]byte, error) {
	if len(sealed) < g.NonceSize() {
		return nil, keys.ErrSeal
	}
	return g.AEAD.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], aad)
}

func (ring) Person(_ context.Context, user string) (keys.Sealer, error) {
	sum := sha256.Sum256([]byte(user))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	a, err := cipher.NewGCM(block)
	return gcm{a}, err
}

func (ring) Erase(context.Context, string, ...string) error { return nil }

// shredder is a ring that says whose keys were erased, and fails when it is told to.
type shredder struct {
	ring
	erased []string
	err    error
}

func (r *shredder) Erase(_ context.Context, kind string, ids ...string) error {
	if kind != keys.KindPerson {
		return errors.New("a key of " + kind)
	}
	r.erased = append(r.erased, ids...)
	return r.err
}

func (ring) MAC(name string) func([]byte) []byte {
	return func(msg []byte) []byte {
		h := hmac.New(sha256.New, []byte(name))
		h.Write(msg)
		return h.Sum(nil)
	}
}

// hand is a clock that a test moves.
type hand struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func clock() *hand { return &hand{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (h *hand) Now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *hand) Pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// noStore is for tests of answers, which need no database.
type noStore struct{ social.Store }

func service(t testing.TB, store social.Store, now func() time.Time, known func(string) bool, all ...social.Config) *social.Service {
	t.Helper()
	policy, err := access.New()
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i], err = all[i].Filled(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := social.New(social.Needs{Store: store, Keys: ring{}, Policy: policy, Now: now, Providers: all,
		Known: func(_ context.Context, user string) (bool, error) { return known == nil || known(user), nil }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const back = "https://ardesia.example.org/signin/with/"

// journey goes to a provider and comes back.
func journey(t testing.TB, s *social.Service, i *socialtest.Issuer, id string) (social.Claim, error) {
	t.Helper()
	address, keep, err := s.Begin(t.Context(), id, back+id, "a state", false)
	if err != nil {
		return social.Claim{}, err
	}
	to, answer := i.Visit(t, address)
	if to != back+id || answer.Get("state") != "a state" {
		t.Fatalf("led to %s with %v", to, answer)
	}
	return s.Finish(t.Context(), id, back+id, keep, answer)
}

func TestEachKindOfProviderTellsWhoItIs(t *testing.T) {
	t.Parallel()
	h := clock()
	i := socialtest.Start(t, h.Now)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	apple := i.Config("apple", social.Apple)
	apple.TeamID, apple.KeyID, apple.Key, apple.Secret = "TEAM123456", "KEY1234567", key, secret.String{}
	s := service(t, noStore{}, h.Now, nil, i.Config("google", social.Google), i.Config("school", social.OIDC), i.Config("github", social.GitHub), apple)
	want := social.Claim{Issuer: i.URL, Subject: "1001", Email: "anna@example.org", Verified: true, Name: "Anna Bianchi"}
	for _, id := range []string{"google", "school", "github", "apple"} {
		want := want
		want.Provider = id
		switch id {
		case "github":
			want.Issuer += "/login/oauth"
		case "apple":
			want.Name = "" // in the form alone, the first time
		}
		if got, err := journey(t, s, i, id); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", id, got, err, want)
		}
	}
	shown := i.Secrets()
	for _, got := range shown[:3] {
		if got != socialtest.Secret {
			t.Errorf("shown as client secret: %q", got)
		}
	}
	// What Apple wants: developer.apple.com, "Creating a client secret".
	token, err := jwt.ParseSigned(shown[3], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(key.Public(), &claims); err != nil || claims.Issuer != "TEAM123456" || claims.Subject != socialtest.ClientID || token.Headers[0].KeyID != "KEY1234567" ||
		!claims.Audience.Contains(i.URL) || claims.Expiry.Time().Sub(h.Now()) != 5*time.Minute {
		t.Errorf("Apple's client secret: %+v, %+v, %v", claims, token.Headers, err)
	}

	// An issuer that tells the address only when asked, for the same person only.
	i.Quiet(true)
	want.Provider = "school"
	if got, err := journey(t, s, i, "school"); err != nil || got != want {
		t.Errorf("by userinfo: %+v, %v, want %+v", got, err, want)
	}
	i.Bend(socialtest.Bend{UserInfo: func(reply map[string]any) { reply["sub"] = "1002" }})
	if _, err := journey(t, s, i, "school"); !errors.Is(err, social.ErrAnswer) {
		t.Errorf("userinfo of somebody else: %v", err)
	}
	i.Quiet(false)
	// Apple's words for true.
	i.Bend(socialtest.With(map[string]any{"email_verified": "true"}))
	if got, err := journey(t, s, i, "apple"); err != nil || !got.Verified {
		t.Errorf("a word for true: %+v, %v", got, err)
	}
	for name, value := range map[string]any{"no": false, "another word": "yes", "a number": 1, "nothing": nil} {
		i.Bend(socialtest.With(map[string]any{"email_verified": value}))
		if got, err := journey(t, s, i, "google"); err != nil || got.Verified {
			t.Errorf("verified is %s: %+v, %v", name, got, err)
		}
	}
}

// What a provider, or somebody between, may send: it is refused, or said to be the provider's fault.
func TestAnswersThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	h := clock()
	i, other := socialtest.Start(t, h.Now), socialtest.Start(t, h.Now)
	s := service(t, noStore{}, h.Now, nil, i.Config("google", social.Google), i.Config("github", social.GitHub), other.Config("other", social.OIDC))
	answer := func(change func(url.Values)) socialtest.Bend { return socialtest.Bend{Answer: change} }
	sign := func(fn func(i *socialtest.Issuer, claims map[string]any) string) socialtest.Bend {
		return socialtest.Bend{Sign: fn}
	}
	hour := time.Hour
	for name, c := range map[string]struct {
		id   string // "" is google
		bend socialtest.Bend
		want error
		why  string
	}{
		"RFC 9700 4.4.2.1: iss of another issuer":       {"", answer(func(v url.Values) { v.Set("iss", other.URL) }), social.ErrAnswer, "issuer"},
		"RFC 9700 4.4.2.1: iss with a slash more":       {"", answer(func(v url.Values) { v.Set("iss", i.URL+"/") }), social.ErrAnswer, "issuer"},
		"RFC 9700 4.4.2.1: empty iss":                   {"", answer(func(v url.Values) { v.Set("iss", "") }), social.ErrAnswer, "issuer"},
		"RFC 9700 4.4.2.1: no iss although it promises": {"", answer(func(v url.Values) { v.Del("iss") }), social.ErrAnswer, "issuer"},
		"RFC 9700 4.4.2.1: an error with another iss":   {"", answer(func(v url.Values) { v.Set("iss", other.URL); v.Set("error", "access_denied") }), social.ErrAnswer, "issuer"},
		"RFC 9700 4.4.2.1: iss of another, of GitHub":   {"github", answer(func(v url.Values) { v.Set("iss", other.URL) }), social.ErrAnswer, "issuer"},
		"RFC 9700 4.5: a code of another journey":       {"", answer(func(v url.Values) { v.Set("code", "stolen") }), social.ErrAnswer, "code"},
		"RFC 9700 4.5: a code of another, of GitHub":    {"github", answer(func(v url.Values) { v.Set("code", "stolen") }), social.ErrAnswer, "code"},
		"RFC 9700 4.5.3.2: another nonce":               {"", socialtest.With(map[string]any{"nonce": "another"}), social.ErrAnswer, "nonce"},
		"RFC 9700 4.5.3.2: no nonce":                    {"", socialtest.With(map[string]any{"nonce": nil}), social.ErrAnswer, "nonce"},
		"RFC 6749 3.1: a parameter twice":               {"", answer(func(v url.Values) { v.Add("code", "b") }), social.ErrAnswer, "repeated"},
		"no code":                                       {"", answer(func(v url.Values) { v.Del("code") }), social.ErrAnswer, "code"},
		"a foreign audience":                            {"", socialtest.With(map[string]any{"aud": "somebody-else"}), social.ErrAnswer, "id-token"},
		"two audiences, for another party":              {"", socialtest.With(map[string]any{"aud": []string{socialtest.ClientID, "b"}, "azp": "b"}), social.ErrAnswer, "authorized-party"},
		"two audiences, and nobody says for whom":       {"", socialtest.With(map[string]any{"aud": []string{socialtest.ClientID, "b"}}), social.ErrAnswer, "authorized-party"},
		"another issuer":                                {"", socialtest.With(map[string]any{"iss": other.URL}), social.ErrAnswer, "id-token"},
		"expired":                                       {"", socialtest.With(map[string]any{"exp": h.Now().Add(-time.Second).Unix()}), social.ErrAnswer, "id-token"},
		"issued in an hour":                             {"", socialtest.With(map[string]any{"iat": h.Now().Add(hour).Unix()}), social.ErrAnswer, "issued-later"},
		"no subject":                                    {"", socialtest.With(map[string]any{"sub": ""}), social.ErrAnswer, "subject"},
		"a very long subject":                           {"", socialtest.With(map[string]any{"sub": strings.Repeat("a", 256)}), social.ErrAnswer, "subject"},
		"GitHub's subject is no number":                 {"github", socialtest.Bend{Token: func(r map[string]any) { r["access_token"] = "x" }}, social.ErrProvider, ""},
		"RFC 8725 3.1: alg none":                        {"", sign(func(_ *socialtest.Issuer, c map[string]any) string { return socialtest.Unsigned(c) }), social.ErrAnswer, "id-token"},
		"RFC 8725 3.1: HS256 with the public key":       {"", sign(hs256Public), social.ErrAnswer, "id-token"},
		"RFC 8725 3.1: HS256 with the client secret":    {"", sign(hs256Secret), social.ErrAnswer, "id-token"},
		"a key that is not published":                   {"", sign(func(i *socialtest.Issuer, c map[string]any) string { return es256(i, "away", c) }), social.ErrAnswer, "id-token"},
		"a key that is not published, by a kid that is": {"", sign(func(i *socialtest.Issuer, c map[string]any) string { return es256(i, i.Kid, c) }), social.ErrAnswer, "id-token"},
		"a key of another provider": {"", sign(func(_ *socialtest.Issuer, c map[string]any) string {
			return socialtest.Signed(jose.SigningKey{Algorithm: jose.ES256, Key: other.Key}, "k1", c)
		}), social.ErrAnswer, "id-token"},
		"no ID token":                         {"", socialtest.Bend{Token: func(r map[string]any) { delete(r, "id_token") }}, social.ErrAnswer, "no-id-token"},
		"an ID token that is none":            {"", socialtest.Bend{Token: func(r map[string]any) { r["id_token"] = "a.b.c" }}, social.ErrAnswer, "id-token"},
		"the person says no":                  {"", answer(func(v url.Values) { v.Del("code"); v.Set("error", "access_denied") }), social.ErrCancelled, ""},
		"Apple's person says no":              {"", answer(func(v url.Values) { v.Del("code"); v.Set("error", "user_cancelled_authorize") }), social.ErrCancelled, ""},
		"the provider is broken":              {"", answer(func(v url.Values) { v.Del("code"); v.Set("error", "server_error") }), social.ErrProvider, ""},
		"a long answer of the token endpoint": {"", socialtest.Bend{Token: func(r map[string]any) { r["x"] = strings.Repeat("x", 2<<20) }}, social.ErrProvider, ""},
		"nothing that is wrong (or else all of the above proves nothing)": {"", socialtest.Bend{}, nil, ""},
	} {
		i.Bend(c.bend)
		id := c.id
		if id == "" {
			id = "google"
		}
		claim, err := journey(t, s, i, id)
		var refusal *social.Refusal
		if why := ""; !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		} else if errors.As(err, &refusal) {
			if why = refusal.Why; why != c.why {
				t.Errorf("%s: refused for %s (%v), want %s", name, why, err, c.why)
			}
		} else if c.why != "" {
			t.Errorf("%s: %v, want a refusal for %s", name, err, c.why)
		}
		if (err == nil) != (claim.Subject == "1001") {
			t.Errorf("%s: %+v with %v", name, claim, err)
		}
	}
}

func hs256Public(i *socialtest.Issuer, claims map[string]any) string {
	der, _ := x509.MarshalPKIXPublicKey(i.Key.Public())
	return socialtest.Signed(jose.SigningKey{Algorithm: jose.HS256, Key: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}, i.Kid, claims)
}

func hs256Secret(i *socialtest.Issuer, claims map[string]any) string {
	return socialtest.Signed(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(socialtest.Secret + strings.Repeat("\x00", 32))}, i.Kid, claims)
}

func es256(i *socialtest.Issuer, kid string, claims map[string]any) string {
	return socialtest.Signed(jose.SigningKey{Algorithm: jose.ES256, Key: i.Away}, kid, claims)
}

// RFC 9700, sections 4.4 and 4.5: what was kept for one journey is of no use for another, whatever was swapped.
func TestAnAnswerCountsForItsOwnJourney(t *testing.T) {
	t.Parallel()
	h := clock()
	i := socialtest.Start(t, h.Now)
	s := service(t, noStore{}, h.Now, nil, i.Config("one", social.OIDC), i.Config("two", social.OIDC))
	begin := func(id string) (keep []byte, answer url.Values) {
		t.Helper()
		address, keep, err := s.Begin(t.Context(), id, back+id, "s", false)
		if err != nil {
			t.Fatal(err)
		}
		_, answer = i.Visit(t, address)
		return keep, answer
	}
	victim, _ := begin("one")
	_, mine := begin("one")
	if _, err := s.Finish(t.Context(), "one", back+"one", victim, mine); !errors.Is(err, social.ErrAnswer) {
		t.Errorf("RFC 9700 4.5.3.1: another's code in my journey: %v", err)
	}
	keep, answer := begin("one")
	var refusal *social.Refusal
	if _, err := s.Finish(t.Context(), "two", back+"two", keep, answer); !errors.As(err, &refusal) || refusal.Why != "provider" {
		t.Errorf("RFC 9700 4.4.2.2: at the return address of another provider: %v", err)
	}
	if _, err := s.Finish(t.Context(), "one", back+"two", keep, answer); !errors.Is(err, social.ErrAnswer) {
		t.Errorf("RFC 9700 2.1: with another return address: %v", err)
	}
	keep, answer = begin("one")
	if _, err := s.Finish(t.Context(), "one", back+"one", keep, answer); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Finish(t.Context(), "one", back+"one", keep, answer); !errors.Is(err, social.ErrAnswer) {
		t.Errorf("the same answer again: %v", err)
	}
	keep, answer = begin("one")
	h.Pass(10 * time.Minute)
	if _, err := s.Finish(t.Context(), "one", back+"one", keep, answer); !errors.Is(err, social.ErrLate) {
		t.Errorf("after ten minutes: %v", err)
	}
	if _, _, err := s.Begin(t.Context(), "three", back, "s", false); !errors.Is(err, social.ErrUnknown) {
		t.Errorf("a provider that there is not: %v", err)
	}
}

func TestDocumentsThatAreNotBelieved(t *testing.T) {
	t.Parallel()
	h := clock()
	i := socialtest.Start(t, h.Now)
	s := service(t, noStore{}, h.Now, nil, i.Config("one", social.OIDC))
	begin := func() error {
		_, _, err := s.Begin(t.Context(), "one", back+"one", "s", false)
		return err
	}
	set := func(key string, value any) socialtest.Bend {
		return socialtest.Bend{Document: func(d map[string]any) { d[key] = value }}
	}
	for name, bend := range map[string]socialtest.Bend{
		"of another issuer (RFC 8414 3.3)": set("issuer", "https://evil.example"),
		"a token endpoint without TLS":     set("token_endpoint", "http://192.0.2.7/token"),
		"a page that is a script":          set("authorization_endpoint", "javascript:alert(1)"),
		"no keys":                          set("jwks_uri", ""),
		"far too long":                     set("x", strings.Repeat("x", 2<<20)),
	} {
		i.Bend(bend)
		if err := begin(); !errors.Is(err, social.ErrProvider) {
			t.Errorf("%s: %v", name, err)
		}
		i.Bend(socialtest.Bend{})
		if err := begin(); !errors.Is(err, social.ErrProvider) {
			t.Errorf("%s: a provider that failed is asked again at once: %v", name, err)
		}
		h.Pass(5 * time.Second)
		if err := begin(); err != nil {
			t.Errorf("%s: after it was mended: %v", name, err)
		}
		h.Pass(time.Hour) // so that the document is asked for again
	}
}

// A provider of the Internet is spoken to on the Internet only, whatever names mean; RFC 9700, section 4.9 is
// about the same danger at issuers.
func TestConnectionsGoToPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	asked := false
	inside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer inside.Close()
	c := social.Config{Kind: social.OIDC, Name: "Inside", ClientID: "c", Issuer: inside.URL, Secret: secret.New("s")}
	c, err := c.Filled()
	if err != nil {
		t.Fatal(err)
	}
	if err := social.Check(t.Context(), c, time.Now); err == nil || !strings.Contains(err.Error(), "prohibited") || asked {
		t.Errorf("Check = %v, asked %v", err, asked)
	}
	c.AllowPrivate, c.Roots = true, x509.NewCertPool()
	c.Roots.AddCert(inside.Certificate())
	if err := social.Check(t.Context(), c, time.Now); err == nil || !asked {
		t.Errorf("allowed by the operator: %v, asked %v", err, asked)
	}
}

func TestNobodyIsLedOnInsteadOfAnswered(t *testing.T) {
	t.Parallel()
	h := clock()
	i := socialtest.Start(t, h.Now)
	lead := httptest.NewServer(http.RedirectHandler(i.URL+"/.well-known/openid-configuration", http.StatusFound))
	defer lead.Close()
	c := i.Config("one", social.OIDC)
	c.Issuer = lead.URL
	if err := social.Check(t.Context(), c, h.Now); err == nil || !strings.Contains(err.Error(), "leads elsewhere") {
		t.Errorf("Check = %v", err)
	}
}

func TestWhatOperatorsWrite(t *testing.T) {
	t.Parallel()
	ok := social.Config{Kind: social.Google, ClientID: "c"}
	apple := social.Config{Kind: social.Apple, ClientID: "c", TeamID: "TEAM123456", KeyID: "KEY1234567"}
	oidc := social.Config{Kind: social.OIDC, ClientID: "c", Name: "School", Issuer: "https://id.school.example"}
	change := func(c social.Config, fn func(*social.Config)) social.Config { fn(&c); return c }
	for name, c := range map[string]struct {
		in   social.Config
		says string // "" when it can be used
	}{
		"Google":                      {ok, ""},
		"GitHub":                      {change(ok, func(c *social.Config) { c.Kind = social.GitHub }), ""},
		"Apple":                       {apple, ""},
		"an issuer":                   {oidc, ""},
		"this machine, in tests":      {change(oidc, func(c *social.Config) { c.Issuer, c.AllowPrivate = "http://127.0.0.1:1", true }), ""},
		"no kind":                     {change(ok, func(c *social.Config) { c.Kind = "" }), "google, github, apple, oidc"},
		"another kind":                {change(ok, func(c *social.Config) { c.Kind = "myspace" }), `"myspace"`},
		"an id with a slash":          {change(ok, func(c *social.Config) { c.ID = "a/b" }), "lower-case letters"},
		"no client id":                {change(ok, func(c *social.Config) { c.ClientID = "" }), "client_id"},
		"no name":                     {change(oidc, func(c *social.Config) { c.Name = "" }), "stands on the button"},
		"a name that cannot be seen":  {change(oidc, func(c *social.Config) { c.Name = "a\u202eb" }), "name"},
		"no issuer":                   {change(oidc, func(c *social.Config) { c.Issuer = "" }), "issuer"},
		"an issuer without TLS":       {change(oidc, func(c *social.Config) { c.Issuer = "http://id.school.example" }), "https://"},
		"another machine without TLS": {change(oidc, func(c *social.Config) { c.Issuer, c.AllowPrivate = "http://192.0.2.1", true }), "https://"},
		"this machine, not allowed":   {change(oidc, func(c *social.Config) { c.Issuer = "http://127.0.0.1:1" }), "allow_private"},
		"an issuer with a query":      {change(oidc, func(c *social.Config) { c.Issuer += "/?a=b" }), "query"},
		"an issuer with a user":       {change(oidc, func(c *social.Config) { c.Issuer = "https://a@b.example" }), "user"},
		"Apple without a team":        {change(apple, func(c *social.Config) { c.TeamID = "" }), "ten capital letters"},
		"Google with a team":          {change(ok, func(c *social.Config) { c.TeamID = "TEAM123456" }), "only Apple"},
	} {
		got, err := c.in.Filled()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if err == nil && (got.ID == "" || got.Name == "" || got.Issuer == "") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, text := range map[string]string{
		"no PEM": "hello", "another block": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no key in it": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
	} {
		if _, err := social.ParseAppleKey([]byte(text)); err == nil {
			t.Errorf("a .p8 file with %s is read", name)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := social.ParseAppleKey(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})); err == nil || !strings.Contains(err.Error(), "P-256") {
		t.Errorf("a key for P-384: %v", err)
	}
}

var anna, berta = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"

func self(user string) access.Actor { return access.Actor{Kind: access.User, ID: user} }

func TestLinks(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, h := t.Context(), clock()
		gone := map[string]bool{}
		google := social.Config{Kind: social.Google, ClientID: "c", Secret: secret.New("s")}
		github := social.Config{Kind: social.GitHub, ClientID: "c", Secret: secret.New("s")}
		s := service(t, social.SQL(d), h.Now, func(user string) bool { return !gone[user] }, google, github)
		one := social.Claim{Provider: "google", Issuer: "https://accounts.google.com", Subject: "1"}
		two := social.Claim{Provider: "github", Issuer: "https://github.com/login/oauth", Subject: "1"} // the same number, of another issuer
		if _, _, err := s.Find(ctx, one); !errors.Is(err, social.ErrNotLinked) {
			t.Errorf("before: %v", err)
		}
		for name, who := range map[string]access.Actor{"somebody else": self(berta), "this server": {Kind: access.System}} {
			if err := s.Link(ctx, who, anna, one); err == nil {
				t.Errorf("%s links", name)
			}
		}
		for range 2 {
			if err := s.Link(ctx, self(anna), anna, one); err != nil {
				t.Fatal(err)
			}
		}
		h.Pass(time.Second)
		if err := s.Link(ctx, self(anna), anna, two); err != nil {
			t.Fatal(err)
		}
		if err := s.Link(ctx, self(berta), berta, one); !errors.Is(err, social.ErrTaken) {
			t.Errorf("somebody else's: %v", err)
		}
		more := one
		more.Subject = "2"
		if err := s.Link(ctx, self(anna), anna, more); !errors.Is(err, social.ErrHave) {
			t.Errorf("a second one of a provider: %v", err)
		}
		user, link, err := s.Find(ctx, one)
		if err != nil || user != anna {
			t.Fatalf("Find = %s, %v", user, err)
		}
		if err := s.Used(ctx, user, link, "google"); err != nil {
			t.Fatal(err)
		}
		all, err := s.Of(ctx, anna)
		if err != nil || len(all) != 2 || all[0].Name != "Google" || all[0].Provider != "google" || !all[0].UsedAt.Equal(h.Now()) || all[1].Name != "GitHub" || !all[1].UsedAt.IsZero() {
			t.Fatalf("Of = %+v, %v", all, err)
		}

		// Unlinking.
		if _, err := s.Unlink(ctx, self(berta), anna, all[0].ID, true); err == nil {
			t.Error("somebody else unlinks")
		}
		if _, err := s.Unlink(ctx, self(berta), berta, all[0].ID, true); !errors.Is(err, social.ErrNotLinked) {
			t.Errorf("another's link as one's own: %v", err)
		}
		if name, err := s.Unlink(ctx, self(anna), anna, all[0].ID, false); err != nil || name != "Google" {
			t.Errorf("while another is left: %s, %v", name, err)
		}
		if _, err := s.Unlink(ctx, self(anna), anna, all[1].ID, false); !errors.Is(err, social.ErrLastWay) {
			t.Errorf("the last way in: %v", err)
		}
		// A server that has Google alone: GitHub's link is no way in there.
		alone := service(t, social.SQL(d), h.Now, nil, google)
		if left, err := alone.Of(ctx, anna); err != nil || len(left) != 1 || left[0].Provider != "" || left[0].Name != two.Issuer {
			t.Errorf("a provider that there is no more: %+v, %v", left, err)
		}
		h.Pass(time.Second)
		if err := alone.Link(ctx, self(anna), anna, one); err != nil {
			t.Fatal(err)
		}
		left, err := alone.Of(ctx, anna)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := alone.Unlink(ctx, self(anna), anna, left[1].ID, false); !errors.Is(err, social.ErrLastWay) {
			t.Errorf("the last way in that there is: %v", err)
		}
		if _, err := s.Unlink(ctx, self(anna), anna, left[0].ID, true); err != nil {
			t.Errorf("with a password: %v", err)
		}

		// An account that a crash kept from being made.
		gone[anna] = true
		h.Pass(59 * time.Second)
		if _, _, err := s.Find(ctx, one); !errors.Is(err, social.ErrBusy) {
			t.Errorf("while the account may be under way: %v", err)
		}
		h.Pass(time.Second)
		for range 2 {
			if _, _, err := s.Find(ctx, one); !errors.Is(err, social.ErrNotLinked) {
				t.Errorf("a link of nobody: %v", err)
			}
		}
		if err := s.Link(ctx, self(berta), berta, one); err != nil {
			t.Errorf("whose link was nobody's: %v", err)
		}
		for range 2 {
			if err := s.Forget(ctx, berta); err != nil {
				t.Fatal(err)
			}
		}
		if all, err := s.Of(ctx, berta); err != nil || len(all) != 0 {
			t.Errorf("after forgetting: %+v, %v", all, err)
		}
	})
}

// A link whose account was never made is removed with the account's key; one that is repeated, or used, or whose
// account is there stays.
func TestLinksOfNobodyAreSwept(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, h := t.Context(), clock()
		policy, err := access.New()
		if err != nil {
			t.Fatal(err)
		}
		r := &shredder{}
		s, err := social.New(social.Needs{Store: social.SQL(d), Keys: r, Policy: policy, Now: h.Now, Known: func(_ context.Context, user string) (bool, error) {
			return user == berta, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		link := func(user, subject string) {
			t.Helper()
			if err := s.Link(ctx, self(user), user, social.Claim{Provider: "google", Issuer: "https://accounts.google.com", Subject: subject}); err != nil {
				t.Fatal(err)
			}
		}
		sweep := func(left ...int) {
			t.Helper()
			if err := s.Sweep(ctx); !errors.Is(err, r.err) {
				t.Fatal(err)
			}
			for i, user := range []string{anna, berta} {
				if all, err := s.Of(ctx, user); err != nil || len(all) != left[i] {
					t.Errorf("%d links of %s are left, %v, want %d", len(all), user, err, left[i])
				}
			}
		}
		link(anna, "1")
		link(berta, "2")
		h.Pass(10 * time.Minute)
		link(anna, "1") // somebody presses the button again
		h.Pass(15 * time.Minute)
		sweep(1, 1)
		h.Pass(time.Second)
		r.err = errors.New("the keyring is away")
		sweep(1, 1)
		r.err, r.erased = nil, nil
		sweep(0, 1)
		sweep(0, 1)
		if len(r.erased) != 1 || r.erased[0] != anna {
			t.Errorf("the keys of %v were erased", r.erased)
		}
		// Somebody else's link that is nobody's is in nobody's way after a minute.
		link(anna, "3")
		if err := s.Link(ctx, self(berta), berta, social.Claim{Issuer: "https://github.com/login/oauth", Subject: "3"}); err != nil {
			t.Fatal(err)
		}
		third := social.Claim{Provider: "google", Issuer: "https://accounts.google.com", Subject: "3"}
		if err := s.Forget(ctx, berta); err != nil {
			t.Fatal(err)
		}
		if err := s.Link(ctx, self(berta), berta, third); !errors.Is(err, social.ErrBusy) {
			t.Errorf("while the account may be under way: %v", err)
		}
		h.Pass(time.Minute)
		if err := s.Link(ctx, self(berta), berta, third); err != nil {
			t.Error(err)
		}
		if err := s.Abandon(ctx, berta); err != nil {
			t.Fatal(err)
		}
		sweep(0, 1)
	})
}

// Of two who unlink both links of one account at the same time one is refused.
func TestTheLastTwoLinksCannotGoTogether(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, h := t.Context(), clock()
		s := service(t, social.SQL(d), h.Now, nil, social.Config{Kind: social.Google, ClientID: "c", Secret: secret.New("s")}, social.Config{Kind: social.GitHub, ClientID: "c", Secret: secret.New("s")})
		for range 5 {
			for _, issuer := range []string{"https://accounts.google.com", "https://github.com/login/oauth"} {
				if err := s.Link(ctx, self(anna), anna, social.Claim{Issuer: issuer, Subject: "1"}); err != nil {
					t.Fatal(err)
				}
			}
			all, err := s.Of(ctx, anna)
			if err != nil {
				t.Fatal(err)
			}
			errs := make(chan error, 2)
			for _, l := range all {
				go func() {
					_, err := s.Unlink(ctx, self(anna), anna, l.ID, false)
					errs <- err
				}()
			}
			first, second := <-errs, <-errs
			if left, err := s.Of(ctx, anna); err != nil || len(left) != 1 {
				t.Fatalf("%d links are left (%v, %v, %v)", len(left), first, second, err)
			}
		}
	})
}

// Whatever a browser brings, it is refused or said to be the provider's fault: no provider is asked for a stranger's code.
func FuzzAnswer(f *testing.F) {
	h := clock()
	i := socialtest.Start(f, h.Now)
	s := service(f, noStore{}, h.Now, nil, i.Config("one", social.OIDC), i.Config("github", social.GitHub))
	_, keep, err := s.Begin(f.Context(), "one", back+"one", "s", false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("code=a&state=s&iss=" + url.QueryEscape(i.URL))
	f.Add("error=access_denied&iss=" + url.QueryEscape(i.URL))
	f.Add("code=a&code=b")
	f.Add("iss=")
	f.Add(`user={"name":{"firstName":"A"}}&code=x`)
	f.Fuzz(func(t *testing.T, query string) {
		in, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		claim, err := s.Finish(t.Context(), "one", back+"one", keep, in)
		if err == nil || claim != (social.Claim{}) {
			t.Fatalf("%q is believed: %+v", query, claim)
		}
		if !errors.Is(err, social.ErrAnswer) && !errors.Is(err, social.ErrProvider) && !errors.Is(err, social.ErrCancelled) {
			t.Fatalf("%q: %v", query, err)
		}
	})
}
