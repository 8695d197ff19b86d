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

// SQL keeps spaces in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const columns = `id, kind, owner, name, created_at, keep_days, level, heir`

func (s sqlStore) add(ctx context.Context, r row, most int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var there, owned int
		if err := tx.QueryRow(ctx, `select count(1) from org where id = $1`, r.id).Scan(&there); err != nil || there > 0 {
			return err
		}
		if most > 0 {
			err := tx.QueryRow(ctx, `select count(1) from org where owner = $1 and kind = 'shared'`, r.owner).Scan(&owned)
			if err != nil {
				return fmt.Errorf("count spaces of account %s: %w", r.owner, err)
			}
			if owned >= most {
				return ErrSpaces
			}
		}
		_, err := tx.Exec(ctx, `insert into org (`+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
			r.id, r.kind, r.owner, r.name, r.createdAt, r.keepDays, string(r.level), r.heir)
		if err != nil {
			return fmt.Errorf("add space %s: %w", r.id, err)
		}
		_, err = tx.Exec(ctx, `insert into org_member (org, account, role, since_at) values ($1, $2, $3, $4)`, r.id, r.owner, string(access.Admin), r.createdAt)
		if err != nil {
			return fmt.Errorf("add the first member of space %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) get(ctx context.Context, id string) (r row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select `+columns+` from org where id = $1`, id).Scan(&r.id, &r.kind, &r.owner, &r.name, &r.createdAt, &r.keepDays, &r.level, &r.heir)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	return r, err
}

func (s sqlStore) list(ctx context.Context) ([]row, error) {
	return s.rows(ctx, `select `+columns+`, '' from org order by created_at, id`)
}

func (s sqlStore) of(ctx context.Context, user string) ([]row, error) {
	return s.rows(ctx, `select org.id, org.kind, org.owner, org.name, org.created_at, org.keep_days, org.level, org.heir, org_member.role
		from org join org_member on org_member.org = org.id where org_member.account = $1 order by org.created_at, org.id`, user)
}

func (s sqlStore) rows(ctx context.Context, text string, args ...any) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (r row, err error) {
			err = from.Scan(&r.id, &r.kind, &r.owner, &r.name, &r.createdAt, &r.keepDays, &r.level, &r.heir, &r.role)
			return r, err
		}, text, args...)
		return err
	})
	return all, err
}

func (s sqlStore) role(ctx context.Context, id, user string) (role access.Role, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select role from org_member where org = $1 and account = $2`, id, user).Scan(&role)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return role, err
}

func (s sqlStore) members(ctx context.Context, id string) (all []Member, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (m Member, err error) {
			var at int64
			err = from.Scan(&m.User, &m.Role, &at)
			m.SinceAt = time.UnixMicro(at).UTC()
			return m, err
		}, `select account, role, since_at from org_member where org = $1 order by since_at, account`, id)
		return err
	})
	return all, err
}

func (s sqlStore) setRole(ctx context.Context, id, user string, role access.Role, most int, at time.Time, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var there int
		if err := tx.QueryRow(ctx, `select count(1) from org where id = $1`, id).Scan(&there); err != nil {
			return fmt.Errorf("find space %s: %w", id, err)
		}
		if there == 0 {
			return ErrNotFound // erased since whoever asks looked
		}
		// A space that has more than it may, since its limit was lowered, still changes roles.
		if in, err := isMember(ctx, tx, id, user); err != nil || !in {
			if err := errors.Join(err, room(ctx, tx, id, most)); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `insert into org_member (org, account, role, since_at) values ($1, $2, $3, $4)
			on conflict (org, account) do update set role = excluded.role`, id, user, string(role), at.UnixMicro())
		if err != nil {
			return fmt.Errorf("set role of account %s in space %s: %w", user, id, err)
		}
		return changed(ctx, tx, id, e)
	})
}

func (s sqlStore) setKeep(ctx context.Context, id string, days int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update org set keep_days = $2 where id = $1`, id, days)
		if err != nil {
			return fmt.Errorf("set the age to which space %s keeps values: %w", id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) remove(ctx context.Context, id, user string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from org_member where org = $1 and account = $2`, id, user)
		if err != nil {
			return fmt.Errorf("remove account %s from space %s: %w", user, id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoMember, err)
		}
		// An offer does not outlive the membership of who got it.
		if _, err := tx.Exec(ctx, `update org set heir = '' where id = $1 and heir = $2`, id, user); err != nil {
			return fmt.Errorf("withdraw the offer of space %s: %w", id, err)
		}
		return changed(ctx, tx, id, e)
	})
}

func isMember(ctx context.Context, tx *db.Tx, id, user string) (bool, error) {
	var n int
	err := tx.QueryRow(ctx, `select count(1) from org_member where org = $1 and account = $2`, id, user).Scan(&n)
	return n > 0, err
}

// room says whether one more member fits; most 0 is any number.
func room(ctx context.Context, tx *db.Tx, id string, most int) error {
	if most == 0 {
		return nil
	}
	var n int
	if err := tx.QueryRow(ctx, `select count(1) from org_member where org = $1`, id).Scan(&n); err != nil {
		return fmt.Errorf("count members of space %s: %w", id, err)
	}
	if n >= most {
		return ErrQuota.With(FullText(Members, n, most))
	}
	return nil
}

// changed refuses a change after which nobody could manage the space, and records any other.
func changed(ctx context.Context, tx *db.Tx, id string, e journal.Entry) error {
	var admins int
	if err := tx.QueryRow(ctx, `select count(1) from org_member where org = $1 and role = $2`, id, string(access.Admin)).Scan(&admins); err != nil {
		return fmt.Errorf("count administrators of space %s: %w", id, err)
	}
	if admins == 0 {
		return ErrLastAdmin
	}
	return journal.Record(ctx, tx, e)
}
