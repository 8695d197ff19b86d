package element

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
)

// idBytes is the size of the slot with the device's id.
const idBytes = 72

var (
	// ErrNotProvisioned is an element without a device's id and certificate.
	ErrNotProvisioned = errors.New("element: there is no device's certificate; the device must be provisioned")
	// ErrOtherKey is a certificate for a key that is not in the element.
	ErrOtherKey = errors.New("element: the certificate is for another key than the one in the element")
)

// An Identity is what a device is in the cloud, kept in an element.
type Identity struct {
	Element Element
	Layout  Layout
}

// Prepare locks the element if it can be and is not. The first act with a new element.
func (i Identity) Prepare() error {
	locked, err := i.Element.Locked()
	if err != nil {
		return fmt.Errorf("ask whether the element is locked: %w", err)
	}
	if locked {
		return nil
	}
	l, can := i.Element.(Locker)
	if !can {
		return ErrUnlocked
	}
	if err := l.Lock(); err != nil {
		return fmt.Errorf("lock the element: %w", err)
	}
	return nil
}

// Request makes a certificate request, in PEM, for a new key or for the one that is there. name is
// the device's id, or the hardware id in provisioning 2.0.
//
// A new key makes the certificate in the element worthless, so it is erased first.
func (i Identity) Request(name string, newKey bool) ([]byte, error) {
	if newKey {
		if err := i.Reset(); err != nil {
			return nil, err
		}
		if _, err := i.Element.GenerateKey(i.Layout.Key); err != nil {
			return nil, fmt.Errorf("generate key in slot %d: %w", i.Layout.Key, err)
		}
	}
	key, err := NewSigner(i.Element, i.Layout.Key)
	if err != nil {
		return nil, err
	}
	return boardcert.MakeCSR(nil, key, name)
}

// Save stores a certificate in DER and the device's id in it, as Request's answer or to replace an older one. When the power is cut
// meanwhile the element is either as before, or not provisioned, or as afterwards.
func (i Identity) Save(der []byte) error {
	slots, err := boardcert.Compress(der)
	if err != nil {
		return fmt.Errorf("save certificate: %w", err)
	}
	profile, _, err := boardcert.Parse(der)
	if err != nil {
		return fmt.Errorf("save certificate: %w", err)
	}
	key, err := i.Element.PublicKey(i.Layout.Key)
	if err != nil {
		return fmt.Errorf("read public key of slot %d: %w", i.Layout.Key, err)
	}
	if !key.Equal(profile.Key) {
		return ErrOtherKey
	}
	if i.Layout.Whole {
		return i.write(
			write{i.Layout.DeviceID, slots.DeviceID[:]},
			write{i.Layout.Certificate, der},
		)
	}
	// Slots 10 and 11 belong together: 10 is worthless while 11 changes.
	return i.write(
		write{i.Layout.Certificate, make([]byte, len(slots.Certificate))},
		write{i.Layout.Issuer, slots.Issuer[:]},
		write{i.Layout.DeviceID, slots.DeviceID[:]},
		write{i.Layout.Certificate, slots.Certificate[:]},
	)
}

type write struct {
	slot int
	data []byte
}

func (i Identity) write(steps ...write) error {
	for _, w := range steps {
		if err := i.Element.Write(w.slot, w.data); err != nil {
			return fmt.Errorf("write slot %d: %w", w.slot, err)
		}
	}
	return nil
}

// Reset makes the element one without a certificate, as a board's factory reset does.
// Keys stay.
func (i Identity) Reset() error {
	return i.write(
		write{i.Layout.DeviceID, make([]byte, idBytes)},
		write{i.Layout.Certificate, make([]byte, 72)},
	)
}

// DeviceID is the device's id, or ErrNotProvisioned.
func (i Identity) DeviceID() (string, error) {
	slot, err := i.read(i.Layout.DeviceID)
	if err != nil {
		return "", err
	}
	id, err := boardcert.ReadDeviceID(slot)
	if err != nil {
		return "", ErrNotProvisioned
	}
	return id, nil
}

func (i Identity) read(slot int) ([]byte, error) {
	b, err := i.Element.Read(slot)
	if errors.Is(err, ErrEmpty) {
		return nil, ErrNotProvisioned
	}
	if err != nil {
		return nil, fmt.Errorf("read slot %d: %w", slot, err)
	}
	return b, nil
}

// Certificate is the device's certificate in DER, put together if it is compressed,
// or ErrNotProvisioned.
func (i Identity) Certificate() ([]byte, error) {
	key, err := i.Element.PublicKey(i.Layout.Key)
	if errors.Is(err, ErrNoKey) {
		return nil, ErrNotProvisioned
	}
	if err != nil {
		return nil, fmt.Errorf("read public key of slot %d: %w", i.Layout.Key, err)
	}
	id, err := i.DeviceID()
	if err != nil {
		return nil, err
	}
	stored, err := i.read(i.Layout.Certificate)
	if err != nil {
		return nil, err
	}
	if i.Layout.Whole {
		return whole(stored, id, key)
	}
	issuer, err := i.read(i.Layout.Issuer)
	if err != nil {
		return nil, err
	}
	var slots boardcert.Slots
	if len(stored) != len(slots.Certificate) || len(issuer) != len(slots.Issuer) {
		return nil, ErrNotProvisioned
	}
	slots.Certificate, slots.Issuer = [72]byte(stored), [36]byte(issuer)
	copy(slots.DeviceID[:], id)
	der, err := slots.Rebuild(key)
	if errors.Is(err, boardcert.ErrSlots) {
		return nil, ErrNotProvisioned
	}
	if err != nil {
		return nil, fmt.Errorf("rebuild certificate of device %s: %w", id, err)
	}
	return der, nil
}

func whole(der []byte, id string, key *ecdsa.PublicKey) ([]byte, error) {
	profile, _, err := boardcert.Parse(der)
	if err != nil || profile.DeviceID != id {
		return nil, ErrNotProvisioned // erased, or cut off between two writes
	}
	if !profile.Key.Equal(key) {
		return nil, ErrOtherKey
	}
	return der, nil
}

// TLS is what a tls.Config needs to prove this identity.
func (i Identity) TLS() (tls.Certificate, error) {
	der, err := i.Certificate()
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("read the device's own certificate: %w", err)
	}
	key, err := i.Signer()
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{
		Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf,
		SupportedSignatureAlgorithms: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	}, nil
}

// Signer is the device's key.
func (i Identity) Signer() (crypto.Signer, error) {
	return NewSigner(i.Element, i.Layout.Key)
}

// BoardKey is the public half of the key that signs tokens, in PEM as it is told to the
// cloud in provisioning 2.0. It is made when it is not there, and never again.
func (i Identity) BoardKey() ([]byte, error) {
	key, err := i.Element.PublicKey(i.Layout.BoardKey)
	if errors.Is(err, ErrNoKey) {
		key, err = i.Element.GenerateKey(i.Layout.BoardKey)
	}
	if err != nil {
		return nil, fmt.Errorf("key of the board in slot %d: %w", i.Layout.BoardKey, err)
	}
	return boardcert.PublicKeyPEM(key)
}

// Token signs a token of provisioning 2.0 with the board's key.
func (i Identity) Token(at time.Time, hardwareID string) (string, error) {
	key, err := NewSigner(i.Element, i.Layout.BoardKey)
	if err != nil {
		return "", err
	}
	return boardcert.SignToken(nil, key, at, hardwareID)
}

// HardwareID is a board's unique hardware id: a hash over the unique numbers of its
// processor, its network interface and its element, in this order.
func HardwareID(processor, network, element []byte) string {
	h := sha256.New()
	h.Write(processor)
	h.Write(network)
	h.Write(element)
	return hex.EncodeToString(h.Sum(nil))
}
