package homeassistant

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mqttclient"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// do tells one thing, as it is now.
func (b *bridge) do(ctx context.Context, conn *mqttclient.Conn, t task) error {
	switch t.what {
	case look:
		return b.look(ctx, conn, t.id)
	case presence:
		return b.presence(ctx, conn, t.id)
	case clearing:
		return b.send(ctx, conn, t.id, nil)
	case sweeping:
		return b.endSweep(ctx, conn, t.id)
	}
	return b.value(ctx, conn, t.id)
}

func isGone(err error) bool { return err != nil && problem.Of(err).Kind == problem.NotFound }

// look announces a thing, or takes back what was announced of it.
func (b *bridge) look(ctx context.Context, conn *mqttclient.Conn, id string) error {
	t, err := b.s.needs.Things.Get(ctx, system(b.u.Space), id, false)
	switch {
	case errors.Is(err, keys.ErrSeal): // never gets better, and others are not to wait for it
		b.s.needs.Log.ErrorContext(ctx, "a thing is damaged, and not announced to Home Assistant", "thing", id, "err", err)
		return nil
	case isGone(err) || err == nil && !t.Tagged(b.u.Tags):
		return b.withdraw(ctx, conn, id)
	case err != nil:
		return err
	}
	b.mu.Lock()
	_, told := b.catalog[id]
	full := !told && len(b.catalog) >= mostThings
	b.mu.Unlock()
	if full {
		b.trouble("Only 2000 things are announced. Choose which ones by their tags.")
		return b.withdraw(ctx, conn, id)
	}
	return b.announce(ctx, conn, &t)
}

func (b *bridge) announce(ctx context.Context, conn *mqttclient.Conn, t *thing.Thing) error {
	b.mu.Lock()
	next := &entry{telling: b.telling, device: t.Device, entities: map[string]entity{}, byName: map[string]string{}}
	b.mu.Unlock()
	var entities []entity
	var now []string // components
	for _, p := range t.Living() {
		e := entityOf(p, b.u.Writes)
		entities, now = append(entities, e), append(now, e.key())
		next.entities[p.ID], next.byName[p.Variable] = e, p.ID
	}
	slices.Sort(now)
	from := origin{b.s.cfg.Version, b.s.needs.Base()}
	model := b.model(ctx, t.Device)
	config, err := b.u.describe(t, model, entities, nil, from)
	if err != nil {
		return err
	}
	next.digest = sha256.Sum256(config)
	b.mu.Lock()
	last, before := b.catalog[t.ID], b.known[t.ID]
	b.mu.Unlock()
	anew := last == nil || last.digest != next.digest || last.telling != next.telling
	if anew {
		if err := b.tell(ctx, conn, t, config, now, before, func(gone map[string]platform) ([]byte, error) {
			return b.u.describe(t, model, entities, gone, from)
		}); err != nil {
			return err
		}
	}
	if last != nil {
		for variable := range last.byName {
			if _, still := next.byName[variable]; !still {
				if err := b.deliver(ctx, conn, b.u.stateTopic(t.ID, variable), nil); err != nil {
					return err
				}
			}
		}
	}
	b.mu.Lock()
	b.catalog[t.ID], b.known[t.ID] = next, now
	b.mark(task{presence, t.ID})
	if anew {
		for _, e := range entities {
			b.mark(task{value, t.ID + "/" + e.ID})
		}
	}
	b.mu.Unlock()
	if last == nil && slices.ContainsFunc(before, func(key string) bool { return !slices.Contains(now, key) }) {
		return b.sweep(ctx, conn, t.ID) // of what went while nobody was told, only the broker knows the name
	}
	return nil
}

// tell tells what a thing is. What is announced anew is written down first, and what is announced no more last; with gives the
// message in which what is gone is named, which must come before the one in which it is not.
func (b *bridge) tell(ctx context.Context, conn *mqttclient.Conn, t *thing.Thing, config []byte, now, before []string, with func(gone map[string]platform) ([]byte, error)) error {
	gone := map[string]platform{}
	for _, key := range before {
		if _, found := slices.BinarySearch(now, key); !found {
			kind, _, _ := strings.Cut(key, "-")
			gone[key] = platform(kind)
		}
	}
	all := slices.Clone(now)
	for key := range gone {
		all = append(all, key)
	}
	slices.Sort(all)
	if before == nil || !slices.Equal(all, before) {
		if err := b.s.needs.Store.announce(ctx, b.u.Space, t.ID, all); err != nil {
			return err
		}
	}
	topic := b.u.configTopic(t.ID)
	if len(gone) > 0 {
		named, err := with(gone)
		if err == nil {
			err = b.deliver(ctx, conn, topic, named)
		}
		if err != nil {
			return err
		}
	}
	if err := b.deliver(ctx, conn, topic, config); err != nil || len(gone) == 0 {
		return err
	}
	return b.s.needs.Store.announce(ctx, b.u.Space, t.ID, now)
}

// model is what a board is, for people; "" where there is none.
func (b *bridge) model(ctx context.Context, id string) string {
	if id == "" {
		return ""
	}
	d, err := b.s.needs.Devices.Get(ctx, system(b.u.Space), b.u.Space, id, false)
	if err != nil {
		return "" // presence says what is wrong with it
	}
	return d.Label()
}

// presence tells whether the device of a thing is connected. One that has no sessions is always there; a thing without one never.
func (b *bridge) presence(ctx context.Context, conn *mqttclient.Conn, id string) error {
	b.mu.Lock()
	e := b.catalog[id]
	b.mu.Unlock()
	if e == nil {
		return nil // taken back meanwhile
	}
	is := offline
	if e.device != "" {
		d, err := b.s.needs.Devices.Get(ctx, system(b.u.Space), b.u.Space, e.device, false)
		if err != nil && !isGone(err) && !errors.Is(err, keys.ErrSeal) {
			return err
		}
		if err == nil && d.Status != device.Offline {
			is = online
		}
	}
	return b.send(ctx, conn, b.u.availabilityTopic(id), []byte(is))
}

// value tells the last value of a property, if there is one that it can hold.
func (b *bridge) value(ctx context.Context, conn *mqttclient.Conn, id string) error {
	thing, property, _ := strings.Cut(id, "/")
	b.mu.Lock()
	var e entity
	told := false
	if at := b.catalog[thing]; at != nil {
		e, told = at.entities[property]
	}
	b.mu.Unlock()
	if !told {
		return nil
	}
	last, ok := b.s.needs.Things.Last(e.Property)
	if !ok {
		return nil
	}
	payload, ok := e.payload(last.Value)
	if !ok {
		return nil
	}
	return b.send(ctx, conn, b.u.stateTopic(thing, e.Variable), payload)
}

// withdraw takes back what was announced of a thing. What its states were called is known, or the broker is asked for what it keeps.
// It is forgotten when the broker has it all: who loses the connection before that begins anew.
func (b *bridge) withdraw(ctx context.Context, conn *mqttclient.Conn, id string) error {
	b.mu.Lock()
	e, known := b.catalog[id], b.known[id] != nil
	b.mu.Unlock()
	if e == nil && !known {
		return nil
	}
	if err := b.deliver(ctx, conn, b.u.configTopic(id), nil); err != nil {
		return err
	}
	if e == nil {
		return b.sweep(ctx, conn, id)
	}
	for variable := range e.byName {
		if err := b.send(ctx, conn, b.u.stateTopic(id, variable), nil); err != nil {
			return err
		}
	}
	return b.forget(ctx, conn, id)
}

// sweep has the broker tell which states of a thing it keeps, so that those are taken back that are told no more.
func (b *bridge) sweep(ctx context.Context, conn *mqttclient.Conn, id string) error {
	b.mu.Lock()
	b.swept[id] = true
	b.mu.Unlock()
	if err := b.tolerate(conn.Subscribe(ctx, b.u.stateTopic(id, "+"))); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mark(task{sweeping, id})
	return nil
}

// endSweep asks for no more states of a thing, and forgets it, unless it is announced.
func (b *bridge) endSweep(ctx context.Context, conn *mqttclient.Conn, id string) error {
	// The answer to this comes behind what the broker keeps.
	if err := b.deliver(ctx, conn, b.u.availabilityTopic(b.u.Space), []byte(online)); err != nil {
		return err
	}
	b.mu.Lock()
	if b.tasks.clearing > 0 {
		b.mark(task{sweeping, id}) // behind them
		b.mu.Unlock()
		return nil
	}
	delete(b.swept, id)
	announced := b.catalog[id] != nil
	b.mu.Unlock()
	if err := b.tolerate(conn.Unsubscribe(ctx, b.u.stateTopic(id, "+"))); err != nil || announced {
		return err
	}
	return b.forget(ctx, conn, id)
}

// forget forgets a thing of which all else was taken back.
func (b *bridge) forget(ctx context.Context, conn *mqttclient.Conn, id string) error {
	// The answer to this comes behind what was sent without waiting.
	if err := b.deliver(ctx, conn, b.u.availabilityTopic(id), nil); err != nil {
		return err
	}
	if err := b.s.needs.Store.withdraw(ctx, b.u.Space, id); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.catalog, id)
	delete(b.known, id)
	return nil
}

// clear takes back all that was announced, by a connection of its own: the bridge has ended.
func (b *bridge) clear(ctx context.Context) error {
	known, err := b.s.needs.Store.announced(ctx, b.u.Space)
	if err != nil {
		return err
	}
	conn, err := b.connect(ctx, func(mqttclient.Message) {})
	if err != nil {
		return err
	}
	defer hangUp(ctx, conn, 0)()
	var lost error // names, of which the rest need not know
	for id := range known {
		if err = b.deliver(ctx, conn, b.u.configTopic(id), nil); err != nil {
			break
		}
		topics := []string{b.u.availabilityTopic(id)}
		names, wrong := b.variables(ctx, id)
		for _, variable := range names {
			topics = append(topics, b.u.stateTopic(id, variable))
		}
		lost = errors.Join(lost, wrong)
		for _, topic := range topics {
			err = errors.Join(err, b.send(ctx, conn, topic, nil))
		}
	}
	if err == nil {
		err = b.deliver(ctx, conn, b.u.availabilityTopic(b.u.Space), nil)
	}
	return errors.Join(err, lost, conn.Close())
}

// variables are what the states of a thing are called; an error when nobody knows that any more.
func (b *bridge) variables(ctx context.Context, id string) (all []string, err error) {
	b.mu.Lock()
	e := b.catalog[id]
	b.mu.Unlock()
	if e != nil {
		for variable := range e.byName {
			all = append(all, variable)
		}
		return all, nil
	}
	t, err := b.s.needs.Things.Get(ctx, system(b.u.Space), id, true)
	if err != nil {
		return nil, fmt.Errorf("the names of the states of thing %s: %w", id, err)
	}
	for _, p := range t.Living() {
		all = append(all, p.Variable)
	}
	return all, nil
}
