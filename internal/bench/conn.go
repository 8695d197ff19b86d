package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A board is one device that a load plays.
type board struct {
	id, user, pass string
	cert           *tls.Certificate // for the listener that wants one; nil if it has none
	topic          string           // where it publishes
	thing          string           // Ardesia's only
	property       string           // of the numbers that it publishes; Ardesia's only
}

// A target is a broker under load.
type target struct {
	name   string
	addr   string // of the listener that asks for a password
	mutual string // of the listener that asks for a certificate
	pid    int    // of the process that listens at addr
	pidTLS int    // of the one that listens at mutual; Mosquitto needs two
	boards []board
	heard  func() int64 // messages that came out at the other side; nil where storing is the other side

	roots *x509.CertPool
	pin   atomic.Pointer[[]byte] // the server's certificate, once it was verified
}

// tls is the TLS of a board: 1.2, its one suite, P-256, no resumption. The server's
// chain is verified once and from then on compared byte by byte, for both brokers: who
// plays a thousand boards on the server's own two cores must not compute for them all.
func (t *target) tls(cert *tls.Certificate) *tls.Config {
	c := &tls.Config{
		ServerName: "localhost", MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, CurvePreferences: []tls.CurveID{tls.CurveP256},
		DynamicRecordSizingDisabled: true, InsecureSkipVerify: true, VerifyConnection: t.verify,
	}
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c
}

func (t *target) verify(s tls.ConnectionState) error {
	leaf := s.PeerCertificates[0]
	if pinned := t.pin.Load(); pinned != nil && bytes.Equal(*pinned, leaf.Raw) {
		return nil
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: t.roots, DNSName: s.ServerName}); err != nil {
		return err
	}
	t.pin.Store(&leaf.Raw)
	return nil
}

// A conn is a minimal MQTT 3.1.1 client: what a benchmark needs and no more, so that
// the load costs as little of the two cores as it can.
type conn struct {
	net.Conn
	r   *bufio.Reader
	out []byte
}

// sources are loopback addresses, so that 28,000 ports are not a limit. A board keeps its
// own: a device that comes from two addresses in turns looks stolen.
const sources = 16

// dial connects board i: with its certificate at the mutual listener, or with its password.
func (t *target) dial(i int, mutual bool, buffer int) (*conn, error) {
	b := &t.boards[i]
	addr, cert := t.addr, (*tls.Certificate)(nil)
	user := b.user
	if mutual {
		addr, cert, user = t.mutual, b.cert, ""
	}
	d := net.Dialer{Timeout: 30 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%sources))}}
	raw, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	sec := tls.Client(raw, t.tls(cert))
	_ = sec.SetDeadline(time.Now().Add(60 * time.Second))
	if err := sec.Handshake(); err != nil {
		raw.Close()
		return nil, err
	}
	k := &conn{Conn: sec, r: bufio.NewReaderSize(sec, buffer)}
	if err := k.connect(b.id, user, b.pass); err != nil {
		k.Close()
		return nil, err
	}
	_ = sec.SetDeadline(time.Time{})
	return k, nil
}

// connect sends CONNECT (MQTT 3.1.1, section 3.1) and waits for CONNACK.
func (k *conn) connect(id, user, pass string) error {
	const keepAlive = 3600 // seconds: nobody pings
	flags, fields := byte(2), []string{id}
	if user != "" {
		flags, fields = 0xc2, append(fields, user, pass)
	}
	body := append(text(nil, "MQTT"), 4, flags, keepAlive>>8, keepAlive&0xff)
	for _, f := range fields {
		body = text(body, f)
	}
	if _, err := k.Write(packet(0x10, body)); err != nil {
		return err
	}
	kind, ack, err := k.read()
	if err != nil {
		return err
	}
	if kind != 0x20 || len(ack) != 2 || ack[1] != 0 {
		return fmt.Errorf("refused: %x % x", kind, ack)
	}
	return nil
}

func (k *conn) subscribe(topic string, qos byte) error {
	if _, err := k.Write(packet(0x82, append(text([]byte{0, 1}, topic), qos))); err != nil {
		return err
	}
	for {
		kind, ack, err := k.read()
		switch {
		case err != nil:
			return err
		case kind != 0x90: // a message may be faster
			continue
		case ack[2] > 2:
			return fmt.Errorf("subscription refused: % x", ack)
		}
		return nil
	}
}

// publish sends a message with QoS 1 in one TLS record, as boards do.
func (k *conn) publish(topic string, id uint16, payload []byte) error {
	n := 2 + len(topic) + 2 + len(payload)
	b := binary.AppendUvarint(append(k.out[:0], 0x32), uint64(n)) // the same form as MQTT's remaining length
	b = text(b, topic)
	b = binary.BigEndian.AppendUint16(b, id)
	k.out = append(b, payload...)
	_, err := k.Write(k.out)
	return err
}

// ack waits for the next PUBACK and returns its packet ID.
func (k *conn) ack() (uint16, error) {
	for {
		head, err := k.r.Peek(4)
		if err != nil {
			return 0, err
		}
		if head[0] == 0x40 && head[1] == 2 {
			id := binary.BigEndian.Uint16(head[2:])
			_, err = k.r.Discard(4)
			return id, err
		}
		if _, _, err := k.read(); err != nil { // something else, for a board that listens
			return 0, err
		}
	}
}

func (k *conn) read() (byte, []byte, error) {
	kind, err := k.r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(k.r)
	if err != nil || n > 1<<20 {
		return 0, nil, errors.Join(err, errors.New("bad length"))
	}
	body := make([]byte, n)
	_, err = io.ReadFull(k.r, body)
	return kind, body, err
}

func packet(kind byte, body []byte) []byte {
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...)
}

func text(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

// A fleet are boards that are connected to one target.
type fleet struct {
	t     *target
	conns []*conn
	acked []int64 // messages by board, since it connected; of the goroutine that plays it
}

// connect connects the first n boards. When they listen, each subscribes as boards do.
func (t *target) connect(n int, listen bool) (*fleet, error) {
	f := &fleet{t: t, conns: make([]*conn, n), acked: make([]int64, n)}
	var failed errs
	each(n, 32, func(i int) {
		k, err := t.dial(i, false, 64)
		if err == nil && listen {
			err = k.subscribe("/a/d/"+t.boards[i].id+"/e/i", 0)
		}
		failed.add(err)
		f.conns[i] = k
	})
	if err := failed.first(); err != nil {
		f.close()
		return nil, fmt.Errorf("%s: connect %d boards: %w", t.name, n, err)
	}
	return f, nil
}

func (f *fleet) close() {
	each(len(f.conns), 32, func(i int) {
		if k := f.conns[i]; k != nil {
			k.Close()
		}
	})
}

// A lane is one side's boards during a step. They stay connected, unless this process may
// not have all connections of both sides open at once: then they come for each round.
type lane struct {
	t     *target
	n     int
	stay  bool
	f     *fleet
	acked []int64 // messages by board of fleets that are gone
}

// use has the boards connected.
func (l *lane) use() (*fleet, error) {
	if l.f != nil {
		return l.f, nil
	}
	var err error
	if l.f, err = l.t.connect(l.n, true); err == nil {
		settle(l.t.pid) // what it writes down of that is no part of a round
	}
	return l.f, err
}

// rest lets them go when the other side needs the room.
func (l *lane) rest() {
	if !l.stay {
		l.leave()
	}
}

func (l *lane) leave() {
	if l.f == nil {
		return
	}
	l.acked = l.counts()
	l.f.close()
	l.f = nil
}

// counts are all messages that were acknowledged, by board.
func (l *lane) counts() []int64 {
	all := make([]int64, l.n)
	copy(all, l.acked)
	if l.f != nil {
		for i, n := range l.f.acked {
			all[i] += n
		}
	}
	return all
}

func (l *lane) sum() (n int64) {
	for _, acked := range l.counts() {
		n += acked
	}
	return n
}

// each runs fn(0..n-1), so many at a time.
func each(n, atOnce int, fn func(i int)) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				fn(int(i))
			}
		})
	}
	wg.Wait()
}

// errs keeps the first error of many goroutines.
type errs struct {
	mu  sync.Mutex
	err error // guarded by mu
}

func (e *errs) add(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

func (e *errs) first() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
