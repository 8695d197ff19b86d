// Package simulated is a board with a few sensors and lamps that is a program: it speaks the protocol as Arduino's library
// does, in messages of at most 256 bytes.
//
// Its thing may have any of the variables "temperature", "humidity" (numbers, read only), "led" (a boolean), "lamp"
// (a colored light), "place" (a location) and "plan" (a schedule); what it does not have, the cloud ignores.
package simulated

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"time"

	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// What such a board is, unless it is told otherwise.
const (
	packBytes = 256 // in one message, at most
	version   = "2.9.0"
	ssid      = "Simulated"
)

// board is what the simulated sketch declares.
type board struct {
	temperature, humidity *device.Variable[float64]
	led                   *device.Variable[bool]
	lamp                  *device.Variable[device.ColoredLightValue]
	place                 *device.Variable[device.LocationValue]
	plan                  *device.Variable[device.ScheduleValue]
	out                   io.Writer
}

func newBoard(out io.Writer) board {
	b := board{
		temperature: device.Float("temperature", device.ReadOnly),
		humidity:    device.Float("humidity", device.ReadOnly, device.Every(10*time.Second)),
		led:         device.Bool("led"),
		lamp:        device.ColoredLight("lamp"),
		place:       device.Location("place", device.DeviceWins),
		plan:        device.Schedule("plan"),
		out:         out,
	}
	b.led.OnWrite(func(on bool) { fmt.Fprintln(out, "led:", on) })
	b.lamp.OnWrite(func(v device.ColoredLightValue) { fmt.Fprintf(out, "lamp: %+v\n", v) })
	b.place.Set(device.LocationValue{Lat: 45.07, Lon: 7.69})
	return b
}

// Run is the board's life until ctx ends: it measures each interval, and prints to out what it is told. c says where and who
// it is; its properties are set here, and what a board has that c does not say.
func Run(ctx context.Context, c device.Config, interval time.Duration, out io.Writer) error {
	b := newBoard(out)
	c.PackBytes, c.Version, c.SSID = cmp.Or(c.PackBytes, packBytes), cmp.Or(c.Version, version), cmp.Or(c.SSID, ssid)
	c.Properties = []device.Property{b.temperature, b.humidity, b.led, b.lamp, b.place, b.plan}
	client, err := device.New(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	measured := make(chan struct{})
	go func() {
		defer close(measured)
		b.measure(ctx, client, interval)
	}()
	err = client.Run(ctx)
	cancel()
	<-measured
	return err
}

// dayLasts is how long a day of the board is: short, so that a chart has something to show while one looks.
const dayLasts = 10 * time.Minute

// measure is a short day with its temperature, a draught now and then, and the noise of a cheap sensor.
func (b board) measure(ctx context.Context, client *device.Client, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	active := false
	for {
		now := client.LocalTime()
		day := 2 * math.Pi * float64(now.UnixMilli()%dayLasts.Milliseconds()) / float64(dayLasts.Milliseconds())
		b.temperature.Set(math.Round((21.5+3*math.Sin(day)+0.4*math.Sin(17*day)+rand.NormFloat64()*0.05)*10) / 10)
		b.humidity.Set(math.Round((60-12*math.Sin(day)+rand.NormFloat64())*10) / 10)
		if is := b.plan.Get().Active(now); is != active {
			active = is
			fmt.Fprintln(b.out, "plan active:", active)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
