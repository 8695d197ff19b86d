package clients

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A command is one run of Arduino's command line client, as cloud-api reference, section 8.1,
// records it: it fetches a token, Basic first, and then makes its requests.
type command struct {
	t     *testing.T
	h     *servertest.House
	key   servertest.Key
	web   *http.Client
	token string
	calls []string
}

func run(t *testing.T, h *servertest.House, key servertest.Key) *command {
	t.Helper()
	roots, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	c := &command{t: t, h: h, key: key, web: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}}
	t.Cleanup(c.web.CloseIdleConnections)
	form := url.Values{"grant_type": {"client_credentials"}, "audience": {client.Audience}}
	r, err := http.NewRequestWithContext(t.Context(), "POST", h.URL()+"/iot/v1/clients/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(key.ID, key.Secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := c.web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.Token == "" {
		t.Fatalf("token: %s %v", answer.Status, err)
	}
	c.token = got.Token
	return c
}

// call makes one request as the generated client does: all types that it can read in Accept, a body that
// ends with a new line. media is the type that it must get to decode the answer; "" for an empty one.
func (c *command) call(method, path string, body any, media string, out any) int {
	c.t.Helper()
	var in io.Reader
	if body != nil {
		var b bytes.Buffer
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			c.t.Fatal(err)
		}
		in = &b
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.h.URL()+path, in)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("User-Agent", "OpenAPI-Generator/3.1.2/go")
	r.Header.Set("Accept", strings.Trim(media+", application/vnd.goa.error+json", ", "))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.web.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	c.calls = append(c.calls, method+" "+path)
	if answer.StatusCode >= 300 {
		var e client.Error
		if err := json.Unmarshal(text, &e); len(text) > 0 && (err != nil || e.Status != answer.StatusCode) {
			c.t.Errorf("%s %s: error %s (%v)", method, path, text, err)
		}
		return answer.StatusCode
	}
	if media == "" && len(text) > 0 || media != "" && answer.Header.Get("Content-Type") != media {
		c.t.Errorf("%s %s: %s %q", method, path, answer.Header.Get("Content-Type"), text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, text)
		}
	}
	return answer.StatusCode
}

// model is what the client's models ask of an object: the keys that must be there, and those that may.
type model struct{ must, may string }

// The models of version 3; cloud-api reference, section 6.11.
var (
	wantDashboard = model{"id name updated_at", "cover_image created_by organization_id pages shared_by shared_with widgets"}
	wantPage      = model{"id name position", "icon"}
	wantWidget    = model{"height id options page_id type width x y", "has_permission_incompatibility has_type_incompatibility has_unlinked_variable height_mobile name variables width_mobile x_mobile y_mobile"}
	wantVariable  = model{"id name permission thing_id thing_name type variable_name", "last_value last_value_updated_at thing_timezone"}
	wantTemplate  = model{"name", "cover_image id pages widgets"}
	wantTWidget   = model{"height options page_id type width x y", "height_mobile name variables width_mobile x_mobile y_mobile"}
	wantTVariable = model{"name permission thing_id type variable_id", "thing_timezone"}
	wantTimezone  = model{"name offset until", ""}
	wantOwner     = model{"user_id", "username"}
)

func (m model) check(t *testing.T, what string, v any, below map[string]func(any)) {
	t.Helper()
	o, ok := v.(map[string]any)
	if !ok {
		t.Errorf("%s is %v", what, v)
		return
	}
	for _, name := range strings.Fields(m.must) {
		if _, there := o[name]; !there {
			t.Errorf("%s lacks %s", what, name)
		}
	}
	known := strings.Fields(m.must + " " + m.may)
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(known, name) {
			t.Errorf("%s has the key %s, which clients do not know", what, name)
		}
		if check := below[name]; check != nil {
			check(o[name])
		}
	}
}

func each(t *testing.T, what string, v any, check func(any)) {
	t.Helper()
	list, ok := v.([]any)
	if !ok {
		t.Errorf("%s is no list: %v", what, v)
	}
	for _, one := range list {
		check(one)
	}
}

func checkDashboard(t *testing.T, v any) {
	t.Helper()
	zone := func(v any) { wantTimezone.check(t, "time zone", v, nil) }
	variable := func(v any) { wantVariable.check(t, "variable", v, map[string]func(any){"thing_timezone": zone}) }
	widget := func(v any) {
		wantWidget.check(t, "widget", v, map[string]func(any){"variables": func(v any) { each(t, "variables", v, variable) }})
	}
	wantDashboard.check(t, "dashboard", v, map[string]func(any){
		"widgets": func(v any) { each(t, "widgets", v, widget) }, "created_by": func(v any) { wantOwner.check(t, "owner", v, nil) },
		"pages": func(v any) { each(t, "pages", v, func(v any) { wantPage.check(t, "page", v, nil) }) },
	})
}

func checkTemplate(t *testing.T, v any) {
	t.Helper()
	zone := func(v any) { wantTimezone.check(t, "time zone", v, nil) }
	variable := func(v any) { wantTVariable.check(t, "variable", v, map[string]func(any){"thing_timezone": zone}) }
	widget := func(v any) {
		wantTWidget.check(t, "widget", v, map[string]func(any){"variables": func(v any) { each(t, "variables", v, variable) }})
	}
	wantTemplate.check(t, "template", v, map[string]func(any){"widgets": func(v any) { each(t, "widgets", v, widget) },
		"pages": func(v any) { each(t, "pages", v, func(v any) { wantPage.check(t, "page", v, nil) }) }})
}

// create is "dashboard create --template FILE --override SLUG=ID": for each variable of each widget it looks at the
// thing, for those that options name at the property too, and then makes the dashboard.
func (c *command) create(file []byte, override map[string]string) map[string]any {
	c.t.Helper()
	var template map[string]any
	if err := yaml.Unmarshal(file, &template); err != nil {
		c.t.Fatal(err)
	}
	find := func(of, name string, property bool) string {
		c.t.Helper()
		if other, ok := override[of]; ok {
			of = other
		}
		var th struct {
			Properties []struct {
				ID       string `json:"id"`
				Variable string `json:"variable_name"`
			} `json:"properties"`
		}
		if status := c.call("GET", "/iot/v2/things/"+of, nil, "application/vnd.arduino.thing+json", &th); status != 200 {
			c.t.Fatalf("thing %s: %d", of, status)
		}
		for _, p := range th.Properties {
			if p.Variable == name {
				if property {
					c.call("GET", "/iot/v2/things/"+of+"/properties/"+p.ID, nil, "application/vnd.arduino.property+json", nil)
				}
				return p.ID
			}
		}
		c.t.Fatalf("thing %s has no variable %s", of, name)
		return ""
	}
	resolve := func(text string) string {
		of, name, _ := strings.Cut(text, ":")
		return find(of, name, true)
	}
	delete(template, "id")
	for _, one := range template["widgets"].([]any) {
		w := one.(map[string]any)
		w["id"] = uuid.NewString()
		options := w["options"].(map[string]any)
		switch w["type"] {
		case "Advanced Chart":
			for _, name := range []string{"aggregation", "format", "axes"} {
				if of, ok := options[name].(map[string]any); ok {
					by := map[string]any{}
					for text, v := range of {
						by[resolve(text)] = v
					}
					options[name] = by
				}
			}
		case "Image Map":
			for _, m := range options["markersSettings"].([]any) {
				marker := m.(map[string]any)
				marker["property"] = resolve(marker["property"].(string))
			}
		}
		ids := []string{}
		for _, v := range w["variables"].([]any) {
			variable := v.(map[string]any)
			ids = append(ids, find(variable["thing_id"].(string), variable["variable_id"].(string), false))
		}
		w["variables"] = ids
	}
	var made map[string]any
	if status := c.call("POST", "/iot/v3/dashboards", template, "application/vnd.arduino.dashboardv3+json", &made); status != 201 {
		c.t.Fatalf("create: %d", status)
	}
	checkDashboard(c.t, made)
	return made
}

// The requests of "dashboard list", "extract", "create" and "delete", in their order.
func TestCommandLineClientDashboards(t *testing.T) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	api := h.Client(key)
	thing := func(name string) (th client.Thing) {
		t.Helper()
		property := func(name, kind string) map[string]any {
			return map[string]any{"name": name, "type": kind, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}
		}
		if err := api.Do(t.Context(), "PUT", "/iot/v2/things", map[string]any{"name": name, "properties": []any{property("x", "FLOAT"), property("on", "STATUS")}}, &th); err != nil {
			t.Fatal(err)
		}
		return th
	}
	id := func(th client.Thing, name string) string {
		for _, p := range th.Properties {
			if p.Name == name {
				return p.ID
			}
		}
		t.Fatalf("no property %s", name)
		return ""
	}
	first, second := thing("ToSiteWise 3"), thing("Another")
	page := uuid.NewString()
	widget := func(kind string, options map[string]any, variables ...string) map[string]any {
		return map[string]any{"id": uuid.NewString(), "type": kind, "x": 0, "y": 0, "width": 4, "height": 4, "options": options, "variables": variables, "name": kind, "page_id": page, "x_mobile": 1}
	}
	c := run(t, h, key)
	var made map[string]any
	if status := c.call("POST", "/iot/v3/dashboards", map[string]any{"name": "Site", "cover_image": "https://example.org/c.png", "pages": []any{map[string]any{"id": page, "name": "More", "position": 1}},
		"widgets": []any{
			widget("Advanced Chart", map[string]any{"aggregation": map[string]any{id(first, "x"): "AVG"}, "axes": map[string]any{id(first, "x"): map[string]any{"left": true}}, "format": map[string]any{}}, id(first, "x")),
			widget("Image Map", map[string]any{"markersSettings": []any{map[string]any{"property": id(first, "on"), "left": 10}}}, id(first, "on")),
			widget("Switch", map[string]any{"showLabels": true}, id(first, "on")),
			widget("Sticky Note", map[string]any{"text": "hello"}),
		}}, "application/vnd.arduino.dashboardv3+json", &made); status != 201 {
		t.Fatalf("made: %d", status)
	}
	checkDashboard(t, made)

	list := run(t, h, key)
	var all []any
	list.call("GET", "/iot/v3/dashboards", nil, "application/vnd.arduino.dashboardv3+json; type=collection", &all)
	if len(all) != 1 {
		t.Errorf("list: %v", all)
	}
	for _, one := range all {
		checkDashboard(t, one)
	}

	extract := run(t, h, key)
	var template any
	extract.call("GET", "/iot/v3/dashboards/"+made["id"].(string)+"/template", nil, "application/vnd.arduino.dashboardv3template+json", &template)
	checkTemplate(t, template)
	file, err := yaml.Marshal(template)
	if err != nil {
		t.Fatal(err)
	}
	slug := "tositewise-3-" + first.ID[31:]
	if strings.Contains(string(file), first.ID) || !strings.Contains(string(file), slug+":x") {
		t.Errorf("template\n%s", file)
	}

	create := run(t, h, key)
	again := create.create(file, map[string]string{slug: second.ID})
	looks := 0
	for _, call := range create.calls {
		if call == "GET /iot/v2/things/"+second.ID {
			looks++
		}
	}
	if looks != 6 || create.calls[len(create.calls)-1] != "POST /iot/v3/dashboards" {
		t.Errorf("create made %v", create.calls)
	}
	text, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), id(first, "x")) || strings.Count(string(text), id(second, "x")) != 3 || strings.Count(string(text), id(second, "on")) != 3 {
		t.Errorf("created %s", text)
	}

	remove := run(t, h, key)
	for _, d := range []map[string]any{made, again} {
		if status := remove.call("DELETE", "/iot/v2/dashboards/"+d["id"].(string), nil, "", nil); status != 200 {
			t.Errorf("delete: %d", status)
		}
	}
	list.call("GET", "/iot/v3/dashboards", nil, "application/vnd.arduino.dashboardv3+json; type=collection", &all)
	if len(all) != 0 {
		t.Errorf("left: %v", all)
	}
	if status := remove.call("DELETE", "/iot/v2/dashboards/"+made["id"].(string), nil, "", nil); status != 404 {
		t.Errorf("deleted again: %d", status)
	}
}
