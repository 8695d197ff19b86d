package thing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

var (
	// ErrWrongKind is a value that the property's type cannot hold.
	ErrWrongKind = problem.New(problem.Invalid, "wrong-kind", "This value is of another kind than the property's type.")
	// ErrOutOfRange is a value of the right kind that lies outside what the type can tell.
	ErrOutOfRange = problem.New(problem.Invalid, "out-of-range", "This value is outside the range of the property's type.")
	// ErrTooLong is a text or an object that is larger than we keep, or than a board survives.
	ErrTooLong = problem.New(problem.Invalid, "value-too-long", "This value is longer than the property can hold.")
)

const (
	// MaxText is how many bytes a text or an object that a device reports may have. Boards
	// send at most 256 bytes in one message; programs (Python, JavaScript) more.
	MaxText = 16 << 10
	// MaxTextDown is the same for what is sent to a device. A board copies a message to its
	// stack and should get 2 kB at most (device-protocol reference, section 1.4); too long
	// texts have frozen boards. A board can echo 247 bytes at most; what is longer is
	// applied and never confirmed.
	MaxTextDown = 1 << 10
	// maxInt is the largest integer that every client can read: JavaScript has only doubles.
	maxInt = 1 << 53
)

// A Kind is what the values of a property look like.
type Kind uint8

const (
	Bool         Kind = iota
	Int               // signed
	Time              // unsigned seconds
	Float             // finite
	Text              // UTF-8
	Location          // lat, lon
	Color             // hue, sat, bri
	DimmedLight       // swi, bri
	ColoredLight      // swi, hue, sat, bri
	Television        // swi, vol, mut, pbc, inp, cha
	Schedule          // frm, to, len, msk
	Free              // any object

	kinds // how many there are
)

// A field is one attribute of a composite value. Its kind is Bool, Int or Float;
// min and max bound what people may write, initial is what a board starts with.
type field struct {
	name              string
	kind              Kind
	min, max, initial float64
}

const maxUint32 = math.MaxUint32

// fields are the attributes of the composite kinds in wire order; device-protocol
// reference, section 3.2.
var fields = [kinds][]field{
	Location:     {{"lat", Float, -90, 90, 0}, {"lon", Float, -180, 180, 0}},
	Color:        {{"hue", Float, 0, 360, 0}, {"sat", Float, 0, 100, 0}, {"bri", Float, 0, 100, 0}},
	DimmedLight:  {{"swi", Bool, 0, 1, 0}, {"bri", Float, 0, 100, 0}},
	ColoredLight: {{"swi", Bool, 0, 1, 0}, {"hue", Float, 0, 360, 0}, {"sat", Float, 0, 100, 0}, {"bri", Float, 0, 100, 0}},
	Television: {{"swi", Bool, 0, 1, 0}, {"vol", Int, 0, 100, 0}, {"mut", Bool, 0, 1, 0},
		{"pbc", Int, 0, 255, 255}, {"inp", Int, 0, 255, 55}, {"cha", Int, 0, math.MaxInt32, 0}},
	Schedule: {{"frm", Int, 0, maxUint32, 0}, {"to", Int, 0, maxUint32, 0}, {"len", Int, 0, maxUint32, 0}, {"msk", Int, 0, maxUint32, 0}},
}

// maxFields is the longest list in fields.
const maxFields = 6

// composite says whether values are objects with the attributes of fields.
func (k Kind) composite() bool { return fields[k] != nil }

// stored is the kind under which values are kept.
func (k Kind) stored() series.Kind {
	switch k {
	case Bool:
		return series.Bool
	case Int, Time:
		return series.Int
	case Float:
		return series.Float
	case Text:
		return series.Text
	}
	return series.Object
}

// numeric says whether values can be averaged; booleans count as 0 and 1.
func (k Kind) numeric() bool { return k <= Float }

// A whole is the value of a composite with all its attributes, in the order of
// fields; booleans are 0 and 1.
type whole [maxFields]float64

// initial is what a composite holds before anything was said about it.
func (k Kind) initial() (w whole) {
	for i, f := range fields[k] {
		w[i] = f.initial
	}
	return w
}

// whole reads a kept value; attributes that are missing or strange are initial.
func (k Kind) whole(v series.Value) whole {
	w, _ := k.told(v)
	return w
}

// told is whole, and which attributes are the value's own.
func (k Kind) told(v series.Value) (w whole, own [maxFields]bool) {
	w = k.initial()
	if v.Kind != series.Object {
		return w, own
	}
	var kept map[string]any
	if json.Unmarshal([]byte(v.Text), &kept) != nil {
		return w, own
	}
	for i, f := range fields[k] {
		switch n := kept[f.name].(type) {
		case float64:
			w[i], own[i] = n, true
		case bool:
			w[i], own[i] = truth(n), true
		}
	}
	return w, own
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// value writes w as it is kept: an object with its keys in alphabetical order.
func (k Kind) value(w whole) series.Value {
	var room [160]byte
	b := append(room[:0], '{')
	for n, i := range sortedFields[k] {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, fields[k][i].name...)
		b = append(b, '"', ':')
		switch fields[k][i].kind {
		case Bool:
			b = strconv.AppendBool(b, w[i] != 0)
		case Int:
			b = strconv.AppendInt(b, int64(w[i]), 10)
		default:
			b = appendFloat(b, w[i])
		}
	}
	return series.Value{Kind: series.Object, Text: string(append(b, '}'))}
}

// sortedFields are the indices of fields in alphabetical order.
var sortedFields = func() (all [kinds][]int) {
	for k, list := range fields {
		for i := range list {
			at := 0
			for at < len(all[k]) && list[all[k][at]].name < list[i].name {
				at++
			}
			all[k] = append(all[k][:at], append([]int{i}, all[k][at:]...)...)
		}
	}
	return all
}()

// appendFloat writes a finite number as JSON, in the form that encoding/json uses.
func appendFloat(b []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(b, f, format, -1, 64)
}

// appendJSON writes a kept value as JSON.
func appendJSON(b []byte, v series.Value) []byte {
	switch v.Kind {
	case series.Bool:
		return strconv.AppendBool(b, v.Int != 0)
	case series.Int:
		return strconv.AppendInt(b, v.Int, 10)
	case series.Float:
		if math.IsNaN(v.Num) || math.IsInf(v.Num, 0) {
			return append(b, "null"...) // was never accepted; JSON could not say it
		}
		return appendFloat(b, v.Num)
	case series.Object:
		if json.Valid([]byte(v.Text)) {
			return append(b, v.Text...)
		}
		return append(b, "null"...)
	}
	quoted, err := quote(v.Text)
	if err != nil {
		return append(b, "null"...)
	}
	return append(b, quoted...)
}

func quote(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Read makes a value of kind k from JSON. A composite may be told in part: the
// rest is taken from last, which may be the zero Value. limit bounds texts and
// objects, in bytes. It is stricter than what a device may report, because people
// can be told: numbers for booleans and fractions for integers are ErrWrongKind;
// attributes beyond what the type can tell are ErrOutOfRange.
func (k Kind) Read(raw json.RawMessage, last series.Value, limit int) (series.Value, error) {
	return k.read(raw, last, limit, false)
}

// ReadPast is Read for a value that was kept elsewhere: it is told whole, so that missing attributes
// are initial, and what a device may report may be outside the ranges that people keep to.
func (k Kind) ReadPast(raw json.RawMessage, limit int) (series.Value, error) {
	return k.read(raw, series.Value{}, limit, true)
}

func (k Kind) read(raw json.RawMessage, last series.Value, limit int, past bool) (series.Value, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var in any
	if err := dec.Decode(&in); err != nil {
		return series.Value{}, ErrWrongKind.With("The value is missing or is not JSON.")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return series.Value{}, ErrWrongKind.With("The value is more than one JSON value.")
	}
	if k.composite() {
		return k.readWhole(in, last, past)
	}
	if k == Free {
		return readFree(in, limit)
	}
	switch v := in.(type) {
	case bool:
		if k == Bool {
			return series.Value{Kind: series.Bool, Int: int64(truth(v))}, nil
		}
	case string:
		if k == Text {
			if len(v) > limit {
				return series.Value{}, ErrTooLong.With("A text may have " + strconv.Itoa(limit) + " bytes here.")
			}
			return series.Value{Kind: series.Text, Text: v}, nil
		}
	case json.Number:
		return k.readNumber(v)
	}
	return series.Value{}, ErrWrongKind.With("A value of this property is " + k.description() + ".")
}

func (k Kind) readNumber(n json.Number) (series.Value, error) {
	f, err := n.Float64()
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return series.Value{}, ErrOutOfRange.With("This number is larger than a double can hold.")
	}
	switch k {
	case Float:
		return series.Value{Kind: series.Float, Num: f}, nil
	case Int, Time:
		if f != math.Trunc(f) {
			return series.Value{}, ErrWrongKind.With("A value of this property is " + k.description() + ".")
		}
		if math.Abs(f) > maxInt || (k == Time && (f < 0 || f > maxUint32)) {
			return series.Value{}, ErrOutOfRange
		}
		return series.Value{Kind: series.Int, Int: int64(f)}, nil
	}
	return series.Value{}, ErrWrongKind.With("A value of this property is " + k.description() + ".")
}

func (k Kind) readWhole(in any, last series.Value, past bool) (series.Value, error) {
	object, ok := in.(map[string]any)
	if !ok {
		return series.Value{}, ErrWrongKind.With("A value of this property is " + k.description() + ".")
	}
	w, known := k.whole(last), 0
	for i, f := range fields[k] {
		given, told := object[f.name]
		if !told {
			continue
		}
		known++
		switch v := given.(type) {
		case bool:
			if f.kind != Bool {
				return series.Value{}, ErrWrongKind.With("The attribute " + f.name + " is a number.")
			}
			w[i] = truth(v)
		case json.Number:
			n, err := v.Float64()
			if f.kind == Bool || (f.kind == Int && n != math.Trunc(n)) {
				return series.Value{}, ErrWrongKind.With("The attribute " + f.name + " is " + f.kind.description() + ".")
			}
			if err != nil || !f.holds(n) || !past && (n < f.min || n > f.max) {
				return series.Value{}, ErrOutOfRange.With("The attribute " + f.name + " goes from " +
					string(appendFloat(nil, f.min)) + " to " + string(appendFloat(nil, f.max)) + ".")
			}
			w[i] = n
		default:
			return series.Value{}, ErrWrongKind.With("The attribute " + f.name + " is " + f.kind.description() + ".")
		}
	}
	if known == 0 {
		return series.Value{}, ErrWrongKind.With("A value of this property is " + k.description() + ".")
	}
	return k.value(w), nil
}

func readFree(in any, limit int) (series.Value, error) {
	object, ok := in.(map[string]any)
	if !ok {
		return series.Value{}, ErrWrongKind.With("A value of this property is an object.")
	}
	return freeValue(object, limit)
}

// freeFields are the attributes of a free object, and their names in order.
func freeFields(text string) (names []string, object map[string]any) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&object) != nil {
		return nil, nil
	}
	return slices.Sorted(maps.Keys(object)), object
}

// freeValue keeps any object, with its keys in alphabetical order.
func freeValue(object map[string]any, limit int) (series.Value, error) {
	text, err := quote(object)
	if err != nil {
		return series.Value{}, ErrOutOfRange
	}
	if len(text) > limit {
		return series.Value{}, ErrTooLong.With("An object may have " + strconv.Itoa(limit) + " bytes here.")
	}
	return series.Value{Kind: series.Object, Text: string(text)}, nil
}

// description ends the sentence "a value of this property is …".
func (k Kind) description() string {
	switch k {
	case Bool:
		return "true or false"
	case Int:
		return "a whole number"
	case Time:
		return "a whole number of seconds, not negative"
	case Float:
		return "a number"
	case Text:
		return "a text"
	case Free:
		return "an object"
	}
	names := ""
	for i, f := range fields[k] {
		if i > 0 {
			names += ", "
		}
		names += f.name
	}
	return "an object with " + names
}

// fits says whether a kept value can be told to a device as one of kind k. It is
// false for what was kept before the property got another type.
func (k Kind) fits(v series.Value) bool {
	switch k {
	case Float:
		return v.Kind == series.Float || v.Kind == series.Int
	case Text:
		return v.Kind == series.Text && len(v.Text) <= MaxTextDown && utf8.ValidString(v.Text)
	case Free:
		return v.Kind == series.Object && len(v.Text) <= MaxTextDown
	}
	return v.Kind == k.stored()
}
