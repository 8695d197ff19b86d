package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/post"
	"github.com/ardesia-iot/ardesia/web"
)

// dashboardNeeds is what the room of dashboards gets of the others.
func (s *Server) dashboardNeeds() (dashboard.Needs, error) {
	d := s.data
	allow, err := rest.ParseProxies(s.cfg.WebhookAllow)
	if err != nil {
		return dashboard.Needs{}, fmt.Errorf("webhook-allow: %w", err)
	}
	far := outbound.Rule{Allow: allow, Timeout: 10 * time.Second, Keep: true}
	own := far
	own.Own = true // in clear within one's own network alone
	return dashboard.Needs{
		Store: dashboard.SQL(d.core, d.ring), Keys: d.ring, Things: s.things, Devices: s.devices, Policy: s.policy,
		Organization: s.orgs.Organization, Admit: s.orgs.Admit, Person: s.knownAs, Find: s.findGuest, Now: s.world.Now, Log: s.log,
		Limit: s.limitOf(org.Dashboards),
		Room: func(ctx context.Context, space string) (int64, error) {
			return s.roomBeside(ctx, space, s.ota.Count, s.templates.Bytes)
		},
		Full: func(used, most int) string { return org.FullText(org.Dashboards, used, most) },
		Tell: s.tellOfDashboard,
		Page: func(token string) string { return s.address() + web.SharedPath + token },
		Web:  outbound.Client(far), Own: outbound.Client(own),
	}, nil
}

// lent is asked by the room of things, which is made before that of dashboards.
func (s *Server) lent(ctx context.Context, who access.Actor, properties []string) (map[string]thing.Loan, error) {
	return s.dashboards.Lent(ctx, who, properties)
}

// knownAs is how others see an account: its user name, or what it is called; "" when it is gone.
func (s *Server) knownAs(ctx context.Context, user string) (string, error) {
	gone := func(err error) bool { return errors.Is(err, account.ErrNotFound) || errors.Is(err, keys.ErrErased) }
	p, err := s.accounts.Profile(ctx, user)
	if err == nil && p.Username != "" || gone(err) {
		return p.Username, nil
	}
	if err != nil {
		return "", err
	}
	u, err := s.accounts.Get(ctx, user)
	if gone(err) {
		return "", nil
	}
	return u.Name, err
}

// findGuest finds an account by ID, e-mail address or user name.
func (s *Server) findGuest(ctx context.Context, text string) (string, error) {
	u, err := s.accounts.Find(ctx, text)
	id := u.ID
	if _, isID := uuid.Parse(text); errors.Is(err, account.ErrNotFound) && isID != nil {
		id, err = s.accounts.Named(ctx, text)
	}
	if errors.Is(err, account.ErrNotFound) {
		err = dashboard.ErrNoPerson
	}
	return id, err
}

func (s *Server) tellOfDashboard(ctx context.Context, l dashboard.Letter) error {
	from, err := s.knownAs(ctx, l.From)
	if err != nil {
		return err
	}
	if l.Asked {
		return s.letters.Send(ctx, post.Letter{Kind: post.DashboardAsked, To: l.To, Fields: map[string]string{"dashboard": l.Name, "who": from, "message": l.Message}})
	}
	return s.letters.Send(ctx, post.Letter{Kind: post.DashboardShared, To: l.To, Fields: map[string]string{"dashboard": l.Name, "inviter": from}})
}
