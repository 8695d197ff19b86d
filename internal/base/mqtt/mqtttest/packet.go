package mqtttest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Types of control packets; MQTT 5, section 2.1.2.
const (
	Connect     = 1
	Connack     = 2
	Publish     = 3
	Puback      = 4
	Pubrec      = 5
	Pubrel      = 6
	Pubcomp     = 7
	Subscribe   = 8
	Suback      = 9
	Unsubscribe = 10
	Unsuback    = 11
	Pingreq     = 12
	Pingresp    = 13
	Disconnect  = 14
	Auth        = 15
)

// A Packet is what a server sends. Which fields count depends on Type.
type Packet struct {
	Type    byte
	Flags   byte
	ID      uint16
	Topic   string
	Payload []byte
	QoS     byte
	Dup     bool
	Retain  bool
	Present bool           // Connack: the session was there
	Code    byte           // Connack, acknowledgements, Disconnect
	Codes   []byte         // Suback, Unsuback
	Props   map[byte][]any // MQTT 5: by identifier, in the order of arrival
}

// maxPacket bounds what Read allocates.
const maxPacket = 1 << 20

// ErrBroken is a packet that no server may send.
var ErrBroken = errors.New("mqtttest: the server sent a broken packet")

// Length appends a variable byte integer.
func Length(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// Text appends a string with its length.
func Text[T string | []byte](dst []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// Frame puts the fixed header before a body.
func Frame(first byte, body []byte) []byte {
	return append(Length([]byte{first}, len(body)), body...)
}

// ReadPacket reads one packet of a server that speaks the given version.
func ReadPacket(r io.Reader, version byte) (Packet, error) {
	var b [1]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return Packet{}, err
	}
	p := Packet{Type: b[0] >> 4, Flags: b[0] & 15}
	n := 0
	for shift := 0; ; shift += 7 {
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return p, err
		}
		n |= int(b[0]&0x7f) << shift
		if b[0]&0x80 == 0 {
			break
		}
		if shift == 21 {
			return p, ErrBroken
		}
	}
	if n > maxPacket {
		return p, fmt.Errorf("%w: of %d bytes", ErrBroken, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return p, err
	}
	return p, p.parse(&reader{b: body}, version)
}

func (p *Packet) parse(r *reader, version byte) error {
	five := version >= 5
	switch p.Type {
	case Connack:
		p.Present, p.Code = r.byte() == 1, r.byte()
		if five {
			p.Props = r.props()
		}
	case Publish:
		p.QoS, p.Dup, p.Retain = p.Flags>>1&3, p.Flags&8 != 0, p.Flags&1 != 0
		p.Topic = string(r.bytes())
		if p.QoS > 0 {
			p.ID = r.uint16()
		}
		if five {
			p.Props = r.props()
		}
		p.Payload, r.b = r.b, nil
	case Puback, Pubrec, Pubrel, Pubcomp:
		p.ID = r.uint16()
		if five && len(r.b) > 0 {
			p.Code = r.byte()
		}
		if five && len(r.b) > 0 {
			p.Props = r.props()
		}
	case Suback, Unsuback:
		p.ID = r.uint16()
		if five {
			p.Props = r.props()
		}
		p.Codes, r.b = r.b, nil
	case Pingresp:
	case Disconnect:
		if !five {
			return fmt.Errorf("%w: DISCONNECT, which servers do not send before MQTT 5", ErrBroken)
		}
		if len(r.b) > 0 {
			p.Code = r.byte()
		}
		if len(r.b) > 0 {
			p.Props = r.props()
		}
	default:
		return fmt.Errorf("%w: type %d", ErrBroken, p.Type)
	}
	if r.short || len(r.b) > 0 {
		return fmt.Errorf("%w: type %d with %d bytes too many", ErrBroken, p.Type, len(r.b))
	}
	return nil
}

// A reader takes fields from the start of b; short says that one was missing.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || len(r.b) < n {
		r.short, r.b = true, nil
		return make([]byte, min(max(n, 0), 4))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) bytes() []byte  { return r.take(int(r.uint16())) }

func (r *reader) length() int {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b := r.byte()
		n |= int(b&0x7f) << shift
		if b&0x80 == 0 {
			return n
		}
	}
	r.short = true
	return 0
}

// props reads properties; MQTT 5, section 2.2.2.2.
func (r *reader) props() map[byte][]any {
	inner := &reader{b: r.take(r.length())}
	all := map[byte][]any{}
	for len(inner.b) > 0 && !inner.short {
		id := inner.byte()
		var v any
		switch id {
		case 0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2a:
			v = inner.byte()
		case 0x13, 0x21, 0x22, 0x23:
			v = inner.uint16()
		case 0x02, 0x11, 0x18, 0x27:
			v = inner.uint32()
		case 0x0b:
			v = inner.length()
		case 0x03, 0x08, 0x12, 0x15, 0x1a, 0x1c, 0x1f, 0x09, 0x16:
			v = string(inner.bytes())
		case 0x26:
			v = [2]string{string(inner.bytes()), string(inner.bytes())}
		default:
			inner.short = true
		}
		all[id] = append(all[id], v)
	}
	r.short = r.short || inner.short
	return all
}
