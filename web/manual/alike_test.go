package manual

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/yuin/goldmark/ast"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"github.com/ardesia-iot/ardesia/docs"
	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

// An outline is what a text and its original have in common, part by part, each from a heading to the next one.
type outline []section

type section struct {
	title string
	parts []string // in their order: blocks of code, links, points of lists, rows of tables
	words []string // written as code: names, commands, addresses; sorted, since another language has another order
}

// outlined is the outline of a text.
func outlined(source []byte) (all outline) {
	doc := markdown("").Parser().Parse(text.NewReader(source))
	all = outline{{title: "the beginning"}}
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // it fails only if this does
		if !entering {
			return ast.WalkContinue, nil
		}
		add := func(what string, args ...any) {
			now := &all[len(all)-1]
			now.parts = append(now.parts, fmt.Sprintf(what, args...))
		}
		switch n := n.(type) {
		case *ast.Heading:
			all = append(all, section{title: plain(n, source)})
			add("a heading of level %d", n.Level)
		case *ast.FencedCodeBlock:
			info := ""
			if n.Info != nil {
				info = string(n.Info.Value(source))
			}
			add("the code %s\n%s", info, lines(n, source))
		case *ast.CodeBlock:
			add("the code\n%s", lines(n, source))
		case *ast.Link:
			add("a link to %s", n.Destination)
		case *ast.AutoLink:
			add("a link to %s", n.URL(source))
		case *ast.Image:
			add("a picture %s", n.Destination)
		case *ast.ListItem:
			add("a point of a list")
		case *east.TableRow, *east.TableHeader:
			add("a row of %d cells", n.ChildCount())
		case *ast.CodeSpan:
			now := &all[len(all)-1]
			now.words = append(now.words, plain(n, source))
		}
		return ast.WalkContinue, nil
	})
	for i := range all {
		slices.Sort(all[i].words)
	}
	return all
}

// differ says what first differs between two outlines; "" if nothing does.
func differ(original, other outline) string {
	for i := range min(len(original), len(other)) {
		for _, of := range []struct{ have, want []string }{{other[i].parts, original[i].parts}, {other[i].words, original[i].words}} {
			if found := first(of.have, of.want); found != "" {
				return fmt.Sprintf("under %q (in English %q): %s", other[i].title, original[i].title, found)
			}
		}
	}
	switch {
	case len(original) > len(other):
		return fmt.Sprintf("the heading %q is missing", original[len(other)].title)
	case len(other) > len(original):
		return fmt.Sprintf("the heading %q is one more", other[len(original)].title)
	}
	return ""
}

func first(have, want []string) string {
	for i := range max(len(have), len(want)) {
		switch {
		case i >= len(have):
			return "lacks " + want[i]
		case i >= len(want):
			return "has more: " + have[i]
		case have[i] != want[i]:
			return fmt.Sprintf("has %s, and its original %s", have[i], want[i])
		}
	}
	return ""
}

// A text in another language has not fallen behind its original: what is no prose is the same, to the byte.
func TestTextsInOtherLanguages(t *testing.T) {
	found := map[string]int{}
	err := fs.WalkDir(docs.Files, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".md") {
			return err
		}
		original, lang := docs.Original(file)
		if lang == "" {
			return nil
		}
		found[lang]++
		have, err := fs.ReadFile(docs.Files, file)
		if err != nil {
			return err
		}
		want, err := fs.ReadFile(docs.Files, original)
		if err != nil {
			return err
		}
		if wrong := differ(outlined(want), outlined(have)); wrong != "" {
			t.Errorf("%s is not what %s is: %s", file, original, wrong)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range tongue.Languages[1:] {
		if found[lang] < 6 {
			t.Errorf("only %d texts in %q: this test looks in the wrong place", found[lang], lang)
		}
		for _, c := range docs.Chapters {
			if c.Titles[lang] == "" {
				t.Errorf("the chapter %q has no title in %q", c.Title, lang)
			}
		}
	}
}

// The rule above can say no, and says what differs.
func TestOutlinesDiffer(t *testing.T) {
	const original = "# A\n\nSee [b](b.md), `x` and `y`.\n\n## Two\n\n```sh not-run\nrm file\n```\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
	for name, c := range map[string]struct{ from, to, want string }{
		"the same":          {"See", "Vedi", ""},
		"words turned":      {"`x` and `y`", "`y` e `x`", ""},
		"another command":   {"rm file", "rm documento", "rm documento"},
		"another language":  {"sh not-run", "sh", "the code sh\n"},
		"another link":      {"(b.md)", "(c.md)", "c.md"},
		"no link":           {"[b](b.md)", "b", "lacks a link to b.md"},
		"another level":     {"## Two", "### Due", "a heading of level 3"},
		"a heading is lost": {"## Two\n", "", "the code"},
		"one heading more":  {"- one\n", "## Altro\n\n- one\n", "lacks a point"},
		"a point is lost":   {"- two\n", "", "a row of"},
		"a row more":        {"| 1 | 2 |\n", "| 1 | 2 |\n| 3 | 4 |\n", "has more: a row"},
		"another name":      {"`y`", "`z`", "has z, and its original y"},
		"a last heading":    {"| 1 | 2 |\n", "| 1 | 2 |\n\n## Fine\n", `"Fine" is one more`},
	} {
		t.Run(name, func(t *testing.T) {
			other := strings.Replace(original, c.from, c.to, 1)
			if got := differ(outlined([]byte(original)), outlined([]byte(other))); got == "" != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("it says %q, want %q", got, c.want)
			}
		})
	}
	if got := differ(outlined([]byte("# A\n\n## B\n")), outlined([]byte("# A\n"))); !strings.Contains(got, `"B" is missing`) {
		t.Errorf("without its last heading it says %q", got)
	}
}

// A text whose headings are not its original's keeps the server from starting, and so do one without an original and one in a
// language that nobody speaks: else links would lead to nothing.
func TestOtherTextsThatAreRefused(t *testing.T) {
	chapters := []docs.Chapter{{Title: "One", Pages: []string{"guide/a.md"}}}
	for name, c := range map[string]struct{ file, text, want string }{
		"a heading more":    {"guide/a.it.md", "# A\n\n## Due\n\n## Tre\n", `"Tre" is one more`},
		"a heading less":    {"guide/a.it.md", "# A\n", `"Two" is missing`},
		"another level":     {"guide/a.it.md", "# A\n\n### Due\n", `"Due" is of level 3`},
		"a link to nothing": {"guide/a.it.md", "# A\n\n## Due\n\n[b](b.md)\n", "leads to nothing"},
		"no original":       {"guide/b.it.md", "# B\n", "in no chapter"},
		"no such language":  {"guide/a.xx.md", "# A\n\n## Two\n", `"xx"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newSite(fstest.MapFS{"guide/a.md": {Data: []byte("# A\n\n## Two\n")}, c.file: {Data: []byte(c.text)}}, chapters)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it says %v, want %q", err, c.want)
			}
			if strings.Contains(c.want, "is ") && !errors.Is(err, errAlike) {
				t.Errorf("%v is not %v", err, errAlike)
			}
		})
	}
}
