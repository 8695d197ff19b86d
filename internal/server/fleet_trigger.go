package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// openTriggers makes the room of triggers. History and devices must not run yet.
func (s *Server) openTriggers(ctx context.Context) error {
	web, err := s.cfg.outward()
	if err != nil {
		return err
	}
	signer, err := s.data.ring.Signer(ctx, "web-push")
	if err != nil {
		return fmt.Errorf("key for push services: %w", err)
	}
	s.triggers, err = trigger.New(ctx, trigger.Needs{
		Store: trigger.SQL(s.data.core, s.data.ring), Keys: s.data.ring, Things: s.things, Devices: s.devices, Comings: &s.devices.Changes,
		Tap: s.series.Tap, Letter: s.letters.Send, Role: s.roleOf,
		Person: func(ctx context.Context, user string) (name, email string, err error) {
			u, err := s.accounts.Get(ctx, user)
			return u.Name, u.Email, err
		},
		Organization: s.orgs.Organization, Web: web, Signer: signer, Base: s.address,
		Now: s.world.Now, Log: s.log, Limit: s.triggerLimits, Config: trigger.Config{Rate: s.cfg.TriggerRate},
	})
	if err != nil {
		return fmt.Errorf("open the triggers: %w", err)
	}
	s.things.BindTriggers(s.triggers.Linked)
	return nil
}

// address is where the API is; "" before Run.
func (s *Server) address() string {
	if at := s.base.Load(); at != nil {
		return *at
	}
	return ""
}

func (s *Server) triggerLimits(ctx context.Context, space string) (triggers, notices int, err error) {
	if triggers, err = s.orgs.Limit(ctx, space, org.Triggers); err != nil {
		return 0, 0, err
	}
	notices, err = s.orgs.Limit(ctx, space, org.Notices)
	return triggers, notices, err
}

// outward is the client for addresses that users chose.
func (c Config) outward() (*http.Client, error) {
	allow, err := rest.ParseProxies(c.WebhookAllow)
	if err != nil {
		return nil, fmt.Errorf("webhook-allow: %w", err)
	}
	return outbound.Client(outbound.Rule{Allow: allow, Timeout: 15 * time.Second, Keep: true}), nil
}

// roleOf is the role of a person in a space, NoRole for who is no member, such as one who has left.
func (s *Server) roleOf(ctx context.Context, space, user string) (access.Role, error) {
	role, err := s.orgs.Role(ctx, space, user)
	if errors.Is(err, org.ErrNotMember) {
		return access.NoRole, nil
	}
	return role, err
}
