package web

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/base/browsertest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// In production people sign in at another origin than the application's: it leads there and back, its session works, its
// links lead to the account, and none of it runs where passwords are typed.
func TestTwoOrigins(t *testing.T) {
	h := servertest.Start(t, func(c *server.Config) { c.Host, c.Dev = "house.test", false })
	h.Admin("user.add", map[string]string{"email": "anna@example.org", "name": "Anna", "password": password}, nil)
	app, account := "https://house.test:"+h.Port("https"), "https://id.house.test:"+h.Port("https")
	s := &screen{Screen: browsertest.Open(t, browsertest.Look{Width: 1280, Ignore: []string{"/v1/spaces"}})}
	s.Run(chromedp.Navigate(app+"/"), chromedp.WaitVisible(chromedp.CSS(`a[href="/app/"]`)))
	s.Run(chromedp.Navigate(app+"/app/devices?sort=made"), chromedp.WaitVisible(chromedp.CSS("#email")))
	if at := s.Text(`location.origin`); at != account {
		t.Errorf("people sign in at %s", at)
	}
	s.Run(chromedp.SetValue(chromedp.CSS("#email"), "anna@example.org"))
	s.Leave(chromedp.Click(chromedp.CSS("main button.main")))
	s.Run(chromedp.SetValue(chromedp.CSS("#password"), password))
	s.Leave(chromedp.Click(chromedp.CSS("main button.main")))
	s.says("Add your first device")
	if at := s.Text(`location.href`); at != app+"/app/devices?sort=made" {
		t.Errorf("back at %s", at)
	}
	s.says("Live")
	s.click("Account")
	links := s.Text(`[...document.querySelectorAll("[role=menu] a")].map(a => a.href).join(" ")`)
	for _, want := range []string{account + "/account ", account + "/account/keys ", account + "/signout", app + "/apidocs "} {
		if !strings.Contains(links+" ", want) {
			t.Errorf("the menu leads to %s, want %s", links, want)
		}
	}
	s.click("Italiano")
	s.says("Aggiungi il primo dispositivo")
	s.Run(chromedp.Navigate(app + "/"))
	s.says("Aggiungi il primo dispositivo")
	s.Run(chromedp.Navigate(account + "/app/things"))
	s.says("Aggiungi il primo dispositivo")
	if at := s.Text(`location.origin`); at != app {
		t.Errorf("the application runs at %s", at)
	}
	s.Run(chromedp.Navigate(account+"/signout"), chromedp.WaitVisible(chromedp.CSS("main form button")))
	s.Leave(chromedp.Click(chromedp.CSS("main form button")))
	s.Run(chromedp.Navigate(app+"/app/things"), chromedp.WaitVisible(chromedp.CSS("#email")))
}
