package series

import (
	"context"
	"fmt"
	"time"
)

// retainEvery is how often Run removes what is too old. Nobody sees it in between: the
// floor of a query is always the age of now.
const retainEvery = time.Hour

// Age is how long the points of a space are told; 0 is for ever.
func (s *Service) Age(ctx context.Context, space string) (time.Duration, error) {
	if s.keep == nil {
		return 0, nil
	}
	age, err := s.keep(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("age to which values of space %s are kept: %w", space, err)
	}
	return age, nil
}

// floor is the first instant of a space that is not too old to be told, in µs since
// 1970; earliest if all is kept.
func (s *Service) floor(ctx context.Context, space string) (int64, error) {
	age, err := s.Age(ctx, space)
	if err != nil || age <= 0 {
		return earliest, err
	}
	return max(earliest, s.now().Add(-age).UnixMicro()), nil
}

// Retain removes the chunks of all series that end before the floor of their space. A
// chunk has up to 24 hours, so some points are on disk a day longer, where no query
// reads them. Last values stay, and so does what backups have, until those go.
//
// A space whose age cannot be learnt keeps what it has, and the error tells which.
func (s *Service) Retain(ctx context.Context) (removed int64, err error) {
	err = s.maintaining(ctx, func() error {
		floors, failed := s.floors(ctx)
		ids, ends := s.olderThan(floors)
		n, err := s.removeChunks(ctx, ids, ends)
		removed = n
		if err == nil {
			err = failed
		}
		return err
	})
	return removed, err
}

// floors are the floors of the spaces that have one.
func (s *Service) floors(ctx context.Context) (floors map[string]int64, failed error) {
	m := s.mem
	floors = make(map[string]int64)
	m.mu.RLock()
	for _, st := range m.series {
		floors[st.thing.space] = earliest
	}
	m.mu.RUnlock()
	for space := range floors {
		at, err := s.floor(ctx, space)
		if err != nil {
			failed = err
		}
		if err != nil || at == earliest {
			delete(floors, space)
			continue
		}
		floors[space] = at
	}
	return floors, failed
}

// olderThan lists the series that may have chunks before the floor of their space.
func (s *Service) olderThan(floors map[string]int64) (ids, ends []int64) {
	m := s.mem
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, st := range m.series {
		end, has := floors[st.thing.space]
		if !has {
			continue
		}
		ids, ends = append(ids, st.id), append(ends, end)
		if st.tail.end < end {
			st.tail = tail{} // only who maintains touches it
		}
	}
	return ids, ends
}

// retainLoop removes what is too old, at the start and then every hour.
func (s *Service) retainLoop(ctx context.Context) {
	if s.keep == nil {
		return
	}
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		n, err := s.Retain(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("history: what is too old is still there; it is tried again", "err", err, "after", retainEvery)
		}
		if n > 0 {
			s.log.Info("history: old values are gone", "chunks", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
