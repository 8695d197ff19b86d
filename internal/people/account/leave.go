package account

import (
	"context"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// An Erasure is the intent to erase a person and, once it is done, the proof of it:
// docs/acts/erase-person.md, steps 2 and 6. It outlives the account.
type Erasure struct {
	Account string // id
	Space   string // the private one
	Actor   string // who erased it, as the journal names actors
	BeganAt time.Time
	DoneAt  time.Time // zero: not yet
}

// Done says whether the person is erased.
func (e Erasure) Done() bool { return !e.DoneAt.IsZero() }

// leavings is the part of Store that erasures need.
type leavings interface {
	empty(ctx context.Context) (bool, error)
	// due lists the accounts that leave at or before now, or are unproved since before.
	due(ctx context.Context, now, unproved int64) ([]string, error)
	// erase replaces the account and all rows of this room by the intent; an intent that
	// is there stays as it is. ErrNotFound when there is neither.
	erase(ctx context.Context, id, actor string, at int64, e journal.Entry) (Erasure, error)
	erasure(ctx context.Context, id string) (Erasure, error) // or ErrNotFound
	erasures(ctx context.Context) ([]Erasure, error)         // not done yet, by age
	erased(ctx context.Context, id string, at int64, e journal.Entry) (Erasure, error)
}

// Leave has the account erased after Grace, unless its person stays after all.
func (s *Service) Leave(ctx context.Context, who access.Actor, id string) (User, error) {
	until := s.needs.Now().Add(Grace).UnixMicro()
	r, err := s.needs.Store.change(ctx, id, func(r *row) {
		if r.leavingAt == 0 {
			r.leavingAt = until
		}
	}, s.entry(who, "account:leave", id))
	if err != nil {
		return User{}, err
	}
	return s.open(ctx, r)
}

// Stay takes Leave back.
func (s *Service) Stay(ctx context.Context, who access.Actor, id string) (User, error) {
	r, err := s.needs.Store.change(ctx, id, func(r *row) { r.leavingAt = 0 }, s.entry(who, "account:stay", id))
	if err != nil {
		return User{}, err
	}
	return s.open(ctx, r)
}

// Due lists whose time is over: those who left, and accounts whose address nobody proved.
func (s *Service) Due(ctx context.Context) ([]string, error) {
	now := s.needs.Now()
	ids, err := s.needs.Store.due(ctx, now.UnixMicro(), now.Add(-Unproved).UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("list accounts to erase: %w", err)
	}
	return ids, nil
}

// Erase decides that a person is erased. From here on there is no such account, not
// even after a crash; what the person has elsewhere is the caller's to remove. It is
// repeatable, and needs no key.
func (s *Service) Erase(ctx context.Context, who access.Actor, id string) (Erasure, error) {
	// 2. Journal and intent in one transaction, which also takes the account away.
	e, err := s.needs.Store.erase(ctx, id, who.String(), s.needs.Now().UnixMicro(), s.entry(who, "account:erase", id))
	if err != nil {
		return Erasure{}, fmt.Errorf("decide to erase account %s: %w", id, err)
	}
	s.changed(id)
	return e, nil
}

// Erasure tells of the erasure of a person; ErrNotFound when nobody decided it.
func (s *Service) Erasure(ctx context.Context, id string) (Erasure, error) {
	return s.needs.Store.erasure(ctx, id)
}

// Erasures tells which erasures are still to be brought to their end.
func (s *Service) Erasures(ctx context.Context) ([]Erasure, error) {
	all, err := s.needs.Store.erasures(ctx)
	if err != nil {
		return nil, fmt.Errorf("list erasures of people: %w", err)
	}
	return all, nil
}

// Erased writes the proof that nothing of a person can be read any more, which the
// caller has seen to. It is repeatable: the first proof stays.
func (s *Service) Erased(ctx context.Context, who access.Actor, id string) (Erasure, error) {
	// 6. The proof, with its entry.
	e, err := s.needs.Store.erased(ctx, id, s.needs.Now().UnixMicro(), s.entry(who, "account:erased", id))
	if err != nil {
		return Erasure{}, fmt.Errorf("prove the erasure of account %s: %w", id, err)
	}
	return e, nil
}
