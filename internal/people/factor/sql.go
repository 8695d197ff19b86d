package factor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL keeps what people have in the core database.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

// missing says ErrNotFound for a row that is not there.
func missing(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// count runs a statement and returns how many rows it changed.
func count(ctx context.Context, tx *db.Tx, text string, args ...any) (int64, error) {
	done, err := tx.Exec(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}

func (s sqlStore) strength(ctx context.Context, user string) (n strength, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		n, err = strengthOf(ctx, tx, user)
		return err
	})
	return n, err
}

func strengthOf(ctx context.Context, tx *db.Tx, user string) (n strength, err error) {
	var totp int
	err = tx.QueryRow(ctx, `
		select (select count(*) from factor_totp where account = $1 and secret is not null),
			(select count(*) from factor_passkey where account = $1),
			(select count(*) from factor_passkey where account = $1 and verified)`, user).Scan(&totp, &n.passkeys, &n.verified)
	n.totp = totp > 0
	return n, err
}

func totpOf(ctx context.Context, tx *db.Tx, user string) (totpRow, error) {
	r := totpRow{account: user}
	err := tx.QueryRow(ctx, `select secret, step, since_at, pending, pending_at from factor_totp where account = $1`, user).
		Scan(&r.secret, &r.step, &r.sinceAt, &r.pending, &r.pendingAt)
	return r, missing(err)
}

func (s sqlStore) totp(ctx context.Context, user string) (r totpRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = totpOf(ctx, tx, user)
		return err
	})
	return r, err
}

func (s sqlStore) beginTOTP(ctx context.Context, r totpRow, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `
			insert into factor_totp (account, step, since_at, pending, pending_at) values ($1, 0, 0, $2, $3)
			on conflict (account) do update set pending = excluded.pending, pending_at = excluded.pending_at`,
			r.account, r.pending, r.pendingAt)
		if err != nil {
			return fmt.Errorf("begin an app of account %s: %w", r.account, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) confirmTOTP(ctx context.Context, r totpRow, pending []byte, sheet []recoveryRow, e journal.Entry) (made bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		made = false
		n, err := count(ctx, tx, `
			update factor_totp set secret = $1, step = $2, since_at = $3, pending = null, pending_at = 0
			where account = $4 and pending = $5`, r.secret, r.step, r.sinceAt, r.account, pending)
		if err != nil {
			return fmt.Errorf("confirm the app of account %s: %w", r.account, err)
		}
		if n == 0 {
			return ErrSetup
		}
		held, err := recoveryOf(ctx, tx, r.account)
		if err != nil {
			return err
		}
		if len(held) == 0 && len(sheet) > 0 {
			made = true
			if err := addRecovery(ctx, tx, sheet); err != nil {
				return err
			}
			e.Detail = map[string]string{"recovery": "made"}
		}
		return journal.Record(ctx, tx, e)
	})
	return made && err == nil, err
}

func (s sqlStore) acceptStep(ctx context.Context, user string, secret []byte, step int64) (ok bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := count(ctx, tx, `update factor_totp set step = $1 where account = $2 and secret = $3 and step < $1`, step, user, secret)
		ok = n == 1
		return err
	})
	return ok && err == nil, err
}

func (s sqlStore) removeTOTP(ctx context.Context, user string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := count(ctx, tx, `delete from factor_totp where account = $1 and secret is not null`, user)
		if err != nil {
			return fmt.Errorf("remove the app of account %s: %w", user, err)
		}
		return removed(ctx, tx, n, user, e)
	})
}

// removed ends the removal of n rows: codes that stand in for nothing go too.
func removed(ctx context.Context, tx *db.Tx, n int64, user string, e journal.Entry) error {
	if n == 0 {
		return ErrNotFound
	}
	left, err := strengthOf(ctx, tx, user)
	if err != nil {
		return err
	}
	if left.level() < TwoSteps {
		if _, err := tx.Exec(ctx, `delete from factor_recovery where account = $1`, user); err != nil {
			return fmt.Errorf("remove the recovery codes of account %s: %w", user, err)
		}
	}
	return journal.Record(ctx, tx, e)
}

const passkeyColumns = `id, account, credential_index, credential, label, verified, backup_eligible, backed_up, uses, created_at, used_at, suspect_at`

func scanPasskey(from db.Row) (r passkeyRow, err error) {
	err = from.Scan(&r.id, &r.account, &r.index, &r.credential, &r.label, &r.verified, &r.backupEligible, &r.backed,
		&r.uses, &r.createdAt, &r.usedAt, &r.suspectAt)
	return r, missing(err)
}

func (s sqlStore) passkeys(ctx context.Context, user string) (all []passkeyRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanPasskey, `select `+passkeyColumns+` from factor_passkey where account = $1 order by created_at, id`, user)
		return err
	})
	return all, err
}

func (s sqlStore) passkeyBy(ctx context.Context, index []byte) (r passkeyRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err = scanPasskey(tx.QueryRow(ctx, `select `+passkeyColumns+` from factor_passkey where credential_index = $1`, index))
		return err
	})
	return r, err
}

func (s sqlStore) handle(ctx context.Context, user string) (handle []byte, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		err := tx.QueryRow(ctx, `select handle from factor_handle where account = $1`, user).Scan(&handle)
		if errors.Is(err, sql.ErrNoRows) {
			handle, err = nil, nil
		}
		return err
	})
	return handle, err
}

// answer uses a challenge up, or says ErrCeremony when it was. It forgets those
// that nobody could answer any more.
func answer(ctx context.Context, tx *db.Tx, a answered) error {
	if _, err := tx.Exec(ctx, `delete from factor_challenge where until_at < $1`, a.answered); err != nil {
		return fmt.Errorf("forget old challenges: %w", err)
	}
	_, err := tx.Exec(ctx, `insert into factor_challenge (hash, until_at) values ($1, $2)`, a.hash, a.until)
	if errors.Is(err, db.ErrUnique) {
		return ErrCeremony
	}
	return err
}

func (s sqlStore) addPasskey(ctx context.Context, add newPasskey, e journal.Entry) error {
	r := add.row
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := answer(ctx, tx, add.answered); err != nil {
			return err
		}
		if add.handle != nil {
			_, err := tx.Exec(ctx, `insert into factor_handle (account, handle) values ($1, $2)`, r.account, add.handle)
			if errors.Is(err, db.ErrUnique) { // another first passkey was faster
				return ErrCeremony
			}
			if err != nil {
				return fmt.Errorf("add the handle of account %s: %w", r.account, err)
			}
		}
		if n, err := strengthOf(ctx, tx, r.account); err != nil {
			return err
		} else if n.passkeys >= maxPasskeys {
			return ErrTooMany
		}
		_, err := tx.Exec(ctx, `insert into factor_passkey (`+passkeyColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			r.id, r.account, r.index, r.credential, r.label, r.verified, r.backupEligible, r.backed, r.uses, r.createdAt, r.usedAt, r.suspectAt)
		if errors.Is(err, db.ErrUnique) {
			return ErrTaken
		}
		if err != nil {
			return fmt.Errorf("add passkey %s: %w", r.id, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) usePasskey(ctx context.Context, use usedPasskey, e journal.Entry) error {
	var cloned bool
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		cloned = false
		if err := answer(ctx, tx, use.answered); err != nil {
			return err
		}
		var before int64
		if err := tx.QueryRow(ctx, `select uses from factor_passkey where id = $1`, use.id).Scan(&before); err != nil {
			return missing(err)
		}
		if cloned = wentBack(before, use.uses); cloned {
			if _, err := tx.Exec(ctx, `update factor_passkey set suspect_at = $1 where id = $2`, use.at, use.id); err != nil {
				return fmt.Errorf("suspect passkey %s: %w", use.id, err)
			}
			return journal.Record(ctx, tx, e)
		}
		_, err := tx.Exec(ctx, `update factor_passkey set uses = $1, backed_up = $2, used_at = $3 where id = $4`, use.uses, use.backed, use.at, use.id)
		return err
	})
	if err == nil && cloned {
		return ErrCloned
	}
	return err
}

func (s sqlStore) renamePasskey(ctx context.Context, r passkeyRow, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := count(ctx, tx, `update factor_passkey set label = $1 where id = $2 and account = $3`, r.label, r.id, r.account)
		if err != nil {
			return fmt.Errorf("rename passkey %s: %w", r.id, err)
		}
		if n == 0 {
			return ErrNotFound
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) removePasskey(ctx context.Context, user, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := count(ctx, tx, `delete from factor_passkey where id = $1 and account = $2`, id, user)
		if err != nil {
			return fmt.Errorf("remove passkey %s: %w", id, err)
		}
		return removed(ctx, tx, n, user, e)
	})
}

func recoveryOf(ctx context.Context, tx *db.Tx, user string) ([]recoveryRow, error) {
	return db.All(ctx, tx, func(from db.Row) (r recoveryRow, err error) {
		err = from.Scan(&r.account, &r.selector, &r.code, &r.sheet, &r.madeAt)
		return r, err
	}, `select account, selector, code, sheet, made_at from factor_recovery where account = $1 order by selector`, user)
}

func (s sqlStore) recovery(ctx context.Context, user string) (all []recoveryRow, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = recoveryOf(ctx, tx, user)
		return err
	})
	return all, err
}

func addRecovery(ctx context.Context, tx *db.Tx, sheet []recoveryRow) error {
	for _, r := range sheet {
		_, err := tx.Exec(ctx, `insert into factor_recovery (account, selector, code, sheet, made_at) values ($1, $2, $3, $4, $5)`,
			r.account, r.selector, r.code, r.sheet, r.madeAt)
		if err != nil {
			return fmt.Errorf("add a recovery code of account %s: %w", r.account, err)
		}
	}
	return nil
}

func (s sqlStore) setRecovery(ctx context.Context, user string, sheet []recoveryRow, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now, err := strengthOf(ctx, tx, user)
		if err != nil {
			return err
		}
		if now.level() < TwoSteps { // the last one was removed meanwhile
			return ErrNone
		}
		if _, err := tx.Exec(ctx, `delete from factor_recovery where account = $1`, user); err != nil {
			return fmt.Errorf("end the recovery codes of account %s: %w", user, err)
		}
		if err := addRecovery(ctx, tx, sheet); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) useRecovery(ctx context.Context, old, next recoveryRow, e journal.Entry) (left int, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		n, err := count(ctx, tx, `update factor_recovery set code = $1, sheet = $2, made_at = $3 where account = $4 and selector = $5 and code = $6`,
			next.code, next.sheet, next.madeAt, old.account, old.selector, old.code)
		if err != nil {
			return fmt.Errorf("use a recovery code of account %s: %w", old.account, err)
		}
		if n == 0 {
			return ErrRecovery
		}
		rows, err := recoveryOf(ctx, tx, old.account)
		if err != nil {
			return err
		}
		left = ofSheet(rows)
		return journal.Record(ctx, tx, e)
	})
	return left, err
}

// forget removes what is a person's. A challenge that they answered names nobody.
func (s sqlStore) forget(ctx context.Context, user string, e journal.Entry) (some bool, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		some = false
		for _, text := range []string{
			`delete from factor_totp where account = $1`,
			`delete from factor_handle where account = $1`,
			`delete from factor_passkey where account = $1`,
			`delete from factor_recovery where account = $1`,
		} {
			n, err := count(ctx, tx, text, user)
			if err != nil {
				return err
			}
			some = some || n > 0
		}
		if !some {
			return nil
		}
		return journal.Record(ctx, tx, e)
	})
	return some, err
}
