package trigger

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A slowList is a room of devices that takes its time to list them for the engine.
type slowList struct {
	Devices
	calls atomic.Int32
	gate  atomic.Pointer[chan struct{}] // nil: at once
}

func (s *slowList) List(ctx context.Context, who access.Actor, space string, f device.Filter) ([]device.Device, error) {
	all, err := s.Devices.List(ctx, who, space, f)
	if who.Kind == access.System {
		s.calls.Add(1)
		if gate := s.gate.Load(); gate != nil {
			select {
			case <-*gate:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return all, err
}

// While the devices of a space are listed values are looked at, comings are told, and what was heard meanwhile is not undone by a
// list that is older. A space is listed once, however many triggers it has.
func TestListsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	slow := &slowList{}
	h := newHouse(t, db.SQLite, func(s *setting) {
		s.lists = func(d Devices) Devices { slow.Devices = d; return slow }
	})
	pump := h.board("pump")
	h.connect(pump, "pump")
	h.disconnect(pump)
	th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
	h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{h.hook("/lamp")}})
	for range 5 {
		h.trigger(map[string]any{"device_status_source": map[string]any{"criteria": "EXCLUDE", "device_ids": []string{}}, "actions": []any{h.hook("/all")}})
	}
	gate := make(chan struct{})
	slow.gate.Store(&gate)
	h.stop()
	slow.calls.Store(0)
	h.again()
	fleettest.Eventually(t, "a list", func() bool { return slow.calls.Load() == 1 })
	h.clock.Pass(time.Hour) // who is away counts as that at once
	h.report(th, "lamp", "true")
	h.settled()
	h.connect(pump, "pump")
	fleettest.Eventually(t, "a coming", func() bool { return len(h.values("/all")) == 5 })
	if n := slow.calls.Load(); n != 1 {
		t.Errorf("the space is listed %d times", n)
	}
	slow.gate.Store(nil)
	close(gate)
	// The next list is made when the one before was looked at.
	h.trigger(map[string]any{"device_status_source": map[string]any{"criteria": "EXCLUDE", "device_ids": []string{}}, "actions": []any{h.hook("/more")}})
	fleettest.Eventually(t, "another list", func() bool { return slow.calls.Load() == 2 })
	h.delivered()
	if n := len(h.values("/all")); n != 5 {
		t.Errorf("%d comings and goings are told, want 5: %v", n, h.values("/all"))
	}
	h.disconnect(pump)
	fleettest.Eventually(t, "a going", func() bool { return len(h.values("/all")) == 10 && len(h.values("/more")) == 1 })
}
