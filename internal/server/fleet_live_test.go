package server_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/live/livetest"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// Our own pages listen with a browser's session, and what another origin makes a browser send does not. Whoever signs out is hung up on.
func TestABrowserListens(t *testing.T) {
	h := servertest.Start(t)
	u, _ := addPerson(h, "berta@example.org")
	b := newBrowser(t, h)
	b.signIn(u.Email, secretWords)
	if code, _ := b.do("GET", "/v1/live", map[string]string{"Sec-Fetch-Site": "same-site"}, nil); code != http.StatusUnauthorized {
		t.Errorf("a page of another origin is answered with %d", code)
	}
	r, err := http.NewRequest("GET", h.URL()+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	l, _ := livetest.Listen(t, b.http, r)
	b.do("POST", "/signout", nil, url.Values{})
	l.Ends()
	b.signIn(u.Email, secretWords)
	l, _ = livetest.Listen(t, b.http, r)
	h.Admin("user.password", map[string]string{"user": u.Email, "password": secretWords + " again"}, nil)
	l.Ends()
}
