package fault

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/servertest"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// each runs the test on a house of each engine.
func each(t *testing.T, test func(t *testing.T, h *servertest.House, o *owner, w *place)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			t.Parallel() // most of it is waiting
			h := servertest.Start(t, on(t, e))
			w := new(place)
			w.set(h.At)
			test(t, h, newOwner(t, h), w)
		})
	}
}

// door dials one of the listeners, wherever the house is.
func door(w *place, name string) func(ctx context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return w.dial(ctx, name) }
}

// generations are of the protocol.
var generations = []int{2, 1}

// Boards of both generations and their things, in one house.
func boards(t *testing.T, h house, o *owner, w *place, r recipe) (all []*board, values func()) {
	t.Helper()
	check := []func(){}
	for _, g := range generations {
		r := r
		r.generation = g
		id := o.device(fmt.Sprint("board of generation ", g))
		th := o.thing(fmt.Sprint("thing of generation ", g), id)
		b := newBoard(t, w, h.CA(), id, r)
		all = append(all, b)
		check = append(check, func() {
			t.Helper()
			b.drain()
			stored := o.stored(th)
			same(t, b.told(), stored)
			o.recent(th, b.lasts())
			t.Logf("generation %d: %d values acknowledged and stored, %d connections", g, stored.len(), b.client.Stats().Connections)
		})
	}
	return all, func() {
		t.Helper()
		for _, c := range check {
			c()
		}
	}
}

// A clean stop keeps what it has acknowledged, also when it comes in the middle of everything.
func TestRestart(t *testing.T) {
	each(t, func(t *testing.T, h *servertest.House, o *owner, w *place) {
		all, values := boards(t, h, o, w, recipe{})
		for _, b := range all {
			b.on()
		}
		for n := 1; n <= 4; n++ {
			for _, b := range all {
				b.awaitEvent(device.Synced, n)
				b.awaitValues(200)
			}
			h.Stop()
			h = h.Again()
			w.set(h.At)
			o.find(h)
		}
		values()
		for _, b := range all {
			if got := o.comings(b.id); !alternate(got, 9) {
				t.Errorf("in four restarts board %s came and went so: %v", b.id, got)
			}
		}
		settled(t, h, all)
	})
}

// alternate says whether a device came and went in turns, at least least events in all, and is there now.
func alternate(events []string, least int) bool {
	for i, e := range events {
		want := "CONNECTED"
		if (len(events)-i)%2 == 0 {
			want = "DISCONNECTED"
		}
		if e != want {
			return false
		}
	}
	return len(events) >= least
}

// settled switches the boards off and waits until the house has no session.
func settled(t *testing.T, h house, all []*board) {
	t.Helper()
	for _, b := range all {
		b.off()
	}
	for late := time.Now().Add(patience); len(h.Sessions()) > 0; {
		if time.Now().After(late) {
			t.Fatalf("boards are off, and the house has sessions of %v", h.Sessions())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// A network that swallows everything without a word is noticed by both sides. What
// was sent into it arrives late, when the old session is no more, and does no harm. A network that breaks is
// noticed at once.
func TestNetworkCut(t *testing.T) {
	timing := eager
	timing.Dial, timing.Write = 2*time.Second, 4*time.Second
	timing.KeepAlive, timing.Silence, timing.Publish = time.Second, 4*time.Second, 4*time.Second
	cut := 5 * time.Second
	if soak() {
		timing, cut = device.Timing{}, time.Minute // as boards have it
	}
	each(t, func(t *testing.T, h *servertest.House, o *owner, w *place) {
		net := newWire(t, door(w, "mqtt-password"))
		all, values := boards(t, h, o, w, recipe{timing: &timing, dial: net.dial})
		for _, b := range all {
			b.on()
			b.awaitValues(200)
		}
		began := time.Now()
		net.silence()
		for _, b := range all {
			o.awaitStatus(b.id, "OFFLINE")
		}
		t.Logf("the house noticed after %v", time.Since(began))
		<-time.After(cut - time.Since(began))
		net.mend()
		for _, b := range all {
			b.awaitEvent(device.Synced, 2)
			b.awaitValues(200)
			o.awaitStatus(b.id, "ONLINE")
			if got := o.comings(b.id); !alternate(got, 3) {
				t.Errorf("in a cut network board %s came and went so: %v", b.id, got)
			}
		}
		net.unplug()
		for _, b := range all {
			o.awaitStatus(b.id, "OFFLINE")
		}
		synced := all[0].events(device.Synced)
		net.mend()
		all[0].awaitEvent(device.Synced, synced+1)
		for _, b := range all {
			o.awaitStatus(b.id, "ONLINE")
		}
		values()
		settled(t, h, all)
		net.awaitInside(0)
	})
}

// A hundred times in a row the connection breaks. Every other time or so the house does not hear
// of it and finds the board coming while it is still there: it takes over.
func TestReconnects(t *testing.T) {
	each(t, func(t *testing.T, h *servertest.House, o *owner, w *place) {
		r := chance(t)
		net := newWire(t, door(w, "mqtt-password"))
		all, values := boards(t, h, o, w, recipe{dial: net.dial})
		for _, b := range all {
			b.on()
		}
		for n := 1; n <= 100; n++ {
			for _, b := range all {
				b.awaitEvent(device.Synced, n)
				b.awaitValues(1)
			}
			net.become(func() { net.linger = r.IntN(2) == 0 })
			for _, b := range all {
				b.hangUp()
			}
		}
		for _, b := range all {
			b.awaitEvent(device.Synced, 101)
		}
		values()
		net.awaitInside(len(all)) // who was taken over was closed
		ids := h.Sessions()
		for _, b := range all {
			if got := count(ids, b.id); got != 1 {
				t.Errorf("board %s has %d sessions", b.id, got)
			}
			o.awaitStatus(b.id, "ONLINE")
			if got := o.comings(b.id); !alternate(got, 100) {
				t.Errorf("board %s came and went so: %v", b.id, got)
			}
		}
		settled(t, h, all)
	})
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}
