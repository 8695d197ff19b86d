package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// A Broker is what its name says. All methods may be called from any goroutine.
type Broker struct {
	limits    Limits
	auth      Authenticator
	handler   Handler
	log       *slog.Logger
	now       func() time.Time
	listeners []Listener
	engine    *engine
	gate      *gate
	house     *house
	permits   chan struct{} // one for each handshake that computes

	relay     func(id Identity, topic string) bool
	takenOver func(id Identity, from, by netip.Addr)
	forbidden func(id Identity, topic string, publish bool)

	rightsFor int64        // ticks
	tick      atomic.Int64 // the janitor's clock: seconds of Run, from 1
	count     counters
	closing   atomic.Bool

	life  sync.Mutex
	phase phase          // guarded by life
	wg    sync.WaitGroup // connections and what they start; see begin
}

type phase uint8

const (
	waiting phase = iota // for Run
	serving
	stopped
)

var (
	errRunTwice = errors.New("mqtt: Run was called twice")
	errStuck    = errors.New("mqtt: the handler kept a message for longer than the broker waits when it stops")
)

// New checks cfg and starts nothing. A listener without Net is left out.
func New(cfg Config) (*Broker, error) {
	if cfg.Authenticator == nil || cfg.Handler == nil || cfg.Log == nil || cfg.Now == nil {
		return nil, errors.New("mqtt: a broker needs Authenticator, Handler, Log and Now")
	}
	limits := cfg.Limits.withDefaults()
	e, err := newEngine(limits)
	if err != nil {
		return nil, err
	}
	b := &Broker{
		limits: limits, auth: cfg.Authenticator, handler: cfg.Handler, log: cfg.Log, now: cfg.Now,
		engine: e, gate: newGate(limits), house: newHouse(e), permits: make(chan struct{}, limits.Handshakes),
		relay: cfg.Relay, takenOver: cfg.TakenOver, forbidden: cfg.Forbidden, rightsFor: ticks(limits.RightsFor),
	}
	b.tick.Store(1)
	for _, l := range cfg.Listeners {
		if l.Net == nil {
			continue
		}
		if l.TLS == nil && l.Mode == ByCertificate {
			return nil, fmt.Errorf("mqtt: listener %s wants certificates and has no TLS", l.Name)
		}
		if l.Mode == ByCertificate && !verifies(l.TLS) {
			return nil, fmt.Errorf("mqtt: listener %s wants certificates and does not verify them", l.Name)
		}
		if l.TLS != nil {
			// Otherwise Go cuts the first packets of a connection into records of
			// 1.2 KB, which is allowed and costs boards time.
			l.TLS = l.TLS.Clone()
			l.TLS.DynamicRecordSizingDisabled = true
		}
		b.listeners = append(b.listeners, l)
	}
	return b, nil
}

// verifies says whether a configuration asks for a certificate and looks at it, by
// itself or with a function of its owner.
func verifies(c *tls.Config) bool {
	switch c.ClientAuth {
	case tls.RequireAndVerifyClientCert:
		return true
	case tls.RequireAnyClientCert:
		return c.VerifyConnection != nil || c.GetConfigForClient != nil
	}
	return false
}

// begin adds one connection to what Run waits for; false when Run does not serve.
func (b *Broker) begin() bool {
	b.life.Lock()
	defer b.life.Unlock()
	if b.phase != serving {
		return false
	}
	b.wg.Add(1)
	return true
}

func (b *Broker) enter(from, to phase) bool {
	b.life.Lock()
	defer b.life.Unlock()
	if b.phase != from {
		return false
	}
	b.phase = to
	return true
}

// Run serves until ctx ends. Then it closes the doors, lets the Handler finish
// what it has, sends the acknowledgements, ends all sessions, and returns nil, or
// an error if the Handler did not finish within Limits.StopTimeout.
func (b *Broker) Run(ctx context.Context) error {
	if !b.enter(waiting, serving) {
		return errRunTwice
	}
	inside, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	var doors, janitor sync.WaitGroup
	for _, l := range b.listeners {
		doors.Go(func() { b.accept(inside, l) })
	}
	janitor.Go(func() { b.sweep(inside) })

	<-ctx.Done()
	b.closing.Store(true)
	for _, l := range b.listeners {
		_ = l.Net.Close() // closed already is fine
	}
	leave()
	doors.Wait()
	janitor.Wait()
	b.enter(serving, stopped)
	b.gate.abortOpening()
	for _, s := range b.house.all() {
		s.stop()
	}
	return b.await()
}

// await waits for all connections; in the end without the Handler's consent.
func (b *Broker) await() error {
	gone := make(chan struct{})
	go func() {
		b.wg.Wait()
		close(gone)
	}()
	late := time.NewTimer(b.limits.StopTimeout)
	defer late.Stop()
	select {
	case <-gone:
		return nil
	case <-late.C:
	}
	for _, s := range b.house.all() {
		s.end(ErrStopping, EndedStopping, 0)
	}
	late.Reset(2 * farewellWait)
	select {
	case <-gone:
		return nil
	case <-late.C:
		return errStuck
	}
}

// sweep is the janitor: it moves the clock and ends what takes too long.
func (b *Broker) sweep(ctx context.Context) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-second.C:
		}
		tick, now := b.tick.Add(1), b.now()
		b.gate.tick(time.Unix(tick, 0))
		for _, s := range b.house.all() {
			s.check(tick, now)
		}
		b.house.expire(tick, tick-2*ticks(b.limits.ConnectTimeout))
	}
}

// Send gives a message to everyone who subscribed to topic and may hear it now.
// It copies payload and waits for nobody.
func (b *Broker) Send(topic string, payload []byte, qos byte) {
	b.send(newMessage(topic, payload, qos), nil, nil)
}

// SendTo is Send to one identity alone.
func (b *Broker) SendTo(kind Kind, id, topic string, payload []byte, qos byte) {
	if place := b.house.seat(kind, id); place != nil {
		b.send(newMessage(topic, payload, qos), place, nil)
	}
}

// send passes m on, to one seat if only is given; from is who published it.
func (b *Broker) send(m *message, only *seat, from *state) {
	if m.topic == "" || m.topic[0] == '$' {
		return // mute is such a topic
	}
	b.engine.hearers(m.topic, func(h hearer) {
		st := b.house.state(h.id)
		if st == nil || (only != nil && st.seat != only) || (h.noLocal && st == from) {
			return
		}
		if !st.deliver(m, h) {
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

// Drop ends all sessions of an identity for reason, which Disconnected is told, and
// forgets what is kept of them. A connection that the Authenticator let in before
// Drop was called does not become a session after it.
func (b *Broker) Drop(kind Kind, id string, reason error) {
	for _, s := range b.house.evict(kind, id, b.tick.Load()) {
		s.end(reason, EndedDropped, codeAdministrative)
	}
}

// Recheck has the Handler asked anew what an identity may do.
func (b *Broker) Recheck(kind Kind, id string) {
	if place := b.house.seat(kind, id); place != nil {
		place.epoch.Add(1)
	}
}

// Online says whether an identity has a session. Within Disconnected the session
// that ends does not count.
func (b *Broker) Online(kind Kind, id string) bool { return b.house.online(kind, id) }

// Sessions lists who is connected, in no order.
func (b *Broker) Sessions() []Session {
	sessions := b.house.all()
	all := make([]Session, len(sessions))
	for i, s := range sessions {
		all[i] = Session{
			Identity: s.who, ClientID: s.clientID, Remote: s.remote, Listener: s.listener,
			Version: int(s.version), Since: s.since, KeepAlive: s.keepAlive,
		}
		if s.sock != nil {
			all[i].BytesIn, all[i].BytesOut = s.sock.in.Load(), s.sock.out.Load()
		}
	}
	return all
}

// tlsStateOf is what TLS found out about conn; nil without TLS.
func tlsStateOf(conn any) *tls.ConnectionState {
	if t, ok := conn.(*tls.Conn); ok {
		state := t.ConnectionState()
		return &state
	}
	return nil
}
