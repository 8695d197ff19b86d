package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, keySize) }

// base is an open database with one connection that writes and two that read.
type base struct {
	*Store
	w, r *sql.DB
}

func (b *base) close() error { return errors.Join(b.r.Close(), b.w.Close(), b.Close()) }

func connect(s *Store) *base {
	b := &base{s, sql.OpenDB(s.Writer(4096, nil)), sql.OpenDB(s.Reader(1024, nil))}
	b.w.SetMaxOpenConns(1)
	b.r.SetMaxOpenConns(2)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, path string) *base {
	t.Helper()
	s, err := Open(path, testKey(1))
	must(t, err)
	b := connect(s)
	t.Cleanup(func() { _ = b.close() }) // the test may have closed it
	return b
}

// TestSameAsPlain does the same transactions of chance on a sealed database and on
// a plain one of the library, and compares what they hold. The page cache is so
// small that transactions spill, and pages are written to the log more than once.
func TestSameAsPlain(t *testing.T) {
	for seed := range uint64(3) {
		s, err := Open(filepath.Join(t.TempDir(), "sealed.db"), testKey(1))
		must(t, err)
		sealed := smallConnect(s)
		plain, err := driver.Open("file:" + filepath.Join(t.TempDir(), "plain.db"))
		must(t, err)
		plain.SetMaxOpenConns(1)
		for _, w := range []*sql.DB{sealed.w, plain} {
			_, err := w.Exec(ledgerTable + "; CREATE INDEX ledger_version ON ledger (version, body)")
			must(t, err)
			rnd, l := rand.New(rand.NewPCG(seed, 9)), ledger{}
			for i := range 60 {
				if i%10 == 9 {
					must(t, savepoints(w, rnd))
				}
				l, err = l.change(w, rnd)
				must(t, err)
				if w == sealed.w && i%13 == 12 {
					_, err := w.Exec("PRAGMA incremental_vacuum(20); PRAGMA wal_checkpoint(PASSIVE)")
					must(t, err)
				}
			}
		}
		want, err := readLedger(plain)
		must(t, err)
		got, err := readLedger(sealed.r)
		must(t, err)
		if !got.equal(want) || len(got) == 0 {
			t.Errorf("seed %d: sealed has %v, plain has %v", seed, got, want)
		}
		must(t, sealed.Check(t.Context()))
		must(t, errors.Join(sealed.close(), plain.Close()))
	}
}

// savepoints writes many pages, goes back half the way and writes others.
func savepoints(w *sql.DB, rnd *rand.Rand) error {
	tx, err := w.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, text := range []string{
		"UPDATE ledger SET body = zeroblob(9000)",
		"SAVEPOINT half", "UPDATE ledger SET body = randomblob(5000)", "ROLLBACK TO half",
		"UPDATE ledger SET body = zeroblob(7000) WHERE id % 2 = 0",
	} {
		if _, err := tx.Exec(text); err != nil {
			return err
		}
	}
	for id := range 80 { // as change leaves them
		if _, err := tx.Exec("DELETE FROM ledger WHERE id = ?1", id); err != nil {
			return err
		}
	}
	return tx.Rollback()
}

func TestSecondOpening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	a, b := open(t, path), open(t, path)
	_, err := a.w.Exec("CREATE TABLE a (x INTEGER)")
	must(t, err)
	_, err = b.w.Exec("INSERT INTO a (x) VALUES (1)")
	must(t, err)
	if _, err := Open(path, testKey(2)); !errors.Is(err, ErrKey) {
		t.Errorf("opened again with another key: %v, want ErrKey", err)
	}
	must(t, a.close())
	var n int
	must(t, b.r.QueryRow("SELECT count(*) FROM a").Scan(&n))
	if n != 1 {
		t.Errorf("%d rows after the other closed, want 1", n)
	}
	// Another process has no Store to share.
	if _, err := openOn(osDisk{}, path, testKey(1)); !errors.Is(err, ErrInUse) {
		t.Errorf("opened while another has it: %v, want ErrInUse", err)
	}
}

func TestReadableByOthers(t *testing.T) {
	dir, err := os.MkdirTemp("", "ardesia-open-*") // t.TempDir is in a folder that is closed
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "a.db")
	s, err := Open(path, testKey(1))
	must(t, err)
	must(t, s.Close())
	for name, c := range map[string]struct {
		path string
		mode fs.FileMode
	}{
		"folder that others list":    {dir, 0o755},
		"folder of a group":          {dir, 0o750},
		"file that others read":      {path, 0o644},
		"file that others may write": {path, 0o602},
	} {
		t.Run(name, func(t *testing.T) {
			before, err := os.Stat(c.path)
			must(t, err)
			must(t, os.Chmod(c.path, c.mode))
			defer os.Chmod(c.path, before.Mode())
			if _, err := Open(path, testKey(1)); !errors.Is(err, ErrReadable) || !strings.Contains(err.Error(), "chmod") {
				t.Errorf("opened with mode %04o: %v, want ErrReadable and what to do", c.mode, err)
			}
		})
	}
	s, err = Open(path, testKey(1))
	must(t, err)
	must(t, s.Close())
}

const canary = "canary-7f3a91-Giulia-Bianchi"

// TestNothingReadable looks for what was stored in everything that is on disk or
// open: database, log, mark, index of the log, temporary files, backup.
func TestNothingReadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	s, err := Open(path, testKey(1))
	must(t, err)
	b := smallConnect(s)
	_, err = b.w.Exec("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, blob BLOB); CREATE INDEX person_name ON person (name)")
	must(t, err)
	for i := range 400 {
		_, err = b.w.Exec("INSERT INTO person (id, name, blob) VALUES (?1, ?2, ?3)", i, fmt.Sprintf("%s-%d", canary, i), bytes.Repeat([]byte(canary), 100))
		must(t, err)
	}
	if n := search(t, path); n < 4 { // a.db, its log, its mark, the index of the log
		t.Errorf("looked at %d files", n)
	}
	// A sort that does not fit into memory: its runs are in a file without a name.
	rows, err := b.w.Query("SELECT a.name || b.name AS n FROM person a, person b WHERE b.id < 60 ORDER BY n DESC")
	must(t, err)
	if !rows.Next() {
		t.Fatal("no rows")
	}
	if n := searchOpen(t, "-temp-"); n == 0 {
		t.Error("the sort used no temporary file, so that this test says nothing")
	}
	must(t, rows.Close())
	must(t, b.Backup(t.Context(), path+".backup", testKey(2)))
	search(t, path)
	must(t, b.close())
	search(t, path)
}

func search(t *testing.T, path string) (n int) {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	must(t, err)
	if i := indexPath(path); i != "" {
		if _, err := os.Stat(i); err == nil {
			all = append(all, i)
		}
	}
	for _, name := range all {
		data, err := os.ReadFile(name)
		must(t, err)
		for _, word := range []string{canary, "Giulia", "SQLite format", "CREATE TABLE", "person"} {
			if bytes.Contains(data, []byte(word)) {
				t.Errorf("%q is readable in %s", word, name)
			}
		}
		n++
	}
	return n
}

// searchOpen searches files that this process has open and whose name holds part.
func searchOpen(t *testing.T, part string) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	must(t, err)
	for _, fd := range fds {
		name, err := os.Readlink(fd)
		if err != nil || !strings.Contains(name, part) {
			continue
		}
		data, err := os.ReadFile(fd)
		must(t, err)
		if bytes.Contains(data, []byte("Giulia")) {
			t.Errorf("a name is readable in %s", name)
		}
		if len(data) > 0 {
			n++
		}
	}
	return n
}

func TestBackupWhileWriting(t *testing.T) {
	dir := t.TempDir()
	b := open(t, filepath.Join(dir, "a.db"))
	_, err := b.w.Exec("CREATE TABLE pair (id INTEGER PRIMARY KEY, a INTEGER, b INTEGER, fill BLOB)")
	must(t, err)
	stop, done := make(chan struct{}), make(chan error, 1)
	started := make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if _, err := b.w.Exec("INSERT INTO pair (a, b, fill) VALUES (?1, ?1, randomblob(3000))", i); err != nil {
				done <- err
				return
			}
			if i == 200 {
				close(started)
			}
		}
	}()
	<-started
	must(t, b.Backup(t.Context(), filepath.Join(dir, "backup.db"), testKey(9)))
	close(stop)
	must(t, <-done)
	if err := b.Backup(t.Context(), filepath.Join(dir, "backup.db"), testKey(9)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("backup over a backup: %v, want fs.ErrExist", err)
	}
	if _, err := Open(filepath.Join(dir, "backup.db"), testKey(1)); !errors.Is(err, ErrKey) {
		t.Errorf("opened the backup with the key of the original: %v, want ErrKey", err)
	}
	s, err := Open(filepath.Join(dir, "backup.db"), testKey(9))
	must(t, err)
	c := connect(s)
	must(t, c.Check(t.Context()))
	var n, top int
	must(t, c.r.QueryRow("SELECT count(*), max(a) FROM pair").Scan(&n, &top))
	if n <= 200 || n != top+1 {
		t.Errorf("the backup has %d rows up to %d, want all of more than 200", n, top)
	}
	if c.ID() == b.ID() {
		t.Error("the backup has the identity of the original")
	}
	must(t, c.close())
	left, err := filepath.Glob(filepath.Join(dir, "*.new*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestBackupThatIsGivenUp(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "a.db"))
	_, err := b.w.Exec("CREATE TABLE a (x BLOB); INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT randomblob(2000) FROM n")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Backup(ctx, b.path+".bak", testKey(2)); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v, want context.Canceled", err)
	}
	if left, _ := filepath.Glob(b.path + ".bak*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestFailedSyncStopsWriting keeps us from trusting a file after a sync failed.
func TestFailedSyncStopsWriting(t *testing.T) {
	d := newSimDisk(1)
	s, err := openOn(d, filepath.Join(t.TempDir(), "a.db"), testKey(1))
	must(t, err)
	b := connect(s)
	_, err = b.w.Exec("CREATE TABLE a (x INTEGER)")
	must(t, err)
	d.left = 1 // the frame is written, the sync fails
	if _, err = b.w.Exec("INSERT INTO a (x) VALUES (1)"); err == nil {
		t.Fatal("a commit was acknowledged that was not synced")
	}
	d.off, d.left = false, -1
	if _, err = b.w.Exec("INSERT INTO a (x) VALUES (2)"); !errors.Is(err, ErrFailed) {
		t.Errorf("written after a failed sync: %v, want ErrFailed", err)
	}
	_ = b.close()
	s, err = openOn(d, s.path, testKey(1))
	must(t, err)
	b = connect(s)
	_, err = b.w.Exec("INSERT INTO a (x) VALUES (3)")
	must(t, err)
	must(t, b.close())
}

// TestFormIsKept keeps statements from changing what the seals count on.
func TestFormIsKept(t *testing.T) {
	b := open(t, filepath.Join(t.TempDir(), "a.db"))
	for _, text := range []string{
		"PRAGMA journal_mode=DELETE", "PRAGMA journal_mode=OFF", "PRAGMA page_size=8192",
		"ATTACH 'file:/db?vfs=os' AS other", "ATTACH ':memory:' AS other",
	} {
		if _, err := b.w.Exec(text); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
	_, err := b.w.Exec("CREATE TABLE a (x INTEGER)")
	must(t, err)
	must(t, b.Check(t.Context()))
}

func TestErrorsNameTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	b := open(t, path)
	must(t, errors.Join(b.r.Ping(), b.w.Ping()))
	for _, code := range []error{sqlite3.CORRUPT, sqlite3.IOERR, sqlite3.FULL, sqlite3.CANTOPEN} {
		if err := b.explain(code); !strings.Contains(err.Error(), path) {
			t.Errorf("%v does not name %s", err, path)
		}
	}
}
