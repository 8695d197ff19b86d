package thing

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

func number(f float64) series.Value { return series.Value{Kind: series.Float, Num: f} }
func integer(i int64) series.Value  { return series.Value{Kind: series.Int, Int: i} }
func truthy(i int64) series.Value   { return series.Value{Kind: series.Bool, Int: i} }
func text(s string) series.Value    { return series.Value{Kind: series.Text, Text: s} }
func object(s string) series.Value  { return series.Value{Kind: series.Object, Text: s} }

func TestReadJSON(t *testing.T) {
	for name, c := range map[string]struct {
		kind Kind
		json string
		last series.Value
		want series.Value
		err  error
	}{
		"true":                          {Bool, `true`, series.Value{}, truthy(1), nil},
		"number for a flag":             {Bool, `1`, series.Value{}, series.Value{}, ErrWrongKind},
		"text for a flag":               {Bool, `"true"`, series.Value{}, series.Value{}, ErrWrongKind},
		"integer":                       {Int, `-7`, series.Value{}, integer(-7), nil},
		"integer with a fraction of 0":  {Int, `100.0`, series.Value{}, integer(100), nil},
		"integer as a power":            {Int, `1e3`, series.Value{}, integer(1000), nil},
		"fraction for an integer":       {Int, `1.5`, series.Value{}, series.Value{}, ErrWrongKind},
		"largest safe integer":          {Int, `9007199254740992`, series.Value{}, integer(1 << 53), nil},
		"larger than JavaScript counts": {Int, `9007199254740994`, series.Value{}, series.Value{}, ErrOutOfRange},
		"time":                          {Time, `4294967295`, series.Value{}, integer(math.MaxUint32), nil},
		"time before 1970":              {Time, `-1`, series.Value{}, series.Value{}, ErrOutOfRange},
		"number":                        {Float, `21.5`, series.Value{}, number(21.5), nil},
		"whole number for a float":      {Float, `21`, series.Value{}, number(21), nil},
		"beyond a double":               {Float, `1e400`, series.Value{}, series.Value{}, ErrOutOfRange},
		"not a number at all":           {Float, `NaN`, series.Value{}, series.Value{}, ErrWrongKind},
		"null":                          {Float, `null`, series.Value{}, series.Value{}, ErrWrongKind},
		"nothing":                       {Float, ``, series.Value{}, series.Value{}, ErrWrongKind},
		"two values":                    {Float, `1 2`, series.Value{}, series.Value{}, ErrWrongKind},
		"array":                         {Float, `[1]`, series.Value{}, series.Value{}, ErrWrongKind},
		"text":                          {Text, `"più <b>"`, series.Value{}, text("più <b>"), nil},
		"long text":                     {Text, `"` + strings.Repeat("x", 101) + `"`, series.Value{}, series.Value{}, ErrTooLong},
		"number for a text":             {Text, `5`, series.Value{}, series.Value{}, ErrWrongKind},
		"location":                      {Location, `{"lon":7.69,"lat":45.07}`, series.Value{}, object(`{"lat":45.07,"lon":7.69}`), nil},
		"location out of the world":     {Location, `{"lat":91}`, series.Value{}, series.Value{}, ErrOutOfRange},
		"part of a colour":              {Color, `{"hue":210}`, object(`{"bri":75,"hue":1,"sat":50}`), object(`{"bri":75,"hue":210,"sat":50}`), nil},
		"first part of a colour":        {Color, `{"hue":210}`, series.Value{}, object(`{"bri":0,"hue":210,"sat":0}`), nil},
		"colour with unknown attribute": {Color, `{"hue":1,"x":2}`, series.Value{}, object(`{"bri":0,"hue":1,"sat":0}`), nil},
		"nothing of a colour":           {Color, `{"x":2}`, series.Value{}, series.Value{}, ErrWrongKind},
		"text for a colour":             {Color, `"#fff"`, series.Value{}, series.Value{}, ErrWrongKind},
		"flag of a light":               {DimmedLight, `{"swi":true,"bri":80}`, series.Value{}, object(`{"bri":80,"swi":true}`), nil},
		"number for a light's flag":     {DimmedLight, `{"swi":1}`, series.Value{}, series.Value{}, ErrWrongKind},
		"light on":                      {ColoredLight, `{"swi":true}`, series.Value{}, object(`{"bri":0,"hue":0,"sat":0,"swi":true}`), nil},
		"television starts":             {Television, `{"vol":10}`, series.Value{}, object(`{"cha":0,"inp":55,"mut":false,"pbc":255,"swi":false,"vol":10}`), nil},
		"half a channel":                {Television, `{"cha":1.5}`, series.Value{}, series.Value{}, ErrWrongKind},
		"schedule":                      {Schedule, `{"frm":1700000000,"to":0,"len":3600,"msk":134217790}`, series.Value{}, object(`{"frm":1700000000,"len":3600,"msk":134217790,"to":0}`), nil},
		"schedule with a large mask":    {Schedule, `{"msk":4294967296}`, series.Value{}, series.Value{}, ErrOutOfRange},
		"free object":                   {Free, `{"z":1.50,"a":{"b":[true,null]}}`, object(`{"old":1}`), object(`{"a":{"b":[true,null]},"z":1.50}`), nil},
		"large free object":             {Free, `{"a":"` + strings.Repeat("x", 101) + `"}`, series.Value{}, series.Value{}, ErrTooLong},
		"array for a free object":       {Free, `[]`, series.Value{}, series.Value{}, ErrWrongKind},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.kind.Read(json.RawMessage(c.json), c.last, 100)
			if got != c.want || !errors.Is(err, c.err) {
				t.Errorf("Read(%s) = %+v, %v, want %+v, %v", c.json, got, err, c.want, c.err)
			}
		})
	}
}

func TestWriteJSON(t *testing.T) {
	for name, c := range map[string]struct {
		v    series.Value
		want string
	}{
		"flag":            {truthy(1), `true`},
		"integer":         {integer(-42), `-42`},
		"number":          {number(21.5), `21.5`},
		"tiny number":     {number(1e-9), `1e-09`},
		"large number":    {number(1e21), `1e+21`},
		"no number":       {number(math.NaN()), `null`},
		"text":            {text("a\"b<c>\n"), `"a\"b<c>\n"`},
		"object":          {object(`{"a":1}`), `{"a":1}`},
		"broken object":   {object(`{"a":`), `null`},
		"text that is {}": {text(`{}`), `"{}"`},
	} {
		t.Run(name, func(t *testing.T) {
			got := string(appendJSON(nil, c.v))
			if got != c.want || !json.Valid([]byte(got)) {
				t.Errorf("appendJSON(%+v) = %s, want %s", c.v, got, c.want)
			}
		})
	}
}

// Whatever JSON a client sends, Read either refuses it with one of its three errors
// or makes a value of the kind's form that is JSON again and reads back as itself.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`true`, `21.5`, `-3`, `"text"`, `{"hue":210,"sat":50,"bri":75}`, `{"swi":true,"vol":3,"pbc":255}`,
		`{"frm":1700000000,"to":0,"len":3600,"msk":134217790}`, `{"lat":45.07,"lon":7.69}`, `{"a":{"b":[1,null,"\u0000"]}}`, `1e308`, `null`, `[`} {
		for k := range kinds {
			f.Add(uint8(k), s, `{"hue":1,"swi":true}`)
		}
	}
	f.Fuzz(func(t *testing.T, k uint8, in, last string) {
		kind := Kind(k) % kinds
		v, err := kind.Read(json.RawMessage(in), object(last), MaxText)
		if err != nil {
			if !errors.Is(err, ErrWrongKind) && !errors.Is(err, ErrOutOfRange) && !errors.Is(err, ErrTooLong) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if v.Kind != kind.stored() {
			t.Fatalf("%q became a %v, want a %v", in, v.Kind, kind.stored())
		}
		out := appendJSON(nil, v)
		if !json.Valid(out) {
			t.Fatalf("%q is written as %q, which is no JSON", in, out)
		}
		again, err := kind.Read(out, v, 2*MaxText)
		if err != nil || again != v {
			t.Fatalf("%q: read %+v, written %s, read again %+v (%v)", in, v, out, again, err)
		}
	})
}
