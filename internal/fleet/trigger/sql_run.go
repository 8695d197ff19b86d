package trigger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// runStore is what the engine needs of a database.
type runStore interface {
	// spaces are those that have triggers.
	spaces(ctx context.Context) ([]string, error)
	// state is what a trigger remembers, and of which revision.
	state(ctx context.Context, trigger string) (*state, int64, error)
	// position is how far values were looked at; 0 before anybody did.
	position(ctx context.Context) (int64, error)
	// decide writes a decision, all of it or nothing, but for what concerns triggers that have another revision now.
	decide(ctx context.Context, d *decision) error
	// used is what a space has used on a day.
	used(ctx context.Context, space string, day int64) (use, error)
	// sweep removes what nobody asks for any more: deliveries that ended before, and days before.
	sweep(ctx context.Context, ended, day int64) error
}

func (s sqlStore) spaces(ctx context.Context) (all []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.Column[string](ctx, tx, `select distinct space from trigger order by space`)
		return err
	})
	return all, err
}

func (s sqlStore) state(ctx context.Context, trigger string) (st *state, revision int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		st = &state{online: map[string]bool{}}
		err := tx.QueryRow(ctx, `select revision, holds, seen_mac, fired_at, free_at, tell_at from trigger_state where trigger = $1`, trigger).
			Scan(&revision, &st.holds, &st.seen, &st.firedAt, &st.freeAt, &st.tellAt)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // it was removed meanwhile
		}
		if err != nil {
			return err
		}
		devices, err := db.Column[string](ctx, tx, `select device from trigger_online where trigger = $1`, trigger)
		for _, id := range devices {
			st.online[id] = true
		}
		return err
	})
	return st, revision, err
}

func (s sqlStore) position(ctx context.Context) (seq int64, err error) {
	err = s.db.One(ctx, func(r db.Row) error { return r.Scan(&seq) }, `select seq from trigger_position where id = 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}

func (s sqlStore) decide(ctx context.Context, d *decision) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		type revision struct {
			trigger string
			number  int64
		}
		good := map[revision]bool{}
		for _, w := range d.works {
			done, err := tx.Exec(ctx, `update trigger_state set holds = $3, seen_mac = $4, fired_at = $5, free_at = $6, tell_at = $7 where trigger = $1 and revision = $2`,
				w.trigger, w.revision, w.holds, w.seen, w.firedAt, w.freeAt, w.tellAt)
			if err != nil {
				return fmt.Errorf("what trigger %s remembers: %w", w.trigger, err)
			}
			n, err := done.RowsAffected()
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			good[revision{w.trigger, w.revision}] = true
			for id, online := range w.told {
				text := `delete from trigger_online where trigger = $1 and device = $2`
				if online {
					text = `insert into trigger_online (trigger, device) values ($1, $2) on conflict (trigger, device) do nothing`
				}
				if _, err := tx.Exec(ctx, text, w.trigger, id); err != nil {
					return fmt.Errorf("devices of trigger %s: %w", w.trigger, err)
				}
			}
		}
		for i := range d.rows {
			if good[revision{d.rows[i].trigger, d.rows[i].revision}] {
				if err := insertDelivery(ctx, tx, &d.rows[i]); err != nil {
					return err
				}
			}
		}
		for space, u := range d.usage {
			if u.fired == 0 && u.held == 0 {
				continue
			}
			if _, err := tx.Exec(ctx, `insert into trigger_usage (space, day, fired, held) values ($1, $2, $3, $4)
				on conflict (space, day) do update set fired = trigger_usage.fired + excluded.fired, held = trigger_usage.held + excluded.held`,
				space, d.day, u.fired, u.held); err != nil {
				return fmt.Errorf("usage of space %s: %w", space, err)
			}
		}
		if d.seq == 0 {
			return nil
		}
		if _, err := tx.Exec(ctx, `insert into trigger_position (id, seq) values (1, $1) on conflict (id) do update set seq = excluded.seq`, d.seq); err != nil {
			return fmt.Errorf("how far values were looked at: %w", err)
		}
		return nil
	})
}

func insertDelivery(ctx context.Context, tx *db.Tx, r *delivery) error {
	if _, err := tx.Exec(ctx, `
		insert into trigger_delivery (id, trigger, action, space, part, kind, target, sealed, at, since, stamp, next_at, tries, taken, ended_at, outcome, answer)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 0, false, 0, '', 0) on conflict (id) do nothing`,
		r.id, r.trigger, r.action, r.space, r.part, string(r.kind), r.target, r.sealed, r.at, r.from, r.next); err != nil {
		return fmt.Errorf("delivery of trigger %s: %w", r.trigger, err)
	}
	return nil
}

func (s sqlStore) used(ctx context.Context, space string, day int64) (u use, err error) {
	err = s.db.One(ctx, func(r db.Row) error { return r.Scan(&u.fired, &u.held) }, `select fired, held from trigger_usage where space = $1 and day = $2`, space, day)
	if errors.Is(err, sql.ErrNoRows) {
		return use{}, nil
	}
	return u, err
}

func (s sqlStore) sweep(ctx context.Context, ended, day int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from trigger_delivery where ended_at <> 0 and ended_at < $1`, ended); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from trigger_usage where day < $1`, day)
		return err
	})
}
