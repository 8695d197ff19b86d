package board

import (
	"slices"
	"strings"
)

// A Board is a kind of board that sketches are made for.
type Board struct {
	FQBN    string // "arduino:samd:nano_33_iot": vendor, architecture, board
	Name    string // for people
	Type    string // of its devices; for Arduino's boards the third part of FQBN
	Package string // what an IDE installs to build for it: "arduino:samd"
	OTA     bool   // updates over the air have a file format for it
}

// Vendor is who makes it: the first part of FQBN.
func (b *Board) Vendor() string { vendor, _, _ := strings.Cut(b.FQBN, ":"); return vendor }

// boards are all, in the order in which people find them. FQBNs, types and which of them
// are updated over the air: arduino-cloud-cli, internal/boardpids and internal/ota.
var boards = func() []Board {
	var all []Board
	add := func(fqbn, name, typ string, ota bool) {
		all = append(all, Board{FQBN: fqbn, Name: name, Type: typ, Package: fqbn[:strings.LastIndexByte(fqbn, ':')], OTA: ota})
	}
	add("arduino:samd:mkr1000", "Arduino MKR1000", "mkr1000", false)
	add("arduino:samd:mkrwifi1010", "Arduino MKR WiFi 1010", "mkrwifi1010", true)
	add("arduino:samd:nano_33_iot", "Arduino Nano 33 IoT", "nano_33_iot", true)
	add("arduino:samd:mkrgsm1400", "Arduino MKR GSM 1400", "mkrgsm1400", false)
	add("arduino:samd:mkrnb1500", "Arduino MKR NB 1500", "mkrnb1500", false)
	add("arduino:samd:mkrwan1300", "Arduino MKR WAN 1300", "mkrwan1300", false)
	add("arduino:samd:mkrwan1310", "Arduino MKR WAN 1310", "mkrwan1310", false)
	add("arduino:mbed_nano:nanorp2040connect", "Arduino Nano RP2040 Connect", "nanorp2040connect", true)
	add("arduino:mbed_portenta:envie_m7", "Arduino Portenta H7", "envie_m7", true)
	add("arduino:mbed_nicla:nicla_vision", "Arduino Nicla Vision", "nicla_vision", true)
	add("arduino:mbed_opta:opta", "Arduino Opta", "opta", true)
	add("arduino:mbed_giga:giga", "Arduino GIGA R1 WiFi", "giga", true)
	add("arduino:renesas_uno:unor4wifi", "Arduino UNO R4 WiFi", "unor4wifi", true)
	add("arduino:renesas_portenta:portenta_c33", "Arduino Portenta C33", "portenta_c33", false)
	add("arduino:esp32:nano_nora", "Arduino Nano ESP32", "nano_nora", true)
	for _, b := range [][2]string{
		{"esp32:esp32:esp32", "ESP32 Dev Module"}, {"esp32:esp32:esp32s2", "ESP32-S2 Dev Module"}, {"esp32:esp32:esp32s3", "ESP32-S3 Dev Module"},
		{"esp32:esp32:esp32c3", "ESP32-C3 Dev Module"}, {"esp32:esp32:esp32c6", "ESP32-C6 Dev Module"},
	} {
		add(b[0], b[1], secretKey, true)
	}
	add("esp8266:esp8266:generic", "ESP8266 Module", secretKey, false)
	add("esp8266:esp8266:nodemcuv2", "NodeMCU 1.0 (ESP8266)", secretKey, false)
	add("esp8266:esp8266:d1_mini", "WEMOS D1 mini (ESP8266)", secretKey, false)
	add("generic:generic:generic", "Any other device", "generic_device_secretkey", false)
	return all
}()

const secretKey = "login_and_secretkey_wifi" // the type of boards of others, which have no secure element

// Boards are all that are known.
func Boards() []Board { return slices.Clone(boards) }

// Find finds a board by its FQBN, or returns nil. Options that follow it
// ("esp32:esp32:esp32:PSRAM=enabled") do not matter.
func Find(fqbn string) *Board {
	if parts := strings.SplitN(fqbn, ":", 4); len(parts) == 4 {
		fqbn = strings.Join(parts[:3], ":")
	}
	if i := slices.IndexFunc(boards, func(b Board) bool { return b.FQBN == fqbn }); i >= 0 {
		return &boards[i]
	}
	return nil
}

// A Plan is a set of frequencies that LoRa boards may use somewhere.
type Plan struct {
	ID       string // as The Things Stack spells it
	Name     string
	Advanced bool // for experts
}

var plans = []Plan{
	{"EU_863_870_TTN", "Europe 863-870 MHz", false},
	{"US_902_928_FSB_2", "United States 902-928 MHz, FSB 2", false},
	{"EU_433", "Europe 433 MHz", true},
	{"AU_915_928_FSB_2", "Australia 915-928 MHz, FSB 2", false},
	{"CN_470_510_FSB_11", "China 470-510 MHz, FSB 11", false},
	{"AS_920_923", "Asia 920-923 MHz", false},
	{"AS_920_923_TTN_AU", "Asia 920-923 MHz, used by TTN Australia", true},
	{"AS_923_925", "Asia 923-925 MHz", false},
	{"AS_923_925_TTN_AU", "Asia 923-925 MHz, used by TTN Australia", true},
	{"KR_920_923_TTN", "South Korea 920-923 MHz", false},
	{"IN_865_867", "India 865-867 MHz", false},
}
