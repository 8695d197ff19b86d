package signin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/schema"

	"github.com/ardesia-iot/ardesia/internal/base/tongue"
)

// sees says what of texts the page that is shown lacks, or has although it should not ("!text").
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		unwanted, not := strings.CutPrefix(text, "!")
		if strings.Contains(b.body, unwanted) == not {
			b.t.Errorf("%s: want %q in %s", b.path, text, b.body)
		}
	}
}

func TestAPersonMakesAnAPIKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u, berta := h.person("anna@example.org"), h.person("berta@example.org")
		h.full()
		school, foreign := h.shared(u, "School", nil), h.shared(berta, "Foreign", nil)
		b := h.browser()
		b.signIn(u.Email, good)
		b.get("/account/keys/new")
		b.sees("School", "Private space", "!Foreign")
		for name, c := range map[string]struct {
			fields url.Values
			status int
		}{
			"without a name":          {url.Values{"name": {""}, "days": {"30"}}, 400},
			"a role without a space":  {url.Values{"name": {"x"}, "role": {"viewer"}, "days": {"30"}}, 403},
			"no such role":            {url.Values{"name": {"x"}, "role": {"king"}, "space": {school.ID}, "days": {"30"}}, 400},
			"a foreign space":         {url.Values{"name": {"x"}, "space": {foreign.ID}, "days": {"30"}}, 403},
			"no number of days":       {url.Values{"name": {"x"}, "days": {"soon"}}, 400},
			"an end in eleven years":  {url.Values{"name": {"x"}, "days": {"4000"}}, 400},
			"an end before beginning": {url.Values{"name": {"x"}, "days": {"-1"}}, 400},
		} {
			if a := b.post("/account/keys", c.fields); a.StatusCode != c.status || !strings.Contains(b.body, `role="alert"`) {
				t.Errorf("%s: %d, want %d: %s", name, a.StatusCode, c.status, b.body)
			}
		}
		made := h.apikeys.Made.Subscribe(4)
		defer made.Close()
		b.post("/account/keys", url.Values{"name": {"<i>Script</i>"}, "space": {school.ID}, "role": {"viewer"}, "days": {"30"}})
		m := regexp.MustCompile(`<code class="whole">([A-Za-z0-9]{32})</code>[^$]*<code class="whole" id="secret">([A-Za-z0-9]{64})</code>`).FindStringSubmatch(b.body)
		if m == nil {
			t.Fatalf("neither id nor secret is shown: %s", b.body)
		}
		b.sees("&lt;i&gt;Script")
		if k := <-made.C(); k.ID != m[1] || k.Account != u.ID {
			t.Errorf("told of %+v", k)
		}
		k, err := h.apikeys.Check(t.Context(), m[1], m[2])
		if err != nil || k.Space != school.ID || k.Role != access.Viewer || !k.ExpiresAt.Equal(h.Now().Add(30*24*time.Hour)) {
			t.Errorf("the key is %+v, %v", k, err)
		}
		b.get("/account/keys")
		b.sees("&lt;i&gt;Script", "Only for “School”", "At most viewer", "Ends 2030-02-01", "!"+m[2])
		h.Pass(30 * 24 * time.Hour)
		if _, err := h.apikeys.Check(t.Context(), m[1], m[2]); err == nil {
			t.Error("the key works after its end")
		}
		b.signIn(u.Email, good)
		b.get("/account/keys")
		b.sees(">ended<")
		b.post("/account/keys/revoke", url.Values{"id": {m[1]}})
		b.sees("The key is revoked", "!&lt;i&gt;Script")
		h.Pass(freshFor)
		if b.post("/account/keys", url.Values{"name": {"x"}, "days": {"30"}}); b.path != "/signin/password" {
			t.Errorf("after five minutes: %s", b.path)
		}
		if b.get("/account/keys/new"); b.path != "/signin/password" {
			t.Errorf("the form after five minutes: %s", b.path)
		}
	})
}

func TestAPersonSeesActivity(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		h.full()
		school := h.shared(u, "School", nil)
		b := h.browser()
		b.signIn(u.Email, good)
		b.post("/account/profile", url.Values{"name": {"Anna"}, "zone": {"Asia/Tokyo"}})
		if _, _, err := h.apikeys.Add(t.Context(), access.Actor{Kind: access.User, ID: u.ID, Space: school.ID}, u.ID, "", "", "=cmd()"); err != nil {
			t.Fatal(err)
		}
		b.get("/account/activity")
		b.sees("API key made: =cmd()", "You · in “School”", "Signed in", "Profile changed", "2030-01-02 12:04 JST", "!rel=\"next\"")
		b.get("/account/activity?kind=keys")
		b.sees("API key made", "!Signed in", `<option value="keys" selected>`)
		b.get("/account/activity?kind=things")
		b.sees("Nothing of this kind")
		b.get("/account/activity?kind=%3Cnone%3E")
		b.sees("Signed in", "!<none>")
		for _, bad := range []string{"x", "0", "-1", "99999999999999999999"} {
			if a := b.get("/account/activity?before=" + bad); a.StatusCode != 400 {
				t.Errorf("before %s: %d", bad, a.StatusCode)
			}
		}
		for range 2 * deedsShown {
			if err := h.accounts.Choose(t.Context(), person(u.ID), u.ID, account.Choices{}); err != nil {
				t.Fatal(err)
			}
		}
		pages, seen := 0, 0
		for next := "/account/activity"; next != ""; pages++ {
			b.get(next)
			seen += strings.Count(b.body, "<time ")
			next = ""
			if m := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(b.body); m != nil {
				next = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		all, err := h.deeds(t.Context(), person(u.ID), 0, 1000)
		if err != nil || seen != len(all) || pages != (len(all)+deedsShown-1)/deedsShown {
			t.Errorf("%d entries on %d pages, want %d; %v", seen, pages, len(all), err)
		}
		if a := b.post("/account/activity/export", url.Values{"format": {"csv"}, "kind": {"keys"}}); !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") {
			t.Errorf("the file is %s", a.Header.Get("Content-Type"))
		}
		rows, err := csv.NewReader(strings.NewReader(b.body)).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][9] != "'=cmd()" || rows[1][3] != "API key made" || !strings.HasSuffix(rows[1][1], "+09:00") {
			t.Errorf("the file is %q, %v", rows, err)
		}
		b.post("/account/activity/export", url.Values{"format": {"json"}})
		var deeds []wireDeed
		if err := json.Unmarshal([]byte(b.body), &deeds); err != nil || len(deeds) != len(all) || deeds[0].Number < deeds[1].Number {
			t.Errorf("%d entries, want %d; %v", len(deeds), len(all), err)
		}
		h.Pass(freshFor)
		if b.post("/account/activity/export", url.Values{"format": {"json"}}); b.path != "/signin/password" {
			t.Errorf("after five minutes: %s", b.path)
		}
		other := h.browser()
		h.person("berta@example.org")
		other.signIn("berta@example.org", good)
		other.get("/account/activity")
		other.sees("!API key made", "!Profile changed")
	})
}

func TestAPersonChoosesWhoSeesWhat(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u := h.person("anna@example.org")
		h.full()
		b := h.browser()
		b.signIn(u.Email, good)
		b.get("/account/privacy")
		for _, k := range kept {
			b.sees(h.texts.Text("en", "kept."+k.Key+".what"))
		}
		b.sees("/account/data", "once I have one")
		b.post("/account/profile", url.Values{"name": {"Anna"}, "username": {"annab"}})
		b.get("/account/privacy")
		b.sees(`id="email" name="email" checked`, `id="reminders" name="reminders" checked`, "annab")
		b.post("/account/privacy", url.Values{"shown": {"username"}})
		b.sees("Saved", `id="email" name="email">`, `value="username" checked`)
		if c, err := h.accounts.Choices(t.Context(), u.ID); err != nil || c != (account.Choices{HideEmail: true, ByUsername: true, NoReminders: true}) {
			t.Errorf("chosen: %+v, %v", c, err)
		}
		if name, email, err := h.accounts.Shown(t.Context(), u.ID); err != nil || name != "annab" || email != "" {
			t.Errorf("shown as %q, %q, %v", name, email, err)
		}
		b.post("/account/privacy", url.Values{"shown": {"name"}, "email": {"on"}, "reminders": {"on"}})
		if c, err := h.accounts.Choices(t.Context(), u.ID); err != nil || c != (account.Choices{}) {
			t.Errorf("chosen back: %+v, %v", c, err)
		}
		h.post()
		b.post("/account/privacy/forget", nil)
		b.sees("We know none of your browsers")
		if b.get("/account"); b.path != "/account" {
			t.Error("forgetting browsers signed out")
		}
		b.post("/signout", nil)
		b.signIn(u.Email, good)
		h.letter("new-device")
	})
}

// What the page of privacy says that is kept is what the data map says.
func TestThePageOfPrivacyLeavesNothingOut(t *testing.T) {
	var told []string
	for _, k := range kept {
		told = append(told, k.tables...)
	}
	all, err := schema.Columns()
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]bool{}
	for _, c := range all {
		ofPerson := c.Class == schema.SealedPII || slices.Contains([]string{"account", "person", "owner", "actor", "made_by", "heir"}, c.Name) && c.Class == schema.ID
		about[c.Database+"."+c.Table] = about[c.Database+"."+c.Table] || ofPerson
	}
	found := 0
	for table, is := range about {
		if !is {
			continue
		}
		if found++; !slices.Contains(told, table) {
			t.Errorf("%s is about people, and the page does not say so", table)
		}
	}
	if found < 20 {
		t.Errorf("only %d tables are about people: this test looks in the wrong place", found)
	}
	for _, table := range told {
		if _, there := about[table]; !there {
			t.Errorf("the page speaks of %s, which is not there", table)
		}
	}
}

func TestFurtherAddresses(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		u, berta := h.person("anna@example.org"), h.person("berta@example.org")
		h.full()
		b := h.browser()
		b.signIn(u.Email, good)
		h.post()
		add := func(email string) {
			b.get("/account/addresses")
			b.submit("/account/addresses", url.Values{"email": {email}})
		}
		if add("no address"); !strings.Contains(b.body, "This is not an e-mail address") {
			t.Errorf("no address: %s", b.body)
		}
		add(berta.Email)
		b.sees("Look into the mail") // whose it is is not told
		if left := h.post(); len(left) != 0 {
			t.Errorf("letters about somebody else's address: %+v", left)
		}
		add("Anna@example.net")
		l := h.letter("address-proof")
		if l.Address != "Anna@example.net" || l.Fields["who"] != "Anna" {
			t.Errorf("the proof is %+v", l)
		}
		path, tok := token(t, l.Fields["link"])
		nobody := h.browser()
		if nobody.get(path + "?token=" + tok); nobody.path != "/signin" {
			t.Errorf("who is not signed in is led to %s", nobody.path)
		}
		if nobody.post(path, url.Values{"token": {tok}}); nobody.path != "/signin" {
			t.Errorf("who is not signed in adds it: %s", nobody.path)
		}
		victim := h.browser()
		victim.signIn(berta.Email, good)
		h.post()
		if a := victim.get(path + "?token=" + tok); a.StatusCode != 403 || !strings.Contains(victim.body, "another account") {
			t.Errorf("somebody else looks at it: %d %s", a.StatusCode, victim.body)
		}
		if a := victim.post(path, url.Values{"token": {tok}}); a.StatusCode != 403 {
			t.Errorf("somebody else adds it: %d", a.StatusCode)
		}
		b.get(path + "?token=" + tok)
		b.sees("the account of Anna")
		if all, err := h.accounts.Further(t.Context(), u.ID); err != nil || len(all) != 0 {
			t.Errorf("looking at the link added %v, %v", all, err)
		}
		b.submit(path, nil)
		b.sees("The address is added")
		if l := h.letter("address-added"); l.To != u.ID || l.Address != "" || l.Fields["link"] == "" {
			t.Errorf("the letter is %+v", l)
		}
		if a := b.post(path, url.Values{"token": {tok}}); a.StatusCode != 404 {
			t.Errorf("the link again: %d", a.StatusCode)
		}
		other := h.browser()
		if other.signIn("anna@EXAMPLE.net", good); other.path != "/account" {
			t.Errorf("signing in by it: %s %s", other.path, other.body)
		}
		h.post()
		other.post("/signout", nil)
		other.get("/reset")
		other.submit("/reset", url.Values{"email": {"anna@example.net"}})
		if l := h.letter("reset"); l.Address != "Anna@example.net" || l.To != u.ID {
			t.Errorf("the link to set a password went to %+v", l)
		}
		all, err := h.accounts.Further(t.Context(), u.ID)
		if err != nil || len(all) != 1 {
			t.Fatalf("further addresses: %v, %v", all, err)
		}
		stranger := h.browser()
		stranger.signIn(berta.Email, good)
		h.post()
		if a := stranger.post("/account/addresses/prefer", url.Values{"id": {all[0].ID}}); a.StatusCode != 404 {
			t.Errorf("a stranger prefers it: %d", a.StatusCode)
		}
		stranger.post("/account/addresses/remove", url.Values{"id": {all[0].ID}})
		b.post("/account/addresses/prefer", url.Values{"id": {all[0].ID}})
		b.sees("Letters go to that address", "anna@example.org")
		if l := h.letter("email-changed"); l.Address != u.Email {
			t.Errorf("the warning went to %q, want the old address", l.Address)
		}
		now, err := h.accounts.Get(t.Context(), u.ID)
		all, err2 := h.accounts.Further(t.Context(), u.ID)
		if err != nil || err2 != nil || now.Email != "Anna@example.net" || len(all) != 1 || all[0].Email != u.Email {
			t.Errorf("now %q and %v; %v, %v", now.Email, all, err, err2)
		}
		b.post("/account/addresses/remove", url.Values{"id": {all[0].ID}})
		b.sees("The address is removed", "!anna@example.org")
		told := map[string]bool{}
		for _, l := range h.post() {
			told[l.Kind+" to "+l.Address] = l.Fields["link"] != ""
		}
		if len(told) != 2 || !told["address-removed to anna@example.org"] || !told["address-removed to "] {
			t.Errorf("letters %v, want one to the address that was removed and one to the first", told)
		}
		if a := other.signIn(u.Email, good); a.StatusCode != 401 {
			t.Errorf("by the address that was removed: %d", a.StatusCode)
		}
		h.Pass(freshFor)
		if b.post("/account/addresses", url.Values{"email": {"x@example.org"}}); b.path != "/signin/password" {
			t.Errorf("after five minutes: %s", b.path)
		}
	})
}

// Whoever was at work in an account and added an address does not open it with that after its person froze it.
func TestANewAddressDoesNotOpenAFrozenAccount(t *testing.T) {
	for name, c := range map[string]struct {
		prefer bool
		age    time.Duration // of the further address, when the account is frozen
		typed  string
		sent   string // where the link goes; "" for nowhere
	}{
		"to the one just added":         {false, time.Hour, "thief@example.net", ""},
		"to the old one":                {false, time.Hour, "anna@example.org", "anna@example.org"},
		"to the one just preferred":     {true, time.Hour, "thief@example.net", ""},
		"to the old one, not the first": {true, time.Hour, "anna@example.org", "anna@example.org"},
		"to one that was there long":    {false, 8 * 24 * time.Hour, "thief@example.net", "thief@example.net"},
	} {
		t.Run(name, func(t *testing.T) {
			h := embedded(t)
			u := h.person("anna@example.org")
			h.Pass(30 * 24 * time.Hour)
			if err := h.accounts.AddAddress(t.Context(), person(u.ID), u.ID, "thief@example.net"); err != nil {
				t.Fatal(err)
			}
			if all, err := h.accounts.Further(t.Context(), u.ID); c.prefer && err == nil {
				_, err = h.accounts.Prefer(t.Context(), person(u.ID), u.ID, all[0].ID)
				if err != nil {
					t.Fatal(err)
				}
			}
			h.Pass(c.age)
			if err := h.accounts.Freeze(t.Context(), person(u.ID), u.ID); err != nil {
				t.Fatal(err)
			}
			h.Pass(time.Hour)
			b := h.browser()
			b.get("/reset")
			b.submit("/reset", url.Values{"email": {c.typed}})
			b.sees("Look into your mail")
			sent := ""
			for _, l := range h.post() {
				if sent = l.Address; sent == "" {
					now, err := h.accounts.Get(t.Context(), l.To)
					if err != nil {
						t.Fatal(err)
					}
					sent = now.Email
				}
			}
			if sent != c.sent {
				t.Errorf("the link went to %q, want %q", sent, c.sent)
			}
		})
	}
}

// What the pages of a space let people do is what the policy lets them.
func TestPagesOfASpace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		anna, berta, carlo := h.named("anna@example.org", "Anna"), h.named("berta@example.org", "Berta"), h.named("carlo@example.org", "Carlo")
		stranger := h.named("dora@example.org", "Dora")
		h.full()
		in := func(u account.User) *browser {
			b := h.browser()
			b.signIn(u.Email, good)
			return b
		}
		a, b, c, d := in(anna), in(berta), in(carlo), in(stranger)
		a.get("/account/spaces")
		a.sees("Private space")
		if answer := a.submit("/account/spaces", url.Values{"name": {strings.Repeat("x", 65)}}); answer.StatusCode != 400 {
			t.Errorf("a long name: %d", answer.StatusCode)
		}
		a.submit("/account/spaces", url.Values{"name": {"School"}})
		one := a.path
		id := strings.TrimPrefix(one, "/account/spaces/")
		a.sees("School", "administrator", "disband it for ever", "hand it over to somebody else")
		for user, role := range map[string]access.Role{berta.ID: access.Editor, carlo.ID: access.Service} {
			if err := h.orgs.SetRole(t.Context(), access.Actor{Kind: access.System}, id, user, role); err != nil {
				t.Fatal(err)
			}
		}
		for _, part := range []string{"", "/members", "/invitations", "/invite", "/usage", "/settings", "/owner", "/disband"} {
			if answer := a.get(one + part); answer.StatusCode != 200 || a.path != one+part {
				t.Errorf("the owner at %s: %d", part, answer.StatusCode)
			}
			want := 403
			if part == "" || part == "/usage" || part == "/members" {
				want = 200
			}
			if answer := b.get(one + part); answer.StatusCode != want {
				t.Errorf("an editor at %s: %d, want %d", part, answer.StatusCode, want)
			}
			if answer := d.get(one + part); answer.StatusCode != 403 || strings.Contains(d.body, "School") {
				t.Errorf("a stranger at %s: %d %s", part, answer.StatusCode, d.body)
			}
		}
		if answer := c.get(one + "/members"); answer.StatusCode != 403 {
			t.Errorf("a service account sees the members: %d", answer.StatusCode)
		}
		b.get(one + "/members")
		b.sees("Anna", "Berta", "!carlo@example.org", "!/members/remove")
		a.get(one + "/members")
		a.sees("carlo@example.org", "/members/remove", "write values to things")

		if answer := b.post(one+"/members/role", url.Values{"user": {berta.ID}, "role": {"admin"}}); answer.StatusCode != 403 {
			t.Errorf("an editor makes herself administrator: %d", answer.StatusCode)
		}
		if answer := a.post(one+"/members/role", url.Values{"user": {anna.ID}, "role": {"viewer"}}); answer.StatusCode != 412 {
			t.Errorf("the owner becomes a viewer: %d", answer.StatusCode)
		}
		if answer := a.post(one+"/members/role", url.Values{"user": {berta.ID}, "role": {"king"}}); answer.StatusCode != 400 {
			t.Errorf("no such role: %d", answer.StatusCode)
		}
		a.post(one+"/members/role", url.Values{"user": {berta.ID}, "role": {"viewer"}})
		if role, _ := h.orgs.Role(t.Context(), id, berta.ID); role != access.Viewer {
			t.Errorf("the role is %q: %s", role, a.body)
		}
		a.post(one+"/members/remove", url.Values{"user": {carlo.ID}})
		a.sees("not in the space any more", "!Carlo")
		if answer := c.get(one); answer.StatusCode != 403 {
			t.Errorf("somebody who was removed: %d", answer.StatusCode)
		}
		b.post(one+"/leave", nil)
		b.sees("You are not in that space any more", "!School")
		if answer := a.post(one+"/leave", nil); answer.StatusCode != 412 {
			t.Errorf("the owner leaves: %d", answer.StatusCode)
		}
		for _, path := range []string{"/account/spaces/" + anna.Space + "/members/role", "/account/spaces/" + anna.Space + "/disband"} {
			if answer := a.post(path, url.Values{"user": {berta.ID}, "role": {"admin"}, "name": {"Private"}}); answer.StatusCode != 412 {
				t.Errorf("%s in a private space: %d", path, answer.StatusCode)
			}
		}
		for _, path := range []string{"/account/spaces/x", "/account/spaces/00000000-0000-0000-0000-000000000000"} {
			if answer := a.get(path); answer.StatusCode != 403 {
				t.Errorf("%s: %d", path, answer.StatusCode)
			}
		}
	})
}

func TestInvitationsOfASpace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		anna := h.named("anna@example.org", "Anna")
		h.full()
		sp := h.shared(anna, "School", nil)
		one := "/account/spaces/" + sp.ID
		b := h.browser()
		b.signIn(anna.Email, good)
		h.post()
		for name, fields := range map[string]url.Values{
			"no address":   {"email": {"nobody"}, "role": {"viewer"}, "days": {"7"}, "uses": {"1"}},
			"no role":      {"role": {"king"}, "days": {"7"}, "uses": {"1"}},
			"too long":     {"role": {"viewer"}, "days": {"31"}, "uses": {"1"}},
			"no days":      {"role": {"viewer"}, "days": {""}, "uses": {"1"}},
			"for nobody":   {"role": {"viewer"}, "days": {"7"}, "uses": {"0x"}},
			"for too many": {"role": {"viewer"}, "days": {"7"}, "uses": {"501"}},
		} {
			if a := b.post(one+"/invite", fields); a.StatusCode != 400 {
				t.Errorf("%s: %d", name, a.StatusCode)
			}
		}
		b.post(one+"/invite", url.Values{"email": {"berta@example.org"}, "role": {"editor"}, "days": {"7"}, "uses": {"9"}})
		b.sees("on its way", "berta@example.org", "As editor, until 2030-01-09")
		if l := h.letter("invite"); l.Address != "berta@example.org" {
			t.Errorf("the letter went to %q", l.Address)
		}
		b.post(one+"/invite", url.Values{"role": {"viewer"}, "days": {"1"}, "uses": {"20"}})
		b.sees("https://example.org/invitation?token=")
		all, err := h.orgs.Invitations(t.Context(), sp.ID)
		if err != nil || len(all) != 2 {
			t.Fatalf("invitations: %v, %v", all, err)
		}
		b.get(one + "/invitations")
		b.sees("Whoever has the link", "20 may still join", "!token=")
		for _, in := range all {
			if in.Address != "" {
				b.post(one+"/invitations/again", url.Values{"id": {in.ID}})
				b.sees("with a new link")
				h.letter("invite")
			}
			b.post(one+"/invitations/drop", url.Values{"id": {in.ID}})
			b.sees("The invitation is withdrawn")
		}
		b.sees("Nobody is invited now")
		if a := b.post(one+"/invitations/drop", url.Values{"id": {all[0].ID}}); a.StatusCode != 404 {
			t.Errorf("withdrawn again: %d", a.StatusCode)
		}
		h.Pass(freshFor)
		if b.post(one+"/invite", url.Values{"role": {"viewer"}}); b.path != "/signin/password" {
			t.Errorf("letting somebody in after five minutes: %s", b.path)
		}
	})
}

func TestASpaceIsNamedHandedOverAndDisbanded(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		anna, berta := h.named("anna@example.org", "Anna"), h.named("berta@example.org", "Berta")
		h.full()
		sp := h.shared(anna, "School", map[string]access.Role{berta.ID: access.Viewer})
		one := "/account/spaces/" + sp.ID
		a, b := h.browser(), h.browser()
		a.signIn(anna.Email, good)
		b.signIn(berta.Email, good)
		a.post(one+"/settings", url.Values{"name": {"<b>Garden</b>"}, "level": {"password"}})
		a.sees("Saved", "&lt;b&gt;Garden")
		if answer := a.post(one+"/settings", url.Values{"name": {"Other"}, "level": {"passkey"}}); answer.StatusCode != 403 {
			t.Errorf("asking for more than she does: %d", answer.StatusCode)
		}
		if now, _ := h.orgs.Get(t.Context(), sp.ID); now.Name != "<b>Garden</b>" {
			t.Errorf("half of it was done: %q", now.Name)
		}
		a.upload(one+"/logo", "logo", []byte("no picture"))
		a.sees("A logo is a PNG")
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 9, 9))); err != nil {
			t.Fatal(err)
		}
		a.upload(one+"/logo", "logo", picture.Bytes())
		if answer := b.get(one + "/logo"); answer.StatusCode != 200 || answer.Header.Get("Content-Type") != "image/png" {
			t.Errorf("a member sees the logo: %d", answer.StatusCode)
		}
		a.post(one+"/logo/remove", nil)
		if answer := b.get(one + "/logo"); answer.StatusCode != 404 {
			t.Errorf("after it was removed: %d", answer.StatusCode)
		}

		a.get(one + "/owner")
		a.sees("Berta (viewer)", "!Anna (")
		a.submit(one+"/owner", url.Values{"user": {berta.ID}})
		a.sees("The space is offered")
		a.get(one + "/owner")
		a.sees("Offered to Berta")
		a.post(one+"/owner", url.Values{})
		if answer := b.post(one+"/take", nil); answer.StatusCode != 412 {
			t.Errorf("taking what was withdrawn: %d", answer.StatusCode)
		}
		a.post(one+"/owner", url.Values{"user": {berta.ID}})
		b.get("/account/spaces")
		b.sees("offered to you")
		b.post(one+"/take", nil)
		b.sees("The space is yours now")
		if now, _ := h.orgs.Get(t.Context(), sp.ID); now.Owner != berta.ID {
			t.Errorf("the owner is %s", now.Owner)
		}
		if answer := a.post(one+"/disband", url.Values{"name": {"<b>Garden</b>"}}); answer.StatusCode != 403 {
			t.Errorf("somebody else disbands it: %d", answer.StatusCode)
		}
		if answer := b.post(one+"/disband", url.Values{"name": {"Garden"}}); answer.StatusCode != 412 {
			t.Errorf("disbanding without its name: %d", answer.StatusCode)
		}
		h.Pass(freshFor)
		if b.post(one+"/disband", url.Values{"name": {"<b>Garden</b>"}}); b.path != "/signin/password" {
			t.Errorf("disbanding after five minutes: %s", b.path)
		}
		b.submit("/signin/password", url.Values{"password": {good}})
		b.post(one+"/disband", url.Values{"name": {"<b>Garden</b>"}})
		b.sees("is erased", "!Garden")
		if _, err := h.orgs.Get(t.Context(), sp.ID); err == nil {
			t.Error("the space is still there")
		}
	})
}

// upload sends a form with a file.
func (b *browser) upload(path, name string, content []byte) *http.Response {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile(name, "a.png")
	if err == nil {
		_, err = part.Write(content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", b.base+path, &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.do(r)
}

func TestASpaceThatAsksForTwoStepsKeepsItsPagesShut(t *testing.T) {
	h := embedded(t)
	anna, berta := h.named("anna@example.org", "Anna"), h.named("berta@example.org", "Berta")
	h.full()
	sp := h.shared(anna, "School", map[string]access.Role{berta.ID: access.Admin})
	if err := h.orgs.Require(t.Context(), access.Actor{Kind: access.System}, sp.ID, org.TwoStep); err != nil {
		t.Fatal(err)
	}
	b := h.browser()
	b.signIn(berta.Email, good)
	for _, part := range []string{"", "/members", "/settings"} {
		if a := b.get("/account/spaces/" + sp.ID + part); a.StatusCode != 403 || !strings.Contains(b.body, "Add a second step") {
			t.Errorf("%s: %d %s", part, a.StatusCode, b.body)
		}
	}
	if a := b.post("/account/spaces/"+sp.ID+"/members/role", url.Values{"user": {berta.ID}, "role": {"viewer"}}); a.StatusCode != 403 {
		t.Errorf("changing a role: %d", a.StatusCode)
	}
}

// Who may come in, and how surely, is changed with a proof of a few minutes ago, and the form's page is where one comes back to.
func TestGovernanceOfASpaceNeedsAFreshProof(t *testing.T) {
	h := embedded(t)
	anna, berta := h.named("anna@example.org", "Anna"), h.named("berta@example.org", "Berta")
	h.full()
	sp := h.shared(anna, "School", map[string]access.Role{berta.ID: access.Viewer})
	one := "/account/spaces/" + sp.ID
	a := h.browser()
	a.signIn(anna.Email, good)
	a.get(one + "/members")
	h.Pass(freshFor)
	for _, c := range []struct {
		at, page string
		fields   url.Values
	}{
		{"/members/role", "/members", url.Values{"user": {berta.ID}, "role": {"admin"}}},
		{"/members/remove", "/members", url.Values{"user": {berta.ID}}},
		{"/settings", "/settings", url.Values{"name": {"Other"}, "level": {"two-step"}}},
	} {
		if a.post(one+c.at, c.fields); a.path != "/signin/password" {
			t.Fatalf("%s with an old proof: %s", c.at, a.path)
		}
		a.submit("/signin/password", url.Values{"password": {good}})
		if a.path != one+c.page {
			t.Errorf("%s, after proving it: %s", c.at, a.path)
		}
		h.Pass(freshFor)
	}
	if role, err := h.orgs.Role(t.Context(), sp.ID, berta.ID); err != nil || role != access.Viewer {
		t.Errorf("the role is %q, %v", role, err)
	}
	a.post(one+"/settings", url.Values{"name": {"Garden"}, "level": {"password"}}) // a name opens no door
	if now, err := h.orgs.Get(t.Context(), sp.ID); err != nil || now.Name != "Garden" || now.Level != org.Password {
		t.Errorf("the space is %+v, %v", now, err)
	}
}

func TestTheCheckUpSaysWhatToMend(t *testing.T) {
	h := embedded(t)
	u := h.person("anna@example.org")
	h.full()
	b := h.browser()
	b.signIn(u.Email, good)
	b.get("/account/checkup")
	b.sees(`href="/account/factors">Turn it on`, `href="/account/factors">Add a passkey`, `href="/account/addresses">Add an address`, "!/account/keys\">Look", "!Make new ones")
	h.factors.totp[u.ID] = map[string]bool{"123456": true}
	h.factors.recovery[u.ID] = map[string]bool{"1111": true}
	h.factors.passkeys["p1"] = u.ID
	if err := h.accounts.AddAddress(t.Context(), person(u.ID), u.ID, "anna@example.net"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.apikeys.Make(t.Context(), person(u.ID), apikey.Wish{Account: u.ID, Name: "old"}); err != nil {
		t.Fatal(err)
	}
	b.get("/account/checkup")
	b.sees("!Turn it on", "!Add a passkey", "!Add an address", "You have only 1 of them", "Keys: 1, of them unused for 90 days or ended: 0.")
	h.Pass(staleKey + time.Hour)
	h.in2(u)
	b.signIn(u.Email, good)
	b.submit("/signin/second", url.Values{"code": {"123456"}})
	b.get("/account/checkup")
	b.sees("unused for 90 days or ended: 1. Revoke", `href="/account/keys">Look at them`)
}

// Every right and every action of the journal that pages can show has words in every language.
func TestRightsHaveWords(t *testing.T) {
	texts, err := readTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range tongue.Languages {
		for _, r := range access.Rights() {
			if texts.Texts[lang][rightKey(r)] == "" {
				t.Errorf("no text in %s for %q", lang, r.Words)
			}
		}
		for _, role := range access.Roles() {
			if texts.Texts[lang]["role."+string(role)] == "" || texts.Texts[lang]["role."+string(role)+".text"] == "" {
				t.Errorf("no text in %s for the role %s", lang, role)
			}
		}
		for _, q := range org.Quotas() {
			if texts.Texts[lang]["quota."+string(q)] == "" {
				t.Errorf("no text in %s for the quota %s", lang, q)
			}
		}
		for _, l := range org.Levels() {
			if texts.Texts[lang]["level."+string(l)] == "" {
				t.Errorf("no text in %s for the level %s", lang, l)
			}
		}
		for done := range notices {
			if texts.Texts[lang]["done."+done] == "" {
				t.Errorf("no text in %s for %s", lang, done)
			}
		}
		for _, k := range kept {
			for _, part := range []string{"", ".what", ".until"} {
				if texts.Texts[lang]["kept."+k.Key+part] == "" {
					t.Errorf("no text in %s for what is kept: %s%s", lang, k.Key, part)
				}
			}
		}
	}
	for _, zone := range strings.Fields(zones) {
		if (account.Profile{Zone: zone}).Location().String() != zone {
			t.Errorf("there is no time zone %s", zone)
		}
	}
}

// Whatever somebody calls a key, the file of one's activity is read back as it was written, and no
// cell of it begins a formula.
func FuzzWriteDeeds(f *testing.F) {
	for _, seed := range []string{"Greenhouse", "=cmd()", "a,b\"c\nd", "\t@x", "-1+1", "è"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Contains(name, "\r") {
			return // RFC 4180 has no lone carriage return: the reader drops it
		}
		var b bytes.Buffer
		if err := writeDeeds(&b, []toldDeed{{Deed: Deed{Number: 7, Detail: map[string]string{"x": "y"}}, What: name}}, time.UTC); err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil || len(rows) != 2 || len(rows[1]) != len(rows[0]) || strings.TrimPrefix(rows[1][9], "'") != strings.TrimPrefix(name, "'") {
			t.Fatalf("%q is read as %q, %v", name, rows, err)
		}
		for _, cell := range rows[1] {
			if cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) {
				t.Fatalf("%q begins a formula", cell)
			}
		}
	})
}
