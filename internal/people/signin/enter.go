package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// A Ref names one step of one flow: what a form sends back.
type Ref struct {
	Token string
	Step  int64
}

// A Beginning is what is known when a sign-in begins.
type Beginning struct {
	Typed string // who somebody says to be; "" for a passkey that will tell
	To    string // path to go to at the end
	Again string // id of the session that must prove again; "" for a new one
}

// maxTyped is how many bytes of what was typed are kept.
const maxTyped = 254

// Begin begins a sign-in in the browser c, whose flow cookie is to be what Begin returns.
func (s *Service) Begin(ctx context.Context, c Client, b Beginning) (ref Ref, browser string, err error) {
	browser, hash := c.Browser, hashOf(c.Browser)
	if hash == nil {
		browser, hash = newToken()
	}
	now := s.needs.Now()
	f := Flow{State: Start, Browser: hash, To: local(b.To), BeganAt: now}
	if b.Again != "" {
		r, err := s.needs.Store.sessionByID(ctx, b.Again)
		if err != nil {
			return ref, "", err
		}
		u, err := s.needs.Accounts.Get(ctx, r.account)
		if err != nil {
			return ref, "", err
		}
		f.Only, f.Session, b.Typed = r.account, r.id, u.Email
	}
	if b.Typed = strings.TrimSpace(b.Typed); b.Typed != "" {
		if len(b.Typed) > maxTyped {
			b.Typed = b.Typed[:maxTyped]
		}
		if f, err = f.On(Name, Proof{Typed: strings.ToValidUTF8(b.Typed, "")}); err != nil {
			return ref, "", err
		}
	}
	token, id := newToken()
	r := flowRow{hash: id, expires: now.Add(flowLife).UnixMicro()}
	if r.state, err = s.sealFlow(f, id); err != nil {
		return ref, "", err
	}
	if err := s.needs.Store.addFlow(ctx, r); err != nil {
		return ref, "", fmt.Errorf("begin a sign-in: %w", err)
	}
	return Ref{Token: token}, browser, nil
}

// local is path when it is one of this server's, else "": nobody is sent to a stranger.
func local(path string) string {
	u, err := url.Parse(path)
	if err != nil || len(path) > 2048 || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" ||
		!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\t\r\n") {
		return ""
	}
	return path
}

// At tells how far a flow is. It belongs to the browser that began it.
func (s *Service) At(ctx context.Context, c Client, token string) (Flow, Ref, error) {
	r, f, err := s.flowOf(ctx, c, token)
	return f, Ref{token, r.step}, err
}

func (s *Service) flowOf(ctx context.Context, c Client, token string) (flowRow, Flow, error) {
	hash, browser := hashOf(token), hashOf(c.Browser)
	if hash == nil || browser == nil {
		return flowRow{}, Flow{}, ErrFlow
	}
	r, err := s.needs.Store.flow(ctx, hash)
	if err != nil {
		return r, Flow{}, err
	}
	if r.expires <= s.needs.Now().UnixMicro() {
		return r, Flow{}, ErrFlow
	}
	f, err := s.openFlow(r)
	if err != nil {
		return r, f, err
	}
	if !bytes.Equal(f.Browser, browser) {
		return r, Flow{}, ErrFlow
	}
	return r, f, nil
}

// A Grant is how a sign-in ends: the values of cookies, and where to go.
type Grant struct {
	Session     Session
	Cookie      string // of the session
	Device      string // of the browser
	Keep        bool   // both outlive the browser's end
	To          string // path; "" for the account
	Replacement string // a recovery code in the place of the one that was used; shown once
	Left        int    // recovery codes
}

// take takes one step: work makes the flow's next state of its state, once, whoever else
// tries the same. What work returns beside it is told to the person after the step counted.
func (s *Service) take(ctx context.Context, c Client, ref Ref, work func(f Flow) (Flow, error)) (Flow, error) {
	r, f, err := s.flowOf(ctx, c, ref.Token)
	if err != nil {
		return f, err
	}
	if r.step != ref.Step {
		return f, ErrStep
	}
	to, told := work(f)
	if told != nil && to.State == None {
		return f, told // nothing was tried
	}
	if to.State == Done || to.State == Closed {
		if err := s.needs.Store.endFlow(ctx, r.hash, r.step); err != nil {
			return f, err
		}
		return to, told
	}
	r.step++
	if r.state, err = s.sealFlow(to, r.hash); err != nil {
		return f, err
	}
	if err := s.needs.Store.stepFlow(ctx, r); err != nil {
		return f, err
	}
	return to, told
}

// stop is what work in take returns when nothing was tried.
func stop(err error) (Flow, error) { return Flow{}, err }

// Rename goes back to the question who it is.
func (s *Service) Rename(ctx context.Context, c Client, ref Ref) error {
	_, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.Only != "" {
			return stop(ErrStep)
		}
		to, err := f.On(Other, Proof{})
		if err != nil {
			return stop(err)
		}
		return to, nil
	})
	return err
}

// Password takes the step of the password. The grant is there when that was all; the
// flow says what is next. A wrong password is account.ErrCredentials, whether or
// not there is such a person.
func (s *Service) Password(ctx context.Context, c Client, ref Ref, password string, keep bool) (Flow, *Grant, error) {
	var u account.User
	f, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.State != Named {
			return stop(ErrStep)
		}
		// Who it may be is looked up for anybody, so that it takes the same time.
		maybe, err := s.needs.Accounts.Find(ctx, f.Typed)
		if err != nil && !errors.Is(err, account.ErrNotFound) {
			return stop(err)
		}
		known, err := s.knows(ctx, c, maybe.ID)
		if err != nil {
			return stop(err)
		}
		var shut error
		good, err := s.guarded(ctx, s.try(ActPassword, f.Typed, maybe.ID, c, known), func() (bool, error) {
			var err error
			u, err = s.needs.Accounts.Verify(ctx, f.Typed, password)
			switch {
			case errors.Is(err, account.ErrCredentials):
				return false, nil
			case errors.Is(err, account.ErrDisabled), errors.Is(err, account.ErrFrozen):
				shut = err // told to whoever has the password only
				return true, nil
			}
			return err == nil, err
		})
		switch {
		case err != nil:
			return stop(err)
		case !good || f.Only != "" && u.ID != f.Only && shut == nil:
			to, err := f.On(PasswordBad, Proof{})
			return to, errors.Join(err, account.ErrCredentials)
		case shut != nil:
			return f, shut
		case !u.Verified():
			return f, ErrUnproved
		}
		set, err := s.needs.Factors.Of(ctx, u.ID)
		if err != nil {
			return stop(err)
		}
		f.Keep = keep
		to, err := f.On(PasswordGood, Proof{Account: u.ID, Strong: set.Strong(), Method: methodPassword})
		if err != nil {
			return stop(err)
		}
		if set.Strong() {
			return to, nil
		}
		return to.On(Skip, Proof{})
	})
	if errors.Is(err, ErrUnproved) {
		s.sendVerify(ctx, u, c)
	}
	if err != nil || f.State != Done {
		return f, nil, err
	}
	g, err := s.grant(ctx, c, f)
	return f, g, err
}

// knows says whether the person signed in with this browser before.
func (s *Service) knows(ctx context.Context, c Client, user string) (bool, error) {
	hash := hashOf(c.Device)
	if hash == nil || user == "" {
		return false, nil
	}
	return s.needs.Store.known(ctx, hash, user)
}

var (
	// ErrCode is a wrong second proof.
	ErrCode = problem.New(problem.Unauthenticated, "signin-code", "This code is wrong, or it was used before.")
	// ErrPasskey is a passkey that proves nothing here.
	ErrPasskey = problem.New(problem.Unauthenticated, "signin-passkey", "This passkey is not known here, or it did not see you.")
)

// Code takes the step of the second proof: a code of the authenticator app, or a recovery
// code when recovery is set. A wrong one is ErrCode.
func (s *Service) Code(ctx context.Context, c Client, ref Ref, code string, recovery bool) (Flow, *Grant, error) {
	act, method := ActCode, methodCode
	if recovery {
		act, method = ActRecovery, methodRecovery
	}
	var replacement string
	var left int
	f, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.State != Second || !f.Strong {
			return stop(ErrStep)
		}
		known, err := s.knows(ctx, c, f.Account)
		if err != nil {
			return stop(err)
		}
		good, err := s.guarded(ctx, s.try(act, f.Typed, f.Account, c, known), func() (bool, error) {
			var err error
			if recovery {
				replacement, left, err = s.needs.Factors.CheckRecovery(ctx, f.Account, code)
			} else {
				err = s.needs.Factors.CheckTOTP(ctx, f.Account, code)
			}
			if isPersons(err) {
				return false, nil
			}
			return err == nil, err
		})
		switch {
		case err != nil:
			return stop(err)
		case !good:
			to, err := f.On(CodeBad, Proof{})
			return to, errors.Join(err, ErrCode)
		}
		to, err := f.On(CodeGood, Proof{Method: method})
		if err != nil {
			return stop(err)
		}
		return to, nil
	})
	if err != nil || f.State != Done {
		return f, nil, err
	}
	g, err := s.grant(ctx, c, f)
	if err != nil {
		return f, nil, err
	}
	if recovery {
		g.Replacement, g.Left = replacement, left
		if u, err := s.needs.Accounts.Get(ctx, f.Account); err == nil {
			s.warn(ctx, "recovery-used", u, c, "", map[string]string{"left": strconv.Itoa(left)})
		}
	}
	return f, g, nil
}

// Challenge begins a proof by passkey: the options are for the browser.
func (s *Service) Challenge(ctx context.Context, c Client, ref Ref) (options json.RawMessage, next Ref, err error) {
	_, err = s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		// Before the first proof any passkey may answer: asking for those of one
		// account would tell who has some.
		user := f.Only
		if f.State == Second {
			user = f.Account
		}
		var err error
		if options, f.Passkey, err = s.needs.Factors.BeginAssertion(ctx, user); err != nil {
			return stop(err)
		}
		return f, nil
	})
	return options, Ref{ref.Token, ref.Step + 1}, err
}

// Passkey takes the step of the passkey, which can be the only one.
func (s *Service) Passkey(ctx context.Context, c Client, ref Ref, response []byte, keep bool) (Flow, *Grant, error) {
	f, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.Passkey == nil {
			return stop(ErrStep)
		}
		var user string
		var verified bool
		good, err := s.guarded(ctx, s.try(ActPasskey, f.Typed, f.Account, c, false), func() (bool, error) {
			var err error
			user, verified, err = s.needs.Factors.FinishAssertion(ctx, f.Passkey, response)
			if isPersons(err) {
				return false, nil
			}
			return err == nil, err
		})
		f.Passkey = nil // a challenge is answered once
		if err != nil {
			return stop(err)
		}
		if !good {
			return f, ErrPasskey
		}
		event := PasskeyTouch
		if verified {
			event = PasskeyGood
		}
		if f.State != Second {
			f.Keep = keep
			u, err := s.needs.Accounts.Get(ctx, user)
			switch {
			case errors.Is(err, account.ErrNotFound):
				return f, ErrPasskey
			case err != nil:
				return stop(err)
			case u.Disabled():
				return f, account.ErrDisabled
			case u.Frozen():
				return f, account.ErrFrozen
			case !u.Verified():
				return f, ErrUnproved
			}
		}
		to, err := f.On(event, Proof{Account: user, Strong: true, Method: methodPasskey})
		if err != nil {
			return f, ErrPasskey
		}
		return to, nil
	})
	if err != nil || f.State != Done {
		return f, nil, err
	}
	g, err := s.grant(ctx, c, f)
	return f, g, err
}

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
	return g, nil
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
	hash := hashOf(cookie)
	if hash == nil {
		return Session{}, ErrSession
	}
	r, err := s.needs.Store.session(ctx, hash)
	if err != nil {
		return Session{}, err
	}
	now := s.needs.Now()
	if !s.stands(ctx, r) {
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

// stands says whether a session counts.
func (s *Service) stands(ctx context.Context, r sessionRow) bool {
	if plain(r).Over(s.needs.Now()) {
		return false
	}
	_, epoch, err := s.needs.Accounts.Standing(ctx, r.account)
	return err == nil && epoch == r.epoch
}

// Ended says whether a session counts no more.
func (s *Service) Ended(ctx context.Context, id string) bool {
	r, err := s.needs.Store.sessionByID(ctx, id)
	return err != nil || !s.stands(ctx, r)
}

// Sessions lists those of a person that count, the newest first.
func (s *Service) Sessions(ctx context.Context, user string) ([]Session, error) {
	rows, err := s.needs.Store.sessionsOf(ctx, user)
	if err != nil {
		return nil, fmt.Errorf("list sessions of account %s: %w", user, err)
	}
	var all []Session
	for _, r := range rows {
		if !s.stands(ctx, r) {
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
