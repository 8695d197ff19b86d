package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// facts are what the variables of a text are filled in with. They look up what a text names, once.
type facts struct {
	s       *Service
	t       Trigger
	e       event
	things  map[string]*thing.Thing // nil for what is not there
	names   map[string][2]string    // of people and devices: name and address
	members map[string]bool         // of the space, of those that were asked for
	err     error                   // of what could not be looked up; such a place stays empty
}

func (s *Service) facts(t Trigger, e event) *facts {
	return &facts{s: s, t: t, e: e, things: map[string]*thing.Thing{}, names: map[string][2]string{}, members: map[string]bool{}}
}

func (f *facts) note(err error) {
	if err != nil && !isProblem(err) {
		f.err = errors.Join(f.err, err)
	}
}

// thing finds one of the space.
func (f *facts) thing(ctx context.Context, id string) *thing.Thing {
	t, known := f.things[id]
	if !known && id != "" {
		if one, err := f.s.needs.Things.Get(ctx, system(f.t.Space), id, true); err == nil {
			t = &one
		} else {
			f.note(err)
		}
		f.things[id] = t
	}
	return t
}

// property finds one of the space, and its thing.
func (f *facts) property(ctx context.Context, id string) (*thing.Thing, *thing.Property) {
	if t := f.thing(ctx, f.e.Thing); t != nil {
		for i := range t.Properties {
			if t.Properties[i].ID == id {
				return t, &t.Properties[i]
			}
		}
	}
	t, p, err := f.s.needs.Things.Property(ctx, system(f.t.Space), id)
	if err != nil {
		f.note(err)
		return nil, nil
	}
	return &t, &p
}

// value says what a variable is for one recipient; "" for what there is not.
func (f *facts) value(ctx context.Context, v Variable, recipient string) string {
	switch v.Entity {
	case "RECIPIENT":
		return f.person(ctx, v.Attribute, recipient, true)
	case "USER":
		return f.person(ctx, v.Attribute, orElse(v.ID, f.t.Owner), false)
	case "DEVICE", "TRIGGERING_DEVICE":
		id := f.e.Device
		if v.Entity == "DEVICE" && v.ID != "" {
			id = v.ID
		} else if id == "" {
			if t := f.thing(ctx, f.e.Thing); t != nil {
				id = t.Device
			}
		}
		return f.device(ctx, v.Attribute, id)
	case "THING":
		id := orElse(v.ID, orElse(v.Thing, f.e.Thing))
		t := f.thing(ctx, id)
		switch {
		case v.Attribute == "ID":
			return id
		case t == nil:
			return ""
		case v.Attribute == "NAME":
			return t.Name
		case v.Attribute == "TIMESTAMP":
			return moment(t, f.e.At)
		}
	case "PROPERTY":
		return f.propertyValue(ctx, v.Attribute, orElse(v.ID, orElse(v.Property, f.e.Property)))
	}
	return ""
}

func (f *facts) propertyValue(ctx context.Context, attribute, id string) string {
	if id == "" || attribute == "ID" {
		return id
	}
	t, p := f.property(ctx, id)
	if p == nil {
		return ""
	}
	at, value := f.e.At, f.e.Value
	if id != f.e.Property {
		last, ok := f.s.needs.Things.Last(*p)
		if !ok {
			return ""
		}
		at, value = last.At, thing.JSON(last.Value)
	}
	switch attribute {
	case "NAME":
		return p.Name
	case "VALUE":
		return plain(value)
	case "TIMESTAMP":
		return moment(t, at)
	}
	return ""
}

func (f *facts) device(ctx context.Context, attribute, id string) string {
	switch {
	case attribute == "ID" || id == "":
		return id
	case attribute == "STATUS" && id == f.e.Device:
		return status(f.e.Online)
	case attribute == "TIMESTAMP" && id == f.e.Device:
		return moment(nil, f.e.At)
	}
	d, err := f.s.needs.Devices.Get(ctx, system(f.t.Space), f.t.Space, id, true)
	if err != nil {
		f.note(err)
		return ""
	}
	switch attribute {
	case "NAME":
		return d.Name
	case "STATUS":
		return string(d.Status)
	case "TIMESTAMP":
		if !d.LastActivityAt.IsZero() {
			return moment(nil, d.LastActivityAt)
		}
	}
	return ""
}

// person tells who somebody is: a member of the space, or the recipient self. An address is told to nobody but its owner.
func (f *facts) person(ctx context.Context, attribute, id string, self bool) string {
	if attribute == "ID" || id == "" {
		return id
	}
	who, known := f.names["person:"+id]
	if !known {
		name, email, err := f.s.needs.Person(ctx, id)
		f.note(err)
		who = [2]string{name, email}
		f.names["person:"+id] = who
	}
	if !self {
		member, known := f.members[id]
		if !known {
			role, err := f.s.needs.Role(ctx, f.t.Space, id)
			f.note(err)
			member = err == nil && role != access.NoRole
			f.members[id] = member
		}
		if !member {
			return ""
		}
	}
	switch {
	case attribute == "NAME", attribute == "USERNAME":
		return who[0]
	case attribute == "EMAIL" && self:
		return who[1]
	}
	return ""
}

func status(online bool) string {
	if online {
		return "ONLINE"
	}
	return "OFFLINE"
}

// plain is a value as people read it: a text without quotes.
func plain(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// moment is a time in the time zone of a thing, or UTC.
func moment(t *thing.Thing, at time.Time) string {
	zone := time.UTC
	if t != nil {
		if z, err := time.LoadLocation(t.Timezone); err == nil {
			zone = z
		}
	}
	return at.In(zone).Format("2006-01-02 15:04:05 MST")
}
