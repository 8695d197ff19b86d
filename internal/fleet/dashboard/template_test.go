package dashboard

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// full is a dashboard that names properties everywhere.
func (h *house) full(a, b thing.Thing) Dashboard {
	h.t.Helper()
	page := Page{ID: uuid.NewString(), Name: "Second", Position: 1}
	chart := widget("Advanced Chart", id(a, "x"), id(b, "x"))
	chart.Page = page.ID
	chart.Options = []byte(`{"aggregation":{"` + id(a, "x") + `":"AVG","` + strings.ToUpper(id(b, "x")) + `":"MAX","` + absent + `":"MIN"},"format":{"` + id(a, "x") + `":{"line":"spline"}},"axes":{},
		"showLegend":true,"properties":[{"id":"` + id(a, "x") + `"}],"thingId":"` + a.ID + `","created_by":"me"}`)
	picture := widget("Image Map", id(a, "on"))
	picture.Options = []byte(`{"markersSettings":[{"property":"` + id(a, "on") + `","left":3.5},{"property":"` + absent + `"}],"note":"` + id(a, "on") + `"}`)
	note := widget("Sticky Note")
	note.Options = []byte(`{"text":"temperature: 5"}`)
	d, err := h.Create(h.t.Context(), editor, Dashboard{Name: "All of it", Pages: []Page{page}, Widgets: []Widget{chart, picture, note}})
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	a := h.thing(editor, "Green house", "", map[string]string{"x": "FLOAT", "on": "STATUS"})
	b := h.thing(editor, "Green house 2", "", map[string]string{"x": "INT"})
	d := h.full(a, b)
	slugA, slugB := "green-house-"+a.ID[31:], "green-house-2-"+b.ID[31:]
	var got wireTemplate
	w := h.want(200, "viewer", "GET", board3("/%s/template", d.ID), nil, &got)
	for what, secret := range map[string]string{"a thing": a.ID, "another thing": b.ID, "a property": id(a, "x"), "another": id(b, "x"), "the dashboard": d.ID, "what is gone": absent} {
		if strings.Contains(strings.ToLower(w.Body.String()), secret) {
			t.Errorf("the template names %s by ID", what)
		}
	}
	if got.ID != "all-of-it-"+d.ID[31:] || len(*got.Pages) != 1 || got.Widgets[0].PageID != d.Pages[0].ID || w.Header().Get("Content-Type") != "application/vnd.arduino.dashboardv3template+json" {
		t.Errorf("template %s", w.Body)
	}
	if v := got.Widgets[0].Variables[1]; v.ThingID != slugB || v.VariableID != "x" || v.Name != "x" || v.Type != "INT" || v.Permission != "READ_WRITE" || v.Timezone.Name != "Europe/Rome" {
		t.Errorf("variable %+v", v)
	}
	wantOptions := []map[string]any{
		{"aggregation": map[string]any{slugA + ":x": "AVG", slugB + ":x": "MAX"}, "format": map[string]any{slugA + ":x": map[string]any{"line": "spline"}}, "axes": map[string]any{}, "showLegend": true},
		{"markersSettings": []any{map[string]any{"property": slugA + ":on", "left": 3.5}, map[string]any{}}, "note": slugA + ":on"},
		{"text": "temperature: 5"},
	}
	for i, want := range wantOptions {
		if !reflect.DeepEqual(got.Widgets[i].Options, want) {
			t.Errorf("options of widget %d are %v, want %v", i, got.Widgets[i].Options, want)
		}
	}
	w2 := h.want(200, "viewer", "GET", board2("/%s/template", d.ID), nil, nil)
	if strings.Contains(w2.Body.String(), `"page`) || w2.Header().Get("Content-Type") != "application/vnd.arduino.dashboardv2template+json" {
		t.Errorf("v2 template %s", w2.Body)
	}

	// It comes back by JSON and by YAML, with other things for those that it names.
	c := h.thing(editor, "Other house", "", map[string]string{"x": "FLOAT", "on": "STATUS"})
	var tree any
	if err := json.Unmarshal(w.Body.Bytes(), &tree); err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	query := "?override=" + slugA + "=" + strings.ToUpper(c.ID) + "&override=" + slugB + "=" + b.ID
	for form, text := range map[string]string{"JSON": w.Body.String(), "YAML": string(asYAML)} {
		var in wireDashboard
		h.want(201, "editor", "POST", ours1("/import%s&name=Mine", query), text, &in)
		if in.Name != "Mine" || in.ID == d.ID || len(in.Widgets) != 3 || (*in.Pages)[0].ID == d.Pages[0].ID || in.Widgets[0].PageID != (*in.Pages)[0].ID ||
			in.Widgets[0].Variables[0].ID != id(c, "x") || in.Widgets[0].Variables[1].ID != id(b, "x") || in.Widgets[0].ID == d.Widgets[0].ID {
			t.Errorf("%s: %+v", form, in)
		}
		for i, want := range []map[string]any{
			{"aggregation": map[string]any{id(c, "x"): "AVG", id(b, "x"): "MAX"}, "format": map[string]any{id(c, "x"): map[string]any{"line": "spline"}}, "axes": map[string]any{}, "showLegend": true},
			{"markersSettings": []any{map[string]any{"property": id(c, "on"), "left": 3.5}, map[string]any{}}, "note": id(c, "on")},
			{"text": "temperature: 5"},
		} {
			var options map[string]any
			if err := json.Unmarshal(in.Widgets[i].Options, &options); err != nil || !reflect.DeepEqual(options, want) {
				t.Errorf("%s: options of widget %d are %v, want %v (%v)", form, i, options, want, err)
			}
		}
	}
	before := h.rows()
	for what, q := range map[string]string{"no overrides": "", "a thing too few": "?override=" + slugA + "=" + c.ID, "a thing that is not there": "?override=" + slugA + "=" + absent + "&override=" + slugB + "=" + b.ID,
		"a thing without the variables": "?override=" + slugA + "=" + b.ID + "&override=" + slugB + "=" + b.ID} {
		if w := h.want(400, "editor", "POST", ours1("/import%s", q), w.Body.String(), nil); !strings.Contains(w.Body.String(), "dashboard-template-thing") {
			t.Errorf("%s: %s", what, w.Body)
		}
	}
	if h.rows() != before {
		t.Error("half of an import was kept")
	}
}

func TestClones(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT", "on": "STATUS"})
	b := h.thing(editor, "b", "", map[string]string{"x": "INT"})
	c := h.thing(editor, "c", "", map[string]string{"x": "FLOAT", "on": "STATUS"})
	d := h.full(a, b)
	var got wireDashboard
	h.want(201, "editor", "PUT", board3("/%s/clone", d.ID), map[string]any{"overrides": []any{map[string]any{"old_thing_id": a.ID, "new_thing_id": strings.ToUpper(c.ID)}}}, &got)
	if got.Name != "All of it copy" || got.ID == d.ID || got.Widgets[0].ID == d.Widgets[0].ID || (*got.Pages)[0].ID == d.Pages[0].ID || got.Widgets[0].PageID != (*got.Pages)[0].ID {
		t.Errorf("clone %+v", got)
	}
	if v := got.Widgets[0].Variables; v[0].ID != id(c, "x") || v[1].ID != id(b, "x") {
		t.Errorf("variables %+v", v)
	}
	all := ""
	for _, w := range got.Widgets {
		all += string(w.Options)
	}
	for what, is := range map[string]bool{id(c, "x"): true, id(c, "on"): true, id(b, "x"): true, id(a, "x"): false, id(a, "on"): false, a.ID: false} {
		if strings.Contains(all, what) != is {
			t.Errorf("options %s: %s is there: %v", all, what, !is)
		}
	}
	h.want(400, "editor", "PUT", board2("/%s/clone", d.ID), map[string]any{"overrides": []any{map[string]any{"old_thing_id": a.ID, "new_thing_id": b.ID}}}, nil)
	if err := h.things.Delete(t.Context(), editor, b.ID, true); err != nil {
		t.Fatal(err)
	}
	h.want(201, "editor", "PUT", board2("/%s/clone", d.ID), map[string]any{}, &got)
	if len(got.Widgets[0].Variables) != 1 || got.Widgets[0].Unlinked {
		t.Errorf("a clone shows what is gone: %+v", got.Widgets[0])
	}
	if got := copyName(strings.Repeat("ü", 64)); checkName(got) != nil || !strings.HasSuffix(got, copied) {
		t.Errorf("copy of a long name: %q", got)
	}
}

func TestReadTemplate(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"JSON":          {`{"name":"x","widgets":[{"type":"Switch","options":{"a":1.50}}]}`, nil},
		"YAML":          {"name: x\nwidgets:\n- type: Switch\n  x: 1\n", nil},
		"JSON as YAML":  {"{name: x}", nil},
		"nothing":       {"", nil}, // an empty template is one: the name and the widgets are missing
		"a list":        {"[]", ErrTemplate},
		"a word":        {"name", ErrTemplate},
		"wrong kind":    {`{"widgets":7}`, ErrTemplate},
		"wrong YAML":    {"widgets: {", ErrTemplate},
		"aliases":       {"name: &a x\ncover_image: *a\n", ErrTemplate},
		"deep":          {"widgets: [{options: {a: " + strings.Repeat("[", 60) + strings.Repeat("]", 60) + "}}]", ErrTemplate},
		"many widgets":  {`{"widgets":[` + strings.Repeat("{},", 300) + `{}]}`, ErrTooLarge},
		"a large text":  {strings.Repeat("#", maxTemplate+1), ErrTooLarge},
		"half a number": {`{"widgets":[{"x":0.5}]}`, ErrTemplate},
	} {
		if _, err := ReadTemplate([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Whatever bytes come as a template, they are refused as the client's fault or read within the bounds,
// and what is read says the same when it is written and read again.
func FuzzTemplate(f *testing.F) {
	f.Add([]byte(`{"name":"x","pages":[{"id":"p","name":"n","position":1}],"widgets":[{"type":"Advanced Chart","page_id":"p","options":{"axes":{"a-1:x":{}}},"variables":[{"thing_id":"a-1","variable_id":"x"}]}]}`))
	f.Add([]byte("name: x\nwidgets:\n- type: Image Map\n  x_mobile: 3\n  options:\n    markersSettings:\n    - property: a-1:x\n      left: .5\n"))
	f.Add([]byte("a: &a [1]\nb: [*a, *a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		one, err := ReadTemplate(text)
		if err != nil {
			if !errors.Is(err, ErrTemplate) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		for _, w := range one.Widgets {
			refers(w.Type, w.Options)
		}
		again, err := json.Marshal(one)
		if err != nil {
			return // YAML can say what JSON cannot; Import refuses that
		}
		two, err := ReadTemplate(again)
		if err != nil {
			t.Fatalf("%s: what was read cannot be read again: %v", again, err)
		}
		if b, err := json.Marshal(two); err != nil || string(b) != string(again) {
			t.Fatalf("read %s, then %s (%v)", again, b, err)
		}
	})
}
