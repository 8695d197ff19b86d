package archtest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/ardesia-iot/ardesia/"

// floors is the plan, from the ground up. A package may import packages on lower
// lines, and to its left on its own line. "x/..." is x and all below it, which may
// import each other. What stands on no line may not exist.
var floors = []string{
	"internal/base/...",
	"client sdk/... cmd/ardesiactl/...", // the other programs see base, and nothing of the server
	"internal/schema internal/base/db/dbtest",
	"internal/people/access internal/people/door/... internal/people/account internal/people/org internal/people/apikey internal/people/guard internal/people/factor internal/people/post internal/people/oauth internal/people/social/... internal/people/signin",
	"internal/fleet/topic internal/fleet/schedule internal/fleet/series/... internal/fleet/ca internal/fleet/device internal/fleet/board internal/fleet/thing internal/fleet/fleettest internal/fleet/scrape internal/fleet/sync internal/fleet/trigger internal/fleet/hook internal/fleet/homeassistant internal/fleet/dashboard internal/fleet/live/... internal/fleet/ota internal/fleet/onboard internal/fleet/simulate",
	"internal/firmware/sketch internal/firmware/template",
	"internal/ops/audit internal/ops/backup",
	"internal/edge/...",
	"docs web/... internal/server internal/servertest internal/bench",
	"cmd/ardesia test/... internal/archtest",
}

// A place is where floors puts a package: the line and the position on it.
type place struct{ floor, column int }

// find returns the most exact entry for path: a package that is named by itself
// does not belong to the "..." of its parent.
func find(path string) (place, bool) {
	best, found, exact := place{}, false, -1
	for f, line := range floors {
		for c, entry := range strings.Fields(line) {
			root, tree := strings.CutSuffix(entry, "/...")
			matches := path == root || (tree && strings.HasPrefix(path, root+"/"))
			if matches && len(root) > exact {
				best, found, exact = place{f, c}, true, len(root)
			}
		}
	}
	return best, found
}

func mayImport(from, to place) bool {
	return to.floor < from.floor || (to.floor == from.floor && to.column <= from.column)
}

type pkg struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// house lists our packages as the go command sees them.
func house(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found only %d packages", len(all))
	}
	return all
}

func TestImportsGoDown(t *testing.T) {
	for _, p := range house(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		from, known := find(path)
		if !known {
			t.Errorf("%s stands on no floor", path)
			continue
		}
		for _, imp := range p.Imports {
			own, ours := strings.CutPrefix(imp, module)
			if !ours {
				continue
			}
			if to, known := find(own); known && !mayImport(from, to) {
				t.Errorf("%s imports %s, which is above it", path, own)
			}
		}
	}
}

// TestFloorsRefuse makes sure that the rule above can say no.
func TestFloorsRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     bool
	}{
		"a room uses base":                 {"internal/fleet/thing", "internal/base/db", true},
		"a room uses its left neighbour":   {"internal/fleet/thing", "internal/fleet/device", true},
		"a room uses its right neighbour":  {"internal/fleet/device", "internal/fleet/thing", false},
		"base uses a room":                 {"internal/base/db", "internal/fleet/thing", false},
		"the command line uses the server": {"cmd/ardesiactl", "internal/server", false},
		"people use the fleet":             {"internal/people/org", "internal/fleet/device", false},
		"the test cluster is above base":   {"internal/base/mqtt", "internal/base/db/dbtest", false},
	} {
		t.Run(name, func(t *testing.T) {
			from, ok1 := find(c.from)
			to, ok2 := find(c.to)
			if got := mayImport(from, to); got != c.want || !ok1 || !ok2 {
				t.Errorf("%s imports %s: %v, want %v", c.from, c.to, got, c.want)
			}
		})
	}
}

// roles says what the files of a room may import. A file that is not named here
// is the service's kind and may import anything below the room.
var roles = map[string][]string{
	"sql.go":  {"net/http", "internal/base/rest", "internal/base/mqtt"},
	"http.go": {"database/sql", "internal/base/db"},
	"mqtt.go": {"database/sql", "internal/base/db", "net/http"},
}

func TestFilesKeepTheirRole(t *testing.T) {
	for _, p := range house(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if !isRoom(path) {
			continue
		}
		for _, name := range p.GoFiles {
			for _, imp := range fileImports(t, filepath.Join(p.Dir, name)) {
				imp = strings.TrimPrefix(imp, module)
				if slices.Contains(roles[name], imp) {
					t.Errorf("%s/%s imports %s", path, name, imp)
				}
				if imp == "database/sql" && !strings.HasPrefix(name, "sql") {
					t.Errorf("%s/%s imports %s, which belongs into sql.go", path, name, imp)
				}
			}
		}
	}
}

func isRoom(path string) bool {
	for _, wing := range []string{"internal/people/", "internal/fleet/", "internal/firmware/", "internal/staff/", "internal/ops/"} {
		if rest, ok := strings.CutPrefix(path, wing); ok && !strings.Contains(rest, "/") {
			return true
		}
	}
	return false
}

func fileImports(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range f.Imports {
		s, _ := strconv.Unquote(i.Path.Value)
		all = append(all, s)
	}
	return all
}

func TestOnePackageComment(t *testing.T) {
	for _, p := range house(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		var with []string
		files := append(append([]string{}, p.GoFiles...), p.CgoFiles...)
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				with = append(with, name)
			}
		}
		if len(files) > 0 && len(with) != 1 {
			t.Errorf("%s has %d package comments %v, want one", path, len(with), with)
		}
	}
}

// banned are calls that take a decision away from whoever puts the house together.
var banned = map[string]string{
	"time.Now":           "the clock is handed to New",
	"time.Sleep":         "wait for what you wait for",
	"os.Exit":            "only main may end the process",
	"log.Fatal":          "only main may end the process",
	"slog.Default":       "the logger is handed to New",
	"http.DefaultClient": "it has no deadline",
}

func TestBannedCalls(t *testing.T) {
	for _, p := range house(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		if strings.HasPrefix(path, "cmd/") || strings.HasPrefix(path, "test/") || strings.HasSuffix(path, "test") || strings.Contains(path, "/examples/") || path == "internal/bench" {
			continue
		}
		for _, name := range p.GoFiles {
			for _, call := range bannedIn(t, filepath.Join(p.Dir, name)) {
				t.Errorf("%s/%s: %s: %s", path, name, call, banned[call])
			}
		}
	}
}

func TestNoSleepingInTests(t *testing.T) {
	for _, p := range house(t) {
		path := strings.TrimPrefix(p.ImportPath, module)
		for _, name := range append(append([]string{}, p.TestGoFiles...), p.XTestGoFiles...) {
			for _, call := range bannedIn(t, filepath.Join(p.Dir, name)) {
				if call == "time.Sleep" && !usesSynctest(t, filepath.Join(p.Dir, name)) {
					t.Errorf("%s/%s sleeps: %s", path, name, banned[call])
				}
			}
		}
	}
}

// usesSynctest says whether the file's sleeping costs no time.
func usesSynctest(t *testing.T, path string) bool {
	return slices.Contains(fileImports(t, path), "testing/synctest")
}

func bannedIn(t *testing.T, path string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.Name == "init" {
			t.Errorf("%s has an init function: what starts is started by New", path)
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok || x.Obj != nil {
			return true
		}
		if name := x.Name + "." + sel.Sel.Name; banned[name] != "" {
			found = append(found, name)
		}
		return true
	})
	return found
}
