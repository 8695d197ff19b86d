package trigger

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// EraseSpace removes the triggers of a space, their actions and what waits to be delivered. It needs no key and is repeatable.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	s.mu.RLock()
	var had []Trigger
	for id, r := range s.rules {
		if r.space == space {
			had = append(had, Trigger{ID: id, Space: space, Property: r.property})
		}
	}
	s.mu.RUnlock()
	e := journal.Entry{At: s.now(), Actor: who.String(), Space: space, Action: "trigger:erase-all", Resource: "space", ID: space}
	if err := s.needs.Store.eraseSpace(ctx, space, e); err != nil {
		return err
	}
	for _, t := range had {
		s.disarm(t)
	}
	return nil
}

// Forget removes what is kept of a person: browsers that take notices, and of which triggers nothing was wanted. Their
// IDs in lists of recipients stay, which are nobody's then and reach nobody.
func (s *Service) Forget(ctx context.Context, user string) error {
	e := journal.Entry{At: s.now(), Actor: access.Actor{Kind: access.System}.String(), Action: "trigger:forget", Resource: "account", ID: user}
	return s.needs.Store.forgetPerson(ctx, user, e)
}
