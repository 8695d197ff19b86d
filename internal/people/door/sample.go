package door

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
)

// Sample is a small body that keeps the rules of s, for tests that call every
// route of a table and as a seed for fuzzing. Patterns it cannot invent a text for: then
// the sample may break them.
func (s *Schema) Sample() []byte {
	var out bytes.Buffer
	s.sample(&out)
	return out.Bytes()
}

func (s *Schema) sample(out *bytes.Buffer) {
	switch s.kind {
	case object:
		out.WriteByte('{')
		first := true
		for _, f := range s.fields {
			if !f.required {
				continue
			}
			if !first {
				out.WriteByte(',')
			}
			first = false
			name, _ := json.Marshal(f.name) // a string always has JSON
			out.Write(name)
			out.WriteByte(':')
			f.schema.sample(out)
		}
		out.WriteByte('}')
	case mapping:
		out.WriteByte('{')
		for i := range s.rules.items.min {
			if i > 0 {
				out.WriteByte(',')
			}
			out.WriteString(`"` + strings.Repeat("k", i+1) + `":`)
			s.elem.sample(out)
		}
		out.WriteByte('}')
	case list:
		out.WriteByte('[')
		for i := range s.rules.items.min {
			if i > 0 {
				out.WriteByte(',')
			}
			s.elem.sample(out)
		}
		out.WriteByte(']')
	case text:
		v, _ := json.Marshal(s.rules.sampleText())
		out.Write(v)
	case integer, number:
		n := 1.0
		if s.rules.bounded && (n < s.rules.low || n > s.rules.high) {
			n = s.rules.low
			if math.IsInf(n, 0) {
				n = s.rules.high
			}
			n = math.Ceil(n)
		}
		v, _ := json.Marshal(n)
		out.Write(v)
	case flag:
		out.WriteString("true")
	default:
		out.WriteString(`""`)
	}
}

func (r rules) sampleText() string {
	switch {
	case len(r.enum) > 0:
		return r.enum[0]
	case r.format == "uuid":
		return "00000000-0000-4000-8000-000000000001"
	case r.format == "date-time":
		return "2030-01-02T03:04:05Z"
	}
	return strings.Repeat("a", max(1, r.length.min))
}
