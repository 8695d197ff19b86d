package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A bar shows how far something is, on a terminal; elsewhere it shows nothing.
type bar struct {
	to    io.Writer // nil: nowhere
	drawn int       // characters of the last line
}

func newBar(to io.Writer) *bar {
	if f, is := to.(*os.File); is && term.IsTerminal(int(f.Fd())) {
		return &bar{to: f}
	}
	return &bar{}
}

const barWidth = 30

// line is part of whole as a bar, and what is happening.
func line(part, whole int64, words string) string {
	share := int64(0)
	if whole > 0 {
		share = min(max(part, 0), whole) * 100 / whole
	}
	full := int(share) * barWidth / 100
	return fmt.Sprintf("[%s%s] %3d%%  %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), share, words)
}

func (b *bar) draw(part, whole int64, words string) {
	if b.to == nil {
		return
	}
	text := line(part, whole, words)
	fmt.Fprintf(b.to, "\r%-*s", b.drawn, text)
	b.drawn = len(text)
}

func (b *bar) end() {
	if b.to != nil && b.drawn > 0 {
		fmt.Fprintln(b.to)
	}
}
