package db

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"regexp"
)

// A Migration is one file of a database's history.
type Migration struct {
	Number int    // from 1, rising
	Name   string // "0002_device.sql"
	Text   string // the same on both engines; may hold many statements

	applied string // the digest that the database remembers
}

// Digest is what a database remembers of a migration.
func (m Migration) Digest() string {
	sum := sha256.Sum256([]byte(m.Text))
	return hex.EncodeToString(sum[:])
}

const migrationTable = `CREATE TABLE IF NOT EXISTS schema_migration (
	number BIGINT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	applied_at BIGINT NOT NULL
)`

// rowID finds keys that are one whole number. SQLite keeps a table in the order
// of such a key, without a second tree, when its type is spelled INTEGER.
var rowID = regexp.MustCompile(`(?i)\bBIGINT(\s+NOT\s+NULL)?(\s+PRIMARY\s+KEY)\b`)

// dialect is the text of a migration as the engine wants it.
func (d *DB) dialect(text string) string {
	if d.cfg.Engine == Postgres {
		return text
	}
	return rowID.ReplaceAllString(text, "INTEGER$1$2")
}

// migrate runs what is missing, each migration in one transaction. Two processes
// that start at once on PostgreSQL do not run one twice: the lock of the
// transaction makes the second wait, and then it finds the first one's row.
func (d *DB) migrate(ctx context.Context, all []Migration) error {
	var applied int
	if err := d.alone(ctx, func(tx *Tx) error {
		if _, err := tx.tx.ExecContext(ctx, d.dialect(migrationTable)); err != nil {
			return fmt.Errorf("make table schema_migration: %w", err)
		}
		known, err := d.check(ctx, tx)
		applied = min(len(known), len(all))
		return err
	}); err != nil {
		return err
	}
	for _, m := range all[applied:] {
		if err := d.alone(ctx, func(tx *Tx) error {
			known, err := d.check(ctx, tx)
			if err != nil || (len(known) > 0 && known[len(known)-1].Number >= m.Number) {
				return err
			}
			if _, err := tx.tx.ExecContext(ctx, d.dialect(m.Text)); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `INSERT INTO schema_migration (number, name, digest, applied_at) VALUES ($1, $2, $3, $4)`,
				m.Number, m.Name, m.Digest(), d.cfg.Now().UnixMicro())
			return err
		}); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
	}
	return nil
}

// alone is Write, and on PostgreSQL no other process is within alone on this
// schema. There it reads what is committed when it has the lock: a snapshot would
// be from before it waited.
func (d *DB) alone(ctx context.Context, fn func(tx *Tx) error) error {
	if d.cfg.Engine != Postgres {
		return d.Write(ctx, fn)
	}
	return d.within(ctx, d.writer, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, func(tx *Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('ardesia migration'), hashtext($1))`, d.cfg.Schema); err != nil {
			return err
		}
		return fn(tx)
	})
}

// check compares what was applied with what this program knows. What was applied
// must be the beginning of what is known.
func (d *DB) check(ctx context.Context, tx *Tx) ([]Migration, error) {
	var applied []Migration
	err := Each(ctx, tx, func(r Row) error {
		var m Migration
		var digest string
		if err := r.Scan(&m.Number, &m.Name, &digest); err != nil {
			return err
		}
		i := len(applied)
		switch {
		case i < len(d.cfg.Migrations) && d.cfg.Migrations[i].Number == m.Number:
			if d.cfg.Migrations[i].Digest() != digest {
				return fmt.Errorf("migration %s was applied to this database in another form than this Ardesia has: a migration is never edited", m.Name)
			}
		case i < len(d.cfg.Migrations):
			return fmt.Errorf("migration %s was applied to this database where this Ardesia has %s", m.Name, d.cfg.Migrations[i].Name)
		}
		m.applied = digest
		applied = append(applied, m)
		return nil
	}, `SELECT number, name, digest FROM schema_migration ORDER BY number`)
	if err != nil {
		return nil, err
	}
	if n := len(applied); n > len(d.cfg.Migrations) {
		knows := 0
		if k := len(d.cfg.Migrations); k > 0 {
			knows = d.cfg.Migrations[k-1].Number
		}
		return nil, fmt.Errorf("it was written by a newer Ardesia (schema %d, this one knows %d): start that version again, or restore a backup made before the upgrade", applied[n-1].Number, knows)
	}
	return applied, nil
}
