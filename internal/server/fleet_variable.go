package server

import (
	"context"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/fleet/hook"
	"github.com/ardesia-iot/ardesia/internal/fleet/sync"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// openVariables makes the rooms of what follows from values of properties: those that are kept the same, and webhooks. History must not
// run yet.
func (s *Server) openVariables(ctx context.Context) (err error) {
	s.syncs, err = sync.New(ctx, sync.Needs{
		Store: sync.SQL(s.data.core), Things: s.things, Mirror: s.series.Mirror, Organization: s.orgs.Organization,
		Now: s.world.Now, Log: s.log, Limit: s.limitOf(org.Syncs),
	})
	if err != nil {
		return fmt.Errorf("open the synchronised properties: %w", err)
	}
	s.things.BindSync(s.syncs.Of)
	web, err := s.cfg.outward()
	if err != nil {
		return err
	}
	s.hooks, err = hook.New(ctx, hook.Needs{
		Store: hook.SQL(s.data.core, s.data.ring), Keys: s.data.ring, Things: s.things, Devices: s.devices, Tap: s.series.Tap, Letter: s.letters.Send,
		Member: func(ctx context.Context, space, user string) (bool, error) {
			role, err := s.roleOf(ctx, space, user)
			return role != access.NoRole, err
		},
		Web: web, Now: s.world.Now, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("open the webhooks: %w", err)
	}
	s.devices.BindWebhooks(s.hooks.Show)
	return nil
}
