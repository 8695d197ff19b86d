package command

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

const maxPack = 64 << 10 // of senml

// general bounds what the general decoder builds for us before we look at it.
var general = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		MaxNestedLevels:  8,
		MaxArrayElements: 64,
		MaxMapPairs:      16,
		UTF8:             cbor.UTF8DecodeInvalid, // the SSID of a network may be any bytes
	}.DecMode()
	if err != nil {
		panic(err) // the options above are constants
	}
	return mode
}()

// Decode reads one command. The result is of one of the types of this package, never a pointer.
//
// Bytes in a text that are not UTF-8 become U+FFFD. Arguments behind the known ones are
// ignored: newer devices may send more. Decode keeps no reference to wire.
func Decode(wire []byte) (Command, error) {
	if len(wire) > MaxBytes {
		return nil, ErrMalformed.With("The command is too long.")
	}
	var outer cbor.RawTag
	if len(wire) == 0 || wire[0]>>5 != 6 {
		return nil, ErrMalformed.With("A command is a tag.")
	}
	if err := general.Unmarshal(wire, &outer); err != nil {
		return nil, ErrMalformed.With("The command is not well-formed CBOR, or nested too deeply.")
	}
	read, known := readers[outer.Number]
	if !known {
		return nil, ErrUnknown.With(fmt.Sprintf("Command %#x is not known here.", outer.Number))
	}
	if len(outer.Content) == 0 || outer.Content[0]>>5 != 4 {
		return nil, ErrMalformed.With("The arguments of a command are an array.")
	}
	a := arguments{tag: outer.Number}
	if err := general.Unmarshal(outer.Content, &a.items); err != nil {
		return nil, ErrMalformed.With("The arguments of a command are not well-formed CBOR.")
	}
	c := read(&a)
	if a.err != nil {
		return nil, a.err
	}
	return c, nil
}

var readers = map[uint64]func(*arguments) Command{
	tagOtaBegin: func(a *arguments) Command {
		return OtaBegin{SHA256: [32]byte(a.bytes(32))}
	},
	tagOtaUpdate: func(a *arguments) Command {
		return OtaUpdate{
			ID: [16]byte(a.bytes(16)), URL: a.text(MaxURL),
			InitialSHA: [32]byte(a.bytes(32)), FinalSHA: [32]byte(a.bytes(32)),
		}
	},
	tagOtaProgress: func(a *arguments) Command {
		return OtaProgress{
			ID: [16]byte(a.bytes(16)), State: a.state(),
			Data: int32(a.integer(math.MinInt32, math.MaxInt32)), Time: a.unsigned(math.MaxUint64),
		}
	},
	tagThingBegin:       func(a *arguments) Command { return ThingBegin{ThingID: a.text(MaxThingID)} },
	tagThingUpdate:      func(a *arguments) Command { return ThingUpdate{ThingID: a.text(MaxThingID)} },
	tagThingDetach:      func(a *arguments) Command { return ThingDetach{ThingID: a.text(MaxThingID)} },
	tagLastValuesBegin:  func(*arguments) Command { return LastValuesBegin{} },
	tagLastValuesUpdate: func(a *arguments) Command { return LastValuesUpdate{Pack: a.upTo(maxPack)} },
	tagDeviceBegin:      func(a *arguments) Command { return DeviceBegin{Version: a.text(MaxText)} },
	tagTimezoneUp:       func(*arguments) Command { return TimezoneUp{} },
	tagTimezoneDown: func(a *arguments) Command {
		return TimezoneDown{
			Offset: int32(a.integer(math.MinInt32, math.MaxInt32)),
			Until:  uint32(a.unsigned(math.MaxUint32)),
		}
	},
	tagDeviceNetConfig: readNetConfig,
	tagWiFiFWVersion:   func(a *arguments) Command { return WiFiFWVersion{Version: a.text(MaxText)} },
}

func readNetConfig(a *arguments) Command {
	c := DeviceNetConfig{Network: Network(a.unsigned(math.MaxUint8))}
	switch c.Network {
	case WiFi:
		c.Name = a.text(MaxText)
	case LoRa:
		c.Name = a.textOrHex(MaxText)
	case GSM, NBIoT, CatM1, Cellular:
		c.Name, c.Login = a.text(MaxText), a.text(MaxText)
	case Ethernet:
		c.IP, c.DNS, c.Gateway, c.Netmask = a.address(), a.address(), a.address(), a.address()
	}
	return c
}

// arguments are taken one after the other; after the first that does not fit, err is set and
// all others are zero.
type arguments struct {
	tag   uint64
	items []cbor.RawMessage
	taken int
	err   error
}

func (a *arguments) next() any {
	if a.err != nil {
		return nil
	}
	if a.taken == len(a.items) {
		a.fail("missing")
		return nil
	}
	var v any
	if err := general.Unmarshal(a.items[a.taken], &v); err != nil {
		a.fail("not readable")
		return nil
	}
	a.taken++
	return v
}

func (a *arguments) fail(why string) {
	if a.err == nil {
		a.err = ErrMalformed.With(fmt.Sprintf("Argument %d of command %#x is %s.", a.taken, a.tag, why))
	}
}

func (a *arguments) text(most int) string {
	s, ok := a.next().(string)
	return a.checked(s, ok, most)
}

func (a *arguments) checked(s string, ok bool, most int) string {
	if !ok {
		a.fail("not a text")
		return ""
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > most {
		a.fail("too long")
		return ""
	}
	return s
}

// textOrHex takes bytes for their hexadecimal text.
func (a *arguments) textOrHex(most int) string {
	switch v := a.next().(type) {
	case string:
		return a.checked(v, true, most)
	case []byte:
		return a.checked(hex.EncodeToString(v), true, most)
	}
	return a.checked("", false, most)
}

// bytes always returns n bytes, so that the caller can make an array of them.
func (a *arguments) bytes(n int) []byte {
	b, ok := a.next().([]byte)
	if !ok || len(b) != n {
		a.fail(fmt.Sprintf("not a string of %d bytes", n))
		return make([]byte, n)
	}
	return b
}

func (a *arguments) upTo(most int) []byte {
	b, ok := a.next().([]byte)
	if !ok || len(b) > most {
		a.fail("not a string of bytes, or too long")
		return nil
	}
	return b
}

func (a *arguments) unsigned(most uint64) uint64 {
	n, ok := a.next().(uint64)
	if !ok || n > most {
		a.fail("not an unsigned integer in range")
		return 0
	}
	return n
}

func (a *arguments) integer(least, most int64) int64 {
	switch n := a.next().(type) {
	case uint64:
		if n <= uint64(most) {
			return int64(n)
		}
	case int64:
		if n >= least && n <= most {
			return n
		}
	}
	a.fail("not an integer in range")
	return 0
}

// state takes an integer too: an encoder that cannot write simple values would send it.
func (a *arguments) state() OtaState {
	var n uint64 = math.MaxUint64
	switch v := a.next().(type) {
	case cbor.SimpleValue:
		n = uint64(v)
	case uint64:
		n = v
	}
	if n >= uint64(otaStates) {
		a.fail("not a state of an update")
		return 0
	}
	return OtaState(n)
}

func (a *arguments) address() netip.Addr {
	b, ok := a.next().([]byte)
	if ok && len(b) == 0 {
		return netip.Addr{}
	}
	ip, good := netip.AddrFromSlice(b)
	if !ok || !good {
		a.fail("not an address of 0, 4 or 16 bytes")
	}
	return ip
}
