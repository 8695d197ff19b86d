package org

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// An Erasure is the intent to erase a space and, once it is done, the proof of it:
// docs/acts/erase-space.md, steps 2 and 6. It outlives the space.
type Erasure struct {
	Space   string // id
	Actor   string // who erased it, as the journal names actors
	Size    Size
	BeganAt time.Time
	DoneAt  time.Time // zero: not yet

	withPerson bool // the private space of a person who is erased
}

// Done says whether the space is erased.
func (e Erasure) Done() bool { return !e.DoneAt.IsZero() }

// A Size is what a space has.
type Size struct {
	Things, Devices int // deleted ones included
	Members         int
	Keys            int // API keys for this space alone
}

// erasing is the part of Store that erasures need.
type erasing interface {
	// erase replaces the space and its members by the intent, of which it counts the
	// members; or ErrNotFound, ErrErasePrivate. An intent that is there stays as it is.
	erase(ctx context.Context, e Erasure, entry func(Erasure) journal.Entry) (Erasure, error)
	erasure(ctx context.Context, id string) (Erasure, error) // or ErrNotFound
	erasures(ctx context.Context) ([]Erasure, error)         // not done yet, by age
	erased(ctx context.Context, id string, at time.Time, entry func(Erasure) journal.Entry) (Erasure, error)
}

// Erase decides that a shared space is erased. From here on it has no members and
// takes no one in, not even after a crash; what it has elsewhere is the caller's to
// remove, and size says how much that is. It is repeatable.
func (s *Service) Erase(ctx context.Context, who access.Actor, space string, size Size) (Erasure, error) {
	return s.decide(ctx, who, Erasure{Space: space, Size: size})
}

// ErasePrivate decides that the private space of a person is erased, who is erased
// at the same time. Else it is Erase.
func (s *Service) ErasePrivate(ctx context.Context, who access.Actor, space string, size Size) (Erasure, error) {
	return s.decide(ctx, who, Erasure{Space: space, Size: size, withPerson: true})
}

func (s *Service) decide(ctx context.Context, who access.Actor, e Erasure) (Erasure, error) {
	// 2. Journal and intent in one transaction, which also takes the space away.
	e.Actor, e.BeganAt = who.String(), s.needs.Now().UTC().Truncate(time.Microsecond)
	space := e.Space
	e, err := s.needs.Store.erase(ctx, e, func(e Erasure) journal.Entry { return s.entry(who, "org:erase", space, e.Size.detail()) })
	if err != nil {
		return Erasure{}, err
	}
	s.roles.Changed()
	s.shared.Changed()
	e.withPerson = false
	return e, nil
}

// Erasure tells of the erasure of a space; ErrNotFound when nobody decided it.
func (s *Service) Erasure(ctx context.Context, space string) (Erasure, error) {
	return s.needs.Store.erasure(ctx, space)
}

// Erasures tells which erasures are still to be brought to their end.
func (s *Service) Erasures(ctx context.Context) ([]Erasure, error) {
	all, err := s.needs.Store.erasures(ctx)
	if err != nil {
		return nil, fmt.Errorf("list erasures: %w", err)
	}
	return all, nil
}

// Erased writes the proof that nothing of a space can be read any more, which the
// caller has seen to. It is repeatable: the first proof stays.
func (s *Service) Erased(ctx context.Context, who access.Actor, space string) (Erasure, error) {
	// 6. The proof, with its entry.
	e, err := s.needs.Store.erased(ctx, space, s.needs.Now(), func(e Erasure) journal.Entry {
		return s.entry(who, "org:erased", space, e.Size.detail())
	})
	if err != nil {
		return Erasure{}, fmt.Errorf("prove the erasure of space %s: %w", space, err)
	}
	return e, nil
}

func (z Size) detail() map[string]string {
	return map[string]string{"things": strconv.Itoa(z.Things), "devices": strconv.Itoa(z.Devices),
		"members": strconv.Itoa(z.Members), "apikeys": strconv.Itoa(z.Keys)}
}
