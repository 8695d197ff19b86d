// Package command reads and writes the commands of the second generation of the
// device protocol: a CBOR tag that names the command, around an array of its
// arguments, on "/a/d/{device}/c/up" and ".../c/dw".
//
// The rules are those of the decoder on the boards: a tag of any width, open arrays
// and further arguments behind the known ones are fine; an argument of the wrong
// type, null, or a missing one spoils the whole command.
package command

import (
	"net/netip"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// Bounds. Those of texts are what boards have room for: a thing's id that is one
// byte longer overruns a buffer on them.
const (
	MaxBytes   = 64<<10 + 64 // LastValuesUpdate carries a whole pack
	MaxThingID = 36
	MaxURL     = 255
	MaxText    = 255 // versions, network names, logins
)

// A Command is one of the types below.
type Command interface {
	// Tag is the number on the wire.
	Tag() uint64
	arguments() ([]any, error)
}

// The commands that devices send.
type (
	// OtaBegin tells, once after a start, which image runs.
	OtaBegin struct {
		SHA256 [32]byte
	}
	// OtaProgress tells how an update goes.
	OtaProgress struct {
		ID    [16]byte
		State OtaState
		Data  int32  // bytes so far when fetching, a negative code when failed
		Time  uint64 // µs since 1970: seconds, and a counter within the second
	}
	// ThingBegin asks to which thing the device is attached.
	ThingBegin struct {
		ThingID string // always "" so far
	}
	// LastValuesBegin asks for the last values of the thing.
	LastValuesBegin struct{}
	// DeviceBegin tells the version of the device's library.
	DeviceBegin struct {
		Version string
	}
	// TimezoneUp asks for the time zone. Known boards do not send it.
	TimezoneUp struct{}
	// DeviceNetConfig tells over which network the device is connected. There are no passwords in it.
	DeviceNetConfig struct {
		Network Network
		Name    string // the SSID of a Wi-Fi, the application EUI of LoRa, the APN of a mobile network
		Login   string // of a mobile network
		// Of Ethernet; all zero is DHCP.
		IP, DNS, Gateway, Netmask netip.Addr
	}
	// WiFiFWVersion tells the version of the firmware of the Wi-Fi module.
	WiFiFWVersion struct {
		Version string
	}
)

// The commands that the cloud sends.
type (
	// OtaUpdate tells the device to fetch and run another image.
	OtaUpdate struct {
		ID         [16]byte
		URL        string
		InitialSHA [32]byte // of the image to replace; boards do not check it
		FinalSHA   [32]byte
	}
	// ThingUpdate answers ThingBegin, and attaches at any time. "" is a device without a thing.
	ThingUpdate struct {
		ThingID string
	}
	// ThingDetach takes the device from its thing.
	ThingDetach struct {
		ThingID string
	}
	// LastValuesUpdate answers LastValuesBegin, and changes values at any time.
	LastValuesUpdate struct {
		Pack []byte // SenML
	}
	// TimezoneDown tells the time zone. Boards overwrite it by the properties tz_offset and tz_dst_until.
	TimezoneDown struct {
		Offset int32  // seconds east of UTC
		Until  uint32 // seconds since 1970 at which Offset ends
	}
)

// Numbers on the wire.
const (
	tagOtaBegin         = 0x010000
	tagOtaUpdate        = 0x010100
	tagOtaProgress      = 0x010200
	tagThingBegin       = 0x010300
	tagThingUpdate      = 0x010400
	tagLastValuesBegin  = 0x010500
	tagLastValuesUpdate = 0x010600
	tagDeviceBegin      = 0x010700
	tagTimezoneUp       = 0x010800
	tagTimezoneDown     = 0x010900
	tagThingDetach      = 0x011000
	tagDeviceNetConfig  = 0x011100
	tagWiFiFWVersion    = 0x012014
)

func (OtaBegin) Tag() uint64         { return tagOtaBegin }
func (OtaUpdate) Tag() uint64        { return tagOtaUpdate }
func (OtaProgress) Tag() uint64      { return tagOtaProgress }
func (ThingBegin) Tag() uint64       { return tagThingBegin }
func (ThingUpdate) Tag() uint64      { return tagThingUpdate }
func (LastValuesBegin) Tag() uint64  { return tagLastValuesBegin }
func (LastValuesUpdate) Tag() uint64 { return tagLastValuesUpdate }
func (DeviceBegin) Tag() uint64      { return tagDeviceBegin }
func (TimezoneUp) Tag() uint64       { return tagTimezoneUp }
func (TimezoneDown) Tag() uint64     { return tagTimezoneDown }
func (ThingDetach) Tag() uint64      { return tagThingDetach }
func (DeviceNetConfig) Tag() uint64  { return tagDeviceNetConfig }
func (WiFiFWVersion) Tag() uint64    { return tagWiFiFWVersion }

// An OtaState is a step of an update over the air. On the wire it is a CBOR simple value.
type OtaState uint8

// The steps. Boards report those from OtaAvailable on, except OtaUnavailable.
const (
	OtaResume OtaState = iota
	OtaStarted
	OtaIdle
	OtaAvailable
	OtaStart
	OtaFetch
	OtaFlash
	OtaReboot
	OtaFail
	OtaUnavailable

	otaStates
)

var otaStateNames = [otaStates]string{"resume", "begin", "idle", "available", "start", "fetch", "flash", "reboot", "fail", "unavailable"}

func (s OtaState) String() string {
	if s < otaStates {
		return otaStateNames[s]
	}
	return "unknown"
}

// A Network is a way to the internet.
type Network uint8

// The networks that a device can tell. Greater numbers are kept as they are.
const (
	NoNetwork Network = iota
	WiFi
	LoRa
	GSM
	NBIoT
	CatM1
	Ethernet
	Cellular

	networks
)

var networkNames = [networks]string{"none", "wifi", "lora", "gsm", "nb", "catm1", "eth", "cellular"}

func (n Network) String() string {
	if n < networks {
		return networkNames[n]
	}
	return "unknown"
}

var (
	// ErrMalformed is the refusal of what is no command, or one with wrong arguments.
	ErrMalformed = problem.New(problem.Invalid, "command-malformed", "This is not a command in CBOR.")
	// ErrUnknown is the refusal of a command that we do not know; a newer device may send one.
	ErrUnknown = problem.New(problem.Unsupported, "command-unknown", "This command is not known here.")
)
