package thing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// maxThingBody is enough for a thing with 100 properties and 256 tags, in bytes.
const maxThingBody = 256 << 10

// Routes are the addresses of this room. Paths and wire names are those of the API
// that we are compatible with.
func (s *Service) Routes() []door.Route {
	const one = "/iot/v2/things/{id}"
	return docs.Tell(append([]door.Route{
		{Pattern: "GET /iot/v2/things", Action: "thing:list", Out: []wireThing{}, Do: s.httpList},
		{Pattern: "PUT /iot/v2/things", Action: "thing:create", MaxBody: maxThingBody, In: inThing{}, Out: wireThing{}, Status: http.StatusCreated, Do: s.httpCreate},
		{Pattern: "GET " + one, Action: "thing:read", Resource: s.resource, Out: wireThing{}, Do: s.httpShow},
		{Pattern: "POST " + one, Action: "thing:update", Resource: s.resource, MaxBody: maxThingBody, In: inThing{}, Out: wireThing{}, Do: s.httpUpdate},
		{Pattern: "DELETE " + one, Action: "thing:delete", Resource: s.resource, Do: s.httpDelete},
		{Pattern: "PUT " + one + "/clone", Action: "thing:clone", Resource: s.resource, In: inClone{}, Out: wireThing{}, Status: http.StatusCreated, Do: s.httpClone},
		{Pattern: "PUT " + one + "/sketch", Action: "thing:update", Resource: s.resource, In: inSketch{}, Out: wireThing{}, Status: http.StatusCreated, Do: s.httpCreateSketch},
		{Pattern: "DELETE " + one + "/sketch", Action: "thing:update", Resource: s.resource, Out: wireThing{}, Do: s.httpDeleteSketch},
		// The body of this one may be missing, so it is not declared.
		{Pattern: "PUT " + one + "/sketch/{sketch}", Action: "thing:update", Resource: s.resource, Out: wireThing{}, Do: s.httpUpdateSketch},
		{Pattern: "GET " + one + "/template", Action: "thing:read", Resource: s.resource, Out: wireTemplate{}, Do: s.httpTemplate},
		{Pattern: "GET " + one + "/tags", Action: "thing:read", Resource: s.resource, Out: wireTags{}, Do: s.httpTags},
		{Pattern: "PUT " + one + "/tags", Action: "thing:tag", Resource: s.resource, In: wireTag{}, Do: s.httpSetTag},
		{Pattern: "DELETE " + one + "/tags/{key}", Action: "thing:tag", Resource: s.resource, Do: s.httpDropTag},
		{Pattern: "GET /iot/v1/property_types", Action: "propertytype:list", Out: []wireType{}, Do: s.httpTypes},
	}, slices.Concat(s.propertyRoutes(), s.seriesRoutes(), s.downloadRoutes(), s.rowRoutes(), s.fillRoutes())...))
}

// Load is the door.Loader of routes below one thing, {id}, for other rooms. A deleted thing is there.
func (s *Service) Load(r *http.Request, who access.Actor) (access.Resource, error) {
	return s.resource(r, who)
}

// resource finds the thing that a request is about, living or deleted.
func (s *Service) resource(r *http.Request, who access.Actor) (access.Resource, error) {
	id := pathID(r)
	if !topic.IsID(id) {
		return access.Resource{}, ErrNotFound
	}
	known, err := s.routes.of(id)
	if err != nil {
		return access.Resource{}, err
	}
	if known != nil {
		return access.Resource{Type: "Thing", ID: id, Space: known.space}, nil
	}
	t, err := s.needs.Store.find(r.Context(), who.Space, id)
	if err != nil {
		return access.Resource{}, err
	}
	return access.Resource{Type: "Thing", ID: id, Space: t.Space, Owner: t.Owner}, nil
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

func pathProperty(r *http.Request) string { return strings.ToLower(r.PathValue("pid")) }

// present collects what the answer about things needs beside them.
func (s *Service) present(r *http.Request, who access.Actor, all []Thing, properties bool) (func(t Thing) wireThing, error) {
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return nil, fmt.Errorf("organization of space %s: %w", who.Space, err)
	}
	devices, err := s.DevicesOf(r.Context(), who, all)
	if err != nil {
		return nil, err
	}
	return func(t Thing) wireThing {
		return s.wire(t, presentation{organization: organization, device: devices[t.Device], properties: properties, webhook: who.Edits()})
	}, nil
}

// DevicesOf finds the devices of things of who's space, by their ID. One that is being deleted is nil.
func (s *Service) DevicesOf(ctx context.Context, who access.Actor, all []Thing) (map[string]*device.Device, error) {
	found := map[string]*device.Device{}
	for _, t := range all {
		if t.Device != "" {
			found[t.Device] = nil
		}
	}
	if len(found) > 4 { // one by one is dearer then
		list, err := s.needs.Devices.List(ctx, who, who.Space, device.Filter{})
		if err != nil {
			return nil, err
		}
		for i := range list {
			if _, wanted := found[list[i].ID]; wanted {
				found[list[i].ID] = &list[i]
			}
		}
		return found, nil
	}
	for id := range found {
		d, err := s.needs.Devices.Get(ctx, who, who.Space, id, false)
		if errors.Is(err, device.ErrNotFound) {
			continue // is being deleted, and will be detached
		}
		if err != nil {
			return nil, err
		}
		found[id] = &d
	}
	return found, nil
}

// answer writes one thing with its properties.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, who access.Actor, status int, t Thing) error {
	show, err := s.present(r, who, []Thing{t}, true)
	if err != nil {
		return err
	}
	return rest.Write(w, status, rest.Media("thing"), show(t))
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	// across_user_ids changes nothing: a space's things are all of its members'.
	q := r.URL.Query()
	f, err := ReadFilter(q["ids"], q["tags"])
	if err != nil {
		return err
	}
	if f.Properties, err = rest.Flag(r, "show_properties"); err != nil {
		return err
	}
	if f.Deleted, err = rest.Flag(r, "show_deleted"); err != nil {
		return err
	}
	if d := q.Get("device_id"); d != "" {
		f.Devices = []string{strings.ToLower(d)}
	}
	listing, err := rest.ReadListing(r, "name", "timezone", "created_at", "updated_at")
	if err != nil {
		return err
	}
	all, err := s.List(r.Context(), who, f)
	if err != nil {
		return err
	}
	all = rest.Listed(listing, all, sortKey)
	show, err := s.present(r, who, all, f.Properties)
	if err != nil {
		return err
	}
	out := make([]wireThing, len(all))
	for i, t := range all {
		out[i] = show(t)
	}
	return rest.Write(w, http.StatusOK, rest.Collection("thing"), out)
}

func sortKey(t *Thing, name string) rest.SortKey {
	switch name {
	case "name":
		return rest.SortKey{Text: t.Name}
	case "timezone":
		return rest.SortKey{Text: t.Timezone}
	case "updated_at":
		return rest.SortKey{At: t.UpdatedAt}
	}
	return rest.SortKey{At: t.CreatedAt}
}

// given are the values of a repeated parameter. An empty one is a form's field that
// nobody filled in, and says nothing.
func given(values []string) []string {
	return slices.DeleteFunc(values, func(v string) bool { return v == "" })
}

func (s *Service) httpCreate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	steal, err := rest.Flag(r, "force")
	if err != nil {
		return err
	}
	var in inThing
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	var t Thing
	if in.ID != nil && *in.ID != "" {
		if t.ID = strings.ToLower(*in.ID); !topic.IsID(t.ID) {
			return ErrID
		}
	}
	if err := in.apply(&t); err != nil {
		return err
	}
	for _, tag := range in.Tags {
		t.Tags = append(t.Tags, Tag(tag))
	}
	if in.Properties != nil {
		for _, one := range *in.Properties {
			p, err := one.property()
			if err != nil {
				return err
			}
			t.Properties = append(t.Properties, p)
		}
	}
	if t, err = s.Create(r.Context(), who, t, steal); err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusCreated, t)
}

// apply puts what a client says into t, but for ID, tags and properties; what it does not say stays.
func (in *inThing) apply(t *Thing) error {
	if in.Name != nil && *in.Name != "" {
		t.Name = *in.Name
	}
	if in.Timezone != nil && *in.Timezone != "" {
		t.Timezone = *in.Timezone
	}
	if in.Assistant != nil {
		t.Assistant = *in.Assistant
	}
	if in.WebhookActive != nil {
		t.WebhookActive = *in.WebhookActive
	}
	if in.WebhookURI != nil {
		t.Webhook = *in.WebhookURI
	}
	if in.DeviceID != nil {
		switch id := strings.ToLower(*in.DeviceID); {
		case id == "", id == "00000000-0000-0000-0000-000000000000":
			t.Device = ""
		case !topic.IsID(id):
			return ErrID
		default:
			t.Device = id
		}
	}
	return nil
}

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	deleted, err := rest.Flag(r, "show_deleted")
	if err != nil {
		return err
	}
	t, err := s.Get(r.Context(), who, pathID(r), deleted)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, t)
}

func (s *Service) httpUpdate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	steal, err := rest.Flag(r, "force")
	if err != nil {
		return err
	}
	var in inThing
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, err := s.Update(r.Context(), who, pathID(r), steal, func(t *Thing) error {
		now := s.now()
		deleted := in.SoftDeleted != nil && *in.SoftDeleted
		switch {
		case !deleted:
			t.DeletedAt = noTime // an update brings back what was deleted
		case !t.Deleted():
			t.DeletedAt = now
		}
		if err := in.apply(t); err != nil {
			return err
		}
		if in.Properties != nil {
			return t.replace(*in.Properties, now)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, t)
}

func (s *Service) httpDelete(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	hard, err := rest.Flag(r, "force")
	if err != nil {
		return err
	}
	if err := s.Delete(r.Context(), who, pathID(r), hard); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpClone(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inClone
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if in.Name == "" {
		return ErrName
	}
	t, err := s.Clone(r.Context(), who, pathID(r), in.Name, in.IncludeTags)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusCreated, t)
}

func (s *Service) httpCreateSketch(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inSketch
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, err := s.SetSketch(r.Context(), who, pathID(r), "", in.SketchVersion)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusCreated, t)
}

func (s *Service) httpUpdateSketch(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inSketch
	if r.ContentLength != 0 {
		// A body that is missing is not an empty one when its length was not told.
		if err := rest.Read(r, &in); err != nil && !isEmpty(r) {
			return err
		}
	}
	sketch := r.PathValue("sketch")
	if sketch == "" {
		return ErrNoSketch
	}
	t, err := s.SetSketch(r.Context(), who, pathID(r), sketch, in.SketchVersion)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, t)
}

// isEmpty says whether nothing at all was sent in a chunked body.
func isEmpty(r *http.Request) bool {
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, 1))
	return r.ContentLength < 0 && n == 0 && err == nil
}

func (s *Service) httpDeleteSketch(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.DropSketch(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, t)
}

func (s *Service) httpTemplate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return fmt.Errorf("organization of space %s: %w", who.Space, err)
	}
	devices, err := s.DevicesOf(r.Context(), who, []Thing{t})
	if err != nil {
		return err
	}
	out := s.wireTemplate(t, presentation{organization: organization, device: devices[t.Device], webhook: who.Edits()})
	return rest.Write(w, http.StatusOK, rest.Media("thingtemplate"), out)
}

func (s *Service) httpTags(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media("tags"), wireTags{wireTagList(t.Tags)})
}

func (s *Service) httpSetTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireTag
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if err := s.SetTag(r.Context(), who, pathID(r), Tag(in)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpDropTag(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.DropTag(r.Context(), who, pathID(r), r.PathValue("key")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpTypes(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	return rest.Write(w, http.StatusOK, rest.Collection("propertytype"), wireTypes())
}
