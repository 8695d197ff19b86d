package boardcert

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/vectortest"
)

func publicKey(t *testing.T, der []byte) *ecdsa.PublicKey {
	t.Helper()
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PublicKey)
}

// Signatures in certificates, and in requests for them.
func TestCertificatesKeepTheVectorsOfECDSA(t *testing.T) {
	vectortest.Each(t, "ecdsa_secp256r1_sha256_test.json", func(t *testing.T, g vectortest.Group, c vectortest.Case) {
		key, digest := publicKey(t, g.PublicKeyDER), sha256.Sum256(c.Msg)
		sig, err := ParseSignature(c.Sig)
		if got := err == nil && sig.Verify(key, digest[:]); got != (c.Result == "valid") {
			t.Errorf("%s (%s): accepted %v, %v", c.Result, c.Comment, got, err)
		}
		// What ParseCSR asks.
		request := x509.CertificateRequest{PublicKey: key, SignatureAlgorithm: x509.ECDSAWithSHA256, RawTBSCertificateRequest: c.Msg, Signature: c.Sig}
		if err := request.CheckSignature(); (err == nil) != (c.Result == "valid") {
			t.Errorf("%s (%s): as the signature of a request: %v", c.Result, c.Comment, err)
		}
	})
}

// Signatures as elements give them, and as they are in tokens of boards.
func TestElementsKeepTheVectorsOfECDSA(t *testing.T) {
	vectortest.Each(t, "ecdsa_secp256r1_sha256_p1363_test.json", func(t *testing.T, g vectortest.Group, c vectortest.Case) {
		key, digest := publicKey(t, g.PublicKeyDER), sha256.Sum256(c.Msg)
		got := len(c.Sig) == len(Signature{}) && Signature(c.Sig).Verify(key, digest[:])
		if got != (c.Result == "valid") {
			t.Errorf("%s (%s): accepted %v", c.Result, c.Comment, got)
		}
	})
}
