package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"

	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
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
		Tap: s.series.Tap, Letter: s.letters.Send, Role: s.orgs.Role,
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

// webhookAllow reads the networks that addresses which users chose may reach beside the public ones.
func (c Config) webhookAllow() (v4, v6 []netip.Prefix, err error) {
	for _, text := range c.WebhookAllow {
		p, err := netip.ParsePrefix(text)
		if a, wrong := netip.ParseAddr(text); wrong == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q is neither an address nor a prefix", text)
		}
		if p.Addr().Is4() {
			v4 = append(v4, p.Masked())
		} else {
			v6 = append(v6, p.Masked())
		}
	}
	return v4, v6, nil
}

// outward is the client for addresses that users chose. It reaches public addresses and what the operator allows, whatever
// a name resolves to at that moment, by no proxy, and follows no redirect.
func (c Config) outward() (*http.Client, error) {
	v4, v6, err := c.webhookAllow()
	if err != nil {
		return nil, fmt.Errorf("webhook-allow: %w", err)
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: guard.Safe}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 15 * time.Second,
			MaxIdleConns: 64, MaxIdleConnsPerHost: 4, MaxConnsPerHost: 16, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}
