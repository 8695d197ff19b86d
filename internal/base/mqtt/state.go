package mqtt

import (
	"slices"
	"sync"
)

// A state is what MQTT calls the session state: subscriptions, what was sent and
// is not acknowledged, what waits to be sent, and which QoS 2 messages are half
// received. That of a device with an unclean session outlives its connection.
//
// Locks are taken in this order: house.mu, state.mu, session.mu. None is held
// while the Handler is asked or told something.
type state struct {
	b      *Broker
	id     string // in the engine, never used twice
	seat   *seat
	client *client // replaced under mu when a session resumes
	rights rights

	mu           sync.Mutex
	who          Identity
	session      *session // nil while no connection is there
	kept         bool     // outlives its connection
	expires      int64    // the tick at which it is forgotten; only while session is nil
	keepFor      int64    // ticks to keep it after the connection
	window       int      // messages that may be in flight
	lastID       uint16
	flight       []*letter     // sent and not acknowledged, in the order of sending
	waiting      fifo[*letter] // not yet sent
	waitingBytes int
	promoting    bool            // letters are being moved from waiting to flight
	received     map[uint16]bool // QoS 2 messages without PUBREL; true when PUBREC may be sent
}

// A letter is one message on its way to one subscriber with QoS 1 or 2.
type letter struct {
	message  *message
	subIDs   []int
	id       uint16
	qos      byte
	dup      bool // guarded by state.mu: was sent on an earlier connection
	released bool // guarded by state.mu: PUBREC came, PUBREL is on its way
}

// A message is what Send was given, shared by all who hear it.
type message struct {
	topic   string
	payload []byte
	frame   []byte // the packet for MQTT 3.1.1 with QoS 0
	qos     byte
}

// newMessage copies payload.
func newMessage(topic string, payload []byte, qos byte) *message {
	o := outgoing{topic: topic, payload: payload}
	frame := appendPublish(make([]byte, 0, o.size(4)), o, 4)
	return &message{topic: topic, payload: frame[len(frame)-len(payload):], frame: frame, qos: qos}
}

// rights keeps the Handler's answers about what a session may hear.
type rights struct {
	mu   sync.Mutex
	seen map[string]right // guarded by mu
}

type right struct {
	allowed bool
	epoch   uint64 // of the seat when it was asked
	tick    int64  // when it was asked
}

// good says whether r may still be used.
func (r right) good(epoch uint64, now int64, keep int64) bool {
	return r.epoch == epoch && now-r.tick < keep
}

// mayHear says whether a message on topic may be delivered to st now.
func (st *state) mayHear(topic string) bool {
	now, epoch := st.b.tick.Load(), st.seat.epoch.Load()
	st.rights.mu.Lock()
	r, known := st.rights.seen[topic]
	st.rights.mu.Unlock()
	if known && r.good(epoch, now, st.b.rightsFor) {
		return r.allowed
	}
	st.mu.Lock()
	who := st.who
	st.mu.Unlock()
	r = right{st.b.handler.MaySubscribe(who, topic), epoch, now}
	st.rights.mu.Lock()
	defer st.rights.mu.Unlock()
	if st.rights.seen == nil || len(st.rights.seen) >= 2*st.b.limits.Subscriptions {
		st.rights.seen = make(map[string]right, 2)
	}
	st.rights.seen[topic] = r
	return r.allowed
}

// deliver passes m on to st's connection, or keeps it for the next one. It is
// false when a right or a bound stood against it.
func (st *state) deliver(m *message, h hearer) bool {
	if !st.mayHear(m.topic) {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	s, qos := st.session, min(m.qos, h.qos)
	if s == nil {
		return st.kept && qos > 0 && st.store(&letter{message: m, qos: qos, subIDs: h.subIDs})
	}
	o := outgoing{topic: m.topic, payload: m.payload, qos: qos, subIDs: h.subIDs}
	if s.maxPacket > 0 && o.size(s.version) > int(s.maxPacket) {
		return false // MQTT 5, section 3.1.2.11.4
	}
	if qos == 0 {
		return s.offer(m, h.subIDs)
	}
	l := &letter{message: m, qos: qos, subIDs: h.subIDs}
	if len(st.flight) < st.window && st.waiting.len() == 0 && !st.promoting {
		st.launch(l, s)
		return true
	}
	st.waiting.push(l)
	st.waitingBytes += len(m.frame)
	if st.waiting.len() > st.b.limits.PendingWrites || st.waitingBytes > st.b.limits.PendingBytes {
		s.end(ErrSlow, EndedSlow, codeQuota)
	}
	return true
}

// store keeps a letter while nobody is connected. At the bound the oldest makes
// room: of a property's values the newest counts. st.mu is held.
func (st *state) store(l *letter) bool {
	st.waiting.push(l)
	st.waitingBytes += len(l.message.frame)
	for st.waiting.len() > st.b.limits.PendingWrites || st.waitingBytes > st.b.limits.PendingBytes {
		st.waitingBytes -= len(st.waiting.pop().message.frame)
		st.b.count.lost.Add(1)
	}
	return true
}

// launch gives l a packet ID and sends it. st.mu is held.
func (st *state) launch(l *letter, s *session) {
	for {
		st.lastID++
		if st.lastID != 0 && !slices.ContainsFunc(st.flight, func(f *letter) bool { return f.id == st.lastID }) {
			break
		}
	}
	l.id = st.lastID
	st.flight = append(st.flight, l)
	s.push(item{kind: typePublish, letter: l, message: l.message})
}

// promote launches what waits, as far as the window goes, if it may still be heard.
func (st *state) promote(s *session) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.promoting = true
	for st.session == s && st.waiting.len() > 0 && len(st.flight) < st.window {
		l := st.waiting.pop()
		st.waitingBytes -= len(l.message.frame)
		st.mu.Unlock()
		allowed := st.mayHear(l.message.topic)
		st.mu.Lock()
		switch {
		case !allowed:
			st.b.count.lost.Add(1)
		case st.session != nil: // s, or whoever took over while we asked
			st.launch(l, st.session)
		default: // the connection went while we asked: the next one sends it
			st.flight = append(st.flight, l)
		}
	}
	st.promoting = false
}

// resume sends again what the last connection left without acknowledgement, in
// the order in which it was sent (MQTT 3.1.1, section 4.6).
func (st *state) resume(s *session) {
	st.mu.Lock()
	flight := slices.Clone(st.flight)
	st.mu.Unlock()
	for _, l := range flight {
		allowed := l.released || st.mayHear(l.message.topic)
		st.mu.Lock()
		switch {
		case !allowed:
			st.drop(l.id)
			st.b.count.lost.Add(1)
		case l.released:
			s.push(item{kind: typePubrel, id: l.id})
		default:
			if l.id == 0 {
				st.drop(0)
				st.launch(l, s)
				break
			}
			l.dup = true
			s.push(item{kind: typePublish, letter: l, message: l.message})
		}
		st.mu.Unlock()
	}
	st.promote(s)
}

// drop takes the letter with packet ID id out of flight. st.mu is held.
func (st *state) drop(id uint16) (*letter, bool) {
	for i, l := range st.flight {
		if l.id == id {
			st.flight = slices.Delete(st.flight, i, i+1)
			if len(st.flight) == 0 {
				st.flight = nil
			}
			return l, true
		}
	}
	return nil, false
}

// acknowledged ends the flight of a letter: PUBACK, PUBCOMP, or PUBREC with an error.
func (st *state) acknowledged(id uint16, s *session) {
	st.mu.Lock()
	_, known := st.drop(id)
	more := known && st.waiting.len() > 0
	st.mu.Unlock()
	if more {
		st.promote(s)
	}
}

// release notes PUBREC for a letter of QoS 2. It is false when there is none.
func (st *state) release(id uint16) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	for _, l := range st.flight {
		if l.id == id && l.qos == 2 {
			l.released = true
			return true
		}
	}
	return false
}

// receive notes a QoS 2 message. again is true for one that was received already;
// then ready says whether PUBREC may be sent.
func (st *state) receive(id uint16) (again, ready bool, err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	ready, again = st.received[id]
	switch {
	case again:
		return again, ready, nil
	case len(st.received) >= st.b.limits.InFlight:
		return false, false, codeReceiveMaximum
	case st.received == nil:
		st.received = make(map[uint16]bool)
	}
	st.received[id] = false
	return false, false, nil
}

// arrived notes what the Handler said of a QoS 2 message. One that failed may come
// again and is new then.
func (st *state) arrived(id uint16, stored bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if _, known := st.received[id]; !known {
		return
	}
	if stored {
		st.received[id] = true
	} else {
		delete(st.received, id)
	}
}

// forgotten notes PUBREL: the packet ID may be used for another message.
func (st *state) forgotten(id uint16) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	_, known := st.received[id]
	delete(st.received, id)
	if len(st.received) == 0 {
		st.received = nil
	}
	return known
}
