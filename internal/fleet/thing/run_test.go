package thing

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
)

// zoned is a Store of things that have a time zone and a device.
type zoned struct {
	Store
	mu     sync.Mutex
	things map[string]string // guarded by mu: zone by ID
	stale  []string          // guarded by mu: still to be erased
}

func (z *zoned) zones(context.Context) (all []string, _ error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, zone := range z.things {
		if !slices.Contains(all, zone) {
			all = append(all, zone)
		}
	}
	return all, nil
}

func (z *zoned) inZone(_ context.Context, zone, after string, n int) (ids []string, _ error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for id, in := range z.things {
		if in == zone && id > after {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids[:min(n, len(ids))], nil
}

func (z *zoned) erasing(context.Context, int) ([]string, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.Clone(z.stale), nil
}

func (z *zoned) erased(_ context.Context, ids []string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.stale = slices.DeleteFunc(z.stale, func(id string) bool { return slices.Contains(ids, id) })
	return nil
}

// eraser is a history that fails to erase a number of times.
type eraser struct {
	Series
	mu    sync.Mutex
	fails int      // guarded by mu
	gone  []string // guarded by mu
}

func (e *eraser) Erase(_ context.Context, ids []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fails > 0 {
		e.fails--
		return errors.New("disk full")
	}
	e.gone = append(e.gone, ids...)
	return nil
}

// bubble runs a Service in a bubble, whose clock begins at midnight UTC, 2000-01-01.
func bubble(t *testing.T, store Store, history Series) (s *Service, sent func() []message, stop func()) {
	t.Helper()
	s = &Service{needs: Needs{Store: store, Series: history, Now: time.Now, Log: slog.New(slog.DiscardHandler)}, routes: newRoutes(nil),
		zoned: make(chan struct{}, 1), stale: make(chan struct{}, 1)}
	var mu sync.Mutex
	var all []message
	s.Bind(func(topic string, payload []byte, qos byte) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, message{topic, payload, qos})
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() []message {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			got := all
			all = nil
			return got
		}, func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v", err)
			}
		}
}

func TestDevicesHearWhenLocalTimeSwitches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &zoned{things: map[string]string{"rome": "Europe/Rome", "milan": "Europe/Rome", "york": "America/New_York", "nepal": "Asia/Kathmandu"}}
		s, sent, stop := bubble(t, store, nil)
		defer stop()
		until := func(text string) {
			t.Helper()
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Until(at))
		}
		offsets := func() map[string]int64 {
			t.Helper()
			all := map[string]int64{}
			for _, m := range sent() {
				records, err := senml.Decode(m.payload)
				if err != nil || len(records) != 2 || records[0].Name != nameOffset || records[1].Name != nameUntil || records[1].Int <= time.Now().Unix() {
					t.Fatalf("records %+v, %v", records, err)
				}
				all[m.topic] = records[0].Int
			}
			return all
		}
		name := func(id string) string { return topic.Name(topic.ThingIn, id) }
		until("2000-03-26T00:59:59Z")
		if got := offsets(); len(got) != 0 {
			t.Errorf("before the switch: %v", got)
		}
		until("2000-03-26T01:00:02Z")
		if got := offsets(); len(got) != 2 || got[name("rome")] != 7200 || got[name("milan")] != 7200 {
			t.Errorf("when Rome switches: %v", got)
		}
		until("2000-04-02T07:00:02Z")
		if got := offsets(); len(got) != 1 || got[name("york")] != -14400 {
			t.Errorf("when New York switches: %v", got)
		}
		// A zone that comes into use later is looked after as well.
		store.mu.Lock()
		store.things["sydney"] = "Australia/Sydney"
		delete(store.things, "york")
		store.mu.Unlock()
		word(s.zoned)
		until("2000-08-26T16:00:02Z") // in the year of the games summer came early
		if got := offsets(); len(got) != 1 || got[name("sydney")] != 39600 {
			t.Errorf("when Sydney switches: %v", got)
		}
		until("2000-10-29T12:00:00Z")
		if got := offsets(); len(got) != 2 || got[name("rome")] != 3600 {
			t.Errorf("when summer ends in Rome: %v", got)
		}
	})
}

func TestErasingIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &zoned{stale: []string{"a", "b"}}
		history := &eraser{fails: 2}
		_, _, stop := bubble(t, store, history)
		defer stop()
		time.Sleep(10 * eraseAgain)
		synctest.Wait()
		if len(store.stale) != 0 || !slices.Equal(history.gone, []string{"a", "a/last", "b", "b/last"}) {
			t.Errorf("left %v, erased %v", store.stale, history.gone)
		}
	})
}
