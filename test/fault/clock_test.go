package fault

import (
	"fmt"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// indiaOffset is that of Asia/Kolkata, where no clock is ever set for summer.
const indiaOffset = 5*60*60 + 30*60

// A board whose clock is wrong by an hour is believed: nobody can tell whether it is its clock, or
// whether its value is old. So its history is an hour off, and complete, also over the moment at which
// its clock is put right. It learns its time zone and is never closed out. When it was
// ahead, its last value remains that of the latest time it has told.
func TestClockWrong(t *testing.T) {
	each(t, func(t *testing.T, h *servertest.House, o *owner, w *place) {
		for name, wrong := range map[string]time.Duration{"ahead": time.Hour, "behind": -time.Hour} {
			t.Run(name, func(t *testing.T) {
				o := &owner{t, o.key, o.api}
				for _, g := range generations {
					id := o.device(fmt.Sprintf("board %d %s", g, name))
					th := o.thing(fmt.Sprintf("thing %d %s", g, name), id)
					b := newBoard(t, w, h.CA(), id, recipe{generation: g})
					b.skew.Store(int64(wrong))
					b.on()
					b.awaitValues(300)
					if _, offset := b.client.LocalTime().Zone(); offset != indiaOffset {
						t.Errorf("generation %d: the board's time zone is %d s east, want %d", g, offset, indiaOffset)
					}
					off := b.now()
					for name, s := range b.lasts() {
						if d := off.Sub(s.At); d < 0 || d > patience {
							t.Errorf("generation %d: a value of %s was acknowledged for %v, when the board's clock was %v", g, name, s.At, off)
						}
					}
					b.skew.Store(0)
					b.awaitValues(300)
					b.drain()
					stored := o.stored(th)
					same(t, b.told(), stored)
					o.recent(th, b.lasts())
					if c, d := b.events(device.Connected), b.events(device.Disconnected); c != 1 || d != 0 {
						t.Errorf("generation %d: %d connections, of which %d were lost: %v", g, c, d, b.lastFailure())
					}
					t.Logf("generation %d: %d values acknowledged and stored", g, stored.len())
					b.off()
				}
			})
		}
		settled(t, h, nil)
	})
}
