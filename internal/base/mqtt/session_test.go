package mqtt

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

func TestNewestSessionOfADeviceWins(t *testing.T) {
	s := start(t)
	for _, version := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			id := fmt.Sprint("board", version)
			old := s.device(id, version)
			must(t)(old.Subscribe(1, mqtttest.Filter{Name: "/" + id}))
			c := s.device(id, version)
			got := closed(t, old)
			if version == 5 && (len(got) != 1 || got[0].Code != byte(codeTakenOver)) {
				t.Errorf("the old session got %+v, want DISCONNECT with 0x8e", got)
			}
			must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/" + id}))
			s.b.Send("/"+id, []byte("x"), 0)
			must(t)(c.Expect(mqtttest.Publish))
			if !s.b.Online(Device, id) {
				t.Error("the device is not online")
			}
			ok(t, c.Disconnect())
			s.h.toldOnce(t, "disconnected "+id+" clean")
			if s.b.Online(Device, id) {
				t.Error("the device is still online")
			}
		})
	}
}

// However fast a device comes back, what the Handler is told comes in turns.
func TestTakeOverKeepsTheOrderOfCallbacks(t *testing.T) {
	s := start(t, func(_ *Config, k *keeper) {
		k.disconnected = func(Identity, error) { <-time.After(time.Millisecond) }
		k.connected = func(Identity) { <-time.After(time.Millisecond) }
	})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 10 {
				c := mqtttest.New(s.dial("plain"), 4)
				if _, err := c.Connect(mqtttest.Options{ClientID: "board", Username: "board", Password: "secret of board"}); err != nil {
					continue // taken over before CONNACK was read
				}
				_ = c.Publish("/out", []byte("x"), 0, 0)
			}
		})
	}
	wait.Wait()
	last := s.device("board", 4)
	eventually(t, "all other sessions end", func() bool {
		sum := 0
		for _, e := range s.h.told() {
			if strings.HasPrefix(e, "connected") {
				sum++
			} else if strings.HasPrefix(e, "disconnected") {
				sum--
			}
		}
		return sum == 1
	})
	here := false
	for _, e := range s.h.told() {
		switch {
		case strings.HasPrefix(e, "connected"):
			if here {
				t.Fatal("connected twice")
			}
			here = true
		case strings.HasPrefix(e, "disconnected"):
			if !here {
				t.Fatal("disconnected twice")
			}
			here = false
		}
	}
	if !here || !s.b.Online(Device, "board") {
		t.Error("the device is marked offline")
	}
	ok(t, last.Ping())
}

// A session whose last message the Handler does not let go is left behind.
func TestTakeOverDoesNotWaitForTheHandler(t *testing.T) {
	stuck := make(chan struct{})
	s := start(t, func(_ *Config, k *keeper) {
		k.publish = func(_ Identity, _ string, _ []byte, _ byte, done func(error)) { <-stuck; done(nil) }
	})
	defer close(stuck)
	old := s.device("board", 4)
	ok(t, old.Publish("/out", nil, 1, 1))
	eventually(t, "the message arrives", func() bool { return s.b.Stats().Received == 1 })
	before := time.Now()
	s.device("board", 4)
	if took := time.Since(before); took > 1500*time.Millisecond {
		t.Errorf("CONNACK came after %v, which a board does not wait", took)
	}
	s.h.toldOnce(t, "disconnected board taken over")
}

func TestTakeOverFromAnotherAddressIsTold(t *testing.T) {
	var mu sync.Mutex
	var told []string
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(c *Config, _ *keeper) {
			c.TakenOver = func(id Identity, from, by netip.Addr) {
				mu.Lock()
				defer mu.Unlock()
				told = append(told, fmt.Sprint(id.ID, " ", from, " ", by))
			}
		})
		defer s.stopPipes(t)
		for _, addr := range []string{"192.0.2.1:1000", "192.0.2.1:1001", "198.51.100.7:1", "192.0.2.1:1002"} {
			c := mqtttest.New(l.open(t, addr), 4)
			must(t)(c.Connect(mqtttest.Options{ClientID: "board", Username: "board", Password: "secret of board"}))
		}
	})
	want := []string{"board 192.0.2.1 198.51.100.7", "board 198.51.100.7 192.0.2.1"}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestSessionsOfOneUserLiveSideBySide(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) { c.Limits.UserSessions = 3 })
	var all []*mqtttest.Client
	for range 3 { // the same client ID, as the JavaScript client has it
		c := s.user("anna", "anna", 4)
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x"}))
		all = append(all, c)
	}
	s.b.Send("/x", []byte("to all"), 0)
	for _, c := range all {
		must(t)(c.Expect(mqtttest.Publish))
		ok(t, c.Ping())
	}
	if n := len(s.b.Sessions()); n != 3 {
		t.Errorf("%d sessions", n)
	}
	one := mqtttest.New(s.dial("token"), 5)
	if ack := must(t)(one.Connect(mqtttest.Options{ClientID: "anna", Username: "anna", Password: "token of anna"})); ack.Code != byte(codeQuota) {
		t.Errorf("a fourth session got code %d", ack.Code)
	}
	ok(t, all[1].Disconnect())
	s.h.toldOnce(t, "disconnected anna clean")
	if !s.b.Online(User, "anna") {
		t.Error("anna has two sessions left and is offline")
	}
	s.b.SendTo(User, "anna", "/x", []byte("to anna"), 0)
	s.b.SendTo(User, "bert", "/x", []byte("to bert"), 0)
	s.b.SendTo(Device, "anna", "/x", []byte("to a device"), 0)
	for _, c := range []*mqtttest.Client{all[0], all[2]} {
		if p := must(t)(c.Expect(mqtttest.Publish)); string(p.Payload) != "to anna" {
			t.Errorf("got %q", p.Payload)
		}
		ok(t, c.Ping())
	}
}

func TestClientIDOfADeviceIsItsID(t *testing.T) {
	s := start(t)
	for _, version := range []byte{4, 5} {
		c := mqtttest.New(s.dial("plain"), version)
		ack := must(t)(c.Connect(mqtttest.Options{ClientID: "another", Username: "board", Password: "secret of board"}))
		if want := map[byte]byte{4: 2, 5: 0x85}[version]; ack.Code != want {
			t.Errorf("CONNACK says %d, want %d", ack.Code, want)
		}
		closed(t, c)
	}
	cfg := mqtttest.BoardTLS(s.authority.Pool, serverName, s.authority.Issue("board"))
	c := mqtttest.New(clientTLS(s.dial("cert"), cfg), 4)
	if ack := must(t)(c.Connect(mqtttest.Options{ClientID: "another"})); ack.Code != 2 {
		t.Errorf("with a certificate CONNACK says %d, want 2", ack.Code)
	}
	if len(s.h.told()) != 0 {
		t.Errorf("told %q", s.h.told())
	}
}

func TestDropEndsSessionsAndWhatIsKept(t *testing.T) {
	why := errors.New("revoked")
	s := start(t)
	for _, version := range []byte{4, 5} {
		id := fmt.Sprint("board", version)
		o := mqtttest.Options{Unclean: true}
		if version == 5 {
			o.Props = []byte{0x11, 0, 0, 1, 0}
		}
		c := s.device(id, version, o)
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/x", QoS: 1}))
		s.b.Drop(Device, id, why)
		got := closed(t, c)
		if version == 5 && (len(got) != 1 || got[0].Code != byte(codeAdministrative)) {
			t.Errorf("got %+v", got)
		}
		s.h.toldOnce(t, "disconnected "+id+" revoked")
		if s.b.Stats().Offline != 0 {
			t.Error("its state is kept")
		}
		if c, ack := s.tryDevice(id, version, o); ack.Present {
			t.Error("its state came back")
		} else {
			ok(t, c.Disconnect())
		}
		eventually(t, "the state is kept", func() bool { return s.b.Stats().Offline == 1 })
		s.b.Drop(Device, id, why)
		if s.b.Stats().Offline != 0 {
			t.Error("the state of an absent device is kept")
		}
	}
	s.houseIsEmpty(t)
}

// Whoever is dropped while his CONNECT is looked at does not come in.
func TestDropDuringConnect(t *testing.T) {
	asking, answer := make(chan struct{}), make(chan struct{})
	s := start(t, func(_ *Config, k *keeper) {
		k.authenticate = func(id string) (Identity, error) {
			close(asking)
			<-answer
			return Identity{Kind: Device, ID: id}, nil
		}
	})
	c := mqtttest.New(s.dial("plain"), 4)
	ok(t, c.Write(mqtttest.ConnectPacket(mqtttest.Options{ClientID: "board", Username: "board", Password: "x"}, 4)))
	<-asking
	s.b.Drop(Device, "board", errors.New("revoked"))
	close(answer)
	if ack := must(t)(c.Expect(mqtttest.Connack)); ack.Code == 0 {
		t.Error("the revoked device is in")
	}
	closed(t, c)
	if told := s.h.told(); len(told) != 0 {
		t.Errorf("told %q", told)
	}
}

func TestSessionEndsAtUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(_ *Config, k *keeper) {
			k.authenticate = func(id string) (Identity, error) {
				return Identity{Kind: Device, ID: id, Until: time.Now().Add(time.Hour)}, nil
			}
		})
		defer s.stopPipes(t)
		c := l.dial(t, 5, "board", mqtttest.Options{})
		before := time.Now()
		p, err := mqtttest.ReadPacket(c.Conn, 5)
		if err != nil || p.Code != byte(codeConnectTime) {
			t.Errorf("got %+v, %v", p, err)
		}
		if after := time.Since(before); after < time.Hour || after > time.Hour+2*time.Second {
			t.Errorf("ended after %v", after)
		}
		s.h.toldOnce(t, "disconnected board expired")
	})
}

func TestSessionsTellWhoIsConnected(t *testing.T) {
	s := start(t)
	c := s.device("board", 5, mqtttest.Options{KeepAlive: 30})
	ok(t, c.Ping())
	all := s.b.Sessions()
	if len(all) != 1 {
		t.Fatalf("%d sessions", len(all))
	}
	got := all[0]
	if got.Identity.ID != "board" || got.Identity.Kind != Device || got.ClientID != "board" || got.Listener != "plain" || got.Version != 5 ||
		got.KeepAlive != 30*time.Second || !got.Remote.Addr().IsLoopback() || time.Since(got.Since) > time.Minute || got.BytesIn == 0 || got.BytesOut == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestUncleanSessionsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(c *Config, _ *keeper) { c.Limits.OfflineDevices = 2 })
		defer s.stopPipes(t)
		for _, id := range []string{"a", "b", "c"} {
			ok(t, l.dial(t, 4, id, mqtttest.Options{Unclean: true}).Disconnect())
			synctest.Wait()
		}
		if n := s.b.Stats().Offline; n != 2 {
			t.Errorf("%d states are kept, with room for 2", n)
		}
		five := l.dial(t, 5, "d", mqtttest.Options{Unclean: true, Props: []byte{0x11, 0, 0, 0, 10}})
		ok(t, five.Disconnect())
		time.Sleep(30 * time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := s.b.Stats().Offline; n != 0 {
			t.Errorf("%d states are kept after their time", n)
		}
		s.houseIsEmpty(t)
	})
}

func TestUncleanSessionLastsAsLongAsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, nil)
		defer s.stopPipes(t)
		o := mqtttest.Options{ClientID: "d", Username: "d", Password: "secret of d", Unclean: true, Props: []byte{0x11, 0, 0, 0, 10}}
		for _, c := range []struct {
			away    time.Duration
			present bool
		}{{0, false}, {5 * time.Second, true}, {15 * time.Second, false}} {
			time.Sleep(c.away)
			m := mqtttest.New(l.open(t, ""), 5)
			ack := must(t)(m.Connect(o))
			if ack.Present != c.present || !slices.Equal(ack.Props[0x11], []any{uint32(10)}) {
				t.Errorf("after %v: present %v, lasts %v", c.away, ack.Present, ack.Props[0x11])
			}
			ok(t, m.Disconnect())
		}
		// With DISCONNECT its end can come sooner.
		m := mqtttest.New(l.open(t, ""), 5)
		must(t)(m.Connect(o))
		ok(t, m.Write([]byte{mqtttest.Disconnect << 4, 7, 0, 5, 0x11, 0, 0, 0, 0}))
		synctest.Wait()
		if n := s.b.Stats().Offline; n != 0 {
			t.Errorf("%d states are kept", n)
		}
	})
}

func TestPanicEndsOneSession(t *testing.T) {
	s := start(t, func(_ *Config, k *keeper) {
		k.publish = func(_ Identity, topic string, _ []byte, _ byte, done func(error)) {
			if topic == "/bad" {
				panic("a mistake")
			}
			done(nil)
		}
	})
	good, bad := s.device("good", 4), s.device("bad", 5)
	ok(t, bad.Publish("/bad", nil, 1, 1))
	if got := closed(t, bad); len(got) != 1 || got[0].Code != byte(codeImplementation) {
		t.Errorf("got %+v", got)
	}
	ok(t, good.Publish("/good", nil, 1, 1))
	must(t)(good.Expect(mqtttest.Puback))
	if n := s.b.Stats().Panics; n != 1 {
		t.Errorf("%d panics counted", n)
	}
}

func TestNothingOfPacketsIsLogged(t *testing.T) {
	s := start(t, func(_ *Config, k *keeper) { k.maySubscribe = func(Identity, string) bool { return false } })
	c := s.device("board", 5)
	ok(t, c.Publish("/out", []byte("CANARY payload"), 1, 1))
	must(t)(c.Expect(mqtttest.Puback))
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/CANARY"}))
	ok(t, c.Write([]byte{0x82, 3, 0, 1, 0})) // broken
	closed(t, c)
	_, ack := s.tryDevice("board", 4, mqtttest.Options{Password: "CANARY password", Will: "/CANARY"})
	if ack.Code == 0 {
		t.Error("a wrong password is right")
	}
	ok(t, s.stop())
	if log := s.log.String(); strings.Contains(log, "CANARY") || len(log) == 0 {
		t.Errorf("the log says\n%s", log)
	}
}
