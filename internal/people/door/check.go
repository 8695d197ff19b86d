package door

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
)

// ErrField is a body whose JSON is well formed and breaks a rule of the route. Its
// detail names the field.
var ErrField = problem.New(problem.Invalid, "invalid-request", "The request's body breaks a rule of this route.")

// Check says whether body is one JSON value that keeps the rules. Its error is a
// problem of kind Invalid that names the field, never what was in it.
func (s *Schema) Check(body []byte) error {
	if !utf8.Valid(body) {
		return rest.ErrBody.With("The request's body is not UTF-8.")
	}
	if hasNUL(body) {
		return rest.ErrBody.With("The request's body has a string with the character U+0000, which cannot be stored.")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	w := walk{dec: dec}
	null, err := w.read(s, "", 0)
	switch {
	case err != nil && problem.Of(err).Kind == problem.Invalid:
		return err
	case err != nil:
		return syntax(body, err)
	case null && s.kind != anything:
		return broken("", "must be %s", shape[s.kind])
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return rest.ErrBody.With("The request's body has something after its JSON value.")
	}
	return nil
}

func syntax(body []byte, err error) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return rest.ErrBody.With("The request has no body; this route expects JSON.")
	}
	if e := (*json.SyntaxError)(nil); errors.As(err, &e) {
		return rest.ErrBody.With("The request's body is not JSON: " + e.Error() + ", at byte " + strconv.FormatInt(e.Offset, 10) + ".")
	}
	return rest.ErrBody.With("The request's body is not JSON: it ends too early.")
}

// hasNUL reports an escaped U+0000; PostgreSQL cannot store it. A raw one is
// no JSON anyway.
func hasNUL(body []byte) bool {
	for rest := body; ; {
		i := bytes.Index(rest, []byte(`\u0000`))
		if i < 0 {
			return false
		}
		slashes := 0
		for i-slashes > 0 && rest[i-slashes-1] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return true
		}
		rest = rest[i+1:] // an escaped backslash, and the text u0000 after it
	}
}

// A walk reads one body in step with its schema.
type walk struct{ dec *json.Decoder }

func broken(path, format string, args ...any) error {
	if path == "" {
		return ErrField.With("The request's body " + fmt.Sprintf(format, args...) + ".")
	}
	return ErrField.With("The field \"" + path + "\" " + fmt.Sprintf(format, args...) + ".")
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// value reads a member, which may be null.
func (w walk) value(s *Schema, path string, depth int) error {
	_, err := w.read(s, path, depth)
	return err
}

// read reads the next value, which is at path, and says whether it was null.
func (w walk) read(s *Schema, path string, depth int) (null bool, err error) {
	if depth > maxDepth {
		return false, broken(path, "is nested too deep")
	}
	if s.kind == custom || s.kind == anything {
		return w.opaque(s, path)
	}
	tok, err := w.dec.Token()
	if err != nil {
		return false, err
	}
	switch v := tok.(type) {
	case nil:
		return true, nil
	case json.Delim:
		switch {
		case v == '{' && s.kind == object:
			return false, w.object(s, path, depth)
		case v == '{' && s.kind == mapping:
			return false, w.mapping(s, path, depth)
		case v == '[' && s.kind == list:
			return false, w.list(s, path, depth)
		}
	case string:
		if s.kind == text {
			return false, s.rules.text(path, v)
		}
	case json.Number:
		if s.kind == integer || s.kind == number {
			return false, s.number(path, v)
		}
	case bool:
		if s.kind == flag {
			return false, nil
		}
	}
	return false, broken(path, "must be %s", shape[s.kind])
}

func (w walk) object(s *Schema, path string, depth int) error {
	seen := make([]bool, len(s.fields))
	given := make([]bool, len(s.fields))
	for w.dec.More() {
		key, err := w.key()
		if err != nil {
			return err
		}
		i, known := s.find(key)
		if !known {
			if err := w.skip(); err != nil {
				return err
			}
			continue
		}
		f := s.fields[i]
		at := under(path, f.name)
		if seen[i] {
			return broken(at, "is there twice")
		}
		seen[i] = true
		null, err := w.read(f.schema, at, depth+1)
		if err != nil {
			return err
		}
		given[i] = !null
	}
	if _, err := w.dec.Token(); err != nil {
		return err
	}
	for i, f := range s.fields {
		if f.required && !given[i] {
			return broken(under(path, f.name), "is missing")
		}
	}
	return nil
}

// find is how encoding/json assigns a name to a field: ignoring case, also of the
// two letters outside ASCII that fold into it.
func (s *Schema) find(key string) (int, bool) {
	if i, ok := s.index[strings.ToLower(key)]; ok {
		return i, true
	}
	i := slices.IndexFunc(s.fields, func(f field) bool { return strings.EqualFold(f.name, key) })
	return i, i >= 0
}

func (w walk) mapping(s *Schema, path string, depth int) error {
	n := 0
	for ; w.dec.More(); n++ {
		if _, err := w.key(); err != nil {
			return err
		}
		// The member's own name is the client's text and stays out of the answer.
		if err := w.value(s.elem, under(path, "*"), depth+1); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return err
	}
	if !s.rules.items.hold(n) {
		return broken(path, "must have %v members", s.rules.items)
	}
	return nil
}

func (w walk) list(s *Schema, path string, depth int) error {
	n := 0
	for ; w.dec.More(); n++ {
		if s.rules.items.set && s.rules.items.max >= 0 && n >= s.rules.items.max {
			return broken(path, "must have %v members", s.rules.items)
		}
		if err := w.value(s.elem, path+"["+strconv.Itoa(n)+"]", depth+1); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return err
	}
	if !s.rules.items.hold(n) {
		return broken(path, "must have %v members", s.rules.items)
	}
	return nil
}

func (w walk) key() (string, error) {
	tok, err := w.dec.Token()
	if err != nil {
		return "", err
	}
	key, ok := tok.(string)
	if !ok {
		return "", rest.ErrBody
	}
	return key, nil
}

// skip passes over one value of any shape.
func (w walk) skip() error {
	var raw json.RawMessage
	return w.dec.Decode(&raw)
}

// opaque reads a value that only its own type can judge, or nobody.
func (w walk) opaque(s *Schema, path string) (null bool, err error) {
	var raw json.RawMessage
	if err := w.dec.Decode(&raw); err != nil {
		return false, err
	}
	if string(raw) == "null" {
		return true, nil
	}
	if s.kind != custom {
		return false, nil
	}
	if err := json.Unmarshal(raw, reflect.New(s.custom).Interface()); err != nil {
		if p := (*problem.Problem)(nil); errors.As(err, &p) && p.Kind == problem.Invalid {
			return false, broken(path, "is refused: %s", strings.TrimSuffix(p.Detail, "."))
		}
		return false, broken(path, "must be %s", shape[custom])
	}
	return false, nil
}

func (r rules) text(path, v string) error {
	if !r.length.hold(utf8.RuneCountInString(v)) {
		return broken(path, "must have %v characters", r.length)
	}
	if len(r.enum) > 0 && !slices.Contains(r.enum, v) {
		return broken(path, "must be one of %s", strings.Join(r.enum, ", "))
	}
	switch r.format {
	case "uuid":
		if !IsUUID(v) {
			return broken(path, "must be a UUID")
		}
	case "date-time":
		if err := new(time.Time).UnmarshalText([]byte(v)); err != nil { // as encoding/json reads it
			return broken(path, "must be a date and time as in RFC 3339, like 2030-01-02T03:04:05Z")
		}
	}
	if r.pattern != nil && !r.pattern.MatchString(v) {
		return broken(path, "must match %s", r.pattern)
	}
	return nil
}

func (s *Schema) number(path string, v json.Number) error {
	if s.kind == integer {
		var err error
		if s.signed {
			_, err = strconv.ParseInt(v.String(), 10, s.bits)
		} else {
			_, err = strconv.ParseUint(v.String(), 10, s.bits)
		}
		if err != nil {
			return broken(path, "must be a whole number that is not too large")
		}
	}
	bits := 64
	if s.kind == number && s.bits == 32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(v.String(), bits)
	if err != nil {
		return broken(path, "must be a number that is not too large")
	}
	if s.rules.bounded && (f < s.rules.low || f > s.rules.high) {
		return broken(path, "must be between %v and %v", s.rules.low, s.rules.high)
	}
	return nil
}

// IsUUID reports whether text is a UUID as RFC 9562 writes it, with its four
// hyphens; the case of the letters does not matter.
func IsUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}

// Decode does with body what this route's door and handler do before the verb
// runs: it checks the rules and reads the JSON into a new value of In's type. Tests
// feed it anything; its errors are always the client's fault.
func Decode(route Route, body []byte) (any, error) {
	if route.In == nil {
		return nil, nil
	}
	s, err := SchemaOf(route.In)
	if err != nil {
		return nil, err
	}
	if err := s.Check(body); err != nil {
		return nil, err
	}
	t := reflect.TypeOf(route.In)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	v := reflect.New(t).Interface()
	r := &http.Request{Body: io.NopCloser(bytes.NewReader(body))}
	if err := rest.Read(r, v); err != nil {
		return nil, err
	}
	return v, nil
}
