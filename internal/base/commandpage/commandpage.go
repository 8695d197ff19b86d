// Package commandpage writes the page about a command line program from the program's own help, so that neither says anything
// that the other does not. It is used by tests, which write the pages and hold them equal.
package commandpage

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update-page", false, "write the page about the program anew")

// Hold fails the test unless docs/guide, below the folder top, has the page about root and all that is below it; with -update-page it writes it first.
func Hold(t testing.TB, top string, root *cobra.Command, about string) {
	t.Helper()
	want := write(root, about)
	path := filepath.Join(top, "docs", "guide", root.Name()+".md")
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not what the program says (%v): go test ./cmd/%s -run TestCommandPage -update-page", path, err, root.Name())
	}
}

// write is the page about root and all that is below it, in Markdown. about says what the program is for.
func write(root *cobra.Command, about string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\nThis page is the program's own help (`%s COMMAND --help`), written by a test.\n", root.Name(), about, root.Name())
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.IsAvailableCommand() && c != root {
			command(&b, c)
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	if flags := list(root.PersistentFlags()); flags != "" {
		fmt.Fprintf(&b, "\n## Flags of all commands\n\n```text not-run\n%s```\n", flags)
	}
	return b.String()
}

// command is one section: of the second level for what is directly below the program, else of the third.
func command(b *strings.Builder, c *cobra.Command) {
	level := "##"
	if c.Parent().HasParent() {
		level = "###"
	}
	fmt.Fprintf(b, "\n%s %s\n\n%s\n", level, strings.TrimSpace(strings.TrimPrefix(c.CommandPath(), c.Root().Name())), sentence(c.Short))
	if !c.Runnable() {
		return
	}
	fmt.Fprintf(b, "\n```text not-run\n%s\n", c.UseLine())
	if c.Long != "" && c.Long != c.Short {
		fmt.Fprintf(b, "\n%s\n", strings.TrimSpace(c.Long))
	}
	if flags := list(c.LocalNonPersistentFlags()); flags != "" {
		fmt.Fprintf(b, "\n%s", flags)
	}
	b.WriteString("```\n")
	if c.Example != "" {
		fmt.Fprintf(b, "\n```text not-run\n%s\n```\n", unindent(c.Example))
	}
}

// list is what flags there are, without that for help, which all have.
func list(flags *pflag.FlagSet) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden {
			shown.AddFlag(f)
		}
	})
	return shown.FlagUsages()
}

func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// unindent takes the two spaces away with which examples begin.
func unindent(s string) string {
	var all []string
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		all = append(all, strings.TrimPrefix(line, "  "))
	}
	return strings.Join(all, "\n")
}
