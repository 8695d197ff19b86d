package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
)

// A bridge is set up, shown and removed; its password comes by standard input and is seen nowhere.
func TestHomeAssistant(t *testing.T) {
	h := home(t)
	if r := call(t, "", "integration", "homeassistant", "show"); r.code != exitNotFound || !strings.Contains(r.err, "no bridge") {
		t.Errorf("show before: %+v", r)
	}
	line := []string{"integration", "homeassistant", "set", "mqtt://127.0.0.1", "--user", "ardesia", "--tag", "room:hall", "--tag", "floor:2", "--topic-prefix", "house", "--read-only"}
	r := call(t, "tell nobody\n", append(line, "--password-stdin", "--format", "json")...)
	var b client.HomeAssistant
	if err := json.Unmarshal([]byte(r.out), &b); err != nil || r.code != exitOK {
		t.Fatalf("set: %+v (%v)", r, err)
	}
	if b.Broker != "mqtt://127.0.0.1:1883" || !b.PasswordSet || b.Writes || !b.Enabled || len(b.Tags) != 2 || b.TopicPrefix != "house" || b.DiscoveryPrefix != "homeassistant" {
		t.Errorf("bridge %+v", b)
	}
	if b.State.Status != "waiting" || !strings.Contains(b.State.LastError, "webhook-allow") {
		t.Errorf("state %+v", b.State)
	}
	r = call(t, "", "integration", "homeassistant", "show")
	if r.code != exitOK || !strings.Contains(r.out, "BROKER") || !strings.Contains(r.out, "waiting") || !strings.Contains(r.out, "Without TLS") || strings.Contains(r.out, "tell nobody") {
		t.Errorf("show: %+v", r)
	}
	// The password stays where it is not given, and goes nowhere else.
	if r := call(t, "", append(line, "--disabled", "--format", "json")...); r.code != exitOK || !strings.Contains(r.out, `"password_set": true`) || !strings.Contains(r.out, `"off"`) {
		t.Errorf("set without a password: %+v", r)
	}
	line[3] = "mqtts://broker.example.org"
	if r := call(t, "", line...); r.code != exitRefused {
		t.Errorf("another broker without a password: %+v", r)
	}
	for name, more := range map[string][]string{
		"no password where one is promised": {"--password-stdin"},
		"a CA that is not there":            {"--ca", filepath.Join(t.TempDir(), "ca.pem")},
		"a tag that is none":                {"--tag", "hall"},
	} {
		if r := call(t, "", append(line, more...)...); r.code != exitUsage {
			t.Errorf("%s: %+v", name, r)
		}
	}
	pem, err := os.ReadFile(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	if r := call(t, "x\n", append(line, "--password-stdin", "--ca", h.CA(), "--disabled", "--format", "json")...); r.code != exitOK || json.Unmarshal([]byte(r.out), &b) != nil || b.CA != string(pem) {
		t.Errorf("with a CA: %+v", r)
	}
	if r := call(t, "", "integration", "homeassistant", "remove", "--yes"); r.code != exitOK || !strings.Contains(r.err, "could not be told") {
		t.Errorf("remove: %+v", r)
	}
	if r := call(t, "", "integration", "homeassistant", "remove", "--yes"); r.code != exitNotFound {
		t.Errorf("removed again: %+v", r)
	}
}
