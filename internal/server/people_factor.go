package server

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/people/factor"
)

// secondSteps makes the room of what people have beside a password.
func (s *Server) secondSteps(ctx context.Context) (err error) {
	s.factors, err = factor.New(ctx, factor.Needs{
		Store: factor.SQL(s.data.core), Keys: s.data.ring, Hasher: s.accounts, Policy: s.policy,
		Host: s.cfg.Host, Origins: s.origins, Now: s.world.Now,
	})
	return err
}

// origins are where browsers find pages: the house's name, and the one that people
// sign in under. Passkeys are bound to the former, which the latter lies below.
func (s *Server) origins() []string {
	a, _ := s.Addresses(context.Background()) // browsers come after the doors are open
	return []string{"https://" + reachable(s.cfg.Host, a["https"]), s.origin()}
}
