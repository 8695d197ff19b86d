package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// A wireBoard is what the tests here read of a dashboard.
type wireBoard struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Widgets []wireWidget `json:"widgets"`
	Pages   []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Icon string `json:"icon"`
	} `json:"pages"`
}

type wireWidget struct {
	ID      string         `json:"id"`
	Name    string         `json:"name"`
	Type    string         `json:"type"`
	Page    string         `json:"page_id"`
	X       int            `json:"x"`
	Y       int            `json:"y"`
	Width   int            `json:"width"`
	Height  int            `json:"height"`
	XMobile *int           `json:"x_mobile"`
	YMobile *int           `json:"y_mobile"`
	WMobile *int           `json:"width_mobile"`
	Options map[string]any `json:"options"`

	Variables []struct {
		ID string `json:"id"`
	} `json:"variables"`
}

func (w wireWidget) spot() string { return fmt.Sprintf("%d,%d %dx%d", w.X, w.Y, w.Width, w.Height) }

// widget is what the API is told of one; a name begins with its ID.
func widget(name, kind, page string, x, y, width, height int, options map[string]any, variables ...string) map[string]any {
	if variables == nil {
		variables = []string{}
	}
	if options == nil {
		options = map[string]any{}
	}
	return map[string]any{"id": uuid.NewString(), "name": name, "type": kind, "page_id": page, "x": x, "y": y, "width": width, "height": height, "options": options, "variables": variables}
}

// board makes a dashboard of a greenhouse: values on its main page and one on another, which a door has.
func (h *home) board(g greenhouse) wireBoard {
	h.t.Helper()
	page := uuid.NewString()
	var d wireBoard
	h.ask(http.MethodPost, "/iot/v3/dashboards", map[string]any{
		"name": "Greenhouse by day", "pages": []map[string]any{{"id": page, "name": "Light", "icon": "light", "position": 0}},
		"tags": []map[string]string{{"key": "site", "value": "garden"}},
		"widgets": []map[string]any{
			widget("Air", "Value", "0", 0, 0, 6, 4, map[string]any{"unit": "°C", "decimals": 1}, g.property["temperature"]),
			widget("", "Value", "0", 6, 0, 6, 4, nil, g.property["humidity"]),
			widget("Message of the day", "Value", "0", 12, 0, 12, 4, nil, g.property["message"]),
			widget("Target", "Value", "0", 0, 4, 6, 4, nil, g.property["target"]),
			widget("Nothing", "Value", "0", 6, 4, 6, 4, nil),
			widget("Of another client", "Wind Rose", "0", 12, 4, 6, 4, map[string]any{"spin": true}),
			widget("Lamp", "Value", page, 0, 0, 6, 4, nil, g.property["lamp"]),
		},
	}, &d)
	return d
}

func (h *home) boardNow(id string) wireBoard {
	h.t.Helper()
	var d wireBoard
	h.ask(http.MethodGet, "/iot/v3/dashboards/"+id, nil, &d)
	return d
}

// called finds a widget by its name.
func (d wireBoard) called(t *testing.T, name string) wireWidget {
	t.Helper()
	for _, w := range d.Widgets {
		if w.Name == name {
			return w
		}
	}
	t.Fatalf("no widget %q in %+v", name, d.Widgets)
	return wireWidget{}
}

// tile is the frame of a widget on the page, by its name.
func tile(name string) string {
	return `[...document.querySelectorAll(".tile")].find(e => e.querySelector("h2").innerText === "` + name + `")`
}

// drag takes the mouse from the middle of what js says to dx, dy beside it.
func (s *screen) drag(js string, dx, dy float64) {
	s.T.Helper()
	s.until(`!!` + js)
	at := browsertest.Eval[[]float64](s.Screen, `(e => { e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })(`+js+`)`)
	mouse := func(kind input.DispatchMouseEventType, x, y float64, buttons int64) {
		p := input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Buttons: buttons, ClickCount: 1}
		if kind != input.DispatchMouseEventTypeMouseMoved || buttons > 0 {
			p.Button = input.MouseButtonLeft
		}
		browsertest.Call(s.Screen, input.DispatchMouseEvent, p)
	}
	mouse(input.DispatchMouseEventTypeMouseMoved, at[0], at[1], 0)
	mouse(input.DispatchMouseEventTypeMousePressed, at[0], at[1], 1)
	for i := 1.0; i <= 5; i++ {
		mouse(input.DispatchMouseEventTypeMouseMoved, at[0]+dx*i/5, at[1]+dy*i/5, 1)
	}
	mouse(input.DispatchMouseEventTypeMouseReleased, at[0]+dx, at[1]+dy, 0)
}

// saved waits until all that was changed is with the server.
func (s *screen) saved() {
	s.T.Helper()
	s.until(`document.querySelector(".save-state")?.innerText === "Saved"`)
}

// The pages of dashboards, at every width and in both looks.
func TestDashboardsInABrowser(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, looks[0])
	s.open("/app/dashboards")
	s.says("No dashboards yet")
	s.everywhere("boards-none")
	g := h.greenhouse()
	d := h.board(g)
	var link struct {
		Token string `json:"token"`
	}
	h.ask(http.MethodPut, "/v1/dashboards/"+d.ID+"/link", map[string]int{"days": 0}, &link)
	at := "/app/dashboards/" + d.ID
	s.Ignore("00000000-0000", "/v1/shared/AAAA") // are not there, and say so
	for name, path := range map[string]string{
		"boards": "/app/dashboards", "board": at, "board-page": at + "/" + d.Pages[0].ID, "board-edit": at + "?edit=1", "board-kiosk": at + "?kiosk", "board-missing": "/app/dashboards/00000000-0000-4000-8000-000000000000",
		"boards-new": "/app/dashboards?new=1", "boards-import": "/app/dashboards?new=import", "board-public": "/app/shared/" + link.Token, "board-public-none": "/app/shared/" + strings.Repeat("A", 43),
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.open(path)
			if strings.HasPrefix(name, "boards-") {
				s.until(`document.querySelector("dialog[open]") !== null`)
			}
			s.everywhere(name)
		})
	}
}

// What opens over a dashboard, at every width and in both looks.
func TestWhatOpensOverADashboard(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := h.board(g)
	chart := h.wall(g, part{"Advanced Chart", []string{"temperature"}, nil, 14, 9})
	s := h.screen(t, desk)
	at := "/app/dashboards/" + d.ID
	each := func(s *screen, name string) {
		s.T.Helper()
		s.everywhere(name)
		s.Resize(desk)
		s.Run(press("\x1b"))
		s.until(`document.querySelector("dialog[open]") === null`)
	}
	t.Run("looking", func(t *testing.T) {
		s.T = t
		s.Ignore("/link") // there is none yet
		s.open(at)
		s.click("Share")
		s.says("Shared with nobody.")
		each(s, "board-share")
		s.click("More")
		s.click("Download values")
		s.until(`document.querySelectorAll("dialog .checklist input").length === 5`)
		each(s, "board-download")
		s.click("More")
		s.click("Name, cover and tags")
		s.says("Save as a template")
		each(s, "board-about")
		s.click("More")
		s.click("Name, cover and tags")
		s.click("Make a copy")
		s.says("The copy shows the same things")
		each(s, "board-clone")
		s.click("More")
		s.click("Delete")
		s.says("Nobody sees it any more.")
		each(s, "board-delete")
	})
	t.Run("editing", func(t *testing.T) {
		s.T = t
		s.open(at + "?edit=1")
		s.click("Add a widget")
		s.says("The last value of nearly anything")
		each(s, "board-gallery")
		s.until(`!!` + tile("Air"))
		browsertest.Eval[bool](s.Screen, `(`+tile("Air")+`.querySelector(".grip").click(), true)`)
		s.until(`document.querySelectorAll("dialog .pickable").length > 5`)
		s.fill("Search variables and things", "temp")
		s.until(`document.querySelectorAll("dialog .pickable").length === 1`)
		each(s, "board-settings")
		s.click("Add a page")
		each(s, "board-newpage")
		s.click("More about Air")
		for _, look := range looks {
			s.Resize(look)
			s.until(`(m => m.left >= document.querySelector("main").getBoundingClientRect().left && m.right <= innerWidth)(document.querySelector(".menu-list").getBoundingClientRect())`)
			s.Judge(pictures, "board-tilemenu-"+look.String())
		}
		s.loaded(chart, 1)
		s.click("Choose two dates")
		s.says("Europe/Rome")
		each(s, "board-dates")
	})
}

// Values show as they come, and nothing looks live that is not.
func TestADashboardIsLive(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := h.board(g)
	s := h.screen(t, desk)
	s.open("/app/dashboards/" + d.ID)
	s.says("Live")
	h.publish(g, "temperature", 31.25)
	s.until(tile("Air") + `?.innerText.includes("31.3")`)
	s.until(tile("humidity") + `!== undefined`) // by the name of its variable
	if text := s.Text(tile("Of another client") + `.innerText`); !strings.Contains(text, "no widget of the type Wind Rose") {
		t.Errorf("a widget that is not ours says %q", text)
	}
	if text := s.Text(tile("Nothing") + `.innerText`); !strings.Contains(text, "No variable is linked") || !strings.Contains(text, "Not linked") {
		t.Errorf("a widget without variable says %q", text)
	}
	s.click("Light")
	s.until(tile("Lamp") + ` !== undefined`)
	h.publish(g, "lamp", true)
	s.until(tile("Lamp") + `?.innerText.includes("On")`)
	s.click("Main")
	s.until(tile("Air") + ` !== undefined`)
	// A widget that somebody adds is there, and so is a name.
	h.ask(http.MethodPatch, "/iot/v3/dashboards/"+d.ID, map[string]string{"name": "Glasshouse"}, nil)
	s.says("Glasshouse")
	s.Ignore("")
	h.front.house.Store(nil)
	h.front.server.CloseClientConnections()
	s.says("The server cannot be reached.")
	s.until(tile("Air") + `.querySelector(".old") !== null`)
	s.Look(pictures, "board-old")
	h.front.house.Store(h.House)
	s.says("Live")
	s.until(tile("Air") + `.querySelector(".old") === null`)
}

// A dashboard from nothing: a widget, its variable, a value.
func TestMakingADashboard(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.open("/app/dashboards")
	s.click("New dashboard")
	s.fill("Name", "Orto")
	s.click("Make it")
	s.until(`location.pathname.split("/").length === 4 && location.search === "?edit=1"`)
	s.says("Nothing is on this page yet")
	id := strings.Split(s.Path(), "/")[3]
	s.click("Add a widget")
	s.until(`document.querySelector("dialog .kind") !== null`)
	browsertest.Eval[bool](s.Screen, `([...document.querySelectorAll("dialog .kind")].find(e => e.querySelector("b").innerText === "Value").click(), true)`)
	s.until(`document.querySelectorAll("dialog .pickable").length > 5`)
	browsertest.Eval[bool](s.Screen, `([...document.querySelectorAll("dialog .pickable")].find(e => e.querySelector("b").innerText === "temperature").click(), true)`)
	s.until(`document.querySelector("dialog .picked")?.innerText.includes("temperature")`)
	s.fill("Unit", "°C")
	s.click("Apply")
	s.until(`document.querySelector("dialog[open]") === null`)
	s.saved()
	d := h.boardNow(id)
	if len(d.Widgets) != 1 || d.Widgets[0].Variables[0].ID != g.property["temperature"] || d.Widgets[0].Options["unit"] != "°C" {
		t.Fatalf("it is saved as %+v", d)
	}
	h.publish(g, "temperature", 17.5)
	s.until(tile("temperature") + `?.innerText.includes("17.5")`)
	s.click("More about temperature")
	s.click("Duplicate")
	s.until(`document.querySelectorAll(".tile").length === 2`)
	s.click("Undo")
	s.until(`document.querySelectorAll(".tile").length === 1`)
	s.click("More about temperature")
	s.click("Delete")
	s.says("Nothing is on this page yet")
	s.until(`[...document.querySelectorAll(".toast button")].some(b => b.innerText === "Undo")`)
	browsertest.Eval[bool](s.Screen, `([...document.querySelectorAll(".toast button")].find(b => b.innerText === "Undo").click(), true)`)
	s.until(`document.querySelectorAll(".tile").length === 1`)
	s.click("Add a page")
	s.fill("Name", "Night")
	browsertest.Eval[bool](s.Screen, `(document.querySelector('dialog input[aria-label="Icon: bell"]').click(), true)`)
	s.click("Apply")
	s.until(`document.querySelector(".tabs [aria-current]")?.innerText.trim() === "Night"`)
	s.click("Main")
	s.until(tile("temperature") + ` !== undefined`)
	s.click("More about temperature")
	s.until(`document.querySelector("[role=menuitem]") !== null`)
	browsertest.Eval[bool](s.Screen, `([...document.querySelectorAll("[role=menuitem]")].find(e => e.innerText.trim() === "Night").click(), true)`)
	s.says("temperature is on the page Night now.")
	s.saved()
	s.click("Done")
	s.until(`location.search === ""`)
	s.says("Nothing is on this page yet")
	s.click("Night")
	s.until(tile("temperature") + `?.innerText.includes("17.5")`)
	d = h.boardNow(id)
	if len(d.Pages) != 1 || d.Pages[0].Icon != "bell" || d.Widgets[0].Page != d.Pages[0].ID {
		t.Errorf("it is saved as %+v", d)
	}
}

// Widgets go where the pointer takes them, and keys; what is in the way makes room; a phone has places of its own.
func TestArrangingADashboard(t *testing.T) {
	h := newHome(t)
	d := h.board(h.greenhouse())
	at := "/app/dashboards/" + d.ID
	s := h.screen(t, desk)
	s.open(at + "?edit=1")
	cell := browsertest.Eval[float64](s.Screen, `document.querySelector(".board").clientWidth / 24`)
	want := func(name, spot string) {
		t.Helper()
		s.saved()
		if got := h.boardNow(d.ID).called(t, name).spot(); got != spot {
			t.Errorf("%s is at %s, want %s", name, got, spot)
		}
	}
	grip := func(name string) string { return tile(name) + `?.querySelector(".grip")` }
	s.drag(grip("Air"), 2*cell, 8*40)
	want("Air", "2,8 6x4")
	want("Target", "0,4 6x4")
	s.drag(grip("Air"), -2*cell, -4*40) // onto Target, which goes where there is room: below
	want("Air", "0,4 6x4")
	want("Target", "0,8 6x4")
	s.drag(tile("Air")+`?.querySelector(".grip-size")`, 3*cell, 2*40)
	want("Air", "0,4 9x6")
	want("Nothing", "6,10 6x4")
	s.click("Undo")
	want("Air", "0,4 6x4")
	want("Nothing", "6,4 6x4")

	browsertest.Eval[bool](s.Screen, `(`+grip("Air")+`.focus(), true)`)
	s.strike("ArrowUp", false)
	s.strike("ArrowUp", false)
	s.until(`document.querySelector(".editing [role=status]").innerText === "Air: column 1, row 3, 6 wide, 4 high"`)
	s.strike("ArrowRight", true)
	s.until(`document.querySelector(".editing [role=status]").innerText === "Air: column 1, row 3, 7 wide, 4 high"`)
	want("Air", "0,2 7x4")
	s.Judge(pictures, "board-arranged")

	s.click("Lock places")
	s.drag(grip("Air"), 4*cell, 40)
	want("Air", "0,2 7x4")
	s.click("Lock places")

	s.click("Phone")
	s.until(`document.querySelector(".editing.as-phone") !== null`)
	before := h.boardNow(d.ID).called(t, "Air")
	if before.XMobile != nil {
		t.Errorf("nobody has arranged a phone, but %+v", before)
	}
	small := browsertest.Eval[float64](s.Screen, `document.querySelector(".board").clientWidth / 8`)
	s.drag(grip("Air"), -small, -20*40)
	s.saved()
	after := h.boardNow(d.ID).called(t, "Air")
	if after.XMobile == nil || *after.XMobile != 0 || *after.YMobile != 0 || *after.WMobile != 8 || after.spot() != before.spot() {
		t.Errorf("on a phone it is at %+v", after)
	}
	s.Judge(pictures, "board-as-phone")
	s.click("Done")
	s.until(`location.search === ""`)
	s.Resize(browsertest.Look{Width: 360})
	s.until(`document.querySelector(".tile h2").innerText === "Air" && ` + tile("Air") + `.getBoundingClientRect().width > 300`)
}

// Keys keep the focus where the work is: on the tile that moved past others, and on the next where one is gone. A finger takes a
// tile by its handle.
func TestArrangingByKeyAndFinger(t *testing.T) {
	h := newHome(t)
	d := h.board(h.greenhouse())
	s := h.screen(t, desk)
	s.open("/app/dashboards/" + d.ID + "?edit=1")
	focused := func() string {
		t.Helper()
		return s.Text(`document.activeElement.closest(".tile")?.querySelector("h2").innerText ?? document.activeElement.tagName`)
	}
	s.until(`!!` + tile("Air"))
	browsertest.Eval[bool](s.Screen, `(`+tile("Air")+`.querySelector(".grip").focus(), true)`)
	for range 10 {
		s.strike("ArrowDown", false)
	}
	s.until(`document.querySelector(".editing [role=status]").innerText.startsWith("Air: column 1, row 11,")`)
	if got := focused(); got != "Air" {
		t.Errorf("after moving, the focus is on %s", got)
	}
	s.strike("Delete", false)
	s.until(tile("Air") + ` === undefined`)
	if got := focused(); got == "BODY" {
		t.Error("after deleting, the focus is nowhere")
	}
	s.saved()
	browsertest.Call(s.Screen, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
	s.until(`matchMedia("(pointer: coarse)").matches`)
	at := browsertest.Eval[[]float64](s.Screen, `(e => { const r = e.getBoundingClientRect(); return [r.x + 12, r.y + 12] })(`+tile("Of another client")+`.querySelector(".grip-touch"))`)
	touch := func(kind input.DispatchTouchEventType, points ...*input.TouchPoint) {
		t.Helper()
		if points == nil {
			points = []*input.TouchPoint{}
		}
		browsertest.Call(s.Screen, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: kind, TouchPoints: points})
	}
	touch(input.DispatchTouchEventTypeTouchStart, &input.TouchPoint{X: at[0], Y: at[1]})
	for i := 1.0; i <= 5; i++ {
		touch(input.DispatchTouchEventTypeTouchMove, &input.TouchPoint{X: at[0], Y: at[1] + i*32})
	}
	touch(input.DispatchTouchEventTypeTouchEnd)
	s.saved()
	if got := h.boardNow(d.ID).called(t, "Of another client").spot(); got != "12,8 6x4" {
		t.Errorf("a finger brings it to %s", got)
	}
	s.Look(pictures, "board-edit-touch")
}

// strike strikes a key, maybe with Shift.
func (s *screen) strike(key string, shift bool) {
	s.T.Helper()
	modifiers := int64(0)
	if shift {
		modifiers = 8
	}
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		browsertest.Call(s.Screen, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: key, Code: key, Modifiers: modifiers})
	}
}

// Two tabs that edit: the later one is told, and chooses; nothing is lost when the server is away.
func TestTwoPeopleEdit(t *testing.T) {
	h := newHome(t)
	d := h.board(h.greenhouse())
	s := h.screen(t, desk)
	s.Ignore("")
	s.open("/app/dashboards/" + d.ID + "?edit=1")
	s.says("Live")
	remove := func(name string) {
		t.Helper()
		s.click("More about " + name)
		s.click("Delete")
		s.until(tile(name) + ` === undefined`)
	}
	// Somebody else changes it while nothing waits here: it is shown.
	h.ask(http.MethodPatch, "/iot/v3/dashboards/"+d.ID, map[string]string{"name": "Theirs"}, nil)
	s.says("The dashboard was changed elsewhere. This is how it is now.")
	s.until(`document.querySelector("h1").innerText === "Theirs"`)
	// While the server is away, what is done here stays here.
	h.front.house.Store(nil)
	h.front.server.CloseClientConnections()
	remove("Air")
	s.says("What you did is kept here.")
	s.Judge(pictures, "board-unsaved")
	// Meanwhile somebody else changes it once more.
	h.ask(http.MethodPatch, "/iot/v3/dashboards/"+d.ID, map[string]string{"name": "Theirs again"}, nil)
	h.front.house.Store(h.House)
	s.says("This dashboard was changed elsewhere, by somebody else or in another tab, after you began.")
	s.Judge(pictures, "board-conflict")
	s.click("Show what was saved there")
	s.until(`document.querySelector("h1").innerText === "Theirs again" && ` + tile("Air") + ` !== undefined`)
	remove("Target")
	s.saved()
	if n := len(h.boardNow(d.ID).Widgets); n != len(d.Widgets)-1 {
		t.Errorf("%d widgets are left of %d", n, len(d.Widgets))
	}
}
