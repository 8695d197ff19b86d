package door

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/jsonschema"
)

// Shapes are what bodies look like, as JSON Schema, with those that have a name listed once. The zero Shapes is empty.
type Shapes struct {
	All   map[string]*jsonschema.Schema // by name, such as "thing.Property"; those that are taken end in "Input"
	types map[string]reflect.Type       // by name
}

var (
	jsonWriter = reflect.TypeFor[json.Marshaler]()
	textWriter = reflect.TypeFor[encoding.TextMarshaler]()
)

// Taken describes bodies that are read into v's type, by the rules of its Schema.
func (s *Shapes) Taken(v any) (*jsonschema.Schema, error) {
	if _, err := SchemaOf(v); err != nil {
		return nil, err
	}
	return s.of(reflect.TypeOf(v), rules{}, false, 0)
}

// Given describes bodies that are written from v's type: a member that it may not leave out is required.
func (s *Shapes) Given(v any) (*jsonschema.Schema, error) {
	return s.of(reflect.TypeOf(v), rules{}, true, 0)
}

func (s *Shapes) of(t reflect.Type, r rules, given bool, depth int) (*jsonschema.Schema, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("shape of %v: nests deeper than %d", t, maxDepth)
	}
	if t == nil {
		return nil, fmt.Errorf("shape of nil")
	}
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem(), r, given, depth+1)
	}
	self := reflect.PointerTo(t)
	switch {
	case t == rawJSON:
		return &jsonschema.Schema{}, nil
	case t == timestamp:
		return &jsonschema.Schema{Type: jsonschema.Types{"string"}, Format: "date-time"}, nil
	case t == jsonNumber:
		return r.describe("number"), nil
	case given && self.Implements(jsonWriter), !given && self.Implements(jsonReader):
		return &jsonschema.Schema{}, nil // only itself knows
	case given && self.Implements(textWriter), !given && self.Implements(textReader):
		return r.describe("string"), nil
	}
	switch t.Kind() {
	case reflect.Interface:
		return &jsonschema.Schema{}, nil
	case reflect.String:
		return r.describe("string"), nil
	case reflect.Bool:
		return r.describe("boolean"), nil
	case reflect.Float32, reflect.Float64:
		return r.describe("number"), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.describe("integer"), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d := r.describe("integer")
		if d.Minimum == nil {
			d.Minimum = new(float64)
		}
		return d, nil
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return &jsonschema.Schema{Type: jsonschema.Types{"string"}, Encoding: "base64"}, nil
		}
		items, d := r.items, &jsonschema.Schema{Type: jsonschema.Types{"array"}}
		r.items = bounds{}
		if items.set {
			d.MinItems, d.MaxItems = items.min, upper(items)
		}
		var err error
		d.Items, err = s.member(t.Elem(), r, given, depth)
		return d, err
	case reflect.Map:
		items, d := r.items, &jsonschema.Schema{Type: jsonschema.Types{"object"}}
		r.items = bounds{}
		if items.set {
			d.MinMembers, d.MaxMembers = items.min, upper(items)
		}
		var err error
		d.Others, err = s.member(t.Elem(), r, given, depth)
		return d, err
	case reflect.Struct:
		return s.named(t, given, depth)
	}
	return nil, fmt.Errorf("shape of %v: JSON has no such value", t)
}

// member describes what a pointer points to, or null.
func (s *Shapes) member(t reflect.Type, r rules, given bool, depth int) (*jsonschema.Schema, error) {
	d, err := s.of(t, r, given, depth+1)
	if err == nil && given && t.Kind() == reflect.Pointer {
		d = d.OrNull()
	}
	return d, err
}

// named describes an object, by its name if it has one.
func (s *Shapes) named(t reflect.Type, given bool, depth int) (*jsonschema.Schema, error) {
	name := shapeName(t, given)
	if name == "" {
		return s.object(t, given, depth)
	}
	ref := &jsonschema.Schema{Ref: jsonschema.Root + name}
	if had, ok := s.types[name]; ok {
		if had != t {
			return nil, fmt.Errorf("shapes: %v and %v would both be called %s", had, t, name)
		}
		return ref, nil
	}
	if s.All == nil {
		s.All, s.types = map[string]*jsonschema.Schema{}, map[string]reflect.Type{}
	}
	s.types[name] = t
	var err error
	s.All[name], err = s.object(t, given, depth)
	return ref, err
}

func (s *Shapes) object(t reflect.Type, given bool, depth int) (*jsonschema.Schema, error) {
	d := &jsonschema.Schema{Type: jsonschema.Types{"object"}, Members: map[string]*jsonschema.Schema{}}
	return d, s.addMembers(d, t, given, depth)
}

func (s *Shapes) addMembers(d *jsonschema.Schema, t reflect.Type, given bool, depth int) error {
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" && options == "" || !f.IsExported() && !f.Anonymous {
			continue
		}
		if inner := f.Type; f.Anonymous && name == "" {
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				if err := s.addMembers(d, inner, given, depth+1); err != nil {
					return err
				}
				continue
			}
		}
		if name == "" {
			name = f.Name
		}
		r, required, err := parseRules(f.Tag)
		if err != nil {
			return fmt.Errorf("shape of %v.%s: %w", t, f.Name, err)
		}
		if given {
			required = !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero")
		}
		m, err := s.of(f.Type, r, given, depth+1)
		if err != nil {
			return err
		}
		if given && required && f.Type.Kind() == reflect.Pointer {
			m = m.OrNull()
		}
		if says := f.Tag.Get("says"); says != "" {
			c := *m
			c.Description, m = says, &c
		}
		d.Members[name] = m
		if required {
			d.Required = append(d.Required, name)
		}
	}
	return nil
}

// shapeName is how people read a type's name: thing.wireProperty is "thing.Property", thing.wireBatch[thing.wireBins] is "thing.BatchOfBins".
func shapeName(t reflect.Type, given bool) string {
	name, of, generic := strings.Cut(strings.TrimSuffix(t.Name(), "]"), "[")
	if name == "" {
		return ""
	}
	name = shortName(name)
	if generic {
		name += "Of" + shortName(of[strings.LastIndexByte(of, '.')+1:])
	}
	if !given {
		name += "Input"
	}
	return t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:] + "." + name
}

func shortName(name string) string {
	for _, prefix := range []string{"wire", "in", "ask"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z' {
			return rest
		}
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// describe is a value of one kind that keeps the rules.
func (r rules) describe(kind string) *jsonschema.Schema {
	d := &jsonschema.Schema{Type: jsonschema.Types{kind}, Format: r.format, Enum: r.enum}
	if r.pattern != nil {
		d.Pattern = r.pattern.String()
	}
	if r.length.set {
		d.MinLength, d.MaxLength = r.length.min, upper(r.length)
	}
	if r.bounded {
		if !math.IsInf(r.low, 0) {
			d.Minimum = &r.low
		}
		if !math.IsInf(r.high, 0) {
			d.Maximum = &r.high
		}
	}
	return d
}

func upper(b bounds) *int {
	if b.max < 0 {
		return nil
	}
	return &b.max
}

// A Parameter is one of the query, or a field of a form.
type Parameter struct {
	Name     string
	Required bool
	Many     bool // it may be repeated
	*jsonschema.Schema
}

// Parameters are the fields of v, which may be nil, in their order.
func Parameters(v any) ([]Parameter, error) {
	if v == nil {
		return nil, nil
	}
	d, err := new(Shapes).object(reflect.TypeOf(v), false, 0)
	if err != nil {
		return nil, err
	}
	var all []Parameter
	for f := range reflect.TypeOf(v).Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		m, ok := d.Members[name]
		if !ok || m.Ref != "" {
			return nil, fmt.Errorf("the parameter %v.%s is no value of a query: give it a json tag and a plain type", reflect.TypeOf(v), f.Name)
		}
		p := Parameter{Name: name, Schema: m, Many: f.Type.Kind() == reflect.Slice}
		for _, r := range d.Required {
			p.Required = p.Required || r == name
		}
		all = append(all, p)
	}
	return all, nil
}
