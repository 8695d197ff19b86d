package dashboard

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// SQL is the Store on one of our databases. ring seals what people wrote under the key of its space.
func SQL(d *db.DB, ring Keyring) Store { return sqlStore{d, ring} }

type sqlStore struct {
	db   *db.DB
	ring Keyring
}

// What people wrote, as it is sealed.
type sealedDashboard struct {
	Name    string   `json:"n"`
	Cover   string   `json:"c,omitempty"`
	Pages   []Page   `json:"p,omitempty"`
	Widgets []Widget `json:"w,omitempty"`

	Tags map[string]string `json:"t,omitempty"`
}

const dashboardColumns = `id, space, owner, sealed, created_at, updated_at, deleted_at`

// row is a dashboard as it is stored.
type row struct {
	Dashboard
	sealed           []byte
	created, updated int64
	deleted          sql.NullInt64
}

func scanRow(from db.Row) (r row, err error) {
	err = from.Scan(&r.ID, &r.Space, &r.Owner, &r.sealed, &r.created, &r.updated, &r.deleted)
	return r, err
}

func place(id string) []byte { return keys.Place("dashboard", "sealed", id) }

// open reads what is sealed.
func (r row) open(seal keys.Sealer) (Dashboard, error) {
	d := r.Dashboard
	d.CreatedAt, d.UpdatedAt = fromMicros(r.created), fromMicros(r.updated)
	if r.deleted.Valid {
		d.DeletedAt = fromMicros(r.deleted.Int64)
	}
	plain, err := seal.Open(r.sealed, place(d.ID))
	if err != nil {
		return Dashboard{}, fmt.Errorf("dashboard %s: %w", d.ID, err)
	}
	var private sealedDashboard
	if err := json.Unmarshal(plain, &private); err != nil {
		return Dashboard{}, fmt.Errorf("dashboard %s: %w", d.ID, err)
	}
	d.Name, d.Cover, d.Pages, d.Widgets = private.Name, private.Cover, private.Pages, private.Widgets
	d.Tags = private.Tags
	return d, nil
}

func (s sqlStore) key(ctx context.Context, space string) (keys.Sealer, error) {
	seal, err := s.ring.Space(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	return seal, nil
}

// seal is what of d is sealed.
func seal(with keys.Sealer, d Dashboard) ([]byte, error) {
	plain, err := encode(sealedDashboard{d.Name, d.Cover, d.Pages, d.Widgets, d.Tags})
	if err != nil {
		return nil, fmt.Errorf("write dashboard %s: %w", d.ID, err)
	}
	return with.Seal(plain, place(d.ID))
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func nullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func (s sqlStore) add(ctx context.Context, d Dashboard, images []Image, most int, room int64, e journal.Entry) error {
	with, err := s.key(ctx, d.Space)
	if err != nil {
		return err
	}
	sealed, err := seal(with, d)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if most > 0 {
			n, err := count(ctx, tx, d.Space)
			if err != nil {
				return err
			}
			if n >= most {
				return ErrFull
			}
		}
		if _, err := tx.Exec(ctx, `insert into dashboard (`+dashboardColumns+`) values ($1, $2, $3, $4, $5, $6, $7)`,
			d.ID, d.Space, d.Owner, sealed, d.CreatedAt.UnixMicro(), d.UpdatedAt.UnixMicro(), nullMicros(d.DeletedAt)); err != nil {
			return fmt.Errorf("add dashboard %s: %w", d.ID, err)
		}
		if err := setShown(ctx, tx, d.ID, nil, d.shown()); err != nil {
			return err
		}
		for _, i := range images {
			if err := insertImage(ctx, tx, i); err != nil {
				return err
			}
		}
		if len(images) > 0 {
			if err := fits(ctx, tx, d.Space, room); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

// setShown writes in which properties a dashboard differs from what it showed.
func setShown(ctx context.Context, tx *db.Tx, id string, before, after []string) error {
	for _, p := range before {
		if slices.Contains(after, p) {
			continue
		}
		if _, err := tx.Exec(ctx, `delete from dashboard_variable where dashboard = $1 and property = $2`, id, p); err != nil {
			return fmt.Errorf("properties of dashboard %s: %w", id, err)
		}
	}
	for _, p := range after {
		if slices.Contains(before, p) {
			continue
		}
		if _, err := tx.Exec(ctx, `insert into dashboard_variable (dashboard, property) values ($1, $2)`, id, p); err != nil {
			return fmt.Errorf("properties of dashboard %s: %w", id, err)
		}
	}
	return nil
}

func (s sqlStore) find(ctx context.Context, space, id string) (d Dashboard, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		d, err = s.load(ctx, tx, space, id)
		return err
	})
	return d, err
}

func (s sqlStore) load(ctx context.Context, tx *db.Tx, space, id string) (Dashboard, error) {
	r, err := scanRow(tx.QueryRow(ctx, `select `+dashboardColumns+` from dashboard where id = $1 and space = $2`, id, space))
	if errors.Is(err, sql.ErrNoRows) {
		return Dashboard{}, ErrNotFound
	}
	if err != nil {
		return Dashboard{}, fmt.Errorf("find dashboard %s: %w", id, err)
	}
	seal, err := s.key(ctx, space)
	if err != nil {
		return Dashboard{}, err
	}
	return r.open(seal)
}

func (s sqlStore) list(ctx context.Context, space string, deleted bool) (all []Dashboard, err error) {
	living := ` and deleted_at is null`
	if deleted {
		living = ``
	}
	var rows []row
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err = db.All(ctx, tx, scanRow, `select `+dashboardColumns+` from dashboard where space = $1`+living+` order by created_at, id`, space)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list dashboards of space %s: %w", space, err)
	}
	all = []Dashboard{}
	if len(rows) == 0 {
		return all, nil
	}
	seal, err := s.key(ctx, space)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		d, err := r.open(seal)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// change reads a dashboard, lets act change it, and keeps what is different.
func (s sqlStore) change(ctx context.Context, space, id string, act func(d *Dashboard) (journal.Entry, error)) (after Dashboard, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		before, err := s.load(ctx, tx, space, id)
		if err != nil {
			return err
		}
		after = before.clone()
		e, err := act(&after)
		if err != nil {
			return err
		}
		with, err := s.key(ctx, space)
		if err != nil {
			return err
		}
		sealed, err := seal(with, after)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update dashboard set sealed = $2, updated_at = $3, deleted_at = $4 where id = $1`,
			id, sealed, after.UpdatedAt.UnixMicro(), nullMicros(after.DeletedAt)); err != nil {
			return fmt.Errorf("change dashboard %s: %w", id, err)
		}
		if err := setShown(ctx, tx, id, before.shown(), after.shown()); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return after, err
}

// there says ErrNotFound of a dashboard that a space does not have; deleted ones it has.
func there(ctx context.Context, tx *db.Tx, space, id string) error {
	var n int
	if err := tx.QueryRow(ctx, `select count(*) from dashboard where id = $1 and space = $2`, id, space).Scan(&n); err != nil {
		return fmt.Errorf("find dashboard %s: %w", id, err)
	}
	if n == 0 {
		return ErrNotFound
	}
	return nil
}

func (s sqlStore) erase(ctx context.Context, space, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := there(ctx, tx, space, id); err != nil {
			return err
		}
		for _, statement := range []string{
			`delete from dashboard_variable where dashboard = $1`,
			`delete from dashboard_share where dashboard = $1`,
			`delete from dashboard_request where dashboard = $1`,
			`delete from dashboard_link where dashboard = $1`,
			`delete from dashboard_image where dashboard = $1`,
			`delete from dashboard where id = $1`,
		} {
			if _, err := tx.Exec(ctx, statement, id); err != nil {
				return fmt.Errorf("erase dashboard %s: %w", id, err)
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) eraseSpace(ctx context.Context, space string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := count(ctx, tx, space)
		if err != nil || n == 0 {
			return err // nothing changes
		}
		for _, statement := range []string{
			`delete from dashboard_variable where dashboard in (select id from dashboard where space = $1)`,
			`delete from dashboard_share where dashboard in (select id from dashboard where space = $1)`,
			`delete from dashboard_request where dashboard in (select id from dashboard where space = $1)`,
			`delete from dashboard_link where dashboard in (select id from dashboard where space = $1)`,
			`delete from dashboard_image where dashboard in (select id from dashboard where space = $1)`,
			`delete from dashboard where space = $1`,
		} {
			if _, err := tx.Exec(ctx, statement, space); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) count(ctx context.Context, space string) (n int, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		n, err = count(ctx, tx, space)
		return err
	})
	return n, err
}

func count(ctx context.Context, tx *db.Tx, space string) (n int, err error) {
	err = tx.QueryRow(ctx, `select count(*) from dashboard where space = $1`, space).Scan(&n)
	return n, err
}

// perStatement is how many IDs are looked for by one statement.
const perStatement = 500

// in is what stands between the parentheses of an "in", with the first argument at n.
func in(ids []string, n int) (places string, args []any) {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = "$" + strconv.Itoa(n+i)
		args = append(args, id)
	}
	return strings.Join(names, ", "), args
}
