package web

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/ardesia-iot/ardesia/sdk/go/provision"
)

// serialProgram asks the application's own protocol what the test wants to know of it: a line of JSON in, a line out.
const serialProgram = `
import { encode, Reader } from "./serial/frame";
import { command, network, read, timestamp } from "./serial/message";
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
const hex = (b) => [...b].map((x) => x.toString(16).padStart(2, "0")).join("");
const plain = (m) => m && (m.bytes ? { kind: m.kind, bytes: hex(m.bytes) } : m);
const ask = {
  read: ([wire]) => plain(read(bytes(wire))) ?? null,
  frames: (pieces) => { const r = new Reader(); return pieces.flatMap((p) => r.feed(bytes(p), 0).frames.map((f) => f.type + ":" + hex(f.payload))) },
  frame: ([type, payload]) => hex(encode({ type, payload: bytes(payload) })),
  timestamp: ([s]) => hex(timestamp(s)),
  command: ([n]) => hex(command(n)),
  network: ([n]) => hex(network(n)),
};
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(asked.map(([what, ...args]) => ask[what](args))));
`

// askSerial runs the application's protocol in Node.js, and gives an answer for each question.
func askSerial(t *testing.T, questions [][]any) []any {
	t.Helper()
	app, err := filepath.Abs("app")
	if err != nil {
		t.Fatal(err)
	}
	r := api.Build(api.BuildOptions{Stdin: &api.StdinOptions{Contents: serialProgram, ResolveDir: app, Loader: api.LoaderJS}, Bundle: true, Platform: api.PlatformNode, Format: api.FormatCommonJS, Write: false})
	if len(r.Errors) > 0 {
		t.Fatal(r.Errors)
	}
	file := filepath.Join(t.TempDir(), "serial.cjs")
	if err := os.WriteFile(file, r.OutputFiles[0].Contents, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(questions)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", file)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node (scripts/need node=nodejs): %v", err)
	}
	var answers []any
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions: %v", len(answers), len(questions), err)
	}
	return answers
}

// What the application says to boards is, byte by byte, what the SDK says; and it reads what boards say as the SDK reads it,
// in whichever pieces it comes.
func TestSerialProtocol(t *testing.T) {
	var questions [][]any
	var want []any
	ask := func(answer any, question ...any) {
		questions, want = append(questions, question), append(want, answer)
	}
	wire := func(m provision.Message) string {
		t.Helper()
		b, err := provision.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	frame := func(f provision.Frame) string {
		t.Helper()
		b, err := provision.Append(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		return hex.EncodeToString(b)
	}
	// To boards.
	ask(wire(provision.Timestamp(time.Unix(1_800_000_000, 0))), "timestamp", 1_800_000_000)
	ask(wire(provision.Timestamp(time.Unix(6_000_000_000, 0))), "timestamp", 6_000_000_000)
	for _, c := range []provision.Command{provision.CommandConnect, provision.CommandID, provision.CommandBLEMAC, provision.CommandReset, provision.CommandScan, provision.CommandWiFiFW, provision.CommandSketch} {
		ask(wire(c), "command", int(c))
	}
	long := strings.Repeat("è", 31)
	ask(wire(provision.WiFi{SSID: "Home & Garden", Password: long}), "network", map[string]any{"way": "wifi", "ssid": "Home & Garden", "password": long})
	ask(wire(provision.Ethernet{}), "network", map[string]any{"way": "eth"})
	cellular := provision.Cellular{PIN: "1234", APN: "web.example", Login: "me", Password: "secret"}
	for way, m := range map[string]provision.Message{"gsm": provision.GSM(cellular), "nb": provision.NBIoT(cellular), "cellular": cellular, "catm1": provision.CatM1{PIN: "1234", APN: "web.example", Login: "me", Password: "secret"}} {
		ask(wire(m), "network", map[string]any{"way": way, "pin": "1234", "apn": "web.example", "login": "me", "password": "secret"})
	}
	// From boards.
	id := provision.HardwareID{1, 2, 0xfe, 31: 9}
	said := func(kind, field string, value any) map[string]any { return map[string]any{"kind": kind, field: value} }
	for _, c := range []struct {
		m    provision.Message
		want map[string]any
	}{
		{provision.Connected, said("status", "status", 2.0)}, {provision.GenericError, said("status", "status", -255.0)},
		{provision.Networks{{SSID: "a", RSSI: -40}, {SSID: "", RSSI: -90}}, said("networks", "networks", []any{map[string]any{"ssid": "a", "rssi": -40.0}, map[string]any{"ssid": "", "rssi": -90.0}})},
		{id, said("id", "bytes", hex.EncodeToString(id[:]))}, {provision.BLEMAC{1, 2, 3, 4, 5, 6}, said("mac", "bytes", "010203040506")},
		{provision.Token("aa.bb.cc"), said("token", "text", "aa.bb.cc")}, {provision.WiFiFW("1.6.0"), said("radio", "text", "1.6.0")},
		{provision.Sketch("0.6.2"), said("sketch", "text", "0.6.2")}, {provision.PublicKey("-----BEGIN"), said("key", "text", "-----BEGIN")},
	} {
		ask(c.want, "read", wire(c.m))
	}
	ask(said("status", "status", 1.0), "read", "da000120009f01ff") // an array without a length
	for _, bad := range []string{"", "00", "da00012000", "da0001200081", "da000120008101ff", "da0001200081f97c00", "da00012001816161", "da00012010814101", "da0001200081818181818181818101",
		"da000120019b00000000ffffffff", "da00012011815bffffffffffffffff", "da000999998101", "da00012000811b7fffffffffffffff", "fb7ff0000000000000"} {
		ask(nil, "read", bad)
		if _, err := provision.Unmarshal(unhex(t, bad)); err == nil {
			t.Errorf("the SDK reads %s", bad)
		}
	}
	// Frames, whole and in pieces, with noise between them.
	first, second := provision.Frame{Type: provision.Data, Payload: []byte("one\x55\xaa")}, provision.Frame{Type: provision.Transmit, Payload: []byte{1}}
	ask(frame(first), "frame", int(first.Type), hex.EncodeToString(first.Payload))
	ask(frame(second), "frame", int(second.Type), hex.EncodeToString(second.Payload))
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		all := noise(random) + frame(first) + noise(random) + frame(second)
		if random.IntN(3) == 0 {
			all = strings.Replace(all, "6f", "70", 1) // a spoiled byte
		}
		var r provision.Reader
		wanted, question := []any{}, []any{"frames"}
		for len(all) > 0 {
			n := min(len(all), 2*(1+random.IntN(9)))
			frames, _ := r.Feed(unhex(t, all[:n]), time.Time{})
			for _, f := range frames {
				wanted = append(wanted, fmt.Sprintf("%d:%x", f.Type, f.Payload))
			}
			question, all = append(question, all[:n]), all[n:]
		}
		ask(wanted, question...)
	}
	// Whatever comes, it is read as the SDK reads it, or not at all.
	for range 2000 {
		b := unhex(t, wire(provision.Networks{{SSID: "network", RSSI: -40}, {SSID: "another", RSSI: -41}}))
		for range 1 + random.IntN(3) {
			b[random.IntN(len(b))] = byte(random.Uint32())
		}
		m, err := provision.Unmarshal(b)
		n, is := m.(provision.Networks)
		if err != nil || !is {
			continue
		}
		list := []any{}
		for _, one := range n {
			list = append(list, map[string]any{"ssid": one.SSID, "rssi": float64(one.RSSI)})
		}
		ask(said("networks", "networks", list), "read", hex.EncodeToString(b))
	}
	for i, got := range askSerial(t, questions) {
		if !reflect.DeepEqual(got, want[i]) && unreadable(got) != unreadable(want[i]) {
			t.Errorf("%v: %v, want %v", questions[i], got, want[i])
		}
	}
}

// unreadable is an answer with one mark for each part of a text that is no UTF-8: browsers and Go put another number of them.
func unreadable(v any) string { return marks.ReplaceAllString(fmt.Sprint(v), "\uFFFD") }

var marks = regexp.MustCompile("\uFFFD+")

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func noise(r *rand.Rand) string {
	b := make([]byte, r.IntN(6))
	for i := range b {
		b[i] = []byte{0x55, 0xaa, 0, 2, byte(r.Uint32())}[r.IntN(5)]
	}
	return hex.EncodeToString(b)
}
