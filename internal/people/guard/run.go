package guard

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// How often what changed is written, and how much in one transaction. A crash loses the
// tries of the last flushEvery, and the journal entries of their events.
const (
	flushEvery = 2 * time.Second
	flushRows  = 500
	sweepEvery = time.Minute
)

// Run writes what changed until ctx ends, and once more then.
func (s *Service) Run(ctx context.Context) error {
	flush, sweep := time.NewTicker(flushEvery), time.NewTicker(sweepEvery)
	defer flush.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return errors.Join(ctx.Err(), s.Flush(late))
		case <-sweep.C:
			s.sweep()
		case <-flush.C:
			if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
				// Counting goes on in memory; the next flush tries again.
				s.needs.Log.ErrorContext(ctx, "what was counted against guessing cannot be written", "err", err)
			}
		}
	}
}

func (s *Service) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.tick()
	for i, t := range s.tables {
		t.sweep(now, func(c *count) { s.wait(i, c.key) })
	}
	for t, f := range s.flights {
		if now-f.at > 10*int64(untold) { // longer than any request may take
			delete(s.flights, t)
		}
	}
	s.watch.turn(now)
	s.watch.forget(now)
}

// Flush writes everything that changed so far.
func (s *Service) Flush(ctx context.Context) error {
	s.saving.Lock()
	defer s.saving.Unlock()
	for {
		changed, gone, entries, taken := s.batch()
		if len(changed)+len(gone)+len(entries) == 0 {
			return nil
		}
		if err := s.needs.Store.save(ctx, changed, gone, entries); err != nil {
			s.mu.Lock()
			for _, w := range taken {
				s.wait(w.rule, w.key)
			}
			room := max(0, maxEntries-len(s.entries))
			s.stats.Lost += int64(max(0, len(entries)-room))
			s.entries = append(entries[:min(room, len(entries))], s.entries...)
			s.mu.Unlock()
			return fmt.Errorf("write %d counts: %w", len(taken), err)
		}
	}
}

// batch takes what one transaction writes.
func (s *Service) batch() (changed []row, gone []rowKey, entries []journal.Entry, taken []waitKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.waiting {
		if len(taken) == flushRows {
			break
		}
		taken = append(taken, w)
		delete(s.waiting, w)
		k := rowKey{s.rules[w.rule].name, w.key[:]}
		c := s.tables[w.rule].all[w.key]
		if c == nil {
			gone = append(gone, k)
			continue
		}
		r := row{rowKey: k, at: c.at / 1000, until: c.until / 1000, level: int64(c.level), n: make([]byte, 0, 2*(slots+1))}
		if s.rules[w.rule].scope < address {
			r.label = c.label // addresses are written as keyed hashes only
		}
		for _, n := range c.n {
			r.n = binary.BigEndian.AppendUint16(r.n, n)
		}
		changed = append(changed, r)
	}
	entries, s.entries = s.entries, nil
	return changed, gone, entries, taken
}
