package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
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
	key    crypto.Signer // *ecdsa.PrivateKey on P-256, or ed25519.PrivateKey
	erased atomic.Bool
}

// newP256 makes a P-256 key in PKCS #8.
func newP256() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return x509.MarshalPKCS8PrivateKey(key)
}

// newEd25519 makes an Ed25519 key in PKCS #8.
func newEd25519() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
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
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return &signer{key: key}, nil
		}
	case ed25519.PrivateKey:
		return &signer{key: key}, nil
	}
	return nil, errors.New("the signer is neither a P-256 nor an Ed25519 key")
}

// Public returns a *ecdsa.PublicKey or an ed25519.PublicKey.
func (s *signer) Public() crypto.PublicKey { return s.key.Public() }

// Sign implements crypto.Signer.
func (s *signer) Sign(random io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	if s.erased.Load() {
		return nil, ErrErased
	}
	return s.key.Sign(random, digest, o)
}

// Format prints that there is a key and nothing of it.
func (s *signer) Format(f fmt.State, _ rune) {
	kind := "P-256"
	if _, ok := s.Public().(ed25519.PublicKey); ok {
		kind = "Ed25519"
	}
	_, _ = io.WriteString(f, kind+" signer")
}

// Signer returns the P-256 private key of that name, which is made on first use and
// never leaves the process in clear. The result prints as nothing of use, and signs
// digests of SHA-256 with ECDSA as ASN.1; it is no *ecdsa.PrivateKey, as one in a token is not.
func (g *Ring) Signer(ctx context.Context, name string) (crypto.Signer, error) {
	s, err := g.signer(ctx, name, newP256)
	if err != nil {
		return nil, err
	}
	if _, ok := s.Public().(*ecdsa.PublicKey); !ok {
		return nil, fmt.Errorf("the signer %s is no P-256 key", name)
	}
	return s, nil
}

// Ed25519 is Signer for an Ed25519 key, which signs messages and not digests (RFC 8032):
// hand Sign the message and crypto.Hash(0). A name has one key, of one kind.
func (g *Ring) Ed25519(ctx context.Context, name string) (crypto.Signer, error) {
	s, err := g.signer(ctx, name, newEd25519)
	if err != nil {
		return nil, err
	}
	if _, ok := s.Public().(ed25519.PublicKey); !ok {
		return nil, fmt.Errorf("the signer %s is no Ed25519 key", name)
	}
	return s, nil
}

func (g *Ring) signer(ctx context.Context, name string, fresh func() ([]byte, error)) (*signer, error) {
	who := ref{KindSigner, name}
	key, err := g.keep(ctx, who, func() (any, error) {
		b, err := g.secret(ctx, who, fresh)
		if err != nil {
			return nil, err
		}
		defer clear(b)
		return readSigner(b)
	})
	if err != nil {
		return nil, err
	}
	return key.(*signer), nil
}
