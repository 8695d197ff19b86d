package mqtt

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A seat is one identity's place: of a device one session and one state, of a user
// as many sessions as there may be.
type seat struct {
	epoch atomic.Uint64 // rises when rights must be asked anew
	// turn is held by a session from before it takes over until the Handler knows
	// of it, so that what the Handler is told of a device comes in turns.
	turn sync.Mutex

	pins     int                   // guarded by house.mu: who uses the seat without sitting on it
	sessions map[*session]struct{} // guarded by house.mu
	kept     *state                // guarded by house.mu: of a device without a session
}

type seatKey struct {
	kind Kind
	id   string
}

// A house knows who sits where.
type house struct {
	engine *engine

	mu     sync.RWMutex
	seats  map[seatKey]*seat
	states map[string]*state     // by their ID in the engine
	active map[*session]struct{} // whom the Handler knows
	kept   map[*state]struct{}   // that have no session
	drops  map[seatKey]drop      // that a CONNECT under way may have missed
	moves  uint64                // drops so far
	serial uint64                // states so far
}

// A drop is when an identity was last thrown out.
type drop struct {
	move uint64
	tick int64
}

func newHouse(e *engine) *house {
	return &house{
		engine: e, seats: make(map[seatKey]*seat), states: make(map[string]*state),
		active: make(map[*session]struct{}), kept: make(map[*state]struct{}), drops: make(map[seatKey]drop),
	}
}

// move is the count of drops so far: see sit.
func (h *house) move() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.moves
}

// pin finds or makes a seat and keeps it there until unpin.
func (h *house) pin(key seatKey) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	place := h.seats[key]
	if place == nil {
		place = &seat{sessions: make(map[*session]struct{}, 1)}
		h.seats[key] = place
	}
	place.pins++
	return place
}

func (h *house) unpin(key seatKey, place *seat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	place.pins--
	h.tidy(key, place)
}

// tidy forgets a seat that nobody has or wants. h.mu is held.
func (h *house) tidy(key seatKey, place *seat) {
	if place.pins == 0 && len(place.sessions) == 0 && place.kept == nil {
		delete(h.seats, key)
	}
}

// sit seats s, unless its identity was dropped after asked, when the
// Authenticator was asked.
func (h *house) sit(s *session, asked uint64, userSessions int) Refusal {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drops[s.key()].move > asked {
		return RefusedUnavailable
	}
	if s.who.Kind != Device && len(s.seat.sessions) >= userSessions {
		return RefusedUserSessions
	}
	s.seat.sessions[s] = struct{}{}
	return 0
}

// welcome makes s known as a session.
func (h *house) welcome(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.active[s] = struct{}{}
}

// stand takes s from those who are served; the seat stays taken until remove.
func (h *house) stand(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.active, s)
}

// remove frees the seat of s.
func (h *house) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(s.seat.sessions, s)
	h.tidy(s.key(), s.seat)
}

// borrow gives s a state: the one that was kept, if the client wants it, or a new
// one. present says which.
func (h *house) borrow(b *Broker, s *session, clean bool) (st *state, present bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if st = s.seat.kept; st != nil {
		s.seat.kept = nil
		delete(h.kept, st)
		if !clean {
			return st, true
		}
		h.forget(st)
	}
	h.serial++
	st = &state{b: b, id: strconv.FormatUint(h.serial, 36), seat: s.seat}
	h.states[st.id] = st
	return st, false
}

// part takes s off its state, which is then kept or forgotten.
func (h *house) part(s *session, tick int64, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st := s.state
	st.mu.Lock()
	st.session = nil
	st.expires = tick + st.keepFor
	keep := st.kept
	st.mu.Unlock()
	if keep && len(h.kept) < most {
		s.seat.kept = st
		h.kept[st] = struct{}{}
		return
	}
	h.forget(st)
}

// forget takes a state out of the engine. h.mu is held.
func (h *house) forget(st *state) {
	delete(h.states, st.id)
	if st.client != nil {
		h.engine.forget(st.client)
	}
}

// evict forgets what is kept of an identity, now and when its sessions end, and
// returns those.
func (h *house) evict(kind Kind, id string, tick int64) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := seatKey{kind, id}
	h.moves++
	h.drops[key] = drop{h.moves, tick}
	place := h.seats[key]
	if place == nil {
		return nil
	}
	if st := place.kept; st != nil {
		place.kept = nil
		delete(h.kept, st)
		h.forget(st)
	}
	sessions := make([]*session, 0, len(place.sessions))
	for s := range place.sessions {
		sessions = append(sessions, s)
		if st := s.state; st != nil {
			st.mu.Lock()
			st.kept = false
			st.mu.Unlock()
		}
	}
	h.tidy(key, place)
	return sessions
}

// expire forgets states whose time is over, and drops from before old.
func (h *house) expire(tick, old int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for st := range h.kept {
		st.mu.Lock()
		over, key := tick >= st.expires, seatKey{st.who.Kind, st.who.ID}
		st.mu.Unlock()
		if over {
			st.seat.kept = nil
			delete(h.kept, st)
			h.forget(st)
			h.tidy(key, st.seat)
		}
	}
	for key, d := range h.drops {
		if d.tick < old {
			delete(h.drops, key)
		}
	}
}

func (h *house) seat(kind Kind, id string) *seat {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.seats[seatKey{kind, id}]
}

func (h *house) state(id string) *state {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.states[id]
}

func (h *house) all() []*session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	all := make([]*session, 0, len(h.active))
	for s := range h.active {
		all = append(all, s)
	}
	return all
}

// at is who sits on a seat.
func (h *house) at(place *seat) []*session {
	h.mu.RLock()
	defer h.mu.RUnlock()
	all := make([]*session, 0, len(place.sessions))
	for s := range place.sessions {
		all = append(all, s)
	}
	return all
}

func (h *house) online(kind Kind, id string) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if place := h.seats[seatKey{kind, id}]; place != nil {
		for s := range place.sessions {
			if _, active := h.active[s]; active {
				return true
			}
		}
	}
	return false
}

func (h *house) counts() (sessions, offline int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.active), len(h.kept)
}

func (s *session) key() seatKey { return seatKey{s.who.Kind, s.who.ID} }

// attach makes a session of a connection whose CONNECT was good: it ends a
// device's older session, takes the state that was kept, answers, and tells the
// Handler. asked is house.move from before the Authenticator was asked.
func (b *Broker) attach(s *session, c connect, asked uint64) (Refusal, code) {
	h := b.house
	s.seat = h.pin(s.key())
	defer h.unpin(s.key(), s.seat)
	s.seat.turn.Lock()
	defer s.seat.turn.Unlock()
	if s.who.Kind == Device {
		for _, old := range h.at(s.seat) {
			b.takeOver(old, s)
		}
	}
	if why := h.sit(s, asked, b.limits.UserSessions); why == RefusedUserSessions {
		return why, codeQuota
	} else if why != 0 {
		return why, codeUnavailable
	}
	st, present := h.borrow(b, s, c.clean)
	w := b.prepare(s, st, c, present)
	s.guest.answered()
	err := b.engine.connack(s.client, codeSuccess, w)
	if err != nil || !s.greeted() {
		s.end(ErrNetwork, EndedNetwork, 0)
		h.part(s, b.tick.Load(), b.limits.OfflineDevices)
		h.remove(s)
		return RefusedGone, codeSuccess
	}
	h.welcome(s)
	st.mu.Lock()
	st.session = s
	st.mu.Unlock()
	b.handler.Connected(s.who, s.remote.String())
	if present {
		st.resume(s)
	}
	if b.closing.Load() {
		s.stop() // Run did not see it yet
	}
	return 0, codeSuccess
}

// prepare binds s, st and the engine to each other, as far as they can be before
// CONNACK.
func (b *Broker) prepare(s *session, st *state, c connect, present bool) welcome {
	made := b.engine.client(st.id, packetConn{s.conn, s}, c)
	st.mu.Lock()
	defer st.mu.Unlock()
	if present {
		b.engine.inherit(made, st.client)
	}
	st.client, st.who = made, s.who
	st.window = b.limits.Window
	if c.receive > 0 {
		st.window = min(st.window, int(c.receive))
	}
	st.kept, st.keepFor = false, 0
	if s.who.Kind == Device {
		switch most := ticks(b.limits.OfflineFor); {
		case c.version < 5 && !c.clean:
			st.kept, st.keepFor = true, most
		case c.version >= 5 && c.expiry > 0:
			st.kept, st.keepFor = true, min(most, int64(c.expiry))
		}
	}
	s.state, s.client = st, made
	w := welcome{present: present, expiry: uint32(st.keepFor)}
	if c.clientID == "" {
		w.assignedID = s.clientID
	}
	return w
}

// takeOver ends old, whose identity has connected again. When it returns the
// Handler knows that old is gone.
func (b *Broker) takeOver(old, by *session) {
	c := codeTakenOver
	if old.version < 5 {
		c = 0 // nothing can be said, and often nobody is there
	}
	first := old.end(ErrTakenOver, EndedTakenOver, c)
	late := time.NewTimer(takeOverWait)
	select {
	case <-old.done:
	case <-late.C:
		old.leave()
	}
	late.Stop()
	if from, to := old.remote.Addr(), by.remote.Addr(); first && from != to && b.takenOver != nil {
		b.takenOver(by.who, from, to)
	}
}
