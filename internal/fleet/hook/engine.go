package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// What a receiver is told; cloud-api reference, section 9.6.
type (
	wireEvent struct {
		EventID   string      `json:"event_id"`
		WebhookID string      `json:"webhook_id"`
		DeviceID  string      `json:"device_id"` // of the thing; "" for none
		ThingID   string      `json:"thing_id"`
		Values    []wireValue `json:"values"`
	}

	wireValue struct {
		ID        string          `json:"id"`
		Name      string          `json:"name"`
		Value     json.RawMessage `json:"value"`
		Persist   bool            `json:"persist"`
		UpdatedAt time.Time       `json:"updated_at"`
		CreatedBy string          `json:"created_by"` // the device or person that wrote it; "" for the server itself
	}
)

// An event is what is queued.
type event struct {
	hook, id, space, thing string
	sealed                 []byte
	at                     int64 // µs since 1970
	seq                    int64 // of its commit; not stored
}

// events is the name space of their IDs: what was looked at twice would be one event.
var events = uuid.MustParse("0b6f5a0e-3e5d-4a58-9a43-6a0b3d6f1c77")

// A message is values of one thing that came together.
type message struct {
	thing, space string
	points       []series.Point
}

// messages are the points of a commit as they came: values of one thing that one writer wrote, in which each property is there once. Messages
// of one writer that were committed together and have no property in common are one.
func messages(points []series.Point) (all []message) {
	open := map[string]int{} // by thing: the last message of it
	for _, p := range points {
		own, ok := thing.Reading(p)
		if !ok {
			continue
		}
		i, known := open[own.Thing]
		if known {
			m := &all[i]
			fits := m.points[0].By == own.By && len(m.points) < maxValues
			for _, had := range m.points {
				fits = fits && had.Series != own.Series
			}
			if fits {
				m.points = append(m.points, own)
				continue
			}
		}
		open[own.Thing] = len(all)
		all = append(all, message{own.Thing, own.Space, []series.Point{own}})
	}
	return all
}

// look makes events of values.
func (s *Service) look(ctx context.Context, some []series.Tapped) (rows []event, seq int64, err error) {
	things := map[string]*thing.Thing{}
	for _, b := range some {
		seq = b.Seq
		for n, m := range messages(b.Points) {
			for _, h := range s.hooksOf(m.thing) {
				if b.Seq <= h.since {
					continue
				}
				t, known := things[m.thing]
				if !known {
					if t, err = s.thing(ctx, m.space, m.thing); err != nil {
						return nil, 0, err
					}
					things[m.thing] = t
				}
				if t == nil {
					continue
				}
				e, err := s.event(ctx, h.id, b.Seq, n, m, t)
				if err != nil {
					return nil, 0, err
				}
				if e != nil {
					rows = append(rows, *e)
				}
			}
		}
	}
	return rows, seq, nil
}

// thing is one as it is now; nil when it is not there. Only the end of ctx is an error.
func (s *Service) thing(ctx context.Context, space, id string) (t *thing.Thing, err error) {
	err = s.insist(ctx, "a thing that a webhook is about cannot be looked up; trying again", func() error {
		one, err := s.needs.Things.Get(ctx, system(space), id, false)
		if isGone(err) || s.damaged(ctx, "thing", id, err) {
			t = nil
			return nil
		}
		t = &one
		return err
	})
	return t, err
}

// event is a message for a webhook; nil when nothing of it can be told any more.
func (s *Service) event(ctx context.Context, hook string, seq int64, n int, m message, t *thing.Thing) (*event, error) {
	w := wireEvent{WebhookID: hook, DeviceID: t.Device, ThingID: t.ID}
	w.EventID = uuid.NewSHA1(events, keys.Place(hook, strconv.FormatInt(seq, 10), strconv.Itoa(n))).String()
	for _, p := range m.points {
		property, err := t.Property(p.Series)
		if err != nil {
			continue // deleted meanwhile
		}
		by, device := thing.Writer(p.By)
		if device && by != "" {
			w.DeviceID = by
		}
		w.Values = append(w.Values, wireValue{property.ID, property.Name, thing.JSON(p.Value), property.Persist, p.At, by})
	}
	if len(w.Values) == 0 {
		return nil, nil
	}
	body, err := json.Marshal(w)
	if err != nil {
		return nil, err
	}
	e := &event{hook: hook, id: w.EventID, space: m.space, thing: m.thing, at: s.now().UnixMicro(), seq: seq}
	err = s.insist(ctx, "the key of a thing that a webhook is about cannot be had; trying again", func() error {
		key, err := s.needs.Keys.Thing(ctx, m.space, m.thing)
		if err == nil {
			e.sealed, err = key.Seal(body, keys.Place("hook_event", "sealed", e.id))
		}
		if errors.Is(err, keys.ErrErased) || s.damaged(ctx, "thing", m.thing, err) {
			e = nil
			return nil
		}
		return err
	})
	return e, err
}

// damaged says whether err is a row that cannot be opened any more, and logs it. It never gets better, and neither values of
// others nor the start of this server may wait for it.
func (s *Service) damaged(ctx context.Context, what, id string, err error) bool {
	if !errors.Is(err, keys.ErrSeal) {
		return false
	}
	s.needs.Log.ErrorContext(ctx, "what a webhook is about is damaged; it is told nothing of it", "of", what, "id", id, "err", err)
	return true
}

// runEngine queues events for the values that are followed, until ctx ends.
func (s *Service) runEngine(ctx context.Context) error {
	for {
		var some []series.Tapped
		err := s.insist(ctx, "values that webhooks wait for cannot be read; trying again", func() (err error) {
			some, err = s.tap.Next(ctx)
			return err
		})
		if err != nil {
			return err
		}
		for len(some) > 0 {
			n := part(some)
			if err := s.enqueue(ctx, some[:n]); err != nil {
				return err
			}
			some = some[n:]
		}
	}
}

// perPart is how many points are made into events together: each may be ten events, and others write to the database, too.
const perPart = 1024

// part is how many commits of some have as many points, at least one.
func part(some []series.Tapped) int {
	points := 0
	for n, b := range some {
		if points += len(b.Points); points > perPart && n > 0 {
			return n
		}
	}
	return len(some)
}

// enqueue queues the events of some commits, with how far it came, and lets go of their values.
func (s *Service) enqueue(ctx context.Context, some []series.Tapped) error {
	rows, seq, err := s.look(ctx, some)
	if err != nil {
		return err
	}
	if err := s.cut("looked"); err != nil {
		return err
	}
	var dropped int64
	err = s.insist(ctx, "events of webhooks cannot be queued; trying again", func() (err error) {
		dropped, err = s.needs.Store.queue(ctx, seq, rows)
		return err
	})
	if err != nil {
		return err
	}
	s.counts.queued.Add(uint64(len(rows)))
	s.counts.dropped.Add(uint64(dropped))
	if len(rows) > 0 {
		word(s.wake)
	}
	if err := s.cut("queued"); err != nil {
		return err
	}
	if err := s.insist(ctx, "values that webhooks were told of stay on disk; trying again", func() error { return s.tap.Done(ctx, seq) }); err != nil {
		return fmt.Errorf("forget values: %w", err)
	}
	return nil
}
