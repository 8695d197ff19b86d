package board

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestProvisioningPrograms(t *testing.T) {
	dir := Folder(filepath.Join(t.TempDir(), "provisioning"))
	const nano = "arduino:samd:nano_33_iot"
	ask := func() (status map[string]string, sketch, wifi any) {
		t.Helper()
		w := httptest.NewRecorder()
		if err := dir.httpSupported(w, httptest.NewRequest(http.MethodGet, "/", nil), access.Actor{}); err != nil {
			t.Fatal(err)
		}
		var all []map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		status = map[string]string{}
		for _, b := range all {
			status[b["fqbn"].(string)] = b["provisioning"].(string)
			if b["fqbn"] == nano {
				sketch, wifi = b["min_provisioning_sketch_version"], b["min_provisioning_wifi_version"]
			}
		}
		return status, sketch, wifi
	}
	if all, sketch, _ := ask(); all[nano] != "v1" || sketch != nil {
		t.Errorf("without a folder: %v, %v", all, sketch)
	}
	if _, err := dir.Read(nano); !errors.Is(err, ErrNoFirmware) {
		t.Errorf("Read without a folder = %v", err)
	}
	if err := os.Mkdir(string(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name string, image []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(string(dir), name), image, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("arduino.samd.nano_33_iot.bin", []byte("a program"))
	write("esp32.esp32.esp32.bin", []byte("a program")) // which has no key of its own
	write("arduino.mbed_opta.opta.bin", nil)
	all, sketch, wifi := ask()
	if all[nano] != "v2" || sketch != "0.6.2" || wifi != "1.6.0" || all["esp32:esp32:esp32"] != "v1" || all["arduino:mbed_opta:opta"] != "v1" {
		t.Errorf("with a folder: %v, %v, %v", all, sketch, wifi)
	}
	for fqbn, want := range map[string]error{
		nano: nil, nano + ":a=b": nil, "arduino:mbed_opta:opta": ErrNoFirmware, "arduino:mbed_giga:giga": ErrNoFirmware,
		"": ErrBoard, "esp32:esp32:esp32": ErrBoard, "../../etc/passwd": ErrBoard, "arduino:samd:../x": ErrBoard,
	} {
		w := httptest.NewRecorder()
		q := httptest.NewRequest(http.MethodGet, "/", nil)
		q.URL.RawQuery = "fqbn=" + fqbn
		if err := dir.httpFirmware(w, q, access.Actor{}); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", fqbn, err, want)
		}
		if want != nil {
			continue
		}
		var got wireFirmware
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Bin != "YSBwcm9ncmFt" || got.FQBN != nano || got.Name == "" || got.Filename != "arduino.samd.nano_33_iot.bin" ||
			got.SHA256 != "d69ea8cda2433733c1ce02de65da8f48e6a3dbba6bb18876a2062908e54ef7cb" {
			t.Errorf("%q: %+v, %v", fqbn, got, err)
		}
	}
	big, err := os.Create(filepath.Join(string(dir), "arduino.mbed_giga.giga.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(big.Truncate(maxFirmware+1), big.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Read("arduino:mbed_giga:giga"); err == nil || errors.Is(err, ErrNoFirmware) || dir.Has("arduino:mbed_giga:giga") {
		t.Errorf("Read of what is too large = %v", err)
	}
}

// Boards with a token of their own are boards that we know.
func TestBoardsOfGeneration2AreInTheCatalogue(t *testing.T) {
	for fqbn := range generation2 {
		if b := Find(fqbn); b == nil || b.Vendor() != "arduino" || !SignsTokens(fqbn) {
			t.Errorf("%s is not in the catalogue", fqbn)
		}
	}
	if SignsTokens("arduino:esp32:nano_nora") || SignsTokens("") {
		t.Error("a board without an element signs tokens")
	}
}
