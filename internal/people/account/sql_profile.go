package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func (s sqlStore) profile(ctx context.Context, id string) ([]byte, error) {
	return s.sealed(ctx, `select sealed from account_profile where account = $1`, id)
}

func (s sqlStore) picture(ctx context.Context, id string) ([]byte, error) {
	return s.sealed(ctx, `select sealed from account_picture where account = $1`, id)
}

func (s sqlStore) byUsername(ctx context.Context, index []byte) (id string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select account from account_profile where username_index = $1`, index).Scan(&id)
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return id, err
}

// sealed reads one value; nil where there is none.
func (s sqlStore) sealed(ctx context.Context, text, id string) (sealed []byte, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		sealed = nil
		err := tx.QueryRow(ctx, text, id).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return sealed, err
}

func (s sqlStore) setProfile(ctx context.Context, id string, name, sealed, username []byte, at int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := named(ctx, tx, id, name); err != nil {
			return err
		}
		var index any // a null, where there is no user name
		if username != nil {
			index = username
		}
		_, err := tx.Exec(ctx, `insert into account_profile (account, username_index, sealed, changed_at) values ($1, $2, $3, $4)
			on conflict (account) do update set username_index = excluded.username_index, sealed = excluded.sealed, changed_at = excluded.changed_at`,
			id, index, sealed, at)
		if errors.Is(err, db.ErrUnique) {
			return ErrUsernameTaken
		}
		if err != nil {
			return fmt.Errorf("set profile of account %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

// named gives an account its name, or is ErrNotFound.
func named(ctx context.Context, tx *db.Tx, id string, name []byte) error {
	done, err := tx.Exec(ctx, `update account set name = $1 where id = $2`, name, id)
	if err != nil {
		return fmt.Errorf("set name of account %s: %w", id, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}

func (s sqlStore) setPicture(ctx context.Context, id string, sealed []byte, at int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if sealed == nil {
			_, err = tx.Exec(ctx, `delete from account_picture where account = $1`, id)
		} else {
			_, err = tx.Exec(ctx, `insert into account_picture (account, sealed, changed_at) values ($1, $2, $3)
				on conflict (account) do update set sealed = excluded.sealed, changed_at = excluded.changed_at`, id, sealed, at)
		}
		if err != nil {
			return fmt.Errorf("set picture of account %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}
