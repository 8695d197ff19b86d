package house

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A mallory is somebody with things and spaces of their own, who has found out all ids of a
// victim's.
type mallory struct {
	*caller
	victim *caller
	whole  func() string // everything that the victim has, as the victim sees it
}

func newMallory(t *testing.T) *mallory {
	t.Helper()
	h := servertest.Start(t)
	m := &mallory{caller: newCaller(t, h)} // is called owner@example.org
	user, key := h.Person("victim@example.org")
	v := &caller{t: t, h: h, web: m.web, key: key, api: h.Client(key), id: user, email: "victim@example.org", friend: m.friend, friendAPI: m.friendAPI}
	v.settleIn()
	v.own["user"] = user
	m.victim = v
	m.whole = func() string {
		t.Helper()
		var all []string
		for _, path := range []string{
			"/iot/v2/things?show_properties=true&show_deleted=true", "/iot/v2/devices?show_deleted=true", "/iot/v2/devices/" + v.own["device"] + "/certs", "/iot/v2/things/" + v.own["thing"],
			"/v1/spaces", "/v1/spaces/" + v.own["space"], "/v1/spaces/" + v.own["space"] + "/members", "/v1/spaces/" + v.own["space"] + "/invitations",
			"/iot/v3/dashboards", "/v1/dashboards/" + v.own["dashboard"] + "/shares", "/v1/dashboards/" + v.own["dashboard"] + "/link",
			"/v1/spaces/" + v.own["space"] + "/apikeys", "/v1/spaces/" + v.own["space"] + "/usage", "/v1/spaces/" + v.own["joined"],
		} {
			all = append(all, askingCounts.ReplaceAllString(v.look(path), `"requests"`))
		}
		var keys []struct {
			ID      string `json:"client_id"`
			Name    string `json:"name"`
			Enabled bool   `json:"enabled"`
		}
		v.do("GET", "/v1/apikeys", nil, &keys) // without the time of last use
		text, _ := json.Marshal(keys)
		return strings.Join(append(all, string(text)), "\n")
	}
	return m
}

// askingCounts is how often the victim has asked of late, which looking at it changes.
var askingCounts = regexp.MustCompile(`"requests","used":[0-9]+`)

// shows says which of the victim's ids stand in an answer.
func (m *mallory) shows(a answer) (all []string) {
	for what, id := range m.victim.own {
		if len(id) >= 32 && what != "csr" && what != "widget" && what != "fresh" && what != "hex" && what != "member" && strings.Contains(string(a.body), id) {
			all = append(all, what)
		}
	}
	return all
}

// Whoever asks for another tenant's things by any id, in any place of an address, gets
// nothing, and nothing changes: also when the first id is their own and the last is not.
func TestIDsOfAnotherTenantOpenNothing(t *testing.T) {
	t.Parallel()
	m := newMallory(t)
	m.settleUpdates()
	m.victim.settleUpdates()
	before := m.whole()
	tried := 0
	for _, d := range door.Table(m.h.Server.Routes()) {
		if d.Open || len(d.Params) == 0 {
			continue
		}
		mine := m.ids(d)
		theirs := m.victim.ids(d)
		// Which of the ids are the victim's: all, or one of them alone.
		for mask := 1; mask < 1<<len(d.Params); mask++ {
			foreign, i := false, 0
			path := d.Fill(func(name string) string {
				bit := mask>>i&1 == 1
				i++
				if bit && theirs[name] != mine[name] {
					foreign = true
				}
				if bit {
					return theirs[name]
				}
				return mine[name]
			})
			if !foreign {
				continue // tags and types have the same names everywhere
			}
			for _, s := range samplesOf(d) {
				tried++
				full := sample{m.fillIn(s.query), s.kind, m.fillIn(s.body)}
				got := m.ask(d.Method, path, full)
				want := http.StatusNotFound
				if d.Space != "" && mask&1 == 1 {
					want = http.StatusForbidden // as for a space that is not there
				}
				if d.Action == asking {
					want = http.StatusOK
				}
				if got.status != want {
					t.Errorf("%s %s with ids %b of another: %d %s, want %d", d.Method, d.Path, mask, got.status, got.body, want)
				}
				if shown := m.shows(got); len(shown) > 0 {
					t.Errorf("%s %s with ids %b of another shows %v: %s", d.Method, d.Path, mask, shown, got.body)
				}
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d requests were tried: this test looks in the wrong place", tried)
	}
	if after := m.whole(); after != before {
		t.Errorf("the victim has\n%s\nand had\n%s", after, before)
	}
}

// ids are what stands for the wildcards of a route, by their names.
func (c *caller) ids(d door.Declaration) map[string]string {
	all := map[string]string{}
	c.path(d, func(name, own string) string {
		all[name] = own
		return own
	})
	return all
}

// The victim's ids in bodies and queries, where a route has a field for them, open nothing.
func TestIDsOfAnotherTenantInBodies(t *testing.T) {
	t.Parallel()
	m := newMallory(t)
	before := m.whole()
	for _, d := range door.Table(m.h.Server.Routes()) {
		if d.Open {
			continue
		}
		for _, s := range samplesOf(d) {
			m.settleFor(d)
			// The body and the query name the victim's, the address one's own.
			theirs := sample{m.victim.fillIn(s.query), s.kind, m.victim.fillIn(s.body)}
			if theirs.body == m.fillIn(s.body) && theirs.query == m.fillIn(s.query) {
				continue
			}
			if strings.Contains(s.body, "{token}") || strings.Contains(s.body, "{member}") || strings.Contains(s.body, "{csr}") || strings.Contains(s.body, "{pass}") || strings.Contains(s.body, "{fresh}") {
				continue // whoever has a link may use it; the others are no ids of a tenant's
			}
			got := m.ask(d.Method, m.path(d, ours), theirs)
			told := m.shows(got)
			// Queries for history answer for each id, that it is not there.
			told = slices.DeleteFunc(told, func(what string) bool {
				return strings.HasPrefix(d.Path, "/iot/v2/series/") && (what == "property" || what == "thing") && empty(string(got.body))
			})
			if got.status >= 500 && got.status != http.StatusNotImplemented || len(told) > 0 || strings.Contains(string(got.body), "4711") {
				t.Errorf("%s %s with %s %s of another: %d, shows %v: %s", d.Method, d.Path, theirs.query, theirs.body, got.status, told, got.body)
			}
		}
	}
	if after := m.whole(); after != before {
		t.Errorf("the victim has\n%s\nand had\n%s", after, before)
	}
}

// Fields and parameters that say whose something is, or in which role, are refused or have no
// effect: on no route do they give anything to, or take anything from, somebody else.
func TestNobodySaysWhoTheyAre(t *testing.T) {
	t.Parallel()
	m := newMallory(t)
	before := m.whole()
	v := m.victim.own
	claims := map[string]any{
		"user_id": v["user"], "user": v["user"], "account": v["user"], "owner": v["user"], "owner_id": v["user"], "made_by": v["client"],
		"org_id": v["space"], "organization_id": v["space"], "organization": v["space"], "space": v["space"], "space_id": v["space"],
		"X-Organization": v["space"], "role": "admin", "kind": "private", "admin": true, "id": v["thing"], "client": v["client"],
		"Only": "", "Cap": "admin", "epoch": 99, "revoked": false, "enabled": true,
	}
	roles := func() string { return m.look("/v1/spaces") }
	for _, d := range door.Table(m.h.Server.Routes()) {
		if d.Open {
			continue
		}
		for _, s := range samplesOf(d) {
			m.settleFor(d)
			was := roles()
			q, err := url.ParseQuery(m.fillIn(s.query))
			if err != nil {
				t.Fatal(err)
			}
			for name, value := range claims {
				if text, ok := value.(string); ok && !q.Has(name) {
					q.Set(name, text)
				}
			}
			body := m.fillIn(s.body)
			var fields map[string]any
			if s.kind == isJSON && json.Unmarshal([]byte(body), &fields) == nil {
				// What the sample says is what the route has a field for; all else is claimed.
				all := maps.Clone(claims)
				if strings.HasPrefix(d.Path, "/iot/v1/triggers") {
					all["id"] = v["trigger"] // whoever makes one may choose its id, if nobody has it
				}
				maps.Copy(all, fields)
				text, err := json.Marshal(all)
				if err != nil {
					t.Fatal(err)
				}
				body = string(text)
			}
			got := m.ask(d.Method, m.path(d, ours), sample{q.Encode(), s.kind, body})
			if got.status >= 500 && got.status != http.StatusNotImplemented {
				t.Errorf("%s %s: %d %s", d.Method, d.Path, got.status, got.body)
			}
			if shown := m.shows(got); len(shown) > 0 {
				t.Errorf("%s %s shows %v of another: %d %s", d.Method, d.Path, shown, got.status, got.body)
			}
			now := roles()
			if strings.Contains(now, v["space"]) {
				t.Fatalf("%s %s let a stranger into %s: %s", d.Method, d.Path, v["space"], now)
			}
			if d.Method != "GET" && !strings.Contains(d.Path, "/v1/") && now != was {
				t.Errorf("%s %s made of the asker's roles\n%s\n%s", d.Method, d.Path, was, now)
			}
		}
	}
	if after := m.whole(); after != before {
		t.Errorf("the victim has\n%s\nand had\n%s", after, before)
	}
}

// A body that says in which role its sender is does not change it: the one who gives roles
// gives no other than the field of the route says, and nobody gives one to themselves.
func TestViewerDoesNotMakeThemselvesMore(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	owner, _ := h.Person("anna@example.org")
	vera, key := h.Person("vera@example.org")
	var sp struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": owner, "name": "School"}, &sp)
	h.Admin("space.member", map[string]string{"space": sp.ID, "user": vera, "role": "viewer"}, nil)
	c, tok := web(t, h), token(t, h, key)
	at := h.URL() + "/v1/spaces/" + sp.ID
	for _, try := range []struct{ method, url, body string }{
		{"PATCH", at + "/members/" + vera, `{"role":"admin"}`},
		{"PATCH", at, `{"role":"admin","owner":"` + vera + `"}`},
		{"POST", at + "/owner", `{"user":"` + vera + `"}`},
		{"POST", at + "/owner/accept", `{"role":"admin"}`},
		{"POST", at + "/invitations", `{"role":"admin"}`},
		{"POST", h.URL() + "/v1/apikeys", `{"name":"x","space":"` + sp.ID + `","role":"admin"}`},
		{"POST", h.URL() + "/v1/apikeys", `{"name":"x","space":"` + sp.ID + `","role":"service"}`},
		{"DELETE", at + "/members/" + owner, ""},
		{"POST", at + "/disband", `{"name":"School"}`},
	} {
		status, text := call(t, c, try.method, try.url, tok, try.body)
		if status != http.StatusForbidden && status != http.StatusPreconditionFailed {
			t.Errorf("%s %s %s: %d %s", try.method, try.url, try.body, status, text)
		}
	}
	if _, text := call(t, c, "GET", at, tok, ""); !strings.Contains(text, `"role":"viewer"`) || !strings.Contains(text, owner) {
		t.Errorf("now: %s", text)
	}
}
