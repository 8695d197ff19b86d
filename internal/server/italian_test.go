package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A sentences is what the server says, by the code of a problem or the name of a type, and for each how the application
// says it in Italian.
type sentences map[string]map[string]string

func (s sentences) add(name, text string) {
	if s[name] == nil {
		s[name] = map[string]string{}
	}
	s[name][text] = ""
}

// The application has an Italian sentence for each problem that the document of the API lists, and an Italian name for each
// type of properties; beside them is what the server says now.
func TestItalian(t *testing.T) {
	s := built(t)
	problems := sentences{}
	for _, r := range s.Routes() {
		// What programs sign in by answers in the form of OAuth, and the application does not ask it.
		if r.Doc.Page || r.Doc.Plain && strings.HasPrefix(r.Doc.ID, "oauth2#") {
			continue
		}
		// Of problems of one code the document shows one, and the route may answer with each.
		for _, p := range slices.Concat(r.Problems(), r.Doc.Fails, entering) {
			problems.add(p.Code, p.Detail)
		}
	}
	types := sentences{}
	for _, one := range thing.Types() {
		if one.Described() {
			types.add(one.Name, one.Label)
		}
	}
	if len(problems) < 200 || len(types) < 100 {
		t.Fatalf("only %d problems and %d types: this test looks in the wrong place", len(problems), len(types))
	}
	for file, said := range map[string]sentences{"problems.it.json": problems, "types.it.json": types} {
		path := filepath.Join("..", "..", "web", "app", "text", file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var had sentences
		if err := json.Unmarshal(text, &had); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if *update {
			had = said.with(had)
			if err := os.WriteFile(path, had.json(t), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if !bytes.Equal(text, had.json(t)) {
			t.Errorf("%s is not in order: run this test with -update", path)
		}
		for _, wrong := range said.missed(had) {
			t.Errorf("%s: %s", file, wrong)
		}
	}
}

// with gives what is said the Italian that it had. A sentence that took the place of another takes its Italian too: whoever
// runs the update reads whether that still says the same.
func (s sentences) with(had sentences) sentences {
	all := sentences{}
	for name, texts := range s {
		var fresh, old []string
		for text := range texts {
			all.add(name, text)
			all[name][text] = had[name][text]
			if _, there := had[name][text]; !there {
				fresh = append(fresh, text)
			}
		}
		for text := range had[name] {
			if _, still := texts[text]; !still {
				old = append(old, text)
			}
		}
		if len(fresh) == 1 && len(old) == 1 {
			all[name][fresh[0]] = had[name][old[0]]
		}
	}
	return all
}

// missed says what had lacks of what is said, and has besides it.
func (s sentences) missed(had sentences) []string {
	var wrong []string
	for name, texts := range s {
		for text := range texts {
			italian, there := had[name][text]
			switch {
			case !there:
				wrong = append(wrong, name+" is not there as the server says it: run this test with -update, and look at its Italian: "+text)
			case strings.TrimSpace(italian) == "":
				wrong = append(wrong, name+" has no Italian: "+text)
			case numbers(italian) != numbers(text):
				wrong = append(wrong, name+" has other numbers in Italian: "+italian)
			}
		}
	}
	for name, texts := range had {
		for text := range texts {
			if _, there := s[name][text]; !there {
				wrong = append(wrong, name+" is in Italian, and the server does not say it: "+text)
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// A number is no part of a name: v1, nano_33_iot.
var number = regexp.MustCompile(`\b[0-9]+(?:,[0-9]{3})*\b`)

// numbers are those of a sentence, in order of their digits.
func numbers(sentence string) string {
	found := number.FindAllString(sentence, -1)
	for i := range found {
		found[i] = strings.ReplaceAll(found[i], ",", "")
	}
	slices.Sort(found)
	return strings.Join(found, " ")
}

// json is how the file is written: in the order of names, a line for each sentence.
func (s sentences) json(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What keeps the lists can say no.
func TestItalianIsMissed(t *testing.T) {
	p := problem.New(problem.Invalid, "too-many", "A thing has at most 16 tags.")
	said := sentences{}
	said.add(p.Code, p.Detail)
	for name, one := range map[string]struct {
		had  sentences
		want string
	}{
		"nothing":         {sentences{}, "is not there as the server says it"},
		"no Italian":      {sentences{"too-many": {p.Detail: ""}}, "has no Italian"},
		"another number":  {sentences{"too-many": {p.Detail: "Al massimo 32 etichette."}}, "has other numbers"},
		"another English": {sentences{"too-many": {"At most 16 tags.": "Al massimo 16 etichette."}}, "is in Italian, and the server does not say it"},
		"another code":    {sentences{"too-many": {p.Detail: "Al massimo 16."}, "gone": {"Gone.": "Non c'è più."}}, "gone is in Italian"},
	} {
		if got := strings.Join(said.missed(one.had), "\n"); !strings.Contains(got, one.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	moved := said.with(sentences{"too-many": {"At most 16 tags.": "Al massimo 16 etichette."}, "gone": {"Gone.": "Non c'è più."}})
	if got := said.missed(moved); len(got) != 0 || !maps.Equal(moved["too-many"], map[string]string{p.Detail: "Al massimo 16 etichette."}) {
		t.Errorf("after an update: %v, %q", moved, got)
	}
}
