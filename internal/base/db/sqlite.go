package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

func openSQLite(ctx context.Context, cfg Config) (*DB, error) {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: cfg.Path}).EscapedPath(), RawQuery: "_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)&_pragma=foreign_keys(on)&_pragma=secure_delete(on)"}
	writer, err := driver.Open(u.String())
	if err != nil {
		return nil, err
	}
	writer.SetMaxOpenConns(1)
	writer.SetMaxIdleConns(1)
	if err := writer.PingContext(ctx); err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	readers, err := driver.Open(u.String())
	if err != nil {
		return nil, errors.Join(err, writer.Close())
	}
	n := cfg.Readers
	if n <= 0 {
		n = runtime.NumCPU()
	}
	readers.SetMaxOpenConns(n)
	readers.SetMaxIdleConns(n)
	return &DB{cfg: cfg, writer: writer, readers: readers}, nil
}

func explainSQLite(err error) error {
	switch {
	case errors.Is(err, sqlite3.CONSTRAINT_UNIQUE), errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY), errors.Is(err, sqlite3.CONSTRAINT_ROWID):
		return fmt.Errorf("%w: %w", ErrUnique, err)
	case errors.Is(err, sqlite3.CONSTRAINT_FOREIGNKEY):
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return err
}

func (d *DB) writeOptions() *sql.TxOptions {
	if d.cfg.Engine == Postgres {
		return &sql.TxOptions{Isolation: sql.LevelSerializable}
	}
	return nil
}

func (d *DB) readOptions() *sql.TxOptions {
	if d.cfg.Engine == Postgres {
		return &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true}
	}
	return &sql.TxOptions{ReadOnly: true}
}

func (d *DB) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case d.cfg.Engine == Postgres:
		return explainPostgres(err)
	}
	return explainSQLite(err)
}
