package sqlite

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"
)

// A writer that is just telling others of its commit does not fail a copy of the log: SQLite calls that busy, and does not wait.
func TestCopiesBesideAWriter(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "a.db"), testKey(1))
	must(t, err)
	db := sql.OpenDB(s.Writer(1024, func(err error) error { return err }))
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), "create table x (n integer)")
	must(t, err)
	c, err := s.Checkpointer()
	must(t, err)
	var writing sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() {
		defer close(done)
		for n := range 3000 {
			if _, err := db.ExecContext(t.Context(), "insert into x values ($1)", n); err != nil {
				t.Error(err)
				return
			}
		}
	})
	runs := 0
	for open := true; open; runs++ {
		select {
		case <-done:
			open = false
		default:
		}
		if _, _, err := c.Run(t.Context()); err != nil {
			t.Errorf("run %d: %v", runs, err)
			break
		}
	}
	writing.Wait()
	must(t, c.Close())
	must(t, db.Close())
	must(t, s.Close())
	t.Logf("%d runs", runs)
}
