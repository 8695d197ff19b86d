package template

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A farm is a whole house to take with one: two things, one with a board, a dashboard with every option that names
// properties, and triggers with every place that does.
type farm struct {
	things, dashboards, triggers []string
}

func (h *house) farm(who access.Actor, as string) farm {
	h.t.Helper()
	board := h.board(who, "barn board")
	property := func(name, variable, kind, permission string) map[string]any {
		return map[string]any{"name": name, "variable_name": variable, "type": kind, "permission": permission, "update_strategy": "TIMED", "update_parameter": 2.5, "min_value": -1.5, "persist": true}
	}
	var barn, pump struct {
		ID         string
		Properties []struct{ ID, Name string }
	}
	h.want(201, as, "PUT", "/iot/v2/things", map[string]any{"name": "Barn", "timezone": "Asia/Tokyo", "device_id": board, "webhook_uri": "https://example.org/hook", "webhook_active": true,
		"tags": []any{map[string]string{"key": "where", "value": "north"}}, "properties": []any{property("Temp!", "temp", "TEMPERATURE_C", "READ_ONLY"), property("temp", "temp2", "INT", "READ_WRITE")}}, &barn)
	h.want(201, as, "PUT", "/iot/v2/things", map[string]any{"name": "Pump", "timezone": "Europe/Rome", "properties": []any{property("On", "pumpOn", "STATUS", "READ_WRITE")}}, &pump)
	temp, count, on := barn.Properties[0].ID, barn.Properties[1].ID, pump.Properties[0].ID
	sketch := Sketch{ID: "7e000000-0000-4000-8000-000000000001", Thing: barn.ID, Name: "barn", Files: []File{{"barn.ino", []byte("void loop() {}\n")}, {"src/a.h", []byte("// a\n")}}, Secrets: map[string]string{"SECRET_SSID": "canary"}}
	if err := h.sketches.Add(h.t.Context(), who, sketch); err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.things.Update(h.t.Context(), who, barn.ID, false, func(t *thing.Thing) error { t.Sketch, t.SketchVersion = sketch.ID, "v2"; return nil }); err != nil {
		h.t.Fatal(err)
	}
	var shown, watch, away struct{ ID string }
	page := "9a000000-0000-4000-8000-000000000001"
	widget := func(n int, kind string, options map[string]any, variables ...string) map[string]any {
		return map[string]any{"id": fmt.Sprintf("9b000000-0000-4000-8000-%012d", n), "type": kind, "name": kind, "x": n, "y": 0, "width": 4, "height": 4, "page_id": page, "options": options, "variables": variables}
	}
	h.want(201, as, "POST", "/iot/v3/dashboards", map[string]any{"name": "Farm", "pages": []any{map[string]any{"id": page, "name": "All", "position": 1}}, "widgets": []any{
		widget(1, "Advanced Chart", map[string]any{"axes": map[string]any{temp: map[string]any{"side": "left"}}, "format": map[string]any{count: "line"}, "aggregation": map[string]any{temp: "AVG"}}, temp, count),
		widget(2, "Image Map", map[string]any{"url": "/v1/dashboards/" + absent + "/images/" + absent, "markersSettings": []any{map[string]any{"property": on, "x": 0.25}}}, on),
		widget(3, "Switch", map[string]any{"showLabels": true}, on)}}, &shown)
	place := func(name, entity, attribute string, more map[string]any) map[string]any {
		all := map[string]any{"placeholder": name, "entity": entity, "attribute": attribute}
		for k, v := range more {
			all[k] = v
		}
		return all
	}
	letter := map[string]any{"kind": "NOTIFY-EMAIL", "name": "letter", "email": map[string]any{"subject": map[string]any{"expression": "hot {d}", "variables": []any{place("d", "DEVICE", "NAME", map[string]any{"id": board})}},
		"body":     map[string]any{"expression": "{p} {t} {u}", "variables": []any{place("p", "PROPERTY", "VALUE", map[string]any{"property_id": count}), place("t", "THING", "NAME", map[string]any{"thing_id": pump.ID}), place("u", "USER", "NAME", map[string]any{"id": who.ID})}},
		"delivery": map[string]any{"to": []any{map[string]string{"id": who.ID}}}}}
	h.want(201, as, "PUT", "/iot/v1/triggers", map[string]any{"name": "Hot", "description": "two\nlines", "property_id": temp, "condition": map[string]any{"operator": "GT", "value": 30, "hysteresis": 0.5},
		"actions": []any{letter, map[string]any{"kind": "SET-PROPERTY", "name": "cool", "set_property": map[string]any{"property_id": on, "value": true}},
			map[string]any{"kind": "CALL-WEBHOOK", "name": "call", "webhook": map[string]any{"url": "https://example.org/x"}}}}, &watch)
	h.want(201, as, "PUT", "/iot/v1/triggers", map[string]any{"name": "Away", "device_status_source": map[string]any{"criteria": "INCLUDE", "device_ids": []any{board}, "grace_period_offline": 60}}, &away)
	return farm{[]string{barn.ID, pump.ID}, []string{shown.ID}, []string{watch.ID, away.ID}}
}

// What is taken from one space and made in another is the same, with other IDs; and what is taken from there again
// is the same template but for the friendly IDs.
func TestWholeHouseMovesToAnotherSpace(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		f := h.farm(editor, "editor")
		var made wireTemplate
		h.want(201, "editor", "POST", "/v1/templates", map[string]any{"name": "My farm", "description": "all of it", "things": f.things, "dashboards": f.dashboards, "triggers": f.triggers}, &made)
		file, _, err := h.File(t.Context(), editor, made.ID)
		if err != nil {
			t.Fatal(err)
		}
		first, err := Read(file)
		if err != nil {
			t.Fatal(err)
		}
		text := string(slices.Concat(slices.Concat(first.Things...), slices.Concat(first.Dashboards...), slices.Concat(first.Triggers...)))
		for _, named := range []string{`"variable_id":"temp2"`, `:pumpOn"`, `:temp":"AVG"`} {
			if !strings.Contains(text, named) {
				t.Errorf("the template does not say %s: %s", named, text)
			}
		}
		for _, id := range slices.Concat(f.things, []string{editor.ID, space, "canary", "whsec_", absent}) {
			if strings.Contains(text, id) {
				t.Errorf("the template tells %s: %s", id, text)
			}
		}
		taken, err := h.Import(t.Context(), stranger, file)
		if err != nil {
			t.Fatal(err)
		}
		there := h.board(stranger, "new board")
		barn := partID(t, first, 0)
		var out wireApplied
		h.want(200, "stranger", "PUT", "/iot/v1/templates", map[string]any{"template_name": "", "custom_template_id": taken.ID, "prefix_name": "New ",
			"things_options": map[string]any{barn: map[string]any{"device_id": there, "secrets": map[string]string{"SECRET_SSID": "net"}}}}, &out)
		if len(out.Things) != 2 || len(out.Dashboards) != 1 || len(out.Triggers) != 2 || out.Things[0].DeviceID != there || out.Things[1].DeviceID != "" {
			t.Fatalf("made %+v", out)
		}
		th, err := h.things.Get(t.Context(), stranger, out.Things[0].ID, false)
		if err != nil || th.Name != "New Barn" || th.Timezone != "Asia/Tokyo" || th.Device != there || th.Template != taken.ID || th.Sketch != out.Things[0].SketchID || th.WebhookActive ||
			th.Webhook != "https://example.org/hook" || !slices.Equal(th.Tags, []thing.Tag{{Key: "where", Value: "north"}}) {
			t.Errorf("the thing is %+v (%v)", th, err)
		}
		sketch, ok, _ := h.sketches.Get(t.Context(), stranger, th.Sketch)
		if !ok || len(sketch.Files) != 2 || sketch.Secrets["SECRET_SSID"] != "net" || sketch.Thing != th.ID || sketch.Board != "arduino:samd:mkrwifi1010" {
			t.Errorf("the sketch is %+v", sketch)
		}
		away, err := h.triggers.Get(t.Context(), stranger, out.Triggers[1], false)
		if err != nil || !slices.Equal(away.Status.Devices, []string{there}) {
			t.Errorf("the second trigger is %+v (%v)", away, err)
		}
		hot, err := h.triggers.Get(t.Context(), stranger, out.Triggers[0], false)
		if err != nil || !slices.Equal(hot.Actions[0].Email.To, []string{stranger.ID}) || hot.Property != th.Properties[0].ID || hot.Active {
			t.Errorf("the first trigger is %+v (%v)", hot, err)
		}
		// Whoever wrote the template is called by nothing of it before somebody wants that.
		if _, err := h.things.Update(t.Context(), stranger, th.ID, false, func(t *thing.Thing) error { t.WebhookActive = true; return nil }); err != nil {
			t.Fatal(err)
		}
		h.want(200, "stranger", "PATCH", "/iot/v1/triggers/"+hot.ID, map[string]any{"active": true}, nil)
		again, err := h.Make(t.Context(), stranger, Choice{Name: "My farm", Text: "all of it", Things: []string{out.Things[0].ID, out.Things[1].ID}, Dashboards: out.Dashboards, Triggers: out.Triggers})
		if !errors.Is(err, ErrTaken) {
			t.Errorf("a second template of that name: %v", err)
		}
		if again, err = h.Make(t.Context(), stranger, Choice{Name: "again", Text: "all of it", Things: []string{out.Things[0].ID, out.Things[1].ID}, Dashboards: out.Dashboards, Triggers: out.Triggers}); err != nil {
			t.Fatal(err)
		}
		second, err := h.Whole(t.Context(), stranger, again.ID)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := neutral(t, second, "New "), neutral(t, first, ""); got != want {
			t.Errorf("moved, it is\n%s\nand was\n%s", got, want)
		}
	})
}

func partID(t *testing.T, w *Whole, i int) string {
	t.Helper()
	one, err := readThing(w.Things[i])
	if err != nil {
		t.Fatal(err)
	}
	return one.ID
}

// neutral is all of a template as one text, with what differs from place to place in another form: friendly IDs,
// pages, and what a prefix is before.
func neutral(t *testing.T, w *Whole, prefix string) string {
	t.Helper()
	var b strings.Builder
	for _, list := range [][]json.RawMessage{w.Things, w.Dashboards, w.Triggers} {
		for _, raw := range list {
			b.Write(raw)
			b.WriteByte('\n')
		}
	}
	for _, s := range w.Sketches {
		fmt.Fprintf(&b, "%s %q\n", s.Name, s.Files)
	}
	text := b.String()
	for i := range w.Things {
		text = strings.ReplaceAll(text, partID(t, w, i), fmt.Sprintf("THING-%d", i))
	}
	for _, raw := range w.Dashboards {
		d, err := dashboard.ReadTemplate(raw)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, `"id":"`+d.ID+`"`, `"id":"DASHBOARD"`)
		for _, p := range d.Pages {
			text = strings.ReplaceAll(text, p.ID, "PAGE")
		}
	}
	text = strings.ReplaceAll(text, `"id":"new-`, `"id":"`) // of triggers, whose friendly IDs are their names
	return strings.ReplaceAll(text, `"name":"`+prefix, `"name":"`)
}

var errPower = errors.New("the power went off")

// The power goes off after each step: after the next start there is nothing of the template, or all of it.
func TestPowerCutInApply(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		f := h.farm(editor, "editor")
		kept, err := h.Make(t.Context(), editor, Choice{Name: "farm", Things: f.things, Dashboards: f.dashboards, Triggers: f.triggers})
		if err != nil {
			t.Fatal(err)
		}
		w, err := h.Whole(t.Context(), editor, kept.ID)
		if err != nil {
			t.Fatal(err)
		}
		wish := Wish{Template: kept.ID, Prefix: "P ", Options: map[string]Option{partID(t, w, 0): {Device: h.board(editor, "spare")}}}
		before := h.inventory(editor)
		var steps []string
		for n := 0; ; n++ {
			seen := 0
			h.Service.cut = func(step string) error {
				if seen++; seen > n {
					steps = append(steps, step)
					return errPower
				}
				return nil
			}
			made, err := h.Apply(t.Context(), editor, wish)
			if err == nil {
				h.again()
				if got := len(h.inventory(editor)) - len(before); got != 2+2+1+2 || len(made.Things) != 2 {
					t.Errorf("%d parts, want things, sketches, a dashboard and triggers: 7", got)
				}
				break
			}
			if !errors.Is(err, errPower) {
				t.Fatalf("after %v: %v", steps, err)
			}
			h.again()
			if got := h.inventory(editor); !slices.Equal(got, before) {
				t.Errorf("after step %s and a start there is %v, and was %v", steps[len(steps)-1], got, before)
			}
			if left, err := h.needs.Store.begun(t.Context()); err != nil || len(left) > 0 {
				t.Errorf("after step %s and a start the intent is there: %v (%v)", steps[len(steps)-1], left, err)
			}
		}
		if want := []string{"1", "2.1", "2.2", "3.1", "4.1", "4.2"}; !slices.Equal(steps, want) {
			t.Errorf("cut after %v, want %v", steps, want)
		}
	})
}

// refusing is a room of triggers that makes none.
type refusing struct {
	Triggers
	drop error // of Delete; nil is to delete
}

func (r refusing) ImportAs(context.Context, access.Actor, string, string, trigger.Template, map[string]string) (trigger.Trigger, error) {
	return trigger.Trigger{}, trigger.ErrFull
}

func (r refusing) Delete(ctx context.Context, who access.Actor, id string, hard bool) error {
	if r.drop != nil {
		return r.drop
	}
	return r.Triggers.Delete(ctx, who, id, hard)
}

// When the last part cannot be made there is nothing, even if whoever asked is gone; what could not be taken back at once
// is by the next try.
func TestWhatFailsIsTakenBack(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	before := h.inventory(editor)
	wish := Wish{Template: "thermostat", Options: map[string]Option{"thermostat": {Device: h.board(editor, "b")}}}
	h.needs.Triggers = refusing{Triggers: h.triggers}
	h.again()
	if _, err := h.Apply(t.Context(), editor, wish); !errors.Is(err, trigger.ErrFull) {
		t.Errorf("Apply = %v, want %v", err, trigger.ErrFull)
	}
	if got := h.inventory(editor); !slices.Equal(got, before) {
		t.Errorf("left: %v", got)
	}
	h.needs.Triggers = h.triggers
	h.again()
	h.sketches.fail = errors.New("no room")
	if _, err := h.Apply(t.Context(), editor, wish); !errors.Is(err, h.sketches.fail) {
		t.Errorf("Apply = %v, want %v", err, h.sketches.fail)
	}
	h.sketches.fail = nil
	h.needs.Triggers = refusing{h.triggers, errors.New("the disk is full")}
	h.again()
	if _, err := h.Apply(t.Context(), editor, wish); !errors.Is(err, trigger.ErrFull) {
		t.Errorf("Apply = %v, want %v", err, trigger.ErrFull)
	}
	if left, err := h.needs.Store.begun(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("%d intents (%v), want 1: what is left must be found again", len(left), err)
	}
	h.needs.Triggers = h.triggers
	h.again()
	if got := h.inventory(editor); !slices.Equal(got, before) {
		t.Errorf("left: %v", got)
	}
	if _, err := h.Apply(t.Context(), editor, wish); err != nil {
		t.Errorf("the device is not free again: %v", err)
	}
}

// Each template of the gallery can be made, with its sketch, and what it shows is there.
func TestGallery(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	if n := len(h.Gallery()); n < 4 {
		t.Fatalf("the gallery has %d templates", n)
	}
	for _, g := range h.Gallery() {
		t.Run(g.Slug, func(t *testing.T) {
			w, err := h.Whole(t.Context(), viewer, g.Slug)
			if err != nil {
				t.Fatal(err)
			}
			made, err := h.Apply(t.Context(), editor, Wish{Template: g.ID, Prefix: g.Slug + " ", Options: map[string]Option{partID(t, w, 0): {Device: h.board(editor, g.Slug), Secrets: map[string]string{"SECRET_SSID": "n"}}}})
			if err != nil {
				t.Fatal(err)
			}
			if len(made.Things) != g.Things || len(made.Dashboards) != g.Dashboards || len(made.Triggers) != g.Triggers || g.Sketches != 1 {
				t.Errorf("made %+v of %+v", made, g)
			}
			th, err := h.things.Get(t.Context(), editor, made.Things[0].ID, false)
			if err != nil || th.Template != g.ID {
				t.Errorf("the thing is %+v (%v)", th, err)
			}
			sketch, _, _ := h.sketches.Get(t.Context(), editor, th.Sketch)
			var header string
			for _, f := range sketch.Files {
				if f.Path == "thingProperties.h" {
					header = string(f.Bytes)
				}
			}
			for _, p := range th.Living() {
				want := map[string]string{thing.ReadOnly: ", READ,", thing.ReadWrite: ", READWRITE,"}[p.Permission]
				if !strings.Contains(header, "ArduinoCloud.addProperty("+p.Variable+want) || !strings.Contains(header, p.Type.Declaration+" "+p.Variable+";") {
					t.Errorf("the sketch does not declare the variable %s (%s, %s) as the thing has it:\n%s", p.Variable, p.Type.Declaration, p.Permission, header)
				}
			}
			for _, id := range made.Dashboards {
				found, err := h.dashboards.Health(t.Context(), editor, id)
				for _, f := range found {
					if f.Mark != dashboard.Offline && f.Mark != dashboard.NoDevice && f.Mark != dashboard.NeverHeard {
						t.Errorf("the dashboard has %+v (%v)", f, err)
					}
				}
			}
		})
	}
}

func TestWishesThatCannotBe(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	f := h.farm(editor, "editor")
	kept, err := h.Make(t.Context(), editor, Choice{Name: "farm", Things: f.things, Dashboards: f.dashboards, Triggers: f.triggers})
	if err != nil {
		t.Fatal(err)
	}
	barn, err := h.things.Get(t.Context(), editor, f.things[0], false)
	if err != nil {
		t.Fatal(err)
	}
	long := h.longName()
	before := h.inventory(editor)
	with := func(name string, value any) map[string]any {
		in := map[string]any{"template_name": "thermostat", "prefix_name": "x ", "things_options": map[string]any{"thermostat": map[string]any{}}}
		in[name] = value
		return in
	}
	options := func(of string, value any) map[string]any { return with("things_options", map[string]any{of: value}) }
	for name, c := range map[string]struct {
		as     string
		body   any
		status int
	}{
		"no template":                   {"editor", map[string]any{"template_name": ""}, 400},
		"both kinds":                    {"editor", with("custom_template_id", kept.ID), 400},
		"not in the gallery":            {"editor", map[string]any{"template_name": "palace"}, 404},
		"not in this space":             {"editor", map[string]any{"template_name": "", "custom_template_id": absent}, 404},
		"another space's":               {"stranger", map[string]any{"template_name": "", "custom_template_id": kept.ID}, 404},
		"no UUID":                       {"editor", map[string]any{"template_name": "", "custom_template_id": "x"}, 404},
		"viewers may not":               {"viewer", with("prefix_name", "y "), 403},
		"long prefix":                   {"editor", with("prefix_name", strings.Repeat("a", 46)), 400},
		"bad prefix":                    {"editor", with("prefix_name", "<b>"), 400},
		"prefix that makes names long":  {"editor", map[string]any{"template_name": "", "custom_template_id": long, "prefix_name": strings.Repeat("a", 45)}, 400},
		"thing that there is not":       {"editor", options("oven", map[string]any{}), 400},
		"device that is no UUID":        {"editor", options("thermostat", map[string]any{"device_id": "x"}), 400},
		"device that there is not":      {"editor", options("thermostat", map[string]any{"device_id": absent}), 404},
		"device with a thing":           {"editor", options("thermostat", map[string]any{"device_id": barn.Device}), 409},
		"secret with a bad name":        {"editor", options("thermostat", map[string]any{"secrets": map[string]any{"a b": "x"}}), 400},
		"secret that is long":           {"editor", options("thermostat", map[string]any{"secrets": map[string]any{"S": strings.Repeat("a", 257)}}), 400},
		"name that is taken":            {"editor", map[string]any{"template_name": "", "custom_template_id": kept.ID, "things_options": map[string]any{thing.TemplateID("Barn", barn.ID): map[string]any{"device_id": h.board(editor, "third")}}}, 409},
		"trigger on a device not named": {"editor", map[string]any{"template_name": "", "custom_template_id": kept.ID, "prefix_name": "z "}, 400},
	} {
		t.Run(name, func(t *testing.T) {
			h.want(c.status, c.as, "PUT", "/iot/v1/templates", c.body, nil)
		})
	}
	if got := h.inventory(editor); !slices.Equal(got, before) {
		t.Errorf("something was made: %v", got)
	}
	if left, err := h.needs.Store.begun(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("intents are there: %v (%v)", left, err)
	}
}

// longName is a template with a thing whose name takes no long prefix.
func (h *house) longName() string {
	h.t.Helper()
	var th struct{ ID string }
	h.want(http.StatusCreated, "editor", "PUT", "/iot/v2/things", map[string]any{"name": strings.Repeat("n", 60)}, &th)
	t, err := h.Make(h.t.Context(), editor, Choice{Name: "long", Things: []string{th.ID}})
	if err != nil {
		h.t.Fatal(err)
	}
	return t.ID
}
