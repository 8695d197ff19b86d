package web

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/server"
)

// A receiver takes calls of webhooks, and answers as it is told.
type receiver struct {
	*httptest.Server
	answer atomic.Int64
	last   atomic.Value // string
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.answer.Store(http.StatusOK)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(q.Body, 1<<16))
		r.last.Store(string(body))
		w.WriteHeader(int(r.answer.Load()))
	}))
	t.Cleanup(r.Close)
	return r
}

// loopback lets webhooks reach receivers of tests.
func loopback(c *server.Config) { c.WebhookAllow = []string{"127.0.0.0/8"} }

// A trigger on a value is made in the page; a value is published, and the page shows what became of it, and what the other
// side answered. What the server refuses is said at the field.
func TestTriggerOnAValue(t *testing.T) {
	h := newHome(t, loopback)
	g := h.greenhouse()
	hook := newReceiver(t)
	s := h.screen(t, desk)
	s.Ignore("/iot/v1/triggers", "/iot/v1/actions") // refuses what is wrong
	s.open("/app/triggers")
	s.says("No triggers yet")
	s.everywhere("triggers-none")
	s.click("Add a trigger")
	s.until(`document.querySelector("h1").innerText === "Add a trigger"`)
	s.settled()
	s.fill("Thing", g.thing)
	s.fill("Property", g.property["temperature"])
	s.says("Now:")
	s.fill("Fires when it", "BETWEEN")
	s.fill("From (°C)", "30")
	s.fill("To (°C)", "20")
	s.fill("Back by (°C)", "0.5")
	s.click("Webhook")
	s.fill("Address", "https://user:secret@example.org/")
	s.fill("Name", "Too hot")
	s.everywhere("trigger-new")
	s.click("Make the trigger")
	s.says("The upper bound of a condition is not less than its value.")
	s.until(`document.activeElement !== null && document.querySelector('[aria-invalid="true"]').labels[0].innerText === "From (°C)"`)
	s.fill("Fires when it", "GT")
	s.fill("Value (°C)", "30")
	s.click("Make the trigger")
	s.says("A webhook is an http or https address")
	s.until(`document.querySelector('[aria-invalid="true"]').labels[0].innerText === "Address"`)
	s.everywhere("trigger-wrong")
	s.fill("Address", hook.URL)
	s.click("Make the trigger")
	s.says("This key is shown once.")
	s.Judge(pictures, "trigger-secret")
	if key := s.Text(`document.querySelector(".copytext.big code").innerText`); !strings.HasPrefix(key, "whsec_") {
		t.Errorf("the key is %q", key)
	}
	s.click("I have kept it")
	s.until(`document.querySelector("h1").innerText === "Too hot"`)
	s.says("temperature of Greenhouse is above 30 °C")
	s.says("It has done nothing in the last days.")

	h.publish(g, "temperature", 31.5)
	s.says("answered HTTP 200")
	s.says("31.5")
	if body, _ := hook.last.Load().(string); !strings.Contains(body, "31.5") {
		t.Errorf("the webhook was sent %q", body)
	}
	hook.answer.Store(http.StatusServiceUnavailable)
	h.publish(g, "temperature", 20)
	h.publish(g, "temperature", 32)
	s.says("answered HTTP 503")
	s.says("next try at")
	s.everywhere("trigger")

	// It rests, and says so in the list.
	s.click("Too hot is armed")
	s.says("It rests")
	s.click("Triggers")
	s.until(`document.querySelector("h1").innerText === "Triggers"`)
	s.says("1 on its way")
	s.everywhere("triggers")
	s.fill("Search triggers", "nothing like it")
	s.says("Nothing fits")
	s.fill("Search triggers", "temper")
	s.click("Too hot is armed")
	s.until(`document.querySelector("[role=switch]").getAttribute("aria-checked") === "true"`)

	// It is changed, deleted and brought back.
	s.click("Too hot")
	s.until(`document.querySelector("h1").innerText === "Too hot"`)
	s.click("Edit")
	s.until(`document.querySelector("h1").innerText === "Edit Too hot"`)
	s.settled()
	s.fill("Value (°C)", "35")
	s.fill("Name", "Far too hot")
	s.click("Save")
	s.says("temperature of Greenhouse is above 35 °C")
	var all []struct {
		Condition json.RawMessage `json:"condition"`
	}
	h.ask(http.MethodGet, "/iot/v1/triggers", nil, &all)
	if len(all) != 1 || string(all[0].Condition) != `{"operator":"GT","value":35,"hysteresis":0.5}` {
		t.Errorf("kept %+v", all)
	}
	s.click("More for Far too hot")
	s.click("Delete")
	s.says("Delete Far too hot?")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("No triggers yet")
	s.click("Undo")
	s.until(`document.querySelector("h1").innerText === "Far too hot"`)
}

// Letters go to members, with places that are filled in; a property is set; whoever is written to says that it is enough.
func TestActionsOfATrigger(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.Ignore("/iot/v1/actions")
	s.open("/app/triggers/new?thing=" + g.thing + "&property=" + g.property["lamp"])
	s.click("E-mail")
	s.until(`document.querySelector(".recipients input").checked`) // who is alone is the recipient
	s.until(`document.querySelector("form").innerText.includes("{variable.value}")`)
	s.fill("Subject", "Lamp ")
	browsertest.Eval[chromedp.Void](s.Screen, `{ const e = [...document.querySelectorAll("input")].find(e => e.value === "Lamp "); e.focus(); e.setSelectionRange(5, 5); }`)
	browsertest.Eval[chromedp.Void](s.Screen, `[...document.querySelectorAll(".place")].find(e => e.innerText.includes("{variable.value}")).click()`)
	s.until(`[...document.querySelectorAll("input")].some(e => e.value === "Lamp {variable.value}")`)
	s.everywhere("trigger-email")
	s.fill("Name", "Lamp on")
	s.click("Make the trigger")
	s.until(`document.querySelector("h1").innerText === "Lamp on"`)
	s.says("lamp of Greenhouse turns on")
	s.says("Anna Bianchi")
	s.click("Add: Set a property")
	s.until(`document.querySelector("dialog[open]") !== null && !document.querySelector("dialog .skeletons")`)
	s.fill("Thing", g.thing)
	s.fill("Property", g.property["target"])
	s.fill("To", "27.5")
	s.Judge(pictures, "action-set")
	s.click("Add an action")
	s.says("Sets target to 27.5")
	s.click("Add: Notice")
	s.says("Notices reach the browsers")
	s.Judge(pictures, "action-push")
	s.Run(chromedp.Click(chromedp.CSS(`dialog .recipients input`)))
	s.click("Add an action")
	s.says("Choose at least one recipient.")
	s.click("Cancel")
	h.publish(g, "lamp", false)
	h.publish(g, "lamp", true)
	s.until(`[...document.querySelectorAll(".outcome")].filter(e => e.innerText === "Done").length === 2`)
	s.click("Write to me")
	s.until(`document.querySelector('[aria-label="Write to me"]').getAttribute("aria-checked") === "false"`)
	h.publish(g, "lamp", false)
	h.publish(g, "lamp", true)
	s.says("nobody is left who wants it")
	s.everywhere("trigger-actions")
	s.click("Delete E-mail")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`!document.body.innerText.includes("{variable.value}")`)
	var p struct {
		Last float64 `json:"last_value"`
	}
	if h.ask(http.MethodGet, fmt.Sprintf("/iot/v2/things/%s/properties/%s", g.thing, g.property["target"]), nil, &p); p.Last != 27.5 {
		t.Errorf("the property is %v", p.Last)
	}
}

// A trigger on devices: which ones, which way, and after how long.
func TestTriggerOnDevices(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	for i := range 8 {
		h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": fmt.Sprintf("Pump %d", i), "type": "login_and_secretkey_wifi", "fqbn": "esp32:esp32:esp32"}, nil)
	}
	s := h.screen(t, desk)
	s.open("/app/triggers/new")
	s.click("Whether devices are connected")
	s.click("Only these")
	s.fill("Search by name or tag", "room:glass")
	s.until(`document.querySelectorAll(".picklist-all label").length === 1`)
	s.click("Board by the door")
	s.fill("And has been offline for", "5")
	s.click("When one comes online")
	s.fill("Name", "Away")
	s.everywhere("trigger-devices")
	s.click("Make the trigger")
	s.until(`document.querySelector("h1").innerText === "Away"`)
	s.says("Board by the door is offline for 5 min or comes online")
	var all []struct {
		Status struct {
			Criteria string   `json:"criteria"`
			Devices  []string `json:"device_ids"`
			Offline  int      `json:"grace_period_offline"`
			Online   *int     `json:"grace_period_online"`
		} `json:"device_status_source"`
	}
	h.ask(http.MethodGet, "/iot/v1/triggers", nil, &all)
	if len(all) != 1 || all[0].Status.Criteria != "INCLUDE" || len(all[0].Status.Devices) != 1 || all[0].Status.Devices[0] != g.device || all[0].Status.Offline != 300 || all[0].Status.Online == nil || *all[0].Status.Online != 0 {
		t.Errorf("kept %+v", all)
	}
	s.says("It watches, and does nothing.")
	s.everywhere("trigger-idle")
}

// Whoever may only look sees triggers, and no way to change them.
func TestTriggersOfAViewer(t *testing.T) {
	h := newHome(t)
	owner, key := h.Person("boss@example.org")
	var school, thing struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": owner, "name": "School"}, &school)
	h.Admin("space.member", map[string]string{"space": school.ID, "user": h.user, "role": "viewer"}, nil)
	boss := &home{House: h.House, t: t, api: h.ClientIn(t, key, school.ID)}
	boss.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Oven"}, &thing)
	boss.ask(http.MethodPut, "/iot/v1/triggers", map[string]any{"name": "Away", "device_status_source": map[string]any{"criteria": "EXCLUDE"}, "actions": []any{
		map[string]any{"kind": "NOTIFY-PUSH", "name": "Tell", "push_notification": map[string]any{"title": map[string]any{"expression": "Away"}, "body": map[string]any{"expression": "{device.name}"},
			"delivery": map[string]any{"to": []any{map[string]any{"id": h.user}}}}}}}, &thing)
	s := h.screen(t, desk)
	s.open("/app/triggers/" + thing.ID + "?space=" + school.ID)
	s.says("Any device goes offline or comes online")
	s.says("Anna Bianchi")
	for _, gone := range []string{"Edit", "Add: E-mail", "Add a trigger"} {
		if browsertest.Eval[bool](s.Screen, `[...document.querySelectorAll("main a, main button")].some(e => e.innerText.trim() === "`+gone+`" && e.offsetParent !== null)`) {
			t.Errorf("a viewer sees %q", gone)
		}
	}
	s.everywhere("trigger-viewer")
	for path, says := range map[string]string{"/app/triggers/new": "You may look at this space", "/app/updates/new": "You may look at this space", "/app/updates": "No campaigns yet", "/app/triggers": "Any device"} {
		s.open(path)
		s.says(says)
		s.Judge(pictures, "viewer"+strings.ReplaceAll(path, "/", "-"))
	}
}

// The menus lead to the pages of the account and of the space, which look as the application does.
func TestPagesOfTheAccountBesideTheApplication(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, desk)
	s.open("/app/things")
	s.Run(chromedp.Click(chromedp.CSS(".spaces")))
	s.until(`document.querySelector("[role=menu]") !== null`)
	usage := s.Text(`[...document.querySelectorAll("[role=menu] a")].find(a => a.innerText.trim() === "Usage").href`)
	s.Run(chromedp.Click(chromedp.CSS(".account")))
	s.until(`[...document.querySelectorAll("[role=menu] a")].some(a => a.innerText.trim() === "Activity")`)
	s.click("Dark")
	s.until(`document.documentElement.dataset.theme === "dark"`)
	for name, to := range map[string]string{"account": h.front.at() + "/account", "keys": h.front.at() + "/account/keys", "activity": h.front.at() + "/account/activity", "usage": usage, "spaces": h.front.at() + "/account/spaces"} {
		s.Run(chromedp.Navigate(to))
		s.until(`document.querySelector("nav.sections") !== null && document.documentElement.dataset.theme === "dark"`)
		for _, look := range []browsertest.Look{looks[1], looks[3], looks[5]} { // chosen dark is dark whatever the system says
			s.Resize(look)
			s.Judge(pictures, "people-"+name+"-"+look.String())
		}
	}
	s.Leave(chromedp.Click(chromedp.CSS("nav.sections a.app")))
	s.settled()
}
