package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// document reads a text from the tree's root.
func document(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// blocks are the fenced blocks of a language; of "" those that nobody runs, too.
func blocks(text, language string) (all []string) {
	inside, ours, block := false, false, ""
	for line := range strings.Lines(text) {
		mark, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case !isFence:
			block += line
		case !inside:
			inside, ours, block = true, mark == language || language == "" && mark == "text not-run", ""
		default:
			if ours {
				all = append(all, block)
			}
			inside = false
		}
	}
	return all
}

// understood says why a command line would not be.
func understood(line string) error {
	root := newRoot()
	words := strings.Fields(line)
	c, rest, err := root.Find(words[1:])
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

// Every command that a document tells people to type is one that there is.
func TestCommandsInDocuments(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "..", "docs", "*", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	names = append(names, filepath.Join("..", "..", "README.md"), filepath.Join("..", "..", "docs", "operate.md"), filepath.Join("..", "..", "docs", "integrations.md"))
	command := regexp.MustCompile(`(?m)(?:^|&& )(?:sudo -u ardesia )?((?:bin/)?ardesia [^#&|\n]+)`)
	found := 0
	for _, name := range names {
		if base := filepath.Base(name); base == "ardesia.md" || base == "ardesiactl.md" {
			continue // the programs' own help (TestCommandPage), which says how commands look
		}
		text := document(t, strings.TrimPrefix(filepath.ToSlash(name), "../../"))
		for _, block := range blocks(text, "") {
			for _, m := range command.FindAllStringSubmatch(block, -1) {
				found++
				if err := understood(m[1]); err != nil {
					t.Errorf("%s: %q: %v", name, m[1], err)
				}
			}
		}
	}
	if found < 5 {
		t.Errorf("only %d commands were found: this test looks in the wrong place", found)
	}
	if understood("ardesia serve --fly") == nil || understood("ardesia fly") == nil || understood("ardesia user add") == nil {
		t.Error("the rule above cannot say no")
	}
}

// The configuration and the unit in docs/operate.md can be used as they are.
func TestExamplesForOperators(t *testing.T) {
	text := document(t, "docs/operate.md")
	files := blocks(text, "toml")
	if len(files) != 2 {
		t.Fatalf("%d configurations", len(files))
	}
	for n, text := range files {
		file := filepath.Join(t.TempDir(), "ardesia.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := command(t, "", "config", "check", "--config", file); err != nil {
			t.Errorf("configuration %d: %v", n+1, err)
		}
	}
	units := blocks(text, "ini")
	if len(units) != 1 {
		t.Fatalf("%d units", len(units))
	}
	unit := map[string]string{}
	section := ""
	for line := range strings.Lines(units[0]) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case strings.HasPrefix(line, "["):
			section = line
		case ok:
			unit[section+key] = value
		case line != "":
			t.Errorf("the unit has %q", line)
		}
	}
	start := unit["[Service]ExecStart"]
	if err := understood(start); err != nil {
		t.Errorf("ExecStart=%s: %v", start, err)
	}
	for key, want := range map[string]string{
		"[Service]UMask": "0077", "[Service]StateDirectoryMode": "0700", "[Service]AmbientCapabilities": "CAP_NET_BIND_SERVICE",
		"[Service]User": "ardesia", "[Install]WantedBy": "multi-user.target",
	} {
		if unit[key] != want {
			t.Errorf("%s=%s, want %s", key, unit[key], want)
		}
	}
	// What the unit may write is where the configuration puts the data.
	if want := `data = "/var/lib/` + unit["[Service]StateDirectory"] + `"`; !strings.Contains(files[0], want) {
		t.Errorf("the unit keeps %s, the configuration does not say %s", unit["[Service]StateDirectory"], want)
	}
}
