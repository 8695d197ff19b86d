// Package boardcert is the profile of the certificates in the secure elements of
// boards. An element has no room for a certificate: it keeps the signature, the
// dates, two numbers and the device's id, and the board builds the same bytes again
// from these and its public key. So every byte that is not kept must be known
// beforehand, and is said here once for the server, which issues, and for the SDK,
// which compresses and rebuilds.
//
// The profile is that of Arduino's boards (device protocol reference, section 5).
package boardcert

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha1"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cryptobyte_asn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Years is how long a certificate is valid. The programs that write it into boards
// take no other number.
const Years = 31

// firstYear and lastYear are what five bits of a slot can hold.
const (
	firstYear = 2000
	lastYear  = 2031
)

// ErrProfile is the refusal of a certificate, or of the fields of one, that a board
// could not rebuild.
var ErrProfile = problem.New(problem.Invalid, "certificate-profile", "A board could not rebuild this certificate.")

// A Profile is what distinguishes one board's certificate from another's, before it is signed.
type Profile struct {
	DeviceID  string    // a UUID in lower case; the subject's only name
	Serial    [16]byte  // the serial number, not zero
	AKI       [20]byte  // the key id of the CA, not zero
	NotBefore time.Time // a whole hour of the years 2000 to 2031; see NotBefore
	Years     int       // 0 to 31
	Key       *ecdsa.PublicKey
}

// issuer is C=US, O=Arduino LLC US, OU=IT, CN=Arduino, each a PrintableString in a
// set of its own: the name that boards write down as the issuer.
var issuer = mustHex("3045310b300906035504061302555331173015060355040a130e41726475696e6f204c4c43205553" +
	"310b3009060355040b130249543110300e0603550403130741726475696e6f")

// spki is a SubjectPublicKeyInfo of a P-256 key, up to its uncompressed point.
var spki = mustHex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

// ecdsaWithSHA256 is 1.2.840.10045.4.3.2 without parameters.
var ecdsaWithSHA256 = mustHex("300a06082a8648ce3d040302")

var (
	oidCommonName = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidAKI        = asn1.ObjectIdentifier{2, 5, 29, 35}
)

func mustHex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err) // the callers are constants
	}
	return b
}

// Issuer is the name in DER of everyone who issues such certificates. Several
// CAs may have it; the key id tells them apart.
func Issuer() []byte { return slices.Clone(issuer) }

// NotBefore is the latest time at or before t at which a certificate can begin:
// a whole hour, and not on 29 February, for the end is the same day of another year.
func NotBefore(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Hour)
	if t.Month() == time.February && t.Day() == 29 {
		return time.Date(t.Year(), time.February, 28, 23, 0, 0, 0, time.UTC)
	}
	return t
}

// NotAfter is the end: the same hour of the same day, Years later.
func (p Profile) NotAfter() time.Time {
	t := p.NotBefore.UTC()
	return time.Date(t.Year()+p.Years, t.Month(), t.Day(), t.Hour(), 0, 0, 0, time.UTC)
}

// KeyID is the subject key id that CreateRoot gives to a CA with this key: the first
// method of RFC 5280, section 4.2.1.2.
func KeyID(key *ecdsa.PublicKey) ([20]byte, error) {
	point, err := pointOf(key)
	if err != nil {
		return [20]byte{}, err
	}
	return sha1.Sum(point), nil
}

// pointOf is the uncompressed point of a key, which must be on P-256.
func pointOf(key *ecdsa.PublicKey) ([]byte, error) {
	if key == nil || key.Curve != elliptic.P256() {
		return nil, ErrProfile.With("The key is not on the curve P-256.")
	}
	point, err := key.Bytes()
	if err != nil {
		return nil, ErrProfile.With("The key is not a point of the curve P-256.")
	}
	return point, nil
}

func (p Profile) check() error {
	t := p.NotBefore.UTC()
	switch {
	case !IsDeviceID(p.DeviceID):
		return ErrProfile.With(fmt.Sprintf("%q is not a device's id: a UUID in lower case.", p.DeviceID))
	case p.Serial == [16]byte{}:
		return ErrProfile.With("The serial number is zero.")
	case p.AKI == [20]byte{}:
		return ErrProfile.With("The authority key id is zero.")
	case t.Year() < firstYear || t.Year() > lastYear:
		return ErrProfile.With(fmt.Sprintf("The certificate begins in %d, not in %d to %d.", t.Year(), firstYear, lastYear))
	case !t.Equal(t.Truncate(time.Hour)):
		return ErrProfile.With("The certificate does not begin with a whole hour.")
	case p.Years < 0 || p.Years > 31:
		return ErrProfile.With(fmt.Sprintf("A certificate is valid for 0 to 31 years, not for %d.", p.Years))
	case p.NotAfter().Day() != t.Day():
		return ErrProfile.With("The certificate would end on a 29 February that does not exist.")
	}
	return nil
}

// IsDeviceID tells whether text is a UUID in lower case.
func IsDeviceID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
				return false
			}
		}
	}
	return true
}

// TBS is the part of the certificate that the CA signs.
func (p Profile) TBS() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	point, err := pointOf(p.Key)
	if err != nil {
		return nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) { b.AddASN1Int64(2) }) // version 3
		b.AddASN1BigInt(new(big.Int).SetBytes(p.Serial[:]))
		b.AddBytes(ecdsaWithSHA256)
		b.AddBytes(issuer)
		b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			addTime(b, p.NotBefore.UTC())
			addTime(b, p.NotAfter())
		})
		addCommonName(b, p.DeviceID)
		b.AddBytes(spki)
		b.AddBytes(point)
		b.AddASN1(explicit(3), func(b *cryptobyte.Builder) {
			b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) { addAKI(b, p.AKI) })
		})
	})
	return b.Bytes()
}

func explicit(n uint8) cryptobyte_asn1.Tag {
	return cryptobyte_asn1.Tag(n).Constructed().ContextSpecific()
}

// addTime follows RFC 5280, section 4.1.2.5.
func addTime(b *cryptobyte.Builder, t time.Time) {
	if t.Year() <= 2049 {
		b.AddASN1UTCTime(t)
	} else {
		b.AddASN1GeneralizedTime(t)
	}
}

// addCommonName writes a distinguished name of one PrintableString.
func addCommonName(b *cryptobyte.Builder, name string) {
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cryptobyte_asn1.SET, func(b *cryptobyte.Builder) {
			b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidCommonName)
				b.AddASN1(cryptobyte_asn1.PrintableString, func(b *cryptobyte.Builder) { b.AddBytes([]byte(name)) })
			})
		})
	})
}

func addAKI(b *cryptobyte.Builder, aki [20]byte) {
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidAKI)
		b.AddASN1(cryptobyte_asn1.OCTET_STRING, func(b *cryptobyte.Builder) {
			b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(cryptobyte_asn1.Tag(0).ContextSpecific(), func(b *cryptobyte.Builder) { b.AddBytes(aki[:]) })
			})
		})
	})
}

// signed puts a signature behind what it signs.
func signed(tbs []byte, s Signature) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cryptobyte_asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(ecdsaWithSHA256)
		b.AddASN1BitString(s.ASN1())
	})
	return b.Bytes()
}

// Join puts a certificate together of what a cloud tells in provisioning 2.0, as the board does. The signature is not verified.
func (p Profile) Join(s Signature) ([]byte, error) {
	tbs, err := p.TBS()
	if err != nil {
		return nil, err
	}
	return signed(tbs, s)
}

// Parse reads a certificate that a board could rebuild; any other one is ErrProfile.
// The signature is not verified.
func Parse(der []byte) (Profile, Signature, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return Profile{}, Signature{}, ErrProfile.With("This is not a certificate.")
	}
	key, isECDSA := cert.PublicKey.(*ecdsa.PublicKey)
	serial := cert.SerialNumber.Bytes()
	if !isECDSA || len(serial) > 16 || len(cert.AuthorityKeyId) != 20 {
		return Profile{}, Signature{}, ErrProfile
	}
	p := Profile{
		DeviceID:  cert.Subject.CommonName,
		AKI:       [20]byte(cert.AuthorityKeyId),
		NotBefore: cert.NotBefore,
		Years:     cert.NotAfter.Year() - cert.NotBefore.Year(),
		Key:       key,
	}
	copy(p.Serial[16-len(serial):], serial)
	signature, err := ParseSignature(cert.Signature)
	if err != nil {
		return Profile{}, Signature{}, err
	}
	// Whatever else may be in the certificate shows here.
	tbs, err := p.TBS()
	if err != nil {
		return Profile{}, Signature{}, err
	}
	again, err := signed(tbs, signature)
	if err != nil || !bytes.Equal(again, der) {
		return Profile{}, Signature{}, ErrProfile
	}
	return p, signature, nil
}
