package house

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// Nothing that people wrote, and no key, can be read in any file of the data directory.
func TestNoFileShowsWhatPeopleWrote(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("canary-address@example.org")
	belongings(t, h, key)
	look := func(when string) {
		canaries := []string{"canary-address@example.org", "Somebody", "canary-board", "canary thing", "canary", "4711.25", key.Secret, key.ID}
		err := filepath.WalkDir(h.Config.Data, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, c := range canaries {
				if strings.Contains(string(text), c) {
					t.Errorf("%s: %s shows %q", when, path, c)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	look("while it runs")
	h.Stop()
	look("after it stopped")
}
