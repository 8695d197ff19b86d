// Package socialtest is a provider on loopback that does what a test says, also what no honest
// provider does. It speaks OpenID Connect, and the part of GitHub's API that signing in needs.
package socialtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// ClientID and Secret are what every test is registered with.
const (
	ClientID = "ardesia-test"
	Secret   = "a client secret for tests"
)

// A Person is who is signed in at the provider.
type Person struct {
	Subject  string // of GitHub: a number
	Email    string
	Verified bool
	Name     string
}

// A Bend is what a provider does otherwise than an honest one. Its zero value is honest.
type Bend struct {
	Claims   func(claims map[string]any)                   // changes an ID token before it is signed
	Sign     func(i *Issuer, claims map[string]any) string // signs it otherwise
	Answer   func(answer url.Values)                       // changes what the browser brings back
	Token    func(reply map[string]any)                    // changes the token endpoint's answer
	UserInfo func(reply map[string]any)                    // changes the userinfo endpoint's answer
	Document func(document map[string]any)                 // changes the discovery document
}

// An Issuer is a provider that runs until its test ends.
type Issuer struct {
	URL  string
	Key  *ecdsa.PrivateKey // published
	Kid  string
	Away *ecdsa.PrivateKey // not published

	now func() time.Time

	mu      sync.Mutex
	person  Person            // guarded by mu
	bend    Bend              // guarded by mu
	quiet   bool              // guarded by mu: the ID token has no address
	codes   map[string]asked  // guarded by mu
	tokens  map[string]Person // guarded by mu
	Calls   int               // guarded by mu: of the token endpoint
	secrets []string          // guarded by mu: client secrets that were shown
	issued  []string          // guarded by mu: codes and tokens
}

// asked is what a code was made for.
type asked struct {
	redirect, challenge, nonce string
	person                     Person
}

// Start runs a provider whose clock is now.
func Start(t testing.TB, now func() time.Time) *Issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	away, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &Issuer{Key: key, Kid: "k1", Away: away, now: now, codes: map[string]asked{}, tokens: map[string]Person{}}
	i.person = Person{Subject: "1001", Email: "anna@example.org", Verified: true, Name: "Anna Bianchi"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.document)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /userinfo", i.userInfo)
	mux.HandleFunc("GET /login/oauth/authorize", i.authorize)
	mux.HandleFunc("POST /login/oauth/access_token", i.token)
	mux.HandleFunc("GET /api/v3", func(w http.ResponseWriter, _ *http.Request) { write(w, map[string]any{}) })
	mux.HandleFunc("GET /api/v3/user", i.user)
	mux.HandleFunc("GET /api/v3/user/emails", i.emails)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// Config is how a house knows the provider under an id.
func (i *Issuer) Config(id string, kind social.Kind) social.Config {
	return social.Config{ID: id, Kind: kind, Name: "Test " + id, Issuer: i.URL, ClientID: ClientID, Secret: secret.New(Secret), AllowPrivate: true}
}

// Become has somebody else be signed in at the provider.
func (i *Issuer) Become(p Person) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.person = p
}

// Bend has the provider do otherwise.
func (i *Issuer) Bend(b Bend) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.bend = b
}

// Quiet keeps the address out of ID tokens.
func (i *Issuer) Quiet(quiet bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.quiet = quiet
}

// Secrets are the client secrets that were shown.
func (i *Issuer) Secrets() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.secrets...)
}

// Issued are the codes and tokens that were given out, which nobody may keep.
func (i *Issuer) Issued() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.issued...)
}

// Visit goes to the address of a question, says yes, and tells to which address the browser is sent and with what.
func (i *Issuer) Visit(t testing.TB, address string) (to string, answer url.Values) {
	t.Helper()
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Body.Close(); err != nil {
		t.Fatal(err)
	}
	back, err := url.Parse(got.Header.Get("Location"))
	if err != nil || got.StatusCode != http.StatusFound {
		t.Fatalf("the provider answers %d, %q, %v to %s", got.StatusCode, got.Header.Get("Location"), err, address)
	}
	answer = back.Query()
	back.RawQuery = ""
	return back.String(), answer
}

func write(w http.ResponseWriter, reply any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(reply) // who is gone reads nothing
}

func (i *Issuer) document(w http.ResponseWriter, _ *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	d := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"userinfo_endpoint": i.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": true,
	}
	if i.bend.Document != nil {
		i.bend.Document(d)
	}
	write(w, d)
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.Key.Public(), KeyID: i.Kid, Algorithm: "ES256", Use: "sig"}}})
}

func (i *Issuer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" || q.Get("redirect_uri") == "" {
		http.Error(w, "a question that none of our tests should ask: "+r.URL.String(), http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	code := rand.Text()
	i.issued = append(i.issued, code)
	i.codes[code] = asked{q.Get("redirect_uri"), q.Get("code_challenge"), q.Get("nonce"), i.person}
	answer := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.URL}}
	if r.URL.Path != "/authorize" {
		answer.Set("iss", i.URL+"/login/oauth")
	}
	if i.bend.Answer != nil {
		i.bend.Answer(answer)
	}
	i.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	id, shown, ok := r.BasicAuth()
	if !ok {
		id, shown = r.FormValue("client_id"), r.FormValue("client_secret")
	} else {
		shown, _ = url.QueryUnescape(shown) // RFC 6749, section 2.3.1
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.Calls++
	i.secrets = append(i.secrets, shown)
	code := r.FormValue("code")
	a, known := i.codes[code]
	delete(i.codes, code)
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	reply := map[string]any{}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case id != ClientID:
		w.WriteHeader(http.StatusUnauthorized)
		reply["error"] = "invalid_client"
	case !known || a.redirect != r.FormValue("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != a.challenge:
		w.WriteHeader(http.StatusBadRequest)
		reply["error"] = "invalid_grant"
	default:
		access := rand.Text()
		i.tokens[access] = a.person
		reply["access_token"], reply["token_type"], reply["refresh_token"] = access, "Bearer", rand.Text()
		if r.URL.Path == "/token" {
			reply["id_token"] = i.idToken(a)
		}
		for _, name := range []string{"access_token", "refresh_token", "id_token"} {
			if token, ok := reply[name].(string); ok {
				i.issued = append(i.issued, token)
			}
		}
		if i.bend.Token != nil {
			i.bend.Token(reply)
		}
	}
	write(w, reply)
}

// idToken is that of a person; the caller holds mu.
func (i *Issuer) idToken(a asked) string {
	now := i.now()
	claims := map[string]any{"iss": i.URL, "aud": ClientID, "sub": a.person.Subject, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "name": a.person.Name, "nonce": a.nonce}
	if !i.quiet {
		claims["email"], claims["email_verified"] = a.person.Email, a.person.Verified
	}
	if i.bend.Claims != nil {
		i.bend.Claims(claims)
	}
	if i.bend.Sign != nil {
		return i.bend.Sign(i, claims)
	}
	return Signed(jose.SigningKey{Algorithm: jose.ES256, Key: i.Key}, i.Kid, claims)
}

// Signed is a JWT.
func Signed(key jose.SigningKey, kid string, claims map[string]any) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		options = options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		panic(err) // a test's mistake
	}
	text, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(text)
	if err != nil {
		panic(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// Unsigned is a JWT with alg none, and an empty signature.
func Unsigned(claims map[string]any) string {
	text, _ := json.Marshal(claims)
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + enc.EncodeToString(text) + "."
}

// holder is whose token a request shows.
func (i *Issuer) holder(w http.ResponseWriter, r *http.Request) (Person, bool) {
	var token string
	_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &token)
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok := i.tokens[token]
	if !ok {
		http.Error(w, "no such token", http.StatusUnauthorized)
	}
	return p, ok
}

func (i *Issuer) userInfo(w http.ResponseWriter, r *http.Request) {
	p, ok := i.holder(w, r)
	if !ok {
		return
	}
	reply := map[string]any{"sub": p.Subject, "email": p.Email, "email_verified": p.Verified, "name": p.Name}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.bend.UserInfo != nil {
		i.bend.UserInfo(reply)
	}
	write(w, reply)
}

func (i *Issuer) user(w http.ResponseWriter, r *http.Request) {
	if p, ok := i.holder(w, r); ok {
		write(w, map[string]any{"id": json.Number(p.Subject), "login": "anna", "name": p.Name, "email": nil})
	}
}

func (i *Issuer) emails(w http.ResponseWriter, r *http.Request) {
	if p, ok := i.holder(w, r); ok {
		write(w, []map[string]any{
			{"email": "old-" + p.Email, "primary": false, "verified": true},
			{"email": p.Email, "primary": true, "verified": p.Verified},
		})
	}
}

// With is a Bend that sets claims of the ID token; a nil value takes one away.
func With(changes map[string]any) Bend {
	return Bend{Claims: func(claims map[string]any) {
		maps.Copy(claims, changes)
		maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	}}
}
