package device

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
)

// authority is a CA that certifies a server and devices.
type authority struct {
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key := newKey(t)
	der, err := boardcert.CreateRoot(rand.Reader, key, [16]byte{1}, time.Now().Add(-time.Hour), time.Now().AddDate(30, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := authority{key, root, x509.NewCertPool()}
	a.pool.AddCert(root)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// server is a certificate as boards accept it: on P-256, directly by the root.
func (a authority) server(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}, a.root, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// provision puts a device's certificate into a software element.
func (a authority) provision(t *testing.T) tls.Certificate {
	t.Helper()
	e, err := twin.Create(filepath.Join(t.TempDir(), "element"), []byte("passphrase"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	id := element.Identity{Element: e, Layout: element.ECCX08}
	if err := id.Prepare(); err != nil {
		t.Fatal(err)
	}
	request, err := id.Request(deviceID, true)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := boardcert.ParseCSR(request)
	if err != nil {
		t.Fatal(err)
	}
	der, err := boardcert.Issue(rand.Reader, a.key, boardcert.Profile{
		DeviceID: csr.Name, Serial: [16]byte{5}, AKI: [20]byte(a.root.SubjectKeyId), Key: csr.Key,
		NotBefore: boardcert.NotBefore(time.Now()), Years: boardcert.Years,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := id.Save(der); err != nil {
		t.Fatal(err)
	}
	certificate, err := id.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// listen is the broker behind TLS on loopback.
func (b *broker) listen(t *testing.T, c *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			b.mu.Lock()
			b.accept(conn)
			b.mu.Unlock()
		}
	}()
	return l.Addr().String()
}

// first waits for the first event of a kind, or for a failure.
func firstEvent(t *testing.T, c Config, kind EventKind) Event {
	t.Helper()
	events := make(chan Event, 100)
	c.OnEvent = func(e Event) {
		select {
		case events <- e:
		default:
		}
	}
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan error, 1)
	go func() { done <- client.Run(ctx) }()
	defer func() {
		cancel()
		<-done
	}()
	for {
		select {
		case e := <-events:
			if e.Kind == kind || e.Kind == Failed {
				return e
			}
		case <-ctx.Done():
			t.Fatalf("no event %v", kind)
		}
	}
}

func TestOverTLS(t *testing.T) {
	a := newAuthority(t)
	own := a.provision(t)
	hour := func() time.Time { return time.Now().Add(time.Hour) }
	for name, c := range map[string]struct {
		change func(*Config)
		server *tls.Config
		good   bool
	}{
		"a secret key":                 {func(*Config) {}, &tls.Config{}, true},
		"a clock wrong by an hour":     {func(c *Config) { c.Now = hour }, &tls.Config{}, true},
		"a clock wrong by ten years":   {func(c *Config) { c.Now = func() time.Time { return time.Now().AddDate(-10, 0, 0) } }, &tls.Config{}, false},
		"a certificate":                {func(c *Config) { c.SecretKey, c.Certificate = "", &own }, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool}, true},
		"a certificate with TLS 1.2":   {func(c *Config) { c.SecretKey, c.Certificate = "", &own }, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool, MaxVersion: tls.VersionTLS12}, true},
		"no certificate for the name":  {func(c *Config) { c.Host = "another.example.org" }, &tls.Config{}, false},
		"a server of another CA":       {func(c *Config) { c.Roots = newAuthority(t).pool }, &tls.Config{}, false},
		"a server with an old version": {func(*Config) {}, &tls.Config{MinVersion: tls.VersionTLS11, MaxVersion: tls.VersionTLS11}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBroker(t)
			c.server.Certificates = []tls.Certificate{a.server(t, "ardesia.example.org")}
			config := Config{
				Host: "ardesia.example.org", Address: b.listen(t, c.server), DeviceID: deviceID, SecretKey: "secret",
				Roots: a.pool, Now: time.Now, Dial: nil,
			}
			c.change(&config)
			e := firstEvent(t, config, Synced)
			if good := e.Kind == Synced; good != c.good {
				t.Errorf("%v: %v", e.Kind, e.Err)
			}
		})
	}
}

func TestRefusedCredentialsAreTold(t *testing.T) {
	a := newAuthority(t)
	b := newBroker(t)
	b.code = 5
	address := b.listen(t, &tls.Config{Certificates: []tls.Certificate{a.server(t, "h")}})
	e := firstEvent(t, Config{Host: "h", Address: address, DeviceID: deviceID, SecretKey: "wrong", Roots: a.pool, Now: time.Now}, Failed)
	var refused RefusedError
	if !errors.As(e.Err, &refused) || refused.Code != 5 {
		t.Errorf("%v", e.Err)
	}
}

func TestRootsFromFile(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "bad.pem")
	if err := os.WriteFile(good, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(bad, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if pool, err := RootsFromFile(good); err != nil || !pool.Equal(a.pool) {
		t.Errorf("%v", err)
	}
	for _, path := range []string{bad, filepath.Join(dir, "none")} {
		if _, err := RootsFromFile(path); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}

func TestTheUsualAddress(t *testing.T) {
	// Nothing listens on this port of loopback; what counts is where the client looks.
	c := Config{Host: "127.0.0.1", Port: 1, DeviceID: deviceID, SecretKey: "x", Now: time.Now}
	e := firstEvent(t, c, Failed)
	var op *net.OpError
	if !errors.As(e.Err, &op) || op.Addr.String() != "127.0.0.1:1" {
		t.Errorf("%v", e.Err)
	}
}
