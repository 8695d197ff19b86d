package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead/xaesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// The format of everything that a Sealer makes, which is also Tink's for
// X-AES-GCM keys with the TINK prefix:
//
//	0   1  version, 1
//	1   4  key id, big-endian: which key of the keyset
//	5  12  salt: picks the AES-256 key that is derived for this message
//	17 12  nonce for AES-256-GCM under the derived key
//	29  n  ciphertext, as long as the plaintext
//	..  16 tag
//
// Salt and nonce are the 24-byte nonce of XAES-256-GCM (c2sp.org/XAES-256-GCM),
// so that random nonces may be used for as many messages as anyone will ever seal;
// plain AES-256-GCM allows 2^32 per key (NIST SP 800-38D, 8.3), which a log with
// 500 commits a second passes within 100 days. One salt serves many messages of one process,
// so that the derived key is made once and not per message.
const (
	sealVersion = 1
	prefixBytes = 1 + 4
	saltBytes   = 12
	nonceBytes  = 12
	headBytes   = prefixBytes + saltBytes + nonceBytes
	tagBytes    = 16

	// Overhead is how much longer a sealed value is than the plain one.
	Overhead = headBytes + tagBytes
)

// perSalt is after how many messages a process takes a new salt, well below
// the 2^32 that GCM allows with random nonces.
const perSalt = 1 << 30

// A Sealer seals values under one data key. All methods may be called from any
// goroutine. Ask the Ring again for each act instead of keeping a Sealer: an
// erased one answers ErrErased, but only in the process that erased it.
//
// aad says what a value is and where it stands (table, row, column, version, joined so that no two
// places read the same); it is not stored, and Open with any other is ErrSeal. The version and the key's
// id are always part of it.
type Sealer interface {
	// Seal returns plain, sealed: Overhead bytes longer. The only error is ErrErased.
	Seal(plain, aad []byte) ([]byte, error)
	// Open returns what Seal was given, or ErrSeal when any bit of sealed or aad differs.
	Open(sealed, aad []byte) ([]byte, error)
}

// An Appender is a Sealer that writes to memory of its caller. Every Sealer of
// a Ring is one. On an error dst comes back as it was. dst must not overlap the input.
type Appender interface {
	Sealer
	AppendSeal(dst, plain, aad []byte) ([]byte, error)
	AppendOpen(dst, sealed, aad []byte) ([]byte, error)
}

// sealer implements Appender.
type sealer struct {
	keys   []*sealKey // the first one seals, all of them open; never empty, never changed
	erased atomic.Bool

	whole *sealer // of a part: the key of its space, with which it goes; else nil
	space string  // the id of that space
}

// gone says whether s, or what it is a part of, was erased.
func (s *sealer) gone() bool {
	return s.erased.Load() || s.whole != nil && s.whole.erased.Load()
}

// sealKey is one 256-bit key of a sealer.
type sealKey struct {
	prefix  [prefixBytes]byte
	long    cipher.Block           // AES-256 under the key itself
	k1      [aes.BlockSize]byte    // CMAC subkey, by which XAES derives
	sealing atomic.Pointer[salted] // made on first use
	// opening remembers keys derived for other processes' salts; a salt has one
	// place in it, and the last one there stays.
	opening [8]atomic.Pointer[salted]
}

// salted is the AES-256-GCM key derived for one salt.
type salted struct {
	salt [saltBytes]byte
	gcm  cipher.AEAD
	used atomic.Int64 // messages sealed
}

// newSealKey makes a sealKey of a 32-byte key.
func newSealKey(id uint32, key []byte) (*sealKey, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("a key of %d bytes, want 32", len(key))
	}
	long, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	k := &sealKey{long: long}
	k.prefix[0] = sealVersion
	binary.BigEndian.PutUint32(k.prefix[1:], id)
	// NIST SP 800-38B, 6.1: double L = AES(0) in GF(2^128).
	long.Encrypt(k.k1[:], k.k1[:])
	carry := byte(0)
	for i := len(k.k1) - 1; i >= 0; i-- {
		k.k1[i], carry = k.k1[i]<<1|carry, k.k1[i]>>7
	}
	k.k1[len(k.k1)-1] ^= carry * 0x87
	return k, nil
}

// derive returns the key for one salt: the two CMACs of XAES-256-GCM over
// counter 1 and 2, label "X" and the salt.
func (k *sealKey) derive(salt []byte) (*salted, error) {
	var derived [32]byte
	for i := range 2 {
		block := derived[i*aes.BlockSize : (i+1)*aes.BlockSize]
		block[1], block[2] = byte(i+1), 'X'
		copy(block[4:], salt)
		for j := range block {
			block[j] ^= k.k1[j]
		}
		k.long.Encrypt(block, block)
	}
	gcm, err := newGCM(derived[:])
	clear(derived[:])
	if err != nil {
		return nil, err
	}
	return &salted{salt: [saltBytes]byte(salt), gcm: gcm}, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// forSealing returns the key for this process's salt, and a new one after perSalt messages.
func (k *sealKey) forSealing() (*salted, error) {
	now := k.sealing.Load()
	if now != nil && now.used.Add(1) <= perSalt {
		return now, nil
	}
	var salt [saltBytes]byte
	_, _ = rand.Read(salt[:]) // never fails
	fresh, err := k.derive(salt[:])
	if err != nil {
		return nil, err
	}
	fresh.used.Store(1)
	// When another goroutine was faster this message has a salt of its own.
	k.sealing.CompareAndSwap(now, fresh)
	return fresh, nil
}

// forOpening returns the key for a salt that anyone may have taken.
func (k *sealKey) forOpening(salt []byte) (*salted, error) {
	if now := k.sealing.Load(); now != nil && string(now.salt[:]) == string(salt) {
		return now, nil
	}
	place := &k.opening[salt[0]%uint8(len(k.opening))]
	if known := place.Load(); known != nil && string(known.salt[:]) == string(salt) {
		return known, nil
	}
	return k.derive(salt)
}

// remember keeps s for the next message with its salt. It is called only after a message
// proved to be genuine, so that nobody can fill the places with salts of their own.
func (k *sealKey) remember(s *salted) {
	if k.sealing.Load() != s {
		k.opening[s.salt[0]%uint8(len(k.opening))].Store(s)
	}
}

// forget drops everything that was derived.
func (k *sealKey) forget() {
	k.sealing.Store(nil)
	for i := range k.opening {
		k.opening[i].Store(nil)
	}
}

// bound is scratch memory for prefix and aad.
var bound = sync.Pool{New: func() any { return new([]byte) }}

// Seal implements Sealer.
func (s *sealer) Seal(plain, aad []byte) ([]byte, error) { return s.AppendSeal(nil, plain, aad) }

// Open implements Sealer.
func (s *sealer) Open(sealed, aad []byte) ([]byte, error) { return s.AppendOpen(nil, sealed, aad) }

// AppendSeal implements Appender.
func (s *sealer) AppendSeal(dst, plain, aad []byte) ([]byte, error) {
	if s.gone() {
		return dst, ErrErased
	}
	k := s.keys[0]
	with, err := k.forSealing()
	if err != nil {
		return dst, fmt.Errorf("derive a key: %w", err)
	}
	start := len(dst)
	out := slices.Grow(dst, Overhead+len(plain))[:start+headBytes]
	head := out[start:]
	copy(head, k.prefix[:])
	copy(head[prefixBytes:], with.salt[:])
	nonce := head[prefixBytes+saltBytes:]
	// Random and not a counter: a counter repeats when a machine is copied with its memory.
	_, _ = rand.Read(nonce) // never fails

	scratch := bound.Get().(*[]byte)
	*scratch = append(append((*scratch)[:0], k.prefix[:]...), aad...)
	out = with.gcm.Seal(out, nonce, plain, *scratch)
	bound.Put(scratch)
	return out, nil
}

// AppendOpen implements Appender.
func (s *sealer) AppendOpen(dst, sealed, aad []byte) ([]byte, error) {
	if s.gone() {
		return dst, ErrErased
	}
	if len(sealed) < Overhead {
		return dst, ErrSeal
	}
	var k *sealKey
	for _, one := range s.keys {
		if string(one.prefix[:]) == string(sealed[:prefixBytes]) {
			k = one
		}
	}
	if k == nil {
		return dst, ErrSeal
	}
	with, err := k.forOpening(sealed[prefixBytes : prefixBytes+saltBytes])
	if err != nil {
		return dst, fmt.Errorf("derive a key: %w", err)
	}
	scratch := bound.Get().(*[]byte)
	*scratch = append(append((*scratch)[:0], k.prefix[:]...), aad...)
	out, err := with.gcm.Open(dst, sealed[prefixBytes+saltBytes:headBytes], sealed[headBytes:], *scratch)
	bound.Put(scratch)
	if err != nil {
		return dst, ErrSeal
	}
	k.remember(with)
	return out, nil
}

// erase makes s useless to everyone who still holds it.
func (s *sealer) erase() {
	s.erased.Store(true)
	for _, k := range s.keys {
		k.forget()
	}
}

// newSealer makes a sealer of a Tink keyset of XAES-256-GCM keys.
func newSealer(h *keyset.Handle) (*sealer, error) {
	s := &sealer{}
	for i := range h.Len() {
		e, err := h.Entry(i)
		if err != nil {
			return nil, err
		}
		if e.KeyStatus() != keyset.Enabled {
			continue
		}
		x, ok := e.Key().(*xaesgcm.Key)
		if !ok {
			return nil, fmt.Errorf("key %08x is a %T, want XAES-256-GCM", e.KeyID(), e.Key())
		}
		p := x.Parameters().(*xaesgcm.Parameters)
		if p.SaltSizeInBytes() != saltBytes || p.Variant() != xaesgcm.VariantTink {
			return nil, fmt.Errorf("key %08x has another salt or prefix than ours", e.KeyID())
		}
		k, err := newSealKey(e.KeyID(), x.KeyBytes().Data(insecuresecretdataaccess.Token{}))
		if err != nil {
			return nil, err
		}
		if e.IsPrimary() {
			s.keys = slices.Insert(s.keys, 0, k)
		} else {
			s.keys = append(s.keys, k)
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("the keyset has no enabled key")
	}
	return s, nil
}

// id is the key that seals.
func (s *sealer) id() uint32 { return binary.BigEndian.Uint32(s.keys[0].prefix[1:]) }

// under returns a sealer that seals with the key of that id, nil if s has none.
func (s *sealer) under(id uint32) *sealer {
	for _, k := range s.keys {
		if binary.BigEndian.Uint32(k.prefix[1:]) == id {
			return &sealer{keys: []*sealKey{k}}
		}
	}
	return nil
}
