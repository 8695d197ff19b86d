package series

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew; what is on disk somewhere can then no longer be read")

// golden is the content of a file of hex digits, which line breaks may part.
func golden(t *testing.T, name string, now []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", "golden", strings.ReplaceAll(name, " ", "-")+".hex")
	if *update {
		text := hex.EncodeToString(now)
		var lines []string
		for ; len(text) > 96; text = text[96:] {
			lines = append(lines, text[:96])
		}
		if err := os.WriteFile(path, []byte(strings.Join(append(lines, text), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// zstdMagic begins what another version of the compressor may write otherwise.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// What was written by any version of us is read by this one, and is still written so.
func TestGoldenChunks(t *testing.T) {
	for name, want := range seeds() {
		t.Run(name, func(t *testing.T) {
			now := new(scratch).appendBody(nil, want)
			b := golden(t, "body "+name, now)
			var got span
			var tmp []int64
			if err := readBody(b, &got, &tmp); err != nil {
				t.Fatal(err)
			}
			sameSpan(t, &got, want)
			if !bytes.Contains(b, zstdMagic) && !bytes.Equal(now, b) {
				t.Errorf("it is now written as % x", now)
			}
			h := summary(want)
			now = appendHead(nil, &h)
			b = golden(t, "head "+name, now)
			if got, err := readHead(b); err != nil || !sameHead(&got, &h) {
				t.Errorf("head %+v, want %+v (%v)", got, h, err)
			}
			if !bytes.Equal(now, b) {
				t.Errorf("its head is now written as % x", now)
			}
		})
	}
}

// The same for the log.
func TestGoldenLog(t *testing.T) {
	for name, want := range seeds() {
		t.Run(name, func(t *testing.T) {
			var s section
			for i := range want.at {
				v := want.value(i)
				s.add(int64(1+i%2*70), want.at[i], &v)
			}
			b := golden(t, "log "+name, s.plain)
			var got span
			if err := readSection(b, func(series, at int64, v Value) error {
				if want := int64(1 + got.len()%2*70); series != want {
					t.Errorf("point %d is of series %d, want %d", got.len(), series, want)
				}
				got.push(at, v)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			sameSpan(t, &got, want)
			if !bytes.Equal(s.plain, b) {
				t.Errorf("it is now written as % x", s.plain)
			}
		})
	}
}

// The points of a section are what was added, or it is refused; a refused one gives no
// more than came before the fault.
func FuzzSection(f *testing.F) {
	for _, s := range seeds() {
		var sect section
		for i := range s.at {
			v := s.value(i)
			sect.add(int64(i%5+1), s.at[i], &v)
		}
		f.Add(sect.plain)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		type record struct {
			series, at int64
			v          Value
		}
		read := func(b []byte) (all []record, err error) {
			err = readSection(b, func(series, at int64, v Value) error {
				all = append(all, record{series, at, v})
				return nil
			})
			return all, err
		}
		first, err := read(b)
		var s section
		for i := range first {
			s.add(first[i].series, first[i].at, &first[i].v)
		}
		if err != nil {
			return
		}
		again, err := read(s.plain)
		if err != nil || len(again) != len(first) {
			t.Fatalf("%d points become %d (%v)", len(first), len(again), err)
		}
		for i := range first {
			if first[i].series != again[i].series || first[i].at != again[i].at || !first[i].v.same(again[i].v) {
				t.Fatalf("point %d: %+v becomes %+v", i, first[i], again[i])
			}
		}
	})
}

// A row of the log is taken apart into the things and sealed sections that it was made
// of, or refused.
func FuzzRow(f *testing.F) {
	row := appendID(beginRow(nil, 7), "0190a0b0-0000-7000-8000-00000000000b")
	row = append(row, 3, 1, 2, 3)
	f.Add(row)
	f.Add(append(appendID(row, "t"), 0))
	f.Add([]byte{logVersion, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		var tail []byte
		sections := 0
		next, err := eachSection(b, func(thing string, sealed []byte) error {
			tail = append(appendUint(appendID(tail, thing), uint64(len(sealed))), sealed...)
			sections++
			return nil
		})
		if err != nil {
			return
		}
		again, err := eachSection(append(beginRow(nil, next), tail...), func(thing string, sealed []byte) error {
			sections--
			return nil
		})
		if err != nil || sections != 0 || again != next {
			t.Fatalf("%d sections too many, free from %d and not %d (%v)", sections, again, next, err)
		}
	})
}
