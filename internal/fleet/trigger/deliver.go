package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mail"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// errNoDelivery is one that was removed while it was under way.
var errNoDelivery = problem.New(problem.NotFound, "delivery-not-found", "There is no such delivery of this action.")

// A Delivery is one thing that was to be done, as people see it.
type Delivery struct {
	ID      string
	Trigger string
	Kind    Kind
	At      time.Time // when it was decided
	NextAt  time.Time // of the next try; zero when it has ended
	EndedAt time.Time // zero while it waits
	Tries   int64
	Outcome string // "" while it waits; done, dead, gone, limited or erased
	Answer  int    // HTTP status of the last try; 0 for none
}

// Deliveries are the newest of an action in who's space, at most so many.
func (s *Service) Deliveries(ctx context.Context, who access.Actor, action string, most int) ([]Delivery, error) {
	if _, err := s.GetAction(ctx, who, action); err != nil {
		return nil, err
	}
	return s.needs.Store.delivered(ctx, who.Space, action, most)
}

// A Firing is what a trigger did last, of what is still kept.
type Firing struct {
	Trigger string
	At      time.Time
	Waiting int64 // deliveries that are still tried
	Dead    int64 // deliveries that were given up
}

// Fired tells what the triggers of who's space did last; those that did nothing are left out.
func (s *Service) Fired(ctx context.Context, who access.Actor) ([]Firing, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	return s.needs.Store.fired(ctx, who.Space)
}

// Revive has the deliveries of an action that were given up tried for another day, and says how many. They keep their IDs.
func (s *Service) Revive(ctx context.Context, who access.Actor, action string) (int64, error) {
	if _, err := s.GetAction(ctx, who, action); err != nil {
		return 0, err
	}
	n, err := s.needs.Store.revive(ctx, who.Space, action, s.now().UnixMicro(), s.entry(who, "action:retry", "action", action, nil))
	if err == nil {
		s.poke()
	}
	return n, err
}

// deliver tries a delivery once.
func (s *Service) deliver(ctx context.Context, r delivery) outcome {
	t, a, e, how, err := s.unpack(ctx, r)
	if how != "" {
		return s.end(r, how, 0)
	}
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	switch r.kind {
	case Email:
		return s.sendLetters(ctx, r, t, a, e)
	case Push:
		if r.target == "" {
			return s.spread(ctx, r, t, a, e)
		}
		return s.sendNotice(ctx, r, t, a, e)
	case Webhook:
		return s.call(ctx, r, t, a, e)
	case Set:
		return s.write(ctx, r, a)
	}
	return s.end(r, dead, 0)
}

// unpack finds what a delivery is about; how is not "" when it is for nothing any more.
func (s *Service) unpack(ctx context.Context, r delivery) (t Trigger, a Action, e event, how string, err error) {
	a, err = s.needs.Store.findAction(ctx, r.space, r.action)
	if err == nil {
		t, err = s.needs.Store.find(ctx, r.space, r.trigger)
	}
	if errors.Is(err, ErrActionNotFound) || errors.Is(err, ErrNotFound) || err == nil && t.Deleted() {
		return t, a, e, gone, nil
	}
	var key keys.Sealer
	if err == nil {
		key, err = s.partKey(ctx, r.space, r.part)
	}
	if err == nil {
		err = unseal(key, r.sealed, &e, "trigger_delivery", r.id)
	}
	if errors.Is(err, keys.ErrErased) || errors.Is(err, keys.ErrSeal) {
		return t, a, e, erased, nil
	}
	return t, a, e, "", err
}

// listeners are those of some users who are members still and have not said that they want no more.
func (s *Service) listeners(ctx context.Context, r delivery, users []string) ([]string, error) {
	muted, err := s.needs.Store.muted(ctx, r.trigger)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, user := range users {
		role, err := s.needs.Role(ctx, r.space, user)
		if err != nil {
			return nil, err
		}
		if role != access.NoRole && !muted[user] {
			all = append(all, user)
		}
	}
	return all, nil
}

// sendLetters hands a letter for each recipient to the room of letters, which knows those that it has.
func (s *Service) sendLetters(ctx context.Context, r delivery, t Trigger, a Action, e event) outcome {
	all, err := s.listeners(ctx, r, a.Email.everyone())
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	facts := s.facts(t, e)
	how := gone
	for _, user := range all {
		value := func(v Variable) string { return facts.value(ctx, v, user) }
		title := a.Email.Title.Fill(maxSubject, value)
		if title == "" {
			title = t.Name
		}
		err := s.needs.Letter(ctx, post.Letter{
			Kind: post.Trigger, To: user, Key: r.id + "/" + user, Unsubscribe: s.unsubscribeLink(r.trigger, user),
			Fields: map[string]string{"title": title, "text": orElse(a.Email.Body.Fill(maxTold, value), t.Name), "trigger": t.Name},
		})
		switch {
		case err == nil:
			how = done
		case errors.Is(err, post.ErrTooMany):
			s.counts.held.Add(1)
			if how == gone {
				how = limited
			}
		case errors.Is(err, mail.ErrAddress), errors.Is(err, keys.ErrErased), problem.Of(err).Kind == problem.NotFound:
		default:
			return s.later(ctx, r, 0, err)
		}
		if err := s.cut("letter"); err != nil {
			return s.later(ctx, r, 0, err)
		}
	}
	if facts.err != nil {
		s.needs.Log.WarnContext(ctx, "a letter was sent without all of its values", "delivery", r.id, "err", facts.err)
	}
	return s.end(r, how, 0)
}

// What of a filled text reaches people, in characters.
const (
	maxSubject = 120
	maxTold    = 4000
)

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// spread puts a delivery for each browser of the recipients in the place of one for all.
func (s *Service) spread(ctx context.Context, r delivery, _ Trigger, a Action, e event) outcome {
	all, err := s.listeners(ctx, r, a.Push.everyone())
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	key, err := s.partKey(ctx, r.space, r.part)
	if err != nil {
		return s.later(ctx, r, 0, err)
	}
	var rows []delivery
	for _, user := range all {
		ids, err := s.needs.Store.browsers(ctx, user)
		if err != nil {
			return s.later(ctx, r, 0, err)
		}
		for _, id := range ids {
			one := r
			one.id, one.target, one.next = uuid.NewSHA1(deliveries, keys.Place(r.id, id)).String(), id, s.now().UnixMicro()
			if one.sealed, err = sealEvent(key, one.id, e); err != nil {
				return s.later(ctx, r, 0, err)
			}
			rows = append(rows, one)
		}
	}
	if len(rows) == 0 {
		return s.end(r, gone, 0)
	}
	if err := s.needs.Store.expand(ctx, r.id, rows, s.now().UnixMicro()); err != nil {
		return s.later(ctx, r, 0, err)
	}
	s.poke()
	return s.end(r, done, 0)
}

// write sets a property as people would. The time that it chose first stands for the delivery: a value that
// is there with that time is not written again.
func (s *Service) write(ctx context.Context, r delivery, a Action) outcome {
	who := system(r.space)
	if r.stamp == 0 {
		at, err := s.needs.Things.Moment(who, a.Set.Thing, a.Set.Property)
		if err == nil {
			r.stamp, err = s.needs.Store.chose(ctx, r.id, at.UnixMicro())
		}
		if err != nil {
			return s.refused(ctx, r, err)
		}
	}
	if err := s.needs.Things.CommandAt(ctx, who, a.Set.Thing, a.Set.Property, fromMicros(r.stamp), json.RawMessage(a.Set.JSON)); err != nil {
		return s.refused(ctx, r, err)
	}
	return s.end(r, done, 0)
}

// refused is a value that could not be written.
func (s *Service) refused(ctx context.Context, r delivery, err error) outcome {
	switch {
	case errors.Is(err, keys.ErrErased), problem.Of(err).Kind == problem.NotFound:
		return s.end(r, gone, 0)
	case isProblem(err):
		s.needs.Log.InfoContext(ctx, "a property does not take the value that an action sets", "delivery", r.id, "action", r.action, "err", err)
		return s.end(r, dead, 0)
	}
	return s.later(ctx, r, 0, err)
}
