// Command secretkey is the smallest device: it has a device's id and a secret key, sends
// a number each second, and prints when the cloud switches its lamp.
//
//	export DEVICE_KEY=...            the secret key, as it was shown when the device was made
//	go run ./sdk/go/examples/secretkey -host ardesia.local -ca data/tls/ca.pem -id 8c2f0b1e-...
//
// The thing needs two variables: "counter" (an integer, read only) and "led" (a boolean).
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
)

func main() {
	host := flag.String("host", "localhost", "name of the server, as in its certificate")
	port := flag.Int("port", device.SecretKeyPort, "port for devices with a secret key")
	ca := flag.String("ca", "", "file with the server's CA; empty: the system's CAs")
	id := flag.String("id", "", "the device's id")
	key := flag.String("key", os.Getenv("DEVICE_KEY"), "the device's secret key; better in the environment as DEVICE_KEY")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *host, *port, *ca, *id, *key); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, host string, port int, ca, id, key string) error {
	counter := device.Int("counter", device.ReadOnly)
	led := device.Bool("led").OnWrite(func(on bool) { fmt.Println("led:", on) })
	c := device.Config{
		Host: host, Port: port, DeviceID: id, SecretKey: key, Now: time.Now,
		Properties: []device.Property{counter, led},
		Log:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
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
	go func() {
		for n := int64(0); ctx.Err() == nil; n++ {
			counter.Set(n)
			time.Sleep(time.Second)
		}
	}()
	return client.Run(ctx)
}
