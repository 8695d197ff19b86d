package mqttclient

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errTooLong is a packet that is longer than was agreed, or whose length cannot be read.
var errTooLong = errors.New("the broker sends a packet that is too long")

// A line is a connection that is read no further than to a packet that is too long, and that is closed when
// nobody reads what is written. It is a sync.Locker for the MQTT library, which holds it while it writes one packet.
type line struct {
	net.Conn
	sync.Mutex
	most     uint32        // bytes of a packet without its first byte and its length
	patience time.Duration // with one Write
	heads    heads         // of what was read; used by the one who reads
}

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if !l.heads.pass(p[:n], l.most) {
		return 0, errTooLong
	}
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	stalled := time.AfterFunc(l.patience, func() { _ = l.Close() }) // the write that hangs fails by that
	defer stalled.Stop()
	return l.Conn.Write(p)
}

// heads finds the beginnings of packets in a stream, wherever it is cut.
type heads struct {
	body   uint32 // bytes of a packet that are still to come
	length uint32 // as far as it was read
	digits uint8  // of the length that were read; the first byte of the packet counts as one
}

// pass says whether no packet that begins in b is longer than most.
func (h *heads) pass(b []byte, most uint32) bool {
	for len(b) > 0 {
		if h.body > 0 {
			n := min(h.body, uint32(len(b)))
			h.body -= n
			b = b[n:]
			continue
		}
		c := b[0]
		b = b[1:]
		if h.digits == 0 {
			h.digits = 1
			continue
		}
		h.length |= uint32(c&0x7f) << (7 * (h.digits - 1))
		if c&0x80 != 0 {
			if h.digits++; h.digits > 4 {
				return false
			}
			continue
		}
		if h.length > most {
			return false
		}
		*h = heads{body: h.length}
	}
	return true
}
