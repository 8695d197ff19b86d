package mqtt

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

func TestForbiddenPublishIsAcknowledgedAndNotHeard(t *testing.T) {
	var mu sync.Mutex
	reached := map[string]int{}
	s := start(t, func(c *Config, k *keeper) {
		c.Limits.TopicBytes = 64
		k.mayPublish = func(_ Identity, topic string) bool { return topic != "/others" }
		c.Forbidden = func(id Identity, topic string, publish bool) {
			mu.Lock()
			defer mu.Unlock()
			reached[fmt.Sprint(id.ID, " ", len(topic), " ", publish)]++
		}
	})
	c := s.device("board", 4)
	long := strings.Repeat("x", 65)
	for id, topic := range []string{"/others", "/others", "/mine", "$SYS/broker", long, "/mine"} {
		ok(t, c.Publish(topic, []byte("x"), 1, uint16(id+1)))
		if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != uint16(id+1) {
			t.Errorf("PUBACK of %d, want %d", p.ID, id+1)
		}
	}
	ok(t, c.Publish("/others", []byte("x"), 0, 0))
	ok(t, c.Publish("/others", []byte("x"), 2, 9))
	must(t)(c.Expect(mqtttest.Pubrec))
	ok(t, c.Ping())
	if got, want := s.h.told(), []string{"connected board", "publish board /mine x 1", "publish board /mine x 1"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if n := s.b.Stats().ForbiddenPublish; n != 6 {
		t.Errorf("counted %d attempts, want 6", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reached) != 3 || reached["board 7 true"] != 1 {
		t.Errorf("reported %v, want each of three topics once", reached)
	}
}

func TestForbiddenSubscriptionIsMuteAndReported(t *testing.T) {
	s := start(t, func(c *Config, k *keeper) {
		k.maySubscribe = func(_ Identity, topic string) bool { return topic != "/others" }
	})
	c := s.device("board", 4)
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/others"}, mqtttest.Filter{Name: "/mine", QoS: 1}, mqtttest.Filter{Name: "#"}))
	s.b.Send("/others", []byte("secret"), 1)
	s.b.Send("/mine", []byte("x"), 1)
	if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != "/mine" || p.QoS != 1 {
		t.Errorf("got %+v", p)
	}
	ok(t, c.Ping())
	if got, want := s.h.told(), []string{"connected board", "subscribed board /mine 1"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	if n := s.b.Stats(); n.ForbiddenSubscribe != 2 || n.Lost != 1 {
		t.Errorf("counted %d attempts and %d lost", n.ForbiddenSubscribe, n.Lost)
	}
}

// A right that ends, ends what was subscribed under it, and one that begins wakes
// what was subscribed before.
func TestRightsAreAskedAgainAtDelivery(t *testing.T) {
	var allowed atomic.Bool
	var asked atomic.Int64
	s := start(t, func(c *Config, k *keeper) {
		k.maySubscribe = func(Identity, string) bool { asked.Add(1); return allowed.Load() }
	})
	allowed.Store(true)
	c := s.device("board", 4)
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/thing"}, mqtttest.Filter{Name: "/marker"}))
	for range 10 {
		s.b.Send("/thing", []byte("1"), 0)
		must(t)(c.Expect(mqtttest.Publish))
	}
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times, want once for each topic", n)
	}
	allowed.Store(false)
	s.b.Recheck(Device, "board")
	s.b.Send("/thing", []byte("2"), 0)
	allowed.Store(true)
	s.b.Recheck(Device, "somebody else")
	s.b.Send("/thing", []byte("3"), 0) // the answer is kept
	s.b.Recheck(Device, "board")
	s.b.Send("/thing", []byte("4"), 0)
	if p := must(t)(c.Expect(mqtttest.Publish)); string(p.Payload) != "4" {
		t.Errorf("got %q, want what was sent when the right was back", p.Payload)
	}
}

func TestRightsToPublishAreAskedAgain(t *testing.T) {
	var allowed atomic.Bool
	s := start(t, func(c *Config, k *keeper) {
		k.mayPublish = func(Identity, string) bool { return allowed.Load() }
	})
	c := s.device("board", 4)
	for i, may := range []bool{true, false, true} {
		allowed.Store(may)
		s.b.Recheck(Device, "board")
		ok(t, c.Publish("/thing", fmt.Append(nil, i), 1, 1))
		must(t)(c.Expect(mqtttest.Puback))
	}
	if got, want := s.h.told(), []string{"connected board", "publish board /thing 0 1", "publish board /thing 2 1"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// A room that forgets Recheck is found out after a minute.
func TestRightsAreNotKeptForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var allowed atomic.Bool
		allowed.Store(true)
		s, l := startPipes(t, func(_ *Config, k *keeper) {
			k.maySubscribe = func(Identity, string) bool { return allowed.Load() }
			k.mayPublish = k.maySubscribe
		})
		defer s.stopPipes(t)
		c := l.dial(t, 4, "board", mqtttest.Options{})
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/thing"}))
		ok(t, c.Publish("/out", nil, 1, 1))
		must(t)(c.Expect(mqtttest.Puback))
		allowed.Store(false)
		time.Sleep(62 * time.Second)
		s.b.Send("/thing", []byte("secret"), 0)
		ok(t, c.Publish("/out", nil, 1, 1))
		must(t)(c.Expect(mqtttest.Puback)) // and no message before it
		synctest.Wait()
		if n := s.b.Stats(); n.Lost != 1 || n.ForbiddenPublish != 1 {
			t.Errorf("lost %d, forbidden %d", n.Lost, n.ForbiddenPublish)
		}
	})
}

// What waits for an absent device is checked again when it is delivered.
func TestQueuedMessagesAreCheckedAtDelivery(t *testing.T) {
	var allowed atomic.Bool
	allowed.Store(true)
	s := start(t, func(_ *Config, k *keeper) {
		k.maySubscribe = func(_ Identity, topic string) bool { return topic == "/own" || allowed.Load() }
	})
	unclean := mqtttest.Options{Unclean: true}
	c := s.device("board", 4, unclean)
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/thing", QoS: 1}, mqtttest.Filter{Name: "/own", QoS: 1}))
	s.b.Send("/thing", []byte("in flight"), 1)
	must(t)(c.Expect(mqtttest.Publish)) // and not acknowledged
	ok(t, c.Disconnect())
	s.h.toldOnce(t, "disconnected board clean")
	s.b.Send("/thing", []byte("waiting"), 1)
	s.b.Send("/own", []byte("allowed"), 1)
	allowed.Store(false)
	s.b.Recheck(Device, "board")
	c = s.device("board", 4, unclean)
	if p := must(t)(c.Expect(mqtttest.Publish)); string(p.Payload) != "allowed" {
		t.Errorf("got %q, although the right to it has ended", p.Payload)
	}
}

func TestWildcardsOfUsersSelectWhatTheyMayHear(t *testing.T) {
	s := start(t, func(_ *Config, k *keeper) {
		k.maySubscribe = func(id Identity, topic string) bool { return strings.HasPrefix(topic, "/"+id.ID+"/") }
	})
	for version, wild := range map[byte]string{4: "#", 5: "/+/+"} {
		c := s.user("anna", "browser", version)
		must(t)(c.Subscribe(1, mqtttest.Filter{Name: wild, QoS: 1}))
		s.b.Send("/bert/x", []byte("1"), 1)
		s.b.Send("$SYS/x", []byte("1"), 1)
		s.b.Send("/anna/x", []byte("2"), 1)
		if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != "/anna/x" {
			t.Errorf("delivered %s", p.Topic)
		}
		ok(t, c.Disconnect())
	}
}

// Nothing that one client publishes reaches another by itself.
func TestNothingIsRelayedExceptWhatRelaySays(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) {
		c.Relay = func(id Identity, topic string) bool { return topic == "/serial/s/o" }
	})
	u := s.user("anna", "browser", 4)
	must(t)(u.Subscribe(1, mqtttest.Filter{Name: "/x"}, mqtttest.Filter{Name: "/serial/s/o", QoS: 1}))
	five := s.device("five", 5)
	must(t)(five.Subscribe(1, mqtttest.Filter{Name: "/serial/s/o", QoS: 1<<2 | 1})) // no local
	ok(t, five.Publish("/x", []byte("kept"), 1, 1))
	ok(t, five.Publish("/serial/s/o", []byte("hello"), 1, 2))
	if p := must(t)(u.Expect(mqtttest.Publish)); string(p.Payload) != "hello" || p.QoS != 1 {
		t.Errorf("got %q with QoS %d", p.Payload, p.QoS)
	}
	must(t)(five.Expect(mqtttest.Puback))
	must(t)(five.Expect(mqtttest.Puback))
	ok(t, five.Ping())
}

func TestRetainIsIgnored(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) { c.Relay = func(Identity, string) bool { return true } })
	for _, version := range []byte{4, 5} {
		c := s.device("board", version)
		p := mqtttest.PublishPacket(version, "/x", []byte("kept?"), 1, 1, false)
		p[0] |= 1
		ok(t, c.Write(p))
		must(t)(c.Expect(mqtttest.Puback))
		must(t)(c.Subscribe(2, mqtttest.Filter{Name: "/x", QoS: 1}))
		ok(t, c.Write(p))
		must(t)(c.Expect(mqtttest.Puback))
		if got := must(t)(c.Expect(mqtttest.Publish)); got.Retain {
			t.Error("the message is retained")
		}
		ok(t, c.Disconnect())
	}
}

func TestWillsAreNotSent(t *testing.T) {
	s := start(t)
	u := s.user("anna", "browser", 4)
	must(t)(u.Subscribe(1, mqtttest.Filter{Name: "#"}, mqtttest.Filter{Name: "/will"}))
	for _, version := range []byte{4, 5} {
		c := s.device("board", version, mqtttest.Options{Will: "/will"})
		c.Conn.Close()
		eventually(t, "the session ends", func() bool { return !s.b.Online(Device, "board") })
	}
	ok(t, u.Ping()) // would drop a message; none is counted
	if n := s.b.Stats(); n.WillsIgnored != 2 || n.Sent != 0 || n.Received != 0 {
		t.Errorf("%d wills ignored, %d sent, %d received", n.WillsIgnored, n.Sent, n.Received)
	}
}

func TestTopicAliasesAreRefused(t *testing.T) {
	s := start(t)
	c, ack := s.tryDevice("board", 5, mqtttest.Options{Props: []byte{0x22, 0, 10}})
	if max := ack.Props[0x22]; max != nil {
		t.Errorf("offers %v aliases", max)
	}
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/in"}))
	for range 2 {
		s.b.Send("/in", []byte("x"), 0)
		if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != "/in" || p.Props[0x23] != nil {
			t.Errorf("got %+v", p)
		}
	}
	ok(t, c.Write(mqtttest.PublishPacket(5, "", []byte("x"), 1, 1, false, 0x23, 0, 1)))
	if got := closed(t, c); len(got) != 1 || got[0].Code != byte(codeTopicAlias) {
		t.Errorf("got %+v, want DISCONNECT with 0x94", got)
	}
	if n := s.b.Stats().Received; n != 0 {
		t.Errorf("%d messages were heard", n)
	}
}

func TestSubscriptionsAreBounded(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) { c.Limits.Subscriptions = 10 })
	c := s.device("board", 4)
	var all []mqtttest.Filter
	for i := range 500 {
		all = append(all, mqtttest.Filter{Name: fmt.Sprint("/", i), QoS: 1})
	}
	ack := must(t)(c.Subscribe(1, all...))
	if len(ack.Codes) != 500 || slices.ContainsFunc(ack.Codes, func(c byte) bool { return c != 1 }) {
		t.Errorf("granted %v", ack.Codes)
	}
	for i := range 500 {
		s.b.Send(fmt.Sprint("/", i), nil, 0)
	}
	for i := range 10 {
		if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != fmt.Sprint("/", i) {
			t.Errorf("got %s", p.Topic)
		}
	}
	must(t)(c.Subscribe(2, mqtttest.Filter{Name: "/3"})) // is there already
	must(t)(c.Unsubscribe(3, "/3", "/4", "/nothing"))
	must(t)(c.Subscribe(4, mqtttest.Filter{Name: "/new"}))
	s.b.Send("/3", nil, 0)
	s.b.Send("/new", nil, 0)
	if p := must(t)(c.Expect(mqtttest.Publish)); p.Topic != "/new" {
		t.Errorf("got %s", p.Topic)
	}
}

func TestSubscribedIsNotToldOfWhatIsNotKept(t *testing.T) {
	s := start(t, func(c *Config, _ *keeper) { c.Limits.Subscriptions = 1 })
	c := s.device("board", 4)
	must(t)(c.Subscribe(1, mqtttest.Filter{Name: "/a"}, mqtttest.Filter{Name: "/b"}))
	ok(t, c.Ping())
	if got, want := s.h.told(), []string{"connected board", "subscribed board /a 0"}; !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}
