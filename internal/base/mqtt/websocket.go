package mqtt

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// WebSocket is the door for the sessions of users: MQTT over WebSocket with the
// sub-protocol "mqtt" (MQTT 3.1.1, section 6) and a token. name is what Session
// and logs call it. Pages of any origin may come: who they are is in CONNECT, and
// neither cookies nor the address count for anything.
func (b *Broker) WebSocket(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !offersMQTT(r) {
			http.Error(w, "this address speaks WebSocket with the sub-protocol mqtt", http.StatusBadRequest)
			return
		}
		if !b.begin() {
			b.count.refused[RefusedStopping].Add(1)
			http.Error(w, "the server is starting or stopping", http.StatusServiceUnavailable)
			return
		}
		defer b.wg.Done()
		wait, cancel := context.WithTimeout(r.Context(), b.limits.ConnectTimeout)
		defer cancel()
		if !b.gate.slot(wait) {
			b.count.refused[RefusedTimeout].Add(1)
			http.Error(w, "too many connections are being opened", http.StatusServiceUnavailable)
			return
		}
		b.count.accepted.Add(1)
		remote, _ := netip.ParseAddrPort(r.RemoteAddr)
		remote = netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
		conn := &wsConn{spawn: b.wg.Go}
		in, why := b.gate.enter(remote.Addr(), conn.abort)
		if why != 0 {
			b.count.refused[why].Add(1)
			http.Error(w, "too many connections", http.StatusTooManyRequests)
			return
		}
		in.heard()
		late := time.AfterFunc(b.limits.ConnectTimeout, in.sendAway)
		defer late.Stop()
		if !conn.accept(w, r) {
			b.count.refused[RefusedHandshake].Add(1)
			in.leave()
			return
		}
		b.open(context.WithoutCancel(r.Context()), b.session(conn, name, in, remote), ByToken)
	})
}

func offersMQTT(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		offers := strings.Split(line, ",")
		if slices.ContainsFunc(offers, func(o string) bool { return strings.TrimSpace(o) == "mqtt" }) {
			return true
		}
	}
	return false
}

// A wsConn reads the binary messages of a WebSocket as one stream and writes each
// packet as one message.
type wsConn struct {
	net.Conn                 // nil: no method of it is used
	ctx      context.Context // ends with abort
	ws       *websocket.Conn
	message  io.Reader // what is being read; for the reading goroutine alone
	spawn    func(func())

	mu      sync.Mutex
	cancel  context.CancelFunc // guarded by mu; nil until there is a WebSocket
	aborted bool               // guarded by mu
}

// accept answers the upgrade. It is false when that failed or came too late; then
// there has been an answer.
func (c *wsConn) accept(w http.ResponseWriter, r *http.Request) bool {
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols:       []string{"mqtt"},
		InsecureSkipVerify: true, // any origin: see WebSocket
		CompressionMode:    websocket.CompressionDisabled,
	})
	if err != nil {
		return false
	}
	ws.SetReadLimit(-1) // messages are not collected: a packet has its own bound
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ws = ws
	c.ctx, c.cancel = context.WithCancel(context.Background())
	if c.aborted {
		c.cancel()
		_ = ws.CloseNow()
		return false
	}
	return true
}

// abort closes the connection without a word and without waiting.
func (c *wsConn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.aborted {
		return
	}
	c.aborted = true
	if c.cancel != nil {
		c.cancel() // ends a read, a write or a Close that waits
		c.spawn(func() { _ = c.ws.CloseNow() })
	}
}

func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.message == nil {
			kind, message, err := c.ws.Reader(c.ctx)
			if err != nil {
				return 0, err
			}
			if kind != websocket.MessageBinary {
				_ = c.ws.Close(websocket.StatusUnsupportedData, "MQTT is binary")
				return 0, io.EOF
			}
			c.message = message
		}
		n, err := c.message.Read(p)
		if err == io.EOF {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *wsConn) Write(p []byte) (int, error) {
	if err := c.ws.Write(c.ctx, websocket.MessageBinary, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close says goodbye. It does not wait for an answer for longer than abort takes.
func (c *wsConn) Close() error {
	return c.ws.Close(websocket.StatusNormalClosure, "")
}
