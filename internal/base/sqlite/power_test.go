package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// A ledger knows what a database must hold: rows (id, body), the body made from
// id and version.
type ledger map[int]int // version by id

func body(id, version, size int) []byte {
	seed := [32]byte{byte(id), byte(version), byte(version >> 8)}
	b := make([]byte, size)
	_, _ = rand.NewChaCha8(seed).Read(b)
	return b
}

func bodySize(id int) int { return 20 + id*id*37%9000 } // some need overflow pages

const ledgerTable = "CREATE TABLE IF NOT EXISTS ledger (id INTEGER PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL)"

// change does one transaction of chance on w, and says what the ledger is then. If
// the commit failed that is not known: it says what the ledger may be.
func (l ledger) change(w *sql.DB, rnd *rand.Rand) (ledger, error) {
	next := ledger{}
	for id, v := range l {
		next[id] = v
	}
	tx, err := w.Begin()
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	n := 1 + rnd.IntN(4)
	if rnd.IntN(12) == 0 {
		n = 60 // more than the page cache of these tests holds
	}
	for range n {
		id := rnd.IntN(80)
		switch rnd.IntN(5) {
		case 0:
			_, err = tx.Exec("DELETE FROM ledger WHERE id = ?1", id)
			delete(next, id)
		default:
			next[id]++
			_, err = tx.Exec("INSERT INTO ledger (id, version, body) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE SET version = excluded.version, body = excluded.body",
				id, next[id], body(id, next[id], bodySize(id)))
		}
		if err != nil {
			return nil, err
		}
	}
	if rnd.IntN(10) == 0 { // undone: leaves frames behind the end of the log
		return l, tx.Rollback()
	}
	return next, tx.Commit()
}

// read reads the whole ledger and checks each row.
func readLedger(r *sql.DB) (ledger, error) {
	rows, err := r.Query("SELECT id, version, body FROM ledger")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	l := ledger{}
	for rows.Next() {
		var id, version int
		var b []byte
		if err := rows.Scan(&id, &version, &b); err != nil {
			return nil, err
		}
		if string(b) != string(body(id, version, bodySize(id))) {
			return nil, fmt.Errorf("row %d has a body that nobody wrote", id)
		}
		l[id] = version
	}
	return l, rows.Err()
}

func (l ledger) equal(m ledger) bool {
	if len(l) != len(m) {
		return false
	}
	for id, v := range l {
		if w, ok := m[id]; !ok || v != w {
			return false
		}
	}
	return true
}

// smallConnect is connect with a page cache so small that transactions spill.
func smallConnect(s *Store) *base {
	b := &base{s, sql.OpenDB(s.Writer(40, nil)), sql.OpenDB(s.Reader(256, nil))}
	b.w.SetMaxOpenConns(1)
	b.r.SetMaxOpenConns(2)
	return b
}

// TestPowerCut cuts the power at a random operation of a random history, lets
// each sector that was not synced survive or not, and opens the database again.
// What was acknowledged is there; what was not is there whole or not at all.
func TestPowerCut(t *testing.T) {
	rounds := 40
	if n, err := strconv.Atoi(os.Getenv("ARDESIA_POWER_CUTS")); err == nil {
		rounds = n
	}
	for seed := range uint64(rounds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { powerCut(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func powerCut(t *testing.T, seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	d := newSimDisk(seed)
	path := filepath.Join(t.TempDir(), "a.db") // the index of the log is a real file
	sure := ledger{}
	var maybe ledger // in flight when the power went
	for life := range 6 {
		d.left = rnd.IntN(30 + 400*rnd.IntN(2)) // the power may go while the database is opened
		if life == 5 {
			d.left = -1
		}
		err := func() error {
			s, err := openOn(d, path, testKey(1))
			if err != nil {
				return err
			}
			b := smallConnect(s)
			defer b.close()
			if _, err := b.w.Exec(ledgerTable); err != nil {
				return err
			}
			got, err := readLedger(b.r)
			if err != nil {
				return err
			}
			if !got.equal(sure) && (maybe == nil || !got.equal(maybe)) {
				t.Fatalf("life %d: found %v, want %v or %v", life, got, sure, maybe)
			}
			sure, maybe = got, nil
			if err := b.Check(t.Context()); err != nil {
				return err
			}
			c, err := b.Checkpointer()
			if err != nil {
				return err
			}
			defer c.Close()
			for range 20 + rnd.IntN(60) {
				next, err := sure.change(b.w, rnd)
				if err != nil {
					maybe = next
					return err
				}
				sure = next
				if rnd.IntN(8) == 0 {
					if _, _, err := c.Run(t.Context()); err != nil {
						return err
					}
				}
				if rnd.IntN(40) == 0 {
					if _, err := b.w.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
						return err
					}
				}
			}
			return nil
		}()
		if err != nil && !d.off {
			t.Fatalf("life %d: %v", life, err)
		}
		if err != nil && errors.Is(err, ErrDamaged) {
			t.Fatalf("life %d: %v", life, err)
		}
		d.cut()
	}
}
