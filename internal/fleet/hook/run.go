package hook

import (
	"context"
	"sync"
	"time"
)

const (
	// lookAgain is how often is tried what has failed.
	lookAgain = 5 * time.Second
	// sweepEvery is how often is looked for webhooks of devices that are gone for good.
	sweepEvery = time.Hour
)

// Run queues events and tells receivers, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { s.runLane(ctx) })
	parts.Go(func() { s.runRepair(ctx) })
	return s.runEngine(ctx)
}

// runRepair looks again at things that could not be looked at, and removes webhooks of devices that are gone for good.
func (s *Service) runRepair(ctx context.Context) {
	clock := time.NewTicker(lookAgain)
	defer clock.Stop()
	var swept time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-clock.C:
		}
		s.mu.Lock()
		stale := s.stale
		s.stale = map[string]string{}
		deaf := s.deaf
		s.deaf = map[string]string{}
		s.mu.Unlock()
		for device, space := range deaf {
			if err := s.hear(ctx, space, device); err != nil {
				s.needs.Log.ErrorContext(ctx, "the thing of a device with a webhook could not be found; trying again", "device", device, "err", err)
			}
		}
		for id, space := range stale {
			if err := s.lookUp(ctx, space, id); err != nil {
				s.needs.Log.ErrorContext(ctx, "the webhook of a thing is not as the thing says; trying again", "thing", id, "err", err)
				s.again(space, id)
			}
		}
		if now := s.now(); now.Sub(swept) >= sweepEvery {
			swept = now
			s.sweep(ctx)
		}
	}
}

// sweep removes webhooks of devices that are gone for good.
func (s *Service) sweep(ctx context.Context) {
	s.mu.RLock()
	var all []*ref
	for _, some := range s.of {
		for _, r := range some {
			all = append(all, r)
		}
	}
	s.mu.RUnlock()
	for _, r := range all {
		_, err := s.needs.Devices.Get(ctx, system(r.space), r.space, r.device, true)
		if isGone(err) {
			s.looking.Lock()
			err = s.remove(ctx, r.id, nil)
			s.looking.Unlock()
		}
		if err != nil && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "a webhook could not be looked at", "webhook", r.id, "err", err)
		}
	}
}

// insist does something until it succeeds or ctx ends.
func (s *Service) insist(ctx context.Context, what string, do func() error) error {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := do()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.needs.Log.ErrorContext(ctx, what, "err", err)
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}
