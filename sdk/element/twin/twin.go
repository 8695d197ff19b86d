// Package twin is a secure element in software: keys and slots in one file, sealed with a key that
// is derived from a passphrase or a device's secret. It is for devices without
// an element, for simulated boards and for tests.
//
// It protects what is in a stolen file or backup. It does not protect keys from who can read the memory of the process:
// only a chip does.
package twin

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/sdk/element"
)

// Bounds of one element.
const (
	MaxSlot = 255
	MaxData = 1024 // bytes in one slot
)

var (
	// ErrSealed is a passphrase that does not open the file, or a file that was changed;
	// one cannot tell which.
	ErrSealed = errors.New("twin: the passphrase is wrong or the file is damaged")
	// ErrFormat is a file that is no element at all.
	ErrFormat = errors.New("twin: this file is not a secure element")
	// ErrReadable is a file that others than its owner may read.
	ErrReadable = errors.New("twin: other users can read the file; give it mode 0600")
	// ErrChanged is a file that somebody else wrote since it was opened.
	ErrChanged = errors.New("twin: another program changed the file; open it again")
)

// Config is how Create makes an element. The zero value is good.
type Config struct {
	Serial []byte // 6 to 32 bytes; nil: 9 random ones
	// Memory, in KiB, and Passes are the cost of trying one passphrase (Argon2id). 0: 19 MiB and 2
	// passes, which OWASP recommends. A small device whose secret is random may set less. At most 64 MiB and 8 passes.
	Memory uint32
	Passes uint32
}

// A Twin is an open element. It implements element.Locker.
type Twin struct {
	path string
	seal sealer

	mu      sync.Mutex
	content content           // guarded by mu
	written [sha256.Size]byte // guarded by mu: hash of the file as we know it
}

// content is what the file says.
type content struct {
	locked bool
	serial []byte
	keys   map[int]*ecdsa.PrivateKey
	data   map[int][]byte
}

func (c content) clone() content {
	keys, data := make(map[int]*ecdsa.PrivateKey, len(c.keys)), make(map[int][]byte, len(c.data))
	for slot, key := range c.keys {
		keys[slot] = key
	}
	for slot, b := range c.data {
		data[slot] = b
	}
	c.keys, c.data = keys, data
	return c
}

// Create makes a new, unlocked element. The file must not exist.
func Create(path string, passphrase []byte, c Config) (*Twin, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("twin: a passphrase is needed")
	}
	if c.Serial == nil {
		c.Serial = make([]byte, 9)
		rand.Read(c.Serial) // never fails
	}
	if len(c.Serial) < 6 || len(c.Serial) > maxSerial {
		return nil, fmt.Errorf("twin: a serial number of %d bytes", len(c.Serial))
	}
	if c.Memory == 0 {
		c.Memory = 19 << 10
	}
	if c.Passes == 0 {
		c.Passes = 2
	}
	h := header{memory: c.Memory, passes: c.Passes}
	rand.Read(h.salt[:])
	seal, err := h.derive(passphrase)
	if err != nil {
		return nil, err
	}
	t := &Twin{path: path, seal: seal, content: content{serial: slices.Clone(c.Serial)}.clone()}
	file := seal.close(encode(t.content))
	if err := createFile(path, file); err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	t.written = sha256.Sum256(file)
	return t, nil
}

// Open opens an element that Create made.
func Open(path string, passphrase []byte) (*Twin, error) {
	file, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	seal, c, err := open(file, passphrase)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Twin{path: path, seal: seal, content: c, written: sha256.Sum256(file)}, nil
}

func open(file, passphrase []byte) (sealer, content, error) {
	h, sealed, err := readHeader(file)
	if err != nil {
		return sealer{}, content{}, err
	}
	seal, err := h.derive(passphrase)
	if err != nil {
		return sealer{}, content{}, err
	}
	plain, err := seal.open(sealed)
	if err != nil {
		return sealer{}, content{}, err
	}
	c, err := decode(plain)
	if err != nil {
		return sealer{}, content{}, err
	}
	return seal, c, nil
}

// change writes what edit makes of the content, and takes it over when it is on disk.
func (t *Twin) change(edit func(*content)) error {
	file, err := readFile(t.path)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.path, err)
	}
	if sha256.Sum256(file) != t.written {
		return ErrChanged
	}
	next := t.content.clone()
	edit(&next)
	file = t.seal.close(encode(next))
	if err := replaceFile(t.path, file); err != nil {
		// Whether the old or the new file is there we do not know: the next change finds out.
		return fmt.Errorf("write %s: %w", t.path, err)
	}
	t.content, t.written = next, sha256.Sum256(file)
	return nil
}

// Serial is the element's number.
func (t *Twin) Serial() ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.content.serial), nil
}

// Random fills b.
func (t *Twin) Random(b []byte) error {
	_, err := rand.Read(b)
	return err
}

// Locked tells whether Lock was called.
func (t *Twin) Locked() (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.content.locked, nil
}

// Lock fixes the configuration.
func (t *Twin) Lock() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.content.locked {
		return nil
	}
	return t.change(func(c *content) { c.locked = true })
}

// GenerateKey makes a new key.
func (t *Twin) GenerateKey(slot int) (*ecdsa.PublicKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(slot); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := t.change(func(c *content) { c.keys[slot] = key }); err != nil {
		return nil, err
	}
	return &key.PublicKey, nil
}

// usable is called with mu held.
func (t *Twin) usable(slot int) error {
	if slot < 0 || slot > MaxSlot {
		return element.ErrSlot
	}
	if !t.content.locked {
		return element.ErrUnlocked
	}
	return nil
}

// PublicKey is the public half of a key.
func (t *Twin) PublicKey(slot int) (*ecdsa.PublicKey, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key, is := t.content.keys[slot]
	if !is {
		return nil, element.ErrNoKey
	}
	return &key.PublicKey, nil
}

// Sign signs a digest.
func (t *Twin) Sign(slot int, digest [32]byte) ([64]byte, error) {
	t.mu.Lock()
	key, is := t.content.keys[slot]
	t.mu.Unlock()
	if !is {
		return [64]byte{}, element.ErrNoKey
	}
	der, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return [64]byte{}, err
	}
	return boardcert.ParseSignature(der)
}

// Read returns what a slot holds.
func (t *Twin) Read(slot int) ([]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, is := t.content.data[slot]
	if !is {
		return nil, element.ErrEmpty
	}
	return bytes.Clone(b), nil
}

// Write replaces what a slot holds. It does nothing when that is the same.
func (t *Twin) Write(slot int, data []byte) error {
	if slot < 0 || slot > MaxSlot || len(data) > MaxData {
		return element.ErrSlot
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if b, is := t.content.data[slot]; is && bytes.Equal(b, data) {
		return nil
	}
	return t.change(func(c *content) { c.data[slot] = append([]byte{}, data...) })
}

// Import puts a key that was made elsewhere into a slot, in PKCS #8 or SEC 1 (DER). A chip cannot do
// that; it is for moving a device that had its key in a file.
func (t *Twin) Import(slot int, der []byte) error {
	key, err := parseKey(der)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(slot); err != nil {
		return err
	}
	return t.change(func(c *content) { c.keys[slot] = key })
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	if any, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if key, ok := any.(*ecdsa.PrivateKey); ok && key.Curve == elliptic.P256() {
			return key, nil
		}
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil && key.Curve == elliptic.P256() {
		return key, nil
	}
	return nil, errors.New("twin: this is not a private key on P-256 in DER")
}

var _ element.Locker = (*Twin)(nil)

func isOpenToOthers(info os.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
