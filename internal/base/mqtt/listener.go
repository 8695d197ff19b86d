package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/coder/websocket"
)

// acceptPause is the longest wait after a failed accept: out of file descriptors, mostly.
const acceptPause = time.Second

// accept takes connections in until ctx ends. A failed accept never ends it.
func (b *Broker) accept(ctx context.Context, l Listener) {
	pause := 5 * time.Millisecond
	for b.gate.slot(ctx) {
		raw, err := l.Net.Accept()
		if err != nil {
			<-b.gate.slots
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			b.count.acceptErrors.Add(1)
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			pause = min(2*pause, acceptPause)
			continue
		}
		pause = 5 * time.Millisecond
		b.count.accepted.Add(1)
		remote := addrPortOf(raw.RemoteAddr())
		in, why := b.gate.enter(remote.Addr(), func() { raw.Close() })
		if why != 0 {
			b.count.refused[why].Add(1)
			raw.Close()
			continue
		}
		if !b.begin() {
			in.leave()
			raw.Close()
			return
		}
		go b.greet(raw, l, in, remote)
	}
}

// greet brings a connection from accept to CONNECT.
func (b *Broker) greet(raw net.Conn, l Listener, in *guest, remote netip.AddrPort) {
	sock := newSocket(raw)
	sock.heard = in.heard
	s := b.session(sock, l.Name, in, remote, func() { raw.Close() })
	s.sock, s.chunk = sock, maxRecord
	late := time.AfterFunc(b.limits.ConnectTimeout, s.abort)
	var leaf *tls.ConnectionState
	if l.TLS != nil {
		secure := tls.Server(sock, l.TLS)
		s.conn = secure
		if err := sock.handshake(b.permits, func() error { return secure.HandshakeContext(context.Background()) }); err != nil {
			late.Stop()
			b.refuse(s, RefusedHandshake)
			b.wg.Done()
			return
		}
		state := secure.ConnectionState()
		leaf = &state
	}
	b.open(s, l.Mode, leaf, late)
}

// session is a connection that has not said who it is.
func (b *Broker) session(conn net.Conn, listener string, in *guest, remote netip.AddrPort, abort func()) *session {
	return &session{
		b: b, conn: conn, abort: abort, guest: in, remote: remote, listener: listener,
		limit: b.limits.ConnectBytes, done: make(chan struct{}), room: make(chan struct{}, 1),
	}
}

// WebSocket is the door for user sessions in browsers: MQTT over WebSocket with the
// sub-protocol "mqtt" (MQTT 3.1.1, section 6). Pages of any origin may come: who
// they are is in CONNECT, and no cookie is looked at.
func (b *Broker) WebSocket(listener string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		remote, _ := netip.ParseAddrPort(r.RemoteAddr)
		remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
		wait, cancel := context.WithTimeout(r.Context(), b.limits.ConnectTimeout)
		defer cancel()
		if b.closing.Load() || !b.gate.slot(wait) {
			http.Error(w, "the server is busy", http.StatusServiceUnavailable)
			return
		}
		var ws *websocket.Conn
		in, why := b.gate.enter(remote.Addr(), func() {
			if ws != nil {
				_ = ws.CloseNow()
			}
		})
		if why != 0 {
			b.count.refused[why].Add(1)
			http.Error(w, "too many connections", http.StatusTooManyRequests)
			return
		}
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"mqtt"}, InsecureSkipVerify: true, CompressionMode: websocket.CompressionDisabled})
		if err != nil || !b.begin() {
			in.leave()
			if ws != nil {
				_ = ws.CloseNow()
			}
			return
		}
		b.count.accepted.Add(1)
		in.heard()
		ws.SetReadLimit(int64(b.limits.PacketBytes) + 8)
		conn := websocket.NetConn(context.WithoutCancel(r.Context()), ws, websocket.MessageBinary)
		s := b.session(conn, listener, in, remote, func() { _ = ws.CloseNow() })
		b.open(s, ByToken, nil, time.AfterFunc(b.limits.ConnectTimeout, s.abort))
	})
}

// packetConn is how mochi writes: its packets wait for their turn like ours.
type packetConn struct {
	net.Conn
	s *session
}

func (c packetConn) Write(p []byte) (int, error) { return len(p), c.s.write(p) }
