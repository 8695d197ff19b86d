package thing

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/door"
)

// ErrTooManyValues is a batch that is too long.
var ErrTooManyValues = problem.New(problem.TooLarge, "too-many-values", "A batch has at most 1000 values.")

const (
	maxBatch     = 1000
	maxBatchBody = 1 << 20 // bytes
	// maxValueBody is enough for the longest text, with every byte escaped.
	maxValueBody = 128 << 10
)

func (s *Service) propertyRoutes() []door.Route {
	const all = "/iot/v2/things/{id}/properties"
	const one = all + "/{pid}"
	return []door.Route{
		{Pattern: "GET " + all, Action: "thing:read", Resource: s.resource, Out: []wireProperty{}, Do: s.httpProperties},
		{Pattern: "PUT " + all, Action: "property:create", Resource: s.resource, In: inProperty{}, Out: wireProperty{}, Status: http.StatusCreated, Do: s.httpAddProperty},
		{Pattern: "GET " + one, Action: "property:read", Resource: s.propertyResource, Out: wireProperty{}, Do: s.httpProperty},
		{Pattern: "POST " + one, Action: "property:update", Resource: s.resource, In: inPropertyEdit{}, Out: wireProperty{}, Do: s.httpUpdateProperty},
		{Pattern: "DELETE " + one, Action: "property:delete", Resource: s.resource, Do: s.httpDeleteProperty},
		{Pattern: "PUT " + one + "/publish", Action: "property:publish", Resource: s.propertyResource, MaxBody: maxValueBody, In: inValue{}, Do: s.httpPublish},
		{Pattern: "PUT " + one + "/publish_batch", Action: "thing:publish", Resource: s.resource, MaxBody: maxBatchBody, In: []inTimedValue{}, Do: s.httpPublishBatch},
		{Pattern: "GET " + one + "/timeseries", Action: "series:query", Resource: s.propertyResource, Out: wireTimeseries{}, Do: s.httpTimeseries},
		{Pattern: "PUT /iot/v2/things/{id}/publish", Action: "thing:publish", Resource: s.resource, MaxBody: maxBatchBody, In: inNamedValues{}, Do: s.httpPublishMany},
	}
}

// noTime is the time of what has not happened.
var noTime time.Time

func (s *Service) httpProperties(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	deleted, err := rest.Flag(r, "show_deleted")
	if err != nil {
		return err
	}
	t, err := s.Get(r.Context(), who, pathID(r), deleted)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Collection("property"), s.wireProperties(t, deleted))
}

func (s *Service) httpProperty(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	deleted, err := rest.Flag(r, "show_deleted")
	if err != nil {
		return err
	}
	who, guest, err := s.inside(r, who)
	if err != nil {
		return err
	}
	deleted = deleted && !guest
	t, err := s.Get(r.Context(), who, pathID(r), deleted)
	if err != nil {
		return err
	}
	id := pathProperty(r)
	for _, p := range t.Properties {
		if p.ID == id && (deleted || !p.Deleted()) {
			return rest.Write(w, http.StatusOK, rest.Media("property"), s.wireProperty(t, p))
		}
	}
	return ErrPropertyNotFound
}

func (s *Service) httpAddProperty(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inProperty
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	p, err := in.property()
	if err != nil {
		return err
	}
	t, p, err := s.AddProperty(r.Context(), who, pathID(r), p)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusCreated, rest.Media("property"), s.wireProperty(t, p))
}

func (s *Service) httpUpdateProperty(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inPropertyEdit
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	t, p, err := s.UpdateProperty(r.Context(), who, pathID(r), pathProperty(r), in.apply)
	if err != nil {
		return err
	}
	return rest.Write(w, http.StatusOK, rest.Media("property"), s.wireProperty(t, p))
}

func (s *Service) httpDeleteProperty(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	hard, err := rest.Flag(r, "force")
	if err != nil {
		return err
	}
	if err := s.DeleteProperty(r.Context(), who, pathID(r), pathProperty(r), hard); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpPublish(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inValue
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	device := ""
	if in.DeviceID != nil {
		device = strings.ToLower(*in.DeviceID)
	}
	who, guest, err := s.inside(r, who)
	if err != nil {
		return err
	}
	if guest && device != "" {
		return access.ErrForbidden // to speak for the device was lent to nobody
	}
	if err := s.Set(r.Context(), who, pathID(r), device, []Write{{Property: pathProperty(r), JSON: in.Value}}); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// httpPublishBatch keeps values of the past, as if the device had reported them: it
// is not told.
func (s *Service) httpPublishBatch(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in []inTimedValue
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	if len(in) > maxBatch {
		return ErrTooManyValues.With("A batch has at most " + strconv.Itoa(maxBatch) + " values.")
	}
	writes := make([]Write, len(in))
	for i, v := range in {
		writes[i] = Write{Property: pathProperty(r), JSON: v.Value, At: v.Timestamp}
	}
	if err := s.Report(r.Context(), who, pathID(r), writes); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (s *Service) httpPublishMany(w http.ResponseWriter, r *http.Request, who access.Actor) error {
	var in inNamedValues
	if err := rest.Read(r, &in); err != nil {
		return err
	}
	writes := make([]Write, len(in.Properties))
	for i, v := range in.Properties {
		writes[i] = Write{Name: v.Property, JSON: v.Value}
	}
	write := s.Report
	if in.ToDevice {
		write = s.Command
	}
	if err := write(r.Context(), who, pathID(r), writes); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
