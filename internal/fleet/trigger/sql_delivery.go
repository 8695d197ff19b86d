package trigger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// deliveryStore is what deliveries need of a database.
type deliveryStore interface {
	// claim takes deliveries of some kinds whose turn it is, and lets nobody else have them until then. It counts the try.
	claim(ctx context.Context, now, until int64, kinds []Kind, most int) ([]delivery, error)
	// release gives back what a process before had taken when it ended.
	release(ctx context.Context, now int64) error
	// finish writes what became of tries.
	finish(ctx context.Context, all []outcome) error
	// chose keeps the time that a delivery writes its value with, and says which one it has: the first that was chosen.
	chose(ctx context.Context, id string, stamp int64) (int64, error)
	// expand puts deliveries in the place of one.
	expand(ctx context.Context, id string, rows []delivery, at int64) error
	// delivered lists the newest deliveries of an action.
	delivered(ctx context.Context, space, action string, most int) ([]Delivery, error)
	// fired tells of each trigger of a space when it decided on a delivery last.
	fired(ctx context.Context, space string) ([]Firing, error)
	// revive has the dead deliveries of an action tried again, and says how many those are.
	revive(ctx context.Context, space, action string, at int64, e journal.Entry) (int64, error)
}

const deliveryColumns = `id, trigger, action, space, part, kind, target, sealed, at, since, stamp, next_at, tries`

func scanDelivery(from db.Row) (r delivery, err error) {
	err = from.Scan(&r.id, &r.trigger, &r.action, &r.space, &r.part, &r.kind, &r.target, &r.sealed, &r.at, &r.from, &r.stamp, &r.next, &r.tries)
	return r, err
}

func (s sqlStore) claim(ctx context.Context, now, until int64, kinds []Kind, most int) (all []delivery, err error) {
	args := []any{now, until, most}
	var list []string
	for _, k := range kinds {
		args = append(args, string(k))
		list = append(list, "$"+strconv.Itoa(len(args)))
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanDelivery, `update trigger_delivery set next_at = $2, tries = tries + 1, taken = true where id in (
			select id from trigger_delivery where ended_at = 0 and next_at <= $1 and kind in (`+strings.Join(list, ", ")+`) order by next_at, id limit $3)
			returning `+deliveryColumns, args...)
		if err != nil {
			return fmt.Errorf("find deliveries: %w", err)
		}
		return nil
	})
	return all, err
}

func (s sqlStore) release(ctx context.Context, now int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update trigger_delivery set next_at = $1, taken = false where ended_at = 0 and taken`, now)
		return err
	})
}

func (s sqlStore) finish(ctx context.Context, all []outcome) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, o := range all {
			if err := finishOne(ctx, tx, o); err != nil {
				return fmt.Errorf("end of delivery %s: %w", o.id, err)
			}
		}
		return nil
	})
}

func finishOne(ctx context.Context, tx *db.Tx, o outcome) error {
	back := 0
	if o.free {
		back = 1
	}
	if o.outcome == "" {
		_, err := tx.Exec(ctx, `update trigger_delivery set next_at = $2, tries = tries - $3, taken = false, answer = $4 where id = $1 and ended_at = 0`, o.id, o.next, back, o.answer)
		return err
	}
	// What is dead keeps what happened, so that it can be tried anew.
	text := `update trigger_delivery set sealed = null, taken = false, ended_at = $2, outcome = $3, answer = $4 where id = $1 and ended_at = 0`
	if o.outcome == dead {
		text = `update trigger_delivery set taken = false, ended_at = $2, outcome = $3, answer = $4 where id = $1 and ended_at = 0`
	}
	r, err := tx.Exec(ctx, text, o.id, o.at, o.outcome, o.answer)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n == 0 || o.entry == nil { // it was removed meanwhile, or there is nothing to tell
		return err
	}
	return journal.Record(ctx, tx, *o.entry)
}

func (s sqlStore) chose(ctx context.Context, id string, stamp int64) (has int64, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `update trigger_delivery set stamp = $2 where id = $1 and stamp = 0`, id, stamp); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `select stamp from trigger_delivery where id = $1`, id).Scan(&has)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errNoDelivery
	}
	return has, err
}

func (s sqlStore) expand(ctx context.Context, id string, rows []delivery, at int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for i := range rows {
			if err := insertDelivery(ctx, tx, &rows[i]); err != nil {
				return err
			}
		}
		return finishOne(ctx, tx, outcome{id: id, outcome: done, at: at})
	})
}

func (s sqlStore) delivered(ctx context.Context, space, action string, most int) (all []Delivery, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (d Delivery, err error) {
			var at, next, ended int64
			err = from.Scan(&d.ID, &d.Trigger, &d.Kind, &at, &next, &d.Tries, &ended, &d.Outcome, &d.Answer)
			d.At = fromMicros(at)
			if ended == 0 {
				d.NextAt = fromMicros(next)
			} else {
				d.EndedAt = fromMicros(ended)
			}
			return d, err
		}, `select id, trigger, kind, at, next_at, tries, ended_at, outcome, answer from trigger_delivery
			where action = $1 and space = $2 order by at desc, id limit $3`, action, space, most)
		return err
	})
	return all, err
}

func (s sqlStore) fired(ctx context.Context, space string) (all []Firing, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (f Firing, err error) {
			var at int64
			err = from.Scan(&f.Trigger, &at, &f.Waiting, &f.Dead)
			f.At = fromMicros(at)
			return f, err
		}, `select trigger, max(at), sum(case when ended_at = 0 then 1 else 0 end), sum(case when outcome = $2 then 1 else 0 end)
			from trigger_delivery where space = $1 group by trigger order by trigger`, space, dead)
		return err
	})
	return all, err
}

func (s sqlStore) revive(ctx context.Context, space, action string, at int64, e journal.Entry) (n int64, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update trigger_delivery set since = $3, next_at = $3, tries = 0, ended_at = 0, outcome = '', answer = 0
			where action = $1 and space = $2 and outcome = $4`, action, space, at, dead)
		if err != nil {
			return err
		}
		if n, err = done.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return n, err
}
