package audit

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// Every entry of the journal becomes one leaf, in order, across starts, and what is
// published is signed.
func TestTheLogFollowsTheJournal(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if _, _, err := h.Checkpoint(); !errors.Is(err, ErrNone) {
			t.Errorf("a checkpoint before the first start: %v, want ErrNone", err)
		}
		h.followed()
		h.whole(0)
		want := 0
		for _, n := range []int{1, 2, 255, 1, 300, 0, 5} { // over the width of a file, and exactly to it
			h.act(n)
			want += n
			h.followed()
			if n == 300 {
				h.start()
			}
		}
		r := h.whole(int64(want))
		if r.Size != uint64(want) {
			t.Errorf("the log has %d leaves, want %d", r.Size, want)
		}
		c, key, err := h.Checkpoint()
		if err != nil || c.Size != r.Size || !strings.HasPrefix(key, "ardesia-audit/house1+") {
			t.Errorf("the checkpoint is %+v, %q, %v", c, key, err)
		}
		if st := h.Stats(); st.Size != int64(want) || st.Waiting != 0 || st.Lag != 0 {
			t.Errorf("stats are %+v", st)
		}
		at := r.Size
		if err := h.tree.back(r.Size, func(l leaf) (bool, error) {
			if l.entry.Number != int64(at) {
				t.Errorf("leaf %d is entry %d", at-1, l.entry.Number)
			}
			at--
			return true, nil
		}); err != nil || at != 0 {
			t.Errorf("%d leaves were not read, %v", at, err)
		}
	})
}

// A log that is made again from the same journal is the same log: a checkpoint that was
// kept elsewhere still fits.
func TestTheLogIsAFunctionOfTheJournal(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(300)
	h.followed()
	before, _, err := h.Checkpoint()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(h.dir); err != nil {
		t.Fatal(err)
	}
	h.exec(`delete from audit`)
	h.start()
	h.followed()
	after, _, err := h.Checkpoint()
	if err != nil || !bytes.Equal(before.Text, after.Text) {
		t.Errorf("the log made again is %s, want %s, %v", after.Text, before.Text, err)
	}
}

var errCut = errors.New("the power went off")

// The power goes off after each step, wherever that is; the next start goes on, and
// the log has every entry once.
func TestCutBetweenAnyTwoSteps(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.act(3)
		h.followed()
		older := h.dir + ".older"
		copyDir(t, h.dir, older)
		entries := int64(3)
		// Each life begins with a log that was cut off, so that its repair is cut too.
		for cut := 1; ; cut++ {
			h.act(2)
			entries += 2
			steps, at := 0, ""
			h.needs.cut = func(step string) error {
				if steps++; steps == cut {
					at = step
					return errCut
				}
				return nil
			}
			h.start()
			err := h.Follow(t.Context())
			h.needs.cut = nil
			h.start()
			h.followed()
			r := h.verified(nil)
			if !r.Whole() || r.Waiting != 0 || r.Size != uint64(r.Entries) {
				t.Fatalf("after a cut at %q: %+v", at, r)
			}
			if at == "" {
				if err != nil || cut < 4 {
					t.Errorf("the life without a cut ended with %v, after %d cuts", err, cut-1)
				}
				if got := int64(len(r.Breaks)); got != int64(cut)-1 {
					t.Errorf("%d breaks are told, want %d", got, cut-1)
				}
				return
			}
			if !errors.Is(err, errCut) {
				t.Errorf("cut at %q: %v", at, err)
			}
			copyDir(t, older, h.dir)
		}
	})
}

// The same for a database that was set back.
func TestCutWhileGoingOnWithAnOlderDatabase(t *testing.T) {
	for cut := 1; ; cut++ {
		h := newHouse(t, db.SQLite)
		h.act(10)
		h.followed()
		h.setBack(6)
		steps, at := 0, ""
		h.needs.cut = func(step string) error {
			if steps++; steps == cut {
				at = step
				return errCut
			}
			return nil
		}
		h.start()
		err := h.Follow(t.Context())
		h.needs.cut = nil
		h.start()
		h.followed()
		r := h.verified(nil)
		// 6 entries and the one that says so; 10 leaves of before, the mark, the entry.
		if !r.Whole() || r.Entries != 7 || r.Size != 12 || len(r.Breaks) != 1 {
			t.Fatalf("after a cut at %q: %+v", at, r)
		}
		if at == "" {
			if err != nil || cut < 4 {
				t.Errorf("the life without a cut ended with %v, after %d cuts", err, cut-1)
			}
			return
		}
		if !errors.Is(err, errCut) {
			t.Errorf("cut at %q: %v", at, err)
		}
	}
}

// setBack makes the database what it was when its journal had n entries.
func (h *house) setBack(n int64) {
	h.t.Helper()
	h.exec(`delete from journal where number > $1`, n)
	h.exec(`update journal_head set number = $1, hash = (select hash from journal where number = $1) where id = 1`, n)
	h.exec(`delete from audit`)
	h.exec(`delete from audit_person`)
}

// A database that was set back is told, and the house goes on: also while it runs, also twice,
// and also when entries came before the log had a look.
func TestADatabaseThatWasSetBack(t *testing.T) {
	for name, c := range map[string]struct {
		restart bool
		come    int
	}{
		"at a start":                   {true, 0},
		"at a start, with new entries": {true, 9},
		"while it runs":                {false, 0},
		"while it runs, as many":       {false, 4},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				h.act(300)
				h.followed()
				kept, _, err := h.Checkpoint()
				if err != nil {
					t.Fatal(err)
				}
				for round := range 2 {
					end := h.verified(nil).Entries
					h.setBack(end - 4)
					if got := codes(h.verified(nil)); got != "database-older" {
						t.Errorf("before the house goes on: %s", got)
					}
					h.pass(time.Hour) // else the new entries would be the old ones
					h.act(c.come)
					if c.restart {
						h.start()
					}
					h.followed()
					h.act(3)
					h.followed()
					r := h.verified(kept.Text)
					if !r.Whole() || len(r.Breaks) != round+1 || r.Waiting != 0 {
						t.Fatalf("round %d: %+v", round, r)
					}
					if text := r.Breaks[round].Text; !strings.Contains(text, "The database was set back to entry ") {
						t.Errorf("it is told as %q", text)
					}
				}
				if !strings.Contains(h.log.String(), "the database is older than the audit log") {
					t.Error("the operator is not told")
				}
			})
		})
	}
}

// A log that lost its end is filled again, and that is told for ever.
func TestALogThatWasCutOffIsFilledAgain(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(10)
	h.followed()
	older := h.dir + ".older"
	copyDir(t, h.dir, older)
	h.act(10)
	h.followed()
	copyDir(t, older, h.dir)
	if got := codes(h.verified(nil)); got != "log-shorter" {
		t.Errorf("an older log: %s, want log-shorter", got)
	}
	h.start()
	h.followed()
	r := h.whole(21)
	if len(r.Breaks) != 1 || r.Breaks[0].Action != actionTruncated || !strings.Contains(r.Breaks[0].Text, "had 20 leaves and was found with 10") {
		t.Errorf("breaks are %+v", r.Breaks)
	}
	if err := os.RemoveAll(h.dir); err != nil {
		t.Fatal(err)
	}
	if got := codes(h.verified(nil)); got != "log-missing" {
		t.Errorf("no log: %s, want log-missing", got)
	}
	h.start()
	h.followed()
	if r := h.whole(22); len(r.Breaks) != 2 {
		t.Errorf("breaks are %+v", r.Breaks)
	}
}

// Nothing is appended to, and no signature made over, a log that does not prove: the entries wait in the
// journal, and when the log was moved away a new one is made of them.
func TestNothingIsAppendedToALogThatDoesNotProve(t *testing.T) {
	for name, change := range map[string]func(h *house){
		"a leaf":       func(h *house) { edit(t, h.file("tile/entries/"), flip(40)) },
		"a tile":       func(h *house) { edit(t, h.file("tile/0/"), flip(3)) },
		"the state":    func(h *house) { edit(t, h.file(".state/treeState"), flip(20)) },
		"no state":     func(h *house) { _ = os.Remove(h.file(".state/treeState")) },
		"a checkpoint": func(h *house) { edit(t, h.file("checkpoint"), flip(30)) },
		"another house": func(h *house) {
			other := newHouse(t, db.SQLite)
			other.needs.House = "house2"
			other.start()
			other.act(10)
			other.followed()
			copyDir(t, other.dir, h.dir)
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, db.SQLite)
			h.act(10)
			h.followed()
			change(h)
			text, _ := os.ReadFile(h.file("checkpoint"))
			h.act(5)
			h.start()
			for range 2 {
				if err := h.Follow(t.Context()); err == nil {
					t.Fatal("the log is appended to")
				}
			}
			if after, _ := os.ReadFile(h.file("checkpoint")); !bytes.Equal(text, after) {
				t.Error("a new checkpoint was signed")
			}
			if st := h.Stats(); st.Waiting != 15 { // where the log is, is not known
				t.Errorf("%d entries wait, want 15", st.Waiting)
			}
			if err := os.Rename(h.dir, h.dir+".kept"); err != nil {
				t.Fatal(err)
			}
			h.followed()
			if r := h.whole(16); len(r.Breaks) != 1 {
				t.Errorf("breaks are %+v", r.Breaks)
			}
		})
	}
}

// flip changes one bit of a byte.
func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte {
		b[at] ^= 1
		return b
	}
}

// What cannot be appended waits, and the operator is told when it is a minute old.
func TestTheOperatorIsToldOfALogThatIsBehind(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(2)
	h.followed()
	edit(t, h.file("checkpoint"), flip(30))
	h.start()
	h.act(3)
	_ = h.Follow(t.Context())
	if strings.Contains(h.log.String(), "is behind") {
		t.Error("told too early")
	}
	h.pass(61 * time.Second)
	_ = h.Follow(t.Context())
	_ = h.Follow(t.Context())
	if n := strings.Count(h.log.String(), "the audit log is behind"); n != 1 {
		t.Errorf("told %d times within a minute, want once", n)
	}
	if st := h.Stats(); st.Waiting != 5 || st.Lag != 61*time.Second {
		t.Errorf("stats are %+v", st)
	}
	h.pass(61 * time.Second)
	_ = h.Follow(t.Context())
	if n := strings.Count(h.log.String(), "the audit log is behind"); n != 2 {
		t.Errorf("told %d times in two minutes, want twice", n)
	}
}

// A log that does not prove is not proved again and again: that takes long when it is large.
func TestWhatFailedIsLeftAloneForAWhile(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(3)
	h.followed()
	edit(t, h.file("checkpoint"), flip(30))
	h.start()
	if err := h.follow(t.Context(), false); err == nil {
		t.Fatal("a log that does not prove is appended to")
	}
	edit(t, h.file("checkpoint"), flip(30)) // put right again
	if err := h.follow(t.Context(), false); err == nil {
		t.Error("tried again at once")
	}
	h.pass(againAfter)
	if err := h.follow(t.Context(), false); err != nil {
		t.Errorf("after a while: %v", err)
	}
	h.whole(3)
}

// Run appends what comes, and to the end when it is told to stop.
func TestRunFollowsToTheEnd(t *testing.T) {
	h := newHouse(t, db.SQLite)
	h.act(3)
	ctx, stop := withCancel(t)
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	for h.Stats().Size < 3 {
		select {
		case err := <-done:
			t.Fatalf("Run ended with %v", err)
		case <-time.After(5 * time.Millisecond):
		}
	}
	h.act(4)
	h.Note(Event{Action: DeviceRefused})
	stop()
	<-done
	r := h.whole(8)
	m, err := h.needs.Store.memory(t.Context())
	if err != nil || m.size != r.Size || m.indexed != 8 {
		t.Errorf("the database remembers %+v, %v, want %d leaves", m, err, r.Size)
	}
}
