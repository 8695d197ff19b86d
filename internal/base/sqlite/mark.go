package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A logID tells one log from the one that took its place in the same file.
type logID struct {
	seq  uint32  // SQLite's checkpoint sequence number
	salt [8]byte // both of SQLite's salts
}

// A mark says how much of the log is on disk.
type mark struct {
	live   bool  // there is a log; false is mark "none"
	log    logID // which
	frames int64 // how many of its frames; the last of them is a commit
}

// The file has two slots, a page apart, so that one write never tears both.
const (
	slots     = 2
	slotApart = 4096
	slotText  = 8 + 1 + 4 + 8 + 8 // count, live, seq, salt, frames
	slotSize  = slotText + overhead
)

// markFile is the mark on disk.
type markFile struct {
	name  string
	f     file
	s     *sealer
	count uint64 // of the newest slot; the slot is count % slots
	buf   [slotSize]byte
}

// read finds the newest mark. A file that was never written says "none", and count
// is 0: it is empty, or the power went before the first mark was on disk.
func (m *markFile) read() (mark, error) {
	var newest mark
	spoilt := false
	for i := range int64(slots) {
		clear(m.buf[:])
		if _, err := m.f.ReadAt(m.buf[:], i*slotApart); err != nil && !errors.Is(err, io.EOF) {
			return mark{}, fmt.Errorf("%s: %w", m.name, err)
		}
		if m.buf == [slotSize]byte{} {
			continue
		}
		var text [slotText]byte
		if !m.s.open(text[:], m.buf[:], kindMark, i*slotApart) {
			spoilt = true
			continue
		}
		if count := binary.BigEndian.Uint64(text[:]); count > m.count {
			m.count = count
			newest = mark{live: text[8] == 1, frames: int64(binary.BigEndian.Uint64(text[21:]))}
			newest.log.seq = binary.BigEndian.Uint32(text[9:])
			copy(newest.log.salt[:], text[13:])
		}
	}
	if m.count == 0 && spoilt {
		return mark{}, damaged(m.name, "neither of its two slots is whole")
	}
	return newest, nil
}

// write puts k into the older slot. It reaches the disk some time later.
func (m *markFile) write(k mark) error {
	var text [slotText]byte
	m.count++
	binary.BigEndian.PutUint64(text[:], m.count)
	if k.live {
		text[8] = 1
	}
	binary.BigEndian.PutUint32(text[9:], k.log.seq)
	copy(text[13:], k.log.salt[:])
	binary.BigEndian.PutUint64(text[21:], uint64(k.frames))
	at := int64(m.count%slots) * slotApart
	m.s.seal(m.buf[:], text[:], kindMark, at)
	if _, err := m.f.WriteAt(m.buf[:], at); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}

// settle puts k into both slots and waits until they are on disk: afterwards no
// older mark can come back.
func (m *markFile) settle(k mark) error {
	for range slots {
		if err := m.write(k); err != nil {
			return err
		}
	}
	if err := m.f.Sync(); err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	return nil
}
