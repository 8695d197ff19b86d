package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"time"
)

const (
	acceptPause    = 5 * time.Millisecond // after a first failed accept
	acceptPauseMax = time.Second
)

// accept takes connections in until ctx ends. A failed accept, for one when there
// are no file descriptors left, never ends it.
func (b *Broker) accept(ctx context.Context, l Listener) {
	pause := acceptPause
	for b.gate.slot(ctx) {
		raw, err := l.Net.Accept()
		if err == nil {
			pause = acceptPause
			b.receive(raw, l)
			continue
		}
		<-b.gate.slots
		if ctx.Err() != nil || b.closing.Load() {
			return
		}
		b.count.acceptErrors.Add(1)
		if errors.Is(err, net.ErrClosed) {
			b.log.Error("a listener was closed by somebody else", "listener", l.Name)
			return
		}
		if pause == acceptPause {
			b.log.Warn("no connection can be accepted for now", "listener", l.Name, "err", err)
		}
		wait := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-wait.C:
		}
		wait.Stop()
		pause = min(2*pause, acceptPauseMax)
	}
}

// receive passes an accepted connection, which has a slot, through the gate.
func (b *Broker) receive(raw net.Conn, l Listener) {
	b.count.accepted.Add(1)
	remote := addrPortOf(raw.RemoteAddr())
	abort := func() { _ = raw.Close() } // closed already is fine
	in, why := b.gate.enter(remote.Addr(), abort)
	if why == 0 && !b.begin() {
		in.leave()
		why = RefusedStopping
	}
	if why != 0 {
		b.count.refused[why].Add(1)
		abort()
		return
	}
	go func() {
		defer b.wg.Done()
		b.greet(raw, l, in, remote)
	}()
}

// greet brings a connection from accept to a session, which then has a goroutine of
// its own: the handshake has made this one's stack large.
func (b *Broker) greet(raw net.Conn, l Listener, in *guest, remote netip.AddrPort) {
	sock := newSocket(raw)
	sock.heard = in.heard
	s := b.session(sock, l.Name, in, remote)
	s.sock, s.chunk = sock, maxRecord
	late := time.AfterFunc(b.limits.ConnectTimeout, in.sendAway)
	defer late.Stop()
	if tcp, ok := raw.(*net.TCPConn); ok {
		// Who never says anything is found out by TCP alone: see session.check.
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 15 * time.Second, Count: 4})
	}
	if l.TLS != nil {
		secure := tls.Server(sock, l.TLS)
		s.conn = secure
		// The context never ends: with one that can, Go starts a goroutine for it.
		if err := sock.handshake(b.permits, func() error { return secure.HandshakeContext(context.Background()) }); err != nil {
			b.log.Debug("TLS handshake failed", "listener", l.Name, "remote", remote, "err", err)
			b.refuse(s, RefusedHandshake)
			return
		}
	}
	b.open(context.Background(), s, l.Mode)
}

// session is a connection that has not said who it is.
func (b *Broker) session(conn net.Conn, listener string, in *guest, remote netip.AddrPort) *session {
	return &session{
		b: b, conn: conn, abort: in.abort, guest: in, remote: remote, listener: listener,
		limit: b.limits.ConnectBytes, done: make(chan struct{}), room: make(chan struct{}, 1),
	}
}

// packetConn is how mochi writes: its packets wait for their turn like ours.
type packetConn struct {
	net.Conn
	s *session
}

func (c packetConn) Write(p []byte) (int, error) {
	if err := c.s.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}
