package house

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

var update = flag.Bool("update", false, "write the answers of all routes to all principals anew")

// A principal is somebody who asks for what is in a space called School.
type principal struct {
	name    string
	email   string // of the account
	role    string // in School; "" for none
	header  bool   // School is named in X-Organization
	bound   string // the key is for one space alone: "School" or "another"
	account bool   // the key is a service account's
	nobody  bool   // no token
	expired bool
	capped  string // the key is a service account's of that role, for School
	staff   bool   // keeps the server, and by an error is in School as an admin; no token says so, so the door is told
}

// principals are the columns of the golden table.
var principals = []principal{
	{name: "nobody", nobody: true},
	{name: "expired", email: "admin@example.org", expired: true},
	{name: "stranger", email: "mallory@example.org"},
	{name: "naming", email: "mallory@example.org", header: true},
	{name: "owner", email: "owner@example.org", role: "admin", header: true},
	{name: "admin", email: "admin@example.org", role: "admin", header: true},
	{name: "editor", email: "editor@example.org", role: "editor", header: true},
	{name: "viewer", email: "viewer@example.org", role: "viewer", header: true},
	{name: "service", email: "service@example.org", role: "service", header: true},
	{name: "bound", email: "admin@example.org", bound: "School"},
	{name: "astray", email: "admin@example.org", header: true, bound: "another"},
	{name: "account", email: "admin@example.org", bound: "School", account: true, capped: "service"},
	{name: "keyedit", email: "admin@example.org", bound: "School", account: true, capped: "editor"},
	{name: "keyview", email: "admin@example.org", bound: "School", account: true, capped: "viewer"},
	{name: "staff", staff: true},
}

// legend stands above the table.
const legend = `What every route that needs a token answers to whom. Regenerate with
  go test ./test/house -run TestMatrix -update
and read each line that changed. What is asked for is in the shared space School, or is the asker's own
place in it and own API key; each asks with a request that is good but for who asks.

  nobody    without a token                        viewer    a Viewer of School
  expired   with the token of an admin, too old    service   a Service Account of School, with a key of all its spaces
  stranger  of another tenant                      bound     a key of the admin, for School alone
  naming    the same, with X-Organization: School  astray    a key of the admin for another space alone, with X-Organization: School
  owner     the owner of School, an admin          account   a service account's key for School that the admin made
  admin, editor: with that role in School          keyedit, keyview: the same with the role of an editor, a viewer
  staff     who keeps the server for others, and by an error got into School as an admin
                                                   ("owner" to "service" name School in X-Organization)

A number is the HTTP status; after it r: the role is too low ("forbidden"), m: not a member of the space,
k: the key is for another space, and otherwise what the state does not allow is told with its code below the table.

`

// A school is the space that is asked for, with everything in it.
type school struct {
	*caller
	keys  map[string]servertest.Key // by principal
	other string                    // a space that the bound key of "astray" is for

	dashboards bool // the route that is asked for is about a dashboard: anew makes one
	templates  bool // or about a template
}

func newSchool(t *testing.T, h *servertest.House) *school {
	t.Helper()
	s := &school{caller: newCaller(t, h), keys: map[string]servertest.Key{}}
	known := map[string]bool{"": true, "owner@example.org": true}
	for _, p := range principals {
		if !known[p.email] {
			h.Person(p.email)
			known[p.email] = true
		}
	}
	for _, p := range principals {
		var key servertest.Key
		if p.email != "" && p.bound == "" {
			h.Admin("apikey.add", map[string]string{"user": p.email, "name": p.name}, &key)
			s.keys[p.name] = key
		}
	}
	var other struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": "admin@example.org", "name": "Another"}, &other)
	s.other = other.ID
	var astray servertest.Key
	h.Admin("apikey.add", map[string]string{"user": "admin@example.org", "name": "astray", "space": other.ID}, &astray)
	s.keys["astray"] = astray
	s.anew()
	return s
}

// anew makes School with all that is in it, since somebody has changed it.
func (s *school) anew() {
	s.t.Helper()
	// Otherwise the owner would own too many in the end.
	if old := s.own["school"]; old != "" {
		var had []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		}
		s.admin("space.list", nil, &had)
		for _, sp := range had {
			if sp.ID == old {
				s.admin("space.erase", map[string]string{"space": old, "yes": sp.Name}, nil)
			}
		}
	}
	var sp struct {
		ID string `json:"id"`
	}
	s.admin("space.add", map[string]string{"user": "owner@example.org", "name": "School"}, &sp)
	for _, p := range principals {
		if p.role != "" && p.email != "owner@example.org" {
			s.admin("space.member", map[string]string{"space": sp.ID, "user": p.email, "role": p.role}, nil)
		}
	}
	s.admin("space.member", map[string]string{"space": sp.ID, "user": s.friend, "role": "viewer"}, nil)
	// Whoever makes things there is the owner with a key for School alone.
	var mine, bound servertest.Key
	s.admin("apikey.add", map[string]string{"user": "owner@example.org", "name": "school", "space": sp.ID}, &mine)
	s.admin("apikey.add", map[string]string{"user": "admin@example.org", "name": "bound", "space": sp.ID}, &bound)
	s.keys["bound"] = bound
	for _, p := range principals {
		if p.capped != "" {
			var key servertest.Key
			s.admin("apikey.add", map[string]string{"user": p.email, "name": p.name, "space": sp.ID, "role": p.capped}, &key)
			s.keys[p.name] = key
		}
	}
	s.api = s.client(mine)
	s.settleFleet()
	var in struct {
		ID   string `json:"id"`
		Link string `json:"link"`
	}
	s.admin("space.invite", map[string]any{"space": sp.ID, "role": "viewer", "uses": 9}, &in)
	_, token, _ := strings.Cut(in.Link, "?token=")
	var some servertest.Key
	s.admin("apikey.add", map[string]string{"user": s.friend, "name": "some", "space": sp.ID}, &some)
	for name, value := range map[string]string{"space": sp.ID, "school": sp.ID, "joined": sp.ID, "member": s.friend, "invitation": in.ID, "token": token, "bound": some.ID} {
		s.own[name] = value
	}
	s.ask("PUT", "/v1/spaces/"+sp.ID+"/logo", sample{"", "image/png", onePixel})
	if s.dashboards {
		s.settleDashboard()
	}
	if s.templates {
		s.settleTemplate()
	}
}

// askStaff asks as somebody who keeps the server. Nobody can come so over the network yet, so
// the routes are asked behind a door of their own, which puts them into School with the highest role: what
// is left to refuse them is the policy, and the routes themselves.
func (s *school) askStaff(method, path string, full sample) answer {
	s.t.Helper()
	policy, err := access.New()
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := door.New(door.Config{}, door.Needs{
		Log: slog.New(slog.DiscardHandler), Now: s.h.Now, Policy: policy,
		Identify: func(context.Context, string) (access.Actor, error) {
			return access.Actor{Kind: access.Staff, ID: s.friend}, nil
		},
		Enter: func(_ context.Context, who access.Actor, _ string) (access.Actor, error) {
			who.Space, who.Role = s.own["space"], access.Admin
			return who, nil
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	routes, err := d.Handler(s.h.Server.Routes())
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), method, path+"?"+full.query, strings.NewReader(full.body))
	r.Header.Set("Authorization", "Bearer x")
	if full.kind != "" {
		r.Header.Set("Content-Type", full.kind)
	}
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.Bytes()}
}

// client is one that the test that is under way has.
func (c *caller) client(key servertest.Key) *client.Client {
	c.t.Helper()
	return c.h.ClientIn(c.t, key, "")
}

// cell is what a principal gets, in a few letters, and what is told besides.
func cell(a answer) (text, note string) {
	text = strconv.Itoa(a.status)
	var e struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(a.body, &e) // a success has no code
	switch {
	case a.status < 300 || a.status == http.StatusUnauthorized || a.status == http.StatusNotFound && strings.HasSuffix(e.Code, "not-found"):
	case e.Code == "forbidden":
		text += "r"
	case e.Code == "space-not-member":
		text += "m"
	case e.Code == "apikey-space":
		text += "k"
	default:
		note = e.Code
	}
	return text, note
}

// The table of what every declared route answers to every kind of principal is one that
// was read line by line.
func TestMatrix(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	s := newSchool(t, h)
	expired, err := s.client(s.keys["expired"]).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	h.Pass(6 * time.Minute)
	clients := map[string]*client.Client{} // by client id
	ask := func(p principal, d door.Declaration, spare string) answer {
		path := s.path(d, func(_, mine string) string {
			if spare != "" {
				return spare
			}
			return mine
		})
		first := samplesOf(d)[0]
		full := sample{s.fillIn(first.query), first.kind, s.fillIn(first.body)}
		who := *s.caller
		if !p.nobody && !p.expired && !p.staff {
			key := s.keys[p.name]
			if clients[key.ID] == nil {
				clients[key.ID] = s.client(key)
			}
			who.api = clients[key.ID]
		}
		header := http.Header{}
		if p.header {
			header.Set("X-Organization", s.own["space"])
		}
		switch {
		case p.nobody:
			return who.send(d.Method, path, full, "", header)
		case p.staff:
			return s.askStaff(d.Method, path, full)
		case p.expired:
			return who.send(d.Method, path, full, "Bearer "+expired, header)
		}
		return who.askWith(d.Method, path, full, header)
	}
	spareOf := func(p principal) string {
		email := p.email
		if email == "" {
			email = "owner@example.org"
		}
		var key servertest.Key
		s.admin("apikey.add", map[string]string{"user": email, "name": "spare"}, &key)
		return key.ID
	}
	var out, notes strings.Builder
	out.WriteString(legend)
	line := func(what, action string, cells []string) {
		fmt.Fprintf(&out, "%-66s %-19s", what, action)
		for _, c := range cells {
			fmt.Fprintf(&out, " %-8s", c)
		}
		out.WriteString("\n")
	}
	var heads []string
	for _, p := range principals {
		heads = append(heads, p.name)
	}
	line("route", "action", heads)
	row := func(d door.Declaration, others bool) {
		what := d.Method + " " + d.Path
		if others {
			what += "  (another's)"
		}
		if s.dashboards = ofDashboards(d); s.dashboards {
			s.settleDashboard()
		}
		if s.templates = ofTemplates(d); s.templates {
			s.settleTemplate()
		}
		var cells []string
		for _, p := range principals {
			spare := ""
			if strings.HasPrefix(d.Path, "/v1/apikeys/") {
				if spare = spareOf(p); others {
					spare = spareOf(principal{email: "friend@example.org"})
				}
			}
			a := ask(p, d, spare)
			text, note := cell(a)
			if a.status >= 500 && a.status != http.StatusNotImplemented {
				t.Errorf("%s by %s: %d %s", what, p.name, a.status, a.body)
			}
			if note != "" {
				fmt.Fprintf(&notes, "%s, %s: %d %s\n", what, p.name, a.status, note)
			}
			cells = append(cells, text)
			if a.status < 300 && d.Method != "GET" && !strings.HasPrefix(d.Path, "/iot/v2/series") {
				s.anew()
			}
		}
		line(what, string(d.Action), cells)
	}
	for _, d := range door.Table(h.Server.Routes()) {
		h.Pass(time.Second) // the door lets one address guess so many tokens a minute, and each route takes two
		if d.Open {
			continue // testdata/open.txt of the server has them
		}
		row(d, false)
		if strings.HasPrefix(d.Path, "/v1/apikeys/") {
			row(d, true)
		}
	}
	for _, l := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if cells := strings.Fields(l); strings.HasPrefix(l, "GET ") || strings.HasPrefix(l, "P") || strings.HasPrefix(l, "DELETE ") {
			if last := cells[len(cells)-1]; !strings.HasPrefix(last, "404") && !strings.HasPrefix(last, "403") {
				t.Errorf("who keeps the server gets %s: %s", last, l)
			}
		}
	}
	got := strings.ReplaceAll(out.String(), " \n", "\n")
	for strings.Contains(got, " \n") {
		got = strings.ReplaceAll(got, " \n", "\n")
	}
	got += "\nWhat the state does not allow:\n\n" + notes.String()
	path := filepath.Join("testdata", "matrix.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	had := strings.Split(string(want), "\n")
	now := strings.Split(got, "\n")
	for _, l := range now {
		if !slices.Contains(had, l) {
			t.Errorf("is now:  %s", l)
		}
	}
	for _, l := range had {
		if !slices.Contains(now, l) {
			t.Errorf("was:     %s", l)
		}
	}
	t.Errorf("%s is not what the house answers", path)
}
