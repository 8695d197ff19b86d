package series

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// body encodes s and reads it back.
func body(t testing.TB, s *span) []byte {
	t.Helper()
	b := new(scratch).appendBody(nil, s)
	var back span
	var tmp []int64
	if err := readBody(b, &back, &tmp); err != nil {
		t.Fatalf("%d points: body of %d bytes: %v", s.len(), len(b), err)
	}
	sameSpan(t, &back, s)
	return b
}

func sameSpan(t testing.TB, got, want *span) {
	t.Helper()
	if got.len() != want.len() {
		t.Fatalf("%d points, want %d", got.len(), want.len())
	}
	for i := range want.at {
		if got.at[i] != want.at[i] || !got.value(i).same(want.value(i)) {
			t.Fatalf("point %d: %d %v, want %d %v", i, got.at[i], got.value(i), want.at[i], want.value(i))
		}
	}
}

const noon = int64(1_893_499_200_000_000) // 2030-01-01 12:00 UTC

// spanOf is n points, a second apart.
func spanOf(n int, value func(i int) Value) *span {
	var s span
	for i := range n {
		s.push(noon+int64(i)*1e6, value(i))
	}
	return &s
}

func float(f float64) Value { return Value{Kind: Float, Num: f} }

func TestChunkIsSmall(t *testing.T) {
	noise := func(i int) float64 { // repeatable, with no pattern that the codec could see
		x := uint64(i)*0x9e3779b97f4a7c15 + 0x1234567
		x ^= x >> 29
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 32
		return float64(x%(1<<40))/(1<<39) - 1
	}
	for name, c := range map[string]struct {
		value func(i int) Value
		most  float64 // bytes per point
	}{
		"constant":    {func(i int) Value { return float(21.5) }, 0.01},
		"counter":     {func(i int) Value { return Value{Kind: Int, Int: int64(i) * 7} }, 0.01},
		"switch":      {func(i int) Value { return Value{Kind: Bool, Int: int64(i / 300 % 2)} }, 0.02},
		"coin":        {func(i int) Value { return Value{Kind: Bool, Int: int64(noise(i)*2+2) & 1} }, 0.16},
		"thermometer": {func(i int) Value { return float(math.Round(200+30*math.Sin(float64(i)/400)+noise(i)/2) / 10) }, 0.25},
		"thermometer, as boards": {func(i int) Value {
			return float(float64(float32(math.Round(200+30*math.Sin(float64(i)/400)+noise(i)/2) / 10)))
		}, 0.25},
		"ten bits, as boards":    {func(i int) Value { return float(float64(float32(math.Round(512+4*noise(i)) * 5 / 1023))) }, 0.6},
		"white noise, as boards": {func(i int) Value { return float(float64(float32(noise(i)))) }, 4},
		"white noise":            {func(i int) Value { return float(noise(i)) }, 7},
		"sine":                   {func(i int) Value { return float(math.Sin(float64(i) / 1000)) }, 6.7},
		"broken thermometer":     {func(i int) Value { return float([]float64{21.5, math.NaN()}[min(1, i%100/99)]) }, 0.3},
		"status text":            {func(i int) Value { return Value{Kind: Text, Text: []string{"idle", "busy", "failed"}[i/60%3]} }, 0.1},
		"log text": {func(i int) Value {
			return Value{Kind: Text, Text: fmt.Sprintf("pump %d started by rule %d", i*7%13, i*i%1000)}
		}, 1.6},
		"location": {func(i int) Value {
			return Value{Kind: Object, Text: fmt.Sprintf(`{"lat":%.6f,"lon":%.6f}`, 45.07+noise(i)/1e4, 7.68+noise(i+1)/1e4)}
		}, 2.3},
		"colour": {func(i int) Value {
			return Value{Kind: Object, Text: fmt.Sprintf(`{"bri":%d,"hue":%d,"sat":100}`, 50+int(10*noise(i)), i%360)}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := body(t, spanOf(MaxChunkPoints, c.value))
			got := float64(len(b)) / MaxChunkPoints
			t.Logf("%.3f bytes per point", got)
			if got > c.most {
				t.Errorf("%.3f bytes per point, want at most %.2f", got, c.most)
			}
		})
	}
}

// anyValue draws values of all kinds, with a liking for those that break codecs.
func anyValue(k Kind) *rapid.Generator[Value] {
	switch k {
	case Float:
		return rapid.Custom(func(t *rapid.T) Value {
			return float(rapid.OneOf(
				rapid.Float64(),
				rapid.Map(rapid.Float32(), func(f float32) float64 { return float64(f) }),
				rapid.Map(rapid.IntRange(-5000, 5000), func(i int) float64 { return float64(i) / 100 }),
				rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(),
					math.MaxFloat64, math.SmallestNonzeroFloat64, math.Float64frombits(0x7ff0000000000001), 1 << 53, 1<<53 + 2}),
			).Draw(t, "float"))
		})
	case Int:
		return rapid.Map(rapid.OneOf(rapid.Int64(), rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})),
			func(i int64) Value { return Value{Kind: Int, Int: i} })
	case Bool:
		return rapid.Map(rapid.Int64Range(0, 1), func(i int64) Value { return Value{Kind: Bool, Int: i} })
	}
	return rapid.Map(rapid.OneOf(
		rapid.StringN(0, 20, 80),
		rapid.StringMatching(`[-.0-9]{0,20}`),
		rapid.StringMatching(`\{"lat":-?[0-9]{1,3}\.[0-9]{1,10},"lon":-?[0-9]{1,3}(\.[0-9]{0,3})?\}`),
		rapid.SampledFrom([]string{"", "\x00", "idle", "busy", "-0", "-0.0", "007", "1.50", "999999999999999999999"}),
	), func(s string) Value { return Value{Kind: k, Text: s} })
}

// anySpan draws up to n points that keep the bounds of a chunk.
func anySpan(n int) *rapid.Generator[*span] {
	return rapid.Custom(func(t *rapid.T) *span {
		var s span
		at := rapid.Int64Range(earliest, latest-chunkSpan).Draw(t, "start")
		step := rapid.SampledFrom([]int64{1, 1000, 1e6, 60e6}).Draw(t, "unit")
		count := rapid.IntRange(1, n).Draw(t, "n")
		one := rapid.SampledFrom([]Kind{Float, Int, Bool, Text, Object, kinds}).Draw(t, "kind") // kinds is all
		for range count {
			k := one
			if one == kinds {
				k = Kind(rapid.IntRange(0, int(kinds)-1).Draw(t, "kind of one"))
			}
			s.push(at, anyValue(k).Draw(t, "value"))
			at += step * rapid.SampledFrom([]int64{1, 1, 1, 2, 7, 1000}).Draw(t, "step")
		}
		return &s
	})
}

// The reference is the span itself: what is read must be what was written, bit by bit.
func TestChunkGivesBackWhatItGot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySpan(300).Draw(t, "span")
		s = new(span).addAll(s, s.cut())
		b := new(scratch).appendBody(nil, s)
		var back span
		var tmp []int64
		if err := readBody(b, &back, &tmp); err != nil {
			t.Fatalf("%d bytes: %v", len(b), err)
		}
		for i := range s.at {
			if back.at[i] != s.at[i] || !back.value(i).same(s.value(i)) {
				t.Fatalf("point %d: %d %v, want %d %v", i, back.at[i], back.value(i), s.at[i], s.value(i))
			}
		}
		h := summary(s)
		again, err := readHead(appendHead(nil, &h))
		if err != nil || !sameHead(&again, &h) {
			t.Fatalf("head %+v, want %+v (%v)", again, h, err)
		}
	})
}

func (s *span) addAll(o *span, n int) *span {
	s.add(o, 0, n)
	return s
}

func sameHead(a, b *head) bool {
	if a.brief != b.brief || a.brief && (!a.first.same(b.first) || !a.last.same(b.last)) {
		return false
	}
	return a.n == b.n && a.start == b.start && a.end == b.end && a.numbers == b.numbers && a.zeros == b.zeros &&
		math.Float64bits(a.min) == math.Float64bits(b.min) && math.Float64bits(a.max) == math.Float64bits(b.max) &&
		math.Float64bits(a.sum) == math.Float64bits(b.sum)
}

// Each integer layout is reached by the column that it is for.
func TestIntegerLayouts(t *testing.T) {
	for name, c := range map[string]struct {
		x    func(i int) int64
		want int
	}{
		"constant": {func(i int) int64 { return -3 }, constLayout},
		"line":     {func(i int) int64 { return int64(i)*9 - 70 }, constLayout},
		"runs":     {func(i int) int64 { return int64(i / 100 % 2 * 1e9) }, runsLayout},
		"wide":     {func(i int) int64 { return int64(uint64(i) * 0x9e3779b97f4a7c15) }, constLayout},
		"mixed up": {func(i int) int64 { return int64(uint64(i*i) * 0x9e3779b97f4a7c15 >> 20) }, packedLayout},
		"words":    {func(i int) int64 { return []int64{5e15, -8e16, 77, 3e9}[(i*i/7+i)%4] }, setLayout},
		"pattern":  {func(i int) int64 { return []int64{3, 1, 4, 1, 5, 9, 2, 6}[i%8] }, zstdLayout},
	} {
		t.Run(name, func(t *testing.T) {
			xs := make([]int64, 1000)
			for i := range xs {
				xs[i] = c.x(i)
			}
			b := new(scratch).appendInts(nil, xs, false, true)
			r := reader{b: b}
			back := r.ints(nil, len(xs), true)
			if r.bad || len(r.b) != 0 {
				t.Fatalf("%d bytes are not read back", len(b))
			}
			for i := range xs {
				if back[i] != xs[i] {
					t.Fatalf("number %d: %d, want %d", i, back[i], xs[i])
				}
			}
			if got := int(b[0] >> 2); got != c.want {
				t.Errorf("layout %d, want %d (%d bytes)", got, c.want, len(b))
			}
		})
	}
}

// Whatever the bytes, readBody refuses them or gives points that keep the bounds of a
// chunk and survive a round trip; it never panics and never takes memory without bound.
func FuzzBody(f *testing.F) {
	for _, s := range seeds() {
		f.Add(new(scratch).appendBody(nil, s))
	}
	f.Add([]byte{bodyVersion, 0x90, 0x1c, 1, 0, plainOrder | constLayout<<2, 0}) // 3,600 points at one instant
	f.Fuzz(func(t *testing.T, b []byte) {
		var s span
		var tmp []int64
		if err := readBody(b, &s, &tmp); err != nil {
			return
		}
		if n := s.cut(); n != s.len() {
			t.Fatalf("%d points, of which %d make a chunk", s.len(), n)
		}
		body(t, &s)
	})
}

// The same for heads.
func FuzzHead(f *testing.F) {
	for _, s := range seeds() {
		h := summary(s)
		f.Add(appendHead(nil, &h))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHead(b)
		if err != nil {
			return
		}
		again, err := readHead(appendHead(nil, &h))
		if err != nil || !sameHead(&again, &h) {
			t.Fatalf("%+v becomes %+v (%v)", h, again, err)
		}
	})
}

// seeds has a small span for every form that there is.
func seeds() map[string]*span {
	texts := func(k Kind, format string) func(int) Value {
		return func(i int) Value { return Value{Kind: k, Text: fmt.Sprintf(format, i*i%97)} }
	}
	mixture := spanOf(40, func(i int) Value {
		switch i / 3 % 5 {
		case 0:
			return float(float64(i) / 4)
		case 1:
			return Value{Kind: Int, Int: int64(i * i)}
		case 2:
			return Value{Kind: Bool, Int: int64(i & 1)}
		case 3:
			return Value{Kind: Text, Text: strings.Repeat("x", i)}
		}
		return Value{Kind: Object, Text: fmt.Sprintf(`{"swi":%t}`, i&1 == 0)}
	})
	jitter := &span{}
	for i := range 60 {
		jitter.push(noon+int64(i)*1e6+int64(i*i*7919%40_000), Value{Kind: Int, Int: int64(i)})
	}
	return map[string]*span{
		"one":        spanOf(1, func(int) Value { return float(math.Pi) }),
		"decimal":    spanOf(60, func(i int) Value { return float(float64(i*i%83) / 10) }),
		"decimal32":  spanOf(60, func(i int) Value { return float(float64(float32(i*i%83) / 10)) }),
		"odd":        spanOf(60, func(i int) Value { return float([]float64{float64(i) / 2, math.NaN()}[i/59]) }),
		"floats":     spanOf(60, func(i int) Value { return float(math.Sqrt(float64(i))) }),
		"floats32":   spanOf(60, func(i int) Value { return float(float64(float32(math.Sqrt(float64(i))))) }),
		"sparse":     spanOf(60, func(i int) Value { return float(math.Sqrt(float64(i / 20))) }),
		"ints":       spanOf(300, func(i int) Value { return Value{Kind: Int, Int: int64(i * i * i % 1009)} }),
		"set":        spanOf(300, func(i int) Value { return Value{Kind: Int, Int: []int64{5e15, -8e16, 77, 3e9}[(i*i/7+i)%4]} }),
		"bools":      spanOf(60, func(i int) Value { return Value{Kind: Bool, Int: int64(i / 7 & 1)} }),
		"status":     spanOf(60, func(i int) Value { return Value{Kind: Text, Text: []string{"on", "off"}[i/9&1]} }),
		"texts":      spanOf(30, texts(Text, "\x00 %d")),
		"pattern":    spanOf(30, texts(Object, `{"bri":%d,"hue":1.5}`)),
		"mixed":      mixture,
		"jitter":     jitter,
		"long texts": spanOf(2, func(i int) Value { return Value{Kind: Text, Text: strings.Repeat("ab", 500+i)} }),
	}
}

// A body that was cut short, or has more behind it, is refused.
func TestBodyIsWhole(t *testing.T) {
	for name, s := range seeds() {
		t.Run(name, func(t *testing.T) {
			b := body(t, s)
			var back span
			var tmp []int64
			for n := range b {
				if err := readBody(b[:n], &back, &tmp); err == nil {
					t.Errorf("the first %d of %d bytes are accepted", n, len(b))
				}
			}
			if err := readBody(append(bytes.Clone(b), 0), &back, &tmp); err == nil {
				t.Error("a byte too many is accepted")
			}
		})
	}
}
