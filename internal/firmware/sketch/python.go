package sketch

import (
	"fmt"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A composite is a kind with attributes: the class that the official Python client has for it, and what a
// program starts with.
type composite struct {
	class string
	attrs [][2]string // name, first value
}

var composites = map[thing.Kind]composite{
	thing.Location:     {"Location", [][2]string{{"lat", "0.0"}, {"lon", "0.0"}}},
	thing.Color:        {"Color", [][2]string{{"hue", "0.0"}, {"sat", "0.0"}, {"bri", "0.0"}}},
	thing.DimmedLight:  {"DimmedLight", [][2]string{{"swi", "False"}, {"bri", "0.0"}}},
	thing.ColoredLight: {"ColoredLight", [][2]string{{"swi", "False"}, {"hue", "0.0"}, {"sat", "0.0"}, {"bri", "0.0"}}},
	thing.Television:   {"Television", [][2]string{{"swi", "False"}, {"vol", "0"}, {"mut", "False"}, {"pbc", "255"}, {"inp", "55"}, {"cha", "0"}}},
	thing.Schedule:     {"Schedule", [][2]string{{"frm", "0"}, {"to", "0"}, {"len", "0"}, {"msk", "0"}}},
}

// first is what a program in Python reports before anybody wrote how to measure.
var first = map[thing.Kind]string{thing.Bool: "False", thing.Int: "0", thing.Time: "0", thing.Float: "0.0", thing.Text: `""`}

// python writes a program for the official Python client (arduino-iot-cloud-py), of CPython or MicroPython.
func python(p *Program, spec Spec) {
	var have, without []thing.Property
	for _, v := range spec.Properties {
		if free(v) {
			without = append(without, v)
		} else {
			have = append(have, v)
		}
	}
	micro := spec.Language == MicroPython
	p.Hooks = pythonHooks(have)
	p.kept("main.py", pythonMain(p.Hooks, micro))
	p.generated("thing_properties.py", pythonProperties(spec, have, without))
	p.kept("arduino_secrets.py", pythonSecrets(micro))
	if !micro {
		p.kept("requirements.txt", "arduino-iot-cloud>=1.4.1\n")
	}
	p.generated("README.md", scriptReadme(p.Name, spec, without))
}

// pythonHook is the name of the function that belongs to a property: variable names are identifiers, and no word
// of the language begins like this.
func pythonHook(v thing.Property) string {
	switch _, whole := composites[v.Type.Kind]; {
	case v.Writable():
		return "on_" + v.Variable + "_change"
	case whole:
		return "update_" + v.Variable
	}
	return "read_" + v.Variable
}

func pythonHooks(have []thing.Property) []Hook {
	var all []Hook
	for _, v := range have {
		h := Hook{Name: pythonHook(v), In: "main.py"}
		c, whole := composites[v.Type.Kind]
		switch {
		case v.Writable():
			h.Text = fmt.Sprintf("def %s(client, value):\n    # The cloud has changed %s.\n    print(%s, value)\n", h.Name, v.Variable, scriptString(v.Variable))
		case whole:
			h.Text = fmt.Sprintf("def %s(client):\n    # Set what you measure of %s.\n    client[%s].%s = %s\n", h.Name, v.Variable, scriptString(v.Variable), c.attrs[0][0], c.attrs[0][1])
		default:
			h.Text = fmt.Sprintf("def %s(client):\n    # Return what you measure as %s.\n    return %s\n", h.Name, v.Variable, first[v.Type.Kind])
		}
		all = append(all, h)
	}
	return all
}

func pythonMain(hooks []Hook, micro bool) string {
	var b strings.Builder
	b.WriteString("# This file is yours: it is made once and never overwritten. Variables, device and server are\n# in thing_properties.py, which is.\n")
	if micro {
		b.WriteString("import network\nimport time\n\n")
	}
	b.WriteString("from arduino_secrets import ")
	if micro {
		b.WriteString("SECRET_SSID, SECRET_OPTIONAL_PASS, ")
	}
	b.WriteString("SECRET_DEVICE_KEY\nfrom thing_properties import init_properties, make_client\n")
	for _, h := range hooks {
		b.WriteString("\n\n" + h.Text)
	}
	if micro {
		b.WriteString(`

def connect_wifi():
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    wlan.connect(SECRET_SSID, SECRET_OPTIONAL_PASS)
    while not wlan.isconnected():
        time.sleep_ms(500)
`)
	}
	b.WriteString("\n\nif __name__ == \"__main__\":\n")
	if micro {
		b.WriteString("    connect_wifi()\n")
	}
	b.WriteString("    client = make_client(SECRET_DEVICE_KEY)\n    init_properties(client, globals())\n    client.start()\n")
	return b.String()
}

func pythonProperties(spec Spec, have, without []thing.Property) string {
	var b strings.Builder
	b.WriteString("# " + header + "\n")
	if spec.Place.CA != nil {
		b.WriteString("import binascii\n")
	}
	b.WriteString("import ssl\n\n")
	imports := []string{"ArduinoCloudClient"}
	seen := map[string]bool{}
	for _, v := range have {
		if c, whole := composites[v.Type.Kind]; whole && !seen[c.class] {
			seen[c.class] = true
			imports = append(imports, c.class)
		}
	}
	fmt.Fprintf(&b, "from arduino_iot_cloud import %s\n\n", strings.Join(imports, ", "))
	fmt.Fprintf(&b, "HOST = %s\nPORT = %d\nDEVICE_ID = %s", scriptString(spec.Place.Host), spec.Place.SecretPort, scriptString(spec.Device))
	if spec.Device == "" {
		b.WriteString("  # no device is attached to the thing yet")
	}
	b.WriteString("\n\n# The client checks with whom it speaks only when it is told to.\n")
	switch {
	case spec.Place.CA != nil:
		b.WriteString("CA = binascii.a2b_base64(\n")
		for _, line := range base64Lines(spec.Place.CA.Raw) {
			fmt.Fprintf(&b, "    \"%s\"\n", line)
		}
		b.WriteString(")\nSSL_PARAMS = {\"cadata\": CA, \"verify_mode\": ssl.CERT_REQUIRED, \"server_hostname\": HOST}\n")
	case spec.Language == MicroPython: // has no authorities of its own
		b.WriteString("SSL_PARAMS = {\"cafile\": \"ca.der\", \"verify_mode\": ssl.CERT_REQUIRED, \"server_hostname\": HOST}\n")
	default:
		b.WriteString("SSL_PARAMS = {\"verify_mode\": ssl.CERT_REQUIRED, \"server_hostname\": HOST}\n")
	}
	b.WriteString(`

def make_client(secret_key):
    if not secret_key:
        raise ValueError("fill in SECRET_DEVICE_KEY in arduino_secrets.py")
    return ArduinoCloudClient(
        device_id=DEVICE_ID, username=DEVICE_ID, password=secret_key, server=HOST, port=PORT, ssl_params=SSL_PARAMS
    )


def init_properties(client, program):
    # program has the functions by their names: globals() of main.py.
`)
	for _, v := range have {
		b.WriteString("    " + pythonRegister(v) + "\n")
	}
	for _, v := range without {
		fmt.Fprintf(&b, "    # Left out: %s, since the client has no class for %s.\n", comment(v.Variable), v.Type.Name)
	}
	if len(have) == 0 {
		b.WriteString("    pass  # the thing has no variables\n")
	}
	return b.String()
}

// pythonRegister is the statement that tells the client of a property. It looks each interval whether a value has
// changed; there is no least change.
func pythonRegister(v thing.Property) string {
	interval := "1.0"
	if v.Strategy == thing.Timed {
		interval = fmt.Sprintf("%d.0", seconds(v.Parameter))
	}
	hook := scriptString(pythonHook(v))
	c, whole := composites[v.Type.Kind]
	switch {
	case whole && v.Writable(): // its first value comes from the cloud
		return fmt.Sprintf("client.register(%s(%s, on_write=program[%s]))", c.class, scriptString(v.Variable), hook)
	case whole:
		var attrs strings.Builder
		for _, a := range c.attrs {
			fmt.Fprintf(&attrs, "%s=%s, ", a[0], a[1])
		}
		return fmt.Sprintf("client.register(%s(%s, %son_run=program[%s], interval=%s))", c.class, scriptString(v.Variable), attrs.String(), hook, interval)
	case v.Writable():
		return fmt.Sprintf("client.register(%s, value=None, on_write=program[%s])", scriptString(v.Variable), hook)
	}
	return fmt.Sprintf("client.register(%s, value=None, on_read=program[%s], interval=%s)", scriptString(v.Variable), hook, interval)
}

func pythonSecrets(micro bool) string {
	text := "# This file is yours: it is made once and never overwritten. Fill it in, and give it to nobody.\n"
	if micro {
		text += "SECRET_SSID = \"\"  # Wi-Fi name\nSECRET_OPTIONAL_PASS = \"\"  # Wi-Fi password, may stay empty\n"
	}
	return text + "SECRET_DEVICE_KEY = \"\"  # Secret key of the device\n"
}
