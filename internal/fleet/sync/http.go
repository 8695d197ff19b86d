package sync

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// What clients send and get; cloud-api reference, section 7.6, knows type, properties and organization_id.
type (
	wireGroup struct {
		ID             string       `json:"id"`
		Type           string       `json:"type"`
		Properties     []wireMember `json:"properties"`
		OrganizationID string       `json:"organization_id,omitempty"`
		UserID         string       `json:"user_id"`
		CreatedAt      time.Time    `json:"created_at"`
		UpdatedAt      time.Time    `json:"updated_at"`
	}

	wireMember struct {
		ID           string `json:"id"`
		State        State  `json:"state"` // ours: OK, GIVES, DELETED, RETYPED or NOT_FOUND
		Name         string `json:"name,omitempty"`
		VariableName string `json:"variable_name,omitempty"`
		Permission   string `json:"permission,omitempty"`
		Type         string `json:"type,omitempty"`
		ThingID      string `json:"thing_id,omitempty"`
		ThingName    string `json:"thing_name,omitempty"`
	}

	inGroup struct {
		Type       string     `json:"type" rule:"length=0..64"`
		Properties []inMember `json:"properties" rule:"required,items=2..32"`
	}
)

// An inMember is a property's ID, alone or in an object as answers have it.
type inMember struct {
	ID string `json:"id" rule:"required"`
}

// UnmarshalJSON takes both forms.
func (m *inMember) UnmarshalJSON(raw []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		return json.Unmarshal(raw, &m.ID)
	}
	var object struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(raw, &object); err != nil {
		return err
	}
	m.ID = object.ID
	return nil
}

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	const all, one = "/iot/v1/sync", "/iot/v1/sync/{id}"
	return docs.Tell([]door.Route{
		{Pattern: "GET " + all, Action: "sync:list", Out: []wireGroup{}, Do: s.httpList},
		{Pattern: "PUT " + all, Action: "sync:create", In: inGroup{}, Out: wireGroup{}, Status: http.StatusCreated, Do: s.httpCreate},
		{Pattern: "GET " + one, Action: "sync:read", Resource: s.resource, Out: wireGroup{}, Do: s.httpShow},
		{Pattern: "POST " + one, Action: "sync:update", Resource: s.resource, In: inGroup{}, Out: wireGroup{}, Do: s.httpUpdate},
		{Pattern: "DELETE " + one, Action: "sync:delete", Resource: s.resource, Do: s.httpDelete},
	})
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

// resource finds the group that a request is about.
func (s *Service) resource(r *http.Request, who access.Actor) (access.Resource, error) {
	id := pathID(r)
	if !topic.IsID(id) {
		return access.Resource{}, ErrNotFound
	}
	g, err := s.needs.Store.find(r.Context(), who.Space, id)
	if err != nil {
		return access.Resource{}, err
	}
	return access.Resource{Type: "Sync", ID: id, Space: g.Space, Owner: g.Owner}, nil
}

func (in inGroup) members() ([]string, error) {
	all := make([]string, 0, len(in.Properties))
	for _, m := range in.Properties {
		id := strings.ToLower(m.ID)
		if !topic.IsID(id) {
			return nil, ErrMembers.With("A member is the UUID of a property, alone or as the id of an object.")
		}
		all = append(all, id)
	}
	return all, nil
}

func (s *Service) wire(ctx context.Context, g Group, organization string) (wireGroup, error) {
	members, err := s.look(ctx, &g)
	if err != nil {
		return wireGroup{}, err
	}
	w := wireGroup{ID: g.ID, Type: g.Type, Properties: []wireMember{}, OrganizationID: organization, UserID: g.Owner, CreatedAt: g.CreatedAt, UpdatedAt: g.UpdatedAt}
	for _, m := range members {
		one := wireMember{ID: m.ID, State: m.State, Name: m.Name, VariableName: m.Variable, ThingID: m.Thing, ThingName: m.ThingName}
		if m.State != Gone {
			one.Permission, one.Type = m.property.Permission, m.property.Type.Name
		}
		w.Properties = append(w.Properties, one)
	}
	return w, nil
}

func (s *Service) answer(w http.ResponseWriter, r *http.Request, who access.Actor, status int, g Group) error {
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out, err := s.wire(r.Context(), g, organization)
	if err != nil {
		return err
	}
	return rest.Write(w, status, rest.Media("sync"), out)
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.List(r.Context(), who)
	if err != nil {
		return err
	}
	organization, err := s.needs.Organization(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := make([]wireGroup, 0, len(all))
	for _, g := range all {
		one, err := s.wire(r.Context(), g, organization)
		if err != nil {
			return err
		}
		out = append(out, one)
	}
	return rest.Write(w, http.StatusOK, rest.Collection("sync"), out)
}

func (s *Service) httpCreate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inGroup
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	members, err := in.members()
	if err != nil {
		return err
	}
	g, err := s.Create(r.Context(), who, in.Type, members)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusCreated, g)
}

func (s *Service) httpShow(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	g, _, err := s.Get(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, g)
}

func (s *Service) httpUpdate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inGroup
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	members, err := in.members()
	if err != nil {
		return err
	}
	g, err := s.Update(r.Context(), who, pathID(r), in.Type, members)
	if err != nil {
		return err
	}
	return s.answer(w, r, who, http.StatusOK, g)
}

func (s *Service) httpDelete(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.Delete(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
