package onboard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
)

// A second signature that somebody makes of a token without its key is the same token.
func TestATokenIsKnownByItsWords(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := boardcert.SignToken(rand.Reader, key, noon, strings.Repeat("ab", 32))
	if err != nil {
		t.Fatal(err)
	}
	words, signature, _ := strings.Cut(text[strings.IndexByte(text, '.')+1:], ".")
	rs, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(rs[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(rs[32:])
	twin := text[:strings.IndexByte(text, '.')+1] + words + "." + base64.RawURLEncoding.EncodeToString(rs)
	public, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var all []token
	for _, one := range []string{text, twin} {
		got, err := readToken(one)
		if err != nil {
			t.Fatal(err)
		}
		if err := got.verify(public); err != nil {
			t.Errorf("%s: %v", one, err)
		}
		all = append(all, got)
	}
	if text == twin || all[0].hash() != all[1].hash() {
		t.Error("the same words signed otherwise are another token")
	}
}
