package device

import (
	"context"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrBusy is a report that cannot be taken because the disk has not caught up.
var ErrBusy = problem.New(problem.Unavailable, "device-busy", "The server cannot keep up with what devices report. Try again.")

const (
	saveEvery     = time.Second      // comings, goings and unacknowledged reports
	activityEvery = 5 * time.Minute  // when devices were last heard of
	batchSize     = 500              // devices in one transaction
	keepStatuses  = 200              // status events of one device that anybody is shown
	trimAfter     = 50               // as many more may be on disk until the oldest go
	maxPending    = 100_000          // devices that the disk has still to hear of
	verifyTime    = 10 * time.Second // to look at one session again
)

// A StatusEvent is a coming or a going.
type StatusEvent struct {
	At        time.Time
	Connected bool
}

// saving is what the disk has still to learn about one device.
type saving struct {
	space, device string
	events        []StatusEvent // in order; at most keepStatuses
	trim          bool          // take away what nobody is shown any more
	activity      time.Time     // zero: nothing new
	facts         Reported
	seal          keys.Sealer   // for facts
	done          []func(error) // who waits for facts to be on disk
}

// note is where to write down news about a device. s.mu is held.
func (s *Service) note(device, space string) *saving {
	p := s.pending[device]
	if p == nil {
		p = &saving{space: space, device: device}
		s.pending[device] = p
	}
	return p
}

func (p *saving) event(e StatusEvent) {
	p.events = append(p.events, e)
	if len(p.events) > keepStatuses {
		p.events = p.events[1:] // nobody will ever be shown it
	}
	if e.At.After(p.activity) {
		p.activity = e.At
	}
}

func (p *saving) seen(x *Session) {
	if at := x.seenAt(); at.After(p.activity) {
		p.activity = at
	}
	x.saved.Store(x.seen.Load())
}

// report writes down facts about the device of x. done, if it is not nil, is called
// once they, and all that was reported before, are on disk, or with why they are not.
func (s *Service) report(x *Session, facts Reported, done func(error)) {
	s.mu.Lock()
	_, known := s.pending[x.Device]
	if full, idle := len(s.pending) >= maxPending, len(facts) == 0 && !s.underWay; !known && (full || idle) {
		s.mu.Unlock()
		switch {
		case done == nil:
		case full && !idle:
			done(ErrBusy)
		default:
			done(nil) // there is nothing to wait for
		}
		return
	}
	p := s.note(x.Device, x.Space)
	if len(facts) > 0 {
		p.facts = p.facts.merge(facts)
	}
	if done != nil {
		p.done = append(p.done, done)
	}
	s.mu.Unlock()
	if done != nil {
		select {
		case s.wake <- struct{}{}:
		default: // Run is about to save anyway
		}
	}
}

// Run saves what happens in batches and looks at sessions again that may count no
// more, until ctx ends. Then it saves what is left: stop the broker before it.
func (s *Service) Run(ctx context.Context) error {
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		s.runSaving(ctx)
	}()
	s.runVerifying(ctx)
	<-saved
	if err := s.save(context.WithoutCancel(ctx), true); err != nil {
		return fmt.Errorf("save what devices reported last: %w", err)
	}
	return ctx.Err()
}

func (s *Service) runSaving(ctx context.Context) {
	tick, slow := time.NewTicker(saveEvery), time.NewTicker(activityEvery)
	defer tick.Stop()
	defer slow.Stop()
	failing := false
	for {
		activity := false
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-tick.C:
		case <-slow.C:
			activity = true
		}
		err := s.save(ctx, activity)
		if err != nil && !failing && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "cannot save the status of devices; trying again", "err", err)
		}
		failing = err != nil
	}
}

func (s *Service) runVerifying(ctx context.Context) {
	news := s.needs.Revocations.Subscribe(1024)
	defer news.Close()
	for {
		var these []*Session
		select {
		case <-ctx.Done():
			return
		case x := <-s.recheck:
			these = append(these, x)
		case <-s.all:
			these = s.everyone("")
		case c := <-news.C():
			s.mu.Lock()
			s.doubts++ // for those who are just being let in
			s.mu.Unlock()
			these = s.everyone(c.Device)
		}
		if news.Lost() > 0 {
			these = s.everyone("")
		}
		for _, x := range these {
			one, cancel := context.WithTimeout(ctx, verifyTime)
			s.verify(one, x)
			cancel()
		}
	}
}

// everyone lists the sessions of a device, or all for "".
func (s *Service) everyone(device string) []*Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if device != "" {
		if x := s.sessions[device]; x != nil {
			return []*Session{x}
		}
		return nil
	}
	all := make([]*Session, 0, len(s.sessions))
	for _, x := range s.sessions {
		all = append(all, x)
	}
	return all
}

// settle saves what is pending about a device, or about anyone for "", so that
// what is shown next is on disk.
func (s *Service) settle(ctx context.Context, device string) error {
	s.mu.Lock()
	_, news := s.pending[device]
	news = news || s.underWay || device == "" && len(s.pending) > 0
	s.mu.Unlock()
	if !news {
		return nil
	}
	// Others wait for this batch too; they must not fail because one reader left.
	if err := s.save(context.WithoutCancel(ctx), false); err != nil {
		return fmt.Errorf("save the status of devices: %w", err)
	}
	return nil
}

// save writes all that is pending, and with activity also when each connected
// device was last heard of. What could not be written is pending again; who
// waits for it is told.
func (s *Service) save(ctx context.Context, activity bool) error {
	s.flushing.Lock()
	defer s.flushing.Unlock()
	s.mu.Lock()
	if activity {
		for _, x := range s.sessions {
			if x.seen.Load() > x.saved.Load() {
				s.note(x.Device, x.Space).seen(x)
			}
		}
	}
	taken := s.pending
	s.pending = make(map[string]*saving)
	s.underWay = len(taken) > 0
	s.mu.Unlock()

	batch := make([]*saving, 0, min(batchSize, len(taken)))
	var failed error
	for _, p := range taken {
		if batch = append(batch, p); len(batch) == batchSize {
			failed = s.saveBatch(ctx, batch, failed)
			batch = batch[:0]
		}
	}
	failed = s.saveBatch(ctx, batch, failed)
	s.mu.Lock()
	s.underWay = false
	s.mu.Unlock()
	return failed
}

// saveBatch writes one transaction, unless an earlier one failed.
func (s *Service) saveBatch(ctx context.Context, batch []*saving, failed error) error {
	if len(batch) == 0 {
		return failed
	}
	if failed == nil {
		for _, p := range batch {
			if p.facts == nil {
				continue
			}
			var err error
			if p.seal, err = s.key(ctx, p.space, p.device); err != nil {
				p.facts = nil // it was erased: nobody will miss them
				finish(p, err)
			}
		}
		for _, p := range batch {
			s.trimInTime(p)
		}
		failed = s.needs.Store.save(ctx, batch)
	}
	if failed != nil {
		s.putBack(batch)
	}
	for _, p := range batch {
		finish(p, failed)
		if failed == nil && p.facts != nil {
			s.Changes.Publish(Change{Updated, p.space, p.device, s.now()})
		}
		if n := len(p.events); failed == nil && n > 0 {
			s.Presences.Publish(p.events[n-1].presence(p.space, p.device))
		}
	}
	return failed
}

func (e StatusEvent) presence(space, device string) Presence {
	status := Offline
	if e.Connected {
		status = Online
	}
	return Presence{space, device, status, e.At}
}

// trimInTime lets p take away the oldest events with the first that are written, and then whenever
// trimAfter more are on disk: looking for them costs as much as all else about a coming. s.flushing is held.
func (s *Service) trimInTime(p *saving) {
	if len(p.events) == 0 {
		return
	}
	n, known := s.written[p.device]
	n += len(p.events)
	if p.trim = !known || n > trimAfter; p.trim {
		n = 0
	}
	s.written[p.device] = n
}

func finish(p *saving, err error) {
	for _, done := range p.done {
		done(err)
	}
	p.done = nil
}

// putBack makes what could not be saved pending again, behind what came since.
func (s *Service) putBack(batch []*saving) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batch {
		now, known := s.pending[p.device]
		if !known {
			again := *p
			again.done = nil
			s.pending[p.device] = &again
			continue
		}
		now.events = append(p.events, now.events...)
		if n := len(now.events); n > keepStatuses {
			now.events = now.events[n-keepStatuses:]
		}
		if p.activity.After(now.activity) {
			now.activity = p.activity
		}
		now.facts = p.facts.merge(now.facts)
	}
}

// forget drops what is pending about a device that is being removed.
func (s *Service) forget(device string) {
	s.mu.Lock()
	p := s.pending[device]
	delete(s.pending, device)
	s.mu.Unlock()
	s.flushing.Lock()
	delete(s.written, device)
	s.flushing.Unlock()
	if p != nil {
		finish(p, ErrGone)
	}
}

// repairPresence writes down that nobody is online when the process starts.
func (s *Service) repairPresence(ctx context.Context) error {
	rows, err := s.needs.Store.wasOnline(ctx)
	if err != nil {
		return fmt.Errorf("find devices that were online: %w", err)
	}
	for len(rows) > 0 {
		n := min(batchSize, len(rows))
		batch := make([]*saving, 0, n)
		s.mu.Lock()
		for _, r := range rows[:n] {
			p := &saving{space: r.Space, device: r.ID}
			p.events = []StatusEvent{{At: s.nextEventTime(), Connected: false}}
			p.trim = true
			batch = append(batch, p)
		}
		s.mu.Unlock()
		if err := s.needs.Store.save(ctx, batch); err != nil {
			return fmt.Errorf("write down who is offline: %w", err)
		}
		rows = rows[n:]
	}
	return nil
}

// Statuses tells when a device came and went, the newest first: at most limit
// events from before a time; a zero time is now.
func (s *Service) Statuses(ctx context.Context, who access.Actor, space, id string, before time.Time, limit int) ([]StatusEvent, error) {
	if err := ours(who, space); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, id); err != nil {
		return nil, err
	}
	if before.IsZero() {
		before = time.UnixMicro(1 << 62)
	}
	return s.needs.Store.statuses(ctx, space, id, before, min(limit, keepStatuses))
}
