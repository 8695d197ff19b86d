package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrNoLetter is a name of a letter that the folder does not have.
var ErrNoLetter = problem.New(problem.NotFound, "mail-not-found", "There is no such letter.")

// keepLetters is how many letters a Folder keeps; the oldest go.
const keepLetters = 500

// A Folder keeps letters as files instead of sending them, for a developer and for an
// installation that has no mail server. They are not encrypted: who can read the directory reads them.
type Folder struct {
	dir string
	mu  sync.Mutex // one writer, so that what is too old is counted right
}

// NewFolder is a sender that writes into dir, which the first letter makes.
func NewFolder(dir string) *Folder { return &Folder{dir: dir} }

// String says where letters go.
func (f *Folder) String() string { return "folder " + f.dir }

// fileName is what name makes.
var fileName = regexp.MustCompile(`^\d{8}T\d{6}\.\d{6}-[0-9a-f]{16}\.eml$`)

// name sorts letters by time; the same letter has the same name each time that it is sent.
func name(m Message) string {
	sum := sha256.Sum256([]byte(m.ID))
	return m.At.UTC().Format("20060102T150405.000000") + "-" + hex.EncodeToString(sum[:8]) + ".eml"
}

// Send writes the letter, whole or not at all, for the owner of the process alone.
func (f *Folder) Send(_ context.Context, m Message) error {
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.write(name(m), text); err != nil {
		return fmt.Errorf("keep a letter: %w", err)
	}
	return f.prune()
}

func (f *Folder) write(name string, text []byte) error {
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(f.dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = tmp.Write(text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), filepath.Join(f.dir, name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	d, err := os.Open(f.dir) // the name is on disk when its directory is
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (f *Folder) prune() error {
	names, err := f.List()
	if err != nil {
		return err
	}
	for _, old := range names[min(keepLetters, len(names)):] {
		if err := os.Remove(filepath.Join(f.dir, old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// List are the names of all letters, the newest first; none when nothing was ever sent.
func (f *Folder) List() ([]string, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && fileName.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

// Open reads a letter of List, or says ErrNoLetter.
func (f *Folder) Open(name string) (Message, error) {
	if !fileName.MatchString(name) {
		return Message{}, ErrNoLetter
	}
	file, err := os.Open(filepath.Join(f.dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return Message{}, ErrNoLetter
	}
	if err != nil {
		return Message{}, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxEncoded+1))
	if err != nil {
		return Message{}, err
	}
	return Parse(text)
}
