// Package jsonschema is the part of JSON Schema 2020-12 that our API's document is written in: what a
// value looks like, as data that is written out, and the check of a value against it.
package jsonschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Schema says what a value looks like. Empty fields say nothing; the zero Schema allows any value.
type Schema struct {
	Ref         string   `json:"$ref,omitempty"` // the name of a shape that others use too, behind Root
	Type        Types    `json:"type,omitempty"`
	Format      string   `json:"format,omitempty"`
	Description string   `json:"description,omitempty"`
	Enum        []string `json:"enum,omitempty"`
	Pattern     string   `json:"pattern,omitempty"` // has a match anywhere, unless it is anchored
	MinLength   int      `json:"minLength,omitempty"`
	MaxLength   *int     `json:"maxLength,omitempty"` // characters
	Minimum     *float64 `json:"minimum,omitempty"`
	Maximum     *float64 `json:"maximum,omitempty"`
	MinItems    int      `json:"minItems,omitempty"`
	MaxItems    *int     `json:"maxItems,omitempty"`
	MinMembers  int      `json:"minProperties,omitempty"`
	MaxMembers  *int     `json:"maxProperties,omitempty"`
	Encoding    string   `json:"contentEncoding,omitempty"`
	Default     any      `json:"default,omitempty"`

	AnyOf    []*Schema          `json:"anyOf,omitempty"`
	Items    *Schema            `json:"items,omitempty"`
	Members  map[string]*Schema `json:"properties,omitempty"`
	Required []string           `json:"required,omitempty"`
	// Others are members with names of their own; nil allows any to a reader, and none to Check if there are Members.
	Others *Schema `json:"additionalProperties,omitempty"`
}

// Types are the kinds of JSON that a value may be of; none is any.
type Types []string

// MarshalJSON writes one type as a string, as readers of older versions expect it.
func (t Types) MarshalJSON() ([]byte, error) {
	if len(t) == 1 {
		return json.Marshal(t[0])
	}
	return json.Marshal([]string(t))
}

// Root stands before the name of a shape in Ref.
const Root = "#/components/schemas/"

// OrNull is s, or null.
func (s *Schema) OrNull() *Schema {
	switch {
	case s.Ref != "":
		return &Schema{AnyOf: []*Schema{{Type: Types{"null"}}, s}}
	case len(s.Type) == 0, slices.Contains(s.Type, "null"):
		return s
	}
	c := *s
	c.Type = append(slices.Clone(s.Type), "null")
	return &c
}

// maxDepth is how far values are followed; what our API answers nests 12 deep at most.
const maxDepth = 64

// Check says what of body, one JSON value, s does not allow. Members that s does not name are errors. shapes
// has what Ref names. The error tells where, and never what stood there.
func (s *Schema) Check(body []byte, shapes map[string]*Schema) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF { // More says no before a bracket that closes
		return fmt.Errorf("it is more than one JSON value")
	}
	return check{shapes}.value(s, v, "", 0)
}

type check struct{ shapes map[string]*Schema }

func wrong(path, format string, args ...any) error {
	if path == "" {
		path = "the whole"
	}
	return fmt.Errorf("%s %s", path, fmt.Sprintf(format, args...))
}

func (c check) value(s *Schema, v any, path string, depth int) error {
	if depth > maxDepth {
		return wrong(path, "nests too deep")
	}
	if s.Ref != "" {
		to, ok := c.shapes[strings.TrimPrefix(s.Ref, Root)]
		if !ok {
			return wrong(path, "is of the shape %s, which is not there", s.Ref)
		}
		return c.value(to, v, path, depth+1)
	}
	if len(s.AnyOf) > 0 {
		var err error
		for _, one := range s.AnyOf {
			if err = c.value(one, v, path, depth+1); err == nil {
				return nil
			}
		}
		return err
	}
	if kind := kindOf(v); len(s.Type) > 0 && !slices.Contains(s.Type, kind) && (kind != "integer" || !slices.Contains(s.Type, "number")) {
		return wrong(path, "is %s, not %s", kind, strings.Join(s.Type, " or "))
	}
	switch v := v.(type) {
	case string:
		return s.text(v, path)
	case json.Number:
		return s.number(v, path)
	case []any:
		return c.list(s, v, path, depth)
	case map[string]any:
		return c.object(s, v, path, depth)
	}
	return nil
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case json.Number:
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) {
			return "integer" // JSON Schema: 1.0 is one
		}
		return "number"
	}
	return "object"
}

func (s *Schema) text(v, path string) error {
	n := utf8.RuneCountInString(v)
	switch {
	case n < s.MinLength, s.MaxLength != nil && n > *s.MaxLength:
		return wrong(path, "has %d characters", n)
	case len(s.Enum) > 0 && !slices.Contains(s.Enum, v):
		return wrong(path, "is none of %s", strings.Join(s.Enum, ", "))
	}
	if s.Pattern != "" {
		if ok, err := regexp.MatchString(s.Pattern, v); err != nil || !ok {
			return wrong(path, "does not match %s", s.Pattern)
		}
	}
	if s.Format == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, v); err != nil {
			return wrong(path, "is no date and time as in RFC 3339")
		}
	}
	if s.Format == "uuid" && !uuidForm.MatchString(v) {
		return wrong(path, "is no UUID")
	}
	return nil
}

var uuidForm = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

func (s *Schema) number(v json.Number, path string) error {
	f, err := v.Float64()
	if err != nil {
		return wrong(path, "is no number that can be read")
	}
	if s.Minimum != nil && f < *s.Minimum || s.Maximum != nil && f > *s.Maximum {
		return wrong(path, "is out of its range")
	}
	return nil
}

func (c check) list(s *Schema, v []any, path string, depth int) error {
	if len(v) < s.MinItems || s.MaxItems != nil && len(v) > *s.MaxItems {
		return wrong(path, "has %d items", len(v))
	}
	for i, item := range v {
		if s.Items == nil {
			break
		}
		if err := c.value(s.Items, item, path+"["+strconv.Itoa(i)+"]", depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c check) object(s *Schema, v map[string]any, path string, depth int) error {
	if len(v) < s.MinMembers || s.MaxMembers != nil && len(v) > *s.MaxMembers {
		return wrong(path, "has %d members", len(v))
	}
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return wrong(path, "lacks %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		member, known := s.Members[name]
		at := name
		switch {
		case known:
		case s.Others != nil:
			member, at = s.Others, "*" // such a name is somebody's text
		case len(s.Members) > 0:
			return wrong(path, "has a member %s, which is not declared", name)
		default:
			continue
		}
		if path != "" {
			at = path + "." + at
		}
		if err := c.value(member, v[name], at, depth+1); err != nil {
			return err
		}
	}
	return nil
}
