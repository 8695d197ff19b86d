package device

import (
	"context"
	"crypto/subtle"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Secret keys are kept as HMAC-SHA-256 under a key of the key ring, bound to the
// device's ID, and not by a slow password hash: thousands of boards connect at once after an
// outage, and 40 ms each would keep them out for minutes. Whoever steals the database
// cannot try passwords without the ring; whoever asks us is limited at the door. The
// keys that we suggest have 166 bits; one that a person chose has at least
// eight characters.
const (
	suggestedSecret = 28 // letters and digits
	minSecret       = 8
	maxSecret       = 128
)

var (
	// ErrSecret is a secret key that breaks the rules.
	ErrSecret = problem.New(problem.Invalid, "invalid-device-password", "A device's password has 8 to 128 printable characters.")
	// ErrWrongSecret is a check that failed.
	ErrWrongSecret = problem.New(problem.Invalid, "wrong-device-password", "That is not the device's password.")
)

// SuggestSecret makes a secret key up. Nothing is stored.
func SuggestSecret() string { return secret.Letters(suggestedSecret) }

// SetSecret gives a device another secret key. A session that was let in by the old one ends.
func (s *Service) SetSecret(ctx context.Context, who access.Actor, space, id, key string) error {
	if n := utf8.RuneCountInString(key); n < minSecret || n > maxSecret || !printable(key) {
		return ErrSecret
	}
	return s.setSecret(ctx, who, space, id, s.secretMAC(secretPlace(id, key)), "device:write-secret")
}

// DeleteSecret takes a device's secret key away. It may have none.
func (s *Service) DeleteSecret(ctx context.Context, who access.Actor, space, id string) error {
	return s.setSecret(ctx, who, space, id, nil, "device:delete-secret")
}

func (s *Service) setSecret(ctx context.Context, who access.Actor, space, id string, hash []byte, action string) error {
	if err := ours(who, space); err != nil {
		return err
	}
	_, err := s.needs.Store.change(ctx, space, id, func(r *row) error {
		if !r.admissible() {
			return ErrNotFound
		}
		r.secret = hash
		r.UpdatedAt = s.now()
		return nil
	}, s.entry(who, space, action, id, nil))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.doubts++ // for whoever is being let in by the old one
	x := s.sessions[id]
	s.mu.Unlock()
	if x != nil && x.leaf == nil && subtle.ConstantTimeCompare(x.secret, hash) != 1 {
		s.line.Drop(id, ErrNewSecret)
	}
	s.Changes.Publish(Change{Updated, space, id, s.now()})
	return nil
}

// CheckSecret says whether key is the device's secret key: nil or ErrWrongSecret.
func (s *Service) CheckSecret(ctx context.Context, who access.Actor, space, id, key string) error {
	if err := ours(who, space); err != nil {
		return err
	}
	r, err := s.needs.Store.get(ctx, space, id)
	if err != nil {
		return err
	}
	if !r.admissible() {
		return ErrNotFound
	}
	if r.secret == nil || subtle.ConstantTimeCompare(s.secretMAC(secretPlace(id, key)), r.secret) != 1 {
		return ErrWrongSecret
	}
	return nil
}
