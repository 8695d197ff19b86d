package trigger

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

const (
	space      = fleettest.Space
	otherSpace = fleettest.OtherSpace
)

var (
	noon     = fleettest.Noon
	editor   = fleettest.Editor
	viewer   = fleettest.Viewer
	stranger = fleettest.Stranger
	actors   = fleettest.Actors
)

// A stack is this room with the real ones below it, and with letters, on three databases. It is also made in a
// process that is killed, so it knows no test.
type stack struct {
	*Service
	*fleettest.Rooms
	letters *post.Service
}

// A setting is what a stack stands on.
type setting struct {
	fleettest.Ground
	web    *http.Client
	sender mail.Sender
	limit  func(context.Context, string) (int, int, error)
	config Config
	cut    func(step string) error
	store  func(Store) Store     // what triggers keep things in; nil: the real one
	lists  func(Devices) Devices // what lists devices for triggers; nil: the real one
}

func newStack(ctx context.Context, c setting) (*stack, error) {
	rooms, err := fleettest.New(ctx, c.Ground)
	if err != nil {
		return nil, err
	}
	k := &stack{Rooms: rooms}
	if err := k.Devices.Repair(ctx); err != nil {
		return nil, err
	}
	people := map[string]post.Person{editor.ID: {Address: "ed@example.org", Name: "Ed"}, viewer.ID: {Address: "vi@example.org", Name: "Vi", Lang: "it"},
		stranger.ID: {Address: "stranger@example.org", Name: "Strange"}}
	person := func(_ context.Context, user string) (post.Person, error) {
		p, ok := people[user]
		if !ok {
			return p, access.ErrDenied
		}
		return p, nil
	}
	if c.sender == nil {
		c.sender = mail.NewFolder(filepath.Join(c.Dir, "mail"))
	}
	if k.letters, err = post.New(post.Needs{Store: post.SQL(c.Core), Keys: k.Ring, Person: person, Sender: c.sender, From: mail.Address{Addr: "ardesia@example.org"},
		House: "ardesia.example.org", Now: c.Now, Log: c.Log}); err != nil {
		return nil, err
	}
	var signer crypto.Signer
	if signer, err = k.Ring.Signer(ctx, "web-push"); err != nil {
		return nil, err
	}
	var devices Devices = k.Devices
	if c.lists != nil {
		devices = c.lists(devices)
	}
	store := SQL(c.Core, k.Ring)
	if c.store != nil {
		store = c.store(store)
	}
	k.Service, err = New(ctx, Needs{Store: store, Keys: k.Ring, Things: k.Things, Devices: devices, Comings: &k.Devices.Changes, Tap: k.History.Tap,
		Letter: k.letters.Send,
		Role:   fleettest.Role,
		Person: func(ctx context.Context, user string) (string, string, error) {
			p, err := person(ctx, user)
			return p.Name, p.Address, err
		},
		Organization: fleettest.Organization, Web: c.web, Signer: signer, Base: func() string { return "https://ardesia.example.org" }, Now: c.Now, Log: c.Log,
		Limit: c.limit, Config: c.config})
	if err != nil {
		return nil, err
	}
	if c.cut != nil {
		k.Service.cut = c.cut
	}
	k.Things.BindTriggers(k.Linked)
	return k, nil
}

// A house is a stack that runs within a test, with a clock that the test moves.
type house struct {
	*stack
	clock   *fleettest.Clock
	t       testing.TB
	set     setting
	http    http.Handler
	hooks   *receiver
	carrier *carrier
	stop    func()
	// stopEngine ends the engine alone: values wait.
	stopEngine func()
	sessions   map[string]*device.Session
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
	h := &house{t: t, clock: clock, hooks: newReceiver(t), carrier: &carrier{}, sessions: map[string]*device.Session{}}
	h.set = setting{
		Ground: fleettest.On(t, e, clock.Now),
		web:    h.hooks.client(), sender: h.carrier, config: Config{Rate: -1, Retry: time.Second},
	}
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
	h.Service.tick = 2 * time.Millisecond
	engine, stopEngine := context.WithCancel(context.Background())
	idle := make(chan struct{})
	h.stopEngine = func() {
		stopEngine()
		<-idle
	}
	triggers := func(ctx context.Context) error {
		defer close(idle)
		defer context.AfterFunc(ctx, stopEngine)()
		return h.Service.Run(engine)
	}
	h.stop = fleettest.Run(h.t, h.History.Run, h.letters.Run, triggers, h.Devices.Run)
	routes := doortest.Handler(h.t, h.set.Log, h.clock.Now, h.Policy, actors, h.Routes())
	mux := http.NewServeMux()
	mux.Handle("/", routes)
	for pattern, page := range h.Pages() {
		mux.Handle(pattern, page)
	}
	h.http = mux
}

// A carrier takes letters.
type carrier struct {
	mu      sync.Mutex
	letters []mail.Message // guarded by mu
}

func (c *carrier) Send(_ context.Context, m mail.Message) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.letters = append(c.letters, m)
	return m.Check()
}

func (c *carrier) String() string { return "a test" }

func (c *carrier) all() []mail.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]mail.Message(nil), c.letters...)
}

// A receiver is who webhooks and notices go to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call                       // guarded by mu
	answer func(path string, n int) int // guarded by mu; status of the n-th call of that path, from 1
	seen   map[string]int               // guarded by mu
}

type call struct {
	path string
	head http.Header
	body []byte
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{seen: map[string]int{}}
	r.Server = httptest.NewTLSServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) client() *http.Client { return r.Server.Client() }

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call{q.URL.Path, q.Header.Clone(), body})
	r.seen[q.URL.Path]++
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(q.URL.Path, r.seen[q.URL.Path])
	}
	w.WriteHeader(status)
}

func (r *receiver) all(path string) (all []call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.calls {
		if c.path == path {
			all = append(all, c)
		}
	}
	return all
}

func (r *receiver) answers(fn func(path string, n int) int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = fn
}

// thing makes a thing with properties of the given types, called as the keys say.
func (h *house) thing(name, board string, types map[string]string) thing.Thing {
	h.t.Helper()
	t := thing.Thing{Name: name, Timezone: "Europe/Rome", Device: board}
	for key, typ := range types {
		p := thing.Property{Name: key, Type: thing.TypeOf(typ), Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: !strings.HasPrefix(key, "fleeting")}
		t.Properties = append(t.Properties, p)
	}
	t, err := h.Things.Create(h.t.Context(), editor, t, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// report has the board of a thing say a value.
func (h *house) report(t thing.Thing, name, value string) {
	h.t.Helper()
	h.clock.Pass(time.Millisecond)
	if err := h.Things.Report(h.t.Context(), editor, t.ID, []thing.Write{{Property: fleettest.PropertyID(t, name), JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// board makes a device that can connect.
func (h *house) board(name string) string {
	h.t.Helper()
	d, err := h.Devices.Create(h.t.Context(), editor, device.Device{Name: name, Type: "generic_device_secretkey"})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.Devices.SetSecret(h.t.Context(), editor, space, d.ID, "a secret of "+name); err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

func (h *house) connect(id, name string) {
	h.t.Helper()
	x, err := h.Devices.Authenticate(h.t.Context(), id, "a secret of "+name, id, netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.sessions[id] = x
	h.clock.Pass(time.Millisecond) // no two events are at one instant
	h.Devices.Connected(x)
}

func (h *house) disconnect(id string) {
	h.clock.Pass(time.Millisecond)
	h.Devices.Disconnected(h.sessions[id])
}

// do makes a request as the actor of that name, and reads the answer into out if it is not nil.
func (h *house) do(as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Do(h.t, h.http, as, method, path, body, out)
}

// want is do that fails the test when the status is another one.
func (h *house) want(status int, as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Want(h.t, h.http, status, as, method, path, body, out)
}

// hook is an action that calls the receiver.
func (h *house) hook(path string) map[string]any {
	return map[string]any{"kind": "CALL-WEBHOOK", "name": "hook", "webhook": map[string]any{"url": h.hooks.URL + path}}
}

func (h *house) trigger(body map[string]any) wireTrigger {
	h.t.Helper()
	if body["name"] == nil {
		body["name"] = "Warm"
	}
	var out wireTrigger
	h.want(201, "editor", "PUT", "/iot/v1/triggers", body, &out)
	return out
}

// passing moves the clock, while nothing is under way, until ok says true.
func (h *house) passing(step time.Duration, what string, ok func() bool) {
	h.t.Helper()
	fleettest.Eventually(h.t, what, func() bool {
		var n int
		if err := h.set.Core.One(context.Background(), func(r db.Row) error { return r.Scan(&n) }, `select count(*) from trigger_delivery where taken`); err != nil {
			h.t.Fatal(err)
		}
		if n == 0 {
			h.clock.Pass(step)
		}
		return ok()
	})
}

// settled waits until all values that were reported are looked at and nothing waits to be delivered.
func (h *house) settled() {
	h.t.Helper()
	fleettest.Eventually(h.t, "that values are looked at", func() bool {
		position, err := h.Service.needs.Store.position(context.Background())
		return err == nil && position == h.tap.Seq()
	})
	fleettest.Eventually(h.t, "that all is delivered", func() bool { return h.waiting() == 0 })
}

func (h *house) waiting() (n int) {
	h.t.Helper()
	if err := h.set.Core.One(context.Background(), func(r db.Row) error { return r.Scan(&n) }, `select count(*) from trigger_delivery where ended_at = 0`); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// values are what webhooks on a path were told, each delivery once, in the order of the trigger.
func (h *house) values(path string) (all []string) {
	h.t.Helper()
	seen := map[string]bool{}
	for _, c := range h.hooks.all(path) {
		var e wireEvent
		if err := json.Unmarshal(c.body, &e); err != nil {
			h.t.Fatal(err)
		}
		if seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		switch {
		case e.Property != nil:
			all = append(all, string(e.Property.Value))
		case e.Device != nil:
			all = append(all, e.Device.Name+" "+e.Device.Status)
		}
	}
	return all
}

func same(a, b []string) bool { return fmt.Sprint(a) == fmt.Sprint(b) }
