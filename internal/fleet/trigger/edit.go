package trigger

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// settleActions makes the actions of t ones that can be kept.
func (s *Service) settleActions(ctx context.Context, who access.Actor, t *Trigger) error {
	if len(t.Actions) > maxActions {
		return ErrTooManyActions
	}
	for i := range t.Actions {
		a := &t.Actions[i]
		a.Trigger = t.ID
		a.CreatedAt = t.UpdatedAt.Add(time.Duration(i) * time.Microsecond) // keeps their order
		if err := s.settleAction(ctx, who, a); err != nil {
			return err
		}
	}
	return nil
}

// settleAction gives a new action what belongs to it and says whether it can be.
func (s *Service) settleAction(ctx context.Context, who access.Actor, a *Action) error {
	a.ID, a.Space, a.Owner, a.UpdatedAt = uuid.NewString(), who.Space, who.ID, a.CreatedAt
	if a.Webhook != nil && a.Webhook.Secret == "" {
		a.Webhook.Secret = webhook.NewSecret()
	}
	if err := a.Check(); err != nil {
		return err
	}
	return s.mayDo(ctx, who, a)
}

// member says whether somebody is one of who's space; otherwise is the error when not.
func (s *Service) member(ctx context.Context, who access.Actor, user string, otherwise error) error {
	role, err := s.needs.Role(ctx, who.Space, user)
	if err == nil && role == access.NoRole {
		err = otherwise
	}
	return err
}

// mayDo says whether the recipients of an action and the people that it names are members, and its property can be written.
func (s *Service) mayDo(ctx context.Context, who access.Actor, a *Action) error {
	if n := a.notice(); n != nil {
		for _, user := range n.everyone() {
			if err := s.member(ctx, who, user, ErrRecipient.With("The recipient "+user+" is no member of this space.")); err != nil {
				return err
			}
		}
		for _, v := range slices.Concat(n.Title.Variables, n.Body.Variables) {
			if v.Entity != "USER" || v.ID == "" {
				continue
			}
			if err := s.member(ctx, who, v.ID, ErrExpression.With("The user "+v.ID+" that a variable names is no member of this space.")); err != nil {
				return err
			}
		}
	}
	if a.Set == nil {
		return nil
	}
	th, p, err := s.needs.Things.Property(ctx, who, a.Set.Property)
	if err != nil {
		return err
	}
	if p.Deleted() || th.Deleted() {
		return thing.ErrPropertyNotFound
	}
	if !p.Writable() {
		return thing.ErrReadOnly.With("Only the device sets this property; the cloud may not.")
	}
	switch p.Type.Kind {
	case thing.Bool, thing.Text, thing.Int, thing.Time, thing.Float:
	default:
		return ErrKind.With("An action sets a property whose values are booleans, numbers or texts.")
	}
	a.Set.Thing = th.ID
	last, _ := s.needs.Things.Last(p)
	_, err = p.Type.Kind.Read(a.Set.JSON, last.Value, thing.MaxTextDown)
	return err
}

// CreateAction makes an action in who's space, for a trigger or for none.
func (s *Service) CreateAction(ctx context.Context, who access.Actor, a Action) (Action, error) {
	if err := ours(who); err != nil {
		return Action{}, err
	}
	a.CreatedAt = s.now()
	if err := s.settleAction(ctx, who, &a); err != nil {
		return Action{}, err
	}
	if err := s.needs.Store.addAction(ctx, a, s.entry(who, "action:create", "action", a.ID, about(a.Trigger))); err != nil {
		return Action{}, err
	}
	s.again(ctx, a.Space, a.Trigger)
	return a, nil
}

func about(trigger string) map[string]string {
	if trigger == "" {
		return nil
	}
	return map[string]string{"trigger": trigger}
}

// GetAction finds an action in who's space.
func (s *Service) GetAction(ctx context.Context, who access.Actor, id string) (Action, error) {
	if err := ours(who); err != nil {
		return Action{}, err
	}
	return s.needs.Store.findAction(ctx, who.Space, id)
}

// ListActions tells all actions of who's space, the oldest first.
func (s *Service) ListActions(ctx context.Context, who access.Actor) ([]Action, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	return s.needs.Store.listActions(ctx, who.Space)
}

// UpdateAction changes an action by fn, which may run more than once and may not change its kind.
func (s *Service) UpdateAction(ctx context.Context, who access.Actor, id string, fn func(a *Action) error) (Action, error) {
	had, err := s.GetAction(ctx, who, id)
	if err != nil {
		return Action{}, err
	}
	// Whom it reaches and what it sets is asked outside of the transaction.
	next := had
	if err := fn(&next); err != nil {
		return Action{}, err
	}
	next.Kind = had.Kind
	if err := next.Check(); err != nil {
		return Action{}, err
	}
	if err := s.mayDo(ctx, who, &next); err != nil {
		return Action{}, err
	}
	next.Owner, next.UpdatedAt = who.ID, s.now()
	return s.changeAction(ctx, who, id, "action:update", func(a *Action) error {
		a.Owner, a.UpdatedAt, a.Trigger, a.content = next.Owner, next.UpdatedAt, next.Trigger, next.content
		return nil
	})
}

func (s *Service) changeAction(ctx context.Context, who access.Actor, id, action string, fn func(a *Action) error) (Action, error) {
	a, before, err := s.needs.Store.changeAction(ctx, who.Space, id, func(a *Action) (journal.Entry, error) {
		err := fn(a)
		return s.entry(who, action, "action", id, about(a.Trigger)), err
	})
	if err != nil {
		return Action{}, err
	}
	if before != a.Trigger {
		s.again(ctx, a.Space, before)
	}
	s.again(ctx, a.Space, a.Trigger)
	return a, nil
}

// DeleteAction removes an action, and what waits to be delivered of it.
func (s *Service) DeleteAction(ctx context.Context, who access.Actor, id string) error {
	if err := ours(who); err != nil {
		return err
	}
	trigger, err := s.needs.Store.dropAction(ctx, who.Space, id, s.entry(who, "action:delete", "action", id, nil))
	if err != nil {
		return err
	}
	s.again(ctx, who.Space, trigger)
	return nil
}

// Unsubscribe takes people from the recipients of an action.
func (s *Service) Unsubscribe(ctx context.Context, who access.Actor, id string, users []string) (Action, error) {
	if err := ours(who); err != nil {
		return Action{}, err
	}
	gone := map[string]bool{}
	for _, u := range users {
		gone[u] = true
	}
	return s.changeAction(ctx, who, id, "action:unsubscribe", func(a *Action) error {
		a.UpdatedAt = s.now()
		if a.Email != nil {
			a.Email = a.Email.without(gone)
		}
		if a.Push != nil {
			a.Push = a.Push.without(gone)
		}
		return nil
	})
}

// UnsubscribeAll takes people from the recipients of all actions of a trigger.
func (s *Service) UnsubscribeAll(ctx context.Context, who access.Actor, trigger string, users []string) error {
	t, err := s.Get(ctx, who, trigger, false)
	if err != nil {
		return err
	}
	for _, a := range t.Actions {
		n := a.notice()
		if n == nil || !slices.ContainsFunc(n.everyone(), func(id string) bool { return slices.Contains(users, id) }) {
			continue
		}
		if _, err := s.Unsubscribe(ctx, who, a.ID, users); err != nil {
			return err
		}
	}
	return nil
}
