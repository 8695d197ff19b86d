package trigger

import (
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// A change of actions between two values of one batch neither doubles nor loses what was decided.
func TestRulesChangeWithinABatch(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
	tr := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{h.hook("/a")}})
	h.stopEngine()
	value := func(on int64) series.Point {
		return series.Point{Series: fleettest.PropertyID(th, "lamp"), Thing: th.ID, Space: space, At: noon, Value: series.Value{Kind: series.Bool, Int: on}}
	}
	first := h.current(tr.ID)
	seq := first.since + 1
	d := h.decision()
	look := func(on int64) {
		t.Helper()
		if err := h.lookAt(t.Context(), d, series.Tapped{Seq: seq, Points: []series.Point{value(on)}}); err != nil {
			t.Fatal(err)
		}
		seq++
	}
	look(1)
	h.Service.again(t.Context(), space, tr.ID)
	if h.current(tr.ID) == first {
		t.Fatal("the rule is the same")
	}
	look(1)
	if len(d.rows) != 1 || len(d.works) != 1 {
		t.Fatalf("%d deliveries and %d states, want one of each", len(d.rows), len(d.works))
	}
	look(0)
	look(1)
	if len(d.rows) != 2 || d.rows[0].id == d.rows[1].id {
		t.Fatalf("%d deliveries", len(d.rows))
	}
	// A trigger that is another meanwhile: what the older one decided is not its.
	h.want(200, "editor", "POST", "/iot/v1/triggers/"+tr.ID, map[string]any{"active": false}, nil)
	h.want(200, "editor", "POST", "/iot/v1/triggers/"+tr.ID, map[string]any{"active": true}, nil)
	seq = h.current(tr.ID).since + 1
	look(0)
	look(1)
	if err := h.keep(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if n := h.waiting(); n != 1 {
		t.Errorf("%d deliveries are kept, want the one of the newer revision", n)
	}
}
