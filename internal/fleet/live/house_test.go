package live

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/live/livetest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

var (
	editor   = fleettest.Editor
	stranger = fleettest.Stranger
)

// A house is this room with the real ones below it, a door and an HTTP server.
type house struct {
	*Service
	*fleettest.Rooms
	t      testing.TB
	boards *dashboard.Service
	clock  *fleettest.Clock
	web    *httptest.Server
	stop   func() // of the rooms
	end    func() // of this one

	mu    sync.Mutex
	known map[string]access.Actor // guarded by mu; by token
}

func eachHouse(t *testing.T, cfg Config, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e, cfg)) })
	}
}

func newHouse(t testing.TB, e db.Engine, cfg Config) *house {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	h := &house{t: t, clock: fleettest.At(fleettest.Noon), known: map[string]access.Actor{}}
	for name, who := range fleettest.Actors {
		h.known[name] = who
	}
	ground := fleettest.On(t, e, h.clock.Now)
	ground.Lent = func(ctx context.Context, who access.Actor, properties []string) (map[string]thing.Loan, error) {
		return h.boards.Lent(ctx, who, properties)
	}
	var err error
	h.Rooms, err = fleettest.New(t.Context(), ground)
	must(err)
	h.boards, err = dashboard.New(dashboard.Needs{Store: dashboard.SQL(ground.Core, h.Ring), Keys: h.Ring, Things: h.Things, Devices: h.Devices, Policy: h.Policy,
		Organization: fleettest.Organization, Admit: func(context.Context, access.Actor, string) error { return nil },
		Person: func(context.Context, string) (string, error) { return "somebody", nil },
		Find:   func(_ context.Context, text string) (string, error) { return text, nil },
		Now:    h.clock.Now, Log: ground.Log})
	must(err)
	free := door.Rate{PerMinute: -1}
	needs := door.Needs{
		Log: ground.Log, Now: h.clock.Now, Policy: h.Policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			who, ok := h.known[token]
			if !ok {
				return access.Actor{}, door.ErrToken
			}
			return who, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	}
	h.Service, err = New(Needs{Things: h.Things, Dashboards: h.boards, Policy: h.Policy, Values: &h.Things.Changes, Presences: &h.Devices.Presences,
		Devices: &h.Devices.Changes, Shown: &h.boards.Changes, Again: needs.Again,
		Session: func(r *http.Request) string { return r.Header.Get("X-Test-Session") },
		Now:     h.clock.Now, Log: ground.Log, Config: cfg})
	must(err)
	d, err := door.New(door.Config{KeyRate: free, OpenRate: free, GuessRate: free}, needs)
	must(err)
	handler, err := d.Handler(slices.Concat(h.Routes(), h.Things.Routes()))
	must(err)
	h.web = httptest.NewUnstartedServer(handler)
	h.web.EnableHTTP2 = true
	h.web.StartTLS()
	h.stop = fleettest.Run(t, h.History.Run, h.Devices.Run)
	h.end = fleettest.Run(t, h.Service.Run)
	t.Cleanup(func() {
		h.end()
		h.web.Close()
		h.stop()
	})
	return h
}

// is makes a token one of somebody; of nobody for the zero Actor.
func (h *house) is(token string, who access.Actor) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if who == (access.Actor{}) {
		delete(h.known, token)
		return
	}
	h.known[token] = who
}

// thing makes a thing of the editor's with a board and float properties; one whose name begins with "text" is a text.
func (h *house) thing(name string, properties ...string) thing.Thing {
	h.t.Helper()
	d, err := h.Devices.Create(h.t.Context(), editor, device.Device{Name: name, Type: "generic_device_secretkey"})
	if err != nil {
		h.t.Fatal(err)
	}
	t := thing.Thing{Name: name, Timezone: "Europe/Rome", Device: d.ID}
	for _, p := range properties {
		t.Properties = append(t.Properties, property(p))
	}
	if t, err = h.Things.Create(h.t.Context(), editor, t, false); err != nil {
		h.t.Fatal(err)
	}
	return t
}

func property(name string) thing.Property {
	kind := "FLOAT"
	if strings.HasPrefix(name, "text") {
		kind = "CHARSTRING"
	}
	return thing.Property{Name: name, Type: thing.TypeOf(kind), Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: !strings.HasPrefix(name, "fleeting")}
}

// say has the board of a thing say a value.
func (h *house) say(t thing.Thing, name, value string) {
	h.t.Helper()
	h.clock.Pass(time.Millisecond)
	if err := h.Things.Report(h.t.Context(), editor, t.ID, []thing.Write{{Property: fleettest.PropertyID(t, name), JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// connect has the board of a thing come; the function that is returned has it go.
func (h *house) connect(t thing.Thing) (leave func()) {
	h.t.Helper()
	const secret = "a secret of a board"
	if err := h.Devices.SetSecret(h.t.Context(), editor, editor.Space, t.Device, secret); err != nil {
		h.t.Fatal(err)
	}
	x, err := h.Devices.Authenticate(h.t.Context(), t.Device, secret, t.Device, netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.Devices.Connected(x)
	return func() { h.Devices.Disconnected(x) }
}

// share makes a dashboard that shows properties, and shares it with the stranger.
func (h *house) share(may string, properties ...string) dashboard.Dashboard {
	h.t.Helper()
	d, err := h.boards.Create(h.t.Context(), editor, dashboard.Dashboard{Name: "shown", Widgets: []dashboard.Widget{
		{ID: "77000000-0000-4000-8000-000000000001", Type: "Chart", Variables: properties, Place: dashboard.Place{Width: 1, Height: 1}}}})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.boards.Share(h.t.Context(), editor, d.ID, []dashboard.Guest{{User: stranger.ID}}, may); err != nil {
		h.t.Fatal(err)
	}
	return d
}

// request is one for a stream.
func (h *house) request(as, query, last string) *http.Request {
	h.t.Helper()
	r, err := http.NewRequest("GET", h.web.URL+"/v1/live?"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+as)
	r.Header.Set("X-Test-Session", "session of "+as)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	return r
}

func (h *house) ask(as, query, last string) (*http.Response, context.CancelFunc) {
	h.t.Helper()
	return livetest.Ask(h.t, h.web.Client(), h.request(as, query, last))
}

// listen opens a stream and waits for its hello.
func (h *house) listen(as, query, last string) (*livetest.Listener, livetest.Event) {
	h.t.Helper()
	l, hello := livetest.Listen(h.t, h.web.Client(), h.request(as, query, last))
	if _, ok := ReadMark(hello.ID); !ok {
		h.t.Fatalf("the id of %+v is none of ours", hello)
	}
	return l, hello
}

func things(all ...thing.Thing) string {
	q := url.Values{}
	for _, t := range all {
		q.Add("thing", t.ID)
	}
	return q.Encode()
}
