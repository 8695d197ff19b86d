package web

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// A dashboard is shared with somebody who asked for it: they look, then use it, and give it back; who made it takes it back.
func TestSharingADashboard(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := h.board(g)
	at := "/app/dashboards/" + d.ID
	ben := h.person("ben@example.org", "Ben Rossi")
	b := ben.screen(t, desk)
	b.Ignore(d.ID)
	b.open(at)
	b.says("There is no such dashboard for you")
	b.fill("Message", "May I see the tomatoes?")
	b.click("Ask for access")
	b.says("If there is such a dashboard, its owner has been asked.")

	s := h.screen(t, desk)
	s.Ignore("/link", "/shares") // no link yet; and nobody of a wrong name
	s.open(at)
	s.click("Share")
	s.says("May I see the tomatoes?")
	s.Judge(pictures, "board-request")
	s.click("Let them look")
	s.until(`document.querySelector('dialog select[aria-label="What Ben Rossi may"]')?.value === "read"`)
	s.fill("E-mail address or user name", "nobody@example.org")
	browsertest.Eval[bool](s.Screen, `(document.querySelector("dialog form button[type=submit]").click(), true)`)
	s.says("Nobody here has this user ID, user name or e-mail address.")

	b.open("/app/dashboards")
	b.says("Shared by Anna Bianchi")
	b.open(at)
	b.says("Shared by Anna Bianchi")
	b.says("Live")
	h.publish(g, "temperature", 28.5)
	b.until(tile("Air") + `?.innerText.includes("28.5")`)
	if buttons := b.Text(`[...document.querySelectorAll("main button")].map(b => b.getAttribute("aria-label") ?? b.innerText).join()`); strings.Contains(buttons, "Edit") || strings.Contains(buttons, "Share") {
		t.Errorf("a guest may %s", buttons)
	}
	b.open(at + "?edit=1") // is no way around it
	if browsertest.Eval[bool](b.Screen, `document.querySelector(".editbar, .grip") !== null`) {
		t.Error("a guest edits")
	}
	b.Judge(pictures, "board-guest")
	s.fill("What Ben Rossi may", "write")
	s.until(`document.querySelector('dialog select[aria-label="What Ben Rossi may"]')?.value === "write"`)
	b.click("More")
	b.click("Leave this dashboard")
	b.says("You no longer see it")
	browsertest.Eval[bool](b.Screen, `(document.querySelector("dialog button[type=submit]").click(), true)`)
	b.until(`location.pathname === "/app/dashboards"`)
	b.says("No dashboards yet")
	var shares []any
	h.ask(http.MethodGet, "/v1/dashboards/"+d.ID+"/shares", nil, &shares)
	if len(shares) != 0 {
		t.Errorf("it is still shared: %v", shares)
	}
	s.Run(press("\x1b"))
	s.click("Share")
	s.fill("E-mail address or user name", "ben@example.org")
	browsertest.Eval[bool](s.Screen, `(document.querySelector("dialog form button[type=submit]").click(), true)`)
	s.says("Shared with ben@example.org.")
	s.click("Take it back from Ben Rossi")
	s.says("Shared with nobody.")
}

// A viewer of the space looks, and changes nothing.
func TestAViewerOfADashboard(t *testing.T) {
	h := newHome(t)
	var space struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": h.user, "name": "Nursery"}, &space)
	ben := h.person("ben@example.org", "Ben Rossi")
	h.Admin("space.member", map[string]string{"space": space.ID, "user": ben.user, "role": "viewer"}, nil)
	own := *h
	own.api = h.ClientIn(t, h.key, space.ID)
	g := own.greenhouse()
	d := own.board(g)
	b := ben.screen(t, desk)
	b.open("/app/dashboards?space=" + space.ID)
	b.says("Greenhouse by day")
	if text := b.Text(`document.querySelector("main").innerText`); strings.Contains(text, "New dashboard") {
		t.Error("a viewer may make dashboards")
	}
	b.open("/app/dashboards/" + d.ID + "?edit=1")
	b.says("Live")
	own.publish(g, "temperature", 28.5)
	b.until(tile("Air") + `?.innerText.includes("28.5")`)
	if browsertest.Eval[bool](b.Screen, `document.querySelector(".editbar, .grip") !== null || [...document.querySelectorAll("main button")].some(b => /Edit|Share/.test(b.getAttribute("aria-label") ?? b.innerText))`) {
		t.Error("a viewer edits")
	}
	b.Judge(pictures, "board-viewer")
}

// Whoever has the public link looks without signing in, until it is revoked.
func TestAPublicDashboard(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := h.board(g)
	s := h.screen(t, desk)
	s.Ignore("/link")
	s.open("/app/dashboards/" + d.ID)
	s.click("Share")
	s.fill("It counts for", "7")
	s.click("Make a link")
	s.says("Copy the link now: it is shown once.")
	s.Judge(pictures, "board-link")
	link := s.Text(`document.querySelector("dialog .copytext code").innerText`)
	_, token, ok := strings.Cut(link, "/app/shared/")
	if !ok || !strings.HasPrefix(link, "https://") {
		t.Fatalf("the link is %s", link)
	}
	for _, private := range []string{g.thing, d.ID} {
		if strings.Contains(link, private) {
			t.Errorf("the link tells of %s", private)
		}
	}

	anybody := &screen{browsertest.Open(t, desk), h}
	anybody.open("/app/shared/" + token)
	anybody.says("Public and read-only.")
	anybody.until(tile("Air") + `?.innerText.includes("24.8")`)
	if browsertest.Eval[bool](anybody.Screen, `document.querySelector(".side, .grip, main button:not(.w-value button)") !== null`) {
		t.Error("a stranger sees more than the dashboard")
	}
	anybody.click("Light")
	anybody.until(tile("Lamp") + ` !== undefined`)
	anybody.click("Main")
	h.publish(g, "temperature", 17.25)
	anybody.until(tile("Air") + `?.innerText.includes("17.3")`)
	anybody.Judge(pictures, "board-anybody")
	if kept := anybody.Text(`document.cookie + JSON.stringify(localStorage)`); kept != "{}" {
		t.Errorf("of a stranger is kept %s", kept)
	}

	s.click("Revoke")
	s.until(`![...document.querySelectorAll("dialog button")].some(b => b.innerText === "Revoke")`)
	anybody.Ignore("/v1/shared")
	anybody.says("There is nothing behind this link")
	anybody.Judge(pictures, "board-revoked")
}

// The page of a public link looks every few seconds while somebody sees it, not at all while nobody does, and says from when its
// values are.
func TestWatchingAPublicDashboard(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := h.board(g)
	var link struct {
		Token string `json:"token"`
	}
	h.ask(http.MethodPut, "/v1/dashboards/"+d.ID+"/link", map[string]int{"days": 0}, &link)
	var asked atomic.Int64
	count := func(r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/shared/") {
			asked.Add(1)
		}
	}
	h.front.answer.Store(&count)
	s := &screen{browsertest.Open(t, desk), h}
	s.Ignore("")
	s.open("/app/shared/" + link.Token)
	s.says("Values as of")
	h.publish(g, "temperature", 31.25)
	began := time.Now()
	s.until(tile("Air") + `?.innerText.includes("31.3")`)
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("a value takes %v", took)
	}
	// sees has the tab seen or hidden, as the page hears of it.
	sees := func(how string) {
		t.Helper()
		browsertest.Eval[chromedp.Void](s.Screen, `Object.defineProperty(document, "visibilityState", {configurable: true, get: () => "`+how+`"}); document.dispatchEvent(new Event("visibilitychange"))`)
	}
	sees("hidden")
	wait := func(ms int) {
		t.Helper()
		browsertest.Eval[chromedp.Void](s.Screen, fmt.Sprintf(`new Promise(done => setTimeout(done, %d))`, ms), chromedp.EvalAwaitPromise)
	}
	wait(500) // what was under way
	before := asked.Load()
	wait(2600)
	if n := asked.Load() - before; n != 0 {
		t.Errorf("a page that nobody sees asks %d times", n)
	}
	h.publish(g, "temperature", 12.5)
	sees("visible")
	s.until(tile("Air") + `?.innerText.includes("12.5")`)
	h.front.house.Store(nil)
	h.front.server.CloseClientConnections()
	browsertest.Eval[chromedp.Void](s.Screen, `{ const real = Date.now; Date.now = () => real() + 30_000 }`) // half a minute goes by
	s.says("Not live")
	s.until(tile("Air") + `.querySelector(".old") !== null`)
	s.everywhere("board-public-old")
	h.front.house.Store(h.House)
	sees("visible")
	s.until(`!document.body.innerText.includes("Not live") && ` + tile("Air") + `.querySelector(".old") === null`)
}

// Who may only look, as a viewer of the space or as a guest, sees the widgets live and can set nothing by them.
func TestWatchersOfADashboard(t *testing.T) {
	h := newHome(t)
	var space struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": h.user, "name": "Nursery"}, &space)
	own := *h
	own.api = h.ClientIn(t, h.key, space.ID)
	g := own.greenhouse()
	own.publish(g, "lamp", true)
	all := slices.DeleteFunc(everyKind("", g), func(p part) bool { return strings.HasSuffix(p.kind, "Map") || strings.HasPrefix(p.kind, "Image") })
	id := own.wall(g, all...)
	ben, carla := h.person("ben@example.org", "Ben Rossi"), h.person("carla@example.org", "Carla Verdi")
	h.Admin("space.member", map[string]string{"space": space.ID, "user": ben.user, "role": "viewer"}, nil)
	own.ask(http.MethodPut, "/iot/v2/dashboards/"+id+"/shares", map[string]string{"user_id": carla.user, "access": "read"}, nil)
	for name, who := range map[string]*home{"viewer": ben, "guest": carla} {
		s := who.screen(t, desk)
		if name == "viewer" {
			browsertest.Eval[bool](s.Screen, `(sessionStorage.setItem("ardesia.space", "`+space.ID+`"), true)`)
		}
		s.loaded(id, len(all))
		s.says("Live")
		own.publish(g, "lamp", true)
		s.shown("Switch", "Lit")
		own.publish(g, "lamp", false)
		s.shown("Switch", "Dark")
		own.publish(g, "target", 12.5)
		s.shown("Value", "12.5")
		if able := s.Text(`[...document.querySelectorAll(".tile-body :is(input, select, textarea, [role=switch], [role=slider], .w-push-button, .w-step, .w-picks button)")].filter(e => !e.disabled && e.getAttribute("aria-disabled") !== "true").map(e => e.closest("[data-kind]").dataset.kind).join(", ")`); able != "" {
			t.Errorf("a %s can use %s", name, able)
		}
		browsertest.Eval[chromedp.Void](s.Screen, `document.querySelectorAll('[data-kind]:not([data-kind$="Chart"]) .tile-body :is(button, [role=switch], input)').forEach(e => e.click())`)
		if sent := s.Text(`performance.getEntriesByType("resource").map(e => e.name).filter(n => n.includes("/publish")).join()`); sent != "" {
			t.Errorf("a %s sends %s", name, sent)
		}
		s.Ignore("/publish")
		refused := browsertest.Eval[int](s.Screen, `fetch("/iot/v2/things/`+g.thing+`/properties/`+g.property["lamp"]+`/publish", {method: "PUT", headers: {"Content-Type": "application/json", "X-Organization": "`+space.ID+`"}, body: '{"value": true}'}).then(r => r.status)`, chromedp.EvalAwaitPromise)
		if refused != http.StatusForbidden && refused != http.StatusNotFound {
			t.Errorf("past the page, the server answers a %s with %d", name, refused)
		}
		s.Judge(pictures, "board-watched-by-"+name)
	}
}

// weightOf is what a browser loads of the application for a page, in bytes as they are sent.
func (s *screen) weightOf(path string) (sum int, of map[string]int) {
	s.T.Helper()
	s.open(path)
	s.until(`document.querySelector(".tile-wait") === null`)
	names := s.Text(`performance.getEntriesByType("resource").map(e => new URL(e.name).pathname).filter(p => p.startsWith("/a/") && /\.(js|css)$/.test(p)).join(" ")`)
	of = map[string]int{}
	for name := range strings.FieldsSeq(names) {
		text := browsertest.Eval[string](s.Screen, `fetch("`+name+`").then(r => r.text())`, chromedp.EvalAwaitPromise)
		var packed bytes.Buffer
		z := brotli.NewWriterLevel(&packed, brotli.BestCompression)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		if of[name] == 0 {
			sum += packed.Len()
		}
		of[name] = packed.Len()
	}
	return sum, of
}

const mostBytes = 120_000 // of a dashboard, without maps

// A dashboard is light, and nothing on it moves while it comes.
func TestADashboardIsLight(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	id := h.wall(g, slices.DeleteFunc(everyKind("", g), func(p part) bool { return strings.HasSuffix(p.kind, "Map") && p.kind != "Image Map" })...)
	s := h.screen(t, desk)
	if sum, of := s.weightOf("/app/dashboards/" + id); sum > mostBytes || len(of) < 5 {
		t.Errorf("a dashboard takes %d bytes: %v", sum, of)
	} else {
		t.Logf("a dashboard of every kind but maps takes %d bytes in %d files", sum, len(of))
	}
	for _, look := range []browsertest.Look{{Width: 360}, {Width: 1280}} {
		s.Resize(look)
		for _, path := range []string{"/app/dashboards", "/app/dashboards/" + id} {
			s.open(path)
			shift := browsertest.Eval[float64](s.Screen, `new Promise(done => { let all = 0; new PerformanceObserver(l => { for (const e of l.getEntries()) if (!e.hadRecentInput) all += e.value }).observe({type: "layout-shift", buffered: true}); setTimeout(() => done(all), 1200) })`, chromedp.EvalAwaitPromise)
			if shift >= 0.02 {
				t.Errorf("%s at %d px moves by %.3f", path, look.Width, shift)
			} else {
				t.Logf("%s at %d px moves by %.3f", path, look.Width, shift)
			}
		}
	}
}
