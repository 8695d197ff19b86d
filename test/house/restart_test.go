package house

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

func payload(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %s", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

func TestRestartLosesNothing(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	own := belongings(t, h, key)
	h.Stop()
	again := h.Again()
	var p struct {
		Value any `json:"last_value"`
	}
	if err := again.Client(key).Do(t.Context(), "GET", "/iot/v2/things/"+own["thing"]+"/properties/"+own["property"], nil, &p); err != nil {
		t.Fatal(err)
	}
	if p.Value != 4711.25 {
		t.Errorf("last value after a restart is %v, want 4711.25", p.Value)
	}
}

// Whoever has read addresses.json finds the administration socket, and after the
// house stopped neither is there.
func TestAdministrationAnswersAtOnce(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	if _, err := server.Call(t.Context(), h.Config.Data, "ping", []byte("{}")); err != nil {
		t.Errorf("ping: %v", err)
	}
	h.Stop()
	for _, name := range []string{"addresses.json", "admin.sock"} {
		if _, err := os.Lstat(filepath.Join(h.Config.Data, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	if _, err := server.Call(t.Context(), h.Config.Data, "ping", []byte("{}")); !errors.Is(err, server.ErrNotRunning) {
		t.Errorf("ping of a stopped house: %v, want %v", err, server.ErrNotRunning)
	}
}
