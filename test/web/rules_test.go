package web

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// A letter goes to one, with copies that all see or only their readers: chosen in the form, kept, told on the page, and there
// again when it is changed.
func TestRecipientsOfALetter(t *testing.T) {
	h := newHome(t)
	carla, dario := h.person("carla@example.org", "Carla Conti"), h.person("dario@example.org", "Dario Dotti")
	var school, thing struct {
		ID         string `json:"id"`
		Properties []struct {
			ID string `json:"id"`
		} `json:"properties"`
	}
	h.Admin("space.add", map[string]string{"user": h.user, "name": "School"}, &school)
	for _, p := range []*home{carla, dario} {
		h.Admin("space.member", map[string]string{"space": school.ID, "user": p.user, "role": "viewer"}, nil)
	}
	in := &home{House: h.House, t: t, api: h.ClientIn(t, h.key, school.ID)}
	in.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Oven", "properties": []any{map[string]any{"name": "lamp", "type": "STATUS", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &thing)
	s := h.screen(t, desk)
	s.open(fmt.Sprintf("/app/triggers/new?space=%s&thing=%s&property=%s", school.ID, thing.ID, thing.Properties[0].ID))
	s.click("E-mail")
	pick := func(name string) {
		t.Helper()
		s.until(`[...document.querySelectorAll(".recipient")].some(e => e.innerText.includes("` + name + `"))`)
		browsertest.Eval[chromedp.Void](s.Screen, `[...document.querySelectorAll(".recipient")].find(e => e.innerText.includes("`+name+`")).querySelector("input").click()`)
	}
	for _, name := range []string{"Anna Bianchi", "Carla Conti", "Dario Dotti"} {
		pick(name)
	}
	s.fill("Where Anna Bianchi stands", "cc")
	s.fill("Where Carla Conti stands", "cc")
	s.fill("Where Dario Dotti stands", "bcc")
	s.fill("Name", "Lamp")
	s.click("Make the trigger")
	s.says("Choose at least one recipient.") // copies alone are no letter
	s.fill("Where Anna Bianchi stands", "to")
	s.everywhere("trigger-copies")
	s.click("Make the trigger")
	s.until(`document.querySelector("h1").innerText === "Lamp"`)
	s.says("Anna Bianchi · Cc: Carla Conti · Bcc: Dario Dotti")
	kept := func() string {
		t.Helper()
		var all []struct {
			Actions []struct {
				Email struct {
					Delivery map[string][]struct {
						ID string `json:"id"`
					} `json:"delivery"`
				} `json:"email"`
			} `json:"actions"`
		}
		in.ask(http.MethodGet, "/iot/v1/triggers", nil, &all)
		var text []string
		for _, place := range []string{"to", "cc", "bcc"} {
			for _, r := range all[0].Actions[0].Email.Delivery[place] {
				text = append(text, place+" "+map[string]string{h.user: "Anna", carla.user: "Carla", dario.user: "Dario"}[r.ID])
			}
		}
		return strings.Join(text, ", ")
	}
	if got := kept(); got != "to Anna, cc Carla, bcc Dario" {
		t.Errorf("kept is %q", got)
	}
	s.click("Edit E-mail")
	s.until(`[...document.querySelectorAll("dialog .recipient select")].map(e => e.value).sort().join() === "bcc,cc,to"`)
	s.fill("Where Dario Dotti stands", "to")
	pick("Carla Conti")
	s.click("Save")
	s.says("Anna Bianchi, Dario Dotti")
	if got := kept(); got != "to Anna, to Dario" && got != "to Dario, to Anna" {
		t.Errorf("kept is %q", got)
	}
}

// Triggers that were deleted are listed, come back as they were, or go for ever.
func TestTriggersThatWereDeleted(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	for _, name := range []string{"Too hot", "Too cold"} {
		var tr struct {
			ID string `json:"id"`
		}
		h.ask(http.MethodPut, "/iot/v1/triggers", map[string]any{"name": name, "property_id": g.property["lamp"]}, &tr)
		h.ask(http.MethodDelete, "/iot/v1/triggers/"+tr.ID, nil, nil)
	}
	row := func(name string) string {
		return `[...document.querySelectorAll(".rows li")].find(e => e.innerText.includes("` + name + `"))`
	}
	s := h.screen(t, desk)
	s.open("/app/triggers")
	s.says("No triggers yet")
	s.click("Deleted triggers")
	s.until(`!!` + row("Too hot") + ` && !!` + row("Too cold"))
	s.everywhere("triggers-deleted")
	browsertest.Eval[chromedp.Void](s.Screen, row("Too hot")+`.querySelector("button").click()`)
	s.says("Too hot is back.")
	s.until(`!` + row("Too hot"))
	s.click("Delete for ever")
	s.fill("Type Too cold to confirm", "Too cold")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("Too cold is gone for ever.")
	s.click("Triggers")
	s.until(`[...document.querySelectorAll(".rowlink")].map(a => a.innerText).join() === "Too hot"`)
	s.says("lamp of Greenhouse")
}
