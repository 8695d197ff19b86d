package dashboard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

const selectShare = `select s.dashboard, d.space, s.account, s.may, s.made_by, s.created_at
	from dashboard_share as s join dashboard as d on d.id = s.dashboard where `

func scanShare(from db.Row) (one Share, err error) {
	var at int64
	err = from.Scan(&one.Dashboard, &one.Space, &one.User, &one.May, &one.By, &at)
	one.At = fromMicros(at)
	return one, err
}

func (s sqlStore) shareOf(ctx context.Context, user, dashboard string) (one Share, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		one, err = scanShare(tx.QueryRow(ctx, selectShare+`s.dashboard = $1 and s.account = $2 and d.deleted_at is null`, dashboard, user))
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		return one, ErrNotFound
	}
	return one, err
}

func (s sqlStore) shares(ctx context.Context, where string, args ...any) (all []Share, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanShare, selectShare+where+` order by s.created_at, s.dashboard, s.account`, args...)
		return err
	})
	return all, err
}

func (s sqlStore) sharesWith(ctx context.Context, user string) ([]Share, error) {
	return s.shares(ctx, `s.account = $1 and d.deleted_at is null`, user)
}

func (s sqlStore) sharesOf(ctx context.Context, space, dashboard string) ([]Share, error) {
	if dashboard == "" {
		return s.shares(ctx, `d.space = $1`, space)
	}
	return s.shares(ctx, `s.dashboard = $1 and d.space = $2`, dashboard, space)
}

// share gives one dashboard to guests, all of them or none, and answers their requests.
func (s sqlStore) share(ctx context.Context, all []Share, entries []journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for i, one := range all {
			if err := there(ctx, tx, one.Space, one.Dashboard); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `insert into dashboard_share (dashboard, account, may, made_by, created_at) values ($1, $2, $3, $4, $5)
				on conflict (dashboard, account) do update set may = excluded.may`, one.Dashboard, one.User, one.May, one.By, one.At.UnixMicro()); err != nil {
				return fmt.Errorf("share dashboard %s: %w", one.Dashboard, err)
			}
			if _, err := tx.Exec(ctx, `delete from dashboard_request where dashboard = $1 and account = $2`, one.Dashboard, one.User); err != nil {
				return fmt.Errorf("share dashboard %s: %w", one.Dashboard, err)
			}
			if err := journal.Record(ctx, tx, entries[i]); err != nil {
				return err
			}
		}
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from dashboard_share where dashboard = $1`, all[0].Dashboard).Scan(&n); err != nil {
			return err
		}
		if n > maxShares {
			return ErrTooManyShares
		}
		return nil
	})
}

func (s sqlStore) unshare(ctx context.Context, space, dashboard, user string, e journal.Entry) error {
	return s.drop(ctx, space, dashboard, e, ErrNoShare, `delete from dashboard_share where dashboard = $1 and account = $2`, user)
}

// drop removes one row of a dashboard, or is none.
func (s sqlStore) drop(ctx context.Context, space, dashboard string, e journal.Entry, none error, statement string, args ...any) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, space, dashboard); err != nil {
			return err
		}
		done, err := tx.Exec(ctx, statement, append([]any{dashboard}, args...)...)
		if err != nil {
			return fmt.Errorf("change dashboard %s: %w", dashboard, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, none)
		}
		return journal.Record(ctx, tx, e)
	})
}

// lends finds those of some properties that living dashboards show which are shared with a
// person. Where two say different things, the person may write.
func (s sqlStore) lends(ctx context.Context, user string, properties []string) (map[string]thing.Loan, error) {
	loans := map[string]thing.Loan{}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		clear(loans)
		for part := range slices.Chunk(properties, perStatement) {
			places, args := in(part, 2)
			err := db.Each(ctx, tx, func(from db.Row) error {
				var property string
				var loan thing.Loan
				if err := from.Scan(&property, &loan.Space, &loan.Lent); err != nil {
					return err
				}
				if loans[property].Lent != access.Write {
					loans[property] = loan
				}
				return nil
			}, `select v.property, d.space, s.may from dashboard_share as s join dashboard as d on d.id = s.dashboard
				join dashboard_variable as v on v.dashboard = d.id
				where s.account = $1 and d.deleted_at is null and v.property in (`+places+`)`, append([]any{user}, args...)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return loans, err
}

// ask keeps a request, in place of an older one of the same person. fresh says that there was none. A
// member's, and one for what is shared already, is not kept, but for members the database does not know.
func (s sqlStore) ask(ctx context.Context, dashboard, user string, sealed []byte, entry func(space string) journal.Entry) (d Dashboard, fresh bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var space string
		err := tx.QueryRow(ctx, `select space from dashboard where id = $1 and deleted_at is null`, dashboard).Scan(&space)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if d, err = s.load(ctx, tx, space, dashboard); err != nil {
			return err
		}
		var had, guest, waiting int
		if err := tx.QueryRow(ctx, `select count(*) from dashboard_share where dashboard = $1 and account = $2`, dashboard, user).Scan(&guest); err != nil {
			return err
		}
		if fresh = guest == 0; !fresh {
			return nil
		}
		if err := tx.QueryRow(ctx, `select count(*) from dashboard_request where dashboard = $1 and account = $2`, dashboard, user).Scan(&had); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `select count(*) from dashboard_request where dashboard = $1`, dashboard).Scan(&waiting); err != nil {
			return err
		}
		if fresh = had == 0; fresh && waiting >= maxRequests {
			if _, err := tx.Exec(ctx, `delete from dashboard_request where dashboard = $1 and account =
				(select account from dashboard_request where dashboard = $1 order by created_at, account limit 1)`, dashboard); err != nil {
				return err
			}
		}
		e := entry(space)
		if _, err := tx.Exec(ctx, `insert into dashboard_request (dashboard, account, message, created_at) values ($1, $2, $3, $4)
			on conflict (dashboard, account) do update set message = excluded.message, created_at = excluded.created_at`,
			dashboard, user, sealed, e.At.UnixMicro()); err != nil {
			return fmt.Errorf("ask for dashboard %s: %w", dashboard, err)
		}
		return journal.Record(ctx, tx, e)
	})
	return d, fresh, err
}

func (s sqlStore) requests(ctx context.Context, space, dashboard string) (all []requestRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (r requestRow, err error) {
			var at int64
			err = from.Scan(&r.user, &r.sealed, &at)
			r.at = fromMicros(at)
			return r, err
		}, `select r.account, r.message, r.created_at from dashboard_request as r join dashboard as d on d.id = r.dashboard
			where r.dashboard = $1 and d.space = $2 order by r.created_at, r.account`, dashboard, space)
		return err
	})
	return all, err
}

func (s sqlStore) refuse(ctx context.Context, space, dashboard, user string, e journal.Entry) error {
	return s.drop(ctx, space, dashboard, e, ErrNoRequest, `delete from dashboard_request where dashboard = $1 and account = $2`, user)
}

func (s sqlStore) forget(ctx context.Context, user string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, statement := range []string{`delete from dashboard_share where account = $1`, `delete from dashboard_request where account = $1`} {
			if _, err := tx.Exec(ctx, statement, user); err != nil {
				return err
			}
		}
		return nil
	})
}
