package keys

import (
	"errors"
	"fmt"
	"testing"
)

func part(t testing.TB, g *Ring, space, thing string) Sealer {
	t.Helper()
	s, err := g.Thing(t.Context(), space, thing)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPartsStayAndAreTheirOwn(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		one, two := part(t, g, "s", "1"), part(t, g, "s", "2")
		sealed := seal(t, one, "of one")
		opens(t, part(t, h.ring(t), "s", "1"), sealed, "of one")
		device, err := g.Device(t.Context(), "s", "1")
		if err != nil {
			t.Fatal(err)
		}
		for name, other := range map[string]Sealer{"another thing": two, "the space": space(t, g, "s"), "a device with its id": device} {
			if _, err := other.Open(sealed, []byte("aad")); !errors.Is(err, ErrSeal) {
				t.Errorf("the key of %s opens it: %v", name, err)
			}
		}
		for name, g := range map[string]*Ring{"known": g, "unknown": h.ring(t)} {
			if _, err := g.Thing(t.Context(), "other", "1"); !errors.Is(err, ErrSeal) {
				t.Errorf("asked with another space, %s: %v, want %v", name, err, ErrSeal)
			}
		}
	})
}

func TestPartsGoWithTheirSpace(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g, other := h.ring(t), h.ring(t)
		held, elsewhere := part(t, g, "gone", "1"), part(t, other, "gone", "1")
		sealed := seal(t, held, "secret")
		if err := g.Erase(t.Context(), KindSpace, "gone"); err != nil {
			t.Fatal(err)
		}
		if _, err := held.Open(sealed, []byte("aad")); !errors.Is(err, ErrErased) {
			t.Errorf("a part's key that was held opens: %v", err)
		}
		opens(t, elsewhere, sealed, "secret") // until the other process looks again
		h.now = h.now.Add(freshFor)
		for name, g := range map[string]*Ring{"this": g, "another": other, "a later": h.ring(t)} {
			if _, err := g.Thing(t.Context(), "gone", "1"); !errors.Is(err, ErrErased) {
				t.Errorf("%s process has the key of a part of an erased space: %v", name, err)
			}
		}
	})
}

// Many at once cost one new keyring key, and take nothing else along.
func TestManyPartsAreErasedAtOnce(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		g := h.ring(t)
		const many = perErase + 1
		ids := make([]string, many)
		for i := range ids {
			ids[i] = fmt.Sprintf("thing-%04d", i)
		}
		first, last := part(t, g, "s", ids[0]), part(t, g, "s", ids[many-1])
		kept := seal(t, part(t, g, "s", "kept"), "kept")
		whole := seal(t, space(t, g, "s"), "whole")
		was := g.rows().id()
		copied, err := g.table.find(t.Context(), ref{KindThing, ids[0]})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Erase(t.Context(), KindThing, ids...); err != nil {
			t.Fatal(err)
		}
		if g.rows().id() == was || len(g.rows().keys) != 1 {
			t.Errorf("the keyring key is still %08x, or there are %d of them", was, len(g.rows().keys))
		}
		if _, err := g.openRow(copied); !errors.Is(err, ErrSeal) {
			t.Errorf("a copy of an erased row opens: %v", err)
		}
		for _, s := range []Sealer{first, last} {
			if _, err := s.Seal(nil, nil); !errors.Is(err, ErrErased) {
				t.Errorf("an erased key seals: %v", err)
			}
		}
		for name, g := range map[string]*Ring{"this": g, "a later": h.ring(t)} {
			for _, id := range []string{ids[0], ids[1], ids[many-1]} {
				if _, err := g.Thing(t.Context(), "s", id); !errors.Is(err, ErrErased) {
					t.Errorf("%s process: key of %s: %v", name, id, err)
				}
			}
			opens(t, part(t, g, "s", "kept"), kept, "kept")
			opens(t, space(t, g, "s"), whole, "whole")
		}
		if gone, err := g.Erased(t.Context(), KindThing); err != nil || len(gone) != many {
			t.Errorf("%d erased, %v; want %d", len(gone), err, many)
		}
		if err := g.Erase(t.Context(), KindThing); err != nil {
			t.Errorf("none: %v", err)
		}
	})
}
