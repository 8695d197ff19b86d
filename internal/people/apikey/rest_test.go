package apikey

import (
	"errors"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestKeyRestsAndWorksAgain(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, secret := h.made(t, "anna", "", "laptop")
		told := h.Revoked.Subscribe(4)
		defer told.Close()
		for range 2 {
			resting, err := h.Enable(t.Context(), system, k.ID, false)
			if err != nil || resting.Enabled || resting.Revoked() || resting.Version != k.Version+1 {
				t.Errorf("Enable(false) = %+v, %v", resting, err)
			}
			if got := <-told.C(); got != k.ID {
				t.Errorf("told of %s", got)
			}
		}
		if _, err := h.Check(t.Context(), k.ID, secret); !errors.Is(err, ErrCredentials) {
			t.Errorf("Check of a key that rests: %v", err)
		}
		again, err := h.Enable(t.Context(), system, k.ID, true)
		if err != nil || !again.Enabled {
			t.Errorf("Enable(true) = %+v, %v", again, err)
		}
		if _, err := h.Check(t.Context(), k.ID, secret); err != nil {
			t.Errorf("Check = %v", err)
		}
		// Tokens of before it rested stay dead.
		if err := h.Alive(t.Context(), k.ID, k.Version); !errors.Is(err, ErrCredentials) {
			t.Errorf("Alive for the first version: %v", err)
		}
		if err := h.Alive(t.Context(), k.ID, again.Version); err != nil {
			t.Errorf("Alive = %v", err)
		}
		if err := h.Revoke(t.Context(), system, k.ID); err != nil {
			t.Fatal(err)
		}
		for _, enabled := range []bool{true, false} {
			if _, err := h.Enable(t.Context(), system, k.ID, enabled); !errors.Is(err, ErrRevoked) {
				t.Errorf("Enable(%v) of a revoked key: %v", enabled, err)
			}
		}
		if _, err := h.Enable(t.Context(), system, strings.Repeat("x", 32), true); !errors.Is(err, ErrNotFound) {
			t.Errorf("Enable of no key: %v", err)
		}
	})
}

func TestKeyIsRenamedByItsPerson(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		k, _ := h.made(t, "anna", "", "laptop")
		if got, err := h.Rename(t.Context(), system, k.ID, "desk"); got.Name != "desk" || err != nil {
			t.Errorf("Rename = %+v, %v", got, err)
		}
		if _, err := h.Rename(t.Context(), system, k.ID, "a\nb"); !errors.Is(err, ErrName) {
			t.Errorf("a line break: %v", err)
		}
		if got, err := h.Get(t.Context(), "anna", k.ID); got.Name != "desk" || err != nil {
			t.Errorf("Get = %+v, %v", got, err)
		}
		for name, ask := range map[string][2]string{"another's": {"boris", k.ID}, "no key": {"anna", strings.Repeat("x", 32)}, "no id": {"anna", "\x00"}} {
			if got, err := h.Get(t.Context(), ask[0], ask[1]); !errors.Is(err, ErrNotFound) || got != (Key{}) {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	})
}

func TestKeysRoleIsNotAboveItsMakers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.roles = map[string]access.Role{"school anna": access.Editor, "lab anna": access.NoRole}
		for name, c := range map[string]struct {
			space string
			role  access.Role
			want  error
		}{
			"the same":          {"school", access.Editor, nil},
			"a service account": {"school", access.Service, nil},
			"lower":             {"school", access.Viewer, nil},
			"as its person":     {"school", access.NoRole, nil},
			"above":             {"school", access.Admin, ErrRole},
			"made up":           {"school", "owner", ErrRole},
			"without a space":   {"", access.Viewer, ErrRole},
			"a stranger's":      {"lab", access.NoRole, errStranger},
		} {
			k, _, err := h.Add(t.Context(), system, "anna", c.space, c.role, "robot")
			if !errors.Is(err, c.want) || err == nil && (k.Role != c.role || k.Space != c.space) {
				t.Errorf("%s: %+v, %v, want %v", name, k, err, c.want)
			}
		}
	})
}

func TestWhoMayNotEnterMakesNoKey(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.closed = map[string]bool{"": true, "school": true}
		for space, want := range map[string]error{"school": errWeak, "": errWeak, "lab": nil} {
			if _, _, err := h.Add(t.Context(), system, "anna", space, access.NoRole, "k"); !errors.Is(err, want) {
				t.Errorf("for %q: %v, want %v", space, err, want)
			}
		}
	})
}

// Who steals a key and makes others with it loses all of them with the first.
func TestKeysGoWithTheKeyThatMadeThem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		by := func(k Key) access.Actor { return access.Actor{Kind: access.APIKey, ID: "anna", Client: k.ID} }
		first, _ := h.made(t, "anna", "", "stolen")
		second, _, err := h.Add(t.Context(), by(first), "anna", "", access.NoRole, "second")
		if err != nil {
			t.Fatal(err)
		}
		third, secret, err := h.Add(t.Context(), by(second), "anna", "", access.NoRole, "third")
		if err != nil {
			t.Fatal(err)
		}
		other, _ := h.made(t, "anna", "", "other")
		told := h.Revoked.Subscribe(8)
		defer told.Close()
		if err := h.Revoke(t.Context(), system, first.ID); err != nil {
			t.Fatal(err)
		}
		for _, k := range []Key{first, second, third} {
			if got := <-told.C(); got != k.ID {
				t.Errorf("told of %s, want %s", got, k.Name)
			}
			if err := h.Alive(t.Context(), k.ID, k.Version); !errors.Is(err, ErrCredentials) {
				t.Errorf("the key %s: %v", k.Name, err)
			}
		}
		if _, err := h.Check(t.Context(), third.ID, secret.Reveal()); !errors.Is(err, ErrCredentials) {
			t.Errorf("Check = %v", err)
		}
		if err := h.Alive(t.Context(), other.ID, other.Version); err != nil {
			t.Errorf("the key that has nothing to do with it: %v", err)
		}
		if _, _, err := h.Add(t.Context(), by(second), "anna", "", access.NoRole, "late"); !errors.Is(err, ErrCredentials) {
			t.Errorf("made with a revoked key: %v", err)
		}
		if n, err := journal.Verify(t.Context(), h.d); n != 7 || err != nil {
			t.Errorf("journal: %d entries, %v, want 4 made and 3 revoked", n, err)
		}
	})
}

func TestSpaceHasSoManyKeys(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.most = 2
		add := func(account, space string) error {
			_, _, err := h.Add(t.Context(), system, account, space, access.NoRole, "k")
			return err
		}
		// Keys without a space count in their person's own.
		for name, c := range map[string][2]string{"a": {"anna", ""}, "b": {"anna", "anna-private"}, "c": {"anna", "school"}, "d": {"boris", "school"}, "e": {"boris", ""}} {
			if err := add(c[0], c[1]); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for name, c := range map[string][2]string{"her own space": {"anna", ""}, "by its id": {"anna", "anna-private"}, "school": {"carla", "school"}} {
			if err := add(c[0], c[1]); !errors.Is(err, ErrFull) || err.Error() != "2 of 2" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := add("boris", ""); err != nil {
			t.Errorf("another's: %v", err)
		}
		// A revoked key makes room, one that rests does not.
		all, err := h.Bound(t.Context(), "school")
		if err != nil || len(all) != 2 || all[0].Name != "" {
			t.Fatalf("Bound = %+v, %v", all, err)
		}
		if _, err := h.Enable(t.Context(), system, all[0].ID, false); err != nil {
			t.Fatal(err)
		}
		if err := add("carla", "school"); !errors.Is(err, ErrFull) {
			t.Errorf("with one that rests: %v", err)
		}
		if err := h.RevokeBound(t.Context(), system, "lab", all[0].ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("revoked from another space: %v", err)
		}
		if err := h.RevokeBound(t.Context(), system, "school", all[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := add("carla", "school"); err != nil {
			t.Errorf("with one revoked: %v", err)
		}
		free, err := h.List(t.Context(), "boris")
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range free {
			if k.Space == "" {
				if err := h.RevokeBound(t.Context(), system, "", k.ID); !errors.Is(err, ErrNotFound) {
					t.Errorf("a key of no space: %v", err)
				}
			}
		}
	})
}
