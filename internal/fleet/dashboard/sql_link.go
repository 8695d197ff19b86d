package dashboard

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func (s sqlStore) setLink(ctx context.Context, space string, l Link, token []byte, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, space, l.Dashboard); err != nil {
			return err
		}
		until := int64(0)
		if !l.Until.IsZero() {
			until = l.Until.UnixMicro()
		}
		if _, err := tx.Exec(ctx, `insert into dashboard_link (dashboard, token, made_by, created_at, expires_at) values ($1, $2, $3, $4, $5)
			on conflict (dashboard) do update set token = excluded.token, made_by = excluded.made_by, created_at = excluded.created_at, expires_at = excluded.expires_at`,
			l.Dashboard, token, l.By, l.At.UnixMicro(), until); err != nil {
			return fmt.Errorf("link of dashboard %s: %w", l.Dashboard, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) link(ctx context.Context, space, dashboard string) (l Link, err error) {
	var at, until int64
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select l.dashboard, l.made_by, l.created_at, l.expires_at from dashboard_link as l join dashboard as d on d.id = l.dashboard
			where l.dashboard = $1 and d.space = $2`, dashboard, space).Scan(&l.Dashboard, &l.By, &at, &until)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return l, ErrNoLink
	}
	l.At = fromMicros(at)
	if until != 0 {
		l.Until = fromMicros(until)
	}
	return l, err
}

func (s sqlStore) dropLink(ctx context.Context, space, dashboard string, e journal.Entry) error {
	err := s.drop(ctx, space, dashboard, e, ErrNoLink, `delete from dashboard_link where dashboard = $1`)
	if errors.Is(err, ErrNoLink) {
		return nil
	}
	return err
}

// byToken finds the living dashboard that a token opens now, or ErrLink.
func (s sqlStore) byToken(ctx context.Context, token []byte, now time.Time) (d Dashboard, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var space, id string
		err := tx.QueryRow(ctx, `select d.space, d.id from dashboard_link as l join dashboard as d on d.id = l.dashboard
			where l.token = $1 and d.deleted_at is null and (l.expires_at = 0 or l.expires_at > $2)`, token, now.UnixMicro()).Scan(&space, &id)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrLink
		}
		if err != nil {
			return err
		}
		d, err = s.load(ctx, tx, space, id)
		return err
	})
	return d, err
}

func insertImage(ctx context.Context, tx *db.Tx, i Image) error {
	if _, err := tx.Exec(ctx, `insert into dashboard_image (id, dashboard, kind, image, created_at) values ($1, $2, $3, $4, $5)`,
		i.ID, i.Dashboard, i.Kind, i.Bytes, i.At.UnixMicro()); err != nil {
		return fmt.Errorf("add picture to dashboard %s: %w", i.Dashboard, err)
	}
	return nil
}

// imageBytes is what the pictures of a space have together.
func imageBytes(ctx context.Context, tx *db.Tx, space string) (n int64, err error) {
	err = tx.QueryRow(ctx, `select cast(coalesce(sum(length(i.image)), 0) as bigint) from dashboard_image as i join dashboard as d on d.id = i.dashboard where d.space = $1`, space).Scan(&n)
	return n, err
}

func (s sqlStore) imageBytes(ctx context.Context, space string) (n int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		n, err = imageBytes(ctx, tx, space)
		return err
	})
	return n, err
}

// fits is ErrStorage when the pictures of a space have more than room, now that some were added.
func fits(ctx context.Context, tx *db.Tx, space string, room int64) error {
	n, err := imageBytes(ctx, tx, space)
	if err == nil && n > room {
		return ErrStorage
	}
	return err
}

func (s sqlStore) addImage(ctx context.Context, space string, i Image, room int64, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, space, i.Dashboard); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from dashboard_image where dashboard = $1`, i.Dashboard).Scan(&n); err != nil {
			return err
		}
		if n >= maxImages {
			return ErrTooManyImages
		}
		if err := insertImage(ctx, tx, i); err != nil {
			return err
		}
		if err := fits(ctx, tx, space, room); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) image(ctx context.Context, dashboard, id string) (i Image, err error) {
	var at int64
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select id, dashboard, kind, image, created_at from dashboard_image where id = $1 and dashboard = $2`, id, dashboard).
			Scan(&i.ID, &i.Dashboard, &i.Kind, &i.Bytes, &at)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return i, ErrNoImage
	}
	i.At = fromMicros(at)
	return i, err
}

func (s sqlStore) dropImage(ctx context.Context, space, dashboard, id string, e journal.Entry) error {
	return s.drop(ctx, space, dashboard, e, ErrNoImage, `delete from dashboard_image where dashboard = $1 and id = $2`, id)
}
