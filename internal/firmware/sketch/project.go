package sketch

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A library is one that sketches are built with, in the version that they were written for.
type library struct{ name, version string }

// libraries are those that a sketch itself includes, and what they include by name. Versions were the newest known when this was
// written; what these need in turn differs from board to board, and Arduino's tools know it.
var libraries = []library{
	{"ArduinoIoTCloud", "2.9.3"},
	{"Arduino_ConnectionHandler", "1.2.0"},
	{"Arduino_DebugUtils", "1.4.0"},
	{"ArduinoMqttClient", "0.1.8"},
}

// A core is a platform of boards, with where its index is found if it is not Arduino's.
type core struct{ version, index string }

var cores = map[string]core{
	"arduino:samd":             {"1.8.14", ""},
	"arduino:mbed_nano":        {"4.3.1", ""},
	"arduino:mbed_portenta":    {"4.3.1", ""},
	"arduino:mbed_nicla":       {"4.3.1", ""},
	"arduino:mbed_opta":        {"4.3.1", ""},
	"arduino:mbed_giga":        {"4.3.1", ""},
	"arduino:renesas_uno":      {"1.4.1", ""},
	"arduino:renesas_portenta": {"1.4.1", ""},
	"arduino:esp32":            {"2.0.18-arduino.5", ""},
	"esp32:esp32":              {"3.2.0", "https://espressif.github.io/arduino-esp32/package_esp32_index.json"},
	"esp8266:esp8266":          {"3.1.2", "https://arduino.esp8266.com/stable/package_esp8266com_index.json"},
}

func coreOf(fqbn string) string { return strings.Join(strings.SplitN(fqbn, ":", 3)[:2], ":") }

// sketchYAML is the project file of arduino-cli. Its profile is not the default: with a profile the tools use nothing
// that is installed, neither a library's overlay nor what a library needs in turn.
func sketchYAML(b Board) string {
	id := coreOf(b.FQBN)
	c := cores[id]
	var w strings.Builder
	fmt.Fprintf(&w, "# %s\n# The profile pins what this sketch includes. For what these libraries need in turn: arduino-cli profile lib add,\n# or build without --profile.\n", header)
	fmt.Fprintf(&w, "default_fqbn: %s\nprofiles:\n  ardesia:\n    fqbn: %s\n    platforms:\n      - platform: %s (%s)\n", b.FQBN, b.FQBN, id, c.version)
	if c.index != "" {
		fmt.Fprintf(&w, "        platform_index_url: %s\n", c.index)
	}
	w.WriteString("    libraries:\n")
	for _, l := range libraries {
		fmt.Fprintf(&w, "      - %s (%s)\n", l.name, l.version)
	}
	return w.String()
}

// sketchJSON is what web editors keep beside a sketch.
func sketchJSON(b Board) string {
	var out struct {
		By  string `json:"generated_by"`
		CPU struct {
			FQBN string `json:"fqbn"`
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"cpu"`
		Secrets   []string `json:"secrets"`
		Libraries []string `json:"included_libs"`
	}
	out.By, out.CPU.FQBN, out.CPU.Name, out.CPU.Type, out.Secrets = header, b.FQBN, b.Name, "serial", []string{}
	for _, l := range libraries {
		out.Libraries = append(out.Libraries, l.name+"@"+l.version)
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(err) // strings only
	}
	return string(text) + "\n"
}
