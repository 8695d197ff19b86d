package device_test

import (
	"context"
	"fmt"
	"time"

	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// A device with a secret key sends a temperature and has a lamp.
func Example() {
	temperature := device.Float("temperature", device.ReadOnly, device.MinDelta(0.1))
	led := device.Bool("led").OnWrite(func(on bool) { fmt.Println("led:", on) })

	c, err := device.New(device.Config{
		Host: "ardesia.example.org", DeviceID: "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11", SecretKey: "the key",
		Now:        time.Now,
		Properties: []device.Property{temperature, led},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	temperature.Set(21.5) // from any goroutine, before or after Run

	ctx, cancel := context.WithCancel(context.Background())
	cancel() // a real device runs until it is switched off
	fmt.Println(c.Run(ctx))
	// Output: context canceled
}

// A value with several attributes is set and read as a whole.
func ExampleColoredLight() {
	lamp := device.ColoredLight("lamp")
	lamp.Set(device.ColoredLightValue{On: true, Hue: 210, Saturation: 50, Brightness: 75})
	fmt.Println(lamp.Get().Hue)
	// Output: 210
}

// A schedule is evaluated by the device, in the time zone that the cloud told it.
func ExampleScheduleValue_Active() {
	morning := device.ScheduleValue{
		From:   uint32(time.Date(2026, 10, 5, 8, 0, 0, 0, time.UTC).Unix()),
		Length: 3600,
		Mask:   2<<26 | 0b0111110, // weekly, Monday to Friday
	}
	rome := time.FixedZone("CEST", 7200)
	fmt.Println(morning.Active(time.Date(2026, 10, 9, 8, 30, 0, 0, rome)))
	fmt.Println(morning.Active(time.Date(2026, 10, 10, 8, 30, 0, 0, rome)))
	// Output:
	// true
	// false
}

// Values wait while there is no connection, and are known to be kept when they are acknowledged.
func ExampleConfig_queue() {
	level := device.Float("level", device.ReadOnly)
	c, err := device.New(device.Config{
		Host: "ardesia.example.org", DeviceID: "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11", SecretKey: "the key",
		Now: time.Now, Properties: []device.Property{level},
		QoS: 1, Queue: 10000,
		Acknowledged: func(kept []device.Sample) {
			for _, s := range kept {
				fmt.Println("kept:", s.Name, s.Value, s.At)
			}
		},
	})
	fmt.Println(c.Stats().Queued, err)
	// Output: 0 <nil>
}
