package thing

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// A property without history still has a last value, which must survive a restart
// like any other. It is kept in a series of its own, always at the same instant:
// of points at one instant only the last written remains. What the value is and
// when it was are in the text of the point. The instant lies far ahead, where
// retention by age never comes.
var fleetingAt = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// fleeting is the series of the last value of a property without history.
func fleeting(property string) string { return property + "/last" }

// wrap makes the point that remembers p, whose Series is the ID of its property.
func wrap(p series.Point) series.Point {
	b := make([]byte, 0, 32+len(p.Value.Text))
	b = strconv.AppendInt(b, p.At.UnixMicro(), 10)
	switch p.Value.Kind {
	case series.Float:
		b = strconv.AppendUint(append(b, " f "...), math.Float64bits(p.Value.Num), 16)
	case series.Int:
		b = strconv.AppendInt(append(b, " i "...), p.Value.Int, 10)
	case series.Bool:
		b = strconv.AppendInt(append(b, " b "...), p.Value.Int, 10)
	case series.Object:
		b = append(append(b, " o "...), p.Value.Text...)
	default:
		b = append(append(b, " t "...), p.Value.Text...)
	}
	return series.Point{Series: fleeting(p.Series), Thing: p.Thing, Space: p.Space, At: fleetingAt, Value: series.Value{Kind: series.Text, Text: string(b)}, By: p.By}
}

// unwrap is what wrap was given; false for what wrap never made.
func unwrap(p series.Point) (series.Point, bool) {
	property, ours := strings.CutSuffix(p.Series, "/last")
	at, rest, ok1 := strings.Cut(p.Value.Text, " ")
	kind, text, ok2 := strings.Cut(rest, " ")
	micros, err := strconv.ParseInt(at, 10, 64)
	if !ours || !ok1 || !ok2 || err != nil {
		return series.Point{}, false
	}
	v := series.Value{}
	switch kind {
	case "f":
		var bits uint64
		bits, err = strconv.ParseUint(text, 16, 64)
		v = series.Value{Kind: series.Float, Num: math.Float64frombits(bits)}
	case "i":
		v.Kind = series.Int
		v.Int, err = strconv.ParseInt(text, 10, 64)
	case "b":
		v = series.Value{Kind: series.Bool}
		if text == "1" {
			v.Int = 1
		}
	case "o":
		v = series.Value{Kind: series.Object, Text: text}
		if !json.Valid([]byte(text)) {
			return series.Point{}, false
		}
	case "t":
		v = series.Value{Kind: series.Text, Text: text}
	default:
		return series.Point{}, false
	}
	return series.Point{Series: property, Thing: p.Thing, Space: p.Space, At: time.UnixMicro(micros).UTC(), Value: v, By: p.By}, err == nil
}
