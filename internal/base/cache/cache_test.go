package cache

import (
	"errors"
	"testing"
	"time"
)

func TestMapStaysBounded(t *testing.T) {
	m := New[int, int](100)
	for i := range 10_000 {
		m.Set(i, i)
		if n := m.Len(); n > 200 {
			t.Fatalf("%d values after %d, want at most 200", n, i+1)
		}
		// The value of zero is used all the time.
		if _, ok := m.Get(0); !ok {
			t.Fatalf("a value in use was forgotten after %d others", i)
		}
	}
	for i := 9_901; i < 10_000; i++ {
		if v, ok := m.Get(i); !ok || v != i {
			t.Fatalf("Get(%d) = %d, %v although it is one of the last 99", i, v, ok)
		}
	}
}

func TestMapForgets(t *testing.T) {
	m := New[string, int](1)
	m.Set("a", 1)
	m.Set("b", 2) // a is old now
	m.Delete("a")
	if v, ok := m.Get("a"); ok {
		t.Errorf("a is still %d", v)
	}
	if v, ok := m.Get("b"); !ok || v != 2 {
		t.Errorf("b = %d, %v, want 2", v, ok)
	}
	m.Clear()
	if n := m.Len(); n != 0 {
		t.Errorf("%d values after Clear", n)
	}
}

func TestAddKeepsTheFirst(t *testing.T) {
	m := New[string, int](4)
	if got := m.Add("a", func() int { return 1 }); got != 1 {
		t.Errorf("first Add = %d, want 1", got)
	}
	if got := m.Add("a", func() int { return 2 }); got != 1 {
		t.Errorf("second Add = %d, want 1", got)
	}
	m.Set("a", 3)
	if got := m.Add("a", func() int { return 4 }); got != 3 {
		t.Errorf("Add after Set = %d, want 3", got)
	}
}

func TestFresh(t *testing.T) {
	now, loads := time.Unix(1000, 0), 0
	f := NewFresh[string, int](4, time.Second, func() time.Time { return now })
	load := func() (int, error) { loads++; return loads, nil }
	get := func(want int) {
		t.Helper()
		if got, err := f.Get("a", load); got != want || err != nil {
			t.Fatalf("Get = %d, %v, want %d", got, err, want)
		}
	}
	get(1)
	get(1)
	now = now.Add(time.Second)
	get(2)
	f.Changed()
	get(3)
	now = now.Add(-time.Hour) // the clock was put back
	get(4)
	if _, err := f.Get("b", func() (int, error) { return 0, errLoad }); err != errLoad {
		t.Errorf("Get = %v, want the error of load", err)
	}
	if got, err := f.Get("b", func() (int, error) { return 7, nil }); got != 7 || err != nil {
		t.Errorf("Get after an error = %d, %v, want 7", got, err)
	}
}

// A value that was loaded while it changed is not kept.
func TestFreshForgetsWhatChangedWhileLoading(t *testing.T) {
	f := NewFresh[string, string](4, time.Hour, func() time.Time { return time.Unix(1000, 0) })
	_, _ = f.Get("a", func() (string, error) {
		f.Changed()
		return "old", nil
	})
	if got, _ := f.Get("a", func() (string, error) { return "new", nil }); got != "new" {
		t.Errorf("Get = %q, want new", got)
	}
}

var errLoad = errors.New("away")
