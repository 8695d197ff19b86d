package oauth

import (
	"context"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// SQL keeps clients, grants and the public halves of signing keys in the core database.
func SQL(d *db.DB) Store { return sqlStore{d, &committer{db: d}} }

type sqlStore struct {
	db       *db.DB
	together *committer
}

func (s sqlStore) keys(ctx context.Context) (all []key, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (k key, err error) {
			var at int64
			err = from.Scan(&k.number, &k.kid, &k.public, &at)
			k.createdAt = time.UnixMicro(at).UTC()
			return k, err
		}, `select number, kid, public, created_at from oauth_key order by number`)
		return err
	})
	return all, err
}

func (s sqlStore) addKey(ctx context.Context, k key) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into oauth_key (number, kid, public, created_at, active_at) values ($1, $2, $3, $4, $4) on conflict (number) do nothing`,
			k.number, k.kid, k.public, k.createdAt.UnixMicro())
		return err
	})
}
