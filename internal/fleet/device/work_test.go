package device

import (
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
)

// That a device comes, says something and goes costs the same among few and among many.
// Steps of SQLite are counted: they are the same on every machine.
func TestOneDeviceCostsTheSameAmongMany(t *testing.T) {
	const few, many = 5, 200
	core := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	h := newHouse(t, core)
	r := h.start()
	ctx := t.Context()
	d := r.withSecret()
	r.certify(d.ID)
	n := 1
	grow := func(to int) {
		for ; n < to; n++ {
			other := r.withSecret()
			r.certify(other.ID)
		}
		if err := r.save(ctx, false); err != nil {
			t.Fatal(err)
		}
	}
	acts := map[string]func() error{
		"comes and goes": func() error {
			x := r.enter(d.ID)
			r.Disconnected(x)
			return r.save(ctx, false)
		},
		"reports": func() error {
			x := r.enter(d.ID)
			r.report(x, Reported{LibVersion: {time.Duration(n).String(), h.clock()}}, nil)
			r.Disconnected(x)
			return r.save(ctx, false)
		},
		"get":          func() error { _, err := r.Get(ctx, editor, space, d.ID, false); return err },
		"statuses":     func() error { _, err := r.Statuses(ctx, editor, space, d.ID, time.Time{}, 10); return err },
		"certificates": func() error { _, err := r.ca.List(ctx, editor, ca.Device{ID: d.ID, Space: space}, true); return err },
		"start":        func() error { return h.make().Repair(ctx) },
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
	for range 20 { // so that what is kept of the device itself is the same before and after
		steps("comes and goes")
	}
	first := map[string]int64{}
	for name := range acts {
		first[name] = steps(name)
	}
	grow(many)
	for name := range acts {
		if then, now := first[name], steps(name); now > then+then/2 {
			t.Errorf("%s took %d steps among %d devices and %d among %d", name, then, few, now, many)
		}
	}
}
