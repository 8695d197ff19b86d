package web

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// Dashboards are copied, found, deleted, brought back and gone for ever; a template becomes one for another thing.
func TestKeepingDashboards(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	d := h.board(g)
	s := h.screen(t, desk)
	s.Ignore("/v1/dashboards/import") // refuses what is no template
	s.open("/app/dashboards")
	s.click("More about Greenhouse by day")
	s.click("Make a copy")
	s.until(`document.querySelector("dialog #clone") !== null`)
	s.click("Make a copy")
	s.says("was made.")
	s.until(`location.pathname.startsWith("/app/dashboards/") && !location.pathname.endsWith("` + d.ID + `")`)
	s.until(tile("Air") + ` !== undefined`)
	copied := s.Text(`document.querySelector("h1").innerText`)
	s.Ignore("/iot/v3" + strings.TrimPrefix(s.Path(), "/app")) // its page may hear of its end, and ask once more, before it is left
	s.click("More")
	s.click("Delete")
	s.says("Nobody sees it any more.")
	browsertest.Eval[bool](s.Screen, `(document.querySelector("dialog button[type=submit]").click(), true)`)
	s.until(`location.pathname === "/app/dashboards"`)
	s.settled()
	if text := s.Text(`document.querySelector(".boards").innerText`); strings.Contains(text, copied) {
		t.Errorf("%s is still there: %s", copied, text)
	}
	s.click("Deleted")
	s.says("Deleted dashboards")
	s.says(copied)
	s.click("Restore")
	s.says(copied + " is back.")
	s.says("Nothing was deleted")
	s.open("/app/dashboards?q=garden")
	s.says("Nothing fits")
	s.open("/app/dashboards?tag=site:garden")
	s.until(`document.querySelectorAll(".boardcard").length === 1`)

	var template json.RawMessage
	h.ask(http.MethodGet, "/iot/v3/dashboards/"+d.ID+"/template", nil, &template)
	offer := func(text string) {
		t.Helper()
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		s.until(`document.querySelector("dialog input[type=file]") !== null`)
		browsertest.Eval[bool](s.Screen, `((e, all) => { all.items.add(new File([`+string(quoted)+`], "board.json")); e.files = all.files; e.dispatchEvent(new Event("change", {bubbles: true})); return true })(document.querySelector("dialog input[type=file]"), new DataTransfer())`)
	}
	s.open("/app/dashboards?new=import")
	offer("what: is this")
	s.says("This file is no template of a dashboard")
	offer("widgets: [")
	s.until(`!document.querySelector("dialog button[type=submit]").disabled`)
	browsertest.Eval[bool](s.Screen, `(document.querySelector("dialog button[type=submit]").click(), true)`)
	s.says("The template is neither JSON nor YAML.")
	offer(string(template))
	s.until(`document.querySelector("dialog select") !== null`)
	label := s.Text(`document.querySelector("dialog select").labels[0].innerText`)
	s.fill(label, g.thing)
	s.fill("Name", "Brought along")
	s.Judge(pictures, "boards-importing")
	browsertest.Eval[bool](s.Screen, `(document.querySelector("dialog button[type=submit]").click(), true)`)
	s.until(`document.querySelector("h1").innerText === "Brought along" && ` + tile("Air") + `?.innerText.includes("24.8")`)
	id := strings.Split(s.Path(), "/")[3]
	if of := h.boardNow(id).called(t, "Air").Variables; len(of) != 1 || of[0].ID != g.property["temperature"] {
		t.Errorf("it shows %v", of)
	}
	// Search finds it from anywhere, and the full screen has nothing but it.
	s.open("/app/devices")
	s.click("Search")
	s.fill("Search", "brought")
	s.until(`document.querySelector("[role=option]")?.innerText.includes("Brought along")`)
	s.click("Brought along")
	s.until(`location.pathname.endsWith("` + id + `")`)
	s.settled()
	s.click("More")
	s.click("Fill the screen")
	s.until(`new URLSearchParams(location.search).has("kiosk") && document.querySelector(".side").offsetParent === null`)
	s.click("Leave the full screen")
	s.until(`document.querySelector(".side").offsetParent !== null`)
	// What of a widget is gone stays linked while somebody arranges it, and comes back.
	h.ask(http.MethodDelete, "/iot/v2/things/"+g.thing+"/properties/"+g.property["temperature"], nil, nil)
	s.open("/app/dashboards/" + id + "?edit=1")
	s.says("The variable of this widget was deleted.")
	s.says("Variable is gone")
	browsertest.Eval[bool](s.Screen, `(`+tile("Air")+`.querySelector(".grip").focus(), true)`)
	s.strike("ArrowDown", true)
	s.saved()
	var marks []struct {
		Widget   string `json:"widget_id"`
		Variable string `json:"variable_id"`
		Mark     string `json:"mark"`
	}
	h.ask(http.MethodGet, "/v1/dashboards/"+id+"/health", nil, &marks)
	kept := false
	for _, m := range marks {
		kept = kept || m.Mark == "missing" && m.Variable == g.property["temperature"]
	}
	if !kept {
		t.Errorf("what is gone is forgotten: %+v", marks)
	}
}

// A dashboard is copied onto another thing, if that has what is shown.
func TestPuttingADashboardOntoAnotherThing(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	h.board(g)
	var nursery, shed struct {
		ID         string `json:"id"`
		Properties []struct {
			ID       string `json:"id"`
			Variable string `json:"variable_name"`
		} `json:"properties"`
	}
	h.ask(http.MethodPut, "/iot/v2/things/"+g.thing+"/clone", map[string]any{"name": "Nursery"}, &nursery)
	h.ask(http.MethodGet, "/iot/v2/things/"+nursery.ID, nil, &nursery)
	h.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Shed", "properties": []map[string]any{{"name": "temperature", "type": "TEMPERATURE", "permission": "READ_ONLY", "update_strategy": "ON_CHANGE"}}}, &shed)
	s := h.screen(t, desk)
	s.open("/app/dashboards")
	s.click("More about Greenhouse by day")
	s.click("Make a copy")
	s.until(`document.querySelector("dialog select")?.selectedOptions[0].innerText === "Greenhouse"`)
	s.fill("What stands for Greenhouse", shed.ID)
	s.says("Shed has no variable for humidity, message, target, lamp.")
	if !browsertest.Eval[bool](s.Screen, `document.querySelector("dialog button[type=submit]").disabled`) {
		t.Error("a copy can be made onto a thing that lacks what it shows")
	}
	s.everywhere("board-clone-lacking")
	s.Resize(desk)
	s.fill("What stands for Greenhouse", nursery.ID)
	s.until(`!document.querySelector("dialog button[type=submit]").disabled`)
	s.click("Make a copy")
	s.says("Greenhouse by day copy was made.")
	s.until(tile("Air") + ` !== undefined && document.querySelector("h1").innerText === "Greenhouse by day copy"`)
	for _, p := range nursery.Properties {
		if p.Variable == "target" {
			if of := h.boardNow(strings.Split(s.Path(), "/")[3]).called(t, "Target").Variables; len(of) != 1 || of[0].ID != p.ID {
				t.Errorf("the copy shows %v, want %s", of, p.ID)
			}
			h.ask(http.MethodPut, "/iot/v2/things/"+nursery.ID+"/properties/"+p.ID+"/publish", map[string]any{"value": 12.5}, nil)
		}
	}
	s.until(tile("Target") + `?.innerText.includes("12.5")`)
}
