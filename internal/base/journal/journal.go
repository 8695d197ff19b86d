// Package journal keeps one row for every change that anyone makes, written in
// the same transaction as the change, so that there is never one without the other.
//
// Each row carries a hash of itself and of the row before it, and the end of the
// chain is kept apart, so that Verify finds a row that was changed, taken out, put
// in or cut off. Whoever can write to the database and knows this code can forge
// all of it: that is what the log outside of the database is for (ops/audit), which
// gets every entry.
//
// Tables: journal, journal_head, in the core database.
package journal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrBroken is a journal that somebody changed.
var ErrBroken = problem.New(problem.Precondition, "journal-broken", "The journal was changed by somebody else than this program.")

// An Entry says who did what to which noun. It never holds secrets, property
// values, names or e-mail addresses: identifiers only, because an entry is never taken
// back, not even when the person that it is about is erased. Record refuses what no
// identifier of ours looks like.
type Entry struct {
	Number   int64     // given by Record: 1, 2, ... without gaps
	At       time.Time // UTC; kept to the microsecond
	Actor    string    // access.Actor.String()
	Space    string    // "" for what belongs to no space
	Action   string    // "thing:create"
	Resource string    // the noun: "thing"
	ID       string    // of the noun
	Detail   map[string]string
}

const (
	maxDetail = 4096 // bytes of an entry's detail, as JSON
	maxText   = 512  // bytes of each other text of an entry
)

// Record writes e in tx. An error must end tx: no change without its entry.
//
// It locks the end of the journal until tx ends, also for other processes on
// PostgreSQL: call it late.
func Record(ctx context.Context, tx *db.Tx, e Entry) error {
	if e.Actor == "" || e.Action == "" || e.Resource == "" || e.At.IsZero() {
		return fmt.Errorf("journal entry %q on %s %s: At, Actor, Action and Resource must be there", e.Action, e.Resource, e.ID)
	}
	if err := e.check(); err != nil {
		return fmt.Errorf("journal entry %q: %w", e.Action, err)
	}
	detail, err := encode(e.Detail)
	if err != nil {
		return fmt.Errorf("journal entry %q on %s %s: %w", e.Action, e.Resource, e.ID, err)
	}
	var before []byte
	row := tx.QueryRow(ctx, `update journal_head set number = number + 1 where id = 1 returning number, hash`)
	switch err := row.Scan(&e.Number, &before); {
	case errors.Is(err, sql.ErrNoRows):
		// The first entry of all.
		e.Number, before = 1, make([]byte, sha256.Size)
		if _, err := tx.Exec(ctx, `insert into journal_head (id, number, hash) values (1, 1, $1)`, before); err != nil {
			return fmt.Errorf("begin journal: %w", err)
		}
	case err != nil:
		return fmt.Errorf("lock end of journal: %w", err)
	}
	hash := e.hash(before, detail)
	if _, err := tx.Exec(ctx, `
		insert into journal (number, at, actor, space, action, resource, id, detail, hash)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.Number, e.At.UnixMicro(), e.Actor, e.Space, e.Action, e.Resource, e.ID, detail, hash); err != nil {
		return fmt.Errorf("write journal entry %d: %w", e.Number, err)
	}
	if _, err := tx.Exec(ctx, `update journal_head set hash = $1 where id = 1`, hash); err != nil {
		return fmt.Errorf("move end of journal to %d: %w", e.Number, err)
	}
	return nil
}

// check refuses what must not be kept for ever. Names and values of people are more than
// ASCII sooner or later, and an e-mail address has its sign: a room that hands one over
// by mistake is told when it is tested. The text itself is not repeated.
func (e Entry) check() error {
	for name, text := range map[string]string{"actor": e.Actor, "space": e.Space, "action": e.Action, "resource": e.Resource, "id": e.ID} {
		if len(text) > maxText || !identifies(text) {
			return fmt.Errorf("%s is no identifier", name)
		}
	}
	for name, text := range e.Detail {
		if !identifies(name) || !identifies(text) {
			return fmt.Errorf("%q of the detail is no identifier", name)
		}
	}
	return nil
}

// identifies says whether text is printable ASCII without "@".
func identifies(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '@' {
			return false
		}
	}
	return true
}

func encode(detail map[string]string) (string, error) {
	if len(detail) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(detail) // in the order of the names
	if err != nil {
		return "", err
	}
	if len(b) > maxDetail {
		return "", fmt.Errorf("detail has %d bytes, more than %d", len(b), maxDetail)
	}
	return string(b), nil
}

// hash is SHA-256 over the hash before, the numbers and the texts, each text with
// its length in front, so that no two entries read the same.
func (e Entry) hash(before []byte, detail string) []byte {
	b := append([]byte(nil), before...)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Number))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	for _, s := range []string{e.Actor, e.Space, e.Action, e.Resource, e.ID, detail} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// Verify walks the whole chain. It returns how many entries there are, and
// ErrBroken with the number of the first that is not as it was written.
func Verify(ctx context.Context, d *db.DB) (int64, error) {
	var last int64
	err := d.Read(ctx, func(tx *db.Tx) error {
		last = 0
		before := make([]byte, sha256.Size)
		for more := true; more; {
			more = false
			if err := each(ctx, tx, Query{After: last}, func(r Row) error {
				more = true
				if r.Number != last+1 {
					return ErrBroken.With(fmt.Sprintf("Entry %d of the journal is missing.", last+1))
				}
				if !r.Follows(before) {
					return ErrBroken.With(fmt.Sprintf("Entry %d of the journal, or the one before it, was changed.", r.Number))
				}
				last, before = r.Number, r.Hash
				return nil
			}); err != nil {
				return err
			}
		}
		return verifyEnd(ctx, tx, last, before)
	})
	return last, err
}

// verifyEnd compares the last entry with the end that is kept apart.
func verifyEnd(ctx context.Context, tx *db.Tx, last int64, hash []byte) error {
	var (
		number int64
		end    []byte
	)
	err := tx.QueryRow(ctx, `select number, hash from journal_head where id = 1`).Scan(&number, &end)
	if errors.Is(err, sql.ErrNoRows) && last == 0 {
		return nil // nothing was ever written
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read end of journal: %w", err)
	}
	if number != last || !bytes.Equal(end, hash) {
		return ErrBroken.With(fmt.Sprintf("The journal ends with entry %d and should end with %d.", last, number))
	}
	return nil
}
