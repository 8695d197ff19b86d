package trigger

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
)

// Bounds of a notice for a browser. A push service takes 4096 bytes (RFC 8030, section 7.2), of which the header
// of RFC 8188 takes 86, the tag 16 and the delimiter 1.
const (
	recordSize = 4096
	maxNotice  = recordSize - 86 - 16 - 1
	authBytes  = 16
	pointBytes = 65
)

// encrypt makes of a text what only one browser can read (RFC 8291): p256dh and auth are its keys. own and salt are fresh
// for each message.
func encrypt(text, p256dh, auth []byte, own *ecdh.PrivateKey, salt []byte) ([]byte, error) {
	if len(text) > maxNotice {
		return nil, fmt.Errorf("a notice has %d bytes, more than %d", len(text), maxNotice)
	}
	theirs, err := ecdh.P256().NewPublicKey(p256dh)
	if err != nil {
		return nil, err
	}
	shared, err := own.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	mine := own.PublicKey().Bytes()
	// RFC 8291, section 3.4.
	info := append(append([]byte("WebPush: info\x00"), p256dh...), mine...)
	secret, err := hkdf.Key(sha256.New, shared, auth, string(info), 32)
	if err != nil {
		return nil, err
	}
	// RFC 8188, sections 2.2 and 2.3.
	key, err1 := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: aes128gcm\x00", 16)
	nonce, err2 := hkdf.Key(sha256.New, secret, salt, "Content-Encoding: nonce\x00", 12)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), salt...)
	out = binary.BigEndian.AppendUint32(out, recordSize)
	out = append(append(out, byte(len(mine))), mine...)
	return gcm.Seal(out, nonce, append(append([]byte(nil), text...), 2), nil), nil // 2: the last record
}

// seal is encrypt with a fresh key and salt.
func (b *Browser) seal(text []byte) ([]byte, error) {
	own, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	return encrypt(text, b.P256DH, b.Auth, own, salt)
}

// publicKey is the uncompressed point of a P-256 key, as browsers and push services want it.
func publicKey(signer crypto.Signer) ([]byte, error) {
	key, ok := signer.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the key for push services is no P-256 key")
	}
	point, err := key.ECDH()
	if err != nil {
		return nil, err
	}
	return point.Bytes(), nil
}

// vapid is the Authorization by which a push service knows who sends (RFC 8292): a token for the origin of endpoint,
// good for 12 hours.
func vapid(signer crypto.Signer, endpoint, contact string, now time.Time) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	claims, err := json.Marshal(map[string]any{"aud": u.Scheme + "://" + u.Host, "exp": now.Add(12 * time.Hour).Unix(), "sub": contact})
	if err != nil {
		return "", err
	}
	point, err := publicKey(signer)
	if err != nil {
		return "", err
	}
	code := base64.RawURLEncoding
	token := code.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`)) + "." + code.EncodeToString(claims)
	digest := sha256.Sum256([]byte(token))
	der, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return "", err
	}
	var sig struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &sig); err != nil {
		return "", err
	}
	raw := make([]byte, 64) // RFC 7518, section 3.4
	sig.R.FillBytes(raw[:32])
	sig.S.FillBytes(raw[32:])
	return "vapid t=" + token + "." + code.EncodeToString(raw) + ", k=" + code.EncodeToString(point), nil
}
