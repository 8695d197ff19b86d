package series

import (
	"context"
	"fmt"
)

// oldestChunks is how many chunks one transaction removes: a few milliseconds.
const oldestChunks = 512

// seriesAtOnce is how many series one transaction of Retain or Erase looks at.
const seriesAtOnce = 64

// Erase removes all points and last values of series, and that they were. It covers
// what was enqueued before; whoever calls it has seen to it that nothing comes after. It may be repeated, which
// is what to do when it fails or the server ends: until it returns nil parts may be left.
func (s *Service) Erase(ctx context.Context, series []string) error {
	if err := s.barrier(ctx); err != nil {
		return err
	}
	return s.maintaining(ctx, func() error {
		m := s.mem
		m.mu.RLock()
		var states []*state
		for _, id := range series {
			if st := m.series[id]; st != nil {
				states = append(states, st)
			}
		}
		m.mu.RUnlock()
		return s.erase(ctx, states)
	})
}

// EraseSpace is Erase for all series of a space. It needs no key, so it also works, and
// is worth calling, when that was destroyed before.
func (s *Service) EraseSpace(ctx context.Context, space string) error {
	if err := s.barrier(ctx); err != nil {
		return err
	}
	return s.maintaining(ctx, func() error {
		m := s.mem
		m.mu.RLock()
		var states []*state
		for _, st := range m.series {
			if st.thing.space == space {
				states = append(states, st)
			}
		}
		m.mu.RUnlock()
		return s.erase(ctx, states)
	})
}

// barrier waits until all that was enqueued before is committed or refused.
func (s *Service) barrier(ctx context.Context) error {
	if s.queue.idle() {
		return nil
	}
	return s.Append(ctx, nil)
}

func (s *Service) erase(ctx context.Context, states []*state) error {
	// 1. Nobody sees them any more, and no flush writes them.
	m := s.mem
	m.mu.Lock()
	for _, st := range states {
		st.gone = true
		st.now, st.old = nil, nil
		if m.series[st.property] == st {
			m.unknow(st)
		}
	}
	m.mu.Unlock()
	// 2. Chunks.
	ids, cutoffs := make([]int64, len(states)), make([]int64, len(states))
	for i, st := range states {
		ids[i], cutoffs[i] = st.id, latest+1
	}
	_, err := s.removeChunks(ctx, ids, cutoffs)
	// 3. The list, from where also the last values go. From here on the log's points of
	// these series have no owner: a start skips them.
	for i := 0; i < len(ids) && err == nil; i += seriesAtOnce {
		err = s.store.drop(ctx, ids[i:min(i+seriesAtOnce, len(ids))])
	}
	if err != nil {
		m.mu.Lock()
		for _, st := range states {
			if m.series[st.property] == nil {
				m.know(st) // so that repeating finds them
			}
		}
		m.mu.Unlock()
		return fmt.Errorf("erase %d series: %w", len(states), err)
	}
	// 4. The log. Also when there was nothing to erase: who repeats Erase after a crash
	// wants this step done.
	return s.flush(ctx, false)
}

// removeChunks removes the chunks of series that end before their cutoff.
func (s *Service) removeChunks(ctx context.Context, ids, cutoffs []int64) (removed int64, err error) {
	for i := 0; i < len(ids); i += seriesAtOnce {
		to := min(i+seriesAtOnce, len(ids))
		for {
			n, err := s.store.retain(ctx, ids[i:to], cutoffs[i:to], oldestChunks)
			if err != nil {
				return removed, fmt.Errorf("remove old chunks: %w", err)
			}
			if removed += n; n == 0 {
				break
			}
		}
	}
	return removed, nil
}
