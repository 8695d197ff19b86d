package mqtt

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// parseLength reads a variable byte integer from the start of b: its value and
// how many bytes it took; 0 bytes when b ends within it.
func parseLength(b []byte) (value, n int, err error) {
	for n < len(b) {
		if n == 4 {
			return 0, 0, codeMalformed
		}
		value |= int(b[n]&0x7f) << (7 * n)
		if b[n]&0x80 == 0 {
			return value, n + 1, nil
		}
		n++
	}
	if n >= 4 {
		return 0, 0, codeMalformed
	}
	return 0, 0, nil
}

func appendLength(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

// lengthSize is how many bytes appendLength takes for n.
func lengthSize(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}

// checkFlags holds the first byte of a packet that a client sends against the
// table in MQTT 3.1.1, section 2.2.2.
func checkFlags(first byte) error {
	switch t, flags := first>>4, first&0x0f; t {
	case typePublish:
		qos := flags >> 1 & 3
		if qos == 3 || (qos == 0 && flags&0x08 != 0) {
			return codeMalformed
		}
	case typePubrel, typeSubscribe, typeUnsubscribe:
		if flags != 2 {
			return codeMalformed
		}
	default:
		if flags != 0 {
			return codeMalformed
		}
	}
	return nil
}

// An incoming is a PUBLISH whose fields lie in the read buffer.
type incoming struct {
	topic   []byte
	payload []byte
	id      uint16 // 0 for QoS 0
	qos     byte
}

// parsePublish reads the body of a PUBLISH. The topic is not checked: see
// validTopic. A topic alias is an error, because CONNACK offers none (MQTT 5,
// section 3.3.2.3.4); other properties are checked and dropped.
func parsePublish(first byte, body []byte, version byte) (incoming, error) {
	in := incoming{qos: first >> 1 & 3}
	if len(body) < 2 {
		return in, codeMalformed
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	if len(body) < n {
		return in, codeMalformed
	}
	in.topic, body = body[:n], body[n:]
	if in.qos > 0 {
		if len(body) < 2 {
			return in, codeMalformed
		}
		in.id, body = binary.BigEndian.Uint16(body), body[2:]
		if in.id == 0 {
			return in, codeProtocol
		}
	}
	if version >= 5 {
		size, n, err := parseLength(body)
		if err != nil || n == 0 || len(body)-n < size {
			return in, codeMalformed
		}
		if size > 0 {
			if err := checkPublishProperties(body[:n+size]); err != nil {
				return in, err
			}
		}
		body = body[n+size:]
	}
	in.payload = body
	return in, nil
}

// An ack is the body of PUBACK, PUBREC, PUBREL or PUBCOMP. The reason string and
// user properties of MQTT 5 are skipped unread.
type ack struct {
	id   uint16
	code code
}

func parseAck(body []byte, version byte) (ack, error) {
	if len(body) < 2 || (version < 5 && len(body) != 2) {
		return ack{}, codeMalformed
	}
	a := ack{id: binary.BigEndian.Uint16(body)}
	if a.id == 0 {
		return a, codeProtocol
	}
	if len(body) > 2 {
		a.code = code(body[2])
	}
	if len(body) > 3 {
		size, n, err := parseLength(body[3:])
		if err != nil || n == 0 || len(body)-3-n != size {
			return a, codeMalformed
		}
	}
	return a, nil
}

// appendAck writes PUBACK, PUBREC, PUBREL or PUBCOMP. Only MQTT 5 can tell a
// code; success has a short form (MQTT 5, section 3.4.2.1).
func appendAck(dst []byte, kind byte, id uint16, c code, version byte) []byte {
	first := kind << 4
	if kind == typePubrel {
		first |= 2
	}
	if version < 5 || c == codeSuccess {
		return append(dst, first, 2, byte(id>>8), byte(id))
	}
	return append(dst, first, 3, byte(id>>8), byte(id), byte(c))
}

// appendDisconnect writes the DISCONNECT that only MQTT 5 lets a server send.
func appendDisconnect(dst []byte, c code) []byte {
	return append(dst, typeDisconnect<<4, 1, byte(c))
}

var pingresp = []byte{0xd0, 0}

// An outgoing is a PUBLISH to write.
type outgoing struct {
	topic   string
	payload []byte
	id      uint16
	qos     byte
	dup     bool
	subIDs  []int // subscription identifiers, MQTT 5 only
}

// propertiesSize is the length of the properties without their own length.
func (o outgoing) propertiesSize() int {
	n := 0
	for _, id := range o.subIDs {
		n += 1 + lengthSize(id)
	}
	return n
}

// size is how many bytes appendPublish takes.
func (o outgoing) size(version byte) int {
	n := o.remaining(version)
	return 1 + lengthSize(n) + n
}

func (o outgoing) remaining(version byte) int {
	n := 2 + len(o.topic) + len(o.payload)
	if o.qos > 0 {
		n += 2
	}
	if version >= 5 {
		p := o.propertiesSize()
		n += lengthSize(p) + p
	}
	return n
}

// appendPublish writes o. Retain is never set: nothing is retained here.
func appendPublish(dst []byte, o outgoing, version byte) []byte {
	first := byte(typePublish<<4) | o.qos<<1
	if o.dup {
		first |= 0x08
	}
	dst = append(dst, first)
	dst = appendLength(dst, o.remaining(version))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(o.topic)))
	dst = append(dst, o.topic...)
	if o.qos > 0 {
		dst = binary.BigEndian.AppendUint16(dst, o.id)
	}
	if version >= 5 {
		dst = appendLength(dst, o.propertiesSize())
		for _, id := range o.subIDs {
			dst = appendLength(append(dst, 0x0b), id) // MQTT 5, section 3.3.2.3.8
		}
	}
	return append(dst, o.payload...)
}

// validTopic says whether a message may bear this name: text without NUL and
// without wildcards (MQTT 3.1.1, sections 1.5.3 and 3.3.2.1).
func validTopic(name []byte) bool {
	return len(name) > 0 && utf8.Valid(name) && bytes.IndexByte(name, 0) < 0 && !bytes.ContainsAny(name, "+#")
}

// A filterKind is what can become of a subscription.
type filterKind uint8

const (
	filterMute  filterKind = iota // granted and never stored: $-topics, shared subscriptions, nonsense
	filterExact                   // the name of one topic
	filterWild                    // has + or #
)

// kindOfFilter reads a filter by MQTT 3.1.1, section 4.7. A filter that the
// section forbids is mute, not an error: a refusal in SUBACK ends the Python
// client for good (trap 5).
func kindOfFilter(filter string, maxBytes int) filterKind {
	if filter == "" || len(filter) > maxBytes || filter[0] == '$' || strings.IndexByte(filter, 0) >= 0 {
		return filterMute
	}
	if !strings.ContainsAny(filter, "+#") {
		return filterExact
	}
	for level := range strings.SplitSeq(filter, "/") {
		if len(level) > 1 && strings.ContainsAny(level, "+#") {
			return filterMute
		}
	}
	if i := strings.IndexByte(filter, '#'); i >= 0 && i != len(filter)-1 {
		return filterMute
	}
	return filterWild
}
