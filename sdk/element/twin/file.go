package twin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/crypto/argon2"
)

// The file:
//
//	16 bytes  "ARDESIA-ELEMENT\x01", the version being the last byte
//	 4 + 4    memory in KiB and passes of Argon2id, big-endian
//	16        its salt
//	12        nonce
//	…         AES-256-GCM of the content, with everything up to the nonce as additional data
//
// The content:
//
//	1 locked; 1 length and the serial number;
//	2 number of keys, each 1 slot and 32 private scalar;
//	2 number of data slots, each 1 slot, 2 length and the data
//
// both in order of slots, so that one content has one form.
const (
	magic       = "ARDESIA-ELEMENT\x01"
	headerBytes = 16 + 4 + 4 + 16
	nonceBytes  = 12
	maxSerial   = 32
	maxMemory   = 64 << 10 // KiB
	maxPasses   = 8
	maxFile     = 1 << 20 // all slots full are 290 kB
)

type header struct {
	memory, passes uint32
	salt           [16]byte
}

func (h header) bytes() []byte {
	b := make([]byte, 0, headerBytes)
	b = append(b, magic...)
	b = binary.BigEndian.AppendUint32(b, h.memory)
	b = binary.BigEndian.AppendUint32(b, h.passes)
	return append(b, h.salt[:]...)
}

func readHeader(file []byte) (h header, sealed []byte, err error) {
	if len(file) < headerBytes+nonceBytes || string(file[:len(magic)]) != magic {
		return header{}, nil, ErrFormat
	}
	h.memory = binary.BigEndian.Uint32(file[16:])
	h.passes = binary.BigEndian.Uint32(file[20:])
	copy(h.salt[:], file[24:])
	return h, file[headerBytes:], nil
}

// A sealer has the key of one file.
type sealer struct {
	header header
	gcm    cipher.AEAD
}

func (h header) derive(passphrase []byte) (sealer, error) {
	// The bound comes first: it is the file that says how much to compute.
	if h.memory < 8 || h.memory > maxMemory || h.passes < 1 || h.passes > maxPasses {
		return sealer{}, fmt.Errorf("%w: %d KiB and %d passes", ErrFormat, h.memory, h.passes)
	}
	key := argon2.IDKey(passphrase, h.salt[:], h.passes, h.memory, 1, 32)
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return sealer{}, err
	}
	return sealer{header: h, gcm: gcm}, nil
}

func (s sealer) close(plain []byte) []byte {
	file := s.header.bytes()
	var nonce [nonceBytes]byte
	rand.Read(nonce[:]) // an element is written some hundred times in its life
	return s.gcm.Seal(append(file, nonce[:]...), nonce[:], plain, file)
}

func (s sealer) open(sealed []byte) ([]byte, error) {
	plain, err := s.gcm.Open(nil, sealed[:nonceBytes], sealed[nonceBytes:], s.header.bytes())
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

func encode(c content) []byte {
	b := []byte{0, byte(len(c.serial))}
	if c.locked {
		b[0] = 1
	}
	b = append(b, c.serial...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.keys)))
	for _, slot := range slices.Sorted(maps.Keys(c.keys)) {
		scalar, err := c.keys[slot].Bytes()
		if err != nil {
			panic(err) // all keys that we take are on P-256
		}
		b = append(append(b, byte(slot)), scalar...)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.data)))
	for _, slot := range slices.Sorted(maps.Keys(c.data)) {
		b = append(b, byte(slot))
		b = binary.BigEndian.AppendUint16(b, uint16(len(c.data[slot])))
		b = append(b, c.data[slot]...)
	}
	return b
}

// decode reads what encode writes, and nothing else.
func decode(b []byte) (content, error) {
	r := reader{rest: b}
	c := content{keys: map[int]*ecdsa.PrivateKey{}, data: map[int][]byte{}}
	locked := r.number(1)
	c.locked = locked == 1
	c.serial = append([]byte{}, r.take(r.number(1))...)
	last := -1
	for range r.number(2) {
		slot := r.number(1)
		scalar := r.take(32)
		if r.short || slot <= last {
			return content{}, ErrFormat
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err != nil {
			return content{}, ErrFormat
		}
		c.keys[slot], last = key, slot
	}
	last = -1
	for range r.number(2) {
		slot := r.number(1)
		data := r.take(r.number(2))
		if r.short || slot <= last || len(data) > MaxData {
			return content{}, ErrFormat
		}
		c.data[slot], last = append([]byte{}, data...), slot
	}
	if r.short || len(r.rest) != 0 || locked > 1 || len(c.serial) < 6 || len(c.serial) > maxSerial {
		return content{}, ErrFormat
	}
	return c, nil
}

// A reader takes from the front; after the end everything is zero and short is set.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if r.short || n > len(r.rest) {
		r.short = true
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) number(width int) int {
	n := 0
	for _, b := range r.take(width) {
		n = n<<8 | int(b)
	}
	return n
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && isOpenToOthers(info) { // Windows has no such modes
		return nil, ErrReadable
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, ErrFormat
	}
	return b, nil
}

func createFile(path string, b []byte) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return err
	}
	return replaceFile(path, b)
}

// replaceFile writes all or nothing: a cut of the power leaves the old file or the new one.
func replaceFile(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
