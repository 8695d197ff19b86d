package server

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/ardesia-iot/ardesia/internal/fleet/board"
	"github.com/ardesia-iot/ardesia/internal/fleet/onboard"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// openOnboarding makes the room of boards that come in with a key of their own.
func (s *Server) openOnboarding(context.Context) (err error) {
	d := s.data
	s.onboarding, err = onboard.New(onboard.Needs{
		Store: onboard.SQL(d.core, d.ring), MAC: d.ring.MAC("onboard-board"), Devices: s.devices, Certificates: s.authority, Policy: s.policy,
		Role: s.orgs.Role, Organization: s.orgs.Organization, Limit: s.limitOf(org.Devices), Now: s.world.Now, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("open the onboarding of boards: %w", err)
	}
	return nil
}

// firmware is where the operator puts what boards are provisioned with.
func (s *Server) firmware() board.Folder {
	return board.Folder(cmp.Or(s.cfg.Provisioning, filepath.Join(s.cfg.Data, "provisioning")))
}

type wireFree struct {
	HardwareID string `json:"unique_hardware_id"`
}

// deviceFree makes a board free again that somebody has claimed falsely.
func (s *Server) deviceFree(ctx context.Context, in wireFree) (any, error) {
	space, id, err := s.onboarding.Free(ctx, operator, in.HardwareID)
	return map[string]any{"unique_hardware_id": in.HardwareID, "device": id, "space": space}, err
}

// onboardMetrics counts boards that come in.
func onboardMetrics(counter func(name, help string, read func() float64), of *onboard.Service) {
	counter("onboard_claimed_total", "Boards that were claimed.", func() float64 { return float64(of.Counts().Claimed) })
	counter("onboard_completed_total", "Boards that became devices.", func() float64 { return float64(of.Counts().Completed) })
	counter("onboard_dropped_total", "Onboardings that ended without a device.", func() float64 { return float64(of.Counts().Dropped) })
	counter("onboard_refused_total", "Requests in the name of boards that were refused.", func() float64 { return float64(of.Counts().Refused) })
}
