package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
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
	Link  string // id of the session whose person links a provider; "" for none
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
	switch {
	case b.Again != "":
		r, err := s.needs.Store.sessionByID(ctx, b.Again)
		if err != nil {
			return ref, "", err
		}
		u, err := s.needs.Accounts.Get(ctx, r.account)
		if err != nil {
			return ref, "", err
		}
		if f.Own, err = s.own(ctx, r.account); err != nil {
			return ref, "", err
		}
		f.Only, f.Session, b.Typed = r.account, r.id, u.Email
	case b.Link != "":
		r, err := s.needs.Store.sessionByID(ctx, b.Link)
		if err != nil {
			return ref, "", err
		}
		f.State, f.Only, f.Session, b.Typed = Linking, r.account, r.id, ""
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
	Linked      string // what became of whom a provider vouched for: the notice of that; "" for nobody
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

// orStop is what work in take returns after an event: not allowed, nothing was tried.
func orStop(to Flow, err error) (Flow, error) {
	if err != nil {
		return stop(err)
	}
	return to, nil
}

// guardedSecond is guarded for a proof after the first. It is counted for the account, whatever address of it was typed.
func (s *Service) guardedSecond(ctx context.Context, act Act, f Flow, c Client, work func() (bool, error)) (bool, error) {
	known, err := s.knows(ctx, c, f.Account)
	if err != nil {
		return false, err
	}
	return s.guarded(ctx, s.try(act, f.Account, f.Account, c, known), work)
}

// Rename goes back to the question who it is.
func (s *Service) Rename(ctx context.Context, c Client, ref Ref) error {
	_, err := s.take(ctx, c, ref, func(f Flow) (Flow, error) {
		if f.Only != "" {
			return stop(ErrStep)
		}
		return orStop(f.On(Other, Proof{}))
	})
	return err
}

// Password takes the step of the password. The grant is there when that was all; the
// flow says what is next. A wrong password is account.ErrCredentials, whether or
// not there is such a person.
func (s *Service) Password(ctx context.Context, c Client, ref Ref, password string, keep bool) (Flow, *Grant, error) {
	var u account.User
	var code string
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
		good, doubt, err := s.doubted(ctx, s.try(ActPassword, f.Typed, maybe.ID, c, known), func() (bool, error) {
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
		to, err := f.On(PasswordGood, Proof{Account: u.ID, Strong: set.Strong(), Doubt: doubt, Method: methodPassword})
		switch {
		case err != nil:
			return stop(err)
		case set.Strong():
			return to, nil
		case !doubt:
			return to.On(Skip, Proof{})
		}
		var p Proof
		if code, p, err = s.mailCode(u.ID); err != nil {
			return stop(err)
		}
		return to.On(Post, p)
	})
	if errors.Is(err, ErrUnproved) {
		s.sendVerify(ctx, u, c)
	}
	if err == nil && f.State == Mailed {
		err = s.sendCode(ctx, u, c, code)
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
		good, err := s.guardedSecond(ctx, act, f, c, func() (bool, error) {
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
		if err != nil {
			return stop(err)
		}
		if !good {
			to, err := f.On(CodeBad, Proof{})
			return to, errors.Join(err, ErrCode)
		}
		return orStop(f.On(CodeGood, Proof{Method: method}))
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
		if !f.takes(PasskeyGood) {
			return stop(ErrStep)
		}
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
		good, err := s.guarded(ctx, s.try(ActPasskey, orElse(f.Account, f.Typed), f.Account, c, false), func() (bool, error) {
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
