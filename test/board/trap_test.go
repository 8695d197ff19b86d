package board

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// The tests in this file are the ten traps of the device-protocol reference, section
// 0, on the whole way from the API to the socket of a board. Rooms have tests of
// the same names for what is theirs.

// A board asks for last values for ever, and publishes nothing, while its local time is missing or past.
func TestTrap01LastValuesTellTheLocalTime(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	th := o.thing("Greenhouse", id, map[string]string{"lamp": "STATUS"})
	in := "/a/t/" + th.ID
	offset := func(name string, pack map[string]senml.Record, zone string) {
		t.Helper()
		place, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		_, want := now.In(place).Zone()
		east, until := pack["tz_offset"], pack["tz_dst_until"]
		if east.Kind != senml.Int || east.Int != int64(want) || until.Kind != senml.Int || until.Int <= now.Unix() || until.Int >= 1<<32 {
			t.Errorf("%s: offset %+v until %+v, want %d until some time ahead", name, east, until, want)
		}
	}

	second := connect(t, h, id, boardTLS(t, h), 30)
	second.subscribe("/a/d/"+id+"/c/dw", 0)
	if got := second.ask(command.ThingBegin{}); got != (command.ThingUpdate{ThingID: th.ID}) {
		t.Fatalf("ThingBegin was answered with %#v", got)
	}
	second.subscribe(in+"/e/i", 0)
	for _, zone := range []string{"Europe/Rome", "UTC", "Asia/Kolkata", "America/New_York"} {
		if zone != "Europe/Rome" {
			o.do("POST", "/iot/v2/things/"+th.ID, map[string]any{"timezone": zone}, nil)
			offset("told of "+zone, second.records(in+"/e/i"), zone)
		}
		values, ok := second.ask(command.LastValuesBegin{}).(command.LastValuesUpdate)
		if !ok {
			t.Fatal("LastValuesBegin was answered with another command")
		}
		offset("LastValuesUpdate in "+zone, unpack(t, values.Pack), zone)
	}

	first := connect(t, h, id, pythonTLS(), 10) // takes the other's place
	first.subscribe(in+"/shadow/i", 1)
	first.tell(in+"/shadow/o", []byte(senml.LastValuesRequest))
	offset("shadow", first.records(in+"/shadow/i"), "America/New_York")
}

// Python asks its socket, not OpenSSL, whether something is there.
func TestTrap02OnePacketPerRecord(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	th := o.thing("Greenhouse", id, map[string]string{"lamp": "STATUS", "level": "INT"})
	for name, cfg := range map[string]*tls.Config{"Python": pythonTLS(), "board": boardTLS(t, h)} {
		t.Run(name, func(t *testing.T) {
			b := connect(t, h, id, cfg, 10)
			b.tap.Records()
			b.subscribe("/a/d/"+id+"/e/i", 1)
			pack := b.hear("/a/d/" + id + "/e/i")
			publish := 2 + 2 + len("/a/d/"+id+"/e/i") + 2 + len(pack)
			if got := b.tap.Records(); !slices.Equal(got, []int{5, publish}) {
				t.Errorf("SUBACK and thing_id came in records of %v bytes, want 5 and %d", got, publish)
			}
			b.subscribe("/a/t/"+th.ID+"/e/i", 0)
			b.tap.Records()
			for range 10 {
				o.publish(th, "lamp", true)
				o.publish(th, "level", 5)
			}
			for range 20 {
				b.hear("/a/t/" + th.ID + "/e/i")
			}
			if got := b.tap.Records(); len(got) != 20 {
				t.Errorf("20 messages came in %d records: %v", len(got), got)
			}
		})
	}
}

// Most boards have a buffer of 8 KB for a record, on every listener.
func TestTrap03RecordsAtMost4096(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	types := map[string]string{}
	for i := range 40 {
		types[fmt.Sprintf("text%d", i)] = "CHARSTRING"
	}
	th := o.thing("Library", id, types)
	for variable := range types {
		o.publish(th, variable, strings.Repeat(variable, 40))
	}
	short := func(name string, tap *mqtttest.Tap) {
		t.Helper()
		if got := tap.Records(); len(got) == 0 || slices.Max(got) > 4096 {
			t.Errorf("%s came in records of %v bytes", name, got)
		}
	}

	b := connect(t, h, id, boardTLS(t, h), 30)
	b.subscribe("/a/d/"+id+"/c/dw", 0)
	values, ok := b.ask(command.LastValuesBegin{}).(command.LastValuesUpdate)
	if !ok || len(values.Pack) < 3000 {
		t.Fatalf("last values are %d bytes", len(values.Pack))
	}
	short("last values", b.tap)

	// What a board downloads comes by HTTPS, with the same TLS.
	raw, err := net.Dial("tcp", h.At["https"])
	if err != nil {
		t.Fatal(err)
	}
	tap := mqtttest.NewTap(raw, false)
	web := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return tls.Client(tap, boardTLS(t, h)), nil
	}}, Timeout: 30 * time.Second}
	token, err := o.api.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://localhost/iot/v2/things/"+th.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if text, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK || len(text) < 10_000 {
		t.Fatalf("GET thing = %d, %d bytes (%v)", answer.StatusCode, len(text), err)
	}
	short("an answer over HTTPS", tap)
}

// Python without a thing never pings, and an empty thing_id makes it wait for ever.
func TestTrap04SilentClientIsNotTimedOut(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	silent, talking := o.device("silent"), o.device("talking")
	python := connect(t, h, silent, pythonTLS(), 1)
	python.subscribe("/a/d/"+silent+"/e/i", 1)
	// One that has published is timed out by the same keep-alive; it began later.
	other := connect(t, h, talking, boardTLS(t, h), 1)
	other.say("/a/d/"+talking+"/c/up", []byte{0x80})
	if p, err := other.Read(); err == nil {
		t.Fatalf("a silent board got type %d on %q, want the end of its connection", p.Type, p.Topic)
	}
	th := o.thing("Greenhouse", silent, map[string]string{"lamp": "STATUS"})
	got := python.records("/a/d/" + silent + "/e/i")
	if len(got) != 1 || got["thing_id"].Text != th.ID {
		t.Errorf("the first message after a silence of more than its keep-alive is %v, want its thing and nothing else", got)
	}
}

// The Python client's task dies of a refused subscription, and of a link that ends
// between CONNACK and SUBACK.
func TestTrap05RefuseAtConnack(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id, foreign := o.device("board"), o.device("another")
	own, others := o.thing("Own", id, map[string]string{"lamp": "STATUS"}), o.thing("Others", foreign, map[string]string{"lamp": "STATUS"})
	for name, c := range map[string]mqtttest.Options{
		"a wrong secret":          {ClientID: id, Username: id, Password: "not-the-secret-key"},
		"no secret":               {ClientID: id},
		"another client id":       {ClientID: foreign, Username: id, Password: secretKey},
		"an unknown device":       {ClientID: "6ba7b810-9dad-41d1-80b4-00c04fd430c8", Username: "6ba7b810-9dad-41d1-80b4-00c04fd430c8", Password: secretKey},
		"something that is no id": {ClientID: "board", Username: "board", Password: secretKey},
	} {
		t.Run(name, func(t *testing.T) {
			if ack, err := dial(t, h, "mqtt-password", pythonTLS()).Connect(c); err != nil || ack.Code == 0 {
				t.Errorf("CONNACK %d (%v), want a refusal", ack.Code, err)
			}
		})
	}
	b := connect(t, h, id, pythonTLS(), 10)
	for _, topic := range []string{"/a/t/" + others.ID + "/e/i", "/a/t/" + others.ID + "/shadow/i", "/a/d/" + foreign + "/e/i", "/a/d/" + foreign + "/c/dw", "/a/t//e/i", "#", "/a/t/+/e/i", "anything"} {
		b.subscribe(topic, 1) // fails on 0x80
	}
	for _, topic := range []string{"/a/t/" + others.ID + "/e/o", "/a/t/" + others.ID + "/e/i", "/a/t/" + own.ID + "/e/i", "/a/d/" + foreign + "/c/up", "/a/t//e/o", "anything"} {
		b.say(topic, senml.Append(nil, []senml.Record{{Name: "lamp", Kind: senml.Bool, Int: 1}})) // waits for PUBACK
	}
	o.publish(others, "lamp", true)
	b.silent()
	var got client.Thing
	o.do("GET", "/iot/v2/things/"+own.ID, nil, &got)
	if v := got.Properties[0].LastValue; v != nil {
		t.Errorf("the lamp is %v by a message on a topic where devices may not publish", v)
	}
}

// valuesOf are values of every type that differs on the wire, with the records that
// a board must get for them.
var valuesOf = map[string]struct {
	value any
	want  map[string]senml.Record
}{
	"STATUS":            {true, map[string]senml.Record{"": {Kind: senml.Bool, Int: 1}}},
	"HOME_SWITCH":       {false, map[string]senml.Record{"": {Kind: senml.Bool}}},
	"INT":               {-70000, map[string]senml.Record{"": {Kind: senml.Int, Int: -70000}}},
	"COUNT":             {7.0, map[string]senml.Record{"": {Kind: senml.Int, Int: 7}}},
	"TIME":              {3000000000, map[string]senml.Record{"": {Kind: senml.Int, Int: 3000000000}}},
	"FLOAT":             {5, map[string]senml.Record{"": {Kind: senml.Float, Num: 5}}},
	"TEMPERATURE":       {-0.25, map[string]senml.Record{"": {Kind: senml.Float, Num: -0.25}}},
	"CHARSTRING":        {"ciao", map[string]senml.Record{"": {Kind: senml.Text, Text: "ciao"}}},
	"LOCATION":          {map[string]any{"lat": 45, "lon": 7.5}, map[string]senml.Record{":lat": {Kind: senml.Float, Num: 45}, ":lon": {Kind: senml.Float, Num: 7.5}}},
	"COLOR_HSB":         {map[string]any{"hue": 210, "sat": 50, "bri": 75}, map[string]senml.Record{":hue": {Kind: senml.Float, Num: 210}, ":sat": {Kind: senml.Float, Num: 50}, ":bri": {Kind: senml.Float, Num: 75}}},
	"HOME_DIMMED_LIGHT": {map[string]any{"swi": true, "bri": 80}, map[string]senml.Record{":swi": {Kind: senml.Bool, Int: 1}, ":bri": {Kind: senml.Float, Num: 80}}},
	"HOME_COLORED_LIGHT": {map[string]any{"swi": true, "hue": 1, "sat": 2, "bri": 3}, map[string]senml.Record{":swi": {Kind: senml.Bool, Int: 1},
		":hue": {Kind: senml.Float, Num: 1}, ":sat": {Kind: senml.Float, Num: 2}, ":bri": {Kind: senml.Float, Num: 3}}},
	"HOME_TELEVISION": {map[string]any{"swi": false, "vol": 10, "mut": true, "pbc": 255, "inp": 55, "cha": 3}, map[string]senml.Record{":swi": {Kind: senml.Bool},
		":vol": {Kind: senml.Int, Int: 10}, ":mut": {Kind: senml.Bool, Int: 1}, ":pbc": {Kind: senml.Int, Int: 255}, ":inp": {Kind: senml.Int, Int: 55}, ":cha": {Kind: senml.Int, Int: 3}}},
	"SCHEDULE": {map[string]any{"frm": 1700000000, "to": 0, "len": 3600, "msk": 134217790}, map[string]senml.Record{":frm": {Kind: senml.Int, Int: 1700000000},
		":to": {Kind: senml.Int}, ":len": {Kind: senml.Int, Int: 3600}, ":msk": {Kind: senml.Int, Int: 134217790}}},
	"GENERIC_COMPLEX_PROPERTY": {map[string]any{"a": 1, "b": "x", "c": nil, "d": []int{1}}, map[string]senml.Record{":a": {Kind: senml.Int, Int: 1}, ":b": {Kind: senml.Text, Text: "x"}}},
}

// written makes a thing with one variable of each type of valuesOf, connects its
// board and writes all values: the answers are the packs that came.
func written(t *testing.T, h *servertest.House) (packs map[string][]byte, last []byte) {
	t.Helper()
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	types := map[string]string{}
	for typ := range valuesOf {
		types[strings.ToLower(typ)] = typ
	}
	th := o.thing("All", id, types)
	b := connect(t, h, id, boardTLS(t, h), 30)
	b.subscribe("/a/d/"+id+"/c/dw", 0)
	b.subscribe("/a/t/"+th.ID+"/e/i", 0)
	packs = map[string][]byte{}
	for typ, c := range valuesOf {
		o.publish(th, strings.ToLower(typ), c.value)
		packs[typ] = bytes.Clone(b.hear("/a/t/" + th.ID + "/e/i"))
	}
	values, ok := b.ask(command.LastValuesBegin{}).(command.LastValuesUpdate)
	if !ok {
		t.Fatal("LastValuesBegin was answered with another command")
	}
	return packs, values.Pack
}

// The Python client ends of a float for an integer, and of a number for a flag.
func TestTrap06NumbersMatchTheirType(t *testing.T) {
	packs, last := written(t, servertest.Start(t))
	all := unpack(t, last)
	for typ, c := range valuesOf {
		t.Run(typ, func(t *testing.T) {
			got := unpack(t, packs[typ])
			if len(got) != len(c.want) {
				t.Errorf("%d records came, want %d: %v", len(got), len(c.want), got)
			}
			for suffix, want := range c.want {
				name := strings.ToLower(typ) + suffix
				for where, r := range map[string]senml.Record{"written": got[name], "last": all[name]} {
					if r.Kind != want.Kind || r.Int != want.Int || r.Num != want.Num || r.Text != want.Text || r.At <= 0 {
						t.Errorf("%s: %s is %+v, want %+v with a time", where, name, r, want)
					}
				}
			}
		})
	}
}

// A label that is a text, or a null, ends a message for the C++ decoder.
func TestTrap07OnlyKnownLabels(t *testing.T) {
	packs, last := written(t, servertest.Start(t))
	packs["last values"] = last
	for name, pack := range packs {
		var records []map[any]any
		if err := cbor.Unmarshal(pack, &records); err != nil {
			t.Fatalf("%s: % x: %v", name, pack, err)
		}
		for _, r := range records {
			for label, v := range r {
				switch label.(type) {
				case uint64, int64:
				default:
					t.Errorf("%s has the label %v (%T)", name, label, label)
				}
				switch v.(type) {
				case uint64, int64, float64, bool, string:
				default:
					t.Errorf("%s has %v (%T) under %v", name, v, v, label)
				}
			}
		}
		if len(pack) == 0 || pack[0]>>5 != 4 || pack[0] == 0x9f {
			t.Errorf("%s is no definite array: % x", name, pack)
		}
	}
}

// A board keeps four fields of its certificate, and knows the rest.
func TestTrap08CertificateIsRebuilt(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	for range 10 {
		id := o.device("board")
		th := o.thing("Thing of "+id, id, map[string]string{"lamp": "STATUS"})
		key, c := o.certify(id)
		unhex := func(text string, n int) []byte {
			b, err := hex.DecodeString(text)
			if err != nil || len(b) != n {
				t.Fatalf("%q is not %d bytes in hex", text, n)
			}
			return b
		}
		notBefore, err := time.Parse("2006-01-02T15:04:05Z", c.Compressed.NotBefore)
		if err != nil || notBefore.Minute() != 0 || notBefore.Second() != 0 {
			t.Fatalf("not_before is %s", c.Compressed.NotBefore)
		}
		if want := notBefore.AddDate(31, 0, 0).Format("2006-01-02T15:04:05Z"); c.Compressed.NotAfter != want {
			t.Errorf("not_after is %s, want %s", c.Compressed.NotAfter, want)
		}
		var slots boardcert.Slots // as the provisioning sketch fills them; section 5.3
		copy(slots.Certificate[:], unhex(c.Compressed.X, 32))
		copy(slots.Certificate[32:], unhex(c.Compressed.Y, 32))
		year, month, day, hour := notBefore.Year()-2000, int(notBefore.Month()), notBefore.Day(), notBefore.Hour()
		slots.Certificate[64] = byte(year<<3 | month>>1)
		slots.Certificate[65] = byte(month&1<<7 | day<<2 | hour>>3)
		slots.Certificate[66] = byte(hour&7<<5 | 31)
		copy(slots.Issuer[:], unhex(c.Compressed.Serial, 16))
		copy(slots.Issuer[16:], unhex(c.Compressed.AKI, 20))
		copy(slots.DeviceID[:], id)
		der, err := slots.Rebuild(&key.PublicKey)
		if err != nil || !bytes.Equal(der, c.DER) {
			t.Fatalf("rebuilt\n%s\nand not\n%s (%v)", base64.StdEncoding.EncodeToString(der), base64.StdEncoding.EncodeToString(c.DER), err)
		}
		own := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		for _, listener := range []string{"mqtt-cert", "mqtt-cert-legacy"} {
			b := dial(t, h, listener, boardTLS(t, h, own))
			if ack, err := b.Connect(mqtttest.Options{ClientID: id, KeepAlive: 30}); err != nil || ack.Code != 0 {
				t.Fatalf("%s: CONNACK %d (%v)", listener, ack.Code, err)
			}
			b.device = id
			b.subscribe("/a/d/"+id+"/c/dw", 0)
			if got := b.ask(command.ThingBegin{}); got != (command.ThingUpdate{ThingID: th.ID}) {
				t.Errorf("%s: ThingBegin was answered with %#v", listener, got)
			}
		}
	}
}

// The Python client says no name in its hello, and boards offer one suite.
func TestTrap09NoSNI(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	key, c := o.certify(id)
	own := tls.Certificate{Certificate: [][]byte{c.DER}, PrivateKey: key}
	nameless := boardTLS(t, h, own)
	nameless.ServerName, nameless.InsecureSkipVerify = "", true
	for name, cfg := range map[string]*tls.Config{"Python": pythonTLS(own), "one suite and no name": nameless, "one suite": boardTLS(t, h, own)} {
		for _, listener := range []string{"mqtt-cert", "mqtt-cert-legacy"} {
			t.Run(name+"/"+listener, func(t *testing.T) {
				if ack, err := dial(t, h, listener, cfg).Connect(mqtttest.Options{ClientID: id, KeepAlive: 10}); err != nil || ack.Code != 0 {
					t.Errorf("CONNACK %d (%v)", ack.Code, err)
				}
			})
		}
		t.Run(name+"/mqtt-password", func(t *testing.T) { connect(t, h, id, cfg, 10) })
		t.Run(name+"/https", func(t *testing.T) {
			conn, err := tls.Dial("tcp", h.At["https"], cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			leaf := conn.ConnectionState().PeerCertificates[0]
			for _, host := range []string{"localhost", "mqtts-sa.localhost", "mqtts-up.localhost", "boards-v2.localhost", "boards-int.localhost", "wss.localhost", "api.localhost"} {
				if !slices.Contains(leaf.DNSNames, host) {
					t.Errorf("the certificate does not name %s", host)
				}
			}
			if !slices.Contains(leaf.DNSNames, "127.0.0.1") {
				t.Error("the certificate does not name 127.0.0.1 as boards compare it, as text")
			}
		})
	}
}

// A 37th byte runs over the end of a string in the board.
func TestTrap10ThingIDsHave36Characters(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	// The client may choose the ID, and writes it as it likes.
	const wish = "8C2F0B1E-2D7A-4F43-9C7E-5D8F0C4B7A11"
	for _, bad := range []string{wish + "0", "{" + wish + "}", "8c2f0b1e2d7a4f439c7e5d8f0c4b7a11"} {
		err := o.api.Do(t.Context(), "PUT", "/iot/v2/things", map[string]any{"name": "x", "id": bad}, nil)
		if e := (*client.Error)(nil); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
			t.Errorf("a thing with the ID %s: %v, want 400", bad, err)
		}
	}
	b := connect(t, h, id, boardTLS(t, h), 30)
	b.subscribe("/a/d/"+id+"/c/dw", 0)
	if got := b.ask(command.ThingBegin{}); got != (command.ThingUpdate{}) {
		t.Fatalf("without a thing ThingBegin was answered with %#v", got)
	}
	b.subscribe("/a/d/"+id+"/e/i", 0)
	var th client.Thing
	o.do("PUT", "/iot/v2/things", map[string]any{"name": "x", "id": wish, "device_id": strings.ToUpper(id)}, &th)
	if th.ID != strings.ToLower(wish) || th.DeviceID != id {
		t.Errorf("made %+v", th)
	}
	if got := b.answer(); got != (command.ThingUpdate{ThingID: strings.ToLower(wish)}) {
		t.Errorf("attaching told the board %#v", got)
	}
	if got := b.records("/a/d/" + id + "/e/i"); got["thing_id"].Text != strings.ToLower(wish) {
		t.Errorf("attaching told the board %v", got)
	}
	o.do("POST", "/iot/v2/things/"+th.ID, map[string]any{"device_id": ""}, nil)
	if got := b.answer(); got != (command.ThingDetach{ThingID: strings.ToLower(wish)}) {
		t.Errorf("detaching told the board %#v", got)
	}
}
