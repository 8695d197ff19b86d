package web

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
)

// A told is one call of a webhook.
type told struct {
	path, body string
	head       http.Header
}

// signedBy says which of some keys signed it.
func (c told) signedBy(t *testing.T, keys ...string) (all []string) {
	t.Helper()
	at, err := strconv.ParseInt(c.head.Get("Webhook-Timestamp"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	given := strings.Fields(c.head.Get("Webhook-Signature"))
	for _, key := range keys {
		if slices.Contains(given, webhook.Sign(key, c.head.Get("Webhook-Id"), time.Unix(at, 0), []byte(c.body))) {
			all = append(all, key)
		}
	}
	return all
}

// A listener takes calls of webhooks. Those whose path is /busy it does not take.
type listener struct {
	*httptest.Server
	t     *testing.T
	calls chan told
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{t: t, calls: make(chan told, 64)}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(q.Body, 1<<16))
		if q.URL.Path == "/busy" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		l.calls <- told{q.URL.Path, string(body), q.Header}
	}))
	t.Cleanup(l.Close)
	return l
}

// hears waits for the next call at a path.
func (l *listener) hears(path string) told {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	for {
		select {
		case c := <-l.calls:
			if c.path == path {
				return c
			}
		case <-ctx.Done():
			l.t.Fatalf("nobody called %s", path)
		}
	}
}

// name is what the page calls a webhook to a path.
func (l *listener) name(path string) string { return strings.TrimPrefix(l.URL, "http://") + path }

// submit presses the button of the dialog that does it.
func (s *screen) submit() {
	s.T.Helper()
	s.Run(chromedp.Click(chromedp.CSS(`dialog[open]:last-of-type button[type=submit]`)))
}

// The webhook of a thing is added in the page, called, and signed by the key that the page shows; it is changed, gets another key, is turned
// off and deleted. Its device has more.
func TestWebhooksOfAThing(t *testing.T) {
	h := newHome(t, loopback)
	g := h.greenhouse()
	l := newListener(t)
	s := h.screen(t, desk)
	s.Ignore("/iot/v2/things/") // refuses what is wrong
	about := "/app/things/" + g.thing + "/about"
	s.open(about)
	s.says("None yet. A webhook is an address outside")
	s.click("Add a webhook")
	s.fill("Address", "ftp://example.org/hook")
	s.everywhere("webhook-new")
	s.submit()
	s.says("A webhook is an http or https address")
	s.until(`document.querySelector('[aria-invalid="true"]').labels[0].innerText === "Address"`)
	s.fill("Address", l.URL+"/hook")
	s.submit()
	s.says("Key of the signatures")
	key := s.Text(`document.querySelector(".copytext.big code").innerText`)
	s.everywhere("webhook-key")
	s.Resize(desk)
	s.click("Close")
	s.says("No call yet")
	h.publish(g, "temperature", 31.5)
	if c := l.hears("/hook"); !strings.Contains(c.body, "31.5") || len(c.signedBy(t, key)) != 1 {
		t.Errorf("told %s with %v", c.body, c.head)
	}
	s.says("called just now, answered HTTP 200") // comes by itself
	s.says("1 delivered")

	// The device's own is not taken, and says so.
	s.click("Add a webhook")
	s.fill("Address", l.URL+"/busy")
	s.submit()
	s.says("Key of the signatures")
	s.click("Close")
	s.until(`document.querySelectorAll(".hooks > li").length === 2`)
	h.publish(g, "temperature", 20)
	l.hears("/busy")
	s.says("answered HTTP 503")
	s.says("Of the device Board by the door")
	s.everywhere("webhooks")

	// Another address, and another key, beside which the old one signs for a day.
	s.click("More for the webhook to " + l.name("/hook"))
	s.click("Change the address")
	s.fill("Address", l.URL+"/other")
	s.submit()
	s.says(l.URL + "/other")
	s.click("More for the webhook to " + l.name("/other"))
	s.click("New key")
	s.says("A new key for the signatures?")
	s.submit()
	s.says("The key before signs beside it until")
	next := s.Text(`document.querySelector(".copytext.big code").innerText`)
	s.click("Close")
	h.publish(g, "temperature", 25)
	if c := l.hears("/other"); key == next || len(c.signedBy(t, key, next)) != 2 {
		t.Errorf("of the keys signed %v", c.signedBy(t, key, next))
	}

	// What waits is not sent when it is turned off, which is asked about.
	s.says("2 wait")
	s.click("Webhook to " + l.name("/busy"))
	s.says("2 messages wait for it, and will not be sent.")
	s.click("Turn it off")
	s.says("2 dropped")
	s.click("Webhook to " + l.name("/other"))
	s.until(`document.querySelectorAll(".outcome.good").length === 0`)

	s.click("More for the webhook to " + l.name("/other"))
	s.click("Delete")
	s.submit()
	s.says("was deleted.")
	s.until(`document.querySelectorAll(".hooks > li").length === 1`)
	var thing struct {
		URI    string `json:"webhook_uri"`
		Active bool   `json:"webhook_active"`
	}
	if h.ask(http.MethodGet, "/iot/v2/things/"+g.thing, nil, &thing); thing.URI != "" || thing.Active {
		t.Errorf("the thing says %+v", thing)
	}

	s.open("/app/devices/" + g.device)
	s.click("More for the webhook to " + l.name("/busy"))
	s.click("Change the address")
	s.fill("Address", l.URL+"/late")
	s.submit()
	s.says(l.URL + "/late")
	s.click("Webhook to " + l.name("/late"))
	s.until(`document.querySelectorAll(".outcome.good").length === 1`)
	h.publish(g, "temperature", 26)
	l.hears("/late")
	s.click("More for the webhook to " + l.name("/late"))
	s.click("Delete")
	s.submit()
	s.says("None yet. A webhook is an address outside")
}

// Two properties are kept the same: a value of one comes to the other while one looks; one joins them, one leaves, and the group ends.
func TestSynchronisedProperties(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	cellar := h.thingWith("Cellar", map[string]string{"aim": "FLOAT", "name": "CHARSTRING"})
	attic := h.thingWith("Attic", map[string]string{"wish": "FLOAT"})
	h.thingWith("Shed", map[string]string{"door": "STATUS"})
	s := h.screen(t, desk)
	setup := "/app/things/" + g.thing + "/setup"
	s.open(setup)
	s.click("More for target")
	s.click("Keep target the same as others")
	s.says("What one of them becomes, all become")
	s.fill("Thing", cellar.thing)
	s.click("1 does not fit")
	s.says("has another type: Character String")
	s.Judge(pictures, "sync-new")
	s.fill("Property", cellar.property["aim"])
	s.click("Keep the same")
	s.says("this one")
	h.publish(g, "target", 27.25)
	s.until(`[...document.querySelectorAll(".members .value-text")].filter(e => e.innerText === "27.25").length === 2`)
	s.fill("Thing", attic.thing)
	s.fill("Property", attic.property["wish"])
	s.click("Keep the same")
	s.until(`document.querySelectorAll(".members > li").length === 3`)
	s.everywhere("sync-group")
	s.click("Take out Attic wish")
	s.until(`document.querySelectorAll(".members > li").length === 2`)
	s.click("Close")
	s.says("The same as Cellar · aim")
	s.everywhere("setup-synced")
	s.Resize(desk)

	s.open("/app/things/" + cellar.thing)
	s.until(valueOf("aim") + ` === "27.25"`)
	s.says("Live")
	h.publish(g, "target", 19.5)
	s.until(valueOf("aim") + ` === "19.5"`)

	s.click("Setup")
	s.click("More for aim")
	s.click("Keep aim the same as others")
	s.click("Leave the group")
	s.says("aim is on its own again.")
	s.until(`!document.querySelector(".synced")`)
	ids := []string{g.property["target"], cellar.property["aim"], attic.property["wish"]}
	h.ask(http.MethodPut, "/iot/v1/sync", map[string]any{"properties": ids}, nil)
	s.open(setup)
	s.click("More for target")
	s.click("Keep target the same as others")
	s.click("Dissolve the group")
	s.says("go their own ways from now on")
	s.Run(chromedp.Click(chromedp.CSS(`dialog:has(#confirm) button[type=submit]`)))
	s.says("The group is dissolved.")
	var groups []any
	if h.ask(http.MethodGet, "/iot/v1/sync", nil, &groups); len(groups) != 0 {
		t.Errorf("left: %v", groups)
	}
}

// thingWith makes a thing with properties that people may set, by their variables.
func (h *home) thingWith(name string, types map[string]string) greenhouse {
	h.t.Helper()
	properties := []map[string]any{}
	for variable, kind := range types {
		properties = append(properties, map[string]any{"name": variable, "type": kind, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"})
	}
	return h.thing(map[string]any{"name": name, "properties": properties})
}

// Whoever may only look sees which properties are kept the same and no way to change that, and nothing of where values go.
func TestWhatViewersSeeOfLinks(t *testing.T) {
	h := newHome(t)
	owner, key := h.Person("boss@example.org")
	var school struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": owner, "name": "School"}, &school)
	h.Admin("space.member", map[string]string{"space": school.ID, "user": h.user, "role": "viewer"}, nil)
	boss := &home{House: h.House, t: t, api: h.ClientIn(t, key, school.ID)}
	oven, hall := boss.thingWith("Oven", map[string]string{"aim": "FLOAT"}), boss.thingWith("Hall", map[string]string{"aim": "FLOAT"})
	boss.ask(http.MethodPut, "/iot/v1/sync", map[string]any{"properties": []string{oven.property["aim"], hall.property["aim"]}}, nil)
	boss.ask(http.MethodPost, "/iot/v2/things/"+oven.thing, map[string]any{"webhook_uri": "https://example.org/secret"}, nil)
	s := h.screen(t, looks[0])
	for page, says := range map[string]string{"setup": "The same as Hall · aim", "about": "Whoever may change this space sees here"} {
		s.open("/app/things/" + oven.thing + "/" + page + "?space=" + school.ID)
		s.says(says)
		s.Judge(pictures, "viewer-thing-"+page)
		if browsertest.Eval[bool](s.Screen, `document.querySelector("main .panel button:not(.copytext button)") !== null || document.body.innerText.includes("example.org")`) {
			t.Errorf("a viewer sees more: %s", s.Text(`document.querySelector("main").innerText`))
		}
	}
}
