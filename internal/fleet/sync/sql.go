package sync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps groups in a database of either engine.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const columns = `id, space, owner, type, created_at, updated_at`

func scan(from db.Row) (g Group, err error) {
	var created, updated int64
	err = from.Scan(&g.ID, &g.Space, &g.Owner, &g.Type, &created, &updated)
	g.CreatedAt, g.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return g, err
}

func (s sqlStore) load(ctx context.Context, tx *db.Tx, space, id string) (g Group, err error) {
	all, err := db.All(ctx, tx, scan, `select `+columns+` from sync where id = $1 and space = $2`, id, space)
	if err != nil {
		return g, err
	}
	if len(all) == 0 {
		return g, ErrNotFound
	}
	g = all[0]
	g.Members, err = db.All(ctx, tx, scanSeat, `select property, thing from sync_member where sync = $1 order by position`, id)
	return g, err
}

func scanSeat(from db.Row) (m Seat, err error) {
	err = from.Scan(&m.Property, &m.Thing)
	return m, err
}

func (s sqlStore) find(ctx context.Context, space, id string) (g Group, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		g, err = s.load(ctx, tx, space, id)
		return err
	})
	return g, err
}

func (s sqlStore) list(ctx context.Context, space string) (all []Group, err error) {
	type pair struct {
		group string
		Seat
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if all, err = db.All(ctx, tx, scan, `select `+columns+` from sync where space = $1 order by created_at, id`, space); err != nil {
			return err
		}
		members, err := db.All(ctx, tx, func(from db.Row) (p pair, err error) {
			err = from.Scan(&p.group, &p.Property, &p.Thing)
			return p, err
		}, `select sync, property, thing from sync_member where space = $1 order by sync, position`, space)
		of := map[string][]Seat{}
		for _, m := range members {
			of[m.group] = append(of[m.group], m.Seat)
		}
		for i := range all {
			all[i].Members = of[all[i].ID]
		}
		return err
	})
	return all, err
}

func (s sqlStore) join(ctx context.Context, tx *db.Tx, g *Group) error {
	for i, m := range g.Members {
		if _, err := tx.Exec(ctx, `insert into sync_member (property, sync, space, thing, position) values ($1, $2, $3, $4, $5)`, m.Property, g.ID, g.Space, m.Thing, i); err != nil {
			return err
		}
	}
	return nil
}

// taken makes ErrTaken of a property that is in another group.
func taken(err error) error {
	if errors.Is(err, db.ErrUnique) {
		return ErrTaken
	}
	return err
}

func (s sqlStore) add(ctx context.Context, g Group, e journal.Entry) error {
	return taken(s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `insert into sync (`+columns+`) values ($1, $2, $3, $4, $5, $6)`,
			g.ID, g.Space, g.Owner, g.Type, g.CreatedAt.UnixMicro(), g.UpdatedAt.UnixMicro()); err != nil {
			return fmt.Errorf("add group %s: %w", g.ID, err)
		}
		if err := s.join(ctx, tx, &g); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	}))
}

func (s sqlStore) change(ctx context.Context, space, id string, act func(g *Group) (journal.Entry, error)) (g Group, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if g, err = s.load(ctx, tx, space, id); err != nil {
			return err
		}
		e, err := act(&g)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update sync set owner = $2, type = $3, updated_at = $4 where id = $1`, id, g.Owner, g.Type, g.UpdatedAt.UnixMicro()); err != nil {
			return fmt.Errorf("change group %s: %w", id, err)
		}
		if _, err := tx.Exec(ctx, `delete from sync_member where sync = $1`, id); err != nil {
			return err
		}
		if err := s.join(ctx, tx, &g); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return g, taken(err)
}

func (s sqlStore) erase(ctx context.Context, space, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from sync where id = $1 and space = $2`, id, space)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNotFound)
		}
		if _, err := tx.Exec(ctx, `delete from sync_member where sync = $1`, id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) count(ctx context.Context, space string) (n int, err error) {
	err = s.db.One(ctx, func(r db.Row) error { return r.Scan(&n) }, `select count(*) from sync where space = $1`, space)
	return n, err
}

func (s sqlStore) eraseSpace(ctx context.Context, space string, e journal.Entry) (ids []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if ids, err = db.Column[string](ctx, tx, `select id from sync where space = $1`, space); err != nil || len(ids) == 0 {
			return err
		}
		for _, text := range []string{`delete from sync_member where space = $1`, `delete from sync where space = $1`} {
			if _, err := tx.Exec(ctx, text, space); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
	return ids, err
}

func (s sqlStore) every(ctx context.Context) (all []owned, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(from db.Row) (o owned, err error) {
			err = from.Scan(&o.id, &o.space)
			return o, err
		}, `select id, space from sync order by id`)
		return err
	})
	return all, err
}
