package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// table finds the tables that a statement names.
var table = regexp.MustCompile(`(?i)\b(?:from|join|into|update|table|index\s+\w+\s+on)\s+(?:if\s+(?:not\s+)?exists\s+)?([a-z_][a-z0-9_]*)`)

// notTables follow one of those words in other roles.
var notTables = map[string]bool{"set": true, "select": true, "unnest": true, "excluded": true, "generate_series": true}

func tablesOf(statement string) []string {
	var all []string
	for _, m := range table.FindAllStringSubmatch(statement, -1) {
		if name := strings.ToLower(m[1]); !notTables[name] {
			all = append(all, name)
		}
	}
	return all
}

// SQL in room x names tables x and x_* only: who wants another room's data asks that room.
func TestQueriesStayInTheirRoom(t *testing.T) {
	seen := 0
	for _, p := range house(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if !isRoom(path) {
			continue
		}
		room := filepath.Base(path)
		for _, name := range p.GoFiles {
			if !strings.HasPrefix(name, "sql") {
				continue
			}
			for _, s := range texts(t, filepath.Join(p.Dir, name)) {
				for _, tab := range tablesOf(s) {
					seen++
					if tab != room && !strings.HasPrefix(tab, room+"_") {
						t.Errorf("%s/%s names the table %s", path, name, tab)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no query was found: this test looks in the wrong place")
	}
}

func TestTablesOf(t *testing.T) {
	for statement, want := range map[string]string{
		"select a from thing where b = $1":                                 "thing",
		"insert into thing_property (a) values ($1)":                       "thing_property",
		"update device set a = 1":                                          "device",
		"select a from thing join device on 1 = 1":                         "thing device",
		"insert into thing (a) values (1) on conflict do update set a = 2": "thing",
	} {
		if got := strings.Join(tablesOf(statement), " "); got != want {
			t.Errorf("tablesOf(%q) = %q, want %q", statement, got, want)
		}
	}
}

// texts returns the string literals of a file that look like SQL.
func texts(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	verb := regexp.MustCompile(`(?i)^\s*(select|insert|update|delete|with)\b`)
	var all []string
	ast.Inspect(f, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		if s, err := strconv.Unquote(lit.Value); err == nil && verb.MatchString(s) {
			all = append(all, s)
		}
		return true
	})
	return all
}
