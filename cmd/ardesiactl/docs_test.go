package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var fence = regexp.MustCompile("(?ms)^```[a-z -]*\n(.*?)^```")

// understood says why a command line would not be.
func understood(line string) error {
	root := newRoot()
	c, rest, err := root.Find(strings.Fields(line)[1:])
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err
	}
	return c.ValidateRequiredFlags()
}

// Every command that a document or a help text tells people to type is one that there is.
func TestCommandsInDocuments(t *testing.T) {
	command := regexp.MustCompile(`(?m)^ *(?:bin/)?(ardesiactl [^#>|&\n']+)`)
	found := 0
	check := func(where, text string) {
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			line := strings.TrimSpace(m[1])
			if strings.HasSuffix(line, "property set THING lamp") { // its JSON was cut off
				line += " {}"
			}
			found++
			if err := understood(line); err != nil {
				t.Errorf("%s: %q: %v", where, line, err)
			}
		}
	}
	for _, name := range []string{"README.md", "docs/operate.md", "docs/integrations.md", "docs/integrations/homeassistant.md", "docs/guide/start.md", "docs/guide/boards.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			check(name, m[1])
		}
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		check(c.CommandPath(), c.Example)
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot())
	if found < 8 {
		t.Errorf("only %d commands were found: this test looks in the wrong place", found)
	}
	if understood("ardesiactl device list --fly") == nil || understood("ardesiactl fly") == nil {
		t.Error("the rule above cannot say no")
	}
}
