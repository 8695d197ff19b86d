package factor

import (
	"crypto/ecdsa"
	"crypto/x509"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"github.com/ardesia-iot/ardesia/internal/base/vectortest"
)

// What a passkey signed is verified with the key as it is kept, in COSE.
func TestPasskeysKeepTheVectorsOfECDSA(t *testing.T) {
	vectortest.Each(t, "ecdsa_secp256r1_sha256_test.json", func(t *testing.T, g vectortest.Group, c vectortest.Case) {
		public, err := x509.ParsePKIXPublicKey(g.PublicKeyDER)
		if err != nil {
			t.Fatal(err)
		}
		point, err := public.(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		// RFC 9053, section 7.1.1: key type EC2, ES256, P-256, x, y.
		cose, err := cbor.Marshal(map[int]any{1: 2, 3: int(webauthncose.AlgES256), -1: 1, -2: point[1:33], -3: point[33:]})
		if err != nil {
			t.Fatal(err)
		}
		key, err := webauthncose.ParsePublicKey(cose)
		if err != nil {
			t.Fatal(err)
		}
		got, err := webauthncose.VerifySignature(key, c.Msg, c.Sig)
		if got = got && err == nil; got != (c.Result == "valid") {
			t.Errorf("%s (%s): accepted %v, %v", c.Result, c.Comment, got, err)
		}
	})
}
