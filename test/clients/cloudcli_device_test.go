package clients

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/servertest"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
	"github.com/ardesia-iot/ardesia/sdk/go/provision"
)

// The models of boards and of those that come in; cloud-api reference, section 7.3.
var (
	wantBoard      = model{"fqbn label type vendor tags provisioning ota_available", "min_provisioning_sketch_version min_provisioning_wifi_version"}
	wantFirmware   = model{"bin filename fqbn name sha256", ""}
	wantOnboarding = model{"id unique_hardware_id device_name connection_type device_id user_id org_id ble_mac created_at provisioned_at claimed_at ended_at fqbn", ""}
)

// plain makes a request as those parts of the tool do that have no generated client: no Accept, and JSON whatever the answer is
// called. out gets every answer, also a refusal.
func (c *command) plain(method, path string, body, out any) int {
	c.t.Helper()
	var in []byte
	if body != nil {
		var err error
		if in, err = json.Marshal(body); err != nil {
			c.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.h.URL()+path, bytes.NewReader(in))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.web.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			c.t.Fatalf("%s %s: %s %q: %v", method, path, answer.Status, text, err)
		}
	}
	c.calls = append(c.calls, method+" "+path)
	return answer.StatusCode
}

// The requests of "device create" for a board with a key of its own, in their order, with what the tool reads of the answers; the
// board asks for itself meanwhile.
func TestCommandLineClientCreatesABoard(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	c := run(t, h, key)
	const nano = "arduino:samd:nano_33_iot"
	supported := func() (nanos map[string]any) {
		t.Helper()
		var all []any
		c.plain("GET", "/iot/v1/supported/devices", nil, &all)
		each(t, "boards", all, func(v any) {
			wantBoard.check(t, "board", v, nil)
			if b := v.(map[string]any); b["fqbn"] == nano {
				nanos = b
			}
		})
		return nanos
	}
	if b := supported(); b["provisioning"] != "v1" {
		t.Errorf("without a program for it: %v", b)
	}
	var refusal struct{ Detail string }
	if status := c.plain("GET", "/iot/v2/binaries/provisioningv2?fqbn="+nano, nil, &refusal); status != 404 || !strings.Contains(refusal.Detail, "arduino.samd.nano_33_iot.bin") {
		t.Errorf("a program that is not there: %d %s", status, refusal.Detail)
	}
	dir := filepath.Join(h.Config.Data, "provisioning")
	program := []byte("a provisioning sketch")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "arduino.samd.nano_33_iot.bin"), program, 0o600)); err != nil {
		t.Fatal(err)
	}
	if b := supported(); b["provisioning"] != "v2" || b["min_provisioning_sketch_version"] != "0.6.2" || b["min_provisioning_wifi_version"] != "1.6.0" {
		t.Errorf("with a program for it: %v", b)
	}
	var firmware map[string]any
	if status := c.plain("GET", "/iot/v2/binaries/provisioningv2?fqbn="+nano, nil, &firmware); status != 200 {
		t.Fatalf("the program: %d", status)
	}
	wantFirmware.check(t, "firmware", firmware, nil)
	sum := sha256.Sum256(program)
	if firmware["bin"] != base64.StdEncoding.EncodeToString(program) || firmware["sha256"] != hex.EncodeToString(sum[:]) {
		t.Errorf("the program: %v", firmware)
	}

	chip, err := twin.Create(filepath.Join(t.TempDir(), "element"), []byte("of a test"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	b := provision.Board{
		Identity: element.Identity{Element: chip, Layout: element.ECCX08}, HardwareID: element.HardwareID([]byte("a"), []byte("b"), []byte("c")), Now: h.Now, WiFiFW: "1.6.0",
		Cloud: provision.Host{URL: h.URL(), HTTP: c.web}, Pace: provision.Pace{Again: 300 * time.Millisecond, Attempt: 5},
	}
	if err := b.Identity.Prepare(); err != nil {
		t.Fatal(err)
	}
	public, err := b.Identity.BoardKey()
	if err != nil {
		t.Fatal(err)
	}
	token, err := b.Identity.Token(h.Now(), b.HardwareID)
	if err != nil {
		t.Fatal(err)
	}
	claim := map[string]any{"ble_mac": "A0:01:02:03:04:05", "board_token": token, "connection_type": "wifi", "device_name": "gate"}
	const path = "/provisioning/v1/onboarding"
	type refused struct {
		Err  string `json:"err"`
		Code int    `json:"err_code"`
	}
	var unknown refused
	if status := c.plain("POST", path+"/claim", claim, &unknown); status != 400 || unknown.Code != 1 || unknown.Err == "" {
		t.Fatalf("a claim of a board that nobody knows: %d %+v", status, unknown)
	}
	if status := c.plain("POST", "/provisioning/v1/boards/register", map[string]any{"pid": "8057", "vid": "2341", "public_key": string(public), "serial": "0A1B", "unique_hardware_id": b.HardwareID}, nil); status != 200 {
		t.Fatalf("register: %d", status)
	}
	var claimed struct {
		ID string `json:"id"`
	}
	if status := c.plain("POST", path+"/claim", claim, &claimed); status != 200 || claimed.ID == "" {
		t.Fatalf("claim: %d %+v", status, claimed)
	}
	entry := func() (found map[string]any) {
		t.Helper()
		var list struct {
			Onboardings []any `json:"onboardings"`
		}
		if status := c.plain("GET", path+"?all=true", nil, &list); status != 200 {
			t.Fatalf("list: %d", status)
		}
		each(t, "onboardings", list.Onboardings, func(v any) {
			wantOnboarding.check(t, "onboarding", v, nil)
			if o := v.(map[string]any); o["id"] == claimed.ID {
				found = o
			}
		})
		return found
	}
	if o := entry(); o["device_id"] != nil || o["fqbn"] != nano {
		t.Errorf("after the claim: %v", o)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	device, err := b.Provision(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if o := entry(); o["device_id"] != device || o["provisioned_at"] == nil {
		t.Errorf("when the board has come: %v", o)
	}
	// A board whose key is another one than it was is refused in a way that makes the tool give up.
	if _, err := chip.GenerateKey(element.ECCX08.BoardKey); err != nil {
		t.Fatal(err)
	}
	if claim["board_token"], err = b.Identity.Token(h.Now(), b.HardwareID); err != nil {
		t.Fatal(err)
	}
	var other refused
	if status := c.plain("POST", path+"/claim", claim, &other); status != 400 || other.Code != 3 {
		t.Errorf("another key: %d %+v", status, other)
	}
	if status := c.plain("DELETE", path+"/"+claimed.ID, nil, nil); status != 200 {
		t.Errorf("drop: %d", status)
	}
}
