package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

func press(keys string) chromedp.Action[chromedp.Void] { return chromedp.KeyEvent(keys) }

// From nothing to a first value: the device, its key, its program, and the page that lights up.
func TestTheFirstDevice(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, browsertest.Look{Width: 360})
	s.open("/app/things")
	s.says("Add your first device")
	s.fill("Name of the device", "Orto è bello")
	s.fill("What it is", "esp32:esp32:esp32")
	s.click("Make it")
	s.says("This key is shown once.")
	key := s.Text(`document.querySelector(".copytext.big code").innerText`)
	s.until(`document.querySelector("figure.code pre")?.innerText.includes('SECRET_DEVICE_KEY "` + key + `"')`)
	s.click("Python")
	s.until(`document.querySelector("figure.code pre")?.innerText.includes('SECRET_DEVICE_KEY = "` + key + `"')`)
	s.says("Waiting for the first value…")
	s.Judge(pictures, "connect-360-light")
	var things []struct {
		ID         string `json:"id"`
		Name       string `json:"name"`
		Device     string `json:"device_id"`
		Properties []struct {
			ID string `json:"id"`
		} `json:"properties"`
	}
	h.ask(http.MethodGet, "/iot/v2/things?show_properties=true", nil, &things)
	if len(things) != 1 || things[0].Name != "Orto e bello" || len(things[0].Properties) != 1 {
		t.Fatalf("things: %+v", things)
	}
	h.ask(http.MethodPost, "/iot/v2/devices/"+things[0].Device+"/pass", map[string]string{"password": key}, nil) // is the key
	h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish", things[0].ID, things[0].Properties[0].ID), map[string]any{"value": 21.5, "device_id": things[0].Device}, nil)
	s.says("The first value: temperature 21.5")
	s.Resize(browsertest.Look{Width: 1280, Dark: true})
	s.Judge(pictures, "connected-1280-dark")
	s.click("To the thing")
	s.until(valueOf("temperature") + ` === "21.5"`)
}

// What is made comes into the list before the answer that has its key: the page stays, and shows it.
func TestTheFirstDeviceOnASlowLine(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, desk)
	s.open("/app/things")
	s.says("Live")
	s.fill("Name of the device", "Slow")
	s.fill("What it is", "generic:generic:generic")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var lists atomic.Int64
	hold := func(r *http.Request) {
		switch {
		case r.URL.Path != "/iot/v2/things":
		case r.Method == http.MethodGet:
			lists.Add(1)
		default:
			for before := lists.Load(); lists.Load() == before; {
				if err := pause(ctx); err != nil {
					t.Errorf("the list was not read anew meanwhile: %v", err)
					return
				}
			}
		}
	}
	h.front.answer.Store(&hold)
	s.click("Make it")
	s.says("This key is shown once.")
	s.says("Waiting for it to connect…")
}

// A thing is made, gets a property, which is changed and deleted, and a device; what the server refuses is said in its words,
// and what was typed stays.
func TestSettingAThingUp(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.Ignore("/iot/v2/things") // refuses what is wrong
	s.open("/app/things?new=1")
	s.fill("Name", "Serra/1")
	s.click("Make it")
	s.says("A thing's name has 1 to 64 letters, digits, dots, underscores, hyphens and spaces.")
	if typed := s.Text(`document.querySelector("dialog input").value`); typed != "Serra/1" {
		t.Errorf("what was typed is %q", typed)
	}
	s.Judge(pictures, "new-thing-wrong")
	s.fill("Name", "Serra 1")
	s.fill("Time zone", "Asia/Tokyo")
	s.click("Make it")
	s.until(`location.pathname.endsWith("/setup")`)
	s.settled()
	s.click("Add a property")
	s.fill("Name", "Soil moisture")
	s.fill("Type", "PERCENTAGE")
	s.fill("Variable", "2nd")
	s.Run(chromedp.Click(chromedp.CSS(`dialog input[value="READ_WRITE"]`)))
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("A variable name has up to 64 letters, digits and underscores and does not begin with a digit.")
	s.fill("Variable", "")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("Percentage (%) · The device and people · on change")
	s.click("Edit Soil moisture")
	s.fill("Name", "Moisture")
	s.Run(chromedp.Click(chromedp.CSS(`dialog input[value="TIMED"]`)))
	s.fill("Seconds between reports", "30")
	s.click("Save")
	s.says("every 30 s")
	s.fill("Attached device", g.device)
	s.click("Attach")
	s.says("Take the device from another thing?")
	s.click("Take it")
	s.says("The device is attached.")
	s.click("Values")
	s.until(`location.pathname.split("/").length === 4`)
	s.says("Moisture")
	s.click("Setup")
	s.says("every 30 s")
	s.click("More for Moisture")
	s.click("Delete Moisture")
	s.says("It is no longer shown or reported.")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("None yet.")

	s.click("About")
	s.says("Asia/Tokyo")
	s.click("Add a tag")
	s.fill("Key", "room")
	s.fill("Value", "a b")
	s.click("Add")
	s.says("A tag's key and value have up to 64 letters, digits and _ . @ -; the key is not empty.")
	s.fill("Value", "north")
	s.click("Add")
	s.says("north")
	s.click("Clone")
	s.fill("Name", "Serra 2")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("Serra 2 was made.")
	s.until(`document.querySelector("h1").innerText === "Serra 2"`)
	s.click("About")
	s.says("north")
	s.click("Delete")
	s.fill("Type Serra 2 to confirm", "Serra 1")
	if !browsertest.Eval[bool](s.Screen, `document.querySelector("dialog button[type=submit]").disabled`) {
		t.Error("it can be deleted by another name")
	}
	s.fill("Type Serra 2 to confirm", "Serra 2")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`location.pathname === "/app/things"`)
	s.click("Undo")
	s.until(`document.querySelector("h1").innerText === "Serra 2"`)
}

// Values are set by controls that fit their types.
func TestSettingValues(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.Ignore("/publish")
	s.open("/app/things/" + g.thing)
	s.click("lamp")
	value := func(variable string) string {
		var p struct {
			Last any `json:"last_value"`
		}
		h.ask(http.MethodGet, fmt.Sprintf("/iot/v2/things/%s/properties/%s", g.thing, g.property[variable]), nil, &p)
		return fmt.Sprint(p.Last)
	}
	s.until(`document.querySelector('[data-property="lamp"] [role=switch]').getAttribute("aria-checked") === "true"`)
	in := func(variable, js string) {
		t.Helper()
		browsertest.Eval[bool](s.Screen, `{ const card = document.querySelector('[data-property="`+variable+`"]'); `+js+`; true }`)
	}
	in("target", `const i = card.querySelector("[type=number]"); i.value = "19.75"; i.dispatchEvent(new Event("input", {bubbles: true}))`)
	in("target", `card.querySelector("form").requestSubmit()`)
	s.until(valueOf("target") + ` === "19.75"`)
	in("message", `const i = card.querySelector("input"); i.value = "<b>hello</b>"; i.dispatchEvent(new Event("input", {bubbles: true}))`)
	in("message", `card.querySelector("form").requestSubmit()`)
	s.until(valueOf("message") + ` === "<b>hello</b>"`)
	in("color", `const i = card.querySelector("input"); i.value = "#ff0000"; i.dispatchEvent(new Event("change", {bubbles: true}))`)
	s.until(valueOf("color") + `?.startsWith("0° 100 % 100 %")`)
	in("opened", `const i = card.querySelector("input"); i.value = "2026-07-01T12:00"; i.dispatchEvent(new Event("input", {bubbles: true}))`)
	in("opened", `card.querySelector("form").requestSubmit()`)
	s.until(valueOf("opened") + `?.includes("12:00")`)
	in("extra", `const i = card.querySelector("textarea"); i.value = "{"; i.dispatchEvent(new Event("input", {bubbles: true}))`)
	in("extra", `card.querySelector("form").requestSubmit()`)
	s.says("This is not JSON.")
	in("place", `const i = card.querySelector("input"); i.value = "91"; i.dispatchEvent(new Event("input", {bubbles: true}))`)
	in("place", `card.querySelector("form").requestSubmit()`)
	s.says("The attribute lat goes from -90 to 90.")
	s.Judge(pictures, "values-set")
	s.click("Change the schedule")
	s.fill("First time", "2026-12-01T07:30")
	s.fill("On for", "2")
	s.fill("Repeats", "weekly")
	s.click("Mon")
	s.click("Fri")
	s.Judge(pictures, "schedule")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null`)
	for variable, want := range map[string]string{
		"lamp": "true", "target": "19.75", "message": "<b>hello</b>", "color": "map[bri:100 hue:0 sat:100]", "opened": "1.7829e+09", "plan": fmt.Sprintf("map[frm:%v len:120 msk:%v to:0]", 1.7961102e+09, float64(2<<26|1<<1|1<<5)),
	} {
		if got := value(variable); got != want {
			t.Errorf("%s is %s, want %s", variable, got, want)
		}
	}
}

// Devices are tagged, filtered, deleted in bulk and brought back; one is renamed, gets another key, and is erased.
func TestDevices(t *testing.T) {
	h := newHome(t)
	for i := range 12 {
		h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": fmt.Sprintf("Board %d", i+1), "type": "generic_device_secretkey"}, nil)
	}
	s := h.screen(t, desk)
	s.open("/app/devices")
	if names := s.Text(`[...document.querySelectorAll(".rowlink")].map(a => a.innerText).join()`); names != "Board 1,Board 2,Board 3,Board 4,Board 5,Board 6,Board 7,Board 8,Board 9,Board 10,Board 11,Board 12" {
		t.Errorf("by name: %s", names)
	}
	s.click("Choose Board 2")
	s.click("Choose Board 3")
	s.says("2 chosen")
	s.click("Add a tag")
	s.fill("Key", "room")
	s.fill("Value", "cellar")
	s.click("Add")
	s.says("2 devices tagged")
	s.Judge(pictures, "devices-many")
	s.fill("Filter by tag", "room:cellar")
	s.until(`document.querySelectorAll(".rowlink").length === 2`)
	s.fill("Filter by tag", "")
	s.fill("Search devices", "board 1")
	s.until(`document.querySelectorAll(".rowlink").length === 4`)
	s.fill("Order", "made")
	s.until(`document.querySelector(".rowlink").innerText === "Board 12"`)
	s.click("Choose all")
	s.click("Delete")
	s.says("Delete 4 devices?")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("4 devices deleted")
	s.says("Nothing fits")
	s.open("/app/devices?deleted=1")
	s.click("Restore")
	s.says("is back.")
	s.open("/app/devices")
	s.until(`document.querySelectorAll(".rowlink").length === 9`)

	s.click("Board 2")
	s.says("It has no secret key, so it cannot connect.")
	s.click("New secret key")
	s.says("The old key stops working at once")
	s.Run(chromedp.Click(chromedp.CSS(`dialog .button.main`)))
	s.says("This key is shown once.")
	s.Judge(pictures, "secret")
	s.click("I have kept it")
	s.click("What to do with Board 2")
	s.Judge(pictures, "menu")
	s.click("Rename")
	s.fill("Name", "Board two")
	s.click("Save")
	s.until(`document.querySelector("h1").innerText === "Board two"`)
	s.click("What to do with Board two")
	s.click("Delete")
	s.fill("Type Board two to confirm", "Board two")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`location.pathname === "/app/devices"`)
	s.says("Board two was deleted.")
}

// The search by keyboard alone, and the stops of the keyboard on a page.
func TestByKeyboard(t *testing.T) {
	h := newHome(t)
	h.greenhouse()
	s := h.screen(t, desk)
	s.open("/app/things")
	s.Run(press(kb.Tab))
	if at := s.Text(`document.activeElement.className`); at != "skip" {
		t.Errorf("the first stop is %q, want the way to the content", at)
	}
	s.Run(press(kb.Enter))
	if at := s.Text(`document.activeElement.id`); at != "main" {
		t.Errorf("the way to the content leads to %q", at)
	}
	s.Run(chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	s.until(`document.activeElement.getAttribute("role") === "combobox"`)
	s.Run(press("door"))
	s.until(`document.querySelectorAll("[role=option]").length === 1`)
	s.Judge(pictures, "search")
	s.Run(press(kb.Enter))
	s.until(`location.pathname.startsWith("/app/devices/")`)
	s.settled()
	s.until(`document.activeElement.tagName === "H1" && document.activeElement.innerText === "Board by the door"`)
	if title := s.Text(`document.title`); title != "Board by the door · Ardesia" {
		t.Errorf("the title is %q", title)
	}
	s.Run(press("/"))
	s.until(`document.querySelector("dialog.palette[open]") !== null`)
	s.Run(press(kb.Escape))
	s.until(`document.querySelector("dialog") === null && document.activeElement.tagName === "H1"`)
	// A menu: down opens it, letters and arrows go through it, Escape gives the focus back.
	browsertest.Eval[bool](s.Screen, `(document.querySelector(".account").focus(), true)`)
	s.Run(press(kb.ArrowDown))
	s.until(`document.activeElement.getAttribute("role") === "menuitem"`)
	s.Run(press("d"))
	s.until(`document.activeElement.innerText.trim() === "Dark"`)
	s.Run(press(kb.Enter))
	s.until(`document.documentElement.dataset.theme === "dark" && document.activeElement.className === "account"`)
	s.open("/app/things")
	if theme := s.Text(`document.documentElement.dataset.theme`); theme != "dark" {
		t.Errorf("after loading anew it is %s", theme)
	}
}

// The session ends while somebody types: what was typed is still there once somebody is signed in again.
func TestSignedOutWhileTyping(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.Ignore("")
	s.open("/app/things/" + g.thing + "/setup?add=1")
	s.fill("Name", "Half a word")
	s.fill("Type", "FLOAT")
	browsertest.Call(s.Screen, network.DeleteCookies, network.DeleteCookiesParams{Name: "__Host-ardesia", URL: h.front.at() + "/"})
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("You were signed out")
	s.Judge(pictures, "signed-out")
	browsertest.Call(s.Screen, network.SetCookie, network.SetCookieParams{Name: "__Host-ardesia", Value: h.cookie, URL: h.front.at() + "/", Path: "/", Secure: new(true), HTTPOnly: new(true)})
	browsertest.Eval[bool](s.Screen, `(dispatchEvent(new Event("focus")), true)`)
	s.until(`!document.body.innerText.includes("You were signed out")`)
	if typed := s.Text(`document.querySelector("dialog input").value`); typed != "Half a word" {
		t.Errorf("what was typed is %q", typed)
	}
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null`)
	s.says("Half a word")
}

// In Italian, as the pages of the account; and in another space, where other things are.
func TestLanguagesAndSpaces(t *testing.T) {
	h := newHome(t)
	h.greenhouse()
	h.ask(http.MethodPost, "/v1/spaces", map[string]string{"name": "Scuola"}, nil)
	s := h.screen(t, desk)
	s.open("/app/things")
	s.click("Account")
	s.click("Italiano")
	s.says("Aggiungi cosa")
	for name, path := range map[string]string{"it-things": "/app/things", "it-devices": "/app/devices", "it-new": "/app/devices/new"} {
		s.open(path)
		if lang := s.Text(`document.documentElement.lang`); lang != "it" {
			t.Errorf("%s is in %s", path, lang)
		}
		s.Judge(pictures, name)
	}
	s.open("/app/things")
	browsertest.Eval[bool](s.Screen, `(document.querySelector(".spaces").click(), true)`)
	s.click("Scuola")
	s.says("Aggiungi il primo dispositivo")
	if here := s.Text(`document.querySelector(".spaces").innerText`); !strings.Contains(here, "Scuola") {
		t.Errorf("the space is %q", here)
	}
}

// Nothing moves while a page comes.
func TestNothingMoves(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	for _, width := range []int{360, 1280} {
		s.Resize(browsertest.Look{Width: width})
		for _, path := range []string{"/app/things", "/app/things/" + g.thing, "/app/things/" + g.thing + "/history", "/app/devices", "/app/devices/" + g.device} {
			s.open(path)
			s.says("Live")
			moved := browsertest.Eval[string](s.Screen, `new Promise(done => {
				let sum = 0, what = [];
				new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) { sum += e.value; what.push(...e.sources.map(s => s.node?.className ?? s.node?.nodeName)) } }).observe({type: "layout-shift", buffered: true});
				requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done(sum < 0.02 ? "" : sum.toFixed(4) + ": " + what.join(", ")), 100)));
			})`, chromedp.EvalAwaitPromise)
			if moved != "" {
				t.Errorf("%s at %d: moved by %s", path, width, moved)
			}
		}
	}
}
