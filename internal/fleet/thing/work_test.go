package thing

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// What is asked about one thing does not look at the others of its space. Steps of SQLite
// are counted: they are the same on every machine.
func TestOneThingCostsTheSameAmongMany(t *testing.T) {
	const few, many = 20, 320
	core := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	h := newHouse(t, core)
	store := SQL(core, h.ring)
	ctx := t.Context()
	var all []Thing
	grow := func(n int) {
		for i := len(all); i < n; i++ {
			board := h.device(editor, fmt.Sprintf("board %d", i))
			all = append(all, h.thing(editor, fmt.Sprintf("thing %d", i), board, map[string]string{"a": "FLOAT", "b": "CHARSTRING"}))
		}
	}
	erased := 0
	acts := map[string]func() error{
		"find":             func() error { _, err := store.find(ctx, space, all[5].ID); return err },
		"route of device":  func() error { _, err := store.route(ctx, all[5].Device, ""); return err },
		"route of thing":   func() error { _, err := store.route(ctx, "", all[5].ID); return err },
		"zones":            func() error { _, err := store.zones(ctx); return err },
		"things by ID":     func() error { return ofThree(store.list(ctx, space, Filter{IDs: ids(all[3:6]), Properties: true})) },
		"things by device": func() error { return ofThree(store.list(ctx, space, Filter{Devices: devices(all[3:6])})) },
		"properties": func() error {
			found, err := store.properties(ctx, space, []string{all[3].Properties[0].ID, all[4].Properties[0].ID, all[5].Properties[0].ID})
			if err == nil && len(found) != 3 {
				err = fmt.Errorf("%d properties", len(found))
			}
			return err
		},
		"change": func() error {
			_, err := h.Update(ctx, editor, all[6].ID, false, func(t *Thing) error { t.Tags = []Tag{{"k", fmt.Sprint(len(all))}}; return nil })
			return err
		},
		"erase": func() error { erased++; return h.Delete(ctx, editor, all[6+erased].ID, true) },
		"a message": func() error {
			h.routes.forget(ids(all[5:6]), devices(all[5:6]))
			h.publish(all[5].Device, all[5].ID, senml.Record{Name: "a", Kind: senml.Float, Num: float64(len(all))})
			return nil
		},
	}
	steps := func(name string) int64 {
		before, _ := core.Work()
		if err := acts[name](); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		after, _ := core.Work()
		return after - before
	}
	grow(few)
	first := map[string]int64{}
	for name := range acts {
		first[name] = steps(name)
	}
	grow(many)
	for name := range acts {
		if then, now := first[name], steps(name); now > then+then/2 {
			t.Errorf("%s took %d steps among %d things and %d among %d", name, then, few, now, many)
		}
	}
}

// All devices that the broker lets in may speak in turns, and none waits for the database twice.
func TestRoutesOfAllDevicesAreKept(t *testing.T) {
	const devices = 50_000 // mqtt.Limits.Connections
	loads := 0
	rs := newRoutes(func(_ context.Context, device, _ string) (Thing, error) {
		loads++
		return Thing{ID: "t" + device, Device: device, Timezone: DefaultTimezone}, nil
	})
	for range 2 {
		for i := range devices {
			if r, err := rs.ofDevice(strconv.Itoa(i)); err != nil || r == nil {
				t.Fatalf("device %d: %v, %v", i, r, err)
			}
		}
	}
	if loads != devices {
		t.Errorf("%d devices were looked for %d times", devices, loads)
	}
}

func ofThree(all []Thing, err error) error {
	if err == nil && len(all) != 3 {
		err = fmt.Errorf("%d things", len(all))
	}
	return err
}

func ids(things []Thing) (all []string) {
	for _, t := range things {
		all = append(all, t.ID)
	}
	return all
}

func devices(things []Thing) (all []string) {
	for _, t := range things {
		all = append(all, t.Device)
	}
	return all
}
