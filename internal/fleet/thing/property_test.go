package thing

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

func property(name string) Property {
	return Property{ID: "p-" + name, Name: name, Variable: variableName(name), Type: TypeOf("FLOAT"), Permission: ReadWrite,
		Strategy: OnChange, Persist: true, Number: 1, Min: math.NaN(), Max: math.NaN()}
}

func TestPropertyCheck(t *testing.T) {
	with := func(change func(p *Property)) Property {
		p := property("temperature")
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		p    Property
		want error
	}{
		"good":                   {property("temperature"), nil},
		"name with spaces":       {with(func(p *Property) { p.Name = "Soil moisture, °C" }), nil},
		"no name":                {with(func(p *Property) { p.Name = "" }), ErrPropertyName},
		"long name":              {with(func(p *Property) { p.Name = strings.Repeat("ü", 65) }), ErrPropertyName},
		"name of 64 letters":     {with(func(p *Property) { p.Name = strings.Repeat("ü", 64) }), nil},
		"name with a line break": {with(func(p *Property) { p.Name = "a\nb" }), ErrPropertyName},
		"variable with a space":  {with(func(p *Property) { p.Variable = "a b" }), ErrVariable},
		"variable with a digit":  {with(func(p *Property) { p.Variable = "1a" }), ErrVariable},
		"long variable":          {with(func(p *Property) { p.Variable = strings.Repeat("a", 65) }), ErrVariable},
		"the device's own":       {with(func(p *Property) { p.Variable = "tz_offset" }), ErrReserved},
		"no type":                {with(func(p *Property) { p.Type = nil }), ErrType},
		"no permission":          {with(func(p *Property) { p.Permission = "WRITE" }), ErrPermission},
		"no strategy":            {with(func(p *Property) { p.Strategy = "" }), ErrStrategy},
		"negative parameter":     {with(func(p *Property) { p.Parameter = -1 }), ErrParameter},
		"tag 0":                  {with(func(p *Property) { p.Number = 0 }), ErrNumber},
		"minimum above maximum":  {with(func(p *Property) { p.Min, p.Max = 5, 1 }), nil}, // they are for people
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.p.Check(); !errors.Is(got, c.want) {
				t.Errorf("Check() = %v, want %v", got, c.want)
			}
		})
	}
}

func TestVariableNames(t *testing.T) {
	for name, want := range map[string]string{
		"Prop_1":                      "Prop_1",
		"temperature":                 "temperature",
		"Soil Moisture":               "Soil_Moisture",
		"°C":                          "_C",
		"1st":                         "_1st",
		"-":                           "_",
		strings.Repeat("a", 70):       strings.Repeat("a", 64),
		"1" + strings.Repeat("b", 70): "_1" + strings.Repeat("b", 62),
	} {
		if got := variableName(name); got != want || !variablePattern.MatchString(got) {
			t.Errorf("variableName(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestPropertiesGetNamesAndNumbers(t *testing.T) {
	var thing Thing
	add := func(p Property) Property {
		p.ID = fmt.Sprint(len(thing.Properties))
		thing.addProperty(p)
		for _, have := range thing.Properties {
			if have.ID == p.ID {
				return have
			}
		}
		panic("not added")
	}
	unnamed := func(name string) Property {
		p := property(name)
		p.Variable, p.Number = "", 0
		return p
	}
	if got := add(unnamed("soil moisture")); got.Variable != "soil_moisture" || got.Number != 1 {
		t.Errorf("first: %s, %d", got.Variable, got.Number)
	}
	if got := add(unnamed("soil-moisture")); got.Variable != "soil_moisture_2" || got.Number != 2 {
		t.Errorf("clash: %s, %d", got.Variable, got.Number)
	}
	if got := add(unnamed("soil.moisture")); got.Variable != "soil_moisture_3" || got.Number != 3 {
		t.Errorf("second clash: %s, %d", got.Variable, got.Number)
	}
	if got := add(unnamed("tz offset")); got.Variable != "tz_offset_2" {
		t.Errorf("reserved: %s", got.Variable)
	}
	chosen := unnamed("chosen")
	chosen.Number = 20
	if got := add(chosen); got.Number != 20 {
		t.Errorf("chosen number: %d", got.Number)
	}
	thing.Properties[len(thing.Properties)-1].DeletedAt = time.Unix(1, 0)
	if got := add(unnamed("after")); got.Number != 21 {
		t.Errorf("after a deleted one: %d, want 21", got.Number)
	}
	long := strings.Repeat("x", 64)
	add(unnamed(long))
	if got := add(unnamed(long + " ")); len(got.Variable) != 64 || !strings.HasSuffix(got.Variable, "_2") {
		t.Errorf("clash of long names: %s", got.Variable)
	}
}

func TestThingHasAtMostAHundredProperties(t *testing.T) {
	thing := Thing{Name: "t", Timezone: "UTC"}
	for i := range MaxProperties {
		p := property(fmt.Sprintf("p%d", i))
		p.Number = 0
		thing.addProperty(p)
	}
	if err := thing.Check(); err != nil {
		t.Fatalf("a hundred: %v", err)
	}
	p := property("one more")
	p.Number = 0
	thing.addProperty(p)
	if err := thing.Check(); !errors.Is(err, ErrTooManyProperties) {
		t.Errorf("a hundred and one: %v", err)
	}
	thing.Properties[0].DeletedAt = time.Unix(1, 0)
	if err := thing.Check(); err != nil {
		t.Errorf("a deleted one counts: %v", err)
	}
}

func TestNamesInsideAThing(t *testing.T) {
	pair := func(change func(p *Property)) Thing {
		a, b := property("a"), property("b")
		b.Number = 2
		change(&b)
		return Thing{Name: "t", Timezone: "UTC", Properties: []Property{a, b}}
	}
	for name, c := range map[string]struct {
		change func(p *Property)
		want   error
	}{
		"different":            {func(*Property) {}, nil},
		"same name":            {func(p *Property) { p.Name = "a" }, ErrPropertyNameTaken},
		"same variable":        {func(p *Property) { p.Variable = "a" }, ErrVariableTaken},
		"same tag":             {func(p *Property) { p.Number = 1 }, ErrNumberTaken},
		"same but deleted":     {func(p *Property) { *p = property("a"); p.DeletedAt = time.Unix(1, 0) }, nil},
		"names differ by case": {func(p *Property) { p.Name, p.Variable = "A", "A" }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			thing := pair(c.change)
			if got := thing.Check(); !errors.Is(got, c.want) {
				t.Errorf("Check() = %v, want %v", got, c.want)
			}
		})
	}
}

func TestThingCheck(t *testing.T) {
	for name, c := range map[string]struct {
		thing Thing
		want  error
	}{
		"good":                {Thing{Name: "Kitchen 2.0 - left_side", Timezone: "Europe/Rome", Assistant: Alexa, Webhook: "https://example.org/x?y"}, nil},
		"no name":             {Thing{Timezone: "UTC"}, ErrName},
		"long name":           {Thing{Name: strings.Repeat("n", 65), Timezone: "UTC"}, ErrName},
		"umlaut":              {Thing{Name: "Küche", Timezone: "UTC"}, ErrName},
		"time zone":           {Thing{Name: "n", Timezone: "Mars"}, ErrTimezone},
		"assistant":           {Thing{Name: "n", Timezone: "UTC", Assistant: "SIRI"}, ErrAssistant},
		"webhook to a file":   {Thing{Name: "n", Timezone: "UTC", Webhook: "file:///etc/passwd"}, ErrWebhook},
		"webhook to nowhere":  {Thing{Name: "n", Timezone: "UTC", Webhook: "https://"}, ErrWebhook},
		"tag without key":     {Thing{Name: "n", Timezone: "UTC", Tags: []Tag{{"", "v"}}}, ErrTag},
		"tag with space":      {Thing{Name: "n", Timezone: "UTC", Tags: []Tag{{"k", "a b"}}}, ErrTag},
		"tag without a value": {Thing{Name: "n", Timezone: "UTC", Tags: []Tag{{"k", ""}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.thing.Check(); !errors.Is(got, c.want) {
				t.Errorf("Check() = %v, want %v", got, c.want)
			}
		})
	}
}

func TestSlug(t *testing.T) {
	for name, want := range map[string]string{"My Thing": "my-thing", "a__B..c": "a-b-c", " x ": "x", "°": "thing", "Prop_1": "prop-1"} {
		if got := slug(name); got != want {
			t.Errorf("slug(%q) = %q, want %q", name, got, want)
		}
	}
}
