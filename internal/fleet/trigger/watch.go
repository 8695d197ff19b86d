package trigger

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A watch looks at the status of devices. It belongs to the engine's goroutine.
//
// What counts is not the single coming or going but how far the status was told (trigger_online): when
// the status of a device is another than was told, and has been for the grace period, it is told and that is
// remembered, in one transaction. So a kill tells nothing twice, and what changed while nobody looked is found.
type watch struct {
	s       *Service
	start   time.Time
	pending map[presence]*due // those that will be told if nothing changes
	queue   dues
	// revisions are those of the rules that were looked at, by trigger.
	revisions map[string]int64
}

// A due is a device whose status is to be told at a time.
type due struct {
	presence
	online bool
	since  time.Time // it has this status
	at     time.Time
	gone   bool // it has another again
}

type dues []*due

func (q dues) Len() int           { return len(q) }
func (q dues) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q dues) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *dues) Push(x any)        { *q = append(*q, x.(*due)) }
func (q *dues) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// rulesIn are the rules on devices of a space.
func (s *Service) rulesIn(space string) []*rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	all := make([]*rule, 0, len(s.homes[space]))
	for _, r := range s.homes[space] {
		all = append(all, r)
	}
	return all
}

// heard takes comings and goings, in order.
func (w *watch) heard(ctx context.Context, all []device.Change) error {
	d := w.s.decision()
	for _, c := range all {
		if c.What != device.Connected && c.What != device.Disconnected {
			continue
		}
		for _, r := range w.s.rulesIn(c.Space) {
			if !r.status.has(c.Device) {
				continue
			}
			if err := w.now(ctx, d, r, c.Device, c.What == device.Connected, c.At, time.Time{}); err != nil {
				return err
			}
		}
	}
	return w.keep(ctx, d)
}

func (w *watch) keep(ctx context.Context, d *decision) error {
	if d.empty() {
		return nil
	}
	return w.s.keep(ctx, d)
}

// now says what the status of a device is since a time. It is told at earliest when says.
func (w *watch) now(ctx context.Context, d *decision, r *rule, id string, online bool, since, earliest time.Time) error {
	p := presence{r.id, id}
	told, had := d.online(r, id), w.pending[p]
	if told == online {
		if had != nil {
			had.gone = true
			delete(w.pending, p)
		}
		return nil
	}
	if had != nil {
		return nil // and it has had that status all the time
	}
	grace, counts := r.status.grace(online)
	next := &due{presence: p, online: online, since: since, at: since.Add(grace)}
	if next.at.Before(earliest) {
		next.at = earliest
	}
	if !counts {
		d.work(r).told[id] = online
		return nil
	}
	if next.at.After(w.s.now()) {
		w.pending[p] = next
		heap.Push(&w.queue, next)
		return nil
	}
	return w.tell(ctx, d, r, next)
}

// tell has a rule fire about a device.
func (w *watch) tell(ctx context.Context, d *decision, r *rule, x *due) error {
	d.work(r).told[x.device] = x.online
	e := event{At: x.since, Device: x.device, Online: x.online}
	key := x.device + "/" + strconv.FormatBool(x.online) + "/" + strconv.FormatInt(x.since.UnixMicro(), 10)
	return w.s.fire(ctx, d, r, e, "device:"+x.device, key)
}

// ring tells what has waited for its time.
func (w *watch) ring(ctx context.Context) error {
	d := w.s.decision()
	for now := w.s.now(); len(w.queue) > 0 && !w.queue[0].at.After(now); {
		x := heap.Pop(&w.queue).(*due)
		if x.gone {
			continue
		}
		delete(w.pending, x.presence)
		r := w.s.current(x.trigger)
		if r == nil || r.status == nil || !r.status.has(x.device) || d.online(r, x.device) == x.online {
			continue
		}
		if err := w.tell(ctx, d, r, x); err != nil {
			return err
		}
	}
	return w.keep(ctx, d)
}

// lookAtAll compares the status of all devices that rules are about with what was told.
func (w *watch) lookAtAll(ctx context.Context) error {
	w.s.mu.RLock()
	var all []*rule
	for _, r := range w.s.rules {
		if r.status != nil {
			all = append(all, r)
		}
	}
	w.s.mu.RUnlock()
	for _, r := range all {
		if err := w.lookAt(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// lookAt is lookAtAll for one rule, or for none when r is nil. What was pending for an older rule of its trigger is not any more.
func (w *watch) lookAt(ctx context.Context, r *rule) error {
	if r == nil || r.status == nil {
		return nil
	}
	if known, ok := w.revisions[r.id]; ok && known != r.revision {
		for p, x := range w.pending {
			if p.trigger == r.id {
				x.gone = true
				delete(w.pending, p)
			}
		}
	}
	w.revisions[r.id] = r.revision
	d := w.s.decision()
	err := w.s.insist(ctx, "the status of devices cannot be looked at; trying again", func() error {
		all, err := w.s.needs.Devices.List(ctx, access.Actor{Kind: access.System, Space: r.space}, r.space, device.Filter{})
		if errors.Is(err, keys.ErrErased) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("devices of space %s: %w", r.space, err)
		}
		there := make(map[string]bool, len(all))
		for _, one := range all {
			if !r.status.has(one.ID) || one.Status == device.Unknown {
				continue
			}
			there[one.ID] = true
			online := one.Status == device.Online
			since, earliest := one.LastActivityAt, time.Time{}
			if since.IsZero() || online {
				since = w.s.now()
			}
			if !online {
				// After a start nobody is online, and everybody comes back.
				earliest = w.start.Add(w.s.cfg.Settle)
			}
			if err := w.now(ctx, d, r, one.ID, online, since, earliest); err != nil {
				return err
			}
		}
		for id := range r.state.online {
			if !there[id] { // it was removed, or is not the trigger's business any more
				d.work(r).told[id] = false
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.keep(ctx, d)
}
