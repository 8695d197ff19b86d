package thing

import (
	"context"
	"errors"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Delete hides a thing, or removes it and all its values for good with hard. Its
// device is free in both cases. A hidden one comes back by Update.
func (s *Service) Delete(ctx context.Context, who access.Actor, id string, hard bool) error {
	if err := ours(who); err != nil {
		return err
	}
	if !hard {
		_, err := s.change(ctx, who, id, step{action: "thing:delete"}, func(t *Thing) error {
			if t.Deleted() {
				return ErrNotFound
			}
			t.DeletedAt = s.now()
			return nil
		})
		return err
	}
	// 1. The rows go, and the intents to erase the values and to destroy the key come. Run
	// finishes what is interrupted, and base/shred does step 4. The numbers are those of docs/acts/erase-thing.md.
	lost, device, err := s.needs.Store.erase(ctx, who.Space, id, "", s.entry(who, "thing:erase", id, nil))
	if err != nil {
		return err
	}
	gone := Thing{ID: id, Space: who.Space}
	had := gone
	had.Device = device
	s.attached(had, gone, "")
	s.changed(ctx, s.erasedThing(who.Space, id))
	return s.eraseSeries(ctx, lost)
}

// eraseSeries removes the values of erased properties.
func (s *Service) eraseSeries(ctx context.Context, properties []string) error {
	if len(properties) == 0 {
		return nil
	}
	// 2. The values go, those on their way first: nothing comes for them any more.
	s.routes.settle()
	ids := make([]string, 0, 2*len(properties))
	for _, p := range properties {
		ids = append(ids, p, fleeting(p))
	}
	if err := s.needs.Series.Erase(ctx, ids); err != nil {
		word(s.stale) // Run tries again
		return fmt.Errorf("erase %d series: %w", len(ids), err)
	}
	// 3. The intent goes.
	if err := s.needs.Store.erased(ctx, properties); err != nil {
		word(s.stale)
		return err
	}
	return nil
}

// EraseAgain erases the things of which an older archive of data has brought rows back: their keys
// are gone, so nobody can read them. It comes before anything is served.
func (s *Service) EraseAgain(ctx context.Context) error {
	gone, err := s.needs.Keys.Erased(ctx, keys.KindThing)
	if err != nil {
		return err
	}
	back, err := s.needs.Store.among(ctx, gone)
	if err != nil {
		return fmt.Errorf("look for things that were erased: %w", err)
	}
	for _, t := range back {
		who := access.Actor{Kind: access.System, Space: t.Space}
		if err := s.Delete(ctx, who, t.Thing, true); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("erase thing %s again, whose key is gone: %w", t.Thing, err)
		}
	}
	return nil
}
