package org

import (
	"context"
	"errors"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrOwner is an attempt to take the owner's place away.
	ErrOwner = problem.New(problem.Precondition, "space-owner", "This person owns the space and stays its administrator until it is handed over to somebody else.")
	// ErrOwnerLeaves is an owner who wants to leave.
	ErrOwnerLeaves = problem.New(problem.Precondition, "space-owner-leaves", "You own this space: hand it over to another member first, or disband it.")
	// ErrNotOwner is a hand-over or an end by somebody else.
	ErrNotOwner = problem.New(problem.Forbidden, "space-not-owner", "Only the owner of this space can hand it over or disband it.")
	// ErrNotOffered is somebody who takes what was not offered.
	ErrNotOffered = problem.New(problem.Precondition, "space-not-offered", "This space was not offered to you, or the offer was withdrawn.")
	// ErrNotNamed is a space to be disbanded that was not named.
	ErrNotNamed = problem.New(problem.Precondition, "space-not-named", "Nothing was erased: name must be the space's name, exactly.")
)

// sharedSpace finds a shared space.
func (s *Service) sharedSpace(ctx context.Context, space string) (row, error) {
	r, err := s.needs.Store.get(ctx, space)
	if err == nil && r.kind == Private {
		err = ErrPrivate
	}
	return r, err
}

// Rename gives a space another name.
func (s *Service) Rename(ctx context.Context, who access.Actor, space, name string) error {
	sealed, err := s.sealName(ctx, space, name)
	if err != nil {
		return err
	}
	return s.needs.Store.rename(ctx, space, sealed, s.entry(who, "org:rename", space, nil))
}

// Leave takes a member out of a shared space by their own wish. The owner and the last
// administrator stay.
func (s *Service) Leave(ctx context.Context, who access.Actor, space string) error {
	r, err := s.sharedSpace(ctx, space)
	if err != nil {
		return err
	}
	if r.owner == who.ID {
		return ErrOwnerLeaves
	}
	if err := s.needs.Store.remove(ctx, space, who.ID, s.entry(who, "member:leave", space, map[string]string{"account": who.ID})); err != nil {
		return err
	}
	s.changed(space, who.ID)
	return nil
}

// HandOver makes another member the owner: at once when they are an administrator
// already, else when they agree with TakeOver. Handing over to oneself withdraws an
// offer. The old owner stays an administrator.
func (s *Service) HandOver(ctx context.Context, who access.Actor, space, user string) (done bool, err error) {
	r, err := s.sharedSpace(ctx, space)
	if err != nil {
		return false, err
	}
	if err := s.asOwner(ctx, who, r); err != nil {
		return false, err
	}
	heir, err := s.needs.Store.role(ctx, space, user)
	if err != nil {
		return false, err
	}
	if heir == access.NoRole {
		return false, ErrNoMember
	}
	detail := map[string]string{"account": user}
	if heir == access.Admin || who.Kind == access.System {
		if err := s.needs.Store.setOwner(ctx, space, r.owner, user, s.needs.Now(), s.entry(who, "org:owner", space, detail)); err != nil {
			return false, err
		}
		s.changed(space, user)
		return true, nil
	}
	return false, s.needs.Store.setHeir(ctx, space, user, s.entry(who, "org:offer", space, detail))
}

// asOwner refuses who is not the owner of a shared space. When the operator has taken the
// owner out of the way, every administrator stands in, so that the others can go on.
func (s *Service) asOwner(ctx context.Context, who access.Actor, r row) error {
	if who.Kind == access.System || who.ID == r.owner {
		return nil
	}
	role, err := s.needs.Store.role(ctx, r.id, r.owner)
	if err == nil && role == access.Admin {
		err = ErrNotOwner
	}
	return err
}

// TakeOver makes who the owner of a space that was offered to them.
func (s *Service) TakeOver(ctx context.Context, who access.Actor, space string) error {
	r, err := s.sharedSpace(ctx, space)
	if err != nil {
		return err
	}
	if r.heir == "" || r.heir != who.ID {
		return ErrNotOffered
	}
	if err := s.needs.Store.setOwner(ctx, space, r.owner, who.ID, s.needs.Now(), s.entry(who, "org:owner", space, map[string]string{"account": who.ID})); err != nil {
		return err
	}
	s.changed(space, who.ID)
	return nil
}

// Disband destroys a shared space with all that it has, for ever: docs/acts/erase-space.md.
// The owner alone may, and name says it a second time.
func (s *Service) Disband(ctx context.Context, who access.Actor, space, name string) (Erasure, error) {
	r, err := s.needs.Store.get(ctx, space)
	if err != nil {
		return Erasure{}, err
	}
	if r.kind == Private {
		return Erasure{}, ErrErasePrivate
	}
	if err := s.asOwner(ctx, who, r); err != nil {
		return Erasure{}, err
	}
	if sp, err := s.open(ctx, r); err != nil || sp.Name != name {
		return Erasure{}, errors.Join(err, ErrNotNamed)
	}
	// The act itself is the server's; who asked for it stands here.
	if err := s.needs.Store.note(ctx, space, s.entry(who, "org:disband", space, nil)); err != nil {
		return Erasure{}, err
	}
	return s.needs.Erase(ctx, space, name)
}

// changed tells that somebody's role is another.
func (s *Service) changed(space, user string) {
	s.roles.Changed()
	s.Changes.Publish(Change{space, user})
}
