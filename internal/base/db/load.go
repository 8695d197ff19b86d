package db

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Load fills an empty database with a dump, of either engine. A dump of an older
// schema is loaded into that schema, and then the younger migrations run. Until it
// returns nil the database is not to be used; after an error, make it anew. What is
// wrong with the dump is ErrDump.
func (d *DB) Load(ctx context.Context, r io.Reader) error {
	e := &dumpReader{r: bufio.NewReaderSize(r, 1<<16), sum: sha256.New()}
	if err := d.load(ctx, e); err != nil {
		return fmt.Errorf("load a dump into %s: %w", d.cfg.Schema, err)
	}
	return nil
}

func (d *DB) load(ctx context.Context, e *dumpReader) error {
	if err := e.begin(); err != nil {
		return err
	}
	have, err := d.readSchema(e)
	if err != nil {
		return err
	}
	if err := d.Read(ctx, func(tx *Tx) error { return d.empty(ctx, tx) }); err != nil {
		return err
	}
	if have < len(d.cfg.Migrations) {
		if err := d.rewind(ctx, have); err != nil {
			return fmt.Errorf("make the schema of the dump: %w", err)
		}
	}
	if err := d.Write(ctx, func(tx *Tx) error {
		if err := d.relax(ctx, tx, true); err != nil {
			return err
		}
		if err := d.loadRows(ctx, tx, e); err != nil {
			return err
		}
		return d.relax(ctx, tx, false)
	}); err != nil {
		return err
	}
	return d.migrate(ctx, d.cfg.Migrations)
}

// readSchema says how many of our migrations the dump has seen.
func (d *DB) readSchema(e *dumpReader) (int, error) {
	kind, _, err := e.record()
	if err != nil {
		return 0, err
	}
	if kind != recordSchema {
		return 0, refuse("it does not say which schema it has")
	}
	name, err := e.text()
	if err != nil {
		return 0, err
	}
	if name != d.cfg.Schema {
		return 0, refuse("it is of the database %q", name)
	}
	n, err := e.number()
	if err != nil {
		return 0, err
	}
	for i := range n {
		number, err1 := e.number()
		name, err2 := e.text()
		digest, err3 := e.text()
		if err := errors.Join(err1, err2, err3); err != nil {
			return 0, err
		}
		if i >= uint64(len(d.cfg.Migrations)) {
			return 0, refuse("a newer Ardesia wrote it (schema %d, this one knows %d migrations)", number, len(d.cfg.Migrations))
		}
		if m := d.cfg.Migrations[i]; uint64(m.Number) != number || m.Digest() != digest {
			return 0, refuse("its migration %s is not ours (%s)", name, m.Name)
		}
	}
	return int(n), e.done()
}

// empty makes sure that no table has a row.
func (d *DB) empty(ctx context.Context, tx *Tx) error {
	tables, err := d.tables(ctx, tx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		var any bool
		if err := tx.tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+quote(t.name)+")").Scan(&any); err != nil {
			return err
		}
		if any {
			return fmt.Errorf("table %s has rows: a dump is loaded into an empty database only", t.name)
		}
	}
	return nil
}

// rewind makes an empty database one that has seen the first n migrations.
func (d *DB) rewind(ctx context.Context, n int) error {
	if err := d.alone(ctx, func(tx *Tx) error {
		if err := d.empty(ctx, tx); err != nil {
			return err
		}
		if d.cfg.Engine == Postgres {
			_, err := tx.tx.ExecContext(ctx, "DROP SCHEMA "+quote(d.cfg.Schema)+" CASCADE; CREATE SCHEMA "+quote(d.cfg.Schema))
			return err
		}
		tables, err := d.tables(ctx, tx)
		if err != nil {
			return err
		}
		for _, t := range append(tables, table{name: "schema_migration"}) {
			if _, err := tx.tx.ExecContext(ctx, "DROP TABLE "+quote(t.name)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	return d.migrate(ctx, d.cfg.Migrations[:n])
}

// relax lets rows point to rows that come later in the dump, and afterwards makes
// sure that they came.
func (d *DB) relax(ctx context.Context, tx *Tx, on bool) error {
	if d.cfg.Engine == SQLite {
		if on {
			_, err := tx.tx.ExecContext(ctx, "PRAGMA defer_foreign_keys=ON") // until the commit, which checks
			return err
		}
		return nil
	}
	how := "NOT DEFERRABLE"
	if on {
		how = "DEFERRABLE INITIALLY DEFERRED"
	}
	texts, err := All(ctx, tx, func(r Row) (string, error) {
		var table, name string
		err := r.Scan(&table, &name)
		return "ALTER TABLE " + table + " ALTER CONSTRAINT " + quote(name) + " " + how, err // regclass is quoted
	}, `SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace ORDER BY 1, 2`)
	if err != nil {
		return err
	}
	if !on {
		texts = append([]string{"SET CONSTRAINTS ALL IMMEDIATE"}, texts...)
	}
	for _, text := range texts {
		if _, err := tx.tx.ExecContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// loadRows loads all tables and checks the digest.
func (d *DB) loadRows(ctx context.Context, tx *Tx, e *dumpReader) error {
	tables, err := d.tables(ctx, tx)
	if err != nil {
		return err
	}
	var (
		current *table
		insert  string
		rows    uint64
	)
	for {
		kind, before, err := e.record()
		if err != nil {
			return err
		}
		switch kind {
		case recordTable:
			if len(tables) == 0 {
				return refuse("it has more tables than the schema")
			}
			current, tables = &tables[0], tables[1:]
			insert = current.insert(d.cfg.Engine)
			if err := e.table(current); err != nil {
				return err
			}
		case recordRow:
			if current == nil {
				return refuse("it has a row before the first table")
			}
			values := make([]any, len(current.columns))
			for i, c := range current.columns {
				if values[i], err = e.value(); err != nil {
					return err
				}
				if !c.accepts(values[i]) {
					return refuse("column %s of table %s cannot be a %T", c.name, current.name, values[i])
				}
			}
			if err := e.done(); err != nil {
				return err
			}
			if _, err := tx.tx.ExecContext(ctx, insert, values...); err != nil {
				return fmt.Errorf("table %s: %w", current.name, err)
			}
			rows++
		case recordEnd:
			n, err := e.number()
			switch {
			case err != nil:
				return err
			case n != rows || len(tables) > 0 || !bytes.Equal(before, e.left):
				return refuse("its end does not fit its beginning")
			}
			if _, err := e.r.ReadByte(); !errors.Is(err, io.EOF) {
				return errors.Join(refuse("something stands behind its end"), err)
			}
			return nil
		default:
			return refuse("a record of kind %q", kind)
		}
	}
}

// table reads a table's record, which must describe t.
func (e *dumpReader) table(t *table) error {
	name, err := e.text()
	if err != nil {
		return err
	}
	n, err := e.number()
	if err != nil {
		return err
	}
	if name != t.name || n != uint64(len(t.columns)) {
		return refuse("it has the table %q of %d columns where %q of %d is expected", name, n, t.name, len(t.columns))
	}
	var names []string
	for range n {
		c, err := e.text()
		if err != nil {
			return err
		}
		names = append(names, c)
	}
	if !slices.EqualFunc(names, t.columns, func(a string, b column) bool { return a == b.name }) {
		return refuse("table %s has the columns %q", name, names)
	}
	return e.done()
}
