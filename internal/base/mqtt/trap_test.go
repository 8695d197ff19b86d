package mqtt

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// The tests in this file are named for the traps in section 0 of the
// device-protocol reference that are the broker's.

// tlsVersions are what devices speak: boards 1.2 with one suite, Python 1.3.
func tlsVersions(s *stage, id string) map[string]*tls.Config {
	own := s.authority.Issue(id)
	return map[string]*tls.Config{
		"TLS 1.2": mqtttest.BoardTLS(s.authority.Pool, serverName, own),
		"TLS 1.3": {RootCAs: s.authority.Pool, ServerName: serverName, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13},
	}
}

func TestTrap02OnePacketPerRecord(t *testing.T) {
	var s *stage
	s = start(t, func(_ *Config, h *keeper) {
		// The answer to a subscription comes from within the callback, as thing_id does.
		h.subscribed = func(_ Identity, topic string, _ byte) { s.b.Send(topic, []byte("answer"), 0) }
	})
	for name, cfg := range tlsVersions(s, "board") {
		t.Run(name, func(t *testing.T) {
			c, tap := s.board("board", 4, cfg)
			// TLS 1.3 has the end of its handshake in such records too.
			if got := tap.Records(); len(got) == 0 || got[len(got)-1] != 4 || (name == "TLS 1.2" && len(got) != 1) {
				t.Fatalf("CONNACK came in records of %v bytes, want one of 4", got)
			}
			ok(t, c.Write(mqtttest.SubscribePacket(1, 4, nil, mqtttest.Filter{Name: "/in"})))
			must(t)(c.Expect(mqtttest.Suback))
			answer := must(t)(c.Expect(mqtttest.Publish))
			if got, want := tap.Records(), []int{5, 2 + 2 + len("/in") + len("answer")}; !slices.Equal(got, want) {
				t.Fatalf("SUBACK and %q came in records of %v bytes, want %v", answer.Payload, got, want)
			}
			// Fifty messages in one write are acknowledged in one go, and in fifty records.
			var burst []byte
			for id := range uint16(50) {
				burst = append(burst, mqtttest.PublishPacket(4, "/out", []byte("x"), 1, id+1, false)...)
			}
			ok(t, c.Write(burst))
			for id := range uint16(50) {
				if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != id+1 {
					t.Fatalf("PUBACK of %d, want %d", p.ID, id+1)
				}
			}
			if got := tap.Records(); len(got) != 50 || slices.Max(got) != 4 || slices.Min(got) != 4 {
				t.Fatalf("50 PUBACKs came in records of %v bytes", got)
			}
			for range 20 {
				s.b.Send("/in", []byte("many"), 0)
			}
			for range 20 {
				must(t)(c.Expect(mqtttest.Publish))
			}
			if got := tap.Records(); len(got) != 20 {
				t.Fatalf("20 messages came in %d records: %v", len(got), got)
			}
			ok(t, c.Disconnect())
		})
	}
}

func TestTrap03RecordsAtMost4096(t *testing.T) {
	s := start(t)
	big := bytes.Repeat([]byte("0123456789abcdef"), 60_000/16)
	for name, cfg := range tlsVersions(s, "board") {
		for qos := range byte(3) {
			t.Run(fmt.Sprintf("%s, QoS %d", name, qos), func(t *testing.T) {
				c, tap := s.board("board", 4, cfg)
				must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/in", QoS: qos}))
				tap.Records()
				s.b.Send("/in", big, qos)
				p := must(t)(c.Expect(mqtttest.Publish))
				if !bytes.Equal(p.Payload, big) || p.QoS != qos {
					t.Fatalf("got %d bytes with QoS %d", len(p.Payload), p.QoS)
				}
				records := tap.Records()
				if len(records) != len(big)/4096+1 || slices.Max(records) > 4096 {
					t.Fatalf("%d bytes came in records of %v", len(big), records)
				}
				ok(t, c.Disconnect())
			})
		}
	}
}

func TestTrap04SilentClientIsNotTimedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, nil)
		defer s.stopPipes(t)
		c := l.dial(t, 4, "python", mqtttest.Options{KeepAlive: 10})
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/a/d/python/e/i", QoS: 1}))
		time.Sleep(24 * time.Hour)
		s.b.Send("/a/d/python/e/i", []byte("thing"), 1)
		if p := must(t)(c.Expect(mqtttest.Publish)); string(p.Payload) != "thing" {
			t.Errorf("got %q", p.Payload)
		}
		ok(t, c.Ack(mqtttest.Puback, 1))
	})
}

func TestClientThatPublishedIsTimedOutByItsKeepAlive(t *testing.T) {
	for name, act := range map[string]func(*testing.T, *mqtttest.Client){
		"published": func(t *testing.T, c *mqtttest.Client) { ok(t, c.Publish("/out", nil, 0, 0)) },
		"pinged":    func(t *testing.T, c *mqtttest.Client) { ok(t, c.Ping()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := startPipes(t, nil)
				defer s.stopPipes(t)
				c := l.dial(t, 5, "board", mqtttest.Options{KeepAlive: 30})
				act(t, c)
				for range 5 { // each of these is in time
					time.Sleep(40 * time.Second)
					ok(t, c.Ping())
				}
				before := time.Now()
				p, err := mqtttest.ReadPacket(c.Conn, 5)
				if err != nil || p.Type != mqtttest.Disconnect || p.Code != byte(codeKeepAlive) {
					t.Errorf("got %+v, %v, want DISCONNECT for keep-alive", p, err)
				}
				if after := time.Since(before); after < 45*time.Second || after > 48*time.Second {
					t.Errorf("ended after %v, want one and a half times 30 s", after)
				}
				s.h.toldOnce(t, "disconnected board keep-alive")
			})
		})
	}
}

func TestSilentForBoundsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(c *Config, _ *keeper) { c.Limits.SilentFor = 120 * time.Second })
		defer s.stopPipes(t)
		c := l.dial(t, 4, "python", mqtttest.Options{KeepAlive: 10})
		before := time.Now()
		if _, err := mqtttest.ReadPacket(c.Conn, 4); err == nil {
			t.Error("got a packet")
		}
		if after := time.Since(before); after < 120*time.Second || after > 123*time.Second {
			t.Errorf("ended after %v, want 120 s", after)
		}
	})
}

func TestTrap05RefuseAtConnack(t *testing.T) {
	s := start(t, func(_ *Config, h *keeper) {
		h.maySubscribe = func(_ Identity, topic string) bool { return topic == "/mine" }
	})
	t.Run("wrong secret", func(t *testing.T) {
		c, ack := s.tryDevice("board", 4, mqtttest.Options{Password: "wrong"})
		if ack.Code != 4 {
			t.Errorf("CONNACK says %d, want 4", ack.Code)
		}
		closed(t, c)
	})
	t.Run("every subscription is granted", func(t *testing.T) {
		for version, wild := range map[byte]string{4: "#", 5: "+/#"} {
			c := s.device("board", version)
			asked := []mqtttest.Filter{
				{Name: "/mine", QoS: 1}, {Name: "/others", QoS: 1}, {Name: wild, QoS: 2}, {Name: "$SYS/#"}, {Name: "$share/g/mine"},
				{Name: "a/#/b", QoS: 1}, {Name: "a+"}, {Name: "/a/t//e/i"}, {Name: string(bytes.Repeat([]byte("x"), 300))},
			}
			ack := must(t)(c.Subscribe(1, asked...))
			for i, got := range ack.Codes {
				if got != asked[i].QoS {
					t.Errorf("version %d: %.20q granted with %d, want %d", version, asked[i].Name, got, asked[i].QoS)
				}
			}
			for _, topic := range []string{"/others", "a/x/b", "/a/t//e/i", "$SYS/x", "/mine"} {
				s.b.Send(topic, []byte("now"), 0)
			}
			if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != "/mine" {
				t.Errorf("version %d: delivered %s", version, p.Topic)
			}
			ok(t, c.Ping())
			ok(t, c.Disconnect())
		}
	})
}

func TestTrap09NoSNI(t *testing.T) {
	s := start(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, listener := range []string{"cert", "secret"} {
			t.Run(tls.VersionName(version)+" "+listener, func(t *testing.T) {
				cfg := &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version}
				o := mqtttest.Options{ClientID: "python"}
				if listener == "cert" {
					cfg.Certificates = []tls.Certificate{s.authority.Issue("python")}
				} else {
					o.Username, o.Password = "python", "secret of python"
				}
				c := mqtttest.New(tls.Client(s.dial(listener), cfg), 4)
				if ack := must(t)(c.Connect(o)); ack.Code != 0 {
					t.Errorf("refused with %d", ack.Code)
				}
			})
		}
	}
}
