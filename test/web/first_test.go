package web

import (
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// One begins where a first device is made, at the things, or at the dashboards, once there are some; and the next time nothing is asked
// that is not needed.
func TestWhereOneBegins(t *testing.T) {
	h := newHome(t)
	s := h.screen(t, desk)
	at := func(want, says string) {
		t.Helper()
		s.open("/app/")
		s.until(`location.pathname === "` + want + `"`)
		s.settled()
		s.says(says)
	}
	at("/app/devices", "Add your first device")
	g := h.greenhouse()
	at("/app/things", "Greenhouse")
	h.board(g)
	at("/app/dashboards", "Greenhouse by day")
	at("/app/dashboards", "Greenhouse by day")
	if asked := s.Text(`performance.getEntriesByType("resource").map(e => new URL(e.name).pathname).join(" ")`); strings.Contains(asked, "/iot/v2/") || strings.Contains(asked, "/things.js") {
		t.Errorf("where there are dashboards, it asks for %s", asked)
	}
	s.click("Devices")
	s.until(`location.pathname === "/app/devices"`)
	browsertest.Eval[bool](s.Screen, `(document.querySelector(".brand").click(), true)`)
	s.until(`location.pathname === "/app/dashboards"`)
	browsertest.Eval[bool](s.Screen, `(history.back(), true)`)
	s.until(`location.pathname === "/app/devices"`) // not where it only led on
}
