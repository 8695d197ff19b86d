package sqlite

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files are a database's files by name.
type files map[string][]byte

func (d *simDisk) files() files {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := files{}
	for name, n := range d.names {
		all[name] = slices.Clone(n.data)
	}
	return all
}

func (f files) with(name string, data []byte) files {
	g := maps.Clone(f)
	g[name] = data
	return g
}

func (f files) without(name string) files {
	g := maps.Clone(f)
	delete(g, name)
	return g
}

func (f files) flip(name string, at int, bit int) files {
	data := slices.Clone(f[name])
	data[at] ^= 1 << bit
	return f.with(name, data)
}

func (f files) disk() *simDisk {
	d := newSimDisk(1)
	for name, data := range f {
		n := &inode{data: slices.Clone(data), synced: slices.Clone(data)}
		d.names[name], d.kept[name] = n, n
	}
	return d
}

// open opens the files, reads all rows and checks the rest.
func (f files) open(t testing.TB, path string, key []byte) (ledger, error) {
	t.Helper()
	return f.try(path, key, func(b *base) error { return b.Check(t.Context()) })
}

// read opens the files and reads all rows.
func (f files) read(path string, key []byte) (ledger, error) {
	return f.try(path, key, func(*base) error { return nil })
}

func (f files) try(path string, key []byte, also func(b *base) error) (ledger, error) {
	s, err := openOn(f.disk(), path, key)
	if err != nil {
		return nil, err
	}
	b := connect(s)
	b.r.SetMaxOpenConns(1)
	l, err := readLedger(b.r)
	if err == nil {
		err = also(b)
	}
	_ = b.close()
	return l, err
}

// The states in which a database is found, with what it holds.
type found struct {
	files
	path   string
	holds  ledger
	frames int64 // of the log
}

// leave makes a database with some history. The log has all of it (killed), or is
// begun anew (anew, with old frames behind the new ones), or is gone (closed).
func leave(t testing.TB, key []byte, how string) found {
	t.Helper()
	d, path := newSimDisk(7), filepath.Join(t.TempDir(), "a.db")
	s, err := openOn(d, path, key)
	must(t, err)
	b := connect(s)
	_, err = b.w.Exec(ledgerTable)
	must(t, err)
	rnd, l := rand.New(rand.NewPCG(3, 4)), ledger{}
	work := func(n int) {
		for range n {
			l, err = l.change(b.w, rnd)
			must(t, err)
		}
	}
	work(25)
	if how == "anew" {
		_, err = b.w.Exec("PRAGMA wal_checkpoint(PASSIVE)")
		must(t, err)
		work(5)
	}
	f := found{d.files(), path, l, b.LogFrames()}
	must(t, b.close())
	if how == "closed" {
		f.files = d.files()
	}
	return f
}

// same says that got is what was left, or an error that names one of the files.
func (f found) check(t *testing.T, what, name string, got ledger, err error, mustNotice bool) {
	t.Helper()
	switch {
	case err == nil && mustNotice:
		t.Errorf("%s: nobody noticed", what)
	case err == nil && !got.equal(f.holds):
		t.Errorf("%s: opened with wrong data", what)
	case err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrKey):
		t.Errorf("%s: %v, which is neither ErrDamaged nor ErrKey", what, err)
	case err != nil && !strings.Contains(err.Error(), name):
		t.Errorf("%s: %v does not name %s", what, err, name)
	}
}

func TestUntouchedStatesOpen(t *testing.T) {
	for _, how := range []string{"killed", "anew", "closed"} {
		f := leave(t, testKey(1), how)
		got, err := f.open(t, f.path, testKey(1))
		if err != nil || !got.equal(f.holds) {
			t.Errorf("%s: %v, rows %d of %d", how, err, len(got), len(f.holds))
		}
	}
}

func TestFlippedBit(t *testing.T) {
	for _, how := range []string{"killed", "anew", "closed"} {
		t.Run(how, func(t *testing.T) {
			f := leave(t, testKey(1), how)
			rnd := rand.New(rand.NewPCG(5, 6))
			for name, data := range f.files {
				// What the log has is not read from the database, the frames behind the last
				// commit are nothing, and each slot of the mark stands in for the other.
				certain := len(data)
				switch {
				case strings.HasSuffix(name, logEnding):
					certain = int(sealedFrame(f.frames))
				case strings.HasSuffix(name, markEnding), how != "closed":
					certain = 0
				}
				at := []int{0, 7, 8, 15, 16, 17, len(data) - 1}
				for _, edge := range []int{sealedHeaderSize, sealedHeaderSize + sealedFrameSize, pageSize, 2 * pageSize, int(sealedFrame(f.frames))} {
					for _, by := range []int{-nonceSize - tagSize - 1, -nonceSize - tagSize, -nonceSize - 1, -nonceSize, -1, 0, 1, 4, 8, 16, 23, 24} {
						at = append(at, edge+by)
					}
				}
				for range 40 {
					at = append(at, rnd.IntN(len(data)))
				}
				for _, i := range at {
					if i < 0 || i >= len(data) {
						continue
					}
					bit := rnd.IntN(8)
					got, err := f.flip(name, i, bit).open(t, f.path, testKey(1))
					f.check(t, fmt.Sprintf("bit %d of byte %d of %s", bit, i, filepath.Base(name)), name, got, err, i < certain)
				}
			}
		})
	}
}

// TestFlippedBitAfterPowerCut takes an old mark, as it may be on disk when the power
// went: all but the last transaction, and the commit that it followed, is still known
// to have been written.
func TestFlippedBitAfterPowerCut(t *testing.T) {
	d, path := newSimDisk(7), filepath.Join(t.TempDir(), "a.db")
	s, err := openOn(d, path, testKey(1))
	must(t, err)
	b := connect(s)
	defer b.close()
	_, err = b.w.Exec(ledgerTable)
	must(t, err)
	old := d.files()[path+markEnding]
	l, rnd := ledger{}, rand.New(rand.NewPCG(3, 4))
	var before int64
	for range 12 {
		start := b.LogFrames()
		l, err = l.change(b.w, rnd)
		must(t, err)
		if b.LogFrames() > start { // it was not undone
			before = start
		}
	}
	f := found{d.files().with(path+markEnding, old), path, l, b.LogFrames()}
	got, err := f.open(t, path, testKey(1))
	f.check(t, "nothing", path, got, err, false)
	for n := range before - 1 {
		at := int(sealedFrame(n)) + rnd.IntN(sealedFrameSize)
		got, err := f.flip(path+logEnding, at, 3).open(t, path, testKey(1))
		f.check(t, fmt.Sprintf("frame %d of %d", n+1, f.frames), path+logEnding, got, err, true)
	}
}

func TestMovedPiece(t *testing.T) {
	swap := func(data []byte, size, a, b int) []byte {
		data = slices.Clone(data)
		copy(data[a:], data[b:b+size])
		return data
	}
	closed, killed := leave(t, testKey(1), "closed"), leave(t, testKey(1), "killed")
	other, others := leave(t, testKey(1), "closed"), leave(t, testKey(1), "killed") // the same key, other files
	db, log, mark := closed.path, killed.path+logEnding, killed.path+markEnding
	for name, c := range map[string]struct {
		found
		files files
		want  string // the file that is named
	}{
		"page 3 over page 5": {closed, closed.with(db, swap(closed.files[db], pageSize, 4*pageSize, 2*pageSize)), db},
		"page 1 over page 2": {closed, closed.with(db, swap(closed.files[db], pageSize, pageSize, 0)), db},
		"page of another file": {closed, closed.with(db, append(slices.Clone(closed.files[db][:4*pageSize]),
			append(slices.Clone(other.files[other.path][4*pageSize:5*pageSize]), closed.files[db][5*pageSize:]...)...)), db},
		"another file's whole body": {closed, closed.with(db, append(slices.Clone(closed.files[db][:pageSize]), other.files[other.path][pageSize:]...)), db},
		"frame 2 over frame 4":      {killed, killed.with(log, swap(killed.files[log], sealedFrameSize, int(sealedFrame(3)), int(sealedFrame(1)))), log},
		"another file's log":        {killed, killed.with(log, others.files[others.path+logEnding]), log},
		"another file's mark":       {killed, killed.with(mark, others.files[others.path+markEnding]), mark},
		"mark's slots swapped":      {killed, killed.with(mark, swap(killed.files[mark], slotSize, 0, slotApart)), mark},
		"page of the log as a page": {closed, closed.with(db, append(slices.Clone(closed.files[db][:4*pageSize]), append(slices.Clone(killed.files[log][100:100+pageSize]), closed.files[db][5*pageSize:]...)...)), db},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.files.open(t, c.path, testKey(1))
			c.check(t, name, c.want, got, err, name != "mark's slots swapped")
		})
	}
}

func TestCutOff(t *testing.T) {
	closed, killed := leave(t, testKey(1), "closed"), leave(t, testKey(1), "killed")
	log, mark := killed.path+logEnding, killed.path+markEnding
	whole := int(sealedFrame(killed.frames))
	for name, c := range map[string]struct {
		found
		files files
		want  string
	}{
		"log without its last byte":       {killed, killed.with(log, killed.files[log][:whole-1]), log},
		"log without its last frame":      {killed, killed.with(log, killed.files[log][:whole-sealedFrameSize]), log},
		"log of one frame":                {killed, killed.with(log, killed.files[log][:sealedFrame(1)]), log},
		"log of a header":                 {killed, killed.with(log, killed.files[log][:sealedHeaderSize]), log},
		"log within its header":           {killed, killed.with(log, killed.files[log][:20]), log},
		"empty log":                       {killed, killed.with(log, nil), log},
		"no log":                          {killed, killed.without(log), log},
		"no mark":                         {killed, killed.without(mark), mark},
		"empty mark":                      {killed, killed.with(mark, nil), mark},
		"mark of zeros":                   {killed, killed.with(mark, make([]byte, slotApart+slotSize)), mark},
		"no database, but its log":        {killed, killed.without(killed.path), killed.path},
		"no database, but its mark":       {closed, closed.without(closed.path), closed.path},
		"empty database":                  {closed, closed.with(closed.path, nil), closed.path},
		"database within its first bytes": {closed, closed.with(closed.path, closed.files[closed.path][:10]), closed.path},
		"database of half a page":         {closed, closed.with(closed.path, closed.files[closed.path][:2000]), closed.path},
		"database without its last page":  {closed, closed.with(closed.path, closed.files[closed.path][:len(closed.files[closed.path])-pageSize]), closed.path},
		"database without its last byte":  {closed, closed.with(closed.path, closed.files[closed.path][:len(closed.files[closed.path])-1]), closed.path},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.files.open(t, c.path, testKey(1))
			c.check(t, name, c.want, got, err, true)
		})
	}
}

func TestWrongKey(t *testing.T) {
	for _, how := range []string{"killed", "closed"} {
		f := leave(t, testKey(1), how)
		if _, err := f.open(t, f.path, testKey(2)); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), f.path) {
			t.Errorf("%s: %v, want ErrKey that names the file", how, err)
		}
		if _, err := f.open(t, f.path, testKey(2)[:31]); err == nil {
			t.Errorf("%s: opened with a key of 31 bytes", how)
		}
	}
}
