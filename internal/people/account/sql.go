package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps people in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const columns = `id, space, email, email_index, name, password, password_at, epoch, created_at, disabled_at, settled, verified_at, frozen_at, leaving_at`

func scanRow(from db.Row) (r row, err error) {
	err = from.Scan(&r.id, &r.space, &r.email, &r.index, &r.name, &r.password, &r.passwordAt, &r.epoch, &r.createdAt, &r.disabledAt, &r.settled,
		&r.verifiedAt, &r.frozenAt, &r.leavingAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return r, err
}

func (s sqlStore) add(ctx context.Context, r row, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := untaken(ctx, tx, r.index); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into account (`+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
			r.id, r.space, r.email, r.index, r.name, r.password, r.passwordAt, r.epoch, r.createdAt, r.disabledAt, r.settled,
			r.verifiedAt, r.frozenAt, r.leavingAt)
		if errors.Is(err, db.ErrUnique) {
			return ErrTaken
		}
		if err != nil {
			return fmt.Errorf("add account %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) byID(ctx context.Context, id string) (r row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from account where id = $1`, id))
		return err
	})
	return r, err
}

func (s sqlStore) byEmail(ctx context.Context, index []byte) (r row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from account where email_index = $1
			or id = (select account from account_address where email_index = $1)`, index))
		return err
	})
	return r, err
}

func (s sqlStore) list(ctx context.Context) ([]row, error) {
	return s.rows(ctx, `select `+columns+` from account order by created_at, id`)
}

func (s sqlStore) unsettled(ctx context.Context) ([]row, error) {
	return s.rows(ctx, `select `+columns+` from account where not settled`)
}

func (s sqlStore) rows(ctx context.Context, text string) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanRow, text)
		return err
	})
	return all, err
}

func (s sqlStore) settle(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update account set settled = true where id = $1`, id)
		return err
	})
}

func (s sqlStore) change(ctx context.Context, id string, fn func(r *row), e journal.Entry) (r row, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from account where id = $1`, id)); err != nil {
			return err
		}
		fn(&r)
		_, err := tx.Exec(ctx, `update account set password = $1, password_at = $2, epoch = $3, disabled_at = $4,
			verified_at = $5, frozen_at = $6, leaving_at = $7, name = $8 where id = $9`,
			r.password, r.passwordAt, r.epoch, r.disabledAt, r.verifiedAt, r.frozenAt, r.leavingAt, r.name, id)
		if err != nil {
			return fmt.Errorf("change account %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
	return r, err
}

// untaken says ErrTaken if an address is somebody's further one.
func untaken(ctx context.Context, tx *db.Tx, index []byte) error {
	var n int
	err := tx.QueryRow(ctx, `select count(1) from account_address where email_index = $1`, index).Scan(&n)
	if err == nil && n > 0 {
		err = ErrTaken
	}
	return err
}
