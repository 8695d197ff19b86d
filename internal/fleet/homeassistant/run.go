package homeassistant

import (
	"context"
	"sync"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

const (
	// valueQueue and comingQueue are how much may wait to be looked at. Looking only marks what is to be told; when it is too slow all
	// the same, everything is told anew.
	valueQueue  = 1 << 13
	comingQueue = 1 << 12
)

// Run keeps all bridges up and tells them what happens, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	values, comings := s.needs.Values.Subscribe(valueQueue), s.needs.Comings.Subscribe(comingQueue)
	defer values.Close()
	defer comings.Close()
	var parts sync.WaitGroup
	defer parts.Wait()
	leaveWord(s.wake)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
			for _, b := range s.all() {
				if run := b.start(ctx); run != nil {
					parts.Go(run)
				}
			}
		case c := <-values.C():
			if b := s.bridge(c.Space); b != nil {
				b.values(c)
			}
		case c := <-comings.C():
			if b := s.bridge(c.Space); b != nil && (c.What == device.Connected || c.What == device.Disconnected) {
				b.coming(c.Device)
			}
		}
		if values.Lost() > 0 {
			for _, b := range s.all() {
				b.allValues()
			}
		}
		if comings.Lost() > 0 {
			for _, b := range s.all() {
				b.allComings()
			}
		}
	}
}
