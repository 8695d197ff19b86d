package thing

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// ErrTime is a time that no value can have.
var ErrTime = problem.New(problem.Invalid, "invalid-timestamp", "A value's time lies between the year 2000 and tomorrow.")

// A Write is one value for one property.
type Write struct {
	Property string // ID; or, where that is "", Name
	Name     string // variable name, or name
	JSON     json.RawMessage
	At       time.Time // zero for now
}

// Set writes values as the API's clients do: to the device when device is "", else as
// if that device, which must be the thing's, had reported them.
func (s *Service) Set(ctx context.Context, who access.Actor, thing, device string, writes []Write) error {
	s.routes.passing.RLock()
	defer s.routes.passing.RUnlock()
	r, err := s.routeOf(who, thing)
	if err != nil {
		return err
	}
	if device != "" && device != r.device {
		return ErrNotAttached
	}
	by := who.ID
	if device != "" {
		by = deviceWriter + device
	}
	return s.set(ctx, r, device == "", by, writes)
}

// Command writes values to the device of a thing, all of them or none. When it
// returns nil they are on disk, and the device and live clients have been told. All
// properties must be writable, and the values no longer than a board can take.
func (s *Service) Command(ctx context.Context, who access.Actor, thing string, writes []Write) error {
	return s.Set(ctx, who, thing, "", writes)
}

// Report is Command for values as if the thing's device, or one that it might have,
// had reported them: it is not told, and every property may be written.
func (s *Service) Report(ctx context.Context, who access.Actor, thing string, writes []Write) error {
	s.routes.passing.RLock()
	defer s.routes.passing.RUnlock()
	r, err := s.routeOf(who, thing)
	if err != nil {
		return err
	}
	return s.set(ctx, r, false, deviceWriter+r.device, writes)
}

// routeOf is the way of a thing in who's space.
func (s *Service) routeOf(who access.Actor, thing string) (*route, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	r, err := s.routes.of(thing)
	if err != nil {
		return nil, fmt.Errorf("find thing %s: %w", thing, err)
	}
	if r == nil || r.space != who.Space {
		return nil, ErrNotFound
	}
	return r, nil
}

// set keeps writes; by is who wrote them, as a point says it.
func (s *Service) set(ctx context.Context, r *route, down bool, by string, writes []Write) error {
	now := s.now()
	points := make([]series.Point, 0, len(writes))
	for i := range writes {
		p, err := s.point(r, down, &writes[i], now)
		if err != nil {
			r.doubt(points) // values that were taken for written are not
			return err
		}
		p.By = by
		points = append(points, p)
	}
	if len(points) == 0 {
		return nil
	}
	if !r.meter.Take(len(points), now) {
		s.counts.over.Add(int64(len(points)))
		r.doubt(points)
		return r.meter.Refusal(now)
	}
	if err := s.needs.Series.Append(ctx, s.kept(r, points)); err != nil {
		s.counts.failed.Add(1)
		r.doubt(points)
		return fmt.Errorf("append to series of thing %s: %w", r.thing, err)
	}
	s.tell(r, points, down)
	return nil
}

// point checks one write.
func (s *Service) point(r *route, down bool, w *Write, now time.Time) (series.Point, error) {
	l := r.byID[w.Property]
	if w.Property == "" {
		l = r.byName[w.Name]
	}
	if l == nil {
		return series.Point{}, ErrPropertyNotFound
	}
	limit := MaxText
	if down {
		if !l.writable {
			return series.Point{}, ErrReadOnly
		}
		limit = MaxTextDown
	}
	p := series.Point{Series: l.property, Thing: r.thing, Space: r.space, At: now}
	switch {
	case !w.At.IsZero():
		if p.At = w.At.UTC().Truncate(time.Microsecond); p.At.Before(clockSet) || p.At.After(now.Add(maxAhead)) {
			return series.Point{}, ErrTime
		}
	case down:
		p.At = s.stamp(l, now)
	}
	var err error
	p.Value, err = l.read(s, w.JSON, limit, w.At.IsZero())
	return p, err
}

// read makes a value of JSON. It is remembered, because later values may build on
// it, when it is current.
func (l *line) read(m memory, raw json.RawMessage, limit int, current bool) (series.Value, error) {
	if l.kind.stored() != series.Object {
		return l.kind.Read(raw, series.Value{}, limit)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recall(m)
	v, err := l.kind.Read(raw, l.value(), limit)
	if err != nil {
		return series.Value{}, err
	}
	if current {
		l.keep(v)
	}
	return v, nil
}
