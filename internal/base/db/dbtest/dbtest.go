// Package dbtest gives a test a fresh, migrated database on both engines: SQLite
// in a sealed file, and PostgreSQL in a cluster of its own that the test binary
// starts when the first test asks and that ends with the binary, however it ends.
package dbtest

import (
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// The databases that a test can ask for.
const (
	Core    = schema.Core
	History = schema.History
	Keyring = schema.Keyring
)

// Engines are what a store is tested on.
var Engines = []db.Engine{db.SQLite, db.Postgres}

// Each runs the test on a fresh database of each engine.
func Each(t *testing.T, name string, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, e := range Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, Open(t, Config(t, e, name))) })
	}
}

// Config says where a fresh database is, for a test that opens it more than once.
func Config(t testing.TB, e db.Engine, name string) db.Config {
	t.Helper()
	migrations, err := schema.Of(name)
	if err != nil {
		t.Fatal(err)
	}
	c := db.Config{Engine: e, Schema: name, Migrations: migrations, Now: time.Now, Readers: 2}
	if e == db.Postgres {
		c.DSN = Postgres(t)
		return c
	}
	c.Path = filepath.Join(t.TempDir(), name+".db")
	c.Key = make([]byte, 32)
	if _, err := rand.Read(c.Key); err != nil {
		t.Fatal(err)
	}
	return c
}

// Open opens the database and closes it when the test ends.
func Open(t testing.TB, c db.Config) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("close database %s: %v", c.Schema, err)
		}
	})
	return d
}
