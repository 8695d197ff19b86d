package trigger

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

// Who is no member of the space is named by no text.
func TestTextsNameMembersAlone(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
	push := func(user string) map[string]any {
		return map[string]any{"name": "push", "property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{map[string]any{"kind": "NOTIFY-PUSH", "name": "push", "push_notification": map[string]any{
			"title": map[string]any{"expression": "{u}", "variables": []any{map[string]any{"placeholder": "u", "entity": "USER", "attribute": "NAME", "id": user}}},
			"body":  map[string]any{"expression": "x"}, "delivery": map[string]any{"to": []any{map[string]any{"id": editor.ID}}}}}}}
	}
	h.want(201, "editor", "PUT", "/iot/v1/triggers", push(viewer.ID), nil)
	if w := h.want(400, "editor", "PUT", "/iot/v1/triggers", push(stranger.ID), nil); !strings.Contains(w.Body.String(), stranger.ID) {
		t.Errorf("says %s", w.Body)
	}
	f := h.facts(Trigger{Space: space, Owner: stranger.ID}, event{})
	for _, c := range []struct{ id, recipient, entity, want string }{
		{viewer.ID, editor.ID, "USER", "Vi"}, {stranger.ID, editor.ID, "USER", ""}, {"", editor.ID, "USER", ""}, {"", stranger.ID, "RECIPIENT", "Strange"}, {stranger.ID, editor.ID, "USER", ""},
	} {
		if got := f.value(t.Context(), Variable{Entity: c.entity, Attribute: "NAME", ID: c.id}, c.recipient); got != c.want {
			t.Errorf("%s %s is named %q, want %q", c.entity, c.id, got, c.want)
		}
	}
	if f.err != nil {
		t.Error(f.err)
	}
}

// A notice that waits for its push service does not reach who wants no more meanwhile.
func TestNoticesEndWithTheWish(t *testing.T) {
	t.Parallel()
	h := newHouse(t, db.SQLite)
	th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
	h.want(201, "editor", "POST", "/v1/push", newBrowser(t).subscription(h.hooks.URL+"/one"), nil)
	h.want(201, "viewer", "POST", "/v1/push", newBrowser(t).subscription(h.hooks.URL+"/two"), nil)
	tr := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{map[string]any{"kind": "NOTIFY-PUSH", "name": "push", "push_notification": map[string]any{
		"title": map[string]any{"expression": "x"}, "body": map[string]any{"expression": "x"},
		"delivery": map[string]any{"to": []any{map[string]any{"id": editor.ID}, map[string]any{"id": viewer.ID}}}}}}})
	h.hooks.answers(func(string, int) int { return http.StatusServiceUnavailable })
	h.report(th, "lamp", "true")
	fleettest.Eventually(t, "two tries that fail", func() bool { return h.Counts().Failed == 2 })
	entry := func(string) journal.Entry { return h.entry(viewer, "trigger:mute", "trigger", tr.ID, nil) }
	if err := h.Service.needs.Store.mute(t.Context(), tr.ID, viewer.ID, 1, false, entry); err != nil {
		t.Fatal(err)
	}
	h.hooks.answers(nil)
	h.passing(time.Minute, "the end", func() bool { return h.waiting() == 0 })
	if one, two := len(h.hooks.all("/one")), len(h.hooks.all("/two")); one != 2 || two != 1 {
		t.Errorf("%d and %d calls, want 2 and 1", one, two)
	}
}

// Whoever is written to says so no more, and wants it again, without a link of a letter; a list tells which triggers did something.
func TestMutingAndWhatFiredLast(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
		tr := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp"), "actions": []any{h.hook("/one")}})
		quiet := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp")})
		path := "/v1/triggers/" + tr.ID + "/mute"
		var m wireMute
		for _, c := range []struct {
			method string
			muted  bool
		}{{"GET", false}, {"PUT", true}, {"PUT", true}, {"GET", true}, {"DELETE", false}, {"GET", false}} {
			if h.want(200, "viewer", c.method, path, nil, &m); m.Muted != c.muted {
				t.Errorf("%s: muted is %v", c.method, m.Muted)
			}
		}
		h.want(404, "stranger", "PUT", path, nil, nil)
		h.want(404, "viewer", "PUT", "/v1/triggers/x/mute", nil, nil)
		h.want(401, "", "PUT", path, nil, nil)
		var all []wireFired
		if h.want(200, "viewer", "GET", "/v1/triggers/fired", nil, &all); len(all) != 0 {
			t.Errorf("before: %+v", all)
		}
		h.hooks.answers(func(string, int) int { return http.StatusServiceUnavailable })
		h.report(th, "lamp", "true")
		fleettest.Eventually(t, "a try that fails", func() bool { return h.Counts().Failed == 1 })
		if h.want(200, "viewer", "GET", "/v1/triggers/fired", nil, &all); len(all) != 1 || all[0].TriggerID != tr.ID || all[0].Waiting != 1 || all[0].Dead != 0 || all[0].At.IsZero() {
			t.Errorf("%+v; %s did nothing", all, quiet.ID)
		}
		if h.want(200, "stranger", "GET", "/v1/triggers/fired", nil, &all); len(all) != 0 {
			t.Errorf("a stranger sees %+v", all)
		}
	})
}
