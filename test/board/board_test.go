package board

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// An owner is a person with a key, and what they do over HTTP.
type owner struct {
	t   testing.TB
	h   *servertest.House
	api *client.Client
	key servertest.Key
}

func newOwner(t testing.TB, h *servertest.House, email string) owner {
	t.Helper()
	_, key := h.Person(email)
	return owner{t, h, h.Client(key), key}
}

func (o owner) do(method, path string, in, out any) {
	o.t.Helper()
	if err := o.api.Do(o.t.Context(), method, path, in, out); err != nil {
		o.t.Fatalf("%s %s: %v", method, path, err)
	}
}

const secretKey = "a-secret-key-of-the-board"

// device makes a device with a secret key.
func (o owner) device(name string) string {
	o.t.Helper()
	var d client.Device
	o.do("PUT", "/iot/v2/devices", map[string]any{"name": name, "type": "login_and_secretkey_wifi", "serial": ""}, &d)
	o.do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secretKey}, nil)
	return d.ID
}

// thing makes a thing of a device, or of none, whose properties are read-write.
// types are by their variable name.
func (o owner) thing(name, device string, types map[string]string) client.Thing {
	o.t.Helper()
	properties := []any{}
	for variable, typ := range types {
		properties = append(properties, map[string]any{"name": variable, "type": typ, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"})
	}
	var th client.Thing
	o.do("PUT", "/iot/v2/things", map[string]any{"name": name, "timezone": "Europe/Rome", "device_id": device, "properties": properties}, &th)
	return th
}

// publish writes a value to a device.
func (o owner) publish(th client.Thing, variable string, value any) {
	o.t.Helper()
	for _, p := range th.Properties {
		if p.Variable == variable {
			o.do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+p.ID+"/publish", map[string]any{"value": value}, nil)
			return
		}
	}
	o.t.Fatalf("the thing has no variable %s", variable)
}

// A certificate is what PUT …/certs answers.
type certificate struct {
	DER        []byte `json:"der"`
	Compressed struct {
		AKI       string `json:"authority_key_identifier"`
		NotAfter  string `json:"not_after"`
		NotBefore string `json:"not_before"`
		Serial    string `json:"serial"`
		X         string `json:"signature_asn1_x"`
		Y         string `json:"signature_asn1_y"`
	} `json:"compressed"`
}

// certify gets a certificate for a device, as a board with a secure element does.
func (o owner) certify(device string) (*ecdsa.PrivateKey, certificate) {
	o.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Fatal(err)
	}
	csr, err := boardcert.MakeCSR(rand.Reader, key, device)
	if err != nil {
		o.t.Fatal(err)
	}
	var c certificate
	o.do("PUT", "/iot/v2/devices/"+device+"/certs", map[string]any{"ca": "Arduino_v2", "csr": string(csr), "enabled": true}, &c)
	return key, c
}

func roots(t testing.TB, h *servertest.House) *x509.CertPool {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// A board is a connection of a device, with what came in by it.
type board struct {
	*mqtttest.Client
	t      testing.TB
	tap    *mqtttest.Tap
	device string
	id     uint16 // of the last SUBSCRIBE or PUBLISH
}

// dial opens a connection to a listener of the house.
func dial(t testing.TB, h *servertest.House, listener string, cfg *tls.Config) *board {
	t.Helper()
	raw, err := net.Dial("tcp", h.At[listener])
	if err != nil {
		t.Fatal(err)
	}
	tap := mqtttest.NewTap(raw, cfg.MinVersion == tls.VersionTLS13)
	conn := tls.Client(tap, cfg)
	t.Cleanup(func() { conn.Close() })
	return &board{Client: mqtttest.New(conn, 4), t: t, tap: tap}
}

// connect lets a device in by its secret key; with KeepAlive in seconds.
func connect(t testing.TB, h *servertest.House, device string, cfg *tls.Config, keepAlive uint16) *board {
	t.Helper()
	b := dial(t, h, "mqtt-password", cfg)
	b.device = device
	ack, err := b.Connect(mqtttest.Options{ClientID: device, Username: device, Password: secretKey, KeepAlive: keepAlive})
	if err != nil || ack.Code != 0 {
		t.Fatalf("CONNACK %d (%v)", ack.Code, err)
	}
	return b
}

// What the TLS of boards and of the Python client offers. Python checks nothing,
// and with a secure element it does not say which name it wants.
func boardTLS(t testing.TB, h *servertest.House, own ...tls.Certificate) *tls.Config {
	return mqtttest.BoardTLS(roots(t, h), "localhost", own...)
}

func pythonTLS(own ...tls.Certificate) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, Certificates: own}
}

// subscribe listens on one topic, as every client of ours does, and waits for SUBACK.
func (b *board) subscribe(topic string, qos byte) {
	b.t.Helper()
	b.id++
	ack, err := b.Subscribe(b.id, mqtttest.Filter{Name: topic, QoS: qos})
	if err != nil || len(ack.Codes) != 1 || ack.Codes[0] >= 0x80 {
		b.t.Fatalf("SUBACK of %s: %v (%v)", topic, ack.Codes, err)
	}
}

// say sends a message, at QoS 1 and acknowledged.
func (b *board) say(topic string, payload []byte) {
	b.t.Helper()
	b.id++
	if err := b.Publish(topic, payload, 1, b.id); err != nil {
		b.t.Fatal(err)
	}
	if ack, err := b.Expect(mqtttest.Puback); err != nil || ack.ID != b.id {
		b.t.Fatalf("PUBACK on %s: %d (%v)", topic, ack.ID, err)
	}
}

// tell sends a message at QoS 0, as boards do.
func (b *board) tell(topic string, payload []byte) {
	b.t.Helper()
	if err := b.Publish(topic, payload, 0, 0); err != nil {
		b.t.Fatal(err)
	}
}

// hear waits for the next packet, which must be a message on a topic.
func (b *board) hear(topic string) []byte {
	b.t.Helper()
	p, err := b.Expect(mqtttest.Publish)
	if err != nil || p.Topic != topic {
		b.t.Fatalf("came %q, want a message on %s (%v)", p.Topic, topic, err)
	}
	if p.QoS == 1 {
		if err := b.Ack(mqtttest.Puback, p.ID); err != nil {
			b.t.Fatal(err)
		}
	}
	return p.Payload
}

// records waits for a pack on a topic.
func (b *board) records(topic string) map[string]senml.Record {
	b.t.Helper()
	return unpack(b.t, b.hear(topic))
}

func unpack(t testing.TB, pack []byte) map[string]senml.Record {
	t.Helper()
	list, err := senml.Decode(pack)
	if err != nil {
		t.Fatalf("% x: %v", pack, err)
	}
	all := make(map[string]senml.Record, len(list))
	for _, r := range list {
		all[r.Name] = r
	}
	return all
}

// ask sends a command of generation 2 and waits for the answer.
func (b *board) ask(c command.Command) command.Command {
	b.t.Helper()
	b.command(c)
	return b.answer()
}

func (b *board) command(c command.Command) {
	b.t.Helper()
	text, err := command.Append(nil, c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.tell("/a/d/"+b.device+"/c/up", text)
}

func (b *board) answer() command.Command {
	b.t.Helper()
	text := b.hear("/a/d/" + b.device + "/c/dw")
	c, err := command.Decode(text)
	if err != nil {
		b.t.Fatalf("% x: %v", text, err)
	}
	return c
}

// silent says that nothing came before the answer to a ping.
func (b *board) silent() {
	b.t.Helper()
	if err := b.Write([]byte{mqtttest.Pingreq << 4, 0}); err != nil {
		b.t.Fatal(err)
	}
	if p, err := b.Read(); err != nil || p.Type != mqtttest.Pingresp {
		b.t.Fatalf("came type %d on %q: % x (%v), want nothing but PINGRESP", p.Type, p.Topic, p.Payload, err)
	}
}
