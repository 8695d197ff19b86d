package server

import (
	"context"
	"net"
	"strconv"

	"github.com/ardesia-iot/ardesia/internal/firmware/sketch"
)

// openSketches makes the room of sketches.
func (s *Server) openSketches() (err error) {
	s.sketches, err = sketch.New(sketch.Needs{Things: s.things, Devices: s.devices, Place: s.boardPlace})
	return err
}

// boardPlace is where the programs of devices find this server.
func (s *Server) boardPlace() sketch.Place {
	a, _ := s.Addresses(context.Background()) // requests come after the doors are open
	return sketch.Place{Host: s.cfg.Host, CertPort: portOf(a["mqtt-cert"]), SecretPort: portOf(a["mqtt-password"]), CA: s.wall.Root()}
}

// portOf is the port of an address that a listener is bound to.
func portOf(addr string) int {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return n
}
