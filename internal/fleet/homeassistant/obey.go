package homeassistant

import (
	"context"

	"github.com/ardesia-iot/ardesia/internal/base/mqttclient"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// received takes what the broker sends. It must not wait for anything.
func (b *bridge) received(m mqttclient.Message) {
	for _, birth := range b.u.birthTopics() {
		if m.Topic == birth {
			if string(m.Payload) == online && !m.Retain { // what is kept of before is answered by what a session begins with
				b.birth()
			}
			return
		}
	}
	id, variable, word, ok := b.u.read(m.Topic)
	switch {
	case !ok:
	case word == wordState:
		b.mu.Lock()
		told := false
		if e := b.catalog[id]; e != nil {
			_, told = e.byName[variable]
		}
		if m.Retain && len(m.Payload) > 0 && b.swept[id] && !told {
			b.mark(task{clearing, m.Topic})
		}
		b.mu.Unlock()
	default:
		b.ordered(order{id, variable, m.Payload}, m.Retain)
	}
}

// ordered puts a command into the queue. One for a thing that is not announced here is that of another bridge with the same prefix.
func (b *bridge) ordered(o order, old bool) {
	_, found, told := b.find(o.thing, o.variable)
	switch {
	case !told || !b.u.Writes:
	case !found:
		b.refuse(o, "The thing has no such variable.")
	case old:
		b.refuse(o, "A command that the broker keeps is not carried out again: it must not be retained.")
	case len(o.payload) > maxCommand:
		b.refuse(o, "The command is too long.")
	default:
		select {
		case b.orders <- o:
		default:
			b.refuse(o, "Too many commands at once.")
		}
	}
}

// obey carries out commands, in order, until ctx ends.
func (b *bridge) obey(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-b.orders:
			b.carryOut(ctx, o)
		}
	}
}

func (b *bridge) carryOut(ctx context.Context, o order) {
	e, found, _ := b.find(o.thing, o.variable)
	if !found {
		b.refuse(o, "The thing has no such variable.")
		return
	}
	last, had := b.s.needs.Things.Last(e.Property)
	raw, err := e.read(o.payload, last.Value)
	if err == nil {
		next, wrong := e.Type.Kind.Read(raw, last.Value, thing.MaxTextDown)
		if err = wrong; err == nil && had && thing.Same(next, last.Value) {
			// It is so already. Whoever answers states with commands is not answered, or they would go in circles.
			b.took()
			return
		}
	}
	if err == nil {
		err = b.s.needs.Things.Command(ctx, system(b.u.Space), o.thing, []thing.Write{{Property: e.ID, JSON: raw}})
	}
	switch {
	case err == nil:
		b.took()
	case problem.Of(err).Kind == problem.Internal && ctx.Err() == nil:
		b.s.needs.Log.ErrorContext(ctx, "a command of a Home Assistant could not be kept", "thing", o.thing, "property", e.ID, "err", err)
		fallthrough
	default:
		b.refuse(o, problem.Of(err).Detail)
	}
}

func (b *bridge) took() {
	b.s.counts.taken.Add(1)
	b.mu.Lock()
	b.now.Taken++
	b.mu.Unlock()
}
