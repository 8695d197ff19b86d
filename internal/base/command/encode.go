package command

import (
	"fmt"
	"net/netip"

	"github.com/fxamacker/cbor/v2"
)

// Append writes c and appends it to dst. What a board would not understand, such as
// a thing's id that is too long for it, is ErrMalformed.
func Append(dst []byte, c Command) ([]byte, error) {
	arguments, err := c.arguments()
	if err != nil {
		return dst, err
	}
	wire, err := cbor.Marshal(cbor.Tag{Number: c.Tag(), Content: arguments})
	if err != nil {
		return dst, fmt.Errorf("write command %#x: %w", c.Tag(), err)
	}
	return append(dst, wire...), nil
}

func bounded(what, text string, most int) error {
	if len(text) > most {
		return ErrMalformed.With(fmt.Sprintf("The %s has %d bytes, more than %d.", what, len(text), most))
	}
	return nil
}

func (c OtaBegin) arguments() ([]any, error) { return []any{c.SHA256[:]}, nil }

func (c OtaUpdate) arguments() ([]any, error) {
	return []any{c.ID[:], c.URL, c.InitialSHA[:], c.FinalSHA[:]}, bounded("URL", c.URL, MaxURL)
}

func (c OtaProgress) arguments() ([]any, error) {
	if c.State >= otaStates {
		return nil, ErrMalformed.With("The state of the update is not known.")
	}
	return []any{c.ID[:], cbor.SimpleValue(c.State), c.Data, c.Time}, nil
}

func (c ThingBegin) arguments() ([]any, error) {
	return []any{c.ThingID}, bounded("thing's id", c.ThingID, MaxThingID)
}

func (c ThingUpdate) arguments() ([]any, error) {
	return []any{c.ThingID}, bounded("thing's id", c.ThingID, MaxThingID)
}

func (c ThingDetach) arguments() ([]any, error) {
	return []any{c.ThingID}, bounded("thing's id", c.ThingID, MaxThingID)
}

func (LastValuesBegin) arguments() ([]any, error) { return []any{}, nil }

func (c LastValuesUpdate) arguments() ([]any, error) {
	if len(c.Pack) > maxPack {
		return nil, ErrMalformed.With("The pack of last values is too long.")
	}
	pack := c.Pack
	if pack == nil {
		pack = []byte{} // nil would become null
	}
	return []any{pack}, nil
}

func (c DeviceBegin) arguments() ([]any, error) {
	return []any{c.Version}, bounded("version", c.Version, MaxText)
}

func (TimezoneUp) arguments() ([]any, error) { return []any{}, nil }

func (c TimezoneDown) arguments() ([]any, error) { return []any{c.Offset, c.Until}, nil }

func (c WiFiFWVersion) arguments() ([]any, error) {
	return []any{c.Version}, bounded("version", c.Version, MaxText)
}

func (c DeviceNetConfig) arguments() ([]any, error) {
	if err := bounded("network's name", c.Name, MaxText); err != nil {
		return nil, err
	}
	if err := bounded("login", c.Login, MaxText); err != nil {
		return nil, err
	}
	switch c.Network {
	case WiFi, LoRa:
		return []any{uint8(c.Network), c.Name}, nil
	case GSM, NBIoT, CatM1, Cellular:
		return []any{uint8(c.Network), c.Name, c.Login}, nil
	case Ethernet:
		return []any{uint8(c.Network), octets(c.IP), octets(c.DNS), octets(c.Gateway), octets(c.Netmask)}, nil
	}
	return []any{uint8(c.Network)}, nil
}

// octets are 0, 4 or 16 bytes.
func octets(a netip.Addr) []byte {
	if !a.IsValid() {
		return []byte{}
	}
	return a.AsSlice()
}
