package fault

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// eager is the SDK with short waits, so that much happens in little time.
var eager = device.Timing{
	Dial: 5 * time.Second, Answer: 5 * time.Second, Publish: patience,
	Reconnect: 20 * time.Millisecond, ReconnectMax: 100 * time.Millisecond,
	Attach: 5 * time.Second, Detached: 5 * time.Second, LastValues: 5 * time.Second, Resume: 100 * time.Millisecond,
}

// A recipe says how a board differs from a simple one: generation 2, a secret key.
type recipe struct {
	generation int
	first      int           // the number of its first round of values
	every      time.Duration // between two rounds; 0: 8 ms
	timing     *device.Timing
	dial       func(ctx context.Context) (net.Conn, error) // to the listener, without TLS; nil: straight
	flight     int                                         // messages that wait for an acknowledgement at a time; 0: 16
	identity   func() (tls.Certificate, error)             // nil: the secret key
}

// A board is our SDK and a sketch that sets all its variables again and again. It remembers what
// was acknowledged.
type board struct {
	t      *testing.T
	id     string
	recipe recipe
	place  *place
	roots  *x509.CertPool
	client *device.Client
	skew   atomic.Int64 // of its clock, in ns
	vars   []variable

	cancel context.CancelFunc // of life; nil while it is off
	life   sync.WaitGroup
	mute   context.CancelFunc // of the sketch
	sketch sync.WaitGroup

	mu      sync.Mutex
	round   int                      // guarded by mu, as all below; the next one
	want    map[string]any           // what each variable was set to last
	acked   map[string]map[int64]any // by name and ms since 1970
	last    map[string]device.Sample // acknowledged, with the latest time
	newest  map[string]any           // acknowledged last
	count   int                      // of acknowledged values
	seen    map[device.EventKind]int // events so far
	failure error                    // of the last Failed or Disconnected
	moved   chan struct{}            // closed when any of these changes
	dialled net.Conn                 // the latest connection
}

// A variable is one of the sketch: how it is set in a round, and to what.
type variable struct {
	name, kind string // kind as the API calls it
	property   device.Property
	set        func(n int) any
}

func typed[T any](v *device.Variable[T], kind string, value func(n int) T) variable {
	return variable{v.Name(), kind, v, func(n int) any {
		x := value(n)
		v.Set(x)
		return x
	}}
}

// variables are of several types. Each value of a number, text or place is set once only.
func variables() []variable {
	only := device.ReadOnly
	return []variable{
		typed(device.Float("temperature", only), "FLOAT", func(n int) float64 { return float64(n) * 0.25 }),
		typed(device.Int("counter", only), "INT", func(n int) int64 { return int64(n) }),
		typed(device.Bool("door", only), "STATUS", func(n int) bool { return n%2 == 0 }),
		typed(device.String("word", only), "CHARSTRING", func(n int) string { return fmt.Sprintf("round %d, and è un'altra", n) }),
		typed(device.Location("place", only), "LOCATION", func(n int) device.LocationValue {
			return device.LocationValue{Lat: float64(n%180) / 2, Lon: float64(n) / 1024}
		}),
		typed(device.Color("lamp", only), "COLOR_HSB", func(n int) device.ColorValue {
			return device.ColorValue{Hue: float64(n % 360), Saturation: 50, Brightness: float64(n%200) / 2}
		}),
	}
}

// newBoard makes a board that is switched off.
func newBoard(t *testing.T, w *place, ca, id string, r recipe) *board {
	t.Helper()
	if r.every == 0 {
		r.every = 8 * time.Millisecond
	}
	if r.timing == nil {
		r.timing = &eager
	}
	b := &board{
		t: t, id: id, recipe: r, place: w, vars: variables(), round: r.first,
		want: map[string]any{}, acked: map[string]map[int64]any{}, last: map[string]device.Sample{}, newest: map[string]any{},
		seen: map[device.EventKind]int{}, moved: make(chan struct{}),
	}
	var err error
	if b.roots, err = device.RootsFromFile(ca); err != nil {
		t.Fatal(err)
	}
	c := device.Config{
		Host: "localhost", DeviceID: id, SecretKey: secret, Generation: r.generation, Now: b.now,
		QoS: 1, InFlight: r.flight, Queue: 1 << 20, Pace: time.Millisecond, Timing: *r.timing,
		Dial: b.dial, OnEvent: b.event, Acknowledged: b.acknowledged,
	}
	if r.identity != nil {
		c.SecretKey, c.Certificate = "", &tls.Certificate{} // Dial knows the real one
	}
	for _, v := range b.vars {
		c.Properties = append(c.Properties, v.property)
		b.acked[v.name] = map[int64]any{}
	}
	if b.client, err = device.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.off)
	return b
}

func (b *board) now() time.Time { return time.Now().Add(time.Duration(b.skew.Load())) }

// dial is what the SDK does by itself, to where the house is now.
func (b *board) dial(ctx context.Context) (net.Conn, error) {
	settings := &tls.Config{ServerName: "localhost", RootCAs: b.roots, MinVersion: tls.VersionTLS12, Time: b.now}
	door := "mqtt-password"
	if b.recipe.identity != nil {
		door = "mqtt-cert"
		cert, err := b.recipe.identity()
		if err != nil {
			return nil, err
		}
		settings.Certificates = []tls.Certificate{cert}
	}
	dial := b.recipe.dial
	if dial == nil {
		dial = func(ctx context.Context) (net.Conn, error) { return b.place.dial(ctx, door) }
	}
	plain, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(plain, settings)
	if err := conn.HandshakeContext(ctx); err != nil {
		plain.Close()
		return nil, err
	}
	b.note(func() { b.dialled = plain })
	return conn, nil
}

// hangUp breaks the connection on the board's side.
func (b *board) hangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dialled.Close()
}

// note changes what is guarded, and wakes who waits for it.
func (b *board) note(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.moved)
	b.moved = make(chan struct{})
}

func (b *board) event(e device.Event) {
	b.note(func() {
		b.seen[e.Kind]++
		if e.Err != nil {
			b.failure = e.Err
		}
	})
}

func (b *board) acknowledged(samples []device.Sample) {
	b.note(func() {
		for _, s := range samples {
			values, ours := b.acked[s.Name]
			if !ours {
				continue // the time zone's
			}
			if was, twice := values[s.At.UnixMilli()]; twice && was != s.Value {
				b.t.Errorf("board %s has two values of %s at %v: %v and %v", b.id, s.Name, s.At, was, s.Value)
			}
			values[s.At.UnixMilli()] = s.Value
			b.count++
			b.newest[s.Name] = s.Value
			if !s.At.Before(b.last[s.Name].At) {
				b.last[s.Name] = s
			}
		}
	})
}

// on connects the board and starts its sketch.
func (b *board) on() {
	b.connect()
	b.speak()
}

// connect switches the board on; its sketch waits.
func (b *board) connect() {
	var ctx context.Context
	ctx, b.cancel = context.WithCancel(context.Background())
	b.life.Go(func() {
		if err := b.client.Run(ctx); !errors.Is(err, context.Canceled) {
			b.t.Errorf("board %s ended with %v", b.id, err)
		}
	})
}

// speak starts the sketch.
func (b *board) speak() {
	var ctx context.Context
	ctx, b.mute = context.WithCancel(context.Background())
	b.sketch.Go(func() {
		tick := time.NewTicker(b.recipe.every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				b.set()
			}
		}
	})
}

// set is one round of the sketch.
func (b *board) set() {
	b.mu.Lock()
	n := b.round
	b.round++
	b.mu.Unlock()
	for _, v := range b.vars {
		value := v.set(n)
		b.mu.Lock()
		b.want[v.name] = value
		b.mu.Unlock()
	}
}

// hush ends the sketch.
func (b *board) hush() {
	if b.mute != nil {
		b.mute()
		b.sketch.Wait()
		b.mute = nil
	}
}

// off switches the board off, without a word to the house.
func (b *board) off() {
	b.hush()
	if b.cancel != nil {
		b.cancel()
		b.life.Wait()
		b.cancel = nil
	}
}

// await waits until holds, which is called with mu held.
func (b *board) await(what string, holds func() bool) {
	b.t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		b.mu.Lock()
		done, moved := holds(), b.moved
		b.mu.Unlock()
		if done {
			return
		}
		select {
		case <-moved:
		case <-late.C:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("board %s waited in vain for %s: %d values are acknowledged, %d wait, events %v, last error %v",
				b.id, what, b.count, b.client.Stats().Queued, b.seen, b.failure)
		}
	}
}

// awaitEvent waits for the n-th event of a kind, counted from when the board was made.
func (b *board) awaitEvent(kind device.EventKind, n int) {
	b.t.Helper()
	b.await(fmt.Sprintf("event %q number %d", kind, n), func() bool { return b.seen[kind] >= n })
}

// events says how many of a kind there were.
func (b *board) events(kind device.EventKind) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[kind]
}

// awaitValues waits until n more values are acknowledged.
func (b *board) awaitValues(n int) {
	b.t.Helper()
	until := b.acknowledgedCount() + n
	b.await(fmt.Sprintf("%d values", n), func() bool { return b.count >= until })
}

func (b *board) acknowledgedCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// drain ends the sketch and waits until all that it set is acknowledged.
func (b *board) drain() {
	b.t.Helper()
	b.hush()
	b.await("the rest", func() bool {
		for name, value := range b.want {
			if b.newest[name] != value {
				return false
			}
		}
		return true
	})
	if s := b.client.Stats(); s.Queued != 0 || s.Dropped != 0 || s.TooLarge != 0 {
		b.t.Fatalf("board %s has lost values or kept them: %+v", b.id, s)
	}
}

// lasts are the last acknowledged values.
func (b *board) lasts() map[string]device.Sample {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.last)
}

// history is values by name of their property and ms since 1970, as JSON has them.
type history map[string]map[int64]any

// told is what was acknowledged so far.
func (b *board) told() history {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := history{}
	for name, values := range b.acked {
		h[name] = map[int64]any{}
		for at, v := range values {
			h[name][at] = plain(v)
		}
	}
	return h
}

// add puts the values of another board beside those of h.
func (h history) add(o history) {
	for name, values := range o {
		if h[name] == nil {
			h[name] = map[int64]any{}
		}
		maps.Copy(h[name], values)
	}
}

func (h history) len() (n int) {
	for _, values := range h {
		n += len(values)
	}
	return n
}

// plain is a value as encoding/json reads it.
func plain(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case device.LocationValue:
		return map[string]any{"lat": v.Lat, "lon": v.Lon}
	case device.ColorValue:
		return map[string]any{"hue": v.Hue, "sat": v.Saturation, "bri": v.Brightness}
	}
	return v
}

// missing complains about what of want is not in h, or is otherwise.
func (h history) missing(t *testing.T, what string, want history) {
	t.Helper()
	for name, values := range want {
		lost, wrong, example := 0, 0, ""
		for at, v := range values {
			got, there := h[name][at]
			switch {
			case !there:
				lost++
			case !reflect.DeepEqual(got, v):
				wrong++
			default:
				continue
			}
			example = fmt.Sprintf("%v at %v is %v", v, time.UnixMilli(at).UTC(), got)
		}
		if lost+wrong > 0 {
			t.Errorf("%s, %s: of %d values %d are missing and %d otherwise, such as %s", what, name, len(values), lost, wrong, example)
		}
	}
}

// same complains about any difference.
func same(t *testing.T, acknowledged, stored history) {
	t.Helper()
	stored.missing(t, "acknowledged and not stored", acknowledged)
	acknowledged.missing(t, "stored and never acknowledged", stored)
}

// thing is what the board's thing needs.
func inThing(name, deviceID string) map[string]any {
	var properties []any
	for _, v := range variables() {
		properties = append(properties, map[string]any{"name": v.name, "variable_name": v.name, "type": v.kind, "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"})
	}
	in := map[string]any{"name": name, "timezone": "Asia/Kolkata", "properties": properties}
	if deviceID != "" {
		in["device_id"] = deviceID
	}
	return in
}

// names are the properties of a thing, by id.
func names(th client.Thing) map[string]string {
	all := map[string]string{}
	for _, p := range th.Properties {
		all[p.ID] = p.Name
	}
	return all
}
