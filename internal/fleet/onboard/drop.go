package onboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// internal says that err is our own fault.
func internal(err error) bool { return problem.Of(err).Kind == problem.Internal }

// Drop ends the onboarding of a board, or takes one that has ended off the list: docs/acts/claim-board.md. A device that
// it has made and that has never connected goes with it.
func (s *Service) Drop(ctx context.Context, who access.Actor, id string) error {
	r, err := s.needs.Store.get(ctx, who.Space, id)
	if err != nil {
		return err
	}
	return s.drop(ctx, who, r, time.Time{}, "onboarding:drop")
}

func (s *Service) drop(ctx context.Context, who access.Actor, r row, late time.Time, action string) error {
	release, err := s.turn(ctx, r.index)
	if err != nil {
		return err
	}
	defer release()
	// 1. The intent and the journal, in one transaction. From here on the board finds no claim.
	r, err = s.needs.Store.leave(ctx, r.ID, late, s.entry(who, r.Space, action, r.ID, nil))
	if err != nil {
		return err
	}
	if err := s.cut("drop", 1); err != nil {
		return err
	}
	return s.takeBack(ctx, r)
}

// takeBack takes steps 2 and 3 of Drop, for an onboarding that is leaving. Each is repeatable.
func (s *Service) takeBack(ctx context.Context, r row) error {
	// 2. The device that it made, unless that has connected, or the board was claimed again and has it now: then somebody uses it.
	again, err := s.needs.Store.named(ctx, r.Device, r.ID)
	if err != nil {
		return err
	}
	if r.made && r.EndedAt.IsZero() && r.Device != "" && !again {
		d, err := s.needs.Devices.Get(ctx, system, r.Space, r.Device, true)
		if err == nil && d.LastActivityAt.IsZero() && d.Status != device.Online {
			err = s.needs.Devices.Delete(ctx, system, r.Space, r.Device, true)
		}
		if err != nil && internal(err) {
			return fmt.Errorf("remove device %s of onboarding %s: %w", r.Device, r.ID, err)
		}
	}
	if err := s.cut("drop", 2); err != nil {
		return err
	}
	// 3. The row.
	if err := s.needs.Store.remove(ctx, r.ID); err != nil {
		return err
	}
	s.dropped.Add(1)
	return s.cut("drop", 3)
}

// EraseSpace removes what there is of a space that is being erased. It needs no key, and is repeatable; who is System.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	if who.Kind != access.System {
		return access.ErrDenied
	}
	if err := s.needs.Store.clear(ctx, space); err != nil {
		return fmt.Errorf("remove boards on their way into space %s: %w", space, err)
	}
	return nil
}

// Repair brings to their end onboardings that were dropped when the power went off. It must have returned nil before anything is served.
func (s *Service) Repair(ctx context.Context) error {
	for {
		all, err := s.needs.Store.leaving(ctx)
		if err != nil {
			return fmt.Errorf("find interrupted onboardings: %w", err)
		}
		for _, r := range all {
			if err := s.takeBackInTurn(ctx, r); err != nil {
				return err
			}
		}
		if len(all) < perSweep {
			return nil
		}
	}
}

func (s *Service) takeBackInTurn(ctx context.Context, r row) error {
	release, err := s.turn(ctx, r.index)
	if err != nil {
		return err
	}
	defer release()
	return s.takeBack(ctx, r)
}

// sweep takes back what boards did not come for, and forgets what nobody needs.
func (s *Service) sweep(ctx context.Context) error {
	now := s.now()
	failed := []error{s.Repair(ctx), s.needs.Store.forget(ctx, now.Add(-endedLife))}
	before := now.Add(-claimLife)
	late, err := s.needs.Store.late(ctx, before)
	failed = append(failed, err)
	for _, r := range late {
		if err := s.drop(ctx, system, r, before, "onboarding:expire"); err != nil && !errors.Is(err, ErrNotFound) {
			failed = append(failed, err)
		}
	}
	return errors.Join(append(failed, s.unlearn(ctx))...)
}

// unlearn forgets boards that nobody has brought in, and those whose device is gone.
func (s *Service) unlearn(ctx context.Context) error {
	before, after := s.now().Add(-claimLife), []byte{}
	for {
		all, err := s.needs.Store.idle(ctx, before, after)
		if err != nil {
			return err
		}
		var ids []string
		for _, b := range all {
			if b.device != "" {
				ids = append(ids, b.device)
			}
		}
		living, err := s.needs.Devices.Living(ctx, ids)
		if err != nil {
			return err
		}
		for _, b := range all {
			if living[b.device] {
				continue
			}
			if err := s.needs.Store.unlearn(ctx, b); err != nil {
				return err
			}
		}
		if len(all) < perSweep {
			return nil
		}
		after = all[len(all)-1].index
	}
}
