package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// leaveEvery is how often is looked whose time is over.
const leaveEvery = 10 * time.Minute

// runLeaving erases the people whose time is over, until ctx ends.
func (s *Server) runLeaving(ctx context.Context) error {
	tick := time.NewTicker(leaveEvery)
	defer tick.Stop()
	for {
		if err := errors.Join(s.repairLeaving(ctx), s.eraseDue(ctx)); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "a person is not erased yet; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// eraseDue erases the people whose time is over: docs/acts/erase-person.md.
func (s *Server) eraseDue(ctx context.Context) error {
	ids, err := s.accounts.Due(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range ids {
		if err := s.erasePerson(ctx, id); err != nil {
			failed = append(failed, fmt.Errorf("erase account %s: %w", id, err))
		}
	}
	return errors.Join(failed...)
}

func (s *Server) erasePerson(ctx context.Context, id string) error {
	// 2. Journal and intent, in one transaction.
	e, err := s.accounts.Erase(ctx, operator, id)
	if err != nil {
		return err
	}
	if err := s.cut("person 2"); err != nil {
		return err
	}
	return s.finishPerson(ctx, e)
}

// finishPerson brings an erasure that is decided to its end. Each step can be repeated.
func (s *Server) finishPerson(ctx context.Context, e account.Erasure) error {
	if e.Done() {
		return nil
	}
	// 3. What lets the person in.
	if err := s.shutOut(ctx, e.Account, "person 3"); err != nil {
		return err
	}
	// 4. The private space: an erasure of its own.
	if err := s.eraseOwn(ctx, e.Space); err != nil {
		return err
	}
	if err := s.cut("person 4"); err != nil {
		return err
	}
	// 5. The key.
	if err := s.data.ring.Erase(ctx, keys.KindPerson, e.Account); err != nil {
		return err
	}
	if err := s.cut("person 5"); err != nil {
		return err
	}
	// 6. Step 3 once more, for what was under way. Then the proof.
	if err := s.shutOut(ctx, e.Account, "person 6"); err != nil {
		return err
	}
	// 7 is the operator's: a new keyring archive, and none that is older.
	_, err := s.accounts.Erased(ctx, operator, e.Account)
	return err
}

// shutOut takes step 3: it needs no key of the person.
func (s *Server) shutOut(ctx context.Context, user, step string) error {
	// .1. Sessions of browsers and of programs, second steps, links to other services, letters, what the guard
	// knows, which browsers take notices, and what others shared.
	for _, forget := range []func(context.Context, string) error{s.signin.Forget, s.social.Forget, s.tokens.Forget, s.factors.Forget, s.letters.Forget, s.guard.Forget, s.dashboards.Forget, s.triggers.Forget} {
		if err := forget(ctx, user); err != nil {
			return err
		}
	}
	s.dropUsers(func(who access.Actor) bool { return who.ID == user })
	if err := s.cut(step + ".1"); err != nil {
		return err
	}
	// .2. API keys.
	all, err := s.apikeys.Living(ctx, user)
	if err != nil {
		return err
	}
	for _, id := range all {
		if err := s.apikeys.Revoke(ctx, operator, id); err != nil {
			return fmt.Errorf("revoke API key %s: %w", id, err)
		}
	}
	if err := s.cut(step + ".2"); err != nil {
		return err
	}
	// .3. Memberships. Where the person was the only administrator the id stays, which
	// is nobody's: leaving was refused to whoever was that then.
	spaces, err := s.orgs.Of(ctx, user)
	if err != nil {
		return err
	}
	for _, m := range spaces {
		if m.Space.Kind != org.Shared {
			continue
		}
		if err := s.orgs.SetRole(ctx, operator, m.Space.ID, user, access.NoRole); err != nil && !errors.Is(err, org.ErrLastAdmin) {
			return fmt.Errorf("remove account %s from space %s: %w", user, m.Space.ID, err)
		}
	}
	return s.cut(step + ".3")
}

// eraseOwn erases the private space of a person, or brings that to its end.
func (s *Server) eraseOwn(ctx context.Context, space string) error {
	size, err := s.sizeOf(ctx, space)
	if err != nil {
		return err
	}
	e, err := s.orgs.ErasePrivate(ctx, operator, space, size)
	if errors.Is(err, org.ErrNotFound) {
		return nil // it was never made
	}
	if err != nil {
		return err
	}
	_, err = s.erase(ctx, e)
	return err
}

// repairLeaving brings to their end erasures of people that were interrupted, and decides
// anew those of which only the mark in the keyring is left.
func (s *Server) repairLeaving(ctx context.Context) error {
	gone, err := s.data.ring.Erased(ctx, keys.KindPerson)
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range gone {
		e, err := s.accounts.Erase(ctx, operator, id) // of whom no row is there this changes nothing
		if err == nil {
			err = s.finishPerson(ctx, e)
		}
		if err != nil && !errors.Is(err, account.ErrNotFound) {
			failed = append(failed, fmt.Errorf("erase account %s again, whose key is gone: %w", id, err))
		}
	}
	all, err := s.accounts.Erasures(ctx)
	if err != nil {
		return errors.Join(append(failed, err)...)
	}
	for _, e := range all {
		s.log.InfoContext(ctx, "going on with the erasure of a person", "account", e.Account)
		if err := s.finishPerson(ctx, e); err != nil {
			failed = append(failed, fmt.Errorf("erase account %s: %w", e.Account, err))
		}
	}
	return errors.Join(failed...)
}
