package journal_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func TestListSelects(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
		record(t, d,
			journal.Entry{At: at(0), Actor: "user:u1", Space: "s1", Action: "thing:create", Resource: "thing", ID: "a"},
			journal.Entry{At: at(1), Actor: "apikey:u1/k1", Space: "s1", Action: "thing:update", Resource: "thing", ID: "a"},
			journal.Entry{At: at(2), Actor: "apikey:u11/k2", Space: "s2", Action: "thing:create", Resource: "thing", ID: "b"},
			journal.Entry{At: at(3), Actor: "system", Action: "account:create", Resource: "account", ID: "u1"},
		)
		for name, c := range map[string]struct {
			q    journal.Query
			want string
		}{
			"all":                        {journal.Query{}, "1234"},
			"the newest first":           {journal.Query{Newest: true}, "4321"},
			"a page of the newest":       {journal.Query{Newest: true, Before: 4, Limit: 2}, "32"},
			"a person, keys included":    {journal.Query{Actor: "u1"}, "12"},
			"an actor":                   {journal.Query{Actor: "system"}, "4"},
			"an actor that is a pattern": {journal.Query{Actor: "u_"}, ""},
			"an actor that is any":       {journal.Query{Actor: "%"}, ""},
			"an action":                  {journal.Query{Action: "thing:create"}, "13"},
			"an id":                      {journal.Query{ID: "a"}, "12"},
			"since":                      {journal.Query{Since: at(2)}, "34"},
			"until":                      {journal.Query{Until: at(2)}, "12"},
			"all at once": {journal.Query{Space: "s1", Actor: "u1", Action: "thing:update", ID: "a", After: 1, Before: 3, Since: at(1), Until: at(2), Limit: 1},
				"2"},
		} {
			some, err := journal.List(t.Context(), d, c.q)
			got := ""
			for _, e := range some {
				got += string(rune('0' + e.Number))
			}
			if got != c.want || err != nil {
				t.Errorf("%s: List = %q, %v, want %q", name, got, err, c.want)
			}
		}
	})
}

// Rows tells what is stored, also when somebody changed it, and who follows whom.
func TestRowsFollow(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		if n, hash, err := journal.End(t.Context(), d); n != 0 || hash != nil || err != nil {
			t.Errorf("the end of nothing is %d, %x, %v", n, hash, err)
		}
		b := entry("b")
		b.Detail = map[string]string{"role": "admin"}
		record(t, d, entry("a"), b, entry("c"))
		follow := func() (got string) {
			rows, err := journal.Rows(t.Context(), d, 0, 10)
			if err != nil || len(rows) != 3 {
				t.Fatalf("Rows = %v, %v", rows, err)
			}
			var before []byte
			for _, r := range rows {
				got += map[bool]string{true: "+", false: "-"}[r.Follows(before)]
				if r.Follows(before) != r.Entry.Follows(before, r.Hash) {
					t.Errorf("entry %d follows as a row and not by itself", r.Number)
				}
				before = r.Hash
			}
			if n, hash, err := journal.End(t.Context(), d); n != 3 || !bytes.Equal(hash, before) || err != nil {
				t.Errorf("the end is %d, %x, %v, want 3, %x", n, hash, err, before)
			}
			return got
		}
		if got := follow(); got != "+++" {
			t.Errorf("rows that nobody changed: %s", got)
		}
		if err := d.Write(t.Context(), func(tx *db.Tx) error {
			_, err := tx.Exec(t.Context(), `update journal set detail = '{"role":"viewer"}' where number = 2`)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if got := follow(); got != "+-+" {
			t.Errorf("a row that was changed: %s", got)
		}
		if rows, err := journal.Rows(t.Context(), d, 1, 1); err != nil || len(rows) != 1 || rows[0].Number != 2 {
			t.Errorf("the row after the first: %v, %v", rows, err)
		}
	})
}

// What people entrust has no place in entries, which are never taken back.
func TestRecordRefusesWhatIsNoIdentifier(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	for name, change := range map[string]func(e *journal.Entry){
		"an address as id":         func(e *journal.Entry) { e.ID = "anna@example.org" },
		"an address as actor":      func(e *journal.Entry) { e.Actor = "user:anna@example.org" },
		"an address in a detail":   func(e *journal.Entry) { e.Detail = map[string]string{"to": "anna@example.org"} },
		"a name in a detail":       func(e *journal.Entry) { e.Detail = map[string]string{"name": "Küche"} },
		"lines in a detail":        func(e *journal.Entry) { e.Detail = map[string]string{"text": "a\nb"} },
		"a name as a detail's key": func(e *journal.Entry) { e.Detail = map[string]string{"Zoë": "a"} },
		"a book as id":             func(e *journal.Entry) { e.ID = string(bytes.Repeat([]byte("a"), 513)) },
	} {
		e := entry("a")
		change(&e)
		if err := d.Write(t.Context(), func(tx *db.Tx) error { return journal.Record(t.Context(), tx, e) }); err == nil {
			t.Errorf("%s is recorded", name)
		}
	}
	e := entry("a")
	e.Detail = map[string]string{"accept_old_until": "2030-01-02T00:00:00Z", "scope": "openid email", "serial": "00ff"}
	record(t, d, e)
}
