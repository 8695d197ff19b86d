package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/mail/mailtest"
	"github.com/ardesia-iot/ardesia/internal/schema"
)

// Without a server that runs, the test letter goes where the configuration says.
func TestMailTest(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, _, err := command(t, "five quiet green lamps 7\n", "user", "add", "--data", dir, "--email", "a@example.org", "--name", "A", "--password-stdin"); err != nil {
		t.Fatal(err)
	}
	out, _, err := command(t, "", "mail", "test", "anna@example.com", "--data", dir)
	if err != nil || !strings.Contains(out, "folder "+dir) {
		t.Errorf("a folder: %q, %v", out, err)
	}
	if names, err := mail.NewFolder(filepath.Join(dir, "mail")).List(); err != nil || len(names) != 1 {
		t.Errorf("letters in the folder: %v, %v", names, err)
	}
	s := mailtest.Start(t, mailtest.Options{})
	ca, file := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "ardesia.toml")
	for path, text := range map[string]string{ca: string(s.PEM), file: "data = \"" + dir + "\"\nsmtp_addr = \"" + s.Addr + "\"\nsmtp_ca = \"" + ca + "\"\nmail_from = \"Cloud <cloud@example.org>\"\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, _, err = command(t, "", "mail", "test", "anna@example.com", "--config", file, "--lang", "it", "--format", "json")
	if got := s.Letters(); err != nil || len(got) != 1 || got[0].From != "cloud@example.org" || !strings.Contains(string(got[0].Data), "Le lettere arrivano") {
		t.Errorf("a mail server: %q, %v, %d letters", out, err, len(got))
	}
	if _, _, err := command(t, "", "mail", "test", "anna", "--config", file); err == nil || !strings.Contains(err.Error(), "not an e-mail address") {
		t.Errorf("no address: %v", err)
	}
}

// The data map needs no installation, and says of every column what the registry says.
func TestDataMap(t *testing.T) {
	out, _, err := command(t, "", "data", "map", "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var got []wireColumn
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	want, err := schema.Columns()
	if err != nil || len(got) != len(want) || len(got) < 100 {
		t.Fatalf("%d columns, want %d, %v", len(got), len(want), err)
	}
	for i, c := range want {
		w := wireColumn{c.Database, c.Table, c.Name, string(c.Class), c.Class.Sealed(), c.Holds, c.Purpose, c.Kept}
		if got[i] != w || w.Holds == "" || w.Purpose == "" || w.Kept == "" {
			t.Errorf("%+v, want %+v", got[i], w)
		}
	}
	out, _, err = command(t, "", "data", "map")
	if err != nil || !strings.Contains(out, "core.account: people who may come in\n") || !strings.Contains(out, "sealed-pii") {
		t.Errorf("as text: %v\n%s", err, out)
	}
	if _, _, err := command(t, "", "data", "map", "--format", "yaml"); err == nil {
		t.Error("yaml was taken")
	}
}
