// Package picture reads pictures that strangers send, and writes them anew, so that nothing
// but their pixels is kept: no place where one was taken, no thumbnail, no text and no
// second file behind the first.
package picture

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/webp"
)

var (
	// ErrUnread is a file that is no PNG, JPEG or WebP picture.
	ErrUnread = errors.New("this is no picture that can be read")
	// ErrSide is a picture with too many pixels, or none.
	ErrSide = errors.New("the picture is too wide, too high or empty")
	// ErrBytes is a picture that is too large, before or after it was written anew.
	ErrBytes = errors.New("the picture is too large")
)

// The kinds of picture that are written, as media types.
const (
	PNG  = "image/png"
	JPEG = "image/jpeg"
)

const quality = 88 // of JPEG, 1 to 100

// readers are told by the first bytes of a file, never by what the client calls it.
var readers = []struct {
	begins, from8 string // what stands at byte 0 and at byte 8
	own, kind     string // the media type of what comes, and of what is written
	size          func([]byte) (image.Config, error)
	read          func([]byte) (image.Image, error)
}{
	{"\x89PNG\r\n\x1a\n", "", PNG, PNG,
		func(b []byte) (image.Config, error) { return png.DecodeConfig(bytes.NewReader(b)) },
		func(b []byte) (image.Image, error) { return png.Decode(bytes.NewReader(b)) }},
	{"\xff\xd8\xff", "", JPEG, JPEG,
		func(b []byte) (image.Config, error) { return jpeg.DecodeConfig(bytes.NewReader(b)) },
		func(b []byte) (image.Image, error) { return jpeg.Decode(bytes.NewReader(b)) }},
	{"RIFF", "WEBP", "image/webp", PNG, // there is no encoder for WebP
		func(b []byte) (image.Config, error) { return webp.DecodeConfig(bytes.NewReader(b)) },
		func(b []byte) (image.Image, error) { return webp.Decode(bytes.NewReader(b)) }},
}

// Look is the media type of raw as it is, by its first bytes and its size, without reading its pixels: for a picture that is
// passed on and not kept. The bounds are as those of Clean.
func Look(raw []byte, most, side int) (kind string, err error) {
	if len(raw) > most {
		return "", ErrBytes
	}
	for _, r := range readers {
		if !begins(raw, r.begins, r.from8) {
			continue
		}
		size, err := r.size(raw)
		if err != nil {
			return "", ErrUnread
		}
		if size.Width < 1 || size.Height < 1 || size.Width > side || size.Height > side {
			return "", ErrSide
		}
		return r.own, nil
	}
	return "", ErrUnread
}

// begins says whether raw has one text at byte 0 and another at byte 8.
func begins(raw []byte, first, from8 string) bool {
	return bytes.HasPrefix(raw, []byte(first)) && (from8 == "" || len(raw) >= 12 && string(raw[8:12]) == from8)
}

// Clean is raw written anew as PNG or JPEG, and its media type. Neither may have more than most bytes, nor a
// side of more than side pixels: 4 bytes of memory for each are taken while it is read.
func Clean(raw []byte, most, side int) (kind string, clean []byte, err error) {
	if len(raw) > most {
		return "", nil, ErrBytes
	}
	for _, r := range readers {
		if !begins(raw, r.begins, r.from8) {
			continue
		}
		size, err := r.size(raw)
		if err != nil {
			return "", nil, ErrUnread
		}
		// Before it is read: a few bytes can claim any size.
		if size.Width < 1 || size.Height < 1 || size.Width > side || size.Height > side {
			return "", nil, ErrSide
		}
		picture, err := r.read(raw)
		if err != nil {
			return "", nil, ErrUnread
		}
		var out bytes.Buffer
		if r.kind == JPEG {
			err = jpeg.Encode(&out, picture, &jpeg.Options{Quality: quality})
		} else {
			err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, picture)
		}
		if err != nil {
			return "", nil, ErrUnread
		}
		if out.Len() > most {
			return "", nil, ErrBytes
		}
		return r.kind, out.Bytes(), nil
	}
	return "", nil, ErrUnread
}
