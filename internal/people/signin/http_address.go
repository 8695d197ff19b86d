package signin

import (
	"context"
	"errors"
	"net/mail"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/people/account"
)

func (s *Service) addressPages() map[string]func(v *visit) error {
	return map[string]func(v *visit) error{
		"GET /account/addresses":         s.fresh(s.getAddresses),
		"POST /account/addresses":        s.fresh(s.postAddress),
		"POST /account/addresses/prefer": s.fresh(s.postPrefer),
		"POST /account/addresses/remove": s.fresh(s.postDropAddress),
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

// Added uses the link of Also up. The person is told at the first address.
func (s *Service) Added(ctx context.Context, c Client, token string) error {
	l, err := s.needs.Accounts.Redeem(ctx, account.LinkAddress, token)
	if err != nil {
		return err
	}
	u, err := s.needs.Accounts.Get(ctx, l.Account)
	if err != nil {
		return err
	}
	if err := s.needs.Accounts.AddAddress(ctx, person(u.ID), u.ID, l.Text); err != nil {
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
	err := s.needs.Accounts.DropAddress(v.r.Context(), person(v.user.ID), v.user.ID, v.r.PostForm.Get("id"))
	if err != nil && !errors.Is(err, account.ErrNoAddress) {
		return err
	}
	v.redirect("/account/addresses?done=dropped")
	return nil
}

func (s *Service) postAdded(v *visit) error {
	if err := v.form(); err != nil {
		return err
	}
	if err := s.Added(v.r.Context(), v.client, v.r.PostForm.Get("token")); err != nil {
		return err
	}
	return s.message(v, "further", "/account/addresses", nil)
}
