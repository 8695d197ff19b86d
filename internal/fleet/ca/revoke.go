package ca

import (
	"context"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Revoke ends a certificate for ever: docs/acts/revoke-device-certificate.md.
// When it returns nil the certificate is refused, now and after any crash.
func (s *Service) Revoke(ctx context.Context, who access.Actor, device Device, id string, reason Reason) error {
	// 1. Find it in the caller's space.
	if err := device.check(who); err != nil {
		return err
	}
	c, err := s.needs.Store.get(ctx, device.Space, device.ID, id)
	if err != nil {
		return err
	}
	if c.State != Issued && c.State != Revoked {
		return ErrNotFound
	}
	if err := s.cut("revoke", 1); err != nil {
		return err
	}
	return s.revoke(ctx, who, device, []Certificate{c}, reason)
}

// RevokeDevice ends all certificates of a device. It may have none.
func (s *Service) RevokeDevice(ctx context.Context, who access.Actor, device Device, reason Reason) error {
	// 1. Find them in the caller's space.
	if err := device.check(who); err != nil {
		return err
	}
	all, err := s.needs.Store.list(ctx, device.Space, device.ID)
	if err != nil {
		return fmt.Errorf("list certificates of device %s: %w", device.ID, err)
	}
	if err := s.cut("revoke", 1); err != nil {
		return err
	}
	return s.revoke(ctx, who, device, all, reason)
}

func (s *Service) revoke(ctx context.Context, who access.Actor, device Device, all []Certificate, reason Reason) error {
	// 2. Journal and rows, in one transaction.
	ids := make([]string, 0, len(all))
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	_, err := s.needs.Store.revoke(ctx, ids, s.needs.Now(), reason, func(id string) journal.Entry {
		return s.entry(who, device.Space, "ca:revoke", id, map[string]string{"device": device.ID, "reason": string(reason)})
	})
	if err != nil {
		return fmt.Errorf("revoke certificates of device %s: %w", device.ID, err)
	}
	if err := s.cut("revoke", 2); err != nil {
		return err
	}
	return s.changed("revoke", device, all)
}

// SetEnabled refuses a certificate for a time, or accepts it again. It takes the
// steps of Revoke. ca replaces what the client calls the CA; "" leaves it.
func (s *Service) SetEnabled(ctx context.Context, who access.Actor, device Device, id string, enabled bool, ca string) (Certificate, error) {
	// 1. Find it in the caller's space.
	c, err := s.Get(ctx, who, device, id)
	if err != nil {
		return Certificate{}, err
	}
	if err := s.cut("enable", 1); err != nil {
		return Certificate{}, err
	}
	// 2. Journal and row, in one transaction.
	c.Enabled = enabled
	if ca != "" {
		if c.CA, err = checkLabel(ca); err != nil {
			return Certificate{}, err
		}
	}
	action := "ca:disable"
	if enabled {
		action = "ca:enable"
	}
	if err := s.needs.Store.update(ctx, c, s.entry(who, device.Space, action, id, map[string]string{"device": device.ID})); err != nil {
		return Certificate{}, err
	}
	if err := s.cut("enable", 2); err != nil {
		return Certificate{}, err
	}
	return c, s.changed("enable", device, []Certificate{c})
}

// changed takes the last two steps of every act that may end sessions.
func (s *Service) changed(act string, device Device, all []Certificate) error {
	// 3. Forget what is cached. The epoch tells a Check that read the row before
	// the change not to remember it.
	s.mu.Lock()
	s.epoch++
	for _, c := range all {
		s.cached.Delete(c.Serial)
	}
	s.mu.Unlock()
	if err := s.cut(act, 3); err != nil {
		return err
	}
	// 4. Publish.
	s.Changes.Publish(Change{Space: device.Space, Device: device.ID})
	return s.cut(act, 4)
}
