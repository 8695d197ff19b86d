package trigger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// A rule is an armed trigger as the engine needs it. It is never changed but for what it
// points to: a change of the trigger makes another rule.
type rule struct {
	id, space       string
	property, thing string
	kind            thing.Kind
	test            test
	status          *Status
	has             func(device string) bool // whose status counts
	revision, since int64
	actions         []target
	*state
}

// A target is an action of a rule.
type target struct {
	id   string
	kind Kind
}

// A state is what a rule remembers, as it is on disk. It belongs to the engine's goroutine. Times are µs since 1970.
type state struct {
	holds                   bool
	seen                    []byte
	firedAt, freeAt, tellAt int64
	online                  map[string]bool // devices
	looked                  bool            // at a value since the start; not on disk
}

// open makes rules of all triggers that are armed, and begins to follow what they watch.
func (s *Service) open(ctx context.Context) error {
	position, err := s.needs.Store.position(ctx)
	if err != nil {
		return fmt.Errorf("how far values were looked at: %w", err)
	}
	spaces, err := s.needs.Store.spaces(ctx)
	if err != nil {
		return err
	}
	floor := position // numbers up to here were in use, also when history is an older archive than the triggers
	for _, space := range spaces {
		all, err := s.needs.Store.list(ctx, space, false)
		if errors.Is(err, keys.ErrErased) {
			continue // the erasure of the space goes on, and removes them
		}
		if err != nil {
			return err
		}
		for _, t := range all {
			floor = max(floor, t.Since)
			r, err := s.compile(ctx, t)
			if err != nil {
				return err
			}
			s.place(Trigger{}, t, r)
		}
	}
	s.position = position
	// A trigger that was armed lately skips by itself what is not its business; others may wait for just that.
	s.tap, err = s.needs.Tap(ctx, position, floor, s.watched)
	return err
}

// watched says whether a rule waits for points of a series.
func (s *Service) watched(_, series string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.index[series]) > 0
}

// compile makes a rule of a trigger; nil when it is not armed, or what it watches is not there any more.
func (s *Service) compile(ctx context.Context, t Trigger) (*rule, error) {
	if !t.Active || t.Deleted() {
		return nil, nil
	}
	r := &rule{id: t.ID, space: t.Space, property: t.Property, thing: t.Thing, status: t.Status, revision: t.Revision, since: t.Since}
	for _, a := range t.Actions {
		r.actions = append(r.actions, target{a.ID, a.Kind})
	}
	if t.Status != nil {
		r.has = t.Status.among()
	} else {
		_, p, err := s.needs.Things.Property(ctx, system(t.Space), t.Property)
		if isProblem(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("property of trigger %s: %w", t.ID, err)
		}
		r.kind = p.Type.Kind
		if r.test, err = t.Condition.compile(r.kind); err != nil {
			return nil, nil // the property has got another type; the API shows it as such
		}
	}
	st, revision, err := s.needs.Store.state(ctx, t.ID)
	if err != nil {
		return nil, fmt.Errorf("what trigger %s remembers: %w", t.ID, err)
	}
	if revision != t.Revision {
		return nil, nil // somebody has changed it since, and arms that
	}
	r.state = st
	return r, nil
}

// armWithin is how long arming may take, which goes on when whoever made the change has gone.
const armWithin = 10 * time.Second

// arm makes a change of a trigger one that the engine knows. The change is on disk: it does not fail any more.
func (s *Service) arm(ctx context.Context, had, after Trigger) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), armWithin)
	defer stop()
	r, err := s.compile(ctx, after)
	if err != nil {
		// Until the database answers again it is not armed, and not what it was before either.
		s.retry(ctx, after.Space, after.ID, err)
	}
	s.place(had, after, r)
	if r != nil && r.status == nil {
		if err := s.begin(ctx, r); err != nil {
			s.needs.Log.WarnContext(ctx, "a trigger begins without a look at the newest value", "trigger", r.id, "err", err)
		}
	}
	if r != nil && r.status != nil {
		select {
		case s.fresh <- r.id:
		default: // the engine looks at all of them now and then
		}
	}
}

func (s *Service) retry(ctx context.Context, space, trigger string, err error) {
	s.needs.Log.ErrorContext(ctx, "a trigger that was changed cannot be armed; trying again", "trigger", trigger, "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale[trigger] = space
}

// again makes the engine read a trigger of which an action has changed; "" is none.
func (s *Service) again(ctx context.Context, space, trigger string) {
	if trigger == "" {
		return
	}
	s.arming.Lock()
	defer s.arming.Unlock()
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), armWithin)
	defer stop()
	t, err := s.needs.Store.find(ctx, space, trigger)
	switch {
	case errors.Is(err, ErrNotFound):
	case err != nil:
		s.retry(ctx, space, trigger, err)
	default:
		s.arm(ctx, t, t)
	}
}

func (s *Service) disarm(had Trigger) { s.place(had, Trigger{}, nil) }

// place puts a rule in the place of the one that its trigger had. r is nil for none.
func (s *Service) place(had, after Trigger, r *rule) {
	id := had.ID
	if id == "" {
		id = after.ID
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if had.Property != "" && !had.Deleted() && had.ID != "" {
		s.linked[had.Property]--
	}
	if after.Property != "" && !after.Deleted() {
		s.linked[after.Property]++
	}
	if old := s.rules[id]; old != nil {
		if after.ID != "" && after.Revision < old.revision {
			return // somebody was faster
		}
		if r != nil && r.revision == old.revision {
			r.state = old.state // which the engine may have at hand
		}
		delete(s.rules, id)
		if old.status != nil {
			delete(s.homes[old.space], id)
		}
		for _, name := range thing.SeriesOf(old.property) {
			s.index[name] = slices.DeleteFunc(slices.Clone(s.index[name]), func(one *rule) bool { return one.id == id })
			if len(s.index[name]) == 0 {
				delete(s.index, name)
			}
		}
	}
	if r != nil {
		s.rules[id] = r
		if r.status != nil {
			if s.homes[r.space] == nil {
				s.homes[r.space] = map[string]*rule{}
			}
			s.homes[r.space][id] = r
		} else {
			for _, name := range thing.SeriesOf(r.property) {
				s.index[name] = append(slices.Clone(s.index[name]), r)
			}
		}
	}
	if s.tap != nil {
		s.tap.Changed()
	}
}

// current is the rule that a trigger has now; nil for none.
func (s *Service) current(trigger string) *rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rules[trigger]
}

// mend arms what could not be armed when it was changed.
func (s *Service) mend(ctx context.Context) {
	s.mu.Lock()
	stale := s.stale
	s.stale = map[string]string{}
	s.mu.Unlock()
	for id, space := range stale {
		s.again(ctx, space, id)
	}
}
