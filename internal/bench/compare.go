package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// turns runs both sides so many times, one after the other, so that noise meets both.
func turns(ctx context.Context, rounds int, ours, theirs func() (result, error)) (a, m []result, err error) {
	for range rounds {
		for _, side := range []struct {
			run func() (result, error)
			all *[]result
		}{{ours, &a}, {theirs, &m}} {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			r, err := side.run()
			if err != nil {
				return nil, nil, err
			}
			*side.all = append(*side.all, r)
		}
	}
	return a, m, nil
}

// pace is how many messages a second all boards together send where that is fixed.
const pace = 5000

// ingest measures messages as fast as they go, and at a fixed rate.
func (b *bench) ingest(ctx context.Context, n int, ours, theirs *lane) error {
	rounds := b.rounds
	if !ours.stay {
		rounds = (rounds + 1) / 2 // each begins with thousands of connections
	}
	compare := func(run load) (x, y []result, err error) {
		return turns(ctx, rounds, func() (result, error) { return ours.round(run) }, func() (result, error) { return theirs.round(run) })
	}
	window := min(10, max(1, 10_000/n))
	fast := func(bytes int) load {
		return func(f *fleet) (result, error) { return f.ingest(window, b.warm, b.last, payloadOf(bytes)) }
	}
	if !b.skips("ingest") {
		sizes := []int{50, 200}
		if n > 1000 {
			sizes = sizes[:1] // how it grows, one can tell from these
		}
		for _, size := range sizes {
			progress("%d devices: %d bytes as fast as they go", n, size)
			x, y, err := compare(fast(size))
			if err != nil {
				return err
			}
			b.report.ingest(fmt.Sprintf("%s × %d | %d B", count(n), window, size), x, y)
			if b.profile != "" {
				name := fmt.Sprintf("ingest-%d-%d", n, size)
				if err := b.profiled(ctx, name, func() error { _, err := ours.round(fast(size)); return err }); err != nil {
					return err
				}
			}
		}
		if n == b.devices[0] {
			// What a relay does less of when it has nobody to relay to.
			progress("%d devices: 50 bytes, nobody subscribed to Mosquitto", n)
			heard := theirs.t.heard
			b.relay.subscribe.Close()
			theirs.t.heard = nil
			x, y, err := compare(fast(50))
			if err != nil {
				return err
			}
			theirs.t.heard = heard
			b.report.ingest(fmt.Sprintf("%s × %d, nobody subscribed to Mosquitto | 50 B", count(n), window), x, y)
			if err := b.relay.listen(); err != nil {
				return err
			}
		}
	}
	if b.skips("paced") {
		return nil
	}
	progress("%d devices: %d messages/s", n, pace)
	paced := func(f *fleet) (result, error) { return f.paced(pace, b.warm, b.last, payloadOf(50)) }
	x, y, err := compare(paced)
	if err != nil {
		return err
	}
	b.report.paced(n, x, y)
	if b.profile == "" {
		return nil
	}
	return b.profiled(ctx, fmt.Sprintf("paced-%d", n), func() error { _, err := ours.round(paced); return err })
}

// A load is one round of one side.
type load func(f *fleet) (result, error)

// round runs a load, and sees that what was acknowledged has come out where the target
// has another side.
func (l *lane) round(run load) (result, error) {
	f, err := l.use()
	if err != nil {
		return result{}, err
	}
	defer l.rest()
	before := l.sum()
	if l.t.heard == nil {
		return run(f)
	}
	heard := l.t.heard()
	r, err := run(f)
	if err != nil {
		return r, err
	}
	return r, arrived(l.t, heard+l.sum()-before)
}

// arrived waits until what was acknowledged has come out at the other side.
func arrived(t *target, want int64) error {
	for range 500 {
		if t.heard() >= want {
			break
		}
		sleep(20 * time.Millisecond)
	}
	if got := t.heard(); got != want {
		return fmt.Errorf("%s acknowledged %d messages and relayed %d", t.name, want, got)
	}
	return nil
}

// connects measures connections of boards with certificates: TLS in full, CONNECT,
// CONNACK, good-bye.
func (b *bench) connects(ctx context.Context, n int) error {
	progress("%d devices: connections with certificates", n)
	side := func(t *target) func() (result, error) {
		return func() (result, error) { return t.storm(n, b.warm, b.last) }
	}
	x, y, err := turns(ctx, b.rounds, side(&b.house.target), side(&b.relay.target))
	if err != nil {
		return err
	}
	b.report.connects(n, x, y)
	if b.profile == "" {
		return nil
	}
	return b.profiled(ctx, fmt.Sprintf("connect-%d", n), func() error { _, err := b.house.storm(n, b.warm, b.last); return err })
}

// dialers are how many connections are being made at once.
const dialers = 16

// storm connects n boards one after the other, again and again.
func (t *target) storm(n int, warm, last time.Duration) (result, error) {
	var phase atomic.Int32
	var counted atomic.Int64
	var lat histogram
	var failed errs
	var wg sync.WaitGroup
	for first := range min(n, dialers) {
		wg.Go(func() {
			for i := first; phase.Load() != ending && failed.first() == nil; i += dialers {
				if i >= n {
					i = first // two dialers never have one board
				}
				began := time.Now()
				k, err := t.dial(i, true, 64)
				if err != nil {
					failed.add(fmt.Errorf("%s: connect with a certificate: %w", t.name, err))
					return
				}
				if phase.Load() == measuring {
					counted.Add(1)
					lat.add(time.Since(began))
				}
				_, _ = k.Write([]byte{0xe0, 0}) // DISCONNECT; whether it arrives is no matter
				k.Close()
			}
		})
	}
	sleep(warm)
	m := meter(t.pidTLS)
	phase.Store(measuring)
	sleep(last)
	phase.Store(ending)
	took := time.Since(m.at)
	counts := counted.Load()
	wg.Wait()
	if err := failed.first(); err != nil {
		return result{}, err
	}
	return m.result(counts, took, &lat), nil
}
