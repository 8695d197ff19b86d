package thing

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/shred"
)

// What people wrote, as it is sealed.
type (
	sealedThing struct {
		Name    string `json:"n"`
		Webhook string `json:"w,omitempty"`
	}
	sealedProperty struct {
		Name      string   `json:"n"`
		Variable  string   `json:"v"`
		Parameter float64  `json:"p,omitempty"`
		Min       *float64 `json:"i,omitempty"`
		Max       *float64 `json:"a,omitempty"`
	}
	sealedTag struct {
		Key   string `json:"k"`
		Value string `json:"v"`
	}
)

func sealed(seal keys.Sealer, v any, where ...string) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", where[0], err)
	}
	out, err := seal.Seal(plain, keys.Place(where...))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", where[0], err)
	}
	return out, nil
}

func unseal(seal keys.Sealer, in []byte, v any, where ...string) error {
	plain, err := seal.Open(in, keys.Place(where...))
	if err != nil {
		return err
	}
	return json.Unmarshal(plain, v)
}

// Names are looked for by keyed hashes over everything that makes them unique, so
// that equal names in two places do not look equal.
func (s sqlStore) nameMAC(t Thing) []byte { return s.mac(keys.Place("name", t.Space, t.Name)) }

func (s sqlStore) partMAC(column, thing, text string) []byte {
	return s.mac(keys.Place(column, thing, text))
}

func (s sqlStore) pairMAC(space string, t Tag) []byte {
	return s.mac(keys.Place("pair", space, t.Key, t.Value))
}

// byID makes statements about many things a few at a time.
func byID(all []Thing, do func(part []string, find func(id string) *Thing) error) error {
	places := make(map[string]*Thing, len(all))
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].ID
		places[all[i].ID] = &all[i]
	}
	for part := range slices.Chunk(ids, perStatement) {
		if err := do(part, func(id string) *Thing { return places[id] }); err != nil {
			return err
		}
	}
	return nil
}

func (s sqlStore) loadTags(ctx context.Context, tx *db.Tx, of sealers, all []Thing) error {
	err := byID(all, func(part []string, find func(string) *Thing) error {
		var q query
		text := `select thing, sealed from thing_tag where thing in (` + q.list(part) + `)`
		return db.Each(ctx, tx, func(r db.Row) error {
			var id string
			var in []byte
			if err := r.Scan(&id, &in); err != nil {
				return err
			}
			seal, err := of(id)
			if err != nil {
				return err
			}
			var tag sealedTag
			if err := unseal(seal, in, &tag, "tag", id); err != nil {
				return fmt.Errorf("thing %s: %w", id, err)
			}
			t := find(id)
			t.Tags = append(t.Tags, Tag(tag))
			return nil
		}, text, q.args...)
	})
	if err != nil {
		return fmt.Errorf("read tags: %w", err)
	}
	for _, t := range all {
		slices.SortFunc(t.Tags, func(a, b Tag) int { return strings.Compare(a.Key, b.Key) })
	}
	return nil
}

func (s sqlStore) loadCounts(ctx context.Context, tx *db.Tx, space string, all []Thing) error {
	err := byID(all, func(part []string, find func(string) *Thing) error {
		var q query
		text := `select thing, count(*) from thing_property where thing in (` + q.list(part) + `) and deleted_at is null group by thing`
		return db.Each(ctx, tx, func(r db.Row) error {
			var id string
			var n int
			if err := r.Scan(&id, &n); err != nil {
				return err
			}
			find(id).Count = n
			return nil
		}, text, q.args...)
	})
	if err != nil {
		return fmt.Errorf("count properties in space %s: %w", space, err)
	}
	return nil
}

const propertyColumns = `id, thing, sealed, type, permission, strategy, persist, number, created_at, updated_at, deleted_at`

func (s sqlStore) loadProperties(ctx context.Context, tx *db.Tx, of sealers, all []Thing) error {
	err := byID(all, func(part []string, find func(string) *Thing) error {
		var q query
		text := `select ` + propertyColumns + ` from thing_property where thing in (` + q.list(part) + `) order by number, created_at, id`
		rows, err := tx.Query(ctx, text, q.args...)
		return eachProperty(rows, err, of, func(p Property) {
			t := find(p.Thing)
			t.Properties = append(t.Properties, p)
			if !p.Deleted() {
				t.Count++
			}
		})
	})
	if err != nil {
		return fmt.Errorf("read properties: %w", err)
	}
	return nil
}

// properties reads those living properties of living things in a space whose IDs are given.
func (s sqlStore) properties(ctx context.Context, space string, ids []string) (map[string]Property, error) {
	of := s.sealers(ctx, space)
	found := make(map[string]Property, len(ids))
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		for part := range slices.Chunk(ids, perStatement) {
			q := query{args: []any{space}}
			rows, err := tx.Query(ctx, `select `+propertyColumns+` from thing_property where `+ofSpace+`$1 and deleted_at is null and id in (`+q.list(part)+`)
				and exists (select 1 from thing as t where t.id = thing_property.thing and t.space = $1 and t.deleted_at is null)`, q.args...)
			if err := eachProperty(rows, err, of, func(p Property) { found[p.ID] = p }); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find properties in space %s: %w", space, err)
	}
	return found, nil
}

func eachProperty(rows *sql.Rows, err error, of sealers, do func(Property)) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			p                Property
			in               []byte
			typeName         string
			created, updated int64
			deleted          sql.NullInt64
			private          sealedProperty
		)
		if err := rows.Scan(&p.ID, &p.Thing, &in, &typeName, &p.Permission, &p.Strategy, &p.Persist, &p.Number, &created, &updated, &deleted); err != nil {
			return err
		}
		seal, err := of(p.Thing)
		if err != nil {
			return err
		}
		if err := unseal(seal, in, &private, "property", p.ID, p.Thing); err != nil {
			return fmt.Errorf("property %s: %w", p.ID, err)
		}
		if p.Type = TypeOf(typeName); p.Type == nil {
			return fmt.Errorf("property %s has the type %q, which this version does not know", p.ID, typeName)
		}
		p.Name, p.Variable, p.Parameter = private.Name, private.Variable, private.Parameter
		p.Min, p.Max = orNaN(private.Min), orNaN(private.Max)
		p.CreatedAt, p.UpdatedAt, p.DeletedAt = fromMicros(created), fromMicros(updated), fromNullMicros(deleted)
		do(p)
	}
	return rows.Err()
}

func orNaN(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func orNil(f float64) *float64 {
	if math.IsNaN(f) {
		return nil
	}
	return &f
}

// saveTags writes the tags in which after differs from before.
func (s sqlStore) saveTags(ctx context.Context, tx *db.Tx, seal keys.Sealer, before, after Thing) error {
	for _, old := range before.Tags {
		if slices.Contains(after.Tags, old) {
			continue
		}
		if _, err := tx.Exec(ctx, `delete from thing_tag where thing = $1 and key_mac = $2`, after.ID, s.partMAC("key", after.ID, old.Key)); err != nil {
			return fmt.Errorf("remove tag of thing %s: %w", after.ID, err)
		}
	}
	for _, tag := range after.Tags {
		if slices.Contains(before.Tags, tag) {
			continue
		}
		in, err := sealed(seal, sealedTag(tag), "tag", after.ID)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into thing_tag (thing, space, key_mac, pair_mac, sealed, created_at) values ($1, $2, $3, $4, $5, $6)`,
			after.ID, after.Space, s.partMAC("key", after.ID, tag.Key), s.pairMAC(after.Space, tag), in, after.UpdatedAt.UnixMicro())
		if err != nil {
			return fmt.Errorf("add tag to thing %s: %w", after.ID, err)
		}
	}
	return nil
}

// saveProperties writes the properties in which after differs from before. Rows are
// never removed here: deleting is soft, and erase is an act of its own.
func (s sqlStore) saveProperties(ctx context.Context, tx *db.Tx, seal keys.Sealer, before, after Thing) error {
	had := make(map[string]Property, len(before.Properties))
	for _, p := range before.Properties {
		had[p.ID] = p
	}
	// What was deleted gives its names free before others take them.
	order := slices.Clone(after.Properties)
	slices.SortStableFunc(order, func(a, b Property) int {
		switch {
		case a.Deleted() == b.Deleted():
			return 0
		case a.Deleted():
			return -1
		}
		return 1
	})
	for _, p := range order {
		old, known := had[p.ID]
		if known && old.same(p) {
			continue
		}
		in, err := sealed(seal, sealedProperty{p.Name, p.Variable, p.Parameter, orNil(p.Min), orNil(p.Max)}, "property", p.ID, after.ID)
		if err != nil {
			return err
		}
		if !known {
			_, err = tx.Exec(ctx, `insert into thing_property (id, thing, space, name_mac, variable_mac, sealed, type, permission, strategy, persist, number,
				created_at, updated_at, deleted_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
				p.ID, after.ID, after.Space, s.partMAC("name", after.ID, p.Name), s.partMAC("variable", after.ID, p.Variable), in, p.Type.Name,
				p.Permission, p.Strategy, p.Persist, p.Number, p.CreatedAt.UnixMicro(), p.UpdatedAt.UnixMicro(), nullMicros(p.DeletedAt))
		} else {
			_, err = tx.Exec(ctx, `update thing_property set name_mac = $2, variable_mac = $3, sealed = $4, type = $5, permission = $6, strategy = $7,
				persist = $8, number = $9, updated_at = $10, deleted_at = $11 where id = $1`,
				p.ID, s.partMAC("name", after.ID, p.Name), s.partMAC("variable", after.ID, p.Variable), in, p.Type.Name,
				p.Permission, p.Strategy, p.Persist, p.Number, p.UpdatedAt.UnixMicro(), nullMicros(p.DeletedAt))
		}
		if errors.Is(err, db.ErrUnique) {
			// The thing was checked as a whole: this is an exchange of names in one
			// change, which rows that are written one by one cannot do.
			return ErrPropertyNameTaken.With("Two properties cannot exchange their names in one request.")
		}
		if err != nil {
			return fmt.Errorf("keep property %s: %w", p.ID, err)
		}
	}
	return nil
}

// same says whether nothing of a property is different.
func (p Property) same(q Property) bool {
	bits := math.Float64bits
	return p.ID == q.ID && p.Name == q.Name && p.Variable == q.Variable && p.Type == q.Type && p.Permission == q.Permission &&
		p.Strategy == q.Strategy && p.Parameter == q.Parameter && bits(p.Min) == bits(q.Min) && bits(p.Max) == bits(q.Max) &&
		p.Persist == q.Persist && p.Number == q.Number && p.UpdatedAt.Equal(q.UpdatedAt) && p.DeletedAt.Equal(q.DeletedAt)
}

func (s sqlStore) count(ctx context.Context, space string) (n int, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select count(*) from thing where space = $1`, space).Scan(&n)
	})
	return n, err
}

// eraseSpace removes everything of a space for good. devices are those of things,
// "" where there is none.
func (s sqlStore) eraseSpace(ctx context.Context, space string, e journal.Entry) (things, devices []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if things, err = db.Column[string](ctx, tx, `select id from thing where space = $1 order by id`, space); err != nil {
			return err
		}
		if devices, err = db.Column[string](ctx, tx, `select coalesce(device, '') from thing where space = $1 order by id`, space); err != nil {
			return err
		}
		for _, id := range things {
			if err := shred.Intend(ctx, tx, keys.KindThing, id, space, e.At); err != nil {
				return err
			}
		}
		for _, statement := range []string{
			`delete from thing_tag where space = $1`,
			`delete from thing_property where space = $1`,
			`delete from thing where space = $1`,
			`delete from thing_erase where space = $1`, // history erases the space as a whole
		} {
			if _, err := tx.Exec(ctx, statement, space); err != nil {
				return err
			}
		}
		if len(things) == 0 {
			return nil // nothing has changed
		}
		return journal.Record(ctx, tx, e)
	})
	return things, devices, err
}
