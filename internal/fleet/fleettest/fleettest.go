// Package fleettest has what rooms above things and devices stand on in their tests: the real rooms below, two spaces, and
// those who ask. New knows no test, since it is also called in processes that are killed.
package fleettest

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Two shared spaces, which are their own organization.
const (
	Space      = "51000000-0000-4000-8000-000000000001"
	OtherSpace = "51000000-0000-4000-8000-000000000002"
)

// Who asks; the stranger has the other space.
var (
	Noon     = time.Date(2026, 10, 17, 12, 0, 0, 0, time.UTC)
	Editor   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: Space, Role: access.Editor}
	Viewer   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000003", Space: Space, Role: access.Viewer}
	Stranger = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000002", Space: OtherSpace, Role: access.Admin}
	Actors   = map[string]access.Actor{"editor": Editor, "viewer": Viewer, "stranger": Stranger}
)

// Role is the role of a user in a space, NoRole for anybody else.
func Role(_ context.Context, in, user string) (access.Role, error) {
	for _, a := range Actors {
		if a.ID == user && a.Space == in {
			return a.Role, nil
		}
	}
	return access.NoRole, nil
}

// Organization is what a room above needs as a function of that name.
func Organization(_ context.Context, id string) (string, error) {
	if id == OtherSpace {
		return OtherSpace, nil
	}
	return "", nil
}

// A Ground is what the rooms stand on.
type Ground struct {
	Dir                    string // of the root key
	Core, History, Keyring *db.DB
	Now                    func() time.Time
	Log                    *slog.Logger
	// Lent is what a room above says of properties that guests may reach; nil for none.
	Lent func(ctx context.Context, who access.Actor, properties []string) (map[string]thing.Loan, error)
}

// On is a Ground for a test, with new databases of one engine; the keyring is on SQLite always. now is the test's clock.
func On(t testing.TB, e db.Engine, now func() time.Time) Ground {
	t.Helper()
	return Ground{
		Dir: t.TempDir(), Core: dbtest.Open(t, dbtest.Config(t, e, dbtest.Core)), History: dbtest.Open(t, dbtest.Config(t, e, dbtest.History)),
		Keyring: dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring)), Now: now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// Rooms are the real ones below. Boards have no connection: what they are sent is lost.
type Rooms struct {
	Ring    *keys.Ring
	Policy  *access.Policy
	History *series.Service
	Devices *device.Service
	Things  *thing.Service
}

// New makes them; History.Run is the caller's.
func New(ctx context.Context, on Ground) (*Rooms, error) {
	r := &Rooms{}
	root, err := keys.OpenRoot(ctx, filepath.Join(on.Dir, "keys"), keys.Options{Now: on.Now})
	if err != nil {
		return nil, err
	}
	if r.Ring, err = root.Ring(ctx, on.Keyring); err != nil {
		return nil, err
	}
	authority, err := ca.New(ca.Needs{Store: ca.SQL(on.Core), Keys: r.Ring, Now: on.Now, Log: on.Log})
	if err != nil {
		return nil, err
	}
	if r.Devices, err = device.New(device.Needs{Store: device.SQL(on.Core), Keys: r.Ring, Certificates: authority, Revocations: &authority.Changes, Now: on.Now,
		Log: on.Log, Organization: Organization}); err != nil {
		return nil, err
	}
	if r.History, err = series.New(ctx, series.Needs{Store: series.SQL(on.History), Keys: r.Ring, Log: on.Log, Now: on.Now}); err != nil {
		return nil, err
	}
	if r.Policy, err = access.New(); err != nil {
		return nil, err
	}
	if r.Things, err = thing.New(thing.Needs{Store: thing.SQL(on.Core, r.Ring), Keys: r.Ring, Series: r.History, Devices: r.Devices, Policy: r.Policy,
		Organization: Organization, Now: on.Now, Log: on.Log, Lent: on.Lent}); err != nil {
		return nil, err
	}
	r.Devices.Bind(r.Things.ForDevices(), noLine{})
	return r, nil
}

type noLine struct{}

func (noLine) Send(string, string, []byte, byte) {}
func (noLine) Drop(string, error)                {}

// A Clock is the test's. Its zero value is not set: it begins with At.
type Clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

// At is a clock that shows a time until it is moved.
func At(now time.Time) *Clock { return &Clock{now: now} }

// Now is what it shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Pass moves it.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Run runs parts until stop, which waits for them and may be called again. An error of theirs is one of the test.
func Run(t testing.TB, parts ...func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, run := range parts {
		all.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run = %v", err)
			}
		})
	}
	return sync.OnceFunc(func() {
		cancel()
		all.Wait()
	})
}

// Eventually waits until ok says true, and fails the test when that takes half a minute.
func Eventually(t testing.TB, what string, ok func() bool) {
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

// PropertyID is the id of the property of a thing that is called name, which must be there.
func PropertyID(t thing.Thing, name string) string {
	for _, p := range t.Properties {
		if p.Name == name {
			return p.ID
		}
	}
	panic("no property " + name)
}
