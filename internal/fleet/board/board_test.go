package board

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

func TestFind(t *testing.T) {
	for fqbn, want := range map[string]string{
		"arduino:samd:nano_33_iot":          "nano_33_iot",
		"esp32:esp32:esp32:PSRAM=enabled":   "login_and_secretkey_wifi",
		"generic:generic:generic":           "generic_device_secretkey",
		"arduino:samd":                      "",
		"arduino:samd:nano_33_iot_of_2040":  "",
		"":                                  "",
		":::":                               "",
		"arduino:avr:uno":                   "",
		"ARDUINO:SAMD:NANO_33_IOT":          "",
		"arduino:samd:nano_33_iot:a=b:more": "nano_33_iot",
	} {
		got := ""
		if b := Find(fqbn); b != nil {
			got = b.Type
		}
		if got != want {
			t.Errorf("Find(%q) is of type %q, want %q", fqbn, got, want)
		}
	}
}

// Whoever makes a device of a type from the catalogue is let, and a sketch for it knows its
// way to the network.
func TestTheCatalogueHolds(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range Boards() {
		if seen[b.FQBN] || strings.Count(b.FQBN, ":") != 2 || b.Name == "" {
			t.Errorf("%+v: seen before, no FQBN, or without name", b)
		}
		seen[b.FQBN] = true
		if _, third, _ := strings.Cut(b.FQBN[strings.Index(b.FQBN, ":")+1:], ":"); b.Vendor() == "arduino" && b.Type != third {
			t.Errorf("%s: type %s, want that of its FQBN", b.FQBN, b.Type)
		}
		if _, known := device.Connections(b.Type); !known && b.Type != "generic_device_secretkey" {
			t.Errorf("%s: type %s has no way to the network", b.FQBN, b.Type)
		}
	}
}

func TestRoutes(t *testing.T) {
	ask := func(pattern string) *httptest.ResponseRecorder {
		t.Helper()
		w := httptest.NewRecorder()
		if err := route(t, pattern).Do(w, httptest.NewRequest(http.MethodGet, "/", nil), access.Actor{}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	var supported []map[string]any
	if err := json.Unmarshal(ask("GET /iot/v1/supported/devices").Body.Bytes(), &supported); err != nil || len(supported) != len(Boards()) {
		t.Fatalf("%d boards, %v, want %d", len(supported), err, len(Boards()))
	}
	for _, one := range supported {
		for _, key := range []string{"fqbn", "label", "type", "vendor", "tags", "provisioning", "ota_available"} { // those that the command line tool requires
			if one[key] == nil {
				t.Errorf("%v has no %s", one["fqbn"], key)
			}
		}
	}
	var list struct{ Items []wireItem }
	if err := json.Unmarshal(ask("GET /v3/boards").Body.Bytes(), &list); err != nil || len(list.Items) != len(Boards()) || list.Items[0].Package != "arduino:samd" {
		t.Errorf("the list of FQBNs: %+v, %v", list, err)
	}
	var offered wirePlans
	if err := json.Unmarshal(ask("GET /iot/v1/lora-freq-plans").Body.Bytes(), &offered); err != nil || len(offered.Plans) != 11 {
		t.Errorf("%d plans, %v, want 11", len(offered.Plans), err)
	}
	for _, p := range offered.Plans {
		body, err := json.Marshal(map[string]string{"app": "defaultApp", "eui": "0123456789abcdef", "frequency_plan": p.ID, "name": "far", "type": "mkrwan1310", "user_id": "me"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := door.Decode(route(t, "PUT /iot/v1/lora-devices"), body); err != nil {
			t.Errorf("plan %s is offered and then refused: %v", p.ID, err)
		}
	}
	if err := httpLoRa(nil, nil, access.Actor{}); problem.Of(err).Kind != problem.Unsupported {
		t.Errorf("a LoRa device: %v, want it not supported", err)
	}
}

func route(t *testing.T, pattern string) door.Route {
	t.Helper()
	for _, r := range Routes(Folder(t.TempDir())) {
		if r.Pattern == pattern {
			return r
		}
	}
	t.Fatalf("no route %s", pattern)
	return door.Route{}
}
