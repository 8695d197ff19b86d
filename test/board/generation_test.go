package board

import (
	"crypto/tls"
	"encoding/hex"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// The three start-ups of device-protocol reference, section 4, in the very bytes
// that the official clients send (vectors of section 8), and what their owner sees.

func bytesOf(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// eventually asks again until ok says true: boards send at QoS 0 and nothing tells
// them when a message has been heard.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	late := time.NewTimer(30 * time.Second)
	defer late.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-late.C:
			t.Fatalf("%s did not happen", what)
		case <-again.C:
		}
	}
}

// values are the last values of a thing by variable name.
func (o owner) values(thing string) map[string]any {
	o.t.Helper()
	var th client.Thing
	o.do("GET", "/iot/v2/things/"+thing, nil, &th)
	all := map[string]any{}
	for _, p := range th.Properties {
		all[p.Variable] = p.LastValue
	}
	return all
}

// events are what a device said of itself, by name.
func (o owner) events(device string) map[string]any {
	o.t.Helper()
	var answer struct {
		Events []struct {
			Name  string `json:"name"`
			Value any    `json:"value"`
		} `json:"events"`
	}
	o.do("GET", "/iot/v2/devices/"+device+"/events", nil, &answer)
	all := map[string]any{}
	for _, e := range answer.Events {
		all[e.Name] = e.Value
	}
	return all
}

// ArduinoIoTCloud from 2.0 on; section 4.1.
func TestGenerationTwo(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	th := o.thing("Lamp", id, map[string]string{"sw": "STATUS", "n": "INT", "t": "FLOAT", "s": "CHARSTRING", "loc": "LOCATION", "tv": "HOME_TELEVISION", "gsch": "SCHEDULE"})
	o.publish(th, "n", 41) // while the board is away
	up, in, out := "/a/d/"+id+"/c/up", "/a/t/"+th.ID+"/e/i", "/a/t/"+th.ID+"/e/o"

	b := connect(t, h, id, boardTLS(t, h), 30)
	b.subscribe("/a/d/"+id+"/c/dw", 0)
	for _, text := range []string{
		"da00010000815820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", // OtaBegin
		"da000107008165322e392e30",     // DeviceBegin 2.9.0
		"da000111008201664d7957694669", // DeviceNetConfig: Wi-Fi "MyWiFi"
		"da000120148165312e362e30",     // WiFiFWVersion 1.6.0
		"da000103008160",               // ThingBegin
	} {
		b.tell(up, bytesOf(t, text))
	}
	if got := b.answer(); got != (command.ThingUpdate{ThingID: th.ID}) {
		t.Fatalf("ThingBegin was answered with %#v", got)
	}
	b.subscribe(in, 0)
	b.tell(up, bytesOf(t, "da0001050080")) // LastValuesBegin
	last, ok := b.answer().(command.LastValuesUpdate)
	if got := unpack(t, last.Pack); !ok || got["n"].Int != 41 {
		t.Fatalf("LastValuesBegin was answered with %v", got)
	}
	for _, text := range []string{
		"9fa20069747a5f6f66667365740200a2006c747a5f6473745f756e74696c0200ff", // the hidden properties
		"9fa20062737704f5ff",       // sw = true
		"9fa200617402fa41ac0000ff", // t = 21.5
		"9fa200617303646369616fff", // s = "ciao"
		"9fa200676c6f633a6c617402fa423447aea200676c6f633a6c6f6e02fa40f6147bff",
		"9fa2006674763a73776904f4a2006674763a766f6c0200a2006674763a6d757404f4a2006674763a7062630218ffa2006674763a696e70021837a2006674763a6368610200ff",
		"9fa200677363683a66726d021a6553f100ff", // a name that the thing has not
	} {
		b.tell(out, bytesOf(t, text))
	}
	b.silent() // nothing of that comes back to it
	eventually(t, "the last pack", func() bool { return o.values(th.ID)["tv"] != nil })
	got := o.values(th.ID)
	place, _ := got["loc"].(map[string]any)
	tv, _ := got["tv"].(map[string]any)
	if got["sw"] != true || got["t"] != 21.5 || got["s"] != "ciao" || got["n"] != 41.0 || got["gsch"] != nil || len(got) != 7 ||
		place["lat"] != 45.06999969482422 || tv["pbc"] != 255.0 || tv["inp"] != 55.0 || tv["swi"] != false {
		t.Errorf("the owner sees %v", got)
	}
	if got := o.events(id); got["LIB_VERSION"] != "2.9.0" || got["WIFI_FW_VERSION"] != "1.6.0" || got["NET_CONFIG"] == nil || got["OTA_SHA256"] == nil {
		t.Errorf("of the device the owner sees %v", got)
	}
	var d map[string]any
	if o.do("GET", "/iot/v2/devices/"+id, nil, &d); d["device_status"] != "ONLINE" || d["lib_version"] != "2.9.0" || d["wifi_fw_version"] != "1.6.0" || d["last_activity_at"] == nil {
		t.Errorf("the device is %v", d)
	}

	// A write comes to the board, which echoes it; the echo stays with the cloud.
	o.publish(th, "n", 42)
	if got := b.records(in); len(got) != 1 || got["n"].Int != 42 || got["n"].Kind != senml.Int {
		t.Errorf("the board got %v", got)
	}
	b.tell(out, bytesOf(t, "9fa200616e02182aff"))
	b.silent()

	// Another thing: the board is told, and told its values, for it does not ask again.
	other := o.thing("Other", "", map[string]string{"n": "INT"})
	o.publish(other, "n", 7)
	o.do("POST", "/iot/v2/things/"+other.ID+"?force=true", map[string]any{"device_id": id}, nil)
	var told []command.Command
	for len(told) < 2 {
		told = append(told, b.answer())
		if _, detached := told[len(told)-1].(command.ThingDetach); detached {
			told = told[:len(told)-1]
		}
	}
	values, ok := told[1].(command.LastValuesUpdate)
	if !ok || told[0] != (command.ThingUpdate{ThingID: other.ID}) || unpack(t, values.Pack)["n"].Int != 7 {
		t.Errorf("moving the board told it %#v", told)
	}
}

// ArduinoIoTCloud to 1.15; section 4.3.
func TestGenerationOne(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	id := o.device("board")
	b := connect(t, h, id, boardTLS(t, h), 30)
	b.tell("/a/d/"+id+"/e/o", senml.AppendBoard(nil, []senml.Record{
		{Name: "LIB_VERSION", Kind: senml.Text, Text: "1.15.1"}, {Name: "OTA_CAP", Kind: senml.Bool, Int: 1}, {Name: "OTA_ERROR", Kind: senml.Int},
		{Name: "OTA_SHA256", Kind: senml.Text, Text: "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"},
	}))
	b.subscribe("/a/d/"+id+"/e/i", 0)
	if got := b.records("/a/d/" + id + "/e/i"); len(got) != 1 || got["thing_id"].Kind != senml.Text || got["thing_id"].Text != "" {
		t.Errorf("without a thing the board got %v", got)
	}
	if got := o.events(id); got["LIB_VERSION"] != "1.15.1" || got["OTA_CAP"] != "true" || got["OTA_SHA256"] != "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" {
		t.Errorf("of the device the owner sees %v", got)
	}
	th := o.thing("Lamp", id, map[string]string{"sw": "STATUS", "n": "INT"})
	if got := b.records("/a/d/" + id + "/e/i"); len(got) != 1 || got["thing_id"].Text != th.ID {
		t.Errorf("with a thing the board got %v", got)
	}
	in := "/a/t/" + th.ID
	b.subscribe(in+"/e/i", 0)
	b.subscribe(in+"/shadow/i", 0)
	b.tell(in+"/shadow/o", bytesOf(t, "81a20063723a6d036d6765744c61737456616c756573"))
	if got := b.records(in + "/shadow/i"); got["tz_offset"].Kind != senml.Int || got["tz_dst_until"].Int <= time.Now().Unix() {
		t.Errorf("the shadow is %v", got)
	}
	b.tell(in+"/e/o", bytesOf(t, "9fa300616e02182a061a6553f100ff")) // n = 42 at 1700000000
	eventually(t, "the board's value", func() bool { return o.values(th.ID)["n"] == 42.0 })
	var p client.Thing
	o.do("GET", "/iot/v2/things/"+th.ID, nil, &p)
	for _, one := range p.Properties {
		if one.Variable == "n" && (one.LastAt == nil || one.LastAt.Unix() != 1700000000) {
			t.Errorf("the value is of %v, want the board's own time", one.LastAt)
		}
	}
	o.do("POST", "/iot/v2/things/"+th.ID, map[string]any{"device_id": ""}, nil)
	if got := b.records("/a/d/" + id + "/e/i"); got["thing_id"].Text != "" {
		t.Errorf("after it was detached the board got %v", got)
	}
}

// The Python client 1.4, by certificate and by secret key; section 4.4.
func TestPythonClient(t *testing.T) {
	h := servertest.Start(t)
	o := newOwner(t, h, "anna@example.org")
	for name, certified := range map[string]bool{"certificate": true, "secret key": false} {
		t.Run(name, func(t *testing.T) {
			id := o.device("python")
			th := o.thing("Python by "+name, id, map[string]string{"count": "INT", "ratio": "FLOAT", "msg": "CHARSTRING", "loc": "LOCATION", "dim": "HOME_DIMMED_LIGHT", "tv": "HOME_TELEVISION"})
			in := "/a/t/" + th.ID
			start := func() *board {
				if !certified {
					return connect(t, h, id, pythonTLS(), 10)
				}
				key, c := o.certify(id)
				b := dial(t, h, "mqtt-cert", pythonTLS(tls.Certificate{Certificate: [][]byte{c.DER}, PrivateKey: key}))
				b.device = id
				// The CONNECT of vector M1: no user, keep-alive of 10 s, clean session.
				hello := append(bytesOf(t, "103000044d5154540402000a0024"), id...)
				if err := b.Write(hello); err != nil {
					t.Fatal(err)
				}
				if ack, err := b.Expect(mqtttest.Connack); err != nil || ack.Code != 0 {
					t.Fatalf("CONNACK %d (%v)", ack.Code, err)
				}
				return b
			}
			b := start()
			b.subscribe("/a/d/"+id+"/e/i", 1)
			if got := b.records("/a/d/" + id + "/e/i"); len(got) != 1 || got["thing_id"].Text != th.ID {
				t.Fatalf("the first message is %v, want thing_id alone", got)
			}
			b.subscribe(in+"/e/i", 0)
			b.subscribe(in+"/shadow/i", 1)
			b.tell(in+"/shadow/o", []byte(senml.LastValuesRequest))
			if got := b.records(in + "/shadow/i"); got["tz_offset"].Kind != senml.Int {
				t.Errorf("the shadow is %v", got)
			}
			b.say("/a/d/"+id+"/c/up", bytesOf(t, "da00010700816b312e342e312d6173796e63"))
			if got := o.events(id); got["LIB_VERSION"] != "1.4.1-async" {
				t.Errorf("of the device the owner sees %v", got)
			}
			// One pack with everything, acknowledged; vector A26.
			b.say(in+"/e/o", bytesOf(t, "8da20065636f756e740202a20065726174696f02fb3fb999999999999aa200636d7367036568656c6c6fa200676c6f633a6c6f6e02fb403dfae06d938152a200676c6f633a6c617402fb403f43c2fc69728aa2006764696d3a73776904f5a2006764696d3a62726902fb4049000000000000a2006674763a7062630218ffa2006674763a6d757404f4a2006674763a696e70021837a2006674763a73776904f5a2006674763a766f6c020aa2006674763a6368610203"))
			got := o.values(th.ID)
			dim, _ := got["dim"].(map[string]any)
			tv, _ := got["tv"].(map[string]any)
			if got["count"] != 2.0 || got["ratio"] != 0.1 || got["msg"] != "hello" || dim["swi"] != true || dim["bri"] != 50.0 || tv["vol"] != 10.0 || tv["cha"] != 3.0 {
				t.Errorf("the owner sees %v", got)
			}
			// An integer for a float would be taken; a float for an integer ends it.
			o.publish(th, "count", 5)
			if r := b.records(in + "/e/i")["count"]; r.Kind != senml.Int || r.Int != 5 {
				t.Errorf("the client got %+v", r)
			}

			// After a lost link it goes straight to its old thing, and asks among its values; vector A27.
			b = start()
			b.subscribe(in+"/e/i", 0)
			b.say(in+"/e/o", bytesOf(t, "82a20065636f756e740206a20063723a6d036d6765744c61737456616c756573"))
			if got := o.values(th.ID)["count"]; got != 6.0 {
				t.Errorf("after a reconnect the owner sees %v", got)
			}
			o.publish(th, "ratio", 1)
			if r := b.records(in + "/e/i")["ratio"]; r.Kind != senml.Float || r.Num != 1 {
				t.Errorf("the client got %+v", r)
			}
		})
	}
}
