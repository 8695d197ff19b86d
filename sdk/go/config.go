package device

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Version is what the client tells the cloud as its own, unless Config says otherwise.
const Version = "1.0.0"

// The ports of the cloud, by the way in which a device proves who it is.
const (
	CertificatePort = 8885
	SecretKeyPort   = 8884
)

// Config is a device. What says nothing else may be left at zero.
type Config struct {
	Host string // the cloud's name; it must be in the server's certificate
	Port int    // 0: CertificatePort or SecretKeyPort
	// Address is where to connect, as host:port, when that is not Host and Port: a tunnel, or a name that is not in DNS yet.
	Address string

	// DeviceID is the device's id, a UUID in lower case.
	DeviceID string
	// Exactly one of these proves it. element.Identity.TLS gives a certificate whose key is in a secure element.
	SecretKey   string
	Certificate *tls.Certificate

	// Roots are the CAs that may certify the server; nil: those of the system. See RootsFromFile.
	Roots *x509.CertPool

	// Properties are the variables of the thing that this program knows.
	Properties []Property

	// Now is the clock, usually time.Now. It must be set: certificates and values depend on it.
	Now func() time.Time
	// Log tells operators about connections; nil: nobody.
	Log *slog.Logger

	// Generation of the protocol: 2, the default, or 1.
	Generation int
	// Version is told to the cloud as that of the library; "": Version.
	Version string
	// SSID is told to the cloud as the Wi-Fi to which the device is connected; "": nothing is told.
	SSID string

	// Firmware is the program that the cloud may replace; nil: it may not.
	Firmware Firmware
	// OnUpdate is asked before each step of an update, on its goroutine. An error ends the update; the cloud is told the
	// code of an UpdateError. It may take its time: with UpdateAvailable until a person agrees. nil: go on.
	OnUpdate func(ctx context.Context, s UpdateStep) error
	// HTTP fetches new programs; nil: a client that trusts Roots.
	HTTP *http.Client

	// QoS of values: 0, the default, as boards send them, or 1. With 1 a value is kept until the cloud
	// acknowledged it, and sent again after the connection was lost.
	QoS byte
	// Queue is how many values are kept for when there is a connection again, at
	// most; the oldest are dropped. 0: none with QoS 0, and 1000 with QoS 1.
	Queue int
	// InFlight is how many messages wait for an acknowledgement at the same time; 0: 16.
	InFlight int
	// PackBytes is the size of a message with several values, at most; 0: 65,536. Boards have 256. A value that needs more alone is never sent.
	PackBytes int
	// Timestamps tells the time of each value, to the millisecond; the cloud takes that of arrival otherwise. With a
	// Queue, times are always told.
	Timestamps bool
	// Pace is the shortest time between two messages of one variable that is sent on change; 0: 500 ms.
	Pace time.Duration

	// OnEvent is told what happens to the connection, on the goroutine of Run; it must not block.
	OnEvent func(Event)
	// Acknowledged is told which values the cloud acknowledged (QoS 1), on the goroutine of Run; it must not block.
	Acknowledged func([]Sample)

	// Dial opens the connection, secured and checked, and gives up when ctx ends; nil: TLS to Host and Port.
	Dial func(ctx context.Context) (net.Conn, error)
	// Timing is how patient the client is.
	Timing Timing
}

// Timing is how patient the client is. Zero fields have the values of Arduino's library.
type Timing struct {
	Dial    time.Duration // for TCP and TLS; 10 s
	Answer  time.Duration // for CONNACK, SUBACK and UNSUBACK; 1.5 s
	Write   time.Duration // for the network to take one message; 10 s
	Publish time.Duration // for PUBACK; 60 s

	KeepAlive time.Duration // told to the server, and between two pings; 30 s
	Silence   time.Duration // without any packet the connection counts as lost; 60 s

	Reconnect    time.Duration // after the first failure, then doubled; 2 s
	ReconnectMax time.Duration // 32 s

	Attach      time.Duration // for an answer to the first question for the thing, then doubled; 4 s, generation 1: 5 s
	AttachMax   time.Duration // 32 s
	Detached    time.Duration // likewise while the cloud says that there is no thing; 40 s, generation 1: 5 s
	DetachedMax time.Duration // 1280 s

	LastValues time.Duration // for an answer to the question for last values; 30 s
	Progress   time.Duration // between two reports of how much of an update is fetched; 10 s
	Stall      time.Duration // without a byte of a new program its download is begun again where it was; 60 s
	Resume     time.Duration // generation 1: between two subscriptions that were refused; 1 s
}

// tries is how often a question is asked within one connection before it is closed.
const tries = 11

func (t *Timing) defaults(generation int) {
	attach, detached := 4*time.Second, 40*time.Second
	if generation == 1 {
		attach, detached = 5*time.Second, 5*time.Second
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Dial, 10 * time.Second},
		{&t.Answer, 1500 * time.Millisecond},
		{&t.Write, 10 * time.Second},
		{&t.Publish, 60 * time.Second},
		{&t.KeepAlive, 30 * time.Second},
		{&t.Silence, 60 * time.Second},
		{&t.Reconnect, 2 * time.Second},
		{&t.ReconnectMax, 32 * time.Second},
		{&t.Attach, attach},
		{&t.AttachMax, 32 * time.Second},
		{&t.Detached, detached},
		{&t.DetachedMax, 1280 * time.Second},
		{&t.LastValues, 30 * time.Second},
		{&t.Resume, time.Second},
		{&t.Progress, 10 * time.Second},
		{&t.Stall, 60 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
}

// reserved names belong to the protocol.
var reserved = map[string]bool{tzOffset: true, tzUntil: true, "r:m": true, "thing_id": true}

// check fills in the defaults.
func (c *Config) check() error {
	switch {
	case c.Now == nil:
		return errors.New("device: Config.Now is not set; it is usually time.Now")
	case c.DeviceID == "" || strings.ContainsAny(c.DeviceID, "/+#\x00") || len(c.DeviceID) > 64:
		return fmt.Errorf("device: %q is not a device's id", c.DeviceID)
	case c.Dial == nil && c.Host == "":
		return errors.New("device: Config.Host is not set")
	case (c.SecretKey == "") == (c.Certificate == nil):
		return errors.New("device: Config needs either SecretKey or Certificate")
	case c.Generation < 0 || c.Generation > 2:
		return fmt.Errorf("device: there is no generation %d of the protocol", c.Generation)
	case c.QoS > 1:
		return fmt.Errorf("device: QoS %d is not supported", c.QoS)
	case len(c.SecretKey) > 1024:
		return errors.New("device: the secret key is too long")
	}
	if c.Generation == 0 {
		c.Generation = 2
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Version == "" {
		c.Version = Version
	}
	if c.Port == 0 {
		c.Port = CertificatePort
		if c.SecretKey != "" {
			c.Port = SecretKeyPort
		}
	}
	if c.Queue == 0 && c.QoS == 1 {
		c.Queue = 1000
	}
	if c.InFlight <= 0 {
		c.InFlight = 16
	}
	if c.PackBytes <= 0 || c.PackBytes > maxPack {
		c.PackBytes = maxPack
	}
	if c.Pace <= 0 {
		c.Pace = 500 * time.Millisecond
	}
	c.Pace = max(c.Pace, time.Millisecond) // times are told in milliseconds
	c.Timing.defaults(c.Generation)
	if c.Dial == nil {
		c.Dial = c.dialTLS
	}
	return c.checkNames()
}

func (c *Config) checkNames() error {
	seen := map[string]bool{}
	for _, p := range c.Properties {
		name := p.Name()
		switch {
		case name == "" || len(name) > 64 || strings.Contains(name, ":"):
			return fmt.Errorf("device: a variable cannot be called %q", name)
		case reserved[name]:
			return fmt.Errorf("device: the name %q belongs to the protocol", name)
		case seen[name]:
			return fmt.Errorf("device: two variables are called %q", name)
		}
		seen[name] = true
	}
	return nil
}

// tls is what holds for every connection.
func (c *Config) tls() *tls.Config {
	return &tls.Config{RootCAs: c.Roots, MinVersion: tls.VersionTLS12, Time: c.Now}
}

// dialTLS opens the connection as boards do, or better: TLS 1.2 or 1.3, with the server's
// name and certificate checked.
func (c *Config) dialTLS(ctx context.Context) (net.Conn, error) {
	settings := c.tls()
	settings.ServerName = c.Host
	if c.Certificate != nil {
		settings.Certificates = []tls.Certificate{*c.Certificate}
	}
	address := c.Address
	if address == "" {
		address = net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	}
	dialer := tls.Dialer{Config: settings}
	return dialer.DialContext(ctx, "tcp", address)
}

// RootsFromFile reads CA certificates in PEM, such as the server's tls/ca.pem.
func RootsFromFile(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read CA certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("there is no certificate in %s", path)
	}
	return pool, nil
}
