package mqtt

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// stage is a broker that runs for one test.
type stage struct {
	t         testing.TB
	b         *Broker
	h         *keeper
	authority *mqtttest.Authority
	nets      map[string]net.Listener
	stop      func() error
	log       *bytes.Buffer
}

// authorities are made once: a key costs more than most tests.
var authority = sync.OnceValue(func() *mqtttest.Authority { return mqtttest.NewAuthority("test") })

const serverName = "broker.test"

// start runs a broker with the listeners "cert", "secret", "plain" and "token"; the
// last two are without TLS. change may alter what it is made of.
func start(t testing.TB, change ...func(*Config, *keeper)) *stage {
	t.Helper()
	s := &stage{t: t, h: &keeper{}, authority: authority(), nets: map[string]net.Listener{}, log: &bytes.Buffer{}}
	for _, name := range []string{"cert", "secret", "plain", "token"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s.nets[name] = l
	}
	own := s.authority.Issue(serverName)
	mutual := &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.authority.Pool,
		SessionTicketsDisabled: true, // TLS 1.3 sends tickets as application records
	}
	oneWay := &tls.Config{Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS12, SessionTicketsDisabled: true}
	cfg := Config{
		Listeners: []Listener{
			{Name: "cert", Net: s.nets["cert"], TLS: mutual, Mode: ByCertificate},
			{Name: "secret", Net: s.nets["secret"], TLS: oneWay, Mode: ByPassword},
			{Name: "plain", Net: s.nets["plain"], Mode: ByPassword},
			{Name: "token", Net: s.nets["token"], Mode: ByToken},
		},
		Authenticator: s.h, Handler: s.h, Now: time.Now,
		Log: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg, s.h)
	}
	s.run(cfg)
	return s
}

func (s *stage) run(cfg Config) {
	s.t.Helper()
	b, err := New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.b = b
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		err := <-ended
		if err == nil {
			s.noLeaks()
		}
		return err
	})
	s.t.Cleanup(func() {
		if err := s.stop(); err != nil {
			s.t.Errorf("Run ended with %v", err)
		}
	})
	// Wait until Run serves, as WebSocket wants.
	eventually(s.t, "Run serves", func() bool {
		b.life.Lock()
		defer b.life.Unlock()
		return b.phase == serving
	})
}

// noLeaks fails the test if a goroutine of the broker outlives Run.
func (s *stage) noLeaks() {
	var stacks string
	eventuallyOr(s.t, func() bool {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		for _, g := range strings.Split(stacks, "\n\n") {
			if strings.Contains(g, "internal/base/mqtt.(*Broker)") || strings.Contains(g, "internal/base/mqtt.(*session)") {
				if !strings.Contains(g, "testing.tRunner") && !strings.Contains(g, "_test.go") {
					return false
				}
			}
		}
		return true
	}, func() { s.t.Errorf("goroutines outlive Run:\n%s", stacks) })
}

type lockedWriter struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (w *lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(p)
}

// eventually waits until cond holds.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	eventuallyOr(t, cond, func() { t.Helper(); t.Fatalf("in vain: %s", what) })
}

func eventuallyOr(t testing.TB, cond func() bool, otherwise func()) {
	t.Helper()
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for !cond() {
		select {
		case <-late.C:
			otherwise()
			return
		case <-again.C:
		}
	}
}

// receive waits for a value.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	late := time.NewTimer(10 * time.Second)
	defer late.Stop()
	select {
	case v := <-c:
		return v
	case <-late.C:
		t.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}

// dial opens a TCP connection to a listener.
func (s *stage) dial(listener string) net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.nets[listener].Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return conn
}

// device connects one by its secret, without TLS.
func (s *stage) device(id string, version byte, o ...mqtttest.Options) *mqtttest.Client {
	s.t.Helper()
	c, ack := s.tryDevice(id, version, o...)
	if ack.Code != 0 {
		s.t.Fatalf("device %s refused with %d", id, ack.Code)
	}
	return c
}

func (s *stage) tryDevice(id string, version byte, o ...mqtttest.Options) (*mqtttest.Client, mqtttest.Packet) {
	s.t.Helper()
	opt := mqtttest.Options{}
	if len(o) > 0 {
		opt = o[0]
	}
	if opt.ClientID == "" {
		opt.ClientID = id
	}
	opt.Username = id
	if opt.Password == "" {
		opt.Password = "secret of " + id
	}
	c := mqtttest.New(s.dial("plain"), version)
	ack, err := c.Connect(opt)
	if err != nil {
		s.t.Fatalf("connect %s: %v", id, err)
	}
	return c, ack
}

// user connects one by his token, without TLS.
func (s *stage) user(id, clientID string, version byte) *mqtttest.Client {
	s.t.Helper()
	c := mqtttest.New(s.dial("token"), version)
	ack, err := c.Connect(mqtttest.Options{ClientID: clientID, Username: id, Password: "token of " + id})
	if err != nil || ack.Code != 0 {
		s.t.Fatalf("connect user %s: %v, code %d", id, err, ack.Code)
	}
	return c
}

// board connects one by its certificate, over TLS, and returns the tap.
func (s *stage) board(id string, version byte, cfg *tls.Config) (*mqtttest.Client, *mqtttest.Tap) {
	s.t.Helper()
	tap := mqtttest.NewTap(s.dial("cert"), cfg.MaxVersion != tls.VersionTLS12)
	c := mqtttest.New(tls.Client(tap, cfg), version)
	ack, err := c.Connect(mqtttest.Options{ClientID: id, KeepAlive: 30})
	if err != nil || ack.Code != 0 {
		s.t.Fatalf("connect board %s: %v, code %d", id, err, ack.Code)
	}
	return c, tap
}

// must fails the test for an error, and returns the packet.
func must(t testing.TB) func(mqtttest.Packet, error) mqtttest.Packet {
	return func(p mqtttest.Packet, err error) mqtttest.Packet {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// closed fails the test unless the server closes c's connection. What it sends
// before is returned.
func closed(t testing.TB, c *mqtttest.Client) []mqtttest.Packet {
	t.Helper()
	var before []mqtttest.Packet
	start := time.Now()
	for {
		p, err := c.Read()
		if err != nil {
			if time.Since(start) > 15*time.Second {
				t.Fatal("the connection stays open")
			}
			return before
		}
		before = append(before, p)
	}
}

// A keeper is Authenticator and Handler. What it is told it notes.
type keeper struct {
	mayPublish   func(Identity, string) bool // nil: everything
	maySubscribe func(Identity, string) bool // nil: everything
	publish      func(Identity, string, []byte, byte, func(error))
	subscribed   func(Identity, string, byte)
	connected    func(Identity)
	disconnected func(Identity, error)
	authenticate func(id string) (Identity, error) // nil: everybody who knows his secret

	mu     sync.Mutex
	events []string // guarded by mu
}

var errSecret = problem.New(problem.Unauthenticated, "secret", "That is not the secret.")

func (k *keeper) identity(kind Kind, id string, good bool) (Identity, error) {
	if k.authenticate != nil {
		return k.authenticate(id)
	}
	if !good {
		return Identity{}, errSecret
	}
	return Identity{Kind: kind, ID: id}, nil
}

func (k *keeper) Certificate(_ context.Context, leaf *x509.Certificate, _ string, _ netip.Addr) (Identity, error) {
	return k.identity(Device, leaf.Subject.CommonName, true)
}

func (k *keeper) Password(_ context.Context, name, password, _ string, _ netip.Addr) (Identity, error) {
	return k.identity(Device, name, password == "secret of "+name)
}

func (k *keeper) Token(_ context.Context, name, token, _ string, _ netip.Addr) (Identity, error) {
	return k.identity(User, name, token == "token of "+name)
}

func (k *keeper) MayPublish(id Identity, topic string) bool {
	return k.mayPublish == nil || k.mayPublish(id, topic)
}

func (k *keeper) MaySubscribe(id Identity, topic string) bool {
	return k.maySubscribe == nil || k.maySubscribe(id, topic)
}

func (k *keeper) Publish(id Identity, topic string, payload []byte, qos byte, done func(error)) {
	if k.publish != nil {
		k.publish(id, topic, payload, qos, done)
		return
	}
	k.note("publish %s %s %s %d", id.ID, topic, payload, qos)
	done(nil)
}

func (k *keeper) Subscribed(id Identity, topic string, qos byte) {
	k.note("subscribed %s %s %d", id.ID, topic, qos)
	if k.subscribed != nil {
		k.subscribed(id, topic, qos)
	}
}

func (k *keeper) Connected(id Identity, _ string) {
	k.note("connected %s", id.ID)
	if k.connected != nil {
		k.connected(id)
	}
}

func (k *keeper) Disconnected(id Identity, err error) {
	why := "clean"
	for name, e := range map[string]error{"taken over": ErrTakenOver, "keep-alive": ErrKeepAlive, "half packet": ErrHalfPacket, "slow": ErrSlow,
		"expired": ErrExpired, "stopping": ErrStopping, "network": ErrNetwork, "protocol": ErrProtocol} {
		if errors.Is(err, e) {
			why = name
		}
	}
	if why == "clean" && err != nil {
		why = err.Error()
	}
	k.note("disconnected %s %s", id.ID, why)
	if k.disconnected != nil {
		k.disconnected(id, err)
	}
}

func (k *keeper) note(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events = append(k.events, fmt.Sprintf(format, args...))
}

// told is what was noted so far.
func (k *keeper) told() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]string(nil), k.events...)
}

// toldOnce waits until event was noted.
func (k *keeper) toldOnce(t testing.TB, event string) {
	t.Helper()
	eventuallyOr(t, func() bool { return strings.Contains("\n"+strings.Join(k.told(), "\n")+"\n", "\n"+event+"\n") },
		func() { t.Helper(); t.Fatalf("never told %q, but\n%s", event, strings.Join(k.told(), "\n")) })
}

func clientTLS(conn net.Conn, cfg *tls.Config) net.Conn { return tls.Client(conn, cfg) }

var discard = slog.New(slog.DiscardHandler)

// houseIsEmpty fails the test if something is kept of those who are gone.
func (s *stage) houseIsEmpty(t testing.TB) {
	t.Helper()
	h := s.b.house
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.seats) != 0 || len(h.states) != 0 || len(h.active) != 0 || len(h.kept) != 0 {
		t.Errorf("%d seats, %d states, %d sessions and %d kept states are left", len(h.seats), len(h.states), len(h.active), len(h.kept))
	}
}
