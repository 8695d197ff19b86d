package trigger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func email(subject string) map[string]any {
	return map[string]any{"kind": "NOTIFY-EMAIL", "name": "mail", "email": map[string]any{"subject": map[string]any{"expression": subject},
		"body": map[string]any{"expression": "{variable.value}"}, "delivery": map[string]any{"to": []any{map[string]any{"id": editor.ID}}}}}
}

// What the API takes and what it refuses.
func TestTheAPI(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"lamp": "STATUS", "temperature": "FLOAT", "place": "LOCATION"})
		lamp, temperature := fleettest.PropertyID(th, "lamp"), fleettest.PropertyID(th, "temperature")
		board := h.board("pump")
		hot := map[string]any{"operator": "GT", "value": 30}
		for name, c := range map[string]struct {
			status int
			as     string
			body   any
		}{
			"no source":              {400, "editor", map[string]any{"name": "x"}},
			"two sources":            {400, "editor", map[string]any{"name": "x", "property_id": lamp, "device_status_source": map[string]any{"criteria": "EXCLUDE"}}},
			"no name":                {400, "editor", map[string]any{"property_id": lamp}},
			"a name that is long":    {400, "editor", map[string]any{"name": strings.Repeat("x", 257), "property_id": lamp}},
			"no such property":       {404, "editor", map[string]any{"name": "x", "property_id": space}},
			"somebody else's":        {404, "stranger", map[string]any{"name": "x", "property_id": lamp}},
			"a viewer":               {403, "viewer", map[string]any{"name": "x", "property_id": lamp}},
			"nobody":                 {401, "", map[string]any{"name": "x", "property_id": lamp}},
			"a place":                {400, "editor", map[string]any{"name": "x", "property_id": fleettest.PropertyID(th, "place")}},
			"a number without more":  {400, "editor", map[string]any{"name": "x", "property_id": temperature}},
			"no operator":            {400, "editor", map[string]any{"name": "x", "property_id": temperature, "condition": map[string]any{"operator": "IS", "value": 3}}},
			"half a range":           {400, "editor", map[string]any{"name": "x", "property_id": temperature, "condition": map[string]any{"operator": "BETWEEN", "value": 3}}},
			"a range turned around":  {400, "editor", map[string]any{"name": "x", "property_id": temperature, "condition": map[string]any{"operator": "BETWEEN", "value": 3, "upper": 2}}},
			"a text for a number":    {400, "editor", map[string]any{"name": "x", "property_id": temperature, "condition": map[string]any{"operator": "GT", "value": "3"}}},
			"hysteresis of a flag":   {400, "editor", map[string]any{"name": "x", "property_id": lamp, "condition": map[string]any{"operator": "EQ", "value": true, "hysteresis": 1}}},
			"a condition on devices": {400, "editor", map[string]any{"name": "x", "device_status_source": map[string]any{"criteria": "EXCLUDE"}, "condition": hot}},
			"criteria of nobody":     {400, "editor", map[string]any{"name": "x", "device_status_source": map[string]any{"criteria": "SOME"}}},
			"no such device":         {404, "editor", map[string]any{"name": "x", "device_status_source": map[string]any{"criteria": "INCLUDE", "device_ids": []any{space}}}},
			"a grace of weeks":       {400, "editor", map[string]any{"name": "x", "device_status_source": map[string]any{"criteria": "EXCLUDE", "grace_period_online": 1209601}}},
			"an action of no kind":   {400, "editor", map[string]any{"name": "x", "property_id": lamp, "actions": []any{map[string]any{"kind": "SHOUT", "name": "x"}}}},
			"an action of another":   {400, "editor", map[string]any{"name": "x", "property_id": lamp, "actions": []any{map[string]any{"kind": "NOTIFY-PUSH", "name": "x", "email": email("x")["email"]}}}},
			"a stranger's mail":      {400, "editor", map[string]any{"name": "x", "property_id": lamp, "actions": []any{strangers()}}},
			"a file for a webhook":   {400, "editor", map[string]any{"name": "x", "property_id": lamp, "actions": []any{map[string]any{"kind": "CALL-WEBHOOK", "name": "x", "webhook": map[string]any{"url": "file:///etc/passwd"}}}}},
			"a value of another":     {400, "editor", map[string]any{"name": "x", "property_id": lamp, "actions": []any{map[string]any{"kind": "SET-PROPERTY", "name": "x", "set_property": map[string]any{"property_id": temperature, "value": "hot"}}}}},
			"too long a subject":     {400, "editor", map[string]any{"name": "x", "property_id": lamp, "actions": []any{email(strings.Repeat("x", 101))}}},
			"an id that is none":     {400, "editor", map[string]any{"name": "x", "id": "x", "property_id": lamp}},
		} {
			if w := h.do(c.as, "PUT", "/iot/v1/triggers", c.body, nil); w.Code != c.status {
				t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, c.status)
			}
		}
		tr := h.trigger(map[string]any{"name": "Hot", "id": "b0000000-0000-4000-8000-000000000001", "property_id": temperature, "condition": hot, "actions": []any{email("hot")}})
		if !tr.Active || tr.ID != "b0000000-0000-4000-8000-000000000001" || tr.CreatedBy != editor.ID || len(tr.Actions) != 1 || tr.Actions[0].TriggerID != tr.ID {
			t.Errorf("made %+v", tr)
		}
		h.want(409, "editor", "PUT", "/iot/v1/triggers", map[string]any{"name": "x", "id": tr.ID, "property_id": lamp}, nil)
		one := "/iot/v1/triggers/" + tr.ID
		var shown wireLinked
		h.want(200, "viewer", "GET", one, nil, &shown)
		if shown.Property == nil || shown.Property.Status != "OK" || shown.Condition == nil || len(shown.Actions) != 1 || shown.Status != nil {
			t.Errorf("shown %+v", shown)
		}
		h.want(404, "stranger", "GET", one, nil, nil)
		h.want(404, "stranger", "DELETE", one+"?force=true", nil, nil)
		h.want(403, "viewer", "POST", one, map[string]any{"active": false}, nil)
		var changed wireTrigger
		h.want(200, "editor", "PATCH", one, map[string]any{"active": false, "description": "in summer"}, &changed)
		if changed.Active || changed.Description != "in summer" || changed.Name != "Hot" || len(changed.Actions) != 1 || changed.Condition == nil {
			t.Errorf("changed %+v", changed)
		}
		h.clock.Pass(time.Second)
		other := h.trigger(map[string]any{"name": "Away", "device_status_source": map[string]any{"criteria": "INCLUDE", "device_ids": []any{board}, "grace_period_offline": 60}})
		for query, want := range map[string]int{"": 2, "?property_id=" + temperature: 1, "?device_id=" + board: 1, "?source_type=DEVICE_INCLUDE": 1, "?source_type=DEVICE_EXCLUDE": 0, "?source_type=PROPERTY": 1} {
			var all []wireTrigger
			if h.want(200, "viewer", "GET", "/iot/v1/triggers"+query, nil, &all); len(all) != want {
				t.Errorf("%q lists %d, want %d", query, len(all), want)
			}
		}
		h.want(400, "viewer", "GET", "/iot/v1/triggers?source_type=x", nil, nil)
		h.want(400, "viewer", "GET", "/iot/v1/triggers?device_id=x", nil, nil)
		h.want(200, "viewer", "GET", "/iot/v1/triggers/"+other.ID, nil, &shown)
		if shown.Status == nil || len(shown.Status.Devices) != 1 || shown.Status.Devices[0].Status != "OK" || *shown.Status.GracePeriodOffline != 60 {
			t.Errorf("shown %+v", shown.Status)
		}
		if !h.Linked(temperature) || h.Linked(lamp) {
			t.Error("what is linked is not so")
		}
		// Soft-deleted, and back.
		h.want(200, "editor", "DELETE", one, nil, nil)
		h.want(404, "editor", "GET", one, nil, nil)
		h.want(404, "editor", "DELETE", one, nil, nil)
		var all []wireTrigger
		h.want(200, "viewer", "GET", "/iot/v1/triggers?show_deleted=true", nil, &all)
		if len(all) != 2 || all[0].DeletedAt == nil || h.Linked(temperature) {
			t.Errorf("with deleted ones %+v", all)
		}
		h.want(200, "editor", "POST", one, map[string]any{"name": "Hot again", "active": true}, &changed)
		if changed.DeletedAt != nil || !h.Linked(temperature) {
			t.Error("an update did not bring it back")
		}
		actionsOf(t, h, tr.ID, lamp)
		h.want(200, "editor", "DELETE", one+"?force=true", nil, nil)
		h.want(404, "editor", "POST", one, map[string]any{"active": true}, nil)
		if err := h.EraseSpace(t.Context(), access.Actor{Kind: access.System}, space); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Count(t.Context(), space); n != 0 || err != nil {
			t.Errorf("%d triggers are left, %v", n, err)
		}
	})
}

func strangers() map[string]any {
	a := email("x")
	a["email"].(map[string]any)["delivery"] = map[string]any{"to": []any{map[string]any{"id": stranger.ID}}}
	return a
}

func actionsOf(t *testing.T, h *house, trigger, lamp string) {
	t.Helper()
	body := h.hook("/x")
	body["trigger_id"] = trigger
	var made, got wireAction
	h.want(201, "editor", "POST", "/iot/v1/actions", body, &made)
	path := "/iot/v1/actions/" + made.ID
	h.want(200, "editor", "PUT", path, map[string]any{"name": "other", "webhook": map[string]any{"url": "https://example.org/"}}, &got)
	if got.Name != "other" || got.Webhook.URL != "https://example.org/" || got.TriggerID != trigger || made.Webhook.Secret == "" {
		t.Errorf("changed %+v", got)
	}
	h.want(400, "editor", "PUT", path, map[string]any{"email": email("x")["email"]}, nil)
	h.want(404, "editor", "PUT", path, map[string]any{"trigger_id": lamp}, nil)
	h.want(404, "stranger", "GET", path, nil, nil)
	h.want(403, "viewer", "DELETE", path, nil, nil)
	var all []wireAction
	if h.want(200, "viewer", "GET", "/iot/v1/actions", nil, &all); len(all) != 2 {
		t.Errorf("%d actions, want 2", len(all))
	}
	for range maxActions - 2 {
		h.want(201, "editor", "POST", "/iot/v1/actions", body, nil)
	}
	h.want(412, "editor", "POST", "/iot/v1/actions", body, nil)
	h.want(200, "editor", "DELETE", path, nil, nil)
	h.want(404, "editor", "GET", path, nil, nil)
}

// A template can be made into the same trigger, here or for other things.
func TestTemplates(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		board := h.board("pump")
		th := h.thing("Pond One", board, map[string]string{"lamp": "STATUS", "temperature": "FLOAT"})
		other := h.thing("other", "", map[string]string{"lamp": "STATUS", "temperature": "FLOAT"})
		tr := h.trigger(map[string]any{"name": "Hot", "property_id": fleettest.PropertyID(th, "temperature"), "condition": map[string]any{"operator": "GT", "value": 30, "hysteresis": 1}, "actions": []any{
			email("hot"), map[string]any{"kind": "SET-PROPERTY", "name": "set", "set_property": map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "value": true}}}})
		away := h.trigger(map[string]any{"name": "Away", "device_status_source": map[string]any{"criteria": "INCLUDE", "device_ids": []any{board}, "grace_period_offline": 60}})
		pond := thing.TemplateID(th.Name, th.ID) // as in the template of the thing
		var hot, gone map[string]any
		h.want(200, "viewer", "GET", "/iot/v1/triggers/"+tr.ID+"/template", nil, &hot)
		h.want(200, "viewer", "GET", "/iot/v1/triggers/"+away.ID+"/template", nil, &gone)
		if got := fmt.Sprintln(hot["id"], hot["linked_property"], gone["linked_devices"]); got != "hot map[property_id:temperature thing_id:"+pond+"] [map[thing_id:"+pond+"]]\n" {
			t.Errorf("templates %s", got)
		}
		var made wireTrigger
		h.want(201, "editor", "POST", "/v1/triggers/import", map[string]any{"template": hot, "prefix_name": "My "}, &made)
		if made.Name != "My Hot" || made.PropertyID != fleettest.PropertyID(th, "temperature") || made.Condition.Hysteresis != 1 || len(made.Actions) != 2 || made.Actions[1].SetProperty.PropertyID != fleettest.PropertyID(th, "lamp") {
			t.Errorf("made %+v", made)
		}
		h.want(201, "editor", "POST", "/v1/triggers/import", map[string]any{"template": hot, "things": map[string]any{pond: other.ID}}, &made)
		if made.PropertyID != fleettest.PropertyID(other, "temperature") || made.Actions[1].SetProperty.PropertyID != fleettest.PropertyID(other, "lamp") {
			t.Errorf("made %+v", made)
		}
		h.want(201, "editor", "POST", "/v1/triggers/import", map[string]any{"template": gone}, &made)
		if made.Status == nil || !same(made.Status.DeviceIDs, []string{board}) {
			t.Errorf("made %+v", made.Status)
		}
		h.want(400, "editor", "POST", "/v1/triggers/import", map[string]any{"template": gone, "things": map[string]any{pond: other.ID}}, nil)
		h.want(400, "editor", "POST", "/v1/triggers/import", map[string]any{"template": hot, "prefix_name": "<b>"}, nil)
		h.want(400, "stranger", "POST", "/v1/triggers/import", map[string]any{"template": hot}, nil)
	})
}

// Tags of triggers are ours; so is finding by them, and by name.
func TestTagsOfTriggers(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		lamp := fleettest.PropertyID(h.thing("pond", "", map[string]string{"lamp": "STATUS"}), "lamp")
		a := h.trigger(map[string]any{"name": "Hot", "property_id": lamp, "tags": []any{map[string]any{"key": "room", "value": "hall"}}})
		h.clock.Pass(time.Second)
		b := h.trigger(map[string]any{"name": "Cold", "property_id": lamp})
		h.want(200, "editor", "PUT", "/v1/triggers/"+b.ID+"/tags", map[string]any{"key": "room", "value": "attic"}, nil)
		h.want(200, "editor", "PUT", "/v1/triggers/"+b.ID+"/tags", map[string]any{"key": "floor", "value": "3"}, nil)
		h.want(200, "editor", "DELETE", "/v1/triggers/"+b.ID+"/tags/floor", nil, nil)
		h.want(200, "editor", "PATCH", "/iot/v1/triggers/"+a.ID, map[string]any{"active": false}, nil)
		h.want(403, "viewer", "PUT", "/v1/triggers/"+b.ID+"/tags", map[string]any{"key": "a", "value": "b"}, nil)
		h.want(404, "stranger", "PUT", "/v1/triggers/"+b.ID+"/tags", map[string]any{"key": "a", "value": "b"}, nil)
		h.want(400, "editor", "PUT", "/v1/triggers/"+b.ID+"/tags", map[string]any{"key": "a b", "value": "b"}, nil)
		for query, want := range map[string]string{
			"?tags=room:hall": "Hot", "?tags=room:attic&tags=floor:3": "", "?q=hO": "Hot", "?sort=name": "Cold Hot", "?sort=-created_at&q=o": "Cold Hot",
		} {
			var all []wireTrigger
			h.want(200, "viewer", "GET", "/iot/v1/triggers"+query, nil, &all)
			var names []string
			for _, one := range all {
				names = append(names, one.Name)
				if len(one.Tags) != 1 {
					t.Errorf("%s has the tags %v", one.Name, one.Tags)
				}
			}
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		h.want(400, "viewer", "GET", "/iot/v1/triggers?sort=size", nil, nil)
		h.want(400, "viewer", "GET", "/iot/v1/triggers?tags=x", nil, nil)
		h.want(200, "editor", "DELETE", "/iot/v1/triggers/"+b.ID, nil, nil)
		h.want(404, "editor", "PUT", "/v1/triggers/"+b.ID+"/tags", map[string]any{"key": "a", "value": "b"}, nil)
	})
}
