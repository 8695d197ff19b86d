package sketch

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A handler is how a sketch names its way to the network: the class, and the constants that it is made of.
type handler struct {
	class     string
	constants [][2]string // name, and the macro in arduino_secrets.h; Arduino's generator uses these names
}

var (
	wifi   = handler{"WiFiConnectionHandler", [][2]string{{"SSID", "SECRET_SSID"}, {"PASS", "SECRET_OPTIONAL_PASS"}}}
	mobile = [][2]string{{"PINNUMBER", "SECRET_PIN"}, {"GPRS_APN", "SECRET_APN"}, {"GPRS_LOGIN", "SECRET_LOGIN"}, {"GPRS_PASSWORD", "SECRET_PASS"}}

	handlers = map[string]handler{
		"wifi": wifi, "wifiandsecret": wifi,
		// Without addresses the board asks by DHCP.
		"eth": {"EthernetConnectionHandler", [][2]string{{"IP_ADDRESS", "SECRET_OPTIONAL_IP"}, {"DNS_ADDRESS", "SECRET_OPTIONAL_DNS"},
			{"GATEWAY_ADDRESS", "SECRET_OPTIONAL_GATEWAY"}, {"NETMASK_ADDRESS", "SECRET_OPTIONAL_NETMASK"}}},
		"gsm": {"GSMConnectionHandler", mobile}, "nb": {"NBConnectionHandler", mobile},
		"catm1": {"CatM1ConnectionHandler", mobile}, "cellular": {"CellularConnectionHandler", mobile},
	}
)

// cpp writes the sketch of an Arduino board.
func cpp(p *Program, spec Spec) error {
	if _, known := handlers[spec.Connection]; !known {
		return ErrConnection
	}
	with, without := identifiers(spec.Properties)
	p.Hooks = cppHooks(p.Name, with)
	p.kept(p.Name+".ino", ino(with, p.Hooks))
	p.generated("thingProperties.h", thingProperties(spec, with, without))
	p.kept("arduino_secrets.h", secretsHeader(spec))
	p.generated("sketch.yaml", sketchYAML(spec.Board))
	p.generated("sketch.json", sketchJSON(spec.Board))
	trust, err := boardTrust(spec)
	if err != nil {
		return err
	}
	p.Files = append(p.Files, trust...)
	p.generated("README.md", cppReadme(p.Name, spec, with, without))
	return nil
}

func cppHooks(folder string, with []named) []Hook {
	var all []Hook
	for _, v := range with {
		if v.Callback != "" {
			all = append(all, Hook{Name: v.Callback, In: folder + ".ino", Text: fmt.Sprintf("// The cloud has changed %s.\nvoid %s() {\n}\n", v.Ident, v.Callback)})
		}
	}
	return all
}

func ino(with []named, hooks []Hook) string {
	var b strings.Builder
	b.WriteString(`// This file is yours: it is made once and never overwritten. Variables, connection and server are
// in thingProperties.h, which is. When this file was made, the variables were:
`)
	for _, v := range with {
		fmt.Fprintf(&b, "//   %s %s;\n", declaration(v.Type), v.Ident)
	}
	b.WriteString(`
#include "thingProperties.h"

void setup() {
  Serial.begin(9600);
  delay(1500); // for a serial monitor to open

  initProperties();
  ArduinoCloud.begin(ArduinoIoTPreferredConnection, true, ARDESIA_HOST, ARDESIA_PORT);

  // 0 tells errors only, 4 tells everything.
  setDebugMessageLevel(2);
  ArduinoCloud.printDebugInfo();
}

void loop() {
  ArduinoCloud.update();
  // Your code: set the variables to what you measure, and do not wait long.
}
`)
	for _, h := range hooks {
		b.WriteString("\n" + h.Text)
	}
	return b.String()
}

// declaration is what a sketch declares for a type: its class, or what its values are.
func declaration(t *thing.Type) string {
	if t.Declaration != "" {
		return t.Declaration
	}
	return [...]string{
		thing.Bool: "bool", thing.Int: "int", thing.Time: "CloudTime", thing.Float: "float", thing.Text: "String", thing.Location: "CloudLocation", thing.Color: "CloudColor",
		thing.DimmedLight: "CloudDimmedLight", thing.ColoredLight: "CloudColoredLight", thing.Television: "CloudTelevision", thing.Schedule: "CloudSchedule", thing.Free: "String",
	}[t.Kind]
}

func thingProperties(spec Spec, with []named, without []thing.Property) string {
	var b strings.Builder
	b.WriteString("// " + header + "\n\n#pragma once\n\n#include <ArduinoIoTCloud.h>\n#include <Arduino_ConnectionHandler.h>\n#include \"arduino_secrets.h\"\n\n")
	fmt.Fprintf(&b, "// This server, as the board finds it.\n#define ARDESIA_HOST %s\n#define ARDESIA_PORT %d\n\n", cString(spec.Place.Host), spec.port())
	if spec.Secret {
		if spec.Device == "" {
			b.WriteString("// No device is attached to the thing yet: attach one, and take this file again.\n")
		}
		fmt.Fprintf(&b, "const char DEVICE_LOGIN_NAME[] = %s;\nconst char DEVICE_KEY[] = SECRET_DEVICE_KEY;\n\n", cString(spec.Device))
	} else if spec.Device != "" {
		fmt.Fprintf(&b, "// The board proves that it is device %s by the certificate in its secure element.\n\n", comment(spec.Device))
	}
	h := handlers[spec.Connection]
	var arguments []string
	for _, c := range h.constants {
		fmt.Fprintf(&b, "const char %s[] = %s;\n", c[0], c[1])
		arguments = append(arguments, c[0])
	}
	b.WriteString("\n")
	for _, v := range with {
		if v.Callback != "" {
			fmt.Fprintf(&b, "void %s();\n", v.Callback)
		}
	}
	b.WriteString("\n")
	for _, v := range with {
		fmt.Fprintf(&b, "%s %s;", declaration(v.Type), v.Ident)
		if v.Ident != v.Variable {
			fmt.Fprintf(&b, " // %s, which means something else in a sketch", comment(v.Variable))
		} else if v.Name != v.Variable {
			fmt.Fprintf(&b, " // %s", comment(v.Name))
		}
		b.WriteString("\n")
	}
	for _, p := range without {
		fmt.Fprintf(&b, "// Left out: %s, since the library has no class for %s.\n", comment(p.Variable), p.Type.Name)
	}
	b.WriteString("\ninline void initProperties() {\n")
	if spec.Secret {
		b.WriteString("  ArduinoCloud.setBoardId(DEVICE_LOGIN_NAME);\n  ArduinoCloud.setSecretDeviceKey(DEVICE_KEY);\n")
	}
	for _, v := range with {
		b.WriteString("  " + addProperty(v) + "\n")
	}
	fmt.Fprintf(&b, "}\n\n%s ArduinoIoTPreferredConnection(%s);\n", h.class, strings.Join(arguments, ", "))
	return b.String()
}

// addProperty is the statement that tells the library of a variable.
func addProperty(v named) string {
	var b strings.Builder
	permission := "Permission::Read"
	if v.Writable() {
		permission = "Permission::ReadWrite"
	}
	if v.Ident == v.Variable {
		fmt.Fprintf(&b, "ArduinoCloud.addProperty(%s, %s)", v.Ident, permission)
	} else { // what the macro addProperty does, with another name
		fmt.Fprintf(&b, "ArduinoCloud.addPropertyReal(%s, %s, %s)", v.Ident, cString(v.Variable), permission)
	}
	switch {
	case v.Strategy == thing.Timed:
		fmt.Fprintf(&b, ".publishEvery(%d * SECONDS)", seconds(v.Parameter))
	case v.Parameter > 0 && numeric(v.Property):
		fmt.Fprintf(&b, ".publishOnChange(%s)", floatLiteral(v.Parameter))
	}
	if v.Callback != "" {
		// At the start of the board the cloud's value counts, as in sketches of the Arduino Cloud.
		fmt.Fprintf(&b, ".onUpdate(%s).onSync(CLOUD_WINS)", v.Callback)
	}
	b.WriteString(";")
	return b.String()
}

// seconds between two reports: whole ones, at least one, at most 30 days, so that the library's milliseconds
// stay within 32 bits.
func seconds(parameter float64) int {
	return int(min(max(1, math.Ceil(parameter)), 30*86400))
}

// floatLiteral writes a positive number as a float of C++.
func floatLiteral(v float64) string {
	s := strconv.FormatFloat(min(v, math.MaxFloat32), 'g', -1, 32)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return s + "f"
}

func secretsHeader(spec Spec) string {
	var b strings.Builder
	b.WriteString("// This file is yours: it is made once and never overwritten. Fill it in, and give it to nobody.\n\n")
	way, _ := device.ConnectionOf(spec.Connection)
	needsKey := spec.Secret
	for _, c := range way.Credentials {
		note := c.Label
		if !c.Required {
			note += ", may stay empty"
		}
		fmt.Fprintf(&b, "#define %s \"\" // %s\n", c.Secret, note)
		needsKey = needsKey && c.Secret != "SECRET_DEVICE_KEY"
	}
	if needsKey {
		b.WriteString("#define SECRET_DEVICE_KEY \"\" // Secret key of the device\n")
	}
	return b.String()
}
