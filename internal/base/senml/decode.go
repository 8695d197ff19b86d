package senml

import (
	"encoding/binary"
	"math"
	"strings"
	"unicode/utf8"
)

// Labels of RFC 8428, section 6, table 4. All others are skipped, as section 4.4
// asks; so are base name (-2; boards do not prefix it), base value and base sum.
const (
	labelBaseTime = -3
	labelName     = 0
	labelValue    = 2
	labelText     = 3
	labelFlag     = 4
	labelTime     = 6
)

// Major types of RFC 8949, section 3.1.
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorSimple
)

const (
	open      = 31   // additional information: indefinite length, or break
	breakByte = 0xff // ends what is of indefinite length
	millis    = 1e11 // a greater time is in milliseconds: JavaScript's clock (the year 5138 in seconds, 1973 in milliseconds)
)

// Decode reads the records of one message from a device or a client.
//
// Base times are already applied to the result, so a Record stands by itself. Base
// times above 1e11 are milliseconds. A time at or before 1970 is no time. Base names
// are not prefixed: boards and the cloud agree on that against RFC 8428. Fields
// under labels that we do not know are skipped, and so is a record without a value. Labels may
// be written as decimal text. Bytes in a text that are not UTF-8 become U+FFFD.
// Integers beyond 64 bits become Float.
//
// Any input that is not one whole pack, that is ambiguous (a label or a value twice in one record),
// or that exceeds MaxBytes or MaxRecords, is ErrMalformed; then no record is returned, so
// that a message counts entirely or not at all. Decode keeps no reference to wire.
func Decode(wire []byte) ([]Record, error) {
	records, err := AppendDecode(nil, wire)
	if err != nil {
		return nil, err
	}
	return records, nil
}

// AppendDecode is Decode into the spare capacity of dst. On an error the result is
// dst as it was given.
func AppendDecode(dst []Record, wire []byte) ([]Record, error) {
	if len(wire) > MaxBytes {
		return dst, errTooLong
	}
	d := decoder{wire: wire}
	major, info, count, err := d.head()
	if err != nil {
		return dst, err
	}
	if major != majorArray {
		return dst, errArray
	}
	if info != open && count > MaxRecords {
		return dst, errTooMany
	}
	records := dst
	for n := uint64(0); ; n++ {
		if info == open {
			if d.atBreak() {
				break
			}
		} else if n == count {
			break
		}
		if n == MaxRecords {
			return dst, errTooMany
		}
		var r Record
		valued, err := d.record(&r)
		if err != nil {
			return dst, err
		}
		if valued {
			records = append(records, r)
		}
	}
	if d.at != len(wire) {
		return dst, errTail
	}
	return records, nil
}

// A decoder is a position in one pack and what lasts from record to record.
type decoder struct {
	wire     []byte
	at       int
	copied   string  // a copy of wire, made when the first text is met
	baseTime float64 // seconds
}

// record reads one map into r and tells whether it had a value.
func (d *decoder) record(r *Record) (valued bool, err error) {
	major, info, pairs, err := d.head()
	if err != nil {
		return false, err
	}
	if major != majorMap {
		return false, errMap
	}
	var named, baseTimed, timed bool
	var seconds float64
	for n := uint64(0); ; n++ {
		if info == open {
			if d.atBreak() {
				break
			}
		} else if n == pairs {
			break
		}
		label, known, err := d.label()
		if err != nil {
			return false, err
		}
		if !known {
			label = math.MaxInt64 // to the default below
		}
		switch label {
		case labelName:
			if named {
				return false, errTwice
			}
			named = true
			err = d.name(r)
		case labelValue, labelText, labelFlag:
			if valued {
				return false, errTwice
			}
			valued = true
			err = d.value(r, label)
		case labelTime:
			if timed {
				return false, errTwice
			}
			timed = true
			seconds, err = d.time()
		case labelBaseTime:
			if baseTimed {
				return false, errTwice
			}
			baseTimed = true
			d.baseTime, err = d.time()
		default:
			err = d.skip(maxDepth)
		}
		if err != nil {
			return false, err
		}
	}
	if valued && r.Name == "" && r.ID == 0 {
		return false, errNameless
	}
	switch at := d.baseTime + seconds; {
	case at > millis:
		return false, errTimeRange
	case at > 0:
		r.At = at
	}
	return valued, nil
}

// label reads a map's key. known is false for one that fits none of our labels.
func (d *decoder) label() (label int64, known bool, err error) {
	major, info, n, err := d.head()
	if err != nil {
		return 0, false, err
	}
	switch {
	case major == majorUint:
		return int64(n), n <= labelTime, nil
	case major == majorNegative:
		return -1 - int64(n), n <= -labelBaseTime, nil
	case major == majorText:
		text, err := d.text(info, n)
		if err != nil {
			return 0, false, err
		}
		return labelOf(text)
	}
	return 0, false, errLabel
}

// labelOf reads a label that a client wrote as text: an encoder in JavaScript that
// was not told better, whose object keys are text. Other text is refused as boards do.
func labelOf(text string) (label int64, known bool, err error) {
	digits, negative := strings.CutPrefix(text, "-")
	if digits == "" {
		return 0, false, errLabel
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false, errLabel
		}
	}
	if len(digits) > 1 {
		return 0, false, nil // all that we know have one digit
	}
	label = int64(digits[0] - '0')
	if negative {
		label = -label
	}
	return label, true, nil
}

func (d *decoder) name(r *Record) error {
	major, info, n, err := d.head()
	if err != nil {
		return err
	}
	switch {
	case major == majorText:
		r.Name, err = d.text(info, n)
		return err
	case major == majorUint && n > 0 && n <= math.MaxUint16:
		r.ID = uint16(n)
		return nil
	}
	return errName
}

func (d *decoder) value(r *Record, label int64) error {
	major, info, n, err := d.head()
	if err != nil {
		return err
	}
	switch label {
	case labelText:
		if major != majorText {
			return errText
		}
		r.Kind = Text
		r.Text, err = d.text(info, n)
		return err
	case labelFlag:
		if major != majorSimple || info != 20 && info != 21 {
			return errFlag
		}
		r.Kind, r.Int = Bool, int64(info-20)
		return nil
	}
	if major == majorSimple && (info == 20 || info == 21) {
		r.Kind, r.Int = Bool, int64(info-20) // a generic encoder that takes label 2 for any value
		return nil
	}
	integer, num, isInt, ok := number(major, info, n)
	if !ok {
		return errNumber
	}
	if isInt {
		r.Kind, r.Int = Int, integer
	} else {
		r.Kind, r.Num = Float, num
	}
	return nil
}

// time reads seconds, or milliseconds as some clients send, and gives seconds.
func (d *decoder) time() (float64, error) {
	major, info, n, err := d.head()
	if err != nil {
		return 0, err
	}
	integer, num, isInt, ok := number(major, info, n)
	if !ok {
		return 0, errTime
	}
	if isInt {
		num = float64(integer)
	}
	if num > millis {
		num /= 1000
	}
	// This also refuses NaN. The lower bound keeps sums far from overflow.
	if !(num >= -millis && num <= millis) {
		return 0, errTimeRange
	}
	return num, nil
}

// number interprets a head as a number of any width.
func number(major, info byte, n uint64) (integer int64, num float64, isInt, ok bool) {
	switch major {
	case majorUint:
		if n > math.MaxInt64 {
			return 0, float64(n), false, true
		}
		return int64(n), 0, true, true
	case majorNegative:
		if n > math.MaxInt64 {
			return 0, -1 - float64(n), false, true
		}
		return -1 - int64(n), 0, true, true
	case majorSimple:
		switch info {
		case 25:
			return 0, half(uint16(n)), false, true
		case 26:
			return 0, float64(math.Float32frombits(uint32(n))), false, true
		case 27:
			return 0, math.Float64frombits(n), false, true
		}
	}
	return 0, 0, false, false
}

// half widens an IEEE 754 half-precision number (RFC 8949, appendix D).
func half(bits uint16) float64 {
	exponent, fraction := int(bits>>10)&0x1f, float64(bits&0x3ff)
	var v float64
	switch exponent {
	case 0:
		v = math.Ldexp(fraction, -24)
	case 31:
		v = math.Inf(1)
		if fraction != 0 {
			return math.NaN()
		}
	default:
		v = math.Ldexp(fraction+1024, exponent-25)
	}
	if bits&0x8000 != 0 {
		return -v
	}
	return v
}

// head reads the first byte of an item and its argument. For floats n is the bits.
func (d *decoder) head() (major, info byte, n uint64, err error) {
	if d.at >= len(d.wire) {
		return 0, 0, 0, errEnd
	}
	first := d.wire[d.at]
	d.at++
	major, info = first>>5, first&0x1f
	if info < 24 {
		return major, info, uint64(info), nil
	}
	rest := d.wire[d.at:]
	switch info {
	case 24:
		if len(rest) < 1 {
			return 0, 0, 0, errEnd
		}
		n = uint64(rest[0])
		d.at++
		if major == majorSimple && n < 32 {
			return 0, 0, 0, errCBOR // RFC 8949, section 3.3
		}
	case 25:
		if len(rest) < 2 {
			return 0, 0, 0, errEnd
		}
		n = uint64(binary.BigEndian.Uint16(rest))
		d.at += 2
	case 26:
		if len(rest) < 4 {
			return 0, 0, 0, errEnd
		}
		n = uint64(binary.BigEndian.Uint32(rest))
		d.at += 4
	case 27:
		if len(rest) < 8 {
			return 0, 0, 0, errEnd
		}
		n = binary.BigEndian.Uint64(rest)
		d.at += 8
	case open:
		if major < majorBytes || major > majorMap {
			return 0, 0, 0, errCBOR // also a break where none may be
		}
	default:
		return 0, 0, 0, errCBOR
	}
	return major, info, n, nil
}

// atBreak steps over a break if one is next.
func (d *decoder) atBreak() bool {
	if d.at < len(d.wire) && d.wire[d.at] == breakByte {
		d.at++
		return true
	}
	return false
}

// text reads the bytes of a text whose head was read.
func (d *decoder) text(info byte, n uint64) (string, error) {
	if info == open {
		return d.chunks()
	}
	if n > uint64(len(d.wire)-d.at) {
		return "", errEnd
	}
	if d.copied == "" {
		d.copied = string(d.wire)
	}
	s := d.copied[d.at : d.at+int(n)]
	d.at += int(n)
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	return s, nil
}

// chunks reads a text that comes in pieces. Nobody is known to send one.
func (d *decoder) chunks() (string, error) {
	var whole []byte
	for !d.atBreak() {
		major, info, n, err := d.head()
		if err != nil {
			return "", err
		}
		if major != majorText || info == open {
			return "", errCBOR
		}
		if n > uint64(len(d.wire)-d.at) {
			return "", errEnd
		}
		whole = append(whole, d.wire[d.at:d.at+int(n)]...)
		d.at += int(n)
	}
	return strings.ToValidUTF8(string(whole), "\uFFFD"), nil
}

// skip steps over one value of any type, with at most depth containers and tags inside each other.
func (d *decoder) skip(depth int) error {
	major, info, n, err := d.head()
	if err != nil {
		return err
	}
	switch major {
	case majorBytes, majorText:
		return d.skipString(major, info, n)
	case majorArray, majorMap, majorTag:
		if depth == 0 {
			return errDepth
		}
	default:
		return nil
	}
	if major == majorTag {
		return d.skip(depth - 1)
	}
	each := 1
	if major == majorMap {
		each = 2
	}
	for i := uint64(0); info == open || i < n; i++ {
		if info == open && d.atBreak() {
			break
		}
		for range each {
			if err := d.skip(depth - 1); err != nil {
				return err // at the latest at the end of wire, however many items were claimed
			}
		}
	}
	return nil
}

func (d *decoder) skipString(major, info byte, n uint64) error {
	if info != open {
		if n > uint64(len(d.wire)-d.at) {
			return errEnd
		}
		d.at += int(n)
		return nil
	}
	for !d.atBreak() {
		inner, info, n, err := d.head()
		if err != nil {
			return err
		}
		if inner != major || info == open {
			return errCBOR
		}
		if n > uint64(len(d.wire)-d.at) {
			return errEnd
		}
		d.at += int(n)
	}
	return nil
}
