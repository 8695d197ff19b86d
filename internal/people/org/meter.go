package org

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrValues is a space that has sent as many values today as it may.
var ErrValues = problem.New(problem.Limited, "space-values", "This space has sent as many values today as it may; the next day of UTC begins anew. Whoever runs this server can give it more (ardesia space quota).")

// A Meter counts the values that one space sends in a day of UTC. Counting costs one atomic change
// for a message, and no more. Every ten seconds what was counted is added to the row of the space,
// from which a start goes on: a crash forgets at most that. Several processes add to the
// same row, and learn the sum by it.
type Meter struct {
	space string
	now   atomic.Uint64 // number of the day since 1970, and below it what was counted that day
	kept  atomic.Uint64 // the same, as the row had it at the last Flush
	most  atomic.Int64  // 0 is any number
	told  atomic.Int64  // the last day of which administrators were told
	over  atomic.Int64  // the last day on which something was refused
}

// NewMeter is one that takes most values a day, 0 for any number, and has counted none.
func NewMeter(space string, most int) *Meter {
	m := &Meter{space: space}
	m.most.Store(int64(most))
	return m
}

// countBits hold more values of a day than a machine can take: 10^12.
const countBits = 40

const countMask = 1<<countBits - 1

func dayOf(at time.Time) uint64 { return uint64(max(at.Unix(), 0) / (24 * 60 * 60)) }

// nextDay is when a day of UTC is over, from at on.
func nextDay(at time.Time) time.Duration {
	return at.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(at)
}

// Take counts n values, all of them or none: false says that they are too many for the day of at.
// A nil Meter takes everything.
func (m *Meter) Take(n int, at time.Time) bool {
	if m == nil {
		return true
	}
	day := dayOf(at)
	for {
		have := m.now.Load()
		used := have & countMask
		if have>>countBits != day {
			used = 0
		}
		used += uint64(n)
		if most := m.most.Load(); most > 0 && used > uint64(most) {
			m.over.Store(int64(day))
			return false
		}
		if m.now.CompareAndSwap(have, day<<countBits|used) {
			return true
		}
	}
}

// Used is what was counted on the day of at.
func (m *Meter) Used(at time.Time) int64 {
	if have := m.now.Load(); have>>countBits == dayOf(at) {
		return int64(have & countMask)
	}
	return 0
}

// Refusal is what a writer gets whom Take refused.
func (m *Meter) Refusal(at time.Time) error { return ErrValues.After(nextDay(at)) }

// metering is the part of Store about values of a day.
type metering interface {
	// values are what a space has sent on a day, and the last day of which its administrators were told.
	values(ctx context.Context, space string, day int64) (used, told int64, err error)
	// addValues adds to a space's day and returns the sum, or is ErrNotFound.
	addValues(ctx context.Context, space string, day, more int64) (used int64, err error)
	// tellValues notes that administrators were told of a day; the entry is the first one's. It may be repeated.
	tellValues(ctx context.Context, space string, day int64, e journal.Entry) error
}

// meters are the Meters of spaces that have sent something since the start.
type meters struct {
	mu  sync.Mutex
	all map[string]*Meter // guarded by mu
}

// Meter is the one of a space: the same for all callers. A message asks its thing's route for it, not the space.
func (s *Service) Meter(ctx context.Context, space string) (*Meter, error) {
	s.meters.mu.Lock()
	m := s.meters.all[space]
	s.meters.mu.Unlock()
	if m != nil {
		return m, nil
	}
	most, err := s.Limit(ctx, space, Values)
	if err != nil {
		return nil, err
	}
	day := dayOf(s.needs.Now())
	used, told, err := s.needs.Store.values(ctx, space, int64(day))
	if err != nil {
		return nil, fmt.Errorf("values of space %s: %w", space, err)
	}
	m = NewMeter(space, most)
	m.told.Store(told)
	m.now.Store(day<<countBits | uint64(used))
	m.kept.Store(day<<countBits | uint64(used))
	s.meters.mu.Lock()
	defer s.meters.mu.Unlock()
	if have := s.meters.all[space]; have != nil {
		return have, nil
	}
	s.meters.all[space] = m
	return m, nil
}

func (s *Service) metered() []*Meter {
	s.meters.mu.Lock()
	defer s.meters.mu.Unlock()
	all := make([]*Meter, 0, len(s.meters.all))
	for _, m := range s.meters.all {
		all = append(all, m)
	}
	return all
}

// valuesUsed is what a space has sent today, here and as far as it is on disk elsewhere.
func (s *Service) valuesUsed(ctx context.Context, space string) (int, error) {
	now := s.needs.Now()
	s.meters.mu.Lock()
	m := s.meters.all[space]
	s.meters.mu.Unlock()
	if m != nil {
		return int(m.Used(now)), nil
	}
	used, _, err := s.needs.Store.values(ctx, space, int64(dayOf(now)))
	if err != nil {
		return 0, fmt.Errorf("values of space %s: %w", space, err)
	}
	return int(used), nil
}

// flushEvery is how often what was counted is written, and limits are read again.
const flushEvery = 10 * time.Second

// Run keeps what was counted, and tells administrators of spaces that are full, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushEvery)
			defer cancel()
			if err := s.Flush(late); err != nil {
				return err
			}
			return ctx.Err()
		case <-tick.C:
			if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
				// Counting goes on in memory; the next time tries again.
				s.needs.Log.ErrorContext(ctx, "what spaces have sent cannot be written", "err", err)
			}
		}
	}
}

// Flush keeps what was counted until now. Spaces that it cannot keep stay counted, and keep none of the others from it.
func (s *Service) Flush(ctx context.Context) error {
	var errs []error
	for _, m := range s.metered() {
		err := s.flush(ctx, m)
		if errors.Is(err, ErrNotFound) { // the space is erased
			s.meters.mu.Lock()
			delete(s.meters.all, m.space)
			s.meters.mu.Unlock()
			continue
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *Service) flush(ctx context.Context, m *Meter) error {
	most, err := s.Limit(ctx, m.space, Values)
	if err != nil {
		return err
	}
	m.most.Store(int64(most))
	have, kept := m.now.Load(), m.kept.Load()
	switch {
	case have == kept && most > 0: // others may have counted
		used, _, err := s.needs.Store.values(ctx, m.space, int64(have>>countBits))
		if err != nil {
			return fmt.Errorf("values of space %s: %w", m.space, err)
		}
		m.learn(have, have>>countBits<<countBits|uint64(used))
	case have != kept:
		more := int64(have & countMask)
		if have>>countBits == kept>>countBits {
			more -= int64(kept & countMask)
		}
		sum, err := s.needs.Store.addValues(ctx, m.space, int64(have>>countBits), more)
		if err != nil {
			return fmt.Errorf("keep the values of space %s: %w", m.space, err)
		}
		m.learn(have, have>>countBits<<countBits|uint64(sum))
	}
	if day := m.over.Load(); day > m.told.Load() && most > 0 {
		return s.tellFull(ctx, m, day, most)
	}
	return nil
}

// learn makes what the row says now, which was written when have was counted, the base of what is counted here.
func (m *Meter) learn(have, row uint64) {
	m.kept.Store(row)
	for others := row - have; others != 0; {
		now := m.now.Load()
		if now>>countBits != have>>countBits || m.now.CompareAndSwap(now, now+others) {
			return // a new day begins from nothing
		}
	}
}

// tellFull tells a space's administrators, once a day, that values are refused. The day is marked when all have their letter, so
// that a crash leaves nobody untold; each letter has a key, by which the post knows one that it has.
func (s *Service) tellFull(ctx context.Context, m *Meter, day int64, most int) error {
	_, told, err := s.needs.Store.values(ctx, m.space, day)
	if err != nil {
		return fmt.Errorf("values of space %s: %w", m.space, err)
	}
	if told >= day {
		m.told.Store(told)
		return nil
	}
	if s.needs.Full != nil {
		if err := s.writeFull(ctx, m.space, day, most); err != nil {
			return err
		}
	}
	e := s.entry(access.Actor{Kind: access.System}, "org:values-refused", m.space, map[string]string{"most": strconv.Itoa(most)})
	if err := s.needs.Store.tellValues(ctx, m.space, day, e); err != nil {
		return fmt.Errorf("note that space %s is full: %w", m.space, err)
	}
	m.told.Store(day)
	return nil
}

func (s *Service) writeFull(ctx context.Context, space string, day int64, most int) error {
	members, err := s.Members(ctx, space)
	if err != nil {
		return err
	}
	sp, err := s.Get(ctx, space)
	if err != nil {
		return err
	}
	var errs []error
	for _, a := range members {
		if a.Role != access.Admin {
			continue
		}
		err := s.needs.Full(ctx, sp, a.User, most, fmt.Sprintf("values-full %s %d %s", space, day, a.User))
		if err == nil {
			continue
		}
		err = fmt.Errorf("administrator %s of space %s was not told that it is full: %w", a.User, space, err)
		if kind := problem.Of(err).Kind; kind == problem.Internal || kind == problem.Unavailable {
			errs = append(errs, err)
			continue
		}
		// Who has no account or address, or enough letters, has none the next time either.
		s.needs.Log.ErrorContext(ctx, "an administrator was not told that a space is full", "space", space, "user", a.User, "err", err)
	}
	return errors.Join(errs...)
}
