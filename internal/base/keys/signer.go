package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// signer is a private key that can be used and not read.
type signer struct {
	key    *ecdsa.PrivateKey
	erased atomic.Bool
}

// newSigner makes a P-256 key in PKCS #8.
func newSigner() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

func readSigner(b []byte) (*signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return nil, err
	}
	p256, ok := key.(*ecdsa.PrivateKey)
	if !ok || p256.Curve != elliptic.P256() {
		return nil, errors.New("the signer is no P-256 key")
	}
	return &signer{key: p256}, nil
}

// Public returns a *ecdsa.PublicKey.
func (s *signer) Public() crypto.PublicKey { return s.key.Public() }

// Sign implements crypto.Signer.
func (s *signer) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if s.erased.Load() {
		return nil, ErrErased
	}
	return s.key.Sign(random, digest, o)
}

// Format prints that there is a key and nothing of it.
func (s *signer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "P-256 signer") }
