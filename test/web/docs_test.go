package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// The documentation, by somebody who is not signed in: it is whole at every width, in light and dark and on paper, what is searched for is
// found, and code is copied; the application leads to it.
func TestDocumentation(t *testing.T) {
	h := newHome(t)
	s := &screen{browsertest.Open(t, looks[0]), h}
	visit := s.reads
	visit("/docs/")
	s.says("From nothing to a first value")
	s.until(`document.querySelector(".contents details").open === (innerWidth > 960)`)
	visit("/docs/api")
	s.press("Copy")
	s.until(`["Copied", "Selected"].includes(document.querySelector("div.code button").textContent)`)
	s.Run(chromedp.SetValue(chromedp.CSS(`input[type=search]`), "secret key"))
	s.Leave(chromedp.Submit(chromedp.CSS(`input[type=search]`)))
	s.says("sections for “secret key”")
	s.everywhere("docs-search")
	s.Leave(chromedp.Click(chromedp.CSS(".hits a")))
	s.until(`location.pathname.startsWith("/docs/") && location.pathname !== "/docs/search"`)
	visit("/docs/boards#which-to-choose")
	s.until(`document.getElementById("which-to-choose").getBoundingClientRect().top >= 0`)
	browsertest.Call(s.Screen, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	s.until(`getComputedStyle(document.querySelector(".top")).display === "none" && getComputedStyle(document.querySelector("article")).display !== "none"`)

	in := h.screen(t, desk)
	in.open("/app/things")
	in.click("Account")
	if at := in.Text(`[...document.querySelectorAll("[role=menu] a")].map(a => a.getAttribute("href")).join(" ")`); !slices.Contains(strings.Fields(at), "/docs/") {
		t.Errorf("the menu leads to %s", at)
	}
	in.Run(press(kb.Escape))
	in.Run(chromedp.KeyEvent("k", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	in.until(`document.activeElement.getAttribute("role") === "combobox"`)
	in.Run(press("operating"))
	in.until(`[...document.querySelectorAll("[role=option]")].some(o => o.innerText.includes("Documentation"))`)
	in.Judge(pictures, "docs-palette")
}

// reads opens a page that the application does not make.
func (s *screen) reads(path string) {
	s.T.Helper()
	s.Run(chromedp.Navigate(s.h.front.at() + path))
	s.until(`document.querySelector("main h1") !== null && document.readyState === "complete"`)
}

// Whoever would rather read Italian says so on the page, is on the same page in Italian, and has the application in it, too.
func TestDocumentationInItalian(t *testing.T) {
	h := newHome(t)
	s := &screen{browsertest.Open(t, looks[0]), h}
	s.reads("/docs/boards")
	s.press("Copy")
	s.Leave(chromedp.Click(chromedp.CSS(`.langs [lang="it"]`)))
	s.says("Quale scegliere")
	if path, lang := s.Path(), s.Text(`document.documentElement.lang`); path != "/docs/boards" || lang != "it" {
		t.Errorf("it is %s in %s", path, lang)
	}
	s.press("Copia")
	s.until(`["Copiato", "Selezionato"].includes(document.querySelector("div.code button").textContent)`)
	s.reads("/docs/boards#which-to-choose")
	s.until(`document.getElementById("which-to-choose").getBoundingClientRect().top >= 0`)
	s.Run(chromedp.SetValue(chromedp.CSS(`input[type=search]`), "chiave segreta"))
	s.Leave(chromedp.Submit(chromedp.CSS(`input[type=search]`)))
	s.says("sezioni per «chiave segreta»")
	s.Leave(chromedp.Click(chromedp.CSS(`.langs [lang="en"]`)))
	s.says("chiave segreta")
	if lang := s.Text(`document.documentElement.lang`); lang != "en" {
		t.Errorf("back in English it is in %s", lang)
	}
	s.Leave(chromedp.Click(chromedp.CSS(`.langs [lang="it"]`)))
	s.says("sezioni per «chiave segreta»")
	in := h.screen(t, desk)
	in.speaks("en")
	in.reads("/docs/start")
	in.Leave(chromedp.Click(chromedp.CSS(`.langs [lang="it"]`)))
	in.says("Da zero al primo valore")
	in.open("/app/things")
	if lang := in.Text(`document.documentElement.lang`); lang != "it" {
		t.Errorf("the application is in %s", lang)
	}
}

// Every page of the documentation, at every width and in both looks, and in Italian on a phone and on a desk.
func TestPagesOfTheDocumentation(t *testing.T) {
	h := newHome(t)
	s := &screen{browsertest.Open(t, looks[0]), h}
	s.reads("/docs/")
	paths := browsertest.Eval[[]string](s.Screen, `[...document.querySelectorAll(".contents li a")].map(a => a.getAttribute("href"))`)
	if len(paths) < 20 {
		t.Fatalf("the pages are %v", paths)
	}
	s.Ignore("/docs/nowhere")
	for _, path := range append(paths, "/docs/nowhere", "/docs/search") {
		t.Run(strings.ReplaceAll(strings.TrimPrefix(path, "/docs/"), "/", "-"), func(t *testing.T) {
			s.T = t
			s.reads(path)
			s.everywhere("docs-" + strings.ReplaceAll(strings.TrimPrefix(path, "/docs/"), "/", "-"))
		})
	}
	s.T = t
	s.speaks("it")
	s.reads("/docs/")
	italian := browsertest.Eval[[]string](s.Screen, `[...document.querySelectorAll(".contents li a:not([lang])")].map(a => a.getAttribute("href"))`)
	if len(italian) < 6 {
		t.Fatalf("the pages in Italian are %v", italian)
	}
	for _, path := range append(italian, "/docs/operate", "/docs/nowhere", "/docs/search?q=token") {
		name := "it-" + strings.NewReplacer("/", "-", "?q=", "-").Replace(strings.TrimPrefix(path, "/docs/"))
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.reads(path)
			for i, width := range []int{360, 1280} {
				look := browsertest.Look{Width: width}
				s.Resize(look)
				browsertest.Eval[bool](s.Screen, twoFrames, chromedp.EvalAwaitPromise)
				if i == 0 { // what axe sees is the same at both
					s.Judge(pictures, "docs-"+name+"-"+look.String())
				} else {
					s.Look(pictures, "docs-"+name+"-"+look.String())
				}
			}
		})
	}
}
