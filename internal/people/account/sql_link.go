package account

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func (s sqlStore) addLink(ctx context.Context, r linkRow, many int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into account_link (hash, purpose, account, epoch, sealed, made_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7)`,
			r.hash, string(r.purpose), r.account, r.epoch, r.sealed, r.madeAt, r.expires)
		if err != nil {
			return err
		}
		// Those made in the same microsecond all stay: there are few.
		_, err = tx.Exec(ctx, `delete from account_link where account = $1 and purpose = $2 and made_at < (
				select min(made_at) from (select made_at from account_link where account = $1 and purpose = $2 order by made_at desc limit $3) as newest)`,
			r.account, string(r.purpose), many)
		if err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) link(ctx context.Context, hash []byte) (r linkRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var purpose string
		err := tx.QueryRow(ctx, `select hash, purpose, account, epoch, sealed, made_at, expires_at from account_link where hash = $1`, hash).
			Scan(&r.hash, &purpose, &r.account, &r.epoch, &r.sealed, &r.madeAt, &r.expires)
		r.purpose = Purpose(purpose)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrLink
		}
		return err
	})
	return r, err
}

func (s sqlStore) useLink(ctx context.Context, hash []byte, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from account_link where hash = $1`, hash)
		if err != nil {
			return fmt.Errorf("use a link: %w", err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrLink, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) dropLinks(ctx context.Context, before int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from account_link where expires_at <= $1`, before)
		return err
	})
}

// endLinks ends an account's links of some purposes.
func endLinks(ctx context.Context, tx *db.Tx, account string, all ...Purpose) error {
	for _, p := range all {
		if _, err := tx.Exec(ctx, `delete from account_link where account = $1 and purpose = $2`, account, string(p)); err != nil {
			return fmt.Errorf("end links to %s of account %s: %w", p, account, err)
		}
	}
	return nil
}
