package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ory/fosite"
	"golang.org/x/time/rate"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

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
