package trigger

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/fleet/fleettest"
)

// A hasty store is one whose callers leave as soon as a change of an action is on disk.
type hastyStore struct {
	Store
	leave func()
	blind atomic.Int32 // so many times nothing is found
}

func (s *hastyStore) addAction(ctx context.Context, a Action, e journal.Entry) error {
	defer s.leave()
	return s.Store.addAction(ctx, a, e)
}

func (s *hastyStore) changeAction(ctx context.Context, space, id string, act func(a *Action) (journal.Entry, error)) (Action, string, error) {
	defer s.leave()
	return s.Store.changeAction(ctx, space, id, act)
}

func (s *hastyStore) dropAction(ctx context.Context, space, id string, e journal.Entry) (string, error) {
	defer s.leave()
	return s.Store.dropAction(ctx, space, id, e)
}

func (s *hastyStore) find(ctx context.Context, space, id string) (Trigger, error) {
	if s.blind.Add(-1) >= 0 {
		return Trigger{}, errors.New("the database does not answer")
	}
	return s.Store.find(ctx, space, id)
}

// A change of an action that is on disk is done by the engine, also when whoever made it has gone or the database does not answer then.
func TestActionsAreArmed(t *testing.T) {
	t.Parallel()
	hasty := &hastyStore{leave: func() {}}
	h := newHouse(t, db.SQLite, func(s *setting) {
		s.store = func(of Store) Store { hasty.Store = of; return hasty }
	})
	th := h.thing("pond", "", map[string]string{"lamp": "STATUS"})
	one := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp")})
	two := h.trigger(map[string]any{"property_id": fleettest.PropertyID(th, "lamp")})
	actions := func(want ...int) {
		t.Helper()
		fleettest.Eventually(t, "that actions are armed", func() bool {
			return len(h.current(one.ID).actions) == want[0] && len(h.current(two.ID).actions) == want[1]
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	hasty.leave = func() { cancel() }
	leaving := func(blind int32) context.Context {
		hasty.blind.Store(blind)
		ctx, cancel = context.WithCancel(t.Context())
		return ctx
	}
	a, err := h.CreateAction(leaving(0), editor, Action{Trigger: one.ID, Kind: Webhook, content: content{Name: "hook", Webhook: &Address{URL: h.hooks.URL}}})
	if err != nil {
		t.Fatal(err)
	}
	actions(1, 0)
	if _, err := h.UpdateAction(leaving(2), editor, a.ID, func(a *Action) error { a.Trigger = two.ID; return nil }); err != nil {
		t.Fatal(err)
	}
	actions(0, 1)
	if err := h.DeleteAction(leaving(1), editor, a.ID); err != nil {
		t.Fatal(err)
	}
	actions(0, 0)
}
