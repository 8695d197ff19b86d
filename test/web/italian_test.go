package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// Every page in Italian, whose words are longer, on a phone and on a desk: nothing is cut off.
func TestPagesInItalian(t *testing.T) {
	h := newHome(t)
	st := h.stage()
	board := h.board(st.greenhouse)
	s := h.screen(t, desk)
	s.Ignore("/iot/v2/devices/00000000") // is not there, and says so
	s.speaks("it")
	thing := "/app/things/" + st.thing
	for name, path := range map[string]string{
		"things": "/app/things", "values": thing, "setup": thing + "/setup", "about": thing + "/about", "sketch": thing + "/sketch",
		"history": thing + "/history?property=" + st.property["temperature"], "states": thing + "/history?property=" + st.property["lamp"],
		"devices": "/app/devices", "device": "/app/devices/" + st.device, "add": "/app/devices/new", "gone": "/app/devices?deleted=1", "gone-none": "/app/things?deleted=1",
		"triggers": "/app/triggers", "trigger": "/app/triggers/" + st.trigger, "trigger-new": "/app/triggers/new?thing=" + st.thing + "&property=" + st.property["temperature"], "trigger-edit": "/app/triggers/" + st.trigger + "/edit", "triggers-gone": "/app/triggers?deleted=1",
		"updates": "/app/updates", "update-new": "/app/updates/new", "templates": "/app/templates", "notices": "/app/notices",
		"boards": "/app/dashboards", "board": "/app/dashboards/" + board.ID, "board-edit": "/app/dashboards/" + board.ID + "?edit=1",
		"missing": "/app/devices/00000000-0000-4000-8000-000000000000", "nowhere": "/app/no/such/page",
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.open(path)
			if lang := s.Text(`document.documentElement.lang`); lang != "it" {
				t.Errorf("%s is in %s", path, lang)
			}
			s.atWidths("it-"+name, 360, 1280)
		})
	}
}

// What comes from the server is Italian too: the names of types, and why it refuses. Where it says more than we have words
// for, its own follow ours.
func TestServerInItalian(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.Ignore("/iot/v2/things/", "/iot/v2/devices/") // refuse what is wrong
	s.speaks("it")
	s.open("/app/things/" + g.thing + "/setup?add=1")
	s.says("Temperatura (°C)")
	s.until(`document.querySelector("dialog[open] optgroup") !== null`)
	for kind, want := range map[string]string{
		"STATUS": "Sì o no (booleano)", "TEMPERATURE": "Temperatura (°C, °F, K)", "HOME_SMART_PLUG": "Presa intelligente", "LENGHT_I": "Lunghezza (pollici) (in)",
	} {
		if got := s.Text(`document.querySelector('dialog[open] option[value="` + kind + `"]').innerText`); got != want {
			t.Errorf("the type %s is called %q, want %q", kind, got, want)
		}
	}
	s.fill("Nome", "temperature")
	s.fill("Tipo", "TEMPERATURE")
	s.submit()
	s.says("Un'altra proprietà di questa cosa ha già questo nome.")
	s.everywhere("it-refused")
	s.Resize(desk)

	s.open("/app/devices/" + g.device)
	s.click("Azioni per Board by the door")
	s.click("Rinomina")
	s.fill("Nome", "!!!")
	s.submit()
	s.says("Il dispositivo non è valido. Nel dettaglio, in inglese: A device's name has at most 64 characters")
	s.everywhere("it-refused-more")
}

// Numbers, dates and units are written as the language does, and by the clock where the thing is, wherever one looks from.
func TestValuesInItalian(t *testing.T) {
	h := newHome(t)
	var made struct {
		ID         string `json:"id"`
		Properties []struct {
			ID       string `json:"id"`
			Variable string `json:"variable_name"`
		} `json:"properties"`
	}
	property := func(name, kind string) map[string]any {
		return map[string]any{"name": name, "type": kind, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}
	}
	h.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Serra", "timezone": "Asia/Tokyo",
		"properties": []any{property("temperature", "TEMPERATURE"), property("count", "COUNT"), property("opened", "TIME"), property("lamp", "STATUS"), property("place", "LOCATION")}}, &made)
	id := map[string]string{}
	for _, p := range made.Properties {
		id[p.Variable] = p.ID
	}
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	opened := time.Date(2026, 7, 1, 15, 30, 0, 0, tokyo)
	for variable, value := range map[string]any{"temperature": -1234.5, "count": 1234567, "opened": opened.Unix(), "place": map[string]any{"lat": 45.07, "lon": 7.69}} {
		h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish", made.ID, id[variable]), map[string]any{"value": value}, nil)
	}
	lit := h.Now().Add(-30 * time.Minute).In(tokyo).Truncate(time.Second)
	h.ask(http.MethodPut, fmt.Sprintf("/iot/v2/things/%s/properties/%s/publish_batch", made.ID, id["lamp"]), []any{map[string]any{"timestamp": lit.UTC().Format(time.RFC3339), "value": true}}, nil)
	months := []string{"gen", "feb", "mar", "apr", "mag", "giu", "lug", "ago", "set", "ott", "nov", "dic"}
	italian := func(at time.Time) string {
		return fmt.Sprintf("%d %s %d, %s", at.Day(), months[at.Month()-1], at.Year(), at.Format("15:04:05"))
	}

	s := h.screen(t, desk)
	s.open("/app/things")
	s.speaks("it")
	browsertest.Call(s.Screen, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "America/New_York"})
	s.open("/app/things/" + made.ID)
	for variable, want := range map[string]string{"temperature": "-1234,5", "count": "1.234.567", "opened": italian(opened), "place": "45,07, 7,69"} {
		s.until(valueOf(variable) + ` !== undefined`)
		if got := s.Text(valueOf(variable)); got != want {
			t.Errorf("%s is %q, want %q", variable, got, want)
		}
	}
	s.until(`document.querySelector('[data-property="temperature"] .value small')?.innerText === "°C"`)
	if when := s.Text(`document.querySelector('[data-property="lamp"] time').title`); when != italian(lit) {
		t.Errorf("the lamp was lit %q, want %q", when, italian(lit))
	}
	s.open("/app/things/" + made.ID + "/history?range=1h&property=" + id["lamp"])
	s.until(`document.querySelector(".changes tbody") !== null`)
	if row := s.Text(`document.querySelector(".changes tbody tr").innerText`); !strings.Contains(row, lit.Format("15:04:05")) {
		t.Errorf("the row is %q, want %s in it", row, lit.Format("15:04:05"))
	}
	s.open("/app/things/" + made.ID + "/history?range=1h&property=" + id["temperature"])
	s.until(`document.querySelector(".u-over") !== null`)
	edge := browsertest.Eval[[]float64](s.Screen, `(r => [r.right - 4, r.y + r.height / 2])(document.querySelector(".u-over").getBoundingClientRect())`)
	s.Run(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, edge[0]-5, edge[1]), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, edge[0], edge[1]))
	s.until(`document.querySelector(".readout").innerText.includes("-1234,5") && document.querySelector(".readout").innerText.includes("` + h.Now().In(tokyo).Format("15:") + `")`)
	s.atWidths("it-values", 1280)
}
