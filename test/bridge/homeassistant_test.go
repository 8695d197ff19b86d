package bridge

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A guide is docs/integrations/homeassistant.md: what it has people type, and put into files.
type guide map[string][]string // blocks by their language

func readGuide(t *testing.T) guide {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "integrations", "homeassistant.md"))
	if err != nil {
		t.Fatal(err)
	}
	g := guide{}
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		g[m[1]] = append(g[m[1]], m[2])
	}
	if len(g["sh"]) != 3 || len(g["conf"]) != 2 {
		t.Fatalf("the guide has %d blocks of commands and %d of settings", len(g["sh"]), len(g["conf"]))
	}
	return g
}

// A mosquitto is the broker that people have, set up as the guide says.
type mosquitto struct {
	t    *testing.T
	dir  string
	port string
	ca   *x509.CertPool
	cmd  *exec.Cmd
	done chan struct{}
}

const homePassword = "what Home Assistant has"

func newMosquitto(t *testing.T, g guide) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, dir: t.TempDir(), ca: x509.NewCertPool()}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, m.port, _ = net.SplitHostPort(ln.Addr().String())
	if err := errors.Join(ln.Close(), os.MkdirAll(filepath.Join(m.dir, "certs"), 0o700)); err != nil {
		t.Fatal(err)
	}
	m.certify()
	m.write("access", g["conf"][0]+"user homeassistant\ntopic readwrite #\n")
	// It stays root where it is started as such, and keeps nothing on disk: when it is killed, all is lost.
	m.write("mosquitto.conf", m.here(strings.Replace(g["conf"][1], "listener 8883", "listener "+m.port+" 127.0.0.1", 1))+"user root\npersistence false\nlog_type error\nlog_type warning\n")
	m.write("passwords", "")
	if text, err := exec.Command("mosquitto_passwd", "-b", filepath.Join(m.dir, "passwords"), "homeassistant", homePassword).CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v: %s", err, text)
	}
	t.Cleanup(m.kill)
	return m
}

// here is a text of the guide with the paths of this broker.
func (m *mosquitto) here(text string) string {
	return strings.ReplaceAll(text, "/etc/mosquitto/", m.dir+"/")
}

func (m *mosquitto) write(name, text string) {
	m.t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// certify makes a CA, ca.pem, and the broker's certificate.
func (m *mosquitto) certify() {
	m.t.Helper()
	fail := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
	}
	keys := [2]*ecdsa.PrivateKey{}
	for i := range keys {
		var err error
		keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		fail(err)
	}
	base := x509.Certificate{NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true}
	ca, leaf := base, base
	ca.SerialNumber, ca.Subject, ca.IsCA, ca.KeyUsage = big.NewInt(1), pkix.Name{CommonName: "somebody's own CA"}, true, x509.KeyUsageCertSign
	leaf.SerialNumber, leaf.Subject, leaf.DNSNames, leaf.ExtKeyUsage = big.NewInt(2), pkix.Name{CommonName: "broker"}, []string{"localhost"}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	der, err := x509.CreateCertificate(rand.Reader, &ca, &ca, keys[0].Public(), keys[0])
	fail(err)
	m.write("ca.pem", block("CERTIFICATE", der))
	signer, err := x509.ParseCertificate(der)
	fail(err)
	m.ca.AddCert(signer)
	der, err = x509.CreateCertificate(rand.Reader, &leaf, signer, keys[1].Public(), keys[0])
	fail(err)
	m.write("certs/broker.pem", block("CERTIFICATE", der))
	der, err = x509.MarshalPKCS8PrivateKey(keys[1])
	fail(err)
	m.write("certs/broker.key", block("PRIVATE KEY", der))
}

// start starts it and waits until it listens.
func (m *mosquitto) start() {
	m.t.Helper()
	m.cmd, m.done = exec.Command("mosquitto", "-c", filepath.Join(m.dir, "mosquitto.conf")), make(chan struct{})
	m.cmd.Stdout, m.cmd.Stderr = m.t.Output(), m.t.Output()
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	cmd, done := m.cmd, m.done
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	happens(m.t, "that Mosquitto listens", func() bool {
		select {
		case <-m.done:
			m.t.Fatal("Mosquitto ended")
		default:
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+m.port)
		return err == nil && c.Close() == nil
	})
}

// kill ends it without goodbye.
func (m *mosquitto) kill() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		<-m.done
		m.cmd = nil
	}
}

// A homeAssistant is one as far as the broker sees it, by MQTT 3.1.1: it hears of what is discovered and of states, and remembers both.
type homeAssistant struct {
	t    *testing.T
	conn net.Conn

	mu   sync.Mutex
	has  map[string]string // guarded by mu: what was last said on a topic; nothing of what was taken back
	said map[string]int    // guarded by mu: how often, by topic
}

func (m *mosquitto) homeAssistant() *homeAssistant {
	m.t.Helper()
	conn, err := tls.Dial("tcp", "127.0.0.1:"+m.port, &tls.Config{RootCAs: m.ca, ServerName: "localhost", MinVersion: tls.VersionTLS12})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = conn.Close() })
	h := &homeAssistant{t: m.t, conn: conn, has: map[string]string{}, said: map[string]int{}}
	r := bufio.NewReader(conn)
	for _, p := range [][]byte{
		mqtttest.ConnectPacket(mqtttest.Options{ClientID: "home", Username: "homeassistant", Password: homePassword}, 4),
		mqtttest.SubscribePacket(1, 4, nil, mqtttest.Filter{Name: "homeassistant/device/+/config"}, mqtttest.Filter{Name: "ardesia/#"}),
	} {
		if _, err := conn.Write(p); err != nil {
			m.t.Fatal(err)
		}
	}
	answer, err := mqtttest.ReadPacket(r, 4)
	if err != nil || answer.Type != mqtttest.Connack || answer.Code != 0 {
		m.t.Fatalf("Home Assistant is answered %+v (%v)", answer, err)
	}
	go func() {
		for {
			p, err := mqtttest.ReadPacket(r, 4)
			if err != nil {
				return // the broker was killed, or the test has ended
			}
			if p.Type == mqtttest.Publish {
				h.hear(p.Topic, string(p.Payload))
			}
		}
	}()
	return h
}

func (h *homeAssistant) hear(topic, payload string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said[topic]++
	if payload == "" {
		delete(h.has, topic)
	} else {
		h.has[topic] = payload
	}
}

func (h *homeAssistant) at(topic string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.has[topic]
}

func (h *homeAssistant) times(topic string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.said[topic]
}

// topics are those of which it knows something.
func (h *homeAssistant) topics() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.has))
}

func (h *homeAssistant) sees(topic, payload string) {
	h.t.Helper()
	happens(h.t, topic+" "+payload, func() bool { return h.at(topic) == payload })
}

func (h *homeAssistant) say(topic, payload string) {
	h.t.Helper()
	if _, err := h.conn.Write(mqtttest.PublishPacket(4, topic, []byte(payload), 0, 0, false)); err != nil {
		h.t.Fatal(err)
	}
}

// happens waits until ok says true.
func happens(t *testing.T, what string, ok func() bool) {
	t.Helper()
	eventually(t, what, func() (bool, string) { return ok(), "it has not happened" })
}

// needed are the keys without which Home Assistant refuses an entity in a message of a whole device, by platform, from its
// documentation of MQTT discovery and of each platform; light is that of the JSON schema.
var needed = map[string][]string{
	"switch": {"command_topic"}, "binary_sensor": {"state_topic"}, "sensor": {"state_topic"}, "number": {"command_topic", "min", "max", "step"}, "text": {"command_topic"},
	"light": {"command_topic", "schema", "supported_color_modes"}, "device_tracker": {"json_attributes_topic"},
}

// understood reads a discovery message as Home Assistant does, and says its platforms by the names of entities.
func understood(t *testing.T, text string) map[string]string {
	t.Helper()
	var d struct {
		Device struct {
			Identifiers []string `json:"identifiers"`
			Name        string   `json:"name"`
		} `json:"device"`
		Origin struct {
			Name string `json:"name"`
			URL  string `json:"support_url"`
		} `json:"origin"`
		Components   map[string]map[string]any `json:"components"`
		Availability []struct {
			Topic string `json:"topic"`
		} `json:"availability"`
		Mode string `json:"availability_mode"`
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if len(d.Device.Identifiers) == 0 || d.Origin.Name == "" || !strings.HasPrefix(d.Origin.URL, "https://") || len(d.Components) == 0 || len(d.Availability) != 2 || d.Mode != "all" {
		t.Errorf("the message is not whole: %s", text)
	}
	platforms, ids := map[string]string{}, map[any]bool{}
	for key, c := range d.Components {
		p, _ := c["platform"].(string)
		keys, known := needed[p]
		for _, k := range append([]string{"unique_id", "name"}, keys...) {
			if _, there := c[k]; !there || !known {
				t.Errorf("the %s %s has no %s", p, key, k)
			}
		}
		if strings.ContainsAny(key, " /") || ids[c["unique_id"]] {
			t.Errorf("component %q, id %v", key, c["unique_id"])
		}
		ids[c["unique_id"]] = true
		platforms[fmt.Sprint(c["name"])] = p
	}
	return platforms
}

// A controller runs what the guide has people type.
type controller struct {
	t   *testing.T
	bin string
	env []string
}

func newController(t *testing.T, h *servertest.House, key servertest.Key) *controller {
	t.Helper()
	dir := t.TempDir()
	if _, err := servertest.Build(dir, "ardesiactl"); err != nil {
		t.Fatal(err)
	}
	c := &controller{t: t, bin: dir, env: []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + dir}}
	c.sh(fmt.Sprintf("echo %s | ardesiactl login %s --client-id %s --secret-stdin --no-keyring --ca %s", key.Secret, h.URL(), key.ID, h.CA()), "")
	return c
}

// sh runs lines of a shell and says what they say.
func (c *controller) sh(lines, password string) string {
	c.t.Helper()
	cmd := exec.Command("sh", "-ec", lines)
	cmd.Env = append(c.env, "PASSWORD="+password)
	text, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", lines, err, text)
	}
	return string(text)
}

// What the guide says, done: a person sets up the bridge at a Mosquitto with passwords, an access list and TLS, and what a Home Assistant finds
// there is what a board says and obeys; through a kill of the broker, a wrong password, and the end of a thing and of the bridge.
func TestHomeAssistantByTheGuide(t *testing.T) {
	g := readGuide(t)
	m := newMosquitto(t, g)
	h := servertest.Start(t, func(c *server.Config) { c.WebhookAllow, c.APIRate = []string{"127.0.0.0/8", "::1"}, -1 })
	_, key := h.Person("anna@example.org")
	api := h.Client(key)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := api.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	ctl := newController(t, h, key)
	const password = "what the bridge has"
	ctl.sh(m.here(g["sh"][0]), password)
	m.start()

	var dev client.Device
	do("PUT", "/iot/v2/devices", map[string]any{"name": "board", "type": "login_and_secretkey_wifi"}, &dev)
	do("PUT", "/iot/v2/devices/"+dev.ID+"/pass", map[string]any{"password": "a-secret-key-of-the-board"}, nil)
	var list []any
	for _, p := range [][3]string{{"relay", "HOME_SWITCH", "READ_WRITE"}, {"strip", "HOME_COLORED_LIGHT", "READ_WRITE"}, {"dimmer", "HOME_DIMMED_LIGHT", "READ_WRITE"}, {"target", "TEMPERATURE_C", "READ_WRITE"},
		{"water", "TEMPERATURE_C", "READ_ONLY"}, {"door", "HOME_CONTACT_SENSOR", "READ_ONLY"}, {"label", "CHARSTRING", "READ_WRITE"}, {"where", "LOCATION", "READ_ONLY"}, {"timer", "SCHEDULE", "READ_WRITE"}} {
		list = append(list, map[string]any{"name": p[0], "variable_name": p[0], "type": p[1], "permission": p[2], "update_strategy": "ON_CHANGE"})
	}
	var th, other client.Thing
	do("PUT", "/iot/v2/things", map[string]any{"name": "Pond", "device_id": dev.ID, "properties": list}, &th)
	do("PUT", "/iot/v2/things", map[string]any{"name": "Other", "properties": list[:1]}, &other)

	set := strings.NewReplacer("broker.example.org:8883", "localhost:"+m.port, "ca.pem", filepath.Join(m.dir, "ca.pem")).Replace(g["sh"][1])
	if said := ctl.sh(set, password); !strings.Contains(said, "connected") {
		t.Fatalf("the guide's commands say %s", said)
	}
	home := m.homeAssistant()
	config := "homeassistant/device/ardesia-" + th.ID + "/config"
	happens(t, "discovery", func() bool { return home.at(config) != "" })
	want := map[string]string{"relay": "switch", "strip": "light", "dimmer": "light", "target": "number", "water": "sensor", "door": "binary_sensor", "label": "text", "where": "device_tracker", "timer": "sensor"}
	if got := understood(t, home.at(config)); !maps.Equal(got, want) {
		t.Errorf("Home Assistant has %v", got)
	}
	at := "ardesia/" + th.ID
	home.sees(at+"/availability", "offline")

	// The board comes, says what it measures, and is told what Home Assistant sets.
	board := connectBoard(t, h, dev.ID, th.ID)
	home.sees(at+"/availability", "online")
	board.say(senml.Record{Name: "water", Kind: senml.Float, Num: 21.5}, senml.Record{Name: "door", Kind: senml.Bool, Int: 1})
	home.sees(at+"/water/state", "21.5")
	home.sees(at+"/door/state", "ON")
	home.say(at+"/relay/set", "ON")
	home.sees(at+"/relay/state", "ON")
	if r := board.told("relay"); r.Kind != senml.Bool || r.Int != 1 {
		t.Errorf("the board is told %+v", r)
	}
	home.say(at+"/target/set", "19.5")
	home.sees(at+"/target/state", "19.5")
	home.say(at+"/label/set", "hello")
	home.sees(at+"/label/state", `"hello"`)
	home.say(at+"/strip/set", `{"state":"ON","brightness":40,"color":{"h":200,"s":80}}`)
	home.sees(at+"/strip/state", `{"state":"ON","brightness":40,"color_mode":"hs","color":{"h":200,"s":80}}`)
	home.say(at+"/dimmer/set", `{"state":"ON"}`)
	home.sees(at+"/dimmer/state", `{"state":"ON","brightness":100,"color_mode":"brightness"}`)
	home.say(at+"/target/set", "warm")
	home.say(at+"/water/set", "3")
	state := func() client.HomeAssistantState {
		t.Helper()
		var b client.HomeAssistant
		do("GET", "/v1/integrations/homeassistant", nil, &b)
		return b.State
	}
	happens(t, "two refusals", func() bool { return state().CommandsRefused == 2 })
	if s := state(); s.CommandsTaken != 5 || s.Things != 2 || s.Entities != 10 || s.ConnectedSince == nil {
		t.Errorf("state %+v", s)
	}

	// Home Assistant starts anew and is told anew.
	before := home.times(config)
	home.say("homeassistant/status", "online")
	happens(t, "discovery after a birth", func() bool { return home.times(config) > before })

	// The broker is killed, with all that it kept; meanwhile the water gets warmer.
	m.kill()
	happens(t, "that the bridge knows", func() bool { return state().Status != "connected" })
	board.say(senml.Record{Name: "water", Kind: senml.Float, Num: 25})
	m.start()
	home = m.homeAssistant()
	home.sees(at+"/water/state", "25")
	home.sees(at+"/relay/state", "ON")
	home.sees(at+"/availability", "online")
	happens(t, "discovery once more", func() bool { return home.at(config) != "" })
	if got := understood(t, home.at(config)); !maps.Equal(got, want) {
		t.Errorf("after the kill Home Assistant has %v", got)
	}

	// A wrong password is told in words, and the right one mends it.
	if said := ctl.sh(set, "something else"); !strings.Contains(said, "does not take the user name or the password") {
		t.Errorf("with a wrong password the commands say %s", said)
	}
	if said := ctl.sh(set, password); !strings.Contains(said, "connected") {
		t.Errorf("with the right one they say %s", said)
	}

	// A topic that the broker does not let it write to is told, too.
	do("PUT", "/v1/integrations/homeassistant", map[string]any{"broker": "mqtts://localhost:" + m.port, "user": "ardesia", "password": password, "ca": m.read("ca.pem"), "topic_prefix": "elsewhere"}, nil)
	happens(t, "words about the access list", func() bool { return strings.Contains(state().LastError, "does not let this user") })
	ctl.sh(set, password)
	home.sees(at+"/water/state", "25")

	// What is erased disappears; and all of it with the bridge.
	do("DELETE", "/iot/v2/things/"+other.ID+"?force=true", nil, nil)
	happens(t, "that a thing is gone", func() bool {
		return !slices.ContainsFunc(home.topics(), func(topic string) bool { return strings.Contains(topic, other.ID) })
	})
	ctl.sh(g["sh"][2], "")
	happens(t, "that nothing is left", func() bool { return len(home.topics()) == 0 })
	again := m.homeAssistant()
	again.say("ardesia/x", "the broker has answered what was asked before")
	again.sees("ardesia/x", "the broker has answered what was asked before")
	if left := again.topics(); len(left) != 1 {
		t.Errorf("the broker keeps %v", left)
	}
}

func (m *mosquitto) read(name string) string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.dir, name))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// A pond is the board of a thing.
type pond struct {
	t     *testing.T
	conn  net.Conn
	thing string

	mu  sync.Mutex
	had map[string]senml.Record // guarded by mu: what it was told last, by variable
}

func connectBoard(t *testing.T, h *servertest.House, device, thing string) *pond {
	t.Helper()
	roots, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tls.Dial("tcp", h.At["mqtt-password"], mqtttest.BoardTLS(roots, "localhost"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	b := &pond{t: t, conn: conn, thing: thing, had: map[string]senml.Record{}}
	for _, p := range [][]byte{
		mqtttest.ConnectPacket(mqtttest.Options{ClientID: device, Username: device, Password: "a-secret-key-of-the-board"}, 4),
		mqtttest.SubscribePacket(1, 4, nil, mqtttest.Filter{Name: "/a/t/" + thing + "/e/i"}),
	} {
		if _, err := conn.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	r := bufio.NewReader(conn)
	for _, kind := range []byte{mqtttest.Connack, mqtttest.Suback} {
		if p, err := mqtttest.ReadPacket(r, 4); err != nil || p.Type != kind || p.Code != 0 {
			t.Fatalf("the board is answered %+v (%v)", p, err)
		}
	}
	go func() {
		for {
			p, err := mqtttest.ReadPacket(r, 4)
			if err != nil {
				return
			}
			records, err := senml.Decode(p.Payload)
			if p.Type != mqtttest.Publish || err != nil {
				continue
			}
			b.mu.Lock()
			for _, one := range records {
				b.had[one.Name] = one
			}
			b.mu.Unlock()
		}
	}()
	return b
}

func (b *pond) say(records ...senml.Record) {
	b.t.Helper()
	if _, err := b.conn.Write(mqtttest.PublishPacket(4, "/a/t/"+b.thing+"/e/o", senml.AppendBoard(nil, records), 0, 0, false)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *pond) told(variable string) (r senml.Record) {
	b.t.Helper()
	happens(b.t, "that the board is told of "+variable, func() (ok bool) {
		b.mu.Lock()
		defer b.mu.Unlock()
		r, ok = b.had[variable]
		return ok
	})
	return r
}
