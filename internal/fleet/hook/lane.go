package hook

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

const (
	slots   = 32  // webhooks that are told at once
	perTurn = 16  // events of one webhook, before others may come
	dueRows = 128 // webhooks that are looked for at once
)

// A try is what came of one, for the store.
type try struct {
	hook, event       string // ids
	number            int64
	at                int64 // µs since 1970
	result            string
	status            int64
	taken, dead, gone bool  // how the event ended; none: it waits
	next              int64 // µs since 1970, for one that waits
}

// A waiting event, with its webhook.
type waiting struct {
	id     string
	thing  string
	number int64
	sealed []byte
	at     int64
}

// runLane tells receivers, until ctx ends. One webhook is at work once at a time, so its events keep their order.
func (s *Service) runLane(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	busy, spaces := map[string]string{}, map[string]int{} // space by hook; how many of a space
	ended := make(chan string, slots)
	for ctx.Err() == nil {
		for more := true; more; {
			select {
			case id := <-ended:
				if spaces[busy[id]]--; spaces[busy[id]] == 0 {
					delete(spaces, busy[id])
				}
				delete(busy, id)
			default:
				more = false
			}
		}
		full := false
		if len(busy) < slots {
			all, err := s.needs.Store.due(ctx, s.now().UnixMicro(), dueRows)
			if err != nil && ctx.Err() == nil {
				s.needs.Log.ErrorContext(ctx, "webhooks wait for the database", "err", err)
			}
			full = len(all) == dueRows
			for _, h := range all {
				// A space whose receivers are slow leaves half of the lane to others.
				if busy[h.id] != "" || len(busy) >= slots || spaces[h.space] >= slots/2 {
					continue
				}
				busy[h.id] = h.space
				spaces[h.space]++
				work.Go(func() {
					s.tell(ctx, h)
					select {
					case ended <- h.id:
						word(s.wake)
					case <-ctx.Done():
					}
				})
			}
		}
		pause := s.cfg.Tick
		if full {
			pause = s.cfg.Tick / 4
		}
		t := time.NewTimer(pause)
		select {
		case <-s.wake:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// tell tells a receiver of some events, the oldest first, until one is not taken.
func (s *Service) tell(ctx context.Context, o owned) {
	h, err := s.needs.Store.find(ctx, o.space, o.id)
	if err == nil && !h.Active {
		return
	}
	var all []waiting
	if err == nil {
		all, err = s.needs.Store.oldest(ctx, o.id, perTurn)
	}
	switch {
	case errors.Is(err, keys.ErrErased), errors.Is(err, keys.ErrSeal): // the former is a kind of being gone
		s.drop(ctx, o)
		return
	case isGone(err):
		return
	case err != nil:
		if ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "a webhook waits for the database", "webhook", o.id, "err", err)
		}
		return
	}
	for _, e := range all {
		if !s.still(&h) || !s.one(ctx, &h, e) {
			return
		}
	}
}

// still says whether a webhook is what it was when its turn began: somebody may have changed, turned off or removed it, and no
// more of its events go to the address of before.
func (s *Service) still(h *Hook) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.hooks[h.ID]
	return now != nil && now.active && now.url == h.URL
}

// drop removes a webhook whose thing or device was erased.
func (s *Service) drop(ctx context.Context, o owned) {
	if err := s.remove(ctx, o.id, nil); err != nil && ctx.Err() == nil {
		s.needs.Log.ErrorContext(ctx, "a webhook of something that was erased is still there", "webhook", o.id, "err", err)
	}
}

// one tells a receiver of an event, and says whether the next may follow.
func (s *Service) one(ctx context.Context, h *Hook, e waiting) bool {
	key, err := s.needs.Keys.Thing(ctx, h.Space, e.thing)
	var body []byte
	if err == nil {
		body, err = key.Open(e.sealed, keys.Place("hook_event", "sealed", e.id))
	}
	x := try{hook: h.ID, event: e.id, number: e.number, at: s.now().UnixMicro()}
	switch {
	case errors.Is(err, keys.ErrErased), errors.Is(err, keys.ErrSeal):
		x.gone, x.result = true, "erased"
		return s.tried(ctx, x)
	case err != nil:
		if ctx.Err() == nil {
			s.needs.Log.ErrorContext(ctx, "an event of a webhook cannot be opened; trying again", "webhook", h.ID, "err", err)
		}
		return false
	}
	now := s.now()
	answer := webhook.Call(ctx, s.needs.Web, h.URL, webhook.Message{ID: e.id, Secrets: h.secrets(now), Body: body}, now)
	if ctx.Err() != nil && answer.Result != webhook.Taken {
		return false // the house stops; the next one begins with this event
	}
	if s.cut("told") != nil {
		return false
	}
	now = s.now()
	x.at, x.result, x.status = now.UnixMicro(), answer.Result.String(), int64(answer.Status)
	if answer.Result == webhook.Taken {
		s.counts.delivered.Add(1)
		x.taken = true
		h.mend()
		return s.tried(ctx, x)
	}
	s.counts.failed.Add(1)
	h.Tries++
	if h.FailingSince.IsZero() {
		h.FailingSince = now
	}
	x.dead = now.Sub(fromMicros(e.at)) >= tryFor
	if x.dead {
		s.counts.dead.Add(1)
	}
	pause := webhook.Pause(s.cfg.Retry, maxPause, h.Tries)
	x.next = now.Add(pause).UnixMicro()
	s.needs.Log.InfoContext(ctx, "a webhook was not taken; it is tried again", "webhook", h.ID, "event", e.id, "try", h.Tries, "in", pause, "given_up", x.dead, "err", answer.Err)
	s.tried(ctx, x)
	if answer.Result == webhook.Unasked || now.Sub(h.FailingSince) >= failFor {
		s.giveUp(ctx, h, answer)
	}
	return false
}

func (s *Service) tried(ctx context.Context, x try) bool {
	if err := s.needs.Store.tried(context.WithoutCancel(ctx), x); err != nil {
		s.needs.Log.ErrorContext(ctx, "what became of an event of a webhook could not be kept; it is told again", "webhook", x.hook, "event", x.event, "err", err)
		return false
	}
	return s.cut("tried") == nil
}

// giveUp turns a webhook off and tells its owner. The letter comes first, and has a key by which the room of letters knows one that it
// has: a kill in between has it written once. Of one that has another address by now nothing is known.
func (s *Service) giveUp(ctx context.Context, h *Hook, answer webhook.Answer) {
	now, err := s.needs.Store.find(ctx, h.Space, h.ID)
	if isGone(err) || err == nil && now.URL != h.URL {
		return
	}
	var name, owner string
	if err == nil {
		name, owner, err = s.nameOf(ctx, h)
	}
	if err == nil {
		err = s.write(ctx, h, name, owner, answer)
	}
	if err == nil {
		err = s.turnOff(ctx, h)
	}
	if err != nil && ctx.Err() == nil {
		s.needs.Log.ErrorContext(ctx, "a webhook that nobody takes could not be turned off; trying again", "webhook", h.ID, "err", err)
	}
}

func (s *Service) write(ctx context.Context, h *Hook, name, owner string, answer webhook.Answer) error {
	member, err := s.needs.Member(ctx, h.Space, owner)
	if err != nil || !member {
		return err
	}
	since := h.FailingSince
	l := post.Letter{Kind: post.WebhookOff, To: owner, Key: "webhook-off " + h.ID + " " + since.Format(time.RFC3339), Fields: map[string]string{
		"webhook": name, "receiver": host(h.URL), "when": since.UTC().Format(time.RFC3339), "answer": answer.Result.String(),
	}}
	if answer.Status != 0 {
		l.Fields["answer"] = "HTTP " + strconv.Itoa(answer.Status)
	}
	err = s.needs.Letter(ctx, l)
	if errors.Is(err, post.ErrTooMany) || isGone(err) || errors.Is(err, keys.ErrErased) {
		s.needs.Log.WarnContext(ctx, "nobody was written to about a webhook that is turned off", "webhook", h.ID, "err", err)
		return nil
	}
	return err
}
