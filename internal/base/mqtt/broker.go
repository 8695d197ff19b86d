package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Broker is what its name says. All methods may be called from any goroutine.
type Broker struct {
	cfg     Config
	limits  Limits
	handler Handler
	log     *slog.Logger
	engine  *engine
	gate    *gate
	house   *house
	permits chan struct{} // one for each handshake that computes

	relay       func(id Identity, topic string) bool
	onForbidden func(id Identity, topic string, publish bool)
	rightsFor   int64        // ticks
	tick        atomic.Int64 // the janitor's clock, in seconds since New
	serial      atomic.Uint64
	count       counters

	wg      sync.WaitGroup
	life    sync.Mutex
	stopped bool // guarded by life: nothing may be added to wg any more
	closing atomic.Bool
}

// New checks cfg and starts nothing.
func New(cfg Config) (*Broker, error) {
	if cfg.Authenticator == nil || cfg.Handler == nil || cfg.Log == nil || cfg.Now == nil {
		return nil, errors.New("mqtt: a broker needs Authenticator, Handler, Log and Now")
	}
	for _, l := range cfg.Listeners {
		if l.Mode == ByCertificate && l.TLS == nil {
			return nil, errors.New("mqtt: listener " + l.Name + " wants certificates and has no TLS")
		}
	}
	limits := cfg.Limits.withDefaults()
	e, err := newEngine(limits)
	if err != nil {
		return nil, err
	}
	return &Broker{
		cfg: cfg, limits: limits, handler: cfg.Handler, log: cfg.Log,
		engine: e, gate: newGate(limits), house: newHouse(e), permits: make(chan struct{}, limits.Handshakes),
		relay: cfg.Relay, onForbidden: cfg.Forbidden, rightsFor: ticks(limits.RightsFor),
	}, nil
}

// begin adds one to what Run waits for; false when it waits already.
func (b *Broker) begin() bool {
	b.life.Lock()
	defer b.life.Unlock()
	if b.stopped {
		return false
	}
	b.wg.Add(1)
	return true
}

// Run serves until ctx ends. Then it closes the doors, lets the Handler finish
// what it has for up to Limits.StopTimeout, and ends all sessions.
func (b *Broker) Run(ctx context.Context) error {
	doors, closeDoors := context.WithCancel(context.WithoutCancel(ctx))
	defer closeDoors()
	var loops sync.WaitGroup
	for _, l := range b.cfg.Listeners {
		loops.Go(func() { b.accept(doors, l) })
	}
	janitor, stopJanitor := context.WithCancel(context.WithoutCancel(ctx))
	var sweeping sync.WaitGroup
	sweeping.Go(func() { b.sweep(janitor) })

	<-ctx.Done()
	b.closing.Store(true)
	closeDoors()
	for _, l := range b.cfg.Listeners {
		_ = l.Net.Close() // closed already is fine
	}
	b.gate.abortOpening()
	loops.Wait()
	for _, s := range b.house.all() {
		s.stop()
	}
	b.await()
	stopJanitor()
	sweeping.Wait()
	return ctx.Err()
}

// await waits for all goroutines, in the end without the Handler's consent.
func (b *Broker) await() {
	gone := make(chan struct{})
	late := time.AfterFunc(b.limits.StopTimeout, func() {
		for _, s := range b.house.all() {
			s.end(ErrStopping, EndedStopping, 0)
			s.abort()
		}
		b.gate.abortOpening()
	})
	defer late.Stop()
	go func() {
		for _, s := range b.house.all() {
			<-s.done
		}
		b.life.Lock()
		b.stopped = true
		b.life.Unlock()
		b.wg.Wait()
		close(gone)
	}()
	<-gone
}

// sweep is the janitor: it moves the clock and ends what took too long.
func (b *Broker) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n := b.tick.Add(1)
		b.gate.tick(time.Unix(n, 0))
		now := b.cfg.Now()
		for _, s := range b.house.all() {
			s.check(n, now)
		}
		b.house.expire(n)
	}
}

// Send gives a message to everyone who subscribed to topic and may hear it now. It
// copies payload and does not block.
func (b *Broker) Send(topic string, payload []byte, qos byte) {
	b.send(newMessage(topic, payload, qos), "")
}

// send passes m on; from is the state that published it, "" for none.
func (b *Broker) send(m *message, from string) {
	b.engine.hearers(m.topic, func(h hearer) {
		if h.noLocal && h.id == from {
			return
		}
		if st := b.house.state(h.id); st == nil || !st.deliver(m, h) {
			b.count.lost.Add(1)
		}
	})
}

// Heard says whether anybody subscribed to topic, whether they may hear it or not.
func (b *Broker) Heard(topic string) bool {
	heard := false
	b.engine.hearers(topic, func(hearer) { heard = true })
	return heard
}

// Drop ends all sessions of an identity, and what is kept of them.
func (b *Broker) Drop(kind Kind, id string, reason error) {
	for _, s := range b.house.of(kind, id) {
		s.end(reason, EndedDropped, codeAdministrative)
	}
	b.house.evict(kind, id)
}

// Recheck has the Handler asked anew what an identity may do.
func (b *Broker) Recheck(kind Kind, id string) { b.house.recheck(kind, id) }

// Sessions lists who is connected.
func (b *Broker) Sessions() []Session {
	var all []Session
	for _, s := range b.house.all() {
		out := Session{
			Identity: s.who, ClientID: s.clientID, Remote: s.remote, Listener: s.listener,
			Version: int(s.version), Since: s.since, KeepAlive: s.keepAlive,
		}
		if s.sock != nil {
			out.BytesIn, out.BytesOut = s.sock.in.Load(), s.sock.out.Load()
		}
		all = append(all, out)
	}
	return all
}
