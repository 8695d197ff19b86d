package element

import (
	"crypto"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
)

// errDigest is what the element cannot sign.
var errDigest = errors.New("element: only SHA-256 digests can be signed")

// NewSigner makes the key in a slot usable by crypto/tls and crypto/x509. The public
// half is read now; the signer does not notice that the key is replaced later.
func NewSigner(e Element, slot int) (crypto.Signer, error) {
	public, err := e.PublicKey(slot)
	if err != nil {
		return nil, fmt.Errorf("read public key of slot %d: %w", slot, err)
	}
	return signer{e, slot, public}, nil
}

type signer struct {
	element Element
	slot    int
	public  *ecdsa.PublicKey
}

func (s signer) Public() crypto.PublicKey { return s.public }

// Sign lets the element sign; its own randomness is used, not random.
func (s signer) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts == nil || opts.HashFunc() != crypto.SHA256 || len(digest) != 32 {
		return nil, errDigest
	}
	raw, err := s.element.Sign(s.slot, [32]byte(digest))
	if err != nil {
		return nil, fmt.Errorf("sign with slot %d: %w", s.slot, err)
	}
	return boardcert.Signature(raw).ASN1(), nil
}
