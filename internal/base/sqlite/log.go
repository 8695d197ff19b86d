package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The log as SQLite counts it (sqlite.org/walformat.html) and as it is in the file.
const (
	logHeaderSize   = 32
	frameHeaderSize = 24
	frameSize       = frameHeaderSize + pageSize

	sealedHeaderSize = logHeaderSize + overhead
	sealedFrameSize  = frameHeaderSize + textSize + overhead // = frameSize
)

// sealedFrame is where frame n, counted from 0, is in the file.
func sealedFrame(n int64) int64 { return sealedHeaderSize + n*sealedFrameSize }

// frameAt is where SQLite sees frame n. It is also what the seal of the frame names.
func frameAt(n int64) int64 { return logHeaderSize + n*frameSize }

// A frame is one frame's header and page, as SQLite reads them.
type frame [frameSize]byte

func (f *frame) page() uint32   { return binary.BigEndian.Uint32(f[0:]) }
func (f *frame) pages() int64   { return int64(binary.BigEndian.Uint32(f[4:])) } // of the database, if this is a commit
func (f *frame) commit() bool   { return f.pages() != 0 }
func (f *frame) salt() [8]byte  { return [8]byte(f[8:16]) }
func (f *frame) sum() [2]uint32 { return sumAt(f[16:24]) }
func (f *frame) text() []byte   { return f[frameHeaderSize:] }
func sumAt(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}
func (f *frame) sealed() []byte   { return f[:frameHeaderSize+textSize] }
func (f *frame) trailing() []byte { return f[frameHeaderSize+textSize:] }

// after is the checksum of the log up to and including f, if that before f is sum.
func (f *frame) after(sum [2]uint32, order binary.ByteOrder) [2]uint32 {
	sum = checksum(sum, f[:8], order)
	return checksum(sum, f.text(), order)
}

// checksum is SQLite's running checksum (walformat, "Checksum Algorithm").
func checksum(sum [2]uint32, b []byte, order binary.ByteOrder) [2]uint32 {
	s1, s2 := sum[0], sum[1]
	if order == binary.ByteOrder(binary.LittleEndian) {
		for ; len(b) >= 8; b = b[8:] {
			s1 += binary.LittleEndian.Uint32(b) + s2
			s2 += binary.LittleEndian.Uint32(b[4:]) + s1
		}
		return [2]uint32{s1, s2}
	}
	for ; len(b) >= 8; b = b[8:] {
		s1 += order.Uint32(b) + s2
		s2 += order.Uint32(b[4:]) + s1
	}
	return [2]uint32{s1, s2}
}

// logHeader is what we need of the 32 bytes at the beginning of a log.
type logHeader struct {
	id    logID
	order binary.ByteOrder // of checksums
	sum   [2]uint32
}

func parseHeader(b []byte) (logHeader, error) {
	var h logHeader
	switch m := binary.BigEndian.Uint32(b); m {
	case 0x377f0682:
		h.order = binary.LittleEndian
	case 0x377f0683:
		h.order = binary.BigEndian
	default:
		return h, fmt.Errorf("it begins with %#08x", m)
	}
	if v := binary.BigEndian.Uint32(b[4:]); v != 3007000 {
		return h, fmt.Errorf("its format is %d", v)
	}
	if n := binary.BigEndian.Uint32(b[8:]); n != pageSize {
		return h, fmt.Errorf("its pages have %d bytes", n)
	}
	h.id.seq = binary.BigEndian.Uint32(b[12:])
	h.id.salt = [8]byte(b[16:24])
	h.sum = checksum([2]uint32{}, b[:24], h.order)
	if h.sum != sumAt(b[24:32]) {
		return h, errors.New("its checksum does not fit")
	}
	return h, nil
}

// A logReader reads the pieces of a log.
type logReader struct {
	f   file
	s   *sealer
	buf [sealedFrameSize]byte
}

// header reads the header. It is whole only if ok; an error is the disk's.
func (r *logReader) header(dst *[logHeaderSize]byte) (ok bool, err error) {
	b := r.buf[:sealedHeaderSize]
	if _, err := r.f.ReadAt(b, 0); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return r.s.open(dst[:], b, kindHeader, 0), nil
}

// frame reads frame n, counted from 0. It is whole only if ok; an error is the disk's.
func (r *logReader) frame(n int64, dst *frame) (ok bool, err error) {
	if _, err := r.f.ReadAt(r.buf[:], sealedFrame(n)); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	clear(dst.trailing())
	return r.s.open(dst.sealed(), r.buf[:], kindFrame, frameAt(n)), nil
}

// verifyLog checks the log against the mark, and brings the mark up to date.
func (s *Store) verifyLog(wal file) error {
	name, marked := s.path+logEnding, s.log.marked
	size, err := wal.Size()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if size == 0 && !marked.live {
		return nil
	}
	if s.log.mark.count == 0 {
		return damaged(s.log.mark.name, "it is gone, so that nobody can say how long %s was", name)
	}
	if have, want := size, sealedFrame(marked.frames); marked.live && have < want {
		return damaged(name, "it ends at byte %d, but byte %d was on disk", have, want)
	}
	r := &logReader{f: wal, s: s.sealer}
	var b [logHeaderSize]byte
	ok, err := r.header(&b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !ok {
		if marked.live {
			return damaged(name, "its header is not what was written")
		}
		return nil // the power went before the header was on disk, and nothing was behind it
	}
	h, err := parseHeader(b[:])
	if err != nil {
		return damaged(name, "%v", err)
	}
	if marked.live && h.id != marked.log {
		return damaged(name, "it is log %d, but log %d was on disk", h.id.seq, marked.log.seq)
	}
	s.log.current, s.log.valid = h.id, true
	return s.verifyFrames(r, h, (size-sealedHeaderSize)/sealedFrameSize)
}

// verifyFrames walks the log as recovery will, of at most total frames.
func (s *Store) verifyFrames(r *logReader, h logHeader, total int64) error {
	var (
		name      = s.path + logEnding
		sum       = h.sum
		f         frame
		n         int64
		committed int64
		first     []byte // page 1 of the transaction that is being read
	)
	for ; n < total; n++ {
		ok, err := r.frame(n, &f)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if ok {
			sum = f.after(sum, h.order)
		}
		if !ok || f.salt() != h.id.salt || f.page() == 0 || sum != f.sum() {
			break
		}
		if f.page() == 1 {
			first = append(first[:0], f.text()...)
		}
		if f.commit() {
			committed = n + 1
			s.pages.Store(f.pages())
			if first != nil {
				head := first
				s.head.Store(&head)
				first = nil
			}
		}
	}
	if marked := s.log.marked; marked.live && committed < marked.frames {
		return damaged(name, "frame %d is not what was written; %d frames were on disk", n+1, marked.frames)
	}
	if err := s.tornOnly(r, h, n, total); err != nil {
		return err
	}
	// What a killed process wrote may be in the system's cache only, and the next
	// transaction will count on it.
	if err := r.f.Sync(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s.log.written.Store(committed)
	s.log.committed.Store(committed)
	before := s.log.marked.live
	s.log.marked = mark{live: true, log: h.id, frames: committed}
	if before {
		return s.log.mark.write(s.log.marked)
	}
	return s.log.mark.settle(s.log.marked)
}

// tornOnly says that frame n, which does not fit, is the torn end of the log. It is
// not if behind it a transaction of this log ends and another follows it: the
// first was on disk before the second began.
func (s *Store) tornOnly(r *logReader, h logHeader, n, total int64) error {
	var (
		f     frame
		ended bool
		sum   [2]uint32 // after the frame before, if ended
	)
	for i := n; i < total; i++ {
		ok, err := r.frame(i, &f)
		if err != nil {
			return fmt.Errorf("%s: %w", s.path+logEnding, err)
		}
		ok = ok && f.salt() == h.id.salt
		if ok && ended && f.after(sum, h.order) == f.sum() {
			return damaged(s.path+logEnding, "frame %d is not what was written; frame %d behind it is", n+1, i+1)
		}
		ended, sum = ok && f.commit(), f.sum()
	}
	return nil
}
