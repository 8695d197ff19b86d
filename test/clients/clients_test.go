package clients

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

var install sync.Once

// installed makes sure that the clients are there; those that cannot be installed fail the test.
func installed(t *testing.T) {
	t.Helper()
	install.Do(func() {
		_, one := os.Stat("node_modules/arduino-iot-js")
		_, two := os.Stat("node_modules/@seriousme/openapi-schema-validator")
		if one == nil && two == nil {
			return
		}
		if out, err := exec.Command("npm", "ci", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
			t.Fatalf("install the JavaScript clients (npm ci): %v\n%s", err, out)
		}
	})
}

// node runs one of the programs beside this file. A missing Node.js fails the test.
func node(t *testing.T, program string, env ...string) {
	t.Helper()
	installed(t)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	resolve, err := filepath.Abs("resolve.cjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "--require", resolve, program)
	cmd.Env = append(append(os.Environ(), "NODE_NO_WARNINGS=1"), env...)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func TestAPIClient(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	node(t, "api.cjs", "API="+h.URL(), "CLIENT_ID="+key.ID, "CLIENT_SECRET="+key.Secret, "NODE_EXTRA_CA_CERTS="+h.CA())
}

// Every operation of the client that is about devices, things, properties and series.
func TestAPIClientOperations(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	var d client.Device
	if err := h.Client(key).Do(t.Context(), "PUT", "/iot/v2/devices", map[string]any{"name": "board", "type": "mkrwifi1010", "serial": ""}, &d); err != nil {
		t.Fatal(err)
	}
	board, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := boardcert.MakeCSR(rand.Reader, board, d.ID)
	if err != nil {
		t.Fatal(err)
	}
	node(t, "operations.cjs", "API="+h.URL(), "CLIENT_ID="+key.ID, "CLIENT_SECRET="+key.Secret, "NODE_EXTRA_CA_CERTS="+h.CA(),
		"DEVICE_OF_CSR="+d.ID, "CSR="+string(csr))
}

// Every operation of the client that is about dashboards, as their owner and as a guest.
func TestAPIClientDashboards(t *testing.T) {
	h := servertest.Start(t)
	_, owner := h.Person("anna@example.org")
	_, guest := h.Person("gino@example.org")
	node(t, "dashboards.cjs", "API="+h.URL(), "CLIENT_ID="+owner.ID, "CLIENT_SECRET="+owner.Secret, "NODE_EXTRA_CA_CERTS="+h.CA(),
		"GUEST=gino@example.org", "GUEST_ID="+guest.ID, "GUEST_SECRET="+guest.Secret)
}

func TestLiveClient(t *testing.T) {
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
	do("PUT", "/iot/v2/devices", map[string]any{"name": "board", "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	const secret = "a-secret-key-of-the-board"
	do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secret}, nil)
	property := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "type": kind, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}
	}
	var th client.Thing
	do("PUT", "/iot/v2/things", map[string]any{"name": "Live", "device_id": d.ID,
		"properties": []any{property("temperature", "FLOAT"), property("lamp", "STATUS"), property("color", "COLOR_HSB"),
			property("level", "INT"), property("message", "CHARSTRING")}}, &th)
	node(t, "live.cjs", "API="+h.URL(), "HOST=localhost", "WSS_PORT="+h.Port("https"), "PASSWORD_PORT="+h.Port("mqtt-password"),
		"CLIENT_ID="+key.ID, "CLIENT_SECRET="+key.Secret, "DEVICE="+d.ID, "SECRET="+secret, "THING="+th.ID, "NODE_EXTRA_CA_CERTS="+h.CA())

	do("GET", "/iot/v2/things/"+th.ID, nil, &th)
	for _, p := range th.Properties {
		if p.Name == "temperature" && p.LastValue != 21.5 {
			t.Errorf("last temperature is %v, want what the board sent, 21.5", p.LastValue)
		}
		if p.Name == "lamp" && p.LastValue != true {
			t.Errorf("lamp is %v, want what the owner wrote, true", p.LastValue)
		}
	}
}

// A flow of Node-RED's nodes, in a space that is not its key's own: in, out, poll, history and push.
func TestNodeRED(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	var space struct{ ID string }
	if err := h.Client(key).Do(t.Context(), "POST", "/v1/spaces", map[string]any{"name": "School"}, &space); err != nil {
		t.Fatal(err)
	}
	c := h.ClientIn(t, key, space.ID)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	do("PUT", "/iot/v2/devices", map[string]any{"name": "board", "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	var th client.Thing
	do("PUT", "/iot/v2/things", map[string]any{"name": "Flow", "device_id": d.ID, "properties": []any{
		map[string]any{"name": "temperature", "type": "FLOAT", "permission": "READ_ONLY", "update_strategy": "ON_CHANGE", "persist": true},
		map[string]any{"name": "lamp", "type": "STATUS", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	env := []string{"API=" + h.URL(), "WSS_PORT=" + h.Port("https"), "CLIENT_ID=" + key.ID, "CLIENT_SECRET=" + key.Secret,
		"SPACE=" + space.ID, "THING=" + th.ID, "DEVICE=" + d.ID, "NODE_EXTRA_CA_CERTS=" + h.CA()}
	for _, p := range th.Properties {
		env = append(env, strings.ToUpper(p.Name)+"="+p.ID)
	}
	node(t, "nodered.cjs", env...)
}

// The document of the API is OpenAPI 3.1, says a validator that is not ours.
func TestDocument(t *testing.T) {
	h := servertest.Start(t)
	node(t, "document.mjs", "API="+h.URL(), "NODE_EXTRA_CA_CERTS="+h.CA())
}
