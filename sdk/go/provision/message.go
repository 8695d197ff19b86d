package provision

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// A Message is what a frame of type Data carries: a CBOR tag and an array.
type Message interface {
	tag() uint64
	fields() ([]any, error)
}

// The messages, by their tags; "board" is who sends those of the first group.
const (
	tagStatus     = 0x012000
	tagNetworks   = 0x012001
	tagHardwareID = 0x012010
	tagToken      = 0x012011
	tagBLEMAC     = 0x012013
	tagWiFiFW     = 0x012014
	tagSketch     = 0x012015
	tagLibrary    = 0x012016
	tagPublicKey  = 0x012017

	tagTimestamp = 0x012002
	tagCommand   = 0x012003
	tagWiFi      = 0x012004
	tagLoRa      = 0x012005
	tagGSM       = 0x012006
	tagNBIoT     = 0x012007
	tagCatM1     = 0x012008
	tagEthernet  = 0x012009
	tagCellular  = 0x012012
)

// A Status is how a board is, or what went wrong there: below zero.
type Status int16

// The statuses.
const (
	Connecting       Status = 1
	Connected        Status = 2
	ResetDone        Status = 4
	Scanning         Status = 100
	FailedToConnect  Status = -1
	Disconnected     Status = -3
	Missing          Status = -4 // parameters, or the time
	InvalidParameter Status = -5
	Busy             Status = -6
	InvalidRequest   Status = -7
	NoInternet       Status = -8
	HardwareError    Status = -101
	ModuleStopped    Status = -102
	ElementInit      Status = -150
	ElementConfig    Status = -151
	ElementLock      Status = -152
	HardwareIDError  Status = -160
	StorageError     Status = -200
	PartitionError   Status = -201
	GenericError     Status = -255
)

var statusWords = map[Status]string{
	Connecting: "connecting", Connected: "connected", ResetDone: "reset", Scanning: "scanning for networks",
	FailedToConnect: "failed to connect to the network", Disconnected: "lost the network", Missing: "parameters are missing",
	InvalidParameter: "a parameter is not valid", Busy: "busy", InvalidRequest: "does not know that request", NoInternet: "no way to the Internet",
	HardwareError: "the network module has an error", ModuleStopped: "the network module does not run", ElementInit: "the secure element does not start",
	ElementConfig: "the secure element cannot be configured", ElementLock: "the secure element cannot be locked", HardwareIDError: "no hardware id",
	StorageError: "the storage has an error", PartitionError: "the storage has no place for this", GenericError: "something went wrong",
}

func (s Status) String() string {
	if text, ok := statusWords[s]; ok {
		return text
	}
	return fmt.Sprintf("status %d", int16(s))
}

// A Network is a Wi-Fi that a board sees.
type Network struct {
	SSID string
	RSSI int // dBm
}

// Networks are those that a board sees, at most 20.
type Networks []Network

// A HardwareID is what a board is known by: a hash of its unique numbers.
type HardwareID [32]byte

// A Token is signed by a board's key.
type Token string

// A BLEMAC is a board's Bluetooth address; all FF without one.
type BLEMAC [6]byte

// Versions of a board's parts, and its public key in PEM.
type (
	WiFiFW    string
	Sketch    string
	Library   string
	PublicKey string
)

// A Timestamp tells a board the time, to the second.
type Timestamp time.Time

// A Command asks a board for something.
type Command uint8

// The commands.
const (
	CommandConnect Command = 1   // to the network that it was told
	CommandID      Command = 2   // public key, hardware id and token
	CommandBLEMAC  Command = 3   //
	CommandReset   Command = 4   // forget the certificate
	CommandScan    Command = 100 // for Wi-Fi
	CommandWiFiFW  Command = 101 //
	CommandSketch  Command = 200 // its version
	CommandLibrary Command = 201 // its version
)

// WiFi is how to join a Wi-Fi.
type WiFi struct{ SSID, Password string }

// LoRa is how to join a LoRa network.
type LoRa struct {
	AppEUI, AppKey      string
	Band                uint8
	ChannelMask, Device string // Device is the class, "A" to "C"
}

// Cellular is how to join a mobile network. GSM and NBIoT are the same for boards of these kinds.
type (
	Cellular struct{ PIN, APN, Login, Password string }
	GSM      Cellular
	NBIoT    Cellular
)

// CatM1 is how to join a Cat-M1 network.
type CatM1 struct {
	PIN                  string
	Bands                []uint32 // at most 4
	APN, Login, Password string
}

// Ethernet is how to join a wired network. Addresses that are not valid are asked of the network.
type Ethernet struct {
	IP, DNS, Gateway, Netmask netip.Addr
	Timeout, ResponseTimeout  uint // as boards take them
}

func (Status) tag() uint64     { return tagStatus }
func (Networks) tag() uint64   { return tagNetworks }
func (HardwareID) tag() uint64 { return tagHardwareID }
func (Token) tag() uint64      { return tagToken }
func (BLEMAC) tag() uint64     { return tagBLEMAC }
func (WiFiFW) tag() uint64     { return tagWiFiFW }
func (Sketch) tag() uint64     { return tagSketch }
func (Library) tag() uint64    { return tagLibrary }
func (PublicKey) tag() uint64  { return tagPublicKey }
func (Timestamp) tag() uint64  { return tagTimestamp }
func (Command) tag() uint64    { return tagCommand }
func (WiFi) tag() uint64       { return tagWiFi }
func (LoRa) tag() uint64       { return tagLoRa }
func (GSM) tag() uint64        { return tagGSM }
func (NBIoT) tag() uint64      { return tagNBIoT }
func (CatM1) tag() uint64      { return tagCatM1 }
func (Ethernet) tag() uint64   { return tagEthernet }
func (Cellular) tag() uint64   { return tagCellular }

// Bounds of texts, in bytes: device-protocol reference, section 6.3; the rest are ours.
const (
	maxSSID     = 32
	maxWiFiPass = 63
	maxPIN      = 8
	maxAPN      = 100
	maxLogin    = 64
	maxNetworks = 20
	maxBands    = 4
	maxText     = 64
	maxKey      = 1024
	maxToken    = 268
)

// ErrMessage is what nobody can read, or a board would not take.
var ErrMessage = errors.New("provision: not a message of provisioning")

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, args...))
}

// bounded are texts with what they are and their bounds, in threes.
func bounded(texts ...any) error {
	for i := 0; i < len(texts); i += 3 {
		if text, most := texts[i+1].(string), texts[i+2].(int); len(text) > most {
			return wrong("%s has %d bytes, more than %d", texts[i], len(text), most)
		}
	}
	return nil
}

func (s Status) fields() ([]any, error)     { return []any{int16(s)}, nil }
func (h HardwareID) fields() ([]any, error) { return []any{h[:]}, nil }
func (m BLEMAC) fields() ([]any, error)     { return []any{m[:]}, nil }
func (c Command) fields() ([]any, error)    { return []any{uint8(c)}, nil }
func (t Token) fields() ([]any, error) {
	return []any{[]byte(t)}, bounded("token", string(t), maxToken)
}
func (v WiFiFW) fields() ([]any, error) {
	return []any{string(v)}, bounded("version", string(v), maxText)
}
func (v Sketch) fields() ([]any, error) {
	return []any{string(v)}, bounded("version", string(v), maxText)
}
func (v Library) fields() ([]any, error) {
	return []any{string(v)}, bounded("version", string(v), maxText)
}
func (k PublicKey) fields() ([]any, error) {
	return []any{string(k)}, bounded("key", string(k), maxKey)
}

func (n Networks) fields() ([]any, error) {
	if len(n) > maxNetworks {
		return nil, wrong("%d networks, more than %d", len(n), maxNetworks)
	}
	all := make([]any, 0, 2*len(n))
	for _, one := range n {
		if err := bounded("SSID", one.SSID, maxSSID); err != nil {
			return nil, err
		}
		all = append(all, one.SSID, one.RSSI)
	}
	return all, nil
}

func (t Timestamp) fields() ([]any, error) {
	s := time.Time(t).Unix()
	if s < 0 {
		return nil, wrong("a time before 1970")
	}
	return []any{uint64(s)}, nil
}

func (w WiFi) fields() ([]any, error) {
	return []any{w.SSID, w.Password}, bounded("SSID", w.SSID, maxSSID, "password", w.Password, maxWiFiPass)
}

func (l LoRa) fields() ([]any, error) {
	return []any{l.AppEUI, l.AppKey, l.Band, l.ChannelMask, l.Device},
		bounded("appEui", l.AppEUI, maxText, "appKey", l.AppKey, maxText, "channel mask", l.ChannelMask, maxText, "device class", l.Device, maxText)
}

func (c Cellular) fields() ([]any, error) {
	return []any{c.PIN, c.APN, c.Login, c.Password}, bounded("PIN", c.PIN, maxPIN, "APN", c.APN, maxAPN, "login", c.Login, maxLogin, "password", c.Password, maxLogin)
}
func (c GSM) fields() ([]any, error)   { return Cellular(c).fields() }
func (c NBIoT) fields() ([]any, error) { return Cellular(c).fields() }

func (c CatM1) fields() ([]any, error) {
	if len(c.Bands) > maxBands {
		return nil, wrong("%d bands, more than %d", len(c.Bands), maxBands)
	}
	bands := c.Bands
	if bands == nil {
		bands = []uint32{} // nil would become null
	}
	return []any{c.PIN, bands, c.APN, c.Login, c.Password}, bounded("PIN", c.PIN, maxPIN, "APN", c.APN, maxAPN, "login", c.Login, maxLogin, "password", c.Password, maxLogin)
}

func (e Ethernet) fields() ([]any, error) {
	octets := func(a netip.Addr) []byte {
		if !a.IsValid() {
			return []byte{}
		}
		return a.AsSlice()
	}
	return []any{octets(e.IP), octets(e.DNS), octets(e.Gateway), octets(e.Netmask), e.Timeout, e.ResponseTimeout}, nil
}

// Marshal writes a message. What a board would not take is ErrMessage.
func Marshal(m Message) ([]byte, error) {
	fields, err := m.fields()
	if err != nil {
		return nil, err
	}
	return cbor.Marshal(cbor.Tag{Number: m.tag(), Content: fields})
}

// general bounds what is built of bytes that a stranger sent.
var general = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		MaxNestedLevels: 4, MaxArrayElements: 64, MaxMapPairs: 16,
		UTF8: cbor.UTF8DecodeInvalid, // the SSID of a network may be any bytes
	}.DecMode()
	if err != nil {
		panic(err) // the options above are constants
	}
	return mode
}()

// Unmarshal reads a message: a value of one of the types of this package, never a pointer. Anything else is ErrMessage. Bytes
// of a text that are not UTF-8 become U+FFFD; fields behind the known ones are skipped, since newer boards may send more.
func Unmarshal(wire []byte) (Message, error) {
	if len(wire) == 0 || len(wire) > MaxPayload || wire[0]>>5 != 6 {
		return nil, wrong("no tag")
	}
	var outer cbor.RawTag
	if err := general.Unmarshal(wire, &outer); err != nil {
		return nil, wrong("not well-formed")
	}
	read, known := readers[outer.Number]
	if !known {
		return nil, wrong("tag %#x is not known", outer.Number)
	}
	if len(outer.Content) == 0 || outer.Content[0]>>5 != 4 {
		return nil, wrong("no array")
	}
	f := fields{}
	if err := general.Unmarshal(outer.Content, &f.items); err != nil {
		return nil, wrong("the array is not well-formed")
	}
	m := read(&f)
	if f.err != nil {
		return nil, fmt.Errorf("message %#x: %w", outer.Number, f.err)
	}
	return m, nil
}

var readers = map[uint64]func(*fields) Message{
	tagStatus:     func(f *fields) Message { return Status(f.integer(math.MinInt16, math.MaxInt16)) },
	tagNetworks:   readNetworks,
	tagHardwareID: func(f *fields) Message { return HardwareID(f.bytes(32)) },
	tagToken:      func(f *fields) Message { return Token(f.token()) },
	tagBLEMAC:     func(f *fields) Message { return BLEMAC(f.bytes(6)) },
	tagWiFiFW:     func(f *fields) Message { return WiFiFW(f.text(maxText)) },
	tagSketch:     func(f *fields) Message { return Sketch(f.text(maxText)) },
	tagLibrary:    func(f *fields) Message { return Library(f.text(maxText)) },
	tagPublicKey:  func(f *fields) Message { return PublicKey(f.text(maxKey)) },
	tagTimestamp:  func(f *fields) Message { return Timestamp(time.Unix(f.integer(0, math.MaxUint32), 0).UTC()) },
	tagCommand:    func(f *fields) Message { return Command(f.integer(0, math.MaxUint8)) },
	tagWiFi:       func(f *fields) Message { return WiFi{SSID: f.text(maxSSID), Password: f.text(maxWiFiPass)} },
	tagLoRa: func(f *fields) Message {
		return LoRa{AppEUI: f.text(maxText), AppKey: f.text(maxText), Band: uint8(f.integer(0, math.MaxUint8)), ChannelMask: f.text(maxText), Device: f.text(maxText)}
	},
	tagGSM:      func(f *fields) Message { return GSM(readCellular(f)) },
	tagNBIoT:    func(f *fields) Message { return NBIoT(readCellular(f)) },
	tagCellular: func(f *fields) Message { return readCellular(f) },
	tagCatM1: func(f *fields) Message {
		return CatM1{PIN: f.text(maxPIN), Bands: f.bands(), APN: f.text(maxAPN), Login: f.text(maxLogin), Password: f.text(maxLogin)}
	},
	tagEthernet: func(f *fields) Message {
		return Ethernet{IP: f.address(), DNS: f.address(), Gateway: f.address(), Netmask: f.address(),
			Timeout: uint(f.integer(0, math.MaxUint32)), ResponseTimeout: uint(f.integer(0, math.MaxUint32))}
	},
}

func readCellular(f *fields) Cellular {
	return Cellular{PIN: f.text(maxPIN), APN: f.text(maxAPN), Login: f.text(maxLogin), Password: f.text(maxLogin)}
}

func readNetworks(f *fields) Message {
	if len(f.items)%2 != 0 || len(f.items) > 2*maxNetworks {
		f.fail("not a list of networks")
	}
	all := Networks{}
	for f.err == nil && len(f.items) > 0 {
		all = append(all, Network{SSID: f.text(maxSSID), RSSI: int(f.integer(math.MinInt16, math.MaxInt16))})
	}
	return all
}

// fields are taken one after the other; after the first that does not fit, err is set and all others are zero.
type fields struct {
	items []any
	err   error
}

func (f *fields) fail(why string) {
	if f.err == nil {
		f.err = wrong("%s", why)
	}
}

func (f *fields) next() any {
	if f.err != nil {
		return nil
	}
	if len(f.items) == 0 {
		f.fail("a field is missing")
		return nil
	}
	v := f.items[0]
	f.items = f.items[1:]
	return v
}

func (f *fields) text(most int) string {
	s, ok := f.next().(string)
	if s = strings.ToValidUTF8(s, "\uFFFD"); !ok || len(s) > most {
		f.fail("not a text, or too long")
		return ""
	}
	return s
}

// token is bytes of a text; boards pad it.
func (f *fields) token() string {
	b, ok := f.next().([]byte)
	text := strings.TrimRight(string(b), "\x00")
	if !ok || len(text) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.fail("not a token")
		return ""
	}
	return text
}

// bytes always returns n bytes, so that the caller can make an array of them.
func (f *fields) bytes(n int) []byte {
	b, ok := f.next().([]byte)
	if !ok || len(b) != n {
		f.fail(fmt.Sprintf("not a string of %d bytes", n))
		return make([]byte, n)
	}
	return b
}

func (f *fields) integer(least, most int64) int64 {
	n, ok := whole(f.next())
	if !ok || n < least || n > most {
		f.fail("not an integer in range")
		return 0
	}
	return n
}

func whole(v any) (int64, bool) {
	switch n := v.(type) {
	case uint64:
		return int64(n), n <= math.MaxInt64
	case int64:
		return n, true
	}
	return 0, false
}

func (f *fields) bands() []uint32 {
	list, ok := f.next().([]any)
	if !ok || len(list) > maxBands {
		f.fail("not a list of bands")
	}
	bands := []uint32{}
	for _, v := range list {
		n, ok := whole(v)
		if !ok || n < 0 || n > math.MaxUint32 {
			f.fail("not a band")
			return bands
		}
		bands = append(bands, uint32(n))
	}
	return bands
}

func (f *fields) address() netip.Addr {
	b, ok := f.next().([]byte)
	if ok && len(b) == 0 {
		return netip.Addr{}
	}
	a, good := netip.AddrFromSlice(b)
	if !ok || !good {
		f.fail("not an address of 0, 4 or 16 bytes")
	}
	return a
}
