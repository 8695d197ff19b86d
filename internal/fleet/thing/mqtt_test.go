package thing

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func output(thing string) topic.Topic { return topic.Topic{Kind: topic.ThingOut, ID: thing} }

func input(thing string) topic.Topic { return topic.Topic{Kind: topic.ThingIn, ID: thing} }

// said decodes what was sent, as name=value in order.
func said(t testing.TB, m message) []string {
	t.Helper()
	records, err := senml.Decode(m.payload)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range records {
		switch r.Kind {
		case senml.Text:
			all = append(all, r.Name+"="+r.Text)
		case senml.Float:
			all = append(all, fmt.Sprintf("%s=%gf", r.Name, r.Num))
		case senml.Bool:
			all = append(all, fmt.Sprintf("%s=%v", r.Name, r.Int == 1))
		default:
			all = append(all, fmt.Sprintf("%s=%d", r.Name, r.Int))
		}
	}
	return all
}

func TestValuesOfADeviceAreKeptAndShown(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"t!": "TEMPERATURE", "on": "STATUS", "co": "COLOR_HSB", "s": "CHARSTRING"})
		changes := h.Changes.Subscribe(16)
		defer changes.Close()
		h.start(h.Run)
		eventually(t, "the live part", func() bool {
			h.publish(board, a.ID,
				senml.Record{Name: "t", Kind: senml.Float, Num: 21.5, At: seconds(noon.Add(-time.Minute))},
				senml.Record{Name: "on", Kind: senml.Bool, Int: 1},
				senml.Record{Name: "co:hue", Kind: senml.Int, Int: 210}, senml.Record{Name: "co:sat", Kind: senml.Int, Int: 50},
				senml.Record{Name: "gone", Kind: senml.Int, Int: 1}, senml.Record{Name: "s", Kind: senml.Int, Int: 1})
			return len(h.messages(topic.ThingOut, a.ID)) > 0
		})
		for name, want := range map[string]string{"t": "21.5", "on": "true", "co": `{"bri":0,"hue":210,"sat":50}`, "s": ""} {
			if got := h.value(a, name); got != want {
				t.Errorf("%s is %s, want %s", name, got, want)
			}
		}
		if p, _ := h.history.Last(id(a, "t")); !p.At.Equal(noon.Add(-time.Minute)) {
			t.Errorf("t was at %v, want the device's time", p.At)
		}
		c := <-changes.C()
		if c.Space != space || c.Thing != a.ID || c.Cloud || len(c.Points) != 3 {
			t.Errorf("change %+v", c)
		}
		live := h.messages(topic.ThingOut, a.ID)[0]
		if got, want := said(t, live), []string{"t=21.5f", "on=true", "co:hue=210f", "co:sat=50f", "co:bri=0f"}; !slices.Equal(got, want) {
			t.Errorf("live clients see %v, want %v", got, want)
		}
		if got := h.messages(topic.ThingIn, a.ID); len(got) != 0 {
			t.Errorf("%d messages went back to the device", len(got))
		}
		n := h.Counts()
		if n.Messages < 1 || n.Values != 3*n.Messages || n.Unknown != n.Messages || n.Refused != n.Messages {
			t.Errorf("counts %+v", n)
		}
	})
}

func TestWhatCannotBeUsedIsAcknowledged(t *testing.T) {
	h := liteHouse(t)
	board, other := h.device(editor, "board"), h.device(editor, "other")
	a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT"})
	b := h.thing(editor, "b", "", map[string]string{"x": "FLOAT"})
	good := senml.AppendBoard(nil, []senml.Record{{Name: "x", Kind: senml.Float, Num: 1}})
	for name, send := range map[string]func(){
		"no pack":                  func() { h.publishRaw(board, output(a.ID), []byte("{}")) },
		"nothing":                  func() { h.publishRaw(board, output(a.ID), nil) },
		"empty pack":               func() { h.publishRaw(board, output(a.ID), []byte{0x80}) },
		"another's thing":          func() { h.publishRaw(board, output(b.ID), good) },
		"a device without a thing": func() { h.publishRaw(other, output(a.ID), good) },
		"a device that is not":     func() { h.publishRaw("3f2504e0-4f89-41d3-9a0c-0305e82c3301", output(a.ID), good) },
		"the device's own input":   func() { h.publishRaw(board, input(a.ID), good) },
		"a shadow without a question": func() {
			h.publishRaw(board, topic.Topic{Kind: topic.ShadowOut, ID: a.ID}, good)
		},
		"a viewer's write":   func() { h.await(func(done func(error)) { h.UserPublish(viewer, input(a.ID), good, done) }) },
		"a stranger's write": func() { h.await(func(done func(error)) { h.UserPublish(stranger, input(a.ID), good, done) }) },
		"a write to nothing": func() {
			h.await(func(done func(error)) {
				h.UserPublish(editor, input("3f2504e0-4f89-41d3-9a0c-0305e82c3301"), good, done)
			})
		},
		"a user as a device": func() { h.await(func(done func(error)) { h.UserPublish(editor, output(a.ID), good, done) }) },
	} {
		t.Run(name, func(t *testing.T) {
			send()
			if x := h.value(a, "x") + h.value(b, "x"); x != "" {
				t.Errorf("x is %s", x)
			}
			if len(h.sent) != 0 {
				t.Errorf("sent %v", h.sent)
			}
		})
	}
}

func TestAWriteReachesTheDeviceAndEveryone(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"n": "INT", "f": "FLOAT", "ro!": "INT", "co": "COLOR_HSB"})
		changes := h.Changes.Subscribe(16)
		defer changes.Close()
		pack := senml.Append(nil, []senml.Record{
			{Name: "n", Kind: senml.Float, Num: 3, At: 1}, {Name: "f", Kind: senml.Int, Int: 4}, {Name: "ro", Kind: senml.Int, Int: 5}, {Name: "co:hue", Kind: senml.Int, Int: 6}})
		h.await(func(done func(error)) { h.UserPublish(editor, input(a.ID), pack, done) })
		down := h.messages(topic.ThingIn, a.ID)
		if len(down) != 1 || down[0].qos != 1 {
			t.Fatalf("sent %v", h.sent)
		}
		// The types are the properties', not the client's; composites are whole.
		if got, want := said(t, down[0]), []string{"n=3", "f=4f", "co:hue=6f", "co:sat=0f", "co:bri=0f"}; !slices.Equal(got, want) {
			t.Errorf("the device gets %v, want %v", got, want)
		}
		if c := <-changes.C(); !c.Cloud || len(c.Points) != 3 {
			t.Errorf("change %+v", c)
		}
		if n, ro := h.value(a, "n"), h.value(a, "ro"); n != "3" || ro != "" {
			t.Errorf("n is %s and ro %s", n, ro)
		}
		// The board confirms; that is not sent back to it.
		h.publish(board, a.ID, senml.Record{Name: "n", Kind: senml.Int, Int: 3})
		if got := len(h.messages(topic.ThingIn, a.ID)); got != 1 {
			t.Errorf("%d messages to the device", got)
		}
	})
}

func TestAWriteIsNewerThanADeviceWhoseClockIsAhead(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	a := h.thing(editor, "a", board, map[string]string{"n": "INT"})
	ahead := noon.Add(time.Hour)
	h.publish(board, a.ID, senml.Record{Name: "n", Kind: senml.Int, Int: 1, At: seconds(ahead)})
	if err := h.Command(t.Context(), editor, a.ID, []Write{{Name: "n", JSON: []byte("2")}}); err != nil {
		t.Fatal(err)
	}
	if p, _ := h.history.Last(id(a, "n")); p.Value.Int != 2 || !p.At.Equal(ahead.Add(time.Microsecond)) {
		t.Errorf("last value %+v", p)
	}
}

// TestTrap1LastValuesTellTheLocalTime is about the first thing that breaks a naive
// cloud; device-protocol reference, section 0.
func TestTrap1LastValuesTellTheLocalTime(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		board := h.device(editor, "board")
		a := h.thing(editor, "a", board, map[string]string{"n": "INT", "ro!": "TEMPERATURE", "cl": "HOME_COLORED_LIGHT", "unset": "INT"})
		h.publish(board, a.ID, senml.Record{Name: "ro", Kind: senml.Float, Num: 20}, senml.Record{Name: "n", Kind: senml.Int, Int: 7, At: seconds(noon.Add(-time.Hour))},
			senml.Record{Name: "cl:swi", Kind: senml.Bool, Int: 1})
		pack, err := h.ForDevices().LastValues(t.Context(), board)
		if err != nil {
			t.Fatal(err)
		}
		got := said(t, message{payload: pack})
		slices.Sort(got[:len(got)-2])
		// 2026-10-25 01:00 UTC is when summer ends in Rome.
		want := []string{"cl:bri=0f", "cl:hue=0f", "cl:sat=0f", "cl:swi=true", "n=7", "ro=20f", "tz_offset=7200", "tz_dst_until=1792890000"}
		if !slices.Equal(got, want) {
			t.Errorf("last values %v, want %v", got, want)
		}
		records, _ := senml.Decode(pack)
		for _, r := range records {
			if r.Name == "n" && r.At != seconds(noon.Add(-time.Hour)) {
				t.Errorf("n has the time %v", r.At)
			}
		}
		// Generation 1 asks on another topic and gets the same.
		h.publishRaw(board, topic.Topic{Kind: topic.ShadowOut, ID: a.ID}, []byte(senml.LastValuesRequest))
		if answer := h.messages(topic.ShadowIn, a.ID); len(answer) != 1 || string(answer[0].payload) != string(pack) {
			t.Errorf("shadow: %v, want % x", answer, pack)
		}
		if pack, err := h.ForDevices().LastValues(t.Context(), h.device(editor, "lonely")); pack != nil || err != nil {
			t.Errorf("without a thing: % x, %v", pack, err)
		}
	})
}

func TestLastValuesFitABoard(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	types := map[string]string{}
	for i := range 10 {
		types[fmt.Sprintf("rw%d", i)] = "CHARSTRING"
		types[fmt.Sprintf("ro%d!", i)] = "CHARSTRING"
	}
	a := h.thing(editor, "a", board, types)
	var records []senml.Record
	for name := range types {
		records = append(records, senml.Record{Name: strings.TrimSuffix(name, "!"), Kind: senml.Text, Text: strings.Repeat("x", 100)})
	}
	last := func() []string {
		pack, err := h.ForDevices().LastValues(t.Context(), board)
		if err != nil || len(pack) > lastValuesMax {
			t.Fatalf("%d bytes, %v", len(pack), err)
		}
		return said(t, message{payload: pack})
	}
	count := func(all []string, prefix string) (n int) {
		for _, s := range all {
			if strings.HasPrefix(s, prefix) {
				n++
			}
		}
		return n
	}
	h.publish(board, a.ID, records...)
	if got := last(); count(got, "rw") != 10 || count(got, "ro") == 10 || count(got, "ro") == 0 || count(got, "tz_") != 2 {
		t.Errorf("%d and %d and %d", count(got, "rw"), count(got, "ro"), count(got, "tz_"))
	}
	for i := range records {
		records[i].Text = strings.Repeat("y", 900)
	}
	h.publish(board, a.ID, records...)
	if got := last(); count(got, "rw") != 4 || count(got, "ro") != 0 || count(got, "tz_") != 2 {
		t.Errorf("of long texts: %d and %d and %d", count(got, "rw"), count(got, "ro"), count(got, "tz_"))
	}
	// A text that no board survives is not sent at all.
	for i := range records {
		records[i].Text = strings.Repeat("z", MaxTextDown+1)
	}
	h.publish(board, a.ID, records...)
	if got := last(); len(got) != 2 {
		t.Errorf("of too long texts: %v", got)
	}
}

func TestPermits(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "a", "", nil)
	for name, c := range map[string]struct {
		who  access.Actor
		want topic.Permit
	}{
		"editor": {editor, topic.Write}, "viewer": {viewer, topic.Read}, "stranger": {stranger, topic.Nothing}, "nobody": {access.Actor{}, topic.Nothing},
		"a device": {access.Actor{Kind: access.Device, ID: "d", Space: space}, topic.Nothing},
	} {
		if got := h.Permit(c.who, a.ID); got != c.want {
			t.Errorf("%s may %d, want %d", name, got, c.want)
		}
	}
	if got := h.Permit(editor, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"); got != topic.Nothing {
		t.Errorf("on nothing: %d", got)
	}
}

// A change of a thing is seen by the next message, also while messages come.
func TestRoutesFollowChanges(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	a := h.thing(editor, "a", board, nil)
	stop := make(chan struct{})
	ended := make(chan struct{})
	var sent atomic.Int64
	go func() {
		defer close(ended)
		pack := senml.AppendBoard(nil, []senml.Record{{Name: "x", Kind: senml.Int, Int: 1}})
		for {
			select {
			case <-stop:
				return
			default:
				h.DevicePublish(board, output(a.ID), pack, func(error) { sent.Add(1) })
			}
		}
	}()
	for i := range 20 {
		_, p, err := h.AddProperty(t.Context(), editor, a.ID, Property{Name: "x", Type: TypeOf("INT"), Permission: ReadOnly, Strategy: OnChange, Min: math.NaN(), Max: math.NaN(), Persist: true})
		if err != nil {
			t.Fatal(err)
		}
		r, err := h.routes.ofDevice(board)
		if err != nil || r.byID[p.ID] == nil {
			t.Fatalf("round %d: the route does not know the new property (%v)", i, err)
		}
		if other, _ := h.routes.of(a.ID); other != r {
			t.Fatalf("round %d: two routes of one thing", i)
		}
		if err := h.DeleteProperty(t.Context(), editor, a.ID, p.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, ok := h.history.Last(p.ID); ok {
			t.Fatalf("round %d: a value came after its property was erased", i)
		}
	}
	close(stop)
	<-ended
	if sent.Load() == 0 {
		t.Error("no message came")
	}
}

// still is a history that has everything on disk at once, and remembers nothing.
type still struct {
	Series
	err error
}

func (s still) Enqueue(_ []series.Point, done func(error)) { done(s.err) }

func (still) Last(string) (series.Point, bool) { return series.Point{}, false }

// flat is a Store that has one thing.
type flat struct {
	Store
	thing Thing
	err   error
}

func (f flat) route(context.Context, string, string) (Thing, error) { return f.thing, f.err }

func benchService(tb testing.TB, history Series, types map[string]string) (*Service, string, string) {
	tb.Helper()
	t := Thing{ID: "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11", Space: space, Timezone: "UTC", Device: "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}
	for name, typ := range types {
		t.addProperty(Property{ID: name, Thing: t.ID, Name: name, Variable: name, Type: TypeOf(typ), Permission: ReadWrite, Persist: true})
	}
	store := flat{thing: t}
	s := &Service{needs: Needs{Store: store, Series: history, Now: func() time.Time { return arrival }}, routes: newRoutes(store.route)}
	s.Bind(func(string, []byte, byte) {}, nil)
	return s, t.Device, t.ID
}

func TestAFailureOfHistoryIsNotAcknowledged(t *testing.T) {
	broken := errors.New("disk full")
	s, device, thing := benchService(t, still{err: broken}, map[string]string{"x": "FLOAT"})
	changes := s.Changes.Subscribe(1)
	defer changes.Close()
	var got error
	s.DevicePublish(device, output(thing), senml.AppendBoard(nil, []senml.Record{{Name: "x", Kind: senml.Float, Num: 1}}), func(err error) { got = err })
	if !errors.Is(got, broken) || len(changes.C()) != 0 || s.Counts().Failed != 1 {
		t.Errorf("acknowledged with %v, %d changes, counts %+v", got, len(changes.C()), s.Counts())
	}
	s.routes = newRoutes(flat{err: broken}.route)
	s.DevicePublish(device, output(thing), nil, func(err error) { got = err })
	if !errors.Is(got, broken) {
		t.Errorf("a route that cannot be read is acknowledged with %v", got)
	}
}

// BenchmarkValues is the whole way of a message through this room: find the
// device's thing, decode, check, hand over, tell listeners, acknowledge.
func BenchmarkValues(b *testing.B) {
	types := map[string]string{"temperature": "TEMPERATURE", "humidity": "PERCENTAGE_RELATIVE_HUMIDITY", "count": "COUNT", "on": "STATUS", "light": "HOME_COLORED_LIGHT"}
	for name, records := range map[string][]senml.Record{
		"one number": {{Name: "temperature", Kind: senml.Float, Num: 21.5}},
		"four values": {{Name: "temperature", Kind: senml.Float, Num: 21.5}, {Name: "humidity", Kind: senml.Float, Num: 40.5},
			{Name: "count", Kind: senml.Int, Int: 70000}, {Name: "on", Kind: senml.Bool, Int: 1}},
		"a coloured light": {{Name: "light:swi", Kind: senml.Bool, Int: 1}, {Name: "light:hue", Kind: senml.Float, Num: 210},
			{Name: "light:sat", Kind: senml.Float, Num: 50}, {Name: "light:bri", Kind: senml.Float, Num: 75}},
	} {
		b.Run(name, func(b *testing.B) {
			s, device, thing := benchService(b, still{}, types)
			listener := s.Changes.Subscribe(1)
			defer listener.Close()
			pack, to := senml.AppendBoard(nil, records), output(thing)
			failed := 0
			done := func(err error) {
				if err != nil {
					failed++
				}
			}
			b.SetBytes(int64(len(pack)))
			b.ReportAllocs()
			for b.Loop() {
				s.DevicePublish(device, to, pack, done)
			}
			if failed != 0 || s.Counts().Values == 0 {
				b.Errorf("%d failed, counts %+v", failed, s.Counts())
			}
		})
	}
}
