package series

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// SQL keeps history in a database of either engine. It must be the only one that does:
// what it knows of the log it does not read again.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) load(ctx context.Context, each func(seriesRow) error, row func(logRow) error) error {
	return s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id, property, space, COALESCE(last_at, 0), last FROM series ORDER BY id`)
		if err != nil {
			return fmt.Errorf("read the list of series: %w", err)
		}
		if err := scan(rows, func() error {
			var r seriesRow
			if err := rows.Scan(&r.id, &r.property, &r.space, &r.lastAt, &r.last); err != nil {
				return fmt.Errorf("read the list of series: %w", err)
			}
			return each(r)
		}); err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, `SELECT seq, body FROM series_log ORDER BY seq`); err != nil {
			return fmt.Errorf("read the history log: %w", err)
		}
		return scan(rows, func() error {
			var r logRow
			if err := rows.Scan(&r.seq, &r.body); err != nil {
				return fmt.Errorf("read the history log: %w", err)
			}
			return row(r)
		})
	})
}

// scan calls fn for each row and closes rows.
func scan(rows *sql.Rows, fn func() error) error {
	for rows.Next() {
		if err := fn(); err != nil {
			return errors.Join(err, rows.Close())
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

func (s sqlStore) commit(ctx context.Context, c *change) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if c.undo {
			if _, err := tx.Exec(ctx, `DELETE FROM series_log WHERE seq >= $1`, c.seq); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM series WHERE id >= $1`, c.next); err != nil {
				return err
			}
		}
		for _, r := range c.fresh {
			if _, err := tx.Exec(ctx, `INSERT INTO series (id, property, space) VALUES ($1, $2, $3)`, r.id, r.property, r.space); err != nil {
				return fmt.Errorf("add series %s: %w", r.property, err)
			}
		}
		_, err := tx.Exec(ctx, `INSERT INTO series_log (seq, body) VALUES ($1, $2)`, c.seq, c.body)
		return err
	})
	if errors.Is(err, db.ErrUnique) {
		return fmt.Errorf("%w: %w", errTaken, err)
	}
	return err
}

func (s sqlStore) save(ctx context.Context, chunks []chunkRow, lasts []seriesRow) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for i := range chunks {
			c := &chunks[i]
			if _, err := tx.Exec(ctx, `
				INSERT INTO series_chunk (series, start_at, end_at, points, head, body) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (series, start_at) DO UPDATE
				SET end_at = excluded.end_at, points = excluded.points, head = excluded.head, body = excluded.body`,
				c.series, c.start, c.end, c.points, c.head, c.body); err != nil {
				return err
			}
		}
		for _, l := range lasts {
			if _, err := tx.Exec(ctx, `UPDATE series SET last_at = $2, last = $3 WHERE id = $1`, l.id, l.lastAt, l.last); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s sqlStore) carry(ctx context.Context, rows []logRow) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, r := range rows {
			if _, err := tx.Exec(ctx, `
				INSERT INTO series_log (seq, body) VALUES ($1, $2)
				ON CONFLICT (seq) DO UPDATE SET body = excluded.body`, r.seq, r.body); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s sqlStore) cut(ctx context.Context, from, to int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM series_log WHERE seq >= $1 AND seq <= $2`, from, to)
		return err
	})
}

func (s sqlStore) before(ctx context.Context, series, t int64) (c chunkRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c = chunkRow{series: series}
		err := tx.QueryRow(ctx, `
			SELECT start_at, end_at, points, head, body FROM series_chunk
			WHERE series = $1 AND start_at <= $2 ORDER BY start_at DESC LIMIT 1`, series, t).
			Scan(&c.start, &c.end, &c.points, &c.head, &c.body)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return c, err
}

func (s sqlStore) after(ctx context.Context, series, t int64) (start int64, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		start = none
		err := tx.QueryRow(ctx, `
			SELECT start_at FROM series_chunk
			WHERE series = $1 AND start_at > $2 ORDER BY start_at LIMIT 1`, series, t).Scan(&start)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return start, err
}

func (s sqlStore) view(ctx context.Context, fn func(chunks) error) error {
	return s.db.Read(ctx, func(tx *db.Tx) error { return fn(sqlChunks{tx}) })
}

func (s sqlStore) retain(ctx context.Context, series []int64, cutoff []int64, limit int) (n int64, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n = 0
		for i, id := range series {
			left := int64(limit) - n
			if left <= 0 {
				break
			}
			r, err := tx.Exec(ctx, `
				DELETE FROM series_chunk WHERE series = $1 AND end_at < $2 AND start_at <= (
					SELECT MAX(start_at) FROM (
						SELECT start_at FROM series_chunk WHERE series = $1 AND start_at < $2 ORDER BY start_at LIMIT $3
					) AS oldest
				)`, id, cutoff[i], left)
			if err != nil {
				return err
			}
			gone, err := r.RowsAffected()
			if err != nil {
				return err
			}
			n += gone
		}
		return nil
	})
	return n, err
}

func (s sqlStore) drop(ctx context.Context, series []int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, id := range series {
			if _, err := tx.Exec(ctx, `DELETE FROM series WHERE id = $1`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// sqlChunks reads chunks within one transaction.
type sqlChunks struct{ tx *db.Tx }

// The lower bound on start_at lets the primary key find the first chunk that reaches
// into the range: no chunk is longer than chunkSpan.
const (
	chunkColumns = `SELECT start_at, end_at, points, head, body FROM series_chunk
		WHERE series = $1 AND end_at >= $2 AND start_at < $3 AND start_at > $2 - $4`
	headColumns = `SELECT start_at, end_at, points, head FROM series_chunk
		WHERE series = $1 AND end_at >= $2 AND start_at < $3 AND start_at > $2 - $4`

	oldestFirst = ` ORDER BY start_at LIMIT $5`
	newestFirst = ` ORDER BY start_at DESC LIMIT $5`
)

func (s sqlChunks) page(ctx context.Context, q chunkQuery) ([]chunkRow, error) {
	text := headColumns
	if q.bodies {
		text = chunkColumns
	}
	if q.desc {
		text += newestFirst
	} else {
		text += oldestFirst
	}
	rows, err := s.tx.Query(ctx, text, q.series, q.from, q.to, chunkSpan, q.limit)
	if err != nil {
		return nil, err
	}
	var all []chunkRow
	err = scan(rows, func() error {
		c := chunkRow{series: q.series}
		into := []any{&c.start, &c.end, &c.points, &c.head, &c.body}
		if !q.bodies {
			into = into[:4]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		all = append(all, c)
		return nil
	})
	return all, err
}

func (s sqlChunks) body(ctx context.Context, series, start int64) (body []byte, err error) {
	err = s.tx.QueryRow(ctx, `SELECT body FROM series_chunk WHERE series = $1 AND start_at = $2`, series, start).Scan(&body)
	return body, err
}
