package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	device "github.com/ardesia-iot/ardesia/sdk/go"
	simulated "github.com/ardesia-iot/ardesia/sdk/go/board"
)

const secretKey = "0123456789abcdef0123"

// boards are simulated ones that take updates, and end with the test.
func (h *home) boards(t *testing.T, troubles map[string]simulated.Trouble) map[string]string {
	t.Helper()
	ids := map[string]string{}
	for name, trouble := range troubles {
		ids[name] = h.asleep(name)
		h.wake(t, ids[name], trouble)
	}
	return ids
}

// asleep is a device that takes updates, and has not been there yet.
func (h *home) asleep(name string) string {
	h.t.Helper()
	var d struct {
		ID string `json:"id"`
	}
	h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": name, "type": "login_and_secretkey_wifi", "fqbn": "esp32:esp32:esp32", "tags": []map[string]string{{"key": "site", "value": "roof"}}}, &d)
	h.ask(http.MethodPut, "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secretKey}, nil)
	return d.ID
}

// wake runs the board of a device, until the test ends.
func (h *home) wake(t *testing.T, id string, trouble simulated.Trouble) {
	t.Helper()
	roots, err := device.RootsFromFile(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(h.At["mqtt-password"])
	ctx, stop := context.WithCancel(t.Context())
	trouble.Half = 20_000
	b := &simulated.Board{Flash: simulated.NewFlash(binary(1, 4000), uint32(otafile.ESP32)), Trouble: trouble}
	c := device.Config{Host: "localhost", Address: "127.0.0.1:" + port, DeviceID: id, SecretKey: secretKey, Roots: roots, Now: h.Now,
		Timing: device.Timing{Attach: 20 * time.Millisecond, AttachMax: 50 * time.Millisecond, Detached: time.Hour, Reconnect: 10 * time.Millisecond, Answer: 20 * time.Second}}
	var life sync.WaitGroup
	t.Cleanup(func() {
		stop()
		life.Wait()
	})
	life.Go(func() {
		if err := b.Run(ctx, c); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", id, err)
		}
	})
}

// binary is a program, which differs by its seed.
func binary(seed byte, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*int(seed)>>3) % 61
	}
	return b
}

// program writes a .ota file, and says where.
func program(t *testing.T, magic otafile.Magic) string { t.Helper(); return programOf(t, magic, 7) }

// programOf is program for what differs by its seed.
func programOf(t *testing.T, magic otafile.Magic, seed byte) string {
	t.Helper()
	file, err := otafile.Encode(binary(seed, 40_000), magic)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "sketch.ota")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// choose gives the file field of a page a file.
func (s *screen) choose(path string) {
	s.T.Helper()
	s.until(`document.querySelector("input[type=file]") !== null`)
	s.Run(chromedp.SetUploadFiles(chromedp.CSS("input[type=file]"), []string{path}))
}

// A board is sent a program from its page, which shows each step to its end; another fails, and the page says why and what to
// do; what the server refuses is said at the file.
func TestUpdatingABoard(t *testing.T) {
	h := newHome(t)
	ids := h.boards(t, map[string]simulated.Trouble{"Roof": {}, "Cellar": {Fail: simulated.Flashing, Code: -20}})
	s := h.screen(t, desk)
	s.Ignore("/ota")
	s.open("/app/devices/" + ids["Roof"])
	s.says("It has not been updated from here yet.")
	s.click("Send a program")
	s.choose(program(t, otafile.Boards[0].Magic))
	s.until(`!document.querySelector("dialog button[type=submit]").disabled`)
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("The file was made for")
	s.Judge(pictures, "ota-refused")
	s.choose(program(t, otafile.ESP32))
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null`)
	s.says("The board runs the new program.")
	s.click("History")
	s.click("Steps")
	s.says("reboot")
	s.everywhere("ota-device")

	s.open("/app/devices/" + ids["Cellar"])
	s.click("Send a program")
	s.choose(program(t, otafile.ESP32))
	s.until(`!document.querySelector("dialog button[type=submit]").disabled`)
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("errorwriteupdatefilefail")
	s.says("The board could not write the program to its storage.")
	s.everywhere("ota-failed")

	// One that is not there waits, and can be cancelled.
	var away struct {
		ID string `json:"id"`
	}
	h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": "Away", "type": "login_and_secretkey_wifi", "fqbn": "esp32:esp32:esp32"}, &away)
	s.open("/app/devices/" + away.ID)
	s.click("Send a program")
	s.choose(program(t, otafile.ESP32))
	s.click("Wait for a week")
	s.until(`!document.querySelector("dialog button[type=submit]").disabled`)
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("Waits for the board to come online")
	s.everywhere("ota-waiting")
	s.click("Cancel the update")
	s.says("Cancel the update?")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("Cancelled")
}

// A campaign over a few boards: the program, the boards by their tag, waves; too many fail and it stops, goes on, and those
// that failed are tried again.
func TestCampaign(t *testing.T) {
	h := newHome(t)
	troubles := map[string]simulated.Trouble{}
	for i := range 4 {
		troubles[fmt.Sprintf("Board %d", i)] = simulated.Trouble{}
	}
	troubles["Board 0"] = simulated.Trouble{Fail: simulated.Flashing, Code: -20}
	h.boards(t, troubles)
	h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": "Other", "type": "nano_33_iot", "serial": "1234", "fqbn": "arduino:samd:nano_33_iot"}, nil)
	for i := range 4 {
		h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": fmt.Sprintf("Elsewhere %d", i), "type": "login_and_secretkey_wifi", "fqbn": "esp32:esp32:esp32"}, nil)
	}
	s := h.screen(t, desk)
	s.open("/app/updates")
	s.says("No campaigns yet")
	s.everywhere("campaigns-none")
	s.click("New campaign")
	s.until(`document.querySelector("h1").innerText === "New campaign"`)
	s.settled()
	s.click("Add a program")
	s.choose(program(t, otafile.ESP32))
	s.until(`document.querySelector("dialog input[type=text]").value === "sketch"`)
	s.fill("Name", "Release 2")
	s.Judge(pictures, "ota-program")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null && document.querySelector("select").value !== ""`)
	s.fill("Search by name or tag", "site:roof")
	s.click("Choose the 4 found")
	s.fill("Search by name or tag", "other")
	s.click("Other")
	s.says("Those for which the program was not made are left out.")
	s.click("In waves")
	s.fill("Boards in a wave", "2")
	s.fill("Stop if more than this fail (%)", "10")
	s.everywhere("campaign-new")
	s.click("Update 5 boards")
	s.says("1 board is left out:")
	s.says("The file was made for")
	s.everywhere("campaign-skipped")
	s.click("To the campaign")
	s.until(`document.querySelector("h1").innerText === "Release 2"`)
	s.until(`document.body.innerText.includes("Stopped: too many failed") || document.body.innerText.includes("Ended")`)
	for browsertest.Eval[bool](s.Screen, `document.body.innerText.includes("Stopped: too many failed")`) {
		s.everywhere("campaign-halted")
		s.click("Go on")
		s.until(`!document.body.innerText.includes("Stopped: too many failed")`)
		s.until(`document.body.innerText.includes("Stopped: too many failed") || document.body.innerText.includes("Ended")`)
	}
	s.says("1 board failed")
	s.says("errorwriteupdatefilefail")
	s.until(`document.querySelector(".tally-legend").textContent.includes("3 Updated")`)
	s.click("Wave by wave")
	s.everywhere("campaign")
	s.click("Try the failed again")
	s.says("Try 1 board again?")
	s.everywhere("campaign-retry")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("The campaign has begun.")
	s.click("Updates")
	s.until(`document.querySelectorAll(".rowlink").length === 2`)
	s.says("Release 2")
	s.everywhere("campaigns")
}

// A campaign over a board that is not there waits for it, says so, and sends the program when the board comes.
func TestUpdatesThatWait(t *testing.T) {
	h := newHome(t)
	id := h.asleep("Shed")
	s := h.screen(t, desk)
	s.open("/app/updates/new?devices=" + id)
	s.click("Add a program")
	s.choose(program(t, otafile.ESP32))
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null && document.querySelector("select").value !== ""`)
	s.click("Wait for a week")
	s.click("Update 1 board")
	s.until(`document.querySelector("h1").innerText === "sketch"`)
	s.until(`document.querySelector(".tally-legend")?.textContent.includes("1 Waiting")`)
	s.everywhere("campaign-waiting")
	if says := s.Text(`document.querySelector(".head").innerText`); strings.Contains(says, "Ended") {
		t.Errorf("nothing was sent, and it says %q", says)
	}
	h.wake(t, id, simulated.Trouble{})
	s.until(`document.querySelector(".tally-legend").textContent.includes("1 Updated") && document.querySelector(".head").innerText.includes("Ended")`)
	s.click("Shed")
	s.says("The board runs the new program.")
}
