package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
)

// beside is another tab of the same browser.
func (s *screen) beside(look browsertest.Look) *screen {
	s.T.Helper()
	return &screen{s.Beside(look), s.h}
}

const (
	// everyOld says that each value of a thing is shown as one of before, and the page does not say that it is live.
	everyOld = `[...document.querySelectorAll(".card .value")].filter(v => v.innerText !== "No value yet").every(v => v.classList.contains("old")) && document.querySelector(".connection").innerText !== "Live"`
	// noneOld is its opposite.
	noneOld = `document.querySelector(".connection").innerText === "Live" && !document.querySelector(".value.old, .unreachable")`
)

// watches opens the page of a thing, whose values are live. What fails on the way is the network's, whose errors are meant.
func (s *screen) watches(g greenhouse) {
	s.T.Helper()
	s.Ignore("")
	s.open("/app/things/" + g.thing)
	s.until(noneOld + ` && document.querySelector(".card .value") !== null`)
}

// sound says that nothing but the network went wrong.
func (s *screen) sound() {
	s.T.Helper()
	trouble, _ := s.Trouble()
	for _, line := range trouble {
		if !strings.HasPrefix(line, "network") {
			s.T.Error(line)
		}
	}
}

// The network goes while somebody looks, without a word to the stream: nothing is shown as live from then on. It comes back,
// and so does what has changed meanwhile.
func TestTheNetworkGoesAndComesBack(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.watches(g)
	line := func(gone bool) {
		t.Helper()
		browsertest.Call(s.Screen, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{{Offline: gone, DownloadThroughput: -1, UploadThroughput: -1}}})
		browsertest.Call(s.Screen, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: gone, DownloadThroughput: -1, UploadThroughput: -1})
	}
	line(true)
	s.until(everyOld)
	s.says("The server cannot be reached.")
	h.publish(g, "temperature", 4.75)
	s.Judge(pictures, "network-gone")
	line(false)
	s.until(valueOf("temperature") + ` === "4.75"`)
	s.until(noneOld)
	h.publish(g, "temperature", 5.25)
	s.until(valueOf("temperature") + ` === "5.25"`)
	s.sound()
}

// The session runs out while somebody only looks: the page says so by itself and shows nothing as live, and goes on once they
// have signed in in another tab.
func TestTheSessionRunsOut(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.watches(g)
	h.Pass(25 * time.Hour)
	s.says("You were signed out")
	s.until(everyOld)
	h.publish(g, "temperature", 4.75)
	s.everywhere("session-over")
	other := s.beside(desk)
	other.signIn()
	s.comesBack()
	s.until(valueOf("temperature") + ` === "4.75"`)
	s.until(noneOld + ` && document.querySelector("dialog") === null`)
	s.sound()
}

// comesBack looks at the tab again.
func (s *screen) comesBack() {
	s.T.Helper()
	browsertest.Eval[bool](s.Screen, `(dispatchEvent(new Event("focus")), true)`)
}

// Another tab signs out: this one says so and shows nothing as live. Somebody else signs in there, to whom nothing of this is shown.
func TestSigningOutInAnotherTab(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	s := h.screen(t, desk)
	s.watches(g)
	other := s.beside(desk)
	other.Run(chromedp.Navigate(h.front.at() + "/signout"))
	other.Leave(chromedp.Click(chromedp.CSS("main button.main")))
	s.says("You were signed out")
	s.until(everyOld)
	(&screen{other.Screen, h.person("boris@example.org", "Boris Conti")}).signIn()
	s.comesBack()
	s.until(`!document.querySelector("dialog") && document.body.innerText.includes("Add your first device")`)
	if browsertest.Eval[bool](s.Screen, `document.body.innerText.includes("Greenhouse")`) {
		t.Error("what Anna has is shown to Boris")
	}
	s.sound()
}

// Another tab goes to another space: this one stays in its own, live, also when it is loaded anew. Whoever is taken out of a space
// while they look at it is led to one of theirs.
func TestSpacesOfTwoTabs(t *testing.T) {
	h := newHome(t)
	g := h.greenhouse()
	owner, key := h.Person("boss@example.org")
	var school struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": owner, "name": "School"}, &school)
	h.Admin("space.member", map[string]string{"space": school.ID, "user": h.user, "role": "viewer"}, nil)
	boss := &home{House: h.House, t: t, api: h.ClientIn(t, key, school.ID)}
	boss.ask(http.MethodPut, "/iot/v2/things", map[string]any{"name": "Oven"}, nil)
	s := h.screen(t, desk)
	s.watches(g)
	other := s.beside(desk)
	other.Ignore("")
	other.open("/app/things")
	browsertest.Eval[bool](other.Screen, `(document.querySelector(".spaces").click(), true)`)
	other.click("School")
	other.says("Oven")
	other.says("Live")
	for range 2 {
		h.publish(g, "temperature", 4.75)
		s.until(valueOf("temperature") + ` === "4.75" && ` + noneOld)
		if in := s.Text(`document.querySelector(".spaces").innerText`); !strings.Contains(in, "Private space") {
			t.Errorf("the space is %q", in)
		}
		s.open("/app/things/" + g.thing)
	}
	boss.ask(http.MethodDelete, "/v1/spaces/"+school.ID+"/members/"+h.user, nil, nil)
	other.says("Greenhouse")
	if in := other.Text(`document.querySelector(".spaces").innerText`); !strings.Contains(in, "Private space") {
		t.Errorf("the space is %q", in)
	}
	s.sound()
	other.sound()
}
