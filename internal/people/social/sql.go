package social

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps links in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const columns = `id, account, subject_index, sealed, made_at, used_at`

func scan(from db.Row) (r row, err error) {
	err = from.Scan(&r.id, &r.account, &r.index, &r.sealed, &r.madeAt, &r.usedAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotLinked
	}
	return r, err
}

func (s sqlStore) find(ctx context.Context, index []byte) (r row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scan(tx.QueryRow(ctx, `select `+columns+` from social_link where subject_index = $1`, index))
		return err
	})
	return r, err
}

func (s sqlStore) of(ctx context.Context, account string) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scan, `select `+columns+` from social_link where account = $1 order by made_at, id`, account)
		return err
	})
	return all, err
}

func (s sqlStore) add(ctx context.Context, r row, many int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `select count(1) from social_link where account = $1`, r.account).Scan(&n); err != nil {
			return err
		}
		if n >= many {
			return ErrHave
		}
		_, err := tx.Exec(ctx, `insert into social_link (`+columns+`) values ($1, $2, $3, $4, $5, $6)`, r.id, r.account, r.index, r.sealed, r.madeAt, r.usedAt)
		if errors.Is(err, db.ErrUnique) {
			return ErrTaken
		}
		if err != nil {
			return fmt.Errorf("add link %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

// one runs a statement that must change one row; ErrNotLinked when it did not.
func one(ctx context.Context, tx *db.Tx, e journal.Entry, text string, args ...any) error {
	done, err := tx.Exec(ctx, text, args...)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotLinked, err)
	}
	return journal.Record(ctx, tx, e)
}

func (s sqlStore) use(ctx context.Context, id string, at int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		return one(ctx, tx, e, `update social_link set used_at = $1 where id = $2`, at, id)
	})
}

func (s sqlStore) again(ctx context.Context, id string, at int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update social_link set made_at = $1 where id = $2`, at, id)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotLinked, err)
		}
		return nil
	})
}

func (s sqlStore) unused(ctx context.Context, last row, before int64, most int) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scan, `select `+columns+` from social_link
			where used_at = 0 and made_at < $1 and (made_at > $2 or made_at = $2 and id > $3) order by made_at, id limit $4`, before, last.madeAt, last.id, most)
		return err
	})
	return all, err
}

func (s sqlStore) note(ctx context.Context, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return journal.Record(ctx, tx, e) })
}

func (s sqlStore) remove(ctx context.Context, account, id, other string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if other != "" {
			// Touched, so that of two who take the other's away at the same time one sees it.
			done, err := tx.Exec(ctx, `update social_link set used_at = used_at where id = $1 and account = $2`, other, account)
			if err != nil {
				return err
			}
			if left, err := done.RowsAffected(); err != nil || left == 0 {
				return errors.Join(ErrLastWay, err)
			}
		}
		return one(ctx, tx, e, `delete from social_link where id = $1 and account = $2`, id, account)
	})
}

func (s sqlStore) forget(ctx context.Context, account string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		err := one(ctx, tx, e, `delete from social_link where account = $1`, account)
		if errors.Is(err, ErrNotLinked) {
			return nil
		}
		return err
	})
}
