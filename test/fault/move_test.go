package fault

import (
	"fmt"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// A thing gets another device while both are connected. What the old one was acknowledged
// before is there, what it sends afterwards is not, though it does not hear for a while that the
// thing is another's, and what the new one sends is.
func TestThingMoved(t *testing.T) {
	each(t, func(t *testing.T, h *servertest.House, o *owner, w *place) {
		for _, g := range generations {
			t.Run(fmt.Sprint("generation ", g), func(t *testing.T) {
				o := &owner{t, o.key, o.api}
				was, is := o.device(fmt.Sprint("old ", g)), o.device(fmt.Sprint("new ", g))
				th := o.thing(fmt.Sprint("thing ", g), was)
				net := newWire(t, door(w, "mqtt-password"))
				a := newBoard(t, w, h.CA(), was, recipe{generation: g, dial: net.dial, flight: 1 << 14})
				b := newBoard(t, w, h.CA(), is, recipe{generation: g, first: 1 << 20}) // no value twice
				a.on()
				b.connect() // and no more: of two values for one instant one would count
				b.awaitEvent(device.Connected, 1)
				a.awaitValues(500)

				net.deafen()
				before := a.told()
				o.do("POST", "/iot/v2/things/"+th.ID, map[string]any{"device_id": is}, nil)
				moved := time.Now()
				b.awaitEvent(device.Synced, 1)
				b.speak()
				b.awaitValues(500)
				b.drain()
				a.hush()
				net.mend()
				a.awaitEvent(device.Detached, 1)
				if n := a.events(device.Disconnected) + b.events(device.Disconnected); n != 0 {
					t.Errorf("boards were disconnected %d times: %v, %v", n, a.lastFailure(), b.lastFailure())
				}

				stored := o.stored(th)
				stored.missing(t, "acknowledged to the old device before", before)
				stored.missing(t, "acknowledged to the new device", b.told())
				unheard, all := 0, a.told()
				for _, values := range all {
					for at := range values {
						if at > moved.UnixMilli() {
							unheard++
						}
					}
				}
				if unheard == 0 {
					t.Error("the old device has sent nothing after the thing was moved")
				}
				after := history{}
				for name, values := range stored {
					after[name] = map[int64]any{}
					for at, v := range values {
						if at > moved.UnixMilli() {
							after[name][at] = v
						}
					}
				}
				b.told().missing(t, "of another than the new device, after the thing was moved", after)
				all.add(b.told())
				all.missing(t, "stored and never acknowledged", stored)
				o.recent(th, b.lasts())
				t.Logf("%d values of the old device before, %d stored in all, %d of the new one; %d came too late", before.len(), stored.len(), b.told().len(), unheard)

				// And it is the old device's again, after the new one has gone.
				b.off()
				o.do("POST", "/iot/v2/things/"+th.ID, map[string]any{"device_id": was}, nil)
				a.awaitEvent(device.Attached, 2)
				a.speak()
				a.awaitValues(500)
				a.drain()
				o.recent(th, a.lasts())
				for id, want := range map[string]string{was: "ONLINE", is: "OFFLINE"} {
					o.awaitStatus(id, want)
				}
				a.off()
			})
		}
		settled(t, h, nil)
	})
}
