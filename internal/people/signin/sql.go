package signin

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps sessions in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

func (s sqlStore) addFlow(ctx context.Context, r flowRow) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into signin_flow (hash, step, state, expires_at) values ($1, $2, $3, $4)`, r.hash, r.step, r.state, r.expires)
		return err
	})
}

func (s sqlStore) flow(ctx context.Context, hash []byte) (r flowRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select hash, step, state, expires_at from signin_flow where hash = $1`, hash).Scan(&r.hash, &r.step, &r.state, &r.expires)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrFlow
		}
		return err
	})
	return r, err
}

func (s sqlStore) stepFlow(ctx context.Context, r flowRow) error {
	return s.one(ctx, ErrStep, `update signin_flow set step = $1, state = $2 where hash = $3 and step = $4`, r.step, r.state, r.hash, r.step-1)
}

func (s sqlStore) endFlow(ctx context.Context, hash []byte, step int64) error {
	return s.one(ctx, ErrStep, `delete from signin_flow where hash = $1 and step = $2`, hash, step)
}

// one runs a statement that must change one row; none says that it did not.
func (s sqlStore) one(ctx context.Context, none error, text string, args ...any) error {
	return s.db.Write(ctx, func(tx *db.Tx) error { return one(ctx, tx, none, text, args...) })
}

func one(ctx context.Context, tx *db.Tx, none error, text string, args ...any) error {
	done, err := tx.Exec(ctx, text, args...)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(none, err)
	}
	return nil
}

const columns = `id, account, hash, epoch, made_at, used_at, proved_at, ends_at, idle, methods, sealed`

func scanSession(from db.Row) (r sessionRow, err error) {
	err = from.Scan(&r.id, &r.account, &r.hash, &r.epoch, &r.made, &r.used, &r.proved, &r.ends, &r.idle, &r.methods, &r.sealed)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrSession
	}
	return r, err
}

func (s sqlStore) addSession(ctx context.Context, r sessionRow, many int, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into signin_session (`+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			r.id, r.account, r.hash, r.epoch, r.made, r.used, r.proved, r.ends, r.idle, r.methods, r.sealed)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from signin_session where account = $1 and made_at < (
				select min(made_at) from (select made_at from signin_session where account = $1 order by made_at desc limit $2) as newest)`, r.account, many)
		if err != nil {
			return fmt.Errorf("end the oldest sessions: %w", err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) session(ctx context.Context, hash []byte) (r sessionRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanSession(tx.QueryRow(ctx, `select `+columns+` from signin_session where hash = $1`, hash))
		return err
	})
	return r, err
}

func (s sqlStore) sessionByID(ctx context.Context, id string) (r sessionRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanSession(tx.QueryRow(ctx, `select `+columns+` from signin_session where id = $1`, id))
		return err
	})
	return r, err
}

func (s sqlStore) sessionsOf(ctx context.Context, account string) (all []sessionRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanSession, `select `+columns+` from signin_session where account = $1 order by made_at desc, id`, account)
		return err
	})
	return all, err
}

func (s sqlStore) touch(ctx context.Context, id string, at int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `update signin_session set used_at = $1 where id = $2 and used_at < $1`, at, id)
		return err
	})
}

func (s sqlStore) renew(ctx context.Context, r sessionRow, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		err := one(ctx, tx, ErrSession, `update signin_session set hash = $1, epoch = $2, used_at = $3, proved_at = $4, methods = $5 where id = $6`,
			r.hash, r.epoch, r.used, r.proved, r.methods, r.id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from signin_app where session = $1`, r.id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) endSession(ctx context.Context, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := one(ctx, tx, ErrSession, `delete from signin_session where id = $1`, id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) endOthers(ctx context.Context, account, but string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from signin_session where account = $1 and id <> $2`, account, but); err != nil {
			return fmt.Errorf("end sessions of account %s: %w", account, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) addHand(ctx context.Context, r handRow, now int64, many int) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into signin_app (hash, session, browser, expires_at) values ($1, $2, $3, $4)`, r.hash, r.session, r.browser, r.expires)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `delete from signin_app where session = $1 and expires_at <> 0 and (expires_at <= $2 or
				hash not in (select hash from signin_app where session = $1 and expires_at <> 0 order by expires_at desc, hash limit $3))`, r.session, now, many)
		return err
	})
}

func (s sqlStore) takeHand(ctx context.Context, r handRow, cookie []byte) (taken sessionRow, err error) {
	good := false
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		there := handRow{}
		err := tx.QueryRow(ctx, `delete from signin_app where hash = $1 and expires_at <> 0 returning session, browser, expires_at`, r.hash).Scan(&there.session, &there.browser, &there.expires)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if good = bytes.Equal(there.browser, r.browser) && there.expires > r.expires; !good {
			return nil
		}
		if taken, err = scanSession(tx.QueryRow(ctx, `select `+columns+` from signin_session where id = $1`, there.session)); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `delete from signin_app where session = $1 and expires_at = 0`, there.session); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into signin_app (hash, session, browser, expires_at) values ($1, $2, $3, 0)`, cookie, there.session, []byte{})
		return err
	})
	if errors.Is(err, ErrSession) || err == nil && !good {
		err = ErrHand
	}
	return taken, err
}

func (s sqlStore) appSession(ctx context.Context, hash []byte) (r sessionRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanSession(tx.QueryRow(ctx, `select `+columns+` from signin_session where id = (select session from signin_app where hash = $1 and expires_at = 0)`, hash))
		return err
	})
	return r, err
}

func (s sqlStore) known(ctx context.Context, hash []byte, account string) (known bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var n int
		err := tx.QueryRow(ctx, `select count(1) from signin_device where hash = $1 and account = $2`, hash, account).Scan(&n)
		known = n > 0
		return err
	})
	return known, err
}

func (s sqlStore) met(ctx context.Context, hash []byte) (met bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var n int
		err := tx.QueryRow(ctx, `select count(1) from signin_device where hash = $1`, hash).Scan(&n)
		met = n > 0
		return err
	})
	return met, err
}

func (s sqlStore) meet(ctx context.Context, hash []byte, account string, at int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into signin_device (hash, account, first_at, last_at) values ($1, $2, $3, $3)
			on conflict (hash, account) do update set last_at = excluded.last_at`, hash, account, at)
		if err != nil {
			return fmt.Errorf("remember a browser of account %s: %w", account, err)
		}
		return nil
	})
}

func (s sqlStore) sweep(ctx context.Context, now, devices int64) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, q := range []struct {
			text string
			at   int64
		}{
			{`delete from signin_flow where expires_at <= $1`, now},
			{`delete from signin_session where ends_at <= $1 or used_at + idle <= $1`, now},
			{`delete from signin_app where expires_at <= $1 and (expires_at <> 0 or not exists (select 1 from signin_session where id = session))`, now},
			{`delete from signin_device where last_at <= $1`, devices},
		} {
			if _, err := tx.Exec(ctx, q.text, q.at); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s sqlStore) forget(ctx context.Context, account string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{`delete from signin_session where account = $1`, `delete from signin_device where account = $1`} {
			if _, err := tx.Exec(ctx, text, account); err != nil {
				return fmt.Errorf("forget account %s: %w", account, err)
			}
		}
		return nil
	})
}

func (s sqlStore) forgetDevices(ctx context.Context, account string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from signin_device where account = $1`, account); err != nil {
			return fmt.Errorf("forget browsers of account %s: %w", account, err)
		}
		return journal.Record(ctx, tx, e)
	})
}
