package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func (s sqlStore) choices(ctx context.Context, id string) ([]byte, error) {
	return s.sealed(ctx, `select sealed from account_choice where account = $1`, id)
}

func (s sqlStore) setChoices(ctx context.Context, id string, sealed []byte, at int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into account_choice (account, sealed, changed_at) values ($1, $2, $3)
			on conflict (account) do update set sealed = excluded.sealed, changed_at = excluded.changed_at`, id, sealed, at)
		if err != nil {
			return fmt.Errorf("set choices of account %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

const addressColumns = `id, account, email_index, sealed, proved_at`

func scanAddress(from db.Row) (r addressRow, err error) {
	err = from.Scan(&r.id, &r.account, &r.index, &r.sealed, &r.provedAt)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoAddress
	}
	return r, err
}

func (s sqlStore) further(ctx context.Context, account string) (all []addressRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanAddress, `select `+addressColumns+` from account_address where account = $1 order by proved_at, id`, account)
		return err
	})
	return all, err
}

func (s sqlStore) addAddress(ctx context.Context, r addressRow, most int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var there, taken int
		err := tx.QueryRow(ctx, `select (select count(1) from account_address where account = $1), (select count(1) from account where email_index = $2)`, r.account, r.index).Scan(&there, &taken)
		switch {
		case err != nil:
			return fmt.Errorf("count addresses of account %s: %w", r.account, err)
		case taken > 0:
			return ErrTaken
		case there >= most:
			return ErrAddresses
		}
		_, err = tx.Exec(ctx, `insert into account_address (`+addressColumns+`) values ($1, $2, $3, $4, $5)`, r.id, r.account, r.index, r.sealed, r.provedAt)
		if errors.Is(err, db.ErrUnique) {
			return ErrTaken
		}
		if err != nil {
			return fmt.Errorf("add an address of account %s: %w", r.account, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) dropAddress(ctx context.Context, account, id string, at int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into account_former (`+formerColumns+`) select `+addressColumns+`, cast($3 as bigint) from account_address where account = $1 and id = $2`, account, id, at)
		if err != nil {
			return fmt.Errorf("keep a former address of account %s: %w", account, err)
		}
		done, err := tx.Exec(ctx, `delete from account_address where account = $1 and id = $2`, account, id)
		if err != nil {
			return fmt.Errorf("remove an address of account %s: %w", account, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoAddress, err)
		}
		if err := endLinks(ctx, tx, account, LinkReset, LinkEmail, LinkAddress); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) swapAddress(ctx context.Context, r addressRow, email []byte, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := scanAddress(tx.QueryRow(ctx, `select `+addressColumns+` from account_address where account = $1 and id = $2`, r.account, r.id))
		if err != nil {
			return err
		}
		// Only if both are still what they were when the caller sealed them.
		done, err := tx.Exec(ctx, `update account set email = $1, email_index = $2, verified_at = $3 where id = $4 and email_index = $5`, email, old.index, old.provedAt, r.account, r.index)
		if err != nil {
			return fmt.Errorf("set the address of account %s: %w", r.account, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoAddress, err)
		}
		if _, err := tx.Exec(ctx, `update account_address set email_index = $1, sealed = $2, proved_at = $3 where id = $4`, r.index, r.sealed, r.provedAt, r.id); err != nil {
			return fmt.Errorf("keep the former address of account %s: %w", r.account, err)
		}
		if err := endLinks(ctx, tx, r.account, LinkReset); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}
