package sketch

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// macroOf is how the core of a board tells libraries what it is.
var macroOf = map[string]string{
	"mkr1000": "ARDUINO_SAMD_MKR1000", "mkrwifi1010": "ARDUINO_SAMD_MKRWIFI1010", "nano_33_iot": "ARDUINO_SAMD_NANO_33_IOT", "mkrgsm1400": "ARDUINO_SAMD_MKRGSM1400",
	"mkrnb1500": "ARDUINO_SAMD_MKRNB1500", "nanorp2040connect": "ARDUINO_NANO_RP2040_CONNECT", "envie_m7": "ARDUINO_PORTENTA_H7_M7", "nicla_vision": "ARDUINO_NICLA_VISION",
	"opta": "ARDUINO_OPTA", "giga": "ARDUINO_GIGA", "unor4wifi": "ARDUINO_UNOR4_WIFI", "portenta_c33": "ARDUINO_PORTENTA_C33", "nano_nora": "ARDUINO_ARCH_ESP32",
	"login_and_secretkey_wifi": "ARDUINO_ARCH_ESP32",
}

// folder writes a program where a compiler finds it.
func folder(t testing.TB, p Program) string {
	t.Helper()
	dir := t.TempDir()
	for _, f := range p.Files {
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(f.Text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// gxx runs the compiler with every warning as an error; a missing one fails the test.
func gxx(t testing.TB, args ...string) {
	t.Helper()
	cmd := exec.Command("g++", append([]string{"-std=gnu++17", "-Wall", "-Wextra", "-Werror", "-I", filepath.Join("testdata", "standin")}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("g++ %v: %v\n%s", args, err, out)
	}
}

// everyProperty is each type, with each permission, that a sketch can be made of; strategies come in turn.
func everyProperty() []thing.Property {
	var all []thing.Property
	for i, typ := range thing.Types() {
		for _, permission := range []string{thing.ReadOnly, thing.ReadWrite} {
			p := variable("v"+strconv.Itoa(len(all)), typ.Name)
			p.Permission = permission
			switch i % 3 {
			case 1:
				p.Strategy, p.Parameter = thing.Timed, 0.5
			case 2:
				p.Parameter = 1e30
			}
			all = append(all, p)
		}
	}
	return all
}

// Every family of boards, over every way to the network that one of its boards has, with every type of property and permission.
func TestEverySketchCompiles(t *testing.T) {
	seen := map[string]bool{}
	check := func(d device.Device, macro string) {
		ways, _ := device.Connections(d.Type)
		for _, way := range ways {
			if way.Type == "lora" {
				continue
			}
			d.ConnectionType = way.Type
			spec := specOf(t, Query{}, &d, everyProperty())
			name := fmt.Sprintf("%d %s secret=%t", spec.Board.family(), way.Type, spec.Secret)
			if seen[name] {
				continue
			}
			seen[name] = true
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				p := generate(t, spec)
				dir := folder(t, p)
				gxx(t, "-fsyntax-only", "-D"+macro, "-include", "Arduino.h", "-x", "c++", filepath.Join(dir, p.Name+".ino"))
			})
		}
	}
	for _, k := range device.Kinds {
		if familyOf[k.Type] == noFamily {
			continue
		}
		macro := macroOf[k.Type]
		if macro == "" {
			t.Fatalf("no macro for %s", k.Type)
		}
		check(device.Device{ID: deviceID, Type: k.Type}, macro)
	}
	check(device.Device{ID: deviceID, Type: "unor4wifi", HasSecret: true}, "ARDUINO_UNOR4_WIFI")
	check(device.Device{ID: deviceID, Type: secretKeyWiFi, FQBN: "esp8266:esp8266:d1_mini"}, "ARDUINO_ARCH_ESP8266")
	if len(seen) < 12 {
		t.Errorf("only %d sketches: %v", len(seen), seen)
	}
}

// hostile are names of variables that mean something else in a sketch, or that collide with what is made of others.
var hostile = []string{
	"int", "class", "new", "delete", "return", "setup", "loop", "String", "HIGH", "A0", "B1", "F", "min", "map", "bit", "PI", "LED_BUILTIN", "Serial", "ArduinoCloud", "SSID", "PASS",
	"ARDESIA_HOST", "SECRET_SSID", "DEVICE_KEY", "time", "index", "read", "write", "log", "y1", "abs", "signal", "SIGINT", "EOF", "NULL", "stdin", "errno", "main", "delay", "__LINE__", "__func__", "_", "__", "_1",
	"___", "_Bool", "std", "Property", "Permission", "CLOUD_WINS", "initProperties", "ArduinoIoTPreferredConnection", "x509_crt_bundle", "var_int", "var_", "onLampChange", "lamp", "Lamp", "LAMP", "l_amp", "lAmp", "L_amp",
	"on_lamp_change", "None", "def", "lambda", "async", "await", "client", "program", "HOST", "PORT", "CA", "constructor", "__proto__", "prototype", "toString", "function", "var", "let", "module", "require", "arguments",
	strings.Repeat("x", 64), strings.Repeat("_", 64), "uint8_t", "true", "this", "INT_MAX", "strlen", "sinf", "powf", "unix", "linux",
}

func hostileThing() []thing.Property {
	var all []thing.Property
	for i, name := range hostile {
		p := variable(name, "INT", rw)
		// What people call it is in comments alone, and may have any printable character.
		p.Name = []string{`\`, `??/`, `*/ int x; /*`, `"); system("x`, "`$(x)`", "città ✓", `'''`, `#{x}`, `</script>`, `\u000a evil`}[i%10]
		if i%2 == 1 {
			p.Permission = thing.ReadOnly
		}
		all = append(all, p)
	}
	return all
}

// Whatever variables are called, the sketch compiles, and the cloud knows them by their names.
func TestHostileNames(t *testing.T) {
	all := hostileThing()
	p := generate(t, specOf(t, Query{Board: "esp32:esp32:esp32"}, nil, all))
	dir := folder(t, p)
	out := filepath.Join(dir, "board")
	gxx(t, "-DARDUINO_ARCH_ESP32", "-include", "Arduino.h", "-o", out, "-x", "c++", filepath.Join(dir, p.Name+".ino"), filepath.Join("testdata", "standin", "board.cpp"))
	said, err := exec.Command(out).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(said)) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "property" {
			got = append(got, words[1])
			if writable := words[2] == "readwrite"; writable != strings.Contains(line, "onUpdate cloud-wins") {
				t.Errorf("%s", line)
			}
		}
	}
	if !slices.Equal(got, hostile) {
		t.Errorf("the board tells of %q, want %q", got, hostile)
	}
	if !strings.Contains(string(said), "begin cloud.example.org:8884 watchdog=1") {
		t.Errorf("the board does not come here: %s", said)
	}
	idents := map[string]bool{}
	with, _ := identifiers(all)
	for _, v := range with {
		for _, name := range []string{v.Ident, v.Callback} {
			if name != "" && (idents[name] || reservedCPP(name)) {
				t.Errorf("%s is there twice, or reserved", name)
			}
			idents[name] = true
		}
	}
}

// build_opt.h puts this server's authority in place of the library's, however a version hands it on; and without it the
// library's is what is trusted, so that the test can tell.
func TestBuildOptions(t *testing.T) {
	ca := authority(t)
	dir := t.TempDir()
	options := filepath.Join(dir, "build_opt.h")
	if err := os.WriteFile(options, []byte(buildOptions(ca)), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) string {
		out := filepath.Join(dir, name)
		gxx(t, append(args, "-Wno-unused-variable", "-o", out, filepath.Join("testdata", "standin", "tlsclient.cpp"))...)
		said, err := exec.Command(out).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	if got, want := run("ours", "@"+options), strings.Repeat("no bundle|"+pemOf(ca), 3); got != want {
		t.Errorf("with build_opt.h the client trusts\n%s\nwant\n%s", got, want)
	}
	if got := run("theirs"); strings.Count(got, "bundle|") != 3 || strings.Contains(got, pemOf(ca)) || !strings.Contains(got, "somebody else's") {
		t.Errorf("without build_opt.h the client trusts\n%s", got)
	}
}

// A board that is built with the overlay has the authority's name and key, and the certificate in PEM form where that is asked for.
func TestOverlayCompiles(t *testing.T) {
	ca := authority(t)
	p := generate(t, specOf(t, Query{Board: "opta"}, nil, nil))
	dir := folder(t, p)
	out := filepath.Join(dir, "anchors")
	gxx(t, "-DARDUINO_OPTA", "-I", filepath.Join(dir, filepath.FromSlash(overlay)), "-o", out, filepath.Join("testdata", "standin", "anchors.cpp"))
	said, err := exec.Command(out).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, point, err := anchor(ca)
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("1 2 23 %x %x\n", ca.RawSubject, point); string(said) != want {
		t.Errorf("%s, want %s", said, want)
	}

	p = generate(t, specOf(t, Query{Board: "nicla_vision"}, nil, nil))
	dir = folder(t, p)
	program := filepath.Join(dir, "pem.cpp")
	if err := os.WriteFile(program, []byte("#include <stdio.h>\n#include \"AIoTCSSCert.h\"\nint main() { fputs(AIoTSSCert, stdout); return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out = filepath.Join(dir, "pem")
	gxx(t, "-I", filepath.Join(dir, filepath.FromSlash(overlay)), "-o", out, program)
	if said, err := exec.Command(out).Output(); err != nil || string(said) != pemOf(ca) {
		t.Errorf("%s, %v, want %s", said, err, pemOf(ca))
	}
}

func TestCString(t *testing.T) {
	var text strings.Builder
	var want [256]byte
	for i := range want {
		want[i] = byte(i)
		text.WriteString(cString(string([]byte{byte(i)})) + "\n")
	}
	dir := t.TempDir()
	program, out := filepath.Join(dir, "c.cpp"), filepath.Join(dir, "c")
	if err := os.WriteFile(program, []byte("#include <stdio.h>\nstatic const char all[] =\n"+text.String()+";\nint main() { fwrite(all, 1, sizeof all - 1, stdout); return 0; }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gxx(t, "-o", out, program)
	if said, err := exec.Command(out).Output(); err != nil || sha256.Sum256(said) != sha256.Sum256(want[:]) {
		t.Errorf("%s, %v", hex.EncodeToString(said), err)
	}
}

// Whatever a thing and its variables are called, the sketch has as many lines and statements as with plain names: nothing that somebody
// typed becomes code. The literal of a text is one literal, and a comment ends with its line.
func FuzzNames(f *testing.F) {
	f.Add("Greenhouse", "temperature", "Temperature", 0.5)
	f.Add("a", "int", `\`, 1e300)
	f.Add("../x", "_", "??/", 0.0)
	f.Add("CON", "onXChange", "*/\nint evil;", 5e-324)
	f.Add("", "x__y", "\u2028\u202e", 16777217.0)
	plain := len(strings.Split(names(f, "a", "b", "c", 1), "\n"))
	f.Fuzz(func(t *testing.T, name, variable, label string, parameter float64) {
		p := thing.Property{Name: label, Variable: variable, Type: thing.TypeOf("FLOAT"), Permission: thing.ReadWrite, Strategy: thing.OnChange, Parameter: parameter, Number: 1}
		if folder := folderName(name); !folderForm.MatchString(folder) {
			t.Errorf("folderName(%q) = %q", name, folder)
		}
		for _, text := range []string{cString(label), scriptString(label)} {
			inner := strings.NewReplacer(`\\`, "", `\"`, "").Replace(text[1 : len(text)-1])
			if strings.ContainsAny(inner, "\"\n") || text[0] != '"' || text[len(text)-1] != '"' || strings.HasSuffix(inner, `\`) {
				t.Errorf("%q is written as %s", label, text)
			}
		}
		if c := comment(label); strings.ContainsAny(c, "\\\n\r\u2028\u2029\u202e") || strings.Contains(c, "*/") || strings.Contains(c, "??/") {
			t.Errorf("%q is in a comment as %q", label, c)
		}
		if p.Check() != nil { // nothing else comes from the room of things
			return
		}
		if got := names(t, name, variable, label, parameter); len(strings.Split(got, "\n")) != plain {
			t.Errorf("%q, %q, %q make\n%s", name, variable, label, got)
		}
		with, _ := identifiers([]thing.Property{p})
		if _, err := parser.ParseExpr(with[0].Ident); err != nil && !token.IsKeyword(with[0].Ident) || reservedCPP(with[0].Ident) {
			t.Errorf("%q is called %q", variable, with[0].Ident)
		}
		if e, err := parser.ParseExpr(strings.TrimSuffix(floatLiteral(max(parameter, 5e-324)), "f")); err != nil {
			t.Errorf("%g is written as %s", parameter, floatLiteral(parameter))
		} else if l, ok := e.(*ast.BasicLit); !ok || l.Kind != token.FLOAT {
			t.Errorf("%g is written as %s, no float", parameter, l.Value)
		}
	})
}

// names is all that is written of one variable, in every language.
func names(t testing.TB, name, variable, label string, parameter float64) string {
	p := thing.Property{Name: label, Variable: variable, Type: thing.TypeOf("FLOAT"), Permission: thing.ReadWrite, Strategy: thing.OnChange, Parameter: parameter}
	var b strings.Builder
	for _, language := range Languages {
		spec := Spec{Thing: name, Properties: []thing.Property{p}, Language: language, Place: Place{Host: "h", CertPort: 1, SecretPort: 2}, Secret: true, Connection: "wifiandsecret",
			Board: Board{FQBN: "esp32:esp32:esp32", Name: "ESP32", Type: secretKeyWiFi}}
		for _, f := range generate(t, spec).Files {
			if f.Name != "README.md" { // tells of variables that were renamed
				b.WriteString(f.Text)
			}
		}
	}
	return b.String()
}
