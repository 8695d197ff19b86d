package device

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

var (
	// ErrNotFound is a device that is not there, or not for this caller.
	ErrNotFound = problem.New(problem.NotFound, "device-not-found", "There is no such device.")
	// ErrInvalid is a device that breaks a rule of its fields.
	ErrInvalid = problem.New(problem.Invalid, "invalid-device", "The device is not valid.")
	// ErrHardwareTaken is a board that another device stands for.
	ErrHardwareTaken = problem.New(problem.Conflict, "hardware-taken", "A device already stands for the board with that unique hardware id. Delete that device, or take its hardware id off, first.")
	// ErrNoHardware is a device without a unique hardware id that could be removed.
	ErrNoHardware = problem.New(problem.Precondition, "no-hardware-id", "The device has no unique hardware id.")
	// ErrIDTaken is a wish for an ID that was used before.
	ErrIDTaken = problem.New(problem.Conflict, "device-id-taken", "That device ID is or was in use.")
	// ErrTooMany is a space that is full.
	ErrTooMany = problem.New(problem.Precondition, "device-limit", "The space has as many devices as it may have.")
	// ErrTag is a tag that breaks the rules.
	ErrTag = problem.New(problem.Invalid, "invalid-tag", "Keys and values of tags are 1 to 64 characters of letters, digits, \"_\", \".\", \"@\" and \"-\".")
	// ErrTooManyTags is a device that is full of tags.
	ErrTooManyTags = problem.New(problem.Precondition, "tag-limit", "A device has at most "+strconv.Itoa(maxTags)+" tags.")
)

// Bounds of a device's fields, in characters; cloud-api reference, section 6.1.
const (
	maxName       = 64
	maxSerial     = 64
	maxFQBN       = 128 // ours; the longest known is under 60
	maxWiFiFW     = 32  // clients send at most 10, boards report what they like
	hardwareIDLen = 64
	maxTags       = 256 // ours
	maxTagText    = 64
)

// A Status is whether a device is connected.
type Status string

const (
	Online  Status = "ONLINE"
	Offline Status = "OFFLINE"
	Unknown Status = "UNKNOWN" // kinds that have no session: LoRa boards
)

// A Device is one board, or a program that acts as one.
type Device struct {
	ID             string
	Space          string
	Owner          string // user id
	Type           string // one of Types
	FQBN           string
	ConnectionType string // one of connectionTypes, or ""
	WiFiFW         string // version of the radio's firmware
	Locked         bool   // no other user may claim the board

	Name       string
	Serial     string
	BLEMAC     string
	HardwareID string // 64 lower-case hex digits, or ""; provisioning 2.0's identity
	Tags       map[string]string
	Reported   Reported

	HasSecret      bool
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeletedAt      time.Time // zero: not deleted
	LastActivityAt time.Time // zero: never
	Status         Status
}

// Reported is what a device said of itself over MQTT, the newest of each.
type Reported map[Fact]Report

// A Report is one statement with the time at which we heard it.
type Report struct {
	Value string
	At    time.Time
}

// A Fact names one statement of a device about itself. The texts are those that
// boards of the first generation use on the wire.
type Fact string

const (
	LibVersion Fact = "LIB_VERSION"
	WiFiFW     Fact = "WIFI_FW_VERSION"
	NetConfig  Fact = "NET_CONFIG" // JSON; never a password
	OTACap     Fact = "OTA_CAP"    // "true" or "false"
	OTAError   Fact = "OTA_ERROR"  // decimal
	OTASHA256  Fact = "OTA_SHA256" // 64 lower-case hex digits
	OTAURL     Fact = "OTA_URL"    // echo of what the cloud sent
	OTAReq     Fact = "OTA_REQ"    // "true" or "false"
)

// maxFact is the longest value that is kept of a report, in bytes.
const maxFact = 512

// A Kind is what we know about all devices of one type.
type Kind struct {
	Type     string
	Label    string // for people
	OTA      bool   // can be programmed over the air
	Sketch   bool   // has a sketch at all
	Sessions bool   // speaks MQTT, so that it is online or offline
	Create   bool   // a client may ask for it
}

// Kinds are all types, in the order of the reference (cloud-api, section 5.3).
// The last three are LoRa boards, which other routes make.
var Kinds = []Kind{
	{"mkrwifi1010", "Arduino MKR WiFi 1010", true, true, true, true},
	{"mkr1000", "Arduino MKR1000", true, true, true, true},
	{"nano_33_iot", "Arduino Nano 33 IoT", true, true, true, true},
	{"mkrgsm1400", "Arduino MKR GSM 1400", true, true, true, true},
	{"mkrnb1500", "Arduino MKR NB 1500", true, true, true, true},
	{"login_and_secretkey_wifi", "ESP32 or ESP8266 board", true, true, true, true},
	{"envie_m7", "Arduino Portenta H7", true, true, true, true},
	{"nanorp2040connect", "Arduino Nano RP2040 Connect", true, true, true, true},
	{"nicla_vision", "Arduino Nicla Vision", true, true, true, true},
	{"phone", "Phone", false, false, false, true},
	{"portenta_x8", "Arduino Portenta X8", false, true, true, true},
	{"opta", "Arduino Opta", true, true, true, true},
	{"giga", "Arduino GIGA R1 WiFi", true, true, true, true},
	{"generic_device_secretkey", "Generic device", false, false, true, true},
	{"portenta_c33", "Arduino Portenta C33", true, true, true, true},
	{"unor4wifi", "Arduino UNO R4 WiFi", true, true, true, true},
	{"nano_nora", "Arduino Nano ESP32", true, true, true, true},
	{"unoq", "Arduino UNO Q", false, true, true, true},
	{"lora-device", "LoRa device", false, true, false, false},
	{"mkrwan1300", "Arduino MKR WAN 1300", false, true, false, false},
	{"mkrwan1310", "Arduino MKR WAN 1310", false, true, false, false},
}

// KindOf finds the kind of a type.
func KindOf(typ string) (Kind, bool) {
	for _, k := range Kinds {
		if k.Type == typ {
			return k, true
		}
	}
	return Kind{Type: typ, Label: typ}, false
}

var connectionTypes = map[string]bool{
	"wifi": true, "eth": true, "wifiandsecret": true, "gsm": true, "nb": true, "lora": true, "catm1": true, "cellular": true,
}

var (
	// One good character is enough: the service that we are compatible with never
	// anchored this pattern, and real names have spaces and accents.
	someGood = regexp.MustCompile(`[a-zA-Z0-9_.@-]`)

	macForm      = regexp.MustCompile(`^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$`)
	hardwareForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	tagForm      = regexp.MustCompile(`^[a-zA-Z0-9_.@-]+$`)
	versionForm  = regexp.MustCompile(`^[0-9]+\.[0-9]+(\.[0-9]+)?([-+.][0-9A-Za-z.+-]+)?$`)
)

// Check says which rule of its fields d breaks: ErrInvalid with the sentence.
// It is for what clients write; what a board reports is cut to its bounds instead.
func (d Device) Check() error {
	switch {
	case !nameOK(d.Name, maxName):
		return ErrInvalid.With("A device's name has at most 64 characters, and at least one letter, digit, \"_\", \".\", \"@\" or \"-\".")
	case d.Serial != "" && !nameOK(d.Serial, maxSerial):
		return ErrInvalid.With("A device's serial number has at most 64 characters, and is empty or has at least one letter, digit, \"_\", \".\", \"@\" or \"-\".")
	case utf8.RuneCountInString(d.FQBN) > maxFQBN || !printable(d.FQBN):
		return ErrInvalid.With("A device's fqbn has at most 128 characters, such as \"arduino:samd:nano_33_iot\".")
	case d.ConnectionType != "" && !connectionTypes[d.ConnectionType]:
		return ErrInvalid.With("A device's connection_type is one of wifi, eth, wifiandsecret, gsm, nb, lora, catm1, cellular.")
	case d.BLEMAC != "" && !macForm.MatchString(d.BLEMAC):
		return ErrInvalid.With("A device's ble_mac is six pairs of hex digits with colons between them.")
	case d.HardwareID != "" && !hardwareForm.MatchString(d.HardwareID):
		return ErrInvalid.With("A device's unique_hardware_id is 64 hex digits.")
	case d.WiFiFW != "" && (len(d.WiFiFW) > maxWiFiFW || !versionForm.MatchString(d.WiFiFW)):
		return ErrInvalid.With("A device's wifi_fw_version is a version such as \"1.5.0\".")
	}
	if err := Tags(d.Tags).Check(); err != nil {
		return err
	}
	if k, known := KindOf(d.Type); !known || !k.Create && d.CreatedAt.IsZero() {
		var all []string
		for _, k := range Kinds {
			if k.Create {
				all = append(all, k.Type)
			}
		}
		return ErrInvalid.With("A device's type is one of " + strings.Join(all, ", ") + ".")
	}
	return nil
}

// nameOK is the rule of names: bounded, readable, with one good character.
func nameOK(s string, bound int) bool {
	return utf8.RuneCountInString(s) <= bound && printable(s) && someGood.MatchString(s)
}

// printable refuses what is not text: broken UTF-8 and control characters, of
// which PostgreSQL cannot even store NUL.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// CheckTag says whether key and value make a tag.
func CheckTag(key, value string) error {
	if len(key) > maxTagText || len(value) > maxTagText || !tagForm.MatchString(key) || !tagForm.MatchString(value) {
		return ErrTag
	}
	return nil
}

// A Tag is what a list of devices can be filtered by.
type Tag struct{ Key, Value string }

// ParseTag reads "key:value".
func ParseTag(text string) (Tag, error) {
	key, value, ok := strings.Cut(text, ":")
	if !ok {
		return Tag{}, ErrTag.With("A filter on tags is written key:value.")
	}
	return Tag{key, value}, CheckTag(key, value)
}

// Matches says whether d has all the tags.
func (d Device) Matches(tags []Tag) bool { return Tags(d.Tags).Match(tags) }

// Label is the board's name for people.
func (d Device) Label() string {
	k, _ := KindOf(d.Type)
	return k.Label
}

// cut bounds what a board says of itself: valid text of at most n bytes.
func cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
