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

const columns = `id, account, space, name, hash, version, enabled, made_by, created_at, used_at`

func scanRow(from db.Row) (r row, err error) {
	var madeBy string
	err = from.Scan(&r.id, &r.account, &r.space, &r.name, &r.hash, &r.version, &r.enabled, &madeBy, &r.createdAt, &r.usedAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return r, err
}

func (s sqlStore) add(ctx context.Context, r row, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into apikey (`+columns+`) values ($1, $2, $3, $4, $5, $6, $7, '', $8, $9)`,
			r.id, r.account, r.space, r.name, r.hash, r.version, r.enabled, r.createdAt, r.usedAt)
		if err != nil {
			return fmt.Errorf("add API key %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
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

func (s sqlStore) within(ctx context.Context, space string) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select id from apikey where space = $1 and enabled order by created_at, id`, space)
		return err
	})
	return ids, err
}

func (s sqlStore) revoke(ctx context.Context, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update apikey set enabled = false where id = $1`, id)
		if err != nil {
			return fmt.Errorf("revoke API key %s: %w", id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) used(ctx context.Context, id string, at int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update apikey set used_at = $1 where id = $2 and used_at < $1`, at, id)
		return err
	})
}
