package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestGuardVerbs(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if _, _, err := command(t, goodPassword+"\n", "user", "add", "--email", "ann@example.org", "--name", "Ann", "--password-stdin", "--data", data); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		line, says, fails string
	}{
		"nobody is refused":    {"guard show --format json", "[]", ""},
		"nothing happened":     {"guard events --format json", "[]", ""},
		"a table":              {"guard show", "REFUSED UNTIL", ""},
		"nothing to lift":      {"guard lift --user ann@example.org --format json", `"lifted": 0`, ""},
		"an address":           {"guard lift --address 203.0.113.7 --format json", `"lifted": 0`, ""},
		"an API key":           {"guard lift --client-id 0123456789abcdef0123456789abcdef --format json", `"lifted": 0`, ""},
		"somebody unknown":     {"guard lift --user bert@example.org", "", "no such account"},
		"what is no address":   {"guard lift --address example.org", "", "not an IP address"},
		"nobody in particular": {"guard lift", "", "at least one of the flags"},
	} {
		t.Run(name, func(t *testing.T) {
			out, _, err := command(t, "", append(strings.Fields(c.line), "--data", data)...)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%v, want %q", err, c.fails)
				}
				return
			}
			if err != nil || !strings.Contains(out, c.says) || strings.Contains(c.line, "json") && !json.Valid([]byte(out)) {
				t.Errorf("%q, %v, want %q", out, err, c.says)
			}
		})
	}
}
