package keys

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

const (
	rootName = "root.key"
	nextName = "root.key.new" // the root key that a rotation goes to
)

// fileRoot is the Provider for a root key in a file.
type fileRoot struct {
	id   string
	seal *sealer
}

func newFileRoot(key []byte) (*fileRoot, error) {
	id := idOf(key)
	raw, err := hex.DecodeString(id)
	if err != nil {
		return nil, err
	}
	k, err := newSealKey(binary.BigEndian.Uint32(raw), key)
	if err != nil {
		return nil, err
	}
	return &fileRoot{id: id, seal: &sealer{keys: []*sealKey{k}}}, nil
}

func (f *fileRoot) ID() string { return f.id }

func (f *fileRoot) Wrap(_ context.Context, key, aad []byte) ([]byte, error) {
	return f.seal.Seal(key, aad)
}

func (f *fileRoot) Unwrap(_ context.Context, wrapped, aad []byte) ([]byte, error) {
	return f.seal.Open(wrapped, aad)
}

// ReadRoot returns the Provider for a root key in a file that is not in its
// place: a copy that was kept to restore a backup with.
func ReadRoot(path string, passphrase secret.String) (Provider, error) {
	b, err := readPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("read a root key: %w", err)
	}
	return openRootFile(path, b, passphrase)
}

func openRootFile(path string, b []byte, passphrase secret.String) (*fileRoot, error) {
	f, err := parseKeyFile(path, whatRoot, b)
	if err != nil {
		return nil, err
	}
	key, err := f.unlock(path, passphrase)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newFileRoot(key)
}

// makeRootFile puts a fresh root key under name, which may be rootName or nextName.
func (d disk) makeRootFile(name string, o Options) (*fileRoot, error) {
	key := secret.Random(keyBytes)
	defer clear(key)
	f, err := newKeyFile(whatRoot, key, o.Passphrase, nil, o.Now())
	if err != nil {
		return nil, err
	}
	if err := d.replace(name, f.encode()); err != nil {
		return nil, err
	}
	return newFileRoot(key)
}

// rootFor returns the Provider whose ID is want: what keys.json says that it is
// wrapped by. It ends a rotation that a power cut interrupted, in the direction
// that keys.json tells, and only once the root key that stays could be opened.
func (d disk) rootFor(want string, o Options) (Provider, error) {
	if o.Root != nil {
		if o.Root.ID() != want {
			return nil, d.wrongRoot(want, "the root key at hand is "+o.Root.ID())
		}
		return o.Root, nil
	}
	next, err := d.peek(nextName)
	if err != nil {
		return nil, err
	}
	if next.ID == want {
		// Cut after step 3 of docs/acts/rotate-root-key.md.
		return openRootFile(d.path(nextName), next.encode(), o.Passphrase)
	}
	b, err := d.read(rootName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrMissing.With(fmt.Sprintf("%s is missing. It holds the root key %s, by which %s is wrapped. Put it back from where you keep a copy, or restore a backup (docs/acts/restore.md).", d.path(rootName), want, d.path(storeName)))
	}
	if err != nil {
		return nil, err
	}
	f, err := parseKeyFile(d.path(rootName), whatRoot, b)
	if err != nil {
		return nil, err
	}
	if f.ID != want {
		return nil, d.wrongRoot(want, d.path(rootName)+" holds the root key "+f.ID)
	}
	return openRootFile(d.path(rootName), b, o.Passphrase)
}

// peek reads a root key file without opening it; the zero keyFile if there is none.
func (d disk) peek(name string) (keyFile, error) {
	b, err := d.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return keyFile{}, nil
	}
	if err != nil {
		return keyFile{}, err
	}
	return parseKeyFile(d.path(name), whatRoot, b)
}

func (d disk) wrongRoot(want, have string) error {
	return ErrWrongKey.With(fmt.Sprintf("%s is wrapped by the root key %s, but %s. Give the root key that belongs to this directory.", d.path(storeName), want, have))
}

// settle brings the files of the root key in line with keys.json, which is
// wrapped by the root key named want and could be opened with it.
func (d disk) settle(want string, outside bool) error {
	next, err := d.peek(nextName)
	switch {
	case err != nil && !outside:
		return err
	case next.ID == want && !outside:
		if err := d.blank(rootName); err != nil {
			return fmt.Errorf("overwrite the old root key: %w", err)
		}
		return d.move(nextName, rootName)
	}
	useless := []string{nextName}
	if outside {
		useless = append(useless, rootName)
	}
	for _, name := range useless {
		there, err := d.exists(name)
		if err == nil && there {
			err = d.destroy(name)
		}
		if err != nil {
			return fmt.Errorf("destroy %s, which wraps nothing any more: %w", d.path(name), err)
		}
	}
	return nil
}
