package house

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// web is an HTTP client that trusts the house and keeps nothing.
func web(t testing.TB, h *servertest.House) *http.Client {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// call sends one request, for a space if one is named, and returns its status and body.
func call(t *testing.T, c *http.Client, method, url, token, body string, space ...string) (int, string) {
	t.Helper()
	for {
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		for _, id := range space {
			r.Header.Set("X-Organization", id)
		}
		answer, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := bodyOf(answer)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != http.StatusTooManyRequests {
			return answer.StatusCode, string(text)
		}
		wait, err := time.ParseDuration(answer.Header.Get("Retry-After") + "s")
		if err != nil {
			t.Fatalf("429 without Retry-After: %v", err)
		}
		<-time.After(wait)
	}
}

// bodyOf reads a body and closes it. Of a stream, which does not end by itself, it is the first event; live_test.go has the rest.
func bodyOf(answer *http.Response) ([]byte, error) {
	defer answer.Body.Close()
	if answer.Header.Get("Content-Type") != "text/event-stream" {
		return io.ReadAll(answer.Body)
	}
	var text []byte
	for lines := bufio.NewReader(answer.Body); ; {
		line, err := lines.ReadSlice('\n')
		text = append(text, line...)
		if err != nil || len(line) == 1 {
			return text, err
		}
	}
}

func token(t testing.TB, h *servertest.House, key servertest.Key) string {
	t.Helper()
	text, err := h.Client(key).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// belongings makes one of everything for the person with key, and says which ID
// stands for which wildcard of a route.
func belongings(t *testing.T, h *servertest.House, key servertest.Key) map[string]string {
	t.Helper()
	c := h.Client(key)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	var th client.Thing
	do("PUT", "/iot/v2/devices", map[string]any{"name": "canary-board", "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	do("PUT", "/iot/v2/things", map[string]any{"name": "canary thing", "device_id": d.ID, "properties": []any{
		map[string]any{"name": "canary", "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	p := th.Properties[0]
	do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+p.ID+"/publish", map[string]any{"value": 4711.25}, nil)
	return map[string]string{"device": d.ID, "thing": th.ID, "property": p.ID}
}

// fill replaces the wildcards of a route by what belongs to somebody.
func fill(d door.Declaration, own map[string]string) string {
	return d.Fill(func(name string) string {
		switch name {
		case "id":
			if d.Space != "" && own["space"] != "" {
				return own["space"]
			}
			if strings.HasPrefix(d.Path, "/iot/v2/devices/") {
				return own["device"]
			}
			return own["thing"]
		case "pid":
			return own["property"]
		case "key":
			return "room"
		}
		return "6ba7b810-9dad-41d1-80b4-00c04fd430c8" // certificates and sketches
	})
}

// everyRoute is a body that every route of the fleet can read, with the ids of somebody's things.
func everyRoute(own map[string]string) string {
	return fmt.Sprintf(`{"name":"x","type":"FLOAT","permission":"READ_WRITE","update_strategy":"ON_CHANGE","value":1,"key":"room","password":"a-secret-key",
		"properties":[{"name":"canary","property":"canary","type":"infer","value":1}],"device_id":%q,"csr":"x","enabled":true,"resp_version":1,"from":"2020-01-01T00:00:00Z","to":"2040-01-01T00:00:00Z",
		"requests":[{"q":"property.%s","from":"2020-01-01T00:00:00Z","to":"2040-01-01T00:00:00Z","thing_id":%q,"property_id":%q}]}`, own["device"], own["property"], own["thing"], own["property"])
}

// The table is made of the declarations: a route that is added is tested.
func TestTenantsCannotSeeEachOther(t *testing.T) {
	t.Parallel()
	h, elsewhere := servertest.Start(t), servertest.Start(t)
	anna, annas := h.Person("anna@example.org")
	var school struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": anna, "name": "School"}, &school)
	inSchool := func(user string) (key servertest.Key) {
		h.Admin("apikey.add", map[string]string{"user": user, "space": school.ID, "name": "school"}, &key)
		return key
	}
	join := func(email, role string) (user string, key servertest.Key) {
		user, _ = h.Person(email)
		h.Admin("space.member", map[string]string{"space": school.ID, "user": user, "role": role}, nil)
		return user, inSchool(user)
	}
	private, shared := belongings(t, h, annas), belongings(t, h, inSchool(anna))
	c := web(t, h)

	expired := token(t, h, annas)
	h.Pass(6 * time.Minute)
	_, gone := h.Person("gone@example.org")
	revoked := token(t, h, gone)
	h.Admin("apikey.revoke", map[string]string{"client_id": gone.ID}, nil)
	dora, doras := h.Person("dora@example.org")
	disabled := token(t, h, doras)
	h.Admin("user.disable", map[string]any{"user": dora, "disabled": true}, nil)
	rita, ritas := join("rita@example.org", "admin")
	removed := token(t, h, ritas)
	h.Admin("space.member", map[string]string{"space": school.ID, "user": rita, "role": "none"}, nil)
	_, veras := join("vera@example.org", "viewer")
	_, mallorys := h.Person("mallory@example.org")
	_, foreigners := elsewhere.Person("anna@example.org")
	good, stranger := token(t, h, annas), token(t, h, mallorys)

	// Who is nobody here.
	nobodies := map[string]string{
		"nobody": "", "another environment": token(t, elsewhere, foreigners), "a revoked key": revoked, "a forged signature": good[:len(good)-8] + "AAAAAAAA",
		"an expired token": expired, "a disabled user": disabled,
	}
	// Who is somebody, and has nothing to do with these things.
	outsiders := map[string]struct {
		token string
		own   map[string]string // whose things are asked for
		space string            // that is named in the request
		want  int               // of routes about one thing; and of all of them when the space itself is closed
	}{
		"a stranger":                               {stranger, private, "", http.StatusNotFound},
		"a stranger, of a shared space":            {stranger, shared, "", http.StatusNotFound},
		"the owner in a shared space":              {token(t, h, inSchool(anna)), private, "", http.StatusNotFound},
		"the owner in the private space":           {good, shared, "", http.StatusNotFound},
		"a member of another space of the owner":   {token(t, h, veras), private, "", http.StatusNotFound},
		"a stranger who names the space":           {stranger, shared, school.ID, http.StatusForbidden},
		"a stranger who names a space that is not": {stranger, shared, "6ba7b810-9dad-41d1-80b4-00c04fd430c8", http.StatusForbidden},
		"a member who was removed":                 {removed, shared, "", http.StatusForbidden},
	}
	table := door.Table(h.Server.Routes())
	if len(table) < 50 {
		t.Fatalf("only %d routes are declared", len(table))
	}
	for _, d := range table {
		if d.Open {
			continue
		}
		h.Pass(time.Second) // so that nobody asks too often
		for who, tok := range nobodies {
			if got, _ := call(t, c, d.Method, h.URL()+fill(d, private), tok, everyRoute(private)); got != http.StatusUnauthorized {
				t.Errorf("%s %s by %s: %d, want 401", d.Method, d.Path, who, got)
			}
		}
		if d.Space != "" || strings.HasPrefix(d.Path, "/v1/apikeys") || strings.HasPrefix(d.Path, "/v1/invitations") || strings.HasPrefix(d.Path, "/v1/push") {
			continue // about people and spaces themselves: the matrix has them
		}
		for who, o := range outsiders {
			var space []string
			if o.space != "" {
				space = []string{o.space}
			}
			got, text := call(t, c, d.Method, h.URL()+fill(d, o.own), o.token, everyRoute(o.own), space...)
			closed := o.want == http.StatusForbidden
			if d.Action == asking && !closed {
				continue
			}
			if (closed || len(d.Params) > 0) && got != o.want {
				t.Errorf("%s %s by %s: %d %s, want %d", d.Method, d.Path, who, got, text, o.want)
			} else if closed && !strings.Contains(text, `"space-not-member"`) {
				t.Errorf("%s %s by %s: %s", d.Method, d.Path, who, text)
			}
			if who == "the owner in a shared space" || who == "the owner in the private space" || strings.HasPrefix(who, "a member of another") {
				continue // has canaries there too; that a list has no others is seen below
			}
			for what, id := range o.own {
				if strings.Contains(text, id) && got < 300 && !strings.Contains(text, `"status":"not-found"`) && !empty(text) {
					t.Errorf("%s %s shows Anna's %s to %s: %s", d.Method, d.Path, what, who, text)
				}
			}
			if strings.Contains(text, "4711.25") || strings.Contains(text, "canary") {
				t.Errorf("%s %s shows Anna's data to %s: %s", d.Method, d.Path, who, text)
			}
		}
	}

	// After all that, everything of Anna's is as it was, each in its place.
	for space, own := range map[string]map[string]string{"": private, school.ID: shared} {
		var named []string
		if space != "" {
			named = []string{space}
		}
		now := token(t, h, annas)
		if got, text := call(t, c, "GET", h.URL()+"/iot/v2/things/"+own["thing"], now, "", named...); got != http.StatusOK || !strings.Contains(text, "4711.25") || !strings.Contains(text, `"device_id":"`+own["device"]) {
			t.Errorf("Anna's thing is now %d %s", got, text)
		}
		for _, list := range []string{"/iot/v2/things?show_properties=true", "/iot/v2/devices"} {
			other := shared
			if space != "" {
				other = private
			}
			got, text := call(t, c, "GET", h.URL()+list, now, "", named...)
			if got != http.StatusOK || !strings.Contains(text, own["device"]) || strings.Contains(text, other["device"]) || strings.Contains(text, other["thing"]) {
				t.Errorf("%s in space %q: %d %s", list, space, got, text)
			}
		}
	}
}

// Who may only look changes nothing. What looks is a GET and a query for history; that
// is said here once more, so that a route with the wrong action is seen.
func TestViewersLookAndChangeNothing(t *testing.T) {
	t.Parallel()
	h := servertest.Start(t)
	owner := newCaller(t, h)
	viewers := map[string]*caller{}
	var school struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": "owner@example.org", "name": "School"}, &school)
	in := func(user string) (key servertest.Key) {
		h.Admin("apikey.add", map[string]string{"user": user, "space": school.ID, "name": "school"}, &key)
		return key
	}
	owner.key = in("owner@example.org")
	owner.api = h.Client(owner.key)
	owner.settleIn()
	for _, role := range []string{"viewer", "editor", "service"} {
		h.Person(role + "@example.org")
		h.Admin("space.member", map[string]string{"space": school.ID, "user": role + "@example.org", "role": role}, nil)
		one := *owner
		one.api = h.Client(in(role + "@example.org"))
		viewers[role] = &one
	}
	whole := func() string {
		return owner.look("/iot/v2/things/"+owner.own["thing"]) + owner.look("/iot/v2/devices/"+owner.own["device"]) + owner.look("/iot/v2/devices/"+owner.own["device"]+"/certs")
	}
	before := whole()
	for _, d := range door.Table(h.Server.Routes()) {
		if d.Open {
			continue
		}
		if d.Space != "" || strings.HasPrefix(d.Path, "/v1/apikeys") || strings.HasPrefix(d.Path, "/v1/invitations") || d.Path == "/v1/spaces" || strings.HasPrefix(string(d.Action), "share") || strings.HasPrefix(d.Path, "/v1/push") {
			continue // about people and spaces themselves, or who sees dashboards: the matrix has them
		}
		looks := d.Method == "GET" && d.Action != "webhook:read" && d.Action != "homeassistant:read" || d.Action == "template:list" || strings.HasPrefix(d.Path, "/iot/v2/series/")
		if ofDashboards(d) {
			owner.settleDashboard() // others have changed the one before
		}
		for _, s := range samplesOf(d) {
			full := sample{owner.fillIn(s.query), s.kind, owner.fillIn(s.body)}
			got := viewers["viewer"].ask(d.Method, owner.path(d, ours), full)
			if looks && got.status >= 300 && d.Action != "series:export" || !looks && (got.status != http.StatusForbidden || !strings.Contains(string(got.body), `"forbidden"`)) {
				t.Errorf("%s %s by a viewer: %d %s", d.Method, d.Path, got.status, got.body)
			}
		}
	}
	if after := whole(); after != before {
		t.Errorf("a viewer made of\n%s\n%s", before, after)
	}
	// The others may, which shows that what was refused above was the role.
	for _, role := range []string{"editor", "service"} {
		got := viewers[role].ask("PUT", "/iot/v2/things/"+owner.own["thing"]+"/properties/"+owner.own["property"]+"/publish", sample{"", isJSON, `{"value":7}`})
		if got.status != http.StatusOK {
			t.Errorf("publish by role %s: %d %s", role, got.status, got.body)
		}
	}
}

// empty says whether an answer about history only repeats what was asked.
func empty(text string) bool {
	return !strings.Contains(text, `"count_values":`) || strings.Contains(text, `"count_values":0`)
}
