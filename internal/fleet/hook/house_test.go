package hook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
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
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

const (
	space      = "51000000-0000-4000-8000-000000000001"
	otherSpace = "51000000-0000-4000-8000-000000000002"
)

var (
	noon     = time.Date(2026, 10, 17, 12, 0, 0, 0, time.UTC)
	editor   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: space, Role: access.Editor}
	viewer   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000003", Space: space, Role: access.Viewer}
	stranger = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000002", Space: otherSpace, Role: access.Admin}
	actors   = map[string]access.Actor{"editor": editor, "viewer": viewer, "stranger": stranger}
)

// A stack is this room with the real ones below it, on three databases. It is also made in a process that is killed, so it
// knows no test.
type stack struct {
	*Service
	history *series.Service
	devices *device.Service
	things  *thing.Service
	letters *post.Service
	policy  *access.Policy
}

// A setting is what a stack stands on.
type setting struct {
	dir                    string
	core, history, keyring *db.DB
	now                    func() time.Time
	log                    *slog.Logger
	web                    *http.Client
	sender                 mail.Sender
	config                 Config
	mostQueued, mostBytes  int64 // 0: what is usual
	cut                    func(step string) error
}

func newStack(ctx context.Context, c setting) (*stack, error) {
	k := &stack{}
	root, err := keys.OpenRoot(ctx, filepath.Join(c.dir, "keys"), keys.Options{Now: c.now})
	if err != nil {
		return nil, err
	}
	ring, err := root.Ring(ctx, c.keyring)
	if err != nil {
		return nil, err
	}
	organization := func(_ context.Context, id string) (string, error) {
		if id == otherSpace {
			return otherSpace, nil
		}
		return "", nil
	}
	authority, err := ca.New(ca.Needs{Store: ca.SQL(c.core), Keys: ring, Now: c.now, Log: c.log})
	if err != nil {
		return nil, err
	}
	if k.devices, err = device.New(device.Needs{Store: device.SQL(c.core), Keys: ring, Certificates: authority, Revocations: &authority.Changes, Now: c.now,
		Log: c.log, Organization: organization}); err != nil {
		return nil, err
	}
	if k.history, err = series.New(ctx, series.Needs{Store: series.SQL(c.history), Keys: ring, Log: c.log, Now: c.now}); err != nil {
		return nil, err
	}
	if k.policy, err = access.New(); err != nil {
		return nil, err
	}
	if k.things, err = thing.New(thing.Needs{Store: thing.SQL(c.core, ring), Keys: ring, Series: k.history, Devices: k.devices, Policy: k.policy,
		Organization: organization, Now: c.now, Log: c.log}); err != nil {
		return nil, err
	}
	k.devices.Bind(k.things.ForDevices(), noLine{})
	people := map[string]post.Person{editor.ID: {Address: "ed@example.org", Name: "Ed"}, viewer.ID: {Address: "vi@example.org", Name: "Vi", Lang: "it"}}
	if c.sender == nil {
		c.sender = mail.NewFolder(filepath.Join(c.dir, "mail"))
	}
	if k.letters, err = post.New(post.Needs{Store: post.SQL(c.core), Keys: ring, Sender: c.sender, From: mail.Address{Addr: "ardesia@example.org"},
		Person: func(_ context.Context, user string) (post.Person, error) {
			p, ok := people[user]
			if !ok {
				return p, access.ErrDenied
			}
			return p, nil
		},
		House: "ardesia.example.org", Now: c.now, Log: c.log}); err != nil {
		return nil, err
	}
	store := SQL(c.core, ring).(sqlStore)
	if c.mostQueued > 0 {
		store.mostQueued = c.mostQueued
	}
	if c.mostBytes > 0 {
		store.mostBytes = c.mostBytes
	}
	k.Service, err = New(ctx, Needs{Store: store, Keys: ring, Things: k.things, Devices: k.devices, Tap: k.history.Tap, Letter: k.letters.Send,
		Member: func(_ context.Context, in, user string) (bool, error) {
			for _, a := range actors {
				if a.ID == user && a.Space == in {
					return true, nil
				}
			}
			return false, nil
		},
		Web: c.web, Now: c.now, Log: c.log, Config: c.config})
	if err != nil {
		return nil, err
	}
	if c.cut != nil {
		k.Service.cut = c.cut
	}
	k.devices.BindWebhooks(k.Show)
	return k, nil
}

type noLine struct{}

func (noLine) Send(string, string, []byte, byte) {}
func (noLine) Drop(string, error)                {}

// A house is a stack that runs within a test, with a clock that the test moves, and boards.
type house struct {
	*stack
	t    testing.TB
	set  setting
	http http.Handler
	stop func()

	mu  sync.Mutex
	now time.Time // guarded by mu

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
	h := &house{t: t, now: noon, receiver: newReceiver(t), carrier: &carrier{}}
	h.set = setting{
		dir: t.TempDir(), core: dbtest.Open(t, dbtest.Config(t, e, dbtest.Core)), history: dbtest.Open(t, dbtest.Config(t, e, dbtest.History)),
		keyring: dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring)), now: h.clock, log: slog.New(slog.NewTextHandler(t.Output(), nil)), web: h.receiver.Client(), sender: h.carrier,
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
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	for _, run := range []func(context.Context) error{h.history.Run, h.letters.Run, h.Service.Run} {
		parts.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				h.t.Errorf("Run = %v", err)
			}
		})
	}
	h.stop = sync.OnceFunc(func() {
		cancel()
		parts.Wait()
	})
	free := door.Rate{PerMinute: -1}
	d, err := door.New(door.Config{KeyRate: free, OpenRate: free, GuessRate: free}, door.Needs{
		Log: h.set.log, Now: h.clock, Policy: h.policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			who, ok := actors[token]
			if !ok {
				return access.Actor{}, door.ErrToken
			}
			return who, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if h.http, err = d.Handler(slices.Concat(h.Routes(h.things.Load, h.devices.Load), h.things.Routes(), h.devices.Routes())); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) pass(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
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
	if _, err := h.things.Update(h.t.Context(), editor, t.ID, false, func(t *thing.Thing) error {
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
	eventually(h.t, what, func() bool { h.pass(step); return ok() })
}

// thing makes a thing with a board and properties of the given types, called as the keys say.
func (h *house) thing(name string, types map[string]string) thing.Thing {
	h.t.Helper()
	d, err := h.devices.Create(h.t.Context(), editor, device.Device{Name: name, Type: "generic_device_secretkey"})
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
	if t, err = h.things.Create(h.t.Context(), editor, t, false); err != nil {
		h.t.Fatal(err)
	}
	h.things.Permit(editor, t.ID) // is remembered from now on, so that boards are told before anybody goes on
	return t
}

func property(t thing.Thing, name string) string {
	for _, p := range t.Properties {
		if p.Name == name {
			return p.ID
		}
	}
	panic("no property " + name)
}

// say has the board of a thing say a value.
func (h *house) say(t thing.Thing, name, value string) {
	h.t.Helper()
	h.pass(time.Millisecond)
	if err := h.things.Report(h.t.Context(), editor, t.ID, []thing.Write{{Property: property(t, name), JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// write has a person write a value.
func (h *house) write(t thing.Thing, name, value string) {
	h.t.Helper()
	h.pass(time.Millisecond)
	if err := h.things.Command(h.t.Context(), editor, t.ID, []thing.Write{{Property: property(t, name), JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// want makes a request and fails the test when the status is another one.
func (h *house) want(status int, as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Want(h.t, h.http, status, as, method, path, body, out)
}

// eventually waits until ok says true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("%s did not happen", what)
		case <-tick.C:
		}
	}
}
