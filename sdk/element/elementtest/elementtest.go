// Package elementtest says what every secure element does, as tests that each driver runs.
package elementtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/sdk/element"
)

// Run tests an element. fresh returns an empty one; again returns the same element as
// a program finds it that starts later.
func Run(t *testing.T, fresh func(t *testing.T) element.Element, again func(t *testing.T) element.Element) {
	t.Run("keys are made inside and sign", func(t *testing.T) { keys(t, locked(t, fresh(t))) })
	t.Run("slots keep what was written", func(t *testing.T) { slots(t, locked(t, fresh(t))) })
	t.Run("random is random", func(t *testing.T) { random(t, locked(t, fresh(t))) })
	t.Run("what is kept is there after a start", func(t *testing.T) { restart(t, locked(t, fresh(t)), again) })
	for _, layout := range []element.Layout{element.ECCX08, element.SE050, element.SoftSE} {
		t.Run("an identity on "+layout.Name, func(t *testing.T) {
			identity(t, element.Identity{Element: fresh(t), Layout: layout}, again)
		})
	}
}

func locked(t *testing.T, e element.Element) element.Element {
	t.Helper()
	if err := (element.Identity{Element: e}).Prepare(); err != nil {
		t.Fatal(err)
	}
	if is, err := e.Locked(); err != nil || !is {
		t.Fatalf("locked: %v, %v", is, err)
	}
	return e
}

func keys(t *testing.T, e element.Element) {
	if key, err := e.PublicKey(0); !errors.Is(err, element.ErrNoKey) {
		t.Errorf("before any key was made: %v, %v", key, err)
	}
	digest := sha256.Sum256([]byte("x"))
	if _, err := e.Sign(0, digest); !errors.Is(err, element.ErrNoKey) {
		t.Errorf("signed without a key: %v", err)
	}
	first, err := e.GenerateKey(0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := e.GenerateKey(1)
	if err != nil {
		t.Fatal(err)
	}
	if first.Equal(other) {
		t.Errorf("two slots have the same key")
	}
	if key, err := e.PublicKey(0); err != nil || !key.Equal(first) {
		t.Errorf("the public key is another one: %v", err)
	}
	s, err := e.Sign(0, digest)
	if err != nil || !boardcert.Signature(s).Verify(first, digest[:]) {
		t.Errorf("the signature is wrong: %x, %v", s, err)
	}
	second, err := e.GenerateKey(0)
	if err != nil || second.Equal(first) {
		t.Fatalf("a new key is the old one: %v", err)
	}
	s, err = e.Sign(0, digest)
	if err != nil || boardcert.Signature(s).Verify(first, digest[:]) || !boardcert.Signature(s).Verify(second, digest[:]) {
		t.Errorf("the old key still signs: %v", err)
	}
	if key, err := e.PublicKey(1); err != nil || !key.Equal(other) {
		t.Errorf("the key of another slot changed: %v", err)
	}
	for _, slot := range []int{-1, 100000} {
		if _, err := e.GenerateKey(slot); !errors.Is(err, element.ErrSlot) {
			t.Errorf("slot %d: %v", slot, err)
		}
	}
}

func slots(t *testing.T, e element.Element) {
	if b, err := e.Read(10); !errors.Is(err, element.ErrEmpty) {
		t.Errorf("before anything was written: % x, %v", b, err)
	}
	for _, want := range [][]byte{bytes.Repeat([]byte{7}, 72), bytes.Repeat([]byte{0}, 72), []byte("short"), bytes.Repeat([]byte{0xff}, 420)} {
		if err := e.Write(10, want); err != nil {
			t.Fatal(err)
		}
		if got, err := e.Read(10); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read % x, %v, want % x", got, err, want)
		}
	}
	if err := e.Write(11, []byte("other")); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Read(10); err != nil || len(got) != 420 {
		t.Errorf("another slot changed: % x, %v", got, err)
	}
	got, err := e.Read(11)
	if err != nil {
		t.Fatal(err)
	}
	clear(got)
	if again, err := e.Read(11); err != nil || string(again) != "other" {
		t.Errorf("the caller changed the element: %q, %v", again, err)
	}
	if _, err := e.PublicKey(10); !errors.Is(err, element.ErrNoKey) {
		t.Errorf("data are a key: %v", err)
	}
	for _, slot := range []int{-1, 100000} {
		if err := e.Write(slot, []byte("x")); !errors.Is(err, element.ErrSlot) {
			t.Errorf("slot %d: %v", slot, err)
		}
	}
	if err := e.Write(10, make([]byte, 1<<20)); !errors.Is(err, element.ErrSlot) {
		t.Errorf("a megabyte: %v", err)
	}
}

func random(t *testing.T, e element.Element) {
	a, b := make([]byte, 32), make([]byte, 32)
	if err := errors.Join(e.Random(a), e.Random(b)); err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a, b) || bytes.Equal(a, make([]byte, 32)) {
		t.Errorf("%x and %x", a, b)
	}
}

func restart(t *testing.T, e element.Element, again func(t *testing.T) element.Element) {
	serial, err := e.Serial()
	if err != nil || len(serial) < 6 {
		t.Errorf("serial number % x, %v", serial, err)
	}
	key, err := e.GenerateKey(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Write(12, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	later := again(t)
	if got, err := later.Serial(); err != nil || !bytes.Equal(got, serial) {
		t.Errorf("serial number % x, %v, want % x", got, err, serial)
	}
	if got, err := later.PublicKey(0); err != nil || !got.Equal(key) {
		t.Errorf("another key: %v", err)
	}
	if got, err := later.Read(12); err != nil || string(got) != "kept" {
		t.Errorf("read %q, %v", got, err)
	}
	if is, err := later.Locked(); err != nil || !is {
		t.Errorf("locked: %v, %v", is, err)
	}
	digest := sha256.Sum256([]byte("x"))
	if s, err := later.Sign(0, digest); err != nil || !boardcert.Signature(s).Verify(key, digest[:]) {
		t.Errorf("signature %x, %v", s, err)
	}
}

const deviceID = "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"

// identity is provisioning 1.0 and 2.0, a start, a connection and a new certificate.
func identity(t *testing.T, id element.Identity, again func(t *testing.T) element.Element) {
	if err := id.Prepare(); err != nil {
		t.Fatal(err)
	}
	if _, err := id.TLS(); !errors.Is(err, element.ErrNotProvisioned) {
		t.Errorf("a new element: %v", err)
	}
	ca := newCA(t)
	request, err := id.Request(deviceID, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := id.Certificate(); !errors.Is(err, element.ErrNotProvisioned) {
		t.Errorf("between request and certificate: %v", err)
	}
	der := ca.issue(t, request, 1)
	if err := id.Save(der); err != nil {
		t.Fatal(err)
	}
	later := element.Identity{Element: again(t), Layout: id.Layout}
	if got, err := later.Certificate(); err != nil || !bytes.Equal(got, der) {
		t.Errorf("certificate\n%x, %v, want\n%x", got, err, der)
	}
	if got, err := later.DeviceID(); err != nil || got != deviceID {
		t.Errorf("device %q, %v", got, err)
	}
	connect(t, later, ca)

	renewed := ca.issue(t, must(later.Request(deviceID, false))(t), 2)
	if err := later.Save(renewed); err != nil {
		t.Fatal(err)
	}
	if got, err := later.Certificate(); err != nil || !bytes.Equal(got, renewed) {
		t.Errorf("the renewed certificate is not the one that is kept: %v", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign := ca.issue(t, must(boardcert.MakeCSR(nil, key, deviceID))(t), 3)
	if err := later.Save(foreign); !errors.Is(err, element.ErrOtherKey) {
		t.Errorf("saved a certificate for another key: %v", err)
	}
	connect(t, later, ca)
	token(t, later)

	if _, err := later.Request(deviceID, true); err != nil {
		t.Fatal(err)
	}
	if _, err := later.TLS(); !errors.Is(err, element.ErrNotProvisioned) {
		t.Errorf("after a new key was made: %v", err)
	}
	if _, err := later.DeviceID(); !errors.Is(err, element.ErrNotProvisioned) {
		t.Errorf("after a new key was made: %v", err)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func token(t *testing.T, id element.Identity) {
	t.Helper()
	public := must(id.BoardKey())(t)
	if twice := must(id.BoardKey())(t); !bytes.Equal(twice, public) {
		t.Errorf("the board has another key the second time")
	}
	key := must(boardcert.ParsePublicKeyPEM(public))(t)
	serial := must(id.Element.Serial())(t)
	hardware := element.HardwareID([]byte("processor"), []byte("network"), serial)
	text := must(id.Token(time.Unix(1760706000, 0), hardware))(t)
	read, err := boardcert.ParseToken(text)
	if err != nil || read.Issuer != hardware || read.Verify(key) != nil {
		t.Errorf("token %s: %+v, %v", text, read, err)
	}
}

type ca struct {
	key  *ecdsa.PrivateKey
	root *x509.Certificate
}

func newCA(t *testing.T) ca {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	from := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	der := must(boardcert.CreateRoot(rand.Reader, key, [16]byte{1}, from, from.AddDate(60, 0, 0)))(t)
	return ca{key, must(x509.ParseCertificate(der))(t)}
}

func (c ca) issue(t *testing.T, request []byte, serial byte) []byte {
	t.Helper()
	csr := must(boardcert.ParseCSR(request))(t)
	return must(boardcert.Issue(rand.Reader, c.key, boardcert.Profile{
		DeviceID: csr.Name, Serial: [16]byte{0, serial}, AKI: [20]byte(c.root.SubjectKeyId), Key: csr.Key,
		NotBefore: time.Date(2026, 10, 17, 13, 0, 0, 0, time.UTC), Years: boardcert.Years,
	}))(t)
}

// connect proves the identity to a server that asks for certificates of the CA.
func connect(t *testing.T, id element.Identity, c ca) {
	t.Helper()
	own := must(id.TLS())(t)
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	now := func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }
	leaf := &x509.Certificate{SerialNumber: c.root.SerialNumber, DNSNames: []string{"server"}, NotBefore: c.root.NotBefore, NotAfter: c.root.NotAfter}
	der := must(x509.CreateCertificate(rand.Reader, leaf, c.root, &key.PublicKey, c.key))(t)
	pool := x509.NewCertPool()
	pool.AddCert(c.root)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		near, far := net.Pipe()
		server := tls.Server(far, &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
			ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: pool, Time: now,
			MinVersion: version, MaxVersion: version,
		})
		client := tls.Client(near, &tls.Config{RootCAs: pool, ServerName: "server", Certificates: []tls.Certificate{own}, Time: now})
		shaken := make(chan error, 1)
		go func() { shaken <- client.Handshake() }()
		if err := errors.Join(server.Handshake(), <-shaken); err != nil {
			t.Errorf("TLS %#x: %v", version, err)
		} else if got := server.ConnectionState().PeerCertificates[0].Subject.CommonName; got != deviceID {
			t.Errorf("the server sees %q", got)
		}
		near.Close()
		far.Close()
	}
}
