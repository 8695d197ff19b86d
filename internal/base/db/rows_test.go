package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// books puts one shelf and three books there.
func books(t *testing.T, d *db.DB) {
	t.Helper()
	must(t, d.Write(t.Context(), func(tx *db.Tx) error {
		err := exec(t.Context(), `insert into shelf (id) values ('a')`)(tx)
		for _, id := range []int64{7, 5, -1} {
			err = errors.Join(err, exec(t.Context(), `insert into book (id, shelf, title, cover) values ($1, 'a', $2, $3)`,
				id, string('i'+rune(id)), bytes.Repeat([]byte{byte(id)}, 64))(tx))
		}
		return err
	}))
}

type book struct {
	id    int64
	title string
}

func scanBook(r db.Row) (b book, err error) {
	err = r.Scan(&b.id, &b.title)
	return b, err
}

func TestAllReadsRowsInTheirOrder(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		for name, c := range map[string]struct {
			text string
			args []any
			want []book
		}{
			"all":       {`select id, title from book order by id desc`, nil, []book{{7, "p"}, {5, "n"}, {-1, "h"}}},
			"upwards":   {`select id, title from book order by id`, nil, []book{{-1, "h"}, {5, "n"}, {7, "p"}}},
			"arguments": {`select id, title from book where title = $2 and id > $1`, []any{0, "n"}, []book{{5, "n"}}},
			"none":      {`select id, title from book where id = $1`, []any{6}, nil},
		} {
			t.Run(name, func(t *testing.T) {
				var got []book
				must(t, d.Read(t.Context(), func(tx *db.Tx) (err error) {
					got, err = db.All(t.Context(), tx, scanBook, c.text, c.args...)
					return err
				}))
				if !slices.Equal(got, c.want) || (got == nil) != (c.want == nil) {
					t.Errorf("All: %#v, want %#v", got, c.want)
				}
			})
		}
	})
}

func TestOneRow(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		for name, c := range map[string]struct {
			text string
			want book
			err  error
		}{
			"there":        {`select id, title from book where id = 5`, book{5, "n"}, nil},
			"none":         {`select id, title from book where id = 6`, book{}, sql.ErrNoRows},
			"not portable": {`select id, title from book where id = ?`, book{}, db.ErrText},
		} {
			t.Run(name, func(t *testing.T) {
				must(t, d.Read(t.Context(), func(tx *db.Tx) error {
					if got, err := scanBook(tx.QueryRow(t.Context(), c.text)); got != c.want || !errors.Is(err, c.err) {
						t.Errorf("%v, %v; want %v, %v", got, err, c.want, c.err)
					}
					return nil
				}))
				var got book
				err := d.One(t.Context(), func(r db.Row) (err error) {
					got, err = scanBook(r)
					return err
				}, c.text)
				if got != c.want || !errors.Is(err, c.err) {
					t.Errorf("without a transaction: %v, %v; want %v, %v", got, err, c.want, c.err)
				}
			})
		}
	})
}

// One is for reading, has the end of its context, and ends with the database.
func TestOneIsARead(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		id := func(r db.Row) error { return r.Scan(new(int64)) }
		if err := d.One(t.Context(), id, `insert into book (id, shelf, title) values (9, 'a', 'q') returning id`); err == nil {
			t.Error("it wrote a row")
		}
		ctx, stop := context.WithCancel(t.Context())
		stop()
		if err := d.One(ctx, id, `select id from book where id = 5`); !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of its context: %v, want %v", err, context.Canceled)
		}
		must(t, d.Close())
		if err := d.One(t.Context(), id, `select id from book where id = 5`); err == nil {
			t.Error("a closed database answered")
		}
	})
}

func BenchmarkRow(b *testing.B) {
	for _, e := range dbtest.Engines {
		d := dbtest.Open(b, config(b, e))
		must(b, d.Write(b.Context(), func(tx *db.Tx) error {
			return exec(b.Context(), `insert into shelf (id) values ('a')`)(tx)
		}))
		for name, read := range map[string]func() error{
			"in a transaction": func() error {
				return d.Read(b.Context(), func(tx *db.Tx) error {
					return tx.QueryRow(b.Context(), `select id from shelf where id = $1`, "a").Scan(new(string))
				})
			},
			"by itself": func() error {
				return d.One(b.Context(), func(r db.Row) error { return r.Scan(new(string)) }, `select id from shelf where id = $1`, "a")
			},
		} {
			b.Run(e.String()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					must(b, read())
				}
			})
		}
	}
}

func TestColumn(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		ctx := t.Context()
		must(t, d.Read(ctx, func(tx *db.Tx) error {
			ids, err := db.Column[int64](ctx, tx, `select id from book where id > $1 order by id`, 0)
			if err != nil || !slices.Equal(ids, []int64{5, 7}) {
				t.Errorf("numbers: %v, %v", ids, err)
			}
			titles, err := db.Column[string](ctx, tx, `select title from book order by title`)
			if err != nil || !slices.Equal(titles, []string{"h", "n", "p"}) {
				t.Errorf("texts: %q, %v", titles, err)
			}
			covers, err := db.Column[[]byte](ctx, tx, `select cover from book where id > 0 order by id`)
			if err != nil || !slices.EqualFunc(covers, []byte{5, 7}, func(c []byte, b byte) bool { return bytes.Equal(c, bytes.Repeat([]byte{b}, 64)) }) {
				t.Errorf("bytes: %v, %v", covers, err)
			}
			under, err := db.Column[sql.NullString](ctx, tx, `select under from shelf`)
			if err != nil || !slices.Equal(under, []sql.NullString{{}}) {
				t.Errorf("null: %v, %v", under, err)
			}
			none, err := db.Column[string](ctx, tx, `select title from book where id = 6`)
			if err != nil || none != nil {
				t.Errorf("none: %#v, %v", none, err)
			}
			return nil
		}))
	})
}

// Whatever goes wrong is told, no part of the list comes with it, and the rows are
// closed: while they are open PostgreSQL takes no other statement.
func TestRowsThatEndEarly(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		books(t, d)
		mine := errors.New("mine")
		for name, c := range map[string]struct {
			text string
			row  func(r db.Row) (int64, error)
			seen int
			want error // nil for any
			lost bool  // the error of an engine ends the transaction
		}{
			"row refuses":            {`select id from book`, func(db.Row) (int64, error) { return 1, mine }, 1, mine, false},
			"more columns":           {`select id, title from book`, nil, 1, nil, false},
			"null in a number":       {`select rating from book`, nil, 1, nil, false},
			"statement not portable": {`select id from book where id = $2`, nil, 0, db.ErrText, false},
			"statement fails":        {`select id from absent`, nil, 0, nil, true},
			"third row fails": {`
				with recursive n (i) as (select 1 union all select i + 1 from n where i < 3)
				select abs(case i when 3 then -9223372036854775807 - 1 else i end) from n`, nil, 2, nil, true},
		} {
			t.Run(name, func(t *testing.T) {
				ctx := t.Context()
				err := d.Read(ctx, func(tx *db.Tx) error {
					seen := 0
					all, err := db.All(ctx, tx, func(r db.Row) (n int64, err error) {
						seen++
						if c.row != nil {
							return c.row(r)
						}
						err = r.Scan(&n)
						return n, err
					}, c.text)
					if err == nil || all != nil || seen != c.seen || (c.want != nil && !errors.Is(err, c.want)) {
						t.Errorf("All: %v, %v after %d rows; want an error (%v) after %d", all, err, seen, c.want, c.seen)
					}
					if c.lost {
						return err
					}
					if titles, err := db.Column[string](ctx, tx, `select title from book`); err != nil || len(titles) != 3 {
						t.Errorf("next statement: %q, %v", titles, err)
					}
					return nil
				})
				if (err != nil) != c.lost {
					t.Errorf("Read: %v, want an error: %t", err, c.lost)
				}
			})
		}
		t.Run("error as it was", func(t *testing.T) {
			err := d.Read(t.Context(), func(tx *db.Tx) error {
				return db.Each(t.Context(), tx, func(db.Row) error { return mine }, `select id from book`)
			})
			if err != mine {
				t.Errorf("Each: %v, want the very error of row", err)
			}
		})
		t.Run("end of the context", func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			err := d.Read(ctx, func(tx *db.Tx) error {
				return db.Each(ctx, tx, func(db.Row) error { stop(); return nil },
					`with recursive n (i) as (select 1 union all select (i + 1) % 1000 from n) select i from n`)
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Each over rows without end: %v, want that the context ended", err)
			}
		})
	})
}
