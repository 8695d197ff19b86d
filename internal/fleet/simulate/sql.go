package simulate

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL is the Store on one of our databases.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) note(ctx context.Context, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return journal.Record(ctx, tx, e) })
}
