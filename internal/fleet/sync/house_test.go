package sync

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	stdsync "sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

const (
	space      = fleettest.Space
	otherSpace = fleettest.OtherSpace
)

var (
	noon   = fleettest.Noon
	editor = fleettest.Editor
)

// A stack is this room with the real ones below it, on three databases. It is also made in a process that is killed, so it
// knows no test.
type stack struct {
	*Service
	*fleettest.Rooms
}

// A setting is what a stack stands on.
type setting struct {
	fleettest.Ground
	limit int
	send  thing.Send
}

func newStack(ctx context.Context, c setting) (*stack, error) {
	rooms, err := fleettest.New(ctx, c.Ground)
	if err != nil {
		return nil, err
	}
	k := &stack{Rooms: rooms}
	if c.send != nil {
		k.Things.Bind(c.send, nil)
	}
	k.Service, err = New(ctx, Needs{Store: SQL(c.Core), Things: k.Things, Mirror: k.History.Mirror, Organization: fleettest.Organization, Now: c.Now, Log: c.Log,
		Limit: func(context.Context, string) (int, error) { return c.limit, nil }})
	if err != nil {
		return nil, err
	}
	k.Things.BindSync(k.Of)
	return k, nil
}

// A house is a stack that runs within a test, with a clock that the test moves, and boards.
type house struct {
	*stack
	t     testing.TB
	set   setting
	clock *fleettest.Clock
	http  http.Handler
	stop  func()

	mu   stdsync.Mutex
	down map[string][]senml.Record // guarded by mu; by thing: what its board was told, and has not read
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e)) })
	}
}

func newHouse(t testing.TB, e db.Engine, change ...func(*setting)) *house {
	t.Helper()
	clock := fleettest.At(noon)
	h := &house{t: t, clock: clock, down: map[string][]senml.Record{}}
	h.set = setting{Ground: fleettest.On(t, e, clock.Now), send: h.hear}
	for _, fn := range change {
		fn(&h.set)
	}
	h.again()
	t.Cleanup(func() { h.stop() })
	return h
}

// again is the house after a start of the program.
func (h *house) again() {
	h.t.Helper()
	if h.stop != nil {
		h.stop()
	}
	var err error
	if h.stack, err = newStack(context.Background(), h.set); err != nil {
		h.t.Fatal(err)
	}
	h.stop = fleettest.Run(h.t, h.History.Run, h.Service.Run)
	h.http = doortest.Handler(h.t, h.set.Log, h.clock.Now, h.Policy, fleettest.Actors, slices.Concat(h.Routes(), h.Things.Routes()))
}

// hear is the line to boards.
func (h *house) hear(name string, payload []byte, _ byte) {
	t, ok := topic.Parse(name)
	if !ok || t.Kind != topic.ThingIn {
		return
	}
	records, err := senml.Decode(payload)
	if err != nil {
		h.t.Errorf("a board cannot read %x: %v", payload, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down[t.ID] = append(h.down[t.ID], records...)
}

// read takes what a board was told since.
func (h *house) read(t thing.Thing) []senml.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.down[t.ID]
	delete(h.down, t.ID)
	return all
}

// heard is what a board was told since, as name=value.
func (h *house) heard(t thing.Thing) string {
	var all []string
	for _, r := range h.read(t) {
		v, err := json.Marshal(map[senml.Kind]any{senml.Float: r.Num, senml.Int: r.Int, senml.Bool: r.Int != 0, senml.Text: r.Text}[r.Kind])
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, r.Name+"="+string(v))
	}
	return strings.Join(all, " ")
}

// thing makes a thing with a board and properties of the given types, called as the keys say.
func (h *house) thing(name string, types map[string]string) thing.Thing {
	h.t.Helper()
	d, err := h.Devices.Create(h.t.Context(), editor, device.Device{Name: name, Type: "generic_device_secretkey"})
	if err != nil {
		h.t.Fatal(err)
	}
	t := thing.Thing{Name: name, Timezone: "Europe/Rome", Device: d.ID}
	for key, typ := range types {
		p := thing.Property{Name: key, Type: thing.TypeOf(typ), Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: !strings.HasPrefix(key, "fleeting")}
		if strings.HasPrefix(key, "sensor") {
			p.Permission = thing.ReadOnly
		}
		t.Properties = append(t.Properties, p)
	}
	if t, err = h.Things.Create(h.t.Context(), editor, t, false); err != nil {
		h.t.Fatal(err)
	}
	h.Things.Permit(editor, t.ID) // is remembered from now on, so that boards are told before anybody goes on
	return t
}

// say has the board of a thing say a value.
func (h *house) say(t thing.Thing, name, value string) {
	h.t.Helper()
	h.clock.Pass(time.Millisecond)
	if err := h.Things.Report(h.t.Context(), editor, t.ID, []thing.Write{{Property: fleettest.PropertyID(t, name), JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// write has a person write a value.
func (h *house) write(t thing.Thing, name, value string) {
	h.t.Helper()
	h.clock.Pass(time.Millisecond)
	if err := h.Things.Command(h.t.Context(), editor, t.ID, []thing.Write{{Property: fleettest.PropertyID(t, name), JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// value is the last one of a property.
func (h *house) value(t thing.Thing, name string) string {
	h.t.Helper()
	_, p, err := h.Things.Property(h.t.Context(), editor, fleettest.PropertyID(t, name))
	if err != nil {
		h.t.Fatal(err)
	}
	last, ok := h.Things.Last(p)
	if !ok {
		return ""
	}
	return string(thing.JSON(last.Value))
}

// history is all that a property was, as JSON with blanks between.
func (h *house) values(id string) string {
	h.t.Helper()
	all, err := h.History.Raw(h.t.Context(), series.Query{Series: id, Space: space, From: noon.Add(-48 * time.Hour), To: noon.Add(1000 * time.Hour), Limit: 100_000})
	if err != nil {
		h.t.Fatal(err)
	}
	var texts []string
	for _, p := range all {
		texts = append(texts, string(thing.JSON(p.Value)))
	}
	return strings.Join(texts, " ")
}

// group makes one over HTTP.
func (h *house) group(members ...string) wireGroup {
	h.t.Helper()
	var out wireGroup
	h.want(201, "editor", "PUT", "/iot/v1/sync", map[string]any{"properties": members}, &out)
	return out
}

// want makes a request and fails the test when the status is another one.
func (h *house) want(status int, as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Want(h.t, h.http, status, as, method, path, body, out)
}
