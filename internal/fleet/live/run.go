package live

import (
	"context"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

const (
	// valueQueue is how many messages of values may wait to be put on boards.
	valueQueue = 1 << 13
	otherQueue = 1 << 10
	sweepEvery = 10 * time.Second
)

// sources are what a Service listens to while somebody listens to it.
type sources struct {
	values    *feed.Sub[thing.Change]
	touched   *feed.Sub[touched]
	presences *feed.Sub[device.Presence]
	devices   *feed.Sub[device.Change]
	shown     *feed.Sub[dashboard.Change]
}

func (s *Service) listen() *sources {
	return &sources{
		values: s.needs.Values.Subscribe(valueQueue), touched: s.touched.Subscribe(otherQueue), presences: s.needs.Presences.Subscribe(otherQueue),
		devices: s.needs.Devices.Subscribe(otherQueue), shown: s.needs.Shown.Subscribe(otherQueue),
	}
}

func (l *sources) close() {
	l.values.Close()
	l.touched.Close()
	l.presences.Close()
	l.devices.Close()
	l.shown.Close()
}

// lost says how much did not fit into the queues.
func (l *sources) lost() int {
	return l.values.Lost() + l.touched.Lost() + l.presences.Lost() + l.devices.Lost() + l.shown.Lost()
}

// Run puts what happens on the boards of spaces that somebody listens to, until ctx ends. Then it hangs up on everybody.
func (s *Service) Run(ctx context.Context) error {
	defer s.stop()
	sweep := time.NewTicker(min(sweepEvery, s.cfg.Keep))
	defer sweep.Stop()
	nobody := &sources{
		values: new(feed.Feed[thing.Change]).Subscribe(0), touched: new(feed.Feed[touched]).Subscribe(0), presences: new(feed.Feed[device.Presence]).Subscribe(0),
		devices: new(feed.Feed[device.Change]).Subscribe(0), shown: new(feed.Feed[dashboard.Change]).Subscribe(0),
	}
	for {
		from := s.current()
		if from == nil {
			from = nobody
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.woken:
		case c := <-from.values.C():
			s.valueChanged(c)
		case t := <-from.touched.C():
			s.thingTouched(t)
		case p := <-from.presences.C():
			if b, limit := s.board(p.Space); b != nil {
				b.put(news{key: key{aPresence, p.Device}, frame: appendPresence(nil, p)}, limit)
			}
		case c := <-from.devices.C():
			if b, limit := s.board(c.Space); b != nil && (c.What == device.Created || c.What == device.Deleted) {
				b.put(news{key: key{aDevice, c.Device}}, limit)
			}
		case c := <-from.shown.C():
			s.dashboardChanged(c)
		case <-sweep.C:
			s.sweep()
		}
		if n := from.lost(); n > 0 {
			s.needs.Log.WarnContext(ctx, "live clients missed what happened, and fetch it again", "messages", n)
			s.loseAll()
		}
	}
}

func (s *Service) current() *sources {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.sources
}

// stop hangs up on everybody, and lets nobody in.
func (s *Service) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	close(s.ended)
	for x := range s.streams {
		x.out.cut()
	}
	if s.sources != nil {
		s.sources.close()
		s.sources = nil
	}
}

func (s *Service) valueChanged(c thing.Change) {
	b, limit := s.board(c.Space)
	if b == nil {
		return
	}
	err := s.needs.Things.Latest(c, func(p series.Point) {
		b.put(news{key: key{aValue, p.Series}, thing: c.Thing, frame: appendValue(make([]byte, 0, frameBytes), p)}, limit)
	})
	if err != nil {
		s.needs.Log.Error("live clients miss values of a thing, and fetch them again", "thing", c.Thing, "err", err)
		b.lose()
	}
}

// frameBytes is what a number needs in an event.
const frameBytes = 160

// thingChanged is called by the room of things, and must not wait.
func (s *Service) thingChanged(_ context.Context, t thing.Thing) {
	living := map[string]bool{}
	if !t.Deleted() {
		for _, p := range t.Living() {
			living[p.ID] = true
		}
	}
	s.touched.Publish(touched{t.Space, t.ID, living})
}

func (s *Service) thingTouched(t touched) {
	b, limit := s.board(t.space)
	if b == nil {
		return
	}
	b.forget(t.thing, t.living)
	b.put(news{key: key{aThing, t.thing}}, limit)
}

func (s *Service) dashboardChanged(c dashboard.Change) {
	b, limit := s.board(c.Space)
	if b == nil {
		return
	}
	s.recheck(func(x *standing) bool {
		if x.dashboard != "" && x.dashboard == c.Dashboard {
			return true
		}
		return x.who.Space != c.Space && x.hears(c.Space) // a guest
	})
	if !c.Guests && c.Dashboard != "" {
		b.put(news{key: key{aDashboard, c.Dashboard}}, limit)
	}
}

func (s *Service) loseAll() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, b := range s.boards {
		b.lose()
	}
	for x := range s.streams {
		word(x.again) // what was lost may have been about rights
	}
}

// sweep forgets spaces that nobody has listened to for a while, and has boards on which nothing happens make room for others.
func (s *Service) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.needs.Now()
	for space, b := range s.boards {
		if b.readers == 0 && now.Sub(b.leftAt) >= s.cfg.Keep {
			delete(s.boards, space)
		}
	}
	for _, b := range s.boards {
		b.trim(s.limit())
	}
	if len(s.boards) == 0 && s.sources != nil {
		s.sources.close()
		s.sources = nil
	}
}
