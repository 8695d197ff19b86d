// Package dbtest gives a test a fresh, migrated database on both engines: SQLite
// in a sealed file, and PostgreSQL in a cluster of its own that the test binary
// starts when the first test asks and that ends with the binary, however it ends.
package dbtest

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"sync"
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

// Config says where a fresh, migrated database is, for a test that opens it more than once.
func Config(t testing.TB, e db.Engine, name string) db.Config {
	t.Helper()
	c := config(t, e, name)
	if e == db.Postgres {
		c.DSN = migrated(t, c)
		return c
	}
	text, key, err := file(c)
	if err != nil {
		t.Fatalf("make a database to copy: %v", err)
	}
	c.Path, c.Key = filepath.Join(t.TempDir(), name+".db"), key
	if err := os.WriteFile(c.Path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// Empty is Config without the migrations done.
func Empty(t testing.TB, e db.Engine, name string) db.Config {
	t.Helper()
	c := config(t, e, name)
	if e == db.Postgres {
		c.DSN = Postgres(t)
		return c
	}
	c.Path, c.Key = filepath.Join(t.TempDir(), name+".db"), newKey()
	return c
}

func config(t testing.TB, e db.Engine, name string) db.Config {
	t.Helper()
	migrations, err := schema.Of(name)
	if err != nil {
		t.Fatal(err)
	}
	return db.Config{Engine: e, Schema: name, Migrations: migrations, Now: time.Now, Readers: 2}
}

func newKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return key
}

// files are migrated databases, by schema, that tests get copies of, with their keys.
var files = struct {
	sync.Mutex
	text, key map[string][]byte // guarded by Mutex
}{text: map[string][]byte{}, key: map[string][]byte{}}

// file is a migrated SQLite database, made when it is first asked for.
func file(c db.Config) (text, key []byte, err error) {
	files.Lock()
	defer files.Unlock()
	if text := files.text[c.Schema]; text != nil {
		return text, slices.Clone(files.key[c.Schema]), nil
	}
	dir, err := os.MkdirTemp("", "ardesia-db-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	c.Path, c.Key = filepath.Join(dir, "copied.db"), newKey()
	d, err := db.Open(context.Background(), c)
	if err != nil {
		return nil, nil, err
	}
	if err := d.Close(); err != nil {
		return nil, nil, err
	}
	if text, err = os.ReadFile(c.Path); err != nil {
		return nil, nil, err
	}
	files.text[c.Schema], files.key[c.Schema] = text, c.Key
	return text, slices.Clone(c.Key), nil
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
