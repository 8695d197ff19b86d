package sketch

import (
	"regexp"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/board"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

// A Board is what a sketch is built for.
type Board struct {
	FQBN string
	Name string // for people
	Type string // of its devices
}

// A family is how the boards of a kind come to trust a server: reference of web and operations, section 5.2,
// and src/tls of the ArduinoIoTCloud library.
type family int

const (
	noFamily family = iota
	esp32           // compiled in, and the core takes compiler options from the sketch: build_opt.h
	esp8266         // nothing is checked
	bearSSL         // compiled in: src/tls/BearSSLTrustAnchors.h
	pemRoot         // compiled in: src/tls/AIoTCSSCert.h
	unoR4           // in the radio's firmware; in certificate mode also AIoTCSSCert.h
	nina            // in the radio's firmware

	families // how many there are
)

var familyOf = map[string]family{
	"mkr1000": bearSSL, "mkrgsm1400": bearSSL, "mkrnb1500": bearSSL, "nanorp2040connect": bearSSL, "envie_m7": bearSSL, "opta": bearSSL, "giga": bearSSL,
	"nicla_vision": pemRoot, "portenta_c33": pemRoot,
	"unor4wifi":   unoR4,
	"mkrwifi1010": nina, "nano_33_iot": nina,
	"nano_nora": esp32, secretKeyWiFi: esp32,
}

const secretKeyWiFi = "login_and_secretkey_wifi" // the type of ESP32 and ESP8266 boards

func (b Board) family() family {
	if strings.HasPrefix(b.FQBN, "esp8266:") {
		return esp8266
	}
	return familyOf[b.Type]
}

// secretOnly says whether boards of the family have no secure element, so that all of them have a secret key.
func (f family) secretOnly() bool { return f == esp32 || f == esp8266 }

// fqbnForm is what is written into files. Options of a board are part of it.
var fqbnForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,32}:[A-Za-z0-9_.-]{1,32}:[A-Za-z0-9_.-]{1,64}(:[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+(,[A-Za-z0-9_.-]+=[A-Za-z0-9_.-]+)*)?$`)

const maxFQBN = 128 // bytes, as of a device

// boardBy finds a board by its FQBN, which may be of any ESP32 or ESP8266 board, or by the type of its devices.
func boardBy(text string) (Board, bool) {
	if len(text) > maxFQBN {
		return Board{}, false
	}
	if fqbnForm.MatchString(text) {
		if b := board.Find(text); b != nil {
			return Board{FQBN: text, Name: b.Name, Type: b.Type}, true
		}
		if strings.HasPrefix(text, "esp32:esp32:") || strings.HasPrefix(text, "esp8266:esp8266:") {
			return Board{FQBN: text, Name: strings.Split(text, ":")[2], Type: secretKeyWiFi}, true
		}
		return Board{}, false
	}
	for _, b := range board.Boards() {
		if b.Type == text {
			return Board{FQBN: b.FQBN, Name: b.Name, Type: b.Type}, true
		}
	}
	return Board{}, false
}

// boardFor is the board of a device, or the one that was asked for. d may be nil.
func boardFor(asked string, d *device.Device) (Board, error) {
	if asked == "" && d == nil {
		return Board{}, ErrNoDevice
	}
	if asked != "" {
		b, known := boardBy(asked)
		if !known {
			return Board{}, ErrBoard
		}
		if d != nil && d.Type != b.Type {
			return Board{}, ErrOtherBoard
		}
		return b, nil
	}
	if b, known := boardBy(d.FQBN); known && b.Type == d.Type { // what a device says of itself may be anything
		return b, nil
	}
	if b, known := boardBy(d.Type); known {
		return b, nil
	}
	return Board{Name: d.Label(), Type: d.Type}, nil
}

// connectionFor is the way to the network that a board takes: the device's own, or the board's usual one.
func connectionFor(b Board, d *device.Device) (string, error) {
	ways, known := device.Connections(b.Type)
	if !known || len(ways) == 0 {
		return "", ErrNoSketch
	}
	way := ways[0].Type
	if d != nil && d.ConnectionType != "" {
		way = d.ConnectionType
	}
	// ESP32 and ESP8266 devices are often created with the plain name of the same thing.
	if way == "wifi" && b.family().secretOnly() {
		way = "wifiandsecret"
	}
	if way == "lora" {
		return "", ErrLoRa
	}
	if !slices.ContainsFunc(ways, func(c device.Connection) bool { return c.Type == way }) {
		return "", ErrConnection
	}
	return way, nil
}

// overLoRa says whether a type of devices speaks LoRa and nothing else.
func overLoRa(typ string) bool { return typ == "lora-device" || strings.HasPrefix(typ, "mkrwan") }

// A Query is what a caller may choose. Zero values leave it to the device.
type Query struct {
	Board    string // FQBN, or type of device
	Language string
}

// specFor decides what is written for a device, which may be nil. Thing, Properties and Place are the caller's.
func specFor(q Query, d *device.Device) (Spec, error) {
	spec := Spec{Language: Language(q.Language)}
	typ := ""
	if d != nil {
		spec.Device, typ = d.ID, d.Type
	}
	switch {
	case typ == "phone":
		return Spec{}, ErrNoProgram
	case overLoRa(typ):
		return Spec{}, ErrLoRa
	}
	if q.Language == "" {
		spec.Language = CPP
		if k, _ := device.KindOf(typ); d != nil && !k.OTA && k.Sessions && familyOf[typ] == noFamily {
			spec.Language = Python // computers: their own language
		}
	}
	if !slices.Contains(Languages, spec.Language) {
		return Spec{}, ErrLanguage
	}
	if spec.Language != CPP {
		spec.Secret = true
		if q.Board != "" {
			if _, err := boardFor(q.Board, d); err != nil {
				return Spec{}, err
			}
		}
		if d != nil && !d.HasSecret && familyOf[typ] != noFamily && !familyOf[typ].secretOnly() {
			return Spec{}, ErrCertificate
		}
		return spec, nil
	}
	var err error
	if spec.Board, err = boardFor(q.Board, d); err != nil {
		return Spec{}, err
	}
	if overLoRa(spec.Board.Type) {
		return Spec{}, ErrLoRa
	}
	if spec.Board.family() == noFamily {
		return Spec{}, ErrNoSketch
	}
	if spec.Connection, err = connectionFor(spec.Board, d); err != nil {
		return Spec{}, err
	}
	spec.Secret = spec.Board.family().secretOnly() || spec.Board.family() == unoR4 && d != nil && d.HasSecret
	return spec, nil
}
