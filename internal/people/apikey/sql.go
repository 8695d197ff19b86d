package apikey

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps API keys in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const columns = `id, account, space, name, hash, version, enabled, role, made_by, created_at, used_at, revoked_at, expires_at`

func scanRow(from db.Row) (r row, err error) {
	err = from.Scan(&r.id, &r.account, &r.space, &r.name, &r.hash, &r.version, &r.enabled, &r.role, &r.madeBy, &r.createdAt, &r.usedAt, &r.revokedAt, &r.expiresAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return r, err
}

func (s sqlStore) add(ctx context.Context, r row, of, home string, most int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if n, err := count(ctx, tx, of, home); err != nil || most > 0 && n >= most {
			if err == nil {
				err = ErrFull
			}
			return err
		}
		if r.madeBy != "" {
			var alive int // whoever made it may have been revoked meanwhile
			if err := tx.QueryRow(ctx, `select count(1) from apikey where id = $1 and enabled`, r.madeBy).Scan(&alive); err != nil || alive == 0 {
				return errors.Join(ErrCredentials, err)
			}
		}
		_, err := tx.Exec(ctx, `insert into apikey (`+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			r.id, r.account, r.space, r.name, r.hash, r.version, r.enabled, string(r.role), r.madeBy, r.createdAt, r.usedAt, r.revokedAt, r.expiresAt)
		if err != nil {
			return fmt.Errorf("add API key %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func count(ctx context.Context, tx *db.Tx, account, space string) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(1) from apikey where (space = $2 or space = '' and account = $1) and revoked_at = 0`, account, space).Scan(&n)
	if err != nil {
		err = fmt.Errorf("count API keys: %w", err)
	}
	return n, err
}

func (s sqlStore) count(ctx context.Context, account, space string) (n int, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		n, err = count(ctx, tx, account, space)
		return err
	})
	return n, err
}

func (s sqlStore) get(ctx context.Context, id string) (r row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from apikey where id = $1`, id))
		return err
	})
	return r, err
}

func (s sqlStore) of(ctx context.Context, account string) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanRow, `select `+columns+` from apikey where account = $1 order by created_at, id`, account)
		return err
	})
	return all, err
}

func (s sqlStore) within(ctx context.Context, space string) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanRow, `select `+columns+` from apikey where space = $1 order by created_at, id`, space)
		return err
	})
	return all, err
}

func (s sqlStore) change(ctx context.Context, id string, fn func(r *row) error, e journal.Entry) (r row, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from apikey where id = $1`, id)); err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update apikey set name = $2, enabled = $3, version = $4 where id = $1`, id, r.name, r.enabled, r.version); err != nil {
			return fmt.Errorf("change API key %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
	return r, err
}

func (s sqlStore) revoke(ctx context.Context, id string, at int64, e func(id string) journal.Entry) (ids []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := scanRow(tx.QueryRow(ctx, `select `+columns+` from apikey where id = $1`, id)); err != nil {
			return err
		}
		ids = []string{id}
		for i := 0; i < len(ids); i++ { // it grows: a key that was made may have made others
			made, err := db.Column[string](ctx, tx, `select id from apikey where made_by = $1 and revoked_at = 0 order by id`, ids[i])
			if err != nil {
				return fmt.Errorf("find the keys that API key %s made: %w", ids[i], err)
			}
			ids = append(ids, made...)
			_, err = tx.Exec(ctx, `update apikey set enabled = false, revoked_at = case when revoked_at = 0 then $2 else revoked_at end where id = $1`, ids[i], at)
			if err != nil {
				return fmt.Errorf("revoke API key %s: %w", ids[i], err)
			}
			if err := journal.Record(ctx, tx, e(ids[i])); err != nil {
				return err
			}
		}
		return nil
	})
	return ids, err
}

func (s sqlStore) used(ctx context.Context, id string, at int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update apikey set used_at = $1 where id = $2 and used_at < $1`, at, id)
		return err
	})
}

func (s sqlStore) expired(ctx context.Context, now int64) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select id from apikey where expires_at > 0 and expires_at <= $1 and revoked_at = 0 order by expires_at, id`, now)
		return err
	})
	return ids, err
}
