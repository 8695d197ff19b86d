// Package cloud reads what somebody has on a server with the Arduino Cloud's API: devices, things,
// dashboards, triggers, and the values of the past.
//
// Nothing that such a server says is trusted: answers are bounded, their shapes are checked, and an
// object that cannot be read is told as Strange instead of stopping the others. Names, texts and options are
// taken as they are; who writes them elsewhere lets that server judge them.
package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/ardesia-iot/ardesia/client"
)

// A Caller makes one request: *client.Client.
type Caller interface {
	Do(ctx context.Context, method, path string, in, out any) error
}

// A Server is one that is read. All methods may be called from any goroutine.
type Server struct {
	caller Caller
	pace   *Pace
}

// New reads by caller, as fast as pace lets it.
func New(caller Caller, pace *Pace) *Server { return &Server{caller, pace} }

func (s *Server) ask(ctx context.Context, method, path string, in any) (raw json.RawMessage, err error) {
	err = s.pace.Call(ctx, func() error {
		raw = nil
		return s.caller.Do(ctx, method, path, in, &raw)
	})
	return raw, err
}

// Devices are all devices of the space, in the order of the answer.
func (s *Server) Devices(ctx context.Context) ([]Device, []Strange, error) {
	raw, err := s.ask(ctx, http.MethodGet, "/iot/v2/devices", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("list devices: %w", err)
	}
	return list("devices", raw, readDevice)
}

// Things are all things of the space with their properties.
func (s *Server) Things(ctx context.Context) ([]Thing, []Strange, error) {
	raw, err := s.ask(ctx, http.MethodGet, "/iot/v2/things?show_properties=true", nil)
	if err != nil {
		return nil, nil, fmt.Errorf("list things: %w", err)
	}
	all, strange, err := list("things", raw, readThing)
	if err != nil {
		return nil, nil, err
	}
	good := all[:0]
	for _, t := range all {
		if t.complete() {
			good = append(good, t)
			continue
		}
		raw, err := s.ask(ctx, http.MethodGet, "/iot/v2/things/"+url.PathEscape(t.ID), nil)
		if status(err) == http.StatusNotFound {
			continue // deleted since the list was made
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read thing %s: %w", t.ID, err)
		}
		whole, err := readThing(raw)
		if err != nil || whole.ID != t.ID {
			strange = append(strange, Strange{ID: t.ID, Name: t.Name, Why: fmt.Sprintf("its answer is not that of a thing (%v)", err)})
			continue
		}
		good = append(good, whole)
	}
	return good, strange, nil
}

// Dashboards are all dashboards, those that others share among them: with pages from the third version of the
// API, without from the second where there is no third.
func (s *Server) Dashboards(ctx context.Context) ([]Dashboard, []Strange, error) {
	root := "/iot/v3/dashboards"
	raw, err := s.ask(ctx, http.MethodGet, root, nil)
	switch status(err) {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		root = "/iot/v2/dashboards"
		raw, err = s.ask(ctx, http.MethodGet, root, nil)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list dashboards: %w", err)
	}
	all, strange, err := list("dashboards", raw, readDashboard)
	if err != nil {
		return nil, nil, err
	}
	good := all[:0]
	for _, d := range all {
		if d.whole {
			good = append(good, d)
			continue
		}
		raw, err := s.ask(ctx, http.MethodGet, root+"/"+url.PathEscape(d.ID), nil)
		if status(err) == http.StatusNotFound {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read dashboard %s: %w", d.ID, err)
		}
		one, err := readDashboard(raw)
		if err != nil || one.ID != d.ID {
			strange = append(strange, Strange{ID: d.ID, Name: d.Name, Why: fmt.Sprintf("its answer is not that of a dashboard (%v)", err)})
			continue
		}
		good = append(good, one)
	}
	return good, strange, nil
}

// Triggers are all triggers with their actions.
func (s *Server) Triggers(ctx context.Context) ([]Trigger, []Strange, error) {
	raw, err := s.ask(ctx, http.MethodGet, "/iot/v1/triggers", nil)
	if status(err) == http.StatusNotFound {
		return nil, nil, nil // a server, or a plan, without them
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list triggers: %w", err)
	}
	all, strange, err := list("triggers", raw, readTrigger)
	if err != nil || len(all) == 0 {
		return nil, strange, err
	}
	raw, err = s.ask(ctx, http.MethodGet, "/iot/v1/actions", nil)
	if status(err) == http.StatusNotFound {
		return all, strange, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("list actions: %w", err)
	}
	actions, odd, err := list("actions", raw, readAction)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		for _, a := range actions {
			if a.Trigger == all[i].ID {
				all[i].add(a)
			}
		}
	}
	return all, append(strange, odd...), nil
}

// status is that of an answer which says no; 0 for any other error and for nil.
func status(err error) int {
	var e *client.Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}
