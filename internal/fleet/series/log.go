package series

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// A row of the log is all points of one group commit. It is a version, a number that is above
// those of all series that there were, so that none is used again while the log remembers it, and a section
// per thing, sealed under the key of that thing: so nobody reads a thing without its
// key, and destroying the key reaches every copy of the log.
//
// Section: the thing (16 bytes if its id is a UUID, after a zero; else length and
// bytes), length, and sealed points. A sealed section opens only in its row and for
// its thing.
//
// Point: a tag, what has changed since the point before, and the value.
const logVersion = 1

const (
	tagKind   = 0x07 // the kind
	tagSeries = 0x08 // the number of another series follows
	tagTime   = 0x10 // a distance in time follows, in µs; without it the instant is the same
	tagValue  = 0x20 // Bool: it is 1; Float: a float32 of 4 bytes
	tagFree   = 0xc0 // not used
)

// beginRow writes the head of a row.
func beginRow(dst []byte, next int64) []byte {
	return appendUint(append(dst, logVersion), uint64(next))
}

// A section collects the points of one thing in one commit.
type section struct {
	plain  []byte
	series int64 // of the point before
	at     int64
}

func (s *section) reset() { s.plain, s.series, s.at = s.plain[:0], 0, 0 }

func (s *section) add(series, at int64, v *Value) {
	tag := byte(v.Kind)
	if series != s.series {
		tag |= tagSeries
	}
	if at != s.at {
		tag |= tagTime
	}
	bits := math.Float64bits(v.Num)
	switch {
	case v.Kind == Bool && v.Int != 0, v.Kind == Float && isShort(bits):
		tag |= tagValue
	}
	b := append(s.plain, tag)
	if series != s.series {
		b = appendUint(b, uint64(series))
	}
	if at != s.at {
		b = appendInt(b, at-s.at)
	}
	s.series, s.at = series, at
	switch v.Kind {
	case Float:
		if tag&tagValue == 0 {
			b = appendFixed64(b, bits)
			break
		}
		short := math.Float32bits(float32(v.Num))
		b = append(b, byte(short), byte(short>>8), byte(short>>16), byte(short>>24))
	case Int:
		b = appendInt(b, v.Int)
	case Text, Object:
		b = append(appendUint(b, uint64(len(v.Text))), v.Text...)
	}
	s.plain = b
}

// readSection calls fn for each point of an opened section. Points before the one at
// which it fails were given to fn.
func readSection(plain []byte, fn func(series, at int64, v Value) error) error {
	r := reader{b: plain}
	var series, at int64
	for len(r.b) > 0 {
		tag := r.byte()
		if tag&tagFree != 0 {
			return errCodec
		}
		if tag&tagSeries != 0 {
			series = int64(r.uint())
		}
		if tag&tagTime != 0 {
			at += r.int()
		}
		v := Value{Kind: Kind(tag & tagKind)}
		switch {
		case v.Kind == Float && tag&tagValue != 0:
			if b := r.bytes(4); b != nil {
				v.Num = float64(math.Float32frombits(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24))
			}
		case v.Kind == Float:
			v.Num = math.Float64frombits(r.fixed64())
		case v.Kind == Bool:
			v.Int = int64(tag & tagValue / tagValue)
		case v.Kind >= kinds || tag&tagValue != 0:
			return errCodec
		case v.Kind == Int:
			v.Int = r.int()
		default:
			v.Text = string(r.bytes(r.size(MaxText)))
		}
		if r.bad || series <= 0 || at < earliest || at >= latest {
			return errCodec
		}
		if err := fn(series, at, v); err != nil {
			return err
		}
	}
	return nil
}

// appendID writes the id of a thing.
func appendID(dst []byte, id string) []byte {
	if raw, ok := parseUUID(id); ok {
		return append(append(dst, 0), raw[:]...)
	}
	return append(appendUint(dst, uint64(len(id))), id...)
}

func (r *reader) id() string {
	if n := r.size(maxID); n > 0 {
		return string(r.bytes(n))
	}
	b := r.bytes(16)
	if r.bad {
		return ""
	}
	s := hex.EncodeToString(b)
	return strings.Join([]string{s[:8], s[8:12], s[12:16], s[16:20], s[20:]}, "-")
}

// parseUUID reads the one way of writing a UUID that reader.id writes: lower case with dashes.
func parseUUID(s string) (raw [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return raw, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		var d byte
		switch c := s[i]; {
		case i == 8 || i == 13 || i == 18 || i == 23:
			continue
		case c >= '0' && c <= '9':
			d = c - '0'
		case c >= 'a' && c <= 'f':
			d = c - 'a' + 10
		default:
			return raw, false
		}
		raw[n/2] = raw[n/2]<<4 | d
		n++
	}
	return raw, true
}

// logPlace is what a section is bound to.
func logPlace(dst []byte, seq int64, thing string) []byte {
	return sectionPlace(dst, "series_log", seq, thing)
}

func sectionPlace(dst []byte, table string, seq int64, thing string) []byte {
	return keys.AppendPlace(dst, table, strconv.FormatInt(seq, 10), thing)
}

// appendSection writes a section, sealed. tmp is memory that it may use.
func appendSection(dst []byte, key keys.Sealer, seq int64, thing string, plain []byte, tmp *[]byte) ([]byte, error) {
	return appendSectionAt(dst, key, logPlace(nil, seq, thing), thing, plain, tmp)
}

func appendSectionAt(dst []byte, key keys.Sealer, place []byte, thing string, plain []byte, tmp *[]byte) ([]byte, error) {
	sealed, err := seal(key, (*tmp)[:0], plain, place)
	if err != nil {
		return dst, err
	}
	*tmp = sealed
	dst = appendUint(appendID(dst, thing), uint64(len(sealed)))
	return append(dst, sealed...), nil
}

// seal appends plain, sealed.
func seal(key keys.Sealer, dst, plain, place []byte) ([]byte, error) {
	if a, ok := key.(keys.Appender); ok {
		return a.AppendSeal(dst, plain, place)
	}
	sealed, err := key.Seal(plain, place)
	return append(dst, sealed...), err
}

// open appends what was sealed.
func open(key keys.Sealer, dst, sealed, place []byte) ([]byte, error) {
	if a, ok := key.(keys.Appender); ok {
		return a.AppendOpen(dst, sealed, place)
	}
	plain, err := key.Open(sealed, place)
	return append(dst, plain...), err
}

// eachSection calls fn for the sections of a row, and says from where on numbers of series are free.
func eachSection(body []byte, fn func(thing string, sealed []byte) error) (next int64, err error) {
	r := reader{b: body}
	if r.byte() != logVersion {
		return 0, errCodec
	}
	if next = int64(r.uint()); next < 0 {
		return 0, errCodec
	}
	for len(r.b) > 0 {
		thing := r.id()
		sealed := r.bytes(r.size(len(r.b)))
		if r.bad {
			return 0, errCodec
		}
		if err := fn(thing, sealed); err != nil {
			return 0, fmt.Errorf("points of thing %s: %w", thing, err)
		}
	}
	return next, r.err()
}
