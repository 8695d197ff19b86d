package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// shelf is a history of our own, so that these tests do not change with the rooms.
var shelf = []db.Migration{
	{Number: 1, Name: "0001_shelf.sql", Text: `
		-- a shelf holds books
		CREATE TABLE shelf (id TEXT NOT NULL PRIMARY KEY);
		CREATE TABLE book (
			id BIGINT NOT NULL PRIMARY KEY,
			shelf TEXT NOT NULL REFERENCES shelf (id),
			title TEXT NOT NULL UNIQUE,
			lent BOOLEAN NOT NULL DEFAULT FALSE,
			cover BYTEA,
			rating DOUBLE PRECISION
		);`},
}

func each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, dbtest.Open(t, config(t, e))) })
	}
}

func config(t testing.TB, e db.Engine) db.Config {
	t.Helper()
	c := dbtest.Config(t, e, dbtest.Core)
	c.Migrations = shelf
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(ctx context.Context, text string, args ...any) func(tx *db.Tx) error {
	return func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, text, args...)
		return err
	}
}

func TestConstraints(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		must(t, d.Write(ctx, exec(ctx, `INSERT INTO shelf (id) VALUES ($1)`, "a")))
		if err := d.Write(ctx, exec(ctx, `INSERT INTO shelf (id) VALUES ($1)`, "a")); !errors.Is(err, db.ErrUnique) {
			t.Errorf("the second row of a key: %v, want ErrUnique", err)
		}
		if err := d.Write(ctx, exec(ctx, `INSERT INTO book (id, shelf, title) VALUES ($3, $2, $1)`, "t", "none", 1)); !errors.Is(err, db.ErrForeign) {
			t.Errorf("a row that points nowhere: %v, want ErrForeign", err)
		}
	})
}
