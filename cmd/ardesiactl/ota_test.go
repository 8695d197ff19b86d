package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	device "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/board"
)

// What a person does to update boards: encode, look at the file, send it to one and to many, wait, look, cancel.
func TestUpdates(t *testing.T) {
	h := home(t)
	look = 20 * time.Millisecond
	t.Cleanup(func() { look = time.Second })
	dir := t.TempDir()
	program := bytes.Repeat([]byte("a program for a board "), 500)
	bin := filepath.Join(dir, "sketch.bin")
	if err := os.WriteFile(bin, program, 0o600); err != nil {
		t.Fatal(err)
	}
	good := func(args ...string) result {
		t.Helper()
		r := call(t, "", args...)
		if r.code != exitOK {
			t.Fatalf("%v: %+v", args, r)
		}
		return r
	}
	const fqbn = "esp32:esp32:esp32"
	if r := good("ota", "encode", bin, "--fqbn", fqbn); !strings.Contains(r.out, "sketch.ota") || !strings.Contains(r.out, "esp32:esp32:*") {
		t.Errorf("encode: %+v", r)
	}
	ota := filepath.Join(dir, "sketch.ota")
	good("ota", "decode", ota, "--out", filepath.Join(dir, "back.bin"))
	if back, err := os.ReadFile(filepath.Join(dir, "back.bin")); err != nil || !bytes.Equal(back, program) {
		t.Errorf("decoded to %d bytes, %v", len(back), err)
	}
	for what, args := range map[string][]string{
		"over a file":         {"ota", "encode", bin, "--fqbn", fqbn},
		"for no board":        {"ota", "encode", bin, "--fqbn", "arduino:avr:uno", "--out", filepath.Join(dir, "x")},
		"what is no file":     {"ota", "decode", bin},
		"to nobody":           {"ota", "mass-upload", ota},
		"for whichever board": {"ota", "mass-upload", bin, "--devices", "x"},
	} {
		if r := call(t, "", args...); r.code != exitUsage {
			t.Errorf("%s: %+v", what, r)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	var lives sync.WaitGroup
	defer lives.Wait()
	defer stop()
	roots, err := device.RootsFromFile(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(h.At["mqtt-password"])
	plug := func(trouble board.Trouble) string {
		r := good("device", "create", "--name", "board", "--type", "login_and_secretkey_wifi", "--fqbn", fqbn, "--format", "json")
		var d created
		if err := json.Unmarshal([]byte(r.out), &d); err != nil {
			t.Fatal(err)
		}
		b := board.Board{Flash: board.NewFlash([]byte("an old program"), uint32(otafile.ESP32)), Trouble: trouble}
		lives.Go(func() {
			_ = b.Run(ctx, device.Config{Host: "localhost", Address: "127.0.0.1:" + port, DeviceID: d.ID, SecretKey: d.SecretKey, Roots: roots, Now: h.Now,
				Timing: device.Timing{Reconnect: 10 * time.Millisecond, Attach: 20 * time.Millisecond, Detached: 50 * time.Millisecond, DetachedMax: 100 * time.Millisecond}})
		})
		return d.ID
	}
	one, broken := plug(board.Trouble{}), plug(board.Trouble{Fail: board.Start, Code: -12})
	if r := good("ota", "upload", one, bin, "--wait"); !strings.Contains(r.out, "succeeded") || !strings.Contains(r.out, "100%") {
		t.Errorf("upload: %+v", r)
	}
	if r := call(t, "", "ota", "upload", broken, ota, "--wait"); r.code != exitFailure || !strings.Contains(r.out, "otadownloadfail") || !strings.Contains(r.err, "did not succeed") {
		t.Errorf("upload to a board that fails: %+v", r)
	}
	var all []client.Update
	if r := good("ota", "status", "--device", broken, "--format", "json"); json.Unmarshal([]byte(r.out), &all) != nil || len(all) != 1 || all[0].Reason != "otadownloadfail" {
		t.Errorf("status: %+v", r)
	}
	if r := good("ota", "status", all[0].ID); !strings.Contains(r.out, "available") || !strings.Contains(r.out, "otadownloadfail") {
		t.Errorf("status of one: %+v", r)
	}

	// Many: one that can, one that fails, one that is away, one that is not there.
	away := made(t, "device", "create", "--name", "away", "--type", "login_and_secretkey_wifi", "--fqbn", fqbn)
	other := filepath.Join(dir, "other.bin")
	if err := os.WriteFile(other, append([]byte("2 "), program...), 0o600); err != nil {
		t.Fatal(err)
	}
	r := good("ota", "mass-upload", other, "--fqbn", fqbn, "--devices", strings.Join([]string{one, broken, away, "6ba7b810-9dad-41d1-80b4-00c04fd430c8"}, ","), "--wave-size", "2", "--deferred", "--format", "json")
	var c campaign
	if err := json.Unmarshal([]byte(r.out), &c); err != nil || c.Devices != 3 || c.Waves != 2 || len(c.Skipped) != 1 {
		t.Fatalf("%+v, %v", c, err)
	}
	if r := call(t, "", "ota", "upload", away, ota); r.code != exitConflict {
		t.Errorf("a second update of one device: %+v", r)
	}
	if r := good("ota", "cancel", c.ID, "--campaign"); !strings.Contains(r.out, "cancelled") {
		t.Errorf("cancel: %+v", r)
	}
	if r := good("ota", "status", "--campaign", c.ID); !strings.Contains(r.out, "cancelled") {
		t.Errorf("status of a campaign: %+v", r)
	}
	if r := call(t, "", "ota", "mass-upload", ota, "--devices", one+","+broken, "--wait"); r.code != exitFailure || !strings.Contains(r.err, "1 of 2 devices") {
		t.Errorf("mass-upload with one that fails: %+v", r)
	}
	r = good("ota", "upload", away, ota, "--deferred", "--format", "json")
	var u client.Update
	if err := json.Unmarshal([]byte(r.out), &u); err != nil || u.Status != "pending" {
		t.Fatalf("%+v, %v", u, err)
	}
	if r := good("ota", "cancel", u.ID); !strings.Contains(r.out, "cancelled") {
		t.Errorf("cancel: %+v", r)
	}
	if r := call(t, "", "ota", "cancel", u.ID); r.code != exitConflict {
		t.Errorf("cancel twice: %+v", r)
	}
	var kept []image
	if r := good("ota", "images", "--format", "json"); json.Unmarshal([]byte(r.out), &kept) != nil || len(kept) != 2 {
		t.Fatalf("images: %+v", r)
	}
	good("ota", "images", "--delete", kept[0].ID, "--yes")
	if r := call(t, "", "ota", "resume", c.ID); r.code != exitConflict {
		t.Errorf("resume what is over: %+v", r)
	}
}

func TestBar(t *testing.T) {
	for want, c := range map[string]struct{ part, whole int64 }{
		"[..............................]   0%  x": {0, 0},
		"[###############...............]  50%  x": {50, 100},
		"[##############################] 100%  x": {101, 100},
	} {
		if got := line(c.part, c.whole, "x"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
