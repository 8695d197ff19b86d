package server

import (
	"context"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/signin"
)

// takeBack takes away with what somebody could come in that was added to a person's account after a time: links to
// other services, an authenticator app, passkeys and API keys. The account is frozen meanwhile, and gets a password at the end, so no way in is the last.
func (s *Server) takeBack(ctx context.Context, user string, since time.Time) (signin.Added, error) {
	var added signin.Added
	who := access.Actor{Kind: access.User, ID: user}
	links, err := s.social.Of(ctx, user)
	if err != nil {
		return added, err
	}
	for _, l := range links {
		if !l.MadeAt.After(since) {
			continue
		}
		if _, err := s.social.Unlink(ctx, who, user, l.ID, true); err != nil {
			return added, err
		}
		added.Links = append(added.Links, l.Name)
	}
	have, err := s.factors.Of(ctx, user)
	if err != nil {
		return added, err
	}
	if have.TOTP && have.TOTPSince.After(since) {
		if err := s.factors.RemoveTOTP(ctx, who, user); err != nil {
			return added, err
		}
		added.App = true
	}
	for _, k := range have.Passkeys {
		if !k.CreatedAt.After(since) {
			continue
		}
		if err := s.factors.RemovePasskey(ctx, who, user, k.ID); err != nil {
			return added, err
		}
		added.Passkeys = append(added.Passkeys, k.Label)
	}
	keys, err := s.apikeys.List(ctx, user)
	if err != nil {
		return added, err
	}
	for _, k := range keys {
		if !k.RevokedAt.IsZero() || !k.CreatedAt.After(since) {
			continue
		}
		if err := s.apikeys.Revoke(ctx, who, k.ID); err != nil {
			return added, err
		}
		added.Keys = append(added.Keys, k.Name)
	}
	return added, nil
}
