package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func (s sqlStore) empty(ctx context.Context) (none bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var some int
		err := tx.QueryRow(ctx, `select count(1) from (select id from account limit 1) as first`).Scan(&some)
		none = some == 0
		return err
	})
	return none, err
}

func (s sqlStore) due(ctx context.Context, now, unproved int64) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select id from account where leaving_at > 0 and leaving_at <= $1
			union select id from account where verified_at = 0 and created_at <= $2`, now, unproved)
		return err
	})
	return ids, err
}

const eraseColumns = `account, space, actor, began_at, done_at`

func scanErasure(from db.Row) (e Erasure, err error) {
	var began, done int64
	err = from.Scan(&e.Account, &e.Space, &e.Actor, &began, &done)
	if errors.Is(err, sql.ErrNoRows) {
		return Erasure{}, ErrNotFound
	}
	e.BeganAt, e.DoneAt = at(began), at(done)
	return e, err
}

func erasureOf(ctx context.Context, tx *db.Tx, id string) (Erasure, error) {
	return scanErasure(tx.QueryRow(ctx, `select `+eraseColumns+` from account_erase where account = $1`, id))
}

func (s sqlStore) erase(ctx context.Context, id, actor string, when int64, entry journal.Entry) (e Erasure, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := scanRow(tx.QueryRow(ctx, `select `+columns+` from account where id = $1`, id))
		if errors.Is(err, ErrNotFound) {
			e, err = erasureOf(ctx, tx, id) // decided before
			return err
		}
		if err != nil {
			return err
		}
		for _, text := range []string{
			`delete from account_profile where account = $1`, `delete from account_picture where account = $1`,
			`delete from account_choice where account = $1`, `delete from account_address where account = $1`,
			`delete from account_former where account = $1`, `delete from account_link where account = $1`, `delete from account where id = $1`,
		} {
			if _, err := tx.Exec(ctx, text, id); err != nil {
				return fmt.Errorf("remove account %s: %w", id, err)
			}
		}
		// An archive of before an erasure can bring the account back beside its proof: then it is erased anew.
		if _, err := tx.Exec(ctx, `insert into account_erase (`+eraseColumns+`) values ($1, $2, $3, $4, 0)
			on conflict (account) do update set began_at = excluded.began_at, done_at = 0`, id, r.space, actor, when); err != nil {
			return err
		}
		if e, err = erasureOf(ctx, tx, id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, entry)
	})
	return e, err
}

func (s sqlStore) erasure(ctx context.Context, id string) (e Erasure, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		e, err = erasureOf(ctx, tx, id)
		return err
	})
	return e, err
}

func (s sqlStore) erasures(ctx context.Context) (all []Erasure, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanErasure, `select `+eraseColumns+` from account_erase where done_at = 0 order by began_at, account`)
		return err
	})
	return all, err
}

func (s sqlStore) erased(ctx context.Context, id string, when int64, entry journal.Entry) (e Erasure, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update account_erase set done_at = $1 where account = $2 and done_at = 0`, when, id)
		if err != nil {
			return err
		}
		if e, err = erasureOf(ctx, tx, id); err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err // it was proved before
		}
		return journal.Record(ctx, tx, entry)
	})
	return e, err
}
