package series

import "testing"

// With its last series a thing is forgotten, and not before.
func TestAThingIsForgottenWithItsLastSeries(t *testing.T) {
	m := newMemory()
	first, second := &state{property: "a", thing: m.thing("t", "s")}, &state{property: "b", thing: m.thing("t", "s")}
	m.know(first)
	m.know(second)
	m.unknow(first)
	if m.things["t"] == nil || m.series["b"] != second {
		t.Error("a thing that has a series left is forgotten")
	}
	m.unknow(second)
	if len(m.things)+len(m.series) != 0 {
		t.Errorf("memory still has %d things and %d series", len(m.things), len(m.series))
	}
}
