package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// action is how the journal spells what was done.
var action = regexp.MustCompile(`^[a-z]+:[a-z]+(-[a-z]+)*$`)

// nouns are those whose actions come into the journal. Another room's noun is found by
// the calls that make entries.
func nouns() []string {
	var all []string
	for a := range words {
		noun, _, _ := strings.Cut(a, ":")
		if !slices.Contains(all, noun) {
			all = append(all, noun)
		}
	}
	return all
}

// makers are the functions whose arguments, and the fields whose values, end up in entries.
var makers = regexp.MustCompile(`(?i)entry|record|note|journal`)

// asks are the functions that only ask whether somebody may.
var asks = regexp.MustCompile(`(?i)^(allow|known|may|permit)`)

// notJournal are texts of that form that mean something else there.
var notJournal = []string{
	"apikey:read", "apikey:write", "apikey:record", // of the policy
}

// actionsOf finds the actions in a file that can come into the journal: all texts of their form,
// but for those that only ask whether somebody may: the routes', the policy's.
func actionsOf(f *ast.File) map[string]token.Pos {
	found, asked := map[string]token.Pos{}, map[token.Pos]bool{}
	known := nouns()
	skip := func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok {
				asked[lit.Pos()] = true
			}
			return true
		})
	}
	made := map[token.Pos]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			route := slices.ContainsFunc(n.Elts, func(e ast.Expr) bool { return keyed(e) == "Pattern" })
			for _, e := range n.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if ok && route {
					skip(kv.Value)
				}
				if lit, text := valueOf(kv); ok && text && keyed(e) == "Action" {
					made[lit.Pos()] = true
				}
			}
		case *ast.CallExpr:
			name := called(n)
			for _, arg := range n.Args {
				if asks.MatchString(name) {
					skip(arg)
				}
				if lit, ok := arg.(*ast.BasicLit); ok && makers.MatchString(name) {
					made[lit.Pos()] = true
				}
			}
		}
		return true
	})
	ast.Inspect(f, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING || asked[lit.Pos()] {
			return true
		}
		text, err := strconv.Unquote(lit.Value)
		if err != nil || !action.MatchString(text) || slices.Contains(notJournal, text) {
			return true
		}
		noun, _, _ := strings.Cut(text, ":")
		if slices.Contains(known, noun) || made[lit.Pos()] {
			found[text] = lit.Pos()
		}
		return true
	})
	return found
}

func valueOf(kv *ast.KeyValueExpr) (*ast.BasicLit, bool) {
	if kv == nil {
		return nil, false
	}
	lit, ok := kv.Value.(*ast.BasicLit)
	return lit, ok
}

func keyed(e ast.Expr) string {
	if kv, ok := e.(*ast.KeyValueExpr); ok {
		if id, ok := kv.Key.(*ast.Ident); ok {
			return id.Name
		}
	}
	return ""
}

func called(c *ast.CallExpr) string {
	switch fun := c.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}

// Whatever comes into the journal can be told to people.
func TestEveryActionHasWords(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(filepath.ToSlash(path), "/people/access/") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for a := range actionsOf(f) {
			seen++
			if Say(a) == a {
				t.Errorf("%s records %q, which has no words in word.go", path, a)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 40 {
		t.Errorf("only %d actions were found: this test looks in the wrong place", seen)
	}
	for a, text := range words {
		if !action.MatchString(a) || text == "" || text[0] < 'A' || text[0] > 'Z' || strings.HasSuffix(text, ".") {
			t.Errorf("%q is told as %q", a, text)
		}
	}
}

// TestActionsOf makes sure that the test above can say no.
func TestActionsOf(t *testing.T) {
	const text = `package p
var routes = []Route{{Pattern: "GET /x", Action: "thing:look", Do: nil}}
func f() {
	policy.Allow(who, "thing:poke", r)
	s.entry(who, "robot:dance", id)
	act("thing:fly")
	return Entry{Actor: "system", Action: "moon:land"}
	senml("light:hue")
}`
	f, err := parser.ParseFile(token.NewFileSet(), "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for a := range actionsOf(f) {
		got = append(got, a)
	}
	slices.Sort(got)
	if want := "moon:land robot:dance thing:fly"; strings.Join(got, " ") != want {
		t.Errorf("found %v, want %s", got, want)
	}
}
