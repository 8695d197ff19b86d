package command

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

func wire(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func counted[A interface{ [16]byte | [32]byte }]() A {
	var a A
	for i := range len(a) {
		switch p := any(&a).(type) {
		case *[16]byte:
			p[i] = byte(i)
		case *[32]byte:
			p[i] = byte(i)
		}
	}
	return a
}

const (
	thing = "8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11"
	d1    = "8aa322fb41d954fc400000000062737704f5a200616e02182aa200617402fb4035800000000000a200617303646369616fa20066636c3a73776904f5a20066636c3a68756502fb406a400000000000a20066636c3a73617402fb4049000000000000a20066636c3a62726902fb4052c00000000000a20069747a5f6f666673657402191c20a2006c747a5f6473745f756e74696c021a6ae68f10"
)

// The vectors of the device protocol reference, section 8.4.
func vectors(t testing.TB) map[string]struct {
	hex  string
	want Command
} {
	id := counted[[16]byte]()
	const at = 1700000000 * 1e6
	return map[string]struct {
		hex  string
		want Command
	}{
		"C1":              {"da000107008165322e392e30", DeviceBegin{"2.9.0"}},
		"C2 async":        {"da00010700816b312e342e312d6173796e63", DeviceBegin{"1.4.1-async"}},
		"C2 sync":         {"da00010700816a312e342e312d73796e63", DeviceBegin{"1.4.1-sync"}},
		"C3":              {"da000103008160", ThingBegin{}},
		"C4":              {"da0001050080", LastValuesBegin{}},
		"C5":              {"da0001080080", TimezoneUp{}},
		"C6":              {"da00010000815820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", OtaBegin{counted[[32]byte]()}},
		"C7":              {"da000102008450000102030405060708090a0b0c0d0e0fe3001b00060a24181e4000", OtaProgress{id, OtaAvailable, 0, at}},
		"C8":              {"da000102008450000102030405060708090a0b0c0d0e0fe519c8001b00060a24181e4000", OtaProgress{id, OtaFetch, 51200, at}},
		"C9":              {"da000102008450000102030405060708090a0b0c0d0e0fe7001b00060a24181e4000", OtaProgress{id, OtaReboot, 0, at}},
		"C10":             {"da000102008450000102030405060708090a0b0c0d0e0fe82b1b00060a24181e4000", OtaProgress{id, OtaFail, -12, at}},
		"C11 Wi-Fi":       {"da000111008201664d7957694669", DeviceNetConfig{Network: WiFi, Name: "MyWiFi"}},
		"C11 DHCP":        {"da00011100850640404040", DeviceNetConfig{Network: Ethernet}},
		"C11 static":      {"da00011100850644c0a80132440808080844c0a8010144ffffff00", DeviceNetConfig{Network: Ethernet, IP: netip.MustParseAddr("192.168.1.50"), DNS: netip.MustParseAddr("8.8.8.8"), Gateway: netip.MustParseAddr("192.168.1.1"), Netmask: netip.MustParseAddr("255.255.255.0")}},
		"C11 GSM":         {"da0001110083036561706e2e786175", DeviceNetConfig{Network: GSM, Name: "apn.x", Login: "u"}},
		"C11 none":        {"da000111008100", DeviceNetConfig{}},
		"C12":             {"da000102008450000102030405060708090a0b0c0d0e0fe1201864", OtaProgress{id, OtaStarted, -1, 100}},
		"C13":             {"da000120148165312e362e30", WiFiFWVersion{"1.6.0"}},
		"C14":             {"da0001040081782438633266306231652d326437612d346634332d396337652d356438663063346237613131", ThingUpdate{thing}},
		"C15":             {"da000104008160", ThingUpdate{}},
		"C16":             {"da0001100081782438633266306231652d326437612d346634332d396337652d356438663063346237613131", ThingDetach{thing}},
		"C17":             {"da0001060081589a" + d1, LastValuesUpdate{wire(t, d1)}},
		"C18":             {"da00010600814781a20061690205", LastValuesUpdate{wire(t, "81a20061690205")}},
		"C19":             {"da0001090082191c201a6ae68f10", TimezoneDown{7200, 1793494800}},
		"C20":             {"da000109008239464f1a65fe5c80", TimezoneDown{-18000, 1711168640}},
		"C21":             {"da000101008450c73cb045f9c2434585affa36a307bfe7783068747470733a2f2f696f742e6578616d706c652e6f72672f73746f726167652f6669726d776172652f76312f30306666582000000000000000000000000000000000000000000000000000000000000000005820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", OtaUpdate{ID: [16]byte(wire(t, "c73cb045f9c2434585affa36a307bfe7")), URL: "https://iot.example.org/storage/firmware/v1/00ff", FinalSHA: counted[[32]byte]()}},
		"IPv6":            {"da00011100850650fe80000000000000000000000000000140" + "40" + "40", DeviceNetConfig{Network: Ethernet, IP: netip.MustParseAddr("fe80::1")}},
		"a later network": {"da0001110081182a", DeviceNetConfig{Network: 42}},
	}
}

func TestVectorsAreReadAndWritten(t *testing.T) {
	for name, c := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %+v, %v, want %+v", got, err, c.want)
			}
			back, err := Append(nil, c.want)
			if err != nil || hex.EncodeToString(back) != c.hex {
				t.Errorf("wrote\n%x, %v, want\n%s", back, err, c.hex)
			}
		})
	}
}

func TestToleratedForms(t *testing.T) {
	for name, c := range map[string]struct {
		hex  string
		want Command
	}{
		"C23 a tag of 8 bytes":       {"db0000000000010400816161", ThingUpdate{"a"}},
		"C23 an open array":          {"da000104009f6161ff", ThingUpdate{"a"}},
		"C23 one argument more":      {"da0001040082616101", ThingUpdate{"a"}},
		"a strange argument more":    {"da00010400826161a1f6f6", ThingUpdate{"a"}},
		"arguments where none are":   {"da000105008101", LastValuesBegin{}},
		"a text in pieces":           {"da00010400817f61616162ff", ThingUpdate{"ab"}},
		"an integer state":           {"da00010200845000000000000000000000000000000000050000", OtaProgress{State: OtaFetch}},
		"LoRa as text":               {"da0001110082026461626364", DeviceNetConfig{Network: LoRa, Name: "abcd"}},
		"LoRa as bytes":              {"da00011100820242abcd", DeviceNetConfig{Network: LoRa, Name: "abcd"}},
		"a network's name in Latin1": {"da0001110082016" + "24fe9", DeviceNetConfig{Network: WiFi, Name: "O\uFFFD"}},
		"no last values":             {"da000106008140", LastValuesUpdate{[]byte{}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("read %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestMalformedCommandsAreRefused(t *testing.T) {
	long := strings.Repeat("61", 37)
	for name, c := range map[string]struct {
		hex  string
		want *problem.Problem
	}{
		"nothing":                   {"", ErrMalformed},
		"no tag":                    {"8160", ErrMalformed},
		"C22 null":                  {"da0001040081f6", ErrMalformed},
		"C22 no array":              {"da000104006161", ErrMalformed},
		"C22 time zone of floats":   {"da0001090082f90000f90000", ErrMalformed},
		"C22 text for bytes":        {"da000106008160", ErrMalformed},
		"C22 missing argument":      {"da00010900811a65dcb821", ErrMalformed},
		"null for the array":        {"da00010500f6", ErrMalformed},
		"bytes behind":              {"da000105008000", ErrMalformed},
		"a tag in a tag":            {"da00010500da0001050080", ErrMalformed},
		"a negative end":            {"da000109008200" + "20", ErrMalformed},
		"an end beyond 32 bits":     {"da0001090082001b0000000100000000", ErrMalformed},
		"an offset beyond 32 bits":  {"da00010900821a8000000000", ErrMalformed},
		"an id of 37 bytes":         {"da00010400817825" + long, ErrMalformed},
		"a hash of 31 bytes":        {"da0001000081581f" + strings.Repeat("00", 31), ErrMalformed},
		"a state that is not there": {"da000102008450000000000000000000000000000000000a0000", ErrMalformed},
		"a simple value too high":   {"da00010200845000000000000000000000000000000000ea0000", ErrMalformed},
		"false for a state":         {"da00010200845000000000000000000000000000000000f40000", ErrMalformed},
		"an address of 5 bytes":     {"da000111008506450000000000404040", ErrMalformed},
		"a network beyond a byte":   {"da0001110081190100", ErrMalformed},
		"a tagged text":             {"da0001040081c16161", ErrMalformed},
		"cut off":                   {"da00010700816532", ErrMalformed},
		"an unknown tag":            {"da0001ffff80", ErrUnknown},
		"a provisioning message":    {"da00012000813863", ErrUnknown},
		"too long":                  {hex.EncodeToString(make([]byte, MaxBytes+1)), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(wire(t, c.hex))
			if got != nil || !errors.Is(err, c.want) {
				t.Errorf("read %+v, %v, want %v", got, err, c.want)
			}
		})
	}
}

func TestBoardsAreNotSentWhatOverrunsThem(t *testing.T) {
	for name, c := range map[string]Command{
		"update":  ThingUpdate{thing + "0"},
		"detach":  ThingDetach{thing + "0"},
		"URL":     OtaUpdate{URL: strings.Repeat("x", MaxURL+1)},
		"values":  LastValuesUpdate{make([]byte, maxPack+1)},
		"version": DeviceBegin{strings.Repeat("x", MaxText+1)},
		"state":   OtaProgress{State: otaStates},
		"network": DeviceNetConfig{Network: WiFi, Name: strings.Repeat("x", MaxText+1)},
		"login":   DeviceNetConfig{Network: GSM, Login: strings.Repeat("x", MaxText+1)},
	} {
		if got, err := Append(nil, c); !errors.Is(err, ErrMalformed) || got != nil {
			t.Errorf("%s: wrote %x, %v", name, got, err)
		}
	}
}

func TestDecodeKeepsNoReferenceToWire(t *testing.T) {
	w := wire(t, "da00010600814781a20061690205")
	got, err := Decode(w)
	if err != nil {
		t.Fatal(err)
	}
	clear(w)
	if pack := got.(LastValuesUpdate).Pack; !bytes.Equal(pack, wire(t, "81a20061690205")) {
		t.Errorf("the pack became % x", pack)
	}
}

func TestEnumerationsHaveNames(t *testing.T) {
	for s := range otaStates + 1 {
		if known := s.String() != "unknown"; known != (s < otaStates) || s.String() == "" {
			t.Errorf("state %d is called %q", s, s)
		}
	}
	for n := range networks + 1 {
		if known := n.String() != "unknown"; known != (n < networks) || n.String() == "" {
			t.Errorf("network %d is called %q", n, n)
		}
	}
}

// Whatever arrives, Decode refuses it with one of its two problems, or reads a command that
// Append writes and that reads the same again.
func FuzzDecode(f *testing.F) {
	for _, c := range vectors(f) {
		f.Add(wire(f, c.hex))
	}
	for _, text := range []string{"db0000000000010400816161", "da000104009f6161ff", "da0001040082616101", "da00010400826161a1f6f6", "da0001040081f6", "da0001ffff80"} {
		f.Add(wire(f, text))
	}
	f.Fuzz(func(t *testing.T, w []byte) {
		first, err := Decode(w)
		if err != nil {
			if first != nil || !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknown) {
				t.Fatalf("refused with %v and %+v", err, first)
			}
			return
		}
		back, err := Append(nil, first)
		if err != nil {
			t.Fatalf("% x: read %+v, which cannot be written: %v", w, first, err)
		}
		again, err := Decode(back)
		if err != nil || !reflect.DeepEqual(first, again) {
			t.Fatalf("% x: read %+v, then %+v (%v)", w, first, again, err)
		}
	})
}

func BenchmarkDecodeLastValues(b *testing.B) {
	w := wire(b, "da0001060081589a"+d1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(w); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendLastValues(b *testing.B) {
	c := LastValuesUpdate{wire(b, d1)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Append(nil, c); err != nil {
			b.Fatal(err)
		}
	}
}
