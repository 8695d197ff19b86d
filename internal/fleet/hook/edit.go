package hook

import (
	"context"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// OfThing is the webhook of a thing in who's space, which comes with its webhook_uri, or ErrNotFound.
func (s *Service) OfThing(ctx context.Context, who access.Actor, thing string) (Hook, error) {
	if err := ours(who); err != nil {
		return Hook{}, err
	}
	return s.needs.Store.ofThing(ctx, who.Space, thing)
}

// OfDevice are the webhooks of a device in who's space, the oldest first.
func (s *Service) OfDevice(ctx context.Context, who access.Actor, device string) ([]Hook, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	return s.needs.Store.ofDevice(ctx, who.Space, device)
}

// get finds a webhook of a device.
func (s *Service) get(ctx context.Context, who access.Actor, device, id string) (Hook, error) {
	if err := ours(who); err != nil {
		return Hook{}, err
	}
	h, err := s.needs.Store.find(ctx, who.Space, id)
	if err == nil && h.Device != device {
		return Hook{}, ErrNotFound
	}
	return h, err
}

// Add gives a device a webhook.
func (s *Service) Add(ctx context.Context, who access.Actor, device, url string, active bool) (Hook, error) {
	if err := ours(who); err != nil {
		return Hook{}, err
	}
	if !webhook.CheckURL(url) {
		return Hook{}, ErrURL
	}
	if _, err := s.needs.Devices.Get(ctx, who, who.Space, device, false); err != nil {
		return Hook{}, err
	}
	h := Hook{ID: uuid.NewString(), Space: who.Space, Owner: who.ID, Device: device, content: content{URL: url, Secret: webhook.NewSecret()}, Active: active, Since: s.tap.Seq(), CreatedAt: s.now()}
	s.looking.Lock()
	defer s.looking.Unlock()
	if err := s.needs.Store.add(ctx, h, maxHooks, s.entry(who, "webhook:create", h.ID, map[string]string{"device": device})); err != nil {
		return Hook{}, err
	}
	s.place(h.ID, &h)
	if err := s.hear(ctx, h.Space, device); err != nil { // the webhook is there all the same
		s.needs.Log.ErrorContext(ctx, "the thing of a device with a new webhook could not be found; trying again", "device", device, "err", err)
	}
	return h, nil
}

// Remove takes a webhook from a device. What waits is not told any more.
func (s *Service) Remove(ctx context.Context, who access.Actor, device, id string) error {
	if _, err := s.get(ctx, who, device, id); err != nil {
		return err
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	return s.remove(ctx, id, s.entry(who, "webhook:delete", id, map[string]string{"device": device}))
}

// Edit gives a webhook of a device another address, and turns it on or off. "" and nil leave what is there. What waits goes to the new
// address.
func (s *Service) Edit(ctx context.Context, who access.Actor, device, id, url string, on *bool) (Hook, error) {
	if url != "" && !webhook.CheckURL(url) {
		return Hook{}, ErrURL
	}
	if _, err := s.get(ctx, who, device, id); err != nil {
		return Hook{}, err
	}
	return s.change(ctx, who, id, "webhook:update", func(h *Hook) (clear bool) {
		if on != nil {
			h.turn(*on, s.tap.Seq())
		}
		if url != "" && url != h.URL {
			h.URL = url
			h.mend()
		}
		return !h.Active
	})
}

// Rotate gives a webhook a new secret. The old one signs beside it for a day.
func (s *Service) Rotate(ctx context.Context, who access.Actor, h Hook) (Hook, error) {
	if err := ours(who); err != nil {
		return Hook{}, err
	}
	return s.change(ctx, who, h.ID, "webhook:rotate", func(h *Hook) (clear bool) {
		h.rotate(s.now())
		return false
	})
}

func (s *Service) change(ctx context.Context, who access.Actor, id, action string, fn func(h *Hook) (clear bool)) (Hook, error) {
	s.looking.Lock()
	defer s.looking.Unlock()
	h, err := s.needs.Store.change(ctx, who.Space, id, func(h *Hook) (*journal.Entry, bool, error) {
		clear := fn(h)
		return s.entry(who, action, id, map[string]string{"thing": h.Thing, "device": h.Device}), clear, nil
	})
	if err == nil {
		s.place(id, &h)
		word(s.wake)
	}
	return h, err
}

// A Shown is a webhook as answers about its device have it; cloud-api reference, section 6.1.
type Shown struct {
	Active bool   `json:"active"`
	ID     string `json:"id"`
	URI    string `json:"uri"`
}

// Show is the webhooks of a device, from memory.
func (s *Service) Show(device string) any {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.of[device]) == 0 {
		return nil
	}
	all := make([]Shown, 0, len(s.of[device]))
	for _, r := range s.of[device] {
		all = append(all, Shown{r.active, r.id, r.url})
	}
	sortShown(all)
	return all
}
