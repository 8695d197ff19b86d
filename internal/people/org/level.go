package org

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrLevel is a level of signing in that is none of Levels.
	ErrLevel = problem.New(problem.Invalid, "space-level", "People sign in by one of password, two-step, passkey.")
	// ErrWeaker is a person who has not signed in as surely as the space asks.
	ErrWeaker = problem.New(problem.Forbidden, "space-sign-in", "This space asks people to sign in more surely.")
	// ErrWeakKey is an API key that somebody made who had not signed in as surely as the space asks.
	ErrWeakKey = problem.New(problem.Forbidden, "space-weak-key", "This space asks for a surer way to sign in than whoever made this API key had.")
)

// A Level is how surely somebody has signed in.
type Level string

// The levels, from the weakest.
const (
	Password Level = "password" // what one knows; each space has this at least
	TwoStep  Level = "two-step" // and a code from what one has
	Passkey  Level = "passkey"  // what cannot be phished
)

// Levels are all of them, from the weakest.
func Levels() []Level { return []Level{Password, TwoStep, Passkey} }

// ParseLevel reads a level as people write it.
func ParseLevel(text string) (Level, error) {
	if l := Level(text); slices.Contains(Levels(), l) {
		return l, nil
	}
	return "", ErrLevel
}

// Meets says whether who signed in by l may come in where want is asked. What is no
// level meets none.
func (l Level) Meets(want Level) bool {
	have, need := slices.Index(Levels(), l), slices.Index(Levels(), want)
	return have >= 0 && need >= 0 && have >= need
}

// todo says what to do to get to a level.
var todo = map[Level]string{
	Password: "Sign in with your password.",
	TwoStep:  "Sign in again with your second step (a code of your app, or a passkey); if you have none yet, add one to your account first.",
	Passkey:  "Sign in again with a passkey; if you have none yet, add one to your account first.",
}

// weaker is the error of somebody who is not at level want.
func weaker(who access.Actor, want Level) error {
	if who.Kind == access.APIKey {
		return ErrWeakKey.With("This space asks for signing in by " + string(want) + ", and whoever made this API key had signed in with less. Sign in so, make a new key, and revoke this one.")
	}
	return ErrWeaker.With("This space asks for signing in by " + string(want) + ". " + todo[want])
}

// Require says how surely people must sign in to enter a shared space, from now on. A
// person can ask no more than they do themselves: whoever asks must not be locked out.
func (s *Service) Require(ctx context.Context, who access.Actor, space string, level Level) error {
	if !slices.Contains(Levels(), level) {
		return ErrLevel
	}
	if err := s.atLevel(ctx, who, level); err != nil {
		return err
	}
	if _, err := s.sharedSpace(ctx, space); errors.Is(err, ErrPrivate) {
		return ErrLevel.With("A private space asks for nothing: it is as safe as its owner's own way to sign in.")
	} else if err != nil {
		return err
	}
	if err := s.needs.Store.setLevel(ctx, space, level, s.entry(who, "org:level", space, map[string]string{"level": string(level)})); err != nil {
		return err
	}
	s.levels.Changed()
	s.Changes.Publish(Change{Space: space}) // who is connected is looked at again
	return nil
}

// Required is how surely people must have signed in to enter a space.
func (s *Service) Required(ctx context.Context, space string) (Level, error) {
	level, err := s.levels.Get(space, func() (Level, error) {
		r, err := s.needs.Store.get(ctx, space)
		return r.level, err
	})
	if err != nil {
		return "", fmt.Errorf("level of space %s: %w", space, err)
	}
	return level, nil
}

// signs says whether it matters how surely who has signed in: of people, and of the keys that
// they made, which would otherwise be the way around what the space asks. Devices do not sign in.
func signs(who access.Actor) bool { return who.Kind == access.User || who.Kind == access.APIKey }

// Admit refuses people who have not signed in as surely as the space asks, and keys that were made
// by somebody who had not.
func (s *Service) Admit(ctx context.Context, who access.Actor, space string) error {
	if !signs(who) {
		return nil
	}
	want, err := s.Required(ctx, space)
	if err != nil {
		return err
	}
	return s.atLevel(ctx, who, want)
}

// AdmitAll refuses people who have not signed in as surely as all their spaces ask: for
// what opens all of them, as an API key does that is bound to none.
func (s *Service) AdmitAll(ctx context.Context, who access.Actor) error {
	if !signs(who) {
		return nil
	}
	rows, err := s.needs.Store.of(ctx, who.ID)
	if err != nil {
		return fmt.Errorf("spaces of account %s: %w", who.ID, err)
	}
	for _, r := range rows {
		if err := s.atLevel(ctx, who, r.level); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) atLevel(ctx context.Context, who access.Actor, want Level) error {
	if !signs(who) || want == Password {
		return nil
	}
	have, err := s.needs.Level(ctx, who)
	if err != nil {
		return fmt.Errorf("how account %s has signed in: %w", who.ID, err)
	}
	if !have.Meets(want) {
		return weaker(who, want)
	}
	return nil
}
