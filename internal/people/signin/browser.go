package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// grant makes the session of a flow that is done, or proves the one again that it is about.
func (s *Service) grant(ctx context.Context, c Client, f Flow) (*Grant, error) {
	if f.State != Done || f.Account == "" || len(f.Methods) == 0 {
		return nil, ErrStep
	}
	_, epoch, err := s.needs.Accounts.Standing(ctx, f.Account)
	if err != nil {
		return nil, err
	}
	g := &Grant{To: f.To, Keep: f.Keep}
	now := s.needs.Now().UTC().Truncate(time.Microsecond)
	cookie, hash := newToken()
	g.Cookie = cookie
	if f.Session != "" {
		old, err := s.needs.Store.sessionByID(ctx, f.Session)
		if err != nil {
			return nil, err
		}
		if old.account != f.Account {
			return nil, ErrStep
		}
		r, err := s.renewed(ctx, old, hash, epoch, strings.Join(f.Methods, " "))
		if err != nil {
			return nil, err
		}
		g.Keep = r.idle == idleKept.Microseconds()
		g.Session, err = s.openSession(ctx, r)
		return g, err
	}
	u, err := s.needs.Accounts.Get(ctx, f.Account)
	if err != nil {
		return nil, err
	}
	if g.Session, err = s.begin(ctx, c, u, hash, now, f.Keep, f.Methods); err != nil {
		return nil, err
	}
	if g.Device, err = s.meet(ctx, c, u, now); err != nil {
		return nil, err
	}
	if f.Claim != nil {
		g.Linked = s.join(ctx, c, u, *f.Claim)
	}
	return g, err
}

// begin keeps a new session.
func (s *Service) begin(ctx context.Context, c Client, u account.User, hash []byte, now time.Time, keep bool, methods []string) (Session, error) {
	r := sessionRow{
		id: uuid.NewString(), account: u.ID, hash: hash, epoch: u.Epoch, methods: strings.Join(methods, " "),
		made: now.UnixMicro(), used: now.UnixMicro(), proved: now.UnixMicro(), ends: now.Add(absolute).UnixMicro(), idle: idle.Microseconds(),
	}
	if keep {
		r.ends, r.idle = now.Add(absKept).UnixMicro(), idleKept.Microseconds()
	}
	seal, err := s.needs.Keys.Person(ctx, u.ID)
	if err != nil {
		return Session{}, fmt.Errorf("key of account %s: %w", u.ID, err)
	}
	text, err := json.Marshal(where{c.Agent, c.Addr.String()})
	if err != nil {
		return Session{}, err
	}
	if r.sealed, err = seal.Seal(text, keys.Place("signin_session", "sealed", r.id)); err != nil {
		return Session{}, err
	}
	e := s.entry(person(u.ID), "session:begin", r.id)
	e.Detail = map[string]string{"methods": r.methods}
	if err := s.needs.Store.addSession(ctx, r, maxOpen, e); err != nil {
		return Session{}, fmt.Errorf("begin a session of account %s: %w", u.ID, err)
	}
	return s.openSession(ctx, r)
}

// where is what a session keeps sealed.
type where struct {
	Device  string `json:"device"`
	Address string `json:"address"`
}

// meet remembers that a person has signed in with this browser, and tells the person
// when it is the first time.
func (s *Service) meet(ctx context.Context, c Client, u account.User, now time.Time) (cookie string, err error) {
	known, err := s.knows(ctx, c, u.ID)
	if err != nil {
		return "", err
	}
	cookie, hash := c.Device, hashOf(c.Device)
	if hash == nil {
		cookie, hash = newToken()
	}
	if err := s.needs.Store.meet(ctx, hash, u.ID, now.UnixMicro()); err != nil {
		return "", err
	}
	s.needs.Arrived(ctx, u.ID, c.Addr, known)
	if !known {
		s.warn(ctx, "new-device", u, c, "", nil)
	}
	return cookie, nil
}

// Admit signs a person in who has proved it otherwise: by a link that sets a password,
// or by making the account.
func (s *Service) Admit(ctx context.Context, c Client, user string, methods ...string) (*Grant, error) {
	u, err := s.needs.Accounts.Get(ctx, user)
	if err != nil {
		return nil, err
	}
	set, err := s.needs.Factors.Of(ctx, user)
	if err != nil {
		return nil, err
	}
	if set.Strong() || !u.Verified() || u.Frozen() || u.Disabled() {
		return nil, ErrProof // a link never takes the place of a second proof
	}
	cookie, hash := newToken()
	now := s.needs.Now().UTC().Truncate(time.Microsecond)
	g := &Grant{Cookie: cookie}
	if g.Session, err = s.begin(ctx, c, u, hash, now, false, methods); err != nil {
		return nil, err
	}
	device, id := c.Device, hashOf(c.Device)
	if id == nil {
		device, id = newToken()
	}
	g.Device = device
	return g, s.needs.Store.meet(ctx, id, user, now.UnixMicro())
}

// Look finds the session of a cookie: ErrSession when there is none that counts.
func (s *Service) Look(ctx context.Context, cookie string) (Session, error) {
	return s.look(ctx, cookie, s.needs.Store.session)
}

// look is Look for a cookie by whose hash find finds a session.
func (s *Service) look(ctx context.Context, cookie string, find func(ctx context.Context, hash []byte) (sessionRow, error)) (Session, error) {
	hash := hashOf(cookie)
	if hash == nil {
		return Session{}, ErrSession
	}
	r, err := find(ctx, hash)
	if err != nil {
		return Session{}, err
	}
	now := s.needs.Now()
	if stands, err := s.stands(ctx, r); err != nil {
		return Session{}, err
	} else if !stands {
		return Session{}, ErrSession
	}
	if now.Sub(micro(r.used)) >= touchEvery {
		r.used = now.UnixMicro()
		if err := s.needs.Store.touch(ctx, r.id, r.used); err != nil {
			return Session{}, fmt.Errorf("note the use of session %s: %w", r.id, err)
		}
	}
	return s.openSession(ctx, r)
}

// stands says whether a session counts. An error is of who could not be asked, and says nothing about the session.
func (s *Service) stands(ctx context.Context, r sessionRow) (bool, error) {
	if plain(r).Over(s.needs.Now()) {
		return false, nil
	}
	_, epoch, err := s.needs.Accounts.Standing(ctx, r.account)
	if errors.Is(err, account.ErrNotFound) || errors.Is(err, account.ErrDisabled) || errors.Is(err, account.ErrFrozen) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("standing of account %s: %w", r.account, err)
	}
	return epoch == r.epoch, nil
}

// Ended says whether a session counts no more. An error is of who could not be asked: the session may stand.
func (s *Service) Ended(ctx context.Context, id string) (bool, error) {
	r, err := s.needs.Store.sessionByID(ctx, id)
	if errors.Is(err, ErrSession) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	stands, err := s.stands(ctx, r)
	return err == nil && !stands, err
}

// Sessions lists those of a person that count, the newest first.
func (s *Service) Sessions(ctx context.Context, user string) ([]Session, error) {
	rows, err := s.needs.Store.sessionsOf(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list sessions of account %s: %w", user, err)
	}
	var all []Session
	for _, r := range rows {
		if stands, err := s.stands(ctx, r); err != nil {
			return nil, err
		} else if !stands {
			continue
		}
		one, err := s.openSession(ctx, r)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// End signs a session of a person out, wherever it is.
func (s *Service) End(ctx context.Context, who access.Actor, user, id string) error {
	r, err := s.needs.Store.sessionByID(ctx, id)
	if err != nil {
		return err
	}
	if r.account != user {
		return ErrSession
	}
	return s.EndSession(ctx, who, id)
}

// EndSession signs any session out.
func (s *Service) EndSession(ctx context.Context, who access.Actor, id string) error {
	if err := s.needs.Store.endSession(ctx, id, s.entry(who, "session:end", id)); err != nil {
		return err
	}
	s.Ends.Publish(id)
	return nil
}

// EndOthers signs a person out everywhere but in one session; "" is everywhere.
func (s *Service) EndOthers(ctx context.Context, who access.Actor, user, but string) error {
	e := s.entry(who, "session:end-others", but)
	e.Resource, e.ID = "account", user
	all, err := s.needs.Store.sessionsOf(ctx, user)
	if err != nil {
		return fmt.Errorf("list sessions of account %s: %w", user, err)
	}
	if err := s.needs.Store.endOthers(ctx, user, but, e); err != nil {
		return err
	}
	for _, r := range all {
		if r.id != but {
			s.Ends.Publish(r.id)
		}
	}
	return nil
}

// Follow takes a session over a rise of its account's epoch that its own person made,
// with another cookie.
func (s *Service) Follow(ctx context.Context, id string) (cookie string, err error) {
	old, err := s.needs.Store.sessionByID(ctx, id)
	if err != nil {
		return "", err
	}
	_, epoch, err := s.needs.Accounts.Standing(ctx, old.account)
	if err != nil {
		return "", err
	}
	cookie, hash := newToken()
	_, err = s.renewed(ctx, old, hash, epoch, old.methods)
	return cookie, err
}

// renewed gives a session another cookie, and a proof of now.
func (s *Service) renewed(ctx context.Context, r sessionRow, hash []byte, epoch int64, methods string) (sessionRow, error) {
	now := s.needs.Now().UnixMicro()
	r.hash, r.epoch, r.used, r.proved, r.methods = hash, epoch, now, now, methods
	e := s.entry(person(r.account), "session:prove", r.id)
	e.Detail = map[string]string{"methods": methods}
	return r, s.needs.Store.renew(ctx, r, e)
}

// ForgetBrowsers forgets in which browsers a person has signed in before: the next time with each of
// them is told by mail as the first is. Whoever is signed in stays so.
func (s *Service) ForgetBrowsers(ctx context.Context, user string) error {
	e := s.entry(person(user), "session:forget-browsers", user)
	e.Resource = "account"
	return s.needs.Store.forgetDevices(ctx, user, e)
}

// Forget removes what this room has of a person.
func (s *Service) Forget(ctx context.Context, user string) error {
	return s.needs.Store.forget(ctx, user)
}

func micro(at int64) time.Time { return time.UnixMicro(at).UTC() }

// plain is a session without what is sealed.
func plain(r sessionRow) Session {
	return Session{
		ID: r.id, Account: r.account, Epoch: r.epoch, MadeAt: micro(r.made), UsedAt: micro(r.used), ProvedAt: micro(r.proved),
		EndsAt: micro(r.ends), Idle: time.Duration(r.idle) * time.Microsecond, Methods: strings.Fields(r.methods),
	}
}

func (s *Service) openSession(ctx context.Context, r sessionRow) (Session, error) {
	one := plain(r)
	seal, err := s.needs.Keys.Person(ctx, r.account)
	if err != nil {
		return one, fmt.Errorf("key of account %s: %w", r.account, err)
	}
	text, err := seal.Open(r.sealed, keys.Place("signin_session", "sealed", r.id))
	if err != nil {
		return one, fmt.Errorf("session %s: %w", r.id, err)
	}
	var w where
	if err := json.Unmarshal(text, &w); err != nil {
		return one, err
	}
	one.Device, one.Address = w.Device, w.Address
	return one, nil
}

// Has says whether a session was proved in one of these ways.
func (s Session) Has(methods ...string) bool {
	return slices.ContainsFunc(s.Methods, func(m string) bool { return slices.Contains(methods, m) })
}
