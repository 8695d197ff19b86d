package web

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// A template of the gallery is looked at and made; one is made of what is here, and a file that is none is refused in words.
func TestTemplates(t *testing.T) {
	h := newHome(t)
	h.greenhouse()
	s := h.screen(t, desk)
	s.Ignore("/storage/template", "/iot/v1/templates")
	s.open("/app/templates")
	s.says("No templates of your own")
	s.says("Plant watering")
	s.everywhere("templates")
	browsertest.Eval[chromedp.Void](s.Screen, `[...document.querySelectorAll(".card")].find(e => e.innerText.includes("Plant watering")).querySelector(".card-end button").click()`)
	s.until(`document.querySelector("dialog .contents") !== null`)
	s.fill("Prefix of the names", "<b>")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("A prefix has at most 45 letters")
	s.fill("Prefix of the names", "Balcony ")
	s.everywhere("template-apply")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("All of it is there")
	s.Judge(pictures, "template-applied")
	var things []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	h.ask(http.MethodGet, "/iot/v2/things", nil, &things)
	if len(things) != 2 {
		t.Errorf("things: %+v", things)
	}
	s.click("To the thing")
	s.until(`document.querySelector("h1").innerText.startsWith("Balcony")`)

	s.open("/app/templates")
	s.click("Make a template")
	s.fill("Name", "My greenhouse")
	s.click("Greenhouse")
	s.Judge(pictures, "template-make")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null && document.body.innerText.includes("My greenhouse")`)
	s.click("Import")
	s.choose(program(t, 1))
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog .field-error")?.innerText.length > 10`)
	s.Judge(pictures, "template-import")
	s.click("Cancel")
	s.click("More for My greenhouse")
	s.click("Delete")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("No templates of your own")
}
