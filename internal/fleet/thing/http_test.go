package thing

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const absent = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

// The life of a thing as the command line client and the Go test-suite lead it.
func TestThingsOverHTTP(t *testing.T) {
	h := liteHouse(t)
	one, two := h.device(editor, "one"), h.device(editor, "two")
	var made wireThing
	w := h.want(201, "editor", "PUT", path("?force=true"), map[string]any{
		"name": "Greenhouse", "device_id": one, "timezone": "Europe/Rome", "tags": []wireTag{{"room", "east"}},
		"properties": []any{map[string]any{"name": "temperature", "permission": "READ_ONLY", "type": "TEMPERATURE", "update_strategy": "ON_CHANGE", "extra": 1}},
	}, &made)
	if got := w.Header().Get("Content-Type"); got != "application/vnd.arduino.thing+json" {
		t.Errorf("media type %s", got)
	}
	if made.DeviceID != one || made.DeviceName != "one" || made.DeviceFQBN == "" || made.Tags["room"] != "east" || made.PropertiesCount != 1 ||
		made.UserID != editor.ID || made.OrganizationID != "" || len(*made.Properties) != 1 || (*made.Properties)[0].VariableName != "temperature" {
		t.Errorf("made %+v", made)
	}
	h.want(409, "editor", "PUT", path(""), map[string]any{"name": "Greenhouse"}, nil)
	h.want(409, "editor", "PUT", path(""), map[string]any{"name": "Other", "device_id": one}, nil)
	h.want(400, "editor", "PUT", path(""), map[string]any{"name": "Über"}, nil)
	h.want(400, "editor", "PUT", path(""), map[string]any{"timezone": "Mars"}, nil)
	h.want(400, "editor", "PUT", path(""), map[string]any{"id": "x"}, nil)
	h.want(400, "editor", "PUT", path(""), map[string]any{"properties": []any{map[string]any{"name": "x"}}}, nil)
	h.want(404, "editor", "PUT", path(""), map[string]any{"device_id": absent}, nil)
	h.want(403, "viewer", "PUT", path(""), map[string]any{}, nil)

	// Bind, as the command line does it: nothing but the device.
	var got wireThing
	h.want(200, "editor", "POST", path("/%s?force=true", made.ID), map[string]any{"device_id": two}, &got)
	if got.DeviceID != two || got.Name != "Greenhouse" || got.Timezone != "Europe/Rome" || got.PropertiesCount != 1 {
		t.Errorf("bound %+v", got)
	}
	h.want(200, "editor", "POST", path("/%s", made.ID), map[string]any{"device_id": "", "name": "House 2", "webhook_uri": "https://example.org", "webhook_active": true, "assistant": "GOOGLE"}, &got)
	if got.DeviceID != "" && got.Name != "House 2" || got.WebhookURI == "" || !got.WebhookActive || got.Assistant != "GOOGLE" {
		t.Errorf("changed %+v", got)
	}
	var looked wireThing
	h.want(200, "viewer", "GET", path("/%s", made.ID), nil, &looked)
	if looked.WebhookURI != "" || !looked.WebhookActive {
		t.Errorf("who only looks is shown %q", looked.WebhookURI)
	}
	h.want(200, "editor", "POST", path("/%s", made.ID), map[string]any{"properties": []any{}}, &got)
	if got.PropertiesCount != 0 || got.Properties == nil {
		t.Errorf("emptied %+v", got)
	}
	h.want(400, "editor", "POST", path("/%s", made.ID), map[string]any{"assistant": "SIRI"}, nil)

	// Delete, show, restore.
	h.want(200, "editor", "DELETE", path("/%s", made.ID), nil, nil)
	h.want(404, "editor", "GET", path("/%s", made.ID), nil, nil)
	h.want(200, "editor", "GET", path("/%s?show_deleted=True", made.ID), nil, &got)
	if got.DeletedAt == nil {
		t.Error("a deleted thing does not say so")
	}
	h.want(200, "editor", "POST", path("/%s", made.ID), map[string]any{}, nil)
	h.want(200, "editor", "GET", path("/%s", strings.ToUpper(made.ID)), nil, &got)
	h.want(200, "editor", "POST", path("/%s", made.ID), map[string]any{"soft_deleted": true}, nil)
	h.want(404, "editor", "GET", path("/%s", made.ID), nil, nil)
	h.want(200, "editor", "DELETE", path("/%s?force=true", made.ID), nil, nil)
	h.want(404, "editor", "GET", path("/%s?show_deleted=true", made.ID), nil, nil)
	h.want(400, "editor", "GET", path("/%s?show_deleted=maybe", h.thing(editor, "t", "", nil).ID), nil, nil)
}

func TestListsOverHTTP(t *testing.T) {
	h := liteHouse(t)
	var ids []string
	for i := range 6 {
		a := h.thing(editor, fmt.Sprintf("t%d", i), h.device(editor, fmt.Sprintf("d%d", i)), map[string]string{"x": "FLOAT"})
		ids = append(ids, a.ID)
		h.want(200, "editor", "PUT", path("/%s/tags", a.ID), wireTag{"n", fmt.Sprint(i % 2)}, nil)
		h.pass(time.Second)
	}
	for query, want := range map[string]int{
		"":                                       6,
		"?across_user_ids=true":                  6,
		"?ids=&device_id=&tags=":                 6,
		"?tags=n:0":                              3,
		"?tags=n:0&tags=n:1":                     0,
		"?ids=" + ids[0] + "&ids=" + ids[1]:      2,
		"?ids=" + ids[0] + "&tags=n:1":           0,
		"?q=T3&sort=-name":                       1,
		"?show_properties=true&show_deleted=1":   6,
		"?device_id=" + absent:                   0,
		"?ids=" + url.QueryEscape("' or 1=1 --"): 0,
	} {
		var all []wireThing
		w := h.want(200, "editor", "GET", path("%s", query), nil, &all)
		if len(all) != want || !strings.HasPrefix(w.Body.String(), "[") {
			t.Errorf("%q lists %d, want %d", query, len(all), want)
		}
		for _, one := range all {
			if shown := strings.Contains(query, "show_properties"); (one.Properties != nil) != shown || one.PropertiesCount != 1 || one.DeviceName == "" {
				t.Errorf("%q: %+v", query, one)
			}
		}
		if got := w.Header().Get("Content-Type"); got != "application/vnd.arduino.thing+json; type=collection" {
			t.Errorf("media type %s", got)
		}
	}
	h.want(400, "editor", "GET", path("?tags=n"), nil, nil)
	var none []wireThing
	if w := h.want(200, "stranger", "GET", path(""), nil, &none); strings.TrimSpace(w.Body.String()) != "[]" {
		t.Errorf("a stranger's list is %s", w.Body)
	}
	for sort, want := range map[string]string{"name": "t0 t1 t2 t3 t4 t5", "-name": "t5 t4 t3 t2 t1 t0", "-updated_at": "t5 t4 t3 t2 t1 t0", "timezone": "t0 t1 t2 t3 t4 t5"} {
		var all []wireThing
		h.want(200, "editor", "GET", path("?sort=%s", sort), nil, &all)
		var names []string
		for _, one := range all {
			names = append(names, one.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("sorted by %s: %s, want %s", sort, got, want)
		}
	}
	h.want(400, "editor", "GET", path("?sort=size"), nil, nil)
}

func TestPartsOfThingsOverHTTP(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "a", h.device(editor, "board"), map[string]string{"x": "FLOAT"})
	h.want(200, "editor", "PUT", path("/%s/tags", a.ID), wireTag{"k", "v"}, nil)
	h.want(400, "editor", "PUT", path("/%s/tags", a.ID), wireTag{"k k", "v"}, nil)
	var tags wireTags
	if h.want(200, "editor", "GET", path("/%s/tags", a.ID), nil, &tags); !slices.Equal(tags.Tags, []wireTag{{"k", "v"}}) {
		t.Errorf("tags %+v", tags)
	}
	var clone wireThing
	h.want(201, "editor", "PUT", path("/%s/clone", a.ID), map[string]any{"name": "b", "include_tags": true}, &clone)
	if clone.Timezone != "Europe/Rome" || clone.Tags["k"] != "v" || clone.DeviceID != "" || clone.PropertiesCount != 1 {
		t.Errorf("clone %+v", clone)
	}
	h.want(400, "editor", "PUT", path("/%s/clone", a.ID), map[string]any{"name": ""}, nil)
	h.want(200, "editor", "DELETE", path("/%s/tags/k", a.ID), nil, nil)
	h.want(200, "editor", "DELETE", path("/%s/tags/k", a.ID), nil, nil)
	if h.want(200, "editor", "GET", path("/%s/tags", a.ID), nil, &tags); len(tags.Tags) != 0 {
		t.Errorf("tags %+v", tags)
	}
	var template wireTemplate
	if h.want(200, "editor", "GET", path("/%s/template", a.ID), nil, &template); template.Name != "a" || template.DeviceMetadata.Name != "board" || len(template.Variables) != 1 {
		t.Errorf("template %+v", template)
	}
	var sketch wireThing
	h.want(201, "editor", "PUT", path("/%s/sketch", a.ID), map[string]any{}, &sketch)
	if sketch.SketchID == "" {
		t.Error("no sketch")
	}
	h.want(200, "editor", "PUT", path("/%s/sketch/%s", a.ID, sketch.SketchID), nil, nil)
	h.want(200, "editor", "PUT", path("/%s/sketch/%s", a.ID, sketch.SketchID), map[string]any{"sketch_version": "v1"}, nil)
	h.want(400, "editor", "PUT", path("/%s/sketch/%s", a.ID, sketch.SketchID), map[string]any{"sketch_version": "v9"}, nil)
	h.want(404, "editor", "PUT", path("/%s/sketch/%s", a.ID, absent), nil, nil)
	var gone map[string]any
	if h.want(200, "editor", "DELETE", path("/%s/sketch", a.ID), nil, &gone); gone["sketch_id"] != nil {
		t.Errorf("sketch %v is still there", gone["sketch_id"])
	}
	var types []wireType
	if h.want(200, "viewer", "GET", "/iot/v1/property_types", nil, &types); len(types) != 104 {
		t.Errorf("%d types", len(types))
	}
}

func TestPropertiesOverHTTP(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	a := h.thing(editor, "a", board, nil)
	all := path("/%s/properties", a.ID)
	var p wireProperty
	h.want(201, "editor", "PUT", all, map[string]any{"name": "testInt", "type": "INT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE", "persist": true, "tag": 0, "min_value": -5}, &p)
	if p.Tag != 1 || p.VariableName != "testInt" || string(p.LastValue) != "null" || *p.MinValue != -5 || p.MaxValue != nil || p.ThingName != "a" {
		t.Errorf("made %+v", p)
	}
	one := all + "/" + p.ID
	h.want(409, "editor", "PUT", all, map[string]any{"name": "testInt", "type": "INT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}, nil)
	h.want(400, "editor", "PUT", all, map[string]any{"name": "x", "type": "INTEGER", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}, nil)
	h.want(400, "editor", "PUT", all, map[string]any{"name": "x", "type": "INT", "permission": "NONE", "update_strategy": "ON_CHANGE"}, nil)
	h.want(400, "editor", "PUT", all, map[string]any{"name": "x", "type": "INT", "permission": "READ_ONLY"}, nil)
	h.want(400, "editor", "PUT", all, map[string]any{"name": "x", "type": "INT", "permission": "READ_ONLY", "update_strategy": "TIMED", "variable_name": "a b"}, nil)

	// Publish as cloud: kept, and sent to the device.
	h.want(200, "editor", "PUT", one+"/publish", `{"value":100}`, nil)
	h.want(200, "editor", "GET", one, nil, &p)
	if string(p.LastValue) != "100" || !p.ValueUpdatedAt.Equal(noon) {
		t.Errorf("after publish %s at %v", p.LastValue, p.ValueUpdatedAt)
	}
	if sent := h.messages(topic.ThingIn, a.ID); len(sent) != 1 || !slices.Equal(said(t, sent[0]), []string{"testInt=100"}) {
		t.Errorf("sent %v", sent)
	}
	h.want(400, "editor", "PUT", one+"/publish", `{"value":"x"}`, nil)
	h.want(400, "editor", "PUT", one+"/publish", `{"value":null}`, nil)
	h.want(400, "editor", "PUT", one+"/publish", `{}`, nil)
	h.want(403, "viewer", "PUT", one+"/publish", `{"value":1}`, nil)
	h.want(404, "editor", "PUT", all+"/"+absent+"/publish", `{"value":1}`, nil)

	// As the device: kept, and not sent to it.
	h.want(200, "editor", "PUT", one+"/publish", map[string]any{"value": 101, "device_id": board}, nil)
	h.want(400, "editor", "PUT", one+"/publish", map[string]any{"value": 102, "device_id": absent}, nil)
	if got := h.value(Thing{ID: a.ID}, "testInt"); got != "101" || len(h.messages(topic.ThingIn, a.ID)) != 1 {
		t.Errorf("after publish as device: %s, %d messages", got, len(h.sent))
	}

	// Only the device sets what is read only.
	h.want(200, "editor", "POST", one, map[string]any{"name": "testInt", "permission": "READ_ONLY", "type": "INT", "update_strategy": "TIMED", "update_parameter": 5}, &p)
	if p.Permission != "READ_ONLY" || p.UpdateParameter != 5 || *p.MinValue != -5 {
		t.Errorf("changed %+v", p)
	}
	h.want(400, "editor", "PUT", one+"/publish", `{"value":1}`, nil)
	h.want(200, "editor", "PUT", one+"/publish", map[string]any{"value": 103, "device_id": strings.ToUpper(board)}, nil)

	var list []wireProperty
	h.want(200, "editor", "DELETE", one, nil, nil)
	h.want(404, "editor", "GET", one, nil, nil)
	h.want(200, "editor", "GET", one+"?show_deleted=true", nil, nil)
	if h.want(200, "editor", "GET", all, nil, &list); len(list) != 0 {
		t.Errorf("listed %+v", list)
	}
	if h.want(200, "editor", "GET", all+"?show_deleted=true", nil, &list); len(list) != 1 {
		t.Errorf("listed %+v", list)
	}
	h.want(200, "editor", "DELETE", one+"?force=true", nil, nil)
	h.want(404, "editor", "DELETE", one+"?force=true", nil, nil)
}

func TestPublishingMany(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "a", h.device(editor, "board"), map[string]string{"n": "INT", "co": "COLOR_HSB", "ro!": "INT"})
	send := path("/%s/publish", a.ID)
	h.want(200, "editor", "PUT", send, `{"to_device":true,"properties":[{"property":"n","value":1},{"property":"co","value":{"hue":5}},{"property":"co","value":{"sat":6}}]}`, nil)
	down := h.messages(topic.ThingIn, a.ID)
	if len(down) != 1 || h.value(a, "n") != "1" || h.value(a, "co") != `{"bri":0,"hue":5,"sat":6}` {
		t.Errorf("sent %v, n %s, co %s", down, h.value(a, "n"), h.value(a, "co"))
	}
	// One that is wrong undoes all, also what a composite would have become.
	h.want(400, "editor", "PUT", send, `{"to_device":true,"properties":[{"property":"n","value":2},{"property":"co","value":{"bri":7}},{"property":"ro","value":3}]}`, nil)
	h.want(404, "editor", "PUT", send, `{"properties":[{"property":"n","value":2},{"property":"nothing","value":3}]}`, nil)
	h.want(200, "editor", "PUT", send, `{"properties":[{"property":"ro","value":3},{"property":"co","value":{"hue":1}}]}`, nil)
	if h.value(a, "n") != "1" || h.value(a, "ro") != "3" || h.value(a, "co") != `{"bri":0,"hue":1,"sat":6}` || len(h.messages(topic.ThingIn, a.ID)) != 1 {
		t.Errorf("n %s, ro %s, co %s", h.value(a, "n"), h.value(a, "ro"), h.value(a, "co"))
	}
	h.want(400, "editor", "PUT", send, `{"properties":[]}`, nil)

	batch := path("/%s/properties/%s/publish_batch", a.ID, id(a, "ro"))
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339Nano) }
	h.want(200, "editor", "PUT", batch, []any{map[string]any{"timestamp": at(-2 * time.Hour), "value": 10}, map[string]any{"timestamp": at(-time.Hour), "value": 20}}, nil)
	var out wireBatch[wireRaw]
	h.want(200, "editor", "POST", "/iot/v2/series/batch_query_raw", map[string]any{"requests": []any{map[string]any{"q": "property." + id(a, "ro"), "sort": "ASC"}}}, &out)
	if got := fmt.Sprint(values(out.Responses[0].Values)); got != "[10 20 3]" {
		t.Errorf("history %s", got)
	}
	if h.value(a, "ro") != "3" {
		t.Errorf("the last value is %s", h.value(a, "ro"))
	}
	h.want(400, "editor", "PUT", batch, []any{map[string]any{"timestamp": "1969-01-01T00:00:00Z", "value": 10}}, nil)
	h.want(400, "editor", "PUT", batch, []any{map[string]any{"value": 10}}, nil)
	h.want(413, "editor", "PUT", batch, slices.Repeat([]any{map[string]any{"timestamp": at(0), "value": 10}}, maxBatch+1), nil)
	h.want(200, "editor", "PUT", batch, []any{}, nil)
	// Old values are no base for later ones.
	old := path("/%s/properties/%s/publish_batch", a.ID, id(a, "co"))
	h.want(200, "editor", "PUT", old, []any{map[string]any{"timestamp": at(-time.Hour), "value": map[string]int{"hue": 9, "sat": 9, "bri": 9}}}, nil)
	h.publish(h.deviceOf(a), a.ID, senml.Record{Name: "co:hue", Kind: senml.Int, Int: 2})
	if got := h.value(a, "co"); got != `{"bri":0,"hue":2,"sat":6}` {
		t.Errorf("co %s", got)
	}
}

func (h *house) deviceOf(t Thing) string {
	h.t.Helper()
	now, err := h.Get(h.t.Context(), editor, t.ID, false)
	if err != nil {
		h.t.Fatal(err)
	}
	return now.Device
}

func values(raw []json.RawMessage) []string {
	all := make([]string, len(raw))
	for i, r := range raw {
		all[i] = string(r)
	}
	return all
}

func TestSeriesOverHTTP(t *testing.T) {
	h := liteHouse(t)
	board := h.device(editor, "board")
	a := h.thing(editor, "a", board, map[string]string{"f!": "FLOAT", "b!": "STATUS", "s!": "CHARSTRING"})
	f, b, s := id(a, "f"), id(a, "b"), id(a, "s")
	start := noon.Add(-time.Hour)
	for i := range 120 {
		at := seconds(start.Add(time.Duration(i) * 30 * time.Second))
		h.publish(board, a.ID, senml.Record{Name: "f", Kind: senml.Float, Num: float64(i), At: at},
			senml.Record{Name: "b", Kind: senml.Bool, Int: int64(i / 60), At: at}, senml.Record{Name: "s", Kind: senml.Text, Text: fmt.Sprint("t", i), At: at})
	}
	from, to := start.Format(time.RFC3339), noon.Format(time.RFC3339)

	var bins wireBatch[wireBins]
	h.want(200, "editor", "POST", "/iot/v2/series/batch_query", map[string]any{"resp_version": 0, "requests": []any{
		map[string]any{"q": "property." + f, "from": from, "to": to, "interval": 600},
		map[string]any{"q": "property." + f, "from": from, "to": to, "interval": 1800, "aggregation": "MAX", "series_limit": 86400},
		map[string]any{"q": "property." + b, "from": from, "to": to, "interval": 1800},
		map[string]any{"q": "property." + s, "from": from, "to": to, "interval": 600},
		map[string]any{"q": "thing." + a.ID, "from": from, "to": to, "interval": 3600},
		map[string]any{"q": "property." + absent, "from": from, "to": to},
		map[string]any{"q": "device." + absent, "from": from, "to": to},
		map[string]any{"q": "property." + f, "from": to, "to": from},
		map[string]any{"q": "property." + f, "from": from, "to": to, "aggregation": "MEAN"},
		map[string]any{"q": "property." + f, "from": from, "to": to, "series_limit": 2},
	}}, &bins)
	type answer struct{ query, status, values string }
	var got []answer
	for _, r := range bins.Responses {
		got = append(got, answer{r.Query, r.Status, fmt.Sprint(r.Values)})
		if len(r.Times) != len(r.Values) || r.CountValues != len(r.Values) || r.RespVersion != respVersion || (r.Status == "ok") == (r.Message != "") {
			t.Errorf("response %+v", r)
		}
	}
	want := []answer{
		{"property." + f, "ok", "[9.5 29.5 49.5 69.5 89.5 109.5]"},
		{"property." + f, "ok", "[59 119]"},
		{"property." + b, "ok", "[0 1]"},
		{"property." + s, "invalid", "[]"},
		{"property." + b, "ok", "[1]"}, // of a thing, each numeric property, by number
		{"property." + f, "ok", "[59.5]"},
		{"property." + absent, "not_found", "[]"},
		{"device." + absent, "invalid", "[]"},
		{"property." + f, "invalid", "[]"},
		{"property." + f, "invalid", "[]"},
		{"property." + f, "ok", "[29.5 89.5]"},
	}
	sortPair(got, 4)
	sortPair(want, 4)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if first := bins.Responses[0]; !first.Times[0].Equal(start) || first.Aggregation != "AVG" || first.PropertyName != "f" || first.ThingID != a.ID || first.Interval != 600 || first.SeriesLimit != binsDefault {
		t.Errorf("first response %+v", first)
	}
	if second := bins.Responses[1]; second.SeriesLimit != binsMax {
		t.Errorf("limit %d", second.SeriesLimit)
	}

	var raw wireBatch[wireRaw]
	h.want(200, "editor", "POST", "/iot/v2/series/batch_query_raw", map[string]any{"resp_version": 1, "requests": []any{
		map[string]any{"q": "property." + s, "series_limit": 2},
		map[string]any{"q": "property." + s, "series_limit": 2, "sort": "ASC"},
		map[string]any{"q": "property." + f, "from": from, "to": start.Add(time.Minute).Format(time.RFC3339), "sort": "ASC", "series_limit": 86400},
		map[string]any{"q": "thing." + a.ID, "series_limit": 86400},
		map[string]any{"q": "thing." + absent},
	}}, &raw)
	var texts []string
	for _, r := range raw.Responses {
		texts = append(texts, fmt.Sprintf("%s %d", r.Status, r.CountValues))
	}
	if got, want := strings.Join(texts, ","), "ok 2,ok 2,ok 2,ok 120,ok 120,ok 120,not_found 0"; got != want {
		t.Errorf("raw %s, want %s", got, want)
	}
	if got := fmt.Sprint(values(raw.Responses[0].Values), values(raw.Responses[1].Values), values(raw.Responses[2].Values)); got != `["t119" "t118"] ["t0" "t1"] [0 1]` {
		t.Errorf("raw values %s", got)
	}
	if limit := raw.Responses[3].SeriesLimit; limit != thingMax {
		t.Errorf("limit of a thing %d", limit)
	}

	var sampled wireBatch[wireSampled]
	h.want(200, "editor", "POST", "/iot/v2/series/batch_query_sampling", map[string]any{"resp_version": 1, "requests": []any{
		map[string]any{"q": "property." + s, "interval": 1800},
		map[string]any{"q": "property." + f, "interval": 1},
	}}, &sampled)
	if got := fmt.Sprint(values(sampled.Responses[0].Values)); got != `["t59" "t119"]` || sampled.Responses[1].Interval != 60 || sampled.Responses[1].CountValues != 60 {
		t.Errorf("sampled %s, %+v", got, sampled.Responses[1].wireAnswer)
	}

	var last wireLastBatch
	h.want(200, "editor", "POST", "/iot/v2/series/batch_query_raw/lastvalue", map[string]any{"requests": []any{
		map[string]any{"property_id": f, "thing_id": a.ID}, map[string]any{"property_id": f, "thing_id": absent}, map[string]any{"property_id": absent, "thing_id": a.ID},
	}}, &last)
	if last.Status != "ok" || fmt.Sprint(last.Responses[0].CountValues, last.Responses[1].CountValues, last.Responses[2].CountValues) != "1 0 0" || string(last.Responses[0].Values[0]) != "119" {
		t.Errorf("last %+v", last)
	}

	var series wireTimeseries
	one := path("/%s/properties/%s/timeseries", a.ID, f)
	h.want(200, "editor", "GET", one+"?interval=1800&from="+url.QueryEscape(start.In(time.FixedZone("", 7200)).Format(time.RFC3339)), nil, &series)
	if len(series.Data) != 2 || series.Data[0].Value != 29.5 || !series.Data[0].Time.Equal(start) {
		t.Errorf("timeseries %+v", series)
	}
	h.want(200, "editor", "GET", one+"?interval=1800&desc=true&aggregation=SUM&from="+strings.ReplaceAll(start.In(time.FixedZone("", 7200)).Format(time.RFC3339), "+", "%20"), nil, &series)
	if len(series.Data) != 2 || series.Data[1].Value != 1770 {
		t.Errorf("timeseries %+v", series)
	}
	h.want(200, "editor", "GET", one, nil, &series)
	if n := len(series.Data); n == 0 || n > timeseriesLimit {
		t.Errorf("%d points by default", n)
	}
	for _, bad := range []string{"?interval=0", "?interval=x", "?from=yesterday", "?aggregation=MEAN", "?from=1700-01-01T00:00:00Z", "?to=2000-01-01T00:00:00Z&from=2001-01-01T00:00:00Z", "?desc=perhaps"} {
		h.want(400, "editor", "GET", one+bad, nil, nil)
	}
	h.want(400, "editor", "GET", path("/%s/properties/%s/timeseries", a.ID, s), nil, nil)
	h.want(501, "editor", "POST", "/iot/v2/series/historic_data", map[string]any{"from": from, "to": to, "properties": []string{f}}, nil)
	h.want(400, "editor", "POST", "/iot/v2/series/batch_query", map[string]any{"requests": []any{map[string]any{"q": "property." + f}}}, nil)
	h.want(400, "editor", "POST", "/iot/v2/series/batch_query_raw", map[string]any{}, nil)

	// Another tenant finds nothing by the same IDs.
	raw, last = wireBatch[wireRaw]{}, wireLastBatch{}
	h.want(200, "stranger", "POST", "/iot/v2/series/batch_query_raw", map[string]any{"requests": []any{map[string]any{"q": "property." + f}, map[string]any{"q": "thing." + a.ID}}}, &raw)
	for _, r := range raw.Responses {
		if r.Status != "not_found" || r.CountValues != 0 || r.PropertyName != "" {
			t.Errorf("a stranger sees %+v", r)
		}
	}
	h.want(200, "stranger", "POST", "/iot/v2/series/batch_query_raw/lastvalue", map[string]any{"requests": []any{map[string]any{"property_id": f, "thing_id": a.ID}}}, &last)
	if last.Responses[0].CountValues != 0 {
		t.Errorf("a stranger sees %+v", last)
	}
}

// sortPair puts two neighbours in order: a thing's properties come by number, which
// the test did not choose.
func sortPair[T any](all []T, i int) {
	if len(all) > i+1 && fmt.Sprint(all[i]) > fmt.Sprint(all[i+1]) {
		all[i], all[i+1] = all[i+1], all[i]
	}
}

// TestRoutesKeepTenantsApart makes its table of the declarations.
func TestRoutesKeepTenantsApart(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "a", h.device(editor, "board"), map[string]string{"x": "FLOAT"})
	for _, r := range h.Routes() {
		method, pattern, _ := strings.Cut(r.Pattern, " ")
		at := strings.NewReplacer("{id}", a.ID, "{pid}", id(a, "x"), "{key}", "k", "{sketch}", absent).Replace(pattern)
		if pattern == rowsPath { // says in its query whose values
			at += "?thing=" + a.ID
		}
		body := ""
		if r.In != nil {
			schema, err := door.SchemaOf(r.In)
			if err != nil {
				t.Fatal(err)
			}
			body = string(schema.Sample())
		}
		t.Run(r.Pattern, func(t *testing.T) {
			for as, want := range map[string]int{"": http.StatusUnauthorized, "expired": http.StatusUnauthorized, "stranger": http.StatusNotFound} {
				if as == "stranger" && !strings.Contains(at, a.ID) {
					continue // of the stranger's own space
				}
				if w := h.do(as, method, at, body, nil); w.Code != want {
					t.Errorf("%q gets %d %s, want %d", as, w.Code, w.Body, want)
				}
			}
			if r.Status == 0 && method == http.MethodGet {
				if w := h.do("viewer", method, at, body, nil); w.Code != http.StatusOK {
					t.Errorf("a viewer gets %d %s", w.Code, w.Body)
				}
			}
			if method != http.MethodGet && strings.Contains(pattern, "{id}") {
				if w := h.do("viewer", method, at, body, nil); w.Code != http.StatusForbidden {
					t.Errorf("a viewer gets %d %s, want 403", w.Code, w.Body)
				}
			}
		})
	}
	if got, err := h.Get(t.Context(), editor, a.ID, false); err != nil || got.Name != "a" || len(got.Living()) != 1 {
		t.Errorf("after all that: %+v, %v", got, err)
	}
}

func TestDevicesSeeTheirThing(t *testing.T) {
	h := liteHouse(t)
	board, lonely := h.device(editor, "board"), h.device(editor, "lonely")
	a := h.thing(editor, "a", board, map[string]string{"n": "INT", "s": "CHARSTRING", "ro!": "INT"})
	ctx, up := t.Context(), h.ForDevices()
	for i := range 5 {
		h.pass(time.Second)
		h.publish(board, a.ID, senml.Record{Name: "n", Kind: senml.Int, Int: int64(i)})
	}
	all, err := up.Embed(ctx, editor, []string{board, lonely})
	if err != nil || len(all) != 1 || all[board].(wireThing).ID != a.ID {
		t.Errorf("embedded %v, %v", all, err)
	}
	if one, err := up.Embed(ctx, editor, []string{board}); err != nil || len(*one[board].(wireThing).Properties) != 3 {
		t.Errorf("embedded %v, %v", one, err)
	}
	if none, err := up.Embed(ctx, stranger, []string{board}); err != nil || len(none) != 0 {
		t.Errorf("a stranger's %v, %v", none, err)
	}
	if p, err := up.Properties(ctx, editor, board, false); err != nil || len(p.List.([]wireProperty)) != 3 {
		t.Errorf("properties %+v, %v", p, err)
	}
	if p, err := up.Properties(ctx, editor, lonely, false); err != nil || p.List == nil {
		t.Errorf("properties without a thing %+v, %v", p, err)
	}
	var pages []string
	for start, n := "", 0; n < 10; n++ {
		page, err := up.History(ctx, editor, board, id(a, "n"), 2, start)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range page.Values {
			pages = append(pages, v.Payload)
		}
		if start = page.Next; start == "" {
			break
		}
		pages = append(pages, "|")
	}
	if got := strings.Join(pages, " "); got != "4 3 | 2 1 | 0" {
		t.Errorf("history %s", got)
	}
	// A program may start at a time of its own.
	for name, start := range map[string]time.Time{"in UTC": h.clock(), "with an offset": h.clock().In(time.FixedZone("", 3600))} {
		page, err := up.History(ctx, editor, board, id(a, "n"), 2, start.Format(time.RFC3339Nano))
		if err != nil || len(page.Values) != 2 || page.Values[0].Payload != "3" {
			t.Errorf("history from a time %s on: %+v, %v", name, page, err)
		}
	}
	if _, err := up.History(ctx, editor, board, id(a, "n"), 2, "yesterday"); !errors.Is(err, ErrStart) {
		t.Errorf("history from yesterday on: %v", err)
	}
	if p, err := up.Properties(ctx, editor, board, false); err != nil || p.RetentionDays < 365 {
		t.Errorf("values are kept for %v days, %v", p.RetentionDays, err)
	}
	publish := func(input bool, values ...device.Value) error { return up.Publish(ctx, editor, board, values, input) }
	for name, c := range map[string]struct {
		typ, json, property, want string
	}{
		"inferred":       {"infer", `7`, "n", "7"},
		"JSON in a text": {"json", `"8"`, "n", "8"},
		"JSON":           {"json", `9`, "n", "9"},
		"hex":            {"hex", `"6369616f"`, "s", `"ciao"`},
		"base64":         {"base64", `"MTA="`, "n", "10"},
	} {
		h.pass(time.Second)
		if err := publish(false, device.Value{Name: c.property, Type: c.typ, JSON: json.RawMessage(c.json)}); err != nil || h.value(a, c.property) != c.want {
			t.Errorf("%s: %s, %v, want %s", name, h.value(a, c.property), err, c.want)
		}
	}
	if err := publish(true, device.Value{Name: "ro", JSON: json.RawMessage("1")}); err == nil {
		t.Error("written to what only the device sets")
	}
	if err := publish(false, device.Value{Name: "s", Type: "hex", JSON: json.RawMessage(`"zz"`)}); err == nil {
		t.Error("hex that is none")
	}
	if n := len(h.messages(topic.ThingIn, a.ID)); n != 0 {
		t.Errorf("%d messages to the device", n)
	}
}

// A scheduler tells whether it is on, and when that changes, on the wall clock of its thing.
func TestASchedulerTellsWhenItIsOn(t *testing.T) {
	h := liteHouse(t)
	a := h.thing(editor, "lamp", "", map[string]string{"plan": "SCHEDULE"})
	p := a.Properties[0]
	h.want(200, "editor", "POST", path("/%s", a.ID), map[string]any{"timezone": "Australia/Lord_Howe"}, nil)
	show := func() (w wireProperty) {
		t.Helper()
		h.want(200, "editor", "GET", path("/%s/properties/%s", a.ID, p.ID), nil, &w)
		return w
	}
	if w := show(); w.Schedule != nil {
		t.Errorf("without a value: %+v", w.Schedule)
	}
	zone, err := time.LoadLocation("Australia/Lord_Howe")
	if err != nil {
		t.Fatal(err)
	}
	now := h.clock().In(zone)
	_, offset := now.Zone()
	from := now.Unix() + int64(offset) - 60
	h.want(200, "editor", "PUT", path("/%s/properties/%s/publish", a.ID, p.ID), map[string]any{"value": map[string]any{"frm": from, "to": 0, "len": 119, "msk": 1<<30 | 1<<26 | 10}}, nil)
	w := show()
	if w.Schedule == nil || !w.Schedule.Active || w.Schedule.Repeat != "every" || !w.Schedule.NextOff.Equal(now.Truncate(time.Second).Add(time.Minute)) ||
		!w.Schedule.NextOn.Equal(now.Truncate(time.Second).Add(9*time.Minute)) || w.Schedule.NextOn.Location() != time.UTC {
		t.Errorf("at %v: %+v", now, w.Schedule)
	}
	h.want(200, "editor", "PUT", path("/%s/properties/%s/publish", a.ID, p.ID), map[string]any{"value": map[string]any{"msk": 7 << 26}}, nil)
	if w := show(); w.Schedule == nil || w.Schedule.Active || w.Schedule.Repeat != "unknown" || w.Schedule.NextOn != nil || w.Schedule.NextOff != nil {
		t.Errorf("of a kind that no board knows: %+v", w.Schedule)
	}
}
