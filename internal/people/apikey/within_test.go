package apikey

import (
	"slices"
	"testing"
)

func TestKeysWithinASpace(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		a, _ := h.made(t, "anna", "school", "laptop")
		b, _ := h.made(t, "boris", "school", "laptop")
		ended, _ := h.made(t, "anna", "school", "lost")
		h.made(t, "anna", "", "everywhere")
		h.made(t, "anna", "home", "laptop")
		if err := h.Revoke(t.Context(), system, ended.ID); err != nil {
			t.Fatal(err)
		}
		got, err := h.Within(t.Context(), "school")
		want := []string{a.ID, b.ID}
		slices.Sort(got) // both are of one microsecond
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Within = %v, %v, want %v", got, err, want)
		}
		if got, err := h.Within(t.Context(), "nowhere"); len(got) > 0 || err != nil {
			t.Errorf("Within a space without keys = %v, %v", got, err)
		}
	})
}
