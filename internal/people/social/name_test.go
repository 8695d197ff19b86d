package social

import (
	"bytes"
	"encoding/json"
	"errors"
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

// Whatever an issuer claims, it is refused or becomes a claim within its bounds; only two words for true are true.
func FuzzClaims(f *testing.F) {
	for _, text := range []string{`{"sub":"1","email":"a@b.c","email_verified":"true","name":"A"}`, `{"sub":"1","email_verified":1}`, `{"sub":"a\u0000b"}`, `{"sub":"1","email":"a\nb","email_verified":true}`, `[]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var who person
		if json.Unmarshal(text, &who) != nil {
			return
		}
		c, err := Claim{Provider: "p", Issuer: "i", Subject: who.Subject, Email: who.Email, Verified: bool(who.Verified), Name: who.Name}.tidy()
		if err != nil {
			if !errors.Is(err, ErrAnswer) {
				t.Fatal(err)
			}
			return
		}
		if c.Subject == "" || len(c.Subject) > maxSubject || len(c.Email) > maxEmail || c.Verified && c.Email == "" || strings.ContainsFunc(c.Subject+c.Email, unicode.IsControl) {
			t.Fatalf("%s becomes %+v", text, c)
		}
		if c.Verified && !bytes.Contains(text, []byte("true")) {
			t.Fatalf("%s is verified", text)
		}
	})
}
