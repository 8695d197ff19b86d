package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/commandpage"
)

var updatePage = flag.Bool("update-page", false, "write docs/guide/ardesiactl.md anew")

// The page about this program is its own help.
func TestCommandPage(t *testing.T) {
	want := commandpage.Write(newRoot(), "The command line client: devices, things, values, dashboards and all else that the API has, from any machine. Where to begin: [From nothing to a first value](start.md).")
	path := filepath.Join("..", "..", "docs", "guide", "ardesiactl.md")
	if *updatePage {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the program says (%v): go test ./cmd/ardesiactl -run TestCommandPage -update-page", path, err)
	}
}
