package thing

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/shred"
)

// SQL is the Store on one of our databases. ring seals what people wrote, each thing's under its own key.
func SQL(d *db.DB, ring Keys) Store {
	return sqlStore{db: d, ring: ring, mac: ring.MAC("thing-index")}
}

// Keys is what the store needs of the key ring.
type Keys interface {
	Thing(ctx context.Context, space, id string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
}

type sqlStore struct {
	db   *db.DB
	ring Keys
	mac  func([]byte) []byte
}

// sealers give the keys of the things of one space by their ids. They make one on first use, so
// they are asked only for things that there are.
type sealers func(thing string) (keys.Sealer, error)

func (s sqlStore) sealers(ctx context.Context, space string) sealers {
	asked := map[string]keys.Sealer{} // of one act: each thing has many rows
	return func(thing string) (seal keys.Sealer, err error) {
		if seal = asked[thing]; seal != nil {
			return seal, nil
		}
		if seal, err = s.ring.Thing(ctx, space, thing); err != nil {
			return nil, fmt.Errorf("key of thing %s: %w", thing, err)
		}
		asked[thing] = seal
		return seal, nil
	}
}

// perStatement is how many IDs are looked for by one statement.
const perStatement = 500

const thingColumns = `id, space, owner, sealed, timezone, device, assistant, webhook_active,
	sketch, sketch_version, template, created_at, updated_at, deleted_at`

// thingRow is a row as it is stored.
type thingRow struct {
	Thing
	sealed                                  []byte
	device, sketch, sketchVersion, template sql.NullString
	createdMicros, updatedMicros            int64
	deletedMicros                           sql.NullInt64
}

func (r *thingRow) fields() []any {
	return []any{&r.ID, &r.Space, &r.Owner, &r.sealed, &r.Timezone, &r.device, &r.Assistant, &r.WebhookActive,
		&r.sketch, &r.sketchVersion, &r.template, &r.createdMicros, &r.updatedMicros, &r.deletedMicros}
}

// thing opens what is sealed.
func (r *thingRow) thing(of sealers) (Thing, error) {
	seal, err := of(r.ID)
	if err != nil {
		return Thing{}, err
	}
	t := r.Thing
	t.Device, t.Sketch, t.SketchVersion, t.Template = r.device.String, r.sketch.String, r.sketchVersion.String, r.template.String
	t.CreatedAt, t.UpdatedAt, t.DeletedAt = fromMicros(r.createdMicros), fromMicros(r.updatedMicros), fromNullMicros(r.deletedMicros)
	var private sealedThing
	if err := unseal(seal, r.sealed, &private, "thing", t.ID); err != nil {
		return Thing{}, fmt.Errorf("read thing %s: %w", t.ID, err)
	}
	t.Name, t.Webhook = private.Name, private.Webhook
	return t, nil
}

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

func fromNullMicros(us sql.NullInt64) time.Time {
	if !us.Valid {
		return time.Time{}
	}
	return fromMicros(us.Int64)
}

func nullMicros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func nullText(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// find reads one thing with its tags and properties, deleted ones too; or ErrNotFound.
func (s sqlStore) find(ctx context.Context, space, id string) (t Thing, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		t, err = s.load(ctx, tx, s.sealers(ctx, space), space, id)
		return err
	})
	return t, err
}

func (s sqlStore) load(ctx context.Context, tx *db.Tx, of sealers, space, id string) (Thing, error) {
	var r thingRow
	err := tx.QueryRow(ctx, `select `+thingColumns+` from thing where id = $1 and space = $2`, id, space).Scan(r.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return Thing{}, ErrNotFound
	}
	if err != nil {
		return Thing{}, fmt.Errorf("find thing %s: %w", id, err)
	}
	t, err := r.thing(of)
	if err != nil {
		return Thing{}, err
	}
	all := []Thing{t}
	if err := s.loadTags(ctx, tx, of, all); err != nil {
		return Thing{}, err
	}
	if err := s.loadProperties(ctx, tx, of, all); err != nil {
		return Thing{}, err
	}
	return all[0], nil
}

// route finds the thing of a device, or the thing itself when device is "", with
// its properties and whatever its space; or ErrNotFound. A deleted thing is not found.
func (s sqlStore) route(ctx context.Context, device, id string) (Thing, error) {
	where, key := `device = $1`, device
	if device == "" {
		where, key = `id = $1`, id
	}
	var space string
	err := s.db.One(ctx, func(r db.Row) error { return r.Scan(&id, &space) }, `select id, space from thing where `+where+` and deleted_at is null`, key)
	if errors.Is(err, sql.ErrNoRows) {
		return Thing{}, ErrNotFound
	}
	if err != nil {
		return Thing{}, fmt.Errorf("find the thing of %s: %w", key, err)
	}
	t, err := s.find(ctx, space, id)
	if err != nil {
		return Thing{}, err
	}
	if t.Deleted() || (device != "" && t.Device != device) {
		return Thing{}, ErrNotFound // changed between the two reads
	}
	return t, nil
}

// list reads the things that f selects, oldest first, with their tags; with their
// properties when f asks for them.
func (s sqlStore) list(ctx context.Context, space string, f Filter) (all []Thing, err error) {
	of := s.sealers(ctx, space)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = s.selectThings(ctx, tx, of, space, f)
		if err != nil {
			return err
		}
		if err := s.loadTags(ctx, tx, of, all); err != nil {
			return err
		}
		if f.Properties {
			return s.loadProperties(ctx, tx, of, all)
		}
		return s.loadCounts(ctx, tx, space, all)
	})
	return all, err
}

func (s sqlStore) selectThings(ctx context.Context, tx *db.Tx, of sealers, space string, f Filter) ([]Thing, error) {
	q := query{text: `select ` + thingColumns + ` from thing where space = $1`, args: []any{space}}
	if f.IDs != nil || f.Devices != nil {
		q.text = `select ` + thingColumns + ` from thing where ` + ofSpace + `$1`
	}
	if !f.Deleted {
		q.text += ` and deleted_at is null`
	}
	if f.Devices != nil {
		q.text += ` and device in (` + q.list(f.Devices) + `)`
	}
	if f.IDs != nil {
		q.text += ` and id in (` + q.list(f.IDs) + `)`
	}
	for _, tag := range f.Tags {
		q.text += ` and id in (select thing from thing_tag where space = $1 and pair_mac = ` + q.arg(s.pairMAC(space, tag)) + `)`
	}
	rows, err := tx.Query(ctx, q.text+` order by created_at, id`, q.args...)
	if err != nil {
		return nil, fmt.Errorf("list things of space %s: %w", space, err)
	}
	defer rows.Close()
	all := []Thing{}
	for rows.Next() {
		var r thingRow
		if err := rows.Scan(r.fields()...); err != nil {
			return nil, err
		}
		t, err := r.thing(of)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// ofSpace asks for the space of rows that are found by their IDs. As it is no column, no
// index of the space is used: SQLite takes every index for a narrow one, and would read
// all rows of a space to find three.
const ofSpace = `space || '' = `

// A query is a text that grows with its arguments.
type query struct {
	text string
	args []any
}

func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return "$" + strconv.Itoa(len(q.args))
}

// list is what stands between the parentheses of an "in"; nothing is in no list.
func (q *query) list(ids []string) string {
	if len(ids) == 0 {
		return `null`
	}
	places := make([]string, len(ids))
	for i, id := range ids {
		places[i] = q.arg(id)
	}
	return strings.Join(places, ", ")
}

// add keeps a new thing with its tags and properties. moved is the thing that lost
// its device to it, "" for none.
func (s sqlStore) add(ctx context.Context, t Thing, steal bool, e journal.Entry) (moved string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from thing where id = $1`, t.ID).Scan(&n); err != nil {
			return fmt.Errorf("look for thing %s: %w", t.ID, err)
		}
		if n > 0 {
			return ErrIDTaken
		}
		if moved, err = s.takeDevice(ctx, tx, t, steal); err != nil {
			return err
		}
		if err := s.nameFree(ctx, tx, t); err != nil {
			return err
		}
		gone, err := shred.Intended(ctx, tx, keys.KindThing, t.ID)
		if err != nil {
			return err
		}
		if gone {
			return ErrIDErased
		}
		// The key comes last, when nothing that was asked for can be refused any more.
		seal, err := s.sealers(ctx, t.Space)(t.ID)
		if err != nil {
			return err
		}
		if err := s.insertThing(ctx, tx, seal, t); err != nil {
			return err
		}
		if err := s.saveTags(ctx, tx, seal, Thing{}, t); err != nil {
			return err
		}
		if err := s.saveProperties(ctx, tx, seal, Thing{}, t); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return moved, err
}

// change reads a thing, lets act change it, and keeps what is different. moved is
// the thing that lost its device to it, "" for none.
func (s sqlStore) change(ctx context.Context, space, id string, act func(t *Thing) (Act, error)) (before, after Thing, moved string, err error) {
	of := s.sealers(ctx, space)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if before, err = s.load(ctx, tx, of, space, id); err != nil {
			return err
		}
		after = before
		after.Tags, after.Properties = slices.Clone(before.Tags), slices.Clone(before.Properties)
		a, err := act(&after)
		if err != nil {
			return err
		}
		moved = ""
		if after.Device != "" && after.Device != before.Device {
			if moved, err = s.takeDevice(ctx, tx, after, a.Steal); err != nil {
				return err
			}
		}
		seal, err := of(id)
		if err != nil {
			return err
		}
		if err := s.updateThing(ctx, tx, seal, after); err != nil {
			return err
		}
		if err := s.saveTags(ctx, tx, seal, before, after); err != nil {
			return err
		}
		if err := s.saveProperties(ctx, tx, seal, before, after); err != nil {
			return err
		}
		after.Count = len(after.Living())
		return journal.Record(ctx, tx, a.Entry)
	})
	return before, after, moved, err
}

// takeDevice makes sure that no other thing has t's device.
func (s sqlStore) takeDevice(ctx context.Context, tx *db.Tx, t Thing, steal bool) (moved string, err error) {
	if t.Device == "" {
		return "", nil
	}
	err = tx.QueryRow(ctx, `select id from thing where device = $1 and space = $2 and id <> $3`, t.Device, t.Space, t.ID).Scan(&moved)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find the thing of device %s: %w", t.Device, err)
	case !steal:
		return "", ErrDeviceTaken
	}
	if _, err := tx.Exec(ctx, `update thing set device = null, updated_at = $1 where id = $2`, t.UpdatedAt.UnixMicro(), moved); err != nil {
		return "", fmt.Errorf("take device %s from thing %s: %w", t.Device, moved, err)
	}
	return moved, nil
}

func (s sqlStore) insertThing(ctx context.Context, tx *db.Tx, seal keys.Sealer, t Thing) error {
	sealed, err := sealed(seal, sealedThing{Name: t.Name, Webhook: t.Webhook}, "thing", t.ID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `insert into thing (id, space, owner, name_mac, sealed, timezone, device, assistant, webhook_active,
		sketch, sketch_version, template, created_at, updated_at, deleted_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		t.ID, t.Space, t.Owner, s.nameMAC(t), sealed, t.Timezone, nullText(t.Device), t.Assistant, t.WebhookActive,
		nullText(t.Sketch), nullText(t.SketchVersion), nullText(t.Template), t.CreatedAt.UnixMicro(), t.UpdatedAt.UnixMicro(), nullMicros(t.DeletedAt))
	return nameTaken(err, "add thing "+t.ID)
}

func (s sqlStore) updateThing(ctx context.Context, tx *db.Tx, seal keys.Sealer, t Thing) error {
	sealed, err := sealed(seal, sealedThing{Name: t.Name, Webhook: t.Webhook}, "thing", t.ID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `update thing set name_mac = $2, sealed = $3, timezone = $4, device = $5, assistant = $6,
		webhook_active = $7, sketch = $8, sketch_version = $9, updated_at = $10, deleted_at = $11 where id = $1`,
		t.ID, s.nameMAC(t), sealed, t.Timezone, nullText(t.Device), t.Assistant, t.WebhookActive,
		nullText(t.Sketch), nullText(t.SketchVersion), t.UpdatedAt.UnixMicro(), nullMicros(t.DeletedAt))
	return nameTaken(err, "change thing "+t.ID)
}

// nameFree looks whether a living thing of the space has the name of t, as the index does.
func (s sqlStore) nameFree(ctx context.Context, tx *db.Tx, t Thing) error {
	var n int
	if err := tx.QueryRow(ctx, `select count(*) from thing where space = $1 and name_mac = $2 and deleted_at is null`, t.Space, s.nameMAC(t)).Scan(&n); err != nil {
		return fmt.Errorf("look for the name of thing %s: %w", t.ID, err)
	}
	if n > 0 {
		return ErrNameTaken
	}
	return nil
}

// nameTaken reads a failed insert or update of a thing: the ID and the device were
// looked at before, so only the name can be there already.
func nameTaken(err error, doing string) error {
	if errors.Is(err, db.ErrUnique) {
		return ErrNameTaken
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// erase removes a thing, or one property of it when property is not "", for good,
// and remembers the series whose values must follow. device is what it was attached to.
func (s sqlStore) erase(ctx context.Context, space, id, property string, e journal.Entry) (lost []string, device string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		var attached sql.NullString
		err := tx.QueryRow(ctx, `select device from thing where id = $1 and space = $2`, id, space).Scan(&attached)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("find thing %s: %w", id, err)
		}
		device = attached.String
		where, args := `thing = $1 and space = $2`, []any{id, space}
		if property != "" {
			where, args = where+` and id = $3`, append(args, property)
		}
		if lost, err = db.Column[string](ctx, tx, `select id from thing_property where `+where, args...); err != nil {
			return fmt.Errorf("list properties of thing %s: %w", id, err)
		}
		if property != "" && len(lost) == 0 {
			return ErrPropertyNotFound
		}
		for _, series := range lost {
			if _, err := tx.Exec(ctx, `insert into thing_erase (series, space, at) values ($1, $2, $3) on conflict (series) do nothing`, series, space, e.At.UnixMicro()); err != nil {
				return fmt.Errorf("remember series %s: %w", series, err)
			}
		}
		if _, err := tx.Exec(ctx, `delete from thing_property where `+where, args...); err != nil {
			return fmt.Errorf("erase properties of thing %s: %w", id, err)
		}
		if property == "" {
			if _, err := tx.Exec(ctx, `delete from thing_tag where thing = $1 and `+ofSpace+`$2`, id, space); err != nil {
				return fmt.Errorf("erase tags of thing %s: %w", id, err)
			}
			if _, err := tx.Exec(ctx, `delete from thing where id = $1 and space = $2`, id, space); err != nil {
				return fmt.Errorf("erase thing %s: %w", id, err)
			}
			if err := shred.Intend(ctx, tx, keys.KindThing, id, space, e.At); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
	return lost, device, err
}

// erasing lists up to n series whose values are still to be erased.
func (s sqlStore) erasing(ctx context.Context, n int) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select series from thing_erase order by at, series limit $1`, n)
		return err
	})
	return ids, err
}

// erased forgets series whose values are gone.
func (s sqlStore) erased(ctx context.Context, ids []string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for part := range slices.Chunk(ids, perStatement) {
			var q query
			text := `delete from thing_erase where series in (` + q.list(part) + `)`
			if _, err := tx.Exec(ctx, text, q.args...); err != nil {
				return fmt.Errorf("forget erased series: %w", err)
			}
		}
		return nil
	})
}

// among finds those of ids that things have, deleted ones too, whatever their space.
func (s sqlStore) among(ctx context.Context, ids []string) (found []Owned, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found = nil
		for part := range slices.Chunk(ids, perStatement) {
			var q query
			some, err := db.All(ctx, tx, scanOwned, `select id, space from thing where id in (`+q.list(part)+`) order by id`, q.args...)
			if err != nil {
				return err
			}
			found = append(found, some...)
		}
		return nil
	})
	return found, err
}

func scanOwned(from db.Row) (o Owned, err error) {
	err = from.Scan(&o.Thing, &o.Space)
	return o, err
}

func (s sqlStore) hooked(ctx context.Context) (found []Owned, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		found, err = db.All(ctx, tx, scanOwned, `select id, space from thing where webhook_active and deleted_at is null order by id`)
		return err
	})
	return found, err
}

// zones lists the time zones of things that have a device. It steps through the index
// from one zone to the next: what it costs grows with zones, not with things.
func (s sqlStore) zones(ctx context.Context) (names []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		names = nil
		for last := ""; ; names = append(names, last) {
			err := tx.QueryRow(ctx, nextZone, last).Scan(&last)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	return names, err
}

const nextZone = `select timezone from thing where timezone > $1 and device is not null order by timezone limit 1`

// inZone lists up to n IDs of things in a time zone that have a device, in order, after the given one.
func (s sqlStore) inZone(ctx context.Context, zone, after string, n int) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select id from thing where timezone = $1 and id > $2 and device is not null order by id limit $3`, zone, after, n)
		return err
	})
	return ids, err
}
