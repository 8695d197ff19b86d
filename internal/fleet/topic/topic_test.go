package topic

import (
	"strings"
	"testing"
)

const (
	deviceA = "6a13fa35-29b1-4c0d-8a77-2f0f5e9c1d10"
	deviceB = "c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab"
	thingA  = "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11"
	thingB  = "11111111-2222-4333-8444-555555555555"
)

func TestParseReadsTheEightForms(t *testing.T) {
	for name, want := range map[string]Topic{
		"/a/d/" + deviceA + "/c/up":    {CommandUp, deviceA},
		"/a/d/" + deviceA + "/c/dw":    {CommandDown, deviceA},
		"/a/d/" + deviceA + "/e/o":     {DeviceOut, deviceA},
		"/a/d/" + deviceA + "/e/i":     {DeviceIn, deviceA},
		"/a/t/" + thingA + "/e/o":      {ThingOut, thingA},
		"/a/t/" + thingA + "/e/i":      {ThingIn, thingA},
		"/a/t/" + thingA + "/shadow/o": {ShadowOut, thingA},
		"/a/t/" + thingA + "/shadow/i": {ShadowIn, thingA},
	} {
		got, ok := Parse(name)
		if !ok || got != want {
			t.Errorf("Parse(%q) = %v, %v, want %v", name, got, ok, want)
		}
		if got.String() != name {
			t.Errorf("%v spells %q, want %q", got, got.String(), name)
		}
	}
}

func TestParseRefusesEverythingElse(t *testing.T) {
	for what, name := range map[string]string{
		"empty":                         "",
		"no leading slash":              "a/d/" + deviceA + "/e/o",
		"two leading slashes":           "//a/d/" + deviceA + "/e/o",
		"trailing slash":                "/a/d/" + deviceA + "/e/o/",
		"one level":                     "+",
		"all levels":                    "#",
		"wildcard for the ID":           "/a/d/+/e/i",
		"wildcard below the ID":         "/a/d/" + deviceA + "/#",
		"wildcard as long as an ID":     "/a/d/" + strings.Repeat("+", 36) + "/e/i",
		"wildcard at the end":           "/a/t/" + thingA + "/e/+",
		"shared subscription":           "$share/g/a/t/" + thingA + "/e/i",
		"shared, one slash more":        "$share/g//a/t/" + thingA + "/e/i",
		"system topic":                  "$SYS/broker/clients/connected",
		"upper case":                    "/a/d/" + strings.ToUpper(deviceA) + "/e/i",
		"empty ID":                      "/a/t//e/i", // what an empty thing_id makes the Python client subscribe to
		"nil UUID":                      "/a/t/00000000-0000-0000-0000-000000000000/e/i",
		"UUID without hyphens":          "/a/t/" + strings.ReplaceAll(thingA, "-", "") + "/e/i",
		"hyphen in the wrong place":     "/a/t/8c2f0b1-e2d7a-4f43-9c7e-5d8f0c4b7a11/e/i",
		"slash inside the ID":           "/a/t/8c2f0b1e-2d7a-4f43-9c7e-5d8f/c4b7a11/e/i",
		"NUL inside the ID":             "/a/t/8c2f0b1e-2d7a-4f43-9c7e-5d8f\x00c4b7a11/e/i",
		"shadow of a device":            "/a/d/" + deviceA + "/shadow/i",
		"commands of a thing":           "/a/t/" + thingA + "/c/up",
		"serial text":                   "/a/d/" + deviceA + "/s/o",
		"ID only":                       "/a/d/" + deviceA,
		"other tree":                    "/b/d/" + deviceA + "/e/o",
		"a suffix with something after": "/a/d/" + deviceA + "/c/upx",
	} {
		if got, ok := Parse(name); ok || got != (Topic{}) {
			t.Errorf("%s: Parse(%q) = %v, %v, want nothing", what, name, got, ok)
		}
	}
}

func TestEveryKindIsDeclared(t *testing.T) {
	all := Declared()
	if len(all) != int(Kinds)-1 {
		t.Fatalf("%d topics are declared, and there are %d kinds", len(all), Kinds-1)
	}
	seen := map[string]Kind{}
	for i, d := range all {
		if d.Kind != Kind(i)+1 || d.Prefix == "" || d.Suffix == "" {
			t.Errorf("kind %d is declared as %+v", i+1, d)
		}
		if other, taken := seen[d.String()]; taken {
			t.Errorf("kinds %d and %d are spelled alike", d.Kind, other)
		}
		seen[d.String()] = d.Kind
		if d.DevicePublishes == d.DeviceSubscribes {
			t.Errorf("%v is not exactly one of sent and received by devices", d)
		}
		if d.OfDevice() && (d.UserPublishes || d.UserSubscribes) {
			t.Errorf("%v is a device's, and yet users may use it", d)
		}
		if got, ok := Parse(d.Name(thingA)); !ok || got != (Topic{d.Kind, thingA}) || got.OfDevice() != d.OfDevice() {
			t.Errorf("%v reads as %v, %v", d, got, ok)
		}
	}
}

func TestDeviceReachesItsOwnTopicsOnly(t *testing.T) {
	for what, c := range map[string]struct {
		thing, topic       string
		publish, subscribe bool
	}{
		"own commands up":              {thingA, Name(CommandUp, deviceA), true, false},
		"own commands down":            {thingA, Name(CommandDown, deviceA), false, true},
		"own output":                   {thingA, Name(DeviceOut, deviceA), true, false},
		"own input":                    {thingA, Name(DeviceIn, deviceA), false, true},
		"its thing's output":           {thingA, Name(ThingOut, thingA), true, false},
		"its thing's input":            {thingA, Name(ThingIn, thingA), false, true},
		"its thing's shadow, question": {thingA, Name(ShadowOut, thingA), true, false},
		"its thing's shadow, answer":   {thingA, Name(ShadowIn, thingA), false, true},
		"another device's commands":    {thingA, Name(CommandUp, deviceB), false, false},
		"another device's input":       {thingA, Name(DeviceIn, deviceB), false, false},
		"another thing's input":        {thingA, Name(ThingIn, thingB), false, false},
		"another thing's output":       {thingA, Name(ThingOut, thingB), false, false},
		"the thing that it has left":   {"", Name(ThingIn, thingA), false, false},
		"nothing attached, empty ID":   {"", "/a/t//e/i", false, false},
		"a thing with the device's ID": {thingA, Name(ThingIn, deviceA), false, false},
		"a device with the thing's ID": {thingA, Name(DeviceIn, thingA), false, false},
		"everything":                   {thingA, "#", false, false},
		"everything below itself":      {thingA, "/a/d/" + deviceA + "/#", false, false},
	} {
		if got := DeviceMayPublish(deviceA, c.thing, c.topic); got != c.publish {
			t.Errorf("%s: may publish %v, want %v", what, got, c.publish)
		}
		if got := DeviceMaySubscribe(deviceA, c.thing, c.topic); got != c.subscribe {
			t.Errorf("%s: may subscribe %v, want %v", what, got, c.subscribe)
		}
	}
}

func TestUserReachesThingsByHisPermit(t *testing.T) {
	for what, c := range map[string]struct {
		permit             Permit
		topic              string
		publish, subscribe bool
	}{
		"writer, input":          {Write, Name(ThingIn, thingA), true, true},
		"writer, output":         {Write, Name(ThingOut, thingA), false, true},
		"reader, input":          {Read, Name(ThingIn, thingA), false, true},
		"reader, output":         {Read, Name(ThingOut, thingA), false, true},
		"stranger, input":        {Nothing, Name(ThingIn, thingA), false, false},
		"stranger, output":       {Nothing, Name(ThingOut, thingA), false, false},
		"writer, shadow":         {Write, Name(ShadowIn, thingA), false, false},
		"writer, shadow request": {Write, Name(ShadowOut, thingA), false, false},
		"writer, device input":   {Write, Name(DeviceIn, deviceA), false, false},
		"writer, commands":       {Write, Name(CommandDown, deviceA), false, false},
		"writer, all things":     {Write, "/a/t/+/e/o", false, false},
	} {
		permit := func(thing string) Permit {
			if thing != thingA {
				t.Errorf("%s: asked for %q", what, thing)
			}
			return c.permit
		}
		if got := UserMayPublish(c.topic, permit); got != c.publish {
			t.Errorf("%s: may publish %v, want %v", what, got, c.publish)
		}
		if got := UserMaySubscribe(c.topic, permit); got != c.subscribe {
			t.Errorf("%s: may subscribe %v, want %v", what, got, c.subscribe)
		}
	}
}

// matches is MQTT 3.1.1's own rule (section 4.7) of whether a filter selects a
// topic, written naively: the judge of the fuzz target below.
func matches(filter, name string) bool {
	if rest, ok := strings.CutPrefix(filter, "$share/"); ok {
		_, filter, _ = strings.Cut(rest, "/")
	}
	if strings.HasPrefix(name, "$") != strings.HasPrefix(filter, "$") {
		return false
	}
	f, n := strings.Split(filter, "/"), strings.Split(name, "/")
	for i, level := range f {
		if level == "#" {
			return true
		}
		if i >= len(n) || (level != "+" && level != n[i]) {
			return false
		}
	}
	return len(f) == len(n)
}

// Whatever topic or filter a client names: a device gets neither into nor out of
// another device's or thing's topics, a user without a permit gets nothing, and a
// name that is accepted survives a round trip.
func FuzzAccess(f *testing.F) {
	for k := None + 1; k < Kinds; k++ {
		for _, id := range []string{deviceA, deviceB, thingA, thingB, "+", "", strings.ToUpper(deviceA)} {
			f.Add(declared[k].Name(id))
		}
	}
	for _, s := range []string{"#", "/#", "/a/#", "+/a/+/+/+/+", "/+/+/+/+/+", "$share/x//a/d/" + deviceB + "/c/dw", "$SYS/#", "/a/d/" + deviceA + "/#", "/a/t//e/i", "/a/d/" + deviceB + "/e/i\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		mayPublish, maySubscribe := DeviceMayPublish(deviceA, thingA, name), DeviceMaySubscribe(deviceA, thingA, name)
		for k := None + 1; k < Kinds; k++ {
			for _, id := range []string{deviceB, thingB} {
				foreign := Name(k, id)
				if mayPublish && name == foreign {
					t.Fatalf("device may publish on %q", name)
				}
				if maySubscribe && matches(name, foreign) {
					t.Fatalf("device may subscribe to %q, which selects %q", name, foreign)
				}
				if UserMaySubscribe(name, func(thing string) Permit { return permitFor(thing == thingA) }) && matches(name, foreign) {
					t.Fatalf("user may subscribe to %q, which selects %q", name, foreign)
				}
			}
		}
		if DeviceMayPublish(deviceA, "", name) && !strings.Contains(name, deviceA) {
			t.Fatalf("device without a thing may publish on %q", name)
		}
		if UserMayPublish(name, func(string) Permit { return Nothing }) || UserMaySubscribe(name, func(string) Permit { return Nothing }) {
			t.Fatalf("stranger may use %q", name)
		}
		p, ok := Parse(name)
		if !ok {
			if mayPublish || maySubscribe {
				t.Fatalf("%q has no reading, yet it is allowed", name)
			}
			return
		}
		if p.String() != name || !IsID(p.ID) {
			t.Fatalf("%q reads as %v, which is spelled %q", name, p, p)
		}
	})
}

func permitFor(member bool) Permit {
	if member {
		return Write
	}
	return Nothing
}

func BenchmarkDeviceMayPublish(b *testing.B) {
	name := Name(ThingOut, thingA)
	b.ReportAllocs()
	for b.Loop() {
		if !DeviceMayPublish(deviceA, thingA, name) {
			b.Fatal("refused")
		}
	}
}
