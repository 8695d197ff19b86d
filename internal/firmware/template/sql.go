package template

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

// Keyring is what the Store needs of the key ring: *keys.Ring.
type Keyring interface {
	Space(ctx context.Context, space string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
}

// SQL is the Store on one of our databases. ring seals templates under the key of their space.
func SQL(d *db.DB, ring Keyring) Store { return sqlStore{d, ring, ring.MAC("template-index")} }

type sqlStore struct {
	db   *db.DB
	ring Keyring
	mac  func([]byte) []byte
}

// What people wrote, as it is sealed beside the file.
type sealedTemplate struct {
	Name string `json:"n"`
	Description
}

func (s sqlStore) nameMAC(t Template) []byte { return s.mac(keys.Place(t.Space, t.Name)) }

func (s sqlStore) key(ctx context.Context, space string) (keys.Sealer, error) {
	seal, err := s.ring.Space(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	return seal, nil
}

// seal is what is kept of a template: what is known of it, and its file.
func (s sqlStore) seal(ctx context.Context, t Template, file []byte) (sealed, archive []byte, err error) {
	with, err := s.key(ctx, t.Space)
	if err != nil {
		return nil, nil, err
	}
	plain, err := json.Marshal(sealedTemplate{t.Name, t.Description})
	if err != nil {
		return nil, nil, fmt.Errorf("write template %s: %w", t.ID, err)
	}
	if sealed, err = with.Seal(plain, keys.Place("template", "sealed", t.ID)); err != nil {
		return nil, nil, err
	}
	archive, err = with.Seal(file, keys.Place("template", "archive", t.ID))
	return sealed, archive, err
}

const columns = `id, space, owner, sealed, size, created_at, updated_at`

type row struct {
	Template
	sealed           []byte
	created, updated int64
}

func scan(from db.Row) (r row, err error) {
	err = from.Scan(&r.ID, &r.Space, &r.Owner, &r.sealed, &r.Bytes, &r.created, &r.updated)
	return r, err
}

func (r row) open(seal keys.Sealer) (Template, error) {
	t := r.Template
	t.CreatedAt, t.UpdatedAt = time.UnixMicro(r.created).UTC(), time.UnixMicro(r.updated).UTC()
	plain, err := seal.Open(r.sealed, keys.Place("template", "sealed", t.ID))
	if err != nil {
		return Template{}, fmt.Errorf("template %s: %w", t.ID, err)
	}
	var private sealedTemplate
	if err := json.Unmarshal(plain, &private); err != nil {
		return Template{}, fmt.Errorf("template %s: %w", t.ID, err)
	}
	t.Name, t.Description = private.Name, private.Description
	return t, nil
}

func (s sqlStore) add(ctx context.Context, t Template, file []byte, room int64, e journal.Entry) error {
	sealed, archive, err := s.seal(ctx, t, file)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from template where space = $1`, t.Space).Scan(&n); err != nil {
			return fmt.Errorf("count templates of space %s: %w", t.Space, err)
		}
		if n >= maxKept {
			return ErrFull
		}
		_, err := tx.Exec(ctx, `insert into template (id, space, owner, name_mac, sealed, archive, size, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			t.ID, t.Space, t.Owner, s.nameMAC(t), sealed, archive, len(file), t.CreatedAt.UnixMicro(), t.UpdatedAt.UnixMicro())
		if err := taken(err, "add template "+t.ID); err != nil {
			return err
		}
		if err := fits(ctx, tx, t.Space, room); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func taken(err error, what string) error {
	if errors.Is(err, db.ErrUnique) {
		return ErrTaken
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func fits(ctx context.Context, tx *db.Tx, space string, room int64) error {
	n, err := size(ctx, tx, space)
	if err == nil && n > room {
		err = ErrStorage
	}
	return err
}

func size(ctx context.Context, tx *db.Tx, space string) (n int64, err error) {
	if err := tx.QueryRow(ctx, `select coalesce(sum(size), 0) from template where space = $1`, space).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the bytes of templates of space %s: %w", space, err)
	}
	return n, nil
}

func (s sqlStore) find(ctx context.Context, space, id string) (t Template, err error) {
	seal, err := s.key(ctx, space)
	if err != nil {
		return t, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := scan(tx.QueryRow(ctx, `select `+columns+` from template where id = $1 and space = $2`, id, space))
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("find template %s: %w", id, err)
		}
		t, err = r.open(seal)
		return err
	})
	return t, err
}

func (s sqlStore) file(ctx context.Context, space, id string) ([]byte, error) {
	seal, err := s.key(ctx, space)
	if err != nil {
		return nil, err
	}
	var archive []byte
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select archive from template where id = $1 and space = $2`, id, space).Scan(&archive)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	plain, err := seal.Open(archive, keys.Place("template", "archive", id))
	if err != nil {
		return nil, fmt.Errorf("file of template %s: %w", id, err)
	}
	return plain, nil
}

func (s sqlStore) list(ctx context.Context, space string) ([]Template, error) {
	seal, err := s.key(ctx, space)
	if err != nil {
		return nil, err
	}
	var rows []row
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err = db.All(ctx, tx, scan, `select `+columns+` from template where space = $1 order by created_at, id`, space)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list templates of space %s: %w", space, err)
	}
	all := make([]Template, 0, len(rows))
	for _, r := range rows {
		t, err := r.open(seal)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

func (s sqlStore) change(ctx context.Context, before time.Time, t Template, file []byte, room int64, e journal.Entry) error {
	sealed, archive, err := s.seal(ctx, t, file)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.Exec(ctx, `update template set name_mac = $1, sealed = $2, archive = $3, size = $4, updated_at = $5 where id = $6 and space = $7 and updated_at = $8`,
			s.nameMAC(t), sealed, archive, len(file), t.UpdatedAt.UnixMicro(), t.ID, t.Space, before.UnixMicro())
		if err := taken(err, "change template "+t.ID); err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return errFaster
		}
		if err := fits(ctx, tx, t.Space, room); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) drop(ctx context.Context, space, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.Exec(ctx, `delete from template where id = $1 and space = $2`, id, space)
		if err != nil {
			return fmt.Errorf("delete template %s: %w", id, err)
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return ErrNotFound
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) bytes(ctx context.Context, space string) (n int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		n, err = size(ctx, tx, space)
		return err
	})
	return n, err
}

func (s sqlStore) begin(ctx context.Context, i intent, e journal.Entry) error {
	made, err := json.Marshal(i.made)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `insert into template_apply (id, space, made, began_at) values ($1, $2, $3, $4)`, i.ID, i.Space, string(made), i.At.UnixMicro()); err != nil {
			return fmt.Errorf("begin to apply a template as %s: %w", i.ID, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) end(ctx context.Context, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		result, err := tx.Exec(ctx, `delete from template_apply where id = $1`, id)
		if err != nil {
			return fmt.Errorf("end what was begun as %s: %w", id, err)
		}
		if n, err := result.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return errTakenBack
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) open(ctx context.Context, id string) (is bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.QueryRow(ctx, `select count(*) from template_apply where id = $1`, id).Scan(&n)
		is = n > 0
		return err
	})
	return is, err
}

func (s sqlStore) begun(ctx context.Context) (all []intent, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanIntent, `select id, space, made, began_at from template_apply order by began_at, id`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list what was begun: %w", err)
	}
	return all, nil
}

func scanIntent(from db.Row) (i intent, err error) {
	var made string
	var at int64
	if err := from.Scan(&i.ID, &i.Space, &made, &at); err != nil {
		return i, err
	}
	i.At = time.UnixMicro(at).UTC()
	return i, json.Unmarshal([]byte(made), &i.made)
}

func (s sqlStore) eraseSpace(ctx context.Context, space string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{`delete from template where space = $1`, `delete from template_apply where space = $1`} {
			if _, err := tx.Exec(ctx, text, space); err != nil {
				return fmt.Errorf("templates of space %s: %w", space, err)
			}
		}
		return journal.Record(ctx, tx, e)
	})
}
