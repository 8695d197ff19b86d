package trigger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

const (
	// tick is how often is looked whose time has come, and how long values that were looked at stay on disk.
	tick = time.Second
	// comingsQueue is how many comings and goings may wait. Those that are lost are found by looking at all devices.
	comingsQueue = 1 << 14
	// lookAgain is how often all devices are looked at that triggers are about.
	lookAgain = 10 * time.Minute
	// keepDays is how long what became of deliveries is kept.
	keepDays = 30
)

// Run looks at values and at the status of devices, and does what follows, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	// Nobody else is at deliveries: history has one writer, and triggers look at what it writes.
	if err := s.needs.Store.release(ctx, s.now().UnixMicro()); err != nil {
		return fmt.Errorf("deliveries that a kill has interrupted: %w", err)
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	values := make(chan []series.Tapped)
	parts.Go(func() { s.runValues(ctx, values) })
	for _, l := range s.lanes {
		parts.Go(func() { s.runLane(ctx, l) })
	}
	asks, rolls := make(chan string, 1), make(chan roll)
	parts.Go(func() { s.runRolls(ctx, asks, rolls) })
	return s.runEngine(ctx, values, asks, rolls)
}

// runValues fetches the values that are followed.
func (s *Service) runValues(ctx context.Context, to chan<- []series.Tapped) {
	for {
		var some []series.Tapped
		err := s.insist(ctx, "values that triggers wait for cannot be read; trying again", func() (err error) {
			some, err = s.tap.Next(ctx)
			return err
		})
		if err != nil {
			return
		}
		select {
		case to <- some:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) runEngine(ctx context.Context, values <-chan []series.Tapped, asks chan<- string, rolls <-chan roll) error {
	comings := s.comings
	defer comings.Close()
	w := &watch{s: s, pending: map[presence]*due{}, revisions: map[string]int64{}, want: map[string]bool{}, later: map[string]time.Time{}, start: s.now()}
	w.wantAll()
	clock := time.NewTicker(s.tick)
	defer clock.Stop()
	var swept time.Time
	done, seen := s.position, s.position
	for {
		w.ask(asks)
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case some := <-values:
			var d *decision
			if d, err = s.look(ctx, some); err == nil {
				if seen = d.seq; !d.empty() {
					err = s.keep(ctx, d)
				}
			}
		case c := <-comings.C():
			err = w.heard(ctx, drain(comings, c))
		case id := <-s.fresh:
			w.renew(s.current(id))
		case r := <-rolls:
			w.take(ctx, r)
		case <-w.more():
			err = w.next(ctx)
		case <-clock.C:
			s.mend(ctx)
			if now := s.now(); now.Sub(swept) > time.Hour {
				swept = now
				if err := s.needs.Store.sweep(ctx, now.AddDate(0, 0, -keepDays).UnixMicro(), day(now)-keepDays); err != nil {
					s.needs.Log.ErrorContext(ctx, "deliveries that ended long ago are still there; trying again", "err", err)
				}
			}
			w.turn()
			err = w.ring(ctx)
			if d := s.decision(); err == nil && s.amend(d, seen) {
				err = s.keep(ctx, d)
			}
			if err == nil && seen > done {
				err = s.remember(ctx, seen)
				done = seen
			}
		}
		if err != nil {
			return err
		}
	}
}

// remember puts on disk how far values were looked at, and lets go what is up to there.
func (s *Service) remember(ctx context.Context, seen int64) error {
	if seen > s.position {
		if err := s.keep(ctx, &decision{seq: seen}); err != nil {
			return err
		}
	}
	return s.insist(ctx, "values that triggers have looked at stay on disk; trying again", func() error { return s.tap.Done(ctx, seen) })
}

// drain takes what else waits in a queue, up to a few hundred.
func drain(from *feed.Sub[device.Change], first device.Change) []device.Change {
	all := []device.Change{first}
	for len(all) < 256 {
		select {
		case c := <-from.C():
			all = append(all, c)
		default:
			return all
		}
	}
	return all
}
