package social

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// appleSecretLife is how long a client secret for Apple lives: it is made for one call. Apple takes up to six months.
const appleSecretLife = 5 * time.Minute

// appleSecret is what Apple wants for a client secret: developer.apple.com, "Creating a client secret".
func appleSecret(c Config, now time.Time) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: c.Key}, (&jose.SignerOptions{}).WithHeader("kid", c.KeyID))
	if err != nil {
		return "", fmt.Errorf("sign a client secret for %s: %w", c.ID, err)
	}
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: c.TeamID, Subject: c.ClientID, Audience: jwt.Audience{c.Issuer},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(appleSecretLife)),
	}).Serialize()
}

// ParseAppleKey reads the key file that Apple gives out once: PKCS #8 in PEM, P-256.
func ParseAppleKey(text []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("this is not the .p8 file that Apple gave: it begins with -----BEGIN PRIVATE KEY-----")
	}
	any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the key in the .p8 file: %w", err)
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the key in the .p8 file is not one for P-256")
	}
	return key, nil
}

// maxAppleUser is how many bytes of a form's field "user" are read.
const maxAppleUser = 4096

// appleName is the name in what Apple's form says the first time. Nobody signed it, so it only proposes what the
// person may want to be called; the address in it is not read.
func appleName(user string) string {
	if user == "" || len(user) > maxAppleUser {
		return ""
	}
	var in struct {
		Name struct {
			First string `json:"firstName"`
			Last  string `json:"lastName"`
		} `json:"name"`
	}
	if json.Unmarshal([]byte(user), &in) != nil {
		return ""
	}
	return strings.TrimSpace(in.Name.First + " " + in.Name.Last)
}
