package thing

import (
	"context"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// ErrFull is a space that has as many things or properties as it may have.
var ErrFull = problem.New(problem.Precondition, "thing-limit", "The space has as many things or properties as it may have.")

// room says whether a space may have so many things and properties more. Who asks holds
// s.making, so that nobody else takes the room in this process.
func (s *Service) room(ctx context.Context, space string, things, properties int) error {
	mostThings, mostProperties, err := s.needs.Limit(ctx, space)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		quota      org.Quota
		more, most int
		count      func(context.Context, string) (int, error)
	}{
		{org.Things, things, mostThings, s.needs.Store.count},
		{org.Properties, properties, mostProperties, s.needs.Store.countProperties},
	} {
		if c.more == 0 || c.most == 0 {
			continue
		}
		used, err := c.count(ctx, space)
		if err != nil {
			return fmt.Errorf("count %s of space %s: %w", c.quota, space, err)
		}
		if used+c.more > c.most {
			return ErrFull.With(org.FullText(c.quota, used, c.most))
		}
	}
	return nil
}

// CountProperties is how many properties the things of a space have, without deleted ones.
func (s *Service) CountProperties(ctx context.Context, space string) (int, error) {
	n, err := s.needs.Store.countProperties(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("count properties of space %s: %w", space, err)
	}
	return n, nil
}
