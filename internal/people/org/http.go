package org

import (
	"net/http"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

type wireSpace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	Role string `json:"role"`
}

// Routes are the addresses of this room.
func (s *Service) Routes() []door.Route {
	return []door.Route{{Pattern: "GET /v1/spaces", Action: "org:list", Out: []wireSpace{}, Do: s.httpList}}
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
		out = append(out, wireSpace{m.ID, m.Name, m.Kind, string(m.Role)})
	}
	return rest.Write(w, http.StatusOK, "application/json", out)
}
