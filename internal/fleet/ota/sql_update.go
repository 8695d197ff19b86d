package ota

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

const updateColumns = `id, space, device, owner, image, campaign, wave, held, status, error, version, state, fetched, file_bytes, from_sha, final_sha,
	max_retries, attempt, lines, created_at, start_at, expires_at, started_at, heard_at, ended_at`

func scanUpdate(from db.Row) (u Update, err error) {
	var created, start, expires, started, heard, ended int64
	var before, final []byte
	err = from.Scan(&u.ID, &u.Space, &u.Device, &u.Owner, &u.Image, &u.Campaign, &u.Wave, &u.Held, &u.Status, &u.Error, &u.Version, &u.State, &u.Fetched, &u.Bytes, &before, &final,
		&u.MaxRetries, &u.Attempt, &u.lines, &created, &start, &expires, &started, &heard, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return u, ErrNotFound
	}
	if err != nil {
		return u, err
	}
	copy(u.From[:], before)
	copy(u.Final[:], final)
	u.CreatedAt, u.StartAt, u.ExpiresAt = fromMicros(created), fromMicros(start), fromMicros(expires)
	u.StartedAt, u.HeardAt, u.EndedAt = fromMicros(started), fromMicros(heard), fromMicros(ended)
	return u, nil
}

// add writes updates and their campaign, which may be nil. Devices that have an update under way are skipped; if none is left that is ErrRunning,
// and nothing is written.
func (s sqlStore) add(ctx context.Context, all []Update, c *Campaign, e journal.Entry) (added []Update, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		added = added[:0]
		for _, u := range all {
			var open int
			if err := tx.QueryRow(ctx, `select count(*) from ota where device = $1 and status in ('pending', 'in_progress')`, u.Device).Scan(&open); err != nil {
				return err
			}
			if open > 0 {
				continue
			}
			if c != nil && c.WaveSize > 0 {
				u.Wave = len(added) / c.WaveSize
				u.Held = u.Wave > 0
			}
			if err := insertUpdate(ctx, tx, u); err != nil {
				return err
			}
			if err := trim(ctx, tx, u.Device); err != nil {
				return err
			}
			added = append(added, u)
		}
		if len(added) == 0 {
			return ErrRunning
		}
		r, err := tx.Exec(ctx, `update ota_image set used_at = $3 where space = $1 and id = $2`, added[0].Space, added[0].Image, micros(added[0].CreatedAt))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrImageNotFound)
		}
		if c != nil {
			c.Devices = len(added)
			if _, err := tx.Exec(ctx, `insert into ota_campaign (`+campaignColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
				c.ID, c.Space, c.Owner, c.Image, c.State, c.Devices, c.WaveSize, c.Wave, c.MaxFailed, micros(c.CreatedAt), micros(c.EndedAt)); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
	if errors.Is(err, db.ErrUnique) {
		err = ErrRunning // another process was faster
	}
	return added, err
}

func insertUpdate(ctx context.Context, tx *db.Tx, u Update) error {
	_, err := tx.Exec(ctx, `insert into ota (`+updateColumns+`)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)`,
		u.ID, u.Space, u.Device, u.Owner, u.Image, u.Campaign, u.Wave, u.Held, u.Status, u.Error, u.Version, u.State, u.Fetched, u.Bytes, u.From[:], u.Final[:],
		u.MaxRetries, u.Attempt, u.lines, micros(u.CreatedAt), micros(u.StartAt), micros(u.ExpiresAt), micros(u.StartedAt), micros(u.HeardAt), micros(u.EndedAt))
	return err
}

// trim takes away the oldest updates of a device.
func trim(ctx context.Context, tx *db.Tx, device string) error {
	const old = `select id from ota where device = $1 and status not in ('pending', 'in_progress') and created_at < (
		select min(created_at) from (select created_at from ota where device = $1 order by created_at desc limit $2) as kept)`
	for _, text := range []string{`delete from ota_state where ota in (` + old + `)`, `delete from ota where id in (` + old + `)`} {
		if _, err := tx.Exec(ctx, text, device, keepUpdates); err != nil {
			return err
		}
	}
	return nil
}

func (s sqlStore) update(ctx context.Context, space, id string) (u Update, err error) {
	err = s.db.One(ctx, func(r db.Row) error {
		u, err = scanUpdate(r)
		return err
	}, `select `+updateColumns+` from ota where space = $1 and id = $2`, space, id)
	return u, err
}

// anywhere names no space: it finds whose an update is whose address is asked for.
func (s sqlStore) anywhere(ctx context.Context, id string) (u Update, err error) {
	err = s.db.One(ctx, func(r db.Row) error {
		u, err = scanUpdate(r)
		return err
	}, `select `+updateColumns+` from ota where id = $1`, id)
	return u, err
}

func (s sqlStore) updates(ctx context.Context, f Filter) (all []Update, err error) {
	text, args := `select `+updateColumns+` from ota where space = $1`, []any{f.Space}
	for column, value := range map[string]string{"device": f.Device, "campaign": f.Campaign} {
		if value != "" {
			args = append(args, value)
			text += fmt.Sprintf(" and %s = $%d", column, len(args))
		}
	}
	order := "desc"
	if f.OldestFirst {
		order = "asc"
	}
	args = append(args, f.Limit)
	text += fmt.Sprintf(" order by created_at %s, id %s limit $%d", order, order, len(args))
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanUpdate, text, args...)
		return err
	})
	return all, err
}

func (s sqlStore) course(ctx context.Context, id string) (all []Line, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, func(r db.Row) (l Line, err error) {
			var at int64
			err = r.Scan(&l.Number, &l.State, &l.Data, &at)
			l.At = fromMicros(at)
			return l, err
		}, `select number, state, data, at from ota_state where ota = $1 order by number`, id)
		return err
	})
	return all, err
}

// edit runs fn in one transaction.
func (s sqlStore) edit(ctx context.Context, fn func(tx changer) error) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return fn(sqlChanger{ctx, tx}) })
}

// sqlChanger is a changer.
type sqlChanger struct {
	ctx context.Context
	tx  *db.Tx
}

func (e sqlChanger) open(device string) (Update, error) {
	return scanUpdate(e.tx.QueryRow(e.ctx, `select `+updateColumns+` from ota where device = $1 and status in ('pending', 'in_progress')`, device))
}

func (e sqlChanger) find(space, id string) (Update, error) {
	return scanUpdate(e.tx.QueryRow(e.ctx, `select `+updateColumns+` from ota where space = $1 and id = $2`, space, id))
}

func (e sqlChanger) save(u Update, news []Line) error {
	if _, err := e.tx.Exec(e.ctx, `update ota set held = $2, status = $3, error = $4, version = $5, state = $6, fetched = $7, from_sha = $8,
		attempt = $9, lines = $10, start_at = $11, started_at = $12, heard_at = $13, ended_at = $14, expires_at = $15 where id = $1`,
		u.ID, u.Held, u.Status, u.Error, u.Version, u.State, u.Fetched, u.From[:], u.Attempt, u.lines,
		micros(u.StartAt), micros(u.StartedAt), micros(u.HeardAt), micros(u.EndedAt), micros(u.ExpiresAt)); err != nil {
		return err
	}
	for _, l := range news {
		if _, err := e.tx.Exec(e.ctx, `insert into ota_state (ota, number, state, data, at) values ($1, $2, $3, $4, $5)`, u.ID, l.Number, l.State, l.Data, micros(l.At)); err != nil {
			return err
		}
	}
	return nil
}

func (e sqlChanger) record(entry journal.Entry) error { return journal.Record(e.ctx, e.tx, entry) }

// late are updates of all spaces that their end has overtaken, or that may begin.
func (e sqlChanger) late(now time.Time, limit int) ([]Update, error) {
	return db.All(e.ctx, e.tx, scanUpdate, `select `+updateColumns+` from ota where id in (
		select id from ota where status = 'pending' and not held and expires_at <= $1
		union select id from ota where status = 'in_progress' and attempt = 0 and state in ('', 'available') and expires_at <= $1
		union select id from ota where status = 'in_progress' and heard_at <= $2 and (attempt > 0 or state not in ('', 'available'))
		union select id from ota where start_at > 0 and start_at <= $1 and status = 'pending' and not held) order by expires_at, id limit $3`,
		micros(now), micros(now.Add(-silence)), limit)
}

const campaignColumns = `id, space, owner, image, state, devices, wave_size, wave, max_failed, created_at, ended_at`

func scanCampaign(from db.Row) (c Campaign, err error) {
	var created, ended int64
	err = from.Scan(&c.ID, &c.Space, &c.Owner, &c.Image, &c.State, &c.Devices, &c.WaveSize, &c.Wave, &c.MaxFailed, &created, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrCampaignNotFound
	}
	c.CreatedAt, c.EndedAt = fromMicros(created), fromMicros(ended)
	return c, err
}

func (s sqlStore) campaign(ctx context.Context, space, id string) (c Campaign, err error) {
	err = s.db.One(ctx, func(r db.Row) error {
		c, err = scanCampaign(r)
		return err
	}, `select `+campaignColumns+` from ota_campaign where space = $1 and id = $2`, space, id)
	return c, err
}

func (s sqlStore) campaigns(ctx context.Context, space string, limit int) (all []Campaign, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanCampaign, `select `+campaignColumns+` from ota_campaign where space = $1 order by created_at desc, id limit $2`, space, limit)
		return err
	})
	return all, err
}

// underWay names no space: it is what a start goes on with.
func (s sqlStore) underWay(ctx context.Context) (all []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.Column[string](ctx, tx, `select id from ota_campaign where state = 'running' order by id`)
		return err
	})
	return all, err
}

func (s sqlStore) tally(ctx context.Context, campaign string) (all []Tally, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = tally(ctx, tx, campaign)
		return err
	})
	return all, err
}

func tally(ctx context.Context, tx *db.Tx, campaign string) ([]Tally, error) {
	return db.All(ctx, tx, func(r db.Row) (t Tally, err error) {
		err = r.Scan(&t.Wave, &t.Status, &t.Error, &t.Devices)
		return t, err
	}, `select wave, status, error, count(*) from ota where campaign = $1 group by wave, status, error order by wave, status, error`, campaign)
}

func (e sqlChanger) campaign(id string) (Campaign, []Tally, error) {
	c, err := scanCampaign(e.tx.QueryRow(e.ctx, `select `+campaignColumns+` from ota_campaign where id = $1`, id))
	if err != nil {
		return c, nil, err
	}
	all, err := tally(e.ctx, e.tx, id)
	return c, all, err
}

func (e sqlChanger) saveCampaign(c Campaign) error {
	_, err := e.tx.Exec(e.ctx, `update ota_campaign set state = $2, wave = $3, ended_at = $4 where id = $1`, c.ID, c.State, c.Wave, micros(c.EndedAt))
	return err
}

// ofCampaign are the updates of a campaign that are not over, of one wave, or of all for -1.
func (e sqlChanger) ofCampaign(id string, wave int) ([]Update, error) {
	return db.All(e.ctx, e.tx, scanUpdate, `select `+updateColumns+` from ota where campaign = $1 and (wave = $2 or $2 < 0) and status in ('pending', 'in_progress') order by id`, id, wave)
}
