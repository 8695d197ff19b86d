package db

import (
	"context"
	"database/sql"
)

// A Row is one row of a list, or the only one that was asked for: a function that
// reads one serves both. In a list it is good until that function returns.
type Row struct {
	list *sql.Rows
	one  *sql.Row // if list is nil
	err  error    // if both are nil
}

// Scan copies the columns to what dest points to. If there should be one row and
// there is none it says sql.ErrNoRows.
func (r Row) Scan(dest ...any) error {
	switch { // no interface: calls that the compiler knows leave dest on the stack
	case r.list != nil:
		return r.list.Scan(dest...)
	case r.one != nil:
		return r.one.Scan(dest...)
	}
	return r.err
}

// Each runs a statement and calls row for each of its rows, in their order, until
// there are no more or row returns an error.
//
// Errors of the statement and of row come back as they are. Nil means that row has
// seen every row. What row scans is its own, also after it returns; sql.RawBytes
// are not. It may not use tx, whose connection is busy with the rows.
func Each(ctx context.Context, tx *Tx, row func(r Row) error, text string, args ...any) error {
	text, err := tx.db.text(text)
	if err != nil {
		return err
	}
	return tx.each(ctx, row, text, args...)
}

// All runs a statement and returns what row makes of each of its rows, in their
// order: nil if there are none. It returns nil, and no part, with an error. All
// else is as with Each.
func All[T any](ctx context.Context, tx *Tx, row func(r Row) (T, error), text string, args ...any) ([]T, error) {
	var all []T
	err := Each(ctx, tx, func(r Row) error {
		one, err := row(r)
		if err != nil {
			return err
		}
		all = append(all, one)
		return nil
	}, text, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Column is All for a statement whose rows have one column, which a T can hold.
func Column[T any](ctx context.Context, tx *Tx, text string, args ...any) ([]T, error) {
	return All(ctx, tx, func(r Row) (one T, err error) {
		err = r.Scan(&one)
		return one, err
	}, text, args...)
}

// each is Each for a text of the engine's own, which is sent as it is.
func (t *Tx) each(ctx context.Context, row func(r Row) error, text string, args ...any) error {
	rows, err := t.tx.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(Row{list: rows}); err != nil {
			return err
		}
	}
	return rows.Err()
}
