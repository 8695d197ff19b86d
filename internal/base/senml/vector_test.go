package senml

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
)

// The vectors of the device protocol reference, sections 8.1 to 8.3: what real boards and the
// real Python client send, and what real decoders accept.

func wire(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flag(name string, v bool) Record {
	r := Record{Name: name, Kind: Bool}
	if v {
		r.Int = 1
	}
	return r
}

func integer(name string, v int64) Record    { return Record{Name: name, Kind: Int, Int: v} }
func float(name string, v float64) Record    { return Record{Name: name, Kind: Float, Num: v} }
func text(name, v string) Record             { return Record{Name: name, Kind: Text, Text: v} }
func (r Record) numbered(id uint16) Record   { r.Name, r.ID = "", id; return r }
func (r Record) since(second float64) Record { r.At = second; return r }

// same is equality that takes a NaN for a NaN.
func same(a, b Record) bool {
	if math.IsNaN(a.Num) && math.IsNaN(b.Num) {
		a.Num, b.Num = 0, 0
	}
	return a == b
}

func color(name string, h, s, b float64) []Record {
	return []Record{float(name+":hue", h), float(name+":sat", s), float(name+":bri", b)}
}

// What boards send: A1 to A24 and L1 to L4 come from the real C++ encoder.
var boardVectors = map[string]struct {
	hex  string
	want []Record
}{
	"A1":  {"9fa20062737704f5ff", []Record{flag("sw", true)}},
	"A2":  {"9fa20062737704f4ff", []Record{flag("sw", false)}},
	"A3":  {"9fa200616e0220ff", []Record{integer("n", -1)}},
	"A4":  {"9fa200616e021a00011170ff", []Record{integer("n", 70000)}},
	"A5":  {"9fa200616e023a7fffffffff", []Record{integer("n", math.MinInt32)}},
	"A6":  {"9fa200616e021ab2d05e00ff", []Record{integer("n", 3000000000)}},
	"A7":  {"9fa200617402fa41ac0000ff", []Record{float("t", 21.5)}},
	"A8":  {"9fa200617402fabdcccccdff", []Record{float("t", float64(float32(-0.1)))}},
	"A9":  {"9fa200617402fa7fc00000ff", []Record{float("t", math.NaN())}},
	"A10": {"9fa200617303646369616fff", []Record{text("s", "ciao")}},
	"A11": {"9fa20061730360ff", []Record{text("s", "")}},
	"A12": {"9fa200617303611bff", []Record{text("s", Cleared)}},
	"A13": {"9fa200676c6f633a6c617402fa423447aea200676c6f633a6c6f6e02fa40f6147bff",
		[]Record{float("loc:lat", float64(float32(45.07))), float("loc:lon", float64(float32(7.69)))}},
	"A14": {"9fa200677267623a68756502fa43520000a200677267623a73617402fa42480000a200677267623a62726902fa42960000ff",
		color("rgb", 210, 50, 75)},
	"A15": {"9fa20066636c3a73776904f5a20066636c3a68756502fa43520000a20066636c3a73617402fa42480000a20066636c3a62726902fa42960000ff",
		append([]Record{flag("cl:swi", true)}, color("cl", 210, 50, 75)...)},
	"A16": {"9fa20066646c3a73776904f5a20066646c3a62726902fa42a00000ff",
		[]Record{flag("dl:swi", true), float("dl:bri", 80)}},
	"A17": {"9fa2006674763a73776904f4a2006674763a766f6c0200a2006674763a6d757404f4a2006674763a7062630218ffa2006674763a696e70021837a2006674763a6368610200ff",
		[]Record{flag("tv:swi", false), integer("tv:vol", 0), flag("tv:mut", false), integer("tv:pbc", 255), integer("tv:inp", 55), integer("tv:cha", 0)}},
	"A18": {"9fa200677363683a66726d021a6553f100a200667363683a746f0200a200677363683a6c656e02190e10a200677363683a6d736b021a0800003eff",
		[]Record{integer("sch:frm", 1700000000), integer("sch:to", 0), integer("sch:len", 3600), integer("sch:msk", 0x0800003e)}},
	"A19": {"9fa300617402fa3fc00000061a6553f100ff", []Record{float("t", 1.5).since(1700000000)}},
	"A20": {"9fa300676c6f633a6c617402fa3f800000061a6553f100a300676c6f633a6c6f6e02fa40000000061a6553f100ff",
		[]Record{float("loc:lat", 1).since(1700000000), float("loc:lon", 2).since(1700000000)}},
	"A21": {"9fa20061610201a200616204f5a2006173036178ff", []Record{integer("a", 1), flag("b", true), text("s", "x")}},
	"A22": {"9fa20069747a5f6f66667365740200a2006c747a5f6473745f756e74696c0200ff",
		[]Record{integer("tz_offset", 0), integer("tz_dst_until", 0)}},
	"A23": {"9fa20068746573743a66726d021a615a4400a20067746573743a746f021a615f8a00a20068746573743a6c656e02190258a20068746573743a6d736b021a44000014ff",
		[]Record{integer("test:frm", 1633305600), integer("test:to", 1633651200), integer("test:len", 600), integer("test:msk", 0x44000014)}},
	"A24": {"9fa20068696e745f746573740201a20069626f6f6c5f7465737404f4a2006a666c6f61745f7465737402fa40000000a200687374725f7465737403687374725f74657374ff",
		[]Record{integer("int_test", 1), flag("bool_test", false), float("float_test", 2), text("str_test", "str_test")}},
	"L1": {"9fa2000104f5ff", []Record{flag("", true).numbered(1)}},
	"L2": {"9fa2000202fa41ac0000ff", []Record{float("", 21.5).numbered(2)}},
	"L3": {"9fa20019010302fa3f800000a20019020302fa40000000ff",
		[]Record{float("", 1).numbered(0x103), float("", 2).numbered(0x203)}},
	"L4": {"9fa20019010404f4a2001902040200a20019030404f4a2001904040218ffa200190504021837a2001906040200ff",
		[]Record{flag("", false).numbered(0x104), integer("", 0).numbered(0x204), flag("", false).numbered(0x304),
			integer("", 255).numbered(0x404), integer("", 55).numbered(0x504), integer("", 0).numbered(0x604)}},
}

func TestBoardVectorsAreReadAndWritten(t *testing.T) {
	for name, c := range boardVectors {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(got, c.want, same) {
				t.Errorf("read %+v, want %+v", got, c.want)
			}
			if again := hex.EncodeToString(AppendBoard(nil, c.want)); again != c.hex {
				t.Errorf("wrote\n%s, want\n%s", again, c.hex)
			}
		})
	}
}

const d1 = "8aa322fb41d954fc400000000062737704f5a200616e02182aa200617402fb4035800000000000a200617303646369616fa20066636c3a73776904f5a20066636c3a68756502fb406a400000000000a20066636c3a73617402fb4049000000000000a20066636c3a62726902fb4052c00000000000a20069747a5f6f666673657402191c20a2006c747a5f6473745f756e74696c021a6ae68f10"

var d1Records = []Record{
	flag("sw", true).since(1700000000),
	integer("n", 42).since(1700000000),
	float("t", 21.5).since(1700000000),
	text("s", "ciao").since(1700000000),
	flag("cl:swi", true).since(1700000000),
	float("cl:hue", 210).since(1700000000),
	float("cl:sat", 50).since(1700000000),
	float("cl:bri", 75).since(1700000000),
	integer("tz_offset", 7200).since(1700000000),
	integer("tz_dst_until", 1793494800).since(1700000000),
}

func TestOtherVectorsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		want []Record
	}{
		"A25 Python": {"81a20065636f756e740203", []Record{integer("count", 3)}},
		"A26 Python, composites in random order": {
			"8da20065636f756e740202a20065726174696f02fb3fb999999999999aa200636d7367036568656c6c6fa200676c6f633a6c6f6e02fb403dfae06d938152a200676c6f633a6c617402fb403f43c2fc69728aa2006764696d3a73776904f5a2006764696d3a62726902fb4049000000000000a2006674763a7062630218ffa2006674763a6d757404f4a2006674763a696e70021837a2006674763a73776904f5a2006674763a766f6c020aa2006674763a6368610203",
			[]Record{integer("count", 2), float("ratio", 0.1), text("msg", "hello"),
				float("loc:lon", 29.97998699), float("loc:lat", 31.264694), flag("dim:swi", true), float("dim:bri", 50),
				integer("tv:pbc", 255), flag("tv:mut", false), integer("tv:inp", 55), flag("tv:swi", true), integer("tv:vol", 10), integer("tv:cha", 3)}},
		"A27 Python after a reconnect": {"82a20065636f756e740206a20063723a6d036d6765744c61737456616c756573",
			[]Record{integer("count", 6), text("r:m", "getLastValues")}},
		"L5 downlink":         {"81a2000104f4", []Record{flag("", false).numbered(1)}},
		"D1":                  {d1, d1Records},
		"D2":                  {"81a200687468696e675f696403782438633266306231652d326437612d346634332d396337652d356438663063346237613131", []Record{text("thing_id", "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11")}},
		"D3":                  {"81a322fb41d7194f6e80000000647465737404f5", []Record{flag("test", true).since(1550138810)}},
		"D4":                  {"81a200647465737402fb40092acd9e83e426", []Record{float("test", 3.1459)}},
		"D5 double":           {"81a200616902fb4058c00000000000", []Record{float("i", 99)}},
		"D5 single":           {"81a200616902fa42c60000", []Record{float("i", 99)}},
		"D5 half":             {"81a200616902f95630", []Record{float("i", 99)}},
		"D6":                  {"81a20061620201", []Record{integer("b", 1)}},
		"D7 nothing is stale": {"82a200616204f5a2006262320200", []Record{flag("b", true), integer("b2", 0)}},
		"D8 base and own time": {"81a4221a6553f10000616902010605",
			[]Record{integer("i", 1).since(1700000005)}},
		"D9 base time lasts": {"82a3221a6553f100006169021863a20061660201",
			[]Record{integer("i", 99).since(1700000000), integer("f", 1).since(1700000000)}},
		"D10":              {"81a20066636f3a68756502fa43520000", []Record{float("co:hue", 210)}},
		"D13 unknown key":  {"81a3006169016143021863", []Record{integer("i", 99)}},
		"D14 open":         {"9fbf006169021863ffff", []Record{integer("i", 99)}},
		"D15 no base name": {"81a32163707265006169021863", []Record{integer("i", 99)}},
		"D16 not cut to 32 bits here": {"81a2006169021b0000010000000000",
			[]Record{integer("i", 1<<40)}},
		"D17": {"84a20069626f6f6c5f7465737404f5a20068696e745f74657374020aa2006a666c6f61745f7465737402f94d00a200687374725f74657374036d68656c6c6f2061726475696e6f",
			[]Record{flag("bool_test", true), integer("int_test", 10), float("float_test", 20), text("str_test", "hello arduino")}},
		"P1": {hex.EncodeToString([]byte(LastValuesRequest)), []Record{text("r:m", "getLastValues")}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if err != nil {
				t.Fatal(err)
			}
			near := func(a, b Record) bool {
				return math.Abs(a.Num-b.Num) < 1e-6 && a.Name == b.Name && a.Int == b.Int && a.At == b.At
			}
			equal := same
			if strings.HasPrefix(name, "A26") {
				equal = near
			}
			if !slices.EqualFunc(got, c.want, equal) {
				t.Errorf("read %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestTheCloudsFormIsTheOneThatAllDecodersKnow(t *testing.T) {
	for name, c := range map[string]struct {
		records []Record
		want    string
	}{
		"D1": {d1Records, d1},
		"D2": {[]Record{text("thing_id", "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11")}, "81a200687468696e675f696403782438633266306231652d326437612d346634332d396337652d356438663063346237613131"},
		"D3": {[]Record{flag("test", true).since(1550138810)}, "81a322fb41d7194f6e80000000647465737404f5"},
		"D4": {[]Record{float("test", 3.1459)}, "81a200647465737402fb40092acd9e83e426"},
		"L5": {[]Record{flag("", false).numbered(1)}, "81a2000104f4"},
		"P1": {[]Record{text("r:m", "getLastValues")}, hex.EncodeToString([]byte(LastValuesRequest))},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hex.EncodeToString(Append(nil, c.records)); got != c.want {
				t.Errorf("wrote\n%s, want\n%s", got, c.want)
			}
		})
	}
}
