package scrape

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	List(ctx context.Context, who access.Actor, f thing.Filter) ([]thing.Thing, error)
	DevicesOf(ctx context.Context, who access.Actor, all []thing.Thing) (map[string]*device.Device, error)
	Last(p thing.Property) (series.Point, bool)
}

// Needs are what a Service is made of; all must be there.
type Needs struct {
	Things Things
	Policy *access.Policy
}

// A Service makes scrapes. All methods may be called from any goroutine.
type Service struct{ needs Needs }

// New checks needs.
func New(needs Needs) (*Service, error) {
	if needs.Things == nil || needs.Policy == nil {
		return nil, errors.New("scrapes need Things and Policy")
	}
	return &Service{needs}, nil
}

// Scrape is what those things of who's space are now that pass a filter, as Prometheus reads it.
//
// Samples have no timestamps. Prometheus refuses what lies an hour behind its newest, so that a board that sends once a day would
// never be seen; and a series with timestamps does not end when its thing goes, but goes on with its last value for five minutes. So a
// value counts when it is read, as of any gauge, and when it came is a gauge of its own.
func (s *Service) Scrape(ctx context.Context, who access.Actor, f thing.Filter) ([]*dto.MetricFamily, error) {
	// The door has asked for the things.
	if err := s.needs.Policy.Allow(who, "device:list", access.Resource{Type: "Space", ID: who.Space, Space: who.Space}); err != nil {
		return nil, err
	}
	f.Properties, f.Deleted = true, false
	things, err := s.needs.Things.List(ctx, who, f)
	if err != nil {
		return nil, err
	}
	var all samples
	for i := range things {
		if err := s.addThing(&all, &things[i]); err != nil {
			return nil, err
		}
	}
	if err := s.addDevices(ctx, who, &all, things); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(all); err != nil {
		return nil, fmt.Errorf("collect space %s: %w", who.Space, err)
	}
	families, err := registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather space %s: %w", who.Space, err)
	}
	return families, nil
}

// addThing adds what t's properties are, and since when.
func (s *Service) addThing(all *samples, t *thing.Thing) error {
	var room [8]thing.Part
	for i := range t.Properties {
		p := &t.Properties[i]
		last, known := s.needs.Things.Last(*p)
		if p.Deleted() || !known {
			continue
		}
		whose := []string{t.Name, t.ID, p.Name, p.Variable, p.ID}
		if err := all.add(sample{updated, whose, float64(last.At.UnixMicro()) / 1e6}); err != nil {
			return err
		}
		for _, part := range p.Type.Kind.Parts(room[:0], last.Value) {
			labels, unit, of := append(whose[:len(whose):len(whose)], p.Type.Name), 0, 0
			if len(p.Type.Units) == 1 { // of several nobody has said which
				labels, unit = append(labels, p.Type.Units[0]), 1
			}
			if part.Name != "" {
				labels, of = append(labels, part.Name), 1
			}
			if err := all.add(sample{values[unit][of], labels, part.Number}); err != nil {
				return err
			}
		}
	}
	return nil
}

// addDevices adds whether the devices of things are connected. Of those that have no connection nobody can say.
func (s *Service) addDevices(ctx context.Context, who access.Actor, all *samples, things []thing.Thing) error {
	devices, err := s.needs.Things.DevicesOf(ctx, who, things)
	if err != nil {
		return err
	}
	for i := range things {
		t := &things[i]
		d := devices[t.Device]
		if d == nil || d.Status == device.Unknown {
			continue
		}
		if err := all.add(sample{up, []string{d.Name, d.ID, t.Name, t.ID}, truth(d.Status == device.Online)}); err != nil {
			return err
		}
	}
	return nil
}
