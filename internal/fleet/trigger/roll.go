package trigger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

// lookSoon is the least time between two looks at all devices, and until a look that failed is tried again.
const lookSoon = 30 * time.Second

// rollWithin is how long the devices of one space may take to be listed.
const rollWithin = time.Minute

// A roll is the status of all devices of a space at a time. A space may have very many, so it is made
// outside of the engine, and holds what the engine needs alone.
type roll struct {
	space   string
	devices map[string]standing // nil when the space is erased
	err     error
}

// A standing is the status of a device: since when it is known to have it, zero for unknown.
type standing struct {
	online bool
	since  time.Time
}

// A look compares the devices of one space with what was told of them, for one rule after the other.
type look struct {
	space string
	rules []*rule             // those that were there when the roll was asked for: newer ones have seen newer
	heard map[string]bool     // devices that came or went since: what was heard of them is newer
	roll  map[string]standing // nil until it is made
}

// runRolls makes the rolls of the spaces that are asked for, until ctx ends.
func (s *Service) runRolls(ctx context.Context, asks <-chan string, rolls chan<- roll) {
	for {
		select {
		case <-ctx.Done():
			return
		case space := <-asks:
			select {
			case rolls <- s.makeRoll(ctx, space):
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *Service) makeRoll(ctx context.Context, space string) roll {
	ctx, stop := context.WithTimeout(ctx, rollWithin)
	defer stop()
	all, err := s.needs.Devices.List(ctx, system(space), space, device.Filter{})
	if errors.Is(err, keys.ErrErased) {
		return roll{space: space}
	}
	if err != nil {
		return roll{space: space, err: fmt.Errorf("devices of space %s: %w", space, err)}
	}
	r := roll{space: space, devices: make(map[string]standing, len(all))}
	for _, one := range all {
		if one.Status != device.Unknown {
			r.devices[one.ID] = standing{one.Status == device.Online, one.LastActivityAt}
		}
	}
	return r
}

// wantAll has the devices of all spaces looked at whose triggers are about devices.
func (w *watch) wantAll() {
	w.looked, w.lost = w.s.now(), false
	w.s.mu.RLock()
	defer w.s.mu.RUnlock()
	for space, rules := range w.s.homes {
		if len(rules) > 0 {
			w.want[space] = true
		}
	}
}

// renew has the devices of a rule looked at. What was pending for an older one of its trigger is not any more. r may be nil.
func (w *watch) renew(r *rule) {
	if r == nil || r.status == nil {
		return
	}
	w.outdate(r)
	w.want[r.space] = true
}

func (w *watch) outdate(r *rule) {
	if known, ok := w.revisions[r.id]; ok && known != r.revision {
		for p, x := range w.pending {
			if p.trigger == r.id {
				x.gone = true
				delete(w.pending, p)
			}
		}
	}
	w.revisions[r.id] = r.revision
}

// turn decides what is to be looked at: all when comings were lost or much time has passed, but not all the time.
func (w *watch) turn() {
	now := w.s.now()
	if w.s.comings.Lost() > 0 {
		w.lost = true
	}
	for space, at := range w.later {
		if !at.After(now) {
			delete(w.later, space)
			w.want[space] = true
		}
	}
	if idle := w.look == nil && len(w.want) == 0; idle && (w.lost && now.Sub(w.looked) >= lookSoon || now.Sub(w.looked) >= lookAgain) {
		w.wantAll()
	}
}

// ask asks for the roll of a space whose devices are to be looked at, one at a time.
func (w *watch) ask(asks chan<- string) {
	for space := range w.want {
		if w.look != nil {
			return
		}
		delete(w.want, space)
		if rules := w.s.rulesIn(space); len(rules) > 0 {
			w.look = &look{space: space, rules: rules, heard: map[string]bool{}}
			asks <- space // which holds one
		}
	}
}

// take takes the roll that was asked for.
func (w *watch) take(ctx context.Context, r roll) {
	w.looked = w.s.now()
	if r.err != nil {
		w.s.needs.Log.ErrorContext(ctx, "the status of devices cannot be looked at; trying again", "err", r.err)
		w.later[r.space] = w.s.now().Add(lookSoon)
	}
	if w.look.roll = r.devices; r.devices == nil {
		w.look = nil
	}
}

var always = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// more holds a word while there is a rule to look at. Between two of them the engine does what else there is.
func (w *watch) more() <-chan struct{} {
	if w.look != nil && w.look.roll != nil {
		return always
	}
	return nil
}

// next looks at the devices of one rule.
func (w *watch) next(ctx context.Context) error {
	l := w.look
	if len(l.rules) == 0 {
		w.look = nil
		return nil
	}
	r := w.s.current(l.rules[0].id)
	asked := l.rules[0].revision
	l.rules = l.rules[1:]
	if r == nil || r.status == nil || r.revision != asked {
		return nil
	}
	w.outdate(r)
	d := w.s.decision()
	see := func(id string, is standing) error {
		if l.heard[id] {
			return nil
		}
		since, earliest := is.since, time.Time{}
		if since.IsZero() || is.online {
			since = w.s.now()
		}
		if !is.online {
			// After a start nobody is online, and everybody comes back.
			earliest = w.start.Add(w.s.cfg.Settle)
		}
		return w.now(ctx, d, r, id, is.online, since, earliest)
	}
	if r.status.Exclude {
		for id, is := range l.roll {
			if !r.has(id) {
				continue
			}
			if err := see(id, is); err != nil {
				return err
			}
		}
	} else {
		for _, id := range r.status.Devices {
			is, there := l.roll[id]
			if !there {
				continue
			}
			if err := see(id, is); err != nil {
				return err
			}
		}
	}
	for id := range r.state.online {
		// It was removed, or is not the trigger's business any more.
		if _, there := l.roll[id]; !l.heard[id] && (!there || !r.has(id)) {
			d.work(r).told[id] = false
		}
	}
	return w.keep(ctx, d)
}
