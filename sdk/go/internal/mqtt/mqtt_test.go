package mqtt

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
)

const (
	device = "6a1f3c52-9b1e-4c0d-8a77-2f0f5e9c1d10"
	thing  = "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11"
)

// The vectors of the device protocol reference, section 8.8, and others of its section 1.4.
func TestPacketsOnTheWire(t *testing.T) {
	p1 := []byte("\x81\xa2\x00\x63r:m\x03\x6dgetLastValues")
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"M1":          {AppendConnect(nil, device, "", "", 10), "103000044d5154540402000a002436613166336335322d396231652d346330642d386137372d326630663565396331643130"},
		"M2":          {AppendSubscribe(nil, 1, "/a/d/"+device+"/e/i", 1), "82320001002d2f612f642f36613166336335322d396231652d346330642d386137372d3266306635653963316431302f652f6901"},
		"M3":          {AppendPublish(nil, "/a/t/"+thing+"/shadow/o", p1, 1, 4), "324c00322f612f742f38633266306231652d326437612d346634332d396337652d3564386630633462376131312f736861646f772f6f000481a20063723a6d036d6765744c61737456616c756573"},
		"M4":          {AppendSubscribe(nil, 2, "/a/t//e/i", 0), "820e000200092f612f742f2f652f6900"},
		"password":    {AppendConnect(nil, device, device, "0123456789012345678", 30), "106b00044d51545404c2001e" + strings.Repeat("0024"+hex.EncodeToString([]byte(device)), 2) + "0013" + hex.EncodeToString([]byte("0123456789012345678"))},
		"QoS 0":       {AppendPublish(nil, "a", []byte("x"), 0, 9), "3004000161" + "78"},
		"unsubscribe": {AppendUnsubscribe(nil, 3, "a"), "a2050003000161"},
		"ack":         {AppendPubAck(nil, 0x1234), "40021234"},
		"ping":        {AppendEmpty(nil, PingReq), "c000"},
		"disconnect":  {AppendEmpty(nil, Disconnect), "e000"},
	} {
		if got := hex.EncodeToString(c.got); got != c.want {
			t.Errorf("%s: wrote\n%s, want\n%s", name, got, c.want)
		}
	}
}

// A server's decoder, which is not ours, understands what we write.
func TestAServerUnderstands(t *testing.T) {
	long := bytes.Repeat([]byte("x"), 20000) // three bytes of length
	for name, wire := range map[string][]byte{
		"connect":     AppendConnect(nil, device, device, "secret", 30),
		"publish":     AppendPublish(nil, "/a", long, 1, 7),
		"subscribe":   AppendSubscribe(nil, 8, "/b", 1),
		"unsubscribe": AppendUnsubscribe(nil, 9, "/c"),
		"ack":         AppendPubAck(nil, 10),
	} {
		fixed := new(packets.FixedHeader)
		if err := fixed.Decode(wire[0]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := bytes.NewBuffer(wire[1:])
		n, _, err := packets.DecodeLength(r)
		if err != nil || n != r.Len() {
			t.Fatalf("%s: %d bytes remain, %d announced, %v", name, r.Len(), n, err)
		}
		fixed.Remaining = n
		p := packets.Packet{FixedHeader: *fixed, ProtocolVersion: 4}
		switch fixed.Type {
		case packets.Connect:
			err = p.ConnectDecode(r.Bytes())
			if string(p.Connect.Username) != device || string(p.Connect.Password) != "secret" || p.Connect.Keepalive != 30 || !p.Connect.Clean {
				t.Errorf("%s: %+v", name, p.Connect)
			}
		case packets.Publish:
			err = p.PublishDecode(r.Bytes())
			if p.TopicName != "/a" || !bytes.Equal(p.Payload, long) || p.PacketID != 7 || p.FixedHeader.Qos != 1 {
				t.Errorf("%s: %s, %d bytes", name, p.TopicName, len(p.Payload))
			}
		case packets.Subscribe:
			err = p.SubscribeDecode(r.Bytes())
			if len(p.Filters) != 1 || p.Filters[0].Filter != "/b" || p.Filters[0].Qos != 1 || p.PacketID != 8 {
				t.Errorf("%s: %+v", name, p.Filters)
			}
		case packets.Unsubscribe:
			err = p.UnsubscribeDecode(r.Bytes())
			if len(p.Filters) != 1 || p.Filters[0].Filter != "/c" || p.PacketID != 9 {
				t.Errorf("%s: %+v", name, p.Filters)
			}
		case packets.Puback:
			err = p.PubackDecode(r.Bytes())
			if p.PacketID != 10 {
				t.Errorf("%s: %d", name, p.PacketID)
			}
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func read(wire string, most int) (Packet, error) {
	b, err := hex.DecodeString(wire)
	if err != nil {
		return Packet{}, err
	}
	return Read(bufio.NewReader(bytes.NewReader(b)), most)
}

func TestWhatAServerSends(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		want Packet
	}{
		"accepted":            {"20020000", Packet{Type: ConnAck}},
		"refused":             {"20020005", Packet{Type: ConnAck, Code: 5}},
		"granted":             {"9003000101", Packet{Type: SubAck, ID: 1, Code: 1}},
		"not granted":         {"9003000180", Packet{Type: SubAck, ID: 1, Code: Refused}},
		"unsubscribed":        {"b0020002", Packet{Type: UnsubAck, ID: 2}},
		"acknowledged":        {"4002ffff", Packet{Type: PubAck, ID: 0xffff}},
		"pong":                {"d000", Packet{Type: PingResp}},
		"message":             {"300500016162" + "63", Packet{Type: Publish, Topic: "a", Payload: []byte("bc")}},
		"message with QoS 1":  {"3206000161000962", Packet{Type: Publish, Topic: "a", QoS: 1, ID: 9, Payload: []byte("b")}},
		"retained, again":     {"3b06000161000962", Packet{Type: Publish, Topic: "a", QoS: 1, ID: 9, Payload: []byte("b")}},
		"an empty message":    {"3003000161", Packet{Type: Publish, Topic: "a", Payload: []byte{}}},
		"a long form of zero": {"d08000", Packet{Type: PingResp}},
	} {
		got, err := read(c.wire, 100)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: read %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestWhatNoServerSends(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		want error
	}{
		"nothing":                 {"", io.EOF},
		"only a type":             {"30", io.ErrUnexpectedEOF},
		"cut off":                 {"30050001", io.ErrUnexpectedEOF},
		"a length of five bytes":  {"3080808080" + "01", ErrMalformed},
		"too long":                {"30e50000", ErrMalformed},
		"a client's packet":       {"100000", ErrMalformed},
		"QoS 2":                   {"3406000161000962", ErrMalformed},
		"QoS 3":                   {"3606000161000962", ErrMalformed},
		"a topic beyond the end":  {"300400056162", ErrMalformed},
		"no id":                   {"3203000161", ErrMalformed},
		"no topic":                {"300100", ErrMalformed},
		"an answer for two":       {"900400010000", ErrMalformed},
		"flags":                   {"21020000", ErrMalformed},
		"a half ack":              {"400100", ErrMalformed},
		"disconnect of version 5": {"e000", ErrMalformed},
	} {
		if got, err := read(c.wire, 100); !errors.Is(err, c.want) {
			t.Errorf("%s: read %+v, %v, want %v", name, got, err, c.want)
		}
	}
}

// Whatever a server sends, Read gives a packet within the bound or an error, and takes no byte of the next packet.
func FuzzRead(f *testing.F) {
	for _, wire := range []string{"20020000", "9003000101", "3206000161000962", "d000", "3080808080"} {
		b, err := hex.DecodeString(wire)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		r := bufio.NewReader(bytes.NewReader(wire))
		p, err := Read(r, 64)
		if err != nil {
			return
		}
		left, err := io.ReadAll(r)
		if err != nil || !bytes.HasSuffix(wire, left) {
			t.Fatalf("left % x of % x", left, wire)
		}
		if p.Type != Publish {
			return
		}
		if len(p.Topic)+len(p.Payload) > 64 {
			t.Fatalf("beyond the bound: %+v", p)
		}
		again, err := Read(bufio.NewReader(bytes.NewReader(AppendPublish(nil, p.Topic, p.Payload, p.QoS, p.ID))), 64)
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Fatalf("read %+v, then %+v, %v", p, again, err)
		}
	})
}
