package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// enums finds, for each constant that ends an iota block, the names above it in the block.
func enums(files []*ast.File) map[string][]string {
	all := map[string][]string{}
	for _, f := range files {
		for _, d := range f.Decls {
			block, ok := d.(*ast.GenDecl)
			if !ok || block.Tok != token.CONST || !block.Lparen.IsValid() {
				continue
			}
			var names []string
			counts := false
			for _, spec := range block.Specs {
				v := spec.(*ast.ValueSpec)
				if len(v.Names) != 1 {
					names = nil
					break
				}
				if len(v.Values) == 1 {
					if counts = usesIota(v.Values[0]); !counts {
						names = nil
						continue
					}
				}
				names = append(names, v.Names[0].Name)
			}
			if n := len(names); counts && n > 1 {
				all[names[n-1]] = names[:n-1]
			}
		}
	}
	return all
}

func usesIota(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "iota" {
			found = true
		}
		return !found
	})
	return found
}

// missing are the names of an enum that a table over it leaves out. None needs no word.
func missing(table *ast.CompositeLit, enum []string) []string {
	have := map[string]bool{}
	for i, e := range table.Elts {
		kv, keyed := e.(*ast.KeyValueExpr)
		switch key := func() ast.Expr {
			if keyed {
				return kv.Key
			}
			return nil
		}().(type) {
		case *ast.Ident:
			have[key.Name] = true
		case *ast.SelectorExpr:
			have[key.Sel.Name] = true
		case nil:
			if i < len(enum) {
				have[enum[i]] = true
			}
		}
	}
	var all []string
	for _, name := range enum {
		if name != "_" && name != "None" && !have[name] {
			all = append(all, name)
		}
	}
	return all
}

func parse(t *testing.T, p pkg) []*ast.File {
	t.Helper()
	var all []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
	return all
}

// A table over an enum covers the enum: who adds a value is told where it needs a word.
func TestTablesCoverTheirEnum(t *testing.T) {
	packages, byName := house(t), map[string]map[string][]string{}
	for _, p := range packages {
		byName[p.ImportPath] = enums(parse(t, p))
	}
	seen := 0
	for _, p := range packages {
		for _, f := range parse(t, p) {
			imported := map[string]string{} // by the name that the file uses
			for _, i := range f.Imports {
				path := strings.Trim(i.Path.Value, `"`)
				name := filepath.Base(path)
				if i.Name != nil {
					name = i.Name.Name
				}
				imported[name] = path
			}
			ast.Inspect(f, func(n ast.Node) bool {
				table, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				array, ok := table.Type.(*ast.ArrayType)
				if !ok || array.Len == nil || len(table.Elts) == 0 {
					return true
				}
				if of, ok := array.Elt.(*ast.Ident); ok && of.Name == "bool" {
					return true // a table of rights: what it does not name is refused
				}
				if _, ok := array.Elt.(*ast.ArrayType); ok {
					return true // of lists: what it does not name has none
				}
				var enum []string
				switch length := array.Len.(type) {
				case *ast.Ident:
					enum = byName[p.ImportPath][length.Name]
				case *ast.SelectorExpr:
					if x, ok := length.X.(*ast.Ident); ok {
						enum = byName[imported[x.Name]][length.Sel.Name]
					}
				}
				if enum == nil {
					return true
				}
				seen++
				if left := missing(table, enum); len(left) > 0 {
					t.Errorf("%s: a table of %d leaves out %v", strings.TrimPrefix(p.ImportPath, module), len(enum), left)
				}
				return true
			})
		}
	}
	if seen < 5 {
		t.Errorf("only %d tables were found: this test looks in the wrong place", seen)
	}
}

// TestMissing makes sure that the rule above can say no.
func TestMissing(t *testing.T) {
	const text = `package x
const ( A = iota; B; C; count )
var full = [count]string{"a", "b", "c"}
var short = [count]string{"a", "b"}
var keyed = [count]string{A: "a", C: "c"}`
	f, err := parser.ParseFile(token.NewFileSet(), "x.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	enum := enums([]*ast.File{f})["count"]
	got := map[string]string{}
	for name, o := range f.Scope.Objects {
		if v, ok := o.Decl.(*ast.ValueSpec); ok && o.Kind == ast.Var {
			got[name] = strings.Join(missing(v.Values[0].(*ast.CompositeLit), enum), " ")
		}
	}
	for name, want := range map[string]string{"full": "", "short": "C", "keyed": "B"} {
		if got[name] != want {
			t.Errorf("%s leaves out %q, want %q", name, got[name], want)
		}
	}
}
