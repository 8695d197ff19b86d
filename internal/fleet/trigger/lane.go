package trigger

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A lane delivers some kinds, so many at once, so that receivers that are slow hold up nobody else's.
type lane struct {
	kinds []Kind
	slots int
	wake  chan struct{} // holds a word when a delivery waits
}

func newLanes() []*lane {
	return []*lane{
		{kinds: []Kind{Webhook}, slots: 32, wake: make(chan struct{}, 1)},
		{kinds: []Kind{Push}, slots: 16, wake: make(chan struct{}, 1)},
		{kinds: []Kind{Email, Set}, slots: 8, wake: make(chan struct{}, 1)},
	}
}

func (s *Service) poke() {
	for _, l := range s.lanes {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

const (
	lease    = 2 * time.Minute // as long as nobody else tries a delivery: longer than a try can take
	maxPause = 2 * time.Hour   // between two tries
	tryFor   = 24 * time.Hour  // after that a delivery is dead
	idle     = time.Second     // after which is looked although nobody said that there is something
	// crowded is how long deliveries of a space wait that has its share of a lane.
	crowded = time.Second
	// takeRows is how many deliveries are taken at once: all of them are begun before their lease ends.
	takeRows = 128
	gather   = 5 * time.Millisecond
)

// How a delivery ends.
const (
	done    = "done"
	dead    = "dead"    // nobody took it in time, or it can never be taken
	gone    = "gone"    // what it was to do is not there any more
	limited = "limited" // its recipients had enough letters
	erased  = "erased"  // what happened cannot be read any more
)

// An outcome is what became of a try. It waits for another when outcome is "".
type outcome struct {
	id      string
	outcome string
	next    int64 // µs since 1970
	at      int64
	answer  int
	free    bool // a try that was none
	back    bool // it was not begun
	entry   *journal.Entry
}

// A desk is a lane at work. It belongs to the lane's goroutine.
type desk struct {
	ready  []delivery        // taken and not begun
	busy   map[string]string // space by delivery, of those that were begun
	spaces map[string]int    // how many of these
}

func (d *desk) release(some []outcome) {
	for _, o := range some {
		if o.back {
			continue
		}
		space := d.busy[o.id]
		delete(d.busy, o.id)
		if d.spaces[space]--; d.spaces[space] <= 0 {
			delete(d.spaces, space)
		}
	}
}

// runLane delivers until ctx ends.
func (s *Service) runLane(ctx context.Context, l *lane) {
	results, ended := make(chan outcome, 2*takeRows), make(chan []outcome, l.slots)
	var work, finisher sync.WaitGroup
	finisher.Go(func() { s.finish(ctx, results, ended) })
	defer finisher.Wait()
	defer close(results)
	defer work.Wait()
	d := &desk{busy: map[string]string{}, spaces: map[string]int{}}
	for ctx.Err() == nil {
		now, took := s.now(), 0
		if len(d.ready) == 0 && len(d.busy) <= l.slots/2 {
			var err error
			if d.ready, err = s.needs.Store.claim(ctx, now.UnixMicro(), now.Add(lease).UnixMicro(), l.kinds, takeRows); err != nil && ctx.Err() == nil {
				s.needs.Log.ErrorContext(ctx, "deliveries wait for the database", "err", err)
			}
			took = len(d.ready)
		}
		for len(d.ready) > 0 && len(d.busy) < l.slots {
			r := d.ready[0]
			d.ready = d.ready[1:]
			// A clock that was set ends leases early: then it is under way still.
			if d.busy[r.id] != "" || d.spaces[r.space] >= max(1, l.slots/2) && s.others(d, r.space) {
				results <- outcome{id: r.id, next: now.Add(crowded).UnixMicro(), free: true, back: true}
				continue
			}
			d.busy[r.id] = r.space
			d.spaces[r.space]++
			work.Go(func() { results <- s.deliver(ctx, r) })
		}
		if took == takeRows && len(d.ready) == 0 {
			continue
		}
		t := time.NewTimer(min(idle, s.tick))
		select {
		case some := <-ended:
			d.release(some)
		case <-l.wake:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// others says whether another space waits for the lane that one has its share of.
func (s *Service) others(d *desk, space string) bool {
	return slices.ContainsFunc(d.ready, func(r delivery) bool { return r.space != space })
}

// finish writes what became of deliveries, those together that end within a few milliseconds: each transaction is a sync.
func (s *Service) finish(ctx context.Context, results <-chan outcome, ended chan<- []outcome) {
	keep := context.WithoutCancel(ctx)
	for first := range results {
		some := []outcome{first}
		late := time.NewTimer(gather)
		for more := true; more && len(some) < takeRows; {
			select {
			case o, ok := <-results:
				if ok {
					some = append(some, o)
				}
				more = ok
			case <-late.C:
				more = false
			}
		}
		late.Stop()
		if err := s.cut("tried"); err == nil {
			if err := s.needs.Store.finish(keep, some); err != nil {
				s.needs.Log.ErrorContext(ctx, "what became of deliveries could not be kept; they are tried again", "deliveries", len(some), "err", err)
			}
		}
		for _, o := range some {
			switch o.outcome {
			case done:
				s.counts.done.Add(1)
			case dead:
				s.counts.dead.Add(1)
			}
		}
		select {
		case ended <- some:
		case <-ctx.Done():
		}
	}
}

// end is a delivery that has ended.
func (s *Service) end(r delivery, how string, answer int) outcome {
	o := outcome{id: r.id, outcome: how, at: s.now().UnixMicro(), answer: answer}
	if how == dead {
		who := access.Actor{Kind: access.System, Space: r.space}
		e := s.entry(who, "delivery:dead", "delivery", r.id, map[string]string{"trigger": r.trigger, "action": r.action, "kind": string(r.kind)})
		o.entry = &e
	}
	return o
}

// later is a delivery that is tried again, or that is dead.
func (s *Service) later(ctx context.Context, r delivery, answer int, cause error) outcome {
	if ctx.Err() != nil { // the house stops; the next one begins with this delivery
		return outcome{id: r.id, next: s.now().UnixMicro(), free: true}
	}
	now := s.now()
	if now.Sub(fromMicros(r.from)) >= tryFor {
		s.needs.Log.WarnContext(ctx, "a delivery was given up", "delivery", r.id, "kind", r.kind, "try", r.tries, "err", cause)
		return s.end(r, dead, answer)
	}
	pause := webhook.Pause(s.cfg.Retry, maxPause, r.tries)
	s.counts.failed.Add(1)
	s.needs.Log.InfoContext(ctx, "a delivery was not taken; it is tried again", "delivery", r.id, "kind", r.kind, "try", r.tries, "in", pause, "err", cause)
	return outcome{id: r.id, next: now.Add(pause).UnixMicro(), answer: answer}
}
