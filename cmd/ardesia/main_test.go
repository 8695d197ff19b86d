package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// command runs one command line as main does.
func command(t *testing.T, in string, args ...string) (out, errs string, err error) {
	t.Helper()
	for _, s := range server.Settings(new(server.Config)) {
		if _, set := os.LookupEnv(s.Env()); set {
			t.Setenv(s.Env(), "") // of whoever runs the tests
		}
	}
	var o, e bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(strings.NewReader(in))
	root.SetOut(&o)
	root.SetErr(&e)
	err = root.ExecuteContext(t.Context())
	return o.String(), e.String(), err
}

// sample is a value for a setting and how each place spells it.
func sample(s server.Setting, n int) (flag, toml, want string) {
	switch s.Value.(type) {
	case *bool:
		return "true", "true", "true"
	case *int:
		v := fmt.Sprint(1000 + n)
		return v, v, v
	case *[]string:
		return fmt.Sprintf("a%d.lan, b%d.lan", n, n), fmt.Sprintf("[%q, %q]", fmt.Sprintf("a%d.lan", n), fmt.Sprintf("b%d.lan", n)), fmt.Sprintf("a%d.lan,b%d.lan", n, n)
	}
	v := fmt.Sprintf("value-%d", n)
	return v, fmt.Sprintf("%q", v), v
}

// Each setting has one name everywhere; a flag wins over the environment, which
// wins over the file.
func TestEverySettingFromEveryPlace(t *testing.T) {
	for _, s := range server.Settings(new(server.Config)) {
		t.Run(s.Name, func(t *testing.T) {
			inFile, toml, wantFile := sample(s, 1)
			inEnv, _, wantEnv := sample(s, 2)
			inFlag, _, wantFlag := sample(s, 3)
			_ = inFile
			file := filepath.Join(t.TempDir(), "a.toml")
			if err := os.WriteFile(file, []byte(s.Key()+" = "+toml+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for name, c := range map[string]struct {
				env, flag    string
				want, origin string
			}{
				"file":        {"", "", wantFile, "file " + file},
				"environment": {inEnv, "", wantEnv, "environment " + s.Env()},
				"flag":        {inEnv, inFlag, wantFlag, "flag --" + s.Name},
			} {
				t.Run(name, func(t *testing.T) {
					cmd := serve()
					args := []string{"--config", file}
					if c.flag != "" {
						args = append(args, "--"+s.Name+"="+c.flag)
					}
					if err := cmd.ParseFlags(args); err != nil {
						t.Fatal(err)
					}
					cfg, from, err := loadConfig(cmd.Flags(), func(name string) (string, bool) {
						if name == s.Env() && c.env != "" {
							return c.env, true
						}
						return "", false
					})
					if err != nil {
						t.Fatal(err)
					}
					for _, got := range server.Settings(&cfg) {
						if got.Name != s.Name {
							continue
						}
						got.Secret = false
						if got.Text() != c.want || from[s.Name] != c.origin {
							t.Errorf("%s = %q from %q, want %q from %q", s.Name, got.Text(), from[s.Name], c.want, c.origin)
						}
					}
				})
			}
		})
	}
}

func TestConfigCheck(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		args []string
		says string // "" when it can be used
	}{
		"nothing":                 {"", nil, ""},
		"all kinds":               {"data = \"d\"\ndemo = true\nsan = [\"a.lan\", \"192.168.1.5\"]\n", nil, ""},
		"an unknown key":          {"# mine\nhtps_addr = \":1\"\n", nil, ".toml:2: unknown key \"htps_addr\""},
		"a table":                 {"[tls]\ncert = \"x\"\n", nil, "tls.cert"},
		"a number for a text":     {"data = 5\n", nil, "a text in quotes"},
		"a text for a list":       {"san = 5\n", nil, "a list of texts"},
		"a list for a number":     {"api_rate = [5]\n", nil, "a whole number"},
		"a word for a number":     {"api_rate = \"many\"\n", nil, "whole number"},
		"a word for true":         {"demo = \"maybe\"\n", nil, "maybe"},
		"no TOML":                 {"data\n", nil, ".toml"},
		"no port":                 {"", []string{"--https-addr", "8443"}, "host:port"},
		"no such level":           {"", []string{"--log-level", "loud"}, "debug, info"},
		"a name with blanks":      {"", []string{"--host", "my house"}, "host: \"my house\""},
		"a bad further name":      {"", []string{"--san", "a.lan,my house"}, "san: \"my house\""},
		"a certificate, no key":   {"", []string{"--tls-cert", "x"}, "tls-key"},
		"another database":        {"", []string{"--database", "mysql://x"}, "postgres://"},
		"all mistakes at once, 1": {"", []string{"--log-level", "loud", "--https-addr", "x"}, "log-level"},
		"all mistakes at once, 2": {"", []string{"--log-level", "loud", "--https-addr", "x"}, "https-addr"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "a.toml")
			if err := os.WriteFile(file, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, _, err := command(t, "", append([]string{"config", "check", "--config", file}, c.args...)...)
			if (err == nil) != (c.says == "") || (err != nil && !strings.Contains(err.Error(), c.says)) {
				t.Errorf("config check: %v, want %q", err, c.says)
			}
		})
	}
	if _, _, err := command(t, "", "config", "check", "--config", "/nowhere.toml"); err == nil || !strings.Contains(err.Error(), "/nowhere.toml is not there") {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestVariablesThatNobodyReads(t *testing.T) {
	t.Setenv("ARDESIA_HTTP_ADDR", ":1")
	_, errs, err := command(t, "", "config", "check")
	if err != nil || !strings.Contains(errs, "ARDESIA_HTTP_ADDR") || strings.Contains(errs, "ARDESIA_HTTPS_ADDR") {
		t.Errorf("config check: %v, %s", err, errs)
	}
}

func TestConfigShowHidesSecrets(t *testing.T) {
	out, _, err := command(t, "", "config", "show", "--database", "postgres://ardesia:geheim@db/ardesia", "--origin")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out, "geheim") || !strings.Contains(out, "flag --database") {
		t.Errorf("config show prints:\n%s", out)
	}
}

// A slip in --data must not make a second installation, into which people would
// then put accounts that nobody finds.
func TestVerbsWantAnInstallation(t *testing.T) {
	for name, args := range map[string][]string{
		"user list":   {"user", "list"},
		"apikey add":  {"apikey", "add", "--user", "a@example.org", "--name", "x"},
		"ca rotate":   {"ca", "rotate", "--at-once"},
		"backup":      {"backup", "--out", t.TempDir()},
		"device list": {"device", "list", "--user", "a@example.org"},
		"doctor":      {"doctor", "--dev", "--https-addr", "127.0.0.1:0", "--mqtt-cert-addr", "127.0.0.1:0", "--mqtt-cert-legacy-addr", "127.0.0.1:0", "--mqtt-password-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tpyo")
			_, _, err := command(t, "", append(args, "--data", dir)...)
			if name != "doctor" && (err == nil || !strings.Contains(err.Error(), "no installation")) {
				t.Errorf("%v: %v", args, err)
			}
			if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%v made %s (%v)", args, dir, err)
			}
		})
	}
}

const goodPassword = "five quiet green lamps 7"

// What scripts rely on, with the server running and without.
func TestNamesThatScriptsRelyOn(t *testing.T) {
	t.Run("directly", func(t *testing.T) { scripts(t, filepath.Join(t.TempDir(), "data")) })
	t.Run("over the socket", func(t *testing.T) { scripts(t, servertest.Start(t).Config.Data) })
}

func scripts(t *testing.T, data string) {
	run := func(in string, out any, args ...string) {
		t.Helper()
		text, _, err := command(t, in, append(args, "--data", data, "--format", "json")...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		if err := json.Unmarshal([]byte(text), out); err != nil {
			t.Fatalf("%v answered %s: %v", args, text, err)
		}
	}
	var u struct{ ID, Email, Space string }
	run(goodPassword+"\n", &u, "user", "add", "--email", "Ann@example.org", "--name", "Ann", "--password-stdin")
	var k struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	run("", &k, "apikey", "add", "--user", "ann@example.org", "--name", "laptop")
	if len(u.ID) != 36 || len(k.ID) != 32 || len(k.Secret) != 64 {
		t.Errorf("user %+v, key with %d and %d characters", u, len(k.ID), len(k.Secret))
	}
	var sp struct{ ID, Kind string }
	run("", &sp, "space", "add", "--user", u.ID, "--name", "School")
	run("", &k, "apikey", "add", "--user", u.ID, "--space", sp.ID, "--name", "school")
	var list []map[string]any
	for verb, want := range map[string]int{"user list": 1, "space list": 2, "apikey list --user " + u.ID: 2, "device list --user " + u.ID: 0} {
		run("", &list, strings.Fields(verb)...)
		if len(list) != want {
			t.Errorf("%s: %d rows, want %d", verb, len(list), want)
		}
	}
	var one map[string]any
	run("", &one, "apikey", "revoke", k.ID)
	run("", &one, "user", "disable", "ann@example.org")
	run("", &one, "user", "disable", "--undo", "ann@example.org")
	run(goodPassword+"x", &one, "user", "password", "ann@example.org", "--password-stdin")
	for name, c := range map[string]struct {
		in   string
		args []string
		says string
	}{
		"the same person twice": {goodPassword, []string{"user", "add", "--email", "ANN@example.org", "--name", "Ann", "--password-stdin"}, "Another account"},
		"no e-mail address":     {goodPassword, []string{"user", "add", "--email", "ann", "--name", "Ann", "--password-stdin"}, "not an e-mail"},
		"a short password":      {"short", []string{"user", "add", "--email", "b@example.org", "--name", "B", "--password-stdin"}, "15 characters"},
		"nobody's key":          {"", []string{"apikey", "add", "--user", "b@example.org", "--name", "x"}, "no such account"},
		"a day that is over":    {"", []string{"ca", "rotate", "--accept-old-until", "2020-01-01"}, "--at-once"},
		"no day":                {"", []string{"ca", "rotate", "--accept-old-until", "soon"}, "2027-01-31"},
		"a format that is none": {"", []string{"apikey", "add", "--user", u.ID, "--name", "never", "--format", "yaml"}, "neither text nor json"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := command(t, c.in, append(c.args, "--data", data)...)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: %v, want %q", c.args, err, c.says)
			}
		})
	}
	run("", &list, "apikey", "list", "--user", u.ID)
	if len(list) != 2 {
		t.Errorf("a wrong --format made a key all the same: %d keys", len(list))
	}
}

// verbsOn runs verbs on a data directory and reads their JSON; must ends the test where one fails.
func verbsOn(t *testing.T, dir string) (run func(out any, args ...string) error, must func(out any, args ...string)) {
	run = func(out any, args ...string) error {
		t.Helper()
		text, _, err := command(t, "", append(args, "--data", dir, "--format", "json")...)
		if err == nil {
			err = json.Unmarshal([]byte(text), out)
		}
		return err
	}
	must = func(out any, args ...string) {
		t.Helper()
		if err := run(out, args...); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	return run, must
}

func TestVerbsOfSpaces(t *testing.T) {
	h := servertest.Start(t)
	anna, _ := h.Person("anna@example.org")
	boris, _ := h.Person("boris@example.org")
	run, must := verbsOn(t, h.Config.Data)
	var sp struct{ ID, Name, Owner, Require string }
	must(&sp, "space", "add", "--user", anna, "--name", "School")
	var rows []map[string]any
	must(&sp, "space", "rename", sp.ID, "--name", "Lab")
	var one map[string]any
	must(&one, "space", "member", sp.ID, "--user", boris, "--role", "viewer")
	must(&one, "space", "owner", sp.ID, "--user", "boris@example.org")
	must(&one, "space", "require", sp.ID, "passkey")
	must(&sp, "space", "show", sp.ID)
	if sp.Name != "Lab" || sp.Owner != boris || sp.Require != "passkey" {
		t.Errorf("show: %+v", sp)
	}
	must(&rows, "space", "members", sp.ID)
	if len(rows) != 2 || rows[1]["email"] != "boris@example.org" || rows[1]["owner"] != true || rows[1]["role"] != "admin" {
		t.Errorf("members: %v", rows)
	}
	must(&rows, "space", "quota", sp.ID, "members=2")
	if rows[3]["quota"] != "members" || rows[3]["limit"] != 2.0 || rows[3]["used"] != 2.0 || rows[3]["own"] != true {
		t.Errorf("quota: %v", rows)
	}
	var in struct{ ID, Link, Role string }
	must(&in, "space", "invite", sp.ID, "--role", "Editor", "--uses", "3")
	if in.Role != "editor" || !strings.Contains(in.Link, "/invitation?token=") {
		t.Errorf("invite: %+v", in)
	}
	must(&rows, "space", "invitations", sp.ID)
	if len(rows) != 1 || rows[0]["id"] != in.ID || rows[0]["link"] != nil {
		t.Errorf("invitations: %v", rows)
	}
	must(&one, "space", "uninvite", sp.ID, in.ID)
	var k struct {
		ID string `json:"client_id"`
	}
	must(&k, "apikey", "add", "--user", anna, "--space", sp.ID, "--role", "Service", "--name", "robot")
	must(&one, "apikey", "disable", k.ID)
	must(&rows, "apikey", "list", "--user", anna)
	if last := rows[len(rows)-1]; last["enabled"] != false || last["revoked"] != false || last["role"] != "service" {
		t.Errorf("keys: %v", last)
	}
	must(&one, "apikey", "disable", "--undo", k.ID)
	if one["enabled"] != true {
		t.Errorf("undone: %v", one)
	}
	must(&rows, "space", "usage", sp.ID)
	if rows[4]["quota"] != "apikeys" || rows[4]["used"] != 1.0 {
		t.Errorf("usage: %v", rows)
	}
	must(&rows, "space", "quota", sp.ID, "members=default")
	carla, _ := h.Person("carla@example.org")
	if err := run(&one, "space", "invite", sp.ID, "--email", "d@example.org"); err != nil {
		t.Errorf("an invitation by mail: %v", err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a quota of nothing":       {[]string{"space", "quota", sp.ID, "members"}, "KIND=NUMBER"},
		"a quota that there isn't": {[]string{"space", "quota", sp.ID, "cats=5"}, "devices, things"},
		"a level that is none":     {[]string{"space", "require", sp.ID, "retina"}, "password, two-step, passkey"},
		"an owner from outside":    {[]string{"space", "owner", sp.ID, "--user", carla}, "not a member"},
		"an invitation twice":      {[]string{"space", "invite", sp.ID, "--email", "d@example.org"}, "invited already"},
		"a role above":             {[]string{"apikey", "add", "--user", carla, "--space", sp.ID, "--name", "x"}, "not a member"},
		"a role without a space":   {[]string{"apikey", "add", "--user", carla, "--role", "viewer", "--name", "x"}, "say which"},
		"a space that is not":      {[]string{"space", "show", carla}, "no such space"},
	} {
		if err := run(&one, c.args...); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// A link that was made while no server runs names the address at which one will.
func TestInvitationWithoutARunningServer(t *testing.T) {
	h := servertest.Start(t)
	anna, _ := h.Person("anna@example.org")
	var sp struct{ ID string }
	h.Admin("space.add", map[string]string{"user": anna, "name": "School"}, &sp)
	h.Stop()
	text, _, err := command(t, "", "space", "invite", sp.ID, "--data", h.Config.Data, "--format", "json")
	var in struct{ Link string }
	if err != nil || json.Unmarshal([]byte(text), &in) != nil || !strings.HasPrefix(in.Link, "https://localhost") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestJournalIsRead(t *testing.T) {
	h := servertest.Start(t)
	user, key := h.Person("ann@example.org")
	read := func(args ...string) (all []struct {
		Number                   int64
		At                       time.Time
		Actor, Action, ID, Space string
	}) {
		t.Helper()
		out, _, err := command(t, "", append([]string{"journal", "list", "--data", h.Config.Data, "--format", "json"}, args...)...)
		if err == nil {
			err = json.Unmarshal([]byte(out), &all)
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, "ann@") || strings.Contains(out, key.Secret) {
			t.Errorf("the journal holds more than ids: %s", out)
		}
		return all
	}
	all, found := read(), map[string]string{}
	for i, e := range all {
		if e.Number != int64(i+1) || e.At.IsZero() || e.Actor == "" {
			t.Errorf("entry %d: %+v", i+1, e)
		}
		found[e.Action] = e.ID
	}
	if found["account:create"] != user || found["apikey:create"] != key.ID {
		t.Errorf("the journal has %v", found)
	}
	if rest := read("--after", "1", "--limit", "2"); len(rest) != 2 || rest[0].Number != 2 {
		t.Errorf("two after the first: %+v", rest)
	}
	if none := read("--space", "nowhere"); len(none) != 0 {
		t.Errorf("of no space: %+v", none)
	}
}

func TestBackupAndRestore(t *testing.T) {
	h := servertest.Start(t)
	h.Person("ann@example.org")
	out := t.TempDir()
	text, _, err := command(t, "", "backup", "--data", h.Config.Data, "--out", out, "--format", "json")
	if err != nil {
		t.Fatal(err)
	}
	var b struct{ Data, Keyring string }
	if err := json.Unmarshal([]byte(text), &b); err != nil || b.Data == "" || b.Keyring == "" {
		t.Fatalf("backup answered %s: %v", text, err)
	}
	root := filepath.Join(h.Config.Data, "keys", "root.key")
	restore := func(data string) error {
		_, _, err := command(t, "", "restore", "--data", data, "--data-archive", b.Data, "--keyring-archive", b.Keyring, "--root-key", root)
		return err
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "mine"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := restore(full); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("into a directory that is not empty: %v", err)
	}
	data := filepath.Join(t.TempDir(), "restored")
	if err := restore(data); err != nil {
		t.Fatal(err)
	}
	if text, _, err = command(t, "", "user", "list", "--data", data); err != nil || !strings.Contains(text, "ann@example.org") {
		t.Errorf("after the restore: %v\n%s", err, text)
	}
}

// The root key is changed while the server runs, and a recovery key opens backups
// that the old root key does not.
func TestKeysOfTheInstallation(t *testing.T) {
	t.Setenv(keys.PassphraseVariable, "")
	t.Setenv(recoveryVariable, "five quiet lamps")
	h := servertest.Start(t)
	h.Person("ann@example.org")
	data, safe := h.Config.Data, t.TempDir()
	root := filepath.Join(data, "keys", "root.key")
	old, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		in   string
		args []string
		says string
	}{
		"no word on the lock":  {"", []string{"key", "rotate"}, "no-passphrase"},
		"both":                 {"", []string{"key", "rotate", "--no-passphrase", "--passphrase-stdin"}, "no-passphrase"},
		"a short passphrase":   {"short", []string{"key", "rotate", "--passphrase-stdin"}, "12 characters"},
		"no passphrase at all": {"", []string{"key", "recovery", "--passphrase-stdin", "--out", filepath.Join(safe, "never")}, "Say how"},
		"a file that is there": {"", []string{"key", "recovery", "--no-passphrase", "--out", root}, "root.key"},
		"a folder that is not": {"", []string{"key", "recovery", "--no-passphrase", "--out", filepath.Join(safe, "no", "where")}, "where"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, err := command(t, c.in, append(c.args, "--data", data)...); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: %v, want %q", c.args, err, c.says)
			}
		})
	}
	recovery := filepath.Join(safe, "recovery.key")
	must := func(in string, args ...string) string {
		t.Helper()
		out, _, err := command(t, in, append(args, "--data", data, "--format", "json")...)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return out
	}
	must("five quiet lamps\n", "key", "recovery", "--passphrase-stdin", "--out", recovery)
	if info, err := os.Stat(recovery); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the recovery key: %v %v", info, err)
	}
	must("seven green lamps\n", "key", "rotate", "--passphrase-stdin")
	if now, err := os.ReadFile(root); err != nil || bytes.Equal(now, old) {
		t.Errorf("the root key is the old one: %v", err)
	}
	var b struct{ Data, Keyring string }
	if err := json.Unmarshal([]byte(must("", "backup", "--out", safe)), &b); err != nil {
		t.Fatal(err)
	}
	if out := must("", "doctor", "--dev"); strings.Contains(out, "BAD") {
		t.Errorf("doctor, after the rotation: %s", out)
	}
	t.Setenv(keys.PassphraseVariable, "seven green lamps") // for the look at what is left
	h.Stop()
	t.Setenv(keys.PassphraseVariable, "")

	if _, _, err := command(t, "", "user", "list", "--data", data); err == nil || !strings.Contains(err.Error(), keys.PassphraseVariable) {
		t.Errorf("without the passphrase: %v", err)
	}
	t.Setenv(keys.PassphraseVariable, "seven green lamps")
	if out := must("", "user", "list"); !strings.Contains(out, "ann@example.org") {
		t.Errorf("with the passphrase: %s", out)
	}
	t.Setenv(keys.PassphraseVariable, "")

	restored := filepath.Join(t.TempDir(), "restored")
	archives := []string{"restore", "--data", restored, "--data-archive", b.Data, "--keyring-archive", b.Keyring}
	oldRoot := filepath.Join(safe, "old.key")
	if err := os.WriteFile(oldRoot, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := command(t, "", append(archives, "--root-key", oldRoot)...); err == nil {
		t.Error("the old root key opens a backup that was made after it")
	}
	if _, _, err := command(t, "", archives...); err == nil || !strings.Contains(err.Error(), "recovery-key") {
		t.Errorf("without any key: %v", err)
	}
	if _, _, err := command(t, "", append(archives, "--recovery-key", recovery)...); err != nil {
		t.Fatal(err)
	}
	if out, _, err := command(t, "", "user", "list", "--data", restored); err != nil || !strings.Contains(out, "ann@example.org") {
		t.Errorf("restored by the recovery key: %v %s", err, out)
	}
}

// A signal stops the server in order, and it starts again on the same data.
func TestServeUntilASignal(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for range 2 {
		ctx, stop := context.WithCancel(t.Context())
		out := waitFor{text: "Ardesia is running", found: make(chan struct{})}
		root := newRoot()
		root.SetOut(&out)
		free := "127.0.0.1:0"
		root.SetArgs([]string{"serve", "--dev", "--data", data, "--log-level", "error", "--https-addr", free, "--mqtt-cert-addr", free,
			"--mqtt-cert-legacy-addr", free, "--mqtt-password-addr", free, "--metrics-addr", free})
		ended := make(chan error, 1)
		go func() { ended <- root.ExecuteContext(ctx) }()
		select {
		case err := <-ended:
			t.Fatalf("serve ended: %v", err)
		case <-out.found:
		}
		text, err := os.ReadFile(filepath.Join(data, "addresses.json"))
		var a map[string]string
		if err != nil || json.Unmarshal(text, &a) != nil || strings.HasSuffix(a["https"], ":0") {
			t.Errorf("addresses.json: %s %v", text, err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
		if _, err := os.Stat(filepath.Join(data, "addresses.json")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("addresses.json is still there: %v", err)
		}
	}
}

// waitFor closes found when text was written.
type waitFor struct {
	text  string
	found chan struct{}
	seen  bytes.Buffer
	done  bool
}

func (w *waitFor) Write(b []byte) (int, error) {
	w.seen.Write(b)
	if !w.done && strings.Contains(w.seen.String(), w.text) {
		w.done = true
		close(w.found)
	}
	return len(b), nil
}
