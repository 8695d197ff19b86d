package org

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

const inviteColumns = `id, org, token, address, address_index, role, uses, made_by, created_at, expires_at`

func scanInvite(from db.Row) (r inviteRow, err error) {
	err = from.Scan(&r.id, &r.space, &r.token, &r.address, &r.index, &r.role, &r.uses, &r.madeBy, &r.createdAt, &r.expiresAt)
	return r, err
}

func (s sqlStore) invite(ctx context.Context, r inviteRow, now int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, r.space); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from org_invite where expires_at <= $1`, now); err != nil {
			return fmt.Errorf("remove invitations that have ended: %w", err)
		}
		var n int
		if err := tx.QueryRow(ctx, `select count(1) from org_invite where org = $1`, r.space).Scan(&n); err != nil {
			return fmt.Errorf("count invitations of space %s: %w", r.space, err)
		}
		if n >= maxInvitations {
			return ErrInvitations
		}
		_, err := tx.Exec(ctx, `insert into org_invite (`+inviteColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			r.id, r.space, r.token, r.address, r.index, string(r.role), r.uses, r.madeBy, r.createdAt, r.expiresAt)
		if errors.Is(err, db.ErrUnique) {
			return ErrInvited // tokens do not collide
		}
		if err != nil {
			return fmt.Errorf("add invitation %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) invites(ctx context.Context, space string, now int64) (all []inviteRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanInvite, `select `+inviteColumns+` from org_invite where org = $1 and expires_at > $2 order by created_at, id`, space, now)
		return err
	})
	return all, err
}

func (s sqlStore) inviteByToken(ctx context.Context, token []byte, now int64) (r inviteRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanInvite(tx.QueryRow(ctx, `select `+inviteColumns+` from org_invite where token = $1 and expires_at > $2`, token, now))
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrInvitation
		}
		return err
	})
	return r, err
}

func (s sqlStore) reinvite(ctx context.Context, space, id string, token []byte, now, until int64, e journal.Entry) (r inviteRow, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err = scanInvite(tx.QueryRow(ctx, `select `+inviteColumns+` from org_invite where org = $1 and id = $2 and expires_at > $3`, space, id, now))
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNoInvitation
		case err != nil:
			return err
		case r.address == nil:
			return ErrResend
		}
		if _, err := tx.Exec(ctx, `update org_invite set token = $2, expires_at = $3 where id = $1`, id, token, until); err != nil {
			return fmt.Errorf("renew invitation %s: %w", id, err)
		}
		r.token, r.expiresAt = token, until
		return journal.Record(ctx, tx, e)
	})
	return r, err
}

func (s sqlStore) uninvite(ctx context.Context, space, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from org_invite where org = $1 and id = $2`, space, id)
		if err != nil {
			return fmt.Errorf("withdraw invitation %s: %w", id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNoInvitation, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) accept(ctx context.Context, r inviteRow, user string, most int, at time.Time, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		in, err := isMember(ctx, tx, r.space, user)
		switch {
		case err != nil:
			return err
		case in:
			return ErrMember // and the invitation is there for somebody else
		}
		if err := room(ctx, tx, r.space, most); err != nil {
			return err
		}
		// The token, too: it may have been renewed or taken since it was looked up.
		done, err := tx.Exec(ctx, `update org_invite set uses = uses - 1 where id = $1 and token = $2 and uses > 0 and expires_at > $3`, r.id, r.token, at.UnixMicro())
		if err != nil {
			return fmt.Errorf("take invitation %s: %w", r.id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrInvitation, err)
		}
		if _, err := tx.Exec(ctx, `delete from org_invite where id = $1 and uses = 0`, r.id); err != nil {
			return fmt.Errorf("end invitation %s: %w", r.id, err)
		}
		_, err = tx.Exec(ctx, `insert into org_member (org, account, role, since_at) values ($1, $2, $3, $4)`, r.space, user, string(r.role), at.UnixMicro())
		if err != nil {
			return fmt.Errorf("add account %s to space %s: %w", user, r.space, err)
		}
		return journal.Record(ctx, tx, e)
	})
}
