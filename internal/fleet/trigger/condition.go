package trigger

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

var (
	// ErrCondition is a condition that cannot be.
	ErrCondition = problem.New(problem.Invalid, "invalid-condition", "The condition cannot be used.")
	// ErrKind is a property of whose values no condition can be made.
	ErrKind = problem.New(problem.Invalid, "trigger-wrong-type", "A trigger watches a property whose values are booleans, numbers or texts.")
)

// An Operator compares a value with what a condition names.
type Operator string

// The operators. Booleans know Equal alone, texts Equal, NotEqual and Any, numbers all but Any.
const (
	Any          Operator = "ANY" // every value that is another one than before
	Equal        Operator = "EQ"
	NotEqual     Operator = "NEQ"
	Greater      Operator = "GT"
	GreaterEqual Operator = "GTE"
	Less         Operator = "LT"
	LessEqual    Operator = "LTE"
	Between      Operator = "BETWEEN" // from Value to Upper, both included
	Outside      Operator = "OUTSIDE" // less than Value or more than Upper
)

var operators = []Operator{Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual, Between, Outside}

// A Condition says of which values a trigger fires. It fires when a value fulfils it after one that
// did not; so it takes a value that does not until it fires again.
type Condition struct {
	Operator Operator        `json:"operator"`
	Value    json.RawMessage `json:"value,omitempty"` // boolean, number or text, as the property's type
	Upper    *float64        `json:"upper,omitempty"` // Between and Outside
	// Hysteresis is by how much, in the property's own unit, a number must be back beyond the
	// bound until the condition counts as not fulfilled: a value that trembles at the bound fires once.
	Hysteresis float64 `json:"hysteresis,omitempty"`
}

// usual is the condition of a trigger that names none.
func usual(kind thing.Kind) *Condition {
	switch kind {
	case thing.Bool:
		return &Condition{Operator: Equal, Value: json.RawMessage("true")}
	case thing.Text:
		return &Condition{Operator: Any}
	}
	return nil
}

// A test is a condition, ready to be asked.
type test struct {
	op         Operator
	flag       bool
	text       string
	low, high  float64
	hysteresis float64
}

// maxText is how long a text to compare with may be, in bytes.
const maxText = 1024

// compile makes a condition one that values of a kind can be held against. c may be nil.
func (c *Condition) compile(kind thing.Kind) (t test, err error) {
	switch kind {
	case thing.Bool, thing.Text, thing.Int, thing.Time, thing.Float:
	default:
		return t, ErrKind
	}
	if c == nil {
		if c = usual(kind); c == nil {
			return t, ErrCondition.With("Say of which numbers the trigger fires: condition {\"operator\": \"GT\", \"value\": 30}.")
		}
	}
	t.op = c.Operator
	no := func(why string) (test, error) { return test{}, ErrCondition.With(why) }
	if kind != thing.Bool && kind != thing.Text {
		return c.compileNumber(t)
	}
	if c.Upper != nil || c.Hysteresis != 0 {
		return no("An upper bound and a hysteresis are for numbers.")
	}
	if kind == thing.Bool {
		if t.op != Equal || json.Unmarshal(c.Value, &t.flag) != nil || bytes.Equal(c.Value, []byte("null")) {
			return no("The condition on a boolean is {\"operator\": \"EQ\", \"value\": true} or false.")
		}
		return t, nil
	}
	if t.op == Any {
		if len(c.Value) > 0 {
			return no("The operator ANY has no value to compare with.")
		}
		return t, nil
	}
	if (t.op != Equal && t.op != NotEqual) || json.Unmarshal(c.Value, &t.text) != nil || bytes.Equal(c.Value, []byte("null")) || len(t.text) > maxText {
		return no("The condition on a text is {\"operator\": \"EQ\" or \"NEQ\", \"value\": a text of at most 1024 bytes} or {\"operator\": \"ANY\"}.")
	}
	return t, nil
}

func (c *Condition) compileNumber(t test) (test, error) {
	no := func(why string) (test, error) { return test{}, ErrCondition.With(why) }
	if !slices.Contains(operators, t.op) {
		var names []string
		for _, op := range operators {
			names = append(names, string(op))
		}
		return no("The operator of a condition on a number is one of " + strings.Join(names, ", ") + ".")
	}
	if json.Unmarshal(c.Value, &t.low) != nil || bytes.Equal(c.Value, []byte("null")) {
		return no("The value of a condition on a number is a number.")
	}
	ranged := t.op == Between || t.op == Outside
	if ranged != (c.Upper != nil) {
		return no("The operators BETWEEN and OUTSIDE have an upper bound, and no other has.")
	}
	if t.high = t.low; ranged {
		if t.high = *c.Upper; t.high < t.low {
			return no("The upper bound of a condition is not less than its value.")
		}
	}
	if t.hysteresis = c.Hysteresis; t.hysteresis < 0 || t.hysteresis > 0 && t.op == NotEqual {
		return no("A hysteresis is not negative, and NEQ has none.")
	}
	return t, nil
}

// holds says whether the condition is fulfilled by v, which was fulfilled before or not.
// Texts under Any are compared elsewhere.
func (t *test) holds(v series.Value, before bool) bool {
	switch v.Kind {
	case series.Bool:
		return (v.Int != 0) == t.flag
	case series.Text:
		return (v.Text == t.text) == (t.op == Equal)
	}
	n := v.Num
	if v.Kind == series.Int {
		n = float64(v.Int)
	}
	if math.IsNaN(n) {
		return before // no reading
	}
	h := 0.0
	if before {
		h = t.hysteresis
	}
	switch t.op {
	case Greater:
		return n > t.low-h
	case GreaterEqual:
		return n >= t.low-h
	case Less:
		return n < t.low+h
	case LessEqual:
		return n <= t.low+h
	case Between, Equal:
		return n >= t.low-h && n <= t.high+h
	case Outside:
		return n < t.low+h || n > t.high-h
	case NotEqual:
		return n != t.low
	}
	return before
}

// suits says whether a value is of the kind that the condition was made for: the type of a
// property may be changed.
func (t *test) suits(kind thing.Kind, v series.Value) bool {
	switch kind {
	case thing.Bool:
		return v.Kind == series.Bool
	case thing.Text:
		return v.Kind == series.Text
	}
	return v.Kind == series.Float || v.Kind == series.Int
}
