package org

import (
	"bytes"
	"encoding/base64"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const isPNG, isJPEG = "image/png", "image/jpeg"

// drawing is one of w by h pixels; a noisy one cannot be made small.
func drawing(w, h int, noisy bool) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	random := rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			c := color.NRGBA{uint8(x), uint8(y), 99, 255}
			if noisy {
				n := random.Uint32()
				c = color.NRGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255}
			}
			m.SetNRGBA(x, y, c)
		}
	}
	return m
}

func asPNG(m image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, m)
	return b.Bytes()
}

func asJPEG(m image.Image) []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, m, nil)
	return b.Bytes()
}

// oneWebP is a lossless picture of one pixel.
func oneWebP() []byte {
	b, _ := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	return b
}

// withText is a PNG with a comment that tells where it was taken.
func withText(raw []byte) []byte {
	text := append([]byte("tEXtComment\x00"), "at home, 45.07 7.68"...)
	crc := crc32.ChecksumIEEE(text)
	chunk := append([]byte{0, 0, 0, byte(len(text) - 4)}, text...)
	chunk = append(chunk, byte(crc>>24), byte(crc>>16), byte(crc>>8), byte(crc))
	const head = 8 + 25 // signature and IHDR
	return append(append(append([]byte{}, raw[:head]...), chunk...), raw[head:]...)
}

func TestLogoIsWrittenAnew(t *testing.T) {
	small := drawing(20, 10, false)
	secret := []byte("45.07 7.68")
	withExif := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, 2 + 16}, append([]byte("Exif\x00\x00"), secret...)...)
	withExif = append(withExif, asJPEG(small)[2:]...)
	for name, c := range map[string]struct {
		raw  []byte
		kind string
		want error
	}{
		"PNG":                      {asPNG(small), isPNG, nil},
		"PNG with a comment":       {withText(asPNG(small)), isPNG, nil},
		"PNG with something after": {append(asPNG(small), secret...), isPNG, nil},
		"JPEG":                     {asJPEG(small), isJPEG, nil},
		"JPEG with a place":        {withExif, isJPEG, nil},
		"WebP":                     {oneWebP(), isPNG, nil},
		"largest":                  {asPNG(image.NewGray(image.Rect(0, 0, maxSide, maxSide))), isPNG, nil},
		"too wide":                 {asPNG(image.NewGray(image.Rect(0, 0, maxSide+1, 1))), "", ErrLogoSize},
		"too high":                 {asPNG(image.NewGray(image.Rect(0, 0, 1, maxSide+1))), "", ErrLogoSize},
		"too many bytes":           {asPNG(drawing(400, 300, true)), "", ErrLogoBytes},
		"larger than it came":      {asJPEG(drawing(600, 400, true)), "", nil},
		"SVG":                      {[]byte(`<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`), "", ErrLogo},
		"GIF":                      {[]byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), "", ErrLogo},
		"a page":                   {[]byte("<html>"), "", ErrLogo},
		"cut off":                  {asPNG(small)[:60], "", ErrLogo},
		"nothing":                  {nil, "", ErrLogo},
		"a name without a picture": {[]byte("\x89PNG\r\n\x1a\n"), "", ErrLogo},
		"RIFF that is sound":       {[]byte("RIFF\x00\x00\x00\x00WAVEfmt "), "", ErrLogo},
	} {
		t.Run(name, func(t *testing.T) {
			kind, clean, err := cleanLogo(c.raw)
			if name == "larger than it came" { // whichever it is, nothing beyond the bound is kept
				if err == nil && len(clean) > MaxLogo || err != nil && !errors.Is(err, ErrLogoBytes) {
					t.Errorf("%d bytes, %v", len(clean), err)
				}
				return
			}
			if kind != c.kind || !errors.Is(err, c.want) {
				t.Fatalf("%q, %v, want %q, %v", kind, err, c.kind, c.want)
			}
			if err != nil {
				return
			}
			if bytes.Contains(clean, secret) || bytes.Contains(clean, []byte("Exif")) {
				t.Errorf("it still tells where it was taken: %q", clean)
			}
			if _, _, err := image.Decode(bytes.NewReader(clean)); err != nil {
				t.Errorf("what is kept is no picture: %v", err)
			}
		})
	}
}

// Whatever is sent as a logo is refused with a problem, or kept as a picture of few enough
// pixels and bytes, of which nothing is left but the picture.
func FuzzLogo(f *testing.F) {
	f.Add(asPNG(drawing(3, 2, false)))
	f.Add(asJPEG(drawing(3, 2, false)))
	f.Add(oneWebP())
	f.Add(withText(asPNG(drawing(1, 1, false))))
	f.Add([]byte("RIFF\x1a\x00\x00\x00WEBPVP8X"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		kind, clean, err := cleanLogo(raw)
		if err != nil {
			if !errors.Is(err, ErrLogo) && !errors.Is(err, ErrLogoBytes) && !errors.Is(err, ErrLogoSize) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		m, format, err := image.DecodeConfig(bytes.NewReader(clean))
		if err != nil || "image/"+format != kind || len(clean) > MaxLogo || m.Width > maxSide || m.Height > maxSide {
			t.Fatalf("kept %d bytes as %s: %+v %s, %v", len(clean), kind, m, format, err)
		}
		again, same, err := cleanLogo(clean)
		if err != nil || again != kind || kind == isPNG && !bytes.Equal(same, clean) {
			t.Fatalf("read again it is %s, %v", again, err)
		}
	})
}

func TestLogoOfASpace(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d)
		sp, err := s.AddShared(ctx, person("anna"), "anna", "School")
		must(t, err)
		if has, err := s.HasLogo(ctx, sp.ID); has || err != nil {
			t.Errorf("HasLogo = %v, %v", has, err)
		}
		who := access.Actor{Kind: access.User, ID: "anna", Space: sp.ID, Role: access.Admin}
		get := func(tag string) *httptest.ResponseRecorder {
			t.Helper()
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			if tag != "" {
				r.Header.Set("If-None-Match", tag)
			}
			if err := s.httpLogo(w, r, who); err != nil {
				w.Code = http.StatusTeapot
				if !errors.Is(err, ErrNoLogo) {
					t.Error(err)
				}
			}
			return w
		}
		if w := get(""); w.Code != http.StatusTeapot {
			t.Errorf("before there is one: %d", w.Code)
		}
		must(t, s.SetLogo(ctx, who, sp.ID, asPNG(drawing(4, 4, false))))
		must(t, s.SetLogo(ctx, who, sp.ID, asJPEG(drawing(8, 8, false))))
		w := get("")
		for name, want := range map[string]string{
			"Content-Type": isJPEG, "Content-Security-Policy": "default-src 'none'; sandbox", "Content-Disposition": "inline",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "private, no-cache",
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if m, err := jpeg.Decode(w.Body); err != nil || m.Bounds().Dx() != 8 {
			t.Errorf("shown: %v", err)
		}
		if again := get(w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("the same again: %d with %d bytes", again.Code, again.Body.Len())
		}
		for range 2 {
			must(t, s.DropLogo(ctx, who, sp.ID))
		}
		if w := get(""); w.Code != http.StatusTeapot {
			t.Errorf("when it is gone: %d", w.Code)
		}
		if err := s.SetLogo(ctx, who, uuid.NewString(), asPNG(drawing(4, 4, false))); !errors.Is(err, ErrNotFound) {
			t.Errorf("of no space: %v", err)
		}
		// It goes with its space.
		must(t, s.SetLogo(ctx, who, sp.ID, asPNG(drawing(4, 4, false))))
		_, err = s.Erase(ctx, system, sp.ID, Size{})
		must(t, err)
		if has, err := s.HasLogo(ctx, sp.ID); has || err != nil {
			t.Errorf("of an erased space: %v, %v", has, err)
		}
	})
}
