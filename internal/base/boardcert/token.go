package boardcert

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// MaxToken is the length of a board's token, in bytes.
const MaxToken = 268

const tokenHeader = `{"alg":"ES256","typ":"JWT"}`

// ErrToken is the refusal of a token, and of a signature on it.
var ErrToken = problem.New(problem.Unauthenticated, "board-token", "This is not a token of a board.")

// A Token is how a board proves, in provisioning 2.0, that it has the key of its slot 1.
// It has no end: who verifies it looks at IssuedAt.
type Token struct {
	IssuedAt time.Time // to the second
	Issuer   string    // the unique hardware id: 64 hex digits in lower case

	signed    string
	signature Signature
}

// SignToken makes a token in the very bytes that boards make.
func SignToken(random io.Reader, key crypto.Signer, at time.Time, issuer string) (string, error) {
	if !isHardwareID(issuer) {
		return "", fmt.Errorf("sign token: %q is not a unique hardware id", issuer)
	}
	encode := base64.RawURLEncoding.EncodeToString
	claims := `{"iat":` + strconv.FormatInt(at.Unix(), 10) + `,"iss":"` + issuer + `"}`
	text := encode([]byte(tokenHeader)) + "." + encode([]byte(claims))
	signature, err := sign(random, key, sha256.Sum256([]byte(text)))
	if err != nil {
		return "", fmt.Errorf("sign token of %s: %w", issuer, err)
	}
	return text + "." + encode(signature[:]), nil
}

// ParseToken reads a token so far as to know whose key verifies it.
func ParseToken(text string) (Token, error) {
	if len(text) > MaxToken || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return Token{}, ErrToken
	}
	last := strings.LastIndexByte(text, '.')
	if last < 0 {
		return Token{}, ErrToken
	}
	t := Token{signed: text[:last]}
	header, claims, _ := strings.Cut(t.signed, ".")
	decode := base64.RawURLEncoding.Strict().DecodeString
	signature, err := decode(text[last+1:])
	if err != nil || len(signature) != len(t.signature) {
		return Token{}, ErrToken
	}
	t.signature = Signature(signature)
	if h, err := decode(header); err != nil || string(h) != tokenHeader {
		return Token{}, ErrToken
	}
	body, err := decode(claims)
	if err != nil {
		return Token{}, ErrToken
	}
	var in struct {
		IssuedAt int64  `json:"iat"`
		Issuer   string `json:"iss"`
	}
	if err := json.Unmarshal(body, &in); err != nil || !isHardwareID(in.Issuer) || in.IssuedAt <= 0 {
		return Token{}, ErrToken
	}
	t.IssuedAt, t.Issuer = time.Unix(in.IssuedAt, 0).UTC(), in.Issuer
	return t, nil
}

// Verify returns nil if key signed the token.
func (t Token) Verify(key *ecdsa.PublicKey) error {
	digest := sha256.Sum256([]byte(t.signed))
	if !t.signature.Verify(key, digest[:]) {
		return ErrToken
	}
	return nil
}

func isHardwareID(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == 64 && text == strings.ToLower(text)
}
