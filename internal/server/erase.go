package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// errNotTwice is an erasure that was not said twice.
var errNotTwice = problem.New(problem.Precondition, "space-erase-not-confirmed", "Nothing was erased: --yes-erase must be the space's name.")

type wireErase struct {
	Space string `json:"space"`
	Yes   string `json:"yes"` // the space's name; "" only asks what would be erased
}

// wireErasure is what would be erased, or the proof that it was.
type wireErasure struct {
	ID       string     `json:"id"`
	Name     string     `json:"name,omitempty"` // before the erasure only: afterwards nobody knows it
	Things   int        `json:"things"`
	Devices  int        `json:"devices"`
	Members  int        `json:"members"`
	Keys     int        `json:"api_keys"`
	BeganAt  *time.Time `json:"began_at,omitempty"`
	ErasedAt *time.Time `json:"erased_at,omitempty"`
	Todo     string     `json:"todo"`
}

func toWireErasure(e org.Erasure) wireErasure {
	w := wireErasure{ID: e.Space, Things: e.Size.Things, Devices: e.Size.Devices, Members: e.Size.Members, Keys: e.Size.Keys}
	if !e.BeganAt.IsZero() {
		w.BeganAt = &e.BeganAt
	}
	if e.Done() {
		w.ErasedAt = &e.DoneAt
		w.Todo = "Run ardesia backup, then delete every keyring archive from before " + e.DoneAt.Format(time.RFC3339) +
			", copies included: they still have the key. ardesia backup itself deletes those older than 7 days."
	}
	return w
}

// spaceErase erases a shared space: docs/acts/erase-space.md, which has the numbers
// of the steps. It may be asked again at any time, and then answers with the first proof.
func (s *Server) spaceErase(ctx context.Context, in wireErase) (any, error) {
	e, err := s.orgs.Erasure(ctx, in.Space)
	if errors.Is(err, org.ErrNotFound) {
		// 1. It is a shared space, and was named twice. Who asks is the operator, or the
		// owner by disband, whom the policy has let through.
		sp, err := s.orgs.Get(ctx, in.Space)
		if err != nil {
			return nil, err
		}
		if sp.Kind == org.Private {
			return nil, org.ErrErasePrivate
		}
		size, err := s.sizeOf(ctx, sp.ID)
		if err != nil {
			return nil, err
		}
		switch in.Yes {
		case sp.Name:
		case "":
			w := toWireErasure(org.Erasure{Space: sp.ID, Size: size})
			w.Name, w.Todo = sp.Name, "Nothing was erased. To erase all this for ever, say it twice: --yes-erase with the space's name."
			return w, nil
		default:
			return nil, errNotTwice.With(fmt.Sprintf("Nothing was erased: the space is called %q, and --yes-erase says %q. It has %d things, %d devices, %d members and %d API keys.",
				sp.Name, in.Yes, size.Things, size.Devices, size.Members, size.Keys))
		}
		if err := s.cut("1"); err != nil {
			return nil, err
		}
		// 2. Journal and intent, in one transaction.
		if e, err = s.orgs.Erase(ctx, operator, sp.ID, size); err != nil {
			return nil, err
		}
		if err := s.cut("2"); err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	if e, err = s.erase(ctx, e); err != nil {
		s.eraseAgain()
		return nil, fmt.Errorf("erase space %s; it is decided, and will be tried again: %w", in.Space, err)
	}
	return toWireErasure(e), nil
}

// sizeOf counts what a space has. Its members are counted where they are removed, too.
func (s *Server) sizeOf(ctx context.Context, space string) (z org.Size, err error) {
	members, err := s.orgs.Members(ctx, space)
	if err != nil {
		return z, err
	}
	bound, err := s.apikeys.Within(ctx, space)
	if err != nil {
		return z, err
	}
	z.Members, z.Keys = len(members), len(bound)
	if z.Things, err = s.things.Count(ctx, space); err != nil {
		return z, err
	}
	z.Devices, err = s.devices.Count(ctx, space)
	return z, err
}

// erase brings an erasure that is decided to its end. One at a time.
func (s *Server) erase(ctx context.Context, e org.Erasure) (org.Erasure, error) {
	select {
	case s.erasures <- struct{}{}:
	case <-ctx.Done():
		return e, ctx.Err()
	}
	defer func() { <-s.erasures }()
	if now, err := s.orgs.Erasure(ctx, e.Space); err != nil || now.Done() {
		return now, err
	}
	// 3. Sessions and rows.
	if err := s.empty(ctx, e.Space, "3"); err != nil {
		return e, err
	}
	// 4 and 5. The key.
	if err := s.data.ring.Erase(ctx, keys.KindSpace, e.Space); err != nil {
		return e, err
	}
	if err := s.cut("5"); err != nil {
		return e, err
	}
	// 6. Step 3 once more, for what a request that was under way since before step 2
	// has added; from step 4 on it can add nothing. Then the proof.
	if err := s.empty(ctx, e.Space, "6"); err != nil {
		return e, err
	}
	// 7 is the operator's: a new keyring archive, and none that is older.
	return s.orgs.Erased(ctx, operator, e.Space)
}

// empty takes step 3, under its own number or as part of step 6: it closes all
// sessions in a space and removes its rows in all rooms. It needs no key, and is repeatable.
func (s *Server) empty(ctx context.Context, space, step string) error {
	// .1. Sessions, and the keys that open nothing else.
	s.devices.CloseSpace(space)
	s.dropUsers(func(who access.Actor) bool { return who.Space == space })
	bound, err := s.apikeys.Within(ctx, space)
	if err != nil {
		return err
	}
	for _, id := range bound {
		if err := s.apikeys.Revoke(ctx, operator, id); err != nil {
			return fmt.Errorf("revoke API key %s: %w", id, err)
		}
	}
	if err := s.cut(step + ".1"); err != nil {
		return err
	}
	// .2. Templates, triggers, synchronised properties, webhooks, the bridge to Home Assistant and dashboards, then things and their values.
	if err := s.templates.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.triggers.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.syncs.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.hooks.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.homes.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.dashboards.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.things.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.cut(step + ".2"); err != nil {
		return err
	}
	// .3. Boards on their way, updates with their files, and devices, whose certificates are revoked.
	if err := s.onboarding.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.ota.EraseSpace(ctx, operator, space); err != nil {
		return err
	}
	if err := s.devices.Clear(ctx, operator, space); err != nil {
		return err
	}
	return s.cut(step + ".3")
}

// repairErasures brings to their end erasures that were interrupted, and decides anew those of
// which only the mark in the keyring is left: those that an archive of data from before
// them has brought back.
func (s *Server) repairErasures(ctx context.Context) error {
	gone, err := s.data.ring.Erased(ctx, keys.KindSpace)
	if err != nil {
		return err
	}
	for _, id := range gone {
		shared, err := s.orgs.Organization(ctx, id)
		if errors.Is(err, org.ErrNotFound) || err == nil && shared == "" {
			continue
		}
		if err != nil {
			return err
		}
		size, err := s.sizeOf(ctx, id)
		if err != nil {
			return err
		}
		if _, err = s.orgs.Erase(ctx, operator, id, size); err != nil {
			return fmt.Errorf("erase space %s again, whose key is gone: %w", id, err)
		}
	}
	all, err := s.orgs.Erasures(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, e := range all {
		s.log.InfoContext(ctx, "going on with the erasure of a space", "space", e.Space)
		if _, err := s.erase(ctx, e); err != nil {
			failed = append(failed, fmt.Errorf("erase space %s: %w", e.Space, err))
		}
	}
	return errors.Join(failed...)
}

// eraseAgain has Run try again what has failed.
func (s *Server) eraseAgain() {
	select {
	case s.unerased <- struct{}{}:
	default: // it will anyway
	}
}

// eraseAfter is how long after a failure an erasure is tried again.
const eraseAfter = time.Minute

// runErasures tries erasures that have failed again, until ctx ends.
func (s *Server) runErasures(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.unerased:
		}
		timer := time.NewTimer(eraseAfter)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		if err := s.repairErasures(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "a space is not erased yet; trying again", "err", err)
			s.eraseAgain()
		}
	}
}
