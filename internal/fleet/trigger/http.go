package trigger

import (
	"net/http"
	"slices"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const (
	maxTriggerBody = 512 << 10 // bytes: 20 actions with all that they may have
	maxActionBody  = 128 << 10
	isJSON         = "application/json"
)

// Routes are the addresses of this room. Paths and wire names are those of the API that we are compatible with, but
// for those below /v1.
func (s *Service) Routes() []door.Route {
	const one, action = "/iot/v1/triggers/{id}", "/iot/v1/actions/{id}"
	return docs.Tell(append([]door.Route{
		{Pattern: "GET /iot/v1/triggers", Action: "trigger:list", Out: []wireTrigger{}, Do: s.httpList},
		{Pattern: "PUT /iot/v1/triggers", Action: "trigger:create", MaxBody: maxTriggerBody, In: inTrigger{}, Out: wireTrigger{}, Status: http.StatusCreated, Do: s.httpCreate},
		{Pattern: "GET " + one, Action: "trigger:read", Resource: s.resource, Out: wireLinked{}, Do: s.httpShow},
		{Pattern: "POST " + one, Action: "trigger:update", Resource: s.resource, MaxBody: maxTriggerBody, In: inTrigger{}, Out: wireTrigger{}, Do: s.httpUpdate},
		{Pattern: "PATCH " + one, Action: "trigger:update", Resource: s.resource, MaxBody: maxTriggerBody, In: inTrigger{}, Out: wireTrigger{}, Do: s.httpUpdate},
		{Pattern: "DELETE " + one, Action: "trigger:delete", Resource: s.resource, Do: s.httpDelete},
		{Pattern: "GET " + one + "/template", Action: "trigger:read", Resource: s.resource, Out: wireTemplate{}, Do: s.httpTemplate},
		{Pattern: "POST " + one + "/unsubscribe", Action: "trigger:update", Resource: s.resource, In: inRecipients{}, Do: s.httpUnsubscribeAll},
		{Pattern: "GET /iot/v1/actions", Action: "action:list", Out: []wireAction{}, Do: s.httpListActions},
		{Pattern: "POST /iot/v1/actions", Action: "action:create", MaxBody: maxActionBody, In: inAction{}, Out: wireAction{}, Status: http.StatusCreated, Do: s.httpCreateAction},
		{Pattern: "GET " + action, Action: "action:read", Resource: s.actionResource, Out: wireAction{}, Do: s.httpShowAction},
		{Pattern: "PUT " + action, Action: "action:update", Resource: s.actionResource, MaxBody: maxActionBody, In: inActionEdit{}, Out: wireAction{}, Do: s.httpUpdateAction},
		{Pattern: "DELETE " + action, Action: "action:delete", Resource: s.actionResource, Do: s.httpDeleteAction},
		{Pattern: "PUT " + action + "/unsubscribe", Action: "action:update", Resource: s.actionResource, In: inRecipients{}, Out: wireAction{}, Do: s.httpUnsubscribe},
	}, s.ourRoutes()...))
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

// resource finds the trigger that a request is about, living or deleted.
func (s *Service) resource(r *http.Request, who access.Actor) (access.Resource, error) {
	id := pathID(r)
	if !topic.IsID(id) {
		return access.Resource{}, ErrNotFound
	}
	t, err := s.needs.Store.find(r.Context(), who.Space, id)
	if err != nil {
		return access.Resource{}, err
	}
	return access.Resource{Type: "Trigger", ID: id, Space: t.Space, Owner: t.Owner}, nil
}

func (s *Service) actionResource(r *http.Request, who access.Actor) (access.Resource, error) {
	id := pathID(r)
	if !topic.IsID(id) {
		return access.Resource{}, ErrActionNotFound
	}
	a, err := s.needs.Store.findAction(r.Context(), who.Space, id)
	if err != nil {
		return access.Resource{}, err
	}
	return access.Resource{Type: "Action", ID: id, Space: a.Space, Owner: a.Owner}, nil
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	q := r.URL.Query()
	f := Filter{Device: strings.ToLower(q.Get("device_id")), Property: strings.ToLower(q.Get("property_id")), Source: q.Get("source_type")}
	if f.Source != "" && !slices.Contains([]string{SourceProperty, SourceInclude, SourceExclude}, f.Source) {
		return rest.ErrQuery.With("The parameter \"source_type\" is one of PROPERTY, DEVICE_INCLUDE, DEVICE_EXCLUDE.")
	}
	for name, id := range map[string]string{"device_id": f.Device, "property_id": f.Property} {
		if id != "" && !topic.IsID(id) {
			return rest.ErrQuery.With("The parameter \"" + name + "\" is a UUID.")
		}
	}
	var err error
	if f.Deleted, err = rest.Flag(r, "show_deleted"); err != nil {
		return err
	}
	if f.Tags, err = device.ReadTags(q["tags"]); err != nil {
		return err
	}
	listing, err := rest.ReadListing(r, "name", "created_at", "updated_at")
	if err != nil {
		return err
	}
	all, err := s.List(r.Context(), who, f)
	if err != nil {
		return err
	}
	all = rest.Listed(listing, all, sortKey)
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := make([]wireTrigger, 0, len(all))
	for _, t := range all {
		out = append(out, toWire(t, organization))
	}
	return rest.Write(w, http.StatusOK, rest.Collection("trigger"), out)
}

func sortKey(t *Trigger, name string) rest.SortKey {
	switch name {
	case "name":
		return rest.SortKey{Text: t.Name}
	case "updated_at":
		return rest.SortKey{At: t.UpdatedAt}
	}
	return rest.SortKey{At: t.CreatedAt}
}

// answer writes a trigger; secrets of the webhooks that are new are told.
func (s *Service) answer(w http.ResponseWriter, r *http.Request, who access.Actor, status int, t Trigger, secrets bool) error {
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := toWire(t, organization)
	if secrets {
		for i := range t.Actions {
			tellSecret(&out.Actions[i], t.Actions[i])
		}
	}
	return rest.Write(w, status, rest.Media("trigger"), out)
}

func tellSecret(w *wireAction, a Action) {
	if a.Webhook != nil {
		w.Webhook.Secret = a.Webhook.Secret
	}
}

func (s *Service) httpCreate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inTrigger
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t := Trigger{Active: true} // armed as soon as it is there
	if in.ID != nil && *in.ID != "" {
		if t.ID = strings.ToLower(*in.ID); !topic.IsID(t.ID) {
			return ErrID
		}
	}
	if _, err := in.apply(&t); err != nil {
		return err
	}
	t, err := s.Create(r.Context(), who, t)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusCreated, t, true)
}

func (s *Service) httpUpdate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inTrigger
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, err := s.Update(r.Context(), who, pathID(r), func(t *Trigger) (bool, error) {
		deleted := in.SoftDeleted != nil && *in.SoftDeleted
		switch {
		case !deleted:
			t.DeletedAt = noTime // an update brings back what was deleted
		case !t.Deleted():
			t.DeletedAt = s.now()
		}
		return in.apply(t)
	})
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, t, in.Actions != nil)
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

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	t, err := s.Get(r.Context(), who, pathID(r), false)
	if err != nil {
		return err
	}
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := wireLinked{
		Actions: toWireActions(t.Actions, organization), Active: t.Active, Condition: t.Condition, CreatedBy: t.Owner, Description: t.Description,
		ID: t.ID, Name: t.Name, OrganizationID: organization, Tags: t.Tags,
	}
	if t.Status != nil {
		out.Status, err = s.linkedStatus(r, who, t.Status)
	} else {
		out.Property, err = s.linkedProperty(r, who, t)
	}
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media("trigger_with_linked_entities"), out)
}

// linkedStatus shows the devices that a source names. Those that are gone for good are left out.
func (s *Service) linkedStatus(r *http.Request, who access.Actor, st *Status) (*wireLinkedStatus, error) {
	out := &wireLinkedStatus{Criteria: criteria(st), GracePeriodOffline: st.Offline, GracePeriodOnline: st.Online, Devices: []wireLinkedDevice{}}
	if len(st.Devices) == 0 {
		return out, nil
	}
	all, err := s.needs.Devices.List(r.Context(), who, who.Space, device.Filter{Deleted: true})
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(d device.Device) bool { return !slices.Contains(st.Devices, d.ID) })
	shown, err := s.needs.Devices.Show(r.Context(), who, all)
	if err != nil {
		return nil, err
	}
	for i, d := range all {
		status := "OK"
		if !d.DeletedAt.IsZero() {
			status = "DELETED"
		}
		out.Devices = append(out.Devices, wireLinkedDevice{shown[i], status})
	}
	return out, nil
}

// linkedProperty shows the property that a trigger watches; nil when it is gone for good.
func (s *Service) linkedProperty(r *http.Request, who access.Actor, t Trigger) (*wireLinkedProperty, error) {
	th, p, err := s.needs.Things.Property(r.Context(), who, t.Property)
	if isProblem(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := &wireLinkedProperty{s.needs.Things.Show(th, p), "OK"}
	if _, err := t.Condition.compile(p.Type.Kind); err != nil {
		out.Status = "WRONG_TYPE"
	}
	if p.Deleted() || th.Deleted() {
		out.Status = "DELETED"
	}
	return out, nil
}

func (s *Service) httpUnsubscribeAll(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inRecipients
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if err := s.UnsubscribeAll(r.Context(), who, pathID(r), lower(in.Recipients)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpListActions(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.ListActions(r.Context(), who)
	if err != nil {
		return err
	}
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Collection("action"), toWireActions(all, organization))
}

func (s *Service) answerAction(w http.ResponseWriter, r *http.Request, who access.Actor, status int, a Action, secrets bool) error {
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := toWireAction(a, organization)
	if secrets {
		tellSecret(&out, a)
	}
	return rest.Write(w, status, rest.Media("action"), out)
}

func (s *Service) httpCreateAction(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inAction
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	a, err := s.CreateAction(r.Context(), who, in.action())
	if err != nil {
		return err
	}
	return s.answerAction(w, r, who, http.StatusCreated, a, true)
}

func (s *Service) httpShowAction(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	a, err := s.GetAction(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return s.answerAction(w, r, who, http.StatusOK, a, false)
}

func (s *Service) httpUpdateAction(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inActionEdit
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	a, err := s.UpdateAction(r.Context(), who, pathID(r), func(a *Action) error {
		in.apply(a)
		return nil
	})
	if err != nil {
		return err
	}
	return s.answerAction(w, r, who, http.StatusOK, a, false)
}

func (s *Service) httpDeleteAction(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.DeleteAction(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpUnsubscribe(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inRecipients
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	a, err := s.Unsubscribe(r.Context(), who, pathID(r), lower(in.Recipients))
	if err != nil {
		return err
	}
	return s.answerAction(w, r, who, http.StatusOK, a, false)
}
