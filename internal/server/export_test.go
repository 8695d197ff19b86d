package server

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// CutErasure has fn asked after each step of an erasure; its error ends it there, as a
// power cut would.
func (s *Server) CutErasure(fn func(step string) error) {
	s.erasures <- struct{}{} // not while another try is under way
	s.cut = fn
	<-s.erasures
}

// EraseAgain is what follows a failed erasure after a minute.
var EraseAgain = (*Server).repairErasures

// AddTo makes a device and a thing in a space as a request does that was let in before.
func (s *Server) AddTo(ctx context.Context, space, user string) error {
	who := access.Actor{Kind: access.User, ID: user, Space: space, Role: access.Admin}
	d, err := s.devices.Create(ctx, who, device.Device{Name: "late", Type: "login_and_secretkey_wifi"})
	if err != nil {
		return err
	}
	_, err = s.things.Create(ctx, who, thing.Thing{Name: "late", Timezone: "UTC", Device: d.ID}, false)
	return err
}

// Unerased counts the erasures that are decided and not done.
func (s *Server) Unerased(ctx context.Context) (int, error) {
	all, err := s.orgs.Erasures(ctx)
	return len(all), err
}

// Left counts the devices and things of a space.
func (s *Server) Left(ctx context.Context, space string) (int, error) {
	z, err := s.sizeOf(ctx, space)
	return z.Devices + z.Things, err
}
