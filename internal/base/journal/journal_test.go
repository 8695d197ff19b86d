package journal_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 123456000, time.UTC)

func entry(id string) journal.Entry {
	return journal.Entry{At: noon, Actor: "user:u1", Space: "s1", Action: "thing:create", Resource: "thing", ID: id}
}

func record(t testing.TB, d *db.DB, entries ...journal.Entry) {
	t.Helper()
	for _, e := range entries {
		err := d.Write(t.Context(), func(tx *db.Tx) error { return journal.Record(t.Context(), tx, e) })
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRecordAndList(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		if n, err := journal.Verify(t.Context(), d); n != 0 || err != nil {
			t.Fatalf("Verify of nothing = %d, %v", n, err)
		}
		other := entry("b")
		other.Space, other.Detail = "s2", map[string]string{"role": "admin", "account": "u2"}
		record(t, d, entry("a"), other, entry("c"))

		all, err := journal.List(t.Context(), d, journal.Query{})
		if err != nil || len(all) != 3 {
			t.Fatalf("List = %v, %v, want 3 entries", all, err)
		}
		for i, want := range []string{"a", "b", "c"} {
			if got := all[i]; got.Number != int64(i+1) || got.ID != want || !got.At.Equal(noon) || got.Actor != "user:u1" {
				t.Errorf("entry %d = %+v", i, got)
			}
		}
		if !maps.Equal(all[1].Detail, other.Detail) {
			t.Errorf("detail = %v, want %v", all[1].Detail, other.Detail)
		}
		for name, c := range map[string]struct {
			q    journal.Query
			want string
		}{
			"a space":     {journal.Query{Space: "s1"}, "ac"},
			"after":       {journal.Query{After: 1}, "bc"},
			"limit":       {journal.Query{Limit: 2}, "ab"},
			"both":        {journal.Query{Space: "s1", After: 1, Limit: 5}, "c"},
			"other space": {journal.Query{Space: "s3"}, ""},
		} {
			some, err := journal.List(t.Context(), d, c.q)
			got := ""
			for _, e := range some {
				got += e.ID
			}
			if got != c.want || err != nil {
				t.Errorf("%s: List = %q, %v, want %q", name, got, err, c.want)
			}
		}
		if n, err := journal.Verify(t.Context(), d); n != 3 || err != nil {
			t.Errorf("Verify = %d, %v, want 3", n, err)
		}
	})
}

// A change that is undone leaves no entry and no gap.
func TestUndoneChangeLeavesNoEntry(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		record(t, d, entry("a"))
		undo := errors.New("undo")
		err := d.Write(t.Context(), func(tx *db.Tx) error {
			if err := journal.Record(t.Context(), tx, entry("x")); err != nil {
				return err
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Fatal(err)
		}
		record(t, d, entry("b"))
		if n, err := journal.Verify(t.Context(), d); n != 2 || err != nil {
			t.Errorf("Verify = %d, %v, want 2", n, err)
		}
	})
}

func TestRecordRefuses(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		noActor, noAction, noTime, long := entry("a"), entry("a"), entry("a"), entry("a")
		noActor.Actor, noAction.Action, noTime.At = "", "", time.Time{}
		long.Detail = map[string]string{"x": strings.Repeat("a", 5000)}
		for name, e := range map[string]journal.Entry{"actor": noActor, "action": noAction, "time": noTime, "long": long} {
			err := d.Write(t.Context(), func(tx *db.Tx) error { return journal.Record(t.Context(), tx, e) })
			if err == nil {
				t.Errorf("%s: Record accepted %+v", name, e)
			}
		}
	})
}

func TestVerifyFindsEveryChange(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		record(t, d, entry("a"), entry("b"), entry("c"))
		exec := func(text string) {
			t.Helper()
			err := d.Write(t.Context(), func(tx *db.Tx) error {
				_, err := tx.Exec(t.Context(), text)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for name, c := range map[string]struct{ do, undo string }{
			"actor":   {`update journal set actor = 'user:u2' where number = 2`, `update journal set actor = 'user:u1' where number = 2`},
			"detail":  {`update journal set detail = '{"a":"b"}' where number = 2`, `update journal set detail = '{}' where number = 2`},
			"no JSON": {`update journal set detail = '{' where number = 2`, `update journal set detail = '{}' where number = 2`},
			"time":    {`update journal set at = at + 1 where number = 3`, `update journal set at = at - 1 where number = 3`},
			"moved between columns": {`update journal set action = 'thing:creat', resource = 'ething' where number = 1`,
				`update journal set action = 'thing:create', resource = 'thing' where number = 1`},
			"swapped": {`update journal set id = case number when 1 then 'b' else 'a' end where number < 3`,
				`update journal set id = case number when 1 then 'a' else 'b' end where number < 3`},
			"renumbered": {`update journal set number = 9 where number = 3`, `update journal set number = 3 where number = 9`},
			"end moved":  {`update journal_head set number = 4`, `update journal_head set number = 3`},
		} {
			exec(c.do)
			if _, err := journal.Verify(t.Context(), d); !errors.Is(err, journal.ErrBroken) {
				t.Errorf("%s: Verify = %v, want %v", name, err, journal.ErrBroken)
			}
			exec(c.undo)
			if n, err := journal.Verify(t.Context(), d); n != 3 || err != nil {
				t.Fatalf("%s: Verify after undoing = %d, %v", name, n, err)
			}
		}
		exec(`delete from journal where number = 3`)
		if _, err := journal.Verify(t.Context(), d); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("cut off: Verify = %v, want %v", err, journal.ErrBroken)
		}
		exec(`delete from journal_head`)
		if _, err := journal.Verify(t.Context(), d); !errors.Is(err, journal.ErrBroken) {
			t.Errorf("cut off with its end: Verify = %v, want %v", err, journal.ErrBroken)
		}
	})
}

func TestEntriesOfManyWritersFormOneChain(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for range 10 {
					err := d.Write(context.Background(), func(tx *db.Tx) error {
						return journal.Record(context.Background(), tx, entry("a"))
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if n, err := journal.Verify(t.Context(), d); n != 40 || err != nil {
			t.Errorf("Verify = %d, %v, want 40", n, err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	d := dbtest.Open(b, dbtest.Config(b, db.SQLite, dbtest.Core))
	b.ReportAllocs()
	err := d.Write(b.Context(), func(tx *db.Tx) error {
		for b.Loop() {
			if err := journal.Record(b.Context(), tx, entry("a")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
