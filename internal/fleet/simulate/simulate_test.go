package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

const key = "a-secret-key-of-a-board"

// A house is this room with the real ones below it, and a door that says nothing to whoever comes.
type house struct {
	*Service
	*fleettest.Rooms
	t     testing.TB
	clock *fleettest.Clock
	core  *db.DB
	http  http.Handler
	stop  func()

	mu   sync.Mutex
	open int // guarded by mu: connections
	most int // guarded by mu: the most that were open at once
	came int // guarded by mu: all
}

func newHouse(t *testing.T, e db.Engine, c Config) *house {
	t.Helper()
	clock := fleettest.At(fleettest.Noon)
	ground := fleettest.On(t, e, clock.Now)
	rooms, err := fleettest.New(t.Context(), ground)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Rooms: rooms, t: t, clock: clock, core: ground.Core}
	h.Service, err = New(Needs{Store: SQL(ground.Core), Devices: h.Devices, Changes: &h.Devices.Changes, Dial: h.dial, Now: clock.Now, Log: ground.Log, Config: c})
	if err != nil {
		t.Fatal(err)
	}
	h.stop = fleettest.Run(t, h.History.Run, h.Service.Run)
	t.Cleanup(func() { h.stop() })
	h.http = doortest.Handler(t, ground.Log, clock.Now, h.Policy, fleettest.Actors, h.Routes(h.Devices.Load))
	return h
}

type line struct {
	net.Conn
	close func()
}

func (l line) Close() error {
	l.close()
	return l.Conn.Close()
}

func (h *house) dial(context.Context) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open++
	h.came++
	h.most = max(h.most, h.open)
	here, there := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, there) }() // ends with the other side
	return line{here, sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.open--
	})}, nil
}

func (h *house) lines() (open, came int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open, h.came
}

// waits until so many boards are connected.
func (h *house) connected(n int) {
	h.t.Helper()
	fleettest.Eventually(h.t, fmt.Sprintf("%d boards connected", n), func() bool {
		open, _ := h.lines()
		return open == n
	})
}

func (h *house) device(who access.Actor, name string) string {
	h.t.Helper()
	d, err := h.Devices.Create(h.t.Context(), who, device.Device{Name: name, Type: "generic_device_secretkey"})
	if err == nil {
		err = h.Devices.SetSecret(h.t.Context(), who, who.Space, d.ID, key)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return d.ID
}

func (h *house) start(who access.Actor, id string) Simulation {
	h.t.Helper()
	m, err := h.Start(h.t.Context(), who, id, key)
	if err != nil {
		h.t.Fatalf("start: %v", err)
	}
	return m
}

func (h *house) running(who access.Actor, id string) bool {
	h.t.Helper()
	m, err := h.Get(h.t.Context(), who, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return m.Running()
}

func (h *house) gone(who access.Actor, id string) {
	h.t.Helper()
	fleettest.Eventually(h.t, "the simulation ended", func() bool { return !h.running(who, id) })
	h.connected(0)
}

func lite(t *testing.T, c Config) *house { return newHouse(t, db.SQLite, c) }

// A board runs until it is stopped, and by itself no longer than it may.
func TestABoardRunsForItsTime(t *testing.T) {
	t.Parallel()
	h := lite(t, Config{})
	id := h.device(fleettest.Editor, "a")
	m := h.start(fleettest.Editor, id)
	if !m.StartedAt.Equal(fleettest.Noon) || m.Until.Sub(m.StartedAt) != Lasts {
		t.Errorf("it runs from %v to %v", m.StartedAt, m.Until)
	}
	h.connected(1)
	if err := h.Stop(t.Context(), fleettest.Editor, id); err != nil {
		t.Fatal(err)
	}
	h.gone(fleettest.Editor, id)
	if err := h.Stop(t.Context(), fleettest.Editor, id); err != nil {
		t.Errorf("to stop none: %v", err)
	}

	h = lite(t, Config{Lasts: 50 * time.Millisecond})
	id = h.device(fleettest.Editor, "b")
	h.start(fleettest.Editor, id)
	fleettest.Eventually(t, "it came", func() bool { _, came := h.lines(); return came == 1 })
	h.gone(fleettest.Editor, id)

	h = lite(t, Config{Look: 2 * time.Millisecond})
	id = h.device(fleettest.Editor, "c")
	h.start(fleettest.Editor, id)
	h.connected(1)
	h.clock.Pass(Lasts) // the machine slept: its timers did, too
	h.gone(fleettest.Editor, id)
}

// A space and the server have as many as they may, whoever asks at the same time.
func TestBounds(t *testing.T) {
	t.Parallel()
	h := lite(t, Config{})
	var ids []string
	for n := range 2 * PerSpace {
		ids = append(ids, h.device(fleettest.Editor, fmt.Sprint("board ", n)))
	}
	var all sync.WaitGroup
	errs := make([]error, len(ids))
	for n, id := range ids {
		all.Go(func() { _, errs[n] = h.Start(t.Context(), fleettest.Editor, id, key) })
	}
	all.Wait()
	ran, one := 0, ""
	for n, err := range errs {
		switch {
		case err == nil:
			ran++
			one = ids[n]
		case !errors.Is(err, ErrTooMany):
			t.Errorf("start = %v", err)
		}
	}
	if ran != PerSpace {
		t.Fatalf("%d run, want %d", ran, PerSpace)
	}
	h.connected(PerSpace)
	h.start(fleettest.Editor, one) // has its place
	if err := h.Stop(t.Context(), fleettest.Editor, one); err != nil {
		t.Fatal(err)
	}
	h.start(fleettest.Editor, one)
	h.connected(PerSpace)

	elsewhere := h.device(fleettest.Stranger, "elsewhere")
	h.Service.mu.Lock()
	for n := range PerServer - PerSpace {
		h.boards[fmt.Sprint(n)] = &board{Simulation: Simulation{Device: fmt.Sprint(n), Space: fmt.Sprint(n), Until: fleettest.Noon.Add(Lasts)}, begun: true, stop: func() {}}
	}
	h.Service.mu.Unlock()
	if _, err := h.Start(t.Context(), fleettest.Stranger, elsewhere, key); !errors.Is(err, ErrFull) {
		t.Errorf("above the server's bound: %v", err)
	}
	h.Service.mu.Lock()
	delete(h.boards, "0")
	h.Service.mu.Unlock()
	h.start(fleettest.Stranger, elsewhere)
}

// One that is begun anew has its time anew, and is never there twice.
func TestBegunAnew(t *testing.T) {
	t.Parallel()
	h := lite(t, Config{})
	id := h.device(fleettest.Editor, "a")
	for range 5 {
		h.clock.Pass(time.Minute)
		m := h.start(fleettest.Editor, id)
		if !m.StartedAt.Equal(h.clock.Now()) {
			t.Errorf("it began at %v", m.StartedAt)
		}
	}
	h.connected(1)
	h.clock.Pass(time.Minute)
	h.start(fleettest.Editor, id)
	fleettest.Eventually(t, "the last of them connected", func() bool {
		h.Service.mu.Lock()
		defer h.Service.mu.Unlock()
		return h.boards[id] != nil && h.boards[id].begun && h.boards[id].after == nil
	})
	h.connected(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.most != 1 {
		t.Errorf("%d were connected at once", h.most)
	}
}

// It ends with its key and with its device, and what is said of others does not touch it.
func TestItEndsWithItsKey(t *testing.T) {
	t.Parallel()
	h := lite(t, Config{})
	for name, end := range map[string]func(id string) error{
		"another key": func(id string) error {
			return h.Devices.SetSecret(t.Context(), fleettest.Editor, fleettest.Space, id, "another-secret-key")
		},
		"no key": func(id string) error {
			return h.Devices.DeleteSecret(t.Context(), fleettest.Editor, fleettest.Space, id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			id := h.device(fleettest.Editor, name)
			h.start(fleettest.Editor, id)
			h.connected(1)
			if err := end(id); err != nil {
				t.Fatal(err)
			}
			h.gone(fleettest.Editor, id)
		})
	}
	t.Run("deleted", func(t *testing.T) {
		id := h.device(fleettest.Editor, "deleted")
		h.start(fleettest.Editor, id)
		h.connected(1)
		if err := h.Devices.Delete(t.Context(), fleettest.Editor, fleettest.Space, id, false); err != nil {
			t.Fatal(err)
		}
		h.connected(0)
		if _, err := h.Get(t.Context(), fleettest.Editor, id); !errors.Is(err, device.ErrNotFound) {
			t.Errorf("the simulation of a deleted device: %v", err)
		}
	})
	t.Run("another device", func(t *testing.T) {
		id, other := h.device(fleettest.Editor, "one"), h.device(fleettest.Editor, "other")
		h.start(fleettest.Editor, id)
		h.connected(1)
		if err := h.Devices.SetSecret(t.Context(), fleettest.Editor, fleettest.Space, other, "another-secret-key"); err != nil {
			t.Fatal(err)
		}
		h.checkAll(t.Context())
		if !h.running(fleettest.Editor, id) {
			t.Error("it ended with the key of another device")
		}
	})
}

// All end with the server, which takes no more.
func TestTheyEndWithTheServer(t *testing.T) {
	t.Parallel()
	h := lite(t, Config{})
	id := h.device(fleettest.Editor, "a")
	h.start(fleettest.Editor, id)
	h.connected(1)
	h.stop()
	if open, _ := h.lines(); open != 0 {
		t.Errorf("%d boards have outlived the server", open)
	}
	if _, err := h.Start(t.Context(), fleettest.Editor, id, key); !errors.Is(err, ErrStopping) {
		t.Errorf("while the server stops: %v", err)
	}
}

// Who may look looks, who may change starts and stops, and each of that is in the journal; the key is nowhere.
func TestRights(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { testRights(t, newHouse(t, e, Config{})) })
	}
}

func testRights(t *testing.T, h *house) {
	id := h.device(fleettest.Editor, "a")
	path, body := "/v1/devices/"+id+"/simulation", map[string]string{"secret_key": key}
	var now wireSimulation
	want := func(status int, as, method string, body, out any) {
		t.Helper()
		doortest.Want(t, h.http, status, as, method, path, body, out)
	}
	want(http.StatusOK, "viewer", "GET", nil, &now)
	if now.Running || now.Until != nil {
		t.Errorf("before it was started: %+v", now)
	}
	want(http.StatusForbidden, "viewer", "POST", body, nil)
	want(http.StatusNotFound, "stranger", "GET", nil, nil)
	want(http.StatusNotFound, "stranger", "POST", body, nil)
	want(http.StatusBadRequest, "editor", "POST", map[string]string{"secret_key": "not-the-key-of-it"}, nil)
	want(http.StatusBadRequest, "editor", "POST", map[string]string{}, nil)
	want(http.StatusCreated, "editor", "POST", body, &now)
	if !now.Running || now.Until == nil || !now.Until.Equal(fleettest.Noon.Add(Lasts)) {
		t.Errorf("started: %+v", now)
	}
	h.connected(1)
	want(http.StatusForbidden, "viewer", "DELETE", nil, nil)
	want(http.StatusNotFound, "stranger", "DELETE", nil, nil)
	want(http.StatusOK, "viewer", "GET", nil, &now)
	if !now.Running {
		t.Error("nobody sees that it runs")
	}
	want(http.StatusOK, "editor", "DELETE", nil, nil)
	want(http.StatusOK, "editor", "DELETE", nil, nil) // and no entry
	h.gone(fleettest.Editor, id)
	all, err := journal.List(t.Context(), h.core, journal.Query{Space: fleettest.Space})
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range all {
		if strings.HasPrefix(e.Action, "simulation:") && e.ID == id {
			acts = append(acts, e.Action)
		}
		if strings.Contains(fmt.Sprint(e), key) {
			t.Errorf("the key is in the journal: %+v", e)
		}
	}
	if fmt.Sprint(acts) != "[simulation:delete simulation:create]" && fmt.Sprint(acts) != "[simulation:create simulation:delete]" {
		t.Errorf("the journal has %v", acts)
	}
}

// A device that somebody is already is not simulated beside them.
func TestAConnectedDevice(t *testing.T) {
	t.Parallel()
	h := lite(t, Config{})
	id := h.device(fleettest.Editor, "a")
	x, err := h.Devices.Authenticate(t.Context(), id, key, id, netip.MustParseAddr("192.0.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	h.Devices.Connected(x)
	if _, err := h.Start(t.Context(), fleettest.Editor, id, key); !errors.Is(err, ErrConnected) {
		t.Errorf("beside a board: %v", err)
	}
	h.Devices.Disconnected(x)
	h.start(fleettest.Editor, id)
	h.connected(1)
}
