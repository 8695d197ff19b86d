package dashboard

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who says which updated_at a change begins with changes nothing that was changed since.
func TestChangesBeginWithWhatWasRead(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		d := h.board("Greenhouse")
		patch := func(since, name string) int {
			t.Helper()
			r := httptest.NewRequestWithContext(t.Context(), "PATCH", board3("/%s", d.ID), strings.NewReader(`{"name":"`+name+`"}`))
			r.Header.Set("Authorization", "Bearer editor")
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("If-Match", since)
			w := httptest.NewRecorder()
			h.http.ServeHTTP(w, r)
			return w.Code
		}
		read := func() string {
			t.Helper()
			var seen wireDashboard
			h.want(200, "editor", "GET", board3("/%s", d.ID), nil, &seen)
			return `"` + seen.UpdatedAt.Format(time.RFC3339Nano) + `"`
		}
		first := read()
		h.pass(time.Millisecond)
		for _, c := range []struct {
			since, name string
			want        int
		}{
			{first, "second", 200}, {first, "third", 412}, {"*", "fourth", 200}, {"", "fifth", 200}, {`"yesterday"`, "sixth", 400},
		} {
			if got := patch(c.since, c.name); got != c.want {
				t.Errorf("If-Match: %s: %d, want %d", c.since, got, c.want)
			}
			h.pass(time.Millisecond)
		}
		var seen wireDashboard
		h.want(200, "editor", "GET", board3("/%s", d.ID), nil, &seen)
		if seen.Name != "fifth" {
			t.Errorf("it is called %s", seen.Name)
		}
	})
}

// What was deleted is in no list but the one that asks for it, and says when that was.
func TestDeletedDashboardsAreListed(t *testing.T) {
	t.Parallel()
	eachHouse(t, func(t *testing.T, h *house) {
		d, other := h.board("Greenhouse"), h.board("Garden")
		h.want(200, "editor", "DELETE", board2("/%s", d.ID), nil, nil)
		list := func(query string) (names []string, at *time.Time) {
			t.Helper()
			var all []wireDashboard
			h.want(200, "viewer", "GET", board3("%s", query), nil, &all)
			for _, one := range all {
				names = append(names, one.Name)
				if one.ID == d.ID {
					at = one.DeletedAt
				}
			}
			return names, at
		}
		if names, _ := list(""); !slices.Equal(names, []string{other.Name}) {
			t.Errorf("listed are %v", names)
		}
		if names, at := list("?show_deleted=true&sort=name"); !slices.Equal(names, []string{"Garden", "Greenhouse"}) || at == nil || !at.Equal(noon) {
			t.Errorf("listed with deleted ones are %v, deleted at %v", names, at)
		}
		h.want(400, "viewer", "GET", board3("?show_deleted=perhaps"), nil, nil)
		h.want(200, "editor", "PATCH", board3("/%s", d.ID), map[string]any{}, nil)
		if names, at := list("?show_deleted=true"); len(names) != 2 || at != nil {
			t.Errorf("brought back: %v, deleted at %v", names, at)
		}
	})
}
