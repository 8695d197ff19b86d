package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// desk is a wide screen in daylight.
var desk = browsertest.Look{Width: 1280}

// valueOf is what the page shows of a property, by its variable.
func valueOf(variable string) string {
	return `document.querySelector('[data-property="` + variable + `"] .value-text')?.innerText`
}

func (h *home) publish(g greenhouse, variable string, value any) {
	h.t.Helper()
	h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish", g.thing, g.property[variable]), map[string]any{"value": value, "device_id": g.device}, nil)
}

// A value that comes while somebody looks is shown, on the page of the thing and in the list, and so are the switch and
// the chart; what changes of the thing itself is, too.
func TestAValueShowsAsItComes(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.open("/app/things/" + g.thing)
	s.says("Live")
	h.publish(g, "temperature", 31.5)
	s.until(valueOf("temperature") + ` === "31.5"`)
	h.publish(g, "lamp", true)
	s.until(`document.querySelector('[data-property="lamp"] [role=switch]').getAttribute("aria-checked") === "true"`)
	s.open("/app/things")
	s.says("Live")
	h.publish(g, "temperature", 12.25)
	s.says("12.25")
	h.ask(http.MethodPost, "/iot/v2/things/"+g.thing, map[string]string{"name": "Glasshouse"}, nil)
	s.says("Glasshouse")
	s.open("/app/things/" + g.thing + "/history?range=1h&property=" + g.property["lamp"])
	s.says("Live")
	h.publish(g, "lamp", false)
	s.until(`document.querySelector(".changes tbody th")?.innerText.trim() === "Off"`)
	s.Judge(pictures, "live-states")
}

// The stream by its contract: one for the whole tab, taken up again where it broke, and never said to be live while it
// is not.
func TestTheStream(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := newDouble()
	h.front.double.Store(d)
	s := h.screen(t, desk)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s.Ignore("/v1/live")
	s.open("/app/things/" + g.thing)
	s.says("Live")
	if err := d.wait(ctx, 1); err != nil {
		t.Fatal(err)
	}
	for asked := ""; asked != "thing="+g.thing; { // before that for what another part of the page wanted, where it was slow
		if err := pause(ctx); err != nil {
			t.Fatalf("asked for %q: %v", asked, err)
		}
		d.mu.Lock()
		asked = d.asked[len(d.asked)-1]
		d.mu.Unlock()
	}
	value := func(v, at string) {
		d.say("values", fmt.Sprintf(`[{"thing":%q,"property":%q,"value":%s,"at":%q}]`, g.thing, g.property["temperature"], v, at))
	}
	later := h.Now().Add(time.Hour).UTC()
	value("17.5", later.Format(time.RFC3339Nano))
	s.until(valueOf("temperature") + ` === "17.5"`)
	// An older value that comes late hides nothing.
	value("1.5", later.Add(-2*time.Hour).Format(time.RFC3339Nano))
	value("18.5", later.Add(time.Second).Format(time.RFC3339Nano))
	s.until(valueOf("temperature") + ` === "18.5"`)

	d.refuse.Store(true)
	d.cut()
	s.says("Reconnecting")
	s.until(`document.querySelector('[data-property="temperature"] .value.old') !== null`)
	s.says("Offline")
	s.says("The server cannot be reached. What you see is from")
	s.Judge(pictures, "stream-offline")
	d.refuse.Store(false)
	s.says("Live")
	s.until(`document.querySelector(".value.old") === null && document.querySelector(".unreachable") === null`)
	d.mu.Lock()
	last := d.lastIDs[len(d.lastIDs)-1]
	d.mu.Unlock()
	if last != "3" {
		t.Errorf("it goes on after %q, want 3", last)
	}
	// What the stream cannot tell is fetched.
	h.ask(http.MethodPost, "/iot/v2/things/"+g.thing, map[string]string{"name": "Glasshouse"}, nil)
	d.say("reload", `{"reason":"thing","thing":"`+g.thing+`"}`)
	s.says("Glasshouse")
	// One stream, whichever pages one goes to, and none where nobody looks at anything.
	s.click("Devices")
	s.until(`location.pathname === "/app/devices"`)
	s.settled()
	for last := ""; !strings.Contains(last, "devices=all"); {
		if err := pause(ctx); err != nil {
			t.Fatalf("asked for %s: %v", last, err)
		}
		d.mu.Lock()
		last = d.asked[len(d.asked)-1]
		d.mu.Unlock()
	}
	d.say("devices", fmt.Sprintf(`[{"device":%q,"status":"ONLINE","at":%q}]`, g.device, later.Format(time.RFC3339Nano)))
	s.says("1 of 1 online")
	if err := d.wait(ctx, 1); err != nil {
		t.Error(err)
	}
	s.open("/app/things?deleted=1")
	if err := d.wait(ctx, 0); err != nil {
		t.Error(err)
	}
}

// The server goes while somebody looks: the page says so and shows nothing as live; it comes again, with another value,
// and the page goes on by itself.
func TestTheServerGoesAndComesBack(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.watches(g)
	h.front.house.Store(nil)
	h.Stop()
	h.front.server.CloseClientConnections()
	s.says("The server cannot be reached.")
	s.until(everyOld)
	s.Judge(pictures, "server-gone")
	again := h.Again()
	key := h.key
	h.House, h.api = again, again.Client(key)
	h.publish(g, "temperature", 3.25)
	h.front.house.Store(again)
	s.until(valueOf("temperature") + ` === "3.25" && ` + noneOld)
	s.sound()
}

// Without the server, the shell comes from what the browser keeps, and says what is wrong; no answer of the API was
// kept.
func TestTheShellIsKept(t *testing.T) {
	h := newHome(t)
	h.greenhouse()
	s := h.screen(t, browsertest.Look{Width: 1280, Keeps: true})
	s.Ignore("")
	s.open("/app/things")
	s.until(`!!window.kept || (navigator.serviceWorker.ready.then(() => { window.kept = true }), false)`)
	s.until(`document.querySelector("iframe") === null`)
	s.open("/app/things") // by way of the worker, which keeps the first page
	s.until(`!!window.names || (caches.keys().then(k => caches.open(k[0])).then(c => c.keys()).then(all => { window.names = all.map(r => new URL(r.url).pathname).join(" ") }), false)`)
	names := s.Text(`window.names`)
	if !strings.Contains(names, "/main.js") || !strings.Contains(names, "/app/") {
		t.Errorf("kept: %s", names)
	}
	for name := range strings.FieldsSeq(names) {
		if name != "/app/" && !strings.HasPrefix(name, "/a/") {
			t.Errorf("%s is kept", name)
		}
	}
	h.front.house.Store(nil)
	h.front.server.CloseClientConnections()
	browsertest.Eval[bool](s.Screen, `(location.reload(), true)`)
	s.says("Ardesia cannot be shown")
	s.Judge(pictures, "no-server")
	h.front.house.Store(h.House)
	s.says("Greenhouse") // by itself
}
