package server

import (
	"fmt"
	"image/color"
	"strings"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/qr"
)

// quiet is how many modules of white stand around a QR code (ISO/IEC 18004, section 6.3.8).
const quiet = 4

// qrText draws a text as a QR code for a terminal, two rows of modules to a line. With colours a
// code is black on white whatever the terminal's own are; without, its white is what is printed, which
// reads well where letters are light on dark.
func qrText(text string, colours bool) (string, error) {
	code, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("draw a QR code: %w", err)
	}
	side := code.Bounds().Dx()
	var b strings.Builder
	for y := -quiet; y < side+quiet; y += 2 {
		b.WriteString("  ")
		if colours {
			b.WriteString("\x1b[97;40m") // white signs on black: the code's dark is the ground
		}
		for x := -quiet; x < side+quiet; x++ {
			b.WriteString(halves[light(code, x, y)][light(code, x, y+1) || y+1 >= side+quiet])
		}
		if colours {
			b.WriteString("\x1b[0m")
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}

// halves are the signs for two modules, one above the other: by whether each is light.
var halves = map[bool]map[bool]string{true: {true: "█", false: "▀"}, false: {true: "▄", false: " "}}

// light says whether a module is white; all is around the code.
func light(code barcode.Barcode, x, y int) bool {
	side := code.Bounds().Dx()
	if x < 0 || y < 0 || x >= side || y >= side {
		return true
	}
	return code.At(x, y) == color.White
}
