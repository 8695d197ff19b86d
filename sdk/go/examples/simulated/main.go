// Command simulated behaves as a board with a few sensors and lamps: it speaks the protocol
// as Arduino's library does, in messages of at most 256 bytes, of the generation that is asked for.
//
//	go run ./sdk/go/examples/simulated -host ardesia.local -ca data/tls/ca.pem -id 8c2f0b1e-... -key ...
//
// The thing may have any of the variables "temperature", "humidity" (numbers, read only), "led" (a boolean), "lamp"
// (a colored light), "place" (a location) and "plan" (a schedule); what it does not have, the cloud ignores.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	device "github.com/ardesia-iot/ardesia/sdk/go"
)

func main() {
	c := device.Config{Now: time.Now, PackBytes: 256, Version: "2.9.0", Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&c.Host, "host", "localhost", "name of the server, as in its certificate")
	flag.IntVar(&c.Port, "port", device.SecretKeyPort, "port for devices with a secret key")
	flag.StringVar(&c.DeviceID, "id", "", "the device's id")
	flag.StringVar(&c.SecretKey, "key", os.Getenv("DEVICE_KEY"), "the device's secret key; better in the environment as DEVICE_KEY")
	flag.StringVar(&c.SSID, "ssid", "Simulated", "name of the Wi-Fi that is told")
	flag.IntVar(&c.Generation, "generation", 2, "of the protocol: 1 or 2")
	ca := flag.String("ca", "", "file with the server's CA; empty: the system's CAs")
	interval := flag.Duration("every", time.Second, "between two measurements")
	flag.Parse()
	if c.Generation == 1 {
		c.Version = "1.15.1"
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, *ca, *interval); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// board is what the simulated sketch declares.
type board struct {
	temperature, humidity *device.Variable[float64]
	led                   *device.Variable[bool]
	lamp                  *device.Variable[device.ColoredLightValue]
	place                 *device.Variable[device.LocationValue]
	plan                  *device.Variable[device.ScheduleValue]
}

func newBoard() board {
	b := board{
		temperature: device.Float("temperature", device.ReadOnly, device.MinDelta(0.1)),
		humidity:    device.Float("humidity", device.ReadOnly, device.Every(10*time.Second)),
		led:         device.Bool("led"),
		lamp:        device.ColoredLight("lamp"),
		place:       device.Location("place", device.DeviceWins),
		plan:        device.Schedule("plan"),
	}
	b.led.OnWrite(func(on bool) { fmt.Println("led:", on) })
	b.lamp.OnWrite(func(v device.ColoredLightValue) { fmt.Printf("lamp: %+v\n", v) })
	b.place.Set(device.LocationValue{Lat: 45.07, Lon: 7.69})
	return b
}

func run(ctx context.Context, c device.Config, ca string, interval time.Duration) error {
	b := newBoard()
	c.Properties = []device.Property{b.temperature, b.humidity, b.led, b.lamp, b.place, b.plan}
	if ca != "" {
		roots, err := device.RootsFromFile(ca)
		if err != nil {
			return err
		}
		c.Roots = roots
	}
	client, err := device.New(c)
	if err != nil {
		return err
	}
	go b.measure(ctx, client, interval)
	return client.Run(ctx)
}

// measure is a day with its temperature, and the noise of a cheap sensor.
func (b board) measure(ctx context.Context, client *device.Client, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	active := false
	for {
		now := client.LocalTime()
		day := 2 * math.Pi * float64(now.Hour()*60+now.Minute()) / (24 * 60)
		b.temperature.Set(math.Round((20-6*math.Cos(day)+rand.NormFloat64()*0.1)*100) / 100)
		b.humidity.Set(math.Round((60+15*math.Cos(day)+rand.NormFloat64())*10) / 10)
		if is := b.plan.Get().Active(now); is != active {
			active = is
			fmt.Println("plan active:", active)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
