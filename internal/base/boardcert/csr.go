package boardcert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// MaxCSR is the length of a certificate request in PEM that we accept. Those of boards have about 400 characters.
const MaxCSR = 1024

// pemColumns is the width at which boards break lines; readers accept any.
const pemColumns = 76

const (
	csrType    = "CERTIFICATE REQUEST"
	publicType = "PUBLIC KEY"
)

// ErrCSR is the refusal of a certificate request.
var ErrCSR = problem.New(problem.Invalid, "invalid-csr", "This is not a certificate request in PEM, of at most 1024 characters, for a key on P-256 and signed by it with SHA-256.")

// A CSR is a certificate request whose signature is verified: who sent it first had the key.
type CSR struct {
	Name string // the common name of the subject. Only a hint: anyone can write any name there
	Key  *ecdsa.PublicKey
	DER  []byte
}

// ParseCSR reads a request as boards send it. Anything else is ErrCSR.
func ParseCSR(text []byte) (CSR, error) {
	if len(text) > MaxCSR {
		return CSR{}, ErrCSR.With(fmt.Sprintf("The certificate request has %d characters, more than %d.", len(text), MaxCSR))
	}
	der, ok := unPEM(text, csrType)
	if !ok {
		return CSR{}, ErrCSR
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return CSR{}, ErrCSR
	}
	key, isECDSA := request.PublicKey.(*ecdsa.PublicKey)
	if !isECDSA || key.Curve != elliptic.P256() {
		return CSR{}, ErrCSR.With("The key of the certificate request is not on the curve P-256.")
	}
	if request.SignatureAlgorithm != x509.ECDSAWithSHA256 || request.CheckSignature() != nil {
		return CSR{}, ErrCSR.With("The certificate request is not signed by its own key with SHA-256.")
	}
	return CSR{Name: request.Subject.CommonName, Key: key, DER: request.Raw}, nil
}

// unPEM reads exactly one block of a type, with nothing but blanks around it.
func unPEM(text []byte, kind string) (der []byte, ok bool) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("-----BEGIN")) {
		return nil, false // pem.Decode would search for the block
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != kind || len(block.Headers) != 0 || len(rest) != 0 {
		return nil, false
	}
	return block.Bytes, true
}

// toPEM writes lines as long as those of boards.
func toPEM(kind string, der []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "-----BEGIN %s-----\n", kind)
	text := base64.StdEncoding.EncodeToString(der)
	for len(text) > 0 {
		n := min(pemColumns, len(text))
		b.WriteString(text[:n])
		b.WriteByte('\n')
		text = text[n:]
	}
	fmt.Fprintf(&b, "-----END %s-----\n", kind)
	return b.Bytes()
}

// MakeCSR asks for a certificate of key, as a board does, in PEM. name is the
// device's id (provisioning 1.0) or the unique hardware id (2.0).
func MakeCSR(random io.Reader, key crypto.Signer, name string) ([]byte, error) {
	if name == "" || len(name) > 64 || !isPrintable(name) {
		return nil, ErrCSR.With(fmt.Sprintf("%q cannot be the name in a certificate request.", name))
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("make certificate request for %s: its key is a %T", name, key.Public())
	}
	point, err := pointOf(public)
	if err != nil {
		return nil, fmt.Errorf("make certificate request for %s: %w", name, err)
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(0) // version 1 (RFC 2986, section 4.1)
		addCommonName(b, name)
		b.AddBytes(spki)
		b.AddBytes(point)
		b.AddASN1(explicit(0), func(*cryptobyte.Builder) {}) // no attributes
	})
	info, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("make certificate request for %s: %w", name, err)
	}
	signature, err := sign(random, key, sha256.Sum256(info))
	if err != nil {
		return nil, fmt.Errorf("sign certificate request for %s: %w", name, err)
	}
	der, err := signed(info, signature)
	if err != nil {
		return nil, fmt.Errorf("make certificate request for %s: %w", name, err)
	}
	return toPEM(csrType, der), nil
}

// isPrintable tells whether text is a PrintableString (X.680, section 41.4).
func isPrintable(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			continue
		}
		if bytes.IndexByte([]byte(" '()+,-./:=?"), c) < 0 {
			return false
		}
	}
	return true
}

// PublicKeyPEM writes a public key as boards do in provisioning 2.0.
func PublicKeyPEM(key *ecdsa.PublicKey) ([]byte, error) {
	point, err := pointOf(key)
	if err != nil {
		return nil, err
	}
	return toPEM(publicType, append(append([]byte(nil), spki...), point...)), nil
}

// ParsePublicKeyPEM reads such a key. Anything else, and any point that is not on P-256, is ErrProfile.
func ParsePublicKeyPEM(text []byte) (*ecdsa.PublicKey, error) {
	if len(text) > MaxCSR {
		return nil, ErrProfile.With("The public key is too long.")
	}
	der, ok := unPEM(text, publicType)
	if !ok || len(der) != len(spki)+65 || !bytes.HasPrefix(der, spki) {
		return nil, ErrProfile.With("This is not the public key of a board: PEM, P-256, uncompressed.")
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), der[len(spki):])
	if err != nil {
		return nil, ErrProfile.With("The public key is not a point of the curve P-256.")
	}
	return key, nil
}
