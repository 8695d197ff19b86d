package template

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

const (
	space      = "51000000-0000-4000-8000-000000000001" // shared
	otherSpace = "51000000-0000-4000-8000-000000000002"
	absent     = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
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
	t          testing.TB
	needs      Needs
	ring       *keys.Ring
	things     *thing.Service
	boards     *device.Service
	dashboards *dashboard.Service
	triggers   *trigger.Service
	sketches   *shelf
	http       http.Handler
	room       int64 // bytes of templates of a space; 0 is any number
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
	h := &house{t: t, sketches: &shelf{kept: map[string]Sketch{}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	clock := func() time.Time { return noon }
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: clock})
	must(err)
	h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring)))
	must(err)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	organization := func(_ context.Context, s string) (string, error) {
		if s == space {
			return space, nil
		}
		return "", nil
	}
	role := func(_ context.Context, in, user string) (access.Role, error) {
		for _, a := range actors {
			if a.ID == user && a.Space == in {
				return a.Role, nil
			}
		}
		return access.NoRole, nil
	}
	authority, err := ca.New(ca.Needs{Store: ca.SQL(core), Keys: h.ring, Now: clock, Log: log})
	must(err)
	h.boards, err = device.New(device.Needs{Store: device.SQL(core), Keys: h.ring, Certificates: authority, Revocations: &authority.Changes, Now: clock, Log: log, Organization: organization})
	must(err)
	history, err := series.New(t.Context(), series.Needs{Store: series.SQL(dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))), Keys: h.ring, Log: log, Now: clock})
	must(err)
	policy, err := access.New()
	must(err)
	h.things, err = thing.New(thing.Needs{Store: thing.SQL(core, h.ring), Keys: h.ring, Series: history, Devices: h.boards, Policy: policy, Organization: organization, Now: clock, Log: log})
	must(err)
	h.boards.Bind(h.things.ForDevices(), noLine{})
	h.dashboards, err = dashboard.New(dashboard.Needs{Store: dashboard.SQL(core, h.ring), Keys: h.ring, Things: h.things, Devices: h.boards, Policy: policy, Organization: organization,
		Admit:  func(context.Context, access.Actor, string) error { return nil },
		Person: func(context.Context, string) (string, error) { return "", nil },
		Find:   func(context.Context, string) (string, error) { return "", dashboard.ErrNoPerson }, Now: clock, Log: log})
	must(err)
	signer, err := h.ring.Signer(t.Context(), "web-push")
	must(err)
	h.triggers, err = trigger.New(t.Context(), trigger.Needs{Store: trigger.SQL(core, h.ring), Keys: h.ring, Things: h.things, Devices: h.boards, Comings: &h.boards.Changes, Tap: history.Tap,
		Letter: func(context.Context, post.Letter) error { return nil }, Role: role,
		Person:       func(context.Context, string) (string, string, error) { return "", "", nil },
		Organization: organization, Web: http.DefaultClient, Signer: signer, Base: func() string { return "https://ardesia.example.org" }, Now: clock, Log: log,
		Limit: func(context.Context, string) (int, int, error) { return 0, 0, nil }})
	must(err)
	h.needs = Needs{Store: SQL(core, h.ring), Things: h.things, Dashboards: h.dashboards, Triggers: h.triggers, Devices: h.boards, Policy: policy, Organization: organization,
		Now: clock, Log: log, Sketches: h.sketches,
		Room: func(context.Context, string) (int64, error) {
			if h.room > 0 {
				return h.room, nil
			}
			return 1 << 40, nil
		}}
	h.again()
	for _, run := range []func(context.Context) error{history.Run} {
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v", err)
			}
		})
	}
	free := door.Rate{PerMinute: -1}
	d, err := door.New(door.Config{KeyRate: free, OpenRate: free, GuessRate: free}, door.Needs{
		Log: log, Now: clock, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			who, ok := actors[token]
			if !ok {
				return access.Actor{}, door.ErrToken
			}
			return who, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	must(err)
	h.http, err = d.Handler(slices.Concat(h.Routes(), h.things.Routes(), h.dashboards.Routes(), h.triggers.Routes()))
	must(err)
	return h
}

// again is this room after a start of the program.
func (h *house) again() {
	h.t.Helper()
	var err error
	if h.Service, err = New(h.needs); err != nil {
		h.t.Fatal(err)
	}
	if err := h.Repair(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) want(status int, as, method, path string, body, out any) {
	h.t.Helper()
	doortest.Want(h.t, h.http, status, as, method, path, body, out)
}

type noLine struct{}

func (noLine) Send(string, string, []byte, byte) {}
func (noLine) Drop(string, error)                {}

// A shelf is the room of sketches, whose only property here is what is in it.
type shelf struct {
	mu   sync.Mutex
	kept map[string]Sketch // guarded by mu
	fail error             // guarded by mu
}

func (s *shelf) Add(_ context.Context, _ access.Actor, one Sketch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		s.kept[one.ID] = one
	}
	return s.fail
}

func (s *shelf) Get(_ context.Context, _ access.Actor, id string) (Sketch, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, ok := s.kept[id]
	return one, ok, nil
}

func (s *shelf) Erase(_ context.Context, _ access.Actor, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.kept, id)
	return nil
}

func (s *shelf) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.kept))
}

// board makes a device.
func (h *house) board(who access.Actor, name string) string {
	h.t.Helper()
	d, err := h.boards.Create(h.t.Context(), who, device.Device{Name: name, Type: "mkrwifi1010", FQBN: "arduino:samd:mkrwifi1010"})
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

// inventory is all that is in the house, by ID.
func (h *house) inventory(who access.Actor) (all []string) {
	h.t.Helper()
	things, err := h.things.List(h.t.Context(), who, thing.Filter{Deleted: true})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, t := range things {
		all = append(all, "thing "+t.ID)
	}
	dashboards, err := h.dashboards.List(h.t.Context(), who, dashboard.Filter{})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range dashboards {
		all = append(all, "dashboard "+d.ID)
	}
	triggers, err := h.triggers.List(h.t.Context(), who, trigger.Filter{Deleted: true})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, t := range triggers {
		all = append(all, "trigger "+t.ID)
	}
	for _, id := range h.sketches.all() {
		all = append(all, "sketch "+id)
	}
	return all
}
