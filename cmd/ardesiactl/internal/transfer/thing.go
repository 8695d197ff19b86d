package transfer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ardesia-iot/ardesia/cmd/ardesiactl/internal/cloud"
)

// maxName is how long a thing's name may be; cloud-api reference, section 6.6.
const maxName = 64

func (t *Transfer) copyThings(ctx context.Context) error {
	all, c := t.source.things, &t.report.Things
	for i := range all {
		one := &all[i]
		t.progress(Things, int64(i), int64(len(all)), one.Name)
		if err := t.copyThing(ctx, one, c); err != nil {
			return fmt.Errorf("thing %s: %w", one.ID, err)
		}
	}
	t.progress(Things, int64(len(all)), int64(len(all)), "done")
	return nil
}

func (t *Transfer) copyThing(ctx context.Context, one *cloud.Thing, c *Count) error {
	props := &t.report.Properties
	props.Found += len(one.Properties)
	have, there := t.there.things.of(one.ID)
	if t.cfg.DryRun {
		t.count(one.ID, c)
		for _, p := range one.Properties {
			if _, known := t.ids[p.ID]; known && !t.ours(one) {
				props.There++
			} else {
				props.Copied++
			}
		}
		return nil
	}
	if !there {
		made, err := t.makeThing(ctx, one, c)
		if why, no := refused(err); no {
			c.fail(one.ID, one.Name, why)
			for _, p := range one.Properties {
				props.fail(p.ID, p.Name, "its thing could not be copied")
			}
			return nil
		}
		if err != nil {
			return err
		}
		have = made
		t.know(one, have)
	}
	t.count(one.ID, c)
	if !t.state.Finished[one.ID] {
		if err := t.complete(ctx, one, have, c); err != nil {
			return err
		}
	}
	for _, p := range one.Properties {
		switch _, known := t.ids[p.ID]; {
		case !known:
			if t.state.Finished[one.ID] && !hasLine(props.Failed, p.ID) {
				props.skip(p.ID, p.Name, "it is not on the copy of its thing any more")
			}
		case t.ours(one):
			props.Copied++
		default:
			props.There++
		}
	}
	if one.Sketch != "" {
		c.note(one.ID, one.Name, "its sketch "+one.Sketch+" stays in the editor of the source: save its code from there")
	}
	return nil
}

func (t *Transfer) ours(one *cloud.Thing) bool { return !t.state.Before[one.ID] }

func hasLine(all []Line, id string) bool {
	for _, l := range all {
		if l.ID == id {
			return true
		}
	}
	return false
}

// makeThing makes the copy with all of its properties at once, or without any if one of them is refused: complete adds
// them one by one then.
func (t *Transfer) makeThing(ctx context.Context, one *cloud.Thing, c *Count) (object, error) {
	in := map[string]any{"name": t.freeName(one, c), "tags": tags(one.Tags, one.ID), "webhook_active": one.WebhookActive}
	for field, v := range map[string]string{"timezone": one.Timezone, "webhook_uri": one.Webhook, "assistant": one.Assistant} {
		if v != "" {
			in[field] = v
		}
	}
	var properties []any
	for i := range one.Properties {
		properties = append(properties, definition(&one.Properties[i]))
	}
	in["properties"] = properties
	try := func() (object, error) {
		return t.create(ctx, Things, t.there.things, "/iot/v2/things?show_properties=true&tags=", one.ID, http.MethodPut, "/iot/v2/things", in)
	}
	made, err := try()
	if _, no := refused(err); no && len(properties) > 0 {
		delete(in, "properties")
		made, err = try()
	}
	return made, err
}

// freeName is the name that the copy can have: that of the source, or one with a number behind it if another thing has that.
func (t *Transfer) freeName(one *cloud.Thing, c *Count) string {
	name := one.Name
	for n := 2; t.there.things.names[name]; n++ {
		end := fmt.Sprintf(" %d", n)
		name = one.Name[:min(len(one.Name), maxName-len(end))] + end
	}
	if name != one.Name {
		c.note(one.ID, one.Name, "another thing has that name: the copy is called "+name)
	}
	return name
}

// definition is a property as the target takes it.
func definition(p *cloud.Property) map[string]any {
	in := map[string]any{"name": p.Name, "type": p.Type, "permission": p.Permission, "update_strategy": p.Strategy, "persist": p.Keeps()}
	if p.Variable != "" {
		in["variable_name"] = p.Variable
	}
	for field, v := range map[string]*float64{"update_parameter": p.Parameter, "tag": p.Number, "min_value": p.Min, "max_value": p.Max} {
		if v != nil {
			in[field] = *v
		}
	}
	return in
}

// know remembers which property of a copy is which of its source: names are unique in a thing.
func (t *Transfer) know(one *cloud.Thing, have object) {
	t.ids[one.ID] = have.ID
	names := map[string]string{}
	for _, p := range have.Properties {
		names[p.Name] = p.ID
	}
	for _, p := range one.Properties {
		if id, is := names[p.Name]; is {
			t.ids[p.ID] = id
			t.owner[id] = have.ID
		}
	}
}

// complete gives a copy what it may not have yet: properties, and its device.
func (t *Transfer) complete(ctx context.Context, one *cloud.Thing, have object, c *Count) error {
	path := "/iot/v2/things/" + url.PathEscape(have.ID)
	for i := range one.Properties {
		p := &one.Properties[i]
		if _, known := t.ids[p.ID]; known {
			continue
		}
		var made property
		err := t.cfg.Pace.Make(ctx, func() error {
			return t.cfg.Target.Do(ctx, http.MethodPut, path+"/properties", definition(p), &made)
		}, func() (bool, error) {
			var now object
			if err := t.do(ctx, http.MethodGet, path, nil, &now); err != nil {
				return false, err
			}
			for _, q := range now.Properties {
				if q.Name == p.Name {
					made = q
					return true, nil
				}
			}
			return false, nil
		})
		if why, no := refused(err); no {
			t.report.Properties.fail(p.ID, p.Name, why)
			continue
		}
		if err != nil {
			return err
		}
		t.ids[p.ID] = made.ID
		t.owner[made.ID] = have.ID
	}
	if one.Device == "" || have.DeviceID != "" {
		return t.state.finish(one.ID)
	}
	device, known := t.ids[one.Device]
	if !known {
		if t.wants(Devices) {
			c.note(one.ID, one.Name, "its device "+one.Device+" was not copied: attach another one")
			return t.state.finish(one.ID)
		}
		return nil // a run that copies devices attaches it
	}
	err := t.do(ctx, http.MethodPost, path, map[string]any{"device_id": device}, nil)
	if why, no := refused(err); no {
		c.note(one.ID, one.Name, "its device could not be attached: "+why)
	} else if err != nil {
		return err
	}
	return t.state.finish(one.ID)
}
