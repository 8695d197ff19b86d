package ca

import (
	"bytes"
	"crypto/ecdh"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNotFound is a certificate that is not there, or not for this caller.
	ErrNotFound = problem.New(problem.NotFound, "certificate-not-found", "There is no such certificate.")
	// ErrLabel is a name for the CA that is too long to keep.
	ErrLabel = problem.New(problem.Invalid, "invalid-ca", "The name of the CA has at most 64 printable characters.")
	// ErrName is a request in another device's name.
	ErrName = problem.New(problem.Invalid, "csr-wrong-name", "The common name of the certificate request must be the ID of the device, or its unique hardware id of 64 hex digits.")
	// ErrWeakKey is a key that anyone can guess, or one of our own.
	ErrWeakKey = problem.New(problem.Invalid, "csr-weak-key", "The key of the certificate request is not secret. Let the device make another one.")
	// ErrKeyTaken is a key that is another device's.
	ErrKeyTaken = problem.New(problem.Conflict, "csr-key-taken", "The key of the certificate request is certified for another device, or was revoked as stolen. Let the device make another one.")
	// ErrQuota is a device or a space that has had enough certificates.
	ErrQuota = problem.New(problem.Limited, "certificate-quota", "That is more certificates than allowed.")
	// ErrInterrupted is an act that another start of the server rolled back meanwhile.
	ErrInterrupted = problem.New(problem.Unavailable, "certificate-interrupted", "The server was restarted meanwhile. Ask again.")
	// ErrRotating is a rotation while another one is under way.
	ErrRotating = problem.New(problem.Conflict, "ca-rotating", "Another rotation of the device CA is under way.")
	// ErrDate is an end of acceptance that makes no sense.
	ErrDate = problem.New(problem.Invalid, "ca-date", "Certificates of an older generation can be accepted until a date between now and 50 years from now.")
	// ErrGeneration is a generation that is not there, or is the active one.
	ErrGeneration = problem.New(problem.NotFound, "ca-generation-not-found", "There is no such older generation of the device CA.")
	// ErrNotReady is a CA whose first start has not ended.
	ErrNotReady = problem.New(problem.Unavailable, "ca-not-ready", "The device CA has no active generation yet.")
)

// Why Check refuses a certificate. To the board all of them look the same; we log
// and count them one by one.
var (
	// ErrForeign was signed by nobody whom we know, whatever name it bears.
	ErrForeign = problem.New(problem.Unauthenticated, "certificate-foreign", "The certificate was not issued by this server's device CA.")
	// ErrNeverIssued bears the signature of one of our generations, and we never
	// issued it: somebody else has the CA's key.
	ErrNeverIssued = problem.New(problem.Unauthenticated, "certificate-never-issued", "The certificate bears the device CA's signature but was never issued.")
	// ErrOtherKey has the serial number of a certificate of ours and another key or other bytes.
	ErrOtherKey = problem.New(problem.Unauthenticated, "certificate-other-key", "The certificate differs from the one that was issued with its serial number.")
	ErrRevoked  = problem.New(problem.Unauthenticated, "certificate-revoked", "The certificate was revoked.")
	ErrDisabled = problem.New(problem.Unauthenticated, "certificate-disabled", "The certificate is disabled.")
	ErrExpired  = problem.New(problem.Unauthenticated, "certificate-expired", "The certificate has expired.")
	ErrNotYet   = problem.New(problem.Unauthenticated, "certificate-not-yet-valid", "The certificate is not valid yet.")
	// ErrEnded is of a generation that is accepted no more.
	ErrEnded = problem.New(problem.Unauthenticated, "certificate-generation-ended", "The certificate is of a generation of the device CA that is accepted no more.")
)

// A State is how far a certificate is on its way.
type State string

const (
	Pending   State = "pending"   // asked for, not signed
	Issued    State = "issued"    // counts, if nothing else speaks against it
	Revoked   State = "revoked"   // never counts again
	Abandoned State = "abandoned" // was pending when the power went off; was never handed out
)

// A Reason says why a certificate was revoked; the names are those of RFC 5280,
// section 5.3.1.
type Reason string

const (
	Unspecified   Reason = "unspecified"
	KeyCompromise Reason = "key-compromise" // the key is refused for ever, for every device
	Superseded    Reason = "superseded"
	Ceased        Reason = "cessation-of-operation" // the device is gone
)

// ErrReason is a reason that is none of ours.
var ErrReason = problem.New(problem.Invalid, "invalid-reason", "A reason is one of unspecified, key-compromise, superseded, cessation-of-operation.")

// ParseReason reads a reason; "" is Unspecified.
func ParseReason(text string) (Reason, error) {
	switch r := Reason(strings.ToLower(text)); r {
	case "":
		return Unspecified, nil
	case Unspecified, KeyCompromise, Superseded, Ceased:
		return r, nil
	}
	return "", ErrReason
}

// A Certificate is one that the CA was asked for.
type Certificate struct {
	ID         string
	Space      string
	Device     string
	Generation int
	CA         string // what the client calls the CA; boards ask for "Arduino_v2"
	State      State
	Enabled    bool
	Serial     [16]byte
	KeyHash    [sha256.Size]byte // of the subject public key info
	DER        []byte            // nil unless State is Issued or Revoked
	NotBefore  time.Time
	NotAfter   time.Time
	IssuedAt   time.Time
	RevokedAt  time.Time // zero unless State is Revoked
	Reason     Reason    // "" unless State is Revoked
}

// PEM is the certificate in the armour of RFC 7468.
func (c Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})
}

// verdict says what speaks against c at a time, its generation apart.
func (c Certificate) verdict(at time.Time) error {
	switch {
	case c.State == Revoked:
		return ErrRevoked
	case c.State != Issued:
		return ErrNeverIssued
	case !c.Enabled:
		return ErrDisabled
	case at.Before(c.NotBefore):
		return ErrNotYet
	case at.After(c.NotAfter):
		return ErrExpired
	}
	return nil
}

// same says whether leaf is c: the key first, because another key is what a
// forger would have, and then every byte.
func (c Certificate) same(leaf *x509.Certificate) bool {
	return sha256.Sum256(leaf.RawSubjectPublicKeyInfo) == c.KeyHash && bytes.Equal(leaf.Raw, c.DER)
}

// A Phase is how far a generation is on its way.
type Phase string

const (
	Planned  Phase = "planned"  // decided, not made
	Active   Phase = "active"   // issues; there is at most one
	Replaced Phase = "replaced" // issues no more; accepted for a time
)

// A Generation is one key and root certificate of the CA.
type Generation struct {
	Number         int
	Phase          Phase
	KeyName        string
	Certificate    *x509.Certificate // nil while Planned
	CreatedAt      time.Time
	AcceptOldUntil time.Time // what whoever planned it asked for those before
	AcceptedUntil  time.Time // zero: no end is set
}

// accepted says whether certificates of g count at a time, as far as g is concerned.
func (g Generation) accepted(at time.Time) bool {
	return g.Certificate != nil && (g.AcceptedUntil.IsZero() || at.Before(g.AcceptedUntil))
}

// signed says whether g's key made leaf's signature. The names do not matter: all
// generations, and any foreigner who wants to, bear the same one.
func (g Generation) signed(leaf *x509.Certificate) bool {
	return g.Certificate != nil && bytes.Equal(leaf.AuthorityKeyId, g.Certificate.SubjectKeyId) &&
		g.Certificate.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
}

// checkLabel makes a name for the CA what is kept of it.
func checkLabel(ca string) (string, error) {
	if ca == "" {
		return standardCA, nil
	}
	if len(ca) > maxCA || strings.ContainsFunc(ca, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", ErrLabel
	}
	return ca, nil
}

// checkName is the rule of common names in requests: the device's own ID, or a
// hardware id, which a board gives before it has another name.
func checkName(name, device string) error {
	if name == device || isHardwareID(name) {
		return nil
	}
	return ErrName
}

func isHardwareID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// guessable are the x coordinates of the public keys of the smallest private
// keys. A device with a broken generator of random numbers has one of them; since
// k and n-k have the same x, both ends of the range are covered.
func guessable() (map[[32]byte]bool, error) {
	const smallest = 256
	all := make(map[[32]byte]bool, smallest)
	for k := 1; k <= smallest; k++ {
		var scalar [32]byte
		scalar[31], scalar[30] = byte(k), byte(k>>8)
		key, err := ecdh.P256().NewPrivateKey(scalar[:])
		if err != nil {
			return nil, err
		}
		all[[32]byte(key.PublicKey().Bytes()[1:33])] = true // 04 ‖ X ‖ Y
	}
	return all, nil
}
