package ca

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Check says which device a certificate lets in at a time, or why none. It is asked
// at each connect, after TLS has proved that the client has the private key.
//
// It needs no chain that TLS has verified: a certificate counts when its bytes are
// those that were stored when it was issued. The chain is looked at only to tell a
// foreigner (ErrForeign) from somebody who has the CA's key (ErrNeverIssued).
// Each refusal is counted; the caller logs it.
func (s *Service) Check(ctx context.Context, leaf *x509.Certificate, at time.Time) (Certificate, error) {
	c, err := s.check(ctx, leaf, at)
	if err != nil {
		s.count(err)
		return Certificate{}, err
	}
	return c, nil
}

func (s *Service) check(ctx context.Context, leaf *x509.Certificate, at time.Time) (Certificate, error) {
	var serial [16]byte
	n := leaf.SerialNumber
	if n == nil || n.Sign() < 0 || n.BitLen() > 8*len(serial) {
		return Certificate{}, s.stranger(ctx, leaf, nil)
	}
	n.FillBytes(serial[:])

	c, generations, err := s.find(ctx, serial)
	if errors.Is(err, ErrNotFound) {
		return Certificate{}, s.stranger(ctx, leaf, nil)
	}
	if err != nil {
		return Certificate{}, fmt.Errorf("find certificate %x: %w", serial, err)
	}
	if !c.same(leaf) {
		return Certificate{}, s.stranger(ctx, leaf, &c)
	}
	if err := c.verdict(at); err != nil {
		return Certificate{}, err
	}
	for _, g := range generations {
		if g.Number == c.Generation && g.accepted(at) {
			return c, nil
		}
	}
	return Certificate{}, ErrEnded
}

// knowTime bounds the look for a certificate that is not in memory.
const knowTime = 5 * time.Second

// Knows says whether leaf is, byte by byte, a certificate that was issued here and is
// not revoked. It says nothing of whether it lets anybody in: that is Check's word. When
// it cannot be found out the answer is no.
func (s *Service) Knows(leaf *x509.Certificate) bool {
	var serial [16]byte
	n := leaf.SerialNumber
	if n == nil || n.Sign() < 0 || n.BitLen() > 8*len(serial) {
		return false
	}
	n.FillBytes(serial[:])
	ctx, stop := context.WithTimeout(context.Background(), knowTime)
	defer stop()
	c, _, err := s.find(ctx, serial)
	return err == nil && c.State == Issued && c.same(leaf)
}

// find reads a certificate through the cache, with the generations as they are now.
func (s *Service) find(ctx context.Context, serial [16]byte) (Certificate, []Generation, error) {
	s.mu.Lock()
	c, known := s.cached.Get(serial)
	generations, epoch := s.generations, s.epoch
	s.mu.Unlock()
	if known {
		return c, generations, nil
	}
	c, err := s.needs.Store.bySerial(ctx, serial)
	if err != nil || c.State != Issued {
		return c, generations, err // what does not count is not worth remembering
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == epoch { // else what was read may be from before a revocation
		s.cached.Set(serial, c)
	}
	return c, generations, nil
}

// stranger names a certificate whose bytes are not stored. stored has the same
// serial number, or is nil.
func (s *Service) stranger(ctx context.Context, leaf *x509.Certificate, stored *Certificate) error {
	s.mu.Lock()
	generations := s.generations
	s.mu.Unlock()
	for _, g := range generations {
		if !g.signed(leaf) || rewritten(leaf, stored) {
			continue
		}
		// No bug of ours makes this: a row is on disk before its certificate exists.
		s.needs.Log.ErrorContext(ctx, "a certificate that was never issued bears the device CA's signature: rotate the CA",
			"generation", g.Number, "serial", leaf.SerialNumber.Text(16), "name", leaf.Subject.CommonName)
		return ErrNeverIssued
	}
	if stored != nil {
		return ErrOtherKey
	}
	return ErrForeign
}

// rewritten says whether leaf is stored with another, equally valid signature,
// which anyone can compute from the first one: (r, s) and (r, n-s) both hold.
func rewritten(leaf *x509.Certificate, stored *Certificate) bool {
	if stored == nil || sha256.Sum256(leaf.RawSubjectPublicKeyInfo) != stored.KeyHash {
		return false
	}
	ours, err := x509.ParseCertificate(stored.DER)
	return err == nil && bytes.Equal(ours.RawTBSCertificate, leaf.RawTBSCertificate)
}

// refusalCodes are the codes of refusals, so that each has its counter.
var refusalCodes = [...]string{
	ErrForeign.Code, ErrNeverIssued.Code, ErrOtherKey.Code, ErrRevoked.Code,
	ErrDisabled.Code, ErrExpired.Code, ErrNotYet.Code, ErrEnded.Code,
}

func (s *Service) count(err error) {
	p := problem.Of(err)
	for i, code := range refusalCodes {
		if code == p.Code {
			s.refused[i].Add(1)
		}
	}
}

// Refusals tells how often Check gave each refusal since the start, by its code.
func (s *Service) Refusals() map[string]uint64 {
	all := make(map[string]uint64, len(refusalCodes))
	for i, code := range refusalCodes {
		all[code] = s.refused[i].Load()
	}
	return all
}
