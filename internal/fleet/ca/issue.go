package ca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Request asks for a certificate.
type Request struct {
	Device  Device
	CSR     []byte // PEM
	Enabled bool
	CA      string // what the client calls us; told back, otherwise without meaning
}

const (
	standardCA = "Arduino_v2" // what the command line tool asks for
	maxCA      = 64           // characters of Request.CA; ours
)

// Issue certifies the key of a request for a device: docs/acts/issue-device-certificate.md.
// When it returns nil the certificate is on disk and counts. The same key for the same
// device in the same generation gets the same certificate again.
func (s *Service) Issue(ctx context.Context, who access.Actor, r Request) (Certificate, error) {
	// 1. Check the request.
	if err := r.Device.check(who); err != nil {
		return Certificate{}, err
	}
	csr, hash, err := s.checkRequest(r)
	if err != nil {
		return Certificate{}, err
	}
	if r.CA, err = checkLabel(r.CA); err != nil {
		return Certificate{}, err
	}
	if err := s.cut("issue", 1); err != nil {
		return Certificate{}, err
	}
	c, err := s.issue(ctx, who, r, csr, hash)
	if !errors.Is(err, errStale) {
		return c, err
	}
	// Another process has rotated: nothing was written yet.
	if err := s.load(ctx); err != nil {
		return Certificate{}, err
	}
	return s.issue(ctx, who, r, csr, hash)
}

// issue takes steps 2 to 5.
func (s *Service) issue(ctx context.Context, who access.Actor, r Request, csr boardcert.CSR, hash [sha256.Size]byte) (Certificate, error) {
	g, err := s.active()
	if err != nil {
		return Certificate{}, err
	}
	p := profile(r.Device.ID, g, csr.Key, s.needs.Now())
	c := Certificate{
		ID: uuid.NewString(), Space: r.Device.Space, Device: r.Device.ID, Generation: g.Number, CA: r.CA,
		State: Pending, Enabled: r.Enabled, Serial: p.Serial, KeyHash: hash,
		NotBefore: p.NotBefore, NotAfter: p.NotAfter(), IssuedAt: s.needs.Now().UTC().Truncate(time.Microsecond),
	}
	// 2. Quota, key, row and journal, in one transaction.
	existing, found, err := s.needs.Store.begin(ctx, c, s.needs.Limits,
		s.entry(who, c.Space, "ca:issue", c.ID, map[string]string{"device": c.Device, "serial": fmt.Sprintf("%x", c.Serial)}))
	if err != nil {
		return Certificate{}, err
	}
	if found {
		return existing, nil
	}
	if err := s.cut("issue", 2); err != nil {
		return Certificate{}, err
	}
	// 3. Sign.
	if c.DER, err = s.sign(ctx, g, p); err != nil {
		return Certificate{}, fmt.Errorf("sign certificate %s: %w", c.ID, err)
	}
	if err := s.cut("issue", 3); err != nil {
		return Certificate{}, err
	}
	// 4. Store it; from here on it counts.
	if err := s.needs.Store.finish(ctx, c); err != nil {
		return Certificate{}, fmt.Errorf("store certificate %s: %w", c.ID, err)
	}
	c.State = Issued
	if err := s.cut("issue", 4); err != nil {
		return Certificate{}, err
	}
	// 5. Answer.
	return c, nil
}

// checkRequest is step 1 of Issue: everything that needs no database.
func (s *Service) checkRequest(r Request) (boardcert.CSR, [sha256.Size]byte, error) {
	var none [sha256.Size]byte
	csr, err := boardcert.ParseCSR(r.CSR)
	if err != nil {
		return csr, none, err
	}
	raw, err := x509.ParseCertificateRequest(csr.DER)
	if err != nil {
		return csr, none, boardcert.ErrCSR
	}
	if len(raw.Extensions) > 0 {
		return csr, none, boardcert.ErrCSR.With("The certificate request asks for extensions, which the certificates of devices cannot have.")
	}
	if err := checkName(csr.Name, r.Device.ID); err != nil {
		return csr, none, err
	}
	point, err := csr.Key.Bytes()
	if err != nil {
		return csr, none, boardcert.ErrCSR
	}
	if s.guessable[[32]byte(point[1:33])] || s.isOurs(csr.Key) { // 04 ‖ X ‖ Y
		return csr, none, ErrWeakKey
	}
	return csr, sha256.Sum256(raw.RawSubjectPublicKeyInfo), nil
}

// isOurs says whether key is one of the CA's own: who holds that must not be a device.
func (s *Service) isOurs(key *ecdsa.PublicKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.generations {
		if g.Certificate != nil && key.Equal(g.Certificate.PublicKey) {
			return true
		}
	}
	return false
}

// lastStart is when the last certificate can begin that a board can rebuild: it
// keeps the year in five bits. Later ones are issued as if it were then.
var lastStart = time.Date(2031, time.December, 31, 23, 0, 0, 0, time.UTC)

// profile is what is to be signed for a device.
func profile(device string, g Generation, key *ecdsa.PublicKey, now time.Time) boardcert.Profile {
	if now.After(lastStart) {
		now = lastStart
	}
	p := boardcert.Profile{DeviceID: device, Serial: newSerial(), NotBefore: boardcert.NotBefore(now), Years: boardcert.Years, Key: key}
	copy(p.AKI[:], g.Certificate.SubjectKeyId)
	return p
}

// newSerial is 128 random bits; it never is zero in the life of the universe.
func newSerial() [16]byte { return [16]byte(secret.Random(16)) }

func (s *Service) sign(ctx context.Context, g Generation, p boardcert.Profile) ([]byte, error) {
	key, err := s.needs.Keys.Signer(ctx, g.KeyName)
	if err != nil {
		return nil, fmt.Errorf("key of generation %d: %w", g.Number, err)
	}
	if !g.Certificate.PublicKey.(*ecdsa.PublicKey).Equal(key.Public()) {
		return nil, fmt.Errorf("the key %s is not the one that generation %d was made with", g.KeyName, g.Number)
	}
	return boardcert.Issue(rand.Reader, key, p)
}

// rootLife outlasts the last certificate that a generation can issue, which lives 31 years.
const rootLife = 60

func newRoot(key crypto.Signer, now time.Time) (*x509.Certificate, error) {
	start := boardcert.NotBefore(now)
	der, err := boardcert.CreateRoot(rand.Reader, key, newSerial(), start, start.AddDate(rootLife, 0, 0))
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
