package clients

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// download fetches a zip and unpacks it; it returns the folder and what the server calls the file.
func download(t *testing.T, h *servertest.House, c *client.Client, path string) (dir, disposition string, raw []byte) {
	t.Helper()
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	roots, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err = io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "application/zip" {
		t.Fatalf("%s: %d, %v: %s", path, answer.StatusCode, err, raw)
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := os.CopyFS(to, z); err != nil {
		t.Fatal(err)
	}
	folders, err := os.ReadDir(to)
	if err != nil || len(folders) != 1 {
		t.Fatalf("%v, %v, want one folder", folders, err)
	}
	return filepath.Join(to, folders[0].Name()), answer.Header.Get("Content-Disposition"), raw
}

// edit does what a person does with a file of theirs.
func edit(t *testing.T, path, old, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q:\n%s", path, old, text)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), old, with, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A screen is what a program prints, while it runs.
type screen struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// The program that is generated in JavaScript runs as it is, once its secret is filled in: it checks the server's certificate, its values
// arrive, and it hears of the cloud's.
func TestGeneratedProgram(t *testing.T) {
	installed(t)
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	c := h.Client(key)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	do("PUT", "/iot/v2/devices", map[string]any{"name": "computer", "type": "generic_device_secretkey", "serial": ""}, &d)
	const secret = "a-secret-key-of-the-computer"
	do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secret}, nil)
	var th client.Thing
	do("PUT", "/iot/v2/things", map[string]any{"name": "Green House", "device_id": d.ID, "properties": []any{
		map[string]any{"name": "temperature", "type": "TEMPERATURE", "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"},
		map[string]any{"name": "Where it is", "variable_name": "place", "type": "LOCATION", "permission": "READ_ONLY", "update_strategy": "TIMED", "update_parameter": 60},
		map[string]any{"name": "lamp", "type": "STATUS", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"},
		map[string]any{"name": "constructor", "type": "INT", "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"},
	}}, &th)
	id := map[string]string{}
	for _, p := range th.Properties {
		id[p.Name] = p.ID
	}

	path := "/v1/things/" + th.ID + "/sketch.zip?language=javascript"
	dir, disposition, first := download(t, h, c, path)
	if _, _, again := download(t, h, c, path); !bytes.Equal(first, again) {
		t.Error("two downloads of one program differ")
	}
	if disposition != "attachment; filename=Green_House.zip" || filepath.Base(dir) != "Green_House" {
		t.Errorf("%q, folder %s", disposition, dir)
	}
	edit(t, filepath.Join(dir, "arduino_secrets.js"), `SECRET_DEVICE_KEY: ""`, fmt.Sprintf("SECRET_DEVICE_KEY: %q", secret))
	edit(t, filepath.Join(dir, "index.js"), "return 0;", "return 21.5;")
	edit(t, filepath.Join(dir, "index.js"), "{ lat: 0, lon: 0 }", "{ lat: 45.5, lon: 9.2 }")
	edit(t, filepath.Join(dir, "index.js"), "return 0;", "return 7;")

	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	resolve, err := filepath.Abs("resolve.cjs")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	run := func() (*exec.Cmd, *screen) {
		// In a process group of its own, so that both of its processes end with the test.
		cmd := exec.CommandContext(ctx, "node", "--require", resolve, filepath.Join(dir, "index.js"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
		out := &screen{}
		cmd.Stdout, cmd.Stderr = out, out
		cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1", "NODE_PATH="+modules)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd, out
	}
	cmd, out := run()
	value := func(name string) any {
		t.Helper()
		var p client.Property
		do("GET", "/iot/v2/things/"+th.ID+"/properties/"+id[name], nil, &p)
		return p.LastValue
	}
	wait := func(what string, right func() bool) {
		t.Helper()
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for !right() {
			select {
			case <-tick.C:
			case <-ctx.Done():
				t.Fatalf("%s: not in time; the program says %s", what, out)
			}
		}
	}
	wait("a number", func() bool { return value("temperature") == 21.5 && value("constructor") == 7.0 })
	wait("a place", func() bool { return fmt.Sprint(value("Where it is")) == "map[lat:45.5 lon:9.2]" })
	wait("the cloud's value", func() bool {
		do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+id["lamp"]+"/publish", map[string]any{"value": true}, nil)
		return strings.Contains(out.String(), "lamp true")
	})
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // ended by a signal
	if ctx.Err() != nil {
		t.Errorf("the program does not end when it is told to: %s", out)
	}

	// It does not speak with a server that another authority vouches for.
	other := servertest.Start(t)
	ca, err := os.ReadFile(other.CA())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, out = run()
	if err := cmd.Wait(); err == nil || ctx.Err() != nil || !strings.Contains(out.String(), "connection failed") {
		t.Errorf("with the authority of another server: %v, %s", err, out)
	}
}
