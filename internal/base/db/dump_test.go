package db_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// fill puts rows of every kind in; one shelf stands under a later one.
func fill(t testing.TB, d *db.DB) {
	t.Helper()
	ctx := context.Background()
	must(t, d.Write(ctx, func(tx *db.Tx) error {
		for _, id := range []string{"Z", "a", "à", "B", "_"} {
			must(t, exec(ctx, `insert into shelf (id) values ($1)`, id)(tx))
		}
		must(t, exec(ctx, `update shelf set under = 'à' where id = 'B'`)(tx))
		for i := range 40 {
			var cover []byte
			var rating any
			if i%3 == 1 {
				cover = bytes.Repeat([]byte{byte(i), 0}, i*200)
			}
			if i%4 == 1 {
				rating = []float64{1, -0.5, math.Inf(1), 1e300}[i/4%4]
			}
			must(t, exec(ctx, `insert into book (id, shelf, title, lent, cover, rating) values ($1, 'à', $2, $3, $4, $5)`,
				int64(i-20)*1e15, fmt.Sprint("title ", i), i%2 == 0, cover, rating)(tx))
			must(t, exec(ctx, `insert into loan (book, who) values ($1, $2)`, int64(i-20)*1e15, fmt.Sprint("who ", i%5))(tx))
		}
		return nil
	}))
}

func dump(t testing.TB, d *db.DB) []byte {
	t.Helper()
	var b bytes.Buffer
	must(t, d.Dump(context.Background(), &b))
	return b.Bytes()
}

// TestDumpIsTheSameEverywhere also loads each dump into each engine.
func TestDumpIsTheSameEverywhere(t *testing.T) {
	dumps := map[db.Engine][]byte{}
	for _, e := range dbtest.Engines {
		d := dbtest.Open(t, config(t, e))
		fill(t, d)
		dumps[e] = dump(t, d)
	}
	if !bytes.Equal(dumps[db.SQLite], dumps[db.Postgres]) {
		t.Fatalf("the engines dump %d and %d bytes that differ", len(dumps[db.SQLite]), len(dumps[db.Postgres]))
	}
	for _, e := range dbtest.Engines {
		d := dbtest.Open(t, config(t, e))
		must(t, d.Load(t.Context(), bytes.NewReader(dumps[db.SQLite])))
		if !bytes.Equal(dump(t, d), dumps[db.SQLite]) {
			t.Errorf("%v: what was loaded is dumped as something else", e)
		}
		if err := d.Load(t.Context(), bytes.NewReader(dumps[db.SQLite])); err == nil || !strings.Contains(err.Error(), "empty database") {
			t.Errorf("%v: loaded twice: %v", e, err)
		}
		// Rows are checked again after a load as before.
		if err := d.Write(t.Context(), exec(t.Context(), `insert into book (id, shelf, title) values (1, 'none', 'x')`)); !errors.Is(err, db.ErrForeign) {
			t.Errorf("%v: a row that points nowhere: %v, want ErrForeign", e, err)
		}
	}
}

func TestOldDumpIsMigrated(t *testing.T) {
	eachConfig(t, func(t *testing.T, c db.Config) {
		old := c
		old.Migrations = shelf[:1]
		if c.Engine == db.Postgres {
			old.DSN = dbtest.Postgres(t)
		} else {
			old.Path += ".old"
		}
		from := dbtest.Open(t, old)
		must(t, from.Write(t.Context(), func(tx *db.Tx) error {
			must(t, exec(t.Context(), `insert into shelf (id) values ('a')`)(tx))
			return exec(t.Context(), `insert into book (id, shelf, title) values (7, 'a', 't')`)(tx)
		}))
		to := dbtest.Open(t, c)
		must(t, to.Load(t.Context(), bytes.NewReader(dump(t, from))))
		if n := count(t, to, "loan"); n != 1 {
			t.Errorf("the second migration found %d books, want 1", n)
		}
		must(t, from.Close())
		// The other way there is no way.
		older := old
		if c.Engine == db.Postgres {
			older.DSN = dbtest.Postgres(t)
		} else {
			older.Path += "er"
		}
		if err := dbtest.Open(t, older).Load(t.Context(), bytes.NewReader(dump(t, to))); !errors.Is(err, db.ErrDump) {
			t.Errorf("a dump of a newer schema: %v, want ErrDump", err)
		}
	})
}

func TestDamagedDumpIsRefused(t *testing.T) {
	c := config(t, db.SQLite)
	d := dbtest.Open(t, c)
	fill(t, d)
	good := dump(t, d)
	target := c
	target.Path += ".target"
	to := dbtest.Open(t, target)
	for i := 0; i < len(good); i += 1 + i%97 {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := to.Load(t.Context(), bytes.NewReader(bad)); err == nil {
			t.Fatalf("loaded with byte %d changed", i)
		}
		if err := to.Load(t.Context(), bytes.NewReader(good[:i])); !errors.Is(err, db.ErrDump) {
			t.Fatalf("loaded %d bytes of %d: %v, want ErrDump", i, len(good), err)
		}
	}
	if err := to.Load(t.Context(), bytes.NewReader(append(bytes.Clone(good), 0))); !errors.Is(err, db.ErrDump) {
		t.Errorf("loaded with a byte behind it: %v, want ErrDump", err)
	}
	must(t, to.Load(t.Context(), bytes.NewReader(good))) // nothing of the others was left
}

// Load refuses what is no dump, whatever it is, and leaves the database empty.
func FuzzLoad(f *testing.F) {
	c := config(f, db.SQLite)
	d, err := db.Open(context.Background(), c)
	must(f, err)
	fill(f, d)
	good := dump(f, d)
	must(f, d.Close())
	c.Path += ".target"
	d, err = db.Open(context.Background(), c)
	must(f, err)
	f.Cleanup(func() { d.Close() })
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("ardesia dump 1\nS\xff\xff\xff\x1f"))
	f.Add([]byte("ardesia dump 1\nS\x06\x04core\x00T\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if bytes.Equal(b, good) {
			return
		}
		if err := d.Load(context.Background(), bytes.NewReader(b)); err == nil {
			t.Fatal("loaded")
		}
	})
}
