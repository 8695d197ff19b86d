package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A board is one connection that a load makes.
type board struct {
	id, user, pass string
	cert           *tls.Certificate // nil without client certificate
	topic          string           // where it publishes
}

// A target is a broker under load.
type target struct {
	name   string
	addr   string
	tls    *tls.Config // of a client, without its certificate
	pid    int
	boards []board
}

// conn is a minimal MQTT 3.1.1 client: what a benchmark needs and no more, so
// that the load costs as little of the two cores as it can.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func (t *target) dial(b board) (*conn, error) {
	c := t.tls.Clone()
	if b.cert != nil {
		c.Certificates = []tls.Certificate{*b.cert}
	}
	raw, err := net.DialTimeout("tcp", t.addr, 30*time.Second)
	if err != nil {
		return nil, err
	}
	sec := tls.Client(raw, c)
	_ = sec.SetDeadline(time.Now().Add(60 * time.Second))
	if err := sec.Handshake(); err != nil {
		raw.Close()
		return nil, err
	}
	k := &conn{Conn: sec, r: bufio.NewReaderSize(sec, 512)}
	if err := k.connect(b); err != nil {
		k.Close()
		return nil, err
	}
	_ = sec.SetDeadline(time.Time{})
	return k, nil
}

// connect sends CONNECT (MQTT 3.1.1, section 3.1) and waits for CONNACK.
func (k *conn) connect(b board) error {
	flags, fields := byte(2), []string{b.id}
	if b.user != "" {
		flags, fields = 0xc2, append(fields, b.user, b.pass)
	}
	body := append(text(nil, "MQTT"), 4, flags, 0, 120)
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
	kind, ack, err := k.read()
	if err == nil && (kind != 0x90 || ack[2] > 2) {
		err = fmt.Errorf("subscription refused: %x % x", kind, ack)
	}
	return err
}

func (k *conn) read() (byte, []byte, error) {
	kind, err := k.r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, err := binary.ReadUvarint(k.r) // the same form as MQTT's remaining length
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

// A result is what one run measured.
type result struct {
	rate     float64 // acknowledged messages per second
	cpu      float64 // server's µs of processor per message
	p50, p99 time.Duration
	failed   int64
}

// publish keeps window messages of each board under way for the time given, or, when
// rate is not 0, sends that many a second in all. payload is asked for each message.
func (t *target) publish(conns, window int, rate float64, last time.Duration, payload func(board int) []byte) (result, error) {
	boards := make([]*conn, conns)
	var setup errs
	each(conns, 32, func(i int) {
		k, err := t.dial(t.boards[i])
		setup.add(err)
		boards[i] = k
	})
	defer func() {
		for _, k := range boards {
			if k != nil {
				k.Close()
			}
		}
	}()
	if err := setup.first(); err != nil {
		return result{}, fmt.Errorf("%s: connect: %w", t.name, err)
	}

	var acked, failed atomic.Int64
	lats := make([][]time.Duration, conns)
	ctx, stop := context.WithTimeout(context.Background(), last)
	defer stop()
	before := cpuOf(t.pid)
	start := time.Now()
	var wg sync.WaitGroup
	for i, k := range boards {
		wg.Go(func() {
			n, l, err := k.pump(ctx, t.boards[i].topic, window, rate/float64(conns), func() []byte { return payload(i) })
			acked.Add(n)
			lats[i] = l
			if err != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	spent := cpuOf(t.pid) - before
	all := slices.Concat(lats...)
	slices.Sort(all)
	r := result{rate: float64(acked.Load()) / elapsed.Seconds(), failed: failed.Load()}
	if n := len(all); n > 0 {
		r.cpu = float64(spent.Microseconds()) / float64(acked.Load())
		r.p50, r.p99 = all[n/2], all[n*99/100]
	}
	return r, nil
}

// pump publishes until ctx ends, then waits for what is under way.
func (k *conn) pump(ctx context.Context, topic string, window int, rate float64, payload func() []byte) (int64, []time.Duration, error) {
	sent := make([]time.Time, 65536)
	slots := make(chan struct{}, window)
	var lats []time.Duration
	ended := make(chan error, 1)
	go func() {
		for {
			kind, body, err := k.read()
			if err != nil {
				ended <- err
				return
			}
			if kind != 0x40 || len(body) < 2 {
				continue
			}
			lats = append(lats, time.Since(sent[binary.BigEndian.Uint16(body)]))
			<-slots
		}
	}()
	var gap time.Duration
	if rate > 0 {
		gap = time.Duration(float64(time.Second) / rate)
	}
	head := text(nil, topic)
	next := time.Now()
	var err error
	for id := uint16(1); ctx.Err() == nil && err == nil; id++ {
		if id == 0 {
			id = 1
		}
		if gap > 0 {
			next = next.Add(gap)
			select {
			case <-ctx.Done():
				continue
			case <-time.After(time.Until(next)):
			}
		}
		select {
		case slots <- struct{}{}:
		case err = <-ended:
			continue
		case <-ctx.Done():
			continue
		}
		body := append(append(append([]byte{}, head...), byte(id>>8), byte(id)), payload()...)
		sent[id] = time.Now()
		_, err = k.Write(packet(0x32, body))
	}
	for range window { // all slots free: everything was acknowledged
		select {
		case slots <- struct{}{}:
		case e := <-ended:
			return int64(len(lats)), lats, errors.Join(err, e)
		case <-time.After(10 * time.Second):
			k.Close()
			<-ended
			return int64(len(lats)), lats, errors.New("not everything was acknowledged")
		}
	}
	k.Close()
	<-ended
	return int64(len(lats)), lats, err
}

// each runs fn(0..n-1), so many at a time.
func each(n, atOnce int, fn func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{}, atOnce)
	for i := range n {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			fn(i)
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
