package device

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// config is a device of the broker.
func config(b *broker, properties ...Property) Config {
	return Config{DeviceID: deviceID, SecretKey: "secret", Now: time.Now, Dial: b.dial, Properties: properties, Version: "2.9.0"}
}

// run starts a client; it is stopped when the test ends.
func run(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	start(t, client)
	return client
}

func start(t *testing.T, client *Client) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	}
	t.Cleanup(stop)
	synctest.Wait()
	return stop
}

func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// seconds are the times of questions that are repeated.
func every(first, step, n int) (all []float64) {
	for i := range n {
		all = append(all, float64(first+i*step))
	}
	return all
}

func TestStartUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		led := Bool("led")
		led.Set(true)
		temperature := Float("t", ReadOnly)
		temperature.Set(21.5)
		c := config(b, led, temperature, Int("unset"))
		c.SSID = "MyWiFi"
		var events []string
		c.OnEvent = func(e Event) { events = append(events, fmt.Sprintf("%v %s", e.Kind, e.Thing)) }
		run(t, c)
		equal(t, "what the device did", b.log(), []string{
			"CONNECT " + deviceID + " user=" + deviceID + " password=secret keepalive=30 clean=true",
			"SUB d/c/dw 0",
			"DeviceBegin{2.9.0}",
			"DeviceNetConfig{wifi MyWiFi  invalid IP invalid IP invalid IP invalid IP}",
			"ThingBegin{}",
			"SUB A/e/i 0",
			"LastValuesBegin{}",
			fmt.Sprintf("A/e/o led=true t=21.5 tz_offset=7200 tz_dst_until=%d", b.start.Add(1000*time.Hour).Unix()),
		})
		equal(t, "events", events, []string{"connected ", "attached " + thingA, "synced " + thingA})
		sleep(10 * time.Minute)
		for _, what := range b.log() {
			if what != "PING" {
				t.Errorf("in steady state: %s", what)
			}
		}
	})
}

func TestCertificateDevicesTellNoPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		c := config(b)
		c.SecretKey, c.Certificate = "", new(tls.Certificate)
		run(t, c)
		if got, want := b.log()[0], "CONNECT "+deviceID+" user= password= keepalive=30 clean=true"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// The rows of "What happens when the cloud does not do its part".

func TestNoThingUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.thing = func() (string, bool) { return "", false }
		run(t, config(b))
		sleep(253 * time.Second)
		equal(t, "questions", b.times("ThingBegin"), []float64{0, 4, 12, 28, 60, 92, 124, 156, 188, 220, 252})
		equal(t, "versions", b.times("DeviceBegin"), b.times("ThingBegin"))
		equal(t, "ends", b.times("closed"), []float64{252})
		sleep(2 * time.Second)
		equal(t, "connections", b.times("CONNECT"), []float64{0, 254})
	})
}

func TestThingUpdateOfNoThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.thing = func() (string, bool) { return "", true }
		run(t, config(b))
		sleep(4 * time.Hour)
		questions := []float64{0, 4}
		questions = append(questions, every(84, 1280, 9)...)
		equal(t, "questions", b.times("ThingBegin")[:11], questions)
		equal(t, "ends", b.times("closed")[:1], questions[10:])
		equal(t, "connections", b.times("CONNECT")[:2], []float64{0, questions[10]})
	})
}

func TestAttachWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.thing = func() (string, bool) { return "", true }
		run(t, config(b))
		sleep(200 * time.Second)
		b.forget()
		b.push(commandTo(command.ThingUpdate{ThingID: thingA}))
		synctest.Wait()
		equal(t, "attached at once", b.times("SUB A/e/i"), []float64{200})
		equal(t, "asked at once", b.times("LastValuesBegin"), []float64{200})
		sleep(2 * time.Hour)
		equal(t, "no more questions", b.times("ThingBegin"), nil)
	})
}

func TestNoLastValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.values = func() ([]byte, bool) { return nil, false }
		v := Int("n")
		v.Set(1)
		run(t, config(b, v))
		sleep(331 * time.Second)
		equal(t, "questions", b.times("LastValuesBegin")[:11], every(0, 30, 11))
		equal(t, "ends", b.times("closed"), []float64{330})
		equal(t, "values", b.times("A/e/o"), nil)
		equal(t, "connections", b.times("CONNECT"), []float64{0, 330})
	})
}

func TestNoTimeZone(t *testing.T) {
	for name, values := range map[string]func() ([]byte, bool){
		"no records of it":   func() ([]byte, bool) { return senml.Append(nil, nil), true },
		"one that has ended": func() ([]byte, bool) { return zone(7200, time.Now().Add(-time.Second)), true },
		"not even a pack":    func() ([]byte, bool) { return []byte("x"), true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				b.values = values
				v := Int("n", ReadOnly)
				v.Set(0)
				run(t, config(b, v))
				for i := range 329 {
					v.Set(int64(i + 1))
					sleep(time.Second)
				}
				equal(t, "questions", b.times("LastValuesBegin"), every(0, 30, 11))
				equal(t, "values, once per answer", b.times("A/e/o"), every(0, 30, 11))
				sleep(2 * time.Second)
				equal(t, "ends", b.times("closed"), []float64{330})
			})
		})
	}
}

func TestTimeZoneEndsDuringTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		end := time.Now().Add(2 * time.Hour)
		b.values = func() ([]byte, bool) { return zone(3600, end), true }
		c := run(t, config(b))
		if _, offset := c.LocalTime().Zone(); offset != 3600 {
			t.Errorf("local time is %d s from UTC", offset)
		}
		sleep(time.Hour)
		b.set(func(b *broker) {
			b.values = func() ([]byte, bool) { return zone(7200, end.Add(1000*time.Hour)), true }
		})
		sleep(10 * time.Hour)
		equal(t, "questions", b.times("LastValuesBegin"), []float64{0, 7201})
		if _, offset := c.LocalTime().Zone(); offset != 7200 {
			t.Errorf("local time is %d s from UTC", offset)
		}
	})
}

func TestUnsolicitedLastValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		v.Set(1)
		synced := 0
		c := config(b, v)
		c.OnEvent = func(e Event) {
			if e.Kind == Synced {
				synced++
			}
		}
		run(t, c)
		b.forget()
		b.push(commandTo(command.LastValuesUpdate{Pack: zone(0, time.Now().Add(time.Hour), senml.Record{Name: "n", Kind: senml.Int, Int: 5})}))
		sleep(time.Minute)
		if v.Get() != 5 || synced != 2 {
			t.Errorf("n = %d, synced %d times", v.Get(), synced)
		}
		equal(t, "what the device did", without(b.log(), "PING"), []string{"A/e/o n=5"})
	})
}

func without(all []string, what string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == what })
}

func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.pong = false
		run(t, config(b))
		sleep(61 * time.Second)
		equal(t, "pings", b.times("PING"), []float64{30, 60}[:len(b.times("PING"))])
		equal(t, "ends", b.times("closed"), []float64{60})
		equal(t, "connections", b.times("CONNECT"), []float64{0, 60})
	})
}

func TestPingsKeepTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		run(t, config(b, v))
		for i := range 100 {
			v.Set(int64(i)) // traffic does not replace a ping
			sleep(3 * time.Second)
		}
		equal(t, "pings", b.times("PING"), every(30, 30, 10))
		equal(t, "connections", b.times("CONNECT"), []float64{0})
	})
}

func TestBackOff(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*broker)
		what string
		want []float64
	}{
		"no network":  {func(b *broker) { b.refuse = errors.New("no route") }, "refused network", []float64{0, 2, 6, 14, 30, 62, 94, 126}},
		"refused":     {func(b *broker) { b.code = 5 }, "CONNECT", []float64{0, 2, 6, 14, 30, 62, 94, 126}},
		"no CONNACK":  {func(b *broker) { b.deaf = true }, "CONNECT", []float64{0, 3.5, 9, 18.5, 36, 69.5, 103}},
		"no SUBACK":   {func(b *broker) { b.subAck = func(string) int { return -1 } }, "CONNECT", []float64{0, 3.5, 9, 18.5, 36, 69.5, 103}},
		"code beyond": {func(b *broker) { b.code = 200 }, "CONNECT", []float64{0, 2, 6, 14, 30, 62, 94, 126}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				c.set(b)
				var failures []error
				config := config(b)
				config.OnEvent = func(e Event) {
					if e.Kind == Failed || e.Kind == Disconnected {
						failures = append(failures, e.Err)
					}
				}
				run(t, config)
				sleep(130 * time.Second)
				equal(t, "tries", b.times(c.what), c.want)
				if len(failures) != len(c.want) || failures[0] == nil {
					t.Errorf("%d failures are told: %v", len(failures), failures)
				}
				b.set(func(b *broker) { b.refuse, b.code, b.deaf, b.subAck = nil, 0, false, nil })
				sleep(40 * time.Second)
				b.forget()
				b.cut()
				synctest.Wait()
				if got := b.times("CONNECT"); len(got) != 1 || got[0] != time.Since(b.start).Seconds() {
					t.Errorf("after a connection that was fine, the next is at %v", got)
				}
			})
		})
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	for code, want := range map[byte]string{5: "credentials", 4: "credentials", 3: "code 3"} {
		if got := (RefusedError{code}).Error(); !strings.Contains(got, want) {
			t.Errorf("code %d: %q", code, got)
		}
	}
}

// Two programs with one id drive each other out for ever, but not as fast as they can.
func TestNoHotLoopWhenConnectionsDoNotLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.values = func() ([]byte, bool) { b.peer.Close(); return nil, false }
		run(t, config(b))
		sleep(20 * time.Second)
		equal(t, "connections", b.times("CONNECT"), every(0, 2, 11))
	})
}

func TestAnotherThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		v.Set(1)
		run(t, config(b, v))
		b.forget()
		b.push(commandTo(command.ThingUpdate{ThingID: thingA}))
		sleep(time.Second)
		equal(t, "the same thing again", b.log(), nil)
		b.push(commandTo(command.ThingUpdate{ThingID: thingB}))
		sleep(time.Second)
		equal(t, "another thing", b.log(), []string{"UNSUB A/e/i", "SUB B/e/i 0"})
		v.Set(2)
		sleep(time.Second)
		equal(t, "a change", b.log(), []string{"B/e/o n=2"})
		b.write(thingA, senml.Record{Name: "n", Kind: senml.Int, Int: 9})
		sleep(time.Second)
		if v.Get() != 2 {
			t.Errorf("the old thing wrote %d", v.Get())
		}
	})
}

func TestDetach(t *testing.T) {
	for name, thing := range map[string]string{"its thing": thingA, "another thing": thingB} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				v := Int("n")
				run(t, config(b, v))
				sleep(100 * time.Second)
				b.set(func(b *broker) { b.thing = func() (string, bool) { return "", true } })
				b.forget()
				b.push(commandTo(command.ThingDetach{ThingID: thing}))
				synctest.Wait()
				v.Set(5)
				sleep(100 * time.Second)
				equal(t, "what the device did", without(b.log(), "PING"), []string{
					"UNSUB A/e/i", "DeviceBegin{2.9.0}", "ThingBegin{}",
					"DeviceBegin{2.9.0}", "ThingBegin{}", "DeviceBegin{2.9.0}", "ThingBegin{}",
				})
				b.push(commandTo(command.ThingUpdate{ThingID: thingB}))
				sleep(time.Second)
				// As boards do, it does not ask for last values again: the cloud sends them.
				equal(t, "attached to another one", b.log(), []string{"SUB B/e/i 0", "B/e/o n=5"})
			})
		})
	}
}

func TestRefusedTopicOfTheThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.subAck = func(topic string) int {
			if topic == "A/e/i" {
				return 0x80
			}
			return 0
		}
		run(t, config(b))
		sleep(3 * time.Second)
		equal(t, "asked once", b.times("ThingBegin"), []float64{0})
		equal(t, "no last values", b.times("LastValues"), nil)
		b.set(func(b *broker) { b.subAck = nil })
		b.push(commandTo(command.ThingUpdate{ThingID: thingA}))
		sleep(time.Second)
		equal(t, "the next ThingUpdate", b.times("LastValues"), []float64{3})
	})
}

func TestTimezoneDownHasNoEffect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.values = func() ([]byte, bool) { return senml.Append(nil, nil), true }
		run(t, config(b))
		sleep(10 * time.Second)
		b.push(commandTo(command.TimezoneDown{Offset: 7200, Until: math.MaxUint32}))
		sleep(30 * time.Second)
		equal(t, "still asking", b.times("LastValuesBegin"), []float64{0, 30})
		// But the two records do, at the next answer.
		b.write(thingA,
			senml.Record{Name: tzOffset, Kind: senml.Int, Int: 7200},
			senml.Record{Name: tzUntil, Kind: senml.Int, Int: time.Now().Add(time.Hour).Unix()})
		sleep(10 * time.Minute)
		equal(t, "asked no more", b.times("LastValuesBegin"), []float64{0, 30, 60})
	})
}

func TestNonsenseIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		run(t, config(b, v))
		b.forget()
		b.push(
			publish("/a/d/"+deviceID+"/c/dw", []byte("nonsense"), 0),
			publish("/a/t/"+thingA+"/e/i", []byte("nonsense"), 0),
			publish("/a/t/"+thingB+"/e/i", senml.Append(nil, []senml.Record{{Name: "n", Kind: senml.Int, Int: 1}}), 0),
			publish("/another", []byte{1}, 1),
			commandTo(command.DeviceBegin{Version: "1"}),
		)
		b.write(thingA, senml.Record{Name: "unknown", Kind: senml.Int, Int: 1}, senml.Record{Name: "n", Kind: senml.Text, Text: "x"})
		sleep(time.Second)
		equal(t, "what the device did", b.log(), []string{"PUBACK 77"})
		if v.Get() != 0 {
			t.Errorf("n = %d", v.Get())
		}
	})
}

func TestMalformedPacketsEndTheConnection(t *testing.T) {
	for name, wire := range map[string][]byte{
		"QoS 2":                {0x34, 5, 0, 1, 'a', 0, 1},
		"an answer to nothing": {0x90, 3, 0, 9, 0},
		"version 5":            {0xe0, 0},
		"too long":             {0x30, 0xff, 0xff, 0xff, 0x7f},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				run(t, config(b))
				sleep(3 * time.Second)
				b.push(wire)
				sleep(time.Second)
				equal(t, "connections", b.times("CONNECT"), []float64{0, 3})
			})
		})
	}
}

func TestReconnectRepeatsAllButUnchangedValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		one, two := Int("one"), Int("two", ReadOnly)
		one.Set(1)
		two.Set(2)
		run(t, config(b, one, two))
		sleep(10 * time.Second)
		b.set(func(b *broker) { b.refuse = errors.New("no route") })
		b.cut()
		sleep(time.Second)
		two.Set(22)
		two.Set(23)
		b.set(func(b *broker) { b.refuse = nil })
		b.forget()
		sleep(time.Minute)
		equal(t, "what the device did", without(b.log(), "PING"), []string{
			"CONNECT " + deviceID + " user=" + deviceID + " password=secret keepalive=30 clean=true",
			"SUB d/c/dw 0", "DeviceBegin{2.9.0}", "ThingBegin{}", "SUB A/e/i 0", "LastValuesBegin{}", "A/e/o two=23",
		})
	})
}

func TestANetworkThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		run(t, config(b, v))
		stuck := make(chan struct{})
		b.set(func(b *broker) { b.stuck = stuck })
		sleep(2 * time.Second)
		v.Set(1) // read by the read that was under way
		sleep(time.Second)
		b.set(func(b *broker) { b.stuck = nil })
		v.Set(2)
		sleep(11 * time.Second)
		equal(t, "connections", b.times("CONNECT"), []float64{0, 13})
		equal(t, "values", b.times("A/e/o n=2"), []float64{13})
		close(stuck)
	})
}

func TestADialThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		c := config(b)
		var failed []float64
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c.OnEvent = func(Event) { failed = append(failed, time.Since(b.start).Seconds()) }
		run(t, c)
		sleep(30 * time.Second)
		equal(t, "failures", failed, []float64{10, 22})
	})
}

func TestStopSaysGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		client, err := New(config(b))
		if err != nil {
			t.Fatal(err)
		}
		stop := start(t, client)
		b.forget()
		if err := client.Run(t.Context()); !errors.Is(err, errRunning) {
			t.Errorf("a second Run: %v", err)
		}
		stop()
		synctest.Wait()
		equal(t, "what the device did", b.log(), []string{"DISCONNECT", "closed"})
		start(t, client)
		equal(t, "it can run again", b.times("CONNECT"), []float64{0})
	})
}

func TestStopWhileWaiting(t *testing.T) {
	for name, set := range map[string]func(*broker){
		"for the network": func(b *broker) { b.refuse = errors.New("no route") },
		"for CONNACK":     func(b *broker) { b.deaf = true },
		"for SUBACK":      func(b *broker) { b.subAck = func(string) int { return -1 } },
		"for a thing":     func(b *broker) { b.thing = func() (string, bool) { return "", false } },
		"for last values": func(b *broker) { b.values = func() ([]byte, bool) { return nil, false } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				set(b)
				client, err := New(config(b))
				if err != nil {
					t.Fatal(err)
				}
				stop := start(t, client)
				sleep(500 * time.Millisecond)
				before := time.Now()
				stop()
				if took := time.Since(before); took != 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
