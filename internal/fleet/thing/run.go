package thing

import (
	"context"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

// Run tells live clients of values, tells devices when their local time switches,
// and finishes what was to be erased, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	news := s.Changes.Subscribe(liveQueue)
	defer news.Close()
	parts.Go(func() { s.runLive(ctx, news) })
	parts.Go(func() { s.runZones(ctx) })
	parts.Go(func() { s.runErase(ctx) })
	parts.Wait()
	return ctx.Err()
}

// liveQueue is how many changes may wait for live clients. When they wait longer
// than history takes to write as many, some are lost to live clients, never to history.
const liveQueue = 1 << 13

// runLive writes changes for those who look at the output of things.
func (s *Service) runLive(ctx context.Context, news *feed.Sub[Change]) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-news.C():
			s.live(c)
		}
		if n := news.Lost(); n > 0 {
			s.needs.Log.WarnContext(ctx, "live clients missed changes", "changes", n)
		}
	}
}

func (s *Service) live(c Change) {
	name := topic.Name(topic.ThingOut, c.Thing)
	if !s.heard(name) {
		return
	}
	r, err := s.routes.of(c.Thing)
	if err != nil || r == nil {
		return // gone in the meantime
	}
	if pack := r.pack(c.Points); pack != nil {
		s.send(name, pack, 1)
	}
}

// zoneCheck bounds how long Run trusts its timer: the clock of the machine may be set.
const zoneCheck = time.Hour

// zonePage is how many things are told of a switch between two looks at the database.
const zonePage = 500

// runZones waits for the next switch of any time zone that a thing with a device
// has, and tells the devices of those things.
func (s *Service) runZones(ctx context.Context) {
	until := map[string]int64{} // by zone: the second since 1970 to which its devices know their offset
	s.lookAtZones(ctx, until)
	for {
		now := s.now()
		wait := zoneCheck
		for zone, at := range until {
			if at <= now.Unix() {
				s.switchZone(ctx, zone)
				if location, err := loadZone(zone); err == nil {
					at = offsetAt(location, now).until
					until[zone] = at
				}
			}
			wait = min(wait, max(time.Unix(at, 0).Sub(now), time.Second))
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.zoned:
			timer.Stop()
			s.lookAtZones(ctx, until)
		case <-timer.C:
		}
	}
}

// lookAtZones adds zones that are new in use, and drops those that are no more.
func (s *Service) lookAtZones(ctx context.Context, until map[string]int64) {
	names, err := s.needs.Store.zones(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "time zones in use cannot be read", "err", err)
		}
		return
	}
	used := make(map[string]bool, len(names))
	for _, name := range names {
		used[name] = true
		if _, known := until[name]; known {
			continue
		}
		if location, err := loadZone(name); err == nil {
			until[name] = offsetAt(location, s.now()).until
		}
	}
	for name := range until {
		if !used[name] {
			delete(until, name)
		}
	}
}

// switchZone tells all devices in a zone that has switched.
func (s *Service) switchZone(ctx context.Context, zone string) {
	last := ""
	for ctx.Err() == nil {
		ids, err := s.needs.Store.inZone(ctx, zone, last, zonePage)
		if err != nil {
			// Boards ask for themselves when their offset has run out.
			s.needs.Log.ErrorContext(ctx, "devices in a time zone that switches cannot be told", "timezone", zone, "err", err)
			return
		}
		for _, id := range ids {
			s.sendOffset(id, zone)
		}
		if len(ids) < zonePage {
			return
		}
		last = ids[len(ids)-1]
	}
}

const (
	erasePage  = 500
	eraseAgain = time.Minute // after a failure
)

// runErase finishes erasing what a crash or a failure has left.
func (s *Service) runErase(ctx context.Context) {
	for {
		timer := time.NewTimer(s.finishErasing(ctx))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.stale:
			timer.Reset(eraseAgain) // whoever left the word has just failed
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
		case <-timer.C:
		}
	}
}

// finishErasing says when to look again.
func (s *Service) finishErasing(ctx context.Context) time.Duration {
	for {
		ids, err := s.needs.Store.erasing(ctx, erasePage)
		if err == nil && len(ids) == 0 {
			return 24 * time.Hour
		}
		if err == nil {
			err = s.eraseSeries(ctx, ids)
		}
		if err != nil {
			if ctx.Err() == nil {
				s.needs.Log.ErrorContext(ctx, "erased values are still there", "err", err)
			}
			return eraseAgain
		}
	}
}
