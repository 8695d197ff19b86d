package homeassistant

import (
	"context"
	"net"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

// A broker that lets who comes wait holds up nobody of another space.
func TestABrokerThatHangsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	done, err := h.change(t.Context(), space) // somebody sets up that space's
	if err != nil {
		t.Fatal(err)
	}
	waiting := make(chan int, 1)
	go func() { waiting <- h.ask("admin", "PUT", map[string]any{"broker": "mqtt://" + ln.Addr().String()}) }()
	if code := h.ask("stranger", "PUT", map[string]any{"broker": h.broker.address()}); code != 200 {
		t.Errorf("in another space: %d", code)
	}
	select {
	case code := <-waiting:
		t.Errorf("two set up one bridge at once: %d", code)
	default:
	}
	done()
	if code := <-waiting; code != 200 {
		t.Errorf("after the other: %d", code)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	done, err = h.change(t.Context(), space)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.change(over, space); err == nil {
		t.Error("who has gone waits on")
	}
	done()
	if h.mu.RLock(); len(h.changing) != 0 {
		t.Errorf("%d spaces are kept, of which nothing changes", len(h.changing))
	}
	h.mu.RUnlock()
}

// Whoever may write to the broker can say that Home Assistant starts, as often as they like: everything is told anew now and then.
func TestBirthsAreAnsweredNowAndThen(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	u, b := setup(), h.broker
	a := h.thing("a", map[string]string{"x": "INT"})
	h.bridged(nil)
	said := func() int { return b.containing(u.configTopic(a.ID), `"name":"a"`) }
	fleettest.Eventually(t, "that it is announced", func() bool { return said() > 0 })
	before := said()
	for range 20 {
		b.say("homeassistant/status", "online", false)
	}
	fleettest.Eventually(t, "an answer", func() bool { return said() == before+1 })
	h.say(a, "x", "5")
	fleettest.Eventually(t, "what comes behind all answers", func() bool { return b.kept(u.stateTopic(a.ID, "x")) == "5" })
	if n := said() - before; n != 1 {
		t.Errorf("20 births were answered %d times", n)
	}
}

// What is kept of a bridge and cannot be opened any more can be replaced and removed.
func TestADamagedBridgeIsReplacedOrRemoved(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		damage := func() {
			t.Helper()
			h.bridged(map[string]any{"user": "ardesia", "password": "tell nobody"})
			if err := h.ground.Core.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), `update homeassistant set sealed = $1`, []byte("what nobody sealed"))
				return err
			}); err != nil {
				t.Fatal(err)
			}
			h.again()
		}
		damage()
		h.want(412, "admin", "PUT", path, map[string]any{"broker": h.broker.address(), "user": "ardesia"}, nil)
		h.bridged(map[string]any{"user": "ardesia", "password": "another"})
		damage()
		h.want(200, "admin", "DELETE", path, nil, nil)
		if n := h.rows("homeassistant"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
	})
}
