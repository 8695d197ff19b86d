package dashboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Clone makes a dashboard like another one of who's space. overrides name things by their IDs that
// others stand in for, in widgets and in their options; their variables are found by variable name, else
// by name. What is shown of a deleted thing that nothing stands in for is left out.
func (s *Service) Clone(ctx context.Context, who access.Actor, id string, overrides map[string]string) (Dashboard, error) {
	from, err := s.own(ctx, who, id)
	if err != nil {
		return Dashboard{}, err
	}
	variables, err := s.needs.Things.Variables(ctx, who.Space, from.shown())
	if err != nil {
		return Dashboard{}, err
	}
	to := map[string]string{} // of properties and things
	for _, v := range from.shown() {
		if _, there := variables[v]; there {
			to[v] = v
		}
	}
	stand := standIns{s: s, who: who, things: map[string]thing.Thing{}}
	for old, new := range overrides {
		if err := stand.in(ctx, old, new, variables, to); err != nil {
			return Dashboard{}, err
		}
	}
	d := from.clone()
	d.ID = uuid.NewString()
	copies := copies{s: s, from: from, to: d.ID, made: map[string]string{}}
	if d.Cover, err = copies.address(ctx, from.Cover); err != nil {
		return Dashboard{}, err
	}
	d.Name, d.Tags = copyName(from.Name), nil
	pages := map[string]string{MainPage: MainPage}
	for i := range d.Pages {
		fresh := uuid.NewString()
		pages[d.Pages[i].ID], d.Pages[i].ID = fresh, fresh
	}
	for i := range d.Widgets {
		w := &d.Widgets[i]
		w.ID, w.Page = uuid.NewString(), pages[w.Page]
		w.Variables = slices.DeleteFunc(w.Variables, func(v string) bool { return to[v] == "" })
		for j, v := range w.Variables {
			w.Variables[j] = to[v]
		}
		var failed error
		options, err := w.carried(func(text string) (string, bool) {
			if _, ours := imageOf(from.ID, text); ours && failed == nil {
				text, failed = copies.address(ctx, text)
				return text, true
			}
			new, ok := to[strings.ToLower(text)]
			return new, ok
		})
		if err := errors.Join(err, failed); err != nil {
			return Dashboard{}, err
		}
		if w.Options, err = encode(options); err != nil {
			return Dashboard{}, err
		}
	}
	return s.create(ctx, who, d, copies.images, "dashboard:clone", map[string]string{"from": from.ID})
}

// standIns finds the variables of things that stand in for others.
type standIns struct {
	s      *Service
	who    access.Actor
	things map[string]thing.Thing
}

func (x *standIns) get(ctx context.Context, id string) (thing.Thing, error) {
	if t, known := x.things[id]; known {
		return t, nil
	}
	t, err := x.s.needs.Things.Get(ctx, x.who, id, false)
	if err == nil {
		x.things[id] = t
	}
	return t, err
}

// in adds to the table what stands in for the thing old and those of its variables that are shown.
func (x *standIns) in(ctx context.Context, old, new string, shown map[string]thing.Variable, to map[string]string) error {
	if !isUUID(old) || !isUUID(new) {
		return ErrNoOverride.With("An override names two things by their IDs.")
	}
	t, err := x.get(ctx, new)
	if err != nil {
		return err
	}
	to[old] = new
	for id, v := range shown {
		if v.Thing != old {
			continue
		}
		p, found := named(t, v.Variable, v.Name)
		if !found {
			return ErrNoOverride.With(fmt.Sprintf("The new thing has no variable %q, which the dashboard shows of the thing %q.", v.Variable, v.ThingName))
		}
		to[id] = p
	}
	return nil
}

// named finds a living property by variable name, else by one of the other names.
func named(t thing.Thing, variable string, names ...string) (id string, found bool) {
	living := t.Living()
	for _, p := range living {
		if p.Variable == variable {
			return p.ID, true
		}
	}
	for _, name := range names {
		for _, p := range living {
			if name != "" && p.Name == name {
				return p.ID, true
			}
		}
	}
	return "", false
}

const copied = " copy"

// copyName is the name of a copy, within the bound of names.
func copyName(name string) string {
	runes := []rune(name)
	if most := maxName - utf8.RuneCountInString(copied); len(runes) > most {
		runes = runes[:most]
	}
	return string(runes) + copied
}

// copies are pictures of a dashboard, made anew for another one of its space.
type copies struct {
	s      *Service
	from   Dashboard
	to     string            // ID of the other one
	made   map[string]string // IDs of the copies, by that of the original
	images []Image
}

// address is where the copy of a picture will be. What is no picture of ours stays, and what is gone.
func (c *copies) address(ctx context.Context, text string) (string, error) {
	id, ours := imageOf(c.from.ID, text)
	if !ours {
		return text, nil
	}
	if c.made[id] == "" {
		i, err := c.s.open(ctx, c.from, id)
		if errors.Is(err, ErrNoImage) {
			return text, nil
		}
		if err != nil {
			return "", err
		}
		i.ID, i.Dashboard, i.At = uuid.NewString(), c.to, c.s.now()
		seal, err := c.s.needs.Keys.Space(ctx, c.from.Space)
		if err != nil {
			return "", err
		}
		if i.Bytes, err = seal.Seal(i.Bytes, imagePlace(i)); err != nil {
			return "", err
		}
		c.made[id] = i.ID
		c.images = append(c.images, i)
	}
	return imagePath(c.to, c.made[id]), nil
}
