package template

import (
	"errors"
	"strings"
	"testing"
)

// Those who hold a file are few, and no space keeps all others out.
func TestFewHoldAFileAtOnce(t *testing.T) {
	s := &Service{inside: map[string]int{}}
	var leaves []func()
	for range maxHeldSpace {
		leave, err := s.admit("a")
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := s.admit("a"); !errors.Is(err, ErrBusy) {
		t.Errorf("one more of the space: %v, want ErrBusy", err)
	}
	for s.held < maxHeld {
		leave, err := s.admit(strings.Repeat("b", s.held))
		if err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, leave)
	}
	if _, err := s.admit("c"); !errors.Is(err, ErrBusy) {
		t.Errorf("one more of all: %v, want ErrBusy", err)
	}
	for _, leave := range leaves {
		leave()
	}
	if s.held != 0 || len(s.inside) != 0 {
		t.Errorf("%d are held by %v after all have left", s.held, s.inside)
	}
}

func TestPartsWithTooManyValues(t *testing.T) {
	many := "name: x\nlist: [" + strings.Repeat("1,", maxValues) + "1]\n"
	if _, err := toJSON([]byte(many)); !errors.Is(err, errTree) {
		t.Errorf("%d values: %v, want %v", maxValues, err, errTree)
	}
}
