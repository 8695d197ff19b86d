package series

import "math"

// A chunk is a run of points of one series, stored as one row: a head that answers for
// the whole, and a body with the points. Both are sealed under the key of the thing.
//
// Body: version, number of points, instants, kinds, and a column for each kind there is.
// Instants: unit in µs, first, and the distances from it in that unit as integers.
// Kinds: the one kind, or mixed and runs of kind and count.
const (
	bodyVersion = 1
	mixed       = 0xff
)

// appendBody writes the points of c, of which there is at least one and which keep the
// bounds of a chunk.
func (s *scratch) appendBody(dst []byte, c *span) []byte {
	dst = appendUint(append(dst, bodyVersion), uint64(c.len()))
	dst = s.appendTimes(dst, c.at)
	if c.kind == nil {
		dst = append(dst, byte(c.one))
		return s.appendColumn(dst, c.one, c, c.bits, c.text)
	}
	dst = append(dst, mixed)
	for i, from := 1, 0; i <= c.len(); i++ {
		if i == c.len() || c.kind[i] != c.kind[from] {
			dst = appendUint(append(dst, byte(c.kind[from])), uint64(i-from))
			from = i
		}
	}
	for k := range kinds {
		var bits []uint64
		var text []string
		for i := range c.at {
			if c.kind[i] != k {
				continue
			}
			if k.numeric() {
				bits = append(bits, c.bits[i])
			} else {
				text = append(text, c.text[i])
			}
		}
		dst = s.appendColumn(dst, k, c, bits, text)
	}
	return dst
}

func (s *scratch) appendColumn(dst []byte, k Kind, c *span, bits []uint64, text []string) []byte {
	switch k {
	case Float:
		return s.appendFloats(dst, bits)
	case Int, Bool:
		xs := s.cols[2][:0]
		for _, b := range bits {
			xs = append(xs, int64(b))
		}
		s.cols[2] = xs
		return s.appendInts(dst, xs, false, k == Int)
	}
	return s.appendTexts(dst, text)
}

func (s *scratch) appendTimes(dst []byte, at []int64) []byte {
	unit := int64(0)
	for _, t := range at[1:] {
		if unit = gcd(t-at[0], unit); unit == 1 {
			break
		}
	}
	unit = max(unit, 1)
	xs := s.cols[2][:0]
	if unit == 1 {
		for _, t := range at {
			xs = append(xs, t-at[0])
		}
	} else {
		for _, t := range at {
			xs = append(xs, (t-at[0])/unit)
		}
	}
	s.cols[2] = xs
	dst = appendInt(appendUint(dst, uint64(unit)), at[0])
	return s.appendInts(dst, xs, true, false)
}

func gcd(a, b int64) int64 {
	if b != 0 && a%b == 0 {
		return b // nearly always, and half the work
	}
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// readBody reads a body into c, whose memory it uses again. Whatever the bytes, it
// gives errCodec or points that keep the bounds of a chunk and survive appendBody.
func readBody(b []byte, c *span, tmp *[]int64) error {
	r := reader{b: b, tmp: *tmp}
	c.at, c.bits, c.text, c.kind, c.one = c.at[:0], c.bits[:0], nil, nil, Float
	if r.byte() != bodyVersion {
		return errCodec
	}
	n := r.size(MaxChunkPoints)
	if n == 0 {
		return errCodec
	}
	r.times(c, n)
	if k := r.byte(); k != mixed {
		c.one = Kind(k)
		r.column(c, Kind(k), n)
	} else {
		r.mixed(c, n)
	}
	*tmp = r.tmp
	if !r.bad && (len(r.b) != 0 || c.textBytes(0, n) > maxChunkText) {
		r.bad = true
	}
	return r.err()
}

func (r *reader) times(c *span, n int) {
	unit, first := r.distance(), r.int()
	if unit == 0 || first < earliest || first >= latest {
		r.fail()
	}
	c.at = r.ints(c.at, n, false)
	if r.bad {
		return
	}
	last := int64(-1)
	most := (chunkSpan - 1) / unit
	for i, x := range c.at {
		if x <= last || x > most || i == 0 && x != 0 {
			r.fail()
			return
		}
		last = x
		c.at[i] = first + x*unit
	}
	if c.at[n-1] >= latest {
		r.fail()
	}
}

// column reads a column of n points of kind k, behind those that c has already.
func (r *reader) column(c *span, k Kind, n int) {
	switch k {
	case Float:
		c.bits = r.floats(c.bits, n)
	case Int, Bool:
		r.tmp = r.ints(r.tmp[:0], n, k == Int)
		for _, x := range r.tmp {
			if k == Bool && x != 0 && x != 1 {
				r.fail()
				return
			}
			c.bits = append(c.bits, uint64(x))
		}
	case Text, Object:
		c.text = append(c.text, r.texts(n)...)
		for range n {
			c.bits = append(c.bits, 0)
		}
	default:
		r.fail()
	}
}

func (r *reader) mixed(c *span, n int) {
	var counts [kinds]int
	c.kind = make([]Kind, 0, n)
	for len(c.kind) < n && !r.bad {
		k, count := Kind(r.byte()), r.size(n-len(c.kind))
		if k >= kinds || count == 0 {
			r.fail()
			return
		}
		counts[k] += count
		for range count {
			c.kind = append(c.kind, k)
		}
	}
	var parts [kinds]span
	for k := range kinds {
		r.column(&parts[k], k, counts[k])
		if len(parts[k].bits) != counts[k] {
			r.fail()
		}
	}
	if r.bad {
		return
	}
	if counts[Text]+counts[Object] > 0 {
		c.text = make([]string, n)
	}
	var next [kinds]int
	for i, k := range c.kind {
		c.bits = append(c.bits, parts[k].bits[next[k]])
		if !k.numeric() {
			c.text[i] = parts[k].text[next[k]]
		}
		next[k]++
	}
	for k := range kinds {
		if counts[k] == n { // one kind after all
			c.kind, c.one = nil, k
		}
	}
}

// A head answers for a whole chunk.
type head struct {
	n           int   // points
	start, end  int64 // instants of the first and the last
	numbers     int   // points that are numbers: see Value.number
	zeros       int   // of these, how many are 0
	min, max    float64
	sum         float64
	first, last Value
	brief       bool // first and last are there: long texts are left to the body
}

const (
	headVersion = 1
	maxBrief    = 64 // bytes of a text in a head
)

// summary is the head of c.
func summary(c *span) head {
	h := head{n: c.len(), start: c.at[0], end: c.at[c.len()-1]}
	h.first, h.last = c.value(0), c.value(h.n-1)
	h.brief = len(h.first.Text) <= maxBrief && len(h.last.Text) <= maxBrief
	var t tally
	t.addSpan(c)
	h.numbers, h.zeros, h.min, h.max, h.sum = t.n, t.zeros, t.min, t.max, t.sum
	return h
}

func appendHead(dst []byte, h *head) []byte {
	dst = appendUint(append(dst, headVersion), uint64(h.n))
	dst = appendUint(appendInt(dst, h.start), uint64(h.end-h.start))
	dst = appendUint(dst, uint64(h.numbers))
	if h.numbers > 0 {
		dst = appendUint(dst, uint64(h.zeros))
		for _, f := range [...]float64{h.min, h.max, h.sum} {
			dst = appendFixed64(dst, math.Float64bits(f))
		}
	}
	if !h.brief {
		return append(dst, 0)
	}
	return appendValue(appendValue(append(dst, 1), h.first), h.last)
}

func readHead(b []byte) (h head, err error) {
	r := reader{b: b}
	if r.byte() != headVersion {
		return head{}, errCodec
	}
	h.n, h.start = r.size(MaxChunkPoints), r.int()
	if h.n == 0 || h.start < earliest || h.start >= latest {
		return head{}, errCodec
	}
	h.end = h.start + r.distance()
	if h.numbers = r.size(h.n); h.numbers > 0 {
		h.zeros = r.size(h.numbers)
		h.min, h.max, h.sum = math.Float64frombits(r.fixed64()), math.Float64frombits(r.fixed64()), math.Float64frombits(r.fixed64())
	}
	switch r.byte() {
	case 0:
	case 1:
		h.brief = true
		h.first, h.last = r.value(maxBrief), r.value(maxBrief)
	default:
		r.fail()
	}
	if r.bad || len(r.b) != 0 {
		return head{}, errCodec
	}
	return h, nil
}

func appendFixed64(dst []byte, v uint64) []byte {
	return append(dst, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
}

// appendValue writes one value by itself: kind, and what it is.
func appendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case Float:
		return appendFixed64(dst, math.Float64bits(v.Num))
	case Int, Bool:
		return appendInt(dst, v.Int)
	}
	return append(appendUint(dst, uint64(len(v.Text))), v.Text...)
}

func (r *reader) value(maxText int) Value {
	v := Value{Kind: Kind(r.byte())}
	switch v.Kind {
	case Float:
		v.Num = math.Float64frombits(r.fixed64())
	case Int:
		v.Int = r.int()
	case Bool:
		if v.Int = r.int(); v.Int != 0 && v.Int != 1 {
			r.fail()
		}
	case Text, Object:
		v.Text = string(r.bytes(r.size(maxText)))
	default:
		r.fail()
	}
	return v
}

// cut says how many of the first points of c make one chunk.
func (c *span) cut() int {
	n, text := 0, 0
	for n < c.len() && n < MaxChunkPoints && c.at[n]-c.at[0] < chunkSpan {
		if c.text != nil {
			if text += len(c.text[n]); text > maxChunkText {
				break
			}
		}
		n++
	}
	return n
}
