package org

import (
	"net/http"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const isJSON = "application/json"

type wireSpace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	Role string `json:"role"`
}

// wireWhole is a space as one of its members sees it when they ask for it alone.
type wireWhole struct {
	wireSpace
	Owner     string    `json:"owner"`      // user id
	Heir      string    `json:"offered_to"` // user id of who was asked to own it; "" for nobody
	Require   string    `json:"require"`    // how people must sign in: password, two-step or passkey
	KeepDays  int       `json:"keep_days"`  // 0: values are kept for ever
	Logo      bool      `json:"logo"`       // there is one, at …/logo
	CreatedAt time.Time `json:"created_at"`
}

type wireNew struct {
	Name string `json:"name" rule:"required,length=1..64"`
}

type wireChange struct {
	Name    *string `json:"name" rule:"length=1..64"`
	Require *string `json:"require" rule:"enum=password|two-step|passkey"`
}

type wireMember struct {
	User    string    `json:"user"` // id
	Name    string    `json:"name"`
	Email   string    `json:"email,omitempty"` // administrators alone see it
	Role    string    `json:"role"`
	Owner   bool      `json:"owner"`
	SinceAt time.Time `json:"since_at"`
}

type wireRoleOf struct {
	Role string `json:"role" rule:"required,enum=admin|editor|viewer|service"`
}

type wireUser struct {
	User string `json:"user" rule:"required,format=uuid"`
}

type wireHanded struct {
	Owner string `json:"owner"`
	Heir  string `json:"offered_to"` // who still has to agree; "" when it is done
}

type wireNamed struct {
	Name string `json:"name" rule:"required,length=1..64"` // of the space, to say it a second time
}

type wireGone struct {
	ID       string     `json:"id"`
	Things   int        `json:"things"`
	Devices  int        `json:"devices"`
	Members  int        `json:"members"`
	Keys     int        `json:"api_keys"`
	ErasedAt *time.Time `json:"erased_at"`
}

type wireUse struct {
	Quota string `json:"quota"`
	Used  int    `json:"used"`
	Most  *int   `json:"limit"` // null: none
	Own   bool   `json:"own"`   // the limit was set for this space
}

type wireRole struct {
	Role string   `json:"role"`
	May  []string `json:"may"`
}

// disbandTime is for a space with many things: they are removed before the answer.
const disbandTime = 5 * time.Minute

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	return docs.Tell(slices.Concat([]door.Route{
		{Pattern: "GET /v1/roles", Action: "role:list", Out: []wireRole{}, Do: s.httpRoles},
		{Pattern: "GET /v1/spaces", Action: "org:list", Out: []wireSpace{}, Do: s.httpList},
		{Pattern: "POST /v1/spaces", Action: "membership:create", Resource: oneself, In: wireNew{}, Out: wireWhole{}, Status: http.StatusCreated, Do: s.httpCreate},
		{Pattern: "GET /v1/spaces/{id}", Space: "id", Action: "org:read", Out: wireWhole{}, Do: s.httpGet},
		{Pattern: "PATCH /v1/spaces/{id}", Space: "id", Action: "org:update", In: wireChange{}, Out: wireWhole{}, Do: s.httpChange},
		{Pattern: "GET /v1/spaces/{id}/usage", Space: "id", Action: "org:read", Out: []wireUse{}, Do: s.httpUsage},
		{Pattern: "GET /v1/spaces/{id}/members", Space: "id", Action: "member:list", Out: []wireMember{}, Do: s.httpMembers},
		{Pattern: "PATCH /v1/spaces/{id}/members/{user}", Space: "id", Action: "member:update", In: wireRoleOf{}, Status: http.StatusNoContent, Do: s.httpSetRole},
		{Pattern: "DELETE /v1/spaces/{id}/members/{user}", Space: "id", Action: "member:remove", Status: http.StatusNoContent, Do: s.httpRemove},
		{Pattern: "POST /v1/spaces/{id}/leave", Space: "id", Action: "membership:leave", Resource: oneself, Status: http.StatusNoContent, Do: s.httpLeave},
		{Pattern: "POST /v1/spaces/{id}/owner", Space: "id", Action: "org:manage", In: wireUser{}, Out: wireHanded{}, Do: s.httpHandOver},
		{Pattern: "POST /v1/spaces/{id}/owner/accept", Space: "id", Action: "membership:accept", Resource: oneself, Out: wireHanded{}, Do: s.httpTakeOver},
		{Pattern: "POST /v1/spaces/{id}/disband", Space: "id", Action: "org:erase", In: wireNamed{}, Out: wireGone{}, Timeout: disbandTime, Do: s.httpDisband},
	}, s.inviteRoutes(), s.logoRoutes()))
}

// oneself is the resource of what people do about their own places in spaces.
func oneself(_ *http.Request, who access.Actor) (access.Resource, error) {
	return access.Resource{Type: "Membership", ID: who.ID, Space: who.Space, Owner: who.ID}, nil
}

func (s *Service) httpRoles(w http.ResponseWriter, _ *http.Request, _ access.Actor) error {
	var out []wireRole
	for _, role := range access.Roles() {
		out = append(out, wireRole{string(role), s.needs.Policy.Can(role)})
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpList(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Of(r.Context(), who.ID)
	if err != nil {
		return err
	}
	out := make([]wireSpace, 0, len(all))
	for _, m := range all {
		if who.Only != "" && who.Only != m.ID {
			continue // an API key of one space does not learn of others
		}
		if who.Cap != access.NoRole {
			m.Role = access.Lesser(m.Role, who.Cap)
		}
		out = append(out, wireSpace{m.ID, m.Name, m.Kind, string(m.Role)})
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpCreate(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireNew
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	sp, err := s.AddShared(r.Context(), who, who.ID, in.Name)
	if err != nil {
		return err
	}
	return s.answer(w, r, http.StatusCreated, sp.ID, access.Admin)
}

func (s *Service) httpGet(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.answer(w, r, http.StatusOK, who.Space, who.Role)
}

func (s *Service) answer(w http.ResponseWriter, r *http.Request, status int, space string, role access.Role) error {
	sp, err := s.Get(r.Context(), space)
	if err != nil {
		return err
	}
	logo, err := s.HasLogo(r.Context(), space)
	if err != nil {
		return err
	}
	return rest.Write(w, status, isJSON, wireWhole{
		wireSpace{sp.ID, sp.Name, sp.Kind, string(role)}, sp.Owner, sp.Heir, string(sp.Level), sp.KeepDays, logo, sp.CreatedAt})
}

func (s *Service) httpChange(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireChange
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	// What may be refused comes first, so that a request counts entirely or not at all.
	if in.Name != nil {
		if err := checkName(*in.Name); err != nil {
			return err
		}
	}
	if in.Require != nil {
		level, err := ParseLevel(*in.Require)
		if err != nil {
			return err
		}
		if err := s.Require(r.Context(), who, who.Space, level); err != nil {
			return err
		}
	}
	if in.Name != nil {
		if err := s.Rename(r.Context(), who, who.Space, *in.Name); err != nil {
			return err
		}
	}
	return s.answer(w, r, http.StatusOK, who.Space, who.Role)
}

func (s *Service) httpUsage(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Usage(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := make([]wireUse, 0, len(all))
	for _, u := range all {
		one := wireUse{Quota: string(u.Quota), Used: u.Used, Own: u.Own}
		if u.Most > 0 {
			one.Most = &u.Most
		}
		out = append(out, one)
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpMembers(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.People(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := make([]wireMember, 0, len(all))
	for _, m := range all {
		one := wireMember{User: m.User, Name: m.Name, Role: string(m.Role), Owner: m.Owner, SinceAt: m.SinceAt}
		if who.Role == access.Admin {
			one.Email = m.Email
		}
		out = append(out, one)
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpSetRole(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireRoleOf
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	role, err := access.ParseRole(in.Role)
	if err != nil {
		return err
	}
	return done(w, s.SetRole(r.Context(), who, who.Space, r.PathValue("user"), role))
}

func (s *Service) httpRemove(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.SetRole(r.Context(), who, who.Space, r.PathValue("user"), access.NoRole))
}

func (s *Service) httpLeave(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.Leave(r.Context(), who, who.Space))
}

// done answers where there is nothing to tell.
func done(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

func (s *Service) httpHandOver(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireUser
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if _, err := s.HandOver(r.Context(), who, who.Space, in.User); err != nil {
		return err
	}
	return s.handed(w, r, who.Space)
}

func (s *Service) httpTakeOver(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.TakeOver(r.Context(), who, who.Space); err != nil {
		return err
	}
	return s.handed(w, r, who.Space)
}

func (s *Service) handed(w http.ResponseWriter, r *http.Request, space string) error {
	sp, err := s.Get(r.Context(), space)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireHanded{sp.Owner, sp.Heir})
}

func (s *Service) httpDisband(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireNamed
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	e, err := s.Disband(r.Context(), who, who.Space, in.Name)
	if err != nil {
		return err
	}
	out := wireGone{ID: e.Space, Things: e.Size.Things, Devices: e.Size.Devices, Members: e.Size.Members, Keys: e.Size.Keys}
	if e.Done() {
		out.ErasedAt = &e.DoneAt
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}
