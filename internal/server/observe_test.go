package server

import (
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// A whole run, at the most talkative level, leaves nothing in the log that a reader
// of logs should not have.
func TestLogHoldsNoSecrets(t *testing.T) {
	cfg := config(t)
	cfg.Demo = true // a board with a secret key connects and publishes
	h := start(t, cfg)
	const email, name, password, space, thing, board = "canary@mail.example", "Canary Person", "canary password five 7", "Canary Space", "Canary Thing", "canary-board"
	var u struct{ ID string }
	h.admin(t, "user.add", map[string]string{"email": email, "name": name, "password": password}, &u)
	h.admin(t, "space.add", map[string]string{"user": u.ID, "name": space}, nil)
	var k struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	h.admin(t, "apikey.add", map[string]string{"user": u.ID, "name": "canary key"}, &k)
	connect := func(secret string) *client.Client {
		t.Helper()
		c, err := client.New(client.Config{URL: h.url(t), ID: k.ID, Secret: secret, CAFile: filepath.Join(cfg.Data, "tls", "ca.pem")}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := connect(k.Secret)
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connect("canary-wrong-secret").Token(t.Context()); err == nil {
		t.Error("a wrong secret gets a token")
	}
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d, th struct{ ID string }
	do("PUT", "/iot/v2/devices", map[string]any{"name": board, "type": "generic_device_secretkey", "fqbn": "generic:generic:generic", "serial": ""}, &d)
	do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]string{"password": "canarySecretKey0123456789abc"}, nil)
	do("PUT", "/iot/v2/things", map[string]any{"name": thing, "device_id": d.ID, "properties": []any{
		map[string]any{"name": "canary_property", "type": "CHARSTRING", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	var all []struct{ ID string }
	do("GET", "/iot/v2/things/"+th.ID+"/properties", nil, &all)
	do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+all[0].ID+"/publish", map[string]string{"value": "canary value"}, nil)
	h.admin(t, "user.password", map[string]string{"user": email, "password": password + "again"}, nil)
	h.admin(t, "backup", map[string]string{"dir": t.TempDir()}, nil)
	h.stop()

	log := h.log.String()
	if !strings.Contains(log, "device connected") || !strings.Contains(log, "ready") {
		t.Fatalf("the log is not of this run:\n%s", log)
	}
	for _, secret := range []string{email, name, password, space, thing, board, k.Secret, token, "canary"} {
		if i := strings.Index(strings.ToLower(log), strings.ToLower(secret)); i >= 0 {
			t.Errorf("the log holds %q: %s", secret, log[max(0, i-200):min(len(log), i+100)])
		}
	}
}

// get asks for a page and returns status and text.
func get(t *testing.T, c *http.Client, url string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text), answer.Header
}

var (
	typeLine  = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	tableLine = regexp.MustCompile("(?m)^\\| `([a-z_]+)`")
)

// The metrics that docs/operate.md lists are those that there are.
func TestMetricsAreDocumented(t *testing.T) {
	h := start(t, config(t))
	c := &http.Client{Timeout: time.Minute}
	status, text, _ := get(t, c, "http://"+h.at["metrics"]+"/metrics")
	if status != http.StatusOK {
		t.Fatalf("/metrics answers %d", status)
	}
	var have []string
	for _, m := range typeLine.FindAllStringSubmatch(text, -1) {
		name, kind := m[1], m[2]
		if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") {
			continue // named by the Prometheus library
		}
		if (kind == "counter") != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, kind)
		}
		have = append(have, name)
	}
	have = append(have, "door_request_total", "door_request_seconds") // there from the first request to the API on
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "operate.md"))
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range tableLine.FindAllStringSubmatch(string(doc), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(have)
	slices.Sort(listed)
	if have = slices.Compact(have); !slices.Equal(have, listed) {
		t.Errorf("there are    %v\ndocs/operate.md has %v", have, listed)
	}
	for _, name := range []string{`ca_refused_total{reason="`, `mqtt_refused_total{reason="`, "device_alert_total 0"} {
		if !strings.Contains(text, name) {
			t.Errorf("/metrics lacks %s", name)
		}
	}
}

// Profiles show memory, and so secrets: they are at the operator's socket only.
func TestProfilesAreTheOperatorsAlone(t *testing.T) {
	h := start(t, config(t))
	pool, err := client.Trust(filepath.Join(h.cfg.Data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer web.CloseIdleConnections()
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/metrics", "/act/ping"} {
		if status, _, _ := get(t, web, h.url(t)+path); status != http.StatusNotFound && status != http.StatusUnauthorized {
			t.Errorf("HTTPS answers %d at %s", status, path)
		}
	}
	plain := &http.Client{Timeout: time.Minute}
	if status, _, _ := get(t, plain, "http://"+h.at["metrics"]+"/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("the metrics address answers %d at /debug/pprof/", status)
	}
	path, release, err := socket(h.cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	operator := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer operator.CloseIdleConnections()
	if status, _, _ := get(t, operator, "http://admin/debug/pprof/heap"); status != http.StatusOK {
		t.Errorf("the socket answers %d at /debug/pprof/heap", status)
	}
	info, err := os.Stat(filepath.Join(h.cfg.Data, socketName))
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("the socket has mode %04o", got)
	}
}

// Alive says that the program runs, ready that devices can connect.
func TestAliveAndReady(t *testing.T) {
	h := start(t, config(t))
	pool, err := client.Trust(filepath.Join(h.cfg.Data, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer web.CloseIdleConnections()
	for path, want := range map[string]string{"/healthz": "alive\n", "/readyz": "ready\n"} {
		if status, text, _ := get(t, web, h.url(t)+path); status != http.StatusOK || text != want {
			t.Errorf("%s answers %d %q", path, status, text)
		}
	}
	h.ready.Store(false) // as while it stops
	if status, text, _ := get(t, web, h.url(t)+"/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a house without doors answers %d %q", status, text)
	}
	if status, _, _ := get(t, web, h.url(t)+"/healthz"); status != http.StatusOK {
		t.Errorf("/healthz of a house without doors answers %d", status)
	}
	h.ready.Store(true)
	status, text, header := get(t, web, h.url(t)+"/iot/v2/things")
	id := header.Get("X-Request-Id")
	if status != http.StatusUnauthorized || id == "" || !strings.Contains(text, id) {
		t.Errorf("a refusal does not tell its request: %d, id %q, %s", status, id, text)
	}
}

func TestPreconditionsAreSentences(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, cfg *Config)
		says  string
	}{
		"a directory that others read": {func(t *testing.T, cfg *Config) { mode(t, 0o755, cfg.Data) }, "chmod 700 "},
		"another server's":             {func(t *testing.T, cfg *Config) { start(t, *cfg) }, "another ardesia works on this data directory"},
		"a file": {func(t *testing.T, cfg *Config) {
			write(t, "", cfg.Data, "file")
			cfg.Data = filepath.Join(cfg.Data, "file")
		}, "is not a directory"},
		"the keys of another": {swap, "Give the root key that belongs to this directory"},
		"a newer schema":      {newer, "a newer Ardesia"},
		"a lost key":          {func(t *testing.T, cfg *Config) { gone(t, cfg.Data, "keys", "root.key") }, "root.key is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			start(t, cfg).stop()
			c.spoil(t, &cfg)
			s, err := New(t.Context(), cfg, World{Log: slog.New(slog.DiscardHandler), Now: time.Now})
			if err == nil {
				_ = s.Close(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("New = %v, want %q", err, c.says)
			}
		})
	}
}

// newer is what a later version would have left.
func newer(t *testing.T, cfg *Config) {
	t.Helper()
	d, err := openData(t.Context(), *cfg, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	err = d.core.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(t.Context(), `insert into schema_migration (number, name, digest, applied_at) select max(number) + 1, 'tomorrow', 'x', 1 from schema_migration`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// swap puts the root key of another installation into this one.
func swap(t *testing.T, cfg *Config) {
	t.Helper()
	other := config(t)
	start(t, other).stop()
	key, err := os.ReadFile(filepath.Join(other.Data, "keys", "root.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, string(key), cfg.Data, "keys", "root.key")
}

func TestEverySettingIsNamedOnce(t *testing.T) {
	var c Config
	seen := map[string]bool{}
	for _, s := range Settings(&c) {
		if seen[s.Name] || s.Usage == "" {
			t.Errorf("%s: twice, or without a word", s.Name)
		}
		seen[s.Name] = true
		if want := "ARDESIA_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_")); s.Env() != want {
			t.Errorf("%s is %s in the environment, want %s", s.Name, s.Env(), want)
		}
		want := ""
		switch s.Value.(type) {
		case *bool:
			want = "false"
		case *int:
			want = "0"
		}
		if s.Text() != want {
			t.Errorf("%s has the text %q without a value, want %q", s.Name, s.Text(), want)
		}
	}
	for _, name := range []string{"data", "host", "san", "database", "dev", "demo", "https-addr", "mqtt-cert-addr", "mqtt-cert-legacy-addr", "mqtt-password-addr", "metrics-addr"} {
		if !seen[name] {
			t.Errorf("scripts rely on --%s", name)
		}
	}
}
