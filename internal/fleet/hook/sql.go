package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// SQL is the Store on one of our databases. ring seals addresses and secrets, under the key of their thing or device.
func SQL(d *db.DB, ring Keys) Store { return sqlStore{d, ring, maxQueue, maxBytes} }

type sqlStore struct {
	db   *db.DB
	ring Keys
	// mostQueued and mostBytes are how much of one webhook waits; less than is usual in tests.
	mostQueued, mostBytes int64
}

const columns = `id, space, owner, thing, device, sealed, active, since_seq, queued, queued_bytes, next_at, tries, failing_since, disabled_at, last_at, last_status, last_result,
	delivered, dropped, dead, created_at`

// A row is a Hook as it is stored.
type row struct {
	Hook
	sealed []byte
}

func scan(from db.Row) (r row, err error) {
	var next, failing, disabled, last, created int64
	err = from.Scan(&r.ID, &r.Space, &r.Owner, &r.Thing, &r.Device, &r.sealed, &r.Active, &r.Since, &r.Queued, &r.QueuedBytes, &next, &r.Tries, &failing, &disabled,
		&last, &r.LastStatus, &r.LastResult, &r.Delivered, &r.Dropped, &r.Dead, &created)
	r.CreatedAt = fromMicros(created)
	r.NextAt, r.FailingSince, r.DisabledAt, r.LastAt = orZero(next), orZero(failing), orZero(disabled), orZero(last)
	return r, err
}

func orZero(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return fromMicros(at)
}

func micros(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMicro()
}

func (s sqlStore) key(ctx context.Context, h *Hook) (key keys.Sealer, err error) {
	if h.Thing != "" {
		key, err = s.ring.Thing(ctx, h.Space, h.Thing)
	} else {
		key, err = s.ring.Device(ctx, h.Space, h.Device)
	}
	if err != nil {
		return nil, fmt.Errorf("key of webhook %s: %w", h.ID, err)
	}
	return key, nil
}

func place(id string) []byte { return keys.Place("hook", "sealed", id) }

func (s sqlStore) seal(ctx context.Context, h *Hook) ([]byte, error) {
	key, err := s.key(ctx, h)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(h.content)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return key.Seal(plain, place(h.ID))
}

func (s sqlStore) open(ctx context.Context, r row) (Hook, error) {
	key, err := s.key(ctx, &r.Hook)
	if err != nil {
		return r.Hook, err
	}
	plain, err := key.Open(r.sealed, place(r.ID))
	if err != nil {
		return r.Hook, fmt.Errorf("webhook %s: %w", r.ID, err)
	}
	defer clear(plain)
	if err := json.Unmarshal(plain, &r.content); err != nil {
		return r.Hook, fmt.Errorf("webhook %s: %w", r.ID, errors.Join(keys.ErrSeal, err))
	}
	return r.Hook, nil
}

func (s sqlStore) read(ctx context.Context, where string, args ...any) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scan, `select `+columns+` from hook where `+where+` order by created_at, id`, args...)
		return err
	})
	return all, err
}

func (s sqlStore) one(ctx context.Context, where string, args ...any) (Hook, error) {
	all, err := s.read(ctx, where, args...)
	if err != nil {
		return Hook{}, err
	}
	if len(all) == 0 {
		return Hook{}, ErrNotFound
	}
	return s.open(ctx, all[0])
}

func (s sqlStore) find(ctx context.Context, space, id string) (Hook, error) {
	return s.one(ctx, `id = $1 and space = $2`, id, space)
}

func (s sqlStore) ofThing(ctx context.Context, space, thing string) (Hook, error) {
	return s.one(ctx, `thing = $1 and space = $2`, thing, space)
}

func (s sqlStore) ofDevice(ctx context.Context, space, device string) ([]Hook, error) {
	all, err := s.read(ctx, `device = $1 and space = $2`, device, space)
	if err != nil {
		return nil, err
	}
	return s.openAll(ctx, all, false)
}

func (s sqlStore) every(ctx context.Context) ([]Hook, error) {
	all, err := s.read(ctx, `id <> ''`)
	if err != nil {
		return nil, err
	}
	return s.openAll(ctx, all, true)
}

// openAll opens rows; those whose key was destroyed, or that are damaged, are left out, or an error.
func (s sqlStore) openAll(ctx context.Context, all []row, spare bool) ([]Hook, error) {
	hooks := make([]Hook, 0, len(all))
	for _, r := range all {
		h, err := s.open(ctx, r)
		if spare && (errors.Is(err, keys.ErrErased) || errors.Is(err, keys.ErrSeal)) {
			continue
		}
		if err != nil {
			return nil, err
		}
		hooks = append(hooks, h)
	}
	return hooks, nil
}

func (s sqlStore) add(ctx context.Context, h Hook, most int, e *journal.Entry) error {
	sealed, err := s.seal(ctx, &h)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if most > 0 {
			var n int
			if err := tx.QueryRow(ctx, `select count(*) from hook where device = $1`, h.Device).Scan(&n); err != nil {
				return err
			}
			if n >= most {
				return ErrTooMany
			}
		}
		if _, err := tx.Exec(ctx, `
			insert into hook (id, space, owner, thing, device, sealed, active, since_seq, next_event, queued, queued_bytes, next_at, tries, failing_since, disabled_at,
				last_at, last_status, last_result, delivered, dropped, dead, created_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, 0, 0, $9)`,
			h.ID, h.Space, h.Owner, h.Thing, h.Device, sealed, h.Active, h.Since, h.CreatedAt.UnixMicro()); err != nil {
			return fmt.Errorf("add webhook %s: %w", h.ID, err)
		}
		return record(ctx, tx, e)
	})
}

func record(ctx context.Context, tx *db.Tx, e *journal.Entry) error {
	if e == nil {
		return nil
	}
	return journal.Record(ctx, tx, *e)
}

func (s sqlStore) change(ctx context.Context, space, id string, act func(h *Hook) (*journal.Entry, bool, error)) (h Hook, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		all, err := db.All(ctx, tx, scan, `select `+columns+` from hook where id = $1 and space = $2`, id, space)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			return ErrNotFound
		}
		if h, err = s.open(ctx, all[0]); err != nil {
			return err
		}
		e, clear, err := act(&h)
		if err != nil {
			return err
		}
		sealed, err := s.seal(ctx, &h)
		if err != nil {
			return err
		}
		if clear {
			if _, err := tx.Exec(ctx, `delete from hook_event where hook = $1`, id); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `update hook set sealed = $2, active = $3, since_seq = $4, queued = $5, queued_bytes = $6, next_at = $7, tries = $8, failing_since = $9,
			disabled_at = $10, dropped = $11 where id = $1`,
			id, sealed, h.Active, h.Since, h.Queued, h.QueuedBytes, micros(h.NextAt), h.Tries, micros(h.FailingSince), micros(h.DisabledAt), h.Dropped); err != nil {
			return fmt.Errorf("change webhook %s: %w", id, err)
		}
		return record(ctx, tx, e)
	})
	return h, err
}

func (s sqlStore) remove(ctx context.Context, id string, e *journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{`delete from hook_event where hook = $1`, `delete from hook where id = $1`} {
			if _, err := tx.Exec(ctx, text, id); err != nil {
				return err
			}
		}
		return record(ctx, tx, e)
	})
}

func (s sqlStore) eraseSpace(ctx context.Context, space string, e journal.Entry) (ids []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if ids, err = db.Column[string](ctx, tx, `select id from hook where space = $1`, space); err != nil || len(ids) == 0 {
			return err
		}
		for _, text := range []string{`delete from hook_event where space = $1`, `delete from hook where space = $1`} {
			if _, err := tx.Exec(ctx, text, space); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
	return ids, err
}
