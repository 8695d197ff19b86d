package thing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
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

// A house is this room with the real ones below it, on data of its own.
type house struct {
	*Service
	t       testing.TB
	core    *db.DB
	past    *db.DB // of history
	ring    *keys.Ring
	devices *device.Service
	history *series.Service
	http    http.Handler

	mu   sync.Mutex
	now  time.Time // guarded by mu
	sent []message // guarded by mu
}

// A message is what was sent to devices or live clients.
type message struct {
	topic   string
	payload []byte
	qos     byte
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, newHouse(t, d)) })
}

func liteHouse(t testing.TB) *house {
	t.Helper()
	return newHouse(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
}

func newHouse(t testing.TB, core *db.DB) *house {
	t.Helper()
	h := &house{t: t, core: core, now: noon}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: h.clock})
	must(err)
	h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring)))
	must(err)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	organization := func(_ context.Context, space string) (string, error) {
		if space == otherSpace {
			return otherSpace, nil
		}
		return "", nil
	}
	authority, err := ca.New(ca.Needs{Store: ca.SQL(core), Keys: h.ring, Now: h.clock, Log: log})
	must(err)
	h.devices, err = device.New(device.Needs{Store: device.SQL(core), Keys: h.ring, Certificates: authority,
		Revocations: &authority.Changes, Now: h.clock, Log: log, Organization: organization})
	must(err)
	h.past = dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))
	h.history, err = series.New(t.Context(), series.Needs{
		Store: series.SQL(h.past), Keys: h.ring, Log: log, Now: h.clock})
	must(err)
	policy, err := access.New()
	must(err)
	h.Service, err = New(Needs{Store: SQL(core, h.ring), Keys: h.ring, Series: h.history, Devices: h.devices, Policy: policy,
		Organization: organization, Now: h.clock, Log: log})
	must(err)
	h.Bind(h.keep, nil)
	h.devices.Bind(h.ForDevices(), noLine{})
	h.start(h.history.Run)
	h.open(policy, log)
	return h
}

type noLine struct{}

func (noLine) Send(string, string, []byte, byte) {}
func (noLine) Drop(string, error)                {}

// start runs something until the test ends.
func (h *house) start(run func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	h.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			h.t.Errorf("Run = %v", err)
		}
	})
}

func (h *house) open(policy *access.Policy, log *slog.Logger) {
	h.t.Helper()
	free := door.Rate{PerMinute: -1}
	d, err := door.New(door.Config{KeyRate: free, OpenRate: free, GuessRate: free}, door.Needs{
		Log: log, Now: h.clock, Policy: policy,
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
	if h.http, err = d.Handler(h.Routes()); err != nil {
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

func (h *house) keep(topic string, payload []byte, qos byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent = append(h.sent, message{topic, payload, qos})
}

// messages are those sent to a topic so far.
func (h *house) messages(kind topic.Kind, id string) []message {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []message
	for _, m := range h.sent {
		if m.topic == topic.Name(kind, id) {
			all = append(all, m)
		}
	}
	return all
}

// device makes a device in who's space.
func (h *house) device(who access.Actor, name string) string {
	h.t.Helper()
	d, err := h.devices.Create(h.t.Context(), who, device.Device{Name: name, Type: "nano_33_iot", FQBN: "arduino:samd:nano_33_iot"})
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

// thing makes a thing with properties of the given types, called as the keys say;
// a key that ends in "!" makes a property that the cloud may not write.
func (h *house) thing(who access.Actor, name, device string, types map[string]string) Thing {
	h.t.Helper()
	t := Thing{Name: name, Timezone: "Europe/Rome", Device: device}
	for key, typ := range types {
		p := property(strings.TrimSuffix(key, "!"))
		p.ID, p.Number, p.Type = "", 0, TypeOf(typ)
		if strings.HasSuffix(key, "!") {
			p.Permission = ReadOnly
		}
		t.Properties = append(t.Properties, p)
	}
	t, err := h.Create(h.t.Context(), who, t, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// id of a thing's property.
func id(t Thing, name string) string {
	for _, p := range t.Properties {
		if p.Name == name {
			return p.ID
		}
	}
	panic("no property " + name)
}

// publish has a device send records, and waits for the acknowledgement.
func (h *house) publish(device, thing string, records ...senml.Record) {
	h.t.Helper()
	h.publishRaw(device, topic.Topic{Kind: topic.ThingOut, ID: thing}, senml.AppendBoard(nil, records))
}

func (h *house) publishRaw(device string, to topic.Topic, payload []byte) {
	h.t.Helper()
	h.await(func(done func(error)) { h.DevicePublish(device, to, payload, done) })
}

func (h *house) await(do func(done func(error))) {
	h.t.Helper()
	answers := make(chan error, 2)
	do(func(err error) { answers <- err })
	select {
	case err := <-answers:
		if err != nil {
			h.t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		h.t.Fatal("no acknowledgement")
	}
}

// value is the last value of a property as JSON, "" while there is none.
func (h *house) value(t Thing, name string) string {
	h.t.Helper()
	now, err := h.Get(h.t.Context(), editor, t.ID, true)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, p := range now.Properties {
		if p.Name == name {
			last, ok := h.last(p.ID, p.Persist)
			if !ok {
				return ""
			}
			return string(appendJSON(nil, last.Value))
		}
	}
	h.t.Fatalf("no property %s", name)
	return ""
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

// eventually waits until ok says true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
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

func path(format string, args ...any) string { return "/iot/v2/things" + fmt.Sprintf(format, args...) }

// journal is what was written down about a noun.
func (h *house) journal(resource string) []journal.Entry {
	h.t.Helper()
	var all []journal.Entry
	err := h.core.Read(h.t.Context(), func(tx *db.Tx) error {
		rows, err := tx.Query(h.t.Context(), `select actor, space, action, id, detail from journal where resource = $1 order by number`, resource)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var e journal.Entry
			var detail string
			if err := rows.Scan(&e.Actor, &e.Space, &e.Action, &e.ID, &detail); err != nil {
				return err
			}
			if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
				return err
			}
			all = append(all, e)
		}
		return rows.Err()
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}
