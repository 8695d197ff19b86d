package thing

import (
	"context"
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Loan is a property that somebody may reach who is no member of its space, because a
// dashboard that was shared with them shows it.
type Loan struct {
	Space string // of the property
	Lent  string // access.Read or access.Write
}

func (l Loan) resource(who access.Actor, property string) access.Resource {
	return access.Resource{Type: "Property", ID: property, Space: l.Space, Guest: who.ID, Lent: l.Lent}
}

// propertyResource is the Loader of the routes by which guests may come, too: the property, if it is
// lent to who, else the thing.
func (s *Service) propertyResource(r *http.Request, who access.Actor) (access.Resource, error) {
	of, err := s.resource(r, who)
	if err != nil || of.Space == who.Space {
		return of, err
	}
	loan, lent, err := s.loan(r, who)
	if err != nil || !lent {
		return of, err
	}
	return loan.resource(who, pathProperty(r)), nil
}

// loan finds what r is about among what is lent to who; what is in their own space is not.
func (s *Service) loan(r *http.Request, who access.Actor) (Loan, bool, error) {
	id := pathProperty(r)
	if !topic.IsID(id) {
		return Loan{}, false, nil
	}
	known, err := s.routes.of(pathID(r))
	if err != nil || known == nil || known.space == who.Space || known.byID[id] == nil {
		return Loan{}, false, err // it must be one of the thing's
	}
	loans, err := s.needs.Lent(r.Context(), who, []string{id})
	loan, lent := loans[id]
	return loan, lent && loan.Space == known.space, err
}

// inside is who in the space of the property that a request is about, for which the door has
// asked; guest says that they are no member of it.
func (s *Service) inside(r *http.Request, who access.Actor) (_ access.Actor, guest bool, err error) {
	loan, guest, err := s.loan(r, who)
	if err != nil || !guest {
		return who, false, err
	}
	who.Space, who.Role = loan.Space, access.NoRole
	return who, true, nil
}

// borrow adds to what a batch is about those properties that are lent to who, as far as the policy
// agrees. Where each is stands in t.spaces.
func (s *Service) borrow(ctx context.Context, who access.Actor, t *targets, properties []string) error {
	var missing []string
	for _, id := range properties {
		if _, found := t.properties[id]; !found {
			missing = append(missing, id)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	loans, err := s.needs.Lent(ctx, who, missing)
	if err != nil {
		return err
	}
	bySpace := map[string][]string{}
	for id, loan := range loans {
		if s.needs.Policy.Allow(who, "series:query", loan.resource(who, id)) == nil {
			bySpace[loan.Space] = append(bySpace[loan.Space], id)
		}
	}
	for space, ids := range bySpace {
		found, err := s.needs.Store.properties(ctx, space, ids)
		if err != nil {
			return err
		}
		for id, p := range found {
			t.properties[id] = p
			t.spaces[id] = space
		}
	}
	return nil
}
