//go:build !unix

package keys

import (
	"os"
	"sync"
)

// one stands for all directories: opening is rare and short.
var one sync.Mutex

// lock waits until nobody else in this process holds it. Between processes the
// server's own lock on the data directory must do.
func lock(path string) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	one.Lock()
	return func() { _ = f.Close(); one.Unlock() }, nil
}
