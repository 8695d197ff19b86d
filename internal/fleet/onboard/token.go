package onboard

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
)

// A token is one that has the form of a board's; nothing is known of who signed it before verify.
type token struct {
	Hardware string    // iss: which board
	At       time.Time // iat: when it was signed, to the second
	text     string
}

// readToken reads a board's token: ES256 and no other algorithm, the header that boards write to the byte, and iat and
// iss as its only claims (device-protocol reference, section 5.6). Anything else is ErrToken.
func readToken(text string) (token, error) {
	form, err := boardcert.ParseToken(text)
	if err != nil {
		return token{}, ErrToken
	}
	t := token{Hardware: form.Issuer, At: form.IssuedAt, text: text}
	signed, err := jose.ParseSignedCompact(text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil || len(signed.Signatures) != 1 || t.claims(signed.UnsafePayloadWithoutVerification()) != nil {
		return token{}, ErrToken
	}
	return t, nil
}

var errClaims = errors.New("the claims of the token are not those of a board")

// claims makes sure that a payload says what t was read to say, and nothing else: a claim that we skip might be one
// that ends the token.
func (t token) claims(payload []byte) error {
	var in struct {
		IssuedAt int64  `json:"iat"`
		Issuer   string `json:"iss"`
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return err
	}
	if again := fmt.Appendf(nil, `{"iat":%d,"iss":%q}`, in.IssuedAt, in.Issuer); !bytes.Equal(again, payload) ||
		in.Issuer != t.Hardware || in.IssuedAt != t.At.Unix() {
		return errClaims
	}
	return nil
}

// verify returns nil when key, an uncompressed point, signed t.
func (t token) verify(key []byte) error {
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), key)
	if err != nil {
		return fmt.Errorf("read the registered key of a board: %w", err)
	}
	signed, err := jose.ParseSignedCompact(t.text, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return ErrToken
	}
	payload, err := signed.Verify(public)
	if err != nil || t.claims(payload) != nil {
		return ErrToken
	}
	return nil
}

// fresh says whether t was signed a short time ago, as far as clocks agree.
func (t token) fresh(now time.Time) bool {
	return now.Sub(t.At) <= tokenLife && t.At.Sub(now) <= tokenAhead
}

// hash knows t again, also with another signature of the same words: whoever has one of ECDSA can make a second one without
// the key (the negated s).
func (t token) hash() [sha256.Size]byte {
	words := t.text[:strings.LastIndexByte(t.text, '.')+1]
	return sha256.Sum256([]byte(words))
}
