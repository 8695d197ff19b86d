package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// data is what lies on disk, open.
type data struct {
	lock                   *os.File
	root                   *keys.Root
	ring                   *keys.Ring
	core, history, keyring *db.DB
}

// openData opens everything below dir, the keys first. On an error nothing stays open.
func openData(ctx context.Context, cfg Config, now func() time.Time) (_ *data, err error) {
	d := &data{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.lock, err = openDirectory(cfg.Data); err != nil {
		return nil, err
	}
	o := keys.Options{Passphrase: secret.New(os.Getenv(keys.PassphraseVariable)), Now: now}
	if d.root, err = keys.OpenRoot(ctx, cfg.Data, o); err != nil {
		return nil, err
	}
	if cfg.Database == "" {
		if err := missed(cfg.Data); err != nil {
			return nil, err
		}
	}
	for _, want := range []struct {
		name string
		db   **db.DB
	}{{schema.Keyring, &d.keyring}, {schema.Core, &d.core}, {schema.History, &d.history}} {
		c := db.Config{Schema: want.name, Now: now}
		if cfg.Database == "" {
			c.Engine, c.Path, c.Key = db.SQLite, filepath.Join(cfg.Data, want.name+".db"), d.root.FileKey(want.name)
		} else {
			c.Engine, c.DSN = db.Postgres, cfg.Database
		}
		if *want.db, err = schema.Open(ctx, c); err != nil {
			return nil, fmt.Errorf("open the database %s: %w", want.name, err)
		}
	}
	if d.ring, err = d.root.Ring(ctx, d.keyring); err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	return d, nil
}

// missed is the error of a house that has lost a database. Without it the database would
// be made anew, and the house would begin again beside what is left of it. A house
// publishes its device authority when all its databases have been made, so one that has not may be
// at its first start still.
func missed(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, caFolder, caFile)); err != nil {
		return nil
	}
	for _, name := range []string{schema.Keyring, schema.Core, schema.History} {
		path := filepath.Join(dir, name+".db")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing, and this house had one: put it back, or restore a backup into another directory; if its data are in PostgreSQL, say where (--database)", path)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// close closes what is open, in reverse.
func (d *data) close() error {
	var all []error
	for _, open := range []*db.DB{d.history, d.core, d.keyring} {
		if open != nil {
			all = append(all, open.Close())
		}
	}
	if d.lock != nil {
		all = append(all, d.lock.Close())
	}
	return errors.Join(all...)
}

// check says whether the data can be read now.
func (d *data) check(ctx context.Context) error {
	for _, open := range []*db.DB{d.core, d.history} {
		err := open.Read(ctx, func(tx *db.Tx) error {
			var one int
			return tx.QueryRow(ctx, "select 1").Scan(&one)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// databaseName is the database for people: without user and password.
func databaseName(cfg Config) string {
	if cfg.Database == "" {
		return "embedded, in " + cfg.Data
	}
	u, err := url.Parse(cfg.Database)
	if err != nil {
		return "PostgreSQL"
	}
	return "PostgreSQL at " + u.Host + u.Path
}
