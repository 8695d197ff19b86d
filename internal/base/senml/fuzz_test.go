package senml

import (
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// seeds are all vectors and what is just beyond them.
func seeds(f *testing.F) {
	f.Helper()
	for _, c := range boardVectors {
		f.Add(wire(f, c.hex))
	}
	for _, text := range []string{
		d1, "80", "9fff", "", "9bffffffffffffffff",
		"81a4221a6553f10000616902010605", "82a3221a6553f100006169021863a20061660201",
		"81a3006169016143021863", "9fbf006169021863ffff", "81a32163707265006169021863",
		"81a2006169021b0000010000000000", "81a200616902f95630", "82a200616902f6a2006166021863",
		"81a36130616161320562" + "2d33" + "1a6553f100", "81a2007f61616162ff0205",
		"81a300616108a16178829f01f6ff" + "c11a000000000205", "81a3006161085f4101420203ff0205",
	} {
		f.Add(wire(f, text))
	}
	f.Add([]byte(LastValuesRequest))
}

// Whatever a device sends, Decode either refuses it with ErrMalformed or reads records that
// survive both of our encodings; it never panics and never reads past wire.
func FuzzDecode(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, w []byte) {
		first, err := Decode(slices.Clip(w))
		if err != nil {
			if !errors.Is(err, ErrMalformed) || first != nil {
				t.Fatalf("refused with %v and records %v", err, first)
			}
			return
		}
		for form, back := range map[string][]byte{"cloud": Append(nil, first), "board": AppendBoard(nil, first)} {
			if len(back) > MaxBytes {
				continue // times and wide numbers, written out, can exceed what we accept
			}
			again, err := Decode(back)
			if err != nil || !slices.EqualFunc(first, again, same) {
				t.Fatalf("%s: % x: read %+v, then %+v (%v)", form, w, first, again, err)
			}
		}
	})
}

// A general decoder of CBOR, and the rules of this package said again in plain words over
// its result, read the same records.
func FuzzDecodeAgainstGeneralDecoder(f *testing.F) {
	seeds(f)
	mode, err := cbor.DecOptions{
		DupMapKey:        cbor.DupMapKeyEnforcedAPF,
		UTF8:             cbor.UTF8DecodeInvalid,
		MaxNestedLevels:  64,
		MaxArrayElements: MaxBytes,
		MaxMapPairs:      MaxBytes,
		TagsMd:           cbor.TagsAllowed,
	}.DecMode()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, w []byte) {
		got, err := Decode(w)
		if err == nil {
			if broken := mode.Wellformed(w); broken != nil {
				t.Fatalf("%s: read %+v, but: %v", hex.EncodeToString(w), got, broken)
			}
		}
		if err == errDepth {
			return // the general decoder is not told our bound
		}
		want, ok, judged := plainly(mode, w)
		if !judged {
			return
		}
		if ok != (err == nil) || !slices.EqualFunc(got, want, same) {
			t.Fatalf("%s:\nread %+v (%v)\nwant %+v (%v)", hex.EncodeToString(w), got, err, want, ok)
		}
	})
}

// plainly is Decode without a thought for speed. judged is false where the general
// decoder refuses what we need not look at, such as one unknown label twice.
func plainly(mode cbor.DecMode, w []byte) (records []Record, ok, judged bool) {
	if len(w) > MaxBytes || mode.Wellformed(w) != nil || w[0]>>5 != majorArray {
		return nil, false, true
	}
	var maps []cbor.RawMessage
	if err := mode.Unmarshal(w, &maps); err != nil || len(maps) > MaxRecords {
		return nil, false, err == nil
	}
	base := 0.0
	for _, raw := range maps {
		if raw[0]>>5 != majorMap {
			return nil, false, true
		}
		var fields map[any]cbor.RawMessage
		if err := mode.Unmarshal(raw, &fields); err != nil {
			return nil, false, false // labels of strange types, or twice: ours are tested by table
		}
		r := Record{}
		known := map[string]any{}
		for label, raw := range fields {
			key, good := plainLabel(label)
			if !good {
				return nil, false, true
			}
			if !slices.Contains([]string{"0", "2", "3", "4", "6", "-3"}, key) {
				continue
			}
			if _, twice := known[key]; twice {
				return nil, false, true
			}
			var v any
			if err := mode.Unmarshal(raw, &v); err != nil {
				return nil, false, false
			}
			if b, isBig := v.(big.Int); isBig && raw[0]>>5 != majorTag {
				v, _ = new(big.Float).SetInt(&b).Float64() // below -2^63
			}
			known[key] = v
		}
		values := 0
		for key, v := range known {
			switch key {
			case "0":
				switch v := v.(type) {
				case string:
					r.Name = strings.ToValidUTF8(v, "\uFFFD")
				case uint64:
					if v == 0 || v > math.MaxUint16 {
						return nil, false, true
					}
					r.ID = uint16(v)
				default:
					return nil, false, true
				}
			case "2", "3", "4":
				values++
				good := false
				switch v := v.(type) {
				case bool:
					good = key != "3"
					r.Kind = Bool
					if v {
						r.Int = 1
					}
				case string:
					good = key == "3"
					r.Kind, r.Text = Text, strings.ToValidUTF8(v, "\uFFFD")
				case int64:
					good = key == "2"
					r.Kind, r.Int = Int, v
				case uint64:
					good = key == "2"
					if r.Kind, r.Int = Int, int64(v); v > math.MaxInt64 {
						r.Kind, r.Int, r.Num = Float, 0, float64(v)
					}
				case float64:
					good = key == "2"
					r.Kind, r.Num = Float, v
				}
				if !good {
					return nil, false, true
				}
			}
		}
		if values > 1 || values == 1 && r.Name == "" && r.ID == 0 {
			return nil, false, true
		}
		at := 0.0
		if v, has := known["6"]; has {
			if at, ok = plainTime(v); !ok {
				return nil, false, true
			}
		}
		if v, has := known["-3"]; has {
			if base, ok = plainTime(v); !ok {
				return nil, false, true
			}
		}
		at += base
		if at > 1e11 {
			return nil, false, true
		}
		r.At = max(at, 0)
		if values == 1 {
			records = append(records, r)
		}
	}
	return records, true, true
}

func plainLabel(label any) (string, bool) {
	switch l := label.(type) {
	case uint64, int64:
		return new(big.Int).SetInt64(toInt(l)).String(), true
	case big.Int:
		return l.String(), true
	case string:
		digits := strings.TrimPrefix(l, "-")
		if digits == "" || strings.Trim(digits, "0123456789") != "" {
			return "", false
		}
		if l == "-0" {
			return "0", true
		}
		return l, true
	}
	return "", false
}

func toInt(v any) int64 {
	if u, ok := v.(uint64); ok {
		return int64(min(u, 1000))
	}
	return v.(int64)
}

func plainTime(v any) (float64, bool) {
	var s float64
	switch v := v.(type) {
	case uint64:
		s = float64(v)
	case int64:
		s = float64(v)
	case float64:
		s = v
	default:
		return 0, false
	}
	if s > 1e11 {
		s /= 1000
	}
	return s, s >= -1e11 && s <= 1e11
}
