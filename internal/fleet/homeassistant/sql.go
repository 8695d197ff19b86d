package homeassistant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// SQL is the Store on one of our databases. ring seals what a bridge is set up with, under the key of its space.
func SQL(d *db.DB, ring Keys) Store { return sqlStore{d, ring} }

type sqlStore struct {
	db   *db.DB
	ring Keys
}

// content is what is sealed of a Setup.
type content struct {
	Broker    string      `json:"broker"`
	User      string      `json:"user,omitempty"`
	Password  string      `json:"password,omitempty"`
	CA        string      `json:"ca,omitempty"`
	Discovery string      `json:"discovery"`
	Topics    string      `json:"topics"`
	Tags      []thing.Tag `json:"tags,omitempty"`
}

func place(space string) []byte { return keys.Place("homeassistant", "sealed", space) }

func (s sqlStore) key(ctx context.Context, space string) (keys.Sealer, error) {
	key, err := s.ring.Space(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	return key, nil
}

func (s sqlStore) seal(ctx context.Context, u *Setup) ([]byte, error) {
	key, err := s.key(ctx, u.Space)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(content{u.Broker, u.User, u.Password.Reveal(), u.CA, u.Discovery, u.Topics, u.Tags})
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return key.Seal(plain, place(u.Space))
}

// A row is a Setup as it is stored.
type row struct {
	Setup
	sealed []byte
}

func (s sqlStore) open(ctx context.Context, r row) (Setup, error) {
	key, err := s.key(ctx, r.Space)
	if err != nil {
		return r.Setup, err
	}
	plain, err := key.Open(r.sealed, place(r.Space))
	if err != nil {
		return r.Setup, fmt.Errorf("bridge of space %s: %w", r.Space, err)
	}
	defer clear(plain)
	var c content
	if err := json.Unmarshal(plain, &c); err != nil {
		return r.Setup, fmt.Errorf("bridge of space %s: %w", r.Space, errors.Join(keys.ErrSeal, err))
	}
	r.Broker, r.User, r.Password, r.CA, r.Discovery, r.Topics, r.Tags = c.Broker, c.User, secret.New(c.Password), c.CA, c.Discovery, c.Topics, c.Tags
	return r.Setup, nil
}

func scan(from db.Row) (r row, err error) {
	var created, updated int64
	err = from.Scan(&r.Space, &r.By, &r.sealed, &r.Writes, &r.Enabled, &created, &updated)
	r.CreatedAt, r.UpdatedAt = fromMicros(created), fromMicros(updated)
	return r, err
}

func fromMicros(at int64) time.Time { return time.UnixMicro(at).UTC() }

func (s sqlStore) read(ctx context.Context, where string, args ...any) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scan, `select space, owner, sealed, writes, enabled, created_at, updated_at from homeassistant where `+where+` order by space`, args...)
		return err
	})
	return all, err
}

func (s sqlStore) find(ctx context.Context, space string) (Setup, error) {
	all, err := s.read(ctx, `space = $1`, space)
	if err != nil {
		return Setup{}, err
	}
	if len(all) == 0 {
		return Setup{}, ErrNotFound
	}
	return s.open(ctx, all[0])
}

func (s sqlStore) every(ctx context.Context) (setups []Setup, err error) {
	all, err := s.read(ctx, `space <> ''`)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		u, err := s.open(ctx, r)
		if errors.Is(err, keys.ErrErased) || errors.Is(err, keys.ErrSeal) {
			continue
		}
		if err != nil {
			return nil, err
		}
		setups = append(setups, u)
	}
	return setups, nil
}

func (s sqlStore) set(ctx context.Context, u Setup, forget bool, e journal.Entry) error {
	sealed, err := s.seal(ctx, &u)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if forget {
			if _, err := tx.Exec(ctx, `delete from homeassistant_thing where space = $1`, u.Space); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `
			insert into homeassistant (space, owner, sealed, writes, enabled, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (space) do update set owner = excluded.owner, sealed = excluded.sealed, writes = excluded.writes, enabled = excluded.enabled, updated_at = excluded.updated_at`,
			u.Space, u.By, sealed, u.Writes, u.Enabled, u.CreatedAt.UnixMicro(), u.UpdatedAt.UnixMicro()); err != nil {
			return fmt.Errorf("set up the bridge of space %s: %w", u.Space, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) remove(ctx context.Context, space string, e journal.Entry) (had bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from homeassistant where space = $1`, space).Scan(&n); err != nil {
			return err
		}
		if had = n > 0; !had {
			return nil
		}
		for _, text := range []string{`delete from homeassistant_thing where space = $1`, `delete from homeassistant where space = $1`} {
			if _, err := tx.Exec(ctx, text, space); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
	return had, err
}

// An announcement as it is stored: components by their keys, which have no spaces.
type announcement struct{ thing, components string }

func (s sqlStore) announced(ctx context.Context, space string) (map[string][]string, error) {
	var all []announcement
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = db.All(ctx, tx, func(from db.Row) (a announcement, err error) {
			err = from.Scan(&a.thing, &a.components)
			return a, err
		}, `select thing, components from homeassistant_thing where space = $1`, space)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("what was announced of space %s: %w", space, err)
	}
	known := make(map[string][]string, len(all))
	for _, a := range all {
		known[a.thing] = strings.Fields(a.components)
	}
	return known, nil
}

func (s sqlStore) announce(ctx context.Context, space, thing string, components []string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into homeassistant_thing (space, thing, components) values ($1, $2, $3)
			on conflict (space, thing) do update set components = excluded.components`, space, thing, strings.Join(components, " "))
		if err != nil {
			return fmt.Errorf("write down what is announced of thing %s: %w", thing, err)
		}
		return nil
	})
}

func (s sqlStore) withdraw(ctx context.Context, space, thing string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from homeassistant_thing where space = $1 and thing = $2`, space, thing)
		if err != nil {
			return fmt.Errorf("write down what was taken back of thing %s: %w", thing, err)
		}
		return nil
	})
}
