package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/commandpage"
)

var updatePage = flag.Bool("update-page", false, "write docs/guide/ardesia.md anew")

// The page about this program is its own help.
func TestCommandPage(t *testing.T) {
	want := commandpage.Write(newRoot(), "The server: it serves, and is looked after by the same program, on the machine that it runs on. What to do with it: [Operating Ardesia](../operate.md).")
	path := filepath.Join("..", "..", "docs", "guide", "ardesia.md")
	if *updatePage {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the program says (%v): go test ./cmd/ardesia -run TestCommandPage -update-page", path, err)
	}
}
