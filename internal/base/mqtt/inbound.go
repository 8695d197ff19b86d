package mqtt

import (
	"errors"
	"sync/atomic"
)

// errDisconnect is how handle tells that the client said goodbye.
var errDisconnect = errors.New("disconnect")

// maxRoutes bounds the topics whose answers a session keeps.
const maxRoutes = 64

// A route is what the Handler said about publishing on one topic.
type route struct {
	topic string
	right
	relay bool
}

// handle acts on one packet. An error that is a code breaks the protocol.
func (s *session) handle(first byte, body []byte) error {
	switch first >> 4 {
	case typePublish:
		return s.publish(first, body)
	case typePingreq:
		if len(body) != 0 {
			return codeMalformed
		}
		s.spoken.Store(true)
		return s.write(pingresp)
	case typePuback, typePubrec, typePubrel, typePubcomp:
		a, err := parseAck(body, s.version)
		if err != nil {
			return err
		}
		return s.acknowledge(first>>4, a)
	case typeSubscribe:
		return s.subscribe(body)
	case typeUnsubscribe:
		return s.b.engine.unsubscribe(s.client, body)
	case typeDisconnect:
		return s.disconnect(body)
	}
	return codeProtocol // a second CONNECT, AUTH without a method, or what only servers send
}

func (s *session) disconnect(body []byte) error {
	if s.version < 5 {
		if len(body) != 0 {
			return codeMalformed
		}
		return errDisconnect
	}
	_, expiry, err := decodeDisconnect(body)
	if err != nil {
		return err
	}
	if expiry != nil && !s.state.keep(*expiry) {
		return codeProtocol
	}
	return errDisconnect
}

// keep changes how long the state outlives its connection. What was not to be
// kept at CONNECT cannot be now (MQTT 5, section 3.14.2.2.2).
func (st *state) keep(seconds uint32) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.kept {
		return seconds == 0 || st.who.Kind != Device
	}
	st.kept = seconds > 0
	st.keepFor = min(int64(seconds), ticks(st.b.limits.OfflineFor))
	return true
}

func (s *session) acknowledge(kind byte, a ack) error {
	switch kind {
	case typePuback, typePubcomp:
		s.state.acknowledged(a.id, s)
	case typePubrec:
		if a.code >= codeUnspecified {
			s.state.acknowledged(a.id, s)
			return nil
		}
		c := codeSuccess
		if !s.state.release(a.id) {
			c = codeUnknownPacketID
		}
		return s.write(appendAck(nil, typePubrel, a.id, c, s.version))
	case typePubrel:
		c := codeSuccess
		if s.state.forgotten(a.id) {
			s.mu.Lock()
			s.unacked = max(0, s.unacked-1) // it may be from an earlier connection
			s.mu.Unlock()
		} else {
			c = codeUnknownPacketID
		}
		return s.write(appendAck(nil, typePubcomp, a.id, c, s.version))
	}
	return nil
}

// subscribe answers first and tells the Handler afterwards, so that what the
// Handler sends is a packet of its own in a record of its own (trap 2).
func (s *session) subscribe(body []byte) error {
	stored := s.b.engine.subscriptions(s.client)
	kept, err := s.b.engine.subscribe(s.client, body, func(f filter) bool {
		kind := kindOfFilter(f.name, s.b.limits.TopicBytes)
		if kind == filterMute || (kind == filterWild && s.who.Kind == Device) {
			s.reached(f.name, false)
			return false
		}
		if s.b.engine.subscribed(s.client, f.name) {
			return true
		}
		// What may not be heard now is stored too: the right may begin later.
		stored++
		return stored <= s.b.limits.Subscriptions
	})
	if err != nil {
		return err
	}
	for _, f := range kept {
		switch {
		case kindOfFilter(f.name, s.b.limits.TopicBytes) == filterWild: // asked for each message
		case s.state.mayHear(f.name):
			s.b.handler.Subscribed(s.who, f.name, f.qos)
		default:
			s.reached(f.name, false)
		}
	}
	return nil
}

// reached counts what a client reached for in vain.
func (s *session) reached(topic string, publish bool) {
	if publish {
		s.b.count.forbiddenPublish.Add(1)
	} else {
		s.b.count.forbiddenSubscribe.Add(1)
	}
	if s.b.forbidden != nil {
		s.b.forbidden(s.who, topic, publish)
	}
}

// route says what may be done with topic, which lies in the read buffer.
func (s *session) route(topic []byte) (*route, error) {
	now, epoch := s.b.tick.Load(), s.state.seat.epoch.Load()
	r, known := s.routes[string(topic)]
	if known && r.good(epoch, now, s.b.rightsFor) {
		if !r.allowed {
			s.b.count.forbiddenPublish.Add(1)
		}
		return r, nil
	}
	if !validTopic(topic) {
		return nil, codeMalformed
	}
	if s.routes == nil || len(s.routes) >= maxRoutes {
		s.routes = make(map[string]*route, 2)
	}
	r = &route{topic: string(topic), right: right{epoch: epoch, tick: now}}
	exists := len(topic) <= s.b.limits.TopicBytes && topic[0] != '$'
	r.allowed = exists && s.b.handler.MayPublish(s.who, r.topic)
	r.relay = r.allowed && s.b.relay != nil && s.b.relay(s.who, r.topic)
	s.routes[r.topic] = r
	if !r.allowed {
		s.reached(r.topic, true)
	}
	return r, nil
}

// An arrival is a message that the Handler has.
type arrival struct {
	s      *session
	relay  *message // to pass on when it is stored
	size   int
	called atomic.Bool
	id     uint16
	qos    byte

	inside  bool // guarded by s.mu: Handler.Publish has not returned
	settled bool // guarded by s.mu: done was called
	err     error
}

func (s *session) publish(first byte, body []byte) error {
	in, err := parsePublish(first, body, s.version)
	if err != nil {
		return err
	}
	if !s.spoken.Load() {
		s.spoken.Store(true)
	}
	r, err := s.route(in.topic)
	if err != nil {
		return err
	}
	if in.qos == 2 {
		again, ready, err := s.state.receive(in.id)
		if err != nil {
			return err
		}
		if again {
			if ready {
				return s.write(appendAck(nil, typePubrec, in.id, codeSuccess, s.version))
			}
			return nil // PUBREC follows when the Handler is done with the first
		}
	}
	a := &arrival{s: s, size: len(in.payload), id: in.id, qos: in.qos, inside: true}
	if taken, err := s.take(a); !taken {
		if a.qos == 2 {
			s.state.arrived(a.id, false)
		}
		return err
	}
	if !r.allowed {
		a.done(nil) // acknowledged and not heard
		return nil
	}
	if r.relay {
		a.relay = newMessage(r.topic, in.payload, in.qos)
	}
	s.b.count.received.Add(1)
	s.b.handler.Publish(s.who, r.topic, in.payload, in.qos, a.done)
	s.mu.Lock()
	a.inside = false
	s.mu.Unlock()
	return nil
}

// take puts a into the order of acknowledgements, when there is room: until then
// the connection is not read, and TCP tells the client to wait. It is false when
// the session ended meanwhile; then the message counts as never received.
func (s *session) take(a *arrival) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.qos > 0 && s.version >= 5 && s.unacked >= s.b.limits.InFlight {
		return false, codeReceiveMaximum
	}
	for !s.ended && !s.stopping && s.held > 0 &&
		(s.held >= s.b.limits.InFlight || s.heldBytes+a.size > s.b.limits.InFlightBytes) {
		s.mu.Unlock()
		s.flush()
		<-s.room
		s.mu.Lock()
	}
	if s.ended || s.stopping {
		return false, nil
	}
	s.held++
	s.heldBytes += a.size
	if a.qos > 0 {
		s.unacked++
	}
	s.pending.push(a)
	return true, nil
}

// done is the callback that the Handler was given.
func (a *arrival) done(err error) {
	s := a.s
	if a.called.Swap(true) {
		s.b.count.doneTwice.Add(1)
		return
	}
	if a.qos == 2 {
		s.state.arrived(a.id, err == nil)
	}
	s.mu.Lock()
	a.settled, a.err = true, err
	inside := a.inside
	var relay []*message
	for s.pending.len() > 0 && s.pending.peek().settled {
		head := s.pending.pop()
		if head.err == nil && head.relay != nil {
			relay = append(relay, head.relay)
		}
		switch {
		case head.err != nil && !s.ended:
			s.endLocked(head.err, EndedHandler, failureOf(head.err))
		case head.qos == 0 || s.ended:
			s.letGo(head.size)
		case head.qos == 1:
			s.queue = append(s.queue, item{kind: typePuback, id: head.id, size: head.size})
		default:
			s.queue = append(s.queue, item{kind: typePubrec, id: head.id, size: head.size})
		}
	}
	if s.stopping && s.pending.len() == 0 {
		s.endLocked(ErrStopping, EndedStopping, codeStopping)
	}
	if !inside {
		s.drainLocked() // otherwise the reader does it, before it waits for anything
	}
	s.mu.Unlock()
	for _, m := range relay {
		s.b.send(m, nil, s.state)
	}
}

// letGo gives back the room of a message. s.mu is held.
func (s *session) letGo(size int) {
	s.held--
	s.heldBytes -= size
	s.wakeLocked()
}
