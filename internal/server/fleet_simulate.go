package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"

	"github.com/ardesia-iot/ardesia/internal/fleet/simulate"
)

// openSimulations makes the room of boards that the server is itself.
func (s *Server) openSimulations() (err error) {
	s.simulated, err = simulate.New(simulate.Needs{
		Store: simulate.SQL(s.data.core), Devices: s.devices, Changes: &s.devices.Changes, Dial: s.dialOwn, Now: s.world.Now, Log: s.log,
	})
	return err
}

var errNotOwn = errors.New("the door for boards with a secret key shows another certificate than this server's")

// dialOwn connects to our own door for boards with a secret key, over TLS. The certificate that it shows must be exactly the one that we
// show now, whoever issued it and whatever names are in it.
func (s *Server) dialOwn(ctx context.Context) (net.Conn, error) {
	a, err := s.Addresses(ctx)
	if err != nil {
		return nil, err
	}
	d := tls.Dialer{Config: &tls.Config{
		MinVersion: tls.VersionTLS12, ServerName: s.cfg.Host,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection asks for more
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 || !state.PeerCertificates[0].Equal(s.wall.Leaf()) {
				return errNotOwn
			}
			return nil
		},
	}}
	return d.DialContext(ctx, "tcp", a["mqtt-password"])
}
