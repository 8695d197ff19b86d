package main

import (
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/commandpage"
)

// The page about this program is its own help.
func TestCommandPage(t *testing.T) {
	commandpage.Hold(t, filepath.Join("..", ".."), newRoot(), "The server: it serves, and is looked after by the same program, on the machine that it runs on. What to do with it: [Operating Ardesia](../operate.md).")
}
