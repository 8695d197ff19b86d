package bundle

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/vector"
)

// An icon is the mark, as machines want it that take no SVG. Its drawing is that of web/app/mark.svg.
type icon struct {
	size  int     // pixels
	round float32 // of the corners, in units of the drawing, which has 32
	scale float32 // of what is drawn: systems cut maskable icons, of which four fifths are surely seen
}

var icons = map[string]icon{
	"icon-180.png":          {180, 0, 0.86},
	"icon-192.png":          {192, 8, 1},
	"icon-512.png":          {512, 8, 1},
	"icon-512-maskable.png": {512, 0, 0.72},
}

var (
	slate = color.RGBA{0x37, 0x47, 0x4f, 0xff}
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
	teal  = color.RGBA{0x5f, 0xd4, 0xd6, 0xff}
)

type point struct{ x, y float32 }

func (i icon) png() ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, i.size, i.size))
	i.fill(img, slate, false, corners(32, i.round)...)
	const half = 1.3 // of a line's width
	for _, line := range []struct {
		from, to point
		in       color.RGBA
	}{
		{point{6, 23}, point{14.6, 8.4}, white}, {point{14.6, 8.4}, point{16, 7.6}, white}, {point{16, 7.6}, point{17.4, 8.4}, white}, {point{17.4, 8.4}, point{26, 23}, white},
		{point{11, 18.5}, point{21, 18.5}, teal},
	} {
		i.fill(img, line.in, true, capsule(line.from, line.to, half)...)
	}
	var out bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, img)
	return out.Bytes(), err
}

// fill paints a polygon in the drawing's units; scaled is what the icon's scale is for.
func (i icon) fill(img *image.RGBA, in color.RGBA, scaled bool, all ...point) {
	unit := float32(i.size) / 32
	at := func(p point) (x, y float32) {
		if scaled {
			p.x, p.y = 16+(p.x-16)*i.scale, 16+(p.y-16)*i.scale
		}
		return p.x * unit, p.y * unit
	}
	r := vector.NewRasterizer(i.size, i.size)
	r.MoveTo(at(all[0]))
	for _, p := range all[1:] {
		r.LineTo(at(p))
	}
	r.ClosePath()
	r.DrawOp = draw.Over
	r.Draw(img, img.Bounds(), image.NewUniform(in), image.Point{})
}

// arc is a part of a circle, in steps that no eye sees.
func arc(c point, radius float32, from, to float64) []point {
	const steps = 24
	all := make([]point, 0, steps+1)
	for n := range steps + 1 {
		a := from + (to-from)*float64(n)/steps
		all = append(all, point{c.x + radius*float32(math.Cos(a)), c.y + radius*float32(math.Sin(a))})
	}
	return all
}

// corners is a square with rounded corners.
func corners(size, r float32) []point {
	if r == 0 {
		return []point{{0, 0}, {size, 0}, {size, size}, {0, size}}
	}
	var all []point
	for n, c := range []point{{size - r, size - r}, {r, size - r}, {r, r}, {size - r, r}} {
		from := float64(n) * math.Pi / 2
		all = append(all, arc(c, r, from, from+math.Pi/2)...)
	}
	return all
}

// capsule is a line with round ends.
func capsule(a, b point, half float32) []point {
	angle := math.Atan2(float64(b.y-a.y), float64(b.x-a.x))
	return append(arc(b, half, angle-math.Pi/2, angle+math.Pi/2), arc(a, half, angle+math.Pi/2, angle+3*math.Pi/2)...)
}
