package provision

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 10, 17, 13, 20, 30, 0, time.UTC)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestChecksum(t *testing.T) {
	if got := checksum([]byte("123456789")); got != 0x906e {
		t.Errorf("%#x, want the check value of CRC-16/X-25", got)
	}
}

// Vectors V1 to V9 of the device-protocol reference, section 8.5.
func TestFramesOfBoards(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		want Frame
	}{
		"V1":               {"55aa0100050a01028f7caa55", Frame{Request, []byte{10, 1, 2}}},
		"V2":               {"55aa01000301e1f1aa55", Frame{Request, []byte{1}}},
		"V3":               {"55aa0100270263346431663161322d376533622d346235632d396436652d30313233343536373839616250a2aa55", Frame{Request, []byte("\x02c4d1f1a2-7e3b-4b5c-9d6e-0123456789ab")}},
		"V4, a year":       {"55aa0100070832303236b7daaa55", Frame{Request, []byte("\x082026")}},
		"V4, a month":      {"55aa010005093130c42baa55", Frame{Request, []byte("\x0910")}},
		"V4, a validity":   {"55aa0100050c3331dfafaa55", Frame{Request, []byte("\x0c31")}},
		"V5, storage":      {"55aa01000306954eaa55", Frame{Request, []byte{6}}},
		"V5, reconstruct":  {"55aa01000311f170aa55", Frame{Request, []byte{17}}},
		"V6, disconnect":   {"55aa03000302d36aaa55", Frame{Transmit, []byte{Disconnect}}},
		"V6, nack":         {"55aa03000303c2e3aa55", Frame{Transmit, []byte{Nack}}},
		"V7, connect":      {"55aa03000301e1f1aa55", Frame{Transmit, []byte{Connect}}},
		"V8, a timestamp":  {"55aa02000dda00012002811a65e072b5dc90aa55", Frame{Data, unhex(t, "da00012002811a65e072b5")}},
		"V9, who are you?": {"55aa020009da0001200381024c80aa55", Frame{Data, unhex(t, "da000120038102")}},
	} {
		wire := unhex(t, c.wire)
		if got, err := Append(nil, c.want); err != nil || !bytes.Equal(got, wire) {
			t.Errorf("%s: wrote %x, %v, want %x", name, got, err, wire)
		}
		var r Reader
		if got, bad := r.Feed(wire, noon); bad != 0 || !reflect.DeepEqual(got, []Frame{c.want}) {
			t.Errorf("%s: read %+v, %d bad, want %+v", name, got, bad, c.want)
		}
	}
	if _, err := Append(nil, Frame{Data, make([]byte, MaxPayload+1)}); err == nil {
		t.Error("a frame that nobody would take was written")
	}
}

func TestReaderFindsFrames(t *testing.T) {
	one, other := unhex(t, "55aa03000301e1f1aa55"), unhex(t, "55aa02000dda00012002811a65e072b5dc90aa55")
	broken := bytes.Clone(other)
	broken[8] ^= 1
	all := bytes.Join([][]byte{[]byte("booting…\r\n\x55"), one, []byte("noise"), broken, other, {0x55, 0xaa, 2, 0xff, 0xff}, one}, nil)
	for _, size := range []int{1, 2, 3, 7, len(all)} {
		var r Reader
		var got []Frame
		bads := 0
		for i := 0; i < len(all); i += size {
			frames, bad := r.Feed(all[i:min(i+size, len(all))], noon)
			got, bads = append(got, frames...), bads+bad
		}
		if len(got) != 3 || got[0].Type != Transmit || got[1].Type != Data || got[2].Type != Transmit || bads != 2 {
			t.Errorf("in pieces of %d: %+v, %d bad", size, got, bads)
		}
	}
	// A frame that stands still is given up, so that the next one is not taken for its end.
	var r Reader
	if got, bad := r.Feed(other[:9], noon); len(got) != 0 || bad != 0 {
		t.Errorf("half a frame: %+v, %d", got, bad)
	}
	if got, bad := r.Feed(one, noon.Add(gap+1)); len(got) != 1 || bad != 1 {
		t.Errorf("after a gap: %+v, %d", got, bad)
	}
}

// Vectors V8 to V18 of the device-protocol reference, section 8.5.
func TestMessagesOfBoards(t *testing.T) {
	hardware := HardwareID(bytes.Repeat([]byte{0xca}, 32))
	for name, c := range map[string]struct {
		wire string
		want Message
	}{
		"V8":           {"da00012002811a65e072b5", Timestamp(time.Unix(0x65e072b5, 0).UTC())},
		"V9":           {"da000120038102", CommandID},
		"V10":          {"da00012000813863", Status(-100)},
		"V11":          {"da0001200184655353494431384b6553534944323837", Networks{{"SSID1", -76}, {"SSID2", -56}}},
		"V12":          {"da00012003811864", CommandScan},
		"V13":          {"da00012004826553534944316d50415353574f52445353494431", WiFi{"SSID1", "PASSWORDSSID1"}},
		"V14":          {"da00012006846831323334353637386e61706e2e61726475696e6f2e63636854455354555345526c5445535450415353574f5244", GSM{"12345678", "apn.arduino.cc", "TESTUSER", "TESTPASSWORD"}},
		"V15":          {"da00012008856831323334353637388401021a000800001a080000006e61706e2e61726475696e6f2e63636854455354555345526c5445535450415353574f5244", CatM1{"12345678", []uint32{1, 2, 0x80000, 0x8000000}, "apn.arduino.cc", "TESTUSER", "TESTPASSWORD"}},
		"V16":          {"da000120098644c0a80002440808080844c0a8010144ffffff000f18c8", Ethernet{netip.MustParseAddr("192.168.0.2"), netip.MustParseAddr("8.8.8.8"), netip.MustParseAddr("192.168.1.1"), netip.MustParseAddr("255.255.255.0"), 15, 200}},
		"V17, address": {"da000120138146afafafafafaf", BLEMAC{0xaf, 0xaf, 0xaf, 0xaf, 0xaf, 0xaf}},
		"V17, id":      {"da00012010815820" + strings.Repeat("ca", 32), hardware},
	} {
		wire := unhex(t, c.wire)
		if got, err := Marshal(c.want); err != nil || !bytes.Equal(got, wire) {
			t.Errorf("%s: wrote %x, %v, want %x", name, got, err, wire)
		}
		if got, err := Unmarshal(wire); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: read %#v, %v, want %#v", name, got, err, c.want)
		}
	}
	if got, err := Unmarshal(unhex(t, "da00012002811b0000000067066fe4")); err != nil || got != Timestamp(time.Unix(0x67066fe4, 0).UTC()) {
		t.Errorf("V18: %v, %v", got, err)
	}
}

// What has no vector comes back the same.
func TestOtherMessagesComeBack(t *testing.T) {
	for _, m := range []Message{
		Token("a.b.c"), WiFiFW("1.6.0"), Sketch("0.6.2"), Library("1.0.0"), PublicKey("-----BEGIN PUBLIC KEY-----\n"), Networks{}, Connected, GenericError,
		LoRa{"0011223344556677", "00112233445566778899aabbccddeeff", 5, "ff00", "A"}, NBIoT{APN: "apn"}, Cellular{PIN: "1234"}, Ethernet{}, CatM1{Bands: []uint32{}},
		Ethernet{IP: netip.MustParseAddr("fd00::1")}, CommandReset,
	} {
		wire, err := Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Unmarshal(wire); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%#v came back as %#v, %v", m, got, err)
		}
	}
	for name, m := range map[string]Message{
		"an SSID too long": WiFi{SSID: strings.Repeat("x", 33)}, "a password too long": WiFi{Password: strings.Repeat("x", 64)}, "a PIN too long": GSM{PIN: "123456789"},
		"an APN too long": Cellular{APN: strings.Repeat("x", 101)}, "five bands": CatM1{Bands: make([]uint32, 5)}, "21 networks": make(Networks, 21), "before 1970": Timestamp(time.Unix(-1, 0)),
		"a login too long": NBIoT{Login: strings.Repeat("x", 65)}, "a token too long": Token(strings.Repeat("x", 269)), "a network's name too long": Networks{{SSID: strings.Repeat("x", 33)}},
	} {
		if wire, err := Marshal(m); !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %x, %v", name, wire, err)
		}
	}
	for name, wire := range map[string]string{
		"nothing": "", "no tag": "8102", "another tag": "da000110008101", "no array": "da0001200302", "a field less": "da0001200380", "a text for a number": "da0001200381613a",
		"a number too large": "da00012003811901ff", "three of two": "da00012001836161206162", "a short id": "da000120108141ca", "an address of three bytes": "da000120098643c0a800404040" + "0000",
		"an SSID too long": "da00012004827821" + strings.Repeat("61", 33) + "60", "the end too early": "da000120", "something behind": "da00012003810200",
		"a token with a space": "da0001201181412e20", "nested too deeply": "da00012003818181818102",
	} {
		if m, err := Unmarshal(unhex(t, wire)); !errors.Is(err, ErrMessage) || m != nil {
			t.Errorf("%s: %#v, %v", name, m, err)
		}
	}
	// Boards pad the token; newer ones may add fields.
	if m, err := Unmarshal(unhex(t, "da000120118144612e6200")); err != nil || m != Token("a.b") {
		t.Errorf("a padded token: %q, %v", m, err)
	}
	if m, err := Unmarshal(unhex(t, "da00012003820203")); err != nil || m != CommandID {
		t.Errorf("a field more: %v, %v", m, err)
	}
}

func TestStatusesHaveWords(t *testing.T) {
	for s, text := range statusWords {
		if s.String() != text || text == "" {
			t.Errorf("%d is %q", s, s)
		}
	}
	if Status(-77).String() != "status -77" {
		t.Error(Status(-77).String())
	}
}

// Whatever comes over a line, the Reader finds only frames that would be written the same, in whichever pieces it comes, and keeps
// no more than one frame of it.
func FuzzReader(f *testing.F) {
	f.Add(unhex(f, "55aa03000301e1f1aa55"), 3)
	f.Add(unhex(f, "55aa02000dda00012002811a65e072b5dc90aa55"), 1)
	f.Add(unhex(f, "55aa02ffff55aa020003"), 2)
	f.Fuzz(func(t *testing.T, wire []byte, size int) {
		size = max(1, size&0x3ff)
		var whole, pieces Reader
		at, bad := whole.Feed(wire, noon)
		var got []Frame
		bads := 0
		for i := 0; i < len(wire); i += size {
			frames, n := pieces.Feed(wire[i:min(i+size, len(wire))], noon)
			got, bads = append(got, frames...), bads+n
			if len(pieces.rest) > headBytes+MaxPayload+tailBytes {
				t.Fatalf("it keeps %d bytes", len(pieces.rest))
			}
		}
		if bad != bads || !reflect.DeepEqual(at, got) {
			t.Fatalf("%x: %+v and %d bad at once, %+v and %d in pieces of %d", wire, at, bad, got, bads, size)
		}
		for _, one := range got {
			again, err := Append(nil, one)
			if err != nil || !bytes.Contains(wire, again) {
				t.Fatalf("%+v is not in %x", one, wire)
			}
		}
	})
}

// Whatever a message says, it is refused, or comes back the same when it is written.
func FuzzMessage(f *testing.F) {
	for _, wire := range []string{"da00012000813863", "da0001200184655353494431384b6553534944323837", "da00012004826553534944316d50415353574f52445353494431", "da000120098644c0a80002440808080844c0a8010144ffffff000f18c8",
		"da00012008856831323334353637388401021a000800001a080000006e61706e2e61726475696e6f2e63636854455354555345526c5445535450415353574f5244", "da00012002811b0000000067066fe4", "da000120138146afafafafafaf", "da000120118144612e6200"} {
		f.Add(unhex(f, wire))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		m, err := Unmarshal(wire)
		if err != nil {
			if !errors.Is(err, ErrMessage) || m != nil {
				t.Fatalf("refused with %v and %v", err, m)
			}
			return
		}
		again, err := Marshal(m)
		if errors.Is(err, ErrMessage) {
			t.Fatalf("%#v was read and cannot be written: %v", m, err)
		}
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Unmarshal(again); err != nil || !reflect.DeepEqual(back, m) {
			t.Fatalf("%#v came back as %#v, %v", m, back, err)
		}
	})
}
