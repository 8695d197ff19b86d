package sqlite

import (
	"errors"
	"fmt"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

var (
	// ErrDamaged is a file that is not what was written: a flipped bit, a moved
	// piece, a missing end. The text names the file.
	ErrDamaged = errors.New("the file is damaged")
	// ErrKey is a key that does not open the file.
	ErrKey = errors.New("the key does not fit")
	// ErrFailed is a file that could not be written once. Nothing is written to it
	// until it is opened again, because nobody knows what of it is on disk.
	ErrFailed = errors.New("a write to disk failed before")
)

func damaged(name, format string, args ...any) error {
	return fmt.Errorf("%s: %w: %s", name, ErrDamaged, fmt.Sprintf(format, args...))
}

// trouble remembers the first error of each kind that SQLite was given: SQLite
// turns it into a number, and may do other things before the number comes back.
type trouble struct {
	mu     sync.Mutex
	damage error // guarded by mu
	failed error // guarded by mu
}

// corrupt notes damage and returns it as SQLite wants it.
func (t *trouble) corrupt(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.damage == nil {
		t.damage = err
	}
	return vfs.SystemError(err, sqlite3.IOERR_DATA)
}

// fail notes that a write or a sync failed.
func (t *trouble) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = err
	}
	return err
}

// broken is not nil after a sync failed. What the system then still holds in its
// cache may look written and be lost, so that trying again proves nothing.
func (t *trouble) broken() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrFailed, t.failed)
}

// explain adds to an error of SQLite what it is about.
func (s *Store) explain(err error) error {
	if err == nil {
		return nil
	}
	var code sqlite3.ErrorCode
	if !errors.As(err, &code) {
		return err
	}
	switch code {
	case sqlite3.IOERR, sqlite3.CANTOPEN, sqlite3.READONLY:
		s.trouble.mu.Lock()
		damage, failed := s.trouble.damage, s.trouble.failed
		s.trouble.mu.Unlock()
		switch {
		case damage != nil:
			return fmt.Errorf("%w (%w)", damage, err)
		case failed != nil:
			return fmt.Errorf("%w (%w)", s.trouble.broken(), err)
		}
		return fmt.Errorf("%s: %w", s.path, err)
	case sqlite3.CORRUPT, sqlite3.NOTADB:
		return fmt.Errorf("%s: %w: %w", s.path, ErrDamaged, err)
	case sqlite3.FULL:
		return fmt.Errorf("%s: the disk is full: %w", s.path, err)
	}
	return err
}
