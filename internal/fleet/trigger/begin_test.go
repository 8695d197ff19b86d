package trigger

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A value that comes while a trigger is made is one that the trigger knows.
func TestATriggerBeginsWithTheNewestValue(t *testing.T) {
	t.Parallel()
	var between atomic.Pointer[func()]
	h := newHouse(t, db.SQLite, func(s *setting) {
		s.limit = func(context.Context, string) (int, int, error) {
			if do := between.Swap(nil); do != nil {
				(*do)()
			}
			return 0, 0, nil
		}
	})
	th := h.thing("pond", "", map[string]string{"was": "STATUS", "is": "STATUS", "mode": "CHARSTRING"})
	begin := func(name, before, meanwhile string) {
		t.Helper()
		h.report(th, name, before)
		do := func() {
			if err := h.Things.Report(t.Context(), editor, th.ID, []thing.Write{{Property: fleettest.PropertyID(th, name), JSON: json.RawMessage(meanwhile)}}); err != nil {
				t.Error(err)
			}
		}
		h.clock.Pass(time.Millisecond)
		between.Store(&do)
		h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, name), "actions": []any{h.hook("/" + name)}})
	}
	begin("was", "true", "false")
	begin("is", "false", "true")
	begin("mode", `"a"`, `"b"`)
	h.report(th, "was", "true")
	h.report(th, "is", "true")
	h.report(th, "mode", `"b"`)
	h.settled()
	for path, want := range map[string][]string{"/was": {"true"}, "/is": nil, "/mode": nil} {
		if got := h.values(path); !same(got, want) {
			t.Errorf("%s is told %v, want %v", path, got, want)
		}
	}
}
