package picture

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"testing"
)

func asPNG(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 4, 4)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestClean(t *testing.T) {
	const most, side = 4096, 16
	good := asPNG(t, 16, 16)
	for name, c := range map[string]struct {
		raw  []byte
		kind string
		want error
	}{
		"PNG":                      {good, PNG, nil},
		"PNG with something after": {append(bytes.Clone(good), "CANARY"...), PNG, nil},
		"JPEG":                     {asJPEG(t), JPEG, nil},
		"too wide":                 {asPNG(t, 17, 1), "", ErrSide},
		"too many bytes":           {make([]byte, most+1), "", ErrBytes},
		"half":                     {good[:len(good)/2], "", ErrUnread},
		"nothing":                  {nil, "", ErrUnread},
		"SVG":                      {[]byte("<svg/>"), "", ErrUnread},
		"GIF":                      {[]byte("GIF89a"), "", ErrUnread},
		"called WebP":              {[]byte("RIFF0000WEBP"), "", ErrUnread},
	} {
		kind, clean, err := Clean(c.raw, most, side)
		if kind != c.kind || !errors.Is(err, c.want) || (err == nil) != (len(clean) > 0) || bytes.Contains(clean, []byte("CANARY")) {
			t.Errorf("%s: %q, %d bytes, %v, want %q, %v", name, kind, len(clean), err, c.kind, c.want)
		}
	}
}

// What is only passed on is told by its bytes, too.
func TestLook(t *testing.T) {
	good := asPNG(t, 16, 16)
	for name, c := range map[string]struct {
		raw  []byte
		kind string
		want error
	}{
		"PNG": {good, PNG, nil}, "JPEG": {asJPEG(t), JPEG, nil}, "too wide": {asPNG(t, 17, 1), "", ErrSide}, "too many bytes": {make([]byte, 4097), "", ErrBytes},
		"SVG": {[]byte("<svg/>"), "", ErrUnread}, "called WebP": {[]byte("RIFF0000WEBP"), "", ErrUnread}, "nothing": {nil, "", ErrUnread},
	} {
		if kind, err := Look(c.raw, 4096, 16); kind != c.kind || !errors.Is(err, c.want) {
			t.Errorf("%s: %q, %v, want %q, %v", name, kind, err, c.kind, c.want)
		}
	}
}

// Whatever bytes come, they are refused by name or become a picture within the bounds that is taken again.
func FuzzClean(f *testing.F) {
	f.Add(asPNG(f, 3, 2))
	f.Add(asJPEG(f))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBPVP8 "))
	f.Fuzz(func(t *testing.T, raw []byte) {
		const most, side = 1 << 16, 256
		if kind, err := Look(raw, most, side); (kind == "") != (err != nil) {
			t.Fatalf("looked at: %q, %v", kind, err)
		}
		kind, clean, err := Clean(raw, most, side)
		if err != nil {
			if !errors.Is(err, ErrUnread) && !errors.Is(err, ErrSide) && !errors.Is(err, ErrBytes) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		if again, _, err := Clean(clean, most, side); err != nil || again != kind || len(clean) > most {
			t.Fatalf("%s of %d bytes, which comes back as %q: %v", kind, len(clean), again, err)
		}
	})
}
