package server

import (
	"errors"
	"net"
	"reflect"
	"slices"
	"testing"
	"time"

	virtual "github.com/descope/virtualwebauthn"
	"github.com/pquerna/otp/totp"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/factor"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// In the whole house, on ports that are known late, a person makes a passkey on a page
// of the house and comes in with it; the administrator cannot take it away.
func TestAPasskeyIsMadeAndUsedInTheHouse(t *testing.T) {
	c := config(t)
	c.Host, c.Dev = "house.example", false // in development, and under localhost, there is one origin for everything
	r := start(t, c)
	ctx, system := t.Context(), access.Actor{Kind: access.System}
	_, port, err := net.SplitHostPort(r.at["https"])
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"https://house.example:" + port, "https://id.house.example:" + port} {
		if got := r.origins(); !slices.Contains(got, want) {
			t.Errorf("origins %v, want %s among them", got, want)
		}
	}
	u, err := r.accounts.Add(ctx, system, "anna@example.org", "Anna", "seven purple kettles sing")
	if err != nil {
		t.Fatal(err)
	}
	self := access.Actor{Kind: access.User, ID: u.ID}
	options, state, err := r.factors.BeginPasskey(ctx, self, u.ID, u.Email, u.Name)
	if err != nil {
		t.Fatal(err)
	}
	at := virtual.RelyingParty{ID: "house.example", Origin: "https://id.house.example:" + port}
	// RSA: on P-256 this authenticator writes one key in a hundred wrong.
	key, own := virtual.NewAuthenticator(), virtual.NewCredential(virtual.KeyTypeRSA)
	asked, err := virtual.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	key.Options.UserHandle = []byte(asked.UserID)
	p, err := r.factors.FinishPasskey(ctx, self, u.ID, state, []byte(virtual.CreateAttestationResponse(at, key, own, *asked)), "my key")
	if err != nil {
		t.Fatal(err)
	}
	if l, err := r.factors.Level(ctx, u.ID); err != nil || l != factor.ByPasskey {
		t.Errorf("Level = %v, %v, want %v", l, err, factor.ByPasskey)
	}
	if err := r.factors.RemovePasskey(ctx, system, u.ID, p.ID); !errors.Is(err, access.ErrDenied) {
		t.Errorf("the administrator removes it: %v, want %v", err, access.ErrDenied)
	}
	options, state, err = r.factors.BeginAssertion(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	again, err := virtual.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	own.Counter++
	if got, verified, err := r.factors.FinishAssertion(ctx, state, []byte(virtual.CreateAssertionResponse(at, key, own, *again))); got != u.ID || !verified || err != nil {
		t.Errorf("FinishAssertion = %q, %v, %v, want %q", got, verified, err, u.ID)
	}
	takesBack(t, r.Server, u.ID)
}

// takesBack checks that of what was added to an account only that is taken away which is younger than a time: the
// passkey "my key", and a link, an app and an API key that are made here.
func takesBack(t *testing.T, s *Server, user string) {
	t.Helper()
	ctx, self := t.Context(), access.Actor{Kind: access.User, ID: user}
	if err := s.social.Link(ctx, self, user, social.Claim{Provider: "google", Issuer: "https://accounts.google.com", Subject: "thief"}); err != nil {
		t.Fatal(err)
	}
	app, err := s.factors.BeginTOTP(ctx, self, user, "anna")
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(app.Secret.Reveal(), s.world.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.factors.ConfirmTOTP(ctx, self, user, code); err != nil {
		t.Fatal(err)
	}
	k, _, err := s.apikeys.Make(ctx, self, apikey.Wish{Account: user, Name: "script"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.takeBack(ctx, user, s.world.Now().Add(time.Minute)); err != nil || !reflect.DeepEqual(got, signin.Added{}) {
		t.Errorf("what is older: %+v, %v", got, err)
	}
	want := signin.Added{Links: []string{"https://accounts.google.com"}, App: true, Passkeys: []string{"my key"}, Keys: []string{"script"}}
	if got, err := s.takeBack(ctx, user, s.world.Now().Add(-time.Hour)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("what is younger: %+v, %v, want %+v", got, err, want)
	}
	links, err := s.social.Of(ctx, user)
	have, err2 := s.factors.Of(ctx, user)
	left, err3 := s.apikeys.Get(ctx, user, k.ID)
	if err := errors.Join(err, err2, err3); err != nil || len(links) != 0 || len(have.Passkeys) != 0 || have.TOTP || left.RevokedAt.IsZero() {
		t.Errorf("left: %v, %v, %+v; %v", links, have.Passkeys, left, err)
	}
	if got, err := s.takeBack(ctx, user, s.world.Now().Add(-time.Hour)); err != nil || !reflect.DeepEqual(got, signin.Added{}) {
		t.Errorf("again: %+v, %v", got, err)
	}
}
