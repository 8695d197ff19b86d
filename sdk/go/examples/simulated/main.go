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
	"os"
	"os/signal"
	"syscall"
	"time"

	device "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/simulated"
)

func main() {
	c := device.Config{Now: time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&c.Host, "host", "localhost", "name of the server, as in its certificate")
	flag.IntVar(&c.Port, "port", device.SecretKeyPort, "port for devices with a secret key")
	flag.StringVar(&c.DeviceID, "id", "", "the device's id")
	flag.StringVar(&c.SecretKey, "key", os.Getenv("DEVICE_KEY"), "the device's secret key; better in the environment as DEVICE_KEY")
	flag.StringVar(&c.SSID, "ssid", "", "name of the Wi-Fi that is told (default: Simulated)")
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

func run(ctx context.Context, c device.Config, ca string, interval time.Duration) error {
	if ca != "" {
		roots, err := device.RootsFromFile(ca)
		if err != nil {
			return err
		}
		c.Roots = roots
	}
	return simulated.Run(ctx, c, interval, os.Stdout)
}
