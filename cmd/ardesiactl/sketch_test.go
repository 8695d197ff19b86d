package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
)

// What a person does with a sketch: take it, fill it in, change the thing, take it again.
func TestSketch(t *testing.T) {
	h := home(t)
	dir := t.TempDir()
	good := func(args ...string) result {
		t.Helper()
		r := call(t, "", args...)
		if r.code != exitOK {
			t.Fatalf("%v: %+v", args, r)
		}
		return r
	}
	thing := made(t, "thing", "create", "--name", "Green House", "--property", "temperature:FLOAT", "--property", "lamp:STATUS:rw")
	for what, c := range map[string]struct {
		args []string
		code int
		text string
	}{
		"of a thing that is not there": {[]string{"6ba7b810-9dad-41d1-80b4-00c04fd430c8"}, exitNotFound, "no such thing"},
		"for no board":                 {[]string{thing}, exitConflict, "board="},
		"for a board that is none":     {[]string{thing, "--board", "arduino:avr:uno"}, exitUsage, "/v3/boards"},
		"in no language":               {[]string{thing, "--language", "cobol"}, exitUsage, "javascript"},
		"for LoRa":                     {[]string{thing, "--board", "arduino:samd:mkrwan1310"}, exitConflict, "LoRa"},
	} {
		if r := call(t, "", append([]string{"thing", "sketch", "--output", dir}, c.args...)...); r.code != c.code || !strings.Contains(r.err, c.text) {
			t.Errorf("%s: %+v, want code %d and %q", what, r, c.code, c.text)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatalf("%v, %v are there after what failed", left, err)
	}

	r := good("device", "create", "--name", "board", "--type", "login_and_secretkey_wifi", "--fqbn", "esp32:esp32:esp32s3", "--format", "json")
	var d created
	if err := json.Unmarshal([]byte(r.out), &d); err != nil {
		t.Fatal(err)
	}
	good("thing", "bind", thing, "--device", d.ID)
	if r := good("thing", "sketch", thing, "--output", dir); strings.Count(r.out, fileWritten) != 7 {
		t.Errorf("the first time: %+v", r)
	}
	folder := filepath.Join(dir, "Green_House")
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	properties := read("thingProperties.h")
	for _, want := range []string{`#define ARDESIA_HOST "localhost"`, "#define ARDESIA_PORT " + h.Port("mqtt-password"), d.ID, "void onLampChange();"} {
		if !strings.Contains(properties, want) {
			t.Errorf("thingProperties.h has no %s:\n%s", want, properties)
		}
	}
	for _, name := range []string{"thingProperties.h", "arduino_secrets.h", "Green_House.ino", "README.md", "build_opt.h", "sketch.json", "sketch.yaml"} {
		if strings.Contains(read(name), d.SecretKey) {
			t.Errorf("%s has the device's secret key", name)
		}
	}

	const mine, secrets = "#include \"thingProperties.h\"\n// mine\nvoid onLampChange() {}\n", "#define SECRET_DEVICE_KEY \"mine\"\n"
	write("Green_House.ino", mine)
	write("arduino_secrets.h", secrets)
	good("property", "create", thing, "pump:INT:rw")
	r = good("thing", "sketch", thing, "--output", dir, "--force")
	if read("Green_House.ino") != mine || read("arduino_secrets.h") != secrets {
		t.Error("what is the user's was written over")
	}
	if !strings.Contains(read("thingProperties.h"), "onPumpChange") || !strings.Contains(r.out, "Green_House.ino lacks onPumpChange") || strings.Contains(r.out, "lacks onLampChange") {
		t.Errorf("after a variable was added: %s", r.out)
	}

	write("sketch.yaml", "default_fqbn: mine\n")
	before := read("thingProperties.h")
	good("property", "create", thing, "fan:INT")
	if r := call(t, "", "thing", "sketch", thing, "--output", dir); r.code != exitUsage || !strings.Contains(r.err, "--force") || read("thingProperties.h") != before {
		t.Errorf("with a file that is not from here: %+v; nothing may be half done", r)
	}
	good("thing", "sketch", thing, "--output", dir, "--force")
	if read("sketch.yaml") == "default_fqbn: mine\n" || read("thingProperties.h") == before {
		t.Error("--force did not write")
	}
	if r := good("thing", "sketch", thing, "--output", dir, "--language", "python", "--format", "json"); !strings.Contains(r.out, `"main.py"`) {
		t.Errorf("python: %+v", r)
	}
}

// A server cannot write outside of the folder that it was asked for.
func TestSketchStaysInItsFolder(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []client.Program{
		{Name: "../out"}, {Name: ".."}, {Name: "."}, {Name: ""}, {Name: "a/b"}, {Name: `a\b`}, {Name: "/tmp"},
		{Name: "in", Files: []client.ProgramFile{{Name: "good.h", Text: "x"}, {Name: "../../out.h", Text: "x"}}},
		{Name: "in", Files: []client.ProgramFile{{Name: "/out.h", Text: "x"}}},
	} {
		if _, err := writeProgram(filepath.Join(dir, "here"), p, true); err == nil {
			t.Errorf("%+v was written", p)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v are there", left, err)
	}
}
