package signin

import (
	"context"
	"errors"
	"net/mail"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// ErrOtherAccount is a link that adds an address to another account than that of who is signed in.
var ErrOtherAccount = problem.New(problem.Forbidden, "signin-other-account", "This link brings an e-mail address into another account than the one you are signed in to. If you did not ask for it, leave it. If you did, sign out, sign in to that account and follow the link again.")

func (s *Service) addressPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /account/addresses":         s.fresh(s.getAddresses),
		"POST /account/addresses":        s.fresh(s.postAddress),
		"POST /account/addresses/prefer": s.fresh(s.postPrefer),
		"POST /account/addresses/remove": s.fresh(s.postDropAddress),

		"GET /account/addresses/confirm":  s.getProof("also", account.LinkAddress),
		"POST /account/addresses/confirm": s.postProof(s.Added, "further", "/account/addresses"),

		"GET /account/email/confirm":  s.getProof("move", account.LinkEmail),
		"POST /account/email/confirm": s.postProof(s.Moved, "moved", "/account"),
	}
}

// Also sends a link to a further address of a person, which becomes that when it is followed.
// Whether somebody has the address already is not told.
func (s *Service) Also(ctx context.Context, c Client, in Session, email string) error {
	if !in.Fresh(s.needs.Now()) {
		return ErrProof
	}
	if a, err := mail.ParseAddress(email); err != nil || a.Address != email || len(email) > maxTyped {
		return account.ErrEmail
	}
	return s.proveAddress(ctx, c, in, email, account.LinkAddress, "/account/addresses/confirm")
}

// ownLink is a link of Also or Move, in the hands of the person whose address it proves: ErrOtherAccount for anybody else, who
// may have been sent it to bring their address into an account that is not theirs.
func (s *Service) ownLink(ctx context.Context, in Session, purpose account.Purpose, token string) error {
	l, err := s.needs.Accounts.Link(ctx, purpose, token)
	if err == nil && l.Account != in.Account {
		err = ErrOtherAccount
	}
	return err
}

// proved uses such a link up.
func (s *Service) proved(ctx context.Context, in Session, purpose account.Purpose, token string) (account.User, string, error) {
	if err := s.ownLink(ctx, in, purpose, token); err != nil {
		return account.User{}, "", err
	}
	l, err := s.needs.Accounts.Redeem(ctx, purpose, token)
	if err != nil {
		return account.User{}, "", err
	}
	u, err := s.needs.Accounts.Get(ctx, l.Account)
	return u, l.Text, err
}

// Added uses the link of Also up, for the person who is signed in. The person is told at the first address.
func (s *Service) Added(ctx context.Context, c Client, in Session, token string) error {
	u, email, err := s.proved(ctx, in, account.LinkAddress, token)
	if err != nil {
		return err
	}
	if err := s.needs.Accounts.AddAddress(ctx, person(u.ID), u.ID, email); err != nil {
		return err
	}
	s.warn(ctx, "address-added", u, c, "", nil)
	return nil
}

func (s *Service) getAddresses(v *visit) error { return s.showAddresses(v, nil) }

func (s *Service) showAddresses(v *visit, told error) error {
	all, err := s.needs.Accounts.Further(v.r.Context(), v.user.ID)
	if err != nil {
		return err
	}
	return s.home(v, "addresses", all, told)
}

func (s *Service) addressProblem(v *visit, err error) error {
	if isPersons(err) || isLimited(err) {
		return s.showAddresses(v, err)
	}
	return err
}

func (s *Service) postAddress(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Also(v.r.Context(), v.client, v.session, strings.TrimSpace(v.r.PostForm.Get("email"))); err != nil {
		return s.addressProblem(v, err)
	}
	v.redirect("/account/addresses?done=address")
	return nil
}

func (s *Service) postPrefer(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	before, err := s.needs.Accounts.Prefer(v.r.Context(), person(v.user.ID), v.user.ID, v.r.PostForm.Get("id"))
	if err != nil {
		return s.addressProblem(v, err)
	}
	s.warn(v.r.Context(), "email-changed", v.user, v.client, before, nil)
	v.redirect("/account/addresses?done=preferred")
	return nil
}

func (s *Service) postDropAddress(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Dropped(v.r.Context(), v.client, v.user, v.r.PostForm.Get("id")); err != nil && !errors.Is(err, account.ErrNoAddress) {
		return err
	}
	v.redirect("/account/addresses?done=dropped")
	return nil
}

// Dropped takes a further address of a person away, and tells that at both it and the first: it may be the person's
// own, and who removed it somebody else.
func (s *Service) Dropped(ctx context.Context, c Client, u account.User, id string) error {
	all, err := s.needs.Accounts.Further(ctx, u.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(f account.Further) bool { return f.ID == id })
	if i < 0 {
		return account.ErrNoAddress
	}
	if err := s.needs.Accounts.DropAddress(ctx, person(u.ID), u.ID, id); err != nil {
		return err
	}
	for _, to := range []string{all[i].Email, ""} {
		s.warn(ctx, "address-removed", u, c, to, nil)
	}
	return nil
}

// getProof shows what a link from a mail would do, and to whose account. Looking at it does nothing: programs that check
// mail look at links, too.
func (s *Service) getProof(key string, purpose account.Purpose) func(v *visit) error {
	return func(v *visit) error {
		token := v.r.URL.Query().Get("token")
		if err := s.ownLink(v.r.Context(), v.session, purpose, token); err != nil {
			return err
		}
		return s.show(v, "confirm", view{Key: key, Action: v.r.URL.Path, Token: token, Data: v.user.Name}, nil)
	}
}

// postProof does it, says so in the message key, and goes on to the page next.
func (s *Service) postProof(do func(context.Context, Client, Session, string) error, key, next string) func(v *visit) error {
	return func(v *visit) error {
		if err := v.form(); err != nil {
			return err
		}
		if err := do(v.r.Context(), v.client, v.session, v.r.PostForm.Get("token")); err != nil {
			return err
		}
		return s.message(v, key, next, nil)
	}
}
