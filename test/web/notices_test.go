package web

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/serviceworker"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// patience is how long something may take that another process does.
const patience = 20 * time.Second

// allow lets the pages of this tab show notices, or forbids it.
func (s *screen) allow(setting browser.PermissionSetting) {
	s.T.Helper()
	params := browser.SetPermissionParams{Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: setting, Origin: s.h.front.at(), BrowserContextID: s.profile()}
	if _, err := chromedp.CallBrowser(s.Ctx, browser.SetPermission, params); err != nil {
		s.T.Fatal(err)
	}
}

// profile is what the browser calls this tab with its cookies.
func (s *screen) profile() (id cdp.BrowserContextID) {
	s.T.Helper()
	all, err := chromedp.Targets(s.Ctx)
	if err != nil {
		s.T.Fatal(err)
	}
	for _, one := range all {
		if one.Type == "page" && strings.HasPrefix(one.URL, s.h.front.at()) {
			id = one.BrowserContextID
		}
	}
	return id
}

// A pushService stands in for that of the browser's maker, which no test reaches: the subscription has keys of this browser
// and leads nowhere.
const pushService = `{
	const code = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
	let have = null;
	PushManager.prototype.getSubscription = async () => have;
	PushManager.prototype.subscribe = async (o) => {
		const pair = await crypto.subtle.generateKey({name: "ECDH", namedCurve: "P-256"}, true, ["deriveBits"]);
		const keys = {p256dh: code(await crypto.subtle.exportKey("raw", pair.publicKey)), auth: code(crypto.getRandomValues(new Uint8Array(16)))};
		return have = {options: {applicationServerKey: o.applicationServerKey.buffer}, toJSON: () => ({endpoint: "https://push.example.org/" + keys.auth, keys}), unsubscribe: async () => { have = null; return true; }};
	};
}`

// Notices are turned on and off for a browser, and what keeps them away is said in words.
func TestTurningNoticesOn(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, browsertest.Look{Width: 1280, Whole: true, Keeps: true})
	s.open("/app/notices")
	s.allow(browser.PermissionSettingDenied)
	s.open("/app/notices")
	s.says("This browser does not allow this page to show notices.")
	s.everywhere("notices-denied")
	s.allow(browser.PermissionSettingGranted)
	s.open("/app/notices")
	s.click("Notices in this browser")
	s.says("The browser could not reach its push service.") // there is none here
	_, _ = s.Trouble()                                      // tabs of tests are private ones, of which Chromium says so in its console
	s.everywhere("notices-none")
	browsertest.Eval[chromedp.Void](s.Screen, pushService)
	s.click("Notices in this browser")
	s.says("This browser gets notices.")
	s.says("this one")
	s.says("push.example.org")
	s.until(`document.querySelector("[role=switch]").getAttribute("aria-checked") === "true"`)
	s.everywhere("notices")
	s.click("Notices in this browser")
	s.says("None yet.")
	s.until(`document.querySelector("[role=switch]").getAttribute("aria-checked") === "false"`)
}

// What the server sends is shown by the worker, once for each tag; whoever clicks on it comes to the trigger.
func TestNoticesAreShown(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	var tr struct {
		ID string `json:"id"`
	}
	h.ask(http.MethodPut, "/iot/v1/triggers", map[string]any{"name": "Lamp on", "property_id": g.property["lamp"]}, &tr)
	s := h.screen(t, browsertest.Look{Width: 1280, Whole: true, Keeps: true})
	s.open("/app/things")
	s.allow(browser.PermissionSettingGranted)
	worker := s.worker()
	here := browsertest.Eval[string](s.Screen, `fetch("/v1/spaces").then(r => r.json()).then(all => all[0].id)`, chromedp.EvalAwaitPromise)
	push := func(data string) {
		t.Helper()
		browsertest.Call(s.Screen, serviceworker.DeliverPushMessage, serviceworker.DeliverPushMessageParams{Origin: h.front.at(), RegistrationID: worker, Data: data})
	}
	shown := func() string {
		return browsertest.Eval[string](s.Screen, `navigator.serviceWorker.getRegistration("/app/").then(r => r.getNotifications()).then(all => all.map(n => n.title + "|" + n.body + "|" + n.data.to).sort().join("\n"))`, chromedp.EvalAwaitPromise)
	}
	wait := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(s.Ctx, patience)
		defer cancel()
		for shown() != want {
			if pause(ctx) != nil {
				t.Fatalf("shown is %q, want %q", shown(), want)
			}
		}
	}
	notice := `{"title":"Lamp","body":"It is on","tag":"one","trigger_id":"` + tr.ID + `","space_id":"` + here + `","at":"2026-11-26T12:00:00Z"}`
	page := "/app/triggers/" + tr.ID + "?space=" + here
	push(notice)
	wait("Lamp|It is on|" + page)
	push(strings.Replace(notice, "It is on", "It is still on", 1)) // the same delivery again
	wait("Lamp|It is still on|" + page)
	push("not JSON")
	wait("Ardesia||/app/triggers\nLamp|It is still on|" + page)

	// A click comes from the system; here the worker gets the event that it gets then.
	all, err := chromedp.Targets(s.Ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.Type != "service_worker" || !strings.HasPrefix(one.URL, h.front.at()) {
			continue
		}
		in, cancel := chromedp.NewContext(s.Ctx, chromedp.WithTargetID(one.TargetID))
		defer cancel()
		if _, err := chromedp.Run(in, chromedp.Evaluate[bool](`registration.getNotifications({tag: "one"}).then(([n]) => {
			const e = new NotificationEvent("notificationclick", {notification: n});
			e.waitUntil = () => undefined;
			return self.dispatchEvent(e);
		})`, chromedp.EvalAwaitPromise)); err != nil {
			t.Fatal(err)
		}
	}
	s.until(`location.pathname === "/app/triggers/` + tr.ID + `"`)
	s.says("lamp of Greenhouse turns on")
	wait("Ardesia||/app/triggers")
	s.Judge(pictures, "notice-clicked")
}

// worker waits until the application's worker is there, and gives its registration.
func (s *screen) worker() serviceworker.RegistrationID {
	s.T.Helper()
	var mu sync.Mutex
	var found serviceworker.RegistrationID
	if err := chromedp.Listen(s.Ctx, func(event any) {
		if e, ok := event.(*serviceworker.EventWorkerRegistrationUpdated); ok {
			mu.Lock()
			defer mu.Unlock()
			for _, r := range e.Registrations {
				if strings.HasPrefix(r.ScopeURL, s.h.front.at()) && !r.IsDeleted {
					found = r.RegistrationID
				}
			}
		}
	}); err != nil {
		s.T.Fatal(err)
	}
	s.until(`navigator.serviceWorker.controller !== null`)
	browsertest.Call(s.Screen, serviceworker.Enable, cdp.Empty{})
	ctx, cancel := context.WithTimeout(s.Ctx, patience)
	defer cancel()
	for {
		mu.Lock()
		id := found
		mu.Unlock()
		if id != "" {
			return id
		}
		if pause(ctx) != nil {
			s.T.Fatal("the worker is not registered")
		}
	}
}
