package series

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

func (s sqlStore) tapSizes(ctx context.Context, from int64) (all []tapSize, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (r tapSize, err error) {
			err = from.Scan(&r.seq, &r.bytes)
			return r, err
		}, `SELECT seq, LENGTH(body) FROM series_tap WHERE seq > $1 ORDER BY seq`, from)
		return err
	})
	return all, err
}

func (s sqlStore) tapped(ctx context.Context, from, to int64, limit int) (all []logRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (r logRow, err error) {
			err = from.Scan(&r.seq, &r.body)
			return r, err
		}, `SELECT seq, body FROM series_tap WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3`, from, to, limit)
		return err
	})
	return all, err
}

func (s sqlStore) untap(ctx context.Context, to int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM series_tap WHERE seq <= $1`, to)
		return err
	})
}
