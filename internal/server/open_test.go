package server

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/web/manual"
)

var update = flag.Bool("update", false, "write the list of routes that are open to anyone anew")

// What anyone may ask without a token is a list that is read when it changes.
func TestRoutesOpenToAnyone(t *testing.T) {
	s := built(t)
	open, closed := []string{mqttPattern}, 0
	for pattern := range s.pages().routes() {
		open = append(open, pattern)
	}
	app, err := s.webApp(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	for pattern := range app.Routes() {
		open = append(open, pattern)
	}
	for pattern := range s.devPages() { // from this machine, with --dev
		open = append(open, pattern)
	}
	docs, err := s.docPages()
	if err != nil {
		t.Fatal(err)
	}
	for pattern := range docs {
		open = append(open, pattern)
	}
	guide, err := manual.NewSite()
	if err != nil {
		t.Fatal(err)
	}
	for pattern := range guide.Pages() {
		open = append(open, pattern)
	}
	for pattern := range s.signin.Pages() {
		open = append(open, pattern)
	}
	for pattern := range s.signin.AppPages() {
		open = append(open, pattern)
	}
	for pattern := range s.triggers.Pages() {
		open = append(open, pattern)
	}
	for _, r := range s.Routes() {
		if r.Open {
			open = append(open, r.Pattern)
			continue
		}
		closed++
		if r.Action == "" {
			t.Errorf("%s names no action", r.Pattern)
		}
	}
	if closed < 20 {
		t.Errorf("only %d routes want a token: this test looks in the wrong place", closed)
	}
	slices.Sort(open)
	got := strings.Join(open, "\n") + "\n"
	path := filepath.Join("testdata", "open.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("open to anyone:\n%s%s has:\n%s", got, path, want)
	}
}
