// Package element is the secure element of a device: the chip, or what stands for it,
// that makes a private key and never gives it away.
//
// An Element signs and keeps a few bytes. An Identity on top of it asks for
// certificates, stores them in the form that the kind of element has room for, and gives
// what TLS needs. Package twin is an element in a sealed file; package pkcs11 one behind PKCS#11.
package element

import (
	"crypto/ecdsa"
	"errors"
)

// What an Element can answer besides an error of its own.
var (
	// ErrNoKey is a slot in which no key was made yet.
	ErrNoKey = errors.New("element: there is no key in this slot")
	// ErrEmpty is a slot to which nothing was written yet.
	ErrEmpty = errors.New("element: nothing was written to this slot")
	// ErrSlot is a slot that the element does not have, or data that do not fit into it.
	ErrSlot = errors.New("element: there is no such slot, or the data do not fit into it")
	// ErrUnlocked is a key asked of an element whose configuration can still be changed.
	ErrUnlocked = errors.New("element: lock the configuration first")
)

// An Element keeps P-256 keys and data, in slots with numbers. Keys and data do not share
// slots, though a number may be used for both.
//
// All methods may be called from any goroutine. When a method that changes something returns nil the change is kept, whatever
// happens to the power.
type Element interface {
	// Serial is the element's own number: 9 bytes of an ECC608, 6 or more of others.
	Serial() ([]byte, error)
	// Random fills b from the element's source.
	Random(b []byte) error
	// Locked tells whether the configuration is fixed for ever. Keys can be made and used only then.
	Locked() (bool, error)
	// GenerateKey makes a new private key in a slot, in place of what was there.
	GenerateKey(slot int) (*ecdsa.PublicKey, error)
	// PublicKey is the public half of the key in a slot, or ErrNoKey.
	PublicKey(slot int) (*ecdsa.PublicKey, error)
	// Sign signs a SHA-256 digest: r, then s, 32 bytes each.
	Sign(slot int, digest [32]byte) ([64]byte, error)
	// Read returns a copy of what a slot holds, or ErrEmpty.
	Read(slot int) ([]byte, error)
	// Write replaces what a slot holds.
	Write(slot int, data []byte) error
}

// A Locker is an Element whose configuration can be fixed by us.
type Locker interface {
	Element
	// Lock fixes the configuration for ever. It may be called twice.
	Lock() error
}

// A Layout says which slot is for what.
type Layout struct {
	Name        string
	Key         int  // the device's key: TLS and certificate requests
	BoardKey    int  // signs the tokens of provisioning 2.0
	Certificate int  // 72 bytes, or the whole certificate
	Issuer      int  // serial number and authority key id; not used when Whole
	DeviceID    int  // 36 characters in 72 bytes
	Whole       bool // the certificate is kept in DER, not compressed
}

// The layouts of Arduino's boards (device protocol reference, section 5.1). A layout for
// another element can be made; programs on real boards find only these.
var (
	ECCX08 = Layout{Name: "ECCX08", Key: 0, BoardKey: 1, Certificate: 10, Issuer: 11, DeviceID: 12}
	SE050  = Layout{Name: "SE050", Key: 100, BoardKey: 1, Certificate: 110, DeviceID: 112, Whole: true}
	SoftSE = Layout{Name: "SoftSE", Key: 0, BoardKey: 1, Certificate: 10, DeviceID: 12, Whole: true}
)
