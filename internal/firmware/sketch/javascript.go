package sketch

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// jsFirst is what a program reports before anybody wrote how to measure.
var jsFirst = map[thing.Kind]string{
	thing.Bool: "false", thing.Int: "0", thing.Time: "0", thing.Float: "0", thing.Text: `""`,
	thing.Location: "{ lat: 0, lon: 0 }", thing.Color: "{ hue: 0, sat: 0, bri: 0 }", thing.DimmedLight: "{ swi: false, bri: 0 }",
	thing.ColoredLight: "{ swi: false, hue: 0, sat: 0, bri: 0 }", thing.Television: "{ swi: false, vol: 0, mut: false, pbc: 255, inp: 55, cha: 0 }",
	thing.Schedule: "{ frm: 0, to: 0, len: 0, msk: 0 }",
}

// javascript writes a program for the official client arduino-iot-js, of Node.js.
func javascript(p *Program, spec Spec) error {
	if _, err := netip.ParseAddr(spec.Place.Host); err == nil {
		return ErrHost
	}
	var have, without []thing.Property
	for _, v := range spec.Properties {
		if free(v) {
			without = append(without, v)
		} else {
			have = append(have, v)
		}
	}
	for _, v := range have {
		h := Hook{Name: "read[" + scriptString(v.Variable) + "]", In: "index.js"}
		if v.Writable() {
			h.Name = "changed[" + scriptString(v.Variable) + "]"
			h.Text = fmt.Sprintf("%s = (value) => {\n  console.log(%s, value);\n};\n", h.Name, scriptString(v.Variable))
		} else {
			h.Text = fmt.Sprintf("%s = () => {\n  return %s; // what you measure\n};\n", h.Name, jsFirst[v.Type.Kind])
		}
		p.Hooks = append(p.Hooks, h)
	}
	p.kept("index.js", jsMain(p.Hooks))
	p.generated("thingProperties.js", jsProperties(spec, have, without))
	p.kept("arduino_secrets.js", "// This file is yours: it is made once and never overwritten. Fill it in, and give it to nobody.\nmodule.exports = {\n  SECRET_DEVICE_KEY: \"\", // Secret key of the device\n};\n")
	p.kept("package.json", "{\n  \"name\": \"thing\",\n  \"private\": true,\n  \"scripts\": { \"start\": \"node index.js\" },\n  \"dependencies\": { \"arduino-iot-js\": \"0.13.0\" }\n}\n")
	if spec.Place.CA != nil {
		p.generated("ca.pem", "# "+header+"\n"+pemOf(spec.Place.CA))
	}
	p.generated("README.md", scriptReadme(p.Name, spec, without))
	return nil
}

func jsMain(hooks []Hook) string {
	var b strings.Builder
	b.WriteString(`// This file is yours: it is made once and never overwritten. Variables, device and server are
// in thingProperties.js, which is.
const { start } = require("./thingProperties.js");
const { SECRET_DEVICE_KEY } = require("./arduino_secrets.js");

const read = Object.create(null); // what this device reports
const changed = Object.create(null); // what the cloud writes
`)
	for _, h := range hooks {
		b.WriteString("\n" + h.Text)
	}
	b.WriteString(`
start(SECRET_DEVICE_KEY, { read, changed }).catch((error) => {
  console.error(error);
  process.exit(1);
});
`)
	return b.String()
}

func jsProperties(spec Spec, have, without []thing.Property) string {
	var b strings.Builder
	b.WriteString("// " + header + "\n")
	b.WriteString("const { spawn } = require(\"node:child_process\");\nconst path = require(\"node:path\");\n\n")
	fmt.Fprintf(&b, "// The client puts \"mqtts-up.\" before the host: that name must lead to the server, too.\nconst HOST = %s;\nconst PORT = %d;\nconst DEVICE_ID = %s;", scriptString(spec.Place.Host), spec.Place.SecretPort, scriptString(spec.Device))
	if spec.Device == "" {
		b.WriteString(" // no device is attached to the thing yet")
	}
	ca := "null"
	if spec.Place.CA != nil {
		ca = `path.join(__dirname, "ca.pem")`
	}
	fmt.Fprintf(&b, "\nconst CA = %s;\n\n// Seconds between two looks at a value, and the least change that is sent; 0 sends each.\nconst PROPERTIES = [\n", ca)
	for _, v := range have {
		every, least := 1, 0.0
		if v.Strategy == thing.Timed {
			every = seconds(v.Parameter)
		} else if numeric(v) {
			least = v.Parameter
		}
		fmt.Fprintf(&b, "  { name: %s, writable: %t, timed: %t, every: %d, least: %s },\n", scriptString(v.Variable), v.Writable(), v.Strategy == thing.Timed, every, strconv.FormatFloat(least, 'g', -1, 64))
	}
	for _, v := range without {
		fmt.Fprintf(&b, "  // Left out: %s, since the client has no form for %s.\n", comment(v.Variable), v.Type.Name)
	}
	b.WriteString(`];

// trust makes sure that this process trusts the server's authority. Node.js reads which ones to trust when it
// starts: a process that does not starts one that does, hands it its signals, and ends with it.
function trust() {
  return new Promise((resolve) => {
    if (CA === null || process.env.NODE_EXTRA_CA_CERTS === CA) return resolve();
    const again = spawn(process.execPath, [...process.execArgv, ...process.argv.slice(1)], {
      env: { ...process.env, NODE_EXTRA_CA_CERTS: CA },
      stdio: "inherit",
    });
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => again.kill(signal));
    again.on("exit", (code) => process.exit(code === null ? 1 : code));
  });
}

async function start(secretKey, program) {
  if (!secretKey) throw new Error("fill in SECRET_DEVICE_KEY in arduino_secrets.js");
  await trust();
  const { ArduinoIoTCloud } = require("arduino-iot-js");
  const client = await ArduinoIoTCloud.connect({ deviceId: DEVICE_ID, secretKey, host: HOST, port: PORT });
  for (const p of PROPERTIES) {
    if (p.writable) {
      client.onPropertyValue(p.name, (value) => program.changed[p.name](value));
      continue;
    }
    let last;
    const look = () => {
      const value = program.read[p.name]();
      const same = typeof value === "number" && typeof last === "number" ? value === last || Math.abs(value - last) < p.least : JSON.stringify(value) === JSON.stringify(last);
      if (!p.timed && same) return;
      last = value;
      Promise.resolve(client.sendProperty(p.name, value)).catch((error) => console.error(p.name, error));
    };
    look();
    setInterval(look, p.every * 1000);
  }
  return client;
}

module.exports = { start };
`)
	return b.String()
}

func scriptReadme(name string, spec Spec, without []thing.Property) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# %s\n\n", readmeMark, name)
	switch spec.Language {
	case Python:
		b.WriteString("A program in Python, for a device with a secret key.\n\n1. Fill in `arduino_secrets.py`.\n2. `pip install -r requirements.txt`\n3. `python3 main.py`\n")
	case MicroPython:
		b.WriteString("A program in MicroPython, for a board with a secret key.\n\n1. Fill in `arduino_secrets.py`.\n2. `mpremote mip install github:arduino/arduino-iot-cloud-py`\n3. `mpremote cp main.py thing_properties.py arduino_secrets.py :` and `mpremote reset`\n")
	case JavaScript:
		b.WriteString("A program for Node.js, for a device with a secret key.\n\n1. Fill in `arduino_secrets.js`.\n2. `npm install`\n3. `npm start`\n")
	}
	if spec.Device == "" {
		b.WriteString("\nNo device is attached to the thing yet: create one, attach it, and take the program again.\n")
	} else {
		b.WriteString("\nThe device's secret key was shown once, when it was made; a new one can be made at any time.\n")
	}
	fmt.Fprintf(&b, "\nThe program connects to `%s`, port %d.\n%s\n## Trust\n\n", spec.Place.Host, spec.Place.SecretPort, onlyHere(spec.Place.Host))
	switch {
	case spec.Place.CA == nil && spec.Language == MicroPython:
		b.WriteString("A public authority issued this server's certificate, and MicroPython knows none. Put that authority's root, in DER form, on the board as `ca.der`; without it the program does not connect.\n")
	case spec.Place.CA == nil:
		b.WriteString("A public authority issued this server's certificate; the program checks it against those that the system trusts.\n")
	case spec.Language == JavaScript:
		b.WriteString("`ca.pem` is this server's authority; the program checks the server's certificate against it. The client puts `mqtts-up.` before the server's name: your network must know that name, too.\n")
	default:
		b.WriteString("This server's authority is in `thing_properties.py`; the program checks the server's certificate against it (`ssl_params`), which the client does not do by itself.\n")
	}
	fmt.Fprintf(&b, "\n## Files\n\n%s are yours and never overwritten by `ardesiactl thing sketch`; all others are written anew, after a variable, the device or the server has changed.\n", map[Language]string{
		Python: "`main.py`, `arduino_secrets.py` and `requirements.txt`", MicroPython: "`main.py` and `arduino_secrets.py`", JavaScript: "`index.js`, `arduino_secrets.js` and `package.json`",
	}[spec.Language])
	for _, p := range without {
		fmt.Fprintf(&b, "\nThe variable `%s` is left out: the client has no class for values of the type %s.\n", p.Variable, p.Type.Name)
	}
	return b.String()
}
