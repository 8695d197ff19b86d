package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ory/fosite"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// providerRoutes are the addresses of RFC 6749 and those that build on it. All are open:
// who comes proves it in the request itself.
func (s *Service) providerRoutes() []door.Route {
	all := []door.Route{
		{Pattern: "GET /.well-known/openid-configuration", Out: wireDiscovery{}, Do: s.httpDiscovery},
		{Pattern: "GET /.well-known/oauth-authorization-server", Out: wireDiscovery{}, Do: s.httpDiscovery},
		{Pattern: "GET " + pathAuthorize, Status: http.StatusSeeOther, Do: s.httpAuthorize},
		{Pattern: "POST " + pathAuthorize, Status: http.StatusSeeOther, Do: s.httpAuthorize},
		{Pattern: "POST /oauth2/par", Status: http.StatusCreated, Out: wirePushed{}, Do: s.httpPush},
		{Pattern: "POST /oauth2/token", Do: s.httpGrant},
		{Pattern: "POST /oauth2/device", Out: wireDevice{}, Do: s.httpDevice},
		{Pattern: "POST /oauth2/introspect", Out: wireIntrospection{}, Do: s.httpIntrospect},
		{Pattern: "POST /oauth2/revoke", Do: s.httpRevoke},
		{Pattern: "GET /oauth2/userinfo", Out: wireUserInfo{}, Do: s.httpUserInfo},
		{Pattern: "POST /oauth2/userinfo", Out: wireUserInfo{}, Do: s.httpUserInfo},
		{Pattern: "GET " + pathLogout, Status: http.StatusSeeOther, Do: s.httpLogout},
		{Pattern: "POST " + pathLogout, Status: http.StatusSeeOther, Do: s.httpLogout},
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
	BackLogout         bool     `json:"backchannel_logout_supported"`
	BackLogoutSession  bool     `json:"backchannel_logout_session_supported"`
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
		Introspect: at + "/oauth2/introspect", Revoke: at + "/oauth2/revoke", UserInfo: at + "/oauth2/userinfo", Logout: at + pathLogout, BackLogout: true, BackLogoutSession: true,
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
