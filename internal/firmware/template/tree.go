package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// maxTree is how deep a part of a template nests.
const maxTree = 32

// maxValues is how many values a part has at most: the reader of YAML takes some 200 bytes of memory for each, and two bytes may stand for one.
const maxValues = 100_000

var errTree = errors.New("neither JSON nor YAML, or it has aliases, a key twice, too many values, or nests too deep")

// values is at least as many as a text can have.
func values(text []byte) (n int) {
	for _, c := range text {
		if c == ',' || c == ':' || c == '\n' || c == '\r' {
			n++
		}
	}
	return n + 1
}

// toJSON is a text in JSON or YAML as JSON with its keys in order. Numbers keep their digits. YAML that
// repeats parts of itself by aliases is refused: a few bytes could stand for any number.
func toJSON(text []byte) (json.RawMessage, error) {
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 || values(text) > maxValues {
		return nil, errTree
	}
	var tree any
	var err error
	if trimmed := bytes.TrimSpace(text); bytes.HasPrefix(trimmed, []byte("{")) && json.Valid(trimmed) {
		tree, err = readJSON(trimmed)
	} else {
		tree, err = readYAML(text)
	}
	if err != nil {
		return nil, err
	}
	return writeJSON(tree)
}

// readJSON reads one value into maps, slices and json.Numbers. A key that comes twice counts once, the last time.
func readJSON(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, errTree
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || !shallow(tree, 0) {
		return nil, errTree
	}
	return tree, nil
}

func shallow(tree any, deep int) bool {
	deeper := func(one any) bool { return shallow(one, deep+1) }
	switch v := tree.(type) {
	case map[string]any:
		for name, one := range v {
			if strings.ContainsRune(name, 0) || !deeper(one) {
				return false
			}
		}
	case []any:
		return deep <= maxTree && !slices.ContainsFunc(v, func(one any) bool { return !deeper(one) })
	case string:
		return !strings.ContainsRune(v, 0)
	}
	return deep <= maxTree
}

// writeJSON writes keys in order and nothing escaped that need not be.
func writeJSON(tree any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tree); err != nil {
		return nil, errTree
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func readYAML(text []byte) (any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, errTree
	}
	var more yaml.Node
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) || len(doc.Content) != 1 {
		return nil, errTree
	}
	return fromYAML(doc.Content[0], 0)
}

// fromYAML makes of a tree of YAML what readJSON makes of JSON. What JSON cannot say, like infinite numbers, is an error.
func fromYAML(n *yaml.Node, deep int) (any, error) {
	if deep > maxTree || n.Anchor != "" {
		return nil, errTree
	}
	switch n.Kind {
	case yaml.MappingNode:
		out := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || key.Anchor != "" || key.ShortTag() == "!!merge" || strings.ContainsRune(key.Value, 0) {
				return nil, errTree
			}
			if _, twice := out[key.Value]; twice {
				return nil, errTree
			}
			v, err := fromYAML(n.Content[i+1], deep+1)
			if err != nil {
				return nil, err
			}
			out[key.Value] = v
		}
		return out, nil
	case yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, one := range n.Content {
			v, err := fromYAML(one, deep+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case yaml.ScalarNode:
		return fromScalar(n)
	}
	return nil, errTree
}

func fromScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return nil, errTree
		}
		return b, nil
	case "!!int", "!!float":
		if isNumber(n.Value) {
			return json.Number(n.Value), nil
		}
		var f float64
		if err := n.Decode(&f); err != nil || f-f != 0 {
			return nil, errTree
		}
		return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
	case "!!str", "!!timestamp":
		if strings.ContainsRune(n.Value, 0) || !utf8.ValidString(n.Value) {
			return nil, errTree
		}
		return n.Value, nil
	}
	return nil, errTree
}

// isNumber says whether text is a number as JSON writes it.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid([]byte(text))
}

// toYAML writes JSON as YAML, with keys in order.
func toYAML(raw json.RawMessage) ([]byte, error) {
	tree, err := readJSON(raw)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(intoYAML(tree)); err != nil {
		return nil, err
	}
	err = enc.Close()
	return out.Bytes(), err
}

func intoYAML(tree any) *yaml.Node {
	n := &yaml.Node{}
	switch v := tree.(type) {
	case map[string]any:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		for _, name := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, textYAML(name), intoYAML(v[name]))
		}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
	case []any:
		n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		for _, one := range v {
			n.Content = append(n.Content, intoYAML(one))
		}
		if len(v) == 0 {
			n.Style = yaml.FlowStyle
		}
	case string:
		return textYAML(v)
	case json.Number:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!int", v.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!bool", strconv.FormatBool(v)
	default:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!null", "null"
	}
	return n
}

// textYAML is a text in double quotes where it might be read as anything else.
func textYAML(text string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if !plainText(text) {
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// plainText says whether a text is sure to be read as itself without quotes: words of letters and digits that begin with a
// letter and are none of YAML's own words.
func plainText(text string) bool {
	if text == "" || text[0] < 'A' || text[0] > 'z' || text[0] > 'Z' && text[0] < 'a' {
		return false
	}
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && !strings.ContainsRune("_-/.", rune(c)) {
			return false
		}
	}
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return true
}
