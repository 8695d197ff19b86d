package oauth

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/guard"
)

type wireToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	TokenType   string `json:"token_type"`
}

type wireRequest struct {
	GrantType      string `json:"grant_type"`
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
	OrganizationID string `json:"organization_id"`
}

// Routes are the addresses of this room; all are open to anyone.
func (s *Service) Routes() []door.Route {
	return docs.Tell(append(s.providerRoutes(),
		door.Route{Pattern: "POST /iot/v1/clients/token", Open: true, MaxBody: 8 << 10, Out: wireToken{}, Do: s.httpToken},
		door.Route{Pattern: "GET /.well-known/jwks.json", Open: true, Do: s.httpKeys},
	))
}

func (s *Service) httpToken(w http.ResponseWriter, r *http.Request, _ access.Actor) error {
	in, err := readRequest(r)
	if err != nil {
		return err
	}
	// Go's OAuth library tries HTTP Basic first, with values in form encoding (RFC 6749, section 2.3.1).
	if id, secret, ok := r.BasicAuth(); ok {
		in.ClientID, in.ClientSecret = unescape(id), unescape(secret)
	}
	switch {
	case in.GrantType != "client_credentials":
		return ErrGrant
	case in.ClientID == "" || in.ClientSecret == "":
		return ErrRequest
	}
	space := strings.ToLower(in.OrganizationID)
	if space == "" {
		space = door.Organization(r)
	}
	if space != "" && !door.IsUUID(space) {
		return ErrRequest.With("organization_id is not the id of a space.")
	}
	token, err := s.guarded(r, in, space)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, "application/vnd.arduino.token+json", wireToken{token, int(life.Seconds()), "Bearer"})
}

// guarded is Token within the limits of whoever is at the other end.
func (s *Service) guarded(r *http.Request, in wireRequest, space string) (string, error) {
	ctx, try := r.Context(), guard.Try{Act: guard.Token, Who: in.ClientID, Addr: rest.Client(r)}
	if _, err := s.needs.Guard.Ask(ctx, try); err != nil {
		return "", err
	}
	token, err := s.Token(ctx, in.ClientID, in.ClientSecret, space)
	switch {
	case err == nil:
		err = s.needs.Guard.Tell(ctx, try, true)
	case errors.Is(err, apikey.ErrCredentials):
		err = errors.Join(err, s.needs.Guard.Tell(ctx, try, false))
	default: // the secret was right, or we could not look
		err = errors.Join(err, s.needs.Guard.Void(ctx, try))
	}
	return token, err
}

func readRequest(r *http.Request) (in wireRequest, err error) {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		return in, rest.Read(r, &in)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return in, rest.ErrTooLarge
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return in, ErrRequest.With("The request's body is not a form.")
	}
	return wireRequest{form.Get("grant_type"), form.Get("client_id"), form.Get("client_secret"), form.Get("organization_id")}, nil
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

func (s *Service) httpKeys(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	return rest.Write(w, http.StatusOK, "application/jwk-set+json", s.PublicKeys())
}
