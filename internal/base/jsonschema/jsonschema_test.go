package jsonschema

import (
	"encoding/json"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// What a schema does not allow is found, whatever it is.
func TestCheck(t *testing.T) {
	shapes := map[string]*Schema{"tag": {Type: Types{"object"}, Members: map[string]*Schema{"key": {Type: Types{"string"}}}, Required: []string{"key"}}}
	s := &Schema{
		Type: Types{"object"}, Required: []string{"id"},
		Members: map[string]*Schema{
			"id":    {Type: Types{"string"}, Format: "uuid"},
			"name":  {Type: Types{"string"}, MinLength: 1, MaxLength: ptr(3), Pattern: "^[a-zß]+$"},
			"mode":  {Type: Types{"string"}, Enum: []string{"A", "B"}},
			"count": {Type: Types{"integer"}, Minimum: ptr(0.0), Maximum: ptr(9.0)},
			"ratio": {Type: Types{"number"}},
			"at":    (&Schema{Type: Types{"string"}, Format: "date-time"}).OrNull(),
			"tags":  {Type: Types{"array"}, MaxItems: ptr(2), Items: &Schema{Ref: Root + "tag"}},
			"free":  {},
			"map":   {Type: Types{"object"}, Others: &Schema{Type: Types{"integer"}}, MaxMembers: ptr(2)},
			"gone":  {Ref: Root + "nobody"},
		},
	}
	const id = `"id":"6ba7b810-9dad-41d1-80b4-00c04fd430c8"`
	for body, good := range map[string]bool{
		`{` + id + `}`:                           true,
		`{}`:                                     false,
		`[]`:                                     false,
		`{` + id + `} {}`:                        false,
		`{` + id:                                 false,
		`{"id":"x"}`:                             false,
		`{"id":null}`:                            false,
		`{` + id + `,"more":1}`:                  false,
		`{` + id + `,"name":"aß"}`:               true,
		`{` + id + `,"name":""}`:                 false,
		`{` + id + `,"name":"abcd"}`:             false,
		`{` + id + `,"name":"A"}`:                false,
		`{` + id + `,"mode":"C"}`:                false,
		`{` + id + `,"count":9.0}`:               true,
		`{` + id + `,"count":9.5}`:               false,
		`{` + id + `,"count":10}`:                false,
		`{` + id + `,"count":"1"}`:               false,
		`{` + id + `,"ratio":1}`:                 true,
		`{` + id + `,"at":null}`:                 true,
		`{` + id + `,"at":"yesterday"}`:          false,
		`{` + id + `,"tags":[{"key":"a"}]}`:      true,
		`{` + id + `,"tags":[{}]}`:               false,
		`{` + id + `,"tags":[{"kez":"a"}]}`:      false,
		`{` + id + `,"tags":null}`:               false,
		`{` + id + `,"tags":[{},{},{}]}`:         false,
		`{` + id + `,"free":{"any":[1]}}`:        true,
		`{` + id + `,"map":{"a":1}}`:             true,
		`{` + id + `,"map":{"a":"x","b":1}}`:     false,
		`{` + id + `,"map":{"b":1,"c":"x"}}`:     false,
		`{` + id + `,"map":{"a":1,"b":1,"c":1}}`: false,
		`{` + id + `,"gone":1}`:                  false,
	} {
		if err := s.Check([]byte(body), shapes); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestWritten(t *testing.T) {
	text, err := json.Marshal((&Schema{Type: Types{"string"}, MaxLength: ptr(0)}).OrNull())
	if want := `{"type":["string","null"],"maxLength":0}`; err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}

// Whatever an answer is, the check ends, and what it allows is one JSON value.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"a":[{"a":[]}]}`))
	f.Add([]byte(`[1e999]`))
	f.Add([]byte(`{} }`))
	shapes := map[string]*Schema{"it": {Type: Types{"object"}, Members: map[string]*Schema{"a": {Type: Types{"array"}, Items: &Schema{Ref: Root + "it"}}}}}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := (&Schema{Ref: Root + "it"}).Check(body, shapes); err == nil && !json.Valid(body) {
			t.Fatalf("%q passed", body)
		}
	})
}
