package server

import (
	"context"
	"encoding/hex"
	"net"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/people/oauth"
)

// Programs that are part of Ardesia.
const (
	clientWeb = "ardesia-web" // our web application's server side, which is this program
	clientCLI = "ardesiactl"
)

// oauthNeeds are what the room of tokens is made of.
func (s *Server) oauthNeeds() oauth.Needs {
	d := s.data
	return oauth.Needs{
		Store: oauth.SQL(d.core), Signer: d.ring.Signer, Keys: s.apikeys, Guard: s.guard, Standing: s.accounts.Standing, Role: s.orgs.Role, Admit: s.orgs.Admit,
		// The house's own name keeps tokens of another environment out.
		Issuer: "https://" + s.cfg.Host + "/" + d.root.Store(), Now: s.world.Now,
		Log: s.log, Private: s.cfg.private(), Origin: s.origin, Profile: s.profile, Seal: d.ring.Purpose("oauth-request"),
		First: []oauth.Client{
			{ID: clientWeb, Name: "Ardesia", Secret: oauth.SecretHash(s.webSecret()), Redirects: []string{"/auth/callback"}, Logouts: []string{"/"}, Scopes: oauth.Scopes()},
			{ID: clientCLI, Name: "ardesiactl", Redirects: []string{"http://127.0.0.1/callback", "http://[::1]/callback"}, Scopes: oauth.Scopes(), Device: true},
		},
	}
}

// webSecret is what our web application proves itself with. It is the same in every
// process of a house, and nowhere on disk.
func (s *Server) webSecret() string {
	return hex.EncodeToString(s.data.ring.MAC("oauth-client")([]byte(clientWeb)))
}

// BindBrowser says how people sign in, in the place of this server's own pages: tests of programs
// answer for their person by it.
func (s *Server) BindBrowser(b oauth.Browser) error { return s.tokens.Bind(b) }

// Tokens is the room of tokens, for whoever was bound so.
func (s *Server) Tokens() *oauth.Service { return s.tokens }

// origin is where people sign in, and what tokens name as their issuer.
func (s *Server) origin() string {
	if at := s.issuer.Load(); at != nil {
		return *at
	}
	return s.originAt(s.cfg.HTTPS) // the doors are not open yet
}

func (s *Server) originAt(https string) string {
	if s.cfg.Issuer != "" {
		return strings.TrimSuffix(s.cfg.Issuer, "/")
	}
	host := s.cfg.Host
	if !s.cfg.Dev && host != "localhost" && net.ParseIP(host) == nil {
		host = "id." + host // passwords and cookies have an origin of their own
	}
	return "https://" + reachable(host, https)
}

// bound remembers the port that the web was given.
func (s *Server) bound(a Addresses) {
	at := s.originAt(a["https"])
	s.issuer.Store(&at)
	web := "https://" + reachable(s.cfg.Host, a["https"])
	s.base.Store(&web)
}

func (s *Server) profile(ctx context.Context, user string) (oauth.Profile, error) {
	u, err := s.accounts.Get(ctx, user)
	return oauth.Profile{Name: u.Name, Email: u.Email, Verified: u.Verified()}, err
}

type wireClient struct {
	ID          string   `json:"client_id"`
	Name        string   `json:"name"`
	Space       string   `json:"space"`
	Redirects   []string `json:"redirects"`
	Logouts     []string `json:"logouts"`
	Backchannel string   `json:"backchannel_logout"`
	Scopes      []string `json:"scopes"`
	Device      bool     `json:"device"`
	Public      bool     `json:"public"`
	Secret      string   `json:"client_secret,omitempty"`
	CreatedAt   string   `json:"created_at,omitempty"`
}

func toWireClient(c oauth.Client, given string) wireClient {
	return wireClient{c.ID, c.Name, c.Space, c.Redirects, c.Logouts, c.Backchannel, c.Scopes, c.Device, c.Public(), given, c.CreatedAt.Format("2006-01-02T15:04:05Z")}
}

func (s *Server) clientAdd(ctx context.Context, in wireClient) (any, error) {
	c, given, err := s.tokens.AddClient(ctx, operator, oauth.Client{
		Name: in.Name, Space: in.Space, Redirects: in.Redirects, Logouts: in.Logouts, Backchannel: in.Backchannel, Scopes: in.Scopes, Device: in.Device,
	}, in.Public)
	return toWireClient(c, given.Reveal()), err
}

func (s *Server) clientList(ctx context.Context, _ none) (any, error) {
	all, err := s.tokens.Clients(ctx, "")
	out := make([]wireClient, 0, len(all))
	for _, c := range all {
		out = append(out, toWireClient(c, ""))
	}
	return out, err
}

func (s *Server) clientRemove(ctx context.Context, in wireClient) (any, error) {
	return map[string]any{"client_id": in.ID}, s.tokens.RemoveClient(ctx, operator, in.ID)
}
