package mqtt

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// pipes is a listener in memory, for tests in which time is synctest's.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPipes() *pipes {
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	return l
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipes) Close() error   { l.close(); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// from is a connection that seems to come from an address.
type from struct {
	net.Conn
	addr netip.AddrPort
}

func (c from) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.addr) }

// open connects as if from addr; "" for no address.
func (l *pipes) open(t testing.TB, addr string) net.Conn {
	ours, theirs := net.Pipe()
	if addr != "" {
		theirs = from{theirs, netip.MustParseAddrPort(addr)}
	}
	select {
	case l.conns <- theirs:
	case <-l.done:
		t.Fatal("the listener is closed")
	}
	return ours
}

// dial connects a device by its secret.
func (l *pipes) dial(t testing.TB, version byte, id string, o mqtttest.Options) *mqtttest.Client {
	t.Helper()
	o.ClientID, o.Username, o.Password = id, id, "secret of "+id
	c := mqtttest.New(l.open(t, ""), version)
	if ack, err := c.Connect(o); err != nil || ack.Code != 0 {
		t.Fatalf("connect %s: %v, code %d", id, err, ack.Code)
	}
	return c
}

// startPipes runs a broker on a listener in memory. The test must call stopPipes
// before it ends.
func startPipes(t testing.TB, change func(*Config, *keeper)) (*stage, *pipes) {
	t.Helper()
	l := newPipes()
	s := &stage{t: t, h: &keeper{}}
	cfg := Config{
		Listeners:     []Listener{{Name: "pipes", Net: l, Mode: ByPassword}},
		Authenticator: s.h, Handler: s.h, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if change != nil {
		change(&cfg, s.h)
	}
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.b = b
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	s.stop = func() error {
		cancel()
		return <-ended
	}
	synctest.Wait()
	return s, l
}

func (s *stage) stopPipes(t testing.TB) {
	t.Helper()
	if err := s.stop(); err != nil {
		t.Errorf("Run ended with %v", err)
	}
}
