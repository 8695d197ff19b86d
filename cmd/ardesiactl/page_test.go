package main

import (
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/commandpage"
)

// The page about this program is its own help.
func TestCommandPage(t *testing.T) {
	commandpage.Hold(t, filepath.Join("..", ".."), newRoot(), "The command line client: devices, things, values, dashboards and all else that the API has, from any machine. Where to begin: [From nothing to a first value](start.md).")
}
