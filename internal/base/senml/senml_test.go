package senml

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

func TestToleratedForms(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		want []Record
	}{
		"an empty pack":                {"80", nil},
		"an open empty pack":           {"9fff", nil},
		"text labels":                  {"81a36130616161320562" + "2d33" + "1a6553f100", []Record{integer("a", 5).since(1700000000)}},
		"a text label we do not know":  {"81a3613161560061610205", []Record{integer("a", 5)}},
		"a long text label":            {"81a36331323361560061610205", []Record{integer("a", 5)}},
		"milliseconds":                 {"81a3006161020122" + "1b0000018bcfe56800", []Record{integer("a", 1).since(1700000000)}},
		"milliseconds in the record":   {"81a3006161020106" + "1b0000018bcfe56800", []Record{integer("a", 1).since(1700000000)}},
		"time before base time":        {"81a4061a0000000500616102012" + "21a6553f100", []Record{integer("a", 1).since(1700000005)}},
		"a base time replaces another": {"82a3221a6553f1000061610201a3221a6553f1010061620202", []Record{integer("a", 1).since(1700000000), integer("b", 2).since(1700000001)}},
		"no time before 1970":          {"81a3006161020106" + "20", []Record{integer("a", 1)}},
		"only a base time":             {"82a1221a6553f100a20061610201", []Record{integer("a", 1).since(1700000000)}},
		"a name without a value":       {"82a1006161a20061620201", []Record{integer("b", 1)}},
		"an empty record":              {"82a0a20061620201", []Record{integer("b", 1)}},
		"value before name":            {"81a20201006161", []Record{integer("a", 1)}},
		"true under label 2":           {"81a200616102f5", []Record{flag("a", true)}},
		"nested under unknown keys":    {"81a300616108a16178829f01f6ff" + "c11a00000000" + "0205", []Record{integer("a", 5)}},
		"open strings under a key":     {"81a3006161085f4101420203ff0205", []Record{integer("a", 5)}},
		"a name in pieces":             {"81a2007f61616162ff0205", []Record{integer("ab", 5)}},
		"a name in no piece but one":   {"81a2007f6161ff0205", []Record{integer("a", 5)}},
		"Latin-1":                      {"81a20061610364b0433230", []Record{text("a", "\uFFFDC20")}},
		"2^64-1":                       {"81a2006161021bffffffffffffffff", []Record{float("a", math.MaxUint64)}},
		"-2^63":                        {"81a2006161023b7fffffffffffffff", []Record{integer("a", math.MinInt64)}},
		"-2^64":                        {"81a2006161023bffffffffffffffff", []Record{float("a", -math.MaxUint64)}},
		"a wide small number":          {"81a2006161021b0000000000000005", []Record{integer("a", 5)}},
		"infinity":                     {"81a200616102f97c00", []Record{float("a", math.Inf(1))}},
		"minus infinity":               {"81a200616102faff800000", []Record{float("a", math.Inf(-1))}},
		"NaN in half":                  {"81a200616102f97e00", []Record{float("a", math.NaN())}},
		"the smallest half":            {"81a200616102f98001", []Record{float("a", -math.Ldexp(1, -24))}},
		"a unit":                       {"81a300616101634365" + "6c0205", []Record{integer("a", 5)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if err != nil || !slices.EqualFunc(got, c.want, same) {
				t.Errorf("read %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestMalformedPacksCountNotAtAll(t *testing.T) {
	good := "a20061610201"
	for name, c := range map[string]struct {
		hex  string
		want *problem.Problem
	}{
		"nothing":                     {"", errEnd},
		"a map":                       {"a10001", errArray},
		"a text":                      {"6161", errArray},
		"an array of numbers":         {"8101", errMap},
		"D11 text labels of JSON":     {"82a2616e6169617605a2006169021863", errLabel},
		"D12 null":                    {"82a200616902f6a2006166021863", errNumber},
		"undefined":                   {"81a200616902f7", errNumber},
		"null for a text":             {"81a200616903f6", errText},
		"a number for a flag":         {"81a20061690401", errFlag},
		"bytes for a name":            {"81a20041690201", errName},
		"the name 0":                  {"81a200000201", errName},
		"the name 65536":              {"81a2001a000100000201", errName},
		"a negative name":             {"81a200200201", errName},
		"a value of nobody":           {"81a10201", errNameless},
		"a value of base name only":   {"81a221617002" + "01", errNameless},
		"an empty name":               {"81a200600201", errNameless},
		"one name twice":              {"81a3006161006161" + "0201", errTwice},
		"one value twice":             {"81a300616102010202", errTwice},
		"two values":                  {"81a300616102010361" + "61", errTwice},
		"one label in two forms":      {"81a3006161613061610201", errTwice},
		"time twice":                  {"81a40061610201060506" + "06", errTwice},
		"base time twice":             {"81a4006161020122052206", errTwice},
		"a float for a label":         {"81a1f9000001", errLabel},
		"a bare minus for a label":    {"81a1612d01", errLabel},
		"an empty label":              {"81a16001", errLabel},
		"a time that is text":         {"81a300616102010661" + "31", errTime},
		"a time that is NaN":          {"81a3006161020106f97e00", errTimeRange},
		"a time that is infinite":     {"81a3006161020122f97c00", errTimeRange},
		"nanoseconds":                 {"81a3006161020122" + "1b17979cfe362a0000", errTimeRange},
		"a sum beyond the range":      {"81a40061610201221b000000174876e800061b000000174876e800", errTimeRange},
		"cut off":                     {"82" + good, errEnd},
		"cut in a text":               {"81a2006461", errEnd},
		"an open array without end":   {"9f" + good, errEnd},
		"bytes behind":                {"81" + good + "00", errTail},
		"good, then bad":              {"82" + good + "f6", errMap},
		"claims 2^64-1 records":       {"9bffffffffffffffff", errTooMany},
		"claims 2^64-1 pairs":         {"81bbffffffffffffffff", errEnd},
		"claims a text of 2^64-1":     {"81a2007bffffffffffffffff", errEnd},
		"reserved information":        {"81a20061611c0201", errCBOR},
		"a break for a value":         {"81a2006161" + "02ff", errCBOR},
		"an odd open map":             {"81bf00ff", errCBOR},
		"a short simple value":        {"81a300616108f8100201", errCBOR},
		"mixed pieces of a text":      {"81a2007f4161ff0201", errCBOR},
		"open pieces in an open text": {"81a2007f7f6161ffff0201", errCBOR},
		"nested too deeply":           {"81a3006161088181818181818181810102" + "01", errDepth},
		"tagged too deeply":           {"81a300616108c1c1c1c1c1c1c1c1c10102" + "01", errDepth},
		"an open integer":             {"81a20061" + "61021f", errCBOR},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if got != nil || !errors.Is(err, ErrMalformed) {
				t.Fatalf("read %+v, %v", got, err)
			}
			if c.want != err {
				t.Errorf("refused with %q, want %q", err, c.want)
			}
			if p := problem.Of(err); p.Kind != problem.Invalid {
				t.Errorf("kind %d, want Invalid", p.Kind)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	many := append([]byte{0x9f}, bytes.Repeat(wire(t, "a20061610201"), MaxRecords)...)
	if got, err := Decode(append(slices.Clone(many), breakByte)); err != nil || len(got) != MaxRecords {
		t.Errorf("%d records: read %d, %v", MaxRecords, len(got), err)
	}
	if _, err := Decode(append(append(slices.Clone(many), 0xa0), breakByte)); err != errTooMany {
		t.Errorf("one record more: %v, want %v", err, errTooMany)
	}
	long := Append(nil, []Record{text("a", strings.Repeat("x", MaxBytes-9))})
	if len(long) != MaxBytes {
		t.Fatalf("the longest pack has %d bytes, want %d", len(long), MaxBytes)
	}
	if got, err := Decode(long); err != nil || len(got[0].Text) != MaxBytes-9 {
		t.Errorf("the longest pack: %v", err)
	}
	if _, err := Decode(append(long, 0)); err != errTooLong {
		t.Errorf("one byte more: %v, want %v", err, errTooLong)
	}
}

func TestAppendDecodeLeavesDstOnError(t *testing.T) {
	dst := make([]Record, 1, 8)
	dst[0] = integer("mine", 1)
	got, err := AppendDecode(dst, wire(t, "82a20061610201f6"))
	if err == nil || len(got) != 1 || got[0] != dst[0] {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = AppendDecode(dst, wire(t, "81a20061610201"))
	if err != nil || len(got) != 2 || &got[0] != &dst[0] {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestDecodeKeepsNoReferenceToWire(t *testing.T) {
	w := wire(t, "81a2006161036378797a")
	got, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	clear(w)
	if want := text("a", "xyz"); got[0] != want {
		t.Errorf("read %+v, want %+v", got[0], want)
	}
}

// The allocations of a pack are part of the contract: this runs for every value.
func TestAllocations(t *testing.T) {
	buf := make([]Record, 0, 64)
	for name, c := range map[string]struct {
		hex  string
		want float64
	}{
		"one number":     {boardVectors["A7"].hex, 1},
		"many names":     {d1, 1},
		"light payload":  {boardVectors["L4"].hex, 0},
		"refused number": {"82a200616902f6a2006166021863", 1},
		"refused early":  {"a10001", 0},
	} {
		w := wire(t, c.hex)
		if got := testing.AllocsPerRun(100, func() { AppendDecode(buf[:0], w) }); got > c.want {
			t.Errorf("%s: %v allocations, want %v", name, got, c.want)
		}
	}
	out := make([]byte, 0, 1024)
	if got := testing.AllocsPerRun(100, func() { out = AppendBoard(Append(out[:0], d1Records), d1Records) }); got != 0 {
		t.Errorf("writing: %v allocations, want 0", got)
	}
}

func TestTimesAreWrittenWhereTheyChange(t *testing.T) {
	want := []Record{
		integer("a", 1).since(1700000000.25), integer("b", 2).since(1700000000.25), integer("c", 3),
		integer("d", 4).since(1700000001), integer("e", 5).since(1699999999.001),
	}
	for name, w := range map[string][]byte{"cloud": Append(nil, want), "board": AppendBoard(nil, want)} {
		got, err := Decode(w)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: read %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for name, c := range map[string]struct {
		r    Record
		want float64
		ok   bool
	}{
		"float": {float("a", 1.5), 1.5, true},
		"int":   {integer("a", -3), -3, true},
		"bool":  {flag("a", true), 1, true},
		"text":  {text("a", "7"), 0, false},
	} {
		if got, ok := c.r.Number(); got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v, want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestKindsHaveNames(t *testing.T) {
	for k := range kinds {
		if k.String() == "" || k.String() == "unknown" {
			t.Errorf("kind %d has no name", k)
		}
	}
	if got := kinds.String(); got != "unknown" {
		t.Errorf("no kind is called %q", got)
	}
}

func benchDecode(b *testing.B, text string) {
	w := wire(b, text)
	buf := make([]Record, 0, 64)
	b.SetBytes(int64(len(w)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := AppendDecode(buf[:0], w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeOneNumber(b *testing.B)    { benchDecode(b, boardVectors["A7"].hex) }
func BenchmarkDecodeTelevision(b *testing.B)   { benchDecode(b, boardVectors["A17"].hex) }
func BenchmarkDecodeTenRecords(b *testing.B)   { benchDecode(b, d1) }
func BenchmarkDecodeLightPayload(b *testing.B) { benchDecode(b, boardVectors["L4"].hex) }

func BenchmarkAppendTenRecords(b *testing.B) {
	out := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out = Append(out[:0], d1Records)
	}
}
