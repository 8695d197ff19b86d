package mqtt

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// gone fails the test unless conn is closed without a byte.
func gone(t testing.TB, conn net.Conn) {
	t.Helper()
	if n, err := io.Copy(io.Discard, conn); err != nil || n != 0 {
		t.Errorf("the connection sent %d bytes and ended with %v", n, err)
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		addr   func(i int) string
		in     int // of ten
		why    Refusal
	}{
		"in total":                 {Limits{Connections: 4}, func(i int) string { return fmt.Sprintf("192.0.2.%d:1", i) }, 4, RefusedFull},
		"of one address":           {Limits{PerAddress: 3}, func(int) string { return "192.0.2.1:1" }, 3, RefusedAddressFull},
		"of one network in IPv6":   {Limits{PerAddress: 3}, func(i int) string { return fmt.Sprintf("[2001:db8::%d]:1", i+1) }, 3, RefusedAddressFull},
		"many networks in IPv6":    {Limits{PerAddress: 3}, func(i int) string { return fmt.Sprintf("[2001:db8:0:%d::1]:1", i) }, 10, 0},
		"IPv4 in IPv6":             {Limits{PerAddress: 3}, func(i int) string { return "[::ffff:192.0.2.1]:1" }, 3, RefusedAddressFull},
		"before CONNACK":           {Limits{OpeningPerAddress: 2}, func(int) string { return "192.0.2.1:1" }, 2, RefusedAddressFull},
		"by rate":                  {Limits{ConnectBurst: 5, ConnectRate: 0.1}, func(int) string { return "192.0.2.1:1" }, 5, RefusedAddressRate},
		"loopback is not bounded":  {Limits{PerAddress: 1, ConnectBurst: 1}, func(int) string { return "127.0.0.1:1" }, 10, 0},
		"loopback in IPv6 neither": {Limits{PerAddress: 1, ConnectBurst: 1}, func(int) string { return "[::1]:1" }, 10, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := startPipes(t, func(cfg *Config, _ *keeper) { cfg.Limits = c.limits })
				defer s.stopPipes(t)
				for i := range 10 {
					defer l.open(t, c.addr(i)).Close()
				}
				synctest.Wait()
				stats := s.b.Stats()
				if stats.Open != c.in || stats.Opening != c.in || (c.why != 0 && stats.Refused[c.why] != uint64(10-c.in)) {
					t.Errorf("%d open, %d opening, refused %v; want %d in", stats.Open, stats.Opening, stats.Refused, c.in)
				}
			})
		})
	}
}

func TestConnectRateRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(cfg *Config, _ *keeper) { cfg.Limits.ConnectBurst, cfg.Limits.ConnectRate = 2, 0.5 })
		defer s.stopPipes(t)
		for range 3 {
			l.open(t, "192.0.2.1:1").Close()
		}
		synctest.Wait()
		if n := s.b.Stats().Refused[RefusedAddressRate]; n != 1 {
			t.Errorf("%d refused, want 1", n)
		}
		time.Sleep(3 * time.Second)
		l.open(t, "192.0.2.1:1").Close()
		synctest.Wait()
		if n := s.b.Stats().Refused[RefusedAddressRate]; n != 1 {
			t.Errorf("%d refused after a pause, want 1", n)
		}
		time.Sleep(time.Minute)
		s.b.gate.mu.Lock()
		defer s.b.gate.mu.Unlock()
		if n := len(s.b.gate.visitors); n != 0 {
			t.Errorf("%d addresses are remembered although they are back to normal", n)
		}
	})
}

// Connections that say nothing, or little, are closed after the deadline, and while
// all slots are taken the one that has been silent for longest makes room.
func TestSlowloris(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(cfg *Config, _ *keeper) { cfg.Limits.Opening = 5 })
		defer s.stopPipes(t)
		var silent []net.Conn
		for range 4 { // the fifth slot is the accept loop's
			silent = append(silent, l.open(t, "192.0.2.1:1"))
		}
		synctest.Wait()
		time.Sleep(time.Second)
		c := l.dial(t, 4, "board", mqtttest.Options{})
		gone(t, silent[0])
		synctest.Wait()
		if n := s.b.Stats().Refused[RefusedTimeout]; n == 0 {
			t.Error("nobody was sent away")
		}
		ok(t, c.Ping())

		trickle := l.open(t, "192.0.2.2:1")
		packet := mqtttest.ConnectPacket(mqtttest.Options{ClientID: "late", Username: "late", Password: "secret of late"}, 4)
		before := time.Now()
		for i := range packet {
			if _, err := trickle.Write(packet[i : i+1]); err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(before); took < 9*time.Second || took > 12*time.Second {
			t.Errorf("a CONNECT of one byte each second was read for %v, want 10 s", took)
		}
		time.Sleep(20 * time.Second)
		if st := s.b.Stats(); st.Open != 1 || st.Opening != 0 {
			t.Errorf("%d open and %d opening, want only the board", st.Open, st.Opening)
		}
	})
}

func TestFirstPacketIsBounded(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		send []byte
		why  Refusal
	}{
		"CONNECT above 4 KiB":       {mqtttest.ConnectPacket(mqtttest.Options{ClientID: string(make([]byte, 5000))}, 4), RefusedMalformed},
		"claims 256 MiB":            {[]byte{0x10, 0xff, 0xff, 0xff, 0x7f}, RefusedMalformed},
		"length of five bytes":      {[]byte{0x10, 0xff, 0xff, 0xff, 0xff, 1}, RefusedMalformed},
		"PUBLISH":                   {mqtttest.PublishPacket(4, "/x", nil, 0, 0, false), RefusedMalformed},
		"HTTP":                      {[]byte("GET / HTTP/1.1\r\n\r\n"), RefusedMalformed},
		"CONNECT with wrong flags":  {[]byte{0x11, 0}, RefusedMalformed},
		"CONNECT of another kind":   {mqtttest.Frame(0x10, append(mqtttest.Text(nil, "HTTP"), 4, 2, 0, 0, 0, 0)), RefusedMalformed},
		"CONNECT that is cut":       {mqtttest.Frame(0x10, append(mqtttest.Text(nil, "MQTT"), 4, 2)), RefusedMalformed},
		"CONNECT with reserved bit": {mqtttest.Frame(0x10, append(mqtttest.Text(nil, "MQTT"), 4, 3, 0, 0, 0, 0)), RefusedMalformed},
		"nothing":                   {nil, RefusedGone},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.b.Stats().Refused[c.why]
			conn := s.dial("plain")
			if _, err := conn.Write(c.send); err != nil {
				t.Fatal(err)
			}
			if c.send == nil {
				conn.(*net.TCPConn).CloseWrite()
			}
			if got, _ := io.ReadAll(conn); len(got) != 0 {
				t.Errorf("answered % x", got)
			}
			eventually(t, "it is counted", func() bool { return s.b.Stats().Refused[c.why] == before+1 })
		})
	}
}

func TestConnackTellsWhy(t *testing.T) {
	s := start(t)
	connect := func(name string, level byte, clean byte, id string) []byte {
		b := append(mqtttest.Text(nil, name), level, clean, 0, 0)
		if level >= 5 {
			b = append(b, 0)
		}
		return mqtttest.Frame(0x10, mqtttest.Text(b, id))
	}
	for name, c := range map[string]struct {
		send    []byte
		version byte // of the answer
		want    byte
	}{
		"MQTT 3.1":                           {connect("MQIsdp", 3, 2, "x"), 4, 1},
		"level 3 with the new name":          {connect("MQTT", 3, 2, "x"), 4, 1},
		"level 6":                            {connect("MQTT", 6, 2, "x"), 5, 0x84},
		"no client ID for an old session":    {connect("MQTT", 4, 0, ""), 4, 2},
		"no secret":                          {connect("MQTT", 4, 2, "board"), 4, 4},
		"no secret, MQTT 5":                  {connect("MQTT", 5, 2, "board"), 5, 0x86},
		"another way to authenticate":        {mqtttest.ConnectPacket(mqtttest.Options{ClientID: "x", Props: append([]byte{0x15}, mqtttest.Text(nil, "SCRAM")...)}, 5), 5, 0x8c},
		"no client ID, which a device needs": {mqtttest.ConnectPacket(mqtttest.Options{Username: "board", Password: "secret of board"}, 4), 4, 2},
	} {
		t.Run(name, func(t *testing.T) {
			m := mqtttest.New(s.dial("plain"), c.version)
			ok(t, m.Write(c.send))
			if p := must(t)(m.Expect(mqtttest.Connack)); p.Code != c.want || p.Present {
				t.Errorf("CONNACK says 0x%02x, want 0x%02x", p.Code, c.want)
			}
			closed(t, m)
		})
	}
}

func TestAuthenticatorErrorsAreRefusals(t *testing.T) {
	var answer atomic.Value
	s := start(t, func(_ *Config, k *keeper) {
		k.authenticate = func(string) (Identity, error) { return Identity{}, answer.Load().(error) }
	})
	for _, c := range []struct {
		err    error
		v3, v5 byte
		why    Refusal
	}{
		{errSecret, 4, 0x86, RefusedCredentials},
		{fmt.Errorf("database: %w", io.ErrUnexpectedEOF), 3, 0x88, RefusedUnavailable},
		{errNoCertificate, 4, 0x86, RefusedCredentials},
	} {
		answer.Store(fmt.Errorf("%w", c.err))
		for version, want := range map[byte]byte{4: c.v3, 5: c.v5} {
			before := s.b.Stats().Refused[c.why]
			if _, ack := s.tryDevice("board", version); ack.Code != want {
				t.Errorf("%v: version %d gets 0x%02x, want 0x%02x", c.err, version, ack.Code, want)
			}
			eventually(t, "it is counted", func() bool { return s.b.Stats().Refused[c.why] == before+1 })
		}
	}
}

func TestPacketsAreBounded(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) { c.Limits.PacketBytes = 1000 })
	for _, version := range []byte{4, 5} {
		c, ack := s.tryDevice("board", version)
		if version == 5 && fmt.Sprint(ack.Props[0x27]) != "[1000]" {
			t.Errorf("maximum packet size is %v", ack.Props[0x27])
		}
		fits := 1000 - len(mqtttest.PublishPacket(version, "/x", nil, 1, 1, false)) - 1
		ok(t, c.Publish("/x", make([]byte, fits), 1, 1))
		must(t)(c.Expect(mqtttest.Puback))
		ok(t, c.Publish("/x", make([]byte, fits+1), 1, 2))
		if got := closed(t, c); version == 5 && (len(got) != 1 || got[0].Code != byte(codeTooLarge)) {
			t.Errorf("got %+v", got)
		}
	}
}

// A packet whose rest never comes ends the session, even of a client that may be
// silent for ever.
func TestHalfPacketIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, nil)
		defer s.stopPipes(t)
		c := l.dial(t, 4, "board", mqtttest.Options{})
		time.Sleep(time.Hour)
		before := time.Now()
		p := mqtttest.PublishPacket(4, "/x", make([]byte, 100), 0, 0, false)
		for i := range p { // a byte each five seconds is no progress
			if c.Write(p[i:i+1]) != nil {
				break
			}
			time.Sleep(5 * time.Second)
		}
		if took := time.Since(before); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("waited for %v, want 30 s", took)
		}
		s.h.toldOnce(t, "disconnected board half packet")
	})
}

// What is sent to a client that does not read is bounded, and waits for nobody.
func TestSlowReaderLosesAndIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, nil)
		defer s.stopPipes(t)
		zero := l.dial(t, 4, "zero", mqtttest.Options{})
		must(t)(zero.Subscribe(1, mqtttest.Filter{Name: "/zero"}))
		for i := range 1000 {
			s.b.Send("/zero", fmt.Append(nil, i), 0)
		}
		synctest.Wait()
		// 64 wait beside those that a goroutine is writing already.
		if n := s.b.Stats().Lost; n < 1000-2*64 || n > 1000-64 {
			t.Errorf("%d of 1,000 messages were lost", n)
		}
		if p := must(t)(zero.Expect(mqtttest.Publish)); string(p.Payload) != "0" {
			t.Errorf("the first is %q: newer ones make room, not older ones", p.Payload)
		}
		one := l.dial(t, 5, "one", mqtttest.Options{})
		must(t)(one.Subscribe(1, mqtttest.Filter{Name: "/one", QoS: 1}))
		for i := range 200 {
			s.b.Send("/one", fmt.Append(nil, i), 1)
		}
		s.h.toldOnce(t, "disconnected one slow")
	})
}

func TestPendingBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(c *Config, _ *keeper) { c.Limits.PendingBytes = 10_000 })
		defer s.stopPipes(t)
		c := l.dial(t, 4, "board", mqtttest.Options{})
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x"}))
		for range 50 {
			s.b.Send("/x", make([]byte, 3000), 0)
		}
		synctest.Wait()
		if n := s.b.Stats().Lost; n < 40 {
			t.Errorf("%d lost; more than 10,000 bytes wait", n)
		}
	})
}

// failing fails every other Accept.
type failing struct {
	net.Listener
	n atomic.Int64
}

func (l *failing) Accept() (net.Conn, error) {
	if l.n.Add(1)%2 == 1 {
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestFailedAcceptDoesNotEndAListener(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) {
		for i := range c.Listeners {
			c.Listeners[i].Net = &failing{Listener: c.Listeners[i].Net}
		}
	})
	for range 3 {
		ok(t, s.device("board", 4).Ping())
	}
	if n := s.b.Stats().AcceptErrors; n < 3 {
		t.Errorf("%d failures counted", n)
	}
}

func TestBrokenHandshakeIsCounted(t *testing.T) {
	s := start(t)
	stranger := mqtttest.NewAuthority("test") // the same name, another key
	for name, cfg := range map[string]*tls.Config{
		"no certificate":            mqtttest.BoardTLS(s.authority.Pool, serverName),
		"certificate of a stranger": mqtttest.BoardTLS(s.authority.Pool, serverName, stranger.Issue("board")),
		"TLS 1.1":                   {InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.b.Stats().Refused[RefusedHandshake]
			conn := tls.Client(s.dial("cert"), cfg)
			if err := conn.Handshake(); err == nil {
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("it came in")
				}
			}
			eventually(t, "it is counted", func() bool { return s.b.Stats().Refused[RefusedHandshake] == before+1 })
		})
	}
}

// Boards that are slow to compute do not keep others from their handshake: a
// permit is held only while the server computes.
func TestSlowHandshakesDoNotBlockOthers(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) { c.Limits.Handshakes = 1 })
	for range 20 { // each sends its hello and then computes for ever
		conn := s.dial("cert")
		var hello bytes.Buffer
		client := tls.Client(writeOnly{&hello}, mqtttest.BoardTLS(s.authority.Pool, serverName))
		_ = client.Handshake()
		if _, err := conn.Write(hello.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	c, _ := s.board("board", 4, mqtttest.BoardTLS(s.authority.Pool, serverName, s.authority.Issue("board")))
	ok(t, c.Ping())
}

// writeOnly keeps what is written and has nothing to read.
type writeOnly struct{ w io.Writer }

func (c writeOnly) Write(p []byte) (int, error)      { return c.w.Write(p) }
func (c writeOnly) Read([]byte) (int, error)         { return 0, io.EOF }
func (c writeOnly) Close() error                     { return nil }
func (c writeOnly) LocalAddr() net.Addr              { return nil }
func (c writeOnly) RemoteAddr() net.Addr             { return nil }
func (c writeOnly) SetDeadline(time.Time) error      { return nil }
func (c writeOnly) SetReadDeadline(time.Time) error  { return nil }
func (c writeOnly) SetWriteDeadline(time.Time) error { return nil }

func TestNewChecksItsConfig(t *testing.T) {
	k := &keeper{}
	good := Config{Authenticator: k, Handler: k, Now: time.Now, Log: discard}
	for name, change := range map[string]func(*Config){
		"no Authenticator":         func(c *Config) { c.Authenticator = nil },
		"no Handler":               func(c *Config) { c.Handler = nil },
		"no clock":                 func(c *Config) { c.Now = nil },
		"certificates without TLS": func(c *Config) { c.Listeners = []Listener{{Net: newPipes()}} },
		"certificates not asked":   func(c *Config) { c.Listeners = []Listener{{Net: newPipes(), TLS: &tls.Config{}}} },
		"certificates not looked at": func(c *Config) {
			c.Listeners = []Listener{{Net: newPipes(), TLS: &tls.Config{ClientAuth: tls.RequireAnyClientCert}}}
		},
	} {
		c := good
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: New is content", name)
		}
	}
	b, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	b.phase = stopped
	if err := b.Run(t.Context()); !errors.Is(err, errRunTwice) {
		t.Errorf("a second Run says %v", err)
	}
}

func TestPrefixOf(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1": "192.0.2.1/32", "::ffff:192.0.2.1": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "fe80::1%eth0": "fe80::/64", "127.0.0.1": "", "::1": "",
	} {
		got, limited := prefixOf(netip.MustParseAddr(addr))
		if limited != (want != "") || (limited && got.String() != want) {
			t.Errorf("%s counts as %v, %v, want %q", addr, got, limited, want)
		}
	}
}

func TestNamesOfCountsAreThere(t *testing.T) {
	seen := map[string]bool{"": true}
	for r := Refusal(1); r < Refusals; r++ {
		if seen[r.String()] {
			t.Errorf("refusal %d is called %q", r, r)
		}
		seen[r.String()] = true
	}
	for e := range Endings {
		if e.String() == "" {
			t.Errorf("ending %d has no name", e)
		}
	}
	if Refusals.String() != "" || Endings.String() != "" {
		t.Error("what is not there has a name")
	}
}
