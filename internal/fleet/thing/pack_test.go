package thing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// arrival is when all messages of these tests arrive.
var arrival = time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)

// disk is the memory of a reader: what history would say.
type disk map[string]series.Value

func (d disk) lastOf(l *line) series.Value                { return d[l.variable] }
func (d disk) stamp(l *line, arrival time.Time) time.Time { return arrival.Add(time.Millisecond) }

// routeWith makes a route with a property of each given type, called as the keys say.
func routeWith(types map[string]string) *route {
	t := Thing{ID: "t", Space: "s", Timezone: "UTC", Device: "d"}
	for _, name := range slices.Sorted(keysOf(types)) {
		t.addProperty(Property{ID: name, Thing: "t", Name: name, Variable: name, Type: TypeOf(types[name]), Permission: ReadWrite, Persist: true})
	}
	return newRoute(t)
}

func keysOf(m map[string]string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// board is a thing as the boards of the vectors have it.
func board() *route {
	return routeWith(map[string]string{"sw": "STATUS", "n": "INT", "t": "TEMPERATURE", "s": "CHARSTRING", "loc": "LOCATION", "rgb": "COLOR_HSB",
		"cl": "HOME_COLORED_LIGHT", "dl": "HOME_DIMMED_LIGHT", "tv": "HOME_TELEVISION", "sch": "SCHEDULE", "count": "COUNT", "ratio": "FLOAT",
		"msg": "CHARSTRING", "dim": "HOME_DIMMED_LIGHT"})
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestBoardPacks reads the vectors of device-protocol reference, section 8.1.
func TestBoardPacks(t *testing.T) {
	at := time.Unix(1700000000, 0).UTC()
	for name, c := range map[string]struct {
		pack string
		want map[string]string // JSON by property
		at   time.Time         // zero for arrival
	}{
		"A1":                   {"9fa20062737704f5ff", map[string]string{"sw": "true"}, time.Time{}},
		"A3":                   {"9fa200616e0220ff", map[string]string{"n": "-1"}, time.Time{}},
		"A5":                   {"9fa200616e023a7fffffffff", map[string]string{"n": "-2147483648"}, time.Time{}},
		"A6":                   {"9fa200616e021ab2d05e00ff", map[string]string{"n": "3000000000"}, time.Time{}},
		"A7":                   {"9fa200617402fa41ac0000ff", map[string]string{"t": "21.5"}, time.Time{}},
		"A9, NaN is no value":  {"9fa200617402fa7fc00000ff", map[string]string{}, time.Time{}},
		"A10":                  {"9fa200617303646369616fff", map[string]string{"s": `"ciao"`}, time.Time{}},
		"A12, cleared":         {"9fa200617303611bff", map[string]string{"s": `""`}, time.Time{}},
		"A13":                  {"9fa200676c6f633a6c617402fa423447aea200676c6f633a6c6f6e02fa40f6147bff", map[string]string{"loc": `{"lat":45.06999969482422,"lon":7.690000057220459}`}, time.Time{}},
		"A14":                  {"9fa200677267623a68756502fa43520000a200677267623a73617402fa42480000a200677267623a62726902fa42960000ff", map[string]string{"rgb": `{"bri":75,"hue":210,"sat":50}`}, time.Time{}},
		"A15":                  {"9fa20066636c3a73776904f5a20066636c3a68756502fa43520000a20066636c3a73617402fa42480000a20066636c3a62726902fa42960000ff", map[string]string{"cl": `{"bri":75,"hue":210,"sat":50,"swi":true}`}, time.Time{}},
		"A16":                  {"9fa20066646c3a73776904f5a20066646c3a62726902fa42a00000ff", map[string]string{"dl": `{"bri":80,"swi":true}`}, time.Time{}},
		"A17":                  {"9fa2006674763a73776904f4a2006674763a766f6c0200a2006674763a6d757404f4a2006674763a7062630218ffa2006674763a696e70021837a2006674763a6368610200ff", map[string]string{"tv": `{"cha":0,"inp":55,"mut":false,"pbc":255,"swi":false,"vol":0}`}, time.Time{}},
		"A18":                  {"9fa200677363683a66726d021a6553f100a200667363683a746f0200a200677363683a6c656e02190e10a200677363683a6d736b021a0800003eff", map[string]string{"sch": `{"frm":1700000000,"len":3600,"msk":134217790,"to":0}`}, time.Time{}},
		"A19":                  {"9fa300617402fa3fc00000061a6553f100ff", map[string]string{"t": "1.5"}, at},
		"A20":                  {"9fa300676c6f633a6c617402fa3f800000061a6553f100a300676c6f633a6c6f6e02fa40000000061a6553f100ff", map[string]string{"loc": `{"lat":1,"lon":2}`}, at},
		"A22, the board's own": {"9fa20069747a5f6f66667365740200a2006c747a5f6473745f756e74696c0200ff", map[string]string{}, time.Time{}},
		"A26, any order": {"8da20065636f756e740202a20065726174696f02fb3fb999999999999aa200636d7367036568656c6c6fa200676c6f633a6c6f6e02fb403dfae06d938152a200676c6f633a6c617402fb403f43c2fc69728aa2006764696d3a73776904f5a2006764696d3a62726902fb4049000000000000a2006674763a7062630218ffa2006674763a6d757404f4a2006674763a696e70021837a2006674763a73776904f5a2006674763a766f6c020aa2006674763a6368610203",
			map[string]string{"count": "2", "ratio": "0.1", "msg": `"hello"`, "loc": `{"lat":31.264693,"lon":29.979987}`, "dim": `{"bri":50,"swi":true}`,
				"tv": `{"cha":3,"inp":55,"mut":false,"pbc":255,"swi":true,"vol":10}`}, time.Time{}},
		"A27, the question among values": {"82a20065636f756e740206a20063723a6d036d6765744c61737456616c756573", map[string]string{"count": "6"}, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			records, err := senml.Decode(unhex(t, c.pack))
			if err != nil {
				t.Fatal(err)
			}
			rd := reader{route: board(), memory: disk{}, arrival: arrival}
			points := rd.read(nil, records)
			got := map[string]string{}
			want := arrival
			if !c.at.IsZero() {
				want = c.at
			}
			for _, p := range points {
				if _, twice := got[p.Series]; twice {
					t.Errorf("%s came twice", p.Series)
				}
				got[p.Series] = string(appendJSON(nil, p.Value))
				if !p.At.Equal(want) || p.Space != "s" {
					t.Errorf("%s at %v in %s, want %v in s", p.Series, p.At, p.Space, want)
				}
			}
			if !near(got, c.want) {
				t.Errorf("read %v, want %v", got, c.want)
			}
			if rd.unknown != 0 {
				t.Errorf("%d records are unknown", rd.unknown)
			}
		})
	}
}

// near compares JSON values; numbers may differ by a billionth.
func near(got, want map[string]string) bool {
	if len(got) != len(want) {
		return false
	}
	for k := range want {
		var a, b any
		if json.Unmarshal([]byte(got[k]), &a) != nil || json.Unmarshal([]byte(want[k]), &b) != nil || !nearValue(a, b) {
			return false
		}
	}
	return true
}

func nearValue(a, b any) bool {
	x, ok1 := a.(map[string]any)
	y, ok2 := b.(map[string]any)
	if ok1 && ok2 {
		for k := range y {
			if !nearValue(x[k], y[k]) {
				return false
			}
		}
		return len(x) == len(y)
	}
	f, ok1 := a.(float64)
	g, ok2 := b.(float64)
	if ok1 && ok2 {
		return math.Abs(f-g) < 1e-6
	}
	return reflect.DeepEqual(a, b)
}

func TestRecordsFitTheirProperty(t *testing.T) {
	long := strings.Repeat("x", MaxText+1)
	for name, c := range map[string]struct {
		typ    string
		record senml.Record
		want   string // "" is refused
	}{
		"integer for a flag":          {"STATUS", senml.Record{Kind: senml.Int, Int: 5}, "true"},
		"zero for a flag":             {"STATUS", senml.Record{Kind: senml.Float}, "false"},
		"text for a flag":             {"STATUS", senml.Record{Kind: senml.Text, Text: "on"}, ""},
		"fraction for an integer":     {"INT", senml.Record{Kind: senml.Float, Num: -2.9}, "-2"},
		"huge number for an integer":  {"INT", senml.Record{Kind: senml.Float, Num: 1e300}, ""},
		"any integer":                 {"INT", senml.Record{Kind: senml.Int, Int: math.MaxInt64}, "9223372036854775807"},
		"negative time":               {"TIME", senml.Record{Kind: senml.Int, Int: -1}, ""},
		"integer for a float":         {"FLOAT", senml.Record{Kind: senml.Int, Int: 7}, "7"},
		"flag for a float":            {"FLOAT", senml.Record{Kind: senml.Bool, Int: 1}, "1"},
		"infinity":                    {"FLOAT", senml.Record{Kind: senml.Float, Num: math.Inf(1)}, ""},
		"number for a text":           {"CHARSTRING", senml.Record{Kind: senml.Int, Int: 1}, ""},
		"longest text":                {"CHARSTRING", senml.Record{Kind: senml.Text, Text: long[1:]}, `"` + long[1:] + `"`},
		"too long a text":             {"CHARSTRING", senml.Record{Kind: senml.Text, Text: long}, ""},
		"attribute of a number":       {"FLOAT", senml.Record{Name: "p:hue", Kind: senml.Int, Int: 1}, ""},
		"whole value of a colour":     {"COLOR_HSB", senml.Record{Kind: senml.Int, Int: 1}, ""},
		"attribute that is not there": {"COLOR_HSB", senml.Record{Name: "p:swi", Kind: senml.Bool, Int: 1}, ""},
		"attribute beyond its range":  {"COLOR_HSB", senml.Record{Name: "p:hue", Kind: senml.Int, Int: 400}, `{"bri":0,"hue":400,"sat":0}`},
		"attribute of a free object":  {"GENERIC_COMPLEX_PROPERTY", senml.Record{Name: "p:a", Kind: senml.Text, Text: "x"}, `{"a":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.record.Name == "" {
				c.record.Name = "p"
			}
			rd := reader{route: routeWith(map[string]string{"p": c.typ}), memory: disk{}, arrival: arrival}
			points := rd.read(nil, []senml.Record{c.record})
			got := ""
			if len(points) == 1 {
				got = string(appendJSON(nil, points[0].Value))
			}
			if got != c.want || (c.want == "") != (rd.refused == 1) {
				t.Errorf("kept %.60q and refused %d, want %.60q", got, rd.refused, c.want)
			}
		})
	}
}

func TestRecordTimes(t *testing.T) {
	for name, c := range map[string]struct {
		at   float64
		want time.Time
	}{
		"none":                    {0, arrival},
		"before clocks are set":   {86400, arrival},
		"the year 2000":           {946684800, time.Unix(946684800, 0)},
		"with a fraction":         {1700000000.25, time.Unix(1700000000, 250e6)},
		"an hour ahead":           {seconds(arrival.Add(time.Hour)), arrival.Add(time.Hour)},
		"a day and a bit ahead":   {seconds(arrival.Add(24*time.Hour + time.Second)), arrival},
		"beyond what boards tell": {1e10, arrival},
		"below zero":              {-5, arrival},
		"no number":               {math.NaN(), arrival},
		"without end":             {math.Inf(1), arrival},
	} {
		t.Run(name, func(t *testing.T) {
			if got := recordTime(c.at, arrival); !got.Equal(c.want) {
				t.Errorf("recordTime(%v) = %v, want %v", c.at, got, c.want)
			}
		})
	}
}

// Two values at one instant are one in history, so those that a burst brings within one
// microsecond are told apart; a clock that is set back is followed.
func TestValuesWithoutATimeArriveOneAfterTheOther(t *testing.T) {
	r := board()
	value := []senml.Record{{Name: "n", Kind: senml.Int, Int: 1}}
	last := time.Time{}
	for i, now := range []time.Time{arrival, arrival, arrival, arrival.Add(2 * time.Microsecond), arrival.Add(time.Second)} {
		rd := reader{route: r, memory: disk{}, arrival: now}
		points := rd.read(nil, append(value, value...))
		if len(points) != 2 || !points[0].At.After(last) || !points[1].At.After(points[0].At) {
			t.Fatalf("message %d at %v has %v, after %v", i, now, points, last)
		}
		if late := points[1].At.Sub(now); late > time.Millisecond {
			t.Errorf("message %d is %v late", i, late)
		}
		last = points[1].At
	}
	back := arrival.Add(-time.Hour)
	rd := reader{route: r, memory: disk{}, arrival: back}
	if got := rd.read(nil, value)[0].At; !got.Equal(back) {
		t.Errorf("after the clock was set back a value is from %v, want %v", got, back)
	}
}

func TestPartialUpdatesKeepTheRest(t *testing.T) {
	r := routeWith(map[string]string{"co": "COLOR_HSB", "free": "GENERIC_COMPLEX_PROPERTY"})
	on := disk{"co": object(`{"bri":75,"hue":210,"sat":50}`), "free": object(`{"a":1,"b":{"c":2}}`)}
	rd := reader{route: r, memory: on, arrival: arrival}
	hue := func(n int64) senml.Record { return senml.Record{Name: "co:hue", Kind: senml.Int, Int: n} }
	for _, step := range []struct {
		records []senml.Record
		want    []string
	}{
		{[]senml.Record{hue(10)}, []string{`{"bri":75,"hue":10,"sat":50}`}},
		// What is on its way to the disk counts already.
		{[]senml.Record{{Name: "co:sat", Kind: senml.Int, Int: 1}}, []string{`{"bri":75,"hue":10,"sat":1}`}},
		{[]senml.Record{{Name: "free:a", Kind: senml.Bool, Int: 1}, {Name: "free:d", Kind: senml.Float, Num: 0.5}}, []string{`{"a":true,"b":{"c":2},"d":0.5}`}},
		// A set that is torn apart is two values, and the second has all.
		{[]senml.Record{hue(1), {Name: "free:a", Kind: senml.Int, Int: 2}, {Name: "co:bri", Kind: senml.Int, Int: 3}},
			[]string{`{"bri":75,"hue":1,"sat":1}`, `{"a":2,"b":{"c":2},"d":0.5}`, `{"bri":3,"hue":1,"sat":1}`}},
		// One attribute of two is no number: the other counts.
		{[]senml.Record{{Name: "co:hue", Kind: senml.Float, Num: math.NaN()}, {Name: "co:sat", Kind: senml.Int, Int: 9}}, []string{`{"bri":3,"hue":1,"sat":9}`}},
	} {
		var got []string
		for _, p := range rd.read(nil, step.records) {
			got = append(got, p.Value.Text)
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("%+v gives %q, want %q", step.records, got, step.want)
		}
	}
	// A value that was not kept after all is looked for on the disk again.
	r.doubt([]series.Point{{Series: "co", Value: object("{}")}})
	if got := rd.read(nil, []senml.Record{hue(7)}); got[0].Value.Text != `{"bri":75,"hue":7,"sat":50}` {
		t.Errorf("after a failure: %s", got[0].Value.Text)
	}
}

func TestFreeObjectsAreBounded(t *testing.T) {
	r := routeWith(map[string]string{"p": "GENERIC_COMPLEX_PROPERTY"})
	rd := reader{route: r, memory: disk{}, arrival: arrival}
	var records []senml.Record
	for i := range 2 * maxAttributes {
		records = append(records, senml.Record{Name: "p:" + strings.Repeat("a", i+1), Kind: senml.Int, Int: 1})
	}
	points := rd.read(nil, records)
	var got map[string]any
	if err := json.Unmarshal([]byte(points[0].Value.Text), &got); err != nil || len(got) != maxAttributes {
		t.Errorf("%d attributes (%v), want %d", len(got), err, maxAttributes)
	}
	before := points[0].Value
	if points := rd.read(nil, []senml.Record{{Name: "p:a", Kind: senml.Text, Text: strings.Repeat("x", MaxText)}}); len(points) != 0 {
		t.Errorf("an object of %d bytes was kept", len(points[0].Value.Text))
	}
	if points := rd.read(nil, []senml.Record{{Name: "p:a", Kind: senml.Int, Int: 1}}); points[0].Value != before {
		t.Error("what was refused has left something behind")
	}
}

func TestPeopleWriteOnlyWhatBoardsCanTake(t *testing.T) {
	r := routeWith(map[string]string{"rw": "CHARSTRING", "ro": "CHARSTRING"})
	r.byName["ro"].writable = false
	rd := reader{route: r, memory: disk{}, arrival: arrival, down: true}
	points := rd.read(nil, []senml.Record{
		{Name: "ro", Kind: senml.Text, Text: "x"},
		{Name: "rw", Kind: senml.Text, Text: strings.Repeat("x", MaxTextDown+1)},
		{Name: "rw", Kind: senml.Text, Text: "y", At: 1700000000},
	})
	if len(points) != 1 || points[0].Value.Text != "y" || rd.unknown != 1 || rd.refused != 1 {
		t.Errorf("kept %v, unknown %d, refused %d", points, rd.unknown, rd.refused)
	}
	// People's clocks do not count.
	if want := arrival.Add(time.Millisecond); len(points) == 1 && !points[0].At.Equal(want) {
		t.Errorf("at %v, want %v", points[0].At, want)
	}
}

// TestTrap6NumbersMatchTheirType writes vector D1 of device-protocol reference,
// section 8.3, which both decoders have accepted.
func TestTrap6NumbersMatchTheirType(t *testing.T) {
	r := routeWith(map[string]string{"sw": "STATUS", "n": "INT", "t": "TEMPERATURE", "s": "CHARSTRING", "cl": "HOME_COLORED_LIGHT"})
	at := time.Unix(1700000000, 0)
	var records []senml.Record
	for _, v := range []struct {
		name  string
		value series.Value
	}{{"sw", truthy(1)}, {"n", integer(42)}, {"t", number(21.5)}, {"s", text("ciao")}, {"cl", object(`{"bri":75,"hue":210,"sat":50,"swi":true}`)}} {
		l := r.byName[v.name]
		records = l.kind.appendRecords(records, l.variable, v.value, at)
	}
	records = offsetRecords(records, offset{7200, 1793494800}, seconds(at))
	want := "8aa322fb41d954fc400000000062737704f5a200616e02182aa200617402fb4035800000000000a200617303646369616fa20066636c3a73776904f5a20066636c3a68756502fb406a400000000000a20066636c3a73617402fb4049000000000000a20066636c3a62726902fb4052c00000000000a20069747a5f6f666673657402191c20a2006c747a5f6473745f756e74696c021a6ae68f10"
	if got := hex.EncodeToString(senml.Append(nil, records)); got != want {
		t.Errorf("wrote %s\nwant  %s", got, want)
	}
}

func TestDownlinkFitsTheType(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		v    series.Value
		want []senml.Record
	}{
		"integer of what became a float": {Float, integer(3), []senml.Record{{Name: "p", Kind: senml.Float, Num: 3}}},
		"float of what became an int":    {Int, number(3.5), nil},
		"text of what became a flag":     {Bool, text("x"), nil},
		"number of what became a colour": {Color, number(1), nil},
		"text that is too long":          {Text, text(strings.Repeat("x", MaxTextDown+1)), nil},
		"free object":                    {Free, object(`{"a":1,"b":2.5,"c":true,"d":"x","e":null,"f":[1]}`), []senml.Record{{Name: "p:a", Kind: senml.Int, Int: 1}, {Name: "p:b", Num: 2.5}, {Name: "p:c", Kind: senml.Bool, Int: 1}, {Name: "p:d", Kind: senml.Text, Text: "x"}}},
		"television":                     {Television, object(`{"vol":5}`), []senml.Record{{Name: "p:swi", Kind: senml.Bool}, {Name: "p:vol", Kind: senml.Int, Int: 5}, {Name: "p:mut", Kind: senml.Bool}, {Name: "p:pbc", Kind: senml.Int, Int: 255}, {Name: "p:inp", Kind: senml.Int, Int: 55}, {Name: "p:cha", Kind: senml.Int}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.kind.appendRecords(nil, "p", c.v, time.Unix(0, 0))
			if !slices.Equal(got, c.want) {
				t.Errorf("records %+v, want %+v", got, c.want)
			}
		})
	}
}

// Whatever pack comes, the points made of it are of their property's kind, can be
// told as JSON and to a device, and a device that gets them back reports the same.
func FuzzPack(f *testing.F) {
	for _, s := range []string{
		"9fa20062737704f5ff", "9fa200617402fa7fc00000ff", "9fa20061730360ff",
		"9fa20066636c3a73776904f5a20066636c3a68756502fa43520000a20066636c3a73617402fa42480000a20066636c3a62726902fa42960000ff",
		"9fa300676c6f633a6c617402fa3f800000061a6553f100a300676c6f633a6c6f6e02fa40000000061a6553f100ff",
		"82a20065636f756e740206a20063723a6d036d6765744c61737456616c756573",
	} {
		f.Add(unhex(f, s))
	}
	names := map[string]string{"sw": "STATUS", "n": "INT", "t": "FLOAT", "s": "CHARSTRING", "loc": "LOCATION", "cl": "HOME_COLORED_LIGHT",
		"tv": "HOME_TELEVISION", "sch": "SCHEDULE", "count": "TIME", "x": "GENERIC_COMPLEX_PROPERTY"}
	f.Fuzz(func(t *testing.T, wire []byte) {
		records, err := senml.Decode(wire)
		if err != nil {
			return
		}
		r := routeWith(names)
		rd := reader{route: r, memory: disk{}, arrival: arrival}
		for _, p := range rd.read(nil, records) {
			l := r.byID[p.Series]
			if p.Value.Kind != l.kind.stored() {
				t.Fatalf("% x: %s became %+v", wire, l.variable, p.Value)
			}
			if out := appendJSON(nil, p.Value); !json.Valid(out) || bytes.Equal(out, []byte("null")) {
				t.Fatalf("% x: %s is written as %s", wire, l.variable, out)
			}
			if p.At.Before(clockSet) || p.At.After(arrival.Add(maxAhead)) {
				t.Fatalf("% x: %s at %v", wire, l.variable, p.At)
			}
			if l.kind == Free || !l.kind.fits(p.Value) {
				continue
			}
			down := l.kind.appendRecords(nil, l.variable, p.Value, p.At)
			echo, err := senml.Decode(senml.Append(nil, down))
			if err != nil {
				t.Fatalf("% x: %s cannot be sent: %v", wire, l.variable, err)
			}
			back := (&reader{route: routeWith(names), memory: disk{}, arrival: arrival}).read(nil, echo)
			// A text that is the sign for "cleared" is cleared.
			if len(back) != 1 || (back[0].Value != p.Value && p.Value.Text != senml.Cleared) {
				t.Fatalf("% x: %s is %+v, and comes back as %+v", wire, l.variable, p.Value, back)
			}
		}
	})
}
