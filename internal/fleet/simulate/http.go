package simulate

import (
	"net/http"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const isJSON = "application/json"

type (
	inStart struct {
		Key string `json:"secret_key" rule:"required,length=8..128"` // the device's; it is kept in memory, for as long as the simulation runs
	}

	wireSimulation struct {
		Running   bool       `json:"running"`
		StartedAt *time.Time `json:"started_at"`
		Until     *time.Time `json:"until"` // when it ends by itself
	}
)

// Routes are the addresses of this room. devices finds the device that a request is about.
func (s *Service) Routes(devices door.Loader) []door.Route {
	const one = "/v1/devices/{id}/simulation"
	return docs.Tell([]door.Route{
		{Pattern: "GET " + one, Action: "simulation:read", Resource: devices, Out: wireSimulation{}, Do: s.httpGet},
		{Pattern: "POST " + one, Action: "simulation:create", Resource: devices, In: inStart{}, Out: wireSimulation{}, Status: http.StatusCreated, MaxBody: 4 << 10, Do: s.httpStart},
		{Pattern: "DELETE " + one, Action: "simulation:delete", Resource: devices, Do: s.httpStop},
	})
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

func wire(m Simulation) wireSimulation {
	if !m.Running() {
		return wireSimulation{}
	}
	return wireSimulation{Running: true, StartedAt: &m.StartedAt, Until: &m.Until}
}

func (s *Service) httpGet(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	m, err := s.Get(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, wire(m))
}

func (s *Service) httpStart(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inStart
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	m, err := s.Start(r.Context(), who, pathID(r), in.Key)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, isJSON, wire(m))
}

func (s *Service) httpStop(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	if err := s.Stop(r.Context(), who, pathID(r)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
