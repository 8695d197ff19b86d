package otafile

import (
	"fmt"
	"strings"
)

// A Magic says for which board a file is: the USB vendor and product id, but for the boards of the ESP32 family.
type Magic uint32

// ESP32 is the Magic of all boards of the ESP32 family that are not Arduino's own: "ESP3".
const ESP32 Magic = 0x45535033

// A Board is a kind of board with a Magic of its own.
type Board struct {
	Type  string // as devices call it; "" for those without a type of their own
	FQBN  string
	Magic Magic
}

// Boards are all that are known (arduino/arduino-cloud-cli, internal/boardpids). The last four cannot be updated over
// the air by Arduino's library today; their files are of this form all the same.
var Boards = []Board{
	{"mkrwifi1010", "arduino:samd:mkrwifi1010", 0x23418054},
	{"nano_33_iot", "arduino:samd:nano_33_iot", 0x23418057},
	{"nanorp2040connect", "arduino:mbed_nano:nanorp2040connect", 0x2341005E},
	{"envie_m7", "arduino:mbed_portenta:envie_m7", 0x2341025B},
	{"nicla_vision", "arduino:mbed_nicla:nicla_vision", 0x2341025F},
	{"opta", "arduino:mbed_opta:opta", 0x23410064},
	{"giga", "arduino:mbed_giga:giga", 0x23410266},
	{"nano_nora", "arduino:esp32:nano_nora", 0x23410070},
	{"unor4wifi", "arduino:renesas_uno:unor4wifi", 0x23411002},
	{"mkr1000", "arduino:samd:mkr1000", 0x2341804E},
	{"mkrgsm1400", "arduino:samd:mkrgsm1400", 0x23418052},
	{"mkrnb1500", "arduino:samd:mkrnb1500", 0x23418055},
	{"portenta_c33", "arduino:renesas_portenta:portenta_c33", 0x23410068},
}

const esp32Prefix = "esp32:esp32:"

// ByFQBN finds the Magic of a board by its fully qualified name; options behind it do not matter.
func ByFQBN(fqbn string) (Magic, bool) {
	if strings.HasPrefix(fqbn, esp32Prefix) && len(fqbn) > len(esp32Prefix) {
		return ESP32, true
	}
	for _, b := range Boards {
		if fqbn == b.FQBN || strings.HasPrefix(fqbn, b.FQBN+":") {
			return b.Magic, true
		}
	}
	return 0, false
}

// ByType finds the Magic of a device by its type. The type of ESP32 and ESP8266 boards tells too little: only their FQBN does.
func ByType(typ string) (Magic, bool) {
	for _, b := range Boards {
		if b.Type == typ {
			return b.Magic, true
		}
	}
	return 0, false
}

// String is the board's FQBN, or the number of one that is not known.
func (m Magic) String() string {
	if m == ESP32 {
		return esp32Prefix + "*"
	}
	for _, b := range Boards {
		if b.Magic == m {
			return b.FQBN
		}
	}
	return fmt.Sprintf("unknown board %#010x", uint32(m))
}

// Known says whether m is the magic of a board that we know.
func (m Magic) Known() bool { return !strings.HasPrefix(m.String(), "unknown") }
