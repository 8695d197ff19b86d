package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Open opens the database at path with its key of 32 bytes, and makes it if it is
// not there. It refuses with a sentence for the operator: a file or folder that
// others can read (ErrReadable), a key that does not fit (ErrKey), a database that
// another process has open (ErrInUse), files that are not what was written (ErrDamaged).
//
// Within one process a database may be opened again; both share one Store.
func Open(path string, key []byte) (*Store, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, err
	}
	opened.Lock()
	defer opened.Unlock()
	if s := opened.stores[path]; s != nil {
		if !s.sealer.id.fits(key) {
			return nil, fmt.Errorf("%s: %w", path, ErrKey)
		}
		s.users++
		return s, nil
	}
	s, err := openOn(osDisk{}, path, key)
	if err != nil {
		return nil, err
	}
	s.users = 1
	opened.stores[path] = s
	return s, nil
}

// opened are the databases that this process has open, by absolute path. The lock
// on the mark keeps out other processes only; in ours the connections must agree.
var opened = struct {
	sync.Mutex
	stores map[string]*Store // guarded by Mutex, as are their users
}{stores: make(map[string]*Store)}

// Close lets another process have the database. The caller's connections are closed
// before; the last of them has copied the log into the database and removed it.
func (s *Store) Close() error {
	opened.Lock()
	defer opened.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	if opened.stores[s.path] == s {
		delete(opened.stores, s.path)
	}
	return s.close()
}

func openOn(d disk, path string, key []byte) (*Store, error) {
	mark, err := d.open(path+markEnding, true)
	if err != nil {
		return nil, err
	}
	s, err := func() (*Store, error) {
		if err := mark.Lock(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := d.syncDir(path); err != nil {
			return nil, err
		}
		db, err := d.open(path, false)
		if errors.Is(err, fs.ErrNotExist) {
			err = fresh(d, path, key, mark)
		} else if err == nil {
			err = db.Close()
		}
		if err != nil {
			return nil, err
		}
		return openStore(d, path, key, mark, false)
	}()
	if err != nil {
		return nil, errors.Join(err, mark.Close())
	}
	return s, nil
}

// fresh makes an empty database, unless something says that there was one.
func fresh(d disk, path string, key []byte, mark file) error {
	if size, err := mark.Size(); err != nil || size > 0 {
		return errors.Join(err, damaged(path, "it is gone, but its mark is there: restore a backup, or remove %s and %s to begin anew", path+markEnding, path+logEnding))
	}
	if log, err := d.open(path+logEnding, false); !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			return err
		}
		return errors.Join(damaged(path, "it is gone, but its log is there: restore a backup, or remove %s to begin anew", path+logEnding), log.Close())
	}
	return build(d, path, key, func(s *Store) error {
		return s.once(func(c *sqlite3.Conn) error {
			if _, err := c.FileControl("main", sqlite3.FCNTL_RESERVE_BYTES, reserved); err != nil {
				return err
			}
			return c.Exec(`PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; PRAGMA user_version=0`)
		})
	})
}

// build makes a database under another name and then gives it its own, so that
// path is never half a database.
func build(d disk, path string, key []byte, fill func(s *Store) error) error {
	making := path + newEnding
	clean := func() error {
		return errors.Join(d.remove(making), d.remove(making+logEnding), d.remove(making+markEnding), d.remove(making+"-shm"))
	}
	if err := clean(); err != nil { // of a process that was killed
		return err
	}
	mark, err := d.open(making+markEnding, true)
	if err != nil {
		return err
	}
	s, err := openStore(d, making, key, mark, true)
	if err != nil {
		return errors.Join(err, mark.Close(), clean())
	}
	if err := errors.Join(fill(s), s.close()); err != nil {
		return errors.Join(fmt.Errorf("make %s: %w", path, s.explain(err)), clean())
	}
	f, err := d.open(making, false)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close(), d.remove(making+markEnding)); err != nil {
		return errors.Join(err, clean())
	}
	if err := d.rename(making, path); err != nil {
		return errors.Join(err, clean())
	}
	return d.syncDir(path)
}

// once runs fn on a connection of its own.
func (s *Store) once(fn func(c *sqlite3.Conn) error) error {
	c, err := sqlite3.OpenFlags("file:"+dbName+"?vfs="+s.name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return s.explain(err)
	}
	return s.explain(errors.Join(fn(c), c.Close()))
}

// everyone is what all connections agree on. The writer's commit waits for the
// disk; a value that was deleted is overwritten; log pages are copied by Checkpoint only.
const everyone = `PRAGMA busy_timeout=10000; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; `

// Writer makes the connection that writes, with a page cache of that many KiB.
// There is to be one at a time.
func (s *Store) Writer(cacheKiB int, explain func(error) error) driver.Connector {
	return &Connector{s, everyone + fmt.Sprintf("PRAGMA cache_size=-%d", cacheKiB), explain, "BEGIN IMMEDIATE"}
}

// Reader makes connections that only read.
func (s *Store) Reader(cacheKiB int, explain func(error) error) driver.Connector {
	return &Connector{s, everyone + fmt.Sprintf("PRAGMA query_only=ON; PRAGMA cache_size=-%d", cacheKiB), explain, "BEGIN DEFERRED"}
}

// LogFrames is how many pages the log holds: those of commits that are on disk.
func (s *Store) LogFrames() int64 { return s.log.committed.Load() }

// A Checkpointer copies pages from the log to the database, on a connection of its
// own so that the writer need not wait. It is for one goroutine at a time.
type Checkpointer struct {
	s *Store
	c *sqlite3.Conn
}

// Checkpointer opens its connection.
func (s *Store) Checkpointer() (*Checkpointer, error) {
	c, err := sqlite3.OpenFlags("file:"+dbName+"?vfs="+s.name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return nil, s.explain(err)
	}
	if err := c.Exec(everyone + "PRAGMA cache_size=-64"); err != nil {
		return nil, errors.Join(s.explain(err), c.Close())
	}
	return &Checkpointer{s, c}, nil
}

// Run copies what no reader still needs in the log, and says how many pages are
// in the log and how many of them are copied. When they are equal the next
// transaction begins the log anew. When writers leave no moment for it, less is copied than
// could be, and that is no error.
func (c *Checkpointer) Run(ctx context.Context) (inLog, copied int64, err error) {
	defer c.c.SetInterrupt(c.c.SetInterrupt(ctx))
	inLog, copied, err = passive(c.c)
	return inLog, copied, c.s.explain(err)
}

// passive copies the log as far as it can without waiting for anybody. SQLite calls it busy when it reads the header of the
// log's index while a commit changes that (wal.c, walIndexReadHdr), and its handler for that is not asked in this mode: a
// moment later it is another matter.
func passive(c *sqlite3.Conn) (inLog, copied int64, err error) {
	for range 100 {
		n, m, err := c.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
		if !errors.Is(err, sqlite3.BUSY) {
			return int64(n), int64(m), err
		}
		runtime.Gosched()
	}
	return 1, 0, nil
}

// Restart copies everything and waits, at most for patience, until nobody reads in the
// log any more: then the next transaction begins it anew, though there may always be
// somebody who reads. Nobody may write meanwhile. ok is false when somebody read for longer.
func (c *Checkpointer) Restart(ctx context.Context, patience time.Duration) (ok bool, err error) {
	defer c.c.SetInterrupt(c.c.SetInterrupt(ctx))
	if err := c.c.BusyTimeout(patience); err != nil {
		return false, c.s.explain(err)
	}
	_, _, err = c.c.WALCheckpoint("main", sqlite3.CHECKPOINT_RESTART)
	if errors.Is(err, sqlite3.BUSY) {
		return false, nil
	}
	return err == nil, c.s.explain(err)
}

// Close closes the connection.
func (c *Checkpointer) Close() error { return c.s.explain(c.c.Close()) }

// Backup writes the database as it is now to a new file that is sealed with
// another key. Writers do not wait. Freed pages are left out.
func (s *Store) Backup(ctx context.Context, path string, key []byte) error {
	if f, err := s.disk.open(path, false); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = errors.Join(fmt.Errorf("%s is there already: %w", path, fs.ErrExist), f.Close())
		}
		return err
	}
	return build(s.disk, path, key, func(target *Store) error {
		if err := s.once(func(c *sqlite3.Conn) error {
			defer c.SetInterrupt(c.SetInterrupt(ctx))
			if err := c.BusyTimeout(10e9); err != nil {
				return err
			}
			return c.Exec("VACUUM INTO 'file:" + dbName + "?vfs=" + target.name + "'")
		}); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w", errors.Join(err, target.explain(sqlite3.IOERR)))
		}
		return target.once(func(c *sqlite3.Conn) error { return c.Exec(`PRAGMA journal_mode=WAL`) })
	})
}

// Check reads every page, free ones too, and compares every index with its table.
// What it finds wrong is ErrDamaged. Writers do not wait.
func (s *Store) Check(ctx context.Context) error {
	return s.once(func(c *sqlite3.Conn) error {
		defer c.SetInterrupt(c.SetInterrupt(ctx))
		if err := c.Exec(everyone); err != nil {
			return err
		}
		st, _, err := c.Prepare(`PRAGMA integrity_check(20)`)
		if err != nil {
			return err
		}
		defer st.Close()
		var wrong []string
		for st.Step() {
			if line := st.ColumnText(0); line != "ok" {
				wrong = append(wrong, line)
			}
		}
		if err := st.Err(); err != nil {
			return err
		}
		if len(wrong) > 0 {
			return damaged(s.path, "%s", strings.Join(wrong, "; "))
		}
		// A page that a checkpoint tore is in the log still, and whole again after the next.
		inLog, copied, err := passive(c)
		if err != nil || inLog != copied {
			return err
		}
		return s.scan(ctx)
	})
}

// scan opens every page of the file.
func (s *Store) scan(ctx context.Context) error {
	f, err := s.disk.open(s.path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	page := make([]byte, pageSize)
	for n := range s.pages.Load() {
		off := n * pageSize
		if off == lockPage {
			continue
		}
		s.pageMu.Lock()
		_, err := f.ReadAt(page, off)
		s.pageMu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, io.EOF):
			return nil // SQLite has read all that there is; pages that were added since are in the log
		case err != nil:
			return fmt.Errorf("%s: %w", s.path, err)
		case !s.openPage(page, off):
			return damaged(s.path, "page %d is not what was written", n+1)
		}
	}
	return nil
}

// lockPage is the page at 1 GiB, which SQLite never uses (fileformat2.html, 1.4).
const lockPage = 1 << 30

// ID tells this file from all others, also from its backups.
func (s *Store) ID() string { return hex.EncodeToString(s.sealer.id[:8]) }
