package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

const (
	space      = "51000000-0000-4000-8000-000000000001" // shared
	otherSpace = "51000000-0000-4000-8000-000000000002" // the guest's, private
	absent     = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
)

var (
	noon    = time.Date(2026, 10, 17, 12, 0, 0, 0, time.UTC)
	editor  = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: space, Role: access.Editor}
	viewer  = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000003", Space: space, Role: access.Viewer}
	robot   = access.Actor{Kind: access.APIKey, ID: editor.ID, Client: "robot", Space: space, Only: space, Cap: access.Service, Role: access.Service}
	guest   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000002", Space: otherSpace, Role: access.Admin}
	keyed_  = access.Actor{Kind: access.APIKey, ID: guest.ID, Client: "key", Space: otherSpace, Role: access.Admin}
	bound   = access.Actor{Kind: access.APIKey, ID: guest.ID, Client: "bound", Only: otherSpace, Space: otherSpace, Role: access.Admin}
	another = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000004", Space: "51000000-0000-4000-8000-000000000004", Role: access.Admin}
	actors  = map[string]access.Actor{"editor": editor, "viewer": viewer, "robot": robot, "guest": guest, "keyed": keyed_, "bound": bound, "another": another}
	names   = map[string]string{editor.ID: "anna", viewer.ID: "vera", guest.ID: "gino", another.ID: "zoe"}
)

// A house is this room with the real ones below it, on data of its own.
type house struct {
	*Service
	t      testing.TB
	core   *db.DB
	ring   *keys.Ring
	things *thing.Service
	boards *device.Service
	http   http.Handler

	mu      sync.Mutex
	now     time.Time // guarded by mu
	letters []Letter  // guarded by mu
	most    int       // guarded by mu; dashboards of a space
	room    int64     // guarded by mu; bytes of pictures of a space, 0 for any number
	strict  bool      // guarded by mu; the space asks for more than its guests have shown
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, newHouse(t, d)) })
}

func liteHouse(t testing.TB) *house {
	t.Helper()
	return newHouse(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
}

var errStrict = problem.New(problem.Forbidden, "space-level", "This space asks for a second step.")

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
	organization := func(_ context.Context, s string) (string, error) {
		if s == space {
			return space, nil
		}
		return "", nil
	}
	authority, err := ca.New(ca.Needs{Store: ca.SQL(core), Keys: h.ring, Now: h.clock, Log: log})
	must(err)
	h.boards, err = device.New(device.Needs{Store: device.SQL(core), Keys: h.ring, Certificates: authority,
		Revocations: &authority.Changes, Now: h.clock, Log: log, Organization: organization})
	must(err)
	history, err := series.New(t.Context(), series.Needs{
		Store: series.SQL(dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.History))), Keys: h.ring, Log: log, Now: h.clock})
	must(err)
	policy, err := access.New()
	must(err)
	h.things, err = thing.New(thing.Needs{Store: thing.SQL(core, h.ring), Keys: h.ring, Series: history, Devices: h.boards, Policy: policy,
		Organization: organization, Now: h.clock, Log: log,
		Lent: func(ctx context.Context, who access.Actor, properties []string) (map[string]thing.Loan, error) {
			return h.Lent(ctx, who, properties)
		}})
	must(err)
	h.boards.Bind(h.things.ForDevices(), noLine{})
	h.Service, err = New(Needs{Store: SQL(core, h.ring), Keys: h.ring, Things: h.things, Devices: h.boards, Policy: policy, Organization: organization,
		Admit: func(_ context.Context, who access.Actor, s string) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.strict && s == space {
				return errStrict
			}
			return nil
		},
		Person: func(_ context.Context, user string) (string, error) { return names[user], nil },
		Find: func(_ context.Context, text string) (string, error) {
			for id, name := range names {
				if text == id || text == name || text == name+"@example.org" {
					return id, nil
				}
			}
			return "", ErrNoPerson
		},
		Limit: func(context.Context, string) (int, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.most, nil
		},
		Room: func(context.Context, string) (int64, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return cmp.Or(h.room, math.MaxInt64), nil
		},
		Tell: func(_ context.Context, l Letter) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.letters = append(h.letters, l)
			return nil
		},
		Now: h.clock, Log: log,
	})
	must(err)
	h.start(history.Run)
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
	must(err)
	h.http, err = d.Handler(append(h.Routes(), h.things.Routes()...))
	must(err)
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

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) set(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

func (h *house) pass(d time.Duration) { h.set(func() { h.now = h.now.Add(d) }) }

// told are the letters since the last call.
func (h *house) told() (all []Letter) {
	h.set(func() { all, h.letters = h.letters, nil })
	return all
}

// thing makes a thing with properties of the given types, called as the keys say; a key that ends
// in "!" makes one that the cloud may not write.
func (h *house) thing(who access.Actor, name, device string, types map[string]string) thing.Thing {
	h.t.Helper()
	t := thing.Thing{Name: name, Timezone: "Europe/Rome", Device: device}
	for key, typ := range types {
		p := thing.Property{Name: strings.TrimSuffix(key, "!"), Type: thing.TypeOf(typ), Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: true}
		if strings.HasSuffix(key, "!") {
			p.Permission = thing.ReadOnly
		}
		t.Properties = append(t.Properties, p)
	}
	t, err := h.things.Create(h.t.Context(), who, t, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return t
}

// id of a thing's property.
func id(t thing.Thing, name string) string {
	for _, p := range t.Properties {
		if p.Name == name {
			return p.ID
		}
	}
	panic("no property " + name)
}

// widget is one of a type that shows some variables.
func widget(kind string, variables ...string) Widget {
	return Widget{ID: uuid.NewString(), Type: kind, Name: kind, Page: MainPage, Place: Place{1, 2, 3, 4}, Options: []byte(`{}`), Variables: variables}
}

// board makes a dashboard in the editor's space.
func (h *house) board(name string, widgets ...Widget) Dashboard {
	h.t.Helper()
	d, err := h.Create(h.t.Context(), editor, Dashboard{Name: name, Widgets: widgets})
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

func (h *house) do(as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Do(h.t, h.http, as, method, path, body, out)
}

// want is do that fails the test when the status is another one.
func (h *house) want(status int, as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Want(h.t, h.http, status, as, method, path, body, out)
}

func board2(format string, args ...any) string {
	return "/iot/v2/dashboards" + fmt.Sprintf(format, args...)
}
func board3(format string, args ...any) string {
	return "/iot/v3/dashboards" + fmt.Sprintf(format, args...)
}
func ours1(format string, args ...any) string { return "/v1/dashboards" + fmt.Sprintf(format, args...) }

// actions are what the journal says was done with a dashboard.
func (h *house) actions(id string) (all []string) {
	h.t.Helper()
	err := h.core.Read(h.t.Context(), func(tx *db.Tx) error {
		var err error
		all, err = db.Column[string](h.t.Context(), tx, `select action from journal where resource = 'dashboard' and id = $1 order by number`, id)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := journal.Verify(h.t.Context(), h.core); err != nil {
		h.t.Error(err)
	}
	return all
}

// rows counts those of all our tables.
func (h *house) rows() (n int) {
	h.t.Helper()
	err := h.core.Read(h.t.Context(), func(tx *db.Tx) error {
		n = 0
		for _, table := range []string{"dashboard", "dashboard_variable", "dashboard_share", "dashboard_request", "dashboard_link", "dashboard_image"} {
			var some int
			if err := tx.QueryRow(h.t.Context(), `select count(*) from `+table).Scan(&some); err != nil {
				return err
			}
			n += some
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}
