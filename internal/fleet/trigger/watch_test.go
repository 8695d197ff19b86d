package trigger

import (
	"slices"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

// Comings and goings are told when they have lasted, once, to the triggers that they concern, across starts.
func TestStatusOfDevices(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		pump, lamp := h.board("pump"), h.board("lamp")
		source := func(criteria string, ids []string, online, offline any) map[string]any {
			s := map[string]any{"criteria": criteria, "device_ids": ids}
			if online != nil {
				s["grace_period_online"] = online
			}
			if offline != nil {
				s["grace_period_offline"] = offline
			}
			return s
		}
		h.connect(lamp, "lamp") // before anybody asks
		for path, s := range map[string]map[string]any{
			"/all": source("EXCLUDE", []string{}, nil, nil), "/but": source("EXCLUDE", []string{pump}, 0, 0), "/pump": source("INCLUDE", []string{pump}, 0, nil),
			"/slow": source("INCLUDE", []string{pump, lamp}, 60, 3600),
		} {
			h.trigger(map[string]any{"name": path, "device_status_source": s, "actions": []any{h.hook(path)}})
		}
		expect := func(want map[string][]string) {
			t.Helper()
			for path, list := range want {
				var got []string
				fleettest.Eventually(t, "that "+path+" is told", func() bool { got = h.values(path); return len(got) >= len(list) && h.waiting() == 0 })
				slices.Sort(got)
				slices.Sort(list)
				if !same(got, list) {
					t.Errorf("%s is told %v, want %v", path, got, list)
				}
			}
		}
		h.connect(pump, "pump")
		expect(map[string][]string{"/all": {"pump ONLINE"}, "/pump": {"pump ONLINE"}, "/but": nil, "/slow": nil})
		h.clock.Pass(time.Minute)
		expect(map[string][]string{"/slow": {"pump ONLINE"}})
		h.clock.Pass(time.Minute)
		h.disconnect(pump)
		expect(map[string][]string{"/all": {"pump ONLINE", "pump OFFLINE"}})
		h.clock.Pass(59 * time.Minute)
		h.connect(pump, "pump") // back in time
		expect(map[string][]string{"/all": {"pump ONLINE", "pump OFFLINE", "pump ONLINE"}, "/slow": {"pump ONLINE"}})
		h.clock.Pass(2 * time.Minute)

		// After a start everybody is away for a moment. Who stays away is told.
		h.disconnect(pump)
		h.disconnect(lamp)
		fleettest.Eventually(t, "going", func() bool { return len(h.values("/all")) == 5 })
		h.connect(pump, "pump")
		h.connect(lamp, "lamp")
		fleettest.Eventually(t, "coming", func() bool { return len(h.values("/all")) == 7 })
		h.delivered()
		h.again()
		h.connect(lamp, "lamp")
		fleettest.Eventually(t, "that the pump is missed", func() bool { h.clock.Pass(time.Second); return len(h.values("/all")) == 8 })
		if got := h.values("/all"); !same(got[7:], []string{"pump OFFLINE"}) {
			t.Errorf("after a start: %v", got[7:])
		}
		h.again()
		h.connect(lamp, "lamp")
		fleettest.Eventually(t, "that the pump is away for long", func() bool { h.clock.Pass(time.Minute); return len(h.values("/slow")) == 2 })
		expect(map[string][]string{"/slow": {"pump ONLINE", "pump OFFLINE"}, "/pump": {"pump ONLINE", "pump ONLINE", "pump ONLINE"}})
		if n := len(h.values("/all")); n != 8 {
			t.Errorf("/all is told %d times, want 8: %v", n, h.values("/all"))
		}
	})
}

// delivered waits until nothing waits to be delivered.
func (h *house) delivered() {
	h.t.Helper()
	fleettest.Eventually(h.t, "that all is delivered", func() bool { return h.waiting() == 0 })
}
