package trigger

import (
	"slices"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

// A trigger that is armed anew while values wait takes none of them from the others when the program starts again.
func TestArmingKeepsTheBacklogOfOthers(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"temperature": "FLOAT", "lamp": "STATUS"})
		warm := map[string]any{"operator": "GT", "value": 30}
		h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "temperature"), "condition": warm, "actions": []any{h.hook("/old")}})
		other := h.trigger(map[string]any{"name": "other", "property_id": fleettest.PropertyID(th, "temperature"), "condition": warm, "actions": []any{h.hook("/new")}})
		h.stopEngine()
		h.report(th, "temperature", "31")
		h.report(th, "temperature", "20")
		h.want(200, "editor", "POST", "/iot/v1/triggers/"+other.ID, map[string]any{"active": false}, nil)
		h.want(200, "editor", "POST", "/iot/v1/triggers/"+other.ID, map[string]any{"active": true}, nil)
		h.report(th, "temperature", "32")
		h.again()
		h.settled()
		got := h.values("/old")
		if slices.Sort(got); !same(got, []string{"31", "32"}) {
			t.Errorf("who was armed all the time is told %v", got)
		}
		if got := h.values("/new"); !same(got, []string{"32"}) {
			t.Errorf("who was armed anew is told %v", got)
		}
	})
}
