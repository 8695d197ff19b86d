package oauth

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

func micro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(at int64) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return time.UnixMicro(at).UTC()
}

const clientColumns = `id, title, space, secret, redirects, logouts, scopes, device, created_at, backchannel`

func scanClient(from db.Row) (c Client, err error) {
	var redirects, logouts, scopes string
	var at int64
	err = from.Scan(&c.ID, &c.Name, &c.Space, &c.Secret, &redirects, &logouts, &scopes, &c.Device, &at, &c.Backchannel)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrClient
	}
	if err != nil {
		return c, err
	}
	c.Scopes, c.CreatedAt = words(scopes), moment(at)
	return c, errors.Join(json.Unmarshal([]byte(redirects), &c.Redirects), json.Unmarshal([]byte(logouts), &c.Logouts))
}

func (s sqlStore) addClient(ctx context.Context, c Client, e journal.Entry) error {
	redirects, err := json.Marshal(c.Redirects)
	if err != nil {
		return err
	}
	logouts, err := json.Marshal(c.Logouts)
	if err != nil {
		return err
	}
	if c.Secret == nil {
		c.Secret = []byte{}
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into oauth_client (`+clientColumns+`) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			c.ID, c.Name, c.Space, c.Secret, string(redirects), string(logouts), strings.Join(c.Scopes, " "), c.Device, micro(c.CreatedAt), c.Backchannel)
		if err != nil {
			return fmt.Errorf("add client %s: %w", c.ID, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

func (s sqlStore) client(ctx context.Context, id string) (c Client, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		c, err = scanClient(tx.QueryRow(ctx, `select `+clientColumns+` from oauth_client where id = $1`, id))
		return err
	})
	return c, err
}

func (s sqlStore) clients(ctx context.Context, space string) (all []Client, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanClient, `select `+clientColumns+` from oauth_client where space = $1 order by created_at, id`, space)
		return err
	})
	return all, err
}

func (s sqlStore) removeClient(ctx context.Context, id string, at time.Time, e journal.Entry) (ended []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from oauth_client where id = $1`, id)
		if err != nil {
			return fmt.Errorf("remove client %s: %w", id, err)
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrClient, err)
		}
		for _, text := range []string{
			`delete from oauth_consent where client = $1`, `delete from oauth_request where client = $1`, `delete from oauth_device where client = $1`,
			`delete from oauth_logout where client = $1`,
		} {
			if _, err := tx.Exec(ctx, text, id); err != nil {
				return err
			}
		}
		if ended, err = db.Column[string](ctx, tx, `update oauth_grant set ended_at = $1 where client = $2 and ended_at = 0 returning id`, micro(at), id); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return ended, err
}

func (s sqlStore) addRequest(ctx context.Context, r waiting) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into oauth_request (id, client, pushed, form, account, answer, created_at, expires_at) values ($1, $2, $3, $4, $5, '', $6, $7)`,
			r.hash, r.client, r.pushed, r.form, r.user, micro(r.createdAt), micro(r.expiresAt))
		return err
	})
}

func (s sqlStore) request(ctx context.Context, hash []byte) (r waiting, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		var created, expires int64
		err := tx.QueryRow(ctx, `select id, client, pushed, form, account, answer, created_at, expires_at from oauth_request where id = $1`, hash).
			Scan(&r.hash, &r.client, &r.pushed, &r.form, &r.user, &r.answer, &created, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrAsked
		}
		r.createdAt, r.expiresAt = moment(created), moment(expires)
		return err
	})
	return r, err
}

// takeRequest removes what it finds, so that one caller gets it.
func (s sqlStore) takeRequest(ctx context.Context, hash []byte) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `delete from oauth_request where id = $1`, hash)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrAsked, err)
		}
		return nil
	})
}

// answer keeps what a person said; a yes to what is remembered, too.
func (s sqlStore) answer(ctx context.Context, hash []byte, answer string, c Consent, user string, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update oauth_request set answer = $1 where id = $2 and answer = ''`, answer, hash)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrAsked, err)
		}
		if answer == answerYes {
			if _, err := tx.Exec(ctx, `insert into oauth_consent (account, client, scopes, since_at) values ($1, $2, $3, $4)
				on conflict (account, client) do update set scopes = excluded.scopes, since_at = excluded.since_at`,
				user, c.Client.ID, strings.Join(c.Scopes, " "), micro(c.Since)); err != nil {
				return err
			}
		}
		return journal.Record(ctx, tx, e)
	})
}

func scanConsent(from db.Row) (c Consent, err error) {
	var scopes string
	var at int64
	err = from.Scan(&c.Client.ID, &scopes, &at)
	c.Scopes, c.Since = words(scopes), moment(at)
	return c, err
}

func (s sqlStore) consents(ctx context.Context, user string) (all []Consent, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		all, err = db.All(ctx, tx, scanConsent, `select client, scopes, since_at from oauth_consent where account = $1 order by since_at, client`, user)
		return err
	})
	return all, err
}

func (s sqlStore) withdraw(ctx context.Context, user, client string, at time.Time, e journal.Entry) (ended []string, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `delete from oauth_consent where account = $1 and client = $2`, user, client); err != nil {
			return err
		}
		if ended, err = db.Column[string](ctx, tx, `update oauth_grant set ended_at = $1 where account = $2 and client = $3 and ended_at = 0 returning id`, micro(at), user, client); err != nil {
			return err
		}
		return journal.Record(ctx, tx, e)
	})
	return ended, err
}

const grantColumns = `g.id, g.client, g.account, g.scopes, g.session, g.offline, g.epoch, g.auth_at, g.acr, g.amr, g.created_at, g.ends_at, g.ended_at`

// grantPlaces are where a grant's columns go, and what to do when they are there.
func grantPlaces(g *Grant) (places []any, read func()) {
	var scopes, amr string
	var auth, created, ends, ended int64
	return []any{&g.ID, &g.Client, &g.User, &scopes, &g.Session, &g.Offline, &g.Epoch, &auth, &g.ACR, &amr, &created, &ends, &ended}, func() {
		g.Scopes, g.AMR = words(scopes), words(amr)
		g.AuthAt, g.CreatedAt, g.EndsAt, g.EndedAt = moment(auth), moment(created), moment(ends), moment(ended)
	}
}

func (s sqlStore) grant(ctx context.Context, id string) (g Grant, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		places, read := grantPlaces(&g)
		err := tx.QueryRow(ctx, `select `+grantColumns+` from oauth_grant g where g.id = $1`, id).Scan(places...)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoGrant
		}
		read()
		return err
	})
	return g, err
}

func (s sqlStore) code(ctx context.Context, hash []byte) (c code, g Grant, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		places, read := grantPlaces(&g)
		var expires, used int64
		err := tx.QueryRow(ctx, `select c.redirect, c.challenge, c.nonce, c.expires_at, c.used_at, `+grantColumns+`
			from oauth_code c join oauth_grant g on g.id = c.grant_id where c.hash = $1`, hash).
			Scan(append([]any{&c.redirect, &c.challenge, &c.nonce, &expires, &used}, places...)...)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoGrant
		}
		read()
		c.hash, c.expiresAt, c.usedAt = hash, moment(expires), moment(used)
		return err
	})
	return c, g, err
}

func (s sqlStore) refresh(ctx context.Context, hash []byte) (r refresh, g Grant, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		places, read := grantPlaces(&g)
		var expires, used int64
		err := tx.QueryRow(ctx, `select r.expires_at, r.used_at, `+grantColumns+`
			from oauth_refresh r join oauth_grant g on g.id = r.grant_id where r.hash = $1`, hash).
			Scan(append([]any{&expires, &used}, places...)...)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoGrant
		}
		read()
		r.hash, r.expiresAt, r.usedAt = hash, moment(expires), moment(used)
		return err
	})
	return r, g, err
}

// end ends grants. entry is asked for each that stood until now.
func (s sqlStore) end(ctx context.Context, which ending, at time.Time, entry func(g Grant) journal.Entry) (ended []Grant, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		ended, err = db.All(ctx, tx, func(from db.Row) (g Grant, err error) {
			places, read := grantPlaces(&g)
			err = from.Scan(places...)
			read()
			return g, err
		}, `select `+grantColumns+` from oauth_grant g where g.ended_at = 0 and ($1 <> '' and g.id = $1 or $2 <> '' and g.session = $2 and not g.offline)`,
			which.grant, which.session)
		if err != nil {
			return err
		}
		for _, g := range ended {
			if _, err := tx.Exec(ctx, `update oauth_grant set ended_at = $1 where id = $2`, micro(at), g.ID); err != nil {
				return err
			}
			if err := journal.Record(ctx, tx, entry(g)); err != nil {
				return err
			}
		}
		return nil
	})
	return ended, err
}

func (s sqlStore) addDevice(ctx context.Context, d deviceCode) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `insert into oauth_device (hash, user_hash, client, scopes, state, account, epoch, auth_at, acr, amr, expires_at)
			values ($1, $2, $3, $4, $5, '', 0, 0, '', '', $6)`,
			d.hash, d.userHash, d.client, strings.Join(d.scopes, " "), deviceWaits, micro(d.expiresAt))
		return err
	})
}

const deviceColumns = `hash, user_hash, client, scopes, state, account, epoch, auth_at, acr, amr, expires_at`

func scanDevice(from db.Row) (d deviceCode, err error) {
	var scopes, amr string
	var auth, expires int64
	err = from.Scan(&d.hash, &d.userHash, &d.client, &scopes, &d.state, &d.login.User, &d.login.Epoch, &auth, &d.login.ACR, &amr, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return d, ErrUserCode
	}
	d.scopes, d.login.AMR, d.login.At, d.expiresAt = words(scopes), words(amr), moment(auth), moment(expires)
	return d, err
}

func (s sqlStore) device(ctx context.Context, hash []byte) (d deviceCode, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		d, err = scanDevice(tx.QueryRow(ctx, `select `+deviceColumns+` from oauth_device where hash = $1`, hash))
		return err
	})
	return d, err
}

func (s sqlStore) deviceByUser(ctx context.Context, hash []byte) (d deviceCode, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		d, err = scanDevice(tx.QueryRow(ctx, `select `+deviceColumns+` from oauth_device where user_hash = $1`, hash))
		return err
	})
	return d, err
}

func (s sqlStore) answerDevice(ctx context.Context, userHash []byte, state string, l Login, e journal.Entry) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		done, err := tx.Exec(ctx, `update oauth_device set state = $1, account = $2, epoch = $3, auth_at = $4, acr = $5, amr = $6 where user_hash = $7 and state = $8`,
			state, l.User, l.Epoch, micro(l.At), l.ACR, strings.Join(l.AMR, " "), userHash, deviceWaits)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrUserCode, err)
		}
		return journal.Record(ctx, tx, e)
	})
}

// forget removes all that is kept of a person.
func (s sqlStore) forget(ctx context.Context, user string, at, giveUp time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `update oauth_logout set next_at = $1, expires_at = $2 where account = $3 and next_at = 0`, micro(at), micro(giveUp), user); err != nil {
			return err
		}
		for _, text := range []string{
			`delete from oauth_refresh where grant_id in (select id from oauth_grant where account = $1)`,
			`delete from oauth_code where grant_id in (select id from oauth_grant where account = $1)`,
			`delete from oauth_grant where account = $1`, `delete from oauth_request where account = $1`,
			`delete from oauth_device where account = $1`, `delete from oauth_consent where account = $1`,
		} {
			if _, err := tx.Exec(ctx, text, user); err != nil {
				return err
			}
		}
		return nil
	})
}

// sweep removes what ended before a time. A grant stays as long as the tokens that it might refuse.
func (s sqlStore) sweep(ctx context.Context, before time.Time) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		for _, text := range []string{
			`delete from oauth_request where expires_at < $1`, `delete from oauth_device where expires_at < $1`,
			`delete from oauth_refresh where expires_at < $1`, `delete from oauth_code where expires_at < $1`,
			`delete from oauth_refresh where grant_id in (select id from oauth_grant where ends_at < $1 or ended_at > 0 and ended_at < $1)`,
			`delete from oauth_code where grant_id in (select id from oauth_grant where ends_at < $1 or ended_at > 0 and ended_at < $1)`,
			`delete from oauth_grant where ends_at < $1 or ended_at > 0 and ended_at < $1`,
		} {
			if _, err := tx.Exec(ctx, text, micro(before)); err != nil {
				return err
			}
		}
		return nil
	})
}

// A unit is what one token request changes: all of it or nothing. It is gathered while
// the request is worked on, and committed with those that come at the same time.
type unit struct {
	begin   *Grant
	code    *code    // added
	use     []byte   // hash of the code that is used up
	claim   []byte   // hash of the device code that is used up
	refresh *refresh // added
	rotate  []byte   // hash of the refresh token that is used
	at      time.Time
	entry   *journal.Entry
}

// commit does what u says, or nothing: errUsed if another was faster.
func (s sqlStore) commit(ctx context.Context, u *unit) error {
	return s.together.do(ctx, func(tx *db.Tx) error { return u.run(ctx, tx) })
}

// run changes nothing when it returns errUsed, since others share the transaction.
func (u *unit) run(ctx context.Context, tx *db.Tx) error {
	for _, one := range []struct {
		hash []byte
		text string
		args []any
	}{
		{u.use, `update oauth_code set used_at = $1 where hash = $2 and used_at = 0`, []any{micro(u.at), u.use}},
		{u.claim, `update oauth_device set state = 'used' where hash = $1 and state = 'agreed'`, []any{u.claim}},
		{u.rotate, `update oauth_refresh set used_at = case when used_at = 0 then $1 else used_at end where hash = $2 and (used_at = 0 or used_at > $3)`,
			[]any{micro(u.at), u.rotate, micro(u.at.Add(-overlap))}},
	} {
		if one.hash == nil {
			continue
		}
		done, err := tx.Exec(ctx, one.text, one.args...)
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n == 0 {
			return errors.Join(errUsed, err)
		}
	}
	if g := u.begin; g != nil {
		if _, err := tx.Exec(ctx, `insert into oauth_grant (id, client, account, scopes, session, offline, epoch, auth_at, acr, amr, created_at, ends_at, ended_at)
			values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0)`,
			g.ID, g.Client, g.User, strings.Join(g.Scopes, " "), g.Session, g.Offline, g.Epoch, micro(g.AuthAt), g.ACR, strings.Join(g.AMR, " "),
			micro(g.CreatedAt), micro(g.EndsAt)); err != nil {
			return err
		}
		if err := expect(ctx, tx, g); err != nil {
			return err
		}
	}
	if c := u.code; c != nil {
		if _, err := tx.Exec(ctx, `insert into oauth_code (hash, grant_id, redirect, challenge, nonce, expires_at, used_at) values ($1, $2, $3, $4, $5, $6, 0)`,
			c.hash, c.grant, c.redirect, c.challenge, c.nonce, micro(c.expiresAt)); err != nil {
			return err
		}
	}
	if r := u.refresh; r != nil {
		if _, err := tx.Exec(ctx, `insert into oauth_refresh (hash, grant_id, expires_at, used_at) values ($1, $2, $3, 0)`, r.hash, r.grant, micro(r.expiresAt)); err != nil {
			return err
		}
	}
	if u.entry != nil {
		return journal.Record(ctx, tx, *u.entry)
	}
	return nil
}

// A committer puts what many want to write at the same moment into one transaction,
// because a sync to disk costs the same for one and for a hundred.
type committer struct {
	db *db.DB

	mu    sync.Mutex
	queue []*job // guarded by mu
	busy  bool   // guarded by mu: somebody is writing and will take the queue
}

type job struct {
	fn   func(tx *db.Tx) error
	err  error         // set before done is closed
	done chan struct{} // closed when fn has run and is on disk
	lead chan struct{} // closed when it is this one's turn to write, for all that wait
}

// maxTogether bounds one transaction, so that nobody waits for long.
const maxTogether = 256

// do runs fn in a transaction that it may share, and waits until that is on disk. fn
// returns errUsed only before it has changed anything; any other error undoes the
// transaction, and then each of those who shared it gets one of its own.
func (c *committer) do(ctx context.Context, fn func(tx *db.Tx) error) error {
	j := &job{fn: fn, done: make(chan struct{}), lead: make(chan struct{})}
	c.mu.Lock()
	c.queue = append(c.queue, j)
	first := !c.busy
	c.busy = true
	c.mu.Unlock()
	if !first {
		select {
		case <-j.done:
			return j.err
		case <-j.lead:
		}
	}
	c.mu.Lock()
	n := min(len(c.queue), maxTogether)
	batch := c.queue[:n:n]
	c.queue = c.queue[n:]
	c.mu.Unlock()
	c.write(context.WithoutCancel(ctx), batch) // others' work must not end with this one's caller
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 {
		close(c.queue[0].lead)
	} else {
		c.queue, c.busy = nil, false
	}
	return j.err
}

func (c *committer) write(ctx context.Context, batch []*job) {
	err := c.db.Write(ctx, func(tx *db.Tx) error {
		for _, j := range batch {
			if j.err = j.fn(tx); j.err != nil && !errors.Is(j.err, errUsed) {
				return j.err
			}
		}
		return nil
	})
	for _, j := range batch {
		switch {
		case err != nil && len(batch) == 1:
			j.err = err
		case err != nil:
			j.err = c.db.Write(ctx, j.fn)
		}
		close(j.done)
	}
}
