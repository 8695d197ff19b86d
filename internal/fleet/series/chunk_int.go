package series

import (
	"math/bits"
	"slices"
)

// A column of integers is written as one form byte, order | layout<<2, and what these
// two say. All arithmetic is modulo 2^64, so that every column survives.
//
// The order says what is stored: the numbers, their differences, the differences of
// these, or how far each is from the straight line between the first and the last.
const (
	plainOrder  = iota
	deltaOrder  // the first number stands before the layout
	delta2Order // the first two numbers stand before the layout
	lineOrder   // the first number and the rise over the whole column stand before the layout

	orders
)

// The layout says how.
const (
	constLayout  = iota // all the same: one number
	packedLayout        // blocks of up to 128: lowest number, width, bits
	runsLayout          // pairs of number and count
	bytesLayout         // a varint each
	zstdLayout          // the same, compressed
	setLayout           // the different numbers, rising, and the index of each point's
)

const (
	packBlock = 128
	maxSet    = 1024 // different numbers in a setLayout: a ten-bit converter
)

// scratch is memory that encoding needs again and again. It is not for use by two
// goroutines at once.
type scratch struct {
	ints  [orders][]int64
	tries [2][]byte
	set   map[int64]int64
	vals  []int64
	index []int64
	inner *scratch // of the parts of a set
	cols  [3][]int64
	form  []byte
	bytes []byte
}

// residuals gives what order stores of xs, without what stands before the layout.
func residuals(dst []int64, xs []int64, order int) []int64 {
	dst = dst[:0]
	switch order {
	case plainOrder:
		return xs
	case deltaOrder:
		for i := 1; i < len(xs); i++ {
			dst = append(dst, xs[i]-xs[i-1])
		}
	case delta2Order:
		for i := 2; i < len(xs); i++ {
			dst = append(dst, xs[i]-2*xs[i-1]+xs[i-2])
		}
	case lineOrder:
		rise, n := xs[len(xs)-1]-xs[0], int64(len(xs)-1)
		for i := int64(1); i <= n; i++ {
			dst = append(dst, xs[i]-xs[0]-i*rise/n)
		}
	}
	return dst
}

// packedSize is about the size of a packedLayout of xs.
func packedSize(xs []int64) (size int, same bool) {
	same = true
	for i := 0; i < len(xs); i += packBlock {
		b := xs[i:min(i+packBlock, len(xs))]
		lo, hi := b[0], b[0]
		for _, x := range b[1:] {
			lo, hi = min(lo, x), max(hi, x)
		}
		if lo != hi || lo != xs[0] {
			same = false
		}
		w := bits.Len64(uint64(hi) - uint64(lo))
		size += 1 + uintSize(zigzag(lo)) + (len(b)*w+7)/8
	}
	return size, same
}

// runsSize is the size of a runsLayout of xs.
func runsSize(xs []int64) int {
	size, from := 0, 0
	for i := 1; i <= len(xs); i++ {
		if i == len(xs) || xs[i] != xs[from] {
			size += uintSize(zigzag(xs[from])) + uintSize(uint64(i-from))
			from = i
		}
	}
	return size
}

// appendInts writes a column in the smallest form that it finds. line allows
// lineOrder, which is worth its time for instants only; set allows setLayout.
func (s *scratch) appendInts(dst []byte, xs []int64, line, set bool) []byte {
	if len(xs) == 0 {
		return dst
	}
	last := delta2Order
	if line {
		last = lineOrder
	}
	order, best := plainOrder, -1
	for o := plainOrder; o <= last && o < len(xs); o++ {
		s.ints[o] = residuals(s.ints[o], xs, o)
		size, same := packedSize(s.ints[o])
		if same {
			dst = append(dst, byte(o|constLayout<<2))
			dst = appendFirst(dst, xs, o)
			return appendInt(dst, s.ints[o][0])
		}
		if best < 0 || size < best {
			order, best = o, size
		}
	}
	rs := s.ints[order]
	layout := packedLayout
	// Runs are looked for in the numbers themselves, where a switch has them.
	if size := runsSize(xs); size < best {
		order, rs, layout, best = plainOrder, xs, runsLayout, size
	}
	var squeezed []byte
	if layout == packedLayout && best > 24 { // what is smaller does not pay for a frame
		plain := s.tries[0][:0]
		for _, r := range rs {
			plain = appendInt(plain, r)
		}
		s.tries[0] = plain
		s.tries[1] = squeeze(s.tries[1][:0], plain)
		// Packed is faster to read: a few bytes are not worth leaving it.
		if squeezed = s.tries[1]; len(squeezed) < best-best/16 {
			layout, best = zstdLayout, len(squeezed)
		}
		if len(plain) < best {
			layout, best = bytesLayout, len(plain)
		}
	}
	// Finding the different numbers takes longer than all else here: only where it can help.
	if set && best > 64 && best > len(xs)/2 {
		start := len(dst)
		if out := s.appendSet(dst, xs, best); out != nil {
			if len(out)-start < best {
				return out
			}
			dst = out[:start]
		}
	}
	dst = append(dst, byte(order|layout<<2))
	dst = appendFirst(dst, xs, order)
	switch layout {
	case packedLayout:
		return appendPacked(dst, rs)
	case runsLayout:
		return appendRuns(dst, rs)
	case zstdLayout:
		return append(dst, squeezed...)
	}
	for _, r := range rs {
		dst = appendInt(dst, r)
	}
	return dst
}

func appendFirst(dst []byte, xs []int64, order int) []byte {
	switch order {
	case deltaOrder:
		dst = appendInt(dst, xs[0])
	case delta2Order:
		dst = appendInt(appendInt(dst, xs[0]), xs[1]-xs[0])
	case lineOrder:
		dst = appendInt(appendInt(dst, xs[0]), xs[len(xs)-1]-xs[0])
	}
	return dst
}

func appendPacked(dst []byte, xs []int64) []byte {
	for len(xs) > 0 {
		b := xs[:min(packBlock, len(xs))]
		xs = xs[len(b):]
		lo, hi := b[0], b[0]
		for _, x := range b[1:] {
			lo, hi = min(lo, x), max(hi, x)
		}
		width := uint(bits.Len64(uint64(hi) - uint64(lo)))
		dst = appendInt(append(dst, byte(width)), lo)
		w := bitWriter{b: dst}
		for _, x := range b {
			w.write(uint64(x)-uint64(lo), width)
		}
		dst = w.close()
	}
	return dst
}

func appendRuns(dst []byte, xs []int64) []byte {
	from := 0
	for i := 1; i <= len(xs); i++ {
		if i == len(xs) || xs[i] != xs[from] {
			dst = appendUint(appendInt(dst, xs[from]), uint64(i-from))
			from = i
		}
	}
	return dst
}

// appendSet writes a setLayout, or returns nil if xs has too many different numbers
// for it to become smaller than best.
func (s *scratch) appendSet(dst []byte, xs []int64, best int) []byte {
	if s.set == nil {
		s.set, s.inner = make(map[int64]int64), new(scratch)
	}
	clear(s.set)
	limit := min(maxSet, best/2)
	for _, x := range xs {
		if _, known := s.set[x]; !known {
			if len(s.set) == limit {
				return nil
			}
			s.set[x] = 0
		}
	}
	s.vals = s.vals[:0]
	for x := range s.set {
		s.vals = append(s.vals, x)
	}
	slices.Sort(s.vals)
	for i, x := range s.vals {
		s.set[x] = int64(i)
	}
	s.index = s.index[:0]
	for _, x := range xs {
		s.index = append(s.index, s.set[x])
	}
	dst = append(dst, byte(plainOrder|setLayout<<2))
	dst = appendUint(dst, uint64(len(s.vals)))
	dst = s.inner.appendInts(dst, s.vals, false, false)
	return s.inner.appendInts(dst, s.index, false, false)
}

// ints reads a column of n numbers into dst, which it returns grown by them.
// set says whether a setLayout may stand here.
func (r *reader) ints(dst []int64, n int, set bool) []int64 {
	if n == 0 {
		return dst
	}
	form := r.byte()
	order, layout := int(form&3), int(form>>2)
	start := len(dst)
	if r.bad || order >= n || layout == setLayout && (!set || order != plainOrder) {
		r.fail()
		return dst
	}
	// What stands before the layout takes the places of the first numbers.
	var first, second int64
	left := n
	switch order {
	case deltaOrder:
		first = r.int()
		dst, left = append(dst, first), n-1
	case delta2Order:
		first, second = r.int(), r.int()
		dst, left = append(dst, first, first+second), n-2
	case lineOrder:
		first, second = r.int(), r.int()
		dst, left = append(dst, first), n-1
	}
	switch layout {
	case constLayout:
		x := r.int()
		for range left {
			dst = append(dst, x)
		}
	case packedLayout:
		dst = r.packed(dst, left)
	case runsLayout:
		for left > 0 && !r.bad {
			x, count := r.int(), r.size(left)
			if count == 0 {
				r.fail()
			}
			left -= count
			for range count {
				dst = append(dst, x)
			}
		}
	case bytesLayout:
		for ; left > 0; left-- {
			dst = append(dst, r.int())
		}
	case zstdLayout:
		in := reader{b: r.unsqueeze(), bad: r.bad}
		for ; left > 0; left-- {
			dst = append(dst, in.int())
		}
		if in.bad || len(in.b) != 0 {
			r.fail()
		}
	case setLayout:
		dst = r.set(dst, left)
	default:
		r.fail()
	}
	if r.bad {
		return dst[:start]
	}
	restore(dst[start:], order, second)
	return dst
}

// restore turns residuals, with what stood before them in place, into numbers.
func restore(xs []int64, order int, second int64) {
	switch order {
	case deltaOrder:
		sum := xs[0]
		for i := 1; i < len(xs); i++ {
			sum += xs[i]
			xs[i] = sum
		}
	case delta2Order:
		step, sum := second, xs[1]
		for i := 2; i < len(xs); i++ {
			step += xs[i]
			sum += step
			xs[i] = sum
		}
	case lineOrder:
		n := int64(len(xs) - 1)
		for i := int64(1); i <= n; i++ {
			xs[i] += xs[0] + i*second/n
		}
	}
}

func (r *reader) packed(dst []int64, n int) []int64 {
	for n > 0 {
		count := min(packBlock, n)
		n -= count
		width, lo := uint(r.byte()), r.int()
		if width > 64 {
			r.fail()
		}
		b := r.bytes((count*int(width) + 7) / 8)
		if r.bad {
			return dst
		}
		if width == 0 {
			for range count {
				dst = append(dst, lo)
			}
			continue
		}
		pos := uint(0)
		for range count {
			dst = append(dst, int64(load(b, pos, width)+uint64(lo)))
			pos += width
		}
	}
	return dst
}

func (r *reader) set(dst []int64, n int) []int64 {
	count := r.size(min(maxSet, n))
	if count == 0 {
		r.fail()
		return dst
	}
	vals := r.ints(nil, count, false)
	start := len(dst)
	dst = r.ints(dst, n, false)
	if r.bad {
		return dst
	}
	for i, x := range dst[start:] {
		if uint64(x) >= uint64(count) {
			r.fail()
			return dst
		}
		dst[start+i] = vals[x]
	}
	return dst
}
