package series

import "math"

// A tally is what is known of the numbers of a bin or a chunk. Its zero value is that
// of none.
type tally struct {
	n, zeros int
	min, max float64 // of none if n is 0
	sum      float64
}

func (t *tally) add(f float64) {
	if t.n == 0 {
		t.min, t.max = f, f
	} else {
		if f < t.min {
			t.min = f
		}
		if f > t.max {
			t.max = f
		}
	}
	if f == 0 {
		t.zeros++
	}
	t.n++
	t.sum += f
}

// addSpan adds all numbers of s.
func (t *tally) addSpan(s *span) {
	switch {
	case s.kind == nil && s.one == Float:
		for _, b := range s.bits {
			if f := math.Float64frombits(b); f-f == 0 {
				t.add(f)
			}
		}
	case s.kind == nil && s.one.numeric():
		for _, b := range s.bits {
			t.add(float64(int64(b)))
		}
	default:
		for i := range s.at {
			if f, ok := s.number(i); ok {
				t.add(f)
			}
		}
	}
}

// numbers appends all numbers of s.
func (s *span) numbers(dst []float64) []float64 {
	for i := range s.at {
		if f, ok := s.number(i); ok {
			dst = append(dst, f)
		}
	}
	return dst
}

func (t *tally) addHead(h *head) {
	if h.numbers == 0 {
		return
	}
	if t.n == 0 {
		t.min, t.max = h.min, h.max
	} else {
		t.min, t.max = min(t.min, h.min), max(t.max, h.max)
	}
	t.n += h.numbers
	t.zeros += h.zeros
	t.sum += h.sum
}

// number is the value of point i as aggregations see it.
func (s *span) number(i int) (float64, bool) {
	switch s.kindAt(i) {
	case Float:
		f := math.Float64frombits(s.bits[i])
		return f, f-f == 0 // neither infinite nor NaN
	case Int, Bool:
		return float64(int64(s.bits[i])), true
	}
	return 0, false
}
