package openapi

import (
	"maps"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/jsonschema"
)

// example is a small value that keeps the rules of s, with the members that must be there and, where all may be left
// out, the first one. Patterns it cannot invent a text for.
func (d *Document) example(s *jsonschema.Schema, depth int) any {
	if s == nil || depth > 8 {
		return nil
	}
	if s.Ref != "" {
		return d.example(d.Components.Schemas[strings.TrimPrefix(s.Ref, jsonschema.Root)], depth+1)
	}
	if len(s.Type) == 0 {
		return 1
	}
	switch s.Type[0] {
	case "object":
		v := map[string]any{}
		for _, name := range s.Required {
			v[name] = d.example(s.Members[name], depth+1)
		}
		if names := slices.Sorted(maps.Keys(s.Members)); len(v) == 0 && len(names) > 0 {
			name := names[0]
			if slices.Contains(names, "name") {
				name = "name"
			}
			v[name] = d.example(s.Members[name], depth+1)
		}
		return v
	case "array":
		return []any{d.example(s.Items, depth+1)}
	case "integer", "number":
		n := 1.0
		if s.Minimum != nil {
			n = max(n, *s.Minimum)
		}
		if s.Maximum != nil {
			n = min(n, *s.Maximum)
		}
		return n
	case "boolean":
		return true
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Format == "uuid":
		return exampleID
	case s.Format == "date-time":
		return "2030-01-02T03:04:05Z"
	}
	text := "kitchen"
	if s.MaxLength != nil && len(text) > *s.MaxLength {
		text = text[:*s.MaxLength]
	}
	return text + strings.Repeat("n", max(0, s.MinLength-len(text)))
}

const exampleID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
