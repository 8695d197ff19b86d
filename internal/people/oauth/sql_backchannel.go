package oauth

import (
	"context"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

const logoutColumns = `id, client, account, session, tries, next_at, expires_at`

func scanLogout(from db.Row) (l logout, err error) {
	var next, expires int64
	err = from.Scan(&l.id, &l.client, &l.account, &l.session, &l.tries, &next, &expires)
	l.nextAt, l.expiresAt = moment(next), moment(expires)
	return l, err
}

// expect has a client that wants it told when the session of a new grant ends.
func expect(ctx context.Context, tx *db.Tx, g *Grant) error {
	var wants int
	if err := tx.QueryRow(ctx, `select count(1) from oauth_client where id = $1 and backchannel <> ''`, g.Client).Scan(&wants); err != nil || wants == 0 || g.Session == "" {
		return err
	}
	_, err := tx.Exec(ctx, `insert into oauth_logout (`+logoutColumns+`) values ($1, $2, $3, $4, 0, 0, 0) on conflict (client, session) do nothing`,
		g.ID, g.Client, g.User, g.Session)
	if err != nil {
		return fmt.Errorf("remember to tell client %s: %w", g.Client, err)
	}
	return nil
}

func (s sqlStore) standing(ctx context.Context, account, after string, most int) (all []logout, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanLogout, `select `+logoutColumns+` from oauth_logout
			where next_at = 0 and id > $1 and ($2 = '' or account = $2) order by id limit $3`, after, account, most)
		return err
	})
	return all, err
}

func (s sqlStore) ended(ctx context.Context, session string, at, giveUp time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update oauth_logout set next_at = $1, expires_at = $2 where session = $3 and next_at = 0`, micro(at), micro(giveUp), session)
		return err
	})
}

func (s sqlStore) due(ctx context.Context, at time.Time, most int) (all []logout, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanLogout, `select `+logoutColumns+` from oauth_logout where next_at > 0 and next_at <= $1 order by next_at, id limit $2`, micro(at), most)
		return err
	})
	return all, err
}

func (s sqlStore) later(ctx context.Context, id string, at time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update oauth_logout set tries = tries + 1, next_at = $1 where id = $2`, micro(at), id)
		return err
	})
}

func (s sqlStore) told(ctx context.Context, id string, e *journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from oauth_logout where id = $1`, id); err != nil {
			return err
		}
		if e != nil {
			return journal.Record(ctx, tx, *e)
		}
		return nil
	})
}
