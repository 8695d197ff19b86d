package oauth

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/ardesia-iot/ardesia/internal/base/vectortest"
)

// Tokens are read with ES256 and nothing else, whatever they say of themselves: of all
// signatures of the vectors only the good ones of P-256 are accepted.
func TestTokensKeepTheVectorsOfJWS(t *testing.T) {
	good, bad := 0, 0
	vectortest.Each(t, "json_web_signature_test.json", func(t *testing.T, g vectortest.Group, c vectortest.Case) {
		var public jose.JSONWebKey
		if g.Public == nil || public.UnmarshalJSON(g.Public) != nil {
			return // a shared secret, or a key that cannot be read: neither verifies a token
		}
		if strings.HasPrefix(g.Comment, "ec_key_for_encryption") {
			return // what a key is for is said where it is published; keys that verify here are the house's own
		}
		got := func() bool {
			signed, err := jose.ParseSignedCompact(c.JWS, []jose.SignatureAlgorithm{jose.ES256})
			if err != nil {
				return false
			}
			_, err = signed.Verify(public.Key)
			return err == nil
		}()
		want := c.Result == "valid" && public.Algorithm == string(jose.ES256)
		if got != want {
			t.Errorf("%s %s (%s): accepted %v, want %v", c.Result, g.Comment, c.Comment, got, want)
		}
		if want {
			good++
		} else {
			bad++
		}
	})
	if good < 2 || bad < 50 {
		t.Errorf("%d good and %d bad vectors fitted: this test looks in the wrong place", good, bad)
	}
}
