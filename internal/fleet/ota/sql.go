package ota

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
)

// SQL is the Store in the system of record. ring seals what people wrote under the key of their space.
func SQL(d *db.DB, ring SpaceKeys) Store { return sqlStore{d, ring} }

// SpaceKeys is what the store needs of the key ring.
type SpaceKeys interface {
	Space(ctx context.Context, id string) (keys.Sealer, error)
}

type sqlStore struct {
	db   *db.DB
	ring SpaceKeys
}

func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

const imageColumns = `id, space, owner, blob, private, magic, file_bytes, image_bytes, file_sha, image_sha, lasting, created_at, used_at`

// sealedImage is what the column private holds, sealed.
type sealedImage struct {
	Name string `json:"n,omitempty"`
}

func imagePlace(id string) []byte { return keys.Place("ota_image", "private", id) }

// imageRow is a row as it is stored.
type imageRow struct {
	Image
	private []byte
}

func scanImage(from db.Row) (r imageRow, err error) {
	var magic, created, used int64
	var file, image []byte
	err = from.Scan(&r.ID, &r.Space, &r.Owner, &r.blob, &r.private, &magic, &r.FileBytes, &r.ImageBytes, &file, &image, &r.Lasting, &created, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrImageNotFound
	}
	if err != nil {
		return r, err
	}
	r.Magic, r.CreatedAt, r.UsedAt = otafile.Magic(magic), fromMicros(created), fromMicros(used)
	copy(r.FileSHA[:], file)
	copy(r.ImageSHA[:], image)
	return r, nil
}

// open makes the Image of r.
func (s sqlStore) open(ctx context.Context, r imageRow) (Image, error) {
	seal, err := s.ring.Space(ctx, r.Space)
	if err != nil {
		return Image{}, fmt.Errorf("key of space %s: %w", r.Space, err)
	}
	plain, err := seal.Open(r.private, imagePlace(r.ID))
	if err != nil {
		return Image{}, fmt.Errorf("open image %s: %w", r.ID, err)
	}
	var private sealedImage
	if err := json.Unmarshal(plain, &private); err != nil {
		return Image{}, fmt.Errorf("read image %s: %w", r.ID, err)
	}
	r.Name = private.Name
	return r.Image, nil
}

func (s sqlStore) addImage(ctx context.Context, i Image, room int64, e journal.Entry) error {
	seal, err := s.ring.Space(ctx, i.Space)
	if err != nil {
		return fmt.Errorf("key of space %s: %w", i.Space, err)
	}
	plain, err := json.Marshal(sealedImage{i.Name})
	if err != nil {
		return err
	}
	private, err := seal.Seal(plain, imagePlace(i.ID))
	if err != nil {
		return fmt.Errorf("seal image %s: %w", i.ID, err)
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := blob.Keep(ctx, tx, i.blob); err != nil {
			return err
		}
		// Files that came at the same time did not know of each other.
		if n, err := blob.Kept(ctx, tx, i.Space); err != nil || n > room {
			return cmp.Or(err, error(ErrStorage))
		}
		if _, err := tx.Exec(ctx, `insert into ota_image (`+imageColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			i.ID, i.Space, i.Owner, i.blob, private, int64(i.Magic), i.FileBytes, i.ImageBytes, i.FileSHA[:], i.ImageSHA[:], i.Lasting, micros(i.CreatedAt), micros(i.UsedAt)); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) oneImage(ctx context.Context, text string, args ...any) (Image, error) {
	var r imageRow
	err := s.db.One(ctx, func(from db.Row) (err error) {
		r, err = scanImage(from)
		return err
	}, text, args...)
	if err != nil {
		return Image{}, err
	}
	return s.open(ctx, r)
}

func (s sqlStore) image(ctx context.Context, space, id string) (Image, error) {
	return s.oneImage(ctx, `select `+imageColumns+` from ota_image where space = $1 and id = $2`, space, id)
}

func (s sqlStore) imageOf(ctx context.Context, space string, file [32]byte) (Image, error) {
	return s.oneImage(ctx, `select `+imageColumns+` from ota_image where space = $1 and file_sha = $2 order by created_at, id limit 1`, space, file[:])
}

func (s sqlStore) images(ctx context.Context, space string) ([]Image, error) {
	var rows []imageRow
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		rows, err = db.All(ctx, tx, scanImage, `select `+imageColumns+` from ota_image where space = $1 order by created_at desc, id`, space)
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([]Image, 0, len(rows))
	for _, r := range rows {
		i, err := s.open(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	return all, nil
}

// unneeded names no space: it is what Run removes. What is sealed stays so.
func (s sqlStore) unneeded(ctx context.Context, before time.Time, limit int) ([]Image, error) {
	var all []Image
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		all, err = db.All(ctx, tx, func(from db.Row) (Image, error) {
			r, err := scanImage(from)
			return r.Image, err
		}, `select `+imageColumns+` from ota_image where not lasting and used_at < $1 and not exists (
			select 1 from ota where ota.image = ota_image.id and ota.status in ('pending', 'in_progress')) order by used_at, id limit $2`, micros(before), limit)
		return err
	})
	return all, err
}

func (s sqlStore) deleteImage(ctx context.Context, i Image, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var open int
		if err := tx.QueryRow(ctx, `select count(*) from ota where space = $1 and image = $2 and status in ('pending', 'in_progress')`, i.Space, i.ID).Scan(&open); err != nil {
			return err
		}
		if open > 0 {
			return ErrImageUsed
		}
		r, err := tx.Exec(ctx, `delete from ota_image where space = $1 and id = $2`, i.Space, i.ID)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrImageNotFound)
		}
		if err := blob.Delete(ctx, tx, i.blob); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) last(ctx context.Context, i Image) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update ota_image set lasting = $3 where space = $1 and id = $2`, i.Space, i.ID, true)
		return err
	})
}

// clear removes all rows of a space; its files are the blobs' own.
func (s sqlStore) clear(ctx context.Context, space string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		gone := int64(0)
		for _, text := range []string{
			`delete from ota_state where ota in (select id from ota where space = $1)`,
			`delete from ota where space = $1`,
			`delete from ota_campaign where space = $1`,
			`delete from ota_image where space = $1`,
		} {
			r, err := tx.Exec(ctx, text, space)
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			gone += n
		}
		if gone == 0 {
			return nil // nothing changes
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) forget(ctx context.Context, device string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{
			`delete from ota_state where ota in (select id from ota where device = $1)`,
			`delete from ota where device = $1`,
		} {
			if _, err := tx.Exec(ctx, text, device); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s sqlStore) devices(ctx context.Context) (all []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.Column[string](ctx, tx, `select distinct device from ota order by device`)
		return err
	})
	return all, err
}
