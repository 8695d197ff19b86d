package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// The SQLSTATE codes that we act on, PostgreSQL manual, appendix A.
const (
	stateUnique        = "23505"
	stateForeign       = "23503"
	stateSerialization = "40001"
	stateDeadlock      = "40P01"
)

func openPostgres(ctx context.Context, cfg Config) (*DB, error) {
	c, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, err
	}
	c.RuntimeParams["search_path"] = cfg.Schema
	c.RuntimeParams["timezone"] = "UTC"
	c.RuntimeParams["application_name"] = "ardesia"
	d := &DB{cfg: cfg, writer: stdlib.OpenDB(*c), readers: stdlib.OpenDB(*c)}
	d.writer.SetMaxOpenConns(1)
	d.writer.SetMaxIdleConns(1)
	n := cfg.Readers
	if n <= 0 {
		n = 8
	}
	d.readers.SetMaxOpenConns(n)
	d.readers.SetMaxIdleConns(n)
	if _, err := d.writer.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{cfg.Schema}.Sanitize()); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
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
