package ca

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// maxAccept is how far ahead the end of an older generation may be: longer than
// any board's certificate lives (31 years).
const maxAccept = 50 * 365 * 24 * time.Hour

// Rotate starts a new generation of the CA: docs/acts/rotate-device-ca.md.
// Certificates of older generations count until acceptOldUntil at the latest; a
// time that is now or past ends them at once.
func (s *Service) Rotate(ctx context.Context, who access.Actor, acceptOldUntil time.Time) (Generation, error) {
	s.acts.Lock()
	defer s.acts.Unlock()
	// 1. Check the date, and that no rotation is under way.
	if who.Kind != access.System {
		return Generation{}, access.ErrDenied // the CA is nobody's space
	}
	now := s.needs.Now()
	if acceptOldUntil.After(now.Add(maxAccept)) {
		return Generation{}, ErrDate
	}
	if acceptOldUntil.Before(now) {
		acceptOldUntil = now
	}
	all, err := s.needs.Store.generations(ctx)
	if err != nil {
		return Generation{}, err
	}
	if len(all) == 0 {
		return Generation{}, ErrNotReady
	}
	if last := all[len(all)-1]; last.Phase == Planned {
		if _, err := s.make(ctx, who, last); err != nil {
			return Generation{}, err
		}
		return Generation{}, ErrRotating.With("An interrupted rotation has been brought to its end. Rotate again if that was not enough.")
	}
	if err := s.cut("rotate", 1); err != nil {
		return Generation{}, err
	}
	return s.newGeneration(ctx, who, all[len(all)-1].Number+1, acceptOldUntil)
}

// newGeneration takes steps 2 to 5. s.acts is held.
func (s *Service) newGeneration(ctx context.Context, who access.Actor, number int, acceptOldUntil time.Time) (Generation, error) {
	// 2. Plan: row and journal.
	g := Generation{
		Number: number, Phase: Planned, KeyName: "device-ca-" + strconv.Itoa(number),
		CreatedAt: s.needs.Now(), AcceptOldUntil: acceptOldUntil,
	}
	e := s.entry(who, "", "ca:rotate", strconv.Itoa(number), map[string]string{"accept_old_until": acceptOldUntil.UTC().Format(time.RFC3339)})
	if err := s.needs.Store.plan(ctx, g, e); err != nil {
		return Generation{}, fmt.Errorf("plan generation %d: %w", number, err)
	}
	if err := s.cut("rotate", 2); err != nil {
		return Generation{}, err
	}
	return s.make(ctx, who, g)
}

// make takes a planned generation through steps 3 to 5. s.acts is held.
func (s *Service) make(ctx context.Context, who access.Actor, g Generation) (Generation, error) {
	// 3. The private key: made on first use only.
	key, err := s.needs.Keys.Signer(ctx, g.KeyName)
	if err != nil {
		return Generation{}, fmt.Errorf("key of generation %d: %w", g.Number, err)
	}
	if err := s.cut("rotate", 3); err != nil {
		return Generation{}, err
	}
	// 4. Root certificate, the new order of generations and the journal.
	if g.Certificate, err = newRoot(key, s.needs.Now()); err != nil {
		return Generation{}, fmt.Errorf("root certificate of generation %d: %w", g.Number, err)
	}
	if err := s.needs.Store.activate(ctx, g, s.entry(who, "", "ca:activate", strconv.Itoa(g.Number), nil)); err != nil && !errors.Is(err, ErrInterrupted) {
		return Generation{}, fmt.Errorf("activate generation %d: %w", g.Number, err)
	}
	if err := s.cut("rotate", 4); err != nil {
		return Generation{}, err
	}
	// 5. Tell everyone.
	if err := s.announce(ctx); err != nil {
		return Generation{}, err
	}
	if err := s.cut("rotate", 5); err != nil {
		return Generation{}, err
	}
	return s.active()
}

// announce takes what is on disk into memory, into the file of roots and to all listeners.
func (s *Service) announce(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	if s.needs.Publish != nil {
		if err := s.needs.Publish(s.PEM()); err != nil {
			return fmt.Errorf("publish the roots of the device CA: %w", err)
		}
	}
	s.Changes.Publish(Change{})
	select {
	case s.wake <- struct{}{}:
	default: // Run has not looked yet
	}
	return nil
}

// repairGenerations goes on with what was planned, makes the first generation, and
// announces in any case, because the file of roots may be missing. s.acts is held.
func (s *Service) repairGenerations(ctx context.Context) error {
	system := access.Actor{Kind: access.System}
	all, err := s.needs.Store.generations(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		_, err := s.newGeneration(ctx, system, 1, s.needs.Now())
		return err
	}
	if last := all[len(all)-1]; last.Phase == Planned {
		s.needs.Log.InfoContext(ctx, "going on with an interrupted rotation of the device CA", "generation", last.Number)
		_, err := s.make(ctx, system, last)
		return err
	}
	return s.announce(ctx)
}

// Accept changes until when certificates of an older generation count. A time that
// is now or past ends them at once and closes their sessions.
func (s *Service) Accept(ctx context.Context, who access.Actor, number int, until time.Time) error {
	s.acts.Lock()
	defer s.acts.Unlock()
	if who.Kind != access.System {
		return access.ErrDenied
	}
	now := s.needs.Now()
	if until.After(now.Add(maxAccept)) {
		return ErrDate
	}
	if until.Before(now) {
		until = now
	}
	e := s.entry(who, "", "ca:accept", strconv.Itoa(number), map[string]string{"until": until.UTC().Format(time.RFC3339)})
	if err := s.needs.Store.accept(ctx, number, until, e); err != nil {
		return err
	}
	return s.announce(ctx)
}

// Forget drops what is cached and reads the generations again: for changes that
// another process on the same database made.
func (s *Service) Forget(ctx context.Context) error {
	if err := s.load(ctx); err != nil {
		return err
	}
	s.Changes.Publish(Change{})
	return nil
}

// Run ends generations when their time has come, until ctx ends: Check refuses
// them by itself, but pool, file and open sessions have to be told.
func (s *Service) Run(ctx context.Context) error {
	for {
		s.endNow(ctx)
		var timer <-chan time.Time
		if next, some := s.nextEnd(); some {
			timer = time.After(next.Sub(s.needs.Now()))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-timer:
		}
	}
}

// endNow tells everyone if a generation has ended since it was taken into the pool.
func (s *Service) endNow(ctx context.Context) {
	s.mu.Lock()
	before := s.published
	s.repool()
	ended := s.published != before
	s.mu.Unlock()
	if !ended {
		return
	}
	s.needs.Log.InfoContext(ctx, "a generation of the device CA is accepted no more")
	if s.needs.Publish != nil {
		if err := s.needs.Publish(s.PEM()); err != nil {
			// Check does not need the file, and the next start or rotation writes it.
			s.needs.Log.ErrorContext(ctx, "cannot publish the roots of the device CA", "err", err)
		}
	}
	s.Changes.Publish(Change{})
}

// nextEnd is when the next generation ends that is still in the pool.
func (s *Service) nextEnd() (next time.Time, some bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.needs.Now()
	for _, g := range s.generations {
		if g.accepted(now) && !g.AcceptedUntil.IsZero() && (!some || g.AcceptedUntil.Before(next)) {
			next, some = g.AcceptedUntil, true
		}
	}
	return next, some
}
