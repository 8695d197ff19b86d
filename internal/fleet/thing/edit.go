package thing

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Clone makes a thing like another one, with its time zone and properties, without
// its device, values and webhook; with its tags if asked.
func (s *Service) Clone(ctx context.Context, who access.Actor, id, name string, tags bool) (Thing, error) {
	from, err := s.Get(ctx, who, id, false)
	if err != nil {
		return Thing{}, err
	}
	t := Thing{ID: uuid.NewString(), Space: who.Space, Owner: who.ID, Name: name, Timezone: from.Timezone,
		Assistant: from.Assistant, Template: from.Template, CreatedAt: s.now()}
	t.UpdatedAt = t.CreatedAt
	if tags {
		t.Tags = slices.Clone(from.Tags)
	}
	for _, p := range from.Living() {
		t.Properties = append(t.Properties, newProperty(p, t.ID, t.CreatedAt))
	}
	return s.create(ctx, who, t, false, "thing:clone", map[string]string{"from": from.ID})
}

// SetTag gives a thing a tag, or another value for one that it has.
func (s *Service) SetTag(ctx context.Context, who access.Actor, id string, tag Tag) error {
	_, err := s.change(ctx, who, id, step{action: "thing:tag"}, func(t *Thing) error {
		if t.Deleted() {
			return ErrNotFound
		}
		return t.setTag(tag)
	})
	return err
}

// DropTag takes a tag from a thing. It may not have it.
func (s *Service) DropTag(ctx context.Context, who access.Actor, id, key string) error {
	_, err := s.change(ctx, who, id, step{action: "thing:tag"}, func(t *Thing) error {
		if t.Deleted() {
			return ErrNotFound
		}
		t.dropTag(key)
		return nil
	})
	return err
}

// defaultSketch is the version of sketches that we generate.
const defaultSketch = "v2"

// SetSketch makes the thing's sketch, or makes it anew. version is v1, v2 or "" for
// what it was. sketch is the ID that it must have, or "" for any.
func (s *Service) SetSketch(ctx context.Context, who access.Actor, id, sketch, version string) (Thing, error) {
	if version != "" && version != "v1" && version != "v2" {
		return Thing{}, ErrSketch
	}
	return s.change(ctx, who, id, step{action: "thing:update"}, func(t *Thing) error {
		switch {
		case t.Deleted():
			return ErrNotFound
		case sketch != "" && t.Sketch != sketch:
			return ErrNoSketch
		case t.Sketch == "":
			t.Sketch, t.SketchVersion = uuid.NewString(), defaultSketch
		}
		if version != "" {
			t.SketchVersion = version
		}
		return nil
	})
}

// DropSketch removes the thing's sketch, if it has one.
func (s *Service) DropSketch(ctx context.Context, who access.Actor, id string) (Thing, error) {
	return s.change(ctx, who, id, step{action: "thing:update"}, func(t *Thing) error {
		if t.Deleted() {
			return ErrNotFound
		}
		t.Sketch, t.SketchVersion = "", ""
		return nil
	})
}

// AddProperty gives a thing a property.
func (s *Service) AddProperty(ctx context.Context, who access.Actor, id string, p Property) (Thing, Property, error) {
	made := newProperty(p, id, s.now())
	t, err := s.change(ctx, who, id, step{action: "property:create", property: made.ID}, func(t *Thing) error {
		if t.Deleted() {
			return ErrNotFound
		}
		t.addProperty(made)
		return nil
	})
	if err != nil {
		return Thing{}, Property{}, err
	}
	kept, err := t.Property(made.ID)
	if err != nil {
		return Thing{}, Property{}, err
	}
	return t, *kept, nil
}

// UpdateProperty changes a property by fn, which may run more than once.
func (s *Service) UpdateProperty(ctx context.Context, who access.Actor, id, property string, fn func(p *Property) error) (Thing, Property, error) {
	t, err := s.change(ctx, who, id, step{action: "property:update", property: property}, func(t *Thing) error {
		if t.Deleted() {
			return ErrNotFound
		}
		p, err := t.Property(property)
		if err != nil {
			return err
		}
		had := *p
		if err := fn(p); err != nil {
			return err
		}
		p.ID, p.Thing, p.CreatedAt, p.DeletedAt = had.ID, had.Thing, had.CreatedAt, had.DeletedAt
		p.UpdatedAt = s.now()
		return nil
	})
	if err != nil {
		return Thing{}, Property{}, err
	}
	kept, err := t.Property(property)
	if err != nil {
		return Thing{}, Property{}, err
	}
	return t, *kept, nil
}

// DeleteProperty hides a property, or removes it and its values for good with hard.
func (s *Service) DeleteProperty(ctx context.Context, who access.Actor, id, property string, hard bool) error {
	if !hard {
		_, err := s.change(ctx, who, id, step{action: "property:delete", property: property}, func(t *Thing) error {
			if t.Deleted() {
				return ErrNotFound
			}
			p, err := t.Property(property)
			if err != nil {
				return err
			}
			p.DeletedAt = s.now()
			p.UpdatedAt = p.DeletedAt
			return nil
		})
		return err
	}
	if err := ours(who); err != nil {
		return err
	}
	// As Delete: docs/acts/erase-thing.md.
	lost, device, err := s.needs.Store.erase(ctx, who.Space, id, property, s.entry(who, "property:erase", id, map[string]string{"property": property}))
	if err != nil {
		return err
	}
	s.routes.forget([]string{id}, []string{device})
	s.lookAgain(ctx, who.Space, id)
	return s.eraseSeries(ctx, lost)
}

// Count is how many things a space has, deleted ones included.
func (s *Service) Count(ctx context.Context, space string) (int, error) {
	n, err := s.needs.Store.count(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("count things of space %s: %w", space, err)
	}
	return n, nil
}

// EraseSpace removes all things of a space and all their values for good. It needs
// no key of the space, and may be repeated: that is what to do when it fails or the
// server ends before it returns nil.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	who.Space = space
	if err := ours(who); err != nil {
		return err
	}
	// 1. The rows go.
	things, devices, err := s.needs.Store.eraseSpace(ctx, space, s.entry(who, "thing:erase", space, nil))
	if err != nil {
		return fmt.Errorf("erase things of space %s: %w", space, err)
	}
	s.routes.forget(things, devices)
	for i, d := range devices {
		s.changed(ctx, s.erasedThing(space, things[i]))
		if d != "" {
			s.Attachments.Publish(Attachment{Space: space, Device: d, Old: things[i]})
		}
	}
	word(s.zoned)
	// 2. The values go, those on their way first.
	s.routes.settle()
	if err := s.needs.Series.EraseSpace(ctx, space); err != nil {
		return fmt.Errorf("erase values of space %s: %w", space, err)
	}
	return nil
}
