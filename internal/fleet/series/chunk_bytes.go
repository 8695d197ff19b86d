package series

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// errCodec is what every decoder of this file and its neighbours says of bytes that no
// encoder of ours wrote.
var errCodec = errors.New("malformed")

// A reader takes values off the front of b. After the first value that is not there it
// is bad and gives zeros.
type reader struct {
	b   []byte
	bad bool
	tmp []int64 // memory that may be used again
}

func (r *reader) fail() { r.b, r.bad = nil, true }

func (r *reader) err() error {
	if r.bad {
		return errCodec
	}
	return nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) int() int64 { return unzigzag(r.uint()) }

// size is a count that may not exceed limit.
func (r *reader) size(limit int) int {
	v := r.uint()
	if v > uint64(limit) {
		r.fail()
		return 0
	}
	return int(v)
}

// distance is a number of µs that is less than a chunk's span, which a machine of 32
// bits cannot count in an int.
func (r *reader) distance() int64 {
	v := r.uint()
	if v >= uint64(chunkSpan) {
		r.fail()
		return 0
	}
	return int64(v)
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) fixed64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

func appendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func appendInt(b []byte, v int64) []byte   { return binary.AppendUvarint(b, zigzag(v)) }

// uintSize is the length of appendUint's encoding.
func uintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

// A bitWriter appends bits, the lowest of each value first.
type bitWriter struct {
	b   []byte
	acc uint64
	n   uint // bits in acc, less than 64
}

func (w *bitWriter) write(v uint64, width uint) {
	if width == 0 {
		return
	}
	v &= ^uint64(0) >> (64 - width)
	w.acc |= v << w.n
	if w.n+width < 64 {
		w.n += width
		return
	}
	w.b = binary.LittleEndian.AppendUint64(w.b, w.acc)
	done := 64 - w.n
	w.acc, w.n = 0, width-done
	if done < 64 {
		w.acc = v >> done
	}
}

// close pads to a whole byte.
func (w *bitWriter) close() []byte {
	for n := uint(0); n < w.n; n += 8 {
		w.b = append(w.b, byte(w.acc>>n))
	}
	w.acc, w.n = 0, 0
	return w.b
}

// load is width bits (1 to 64) of b from bit pos on. The caller knows that they are there.
func load(b []byte, pos, width uint) uint64 {
	i, shift := pos>>3, pos&7
	mask := ^uint64(0) >> (64 - width)
	if int(i)+9 <= len(b) {
		v := binary.LittleEndian.Uint64(b[i:]) >> shift
		if shift+width > 64 {
			v |= uint64(b[i+8]) << (64 - shift)
		}
		return v & mask
	}
	var tail [9]byte
	copy(tail[:], b[i:])
	v := binary.LittleEndian.Uint64(tail[:8]) >> shift
	if shift+width > 64 {
		v |= uint64(tail[8]) << (64 - shift)
	}
	return v & mask
}

// maxPlain bounds what a compressed part of a chunk may grow to. No encoder comes near:
// text has its own bound, and a column of numbers is at most 10 bytes per point.
const maxPlain = maxChunkText + MaxText

// Both are safe for use by many goroutines, keep no goroutine of their own, and are
// made on first use because they hold about a megabyte.
var (
	zstdWriter = sync.OnceValue(func() *zstd.Encoder {
		w, err := zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedDefault),
			zstd.WithEncoderConcurrency(1),
			zstd.WithEncoderCRC(false), // every chunk is authenticated as a whole
			zstd.WithSingleSegment(true),
			zstd.WithWindowSize(1<<20),
			zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic("series: zstd refuses constant options: " + err.Error())
		}
		return w
	})
	zstdReader = sync.OnceValue(func() *zstd.Decoder {
		r, err := zstd.NewReader(nil,
			zstd.WithDecoderConcurrency(0), // as many at a time as there are processors
			zstd.WithDecoderMaxMemory(maxPlain+1),
			zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderLowmem(true))
		if err != nil {
			panic("series: zstd refuses constant options: " + err.Error())
		}
		return r
	})
)

// squeeze appends plain compressed, with its length before and after.
func squeeze(dst, plain []byte) []byte {
	dst = appendUint(dst, uint64(len(plain)))
	z := zstdWriter().EncodeAll(plain, nil)
	dst = appendUint(dst, uint64(len(z)))
	return append(dst, z...)
}

// unsqueeze reads what squeeze wrote.
func (r *reader) unsqueeze() []byte {
	n := r.size(maxPlain)
	z := r.bytes(r.size(len(r.b)))
	if r.bad {
		return nil
	}
	// The capacity bounds the decoder: it stops with an error at more than n bytes.
	plain, err := zstdReader().DecodeAll(z, make([]byte, 0, n))
	if err != nil || len(plain) != n {
		r.fail()
		return nil
	}
	return plain
}
