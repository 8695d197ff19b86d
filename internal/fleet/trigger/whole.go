package trigger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// maxTemplate bounds the text of a template, in bytes.
const maxTemplate = maxTriggerBody

// A Template is a trigger as a whole template has it: without people, and with friendly names for things and properties.
type Template struct{ in inTemplate }

// ReadTemplate reads one from JSON as GET …/template answers it. What it does not know it skips. What is
// wrong with it beside its form ImportAs says.
func ReadTemplate(text []byte) (Template, error) {
	var t Template
	if len(text) > maxTemplate {
		return t, ErrTemplate.With(fmt.Sprintf("A template of a trigger has at most %d KiB.", maxTemplate>>10))
	}
	if err := json.Unmarshal(text, &t.in); err != nil {
		return Template{}, ErrTemplate.With("A template of a trigger has another form than GET …/template answers.")
	}
	if t.in.Name == "" {
		return Template{}, ErrTemplate.With("A template of a trigger has a name.")
	}
	return t, nil
}

// Name is what the trigger is called.
func (t Template) Name() string { return t.in.Name }

// Things are what a template calls the things that it is about; each once, in order.
func (t Template) Things() []string {
	var all []string
	if p := t.in.Property; p != nil {
		all = append(all, p.ThingID)
	}
	all = append(all, t.Devices()...)
	for _, a := range t.in.Actions {
		if a.SetProperty != nil {
			all = append(all, a.SetProperty.ThingID)
		}
		for _, list := range a.variables() {
			for _, v := range *list {
				all = append(all, v.ThingID)
			}
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(text string) bool { return text == "" })
}

// Devices are what a template calls the things whose devices it watches.
func (t Template) Devices() (all []string) {
	for _, d := range t.in.Devices {
		all = append(all, d.ThingID)
	}
	return all
}

// ImportAs makes a trigger of a template, with an ID that must be new. things are the IDs of things by what the
// template calls them. A notice whose recipients are no members of who's space goes to who.
func (s *Service) ImportAs(ctx context.Context, who access.Actor, id, prefix string, t Template, things map[string]string) (Trigger, error) {
	made, err := s.read(ctx, &importer{s: s, who: who, ids: things, to: who.ID}, t.in)
	if err != nil {
		return Trigger{}, err
	}
	made.ID, made.Name = id, prefix+made.Name
	if slices.ContainsFunc(made.Actions, func(a Action) bool { return a.Webhook != nil }) {
		made.Active = false // whoever wrote the template chose whom it calls
	}
	return s.Create(ctx, who, made)
}

// Carry writes a trigger of who's space as a Template. call is how the template calls a thing; false for one that is not in
// it, of which a trigger may say nothing. Properties are named by their variables. No person is in it, no secret, and no ID of the space.
func (s *Service) Carry(ctx context.Context, who access.Actor, id string, call func(thing string) (string, bool)) ([]byte, error) {
	t, err := s.Get(ctx, who, id, false)
	if err != nil {
		return nil, err
	}
	c := carrying{s: s, who: who, name: t.Name, call: call}
	out := wireTemplate{Actions: []wireAction{}, Active: t.Active, Condition: t.Condition, Description: t.Description, ID: thing.Slug(t.Name), Name: t.Name}
	for _, a := range t.Actions {
		out.Actions = append(out.Actions, c.action(ctx, a))
	}
	if t.Status == nil {
		of, property := c.property(ctx, t.Property)
		out.Property = &wireTemplateProperty{PropertyID: property, ThingID: of}
	} else {
		out.Criteria, out.GracePeriodOffline, out.GracePeriodOnline = criteria(t.Status), t.Status.Offline, t.Status.Online
		for _, d := range t.Status.Devices {
			out.Devices = append(out.Devices, wireTemplateDevice{c.device(ctx, d)})
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	return json.Marshal(out)
}

// carrying says how a template calls what a trigger names.
type carrying struct {
	s    *Service
	who  access.Actor
	name string // of the trigger
	call func(thing string) (string, bool)
	err  error // the first
}

func (c *carrying) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

func (c *carrying) thing(id, name string) string {
	as, ok := c.call(id)
	if !ok {
		c.fail(ErrTemplate.With(fmt.Sprintf("The trigger %q is about the thing %q: take it into the template too.", c.name, name)))
	}
	return as
}

func (c *carrying) property(ctx context.Context, id string) (of, property string) {
	th, p, err := c.s.needs.Things.Property(ctx, c.who, id)
	switch {
	case isProblem(err):
		c.fail(ErrTemplate.With(fmt.Sprintf("The trigger %q is about a property that is gone.", c.name)))
		return "", ""
	case err != nil:
		c.fail(err)
		return "", ""
	}
	return c.thing(th.ID, th.Name), p.Variable
}

func (c *carrying) device(ctx context.Context, id string) string {
	all, err := c.s.needs.Things.List(ctx, c.who, thing.Filter{Devices: []string{id}})
	switch {
	case err != nil:
		c.fail(err)
		return ""
	case len(all) == 0:
		c.fail(ErrTemplate.With(fmt.Sprintf("The trigger %q is about a device without a thing, which a template cannot name.", c.name)))
		return ""
	}
	return c.thing(all[0].ID, all[0].Name)
}

func (c *carrying) action(ctx context.Context, a Action) wireAction {
	w := toWireAction(a, "")
	w.ID, w.TriggerID, w.CreatedBy = "", "", ""
	if w.Email != nil {
		w.Email.Delivery = wireEmailOption{To: []wireRecipient{}}
	}
	if w.Push != nil {
		w.Push.Delivery = wirePushOption{To: []wireRecipient{}}
	}
	if w.SetProperty != nil {
		w.SetProperty.ThingID, w.SetProperty.PropertyID = c.property(ctx, a.Set.Property)
	}
	in := inAction{Email: w.Email, Push: w.Push}
	for _, list := range in.variables() {
		for i := range *list {
			c.variable(ctx, &(*list)[i])
		}
	}
	return w
}

// variable says what a variable of a text is about as a template does. What it leaves out is what
// the trigger itself is about, or whoever made it.
func (c *carrying) variable(ctx context.Context, v *wireVariable) {
	id, of, property := v.ID, v.ThingID, v.PropertyID
	v.ID, v.ThingID, v.PropertyID = "", "", ""
	switch {
	case v.Entity == "PROPERTY" && orElse(id, property) != "":
		v.ThingID, v.PropertyID = c.property(ctx, orElse(id, property))
	case v.Entity == "THING" && orElse(id, of) != "":
		th, err := c.s.needs.Things.Get(ctx, c.who, orElse(id, of), false)
		if err != nil {
			c.fail(err)
			return
		}
		v.ThingID = c.thing(th.ID, th.Name)
	case v.Entity == "DEVICE" && id != "":
		v.ThingID = c.device(ctx, id)
	}
}

// variables are the lists of variables in the texts of an action.
func (in inAction) variables() (all []*[]wireVariable) {
	if in.Email != nil {
		all = append(all, &in.Email.Subject.Variables, &in.Email.Body.Variables)
	}
	if in.Push != nil {
		all = append(all, &in.Push.Title.Variables, &in.Push.Body.Variables)
	}
	return all
}

// named is an action with IDs in place of what a template calls things and properties. What has an ID already keeps it.
func (x *importer) named(ctx context.Context, in inAction) inAction {
	if in.Email != nil {
		email := *in.Email
		in.Email = &email
	}
	if in.Push != nil {
		push := *in.Push
		in.Push = &push
	}
	if set := in.SetProperty; set != nil && !isID(set.PropertyID) {
		in.SetProperty = &wireSet{PropertyID: x.property(ctx, set.ThingID, set.PropertyID), Value: set.Value}
	}
	for _, list := range in.variables() {
		*list = slices.Clone(*list)
		for i := range *list {
			switch v := &(*list)[i]; {
			case v.ThingID == "" || isID(v.ThingID) || v.ID != "":
			case v.Entity == "PROPERTY":
				*v = wireVariable{Attribute: v.Attribute, Entity: v.Entity, Placeholder: v.Placeholder, PropertyID: x.property(ctx, v.ThingID, v.PropertyID)}
			case v.Entity == "THING":
				*v = wireVariable{Attribute: v.Attribute, Entity: v.Entity, Placeholder: v.Placeholder, ThingID: x.thing(ctx, v.ThingID).ID}
			case v.Entity == "DEVICE":
				*v = wireVariable{Attribute: v.Attribute, Entity: v.Entity, Placeholder: v.Placeholder, ID: x.device(ctx, v.ThingID)}
			}
		}
	}
	return in
}

// address leaves of the recipients of a notice those that are members, or whoever imports it.
func (x *importer) address(ctx context.Context, n *Notice) error {
	keep := func(list []string) (left []string, err error) {
		for _, user := range list {
			role, err := x.s.needs.Role(ctx, x.who.Space, user)
			if err != nil {
				return nil, err
			}
			if role != access.NoRole {
				left = append(left, user)
			}
		}
		return left, nil
	}
	for _, list := range []*[]string{&n.To, &n.CC, &n.BCC} {
		left, err := keep((*list)[:min(len(*list), maxRecipients)])
		if err != nil {
			return err
		}
		*list = left
	}
	if len(n.To) == 0 {
		n.To = []string{x.to}
	}
	return nil
}

func isID(text string) bool { return topic.IsID(lower([]string{text})[0]) }
