package guard

import (
	"context"
	"net/netip"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Leaked ends an API key whose secret somebody found. Nothing tells whether it was one.
func (s *Service) Leaked(ctx context.Context, from netip.Addr, client, secret string) error {
	t := Try{Act: Leak, Who: client, Addr: from}
	if _, err := s.Ask(ctx, t); err != nil {
		return err
	}
	account, err := s.needs.Leaked(ctx, client, secret)
	if problem.Of(err) != nil && problem.Of(err).Kind == problem.Internal {
		return err
	}
	if err != nil {
		return s.Tell(ctx, t, false)
	}
	s.mu.Lock()
	s.tick()
	s.tell(Event{Kind: LeakedKey, Account: account, Client: client, Subject: client})
	s.mu.Unlock()
	return s.Tell(ctx, t, true)
}
