package account

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// NewID is the id of an account that Vouched is going to make.
func NewID() string { return uuid.NewString() }

// Vouched makes an account with a private space and without a password for whoever somebody else vouches for,
// whose word the caller has checked: the address counts as proved. id is from NewID, and with it the call may be repeated,
// for a crash may have come between. ErrTaken when the address has another account.
func (s *Service) Vouched(ctx context.Context, id, email, name string) (User, error) {
	if err := s.FitVouched(email, name); err != nil {
		return User{}, err
	}
	now := s.needs.Now().UnixMicro()
	r := row{id: id, space: uuid.NewString(), index: s.index([]byte(Normal(email))), createdAt: now, verifiedAt: now}
	switch there, err := s.needs.Store.byEmail(ctx, r.index); {
	case err == nil && there.id == id:
		if !there.settled {
			if err := s.settle(ctx, there); err != nil {
				return User{}, err
			}
		}
		return s.open(ctx, there)
	case err == nil:
		return User{}, ErrTaken
	case !errors.Is(err, ErrNotFound):
		return User{}, err
	}
	return s.add(ctx, access.Actor{Kind: access.User, ID: id}, r, email, name)
}

// FitVouched says whether Vouched could make an account with this, and keeps nothing.
func (s *Service) FitVouched(email, name string) error {
	return errors.Join(checkEmail(email), checkName(name))
}

// HasPassword says whether a person can come in by a password at all.
func (s *Service) HasPassword(ctx context.Context, id string) (bool, error) {
	r, err := s.needs.Store.byID(ctx, id)
	return r.password != "", err
}
