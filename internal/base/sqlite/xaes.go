package sqlite

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
)

const (
	keySize   = 32
	tagSize   = 16
	nonceSize = 24
	prefixLen = 12 // the part of a nonce that picks the derived key
	overhead  = tagSize + nonceSize
)

// xaes derives AES-256-GCM keys from nonces: C2SP XAES-256-GCM.
type xaes struct {
	block cipher.Block
	k1    [aes.BlockSize]byte
}

func newXAES(key []byte) (*xaes, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("a database key has %d bytes, this one %d", keySize, len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	var carry byte
	for i := len(x.k1) - 1; i >= 0; i-- { // CMAC's first subkey: shift left, reduce
		x.k1[i], carry = x.k1[i]<<1|carry, x.k1[i]>>7
	}
	x.k1[len(x.k1)-1] ^= carry * 0b10000111
	return x, nil
}

// derive is the AEAD for all nonces that begin with prefix.
func (x *xaes) derive(prefix [prefixLen]byte) (cipher.AEAD, error) {
	var key [keySize]byte
	for i := range 2 {
		m := key[i*aes.BlockSize:][:aes.BlockSize]
		copy(m, []byte{0, byte(i + 1), 'X', 0})
		copy(m[4:], prefix[:])
		for j := range m {
			m[j] ^= x.k1[j]
		}
		x.block.Encrypt(m, m)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// A kind is what a sealed piece is; one cannot stand for another.
type kind byte

const (
	kindPage   kind = 'P'
	kindHeader kind = 'H' // of the log
	kindFrame  kind = 'F'
	kindMark   kind = 'M'
	kindTemp   kind = 'T'
)

const idSize = 16

// A fileID tells files apart: 8 random bytes, then 8 that only the key can make.
type fileID [idSize]byte

func newID(key []byte) fileID {
	var id fileID
	_, _ = rand.Read(id[:8]) // never fails (crypto/rand)
	copy(id[8:], proof(key, id[:8]))
	return id
}

func (id fileID) fits(key []byte) bool { return hmac.Equal(id[8:], proof(key, id[:8])) }

func proof(key, random []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("ardesia sealed database 1"))
	h.Write(random)
	return h.Sum(nil)[:8]
}

// A sealer seals and opens the pieces of one file. It may be used by any goroutine.
type sealer struct {
	id     fileID
	x      *xaes
	prefix [prefixLen]byte // of this process
	own    cipher.AEAD     // for prefix

	mu    sync.RWMutex
	older map[[prefixLen]byte]cipher.AEAD // guarded by mu: of earlier processes
}

// maxOlder bounds the derived keys that are kept; a database that many
// processes wrote has pages of many of them. One takes about 1 KiB.
const maxOlder = 1024

func newSealer(key []byte, id fileID) (*sealer, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	s := &sealer{id: id, x: x, older: make(map[[prefixLen]byte]cipher.AEAD)}
	_, _ = rand.Read(s.prefix[:])
	s.own, err = x.derive(s.prefix)
	return s, err
}

func (s *sealer) aead(prefix [prefixLen]byte) (cipher.AEAD, error) {
	if prefix == s.prefix {
		return s.own, nil
	}
	s.mu.RLock()
	a := s.older[prefix]
	s.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	a, err := s.x.derive(prefix)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.older) >= maxOlder {
		clear(s.older)
	}
	s.older[prefix] = a
	return a, nil
}

// place is what is authenticated beside the text.
type place [1 + idSize + 8]byte

func (s *sealer) place(k kind, offset int64) (p place) {
	p[0] = byte(k)
	copy(p[1:], s.id[:])
	binary.BigEndian.PutUint64(p[1+idSize:], uint64(offset))
	return p
}

// seal writes plain, its tag and its nonce to dst, which has overhead more bytes
// than plain and does not overlap it.
func (s *sealer) seal(dst, plain []byte, k kind, offset int64) {
	nonce := dst[len(plain)+tagSize:][:nonceSize]
	copy(nonce, s.prefix[:])
	_, _ = rand.Read(nonce[prefixLen:])
	at := s.place(k, offset)
	s.own.Seal(dst[:0], nonce[prefixLen:], plain, at[:])
}

// open writes the text of sealed to dst, which has overhead fewer bytes and may
// begin where sealed begins. It says whether sealed is whole and in its place.
func (s *sealer) open(dst, sealed []byte, k kind, offset int64) bool {
	n := len(sealed) - overhead
	var nonce [nonceSize]byte
	copy(nonce[:], sealed[n+tagSize:])
	a, err := s.aead([prefixLen]byte(nonce[:]))
	if err != nil {
		return false
	}
	at := s.place(k, offset)
	_, err = a.Open(dst[:0:n], nonce[prefixLen:], sealed[:n+tagSize], at[:])
	return err == nil
}
