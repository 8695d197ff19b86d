package dashboard

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// inWidgetOf is a widget as clients send it.
func inWidgetOf(kind string, more map[string]any, variables ...string) map[string]any {
	w := map[string]any{"id": uuid.NewString(), "type": kind, "x": 0, "y": 1, "width": 2, "height": 3, "options": map[string]any{}, "variables": variables}
	for name, v := range more {
		w[name] = v
	}
	return w
}

// The life of a dashboard in both views.
func TestDashboardsOverHTTP(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	a := h.thing(editor, "Greenhouse", "", map[string]string{"temperature": "TEMPERATURE", "lamp": "STATUS"})
	page := uuid.NewString()
	one, two := inWidgetOf("Gauge", map[string]any{"page_id": page, "name": "Heat", "x_mobile": 4, "options": map[string]any{"min": 0, "max": 40}}, id(a, "temperature")),
		inWidgetOf("Switch", nil, strings.ToUpper(id(a, "lamp")))
	var made wireDashboard
	w := h.want(201, "editor", "POST", board3(""), map[string]any{"name": "GH Dash", "cover_image": "https://example.org/c.png",
		"pages": []any{map[string]any{"id": page, "name": "Heat", "position": 1, "icon": "sun"}}, "widgets": []any{one, two}, "unknown": 1}, &made)
	if got := w.Header().Get("Content-Type"); got != "application/vnd.arduino.dashboardv3+json" {
		t.Errorf("media type %s", got)
	}
	if made.CreatedBy != (wirePerson{editor.ID, "anna"}) || made.OrganizationID != space || len(*made.Pages) != 1 || len(made.Widgets) != 2 || made.Widgets[0].PageID != page ||
		made.Widgets[1].PageID != MainPage || *made.Widgets[0].XMobile != 4 || string(made.Widgets[0].Options) != `{"max":40,"min":0}` || made.SharedWith == nil || made.SharedBy != nil {
		t.Errorf("made %+v", made)
	}
	v := made.Widgets[0].Variables[0]
	if v.ThingName != "Greenhouse" || v.VariableName != "temperature" || v.Type != "TEMPERATURE" || v.Timezone.Name != "Europe/Rome" || v.Timezone.Offset != 7200 || v.LastValue != nil || v.UpdatedAt != nil {
		t.Errorf("variable %+v", v)
	}
	h.want(200, "editor", "PUT", "/iot/v2/things/"+a.ID+"/properties/"+v.ID+"/publish", map[string]any{"value": 21.5}, nil)

	// The other view, which knows no pages and does not lose them.
	var old map[string]any
	h.want(200, "viewer", "GET", board2("/%s", strings.ToUpper(made.ID)), nil, &old)
	if _, pages := old["pages"]; pages || strings.Contains(w.Body.String(), `"page_id":""`) {
		t.Errorf("v2 shows %v", old)
	}
	if _, shares := old["shared_with"]; shares {
		t.Error("a viewer sees with whom it is shared")
	}
	if _, has := old["widgets"].([]any)[0].(map[string]any)["page_id"]; has {
		t.Error("v2 shows page_id")
	}
	var got wireDashboard
	h.want(200, "editor", "PATCH", board2("/%s", made.ID), map[string]any{"name": "Renamed"}, &got)
	if got.Name != "Renamed" || len(got.Widgets) != 2 || got.CoverImage == "" || string(got.Widgets[0].Variables[0].LastValue) != "21.5" {
		t.Errorf("patched %+v", got)
	}
	h.want(200, "editor", "PUT", board2("/%s", made.ID), map[string]any{"name": "Put", "widgets": []any{one}}, nil)
	h.want(200, "editor", "GET", board3("/%s", made.ID), nil, &got)
	if got.Name != "Put" || len(got.Widgets) != 1 || got.Widgets[0].PageID != page || len(*got.Pages) != 1 {
		t.Errorf("after PUT of v2 %+v", got)
	}
	var links wireLinks
	w = h.want(200, "editor", "PUT", board2("/%s/widgets/%s/variables", made.ID, one["id"]), map[string]any{"variables": []string{id(a, "lamp")}}, &links)
	if !slices.Equal(links.Variables, []string{id(a, "lamp")}) || w.Header().Get("Content-Type") != "application/vnd.arduino.variableslinks+json" {
		t.Errorf("links %v", links)
	}
	h.want(200, "editor", "PUT", board2("/%s/widgets/%s/variables", made.ID, one["id"]), map[string]any{}, &links)
	if w := h.want(200, "editor", "PUT", board3("/%s", made.ID), map[string]any{"name": "Put"}, &got); len(got.Widgets) != 0 || len(*got.Pages) != 0 || !strings.Contains(w.Body.String(), `"widgets":[]`) {
		t.Errorf("after PUT of v3 with nothing %s", w.Body)
	}

	// Delete, bring back, erase.
	h.want(200, "editor", "DELETE", board2("/%s", made.ID), nil, nil)
	h.want(404, "editor", "GET", board3("/%s", made.ID), nil, nil)
	h.want(200, "editor", "PATCH", board3("/%s", made.ID), map[string]any{}, nil)
	h.want(200, "editor", "PATCH", board3("/%s", made.ID), map[string]any{"soft_deleted": true}, nil)
	h.want(404, "editor", "GET", board3("/%s", made.ID), nil, nil)
	h.want(200, "editor", "DELETE", board2("/%s?force=True", made.ID), nil, nil)
	h.want(404, "editor", "PATCH", board3("/%s", made.ID), map[string]any{}, nil)
	h.want(201, "robot", "POST", board2(""), map[string]any{}, &got)
	if got.Name != untitled {
		t.Errorf("untitled %+v", got)
	}
}

func TestErrorsOverHTTP(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	d := h.board("d", widget("Switch"))
	w := d.Widgets[0].ID
	good := inWidgetOf("Switch", nil)
	lack := func(name string) map[string]any {
		one := inWidgetOf("Switch", nil)
		delete(one, name)
		return one
	}
	for name, c := range map[string]struct {
		status       int
		as           string
		method, path string
		body         any
	}{
		"nobody":                    {401, "", "GET", board2(""), nil},
		"viewer makes":              {403, "viewer", "POST", board3(""), map[string]any{}},
		"viewer changes":            {403, "viewer", "PUT", board3("/%s", d.ID), map[string]any{}},
		"viewer patches":            {403, "viewer", "PATCH", board2("/%s", d.ID), map[string]any{}},
		"viewer deletes":            {403, "viewer", "DELETE", board2("/%s", d.ID), nil},
		"viewer clones":             {403, "viewer", "PUT", board2("/%s/clone", d.ID), map[string]any{}},
		"viewer links":              {403, "viewer", "PUT", board2("/%s/widgets/%s/variables", d.ID, w), map[string]any{}},
		"viewer shares":             {403, "viewer", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "gino"}},
		"viewer looks at shares":    {403, "viewer", "GET", board2("/%s/shares", d.ID), nil},
		"viewer makes a link":       {403, "viewer", "PUT", ours1("/%s/link", d.ID), map[string]any{}},
		"robot shares":              {403, "robot", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "gino"}},
		"robot makes a link":        {403, "robot", "PUT", ours1("/%s/link", d.ID), map[string]any{}},
		"viewer imports":            {403, "viewer", "POST", ours1("/import"), "{}"},
		"viewer paints":             {403, "viewer", "PUT", ours1("/%s/cover", d.ID), ""},
		"stranger looks":            {404, "guest", "GET", board2("/%s", d.ID), nil},
		"stranger changes":          {404, "guest", "PATCH", board3("/%s", d.ID), map[string]any{}},
		"stranger deletes":          {404, "guest", "DELETE", board2("/%s", d.ID), nil},
		"stranger shares":           {404, "guest", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "gino"}},
		"stranger looks at health":  {404, "guest", "GET", ours1("/%s/health", d.ID), nil},
		"no such dashboard":         {404, "editor", "GET", board3("/%s", absent), nil},
		"no ID":                     {404, "editor", "GET", board3("/x"), nil},
		"no such widget":            {404, "editor", "PUT", board2("/%s/widgets/%s/variables", d.ID, absent), map[string]any{}},
		"no ID of a widget":         {404, "editor", "PUT", board2("/%s/widgets/x/variables", d.ID), map[string]any{}},
		"no DELETE in v3":           {405, "editor", "DELETE", board3("/%s", d.ID), nil},
		"name":                      {400, "editor", "POST", board3(""), map[string]any{"name": "!"}},
		"empty name":                {400, "editor", "POST", board3(""), map[string]any{"name": ""}},
		"long name":                 {400, "editor", "PATCH", board3("/%s", d.ID), map[string]any{"name": strings.Repeat("n", 65)}},
		"long cover":                {400, "editor", "POST", board3(""), map[string]any{"cover_image": strings.Repeat("c", 1025)}},
		"widget without ID":         {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{lack("id")}}},
		"widget without type":       {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{lack("type")}}},
		"widget without options":    {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{lack("options")}}},
		"widget without place":      {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{lack("x")}}},
		"options that are no":       {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", map[string]any{"options": 1})}}},
		"option of another kind":    {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", map[string]any{"options": map[string]any{"showLabels": "yes"}})}}},
		"half a cell":               {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", map[string]any{"x": 0.5})}}},
		"same widget twice":         {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{good, good}}},
		"page of no one":            {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", map[string]any{"page_id": absent})}}},
		"page ID":                   {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", map[string]any{"page_id": "1"})}}},
		"variable that is no ID":    {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", nil, "x")}}},
		"variable of nobody":        {400, "editor", "POST", board3(""), map[string]any{"widgets": []any{inWidgetOf("Switch", nil, absent)}}},
		"link to nobody":            {400, "editor", "PUT", board2("/%s/widgets/%s/variables", d.ID, w), map[string]any{"variables": []string{absent}}},
		"31 pages":                  {400, "editor", "POST", board3(""), map[string]any{"pages": make([]map[string]any, 31)}},
		"page without position":     {400, "editor", "POST", board3(""), map[string]any{"pages": []any{map[string]any{"id": absent, "name": "a"}}}},
		"no JSON":                   {400, "editor", "POST", board3(""), "{"},
		"force":                     {400, "editor", "DELETE", board2("/%s?force=maybe", d.ID), nil},
		"filter":                    {400, "editor", "GET", board2("?thing_id=x"), nil},
		"order":                     {400, "editor", "GET", board2("?sort=size"), nil},
		"name to look for":          {400, "editor", "GET", board2("?name=!"), nil},
		"clone of no thing":         {404, "editor", "PUT", board2("/%s/clone", d.ID), map[string]any{"overrides": []any{map[string]any{"old_thing_id": absent, "new_thing_id": absent}}}},
		"clone of what is no ID":    {400, "editor", "PUT", board2("/%s/clone", d.ID), map[string]any{"overrides": []any{map[string]any{"old_thing_id": "x", "new_thing_id": absent}}}},
		"share with nobody":         {400, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{}},
		"share with no one here":    {404, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "nobody@example.org"}},
		"share with oneself":        {400, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"user_id": editor.ID}},
		"share to own":              {400, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "gino", "access": "admin"}},
		"share with a crowd":        {400, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"users": make([]map[string]any, 51)}},
		"take back what is not":     {404, "editor", "DELETE", board2("/%s/shares/%s", d.ID, guest.ID), nil},
		"refuse who never asked":    {404, "editor", "DELETE", ours1("/%s/requests/%s", d.ID, guest.ID), nil},
		"long message":              {400, "guest", "PUT", board2("/%s/share_request", d.ID), map[string]any{"message": strings.Repeat("m", 1001)}},
		"no link":                   {404, "editor", "GET", ours1("/%s/link", d.ID), nil},
		"link for ever":             {400, "editor", "PUT", ours1("/%s/link", d.ID), map[string]any{"days": 4000}},
		"link to nothing":           {404, "", "GET", PublicPath(strings.Repeat("A", 43)), nil},
		"link that is none":         {404, "", "GET", PublicPath("x"), nil},
		"template that is none":     {400, "editor", "POST", ours1("/import"), "["},
		"override that is none":     {400, "editor", "POST", ours1("/import?override=x"), `{"name":"t"}`},
		"picture that is none":      {400, "editor", "PUT", ours1("/%s/cover", d.ID), "<svg/>"},
		"large picture":             {413, "editor", "POST", ours1("/%s/images", d.ID), strings.Repeat("x", MaxImage+1)},
		"picture that is not there": {404, "editor", "GET", ours1("/%s/images/%s", d.ID, absent), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := h.do(c.as, c.method, c.path, c.body, nil)
			if w.Code != c.status {
				t.Fatalf("%s %s = %d %s, want %d", c.method, c.path, w.Code, w.Body, c.status)
			}
			if c.status == http.StatusMethodNotAllowed {
				return
			}
			var e struct {
				Status int    `json:"status"`
				Code   string `json:"code"`
				Detail string `json:"detail"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Status != c.status || e.Code == "" || e.Detail == "" || w.Header().Get("Content-Type") != "application/vnd.goa.error+json" {
				t.Errorf("error %s (%v)", w.Body, err)
			}
		})
	}
	if got := h.actions(d.ID); !slices.Equal(got, []string{"dashboard:create"}) {
		t.Errorf("what failed has left in the journal %v", got)
	}
}

func TestListsOverHTTP(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT"})
	h.board("one", widget("Value", id(a, "x")))
	h.pass(time.Second)
	h.board("two")
	for query, want := range map[string]string{
		"": "one two", "?name=": "one two", "?name=tw": "two", "?sort=-name": "two one", "?sort=created_at": "one two", "?thing_id=" + a.ID: "one", "?user_id=" + strings.ToUpper(editor.ID): "one two",
		"?user_id=" + absent: "",
	} {
		for _, root := range []func(string, ...any) string{board2, board3} {
			var all []wireDashboard
			w := h.want(200, "viewer", "GET", root("%s", query), nil, &all)
			var got []string
			for _, d := range all {
				got = append(got, d.Name)
			}
			if strings.Join(got, " ") != want || !strings.HasPrefix(w.Body.String(), "[") || !strings.HasSuffix(w.Header().Get("Content-Type"), "+json; type=collection") {
				t.Errorf("%q lists %v, want %q", query, got, want)
			}
		}
	}
	if w := h.want(200, "guest", "GET", board2(""), nil, nil); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("a stranger's list is %s", w.Body)
	}
}

// Whatever bytes come as a dashboard, they are refused as the client's fault, or kept and come back as
// they were given, in meaning.
func FuzzDashboard(f *testing.F) {
	f.Add([]byte(`{"name":"GH Dash","widgets":[{"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","type":"Slider","x":0,"y":0,"width":1,"height":1,"options":{"min":0,"max":"10","axes":{"a":[1,null]}}}]}`))
	f.Add([]byte(`{"pages":[{"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","name":"p","position":3}],"widgets":[{"id":"3F2504E0-4F89-41D3-9A0C-0305E82C3302","page_id":"3F2504E0-4f89-41d3-9a0c-0305e82c3301","type":"Image Map","x":1,"y":2,"width":3,"height":4,"options":{"markersSettings":[{"property":"x"}]},"x_mobile":7}]}`))
	f.Add([]byte(`{"widgets":[{"id":"3f2504e0-4f89-41d3-9a0c-0305e82c3301","type":"Value Selector","x":0,"y":0,"width":1,"height":1,"options":{"values":[{"label":"a","value":true}]}}]}`))
	schema, err := door.SchemaOf(inDashboard{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if schema.Check(body) != nil {
			return
		}
		var read inDashboard
		if err := json.Unmarshal(body, &read); err != nil {
			t.Fatalf("the door lets in what cannot be read: %v", err)
		}
		for v := range versions {
			var d Dashboard
			read.apply(&d, v, true)
			if d.Name == "" {
				d.Name = untitled
			}
			d.fillIn()
			if err := d.Check(); err != nil {
				continue
			}
			text, err := encode(sealedDashboard{d.Name, d.Cover, d.Pages, d.Widgets, d.Tags})
			if err != nil {
				t.Fatalf("what is good cannot be kept: %v", err)
			}
			var back sealedDashboard
			if err := json.Unmarshal(text, &back); err != nil {
				t.Fatalf("what is kept cannot be read: %v", err)
			}
			again := Dashboard{Name: back.Name, Cover: back.Cover, Pages: back.Pages, Widgets: back.Widgets}
			if err := again.Check(); err != nil {
				t.Fatalf("what was good when it was kept is not when it is read: %v", err)
			}
			for i := range again.Widgets {
				w := &again.Widgets[i]
				for what, to := range map[string]func(string) (string, bool){"nothing": func(string) (string, bool) { return "", false }, "all": func(s string) (string, bool) { return s, true }} {
					if _, err := w.carried(to); err != nil {
						t.Fatalf("options of which %s is known cannot be carried: %v", what, err)
					}
				}
			}
		}
	})
}

// Tags of dashboards are ours: members put them on and find by them, guests do not see them, and who replaces a
// dashboard without a word of them keeps them.
func TestTagsOfDashboards(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	var a, b wireDashboard
	h.want(201, "editor", "POST", board3(""), map[string]any{"name": "Hall", "tags": []any{map[string]any{"key": "room", "value": "hall"}}}, &a)
	h.want(201, "editor", "POST", board2(""), map[string]any{"name": "Attic"}, &b)
	h.want(200, "editor", "PUT", "/v1/dashboards/"+b.ID+"/tags", map[string]any{"key": "room", "value": "attic"}, nil)
	h.want(200, "editor", "PUT", "/v1/dashboards/"+b.ID+"/tags", map[string]any{"key": "floor", "value": "3"}, nil)
	h.want(200, "editor", "DELETE", "/v1/dashboards/"+b.ID+"/tags/floor", nil, nil)
	h.want(200, "editor", "PUT", board3("/%s", a.ID), map[string]any{"name": "The Hall", "widgets": []any{}}, nil)
	h.want(403, "viewer", "PUT", "/v1/dashboards/"+b.ID+"/tags", map[string]any{"key": "a", "value": "b"}, nil)
	h.want(404, "another", "DELETE", "/v1/dashboards/"+b.ID+"/tags/room", nil, nil)
	h.want(400, "editor", "PUT", "/v1/dashboards/"+b.ID+"/tags", map[string]any{"key": "a b", "value": "b"}, nil)
	h.want(400, "editor", "POST", board3(""), map[string]any{"name": "x", "tags": []any{map[string]any{"key": "a b", "value": "b"}}}, nil)
	for query, want := range map[string]string{
		"?tags=room:hall": "The Hall", "?tags=room:attic&tags=floor:3": "", "?q=HALL": "The Hall", "?q=a&sort=-name": "The Hall Attic", "?q=a&name=t&tags=": "Attic The Hall",
	} {
		var all []wireDashboard
		h.want(200, "viewer", "GET", board3("%s", query+map[bool]string{true: "", false: "&sort=name"}[strings.Contains(query, "sort")]), nil, &all)
		var names []string
		for _, d := range all {
			names = append(names, d.Name)
			if len(d.Tags) != 1 {
				t.Errorf("%s has the tags %v", d.Name, d.Tags)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	h.want(400, "viewer", "GET", board3("?tags=room"), nil, nil)
	h.want(200, "editor", "PUT", board2("/%s/shares", a.ID), map[string]any{"user_id": guest.ID}, nil)
	var shown wireDashboard
	h.want(200, "guest", "GET", board3("/%s", a.ID), nil, &shown)
	if shown.Tags != nil {
		t.Errorf("a guest sees the tags %v", shown.Tags)
	}
	var all []wireDashboard
	h.want(200, "guest", "GET", board3("?tags=room:hall"), nil, &all)
	if len(all) != 0 {
		t.Errorf("a guest finds by tags %v", all)
	}
	h.want(201, "editor", "PUT", board3("/%s/clone", a.ID), map[string]any{}, &shown)
	if shown.Tags != nil {
		t.Errorf("a copy has the tags %v", shown.Tags)
	}
}
