package mqtttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"math/big"
	"net"
	"sync"
	"time"
)

// An Authority signs certificates for tests: P-256 and SHA-256, as boards have.
type Authority struct {
	Cert *x509.Certificate
	Pool *x509.CertPool
	key  *ecdsa.PrivateKey
}

// NewAuthority makes an authority with a key of its own. It panics when the
// machine has no random numbers.
func NewAuthority(name string) *Authority {
	key := newKey()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a := &Authority{key: key, Pool: x509.NewCertPool()}
	a.Cert = a.sign(template, template, key)
	a.Pool.AddCert(a.Cert)
	return a
}

// Issue makes a certificate for name, which is its common name and a DNS name.
// Like a device's it says nothing about its use.
func (a *Authority) Issue(name string) tls.Certificate {
	key := newKey()
	leaf := a.sign(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}, a.Cert, key)
	return tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
}

func (a *Authority) sign(template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return cert
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func serial() *big.Int {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err)
	}
	return new(big.Int).SetUint64(binary.BigEndian.Uint64(b[:]) >> 1)
}

// BoardTLS is what a board's BearSSL offers: TLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256
// and P-256 (device-protocol reference, section 1.3). Without a certificate in own
// none is shown.
func BoardTLS(roots *x509.CertPool, name string, own ...tls.Certificate) *tls.Config {
	return &tls.Config{
		RootCAs: roots, ServerName: name, Certificates: own,
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		CipherSuites:     []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		CurvePreferences: []tls.CurveID{tls.CurveP256},
	}
}

// A Tap is a connection under TLS that notes the application records which it
// reads. It knows records, not keys: lengths are of the plaintext.
type Tap struct {
	net.Conn
	tls13 bool

	mu      sync.Mutex
	buf     []byte // guarded by mu: the start of a record
	records []int  // guarded by mu
}

// NewTap watches conn, on which the version of TLS is 1.3 or 1.2.
func NewTap(conn net.Conn, tls13 bool) *Tap { return &Tap{Conn: conn, tls13: tls13} }

const (
	recordHeader    = 5  // type, version, length; RFC 5246, section 6.2.1
	recordAppData   = 23 // in TLS 1.3 also the type of encrypted handshake records
	overheadTLS12   = 8 + 16
	overheadTLS13   = 1 + 16 // inner type and tag; RFC 8446, section 5.2
	maxCipherRecord = 1<<14 + 2048
)

func (t *Tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p[:n]...)
	for len(t.buf) >= recordHeader {
		size := int(binary.BigEndian.Uint16(t.buf[3:5]))
		if size > maxCipherRecord || len(t.buf) < recordHeader+size {
			break
		}
		if t.buf[0] == recordAppData {
			overhead := overheadTLS12
			if t.tls13 {
				overhead = overheadTLS13
			}
			t.records = append(t.records, size-overhead)
		}
		t.buf = t.buf[recordHeader+size:]
	}
	return n, err
}

// Records takes the lengths of the application records since it was last called.
func (t *Tap) Records() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.records
	t.records = nil
	return r
}
