package sqlite

import (
	"bytes"
	"errors"
	"io"

	"path/filepath"
	"slices"
	"testing"
)

// Whatever stands behind the last commit that is marked, opening drops it: the
// database holds what was acknowledged, no more and no less. Whatever stands in
// place of the end of the log when the mark is old, opening finds a state that
// the database had, or says that the log is damaged.
func FuzzLogTail(f *testing.F) {
	left := leave(f, testKey(1), "killed")
	log := left.path + logEnding
	end := int(sealedFrame(left.frames))
	whole := left.files[log]
	f.Add([]byte{}, uint16(0))
	f.Add([]byte("not a frame"), uint16(1))
	f.Add(make([]byte, sealedFrameSize), uint16(2))
	f.Add(slices.Clone(whole[sealedFrame(2):sealedFrame(4)]), uint16(3)) // frames from elsewhere
	f.Add(slices.Clone(whole[sealedFrame(1):]), uint16(1))               // the whole end again
	f.Add(bytes.Repeat([]byte{0xff}, sealedFrameSize+100), uint16(9))

	d := newSimDisk(7)
	s, err := openOn(d, left.path, testKey(1))
	must(f, err)
	b := connect(s)
	_, err = b.w.Exec(ledgerTable)
	must(f, err)
	early := found{files: d.files(), path: left.path} // its mark is old for what follows
	states, commits := []ledger{{}}, []int64{b.LogFrames()}
	for i := range 6 {
		_, err = b.w.Exec("INSERT INTO ledger (id, version, body) VALUES (?1, 1, ?2)", i, body(i, 1, bodySize(i)))
		must(f, err)
		next := ledger{}
		for id := range i + 1 {
			next[id] = 1
		}
		states, commits = append(states, next), append(commits, b.LogFrames())
	}
	late := d.files().with(left.path+markEnding, early.files[left.path+markEnding])
	must(f, b.close())

	frames := func(t *testing.T, f files) (int64, error) {
		s, err := openOn(f.disk(), left.path, testKey(1))
		if err != nil {
			return 0, err
		}
		defer s.close()
		return s.LogFrames(), nil
	}
	f.Fuzz(func(t *testing.T, tail []byte, at uint16) {
		if len(tail) > 1<<16 {
			return
		}
		marked := left.with(log, append(slices.Clone(whole[:end]), tail...))
		if n, err := frames(t, marked); n != left.frames {
			t.Fatalf("with %d bytes behind the log: %v, %d frames of %d", len(tail), err, n, left.frames)
		}
		data := late[log]
		cut := len(early.files[log]) + int(at)%(len(data)-len(early.files[log]))
		old := late.with(log, append(slices.Clone(data[:cut]), tail...))
		if n, err := frames(t, old); err != nil && !errors.Is(err, ErrDamaged) || err == nil && !slices.Contains(commits, n) {
			t.Fatalf("with %d bytes from byte %d on: %v, %d frames", len(tail), cut, err, n)
		}
		if len(tail)%8 != 0 {
			return // SQLite is slow under the fuzzer
		}
		if got, err := marked.read(left.path, testKey(1)); err != nil || !got.equal(left.holds) {
			t.Fatalf("with %d bytes behind the log: %v, %d rows of %d", len(tail), err, len(got), len(left.holds))
		}
		if got, err := old.read(left.path, testKey(1)); err != nil && !errors.Is(err, ErrDamaged) || err == nil && !slices.ContainsFunc(states, got.equal) {
			t.Fatalf("with %d bytes from byte %d on: %v, %v", len(tail), cut, err, got)
		}
	})
}

// A sealed temporary file holds what a file in memory holds, whatever is written,
// cut and read.
func FuzzTempFile(f *testing.F) {
	f.Add([]byte{0, 0, 10, 1, 0, 10, 2, 0, 5, 1, 0, 20})
	f.Add([]byte{0, 200, 255, 0, 10, 4, 2, 100, 3, 0, 255, 255, 1, 0, 255})
	f.Fuzz(func(t *testing.T, ops []byte) {
		s := &Store{path: filepath.Join(t.TempDir(), "x"), disk: osDisk{}}
		sealed, err := s.openTemp()
		must(t, err)
		defer sealed.Close()
		plain := &memFile{}
		for i := 0; i+2 < len(ops) && i < 300; i += 3 {
			off, n := int64(ops[i+1])*97, 1+int(ops[i+2])*41
			p, q := bytes.Repeat([]byte{byte(i)}, n), make([]byte, n)
			switch ops[i] % 3 {
			case 0:
				_, err1 := sealed.WriteAt(p, off)
				_, err2 := plain.WriteAt(p, off)
				must(t, errors.Join(err1, err2))
			case 1:
				n1, err1 := sealed.ReadAt(p, off)
				n2, err2 := plain.ReadAt(q, off)
				if n1 != n2 || !bytes.Equal(p[:n1], q[:n2]) || errors.Is(err1, io.EOF) != errors.Is(err2, io.EOF) {
					t.Fatalf("operation %d: read %d, %v at %d, want %d, %v", i/3, n1, err1, off, n2, err2)
				}
			case 2:
				must(t, errors.Join(sealed.Truncate(off), plain.Truncate(off)))
			}
		}
	})
}

// A file that is no database of ours is refused, whatever it holds.
func FuzzDatabase(f *testing.F) {
	left := leave(f, testKey(1), "closed")
	data := left.files[left.path]
	f.Add(data[:pageSize])
	f.Add(data[:100])
	f.Add(append([]byte(magic), make([]byte, pageSize)...))
	f.Add(slices.Clone(data[:len(data)-pageSize]))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 || bytes.Equal(b, data) || len(b) > 1<<20 {
			return
		}
		if _, err := left.with(left.path, b).open(t, left.path, testKey(1)); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrKey) {
			t.Fatalf("opened %d bytes: %v", len(b), err)
		}
	})
}
