package series

import (
	"strconv"
	"strings"
	"unsafe"
)

// A patternForm holds texts that are equal but for the numbers in them, which is what
// objects like {"lat":45.07,"lon":7.68} are: the few patterns, the index of each
// point's, and each number of a pattern as a column of integers.
//
// Number of patterns, patterns as a list, indices; for each place of each pattern its
// digits after the point (digits<<1, or digits<<1|1 if zeros at the end were left out)
// and the numbers without point. A place is a zero byte in the pattern.
const (
	maxPatterns = 16
	maxPlaces   = 24 // in one pattern
	place       = 0
	maxFigures  = 15 // of a number, before and after the point together
)

// A slot collects the numbers of one place of one pattern.
type slot struct {
	ks     []int64
	digits []int8
}

type pattern struct {
	index int64
	slots []slot
}

// appendPattern writes texts, or returns nil if they are not so.
func (s *scratch) appendPattern(dst []byte, texts []string) []byte {
	known := make(map[string]*pattern)
	var patterns []string
	var order []*pattern
	index := make([]int64, 0, len(texts))
	var bare []byte
	var ks [maxPlaces]int64
	var digits [maxPlaces]int8
	for _, t := range texts {
		n := 0
		bare = bare[:0]
		for i := 0; i < len(t); {
			c := t[i]
			if c == place {
				return nil
			}
			if c != '-' && (c < '0' || c > '9') {
				bare = append(bare, c)
				i++
				continue
			}
			size, k, d := scanNumber(t[i:])
			if size == 0 {
				bare = append(bare, c)
				i++
				continue
			}
			if n == maxPlaces {
				return nil
			}
			ks[n], digits[n] = k, d
			n++
			bare = append(bare, place)
			i += size
		}
		p := known[string(bare)]
		if p == nil {
			if len(patterns) == maxPatterns {
				return nil
			}
			p = &pattern{index: int64(len(patterns)), slots: make([]slot, n)}
			patterns, order = append(patterns, string(bare)), append(order, p)
			known[string(bare)] = p
		}
		index = append(index, p.index)
		for i := range n {
			p.slots[i].ks = append(p.slots[i].ks, ks[i])
			p.slots[i].digits = append(p.slots[i].digits, digits[i])
		}
	}
	dst = appendUint(dst, uint64(len(patterns)))
	dst = s.appendList(dst, patterns)
	dst = s.appendInts(dst, index, false, false)
	for _, p := range order {
		for _, sl := range p.slots {
			most, short, ok := sl.level()
			if !ok {
				return nil
			}
			dst = appendUint(dst, uint64(most)<<1|uint64(short))
			dst = s.appendInts(dst, sl.ks, false, true)
		}
	}
	return dst
}

// level gives all numbers of a slot the same digits after the point. short is 1 if
// zeros at the end are to be left out when they are written again.
func (s *slot) level() (most int8, short int, ok bool) {
	fixed := true
	for i, d := range s.digits {
		most = max(most, d)
		fixed = fixed && d == s.digits[0]
		if d > 0 && s.ks[i]%10 == 0 {
			short = -1 // "1.50" can only be written with all digits fixed
		}
	}
	if fixed {
		return most, 0, true
	}
	if short < 0 {
		return 0, 0, false
	}
	for i, d := range s.digits {
		for ; d < most; d++ {
			if s.ks[i] > 1e17 || s.ks[i] < -1e17 {
				return 0, 0, false
			}
			s.ks[i] *= 10
		}
	}
	return most, 1, true
}

// scanNumber reads the number at the front of t: its length, its figures and how many
// of these stand after the point. writeNumber gives exactly the same bytes back.
func scanNumber(t string) (size int, k int64, digits int8) {
	i, neg := 0, false
	if t[0] == '-' {
		i, neg = 1, true
	}
	first := i
	for ; i < len(t) && t[i] >= '0' && t[i] <= '9' && i-first < maxFigures; i++ {
		if i == first+1 && t[first] == '0' {
			break // 07 is two numbers
		}
		k = k*10 + int64(t[i]-'0')
	}
	if i == first {
		return 0, 0, 0
	}
	size = i
	if i+1 < len(t) && t[i] == '.' {
		whole, j := k, i+1
		for ; j < len(t) && t[j] >= '0' && t[j] <= '9' && j-i <= maxDigits && j-first <= maxFigures; j++ {
			whole = whole*10 + int64(t[j]-'0')
		}
		if more := j < len(t) && t[j] >= '0' && t[j] <= '9'; j > i+1 && !more {
			size, k, digits = j, whole, int8(j-i-1)
		}
	}
	if neg {
		if k == 0 {
			return 0, 0, 0 // there is no -0 among integers: the sign stays in the pattern
		}
		k = -k
	}
	return size, k, digits
}

func writeNumber(dst []byte, k int64, digits int, short bool) []byte {
	for short && digits > 0 && k%10 == 0 {
		k, digits = k/10, digits-1
	}
	u := uint64(k)
	if k < 0 {
		dst, u = append(dst, '-'), -u
	}
	if digits == 0 {
		return strconv.AppendUint(dst, u, 10)
	}
	scale := uint64(pow10[digits])
	dst = append(strconv.AppendUint(dst, u/scale, 10), '.')
	frac := u % scale
	for scale /= 10; scale > 0; scale /= 10 {
		dst = append(dst, '0'+byte(frac/scale%10))
	}
	return dst
}

// pattern reads a patternForm of n texts.
func (r *reader) pattern(n int) []string {
	count := r.size(min(maxPatterns, n))
	patterns := r.list(count)
	index := r.ints(nil, n, false)
	if r.bad || count == 0 {
		r.fail()
		return nil
	}
	uses := make([]int, count)
	for _, x := range index {
		if uint64(x) >= uint64(count) {
			r.fail()
			return nil
		}
		uses[x]++
	}
	type column struct {
		ks     []int64
		digits int
		short  bool
	}
	columns := make([][]column, count)
	for i, p := range patterns {
		places := strings.Count(p, string(rune(place)))
		if places > maxPlaces {
			r.fail()
		}
		for range places {
			form := r.size(maxDigits<<1 | 1)
			columns[i] = append(columns[i], column{r.ints(nil, uses[i], true), form >> 1, form&1 != 0})
			if r.bad {
				return nil
			}
		}
	}
	var all []byte
	ends := make([]int, 0, n)
	for _, x := range index {
		cols := columns[x]
		for i := 0; i < len(patterns[x]); i++ {
			c := patterns[x][i]
			if c != place {
				all = append(all, c)
				continue
			}
			col := &cols[0]
			cols = cols[1:]
			all = writeNumber(all, col.ks[0], col.digits, col.short)
			col.ks = col.ks[1:]
		}
		if ends = append(ends, len(all)); len(all) > maxChunkText {
			r.fail()
			return nil
		}
	}
	text := unsafe.String(unsafe.SliceData(all), len(all)) // all is never written again
	out := make([]string, n)
	for i, from := 0, 0; i < n; i++ {
		out[i], from = text[from:ends[i]], ends[i]
		if len(out[i]) > MaxText {
			r.fail()
			return nil
		}
	}
	return out
}
