// Package senml reads and writes the packs in which devices and the cloud exchange
// property values: SenML (RFC 8428) in CBOR (RFC 8949) with integer labels, in the
// dialect that Arduino boards, their Python client and their JavaScript client speak.
//
// It stands on the way of every value, so it is written by hand: Decode makes one
// allocation for all names and texts of a pack together, AppendDecode no other, and
// packs without any text none. The fuzz test compares it with fxamacker/cbor.
package senml

import "github.com/ardesia-iot/ardesia/internal/base/problem"

// Bounds of one pack. Boards send at most 256 bytes, the Python client one pack
// of any size with all its properties.
const (
	MaxBytes   = 64 << 10
	MaxRecords = 4096
	maxDepth   = 8 // of a value under a label that we skip
)

// Two texts with a meaning of their own.
const (
	// Cleared is the text by which a sketch empties a text property in the cloud
	// (a single ESC). Decode hands it out as it is.
	Cleared = "\x1b"

	// LastValuesRequest is the whole message by which generation 1 devices ask for
	// last values on "shadow/o": the record "r:m" = "getLastValues".
	LastValuesRequest = "\x81\xa2\x00\x63r:m\x03\x6dgetLastValues"
)

// A Kind says which field of a Record holds its value.
type Kind uint8

const (
	Float Kind = iota // Num; label 2
	Int               // Int; label 2
	Bool              // Int, 0 or 1; label 4
	Text              // Text; label 3

	kinds
)

var kindNames = [kinds]string{"float", "int", "bool", "text"}

func (k Kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return "unknown"
}

// A Record is one value of one property or of one attribute of it.
//
// After Decode all names and texts of a pack share one allocation of the pack's
// size: clone a string that is to be kept much longer than its neighbours.
type Record struct {
	Name string  // "property" or "property:attribute"; "" in the light payload
	Text string  // of Kind Text, valid UTF-8
	Num  float64 // of Kind Float; may be NaN or infinite, as boards send what a sensor gave
	Int  int64   // of Kind Int and Bool
	At   float64 // seconds since 1970, UTC; 0 is none. May be a board's clock that is not set yet
	ID   uint16  // light payload (LoRaWAN): property + 256 × attribute, both counted from 1; else 0
	Kind Kind
}

// Number is the value of a Float, an Int or a Bool as a floating point number.
func (r *Record) Number() (float64, bool) {
	switch r.Kind {
	case Float:
		return r.Num, true
	case Int, Bool:
		return float64(r.Int), true
	}
	return 0, false
}

// ErrMalformed is every refusal of Decode.
var ErrMalformed = problem.New(problem.Invalid, "pack-malformed", "This is not a SenML pack in CBOR.")

// The reasons, made once: a device that sends nonsense must not cost us memory.
var (
	errTooLong   = ErrMalformed.With("The pack has more than 65536 bytes.")
	errTooMany   = ErrMalformed.With("The pack has more than 4096 records.")
	errEnd       = ErrMalformed.With("The pack ends in the middle of a value.")
	errTail      = ErrMalformed.With("Bytes follow the pack.")
	errArray     = ErrMalformed.With("A pack is a CBOR array.")
	errMap       = ErrMalformed.With("A record is a CBOR map.")
	errCBOR      = ErrMalformed.With("The pack is not well-formed CBOR.")
	errDepth     = ErrMalformed.With("A value is nested too deeply.")
	errLabel     = ErrMalformed.With("A label is not an integer.")
	errTwice     = ErrMalformed.With("A record has a label, or a value, twice.")
	errName      = ErrMalformed.With("A name is neither text nor a number from 1 to 65535.")
	errNameless  = ErrMalformed.With("A record has a value and no name.")
	errNumber    = ErrMalformed.With("Label 2 is not a number.")
	errText      = ErrMalformed.With("Label 3 is not text.")
	errFlag      = ErrMalformed.With("Label 4 is neither true nor false.")
	errTime      = ErrMalformed.With("A time is not a number.")
	errTimeRange = ErrMalformed.With("A time is not finite or lies beyond the year 5000.")
)
