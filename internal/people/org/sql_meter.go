package org

import (
	"context"
	"database/sql"
	"errors"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func (s sqlStore) values(ctx context.Context, space string, day int64) (used, told int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var of int64
		err := tx.QueryRow(ctx, `select day, used, told from org_value where space = $1`, space).Scan(&of, &used, &told)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if of != day {
			used = 0
		}
		return err
	})
	return used, told, err
}

func (s sqlStore) addValues(ctx context.Context, space string, day, more int64) (used int64, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, space); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `insert into org_value (space, day, used, told) values ($1, $2, $3, 0)
			on conflict (space) do update set used = case when org_value.day = excluded.day then org_value.used else 0 end + excluded.used, day = excluded.day
			returning used`, space, day, more).Scan(&used)
	})
	return used, err
}

func (s sqlStore) tellValues(ctx context.Context, space string, day int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, space); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, `insert into org_value (space, day, used, told) values ($1, $2, 0, $2)
			on conflict (space) do update set told = excluded.told where org_value.told < excluded.told`, space, day)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if n == 0 || err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}
