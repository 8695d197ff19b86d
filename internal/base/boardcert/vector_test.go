package boardcert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

// The vectors of the device protocol reference, section 8.6. The keys are made from texts and protect nothing.

const (
	i1private = "f5fb499bc334188fe0ab91de0bbf7593c21586bdb0236b0a5753bc28fcde71ac"
	i1public  = "b7d8c48b63a1585a33a53e34af3e82b3a0e5201efe2aae4693ea211881b2466133b8b5c2d2d3f07d34086f5b49f97037a5e2680327b217b6b58a50cb9d41808e"
	i2        = "3045310b300906035504061302555331173015060355040a130e41726475696e6f204c4c43205553310b3009060355040b130249543110300e0603550403130741726475696e6f"
	i3private = "8d404e738209c0eaad6a45710457e425ee5276b2292a45b9f0bad71923580a3e"
	i3public  = "ca9d3bf4add3dd9470694220cf29fe9765b7f32dc18f892d932021793b0c1f10beb410f4a70e226fc33126241a4decd661b5e0febb95b2edb3ac735c6f511a13"
	i4        = "308201973082013da00302010202100144b1defcf7561087015f8d830d65b1300a06082a8648ce3d0403023045310b3009060355040613025553" +
		"31173015060355040a130e41726475696e6f204c4c43205553310b3009060355040b130249543110300e0603550403130741726475696e6f3020" +
		"170d3236313031373133303030305a180f32303537313031373133303030305a302f312d302b0603550403132463346431663161322d37653362" +
		"2d346235632d396436652d3031323334353637383961623059301306072a8648ce3d020106082a8648ce3d03010703420004ca9d3bf4add3dd94" +
		"70694220cf29fe9765b7f32dc18f892d932021793b0c1f10beb410f4a70e226fc33126241a4decd661b5e0febb95b2edb3ac735c6f511a13a323" +
		"3021301f0603551d230418301680146d3002ac7e07b4c5ba6a9af770c81933caf7d37b300a06082a8648ce3d0403020348003045022061eeabd1" +
		"798b0eee392ef08de2e1aea8ed0aa28ea3e5f888ade49c081315a65b0221008c358f26148de493bb0ef40c1505821125d07e041aea496dcee373" +
		"bb97be5e5e"
	i4a = "61eeabd1798b0eee392ef08de2e1aea8ed0aa28ea3e5f888ade49c081315a65b8c358f26148de493bb0ef40c1505821125d07e041aea496dcee373bb97be5e5ed545bf0000000000"
	i4b = "0144b1defcf7561087015f8d830d65b16d3002ac7e07b4c5ba6a9af770c81933caf7d37b"
	i4c = "63346431663161322d376533622d346235632d396436652d303132333435363738396162"
	i5  = "3081ea308191020100302f312d302b0603550403132463346431663161322d376533622d346235632d396436652d303132333435363738396162" +
		"3059301306072a8648ce3d020106082a8648ce3d03010703420004ca9d3bf4add3dd9470694220cf29fe9765b7f32dc18f892d932021793b0c1f" +
		"10beb410f4a70e226fc33126241a4decd661b5e0febb95b2edb3ac735c6f511a13a000300a06082a8648ce3d0403020348003045022100b7425c" +
		"8d0f6be871b0727670bb71f0a91b25029430d7be0c7f49698ceb611a14022009226faaba81cf153cb1e9c1659925fc49a33f8837291a539c0f9b" +
		"f359bb9ea0"
	i6        = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEyp079K3T3ZRwaUIgzyn+l2W38y3Bj4ktkyAheTsM\nHxC+tBD0pw4ib8MxJiQaTezWYbXg/ruVsu2zrHNcb1EaEw==\n"
	i7private = "1d92558666caf500dcc849e33be5fd7112a726ddbaace8c25f859822e0f5ea76"
	i7public  = "4dea39ba5b48bd3bb4ebe911368dd5e3f50d6d3ee341ebe2dcb92ab620d4905c60479b158f7277193a5edd8b858ca4299c22d7d6b8c2cf901a898989ccbcf341"
	i8        = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJpYXQiOjE3NjA3MDYwMDAsImlzcyI6IjNmMDIwMDY0YTU4ZjA1Y2FmZmQ5NjA0YjVjNTEzNjM3NTA2MWZkNjBkMjc3OTliZjA1ZjJiMDE0ZjUyYTVjOTQifQ.yGUnpSgtJSAh35ru-hduQr5V_XWjdc-eHN4e2A3xVtNhwkku9apDM72TRsA_KVxZ39z-ULYcrwyhzugXuKVCsw"

	deviceID   = "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"
	hardwareID = "3f020064a58f05caffd9604b5c5136375061fd60d27799bf05f2b014f52a5c94"
)

var i4NotBefore = time.Date(2026, 10, 17, 13, 0, 0, 0, time.UTC)

func fromHex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// pair makes a key of its two numbers and checks that they belong together.
func pair(t testing.TB, private, public string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), fromHex(t, private))
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil || hex.EncodeToString(point[1:]) != public {
		t.Fatalf("public key %x, %v, want %s", point, err, public)
	}
	return key
}

func i4Profile(t testing.TB) Profile {
	p := Profile{DeviceID: deviceID, NotBefore: i4NotBefore, Years: Years, Key: &pair(t, i3private, i3public).PublicKey}
	copy(p.Serial[:], fromHex(t, i4b))
	copy(p.AKI[:], fromHex(t, i4b)[16:])
	return p
}

func i4Slots(t testing.TB) Slots {
	s := Slots{Certificate: [72]byte(fromHex(t, i4a)), Issuer: [36]byte(fromHex(t, i4b))}
	copy(s.DeviceID[:], fromHex(t, i4c))
	return s
}

func TestI1KeyIDOfTheCA(t *testing.T) {
	ca := pair(t, i1private, i1public)
	id, err := KeyID(&ca.PublicKey)
	if want := i4Profile(t).AKI; err != nil || id != want {
		t.Errorf("key id %x, %v, want %x", id, err, want)
	}
}

func TestI2Issuer(t *testing.T) {
	if got := hex.EncodeToString(Issuer()); got != i2 {
		t.Errorf("issuer %s, want %s", got, i2)
	}
}

func TestI4CertificateIsReadSplitAndRebuilt(t *testing.T) {
	der := fromHex(t, i4)
	p, signature, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	want := i4Profile(t)
	if !p.Key.Equal(want.Key) {
		t.Errorf("another key")
	}
	p.Key = want.Key
	if p != want {
		t.Errorf("read %+v, want %+v", p, want)
	}
	tbs, err := want.TBS()
	if err != nil || !bytes.Equal(tbs, der[4:4+len(tbs)]) {
		t.Errorf("to be signed: %x, %v", tbs, err)
	}
	digest := sha256.Sum256(tbs)
	if !signature.Verify(&pair(t, i1private, i1public).PublicKey, digest[:]) {
		t.Errorf("the CA of I1 did not sign it")
	}
	s, err := Compress(der)
	if err != nil || s != i4Slots(t) {
		t.Errorf("slots %x, %v", s, err)
	}
	again, err := i4Slots(t).Rebuild(want.Key)
	if err != nil || !bytes.Equal(again, der) {
		t.Errorf("rebuilt %x, %v", again, err)
	}
}

// The signature in I4 has a random nonce, so only the rest can be the same.
func TestI4IsIssuedAgainButForItsSignature(t *testing.T) {
	der, err := Issue(nil, pair(t, i1private, i1public), i4Profile(t))
	if err != nil {
		t.Fatal(err)
	}
	want := fromHex(t, i4)
	if tbs := len(want) - 4 - 12 - 74; !bytes.Equal(der[4:4+tbs], want[4:4+tbs]) {
		t.Errorf("issued\n%x, want\n%x", der, want)
	}
}

func TestI5Request(t *testing.T) {
	key := pair(t, i3private, i3public)
	made, err := MakeCSR(nil, key, deviceID)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(made)
	if block == nil || hex.EncodeToString(block.Bytes) != i5 {
		t.Errorf("made %s, want %s", made, i5)
	}
	text := base64.StdEncoding.EncodeToString(fromHex(t, i5))
	want := "-----BEGIN CERTIFICATE REQUEST-----\n" + text[:76] + "\n" + text[76:152] + "\n" + text[152:228] + "\n" + text[228:304] + "\n" + text[304:] +
		"\n-----END CERTIFICATE REQUEST-----\n"
	if string(made) != want {
		t.Errorf("made\n%s, want\n%s", made, want)
	}
	csr, err := ParseCSR(made)
	if err != nil || csr.Name != deviceID || !csr.Key.Equal(&key.PublicKey) || hex.EncodeToString(csr.DER) != i5 {
		t.Errorf("read %+v, %v", csr, err)
	}
	der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{Subject: csrSubject(t, csr), SignatureAlgorithm: x509.ECDSAWithSHA256}, key)
	if err != nil || hex.EncodeToString(der) != i5 {
		t.Errorf("crypto/x509 makes %x, %v", der, err)
	}
}

func TestI6PublicKey(t *testing.T) {
	key := pair(t, i3private, i3public)
	got, err := PublicKeyPEM(&key.PublicKey)
	if want := "-----BEGIN PUBLIC KEY-----\n" + i6 + "-----END PUBLIC KEY-----\n"; err != nil || string(got) != want {
		t.Errorf("wrote\n%s, %v, want\n%s", got, err, want)
	}
	back, err := ParsePublicKeyPEM(got)
	if err != nil || !back.Equal(&key.PublicKey) {
		t.Errorf("read %v, %v", back, err)
	}
}

func TestI7I8Token(t *testing.T) {
	key := pair(t, i7private, i7public)
	at := time.Unix(1760706000, 0)
	read, err := ParseToken(i8)
	if err != nil || read.Issuer != hardwareID || !read.IssuedAt.Equal(at) {
		t.Fatalf("read %+v, %v", read, err)
	}
	if err := read.Verify(&key.PublicKey); err != nil {
		t.Errorf("the token of the vector: %v", err)
	}
	made, err := SignToken(nil, key, at, read.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	signed := i8[:strings.LastIndexByte(i8, '.')]
	if made[:len(signed)] != signed {
		t.Errorf("made %s, want %s", made, i8)
	}
	again, err := ParseToken(made)
	if err != nil || again.Verify(&key.PublicKey) != nil {
		t.Errorf("our own token: %v", err)
	}
	if again.Verify(&pair(t, i3private, i3public).PublicKey) == nil {
		t.Errorf("another key verifies the token, too")
	}
}
