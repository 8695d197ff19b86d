package onboard

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const (
	space      = "51000000-0000-4000-8000-000000000001" // private
	otherSpace = "51000000-0000-4000-8000-000000000002" // shared
	address    = "192.0.2.1"
	nanoPID    = "8057"
	nano       = "arduino:samd:nano_33_iot"
)

var (
	noon   = time.Date(2026, 10, 17, 13, 20, 30, 0, time.UTC)
	editor = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: space, Role: access.Editor}
	friend = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000003", Space: space, Role: access.Editor}
	other  = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000002", Space: otherSpace, Role: access.Admin}
)

// A house is what stays over a power cut.
type house struct {
	t    testing.TB
	core *db.DB
	ring *keys.Ring

	mu    sync.Mutex
	now   time.Time              // guarded by mu
	roles map[string]access.Role // guarded by mu: by user
	limit int                    // guarded by mu: devices of a space
}

// A rig is one process.
type rig struct {
	*Service
	h       *house
	ca      *ca.Service
	devices *device.Service
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
	h := &house{t: t, core: core, now: noon, roles: map[string]access.Role{editor.ID: access.Editor, friend.ID: access.Editor, other.ID: access.Admin}}
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	if h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring))); err != nil {
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

func (h *house) allow(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit = n
}

func (h *house) appoint(user string, r access.Role) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roles[user] = r
}

func organization(_ context.Context, s string) (string, error) {
	if s == otherSpace {
		return s, nil
	}
	return "", nil
}

// start is a process that has repaired what the last one left.
func (h *house) start() *rig {
	h.t.Helper()
	must := func(err error) {
		h.t.Helper()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(h.t.Output(), nil))
	limit := func(context.Context, string) (int, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.limit, nil
	}
	r := &rig{h: h}
	var err error
	r.ca, err = ca.New(ca.Needs{Store: ca.SQL(h.core), Keys: h.ring, Now: h.clock, Log: log})
	must(err)
	must(r.ca.Repair(h.t.Context()))
	r.devices, err = device.New(device.Needs{Store: device.SQL(h.core), Keys: h.ring, Certificates: r.ca, Revocations: &r.ca.Changes,
		Now: h.clock, Log: log, Organization: organization, Limit: limit})
	must(err)
	must(r.devices.Repair(h.t.Context()))
	policy, err := access.New()
	must(err)
	r.Service, err = New(Needs{Store: SQL(h.core, h.ring), MAC: h.ring.MAC("onboard-board"), Devices: r.devices, Certificates: r.ca, Policy: policy,
		Role: func(_ context.Context, _, user string) (access.Role, error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.roles[user] == access.NoRole {
				return access.NoRole, problem.New(problem.NotFound, "not-a-member", "no member")
			}
			return h.roles[user], nil
		},
		Organization: organization, Limit: limit, Now: h.clock, Log: log})
	must(err)
	must(r.Repair(h.t.Context()))
	return r
}

// A toy is a board: its number, the key that signs its tokens, and the one that is to be certified.
type toy struct {
	t        testing.TB
	hardware string
	key      *ecdsa.PrivateKey
	device   *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newToy(t testing.TB) *toy {
	t.Helper()
	sum := sha256.Sum256([]byte(rand.Text()))
	return &toy{t, hex.EncodeToString(sum[:]), newKey(t), newKey(t)}
}

func (b *toy) token(at time.Time) string {
	b.t.Helper()
	text, err := boardcert.SignToken(rand.Reader, b.key, at, b.hardware)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *toy) csr() []byte {
	b.t.Helper()
	text, err := boardcert.MakeCSR(rand.Reader, b.device, b.hardware)
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func (b *toy) registration() Board {
	b.t.Helper()
	key, err := boardcert.PublicKeyPEM(&b.key.PublicKey)
	if err != nil {
		b.t.Fatal(err)
	}
	return Board{HardwareID: b.hardware, PublicKey: string(key), Serial: "0A1B2C", VID: "2341", PID: nanoPID}
}

func (b *toy) claim(at time.Time) Claim {
	return Claim{Token: b.token(at), Name: "gate", BLEMAC: "01:23:45:67:89:ab", ConnectionType: "wifi"}
}

// register and claim must succeed.
func (r *rig) bring(who access.Actor, b *toy) (id string) {
	r.h.t.Helper()
	if err := r.Register(r.h.t.Context(), who, b.registration()); err != nil {
		r.h.t.Fatalf("Register = %v", err)
	}
	return r.claim(who, b)
}

func (r *rig) claim(who access.Actor, b *toy) (id string) {
	r.h.t.Helper()
	id, err := r.Claim(r.h.t.Context(), who, b.claim(r.h.clock()))
	if err != nil {
		r.h.t.Fatalf("Claim = %v", err)
	}
	return id
}

// provision is what the board does when it has a network; it must succeed.
func (r *rig) provision(b *toy) Identity {
	r.h.t.Helper()
	r.h.pass(15 * time.Second) // it takes its time, which also keeps it below the rate
	i, err := r.Provision(r.h.t.Context(), address, b.token(r.h.clock()), b.csr())
	if err != nil {
		r.h.t.Fatalf("Provision = %v", err)
	}
	return i
}

func (r *rig) complete(b *toy) {
	r.h.t.Helper()
	if err := r.Complete(r.h.t.Context(), address, b.token(r.h.clock()), "1.6.0"); err != nil {
		r.h.t.Fatalf("Complete = %v", err)
	}
}

// device brings a board in, from the beginning to the end.
func (r *rig) device(who access.Actor, b *toy) string {
	r.h.t.Helper()
	r.bring(who, b)
	i := r.provision(b)
	r.complete(b)
	return i.Device
}

// counts says whether a certificate lets a device in.
func (r *rig) counts(i Identity) error {
	r.h.t.Helper()
	c, err := r.ca.Check(r.h.t.Context(), r.leaf(i), r.h.clock())
	if err == nil && c.Device != i.Device {
		r.h.t.Errorf("the certificate is for %s, not %s", c.Device, i.Device)
	}
	return err
}

// leaf is the certificate that the board puts together of its answer.
func (r *rig) leaf(i Identity) *x509.Certificate {
	r.h.t.Helper()
	der, err := i.Certificate.Join(i.Signature)
	if err != nil {
		r.h.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		r.h.t.Fatal(err)
	}
	return leaf
}

func (r *rig) one(who access.Actor, id string) Onboarding {
	r.h.t.Helper()
	all, err := r.List(r.h.t.Context(), who, true)
	if err != nil {
		r.h.t.Fatal(err)
	}
	for _, o := range all {
		if o.ID == id {
			return o
		}
	}
	r.h.t.Fatalf("no onboarding %s among %+v", id, all)
	return Onboarding{}
}

// actions of the journal in a space, but those of the device authority's own keys.
func (h *house) actions(space string) string {
	h.t.Helper()
	var all []string
	err := h.core.Read(h.t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.Column[string](h.t.Context(), tx, `select action from journal where space = $1 order by number`, space)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// check says what holds at any time after a start.
func (r *rig) check() {
	r.h.t.Helper()
	left, err := r.needs.Store.leaving(r.h.t.Context())
	if err != nil || len(left) > 0 {
		r.h.t.Errorf("%d onboardings are leaving after a start (%v)", len(left), err)
	}
	if _, err := journal.Verify(r.h.t.Context(), r.h.core); err != nil {
		r.h.t.Errorf("journal: %v", err)
	}
}

var errCut = errors.New("the power is off")

// cutAfter makes r lose its power after one step of one act.
func (r *rig) cutAfter(act string, step int) {
	r.cut = func(a string, n int) error {
		if a == act && n == step {
			return errCut
		}
		return nil
	}
}

func steps(t *testing.T, most int, test func(t *testing.T, h *house, step int)) {
	t.Helper()
	for step := 1; step <= most; step++ {
		t.Run(fmt.Sprint("after step ", step), func(t *testing.T) {
			eachHouse(t, func(t *testing.T, h *house) { test(t, h, step) })
		})
	}
}
