package onboard

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
)

// SQL is the Store in the system of record. ring seals what people and boards said under the key of their space.
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

// sealedBoard is what the column sealed of a board holds.
type sealedBoard struct {
	Key    []byte `json:"k"`
	Serial string `json:"s,omitempty"`
	FQBN   string `json:"f"`
}

// sealedOnboarding is what the column sealed of an onboarding holds.
type sealedOnboarding struct {
	HardwareID string `json:"h"`
	Name       string `json:"n,omitempty"`
	BLEMAC     string `json:"b,omitempty"`
	FQBN       string `json:"f"`
}

// Where sealed values stand: nobody can move one to another row or table.
func boardPlace(index []byte) []byte   { return keys.Place("onboard_board", "sealed", string(index)) }
func onboardingPlace(id string) []byte { return keys.Place("onboard", "sealed", id) }

func (s sqlStore) seal(ctx context.Context, space string, v any, place []byte) ([]byte, error) {
	key, err := s.ring.Space(ctx, space)
	if err != nil {
		return nil, fmt.Errorf("key of space %s: %w", space, err)
	}
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return key.Seal(plain, place)
}

func (s sqlStore) open(ctx context.Context, space string, sealed, place []byte, v any) error {
	key, err := s.ring.Space(ctx, space)
	if err != nil {
		return fmt.Errorf("key of space %s: %w", space, err)
	}
	plain, err := key.Open(sealed, place)
	if err != nil {
		return fmt.Errorf("open a row of space %s: %w", space, err)
	}
	return json.Unmarshal(plain, v)
}

const boardColumns = `hardware_index, space, sealed, registered_at, proved_at, token_at, device`

// boardRow is a board as it is stored.
type boardRow struct {
	board
	sealed []byte
}

func scanBoard(from db.Row) (r boardRow, err error) {
	var registered, proved int64
	err = from.Scan(&r.index, &r.space, &r.sealed, &registered, &proved, &r.tokenAt, &r.device)
	if errors.Is(err, sql.ErrNoRows) {
		return r, errNoBoard
	}
	r.registeredAt, r.provedAt = fromMicros(registered), fromMicros(proved)
	return r, err
}

func (s sqlStore) board(ctx context.Context, index []byte) (board, error) {
	var r boardRow
	err := s.db.One(ctx, func(from db.Row) (err error) {
		r, err = scanBoard(from)
		return err
	}, `select `+boardColumns+` from onboard_board where hardware_index = $1`, index)
	if err != nil {
		return board{}, err
	}
	var sealed sealedBoard
	if err := s.open(ctx, r.space, r.sealed, boardPlace(r.index), &sealed); err != nil {
		if errors.Is(err, keys.ErrErased) {
			return board{}, errNoBoard // its space was erased; the row follows
		}
		return board{}, err
	}
	r.key, r.serial, r.fqbn = sealed.Key, sealed.Serial, sealed.FQBN
	return r.board, nil
}

func (s sqlStore) register(ctx context.Context, b board, limit int, e journal.Entry) error {
	sealed, err := s.seal(ctx, b.space, sealedBoard{b.key, b.serial, b.fqbn}, boardPlace(b.index))
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from onboard_board where space = $1 and device = '' and hardware_index <> $2`, b.space, b.index).Scan(&n); err != nil {
			return err
		}
		if n >= limit {
			return ErrTooMany
		}
		if _, err := tx.Exec(ctx, `insert into onboard_board (`+boardColumns+`) values ($1, $2, $3, $4, $5, $6, $7)
			on conflict (hardware_index) do update set space = excluded.space, sealed = excluded.sealed, registered_at = excluded.registered_at,
			proved_at = excluded.proved_at, token_at = excluded.token_at, device = excluded.device`,
			b.index, b.space, sealed, micros(b.registeredAt), micros(b.provedAt), b.tokenAt, b.device); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

const columns = `id, hardware_index, space, owner, sealed, connection_type, locked, token_hash, key_hash, device, made, leaving, claimed_at, provisioned_at, ended_at`

// openRow is the condition of those that are on their way, as the unique index has it.
const openRow = `ended_at = 0 and leaving = false`

func scanRow(from db.Row) (r row, err error) {
	var claimed, provisioned, ended int64
	err = from.Scan(&r.ID, &r.index, &r.Space, &r.Owner, &r.sealed, &r.ConnectionType, &r.Locked, &r.tokenHash, &r.keyHash, &r.Device, &r.made, &r.leaving, &claimed, &provisioned, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	r.ClaimedAt, r.ProvisionedAt, r.EndedAt = fromMicros(claimed), fromMicros(provisioned), fromMicros(ended)
	return r, err
}

// opened adds what is sealed of r.
func (s sqlStore) opened(ctx context.Context, r row) (row, error) {
	var sealed sealedOnboarding
	if err := s.open(ctx, r.Space, r.sealed, onboardingPlace(r.ID), &sealed); err != nil {
		return r, fmt.Errorf("onboarding %s: %w", r.ID, err)
	}
	r.HardwareID, r.Name, r.BLEMAC, r.FQBN = sealed.HardwareID, sealed.Name, sealed.BLEMAC, sealed.FQBN
	return r, nil
}

func (s sqlStore) many(ctx context.Context, text string, args ...any) (all []row, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanRow, text, args...)
		return err
	})
	return all, err
}

// last names no space: the board does not know in which one it was claimed.
func (s sqlStore) last(ctx context.Context, index []byte) (row, error) {
	all, err := s.many(ctx, `select `+columns+` from onboard where hardware_index = $1 and leaving = false order by claimed_at desc, id limit 1`, index)
	if err != nil {
		return row{}, err
	}
	if len(all) == 0 {
		return row{}, ErrNotFound
	}
	r, err := s.opened(ctx, all[0])
	if errors.Is(err, keys.ErrErased) {
		return row{}, ErrNotFound // its space was erased; the row follows
	}
	return r, err
}

func (s sqlStore) get(ctx context.Context, space, id string) (r row, err error) {
	err = s.db.One(ctx, func(from db.Row) error {
		r, err = scanRow(from)
		return err
	}, `select `+columns+` from onboard where space = $1 and id = $2 and leaving = false`, space, id)
	return r, err
}

func (s sqlStore) list(ctx context.Context, space string) ([]row, error) {
	all, err := s.many(ctx, `select `+columns+` from onboard where space = $1 and leaving = false order by claimed_at desc, id limit $2`, space, maxList)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i], err = s.opened(ctx, all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s sqlStore) claim(ctx context.Context, r row, b board, limit int, e func(action, space, id string) journal.Entry) (id string, ended []row, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		id, ended = r.ID, nil
		var tokenAt int64
		if err := tx.QueryRow(ctx, `select token_at from onboard_board where hardware_index = $1`, b.index).Scan(&tokenAt); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return ErrUnknownBoard // it was forgotten meanwhile
			}
			return err
		}
		before, err := db.All(ctx, tx, scanRow, `select `+columns+` from onboard where hardware_index = $1 and `+openRow, b.index)
		if err != nil {
			return err
		}
		var again *row
		for _, o := range before {
			if o.Space == r.Space {
				again = &o
				continue
			}
			ended = append(ended, o)
		}
		switch {
		case again != nil && again.Owner == r.Owner && string(again.tokenHash) == string(r.tokenHash):
			id = again.ID
			return nil // the answer was lost
		case b.tokenAt <= tokenAt:
			return ErrReplayed
		}
		for _, o := range ended {
			if err := s.markLeaving(ctx, tx, o.ID, e("onboarding:drop", o.Space, o.ID)); err != nil {
				return err
			}
		}
		if again != nil {
			id = again.ID
		}
		if r.sealed, err = s.seal(ctx, r.Space, sealedOnboarding{r.HardwareID, r.Name, r.BLEMAC, r.FQBN}, onboardingPlace(id)); err != nil {
			return err
		}
		if again != nil {
			_, err = tx.Exec(ctx, `update onboard set owner = $1, sealed = $2, connection_type = $3, locked = $4, token_hash = $5, key_hash = null,
				claimed_at = $6, provisioned_at = 0 where id = $7`, r.Owner, r.sealed, r.ConnectionType, r.Locked, r.tokenHash, micros(r.ClaimedAt), id)
		} else {
			var n int
			if err := tx.QueryRow(ctx, `select count(*) from onboard where space = $1 and `+openRow, r.Space).Scan(&n); err != nil {
				return err
			}
			if n >= limit {
				return ErrTooMany
			}
			_, err = tx.Exec(ctx, `insert into onboard (`+columns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, null, '', $9, $10, $11, 0, 0)`,
				id, r.index, r.Space, r.Owner, r.sealed, r.ConnectionType, r.Locked, r.tokenHash, false, false, micros(r.ClaimedAt))
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `update onboard_board set proved_at = $1, token_at = $2 where hardware_index = $3`, micros(b.provedAt), b.tokenAt, b.index); err != nil {
			return err
		}
		if b.device == "" && b.space != r.Space {
			// It has no device that its row would have to stay with.
			sealed, err := s.seal(ctx, r.Space, sealedBoard{b.key, b.serial, b.fqbn}, boardPlace(b.index))
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `update onboard_board set space = $1, sealed = $2 where hardware_index = $3`, r.Space, sealed, b.index); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e("onboarding:claim", r.Space, id))
	})
	return id, ended, err
}

func (s sqlStore) markLeaving(ctx context.Context, tx *db.Tx, id string, e journal.Entry) error {
	if _, err := tx.Exec(ctx, `update onboard set leaving = true where id = $1`, id); err != nil {
		return err
	}
	return journal.Record(ctx, tx, e)
}

// change writes what has become of an onboarding that is still open. One that is not is ErrNoClaim.
func (s sqlStore) change(ctx context.Context, r row, e *journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update onboard set key_hash = $1, device = $2, made = $3, provisioned_at = $4, ended_at = $5
			where id = $6 and space = $7 and claimed_at = $8 and `+openRow,
			r.keyHash, r.Device, r.made, micros(r.ProvisionedAt), micros(r.EndedAt), r.ID, r.Space, micros(r.ClaimedAt))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNoClaim)
		}
		if e == nil {
			return nil
		}
		return journal.Record(ctx, tx, *e)
	})
}

func (s sqlStore) moved(ctx context.Context, b board, e *journal.Entry) error {
	sealed, err := s.seal(ctx, b.space, sealedBoard{b.key, b.serial, b.fqbn}, boardPlace(b.index))
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `update onboard_board set space = $1, sealed = $2, device = $3 where hardware_index = $4`, b.space, sealed, b.device, b.index); err != nil {
			return err
		}
		if e == nil {
			return nil
		}
		return journal.Record(ctx, tx, *e)
	})
}

func (s sqlStore) leave(ctx context.Context, id string, late time.Time, e journal.Entry) (r row, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		r, err = scanRow(tx.QueryRow(ctx, `select `+columns+` from onboard where id = $1 and leaving = false`, id))
		if err != nil {
			return err
		}
		if !late.IsZero() && (!r.EndedAt.IsZero() || !r.ClaimedAt.Before(late)) {
			return ErrNotFound // claimed anew, or done, since it was found to be late
		}
		return s.markLeaving(ctx, tx, id, e)
	})
	return r, err
}

func (s sqlStore) remove(ctx context.Context, id string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from onboard where id = $1 and leaving = true`, id)
		return err
	})
}

func (s sqlStore) named(ctx context.Context, device, but string) (is bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.QueryRow(ctx, `select count(*) from onboard where device = $1 and id <> $2`, device, but).Scan(&n)
		is = n > 0
		return err
	})
	return is, err
}

// leaving and late name no space: they are what the start and the sweep see to.
func (s sqlStore) leaving(ctx context.Context) ([]row, error) {
	return s.many(ctx, `select `+columns+` from onboard where leaving = true order by id limit $1`, perSweep)
}

func (s sqlStore) late(ctx context.Context, claimed time.Time) ([]row, error) {
	return s.many(ctx, `select `+columns+` from onboard where claimed_at < $1 and `+openRow+` order by claimed_at limit $2`, micros(claimed), perSweep)
}

func (s sqlStore) forget(ctx context.Context, ended time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from onboard where ended_at <> 0 and ended_at < $1`, micros(ended))
		return err
	})
}

// idle are boards that were registered before a time, and that nobody is bringing in.
func (s sqlStore) idle(ctx context.Context, registered time.Time, after []byte) (all []board, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err := db.All(ctx, tx, scanBoard, `select `+boardColumns+` from onboard_board as b where registered_at < $1 and hardware_index > $2
			and not exists (select 1 from onboard where onboard.hardware_index = b.hardware_index and `+openRow+`) order by hardware_index limit $3`, micros(registered), after, perSweep)
		all = nil
		for _, r := range rows {
			all = append(all, r.board)
		}
		return err
	})
	return all, err
}

// unlearn forgets a board, unless somebody has taken it up since b was read.
func (s sqlStore) unlearn(ctx context.Context, b board) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `delete from onboard_board where hardware_index = $1 and registered_at = $2 and device = $3
			and not exists (select 1 from onboard where onboard.hardware_index = onboard_board.hardware_index and `+openRow+`)`, b.index, micros(b.registeredAt), b.device)
		return err
	})
}

func (s sqlStore) free(ctx context.Context, b board, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from onboard_board where hardware_index = $1`, b.index); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) clear(ctx context.Context, space string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from onboard where space = $1`, space); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `delete from onboard_board where space = $1`, space)
		return err
	})
}
