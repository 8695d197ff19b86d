package oauth

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"
	"golang.org/x/time/rate"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// providerRoutes are the addresses of RFC 6749 and those that build on it. All are open:
// who comes proves it in the request itself.
func (s *Service) providerRoutes() []door.Route {
	all := []door.Route{
		{Pattern: "GET /.well-known/openid-configuration", Out: wireDiscovery{}, Do: s.httpDiscovery},
		{Pattern: "GET /.well-known/oauth-authorization-server", Out: wireDiscovery{}, Do: s.httpDiscovery},
		{Pattern: "GET " + pathAuthorize, Do: s.httpAuthorize},
		{Pattern: "POST " + pathAuthorize, Do: s.httpAuthorize},
		{Pattern: "POST /oauth2/par", Status: http.StatusCreated, Out: wirePushed{}, Do: s.httpPush},
		{Pattern: "POST /oauth2/token", Do: s.httpGrant},
		{Pattern: "POST /oauth2/device", Out: wireDevice{}, Do: s.httpDevice},
		{Pattern: "POST /oauth2/introspect", Out: wireIntrospection{}, Do: s.httpIntrospect},
		{Pattern: "POST /oauth2/revoke", Do: s.httpRevoke},
		{Pattern: "GET /oauth2/userinfo", Out: wireUserInfo{}, Do: s.httpUserInfo},
		{Pattern: "POST /oauth2/userinfo", Out: wireUserInfo{}, Do: s.httpUserInfo},
		{Pattern: "GET " + pathLogout, Do: s.httpLogout},
		{Pattern: "POST " + pathLogout, Do: s.httpLogout},
	}
	for i := range all {
		all[i].Open = true
		all[i].MaxBody = 2 * maxForm
	}
	return all
}

// wireDiscovery is OpenID Connect Discovery 1.0, section 3, and RFC 8414, section 2.
type wireDiscovery struct {
	Issuer             string   `json:"issuer"`
	Authorize          string   `json:"authorization_endpoint"`
	Token              string   `json:"token_endpoint"`
	Push               string   `json:"pushed_authorization_request_endpoint"`
	Device             string   `json:"device_authorization_endpoint"`
	Introspect         string   `json:"introspection_endpoint"`
	Revoke             string   `json:"revocation_endpoint"`
	UserInfo           string   `json:"userinfo_endpoint"`
	Logout             string   `json:"end_session_endpoint"`
	Keys               string   `json:"jwks_uri"`
	Scopes             []string `json:"scopes_supported"`
	Responses          []string `json:"response_types_supported"`
	Modes              []string `json:"response_modes_supported"`
	Grants             []string `json:"grant_types_supported"`
	Subjects           []string `json:"subject_types_supported"`
	IDAlgorithms       []string `json:"id_token_signing_alg_values_supported"`
	TokenProofs        []string `json:"token_endpoint_auth_methods_supported"`
	IntrospectProofs   []string `json:"introspection_endpoint_auth_methods_supported"`
	RevokeProofs       []string `json:"revocation_endpoint_auth_methods_supported"`
	Challenges         []string `json:"code_challenge_methods_supported"`
	Claims             []string `json:"claims_supported"`
	Levels             []string `json:"acr_values_supported"`
	Prompts            []string `json:"prompt_values_supported"`
	NamesIssuer        bool     `json:"authorization_response_iss_parameter_supported"`
	RequestParameter   bool     `json:"request_parameter_supported"`
	RequestURI         bool     `json:"request_uri_parameter_supported"`
	ClaimsParameter    bool     `json:"claims_parameter_supported"`
	PushedRequired     bool     `json:"require_pushed_authorization_requests"`
	RegistrationNeeded bool     `json:"require_request_uri_registration"`
}

func (s *Service) httpDiscovery(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	at := s.needs.Origin()
	secrets := []string{"client_secret_basic", "client_secret_post"}
	w.Header().Set("Cache-Control", "max-age=3600")
	return rest.Write(w, http.StatusOK, "application/json", wireDiscovery{
		Issuer: at, Authorize: at + pathAuthorize, Token: at + "/oauth2/token", Push: at + "/oauth2/par", Device: at + "/oauth2/device",
		Introspect: at + "/oauth2/introspect", Revoke: at + "/oauth2/revoke", UserInfo: at + "/oauth2/userinfo", Logout: at + pathLogout,
		Keys: at + "/.well-known/jwks.json", Scopes: Scopes(), Responses: []string{"code"}, Modes: []string{"query"},
		Grants:   []string{"authorization_code", "refresh_token", "client_credentials", grantDevice},
		Subjects: []string{"public"}, IDAlgorithms: []string{"ES256"}, TokenProofs: append(secrets, "none"), IntrospectProofs: secrets,
		RevokeProofs: append(secrets, "none"), Challenges: []string{"S256"},
		Claims:      []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "name", "email", "email_verified"},
		Levels:      []string{"1", "2", "3"},
		Prompts:     []string{"none", "login", "consent", "select_account"},
		NamesIssuer: true,
	})
}

// guarded are the headers of what a browser shows or is sent on by: no other site may
// frame it (RFC 9700, section 4.16), and scripts of no other may call it (section 2.6).
func guarded(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Expose-Headers"} {
		h.Del(name)
	}
}

// readForm takes the parameters of a request by GET or POST, not both.
func readForm(r *http.Request) (form, error) {
	text := r.URL.RawQuery
	if r.Method == http.MethodPost {
		if text != "" {
			return nil, fosite.ErrInvalidRequest.WithHint("Parameters of a POST request belong into its body.")
		}
		if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
			return nil, fosite.ErrInvalidRequest.WithHint("The body must be application/x-www-form-urlencoded.")
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
		if err != nil {
			return nil, fosite.ErrInvalidRequest.WithHint("The body cannot be read.")
		}
		text = string(body)
	}
	bound := maxForm
	if strings.HasPrefix(text, paramContinue+"=") {
		bound = 2 * maxForm // a third more by base64, and the seal
	}
	if len(text) > bound {
		return nil, fosite.ErrInvalidRequest.WithHint("The request is too large.")
	}
	f, err := url.ParseQuery(text)
	if err != nil {
		return nil, fosite.ErrInvalidRequest.WithHint("The parameters cannot be read.")
	}
	return f, single(f)
}

// posted is readForm with the result where the library looks for it.
func posted(r *http.Request) (form, error) {
	f, err := readForm(r)
	r.Form, r.PostForm = f, f
	return f, err
}

// say answers err as RFC 6749, section 5.2, has it. What is our own fault is for the door.
func say(w http.ResponseWriter, err error) error {
	type wire struct {
		Error string `json:"error"`
		Text  string `json:"error_description,omitempty"`
	}
	var p *problem.Problem
	switch {
	case errors.As(err, &p) && p.Kind == problem.Limited:
		w.Header().Set("Retry-After", strconv.Itoa(int(max(p.Retry, time.Second).Seconds())))
		return rest.Write(w, http.StatusTooManyRequests, "application/json", wire{"temporarily_unavailable", p.Detail})
	case errors.As(err, &p) && p.Kind != problem.Internal && p.Kind != problem.Unavailable:
		err = fosite.ErrInvalidGrant.WithHint(p.Detail)
		if p.Kind == problem.Unauthenticated {
			err = fosite.ErrInvalidClient
		}
	}
	e, ours := oauthError(err)
	if ours {
		return err
	}
	if e.CodeField == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="ardesia"`)
	}
	return rest.Write(w, e.CodeField, "application/json", wire{e.ErrorField, describe(e)})
}

func (s *Service) httpAuthorize(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	guarded(w.Header())
	f, err := readForm(r)
	next := ""
	switch {
	case err != nil:
	case r.Method == http.MethodPost:
		// Another site's form comes without our cookies (SameSite=Lax); the redirect brings them.
		var fl flow
		if fl, err = s.load(r.Context(), f); err == nil {
			next, err = s.returnTo(fl)
		}
	default:
		next, err = s.authorize(r, f)
	}
	return onward(w, next, err)
}

// onward sends the browser to next, or shows what a person can do about err.
func onward(w http.ResponseWriter, next string, err error) error {
	if err == nil {
		w.Header().Set("Location", next)
		w.WriteHeader(http.StatusSeeOther) // never 307: RFC 9700, section 4.12
		return nil
	}
	text := ""
	if refused := (refusal{}); errors.As(err, &refused) {
		text = refused.text
	} else if e, ours := oauthError(err); ours {
		return err
	} else {
		text = describe(e)
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusBadRequest)
	_, err = io.WriteString(w, text+"\n")
	return err
}

// brake is what slows down whoever is wrong too often about one client's secret.
func (s *Service) brake(client string) *rate.Limiter {
	return s.slow.Add(client, func() *rate.Limiter { return rate.NewLimiter(rate.Every(time.Minute/failures), failures) })
}

func claimed(r *http.Request, f form) string {
	if id, _, ok := r.BasicAuth(); ok {
		return unescape(id)
	}
	return f.Get("client_id")
}

// braked refuses a client that was wrong too often, and one that brings two proofs
// (RFC 6749, section 2.3).
func (s *Service) braked(r *http.Request, f form) error {
	id := claimed(r, f)
	_, _, basic := r.BasicAuth()
	switch {
	case basic && (f.Has("client_secret") || f.Has("client_id") && f.Get("client_id") != id):
		return fosite.ErrInvalidRequest.WithHint("Prove the client in one way only.")
	case f.Has("client_assertion"), f.Has("client_assertion_type"):
		return fosite.ErrInvalidClient.WithHint("Clients prove themselves with a secret here.")
	case id == "" || len(id) > maxClient:
		return fosite.ErrInvalidClient
	case s.brake(guesser(r, id)).TokensAt(s.needs.Now()) < 1:
		return ErrFailures
	}
	return nil
}

// guesser is whose wrong secrets are counted together. Ids of clients are no secret: if
// the address did not count, anybody could keep a client out by being wrong in its name.
func guesser(r *http.Request, id string) string { return id + " " + door.Address(r) }

func (s *Service) failed(r *http.Request, f form, err error) {
	if errors.Is(err, fosite.ErrInvalidClient) {
		s.brake(guesser(r, claimed(r, f))).AllowN(s.needs.Now(), 1)
	}
}

// proven is the client that a request proves to come from. One without a secret only says so.
func (s *Service) proven(r *http.Request, f form) (Client, error) {
	if err := s.braked(r, f); err != nil {
		return Client{}, err
	}
	if _, err := s.provider.f.AuthenticateClient(r.Context(), r, f); err != nil {
		s.failed(r, f, err)
		return Client{}, err
	}
	return s.client(r.Context(), claimed(r, f))
}

// apiKey is the API key that a request proves to come from; ok is false if it names none.
func (s *Service) apiKey(r *http.Request, f form) (k apikey.Key, ok bool, err error) {
	if _, err := s.client(r.Context(), claimed(r, f)); !errors.Is(err, ErrClient) {
		return k, false, err
	}
	if err := s.braked(r, f); err != nil {
		return k, true, err
	}
	given := f.Get("client_secret")
	if _, secret, basic := r.BasicAuth(); basic {
		given = unescape(secret)
	}
	k, err = s.needs.Keys.Check(r.Context(), claimed(r, f), given)
	if errors.Is(err, apikey.ErrCredentials) {
		err = fosite.ErrInvalidClient
	}
	s.failed(r, f, err)
	return k, true, err
}

type wirePushed struct {
	URI       string `json:"request_uri"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

// httpPush is RFC 9126.
func (s *Service) httpPush(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	uri, err := s.push(r)
	if err != nil {
		return say(w, err)
	}
	return rest.Write(w, http.StatusCreated, "application/json", wirePushed{uri, int(pushedLife.Seconds())})
}

func (s *Service) push(r *http.Request) (uri string, err error) {
	f, err := posted(r)
	if err != nil {
		return "", err
	}
	if err := s.began.Take(nil, door.Address(r)); err != nil {
		return "", err
	}
	c, err := s.proven(r, f)
	if err != nil {
		return "", err
	}
	f.Set("client_id", c.ID)
	f.Del("client_secret")
	if !redirectAllowed(c.Redirects, f.Get("redirect_uri")) {
		return "", fosite.ErrInvalidRequest.WithHint("redirect_uri is not registered for this client.")
	}
	if _, err := s.check(r.Context(), r, c, f); err != nil {
		return "", err
	}
	id, now := random(), s.needs.Now()
	row := waiting{hash: sum(id), client: c.ID, pushed: true, createdAt: now, expiresAt: now.Add(pushedLife)}
	if row.form, err = s.sealForm(f, row.hash); err != nil {
		return "", err
	}
	return prefixPushed + id, s.needs.Store.addRequest(r.Context(), row)
}

// httpGrant is the token endpoint.
func (s *Service) httpGrant(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	answer, err := s.token(r)
	if err != nil {
		return say(w, err)
	}
	w.Header().Set("Pragma", "no-cache")
	return rest.Write(w, http.StatusOK, "application/json", answer)
}

func (s *Service) token(r *http.Request) (map[string]any, error) {
	f, err := posted(r)
	if err != nil {
		return nil, err
	}
	if f.Get("grant_type") == "client_credentials" {
		return s.machine(r, f)
	}
	if err := s.braked(r, f); err != nil {
		return nil, err
	}
	ctx := r.Context()
	asked, err := s.provider.f.NewAccessRequest(ctx, r, &session{})
	if err != nil {
		s.failed(r, f, err)
		if !isGrant(f.Get("grant_type")) && !errors.Is(err, fosite.ErrInvalidClient) {
			err = fosite.ErrUnsupportedGrantType
		}
		return nil, err
	}
	if err := narrow(asked); err != nil {
		return nil, err
	}
	answer, err := s.provider.f.NewAccessResponse(ctx, asked)
	if errors.Is(err, errUsed) { // two came at once, and only one can be the right one
		return nil, errors.Join(err, s.replayed(ctx, sessionOf(asked).grant))
	}
	if err != nil {
		return nil, err
	}
	return answer.ToMap(), nil
}

func isGrant(grant string) bool {
	return slices.Contains([]string{"authorization_code", "refresh_token", grantDevice}, grant)
}

// machine is the client-credentials grant: for API keys, as at /iot/v1/clients/token.
func (s *Service) machine(r *http.Request, f form) (map[string]any, error) {
	k, isKey, err := s.apiKey(r, f)
	if err != nil {
		return nil, err
	}
	if !isKey {
		if _, err := s.proven(r, f); err != nil {
			return nil, err
		}
		return nil, fosite.ErrUnauthorizedClient.WithHint("This grant is for API keys: a client acts for people only.")
	}
	if !within(words(f.Get("scope")), []string{ScopeIoT}) {
		return nil, fosite.ErrInvalidScope.WithHint("An API key has the scope iot.")
	}
	for _, name := range []string{"audience", "resource"} { // RFC 8707, section 2
		if aud := f.Get(name); aud != "" && aud != Audience && aud+"/iot" != Audience {
			return nil, &fosite.RFC6749Error{ErrorField: "invalid_target", DescriptionField: "Tokens are for " + Audience + ".", CodeField: http.StatusBadRequest}
		}
	}
	space := strings.ToLower(f.Get("organization_id"))
	if space == "" {
		space = door.Organization(r)
	}
	if space != "" && !door.IsUUID(space) {
		return nil, fosite.ErrInvalidRequest.WithHint("organization_id is not the id of a space.")
	}
	token, err := s.tokenFor(r.Context(), k, space)
	if err != nil {
		return nil, err
	}
	return map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": int(life.Seconds()), "scope": ScopeIoT}, nil
}

type wireDevice struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Whole      string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"` // seconds
	Interval   int    `json:"interval"`   // seconds
}

// httpDevice is RFC 8628, section 3.1.
func (s *Service) httpDevice(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	answer, err := s.beginDevice(r)
	if err != nil {
		return say(w, err)
	}
	return rest.Write(w, http.StatusOK, "application/json", answer)
}

func (s *Service) beginDevice(r *http.Request) (wireDevice, error) {
	f, err := posted(r)
	if err != nil {
		return wireDevice{}, err
	}
	if err := s.began.Take(nil, door.Address(r)); err != nil {
		return wireDevice{}, err
	}
	c, err := s.proven(r, f)
	if err != nil {
		return wireDevice{}, err
	}
	scopes := words(f.Get("scope"))
	switch {
	case !c.Device:
		return wireDevice{}, fosite.ErrUnauthorizedClient.WithHint("This client may not use the device grant.")
	case len(scopes) == 0 || !within(scopes, c.Scopes):
		return wireDevice{}, fosite.ErrInvalidScope.WithHint("Say which scopes you ask for, of those that the client may have.")
	}
	device, user := random(), newUserCode()
	plain, _ := plainUserCode(user)
	d := deviceCode{hash: sum(device), userHash: sum(plain), client: c.ID, scopes: scopes, expiresAt: s.needs.Now().Add(deviceLife)}
	if err := s.needs.Store.addDevice(r.Context(), d); err != nil {
		return wireDevice{}, err
	}
	at := s.needs.Origin() + pathDevice
	return wireDevice{device, user, at, at + "?user_code=" + user, int(deviceLife.Seconds()), int(pollEvery.Seconds())}, nil
}

// wireIntrospection is RFC 7662, section 2.2.
type wireIntrospection struct {
	Active   bool     `json:"active"`
	Scope    string   `json:"scope,omitempty"`
	Client   string   `json:"client_id,omitempty"`
	Subject  string   `json:"sub,omitempty"`
	Audience []string `json:"aud,omitempty"`
	Issuer   string   `json:"iss,omitempty"`
	Type     string   `json:"token_type,omitempty"`
	ID       string   `json:"jti,omitempty"`
	Expires  int64    `json:"exp,omitempty"`
	Issued   int64    `json:"iat,omitempty"`
	AuthAt   int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
}

// httpIntrospect tells a client about its own tokens: of others it learns nothing.
func (s *Service) httpIntrospect(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	f, err := posted(r)
	if err != nil {
		return say(w, err)
	}
	k, isKey, err := s.apiKey(r, f)
	id := k.ID
	if err == nil && !isKey {
		var c Client
		if c, err = s.proven(r, f); err == nil && c.Public() {
			err = fosite.ErrInvalidClient.WithHint("Only clients with a secret may ask.")
		}
		id = c.ID
	}
	if err != nil {
		return say(w, err)
	}
	if f.Get("token") == "" {
		return say(w, fosite.ErrInvalidRequest.WithHint("token is missing."))
	}
	answer, err := s.introspect(r.Context(), id, f.Get("token"))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/json", answer)
}

func (s *Service) introspect(ctx context.Context, client, token string) (wireIntrospection, error) {
	have, err := s.look(ctx, token)
	switch {
	case err == nil && have.person != nil && have.person.Client == client:
		p := have.person
		return wireIntrospection{true, p.Scope, p.Client, p.Subject, p.Audience, p.Issuer, "Bearer", p.ID, p.Expires, p.Issued, p.AuthAt, p.ACR}, nil
	case err == nil && have.person == nil && have.claims.Client == client:
		c := have.claims
		return wireIntrospection{true, ScopeIoT, c.Client, c.Subject, []string{c.Audience}, c.Issuer, "Bearer", c.ID, c.Expires, c.Issued, 0, ""}, nil
	case err == nil:
		return wireIntrospection{}, nil
	case !errors.Is(err, ErrToken):
		return wireIntrospection{}, err
	}
	t, g, err := s.needs.Store.refresh(ctx, sum(token))
	if errors.Is(err, errNoGrant) || err == nil && (g.Client != client || !t.usedAt.IsZero() || !s.needs.Now().Before(t.expiresAt) || s.stands(ctx, g) != nil) {
		return wireIntrospection{}, nil
	}
	return wireIntrospection{
		Active: true, Scope: strings.Join(g.Scopes, " "), Client: g.Client, Subject: g.User, Issuer: s.needs.Origin(), Expires: t.expiresAt.Unix(), Issued: g.CreatedAt.Unix(),
	}, err
}

// httpRevoke is RFC 7009: a token goes with all that came of the same consent.
func (s *Service) httpRevoke(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	if err := s.revoke(r); err != nil {
		return say(w, err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) revoke(r *http.Request) error {
	f, err := posted(r)
	if err != nil {
		return err
	}
	if _, isKey, err := s.apiKey(r, f); err != nil || isKey {
		if err == nil {
			err = &fosite.RFC6749Error{ErrorField: "unsupported_token_type", CodeField: http.StatusBadRequest,
				DescriptionField: "A token of an API key lives five minutes, or until its key is revoked."}
		}
		return err
	}
	c, err := s.proven(r, f)
	if err != nil {
		return err
	}
	token := f.Get("token")
	if token == "" {
		return fosite.ErrInvalidRequest.WithHint("token is missing.")
	}
	_, g, err := s.needs.Store.refresh(r.Context(), sum(token))
	if errors.Is(err, errNoGrant) {
		have, wrong := s.look(r.Context(), token)
		if wrong != nil || have.person == nil {
			return nil // it does not count any more, which is what was wanted
		}
		g, err = s.needs.Store.grant(r.Context(), have.person.Grant)
	}
	if err != nil {
		return err
	}
	if g.Client != c.ID {
		return fosite.ErrUnauthorizedClient.WithHint("This token is another client's.")
	}
	_, err = s.end(r.Context(), person(g.User), ending{grant: g.ID}, "revoked")
	return err
}

// wireUserInfo is OpenID Connect Core 1.0, section 5.3.2.
type wireUserInfo struct {
	Subject  string `json:"sub"`
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Verified *bool  `json:"email_verified,omitempty"`
}

// httpUserInfo takes a token from the Authorization header only: RFC 9700, section 4.3.2.
func (s *Service) httpUserInfo(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	deny := func(status int, code string) error {
		challenge := `Bearer realm="ardesia"`
		if code != "" {
			challenge += `, error="` + code + `"`
		}
		w.Header().Set("WWW-Authenticate", challenge) // RFC 6750, section 3
		return rest.Write(w, status, "application/json", map[string]string{"error": code})
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || token == "" || r.URL.RawQuery != "" {
		return deny(http.StatusUnauthorized, "")
	}
	have, err := s.look(r.Context(), strings.TrimSpace(token))
	if err != nil && !errors.Is(err, ErrToken) {
		return err
	}
	if err != nil || have.person == nil {
		return deny(http.StatusUnauthorized, "invalid_token")
	}
	scopes := words(have.person.Scope)
	if !slices.Contains(scopes, ScopeOpenID) || !slices.Contains(have.person.Audience, s.needs.Origin()) {
		return deny(http.StatusForbidden, "insufficient_scope")
	}
	out := wireUserInfo{Subject: have.person.Subject}
	if slices.Contains(scopes, ScopeProfile) || slices.Contains(scopes, ScopeEmail) {
		p, err := s.needs.Profile(r.Context(), have.person.User)
		if err != nil {
			return err
		}
		if slices.Contains(scopes, ScopeProfile) {
			out.Name = p.Name
		}
		if slices.Contains(scopes, ScopeEmail) {
			out.Email, out.Verified = p.Email, &p.Verified
		}
	}
	return rest.Write(w, http.StatusOK, "application/json", out)
}

// httpLogout is OpenID Connect RP-Initiated Logout 1.0.
func (s *Service) httpLogout(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	guarded(w.Header())
	f, err := readForm(r)
	next := ""
	switch {
	case err != nil:
	case r.Method == http.MethodPost: // as with httpAuthorize
		next = pathLogout + "?" + f.Encode()
	default:
		next, err = s.logout(r, f)
	}
	return onward(w, next, err)
}

func (s *Service) logout(r *http.Request, f form) (string, error) {
	b := s.browser.Load()
	if b == nil {
		return "", errBrowser
	}
	client, hint := f.Get("client_id"), idClaims{}
	if text := f.Get("id_token_hint"); text != "" {
		var err error
		if hint, err = s.readIDToken(text); err != nil || client != "" && client != hint.Audience {
			return "", refusal{"The program that sent you here does not say rightly who it is. You are still signed in."}
		}
		client = hint.Audience
	}
	next := ""
	if to := f.Get("post_logout_redirect_uri"); to != "" {
		c, err := s.client(r.Context(), client)
		if err != nil && !errors.Is(err, ErrClient) {
			return "", err
		}
		if err != nil || !redirectAllowed(c.Logouts, to) {
			return "", refusal{"The program that sent you here named an address to return to that is not registered for it. You are still signed in."}
		}
		next = to
		if state := f.Get("state"); state != "" {
			glue := "?"
			if strings.Contains(to, "?") {
				glue = "&"
			}
			next += glue + url.Values{"state": {state}}.Encode()
		}
	}
	login, ok := b.Login(r)
	// Without proof that a client of this very session asks, any page could sign people out: they are asked.
	if ok && (hint.Subject != login.User || hint.Session == "" || hint.Session != sid(login.Session)) {
		return b.SignOut(r, next), nil
	}
	if ok {
		if err := b.End(r.Context(), login.Session); err != nil {
			return "", err
		}
		if err := s.SessionEnded(r.Context(), login.Session); err != nil {
			return "", err
		}
	}
	if next == "" {
		next = "/"
	}
	return next, nil
}
