package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// sources are the files of the application, by their path below app.
func sources(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS("app"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(filepath.Join("app", path))
		all[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d sources: this test looks in the wrong place", len(all))
	}
	return all
}

// install gets the type checker and the packages that web/vendor is filled from, once, and anew when others are wanted.
var install = sync.OnceValue(func() error {
	want, err := os.Stat("package-lock.json")
	if err != nil {
		return err
	}
	if has, err := os.Stat(filepath.Join("node_modules", ".package-lock.json")); err == nil && !has.ModTime().Before(want.ModTime()) {
		return nil
	}
	out, err := exec.Command("npm", "ci", "--no-audit", "--no-fund").CombinedOutput()
	if err != nil {
		return &installError{err, out}
	}
	return nil
})

type installError struct {
	err error
	out []byte
}

func (e *installError) Error() string {
	return "npm ci in web (scripts/need node=nodejs npm=npm): " + e.err.Error() + "\n" + string(e.out)
}

// The application has no error of types. What checks them is not there by itself; without it the test fails.
func TestTypes(t *testing.T) {
	if err := install(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "-p", ".").CombinedOutput(); err != nil {
		t.Errorf("the type checker says (%v):\n%s", err, out)
	}
	// It can say no.
	bad := filepath.Join(t.TempDir(), "bad.ts")
	if err := os.WriteFile(bad, []byte("const n: number = \"one\";\nexport { n };\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, "node", filepath.Join("node_modules", "typescript", "bin", "tsc"), "--noEmit", "--ignoreConfig", bad).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("TS2322")) {
		t.Errorf("a wrong type passes: %v %s", err, out)
	}
}

// Modules of others are those of their packages, unchanged, as the list says and as the packages are.
func TestVendoredModules(t *testing.T) {
	if err := install(); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadFile(filepath.Join("vendor", "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(list)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	seen := 0
	err = fs.WalkDir(os.DirFS("vendor"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == "SHA256SUMS" {
			return err
		}
		seen++
		text, err := os.ReadFile(filepath.Join("vendor", path))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(text); sums[path] != hex.EncodeToString(sum[:]) {
			t.Errorf("vendor/%s is not what SHA256SUMS says: run scripts/web-vendor", path)
		}
		original, err := os.ReadFile(filepath.Join("node_modules", path))
		if err != nil || !bytes.Equal(text, original) {
			t.Errorf("vendor/%s is not the package's own (%v): run scripts/web-vendor", path, err)
		}
		return nil
	})
	if err != nil || seen != len(sums) || seen < 10 {
		t.Errorf("%d files, the list has %d; %v", seen, len(sums), err)
	}
}

var (
	key     = regexp.MustCompile(`(?m)^  (?:"([^"]+)"|([a-z]+)): "((?:[^"\\]|\\.)*)",$`)
	hole    = regexp.MustCompile(`\{\w+\}`)
	literal = regexp.MustCompile("[\"`]([a-z][a-zA-Z]*(?:\\.[a-zA-Z${}_.\\[\\]?]+)*)[\"`]")
)

func texts(t *testing.T, all map[string]string, lang string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, m := range key.FindAllStringSubmatch(all["text/"+lang+".ts"], -1) {
		found[m[1]+m[2]] = m[3]
	}
	if len(found) < 200 {
		t.Fatalf("only %d texts in %s: this test looks in the wrong place", len(found), lang)
	}
	return found
}

// Every language has every text, with the same holes, and every text is used.
func TestTexts(t *testing.T) {
	all := sources(t)
	en, it := texts(t, all, "en"), texts(t, all, "it")
	for k, text := range en {
		other, there := it[k]
		if !there {
			t.Errorf("%s has no text in Italian", k)
			continue
		}
		holes := func(s string) string {
			found := hole.FindAllString(s, -1)
			slices.Sort(found)
			return strings.Join(found, " ")
		}
		if holes(text) != holes(other) {
			t.Errorf("%s: %q, and in Italian %q", k, text, other)
		}
	}
	for k := range it {
		if _, there := en[k]; !there {
			t.Errorf("%s is in Italian alone", k)
		}
	}
	// What is used is a literal somewhere; one with a hole stands for all that fit.
	used, patterns := map[string]bool{}, []*regexp.Regexp{}
	for path, text := range all {
		if strings.HasPrefix(path, "text/") && path != "text/index.ts" {
			continue
		}
		for _, m := range literal.FindAllStringSubmatch(text, -1) {
			if before, _, holed := strings.Cut(m[1], "${"); holed && before != "" {
				quoted := regexp.MustCompile(`\\\$\\\{.*?\\\}`).ReplaceAllString(regexp.QuoteMeta(m[1]), `[a-z0-9]+`)
				patterns = append(patterns, regexp.MustCompile("^"+quoted+"$"))
				continue
			}
			used[m[1]] = true
		}
		if strings.Contains(text, "${bulk.noun}") {
			patterns = append(patterns, regexp.MustCompile(`^(things|devices)\.(delete|deleted|tag|tagged|delete\.text)$`))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(en)) {
		plain := strings.TrimSuffix(strings.TrimSuffix(k, ".one"), ".other")
		is := used[k] || used[plain] || slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(k) || p.MatchString(plain) })
		if !is {
			t.Errorf("nobody uses the text %s", k)
		}
	}
}

// forbidden are what the policy of the application would report, or what would run a stranger's words. Style is set
// by classes, or on an element's style object.
var forbidden = map[string]*regexp.Regexp{
	"makes elements out of a text":    regexp.MustCompile(`\b(innerHTML|outerHTML|insertAdjacentHTML|dangerouslySetInnerHTML|srcdoc|DOMParser|createContextualFragment)\b|document\.write`),
	"runs a text":                     regexp.MustCompile(`\beval\(|new Function\(|setTimeout\("|javascript:`),
	"has style in its text":           regexp.MustCompile(`\sstyle=|setAttribute\("style"|<style`),
	"asks another server":             regexp.MustCompile(`(?:src|href|fetch\(|import\()\s*=?\s*["'(]*https?://`),
	"reads a text with <any> or @ts-": regexp.MustCompile(`@ts-(ignore|nocheck)|\bas any\b`),
}

func TestSourcesKeepToThePolicy(t *testing.T) {
	for path, text := range sources(t) {
		for what, is := range forbidden {
			if found := is.FindString(text); found != "" {
				t.Errorf("app/%s %s: %s", path, what, found)
			}
		}
	}
	for what, sample := range map[string]string{
		"makes elements out of a text": `e.innerHTML = x`, "runs a text": `eval("x")`, "has style in its text": `<p style="x">`, "asks another server": `<img src="https://x">`,
		"reads a text with <any> or @ts-": `x as any`,
	} {
		if !forbidden[what].MatchString(sample) {
			t.Errorf("the rule that nothing %s cannot tell", what)
		}
	}
}

// A file of the application is one that can be read in a few minutes; a catalogue of texts is a list.
func TestSourcesAreShort(t *testing.T) {
	for path, text := range sources(t) {
		if n := strings.Count(text, "\n"); n > 320 && !strings.HasPrefix(path, "text/") {
			t.Errorf("app/%s has %d lines: it asks to be two", path, n)
		}
	}
}

// The mark is that of the other pages.
func TestOneMark(t *testing.T) {
	ours, err := os.ReadFile(filepath.Join("app", "mark.svg"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := os.ReadFile(filepath.Join("..", "internal", "people", "signin", "page", "mark.svg"))
	if err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("the application has another mark than the pages of the account (%v)", err)
	}
}

// The pages of the account and the documentation have the application's colours, name by name.
func TestOneLook(t *testing.T) {
	colour := regexp.MustCompile(`(?m)^\s+(--[a-z-]+): (.*light-dark.*);$`)
	ours := map[string]string{}
	for _, m := range colour.FindAllStringSubmatch(sources(t)["style/base.css"], -1) {
		ours[m[1]] = m[2]
	}
	for what, path := range map[string]string{
		"the pages of the account": filepath.Join("..", "internal", "people", "signin", "page", "style.css"), "the documentation": filepath.Join("manual", "style.css"),
	} {
		theirs, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := colour.FindAllStringSubmatch(string(theirs), -1)
		if len(all) < 10 {
			t.Fatalf("%s: only %d colours: this test looks in the wrong place", what, len(all))
		}
		for _, m := range all {
			if ours[m[1]] != m[2] {
				t.Errorf("%s is %s in %s, and %s in the application", m[1], m[2], what, ours[m[1]])
			}
		}
	}
}
