package provision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"
)

// A Type says what is in a frame.
type Type uint8

// The types.
const (
	Request  Type = 1 // a command of provisioning 1.0
	Data     Type = 2 // a message
	Transmit Type = 3 // one byte: Connect, Disconnect or Nack; in 1.0 a response
)

// What a frame of type Transmit says.
const (
	Connect    = 1 // somebody is there; over serial lines only
	Disconnect = 2
	Nack       = 3 // something was not readable: send again what was not answered
)

// A Frame is one piece of what goes over the line.
type Frame struct {
	Type    Type
	Payload []byte
}

// MaxPayload bounds a frame. The longest that boards send is a list of 20 networks, with about 700 bytes.
const MaxPayload = 4096

// gap is how long a frame may stand still before it counts as broken off.
const gap = 10 * time.Second

var (
	begin = []byte{0x55, 0xaa}
	end   = []byte{0xaa, 0x55}
)

const (
	headBytes = 2 + 1 + 2 // begin, type, length
	tailBytes = 2 + 2     // CRC, end
	crcBytes  = 2         // which the length counts too
)

// errPayload is a frame that nobody would take.
var errPayload = errors.New("provision: a frame has at most 4096 bytes")

// Append writes a frame behind dst.
func Append(dst []byte, f Frame) ([]byte, error) {
	if len(f.Payload) > MaxPayload {
		return dst, errPayload
	}
	dst = append(append(dst, begin...), byte(f.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(f.Payload)+crcBytes))
	dst = append(dst, f.Payload...)
	dst = binary.BigEndian.AppendUint16(dst, checksum(f.Payload))
	return append(dst, end...), nil
}

// checksum is CRC-16/X-25: polynomial 0x1021 reflected, all bits set before and turned after.
func checksum(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8408
			} else {
				crc >>= 1
			}
		}
	}
	return ^crc
}

// A Reader finds frames in what comes over a line, in whichever pieces. What is no frame is skipped.
type Reader struct {
	rest []byte
	at   time.Time // when the last byte came
}

// Feed takes what came at a time, and returns the frames that are whole now. bad counts those that were not readable.
// The frames keep no reference to b.
func (r *Reader) Feed(b []byte, at time.Time) (frames []Frame, bad int) {
	if len(r.rest) > 0 && at.Sub(r.at) > gap {
		r.rest, bad = nil, 1
	}
	r.at = at
	r.rest = append(r.rest, b...)
	for {
		i := bytes.Index(r.rest, begin)
		if i < 0 {
			// The first half of a beginning may be the last byte.
			if n := len(r.rest); n > 0 && r.rest[n-1] == begin[0] {
				r.rest = r.rest[n-1:]
			} else {
				r.rest = nil
			}
			return frames, bad
		}
		r.rest = r.rest[i:]
		if len(r.rest) < headBytes {
			return frames, bad
		}
		n := int(binary.BigEndian.Uint16(r.rest[3:]))
		if n < crcBytes || n > MaxPayload+crcBytes {
			r.rest, bad = r.rest[1:], bad+1
			continue
		}
		whole := headBytes + n + len(end)
		if len(r.rest) < whole {
			return frames, bad
		}
		payload := r.rest[headBytes : headBytes+n-crcBytes]
		if binary.BigEndian.Uint16(r.rest[headBytes+n-crcBytes:]) != checksum(payload) || !bytes.Equal(r.rest[whole-len(end):whole], end) {
			r.rest, bad = r.rest[1:], bad+1
			continue
		}
		frames = append(frames, Frame{Type: Type(r.rest[2]), Payload: bytes.Clone(payload)})
		r.rest = r.rest[whole:]
	}
}
