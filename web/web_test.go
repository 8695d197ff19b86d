package web

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
)

// What the program carries is what lies in this folder, all of it.
func TestAllPagesAreEmbedded(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".html") && !strings.HasSuffix(e.Name(), ".css") {
			continue
		}
		pages++
		want, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		got, err := fs.ReadFile(files, e.Name())
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program carries: %v", e.Name(), err)
		}
	}
	if pages == 0 {
		t.Error("no page was found: this test looks in the wrong place")
	}
	if len(Style()) == 0 {
		t.Error("the style sheet is empty")
	}
}

// foreign is what the pages' Content-Security-Policy forbids: script, styles in the text,
// and anything from another server.
var foreign = regexp.MustCompile(`(?i)<script|<style|<iframe|<object|\sstyle=|\son[a-z]+=|javascript:|(src|href)="(https?:)?//|@import|url\(`)

func TestPagesNeedNothingForeign(t *testing.T) {
	for _, name := range []string{"welcome.html", "style.css"} {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := foreign.Find(text); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
	if !foreign.MatchString(`<img src="https://elsewhere/x.png">`) || foreign.MatchString(`<a href="/ca.pem">`) {
		t.Error("the rule above cannot tell")
	}
}

func TestWelcomeShowsThisServer(t *testing.T) {
	place := Place{Host: "house.lan", Web: "house.lan:1001", Cert: "house.lan:1002", Secret: "house.lan:1003", Live: "house.lan:1004", Fingerprint: "AA:BB"}
	var page bytes.Buffer
	if err := Welcome.Execute(&page, place); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{place.Web, place.Cert, place.Secret, place.Live, place.Fingerprint, `href="/ca.pem"`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	place.Fingerprint, place.Host = "", `<script>"`
	page.Reset()
	if err := Welcome.Execute(&page, place); err != nil {
		t.Fatal(err)
	}
	if text := page.String(); strings.Contains(text, "<script>") || strings.Contains(text, "/ca.pem") {
		t.Errorf("a name is not escaped, or a CA is offered that is not ours:\n%s", text)
	}
}
