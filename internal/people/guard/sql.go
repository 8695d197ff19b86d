package guard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps counts in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) counts(ctx context.Context) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (r row, err error) {
			err = from.Scan(&r.rule, &r.subject, &r.label, &r.at, &r.until, &r.level, &r.n)
			return r, err
		}, `select rule, subject, label, at, until, level, counts from guard_count order by at desc, rule, subject`)
		return err
	})
	return all, err
}

func (s sqlStore) save(ctx context.Context, changed []row, gone []rowKey, entries []journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, k := range gone {
			if _, err := tx.Exec(ctx, `delete from guard_count where rule = $1 and subject = $2`, k.rule, k.subject); err != nil {
				return fmt.Errorf("forget a count of %s: %w", k.rule, err)
			}
		}
		for _, r := range changed {
			_, err := tx.Exec(ctx, `
				insert into guard_count (rule, subject, label, at, until, level, counts) values ($1, $2, $3, $4, $5, $6, $7)
				on conflict (rule, subject) do update set label = $3, at = $4, until = $5, level = $6, counts = $7`,
				r.rule, r.subject, r.label, r.at, r.until, r.level, r.n)
			if err != nil {
				return fmt.Errorf("write a count of %s: %w", r.rule, err)
			}
		}
		for _, e := range entries {
			if err := journal.Record(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s sqlStore) place(ctx context.Context, account string) (at int64, sealed []byte, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select at, place from guard_place where account = $1`, account).Scan(&at, &sealed)
		if errors.Is(err, sql.ErrNoRows) {
			at, sealed, err = 0, nil, nil
		}
		return err
	})
	return at, sealed, err
}

func (s sqlStore) setPlace(ctx context.Context, account string, at int64, sealed []byte) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into guard_place (account, at, place) values ($1, $2, $3)
			on conflict (account) do update set at = $2, place = $3`, account, at, sealed)
		return err
	})
}

func (s sqlStore) forget(ctx context.Context, account string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from guard_place where account = $1`, account)
		return err
	})
}
