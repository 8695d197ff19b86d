package thing

import (
	"math"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

func TestFleetingPointsComeBack(t *testing.T) {
	at := time.Date(2026, 5, 1, 1, 2, 3, 456789000, time.UTC)
	for name, v := range map[string]series.Value{
		"number": number(21.7), "tiny": number(math.SmallestNonzeroFloat64), "zero below": number(math.Copysign(0, -1)),
		"integer": integer(math.MinInt64), "on": truthy(1), "off": truthy(0), "text": text("a b\x00 c"), "empty": text(""), "object": object(`{"a":1}`),
	} {
		t.Run(name, func(t *testing.T) {
			p := series.Point{Series: "id", Thing: "thing", Space: "space", At: at, Value: v}
			kept := wrap(p)
			if kept.Series != "id/last" || !kept.At.Equal(fleetingAt) || kept.Value.Kind != series.Text {
				t.Errorf("kept as %+v", kept)
			}
			got, ok := unwrap(kept)
			if !ok || got != p {
				t.Errorf("got %+v (%v), want %+v", got, ok, p)
			}
		})
	}
}

// Whatever text is found, unwrap reads it as what wrap would write for it, or not at all.
func FuzzUnwrap(f *testing.F) {
	for _, s := range []string{"1700000000000000 f 4035800000000000", "1 i -5", "1 b 1", "1 t x y", "1 o {}", "", "x", "1 q 1", "-1 b 0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := unwrap(series.Point{Series: "id/last", Thing: "t", Space: "s", At: fleetingAt, Value: text(s)})
		if !ok {
			return
		}
		again, ok := unwrap(wrap(p))
		same := again.Value == p.Value || (math.IsNaN(again.Value.Num) && math.Float64bits(again.Value.Num) == math.Float64bits(p.Value.Num))
		if !ok || !again.At.Equal(p.At) || !same {
			t.Fatalf("%q: %+v, then %+v (%v)", s, p, again, ok)
		}
	})
}
