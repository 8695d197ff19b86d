package apikey

import (
	"slices"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/people/access"
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

// A key remembers how surely whoever made it had signed in; one that a key made is no better than that.
func TestAKeyKnowsHowItsMakerSignedIn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for name, c := range map[string]struct {
			who  access.Actor
			want string
		}{
			"a password":        {access.Actor{Kind: access.User, ID: "anna", ACR: "1"}, "1"},
			"a second step":     {access.Actor{Kind: access.User, ID: "anna", ACR: "2"}, "2"},
			"a passkey":         {access.Actor{Kind: access.User, ID: "anna", ACR: "3"}, "3"},
			"nobody knows what": {access.Actor{Kind: access.User, ID: "anna"}, "1"},
			"the operator":      {system, "3"},
		} {
			k, secret, err := h.Add(t.Context(), c.who, "anna", "", "", name)
			if err != nil || k.ACR != c.want {
				t.Errorf("%s: %q, %v, want %q", name, k.ACR, err, c.want)
			}
			seen, err := h.Check(t.Context(), k.ID, secret.Reveal())
			if err != nil || seen.ACR != c.want {
				t.Errorf("%s, looked up: %q, %v, want %q", name, seen.ACR, err, c.want)
			}
			made, _, err := h.Add(t.Context(), access.Actor{Kind: access.APIKey, ID: "anna", Client: k.ID, ACR: seen.ACR}, "anna", "", "", "made by a key")
			if err != nil || made.ACR != c.want {
				t.Errorf("%s, by the key: %q, %v, want %q", name, made.ACR, err, c.want)
			}
		}
	})
}
