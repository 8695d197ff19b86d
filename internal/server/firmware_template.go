package server

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/firmware/template"
)

// templateNeeds is what the room of templates gets of the others.
func (s *Server) templateNeeds() template.Needs {
	return template.Needs{
		Store: template.SQL(s.data.core, s.data.ring), Things: s.things, Dashboards: s.dashboards, Triggers: s.triggers, Devices: s.devices, Policy: s.policy,
		Organization: s.orgs.Organization, Now: s.world.Now, Log: s.log,
		Room: func(ctx context.Context, space string) (int64, error) {
			return s.roomBeside(ctx, space, s.ota.Count, s.dashboards.Bytes)
		},
	}
}
