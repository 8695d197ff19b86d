package mqtt

import "sync"

// An item is something to write: an acknowledgement, a message, or the end.
type item struct {
	message *message
	letter  *letter // for a message with QoS 1 or 2
	subIDs  []int   // for a message with QoS 0
	size    int     // of the payload that an acknowledgement lets go
	id      uint16
	kind    byte
	code    code
}

// push queues it and sees to it that it is written.
func (s *session) push(it item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	s.queue = append(s.queue, it)
	s.drainLocked()
}

// offer queues a message of QoS 0, if there is room for it.
func (s *session) offer(m *message, subIDs []int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &s.b.limits
	if s.ended || s.queued >= l.PendingWrites || s.queuedBytes+len(m.frame) > l.PendingBytes {
		return false
	}
	s.queued++
	s.queuedBytes += len(m.frame)
	s.queue = append(s.queue, item{kind: typePublish, message: m, subIDs: subIDs})
	s.drainLocked()
	return true
}

// drainLocked starts a goroutine that writes the queue, if none does. s.mu is held.
func (s *session) drainLocked() {
	if !s.draining && len(s.queue) > 0 {
		s.draining = true
		// The session's own goroutine is among those that Run waits for: it ends
		// only after the last item was queued.
		s.b.wg.Go(s.drain)
	}
}

// flush writes what the reading goroutine itself has caused, before it waits.
func (s *session) flush() {
	s.mu.Lock()
	if s.draining || len(s.queue) == 0 {
		s.mu.Unlock()
		return
	}
	s.draining = true
	s.mu.Unlock()
	s.drain()
}

// drain writes the queue until it is empty. One goroutine does it at a time.
func (s *session) drain() {
	for {
		s.mu.Lock()
		batch := s.queue
		if len(batch) == 0 {
			s.draining = false
			if s.ended {
				s.wakeLocked() // see written
			}
			s.mu.Unlock()
			return
		}
		s.queue, s.spare = s.spare[:0], nil
		for i := range batch {
			if batch[i].kind == typePuback {
				s.unacked-- // the client may send the next before our Write returns
			}
		}
		s.mu.Unlock()

		err := s.writeBatch(batch)
		if last := &batch[len(batch)-1]; last.kind == typeDisconnect {
			s.farewell(last.code)
		}

		s.mu.Lock()
		for i := range batch {
			switch it := &batch[i]; {
			case it.kind == typePuback || it.kind == typePubrec:
				s.letGo(it.size)
			case it.kind == typePublish && it.letter == nil:
				s.queued--
				s.queuedBytes -= len(it.message.frame)
			}
			batch[i] = item{}
		}
		if cap(batch) <= fifoKeep {
			s.spare = batch[:0]
		}
		if err != nil {
			s.endLocked(ErrNetwork, EndedNetwork, 0)
		}
		s.mu.Unlock()
	}
}

var scratch = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// writeBatch writes items, each packet in records of its own, in one system call
// where it can.
func (s *session) writeBatch(batch []item) (err error) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.writing.Store(s.b.tick.Load())
	defer s.writing.Store(0)
	if s.sock != nil && len(batch) > 1 {
		s.sock.cork()
		defer func() {
			if e := s.sock.uncork(); err == nil {
				err = e
			}
		}()
	}
	tmp := scratch.Get().(*[]byte)
	defer func() {
		if cap(*tmp) <= maxRecord {
			scratch.Put(tmp)
		}
	}()
	for i := range batch {
		it := &batch[i]
		p := (*tmp)[:0]
		switch it.kind {
		case typePublish:
			p = s.appendMessage(p, it)
			s.b.count.sent.Add(1)
		case typeDisconnect:
			return nil // it is the last
		default:
			p = appendAck(p, it.kind, it.id, codeSuccess, s.version)
			if it.kind != typePubrel {
				s.b.count.acknowledged.Add(1)
			}
		}
		if it.letter != nil || it.kind != typePublish || s.version >= 5 {
			*tmp = p // it may have grown
		}
		if err := s.put(p); err != nil {
			return err
		}
	}
	return nil
}

// appendMessage is the packet of it.
func (s *session) appendMessage(p []byte, it *item) []byte {
	if it.letter == nil {
		if s.version < 5 {
			return it.message.frame
		}
		return appendPublish(p, outgoing{topic: it.message.topic, payload: it.message.payload, subIDs: it.subIDs}, s.version)
	}
	l := it.letter
	s.state.mu.Lock()
	o := outgoing{topic: l.message.topic, payload: l.message.payload, id: l.id, qos: l.qos, dup: l.dup, subIDs: l.subIDs}
	s.state.mu.Unlock()
	return appendPublish(p, o, s.version)
}

// farewell says why, where the protocol can, and closes the connection. That it
// cannot be said is nobody's error: the connection ends one way or the other.
func (s *session) farewell(c code) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	if s.version >= 5 {
		_ = s.put(appendDisconnect(nil, c))
	}
	_ = s.conn.Close()
	s.abort()
}

// write writes one packet now, after what the reading goroutine, whose it is, has
// caused before. It blocks while the client does not read: then we do not either.
func (s *session) write(packet []byte) error {
	s.flush()
	s.wmu.Lock()
	defer s.wmu.Unlock()
	s.writing.Store(s.b.tick.Load())
	defer s.writing.Store(0)
	return s.put(packet)
}

// put hands one packet to TLS. wmu is held.
func (s *session) put(packet []byte) error {
	for s.chunk > 0 && len(packet) > s.chunk {
		if _, err := s.conn.Write(packet[:s.chunk]); err != nil {
			return err
		}
		packet = packet[s.chunk:]
	}
	_, err := s.conn.Write(packet)
	return err
}
