package device

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	space      = "51000000-0000-4000-8000-000000000001"
	otherSpace = "51000000-0000-4000-8000-000000000002"
	thingA     = "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11"
	thingB     = "11111111-2222-4333-8444-555555555555"
)

var (
	noon     = time.Date(2026, 10, 17, 13, 20, 30, 123456789, time.UTC)
	system   = access.Actor{Kind: access.System}
	editor   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: space, Role: access.Editor}
	stranger = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000002", Space: otherSpace, Role: access.Admin}
	address  = netip.MustParseAddr("192.0.2.7")
)

// A house is what devices stand on, which a power cut leaves as it is.
type house struct {
	t    testing.TB
	db   *db.DB
	ring *keys.Ring

	mu  sync.Mutex
	now time.Time // guarded by mu

	gone atomic.Pointer[string] // a space that the room of spaces does not know any more
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, newHouse(t, d)) })
}

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{t: t, db: d, now: noon}
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring)))
	if err != nil {
		t.Fatal(err)
	}
	return h
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

// A rig is one process: the room, the CA below it, and what stands above.
type rig struct {
	*Service
	h     *house
	ca    *ca.Service
	above *above
	line  *line
}

// make builds a process that has not looked yet at what the last one left.
func (h *house) make() *rig {
	h.t.Helper()
	log := slog.New(slog.NewTextHandler(h.t.Output(), nil))
	authority, err := ca.New(ca.Needs{Store: ca.SQL(h.db), Keys: h.ring, Now: h.clock, Log: log})
	if err != nil {
		h.t.Fatal(err)
	}
	s, err := New(Needs{
		Store: SQL(h.db), Keys: h.ring, Certificates: authority, Revocations: &authority.Changes, Now: h.clock, Log: log,
		Organization: func(_ context.Context, space string) (string, error) {
			if gone := h.gone.Load(); gone != nil && *gone == space {
				return "", problem.New(problem.NotFound, "space-not-found", "There is no such space.")
			}
			if space == otherSpace {
				return otherSpace, nil
			}
			return "", nil
		},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	r := &rig{Service: s, h: h, ca: authority, above: &above{things: map[string]string{}}, line: &line{}}
	r.line.dropped = s.hangUp
	s.Bind(r.above, r.line)
	return r
}

// hangUp is what the broker does when it drops a session.
func (s *Service) hangUp(device string) {
	if x := s.sessionOf(device); x != nil {
		s.Disconnected(x)
	}
}

func (h *house) start() *rig {
	h.t.Helper()
	r := h.make()
	if err := r.ca.Repair(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if err := r.Repair(h.t.Context()); err != nil {
		h.t.Fatalf("Repair = %v", err)
	}
	return r
}

// run has the room work by itself until the test ends or stop is called.
func (r *rig) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	once := sync.Once{}
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				r.h.t.Errorf("Run = %v", err)
			}
		})
	}
	r.h.t.Cleanup(stop)
	return stop
}

// above stands for the room of things.
type above struct {
	mu        sync.Mutex
	things    map[string]string // guarded by mu: by device
	detached  []string          // guarded by mu
	published []Value           // guarded by mu
	failed    error             // guarded by mu: what LastValues says
}

func (a *above) attach(device, thing string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.things[device] = thing; thing == "" {
		delete(a.things, device)
	}
}

func (a *above) Attached(device string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.things[device]
	return t, ok
}

func (a *above) LastValues(_ context.Context, device string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.failed != nil || a.things[device] == "" {
		return nil, a.failed
	}
	return []byte{0x81, 0xa2, 0x00, 0x61, 'i', 0x02, 0x05}, nil
}

func (a *above) Embed(_ context.Context, _ access.Actor, devices []string) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := map[string]any{}
	for _, d := range devices {
		if t := a.things[d]; t != "" {
			all[d] = map[string]string{"id": t}
		}
	}
	return all, nil
}

func (a *above) Properties(context.Context, access.Actor, string, bool) (Properties, error) {
	return Properties{RetentionDays: 15}, nil
}

func (a *above) History(_ context.Context, _ access.Actor, _, property string, limit int, start string) (History, error) {
	return History{ID: property, Name: "t", Values: []Sample{{At: noon, Payload: "21"}}, Next: start}, nil
}

func (a *above) Publish(_ context.Context, _ access.Actor, _ string, values []Value, _ bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.published = append(a.published, values...)
	return nil
}

func (a *above) Detach(_ context.Context, _ access.Actor, _, device string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.things, device)
	a.detached = append(a.detached, device)
	return nil
}

// line stands for the broker.
type line struct {
	dropped func(device string)

	mu    sync.Mutex
	sent  []sent  // guarded by mu
	drops []error // guarded by mu
}

type sent struct {
	topic   string
	payload string
	qos     byte
}

func (l *line) Send(_, topic string, payload []byte, qos byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, sent{topic, string(payload), qos})
}

func (l *line) Drop(device string, reason error) {
	l.mu.Lock()
	l.drops = append(l.drops, reason)
	l.mu.Unlock()
	l.dropped(device)
}

// take empties the line.
func (l *line) take() []sent {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.sent
	l.sent = nil
	return all
}

// lastDrop is why a session was closed last, or nil.
func (l *line) lastDrop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.drops) == 0 {
		return nil
	}
	return l.drops[len(l.drops)-1]
}

// soon waits for something that another goroutine brings about.
func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: it did not happen", what)
		}
	}
}

func (r *rig) device(d Device) Device {
	r.h.t.Helper()
	if d.Type == "" {
		d.Type = "mkrwifi1010"
	}
	made, err := r.Create(r.h.t.Context(), editor, d)
	if err != nil {
		r.h.t.Fatalf("Create = %v", err)
	}
	return made
}

const password = "correct horse battery"

// withSecret makes a device that can connect by password.
func (r *rig) withSecret() Device {
	r.h.t.Helper()
	d := r.device(Device{Type: "generic_device_secretkey"})
	if err := r.SetSecret(r.h.t.Context(), editor, space, d.ID, password); err != nil {
		r.h.t.Fatal(err)
	}
	return d
}

// enter lets a device in by password and connects it.
func (r *rig) enter(id string) *Session {
	r.h.t.Helper()
	x, err := r.Authenticate(r.h.t.Context(), id, password, id, address)
	if err != nil {
		r.h.t.Fatalf("Authenticate = %v", err)
	}
	r.Connected(x)
	return x
}

// certify makes a certificate for a device.
func (r *rig) certify(id string) (ca.Certificate, *x509.Certificate) {
	r.h.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.h.t.Fatal(err)
	}
	csr, err := boardcert.MakeCSR(rand.Reader, key, id)
	if err != nil {
		r.h.t.Fatal(err)
	}
	c, err := r.ca.Issue(r.h.t.Context(), editor, ca.Request{Device: ca.Device{ID: id, Space: space}, CSR: csr, Enabled: true})
	if err != nil {
		r.h.t.Fatal(err)
	}
	l, err := x509.ParseCertificate(c.DER)
	if err != nil {
		r.h.t.Fatal(err)
	}
	return c, l
}

// actions are what the journal says of devices, oldest first.
func (h *house) actions(id string) string {
	h.t.Helper()
	var all []string
	err := h.db.Read(h.t.Context(), func(tx *db.Tx) error {
		all = nil
		rows, err := tx.Query(h.t.Context(), `select action from journal where id = $1 order by number`, id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a string
			if err := rows.Scan(&a); err != nil {
				return err
			}
			all = append(all, a)
		}
		return rows.Err()
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Join(all, " ")
}
