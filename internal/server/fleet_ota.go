package server

import (
	"context"
	"math"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/ota"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// mib is the unit of the quota of storage, in bytes.
const mib = 1 << 20

// openUpdates makes the room of updates over the air.
func (s *Server) openUpdates() (err error) {
	d, now := s.data, s.world.Now
	s.ota, err = ota.New(ota.Needs{
		Store: ota.SQL(d.core, d.ring), Blobs: blob.New(d.core, d.ring, now), MAC: d.ring.MAC("ota-file"), Devices: s.devices, Now: now, Log: s.log,
		Room: func(ctx context.Context, space string) (int64, error) {
			return s.roomBeside(ctx, space, s.dashboards.Bytes, s.templates.Bytes)
		},
		Address: s.boardAddress,
	})
	if err != nil {
		return err
	}
	s.devices.BindUpdates(s.ota)
	return nil
}

// boardAddress is where a board that is connected finds a path of ours.
func (s *Server) boardAddress(path string) string {
	a, _ := s.Addresses(context.Background()) // boards connect after the doors are open
	return "https://" + reachable(s.cfg.Host, a["https"]) + path
}

// storageOf is how much of its storage a space has used, in MiB, of which a part counts as one: files for boards, pictures of
// dashboards, and templates. A file that still comes does not count.
func (s *Server) storageOf(ctx context.Context, space string) (int, error) {
	files, err := s.ota.Count(ctx, space)
	if err != nil {
		return 0, err
	}
	pictures, err := s.dashboards.Bytes(ctx, space)
	if err != nil {
		return 0, err
	}
	templates, err := s.templates.Bytes(ctx, space)
	return int((files + pictures + templates + mib - 1) / mib), err
}

// roomBeside is how many bytes of its storage a space has beside what other rooms of the house have taken of it.
func (s *Server) roomBeside(ctx context.Context, space string, taken ...func(ctx context.Context, space string) (int64, error)) (int64, error) {
	most, err := s.orgs.Limit(ctx, space, org.Storage)
	if err != nil || most == 0 {
		return math.MaxInt64, err
	}
	left := int64(most) * mib
	for _, count := range taken {
		n, err := count(ctx, space)
		if err != nil {
			return 0, err
		}
		left -= n
	}
	return max(0, left), nil
}

// runGone removes the updates of devices that are removed, until ctx ends. What it misses a start finds.
func (s *Server) runGone(ctx context.Context) error {
	news := s.devices.Changes.Subscribe(1024)
	defer news.Close()
	for {
		var c device.Change
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c = <-news.C():
		}
		var err error
		switch {
		case news.Lost() > 0:
			err = s.ota.Repair(ctx, s.devices.Living)
		case c.What == device.Deleted:
			var living map[string]bool
			if living, err = s.devices.Living(ctx, []string{c.Device}); err == nil && !living[c.Device] {
				err = s.ota.Forget(ctx, c.Device)
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "updates of a device that went are still there; the next start removes them", "device", c.Device, "err", err)
		}
	}
}

// updateMetrics counts updates.
func updateMetrics(counter func(name, help string, read func() float64), of *ota.Service) {
	counter("ota_begun_total", "Updates over the air that were started.", func() float64 { return float64(of.Counts().Begun) })
	counter("ota_succeeded_total", "Updates after which the device runs the new image.", func() float64 { return float64(of.Counts().Succeeded) })
	counter("ota_failed_total", "Updates that failed.", func() float64 { return float64(of.Counts().Failed) })
	counter("ota_expired_total", "Updates that did not begin in time.", func() float64 { return float64(of.Counts().Expired) })
	counter("ota_cancelled_total", "Updates that somebody cancelled.", func() float64 { return float64(of.Counts().Cancelled) })
}
