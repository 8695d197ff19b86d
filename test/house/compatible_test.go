package house

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// missing are rows of the compatible API that nothing here answers yet. A row that is answered and asked for
// by a test does not belong here, and the test says so.
var missing = []string{}

const compatibleHead = `# Compatibility

What the API of the Arduino Cloud has, row by row, and which test asks this server for it with which program. This page is
made by a test (` + "`go test ./test/house -run TestCompatible -update`" + `) of three lists that tests hold against what really happened:

- ` + "`test/clients/testdata/exercised.txt`" + ` and ` + "`test/house/testdata/exercised.txt`" + `: what each test got from which route, as the server saw it, and how the program called
  itself. A line that is no longer so fails its package; ` + "`-update`" + ` there writes the lines anew.
- ` + "`internal/server/testdata/operations.txt`" + `: what this server's own document has (` + "`/openapi.json`" + `).

"Samples" is a good request of ours to each route, which every answer is held against the document for; "the client's own code" means that an
official client, unchanged, sent the request. "Calls of arduino-cloud-cli" are its requests sent again as they were recorded, since it is no library.

`

// Every row of the compatible API is answered, and a test asks for it; docs/compatibility.md says by which.
func TestCompatible(t *testing.T) {
	read := func(path ...string) []string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(path...))
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(strings.Split(strings.TrimSpace(string(text)), "\n"), func(l string) bool { return strings.HasPrefix(l, "#") })
	}
	// Paths are the same if they differ in the names of wildcards and a final slash only.
	wildcards := regexp.MustCompile(`\{[^}]*\}`)
	same := func(route string) string { return strings.TrimSuffix(wildcards.ReplaceAllString(route, "{}"), "/") }
	operations := map[string]string{} // id by route
	for _, l := range read("..", "..", "internal", "server", "testdata", "operations.txt") {
		f := strings.Fields(l)
		operations[same(f[0]+" "+f[1])] = f[2]
	}
	tests := map[string][]string{} // by route
	for _, dir := range []string{"clients", "house"} {
		for _, l := range read("..", dir, "testdata", "exercised.txt") {
			f := strings.Split(l, "\t")
			if len(f) != 3 {
				t.Fatalf("%s: %q is not route, program and test", dir, l)
			}
			tests[same(f[0])] = append(tests[same(f[0])], "test/"+dir+"\t"+f[1]+"\t"+f[2])
		}
	}
	var out strings.Builder
	out.WriteString(compatibleHead)
	rows, answered, official, refused := 0, 0, 0, 0
	var table strings.Builder
	table.WriteString("| request | operation | called by | driven here by |\n|---|---|---|---|\n")
	known := map[string]bool{}
	for _, l := range read("testdata", "compatible.tsv") {
		f := strings.Split(l, "\t")
		route := f[0] + " " + f[1]
		known[route] = true
		rows++
		id, there := operations[same(route)]
		by, isOfficial := drivenBy(tests[same(route)])
		wanted := slices.Contains(missing, route)
		switch {
		case there && by != "" && wanted:
			t.Errorf("%s is answered and tested: take it out of missing", route)
		case !wanted && !there:
			t.Errorf("nothing answers %s", route)
		case !wanted && by == "":
			t.Errorf("no test asks for %s: see samples in routes_test.go, then go test ./test/house -run EveryRoute -update", route)
		case there && f[2] != "-" && f[2] != id:
			t.Errorf("%s is the operation %s, not %s", route, f[2], id)
		}
		if f[2] != "-" {
			id = f[2]
		}
		if there && by != "" {
			answered++
		} else {
			by = "**not yet**"
		}
		if isOfficial {
			official++
		}
		if strings.Contains(by, servertest.Refused) {
			refused++
		}
		if id == "" {
			id = "–"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", route, id, strings.Replace(f[3], "-", "–", map[bool]int{true: 1}[f[3] == "-"]), by)
	}
	for _, route := range missing {
		if !known[route] {
			t.Errorf("%s is missing of nothing: it is no row", route)
		}
	}
	fmt.Fprintf(&out, "%d of %d rows are answered and tested, %d of them with 501 because this server does not do what they ask for; %d are driven by an official client's own code.\n\n%s",
		answered, rows, refused, official, table.String())
	path := filepath.Join("..", "..", "docs", "compatibility.md")
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if out.String() != string(want) {
		t.Errorf("docs/compatibility.md is not what the tests say: go test ./test/house -run TestCompatible -update")
	}
}

// drivenBy says which tests ask for a route, the official clients first.
func drivenBy(lines []string) (text string, official bool) {
	var all []string
	add := func(s string) {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	for _, l := range lines {
		if f := strings.Split(l, "\t"); strings.HasPrefix(f[1], "@") {
			official = official || !strings.HasSuffix(f[1], servertest.Refused)
			add("the client's own code: " + f[1] + " (" + f[2] + ")")
		}
	}
	for _, l := range lines {
		f := strings.Split(l, "\t")
		switch {
		case strings.HasPrefix(f[1], "@"):
		case f[0] == "test/house" && strings.HasSuffix(f[1], servertest.Refused):
			add("samples" + servertest.Refused)
		case f[0] == "test/house":
			add("samples")
		case !strings.HasPrefix(f[1], "Go"):
			add(f[1] + " (" + f[2] + ")")
		}
	}
	return strings.Join(all, "; "), official
}
