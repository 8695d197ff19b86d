package org

import (
	"context"
	"net/http"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

type wireInvite struct {
	Role  string `json:"role" rule:"required,enum=admin|editor|viewer|service"`
	Email string `json:"email" rule:"length=0..254"` // "" makes a link
	Uses  int    `json:"uses" rule:"range=0..500"`   // of a link; 0 is 1
	Days  int    `json:"days" rule:"range=0..30"`    // for which it counts; 0 is 7
}

type wireInvitation struct {
	ID        string    `json:"id"`
	Role      string    `json:"role"`
	Email     string    `json:"email,omitempty"`
	Uses      int       `json:"uses"` // that are left
	MadeBy    string    `json:"made_by"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Link      string    `json:"link,omitempty"` // shown once, when it is made; never of one by mail
}

type wireToken struct {
	Token string `json:"token" rule:"required,length=1..64"`
}

func toWireInvitation(in Invitation, link string) wireInvitation {
	return wireInvitation{in.ID, string(in.Role), in.Address, in.Uses, in.MadeBy, in.CreatedAt, in.ExpiresAt, link}
}

func (s *Service) inviteRoutes() []door.Route {
	return []door.Route{
		{Pattern: "GET /v1/spaces/{id}/invitations", Space: "id", Action: "invitation:list", Out: []wireInvitation{}, Do: s.httpInvitations},
		{Pattern: "POST /v1/spaces/{id}/invitations", Space: "id", Action: "invitation:create", In: wireInvite{}, Out: wireInvitation{}, Status: http.StatusCreated, Do: s.httpInvite},
		{Pattern: "POST /v1/spaces/{id}/invitations/{invitation}/resend", Space: "id", Action: "invitation:update", Out: wireInvitation{}, Do: s.httpResend},
		{Pattern: "DELETE /v1/spaces/{id}/invitations/{invitation}", Space: "id", Action: "invitation:revoke", Status: http.StatusNoContent, Do: s.httpUninvite},
		// A token stands in no address: those are logged on the way.
		{Pattern: "POST /v1/invitations/look", Action: "membership:read", Resource: oneself, In: wireToken{}, Out: wireSpace{}, Do: s.httpLook},
		{Pattern: "POST /v1/invitations/accept", Action: "membership:accept", Resource: oneself, In: wireToken{}, Out: wireSpace{}, Do: s.httpAccept},
	}
}

func (s *Service) httpInvitations(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.Invitations(r.Context(), who.Space)
	if err != nil {
		return err
	}
	out := make([]wireInvitation, 0, len(all))
	for _, in := range all {
		out = append(out, toWireInvitation(in, ""))
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpInvite(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in wireInvite
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	made, link, err := s.Invite(r.Context(), who, Invitation{Space: who.Space, Address: in.Email, Role: access.Role(in.Role), Uses: in.Uses}, in.Days)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, isJSON, toWireInvitation(made, link))
}

func (s *Service) httpResend(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	in, err := s.Resend(r.Context(), who, who.Space, r.PathValue("invitation"))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, toWireInvitation(in, ""))
}

func (s *Service) httpUninvite(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.Uninvite(r.Context(), who, who.Space, r.PathValue("invitation")))
}

func (s *Service) httpLook(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.useToken(w, r, who, s.Look)
}

func (s *Service) httpAccept(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return s.useToken(w, r, who, s.Accept)
}

func (s *Service) useToken(w http.ResponseWriter, r *http.Request, who access.Actor, use func(context.Context, access.Actor, string) (Membership, error)) error {
	var in wireToken
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	m, err := use(r.Context(), who, in.Token)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wireSpace{m.ID, m.Name, m.Kind, string(m.Role)})
}
