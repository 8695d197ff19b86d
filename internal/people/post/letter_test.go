package post

import (
	"io/fs"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
)

// sample has a value for every field that there is.
var sample = map[string]string{
	"link": "https://ardesia.example.org/x?token=abc&lang=en", "when": "2030-01-02T03:04:05Z", "until": "2030-01-09T03:04:05Z",
	"left": "2", "code": "1234 5678", "most": "1000", "count": "57", "place": "192.0.2.7", "before": "198.51.100.3", "device": "Firefox on Linux", "method": "Password and passkey",
	"factor": "Passkey “Blue key”", "provider": "GitHub", "since": "2030-01-01T02:03:04Z", "services": "Google", "addresses": "carla at home", "passkeys": "Green key, red key", "keys": "Greenhouse key", "space": "Greenhouse", "inviter": "Bob", "role": "Editor", "key": "laptop", "dashboard": "Greenhouse, east", "who": "Carla", "message": "May I see it?", "address": "a…@example.net",
	"title": "The pond is too warm", "text": "It has 31.5 degrees.", "trigger": "Pond",
	"webhook": "Greenhouse", "receiver": "hooks.example.org", "answer": "HTTP 410",
}

func fieldsOf(k Kind, all bool) map[string]string {
	names := rules[k].must
	if all {
		names += " " + rules[k].may
	}
	fields := map[string]string{}
	for name := range strings.FieldsSeq(names) {
		fields[name] = sample[name]
	}
	return fields
}

func TestEveryKindIsWrittenInEveryLanguage(t *testing.T) {
	f, err := readForms()
	if err != nil {
		t.Fatal(err)
	}
	for lang := range words {
		subjects := map[string]Kind{}
		for _, kind := range Kinds() {
			for name, all := range map[string]bool{"with all fields": true, "with those that it must have": false} {
				t.Run(lang+"/"+string(kind)+"/"+name, func(t *testing.T) {
					l := Letter{Kind: kind, Fields: fieldsOf(kind, all)}
					fields, err := l.check(lang)
					if err != nil {
						t.Fatal(err)
					}
					m, err := f.write(kind, lang, "Anna", "ardesia.example.org", fields)
					if err != nil {
						t.Fatal(err)
					}
					if n := utf8.RuneCountInString(m.Subject); n < 10 || n > 60 {
						t.Errorf("a subject of %d characters: %s", n, m.Subject)
					}
					for _, form := range []string{m.Text, m.HTML} {
						for _, bad := range []string{"{{", "}}", "<no value>", "[action]", "[facts]", "ZgotmplZ", "  \n\n\n", "<img", "<script", "src=", "url(", "@import"} {
							if strings.Contains(form, bad) {
								t.Errorf("has %q:\n%s", bad, form)
							}
						}
					}
					for name, value := range fields {
						// The text's lines break anywhere between words. What is the whole subject need not be there again.
						if m.Subject != value && !strings.Contains(strings.Join(strings.Fields(m.Text), " "), value) {
							t.Errorf("the text does not tell %s (%s):\n%s", name, value, m.Text)
						}
					}
					if link := l.Fields["link"]; link != "" {
						if got := strings.Count(m.HTML, strings.ReplaceAll(link, "&", "&amp;")); got != 3 {
							t.Errorf("the link is there %d times, want 3 (button, link, shown)", got)
						}
						if !strings.Contains(m.Text, "\n"+link+"\n") {
							t.Errorf("the link has no line of its own:\n%s", m.Text)
						}
					}
					for line := range strings.Lines(m.Text) {
						if utf8.RuneCountInString(line) > 79 && !strings.HasPrefix(line, "https://") {
							t.Errorf("a line of %d characters: %s", utf8.RuneCountInString(line), line)
						}
					}
					if all {
						if other, taken := subjects[m.Subject]; taken {
							t.Errorf("has the subject of %s", other)
						}
						subjects[m.Subject] = kind
					}
				})
			}
		}
	}
}

// A file that no kind has would never be read.
func TestEveryFileIsALetter(t *testing.T) {
	n := 0
	err := fs.WalkDir(files, "letter", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if want := len(words)*(len(rules)+1) + 1; err != nil || n != want {
		t.Errorf("%d files, %v, want %d", n, err, want)
	}
}

// Both languages say the same: where one has a button or facts, so has the other.
func TestLanguagesHaveTheSameParts(t *testing.T) {
	f, err := readForms()
	if err != nil {
		t.Fatal(err)
	}
	shape := func(f form) string {
		s := strings.Join(f.facts, " ") + ":"
		for _, p := range f.parts {
			switch {
			case p.action:
				s += "a"
			case p.facts:
				s += "f"
			default:
				s += "p"
			}
		}
		return s
	}
	for _, kind := range Kinds() {
		want := shape(f.all["en/"+string(kind)])
		for lang := range words {
			if got := shape(f.all[lang+"/"+string(kind)]); got != want {
				t.Errorf("%s/%s is %s, want %s", lang, kind, got, want)
			}
		}
		for name := range strings.FieldsSeq(strings.ReplaceAll(rules[kind].must+" "+rules[kind].may, "link", "")) {
			if words["en"].facts[name] == "" || words["it"].facts[name] == "" {
				t.Errorf("the field %s has no name", name)
			}
		}
	}
}

func TestLanguages(t *testing.T) {
	for name, c := range map[string]struct {
		tags []string
		want string
	}{
		"exact":          {[]string{"it"}, "it"},
		"with a region":  {[]string{"it-CH"}, "it"},
		"as systems say": {[]string{"IT_it"}, "it"},
		"not ours":       {[]string{"de"}, "en"},
		"the second":     {[]string{"de", "it"}, "it"},
		"none":           {nil, "en"},
		"junk":           {[]string{"../it"}, "en"},
	} {
		if got := language(c.tags...); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestWhatPeopleWroteIsTamed(t *testing.T) {
	const j = "\u2060"
	for name, c := range map[string]struct{ text, want string }{
		"plain":            {"Anna's greenhouse", "Anna's greenhouse"},
		"a link":           {"see https://evil.example/x", "see https:" + j + "/" + j + "/" + j + "evil." + j + "example/" + j + "x"},
		"lines":            {"a\r\nb\tc", "a b c"},
		"turned around":    {"a\u202eb\u2066c", "abc"},
		"unseen":           {"a\u200b\u2060\x00b", "ab"},
		"long":             {strings.Repeat("è", 200), strings.Repeat("è", 120) + "…"},
		"an encoded word":  {"=?utf-8?q?a?=", "=" + j + "?utf-8?q?a?="},
		"not UTF-8":        {"a\xffb", "a\uFFFDb"},
		"nothing but that": {"\u202e", ""},
	} {
		if got := tame(c.text); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	for text, want := range map[string]string{"192.0.2.7": "192.0.2.7", "2001:db8::1": "2001:db8::1", "Rome, IT": "Rome, IT", "evil.example": "evil." + j + "example"} {
		if got := tameAddr(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Whatever people call themselves and their spaces, the letter has the tags, links and headers of
// one for people with plain names.
func FuzzWhatPeopleWrote(f *testing.F) {
	all, err := readForms()
	if err != nil {
		f.Fatal(err)
	}
	f.Add("Bob", "Greenhouse", "Anna")
	f.Add("<a href=https://evil.example>x</a>", "https://evil.example/", "\r\nBcc: x@example.org")
	f.Add("{{.link}}", "&lt;b&gt;\"'", "=?utf-8?q?=0D=0A?=")
	f.Add("www.evil.example", "\u202e", strings.Repeat("a ", 500))
	f.Fuzz(func(t *testing.T, inviter, space, name string) {
		write := func(inviter, space, name string) mail.Message {
			l := Letter{Kind: Invite, Fields: map[string]string{"link": sample["link"], "inviter": inviter, "space": space}}
			fields, err := l.check("en")
			if err != nil {
				t.Skip() // nothing was written
			}
			if fields["inviter"] == "" || fields["space"] == "" || tame(name) == "" {
				t.Skip() // a line less
			}
			m, err := all.write(Invite, "en", name, "ardesia.example.org", fields)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		got, want := write(inviter, space, name), write("Bob", "Greenhouse", "Anna")
		for _, mark := range []string{"<", ">", `"`} {
			if strings.Count(got.HTML, mark) != strings.Count(want.HTML, mark) {
				t.Fatalf("%q: %d, want %d\n%s", mark, strings.Count(got.HTML, mark), strings.Count(want.HTML, mark), got.HTML)
			}
		}
		if n := strings.Count(got.Text, "://"); n != 1 {
			t.Fatalf("%d links in %s", n, got.Text)
		}
		got.ID, got.From, got.To = "a@example.org", mail.Address{Addr: "a@example.org"}, mail.Address{Addr: "b@example.org"}
		got.At = got.At.AddDate(2030, 0, 0)
		if err := got.Check(); err != nil {
			t.Fatalf("cannot be sent: %v", err)
		}
	})
}
