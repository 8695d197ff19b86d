package sketch

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/board"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

var update = flag.Bool("update", false, "write the goldens anew")

const deviceID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"

// authority reads the CA that goldens are written with. Its key was thrown away.
func authority(t testing.TB) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	ca, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func here(t testing.TB) Place {
	return Place{Host: "cloud.example.org", CertPort: 8885, SecretPort: 8884, CA: authority(t)}
}

// variable makes a property; what says more of it: rw, every=SECONDS or delta=N are set by the caller.
func variable(name, typ string, change ...func(*thing.Property)) thing.Property {
	p := thing.Property{Name: name, Variable: name, Type: thing.TypeOf(typ), Permission: thing.ReadOnly, Strategy: thing.OnChange}
	for _, c := range change {
		c(&p)
	}
	return p
}

func rw(p *thing.Property) { p.Permission = thing.ReadWrite }

func greenhouse() []thing.Property {
	return []thing.Property{
		variable("temperature", "TEMPERATURE", func(p *thing.Property) { p.Parameter, p.Name = 0.5, "Temperature at the door" }),
		variable("humidity", "PERCENTAGE_RELATIVE_HUMIDITY", func(p *thing.Property) { p.Strategy, p.Parameter = thing.Timed, 10 }),
		variable("lamp", "STATUS", rw),
		variable("grow_light", "HOME_COLORED_LIGHT", rw),
		variable("place", "LOCATION"),
		variable("message", "CHARSTRING", rw),
		variable("extra", "GENERIC_COMPLEX_PROPERTY"),
	}
}

// specOf is a spec as the service makes it.
func specOf(t testing.TB, q Query, d *device.Device, all []thing.Property) Spec {
	t.Helper()
	spec, err := specFor(q, d)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	spec.Thing, spec.Properties, spec.Place = "Green House 1", all, here(t)
	return spec
}

func generate(t testing.TB, spec Spec) Program {
	t.Helper()
	p, err := Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// One golden for each family of boards, and each language: what people get, to be read.
func TestGoldens(t *testing.T) {
	for name, c := range map[string]struct {
		q Query
		d device.Device
	}{
		"esp32":       {Query{}, device.Device{Type: "login_and_secretkey_wifi", FQBN: "esp32:esp32:esp32s3:PSRAM=enabled", HasSecret: true}},
		"esp8266":     {Query{}, device.Device{Type: "login_and_secretkey_wifi", FQBN: "esp8266:esp8266:d1_mini", HasSecret: true}},
		"bearssl":     {Query{}, device.Device{Type: "opta", ConnectionType: "eth"}},
		"mobile":      {Query{}, device.Device{Type: "mkrgsm1400"}},
		"pem":         {Query{}, device.Device{Type: "nicla_vision"}},
		"unor4":       {Query{}, device.Device{Type: "unor4wifi"}},
		"unor4secret": {Query{}, device.Device{Type: "unor4wifi", HasSecret: true}},
		"nina":        {Query{}, device.Device{Type: "nano_33_iot"}},
		"python":      {Query{}, device.Device{Type: "generic_device_secretkey", HasSecret: true}},
		"micropython": {Query{Language: "micropython"}, device.Device{Type: "nano_nora", HasSecret: true}},
		"javascript":  {Query{Language: "javascript"}, device.Device{Type: "generic_device_secretkey", HasSecret: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c.d.ID = deviceID
			p := generate(t, specOf(t, c.q, &c.d, greenhouse()))
			got := listing(p)
			path := filepath.Join("testdata", "golden", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is no longer what is written (go test -run TestGoldens -update, and read what changed):\n%s", path, got)
			}
		})
	}
}

func listing(p Program) string {
	var b strings.Builder
	for _, f := range p.Files {
		mark := ""
		if f.Keep {
			mark = " (kept)"
		}
		b.WriteString("===== " + p.Name + "/" + f.Name + mark + "\n" + f.Text)
	}
	return b.String()
}

// The authority that a board is told of is this server's: the bytes are parsed back.
func TestTrust(t *testing.T) {
	ca := authority(t)
	for _, b := range board.Boards() {
		if overLoRa(b.Type) || familyOf[b.Type] == noFamily {
			continue
		}
		p := generate(t, specOf(t, Query{Board: b.FQBN}, nil, greenhouse()))
		one, _ := boardBy(b.FQBN)
		want := [families]string{esp32: "build_opt.h", bearSSL: overlay + "BearSSLTrustAnchors.h", pemRoot: overlay + "AIoTCSSCert.h", unoR4: overlay + "AIoTCSSCert.h"}[one.family()]
		for _, f := range p.Files {
			if (f.Name == "build_opt.h" || strings.HasPrefix(f.Name, overlay)) != (f.Name == want) {
				t.Errorf("%s: the file %s, want only %q", b.FQBN, f.Name, want)
			}
			if !f.Keep && f.Name != "build_opt.h" && !strings.Contains(f.Text, Header) {
				t.Errorf("%s: %s does not say that it is generated", b.FQBN, f.Name)
			}
		}
		if want != "" && p.File(want) == nil {
			t.Errorf("%s has no %s", b.FQBN, want)
		}
		readme := p.File("README.md").Text
		if (want == "") == !strings.Contains(readme, "**") {
			t.Errorf("%s: an unmodified library does not check or not connect, and the README says nothing:\n%s", b.FQBN, readme)
		}
	}
	text, err := trustAnchors(ca)
	if err != nil {
		t.Fatal(err)
	}
	name, point := hexOf(t, text, "TA0_DN"), hexOf(t, text, "TA0_EC_Q")
	if !bytes.Equal(name, ca.RawSubject) {
		t.Errorf("the name is % x, want % x", name, ca.RawSubject)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil || !key.Equal(ca.PublicKey) {
		t.Errorf("the point is % x (%v), want that of the authority", point, err)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trustAnchors(selfSigned(t, other)); !errors.Is(err, ErrAuthority) {
		t.Errorf("an RSA authority: %v, want %v", err, ErrAuthority)
	}
}

func selfSigned(t *testing.T, key *rsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Unix(1<<33, 0), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// hexOf reads the bytes of an array in C.
func hexOf(t *testing.T, text, name string) []byte {
	t.Helper()
	body := regexp.MustCompile(name + `\[\] = \{([^}]*)\}`).FindStringSubmatch(text)
	if body == nil {
		t.Fatalf("no array %s in\n%s", name, text)
	}
	var all []byte
	for _, one := range regexp.MustCompile(`0x([0-9A-F]{2})`).FindAllStringSubmatch(body[1], -1) {
		n, ok := new(big.Int).SetString(one[1], 16)
		if !ok {
			t.Fatal(one[1])
		}
		all = append(all, byte(n.Int64()))
	}
	return all
}

// With a certificate of a public authority nothing is put in anybody's place, and the words are others.
func TestPublicAuthority(t *testing.T) {
	for _, d := range []device.Device{
		{Type: "login_and_secretkey_wifi", FQBN: "esp32:esp32:esp32"}, {Type: "opta"}, {Type: "nicla_vision"}, {Type: "unor4wifi"}, {Type: "unor4wifi", HasSecret: true}, {Type: "nano_33_iot"},
	} {
		spec := specOf(t, Query{}, &d, greenhouse())
		spec.Place.CA = nil
		p := generate(t, spec)
		for _, f := range p.Files {
			if f.Name == "build_opt.h" || strings.HasPrefix(f.Name, "overlay/") || strings.Contains(f.Text, "overlay/") {
				t.Errorf("%s: %s speaks of an authority that is not ours", d.Type, f.Name)
			}
		}
	}
	spec := specOf(t, Query{Language: "python"}, nil, greenhouse())
	spec.Place.CA = nil
	if text := generate(t, spec).File("thing_properties.py").Text; !strings.Contains(text, `SSL_PARAMS = {"verify_mode": ssl.CERT_REQUIRED, "server_hostname": HOST}`) {
		t.Errorf("the program does not check with whom it speaks:\n%s", text)
	}
	spec = specOf(t, Query{Language: "javascript"}, nil, greenhouse())
	spec.Place.CA = nil
	if p := generate(t, spec); p.File("ca.pem") != nil || !strings.Contains(p.File("thingProperties.js").Text, "const CA = null;") {
		t.Error("the program has an authority though a public one issued the certificate")
	}
	spec.Place.Host = "192.0.2.1"
	if _, err := Generate(spec); !errors.Is(err, ErrHost) {
		t.Errorf("JavaScript with an address: %v, want %v", err, ErrHost)
	}
}

func TestSpecFor(t *testing.T) {
	for name, c := range map[string]struct {
		q    Query
		d    *device.Device
		want error
		is   func(Spec) bool
	}{
		"nothing attached":               {Query{}, nil, ErrNoDevice, nil},
		"nothing attached, a board":      {Query{Board: "arduino:samd:nano_33_iot"}, nil, nil, func(s Spec) bool { return !s.Secret && s.Connection == "wifi" && s.Device == "" }},
		"nothing attached, a type":       {Query{Board: "nano_nora"}, nil, nil, func(s Spec) bool { return s.Secret && s.Board.FQBN == "arduino:esp32:nano_nora" }},
		"any ESP32 board":                {Query{Board: "esp32:esp32:lolin_s3"}, nil, nil, func(s Spec) bool { return s.Board.family() == esp32 }},
		"any ESP8266 board":              {Query{Board: "esp8266:esp8266:espino"}, nil, nil, func(s Spec) bool { return s.Board.family() == esp8266 && s.Secret }},
		"no such board":                  {Query{Board: "arduino:avr:uno"}, nil, ErrBoard, nil},
		"a board that would break out":   {Query{Board: "esp32:esp32:x\nprofiles: evil"}, nil, ErrBoard, nil},
		"a board with strange options":   {Query{Board: "esp32:esp32:esp32:a=b,c"}, nil, ErrBoard, nil},
		"another board than attached":    {Query{Board: "arduino:samd:nano_33_iot"}, &device.Device{Type: "opta"}, ErrOtherBoard, nil},
		"the same type, more exactly":    {Query{Board: "esp8266:esp8266:d1_mini"}, &device.Device{Type: "login_and_secretkey_wifi"}, nil, func(s Spec) bool { return s.Board.family() == esp8266 }},
		"an FQBN that is none":           {Query{}, &device.Device{Type: "opta", FQBN: "\"; evil: `"}, nil, func(s Spec) bool { return s.Board.FQBN == "arduino:mbed_opta:opta" }},
		"an FQBN of another type":        {Query{}, &device.Device{Type: "opta", FQBN: "arduino:samd:nano_33_iot"}, nil, func(s Spec) bool { return s.Board.Type == "opta" }},
		"no connection":                  {Query{}, &device.Device{Type: "envie_m7"}, nil, func(s Spec) bool { return s.Connection == "wifi" }},
		"its own connection":             {Query{}, &device.Device{Type: "envie_m7", ConnectionType: "catm1"}, nil, func(s Spec) bool { return s.Connection == "catm1" }},
		"a connection of other boards":   {Query{}, &device.Device{Type: "mkr1000", ConnectionType: "gsm"}, ErrConnection, nil},
		"wifi of an ESP32":               {Query{}, &device.Device{Type: "nano_nora", ConnectionType: "wifi"}, nil, func(s Spec) bool { return s.Connection == "wifiandsecret" }},
		"LoRa on a board":                {Query{}, &device.Device{Type: "envie_m7", ConnectionType: "lora"}, ErrLoRa, nil},
		"a LoRa board":                   {Query{}, &device.Device{Type: "mkrwan1310"}, ErrLoRa, nil},
		"a LoRa board, none attached":    {Query{Board: "arduino:samd:mkrwan1300"}, nil, ErrLoRa, nil},
		"a LoRa device in Python":        {Query{Language: "python"}, &device.Device{Type: "lora-device"}, ErrLoRa, nil},
		"a phone":                        {Query{}, &device.Device{Type: "phone"}, ErrNoProgram, nil},
		"a phone in Python":              {Query{Language: "python"}, &device.Device{Type: "phone"}, ErrNoProgram, nil},
		"a computer":                     {Query{}, &device.Device{Type: "generic_device_secretkey"}, nil, func(s Spec) bool { return s.Language == Python && s.Secret }},
		"a board with Linux":             {Query{}, &device.Device{Type: "portenta_x8"}, nil, func(s Spec) bool { return s.Language == Python }},
		"a computer in C++":              {Query{Language: "cpp"}, &device.Device{Type: "generic_device_secretkey"}, ErrNoSketch, nil},
		"a board with Linux in C++":      {Query{Language: "cpp"}, &device.Device{Type: "unoq"}, ErrNoSketch, nil},
		"no such language":               {Query{Language: "Python"}, &device.Device{Type: "opta"}, ErrLanguage, nil},
		"Python with a certificate":      {Query{Language: "python"}, &device.Device{Type: "opta"}, ErrCertificate, nil},
		"Python with a secret key":       {Query{Language: "python"}, &device.Device{Type: "opta", HasSecret: true}, nil, func(s Spec) bool { return s.Secret }},
		"Python, nothing attached":       {Query{Language: "python"}, nil, nil, func(s Spec) bool { return s.Device == "" && s.Secret }},
		"Python, another board":          {Query{Language: "python", Board: "opta"}, &device.Device{Type: "giga"}, ErrOtherBoard, nil},
		"a certificate board, two ways":  {Query{}, &device.Device{Type: "opta", HasSecret: true}, nil, func(s Spec) bool { return !s.Secret }},
		"an UNO R4 with a secret key":    {Query{}, &device.Device{Type: "unor4wifi", HasSecret: true}, nil, func(s Spec) bool { return s.Secret }},
		"an UNO R4 without a secret key": {Query{}, &device.Device{Type: "unor4wifi"}, nil, func(s Spec) bool { return !s.Secret }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := specFor(c.q, c.d)
			if !errors.Is(err, c.want) || err != nil && c.want == nil {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if err == nil && c.is != nil && !c.is(got) {
				t.Errorf("%+v", got)
			}
			if err != nil && !strings.HasSuffix(problem.Of(err).Detail, ".") {
				t.Errorf("%q is no sentence", err)
			}
		})
	}
}

// Every type of device has a program in some language, or words why not.
func TestEveryDevice(t *testing.T) {
	for _, k := range device.Kinds {
		d := device.Device{ID: deviceID, Type: k.Type, HasSecret: true}
		spec, err := specFor(Query{}, &d)
		if err == nil {
			spec.Thing, spec.Place = "T", here(t)
			_, err = Generate(spec)
		}
		if err != nil && !errors.Is(err, ErrLoRa) && !errors.Is(err, ErrNoProgram) {
			t.Errorf("%s: %v", k.Type, err)
		}
	}
}

func TestFolderName(t *testing.T) {
	for name, want := range map[string]string{
		"Greenhouse": "Greenhouse", "Green House 1": "Green_House_1", "-dash": "_dash", ".hidden": "_hidden", "a.": "a_", "con": "_con", "COM1.x": "_COM1.x", "": "Sketch", "..": "__",
		"../../etc/passwd": "_.__.._etc_passwd", strings.Repeat("x", 64): strings.Repeat("x", 63), "città": "citt__",
	} {
		if got := folderName(name); got != want && name != "../../etc/passwd" || !folderForm.MatchString(got) {
			t.Errorf("folderName(%q) = %q, want %q", name, got, want)
		}
	}
}

// folderForm is what Arduino's tools take (sketch specification).
var folderForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,61}[A-Za-z0-9_-]?$`)

// The same program is the same bytes, in a folder of its name, with nothing outside of it.
func TestZip(t *testing.T) {
	p := generate(t, specOf(t, Query{Board: "opta"}, nil, greenhouse()))
	first, err := p.Zip()
	if err != nil {
		t.Fatal(err)
	}
	again, err := p.Zip()
	if err != nil || sha256.Sum256(first) != sha256.Sum256(again) {
		t.Errorf("two zips of a program differ (%v)", err)
	}
	r, err := zip.NewReader(bytes.NewReader(first), int64(len(first)))
	if err != nil || len(r.File) != len(p.Files) {
		t.Fatalf("%d files, %v, want %d", len(r.File), err, len(p.Files))
	}
	for i, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil || f.Name != "Green_House_1/"+p.Files[i].Name || string(text) != p.Files[i].Text {
			t.Errorf("%s, %v, want %s as it is", f.Name, err, p.Files[i].Name)
		}
	}
}

// What tools read is what they can read.
func TestProjectFiles(t *testing.T) {
	for _, b := range board.Boards() {
		one, known := boardBy(b.FQBN)
		if !known || one.family() == noFamily || overLoRa(one.Type) {
			continue
		}
		var project struct {
			FQBN     string `yaml:"default_fqbn"`
			Profiles map[string]struct {
				FQBN      string
				Platforms []map[string]string
				Libraries []string
			}
		}
		if err := yaml.Unmarshal([]byte(sketchYAML(one)), &project); err != nil {
			t.Fatal(err)
		}
		mine := project.Profiles["ardesia"]
		if project.FQBN != b.FQBN || mine.FQBN != b.FQBN || len(mine.Platforms) != 1 || !strings.HasPrefix(mine.Platforms[0]["platform"], b.Package+" (") || cores[b.Package].version == "" {
			t.Errorf("%s: %+v", b.FQBN, project)
		}
		if !slices.Contains(mine.Libraries, "ArduinoIoTCloud (2.9.3)") {
			t.Errorf("%s: libraries %v", b.FQBN, mine.Libraries)
		}
		var old struct{ CPU struct{ FQBN string } }
		if err := json.Unmarshal([]byte(sketchJSON(one)), &old); err != nil || old.CPU.FQBN != b.FQBN {
			t.Errorf("%s: %+v, %v", b.FQBN, old, err)
		}
	}
}

// No secret, nor a field that is filled in, is in any file.
func TestSecretsAreEmpty(t *testing.T) {
	field := regexp.MustCompile(`(?m)(?:#define SECRET_\w+ |^\s*SECRET_\w+ ?[=:] ?)(\S+?),?(?:\s|$)`)
	found := 0
	for _, q := range []Query{{Board: "esp32:esp32:esp32"}, {Board: "opta"}, {Board: "mkrgsm1400"}, {Board: "unor4wifi"}, {Language: "python"}, {Language: "micropython"}, {Language: "javascript"}} {
		for _, f := range generate(t, specOf(t, q, nil, greenhouse())).Files {
			for _, m := range field.FindAllStringSubmatch(f.Text, -1) {
				if found++; m[1] != `""` {
					t.Errorf("%+v: %s has %q", q, f.Name, m[0])
				}
			}
		}
	}
	if found < 12 {
		t.Errorf("only %d fields were found: this test looks in the wrong place", found)
	}
}

// Python reads the authority back.
func TestAuthorityOfScripts(t *testing.T) {
	ca := authority(t)
	text := generate(t, specOf(t, Query{Language: "python"}, nil, greenhouse())).File("thing_properties.py").Text
	var joined strings.Builder
	for _, m := range regexp.MustCompile(`(?m)^    "([A-Za-z0-9+/=]+)"$`).FindAllStringSubmatch(text, -1) {
		joined.WriteString(m[1])
	}
	if der, err := base64.StdEncoding.DecodeString(joined.String()); err != nil || !bytes.Equal(der, ca.Raw) {
		t.Errorf("%v: the authority is not that of the server", err)
	}
	text = generate(t, specOf(t, Query{Language: "javascript"}, nil, greenhouse())).File("ca.pem").Text
	if block, _ := pem.Decode([]byte(text)); block == nil || !bytes.Equal(block.Bytes, ca.Raw) {
		t.Error("ca.pem is not the server's authority")
	}
}
