package account

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

const formerColumns = addressColumns + `, removed_at`

func scanFormer(from db.Row) (r formerRow, err error) {
	err = from.Scan(&r.id, &r.account, &r.index, &r.sealed, &r.provedAt, &r.removedAt)
	return r, err
}

func (s sqlStore) byFormer(ctx context.Context, index []byte) (id string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select f.account from account_former f join account a on a.id = f.account
			where f.email_index = $1 and a.frozen_at > 0 order by f.removed_at desc, f.id limit 1`, index).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrNotFound
		}
		return err
	})
	return id, err
}

func (s sqlStore) former(ctx context.Context, account string) (all []formerRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanFormer, `select `+formerColumns+` from account_former where account = $1 order by proved_at, id`, account)
		return err
	})
	return all, err
}

func (s sqlStore) dropFormer(ctx context.Context, before int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from account_former where removed_at <= $1 and account not in (select id from account where frozen_at > 0)`, before)
		return err
	})
}

func (s sqlStore) replaceEmail(ctx context.Context, old, first addressRow, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := untaken(ctx, tx, first.index); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `update account set email = $1, email_index = $2, verified_at = $3 where id = $4 and email_index = $5`,
			first.sealed, first.index, first.provedAt, first.account, old.index)
		if errors.Is(err, db.ErrUnique) {
			return ErrTaken
		}
		if err != nil {
			return fmt.Errorf("set the address of account %s: %w", first.account, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoAddress, err)
		}
		if old.provedAt > 0 {
			_, err := tx.Exec(ctx, `insert into account_former (`+formerColumns+`) values ($1, $2, $3, $4, $5, $6)`,
				old.id, old.account, old.index, old.sealed, old.provedAt, first.provedAt)
			if err != nil {
				return fmt.Errorf("keep the former address of account %s: %w", first.account, err)
			}
		}
		if err := endLinks(ctx, tx, first.account, LinkReset); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) reclaim(ctx context.Context, via addressRow, since int64, entry func(action string) journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := scanRow(tx.QueryRow(ctx, `select `+columns+` from account where id = $1`, via.account))
		if err != nil {
			return err
		}
		if r.verifiedAt > since && !bytes.Equal(r.index, via.index) {
			if err := restore(ctx, tx, via); err != nil {
				return err
			}
			if err := journal.Record(ctx, tx, entry("account:email")); err != nil {
				return err
			}
		}
		done, err := tx.Exec(ctx, `delete from account_address where account = $1 and proved_at > $2 and email_index <> $3`, via.account, since, via.index)
		if err != nil {
			return fmt.Errorf("remove the young addresses of account %s: %w", via.account, err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		for range n {
			if err := journal.Record(ctx, tx, entry("account:address-remove")); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `delete from account_former where account = $1 and (proved_at > $2 or email_index = $3)`, via.account, since, via.index); err != nil {
			return fmt.Errorf("forget the young addresses of account %s: %w", via.account, err)
		}
		return endLinks(ctx, tx, via.account, LinkFreeze)
	})
}

// restore has a further or former address be the first one. ErrTaken when it is another account's by now.
func restore(ctx context.Context, tx *db.Tx, via addressRow) error {
	err := tx.QueryRow(ctx, `select proved_at from account_address where account = $1 and email_index = $2
		union all select proved_at from account_former where account = $1 and email_index = $2 order by proved_at limit 1`, via.account, via.index).Scan(&via.provedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNoAddress
	}
	if err != nil {
		return fmt.Errorf("find an address of account %s again: %w", via.account, err)
	}
	if _, err := tx.Exec(ctx, `delete from account_address where account = $1 and email_index = $2`, via.account, via.index); err != nil {
		return fmt.Errorf("make an address of account %s the first: %w", via.account, err)
	}
	if err := untaken(ctx, tx, via.index); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update account set email = $1, email_index = $2, verified_at = $3 where id = $4`, via.sealed, via.index, via.provedAt, via.account)
	if errors.Is(err, db.ErrUnique) {
		return ErrTaken
	}
	if err != nil {
		return fmt.Errorf("set the address of account %s again: %w", via.account, err)
	}
	return nil
}
