package social

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// How long a provider's document is believed, and how long one that did not answer is left alone.
const (
	knowFor  = time.Hour
	restsFor = 5 * time.Second
)

// algorithms are those of ID tokens that we take: signatures with a public key, RFC 7518, section 3.1, and RFC 8037.
// A shared secret (HS256) or none is no signature of the issuer, whatever its document says.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA}

// A provider is a Config with what was found out about it.
type provider struct {
	Config
	http *http.Client
	now  func() time.Time

	mu       sync.Mutex
	found    *found    // guarded by mu: nil for not yet
	foundAt  time.Time // guarded by mu
	failed   error     // guarded by mu: of the last try; nil for none
	failedAt time.Time // guarded by mu
}

// found is how a provider can be spoken to.
type found struct {
	endpoint oauth2.Endpoint
	iss      string         // what its answers name themselves with
	mustIss  bool           // they must: RFC 9207, section 3
	openid   *oidc.Provider // nil for GitHub
	userInfo bool
	api      string // of GitHub
}

func newProvider(c Config, now func() time.Time) *provider {
	return &provider{Config: c, http: client(c), now: now}
}

// find asks for the provider's document, or remembers it.
func (p *provider) find(ctx context.Context) (*found, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.found != nil && now.Sub(p.foundAt) < knowFor {
		return p.found, nil
	}
	if p.failed != nil && now.Sub(p.failedAt) < restsFor {
		return nil, p.failed
	}
	f, err := p.look(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err // nobody waits any more; that says nothing of the provider
		}
		p.failed, p.failedAt = err, now
		return nil, err
	}
	p.found, p.foundAt, p.failed = f, now, nil
	return f, nil
}

// document is what we read of a provider's, beside what go-oidc does: RFC 8414, section 2, and RFC 9207, section 3.
type document struct {
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Keys      string   `json:"jwks_uri"`
	UserInfo  string   `json:"userinfo_endpoint"`
	Proofs    []string `json:"token_endpoint_auth_methods_supported"`
	Iss       bool     `json:"authorization_response_iss_parameter_supported"`
}

// look finds out how to speak to the provider. Of GitHub it is known (docs.github.com, "Authorizing OAuth apps").
func (p *provider) look(ctx context.Context) (*found, error) {
	if p.Kind == GitHub {
		at := strings.TrimSuffix(p.Issuer, "/")
		f := &found{iss: at + "/login/oauth", api: at + "/api/v3", endpoint: oauth2.Endpoint{
			AuthURL: at + "/login/oauth/authorize", TokenURL: at + "/login/oauth/access_token", AuthStyle: oauth2.AuthStyleInParams,
		}}
		if at == presets[GitHub].issuer {
			f.api = "https://api.github.com"
		}
		return f, nil
	}
	known, err := oidc.NewProvider(oidc.ClientContext(ctx, p.http), p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the document of %s: %w", p.Issuer, err)
	}
	var d document
	if err := known.Claims(&d); err != nil {
		return nil, fmt.Errorf("the document of %s: %w", p.Issuer, err)
	}
	for what, at := range map[string]string{"authorization_endpoint": d.Authorize, "token_endpoint": d.Token, "jwks_uri": d.Keys} {
		// The page where people sign in may have a query of its own: RFC 6749, section 3.1.
		plain, _, _ := strings.Cut(at, "?")
		if err := p.address(plain); err != nil {
			return nil, fmt.Errorf("the document of %s: %s: %w", p.Issuer, what, err)
		}
	}
	f := &found{endpoint: known.Endpoint(), iss: p.Issuer, mustIss: d.Iss, openid: known, userInfo: p.address(d.UserInfo) == nil}
	f.endpoint.AuthStyle = oauth2.AuthStyleInHeader // OpenID Connect Discovery, section 3: what holds when nothing is said
	if p.Kind == Apple || len(d.Proofs) > 0 && !slices.Contains(d.Proofs, "client_secret_basic") {
		f.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return f, nil
}

// scopes are what we ask for: no more than who it is.
func (p *provider) scopes() []string {
	switch p.Kind {
	case GitHub:
		return []string{"read:user", "user:email"}
	case Apple:
		return []string{"openid", "name", "email"}
	}
	return []string{"openid", "email", "profile"}
}

// kept is what the caller keeps while a person is away.
type kept struct {
	Provider string    `json:"provider"`
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	At       time.Time `json:"at"`
}

// ask is the address where the person says yes.
func (p *provider) ask(ctx context.Context, redirect, state string, k kept, again bool) (string, error) {
	f, err := p.find(ctx)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(k.Verifier)}
	if f.openid != nil {
		options = append(options, oidc.Nonce(k.Nonce))
	}
	switch {
	case p.Kind == Apple:
		options = append(options, oauth2.SetAuthURLParam("response_mode", "form_post"))
	case p.Kind == Google, p.Kind == GitHub:
		// Both have many people with several accounts in one browser.
		options = append(options, oauth2.SetAuthURLParam("prompt", "select_account"))
	case again:
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return p.oauth(f, redirect, "").AuthCodeURL(state, options...), nil
}

func (p *provider) oauth(f *found, redirect, secret string) *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: secret, Endpoint: f.endpoint, RedirectURL: redirect, Scopes: p.scopes()}
}

// proof is what shows a provider that it is us.
func (p *provider) proof() (string, error) {
	if p.Kind != Apple {
		return p.Secret.Reveal(), nil
	}
	return appleSecret(p.Config, p.now())
}

// refusals are words of a provider that mean that the person, or the provider for the person, said no:
// RFC 6749, section 4.1.2.1, and Apple's own.
var refusals = []string{"access_denied", "user_cancelled_authorize", "user_cancelled_login"}

// answer reads what the browser brought back, asks the provider who it was, and forgets all else.
func (p *provider) answer(ctx context.Context, redirect string, k kept, in url.Values) (Claim, error) {
	for name, all := range in {
		if len(all) > 1 { // RFC 6749, section 3.1
			return Claim{}, refuse("repeated", errors.New(name))
		}
	}
	f, err := p.find(ctx)
	if err != nil {
		return Claim{}, err
	}
	// RFC 9207, section 2.4, before anything else: the code may be another provider's.
	if iss, told := in.Get("iss"), in.Has("iss"); told && iss != f.iss || !told && f.mustIss {
		return Claim{}, refuse("issuer", nil)
	}
	if word := in.Get("error"); word != "" {
		if slices.Contains(refusals, word) {
			return Claim{}, ErrCancelled
		}
		return Claim{}, fmt.Errorf("%w: %s says %.64q", ErrProvider, p.ID, word)
	}
	code := in.Get("code")
	if code == "" {
		return Claim{}, refuse("code", nil)
	}
	token, err := p.exchange(ctx, f, redirect, code, k)
	if err != nil {
		return Claim{}, err
	}
	if f.openid == nil {
		return p.github(ctx, f, token)
	}
	return p.identity(ctx, f, token, k, in)
}

func (p *provider) exchange(ctx context.Context, f *found, redirect, code string, k kept) (*oauth2.Token, error) {
	proof, err := p.proof()
	if err != nil {
		return nil, err
	}
	token, err := p.oauth(f, redirect, proof).Exchange(oidc.ClientContext(ctx, p.http), code, oauth2.VerifierOption(k.Verifier))
	var told *oauth2.RetrieveError
	switch {
	case err == nil:
		return token, nil
	case errors.As(err, &told) && (told.ErrorCode == "invalid_grant" || told.ErrorCode == "bad_verification_code"): // the latter is GitHub's
		return nil, refuse("code", fmt.Errorf("%.64q", told.ErrorCode))
	case errors.As(err, &told):
		// Nothing of the body: it may repeat what we sent.
		return nil, fmt.Errorf("%w: the token endpoint of %s answers %d %.64q", ErrProvider, p.ID, told.Response.StatusCode, told.ErrorCode)
	}
	return nil, fmt.Errorf("%w: the token endpoint of %s: %w", ErrProvider, p.ID, err)
}

// A truth is true, or "true" as Apple writes it.
type truth bool

func (t *truth) UnmarshalJSON(text []byte) error {
	*t = string(text) == `true` || string(text) == `"true"`
	return nil
}

// person are the claims that we read: OpenID Connect Core, section 5.1.
type person struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified truth  `json:"email_verified"`
	Name     string `json:"name"`
	Party    string `json:"azp"`
}

// identity is what an ID token says: OpenID Connect Core, section 3.1.3.7.
func (p *provider) identity(ctx context.Context, f *found, token *oauth2.Token, k kept, in url.Values) (Claim, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return Claim{}, refuse("no-id-token", nil)
	}
	id, err := f.openid.Verifier(&oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms, Now: p.now}).Verify(ctx, raw)
	if err != nil && strings.Contains(err.Error(), "fetching keys") { // go-oidc has no error for it
		return Claim{}, fmt.Errorf("%w: the keys of %s: %w", ErrProvider, p.ID, err)
	}
	if err != nil {
		return Claim{}, refuse("id-token", err)
	}
	var who person
	if err := id.Claims(&who); err != nil {
		return Claim{}, refuse("id-token", err)
	}
	switch {
	case !secret.Equal(id.Nonce, k.Nonce):
		return Claim{}, refuse("nonce", nil)
	case len(id.Audience) > 1 && who.Party == "", who.Party != "" && who.Party != p.ClientID:
		return Claim{}, refuse("authorized-party", nil)
	case id.IssuedAt.After(p.now().Add(5 * time.Minute)):
		return Claim{}, refuse("issued-later", nil)
	}
	c := Claim{Provider: p.ID, Issuer: p.Issuer, Subject: id.Subject, Email: who.Email, Verified: bool(who.Verified), Name: who.Name}
	if c.Email == "" && f.userInfo && p.Kind == OIDC {
		// Where an issuer tells the address only when asked: section 5.4.
		more, err := f.openid.UserInfo(oidc.ClientContext(ctx, p.http), oauth2.StaticTokenSource(token))
		if err != nil {
			return Claim{}, fmt.Errorf("%w: userinfo of %s: %w", ErrProvider, p.ID, err)
		}
		var told person
		if err := more.Claims(&told); err != nil {
			return Claim{}, refuse("userinfo", err)
		}
		if told.Subject != id.Subject { // section 5.3.2
			return Claim{}, refuse("userinfo", nil)
		}
		c.Email, c.Verified = told.Email, bool(told.Verified)
		if c.Name == "" {
			c.Name = told.Name
		}
	}
	if p.Kind == Apple {
		c.Name = appleName(in.Get("user"))
	}
	return c.tidy()
}

// gitHubUser and gitHubEmail are of docs.github.com, "REST API endpoints for users" and "for emails".
type gitHubUser struct {
	ID    json.Number `json:"id"`
	Login string      `json:"login"`
	Name  string      `json:"name"`
}

type gitHubEmail struct {
	Email    string `json:"email"`
	Primary  bool   `json:"primary"`
	Verified bool   `json:"verified"`
}

// github asks who a token is of. The number counts: names can be given to somebody else.
func (p *provider) github(ctx context.Context, f *found, token *oauth2.Token) (Claim, error) {
	header := map[string]string{"Authorization": "Bearer " + token.AccessToken, "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
	ask := func(path string, out any) error {
		text, err := get(ctx, p.http, f.api+path, header)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProvider, err)
		}
		if err := json.Unmarshal(text, out); err != nil {
			return refuse("user", err)
		}
		return nil
	}
	var who gitHubUser
	if err := ask("/user", &who); err != nil {
		return Claim{}, err
	}
	if n, err := who.ID.Int64(); err != nil || n <= 0 {
		return Claim{}, refuse("subject", err)
	}
	c := Claim{Provider: p.ID, Issuer: f.iss, Subject: who.ID.String(), Name: who.Name}
	if c.Name == "" {
		c.Name = who.Login
	}
	var all []gitHubEmail
	if err := ask("/user/emails", &all); err != nil {
		return Claim{}, err
	}
	for _, e := range all {
		if e.Primary {
			c.Email, c.Verified = e.Email, e.Verified
		}
	}
	return c.tidy()
}
