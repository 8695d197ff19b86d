package thing

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestSpaceHasSoManyThingsAndProperties(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		h.needs.Limit = func(_ context.Context, of string) (int, int, error) {
			if of != space {
				return 1, 0, nil
			}
			return 2, 3, nil
		}
		property := func(name string) Property {
			return Property{Name: name, Variable: name, Type: TypeOf("INT"), Permission: ReadWrite, Strategy: OnChange, Min: math.NaN(), Max: math.NaN(), Persist: true}
		}
		first, err := h.Create(ctx, editor, Thing{Name: "first", Properties: []Property{property("a"), property("b")}}, false)
		if err != nil {
			t.Fatal(err)
		}
		full := func(what string, err error, says string) {
			t.Helper()
			if !errors.Is(err, ErrFull) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "ardesia space quota") {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = h.Create(ctx, editor, Thing{Name: "second", Properties: []Property{property("a"), property("b")}}, false)
		full("two properties more", err, "2 of at most 3 properties")
		if _, err := h.Create(ctx, editor, Thing{Name: "second"}, false); err != nil {
			t.Fatal(err)
		}
		_, err = h.Create(ctx, editor, Thing{Name: "third"}, false)
		full("a third thing", err, "2 of at most 2 things")
		_, err = h.Clone(ctx, editor, first.ID, "third", false)
		full("a clone", err, "2 of at most 2 things")
		_, third, err := h.AddProperty(ctx, editor, first.ID, property("c"))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = h.AddProperty(ctx, editor, first.ID, property("d"))
		full("a fourth property", err, "3 of at most 3 properties")
		_, err = h.Update(ctx, editor, first.ID, false, func(t *Thing) error {
			t.addProperty(newProperty(property("e"), t.ID, t.UpdatedAt))
			return nil
		})
		full("a property by another way", err, "3 of at most 3 properties")
		// What is there may be changed, and what goes makes room.
		if _, _, err := h.UpdateProperty(ctx, editor, first.ID, third.ID, func(p *Property) error { p.Name = "renamed"; return nil }); err != nil {
			t.Errorf("renamed: %v", err)
		}
		if err := h.DeleteProperty(ctx, editor, first.ID, third.ID, false); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.AddProperty(ctx, editor, first.ID, property("d")); err != nil {
			t.Errorf("after one was deleted: %v", err)
		}
		// A deleted thing can come back, so it counts until it is gone for good.
		if err := h.Delete(ctx, editor, first.ID, false); err != nil {
			t.Fatal(err)
		}
		_, err = h.Create(ctx, editor, Thing{Name: "third"}, false)
		full("beside a deleted thing", err, "2 of at most 2 things")
		if _, err := h.Create(ctx, stranger, Thing{Name: "elsewhere"}, false); err != nil {
			t.Errorf("in another space: %v", err)
		}
		if err := h.Delete(ctx, editor, first.ID, true); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Create(ctx, editor, Thing{Name: "third"}, false); err != nil {
			t.Errorf("when it is gone for good: %v", err)
		}
	})
}

// Many who ask at once get no more than one would.
func TestLimitHoldsForManyAtOnce(t *testing.T) {
	h := liteHouse(t)
	const most = 3
	h.needs.Limit = func(context.Context, string) (int, int, error) { return most, 0, nil }
	var made atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			if _, err := h.Create(t.Context(), editor, Thing{}, false); err == nil {
				made.Add(1)
			} else if !errors.Is(err, ErrFull) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n, err := h.Count(t.Context(), space); made.Load() != most || n != most || err != nil {
		t.Errorf("%d were made, %d are there, %v", made.Load(), n, err)
	}
}
