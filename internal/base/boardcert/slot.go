package boardcert

import (
	"crypto/ecdsa"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Slots is a certificate as an ECC508 or ECC608 keeps it, together with the public
// key that the element computes.
type Slots struct {
	Certificate [72]byte // slot 10: r, s, three bytes of dates, five zero bytes
	Issuer      [36]byte // slot 11: serial number, authority key id
	DeviceID    [72]byte // slot 12: 36 characters, zero bytes
}

// ErrSlots is the refusal of slots that hold no certificate, as those of a board
// that was never provisioned or was reset.
var ErrSlots = problem.New(problem.NotFound, "element-not-provisioned", "The secure element holds no certificate.")

// Compress splits a certificate. Rebuild gives the same bytes again; a certificate
// of which that is not true is ErrProfile.
func Compress(der []byte) (Slots, error) {
	p, signature, err := Parse(der)
	if err != nil {
		return Slots{}, err
	}
	var s Slots
	copy(s.Certificate[:64], signature[:])
	dates := p.dates()
	copy(s.Certificate[64:], dates[:])
	copy(s.Issuer[:16], p.Serial[:])
	copy(s.Issuer[16:], p.AKI[:])
	copy(s.DeviceID[:], p.DeviceID)
	return s, nil
}

// dates packs the years since 2000, month, day, hour and validity into 5, 4, 5, 5
// and 5 bits.
func (p Profile) dates() [3]byte {
	t := p.NotBefore.UTC()
	bits := uint(t.Year()-firstYear)<<19 | uint(t.Month())<<15 | uint(t.Day())<<10 | uint(t.Hour())<<5 | uint(p.Years)
	return [3]byte{byte(bits >> 16), byte(bits >> 8), byte(bits)}
}

// Rebuild puts the certificate together as the board does. key is the public key of
// the slot with the private one. The signature is not verified.
func (s Slots) Rebuild(key *ecdsa.PublicKey) ([]byte, error) {
	id, err := ReadDeviceID(s.DeviceID[:])
	if err != nil {
		return nil, err
	}
	signature := Signature(s.Certificate[:64])
	if [32]byte(signature[:32]) == [32]byte{} || [32]byte(signature[32:]) == [32]byte{} ||
		[5]byte(s.Certificate[67:]) != [5]byte{} {
		return nil, ErrSlots
	}
	notBefore, years, err := readDates([3]byte(s.Certificate[64:67]))
	if err != nil {
		return nil, err
	}
	p := Profile{
		DeviceID: id, Serial: [16]byte(s.Issuer[:16]), AKI: [20]byte(s.Issuer[16:]),
		NotBefore: notBefore, Years: years, Key: key,
	}
	tbs, err := p.TBS()
	if err != nil {
		return nil, err
	}
	return signed(tbs, signature)
}

func readDates(b [3]byte) (notBefore time.Time, years int, err error) {
	bits := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	year, month, day, hour := bits>>19+firstYear, time.Month(bits>>15&0xf), bits>>10&0x1f, bits>>5&0x1f
	t := time.Date(year, month, day, hour, 0, 0, 0, time.UTC)
	if t.Month() != month || t.Day() != day || t.Hour() != hour {
		return time.Time{}, 0, ErrSlots.With("The dates in the secure element do not exist.")
	}
	return t, bits & 0x1f, nil
}

// ReadDeviceID reads the slot of the device's id: its characters, then zero bytes.
func ReadDeviceID(slot []byte) (string, error) {
	if len(slot) < 36 || !IsDeviceID(string(slot[:36])) {
		return "", ErrSlots
	}
	for _, b := range slot[36:] {
		if b != 0 {
			return "", ErrSlots
		}
	}
	return string(slot[:36]), nil
}
