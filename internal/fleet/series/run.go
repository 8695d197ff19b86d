package series

import (
	"context"
	"sync"
	"time"
)

// retryFlush is how long after a flush that failed the next one is tried.
const retryFlush = 10 * time.Second

// Run commits what is enqueued, flushes, and removes what is too old, until ctx ends. Then it lets nothing more
// in, commits what waits, and returns; the log is left for the next start.
//
// It fails if another server writes to the same history.
func (s *Service) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, s.queue.stop)()
	own, stop := context.WithCancel(context.WithoutCancel(ctx))
	var keepers sync.WaitGroup
	keepers.Go(func() { s.flushLoop(own) })
	keepers.Go(func() { s.retainLoop(own) })
	c := &committer{s: s, known: make(map[string]*state)}
	err := c.run(ctx)
	stop()
	keepers.Wait()
	return err
}

// flushLoop flushes when the log is long enough or old enough.
func (s *Service) flushLoop(ctx context.Context) {
	timer := time.NewTimer(s.cfg.FlushEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-s.full:
		}
		next := s.cfg.FlushEvery
		if err := s.maintaining(ctx, func() error { return s.flush(ctx, false) }); err != nil && ctx.Err() == nil {
			s.log.Error("history: flush failed; commits go on and it is tried again", "err", err, "after", retryFlush)
			next = retryFlush
		}
		timer.Reset(next)
	}
}

// wakeFlush asks for a flush soon.
func (s *Service) wakeFlush() {
	select {
	case s.full <- struct{}{}:
	default:
	}
}

// maintaining runs fn while nobody else flushes, erases or retains.
func (s *Service) maintaining(ctx context.Context, fn func() error) error {
	select {
	case s.maintain <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.maintain }()
	return fn()
}

// Flush moves all that is in the log to chunks. Before a backup it makes what is to be
// copied small.
func (s *Service) Flush(ctx context.Context) error {
	return s.maintaining(ctx, func() error { return s.flush(ctx, true) })
}

// awaitRoom holds commits back while flushes cannot keep up, so that memory and the log
// stay bounded, at most until ctx ends.
func (s *Service) awaitRoom(ctx context.Context) {
	m := s.mem
	for {
		m.mu.RLock()
		crowded := m.points >= 2*s.cfg.FlushPoints || m.bytes >= 2*s.cfg.FlushBytes
		shrunk := m.shrunk
		m.mu.RUnlock()
		if !crowded {
			return
		}
		s.wakeFlush()
		select {
		case <-shrunk:
		case <-ctx.Done():
			return
		}
	}
}
