package device

import (
	"math"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// LocationValue is a place on earth, in degrees.
type LocationValue struct{ Lat, Lon float64 }

// ColorValue is a color: hue 0 to 360, saturation and brightness 0 to 100.
type ColorValue struct{ Hue, Saturation, Brightness float64 }

// ColoredLightValue is a lamp that has a color.
type ColoredLightValue struct {
	On                          bool
	Hue, Saturation, Brightness float64
}

// DimmedLightValue is a lamp that has a brightness, 0 to 100.
type DimmedLightValue struct {
	On         bool
	Brightness float64
}

// TelevisionValue is a television: volume 0 to 100, a playback command and an input as
// enumerated by the cloud, and a channel.
type TelevisionValue struct {
	On       bool
	Volume   int64
	Mute     bool
	Playback int64 // 255 is none
	Input    int64 // 55 is TV
	Channel  int64
}

// DefaultTelevision is what a board's television variable begins with.
var DefaultTelevision = TelevisionValue{Playback: 255, Input: 55}

// Bool declares a variable that is true or false: a light, a switch, a sensor of contact or motion.
func Bool(name string, options ...Option) *Variable[bool] {
	return newVariable(name, shape[bool]{flagField("", func(v *bool) *bool { return v })}, options)
}

// Int declares a variable of a whole number.
func Int(name string, options ...Option) *Variable[int64] {
	return newVariable(name, shape[int64]{intField("", func(v *int64) *int64 { return v })}, options)
}

// Float declares a variable of a number, with or without a unit.
func Float(name string, options ...Option) *Variable[float64] {
	return newVariable(name, shape[float64]{floatField("", func(v *float64) *float64 { return v })}, options)
}

// String declares a variable of text. The text Cleared, set by the device, empties it in the cloud.
func String(name string, options ...Option) *Variable[string] {
	return newVariable(name, shape[string]{{
		get: func(v *string) senml.Record { return senml.Record{Kind: senml.Text, Text: *v} },
		put: func(v *string, r *senml.Record) bool {
			if r.Kind != senml.Text {
				return false
			}
			*v = r.Text
			return true
		},
	}}, options)
}

// Cleared is the text that empties a text variable in the cloud, where an empty text is a value.
const Cleared = senml.Cleared

// Location declares a variable of a place.
func Location(name string, options ...Option) *Variable[LocationValue] {
	return newVariable(name, shape[LocationValue]{
		floatField("lat", func(v *LocationValue) *float64 { return &v.Lat }),
		floatField("lon", func(v *LocationValue) *float64 { return &v.Lon }),
	}, options)
}

// Color declares a variable of a color.
func Color(name string, options ...Option) *Variable[ColorValue] {
	return newVariable(name, shape[ColorValue]{
		floatField("hue", func(v *ColorValue) *float64 { return &v.Hue }),
		floatField("sat", func(v *ColorValue) *float64 { return &v.Saturation }),
		floatField("bri", func(v *ColorValue) *float64 { return &v.Brightness }),
	}, options)
}

// ColoredLight declares a variable of a lamp with a color.
func ColoredLight(name string, options ...Option) *Variable[ColoredLightValue] {
	return newVariable(name, shape[ColoredLightValue]{
		flagField("swi", func(v *ColoredLightValue) *bool { return &v.On }),
		floatField("hue", func(v *ColoredLightValue) *float64 { return &v.Hue }),
		floatField("sat", func(v *ColoredLightValue) *float64 { return &v.Saturation }),
		floatField("bri", func(v *ColoredLightValue) *float64 { return &v.Brightness }),
	}, options)
}

// DimmedLight declares a variable of a lamp with a brightness.
func DimmedLight(name string, options ...Option) *Variable[DimmedLightValue] {
	return newVariable(name, shape[DimmedLightValue]{
		flagField("swi", func(v *DimmedLightValue) *bool { return &v.On }),
		floatField("bri", func(v *DimmedLightValue) *float64 { return &v.Brightness }),
	}, options)
}

// Television declares a variable of a television.
func Television(name string, options ...Option) *Variable[TelevisionValue] {
	return newVariable(name, shape[TelevisionValue]{
		flagField("swi", func(v *TelevisionValue) *bool { return &v.On }),
		intField("vol", func(v *TelevisionValue) *int64 { return &v.Volume }),
		flagField("mut", func(v *TelevisionValue) *bool { return &v.Mute }),
		intField("pbc", func(v *TelevisionValue) *int64 { return &v.Playback }),
		intField("inp", func(v *TelevisionValue) *int64 { return &v.Input }),
		intField("cha", func(v *TelevisionValue) *int64 { return &v.Channel }),
	}, options)
}

// Schedule declares a variable of a schedule.
func Schedule(name string, options ...Option) *Variable[ScheduleValue] {
	return newVariable(name, shape[ScheduleValue]{
		uintField("frm", func(v *ScheduleValue) *uint32 { return &v.From }),
		uintField("to", func(v *ScheduleValue) *uint32 { return &v.To }),
		uintField("len", func(v *ScheduleValue) *uint32 { return &v.Length }),
		uintField("msk", func(v *ScheduleValue) *uint32 { return &v.Mask }),
	}, options)
}

// A field is one attribute of a value and its record. Simple types have one field, with the suffix "".
type field[T any] struct {
	suffix string
	get    func(*T) senml.Record
	// put takes a record over and tells whether it had the right kind. What a board takes over is taken over.
	put func(*T, *senml.Record) bool
}

// A shape is the fields of a type in the order of the wire.
type shape[T any] []field[T]

func flagField[T any](suffix string, at func(*T) *bool) field[T] {
	return field[T]{suffix,
		func(v *T) senml.Record {
			r := senml.Record{Kind: senml.Bool}
			if *at(v) {
				r.Int = 1
			}
			return r
		},
		func(v *T, r *senml.Record) bool {
			// 0 and 1 for a flag come from older clients; any other number is none.
			n, is := r.Number()
			if !is || n != 0 && n != 1 {
				return false
			}
			*at(v) = n == 1
			return true
		},
	}
}

func floatField[T any](suffix string, at func(*T) *float64) field[T] {
	return field[T]{suffix,
		func(v *T) senml.Record { return senml.Record{Kind: senml.Float, Num: *at(v)} },
		func(v *T, r *senml.Record) bool {
			n, is := r.Number()
			if !is || r.Kind == senml.Bool {
				return false
			}
			*at(v) = n
			return true
		},
	}
}

func intField[T any](suffix string, at func(*T) *int64) field[T] {
	return field[T]{suffix,
		func(v *T) senml.Record { return senml.Record{Kind: senml.Int, Int: *at(v)} },
		func(v *T, r *senml.Record) bool {
			n, is := whole(r)
			if is {
				*at(v) = n
			}
			return is
		},
	}
}

func uintField[T any](suffix string, at func(*T) *uint32) field[T] {
	return field[T]{suffix,
		func(v *T) senml.Record { return senml.Record{Kind: senml.Int, Int: int64(*at(v))} },
		func(v *T, r *senml.Record) bool {
			n, is := whole(r)
			if !is || n < 0 || n > math.MaxUint32 {
				return false
			}
			*at(v) = uint32(n)
			return true
		},
	}
}

// whole cuts a number to an integer, as boards do, if one can hold it.
func whole(r *senml.Record) (int64, bool) {
	switch r.Kind {
	case senml.Int:
		return r.Int, true
	case senml.Float:
		if r.Num > -math.MaxInt64 && r.Num < math.MaxInt64 { // also not NaN
			return int64(r.Num), true
		}
	}
	return 0, false
}

// differ tells whether two values differ by at least delta in some number, or in anything else.
func (s shape[T]) differ(a, b *T, delta float64) bool {
	for _, f := range s {
		x, y := f.get(a), f.get(b)
		if x.Kind == senml.Text && x.Text != y.Text || x.Kind == senml.Bool && x.Int != y.Int {
			return true
		}
		p, _ := x.Number()
		q, _ := y.Number()
		if p == q || x.Kind == senml.Text || x.Kind == senml.Bool || math.IsNaN(p) && math.IsNaN(q) {
			continue
		}
		if !(math.Abs(p-q) < delta) { // a number and NaN differ, whatever delta is
			return true
		}
	}
	return false
}
