package db_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
)

// shelf is a history of our own, so that these tests do not change with the rooms.
var shelf = []db.Migration{
	{Number: 1, Name: "0001_shelf.sql", Text: `
		-- a shelf holds books; it's "one" text, and $1 in a comment is nothing
		create table shelf (id text not null primary key, under text references shelf (id));
		create table book (
			id bigint not null primary key,
			shelf text not null references shelf (id),
			title text not null unique,
			lent boolean not null default false,
			cover bytea,
			rating double precision
		);
		create index book_shelf on book (shelf, title);`},
	{Number: 2, Name: "0002_loan.sql", Text: `create table loan (book bigint not null references book (id), who text not null, primary key (who, book));
		insert into loan (book, who) select id, title from book;`},
}

func config(t testing.TB, e db.Engine) db.Config {
	t.Helper()
	c := dbtest.Empty(t, e, dbtest.Core)
	c.Migrations = shelf
	return c
}

func each(t *testing.T, test func(t *testing.T, d *db.DB)) {
	t.Helper()
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) { test(t, dbtest.Open(t, config(t, e))) })
	}
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

func count(t testing.TB, d *db.DB, table string) (n int) {
	t.Helper()
	ctx := context.Background()
	must(t, d.Read(ctx, func(tx *db.Tx) error { return tx.QueryRow(ctx, `select count(*) from `+table).Scan(&n) }))
	return n
}

func TestConstraints(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ($1)`, "a")))
		must(t, d.Write(ctx, exec(ctx, `insert into book (id, shelf, title) values ($1, $2, $3)`, 1, "a", "t")))
		for name, c := range map[string]struct {
			text string
			args []any
			want error
		}{
			"second row of a text key":     {`insert into shelf (id) values ($1)`, []any{"a"}, db.ErrUnique},
			"second row of a number key":   {`insert into book (id, shelf, title) values ($1, 'a', 'u')`, []any{1}, db.ErrUnique},
			"second row of a unique index": {`insert into book (id, shelf, title) values ($1, 'a', 't')`, []any{2}, db.ErrUnique},
			"row that points nowhere":      {`insert into book (id, shelf, title) values ($1, 'none', 'u')`, []any{2}, db.ErrForeign},
			"row that others point to":     {`delete from shelf where id = $1`, []any{"a"}, db.ErrForeign},
		} {
			t.Run(name, func(t *testing.T) {
				if err := d.Write(ctx, exec(ctx, c.text, c.args...)); !errors.Is(err, c.want) {
					t.Errorf("Exec: %v, want %v", err, c.want)
				}
				err := d.Write(ctx, func(tx *db.Tx) error {
					var any string
					return tx.QueryRow(ctx, c.text+` returning 'x'`, c.args...).Scan(&any)
				})
				if !errors.Is(err, c.want) {
					t.Errorf("QueryRow: %v, want %v", err, c.want)
				}
			})
		}
	})
}

func TestWriteIsWholeOrNothing(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		insert := exec(t.Context(), `insert into shelf (id) values ($1)`, "a")
		mine := errors.New("mine")
		for name, write := range map[string]func(ctx context.Context, stop func()) error{
			"error": func(ctx context.Context, _ func()) error {
				return d.Write(ctx, func(tx *db.Tx) error { return errors.Join(insert(tx), mine) })
			},
			"panic": func(ctx context.Context, _ func()) (err error) {
				defer func() { err = recover().(error) }()
				return d.Write(ctx, func(tx *db.Tx) error { must(t, insert(tx)); panic(mine) })
			},
			"end of the context": func(ctx context.Context, stop func()) error {
				err := d.Write(ctx, func(tx *db.Tx) error { must(t, insert(tx)); stop(); return nil })
				if errors.Is(err, context.Canceled) {
					return mine
				}
				return err
			},
			"error that was swallowed": func(ctx context.Context, _ func()) error {
				err := d.Write(ctx, func(tx *db.Tx) error {
					must(t, insert(tx))
					_ = exec(ctx, `insert into book (id, shelf, title) values (1, 'none', 't')`)(tx)
					_ = exec(ctx, `insert into shelf (id) values ('b')`)(tx)
					return nil
				})
				if err == nil {
					return nil
				}
				return mine
			},
		} {
			t.Run(name, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				if err := write(ctx, stop); !errors.Is(err, mine) {
					t.Errorf("Write: %v, want an error", err)
				}
				if n := count(t, d, "shelf"); n != 0 {
					t.Errorf("%d rows, want none", n)
				}
			})
		}
		must(t, d.Write(t.Context(), insert)) // and it goes on
	})
}

func TestReadIsASnapshot(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		_ = d.Read(ctx, func(tx *db.Tx) error { // fails in the end, because it wrote
			var before, after int
			must(t, tx.QueryRow(ctx, `select count(*) from shelf`).Scan(&before))
			must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ('a')`))) // a reader keeps nobody from writing
			must(t, tx.QueryRow(ctx, `select count(*) from shelf`).Scan(&after))
			if before != 0 || after != 0 {
				t.Errorf("%d rows, then %d, want none", before, after)
			}
			if _, err := tx.Exec(ctx, `insert into shelf (id) values ('b')`); err == nil {
				t.Error("Read wrote")
			}
			return nil
		})
		if n := count(t, d, "shelf"); n != 1 {
			t.Errorf("%d rows afterwards, want 1", n)
		}
	})
}

func TestWritesWaitForEachOther(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ('n-0')`)))
		const writers, each = 8, 15
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for range each {
					if err := d.Write(ctx, func(tx *db.Tx) error {
						var n int
						if err := tx.QueryRow(ctx, `select cast(substr(id, 3) as bigint) from shelf`).Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec(ctx, `update shelf set id = $1`, fmt.Sprintf("n-%d", n+1))
						return err
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var got string
		must(t, d.Read(ctx, func(tx *db.Tx) error { return tx.QueryRow(ctx, `select id from shelf`).Scan(&got) }))
		if want := fmt.Sprintf("n-%d", writers*each); got != want {
			t.Errorf("counted %s, want %s", got, want)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		must(t, d.Write(t.Context(), func(*db.Tx) error {
			ctx, stop := context.WithCancel(t.Context())
			stop()
			if err := d.Write(ctx, func(*db.Tx) error { return nil }); !errors.Is(err, context.Canceled) {
				t.Errorf("a write that waits: %v, want context.Canceled", err)
			}
			return nil
		}))
	})
}

func TestQueryEndsWithTheContext(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer stop()
		err := d.Read(ctx, func(tx *db.Tx) error {
			var n int
			return tx.QueryRow(ctx, `with recursive n (i) as (select 1 union all select i + 1 from n where i < 1000000000) select count(*) from n where i > $1`, 5).Scan(&n)
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a long query: %v, want context.DeadlineExceeded", err)
		}
		must(t, d.Write(t.Context(), exec(t.Context(), `insert into shelf (id) values ('a')`)))
	})
}

func TestValuesComeBack(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		must(t, d.Write(ctx, exec(ctx, `insert into shelf (id) values ($1)`, "è 🐢 '' \"")))
		long := bytes.Repeat([]byte{0, 1, 255}, 10_000)
		for i, c := range []struct {
			id     int64
			lent   bool
			cover  []byte
			rating sql.NullFloat64
		}{
			{math.MinInt64, true, nil, sql.NullFloat64{}},
			{math.MaxInt64, false, []byte{}, sql.NullFloat64{Float64: 1, Valid: true}},
			{0, true, long, sql.NullFloat64{Float64: -0.1, Valid: true}},
			{1, true, []byte("x"), sql.NullFloat64{Float64: math.MaxFloat64, Valid: true}},
			{2, true, []byte("x"), sql.NullFloat64{Float64: math.Inf(-1), Valid: true}},
		} {
			var (
				lent   bool
				shelf  string
				cover  []byte
				rating sql.NullFloat64
			)
			must(t, d.Write(ctx, func(tx *db.Tx) error {
				// The parameters stand in another order than their numbers.
				return tx.QueryRow(ctx, `insert into book (rating, cover, lent, title, shelf, id) values ($6, $5, $4, $3, $2, $1) returning lent, shelf, cover, rating`,
					c.id, "è 🐢 '' \"", fmt.Sprint("t", i), c.lent, c.cover, c.rating).Scan(&lent, &shelf, &cover, &rating)
			}))
			if lent != c.lent || shelf != "è 🐢 '' \"" || !bytes.Equal(cover, c.cover) || (cover == nil) != (c.cover == nil) || rating != c.rating {
				t.Errorf("row %d came back as %v %q %d bytes (nil %v) %v", i, lent, shelf, len(cover), cover == nil, rating)
			}
		}
		var ids []int64
		must(t, d.Read(ctx, func(tx *db.Tx) error {
			rows, err := tx.Query(ctx, `select id from book where lent = $1 order by id`, true)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var id int64
				must(t, rows.Scan(&id))
				ids = append(ids, id)
			}
			return rows.Err()
		}))
		if fmt.Sprint(ids) != fmt.Sprint([]int64{math.MinInt64, 0, 1, 2}) {
			t.Errorf("lent are %v", ids)
		}
	})
}

func TestRefusedValues(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for name, c := range map[string]struct {
			text string
			arg  any
		}{
			"not UTF-8":    {`insert into shelf (id) values ($1)`, "a\xff"},
			"zero byte":    {`insert into shelf (id) values ($1)`, "a\x00b"},
			"not a number": {`update book set rating = $1`, math.NaN()},
			"one too many": {`delete from shelf where id = $1 or id = $2`, "a"},
			"a struct":     {`insert into shelf (id) values ($1)`, struct{}{}},
		} {
			t.Run(name, func(t *testing.T) {
				if err := d.Write(ctx, exec(ctx, c.text, c.arg)); err == nil {
					t.Error("was stored")
				}
			})
		}
	})
}

func TestNoRows(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		err := d.Read(ctx, func(tx *db.Tx) error {
			var id string
			return tx.QueryRow(ctx, `select id from shelf where id = $1`, "none").Scan(&id)
		})
		if !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("%v, want sql.ErrNoRows", err)
		}
		must(t, d.Write(ctx, func(tx *db.Tx) error {
			r, err := tx.Exec(ctx, `delete from shelf where id = $1`, "none")
			must(t, err)
			if n, err := r.RowsAffected(); n != 0 || err != nil {
				t.Errorf("deleted %d rows, %v", n, err)
			}
			return nil
		}))
	})
}

func TestTextsAreChecked(t *testing.T) {
	each(t, func(t *testing.T, d *db.DB) {
		ctx := t.Context()
		for _, text := range []string{`select ?`, `select '$1'`, `select $1, $3`} {
			err := d.Read(ctx, func(tx *db.Tx) error {
				var any string
				return tx.QueryRow(ctx, text, "a").Scan(&any)
			})
			if !errors.Is(err, db.ErrText) {
				t.Errorf("QueryRow(%s): %v, want ErrText", text, err)
			}
			if err := d.Write(ctx, exec(ctx, text)); !errors.Is(err, db.ErrText) {
				t.Errorf("Exec(%s): %v, want ErrText", text, err)
			}
		}
	})
}

func TestRewrite(t *testing.T) {
	for text, want := range map[string]string{
		`select 1`:          `select 1`,
		`a = $2 and b = $1`: `a = ?2 and b = ?1`,
		`$1=$1`:             `?1=?1`,
		`($12,$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)`: `(?12,?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)`,
		"x = '' and y = 'it''s $' and z=$1":        "x = '' and y = 'it''s $' and z=?1",
		"a -- $9 '\n = $1":                         "a \n = ?1",
		"a /* $9 ' */ = $1":                        "a   = ?1",
		"a -- to the end $1":                       "a ",
		`"a b" = $1`:                               `"a b" = ?1`,
		`x'00ff' = $1`:                             `x'00ff' = ?1`,
		`a::text = $1`:                             `a::text = ?1`,
	} {
		if got, err := db.Rewrite(text); got != want || err != nil {
			t.Errorf("Rewrite(%s) = %s, %v, want %s", text, got, err, want)
		}
	}
	for name, text := range map[string]string{
		"in a literal":          `a = 'costs $1'`,
		"in a quoted name":      `"a$1" = 1`,
		"bare mark":             `a = ?`,
		"gap":                   `a = $1 and b = $3`,
		"zero":                  `a = $0`,
		"leading zero":          `a = $01`,
		"name":                  `a = $name`,
		"dollar quotes":         `a = $$b$$`,
		"dollar tag":            `a = $b$c$b$`,
		"too large":             `a = $99999999999999999999`,
		"above both bounds":     `a = $40000`,
		"in a word":             `a$1`,
		"word behind":           `a = $1b`,
		"open literal":          `a = 'b`,
		"open name":             `a = "b`,
		"open comment":          `a /* b`,
		"star ends no comment":  `a /*/ b`,
		"comment in a comment":  `a /* b /* c */ d */`,
		"backslash string":      `a = E'\''`,
		"unicode string":        `a = U&'d'`,
		"name in backquotes":    "`a` = 1",
		"name in square braces": `[a] = 1`,
	} {
		if got, err := db.Rewrite(text); !errors.Is(err, db.ErrText) {
			t.Errorf("%s: Rewrite(%s) = %s, %v, want ErrText", name, text, got, err)
		}
	}
}

// Rewrite changes parameters and comments and nothing else, and what it has
// written it would not write again.
func FuzzRewrite(f *testing.F) {
	f.Add(`select a from b where c = $1 and d = '$' -- e`)
	f.Add(`"a""b" = $1 /* $2 */ or 'it''s'`)
	f.Add("x'00' -- $1\n $1")
	f.Add("$2") // refused once all of it is written
	f.Fuzz(func(t *testing.T, text string) {
		got, err := db.Rewrite(text)
		if err != nil {
			if !errors.Is(err, db.ErrText) || got != "" {
				t.Fatalf("refused with %v and %q", err, got)
			}
			return
		}
		if strings.Count(got, "?") > strings.Count(text, "$")+strings.Count(text, "?") {
			t.Fatalf("%q became %q", text, got)
		}
		if len(got) > len(text) {
			t.Fatalf("%q grew to %q", text, got)
		}
	})
}
