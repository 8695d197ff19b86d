package thing

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// A space that has sent enough for a day keeps and tells nothing more: a board is acknowledged, so
// that it gets on, and a writer hears why. The next day begins anew.
func TestValuesBeyondADaysAreRefused(t *testing.T) {
	h := liteHouse(t)
	meter := org.NewMeter(space, 3)
	h.Service.routes.meter = func(_ context.Context, of string) (*org.Meter, error) {
		if of != space {
			return nil, nil
		}
		return meter, nil
	}
	board := h.device(editor, "board")
	a := h.thing(editor, "a", board, map[string]string{"x": "FLOAT", "y": "FLOAT"})
	pack := func(x float64) []byte {
		return senml.AppendBoard(nil, []senml.Record{{Name: "x", Kind: senml.Float, Num: x}, {Name: "y", Kind: senml.Float, Num: x}})
	}
	send := func(x float64) { h.publishRaw(board, output(a.ID), pack(x)) }
	write := func(x string) error {
		return h.Command(t.Context(), editor, a.ID, []Write{{Name: "x", JSON: json.RawMessage(x)}})
	}
	send(1)
	send(2) // all of a message or nothing
	if got := h.value(a, "x"); got != "1" {
		t.Errorf("x is %s, want 1", got)
	}
	if err := write("3"); err != nil {
		t.Errorf("the third value: %v", err)
	}
	if err := write("4"); !errors.Is(err, org.ErrValues) {
		t.Errorf("the fourth value: %v", err)
	}
	if got := h.value(a, "x"); got != "3" {
		t.Errorf("x is %s, want 3", got)
	}
	if n := h.Counts(); n.Over != 3 {
		t.Errorf("counts %+v", n)
	}
	b := h.thing(stranger, "b", "", map[string]string{"x": "FLOAT"})
	if err := h.Command(t.Context(), stranger, b.ID, []Write{{Name: "x", JSON: json.RawMessage("1")}}); err != nil {
		t.Errorf("another space: %v", err)
	}
	h.pass(24 * 60 * 60 * 1e9)
	if send(5); h.value(a, "x") != "5" {
		t.Errorf("the next day x is %s, want 5", h.value(a, "x"))
	}
}
