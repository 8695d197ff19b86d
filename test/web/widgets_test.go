package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// A part is a widget of a dashboard in these tests: its kind, what it shows by variable, and its size in cells.
type part struct {
	kind          string
	variables     []string
	options       map[string]any
	width, height int
}

// wall makes a dashboard of widgets in rows, each called by its kind, and returns its ID.
func (h *home) wall(g greenhouse, parts ...part) string {
	h.t.Helper()
	const columns = 24
	widgets, x, y, tallest := []map[string]any{}, 0, 0, 0
	for _, p := range parts {
		if x+p.width > columns {
			x, y, tallest = 0, y+tallest, 0
		}
		ids := []string{}
		for _, v := range p.variables {
			ids = append(ids, g.property[v])
		}
		options := map[string]any{}
		for name, v := range p.options {
			options[name] = v
		}
		widgets = append(widgets, map[string]any{"id": uuid.NewString(), "type": p.kind, "name": p.kind, "page_id": "0", "x": x, "y": y, "width": p.width, "height": p.height, "options": options, "variables": ids})
		x, tallest = x+p.width, max(tallest, p.height)
	}
	var d struct {
		ID string `json:"id"`
	}
	h.ask(http.MethodPost, "/iot/v3/dashboards", map[string]any{"name": "Widgets", "widgets": widgets}, &d)
	return d.ID
}

// note is what the sticky note of these tests says: all that can be written, and some that cannot.
const note = "# Watering\nEach **morning**, ~~evening~~ *before* `8:00`:\n\n1. open the _tap_\n2. read [the plan](https://example.org/plan)\n   - twice\n\n> not in winter\n\n---\n" +
	"<img src=x onerror=alert(1)> <b>plain</b> [no](javascript:alert(1)) https://example.org/a.\n\n```\ncode <x>\n```"

// choices are those of selectors.
func choices(values ...any) map[string]any {
	var all []map[string]any
	for i, v := range values {
		all = append(all, map[string]any{"label": fmt.Sprintf("Choice %d", i+1), "value": v})
	}
	return map[string]any{"values": all}
}

// everyKind are all kinds of widgets on a greenhouse. picture is the address of one.
func everyKind(picture string, g greenhouse) []part {
	return []part{
		{"Switch", []string{"lamp"}, map[string]any{"labelOn": "Lit", "labelOff": "Dark"}, 5, 4},
		{"Push Button", []string{"lamp"}, map[string]any{"label": "Bell"}, 4, 4},
		{"Slider", []string{"target"}, map[string]any{"min": 10, "max": 35, "step": 0.5}, 8, 4},
		{"Stepper", []string{"count"}, map[string]any{"step": 5}, 7, 4},
		{"Time Picker", []string{"opened"}, nil, 8, 4},
		{"Color", []string{"color"}, nil, 5, 5},
		{"Dimmed Light", []string{"dimmer"}, nil, 6, 5},
		{"Colored Light", []string{"spot"}, nil, 6, 5},
		{"Scheduler", []string{"plan"}, nil, 7, 5},
		{"Value Selector", []string{"message"}, choices("all is well", "too dry", "window open"), 8, 4},
		{"Value Dropdown", []string{"count"}, choices(1, "2", 3), 6, 3},
		{"Value", []string{"target"}, map[string]any{"unit": "°C", "decimals": 1}, 6, 4},
		{"Status", []string{"lamp"}, map[string]any{"style": "icon", "iconOn": "bulb", "labelOn": "Lit", "labelOff": "Dark"}, 5, 4},
		{"Gauge", []string{"temperature"}, map[string]any{"min": 0, "max": 50}, 6, 6},
		{"Percentage", []string{"humidity"}, map[string]any{"threshold": 60, "icon": "drop"}, 5, 5},
		{"LED", []string{"lamp"}, map[string]any{"color": "#d32f2f"}, 4, 4},
		{"Messenger", []string{"message"}, nil, 8, 9},
		{"Map", []string{"place"}, map[string]any{"zoom": 4}, 9, 8},
		{"Sticky Note", nil, map[string]any{"text": note, "color": "#fff3c4"}, 7, 9},
		{"Advanced Map", []string{"place"}, map[string]any{"line": map[string]any{"style": "dashed"}, "pin": map[string]any{"icon": "home"}, "range": "1d"}, 12, 10},
		{"Chart", []string{"temperature"}, map[string]any{"range": "1d"}, 12, 8},
		{"Chart", []string{"lamp"}, map[string]any{"range": "1d"}, 12, 6},
		{"Advanced Chart", []string{"temperature", "humidity"}, map[string]any{"axes": map[string]any{g.property["humidity"]: "right"}, "format": map[string]any{g.property["humidity"]: "splineArea"}, "aggregation": map[string]any{g.property["temperature"]: "MAX"}}, 14, 9},
		{"Image", nil, map[string]any{"url": picture, "fit": "fit", "background": true}, 8, 7},
		{"Image Map", []string{"lamp", "count"}, map[string]any{"url": picture, "markersSettings": []map[string]any{{"property": g.property["lamp"], "x": 30, "y": 40, "label": "Lamp"}, {"property": g.property["count"], "x": 70, "y": 60}}}, 10, 8},
	}
}

// plan is a picture of two rooms.
func plan(t testing.TB) []byte {
	t.Helper()
	p := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for y := range 200 {
		for x := range 320 {
			c := color.RGBA{0xd8, 0xe6, 0xe0, 0xff}
			if x < 4 || x > 315 || y < 4 || y > 195 || x > 158 && x < 162 {
				c = color.RGBA{0x37, 0x47, 0x4f, 0xff}
			}
			p.Set(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// full makes a dashboard of every kind, with a picture of its own, and a way on the map.
func (h *home) full(g greenhouse) string {
	h.t.Helper()
	holder := h.wall(g)
	var made struct {
		Path string `json:"path"`
	}
	if err := h.api.Send(h.t.Context(), http.MethodPost, "/v1/dashboards/"+holder+"/images", "image/png", plan(h.t), &made); err != nil {
		h.t.Fatal(err)
	}
	now := h.Now()
	var way []map[string]any
	for i := range 40 {
		way = append(way, map[string]any{"timestamp": now.Add(time.Duration(i-41) * time.Minute).UTC().Format(time.RFC3339), "value": map[string]any{"lat": 45.0 + float64(i)/500, "lon": 7.6 + float64(i*i)/20000}})
	}
	h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish_batch", g.thing, g.property["place"]), way, nil)
	h.publish(g, "place", map[string]any{"lat": 45.08, "lon": 7.69})
	h.publish(g, "lamp", true)
	h.publish(g, "opened", 1_790_000_000)
	h.publish(g, "plan", map[string]any{"frm": 1_790_000_000, "to": 0, "len": 1800, "msk": 2<<26 | 0b101010})
	id := h.wall(g, everyKind(made.Path, g)...)
	return id
}

// in is a selector in the first widget of a kind.
func in(kind, selector string) string {
	return fmt.Sprintf(`[data-kind="%s"] .tile-body %s`, kind, selector)
}

// words is the text in the first widget of a kind, as an expression.
func words(kind string) string {
	return fmt.Sprintf(`(document.querySelector('%s')?.innerText ?? "")`, in(kind, ":scope > *")[:len(in(kind, ""))-1])
}

// shown waits until a widget of a kind says a text.
func (s *screen) shown(kind, text string) {
	s.T.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		s.T.Fatal(err)
	}
	s.until(words(kind) + `.replace(/\s+/g, " ").includes(` + string(quoted) + `)`)
}

// has waits until the server has a value of a property.
func (s *screen) has(g greenhouse, variable, want string) {
	s.T.Helper()
	ctx := s.T.Context()
	for deadline := time.Now().Add(20 * time.Second); ; {
		var p struct {
			Last json.RawMessage `json:"last_value"`
		}
		s.h.ask(http.MethodGet, "/iot/v2/things/"+g.thing+"/properties/"+g.property[variable], nil, &p)
		if strings.Contains(string(p.Last), want) {
			return
		}
		if time.Now().After(deadline) || pause(ctx) != nil {
			_ = s.shoot("stuck")
			s.T.Fatalf("%s is %s, want %s", variable, p.Last, want)
		}
	}
}

// put gives a text into a field of a widget, as people do it.
func (s *screen) put(kind, selector, text string) {
	s.T.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		s.T.Fatal(err)
	}
	s.until(`!!document.querySelector('` + in(kind, selector) + `')`)
	browsertest.Eval[chromedp.Void](s.Screen, `{
		const e = document.querySelector('`+in(kind, selector)+`');
		Object.getOwnPropertyDescriptor(Object.getPrototypeOf(e), "value").set.call(e, `+string(quoted)+`);
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
	}`)
}

// push clicks something in a widget.
func (s *screen) push(kind, selector string) {
	s.T.Helper()
	s.until(`(e => !!e && !e.disabled)(document.querySelector('` + in(kind, selector) + `'))`)
	browsertest.Eval[chromedp.Void](s.Screen, `document.querySelector('`+in(kind, selector)+`').click()`)
}

// Every kind shows what its variable has, sets it where people may, and shows what comes from the other side.
func TestWidgetsShowAndSet(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	id := h.full(g)
	s := h.screen(t, desk)
	s.open("/app/dashboards/" + id)
	s.says("Live")
	s.until(`document.querySelectorAll("[data-kind]").length === 25`)
	is := func(kind, selector, js string) { // js is of the element e
		t.Helper()
		s.until(`(e => !!e && (` + js + `))(document.querySelector('` + in(kind, selector) + `'))`)
	}
	for _, c := range []struct {
		kind string
		do   func()
	}{
		{"Switch", func() {
			s.shown("Switch", "Lit")
			s.push("Switch", "[role=switch]")
			s.has(g, "lamp", "false")
			s.shown("Switch", "Dark")
			h.publish(g, "lamp", true)
			is("Switch", "[role=switch]", `e.getAttribute("aria-checked") === "true"`)
		}},
		{"Push Button", func() {
			h.publish(g, "lamp", false)
			is("Push Button", "button", `e.getAttribute("aria-pressed") === "false"`)
			// With the pointer: true while it is held.
			box := browsertest.Eval[[]float64](s.Screen, `(e => (e.scrollIntoView({block: "center"}), e = e.getBoundingClientRect(), [e.x + e.width / 2, e.y + e.height / 2]))(document.querySelector('`+in("Push Button", "button")+`'))`)
			at := func(kind input.DispatchMouseEventType) {
				browsertest.Call(s.Screen, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: box[0], Y: box[1], Button: input.MouseButtonLeft, ClickCount: 1})
			}
			at("mousePressed")
			s.has(g, "lamp", "true")
			is("Push Button", "button", `e.getAttribute("aria-pressed") === "true"`)
			at("mouseReleased")
			s.has(g, "lamp", "false")
			// With a key; and whoever goes elsewhere lets go.
			browsertest.Eval[chromedp.Void](s.Screen, `(e => (e.focus(), e.dispatchEvent(new KeyboardEvent("keydown", {key: " ", bubbles: true}))))(document.querySelector('`+in("Push Button", "button")+`'))`)
			s.has(g, "lamp", "true")
			browsertest.Eval[chromedp.Void](s.Screen, `document.activeElement.blur()`)
			s.has(g, "lamp", "false")
		}},
		{"Slider", func() {
			s.shown("Slider", "22.5")
			s.put("Slider", "input[type=range]", "30.5")
			s.has(g, "target", "30.5")
			h.publish(g, "target", 12)
			s.shown("Slider", "12")
			// By the keyboard, a step at a time.
			browsertest.Eval[chromedp.Void](s.Screen, `document.querySelector('`+in("Slider", "input")+`').focus()`)
			s.Run(press(kb.ArrowRight))
			s.has(g, "target", "12.5")
		}},
		{"Stepper", func() {
			s.shown("Stepper", "1,234,567")
			s.push("Stepper", "button:last-of-type")
			s.has(g, "count", "1234572")
			s.push("Stepper", "button:first-of-type")
			s.has(g, "count", "1234567")
			h.publish(g, "count", 3)
			s.shown("Stepper", "3")
		}},
		{"Time Picker", func() {
			s.shown("Time Picker", "Sep 21, 2026")
			s.put("Time Picker", "input", "2026-12-24T18:30")
			s.push("Time Picker", "[type=submit]")
			s.has(g, "opened", "1798133400") // 17:30 in UTC: the thing is in Rome
			s.shown("Time Picker", "6:30:00 PM")
		}},
		{"Messenger", func() {
			s.shown("Messenger", "window open")
			s.put("Messenger", "input", "hello board")
			s.push("Messenger", "[type=submit]")
			s.has(g, "message", "hello board")
			is("Messenger", ".mine", `e.innerText.includes("hello board")`)
			h.publish(g, "message", "hello you")
			s.shown("Messenger", "hello you")
			h.publish(g, "message", "\x1banew")
			s.until(words("Messenger") + `.startsWith("anew")`)
		}},
		{"Color", func() {
			s.put("Color", "input", "#ff0000")
			s.has(g, "color", `"hue":0`)
			h.publish(g, "color", map[string]any{"hue": 120, "sat": 100, "bri": 100})
			is("Color", "input", `e.value === "#00ff00"`)
		}},
		{"Dimmed Light", func() {
			s.push("Dimmed Light", "[role=switch]")
			s.has(g, "dimmer", `"swi":false`)
			s.put("Dimmed Light", "input[type=range]", "25")
			s.has(g, "dimmer", `"bri":25`)
			h.publish(g, "dimmer", map[string]any{"swi": true, "bri": 80})
			is("Dimmed Light", "input[type=range]", `e.value === "80"`)
		}},
		{"Colored Light", func() {
			s.push("Colored Light", "[role=switch]")
			s.has(g, "spot", `"swi":false`)
			s.put("Colored Light", "input[type=color]", "#0000ff")
			s.has(g, "spot", `"hue":240`)
			h.publish(g, "spot", map[string]any{"swi": true, "hue": 60, "sat": 100, "bri": 40})
			is("Colored Light", "input[type=range]", `e.value === "40"`)
		}},
		{"Scheduler", func() {
			s.shown("Scheduler", "Each week on Mon, Wed, Fri")
			s.push("Scheduler", "button")
			s.fill("Repeats", "monthly")
			s.fill("Day of the month", "5")
			s.click("Set")
			s.has(g, "plan", fmt.Sprintf(`"msk":%d`, 3<<26|5))
			s.shown("Scheduler", "On day 5 of each month")
		}},
		{"Value Selector", func() {
			s.push("Value Selector", "button:nth-of-type(2)")
			s.has(g, "message", "too dry")
			h.publish(g, "message", "all is well")
			is("Value Selector", "button:nth-of-type(1)", `e.getAttribute("aria-pressed") === "true"`)
			h.publish(g, "message", "quite another")
			s.shown("Value Selector", "Now: quite another")
		}},
		{"Value Dropdown", func() {
			s.put("Value Dropdown", "select", "1")
			s.has(g, "count", "2")
			h.publish(g, "count", 3)
			is("Value Dropdown", "select", `e.value === "2"`)
		}},
		{"Value", func() {
			s.shown("Value", "12.5 °C")
			s.push("Value", "button")
			s.fill("target, °C", "17.25")
			s.click("Set")
			s.has(g, "target", "17.25")
			s.shown("Value", "17.3 °C")
			s.until(`document.querySelector("dialog[open]") === null`)
		}},
		{"Status", func() {
			s.shown("Status", "Dark")
			h.publish(g, "lamp", true)
			s.shown("Status", "Lit")
		}},
		{"Gauge", func() {
			h.publish(g, "temperature", 31.5)
			is("Gauge", "[role=meter]", `e.getAttribute("aria-valuetext") === "31.5 °C"`)
			h.publish(g, "temperature", 99)
			is("Gauge", ".w-gauge-arc.out", `true`)
		}},
		{"Percentage", func() {
			h.publish(g, "humidity", 41.25)
			s.shown("Percentage", "41.3 %")
			is("Percentage", ".w-percent.below", `true`)
			h.publish(g, "humidity", 75)
			is("Percentage", ".w-percent.above", `true`)
		}},
		{"LED", func() {
			is("LED", "[role=img]", `e.getAttribute("aria-label") === "LED: On"`)
			h.publish(g, "lamp", false)
			is("LED", "[role=img]", `e.getAttribute("aria-label") === "LED: Off"`)
		}},
		{"Map", func() {
			is("Map", "a", `e.href.startsWith("https://www.openstreetmap.org/?mlat=45.08000&mlon=7.69000") && e.rel.includes("noopener")`)
			h.publish(g, "place", map[string]any{"lat": -33.9, "lon": 18.4})
			is("Map", "a", `e.href.includes("mlat=-33.90000")`)
			before := s.Text(`document.querySelector('` + in("Map", ".w-grid") + `').getAttribute("d")`)
			s.push("Map", `[aria-label^="Zoom in"]`)
			is("Map", ".w-grid", fmt.Sprintf(`e.getAttribute("d") !== %q`, before))
			browsertest.Eval[chromedp.Void](s.Screen, `document.querySelector('`+in("Map", ".w-map-sheet")+`').focus()`)
			s.Run(press(kb.ArrowLeft))
			s.push("Map", `[aria-label^="Back to"]`)
		}},
		{"Advanced Map", func() {
			is("Advanced Map", ".w-way", `e.getAttribute("d").split("L").length > 30`)
			s.put("Advanced Map", "input[type=range]", "0")
			is("Advanced Map", "a", `e.href.includes("mlat=45.00000&mlon=7.60000")`)
		}},
		{"Chart", func() {
			is("Chart", "canvas", `e.width > 100`)
			h.publish(g, "temperature", 24.75)
			s.shown("Chart", "24.75")
			s.push("Chart", `[title="1 hour"]`)
			is("Chart", `[title="1 hour"]`, `e.getAttribute("aria-pressed") === "true"`)
			is("Chart", "canvas", `e.width > 100`)
			// Of what is no number: a stripe.
			s.until(`document.querySelectorAll('[data-kind="Chart"] .stripe .stretch').length > 5`)
		}},
		{"Advanced Chart", func() {
			is("Advanced Chart", ".w-legend button", `e.innerText.includes("temperature") && e.innerText.includes("24.75")`)
			s.push("Advanced Chart", ".w-legend button")
			is("Advanced Chart", ".w-legend button", `e.getAttribute("aria-pressed") === "false"`)
			s.push("Advanced Chart", `.w-tools [aria-label="Choose two dates"]`)
			s.fill("From", "2020-01-01T00:00")
			s.fill("To", "2020-01-02T00:00")
			s.click("Show")
			s.shown("Advanced Chart", "No values in this time")
		}},
		{"Sticky Note", func() {
			if html := s.Text(`document.querySelector('` + in("Sticky Note", ".w-written") + `').innerHTML`); strings.Contains(html, "<img") || strings.Contains(html, "<b>") || strings.Contains(html, "javascript:alert") && strings.Contains(html, `href="javascript`) || !strings.Contains(html, "<strong>morning</strong>") || !strings.Contains(html, `rel="noopener noreferrer"`) {
				t.Errorf("the note is %s", html)
			}
		}},
		{"Image", func() { is("Image", "img", `e.naturalWidth === 320`) }},
		{"Image Map", func() {
			is("Image Map", "img", `e.naturalWidth === 320`)
			s.push("Image Map", "[role=switch]")
			s.has(g, "lamp", "true")
			h.publish(g, "count", 41)
			s.shown("Image Map", "41")
		}},
	} {
		done := t.Run(c.kind, func(*testing.T) { c.do() })
		if !done {
			return
		}
	}
	s.Judge(pictures, "widgets-after")
}

// Every kind looks as it should at every width and in both looks, where values are and where none are yet, live and old.
func TestWidgetsInABrowser(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	id := h.full(g)
	s := h.screen(t, desk)
	s.open("/app/dashboards/" + id)
	s.says("Live")
	s.until(`document.querySelectorAll(".tile-body .skeleton").length === 0`)
	s.everywhere("widgets")
}

// smallest are the kinds at the smallest size that the application lets them have, as its own table says it.
func smallest(t *testing.T, all []part) []part {
	t.Helper()
	sizes := map[string][2]int{}
	of := regexp.MustCompile(`(?s)type: "([^"]+)",.*?minW: (\d+), minH: (\d+)`)
	for _, file := range []string{"controls.ts", "shows.ts"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "web", "app", "widgets", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range of.FindAllStringSubmatch(string(text), -1) {
			w, _ := strconv.Atoi(m[2])
			h, _ := strconv.Atoi(m[3])
			sizes[m[1]] = [2]int{w, h}
		}
	}
	if len(sizes) != 24 {
		t.Fatalf("%d kinds, want 24: %v", len(sizes), sizes)
	}
	out := slices.Clone(all)
	for i := range out {
		size, known := sizes[out[i].kind]
		if !known {
			t.Fatalf("the application knows no %s", out[i].kind)
		}
		out[i].width, out[i].height = size[0], size[1]
	}
	return out
}

// loaded opens a dashboard and waits until all of its widgets are there.
func (s *screen) loaded(id string, widgets int) {
	s.T.Helper()
	s.open("/app/dashboards/" + id)
	s.until(fmt.Sprintf(`document.querySelectorAll("[data-kind]").length === %d && !document.querySelector(".tile-body .skeleton")`, widgets))
}

// At the smallest size, nothing that can be pressed or read is cut off; without values each says so; where somebody may only look,
// nothing can be pressed; and a variable of the wrong type is said.
func TestWidgetsAtTheirLimits(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	full := h.full(g)
	var d struct {
		Widgets []struct {
			Type    string         `json:"type"`
			Options map[string]any `json:"options"`
		} `json:"widgets"`
	}
	h.ask(http.MethodGet, "/iot/v3/dashboards/"+full, nil, &d)
	picture := ""
	for _, w := range d.Widgets {
		if w.Type == "Image" {
			picture, _ = w.Options["url"].(string)
		}
	}
	all := everyKind(picture, g)
	s := h.screen(t, desk)
	t.Run("small", func(*testing.T) {
		s.loaded(h.wall(g, smallest(t, all)...), len(all))
		cut := s.Text(`[...document.querySelectorAll(".tile-body")].flatMap(b => {
			const box = b.getBoundingClientRect();
			return [...b.querySelectorAll("button, input, select, .w-words, .w-number, .value-text")].filter(e => {
				if (e.closest(".w-ranges, .w-messages, .w-note, .w-picks, .w-map, .w-imap, .w-legend, .w-schedule") || !e.offsetParent) return false;
				const r = e.getBoundingClientRect();
				return r.left < box.left - 2 || r.right > box.right + 2 || r.top < box.top - 2 || r.bottom > box.bottom + 2;
			}).map(e => b.closest("[data-kind]").dataset.kind + ": " + e.tagName + "." + e.className);
		}).join(", ")`)
		if cut != "" {
			t.Errorf("cut off at the smallest size: %s", cut)
		}
		s.everywhere("widgets-small")
	})
	t.Run("large", func(*testing.T) {
		large := slices.Clone(all)
		for i := range large {
			large[i].width, large[i].height = 12, 10
		}
		s.loaded(h.wall(g, large...), len(all))
		s.Judge(pictures, "widgets-large")
	})
	t.Run("empty", func(*testing.T) {
		var made wireThing
		h.ask(http.MethodPut, "/iot/v2/things/"+g.thing+"/clone", map[string]any{"name": "Never heard of"}, &made)
		h.ask(http.MethodGet, "/iot/v2/things/"+made.ID+"?show_properties=true", nil, &made)
		empty := made.as()
		s.loaded(h.wall(empty, everyKind("", empty)...), len(all))
		mute := s.Text(`[...document.querySelectorAll("[data-kind]")].filter(e => !["Sticky Note", "Push Button", "Color", "Colored Light", "Dimmed Light", "Value Dropdown"].includes(e.dataset.kind) && !/no value|no picture|none|no message/i.test(e.innerText + e.querySelector("[aria-label], [aria-valuetext]")?.outerHTML)).map(e => e.dataset.kind).join(", ")`)
		if mute != "" {
			t.Errorf("these do not say that there is no value: %s", mute)
		}
		s.Judge(pictures, "widgets-empty-1280-light")
		s.Resize(browsertest.Look{Width: 360, Dark: true})
		s.Judge(pictures, "widgets-empty-360-dark")
		s.Resize(desk)
	})
	t.Run("wrong type", func(*testing.T) {
		wrong := slices.Clone(all)
		n := 0
		for i := range wrong {
			if len(wrong[i].variables) > 0 {
				wrong[i].variables = []string{"screen"} // a television, which none of them shows
				n++
			}
		}
		s.loaded(h.wall(g, wrong...), len(all))
		if said := browsertest.Eval[int](s.Screen, `document.querySelectorAll(".tile-nothing").length`); said != n {
			t.Errorf("%d of %d say that the variable is of the wrong type", said, n)
		}
		s.Judge(pictures, "widgets-wrong")
	})
	t.Run("old", func(*testing.T) {
		dead := newDouble()
		h.front.double.Store(dead)
		s.Ignore("/v1/live")
		s.loaded(full, len(all))
		s.says("Live")
		dead.refuse.Store(true)
		dead.cut()
		s.says("Offline")
		fresh := s.Text(`[...document.querySelectorAll("[data-kind]")].filter(e => !["Sticky Note", "Image"].includes(e.dataset.kind) && !e.querySelector(".tile-body .old")).map(e => e.dataset.kind).join(", ")`)
		if fresh != "" {
			t.Errorf("these look live: %s", fresh)
		}
		s.Judge(pictures, "widgets-old")
		h.front.double.Store(nil)
	})
}

// What the server refuses is said, and the control goes back to what is.
func TestAWidgetIsRefused(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	h.publish(g, "lamp", true)
	s := h.screen(t, desk)
	s.loaded(h.wall(g, part{"Switch", []string{"lamp"}, nil, 5, 4}, part{"Slider", []string{"target"}, map[string]any{"min": 0, "max": 100}, 8, 4}), 2)
	s.shown("Switch", "On")
	browsertest.Eval[chromedp.Void](s.Screen, `{
		const real = window.fetch;
		window.fetch = (at, init) => String(at).includes("/publish") ? Promise.resolve(new Response('{"code":"busy","detail":"The board is busy."}', {status: 400})) : real(at, init);
	}`)
	s.put("Slider", "input[type=range]", "90")
	s.says("The board is busy.")
	s.until(`document.querySelector('` + in("Slider", "input") + `').value === "22.5"`)
	s.shown("Slider", "22.5")
	s.push("Switch", "[role=switch]")
	s.until(`document.querySelectorAll(".toast.bad").length > 1`)
	s.shown("Switch", "On")
	s.Judge(pictures, "widgets-refused")
}

// Where nobody may write, all is seen and nothing can be pressed: while widgets are arranged, and on a public link, to strangers.
func TestWidgetsToLookAt(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	id := h.full(g)
	var link struct {
		Token string `json:"token"`
	}
	h.ask(http.MethodPut, "/v1/dashboards/"+id+"/link", map[string]any{}, &link)
	s := h.screen(t, desk)
	for name, path := range map[string]string{"arranged": "/app/dashboards/" + id + "?edit=1", "public": "/app/shared/" + link.Token} {
		t.Run(name, func(*testing.T) {
			s.open(path)
			s.until(`document.querySelectorAll("[data-kind]").length === 25 && !document.querySelector(".tile-body .skeleton")`)
			if able := s.Text(`[...document.querySelectorAll(".tile-body :is(input, select, [role=switch], .w-push-button, .w-step, .w-picks button)")].filter(e => !e.disabled && !e.closest(".w-map")).map(e => e.closest("[data-kind]").dataset.kind).join(", ")`); able != "" {
				t.Errorf("these can be used: %s", able)
			}
			s.until(`[...document.querySelectorAll(".w-image img, .w-imap img")].filter(e => e.naturalWidth === 320).length === 2`)
			s.Judge(pictures, "widgets-"+name)
		})
	}
}

// Each kind's settings open, keep what is typed, and please axe, at every width and in both looks; some at a time.
func TestSettingsOfWidgets(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	for some := range slices.Chunk(everyKind("", g), 7) {
		id := h.wall(g, some...)
		t.Run(some[0].kind, func(t *testing.T) {
			s.T = t
			s.open("/app/dashboards/" + id + "?edit=1")
			for _, p := range some {
				s.until(`!!document.querySelector('[data-kind="` + p.kind + `"] .grip')`)
				browsertest.Eval[bool](s.Screen, `(document.querySelector('[data-kind="`+p.kind+`"] .grip').click(), true)`)
				s.until(`!!document.querySelector("dialog[open] form") && !document.querySelector("dialog .skeleton")`)
				s.everywhere("widget-settings-" + strings.ReplaceAll(strings.ToLower(p.kind), " ", "-"))
				s.Resize(desk)
				s.Run(press("\x1b"))
				s.until(`document.querySelector("dialog[open]") === null`)
			}
		})
	}
}

// A marker is put where it belongs by keys, and stays there.
func TestPlacingMarkers(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	id := h.wall(g, part{"Image Map", []string{"lamp", "count"}, map[string]any{"markersSettings": []map[string]any{{"property": g.property["lamp"], "x": 30, "y": 40, "label": "Lamp", "layer": "a"}}}, 10, 8})
	s := h.screen(t, desk)
	s.open("/app/dashboards/" + id + "?edit=1")
	s.until(`!!document.querySelector('[data-kind="Image Map"] .grip')`)
	browsertest.Eval[bool](s.Screen, `(document.querySelector('[data-kind="Image Map"] .grip').click(), true)`)
	s.until(`!!document.querySelector('dialog [aria-label="Lamp, at 30 % and 40 %"]')`)
	browsertest.Eval[chromedp.Void](s.Screen, `document.querySelector('dialog [aria-label="Lamp, at 30 % and 40 %"]').focus()`)
	s.Run(press(kb.ArrowRight), press(kb.ArrowDown))
	s.until(`!!document.querySelector('dialog [aria-label="Lamp, at 31 % and 41 %"]')`)
	s.fill("Label of count", "Hens")
	s.click("Apply")
	for deadline := time.Now().Add(20 * time.Second); ; {
		var raw json.RawMessage
		h.ask(http.MethodGet, "/iot/v3/dashboards/"+id, nil, &raw)
		if strings.Contains(string(raw), `"x":31`) && strings.Contains(string(raw), `"y":41`) && strings.Contains(string(raw), "Hens") && strings.Contains(string(raw), `"layer":"a"`) {
			break
		}
		if time.Now().After(deadline) || pause(t.Context()) != nil {
			t.Fatalf("the markers are %s", raw)
		}
	}
	s.until(`!!document.querySelector('[aria-label^="Hens: "]')`)
}

// What a dashboard weighs, as it is sent: without maps and charts, with charts, and with all.
func TestDashboardsAreLight(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	all := everyKind("", g)
	without := func(kinds ...string) (out []part) {
		for _, p := range all {
			if !slices.Contains(kinds, p.kind) {
				out = append(out, p)
			}
		}
		return out
	}
	for _, c := range []struct {
		name  string
		parts []part
		most  int // bytes
	}{
		{"without charts and maps", without("Chart", "Advanced Chart", "Map", "Advanced Map"), mostBytes},
		{"with charts", without("Map", "Advanced Map"), mostBytes},
		{"with all", all, 150_000},
	} {
		s := h.screen(t, desk)
		s.loaded(h.wall(g, c.parts...), len(c.parts))
		weight := browsertest.Eval[int](s.Screen, `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter(e => /\.(js|css|html|svg)$|^\/app/.test(new URL(e.name).pathname) && !new URL(e.name).pathname.endsWith(".json")).reduce((n, e) => n + e.encodedBodySize, 0)`)
		t.Logf("%s: %d bytes", c.name, weight)
		if weight == 0 || weight > c.most {
			t.Errorf("a dashboard %s weighs %d bytes, want at most %d", c.name, weight, c.most)
		}
	}
}

// How much of the main thread fifty widgets take that each get ten values a second. It is printed, and only a page that cannot keep up
// fails: machines differ.
func TestManyLiveWidgets(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds and a free processor")
	}
	h := newHome(t)
	const widgets, hertz, seconds = 50, 10, 10
	var properties []map[string]any
	for i := range widgets {
		properties = append(properties, map[string]any{"name": fmt.Sprintf("p%d", i), "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"})
	}
	var made struct {
		ID         string `json:"id"`
		Properties []struct {
			ID       string `json:"id"`
			Variable string `json:"variable_name"`
		} `json:"properties"`
	}
	h.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Many", "properties": properties}, &made)
	many := greenhouse{thing: made.ID, property: map[string]string{}}
	var parts []part
	kinds := []string{"Value", "Gauge", "Percentage", "Slider", "Stepper"}
	for i, p := range made.Properties {
		many.property[p.Variable] = p.ID
		parts = append(parts, part{kinds[i%len(kinds)], []string{p.Variable}, nil, 4, 4})
	}
	parts[0] = part{"Chart", []string{"p0"}, map[string]any{"range": "live"}, 12, 8}
	parts[1] = part{"Advanced Chart", []string{"p1", "p2", "p3"}, map[string]any{"range": "live"}, 12, 8}
	id := h.wall(many, parts...)
	d := newDouble()
	h.front.double.Store(d)
	s := h.screen(t, desk)
	s.Ignore("/v1/live")
	s.loaded(id, widgets)
	s.says("Live")
	took := func() (task, script, layout, style float64) {
		t.Helper()
		m, err := chromedp.Call(s.Ctx, performance.GetMetrics, cdp.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range m.Metrics {
			switch one.Name {
			case "TaskDuration":
				task = one.Value
			case "ScriptDuration":
				script = one.Value
			case "LayoutDuration":
				layout = one.Value
			case "RecalcStyleDuration":
				style = one.Value
			}
		}
		return task, script, layout, style
	}
	// In time of the thread itself, which is that of a machine with nothing else to do.
	browsertest.Call(s.Screen, performance.Enable, performance.EnableParams{TimeDomain: performance.EnableTimeDomainThreadTicks})
	at := time.Now().Add(-time.Second)
	task0, script0, layout0, style0 := took()
	begin := time.Now()
	beat := time.NewTicker(time.Second / hertz)
	defer beat.Stop()
	for i := range hertz * seconds {
		<-beat.C
		var all []map[string]any
		for n, p := range made.Properties {
			all = append(all, map[string]any{"thing": made.ID, "property": p.ID, "value": float64((i*7+n*13)%1000) / 10, "at": at.Add(time.Duration(i) * time.Second / hertz).UTC().Format(time.RFC3339Nano)})
		}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		d.say("values", string(text))
	}
	wall := time.Since(begin).Seconds()
	task, script, layout, style := took()
	share := (task - task0) / wall
	t.Logf("%d widgets at %d Hz for %.1f s: the main thread is busy for %.1f %% of the time: %.1f %% scripts, %.1f %% layout, %.1f %% styles", widgets, hertz, wall, 100*share, 100*(script-script0)/wall, 100*(layout-layout0)/wall, 100*(style-style0)/wall)
	if share > 0.9 {
		t.Errorf("the page does not keep up: its main thread is busy for %.0f %% of the time", 100*share)
	}
	last := fmt.Sprintf("%g", float64(((hertz*seconds-1)*7+5*13)%1000)/10)
	s.until(fmt.Sprintf(`document.querySelectorAll('[data-kind="Value"] .value-text')[0].innerText === %q`, last))
	s.Judge(pictures, "widgets-many")
}
