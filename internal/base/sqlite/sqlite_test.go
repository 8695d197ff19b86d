package sqlite

import (
	"bytes"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

func testKey(b byte) []byte { return bytes.Repeat([]byte{b}, keySize) }

// base is an open database with one connection that writes and two that read.
type base struct {
	*Store
	w, r *sql.DB
}

func (b *base) close() error {
	b.r.Close()
	b.w.Close()
	return b.Store.Close()
}

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
	t.Cleanup(func() { b.close() })
	return b
}

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	b := open(t, path)
	_, err := b.w.Exec("CREATE TABLE a (x INTEGER PRIMARY KEY, y TEXT)")
	must(t, err)
	for i := range 100 {
		_, err = b.w.Exec("INSERT INTO a (x, y) VALUES (?1, ?2)", i, "hello")
		must(t, err)
	}
	var n int
	must(t, b.r.QueryRow("SELECT count(*) FROM a").Scan(&n))
	t.Log(n, b.LogFrames(), b.index)
	must(t, b.Check(t.Context()))
	out, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range out {
		i, _ := e.Info()
		t.Log(e.Name(), i.Size(), i.Mode())
	}
	must(t, b.close())
	out, _ = os.ReadDir(filepath.Dir(path))
	for _, e := range out {
		i, _ := e.Info()
		t.Log(e.Name(), i.Size(), i.Mode())
	}
	b = open(t, path)
	must(t, b.r.QueryRow("SELECT count(*) FROM a").Scan(&n))
	t.Log(n)
	must(t, b.Backup(t.Context(), path+".bak", testKey(2)))
	s, err := Open(path+".bak", testKey(2))
	must(t, err)
	c := connect(s)
	must(t, c.r.QueryRow("SELECT count(*) FROM a").Scan(&n))
	t.Log(n)
	must(t, c.close())
}
