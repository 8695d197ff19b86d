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

const eraseColumns = `org, actor, began_at, done_at, things, devices, members, apikeys`

func scanErasure(from db.Row) (e Erasure, err error) {
	var began, done int64
	err = from.Scan(&e.Space, &e.Actor, &began, &done, &e.Size.Things, &e.Size.Devices, &e.Size.Members, &e.Size.Keys)
	if errors.Is(err, sql.ErrNoRows) {
		return Erasure{}, ErrNotFound
	}
	e.BeganAt = time.UnixMicro(began).UTC()
	if done != 0 {
		e.DoneAt = time.UnixMicro(done).UTC()
	}
	return e, err
}

func erasureOf(ctx context.Context, tx *db.Tx, id string) (Erasure, error) {
	return scanErasure(tx.QueryRow(ctx, `select `+eraseColumns+` from org_erase where org = $1`, id))
}

func (s sqlStore) erase(ctx context.Context, e Erasure, entry func(Erasure) journal.Entry) (Erasure, error) {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		there, err := erasureOf(ctx, tx, e.Space)
		if err == nil {
			e = there
			return nil
		}
		if !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("find the erasure of space %s: %w", e.Space, err)
		}
		var kind string
		err = tx.QueryRow(ctx, `select kind from org where id = $1`, e.Space).Scan(&kind)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return fmt.Errorf("find space %s: %w", e.Space, err)
		case kind == Private && !e.withPerson:
			return ErrErasePrivate
		}
		gone, err := tx.Exec(ctx, `delete from org_member where org = $1`, e.Space)
		if err != nil {
			return fmt.Errorf("remove members of space %s: %w", e.Space, err)
		}
		members, err := gone.RowsAffected()
		if err != nil {
			return err
		}
		e.Size.Members = int(members)
		if err := empty(ctx, tx, e.Space); err != nil {
			return fmt.Errorf("remove what space %s has: %w", e.Space, err)
		}
		if _, err := tx.Exec(ctx, `delete from org where id = $1`, e.Space); err != nil {
			return fmt.Errorf("remove space %s: %w", e.Space, err)
		}
		if _, err := tx.Exec(ctx, `insert into org_erase (`+eraseColumns+`) values ($1, $2, $3, 0, $4, $5, $6, $7)`,
			e.Space, e.Actor, e.BeganAt.UnixMicro(), e.Size.Things, e.Size.Devices, e.Size.Members, e.Size.Keys); err != nil {
			return fmt.Errorf("decide to erase space %s: %w", e.Space, err)
		}
		return journal.Record(ctx, tx, entry(e))
	})
	return e, err
}

// empty removes what a space has besides members.
func empty(ctx context.Context, tx *db.Tx, id string) error {
	for _, text := range []string{
		`delete from org_invite where org = $1`,
		`delete from org_logo where org = $1`,
		`delete from org_limit where org = $1`,
		`delete from org_value where space = $1`,
	} {
		if _, err := tx.Exec(ctx, text, id); err != nil {
			return err
		}
	}
	return nil
}

func (s sqlStore) erasure(ctx context.Context, id string) (e Erasure, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		e, err = erasureOf(ctx, tx, id)
		return err
	})
	return e, err
}

func (s sqlStore) erasures(ctx context.Context) (all []Erasure, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanErasure, `select `+eraseColumns+` from org_erase where done_at = 0 order by began_at, org`)
		return err
	})
	return all, err
}

func (s sqlStore) erased(ctx context.Context, id string, at time.Time, entry func(Erasure) journal.Entry) (e Erasure, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update org_erase set done_at = $1 where org = $2 and done_at = 0`, at.UnixMicro(), id)
		if err != nil {
			return err
		}
		if e, err = erasureOf(ctx, tx, id); err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err // it was proved before
		}
		return journal.Record(ctx, tx, entry(e))
	})
	return e, err
}
