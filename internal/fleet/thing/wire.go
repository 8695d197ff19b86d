package thing

import (
	"encoding/json"
	"math"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/schedule"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// What clients send and get; cloud-api reference, sections 6.6 to 6.9. Go clients
// refuse an answer without a required key, and none of them a key too many. Lists
// are never null.
type (
	wireThing struct {
		Assistant       string            `json:"assistant,omitempty"`
		CreatedAt       time.Time         `json:"created_at"`
		DeletedAt       *time.Time        `json:"deleted_at,omitempty"`
		DeviceFQBN      string            `json:"device_fqbn,omitempty"`
		DeviceID        string            `json:"device_id,omitempty"`
		DeviceName      string            `json:"device_name,omitempty"`
		DeviceType      string            `json:"device_type,omitempty"`
		Href            string            `json:"href"`
		ID              string            `json:"id"`
		Name            string            `json:"name"`
		OrganizationID  string            `json:"organization_id,omitempty"`
		Properties      *[]wireProperty   `json:"properties,omitempty"`
		PropertiesCount int               `json:"properties_count"`
		SketchID        string            `json:"sketch_id,omitempty"`
		SourceTemplate  string            `json:"source_template,omitempty"`
		Tags            map[string]string `json:"tags"`
		Timezone        string            `json:"timezone"`
		UpdatedAt       time.Time         `json:"updated_at"`
		UserID          string            `json:"user_id"`
		WebhookActive   bool              `json:"webhook_active"`
		WebhookURI      string            `json:"webhook_uri,omitempty"`
	}

	wireProperty struct {
		CreatedAt       time.Time       `json:"created_at"`
		DeletedAt       *time.Time      `json:"deleted_at,omitempty"`
		Href            string          `json:"href"`
		ID              string          `json:"id"`
		LastValue       json.RawMessage `json:"last_value"` // null while there is none
		LinkedToTrigger bool            `json:"linked_to_trigger"`
		MaxValue        *float64        `json:"max_value,omitempty"`
		MinValue        *float64        `json:"min_value,omitempty"`
		Name            string          `json:"name"`
		Permission      string          `json:"permission"`
		Persist         bool            `json:"persist"`
		Schedule        *wireSchedule   `json:"schedule,omitempty"` // ours: what a SCHEDULE says now
		SyncID          string          `json:"sync_id,omitempty"`
		Tag             int64           `json:"tag"`
		ThingID         string          `json:"thing_id"`
		ThingName       string          `json:"thing_name"`
		Type            string          `json:"type"`
		UpdateParameter float64         `json:"update_parameter"`
		UpdateStrategy  string          `json:"update_strategy"`
		UpdatedAt       time.Time       `json:"updated_at"`
		ValueUpdatedAt  *time.Time      `json:"value_updated_at,omitempty"`
		VariableName    string          `json:"variable_name"`
	}

	// A wireSchedule is what a board makes of the last value, in the time zone of the thing.
	wireSchedule struct {
		Active  bool       `json:"active"`
		Repeat  string     `json:"repeat"`   // once, every, weekly, monthly, yearly; unknown is never on
		NextOn  *time.Time `json:"next_on"`  // null: not within nine years
		NextOff *time.Time `json:"next_off"` // likewise
	}

	wireTemplate struct {
		DeviceMetadata *wireTemplateDevice    `json:"device_metadata,omitempty"`
		ID             string                 `json:"id"`
		Name           string                 `json:"name"`
		OrganizationID string                 `json:"organization_id,omitempty"`
		SketchTemplate string                 `json:"sketch_template,omitempty"`
		Tags           []wireTag              `json:"tags"`
		Timezone       string                 `json:"timezone"`
		Variables      []wireTemplateProperty `json:"variables"`
		WebhookURI     string                 `json:"webhook_uri,omitempty"`
	}

	wireTemplateDevice struct {
		FQBN string `json:"fqbn,omitempty"`
		Name string `json:"name,omitempty"`
	}

	wireTemplateProperty struct {
		ID              string  `json:"id"`
		Name            string  `json:"name"`
		Permission      string  `json:"permission"`
		Type            string  `json:"type"`
		UpdateParameter float64 `json:"update_parameter"`
		UpdateStrategy  string  `json:"update_strategy"`
		VariableName    string  `json:"variable_name"`
	}

	wireTag struct {
		Key   string `json:"key" rule:"required"`
		Value string `json:"value" rule:"required"`
	}

	wireTags struct {
		Tags []wireTag `json:"tags"`
	}

	wireType struct {
		Assistants   []string `json:"assistants"`
		Declaration  string   `json:"declaration"`
		Deprecated   bool     `json:"deprecated"`
		Name         string   `json:"name"`
		ReadWrite    bool     `json:"rw"`
		SupersededBy string   `json:"supersededBy,omitempty"`
		Tags         []string `json:"tags"`
		Type         string   `json:"type"`
		Units        []string `json:"units"`
	}
)

// What clients send of things and properties.
type (
	inThing struct {
		Assistant     *string       `json:"assistant"`
		DeviceID      *string       `json:"device_id"` // "" and the nil UUID detach
		ID            *string       `json:"id"`
		Name          *string       `json:"name"`
		Properties    *[]inProperty `json:"properties" rule:"items=0..100"`
		SoftDeleted   *bool         `json:"soft_deleted"` // of an update; absent brings a deleted thing back
		Tags          []wireTag     `json:"tags" rule:"items=0..256"`
		Timezone      *string       `json:"timezone"`
		WebhookActive *bool         `json:"webhook_active"`
		WebhookURI    *string       `json:"webhook_uri"`
	}

	inProperty struct {
		Name           string `json:"name" rule:"required"`
		Permission     string `json:"permission" rule:"required,enum=READ_ONLY|READ_WRITE"`
		Type           string `json:"type" rule:"required"`
		UpdateStrategy string `json:"update_strategy" rule:"required,enum=ON_CHANGE|TIMED"`
		inOptional
	}

	// inPropertyEdit is inProperty where everything may be left out.
	inPropertyEdit struct {
		Name           *string `json:"name"`
		Permission     *string `json:"permission" rule:"enum=READ_ONLY|READ_WRITE"`
		Type           *string `json:"type"`
		UpdateStrategy *string `json:"update_strategy" rule:"enum=ON_CHANGE|TIMED"`
		inOptional
	}

	inOptional struct {
		MaxValue        *float64 `json:"max_value"`
		MinValue        *float64 `json:"min_value"`
		Persist         *bool    `json:"persist"`
		Tag             *float64 `json:"tag"` // old clients write integers as floating point numbers
		UpdateParameter *float64 `json:"update_parameter"`
		VariableName    *string  `json:"variable_name"`
	}

	inClone struct {
		IncludeTags bool   `json:"include_tags"`
		Name        string `json:"name" rule:"required"`
	}

	inSketch struct {
		SketchVersion string `json:"sketch_version"`
	}

	inValue struct {
		DeviceID *string         `json:"device_id"`
		Value    json.RawMessage `json:"value" rule:"required"`
	}

	inTimedValue struct {
		Timestamp time.Time       `json:"timestamp" rule:"required"`
		Value     json.RawMessage `json:"value" rule:"required"`
	}

	inNamedValues struct {
		Properties []inNamedValue `json:"properties" rule:"required,items=1..100"`
		ToDevice   bool           `json:"to_device"`
	}

	inNamedValue struct {
		Property string          `json:"property" rule:"required"`
		Value    json.RawMessage `json:"value" rule:"required"`
	}
)

// A presentation is what a thing's answer needs beside the thing.
type presentation struct {
	organization string
	device       *device.Device // the attached one, if it is there
	properties   bool           // with the properties
	webhook      bool           // with the address of the webhook
}

func thingHref(id string) string { return "/iot/v1/things/" + id }

func (s *Service) wire(t Thing, p presentation) wireThing {
	w := wireThing{
		Assistant: t.Assistant, CreatedAt: t.CreatedAt, DeletedAt: orNoTime(t.DeletedAt), DeviceID: t.Device,
		Href: thingHref(t.ID), ID: t.ID, Name: t.Name, OrganizationID: p.organization, PropertiesCount: t.Count,
		SketchID: t.Sketch, SourceTemplate: t.Template, Tags: make(map[string]string, len(t.Tags)), Timezone: t.Timezone,
		UpdatedAt: t.UpdatedAt, UserID: t.Owner, WebhookActive: t.WebhookActive,
	}
	if p.webhook {
		w.WebhookURI = t.Webhook
	}
	for _, tag := range t.Tags {
		w.Tags[tag.Key] = tag.Value
	}
	if p.device != nil {
		w.DeviceFQBN, w.DeviceName, w.DeviceType = p.device.FQBN, p.device.Name, p.device.Type
	}
	if p.properties {
		all := s.wireProperties(t, false)
		w.Properties = &all
	}
	return w
}

func orNoTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Service) wireProperties(t Thing, deleted bool) []wireProperty {
	all := make([]wireProperty, 0, len(t.Properties))
	for _, p := range t.Properties {
		if deleted || !p.Deleted() {
			all = append(all, s.wireProperty(t, p))
		}
	}
	return all
}

func (s *Service) wireProperty(t Thing, p Property) wireProperty {
	w := wireProperty{
		CreatedAt: p.CreatedAt, DeletedAt: orNoTime(p.DeletedAt), Href: thingHref(t.ID) + "/properties/" + p.ID, ID: p.ID,
		LastValue: json.RawMessage("null"), LinkedToTrigger: s.linked != nil && s.linked(p.ID), MaxValue: orNil(p.Max), MinValue: orNil(p.Min), Name: p.Name, Permission: p.Permission,
		Persist: p.Persist, Tag: p.Number, ThingID: t.ID, ThingName: t.Name, Type: p.Type.Name, UpdateParameter: p.Parameter,
		UpdateStrategy: p.Strategy, UpdatedAt: p.UpdatedAt, VariableName: p.Variable,
	}
	if s.group != nil {
		w.SyncID = s.group(p.ID)
	}
	if last, ok := s.last(p.ID, p.Persist); ok {
		w.LastValue, w.ValueUpdatedAt = appendJSON(nil, last.Value), &last.At
		if p.Type.Kind == Schedule && last.Value.Kind == series.Object {
			w.Schedule = wireScheduleOf(last.Value, t.Timezone, s.now())
		}
	}
	return w
}

// wireScheduleOf is what a SCHEDULE means at a moment; nil in a time zone that is not known any more.
func wireScheduleOf(v series.Value, timezone string, now time.Time) *wireSchedule {
	zone, err := loadZone(timezone)
	if err != nil {
		return nil
	}
	w := Schedule.whole(v)
	one := schedule.Schedule{From: uint32(w[0]), To: uint32(w[1]), Length: uint32(w[2]), Mask: schedule.Mask(w[3])}
	on, off := one.Next(now, zone)
	return &wireSchedule{Active: one.Active(now, zone), Repeat: one.Mask.Kind().String(), NextOn: inUTC(on), NextOff: inUTC(off)}
}

func inUTC(t time.Time) *time.Time { return orNoTime(t.UTC()) }

func (s *Service) wireTemplate(t Thing, p presentation) wireTemplate {
	w := wireTemplate{
		ID: TemplateID(t.Name, t.ID), Name: t.Name, OrganizationID: p.organization, SketchTemplate: t.Sketch, Tags: wireTagList(t.Tags),
		Timezone: t.Timezone, Variables: []wireTemplateProperty{},
	}
	if p.webhook {
		w.WebhookURI = t.Webhook
	}
	if p.device != nil {
		w.DeviceMetadata = &wireTemplateDevice{FQBN: p.device.FQBN, Name: p.device.Name}
	}
	for _, v := range t.Living() {
		w.Variables = append(w.Variables, wireTemplateProperty{
			ID: slug(v.Name), Name: v.Name, Permission: v.Permission, Type: v.Type.Name, UpdateParameter: v.Parameter,
			UpdateStrategy: v.Strategy, VariableName: v.Variable,
		})
	}
	return w
}

func wireTagList(tags []Tag) []wireTag {
	all := make([]wireTag, 0, len(tags))
	for _, t := range tags {
		all = append(all, wireTag(t))
	}
	return all
}

func wireTypes() []wireType {
	all := []wireType{}
	for _, t := range types {
		if t.Described() {
			all = append(all, wireType{Assistants: append([]string{}, t.Assistants...), Declaration: t.Declaration, Deprecated: t.Deprecated,
				Name: t.Label, ReadWrite: !t.ReadOnly, SupersededBy: t.Superseded, Tags: append([]string{}, t.Tags...), Type: t.Name,
				Units: append([]string{}, t.Units...)})
		}
	}
	return all
}

// property makes the definition that a client asks for.
func (in inProperty) property() (Property, error) {
	p := Property{Name: in.Name, Permission: in.Permission, Strategy: in.UpdateStrategy, Persist: true, Min: math.NaN(), Max: math.NaN()}
	if p.Type = TypeOf(in.Type); p.Type == nil {
		return Property{}, ErrType
	}
	return p, in.apply(&p)
}

// apply puts what a client says into p.
func (in inOptional) apply(p *Property) error {
	if in.MinValue != nil {
		p.Min = *in.MinValue
	}
	if in.MaxValue != nil {
		p.Max = *in.MaxValue
	}
	if in.Persist != nil {
		p.Persist = *in.Persist
	}
	if in.Tag != nil {
		n := *in.Tag
		if n != math.Trunc(n) || n < 0 || n > maxNumber {
			return ErrNumber
		}
		if n > 0 { // 0 is what clients send who have none
			p.Number = int64(n)
		}
	}
	if in.UpdateParameter != nil {
		p.Parameter = *in.UpdateParameter
	}
	if in.VariableName != nil && *in.VariableName != "" {
		p.Variable = *in.VariableName
	}
	return nil
}

// apply puts what a client says into p; what it does not say stays.
func (in inPropertyEdit) apply(p *Property) error {
	if in.Name != nil {
		p.Name = *in.Name
	}
	if in.Permission != nil {
		p.Permission = *in.Permission
	}
	if in.Type != nil {
		if p.Type = TypeOf(*in.Type); p.Type == nil {
			return ErrType
		}
	}
	if in.UpdateStrategy != nil {
		p.Strategy = *in.UpdateStrategy
	}
	return in.inOptional.apply(p)
}

// replace makes the living properties of t those that a client sends: one with a
// name that is there is changed, a new one is added, and the others are deleted.
func (t *Thing) replace(all []inProperty, at time.Time) error {
	var fresh []inProperty
	kept := make(map[string]bool, len(all))
	for _, in := range all {
		if kept[in.Name] {
			return ErrPropertyNameTaken
		}
		kept[in.Name] = true
		p := t.named(in.Name)
		if p == nil {
			fresh = append(fresh, in)
			continue
		}
		edit := inPropertyEdit{Permission: &in.Permission, Type: &in.Type, UpdateStrategy: &in.UpdateStrategy, inOptional: in.inOptional}
		if err := edit.apply(p); err != nil {
			return err
		}
		p.UpdatedAt = at
	}
	for i := range t.Properties {
		if p := &t.Properties[i]; !p.Deleted() && !kept[p.Name] {
			p.DeletedAt, p.UpdatedAt = at, at
		}
	}
	for _, in := range fresh {
		p, err := in.property()
		if err != nil {
			return err
		}
		t.addProperty(newProperty(p, t.ID, at))
	}
	return nil
}

// named finds a living property by its name; nil when there is none.
func (t *Thing) named(name string) *Property {
	for i := range t.Properties {
		if p := &t.Properties[i]; p.Name == name && !p.Deleted() {
			return p
		}
	}
	return nil
}
