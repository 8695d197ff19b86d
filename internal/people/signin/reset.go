package signin

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// ErrYoung is a frozen account with no address of before whoever was at work in it.
var ErrYoung = problem.New(problem.Precondition, "signin-young-address", "This account is frozen, and every address of it was added shortly before: whoever was at work in the account may have added it. Make sure in another way whose account it is, then set its password and open it again by yourself.")

// Added is what a person, or somebody else, added to an account after a time, by name.
type Added struct {
	Links    []string // names of providers
	App      bool     // the authenticator app
	Passkeys []string
	Keys     []string // API keys
}

// Lost sends a link that sets a new password, if there is such an account. It goes to the address as it is
// stored: what was typed may be another mailbox.
func (s *Service) Lost(ctx context.Context, c Client, email string) error {
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > maxTyped {
		return account.ErrEmail
	}
	return s.steady(ctx, resetTime, func() error {
		u, to, err := s.needs.Accounts.Reach(ctx, email)
		if err != nil && !errors.Is(err, account.ErrNotFound) {
			return err
		}
		_, err = s.guarded(ctx, s.try(ActReset, email, u.ID, c, false), func() (bool, error) {
			if u.ID == "" || u.Disabled() {
				return true, nil
			}
			return true, s.sendReset(ctx, u, c, to)
		})
		return err
	})
}

// SendReset sends a person the link that sets a new password, at the wish of who. For a frozen account it goes to an
// address that may open it; ErrYoung when there is none.
func (s *Service) SendReset(ctx context.Context, who access.Actor, user string) error {
	u, err := s.needs.Accounts.Get(ctx, user)
	if err != nil {
		return err
	}
	if u.Disabled() {
		return account.ErrDisabled
	}
	all, err := s.needs.Accounts.Openers(ctx, u)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return ErrYoung
	}
	l, err := s.resetLetter(ctx, who, u, all[0])
	if err != nil {
		return err
	}
	// Whoever asks waits for the answer: that it could not be sent is theirs to know.
	return s.needs.Send(ctx, l)
}

// resetLetter is the letter with a link that sets a new password.
func (s *Service) resetLetter(ctx context.Context, who access.Actor, u account.User, to account.Mailbox) (Letter, error) {
	token, err := s.needs.Accounts.Invite(ctx, who, account.Link{Purpose: account.LinkReset, Account: u.ID, Text: to.Email})
	return Letter{Kind: "reset", To: u.ID, Address: elsewhere(to), Fields: map[string]string{"link": s.link("/reset/new", token.Reveal())}}, err
}

// elsewhere is the address of a letter that may go to another one than the first.
func elsewhere(to account.Mailbox) string {
	if to.First {
		return ""
	}
	return to.Email
}

// sendReset sends the link that sets a new password, if to may open the account. A request that is refused leaves
// the links that were sent before as they are.
func (s *Service) sendReset(ctx context.Context, u account.User, c Client, to account.Mailbox) error {
	all, err := s.needs.Accounts.Openers(ctx, u)
	if err != nil || !slices.Contains(all, to) {
		return err
	}
	l, err := s.resetLetter(ctx, person(u.ID), u, to)
	if err != nil {
		return err
	}
	for name, value := range s.fieldsOf(c) {
		l.Fields[name] = value
	}
	l.Lang = c.Lang
	s.send(ctx, l)
	return nil
}

// Reset sets a new password for the holder of a link. Second proofs stay as they are, but of an account that was frozen: what
// was added shortly before may be somebody else's, and is taken away. A password that is refused leaves the link good.
func (s *Service) Reset(ctx context.Context, c Client, token, password string) (user string, err error) {
	l, err := s.needs.Accounts.Link(ctx, account.LinkReset, token)
	if err != nil {
		return "", err
	}
	before, err := s.needs.Accounts.Get(ctx, l.Account)
	if err != nil {
		return "", err
	}
	var added Added
	if before.Frozen() {
		if err := s.needs.Accounts.FitPassword(ctx, l.Account, password); err != nil {
			return "", err
		}
		// The account stays frozen until all this is done: after a crash it is done again.
		if added, err = s.needs.TakeBack(ctx, l.Account, before.FrozenAt.Add(-account.LinkFreeze.Lives())); err != nil {
			return "", err
		}
	}
	// The new password ends this link and all others with it: their epoch is over.
	taken, err := s.needs.Accounts.Recover(ctx, person(l.Account), l.Account, password, l.Text)
	if err != nil {
		return "", err
	}
	u, err := s.needs.Accounts.Get(ctx, l.Account)
	if err != nil {
		return "", err
	}
	s.tellTaken(ctx, u, c, added, taken)
	s.warn(ctx, "password-changed", u, c, "", nil)
	return u.ID, nil
}

// tellTaken tells a person what was taken away when the account was opened again; nothing when that was nothing.
func (s *Service) tellTaken(ctx context.Context, u account.User, c Client, added Added, taken account.Taken) {
	fields := map[string]string{}
	for name, all := range map[string][]string{"services": added.Links, "passkeys": added.Passkeys, "keys": added.Keys, "addresses": taken.Addresses} {
		if len(all) > 0 {
			fields[name] = strings.Join(all, ", ")
		}
	}
	if added.App {
		fields["factor"] = "authenticator app"
	}
	if len(fields) == 0 {
		return
	}
	fields["when"] = s.needs.Now().UTC().Format(time.RFC3339)
	fields["since"] = taken.Since.UTC().Format(time.RFC3339)
	s.send(ctx, Letter{Kind: "taken-back", To: u.ID, Lang: c.Lang, Fields: fields})
}
