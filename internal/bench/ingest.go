package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// A result is what one round measured.
type result struct {
	rate     float64       // per second
	cpu      time.Duration // the server's, for each; with what it does right afterwards
	p50, p99 time.Duration
	p95      time.Duration // 0 where nobody asks
	worst    time.Duration
	allocs   float64 // pieces of memory that the server asks for, for each; 0 where nobody asks
	bytes    float64
	others   float64 // cores that neither the server nor the load used
}

// Phases of a round.
const (
	warming = iota
	measuring
	ending
)

// ingest keeps window messages of each board under way: warm is not measured, last is. Warm
// is longer where some board has not been acknowledged by then: what its first message costs
// it costs once. It returns when all are acknowledged. A message that is not is an error.
func (f *fleet) ingest(window int, warm, last time.Duration, payload payload) (result, error) {
	var phase atomic.Int32
	var counted atomic.Int64
	var lat histogram
	var failed errs
	var wg sync.WaitGroup
	heard := newBarrier(len(f.conns))
	for i, k := range f.conns {
		wg.Go(func() {
			n, acked, err := k.pump(f.t.boards[i].topic, window, f.acked[i], &phase, &lat, heard, payload)
			f.acked[i] += acked
			counted.Add(n)
			if err != nil {
				failed.add(fmt.Errorf("%s: board %d: %w", f.t.name, i, err))
			}
		})
	}
	sleep(warm)
	heard.wait(30 * time.Second) // who is not acknowledged by then is found out below
	m := meter(f.t.pid)
	phase.Store(measuring)
	sleep(last)
	phase.Store(ending)
	took := time.Since(m.at)
	late := time.AfterFunc(30*time.Second, func() {
		failed.add(errors.New("not everything was acknowledged"))
		f.close()
	})
	wg.Wait()
	late.Stop()
	if err := failed.first(); err != nil {
		return result{}, err
	}
	return m.result(counted.Load(), took, &lat), nil
}

// A barrier is passed when all have come.
type barrier struct {
	left atomic.Int64
	all  chan struct{}
}

func newBarrier(n int) *barrier {
	b := &barrier{all: make(chan struct{})}
	b.left.Store(int64(n))
	return b
}

func (b *barrier) come() {
	if b.left.Add(-1) == 0 {
		close(b.all)
	}
}

func (b *barrier) wait(most time.Duration) {
	select {
	case <-b.all:
	case <-time.After(most):
	}
}

// pump publishes window messages and one more for each that is acknowledged. n are those
// acknowledged while measured.
func (k *conn) pump(topic string, window int, number int64, phase *atomic.Int32, lat *histogram, heard *barrier, payload payload) (n, acked int64, err error) {
	sent := make([]time.Time, window+1)
	come := sync.OnceFunc(heard.come)
	defer come() // nobody waits for one that failed
	var body []byte
	publish := func(id int) error {
		number++
		body = payload(body[:0], number)
		sent[id] = time.Now()
		return k.publish(topic, uint16(id), body)
	}
	for id := 1; id <= window; id++ {
		if err := publish(id); err != nil {
			return n, acked, err
		}
	}
	for under := window; under > 0; {
		got, err := k.ack()
		if err != nil {
			return n, acked, err
		}
		if got == 0 || int(got) > window {
			return n, acked, fmt.Errorf("message %d was acknowledged and not sent", got)
		}
		if acked++; acked == 1 {
			come()
		}
		switch phase.Load() {
		case measuring:
			n++
			lat.add(time.Since(sent[got]))
		case ending:
			under--
			continue
		}
		if err := publish(int(got)); err != nil {
			return n, acked, err
		}
	}
	return n, acked, nil
}

// ring is how many messages of one board may be under way when they are paced.
const ring = 128

// paced sends rate messages a second, all boards in turns, whether those before are
// acknowledged or not. Each counts from when it was due, so that a server that holds the
// sender up gains nothing by it.
func (f *fleet) paced(rate int, warm, last time.Duration, payload payload) (result, error) {
	type slot struct {
		due   [ring]int64 // ns since start
		under atomic.Int32
	}
	slots := make([]slot, len(f.conns))
	var failed errs
	var lat histogram
	var counted, measured atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	total := int(float64(rate) * (warm + last).Seconds())
	per := total / len(f.conns) // the same of each
	if per == 0 {
		return result{}, fmt.Errorf("%d messages are too few for %d boards", total, len(f.conns))
	}
	for i, k := range f.conns {
		wg.Go(func() {
			for range per {
				id, err := k.ack()
				if err != nil {
					failed.add(fmt.Errorf("%s: board %d: %w", f.t.name, i, err))
					return
				}
				due := time.Duration(atomic.LoadInt64(&slots[i].due[id%ring]))
				slots[i].under.Add(-1)
				f.acked[i]++
				if due >= warm {
					lat.add(time.Since(start) - due)
					measured.Add(1)
				}
			}
		})
	}
	var m measure
	var body []byte
	for n := range per * len(f.conns) {
		due := time.Duration(float64(n) / float64(rate) * float64(time.Second)).Truncate(time.Millisecond)
		for early := due - time.Since(start); early > 0; early = due - time.Since(start) {
			nap(early)
		}
		if m.at.IsZero() && due >= warm {
			m = meter(f.t.pid)
		}
		i, id := n%len(f.conns), n/len(f.conns)+1
		if slots[i].under.Add(1) > ring {
			failed.add(fmt.Errorf("%s: %d messages of one board wait", f.t.name, ring))
			break
		}
		atomic.StoreInt64(&slots[i].due[id%ring], int64(due))
		body = payload(body[:0], f.numberOf(i, id))
		if err := f.conns[i].publish(f.t.boards[i].topic, uint16(id), body); err != nil {
			failed.add(err)
			break
		}
		counted.Add(1)
	}
	took := time.Since(m.at)
	late := time.AfterFunc(30*time.Second, func() {
		failed.add(errors.New("not everything was acknowledged"))
		f.close()
	})
	if failed.first() != nil {
		f.close()
	}
	wg.Wait()
	late.Stop()
	if err := failed.first(); err != nil {
		return result{}, err
	}
	return m.result(measured.Load(), took, &lat), nil
}

func (f *fleet) numberOf(i, id int) int64 { return int64(i)<<32 | int64(id) }

// nap is a sleep that wakes up within some 0.1 ms, which time.Sleep does not.
func nap(d time.Duration) {
	t := syscall.NsecToTimespec(int64(d))
	_ = syscall.Nanosleep(&t, nil) // who wakes up early looks at the clock
}

// A payload appends the message with a number: no two of one board are alike.
type payload func(dst []byte, number int64) []byte

// payloadOf makes packs of n bytes as boards send them: a number with noise, and a text
// to fill up. Both change with every message, so that storing them cannot be saved.
func payloadOf(n int) payload {
	pack := func(dst []byte, value float64, note string) []byte {
		return senml.Append(dst, []senml.Record{{Name: "temperature", Kind: senml.Float, Num: value}, {Name: "note", Kind: senml.Text, Text: note}})
	}
	const digits = 12
	room := n - len(pack(nil, noise(1), ""))
	for len(pack(nil, noise(1), strings.Repeat("x", room))) > n {
		room-- // a longer text has a longer head
	}
	fill := strings.Repeat("x", room-digits)
	return func(dst []byte, number int64) []byte {
		var d [32]byte
		text := strconv.AppendInt(d[:0], 1e11+(number+number>>32*7919)%9e11, 10)
		return pack(dst, noise(number), string(text)+fill)
	}
}

// noise is a number around 20 whose last bits are anybody's guess; splitmix64.
func noise(n int64) float64 {
	z := uint64(n) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return 20 + float64(z>>11)/(1<<53)
}
