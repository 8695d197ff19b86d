package account

import (
	"bytes"
	"image"
	"image/color"
	_ "image/gif" // pictures that people have
	"image/jpeg"
	"image/png"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrPicture is an upload that is no picture, or one too large.
var ErrPicture = problem.New(problem.Invalid, "account-picture", "A picture is a PNG, JPEG or GIF file of at most 512 KiB and 12 million pixels.")

const (
	// MaxPicture is how many bytes an uploaded picture may have.
	MaxPicture = 512 << 10
	// maxPixels bounds the memory that decoding takes: 4 bytes each, 8 for deep PNGs.
	maxPixels = 12_000_000
	side      = 256 // pixels of the picture that is kept
)

// paint makes the picture that is kept: the middle square of the upload, 256 pixels
// wide, written anew. Nothing of the uploaded file survives, places and comments included.
func paint(upload []byte) ([]byte, error) {
	if len(upload) > MaxPicture {
		return nil, ErrPicture
	}
	size, _, err := image.DecodeConfig(bytes.NewReader(upload))
	if err != nil || size.Width < 1 || size.Height < 1 || size.Width > maxPixels/size.Height {
		return nil, ErrPicture
	}
	from, _, err := image.Decode(bytes.NewReader(upload))
	if err != nil {
		return nil, ErrPicture
	}
	small := shrink(from)
	var out bytes.Buffer
	if small.Opaque() {
		err = jpeg.Encode(&out, small, &jpeg.Options{Quality: 88})
	} else {
		err = png.Encode(&out, small)
	}
	return out.Bytes(), err
}

// samples is how many points of the upload make one pixel, across and down.
const samples = 4

// shrink takes the mean of some points of the upload for each pixel; a small upload
// is made larger.
func shrink(from image.Image) *image.NRGBA {
	b := from.Bounds()
	width := min(b.Dx(), b.Dy())
	left, top := b.Min.X+(b.Dx()-width)/2, b.Min.Y+(b.Dy()-width)/2
	to := image.NewNRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			var r, g, bl, a uint32
			for j := range samples {
				for i := range samples {
					px := left + (x*samples+i)*width/(side*samples)
					py := top + (y*samples+j)*width/(side*samples)
					cr, cg, cb, ca := from.At(px, py).RGBA()
					r, g, bl, a = r+cr, g+cg, bl+cb, a+ca
				}
			}
			const n = samples * samples
			mean := color.RGBA64{R: uint16(r / n), G: uint16(g / n), B: uint16(bl / n), A: uint16(a / n)}
			to.Set(x, y, mean)
		}
	}
	return to
}

// mediaOf tells the two forms apart that paint makes.
func mediaOf(image []byte) string {
	if bytes.HasPrefix(image, []byte("\x89PNG")) {
		return "image/png"
	}
	return "image/jpeg"
}
