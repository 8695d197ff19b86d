package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// The SQLSTATE codes that we act on (PostgreSQL manual, appendix A).
const (
	stateUnique        = "23505"
	stateForeign       = "23503"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
)

// oldestPostgres is the first version that we test on, as server_version_num counts.
const oldestPostgres = 150000

// postgresReaders is how many connections read if the configuration does not say.
const postgresReaders = 8

func openPostgres(ctx context.Context, cfg Config) (*DB, error) {
	c, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, err // pgx leaves the password out of its text
	}
	c.RuntimeParams["search_path"] = pgx.Identifier{cfg.Schema}.Sanitize()
	c.RuntimeParams["timezone"] = "UTC"
	c.RuntimeParams["application_name"] = "ardesia"
	if _, said := c.RuntimeParams["synchronous_commit"]; !said {
		c.RuntimeParams["synchronous_commit"] = "on" // nil from Write means on disk, whatever the server's default is
	}
	n := cfg.Readers
	if n <= 0 {
		n = postgresReaders
	}
	reading := c.Copy()
	reading.RuntimeParams["default_transaction_read_only"] = "on" // also outside of a transaction, as on SQLite
	d := &DB{
		cfg:     cfg,
		writer:  sql.OpenDB(postgresConnector{stdlib.GetConnector(*c)}),
		readers: sql.OpenDB(postgresConnector{stdlib.GetConnector(*reading)}),
	}
	limit(d.writer, 1)
	limit(d.readers, n)
	if err := d.greet(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// greet looks at the server, and makes our schema in its database.
func (d *DB) greet(ctx context.Context) error {
	var version int
	var encoding string
	if err := d.writer.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_encoding')`).Scan(&version, &encoding); err != nil {
		return err
	}
	if version < oldestPostgres {
		return fmt.Errorf("the server is PostgreSQL %d; Ardesia needs %d or later", version/10000, oldestPostgres/10000)
	}
	if encoding != "UTF8" {
		return fmt.Errorf("the database's encoding is %s: make it with ENCODING 'UTF8'", encoding)
	}
	var exists bool
	if err := d.writer.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, d.cfg.Schema).Scan(&exists); err != nil || exists {
		return err
	}
	// Another process may make it at the same moment; IF NOT EXISTS does not wait for it.
	_, err := d.writer.ExecContext(ctx, `CREATE SCHEMA `+pgx.Identifier{d.cfg.Schema}.Sanitize())
	var p *pgconn.PgError
	if errors.As(err, &p) && (p.Code == stateUnique || p.Code == "42P06") {
		return nil
	}
	return err
}

func explainPostgres(err error) error {
	var p *pgconn.PgError
	if !errors.As(err, &p) {
		return err
	}
	switch p.Code {
	case stateUnique:
		return fmt.Errorf("%w: %w", ErrUnique, err)
	case stateForeign:
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	return err
}

// again says whether the same transaction may succeed if it is run once more.
func again(err error) bool {
	var p *pgconn.PgError
	return errors.As(err, &p) && (p.Code == stateSerialization || p.Code == stateDeadlock)
}

// postgresConnector makes connections whose errors are those of this package.
type postgresConnector struct{ driver.Connector }

func (c postgresConnector) Connect(ctx context.Context) (driver.Conn, error) {
	k, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return postgresConn{k.(*stdlib.Conn)}, nil // what stdlib's connector makes
}

type postgresConn struct{ *stdlib.Conn }

func (k postgresConn) ExecContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Result, error) {
	r, err := k.Conn.ExecContext(ctx, text, args)
	return r, explainPostgres(err)
}

func (k postgresConn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	r, err := k.Conn.QueryContext(ctx, text, args)
	if err != nil {
		return nil, explainPostgres(err)
	}
	return postgresRows{r.(*stdlib.Rows)}, nil // what stdlib's connection makes
}

// CheckNamedValue lets through what SQLite takes too, and nothing else.
func (k postgresConn) CheckNamedValue(v *driver.NamedValue) error {
	switch value := v.Value.(type) {
	case float64:
		if math.IsNaN(value) {
			return fmt.Errorf("parameter %d is not a number (NaN)", v.Ordinal)
		}
		return nil
	case nil, int64, bool, string, []byte:
		return nil
	}
	return driver.ErrSkip
}

type postgresRows struct{ *stdlib.Rows }

func (r postgresRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == io.EOF || err == nil {
		return err
	}
	return explainPostgres(err)
}
