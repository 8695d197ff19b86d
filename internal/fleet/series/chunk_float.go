package series

import (
	"math"
	"slices"
)

// A column of floats is written as one form byte and what it says. "Short" is a
// float32 made wider, which is what boards send. What Facebook's Gorilla does, the exclusive or of each number
// with the one before, was measured and is not here: docs/adr/0003.
const (
	decimalForm      = iota // k / 10^d
	shortDecimalForm        // the same, rounded to a float32
	bitsForm                // the bits, put in the order of the numbers, as integers
	shortBitsForm           // the same for the bits of the float32
)

const (
	maxDigits = 9       // after the point, in a decimal form
	maxWhole  = 1 << 53 // of k
	maxOdd    = 32      // numbers in a decimal form that are none, in parts of the column: one in maxOdd
)

var pow10 = [maxDigits + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// fromDecimal is the float that k / 10^d stands for.
func fromDecimal(k int64, d int, short bool) uint64 {
	f := float64(k) / pow10[d]
	if short {
		f = float64(float32(f))
	}
	return math.Float64bits(f)
}

// toDecimal finds k with fewest digits, at least d, so that fromDecimal gives b back.
func toDecimal(b uint64, d int, short bool) (int64, int, bool) {
	f := math.Float64frombits(b)
	for ; d <= maxDigits; d++ {
		g := math.RoundToEven(f * pow10[d])
		if !(math.Abs(g) < maxWhole) {
			return 0, 0, false
		}
		if k := int64(g); fromDecimal(k, d, short) == b {
			return k, d, true
		}
	}
	return 0, 0, false
}

// An odd is a number in a decimal column that is not decimal.
type odd struct {
	i int
	b uint64
}

// decimals turns a column into ks with d digits. What is no decimal, up to a few
// numbers, goes to odds and repeats its neighbour in the column.
func decimals(dst []int64, xs []uint64, short bool) (ks []int64, d int, odds []odd, ok bool) {
	limit := 1 + len(xs)/maxOdd
	// The first pass finds the digits, because a number with fewer fits in more.
	for i, b := range xs {
		_, digits, ok := toDecimal(b, d, short)
		if ok {
			d = digits
			continue
		}
		if odds = append(odds, odd{i, b}); len(odds) > limit {
			return nil, 0, nil, false
		}
	}
	odds, ks = odds[:0], dst[:0]
	for i, b := range xs {
		f := math.Float64frombits(b)
		g := math.RoundToEven(f * pow10[d])
		if math.Abs(g) < maxWhole && fromDecimal(int64(g), d, short) == b {
			ks = append(ks, int64(g))
			continue
		}
		if odds = append(odds, odd{i, b}); len(odds) > limit {
			return nil, 0, nil, false
		}
		if i == 0 {
			ks = append(ks, 0)
		} else {
			ks = append(ks, ks[i-1])
		}
	}
	return ks, d, odds, true
}

func isShort(b uint64) bool {
	f := math.Float64frombits(b)
	return math.Float64bits(float64(float32(f))) == b
}

// ordered maps the bits of a float to an integer that rises with the number, so that
// near numbers are near integers. unordered is its inverse.
func ordered(b uint64) int64   { v := int64(b); return v ^ int64(uint64(v>>63)>>1) }
func unordered(v int64) uint64 { return uint64(v ^ int64(uint64(v>>63)>>1)) }

func ordered32(f float32) int64 {
	v := int32(math.Float32bits(f))
	return int64(v ^ int32(uint32(v>>31)>>1))
}

func unordered32(v int64) (uint64, bool) {
	w := int32(v)
	f := math.Float32frombits(uint32(w ^ int32(uint32(w>>31)>>1)))
	b := math.Float64bits(float64(f))
	return b, int64(w) == v
}

// appendFloats writes a column in the smallest form that it finds.
func (s *scratch) appendFloats(dst []byte, xs []uint64) []byte {
	if len(xs) == 0 {
		return dst
	}
	short := !slices.ContainsFunc(xs, func(b uint64) bool { return !isShort(b) })
	// Halves and whole numbers are decimals as they are: no rounding to undo.
	form := byte(decimalForm)
	ks, d, odds, ok := decimals(s.cols[0], xs, false)
	if !ok && short {
		form = shortDecimalForm
		ks, d, odds, ok = decimals(s.cols[0], xs, true)
	}
	var best []byte
	if ok {
		s.cols[0] = ks
		out := appendOdds(append(dst, form, byte(d)), odds)
		out = s.appendInts(out, ks, false, true)
		if len(out)-len(dst) <= len(xs) {
			return out // nothing else comes under a byte per number where this does not
		}
		best = out[len(dst):]
	}
	integers := byte(bitsForm)
	if short {
		integers = shortBitsForm
	}
	s.cols[1] = s.cols[1][:0]
	for _, b := range xs {
		if short {
			s.cols[1] = append(s.cols[1], ordered32(float32(math.Float64frombits(b))))
		} else {
			s.cols[1] = append(s.cols[1], ordered(b))
		}
	}
	s.form = s.appendInts(append(s.form[:0], integers), s.cols[1], false, true)
	if best == nil || len(s.form) < len(best) {
		best = s.form
	}
	return append(dst, best...)
}

func appendOdds(dst []byte, odds []odd) []byte {
	dst = appendUint(dst, uint64(len(odds)))
	last := 0
	for _, o := range odds {
		dst = appendUint(dst, uint64(o.i-last))
		last = o.i
		for b, n := o.b, 0; n < 8; b, n = b>>8, n+1 {
			dst = append(dst, byte(b))
		}
	}
	return dst
}

// floats reads a column of n numbers into dst, which it returns grown by them.
func (r *reader) floats(dst []uint64, n int) []uint64 {
	if n == 0 {
		return dst
	}
	start := len(dst)
	switch form := r.byte(); form {
	case decimalForm, shortDecimalForm:
		dst = r.decimals(dst, n, form == shortDecimalForm)
	case bitsForm:
		r.tmp = r.ints(r.tmp[:0], n, true)
		for _, v := range r.tmp {
			dst = append(dst, unordered(v))
		}
	case shortBitsForm:
		r.tmp = r.ints(r.tmp[:0], n, true)
		for _, v := range r.tmp {
			b, ok := unordered32(v)
			if !ok {
				r.fail()
				break
			}
			dst = append(dst, b)
		}
	default:
		r.fail()
	}
	if r.bad {
		return dst[:start]
	}
	return dst
}

func (r *reader) decimals(dst []uint64, n int, short bool) []uint64 {
	d := int(r.byte())
	if d > maxDigits {
		r.fail()
	}
	count := r.size(n)
	odds := reader{b: r.b, bad: r.bad}
	for range count {
		r.uint()
		r.bytes(8)
	}
	start := len(dst)
	r.tmp = r.ints(r.tmp[:0], n, true)
	ks := r.tmp
	if r.bad {
		return dst
	}
	if scale := pow10[d]; short {
		for _, k := range ks {
			dst = append(dst, math.Float64bits(float64(float32(float64(k)/scale))))
		}
	} else {
		for _, k := range ks {
			dst = append(dst, math.Float64bits(float64(k)/scale))
		}
	}
	i := uint64(start)
	for range count {
		if i += odds.uint(); i >= uint64(len(dst)) {
			r.fail()
			return dst
		}
		dst[i] = odds.fixed64()
	}
	return dst
}
