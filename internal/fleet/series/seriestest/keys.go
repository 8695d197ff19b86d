// Package seriestest has what tests and benchmarks of history need: a data set that
// looks like what boards send, and keys that need no key ring.
package seriestest

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"sync"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// Keys are AES-256-GCM keys made from the names of things, so that two processes of one
// test have the same. They keep nothing secret. The zero value is ready.
type Keys struct {
	mu     sync.Mutex
	made   map[string]keys.Sealer // guarded by mu
	erased map[string]bool        // guarded by mu
}

// Thing is the key of a thing, or keys.ErrErased after Erase of it or of its space.
func (k *Keys) Thing(_ context.Context, space, id string) (keys.Sealer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.erased[id] || k.erased[space] {
		return nil, keys.ErrErased
	}
	if s, ok := k.made[id]; ok {
		return s, nil
	}
	sum := sha256.Sum256([]byte("seriestest " + id))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if k.made == nil {
		k.made = make(map[string]keys.Sealer)
	}
	k.made[id] = sealer{gcm}
	return k.made[id], nil
}

// Erase destroys the key of a thing, or those of all things of a space.
func (k *Keys) Erase(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.erased == nil {
		k.erased = make(map[string]bool)
	}
	k.erased[id] = true
}

// sealer pads to the length of the real thing, so that sizes are comparable.
type sealer struct{ gcm cipher.AEAD }

const pad = keys.Overhead - 12 - 16

func (s sealer) Seal(plain, aad []byte) ([]byte, error) { return s.AppendSeal(nil, plain, aad) }
func (s sealer) Open(b, aad []byte) ([]byte, error)     { return s.AppendOpen(nil, b, aad) }

func (s sealer) AppendSeal(dst, plain, aad []byte) ([]byte, error) {
	var head [pad + 12]byte
	if _, err := rand.Read(head[pad:]); err != nil {
		return dst, err
	}
	dst = append(dst, head[:]...)
	return s.gcm.Seal(dst, head[pad:], plain, aad), nil
}

func (s sealer) AppendOpen(dst, b, aad []byte) ([]byte, error) {
	if len(b) < keys.Overhead || [pad]byte(b[:pad]) != ([pad]byte{}) {
		return dst, keys.ErrSeal
	}
	out, err := s.gcm.Open(dst, b[pad:pad+12], b[pad+12:], aad)
	if err != nil {
		return dst, keys.ErrSeal
	}
	return out, nil
}
