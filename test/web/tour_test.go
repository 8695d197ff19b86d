package web

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
)

// long is a name as long as one may be, which nothing can wrap at a space.
const long = "Sensore-di-temperatura-nel-sottotetto-della-scuola-elementare-42"

// A tour goes through the dialogs and menus of the application in one language, and judges each.
type tour struct {
	*screen
	say   func(key string, places ...string) string
	judge func(name string)
}

func (p *tour) press(key string, places ...string) {
	p.T.Helper()
	p.screen.press(p.say(key, places...))
}

func (p *tour) fill(key, text string) {
	p.T.Helper()
	p.screen.fill(p.say(key), text)
}

// send presses what a dialog is for.
func (p *tour) send() {
	p.T.Helper()
	p.until(`document.querySelector("dialog[open] button[type=submit]:not(:disabled)") !== null`)
	p.Run(chromedp.Click(chromedp.CSS(`dialog[open] button[type=submit]`)))
}

// there judges the dialog that is open, in which the focus is.
func (p *tour) there(name string) {
	p.T.Helper()
	p.until(`document.querySelector("dialog[open]:last-of-type") !== null && !document.querySelector("dialog .skeletons, dialog .skeleton")`)
	if at := p.Text(`document.activeElement.closest("dialog") ? "" : document.activeElement.outerHTML.slice(0, 100)`); at != "" {
		p.T.Errorf("%s: the focus is on %s", name, at)
	}
	p.judge(name)
}

// dialog is there for one that is left then: the focus goes back to where it was.
func (p *tour) dialog(name string) {
	p.T.Helper()
	p.there(name)
	p.Run(press(kb.Escape))
	p.until(`document.querySelector("dialog") === null`)
	if p.Text(`document.activeElement.tagName`) == "BODY" {
		p.T.Errorf("%s: the focus is nowhere when it is left", name)
	}
}

// menu judges a menu that is open, and closes it.
func (p *tour) menu(name string) {
	p.T.Helper()
	p.until(`document.querySelector("[role=menu]") !== null`)
	p.judge(name)
	p.Run(press(kb.Escape))
	p.until(`document.querySelector("[role=menu]") === null`)
}

// A stage is what a tour goes through.
type stage struct {
	greenhouse
	second  string // a thing without a device, of a long name
	loose   string // a device without a thing, likewise
	trigger string
	waiting string // a device that an update waits for
}

func (h *home) stage() stage {
	h.t.Helper()
	st := stage{greenhouse: h.greenhouse()}
	id := func(path string, in map[string]any) string {
		h.t.Helper()
		var made struct {
			ID string `json:"id"`
		}
		h.ask(http.MethodPut, path, in, &made)
		return made.ID
	}
	board := func(name string) string {
		return id("/iot/v2/devices", map[string]any{"name": name, "type": "login_and_secretkey_wifi", "fqbn": "esp32:esp32:esp32"})
	}
	st.second = id("/iot/v2/things", map[string]any{"name": long, "timezone": "Europe/Rome"})
	st.loose, st.waiting = board(long), board("Away")
	h.ask(http.MethodDelete, "/iot/v2/devices/"+board("Old board"), nil, nil)
	text := func(s string) map[string]any { return map[string]any{"expression": s} }
	letter := map[string]any{"kind": "NOTIFY-EMAIL", "name": "Letter", "email": map[string]any{"subject": text("Lamp"), "body": text("It is {variable.value}"), "delivery": map[string]any{"to": []any{map[string]any{"id": h.user}}}}}
	st.trigger = id("/iot/v1/triggers", map[string]any{"name": "Lamp on", "property_id": st.property["lamp"], "actions": []any{letter}})
	h.ask(http.MethodDelete, "/iot/v1/triggers/"+id("/iot/v1/triggers", map[string]any{"name": "Old rule", "property_id": st.property["lamp"]}), nil, nil)
	pair, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	code := base64.RawURLEncoding.EncodeToString
	h.ask(http.MethodPost, "/v1/push", map[string]any{"endpoint": "https://push.example.org/one", "name": "Firefox on Linux", "keys": map[string]string{"p256dh": code(pair.PublicKey().Bytes()), "auth": code(make([]byte, 16))}}, nil)
	return st
}

// plain writes a program that is no .ota file, and says where.
func plain(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), strings.ToLower(long)+".bin")
	if err := os.WriteFile(path, binary(3, 5000), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tours are the parts of a tour; each is on a tab of its own.
var tours = map[string]func(p *tour, st stage){
	"devices": func(p *tour, st stage) {
		p.open("/app/devices/" + st.loose)
		acts := func(key string) { p.press("device.acts", "name", long); p.press(key) }
		p.press("device.acts", "name", long)
		p.menu("device-menu")
		acts("rename")
		p.dialog("device-rename")
		acts("delete")
		p.dialog("device-delete")
		acts("secret.new")
		p.there("secret-ask")
		p.press("secret.new")
		p.says(p.say("secret.once"))
		p.there("secret-shown")
		p.press("secret.kept")
		p.until(`document.querySelector("dialog") === null`)
		p.press("tags.add")
		p.fill("tags.key", "room")
		p.fill("tags.value", "a b")
		p.send()
		p.until(`document.querySelector("dialog .note") !== null`)
		p.dialog("tag-wrong")
		p.open("/app/devices")
		p.press("list.pick.all")
		p.judge("devices-chosen")
		p.press("tags.add")
		p.dialog("devices-tag")
		p.press("delete")
		p.dialog("devices-delete")
		p.open("/app/devices?deleted=1")
		p.press("destroy")
		p.dialog("device-destroy")
	},
	"things": func(p *tour, st stage) {
		p.open("/app/things/" + st.second + "/about")
		p.press("rename")
		p.dialog("thing-rename")
		p.press("clone")
		p.dialog("thing-clone")
		p.press("delete")
		p.dialog("thing-delete")
		p.open("/app/things/" + st.second + "/setup")
		p.fill("attach.label", st.device)
		p.press("attach.do")
		p.dialog("attach-taken")
		p.open("/app/things/" + st.thing + "/setup")
		p.press("property.edit.one", "name", "target")
		p.dialog("property-edit")
		p.press("property.acts", "name", "target")
		p.press("property.delete.one", "name", "target")
		p.dialog("property-delete")
		p.open("/app/things/" + st.thing)
		p.press("schedule.edit")
		p.fill("schedule.repeat", "weekly")
		p.dialog("schedule-weekly")
		p.open("/app/things?new=1")
		p.there("new-thing")
	},
	"triggers": func(p *tour, st stage) {
		p.open("/app/triggers/" + st.trigger)
		for name, kind := range map[string]string{"email": "action.email", "push": "action.push", "webhook": "action.webhook", "set": "action.set"} {
			p.press("action.add.kind", "kind", p.say(kind))
			p.dialog("action-" + name)
		}
		p.press("action.edit", "name", "Letter")
		p.dialog("action-edit")
		p.press("action.delete", "name", "Letter")
		p.dialog("action-delete")
		p.press("trigger.acts", "name", "Lamp on")
		p.press("delete")
		p.dialog("trigger-delete")
		p.press("action.add.kind", "kind", p.say("action.webhook"))
		p.fill("action.url", "https://example.org/hook")
		p.send()
		p.says(p.say("hook.secret.once"))
		p.there("hook-secret")
		p.press("secret.kept")
		p.open("/app/triggers?deleted=1")
		p.press("destroy")
		p.dialog("trigger-destroy")
		p.open("/app/notices")
		p.press("notices.drop.one", "name", "Firefox on Linux")
		p.dialog("notice-drop")
	},
	"updates": func(p *tour, st stage) {
		t := p.T.(*testing.T)
		p.open("/app/devices/" + st.waiting)
		p.press("ota.send")
		p.choose(plain(t))
		p.until(`document.querySelector("dialog button[type=submit]:not(:disabled)") !== null`)
		p.dialog("ota-send")
		p.press("ota.send")
		p.choose(program(t, otafile.ESP32))
		p.Run(chromedp.Click(chromedp.CSS(`dialog input[value="10080"]`)))
		p.send()
		p.press("ota.cancel")
		p.there("ota-cancel")
		p.send() // so that a tour can begin anew
		p.until(`document.querySelector("dialog") === null`)
		p.open("/app/updates")
		p.press("programs.add")
		p.choose(plain(t))
		p.until(`document.querySelector("dialog select") !== null`)
		p.dialog("program-plain")
		p.press("programs.add")
		p.choose(programOf(t, otafile.ESP32, 11))
		p.fill("col.name", long)
		p.send()
		p.until(`document.querySelector("dialog") === null`)
		p.press("program.delete", "name", long)
		p.dialog("program-delete")
		p.open("/app/updates/new")
		browsertest.Eval[chromedp.Void](p.Screen, `{ const e = document.querySelector("main select"); e.value = e.options[e.options.length - 1].value; e.dispatchEvent(new Event("change", {bubbles: true})) }`)
		p.screen.press("Away")
		p.Run(chromedp.Click(chromedp.CSS(`main button[type=submit]`)))
		p.until(`/^.app.updates.[0-9a-f-]{36}$/.test(location.pathname)`)
		p.settled()
		p.judge("campaign-pending")
		p.press("campaign.cancel")
		p.there("campaign-cancel")
		p.send()
		p.until(`document.querySelector("dialog") === null`)
	},
	"templates": func(p *tour, st stage) {
		p.open("/app/templates")
		p.press("templates.import")
		p.choose(program(p.T.(*testing.T), 1))
		p.send()
		p.until(`document.querySelector("dialog .field-error")?.innerText.length > 10`)
		p.dialog("template-wrong")
		p.press("templates.make")
		p.fill("col.name", "Mine")
		p.screen.click("Greenhouse") // lists that come later move it
		p.there("template-make")
		p.send()
		p.press("template.acts", "name", "Mine")
		p.menu("template-menu")
		p.press("template.acts", "name", "Mine")
		p.press("delete")
		p.there("template-delete")
		p.send()
		p.says(p.say("templates.none"))
		p.press("template.use")
		p.dialog("template-use")
	},
	"shell": func(p *tour, st stage) {
		p.open("/app/things/" + st.second)
		p.Run(chromedp.Click(chromedp.CSS(".spaces")))
		p.menu("spaces-menu")
		p.Run(chromedp.Click(chromedp.CSS(".account")))
		p.menu("account-menu")
		p.screen.press(p.say("search.open"))
		p.until(`document.activeElement.getAttribute("role") === "combobox"`)
		p.Run(press(long[:4]))
		p.until(`document.querySelectorAll("[role=option]").length >= 2`)
		p.dialog("palette")
	},
}

// go through all parts.
func (h *home) tour(t *testing.T, lang string, judge func(s *screen, name string)) {
	t.Helper()
	st := h.stage()
	s := h.screen(t, desk)
	s.Ignore("/iot/", "/ota", "/storage/template") // refuse what is wrong
	s.speaks(lang)
	for name, part := range tours {
		t.Run(name, func(t *testing.T) {
			s.T = t
			part(&tour{screen: s, say: textsIn(t, lang), judge: func(name string) {
				t.Helper()
				judge(s, name)
				s.Resize(desk)
			}}, st)
		})
	}
}

// Every dialog and menu, at every width and in both looks; the focus is in it, and goes back when it is left.
func TestTheDialogs(t *testing.T) {
	newHome(t).tour(t, "en", func(s *screen, name string) { s.everywhere("dialog-" + name) })
}

// The same in Italian, whose words are longer: nothing is cut off.
func TestTheDialogsInItalian(t *testing.T) {
	newHome(t).tour(t, "it", func(s *screen, name string) { s.atWidths("it-dialog-"+name, 360, 1280) })
}
