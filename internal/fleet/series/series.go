package series

import (
	"math"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// A Kind says what a value is. The numbers are on disk: they never change.
type Kind uint8

const (
	Float  Kind = iota // Num
	Int                // Int
	Bool               // Int, 0 or 1
	Text               // Text
	Object             // Text, canonical JSON

	kinds // how many there are
)

func (k Kind) String() string {
	if k < kinds {
		return [kinds]string{"float", "int", "bool", "text", "object"}[k]
	}
	return "unknown"
}

// numeric says whether values of the kind count in aggregations.
func (k Kind) numeric() bool { return k <= Bool }

// A Value is what a property was at one instant. Only the field that Kind names is
// read; floats keep all their bits, also those of a NaN.
type Value struct {
	Kind Kind
	Num  float64
	Int  int64
	Text string // UTF-8 by custom, not by check; at most MaxText bytes
}

// number is the value as aggregations see it. Texts, objects and floats that are
// not finite (what a sensor says when it has no reading) are no numbers.
func (v Value) number() (float64, bool) {
	switch v.Kind {
	case Float:
		return v.Num, !math.IsNaN(v.Num) && !math.IsInf(v.Num, 0)
	case Int, Bool:
		return float64(v.Int), true
	}
	return 0, false
}

// same says whether two values are equal bit by bit.
func (v Value) same(w Value) bool {
	if v.Kind != w.Kind {
		return false
	}
	switch v.Kind {
	case Float:
		return math.Float64bits(v.Num) == math.Float64bits(w.Num)
	case Int, Bool:
		return v.Int == w.Int
	}
	return v.Text == w.Text
}

// A Point is one value of one property at one instant.
type Point struct {
	Series string    // the property's UUID
	Thing  string    // the thing that has the property, whose key seals it; it never changes
	Space  string    // the space that owns the thing; it never changes
	At     time.Time // UTC; what is finer than a microsecond is cut off
	Value  Value
	// By is who wrote it, for those who follow (Tap, Mirror); history itself does not keep it. "" is nobody who said so.
	By string
}

// Bounds. MaxChunkPoints and chunkSpan are also the granularity of retention.
const (
	MaxText        = 64 << 10 // bytes of one text or object
	MaxBatch       = 64 << 10 // points of one Append or Enqueue
	MaxBatchText   = 8 << 20  // bytes of text in one Append or Enqueue
	MaxChunkPoints = 3600     // an hour at one per second
	maxChunkText   = 1 << 20  // bytes of text in one chunk
	maxID          = 128      // bytes of the id of a series, a thing or a space
)

// chunkSpan bounds the time between the first and the last point of a chunk.
const chunkSpan = int64(24 * time.Hour / time.Microsecond)

// Earliest and Latest are the instants that history holds: from the first to before the second.
// They are those of the compatible API's timeseries.
var (
	Earliest = time.Date(1842, 1, 1, 0, 0, 0, 0, time.UTC)
	Latest   = time.Date(2242, 1, 1, 0, 0, 0, 0, time.UTC)

	earliest = Earliest.UnixMicro()
	latest   = Latest.UnixMicro()
)

// check says what is wrong with a point on its own.
func (p *Point) check() error {
	for _, id := range [...]string{p.Series, p.Thing, p.Space} {
		if id == "" || len(id) > maxID {
			return ErrNoSeries
		}
	}
	if len(p.By) > maxID {
		return ErrNoSeries
	}
	if at := p.At.UnixMicro(); at < earliest || at >= latest {
		return ErrTime
	}
	switch p.Value.Kind {
	case Float, Int:
	case Bool:
		if p.Value.Int != 0 && p.Value.Int != 1 {
			return ErrKind
		}
	case Text, Object:
		if len(p.Value.Text) > MaxText {
			return ErrText
		}
	default:
		return ErrKind
	}
	return nil
}

// An Aggregation makes one number of the points of a bin.
type Aggregation uint8

const (
	Avg Aggregation = iota
	Min
	Max
	Sum
	Count
	Pct99
	Pct95
	Pct90
	Pct75
	Pct50
	Pct15
	Pct5
	BoolOr  // 1 if any value is not 0
	BoolAnd // 1 if no value is 0

	aggregations // how many there are
)

// aggregationNames are those of the compatible API.
var aggregationNames = [aggregations]string{
	"AVG", "MIN", "MAX", "SUM", "COUNT",
	"PCT_99", "PCT_95", "PCT_90", "PCT_75", "PCT_50", "PCT_15", "PCT_5",
	"BOOL_OR", "BOOL_AND",
}

func (a Aggregation) String() string {
	if a < aggregations {
		return aggregationNames[a]
	}
	return "unknown"
}

// ParseAggregation reads the name that the compatible API gives an aggregation.
func ParseAggregation(name string) (Aggregation, bool) {
	for i, n := range aggregationNames {
		if n == name {
			return Aggregation(i), true
		}
	}
	return 0, false
}

// percentile says which one a is.
func (a Aggregation) percentile() (int, bool) {
	if a < Pct99 || a > Pct5 {
		return 0, false
	}
	return [...]int{99, 95, 90, 75, 50, 15, 5}[a-Pct99], true
}

// A Query asks for points of one series.
type Query struct {
	Series, Space string    // a series of another space has no points
	From, To      time.Time // From inclusive, To exclusive; zero is open
	Limit         int       // points or bins; 0 is DefaultLimit, more than MaxLimit is MaxLimit
	Desc          bool      // newest first; also says which end Limit cuts off

	Interval    time.Duration // Aggregate and Sample: width of a bin, at least a microsecond
	Aggregation Aggregation   // Aggregate only
}

// Bounds of an answer.
const (
	DefaultLimit = 1000
	MaxLimit     = 1_000_000
)

// A Bin is what an aggregation made of the points from At to before At + interval.
type Bin struct {
	At    time.Time // a whole multiple of the interval since 1970, UTC
	Value float64   // always finite
	Count int       // numbers in the bin, at least 1
}

// What a caller can act on.
var (
	ErrNoSeries    = problem.New(problem.Invalid, "series-id", "A point needs the IDs of its property, its thing and its space.")
	ErrTime        = problem.New(problem.Invalid, "series-time", "The time of a value must lie between 1842-01-01 and 2242-01-01.")
	ErrKind        = problem.New(problem.Invalid, "series-kind", "The value is of no kind that history holds.")
	ErrText        = problem.New(problem.TooLarge, "series-text", "A text value may have up to 65536 bytes.")
	ErrBatch       = problem.New(problem.TooLarge, "series-batch", "Too many values at once: send up to 65536 of them, with up to 8 MiB of text.")
	ErrOwner       = problem.New(problem.Conflict, "series-owner", "The property's history belongs to another thing or space.")
	ErrInterval    = problem.New(problem.Invalid, "series-interval", "The width of a bin must be at least one microsecond.")
	ErrAggregation = problem.New(problem.Invalid, "series-aggregation", "There is no such aggregation.")
	ErrTooMuch     = problem.New(problem.Invalid, "series-too-much", "The interval is too small, or the range too large: this would read more than ten million values. Ask for less.")
	ErrStopped     = problem.New(problem.Unavailable, "series-stopped", "The server is stopping and takes no more values.")
)
