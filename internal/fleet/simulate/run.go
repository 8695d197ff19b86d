package simulate

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	sdk "github.com/ardesia-iot/ardesia/sdk/go"
	"github.com/ardesia-iot/ardesia/sdk/go/simulated"
)

// errTaken is a device that somebody else is now.
var errTaken = errors.New("somebody else is connected as the device")

// Run is the life of all simulated boards, until ctx ends. It must not begin before boards can connect.
func (s *Service) Run(ctx context.Context) error {
	news := s.needs.Changes.Subscribe(256)
	defer news.Close()
	look := time.NewTicker(s.cfg.Look)
	defer look.Stop()
	var all sync.WaitGroup
	defer all.Wait()
	defer s.close()
	for {
		for _, b := range s.begin() {
			all.Go(func() { s.live(ctx, b) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case c := <-news.C():
			if c.What == device.Updated || c.What == device.Deleted {
				s.check(ctx, s.of(c.Device))
			}
		case <-look.C:
			s.checkAll(ctx)
		}
		if news.Lost() > 0 {
			s.checkAll(ctx)
		}
	}
}

// begin are the boards that are ready and do not run yet.
func (s *Service) begin() []*board {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*board
	for _, b := range s.boards {
		if b.ready && !b.begun {
			b.begun = true
			all = append(all, b)
		}
	}
	return all
}

// close takes no more.
func (s *Service) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	clear(s.boards)
}

// live is the life of one board.
func (s *Service) live(ctx context.Context, b *board) {
	defer close(b.done)
	defer s.take(b)
	ctx, end := context.WithTimeout(ctx, s.cfg.Lasts)
	defer end()
	defer context.AfterFunc(b.life, end)()
	s.follow(b)
	c := sdk.Config{DeviceID: b.Device, SecretKey: b.key.Reveal(), Now: s.needs.Now, Dial: s.dial(b, end), OnEvent: func(e sdk.Event) {
		if e.Kind == sdk.Failed && !errors.Is(e.Err, errTaken) && ctx.Err() == nil {
			s.needs.Log.WarnContext(ctx, "a simulated board cannot connect; trying again", "device", b.Device, "err", e.Err)
		}
	}}
	if err := simulated.Run(ctx, c, s.cfg.Every, io.Discard); err != nil && ctx.Err() == nil {
		s.needs.Log.ErrorContext(ctx, "a simulated board has ended", "device", b.Device, "err", err)
	}
}

// follow waits until the board is gone whose place b takes, which was stopped.
func (s *Service) follow(b *board) {
	s.mu.Lock()
	after := b.after
	b.after = nil
	s.mu.Unlock()
	if after != nil {
		<-after.done
	}
}

// dial connects a board. Its connections are cut by nothing but ourselves: when one is lost and the device is connected all the same,
// somebody else is it now, and the simulation ends instead of driving the other out.
func (s *Service) dial(b *board, end func()) func(context.Context) (net.Conn, error) {
	again := false
	return func(ctx context.Context) (net.Conn, error) {
		if again {
			t := time.NewTimer(s.cfg.Pause)
			defer t.Stop()
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-t.C:
			}
			d, err := s.needs.Devices.Get(ctx, system(b.Space), b.Space, b.Device, false)
			if err != nil {
				return nil, err
			}
			if d.Status == device.Online {
				s.needs.Log.InfoContext(ctx, "somebody else is connected as a simulated board, which ends", "device", b.Device)
				end()
				return nil, errTaken
			}
		}
		again = true
		return s.needs.Dial(ctx)
	}
}

func (s *Service) checkAll(ctx context.Context) {
	s.mu.Lock()
	all := make([]*board, 0, len(s.boards))
	for _, b := range s.boards {
		all = append(all, b)
	}
	s.mu.Unlock()
	for _, b := range all {
		s.check(ctx, b)
	}
}

// check ends a simulation whose time is over, or whose device is gone or has another secret key. b may be nil.
func (s *Service) check(ctx context.Context, b *board) {
	if b == nil {
		return
	}
	if !s.needs.Now().Before(b.Until) { // a machine that slept has a clock that did not
		s.take(b)
		return
	}
	err := s.needs.Devices.CheckSecret(ctx, system(b.Space), b.Space, b.Device, b.key.Reveal())
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, device.ErrNotFound) || errors.Is(err, device.ErrWrongSecret):
		s.take(b)
	default:
		s.needs.Log.ErrorContext(ctx, "whether a simulated board is still its device could not be found out; looking again", "device", b.Device, "err", err)
	}
}
