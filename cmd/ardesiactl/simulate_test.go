package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A simulated board says what it misses before it tries to connect.
func TestSimulatedBoardNeedsItsKey(t *testing.T) {
	t.Setenv(keyVariable, "")
	if r := call(t, "", "device", "simulate", "8c2f0b1e-2b1f-4b53-9c1a-0d1e2f3a4b5c"); r.code != exitUsage || !strings.Contains(r.err, keyVariable) {
		t.Errorf("without a key: %+v", r)
	}
	t.Setenv(keyVariable, "a-secret-key-of-a-board")
	no := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(no, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := call(t, "", "device", "simulate", "8c2f0b1e-2b1f-4b53-9c1a-0d1e2f3a4b5c", "--ca", no); r.code != exitUsage {
		t.Errorf("with a file that is no authority: %+v", r)
	}
	if r := call(t, "", "device", "simulate"); r.code != exitUsage {
		t.Errorf("without an id: %+v", r)
	}
}
