package template

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Repair takes back what was begun and never ended. It comes before anything is served.
func (s *Service) Repair(ctx context.Context) error {
	if err := s.takeBackAll(ctx); err != nil {
		s.needs.Log.ErrorContext(ctx, "what was made of a template is not taken back yet; trying again", "err", err)
		word(s.failed)
	}
	return nil
}

func (s *Service) takeBackAll(ctx context.Context) error {
	all, err := s.needs.Store.begun(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, i := range all {
		s.mu.Lock()
		live := s.live[i.ID]
		s.mu.Unlock()
		if live {
			continue
		}
		// It may have ended since the list was read: what is made is somebody's then.
		if open, err := s.needs.Store.open(ctx, i.ID); err != nil {
			failed = append(failed, fmt.Errorf("what was begun as %s: %w", i.ID, err))
			continue
		} else if !open {
			continue
		}
		if err := s.takeBack(ctx, i); err != nil {
			failed = append(failed, fmt.Errorf("what was begun as %s: %w", i.ID, err))
			continue
		}
		s.needs.Log.InfoContext(ctx, "what was half made of a template was taken back", "as", i.ID, "space", i.Space)
	}
	return errors.Join(failed...)
}

// again is how long after a failure it is tried anew.
const again = time.Minute

// Run tries again to take back what could not be, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.failed:
		}
		timer := time.NewTimer(again)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if err := s.takeBackAll(ctx); err != nil && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "what was made of a template is not taken back yet; trying again", "err", err)
			word(s.failed)
		}
	}
}

// word leaves a word for somebody who may not be listening now.
func word(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
