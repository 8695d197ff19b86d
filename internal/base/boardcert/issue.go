package boardcert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// signTries bounds the search for a signature without leading zero bytes. One in
// 128 has one, so that 20 tries in vain do not happen with a random nonce.
const signTries = 20

// errShort is what a signer gets that always gives the same signature.
var errShort = errors.New("no signature without a leading zero byte; the signer seems deterministic, try another serial number")

// Issue signs a certificate and returns its DER. It tries until both halves of the
// signature have all their 32 bytes, and verifies the result before handing it out.
//
// ca has a P-256 key whose key id is p.AKI. A nil random makes an *ecdsa.PrivateKey
// sign deterministically (RFC 6979).
func Issue(random io.Reader, ca crypto.Signer, p Profile) ([]byte, error) {
	caKey, ok := ca.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("issue certificate %x: the CA's key is a %T", p.Serial, ca.Public())
	}
	if _, err := pointOf(caKey); err != nil {
		return nil, fmt.Errorf("issue certificate %x: key of the CA: %w", p.Serial, err)
	}
	tbs, err := p.TBS()
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(tbs)
	for range signTries {
		s, err := sign(random, ca, digest)
		if err != nil {
			return nil, fmt.Errorf("sign certificate %x: %w", p.Serial, err)
		}
		if !s.full() {
			continue
		}
		if !s.Verify(caKey, digest[:]) {
			return nil, fmt.Errorf("sign certificate %x: the signer gave a wrong signature", p.Serial)
		}
		return signed(tbs, s)
	}
	return nil, fmt.Errorf("sign certificate %x: %w", p.Serial, errShort)
}

func sign(random io.Reader, key crypto.Signer, digest [32]byte) (Signature, error) {
	der, err := key.Sign(random, digest[:], crypto.SHA256)
	if err != nil {
		return Signature{}, err
	}
	return ParseSignature(der)
}

// CreateRoot makes the certificate of a CA that issues to boards: self-signed, with
// the name that boards know, good for certificates and lists directly under it.
// Boards take such a root as the issuer of a server's certificate, too.
func CreateRoot(random io.Reader, key crypto.Signer, serial [16]byte, notBefore, notAfter time.Time) ([]byte, error) {
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("create root %x: its key is a %T", serial, key.Public())
	}
	id, err := KeyID(public)
	if err != nil {
		return nil, fmt.Errorf("create root %x: %w", serial, err)
	}
	root := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial[:]),
		RawSubject:            Issuer(),
		NotBefore:             notBefore.UTC(),
		NotAfter:              notAfter.UTC(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id[:],
		SignatureAlgorithm:    x509.ECDSAWithSHA256,
	}
	der, err := x509.CreateCertificate(random, root, root, public, key)
	if err != nil {
		return nil, fmt.Errorf("create root %x: %w", serial, err)
	}
	return der, nil
}
