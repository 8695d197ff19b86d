package post

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps letters in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) add(ctx context.Context, r row, who []byte, hour, limit int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var n int64
		if err := tx.QueryRow(ctx, `select count(*) from post where id = $1`, r.id).Scan(&n); err != nil || n > 0 {
			return err
		}
		err := tx.QueryRow(ctx, `
			insert into post_rate (who, hour, letters) values ($1, $2, 1)
			on conflict (who, hour) do update set letters = post_rate.letters + 1 returning letters`, who, hour).Scan(&n)
		if err != nil {
			return fmt.Errorf("count letters: %w", err)
		}
		if n > limit {
			return ErrTooMany
		}
		_, err = tx.Exec(ctx, `
			insert into post (id, kind, account, sealed, queued_at, next_at, tries, expires_at, ended_at, outcome)
			values ($1, $2, $3, $4, $5, $6, $7, $8, 0, '')`, r.id, r.kind, r.account, r.sealed, r.queuedAt, r.nextAt, r.tries, r.expiresAt)
		if err != nil {
			return fmt.Errorf("queue letter %s: %w", r.id, err)
		}
		return nil
	})
}

func (s sqlStore) has(ctx context.Context, id string) (found bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.QueryRow(ctx, `select count(*) from post where id = $1`, id).Scan(&n)
		found = n > 0
		return err
	})
	return found, err
}

func (s sqlStore) claim(ctx context.Context, now, until int64) (r row, found bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, found = row{}, false
		err := tx.QueryRow(ctx, `
			select id, kind, account, sealed, queued_at, tries, expires_at from post
			where ended_at = 0 and next_at <= $1 order by next_at, id limit 1`, now).
			Scan(&r.id, &r.kind, &r.account, &r.sealed, &r.queuedAt, &r.tries, &r.expiresAt)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("find a letter to send: %w", err)
		}
		r.tries++
		r.nextAt = until
		if _, err := tx.Exec(ctx, `update post set next_at = $1, tries = $2 where id = $3`, until, r.tries, r.id); err != nil {
			return fmt.Errorf("claim letter %s: %w", r.id, err)
		}
		found = true
		return nil
	})
	return r, found, err
}

func (s sqlStore) later(ctx context.Context, id string, next int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update post set next_at = $1 where id = $2 and ended_at = 0`, next, id)
		return err
	})
}

func (s sqlStore) end(ctx context.Context, id, outcome string, at int64, e *journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update post set account = '', sealed = null, ended_at = $1, outcome = $2 where id = $3 and ended_at = 0`, at, outcome, id)
		if err != nil {
			return fmt.Errorf("end letter %s: %w", id, err)
		}
		n, err := done.RowsAffected()
		if err != nil || n == 0 || e == nil { // forgotten meanwhile, or nothing to tell
			return err
		}
		return journal.Record(ctx, tx, *e)
	})
}

func (s sqlStore) waiting(ctx context.Context) (n, next int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select count(*), coalesce(min(next_at), 0) from post where ended_at = 0`).Scan(&n, &next)
	})
	return n, next, err
}

func (s sqlStore) forget(ctx context.Context, account string, who [][]byte, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from post where account = $1 and account <> ''`, account); err != nil {
			return fmt.Errorf("forget the letters of account %s: %w", account, err)
		}
		for _, one := range who {
			if _, err := tx.Exec(ctx, `delete from post_rate where who = $1`, one); err != nil {
				return fmt.Errorf("forget the letters of account %s: %w", account, err)
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) sweep(ctx context.Context, before, hour int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from post where ended_at <> 0 and ended_at < $1`, before); err != nil {
			return fmt.Errorf("remove old letters: %w", err)
		}
		if _, err := tx.Exec(ctx, `delete from post_rate where hour < $1`, hour); err != nil {
			return fmt.Errorf("remove old counts of letters: %w", err)
		}
		return nil
	})
}
