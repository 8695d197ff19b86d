package trigger

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrExpression is a text with tags that cannot be used.
var ErrExpression = problem.New(problem.Invalid, "invalid-expression", "A subject or title has at most 100 characters, a body at most 1000, and each at most 50 variables.")

// Bounds of expressions, in characters; cloud-api reference, section 6.12. The third is ours.
const (
	maxTitle     = 100
	maxBody      = 1000
	maxVariables = 50
	// maxValue is how much of one value is told.
	maxValue = 250
)

// Attributes and entities of variables, as the API spells them.
var (
	attributes = []string{"ID", "NAME", "VALUE", "TIMESTAMP", "USERNAME", "EMAIL", "STATUS"}
	entities   = []string{"RECIPIENT", "USER", "DEVICE", "THING", "PROPERTY", "TRIGGERING_DEVICE"}
)

// An Expression is a text with places that are filled in when it is told.
type Expression struct {
	Text      string     `json:"text"`
	Variables []Variable `json:"variables,omitempty"`
}

// A Variable says what one place is filled in with.
type Variable struct {
	Placeholder string `json:"placeholder"`
	Entity      string `json:"entity"`
	Attribute   string `json:"attribute"`
	ID          string `json:"id,omitempty"` // of the entity; "" for the one that the trigger is about
	Property    string `json:"property,omitempty"`
	Thing       string `json:"thing,omitempty"`
}

func (e *Expression) check(most int) error {
	if !readable(e.Text, 0, most, most == maxBody) || len(e.Variables) > maxVariables {
		return ErrExpression
	}
	for _, v := range e.Variables {
		switch {
		case !readable(v.Placeholder, 1, maxTitle, false):
			return ErrExpression.With("The placeholder of a variable has 1 to 100 printable characters.")
		case !slices.Contains(entities, v.Entity):
			return ErrExpression.With("The entity of a variable is one of " + strings.Join(entities, ", ") + ".")
		case !slices.Contains(attributes, v.Attribute):
			return ErrExpression.With("The attribute of a variable is one of " + strings.Join(attributes, ", ") + ".")
		}
	}
	return nil
}

// tags are the places that need no variable to be declared.
var tags = []Variable{
	{Placeholder: "variable.value", Entity: "PROPERTY", Attribute: "VALUE"},
	{Placeholder: "variable.name", Entity: "PROPERTY", Attribute: "NAME"},
	{Placeholder: "variable.timestamp", Entity: "PROPERTY", Attribute: "TIMESTAMP"},
	{Placeholder: "thing.name", Entity: "THING", Attribute: "NAME"},
	{Placeholder: "thing.id", Entity: "THING", Attribute: "ID"},
	{Placeholder: "device.name", Entity: "TRIGGERING_DEVICE", Attribute: "NAME"},
	{Placeholder: "device.id", Entity: "TRIGGERING_DEVICE", Attribute: "ID"},
	{Placeholder: "device.status", Entity: "TRIGGERING_DEVICE", Attribute: "STATUS"},
	{Placeholder: "device.timestamp", Entity: "TRIGGERING_DEVICE", Attribute: "TIMESTAMP"},
	{Placeholder: "recipient.name", Entity: "RECIPIENT", Attribute: "USERNAME"},
}

// Fill is the text with its places filled in by what value says of each variable. A place is the
// placeholder in braces ("{name}", "{{name}}", "${name}"), or as it is when it does not begin with a letter. What was filled in is not read
// again, so that no value can name a place; a text of more characters than most is cut.
func (e *Expression) Fill(most int, value func(Variable) string) string {
	type place struct {
		text string
		of   Variable
	}
	var places []place
	for _, v := range slices.Concat(e.Variables, tags) {
		name := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(v.Placeholder, "$"), "{"), "}")
		for _, form := range []string{"{{" + name + "}}", "${" + name + "}", "{" + name + "}"} {
			places = append(places, place{form, v})
		}
		if c := v.Placeholder[0]; c == '{' || c == '$' || c == '%' || c == '<' || c == '@' {
			places = append(places, place{v.Placeholder, v})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return len(b.text) - len(a.text) })
	var out strings.Builder
	for rest := e.Text; rest != ""; {
		i := slices.IndexFunc(places, func(p place) bool { return strings.HasPrefix(rest, p.text) })
		if i >= 0 {
			out.WriteString(cut(value(places[i].of), maxValue))
			rest = rest[len(places[i].text):]
			continue
		}
		_, n := utf8.DecodeRuneInString(rest)
		out.WriteString(rest[:n])
		rest = rest[n:]
	}
	return cut(out.String(), most)
}

// cut is at most so many characters of a text.
func cut(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}
