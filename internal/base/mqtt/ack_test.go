package mqtt

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// held is a Handler that keeps what it is given until the test says done.
type held struct {
	c chan task
}

type task struct {
	topic, payload string
	done           func(error)
}

func hold(n int) (*held, func(*Config, *keeper)) {
	h := &held{make(chan task, n)}
	return h, func(_ *Config, k *keeper) {
		k.publish = func(_ Identity, topic string, payload []byte, _ byte, done func(error)) {
			h.c <- task{topic, string(payload), done}
		}
	}
}

func TestPubackComesAfterDoneAndInOrder(t *testing.T) {
	h, change := hold(10)
	s := start(t, change)
	for _, version := range []byte{4, 5} {
		c := s.device("board", version)
		for id := range uint16(3) {
			ok(t, c.Publish("/out", fmt.Append(nil, id), 1, 10+id))
		}
		var tasks []task
		for range 3 {
			tasks = append(tasks, receive(t, "a message", h.c))
		}
		tasks[2].done(nil)
		tasks[1].done(nil)
		ok(t, c.Ping()) // nothing was acknowledged before this: Ping would have dropped a PUBACK
		if n := s.b.Stats().Acknowledged; n != 3*uint64(version-4) {
			t.Fatalf("%d acknowledged before the first was done", n)
		}
		tasks[0].done(nil)
		for id := range uint16(3) {
			if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != 10+id || p.Code != 0 {
				t.Errorf("PUBACK of %d with %d, want %d", p.ID, p.Code, 10+id)
			}
		}
		ok(t, c.Disconnect())
	}
}

func TestFailedMessageGetsNoPubackAndClosesTheConnection(t *testing.T) {
	for name, want := range map[string]struct {
		err  error
		code code
	}{
		"our fault":   {fmt.Errorf("disk full"), codeImplementation},
		"not to read": {problem.New(problem.Invalid, "x", "x"), codePayload},
		"busy":        {problem.New(problem.Unavailable, "x", "x"), codeBusy},
		"too often":   {problem.New(problem.Limited, "x", "x"), codeQuota},
	} {
		for _, version := range []byte{4, 5} {
			for _, qos := range []byte{0, 1, 2} {
				t.Run(fmt.Sprintf("%s, version %d, QoS %d", name, version, qos), func(t *testing.T) {
					h, change := hold(10)
					s := start(t, change)
					c := s.device("board", version)
					ok(t, c.Publish("/out", []byte("first"), 1, 1))
					ok(t, c.Publish("/out", []byte("second"), qos, uint16(min(qos, 1))*2))
					ok(t, c.Publish("/out", []byte("third"), 1, 3))
					first, second, third := receive(t, "one", h.c), receive(t, "two", h.c), receive(t, "three", h.c)
					third.done(nil)
					second.done(want.err)
					first.done(nil)
					got := closed(t, c)
					if len(got) == 0 || got[0].Type != mqtttest.Puback || got[0].ID != 1 {
						t.Fatalf("got %+v, want PUBACK of the first", got)
					}
					if version == 5 && (len(got) != 2 || got[1].Type != mqtttest.Disconnect || got[1].Code != byte(want.code)) {
						t.Errorf("got %+v, want DISCONNECT with 0x%x", got, want.code)
					}
					if version == 4 && len(got) != 1 {
						t.Errorf("got %+v, want one PUBACK", got)
					}
					s.h.toldOnce(t, "disconnected board "+want.err.Error())
				})
			}
		}
	}
}

// A pipeline of 5,000 messages on one connection is acknowledged whole and in
// order, however late and in whatever order the Handler is done.
func TestFiveThousandInFlight(t *testing.T) {
	const messages = 5000
	for name, inFlight := range map[string]int{"all at once": 8000, "with back-pressure": 256} {
		t.Run(name, func(t *testing.T) {
			var wait sync.WaitGroup
			var most, now atomic.Int64
			late := make(chan func(error), messages)
			s := start(t, func(c *Config, k *keeper) {
				c.Limits.InFlight = inFlight
				c.Limits.InFlightBytes = 1 << 30
				k.publish = func(_ Identity, _ string, _ []byte, _ byte, done func(error)) {
					most.Store(max(most.Load(), now.Add(1)))
					late <- func(err error) { now.Add(-1); done(err) }
				}
			})
			wait.Go(func() {
				random := rand.New(rand.NewPCG(1, 2))
				for left := messages; left > 0; {
					batch := []func(error){<-late}
					for more := true; more && len(batch) < 200; {
						select {
						case d := <-late:
							batch = append(batch, d)
						default:
							more = false
						}
					}
					random.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
					for _, done := range batch {
						done(nil)
					}
					left -= len(batch)
				}
			})
			c := s.device("board", 4)
			wait.Go(func() {
				for id := range messages {
					if err := c.Publish("/out", []byte("12345678"), 1, uint16(id+1)); err != nil {
						t.Error(err)
						return
					}
				}
			})
			for id := range messages {
				if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != uint16(id+1) {
					t.Fatalf("PUBACK of %d, want %d", p.ID, id+1)
				}
			}
			wait.Wait()
			if most.Load() > int64(inFlight) {
				t.Errorf("%d were under way, with a limit of %d", most.Load(), inFlight)
			}
		})
	}
}

// While the bound is reached the connection is not read: TCP fills up and the
// client has to wait. Nothing is lost.
func TestReadingStopsAtTheBound(t *testing.T) {
	h, change := hold(1000)
	s := start(t, change, func(c *Config, _ *keeper) { c.Limits.InFlight = 10 })
	c := s.device("board", 4)
	for id := range uint16(50) {
		ok(t, c.Publish("/out", nil, 1, id+1))
	}
	eventually(t, "ten messages arrive", func() bool { return len(h.c) == 10 })
	for range 40 {
		task := receive(t, "a message", h.c)
		if n := s.b.Stats().Received - s.b.Stats().Acknowledged; n > 10 {
			t.Fatalf("%d are under way", n)
		}
		task.done(nil)
		must(t)(c.Expect(mqtttest.Puback))
	}
}

func TestBytesInFlightAreBounded(t *testing.T) {
	h, change := hold(1000)
	s := start(t, change, func(c *Config, _ *keeper) { c.Limits.InFlightBytes = 10_000 })
	c := s.device("board", 4)
	for id := range uint16(20) {
		ok(t, c.Publish("/out", make([]byte, 3000), 1, id+1))
	}
	for range 20 {
		task := receive(t, "a message", h.c)
		if len(h.c) > 2 {
			t.Fatalf("%d messages of 3,000 bytes wait beside this one", len(h.c))
		}
		task.done(nil)
	}
	// One message that is larger than the bound must pass when it is alone.
	ok(t, c.Publish("/out", make([]byte, 20_000), 1, 99))
	receive(t, "the large message", h.c).done(nil)
}

// A client that does not read its acknowledgements must not make us keep them.
func TestAcknowledgementsThatAreNotReadHoldTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, l := startPipes(t, func(c *Config, k *keeper) {
			c.Limits.InFlight = 100
			k.publish = func(_ Identity, _ string, _ []byte, _ byte, done func(error)) { go done(nil) }
		})
		defer s.stopPipes(t)
		c := l.dial(t, 4, "board", mqtttest.Options{})
		go func() { // a pipe has no buffer: this ends where the broker stops reading
			for id := range uint16(1000) {
				if c.Publish("/out", nil, 1, id+1) != nil {
					return
				}
			}
		}()
		synctest.Wait()
		if n := s.b.Stats().Received; n < 100 || n > 101 {
			t.Errorf("%d messages were taken from a client that reads nothing, want 100", n)
		}
		time.Sleep(time.Minute)
		s.h.toldOnce(t, "disconnected board slow")
	})
}

func TestMqtt5ClientThatExceedsReceiveMaximumIsDisconnected(t *testing.T) {
	h, change := hold(1000)
	s := start(t, change, func(c *Config, _ *keeper) { c.Limits.InFlight = 10 })
	c, ack := s.tryDevice("board", 5)
	if got := ack.Props[0x21]; !slices.Equal(got, []any{uint16(10)}) {
		t.Fatalf("receive maximum is %v", got)
	}
	for id := range uint16(11) {
		ok(t, c.Publish("/out", nil, 1+byte(id%2), id+1))
	}
	got := closed(t, c)
	if len(got) != 1 || got[0].Code != byte(codeReceiveMaximum) {
		t.Errorf("got %+v, want DISCONNECT with 0x93", got)
	}
	for range 10 {
		receive(t, "a message", h.c).done(nil)
	}
}

func TestDoneTwiceCountsOnce(t *testing.T) {
	h, change := hold(10)
	s := start(t, change)
	c := s.device("board", 4)
	ok(t, c.Publish("/out", nil, 1, 1))
	ok(t, c.Publish("/out", nil, 1, 2))
	first, second := receive(t, "one", h.c), receive(t, "two", h.c)
	first.done(nil)
	first.done(nil)
	must(t)(c.Expect(mqtttest.Puback))
	second.done(nil)
	if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != 2 {
		t.Errorf("PUBACK of %d", p.ID)
	}
	if n := s.b.Stats().DoneTwice; n != 1 {
		t.Errorf("%d mistakes counted", n)
	}
}

func TestQoS2IsHeardOnce(t *testing.T) {
	for _, version := range []byte{4, 5} {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			h, change := hold(10)
			s := start(t, change)
			c := s.device("board", version)
			ok(t, c.Publish("/out", []byte("once"), 2, 7))
			task := receive(t, "the message", h.c)
			again := mqtttest.PublishPacket(version, "/out", []byte("once"), 2, 7, true)
			ok(t, c.Write(again)) // before PUBREC
			ok(t, c.Ping())
			task.done(nil)
			must(t)(c.Expect(mqtttest.Pubrec))
			ok(t, c.Write(again)) // after PUBREC
			if p := must(t)(c.Expect(mqtttest.Pubrec)); p.ID != 7 || p.Code != 0 {
				t.Errorf("PUBREC of %d with code %d", p.ID, p.Code)
			}
			ok(t, c.Ack(mqtttest.Pubrel, 7))
			must(t)(c.Expect(mqtttest.Pubcomp))
			ok(t, c.Ack(mqtttest.Pubrel, 7)) // its PUBCOMP was lost
			if p := must(t)(c.Expect(mqtttest.Pubcomp)); version == 5 && p.Code != byte(codeUnknownPacketID) {
				t.Errorf("PUBCOMP with code %d", p.Code)
			}
			ok(t, c.Publish("/out", []byte("another"), 2, 7)) // the ID is free again
			if got := receive(t, "another message", h.c); got.payload != "another" {
				t.Errorf("got %q", got.payload)
			}
			if len(h.c) != 0 {
				t.Error("the message was heard again")
			}
		})
	}
}

func TestQoS2OutlivesTheConnectionOfAnUncleanSession(t *testing.T) {
	h, change := hold(10)
	s := start(t, change)
	unclean := mqtttest.Options{Unclean: true}
	c := s.device("board", 4, unclean)
	ok(t, c.Publish("/out", []byte("a"), 2, 1))
	ok(t, c.Publish("/out", []byte("b"), 2, 2))
	receive(t, "a", h.c).done(nil)
	must(t)(c.Expect(mqtttest.Pubrec))
	b := receive(t, "b", h.c)
	c.Conn.Close()
	s.h.toldOnce(t, "disconnected board network")
	b.done(nil) // nobody is there; that it was heard counts for the next connection
	c = s.device("board", 4, unclean)
	for id := range uint16(2) {
		ok(t, c.Write(mqtttest.PublishPacket(4, "/out", []byte("again"), 2, id+1, true)))
		must(t)(c.Expect(mqtttest.Pubrec))
		ok(t, c.Ack(mqtttest.Pubrel, id+1))
		must(t)(c.Expect(mqtttest.Pubcomp))
	}
	if len(h.c) != 0 {
		t.Error("a message was heard twice")
	}
}

func TestDuplicateOfQoS1IsHeardAndAcknowledged(t *testing.T) {
	s := start(t)
	c := s.device("board", 4)
	for range 2 {
		ok(t, c.Write(mqtttest.PublishPacket(4, "/out", []byte("x"), 1, 5, true)))
		if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != 5 {
			t.Errorf("PUBACK of %d", p.ID)
		}
	}
}

// The order of acknowledgements holds with many connections at once.
func TestManyConnectionsKeepTheirOrder(t *testing.T) {
	const clients, messages = 20, 200
	var committer sync.WaitGroup
	queue := make(chan func(error), 64)
	s := start(t, func(_ *Config, k *keeper) {
		k.publish = func(_ Identity, _ string, _ []byte, _ byte, done func(error)) { queue <- done }
	})
	for range 3 {
		committer.Go(func() {
			for done := range queue {
				done(nil)
			}
		})
	}
	var wait sync.WaitGroup
	for n := range clients {
		c := s.device(fmt.Sprint("board", n), 4)
		wait.Go(func() {
			for id := range uint16(messages) {
				if err := c.Publish("/out", binary.BigEndian.AppendUint16(nil, id), 1, id+1); err != nil {
					t.Error(err)
				}
			}
		})
		wait.Go(func() {
			for id := range uint16(messages) {
				if p, err := c.Expect(mqtttest.Puback); err != nil || p.ID != id+1 {
					t.Errorf("client %d: PUBACK of %d, %v, want %d", n, p.ID, err, id+1)
					return
				}
			}
		})
	}
	wait.Wait()
	close(queue)
	committer.Wait()
}

// What the Handler has when the broker stops is acknowledged before the session ends.
func TestStopWaitsForWhatIsUnderWay(t *testing.T) {
	h, change := hold(10)
	s := start(t, change)
	c := s.device("board", 5)
	ok(t, c.Publish("/out", nil, 1, 1))
	task := receive(t, "the message", h.c)
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	eventually(t, "the doors close", func() bool { return s.b.closing.Load() })
	ok(t, c.Publish("/out", nil, 1, 2)) // too late, and not acknowledged
	select {
	case <-stopped:
		t.Fatal("Run did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	task.done(nil)
	if p := must(t)(c.Expect(mqtttest.Puback)); p.ID != 1 {
		t.Errorf("PUBACK of %d", p.ID)
	}
	if p := must(t)(c.Expect(mqtttest.Disconnect)); p.Code != byte(codeStopping) {
		t.Errorf("DISCONNECT with 0x%x, want 0x8b", p.Code)
	}
	ok(t, receive(t, "Run returns", stopped))
	s.h.toldOnce(t, "disconnected board stopping")
}

func TestStopDoesNotWaitForEver(t *testing.T) {
	h, change := hold(10)
	s := start(t, change, func(c *Config, _ *keeper) { c.Limits.StopTimeout = 50 * time.Millisecond })
	c := s.device("board", 4)
	ok(t, c.Publish("/out", nil, 1, 1))
	task := receive(t, "the message", h.c)
	ok(t, s.stop())
	task.done(nil) // too late for anybody
	closed(t, c)
}
