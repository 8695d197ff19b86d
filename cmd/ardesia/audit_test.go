package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// audited runs a verb of audit and says with which code the program would end.
func audited(t *testing.T, data string, args ...string) (out string, code int) {
	t.Helper()
	out, _, err := command(t, "", append(append([]string{"audit"}, args...), "--data", data)...)
	var e exit
	switch {
	case err == nil:
		return out, 0
	case errors.As(err, &e):
		return out, e.code
	}
	return out + err.Error(), 1
}

// The verbs of audit work with the server running and stopped, in every format, and end
// as their help says.
func TestAudit(t *testing.T) {
	h := servertest.Start(t)
	user, key := h.Person("ann@example.org")
	data := h.Config.Data
	for until := time.Now().Add(10 * time.Second); ; {
		out, code := audited(t, data, "verify", "--format", "jsonmini")
		var r struct{ Entries, Leaves, Waiting int }
		if code != 0 || strings.Count(out, "\n") != 1 || json.Unmarshal([]byte(out), &r) != nil {
			t.Fatalf("verify ends with %d: %s", code, out)
		}
		if r.Waiting == 0 && r.Leaves >= 5 {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the log does not follow: %s", out)
		}
		<-time.After(20 * time.Millisecond)
	}
	kept, code := audited(t, data, "checkpoint")
	if code != 0 || !strings.HasPrefix(kept, "ardesia-audit/") || strings.Count(kept, "\n") != 5 {
		t.Errorf("the checkpoint is %q, %d", kept, code)
	}
	elsewhere := filepath.Join(t.TempDir(), "kept")
	if out, code := audited(t, data, "checkpoint", "--out", elsewhere); code != 0 || out != "" {
		t.Errorf("a checkpoint into a file ends with %d: %s", code, out)
	}
	if text, err := os.ReadFile(elsewhere); err != nil || string(text) != kept {
		t.Errorf("the file has %s, %v", text, err)
	}
	if _, code := audited(t, data, "checkpoint", "--out", elsewhere); code != 1 {
		t.Errorf("a checkpoint over an older one ends with %d", code)
	}
	for format, read := range map[string]func([]byte, any) error{"json": json.Unmarshal, "jsonmini": json.Unmarshal, "yaml": func(b []byte, v any) error { return yaml.Unmarshal(b, v) }} {
		out, code := audited(t, data, "show", "--action", "account:create", "--format", format)
		var all []map[string]any
		if err := read([]byte(out), &all); err != nil || code != 0 || len(all) != 1 || all[0]["text"] != "Account created" || all[0]["id"] != user || all[0]["actor"] != "system" {
			t.Errorf("%s: %v, %d, %s", format, err, code, out)
		}
	}
	out, code := audited(t, data, "show", "--id", key.ID, "--since", "1h")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 2 || !strings.Contains(lines[1], "API key made") || !strings.Contains(lines[1], key.ID) {
		t.Errorf("show ends with %d: %s", code, out)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing":            {[]string{"show", "--until", "2000-01-01"}, "Nothing found."},
		"a time that is not": {[]string{"show", "--since", "yesterday"}, "A time is a date"},
		"a format":           {[]string{"show", "--format", "xml"}, "none of text, json, jsonmini, yaml"},
		"a stranger":         {[]string{"show", "--actor", "eve@example.org"}, "There is no such account."},
		"a file":             {[]string{"verify", "--against", "/nowhere"}, "no such file"},
		"another file":       {[]string{"verify", "--against", h.CA()}, "This is no checkpoint"},
	} {
		if out, code := audited(t, data, c.args...); !strings.Contains(out, c.says) || (code == 1) != (name != "nothing") {
			t.Errorf("%s: ends with %d: %s", name, code, out)
		}
	}

	// Stopped: on copies, of which one was changed and one lost its log.
	h.Stop()
	changed, lost := filepath.Join(t.TempDir(), "changed"), filepath.Join(t.TempDir(), "lost")
	for _, to := range []string{changed, lost} {
		if err := errors.Join(os.CopyFS(to, os.DirFS(data)), os.Chmod(to, 0o700), os.Chmod(filepath.Join(to, "keys"), 0o700)); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(to, "keys", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range append(files, filepath.Join(to, "core.db"), filepath.Join(to, "history.db"), filepath.Join(to, "keyring.db")) {
			if err := os.Chmod(f, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, code = audited(t, data, "verify", "--against", elsewhere)
	if code != 0 || strings.Count(out, "ok ") != 3 || strings.Contains(out, "BAD") || strings.Contains(out, "note") {
		t.Errorf("stopped, verify ends with %d: %s", code, out)
	}

	files, err := filepath.Glob(filepath.Join(changed, "audit", "tile", "entries", "000.p", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files { // the last of them counts
		b, err := os.ReadFile(f)
		if err == nil {
			err = os.WriteFile(f, append([]byte{b[0], b[1], b[2] ^ 1}, b[3:]...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if out, code := audited(t, changed, "verify"); code != exitAltered || !strings.Contains(out, "BAD   Leaf 0 of the log was altered") {
		t.Errorf("a changed log ends with %d: %s", code, out)
	}
	if out, code := audited(t, changed, "verify", "--format", "json"); code != exitAltered || !json.Valid([]byte(out)) {
		t.Errorf("a changed log as JSON ends with %d: %s", code, out)
	}

	if err := os.RemoveAll(filepath.Join(lost, "audit")); err != nil {
		t.Fatal(err)
	}
	if out, code := audited(t, lost, "verify"); code != exitAltered || !strings.Contains(out, "There is no log") {
		t.Errorf("a lost log ends with %d: %s", code, out)
	}
	if _, code := audited(t, lost, "checkpoint"); code != 1 {
		t.Errorf("a checkpoint of no log ends with %d", code)
	}
	again := servertest.Open(t, servertest.On(lost))
	for until := time.Now().Add(10 * time.Second); ; {
		if out, code = audited(t, lost, "verify", "--against", elsewhere); code == exitBroken && !strings.Contains(out, "not in the log yet") {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("a log that was filled again ends with %d: %s", code, out)
		}
		<-time.After(20 * time.Millisecond)
	}
	if !strings.Contains(out, "and was found with 0 at a start; it was filled again from the journal.") {
		t.Errorf("a log that was filled again: %s", out)
	}
	if out, code := audited(t, lost, "verify", "--known", "1"); code != 0 {
		t.Errorf("a loss that is known ends with %d: %s", code, out)
	}
	again.Stop()
}
