package senml

import (
	"encoding/binary"
	"math"
)

// Append writes records as the cloud sends them to devices and web clients, and
// appends the pack to dst: a definite array; the time as label -3 in the first record
// that has it and again only where it changes; then the name, then the value;
// floating point numbers in 64 bits.
//
// All known decoders read this form. The attributes of one property should follow each other: boards
// apply a set that is torn apart in two steps.
func Append(dst []byte, records []Record) []byte {
	dst = appendHead(dst, majorArray, uint64(len(records)))
	var base float64
	for i := range records {
		r := &records[i]
		if r.At != base {
			dst = append(dst, majorMap<<5|3)
			dst = appendHead(dst, majorNegative, -1-labelBaseTime)
			dst = appendDouble(dst, r.At)
			base = r.At
		} else {
			dst = append(dst, majorMap<<5|2)
		}
		dst = appendNamed(dst, r)
		dst = appendValue(dst, r, false)
	}
	return dst
}

// AppendBoard writes records as boards send them: an open array, no base fields, the
// time as label 6 behind the value, in whole seconds when it is whole; floating point numbers in 32
// bits when that loses nothing.
func AppendBoard(dst []byte, records []Record) []byte {
	dst = append(dst, majorArray<<5|open)
	for i := range records {
		r := &records[i]
		pairs := byte(2)
		if r.At != 0 {
			pairs = 3
		}
		dst = append(dst, majorMap<<5|pairs)
		dst = appendNamed(dst, r)
		dst = appendValue(dst, r, true)
		if r.At == 0 {
			continue
		}
		dst = append(dst, labelTime)
		if r.At > 0 && r.At < math.MaxUint32 && r.At == math.Trunc(r.At) {
			dst = appendHead(dst, majorUint, uint64(r.At))
		} else {
			dst = appendDouble(dst, r.At)
		}
	}
	return append(dst, breakByte)
}

func appendNamed(dst []byte, r *Record) []byte {
	dst = append(dst, labelName)
	if r.ID != 0 {
		return appendHead(dst, majorUint, uint64(r.ID))
	}
	dst = appendHead(dst, majorText, uint64(len(r.Name)))
	return append(dst, r.Name...)
}

func appendValue(dst []byte, r *Record, narrow bool) []byte {
	switch r.Kind {
	case Text:
		dst = append(dst, labelText)
		dst = appendHead(dst, majorText, uint64(len(r.Text)))
		return append(dst, r.Text...)
	case Bool:
		dst = append(dst, labelFlag)
		if r.Int != 0 {
			return append(dst, majorSimple<<5|21)
		}
		return append(dst, majorSimple<<5|20)
	case Int:
		dst = append(dst, labelValue)
		if r.Int < 0 {
			return appendHead(dst, majorNegative, uint64(-1-r.Int))
		}
		return appendHead(dst, majorUint, uint64(r.Int))
	}
	dst = append(dst, labelValue)
	if !narrow {
		return appendDouble(dst, r.Num)
	}
	if math.IsNaN(r.Num) {
		return append(dst, majorSimple<<5|26, 0x7f, 0xc0, 0, 0)
	}
	if single := float32(r.Num); float64(single) == r.Num {
		dst = append(dst, majorSimple<<5|26)
		return binary.BigEndian.AppendUint32(dst, math.Float32bits(single))
	}
	return appendDouble(dst, r.Num)
}

func appendDouble(dst []byte, v float64) []byte {
	dst = append(dst, majorSimple<<5|27)
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v))
}

// appendHead writes the shortest form, as RFC 8949, section 4.1, prefers.
func appendHead(dst []byte, major byte, n uint64) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}
