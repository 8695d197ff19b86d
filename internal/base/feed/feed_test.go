package feed

import (
	"sync"
	"testing"
)

func TestSlowListenerLosesAndIsTold(t *testing.T) {
	var f Feed[int]
	slow, fast := f.Subscribe(1), f.Subscribe(3)
	for i := range 3 {
		f.Publish(i)
	}
	if got := slow.Lost(); got != 2 {
		t.Errorf("slow listener lost %d, want 2", got)
	}
	if got := slow.Lost(); got != 0 {
		t.Errorf("asked again: lost %d, want 0", got)
	}
	if got := fast.Lost(); got != 0 {
		t.Errorf("fast listener lost %d, want 0", got)
	}
	for want := range 3 {
		if got := <-fast.C(); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
}

func TestClosedListenerHearsNothing(t *testing.T) {
	var f Feed[string]
	s := f.Subscribe(1)
	s.Close()
	s.Close()
	f.Publish("late")
	select {
	case v := <-s.C():
		t.Errorf("heard %q after Close", v)
	default:
	}
}

func TestManyPublishers(t *testing.T) {
	var f Feed[int]
	s := f.Subscribe(100)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { f.Publish(i) })
	}
	wg.Wait()
	sum := 0
	for range 100 {
		sum += <-s.C()
	}
	if sum != 4950 {
		t.Errorf("sum of what arrived is %d, want 4950", sum)
	}
}
