package homeassistant

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door/doortest"
)

const space = fleettest.Space

var (
	editor = fleettest.Editor
	admin  = access.Actor{Kind: access.User, ID: "a1000000-0000-4000-8000-000000000009", Space: space, Role: access.Admin}
	actors = func() map[string]access.Actor {
		all := maps.Clone(fleettest.Actors)
		all["admin"] = admin
		return all
	}()
)

// A house is this room with the real ones below it, and a broker, within a test.
type house struct {
	*Service
	*fleettest.Rooms
	t      testing.TB
	clock  *fleettest.Clock
	ground fleettest.Ground
	broker *broker
	http   http.Handler
	leave  func() // stops the room alone
	stop   func()
}

func eachHouse(t *testing.T, test func(t *testing.T, h *house)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, newHouse(t, e)) })
	}
}

func newHouse(t testing.TB, e db.Engine) *house {
	t.Helper()
	clock := fleettest.At(fleettest.Noon)
	h := &house{t: t, clock: clock, ground: fleettest.On(t, e, clock.Now), broker: newBroker(t)}
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
	if h.Rooms, err = fleettest.New(context.Background(), h.ground); err != nil {
		h.t.Fatal(err)
	}
	h.Service, err = New(context.Background(), Needs{
		Store: SQL(h.ground.Core, h.Ring), Things: h.Things, Devices: h.Devices, Values: &h.Things.Changes, Comings: &h.Devices.Changes,
		Base: func() string { return "https://ardesia.example.org" }, Now: h.clock.Now, Log: h.ground.Log,
		Config: Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Version: "test", Retry: 5 * time.Millisecond},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	below := fleettest.Run(h.t, h.History.Run)
	h.leave = fleettest.Run(h.t, h.Service.Run)
	h.stop = func() {
		h.leave()
		below()
	}
	h.http = doortest.Handler(h.t, h.ground.Log, h.clock.Now, h.Policy, actors, slices.Concat(h.Routes(), h.Things.Routes()))
}

// A broker is what Home Assistant has. It keeps what it is told while nobody is let in.
type broker struct {
	*mqtt.Server
	t  testing.TB
	ln *gate

	mu   sync.Mutex
	told []string // guarded by mu: TOPIC=PAYLOAD as it came, of what a subscriber hears
}

func newBroker(t testing.TB) *broker {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{Server: mqtt.New(&mqtt.Options{InlineClient: true, Logger: slog.New(slog.DiscardHandler)}), t: t, ln: &gate{Listener: ln}}
	if err := b.AddHook(new(auth.AllowHook), nil); err != nil {
		t.Fatal(err)
	}
	if err := b.AddListener(listeners.NewNet("tcp", b.ln)); err != nil {
		t.Fatal(err)
	}
	if err := b.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.ln.shut(true)
		_ = b.Close()
	})
	if err := b.Subscribe("#", 1, func(_ *mqtt.Client, _ packets.Subscription, pk packets.Packet) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.told = append(b.told, pk.TopicName+"="+string(pk.Payload))
	}); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *broker) address() string { return "mqtt://" + b.ln.Addr().String() }

// kept is what it keeps of a topic; "" for nothing.
func (b *broker) kept(topic string) string {
	pk, ok := b.Topics.Retained.Get(topic)
	if !ok {
		return ""
	}
	return string(pk.Payload)
}

// all are the topics of which it keeps something, below a prefix.
func (b *broker) all(prefix string) (all []string) {
	for topic := range b.Topics.Retained.GetAll() {
		if strings.HasPrefix(topic, prefix) {
			all = append(all, topic)
		}
	}
	slices.Sort(all)
	return all
}

// containing is how often something was told on a topic in which a text is.
func (b *broker) containing(topic, text string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, one := range b.told {
		if strings.HasPrefix(one, topic+"=") && strings.Contains(one, text) {
			n++
		}
	}
	return n
}

func (b *broker) say(topic, payload string, retain bool) {
	b.t.Helper()
	if err := b.Publish(topic, []byte(payload), retain, 1); err != nil {
		b.t.Fatal(err)
	}
}

// A gate lets connections in while it is open.
type gate struct {
	net.Listener
	mu     sync.Mutex
	closed bool       // guarded by mu
	open   []net.Conn // guarded by mu
}

func (g *gate) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g.mu.Lock()
		if g.closed {
			g.mu.Unlock()
			_ = c.Close()
			continue
		}
		g.open = append(g.open, c)
		g.mu.Unlock()
		return c, nil
	}
}

// shut cuts all connections and lets none in, or lets them in again.
func (g *gate) shut(yes bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = yes
	for _, c := range g.open {
		_ = c.Close()
	}
	g.open = nil
}

// thing makes a thing with a board and properties of the given types; those whose name begins with "sensor" are read only.
func (h *house) thing(name string, types map[string]string, tags ...thing.Tag) thing.Thing {
	h.t.Helper()
	d, err := h.Devices.Create(h.t.Context(), editor, device.Device{Name: name, Type: "generic_device_secretkey"})
	if err != nil {
		h.t.Fatal(err)
	}
	t := thing.Thing{Name: name, Timezone: "Europe/Rome", Device: d.ID, Tags: tags}
	for _, key := range slices.Sorted(maps.Keys(types)) {
		p := thing.Property{Name: key, Type: thing.TypeOf(types[key]), Permission: thing.ReadWrite, Strategy: thing.OnChange, Persist: true}
		if strings.HasPrefix(key, "sensor") {
			p.Permission = thing.ReadOnly
		}
		t.Properties = append(t.Properties, p)
	}
	if t, err = h.Things.Create(h.t.Context(), editor, t, false); err != nil {
		h.t.Fatal(err)
	}
	return t
}

func property(t thing.Thing, name string) thing.Property {
	for _, p := range t.Properties {
		if p.Name == name {
			return p
		}
	}
	panic("no property " + name)
}

// connect has a device come in.
func (h *house) connect(id string) *device.Session {
	h.t.Helper()
	const secret = "a secret key of a board"
	if err := h.Devices.SetSecret(h.t.Context(), editor, space, id, secret); err != nil {
		h.t.Fatal(err)
	}
	x, err := h.Devices.Authenticate(h.t.Context(), id, secret, id, netip.MustParseAddr("192.0.2.1"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.Devices.Connected(x)
	return x
}

// say has the board of a thing say a value.
func (h *house) say(t thing.Thing, name, value string) {
	h.t.Helper()
	h.clock.Pass(time.Millisecond)
	if err := h.Things.Report(h.t.Context(), editor, t.ID, []thing.Write{{Property: property(t, name).ID, JSON: json.RawMessage(value)}}); err != nil {
		h.t.Fatal(err)
	}
}

// value is what a property is, as JSON; "" for nothing yet.
func (h *house) value(t thing.Thing, name string) string {
	last, ok := h.Things.Last(property(t, name))
	if !ok {
		return ""
	}
	return string(thing.JSON(last.Value))
}

const path = "/v1/integrations/homeassistant"

// bridge sets the bridge up, with what else is said, and waits until it is connected.
func (h *house) bridged(more map[string]any) {
	h.t.Helper()
	in := map[string]any{"broker": h.broker.address()}
	maps.Copy(in, more)
	h.want(200, "admin", "PUT", path, in, nil)
	h.connected()
}

func (h *house) shown() (w wireBridge) {
	h.t.Helper()
	h.want(200, "admin", "GET", path, nil, &w)
	return w
}

func (h *house) connected() {
	h.t.Helper()
	fleettest.Eventually(h.t, "a connection", func() bool { return h.shown().State.Status == string(Connected) })
}

// document is what is announced of a thing.
func (h *house) document(t thing.Thing) (d document) {
	h.t.Helper()
	u := setup()
	if text := h.broker.kept(u.configTopic(t.ID)); text != "" {
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			h.t.Fatalf("%v in %s", err, text)
		}
	}
	return d
}

func (h *house) rows(table string) (n int) {
	h.t.Helper()
	if err := h.ground.Core.One(context.Background(), func(r db.Row) error { return r.Scan(&n) }, `select count(*) from `+table); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// want makes a request and fails the test when the status is another one.
func (h *house) want(status int, as, method, path string, body any, out any) *httptest.ResponseRecorder {
	h.t.Helper()
	return doortest.Want(h.t, h.http, status, as, method, path, body, out)
}

// ask is want for what may be asked beside the test: it says the status.
func (h *house) ask(as, method string, body any) int {
	text, err := json.Marshal(body)
	if err != nil {
		return 0
	}
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, bytes.NewReader(text))
	r.Header.Set("Authorization", "Bearer "+as)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.http.ServeHTTP(w, r)
	return w.Code
}

// nobody hangs up on who comes.
func nobody(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			_ = c.Close()
		}
	}()
	return ln.Addr().String()
}
