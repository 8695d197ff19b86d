// Package signin signs a person in to a server from a command line: in the browser of
// this machine (RFC 8252), or with a code that is typed elsewhere (RFC 8628). What it
// gets it can renew and give back.
package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// ErrEnded is a sign-in that the server does not know any more.
var ErrEnded = errors.New("you are signed out: ardesiactl login")

// client is how the server knows this program, which can keep no secret.
const client = "ardesiactl"

// Tokens are what a sign-in gives.
type Tokens struct {
	Access  string    `json:"access"`
	Refresh string    `json:"refresh"`
	Until   time.Time `json:"until"` // when Access ends
}

// A Server is where people sign in.
type Server struct {
	http   *http.Client
	issuer string
	revoke string
	oauth  oauth2.Config
}

// maxAnswer bounds what is read of a discovery document, in bytes.
const maxAnswer = 64 << 10

// Find asks the API's server where people sign in.
func Find(ctx context.Context, h *http.Client, api string) (*Server, error) {
	d, err := discover(ctx, h, api)
	if err == nil && d.Issuer != api {
		// An issuer speaks for itself: RFC 8414, section 3.3.
		api = d.Issuer
		d, err = discover(ctx, h, api)
	}
	if err != nil {
		return nil, err
	}
	if d.Issuer != api {
		return nil, fmt.Errorf("%s says that it is %s", api, d.Issuer)
	}
	return &Server{http: h, issuer: d.Issuer, revoke: d.Revoke, oauth: oauth2.Config{
		ClientID: client, Scopes: []string{"openid", "offline_access", "iot"},
		Endpoint: oauth2.Endpoint{AuthURL: d.Authorize, TokenURL: d.Token, DeviceAuthURL: d.Device, AuthStyle: oauth2.AuthStyleInParams},
	}}, nil
}

type discovery struct {
	Issuer    string `json:"issuer"`
	Authorize string `json:"authorization_endpoint"`
	Token     string `json:"token_endpoint"`
	Device    string `json:"device_authorization_endpoint"`
	Revoke    string `json:"revocation_endpoint"`
}

func discover(ctx context.Context, h *http.Client, at string) (d discovery, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at+"/.well-known/openid-configuration", nil)
	if err != nil {
		return d, err
	}
	answer, err := h.Do(r)
	if err != nil {
		return d, fmt.Errorf("no answer from %s: %w", r.URL.Host, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return d, fmt.Errorf("%s does not say how to sign in (status %d): log in with an API key (--api-key)", at, answer.StatusCode)
	}
	return d, json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(&d)
}

func (s *Server) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, s.http)
}

// Browser signs in with the browser that open shows an address in. The answer comes
// back to a port of this machine, which is closed then.
func (s *Server) Browser(ctx context.Context, open func(address string) error) (Tokens, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Tokens{}, err
	}
	cfg := s.oauth
	cfg.RedirectURL = "http://" + l.Addr().String() + "/callback"
	state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	back := make(chan url.Values, 1)
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Referrer-Policy", "no-referrer")
		q := r.URL.Query()
		if r.URL.Path != "/callback" || q.Get("state") != state || q.Get("iss") != s.issuer { // RFC 9207, section 2.4
			http.Error(w, "This is not the answer that ardesiactl waits for.", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "You can close this window and go back to the command line.")
		select {
		case back <- q:
		default: // a second time
		}
	})}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(l) }()
	defer func() {
		_ = web.Shutdown(context.WithoutCancel(ctx)) // lets the page arrive
		<-ended
	}()
	if err := open(cfg.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))); err != nil {
		return Tokens{}, fmt.Errorf("open the browser: %w", err)
	}
	select {
	case <-ctx.Done():
		return Tokens{}, ctx.Err()
	case q := <-back:
		if code := q.Get("error"); code != "" {
			return Tokens{}, fmt.Errorf("the server says no: %s", strings.TrimSpace(code+" "+q.Get("error_description")))
		}
		got, err := cfg.Exchange(s.context(ctx), q.Get("code"), oauth2.VerifierOption(verifier))
		return tokens(got, err)
	}
}

// Device signs in with a code that show gives to the person, who types it at address.
func (s *Server) Device(ctx context.Context, show func(code, address, whole string)) (Tokens, error) {
	ctx = s.context(ctx)
	begun, err := s.oauth.DeviceAuth(ctx)
	if err != nil {
		return Tokens{}, explain(err)
	}
	show(begun.UserCode, begun.VerificationURI, begun.VerificationURIComplete)
	got, err := s.oauth.DeviceAccessToken(ctx, begun)
	return tokens(got, err)
}

// Renew takes the next tokens. The refresh token that was given is used up.
func (s *Server) Renew(ctx context.Context, refresh string) (Tokens, error) {
	got, err := s.oauth.TokenSource(s.context(ctx), &oauth2.Token{RefreshToken: refresh}).Token()
	return tokens(got, err)
}

// Revoke gives back all that came of a sign-in.
func (s *Server) Revoke(ctx context.Context, refresh string) error {
	body := url.Values{"token": {refresh}, "token_type_hint": {"refresh_token"}, "client_id": {client}}.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.revoke, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server did not take the sign-in back (status %d)", answer.StatusCode)
	}
	return nil
}

func tokens(t *oauth2.Token, err error) (Tokens, error) {
	if err != nil {
		return Tokens{}, explain(err)
	}
	return Tokens{Access: t.AccessToken, Refresh: t.RefreshToken, Until: t.Expiry}, nil
}

// explain says in a sentence what the server answered.
func explain(err error) error {
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.ErrorCode == "" {
		return err
	}
	switch e.ErrorCode {
	case "invalid_grant":
		return ErrEnded
	case "access_denied":
		return errors.New("the sign-in was refused")
	case "expired_token":
		return errors.New("nobody typed the code in time: ardesiactl login")
	}
	return fmt.Errorf("the server says no: %s", strings.TrimSpace(e.ErrorCode+" "+e.ErrorDescription))
}
