package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openDirectory makes or checks the data directory and takes its lock, which is
// ours until the file is closed: two processes on one directory would each
// believe that they alone write.
func openDirectory(dir string) (*os.File, error) {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the data directory: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("the data directory: %w", err)
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a directory", dir)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s can be read by others on this machine (mode %04o), and it holds keys: chmod 700 %s", dir, info.Mode().Perm(), dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data directory cannot be written: %w", err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrRunning, dir)
		}
		return nil, fmt.Errorf("lock the data directory %s: %w", dir, err)
	}
	return lock, nil
}

// ErrRunning is a data directory that another process works on.
var ErrRunning = errors.New("another ardesia works on this data directory; stop it first")

// Installed says whether an earlier start, or a restore, has made keys in dir. What
// cannot be looked at counts as there, so that opening it says why.
func Installed(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "keys"))
	return !errors.Is(err, fs.ErrNotExist)
}
