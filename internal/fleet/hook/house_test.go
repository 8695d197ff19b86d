package hook

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
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
	noon   = fleettest.Noon
	editor = fleettest.Editor
	viewer = fleettest.Viewer
	actors = fleettest.Actors
)

// A stack is this room with the real ones below it, on three databases. It is also made in a process that is killed, so it
// knows no test.
type stack struct {
	*Service
	*fleettest.Rooms
	letters *post.Service
}

// A setting is what a stack stands on.
type setting struct {
	fleettest.Ground
	web                   *http.Client
	sender                mail.Sender
	config                Config
	mostQueued, mostBytes int64 // 0: what is usual
	cut                   func(step string) error
}

func newStack(ctx context.Context, c setting) (*stack, error) {
	rooms, err := fleettest.New(ctx, c.Ground)
	if err != nil {
		return nil, err
	}
	k := &stack{Rooms: rooms}
	people := map[string]post.Person{editor.ID: {Address: "ed@example.org", Name: "Ed"}, viewer.ID: {Address: "vi@example.org", Name: "Vi", Lang: "it"}}
	if c.sender == nil {
		c.sender = mail.NewFolder(filepath.Join(c.Dir, "mail"))
	}
	if k.letters, err = post.New(post.Needs{Store: post.SQL(c.Core), Keys: k.Ring, Sender: c.sender, From: mail.Address{Addr: "ardesia@example.org"},
		Person: func(_ context.Context, user string) (post.Person, error) {
			p, ok := people[user]
			if !ok {
				return p, access.ErrDenied
			}
			return p, nil
		},
		House: "ardesia.example.org", Now: c.Now, Log: c.Log}); err != nil {
		return nil, err
	}
	store := SQL(c.Core, k.Ring).(sqlStore)
	if c.mostQueued > 0 {
		store.mostQueued = c.mostQueued
	}
	if c.mostBytes > 0 {
		store.mostBytes = c.mostBytes
	}
	k.Service, err = New(ctx, Needs{Store: store, Keys: k.Ring, Things: k.Things, Devices: k.Devices, Tap: k.History.Tap, Letter: k.letters.Send,
		Member: func(ctx context.Context, in, user string) (bool, error) {
			role, err := fleettest.Role(ctx, in, user)
			return role != access.NoRole, err
		},
		Web: c.web, Now: c.Now, Log: c.Log, Config: c.config})
	if err != nil {
		return nil, err
	}
	if c.cut != nil {
		k.Service.cut = c.cut
	}
	k.Devices.BindWebhooks(k.Show)
	return k, nil
}

// A house is a stack that runs within a test, with a clock that the test moves, and boards.
type house struct {
	*stack
	clock *fleettest.Clock
	t     testing.TB
	set   setting
	http  http.Handler
	stop  func()

	receiver *receiver
	carrier  *carrier
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house), change ...func(*setting)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e, change...)) })
	}
}

func newHouse(t testing.TB, e db.Engine, change ...func(*setting)) *house {
	t.Helper()
	clock := fleettest.At(noon)
	h := &house{t: t, clock: clock, receiver: newReceiver(t), carrier: &carrier{}}
	h.set = setting{
		Ground: fleettest.On(t, e, clock.Now), web: h.receiver.Client(), sender: h.carrier,
		config: Config{Retry: time.Second, Tick: 2 * time.Millisecond},
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
	h.stop = fleettest.Run(h.t, h.History.Run, h.letters.Run, h.Service.Run)
	h.http = doortest.Handler(h.t, h.set.Log, h.clock.Now, h.Policy, actors, slices.Concat(h.Routes(h.Things.Load, h.Devices.Load), h.Things.Routes(), h.Devices.Routes()))
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

// A receiver is who webhooks go to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call                       // guarded by mu
	seen   map[string]int               // guarded by mu
	answer func(path string, n int) int // guarded by mu; status of the n-th call of that path, from 1
}

type call struct {
	path  string
	head  http.Header
	body  []byte
	event wireEvent
	taken bool
}

func newReceiver(t testing.TB) *receiver {
	r := &receiver{seen: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return
	}
	c := call{path: q.URL.Path, head: q.Header.Clone(), body: body}
	if err := json.Unmarshal(body, &c.event); err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[q.URL.Path]++
	status := http.StatusOK
	if r.answer != nil {
		status = r.answer(q.URL.Path, r.seen[q.URL.Path])
	}
	c.taken = status < 300
	r.calls = append(r.calls, c)
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

// values are what was taken on a path, in order; an event that came twice counts once.
func (r *receiver) values(path string) string {
	var all []string
	seen := map[string]bool{}
	for _, c := range r.all(path) {
		if seen[c.event.EventID] {
			continue
		}
		seen[c.event.EventID] = c.taken
		for _, v := range c.event.Values {
			if c.taken {
				all = append(all, v.Name+"="+string(v.Value))
			}
		}
	}
	return strings.Join(all, " ")
}

// hook turns the webhook of a thing on.
func (h *house) hook(t thing.Thing, path string) {
	h.t.Helper()
	if _, err := h.Things.Update(h.t.Context(), editor, t.ID, false, func(t *thing.Thing) error {
		t.Webhook, t.WebhookActive = h.receiver.URL+path, true
		return nil
	}); err != nil {
		h.t.Fatal(err)
	}
}

// shown is the webhook of a thing as the API tells of it.
func (h *house) shown(t thing.Thing) (w wireHook) {
	h.t.Helper()
	h.want(200, "editor", "GET", "/v1/things/"+t.ID+"/webhook", nil, &w)
	return w
}

// passing moves the clock until ok says true.
func (h *house) passing(step time.Duration, what string, ok func() bool) {
	h.t.Helper()
	fleettest.Eventually(h.t, what, func() bool { h.clock.Pass(step); return ok() })
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

// want makes a request and fails the test when the status is another one.
func (h *house) want(status int, as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Want(h.t, h.http, status, as, method, path, body, out)
}
