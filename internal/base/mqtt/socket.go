package mqtt

import (
	"net"
	"sync"
	"sync/atomic"
)

// maxRecord is how many bytes are given to TLS at once, so that no record has
// more: boards have a buffer of 8 KB and Go ignores that they ask for short
// records (trap 3).
const maxRecord = 4096

// maxCork is how many bytes a socket collects before it writes them.
const maxCork = 16 << 10

// A socket is the raw connection under TLS. It counts bytes, joins the records of
// several packets into one system call, and while the handshake computes it holds
// one of few permits, so that a storm of boards is answered one after the other
// and not all too late.
type socket struct {
	net.Conn
	in, out atomic.Uint64

	// While the handshake runs, for its goroutine alone.
	permits chan struct{} // nil when there is nothing to compute
	holds   bool
	heard   func() // called at the first byte

	mu     sync.Mutex
	corked bool   // guarded by mu
	buf    []byte // guarded by mu
}

func newSocket(raw net.Conn) *socket { return &socket{Conn: raw} }

// handshake runs f, which reads and writes through s, with permits.
func (s *socket) handshake(permits chan struct{}, f func() error) error {
	s.permits = permits
	err := f()
	s.release()
	s.permits = nil
	return err
}

func (s *socket) acquire() {
	if s.permits != nil && !s.holds {
		// Nobody waits for the network while he holds a permit, so this is short.
		s.permits <- struct{}{}
		s.holds = true
	}
}

func (s *socket) release() {
	if s.holds {
		<-s.permits
		s.holds = false
	}
}

func (s *socket) Read(p []byte) (int, error) {
	s.release()
	n, err := s.Conn.Read(p)
	s.in.Add(uint64(n))
	if n > 0 {
		if s.heard != nil {
			s.heard()
			s.heard = nil
		}
		s.acquire()
	}
	return n, err
}

func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.corked {
		s.buf = append(s.buf, p...)
		if len(s.buf) < maxCork {
			return len(p), nil
		}
		return len(p), s.flush()
	}
	held := s.holds
	s.release()
	n, err := s.Conn.Write(p)
	if held {
		s.acquire()
	}
	s.out.Add(uint64(n))
	return n, err
}

var corks = sync.Pool{New: func() any { b := make([]byte, 0, maxCork+maxRecord); return &b }}

// cork collects what is written until uncork. The records stay what they are;
// only the system call is shared.
func (s *socket) cork() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.corked = true
	s.buf = (*corks.Get().(*[]byte))[:0]
}

func (s *socket) uncork() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.flush()
	if cap(s.buf) <= 2*(maxCork+maxRecord) {
		b := s.buf
		corks.Put(&b)
	}
	s.corked, s.buf = false, nil
	return err
}

// flush writes what was collected. s.mu is held.
func (s *socket) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	n, err := s.Conn.Write(s.buf)
	s.out.Add(uint64(n))
	s.buf = s.buf[:0]
	return err
}
