package device

// A Credential is one secret that a sketch needs for its way to the network. The
// values are typed into the sketch and never come here.
type Credential struct {
	Secret    string // name in arduino_secrets.h
	Label     string // for people
	MaxBytes  int
	Required  bool
	Sensitive bool // hide it in forms
}

// A Connection is a way to the network, with the secrets that a sketch needs for it.
type Connection struct {
	Type        string // one of connectionTypes
	Credentials []Credential
}

// Bounds of the secrets are those of provisioning 2.0 (device-protocol reference,
// section 6.3), where it has them.
var (
	wifiName = Credential{"SECRET_SSID", "Wi-Fi name", 32, true, false}
	wifiPass = Credential{"SECRET_OPTIONAL_PASS", "Wi-Fi password", 63, false, true} // an open network has none
	mobile   = []Credential{
		{"SECRET_PIN", "PIN of the SIM", 8, false, true},
		{"SECRET_APN", "APN", 100, true, false},
		{"SECRET_LOGIN", "Login", 64, false, false},
		{"SECRET_PASS", "Password", 64, false, true},
	}
)

// connections are all ways to the network, in the order of the reference
// (cloud-api, section 5.3).
var connections = []Connection{
	{"wifi", []Credential{wifiName, wifiPass}},
	{"eth", []Credential{ // without any of them the board asks by DHCP
		{"SECRET_OPTIONAL_IP", "IP address", 45, false, false},
		{"SECRET_OPTIONAL_DNS", "Address of the name server", 45, false, false},
		{"SECRET_OPTIONAL_GATEWAY", "Address of the gateway", 45, false, false},
		{"SECRET_OPTIONAL_NETMASK", "Netmask", 45, false, false},
	}},
	{"wifiandsecret", []Credential{wifiName, wifiPass, {"SECRET_DEVICE_KEY", "Secret key of the device", maxSecret, true, true}}},
	{"gsm", mobile},
	{"nb", mobile},
	{"lora", []Credential{
		{"SECRET_APP_EUI", "AppEUI", 16, true, false},
		{"SECRET_APP_KEY", "AppKey", 32, true, true},
	}},
	{"catm1", mobile},
	{"cellular", mobile},
}

// waysOf are the connections of the types that have any, the usual one first. The
// types are those that the compatible API knows here; cloud-api reference, section 5.3.
var waysOf = map[string][]string{
	"mkrwifi1010":              {"wifi"},
	"mkr1000":                  {"wifi"},
	"nano_33_iot":              {"wifi"},
	"mkrgsm1400":               {"gsm"},
	"mkrwan1310":               {"lora"},
	"mkrwan1300":               {"lora"},
	"mkrnb1500":                {"nb"},
	"lora-device":              {"lora"},
	"login_and_secretkey_wifi": {"wifiandsecret"},
	"envie_m7":                 {"wifi", "eth", "catm1", "nb", "gsm", "cellular", "lora"},
	"nanorp2040connect":        {"wifi"},
	"nicla_vision":             {"wifi"},
	"opta":                     {"wifi", "eth", "catm1", "cellular"},
	"giga":                     {"wifi"},
	"portenta_c33":             {"wifi", "eth", "cellular"},
	"unor4wifi":                {"wifi"},
	"nano_nora":                {"wifiandsecret"},
}

// ConnectionOf finds a way to the network by its type.
func ConnectionOf(typ string) (Connection, bool) {
	for _, c := range connections {
		if c.Type == typ {
			return c, true
		}
	}
	return Connection{}, false
}

// Connections are the ways to the network of a type of device, the usual one
// first; false for types that have none.
func Connections(typ string) ([]Connection, bool) {
	names, known := waysOf[typ]
	all := make([]Connection, 0, len(names))
	for _, name := range names {
		c, _ := ConnectionOf(name)
		all = append(all, c)
	}
	return all, known
}
