//go:build !linux

package sqlite

// Sync writes the file to disk, through the cache of the drive where the system can.
func (f osFile) Sync() error { return f.File.Sync() }
