package backup

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/ops/audit"
)

// auditOf is the audit log of a house.
func auditOf(t *testing.T, dir string, core *db.DB, ring *keys.Ring, store string) *audit.Service {
	t.Helper()
	s, err := audit.New(t.Context(), audit.Needs{Store: audit.SQL(core), Journal: core, Dir: filepath.Join(dir, audit.Folder), House: store,
		Signer: ring.Ed25519, Seal: ring.Fixed(audit.LeafKey), Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func act(t *testing.T, core *db.DB, n int) {
	t.Helper()
	for range n {
		if err := core.Write(t.Context(), func(tx *db.Tx) error {
			return journal.Record(t.Context(), tx, journal.Entry{At: noon, Actor: "user:u", Action: "thing:create", Resource: "thing", ID: "t"})
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// An older backup that is restored brings the log of its time; the house goes on with it,
// and says for ever that it was restored. A checkpoint that was kept elsewhere tells what was lost.
func TestTheAuditLogIsRestored(t *testing.T) {
	for name, c := range map[string]struct{ from, to db.Engine }{
		"SQLite":               {db.SQLite, db.SQLite},
		"SQLite to PostgreSQL": {db.SQLite, db.Postgres},
		"PostgreSQL to SQLite": {db.Postgres, db.SQLite},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, c.from)
			log := auditOf(t, h.Dir, h.Core, h.Ring, h.Root.Store())
			act(t, h.Core, 3)
			if err := log.Follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			early, _, err := log.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}
			act(t, h.Core, 2) // which the log does not have when the backup is made
			p := h.backup(t)
			act(t, h.Core, 4)
			if err := log.Follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			late, _, err := log.Checkpoint()
			if err != nil {
				t.Fatal(err)
			}

			q := h.request(t, p)
			if c.to == db.Postgres {
				q.Database = dbtest.Postgres(t)
			}
			if _, err := Restore(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			core, ring := reopen(t, q.Dir, q.Database, keys.Options{})
			again := auditOf(t, q.Dir, core, ring, h.Root.Store())
			r, err := again.Verify(t.Context(), early.Text)
			if err != nil || !r.Whole() || r.Entries != 6 || r.Size != 3 || r.Waiting != 3 || len(r.Breaks) != 1 {
				t.Fatalf("before its first start: %+v, %v", r, err)
			}
			act(t, core, 7)
			if err := again.Follow(t.Context()); err != nil {
				t.Fatal(err)
			}
			r, err = again.Verify(t.Context(), early.Text)
			if err != nil || !r.Whole() || r.Entries != 13 || r.Size != 13 || len(r.Breaks) != 1 || !strings.Contains(r.Breaks[0].Text, "restored from a backup of 2030-01-02T12:00:00Z") {
				t.Fatalf("after it went on: %+v, %v", r, err)
			}
			r, err = again.Verify(t.Context(), late.Text)
			if err != nil || len(r.Findings) != 1 || r.Findings[0].Code != "outside-differs" {
				t.Errorf("against a checkpoint of what was lost: %+v, %v", r, err)
			}
		})
	}
}

// A house that has no log yet is backed up and restored all the same.
func TestAHouseWithoutAuditLogIsRestored(t *testing.T) {
	h := newHouse(t, db.SQLite)
	act(t, h.Core, 3)
	q := h.request(t, h.backup(t))
	if _, err := Restore(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	core, ring := reopen(t, q.Dir, "", keys.Options{})
	log := auditOf(t, q.Dir, core, ring, h.Root.Store())
	if err := log.Follow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := log.Verify(t.Context(), nil); err != nil || !r.Whole() || r.Size != 4 || len(r.Breaks) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}
