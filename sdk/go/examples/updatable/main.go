// Command updatable behaves as a board whose program is replaced over the air. The image that it runs is a file; after an
// update the file has the new image, and the board starts again.
//
//	DEVICE_KEY=... go run ./sdk/go/examples/updatable -host ardesia.local -ca data/tls/ca.pem -id 8c2f0b1e-... -image sketch.bin -fqbn esp32:esp32:esp32
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	device "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/board"
)

func main() {
	c := device.Config{Now: time.Now, Version: "2.9.0", Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&c.Host, "host", "localhost", "name of the server, as in its certificate")
	flag.IntVar(&c.Port, "port", device.SecretKeyPort, "port for devices with a secret key")
	flag.StringVar(&c.DeviceID, "id", "", "the device's id")
	flag.IntVar(&c.Generation, "generation", 2, "of the protocol: 1 or 2")
	c.SecretKey = os.Getenv("DEVICE_KEY")
	ca := flag.String("ca", "", "file with the server's CA; empty: the system's CAs")
	image := flag.String("image", "sketch.bin", "file of the image that runs")
	fqbn := flag.String("fqbn", "esp32:esp32:esp32", "which board it is")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c, *ca, *image, *fqbn); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, c device.Config, ca, image, fqbn string) error {
	magic, ok := otafile.ByFQBN(fqbn)
	if !ok {
		return fmt.Errorf("%q is not a board that is updated over the air", fqbn)
	}
	running, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	if ca != "" {
		if c.Roots, err = device.RootsFromFile(ca); err != nil {
			return err
		}
	}
	b := board.Board{Flash: board.NewFlash(running, uint32(magic)), Booted: func(now []byte) {
		fmt.Printf("runs %d bytes, SHA-256 %x\n", len(now), sha256.Sum256(now))
		if bytes.Equal(now, running) {
			return
		}
		running = now
		if err := os.WriteFile(image, now, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}}
	return b.Run(ctx, c)
}
