package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// A disk is what files are kept on. Tests put one in its place that forgets what
// was not synced.
type disk interface {
	open(name string, create bool) (file, error) // fs.ErrNotExist if it is not there and may not be made
	remove(name string) error                    // nil if it is not there
	rename(from, to string) error
	syncDir(name string) error // makes the entries beside name durable
	temp(beside string) (file, error)
}

// A file is one open file of a disk.
type file interface {
	ReadAt(p []byte, off int64) (int, error) // io.EOF when p is not filled
	WriteAt(p []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Size() (int64, error)
	Lock() error // for this process alone, until Close; ErrInUse
	Close() error
}

// ErrInUse is a database that another process has open.
var ErrInUse = errors.New("another process has this database open: stop it first, or ask it by its admin socket")

type osDisk struct{}

func (osDisk) open(name string, create bool) (file, error) {
	flags := os.O_RDWR | syscall.O_NOFOLLOW
	if create {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (osDisk) rename(from, to string) error { return os.Rename(from, to) }

func (osDisk) syncDir(name string) error {
	d, err := os.Open(filepath.Dir(name))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// temp makes a file without a name. It is sealed all the same.
func (osDisk) temp(beside string) (file, error) {
	f, err := os.CreateTemp(filepath.Dir(beside), filepath.Base(beside)+"-temp-*") // mode 0600
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return osFile{f}, nil
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	i, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return i.Size(), nil
}

func (f osFile) Lock() error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// ErrReadable is a file or folder that other users of the machine can read.
var ErrReadable = errors.New("others can read it")

// private refuses a file that anybody but its owner can read, and a folder where
// others can see its files. A folder counts as closed if one above it is.
func private(name string) error {
	if hidden, err := hidden(filepath.Dir(name)); hidden || err != nil {
		return err
	}
	for _, c := range []struct{ path, advice string }{{filepath.Dir(name), "chmod 700"}, {name, "chmod 600"}} {
		i, err := os.Stat(c.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if mode := i.Mode().Perm(); mode&0o077 != 0 {
			return fmt.Errorf("%s has mode %04o, so %w: %s %s", c.path, mode, ErrReadable, c.advice, c.path)
		}
	}
	return nil
}

// hidden says whether a folder above dir lets nobody but its owner pass.
func hidden(dir string) (bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false, err
	}
	for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
		i, err := os.Stat(up)
		if err != nil {
			return false, err
		}
		if i.Mode().Perm()&0o011 == 0 {
			return true, nil
		}
	}
	return false, nil
}
