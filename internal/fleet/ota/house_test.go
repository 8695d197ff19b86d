package ota

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const (
	space      = "51000000-0000-4000-8000-000000000001"
	otherSpace = "51000000-0000-4000-8000-000000000002"
)

var (
	noon     = time.Date(2026, 10, 17, 13, 20, 30, 0, time.UTC)
	system   = access.Actor{Kind: access.System}
	editor   = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000001", Space: space, Role: access.Editor}
	stranger = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000002", Space: otherSpace, Role: access.Admin}
	address  = netip.MustParseAddr("192.0.2.7")
)

// A house is the room with the rooms below it, and boards that are messages.
type house struct {
	*Service
	t       testing.TB
	db      *db.DB
	ring    *keys.Ring
	devices *device.Service
	blobs   *blob.Store
	room    int64 // bytes of a space; 0 is any number

	mu    sync.Mutex
	now   time.Time             // guarded by mu
	boxes map[string]chan boxed // guarded by mu: what the server sends, by device
}

// boxed is a message to a board.
type boxed struct {
	topic   string
	payload []byte
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) { test(t, newHouse(t, d)) })
}

func liteHouse(t testing.TB) *house {
	t.Helper()
	return newHouse(t, dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core)))
}

func newHouse(t testing.TB, d *db.DB) *house {
	t.Helper()
	h := &house{t: t, db: d, now: noon, boxes: map[string]chan boxed{}}
	root, err := keys.OpenRoot(t.Context(), t.TempDir(), keys.Options{Now: h.clock})
	if err != nil {
		t.Fatal(err)
	}
	if h.ring, err = root.Ring(t.Context(), dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Keyring))); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	authority, err := ca.New(ca.Needs{Store: ca.SQL(d), Keys: h.ring, Now: h.clock, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	h.devices, err = device.New(device.Needs{Store: device.SQL(d), Keys: h.ring, Certificates: authority, Revocations: &authority.Changes, Now: h.clock, Log: log,
		Organization: func(context.Context, string) (string, error) { return "", nil }})
	if err != nil {
		t.Fatal(err)
	}
	h.blobs = blob.New(d, h.ring, h.clock)
	h.Service, err = New(Needs{Store: SQL(d, h.ring), Blobs: h.blobs, MAC: h.ring.MAC("ota-file"), Devices: h.devices, Now: h.clock, Log: log,
		Room:    func(context.Context, string) (int64, error) { return cmp.Or(h.room, math.MaxInt64), nil },
		Address: func(path string) string { return "https://ardesia.example.org" + path }})
	if err != nil {
		t.Fatal(err)
	}
	h.devices.Bind(above{}, h)
	h.devices.BindUpdates(h.Service)
	return h
}

// above stands for things; devices have none.
type above struct{ device.Things }

func (above) Attached(string) (string, bool)                             { return "", false }
func (above) Detach(context.Context, access.Actor, string, string) error { return nil }

// Send is the broker's half.
func (h *house) Send(id, name string, payload []byte, _ byte) {
	h.mu.Lock()
	box := h.boxes[id]
	h.mu.Unlock()
	if box == nil {
		return
	}
	select {
	case box <- boxed{name, bytes.Clone(payload)}:
	default:
		h.t.Errorf("device %s does not read", id)
	}
}

func (h *house) Drop(string, error) {}

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

// run runs the room until the test ends, or stop is called.
func (h *house) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = h.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	h.t.Cleanup(stop)
	return stop
}

// settle lets the room take all that was said so far, in this goroutine.
func (h *house) settle() {
	h.t.Helper()
	for {
		select {
		case e := <-h.events:
			if err := h.take(h.t.Context(), e); err != nil {
				h.t.Fatal(err)
			}
			continue
		case <-h.wake:
			if err := h.tellSome(h.t.Context()); err != nil {
				h.t.Fatal(err)
			}
			continue
		default:
		}
		return
	}
}

// tick lets the room look at the time, in this goroutine.
func (h *house) tick() {
	h.t.Helper()
	if err := h.late(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	h.settle()
}

func (h *house) board(who access.Actor, d device.Device) string {
	h.t.Helper()
	if d.Type == "" {
		d.Type = "nano_33_iot"
	}
	d.Name = orName(d.Name)
	made, err := h.devices.Create(h.t.Context(), who, d)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.devices.SetSecret(h.t.Context(), who, who.Space, made.ID, password); err != nil {
		h.t.Fatal(err)
	}
	return made.ID
}

func orName(name string) string {
	if name == "" {
		return "board"
	}
	return name
}

const password = "correct horse battery"

// A session is one connection of a board.
type session struct {
	h   *house
	x   *device.Session
	box chan boxed
}

// connect connects a board, and nothing more.
func (h *house) connect(id string) *session {
	h.t.Helper()
	x, err := h.devices.Authenticate(h.t.Context(), id, password, id, address)
	if err != nil {
		h.t.Fatal(err)
	}
	box := make(chan boxed, 64)
	h.mu.Lock()
	h.boxes[id] = box
	h.mu.Unlock()
	h.devices.Connected(x)
	return &session{h, x, box}
}

func (s *session) leave() { s.h.devices.Disconnected(s.x) }

// say sends commands.
func (s *session) say(all ...command.Command) {
	s.h.t.Helper()
	for _, c := range all {
		payload, err := command.Append(nil, c)
		if err != nil {
			s.h.t.Fatal(err)
		}
		s.h.devices.Published(s.h.t.Context(), s.x, topic.Topic{Kind: topic.CommandUp, ID: s.x.Device}, payload, false, func(err error) {
			if err != nil {
				s.h.t.Errorf("%T: %v", c, err)
			}
		})
	}
}

// begin is the start of a board that runs image.
func (s *session) begin(image []byte) {
	s.h.t.Helper()
	s.say(command.OtaBegin{SHA256: sha256.Sum256(image)}, command.DeviceBegin{Version: "2.9.0"}, command.ThingBegin{})
}

// first is the same of the first generation.
func (s *session) first(image []byte, failed int64) {
	s.h.t.Helper()
	sha := sha256.Sum256(image)
	s.tell(senml.Record{Name: "LIB_VERSION", Kind: senml.Text, Text: "1.15.1"}, senml.Record{Name: "OTA_CAP", Kind: senml.Bool, Int: 1},
		senml.Record{Name: "OTA_ERROR", Kind: senml.Int, Int: failed}, senml.Record{Name: "OTA_SHA256", Kind: senml.Text, Text: strings.ToUpper(hexOf(sha))})
	s.h.devices.Subscribed(s.x, topic.Topic{Kind: topic.DeviceIn, ID: s.x.Device}, 0)
}

func (s *session) tell(records ...senml.Record) {
	s.h.devices.Published(s.h.t.Context(), s.x, topic.Topic{Kind: topic.DeviceOut, ID: s.x.Device}, senml.AppendBoard(nil, records), false, func(err error) {
		if err != nil {
			s.h.t.Error(err)
		}
	})
}

// got empties the box and returns the update in it, if there is one.
func (s *session) got() (command.OtaUpdate, bool) {
	s.h.t.Helper()
	var found command.OtaUpdate
	ok := false
	for {
		select {
		case m := <-s.box:
			if c, err := command.Decode(m.payload); err == nil {
				if u, is := c.(command.OtaUpdate); is {
					if ok {
						s.h.t.Error("two updates at once")
					}
					found, ok = u, true
				}
			}
			continue
		default:
		}
		return found, ok
	}
}

// offer is got where there must be one.
func (s *session) offer() command.OtaUpdate {
	s.h.t.Helper()
	u, ok := s.got()
	if !ok {
		s.h.t.Fatal("the device was not told of its update")
	}
	return u
}

func (s *session) progress(u command.OtaUpdate, state command.OtaState, data int32) {
	s.h.t.Helper()
	s.say(command.OtaProgress{ID: u.ID, State: state, Data: data, Time: uint64(s.h.clock().UnixMicro())})
}

// program is an image of n bytes that no other seed makes.
func program(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.IntN(40)) // so that some of it repeats
	}
	return b
}

const nano = otafile.Magic(0x23418057)

func encoded(t testing.TB, image []byte, m otafile.Magic) []byte {
	t.Helper()
	file, err := otafile.Encode(image, m)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// upload makes an image of a program.
func (h *house) upload(who access.Actor, image []byte, m otafile.Magic) Image {
	h.t.Helper()
	i, err := h.Upload(h.t.Context(), who, who.Space, "firmware.ota", true, bytes.NewReader(encoded(h.t, image, m)))
	if err != nil {
		h.t.Fatal(err)
	}
	return i
}

// status is how far an update is: status, error, state.
func (h *house) status(id string) string {
	h.t.Helper()
	u, _, err := h.Get(h.t.Context(), editor, space, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(string(u.Status) + " " + u.Error)
}

// download fetches the file that a board was told of.
func (h *house) download(u command.OtaUpdate, c Credential) ([]byte, error) {
	h.t.Helper()
	token, ok := strings.CutPrefix(u.URL, "https://ardesia.example.org/ota/")
	if !ok || len(u.URL) > 128 {
		h.t.Fatalf("the address is %q", u.URL)
	}
	r, err := h.File(h.t.Context(), token, c)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// actions are what the journal says of a noun, oldest first.
func (h *house) actions(id string) string {
	h.t.Helper()
	var all []string
	err := h.db.Read(h.t.Context(), func(tx *db.Tx) (err error) {
		all, err = db.Column[string](h.t.Context(), tx, `select action from journal where id = $1 order by number`, id)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := journal.Verify(h.t.Context(), h.db); err != nil {
		h.t.Error(err)
	}
	return strings.Join(all, " ")
}

// api is the room behind a door; tokens are roles, or "other" for the stranger.
func (h *house) api() http.Handler {
	h.t.Helper()
	policy, err := access.New()
	if err != nil {
		h.t.Fatal(err)
	}
	d, err := door.New(door.Config{KeyRate: door.Rate{PerMinute: -1}, OpenRate: door.Rate{PerMinute: -1}}, door.Needs{
		Log: slog.New(slog.NewTextHandler(h.t.Output(), nil)), Now: h.clock, Policy: policy,
		Identify: func(_ context.Context, token string) (access.Actor, error) {
			if token == "other" {
				return stranger, nil
			}
			return access.Actor{Kind: access.User, ID: editor.ID, Space: space, Role: access.Role(token)}, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) { return who, nil },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	handler, err := d.Handler(h.Routes(h.devices.Load))
	if err != nil {
		h.t.Fatal(err)
	}
	return handler
}

// soon waits for something that another goroutine brings about.
func soon(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !is() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: it did not happen", what)
		}
	}
}
