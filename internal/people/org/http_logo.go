package org

import (
	"errors"
	"io"
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

func (s *Service) logoRoutes() []door.Route {
	return []door.Route{
		{Pattern: "GET /v1/spaces/{id}/logo", Space: "id", Action: "org:read", Do: s.httpLogo},
		{Pattern: "PUT /v1/spaces/{id}/logo", Space: "id", Action: "org:update", MaxBody: MaxLogo, Status: http.StatusNoContent, Do: s.httpSetLogo},
		{Pattern: "DELETE /v1/spaces/{id}/logo", Space: "id", Action: "org:update", Status: http.StatusNoContent, Do: s.httpDropLogo},
	}
}

func (s *Service) httpLogo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	logo, err := s.Logo(r.Context(), who.Space)
	if err != nil {
		return err
	}
	rest.Image(w, r, logo.Kind, logo.Image)
	return nil
}

func (s *Service) httpSetLogo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	raw, err := io.ReadAll(r.Body)
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return ErrLogoBytes
	}
	if err != nil {
		return err
	}
	return done(w, s.SetLogo(r.Context(), who, who.Space, raw))
}

func (s *Service) httpDropLogo(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	return done(w, s.DropLogo(r.Context(), who, who.Space))
}
