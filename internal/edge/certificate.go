package edge

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	// A board keeps our root in its firmware, so it lives as long as the roots
	// that Arduino ships (2025 to 2055).
	rootLife = 30 * 365 * 24 * time.Hour
	// Leaves are ours to replace; 398 days is the longest that browsers accept
	// of public authorities (CA/Browser Forum, ballot SC31).
	leafLife = 397 * 24 * time.Hour
	// backdate forgives clients whose clock is behind.
	backdate = 24 * time.Hour
)

// prefixes are the names that official clients put before the host they are
// given (arduino-iot-js: wss., mqtts-up.; boards: mqtts-sa., boards-v2., boards-int.; the API: api.;
// template storage: api-media., media.; sign-in: id.).
var prefixes = []string{"api", "api-media", "id", "wss", "media", "mqtts-up", "mqtts-sa", "boards-v2", "boards-int"}

// Names lists what a server called host answers to: host, its service names,
// the loopback names, and more. A host that is an IP address has no service names.
func Names(host string, more []string) []string {
	names := []string{host}
	if net.ParseIP(host) == nil {
		for _, p := range prefixes {
			names = append(names, p+"."+host)
		}
	}
	names = append(names, "localhost", "127.0.0.1")
	names = append(names, more...)
	slices.Sort(names)
	return slices.Compact(names)
}

// newRoot makes the self-signed root of key.
func newRoot(key crypto.Signer, now time.Time) ([]byte, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	id := keyID(key.Public())
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Ardesia"}, CommonName: "Ardesia server CA " + hex.EncodeToString(id[:4])},
		SubjectKeyId:          id,
		NotBefore:             now.Add(-backdate).UTC().Truncate(time.Hour),
		NotAfter:              now.Add(rootLife).UTC().Truncate(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
	}
	return x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
}

// newLeaf makes the server's certificate for names, signed by root.
func newLeaf(root *x509.Certificate, rootKey, key crypto.Signer, names []string, now time.Time) ([]byte, error) {
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		SerialNumber:       serial,
		Subject:            pkix.Name{CommonName: names[0]},
		SubjectKeyId:       keyID(key.Public()),
		NotBefore:          now.Add(-backdate).UTC().Truncate(time.Hour),
		NotAfter:           now.Add(leafLife).UTC().Truncate(time.Hour),
		KeyUsage:           x509.KeyUsageDigitalSignature,
		ExtKeyUsage:        []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		SignatureAlgorithm: x509.ECDSAWithSHA256,
		DNSNames:           names,
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		}
	}
	return x509.CreateCertificate(rand.Reader, t, root, key.Public(), rootKey)
}

// serves says whether leaf is still good for names under root: signed by it,
// of the same key, naming all of them, and with a third of its life left.
func serves(leaf, root *x509.Certificate, key crypto.PublicKey, names []string, now time.Time) bool {
	if leaf == nil || leaf.CheckSignatureFrom(root) != nil {
		return false
	}
	if public, ok := leaf.PublicKey.(*ecdsa.PublicKey); !ok || !public.Equal(key) {
		return false
	}
	for _, n := range names {
		if !slices.Contains(leaf.DNSNames, n) {
			return false
		}
	}
	return now.After(leaf.NotBefore) && now.Before(leaf.NotAfter.Add(-leafLife/3))
}

func newSerial() (*big.Int, error) {
	// RFC 5280, section 4.1.2.2: positive and at most 20 bytes; 16 random bytes
	// with a clear top bit are both.
	b := make([]byte, 16)
	if _, err := rand.Read(b); err != nil {
		return nil, err
	}
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b), nil
}

func keyID(public crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return make([]byte, 20)
	}
	sum := sha256.Sum256(der)
	return sum[:20]
}

// Fingerprint is the SHA-256 of a certificate as people compare it: upper-case
// pairs joined by colons.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, ":")
}

func encodePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// parsePEM reads the first certificate in text.
func parsePEM(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(bytes.TrimSpace(text))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("no certificate in PEM form")
	}
	return x509.ParseCertificate(block.Bytes)
}

// serverTLS holds for every listener. TLS 1.2 stays on because boards speak
// nothing newer; of its suites only those with forward secrecy and
// authenticated encryption are offered, the board's 0xC02B among them.
func serverTLS(certificate func() *tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		// The certificate is chosen by listener, never by SNI: Python boards send none.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate(), nil },
	}
}
