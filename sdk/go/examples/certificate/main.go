// Command certificate is a device whose key never leaves its secure element: a file that
// is sealed with a passphrase, on a computer without a chip.
//
//	export ELEMENT_PASSPHRASE=...
//	go run ./sdk/go/examples/certificate -id 8c2f0b1e-... -request > device.csr
//
// makes the key and asks for a certificate, which the server gives with
//
//	ardesiactl device certify 8c2f0b1e-... --csr device.csr > device.pem
//
// (the device's id is that of "ardesiactl device create"). It is kept with
//
//	go run ./sdk/go/examples/certificate -install device.pem
//
// and from then on
//
//	go run ./sdk/go/examples/certificate -host ardesia.local -ca data/tls/ca.pem
//
// connects. The thing needs a variable "uptime" (an integer, read only).
package main

import (
	"context"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
	device "github.com/ardesia-iot/ardesia/sdk/go"
)

type options struct {
	host, ca, id, element, install string
	port                           int
	request                        bool
}

func main() {
	var o options
	flag.StringVar(&o.host, "host", "localhost", "name of the server, as in its certificate")
	flag.IntVar(&o.port, "port", device.CertificatePort, "port for devices with a certificate")
	flag.StringVar(&o.ca, "ca", "", "file with the server's CA; empty: the system's CAs")
	flag.StringVar(&o.id, "id", "", "with -request: the device's id")
	flag.StringVar(&o.element, "element", "element.sealed", "file of the secure element; made if it is not there")
	flag.BoolVar(&o.request, "request", false, "make a new key and print a certificate request")
	flag.StringVar(&o.install, "install", "", "file with the certificate in PEM that the server issued")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	e, err := openElement(o.element, []byte(os.Getenv("ELEMENT_PASSPHRASE")))
	if err != nil {
		return err
	}
	identity := element.Identity{Element: e, Layout: element.ECCX08}
	if err := identity.Prepare(); err != nil {
		return err
	}
	switch {
	case o.request:
		request, err := identity.Request(o.id, true)
		if err != nil {
			return err
		}
		_, err = os.Stdout.Write(request)
		return err
	case o.install != "":
		return install(identity, o.install)
	}
	return connect(ctx, identity, o)
}

func openElement(path string, passphrase []byte) (*twin.Twin, error) {
	e, err := twin.Open(path, passphrase)
	if errors.Is(err, fs.ErrNotExist) {
		return twin.Create(path, passphrase, twin.Config{})
	}
	return e, err
}

func install(identity element.Identity, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return fmt.Errorf("there is no certificate in %s", path)
	}
	return identity.Save(block.Bytes)
}

func connect(ctx context.Context, identity element.Identity, o options) error {
	id, err := identity.DeviceID()
	if err != nil {
		return err
	}
	certificate, err := identity.TLS()
	if err != nil {
		return err
	}
	uptime := device.Int("uptime", device.ReadOnly, device.Every(10*time.Second))
	c := device.Config{
		Host: o.host, Port: o.port, DeviceID: id, Certificate: &certificate, Now: time.Now,
		Properties: []device.Property{uptime},
		QoS:        1, // nothing is lost while the network is away
		Log:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	if o.ca != "" {
		if c.Roots, err = device.RootsFromFile(o.ca); err != nil {
			return err
		}
	}
	client, err := device.New(c)
	if err != nil {
		return err
	}
	start := time.Now()
	go func() {
		for ctx.Err() == nil {
			uptime.Set(int64(time.Since(start).Seconds()))
			time.Sleep(time.Second)
		}
	}()
	return client.Run(ctx)
}
