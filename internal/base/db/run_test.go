package db_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/sqlite"
)

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("still not: %s", what)
		}
	}
}

func write(t testing.TB, d *db.DB, from, n, size int) {
	t.Helper()
	ctx := context.Background()
	for i := range n {
		must(t, d.Write(ctx, exec(ctx, `insert into book (id, shelf, title, cover) values ($1, 'a', $2, $3)`, from+i, string(rune('a'+from%26))+time.Duration(from+i).String(), bytes.Repeat([]byte{1}, size))))
	}
}

func size(t testing.TB, path string) int64 {
	t.Helper()
	i, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	must(t, err)
	return i.Size()
}

// TestLogStaysShort writes much more than the log is to hold, with Run and without.
func TestLogStaysShort(t *testing.T) {
	for name, run := range map[string]bool{"with Run": true, "without Run": false} {
		t.Run(name, func(t *testing.T) {
			c := config(t, db.SQLite)
			d := dbtest.Open(t, c)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			if run {
				go func() { ended <- d.Run(ctx) }()
			}
			must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ('a')`)))
			const rows, rowSize = 250, 400_000 // 100 MB
			write(t, d, 0, rows, rowSize)
			if n := size(t, c.Path+"-wal"); n > 90<<20 {
				t.Errorf("the log has %d bytes", n)
			}
			if run {
				eventually(t, "most of it is in the database", func() bool { return size(t, c.Path) > 60<<20 })
				stop()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("Run: %v", err)
				}
			}
			stop()
			must(t, d.Close())
			if n := size(t, c.Path+"-wal"); n != 0 {
				t.Errorf("the log has %d bytes after Close", n)
			}
		})
	}
}

// TestFreedPagesAreGivenBack deletes most of a database that Run looks after.
func TestFreedPagesAreGivenBack(t *testing.T) {
	c := config(t, db.SQLite)
	d := dbtest.Open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ('a')`)))
	write(t, d, 0, 60, 500_000)
	eventually(t, "it has grown", func() bool { return size(t, c.Path) > 20<<20 })
	full := size(t, c.Path)
	must(t, d.Write(ctx, exec(ctx, `delete from book where id > 2`)))
	n := 1000
	eventually(t, "it has shrunk", func() bool {
		write(t, d, n, 1, 1_000_000)
		must(t, d.Write(ctx, exec(ctx, `delete from book where id = $1`, n)))
		n++
		return size(t, c.Path) < full*3/4
	})
	stop()
	<-ended
	must(t, d.Check(t.Context()))
}

func TestBackupTo(t *testing.T) {
	c := config(t, db.SQLite)
	d := dbtest.Open(t, c)
	fill(t, d)
	key := bytes.Repeat([]byte{9}, 32)
	path := filepath.Join(t.TempDir(), "backup.db")
	must(t, d.BackupTo(t.Context(), path, key))
	b := c
	b.Path, b.Key = path, key
	copied := dbtest.Open(t, b)
	must(t, copied.Check(t.Context()))
	if !bytes.Equal(dump(t, copied), dump(t, d)) {
		t.Error("the backup holds something else")
	}
	if err := dbtest.Open(t, config(t, db.Postgres)).BackupTo(t.Context(), path, key); err == nil {
		t.Error("PostgreSQL was copied as a file")
	}
}

func TestCloseWaitsForTransactions(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		inside, leave, wrote := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			wrote <- d.Write(ctx, func(tx *db.Tx) error {
				close(inside)
				<-leave
				return exec(ctx, `insert into shelf (id) values ('a')`)(tx)
			})
		}()
		<-inside
		closed := make(chan error, 1)
		go func() { closed <- d.Close() }()
		select {
		case err := <-closed:
			t.Fatalf("closed under a transaction: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
		close(leave)
		must(t, <-wrote)
		must(t, <-closed)
		if err := d.Write(ctx, func(*db.Tx) error { return nil }); err == nil {
			t.Error("wrote to a closed database")
		}
		must(t, d.Close())
	})
}

// TestDamageIsNamed: what a room gets from a damaged file names it.
func TestDamageIsNamed(t *testing.T) {
	c := config(t, db.SQLite)
	d := dbtest.Open(t, c)
	fill(t, d)
	must(t, d.Close())
	data, err := os.ReadFile(c.Path)
	must(t, err)
	for i := 4096; i < len(data); i += 4096 { // page 1 would be noticed at once
		data[i+99] ^= 1
	}
	must(t, os.WriteFile(c.Path, data, 0o600))
	d, err = db.Open(t.Context(), c)
	if err == nil {
		err = d.Read(t.Context(), func(tx *db.Tx) error {
			var n int
			return tx.QueryRow(t.Context(), `select count(*) from book`).Scan(&n)
		})
		_ = d.Close()
	}
	if !errors.Is(err, sqlite.ErrDamaged) || !bytes.Contains([]byte(err.Error()), []byte(c.Path)) {
		t.Errorf("%v, want sqlite.ErrDamaged that names %s", err, c.Path)
	}
}

// TestLogStaysShortUnderReaders: there is never a moment at which nobody reads, and the
// log begins anew all the same.
func TestLogStaysShortUnderReaders(t *testing.T) {
	c := config(t, db.SQLite)
	c.Readers = 3
	d := dbtest.Open(t, c)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ('a')`)))

	var readers sync.WaitGroup
	readers.Go(func() { // each leaves when the next one has come
		tick := time.NewTicker(3 * time.Millisecond) // so long each keeps its snapshot
		defer tick.Stop()
		before := make(chan struct{})
		for ctx.Err() == nil {
			came, leave := make(chan struct{}), make(chan struct{})
			readers.Go(func() {
				err := d.Read(context.Background(), func(tx *db.Tx) error {
					var n int
					err := tx.QueryRow(context.Background(), `select count(*) from shelf`).Scan(&n)
					close(came)
					<-leave
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			<-came
			close(before)
			before = leave
			<-tick.C
		}
		close(before)
	})
	const rows, rowSize = 350, 400_000 // 140 MB
	write(t, d, 0, rows, rowSize)
	if n := size(t, c.Path+"-wal"); n > 90<<20 {
		t.Errorf("the log has %d bytes", n)
	}
	stop()
	readers.Wait()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}

// A statement is planned once for each connection, whatever number its limit is given.
func TestStatementsArePlannedOnce(t *testing.T) {
	c := config(t, db.SQLite)
	c.Readers = 1
	d := dbtest.Open(t, c)
	ctx := t.Context()
	must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ($1)`, "a")))
	write(t, d, 0, 3, 1)
	ask := func(n int) {
		must(t, d.Read(ctx, func(tx *db.Tx) error {
			rows, err := tx.Query(ctx, `select id from book where shelf = $1 order by id limit $2`, "a", n)
			if err != nil {
				return err
			}
			defer rows.Close()
			for range n {
				if !rows.Next() {
					t.Errorf("limit %d gave fewer rows: %v", n, rows.Err())
				}
			}
			if rows.Next() {
				t.Errorf("limit %d gave more rows", n)
			}
			return rows.Err()
		}))
	}
	ask(1)
	steps, plans := d.Work()
	for n := range 4 {
		ask(n)
	}
	more, again := d.Work()
	if again != plans || more <= steps {
		t.Errorf("%d statements were planned again in %d steps", again-plans, more-steps)
	}
}
