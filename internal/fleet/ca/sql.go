package ca

import (
	"context"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// SQL is the Store in the system of record.
func SQL(d *db.DB) Store { return sqlStore{d} }

type sqlStore struct{ db *db.DB }

const generationColumns = `number, state, key_name, certificate, created_at, accept_old_until, accepted_until`

func (s sqlStore) generations(ctx context.Context) (all []Generation, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanGeneration, `select `+generationColumns+` from ca_generation order by number`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the generations of the device CA: %w", err)
	}
	return all, nil
}

func scanGeneration(from db.Row) (Generation, error) {
	var (
		g                Generation
		der              []byte
		created, old     int64
		until            sql.NullInt64
		number           int64
		phase, certError = "", error(nil)
	)
	if err := from.Scan(&number, &phase, &g.KeyName, &der, &created, &old, &until); err != nil {
		return g, err
	}
	g.Number, g.Phase = int(number), Phase(phase)
	g.CreatedAt, g.AcceptOldUntil = micro(created), micro(old)
	if until.Valid {
		g.AcceptedUntil = micro(until.Int64)
	}
	if der != nil {
		if g.Certificate, certError = x509.ParseCertificate(der); certError != nil {
			return g, fmt.Errorf("root certificate of generation %d: %w", number, certError)
		}
	}
	return g, nil
}

func (s sqlStore) plan(ctx context.Context, g Generation, e journal.Entry) error {
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		var planned int64
		if err := tx.QueryRow(ctx, `select count(*) from ca_generation where state = $1`, string(Planned)).Scan(&planned); err != nil {
			return err
		}
		if planned > 0 {
			return ErrRotating
		}
		if _, err := tx.Exec(ctx, `insert into ca_generation (number, state, key_name, created_at, accept_old_until)
			values ($1, $2, $3, $4, $5)`,
			g.Number, string(Planned), g.KeyName, g.CreatedAt.UnixMicro(), g.AcceptOldUntil.UnixMicro()); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	if errors.Is(err, db.ErrUnique) {
		return ErrRotating
	}
	return err
}

func (s sqlStore) activate(ctx context.Context, g Generation, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.Exec(ctx, `update ca_generation set state = $1, certificate = $2, key_id = $3 where number = $4 and state = $5`,
			string(Active), g.Certificate.Raw, g.Certificate.SubjectKeyId, g.Number, string(Planned))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(ErrInterrupted, err) // another process has brought it to its end
		}
		if _, err := tx.Exec(ctx, `update ca_generation set state = $1,
			accepted_until = case when accepted_until is null or accepted_until > $2 then $2 else accepted_until end
			where number < $3`, string(Replaced), g.AcceptOldUntil.UnixMicro(), g.Number); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) accept(ctx context.Context, number int, until time.Time, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.Exec(ctx, `update ca_generation set accepted_until = $1 where number = $2 and state = $3`,
			until.UnixMicro(), number, string(Replaced))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(ErrGeneration, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) counts(ctx context.Context, at time.Time) (map[int]count, error) {
	all := make(map[int]count)
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		clear(all)
		return db.Each(ctx, tx, func(r db.Row) error {
			var number int64
			var c count
			if err := r.Scan(&number, &c.certificates, &c.devices); err != nil {
				return err
			}
			all[int(number)] = c
			return nil
		}, `select generation, count(*), count(distinct device) from ca_certificate
			where state = $1 and enabled and not_after > $2 group by generation`, string(Issued), at.UnixMicro())
	})
	return all, err
}

const certificateColumns = `id, space, device, generation, ca, state, enabled, serial, key_hash, der,
	not_before, not_after, issued_at, revoked_at, reason`

func scanCertificate(from db.Row) (Certificate, error) {
	var (
		c                        Certificate
		generation               int64
		state, reason            string
		serial, keyHash          []byte
		notBefore, notAfter, was int64
		revoked                  sql.NullInt64
	)
	err := from.Scan(&c.ID, &c.Space, &c.Device, &generation, &c.CA, &state, &c.Enabled, &serial, &keyHash, &c.DER,
		&notBefore, &notAfter, &was, &revoked, &reason)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, err
	}
	if len(serial) != len(c.Serial) || len(keyHash) != len(c.KeyHash) {
		return c, fmt.Errorf("certificate %s has a serial of %d and a key hash of %d bytes", c.ID, len(serial), len(keyHash))
	}
	copy(c.Serial[:], serial)
	copy(c.KeyHash[:], keyHash)
	c.Generation, c.State, c.Reason = int(generation), State(state), Reason(reason)
	c.NotBefore, c.NotAfter, c.IssuedAt = micro(notBefore), micro(notAfter), micro(was)
	if revoked.Valid {
		c.RevokedAt = micro(revoked.Int64)
	}
	return c, nil
}

func micro(t int64) time.Time { return time.UnixMicro(t).UTC() }

func (s sqlStore) bySerial(ctx context.Context, serial [16]byte) (Certificate, error) {
	return s.one(ctx, `select `+certificateColumns+` from ca_certificate where serial = $1`, serial[:])
}

func (s sqlStore) get(ctx context.Context, space, device, id string) (Certificate, error) {
	return s.one(ctx, `select `+certificateColumns+` from ca_certificate where space = $1 and device = $2 and id = $3`, space, device, id)
}

func (s sqlStore) one(ctx context.Context, text string, args ...any) (c Certificate, err error) {
	err = s.db.One(ctx, func(from db.Row) error {
		c, err = scanCertificate(from)
		return err
	}, text, args...)
	return c, err
}

// list finds by the device: with a plain column SQLite would read all certificates of the space.
func (s sqlStore) list(ctx context.Context, space, device string) ([]Certificate, error) {
	return s.query(ctx, `select `+certificateColumns+` from ca_certificate
		where space || '' = $1 and device = $2 order by issued_at, id`, space, device)
}

func (s sqlStore) pending(ctx context.Context) ([]Certificate, error) {
	return s.query(ctx, `select `+certificateColumns+` from ca_certificate where state = $1`, string(Pending))
}

func (s sqlStore) query(ctx context.Context, text string, args ...any) (all []Certificate, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanCertificate, text, args...)
		return err
	})
	return all, err
}

func (s sqlStore) known(ctx context.Context, device string) (bool, error) {
	var n int64
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		return tx.QueryRow(ctx, `select count(*) from ca_certificate where device = $1`, device).Scan(&n)
	})
	return n > 0, err
}

func (s sqlStore) issuers(ctx context.Context, space string, devices []string, at time.Time) (map[string]string, error) {
	if len(devices) <= fewDevices {
		return s.issuersOf(ctx, space, devices, at)
	}
	all := make(map[string]string)
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		clear(all)
		return db.Each(ctx, tx, func(r db.Row) error {
			var device, ca string
			if err := r.Scan(&device, &ca); err != nil {
				return err
			}
			all[device] = ca // the newest one wins
			return nil
		}, `select device, ca from ca_certificate
			where space = $1 and state = $2 and enabled and not_after > $3 order by issued_at`, space, string(Issued), at.UnixMicro())
	})
	return all, err
}

// fewDevices is up to how many devices are asked about one by one. Who asks for more
// lists a space, of which one statement tells all.
const fewDevices = 8

// issuersOf reads what the index by device finds and nothing else, so that what is
// answered about one device costs the same in a space of ten thousand.
func (s sqlStore) issuersOf(ctx context.Context, space string, devices []string, at time.Time) (map[string]string, error) {
	all := make(map[string]string)
	err := s.db.Read(ctx, func(tx *db.Tx) error {
		clear(all)
		for _, id := range devices {
			certificates, err := db.All(ctx, tx, scanCertificate, `select `+certificateColumns+` from ca_certificate where device = $1`, id)
			if err != nil {
				return err
			}
			newest := time.Time{}
			for _, c := range certificates {
				if c.Space == space && c.State == Issued && c.Enabled && c.NotAfter.After(at) && !c.IssuedAt.Before(newest) {
					all[id], newest = c.CA, c.IssuedAt
				}
			}
		}
		return nil
	})
	return all, err
}

// begin runs the checks that need the whole table and the insert in one
// transaction, so that two requests at a time cannot both pass.
func (s sqlStore) begin(ctx context.Context, c Certificate, l Limits, e journal.Entry) (existing Certificate, found bool, err error) {
	at := c.IssuedAt.UnixMicro()
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		existing, found = Certificate{}, false
		var active int64
		if err := tx.QueryRow(ctx, `select count(*) from ca_generation where number = $1 and state = $2`, c.Generation, string(Active)).Scan(&active); err != nil {
			return err
		}
		if active == 0 {
			return errStale
		}
		others, err := db.All(ctx, tx, scanCertificate, `select `+certificateColumns+` from ca_certificate where key_hash = $1`, c.KeyHash[:])
		if err != nil {
			return err
		}
		for _, o := range others {
			switch {
			case o.Reason == KeyCompromise:
				return ErrKeyTaken
			case o.Device != c.Device && (o.State == Issued || o.State == Pending) && o.NotAfter.After(c.IssuedAt):
				return ErrKeyTaken
			case o.Device == c.Device && o.Space == c.Space && o.State == Issued && o.Generation == c.Generation &&
				o.Enabled == c.Enabled && o.NotAfter.After(c.IssuedAt):
				existing, found = o, true
			}
		}
		if found {
			return nil
		}
		var live, today int64
		if err := tx.QueryRow(ctx, `select count(*) from ca_certificate where device = $1 and not_after > $2 and (state = $3 or state = $4)`,
			c.Device, at, string(Issued), string(Pending)).Scan(&live); err != nil {
			return err
		}
		if live >= int64(l.PerDevice) {
			return ErrQuota.With(fmt.Sprintf("A device has at most %d live certificates. Revoke some first.", l.PerDevice))
		}
		if err := tx.QueryRow(ctx, `select count(*) from ca_certificate where space = $1 and issued_at > $2`,
			c.Space, c.IssuedAt.Add(-24*time.Hour).UnixMicro()).Scan(&today); err != nil {
			return err
		}
		if today >= int64(l.PerSpaceDay) {
			return ErrQuota.With(fmt.Sprintf("A space gets at most %d certificates in 24 hours. Ask again later.", l.PerSpaceDay)).After(time.Hour)
		}
		if _, err := tx.Exec(ctx, `insert into ca_certificate (id, space, device, generation, ca, state, enabled, serial, key_hash,
			not_before, not_after, issued_at, reason) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '')`,
			c.ID, c.Space, c.Device, c.Generation, c.CA, string(Pending), c.Enabled, c.Serial[:], c.KeyHash[:],
			c.NotBefore.UnixMicro(), c.NotAfter.UnixMicro(), at); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return existing, found, err
}

func (s sqlStore) finish(ctx context.Context, c Certificate) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.Exec(ctx, `update ca_certificate set state = $1, der = $2, not_before = $3, not_after = $4 where id = $5 and state = $6`,
			string(Issued), c.DER, c.NotBefore.UnixMicro(), c.NotAfter.UnixMicro(), c.ID, string(Pending))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(ErrInterrupted, err)
		}
		return nil
	})
}

func (s sqlStore) abandon(ctx context.Context, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.Exec(ctx, `update ca_certificate set state = $1 where id = $2 and state = $3`, string(Abandoned), id, string(Pending))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) revoke(ctx context.Context, ids []string, at time.Time, reason Reason, e func(id string) journal.Entry) (changed []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		changed = nil
		for _, id := range ids {
			// What was revoked stays so; only the worst reason replaces another.
			r, err := tx.Exec(ctx, `update ca_certificate set state = $1,
				revoked_at = case when state = $1 then revoked_at else $2 end, reason = $3
				where id = $4 and (state = $5 or (state = $1 and $3 = $6 and reason <> $6))`,
				string(Revoked), at.UnixMicro(), string(reason), id, string(Issued), string(KeyCompromise))
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			changed = append(changed, id)
			if err := journal.Record(ctx, tx, e(id)); err != nil {
				return err
			}
		}
		return nil
	})
	return changed, err
}

func (s sqlStore) update(ctx context.Context, c Certificate, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		r, err := tx.Exec(ctx, `update ca_certificate set enabled = $1, ca = $2 where id = $3 and space = $4 and state = $5`,
			c.Enabled, c.CA, c.ID, c.Space, string(Issued))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n != 1 {
			return errors.Join(ErrNotFound, err)
		}
		return journal.Record(ctx, tx, e)
	})
}
