package homeassistant

import (
	"bytes"
	"encoding/json"
	"regexp"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// errCommand is a command that is none of its property's type.
var errCommand = problem.New(problem.Invalid, "not-a-command", "A command does not say what its property's type asks for.")

// maxCommand is how many bytes a command may have: a text that a board takes, or a light with all that it may say.
const maxCommand = thing.MaxTextDown

// numeral is a number of JSON, as long as a double needs.
var numeral = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,308})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?$`)

// read makes of a command what is written to the property. last is what it is now.
func (e *entity) read(payload []byte, last series.Value) (json.RawMessage, error) {
	if len(payload) > maxCommand {
		return nil, errCommand.With("A command has more than 1024 bytes.")
	}
	switch {
	case !e.commanded():
		return nil, thing.ErrReadOnly
	case e.Type.Kind == thing.Bool:
		switch string(payload) {
		case on:
			return json.RawMessage("true"), nil
		case off:
			return json.RawMessage("false"), nil
		}
		return nil, errCommand.With("A switch is told ON or OFF.")
	case e.platform == number:
		if !numeral.Match(payload) {
			return nil, errCommand.With("A number is told as a number alone.")
		}
		return bytes.Clone(payload), nil
	case e.platform == texts:
		if !utf8.Valid(payload) {
			return nil, errCommand.With("A text is told in UTF-8.")
		}
		return plain(string(payload))
	}
	return readLamp(payload, last, e.Type.Kind == thing.ColoredLight)
}

// A lampOrder is what Home Assistant tells a light. What it says of effects of its own is not ours.
type lampOrder struct {
	State      string          `json:"state"`
	Brightness *float64        `json:"brightness"`
	Color      *lampColor      `json:"color"`
	Transition json.RawMessage `json:"transition"`
	Flash      json.RawMessage `json:"flash"`
}

type lampColor struct {
	H *float64 `json:"h"`
	S *float64 `json:"s"`
}

func readLamp(payload []byte, last series.Value, coloured bool) (json.RawMessage, error) {
	var o lampOrder
	dec := json.NewDecoder(bytes.NewReader(payload))
	dec.DisallowUnknownFields()
	if !json.Valid(payload) || dec.Decode(&o) != nil || o.State != on && o.State != off {
		return nil, errCommand.With("A light is told a JSON object with a state of ON or OFF.")
	}
	b := bulb{On: o.State == on, Brightness: o.Brightness}
	if o.Color != nil {
		if !coloured || o.Color.H == nil || o.Color.S == nil {
			return nil, errCommand.With("A colour is told with h and s, to a light that has colours.")
		}
		b.Hue, b.Saturation = o.Color.H, o.Color.S
	}
	if b.On && b.Brightness == nil {
		var now bulb
		if last.Kind != series.Object || json.Unmarshal([]byte(last.Text), &now) != nil || now.Brightness == nil || *now.Brightness == 0 {
			full := 100.0 // who turns a lamp on wants light
			b.Brightness = &full
		}
	}
	return plain(b)
}
