package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A guest reaches what the dashboard shows, as it was shared, and nothing beside it.
func TestGuestsReachWhatIsShown(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		a := h.thing(editor, "a", "", map[string]string{"shown": "FLOAT", "hidden": "FLOAT", "sensor!": "FLOAT"})
		other := h.thing(editor, "b", "", map[string]string{"shown": "FLOAT"})
		d := h.board("Shared", widget("Slider", id(a, "shown")), widget("Gauge", id(a, "sensor")))
		h.board("Kept", widget("Slider", id(a, "hidden")))
		property := func(t thing.Thing, name, rest string) string {
			return "/iot/v2/things/" + t.ID + "/properties/" + id(t, name) + rest
		}
		value := map[string]any{"value": 4.5}
		batch := func(name string) map[string]any {
			return map[string]any{"requests": []any{map[string]any{"q": "property." + id(a, name), "from": noon.Add(-time.Hour), "to": noon.Add(time.Hour), "interval": 60}}, "resp_version": 1}
		}
		h.want(200, "editor", "PUT", property(a, "shown", "/publish"), value, nil)
		h.want(200, "editor", "PUT", property(a, "hidden", "/publish"), value, nil)

		reach := func(as string) string {
			t.Helper()
			var out []string
			for _, ask := range []struct {
				what, method, path string
				body               any
			}{
				{"dashboard", "GET", board3("/%s", d.ID), nil},
				{"health", "GET", ours1("/%s/health", d.ID), nil},
				{"value", "GET", property(a, "shown", ""), nil},
				{"past", "GET", property(a, "shown", "/timeseries"), nil},
				{"rows", "GET", "/v1/series/rows?property=" + id(a, "shown"), nil},
				{"write", "PUT", property(a, "shown", "/publish"), value},

				{"hidden value", "GET", property(a, "hidden", ""), nil},
				{"hidden past", "GET", property(a, "hidden", "/timeseries"), nil},
				{"hidden rows", "GET", "/v1/series/rows?property=" + id(a, "shown") + "," + id(a, "hidden"), nil},
				{"rows of all", "GET", "/v1/series/rows?thing=" + a.ID, nil},
				{"hidden write", "PUT", property(a, "hidden", "/publish"), value},
				{"another's value", "GET", property(other, "shown", ""), nil},
				{"a value by the wrong thing", "GET", "/iot/v2/things/" + other.ID + "/properties/" + id(a, "shown"), nil},
				{"read-only write", "PUT", property(a, "sensor", "/publish"), value},
				{"write as the device", "PUT", property(a, "shown", "/publish"), map[string]any{"value": 1, "device_id": absent}},
				{"past written", "PUT", property(a, "shown", "/publish_batch"), []any{map[string]any{"timestamp": noon, "value": 1}}},
				{"thing", "GET", "/iot/v2/things/" + a.ID, nil},
				{"properties", "GET", "/iot/v2/things/" + a.ID + "/properties", nil},
				{"property changed", "POST", property(a, "shown", ""), map[string]any{"name": "mine"}},
				{"property deleted", "DELETE", property(a, "shown", ""), nil},
				{"many written", "PUT", "/iot/v2/things/" + a.ID + "/publish", map[string]any{"properties": []any{map[string]any{"property": "shown", "value": 1}}}},
				{"file", "GET", "/v1/things/" + a.ID + "/history", nil},
				{"template", "GET", board3("/%s/template", d.ID), nil},
				{"changed", "PATCH", board3("/%s", d.ID), map[string]any{"name": "mine"}},
				{"deleted", "DELETE", board2("/%s", d.ID), nil},
				{"cloned", "PUT", board2("/%s/clone", d.ID), map[string]any{}},
				{"linked", "PUT", board2("/%s/widgets/%s/variables", d.ID, d.Widgets[0].ID), map[string]any{"variables": []string{id(a, "hidden")}}},
				{"shares", "GET", board2("/%s/shares", d.ID), nil},
				{"shared on", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "zoe"}},
				{"public", "PUT", ours1("/%s/link", d.ID), map[string]any{}},
				{"another's share taken", "DELETE", board2("/%s/shares/%s", d.ID, another.ID), nil},
			} {
				if w := h.do(as, ask.method, ask.path, ask.body, nil); w.Code < 300 {
					out = append(out, ask.what)
				} else if w.Code != 403 && w.Code != 404 && (w.Code != 400 || ask.what != "read-only write") {
					t.Errorf("%s as %s = %d %s", ask.what, as, w.Code, w.Body)
				}
			}
			for _, name := range []string{"shown", "hidden"} {
				for _, way := range []string{"batch_query", "batch_query_raw", "batch_query_sampling"} {
					w := h.want(200, as, "POST", "/iot/v2/series/"+way, batch(name), nil)
					if strings.Contains(w.Body.String(), "4.5") {
						out = append(out, way+" of "+name)
					}
				}
				w := h.want(200, as, "POST", "/iot/v2/series/batch_query_raw/lastvalue", map[string]any{"requests": []any{map[string]any{"thing_id": a.ID, "property_id": id(a, name)}}}, nil)
				if strings.Contains(w.Body.String(), "4.5") {
					out = append(out, "last of "+name)
				}
			}
			return strings.Join(out, ", ")
		}
		const past = ", batch_query of shown, batch_query_raw of shown, batch_query_sampling of shown, last of shown"
		if got := reach("guest"); got != "" {
			t.Errorf("a stranger reaches %s", got)
		}
		h.want(200, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "gino", "access": "read"}, nil)
		for _, as := range []string{"guest", "keyed"} {
			if got, want := reach(as), "dashboard, health, value, past, rows"+past; got != want {
				t.Errorf("%s, who may read, reaches %s, want %s", as, got, want)
			}
		}
		h.want(200, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"username": "gino@example.org"}, nil)
		if got, want := reach("guest"), "dashboard, health, value, past, rows, write"+past; got != want {
			t.Errorf("who may write reaches %s, want %s", got, want)
		}
		for _, as := range []string{"bound", "another"} {
			if got := reach(as); got != "" {
				t.Errorf("%s reaches %s", as, got)
			}
		}
		h.set(func() { h.strict = true })
		if got := reach("guest"); got != "" {
			t.Errorf("who has not signed in as surely as the space asks reaches %s", got)
		}
		h.set(func() { h.strict = false })

		// What is no longer shown is no longer lent; what is deleted lends nothing.
		if _, err := h.Link(t.Context(), editor, d.ID, d.Widgets[0].ID, nil); err != nil {
			t.Fatal(err)
		}
		if got, want := reach("guest"), "dashboard, health"; got != want {
			t.Errorf("when nothing is shown, a guest reaches %s, want %s", got, want)
		}
		if _, err := h.Link(t.Context(), editor, d.ID, d.Widgets[0].ID, []string{id(a, "shown")}); err != nil {
			t.Fatal(err)
		}
		h.want(200, "editor", "DELETE", board2("/%s", d.ID), nil, nil)
		if got := reach("guest"); got != "" {
			t.Errorf("of a deleted dashboard, a guest reaches %s", got)
		}
		h.want(200, "editor", "PATCH", board2("/%s", d.ID), map[string]any{}, nil)
		h.want(200, "editor", "DELETE", board2("/%s/shares/%s", d.ID, guest.ID), nil, nil)
		if got := reach("guest"); got != "" {
			t.Errorf("when it was taken back, a guest reaches %s", got)
		}
	})
}

// What guests and owners see of a share, and what letters are written.
func TestShares(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	ctx := t.Context()
	d := h.board("Greenhouse")
	share := func(body map[string]any) {
		t.Helper()
		h.want(200, "editor", "PUT", board2("/%s/shares", d.ID), body, nil)
	}
	share(map[string]any{"users": []any{map[string]any{"user_id": strings.ToUpper(guest.ID)}, map[string]any{"username": "zoe@example.org"}}})
	told := h.told()
	if len(told) != 2 || told[0] != (Letter{To: guest.ID, From: editor.ID, Dashboard: d.ID, Name: "Greenhouse"}) || told[1].To != another.ID {
		t.Errorf("letters %+v", told)
	}
	share(map[string]any{"user_id": guest.ID, "access": "read"})
	if told := h.told(); len(told) != 0 {
		t.Errorf("letters about what was shared already: %+v", told)
	}
	var people []map[string]any
	w := h.want(200, "editor", "GET", board2("/%s/shares", d.ID), nil, &people)
	if len(people) != 2 || len(people[0]) != 2 || people[0]["user_id"] != guest.ID || people[0]["username"] != "gino" || w.Header().Get("Content-Type") != "application/vnd.arduino.dashboardshare+json; type=collection" {
		t.Errorf("shares %v", people)
	}
	var own []wireShare
	h.want(200, "editor", "GET", ours1("/%s/shares", d.ID), nil, &own)
	if len(own) != 2 || own[0].Access != access.Read || own[1].Access != access.Write || own[0].By.Username != "anna" {
		t.Errorf("own shares %+v", own)
	}
	var seen wireDashboard
	h.want(200, "editor", "GET", board2("/%s", d.ID), nil, &seen)
	if len(*seen.SharedWith) != 2 || seen.SharedBy != nil || seen.Access != "" {
		t.Errorf("the owner sees %+v", seen)
	}
	seen = wireDashboard{}
	h.want(200, "guest", "GET", board2("/%s", d.ID), nil, &seen)
	if seen.SharedWith != nil || seen.SharedBy == nil || *seen.SharedBy != (wirePerson{editor.ID, "anna"}) || seen.OrganizationID != "" || seen.Access != "" {
		t.Errorf("the guest sees %+v", seen)
	}
	seen = wireDashboard{}
	h.want(200, "guest", "GET", board3("/%s", d.ID), nil, &seen)
	if seen.Access != access.Read {
		t.Errorf("of what they may the guest sees %q", seen.Access)
	}
	if all, err := h.List(ctx, guest, Filter{Name: "green"}); err != nil || len(all) != 1 {
		t.Errorf("the guest lists %v, %v", all, err)
	}
	away := guest
	away.Space, away.Role = space, access.Viewer // a member now, and there
	if all, err := h.List(ctx, away, Filter{}); err != nil || len(all) != 1 {
		t.Errorf("as a member the guest lists %v, %v", all, err)
	}
	// A guest gives it back.
	h.want(403, "guest", "DELETE", board2("/%s/shares/%s", d.ID, another.ID), nil, nil)
	h.want(200, "guest", "DELETE", board2("/%s/shares/me", d.ID), nil, nil)
	h.want(404, "guest", "DELETE", board2("/%s/shares/%s", d.ID, guest.ID), nil, nil)
	h.want(403, "viewer", "DELETE", board2("/%s/shares/%s", d.ID, another.ID), nil, nil)
	if got := h.actions(d.ID); !slices.Equal(got, []string{"dashboard:create", "dashboard:share", "dashboard:share", "dashboard:share", "dashboard:unshare"}) {
		t.Errorf("journal %v", got)
	}
	// All of them or none.
	h.want(404, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"users": []any{map[string]any{"username": "gino"}, map[string]any{"username": "nobody"}}}, nil)
	h.want(404, "guest", "GET", board2("/%s", d.ID), nil, nil)
}

// Who looks for many who have no account must wait; who shares with those that have one need not.
func TestSharesTellNoListOfAccounts(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	d := h.board("d")
	for range 100 {
		if err := h.Share(t.Context(), editor, d.ID, []Guest{{Name: "gino"}}, ""); err != nil {
			t.Fatal(err)
		}
	}
	tries := 0
	for tries < 100 {
		err := h.Share(t.Context(), editor, d.ID, []Guest{{Name: fmt.Sprintf("somebody%d@example.org", tries)}}, "")
		if errors.Is(err, ErrNoPerson) {
			tries++
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "limit") {
			t.Errorf("Share = %v", err)
		}
		break
	}
	if tries > 30 {
		t.Errorf("%d names could be tried at once", tries)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		d := h.board("Greenhouse")
		ask := func(id, message string) {
			t.Helper()
			if w := h.want(200, "guest", "PUT", board2("/%s/share_request", id), map[string]any{"message": message}, nil); w.Body.Len() != 0 {
				t.Errorf("answer %s", w.Body)
			}
		}
		ask(absent, "is there one?") // the answer is the same
		ask(d.ID, "May I?")
		h.pass(time.Second)
		ask(d.ID, "Please!")
		want := Letter{Asked: true, To: editor.ID, From: guest.ID, Dashboard: d.ID, Name: "Greenhouse", Message: "May I?"}
		if told := h.told(); len(told) != 1 || told[0] != want {
			t.Errorf("letters %+v, want one: %+v", told, want)
		}
		var all []wireRequest
		h.want(200, "editor", "GET", ours1("/%s/requests", d.ID), nil, &all)
		if len(all) != 1 || all[0].Message != "Please!" || all[0].UserID != guest.ID || all[0].Username != "gino" {
			t.Errorf("requests %+v", all)
		}
		h.want(403, "viewer", "GET", ours1("/%s/requests", d.ID), nil, nil)
		h.want(404, "guest", "GET", ours1("/%s/requests", d.ID), nil, nil)
		h.want(204, "editor", "DELETE", ours1("/%s/requests/%s", d.ID, guest.ID), nil, nil)
		ask(d.ID, "And now?")
		h.want(200, "editor", "PUT", board2("/%s/shares", d.ID), map[string]any{"user_id": guest.ID}, nil)
		h.want(200, "editor", "GET", ours1("/%s/requests", d.ID), nil, &all)
		if len(all) != 0 {
			t.Errorf("an answered request waits: %+v", all)
		}
		h.told()
		ask(d.ID, "Once more?") // has it already
		if told := h.told(); len(told) != 0 {
			t.Errorf("letters %+v", told)
		}
		if got := h.actions(d.ID); !slices.Contains(got, "dashboard:ask") || !slices.Contains(got, "dashboard:refuse") {
			t.Errorf("journal %v", got)
		}
	})
}

// Nobody fills an owner's letter box, nor the table.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	d := h.board("d")
	refused := 0
	for range 30 {
		if w := h.do("guest", "PUT", board2("/%s/share_request", d.ID), map[string]any{}, nil); w.Code == 429 {
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("%d of 30 requests at once were refused", refused)
	}
	for i := range maxRequests + 5 {
		who := another
		who.ID = fmt.Sprintf("a2000000-0000-4000-8000-%012d", i)
		if err := h.Ask(t.Context(), who, d.ID, "m"); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := h.Requests(t.Context(), editor, d.ID); err != nil || len(all) != maxRequests {
		t.Errorf("%d requests wait, %v, want %d", len(all), err, maxRequests)
	}
}

func TestSharesAreBounded(t *testing.T) {
	t.Parallel()
	h := liteHouse(t)
	h.needs.Find = func(_ context.Context, text string) (string, error) { return text, nil }
	d := h.board("d")
	var err error
	for i := 0; i <= maxShares/maxAtOnce && err == nil; i++ {
		var some []Guest
		for j := range maxAtOnce {
			some = append(some, Guest{User: fmt.Sprintf("a3000000-0000-4000-8000-%06d%06d", i, j)})
		}
		err = h.Share(t.Context(), editor, d.ID, some, "")
	}
	if !errors.Is(err, ErrTooManyShares) {
		t.Errorf("the %dst guest: %v", maxShares+1, err)
	}
	if all, err := h.Shares(t.Context(), editor, d.ID); err != nil || len(all) != maxShares {
		t.Errorf("%d guests, %v", len(all), err)
	}
}
