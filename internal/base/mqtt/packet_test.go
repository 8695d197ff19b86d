package mqtt

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// What the Python client was seen to send (device-protocol reference, section 8.8).
const (
	vectorM1 = "\x10\x30\x00\x04MQTT\x04\x02\x00\x0a\x00\x246a13f3c5-29b1-e4c0-d8a7-72f0f5e9c1d1"
)

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455} {
		b := appendLength(nil, n)
		if got, size, err := parseLength(append(b, 0xff)); got != n || size != len(b) || err != nil || size != lengthSize(n) {
			t.Errorf("%d is written as % x and read as %d (%d bytes), %v", n, b, got, size, err)
		}
		for cut := range b {
			if _, size, err := parseLength(b[:cut]); size != 0 || err != nil {
				t.Errorf("% x is read as whole, %v", b[:cut], err)
			}
		}
	}
	if _, _, err := parseLength([]byte{0xff, 0xff, 0xff, 0xff, 0x7f}); err == nil {
		t.Error("a length of five bytes is read")
	}
}

func TestConnectOfThePythonClient(t *testing.T) {
	body := []byte(vectorM1)[2:]
	c, err := decodeConnect(body)
	if err != nil || c.version != 4 || !c.clean || c.keepAlive != 10 || c.clientID != "6a13f3c5-29b1-e4c0-d8a7-72f0f5e9c1d1" || c.username != "" || c.will {
		t.Errorf("read as %+v, %v", c, err)
	}
}

func TestKindOfFilter(t *testing.T) {
	for name, want := range map[string]filterKind{
		"/a/t/x/e/i": filterExact, "/": filterExact, "a": filterExact, "/a/t//e/i": filterExact, "ä": filterExact,
		"#": filterWild, "+": filterWild, "/a/+/b": filterWild, "/a/#": filterWild, "+/+/#": filterWild,
		"": filterMute, "$SYS": filterMute, "$share/g/a": filterMute, "a/#/b": filterMute, "a#": filterMute, "a/b#": filterMute, "a+": filterMute,
		"a/+b": filterMute, "##": filterMute, "a\x00": filterMute, strings.Repeat("x", 101): filterMute,
	} {
		if got := kindOfFilter(name, 100); got != want {
			t.Errorf("%.20q is of kind %d, want %d", name, got, want)
		}
	}
}

func TestCodesOfVersion3(t *testing.T) {
	for c, want := range map[code]byte{codeVersion: 1, codeClientID: 2, codeUnavailable: 3, codeBusy: 3, codeQuota: 3, codeCredentials: 4, codeNotAuthorized: 5, codeAuthMethod: 5} {
		if got := c.v3(); got != want {
			t.Errorf("0x%02x is %d in MQTT 3.1.1, want %d", byte(c), got, want)
		}
	}
	if !errors.Is(codeMalformed, ErrProtocol) {
		t.Error("a malformed packet is no protocol error")
	}
}

func TestFifo(t *testing.T) {
	var q fifo[int]
	next := 0
	for i := range 1000 {
		q.push(i)
		if i%3 == 0 {
			if q.peek() != next || q.pop() != next {
				t.Fatalf("%d does not come after %d", next, next-1)
			}
			next++
		}
	}
	for q.len() > 0 {
		if got := q.pop(); got != next {
			t.Fatalf("got %d, want %d", got, next)
		}
		next++
	}
	if next != 1000 || len(q.ring) > fifoKeep {
		t.Errorf("%d came out; an empty queue keeps room for %d", next, len(q.ring))
	}
}

// Any bytes of a PUBLISH are refused, or read as mochi reads them; and what is read
// survives being written. It never panics.
func FuzzParsePublish(f *testing.F) {
	for _, version := range []byte{4, 5} {
		for qos := range byte(3) {
			p := mqtttest.PublishPacket(version, "/a/t/x/e/o", []byte{0x9f, 0xa2, 0, 0x61, 't', 2, 0x18, 21, 0xff}, qos, 7, false)
			f.Add(p[0], p[2:], version)
		}
	}
	f.Add(byte(0x32), []byte{0, 1, 'x', 0, 1, 3, 0x23, 0, 1}, byte(5)) // an alias
	f.Add(byte(0x30), []byte{0xff, 0xff}, byte(4))
	f.Add(byte(0x30), []byte{0, 1, 'x', 0xff, 0xff, 0xff, 0x7f}, byte(5))
	f.Fuzz(func(t *testing.T, first byte, body []byte, version byte) {
		first = typePublish<<4 | first&0x0f
		version = 4 + version&1
		if checkFlags(first) != nil {
			return
		}
		in, err := parsePublish(first, body, version)
		if err != nil {
			var c code
			if !errors.As(err, &c) {
				t.Fatalf("refused with %v, which is no code", err)
			}
			return
		}
		pk := packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Publish, Qos: in.qos, Remaining: len(body)}, ProtocolVersion: version}
		if err := pk.PublishDecode(bytes.Clone(body)); err == nil {
			if pk.TopicName != string(in.topic) || pk.PacketID != in.id || !bytes.Equal(pk.Payload, in.payload) {
				t.Fatalf("read %q %d % x, mochi reads %q %d % x", in.topic, in.id, in.payload, pk.TopicName, pk.PacketID, pk.Payload)
			}
		} else if validTopic(in.topic) {
			t.Fatalf("read %q, which mochi refuses with %v", in.topic, err)
		}
		o := outgoing{topic: string(in.topic), payload: in.payload, id: in.id, qos: in.qos, dup: first&8 != 0}
		wire := appendPublish(nil, o, version)
		if len(wire) != o.size(version) {
			t.Fatalf("written with %d bytes, announced %d", len(wire), o.size(version))
		}
		_, n, _ := parseLength(wire[1:])
		again, err := parsePublish(wire[0], wire[1+n:], version)
		if err != nil || !bytes.Equal(again.topic, in.topic) || !bytes.Equal(again.payload, in.payload) || again.id != in.id || again.qos != in.qos {
			t.Fatalf("read %+v, then %+v, %v", in, again, err)
		}
	})
}

// A CONNECT is refused with a code, or says what mqtttest wrote; it never panics.
func FuzzDecodeConnect(f *testing.F) {
	f.Add([]byte(vectorM1)[2:])
	for _, version := range []byte{4, 5} {
		f.Add(mqtttest.ConnectPacket(mqtttest.Options{ClientID: "a", Username: "b", Password: "c", Will: "/w", KeepAlive: 9}, version)[2:])
	}
	f.Add(mqtttest.ConnectPacket(mqtttest.Options{Props: []byte{0x11, 0, 0, 0, 9, 0x21, 0, 2, 0x27, 0, 0, 1, 0}}, 5)[2:])
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeConnect(body)
		var told code
		switch {
		case err != nil && !errors.As(err, &told):
			t.Fatalf("refused with %v, which is no code", err)
		case err == nil && c.version != 4 && c.version != 5:
			t.Fatalf("version %d was let in", c.version)
		}
	})
}

// Filters are mute, or mochi's tree treats them as the specification has it: they
// select a topic if and only if selects says so.
func FuzzFilter(f *testing.F) {
	for _, s := range [][2]string{{"/a/+/c", "/a/b/c"}, {"#", "/"}, {"a/#", "a"}, {"+", ""}, {"+/+", "/"}, {"/a//b", "/a//b"}, {"$x", "$x"}, {"a/#/b", "a/b/b"}, {"+/#", "0"}, {"a/+/#", "a/b"}, {"a/+/#", "a/b/c"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, filter, topic string) {
		kind := kindOfFilter(filter, 256)
		if kind == filterMute || !validTopic([]byte(topic)) || topic[0] == '$' {
			return
		}
		tree := mochi.NewTopicsIndex()
		tree.Subscribe("x", packets.Subscription{Filter: filter})
		_, got := tree.Subscribers(topic).Subscriptions["x"]
		if want := selects(filter, topic); got != want && !skipsParent(filter, topic) {
			t.Fatalf("%q selects %q: %v, want %v", filter, topic, got, want)
		}
		if kind == filterExact && got != (filter == topic) {
			t.Fatalf("the exact filter %q selects %q: %v", filter, topic, got)
		}
	})
}

// skipsParent is the one difference between mochi and the standard: by section 4.7.1.2
// of MQTT 3.1.1 x/+/# selects x/y too, as x/y/# does; mochi looks only below it. No topic of
// ours has another one below it.
func skipsParent(filter, topic string) bool {
	parent, ok := strings.CutSuffix(filter, "/#")
	return ok && (parent == "+" || strings.HasSuffix(parent, "/+")) && selects(parent, topic)
}

// selects is MQTT 3.1.1, section 4.7.1, word for word.
func selects(filter, topic string) bool {
	f, t := strings.Split(filter, "/"), strings.Split(topic, "/")
	for i, level := range f {
		switch {
		case level == "#":
			return true
		case i >= len(t):
			return false
		case level != "+" && level != t[i]:
			return false
		}
	}
	return len(f) == len(t) || (len(f) == len(t)+1 && f[len(f)-1] == "#")
}

// Whatever an established session is sent, the broker does not panic, ends the
// session if it breaks the protocol, and serves others as before.
func FuzzSession(f *testing.F) {
	seeds := [][]byte{
		mqtttest.PublishPacket(4, "/x", []byte("1"), 1, 1, false),
		mqtttest.SubscribePacket(1, 4, nil, mqtttest.Filter{Name: "/x", QoS: 1}, mqtttest.Filter{Name: "#"}),
		{0xa2, 6, 0, 2, 0, 2, '/', 'x'}, {0xc0, 0}, {0xe0, 0}, {0x40, 2, 0, 1}, {0x50, 2, 0, 1}, {0x62, 2, 0, 1}, {0x70, 2, 0, 1}, {0xf0, 0},
		{0x82, 6, 0, 1, 0, 0, 1, 'x'}, // indexes past its end in mochi's decoder
	}
	for _, s := range seeds {
		f.Add(s, byte(4))
		f.Add(s, byte(5))
	}
	f.Add(slices.Concat(seeds[:4]...), byte(4))
	l := newPipes()
	s := start(f, func(c *Config, _ *keeper) {
		c.Listeners = append(c.Listeners, Listener{Name: "pipes", Net: l, Mode: ByPassword})
	})
	f.Fuzz(func(t *testing.T, stream []byte, version byte) {
		version = 4 + version&1
		c := l.dial(t, version, "board", mqtttest.Options{})
		read := make(chan error, 1)
		go func() {
			for {
				if _, err := c.Read(); err != nil {
					read <- err
					return
				}
			}
		}()
		_ = c.Write(stream) // it may be closed before it was all read
		s.b.Send("/x", []byte("hello"), 1)
		_ = c.Write([]byte{0xc0, 0, 0xe0, 0})
		c.Conn.Close()
		if err := <-read; errors.Is(err, mqtttest.ErrBroken) {
			t.Fatal(err)
		}
		eventually(t, "the session ends", func() bool { return !s.b.Online(Device, "board") })
		if n := s.b.Stats().Panics; n != 0 {
			t.Fatal("a packet made the broker panic")
		}
	})
}
