package keys

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// A ref names one row of the keyring.
type ref struct{ kind, id string }

func (r ref) String() string { return r.kind + " " + r.id }

// wrapRow says which keyring key seals new rows. A writer of a row reads it in the
// same transaction, so that none is sealed by a key that is being taken away.
var wrapRow = ref{"wrap", "current"}

// A row is one key, sealed.
type row struct {
	ref
	wrappedBy uint32
	sealed    []byte // nil once erased
	erased    bool
}

// errStale is a keyring key that the database names and keys.json does not have.
var errStale = errors.New("the keyring database was written with another keys.json than this one")

// table is the keyring database.
type table struct{ db *db.DB }

// write is Write that first takes the wrap row, so that changes of the keyring go
// one after the other in all processes: whoever seals a row knows which key seals rows when it
// commits, and whoever looks for rows under an old key then finds them all.
func (t table) write(ctx context.Context, fn func(tx *db.Tx) error) error {
	for try := 1; ; try++ {
		err := t.db.Write(ctx, func(tx *db.Tx) error {
			if _, err := tx.Exec(ctx, `update key set made_at = made_at where kind = $1 and id = $2`, wrapRow.kind, wrapRow.id); err != nil {
				return err
			}
			return fn(tx)
		})
		if err == nil || try == maxTries || !lostRace(err) {
			return err
		}
	}
}

// maxTries bounds how often write gives way to another process, on top of what
// Write does itself. Each time somebody else got on, and keys are rarely made.
const maxTries = 20

// lostRace says whether PostgreSQL gave way to another process: serialization_failure or deadlock_detected.
func lostRace(err error) bool {
	var p interface{ SQLState() string }
	return errors.As(err, &p) && (p.SQLState() == "40001" || p.SQLState() == "40P01")
}

// find returns the row, or sql.ErrNoRows.
func (t table) find(ctx context.Context, who ref) (row, error) {
	found := row{ref: who}
	err := t.db.One(ctx, found.scan, textFind, who.kind, who.id)
	return found, err
}

const textFind = `select wrapped_by, sealed, erased_at from key where kind = $1 and id = $2`

func (r *row) scan(from db.Row) error {
	var erasedAt sql.NullInt64
	err := from.Scan(&r.wrappedBy, &r.sealed, &erasedAt)
	r.erased = erasedAt.Valid
	return err
}

func find(ctx context.Context, tx *db.Tx, who ref) (row, error) {
	found := row{ref: who}
	err := found.scan(tx.QueryRow(ctx, textFind, who.kind, who.id))
	return found, err
}

// add puts a row there if there is none yet, and returns the one that is there
// then: that of whoever was first. It is sealed under the keyring key that the
// database names, or, for the first row of all, under first.
func (t table) add(ctx context.Context, who ref, first uint32, seal func(by uint32) ([]byte, error), at time.Time) (row, error) {
	var kept row
	err := t.write(ctx, func(tx *db.Tx) error {
		by := first
		wrap, err := find(ctx, tx, wrapRow)
		switch {
		case err == nil:
			by = wrap.wrappedBy
		case !errors.Is(err, sql.ErrNoRows) || who != wrapRow:
			return fmt.Errorf("find the row that says which key seals: %w", err)
		}
		sealed, err := seal(by)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into key (kind, id, wrapped_by, sealed, made_at) values ($1, $2, $3, $4, $5) on conflict (kind, id) do nothing`,
			who.kind, who.id, int64(by), sealed, at.UnixMicro()); err != nil {
			return err
		}
		kept, err = find(ctx, tx, who)
		return err
	})
	return kept, err
}

// mark overwrites sealed keys with noise and marks their ids as erased for ever.
func (t table) mark(ctx context.Context, kind string, ids []string, at time.Time) error {
	return t.write(ctx, func(tx *db.Tx) error {
		for _, id := range ids {
			length := 0
			if old, err := find(ctx, tx, ref{kind, id}); err == nil {
				length = len(old.sealed)
			} else if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if _, err := tx.Exec(ctx, `insert into key (kind, id, wrapped_by, sealed, made_at, erased_at) values ($1, $2, 0, $3, $4, $4)
				on conflict (kind, id) do update set wrapped_by = 0, sealed = excluded.sealed, erased_at = coalesce(key.erased_at, excluded.erased_at)`,
				kind, id, secret.Random(length), at.UnixMicro()); err != nil {
				return err
			}
		}
		return nil
	})
}

// clear takes away the noise that mark left. Two transactions, so that the noise reaches the disk.
func (t table) clear(ctx context.Context, kind string, ids []string) error {
	return t.write(ctx, func(tx *db.Tx) error {
		for _, id := range ids {
			if _, err := tx.Exec(ctx, `update key set sealed = null where kind = $1 and id = $2 and erased_at is not null`, kind, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// erased lists the ids of one kind that bear the mark.
func (t table) erased(ctx context.Context, kind string) (ids []string, err error) {
	err = t.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select id from key where kind = $1 and erased_at is not null order by id`, kind)
		return err
	})
	return ids, err
}

// setWrap makes by the key that seals new rows.
func (t table) setWrap(ctx context.Context, by uint32, sealed []byte) error {
	return t.write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update key set wrapped_by = $1, sealed = $2 where kind = $3 and id = $4`, int64(by), sealed, wrapRow.kind, wrapRow.id)
		return err
	})
}

// perRewrap is how many rows one transaction of rewrap changes: others wait for it.
const perRewrap = 500

// rewrap seals up to perRewrap rows again that are not sealed under by, and says how many it
// found. seal may be called more than once per row.
func (t table) rewrap(ctx context.Context, by uint32, seal func(row) ([]byte, error)) (int, error) {
	n := 0
	err := t.write(ctx, func(tx *db.Tx) error {
		old, err := oldRows(ctx, tx, by)
		if err != nil {
			return err
		}
		for _, one := range old {
			sealed, err := seal(one)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `update key set wrapped_by = $1, sealed = $2 where kind = $3 and id = $4`, int64(by), sealed, one.kind, one.id); err != nil {
				return err
			}
		}
		n = len(old)
		return nil
	})
	return n, err
}

// oldRows returns rows that are sealed under another key than by. Erased rows are
// sealed under none, which is number 0; Tink gives no key that number.
func oldRows(ctx context.Context, tx *db.Tx, by uint32) ([]row, error) {
	return db.All(ctx, tx, scanRow, `select kind, id, wrapped_by, sealed from key where wrapped_by <> $1 and wrapped_by <> 0 limit $2`, int64(by), perRewrap)
}

// scanRow reads a row that is not erased.
func scanRow(from db.Row) (one row, err error) {
	err = from.Scan(&one.kind, &one.id, &one.wrappedBy, &one.sealed)
	return one, err
}

// all calls do for every row that is not erased, in batches of one read each.
func (t table) all(ctx context.Context, do func(row) error) error {
	last := ref{}
	for {
		var batch []row
		if err := t.db.Read(ctx, func(tx *db.Tx) error {
			var err error
			batch, err = after(ctx, tx, last)
			return err
		}); err != nil {
			return err
		}
		for _, one := range batch {
			if err := do(one); err != nil {
				return err
			}
			last = one.ref
		}
		if len(batch) == 0 {
			return nil
		}
	}
}

func after(ctx context.Context, tx *db.Tx, last ref) ([]row, error) {
	return db.All(ctx, tx, scanRow, `select kind, id, wrapped_by, sealed from key where (kind, id) > ($1, $2) and wrapped_by <> 0 order by kind, id limit $3`, last.kind, last.id, perRewrap)
}
