package trigger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// peopleStore is what this room keeps of people.
type peopleStore interface {
	// muted are the people who want no more of a trigger.
	muted(ctx context.Context, trigger string) (map[string]bool, error)
	// mute says that somebody wants no more of a trigger, or does again with back. ErrNotFound when there is none.
	mute(ctx context.Context, trigger, user string, at int64, back bool, entry func(space string) journal.Entry) error
	// browsers are the ids of somebody's subscriptions.
	browsers(ctx context.Context, user string) ([]string, error)
	// subscription finds one; ErrNoBrowser.
	subscription(ctx context.Context, id string) (Browser, error)
	// subscriptions are all of somebody.
	subscriptions(ctx context.Context, user string) ([]Browser, error)
	// subscribe adds one, in the place of one with the same address, whoever's that was.
	subscribe(ctx context.Context, b Browser, mac []byte, most int, e journal.Entry) error
	// unsubscribe removes one; ErrNoBrowser.
	unsubscribe(ctx context.Context, user, id string, e journal.Entry) error
	// forgetPerson removes all that is of somebody.
	forgetPerson(ctx context.Context, user string, e journal.Entry) error
	// eraseSpace removes all that is of a space.
	eraseSpace(ctx context.Context, space string, e journal.Entry) error
}

func (s sqlStore) muted(ctx context.Context, trigger string) (all map[string]bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all = map[string]bool{}
		users, err := db.Column[string](ctx, tx, `select account from trigger_mute where trigger = $1`, trigger)
		for _, u := range users {
			all[u] = true
		}
		return err
	})
	return all, err
}

func (s sqlStore) mute(ctx context.Context, trigger, user string, at int64, back bool, entry func(space string) journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		var space string
		err := tx.QueryRow(ctx, `select space from trigger where id = $1`, trigger).Scan(&space)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		text, args := `insert into trigger_mute (trigger, account, at) values ($1, $2, $3) on conflict (trigger, account) do nothing`, []any{trigger, user, at}
		if back {
			text, args = `delete from trigger_mute where trigger = $1 and account = $2`, []any{trigger, user}
		}
		done, err := tx.Exec(ctx, text, args...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return err // it was so before
		}
		return journal.Record(ctx, tx, entry(space))
	})
}

func (s sqlStore) browsers(ctx context.Context, user string) (ids []string, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		ids, err = db.Column[string](ctx, tx, `select id from trigger_push where account = $1 order by created_at, id`, user)
		return err
	})
	return ids, err
}

// sealedBrowser is what is sealed of a subscription.
type sealedBrowser struct {
	Endpoint string `json:"endpoint"`
	P256DH   []byte `json:"p256dh"`
	Auth     []byte `json:"auth"`
	Name     string `json:"name,omitempty"`
}

func (s sqlStore) subscription(ctx context.Context, id string) (Browser, error) {
	all, err := s.readBrowsers(ctx, `id = $1`, id)
	if err != nil {
		return Browser{}, err
	}
	if len(all) == 0 {
		return Browser{}, ErrNoBrowser
	}
	return all[0], nil
}

func (s sqlStore) subscriptions(ctx context.Context, user string) ([]Browser, error) {
	return s.readBrowsers(ctx, `account = $1`, user)
}

func (s sqlStore) readBrowsers(ctx context.Context, where string, args ...any) (all []Browser, err error) {
	type row struct {
		Browser
		sealed  []byte
		created int64
	}
	var rows []row
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		rows, err = db.All(ctx, tx, func(from db.Row) (r row, err error) {
			err = from.Scan(&r.ID, &r.User, &r.sealed, &r.created)
			return r, err
		}, `select id, account, sealed, created_at from trigger_push where `+where+` order by created_at, id`, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	for _, r := range rows {
		key, err := s.ring.Person(ctx, r.User)
		if err != nil {
			return nil, fmt.Errorf("key of account %s: %w", r.User, err)
		}
		var private sealedBrowser
		if err := unseal(key, r.sealed, &private, "trigger_push", r.ID); err != nil {
			return nil, err
		}
		b := r.Browser
		b.Endpoint, b.P256DH, b.Auth, b.Name, b.CreatedAt = private.Endpoint, private.P256DH, private.Auth, private.Name, fromMicros(r.created)
		all = append(all, b)
	}
	return all, nil
}

func (s sqlStore) subscribe(ctx context.Context, b Browser, mac []byte, most int, e journal.Entry) error {
	key, err := s.ring.Person(ctx, b.User)
	if err != nil {
		return fmt.Errorf("key of account %s: %w", b.User, err)
	}
	sealed, err := seal(key, sealedBrowser{b.Endpoint, b.P256DH, b.Auth, b.Name}, "trigger_push", b.ID)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from trigger_push where endpoint_mac = $1`, mac); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `select count(*) from trigger_push where account = $1`, b.User).Scan(&n); err != nil {
			return err
		}
		if n >= most {
			return ErrTooManyBrowsers
		}
		if _, err := tx.Exec(ctx, `insert into trigger_push (id, account, endpoint_mac, sealed, created_at) values ($1, $2, $3, $4, $5)`,
			b.ID, b.User, mac, sealed, b.CreatedAt.UnixMicro()); err != nil {
			return fmt.Errorf("add a subscription: %w", err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) unsubscribe(ctx context.Context, user, id string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from trigger_push where id = $1 and account = $2`, id, user)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNoBrowser)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) forgetPerson(ctx context.Context, user string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{`delete from trigger_push where account = $1`, `delete from trigger_mute where account = $1`} {
			if _, err := tx.Exec(ctx, text, user); err != nil {
				return fmt.Errorf("forget account %s: %w", user, err)
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) eraseSpace(ctx context.Context, space string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{
			`delete from trigger_state where trigger in (select id from trigger where space = $1)`,
			`delete from trigger_online where trigger in (select id from trigger where space = $1)`,
			`delete from trigger_mute where trigger in (select id from trigger where space = $1)`,
			`delete from trigger_delivery where space = $1`, `delete from trigger_action where space = $1`, `delete from trigger_usage where space = $1`,
			`delete from trigger where space = $1`,
		} {
			if _, err := tx.Exec(ctx, text, space); err != nil {
				return fmt.Errorf("erase the triggers of space %s: %w", space, err)
			}
		}
		return journal.Record(ctx, tx, e)
	})
}
