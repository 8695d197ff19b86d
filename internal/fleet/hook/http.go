package hook

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

const isJSON = "application/json"

type (
	inHook struct {
		URI    string `json:"uri" rule:"required,length=1..2048"`
		Active *bool  `json:"active"` // true where it is not said
	}

	// An inEdit changes what it says; the rest stays.
	inEdit struct {
		URI    string `json:"uri" rule:"length=0..2048"`
		Active *bool  `json:"active"`
	}

	// A wireHook is a webhook as those see it who may change it.
	wireHook struct {
		ID        string     `json:"id"` // webhook_id
		ThingID   string     `json:"thing_id,omitempty"`
		DeviceID  string     `json:"device_id,omitempty"`
		URI       string     `json:"uri"`
		Active    bool       `json:"active"`
		Secret    string     `json:"secret"` // of Standard Webhooks: signs each event
		OldUntil  *time.Time `json:"old_secret_until"`
		Health    wireHealth `json:"health"`
		CreatedAt time.Time  `json:"created_at"`
	}

	wireHealth struct {
		State        string     `json:"state"` // ok, failing, disabled (given up), off
		Queued       int64      `json:"queued"`
		Dropped      int64      `json:"dropped"` // did not fit in the queue, or waited when it was turned off
		Dead         int64      `json:"dead"`    // nobody took them in a day
		Delivered    int64      `json:"delivered"`
		Tries        int64      `json:"tries"` // of the oldest that waits
		NextAt       *time.Time `json:"next_at"`
		FailingSince *time.Time `json:"failing_since"`
		DisabledAt   *time.Time `json:"disabled_at"`
		LastAt       *time.Time `json:"last_at"`
		LastStatus   *int64     `json:"last_status"` // HTTP status of the last try
		LastResult   string     `json:"last_result,omitempty"`
	}
)

// Routes are the addresses of this room. Those below /v1 are ours. things and devices find what a request is about.
func (s *Service) Routes(things, devices func(r *http.Request, who access.Actor) (access.Resource, error)) []door.Route {
	const ofThing, ofDevice, ours = "/v1/things/{id}/webhook", "/iot/v2/devices/{id}/webhooks", "/v1/devices/{id}/webhooks"
	return docs.Tell([]door.Route{
		{Pattern: "GET " + ofThing, Action: "webhook:read", Resource: things, Out: wireHook{}, Do: s.httpOfThing},
		{Pattern: "POST " + ofThing + "/secret", Action: "webhook:update", Resource: things, Out: wireHook{}, Do: s.httpRotateThing},
		{Pattern: "PUT " + ofDevice, Action: "webhook:create", Resource: devices, In: inHook{}, Out: Shown{}, Status: http.StatusCreated, Do: s.httpAdd},
		{Pattern: "DELETE " + ofDevice + "/{webhook}", Action: "webhook:delete", Resource: devices, Do: s.httpRemove},
		{Pattern: "GET " + ours, Action: "webhook:read", Resource: devices, Out: []wireHook{}, Do: s.httpOfDevice},
		{Pattern: "POST " + ours + "/{webhook}", Action: "webhook:update", Resource: devices, In: inEdit{}, Out: wireHook{}, Do: s.httpEdit},
		{Pattern: "POST " + ours + "/{webhook}/secret", Action: "webhook:update", Resource: devices, Out: wireHook{}, Do: s.httpRotateDevice},
	})
}

func pathID(r *http.Request) string { return strings.ToLower(r.PathValue("id")) }

func pathHook(r *http.Request) (string, error) {
	id := strings.ToLower(r.PathValue("webhook"))
	if !topic.IsID(id) {
		return "", ErrNotFound
	}
	return id, nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Service) wire(h Hook) wireHook {
	w := wireHook{ID: h.ID, ThingID: h.Thing, DeviceID: h.Device, URI: h.URL, Active: h.Active, Secret: h.Secret, CreatedAt: h.CreatedAt, Health: wireHealth{
		State: h.State(), Queued: h.Queued, Dropped: h.Dropped, Dead: h.Dead, Delivered: h.Delivered, Tries: h.Tries, NextAt: orNil(h.NextAt),
		FailingSince: orNil(h.FailingSince), DisabledAt: orNil(h.DisabledAt), LastAt: orNil(h.LastAt), LastResult: h.LastResult,
	}}
	if h.LastStatus != 0 {
		w.Health.LastStatus = &h.LastStatus
	}
	if len(h.secrets(s.now())) > 1 {
		w.OldUntil = &h.BeforeUntil
	}
	return w
}

func sortShown(all []Shown) {
	slices.SortFunc(all, func(a, b Shown) int { return strings.Compare(a.ID, b.ID) })
}

func (s *Service) httpOfThing(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	h, err := s.OfThing(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, s.wire(h))
}

func (s *Service) httpRotateThing(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	h, err := s.OfThing(r.Context(), who, pathID(r))
	if err == nil {
		h, err = s.Rotate(r.Context(), who, h)
	}
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, s.wire(h))
}

func (s *Service) httpOfDevice(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	all, err := s.OfDevice(r.Context(), who, pathID(r))
	if err != nil {
		return err
	}
	out := make([]wireHook, 0, len(all))
	for _, h := range all {
		out = append(out, s.wire(h))
	}
	return rest.Write(w, http.StatusOK, isJSON, out)
}

func (s *Service) httpAdd(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inHook
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	h, err := s.Add(r.Context(), who, pathID(r), in.URI, in.Active == nil || *in.Active)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, rest.Media("device.webhook"), Shown{h.Active, h.ID, h.URL})
}

func (s *Service) httpRemove(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	id, err := pathHook(r)
	if err == nil {
		err = s.Remove(r.Context(), who, pathID(r), id)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpEdit(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inEdit
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	id, err := pathHook(r)
	if err != nil {
		return err
	}
	h, err := s.Edit(r.Context(), who, pathID(r), id, in.URI, in.Active)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, s.wire(h))
}

func (s *Service) httpRotateDevice(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	id, err := pathHook(r)
	if err != nil {
		return err
	}
	h, err := s.get(r.Context(), who, pathID(r), id)
	if err == nil {
		h, err = s.Rotate(r.Context(), who, h)
	}
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, isJSON, s.wire(h))
}
