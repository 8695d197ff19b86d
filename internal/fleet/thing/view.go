package thing

import (
	"context"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A View is how much of a thing's values somebody sees at a moment.
type View struct {
	Space string          // of the thing; "" where there is nothing to see
	Whole bool            // all of its properties, those to come included
	Lent  map[string]bool // else those that are lent to them, by ID
}

// Shows says whether a property of the thing is seen.
func (v View) Shows(property string) bool { return v.Whole || v.Lent[property] }

// Views tells what who sees of things: of those of who's space as the policy says, of others what is lent. A thing of which
// there is nothing to see, or which is not there, is not in the answer.
func (s *Service) Views(ctx context.Context, who access.Actor, things []string) (map[string]View, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	all := make(map[string]View, len(things))
	owner := map[string]*route{} // by property of another space
	var foreign []string
	for _, id := range things {
		r, err := s.routes.of(id)
		switch {
		case err != nil:
			return nil, fmt.Errorf("find thing %s: %w", id, err)
		case r == nil:
		case r.space == who.Space:
			if s.permit(who, r) >= topic.Read {
				all[id] = View{Space: r.space, Whole: true}
			}
		default:
			for _, l := range r.lines {
				owner[l.property] = r
				foreign = append(foreign, l.property)
			}
		}
	}
	if len(foreign) == 0 {
		return all, nil
	}
	loans, err := s.needs.Lent(ctx, who, foreign)
	if err != nil {
		return nil, err
	}
	for property, loan := range loans {
		r := owner[property]
		if r == nil || loan.Space != r.space || s.needs.Policy.Allow(who, "property:read", loan.resource(who, property)) != nil {
			continue
		}
		v, known := all[r.thing]
		if !known {
			v = View{Space: r.space, Lent: map[string]bool{}}
			all[r.thing] = v
		}
		v.Lent[property] = true
	}
	return all, nil
}

// Latest calls fn with what the properties of a change have as their last values by now, which are on disk; a property that
// is gone is left out. What it tells may be newer than the change, and never older.
func (s *Service) Latest(c Change, fn func(series.Point)) error {
	r, err := s.routes.of(c.Thing)
	if err != nil {
		return fmt.Errorf("find thing %s: %w", c.Thing, err)
	}
	if r == nil || r.space != c.Space {
		return nil
	}
	for i, p := range c.Points {
		l := r.byID[p.Series]
		if l == nil || i > 0 && c.Points[i-1].Series == p.Series {
			continue
		}
		if last, ok := s.last(l.property, l.persist); ok {
			fn(last)
		}
	}
	return nil
}
