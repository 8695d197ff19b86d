package device

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

const (
	deviceID = "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"
	thingA   = "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11"
	thingB   = "11111111-2d7a-4f43-9c7e-5d8f0c4b7a11"
)

// An entry is something that the device did.
type entry struct {
	at   time.Duration // since the broker was made
	conn int           // counted from 1
	what string
}

// broker is the cloud's side of a device, as far as a test wants it to do its part. It
// decodes with a server's library, and notes all it gets in words.
type broker struct {
	t     testing.TB
	start time.Time

	mu sync.Mutex // guards all below

	// What it does; to be changed by set.
	refuse   error                  // of the network
	code     byte                   // of CONNACK
	deaf     bool                   // no CONNACK
	subAck   func(topic string) int // the code; -1: no answer
	pong     bool                   // answers pings
	ack      bool                   // acknowledges values
	thing    func() (string, bool)  // answer to the question for the thing; false: none
	values   func() ([]byte, bool)  // likewise for last values
	onValues func(r []senml.Record) // sees each pack on e/o
	stuck    chan struct{}          // while not nil and open, nothing is read

	entries []entry
	conns   int
	peer    net.Conn // of the last connection
	unacked []uint16
}

func newBroker(t testing.TB) *broker {
	return &broker{
		t: t, start: time.Now(), pong: true, ack: true,
		thing:  func() (string, bool) { return thingA, true },
		values: func() ([]byte, bool) { return zone(7200, time.Now().Add(1000*time.Hour)), true },
	}
}

func (b *broker) set(f func(*broker)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

// zone is a pack of last values with the time zone and some records.
func zone(offset int64, until time.Time, more ...senml.Record) []byte {
	return senml.Append(nil, append(more,
		senml.Record{Name: tzOffset, Kind: senml.Int, Int: offset},
		senml.Record{Name: tzUntil, Kind: senml.Int, Int: until.Unix()}))
}

func (b *broker) dial(ctx context.Context) (net.Conn, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		b.noteLocked("refused network")
		return nil, b.refuse
	}
	near, far := net.Pipe()
	b.accept(far)
	return wholePackets{near, b.t}, nil
}

// accept serves a connection. It is called with mu held.
func (b *broker) accept(conn net.Conn) {
	b.conns++
	b.peer, b.unacked = conn, nil
	go b.serve(conn, b.conns)
}

// wholePackets sees to it that each write is one packet: with TLS it becomes one record.
type wholePackets struct {
	net.Conn
	t testing.TB
}

func (w wholePackets) Write(p []byte) (int, error) {
	n, used := binary.Uvarint(p[1:])
	if used <= 0 || len(p) != 1+used+int(n) {
		w.t.Errorf("wrote % x, which is not one packet", p)
	}
	return w.Conn.Write(p)
}

func (b *broker) note(conn int, format string, a ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.noteConn(conn, fmt.Sprintf(format, a...))
}

func (b *broker) noteLocked(what string) { b.noteConn(b.conns, what) }

func (b *broker) noteConn(conn int, what string) {
	b.entries = append(b.entries, entry{time.Since(b.start), conn, what})
}

func (b *broker) serve(conn net.Conn, n int) {
	defer conn.Close()
	for {
		b.mu.Lock()
		stuck := b.stuck
		b.mu.Unlock()
		if stuck != nil {
			<-stuck
		}
		p, err := readPacket(conn)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, net.ErrClosed) {
				b.note(n, "broken: %v", err)
			} else {
				b.note(n, "closed")
			}
			return
		}
		for _, answer := range b.answer(n, p) {
			if _, err := conn.Write(answer); err != nil {
				b.note(n, "closed") // by the device, before it read the answer
				return
			}
		}
	}
}

// readPacket reads one packet and decodes it.
func readPacket(r io.Reader) (packets.Packet, error) {
	var first [1]byte
	if _, err := io.ReadFull(r, first[:]); err != nil {
		return packets.Packet{}, err
	}
	header := new(packets.FixedHeader)
	if err := header.Decode(first[0]); err != nil {
		return packets.Packet{}, err
	}
	n, _, err := packets.DecodeLength(oneByte{r})
	if err != nil {
		return packets.Packet{}, err
	}
	header.Remaining = n
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return packets.Packet{}, err
	}
	p := packets.Packet{FixedHeader: *header, ProtocolVersion: 4}
	switch header.Type {
	case packets.Connect:
		err = p.ConnectDecode(body)
	case packets.Publish:
		err = p.PublishDecode(body)
	case packets.Subscribe:
		err = p.SubscribeDecode(body)
	case packets.Unsubscribe:
		err = p.UnsubscribeDecode(body)
	case packets.Puback:
		err = p.PubackDecode(body)
	}
	return p, err
}

type oneByte struct{ io.Reader }

func (r oneByte) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r.Reader, b[:])
	return b[0], err
}

// answer notes a packet and makes the answers to it.
func (b *broker) answer(conn int, p packets.Packet) [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	note := func(format string, a ...any) { b.noteConn(conn, fmt.Sprintf(format, a...)) }
	switch p.FixedHeader.Type {
	case packets.Connect:
		note("CONNECT %s user=%s password=%s keepalive=%d clean=%v", p.Connect.ClientIdentifier, p.Connect.Username, p.Connect.Password, p.Connect.Keepalive, p.Connect.Clean)
		if b.deaf {
			return nil
		}
		return [][]byte{{0x20, 2, 0, b.code}}
	case packets.Subscribe:
		topic := p.Filters[0].Filter
		note("SUB %s %d", short(topic), p.Filters[0].Qos)
		code := 0
		if b.subAck != nil {
			code = b.subAck(short(topic))
		}
		if code < 0 {
			return nil
		}
		answers := [][]byte{{0x90, 3, byte(p.PacketID >> 8), byte(p.PacketID), byte(code)}}
		if topic == "/a/d/"+deviceID+"/e/i" && code == 0 {
			if thing, is := b.thing(); is {
				answers = append(answers, publish(topic, thingRecord(thing), 0))
			}
		}
		return answers
	case packets.Unsubscribe:
		note("UNSUB %s", short(p.Filters[0].Filter))
		return [][]byte{{0xb0, 2, byte(p.PacketID >> 8), byte(p.PacketID)}}
	case packets.Pingreq:
		note("PING")
		if b.pong {
			return [][]byte{{0xd0, 0}}
		}
	case packets.Disconnect:
		note("DISCONNECT")
	case packets.Puback:
		note("PUBACK %d", p.PacketID)
	case packets.Publish:
		return b.published(conn, p)
	default:
		note("unexpected packet of type %d", p.FixedHeader.Type)
	}
	return nil
}

func (b *broker) published(conn int, p packets.Packet) (answers [][]byte) {
	note := func(format string, a ...any) { b.noteConn(conn, fmt.Sprintf(format, a...)) }
	topic := short(p.TopicName)
	if p.FixedHeader.Qos == 1 {
		if b.ack {
			answers = append(answers, []byte{0x40, 2, byte(p.PacketID >> 8), byte(p.PacketID)})
		} else {
			b.unacked = append(b.unacked, p.PacketID)
		}
	}
	switch {
	case strings.HasSuffix(topic, "/c/up"):
		c, err := command.Decode(p.Payload)
		if err != nil {
			note("nonsense on %s: %v", topic, err)
			return answers
		}
		note("%s", strings.TrimPrefix(fmt.Sprintf("%T%v", c, c), "command."))
		switch c.(type) {
		case command.ThingBegin:
			if thing, is := b.thing(); is {
				answers = append(answers, commandTo(command.ThingUpdate{ThingID: thing}))
			}
		case command.LastValuesBegin:
			if pack, is := b.values(); is {
				answers = append(answers, commandTo(command.LastValuesUpdate{Pack: pack}))
			}
		}
	case strings.HasSuffix(topic, "/shadow/o"):
		note("%s %s", topic, hex.EncodeToString(p.Payload))
		if pack, is := b.values(); is {
			answers = append(answers, publish(strings.TrimSuffix(p.TopicName, "o")+"i", pack, 0))
		}
	default:
		records, err := senml.Decode(p.Payload)
		if err != nil {
			note("nonsense on %s: %v", topic, err)
			return answers
		}
		if b.onValues != nil {
			b.onValues(records)
		}
		note("%s %s", topic, describe(records))
	}
	return answers
}

// short leaves ids out of topics: d is the device, A and B are things.
func short(topic string) string {
	return strings.NewReplacer("/a/d/"+deviceID, "d", "/a/t/"+thingA, "A", "/a/t/"+thingB, "B").Replace(topic)
}

// describe writes records as "name=value@time".
func describe(records []senml.Record) string {
	var b strings.Builder
	for i, r := range records {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(r.Name)
		b.WriteByte('=')
		switch r.Kind {
		case senml.Text:
			fmt.Fprintf(&b, "%q", r.Text)
		case senml.Bool:
			fmt.Fprintf(&b, "%v", r.Int == 1)
		case senml.Int:
			fmt.Fprintf(&b, "%d", r.Int)
		default:
			fmt.Fprintf(&b, "%g", r.Num)
		}
		if r.At != 0 {
			fmt.Fprintf(&b, "@%.3f", r.At)
		}
	}
	return b.String()
}

func thingRecord(thing string) []byte {
	return senml.Append(nil, []senml.Record{{Name: "thing_id", Kind: senml.Text, Text: thing}})
}

func publish(topic string, payload []byte, qos byte) []byte {
	body := append(binary.BigEndian.AppendUint16(nil, uint16(len(topic))), topic...)
	if qos > 0 {
		body = append(body, 0, 77)
	}
	body = append(body, payload...)
	return append(binary.AppendUvarint([]byte{0x30 | qos<<1}, uint64(len(body))), body...)
}

func commandTo(c command.Command) []byte {
	payload, err := command.Append(nil, c)
	if err != nil {
		panic(err)
	}
	return publish("/a/d/"+deviceID+"/c/dw", payload, 0)
}

// push sends packets on the last connection.
func (b *broker) push(packets ...[]byte) {
	b.t.Helper()
	b.mu.Lock()
	peer := b.peer
	b.mu.Unlock()
	for _, p := range packets {
		if _, err := peer.Write(p); err != nil {
			b.t.Errorf("push: %v", err)
		}
	}
}

// write is what the cloud or a user writes to a thing.
func (b *broker) write(thing string, records ...senml.Record) {
	b.t.Helper()
	b.push(publish("/a/t/"+thing+"/e/i", senml.Append(nil, records), 0))
}

// cut ends the last connection.
func (b *broker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.peer.Close()
}

// log is what the device did since the last call, without times.
func (b *broker) log() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, e := range b.entries {
		all = append(all, e.what)
	}
	b.entries = nil
	return all
}

// times are the seconds at which the device did something, since the broker was made.
func (b *broker) times(what string) []float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []float64
	for _, e := range b.entries {
		if strings.HasPrefix(e.what, what) {
			all = append(all, e.at.Seconds())
		}
	}
	return all
}

func (b *broker) forget() { b.set(func(b *broker) { b.entries = nil }) }

func equal[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, list(got), list(want))
	}
}

func list[T any](all []T) string {
	var b bytes.Buffer
	for _, v := range all {
		fmt.Fprintf(&b, "\n  %v", v)
	}
	return b.String()
}
