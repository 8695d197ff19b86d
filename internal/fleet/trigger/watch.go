package trigger

import (
	"container/heap"
	"context"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
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

	want   map[string]bool      // spaces whose devices are to be looked at
	later  map[string]time.Time // and when, those for which that failed
	look   *look                // under way; nil for none
	looked time.Time            // when a look last began or got its roll
	lost   bool                 // comings were lost since
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
	rules := map[string][]*rule{}
	for _, c := range all {
		if c.What != device.Connected && c.What != device.Disconnected {
			continue
		}
		if w.look != nil && w.look.space == c.Space {
			w.look.heard[c.Device] = true
		}
		in, known := rules[c.Space]
		if !known {
			in = w.s.rulesIn(c.Space)
			rules[c.Space] = in
		}
		for _, r := range in {
			if !r.has(c.Device) {
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
		if r == nil || r.status == nil || !r.has(x.device) || d.online(r, x.device) == x.online {
			continue
		}
		if err := w.tell(ctx, d, r, x); err != nil {
			return err
		}
	}
	return w.keep(ctx, d)
}
