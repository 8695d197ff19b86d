package boardcert

import (
	"crypto/ecdsa"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// A Signature is an ECDSA signature on P-256 as elements give it: r, then s, big-endian.
type Signature [64]byte

// ParseSignature reads the form of X.509 and TLS: a sequence of two minimal integers.
func ParseSignature(der []byte) (Signature, error) {
	var r, s big.Int
	var inner cryptobyte.String
	input := cryptobyte.String(der)
	if !input.ReadASN1(&inner, cryptobyte_asn1.SEQUENCE) || !input.Empty() ||
		!inner.ReadASN1Integer(&r) || !inner.ReadASN1Integer(&s) || !inner.Empty() ||
		r.Sign() <= 0 || s.Sign() <= 0 || r.BitLen() > 256 || s.BitLen() > 256 {
		return Signature{}, ErrProfile.With("This is not an ECDSA signature on P-256.")
	}
	var sig Signature
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return sig, nil
}

// ASN1 writes the form of X.509 and TLS.
func (s Signature) ASN1() []byte {
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(new(big.Int).SetBytes(s[:32]))
		b.AddASN1BigInt(new(big.Int).SetBytes(s[32:]))
	})
	return b.BytesOrPanic() // two positive integers always fit
}

// Verify tells whether s signs digest.
func (s Signature) Verify(key *ecdsa.PublicKey, digest []byte) bool {
	return ecdsa.VerifyASN1(key, digest, s.ASN1())
}

// full tells whether neither half begins with a zero byte. Boards with an SE050 or
// a software element refuse shorter ones.
func (s Signature) full() bool { return s[0] != 0 && s[32] != 0 }
