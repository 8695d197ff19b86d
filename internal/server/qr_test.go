package server

import (
	"image/color"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"
)

// What stands in the terminal is the code, module for module, within its quiet zone.
func TestTheQRCodeInTheTerminal(t *testing.T) {
	const link = "https://id.example.org/setup?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	code, err := qr.Encode(link, qr.L, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	side := code.Bounds().Dx()
	signs := map[rune][2]bool{'█': {true, true}, '▀': {true, false}, '▄': {false, true}, ' ': {false, false}}
	for name, colours := range map[string]bool{"with colours": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			text, err := qrText(link, colours)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(text, "\x1b") != colours {
				t.Errorf("colours: %q", text)
			}
			text = strings.NewReplacer("\x1b[97;40m", "", "\x1b[0m", "").Replace(text)
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if want := (side + 2*quiet + 1) / 2; len(lines) != want {
				t.Fatalf("%d lines, want %d", len(lines), want)
			}
			dark := 0
			for row, line := range lines {
				cells := []rune(strings.TrimPrefix(line, "  "))
				if len(cells) != side+2*quiet {
					t.Fatalf("line %d has %d signs, want %d", row, len(cells), side+2*quiet)
				}
				for x, sign := range cells {
					for half, got := range signs[sign] {
						cx, cy := x-quiet, 2*row+half-quiet
						inside := cx >= 0 && cy >= 0 && cx < side && cy < side
						if want := !inside || code.At(cx, cy) == color.White; got != want {
							t.Fatalf("module %d, %d is light: %v, want %v", cx, cy, got, want)
						}
						if !got {
							dark++
						}
					}
				}
			}
			if dark < side*side/4 {
				t.Errorf("only %d dark modules of %d", dark, side*side)
			}
		})
	}
	if _, err := qrText(strings.Repeat("x", 5000), false); err == nil {
		t.Error("a text that fits no code was drawn")
	}
}
