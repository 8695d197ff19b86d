package otafile

import (
	"bufio"
	"errors"
	"io"
)

// The numbers of the compression: Okumura's LZSS by bits, as the decoder on boards has them
// (Arduino_CloudUtils, src/lzss).
const (
	window    = 2048 // the ring that copies come from, at first full of spaces
	longest   = 17   // bytes of one copy, at most
	shortest  = 2    // and at least
	firstAt   = window - longest
	placeBits = 11
	sizeBits  = 4
)

// A Decompressor reads an image from its compressed form.
type Decompressor struct {
	in   io.ByteReader
	ring [window]byte
	at   int // in ring: where the next byte goes

	from, left int // of the copy that is under way
	bits       uint32
	have       int // bits in bits
	err        error
}

// NewDecompressor reads from r, to its end. As on boards, the image ends where a step does not come whole.
func NewDecompressor(r io.Reader) *Decompressor {
	in, ok := r.(io.ByteReader)
	if !ok {
		in = bufio.NewReader(r)
	}
	d := &Decompressor{in: in, at: firstAt}
	for i := range d.ring {
		d.ring[i] = ' '
	}
	return d
}

// take reads n bits, the first one the highest; n is at most 16.
func (d *Decompressor) take(n int) int {
	for d.have < n {
		b, err := d.in.ReadByte()
		if err != nil {
			d.err = err
			return 0
		}
		d.bits = d.bits<<8 | uint32(b)
		d.have += 8
	}
	d.have -= n
	v := d.bits >> d.have & (1<<n - 1)
	return int(v)
}

// Read implements io.Reader.
func (d *Decompressor) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if d.left > 0 {
			p[n] = d.put(d.ring[d.from])
			d.from = (d.from + 1) % window
			d.left--
			n++
			continue
		}
		literal := d.take(1)
		value := 0
		if literal == 1 {
			value = d.take(8)
		} else {
			value = d.take(placeBits)
			if d.err == nil {
				d.left = d.take(sizeBits) + shortest
			}
		}
		if d.err != nil {
			d.left = 0
			if n > 0 && errors.Is(d.err, io.EOF) {
				return n, nil
			}
			return n, d.err
		}
		if literal == 1 {
			p[n] = d.put(byte(value))
			n++
			continue
		}
		d.from = value
	}
	return n, nil
}

func (d *Decompressor) put(b byte) byte {
	d.ring[d.at] = b
	d.at = (d.at + 1) % window
	return b
}

// Compress returns the compressed form of image: the longest copy each time, and of those the nearest, so that the
// result is byte for byte what Arduino's own encoder makes.
func Compress(image []byte) []byte {
	text := make([]byte, firstAt, firstAt+len(image))
	for i := range text {
		text[i] = ' '
	}
	text = append(text, image...)
	out := bitWriter{buf: make([]byte, 0, len(image)/2+16)}
	// Where each pair of bytes stood last, and before each place, where its pair stood before.
	last := make([]int32, 1<<16)
	before := make([]int32, len(text))
	known := 0
	learn := func(to int) {
		for ; known < to && known+1 < len(text); known++ {
			pair := int(text[known])<<8 | int(text[known+1])
			before[known] = last[pair] - 1
			last[pair] = int32(known) + 1
		}
	}
	for at := firstAt; at < len(text); {
		learn(at)
		from, size := nearest(text, at, last, before)
		if size < shortest {
			out.write(1, 1)
			out.write(uint32(text[at]), 8)
			at++
			continue
		}
		out.write(0, 1)
		out.write(uint32(from%window), placeBits)
		out.write(uint32(size-shortest), sizeBits)
		at += size
	}
	return out.bytes()
}

// nearest finds the longest copy for what stands at a place, and of several the nearest.
func nearest(text []byte, at int, last, before []int32) (from, size int) {
	most := min(longest, len(text)-at)
	if most < shortest {
		return 0, 0
	}
	low := at - firstAt // what is further back the ring has no more
	for i := int(last[int(text[at])<<8|int(text[at+1])]) - 1; i >= low; i = int(before[i]) {
		n := 0
		for n < most && text[i+n] == text[at+n] {
			n++
		}
		if n > size {
			if from, size = i, n; n == most {
				break
			}
		}
	}
	return from, size
}

// bitWriter collects bits, the first one the highest of the first byte.
type bitWriter struct {
	buf  []byte
	bits uint32
	have int
}

func (w *bitWriter) write(v uint32, n int) {
	w.bits = w.bits<<n | v
	for w.have += n; w.have >= 8; {
		w.have -= 8
		w.buf = append(w.buf, byte(w.bits>>w.have))
	}
}

func (w *bitWriter) bytes() []byte {
	if w.have > 0 {
		w.buf = append(w.buf, byte(w.bits<<(8-w.have)))
	}
	return w.buf
}
