package series

import (
	"math"
	"slices"
	"sort"
)

// A span is points of one series as columns, in order of time, no two at one instant.
// All columns that are not nil have the same length.
type span struct {
	at   []int64  // µs since 1970, strictly rising
	bits []uint64 // Float: IEEE 754; Int, Bool: two's complement; else 0
	text []string // nil while no point is Text or Object
	kind []Kind   // nil while all points are of kind one
	one  Kind
}

func (s *span) len() int { return len(s.at) }

func (s *span) kindAt(i int) Kind {
	if s.kind == nil {
		return s.one
	}
	return s.kind[i]
}

func (s *span) value(i int) Value {
	v := Value{Kind: s.kindAt(i)}
	switch v.Kind {
	case Float:
		v.Num = math.Float64frombits(s.bits[i])
	case Int, Bool:
		v.Int = int64(s.bits[i])
	default:
		v.Text = s.text[i]
	}
	return v
}

// textBytes is the number of bytes of text in the points from i to before j.
func (s *span) textBytes(i, j int) int {
	if s.text == nil {
		return 0
	}
	n := 0
	for _, t := range s.text[i:j] {
		n += len(t)
	}
	return n
}

// push adds a point without looking at its time.
func (s *span) push(at int64, v Value) {
	var bits uint64
	switch v.Kind {
	case Float:
		bits = math.Float64bits(v.Num)
	case Int, Bool:
		bits = uint64(v.Int)
	default:
		if s.text == nil {
			s.text = make([]string, len(s.at), max(cap(s.at), 8))
		}
	}
	s.pushRaw(at, v.Kind, bits, v.Text)
}

// pushRaw is push for a value in its stored form. A point of kind Text or Object
// needs the column text to be there.
func (s *span) pushRaw(at int64, k Kind, bits uint64, text string) {
	if s.at == nil {
		// Most runs get more than a few points; growing from one costs more than it saves.
		s.at, s.bits = make([]int64, 0, 8), make([]uint64, 0, 8)
	}
	switch {
	case len(s.at) == 0:
		s.one, s.kind = k, nil
	case s.kind == nil && k != s.one:
		s.kind = make([]Kind, len(s.at), cap(s.at))
		for i := range s.kind {
			s.kind[i] = s.one
		}
	}
	if s.kind != nil {
		s.kind = append(s.kind, k)
	}
	s.at = append(s.at, at)
	s.bits = append(s.bits, bits)
	if s.text != nil {
		if k.numeric() {
			text = ""
		}
		s.text = append(s.text, text)
	}
}

// add copies the points i to before j of o to the end of s.
func (s *span) add(o *span, i, j int) {
	if o.kind == nil && o.text == nil && s.kind == nil && s.text == nil && (len(s.at) == 0 || s.one == o.one) {
		s.one = o.one
		s.at = append(s.at, o.at[i:j]...)
		s.bits = append(s.bits, o.bits[i:j]...)
		return
	}
	for ; i < j; i++ {
		s.push(o.at[i], o.value(i))
	}
}

// slice is the points i to before j, on the same memory.
func (s *span) slice(i, j int) span {
	c := span{at: s.at[i:j:j], bits: s.bits[i:j:j], one: s.one}
	if s.text != nil {
		c.text = s.text[i:j:j]
	}
	if s.kind != nil {
		c.kind = s.kind[i:j:j]
	}
	return c
}

// find is the index of the first point at or after t.
func (s *span) find(t int64) int {
	n := len(s.at)
	if n == 0 || s.at[n-1] < t {
		return n
	}
	i, _ := slices.BinarySearch(s.at, t)
	return i
}

// between is the points from t to before u, on the same memory.
func (s *span) between(t, u int64) span {
	i := s.find(t)
	return s.slice(i, max(i, s.find(u)))
}

// merge makes one span of two. Where both have a point at one instant that of b counts.
func merge(a, b *span) span {
	if a.len() == 0 {
		return *b
	}
	if b.len() == 0 {
		return *a
	}
	n := a.len() + b.len()
	m := span{at: make([]int64, 0, n), bits: make([]uint64, 0, n)}
	i, j := 0, 0
	for i < a.len() && j < b.len() {
		// Whole stretches are copied at once: late points are few, and near one another.
		if a.at[i] < b.at[j] {
			k := i + sort.Search(a.len()-i, func(x int) bool { return a.at[i+x] >= b.at[j] })
			m.add(a, i, k)
			i = k
			continue
		}
		if a.at[i] == b.at[j] {
			i++
		}
		m.add(b, j, j+1)
		j++
	}
	m.add(a, i, a.len())
	m.add(b, j, b.len())
	return m
}

// sorted makes a span of points that were written in any order; of points at one
// instant the last written counts.
func sorted(raw *span) span {
	order := make([]int, raw.len())
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		switch {
		case raw.at[i] < raw.at[j]:
			return -1
		case raw.at[i] > raw.at[j]:
			return 1
		}
		return 0
	})
	var s span
	for k, i := range order {
		if k+1 < len(order) && raw.at[order[k+1]] == raw.at[i] {
			continue
		}
		s.push(raw.at[i], raw.value(i))
	}
	return s
}
