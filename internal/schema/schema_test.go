package schema_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

var (
	update  = flag.Bool("update", false, "write what the databases look like to golden/")
	release = flag.Bool("release", false, "add all migrations to released.txt")
)

// TestGolden: after all migrations each database looks as golden/ says, on both
// engines. After a new migration: go test ./internal/schema -update, and read the difference.
func TestGolden(t *testing.T) {
	for _, name := range schema.Names {
		t.Run(name, func(t *testing.T) { dbtest.Each(t, name, golden) })
	}
}

func golden(t *testing.T, d *db.DB) {
	got := describe(t, d)
	path := filepath.Join("golden", strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestGolden/"), "/", ".")+".sql")
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if got != string(want) {
		t.Errorf("%s is not what the migrations make; if that is wanted: go test ./internal/schema -update\n%s", path, difference(got, string(want)))
	}
}

// difference are the lines that only one of the two has.
func difference(got, want string) string {
	var b strings.Builder
	for sign, c := range map[string][2]string{"+": {got, want}, "-": {want, got}} {
		for line := range strings.Lines(c[0]) {
			if !strings.Contains(c[1], line) {
				b.WriteString(sign + line)
			}
		}
	}
	return b.String()
}

// describe writes all tables and indexes in one form that does not depend on how
// the migrations spelled them.
func describe(t *testing.T, d *db.DB) string {
	t.Helper()
	if d.Engine() == db.Postgres {
		return postgres(t, d)
	}
	var b strings.Builder
	for _, row := range query(t, d, `select sql from sqlite_schema where sql is not null order by tbl_name, type desc, name`) {
		text, err := db.Rewrite(row[0]) // takes comments away
		must(t, err)
		text = strings.Join(strings.Fields(text), " ")
		if body, ok := strings.CutSuffix(text, ")"); ok && strings.HasPrefix(strings.ToUpper(text), "CREATE TABLE") {
			head, columns, _ := strings.Cut(body, "(")
			text = head + "(\n\t" + strings.ReplaceAll(strings.TrimSpace(columns), ", ", ",\n\t") + "\n)"
		}
		b.WriteString(text + ";\n")
	}
	return b.String()
}

func postgres(t *testing.T, d *db.DB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range query(t, d, `select relname::text from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') order by relname collate "C"`) {
		var lines []string
		for _, c := range query(t, d, `select attname::text || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then ' NOT NULL' else '' end || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')
			from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
			where attrelid = to_regclass(quote_ident($1)) and attnum > 0 and not attisdropped order by attnum`, table[0]) {
			lines = append(lines, c[0])
		}
		for _, c := range query(t, d, `select conname::text || ' ' || pg_get_constraintdef(oid) from pg_constraint where conrelid = to_regclass(quote_ident($1)) order by conname collate "C"`, table[0]) {
			lines = append(lines, "CONSTRAINT "+c[0])
		}
		fmt.Fprintf(&b, "CREATE TABLE %s (\n\t%s\n);\n", table[0], strings.Join(lines, ",\n\t"))
		for _, c := range query(t, d, `select pg_get_indexdef(indexrelid) from pg_index where indrelid = to_regclass(quote_ident($1)) and not exists (select 1 from pg_constraint where conindid = indexrelid) order by pg_get_indexdef(indexrelid) collate "C"`, table[0]) {
			b.WriteString(c[0] + ";\n")
		}
	}
	return b.String()
}

func query(t *testing.T, d *db.DB, text string, args ...any) (all [][]string) {
	t.Helper()
	ctx := context.Background()
	must(t, d.Read(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, text, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			row := make([]string, 1)
			if err := rows.Scan(&row[0]); err != nil {
				return err
			}
			all = append(all, row)
		}
		return rows.Err()
	}))
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestReleasedMigrationsStay: what a release had is there with the same text, and
// everything that is not in a release comes after it.
func TestReleasedMigrationsStay(t *testing.T) {
	const file = "released.txt"
	text, err := os.ReadFile(file)
	must(t, err)
	released := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, digest, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			released[name] = digest
		}
	}
	found := map[string]bool{}
	var added strings.Builder
	for _, name := range schema.Names {
		migrations, err := schema.Of(name)
		must(t, err)
		young := ""
		for _, m := range migrations {
			path := name + "/" + m.Name
			found[path] = true
			switch digest, ok := released[path]; {
			case ok && digest != m.Digest():
				t.Errorf("%s is in a release with another text", path)
			case ok && young != "":
				t.Errorf("%s is in a release, but %s, which is not, comes before it", path, young)
			case !ok:
				young = path
				fmt.Fprintf(&added, "%s %s\n", path, m.Digest())
			}
		}
	}
	for path := range released {
		if !found[path] {
			t.Errorf("%s is in a release and is gone", path)
		}
	}
	if *release && !t.Failed() {
		must(t, os.WriteFile(file, append(text, added.String()...), 0o644))
	}
}

func TestNamesOfMigrations(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  bool
	}{
		"two":             {[]string{"0001_a.sql", "0002_b.sql"}, true},
		"gap":             {[]string{"0001_a.sql", "0004_b.sql"}, true},
		"other files":     {[]string{"0001_a.sql", "README"}, true},
		"same number":     {[]string{"0001_a.sql", "0001_b.sql"}, false},
		"no number":       {[]string{"a.sql"}, false},
		"short number":    {[]string{"01_a.sql"}, false},
		"number zero":     {[]string{"0000_a.sql"}, false},
		"negative number": {[]string{"-001_a.sql"}, false},
		"no name":         {[]string{"0001_.sql"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := fstest.MapFS{}
			for _, f := range c.files {
				all["core/"+f] = &fstest.MapFile{Data: []byte("select 1")}
			}
			got, err := schema.Read(all, "core")
			if (err == nil) != c.want {
				t.Errorf("Read: %v, %v", got, err)
			}
		})
	}
}
