package scrape

import (
	"net/http"
	"net/netip"
	"slices"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

var editor = fleettest.Editor

// A house is this room with the real ones below it.
type house struct {
	*Service
	*fleettest.Rooms
	t     testing.TB
	clock *fleettest.Clock
	http  http.Handler
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e)) })
	}
}

func newHouse(t testing.TB, e db.Engine) *house {
	t.Helper()
	h := &house{t: t, clock: fleettest.At(fleettest.Noon)}
	ground := fleettest.On(t, e, h.clock.Now)
	var err error
	if h.Rooms, err = fleettest.New(t.Context(), ground); err != nil {
		t.Fatal(err)
	}
	if h.Service, err = New(Needs{Things: h.Things, Policy: h.Policy}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fleettest.Run(t, h.History.Run, h.Devices.Run))
	h.http = doortest.Handler(t, ground.Log, h.clock.Now, h.Policy, fleettest.Actors, slices.Concat(h.Routes(), h.Things.Routes()))
	return h
}

const secret = "a-secret-key-of-the-board"

// board makes a device of a type; connect lets one in that has a connection.
func (h *house) board(name, typ string) string {
	h.t.Helper()
	d, err := h.Devices.Create(h.t.Context(), editor, device.Device{Name: name, Type: typ})
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

func (h *house) connect(id string) *device.Session {
	h.t.Helper()
	if err := h.Devices.SetSecret(h.t.Context(), editor, editor.Space, id, secret); err != nil {
		h.t.Fatal(err)
	}
	x, err := h.Devices.Authenticate(h.t.Context(), id, secret, id, netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.Devices.Connected(x)
	return x
}

// thing makes a thing with properties of the given types, in the order of names.
func (h *house) thing(name, device string, tags []thing.Tag, types ...[2]string) thing.Thing {
	h.t.Helper()
	t := thing.Thing{Name: name, Timezone: "Europe/Rome", Device: device, Tags: tags}
	for _, one := range types {
		t.Properties = append(t.Properties, thing.Property{Name: one[0], Type: thing.TypeOf(one[1]), Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: true})
	}
	t, err := h.Things.Create(h.t.Context(), editor, t, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// is gives a property a value, as of now.
func (h *house) is(t thing.Thing, name string, v series.Value) {
	h.t.Helper()
	for _, p := range t.Properties {
		if p.Name == name {
			if err := h.History.Append(h.t.Context(), []series.Point{{Series: p.ID, Thing: t.ID, Space: t.Space, At: h.clock.Now(), Value: v}}); err != nil {
				h.t.Fatal(err)
			}
			return
		}
	}
	h.t.Fatalf("no property %s", name)
}

func number(n float64) series.Value { return series.Value{Kind: series.Float, Num: n} }
