package mqtt

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// The tests in this file follow the list of Eclipse Paho's interoperability tests
// (broker reference, section 4.1), as far as we promise what they ask. We do not
// promise: retained messages, wills, failing subscriptions (trap 5), topic aliases
// and shared subscriptions; right_test.go and trap_test.go hold what we do instead.

func forVersions(t *testing.T, test func(*testing.T, byte)) {
	t.Helper()
	for _, version := range []byte{4, 5} {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) { test(t, version) })
	}
}

// expiring is the options of a session that is kept for a minute.
func expiring(version byte) mqtttest.Options {
	o := mqtttest.Options{Unclean: true}
	if version == 5 {
		o.Props = []byte{0x11, 0, 0, 0, 60}
	}
	return o
}

func TestConformsBasic(t *testing.T) {
	forVersions(t, func(t *testing.T, version byte) {
		s := start(t)
		c := s.device("board", version)
		must(t)(c.Subscribe(2, mqtttest.Filter{Name: "/x", QoS: 2}))
		for sent := range byte(3) {
			s.b.Send("/x", fmt.Append(nil, sent), sent)
			p := must(t)(c.Expect(mqtttest.Publish))
			if p.QoS != sent || string(p.Payload) != fmt.Sprint(sent) || p.Dup || p.Retain {
				t.Errorf("got %+v, want QoS %d", p, sent)
			}
			switch sent {
			case 1:
				ok(t, c.Ack(mqtttest.Puback, p.ID))
			case 2:
				ok(t, c.Ack(mqtttest.Pubrec, p.ID))
				if r := must(t)(c.Expect(mqtttest.Pubrel)); r.ID != p.ID || r.Flags != 2 {
					t.Errorf("got %+v", r)
				}
				ok(t, c.Ack(mqtttest.Pubcomp, p.ID))
			}
		}
		ok(t, c.Disconnect())
	})
}

func TestConformsEmptyMessage(t *testing.T) {
	s := start(t)
	c := s.device("board", 4)
	must(t)(c.Subscribe(2, mqtttest.Filter{Name: "/x", QoS: 1}))
	s.b.Send("/x", nil, 1)
	if p := must(t)(c.Expect(mqtttest.Publish)); len(p.Payload) != 0 {
		t.Errorf("got % x", p.Payload)
	}
	ok(t, c.Publish("/out", nil, 1, 1))
	must(t)(c.Expect(mqtttest.Puback))
}

func TestConformsZeroLengthClientID(t *testing.T) {
	s := start(t)
	forVersions(t, func(t *testing.T, version byte) {
		c := mqtttest.New(s.dial("token"), version)
		ack := must(t)(c.Connect(mqtttest.Options{Username: "anna", Password: "token of anna"}))
		if ack.Code != 0 || (version == 5) != (len(ack.Props[0x12]) == 1) {
			t.Errorf("code %d, assigned %v", ack.Code, ack.Props[0x12])
		}
	})
	c := mqtttest.New(s.dial("token"), 4)
	if ack := must(t)(c.Connect(mqtttest.Options{Username: "anna", Password: "token of anna", Unclean: true})); ack.Code != 2 {
		t.Errorf("for an unclean session: code %d, want 2", ack.Code)
	}
}

func TestConformsOfflineMessageQueueing(t *testing.T) {
	forVersions(t, func(t *testing.T, version byte) {
		s := start(t)
		c := s.device("board", version, expiring(version))
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 2}))
		ok(t, c.Disconnect())
		s.h.toldOnce(t, "disconnected board clean")
		for i := range 100 {
			s.b.Send("/x", fmt.Append(nil, i), byte(i%3))
		}
		c, ack := s.tryDevice("board", version, expiring(version))
		if !ack.Present {
			t.Fatal("the session is not there")
		}
		// Of 100 messages 66 had QoS 1 or 2, of which 64 are kept: the newest.
		var got []string
		for len(got) < 64 {
			switch p := must(t)(c.Read()); p.Type {
			case mqtttest.Publish:
				got = append(got, string(p.Payload))
				ok(t, c.Ack(mqtttest.Puback+p.QoS-1, p.ID)) // PUBACK or PUBREC
			case mqtttest.Pubrel:
				ok(t, c.Ack(mqtttest.Pubcomp, p.ID))
			}
		}
		var want []string
		for i := 4; i < 100; i++ {
			if i%3 != 0 {
				want = append(want, fmt.Sprint(i))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
	})
}

func TestConformsOverlappingSubscriptions(t *testing.T) {
	forVersions(t, func(t *testing.T, version byte) {
		s := start(t)
		c := s.user("anna", "browser", version)
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/a/#", QoS: 2}, mqtttest.Filter{Name: "/a/+", QoS: 1}, mqtttest.Filter{Name: "/a/b", QoS: 0}))
		s.b.Send("/a/b", []byte("x"), 2)
		if p := must(t)(c.Expect(mqtttest.Publish)); p.QoS != 2 {
			t.Errorf("QoS %d, want the highest", p.QoS)
		}
		ok(t, c.Ping())
		if n := s.b.Stats().Sent; n != 1 {
			t.Errorf("the message was sent %d times", n)
		}
	})
}

func TestConformsKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, nil)
		defer s.stopPipes(t)
		c := l.dial(t, 4, "board", mqtttest.Options{KeepAlive: 5})
		ok(t, c.Ping())
		zero := l.dial(t, 4, "zero", mqtttest.Options{KeepAlive: 0}) // never
		ok(t, zero.Ping())
		time.Sleep(11 * time.Second)
		if s.b.Online(Device, "board") || !s.b.Online(Device, "zero") {
			t.Error("the wrong one is offline")
		}
		c.Conn.Close()
	})
}

func TestConformsRedeliveryOnReconnect(t *testing.T) {
	forVersions(t, func(t *testing.T, version byte) {
		s := start(t)
		c := s.device("board", version, expiring(version))
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 2}))
		for i := range 6 {
			s.b.Send("/x", fmt.Append(nil, i), byte(1+i%2))
		}
		var first []mqtttest.Packet
		for range 6 {
			first = append(first, must(t)(c.Expect(mqtttest.Publish)))
		}
		ok(t, c.Ack(mqtttest.Puback, first[0].ID)) // done
		ok(t, c.Ack(mqtttest.Pubrec, first[1].ID)) // half done
		must(t)(c.Expect(mqtttest.Pubrel))
		c.Conn.Close()
		s.h.toldOnce(t, "disconnected board network")
		c, ack := s.tryDevice("board", version, expiring(version))
		if !ack.Present {
			t.Fatal("the session is not there")
		}
		if p := must(t)(c.Expect(mqtttest.Pubrel)); p.ID != first[1].ID {
			t.Errorf("PUBREL of %d, want %d", p.ID, first[1].ID)
		}
		for _, want := range first[2:] {
			p := must(t)(c.Expect(mqtttest.Publish))
			if !p.Dup || p.ID != want.ID || !bytes.Equal(p.Payload, want.Payload) {
				t.Errorf("got %+v, want %+v again", p, want)
			}
		}
		// A clean session forgets all of it.
		c, ack = s.tryDevice("board", version)
		if ack.Present {
			t.Error("a clean session has a past")
		}
		s.b.Send("/x", []byte("x"), 1)
		ok(t, c.Ping())
		if n := s.b.Stats(); n.Sent != 10 {
			t.Errorf("%d messages were sent", n.Sent)
		}
	})
}

func TestConformsDollarTopics(t *testing.T) {
	s := start(t)
	c := s.user("anna", "browser", 4)
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "#"}, mqtttest.Filter{Name: "+/x"}, mqtttest.Filter{Name: "$SYS/#"}, mqtttest.Filter{Name: "$x/x"}))
	s.b.Send("$x/x", []byte("x"), 0)
	s.b.Send("$SYS/x", []byte("x"), 0)
	s.b.Send(mute, []byte("x"), 0)
	ok(t, c.Ping())
	if n := s.b.Stats().Sent; n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

func TestConformsUnsubscribe(t *testing.T) {
	forVersions(t, func(t *testing.T, version byte) {
		s := start(t)
		c := s.device("board", version)
		must(t)(c.Subscribe(2, mqtttest.Filter{Name: "/a"}, mqtttest.Filter{Name: "/b"}, mqtttest.Filter{Name: "/c"}))
		ack := must(t)(c.Unsubscribe(3, "/a", "/never", "/b"))
		if version == 5 && !slices.Equal(ack.Codes, []byte{0, 0x11, 0}) {
			t.Errorf("UNSUBACK says % x", ack.Codes)
		}
		for _, topic := range []string{"/a", "/b", "/c"} {
			s.b.Send(topic, nil, 0)
		}
		if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != "/c" {
			t.Errorf("got %s", p.Topic)
		}
		if s.b.Heard("/a") || !s.b.Heard("/c") {
			t.Error("Heard does not know who listens")
		}
	})
}

func TestConformsSubscriptionIdentifiers(t *testing.T) {
	s := start(t)
	c := s.user("anna", "browser", 5)
	ok(t, c.Write(mqtttest.SubscribePacket(1, 5, []byte{0x0b, 5}, mqtttest.Filter{Name: "/a/#", QoS: 1})))
	must(t)(c.Expect(mqtttest.Suback))
	ok(t, c.Write(mqtttest.SubscribePacket(2, 5, []byte{0x0b, 0x80, 0x02}, mqtttest.Filter{Name: "/a/b", QoS: 0})))
	must(t)(c.Expect(mqtttest.Suback))
	for qos := range byte(2) {
		s.b.Send("/a/b", []byte("x"), qos)
		p := must(t)(c.Expect(mqtttest.Publish))
		ids := fmt.Sprint(p.Props[0x0b])
		if ids != "[5 256]" && ids != "[256 5]" {
			t.Errorf("identifiers %v", ids)
		}
	}
}

func TestConformsFlowControl(t *testing.T) {
	s := start(t)
	c := s.device("board", 5, mqtttest.Options{Props: []byte{0x21, 0, 2}})
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 2}))
	for i := range 60 {
		s.b.Send("/x", fmt.Append(nil, i), byte(1+i%2))
	}
	under := map[uint16]mqtttest.Packet{}
	for next := 0; next < 60; {
		p := must(t)(c.Read())
		switch p.Type {
		case mqtttest.Publish:
			if string(p.Payload) != fmt.Sprint(next) {
				t.Fatalf("got %q, want %d", p.Payload, next)
			}
			next++
			under[p.ID] = p
			if len(under) > 2 {
				t.Fatalf("%d messages are under way, with a maximum of 2", len(under))
			}
			if p.QoS == 1 {
				delete(under, p.ID)
				ok(t, c.Ack(mqtttest.Puback, p.ID))
			} else {
				ok(t, c.Ack(mqtttest.Pubrec, p.ID))
			}
		case mqtttest.Pubrel:
			delete(under, p.ID)
			ok(t, c.Ack(mqtttest.Pubcomp, p.ID))
		}
	}
}

func TestConformsMaximumPacketSize(t *testing.T) {
	s := start(t)
	c := s.device("board", 5, mqtttest.Options{Props: []byte{0x27, 0, 0, 0, 40}})
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 1}))
	s.b.Send("/x", make([]byte, 100), 1)
	s.b.Send("/x", make([]byte, 100), 0)
	s.b.Send("/x", make([]byte, 20), 1)
	if p := must(t)(c.Expect(mqtttest.Publish)); len(p.Payload) != 20 {
		t.Errorf("got %d bytes", len(p.Payload))
	}
}

func TestConformsFailedPubrec(t *testing.T) {
	s := start(t)
	c := s.device("board", 5, mqtttest.Options{Props: []byte{0x21, 0, 1}})
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 2}))
	s.b.Send("/x", []byte("refused"), 2)
	s.b.Send("/x", []byte("next"), 2)
	p := must(t)(c.Expect(mqtttest.Publish))
	ok(t, c.Write([]byte{mqtttest.Pubrec << 4, 3, byte(p.ID >> 8), byte(p.ID), 0x97}))
	if p := must(t)(c.Expect(mqtttest.Publish)); string(p.Payload) != "next" {
		t.Errorf("got %q", p.Payload)
	}
	ok(t, c.Ack(mqtttest.Pubrec, 999)) // of nothing
	if p := must(t)(c.Expect(mqtttest.Pubrel)); p.ID != 999 || p.Code != byte(codeUnknownPacketID) {
		t.Errorf("got %+v", p)
	}
}

func TestProtocolErrorsEndTheSession(t *testing.T) {
	s := start(t)
	for name, send := range map[string][]byte{
		"a second CONNECT":             mqtttest.ConnectPacket(mqtttest.Options{ClientID: "board"}, 5),
		"AUTH":                         {mqtttest.Auth << 4, 0},
		"a CONNACK":                    {mqtttest.Connack << 4, 3, 0, 0, 0},
		"type 0":                       {0, 0},
		"QoS 3":                        {0x36, 7, 0, 1, 'x', 0, 1, 0, 0},
		"DUP without QoS":              {0x38, 4, 0, 1, 'x', 0},
		"packet ID 0":                  {0x32, 6, 0, 1, 'x', 0, 0, 0},
		"a wildcard in a topic":        mqtttest.PublishPacket(5, "a/#", nil, 1, 1, false),
		"no topic":                     mqtttest.PublishPacket(5, "", nil, 1, 1, false),
		"NUL in a topic":               mqtttest.PublishPacket(5, "a\x00b", nil, 1, 1, false),
		"no UTF-8 in a topic":          mqtttest.PublishPacket(5, "a\xff", nil, 1, 1, false),
		"a subscription ID in PUBLISH": mqtttest.PublishPacket(5, "x", nil, 1, 1, false, 0x0b, 1),
		"a property of another packet": mqtttest.PublishPacket(5, "x", nil, 1, 1, false, 0x21, 0, 1),
		"properties that are too long": {0x32, 6, 0, 1, 'x', 0, 1, 200},
		"a topic that is too long":     {0x30, 3, 0, 9, 'x'},
		"SUBSCRIBE without filters":    {0x82, 3, 0, 1, 0},
		"SUBSCRIBE that is cut off":    {0x82, 6, 0, 1, 0, 0, 1, 'x'},
		"SUBSCRIBE with wrong flags":   {0x80, 7, 0, 1, 0, 0, 1, 'x', 0},
		"SUBSCRIBE with packet ID 0":   {0x82, 7, 0, 0, 0, 0, 1, 'x', 0},
		"SUBSCRIBE with QoS 3":         {0x82, 7, 0, 1, 0, 0, 1, 'x', 3},
		"UNSUBSCRIBE without filters":  {0xa2, 3, 0, 1, 0},
		"PUBACK that is cut off":       {0x40, 1, 0},
		"PUBREL with wrong flags":      {0x60, 2, 0, 1},
		"PINGREQ with a body":          {0xc0, 1, 0},
		"a length of five bytes":       {0x30, 0xff, 0xff, 0xff, 0xff, 0x01},
		"DISCONNECT with more expiry":  {0xe0, 7, 0, 5, 0x11, 0, 0, 0, 9},
		"DISCONNECT that is cut off":   {0xe0, 3, 0, 5, 0x11},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.device("board", 5)
			ok(t, c.Write(send))
			got := closed(t, c)
			if len(got) != 1 || got[0].Type != mqtttest.Disconnect || got[0].Code < 0x80 {
				t.Errorf("got %+v, want DISCONNECT with an error", got)
			}
			eventually(t, "the session ends", func() bool { return !s.b.Online(Device, "board") })
		})
	}
	if n := s.b.Stats(); n.Received != 0 || n.Panics != 0 {
		t.Errorf("%d messages were heard, %d panics", n.Received, n.Panics)
	}
}

// mochi's own server, with its default options and everything allowed, answers what
// it and we both promise with the same bytes.
func TestAnswersEqualMochis(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := mochi.New(&mochi.Options{Logger: discard})
	ok(t, m.AddHook(new(auth.AllowHook), nil))
	ok(t, m.AddListener(listeners.NewNet("oracle", l)))
	ok(t, m.Serve())
	defer m.Close()
	s := start(t)
	o := mqtttest.Options{ClientID: "board", Username: "board", Password: "secret of board", KeepAlive: 30}
	for name, script := range map[string][][]byte{
		"subscribe and unsubscribe": {
			mqtttest.SubscribePacket(1, 4, nil, mqtttest.Filter{Name: "/a", QoS: 0}, mqtttest.Filter{Name: "/b/#", QoS: 1}, mqtttest.Filter{Name: "/c", QoS: 2}),
			{0xa2, 6, 0, 2, 0, 2, '/', 'a'},
		},
		"ping":          {{0xc0, 0}, {0xc0, 0}},
		"QoS 1":         {mqtttest.PublishPacket(4, "/x", []byte("1"), 1, 1, false), mqtttest.PublishPacket(4, "/x", []byte("2"), 1, 2, true)},
		"QoS 2":         {mqtttest.PublishPacket(4, "/x", []byte("1"), 2, 1, false), mqtttest.AckPacket(mqtttest.Pubrel, 1), mqtttest.AckPacket(mqtttest.Pubrel, 9)},
		"strange acks":  {mqtttest.AckPacket(mqtttest.Puback, 5), mqtttest.AckPacket(mqtttest.Pubrec, 6), mqtttest.AckPacket(mqtttest.Pubcomp, 7), {0xc0, 0}},
		"empty message": {mqtttest.PublishPacket(4, "/x", nil, 1, 1, false)},
		"QoS 3":         {{0x36, 7, 0, 1, 'x', 0, 1, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]string{}
			for who, addr := range map[string]string{"mochi": l.Addr().String(), "ours": s.nets["plain"].Addr().String()} {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					t.Fatal(err)
				}
				late := time.AfterFunc(5*time.Second, func() { conn.Close() })
				c := mqtttest.New(conn, 4)
				must(t)(c.Connect(o))
				for _, p := range script {
					if _, err := conn.Write(p); err != nil {
						break
					}
				}
				_, _ = conn.Write([]byte{0xc0, 0, 0xe0, 0}) // PINGREQ, DISCONNECT; the server may have closed
				got, _ := io.ReadAll(conn)
				late.Stop()
				answers[who] = strings.TrimSuffix(hex.EncodeToString(got), "d000")
			}
			if answers["ours"] != answers["mochi"] {
				t.Errorf("mochi answers %s, we answer %s", answers["mochi"], answers["ours"])
			}
		})
	}
}
