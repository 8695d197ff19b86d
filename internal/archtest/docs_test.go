package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the folder of the whole tree.
var root = filepath.Join("..", "..")

// documents are all texts for people, by their path from root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, dir := range []string{"README.md", "docs", "changes"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".md") {
				return err
			}
			text, err := os.ReadFile(path)
			name, relErr := filepath.Rel(root, path)
			if err == nil {
				err = relErr
			}
			all[filepath.ToSlash(name)] = string(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

var (
	link      = regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	testName  = regexp.MustCompile("`(?:[a-z/]+\\.)?((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)`")
	adrNumber = regexp.MustCompile(`(?:docs/adr/|\bADR )(\d{1,4})\b`)
	declared  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)\(`)
)

// A document that names a file, a decision or a test names one that is there.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	tests, adrs := map[string]bool{}, map[string]bool{}
	var texts []string // of Go files
	for _, p := range house(t) {
		for _, name := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
			for _, m := range declared.FindAllStringSubmatch(string(text), -1) {
				tests[m[1]] = true
			}
		}
	}
	docs := documents(t)
	for name := range docs {
		if n, ok := strings.CutPrefix(name, "docs/adr/"); ok {
			adrs[strings.TrimLeft(n[:4], "0")] = true
		}
	}
	for name, text := range docs {
		texts = append(texts, text)
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "/") {
				continue // an address of the server that shows the document
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s points to %s, which is not there", name, m[1])
			}
		}
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s says that %s checks it, and there is no such test", name, m[1])
			}
		}
	}
	named := 0
	for _, text := range texts {
		for _, m := range adrNumber.FindAllStringSubmatch(text, -1) {
			named++
			if n := strings.TrimLeft(m[1], "0"); !adrs[n] {
				t.Errorf("ADR %s is named somewhere, and is not in docs/adr", n)
			}
		}
	}
	if named == 0 || len(tests) < 100 || len(adrs) < 5 {
		t.Errorf("%d decisions named, %d tests, %d decisions: this test looks in the wrong place", named, len(tests), len(adrs))
	}
}

var (
	target = regexp.MustCompile(`(?m)^([a-z]+):`)
	phony  = regexp.MustCompile(`(?m)^\.PHONY: (.*)$`)
	about  = regexp.MustCompile(`(?m)^## ([a-z]+): `)
)

// make has the verbs that README and CI use, each with a recipe and a line of help.
func TestMakeHasItsVerbs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	names := func(re *regexp.Regexp) map[string]bool {
		all := map[string]bool{}
		for _, m := range re.FindAllStringSubmatch(string(text), -1) {
			all[m[1]] = true
		}
		return all
	}
	targets, helps := names(target), names(about)
	for _, verb := range strings.Fields("run test check fuzz bench web gen fmt release help") {
		if !targets[verb] || !helps[verb] {
			t.Errorf("make %s: target %v, help %v", verb, targets[verb], helps[verb])
		}
	}
	list := phony.FindStringSubmatch(string(text))
	if list == nil {
		t.Fatal("no .PHONY line")
	}
	for _, name := range strings.Fields(list[1]) {
		if !targets[name] {
			t.Errorf(".PHONY names %s, which has no recipe", name)
		}
	}
}
