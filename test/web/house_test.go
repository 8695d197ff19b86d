package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

const password = "slate-roof-and-rain-4711"

// pictures is where they are kept.
var pictures = filepath.Join("..", "..", "artifacts", "app")

// A home is a house with a person in it, and the front that her browser sees.
type home struct {
	*servertest.House
	t      testing.TB
	front  *front
	user   string
	email  string
	key    servertest.Key
	api    *client.Client
	cookie string // of the session in which she is signed in; "" not yet
}

func newHome(t *testing.T, change ...func(*server.Config)) *home {
	t.Helper()
	h := servertest.Start(t, change...)
	return (&home{House: h, t: t, front: newFront(t, h)}).person("anna@example.org", "Anna Bianchi")
}

// person is the same house with another person in it.
func (h *home) person(email, name string) *home {
	h.t.Helper()
	var u struct {
		ID string `json:"id"`
	}
	h.Admin("user.add", map[string]string{"email": email, "name": name, "password": password}, &u)
	var key servertest.Key
	h.Admin("apikey.add", map[string]string{"user": u.ID, "name": "test"}, &key)
	return &home{House: h.House, t: h.t, front: h.front, user: u.ID, email: email, key: key, api: h.Client(key)}
}

// ask calls the API as a program, and decodes its answer into out, if not nil.
func (h *home) ask(method, path string, in, out any) {
	h.t.Helper()
	if err := h.api.Do(h.t.Context(), method, path, in, out); err != nil {
		h.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// A screen is a tab in which Anna is signed in.
type screen struct {
	*browsertest.Screen
	h *home
}

// screen opens a tab with the session of h, which the first one begins as people do.
func (h *home) screen(t *testing.T, look browsertest.Look) *screen {
	t.Helper()
	s := &screen{browsertest.Open(t, look), h}
	if h.cookie == "" {
		s.signIn()
		return s
	}
	browsertest.Call(s.Screen, network.SetCookie, network.SetCookieParams{Name: "__Host-ardesia", Value: h.cookie, URL: h.front.at() + "/", Path: "/", Secure: new(true), HTTPOnly: new(true)})
	return s
}

// signIn begins at the application, which leads to where people sign in and back.
func (s *screen) signIn() {
	s.T.Helper()
	s.Ignore("/v1/spaces", "/signin")
	s.Run(chromedp.Navigate(s.h.front.at()+"/app/things"), chromedp.WaitVisible(chromedp.CSS("#email")))
	s.Run(chromedp.SetValue(chromedp.CSS("#email"), s.h.email))
	s.Leave(chromedp.Click(chromedp.CSS("main button.main")))
	s.Run(chromedp.SetValue(chromedp.CSS("#password"), password))
	s.Leave(chromedp.Click(chromedp.CSS("main button.main")))
	s.until(`document.querySelector("main h1") !== null`)
	got, err := chromedp.Call(s.Ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{s.h.front.at() + "/"}})
	if err != nil {
		s.T.Fatal(err)
	}
	for _, c := range got.Cookies {
		if c.Name == "__Host-ardesia" {
			s.h.cookie = c.Value
		}
	}
	if s.h.cookie == "" {
		s.T.Fatalf("nobody is signed in; at %s: %s", s.Path(), s.Text(`document.body.innerText`))
	}
	_, _ = s.Trouble()
}

// open goes to a page of the application and waits until it is there with what it shows.
func (s *screen) open(path string) {
	s.T.Helper()
	s.Run(chromedp.Navigate(s.h.front.at() + path))
	s.settled()
}

// settled waits until a page is there, with nothing that is still loading.
func (s *screen) settled() {
	s.T.Helper()
	s.until(`document.querySelector("main h1") !== null && !document.querySelector("main .skeleton, main .skeletons") && document.fonts.status === "loaded"`)
}

// until waits for something in the page to be true.
func (s *screen) until(js string) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.Ctx, 20*time.Second)
	defer cancel()
	for {
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](js))
		if err == nil && is {
			return
		}
		if pause(ctx) != nil {
			_ = s.shoot("stuck")
			s.T.Fatalf("never: %s (%v); at %s, in %s: %s", js, err, s.Path(), s.Text(`document.activeElement.outerHTML.slice(0, 120)`), s.Text(`document.body.innerText.slice(0, 800)`))
		}
	}
}

func (s *screen) shoot(name string) error {
	s.Look(pictures, strings.ReplaceAll(s.T.Name(), "/", "-")+"-"+name)
	return nil
}

// says waits for a text on the page.
func (s *screen) says(text string) {
	s.T.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		s.T.Fatal(err)
	}
	s.until(`document.body.innerText.includes(` + string(quoted) + `)`)
}

// click clicks what has a text, or a name that only readers of screens hear.
func (s *screen) click(text string) {
	s.T.Helper()
	find := s.named(text)
	s.until(`!!` + find)
	browsertest.Eval[bool](s.Screen, `(setTimeout(e => e.click(), 0, `+find+`), true)`) // what it leads to may be another page
}

// named finds what has a text, or a name that only readers of screens hear, and can be clicked.
func (s *screen) named(text string) string {
	s.T.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		s.T.Fatal(err)
	}
	return `[...(document.querySelector("dialog[open]:last-of-type") ?? document).querySelectorAll("button, a, summary, label, [role=option], input[type=checkbox]")].filter(e => e.offsetParent !== null && (e.innerText.trim().split("\n")[0] === ` + string(quoted) + ` || e.getAttribute("aria-label") === ` + string(quoted) + `))[0]`
}

// press is click by a mouse, as a person does it: what browsers let nobody else do works by it.
func (s *screen) press(text string) {
	s.T.Helper()
	find := s.named(text)
	s.until(`!!` + find)
	at := browsertest.Eval[[]float64](s.Screen, `(e => { e.scrollIntoView({block: "center", behavior: "instant"}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })(`+find+`)`)
	s.Run(chromedp.MouseClickXY(at[0], at[1]))
}

// fill types into the field with a label.
func (s *screen) fill(label, text string) {
	s.T.Helper()
	l, err := json.Marshal(label)
	if err != nil {
		s.T.Fatal(err)
	}
	v, err := json.Marshal(text)
	if err != nil {
		s.T.Fatal(err)
	}
	find := `[...(document.querySelector("dialog[open]:last-of-type") ?? document).querySelectorAll("input, select, textarea")].find(e => (e.labels?.[0]?.innerText.trim() ?? "") === ` + string(l) + ` || e.getAttribute("aria-label") === ` + string(l) + `)`
	s.until(`!!` + find)
	s.until(`(e => !(e instanceof HTMLSelectElement) || [...e.options].some(o => o.value === ` + string(v) + `))(` + find + `)`) // choices may come later
	browsertest.Eval[chromedp.Void](s.Screen, `{
		const e = `+find+`;
		const of = e instanceof HTMLSelectElement ? HTMLSelectElement : e instanceof HTMLTextAreaElement ? HTMLTextAreaElement : HTMLInputElement;
		Object.getOwnPropertyDescriptor(of.prototype, "value").set.call(e, `+string(v)+`);
		e.dispatchEvent(new Event("input", {bubbles: true}));
		e.dispatchEvent(new Event("change", {bubbles: true}));
	}`)
}

// pause lets the other side get on, and ends with ctx.
func pause(ctx context.Context) error {
	timer := time.NewTimer(25 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// A greenhouse is a thing with a property of each sort, its device, and some history.
type greenhouse struct {
	thing, device string
	property      map[string]string // ID by variable
}

// A wireThing is what the API tells of a thing.
type wireThing struct {
	ID         string `json:"id"`
	Properties []struct {
		ID       string `json:"id"`
		Variable string `json:"variable_name"`
	} `json:"properties"`
}

// as is a thing to be looked at, without a device.
func (w wireThing) as() greenhouse {
	g := greenhouse{thing: w.ID, property: map[string]string{}}
	for _, p := range w.Properties {
		g.property[p.Variable] = p.ID
	}
	return g
}

// thing makes a thing.
func (h *home) thing(in map[string]any) greenhouse {
	h.t.Helper()
	var made wireThing
	h.ask(http.MethodPut, "/iot/v2/things", in, &made)
	return made.as()
}

func (h *home) greenhouse() greenhouse {
	h.t.Helper()
	var d struct {
		ID string `json:"id"`
	}
	h.ask(http.MethodPut, "/iot/v2/devices", map[string]any{"name": "Board by the door", "type": "login_and_secretkey_wifi", "fqbn": "esp32:esp32:esp32", "tags": []map[string]string{{"key": "room", "value": "glass"}}}, &d)
	h.ask(http.MethodPut, "/iot/v2/devices/"+d.ID+"/pass", map[string]any{}, nil)
	one := func(name, kind, permission string, more map[string]any) map[string]any {
		p := map[string]any{"name": name, "type": kind, "permission": permission, "update_strategy": "ON_CHANGE"}
		for k, v := range more {
			p[k] = v
		}
		return p
	}
	g := h.thing(map[string]any{"name": "Greenhouse", "timezone": "Europe/Rome", "device_id": d.ID,
		"tags": []map[string]string{{"key": "room", "value": "glass"}, {"key": "site", "value": "garden"}},
		"properties": []map[string]any{
			one("temperature", "TEMPERATURE", "READ_ONLY", nil), one("humidity", "PERCENTAGE_RELATIVE_HUMIDITY", "READ_ONLY", nil),
			one("lamp", "STATUS", "READ_WRITE", nil), one("target", "FLOAT", "READ_WRITE", map[string]any{"min_value": 10, "max_value": 35}),
			one("message", "CHARSTRING", "READ_WRITE", nil), one("color", "COLOR_HSB", "READ_WRITE", nil), one("spot", "HOME_COLORED_LIGHT", "READ_WRITE", nil),
			one("dimmer", "HOME_DIMMED_LIGHT", "READ_WRITE", nil), one("place", "LOCATION", "READ_WRITE", nil), one("plan", "SCHEDULE", "READ_WRITE", nil),
			one("opened", "TIME", "READ_WRITE", nil), one("count", "COUNT", "READ_WRITE", nil), one("screen", "HOME_TELEVISION", "READ_WRITE", nil), one("extra", "GENERIC_COMPLEX_PROPERTY", "READ_WRITE", nil),
		}})
	g.device = d.ID
	now := h.Now()
	series := func(variable string, step time.Duration, n int, value func(i int) any) {
		var batch []map[string]any
		for i := range n {
			batch = append(batch, map[string]any{"timestamp": now.Add(-step * time.Duration(n-i)).UTC().Format(time.RFC3339), "value": value(i)})
		}
		h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish_batch", g.thing, g.property[variable]), batch, nil)
	}
	series("temperature", 3*time.Minute, 460, func(i int) any { return 21 + float64((i*7)%40)/10 + 3*float64(i%120)/120 })
	series("humidity", 5*time.Minute, 200, func(i int) any { return 55 + float64((i*3)%17) })
	series("lamp", 47*time.Minute, 30, func(i int) any { return i%2 == 0 })
	series("message", 3*time.Hour, 8, func(i int) any { return []string{"all is well", "too dry", "window open"}[i%3] })
	for variable, value := range map[string]any{
		"target": 22.5, "color": map[string]any{"hue": 182, "sat": 70, "bri": 80}, "spot": map[string]any{"swi": true, "hue": 30, "sat": 90, "bri": 90},
		"dimmer": map[string]any{"swi": true, "bri": 60}, "place": map[string]any{"lat": 45.07, "lon": 7.69}, "count": 1234567, "extra": map[string]any{"mode": "night"},
	} {
		h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish", g.thing, g.property[variable]), map[string]any{"value": value}, nil)
	}
	return g
}
