package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// forge rewrites an entry and the chain after it, as somebody does who knows this code.
func (h *house) forge(number int64) {
	h.t.Helper()
	all, err := journal.List(h.t.Context(), h.db, journal.Query{})
	if err != nil {
		h.t.Fatal(err)
	}
	h.exec(`delete from journal`)
	h.exec(`delete from journal_head`)
	for _, e := range all {
		if e.Number == number {
			e.Actor = "user:somebody-else"
		}
		if err := h.db.Write(h.t.Context(), func(tx *db.Tx) error { return journal.Record(h.t.Context(), tx, e) }); err != nil {
			h.t.Fatal(err)
		}
	}
}

// Whatever somebody changes, Verify says what and where.
func TestVerifyFindsWhatWasChanged(t *testing.T) {
	const n = 300 // a full file and a part of one
	for name, c := range map[string]struct {
		change func(t *testing.T, h *house)
		codes  string
		says   string
	}{
		"nothing": {func(*testing.T, *house) {}, "", ""},
		"an altered row": {func(_ *testing.T, h *house) { h.exec(`update journal set actor = 'user:eve' where number = 7`) },
			"row-altered", "Entry 7 of the journal was altered: its actor differs from the log, which says: thing:create by user:u1 on thing t6"},
		"an altered detail": {func(_ *testing.T, h *house) { h.exec(`update journal set detail = '{"n":"7"}' where number = 7`) },
			"row-altered", "Entry 7 of the journal was altered: its detail differs"},
		"a detail that cannot be read": {func(_ *testing.T, h *house) { h.exec(`update journal set detail = 'x' where number = 7`) },
			"row-altered", "Entry 7 of the journal was altered: its detail differs"},
		"an altered row, with a new chain": {func(_ *testing.T, h *house) { h.forge(299) },
			"row-altered row-altered", "Entry 299 of the journal was altered: its actor differs"},
		"an altered hash": {func(_ *testing.T, h *house) {
			h.exec(`update journal set hash = $1 where number = 9`, bytes.Repeat([]byte{1}, 32))
		},
			"row-altered", "The hash of entry 9 of the journal was altered"},
		"a deleted row": {func(_ *testing.T, h *house) { h.exec(`delete from journal where number = 257`) },
			"row-missing", "Entry 257 of the journal was deleted: the log has it (thing:create, by user:u1)."},
		"the last row deleted": {func(_ *testing.T, h *house) { h.exec(`delete from journal where number = 300`) },
			"database-older", "it ends with entry 299, and the log has entries 300 to 300"},
		"the first row deleted": {func(_ *testing.T, h *house) { h.exec(`delete from journal where number = 1`) },
			"row-missing", "Entry 1 of the journal was deleted"},
		"all rows deleted": {func(_ *testing.T, h *house) { h.exec(`delete from journal`); h.exec(`delete from journal_head`) },
			"database-older", "it ends with entry 0, and the log has entries 1 to 300"},
		"a row that waits, altered": {func(_ *testing.T, h *house) { h.act(3); h.exec(`update journal set id = 'x' where number = 302`) },
			"journal-chain", "Entry 302 of the journal, or the one before it, was altered; the log does not have it yet."},
		"a row that waits, deleted": {func(_ *testing.T, h *house) { h.act(3); h.exec(`delete from journal where number = 302`) },
			"row-missing", "Entry 302 of the journal is missing."},
		"the last row that waits, deleted": {func(_ *testing.T, h *house) { h.act(3); h.exec(`delete from journal where number = 303`) },
			"journal-end", "The journal ends with entry 302, and its end says 303"},
		"the end of the journal altered": {func(_ *testing.T, h *house) { h.exec(`update journal_head set number = 200`) },
			"journal-end", "its end says 200"},
		"an older database": {func(_ *testing.T, h *house) { h.setBack(250) },
			"database-older", "it ends with entry 250, and the log has entries 251 to 300"},
		"an altered leaf": {func(t *testing.T, h *house) {
			edit(t, h.file("tile/entries/000"), flipLeaf(0))
		}, "leaf-altered log-replaced", "Leaf 0 of the log was altered: it does not give the hash in audit/tile/0/000."},
		"an altered leaf in the last file": {func(t *testing.T, h *house) {
			edit(t, h.file("tile/entries/001.p/44"), flipLeaf(270-256))
		}, "leaf-altered log-replaced", "Leaf 270 of the log was altered"},
		"a leaf that is none": {func(t *testing.T, h *house) { edit(t, h.file("tile/entries/000"), flip(3)) },
			"leaf-altered log-replaced", "Leaf 0 of the log was altered"},
		"a replaced tile": {func(t *testing.T, h *house) { edit(t, h.file("tile/0/000"), flip(32*17)) },
			"tile-altered", "audit/tile/0/000 was replaced: it is not what the leaves from 17 on give, and those are what the checkpoint signs."},
		"a replaced tile further up": {func(t *testing.T, h *house) { edit(t, h.file("tile/1/000.p/1"), flip(5)) },
			"tile-altered", "audit/tile/1/000.p/1 was replaced"},
		"a shorter tile":   {func(t *testing.T, h *house) { edit(t, h.file("tile/0/000"), func(b []byte) []byte { return b[:64] }) }, "tile-altered", "from 2 on"},
		"a tile that went": {func(t *testing.T, h *house) { remove(t, h.file("tile/0/000")) }, "tile-missing", "audit/tile/0/000 is not there."},
		"leaves that went": {func(t *testing.T, h *house) { remove(t, h.file("tile/entries/001.p/44")) },
			"log-missing", "those from 256 on are missing: audit/tile/entries/001.p/44 is not there"},
		"leaves that were cut off": {func(t *testing.T, h *house) {
			edit(t, h.file("tile/entries/001.p/44"), func(b []byte) []byte { return b[:len(b)/2] })
		},
			"log-missing", "The log should have 300 leaves"},
		"a forged checkpoint": {func(t *testing.T, h *house) {
			edit(t, h.file("checkpoint"), func(b []byte) []byte { return bytes.Replace(b, []byte("\n300\n"), []byte("\n299\n"), 1) })
		}, "checkpoint-forged", "audit/checkpoint was forged: it does not bear the signature of this house's key"},
		"a checkpoint of another key": {func(t *testing.T, h *house) {
			other := newHouse(t, db.SQLite)
			other.act(300)
			other.followed()
			copyFile(t, other.file("checkpoint"), h.file("checkpoint"))
		}, "checkpoint-forged", "audit/checkpoint was forged"},
		"no checkpoint at all": {func(t *testing.T, h *house) {
			edit(t, h.file("checkpoint"), func([]byte) []byte { return []byte("hello") })
		}, "checkpoint-forged", "audit/checkpoint is no checkpoint"},
		"a checkpoint that went": {func(t *testing.T, h *house) { remove(t, h.file("checkpoint")) }, "checkpoint-missing", "audit/checkpoint is not there."},
		"the log of another house": {func(t *testing.T, h *house) {
			other := newHouse(t, db.SQLite)
			other.needs.House = "house2"
			other.start()
			other.act(300)
			other.followed()
			copyDir(t, other.dir, h.dir)
		}, "checkpoint-other", `it is signed as "ardesia-audit/house2", and this house is "ardesia-audit/house1"`},
		"an older log": {func(t *testing.T, h *house) {
			older := h.dir + ".older"
			copyDir(t, h.dir, older)
			h.act(5)
			h.followed()
			copyDir(t, older, h.dir)
		}, "log-shorter", "The log was cut off: the database remembers 305 leaves, and it has 300."},
		"an older state": {func(t *testing.T, h *house) {
			edit(t, h.file(".state/treeState"), func(b []byte) []byte { return bytes.Replace(b, []byte(`300`), []byte(`299`), 1) })
		}, "log-missing log-shorter", "its checkpoint signs 300 leaves, and it has 299."},
		"a state that is none": {func(t *testing.T, h *house) { edit(t, h.file(".state/treeState"), func([]byte) []byte { return nil }) }, "state-damaged log-shorter", "treeState is not as it was written"},
		"no log":               {func(t *testing.T, h *house) { remove(t, h.dir) }, "log-missing", "the database remembers one of 300 leaves"},
		"what the database remembers, altered": {func(_ *testing.T, h *house) { h.exec(`update audit set root = $1`, bytes.Repeat([]byte{1}, 32)) },
			"log-replaced", "are not those that the database remembers"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, db.SQLite)
			h.act(n)
			h.followed()
			c.change(t, h)
			r := h.verified(nil)
			if got := codes(r); got != c.codes {
				t.Errorf("findings are %q, want %q: %+v", got, c.codes, r.Findings)
			}
			said := false
			for _, f := range r.Findings {
				said = said || strings.Contains(f.Text, c.says)
			}
			if c.says != "" && !said {
				t.Errorf("nothing says %q: %+v", c.says, r.Findings)
			}
			if r.Whole() != (c.codes == "") {
				t.Errorf("Whole is %v", r.Whole())
			}
		})
	}
}

// flipLeaf changes one bit of the nth leaf of a file.
func flipLeaf(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[len(firstLeaves(b, n))*min(n, 1)+20] ^= 1
		return b
	}
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The same on both engines, for what is changed in the database.
func TestVerifyReadsBothEngines(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.act(1200) // more than a page of rows
		h.followed()
		h.exec(`update journal set action = 'thing:delete' where number = 1100`)
		h.exec(`delete from journal where number = 3`)
		if got := codes(h.verified(nil)); got != "row-missing row-altered" {
			t.Errorf("findings are %q", got)
		}
	})
}

// A report is bounded: whoever changed everything does not make it endless.
func TestAReportIsBounded(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(200)
	h.followed()
	h.exec(`update journal set space = 'x'`)
	if r := h.verified(nil); len(r.Findings) != maxFindings || r.Unreported != 200-maxFindings {
		t.Errorf("%d findings and %d more, want 200", len(r.Findings), r.Unreported)
	}
}

// A checkpoint that was kept elsewhere proves what came before it, and tells of a log that
// was written anew by somebody who had everything else, keys included.
func TestACheckpointKeptElsewhere(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(100)
	h.followed()
	kept, _, err := h.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	h.act(200)
	h.followed()
	later, _, err := h.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if r := h.verified(kept.Text); !r.Whole() || r.Outside != 100 {
		t.Errorf("a log that has grown: %+v", r)
	}
	if _, err := h.Verify(t.Context(), []byte("hello")); !errors.Is(err, ErrOutside) {
		t.Errorf("no checkpoint: %v, want ErrOutside", err)
	}
	forged := bytes.Replace(kept.Text, []byte("\n100\n"), []byte("\n101\n"), 1)
	if got := codes(h.verified(forged)); got != "outside-unknown" {
		t.Errorf("a checkpoint that nobody signed: %s", got)
	}

	// Somebody writes history anew, with the key, and puts everything right.
	h.forge(50)
	remove(t, h.dir)
	h.exec(`delete from audit`)
	h.start()
	h.followed()
	if r := h.verified(nil); !r.Whole() {
		t.Errorf("by itself it cannot be found: %+v", r)
	}
	if got := codes(h.verified(kept.Text)); got != "outside-differs" {
		t.Errorf("against the checkpoint of before: %q, want outside-differs", got)
	}

	// Or cuts its end off.
	h.setBack(250)
	remove(t, h.dir)
	h.start()
	h.followed()
	if got := codes(h.verified(later.Text)); got != "outside-ahead" {
		t.Errorf("against a checkpoint of more: %q, want outside-ahead", got)
	}
}

// A file of the log may be read while it is swept away: the full one has taken its place.
func TestVerifyWhileTheLogGrows(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(100)
	h.followed()
	h.act(156)
	h.followed()
	remove(t, filepath.Join(h.dir, "tile", "entries", "000.p"))
	remove(t, filepath.Join(h.dir, "tile", "0", "000.p"))
	for _, size := range []uint64{100, 256} {
		w := walk{tree: h.tree, size: size, roots: map[uint64][]byte{size: nil}, bad: func(f Finding) { t.Errorf("of %d leaves: %s", size, f.Text) }}
		if err := w.run(); err != nil || len(w.wrong) > 0 || w.roots[size] == nil {
			t.Errorf("of %d leaves: %v, %v", size, w.wrong, err)
		}
	}
}
