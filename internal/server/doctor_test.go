package server

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// worst are the findings that are not good.
func worst(all []Finding) (bad []Finding) {
	for _, f := range all {
		if f.Grade != Good {
			bad = append(bad, f)
		}
	}
	return bad
}

func TestDoctorFindsAHealthyHouseHealthy(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	all := Examine(t.Context(), cfg, time.Now)
	if bad := worst(all); len(bad) > 0 {
		t.Errorf("a house that runs: %+v", bad)
	}
	seen := ""
	for _, f := range all {
		seen += f.Text + "\n"
	}
	for _, part := range []string{"https answers", "mqtt-password answers", "mqtt-cert answers", "mqtt-cert-legacy answers", "Devices can connect", "Every page", "journal's chain", "authority is good", "certificate is good"} {
		if !strings.Contains(seen, part) {
			t.Errorf("%q was not looked at:\n%s", part, seen)
		}
	}
	h.stop()
	if bad := worst(Examine(t.Context(), cfg, time.Now)); len(bad) != 1 || bad[0].Grade != Warn || !strings.Contains(bad[0].Cure, "ardesia serve") {
		t.Errorf("a house that is stopped: %+v", bad)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	year := 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		spoil func(t *testing.T, cfg *Config)
		later time.Duration // how far the clock of doctor is ahead
		text  string
		cure  string
	}{
		"a directory that others read": {func(t *testing.T, cfg *Config) { mode(t, 0o755, cfg.Data) }, 0, "read by others", "chmod 700"},
		"a key that others read":       {func(t *testing.T, cfg *Config) { mode(t, 0o640, cfg.Data, "keys", "root.key") }, 0, "mode 0640", "chmod 600"},
		"a flipped bit":                {func(t *testing.T, cfg *Config) { flip(t, cfg.Data, "core.db") }, 0, "core.db", "ardesia restore"},
		"a flipped bit in the history": {func(t *testing.T, cfg *Config) { flip(t, cfg.Data, "history.db") }, 0, "history.db", "ardesia restore"},
		"no root key":                  {func(t *testing.T, cfg *Config) { gone(t, cfg.Data, "keys", "root.key") }, 0, "root.key is missing", ""},
		"a database that is gone":      {func(t *testing.T, cfg *Config) { gone(t, cfg.Data, "history.db") }, 0, "history.db is missing", ""},
		"a certificate that ends soon": {nil, year + 15*24*time.Hour, "certificate ends on", "restart the server"},
		"a certificate that has ended": {nil, 2 * year, "certificate ended on", "restart the server"},
		"a clock that is behind":       {nil, -time.Hour, "clock is behind", "timedatectl"},
		"a changed journal":            {rewrite, 0, "Entry 1 of the journal", "keep a copy"},
		"a port that is taken": {func(t *testing.T, cfg *Config) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			cfg.MQTTCert = l.Addr().String()
		}, 0, "is taken by another program: choose another address with --mqtt-cert-addr", ""},
		"metrics for everybody":          {func(_ *testing.T, cfg *Config) { cfg.Metrics = "0.0.0.0:0" }, 0, "Metrics on", "127.0.0.1"},
		"a certificate that is no file":  {func(_ *testing.T, cfg *Config) { cfg.TLSCert, cfg.TLSKey = "/nowhere", "/nowhere" }, 0, "/nowhere is not there", "--tls-cert"},
		"an authority that is not there": {func(t *testing.T, cfg *Config) { write(t, "junk", cfg.Data, "tls", "ca.pem") }, 0, "authority cannot be read", "put tls/ca.pem back"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			h := start(t, cfg)
			h.admin(t, "user.add", map[string]string{"email": "a@example.org", "name": "A", "password": "five quiet green lamps 7"}, nil)
			h.stop()
			if c.spoil != nil {
				c.spoil(t, &cfg)
			}
			all := Examine(t.Context(), cfg, func() time.Time { return time.Now().Add(c.later) })
			for _, f := range worst(all) {
				if strings.Contains(f.Text, c.text) && strings.Contains(f.Cure, c.cure) {
					return
				}
			}
			t.Errorf("not found: %q with the cure %q among %+v", c.text, c.cure, all)
		})
	}
}

func mode(t *testing.T, m os.FileMode, path ...string) {
	t.Helper()
	if err := os.Chmod(filepath.Join(path...), m); err != nil {
		t.Fatal(err)
	}
}

func gone(t *testing.T, path ...string) {
	t.Helper()
	if err := os.Remove(filepath.Join(path...)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, text string, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// flip changes one bit in the middle of the file's last page.
func flip(t *testing.T, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-2000] ^= 1
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// rewrite does what somebody with the keys and a database tool could do.
func rewrite(t *testing.T, cfg *Config) {
	t.Helper()
	d, err := openData(t.Context(), *cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	err = d.core.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `update journal set actor = 'nobody' where number = 1`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFindingsForScripts(t *testing.T) {
	text, err := json.Marshal([]Finding{{Bad, "It rains.", "an umbrella"}, {Good, "Dry.", ""}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `[{"grade":"BAD","text":"It rains.","cure":"an umbrella"},{"grade":"ok","text":"Dry."}]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
