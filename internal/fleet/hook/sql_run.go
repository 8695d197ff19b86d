package hook

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

func (s sqlStore) position(ctx context.Context) (seq int64, err error) {
	err = s.db.One(ctx, func(r db.Row) error { return r.Scan(&seq) }, `select seq from hook_position where id = 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}

// A line is the queue of a webhook while events are added.
type line struct {
	next, queued, bytes, since int64
	active                     bool
}

func (s sqlStore) queue(ctx context.Context, seq int64, rows []event) (dropped int64, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		dropped = 0
		var had int64
		if err := tx.QueryRow(ctx, `select coalesce(max(seq), 0) from hook_position`).Scan(&had); err != nil || had >= seq {
			return err // what was written is, though its writer did not learn so
		}
		var order []string
		lines := map[string]*line{}
		for i := range rows {
			e := &rows[i]
			l := lines[e.hook]
			if l == nil {
				l = &line{}
				err := tx.QueryRow(ctx, `select next_event, queued, queued_bytes, since_seq, active from hook where id = $1`, e.hook).Scan(&l.next, &l.queued, &l.bytes, &l.since, &l.active)
				if err != nil && !errors.Is(err, sql.ErrNoRows) {
					return fmt.Errorf("queue of webhook %s: %w", e.hook, err)
				}
				lines[e.hook] = l
				order = append(order, e.hook)
			}
			if !l.active || e.seq <= l.since {
				continue // it was turned off or removed meanwhile
			}
			if _, err := tx.Exec(ctx, `insert into hook_event (hook, number, id, space, thing, sealed, at) values ($1, $2, $3, $4, $5, $6, $7)`,
				e.hook, l.next, e.id, e.space, e.thing, e.sealed, e.at); err != nil {
				return fmt.Errorf("event of webhook %s: %w", e.hook, err)
			}
			l.next++
			l.queued++
			l.bytes += int64(len(e.sealed))
		}
		for _, id := range order {
			l := lines[id]
			if !l.active {
				continue
			}
			lost, err := s.trim(ctx, tx, id, l)
			if err != nil {
				return fmt.Errorf("queue of webhook %s: %w", id, err)
			}
			dropped += lost
			// What is tried now may be what was dropped: the next is tried at its time.
			if _, err := tx.Exec(ctx, `update hook set next_event = $2, queued = $3, queued_bytes = $4, dropped = dropped + $5 where id = $1`,
				id, l.next, l.queued, l.bytes, lost); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `insert into hook_position (id, seq) values (1, $1) on conflict (id) do update set seq = excluded.seq`, seq)
		return err
	})
	return dropped, err
}

// trim drops the oldest events of a queue that has too many. The newest stays.
func (s sqlStore) trim(ctx context.Context, tx *db.Tx, id string, l *line) (lost int64, err error) {
	type old struct{ number, bytes int64 }
	for l.queued > s.mostQueued || l.bytes > s.mostBytes && l.queued > 1 {
		all, err := db.All(ctx, tx, func(from db.Row) (o old, err error) {
			err = from.Scan(&o.number, &o.bytes)
			return o, err
		}, `select number, length(sealed) from hook_event where hook = $1 order by number limit 100`, id)
		if err != nil {
			return lost, err
		}
		if len(all) == 0 {
			return lost, nil
		}
		last := int64(0)
		for _, o := range all {
			if l.queued <= s.mostQueued && (l.bytes <= s.mostBytes || l.queued <= 1) {
				break
			}
			last = o.number
			l.queued--
			l.bytes -= o.bytes
			lost++
		}
		if _, err := tx.Exec(ctx, `delete from hook_event where hook = $1 and number <= $2`, id, last); err != nil {
			return lost, err
		}
	}
	return lost, nil
}

// perSpace is how many webhooks of one space are looked at together: those that are busy, and as many again. The others of a space with
// many that wait would hide those of other spaces.
const perSpace = 2 * slots

func (s sqlStore) due(ctx context.Context, now int64, most int) (all []owned, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (o owned, err error) {
			err = from.Scan(&o.id, &o.space)
			return o, err
		}, `select id, space from (
				select id, space, next_at, last_at, row_number() over (partition by space order by next_at, last_at, id) as place
				from hook where queued > 0 and active and next_at <= $1) as due
			where place <= $2 order by next_at, last_at, id limit $3`, now, perSpace, most)
		return err
	})
	return all, err
}

func (s sqlStore) oldest(ctx context.Context, id string, most int) (all []waiting, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (w waiting, err error) {
			err = from.Scan(&w.number, &w.id, &w.thing, &w.sealed, &w.at)
			return w, err
		}, `select number, id, thing, sealed, at from hook_event where hook = $1 order by number limit $2`, id, most)
		return err
	})
	return all, err
}

func (s sqlStore) tried(ctx context.Context, x try) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if x.taken || x.dead || x.gone {
			var bytes int64
			err := tx.QueryRow(ctx, `select length(sealed) from hook_event where hook = $1 and number = $2 and id = $3`, x.hook, x.number, x.event).Scan(&bytes)
			switch {
			case errors.Is(err, sql.ErrNoRows): // it was dropped meanwhile, or goes with its webhook
			case err != nil:
				return err
			default:
				if _, err := tx.Exec(ctx, `delete from hook_event where hook = $1 and number = $2`, x.hook, x.number); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, `update hook set queued = queued - 1, queued_bytes = queued_bytes - $2 where id = $1`, x.hook, bytes); err != nil {
					return err
				}
			}
		}
		var err error
		switch {
		case x.gone:
			return nil
		case x.taken:
			_, err = tx.Exec(ctx, `update hook set tries = 0, next_at = 0, failing_since = 0, last_at = $2, last_status = $3, last_result = $4, delivered = delivered + 1 where id = $1`,
				x.hook, x.at, x.status, x.result)
		case x.dead:
			_, err = tx.Exec(ctx, `update hook set tries = 1, next_at = $5, failing_since = case when failing_since = 0 then $2 else failing_since end,
				last_at = $2, last_status = $3, last_result = $4, dead = dead + 1 where id = $1`, x.hook, x.at, x.status, x.result, x.next)
		default:
			_, err = tx.Exec(ctx, `update hook set tries = tries + 1, next_at = $5, failing_since = case when failing_since = 0 then $2 else failing_since end,
				last_at = $2, last_status = $3, last_result = $4 where id = $1`, x.hook, x.at, x.status, x.result, x.next)
		}
		if err != nil {
			return fmt.Errorf("what became of event %s: %w", x.event, err)
		}
		return nil
	})
}
