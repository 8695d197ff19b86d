package ota

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// What an event is about.
type kind uint8

const (
	runs     kind = iota // the device says which image it runs
	reports              // how far its update is
	tells                // the same, first generation
	listens              // it can be sent an update
	advances             // no device: a campaign may go on
)

// An event is something that happened to a device.
type event struct {
	kind     kind
	device   string // of advances: the campaign
	sha      [32]byte
	progress command.OtaProgress
	told     Told
	done     func(error) // nil: nobody waits
}

// batch is how many events share a transaction.
const batch = 256

const (
	tick       = time.Second      // between two looks at what is late
	sweepEvery = time.Hour        // between two looks at what nobody needs
	again      = time.Second      // after a failure
	lookEvery  = 30 * time.Second // between two looks at all campaigns
)

// Runs implements device.Updates.
func (s *Service) Runs(id string, sha [32]byte, done func(error)) {
	s.events <- event{kind: runs, device: id, sha: sha, done: done}
}

// Progress implements device.Updates.
func (s *Service) Progress(id string, p command.OtaProgress, done func(error)) {
	s.events <- event{kind: reports, device: id, progress: p, done: done}
}

// Told implements device.Updates.
func (s *Service) Told(id string, said map[device.Fact]string, done func(error)) {
	s.events <- event{kind: tells, device: id, told: toTold(said), done: done}
}

// Listens implements device.Updates.
func (s *Service) Listens(id string) { s.events <- event{kind: listens, device: id} }

// Run takes what devices say, and sees to what is late, until ctx ends. What comes later is
// refused, so that nobody waits for ever.
func (s *Service) Run(ctx context.Context) error {
	ticks, sweeps, looks := time.NewTicker(tick), time.NewTicker(sweepEvery), time.NewTicker(lookEvery)
	defer ticks.Stop()
	defer sweeps.Stop()
	defer looks.Stop()
	s.look(ctx)
	for {
		var err error
		select {
		case <-ctx.Done():
			s.refuse()
			return ctx.Err()
		case e := <-s.events:
			err = s.take(ctx, e)
		case <-s.wake:
			err = s.tellSome(ctx)
		case <-ticks.C:
			err = s.late(ctx)
		case <-sweeps.C:
			err = s.sweep(ctx)
		case <-looks.C:
			s.look(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "updates of devices do not go on; trying again", "err", err)
		}
	}
}

// errStopped is the end of the server.
var errStopped = errors.New("the server stops")

// refuse answers who waits.
func (s *Service) refuse() {
	for {
		select {
		case e := <-s.events:
			if e.done != nil {
				e.done(errStopped)
			}
		default:
			return
		}
	}
}

// take works on an event and those behind it.
func (s *Service) take(ctx context.Context, first event) error {
	events := []event{first}
	for len(events) < batch {
		select {
		case e := <-s.events:
			events = append(events, e)
			continue
		default:
		}
		break
	}
	return s.work(ctx, events)
}

// work does what follows from events, and answers those who wait. What cannot be written is tried again: a device
// says once only what it runs.
func (s *Service) work(ctx context.Context, events []event) error {
	err := s.write(ctx, events)
	if err == nil {
		answer(events, nil)
		return ctx.Err()
	}
	// One of them may be why: the others must not suffer.
	for _, e := range events {
		answer([]event{e}, s.insist(ctx, e))
	}
	return ctx.Err()
}

// tell has Run tell the devices of updates that may begin. It does not wait: there may be as many as a
// campaign has, and who asked for them may go away.
func (s *Service) tell(all []Update) {
	s.mu.Lock()
	for _, u := range all {
		if u.Held || !u.StartAt.IsZero() || s.owed[u.Device] {
			continue
		}
		s.owed[u.Device] = true
		s.turn = append(s.turn, u.Device)
	}
	s.mu.Unlock()
	s.rouse()
}

// rouse wakes Run, if somebody has to be told.
func (s *Service) rouse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.turn) == 0 {
		return
	}
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// tellSome tells the next devices whose turn it is, as many as one transaction holds: what devices say in the
// meantime comes in between. Who is not connected is told when it comes.
func (s *Service) tellSome(ctx context.Context) error {
	defer s.rouse()
	s.mu.Lock()
	some := s.turn[:min(batch, len(s.turn))]
	if s.turn = s.turn[len(some):]; len(s.turn) == 0 {
		s.turn = nil
	}
	for _, d := range some {
		delete(s.owed, d)
	}
	s.mu.Unlock()
	var events []event
	for _, d := range some {
		if r, err := s.needs.Devices.Reach(ctx, d); err == nil && r.Generation == 0 {
			continue
		}
		events = append(events, event{kind: listens, device: d})
	}
	if len(events) == 0 {
		return ctx.Err()
	}
	return s.work(ctx, events)
}

// answer tells those who wait.
func answer(events []event, err error) {
	for _, e := range events {
		if e.done != nil {
			e.done(err)
		}
	}
}

// maxTries is how often one event is tried, a second apart: a database is back by then, or somebody looks.
const maxTries = 60

// insist works on one event until it succeeds, or cannot.
func (s *Service) insist(ctx context.Context, e event) (err error) {
	for try := 1; ; try++ {
		if err = s.write(ctx, []event{e}); err == nil || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, db.ErrUnique) || try == maxTries {
			s.needs.Log.ErrorContext(ctx, "what a device says of its update cannot be written", "device", e.device, "err", err)
			return err
		}
		if try == 1 {
			s.needs.Log.ErrorContext(ctx, "what a device says of its update cannot be written; trying again", "device", e.device, "err", err)
		}
		t := time.NewTimer(again)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

// An order is an update that is to be sent to its device.
type order struct {
	update Update
	reach  device.Reach
}

// write works on events in one transaction, and then does what follows from them.
func (s *Service) write(ctx context.Context, events []event) error {
	var (
		moved  []Update
		orders []order
	)
	err := s.needs.Store.edit(ctx, func(tx changer) error {
		moved, orders = moved[:0], orders[:0]
		for _, e := range events {
			if e.kind == advances {
				continue
			}
			u, err := tx.open(e.device)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err != nil {
				return fmt.Errorf("find the update of device %s: %w", e.device, err)
			}
			was := u
			var news []Line
			if err := s.apply(ctx, &u, e, &news, &orders); err != nil {
				return err
			}
			if u == was && len(news) == 0 {
				continue
			}
			if err := s.save(tx, u, news); err != nil {
				return err
			}
			moved = append(moved, u)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, o := range orders {
		if err := s.send(o); err != nil {
			s.needs.Log.ErrorContext(ctx, "a device cannot be told of its update; it is told when it connects again", "device", o.update.Device, "err", err)
		}
	}
	s.over(ctx, moved)
	for _, e := range events {
		if e.kind != advances {
			continue
		}
		released, err := s.advance(ctx, e.device)
		if err != nil && !errors.Is(err, ErrCampaignNotFound) {
			return err
		}
		s.tell(released)
	}
	return nil
}

// apply lets e happen to u.
func (s *Service) apply(ctx context.Context, u *Update, e event, news *[]Line, orders *[]order) error {
	at := s.now()
	switch e.kind {
	case runs:
		u.runs(e.sha, at, news)
	case reports:
		if uuid.UUID(e.progress.ID).String() == u.ID {
			u.reported(e.progress.State, e.progress.Data, at, news)
		}
	case tells:
		u.told(e.told, at, news)
	case listens:
		if !u.sendable(at) {
			return nil
		}
		reach, err := s.needs.Devices.Reach(ctx, u.Device)
		if err != nil || reach.Generation == 0 || !reach.Capable {
			return err
		}
		if reach.SHA == u.Final {
			u.runs(reach.SHA, at, news) // it has it already
			return nil
		}
		u.sent(reach.SHA, reach.Generation, at)
		*orders = append(*orders, order{*u, reach})
	}
	return nil
}

// save writes u, and an entry when it has ended.
func (s *Service) save(tx changer, u Update, news []Line) error {
	if err := tx.save(u, news); err != nil {
		return fmt.Errorf("save update %s: %w", u.ID, err)
	}
	if !u.Status.Over() {
		return nil
	}
	detail := map[string]string{"device": u.Device, "status": string(u.Status)}
	if u.Error != "" {
		detail["error"] = u.Error
	}
	who := access.Actor{Kind: access.Device, ID: u.Device, Space: u.Space}
	if u.Status == Expired || u.Error == Silent {
		who = access.Actor{Kind: access.System}
	}
	return tx.record(s.entry(who, u.Space, "ota:end", "ota", u.ID, detail))
}

// send tells a device of its update.
func (s *Service) send(o order) error {
	url := s.address(o.update)
	if o.reach.Generation == 1 {
		s.needs.Devices.SendUpdateURL(o.update.Device, url)
		return nil
	}
	id, err := uuid.Parse(o.update.ID)
	if err != nil {
		return err
	}
	return s.needs.Devices.SendUpdate(o.update.Device, command.OtaUpdate{ID: id, URL: url, InitialSHA: o.update.From, FinalSHA: o.update.Final})
}

// perLate is how many updates one transaction ends that are late.
const perLate = 500

// late ends what did not begin or go on in time, and begins what was scheduled.
func (s *Service) late(ctx context.Context) error {
	for {
		var moved, due []Update
		found := 0
		err := s.needs.Store.edit(ctx, func(tx changer) error {
			moved, due = moved[:0], due[:0]
			now := s.now()
			all, err := tx.late(now, perLate)
			if err != nil {
				return err
			}
			found = len(all)
			for _, u := range all {
				var news []Line
				u.late(now, &news)
				if !u.Status.Over() {
					u.StartAt = time.Time{} // it has come
					due = append(due, u)
				} else {
					moved = append(moved, u)
				}
				if err := s.save(tx, u, news); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("look for updates that are late: %w", err)
		}
		s.over(ctx, moved)
		s.tell(due)
		if found < perLate {
			return nil
		}
	}
}

// look lets campaigns go on whose last update ended unnoticed.
func (s *Service) look(ctx context.Context) {
	all, err := s.needs.Store.underWay(ctx)
	if err != nil {
		s.needs.Log.ErrorContext(ctx, "cannot look for campaigns; trying again", "err", err)
		return
	}
	for _, id := range all {
		if err := s.take(ctx, event{kind: advances, device: id}); err != nil {
			return
		}
	}
}

// sweep removes images that nobody needs, and files that nobody refers to.
func (s *Service) sweep(ctx context.Context) error {
	old, err := s.needs.Store.unneeded(ctx, s.now().Add(-unneeded), batch)
	if err != nil {
		return fmt.Errorf("look for images that nobody needs: %w", err)
	}
	for _, i := range old {
		err := s.needs.Store.deleteImage(ctx, i, s.entry(access.Actor{Kind: access.System}, i.Space, "ota:delete", "ota-image", i.ID, map[string]string{"days": strconv.Itoa(int(unneeded / (24 * time.Hour)))}))
		if err != nil && !errors.Is(err, ErrImageUsed) && !errors.Is(err, ErrImageNotFound) {
			return fmt.Errorf("remove image %s: %w", i.ID, err)
		}
	}
	return s.needs.Blobs.Sweep(ctx)
}
