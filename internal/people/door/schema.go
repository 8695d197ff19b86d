package door

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Schema is what a wire type asks of a body. It is made once, from the type's
// Go kinds, its json tags and two more:
//
//	rule:"required,length=1..64,range=0..100,items=0..50,enum=GPIO|I2C,format=uuid"
//	pattern:"[a-zA-Z0-9_.@-]+"
//
// required: the field is there and not null. length: characters of a string.
// range: a number, both ends included. items: members of an array or object.
// enum: a string is one of these. format: uuid or date-time (RFC 3339).
// pattern: a string has a match, anywhere unless the pattern is anchored, as the
// compatible API does it. Either end of a.. b may be left out. On an array
// of strings or numbers, length, range, enum, format and pattern hold for each
// member.
//
// A field that may be left out may be null too, because clients send both. What
// the type does not have is skipped. A field that occurs twice, or differs
// from the declared name only in case, is judged by the same rules as the real
// one, because encoding/json would read it as such; twice is refused.
type Schema struct {
	kind   kind
	fields []field        // of an object with named fields
	index  map[string]int // into fields, by lower-cased name
	elem   *Schema        // of an array, or of an object with free names
	bits   int            // of an integer
	signed bool
	rules  rules
	custom reflect.Type // reads itself
}

type field struct {
	name     string
	required bool
	schema   *Schema
}

// kind is the shape of a JSON value.
type kind int

const (
	anything kind = iota
	object        // with named fields
	mapping       // object with free names
	list
	text
	integer
	number
	flag
	custom // has its own UnmarshalJSON or UnmarshalText

	shapes
)

// shape tells people what a value should be.
var shape = [shapes]string{
	anything: "any value", object: "an object", mapping: "an object", list: "an array", text: "a string",
	integer: "a whole number", number: "a number", flag: "true or false", custom: "a value in the form that it describes",
}

type rules struct {
	length, items bounds
	bounded       bool
	low, high     float64
	enum          []string
	format        string
	pattern       *regexp.Regexp
}

// bounds of a count; max < 0 is no upper bound.
type bounds struct {
	set      bool
	min, max int
}

func (b bounds) hold(n int) bool { return !b.set || n >= b.min && (b.max < 0 || n <= b.max) }

func (b bounds) String() string {
	switch {
	case b.max < 0:
		return "at least " + strconv.Itoa(b.min)
	case b.min == 0:
		return "at most " + strconv.Itoa(b.max)
	case b.min == b.max:
		return "exactly " + strconv.Itoa(b.min)
	}
	return strconv.Itoa(b.min) + " to " + strconv.Itoa(b.max)
}

// maxDepth is how far wire types and bodies nest. The deepest of the
// compatible API, a dashboard's widget options, needs 7.
const maxDepth = 32

var (
	jsonReader = reflect.TypeFor[json.Unmarshaler]()
	textReader = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawJSON    = reflect.TypeFor[json.RawMessage]()
	timestamp  = reflect.TypeFor[time.Time]()
	jsonNumber = reflect.TypeFor[json.Number]()
)

// SchemaOf reads the rules of v's type. An error means that a tag is wrong or that
// the type cannot be read from JSON.
func SchemaOf(v any) (*Schema, error) {
	t := reflect.TypeOf(v)
	if t == nil {
		return nil, fmt.Errorf("schema of nil")
	}
	return compile(t, rules{}, 0)
}

func compile(t reflect.Type, r rules, depth int) (*Schema, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("schema of %v: nests deeper than %d, or contains itself", t, maxDepth)
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := &Schema{rules: r}
	switch {
	case t == rawJSON:
		return s, nil
	case t == timestamp:
		s.kind, s.rules.format = text, "date-time"
		return s, nil
	case t == jsonNumber:
		s.kind = number
		return s, nil
	case t.Implements(jsonReader) || reflect.PointerTo(t).Implements(jsonReader) ||
		t.Implements(textReader) || reflect.PointerTo(t).Implements(textReader):
		s.kind, s.custom = custom, t
		return s, nil
	}
	var err error
	switch t.Kind() {
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return nil, fmt.Errorf("schema of %v: JSON cannot be read into it", t)
		}
	case reflect.String:
		s.kind = text
	case reflect.Bool:
		s.kind = flag
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.bits, s.signed = integer, t.Bits(), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind, s.bits = integer, t.Bits()
	case reflect.Float32, reflect.Float64:
		s.kind, s.bits = number, t.Bits()
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			s.kind, s.custom = custom, t // base64
			return s, nil
		}
		s.kind = list
		inner := r
		inner.items = bounds{}
		s.elem, err = compile(t.Elem(), inner, depth+1)
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("schema of %v: its keys are not strings", t)
		}
		s.kind = mapping
		inner := r
		inner.items = bounds{}
		s.elem, err = compile(t.Elem(), inner, depth+1)
	case reflect.Struct:
		s.kind, s.index = object, make(map[string]int)
		err = s.addFields(t, depth)
	default:
		return nil, fmt.Errorf("schema of %v: JSON cannot be read into it", t)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Schema) addFields(t reflect.Type, depth int) error {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if f.Anonymous && name == "" {
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				if err := s.addFields(inner, depth+1); err != nil {
					return err
				}
				continue
			}
		}
		if name == "" {
			name = f.Name
		}
		if strings.Contains(options, "string") {
			return fmt.Errorf("schema of %v.%s: a quoted value cannot be checked", t, f.Name)
		}
		r, required, err := parseRules(f.Tag)
		if err != nil {
			return fmt.Errorf("schema of %v.%s: %w", t, f.Name, err)
		}
		inner, err := compile(f.Type, r, depth+1)
		if err != nil {
			return err
		}
		key := strings.ToLower(name)
		if _, twice := s.index[key]; twice {
			return fmt.Errorf("schema of %v: two fields are called %s", t, name)
		}
		s.index[key] = len(s.fields)
		s.fields = append(s.fields, field{name: name, required: required, schema: inner})
	}
	return nil
}

func parseRules(tag reflect.StructTag) (r rules, required bool, err error) {
	if p := tag.Get("pattern"); p != "" {
		if r.pattern, err = regexp.Compile(p); err != nil {
			return r, false, err
		}
	}
	if tag.Get("rule") == "" {
		return r, false, nil
	}
	for rule := range strings.SplitSeq(tag.Get("rule"), ",") {
		name, value, _ := strings.Cut(rule, "=")
		switch name {
		case "required":
			required = true
		case "length":
			r.length, err = parseBounds(value)
		case "items":
			r.items, err = parseBounds(value)
		case "range":
			r.bounded = true
			r.low, r.high, err = parseRange(value)
		case "enum":
			r.enum = strings.Split(value, "|")
		case "format":
			if value != "uuid" && value != "date-time" {
				err = fmt.Errorf("format %q is not one that we know", value)
			}
			r.format = value
		default:
			err = fmt.Errorf("rule %q is not one that we know", name)
		}
		if err != nil {
			return r, false, err
		}
	}
	return r, required, nil
}

func parseBounds(text string) (bounds, error) {
	low, high, ok := strings.Cut(text, "..")
	b := bounds{set: true, max: -1}
	var err1, err2 error
	if low != "" {
		b.min, err1 = strconv.Atoi(low)
	}
	if high != "" {
		b.max, err2 = strconv.Atoi(high)
	}
	if !ok || err1 != nil || err2 != nil || b.min < 0 || b.max >= 0 && b.max < b.min {
		return b, fmt.Errorf("%q is not two bounds", text)
	}
	return b, nil
}

func parseRange(text string) (low, high float64, err error) {
	a, b, ok := strings.Cut(text, "..")
	low, high = math.Inf(-1), math.Inf(1)
	var err1, err2 error
	if a != "" {
		low, err1 = strconv.ParseFloat(a, 64)
	}
	if b != "" {
		high, err2 = strconv.ParseFloat(b, 64)
	}
	if !ok || err1 != nil || err2 != nil || high < low {
		return 0, 0, fmt.Errorf("%q is not a range", text)
	}
	return low, high, nil
}
