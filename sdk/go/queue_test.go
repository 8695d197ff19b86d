package device

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// counted collects what the broker got of a variable, as "value@seconds since start".
type counted struct {
	b   *broker
	all []string
}

func count(b *broker, name string) *counted {
	c := &counted{b: b}
	b.set(func(b *broker) {
		b.onValues = func(records []senml.Record) {
			for _, r := range records {
				if r.Name == name {
					v, _ := r.Number()
					c.all = append(c.all, fmt.Sprintf("%g@%.3f", v, r.At-float64(b.start.Unix())))
				}
			}
		}
	})
	return c
}

func (c *counted) got() []string {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	return slices.Clone(c.all)
}

func offline(b *broker) {
	b.set(func(b *broker) { b.refuse = errors.New("no route") })
	b.mu.Lock()
	peer := b.peer
	b.mu.Unlock()
	if peer != nil {
		peer.Close()
	}
}

func online(b *broker) { b.set(func(b *broker) { b.refuse = nil }) }

func TestValuesWaitForAConnection(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprintf("QoS %d", qos), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				got := count(b, "t")
				offline(b) // from the start
				v := Int("t", ReadOnly)
				c := config(b, v)
				c.QoS, c.Queue = qos, 100
				client := run(t, c)
				var want []string
				for i := range 40 {
					v.Set(int64(i))
					want = append(want, fmt.Sprintf("%d@%.3f", i, time.Since(b.start).Seconds()))
					sleep(time.Second)
				}
				if q := client.Stats().Queued; q != 40 {
					t.Errorf("%d values wait", q)
				}
				online(b)
				sleep(time.Minute)
				equal(t, "values with their own times", got.got(), want)
				if s := client.Stats(); s.Queued != 0 || s.Dropped != 0 || s.Sent < 40 || s.Connections != 1 || qos == 1 && s.Acknowledged != s.Sent {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

func TestTheOldestAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		got := count(b, "t")
		offline(b)
		v := Int("t", ReadOnly)
		c := config(b, v)
		c.Queue = 10
		client := run(t, c)
		for i := range 25 {
			v.Set(int64(i))
			sleep(time.Second)
		}
		online(b)
		sleep(time.Minute)
		if all := got.got(); len(all) != 10 || !strings.HasPrefix(all[0], "15@") || !strings.HasPrefix(all[9], "24@") {
			t.Errorf("got %v", all)
		}
		if s := client.Stats(); s.Dropped != 15 {
			t.Errorf("%+v", s)
		}
	})
}

// What the cloud may overwrite does not wait before the first last values: the cloud wins.
func TestBeforeTheFirstSyncOnlyTheDevicesOwnValuesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		offline(b)
		v := Int("n")
		c := config(b, v)
		c.Queue = 100
		run(t, c)
		v.Set(1)
		sleep(time.Second)
		v.Set(2)
		b.set(func(b *broker) {
			b.values = func() ([]byte, bool) { return zone(0, time.Now().Add(time.Hour), integer("n", 9)), true }
		})
		online(b)
		sleep(time.Minute)
		if all := strings.Join(b.log(), "\n"); strings.Contains(all, "n=1") || strings.Contains(all, "n=2") || !strings.Contains(all, "n=9") {
			t.Errorf("got\n%s", all)
		}
	})
}

func TestWhatIsNotAcknowledgedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v, other := Int("t", ReadOnly), Int("u", ReadOnly)
		var acknowledged []Sample
		c := config(b, v, other)
		c.QoS = 1
		c.Acknowledged = func(s []Sample) { acknowledged = append(acknowledged, s...) }
		client := run(t, c)
		sleep(time.Second)
		acknowledged = nil
		b.set(func(b *broker) { b.ack = false })
		got := count(b, "t")
		for i := range 5 {
			v.Set(int64(i + 1))
			sleep(time.Second)
		}
		other.Set(7)
		sleep(time.Second)
		first := got.got()
		if len(first) != 5 || len(acknowledged) != 0 {
			t.Fatalf("got %v, acknowledged %v", first, acknowledged)
		}
		if s := client.Stats(); s.Queued != 6 {
			t.Errorf("%+v", s)
		}
		offline(b)
		sleep(10 * time.Second)
		b.set(func(b *broker) { b.ack = true })
		online(b)
		sleep(time.Minute)
		again := got.got()[5:]
		equal(t, "the same values with the same times", again, first)
		if len(acknowledged) != 6 || acknowledged[0].Name != "t" || acknowledged[0].Value != int64(1) ||
			acknowledged[5].Name != "u" || acknowledged[4].At.Sub(acknowledged[0].At) != 4*time.Second {
			t.Errorf("acknowledged %v", acknowledged)
		}
		if s := client.Stats(); s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestOnlySoManyAreInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("t", ReadOnly)
		c := config(b, v)
		c.QoS, c.InFlight = 1, 3
		client := run(t, c)
		sleep(time.Second)
		b.set(func(b *broker) { b.ack = false })
		got := count(b, "t")
		for i := range 10 {
			v.Set(int64(i))
			sleep(time.Second)
		}
		if all := got.got(); len(all) != 3 {
			t.Errorf("%d are in flight: %v", len(all), all)
		}
		b.mu.Lock()
		id := b.unacked[0]
		b.ack = true
		b.mu.Unlock()
		b.push([]byte{0x40, 2, byte(id >> 8), byte(id)})
		sleep(time.Second)
		if all := got.got(); len(all) != 10 {
			t.Errorf("after an acknowledgement: %v", all)
		}
		b.push([]byte{0x40, 2, 0xab, 0xcd}) // of nothing
		sleep(time.Second)
		if s := client.Stats(); s.Queued != 2 || s.Connections != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAcknowledgementsThatDoNotComeEndTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("t", ReadOnly)
		c := config(b, v)
		c.QoS = 1
		run(t, c)
		sleep(10 * time.Second)
		b.set(func(b *broker) { b.ack = false })
		got := count(b, "t")
		v.Set(5)
		sleep(30 * time.Second)
		v.Set(6)
		sleep(31 * time.Second)
		equal(t, "connections", b.times("CONNECT"), []float64{0, 70})
		equal(t, "values", got.got(), []string{"5@10.000", "6@40.000", "5@10.000", "6@40.000"})
	})
}

func TestTheQueueOutlivesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		got := count(b, "t")
		v := Int("t", ReadOnly)
		c := config(b, v)
		c.QoS = 1
		client, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, client)
		b.set(func(b *broker) { b.ack = false })
		v.Set(1)
		sleep(time.Second)
		stop()
		b.set(func(b *broker) { b.ack = true })
		start(t, client)
		sleep(time.Second)
		equal(t, "values", got.got(), []string{"1@0.000", "1@0.000"})
		if s := client.Stats(); s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Without a queue a value that could not be sent is sent as it is after the next connection.
func TestWithoutAQueueTheLastValueIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := Int("n", ReadOnly)
		b, client := steady(t, nil, v)
		offline(b)
		for i := range 5 {
			v.Set(int64(i))
			sleep(time.Second)
		}
		online(b)
		sleep(time.Minute)
		equal(t, "values", slices.DeleteFunc(b.log(), func(s string) bool { return !strings.HasPrefix(s, "A/e/o") }), []string{"A/e/o n=4"})
		if s := client.Stats(); s.Dropped != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestPacksAreSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []Property
		for i := range 20 {
			v := Television(fmt.Sprintf("television%d", i))
			v.Set(DefaultTelevision)
			all = append(all, v)
		}
		long, fits := String("x"), String("y")
		long.Set(strings.Repeat("z", 248))
		fits.Set(strings.Repeat("z", 247)) // the longest that a board sends
		b := newBroker(t)
		most, packs, records := 0, 0, 0
		b.onValues = func(r []senml.Record) {
			packs++
			records += len(r)
			most = max(most, len(senml.AppendBoard(nil, r)))
			for _, one := range r {
				if one.Name == "x" {
					t.Errorf("a text of %d characters was sent", len(one.Text))
				}
			}
		}
		c := config(b, append(all, long, fits)...)
		c.PackBytes = 256
		client := run(t, c)
		sleep(time.Second)
		if most > 256 || packs < 9 || records != 20*6+1+2 {
			t.Errorf("%d packs of at most %d bytes, %d records", packs, most, records)
		}
		if s := client.Stats(); s.TooLarge != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestNoVariableIsTwiceInAPack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		offline(b)
		loc, n := Location("loc", ReadOnly), Int("n", ReadOnly)
		c := config(b, loc, n)
		c.Queue = 100
		run(t, c)
		for i := range 5 {
			loc.Set(LocationValue{float64(i), 1})
			n.Set(int64(i))
			sleep(time.Second)
		}
		b.set(func(b *broker) {
			b.onValues = func(records []senml.Record) {
				names := map[string]bool{}
				for _, r := range records {
					if names[r.Name] {
						t.Errorf("%s is twice in %s", r.Name, describe(records))
					}
					names[r.Name] = true
				}
			}
		})
		online(b)
		sleep(time.Minute)
		equal(t, "messages", b.times("A/e/o loc"), slices.Repeat([]float64{6}, 5))
	})
}

// Values within a millisecond still have different times.
func TestTimesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		got := count(b, "t")
		v := Int("t", ReadOnly)
		c := config(b, v)
		c.Queue, c.Pace = 100, time.Nanosecond
		run(t, c)
		for i := range 10 {
			v.Set(int64(i))
			v.Publish()
			sleep(10 * time.Microsecond)
		}
		sleep(time.Second)
		all := got.got()
		times := map[string]bool{}
		for _, v := range all {
			_, at, _ := strings.Cut(v, "@")
			times[at] = true
		}
		if len(all) < 10 || len(times) != len(all) { // the first may be said once more, when the board has come
			t.Errorf("%v", all)
		}
	})
}
