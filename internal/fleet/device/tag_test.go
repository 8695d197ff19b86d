package device

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
)

func TestSetsOfTags(t *testing.T) {
	a := Tags{"room": "hall"}
	b := a.With("floor", "1").With("room", "attic")
	c := b.Without("room").Without("nothing")
	if !maps.Equal(a, Tags{"room": "hall"}) || !maps.Equal(b, Tags{"floor": "1", "room": "attic"}) || !maps.Equal(c, Tags{"floor": "1"}) || len(Tags(nil).With("a", "b")) != 1 {
		t.Errorf("%v %v %v", a, b, c)
	}
	if !b.Match([]Tag{{"floor", "1"}, {"room", "attic"}}) || b.Match([]Tag{{"room", "hall"}}) || b.Match([]Tag{{"wall", "1"}}) || !Tags(nil).Match(nil) {
		t.Error("tags do not match as they should")
	}
	many := Tags{}
	for i := range maxTags + 1 {
		many[fmt.Sprint(i)] = "x"
	}
	for name, c := range map[string]struct {
		tags Tags
		want error
	}{
		"none": {nil, nil}, "good": {b, nil}, "no key": {Tags{"": "x"}, ErrTag}, "no value": {Tags{"x": ""}, ErrTag},
		"a space": {Tags{"a b": "c"}, ErrTag}, "long": {Tags{"x": strings.Repeat("y", 65)}, ErrTag}, "too many": {many, ErrTooManyTags},
	} {
		if err := c.tags.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := ReadTags(make([]string, maxTags+1)); !errors.Is(err, ErrTag) {
		t.Errorf("a filter by too many tags: %v", err)
	}
}

// A device has its tags from the start, or it is not made.
func TestADeviceIsMadeWithTags(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		r := h.start()
		made, err := r.Create(t.Context(), editor, Device{Name: "x", Type: "generic_device_secretkey", Tags: map[string]string{"imported-from": "1"}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.start().Get(t.Context(), editor, space, made.ID, false)
		if err != nil || got.Tags["imported-from"] != "1" {
			t.Errorf("%+v, %v", got, err)
		}
		if _, err := r.Create(t.Context(), editor, Device{Name: "y", Type: "generic_device_secretkey", Tags: map[string]string{"a b": "1"}}); !errors.Is(err, ErrTag) {
			t.Errorf("a bad tag: %v", err)
		}
	})
}
