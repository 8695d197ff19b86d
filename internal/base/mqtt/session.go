package mqtt

import (
	"errors"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

const (
	bufStart = 512      // bytes of a read buffer; what a board sends fits
	bufBig   = 16 << 10 // bytes that a busy connection's may grow to without a large packet
	bufCalm  = 16       // small reads in a row after which a big one is given back

	// takeOverWait is how long a new session waits for the last message of the old
	// one; with it CONNACK is still within a board's 1.5 s.
	takeOverWait = 500 * time.Millisecond
	// farewellWait is how long a connection may take to say why it ends.
	farewellWait = time.Second
)

// A session is one connection, from its first byte to its end. Its goroutine
// reads; a second one writes while there is something to write.
type session struct {
	b        *Broker
	conn     net.Conn // packets are read from and written to it
	sock     *socket  // under conn; nil on WebSocket
	abort    func()   // closes the connection without a word
	chunk    int      // bytes given to conn at once; 0 for any number
	guest    *guest
	remote   netip.AddrPort
	listener string

	// Known from CONNECT on.
	who       Identity
	clientID  string
	version   byte
	keepAlive time.Duration
	maxPacket uint32 // that the client takes; 0 for any
	since     time.Time
	seat      *seat
	state     *state
	client    *client
	done      chan struct{} // closed when Disconnected has returned
	left      sync.Once

	// For the reading goroutine alone.
	buf    []byte // what was read and not yet handled is buf[r:w]
	r, w   int
	calm   int // small reads in a row
	limit  int // bytes of a packet
	routes map[string]*route

	heard   atomic.Int64 // the tick at which something was last read
	partial atomic.Int64 // the tick at which a packet was begun; 0 for none
	waiting atomic.Bool  // for the network: only then silence is the client's
	spoken  atomic.Bool  // has published or pinged since CONNECT
	writing atomic.Int64 // the tick at which a write was begun; 0 for none

	wmu sync.Mutex // held while a packet is written; taken before state.mu

	mu          sync.Mutex
	queue       []item // to write; only grows while somebody will write it
	spare       []item // memory for the next queue
	draining    bool   // a goroutine writes the queue
	queued      int    // of it, messages with QoS 0
	queuedBytes int
	pending     fifo[*arrival] // messages that the Handler has, in the order of arrival
	held        int            // messages from their arrival until they are acknowledged
	heldBytes   int
	unacked     int  // of those with QoS 1 or 2, what counts against the receive maximum
	open        bool // CONNACK was written
	stopping    bool
	ended       bool
	cause       error // why it ended
	ending      Ending

	room chan struct{} // has a value when held fell or the session ended
}

// next reads one packet. body lies in the read buffer and is good until next is
// called again.
func (s *session) next() (first byte, body []byte, err error) {
	for {
		need := 2
		if have := s.buf[s.r:s.w]; len(have) > 0 {
			if err := checkFlags(have[0]); err != nil {
				return 0, nil, err
			}
			length, n, err := parseLength(have[1:])
			if err != nil {
				return 0, nil, err
			}
			if n > 0 {
				total := 1 + n + length
				if total > s.limit {
					return 0, nil, codeTooLarge
				}
				if len(have) >= total {
					s.r += total
					return have[0], have[1+n : total], nil
				}
				need = total
			}
		}
		if err := s.fill(need); err != nil {
			return 0, nil, err
		}
	}
}

// fill reads what there is, into room for at least need bytes from s.r on.
func (s *session) fill(need int) error {
	if s.r == s.w {
		s.r, s.w = 0, 0
		if len(s.buf) > bufStart && need <= bufStart && (s.calm > bufCalm || len(s.buf) > bufBig) {
			s.buf = nil
		}
	}
	if s.r > 0 && len(s.buf)-s.r < max(need, bufStart/2) {
		s.w = copy(s.buf, s.buf[s.r:s.w])
		s.r = 0
	}
	if size := s.r + need; len(s.buf) < size || s.w == len(s.buf) {
		bigger := make([]byte, max(size, bufStart, min(2*len(s.buf), bufBig)))
		s.w = copy(bigger, s.buf[s.r:s.w])
		s.r, s.buf = 0, bigger
	}
	s.flush()
	if s.r < s.w {
		s.partial.CompareAndSwap(0, s.b.tick.Load())
	} else {
		s.partial.Store(0)
	}
	s.waiting.Store(true)
	n, err := s.conn.Read(s.buf[s.w:])
	s.waiting.Store(false)
	s.heard.Store(s.b.tick.Load())
	switch room := len(s.buf) - s.w; {
	case n == room && room < bufBig:
		s.calm = 0
		s.w += n
		if s.r == 0 && len(s.buf) < bufBig { // there may be more: read it at once next time
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
		return errUnlessRead(n, err)
	case n < bufStart:
		s.calm++
	default:
		s.calm = 0
	}
	s.w += n
	return errUnlessRead(n, err)
}

// errUnlessRead keeps an error for the next Read when this one brought something.
func errUnlessRead(n int, err error) error {
	if n > 0 {
		return nil
	}
	if err == nil {
		return ErrNetwork
	}
	return err
}

// run is the life of a session after CONNACK.
func (s *session) run() {
	defer s.b.wg.Done()
	ending, c, cause := s.read()
	s.flush() // what the last packets have caused
	s.end(cause, ending, c)
	s.flush()
	s.written()
	s.leave()
}

// written waits for whoever still writes. The session has ended, so that this is
// over with farewellWait at the latest.
func (s *session) written() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.draining {
		s.mu.Unlock()
		<-s.room
		s.mu.Lock()
	}
}

// read handles packets until the session ends: why, and what MQTT 5 is told.
func (s *session) read() (Ending, code, error) {
	for {
		first, body, err := s.next()
		if s.over() {
			return EndedClean, 0, nil // whoever ended it has said why
		}
		if err == nil {
			s.partial.Store(0)
			err = s.handleSafely(first, body)
		}
		switch c, broken := err.(code); {
		case err == nil:
		case broken:
			return EndedProtocol, c, c
		case err == errDisconnect:
			return EndedClean, 0, nil
		case err == errPanic:
			return EndedHandler, codeImplementation, err
		default:
			return EndedNetwork, 0, ErrNetwork
		}
	}
}

var errPanic = errors.New("mqtt: a packet could not be handled")

// handleSafely is handle, of which a panic ends one session and not the server.
func (s *session) handleSafely(first byte, body []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.b.count.panics.Add(1)
			s.b.log.Error("a packet could not be handled", "kind", string(s.who.Kind), "id", s.who.ID,
				"type", first>>4, "panic", p, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return s.handle(first, body)
}

func (s *session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// end ends the session for the first cause that it is told. Nothing more is read
// or acknowledged. What was queued before is still written, then MQTT 5 is told
// c; without c the connection is closed at once.
// It is false when the session had ended already.
func (s *session) end(cause error, ending Ending, c code) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endLocked(cause, ending, c)
}

// greeted notes that CONNACK was written. It is false when the session ended before.
func (s *session) greeted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = true
	return !s.ended
}

// endLocked is end; s.mu is held.
func (s *session) endLocked(cause error, ending Ending, c code) bool {
	if s.ended {
		return false
	}
	s.ended, s.cause, s.ending = true, cause, ending
	s.wakeLocked()
	if c == 0 || !s.open {
		s.abort()
		return true
	}
	s.queue = append(s.queue, item{kind: typeDisconnect, code: c})
	s.drainLocked()
	time.AfterFunc(farewellWait, s.abort)
	return true
}

// wakeLocked wakes a reader that waits for room. s.mu is held.
func (s *session) wakeLocked() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}

// stop ends the session once the Handler has said done to all that it has.
func (s *session) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	s.wakeLocked()
	if s.pending.len() == 0 {
		s.endLocked(ErrStopping, EndedStopping, codeStopping)
	}
}

// leave takes the session out of everything and tells the Handler. It may be
// called by the session itself and by the one that takes over; both return when
// it is done.
func (s *session) leave() {
	s.left.Do(func() {
		s.abort()
		s.mu.Lock()
		cause, ending := s.cause, s.ending
		s.mu.Unlock()
		s.b.count.ended[ending].Add(1)
		s.b.log.Debug("session ended", "kind", string(s.who.Kind), "id", s.who.ID, "why", ending.String(), "err", cause)
		s.b.house.stand(s)
		s.b.house.part(s, s.b.tick.Load(), s.b.limits.OfflineDevices)
		s.b.handler.Disconnected(s.who, cause)
		s.b.house.remove(s)
		s.guest.leave()
		close(s.done)
	})
}

// check ends the session if its time is over. The janitor calls it each second.
func (s *session) check(tick int64, now time.Time) {
	if !s.who.Until.IsZero() && !now.Before(s.who.Until) {
		s.end(ErrExpired, EndedExpired, codeConnectTime)
		return
	}
	if begun := s.writing.Load(); begun != 0 && tick-begun > ticks(s.b.limits.WriteTimeout) {
		s.end(ErrSlow, EndedSlow, 0)
		s.abort()
		return
	}
	if !s.waiting.Load() {
		return // we are the slow one
	}
	if begun := s.partial.Load(); begun != 0 && tick-begun > ticks(s.b.limits.PacketTimeout) {
		s.end(ErrHalfPacket, EndedHalf, codeProtocol)
		return
	}
	silent := tick - s.heard.Load()
	if s.spoken.Load() {
		if s.keepAlive > 0 && silent > ticks(s.keepAlive+s.keepAlive/2) {
			s.end(ErrKeepAlive, EndedKeepAlive, codeKeepAlive)
		}
		return
	}
	// A Python device that has no thing yet never pings, and never notices that it
	// was cut off: as long as TCP says that it is there, it is (trap 4).
	if limit := s.b.limits.SilentFor; limit > 0 && s.keepAlive > 0 && silent > ticks(max(limit, s.keepAlive+s.keepAlive/2)) {
		s.end(ErrKeepAlive, EndedKeepAlive, codeKeepAlive)
	}
}
