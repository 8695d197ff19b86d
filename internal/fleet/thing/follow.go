package thing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// SeriesOf are the series in which values of a property come: that of its history, and
// that of its last value while it has no history.
func SeriesOf(property string) [2]string { return [2]string{property, fleeting(property)} }

// Reading is a point of one of the series of SeriesOf as the value of its property, whose ID its Series is; false for
// a point of neither.
func Reading(p series.Point) (series.Point, bool) {
	if strings.HasSuffix(p.Series, "/last") {
		return unwrap(p)
	}
	return p, true
}

// JSON is a value as the API writes it.
func JSON(v series.Value) json.RawMessage { return appendJSON(nil, v) }

// Slug is the friendly ID that a name has in templates.
func Slug(name string) string { return slug(name) }

// BindTriggers gives the Service who knows whether a trigger watches a property. It must be
// called before anything is served, or not at all.
func (s *Service) BindTriggers(linked func(property string) bool) { s.linked = linked }

// Property finds a property in who's space by its ID, soft-deleted or not, and its thing.
func (s *Service) Property(ctx context.Context, who access.Actor, id string) (Thing, Property, error) {
	if err := ours(who); err != nil {
		return Thing{}, Property{}, err
	}
	found, err := s.needs.Store.properties(ctx, who.Space, []string{id})
	if err != nil {
		return Thing{}, Property{}, err
	}
	p, ok := found[id]
	if !ok {
		return Thing{}, Property{}, ErrPropertyNotFound
	}
	t, err := s.Get(ctx, who, p.Thing, true)
	if err != nil {
		return Thing{}, Property{}, err
	}
	if i := slices.IndexFunc(t.Properties, func(one Property) bool { return one.ID == id }); i >= 0 {
		p = t.Properties[i]
	}
	return t, p, nil
}

// Last is the last value of a property that is on disk.
func (s *Service) Last(p Property) (series.Point, bool) { return s.last(p.ID, p.Persist) }

// Show is a property as the API tells of it, ready to be encoded.
func (s *Service) Show(t Thing, p Property) any { return s.wireProperty(t, p) }

// Moment is a time for a value that is written to a property: now, and after its last value.
func (s *Service) Moment(who access.Actor, thing, property string) (time.Time, error) {
	r, err := s.routeOf(who, thing)
	if err != nil {
		return time.Time{}, err
	}
	l := r.byID[property]
	if l == nil {
		return time.Time{}, ErrPropertyNotFound
	}
	return s.stamp(l, s.now()), nil
}

// CommandAt is Command for one value at a time that Moment gave and that its caller remembers: when it is
// repeated and the value is on disk already, it changes nothing and tells nobody.
func (s *Service) CommandAt(ctx context.Context, who access.Actor, thing, property string, at time.Time, raw json.RawMessage) error {
	s.routes.passing.RLock()
	defer s.routes.passing.RUnlock()
	r, err := s.routeOf(who, thing)
	if err != nil {
		return err
	}
	l := r.byID[property]
	if l == nil {
		return ErrPropertyNotFound
	}
	if last, ok := s.last(property, l.persist); ok && !last.At.Before(at) {
		if !l.persist || last.At.Equal(at) {
			return nil
		}
		there, err := s.needs.Series.Raw(ctx, series.Query{Series: property, Space: r.space, From: at, To: at.Add(time.Microsecond), Limit: 1})
		if err != nil {
			return fmt.Errorf("look for a value of property %s: %w", property, err)
		}
		if len(there) > 0 {
			return nil
		}
	}
	return s.set(ctx, r, true, []Write{{Property: property, JSON: raw, At: at}})
}
