package otafile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

// vectors are files that Arduino's own encoder made (device-protocol reference, section 8.7).
var vectors = map[string]struct {
	image string
	magic Magic
	file  string
}{
	"O1 four bytes, MKR WiFi 1010":    {"\xde\xad\xbe\xef", 0x23418054, "11000000a1744bd4548041230000000000000040ef6b77def0"},
	"O2 four bytes, Nano 33 IoT":      {"\xde\xad\xbe\xef", 0x23418057, "11000000252fd187578041230000000000000040ef6b77def0"},
	"O3 a run":                        {strings.Repeat("A", 20), 0x23418057, "120000002d41d0ac578041230000000000000040a0bf7f800000"},
	"O4 a text that repeats":          {"Hello Hello Hello Hello Arduino", 0x23418057, "1e0000006b646618578041230000000000000040a4596d96cb7bf77bff8506e564bada6dd6f0"},
	"O5 zeros":                        {strings.Repeat("\x00", 40), 0x23418057, "14000000799e536a578041230000000000000040803f7f8007808980"},
	"O6 spaces, which the window has": {strings.Repeat(" ", 40), 0x23418057, "120000008c292cfd5780412300000000000000407eef7fff0104"},
	"O7 a text, ESP32":                {"Hello Hello Hello Hello Arduino", ESP32, "1e000000e823c0b7335053450000000000000040a4596d96cb7bf77bff8506e564bada6dd6f0"},
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for name, v := range vectors {
		want, err := hex.DecodeString(v.file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Encode([]byte(v.image), v.magic)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: encoded %x, %v, want %x", name, got, err, want)
		}
		var image bytes.Buffer
		info, err := Check(iotest.OneByteReader(bytes.NewReader(want)), &image)
		if err != nil || image.String() != v.image {
			t.Errorf("%s: decoded %q, %v", name, image.String(), err)
		}
		if info.Magic != v.magic || info.FileBytes != int64(len(want)) || info.ImageBytes != int64(len(v.image)) ||
			info.ImageSHA != sha256.Sum256([]byte(v.image)) || info.FileSHA != sha256.Sum256(want) {
			t.Errorf("%s: %+v", name, info)
		}
	}
}

// program is like a program for a board: parts that repeat, and parts that do not.
func program(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, n)
	for len(b) < n {
		switch r.IntN(4) {
		case 0:
			b = append(b, make([]byte, r.IntN(200))...)
		case 1:
			if len(b) > 0 {
				from := r.IntN(len(b))
				b = append(b, b[from:min(len(b), from+r.IntN(60))]...)
			}
		default:
			for range r.IntN(30) {
				b = append(b, byte(r.Uint32()))
			}
		}
	}
	return b[:n]
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	t.Parallel()
	for seed, n := range []int{1, 2, 17, 18, 2030, 2031, 2032, 2048, 4096, 100_000} {
		image := program(uint64(seed), n)
		file, err := Encode(image, ESP32)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if _, err := Check(bytes.NewReader(file), &got); err != nil || !bytes.Equal(got.Bytes(), image) {
			t.Errorf("%d bytes come back as %d, %v", n, got.Len(), err)
		}
	}
}

// Any bit of a file that is changed is found.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	file, err := Encode(program(1, 300), ESP32)
	if err != nil {
		t.Fatal(err)
	}
	for i := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			if _, err := Check(bytes.NewReader(bad), nil); err == nil {
				t.Fatalf("byte %d, bit %d: nobody noticed", i, bit)
			}
		}
	}
	broken := errors.New("the line broke")
	for name, c := range map[string]struct {
		r    io.Reader
		want error
	}{
		"nothing":                 {strings.NewReader(""), ErrFile},
		"half a header":           {bytes.NewReader(file[:10]), ErrFile},
		"cut off":                 {bytes.NewReader(file[:len(file)-1]), ErrLength},
		"one more byte":           {bytes.NewReader(append(bytes.Clone(file), 0)), ErrLength},
		"another version":         {bytes.NewReader(append(append(bytes.Clone(file[:19]), 0), file[20:]...)), ErrVersion},
		"a plain program":         {bytes.NewReader(program(2, 500)), ErrVersion},
		"a connection that ended": {io.MultiReader(bytes.NewReader(file[:50]), iotest.ErrReader(broken)), broken},
		"without end":             {io.MultiReader(bytes.NewReader(file[:20]), zeros{}), ErrTooLarge},
	} {
		if _, err := Check(c.r, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := Encode(nil, ESP32); !errors.Is(err, ErrEmpty) {
		t.Errorf("nothing is encoded: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestBoards(t *testing.T) {
	t.Parallel()
	for fqbn, want := range map[string]Magic{
		"arduino:samd:mkrwifi1010": 0x23418054, "esp32:esp32:esp32": ESP32, "esp32:esp32:esp32s3:PSRAM=on": ESP32, "arduino:mbed_opta:opta:security=none": 0x23410064,
	} {
		if got, ok := ByFQBN(fqbn); !ok || got != want {
			t.Errorf("%s: %v, %v", fqbn, got, ok)
		}
	}
	for _, fqbn := range []string{"", "esp32:esp32:", "arduino:avr:uno", "arduino:mbed_opta:optax"} {
		if got, ok := ByFQBN(fqbn); ok {
			t.Errorf("%q is taken for %v", fqbn, got)
		}
	}
	if m, ok := ByType("giga"); !ok || m.String() != "arduino:mbed_giga:giga" {
		t.Errorf("giga is %v, %v", m, ok)
	}
	if _, ok := ByType("login_and_secretkey_wifi"); ok || !ESP32.Known() || Magic(1).Known() {
		t.Error("what is not known is known, or the other way round")
	}
}

// Whatever comes as a header is refused, or survives a round trip.
func FuzzHeader(f *testing.F) {
	for _, v := range vectors {
		b, _ := hex.DecodeString(v.file)
		f.Add(b)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err == nil && !bytes.Equal(h.append(nil), b[:HeaderBytes]) {
			t.Fatalf("%x reads as %+v", b, h)
		}
		if info, err := Check(bytes.NewReader(b), nil); err == nil && (info.FileBytes != int64(len(b)) || info.ImageBytes == 0) {
			t.Fatalf("%x is %+v", b, info)
		}
	})
}

// Whatever bytes are, they come back from their compressed form, and taken for a compressed form they
// give an image within the bound that the format has, in any pieces.
func FuzzLZSS(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.image))
		b, _ := hex.DecodeString(v.file)
		f.Add(b[HeaderBytes:])
	}
	f.Add(program(3, 5000))
	f.Fuzz(func(t *testing.T, b []byte) {
		back, err := io.ReadAll(NewDecompressor(bytes.NewReader(Compress(b))))
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%x comes back as %x, %v", b, back, err)
		}
		image, err := io.ReadAll(NewDecompressor(bytes.NewReader(b)))
		if err != nil || len(image) > len(b)*longest/2+longest {
			t.Fatalf("%d bytes make an image of %d, %v", len(b), len(image), err)
		}
		slow, err := io.ReadAll(iotest.OneByteReader(NewDecompressor(iotest.OneByteReader(bytes.NewReader(b)))))
		if err != nil || !bytes.Equal(slow, image) {
			t.Fatalf("in other pieces the image is another, %v", err)
		}
	})
}

func BenchmarkCompress(b *testing.B) {
	image := program(1, 1<<20)
	b.SetBytes(int64(len(image)))
	for b.Loop() {
		Compress(image)
	}
}
