package audit

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// A copy of a log is the log at one moment, also when it has grown since, and a house
// that goes on with it says that it was restored.
func TestACopyOfTheLogIsTheLog(t *testing.T) {
	for name, n := range map[string]int{"nothing": 0, "a few": 3, "a file": 256, "more": 700} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, db.SQLite)
			h.act(n)
			h.followed()
			var b bytes.Buffer
			if err := Dump(h.dir, &b); err != nil {
				t.Fatal(err)
			}
			kept, _, err := h.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			remove(t, h.dir)
			if err := Load(h.dir, &b); err != nil {
				t.Fatal(err)
			}
			h.whole(int64(n))
			if err := Restored(t.Context(), h.db, h.dir, "house1", h.clock(), noon.Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			h.start()
			h.act(2)
			h.followed()
			r := h.whole(int64(n) + 3)
			if len(r.Breaks) != 1 || !strings.Contains(r.Breaks[0].Text, "restored from a backup of 2030-01-02T11:00:00Z") {
				t.Errorf("breaks are %+v", r.Breaks)
			}
			if r := h.verified(kept.Text); !r.Whole() {
				t.Errorf("against the checkpoint of before: %+v", r)
			}
		})
	}
}

// What was copied while the log grew is cut to what belonged together.
func TestACopyOfAGrowingLog(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(300)
	h.followed()
	older := h.dir + ".older"
	copyDir(t, h.dir, older)
	h.act(400)
	h.followed()
	// The state and the checkpoint are read, and then the last files are swept away.
	for _, name := range []string{"checkpoint", ".state/treeState"} {
		copyFile(t, filepath.Join(older, name), h.file(name))
	}
	for _, name := range []string{"entries", "0"} {
		remove(t, filepath.Join(h.dir, "tile", name, "001.p"))
	}
	var b bytes.Buffer
	if err := Dump(h.dir, &b); err != nil {
		t.Fatal(err)
	}
	remove(t, h.dir)
	if err := Load(h.dir, &b); err != nil {
		t.Fatal(err)
	}
	w := walk{tree: h.tree, size: 300, roots: map[uint64][]byte{300: nil}, bad: func(f Finding) { t.Error(f.Text) }}
	if err := w.run(); err != nil || len(w.wrong) > 0 {
		t.Errorf("the copy: %v, %v", w.wrong, err)
	}
	if _, err := os.Stat(h.file("tile/entries/001.p/44")); err != nil {
		t.Errorf("the last file has another name: %v", err)
	}
}

// meanwhile does something when the first byte is written to it.
type meanwhile struct {
	bytes.Buffer
	do func()
}

func (m *meanwhile) Write(b []byte) (int, error) {
	if m.do != nil {
		m.do()
		m.do = nil
	}
	return m.Buffer.Write(b)
}

// A copy has the leaves of the state that it has, though the log grows as soon as that is read.
func TestTheLogGrowsBehindItsState(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(7)
	h.followed()
	size, _, err := h.tree.state()
	if err != nil {
		t.Fatal(err)
	}
	b := meanwhile{do: func() {
		h.act(3)
		h.followed()
	}}
	if err := Dump(h.dir, &b); err != nil {
		t.Fatal(err)
	}
	if now, _, err := h.tree.state(); err != nil || now <= size {
		t.Fatalf("the log has %d leaves and had %d, %v", now, size, err)
	}
	remove(t, h.dir)
	if err := Load(h.dir, &b); err != nil {
		t.Fatal(err)
	}
	had, _, err := h.tree.state()
	if err != nil || had != size {
		t.Errorf("the state of the copy has %d leaves, want %d; %v", had, size, err)
	}
	w := walk{tree: h.tree, size: had, roots: map[uint64][]byte{had: nil}, bad: func(f Finding) { t.Error(f.Text) }}
	if err := w.run(); err != nil || len(w.wrong) > 0 {
		t.Errorf("the copy: %v, %v", w.wrong, err)
	}
}

// A log that somebody changed is copied as it is, so that the copy shows it as well.
func TestACopyKeepsWhatWasChanged(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(300)
	h.followed()
	edit(t, h.file("tile/entries/000"), flip(40))
	remove(t, h.file("tile/0/001.p/44"))
	before := codes(h.verified(nil))
	var b bytes.Buffer
	if err := Dump(h.dir, &b); err != nil {
		t.Fatal(err)
	}
	remove(t, h.dir)
	if err := Load(h.dir, &b); err != nil {
		t.Fatal(err)
	}
	if after := codes(h.verified(nil)); after != before || after == "" {
		t.Errorf("the copy shows %q, want %q", after, before)
	}
	remove(t, h.dir)
	if err := Dump(h.dir, &b); !errors.Is(err, ErrNoLog) {
		t.Errorf("a copy of no log: %v, want ErrNoLog", err)
	}
}

func TestACopyHasFilesOfALogAlone(t *testing.T) {
	for _, name := range []string{"../keys/root.key", "/etc/passwd", "tile/0/../../x", "tile/9/000", "tile/entries/000.q/1", ".state/treeState.lock", "checkpoint2", "tile/entries/x1/000"} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(addTar(w, name, []byte("x")), w.Close()); err != nil {
			t.Fatal(err)
		}
		if err := Load(filepath.Join(t.TempDir(), "audit"), &b); err == nil {
			t.Errorf("%s is restored", name)
		}
	}
}

// Whatever an archive holds, it is refused, or has files of a log, within their bounds, below its directory.
func FuzzCopy(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(addTar(w, "checkpoint", []byte("x")), addTar(w, "tile/entries/000.p/3", []byte("y")), w.Close()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:700])
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = files(bytes.NewReader(b), func(name string, b []byte) error {
			if !filepath.IsLocal(name) || !strings.HasPrefix(name, "tile/") && !strings.HasPrefix(name, ".state/") && name != "checkpoint" || len(b) > maxFile {
				t.Fatalf("it has %q, of %d bytes", name, len(b))
			}
			return nil
		})
	})
}
