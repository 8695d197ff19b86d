// Package mqtt is as much of MQTT 3.1.1 as a device needs: packets that a client
// writes, packets that a server sends. There is no connection in it and no clock.
package mqtt

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A Type is the first half of a packet's first byte (MQTT 3.1.1, table 2.1).
type Type byte

// The packets of a client that publishes with QoS 0 and 1.
const (
	Connect     Type = 1
	ConnAck     Type = 2
	Publish     Type = 3
	PubAck      Type = 4
	Subscribe   Type = 8
	SubAck      Type = 9
	Unsubscribe Type = 10
	UnsubAck    Type = 11
	PingReq     Type = 12
	PingResp    Type = 13
	Disconnect  Type = 14
)

// Refused is the code by which a server refuses a subscription.
const Refused = 0x80

// ErrMalformed is what no server of MQTT 3.1.1 sends to such a client. The connection must be closed.
var ErrMalformed = errors.New("mqtt: malformed packet")

// A Packet is one that a server sent.
type Packet struct {
	Type    Type
	ID      uint16 // of SubAck, UnsubAck, PubAck, and of Publish with QoS 1
	Code    byte   // of ConnAck and SubAck
	QoS     byte   // of Publish
	Topic   string // of Publish
	Payload []byte // of Publish
}

// AppendConnect writes the first packet of a clean session. There is no user name and
// password when user is empty.
func AppendConnect(dst []byte, clientID, user, password string, keepAlive uint16) []byte {
	flags := byte(0x02) // clean session
	n := 10 + 2 + len(clientID)
	if user != "" {
		flags |= 0xc0
		n += 2 + len(user) + 2 + len(password)
	}
	dst = appendHeader(dst, Connect, 0, n)
	dst = appendText(dst, "MQTT")
	dst = append(dst, 4, flags)
	dst = binary.BigEndian.AppendUint16(dst, keepAlive)
	dst = appendText(dst, clientID)
	if user != "" {
		dst = appendText(appendText(dst, user), password)
	}
	return dst
}

// AppendPublish writes a message. id counts only with QoS 1.
func AppendPublish(dst []byte, topic string, payload []byte, qos byte, id uint16) []byte {
	n := 2 + len(topic) + len(payload)
	if qos > 0 {
		n += 2
	}
	dst = appendHeader(dst, Publish, qos<<1, n)
	dst = appendText(dst, topic)
	if qos > 0 {
		dst = binary.BigEndian.AppendUint16(dst, id)
	}
	return append(dst, payload...)
}

// AppendSubscribe asks for one topic: the clients of boards know answers to one only.
func AppendSubscribe(dst []byte, id uint16, topic string, qos byte) []byte {
	dst = appendHeader(dst, Subscribe, 2, 2+2+len(topic)+1)
	dst = binary.BigEndian.AppendUint16(dst, id)
	return append(appendText(dst, topic), qos)
}

// AppendUnsubscribe ends a subscription.
func AppendUnsubscribe(dst []byte, id uint16, topic string) []byte {
	dst = appendHeader(dst, Unsubscribe, 2, 2+2+len(topic))
	dst = binary.BigEndian.AppendUint16(dst, id)
	return appendText(dst, topic)
}

// AppendPubAck acknowledges a message.
func AppendPubAck(dst []byte, id uint16) []byte {
	return binary.BigEndian.AppendUint16(appendHeader(dst, PubAck, 0, 2), id)
}

// AppendEmpty writes a PingReq or a Disconnect.
func AppendEmpty(dst []byte, t Type) []byte { return appendHeader(dst, t, 0, 0) }

func appendHeader(dst []byte, t Type, flags byte, n int) []byte {
	return binary.AppendUvarint(append(dst, byte(t)<<4|flags), uint64(n))
}

// appendText cuts nothing: topics and ids are ours and far below 65,536 bytes.
func appendText(dst []byte, s string) []byte {
	if len(s) > math.MaxUint16 {
		panic(fmt.Sprintf("mqtt: a text of %d bytes", len(s)))
	}
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// Read reads one packet. One that is longer than most bytes, that is not for a client of
// ours, or with a wrong form is ErrMalformed.
func Read(r *bufio.Reader, most int) (Packet, error) {
	first, err := r.ReadByte()
	if err != nil {
		return Packet{}, err
	}
	n, err := readLength(r)
	if err != nil {
		return Packet{}, err
	}
	if n > most {
		return Packet{}, fmt.Errorf("%w: %d bytes", ErrMalformed, n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return Packet{}, unexpected(err)
	}
	return parse(first, body)
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readLength reads the remaining length (section 2.2.3): at most four bytes.
func readLength(r *bufio.Reader) (int, error) {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, unexpected(err)
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, ErrMalformed
}

func parse(first byte, body []byte) (Packet, error) {
	p := Packet{Type: Type(first >> 4)}
	flags := first & 0x0f
	if p.Type == Publish {
		return parsePublish(p, flags, body)
	}
	// Every packet that a server sends otherwise has these lengths and no flags.
	lengths := map[Type]int{ConnAck: 2, PubAck: 2, SubAck: 3, UnsubAck: 2, PingResp: 0}
	n, known := lengths[p.Type]
	if !known || flags != 0 || len(body) != n {
		return Packet{}, fmt.Errorf("%w: type %d with %d bytes", ErrMalformed, p.Type, len(body))
	}
	switch p.Type {
	case ConnAck:
		p.Code = body[1]
	case PubAck, UnsubAck, SubAck:
		p.ID = binary.BigEndian.Uint16(body)
		if p.Type == SubAck {
			p.Code = body[2]
		}
	}
	return p, nil
}

func parsePublish(p Packet, flags byte, body []byte) (Packet, error) {
	p.QoS = flags >> 1 & 3
	if p.QoS > 1 || len(body) < 2 {
		return Packet{}, fmt.Errorf("%w: message with QoS %d", ErrMalformed, p.QoS)
	}
	n := int(binary.BigEndian.Uint16(body))
	body = body[2:]
	if n > len(body) {
		return Packet{}, fmt.Errorf("%w: topic", ErrMalformed)
	}
	p.Topic, body = string(body[:n]), body[n:]
	if p.QoS == 1 {
		if len(body) < 2 {
			return Packet{}, fmt.Errorf("%w: message without an id", ErrMalformed)
		}
		p.ID, body = binary.BigEndian.Uint16(body), body[2:]
	}
	p.Payload = body
	return p, nil
}
