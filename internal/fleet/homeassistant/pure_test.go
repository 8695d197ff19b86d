package homeassistant

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

const (
	aSpace    = "51000000-0000-4000-8000-000000000001"
	aThing    = "7e000000-0000-4000-8000-000000000001"
	aProperty = "9b000000-0000-4000-8000-000000000001"
)

func setup() Setup {
	return Setup{Space: aSpace, Broker: "mqtts://broker.example.org:8883", User: "ardesia", Discovery: DefaultDiscovery, Topics: DefaultTopics, Writes: true, Enabled: true}
}

func TestSetupCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Setup)
		want   error
	}{
		"as usual":                 {func(*Setup) {}, nil},
		"in clear":                 {func(u *Setup) { u.Broker = "mqtt://192.0.2.1" }, nil},
		"no scheme":                {func(u *Setup) { u.Broker = "broker.example.org:1883" }, ErrBroker},
		"another scheme":           {func(u *Setup) { u.Broker = "https://broker.example.org" }, ErrBroker},
		"a password in its URL":    {func(u *Setup) { u.Broker = "mqtts://u:p@broker.example.org" }, ErrBroker},
		"a path":                   {func(u *Setup) { u.Broker = "mqtts://broker.example.org/x" }, ErrBroker},
		"no port there is":         {func(u *Setup) { u.Broker = "mqtts://broker.example.org:70000" }, ErrBroker},
		"no host":                  {func(u *Setup) { u.Broker = "mqtts://:8883" }, ErrBroker},
		"a host without end":       {func(u *Setup) { u.Broker = "mqtts://" + strings.Repeat("a", 300) }, ErrBroker},
		"a password for nobody":    {func(u *Setup) { u.User, u.Password = "", secret.New("x") }, ErrLogin},
		"a user with a line break": {func(u *Setup) { u.User = "a\nb" }, ErrLogin},
		"a user without end":       {func(u *Setup) { u.User = strings.Repeat("a", 257) }, ErrLogin},
		"a CA that is none":        {func(u *Setup) { u.CA = "-----BEGIN CERTIFICATE-----" }, ErrCA},
		"a wildcard as prefix":     {func(u *Setup) { u.Topics = "a/#" }, ErrPrefix},
		"an empty word":            {func(u *Setup) { u.Topics = "a//b" }, ErrPrefix},
		"the broker's own topics":  {func(u *Setup) { u.Topics = "$SYS" }, ErrPrefix},
		"one prefix for both":      {func(u *Setup) { u.Topics = DefaultDiscovery }, ErrPrefix},
		"a prefix of words":        {func(u *Setup) { u.Topics = "house/ardesia" }, nil},
		"too many tags":            {func(u *Setup) { u.Tags = make([]thing.Tag, maxTags+1) }, ErrTags},
	} {
		u := setup()
		c.change(&u)
		if err := u.Check(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	for in, want := range map[string]string{"mqtt://Broker.Example.org": "mqtt://broker.example.org:1883", "mqtts://[2001:db8::1]": "mqtts://[2001:db8::1]:8883", "mqtts://10.1.2.3:8884/": "mqtts://10.1.2.3:8884"} {
		u := setup()
		if u.Broker = in; u.Check() != nil || u.Broker != want {
			t.Errorf("%s is written %s, want %s", in, u.Broker, want)
		}
	}
}

// admitted are the units that a class of sensors and numbers admits in Home Assistant 2024.11 (its documentation of device
// classes), as far as types have such a class; "" is none.
var admitted = map[string][]string{
	"temperature": {"°C", "°F", "K"}, "humidity": {"%"}, "battery": {"%"}, "duration": {"d", "h", "min", "s", "ms"}, "current": {"A", "mA"}, "voltage": {"V", "mV"},
	"power": {"W", "kW"}, "energy": {"J", "kJ", "MJ", "GJ", "Wh", "kWh", "MWh"}, "pressure": {"Pa", "hPa", "kPa", "bar", "mbar", "psi"}, "illuminance": {"lx"}, "irradiance": {"W/m²"},
	"frequency": {"Hz", "kHz", "MHz", "GHz"}, "distance": {"km", "m", "cm", "mm", "mi", "yd", "ft", "in"}, "weight": {"kg", "g", "mg", "oz", "lb"}, "speed": {"m/s", "km/h", "mph"},
	"volume_storage": {"L", "mL", "gal", "m³", "ft³"}, "data_rate": {"bit/s", "kbit/s", "B/s"}, "data_size": {"bit", "kbit", "B", "kB"}, "ph": {""},
}

// totals are classes whose sensors Home Assistant wants to be totals.
var totals = []string{"energy"}

// Every type of property, writable or not, becomes an entity with the keys that its platform asks for.
func TestEveryTypeHasAnEntity(t *testing.T) {
	u := setup()
	seen := map[platform]int{}
	for _, typ := range thing.Types() {
		for _, permission := range []string{thing.ReadOnly, thing.ReadWrite} {
			for _, writes := range []bool{true, false} {
				e := entityOf(thing.Property{ID: aProperty, Thing: aThing, Name: "Name", Variable: "name", Type: &typ, Permission: permission, Min: math.NaN(), Max: math.NaN()}, writes)
				c := u.component(&e)
				seen[c.Platform]++
				if !required(c) || c.UniqueID != objectID(aProperty) || c.Name != "Name" {
					t.Errorf("%s, %s: %+v", typ.Name, permission, c)
				}
				if (c.CommandTopic != "") != e.commanded() || e.commanded() && (permission == thing.ReadOnly || !writes || typ.ReadOnly) {
					t.Errorf("%s, %s, writes %v: a command topic %q", typ.Name, permission, writes, c.CommandTopic)
				}
				if (c.Platform == sensor || c.Platform == number) && c.DeviceClass != "" && !slices.Contains(admitted[c.DeviceClass], c.Unit) {
					t.Errorf("%s: class %s with unit %q", typ.Name, c.DeviceClass, c.Unit)
				}
				if c.StateClass != "" && (c.Platform != sensor || c.ValueTemplate != "" || slices.Contains(totals, c.DeviceClass) != (c.StateClass == "total")) {
					t.Errorf("%s: state class %s", typ.Name, c.StateClass)
				}
				if c.Unit != "" && typ.Kind > thing.Float {
					t.Errorf("%s has no numbers, and the unit %s", typ.Name, c.Unit)
				}
			}
		}
	}
	for _, p := range []platform{switches, binarySensor, number, sensor, texts, light, deviceTracker} {
		if seen[p] == 0 {
			t.Errorf("no type is a %s", p)
		}
	}
	for name := range measures {
		if thing.TypeOf(name) == nil {
			t.Errorf("there is no type %s to measure", name)
		}
	}
}

// required says whether a component has what Home Assistant's documentation of its platform asks for in messages of whole devices.
func required(c component) bool {
	if c.Platform == "" || c.UniqueID == "" {
		return false
	}
	switch c.Platform {
	case sensor, binarySensor:
		return c.StateTopic != ""
	case switches, number, texts:
		return c.StateTopic != "" && c.CommandTopic != ""
	case light:
		return c.StateTopic != "" && c.CommandTopic != "" && (c.Schema == "" || c.Schema == "json" && len(c.ColorModes) == 1)
	case deviceTracker:
		return c.JSONAttributesTopic != "" && c.SourceType != ""
	}
	return false
}

func TestLimits(t *testing.T) {
	none := math.NaN()
	u := setup()
	for name, c := range map[string]struct {
		typ             string
		min, max        float64
		low, high, step float64
		mode            string
	}{
		"a number of any size":      {"FLOAT", none, none, -1e9, 1e9, 0.001, "box"},
		"a whole number":            {"INT", none, none, math.MinInt32, math.MaxInt32, 1, "box"},
		"with bounds":               {"FLOAT", -10, 40, -10, 40, 0.1, ""},
		"with close bounds":         {"FLOAT", 0, 1, 0, 1, 0.001, ""},
		"with far bounds":           {"FLOAT", 0, 5000, 0, 5000, 1, ""},
		"with one bound":            {"FLOAT", 5, none, 5, 1e9, 0.001, "box"},
		"percent":                   {"PERCENTAGE", none, none, 0, 100, 0.1, ""},
		"bounds the wrong way":      {"INT", 10, 1, -1e9, 1e9, 1, "box"},
		"seconds":                   {"TIME", none, none, 0, math.MaxUint32, 1, "box"},
		"bounds that are no number": {"FLOAT", math.Inf(-1), math.Inf(1), -1e9, 1e9, 0.001, "box"},
	} {
		e := entityOf(thing.Property{ID: aProperty, Thing: aThing, Variable: "x", Type: thing.TypeOf(c.typ), Permission: thing.ReadWrite, Min: c.min, Max: c.max}, true)
		got := u.component(&e)
		if *got.Min != c.low || *got.Max != c.high || got.Step != c.step || got.Mode != c.mode {
			t.Errorf("%s: %v to %v in steps of %v, %q", name, *got.Min, *got.Max, got.Step, got.Mode)
		}
	}
}

func of(typ, permission string) entity {
	return entityOf(thing.Property{ID: aProperty, Thing: aThing, Name: "x", Variable: "x", Type: thing.TypeOf(typ), Permission: permission, Min: math.NaN(), Max: math.NaN()}, true)
}

func TestPayloads(t *testing.T) {
	object := func(text string) series.Value { return series.Value{Kind: series.Object, Text: text} }
	for name, c := range map[string]struct {
		typ  string
		v    series.Value
		want string // "": nothing is said
	}{
		"on":                        {"STATUS", series.Value{Kind: series.Bool, Int: 1}, "ON"},
		"off":                       {"HOME_SWITCH", series.Value{Kind: series.Bool}, "OFF"},
		"a float of a board":        {"TEMPERATURE_C", series.Value{Kind: series.Float, Num: float64(float32(21.1))}, "21.1"},
		"a float of a program":      {"FLOAT", series.Value{Kind: series.Float, Num: 0.123456789}, "0.123456789"},
		"a whole float":             {"FLOAT", series.Value{Kind: series.Float, Num: 3}, "3"},
		"an integer kept before":    {"FLOAT", series.Value{Kind: series.Int, Int: 4}, "4"},
		"an integer":                {"INT", series.Value{Kind: series.Int, Int: -7}, "-7"},
		"a text":                    {"CHARSTRING", series.Value{Kind: series.Text, Text: `say "<é>"`}, `"say \"<é>\""`},
		"no text":                   {"CHARSTRING", series.Value{Kind: series.Text}, `""`},
		"a long text":               {"CHARSTRING", series.Value{Kind: series.Text, Text: strings.Repeat("é", 300)}, `"` + strings.Repeat("é", 255) + `"`},
		"a dimmed light":            {"HOME_DIMMED_LIGHT", object(`{"bri":49.6,"swi":true}`), `{"state":"ON","brightness":50,"color_mode":"brightness"}`},
		"one that is dark":          {"HOME_DIMMED_LIGHT", object(`{"bri":0.2,"swi":true}`), `{"state":"ON","brightness":1,"color_mode":"brightness"}`},
		"one that is off":           {"HOME_DIMMED_LIGHT", object(`{"bri":0,"swi":false}`), `{"state":"OFF","color_mode":"brightness"}`},
		"a coloured light":          {"HOME_COLORED_LIGHT", object(`{"bri":10,"hue":300,"sat":55.5,"swi":true}`), `{"state":"ON","brightness":10,"color_mode":"hs","color":{"h":300,"s":55.5}}`},
		"a place":                   {"LOCATION", object(`{"lat":45.5,"lon":9.25}`), `{"latitude":45.5,"longitude":9.25}`},
		"a television":              {"HOME_TELEVISION", object(`{"cha":1,"swi":true}`), `{"cha":1,"swi":true}`},
		"what another type has had": {"STATUS", series.Value{Kind: series.Text, Text: "yes"}, ""},
		"an object before a text":   {"CHARSTRING", object("{}"), ""},
	} {
		e := of(c.typ, thing.ReadWrite)
		got, ok := e.payload(c.v)
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: %s (%v), want %s", name, got, ok, c.want)
		}
	}
}

func TestCommands(t *testing.T) {
	lit := series.Value{Kind: series.Object, Text: `{"bri":30,"hue":1,"sat":2,"swi":false}`}
	for name, c := range map[string]struct {
		typ, payload string
		last         series.Value
		want         string // "": it is refused
	}{
		"on":                           {"STATUS", "ON", series.Value{}, "true"},
		"off":                          {"HOME_LIGHT", "OFF", series.Value{}, "false"},
		"on, in small letters":         {"STATUS", "on", series.Value{}, ""},
		"a number for a switch":        {"STATUS", "1", series.Value{}, ""},
		"nothing for a switch":         {"STATUS", "", series.Value{}, ""},
		"a number":                     {"FLOAT", "21.5", series.Value{}, "21.5"},
		"a number with more behind":    {"FLOAT", "21.5 ", series.Value{}, ""},
		"what is called a number":      {"FLOAT", "NaN", series.Value{}, ""},
		"a number as text":             {"INT", `"1"`, series.Value{}, ""},
		"a number in another base":     {"INT", "0x10", series.Value{}, ""},
		"a text":                       {"CHARSTRING", `a "b"`, series.Value{}, `"a \"b\""`},
		"no text":                      {"CHARSTRING", "", series.Value{}, `""`},
		"a text that is none":          {"CHARSTRING", "\xff", series.Value{}, ""},
		"a light on, as it was":        {"HOME_DIMMED_LIGHT", `{"state":"ON"}`, lit, `{"swi":true}`},
		"a light on that never was":    {"HOME_DIMMED_LIGHT", `{"state":"ON"}`, series.Value{}, `{"swi":true,"bri":100}`},
		"a light dimmed":               {"HOME_DIMMED_LIGHT", `{"state":"ON","brightness":7,"transition":2}`, lit, `{"swi":true,"bri":7}`},
		"a light off":                  {"HOME_COLORED_LIGHT", `{"state":"OFF"}`, lit, `{"swi":false}`},
		"a light in a colour":          {"HOME_COLORED_LIGHT", `{"state":"ON","color":{"h":120,"s":40}}`, lit, `{"swi":true,"hue":120,"sat":40}`},
		"a colour for one without":     {"HOME_DIMMED_LIGHT", `{"state":"ON","color":{"h":120,"s":40}}`, lit, ""},
		"half a colour":                {"HOME_COLORED_LIGHT", `{"state":"ON","color":{"h":120}}`, lit, ""},
		"a light without a state":      {"HOME_DIMMED_LIGHT", `{"brightness":7}`, lit, ""},
		"what a light does not know":   {"HOME_DIMMED_LIGHT", `{"state":"ON","colour_temp":7}`, lit, ""},
		"two objects":                  {"HOME_DIMMED_LIGHT", `{"state":"ON"}{}`, lit, ""},
		"what only the board may say":  {"HOME_MOTION_SENSOR", "ON", series.Value{}, ""},
		"what is no entity to command": {"LOCATION", "{}", series.Value{}, ""},
	} {
		e := of(c.typ, thing.ReadWrite)
		got, err := e.read([]byte(c.payload), c.last)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
	e := of("CHARSTRING", thing.ReadWrite)
	if _, err := e.read(make([]byte, maxCommand+1), series.Value{}); err == nil {
		t.Error("a command without end is taken")
	}
	e = of("STATUS", thing.ReadOnly)
	if _, err := e.read([]byte("ON"), series.Value{}); !errors.Is(err, thing.ErrReadOnly) {
		t.Errorf("a command for what only the board may say: %v", err)
	}
}

// Whatever comes as a command is refused, or is a value that the property's type takes and whose state can be told.
func FuzzCommand(f *testing.F) {
	types := thing.Types()
	index := func(name string) uint8 {
		return uint8(slices.IndexFunc(types, func(t thing.Type) bool { return t.Name == name }))
	}
	f.Add(index("STATUS"), []byte("ON"), "")
	f.Add(index("INT"), []byte("-12"), "")
	f.Add(index("FLOAT"), []byte("1e-7"), "")
	f.Add(index("CHARSTRING"), []byte("text"), "")
	f.Add(index("HOME_DIMMED_LIGHT"), []byte(`{"state":"ON","brightness":1}`), `{"bri":0,"swi":false}`)
	f.Add(index("HOME_COLORED_LIGHT"), []byte(`{"state":"ON","color":{"h":361,"s":40}}`), `{"bri":1}`)
	f.Fuzz(func(t *testing.T, n uint8, payload []byte, before string) {
		e := of(types[int(n)%len(types)].Name, thing.ReadWrite)
		last := series.Value{Kind: series.Object, Text: before}
		raw, err := e.read(payload, last)
		if err != nil {
			if raw != nil {
				t.Fatalf("%q is refused with %v, and is %s", payload, err, raw)
			}
			return
		}
		if !e.commanded() || !json.Valid(raw) {
			t.Fatalf("%q for a %s is %s", payload, e.Type.Name, raw)
		}
		v, err := e.Type.Kind.Read(raw, last, thing.MaxTextDown)
		if err != nil {
			return // a number that is too large, or a text whose JSON is
		}
		if state, ok := e.payload(v); !ok || len(state) == 0 {
			t.Fatalf("%q becomes %+v, of which the state is %q", payload, v, state)
		}
	})
}

// Whatever things and properties are called, what is announced is JSON with stable IDs, and every topic one that can be published to.
func FuzzDiscovery(f *testing.F) {
	f.Add("Living room", "Temperature", "temperature", uint8(3), true, -40.0, 85.0)
	f.Add("a/+/#", "{{ now() }}", "a/b", uint8(60), false, math.Inf(1), math.NaN())
	f.Add("\x00\"</script>", "é\U0001F600", "#", uint8(200), true, 1e308, -1e308)
	types := thing.Types()
	f.Fuzz(func(t *testing.T, called, named, variable string, n uint8, writes bool, low, high float64) {
		typ := types[int(n)%len(types)]
		p := thing.Property{ID: aProperty, Thing: aThing, Name: named, Variable: variable, Type: &typ, Permission: thing.ReadWrite, Min: low, Max: high, Strategy: thing.OnChange, Number: 1}
		if p.Check() != nil {
			return // never kept
		}
		u := setup()
		th := thing.Thing{ID: aThing, Name: called}
		e := entityOf(p, writes)
		gone := map[string]platform{componentKey(sensor, aProperty+"x"): sensor}
		text, err := u.describe(&th, called, []entity{e}, gone, origin{called, "https://example.org"})
		if err != nil {
			t.Fatal(err)
		}
		var d document
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		c, there := d.Components[e.key()]
		if !there || len(d.Components) != 2 || !required(c) || c.UniqueID != objectID(aProperty) || d.Device.Identifiers[0] != objectID(aThing) {
			t.Fatalf("%s", text)
		}
		again, err := u.describe(&th, called, []entity{e}, maps.Clone(gone), origin{called, "https://example.org"})
		if err != nil || string(again) != string(text) {
			t.Fatalf("the same thing is %s, then %s (%v)", text, again, err)
		}
		for _, topic := range []string{u.configTopic(aThing), c.StateTopic, c.CommandTopic, c.JSONAttributesTopic, d.Availability[0].Topic, d.Availability[1].Topic} {
			if strings.ContainsAny(topic, "+#\x00") || strings.ContainsFunc(topic, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) || len(topic) > 300 {
				t.Fatalf("topic %q", topic)
			}
		}
		id, v, word, ok := u.read(u.commandTopic(aThing, variable))
		if !ok || id != aThing || v != variable || word != wordSet {
			t.Fatalf("a command topic is read as %q %q %q", id, v, word)
		}
	})
}

func TestReadTopics(t *testing.T) {
	u := setup()
	for topic, want := range map[string]bool{
		"ardesia/" + aThing + "/x/set":                               true,
		"ardesia/" + aThing + "/x/state":                             true,
		"ardesia/" + aThing + "/x/availability":                      false,
		"ardesia/" + aThing + "/set":                                 false,
		"ardesia/" + aThing + "//set":                                false,
		"ardesia/" + aThing + "/x/y/set":                             false,
		"ardesia/" + aThing + "/" + strings.Repeat("x", 65) + "/set": false,
		"ardesia/" + aThing + "/+/set":                               false,
		"ardesia/lamp/x/set":                                         false,
		"other/" + aThing + "/x/set":                                 false,
		"":                                                           false,
	} {
		if _, _, _, ok := u.read(topic); ok != want {
			t.Errorf("%q is read: %v", topic, ok)
		}
	}
}

// Each task is there once, what things are comes before what they say, and old topics have a bound.
func TestTasks(t *testing.T) {
	var q tasks
	for _, x := range []task{{value, "a/1"}, {look, "a"}, {value, "a/1"}, {presence, "a"}, {value, "a/2"}, {look, "a"}} {
		q.add(x)
	}
	var got []task
	for x, ok := q.take(); ok; x, ok = q.take() {
		got = append(got, x)
	}
	if want := []task{{look, "a"}, {presence, "a"}, {value, "a/1"}, {value, "a/2"}}; !slices.Equal(got, want) {
		t.Errorf("tasks %v, want %v", got, want)
	}
	if !q.add(task{look, "a"}) {
		t.Error("what was done cannot be asked for again")
	}
	added := 0
	for n := range mostClearing + 10 {
		if q.add(task{clearing, string(rune('a'+n%26)) + strings.Repeat("x", n/26)}) {
			added++
		}
	}
	if added != mostClearing {
		t.Errorf("%d old topics wait", added)
	}
}
