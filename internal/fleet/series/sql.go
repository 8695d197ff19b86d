package series

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// SQL keeps history in a database of either engine. It must be the only one that does:
// what it knows of the log it does not read again.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) load(ctx context.Context, each func(seriesRow) error, row func(logRow) error) error {
	return s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT id, property, thing, space, COALESCE(at, 0), value FROM series LEFT JOIN series_last ON series = id ORDER BY id`)
		if err != nil {
			return fmt.Errorf("read the list of series: %w", err)
		}
		if err := scan(rows, func() error {
			var r seriesRow
			if err := rows.Scan(&r.id, &r.property, &r.thing, &r.space, &r.lastAt, &r.last); err != nil {
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
			if c.tap.seq > 0 {
				if _, err := tx.Exec(ctx, `DELETE FROM series_tap WHERE seq >= $1`, c.tap.seq); err != nil {
					return err
				}
			}
		}
		if err := inRows(ctx, tx, len(c.fresh), textSeries, func(list []any, i int) []any {
			return append(list, c.fresh[i].id, c.fresh[i].property, c.fresh[i].thing, c.fresh[i].space)
		}); err != nil {
			return fmt.Errorf("add %d series: %w", len(c.fresh), err)
		}
		if c.tap.body != nil {
			if _, err := tx.Exec(ctx, `INSERT INTO series_tap (seq, body) VALUES ($1, $2)`, c.tap.seq, c.tap.body); err != nil {
				return fmt.Errorf("add the values that are followed: %w", err)
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

// atOnce is how many rows or questions one statement has where there are many, which
// saves round trips to a server. What does not fill one goes alone.
const atOnce = 16

// rowsOf is n lists of parameters: ($1, $2), ($3, $4) for 2 of 2.
func rowsOf(n, params int) string {
	rows := make([]string, n)
	for i := range rows {
		list := make([]string, params)
		for j := range list {
			list[j] = "$" + strconv.Itoa(i*params+j+1)
		}
		rows[i] = "(" + strings.Join(list, ", ") + ")"
	}
	return strings.Join(rows, ", ")
}

func saveChunks(n int) string {
	return `INSERT INTO series_chunk (series, start_at, end_at, points, head, body) VALUES ` + rowsOf(n, 6) + `
		ON CONFLICT (series, start_at) DO UPDATE
		SET end_at = excluded.end_at, points = excluded.points, head = excluded.head, body = excluded.body`
}

func saveLasts(n int) string {
	return `INSERT INTO series_last (series, at, value) VALUES ` + rowsOf(n, 3) + `
		ON CONFLICT (series) DO UPDATE SET at = excluded.at, value = excluded.value`
}

func addSeries(n int) string {
	return `INSERT INTO series (id, property, thing, space) VALUES ` + rowsOf(n, 4)
}

// The texts that are used, by the number of rows.
var (
	textChunks = map[int]string{1: saveChunks(1), atOnce: saveChunks(atOnce)}
	textLasts  = map[int]string{1: saveLasts(1), atOnce: saveLasts(atOnce)}
	textSeries = map[int]string{1: addSeries(1), atOnce: addSeries(atOnce)}
	textNewest = newest(atOnce)
)

// inRows runs a statement for n rows, as many of them at once as there is a text for.
func inRows(ctx context.Context, tx *db.Tx, n int, texts map[int]string, args func(list []any, i int) []any) error {
	var list []any
	for i := 0; i < n; {
		step := 1
		if n-i >= atOnce {
			step = atOnce
		}
		list = list[:0]
		for j := range step {
			list = args(list, i+j)
		}
		if _, err := tx.Exec(ctx, texts[step], list...); err != nil {
			return err
		}
		i += step
	}
	return nil
}

func (s sqlStore) save(ctx context.Context, chunks []chunkRow, lasts []seriesRow) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := inRows(ctx, tx, len(chunks), textChunks, func(list []any, i int) []any {
			c := &chunks[i]
			return append(list, c.series, c.start, c.end, c.points, c.head, c.body)
		}); err != nil {
			return err
		}
		return inRows(ctx, tx, len(lasts), textLasts, func(list []any, i int) []any {
			return append(list, lasts[i].id, lasts[i].lastAt, lasts[i].last)
		})
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
			if _, err := tx.Exec(ctx, `DELETE FROM series_last WHERE series = $1`, id); err != nil {
				return err
			}
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

func (s sqlChunks) before(ctx context.Context, series, t int64) (chunkRow, error) {
	c := chunkRow{series: series}
	err := s.tx.QueryRow(ctx, `
		SELECT start_at, end_at, points, head, body FROM series_chunk
		WHERE series = $1 AND start_at <= $2 ORDER BY start_at DESC LIMIT 1`, series, t).
		Scan(&c.start, &c.end, &c.points, &c.head, &c.body)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	return c, err
}

func (s sqlChunks) after(ctx context.Context, series, t int64) (int64, error) {
	start := none
	err := s.tx.QueryRow(ctx, `
		SELECT start_at FROM series_chunk
		WHERE series = $1 AND start_at > $2 ORDER BY start_at LIMIT 1`, series, t).Scan(&start)
	if errors.Is(err, sql.ErrNoRows) {
		return none, nil
	}
	return start, err
}

// newest is the text that asks for the newest chunk of n series.
func newest(n int) string {
	parts := make([]string, n)
	for i := range parts {
		p := strconv.Itoa(i + 1)
		parts[i] = `SELECT series, start_at, end_at, points, body FROM (
			SELECT series, start_at, end_at, points, body FROM series_chunk
			WHERE series = $` + p + ` ORDER BY start_at DESC LIMIT 1) AS newest_` + p
	}
	return strings.Join(parts, " UNION ALL ")
}

func (s sqlChunks) newest(ctx context.Context, series []int64, each func(chunkRow)) error {
	for len(series) > 0 {
		var ids [atOnce]any
		n := min(atOnce, len(series))
		for i := range ids {
			ids[i] = int64(0) // of no series
			if i < n {
				ids[i] = series[i]
			}
		}
		series = series[n:]
		rows, err := s.tx.Query(ctx, textNewest, ids[:]...)
		if err != nil {
			return err
		}
		if err := scan(rows, func() error {
			var c chunkRow
			if err := rows.Scan(&c.series, &c.start, &c.end, &c.points, &c.body); err != nil {
				return err
			}
			each(c)
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
