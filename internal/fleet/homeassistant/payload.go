package homeassistant

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// How Home Assistant says yes and no.
const (
	on  = "ON"
	off = "OFF"
)

// A lamp is the state of a light, and a command to one, as Home Assistant's JSON schema of lights has it.
type lamp struct {
	State      string   `json:"state"`
	Brightness *float64 `json:"brightness,omitempty"` // of 100
	ColorMode  string   `json:"color_mode,omitempty"`
	Color      *hue     `json:"color,omitempty"`
}

type hue struct {
	H float64 `json:"h"` // degrees
	S float64 `json:"s"` // percent
}

// A bulb is a light as boards have it.
type bulb struct {
	On         bool     `json:"swi"`
	Brightness *float64 `json:"bri,omitempty"`
	Hue        *float64 `json:"hue,omitempty"`
	Saturation *float64 `json:"sat,omitempty"`
}

type spot struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// payload is what a state topic says of a value; false for one that the type cannot hold, as from before it was changed.
func (e *entity) payload(v series.Value) ([]byte, bool) {
	if !e.Type.Kind.Takes(v) && e.Type.Kind != thing.Text && e.Type.Kind != thing.Free {
		return nil, false
	}
	switch e.Type.Kind {
	case thing.Bool:
		return []byte(word(v.Int != 0)), true
	case thing.Float:
		if v.Kind == series.Float {
			return short(v.Num)
		}
		return thing.JSON(v), true
	case thing.Int, thing.Time:
		return thing.JSON(v), true
	case thing.Text:
		if v.Kind != series.Text {
			return nil, false
		}
		return encoded(begin(v.Text))
	case thing.DimmedLight, thing.ColoredLight:
		return bulbPayload(v, e.Type.Kind == thing.ColoredLight)
	case thing.Location:
		var at struct{ Lat, Lon float64 }
		if json.Unmarshal([]byte(v.Text), &at) != nil {
			return nil, false
		}
		return encoded(spot{at.Lat, at.Lon})
	}
	return thing.JSON(v), v.Kind == series.Object
}

func word(yes bool) string {
	if yes {
		return on
	}
	return off
}

// short writes a number with the digits that its board had: most have floats of 32 bits, of which 64 show more than is known.
func short(f float64) ([]byte, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	bits := 64
	if float64(float32(f)) == f {
		bits = 32
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(nil, f, format, -1, bits), true
}

// begin is as much of a text as Home Assistant takes for a state.
func begin(s string) string {
	n := 0
	for i := range s {
		if n == longestState {
			return s[:i]
		}
		n++
	}
	return s
}

func encoded(v any) ([]byte, bool) {
	b, err := plain(v)
	return b, err == nil
}

func bulbPayload(v series.Value, coloured bool) ([]byte, bool) {
	var b bulb
	if json.Unmarshal([]byte(v.Text), &b) != nil {
		return nil, false
	}
	l := lamp{State: word(b.On), ColorMode: "brightness"}
	if b.Brightness != nil {
		bright := math.Round(*b.Brightness)
		if b.On {
			bright = max(bright, 1) // a light that is on with a brightness of nothing is none to Home Assistant
		}
		if bright > 0 {
			l.Brightness = &bright
		}
	}
	if coloured {
		l.ColorMode = "hs"
		if b.Hue != nil && b.Saturation != nil {
			l.Color = &hue{*b.Hue, *b.Saturation}
		}
	}
	return encoded(l)
}
