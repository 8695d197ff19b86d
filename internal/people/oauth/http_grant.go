package oauth

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/ory/fosite"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
)

func claimed(r *http.Request, f form) string {
	if id, _, ok := r.BasicAuth(); ok {
		return unescape(id)
	}
	return f.Get("client_id")
}

// tried is a try of a client's secret, once the guard lets it; nil for a client that has none. A client
// brings one proof (RFC 6749, section 2.3). Whoever was let calls told, once.
func (s *Service) tried(r *http.Request, f form, act guard.Act) (*guard.Try, error) {
	id := claimed(r, f)
	_, _, basic := r.BasicAuth()
	switch {
	case basic && (f.Has("client_secret") || f.Has("client_id") && f.Get("client_id") != id):
		return nil, fosite.ErrInvalidRequest.WithHint("Prove the client in one way only.")
	case f.Has("client_assertion"), f.Has("client_assertion_type"):
		return nil, fosite.ErrInvalidClient.WithHint("Clients prove themselves with a secret here.")
	case id == "" || len(id) > maxClient:
		return nil, fosite.ErrInvalidClient
	}
	if c, err := s.client(r.Context(), id); err == nil && len(c.Secret) == 0 {
		return nil, nil
	}
	try := guard.Try{Act: act, Who: id, Addr: rest.Client(r)}
	_, err := s.needs.Guard.Ask(r.Context(), try)
	return &try, err
}

// told tells the guard what became of a try, and returns err.
func (s *Service) told(r *http.Request, try *guard.Try, err error) error {
	if try == nil {
		return err
	}
	failed := s.needs.Guard.Tell(r.Context(), *try, !errors.Is(err, fosite.ErrInvalidClient))
	if failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

// proven is the client that a request proves to come from. One without a secret only says so.
func (s *Service) proven(r *http.Request, f form) (Client, error) {
	try, err := s.tried(r, f, guard.Client)
	if err != nil {
		return Client{}, err
	}
	_, err = s.provider.f.AuthenticateClient(r.Context(), r, f)
	if err := s.told(r, try, err); err != nil {
		return Client{}, err
	}
	return s.client(r.Context(), claimed(r, f))
}

// apiKey is the API key that a request proves to come from; ok is false if it names none. fetches says that
// it comes for a token, which it may do so often in a minute.
func (s *Service) apiKey(r *http.Request, f form, fetches bool) (k apikey.Key, ok bool, err error) {
	if _, err := s.client(r.Context(), claimed(r, f)); !errors.Is(err, ErrClient) {
		return k, false, err
	}
	act := guard.Client
	if fetches {
		act = guard.Token
	}
	try, err := s.tried(r, f, act)
	if err != nil {
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
	return k, true, s.told(r, try, err)
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
	try, err := s.tried(r, f, guard.Client)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	asked, err := s.provider.f.NewAccessRequest(ctx, r, &session{})
	if err := s.told(r, try, err); err != nil {
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
	k, isKey, err := s.apiKey(r, f, true)
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
