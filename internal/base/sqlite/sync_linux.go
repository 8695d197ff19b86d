package sqlite

import (
	"errors"
	"os"
	"syscall"
)

// Sync writes to disk what reading the file back needs; times may wait.
func (f osFile) Sync() error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if !errors.Is(err, syscall.EINTR) {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
