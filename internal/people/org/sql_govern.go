package org

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// set runs one change of a space's row; ErrNotFound when there is none.
func (s sqlStore) set(ctx context.Context, id string, e journal.Entry, text string, args ...any) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, text, args...)
		if err != nil {
			return fmt.Errorf("%s of space %s: %w", e.Action, id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) rename(ctx context.Context, id string, name []byte, e journal.Entry) error {
	return s.set(ctx, id, e, `update org set name = $2 where id = $1`, id, name)
}

func (s sqlStore) setLevel(ctx context.Context, id string, level Level, e journal.Entry) error {
	return s.set(ctx, id, e, `update org set level = $2 where id = $1`, id, string(level))
}

func (s sqlStore) setHeir(ctx context.Context, id, user string, e journal.Entry) error {
	return s.set(ctx, id, e, `update org set heir = $2 where id = $1`, id, user)
}

func (s sqlStore) note(ctx context.Context, id string, e journal.Entry) error {
	return s.set(ctx, id, e, `update org set heir = heir where id = $1`, id) // there, and not under somebody's hands
}

func (s sqlStore) setOwner(ctx context.Context, id, from, to string, at time.Time, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update org set owner = $3, heir = '' where id = $1 and owner = $2 and kind = 'shared'`, id, from, to)
		if err != nil {
			return fmt.Errorf("hand space %s over: %w", id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotOffered, err) // it was handed over meanwhile
		}
		done, err = tx.Exec(ctx, `update org_member set role = $3 where org = $1 and account = $2`, id, to, string(access.Admin))
		if err != nil {
			return fmt.Errorf("make account %s administrator of space %s: %w", to, id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoMember, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) limits(ctx context.Context, id string) (Limits, error) {
	all := Limits{}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		return db.Each(ctx, tx, func(from db.Row) error {
			var kind string
			var most int
			err := from.Scan(&kind, &most)
			all[Quota(kind)] = most
			return err
		}, `select kind, most from org_limit where org = $1`, id)
	})
	return all, err
}

// there says ErrNotFound of a space that is not, also one that is being erased.
func there(ctx context.Context, tx *db.Tx, id string) error {
	var n int
	if err := tx.QueryRow(ctx, `select count(1) from org where id = $1`, id).Scan(&n); err != nil {
		return fmt.Errorf("find space %s: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

func (s sqlStore) setLimit(ctx context.Context, id string, q Quota, most int, back bool, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from org_limit where org = $1 and kind = $2`, id, string(q)); err != nil {
			return fmt.Errorf("limit of space %s: %w", id, err)
		}
		if !back {
			if _, err := tx.Exec(ctx, `insert into org_limit (org, kind, most) values ($1, $2, $3)`, id, string(q), most); err != nil {
				return fmt.Errorf("limit of space %s: %w", id, err)
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) logo(ctx context.Context, id string) (r logoRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select kind, image, updated_at from org_logo where org = $1`, id).Scan(&r.kind, &r.image, &r.updatedAt)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNoLogo
		}
		return err
	})
	return r, err
}

func (s sqlStore) hasLogo(ctx context.Context, id string) (has bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var n int
		err := tx.QueryRow(ctx, `select count(1) from org_logo where org = $1`, id).Scan(&n)
		has = n > 0
		return err
	})
	return has, err
}

func (s sqlStore) setLogo(ctx context.Context, id string, r logoRow, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, id); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into org_logo (org, kind, image, updated_at) values ($1, $2, $3, $4)
			on conflict (org) do update set kind = excluded.kind, image = excluded.image, updated_at = excluded.updated_at`, id, r.kind, r.image, r.updatedAt)
		if err != nil {
			return fmt.Errorf("keep the logo of space %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) dropLogo(ctx context.Context, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from org_logo where org = $1`, id)
		if err != nil {
			return fmt.Errorf("remove the logo of space %s: %w", id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err // there was none
		}
		return journal.Record(ctx, tx, e)
	})
}
