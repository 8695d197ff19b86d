package signin

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// person with a name of their own.
func (h *house) named(email, name string) account.User {
	h.t.Helper()
	u, err := h.accounts.Add(h.t.Context(), access.Actor{Kind: access.System}, email, name, good)
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

// shared is a space that owner shares with others, in the roles that they have.
func (h *house) shared(owner account.User, name string, others map[string]access.Role) org.Space {
	h.t.Helper()
	sp, err := h.orgs.AddShared(h.t.Context(), person(owner.ID), owner.ID, name)
	for user, role := range others {
		if err == nil {
			err = h.orgs.SetRole(h.t.Context(), access.Actor{Kind: access.System}, sp.ID, user, role)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return sp
}

// The pages of spaces, keys, activity, privacy and addresses, as TestPagesInABrowser judges the others.
func TestMorePagesInABrowser(t *testing.T) {
	h := embedded(t)
	h.full()
	anna, berta, carlo := h.named("anna@example.org", "Anna Bianchi"), h.named("berta@example.org", "Berta"), h.named("carlo@example.org", "Carlo Alberto di Savoia-Carignano")
	if err := h.accounts.AddAddress(t.Context(), person(anna.ID), anna.ID, "anna.bianchi.of.the.greenhouse@mail.example.net"); err != nil {
		t.Fatal(err)
	}
	school := h.shared(anna, "School garden", map[string]access.Role{berta.ID: access.Editor, carlo.ID: access.Viewer})
	works := h.shared(berta, "Works", map[string]access.Role{anna.ID: access.Viewer})
	if _, err := h.orgs.HandOver(t.Context(), person(berta.ID), works.ID, anna.ID); err != nil {
		t.Fatal(err)
	}
	s := h.screen(t)
	at := func(path, name string) {
		t.Helper()
		s.open(path)
		if got := s.path(); got != path {
			t.Fatalf("%s led to %s", path, got)
		}
		s.judge(name)
	}
	sent := func(selector, name string, fields map[string]string) {
		t.Helper()
		s.submit(fields, selector)
		s.judge(name)
	}
	s.signIn(anna.Email, good)
	at("/account/keys", "keys-none")
	at("/account/keys/new", "keys-new")
	sent("main button.main", "keys-refused", map[string]string{"name": "Greenhouse script", "role": "viewer"})
	sent("main button.main", "keys-made", map[string]string{"name": "Greenhouse script", "space": school.ID, "role": "viewer"})
	if got := s.text(`getSelection().selectAllChildren(document.querySelector("#secret")), getSelection().toString()`); len(got) != 64 {
		t.Errorf("the secret is %q", got)
	}
	if _, _, err := h.apikeys.Add(t.Context(), person(anna.ID), anna.ID, "", "", "A laptop that was lost on the train"); err != nil {
		t.Fatal(err)
	}
	at("/account/keys", "keys-some")
	at("/account/addresses", "addresses")
	sent("main button.main", "addresses-sent", map[string]string{"email": "anna@example.com"})
	at("/account/privacy", "privacy")
	at("/account/spaces", "spaces")
	one := "/account/spaces/" + school.ID
	at(one, "space")
	at(one+"/members", "space-members")
	at(one+"/invitations", "space-invitations-none")
	at(one+"/invite", "space-invite")
	sent("main button.main", "space-invited", map[string]string{"email": "dora@example.org", "role": "editor"})
	s.open(one + "/invite")
	sent("main button.main", "space-invite-link", map[string]string{"uses": "20"})
	at(one+"/invitations", "space-invitations")
	at(one+"/usage", "space-usage")
	at(one+"/settings", "space-settings")
	sent("main button.main", "space-settings-refused", map[string]string{"level": "passkey"})
	at(one+"/owner", "space-owner")
	at(one+"/disband", "space-disband")
	sent("main button.danger", "space-disband-refused", map[string]string{"name": "School"})
	at("/account/spaces/"+works.ID, "space-offered")
	at("/account/spaces/"+works.ID+"/members", "space-members-viewer")
	at("/account/spaces/"+anna.Space, "space-private")
	at("/account/activity", "activity")
	s.open("/account/activity?kind=things")
	s.judge("activity-none")
	h.Pass(staleKey + 1)
	s.signIn(anna.Email, good)
	at("/account/checkup", "checkup-old")
	s.leave(chromedp.Click(chromedp.CSS(`button[value="it"]`)))
	for _, name := range []string{"keys", "addresses", "privacy", "spaces", "activity"} {
		at("/account/"+name, name+"-italian")
	}
	at(one+"/members", "space-members-italian")
}

// Whatever people type into the fields of these pages is shown as text.
func TestWhatPeopleTypeAboutSpacesNeverRuns(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.full()
	s := h.screen(t)
	s.signIn(u.Email, good)
	for _, p := range payloads {
		for _, q := range []string{"/account/activity?kind=", "/account/activity?before=", "/account/spaces/"} {
			s.open(q + url.PathEscape(p))
		}
		for _, form := range []struct{ page, action string }{
			{"/account/spaces", "/account/spaces"}, {"/account/keys/new", "/account/keys"}, {"/account/addresses", "/account/addresses"},
		} {
			s.open(form.page)
			s.fill(form.action, p)
		}
		sp := h.shared(u, p, nil)
		one := "/account/spaces/" + sp.ID
		for page, typed := range map[string]string{"/invite": p, "/settings": p + "x", "/disband": "not " + p} {
			s.open(one + page)
			s.fill(one+page, typed)
		}
		for _, page := range []string{"", "/members", "/invitations", "/usage", "/settings", "/owner", "/disband"} {
			s.open(one + page)
		}
		if got := s.text(`document.querySelector("h1").innerText`); !strings.HasPrefix(got, p) {
			t.Errorf("the space is called %q, want %q", got, p)
		}
		if _, _, err := h.apikeys.Add(t.Context(), access.Actor{Kind: access.User, ID: u.ID}, u.ID, "", "", p); err != nil {
			t.Fatal(err)
		}
		for _, page := range []string{"/account/spaces", "/account/keys", "/account/keys/new", "/account/activity", "/account/privacy"} {
			s.open(page)
		}
	}
	if trouble, dialogs := s.Trouble(); dialogs > 0 || len(trouble) > 0 {
		t.Errorf("%d dialogs, and %v", dialogs, trouble)
	}
}

// fill types a text into every field of a form that takes text, and sends it.
func (s *screen) fill(action, text string) {
	s.t.Helper()
	form := `form[method="post"][action="` + action + `"]`
	eval[chromedp.Void](s, `for (const i of document.querySelectorAll('`+form+` input:not([type=file],[type=hidden],[type=number])')) { i.type = "text"; i.maxLength = 500; i.value = `+quote(text)+` }`)
	s.leave(chromedp.Click(chromedp.CSS(form + ` button.main`)))
}
