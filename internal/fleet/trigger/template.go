package trigger

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrTemplate is a template that cannot be made into a trigger here.
	ErrTemplate = problem.New(problem.Invalid, "invalid-trigger-template", "The template cannot be used.")
	// ErrTemplateName is a prefix that a template does not take; cloud-api reference, section 6.13.
	ErrTemplateName = problem.New(problem.Invalid, "invalid-prefix", "A prefix has at most 45 letters, digits, dots, underscores, hyphens and spaces.")
)

// What a template of a trigger is: the trigger without what belongs to one space. Things and properties are named by
// the friendly IDs that they have in templates of things.
type (
	wireTemplate struct {
		Actions            []wireAction          `json:"actions"`
		Active             bool                  `json:"active"`
		Condition          *Condition            `json:"condition,omitempty"`
		Criteria           string                `json:"criteria,omitempty"`
		Description        string                `json:"description,omitempty"`
		GracePeriodOffline *int64                `json:"grace_period_offline,omitempty"`
		GracePeriodOnline  *int64                `json:"grace_period_online,omitempty"`
		ID                 string                `json:"id"`
		Devices            []wireTemplateDevice  `json:"linked_devices,omitempty"`
		Property           *wireTemplateProperty `json:"linked_property,omitempty"`
		Name               string                `json:"name"`
		OrganizationID     string                `json:"organization_id,omitempty"`
	}

	wireTemplateDevice struct {
		ThingID string `json:"thing_id" rule:"required"`
	}

	wireTemplateProperty struct {
		PropertyID string `json:"property_id" rule:"required"`
		ThingID    string `json:"thing_id" rule:"required"`
	}

	inImport struct {
		Template inTemplate        `json:"template" rule:"required"`
		Things   map[string]string `json:"things" rule:"items=0..1000"` // ID by the friendly ID of the template
		Prefix   string            `json:"prefix_name" rule:"length=0..45"`
	}

	inTemplate struct {
		Actions            []inAction            `json:"actions" rule:"items=0..20"`
		Active             *bool                 `json:"active"`
		Condition          *inCondition          `json:"condition"`
		Criteria           string                `json:"criteria"`
		Description        string                `json:"description"`
		GracePeriodOffline *int64                `json:"grace_period_offline" rule:"range=0..1209600"`
		GracePeriodOnline  *int64                `json:"grace_period_online" rule:"range=0..1209600"`
		Devices            []wireTemplateDevice  `json:"linked_devices" rule:"items=0..1000"`
		Property           *wireTemplateProperty `json:"linked_property"`
		Name               string                `json:"name" rule:"required,length=1..256"`
	}
)

func (s *Service) httpTemplate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	out, err := s.template(r.Context(), who, t)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media("trigger_template"), out)
}

// template makes a template. Recipients stay: whoever imports it elsewhere names others; secrets of webhooks do not.
func (s *Service) template(ctx context.Context, who access.Actor, t Trigger) (wireTemplate, error) {
	organization, err := s.needs.Organization(ctx, who.Space)
	if err != nil {
		return wireTemplate{}, err
	}
	out := wireTemplate{Actions: []wireAction{}, Active: t.Active, Condition: t.Condition, Description: t.Description, ID: thing.Slug(t.Name), Name: t.Name, OrganizationID: organization}
	for _, a := range t.Actions {
		one := toWireAction(a, organization)
		one.ID, one.TriggerID, one.CreatedBy = "", "", ""
		if a.Set != nil {
			if one.SetProperty.ThingID, one.SetProperty.PropertyID, err = s.friendly(ctx, who, a.Set.Property); err != nil {
				return wireTemplate{}, err
			}
		}
		out.Actions = append(out.Actions, one)
	}
	if t.Status == nil {
		var p wireTemplateProperty
		if p.ThingID, p.PropertyID, err = s.friendly(ctx, who, t.Property); err != nil {
			return wireTemplate{}, err
		}
		out.Property = &p
		return out, nil
	}
	out.Criteria, out.GracePeriodOffline, out.GracePeriodOnline = criteria(t.Status), t.Status.Offline, t.Status.Online
	out.Devices, err = s.friendlyDevices(ctx, who, t.Status.Devices)
	return out, err
}

// friendly are the friendly IDs of a property and its thing, those of the thing's own template; empty for one that is gone.
func (s *Service) friendly(ctx context.Context, who access.Actor, property string) (thingID, propertyID string, err error) {
	th, p, err := s.needs.Things.Property(ctx, who, property)
	if isProblem(err) {
		return "", "", nil
	}
	return thing.TemplateID(th.Name, th.ID), thing.Slug(p.Name), err
}

// friendlyDevices are the things of devices; those without a thing cannot be named in a template.
func (s *Service) friendlyDevices(ctx context.Context, who access.Actor, ids []string) (all []wireTemplateDevice, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	things, err := s.needs.Things.List(ctx, who, thing.Filter{Devices: ids})
	for _, t := range things {
		all = append(all, wireTemplateDevice{thing.TemplateID(t.Name, t.ID)})
	}
	return all, err
}

func (s *Service) httpImport(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inImport
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, err := s.Import(r.Context(), who, in)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusCreated, t, true)
}

// Import makes a trigger of a template. Things are those that the template's friendly IDs stand for here; where nothing
// is said, the thing of who's space whose name has that friendly ID.
func (s *Service) Import(ctx context.Context, who access.Actor, in inImport) (Trigger, error) {
	if strings.ContainsFunc(in.Prefix, func(r rune) bool {
		return !strings.ContainsRune("_. -", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) {
		return Trigger{}, ErrTemplateName
	}
	t, err := s.read(ctx, &importer{s: s, who: who, ids: in.Things}, in.Template)
	if err != nil {
		return Trigger{}, err
	}
	t.Name = in.Prefix + t.Name
	return s.Create(ctx, who, t)
}

// read makes of a template the trigger that it stands for here.
func (s *Service) read(ctx context.Context, x *importer, in inTemplate) (Trigger, error) {
	t := Trigger{Name: in.Name, Description: in.Description, Active: in.Active == nil || *in.Active}
	if in.Condition != nil {
		t.Condition = in.Condition.condition()
	}
	switch {
	case in.Property != nil:
		t.Property = x.property(ctx, in.Property.ThingID, in.Property.PropertyID)
	case in.Criteria == "INCLUDE", in.Criteria == "EXCLUDE":
		t.Status = &Status{Exclude: in.Criteria == "EXCLUDE", Online: in.GracePeriodOnline, Offline: in.GracePeriodOffline}
		for _, d := range in.Devices {
			if device := x.device(ctx, d.ThingID); device != "" {
				t.Status.Devices = append(t.Status.Devices, device)
			}
		}
	default:
		return Trigger{}, ErrTemplate.With("A template has a linked_property, or the criteria INCLUDE or EXCLUDE.")
	}
	for _, one := range in.Actions {
		one = x.named(ctx, one)
		a := one.action()
		if n := a.notice(); n != nil && x.to != "" {
			if err := x.address(ctx, n); err != nil {
				return Trigger{}, err
			}
		}
		t.Actions = append(t.Actions, a)
	}
	return t, x.err
}

// An importer finds what friendly IDs stand for.
type importer struct {
	s   *Service
	who access.Actor
	ids map[string]string
	to  string        // user ID of who gets notices whose recipients are nobody here; "" to leave them as they are
	all []thing.Thing // of the space, when somebody asked
	err error         // the first
}

func (x *importer) thing(ctx context.Context, friendly string) (t thing.Thing) {
	if x.err != nil {
		return t
	}
	if x.all == nil {
		if x.all, x.err = x.s.needs.Things.List(ctx, x.who, thing.Filter{Properties: true}); x.err != nil {
			return t
		}
	}
	id, named := x.ids[friendly]
	i := slices.IndexFunc(x.all, func(t thing.Thing) bool {
		return named && t.ID == strings.ToLower(id) || !named && (thing.Slug(t.Name) == friendly || thing.TemplateID(t.Name, t.ID) == friendly)
	})
	if i < 0 {
		x.err = ErrTemplate.With("Say which thing " + friendly + " stands for.")
		return t
	}
	return x.all[i]
}

// property finds one by its variable name or its friendly ID.
func (x *importer) property(ctx context.Context, of, friendly string) string {
	t := x.thing(ctx, of)
	living := t.Living()
	for _, is := range []func(p thing.Property) bool{
		func(p thing.Property) bool { return p.Variable == friendly },
		func(p thing.Property) bool { return thing.Slug(p.Name) == friendly },
		func(p thing.Property) bool { return thing.Slug(p.Variable) == friendly },
	} {
		if i := slices.IndexFunc(living, is); i >= 0 {
			return living[i].ID
		}
	}
	if x.err == nil {
		x.err = ErrTemplate.With("The thing " + of + " has no property " + friendly + ".")
	}
	return ""
}

// device finds that of a thing.
func (x *importer) device(ctx context.Context, of string) string {
	t := x.thing(ctx, of)
	if t.Device == "" && x.err == nil {
		x.err = ErrTemplate.With("The thing " + of + " has no device.")
	}
	return t.Device
}
