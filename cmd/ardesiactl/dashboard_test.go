package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
)

// A dashboard goes out as a template, comes back with another thing, and is shared and shown.
func TestDashboards(t *testing.T) {
	h := home(t)
	good := func(out any, args ...string) {
		t.Helper()
		r := call(t, "", append(args, "--format", "json", "--yes")...)
		if r.code != exitOK {
			t.Fatalf("%v: %d %s", args, r.code, r.err)
		}
		if out != nil {
			if err := json.Unmarshal([]byte(r.out), out); err != nil {
				t.Fatalf("%v: %v in %s", args, err, r.out)
			}
		}
	}
	var first, second client.Thing
	good(&first, "thing", "create", "--name", "Green house", "--property", "temperature:FLOAT:rw")
	good(&second, "thing", "create", "--name", "Other", "--property", "temperature:FLOAT:rw")
	dir := t.TempDir()
	file := filepath.Join(dir, "d.json")
	template := `{"name":"Site","widgets":[{"type":"Advanced Chart","x":0,"y":0,"width":1,"height":1,"options":{"axes":{"house:temperature":{"left":true}}},"variables":[{"thing_id":"house","variable_id":"temperature"}]}]}`
	if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	var made, again client.Dashboard
	good(&made, "dashboard", "create", "--template", file, "--override", "house="+first.ID)
	if len(made.Widgets) != 1 || made.Widgets[0].Variables[0].ID != first.Properties[0].ID {
		t.Errorf("made %+v", made)
	}
	out := filepath.Join(dir, "d.yml")
	good(nil, "dashboard", "extract", made.ID, "--outfile", out)
	slug := "green-house-" + first.ID[31:]
	text, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(text), slug+":temperature") {
		t.Errorf("template %s %v", text, err)
	}
	good(&again, "dashboard", "create", "--template", out, "--override", slug+"="+second.ID, "--name", "Mine")
	if again.Name != "Mine" || again.Widgets[0].Variables[0].ID != second.Properties[0].ID || again.Widgets[0].Options["axes"].(map[string]any)[second.Properties[0].ID] == nil {
		t.Errorf("made again %+v", again)
	}
	var all []client.Dashboard
	good(&all, "dashboard", "list", "--name", "mi")
	if len(all) != 1 || all[0].ID != again.ID {
		t.Errorf("list %+v", all)
	}
	guest, _ := h.Person("gino@example.org")
	var shares []client.DashboardShare
	good(&shares, "dashboard", "share", made.ID, "gino@example.org", "--access", "read")
	if len(shares) != 1 || shares[0].UserID != guest || shares[0].Access != "read" {
		t.Errorf("shares %+v", shares)
	}
	good(nil, "dashboard", "share", made.ID, guest, "--end")
	good(&shares, "dashboard", "share", made.ID)
	if len(shares) != 0 {
		t.Errorf("left %+v", shares)
	}
	var public struct {
		Link string `json:"link"`
	}
	good(&public, "dashboard", "publish", made.ID, "--days", "1")
	if !strings.HasPrefix(public.Link, h.URL()+"/app/shared/") {
		t.Errorf("link %s", public.Link)
	}
	good(nil, "dashboard", "publish", made.ID, "--end")
	good(nil, "dashboard", "delete", made.ID)
	for name, c := range map[string]struct {
		code int
		args []string
	}{
		"no file":                 {exitNotFound, []string{"dashboard", "create", "--template", filepath.Join(dir, "none")}},
		"override without a sign": {exitUsage, []string{"dashboard", "create", "--template", file, "--override", "x"}},
		"a thing that is missing": {exitUsage, []string{"dashboard", "create", "--template", file}},
		"nobody":                  {exitNotFound, []string{"dashboard", "share", again.ID, "nobody@example.org"}},
		"never shared":            {exitNotFound, []string{"dashboard", "share", again.ID, "nobody@example.org", "--end"}},
		"deleted":                 {exitNotFound, []string{"dashboard", "extract", made.ID}},
	} {
		if r := call(t, "", append(c.args, "--yes")...); r.code != c.code || r.err == "" {
			t.Errorf("%s: %d %s, want %d", name, r.code, r.err, c.code)
		}
	}
}
