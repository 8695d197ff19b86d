package homeassistant

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A thing is announced with what it is, its values and whether its board is there, and follows what is done to it.
func TestThingsAreAnnounced(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		u, b := setup(), h.broker
		a := h.thing("Pond", map[string]string{"lamp": "HOME_SWITCH", "sensor t": "TEMPERATURE_C"})
		h.say(a, "sensor t", "21.1")
		h.bridged(nil)
		fleettest.Eventually(t, "that it is announced", func() bool { return len(h.document(a).Components) == 2 })
		fleettest.Eventually(t, "a state of before", func() bool { return b.kept(u.stateTopic(a.ID, "sensor_t")) == "21.1" })
		d := h.document(a)
		if d.Device.Name != "Pond" || d.Device.Model != "Generic device" || d.Origin != (wireOrigin{"Ardesia", "test", "https://ardesia.example.org"}) || d.AvailabilityMode != "all" {
			t.Errorf("document %+v", d)
		}
		c := d.Components[componentKey(sensor, property(a, "sensor t").ID)]
		if c.DeviceClass != "temperature" || c.Unit != "°C" || c.StateClass != "measurement" || c.StateTopic != "ardesia/"+a.ID+"/sensor_t/state" {
			t.Errorf("component %+v", c)
		}
		if here, there := b.kept(d.Availability[0].Topic), b.kept(d.Availability[1].Topic); here != online || there != offline {
			t.Errorf("the bridge is %q, the board %q", here, there)
		}
		h.say(a, "sensor t", "22")
		fleettest.Eventually(t, "a new value", func() bool { return b.kept(u.stateTopic(a.ID, "sensor_t")) == "22" })
		x := h.connect(a.Device)
		fleettest.Eventually(t, "that the board is there", func() bool { return b.kept(u.availabilityTopic(a.ID)) == online })
		h.Devices.Disconnected(x)
		fleettest.Eventually(t, "that the board is gone", func() bool { return b.kept(u.availabilityTopic(a.ID)) == offline })

		// Another name, another variable, another kind, one more and one less.
		h.want(200, "editor", "POST", "/iot/v2/things/"+a.ID, map[string]any{"name": "Lake"}, nil)
		fleettest.Eventually(t, "another name", func() bool { return h.document(a).Device.Name == "Lake" })
		if _, err := h.Things.Update(t.Context(), editor, a.ID, false, func(t *thing.Thing) error {
			for i := range t.Properties {
				if t.Properties[i].Name == "sensor t" {
					t.Properties[i].Variable, t.Properties[i].Permission = "water", thing.ReadWrite
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		fleettest.Eventually(t, "another variable", func() bool { return b.kept(u.stateTopic(a.ID, "water")) == "22" })
		fleettest.Eventually(t, "that the old one is gone", func() bool { return b.kept(u.stateTopic(a.ID, "sensor_t")) == "" })
		old := componentKey(sensor, property(a, "sensor t").ID)
		if b.containing(u.configTopic(a.ID), `"`+old+`":{"platform":"sensor"}`) != 1 || strings.Contains(b.kept(u.configTopic(a.ID)), old) {
			t.Errorf("what became another platform is told as %s", b.kept(u.configTopic(a.ID)))
		}
		h.want(200, "editor", "DELETE", "/iot/v2/things/"+a.ID+"/properties/"+property(a, "lamp").ID, nil, nil)
		fleettest.Eventually(t, "that a property is gone", func() bool { return len(h.document(a).Components) == 1 })

		// What Home Assistant forgot it is told anew.
		before := b.containing(u.configTopic(a.ID), "Lake")
		b.say("homeassistant/status", "online", false)
		fleettest.Eventually(t, "a document after a birth", func() bool { return b.containing(u.configTopic(a.ID), "Lake") > before })
		b.say("homeassistant/status", "offline", false)

		h.want(200, "editor", "DELETE", "/iot/v2/things/"+a.ID+"?force=true", nil, nil)
		fleettest.Eventually(t, "that it is gone", func() bool { return len(b.all("ardesia/"+a.ID)) == 0 && len(b.all("homeassistant/device")) == 0 })
		fleettest.Eventually(t, "that nothing is remembered of it", func() bool { return h.rows("homeassistant_thing") == 0 })
		if s := h.shown().State; s.Things != 0 || s.Entities != 0 || s.Sent == 0 || s.LastError != "" {
			t.Errorf("state %+v", s)
		}
	})
}

// Things are chosen by their tags, also after they were announced.
func TestThingsAreChosenByTags(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		room, other := thing.Tag{Key: "room", Value: "hall"}, thing.Tag{Key: "room", Value: "attic"}
		a, b := h.thing("a", map[string]string{"x": "INT"}, room), h.thing("b", map[string]string{"x": "INT"}, other)
		h.bridged(map[string]any{"tags": []string{"room:hall"}})
		fleettest.Eventually(t, "the one with the tag", func() bool { return h.document(a).Device.Name == "a" })
		h.want(200, "editor", "PUT", "/iot/v2/things/"+b.ID+"/tags", map[string]string{"key": "room", "value": "hall"}, nil)
		fleettest.Eventually(t, "the one that got it", func() bool { return h.document(b).Device.Name == "b" })
		h.want(200, "editor", "DELETE", "/iot/v2/things/"+a.ID+"/tags/room", nil, nil)
		fleettest.Eventually(t, "that the one that lost it is gone", func() bool {
			return len(h.broker.all("homeassistant/")) == 1 && len(h.broker.all("ardesia/"+a.ID)) == 0
		})
		h.bridged(map[string]any{"tags": []string{"room:attic"}})
		fleettest.Eventually(t, "that none is chosen", func() bool { return len(h.broker.all("homeassistant/")) == 0 })
		if w := h.shown(); len(w.Tags) != 1 || w.Tags[0] != "room:attic" {
			t.Errorf("tags %v", w.Tags)
		}
	})
}

// Commands are written as people write values; those that are none are refused, counted and told.
func TestCommandsAreCarriedOut(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		u := setup()
		a := h.thing("a", map[string]string{"lamp": "HOME_DIMMED_LIGHT", "level": "FLOAT", "on": "STATUS", "sensor": "FLOAT", "text": "CHARSTRING"})
		h.say(a, "sensor", "1")
		h.bridged(nil)
		fleettest.Eventually(t, "that it is announced", func() bool { return h.shown().State.Entities == 5 })
		order := func(variable, payload string) { h.broker.say(u.commandTopic(a.ID, variable), payload, false) }
		for _, c := range [][3]string{{"on", "ON", "true"}, {"level", "4.5", "4.5"}, {"text", "hello", `"hello"`}, {"lamp", `{"state":"ON","brightness":30}`, `{"bri":30,"swi":true}`}} {
			h.clock.Pass(time.Millisecond)
			order(c[0], c[1])
			fleettest.Eventually(t, "a command", func() bool { return h.value(a, c[0]) == c[2] })
		}
		fleettest.Eventually(t, "the state that follows", func() bool {
			return h.broker.kept(u.stateTopic(a.ID, "lamp")) == `{"state":"ON","brightness":30,"color_mode":"brightness"}` && h.broker.kept(u.stateTopic(a.ID, "text")) == `"hello"`
		})
		counted := func(taken, refused int64) {
			t.Helper()
			fleettest.Eventually(t, "a count", func() bool { return h.shown().State.Taken == taken })
			if s := h.shown().State; s.Refused != refused {
				t.Errorf("state %+v", s)
			}
		}
		counted(4, 0)
		last, _ := h.Things.Last(property(a, "level"))
		order("level", "4.5") // as it is: nothing is written
		counted(5, 0)
		if again, _ := h.Things.Last(property(a, "level")); !again.At.Equal(last.At) || again.By != "" {
			t.Errorf("it was written again: %+v, %+v", last, again)
		}
		for n, c := range [][2]string{{"level", "warm"}, {"sensor", "3"}, {"nowhere", "3"}, {"level", strings.Repeat("1", maxCommand+1)}, {"on", "true"}, {"lamp", `{"state":"ON","brightness":101}`}} {
			order(c[0], c[1])
			fleettest.Eventually(t, "a refusal of "+c[0], func() bool { return h.shown().State.Refused == int64(n+1) })
		}
		if s := h.shown().State; !strings.Contains(s.LastRefusal, "bri goes from 0 to 100") {
			t.Errorf("the last was refused with %q", s.LastRefusal)
		}
		// What is for others, and what is not a command, is not ours.
		h.broker.say(u.commandTopic(strings.Replace(a.ID, a.ID[:4], "ffff", 1), "on"), "ON", false)
		h.broker.say(u.stateTopic(a.ID, "on"), "OFF", false)
		h.broker.say(u.Topics+"/x/set", "OFF", false)
		order("on", "OFF")
		fleettest.Eventually(t, "the next command", func() bool { return h.value(a, "on") == "false" })
		counted(6, 6)
		// A command that the broker keeps is not carried out by who comes later.
		h.broker.say(u.commandTopic(a.ID, "on"), "ON", true)
		fleettest.Eventually(t, "that one who is there hears it", func() bool { return h.value(a, "on") == "true" })
		order("on", "OFF")
		fleettest.Eventually(t, "off", func() bool { return h.value(a, "on") == "false" })
		h.broker.ln.shut(true)
		fleettest.Eventually(t, "that the broker is lost", func() bool { return h.shown().State.Status != string(Connected) })
		h.broker.ln.shut(false)
		h.connected()
		fleettest.Eventually(t, "that the one that is kept is refused", func() bool { return h.shown().State.Refused == 7 || h.value(a, "on") == "true" })
		if h.value(a, "on") != "false" {
			t.Error("a command of before was carried out again")
		}

		h.bridged(map[string]any{"writes": false})
		fleettest.Eventually(t, "that it is announced without", func() bool { return strings.Contains(h.broker.kept(u.configTopic(a.ID)), "binary_sensor") })
		if strings.Contains(h.broker.kept(u.configTopic(a.ID)), "command_topic") {
			t.Errorf("%s", h.broker.kept(u.configTopic(a.ID)))
		}
		order("on", "ON")
		h.say(a, "sensor", "5")
		fleettest.Eventually(t, "a value after the command", func() bool { return h.broker.kept(u.stateTopic(a.ID, "sensor")) == "5" })
		if h.value(a, "on") != "false" {
			t.Error("a command was carried out though Home Assistant may not write")
		}
	})
}

// What happens while the broker is away is told when it is there again: the latest of each value, and what has gone, also across a
// start of this program.
func TestTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		u, b := setup(), h.broker
		a, gone, late := h.thing("a", map[string]string{"x": "INT", "y": "INT"}), h.thing("gone", map[string]string{"x": "INT"}), h.thing("late", map[string]string{"x": "INT"})
		for _, one := range []thing.Thing{a, gone, late} {
			h.say(one, "x", "1")
		}
		h.say(a, "y", "7")
		h.bridged(nil)
		fleettest.Eventually(t, "three states", func() bool {
			return b.kept(u.stateTopic(a.ID, "x")) == "1" && b.kept(u.stateTopic(gone.ID, "x")) == "1" && b.kept(u.stateTopic(late.ID, "x")) == "1"
		})
		b.ln.shut(true)
		fleettest.Eventually(t, "that it is lost", func() bool { return h.shown().State.Status != string(Connected) })
		fleettest.Eventually(t, "the last will", func() bool { return b.kept(u.availabilityTopic(space)) == offline })
		if s := h.shown().State; s.LastError == "" || s.ConnectedSince != nil || s.LastErrorAt == nil {
			t.Errorf("state %+v", s)
		}
		for n := range 50 {
			h.say(a, "x", fmt.Sprint(n))
		}
		if err := h.Things.Delete(t.Context(), editor, gone.ID, true); err != nil {
			t.Fatal(err)
		}
		if b.kept(u.stateTopic(a.ID, "x")) != "1" {
			t.Error("somebody came through a gate that is shut")
		}
		before := b.containing(u.stateTopic(a.ID, "x"), "")
		b.ln.shut(false)
		fleettest.Eventually(t, "the latest value", func() bool { return b.kept(u.stateTopic(a.ID, "x")) == "49" })
		fleettest.Eventually(t, "that the erased one is gone", func() bool { return len(b.all("ardesia/"+gone.ID))+len(b.all(u.configTopic(gone.ID))) == 0 })
		fleettest.Eventually(t, "that the bridge is there", func() bool { return b.kept(u.availabilityTopic(space)) == online })
		if n := b.containing(u.stateTopic(a.ID, "x"), "") - before; n > 3 {
			t.Errorf("one value was told %d times", n)
		}

		// The program is away when a thing goes and a property of another.
		h.leave()
		if b.kept(u.availabilityTopic(space)) != offline {
			t.Error("it left without goodbye")
		}
		if err := errors.Join(h.Things.Delete(t.Context(), editor, late.ID, true), h.Things.DeleteProperty(t.Context(), editor, a.ID, property(a, "y").ID, true)); err != nil {
			t.Fatal(err)
		}
		h.again()
		h.connected()
		fleettest.Eventually(t, "that it is gone, with states whose names nobody here knows", func() bool { return len(b.all("ardesia/"+late.ID))+len(b.all(u.configTopic(late.ID))) == 0 })
		key := componentKey(number, property(a, "y").ID)
		fleettest.Eventually(t, "that the property is gone", func() bool {
			return b.containing(u.configTopic(a.ID), `"`+key+`":{"platform":"number"}`) == 1 && !strings.Contains(b.kept(u.configTopic(a.ID)), key)
		})
		fleettest.Eventually(t, "that its state is gone, whose name nobody here knows", func() bool { return b.kept(u.stateTopic(a.ID, "y")) == "" })
		if got := b.kept(u.stateTopic(a.ID, "x")); got != "49" {
			t.Errorf("the other property's state is %q", got)
		}
		fleettest.Eventually(t, "that only one is remembered", func() bool { return h.rows("homeassistant_thing") == 1 })
	})
}

// Who may not manage a space neither sees nor changes its bridge; the password is never shown and goes nowhere else; what is removed
// leaves nothing.
func TestSettingUp(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		in := map[string]any{"broker": h.broker.address(), "user": "ardesia", "password": "tell nobody"}
		h.want(404, "admin", "GET", path, nil, nil)
		h.want(404, "admin", "DELETE", path, nil, nil)
		h.want(403, "editor", "PUT", path, in, nil)
		answer := h.want(200, "admin", "PUT", path, in, nil).Body.String()
		for _, as := range []string{"editor", "viewer"} {
			h.want(403, as, "GET", path, nil, nil)
			h.want(403, as, "DELETE", path, nil, nil)
		}
		h.want(404, "stranger", "GET", path, nil, nil) // has a space of their own, without a bridge
		h.connected()
		w := h.shown()
		if !w.PasswordSet || !w.Writes || !w.Enabled || w.User != "ardesia" || w.Discovery != "homeassistant" || w.Topics != "ardesia" || w.State.ConnectedSince == nil {
			t.Errorf("bridge %+v", w)
		}
		text, err := json.Marshal(w)
		if err != nil || strings.Contains(string(text)+answer, "tell nobody") {
			t.Errorf("%s shows the password (%v)", text, err)
		}
		for name, c := range map[string]struct {
			in     map[string]any
			status int
		}{
			"no broker":                         {map[string]any{}, 400},
			"one that is none":                  {map[string]any{"broker": "http://x"}, 400},
			"a tag that is none":                {map[string]any{"broker": h.broker.address(), "tags": []string{"hall"}}, 400},
			"the password for another broker":   {map[string]any{"broker": "mqtt://127.0.0.1:1", "user": "ardesia"}, 412},
			"the password for another user":     {map[string]any{"broker": h.broker.address(), "user": "eve"}, 412},
			"the password for another CA":       {map[string]any{"broker": strings.Replace(h.broker.address(), "mqtt:", "mqtts:", 1), "user": "ardesia"}, 412},
			"the same once more":                {map[string]any{"broker": h.broker.address(), "user": "ardesia"}, 200},
			"a prefix that Home Assistant owns": {map[string]any{"broker": h.broker.address(), "user": "ardesia", "topic_prefix": "homeassistant"}, 400},
		} {
			if got := h.want(c.status, "admin", "PUT", path, c.in, nil); got.Code != c.status {
				t.Errorf("%s: %d", name, got.Code)
			}
		}
		if !h.shown().PasswordSet {
			t.Error("the password did not stay")
		}
		a := h.thing("a", map[string]string{"x": "INT"})
		fleettest.Eventually(t, "that it is announced", func() bool { return h.document(a).Device.Name == "a" })

		// Off is off, and keeps what is announced; another prefix takes it along.
		h.want(200, "admin", "PUT", path, map[string]any{"broker": h.broker.address(), "user": "ardesia", "enabled": false}, nil)
		fleettest.Eventually(t, "that it says goodbye", func() bool { return h.broker.kept("ardesia/"+space+"/availability") == offline })
		if w := h.shown(); w.State.Status != string(Off) || h.document(a).Device.Name != "a" {
			t.Errorf("off is %+v", w.State)
		}
		h.bridged(map[string]any{"user": "ardesia", "topic_prefix": "house/ardesia", "discovery_prefix": "found"})
		fleettest.Eventually(t, "that it is elsewhere", func() bool {
			return len(h.broker.all("ardesia/"))+len(h.broker.all("homeassistant/device/")) == 0 && len(h.broker.all("found/device/")) == 1
		})
		var out wireRemoved
		h.want(200, "admin", "DELETE", path, nil, &out)
		if left := h.broker.all(""); !out.Cleared || len(without(left, "$SYS")) > 0 {
			t.Errorf("removed, cleared %v, and there is %v", out.Cleared, left)
		}
		if h.rows("homeassistant") != 0 || h.rows("homeassistant_thing") != 0 {
			t.Error("rows are left")
		}
		h.want(404, "admin", "GET", path, nil, nil)

		// With its space it goes, in any order and twice.
		h.bridged(nil)
		fleettest.Eventually(t, "that it is announced again", func() bool { return h.document(a).Device.Name == "a" })
		for range 2 {
			if err := h.EraseSpace(t.Context(), access.Actor{Kind: access.System}, space); err != nil {
				t.Fatal(err)
			}
		}
		if h.rows("homeassistant") != 0 || h.rows("homeassistant_thing") != 0 || len(without(h.broker.all(""), "$SYS")) > 0 {
			t.Errorf("after the erasure there is %v", h.broker.all(""))
		}
		h.want(404, "admin", "GET", path, nil, nil)
		h.again()
		h.want(404, "admin", "GET", path, nil, nil)
	})
}

func without(all []string, prefix string) (rest []string) {
	for _, one := range all {
		if !strings.HasPrefix(one, prefix) {
			rest = append(rest, one)
		}
	}
	return rest
}

// What is wrong with a broker is told in words.
func TestTroubleIsToldInWords(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nowhere := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]string{
		"mqtt://" + nowhere:      "Nothing listens",
		"mqtt://9.9.9.9":         "Without TLS",
		"mqtt://10.0.0.1":        "Without TLS",
		"mqtts://10.0.0.1":       "is not public",
		"mqtts://[::1]:1":        "is not public",
		"mqtt://nowhere.invalid": "Nobody knows the name",
		"mqtt://" + nobody(t):    "speaks no MQTT 5",
		"mqtts://" + nobody(t):   "no TLS",
		"mqtts://" + h.broker.address()[len("mqtt://"):]: "",
	} {
		h.want(200, "admin", "PUT", path, map[string]any{"broker": address}, nil)
		fleettest.Eventually(t, "trouble with "+address, func() bool { return h.shown().State.LastError != "" })
		if got := h.shown().State; !strings.Contains(got.LastError, want) || got.Status == string(Connected) {
			t.Errorf("%s: %q, want %q", address, got.LastError, want)
		}
	}
}
