package house

import (
	"encoding/base64"
	"encoding/json"
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
