package dashboard

import (
	"net/http/httptest"
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
