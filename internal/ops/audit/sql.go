package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps what the database remembers of the log in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) memory(ctx context.Context) (m memory, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var size int64
		err := tx.QueryRow(ctx, `select indexed, size, root from audit where id = 1`).Scan(&m.indexed, &size, &m.root)
		m.size = uint64(size)
		if errors.Is(err, sql.ErrNoRows) {
			m = memory{}
			return nil
		}
		return err
	})
	return m, err
}

func (s sqlStore) remember(ctx context.Context, size uint64, root []byte, at time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return remember(ctx, tx, size, root, at) })
}

func remember(ctx context.Context, tx *db.Tx, size uint64, root []byte, at time.Time) error {
	_, err := tx.Exec(ctx, `insert into audit (id, indexed, size, root, at) values (1, 0, $1, $2, $3)
		on conflict (id) do update set size = excluded.size, root = excluded.root, at = excluded.at`, int64(size), root, at.UnixMicro())
	return err
}

func (s sqlStore) note(ctx context.Context, size uint64, root []byte, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := remember(ctx, tx, size, root, e.At); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) record(ctx context.Context, all []journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, e := range all {
			if err := journal.Record(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s sqlStore) index(ctx context.Context, upTo int64, all []concern, at time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, c := range all {
			if _, err := tx.Exec(ctx, `insert into audit_person (person, number, action) values ($1, $2, $3)
				on conflict (person, number) do nothing`, c.person, c.number, c.action); err != nil {
				return fmt.Errorf("note that entry %d concerns somebody: %w", c.number, err)
			}
		}
		_, err := tx.Exec(ctx, `insert into audit (id, indexed, size, root, at) values (1, $1, 0, $2, $3)
			on conflict (id) do update set indexed = excluded.indexed`, upTo, []byte{}, at.UnixMicro())
		return err
	})
}

func (s sqlStore) forget(ctx context.Context, after int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from audit_person where number > $1`, after); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update audit set indexed = $1 where id = 1 and indexed > $1`, after)
		return err
	})
}

func (s sqlStore) of(ctx context.Context, person, action string, before int64, limit int) (numbers []int64, err error) {
	text, args := `select number from audit_person where person = $1 and number < $2`, []any{person, before}
	if action != "" {
		text, args = text+` and action = $3`, append(args, action)
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		numbers, err = db.Column[int64](ctx, tx, text+` order by number desc limit $`+strconv.Itoa(len(args)+1), append(args, limit)...)
		return err
	})
	return numbers, err
}
