package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/sdk/element"
	"github.com/ardesia-iot/ardesia/sdk/element/twin"
	"github.com/ardesia-iot/ardesia/sdk/go/provision"
)

// terminals is a pair of pseudo terminals: what a board writes to one comes out of the other, which is a serial port to everybody.
func terminals(t *testing.T) (board io.ReadWriteCloser, port string) {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatalf("this test needs pseudo terminals (/dev/ptmx): %v", err)
	}
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err = raw.Control(func(fd uintptr) {
		if err := unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			t.Error(err)
		}
		if n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f, "/dev/pts/" + strconv.Itoa(n)
}

// What a person types to bring a board in that is on a cable, and what they see of it.
func TestBoardOnACable(t *testing.T) {
	h := home(t)
	untilBoards = provision.Patience{Poll: 100 * time.Millisecond, Polls: 600, Greeting: 5 * time.Second}
	t.Cleanup(func() { untilBoards = provision.Patience{} })
	roots, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	chip, err := twin.Create(filepath.Join(t.TempDir(), "element"), []byte("of a test"), twin.Config{Memory: 8, Passes: 1})
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", h.At["https"])
	}}
	t.Cleanup(web.CloseIdleConnections)
	seen := make(chan provision.Message, 10)
	b := provision.Board{
		Identity: element.Identity{Element: chip, Layout: element.SoftSE}, HardwareID: element.HardwareID([]byte("1"), []byte("2"), []byte("3")), Now: h.Now, WiFiFW: "0.6.0",
		Cloud: provision.Host{URL: "https://localhost", HTTP: &http.Client{Transport: web}}, Pace: provision.Pace{Again: 300 * time.Millisecond, Attempt: 5},
		Join: func(_ context.Context, n provision.Message) error { seen <- n; return nil },
	}
	line, port := terminals(t)
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		_, err := b.Serve(ctx, line)
		done <- err
	}()
	password := filepath.Join(t.TempDir(), "wifi.txt")
	if err := os.WriteFile(password, []byte("correct horse\r\nand more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := call(t, "", "device", "onboard", "--port", port, "--fqbn", "arduino:renesas_uno:unor4wifi", "--name", "gate", "--wifi", "School", "--password-file", password, "--format", "json")
	var d onboarded
	if err := json.Unmarshal([]byte(r.out), &d); err != nil || r.code != exitOK || d.HardwareID != b.HardwareID || d.Type != "unor4wifi" || d.Name != "gate" {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := <-done; err != nil {
		t.Errorf("the board: %v", err)
	}
	if got := <-seen; got != (provision.WiFi{SSID: "School", Password: "correct horse"}) {
		t.Errorf("the board was told %+v", got)
	}
	if strings.Contains(r.err+r.out, "correct horse") || !strings.Contains(r.err, "waiting for the board to come") {
		t.Errorf("it said %q", r.err)
	}
	list := call(t, "", "onboarding", "list", "--all", "--format", "json")
	var all []onboarding
	if err := json.Unmarshal([]byte(list.out), &all); err != nil || len(all) != 1 || all[0].DeviceID != d.ID || all[0].state() != "done" {
		t.Fatalf("list --all: %+v, %v", list, err)
	}
	if r := call(t, "", "onboarding", "list"); r.code != exitOK || strings.Contains(r.out, all[0].ID) {
		t.Errorf("list: %+v", r)
	}
	if r := call(t, "", "onboarding", "drop", all[0].ID, "--yes"); r.code != exitOK {
		t.Errorf("drop: %+v", r)
	}
	if r := call(t, "", "onboarding", "drop", all[0].ID, "--yes"); r.code == exitOK || !strings.Contains(r.err, "no such onboarding") {
		t.Errorf("drop again: %+v", r)
	}
	if r := call(t, "", "device", "show", d.ID); r.code != exitOK {
		t.Errorf("the device after that: %+v", r)
	}
	for what, args := range map[string][]string{
		"no port there":   {"--port", filepath.Join(t.TempDir(), "ttyACM0"), "--fqbn", "arduino:mbed_opta:opta", "--connection", "eth"},
		"no serial port":  {"--port", password, "--fqbn", "arduino:mbed_opta:opta", "--connection", "eth"},
		"no kind of it":   {"--port", port, "--connection", "eth"},
		"another kind":    {"--port", port, "--fqbn", "esp32:esp32:esp32", "--connection", "eth"},
		"no Wi-Fi":        {"--port", port, "--fqbn", "arduino:mbed_opta:opta"},
		"another network": {"--port", port, "--fqbn", "arduino:mbed_opta:opta", "--connection", "pigeon"},
		"no such file":    {"--port", port, "--fqbn", "arduino:mbed_opta:opta", "--wifi", "x", "--password-file", filepath.Join(t.TempDir(), "x")},
	} {
		if r := call(t, "", append([]string{"device", "onboard"}, args...)...); r.code != exitUsage {
			t.Errorf("%s: %+v", what, r)
		}
	}
	// A board that says nothing needs its sketch.
	untilBoards.Greeting = 50 * time.Millisecond
	silent, port := terminals(t)
	if r := call(t, "", "device", "onboard", "--port", port, "--fqbn", "arduino:mbed_opta:opta", "--connection", "eth"); r.code == exitOK || !strings.Contains(r.err, "provisioning sketch") {
		t.Errorf("a board that is silent: %+v", r)
	}
	silent.Close()
}

func TestNetworksOfBoards(t *testing.T) {
	for what, c := range map[string]struct {
		f    onboardFlags
		want provision.Message
	}{
		"wired":    {onboardFlags{connection: "eth"}, provision.Ethernet{}},
		"GSM":      {onboardFlags{connection: "gsm", apn: "apn", pin: "1234", login: "me", pass: "-"}, provision.GSM{PIN: "1234", APN: "apn", Login: "me", Password: "secret"}},
		"NB-IoT":   {onboardFlags{connection: "nb", apn: "apn"}, provision.NBIoT{APN: "apn"}},
		"cellular": {onboardFlags{connection: "cellular", apn: "apn"}, provision.Cellular{APN: "apn"}},
	} {
		if got, err := c.f.network(strings.NewReader("secret\n")); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
	if got, err := (onboardFlags{connection: "catm1", apn: "apn"}).network(nil); err != nil || got.(provision.CatM1).APN != "apn" {
		t.Errorf("Cat-M1: %+v, %v", got, err)
	}
	if got := (usb{VID: "2341", PID: "1002"}).fqbn(); got != "arduino:renesas_uno:unor4wifi" {
		t.Errorf("by USB numbers: %q", got)
	}
	if got := (usb{}).fqbn(); got != "" {
		t.Errorf("without numbers: %q", got)
	}
}
