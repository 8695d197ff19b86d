package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

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
	k, isKey, err := s.apiKey(r, f, false)
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
	if errors.Is(err, errNoGrant) || err == nil && (g.Client != client || !t.usedAt.IsZero() || !s.needs.Now().Before(t.expiresAt)) {
		return wireIntrospection{}, nil
	}
	if err == nil {
		err = s.stands(ctx, g)
	}
	if errors.Is(err, ErrToken) {
		return wireIntrospection{}, nil
	}
	if err != nil {
		return wireIntrospection{}, err
	}
	return wireIntrospection{
		Active: true, Scope: strings.Join(g.Scopes, " "), Client: g.Client, Subject: g.User, Issuer: s.needs.Origin(), Expires: t.expiresAt.Unix(), Issued: g.CreatedAt.Unix(),
	}, nil
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
	if _, isKey, err := s.apiKey(r, f, false); err != nil || isKey {
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
		challenge, body := `Bearer realm="ardesia"`, map[string]string{}
		if code != "" {
			challenge += `, error="` + code + `"`
			body["error"] = code
		}
		w.Header().Set("WWW-Authenticate", challenge) // RFC 6750, section 3
		return rest.Write(w, status, "application/json", body)
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
