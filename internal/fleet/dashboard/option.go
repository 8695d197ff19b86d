package dashboard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// readOptions reads the options of a widget, which must be one object within the bounds. Numbers
// stay as they were written.
func readOptions(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	if len(raw) > maxOptions || depth(raw) > maxDepth {
		return nil, ErrOptions
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var all map[string]any
	if err := dec.Decode(&all); err != nil || all == nil {
		return nil, ErrOptions
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrOptions
	}
	return all, nil
}

// encode writes JSON as it is kept: encoding/json would make six bytes of each of <, > and &, so that
// what was within the bounds when it was written would not be when it is read.
func encode(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// depth is how deep JSON nests.
func depth(raw []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// checkOptions says what is wrong with the options that we know of the widget's type. Others are
// the client's own business.
func (w *Widget) checkOptions() error {
	all, err := readOptions(w.Options)
	if err != nil {
		return ErrOptions.With(fmt.Sprintf("Widget %s: %s", w.ID, ErrOptions.Detail))
	}
	k, known := kindOf(w.Type)
	if !known {
		return nil
	}
	for name, want := range k.options {
		v, given := all[name]
		if given && v != nil && !want.holds(v) {
			return ErrOptions.With(fmt.Sprintf("Widget %s: the option %q of a widget of the type %q is %s.", w.ID, name, w.Type, want.words))
		}
	}
	low, hasLow := numberOf(all["min"])
	high, hasHigh := numberOf(all["max"])
	if k.ranged && hasLow && hasHigh && low >= high {
		return ErrOptions.With(fmt.Sprintf("Widget %s: the option \"min\" is less than \"max\".", w.ID))
	}
	if step, has := numberOf(all["step"]); k.ranged && has && step <= 0 {
		return ErrOptions.With(fmt.Sprintf("Widget %s: the option \"step\" is more than 0.", w.ID))
	}
	return nil
}

// numberOf reads a number that a form may have written as a text.
func numberOf(v any) (float64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	default:
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	return f, err == nil && f-f == 0 // neither infinite nor no number
}

// rewritten replaces, wherever they stand in options, IDs by what to says: as the name of a
// member, as a text, and as the first part of a text with a colon. to answers false for what stays.
func rewritten(v any, to func(text string) (string, bool)) any {
	change := func(text string) string {
		if new, ok := to(text); ok {
			return new
		}
		if before, after, ok := strings.Cut(text, ":"); ok {
			if new, ok := to(before); ok {
				return new + ":" + after
			}
		}
		return text
	}
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = rewritten(one, to)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[change(name)] = rewritten(one, to)
		}
		return out
	}
	return v
}

// state are options that are a client's own state, not what somebody chose; templates go without;
// cloud-api reference, section 5.8.
var state = []string{"created_by", "thingId", "properties"}

// keyed are the options of an Advanced Chart whose members are named by properties.
var keyed = []string{"aggregation", "format", "axes"}

// markers is the option of an Image Map whose elements name a property each.
const markers = "markersSettings"

// carried are options to be taken elsewhere: without state, and with every ID in them rewritten. Where an
// option can only name a property and names one that cannot be told, that goes.
func (w *Widget) carried(to func(text string) (string, bool)) (map[string]any, error) {
	all, err := readOptions(w.Options)
	if err != nil {
		return nil, err
	}
	for _, name := range state {
		delete(all, name)
	}
	unknown := func(text string) bool {
		_, ok := to(text)
		return !ok && isUUID(strings.ToLower(text))
	}
	switch w.Type {
	case advancedChart:
		for _, name := range keyed {
			if of, ok := all[name].(map[string]any); ok {
				for property := range of {
					if unknown(property) {
						delete(of, property)
					}
				}
			}
		}
	case imageMap:
		if list, ok := all[markers].([]any); ok {
			for _, one := range list {
				if m, ok := one.(map[string]any); ok {
					if p, ok := m["property"].(string); ok && unknown(p) {
						delete(m, "property")
					}
				}
			}
		}
	}
	out, _ := rewritten(all, to).(map[string]any)
	return out, nil
}

// refers are the texts by which options name properties, where they can name nothing else.
func refers(kind string, all map[string]any) []string {
	var out []string
	switch kind {
	case advancedChart:
		for _, name := range keyed {
			if of, ok := all[name].(map[string]any); ok {
				for text := range of {
					out = append(out, text)
				}
			}
		}
	case imageMap:
		if list, ok := all[markers].([]any); ok {
			for _, one := range list {
				if m, ok := one.(map[string]any); ok {
					if text, ok := m["property"].(string); ok {
						out = append(out, text)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
