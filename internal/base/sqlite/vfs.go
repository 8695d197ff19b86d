package sqlite

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// dbName is the name under which SQLite knows the one database of a Store. The
// real path, and the key, are in the Store only.
const dbName = "/db"

// A Store is the VFS of its connections.
var _ vfs.VFSFilename = (*Store)(nil)

// Open is never called: OpenFilename is.
func (s *Store) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" {
		return s.OpenFilename(nil, flags)
	}
	return nil, flags, sqlite3.CANTOPEN
}

// OpenFilename opens the database, its log, or something that is forgotten on close.
func (s *Store) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	switch {
	case flags&vfs.OPEN_MAIN_DB != 0 && name.String() == dbName:
		f, err := s.disk.open(s.path, false)
		if err != nil {
			return nil, flags, err
		}
		return &dbFile{s: s, f: f, shm: vfs.NewSharedMemory(s.index, flags)}, flags, nil
	case flags&vfs.OPEN_WAL != 0 && name.String() == dbName+logEnding:
		f, err := s.openLog()
		return f, flags, err
	case flags&vfs.OPEN_MAIN_JOURNAL != 0:
		return &memFile{}, flags, nil // see the package comment
	case flags&(vfs.OPEN_TEMP_DB|vfs.OPEN_TEMP_JOURNAL|vfs.OPEN_TRANSIENT_DB|vfs.OPEN_SUBJOURNAL) != 0:
		f, err := s.openTemp()
		return f, flags, err
	}
	return nil, flags, vfs.SystemError(fmt.Errorf("%s: SQLite asked for %q (flags %#x)", s.path, name.String(), flags), sqlite3.CANTOPEN)
}

func (s *Store) openLog() (vfs.File, error) {
	name := s.path + logEnding
	f, err := s.disk.open(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = s.disk.open(name, true); err != nil {
			return nil, err
		}
		if err := s.disk.syncDir(name); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if err != nil {
		return nil, err
	}
	return &logFile{s: s, r: logReader{f: f, s: s.sealer}}, nil
}

// Delete removes the log, when SQLite has copied all of it.
func (s *Store) Delete(name string, _ bool) error {
	switch name {
	case dbName + "-journal":
		return nil
	case dbName + logEnding:
		if err := s.noLog(); err != nil {
			return err
		}
		return s.disk.remove(s.path + logEnding)
	}
	return vfs.SystemError(fmt.Errorf("%s: SQLite wants to delete %q", s.path, name), sqlite3.IOERR_DELETE)
}

// noLog makes durable that there is no log of which anything is needed.
func (s *Store) noLog() error {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.valid = false
	s.log.written.Store(0)
	s.log.committed.Store(0)
	if !s.log.marked.live && s.log.mark.count > 0 {
		return nil
	}
	s.log.marked = mark{}
	if err := s.log.mark.settle(s.log.marked); err != nil {
		return s.trouble.fail(err)
	}
	return nil
}

// Access says whether there is a log. There is never a hot journal.
func (s *Store) Access(name string, _ vfs.AccessFlag) (bool, error) {
	if name != dbName+logEnding {
		return false, nil
	}
	f, err := s.disk.open(s.path+logEnding, false)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// FullPathname keeps the name: there is one.
func (s *Store) FullPathname(name string) (string, error) { return name, nil }

// locks are SQLite's locks on the database file (sqlite.org/lockingv3.html). The
// lock on the mark keeps other processes away, so they need no system call.
type locks struct {
	mu      sync.Mutex
	shared  int     // guarded by mu: how many hold SHARED or more
	writer  *dbFile // guarded by mu: who holds RESERVED or more
	closing bool    // guarded by mu: writer waits for the others; no new SHARED
}

func (l *locks) lock(f *dbFile, want vfs.LockLevel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.level >= want {
		return nil
	}
	switch {
	case want == vfs.LOCK_SHARED:
		if l.closing {
			return sqlite3.BUSY
		}
		l.shared++
	case l.writer != nil && l.writer != f:
		return sqlite3.BUSY
	case want == vfs.LOCK_RESERVED:
		l.writer = f
	case want == vfs.LOCK_EXCLUSIVE:
		l.writer, l.closing = f, true
		if l.shared > 1 {
			f.level = vfs.LOCK_PENDING
			return sqlite3.BUSY
		}
	}
	f.level = want
	return nil
}

func (l *locks) unlock(f *dbFile, want vfs.LockLevel) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.level <= want {
		return
	}
	if l.writer == f {
		l.writer, l.closing = nil, false
	}
	if want == vfs.LOCK_NONE {
		l.shared--
	}
	f.level = want
}

func (l *locks) reserved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writer != nil
}

// dbFile is the database file as one connection sees it.
type dbFile struct {
	s     *Store
	f     file
	shm   vfs.SharedMemory
	level vfs.LockLevel // guarded by s.locks.mu
	buf   [pageSize]byte
}

var (
	_ vfs.FileSharedMemory = (*dbFile)(nil)
	_ vfs.FileLockState    = (*dbFile)(nil)
	_ vfs.FilePragma       = (*dbFile)(nil)
)

// ReadAt reads pages, or a part of one: the 100 bytes of the header, the 16 that
// tell of changes, or the beginning of an overflow page.
func (d *dbFile) ReadAt(p []byte, off int64) (int, error) {
	page := off &^ (pageSize - 1)
	if skip := off - page; skip+int64(len(p)) > pageSize {
		return 0, vfs.SystemError(fmt.Errorf("%s: read of %d bytes at %d", d.s.path, len(p), off), sqlite3.IOERR_READ)
	}
	whole := p
	if len(p) != pageSize {
		whole = d.buf[:]
	}
	n, err := d.f.ReadAt(whole, page)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("%s: %w", d.s.path, err)
	}
	head := d.head()
	// SQLite looks at a page that its transaction has added before it writes it, and
	// at page 1 before there is one. It takes both for zeros.
	if n == 0 && page/pageSize >= d.s.pages.Load() {
		return 0, io.EOF
	}
	if err != nil || !d.s.openPage(whole, page) {
		switch {
		case page == 0 && head != nil && len(p) != pageSize: // SQLite looks at the header before it looks at the log
			return copy(p, head[off:]), nil
		case err != nil:
			return 0, d.s.trouble.corrupt(damaged(d.s.path, "it ends before page %d", page/pageSize+1))
		}
		return 0, d.s.trouble.corrupt(damaged(d.s.path, "page %d is not what was written", page/pageSize+1))
	}
	if len(p) != pageSize {
		copy(p, whole[off-page:])
	}
	return len(p), nil
}

// head is page 1 from the log, if that in the file is torn.
func (d *dbFile) head() []byte {
	if h := d.s.head.Load(); h != nil {
		return *h
	}
	return nil
}

// WriteAt writes a page.
func (d *dbFile) WriteAt(p []byte, off int64) (int, error) {
	if err := d.s.trouble.broken(); err != nil {
		return 0, vfs.SystemError(err, sqlite3.IOERR_WRITE)
	}
	if len(p) != pageSize || off%pageSize != 0 {
		return 0, vfs.SystemError(fmt.Errorf("%s: write of %d bytes at %d: pages have %d bytes", d.s.path, len(p), off, pageSize), sqlite3.IOERR_WRITE)
	}
	if err := d.s.reserved(p); err != nil {
		return 0, err
	}
	if off == 0 && (string(p[:len(magic)]) != magic || p[20] != reserved) {
		return 0, vfs.SystemError(fmt.Errorf("%s: page 1 leaves %d bytes free at the end of pages, not %d", d.s.path, p[20], reserved), sqlite3.IOERR_WRITE)
	}
	d.s.sealPage(d.buf[:], p, off)
	d.s.pageMu.RLock()
	_, err := d.f.WriteAt(d.buf[:], off)
	d.s.pageMu.RUnlock()
	if err != nil {
		return 0, writeError(d.s.path, err)
	}
	if off == 0 {
		d.s.head.Store(nil)
	}
	return len(p), nil
}

// reserved refuses a page whose end SQLite has used: nothing of it would be kept.
func (s *Store) reserved(p []byte) error {
	for _, b := range p[textSize:] {
		if b != 0 {
			return vfs.SystemError(fmt.Errorf("%s: SQLite used the end of a page, which is reserved", s.path), sqlite3.IOERR_WRITE)
		}
	}
	return nil
}

func writeError(name string, err error) error {
	err = fmt.Errorf("%s: %w", name, err)
	if isFull(err) {
		return vfs.SystemError(err, sqlite3.FULL)
	}
	return vfs.SystemError(err, sqlite3.IOERR_WRITE)
}

// Truncate cuts the file behind a page.
func (d *dbFile) Truncate(size int64) error {
	if err := d.s.trouble.broken(); err != nil {
		return vfs.SystemError(err, sqlite3.IOERR_TRUNCATE)
	}
	return d.f.Truncate(size)
}

// Sync waits until the file is on disk.
func (d *dbFile) Sync(vfs.SyncFlag) error {
	if err := d.s.trouble.broken(); err != nil {
		return vfs.SystemError(err, sqlite3.IOERR_FSYNC)
	}
	if err := d.f.Sync(); err != nil {
		return vfs.SystemError(d.s.trouble.fail(fmt.Errorf("%s: %w", d.s.path, err)), sqlite3.IOERR_FSYNC)
	}
	return nil
}

// Size is that of the file.
func (d *dbFile) Size() (int64, error) { return d.f.Size() }

// Lock takes one of SQLite's locks.
func (d *dbFile) Lock(level vfs.LockLevel) error { return d.s.locks.lock(d, level) }

// Unlock gives locks back.
func (d *dbFile) Unlock(level vfs.LockLevel) error {
	d.s.locks.unlock(d, level)
	return nil
}

// CheckReservedLock says whether any connection is about to write.
func (d *dbFile) CheckReservedLock() (bool, error) { return d.s.locks.reserved(), nil }

// LockState is what this connection holds.
func (d *dbFile) LockState() vfs.LockLevel {
	d.s.locks.mu.Lock()
	defer d.s.locks.mu.Unlock()
	return d.level
}

// SectorSize is what a write may tear.
func (d *dbFile) SectorSize() int { return pageSize }

// DeviceCharacteristics promises that a write changes no byte outside of it: we
// write what SQLite writes and nothing beside it.
func (d *dbFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE | vfs.IOCAP_SUBPAGE_READ
}

// SharedMemory is the index of the log.
func (d *dbFile) SharedMemory() vfs.SharedMemory { return d.shm }

// Pragma refuses what would change how the file is kept.
func (d *dbFile) Pragma(name, value string) (string, error) {
	changes := name == "journal_mode" && value != "" && !strings.EqualFold(value, "wal") || name == "page_size" && value != "" && value != strconv.Itoa(pageSize)
	if changes {
		return "", fmt.Errorf("%s: a sealed database has pages of %d bytes and a log: PRAGMA %s=%s is refused", d.s.path, pageSize, name, value)
	}
	return "", sqlite3.NOTFOUND
}

// Close lets go of everything.
func (d *dbFile) Close() error {
	if d.shm != nil {
		_ = d.shm.Close() // says only that it was never used
	}
	d.s.locks.unlock(d, vfs.LOCK_NONE)
	return d.f.Close()
}
