package onboard

import (
	"context"
	"time"
)

// sweepEvery is how often is looked what boards did not come for.
const sweepEvery = 10 * time.Minute

// Run takes back what boards did not come for, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "what boards did not come for is still there; trying again", "err", err, "after", sweepEvery)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
