package db_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/sqlite"
)

func eachConfig(t *testing.T, test func(t *testing.T, c db.Config)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, config(t, e)) })
	}
}

func TestMigrationsRunOnce(t *testing.T) {
	eachConfig(t, func(t *testing.T, c db.Config) {
		ctx := t.Context()
		half := c
		half.Migrations = shelf[:1]
		d, err := db.Open(ctx, half)
		must(t, err)
		must(t, d.Write(ctx, func(tx *db.Tx) error {
			must(t, exec(ctx, `insert into shelf (id) values ('a')`)(tx))
			return exec(ctx, `insert into book (id, shelf, title) values (7, 'a', 't')`)(tx)
		}))
		must(t, d.Close())
		for range 2 { // the second finds nothing to do
			d, err = db.Open(ctx, c)
			must(t, err)
			if n := count(t, d, "loan"); n != 1 {
				t.Errorf("the second migration made %d rows, want 1", n)
			}
			if n := count(t, d, "schema_migration"); n != 2 {
				t.Errorf("%d migrations are remembered, want 2", n)
			}
			must(t, d.Close())
		}
	})
}

func TestOpenRefusesAnotherHistory(t *testing.T) {
	edited := []db.Migration{shelf[0], {Number: 2, Name: shelf[1].Name, Text: shelf[1].Text + " "}}
	inserted := []db.Migration{shelf[0], {Number: 2, Name: "0002_other.sql", Text: "create table other (id text)"}, {Number: 3, Name: "0003_loan.sql", Text: shelf[1].Text}}
	before := []db.Migration{{Number: 1, Name: "0001_other.sql", Text: "create table other (id text)"}, {Number: 2, Name: "0002_shelf.sql", Text: shelf[0].Text}}
	eachConfig(t, func(t *testing.T, c db.Config) {
		d, err := db.Open(t.Context(), c)
		must(t, err)
		must(t, d.Close())
		for name, o := range map[string]struct {
			migrations []db.Migration
			want       string
		}{
			"newer":    {shelf[:1], "it was written by a newer Ardesia (schema 2, this one knows 1)"},
			"unknown":  {nil, "it was written by a newer Ardesia (schema 2, this one knows 0)"},
			"edited":   {edited, "0002_loan.sql was applied to this database in another form"},
			"inserted": {inserted, "another form"},
			"before":   {before, "another form"},
		} {
			t.Run(name, func(t *testing.T) {
				c := c
				c.Migrations = o.migrations
				d, err := db.Open(t.Context(), c)
				if err == nil {
					err = d.Close()
				}
				if err == nil || !strings.Contains(err.Error(), o.want) {
					t.Errorf("opened: %v, want %q", err, o.want)
				}
			})
		}
	})
}

func TestFailedMigrationLeavesNothing(t *testing.T) {
	eachConfig(t, func(t *testing.T, c db.Config) {
		good := c.Migrations
		c.Migrations = []db.Migration{shelf[0], {Number: 2, Name: "0002_wrong.sql", Text: `create table lamp (id text); insert into lamp (id) values ('a'); insert into none (id) values ('b')`}}
		if _, err := db.Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "0002_wrong.sql") {
			t.Fatalf("opened: %v, want an error that names the migration", err)
		}
		c.Migrations = append([]db.Migration{}, good[0], db.Migration{Number: 2, Name: "0002_right.sql", Text: `create table lamp (id text)`})
		d, err := db.Open(t.Context(), c)
		must(t, err)
		must(t, d.Close())
	})
}

func TestManyOpenAtOnce(t *testing.T) {
	eachConfig(t, func(t *testing.T, c db.Config) {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				d, err := db.Open(context.Background(), c)
				if err != nil {
					t.Error(err)
					return
				}
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

func TestNumberKeysKeepTheTableInOrder(t *testing.T) {
	d := dbtest.Open(t, config(t, db.SQLite))
	ctx := t.Context()
	must(t, d.Read(ctx, func(tx *db.Tx) error {
		var n int
		// A key that SQLite keeps beside the table would have an index of its own.
		must(t, tx.QueryRow(ctx, `select count(*) from sqlite_schema where type = 'index' and tbl_name = 'book' and sql is null`).Scan(&n))
		if n != 1 { // that of the unique title
			t.Errorf("book has %d indexes that nobody asked for, want 1", n)
		}
		return nil
	}))
}

func TestOpenRefuses(t *testing.T) {
	c := config(t, db.SQLite)
	must(t, dbtest.Open(t, c).Close())
	wrong := c
	wrong.Key = make([]byte, 32)
	if _, err := db.Open(t.Context(), wrong); !errors.Is(err, sqlite.ErrKey) || !strings.Contains(err.Error(), c.Path) {
		t.Errorf("a wrong key: %v, want sqlite.ErrKey that names the file", err)
	}
	dir, err := os.MkdirTemp("", "ardesia-open-*")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	open := c
	open.Path = dir + "/core.db"
	if _, err := db.Open(t.Context(), open); !errors.Is(err, sqlite.ErrReadable) {
		t.Errorf("a folder that others can read: %v, want sqlite.ErrReadable", err)
	}
	late := c
	late.Now = nil
	if _, err := db.Open(t.Context(), late); err == nil {
		t.Error("opened without a clock")
	}
	p := c
	p.Engine, p.DSN = db.Postgres, "postgres://nobody@127.0.0.1:1/none?connect_timeout=2"
	if _, err := db.Open(t.Context(), p); err == nil {
		t.Error("opened a server that is not there")
	}
}
