package web

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
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

// A template is saved as a .tino file, and the file is one here again: what it has is shown before anything is made.
func TestTemplatesAsFiles(t *testing.T) {
	h := newHome(t)
	h.greenhouse()
	s := h.screen(t, desk)
	s.open("/app/templates")
	s.click("Make a template")
	s.fill("Name", "My greenhouse")
	s.click("Greenhouse")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog") === null && document.body.innerText.includes("My greenhouse")`)
	// The browser keeps the file; here it is caught on its way.
	browsertest.Eval[bool](s.Screen, `(URL.createObjectURL = b => { b.arrayBuffer().then(a => window.file = btoa(String.fromCharCode(...new Uint8Array(a)))); return "blob:caught" }, HTMLAnchorElement.prototype.click = function () { window.called = this.download }, true)`)
	s.click("More for My greenhouse")
	s.click("Download as .tino")
	s.until(`!!window.file && !!window.called`)
	file, err := base64.StdEncoding.DecodeString(s.Text(`window.file`))
	if err != nil || !bytes.HasPrefix(file, []byte("PK")) {
		t.Fatalf("the file begins with %q (%v)", file[:min(len(file), 8)], err)
	}
	name := s.Text(`window.called`)
	if name != "My_greenhouse.tino" {
		t.Errorf("the file is called %q", name)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	s.open("/app/templates")
	s.click("More for My greenhouse")
	s.click("Delete")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("No templates of your own")
	s.click("Import")
	s.choose(path)
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.until(`document.querySelector("dialog .contents")?.innerText.includes("temperature")`)
	s.fill("Prefix of the names", "Again ")
	s.everywhere("template-imported")
	s.Run(chromedp.Click(chromedp.CSS(`dialog button[type=submit]`)))
	s.says("All of it is there")
	s.click("To the thing")
	s.until(`document.querySelector("h1").innerText === "Again Greenhouse"`)
	s.says("temperature")
}
