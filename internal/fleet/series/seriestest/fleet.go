package seriestest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// A Fleet makes up what boards report: thermometers in tenths of a degree, humidity,
// voltages of a ten-bit converter, power computed from noise, counters, signal
// strengths, switches, states, positions and now and then a line of text.
// Half of the properties carry the board's clock in whole seconds, the others the time
// of arrival in microseconds, up to 40 ms late.
//
// The same seed gives the same fleet.
type Fleet struct {
	rng    *rand.Rand
	start  time.Time
	period time.Duration
	round  int
	props  []property
}

type property struct {
	id, thing, space string
	next             func(r *rand.Rand, round int) series.Value
	late             bool
}

// Variety is after how many properties the kinds repeat.
const Variety = 12

// NewFleet makes a fleet of n properties, 5 to a thing and 100 to a space, that each report once per
// period from start on.
func NewFleet(seed uint64, n int, start time.Time, period time.Duration) *Fleet {
	f := &Fleet{rng: rand.New(rand.NewPCG(seed, 1)), start: start, period: period}
	for i := range n {
		f.props = append(f.props, property{
			id:    fmt.Sprintf("%08x-0000-4000-8000-%012x", seed, i),
			thing: fmt.Sprintf("%08x-0000-4000-a000-%012x", seed, i/5),
			space: fmt.Sprintf("%08x-0000-4000-9000-%012x", seed, i/100),
			next:  f.kind(i % Variety),
			late:  i/Variety%2 == 1,
		})
	}
	return f
}

// Series and Space name property i.
func (f *Fleet) Series(i int) string { return f.props[i].id }
func (f *Fleet) Space(i int) string  { return f.props[i].space }

// Next appends one point of each property, those of the next period.
func (f *Fleet) Next(dst []series.Point) []series.Point {
	at := f.start.Add(time.Duration(f.round) * f.period)
	for i := range f.props {
		p := &f.props[i]
		t := at.Truncate(time.Second)
		if p.late {
			t = at.Add(time.Duration(f.rng.IntN(40_000)) * time.Microsecond)
		}
		dst = append(dst, series.Point{Series: p.id, Thing: p.thing, Space: p.space, At: t, Value: p.next(f.rng, f.round)})
	}
	f.round++
	return dst
}

func short(v float64) series.Value {
	return series.Value{Kind: series.Float, Num: float64(float32(v))}
}

func tenths(v float64) float64 { return math.Round(v*10) / 10 }

// day is the part of a daily cycle, from -1 to 1.
func (f *Fleet) day(round int) float64 {
	return math.Sin(2 * math.Pi * float64(round) * f.period.Hours() / 24)
}

func (f *Fleet) kind(i int) func(r *rand.Rand, round int) series.Value {
	level := f.rng.Float64()
	switch i {
	case 0, 1, 2: // a thermometer that drifts, seen through its own noise
		drift := 0.0
		return func(r *rand.Rand, round int) series.Value {
			drift = drift*0.999 + r.NormFloat64()*0.01
			return short(tenths(15 + 10*level + 4*f.day(round) + drift + r.NormFloat64()*0.04))
		}
	case 3: // relative humidity, hundredths, from a sensor that filters
		v := 40 + 20*level
		return func(r *rand.Rand, round int) series.Value {
			v += (50+15*f.day(round)-v)*0.01 + r.NormFloat64()*0.05
			return short(math.Round(v*100) / 100)
		}
	case 4, 5: // a battery at a converter of ten bits and 5 V
		return func(r *rand.Rand, round int) series.Value {
			return short(math.Round(700+100*level+20*f.day(round)+r.NormFloat64()*1.5) * 5 / 1023)
		}
	case 6: // watts from a meter that computes in float64
		return func(r *rand.Rand, round int) series.Value {
			return series.Value{Kind: series.Float, Num: (230 + r.NormFloat64()) * (2 + level + f.day(round)/2 + r.NormFloat64()*0.01)}
		}
	case 7: // a pulse counter
		n := int64(1000 * level)
		return func(r *rand.Rand, _ int) series.Value {
			n += int64(r.IntN(4))
			return series.Value{Kind: series.Int, Int: n}
		}
	case 8: // signal strength in dBm
		return func(r *rand.Rand, _ int) series.Value {
			return series.Value{Kind: series.Int, Int: int64(math.Round(-60 - 10*level + r.NormFloat64()*2))}
		}
	case 9: // a switch
		on := int64(0)
		return func(r *rand.Rand, _ int) series.Value {
			if r.IntN(300) == 0 {
				on = 1 - on
			}
			return series.Value{Kind: series.Bool, Int: on}
		}
	case 10: // what a machine does, and rarely what went wrong
		state := "idle"
		return func(r *rand.Rand, round int) series.Value {
			switch r.IntN(200) {
			case 0:
				state = "running"
			case 1:
				state = "idle"
			case 2:
				return series.Value{Kind: series.Text, Text: fmt.Sprintf("E%02d: pressure %.1f bar after %d s", r.IntN(40), 2+r.Float64(), round)}
			}
			return series.Value{Kind: series.Text, Text: state}
		}
	}
	// a position that wanders, as its property's JSON
	lat, lon := 45+level, 7+level
	return func(r *rand.Rand, _ int) series.Value {
		lat += r.NormFloat64() * 2e-6
		lon += r.NormFloat64() * 2e-6
		return series.Value{Kind: series.Object, Text: fmt.Sprintf(`{"lat":%g,"lon":%g}`, math.Round(lat*1e6)/1e6, math.Round(lon*1e6)/1e6)}
	}
}
