package web

import (
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// looks are what every page is looked at with: phone, tablet and desk, in light and dark.
var looks = []browsertest.Look{
	{Width: 360}, {Width: 360, Dark: true}, {Width: 768}, {Width: 768, Dark: true}, {Width: 1280}, {Width: 1280, Dark: true},
}

// twoFrames waits until what has changed is on screen.
const twoFrames = `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`

// Every page, at every width and in both looks: nothing is reported, axe finds nothing, nothing is cut off.
func TestPagesInABrowser(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, looks[0])
	s.everywhere("first")
	s.click("Arduino board on a cable")
	s.click("Another way: with ardesiactl")
	s.says("ardesiactl device onboard")
	s.everywhere("usb")
	g := h.greenhouse()
	thing := "/app/things/" + g.thing
	s.Ignore("/iot/v2/devices/00000000") // is not there, and says so
	for name, path := range map[string]string{
		"things": "/app/things", "values": thing, "setup": thing + "/setup", "about": thing + "/about", "sketch": thing + "/sketch",
		"history": thing + "/history?property=" + g.property["temperature"], "states": thing + "/history?property=" + g.property["lamp"],
		"texts":   thing + "/history?property=" + g.property["message"] + "&range=1w",
		"devices": "/app/devices", "device": "/app/devices/" + g.device, "nowhere": "/app/no/such/page", "gone": "/app/things?deleted=1",
		"property": thing + "/setup?add=1", "new-thing": "/app/things?new=1", "missing": "/app/devices/00000000-0000-4000-8000-000000000000",
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.open(path)
			if name == "property" || name == "new-thing" {
				s.until(`document.querySelector("dialog[open]") !== null`)
			}
			s.everywhere(name)
		})
	}
}

// everywhere judges the page that is open in every look.
func (s *screen) everywhere(name string) {
	s.T.Helper()
	for _, look := range looks {
		s.Resize(look)
		browsertest.Eval[bool](s.Screen, twoFrames, chromedp.EvalAwaitPromise)
		s.Judge(pictures, name+"-"+look.String())
	}
}

// atWidths looks at the page that is open, in daylight, without axe.
func (s *screen) atWidths(name string, widths ...int) {
	s.T.Helper()
	for _, width := range widths {
		look := browsertest.Look{Width: width}
		s.Resize(look)
		browsertest.Eval[bool](s.Screen, twoFrames, chromedp.EvalAwaitPromise)
		s.Look(pictures, name+"-"+look.String())
	}
}
