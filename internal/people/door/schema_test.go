package door

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
)

// evenNumber reads itself and has an opinion.
type evenNumber int

func (e *evenNumber) UnmarshalJSON(b []byte) error {
	var n int
	if err := json.Unmarshal(b, &n); err != nil {
		return err
	}
	if n%2 != 0 {
		return problem.New(problem.Invalid, "odd", "Only even numbers are allowed here.")
	}
	*e = evenNumber(n)
	return nil
}

type wireBase struct {
	ID string `json:"id" rule:"format=uuid"`
}

type wirePart struct {
	Name  string   `json:"name" rule:"required,length=1..8"`
	Level *float64 `json:"level" rule:"range=0..100"`
}

type wireSample struct {
	wireBase
	Name   string            `json:"name" rule:"required,length=1..4" pattern:"[a-z]+"`
	Kind   string            `json:"kind,omitempty" rule:"enum=INT|FLOAT"`
	Count  int8              `json:"count"`
	Size   uint16            `json:"size"`
	On     *bool             `json:"on"`
	At     time.Time         `json:"at"`
	From   string            `json:"from" rule:"format=date-time"`
	Parts  []wirePart        `json:"parts" rule:"items=..2"`
	IDs    []string          `json:"ids" rule:"items=1..3,format=uuid"`
	Tags   map[string]string `json:"tags" rule:"items=..1,length=..3"`
	Value  any               `json:"value"`
	Raw    json.RawMessage   `json:"raw"`
	Even   evenNumber        `json:"even"`
	Hidden string            `json:"-"`
}

func TestSchemaCheck(t *testing.T) {
	s, err := SchemaOf(wireSample{})
	if err != nil {
		t.Fatal(err)
	}
	const id = "0e6f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b"
	for name, c := range map[string]struct {
		body string
		want string // part of the detail; "" is accepted
	}{
		"least":                   {`{"name":"a"}`, ""},
		"all":                     {`{"id":"` + id + `","name":"abc","kind":"INT","count":-128,"size":65535,"on":false,"at":"2030-01-02T03:04:05+01:00","from":"2030-01-02T03:04:05.5Z","parts":[{"name":"x","level":100}],"ids":["` + id + `"],"tags":{"a":"b"},"value":{"any":[1,null]},"raw":[[]],"even":4}`, ""},
		"nulls":                   {`{"name":"a","id":null,"kind":null,"count":null,"on":null,"at":null,"parts":null,"ids":null,"tags":null,"value":null,"raw":null,"even":null}`, ""},
		"unknown fields":          {`{"name":"a","future":{"name":7},"other":[1,2]}`, ""},
		"spaces around":           {" \n{\"name\":\"a\"}\n", ""},
		"nothing":                 {``, "no body"},
		"only spaces":             {" \n", "no body"},
		"not JSON":                {`name=a`, "not JSON"},
		"cut off":                 {`{"name":"a"`, "ends too early"},
		"two values":              {`{"name":"a"}{}`, "after its JSON value"},
		"not an object":           {`["name"]`, "must be an object"},
		"null":                    {`null`, "must be an object"},
		"missing":                 {`{"kind":"INT"}`, `"name" is missing`},
		"required is null":        {`{"name":null}`, `"name" is missing`},
		"required in a part":      {`{"name":"a","parts":[{"level":1}]}`, `"parts[0].name" is missing`},
		"empty":                   {`{"name":""}`, `"name" must have 1 to 4 characters`},
		"too long":                {`{"name":"abcde"}`, `"name" must have 1 to 4`},
		"four wide characters":    {`{"name":"aèèè"}`, ""},
		"pattern":                 {`{"name":"AB"}`, `"name" must match`},
		"pattern anywhere":        {`{"name":"A b"}`, ""},
		"enum":                    {`{"name":"a","kind":"BOOL"}`, `"kind" must be one of INT, FLOAT`},
		"number for a string":     {`{"name":1}`, `"name" must be a string`},
		"string for a number":     {`{"name":"a","count":"1"}`, `"count" must be a whole number`},
		"fraction for a whole":    {`{"name":"a","count":1.5}`, `"count" must be a whole number`},
		"exponent for a whole":    {`{"name":"a","count":1e1}`, `"count" must be a whole number`},
		"too large for its type":  {`{"name":"a","count":128}`, `"count" must be a whole number`},
		"negative for unsigned":   {`{"name":"a","size":-1}`, `"size" must be a whole number`},
		"string for a flag":       {`{"name":"a","on":"true"}`, `"on" must be true or false`},
		"date":                    {`{"name":"a","at":"yesterday"}`, `"at" must be a date`},
		"date in a string":        {`{"name":"a","from":"2030-01-02"}`, `"from" must be a date`},
		"not a UUID":              {`{"name":"a","id":"1"}`, `"id" must be a UUID`},
		"below the range":         {`{"name":"a","parts":[{"name":"x","level":-0.1}]}`, `"parts[0].level" must be between 0 and 100`},
		"beyond all numbers":      {`{"name":"a","parts":[{"name":"x","level":1e999}]}`, `"parts[0].level" must be a number`},
		"too many parts":          {`{"name":"a","parts":[{"name":"x"},{"name":"x"},{"name":"x"}]}`, `"parts" must have at most 2 members`},
		"too few ids":             {`{"name":"a","ids":[]}`, `"ids" must have 1 to 3 members`},
		"rule of a member":        {`{"name":"a","ids":["` + id + `","2"]}`, `"ids[1]" must be a UUID`},
		"too many tags":           {`{"name":"a","tags":{"a":"b","c":"d"}}`, `"tags" must have at most 1`},
		"tag too long":            {`{"name":"a","tags":{"secret":"bbbb"}}`, `"tags.*" must have at most 3`},
		"own opinion":             {`{"name":"a","even":3}`, `"even" is refused: Only even numbers`},
		"own form":                {`{"name":"a","even":"x"}`, `"even" must be a value`},
		"twice":                   {`{"name":"a","name":"b"}`, `"name" is there twice`},
		"twice in another case":   {`{"name":"a","NAME":""}`, `"name" is there twice`},
		"another case":            {`{"Name":""}`, `"name" must have 1 to 4`},
		"another case by folding": {`{"name":"a","ſize":-1}`, `"size" must be a whole number`},
		"NUL":                     {`{"name":"a\u0000"}`, "U+0000"},
		"NUL where nobody looks":  {`{"name":"a","value":{"x":["\\\u0000"]}}`, "U+0000"},
		"the text of a NUL":       {`{"name":"a","value":"\\u0000"}`, ""},
		"not UTF-8":               {"{\"name\":\"a\xff\"}", "UTF-8"},
		"deep where free":         {`{"name":"a","value":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Check([]byte(c.body))
			if c.want == "" {
				if err != nil {
					t.Fatalf("Check = %v, want nil", err)
				}
				if _, err := Decode(Route{In: wireSample{}}, []byte(c.body)); err != nil {
					t.Errorf("Decode = %v although Check agrees", err)
				}
				return
			}
			if got := problem.Of(err); got == nil || got.Kind != problem.Invalid || !strings.Contains(got.Detail, c.want) {
				t.Errorf("Check = %v, want a detail with %q", err, c.want)
			}
		})
	}
}

func TestSchemaOfRefuses(t *testing.T) {
	type loop struct {
		Next []*loop `json:"next"`
	}
	for name, v := range map[string]any{
		"nil":     nil,
		"channel": make(chan int),
		"itself":  loop{},
		"unknown rule": struct {
			A string `rule:"unique"`
		}{},
		"bad length": struct {
			A string `rule:"length=4"`
		}{},
		"bad bounds": struct {
			A string `rule:"length=4..2"`
		}{},
		"bad range": struct {
			A int `rule:"range=b..c"`
		}{},
		"bad pattern": struct {
			A string `pattern:"["`
		}{},
		"bad format": struct {
			A string `rule:"format=colour"`
		}{},
		"quoted": struct {
			A int `json:"a,string"`
		}{},
		"same name": struct {
			A int `json:"a"`
			B int `json:"A"`
		}{},
		"number keys": map[int]string{},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := SchemaOf(v); err == nil {
				t.Error("SchemaOf accepted it")
			}
		})
	}
}

func TestSampleKeepsTheRules(t *testing.T) {
	type list struct {
		A []string       `json:"a" rule:"required,items=2..,format=uuid"`
		M map[string]int `json:"m" rule:"required,items=2..3,range=10..20"`
		E string         `json:"e" rule:"required,enum=X|Y"`
		T time.Time      `json:"t" rule:"required"`
		F bool           `json:"f" rule:"required"`
		N float64        `json:"n" rule:"required,range=..-5"`
		P wirePart       `json:"p" rule:"required"`
		V any            `json:"v" rule:"required"`
	}
	for name, v := range map[string]any{"sample": wireSample{}, "list": list{}} {
		t.Run(name, func(t *testing.T) {
			s, err := SchemaOf(v)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Check(s.Sample()); err != nil {
				t.Errorf("Check(%s) = %v", s.Sample(), err)
			}
		})
	}
}

func TestIsUUID(t *testing.T) {
	for text, want := range map[string]bool{
		"0e6f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b":  true,
		"0E6F1A2B-3C4D-4E5F-8A9B-0C1D2E3F4A5B":  true,
		"0e6f1a2b3c4d4e5f8a9b0c1d2e3f4a5b":      false,
		"0e6f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5g":  false,
		"0e6f1a2b-3c4d-4e5f-8a9b-0c1d2e3f4a5b0": false,
		"":                                      false,
	} {
		if got := IsUUID(text); got != want {
			t.Errorf("IsUUID(%q) = %v, want %v", text, got, want)
		}
	}
}

// Whatever a client sends, a body is refused as the client's fault, or it keeps
// the rules and can be read; the two steps agree.
func FuzzDecode(f *testing.F) {
	s, err := SchemaOf(wireSample{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Sample())
	f.Add([]byte(`{"name":"a","parts":[{"name":"x","level":1e2}],"tags":{"a":"b"},"even":2,"at":"2030-01-02T03:04:05Z"}`))
	f.Add([]byte(`{"NAME":"a","value":"\u0000","ids":[null],"raw":{}}`))
	f.Add([]byte(`[[[[[[[[`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > DefaultBody {
			return
		}
		refused := s.Check(body)
		v, err := Decode(Route{In: wireSample{}}, body)
		if (refused == nil) != (err == nil) {
			t.Fatalf("Check says %v, Decode says %v", refused, err)
		}
		if err != nil {
			if status := rest.Status(err); status != 400 && status != 413 {
				t.Fatalf("status %d for %v", status, err)
			}
			if !errors.As(err, new(*problem.Problem)) {
				t.Fatalf("%v is no problem", err)
			}
			return
		}
		got := v.(*wireSample)
		if n := len([]rune(got.Name)); n < 1 || n > 4 {
			t.Fatalf("%q was accepted with the name %q", body, got.Name)
		}
		if len(got.Parts) > 2 || len(got.Tags) > 1 || got.Even%2 != 0 {
			t.Fatalf("%q was accepted as %+v", body, got)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	s, err := SchemaOf(wireSample{})
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(`{"name":"abc","kind":"INT","count":-128,"on":false,"parts":[{"name":"x","level":100}],"value":21.5}`)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Check(body); err != nil {
			b.Fatal(err)
		}
	}
}
