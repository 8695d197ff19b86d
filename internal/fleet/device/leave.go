package device

import (
	"context"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Delete hides a device, or removes it for good with hard. Its session is closed and
// its thing stays, without a device. A hidden one keeps its certificates and secret, which let
// nobody in, and comes back by Update; of a removed one nothing comes back.
func (s *Service) Delete(ctx context.Context, who access.Actor, space, id string, hard bool) error {
	if err := ours(who, space); err != nil {
		return err
	}
	// 1. The intent. From here on nobody gets in.
	detail := map[string]string{"force": fmt.Sprint(hard)}
	r, err := s.needs.Store.change(ctx, space, id, func(r *row) error {
		if r.leaving == leavingHard || !hard && !r.DeletedAt.IsZero() {
			return ErrNotFound
		}
		seal, err := s.key(ctx, space, id)
		if err != nil {
			return err
		}
		d, err := r.open(seal)
		if err != nil {
			return err
		}
		r.leaving = leavingSoft
		if hard {
			r.leaving = leavingHard
		}
		d.DeletedAt = s.now()
		return r.close(d, seal, s.hardwareIndex)
	}, s.entry(who, space, "device:delete", id, detail))
	if err != nil {
		return err
	}
	if err := s.cut(1); err != nil {
		return err
	}
	s.reject(id, ErrGone)
	if err := s.leave(ctx, who, r); err != nil {
		return fmt.Errorf("delete device %s: %w", id, err)
	}
	s.Changes.Publish(Change{Deleted, space, id, s.now()})
	return nil
}

// CloseSpace closes the sessions of all devices of a space, once Organization knows it
// no more and so none of them gets in again.
func (s *Service) CloseSpace(space string) {
	s.mu.Lock()
	s.doubts++ // for those who are just being let in
	var ids []string
	for id, x := range s.sessions {
		if x.Space == space {
			ids = append(ids, id)
		}
	}
	s.mu.Unlock()
	for _, id := range ids {
		s.line.Drop(id, ErrGone)
	}
}

// Count is how many devices a space has, deleted ones included.
func (s *Service) Count(ctx context.Context, space string) (int, error) {
	rows, err := s.needs.Store.list(ctx, space, true)
	if err != nil {
		return 0, fmt.Errorf("count devices of space %s: %w", space, err)
	}
	return len(rows), nil
}

// Clear removes all devices of a space for good, when the space itself is erased.
// It needs no key of the space, which may be gone, and is repeatable; who is System.
func (s *Service) Clear(ctx context.Context, who access.Actor, space string) error {
	if who.Kind != access.System {
		return access.ErrDenied
	}
	rows, err := s.needs.Store.list(ctx, space, true)
	if err != nil {
		return fmt.Errorf("list devices of space %s: %w", space, err)
	}
	for _, r := range rows {
		if err := s.clear(ctx, who, r); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("remove device %s: %w", r.ID, err)
		}
	}
	return nil
}

// clear is Delete without a look at what is sealed.
func (s *Service) clear(ctx context.Context, who access.Actor, r row) (err error) {
	if r.leaving != leavingHard {
		// 1. The intent. From here on nobody gets in.
		r, err = s.needs.Store.change(ctx, r.Space, r.ID, func(r *row) error {
			r.leaving, r.DeletedAt = leavingHard, s.now()
			r.hardwareIndex = nil // its board is free
			return nil
		}, s.entry(who, r.Space, "device:delete", r.ID, map[string]string{"force": "true"}))
		if err != nil {
			return err
		}
		s.reject(r.ID, ErrGone)
	}
	if err := s.leave(ctx, who, r); err != nil {
		return err
	}
	s.Changes.Publish(Change{Deleted, r.Space, r.ID, s.now()})
	return nil
}

// leave takes steps 2 to 4 of a delete. Each is repeatable; Repair runs all of them again.
func (s *Service) leave(ctx context.Context, who access.Actor, r row) error {
	if r.leaving == leavingHard {
		// 2. No certificate of it counts again.
		if err := s.needs.Certificates.RevokeDevice(ctx, who, ca.Device{ID: r.ID, Space: r.Space}, ca.Ceased); err != nil {
			return err
		}
		if err := s.cut(2); err != nil {
			return err
		}
	}
	// 3. Its thing stays without it.
	if err := s.things.Detach(ctx, who, r.Space, r.ID); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	if err := s.cut(3); err != nil {
		return err
	}
	// 4. It is gone, with the intent to destroy its key, or hidden.
	if r.leaving == leavingHard {
		s.forget(r.ID)
		return s.needs.Store.remove(ctx, r.Space, r.ID, s.entry(who, r.Space, "device:remove", r.ID, nil))
	}
	_, err := s.needs.Store.change(ctx, r.Space, r.ID, func(r *row) error {
		if r.leaving == leavingSoft {
			r.leaving = staying
		}
		return nil
	}, s.entry(who, r.Space, "device:hide", r.ID, nil))
	return err
}
