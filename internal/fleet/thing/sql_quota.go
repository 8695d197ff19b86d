package thing

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

func (s sqlStore) countProperties(ctx context.Context, space string) (n int, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select count(*) from thing_property where space = $1 and deleted_at is null`, space).Scan(&n)
	})
	return n, err
}
