package signin

import (
	"context"
	"errors"
	"net/mail"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// ErrNoSignUp is a server whose accounts its operator makes.
var ErrNoSignUp = problem.New(problem.Forbidden, "signin-no-sign-up", "Accounts of this server are made by its operator.")

// How long these take at least, so that it does not tell whether there is such an account.
// They are above what the work takes on a busy machine: 41 ms of processor for a hash.
const (
	signUpTime = 1200 * time.Millisecond
	resetTime  = 500 * time.Millisecond
)

// isPersons says whether an error is one that the person can act on.
func isPersons(err error) bool {
	p := problem.Of(err)
	return p != nil && p.Kind != problem.Internal && p.Kind != problem.Unavailable && p.Kind != problem.Limited
}

func isLimited(err error) bool {
	k := problem.Of(err)
	return k != nil && (k.Kind == problem.Limited || k.Kind == problem.Unavailable)
}

// Join makes an account for whoever asks, and sends the link that proves the address.
// When there is one already its owner gets a letter instead, and nobody else knows.
func (s *Service) Join(ctx context.Context, c Client, email, name, password string) error {
	if !s.needs.SignUp {
		return ErrNoSignUp
	}
	return s.steady(ctx, signUpTime, func() error {
		_, err := s.guarded(ctx, s.try(ActSignUp, email, "", c, false), func() (bool, error) {
			u, err := s.needs.Accounts.SignUp(ctx, email, name, password)
			switch {
			case err == nil:
				s.sendVerify(ctx, u, c)
				return true, nil
			case errors.Is(err, account.ErrTaken) && u.ID != "" && !u.Verified():
				s.sendVerify(ctx, u, c)
				return true, nil
			case errors.Is(err, account.ErrTaken):
				// Its owner may have forgotten it: the letter leads to a new password.
				return true, s.sendReset(ctx, u, c, account.Mailbox{Email: u.Email, ProvedAt: u.VerifiedAt, First: true})
			}
			return false, err
		})
		return err
	})
}

// sendVerify sends the link that proves an address.
func (s *Service) sendVerify(ctx context.Context, u account.User, c Client) {
	token, err := s.needs.Accounts.Invite(ctx, person(u.ID), account.Link{Purpose: account.LinkVerify, Account: u.ID})
	if err != nil {
		s.needs.Log.ErrorContext(ctx, "a letter was not sent", "kind", "verify", "user", u.ID, "err", err)
		return
	}
	s.send(ctx, Letter{Kind: "verify", To: u.ID, Lang: c.Lang, Fields: map[string]string{"link": s.link("/verify", token.Reveal())}})
}

// Prove uses a link up that proves an address.
func (s *Service) Prove(ctx context.Context, token string) error {
	l, err := s.needs.Accounts.Redeem(ctx, account.LinkVerify, token)
	if err != nil {
		return err
	}
	return s.needs.Accounts.Prove(ctx, person(l.Account), l.Account)
}

// SetPassword changes the password of a person who is signed in and has just proved
// it. All other sessions end; this one gets another cookie.
func (s *Service) SetPassword(ctx context.Context, c Client, in Session, password string) (cookie string, err error) {
	if !in.Fresh(s.needs.Now()) {
		return "", ErrProof
	}
	if err := s.needs.Accounts.SetPassword(ctx, person(in.Account), in.Account, password); err != nil {
		return "", err
	}
	if u, err := s.needs.Accounts.Get(ctx, in.Account); err == nil {
		s.warn(ctx, "password-changed", u, c, "", nil)
	}
	return s.Follow(ctx, in.ID)
}

// Move sends a link to another address, which becomes the person's when it is followed.
func (s *Service) Move(ctx context.Context, c Client, in Session, email string) error {
	if !in.Fresh(s.needs.Now()) {
		return ErrProof
	}
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > maxTyped {
		return account.ErrEmail
	}
	return s.proveAddress(ctx, c, in, email, account.LinkEmail, "/account/email/confirm")
}

// proveAddress sends a link of purpose p to an address that a person would like to have. Whether somebody has it is
// not told.
func (s *Service) proveAddress(ctx context.Context, c Client, in Session, email string, p account.Purpose, path string) error {
	u, err := s.needs.Accounts.Get(ctx, in.Account)
	if err != nil {
		return err
	}
	_, err = s.guarded(ctx, s.try(ActReset, email, in.Account, c, true), func() (bool, error) {
		if err := s.needs.Accounts.CheckEmail(ctx, email); errors.Is(err, account.ErrTaken) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		token, err := s.needs.Accounts.Invite(ctx, person(in.Account), account.Link{Purpose: p, Account: in.Account, Text: email})
		if err != nil {
			return false, err
		}
		s.send(ctx, Letter{Kind: "address-proof", To: in.Account, Address: email, Lang: c.Lang, Fields: map[string]string{"who": u.Name, "link": s.link(path, token.Reveal())}})
		return true, nil
	})
	return err
}

// Moved uses the link of Move up, for the person who is signed in. The old address is told.
func (s *Service) Moved(ctx context.Context, c Client, in Session, token string) error {
	u, email, err := s.proved(ctx, in, account.LinkEmail, token)
	if err != nil {
		return err
	}
	if err := s.needs.Accounts.SetEmail(ctx, person(u.ID), u.ID, email); err != nil {
		return err
	}
	s.warn(ctx, "email-changed", u, c, u.Email, nil)
	return nil
}

// NotMe uses a link up that says that somebody else was at work: the account is frozen.
func (s *Service) NotMe(ctx context.Context, c Client, token string) error {
	l, err := s.needs.Accounts.Redeem(ctx, account.LinkFreeze, token)
	if err != nil {
		return err
	}
	if err := s.needs.Accounts.Freeze(ctx, person(l.Account), l.Account); err != nil {
		return err
	}
	if err := s.EndOthers(ctx, person(l.Account), l.Account, ""); err != nil {
		return err
	}
	u, err := s.needs.Accounts.Get(ctx, l.Account)
	if err != nil {
		return err
	}
	all, err := s.needs.Accounts.Openers(ctx, u)
	if err != nil {
		return err
	}
	to := account.Mailbox{First: true}
	if len(all) > 0 {
		to = all[0] // one that may open it again
	}
	fields := s.fieldsOf(c)
	s.send(ctx, Letter{Kind: "frozen", To: l.Account, Address: elsewhere(to), Lang: c.Lang, Fields: map[string]string{"when": fields["when"], "link": s.needs.Origin() + "/reset"}})
	return nil
}

// SetUp makes the first account of this server for the holder of the link that its
// first start printed.
func (s *Service) SetUp(ctx context.Context, token, email, name, password string) (user string, err error) {
	if _, err := s.needs.Accounts.Link(ctx, account.LinkSetup, token); err != nil {
		return "", err
	}
	// The link goes first: of two who use it at a time one makes the account. A
	// password that is refused must not use it up, so that is asked before.
	if err := s.needs.Accounts.Fit(email, name, password); err != nil {
		return "", err
	}
	if _, err := s.needs.Accounts.Redeem(ctx, account.LinkSetup, token); err != nil {
		return "", err
	}
	u, err := s.needs.Accounts.Add(ctx, access.Actor{Kind: access.System}, email, name, password)
	return u.ID, err
}

// SetupLink is the address that makes the first account, or "" when there is one and
// another is not wanted. It is for whoever started this server, and works once, for 30 minutes.
func (s *Service) SetupLink(ctx context.Context, another bool) (string, error) {
	none, err := s.needs.Accounts.Empty(ctx)
	if err != nil || !none && !another {
		return "", err
	}
	token, err := s.needs.Accounts.Invite(ctx, access.Actor{Kind: access.System}, account.Link{Purpose: account.LinkSetup})
	if err != nil {
		return "", err
	}
	return s.link("/setup", token.Reveal()), nil
}

// Leave has a person erased after seven days.
func (s *Service) Leave(ctx context.Context, c Client, in Session) (account.User, error) {
	if !in.Fresh(s.needs.Now()) {
		return account.User{}, ErrProof
	}
	return s.leave(ctx, person(in.Account), c, in.Account)
}

// Remove has a person erased after seven days, at the wish of who. The person is told.
func (s *Service) Remove(ctx context.Context, who access.Actor, user string) (account.User, error) {
	return s.leave(ctx, who, Client{}, user)
}

func (s *Service) leave(ctx context.Context, who access.Actor, c Client, user string) (account.User, error) {
	if err := s.needs.MayLeave(ctx, user); err != nil {
		return account.User{}, err
	}
	u, err := s.needs.Accounts.Leave(ctx, who, user)
	if err == nil {
		s.warn(ctx, "delete-scheduled", u, c, "", map[string]string{"until": u.LeavingAt.Format(time.RFC3339)})
	}
	return u, err
}

// Stay takes Leave back.
func (s *Service) Stay(ctx context.Context, c Client, in Session) error {
	_, err := s.stay(ctx, person(in.Account), c, in.Account)
	return err
}

// Keep takes Remove back, and Leave.
func (s *Service) Keep(ctx context.Context, who access.Actor, user string) (account.User, error) {
	return s.stay(ctx, who, Client{}, user)
}

func (s *Service) stay(ctx context.Context, who access.Actor, c Client, user string) (account.User, error) {
	u, err := s.needs.Accounts.Stay(ctx, who, user)
	if err == nil {
		s.send(ctx, Letter{Kind: "delete-cancelled", To: u.ID, Lang: c.Lang, Fields: s.fieldsOf(c)})
	}
	return u, err
}
