package homeassistant

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqttclient"
	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

const (
	// stableAfter is how long a session lasts so that the next try comes soon again: two servers with one bridge push each other out at once.
	stableAfter = time.Minute
	mostPauses  = 16 // as many first pauses is the longest
	goodbyeTime = 2 * time.Second
	// maxPacket is how many bytes the broker may send in one packet: a command, or a state that it kept, its topic, and what MQTT adds.
	maxPacket = max(maxCommand, thing.MaxText) + 4<<10
)

// run keeps the bridge connected until ctx ends.
func (b *bridge) run(ctx context.Context) {
	defer close(b.done)
	first := b.s.cfg.Retry
	for pause := first; ; pause = min(2*pause, mostPauses*first) {
		b.enter()
		began := b.s.needs.Now()
		err := b.session(ctx)
		if ctx.Err() != nil {
			return
		}
		b.lost(b.explain(err))
		b.s.needs.Log.InfoContext(ctx, "a bridge to Home Assistant is down; trying again", "space", b.u.Space, "err", err)
		if b.s.needs.Now().Sub(began) >= stableAfter {
			pause = first
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2+1)) // those that one broker lost do not come back in one moment
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// connect comes in, with the word that is said when the bridge is gone.
func (b *bridge) connect(ctx context.Context, received func(mqttclient.Message)) (*mqttclient.Conn, error) {
	broker, err := url.Parse(b.u.Broker)
	if err != nil {
		return nil, err
	}
	cfg := mqttclient.Config{
		Address: broker.Host, Dial: b.s.dial[broker.Scheme], ClientID: objectID(b.u.Space), User: b.u.User, Password: b.u.Password,
		Will:      mqttclient.Message{Topic: b.u.availabilityTopic(b.u.Space), Payload: []byte(offline), Retain: true},
		MaxPacket: maxPacket, Received: received,
	}
	if broker.Scheme == "mqtts" {
		var rule outbound.Rule
		if b.u.CA != "" {
			rule.Roots = x509.NewCertPool()
			rule.Roots.AppendCertsFromPEM([]byte(b.u.CA))
		}
		cfg.TLS = rule.Trust(broker.Hostname())
	}
	return mqttclient.Connect(ctx, cfg)
}

// session is one connection from its beginning to its end.
func (b *bridge) session(ctx context.Context) error {
	conn, err := b.connect(ctx, b.received)
	if err != nil {
		return err
	}
	defer b.leave(ctx, conn)
	defer hangUp(ctx, conn, goodbyeTime)()
	if err := b.begin(ctx); err != nil {
		return err
	}
	filters := b.u.birthTopics()
	if b.u.Writes {
		filters = append(filters, b.u.commandTopic("+", "+"))
	}
	err = errors.Join(b.tolerate(conn.Subscribe(ctx, filters...)), b.tolerate(b.deliver(ctx, conn, b.u.availabilityTopic(b.u.Space), []byte(online))))
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer stop()
	parts.Go(func() { b.obey(working) })
	for {
		t, some := b.next()
		if some {
			if err := b.tolerate(b.do(ctx, conn, t)); err != nil {
				return err
			}
		}
		if err := errors.Join(ctx.Err(), conn.Err()); err != nil {
			return err
		}
		if some {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-conn.Ended():
			return conn.Err()
		case <-b.wake:
		}
	}
}

// hangUp ends a connection a while after ctx, whatever the broker is waited for then; what it returns lets it be.
func hangUp(ctx context.Context, conn *mqttclient.Conn, after time.Duration) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		select {
		case <-conn.Ended():
		case <-time.After(after):
			conn.Abort()
		}
	})
}

// begin marks everything to be told: what there is, and what there was.
func (b *bridge) begin(ctx context.Context) error {
	b.let() // from now on it hears of changes, so that none is missed while it looks
	known, err := b.s.needs.Store.announced(ctx, b.u.Space)
	if err != nil {
		return err
	}
	all, err := b.s.needs.Things.List(ctx, system(b.u.Space), thing.Filter{Tags: b.u.Tags})
	if err != nil {
		return fmt.Errorf("things to announce: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known = known
	clear(b.swept)
	b.telling++
	for id := range b.catalog {
		b.mark(task{look, id})
	}
	for id := range known {
		b.mark(task{look, id})
	}
	for _, t := range all {
		b.mark(task{look, t.ID})
	}
	return nil
}

// leave says that the bridge is gone, where there is time for it, and hangs up.
func (b *bridge) leave(ctx context.Context, conn *mqttclient.Conn) {
	if conn.Err() == nil {
		brief, late := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTime)
		defer late()
		if err := b.deliver(brief, conn, b.u.availabilityTopic(b.u.Space), []byte(offline)); err != nil {
			b.s.needs.Log.DebugContext(ctx, "a broker did not hear that a bridge is gone", "space", b.u.Space, "err", err)
		}
	}
	if err := conn.Close(); err != nil {
		b.s.needs.Log.DebugContext(ctx, "a broker did not hear goodbye", "space", b.u.Space, "err", err)
	}
	for len(b.orders) > 0 { // nothing comes any more; what waits would be old when it could be carried out
		b.refuse(<-b.orders, "The connection to the broker ended before it was carried out.")
	}
}

// tolerate keeps what the broker refuses for people to read, and goes on: the rest may be allowed.
func (b *bridge) tolerate(err error) error {
	var no *mqttclient.Refusal
	if errors.As(err, &no) && (no.Wish == mqttclient.Publish || no.Wish == mqttclient.Subscribe) {
		b.trouble(b.explain(err))
		return nil
	}
	return err
}

func (b *bridge) sent() {
	b.s.counts.sent.Add(1)
	b.mu.Lock()
	b.now.Sent++
	b.mu.Unlock()
}

// deliver has the broker keep something, and waits until it does. An empty payload is nothing to keep.
func (b *bridge) deliver(ctx context.Context, conn *mqttclient.Conn, topic string, payload []byte) error {
	err := conn.Deliver(ctx, mqttclient.Message{Topic: topic, Payload: payload, Retain: true})
	if err == nil {
		b.sent()
	}
	return err
}

// send has the broker keep something. What is lost with the connection is sent again by the next session.
func (b *bridge) send(ctx context.Context, conn *mqttclient.Conn, topic string, payload []byte) error {
	err := conn.Send(ctx, mqttclient.Message{Topic: topic, Payload: payload, Retain: true})
	if err == nil {
		b.sent()
	}
	return err
}
