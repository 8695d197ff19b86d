package social

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Whatever Apple's form or a claim says of a name, what is proposed is one line that can be shown and kept.
func FuzzName(f *testing.F) {
	for _, text := range []string{`{"name":{"firstName":"Anna","lastName":"Bianchi"},"email":"a@b.c"}`, `{"name":null}`, "Anna\nBianchi", "\u202eAnna", "\xff", strings.Repeat("è ", 200)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range []string{tame(text), tame(appleName(text))} {
			if n := utf8.RuneCountInString(name); n > maxName || !utf8.ValidString(name) || name != strings.TrimSpace(name) || strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) }) {
				t.Fatalf("%q becomes %q", text, name)
			}
		}
	})
}

func TestAppleTellsANameInItsForm(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"name":{"firstName":"Anna","lastName":"Bianchi"},"email":"evil@example.org"}`: "Anna Bianchi",
		`{"name":{"firstName":"Anna"}}`: "Anna",
		`{"name":[]}`:                   "",
		`{`:                             "",
		"":                              "",
		`{"name":{"firstName":"` + strings.Repeat("a", maxAppleUser) + `"}}`: "",
	} {
		if got := appleName(text); got != want {
			t.Errorf("%.40s: %q, want %q", text, got, want)
		}
	}
}
