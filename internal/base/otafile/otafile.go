package otafile

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// HeaderBytes is the size of a header; beforeCRC is what of it length and CRC leave out.
const (
	HeaderBytes = 20
	beforeCRC   = 8
	compressed  = 0x40 // in the last byte of the version
)

// MaxFile and MaxImage bound what any board takes, in bytes: the largest flash of one is 16 MB, of which an image gets half.
const (
	MaxFile  = 8 << 20
	MaxImage = 16 << 20
)

var (
	// ErrFile is what is no .ota file.
	ErrFile = problem.New(problem.Invalid, "ota-file", "This is not an .ota file.")
	// ErrVersion is a file of a form that boards do not take.
	ErrVersion = problem.New(problem.Invalid, "ota-file-version", "The .ota file's version is not seven zeros and 0x40, the only one that boards take: make it again with ardesiactl ota encode.")
	// ErrLength is a file that is longer or shorter than its header says.
	ErrLength = problem.New(problem.Invalid, "ota-file-length", "The .ota file is not as long as its header says: it was cut off, or something was added.")
	// ErrCRC is a file that was changed on its way.
	ErrCRC = problem.New(problem.Invalid, "ota-file-crc", "The .ota file's checksum is wrong: it was changed on its way.")
	// ErrTooLarge is a file or an image that no board takes.
	ErrTooLarge = problem.New(problem.TooLarge, "ota-file-size", fmt.Sprintf("An .ota file has at most %d bytes, and the image in it %d.", MaxFile, MaxImage))
	// ErrEmpty is a file without an image.
	ErrEmpty = problem.New(problem.Invalid, "ota-file-empty", "There is no image in the .ota file.")
)

// A Header is the beginning of a file.
type Header struct {
	Length  uint32 // of what follows the checksum, in bytes
	CRC     uint32
	Magic   Magic
	Version [8]byte
}

// ParseHeader reads a header. What has a header of another version is ErrVersion.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderBytes {
		return Header{}, ErrFile.With("An .ota file begins with a header of 20 bytes, and this is shorter.")
	}
	h := Header{
		Length: binary.LittleEndian.Uint32(b), CRC: binary.LittleEndian.Uint32(b[4:]),
		Magic: Magic(binary.LittleEndian.Uint32(b[8:])), Version: [8]byte(b[12:20]),
	}
	if h.Version != ([8]byte{7: compressed}) {
		return h, ErrVersion
	}
	return h, nil
}

func (h Header) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, h.Length)
	dst = binary.LittleEndian.AppendUint32(dst, h.CRC)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(h.Magic))
	return append(dst, h.Version[:]...)
}

// Encode makes the file of an image for a board. An empty or too large image is ErrEmpty or ErrTooLarge.
func Encode(image []byte, magic Magic) ([]byte, error) {
	switch {
	case len(image) == 0:
		return nil, ErrEmpty
	case len(image) > MaxImage:
		return nil, ErrTooLarge
	}
	h := Header{Magic: magic, Version: [8]byte{7: compressed}}
	file := append(h.append(nil), Compress(image)...)
	if len(file) > MaxFile {
		return nil, ErrTooLarge
	}
	h.Length = uint32(len(file) - beforeCRC)
	h.CRC = crc32.ChecksumIEEE(file[beforeCRC:])
	copy(file, h.append(nil))
	return file, nil
}

// Info is what a whole and good file is.
type Info struct {
	Magic      Magic
	FileBytes  int64
	ImageBytes int64
	FileSHA    [32]byte
	// ImageSHA is that of the image, as the board that runs it will tell it.
	ImageSHA [32]byte
}

// Check reads a file to its end and proves it: header, length, checksum, and an image within MaxImage.
// The image goes to image, which may be nil. r may give at most MaxFile bytes; what it fails
// with is returned as it is, all else is one of the problems above.
//
// What went to image counts only if there is no error.
func Check(r io.Reader, image io.Writer) (Info, error) {
	if image == nil {
		image = io.Discard
	}
	c := &counter{from: r, file: sha256.New(), crc: crc32.NewIEEE()}
	in := bufio.NewReaderSize(c, 32<<10)
	head := make([]byte, HeaderBytes)
	n, err := io.ReadFull(in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return Info{}, err
	}
	h, err := ParseHeader(head[:n])
	if err != nil {
		return Info{}, err
	}
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(sum, image), io.LimitReader(NewDecompressor(in), MaxImage+1))
	if err != nil {
		return Info{}, err
	}
	if size > MaxImage {
		return Info{}, ErrTooLarge
	}
	switch {
	case c.n != int64(h.Length)+beforeCRC:
		return Info{}, ErrLength
	case c.crc.Sum32() != h.CRC:
		return Info{}, ErrCRC
	case size == 0:
		return Info{}, ErrEmpty
	}
	return Info{Magic: h.Magic, FileBytes: c.n, ImageBytes: size, FileSHA: [32]byte(c.file.Sum(nil)), ImageSHA: [32]byte(sum.Sum(nil))}, nil
}

// A counter sums up what goes through it, and ends it beyond MaxFile.
type counter struct {
	from io.Reader
	file hash.Hash
	crc  hash.Hash32
	n    int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.file.Write(p[:n])
	if skip := beforeCRC - c.n; skip < int64(n) {
		c.crc.Write(p[max(skip, 0):n])
	}
	if c.n += int64(n); c.n > MaxFile {
		return 0, ErrTooLarge
	}
	return n, err
}
