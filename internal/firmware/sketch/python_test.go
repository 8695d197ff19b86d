package sketch

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// server accepts TLS connections as "cloud.example.org", until the test ends. Its authority is new.
func server(t *testing.T) (ca *x509.Certificate, port int) {
	t.Helper()
	make1 := func(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
		if parent == nil {
			parent = template
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, to := time.Unix(0, 0), time.Unix(1<<33, 0)
	ca = make1(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: from, NotAfter: to, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, key, key)
	leaf := make1(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "x"}, NotBefore: from, NotAfter: to, DNSNames: []string{"cloud.example.org"}}, ca, key, key)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Unix(1<<33, 0))
			_ = c.(*tls.Conn).Handshake() // a client that refuses us is what one test wants
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return ca, l.Addr().(*net.TCPAddr).Port
}

// runPython runs main.py of a folder with the stand-in for the official client, which cannot be installed where these
// tests run, and returns what it printed on both outputs.
func runPython(t *testing.T, dir string) (out []byte, errs string, err error) {
	t.Helper()
	standin, err := filepath.Abs(filepath.Join("testdata", "python"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "python3", "-B", "-W", "error", "main.py")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+standin)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err = cmd.Output()
	return out, said.String(), err
}

// A generated program in Python is one, whatever its variables are called: it checks the server against its authority, proves itself by
// its secret, and tells the client of every property.
func TestPythonPrograms(t *testing.T) {
	all := append(hostileThing(), greenhouse()...)
	for i, typ := range thing.Types() {
		p := variable("of_"+strings.ToLower(typ.Name), typ.Name)
		if i%2 == 0 {
			p.Permission = thing.ReadWrite
		}
		if i%3 == 0 {
			p.Strategy, p.Parameter = thing.Timed, 30
		}
		all = append(all, p)
	}
	d := device.Device{ID: deviceID, Type: "generic_device_secretkey", HasSecret: true}
	spec := specOf(t, Query{}, &d, all)
	ca, port := server(t)
	spec.Place.CA, spec.Place.SecretPort = ca, port
	p := generate(t, spec)
	dir := folder(t, p)
	if _, errs, err := runPython(t, dir); err == nil || !strings.Contains(errs, "fill in SECRET_DEVICE_KEY") {
		t.Errorf("without its secret: %v, %s", err, errs)
	}
	secrets := strings.Replace(p.File("arduino_secrets.py").Text, `""`, `"the secret"`, 1)
	if err := os.WriteFile(filepath.Join(dir, "arduino_secrets.py"), []byte(secrets), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, err := runPython(t, dir)
	if err != nil {
		t.Fatalf("%v: %s", err, errs)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var got struct {
		Device   string `json:"device_id"`
		Username string
		Password string
		Server   string
		TLS      string
		Records  map[string][]any
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got.Device != deviceID || got.Username != deviceID || got.Password != "the secret" || got.Server != "cloud.example.org" || !strings.HasPrefix(got.TLS, "TLS") {
		t.Errorf("the client is told %+v", got)
	}
	for _, v := range all {
		record, there := got.Records[v.Variable]
		if there == free(v) {
			t.Errorf("%s of type %s is there: %t", v.Variable, v.Type.Name, there)
		}
		if !there {
			continue
		}
		_, whole := composites[v.Type.Kind]
		want := "on_read"
		switch {
		case v.Writable():
			want = "on_write"
		case whole:
			want = "on_run"
		}
		if hooks := record[0].([]any); len(hooks) != 1 || hooks[0] != want || v.Strategy == thing.Timed && !v.Writable() && record[1] != max(1, v.Parameter) {
			t.Errorf("%s: %v, want %s each %g s", v.Variable, record, want, v.Parameter)
		}
	}

	// With another authority it does not come in.
	spec.Place.CA = authority(t)
	p = generate(t, spec)
	if err := os.WriteFile(filepath.Join(dir, "thing_properties.py"), []byte(p.File("thing_properties.py").Text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := runPython(t, dir); err == nil || !strings.Contains(errs, "CERTIFICATE_VERIFY_FAILED") {
		t.Errorf("with another authority: %v, %s", err, errs)
	}

	// MicroPython cannot run here, but its programs are Python all the same.
	spec.Language = MicroPython
	dir = folder(t, generate(t, spec))
	if out, err := exec.CommandContext(t.Context(), "python3", "-W", "error", "-m", "py_compile", filepath.Join(dir, "main.py"), filepath.Join(dir, "thing_properties.py"), filepath.Join(dir, "arduino_secrets.py")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// A program in JavaScript is one, whatever its variables are called, and has a function for each.
func TestJavaScriptPrograms(t *testing.T) {
	all := append(hostileThing(), everyProperty()...)
	dir := folder(t, generate(t, specOf(t, Query{Language: "javascript"}, nil, all)))
	program := filepath.Join(dir, "check.js")
	text := `
const want = ` + string(wantedJS(t, all)) + `;
require("./thingProperties.js").start = async (key, program) => {
  const have = [...Object.keys(program.read).map((n) => [n, false]), ...Object.keys(program.changed).map((n) => [n, true])];
  for (const name of Object.keys(program.read)) program.read[name]();
  const sorted = (all) => JSON.stringify(all.map((x) => JSON.stringify(x)).sort());
  if (sorted(have) !== sorted(want)) throw new Error(sorted(have) + " is not " + sorted(want));
  console.log("ok");
};
require("./index.js");
`
	if err := os.WriteFile(program, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "node", program).CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "ok" {
		t.Errorf("%v: %s", err, out)
	}
}

func wantedJS(t *testing.T, all []thing.Property) []byte {
	t.Helper()
	var want [][2]any
	for _, v := range all {
		if !free(v) {
			want = append(want, [2]any{v.Variable, v.Writable()})
		}
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
