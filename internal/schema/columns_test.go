package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// shapes are all columns that there are: "table.column type".
func shapes(t *testing.T, d *db.DB) []string {
	t.Helper()
	text := `select m.name || '.' || p.name || ' ' || lower(p.type) from sqlite_schema m, pragma_table_info(m.name) p where m.type = 'table' order by 1`
	if d.Engine() == db.Postgres {
		text = `select table_name || '.' || column_name || ' ' || data_type from information_schema.columns where table_schema = current_schema() order by 1`
	}
	var all []string
	for _, row := range query(t, d, text) {
		all = append(all, row[0])
	}
	return all
}

// Every column that there is has a class, a meaning, a purpose and an end, and none is described that
// is not there. A new one is added to columns.txt.
func TestEveryColumnIsDescribed(t *testing.T) {
	columns, err := schema.Columns()
	must(t, err)
	for _, name := range schema.Names {
		t.Run(name, func(t *testing.T) {
			dbtest.Each(t, name, func(t *testing.T, d *db.DB) {
				described := map[string]schema.Class{}
				for _, c := range columns {
					if c.Database == name {
						described[c.Table+"."+c.Name] = c.Class
					}
				}
				found := shapes(t, d)
				if len(found) < 5 {
					t.Fatalf("only %v was found: this test looks in the wrong place", found)
				}
				for _, one := range found {
					column, kind, _ := strings.Cut(one, " ")
					class, ok := described[column]
					if !ok {
						t.Errorf("%s.%s is not in columns.txt", name, column)
					}
					if (class.Sealed() || class == schema.Key || class == schema.KeyedHash) && kind != "bytea" {
						t.Errorf("%s.%s is %s, and its type is %s", name, column, class, kind)
					}
					delete(described, column)
				}
				for column := range described {
					t.Errorf("%s.%s is in columns.txt and not in the database", name, column)
				}
			})
		})
	}
}

// plainNames are columns that are called like what tells who somebody is, and hold nothing of the kind.
var plainNames = map[string]string{
	"schema_migration.name":  "of a file of ours",
	"ca_generation.key_name": "of a key of ours",
}

// misplaced are columns whose name promises personal data and whose class does not protect it.
func misplaced(columns []schema.Column) (all []string) {
	safe := []schema.Class{schema.SealedPII, schema.SealedCustomer, schema.KeyedHash, schema.SecretHash, schema.Time}
	for _, c := range columns {
		column := c.Table + "." + c.Name
		if schema.Tells(c.Name) && !slices.Contains(safe, c.Class) && plainNames[column] == "" {
			all = append(all, c.Database+"."+column)
		}
	}
	return all
}

// Personal data is in sealed columns, and nothing else is called like it.
func TestPersonalDataIsSealed(t *testing.T) {
	columns, err := schema.Columns()
	must(t, err)
	if bad := misplaced(columns); len(bad) > 0 {
		t.Errorf("called like personal data, and not protected as such: %v", bad)
	}
	seen := map[string]bool{}
	for _, c := range columns {
		seen[c.Table+"."+c.Name] = true
		if c.Class == schema.SealedPII && c.Database != schema.Core {
			t.Errorf("%s.%s.%s: personal data outside of the core", c.Database, c.Table, c.Name)
		}
	}
	for column, why := range plainNames {
		if !seen[column] {
			t.Errorf("%s (%s) is excused and not there", column, why)
		}
	}
	for name, c := range map[string]struct {
		column schema.Column
		want   bool
	}{
		"a planted address":      {schema.Column{Table: "thing", Name: "contact_email", Class: schema.Text}, true},
		"a phone in clear":       {schema.Column{Table: "account", Name: "phone", Class: schema.Setting}, true},
		"an address of somebody": {schema.Column{Table: "audit", Name: "ip", Class: schema.ID}, true},
		"addresses":              {schema.Column{Table: "account", Name: "addresses", Class: schema.Text}, true},
		"a user name":            {schema.Column{Table: "account", Name: "username", Class: schema.ID}, true},
		"a sealed one":           {schema.Column{Table: "account", Name: "picture", Class: schema.SealedPII}, false},
		"a hash of one":          {schema.Column{Table: "account", Name: "email_index", Class: schema.KeyedHash}, false},
		"a word that has one":    {schema.Column{Table: "thing", Name: "description", Class: schema.Text}, false},
		"one that is excused":    {schema.Column{Table: "schema_migration", Name: "name", Class: schema.Text}, false},
	} {
		if got := len(misplaced([]schema.Column{c.column})) > 0; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestDescriptionsThatAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no purpose":            "core.account\n",
		"no such database":      "main.account | a | b\n",
		"a column of nothing":   "  id id random\n",
		"no such class":         "core.account | a | b\n  id secret random\n",
		"no meaning":            "core.account | a | b\n  id id\n",
		"twice":                 "core.account | a | b\n  id id x\n  id id x\n",
		"twice in two places":   "*.account | a | b\n  id id x\ncore.account | a | b\n  id id x\n",
		"one thing too many":    "core.account | a | b\n  id id x | y | z\n",
		"a table and no column": "core. | a | b\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := schema.ReadColumns(text); err == nil {
				t.Errorf("read %+v", got)
			}
		})
	}
}
