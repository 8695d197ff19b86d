package sqlite

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// free is what files have in common that one connection has to itself.
type free struct{}

func (free) Lock(vfs.LockLevel) error                        { return nil }
func (free) Unlock(vfs.LockLevel) error                      { return nil }
func (free) CheckReservedLock() (bool, error)                { return false, nil }
func (free) SectorSize() int                                 { return pageSize }
func (free) Sync(vfs.SyncFlag) error                         { return nil }
func (free) DeviceCharacteristics() vfs.DeviceCharacteristic { return 0 }

// memFile is a file in memory.
type memFile struct {
	free
	b []byte
}

func (m *memFile) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// maxJournal bounds a journal in memory, in bytes. A file that is being made has
// nothing to go back to, so its journal holds headers only.
const maxJournal = 64 << 20

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	end := off + int64(len(p))
	if end > maxJournal {
		return 0, sqlite3.FULL
	}
	if end > int64(len(m.b)) {
		m.b = append(m.b, make([]byte, end-int64(len(m.b)))...)
	}
	return copy(m.b[off:], p), nil
}

func (m *memFile) Truncate(size int64) error {
	if size < int64(len(m.b)) {
		m.b = m.b[:size]
	}
	return nil
}

func (m *memFile) Size() (int64, error) { return int64(len(m.b)), nil }
func (m *memFile) Close() error         { return nil }

// tempFile is a sealed file without a name: sorts, statement journals, what does
// not fit in memory. Its key is random and is forgotten with it. SQLite writes it
// in pieces of any size, so the block that was used last is kept open.
type tempFile struct {
	free
	name  string
	f     file
	s     *sealer
	size  int64 // of the text
	block int64 // which is open
	dirty bool
	text  [textSize]byte // of the block that is open
	out   [pageSize]byte
}

func (s *Store) openTemp() (vfs.File, error) {
	key := make([]byte, keySize)
	_, _ = rand.Read(key)
	sealer, err := newSealer(key, newID(key))
	if err != nil {
		return nil, err
	}
	f, err := s.disk.temp(s.path)
	if err != nil {
		return nil, err
	}
	return &tempFile{name: s.path + " (temporary file)", f: f, s: sealer}, nil
}

// open makes block n the open one.
func (t *tempFile) open(n int64) error {
	if n == t.block {
		return nil
	}
	if err := t.flush(); err != nil {
		return err
	}
	t.block = n
	_, err := t.f.ReadAt(t.out[:], n*pageSize)
	switch {
	case errors.Is(err, io.EOF): // never written
		clear(t.text[:])
		return nil
	case err != nil:
		t.block = -1
		return fmt.Errorf("%s: %w", t.name, err)
	}
	if t.out == [pageSize]byte{} { // skipped when a later block was written
		clear(t.text[:])
		return nil
	}
	if !t.s.open(t.text[:], t.out[:], kindTemp, n) {
		t.block = -1
		return vfs.SystemError(damaged(t.name, "block %d is not what was written", n), sqlite3.IOERR_DATA)
	}
	return nil
}

func (t *tempFile) flush() error {
	if !t.dirty {
		return nil
	}
	t.s.seal(t.out[:], t.text[:], kindTemp, t.block)
	if _, err := t.f.WriteAt(t.out[:], t.block*pageSize); err != nil {
		return writeError(t.name, err)
	}
	t.dirty = false
	return nil
}

func (t *tempFile) ReadAt(p []byte, off int64) (int, error) {
	want := len(p)
	if left := t.size - off; left < int64(want) {
		p = p[:max(0, left)]
	}
	n := 0
	for n < len(p) {
		if err := t.open((off + int64(n)) / textSize); err != nil {
			return n, err
		}
		n += copy(p[n:], t.text[(off+int64(n))%textSize:])
	}
	if n < want {
		return n, io.EOF
	}
	return n, nil
}

func (t *tempFile) WriteAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		if err := t.open((off + int64(n)) / textSize); err != nil {
			return n, err
		}
		n += copy(t.text[(off+int64(n))%textSize:], p[n:])
		t.dirty = true
		t.size = max(t.size, off+int64(n))
	}
	return n, nil
}

// Truncate cuts the file. What is cut must read as zero if the file grows again.
func (t *tempFile) Truncate(size int64) error {
	if size >= t.size {
		return nil
	}
	if rest := size % textSize; rest != 0 {
		if err := t.open(size / textSize); err != nil {
			return err
		}
		clear(t.text[rest:])
		t.dirty = true
		if err := t.flush(); err != nil {
			return err
		}
	} else if t.block >= size/textSize {
		t.block, t.dirty = -1, false
	}
	t.size = size
	return t.f.Truncate((size + textSize - 1) / textSize * pageSize)
}

func (t *tempFile) Size() (int64, error) { return t.size, nil }
func (t *tempFile) Close() error         { return t.f.Close() }
