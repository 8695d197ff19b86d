package template

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/fleet/dashboard"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/trigger"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// A Wish says what shall be made of a template.
type Wish struct {
	Template string            // ID, or name in the gallery
	Prefix   string            // before all names
	Options  map[string]Option // by what the template calls its things
}

// An Option is what a template cannot know of a thing.
type Option struct {
	Device  string            // ID of the device that it is for; "" for none
	Secrets map[string]string // of its sketch, by name
}

// A Result is what was made, in the order of the template.
type Result struct {
	Things               []Made
	Dashboards, Triggers []string // IDs
}

// Made is a thing that was made.
type Made struct{ ID, Sketch, Device string }

// An intent is what is about to be made. While its row is there and nobody is busy with it, all of it is to be taken back.
type intent struct {
	ID, Space string
	At        time.Time
	made      made
}

// made are IDs.
type made struct {
	Things     []string `json:"things,omitempty"`
	Sketches   []string `json:"sketches,omitempty"` // one for each thing
	Dashboards []string `json:"dashboards,omitempty"`
	Triggers   []string `json:"triggers,omitempty"`
}

// sketchVersion is that of sketches that things have here.
const sketchVersion = "v2"

// plan is a template read and all that was asked before anything is made of it.
type plan struct {
	parts
	template string // ID
	prefix   string
	things   []thing.Thing
	sketches []Sketch
	ids      map[string]string // of things, by all that the template calls them
	intent   intent
}

// cutError is what a test has the power cut by.
type cutError struct{ error }

func (s *Service) after(step string) error {
	if err := s.cut(step); err != nil {
		return cutError{err}
	}
	return nil
}

// Apply makes all that is in a template, in who's space, or nothing. The steps are those of docs/acts/apply-template.md.
func (s *Service) Apply(ctx context.Context, who access.Actor, wish Wish) (Result, error) {
	p, err := s.plan(ctx, who, wish)
	if err != nil {
		return Result{}, err
	}
	s.busy(p.intent.ID, true)
	defer s.busy(p.intent.ID, false)
	// 1. The intent, with all IDs, and the journal.
	if err := s.needs.Store.begin(ctx, p.intent, s.entry(who, "template:apply", who.Space, p.template, map[string]string{"as": p.intent.ID})); err != nil {
		return Result{}, err
	}
	err = s.after("1")
	var made Result
	if err == nil {
		made, err = s.build(ctx, who, &p)
	}
	if err == nil {
		// 5. The intent goes: from here on it is made.
		err = s.needs.Store.end(ctx, p.intent.ID, s.entry(who, "template:applied", who.Space, p.template, map[string]string{"as": p.intent.ID}))
	}
	var power cutError
	switch {
	case err == nil:
		return made, nil
	case errors.As(err, &power):
		return Result{}, power.error
	}
	// Whoever asked may have gone; what was made goes all the same.
	if failed := s.takeBack(context.WithoutCancel(ctx), p.intent); failed != nil {
		s.needs.Log.ErrorContext(ctx, "what was made of a template is not taken back yet; trying again", "as", p.intent.ID, "err", failed)
		word(s.failed)
	}
	return Result{}, err
}

// build takes the steps between the first and the last.
func (s *Service) build(ctx context.Context, who access.Actor, p *plan) (Result, error) {
	r := Result{Things: make([]Made, 0, len(p.things))}
	ids := p.intent.made
	// 2. Things, each with its program.
	for i, t := range p.things {
		t, err := s.needs.Things.Create(ctx, who, t, false)
		if err != nil {
			return r, err
		}
		r.Things = append(r.Things, Made{t.ID, t.Sketch, t.Device})
		if err := s.after("2." + strconv.Itoa(i+1)); err != nil {
			return r, err
		}
		if s.needs.Sketches != nil {
			if err := s.needs.Sketches.Add(ctx, who, p.sketches[i]); err != nil {
				return r, err
			}
		}
	}
	// 3. Dashboards.
	for i, d := range p.dashboards {
		d.Name = p.prefix + d.Name
		if _, err := s.needs.Dashboards.ImportAs(ctx, who, ids.Dashboards[i], d, p.ids); err != nil {
			return r, err
		}
		r.Dashboards = append(r.Dashboards, ids.Dashboards[i])
		if err := s.after("3." + strconv.Itoa(i+1)); err != nil {
			return r, err
		}
	}
	// 4. Triggers.
	for i, t := range p.triggers {
		if _, err := s.needs.Triggers.ImportAs(ctx, who, ids.Triggers[i], p.prefix, t, p.ids); err != nil {
			return r, err
		}
		r.Triggers = append(r.Triggers, ids.Triggers[i])
		if err := s.after("4." + strconv.Itoa(i+1)); err != nil {
			return r, err
		}
	}
	return r, nil
}

// plan reads a template, and asks what can be asked before anything is made.
func (s *Service) plan(ctx context.Context, who access.Actor, wish Wish) (p plan, err error) {
	if err := ours(who); err != nil {
		return p, err
	}
	if wish.Template == "" {
		return p, ErrNoChoice
	}
	if err := checkPrefix(wish.Prefix); err != nil {
		return p, err
	}
	t, err := s.Get(ctx, who, wish.Template)
	if err != nil {
		return p, err
	}
	w, err := s.Whole(ctx, who, t.ID)
	if err != nil {
		return p, err
	}
	p.template, p.prefix, p.ids = t.ID, wish.Prefix, map[string]string{}
	p.intent = intent{ID: uuid.NewString(), Space: who.Space, At: s.now()}
	if p.parts, err = w.parts(); err != nil {
		return p, err
	}
	if err := s.may(who, p.parts); err != nil {
		return p, err
	}
	options, err := p.options(wish.Options)
	if err != nil {
		return p, err
	}
	for i, part := range p.parts.things {
		one := part.thing(wish.Prefix)
		one.ID, one.Sketch, one.SketchVersion, one.Template, one.Device = uuid.NewString(), uuid.NewString(), sketchVersion, t.ID, options[i].Device
		sketch, _ := w.sketch(part)
		sketch.ID, sketch.Thing, sketch.Name, sketch.Secrets = one.Sketch, one.ID, one.Name, options[i].Secrets
		if part.Device != nil {
			sketch.Board = part.Device.FQBN
		}
		p.things, p.sketches = append(p.things, one), append(p.sketches, sketch)
		p.intent.made.Things, p.intent.made.Sketches = append(p.intent.made.Things, one.ID), append(p.intent.made.Sketches, one.Sketch)
	}
	for id, i := range p.known {
		p.ids[id] = p.things[i].ID
	}
	for range p.dashboards {
		p.intent.made.Dashboards = append(p.intent.made.Dashboards, uuid.NewString())
	}
	for range p.triggers {
		p.intent.made.Triggers = append(p.intent.made.Triggers, uuid.NewString())
	}
	return p, s.checkThings(ctx, who, &p)
}

// may says whether who may make each kind of part by itself.
func (s *Service) may(who access.Actor, p parts) error {
	here := access.Resource{Type: "Space", ID: who.Space, Space: who.Space}
	for action, n := range map[access.Action]int{"thing:create": len(p.things), "dashboard:create": len(p.dashboards), "trigger:create": len(p.triggers)} {
		if n == 0 {
			continue
		}
		if err := s.needs.Policy.Allow(who, action, here); err != nil {
			return err
		}
	}
	return nil
}

// options are those of the things of a template, in their order.
func (p parts) options(given map[string]Option) ([]Option, error) {
	all := make([]Option, len(p.things))
	said, devices := make([]bool, len(all)), map[string]bool{}
	for id, o := range given {
		i, known := p.known[id]
		switch {
		case !known:
			return nil, ErrOptions.With(fmt.Sprintf("The template has no thing %q, which the options of things name.", id))
		case said[i]:
			return nil, ErrOptions.With(fmt.Sprintf("The options name the thing %q twice.", p.things[i].ID))
		case o.Device != "" && devices[o.Device]:
			return nil, ErrOptions.With("The options name one device for two things.")
		}
		if err := checkSecrets(o.Secrets); err != nil {
			return nil, err
		}
		all[i], said[i], devices[o.Device] = o, true, true
	}
	for _, t := range p.triggers {
		for _, of := range t.Devices() {
			if i := p.known[of]; all[i].Device == "" {
				return nil, ErrOptions.With(fmt.Sprintf("The trigger %q watches the device of the thing %q: say in the options which device that is.", t.Name(), p.things[i].ID))
			}
		}
	}
	return all, nil
}

// checkThings says whether the things can be made: names are free, and devices have no thing.
func (s *Service) checkThings(ctx context.Context, who access.Actor, p *plan) error {
	if len(p.things) == 0 {
		return nil
	}
	have, err := s.needs.Things.List(ctx, who, thing.Filter{})
	if err != nil {
		return err
	}
	names, busy := map[string]bool{}, map[string]string{}
	for _, t := range have {
		names[t.Name], busy[t.Device] = true, t.Name
	}
	for _, t := range p.things {
		probe := t
		probe.Properties = nil // get their variables and numbers when they are made
		if probe.Timezone == "" {
			probe.Timezone = thing.DefaultTimezone
		}
		if err := probe.Check(); err != nil {
			return fmt.Errorf("thing %q of a template: %w", t.Name, err)
		}
		if names[t.Name] {
			return thing.ErrNameTaken.With(fmt.Sprintf("There is a thing called %q already: choose another prefix.", t.Name))
		}
		names[t.Name] = true
		if t.Device == "" {
			continue
		}
		d, err := s.needs.Devices.Get(ctx, who, who.Space, t.Device, false)
		if err != nil {
			return err
		}
		if of, taken := busy[t.Device]; taken {
			return ErrDeviceTaken.With(fmt.Sprintf("The device %q is attached to the thing %q already: detach it, or choose another.", d.Name, of))
		}
	}
	return nil
}

func (s *Service) busy(id string, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now {
		s.live[id] = true
	} else {
		delete(s.live, id)
	}
}

// takeBack removes for good whatever was made as an intent says, and then the intent. It may be repeated.
func (s *Service) takeBack(ctx context.Context, i intent) error {
	who := access.Actor{Kind: access.System, Space: i.Space}
	drop := func(what string, ids []string, notThere error, one func(ctx context.Context, who access.Actor, id string, hard bool) error) error {
		for _, id := range ids {
			if err := one(ctx, who, id, true); err != nil && !errors.Is(err, notThere) {
				return fmt.Errorf("take back %s %s: %w", what, id, err)
			}
		}
		return nil
	}
	if err := drop("trigger", i.made.Triggers, trigger.ErrNotFound, s.needs.Triggers.Delete); err != nil {
		return err
	}
	if err := drop("dashboard", i.made.Dashboards, dashboard.ErrNotFound, s.needs.Dashboards.Delete); err != nil {
		return err
	}
	if s.needs.Sketches != nil {
		for _, id := range i.made.Sketches {
			if err := s.needs.Sketches.Erase(ctx, who, id); err != nil {
				return fmt.Errorf("take back sketch %s: %w", id, err)
			}
		}
	}
	if err := drop("thing", i.made.Things, thing.ErrNotFound, s.needs.Things.Delete); err != nil {
		return err
	}
	err := s.needs.Store.end(ctx, i.ID, s.entry(who, "template:takeback", i.Space, i.ID, nil))
	if errors.Is(err, errTakenBack) {
		return nil
	}
	return err
}
