package device

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

// SQL is the Store in the system of record.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const columns = `id, space, owner, type, connection_type, wifi_fw_version, locked, private, reported,
	hardware_index, secret, created_at, updated_at, deleted_at, leaving, online, last_activity_at`

func scanRow(from db.Row) (row, error) {
	var (
		r                        row
		created, updated, active int64
		deleted                  sql.NullInt64
	)
	err := from.Scan(&r.ID, &r.Space, &r.Owner, &r.Type, &r.ConnectionType, &r.WiFiFW, &r.Locked, &r.private, &r.reported,
		&r.hardwareIndex, &r.secret, &created, &updated, &deleted, &r.leaving, &r.online, &active)
	if errors.Is(err, sql.ErrNoRows) {
		return row{}, ErrNotFound
	}
	if err != nil {
		return row{}, err
	}
	r.CreatedAt, r.UpdatedAt = micro(created), micro(updated)
	if deleted.Valid {
		r.DeletedAt = micro(deleted.Int64)
	}
	if active != 0 {
		r.LastActivityAt = micro(active)
	}
	return r, nil
}

func micro(t int64) time.Time { return time.UnixMicro(t).UTC() }

func (s sqlStore) one(ctx context.Context, text string, args ...any) (r row, err error) {
	err = s.db.One(ctx, func(from db.Row) error {
		r, err = scanRow(from)
		return err
	}, text, args...)
	return r, err
}

func (s sqlStore) many(ctx context.Context, text string, args ...any) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanRow, text, args...)
		return err
	})
	return all, err
}

// byID names no space: it finds whose a device is that connects.
func (s sqlStore) byID(ctx context.Context, id string) (row, error) {
	return s.one(ctx, `select `+columns+` from device where id = $1`, id)
}

// byHardware names no space either: a board is in one of all.
func (s sqlStore) byHardware(ctx context.Context, index []byte) (row, error) {
	return s.one(ctx, `select `+columns+` from device where hardware_index = $1`, index)
}

func (s sqlStore) get(ctx context.Context, space, id string) (row, error) {
	return s.one(ctx, `select `+columns+` from device where space = $1 and id = $2`, space, id)
}

func (s sqlStore) list(ctx context.Context, space string, deleted bool) ([]row, error) {
	if deleted {
		return s.many(ctx, `select `+columns+` from device where space = $1 order by created_at, id`, space)
	}
	return s.many(ctx, `select `+columns+` from device where space = $1 and deleted_at is null order by created_at, id`, space)
}

// leaving and wasOnline name no space: they are what the start of the server repairs.
func (s sqlStore) leaving(ctx context.Context) ([]row, error) {
	return s.many(ctx, `select `+columns+` from device where leaving <> '' order by id`)
}

func (s sqlStore) wasOnline(ctx context.Context) ([]row, error) {
	return s.many(ctx, `select `+columns+` from device where online order by id`)
}

// among names no space either: the start looks for what was erased.
func (s sqlStore) among(ctx context.Context, ids []string) (found []row, err error) {
	for part := range slices.Chunk(ids, perStatement) {
		places, args := make([]string, len(part)), make([]any, len(part))
		for i, id := range part {
			places[i], args[i] = "$"+strconv.Itoa(i+1), id
		}
		some, err := s.many(ctx, `select `+columns+` from device where id in (`+strings.Join(places, ", ")+`) order by id`, args...)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	return found, nil
}

// perStatement is how many IDs are looked for by one statement.
const perStatement = 500

func (s sqlStore) add(ctx context.Context, r row, limit int, close func(r *row) error, e journal.Entry) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var n int64
		if err := tx.QueryRow(ctx, `select count(*) from device where space = $1`, r.Space).Scan(&n); err != nil {
			return err
		}
		if n >= int64(limit) {
			return ErrTooMany
		}
		if err := tx.QueryRow(ctx, `select count(*) from device where id = $1`, r.ID).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return ErrIDTaken
		}
		if r.hardwareIndex != nil {
			if err := tx.QueryRow(ctx, `select count(*) from device where hardware_index = $1`, r.hardwareIndex).Scan(&n); err != nil {
				return err
			}
			if n > 0 {
				return ErrHardwareTaken
			}
		}
		gone, err := shred.Intended(ctx, tx, keys.KindDevice, r.ID)
		if err != nil {
			return err
		}
		if gone {
			return ErrIDTaken
		}
		if err := close(&r); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into device (`+columns+`)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, $11, $12, null, '', $13, 0)`,
			r.ID, r.Space, r.Owner, r.Type, r.ConnectionType, r.WiFiFW, r.Locked, r.private, r.reported,
			r.hardwareIndex, r.CreatedAt.UnixMicro(), r.UpdatedAt.UnixMicro(), false); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	if errors.Is(err, db.ErrUnique) {
		return ErrHardwareTaken // the ID was looked for above
	}
	return err
}

// change reads, changes and writes a row in one transaction. What sessions write
// (online, last_activity_at) it leaves alone.
func (s sqlStore) change(ctx context.Context, space, id string, fn func(r *row) error, e journal.Entry) (r row, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from device where space = $1 and id = $2`, space, id))
		if err != nil {
			return err
		}
		if err := fn(&r); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update device set type = $1, connection_type = $2, wifi_fw_version = $3, locked = $4,
			private = $5, reported = $6, hardware_index = $7, secret = $8, updated_at = $9, deleted_at = $10, leaving = $11
			where space = $12 and id = $13`,
			r.Type, r.ConnectionType, r.WiFiFW, r.Locked, r.private, r.reported, r.hardwareIndex, r.secret,
			r.UpdatedAt.UnixMicro(), nullTime(r.DeletedAt), r.leaving, space, id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	if errors.Is(err, db.ErrUnique) {
		return row{}, ErrHardwareTaken
	}
	return r, err
}

func nullTime(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: !t.IsZero()}
}

func (s sqlStore) remove(ctx context.Context, space, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from device_status where space = $1 and device = $2`, space, id); err != nil {
			return err
		}
		r, err := tx.Exec(ctx, `delete from device where space = $1 and id = $2`, space, id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err // it was removed before
		}
		if err := shred.Intend(ctx, tx, keys.KindDevice, id, space, e.At); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) save(ctx context.Context, batch []*saving) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, p := range batch {
			if err := saveOne(ctx, tx, p); err != nil {
				return fmt.Errorf("save status of device %s: %w", p.device, err)
			}
		}
		return nil
	})
}

func saveOne(ctx context.Context, tx *db.Tx, p *saving) error {
	if len(p.events) == 0 && p.facts == nil && p.activity.IsZero() {
		return nil // somebody only waits
	}
	there, err := savePresence(ctx, tx, p)
	if err != nil || !there {
		return err // removed meanwhile
	}
	if p.facts != nil {
		if err := saveFacts(ctx, tx, p); err != nil {
			return err
		}
	}
	for _, e := range p.events {
		// The same time twice happens only when the clock was set back over a restart.
		if _, err := tx.Exec(ctx, `insert into device_status (device, space, at, connected) values ($1, $2, $3, $4)
			on conflict (device, at) do nothing`, p.device, p.space, e.At.UnixMicro(), e.Connected); err != nil {
			return err
		}
	}
	if !p.trim {
		return nil
	}
	_, err = tx.Exec(ctx, `delete from device_status where space = $1 and device = $2 and at < (
		select min(at) from (select at from device_status where space = $1 and device = $2 order by at desc limit $3) as kept)`,
		p.space, p.device, keepStatuses)
	return err
}

// savePresence writes whether a device is connected and when it was last heard of. It is
// false when there is no such device.
func savePresence(ctx context.Context, tx *db.Tx, p *saving) (bool, error) {
	active := int64(0)
	if !p.activity.IsZero() {
		active = p.activity.UnixMicro()
	}
	set, args := `last_activity_at = case when last_activity_at < $3 then $3 else last_activity_at end`, []any{p.space, p.device, active}
	if n := len(p.events); n > 0 {
		set, args = set+`, online = $4`, append(args, p.events[n-1].Connected)
	}
	r, err := tx.Exec(ctx, `update device set `+set+` where space = $1 and id = $2`, args...)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

// saveFacts merges what a device reported into what is known.
func saveFacts(ctx context.Context, tx *db.Tx, p *saving) error {
	r, err := scanRow(tx.QueryRow(ctx, `select `+columns+` from device where space = $1 and id = $2`, p.space, p.device))
	if err != nil {
		return err
	}
	was, err := r.openReported(p.seal)
	if err != nil {
		return err
	}
	if err := r.closeReported(was.merge(p.facts), p.seal); err != nil {
		return err
	}
	// What is no version stays among the reports only: it must not stand in the
	// way of the next update of the device.
	if v := p.facts[WiFiFW].Value; len(v) <= maxWiFiFW && versionForm.MatchString(v) {
		r.WiFiFW = v
	}
	_, err = tx.Exec(ctx, `update device set reported = $3, wifi_fw_version = $4 where space = $1 and id = $2`,
		p.space, p.device, r.reported, r.WiFiFW)
	return err
}

func (s sqlStore) statuses(ctx context.Context, space, device string, before time.Time, limit int) ([]StatusEvent, error) {
	all := []StatusEvent{}
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		all = all[:0]
		return db.Each(ctx, tx, func(r db.Row) error {
			var at int64
			var e StatusEvent
			if err := r.Scan(&at, &e.Connected); err != nil {
				return err
			}
			e.At = micro(at)
			all = append(all, e)
			return nil
		}, `select at, connected from device_status
			where space = $1 and device = $2 and at < $3 order by at desc limit $4`, space, device, before.UnixMicro(), limit)
	})
	return all, err
}
