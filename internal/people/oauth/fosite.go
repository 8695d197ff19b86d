package oauth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/pkce"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// This file is where the library ends: it reads requests, proves clients, and checks
// codes, PKCE and refresh tokens; what it keeps and what it hands out is ours. Its clock
// is not used: a session has no times for it, and ours are checked in the store below.

// provider is the library with our store.
type provider struct {
	s *Service
	f *fosite.Fosite
}

func newProvider(s *Service) *provider {
	cfg := &fosite.Config{
		AccessTokenLifespan: userLife, RefreshTokenLifespan: refreshIdle, AuthorizeCodeLifespan: codeLife,
		EnforcePKCE: true, RefreshTokenScopes: []string{}, // families without offline_access end with their session
		MinParameterEntropy: 1, OmitRedirectScopeParam: true,
		ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
		ClientSecretsHasher: hasher{}, SanitationWhiteList: []string{"redirect_uri", "code_challenge", "nonce"},
	}
	p := &provider{s: s}
	explicit := &oauth2.AuthorizeExplicitGrantHandler{AccessTokenStrategy: p, RefreshTokenStrategy: p, AuthorizeCodeStrategy: p, CoreStorage: p, TokenRevocationStorage: p, Config: cfg}
	proof := &pkce.Handler{AuthorizeCodeStrategy: p, Storage: p, Config: cfg}
	cfg.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{explicit, proof}
	cfg.TokenEndpointHandlers = fosite.TokenEndpointHandlers{
		explicit,
		&oauth2.RefreshTokenGrantHandler{AccessTokenStrategy: p, RefreshTokenStrategy: p, TokenRevocationStorage: p, Config: cfg},
		proof, deviceGrant{p}, identity{p},
	}
	p.f = fosite.NewOAuth2Provider(p, cfg)
	return p
}

// hasher compares secrets of 256 random bits, for which a slow hash would protect nothing.
type hasher struct{}

func (hasher) Compare(_ context.Context, hash, given []byte) error {
	h := sha256.Sum256(given)
	if len(hash) == 0 || !secret.Equal(h[:], hash) {
		return errors.New("the secret is wrong")
	}
	return nil
}

func (hasher) Hash(_ context.Context, given []byte) ([]byte, error) { return sum(string(given)), nil }

const grantDevice = "urn:ietf:params:oauth:grant-type:device_code"

// asClient is a client as the library asks for one.
func asClient(c Client) *fosite.DefaultClient {
	grants := fosite.Arguments{"refresh_token"}
	if len(c.Redirects) > 0 {
		grants = append(grants, "authorization_code")
	}
	if c.Device {
		grants = append(grants, grantDevice)
	}
	return &fosite.DefaultClient{
		ID: c.ID, Secret: c.Secret, RedirectURIs: c.Redirects, GrantTypes: grants, ResponseTypes: fosite.Arguments{"code"},
		Scopes: c.Scopes, Audience: fosite.Arguments{Audience, strings.TrimSuffix(Audience, "/iot")}, Public: c.Public(),
	}
}

// GetClient finds a client for the library.
func (p *provider) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c, err := p.s.client(ctx, id)
	if errors.Is(err, ErrClient) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return asClient(c), nil
}

// ClientAssertionJWTValid refuses: no client proves itself with a JWT here.
func (p *provider) ClientAssertionJWTValid(context.Context, string) error { return fosite.ErrJTIKnown }

// SetClientAssertionJWT refuses for the same reason.
func (p *provider) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return fosite.ErrJTIKnown
}

// session is what one request of the library is about.
type session struct {
	grant  Grant
	code   code
	scopes []string // of the access token, if fewer than the grant's
}

// SetExpiresAt does nothing: see the head of this file.
func (s *session) SetExpiresAt(fosite.TokenType, time.Time) {}

// GetExpiresAt has no time: the library then goes by its configuration.
func (s *session) GetExpiresAt(fosite.TokenType) time.Time { return time.Time{} }

// GetUsername is nobody's business.
func (s *session) GetUsername() string { return "" }

// GetSubject is the person.
func (s *session) GetSubject() string { return s.grant.User }

// Clone copies.
func (s *session) Clone() fosite.Session {
	c := *s
	return &c
}

func sessionOf(r fosite.Requester) *session {
	if s, ok := r.GetSession().(*session); ok {
		return s
	}
	return &session{}
}

// requester is a grant as the library asks for one.
func (p *provider) requester(ctx context.Context, g Grant, c code) (fosite.Requester, error) {
	client, err := p.GetClient(ctx, g.Client)
	if err != nil {
		return nil, err
	}
	form := url.Values{"redirect_uri": {c.redirect}, "code_challenge": {c.challenge}, "code_challenge_method": {"S256"}}
	return &fosite.Request{
		ID: g.ID, RequestedAt: g.CreatedAt, Client: client, RequestedScope: g.Scopes, GrantedScope: slices.Clone(g.Scopes),
		Form: form, Session: &session{grant: g, code: c},
	}, nil
}

// hashOf is how a code or token is named in the store: the library calls it its signature.
func hashOf(text string) string { return string(sum(text)) }

// AccessTokenSignature names an access token.
func (p *provider) AccessTokenSignature(_ context.Context, token string) string { return hashOf(token) }

// RefreshTokenSignature names a refresh token.
func (p *provider) RefreshTokenSignature(_ context.Context, token string) string {
	return hashOf(token)
}

// AuthorizeCodeSignature names a code.
func (p *provider) AuthorizeCodeSignature(_ context.Context, token string) string {
	return hashOf(token)
}

// GenerateAccessToken signs one for what was granted.
func (p *provider) GenerateAccessToken(_ context.Context, r fosite.Requester) (token, signature string, err error) {
	have := sessionOf(r)
	scopes := have.scopes
	if scopes == nil {
		scopes = have.grant.Scopes
	}
	token, err = p.s.accessToken(have.grant, scopes)
	return token, hashOf(token), err
}

// ValidateAccessToken is never asked: see Verify.
func (p *provider) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return fosite.ErrRequestUnauthorized
}

// GenerateRefreshToken draws one.
func (p *provider) GenerateRefreshToken(context.Context, fosite.Requester) (token, signature string, err error) {
	token = random()
	return token, hashOf(token), nil
}

// ValidateRefreshToken has nothing to add to the store.
func (p *provider) ValidateRefreshToken(context.Context, fosite.Requester, string) error { return nil }

// GenerateAuthorizeCode draws one.
func (p *provider) GenerateAuthorizeCode(context.Context, fosite.Requester) (token, signature string, err error) {
	token = random()
	return token, hashOf(token), nil
}

// ValidateAuthorizeCode has nothing to add to the store.
func (p *provider) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error { return nil }

// CreateAuthorizeCodeSession begins a grant with its code.
func (p *provider) CreateAuthorizeCodeSession(ctx context.Context, signature string, r fosite.Requester) error {
	now, g := p.s.needs.Now(), sessionOf(r).grant
	g.ID, g.Scopes, g.CreatedAt, g.EndsAt = r.GetID(), r.GetGrantedScopes(), now, now.Add(refreshLife)
	f := r.GetRequestForm()
	e := p.s.entry(person(g.User), "grant:begin", "grant", g.ID, map[string]string{"client": g.Client, "scopes": strings.Join(g.Scopes, " ")})
	return p.s.needs.Store.commit(ctx, &unit{at: now, begin: &g, entry: &e, code: &code{
		hash: []byte(signature), grant: g.ID, redirect: f.Get("redirect_uri"), challenge: f.Get("code_challenge"), nonce: f.Get("nonce"), expiresAt: now.Add(codeLife),
	}})
}

// GetAuthorizeCodeSession finds what a code was given for. A code that comes a second
// time ends all that came of it (RFC 9700, section 4.5.3.1 of what it builds on: RFC 6749, 4.1.2).
func (p *provider) GetAuthorizeCodeSession(ctx context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	c, g, err := p.s.needs.Store.code(ctx, []byte(signature))
	if errors.Is(err, errNoGrant) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	r, err := p.requester(ctx, g, c)
	if err != nil {
		return nil, err
	}
	if !c.usedAt.IsZero() {
		if err := p.s.replayed(ctx, g); err != nil {
			return nil, err
		}
		return r, fosite.ErrInvalidatedAuthorizeCode
	}
	return r, p.live(ctx, g, c.expiresAt)
}

// live is ErrNotFound when a code or a refresh token of g is over. Who cannot tell is another error, so that
// no program throws away what still counts.
func (p *provider) live(ctx context.Context, g Grant, until time.Time) error {
	if !p.s.needs.Now().Before(until) {
		return fosite.ErrNotFound
	}
	err := p.s.stands(ctx, g)
	if errors.Is(err, ErrToken) {
		err = fosite.ErrNotFound
	}
	return err
}

// unitKey is where a context has the unit that is being gathered.
type unitKey struct{}

// BeginTX starts to gather what belongs together.
func (p *provider) BeginTX(ctx context.Context) (context.Context, error) {
	return context.WithValue(ctx, unitKey{}, &unit{at: p.s.needs.Now()}), nil
}

// Commit writes it.
func (p *provider) Commit(ctx context.Context) error {
	u := unitOf(ctx)
	if u.use == nil && u.rotate == nil && u.refresh == nil {
		return nil
	}
	return p.s.needs.Store.commit(ctx, u)
}

// Rollback has nothing to undo.
func (p *provider) Rollback(context.Context) error { return nil }

func unitOf(ctx context.Context) *unit {
	if u, ok := ctx.Value(unitKey{}).(*unit); ok {
		return u
	}
	return &unit{}
}

// InvalidateAuthorizeCodeSession uses a code up.
func (p *provider) InvalidateAuthorizeCodeSession(ctx context.Context, signature string) error {
	unitOf(ctx).use = []byte(signature)
	return nil
}

// CreateAccessTokenSession keeps nothing: an access token names its grant.
func (p *provider) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetAccessTokenSession is never asked: see Verify.
func (p *provider) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

// DeleteAccessTokenSession has nothing to delete.
func (p *provider) DeleteAccessTokenSession(context.Context, string) error { return nil }

// CreateRefreshTokenSession adds a refresh token to its family.
func (p *provider) CreateRefreshTokenSession(ctx context.Context, signature, _ string, r fosite.Requester) error {
	unitOf(ctx).refresh = p.newRefresh(signature, sessionOf(r).grant)
	return nil
}

func (p *provider) newRefresh(signature string, g Grant) *refresh {
	expires := p.s.needs.Now().Add(refreshIdle)
	if g.EndsAt.Before(expires) {
		expires = g.EndsAt
	}
	return &refresh{hash: []byte(signature), grant: g.ID, expiresAt: expires}
}

// GetRefreshTokenSession finds what a refresh token is good for. One that was used
// before, and not just now, has been stolen, here or there: its family ends (RFC 9700,
// section 4.14.2).
func (p *provider) GetRefreshTokenSession(ctx context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	t, g, err := p.s.needs.Store.refresh(ctx, []byte(signature))
	if errors.Is(err, errNoGrant) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	r, err := p.requester(ctx, g, code{})
	if err != nil {
		return nil, err
	}
	now := p.s.needs.Now()
	if !t.usedAt.IsZero() && now.Sub(t.usedAt) >= overlap {
		if err := p.s.replayed(ctx, g); err != nil {
			return nil, err
		}
		return r, fosite.ErrInactiveToken
	}
	return r, p.live(ctx, g, t.expiresAt)
}

// DeleteRefreshTokenSession has nothing to delete: the grant has ended.
func (p *provider) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken marks a refresh token as used.
func (p *provider) RotateRefreshToken(ctx context.Context, _, signature string) error {
	unitOf(ctx).rotate = []byte(signature)
	return nil
}

// RevokeRefreshToken has nothing to add: what was replayed has ended its grant already.
func (p *provider) RevokeRefreshToken(context.Context, string) error { return nil }

// RevokeAccessToken neither.
func (p *provider) RevokeAccessToken(context.Context, string) error { return nil }

// CreatePKCERequestSession keeps nothing: the challenge stands beside its code.
func (p *provider) CreatePKCERequestSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetPKCERequestSession finds the challenge.
func (p *provider) GetPKCERequestSession(ctx context.Context, signature string, s fosite.Session) (fosite.Requester, error) {
	return p.GetAuthorizeCodeSession(ctx, signature, s)
}

// DeletePKCERequestSession leaves the challenge where it is: a verifier is not guessed in a minute.
func (p *provider) DeletePKCERequestSession(context.Context, string) error { return nil }

// scopesOf narrows a refreshed access token to what the request names (RFC 6749, section 6).
func narrow(r fosite.AccessRequester) error {
	asked := words(r.GetRequestForm().Get("scope"))
	if len(asked) == 0 || !r.GetGrantTypes().ExactOne("refresh_token") {
		return nil
	}
	have := sessionOf(r)
	if !within(asked, have.grant.Scopes) {
		return fosite.ErrInvalidScope.WithHint("A refresh token gives what was granted, or less.")
	}
	have.scopes = asked
	return nil
}

// identity adds what OpenID Connect adds to a token answer.
type identity struct{ p *provider }

// CanSkipClientAuth never.
func (identity) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest leaves requests to those who grant.
func (identity) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	return false
}

// HandleTokenEndpointRequest is never asked.
func (identity) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

// PopulateTokenEndpointResponse runs last, when the access token is there.
func (i identity) PopulateTokenEndpointResponse(_ context.Context, r fosite.AccessRequester, answer fosite.AccessResponder) error {
	have := sessionOf(r)
	scopes := have.scopes
	if scopes == nil {
		scopes = have.grant.Scopes
	}
	answer.SetScopes(scopes)
	answer.SetTokenType("Bearer")
	answer.SetExpiresIn(userLife)
	if !have.grant.has(ScopeOpenID) {
		return nil
	}
	token, err := i.p.s.idToken(have.grant, have.code.nonce, answer.GetAccessToken())
	if err != nil {
		return err
	}
	answer.SetExtra("id_token", token)
	return nil
}

// accessToken signs a person's access token.
func (s *Service) accessToken(g Grant, scopes []string) (string, error) {
	now, origin := s.needs.Now(), s.needs.Origin()
	p := personal{
		Issuer: origin, Subject: g.User, Issued: now.Unix(), Expires: now.Add(userLife).Unix(), ID: uuid.NewString(),
		Client: g.Client, Scope: strings.Join(scopes, " "), ACR: g.ACR, User: g.User, Grant: g.ID,
	}
	if !g.AuthAt.IsZero() {
		p.AuthAt = g.AuthAt.Unix()
	}
	if slices.Contains(scopes, ScopeIoT) {
		p.Audience = append(p.Audience, Audience)
	}
	if slices.Contains(scopes, ScopeOpenID) || len(p.Audience) == 0 {
		p.Audience = append(p.Audience, origin)
	}
	return s.sign(typeAccess, p)
}

// idClaims are OpenID Connect Core 1.0, section 2.
type idClaims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Party    string   `json:"azp"`
	Expires  int64    `json:"exp"`
	Issued   int64    `json:"iat"`
	AuthAt   int64    `json:"auth_time,omitempty"`
	Nonce    string   `json:"nonce,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Hash     string   `json:"at_hash,omitempty"`
	Session  string   `json:"sid,omitempty"`
}

func (s *Service) idToken(g Grant, nonce, access string) (string, error) {
	now := s.needs.Now()
	h := sha256.Sum256([]byte(access))
	c := idClaims{
		Issuer: s.needs.Origin(), Subject: g.User, Audience: g.Client, Party: g.Client, Issued: now.Unix(), Expires: now.Add(idLife).Unix(), Nonce: nonce,
		ACR: g.ACR, AMR: g.AMR, Hash: base64.RawURLEncoding.EncodeToString(h[:len(h)/2]), Session: sid(g.Session),
	}
	if !g.AuthAt.IsZero() {
		c.AuthAt = g.AuthAt.Unix()
	}
	return s.sign(typeJWT, c)
}

// sid names a browser's session to clients, who must not learn its id.
func sid(session string) string {
	if session == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum("sid " + session)[:16])
}

// oauthError is err as clients read it; ours is what is our own fault.
func oauthError(err error) (e *fosite.RFC6749Error, ours bool) {
	if errors.Is(err, errUsed) {
		return fosite.ErrInvalidGrant.WithHint("It was used already."), false
	}
	e = fosite.ErrorToRFC6749Error(err)
	return e, e.CodeField >= http.StatusInternalServerError && !errors.Is(err, fosite.ErrTemporarilyUnavailable)
}

// describe is the error's text without its name, in the characters that RFC 6749 allows there.
func describe(e *fosite.RFC6749Error) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, e.GetDescription())
}

var errBrowser = fmt.Errorf("nobody can sign in: %w", fosite.ErrTemporarilyUnavailable)
