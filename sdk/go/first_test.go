package device

import (
	"encoding/hex"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

func first(b *broker, properties ...Property) Config {
	c := config(b, properties...)
	c.Generation, c.Version = 1, "1.15.1"
	return c
}

var p1 = hex.EncodeToString([]byte(senml.LastValuesRequest))

// pushThing tells a device of generation 1 its thing.
func (b *broker) pushThing(thing string) {
	b.t.Helper()
	b.push(publish("/a/d/"+deviceID+"/e/i", thingRecord(thing), 0))
}

func TestFirstGenerationStartUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Bool("led")
		v.Set(true)
		run(t, first(b, v))
		equal(t, "what the device did", b.log(), []string{
			"CONNECT " + deviceID + " user=" + deviceID + " password=secret keepalive=30 clean=true",
			`d/e/o LIB_VERSION="1.15.1"`,
			"SUB d/e/i 0", "SUB A/e/i 0", "SUB A/shadow/i 0",
			"A/shadow/o " + p1,
			fmt.Sprintf("A/e/o led=true tz_offset=7200 tz_dst_until=%d", b.start.Add(1000*time.Hour).Unix()),
		})
		b.write(thingA, flag("led", false))
		sleep(time.Second)
		equal(t, "an echo", b.log(), []string{"A/e/o led=false"})
		sleep(10 * time.Minute)
		for _, what := range b.log() {
			if what != "PING" {
				t.Errorf("in steady state: %s", what)
			}
		}
	})
}

func TestFirstGenerationWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.thing = func() (string, bool) { return "", false }
		run(t, first(b))
		sleep(260 * time.Second)
		equal(t, "questions", b.times("SUB d/e/i")[:11], []float64{0, 5, 15, 35, 67, 99, 131, 163, 195, 227, 259})
		equal(t, "subscriptions ended before", b.times("UNSUB d/e/i"), b.times("SUB d/e/i")[1:11])
		equal(t, "ends", b.times("closed"), []float64{259})
	})
}

func TestFirstGenerationWithoutAThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.thing = func() (string, bool) { return "", true }
		run(t, first(b))
		sleep(1000 * time.Second)
		equal(t, "questions", b.times("SUB d/e/i"), []float64{0, 5, 15, 35, 75, 155, 315, 635})
		b.forget()
		b.pushThing(thingA)
		synctest.Wait()
		equal(t, "attached at once", b.times("SUB A/shadow/i"), []float64{1000})
		equal(t, "asked at once", b.times("A/shadow/o"), []float64{1000})
		sleep(2 * time.Hour)
		equal(t, "no more questions", b.times("SUB d/e/i"), nil)
	})
}

func TestFirstGenerationRefusedTopics(t *testing.T) {
	for _, refused := range []string{"A/e/i", "A/shadow/i"} {
		t.Run(refused, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t)
				b.subAck = func(topic string) int {
					if topic == refused {
						return 0x80
					}
					return 0
				}
				run(t, first(b))
				sleep(10*time.Second + time.Millisecond)
				equal(t, "tries", b.times("SUB " + refused)[:11], every(0, 1, 11))
				equal(t, "ends", b.times("closed"), []float64{10})
				b.set(func(b *broker) { b.subAck = nil })
				sleep(5 * time.Second)
				if len(b.times("A/shadow/o")) != 1 {
					t.Errorf("afterwards: %v", b.log())
				}
			})
		})
	}
}

func TestFirstGenerationWithoutLastValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.values = func() ([]byte, bool) { return nil, false }
		v := Int("n")
		v.Set(1)
		run(t, first(b, v))
		sleep(331 * time.Second)
		equal(t, "questions", b.times("A/shadow/o")[:11], every(0, 30, 11))
		equal(t, "ends", b.times("closed"), []float64{330})
		equal(t, "values", b.times("A/e/o"), nil)
	})
}

// Boards of that generation flood the cloud then; we do not.
func TestFirstGenerationWithoutTimeZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		b.values = func() ([]byte, bool) { return senml.Append(nil, nil), true }
		run(t, first(b))
		sleep(100 * time.Second)
		equal(t, "questions", b.times("A/shadow/o"), every(0, 30, 4))
	})
}

func TestFirstGenerationTakesLastValuesOnlyWhenItAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		v.Set(1)
		run(t, first(b, v))
		b.forget()
		b.push(publish("/a/t/"+thingA+"/shadow/i", zone(0, time.Now().Add(time.Hour), integer("n", 5)), 0))
		sleep(time.Second)
		if v.Get() != 1 {
			t.Errorf("n = %d", v.Get())
		}
		equal(t, "what the device did", b.log(), nil)
	})
}

func TestFirstGenerationAnotherThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t)
		v := Int("n")
		v.Set(1)
		run(t, first(b, v))
		b.forget()
		b.pushThing(thingA)
		sleep(time.Second)
		equal(t, "the same thing again", b.log(), nil)
		b.pushThing(thingB)
		sleep(time.Second)
		equal(t, "another thing", b.log(), []string{"UNSUB A/e/i", "UNSUB A/shadow/i", "SUB B/e/i 0", "SUB B/shadow/i 0", "B/shadow/o " + p1})
		b.pushThing("")
		sleep(4 * time.Second)
		equal(t, "no thing", b.log(), []string{"UNSUB B/e/i", "UNSUB B/shadow/i"})
		b.set(func(b *broker) { b.thing = func() (string, bool) { return "", false } })
		sleep(2 * time.Second)
		equal(t, "asks again", b.log(), []string{"UNSUB d/e/i", "SUB d/e/i 0"})
		b.push(publish("/a/d/"+deviceID+"/e/i", []byte("nonsense"), 0), publish("/a/d/"+deviceID+"/e/i", senml.Append(nil, []senml.Record{text("OTA_URL", "x")}), 0))
		sleep(time.Second)
		equal(t, "other records", b.log(), nil)
	})
}
