package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/ncruces/go-sqlite3/vfs"
)

const (
	pageSize = 4096
	textSize = pageSize - overhead // what SQLite may use of a page

	reserved = overhead // bytes at the end of each page that SQLite leaves alone
)

// The endings of our files.
const (
	logEnding  = "-wal"
	markEnding = "-mark"
	newEnding  = ".new"
)

// A Store is one database file that this process has open. It is the VFS of all
// connections to it.
type Store struct {
	path    string
	users   int // guarded by opened: how many have it open
	disk    disk
	sealer  *sealer
	name    string // of the VFS
	index   string // path of the log's shared index
	trouble trouble
	locks   locks
	log     logState

	steps atomic.Int64 // see Work
	plans atomic.Int64

	pages atomic.Int64 // of the database after the last commit; they are in the file or in the log

	pageMu sync.RWMutex // held to write a page; a scan excludes that

	head atomic.Pointer[[]byte] // page 1 as the log has it, when the one in the file is torn
}

// Work is how many steps of SQLite's machine all statements have taken so far, and how
// often one was planned. Unlike time it is the same on every machine.
func (s *Store) Work() (steps, plans int64) { return s.steps.Load(), s.plans.Load() }

// logState is what all connections must agree on about the log.
type logState struct {
	mu        sync.Mutex
	mark      markFile // guarded by mu
	marked    mark     // guarded by mu: what was last written to mark
	current   logID    // guarded by mu: of the header in the file
	valid     bool     // guarded by mu: the file has a header, and current is from it
	unsettled bool     // guarded by mu: the header may not be on disk, and the mark says "none"

	written   atomic.Int64 // frames that were written by this process or read whole when it began
	committed atomic.Int64 // frames up to the last commit that is on disk
}

// vfsNumber makes the names of VFSes; SQLite knows them by name.
var vfsNumber atomic.Int64

// openStore opens a database file that exists, or with create an empty one. It
// returns after the whole log was checked against the mark, which is locked, and
// which belongs to the Store if there is no error.
func openStore(d disk, path string, key []byte, mark file, create bool) (*Store, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("%s: a database key has %d bytes, this one %d", path, keySize, len(key))
	}
	s := &Store{path: path, disk: d}
	db, err := d.open(path, create)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	size, err := db.Size()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if size == 0 && !create {
		return nil, damaged(path, "it is empty")
	}
	id := newID(key)
	if size > 0 {
		if _, err := db.ReadAt(id[:], 0); err != nil {
			return nil, damaged(path, "it ends within its first %d bytes", idSize)
		}
		if !id.fits(key) {
			return nil, fmt.Errorf("%s: %w: it belongs to another file or installation, or the first bytes of the file are damaged", path, ErrKey)
		}
	}
	if s.sealer, err = newSealer(key, id); err != nil {
		return nil, err
	}
	s.log.mark = markFile{name: path + markEnding, f: mark, s: s.sealer}
	if err := s.verify(db); err != nil {
		return nil, err
	}
	s.index = indexPath(path)
	s.name = "ardesia-" + strconv.FormatInt(vfsNumber.Add(1), 10)
	vfs.Register(s.name, s)
	return s, nil
}

func (s *Store) close() error {
	vfs.Unregister(s.name)
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	_ = os.Remove(s.index) // SQLite removed it, unless a connection ended badly
	return s.log.mark.f.Close()
}

// indexPath is where the shared index of the log is. Where the system has a
// file system in memory it goes there: it holds no text, but a checksum of it. The
// name is the file's identity on this machine, so that a process that was killed
// leaves nothing that the next one does not take over.
func indexPath(path string) string {
	beside := path + "-shm"
	i, err := os.Stat(path)
	if err != nil {
		return beside // a disk of a test
	}
	st, ok := i.Sys().(*syscall.Stat_t)
	if !ok {
		return beside
	}
	dir := filepath.Join("/dev/shm", "ardesia-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return beside
	}
	// Anybody may have made this folder before us.
	d, err := os.Lstat(dir)
	if err != nil {
		return beside
	}
	owner, ok := d.Sys().(*syscall.Stat_t)
	if !ok || !d.IsDir() || d.Mode().Perm() != 0o700 || int(owner.Uid) != os.Geteuid() {
		return beside
	}
	return filepath.Join(dir, fmt.Sprintf("%x-%x", st.Dev, st.Ino))
}

// verify checks page 1 and the whole log before SQLite sees them.
func (s *Store) verify(db file) error {
	marked, err := s.log.mark.read()
	if err != nil {
		return err
	}
	s.log.marked = marked
	size, err := db.Size()
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	wal, err := s.disk.open(s.path+logEnding, false)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if marked.live {
			return damaged(s.path+logEnding, "it is gone, and its last %d frames with it", marked.frames)
		}
	case err != nil:
		return err
	default:
		defer wal.Close()
		if size == 0 {
			return damaged(s.path, "it is empty, but it has a log")
		}
		if err := s.verifyLog(wal); err != nil {
			return err
		}
	}
	if size == 0 {
		if s.log.mark.count > 0 {
			return damaged(s.path, "it is empty, but its mark says that it was not")
		}
		return nil
	}
	return s.verifyHead(db)
}

// verifyHead makes sure that page 1 can be read, from the file or from the log.
func (s *Store) verifyHead(db file) error {
	page := make([]byte, pageSize)
	_, err := db.ReadAt(page, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if err == nil && s.openPage(page, 0) {
		s.head.Store(nil)
		if s.pages.Load() > 0 {
			return nil // what the file lacks is in the log
		}
		s.pages.Store(int64(binary.BigEndian.Uint32(page[28:]))) // fileformat2.html, 1.3.7
		if size, err := db.Size(); err != nil || size < s.pages.Load()*pageSize {
			return errors.Join(err, damaged(s.path, "it ends at byte %d, but has %d pages", size, s.pages.Load()))
		}
		return nil
	}
	if s.head.Load() == nil {
		return damaged(s.path, "page 1 is not what was written")
	}
	return nil // a checkpoint was cut off while it copied page 1 from the log
}

// openPage opens the page at off in place.
func (s *Store) openPage(page []byte, off int64) bool {
	sealed := page[:pageSize]
	if off == 0 {
		sealed = page[idSize:]
	}
	text := sealed[:len(sealed)-overhead]
	if !s.sealer.open(text, sealed, kindPage, off) {
		return false
	}
	if off == 0 {
		copy(page, magic)
	}
	clear(page[textSize:])
	return true
}

// sealPage seals text for the page at off into page.
func (s *Store) sealPage(page, text []byte, off int64) {
	if off != 0 {
		s.sealer.seal(page, text[:textSize], kindPage, off)
		return
	}
	copy(page, s.sealer.id[:])
	s.sealer.seal(page[idSize:], text[idSize:textSize], kindPage, off)
}

// magic is how page 1 begins for SQLite (sqlite.org/fileformat2.html, 1.3.1).
const magic = "SQLite format 3\x00"
