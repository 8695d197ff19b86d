package trigger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// SQL is the Store on one of our databases. ring seals what people wrote, under the key of its space.
func SQL(d *db.DB, ring Keys) Store { return sqlStore{db: d, ring: ring} }

type sqlStore struct {
	db   *db.DB
	ring Keys
}

// sealedTrigger is what is sealed of a trigger.
type sealedTrigger struct {
	Name        string     `json:"name"`
	Description string     `json:"description,omitempty"`
	Condition   *Condition `json:"condition,omitempty"`
	Status      *Status    `json:"status,omitempty"`

	Tags map[string]string `json:"tags,omitempty"`
}

func seal(key keys.Sealer, v any, table, id string) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return key.Seal(plain, keys.Place(table, "sealed", id))
}

func unseal(key keys.Sealer, sealed []byte, into any, table, id string) error {
	plain, err := key.Open(sealed, keys.Place(table, "sealed", id))
	if err != nil {
		return fmt.Errorf("%s %s: %w", table, id, err)
	}
	defer clear(plain)
	if err := json.Unmarshal(plain, into); err != nil {
		return fmt.Errorf("%s %s: %w", table, id, errors.Join(keys.ErrSeal, err))
	}
	return nil
}

func (s sqlStore) key(ctx context.Context, space string) (keys.Sealer, error) {
	key, err := s.ring.Space(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	return key, nil
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

const triggerColumns = `id, space, owner, property, thing, sealed, active, revision, since_seq, created_at, updated_at, deleted_at`

// triggerRow is a row as it is stored.
type triggerRow struct {
	Trigger
	sealed           []byte
	created, updated int64
	deleted          sql.NullInt64
}

func scanTrigger(from db.Row) (r triggerRow, err error) {
	err = from.Scan(&r.ID, &r.Space, &r.Owner, &r.Property, &r.Thing, &r.sealed, &r.Active, &r.Revision, &r.Since, &r.created, &r.updated, &r.deleted)
	return r, err
}

func (r *triggerRow) open(key keys.Sealer) (Trigger, error) {
	t := r.Trigger
	var private sealedTrigger
	if err := unseal(key, r.sealed, &private, "trigger", t.ID); err != nil {
		return Trigger{}, err
	}
	t.Name, t.Description, t.Condition, t.Status = private.Name, private.Description, private.Condition, private.Status
	t.Tags = private.Tags
	t.CreatedAt, t.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	if r.deleted.Valid {
		t.DeletedAt = fromMicros(r.deleted.Int64)
	}
	return t, nil
}

const actionColumns = `id, space, owner, trigger, kind, sealed, created_at, updated_at`

type actionRow struct {
	Action
	sealed           []byte
	created, updated int64
}

func scanAction(from db.Row) (r actionRow, err error) {
	err = from.Scan(&r.ID, &r.Space, &r.Owner, &r.Trigger, &r.Kind, &r.sealed, &r.created, &r.updated)
	return r, err
}

func (r *actionRow) open(key keys.Sealer) (Action, error) {
	a := r.Action
	if err := unseal(key, r.sealed, &a.content, "trigger_action", a.ID); err != nil {
		return Action{}, err
	}
	a.CreatedAt, a.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	return a, nil
}

// read reads triggers of one space, with their actions.
func (s sqlStore) read(ctx context.Context, tx *db.Tx, key keys.Sealer, where string, args ...any) ([]Trigger, error) {
	rows, err := db.All(ctx, tx, scanTrigger, `select `+triggerColumns+` from trigger where `+where+` order by created_at, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read triggers: %w", err)
	}
	all := make([]Trigger, len(rows))
	for i := range rows {
		if all[i], err = rows[i].open(key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s sqlStore) readActions(ctx context.Context, tx *db.Tx, key keys.Sealer, where string, args ...any) ([]Action, error) {
	rows, err := db.All(ctx, tx, scanAction, `select `+actionColumns+` from trigger_action where `+where+` order by created_at, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read actions: %w", err)
	}
	all := make([]Action, len(rows))
	for i := range rows {
		if all[i], err = rows[i].open(key); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s sqlStore) load(ctx context.Context, tx *db.Tx, key keys.Sealer, space, id string) (Trigger, error) {
	all, err := s.read(ctx, tx, key, `id = $1 and space = $2`, id, space)
	if err != nil {
		return Trigger{}, err
	}
	if len(all) == 0 {
		return Trigger{}, ErrNotFound
	}
	t := all[0]
	t.Actions, err = s.readActions(ctx, tx, key, `trigger = $1 and space = $2`, id, space)
	return t, err
}

func (s sqlStore) find(ctx context.Context, space, id string) (t Trigger, err error) {
	key, err := s.key(ctx, space)
	if err != nil {
		return t, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		t, err = s.load(ctx, tx, key, space, id)
		return err
	})
	return t, err
}

func (s sqlStore) list(ctx context.Context, space string, deleted bool) (all []Trigger, err error) {
	key, err := s.key(ctx, space)
	if err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		where := `space = $1`
		if !deleted {
			where += ` and deleted_at is null`
		}
		if all, err = s.read(ctx, tx, key, where, space); err != nil {
			return err
		}
		actions, err := s.readActions(ctx, tx, key, `space = $1 and trigger <> ''`, space)
		of := map[string][]Action{}
		for _, a := range actions {
			of[a.Trigger] = append(of[a.Trigger], a)
		}
		for i := range all {
			all[i].Actions = of[all[i].ID]
		}
		return err
	})
	return all, err
}

func (s sqlStore) add(ctx context.Context, t Trigger, first memory, e journal.Entry) error {
	key, err := s.key(ctx, t.Space)
	if err != nil {
		return err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		sealed, err := seal(key, sealedTrigger{t.Name, t.Description, t.Condition, t.Status, t.Tags}, "trigger", t.ID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into trigger (`+triggerColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, null)`,
			t.ID, t.Space, t.Owner, t.Property, t.Thing, sealed, t.Active, t.Revision, t.Since, t.CreatedAt.UnixMicro(), t.UpdatedAt.UnixMicro()); err != nil {
			return err
		}
		if err := s.remember(ctx, tx, t, first); err != nil {
			return err
		}
		for _, a := range t.Actions {
			if err := s.insertAction(ctx, tx, key, a); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
	if errors.Is(err, db.ErrUnique) {
		return ErrIDTaken
	}
	if err != nil {
		return fmt.Errorf("add trigger %s: %w", t.ID, err)
	}
	return nil
}

// remember makes a trigger begin anew with what it knows at first.
func (s sqlStore) remember(ctx context.Context, tx *db.Tx, t Trigger, first memory) error {
	if first.seen == nil {
		first.seen = []byte{}
	}
	if _, err := tx.Exec(ctx, `
		insert into trigger_state (trigger, revision, holds, seen_mac, fired_at, free_at, tell_at) values ($1, $2, $3, $4, 0, 0, 0)
		on conflict (trigger) do update set revision = excluded.revision, holds = excluded.holds, seen_mac = excluded.seen_mac`,
		t.ID, t.Revision, first.holds, first.seen); err != nil {
		return fmt.Errorf("what trigger %s remembers: %w", t.ID, err)
	}
	if _, err := tx.Exec(ctx, `delete from trigger_online where trigger = $1`, t.ID); err != nil {
		return err
	}
	for _, d := range first.online {
		if _, err := tx.Exec(ctx, `insert into trigger_online (trigger, device) values ($1, $2) on conflict (trigger, device) do nothing`, t.ID, d); err != nil {
			return err
		}
	}
	return nil
}

func (s sqlStore) insertAction(ctx context.Context, tx *db.Tx, key keys.Sealer, a Action) error {
	sealed, err := seal(key, a.content, "trigger_action", a.ID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into trigger_action (`+actionColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.ID, a.Space, a.Owner, a.Trigger, string(a.Kind), sealed, a.CreatedAt.UnixMicro(), a.UpdatedAt.UnixMicro())
	return err
}

func (s sqlStore) change(ctx context.Context, space, id string, act func(t *Trigger) (edit, error)) (t Trigger, err error) {
	key, err := s.key(ctx, space)
	if err != nil {
		return t, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if t, err = s.load(ctx, tx, key, space, id); err != nil {
			return err
		}
		as, err := act(&t)
		if err != nil {
			return err
		}
		if as.anew {
			t.Revision++
			if err := s.remember(ctx, tx, t, as.first); err != nil {
				return err
			}
		}
		sealed, err := seal(key, sealedTrigger{t.Name, t.Description, t.Condition, t.Status, t.Tags}, "trigger", t.ID)
		if err != nil {
			return err
		}
		deleted := sql.NullInt64{Int64: t.DeletedAt.UnixMicro(), Valid: t.Deleted()}
		if _, err := tx.Exec(ctx, `update trigger set owner = $2, property = $3, thing = $4, sealed = $5, active = $6, revision = $7, since_seq = $8,
			updated_at = $9, deleted_at = $10 where id = $1`,
			id, t.Owner, t.Property, t.Thing, sealed, t.Active, t.Revision, t.Since, t.UpdatedAt.UnixMicro(), deleted); err != nil {
			return err
		}
		if as.actions {
			if _, err := tx.Exec(ctx, `delete from trigger_action where trigger = $1`, id); err != nil {
				return err
			}
			for _, a := range t.Actions {
				if err := s.insertAction(ctx, tx, key, a); err != nil {
					return err
				}
			}
		}
		return journal.Record(ctx, tx, as.entry)
	})
	return t, err
}

func (s sqlStore) erase(ctx context.Context, space, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from trigger where id = $1 and space = $2`, id, space)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNotFound)
		}
		if err := s.forget(ctx, tx, id); err != nil {
			return fmt.Errorf("erase trigger %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

// forget removes all that belongs to a trigger whose row is gone.
func (s sqlStore) forget(ctx context.Context, tx *db.Tx, id string) error {
	for _, text := range []string{
		`delete from trigger_action where trigger = $1`, `delete from trigger_state where trigger = $1`, `delete from trigger_online where trigger = $1`,
		`delete from trigger_delivery where trigger = $1`, `delete from trigger_mute where trigger = $1`,
	} {
		if _, err := tx.Exec(ctx, text, id); err != nil {
			return err
		}
	}
	return nil
}

func (s sqlStore) count(ctx context.Context, space string) (n int, err error) {
	err = s.db.One(ctx, func(r db.Row) error { return r.Scan(&n) }, `select count(*) from trigger where space = $1`, space)
	return n, err
}

func (s sqlStore) findAction(ctx context.Context, space, id string) (a Action, err error) {
	key, err := s.key(ctx, space)
	if err != nil {
		return a, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		a, err = s.loadAction(ctx, tx, key, space, id)
		return err
	})
	return a, err
}

func (s sqlStore) loadAction(ctx context.Context, tx *db.Tx, key keys.Sealer, space, id string) (Action, error) {
	all, err := s.readActions(ctx, tx, key, `id = $1 and space = $2`, id, space)
	if err != nil {
		return Action{}, err
	}
	if len(all) == 0 {
		return Action{}, ErrActionNotFound
	}
	return all[0], nil
}

func (s sqlStore) listActions(ctx context.Context, space string) (all []Action, err error) {
	key, err := s.key(ctx, space)
	if err != nil {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = s.readActions(ctx, tx, key, `space = $1`, space)
		return err
	})
	return all, err
}

// room says whether a trigger of the space may have one action more; "" is no trigger.
func (s sqlStore) room(ctx context.Context, tx *db.Tx, space, trigger string) error {
	if trigger == "" {
		return nil
	}
	var n int
	if err := tx.QueryRow(ctx, `select count(*) from trigger where id = $1 and space = $2`, trigger, space).Scan(&n); err != nil || n == 0 {
		return errors.Join(err, ErrNotFound)
	}
	if err := tx.QueryRow(ctx, `select count(*) from trigger_action where trigger = $1`, trigger).Scan(&n); err != nil {
		return err
	}
	if n >= maxActions {
		return ErrTooManyActions
	}
	return nil
}

func (s sqlStore) addAction(ctx context.Context, a Action, e journal.Entry) error {
	key, err := s.key(ctx, a.Space)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.room(ctx, tx, a.Space, a.Trigger); err != nil {
			return err
		}
		if err := s.insertAction(ctx, tx, key, a); err != nil {
			return fmt.Errorf("add action %s: %w", a.ID, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) changeAction(ctx context.Context, space, id string, act func(a *Action) (journal.Entry, error)) (a Action, before string, err error) {
	key, err := s.key(ctx, space)
	if err != nil {
		return a, "", err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if a, err = s.loadAction(ctx, tx, key, space, id); err != nil {
			return err
		}
		before = a.Trigger
		e, err := act(&a)
		if err != nil {
			return err
		}
		if a.Trigger != before {
			if err := s.room(ctx, tx, space, a.Trigger); err != nil {
				return err
			}
		}
		sealed, err := seal(key, a.content, "trigger_action", a.ID)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update trigger_action set owner = $2, trigger = $3, sealed = $4, updated_at = $5 where id = $1`,
			id, a.Owner, a.Trigger, sealed, a.UpdatedAt.UnixMicro()); err != nil {
			return fmt.Errorf("change action %s: %w", id, err)
		}
		return journal.Record(ctx, tx, e)
	})
	return a, before, err
}

func (s sqlStore) dropAction(ctx context.Context, space, id string, e journal.Entry) (trigger string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select trigger from trigger_action where id = $1 and space = $2`, id, space).Scan(&trigger)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrActionNotFound
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from trigger_action where id = $1`, id); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from trigger_delivery where action = $1`, id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return trigger, err
}
