package signin

import (
	"context"
	"fmt"
	"time"
)

// sweepEvery is how often what is over is removed. It counts no more before that.
const sweepEvery = 10 * time.Minute

// Run removes sessions and flows that are over until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "what is over was not removed; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Sweep removes what is over.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.needs.Now()
	if err := s.needs.Store.sweep(ctx, now.UnixMicro(), now.Add(-deviceLife).UnixMicro()); err != nil {
		return fmt.Errorf("remove sessions and flows that are over: %w", err)
	}
	if s.needs.Social != nil {
		if err := s.needs.Social.Sweep(ctx); err != nil {
			return err
		}
	}
	return s.needs.Accounts.Tidy(ctx)
}
