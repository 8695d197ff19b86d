package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// maxFile bounds each file with keys. keys.json with everything in it has about 5 KiB.
const maxFile = 64 << 10

// disk is DIR/keys.
type disk struct {
	dir string
	cut func(step string) error // nil outside tests
}

func (d disk) path(name string) string { return filepath.Join(d.dir, name) }

// step is where a test may cut the power.
func (d disk) step(name string) error {
	if d.cut == nil {
		return nil
	}
	return d.cut(name)
}

// open makes the directory, or checks that nobody else may look into it, takes
// its lock and clears away what a power cut left. The lock lasts until release.
func (d disk) open() (release func(), err error) {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for keys: %w", err)
	}
	info, err := os.Stat(d.dir)
	if err != nil {
		return nil, fmt.Errorf("look at the directory for keys: %w", err)
	}
	if err := private(d.dir, info, "700"); err != nil {
		return nil, err
	}
	release, err = lock(d.path("lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the directory for keys: %w", err)
	}
	left, err := filepath.Glob(d.path("*.tmp"))
	if err == nil {
		for _, name := range left {
			err = errors.Join(err, d.destroy(filepath.Base(name)))
		}
	}
	if err != nil {
		release()
		return nil, fmt.Errorf("clear away what a power cut left: %w", err)
	}
	return release, nil
}

// private is ErrReadable for a file or directory whose mode lets others in.
func private(path string, info fs.FileInfo, want string) error {
	if runtime.GOOS == "windows" { // has no such modes; access follows the directory's ACL
		return nil
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return ErrReadable.With(fmt.Sprintf("%s has mode %04o, so others on this machine may read the keys. Run: chmod %s %s", path, mode, want, path))
	}
	return nil
}

// read returns the content of a file that only we may read, or an error that wraps fs.ErrNotExist.
func (d disk) read(name string) ([]byte, error) { return readPrivate(d.path(name)) }

func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := private(path, info, "600"); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, ErrDamaged.With(fmt.Sprintf("%s is larger than the %d KiB that a file with keys may have.", path, maxFile>>10))
	}
	return b, nil
}

// exists says whether there is a file of that name, readable or not.
func (d disk) exists(name string) (bool, error) {
	_, err := os.Lstat(d.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// replace puts data under name: the old content or the new one, never less.
// When it returns nil the new one is on disk.
func (d disk) replace(name string, data []byte) error {
	temp := d.path(name + ".tmp")
	if err := d.step("write " + name); err != nil {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path(name), err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", d.path(name), errors.Join(err, os.Remove(temp)))
	}
	return d.move(name+".tmp", name)
}

// move renames from to to, which may exist. When it returns nil the new name is on disk.
func (d disk) move(from, to string) error {
	if err := d.step("rename " + from + " to " + to); err != nil {
		return err
	}
	if err := os.Rename(d.path(from), d.path(to)); err != nil {
		return err
	}
	return syncDir(d.dir)
}

// destroy takes a file out of use at once, then overwrites it with zeros before
// it removes it. On a file system that writes in place this ends the content; on
// others (copy on write, flash) the old blocks live on until they are used again.
func (d disk) destroy(name string) error {
	if filepath.Ext(name) != ".tmp" { // which open clears away if the power is cut from here on
		if err := d.move(name, name+".tmp"); err != nil {
			return err
		}
		name += ".tmp"
	}
	if err := d.blank(name); err != nil {
		return err
	}
	if err := d.step("remove " + name); err != nil {
		return err
	}
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(d.dir)
}

// blank overwrites a file with zeros. A file that is not there is blank.
func (d disk) blank(name string) error {
	if err := d.step("blank " + name); err != nil {
		return err
	}
	f, err := os.OpenFile(d.path(name), os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, min(info.Size(), maxFile)))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

func syncDir(path string) error {
	if runtime.GOOS == "windows" { // cannot open directories; renames are journalled
		return nil
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
