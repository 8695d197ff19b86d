package thing

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

const (
	// maxAhead is how far in the future a device's own time is believed.
	maxAhead = 24 * time.Hour
	// maxAttributes of a free object that come by records.
	maxAttributes = 64
)

// clockSet is the least time that a device can mean: a board whose clock was never
// set counts from 1970 or from its build.
var clockSet = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// recordTime is when a record was true: by the device's clock if that can be, else
// when it arrived. It is cut to the microsecond, as history is.
func recordTime(at float64, arrival time.Time) time.Time {
	if at <= 0 || at > math.MaxUint32 {
		return arrival
	}
	seconds, fraction := math.Modf(at)
	t := time.Unix(int64(seconds), int64(math.Round(fraction*1e6))*1000).UTC()
	if t.Before(clockSet) || t.After(arrival.Add(maxAhead)) {
		return arrival
	}
	return t
}

// find looks for the line that a record's name means; attribute is what stands
// behind the colon of a composite's record.
func (r *route) find(name string) (l *line, attribute string) {
	if l := r.byName[name]; l != nil {
		return l, ""
	}
	if base, attribute, ok := strings.Cut(name, ":"); ok {
		if l := r.byName[base]; l != nil {
			return l, attribute
		}
	}
	return nil, ""
}

// memory is what a reader has to be told of earlier values.
type memory interface {
	lastOf(l *line) series.Value                // on disk; the zero Value for none
	stamp(l *line, arrival time.Time) time.Time // for what people write
}

// A reader turns the records of one message into points.
type reader struct {
	route   *route
	memory  memory
	arrival time.Time // UTC, in whole microseconds
	// down is for what people write to a device: only to writable properties, no
	// longer than a board can take, and at a time that memory tells.
	down bool

	unknown, refused int // records that said nothing that we can keep
}

// read appends the points of a message to dst. Records of one composite that stand
// together are one point; its attributes may come in any order, and those that do
// not come stay what they were.
func (rd *reader) read(dst []series.Point, records []senml.Record) []series.Point {
	for i := 0; i < len(records); {
		rec := &records[i]
		l, attribute := rd.route.find(rec.Name)
		if l == nil || rec.Name == nameRequest || (rd.down && !l.writable) {
			if !reserved(rec.Name) {
				rd.unknown++
			}
			i++
			continue
		}
		n, v, ok := 1, series.Value{}, false
		switch object := l.kind.stored() == series.Object; {
		case object && attribute != "":
			n = together(records[i:], len(rec.Name)-len(attribute))
			v, ok = rd.merge(l, records[i:i+n], len(rec.Name)-len(attribute))
		case !object && attribute == "":
			v, ok = l.kind.fromRecord(rec, rd.limit())
		}
		i += n
		if !ok {
			rd.refused += n
			continue
		}
		var at time.Time
		if rd.down {
			at = rd.memory.stamp(l, rd.arrival)
		} else if at = recordTime(rec.At, rd.arrival); at.Equal(rd.arrival) {
			at = l.arrive(at)
		}
		dst = append(dst, series.Point{Series: l.property, Thing: rd.route.thing, Space: rd.route.space, At: at, Value: v})
	}
	return dst
}

// setBack is by how much our clock may seem to run backwards before we believe that it
// was set: until then a burst has run ahead of it.
const setBack = time.Second

// arrive is the time of a value that has none of its own: when its message arrived, but
// after every such value before. A burst brings several within one microsecond, and of
// two at one instant history keeps the later only.
func (l *line) arrive(at time.Time) time.Time {
	for {
		last, next := l.arrived.Load(), at.UnixMicro()
		if next <= last && last-next < setBack.Microseconds() {
			next = last + 1
		}
		if l.arrived.CompareAndSwap(last, next) {
			return time.UnixMicro(next).UTC()
		}
	}
}

func (rd *reader) limit() int {
	if rd.down {
		return MaxTextDown
	}
	return MaxText
}

// together counts the records from the first that share the first prefix bytes of
// its name, "name:", and its time.
func together(records []senml.Record, prefix int) int {
	first := &records[0]
	n := 1
	for n < len(records) && records[n].At == first.At && strings.HasPrefix(records[n].Name, first.Name[:prefix]) {
		n++
	}
	return n
}

// merge puts attributes into the last value of an object.
func (rd *reader) merge(l *line, records []senml.Record, prefix int) (series.Value, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recall(rd.memory)
	if l.kind == Free {
		return rd.mergeFree(l, records, prefix)
	}
	w, told := l.whole, false
	for i := range records {
		name := records[i].Name[prefix:]
		for at := range fields[l.kind] {
			f := &fields[l.kind][at]
			if f.name != name {
				continue
			}
			if n, ok := records[i].Number(); ok && f.holds(n) {
				w[at], told = f.kind.round(n), true
			}
			break
		}
	}
	if !told {
		return series.Value{}, false
	}
	l.whole = w
	return l.kind.value(w), true
}

// recall makes a line know its last value. l.mu is held.
func (l *line) recall(m memory) {
	if !l.known {
		l.keep(m.lastOf(l))
	}
}

// keep remembers the last value of an object. l.mu is held.
func (l *line) keep(v series.Value) {
	l.known = true
	if l.kind == Free {
		l.free = v
		return
	}
	l.whole = l.kind.whole(v)
}

// value is what keep was given. l.mu is held.
func (l *line) value() series.Value {
	if l.kind == Free {
		return l.free
	}
	return l.kind.value(l.whole)
}

// holds says whether a device may report n for the attribute. Ranges are for
// people: a board that says hue 400 means something.
func (f *field) holds(n float64) bool {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return false
	}
	return f.kind != Int || math.Abs(n) <= maxInt
}

// round makes a number one of a Bool, an Int or a Float.
func (k Kind) round(n float64) float64 {
	switch k {
	case Bool:
		return truth(n != 0)
	case Int:
		return math.Trunc(n)
	}
	return n
}

func (rd *reader) mergeFree(l *line, records []senml.Record, prefix int) (series.Value, bool) {
	object := map[string]any{}
	if l.free.Kind == series.Object {
		_ = json.Unmarshal([]byte(l.free.Text), &object) // what is not an object is replaced
		if object == nil {
			object = map[string]any{}
		}
	}
	told := false
	for i := range records {
		rec, name := &records[i], records[i].Name[prefix:]
		if _, has := object[name]; name == "" || (!has && len(object) >= maxAttributes) {
			continue
		}
		switch rec.Kind {
		case senml.Text:
			object[name] = rec.Text
		case senml.Bool:
			object[name] = rec.Int != 0
		case senml.Int:
			object[name] = rec.Int
		default:
			if math.IsNaN(rec.Num) || math.IsInf(rec.Num, 0) {
				continue
			}
			object[name] = rec.Num
		}
		told = true
	}
	if !told {
		return series.Value{}, false
	}
	v, err := freeValue(object, rd.limit())
	if err != nil {
		return series.Value{}, false
	}
	l.free = v
	return v, true
}

// fromRecord makes a value of kind k from a record. It takes what boards send for
// what they mean: any number for a flag, a fraction for an integer.
func (k Kind) fromRecord(rec *senml.Record, limit int) (series.Value, bool) {
	if k == Text {
		if rec.Kind != senml.Text || len(rec.Text) > limit {
			return series.Value{}, false
		}
		if rec.Text == senml.Cleared {
			return series.Value{Kind: series.Text}, true
		}
		return series.Value{Kind: series.Text, Text: rec.Text}, true
	}
	n, ok := rec.Number()
	if !ok || math.IsNaN(n) || math.IsInf(n, 0) {
		return series.Value{}, false
	}
	switch k {
	case Bool:
		return series.Value{Kind: series.Bool, Int: int64(truth(n != 0))}, true
	case Int, Time:
		whole := rec.Int
		if rec.Kind == senml.Float {
			if math.Abs(n) > maxInt {
				return series.Value{}, false
			}
			whole = int64(n)
		}
		return series.Value{Kind: series.Int, Int: whole}, k == Int || whole >= 0
	case Float:
		return series.Value{Kind: series.Float, Num: n}, true
	}
	return series.Value{}, false
}

// appendRecords writes a value as the records that a device of kind k reads:
// integers as integers, floating point numbers as such, flags as flags, the
// attributes of a composite one behind the other (device-protocol reference,
// section 0, trap 6, and section 3.1). What does not fit the kind writes nothing.
func (k Kind) appendRecords(dst []senml.Record, name string, v series.Value, at time.Time) []senml.Record {
	if !k.fits(v) {
		return dst
	}
	rec := senml.Record{Name: name, At: seconds(at)}
	switch k {
	case Bool:
		rec.Kind, rec.Int = senml.Bool, v.Int
	case Int, Time:
		rec.Kind, rec.Int = senml.Int, v.Int
	case Float:
		rec.Kind, rec.Num = senml.Float, v.Num
		if v.Kind == series.Int {
			rec.Num = float64(v.Int)
		}
	case Text:
		rec.Kind, rec.Text = senml.Text, v.Text
	case Free:
		return appendFree(dst, rec, v)
	default:
		w := k.whole(v)
		for i, f := range fields[k] {
			one := rec
			one.Name = name + ":" + f.name
			switch f.kind {
			case Bool:
				one.Kind, one.Int = senml.Bool, int64(w[i])
			case Int:
				one.Kind, one.Int = senml.Int, int64(w[i])
			default:
				one.Kind, one.Num = senml.Float, w[i]
			}
			dst = append(dst, one)
		}
		return dst
	}
	return append(dst, rec)
}

// appendFree writes the attributes of a free object that records can say; what is
// nested stays out.
func appendFree(dst []senml.Record, rec senml.Record, v series.Value) []senml.Record {
	names, object := freeFields(v.Text)
	for _, name := range names {
		one := rec
		one.Name = rec.Name + ":" + name
		switch a := object[name].(type) {
		case string:
			one.Kind, one.Text = senml.Text, a
		case bool:
			one.Kind, one.Int = senml.Bool, int64(truth(a))
		case json.Number:
			if n, err := a.Int64(); err == nil {
				one.Kind, one.Int = senml.Int, n
				break
			}
			n, err := a.Float64()
			if err != nil {
				continue
			}
			one.Kind, one.Num = senml.Float, n
		default:
			continue
		}
		dst = append(dst, one)
	}
	return dst
}

// seconds is a time as packs write it.
func seconds(at time.Time) float64 { return float64(at.UnixMicro()) / 1e6 }

// offsetRecords tells a device its local time; device-protocol reference, section 3.3.
func offsetRecords(dst []senml.Record, o offset, at float64) []senml.Record {
	return append(dst,
		senml.Record{Name: nameOffset, Kind: senml.Int, Int: o.seconds, At: at},
		senml.Record{Name: nameUntil, Kind: senml.Int, Int: o.until, At: at})
}
