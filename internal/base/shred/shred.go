package shred

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// Every is how long intents gather: so long after something was erased its key may still be there.
const Every = time.Minute

// atOnce is how many keys are destroyed at once.
const atOnce = 10_000

// Intend remembers that the key of id, of a kind of the key ring, is to be destroyed. It is repeatable.
// space is where it was, for the journal.
func Intend(ctx context.Context, tx *db.Tx, kind, id, space string, at time.Time) error {
	if _, err := tx.Exec(ctx, `insert into shred (kind, id, space, at) values ($1, $2, $3, $4) on conflict (kind, id) do nothing`,
		kind, id, space, at.UnixMicro()); err != nil {
		return fmt.Errorf("intend to destroy the key of %s %s: %w", kind, id, err)
	}
	return nil
}

// Intended says whether the key of id is still to be destroyed: until then, and ever after, nobody may
// have that id again.
func Intended(ctx context.Context, tx *db.Tx, kind, id string) (bool, error) {
	var n int
	if err := tx.QueryRow(ctx, `select count(*) from shred where kind = $1 and id = $2`, kind, id).Scan(&n); err != nil {
		return false, fmt.Errorf("look whether the key of %s %s is to be destroyed: %w", kind, id, err)
	}
	return n > 0, nil
}

// Needs are what a Shredder is made of; all must be there.
type Needs struct {
	DB *db.DB // with the table of intents and the journal
	// Erase destroys the keys of one kind: keys.Ring.Erase.
	Erase func(ctx context.Context, kind string, ids ...string) error
	Actor string // who does it, as the journal names actors
	Now   func() time.Time
	Log   *slog.Logger
}

// A Shredder destroys keys. All methods may be called from any goroutine.
type Shredder struct{ needs Needs }

// New checks needs.
func New(needs Needs) (*Shredder, error) {
	if needs.DB == nil || needs.Erase == nil || needs.Actor == "" || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("a shredder needs DB, Erase, Actor, Now and Log")
	}
	return &Shredder{needs}, nil
}

// Run is All at once and then Every so often, until ctx ends. A failure is logged and tried again.
func (s *Shredder) Run(ctx context.Context) error {
	tick := time.NewTicker(Every)
	defer tick.Stop()
	for {
		if n, err := s.All(ctx); err != nil && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "keys of what was erased are still there; trying again", "err", err, "after", Every)
		} else if n > 0 {
			s.needs.Log.InfoContext(ctx, "keys of what was erased are destroyed", "keys", n)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// All destroys all keys that are intended to be, and says how many there were.
func (s *Shredder) All(ctx context.Context) (n int, err error) {
	for {
		some, err := s.intents(ctx)
		if err != nil {
			return n, fmt.Errorf("read which keys are to be destroyed: %w", err)
		}
		if len(some) == 0 {
			return n, nil
		}
		ids := make([]string, len(some))
		for i, one := range some {
			ids[i] = one.id
		}
		// 1. The keys of one kind.
		if err := s.needs.Erase(ctx, some[0].kind, ids...); err != nil {
			return n, err
		}
		// 2. The proofs, for the intents.
		if err := s.prove(ctx, some); err != nil {
			return n, fmt.Errorf("prove that %d keys are destroyed: %w", len(some), err)
		}
		n += len(some)
	}
}

// An intent is one row of the table.
type intent struct{ kind, id, space string }

// intents reads some of one kind.
func (s *Shredder) intents(ctx context.Context) (some []intent, err error) {
	err = s.needs.DB.Read(ctx, func(tx *db.Tx) error {
		some, err = db.All(ctx, tx, func(from db.Row) (one intent, err error) {
			err = from.Scan(&one.kind, &one.id, &one.space)
			return one, err
		}, `select kind, id, space from shred where kind = (select min(kind) from shred) order by at, id limit $1`, atOnce)
		return err
	})
	return some, err
}

func (s *Shredder) prove(ctx context.Context, some []intent) error {
	at := s.needs.Now()
	return s.needs.DB.Write(ctx, func(tx *db.Tx) error {
		for _, one := range some {
			r, err := tx.Exec(ctx, `delete from shred where kind = $1 and id = $2`, one.kind, one.id)
			if err != nil {
				return err
			}
			n, err := r.RowsAffected()
			if err == nil && n > 0 { // else another process was faster
				err = journal.Record(ctx, tx, journal.Entry{
					At: at, Actor: s.needs.Actor, Space: one.space, Action: "key:destroyed", Resource: one.kind, ID: one.id,
				})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}
