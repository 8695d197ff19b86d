package server_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// letterSaying waits for a letter to an address that says something.
func letterSaying(t *testing.T, h *servertest.House, to, says string) string {
	t.Helper()
	folder := mail.NewFolder(filepath.Join(h.Config.Data, "mail"))
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for range 6000 {
		all, err := folder.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range all {
			kept, err := folder.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			if kept.To.Addr == to && strings.Contains(strings.Join(strings.Fields(kept.Text), " "), says) {
				return kept.Text
			}
		}
		<-look.C
	}
	t.Fatalf("no letter to %s says %q", to, says)
	return ""
}

// tokenIn is what a letter's link to a page holds.
func tokenIn(t *testing.T, text, page string) url.Values {
	t.Helper()
	m := regexp.MustCompile(regexp.QuoteMeta(page) + `\?token=([A-Za-z0-9_-]+)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no link to %s in %q", page, text)
	}
	return url.Values{"token": {m[1]}}
}

// What people choose on their pages holds in the other rooms: who sees what of them, in which language
// they are written to, with which addresses they join, and when their keys end.
func TestWhatPeopleChooseOnTheirPagesHolds(t *testing.T) {
	h := servertest.Start(t)
	berta, _ := addPerson(h, "berta@example.org")
	anna, annasKey := h.Person("anna@example.org")
	shared := settle(t, h, anna, annasKey, "shared")
	h.Admin("space.member", map[string]string{"space": shared.id, "user": berta.ID, "role": "viewer"}, nil)
	b := newBrowser(t, h)
	b.signIn(berta.Email, secretWords)
	must := func(path string, form url.Values, says string) string {
		t.Helper()
		method := "GET"
		if form != nil {
			method = "POST"
		}
		code, page := b.do(method, path, nil, form)
		if code != http.StatusOK || !strings.Contains(page, says) {
			t.Fatalf("%s %s: %d, want %q in %s", method, path, code, says, page)
		}
		return page
	}
	seen := func() (name, email string) {
		t.Helper()
		var all []struct{ User, Name, Email string }
		if err := h.ClientIn(t, annasKey, shared.id).Do(t.Context(), "GET", "/v1/spaces/"+shared.id+"/members", nil, &all); err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if m.User == berta.ID {
				name, email = m.Name, m.Email
			}
		}
		return name, email
	}
	if name, email := seen(); name != "Berta" || email != berta.Email {
		t.Errorf("before: %q, %q", name, email)
	}
	must("/account/profile", url.Values{"name": {"Berta"}, "username": {"bee"}, "lang": {"it"}, "zone": {"Europe/Rome"}}, "Salvato")
	must("/account/privacy", url.Values{"shown": {"username"}}, "Salvato")
	if name, email := seen(); name != "bee" || email != "" {
		t.Errorf("after choosing: %q, %q", name, email)
	}

	// A key is told of in the language that she chose, and is in her activity.
	page := must("/account/keys", url.Values{"name": {"Serra"}, "days": {"30"}}, "Serra")
	m := regexp.MustCompile(`<code class="whole">(\w{32})</code>[\s\S]*id="secret">(\w{64})<`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no key is shown: %s", page)
	}
	key := servertest.Key{ID: m[1], Secret: m[2]}
	if text := letterSaying(t, h, berta.Email, "creato una chiave API"); !strings.Contains(text, "Serra") || !strings.Contains(text, "/frozen?token=") {
		t.Errorf("the letter is %q", text)
	}
	must("/account/activity?kind=keys", nil, "Chiave API creata: Serra")
	if err := h.ClientIn(t, key, shared.id).Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err != nil {
		t.Errorf("with the key: %v", err)
	}

	// An invitation to a further address is hers.
	must("/account/addresses", url.Values{"email": {"bee@example.net"}}, "Controlla la posta")
	must("/account/addresses/confirm", tokenIn(t, letterSaying(t, h, "bee@example.net", "/account/addresses/confirm"), "/account/addresses/confirm"), "aggiunto")
	other := settle(t, h, anna, annasKey, "other")
	h.Admin("space.invite", map[string]any{"space": other.id, "role": "viewer", "email": "Bee@example.net"}, nil)
	must("/invitation", tokenIn(t, letterSaying(t, h, "Bee@example.net", "/invitation?token="), "/invitation"), "Sei entrato")
	must("/account/spaces/"+other.id, nil, "visitatore")

	h.Pass(30*24*time.Hour + time.Second)
	if err := h.ClientIn(t, key, shared.id).Do(t.Context(), "GET", "/iot/v2/things", nil, nil); err == nil {
		t.Error("the key works after its end")
	}
}
