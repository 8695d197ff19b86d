package sqlite

import (
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// logFile is the log as one connection sees it. SQLite writes a frame's header and
// then its page; we seal both together, so the header waits for the page.
type logFile struct {
	s *Store
	r logReader

	waiting bool // header is written to nowhere yet
	frame   int64
	header  [frameHeaderSize]byte

	commit int64 // frames up to a commit that this connection wrote and did not sync; 0 is none
	buf    frame
	out    [sealedFrameSize]byte
}

func (l *logFile) name() string { return l.s.path + logEnding }

func (l *logFile) fail(err error, code sqlite3.ExtendedErrorCode) error {
	return vfs.SystemError(fmt.Errorf("%s: %w", l.name(), err), code)
}

// ReadAt reads the header, a frame, or a part of one of them.
func (l *logFile) ReadAt(p []byte, off int64) (int, error) {
	if err := l.flush(); err != nil {
		return 0, err
	}
	if off < logHeaderSize {
		return l.readHeader(p, off)
	}
	n, skip := (off-logHeaderSize)/frameSize, (off-logHeaderSize)%frameSize
	if skip+int64(len(p)) > frameSize {
		return 0, l.fail(fmt.Errorf("read of %d bytes at %d", len(p), off), sqlite3.IOERR_READ)
	}
	ok, err := l.r.frame(n, &l.buf)
	switch {
	case err != nil:
		return 0, l.fail(err, sqlite3.IOERR_READ)
	case ok:
		return copy(p, l.buf[skip:]), nil
	// Recovery reads whole frames, also behind the last commit. Everything else
	// is read because the index of the log says that it is there.
	case len(p) == frameSize && n >= l.s.log.written.Load():
		clear(p)
		return len(p), nil
	}
	return 0, l.s.trouble.corrupt(damaged(l.name(), "frame %d is not what was written", n+1))
}

func (l *logFile) readHeader(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > logHeaderSize {
		return 0, l.fail(fmt.Errorf("read of %d bytes at %d", len(p), off), sqlite3.IOERR_READ)
	}
	var h [logHeaderSize]byte
	ok, err := l.r.header(&h)
	if err != nil {
		return 0, l.fail(err, sqlite3.IOERR_READ)
	}
	if !ok {
		l.s.log.mu.Lock()
		defer l.s.log.mu.Unlock()
		if l.s.log.valid {
			return 0, l.s.trouble.corrupt(damaged(l.name(), "its header is not what was written"))
		}
		clear(h[:]) // there is no log yet
	}
	return copy(p, h[off:]), nil
}

// WriteAt writes the header of the log, the header of a frame or the page of a frame.
func (l *logFile) WriteAt(p []byte, off int64) (int, error) {
	if err := l.s.trouble.broken(); err != nil {
		return 0, vfs.SystemError(err, sqlite3.IOERR_WRITE)
	}
	n, skip := (off-logHeaderSize)/frameSize, (off-logHeaderSize)%frameSize
	var err error
	switch {
	case off == 0 && len(p) == logHeaderSize:
		err = l.begin(p)
	case off >= logHeaderSize && skip == 0 && len(p) == frameHeaderSize:
		if l.frame != n {
			err = l.flush()
		}
		l.waiting, l.frame = true, n
		copy(l.header[:], p)
	case off >= logHeaderSize && skip == frameHeaderSize && len(p) == pageSize:
		err = l.writePage(n, p)
	default:
		err = l.fail(fmt.Errorf("write of %d bytes at %d", len(p), off), sqlite3.IOERR_WRITE)
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// begin writes the header of a new log over that of the old one, whose text is all
// in the database.
func (l *logFile) begin(p []byte) error {
	h, err := parseHeader(p)
	if err != nil {
		return l.fail(err, sqlite3.IOERR_WRITE)
	}
	if err := l.s.noLog(); err != nil {
		return err
	}
	log := &l.s.log
	log.mu.Lock()
	defer log.mu.Unlock()
	l.waiting, l.commit = false, 0
	out := l.out[:sealedHeaderSize]
	l.s.sealer.seal(out, p, kindHeader, 0)
	if _, err := l.r.f.WriteAt(out, 0); err != nil {
		return writeError(l.name(), err)
	}
	log.current, log.valid, log.unsettled = h.id, true, true
	return nil
}

// writePage seals the page of frame n with the header that came before it.
func (l *logFile) writePage(n int64, p []byte) error {
	if err := l.s.reserved(p); err != nil {
		return err
	}
	if l.waiting && l.frame == n {
		copy(l.buf[:], l.header[:])
		l.waiting = false
	} else {
		// SQLite writes a page of this transaction again, and later its headers.
		if err := l.flush(); err != nil {
			return err
		}
		ok, err := l.r.frame(n, &l.buf)
		if err != nil {
			return l.fail(err, sqlite3.IOERR_READ)
		}
		if !ok {
			return l.s.trouble.corrupt(damaged(l.name(), "frame %d is not what was written", n+1))
		}
	}
	copy(l.buf.text(), p)
	return l.write(n)
}

// flush seals a header that got no page with the page that is there: SQLite
// corrects checksums when it has written a page of a transaction twice.
func (l *logFile) flush() error {
	if !l.waiting {
		return nil
	}
	l.waiting = false
	ok, err := l.r.frame(l.frame, &l.buf)
	if err != nil {
		return l.fail(err, sqlite3.IOERR_READ)
	}
	if !ok {
		return l.s.trouble.corrupt(damaged(l.name(), "frame %d is not what was written", l.frame+1))
	}
	copy(l.buf[:], l.header[:])
	return l.write(l.frame)
}

// write seals buf as frame n.
func (l *logFile) write(n int64) error {
	if err := l.settle(); err != nil {
		return err
	}
	log := &l.s.log
	l.commit = 0
	l.s.sealer.seal(l.out[:], l.buf.sealed(), kindFrame, frameAt(n))
	if _, err := l.r.f.WriteAt(l.out[:], sealedFrame(n)); err != nil {
		log.written.Store(min(log.written.Load(), n)) // it may be torn
		return writeError(l.name(), err)
	}
	log.written.Store(max(log.written.Load(), n+1))
	if l.buf.commit() {
		l.commit = n + 1
		l.s.pages.Store(l.buf.pages())
	}
	return nil
}

// settle makes durable that there is a log, after its header is.
func (l *logFile) settle() error {
	log := &l.s.log
	log.mu.Lock()
	defer log.mu.Unlock()
	if !log.unsettled {
		return nil
	}
	log.unsettled = false
	log.marked = mark{live: true, log: log.current}
	if err := errors.Join(l.r.f.Sync(), log.mark.settle(log.marked)); err != nil {
		return l.fail(l.s.trouble.fail(err), sqlite3.IOERR_FSYNC)
	}
	return nil
}

// Sync waits until the log is on disk and marks the last commit that it covered.
func (l *logFile) Sync(vfs.SyncFlag) error {
	if err := l.s.trouble.broken(); err != nil {
		return vfs.SystemError(err, sqlite3.IOERR_FSYNC)
	}
	if err := l.flush(); err != nil {
		return err
	}
	log := &l.s.log
	log.mu.Lock()
	first := log.unsettled
	log.mu.Unlock()
	if first {
		return l.settle()
	}
	if err := l.r.f.Sync(); err != nil {
		return l.fail(l.s.trouble.fail(err), sqlite3.IOERR_FSYNC)
	}
	if l.commit == 0 {
		return nil
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	log.committed.Store(l.commit)
	log.marked.frames = l.commit
	l.commit = 0
	if err := log.mark.write(log.marked); err != nil {
		return l.fail(l.s.trouble.fail(err), sqlite3.IOERR_WRITE)
	}
	return nil
}

// Truncate cuts the log: to nothing when all of it is in the database, else
// behind what is needed.
func (l *logFile) Truncate(size int64) error {
	if err := l.s.trouble.broken(); err != nil {
		return vfs.SystemError(err, sqlite3.IOERR_TRUNCATE)
	}
	if err := l.flush(); err != nil {
		return err
	}
	frames := max(0, size-logHeaderSize) / frameSize
	if size < logHeaderSize || frames < l.s.log.committed.Load() {
		if err := l.s.noLog(); err != nil {
			return err
		}
	}
	if size >= logHeaderSize {
		size += sealedHeaderSize - logHeaderSize
	}
	l.s.log.written.Store(min(l.s.log.written.Load(), frames))
	return l.r.f.Truncate(size)
}

// Size is the length as SQLite counts it.
func (l *logFile) Size() (int64, error) {
	if err := l.flush(); err != nil {
		return 0, err
	}
	size, err := l.r.f.Size()
	return max(0, size-(sealedHeaderSize-logHeaderSize)), err
}

// Close closes the log.
func (l *logFile) Close() error { return errors.Join(l.flush(), l.r.f.Close()) }

// Nobody locks a log.
func (l *logFile) Lock(vfs.LockLevel) error         { return nil }
func (l *logFile) Unlock(vfs.LockLevel) error       { return nil }
func (l *logFile) CheckReservedLock() (bool, error) { return false, nil }
func (l *logFile) SectorSize() int                  { return pageSize }

// DeviceCharacteristics are those of the database file.
func (l *logFile) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, io.ErrShortWrite)
}
