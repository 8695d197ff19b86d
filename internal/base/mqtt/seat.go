package mqtt

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A seat is one identity's place: of a device one session and one state, of a user
// as many sessions as there may be.
type seat struct {
	epoch atomic.Uint64 // rises when rights must be asked anew

	// Guarded by house.mu.
	sessions map[*session]struct{}
	state    *state // of a device
}

// A house knows who sits where.
type house struct {
	engine *engine

	mu     sync.Mutex
	seats  map[seatKey]*seat     // guarded by mu
	states map[string]*state     // guarded by mu: by their ID in the engine
	active map[*session]struct{} // guarded by mu: after CONNACK
	kept   int                   // guarded by mu: states without a session
}

type seatKey struct {
	kind Kind
	id   string
}

func newHouse(e *engine) *house {
	return &house{engine: e, seats: map[seatKey]*seat{}, states: map[string]*state{}, active: map[*session]struct{}{}}
}

var errUserSessions = errors.New("mqtt: this user has as many sessions as there may be")

// seatOf finds or makes the seat of who. h.mu is held.
func (h *house) seatOf(who Identity) *seat {
	key := seatKey{who.Kind, who.ID}
	if h.seats[key] == nil {
		h.seats[key] = &seat{sessions: map[*session]struct{}{}}
	}
	return h.seats[key]
}

// attach gives s its place and its state; present says that the state was there.
// A device's older session is ended first, and its Handler told.
func (b *Broker) attach(s *session, c connect) (present bool, err error) {
	h := b.house
	for {
		h.mu.Lock()
		place := h.seatOf(s.who)
		if s.who.Kind == User {
			if len(place.sessions) >= b.limits.UserSessions {
				h.mu.Unlock()
				return false, errUserSessions
			}
			b.take(s, c, place, nil)
			h.mu.Unlock()
			return false, nil
		}
		var old *session
		for o := range place.sessions {
			old = o
		}
		if old == nil {
			st := place.state
			if st != nil && c.clean {
				h.drop(place, st)
				st = nil
			}
			b.take(s, c, place, st)
			h.mu.Unlock()
			return st != nil, nil
		}
		h.mu.Unlock()
		b.takeOver(old, s)
	}
}

// takeOver ends old, whose identity has connected again.
func (b *Broker) takeOver(old, by *session) {
	old.end(ErrTakenOver, EndedTakenOver, codeTakenOver)
	timer := time.NewTimer(takeOverWait)
	defer timer.Stop()
	select {
	case <-old.done:
	case <-timer.C:
		old.leave()
	}
	if b.cfg.TakenOver != nil {
		b.cfg.TakenOver(old.who, old.remote.Addr(), by.remote.Addr())
	}
}

// take seats s with the state st, or with a new one. house.mu is held.
func (b *Broker) take(s *session, c connect, place *seat, st *state) {
	h := b.house
	place.sessions[s] = struct{}{}
	h.active[s] = struct{}{}
	if st == nil {
		st = &state{b: b, id: strconv.FormatUint(b.serial.Add(1), 36), seat: place}
		h.states[st.id] = st
		if s.who.Kind == Device {
			place.state = st
		}
	} else {
		h.kept--
	}
	made := b.engine.client(st.id, packetConn{s.conn, s}, c)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.client != nil {
		b.engine.inherit(made, st.client)
	}
	st.client, st.who, st.session = made, s.who, s
	st.window = b.limits.Window
	if c.receive > 0 {
		st.window = min(st.window, int(c.receive))
	}
	st.kept, st.keepFor = false, 0
	if s.who.Kind == Device && (c.version < 5 && !c.clean || c.version >= 5 && c.expiry > 0) {
		st.kept, st.keepFor = true, ticks(b.limits.OfflineFor)
		if c.version >= 5 {
			st.keepFor = min(st.keepFor, int64(c.expiry))
		}
	}
	s.state, s.client = st, made
}

// part takes the session off its state, which is kept or forgotten.
func (b *Broker) part(s *session) {
	h := b.house
	h.mu.Lock()
	defer h.mu.Unlock()
	st := s.state
	st.mu.Lock()
	if st.session != s {
		st.mu.Unlock()
		return
	}
	st.session = nil
	keep := st.kept && h.kept < b.limits.OfflineDevices
	st.expires = b.tick.Load() + st.keepFor
	st.mu.Unlock()
	if keep {
		h.kept++
		return
	}
	h.forget(st)
	if st.seat.state == st {
		st.seat.state = nil
	}
}

// stand takes s out of those who are served; its seat stays taken until remove.
func (h *house) stand(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.active, s)
}

// remove frees the seat of s.
func (h *house) remove(s *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	place := s.state.seat
	delete(place.sessions, s)
	h.tidy(seatKey{s.who.Kind, s.who.ID}, place)
}

// tidy forgets a seat that nobody has. h.mu is held.
func (h *house) tidy(key seatKey, place *seat) {
	if len(place.sessions) == 0 && place.state == nil && h.seats[key] == place {
		delete(h.seats, key)
	}
}

// forget takes a state out of the engine. h.mu is held.
func (h *house) forget(st *state) {
	delete(h.states, st.id)
	h.engine.forget(st.client)
}

// drop forgets the state that is kept at a seat. h.mu is held.
func (h *house) drop(place *seat, st *state) {
	h.forget(st)
	place.state = nil
	h.kept--
}

// evict forgets what is kept of an identity without a session.
func (h *house) evict(kind Kind, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := seatKey{kind, id}
	if place := h.seats[key]; place != nil {
		if st := place.state; st != nil && len(place.sessions) == 0 {
			h.drop(place, st)
		} else if st != nil {
			st.mu.Lock()
			st.kept = false
			st.mu.Unlock()
		}
		h.tidy(key, place)
	}
}

// expire forgets states whose time is over.
func (h *house) expire(tick int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == 0 {
		return
	}
	for key, place := range h.seats {
		st := place.state
		if st == nil || len(place.sessions) > 0 {
			continue
		}
		st.mu.Lock()
		over := st.session == nil && tick >= st.expires
		st.mu.Unlock()
		if over {
			h.drop(place, st)
			h.tidy(key, place)
		}
	}
}

func (h *house) state(id string) *state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.states[id]
}

func (h *house) all() []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*session, 0, len(h.active))
	for s := range h.active {
		all = append(all, s)
	}
	return all
}

func (h *house) of(kind Kind, id string) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*session
	if place := h.seats[seatKey{kind, id}]; place != nil {
		for s := range place.sessions {
			all = append(all, s)
		}
	}
	return all
}

func (h *house) recheck(kind Kind, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if place := h.seats[seatKey{kind, id}]; place != nil {
		place.epoch.Add(1)
	}
}

func (h *house) counts() (sessions, offline int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.active), h.kept
}
