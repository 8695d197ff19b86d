package server

import (
	"context"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/homeassistant"
)

// openHomeAssistant makes the room of bridges to Home Assistant.
func (s *Server) openHomeAssistant(ctx context.Context) error {
	allow, err := rest.ParseProxies(s.cfg.WebhookAllow)
	if err != nil {
		return fmt.Errorf("webhook-allow: %w", err)
	}
	s.homes, err = homeassistant.New(ctx, homeassistant.Needs{
		Store: homeassistant.SQL(s.data.core, s.data.ring), Things: s.things, Devices: s.devices, Values: &s.things.Changes, Comings: &s.devices.Changes,
		Base: s.address, Now: s.world.Now, Log: s.log, Config: homeassistant.Config{Allow: allow, Version: s.world.Version},
	})
	if err != nil {
		return fmt.Errorf("open the bridges to Home Assistant: %w", err)
	}
	return nil
}
