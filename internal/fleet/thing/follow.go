package thing

import (
	"context"
	"encoding/json"
	"errors"
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

// deviceWriter begins what a point says of who wrote it, where that was a device.
const deviceWriter = "device:"

// Writer is who wrote a point, as its By says: a device, or somebody else by their user ID; "" for this server itself.
func Writer(by string) (id string, device bool) {
	if id, device = strings.CutPrefix(by, deviceWriter); device {
		return id, true
	}
	return by, false
}

// Kept is a value of a property as history keeps it.
func Kept(p Property, space string, at time.Time, v series.Value, by string) series.Point {
	point := series.Point{Series: p.ID, Thing: p.Thing, Space: space, At: at, Value: v, By: by}
	if !p.Persist {
		return wrap(point)
	}
	return point
}

// Takes says whether a value can be told to a device as one of kind k.
func (k Kind) Takes(v series.Value) bool { return k.fits(v) }

// Same says whether two values are the same to a board, which has floats of 32 bits.
func Same(a, b series.Value) bool {
	number := func(v series.Value) (float32, bool) {
		switch v.Kind {
		case series.Float:
			return float32(v.Num), true
		case series.Int:
			return float32(v.Int), true
		}
		return 0, false
	}
	switch {
	case a.Kind == series.Int && b.Kind == series.Int:
		return a.Int == b.Int
	case a.Kind == series.Object && b.Kind == series.Object:
		return a.Text == b.Text || sameObject(a.Text, b.Text)
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	return a.Kind == b.Kind && a.Int == b.Int && a.Text == b.Text
}

func sameObject(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return sameJSON(x, y)
}

func sameJSON(a, b any) bool {
	switch x := a.(type) {
	case float64:
		y, ok := b.(float64)
		return ok && float32(x) == float32(y)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for name := range x {
			if other, there := y[name]; !there || !sameJSON(x[name], other) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, sameJSON)
	}
	return a == b
}

// BindSync gives the Service who knows in which group of properties a property is that are kept the same; "" for none.
// It must be called before anything is served, or not at all.
func (s *Service) BindSync(group func(property string) string) { s.group = group }

// Watch has fn called after each change of a thing that is on disk, with the thing as it is then; of one that was
// erased only ID, Space and DeletedAt are there. It must be called before anything is served.
func (s *Service) Watch(fn func(ctx context.Context, t Thing)) { s.watchers = append(s.watchers, fn) }

func (s *Service) changed(ctx context.Context, t Thing) {
	for _, fn := range s.watchers {
		fn(ctx, t)
	}
}

// erasedThing is what Watch tells of a thing that is not there any more.
func (s *Service) erasedThing(space, id string) Thing {
	return Thing{ID: id, Space: space, DeletedAt: s.now()}
}

// lookAgain tells of things that were changed by what was done to something else.
func (s *Service) lookAgain(ctx context.Context, space string, ids ...string) {
	if len(s.watchers) == 0 {
		return
	}
	for _, id := range ids {
		if id == "" {
			continue
		}
		t, err := s.needs.Store.find(ctx, space, id)
		if errors.Is(err, ErrNotFound) {
			t, err = s.erasedThing(space, id), nil
		}
		if err != nil {
			// Who watches keeps to what it knew, which does no harm: it is asked again before anything is told.
			s.needs.Log.ErrorContext(ctx, "a change of a thing could not be looked at", "thing", id, "err", err)
			continue
		}
		s.changed(ctx, t)
	}
}

// Hooked are the living things, in any space, whose webhooks are on.
func (s *Service) Hooked(ctx context.Context) ([]Owned, error) {
	all, err := s.needs.Store.hooked(ctx)
	if err != nil {
		return nil, fmt.Errorf("things with webhooks: %w", err)
	}
	return all, nil
}

// Deliver tells devices and live clients of values that were written to things and are on disk, and counts them for the
// spaces' days. It does not wait: those of things that it would have to look up it gives back, for DeliverLater.
func (s *Service) Deliver(points []series.Point) (rest []series.Point) {
	for from := 0; from < len(points); {
		to := from + 1
		for to < len(points) && points[to].Thing == points[from].Thing {
			to++
		}
		if r, ok := s.routes.byThing.Get(points[from].Thing); ok {
			s.deliver(r, points[from:to])
		} else {
			rest = append(rest, points[from:to]...)
		}
		from = to
	}
	return rest
}

// DeliverLater is Deliver for things that have to be looked up. What is not the last value any more is not told.
func (s *Service) DeliverLater(points []series.Point) error {
	var errs []error
	for _, p := range points {
		r, err := s.routes.of(p.Thing)
		if err != nil {
			errs = append(errs, fmt.Errorf("tell the device of thing %s: %w", p.Thing, err))
			continue
		}
		own, ok := Reading(p)
		if r == nil || !ok {
			continue
		}
		if l := r.byID[own.Series]; l != nil {
			if last, ok := s.last(l.property, l.persist); ok && last.At.After(own.At) {
				continue
			}
		}
		s.deliver(r, []series.Point{p})
	}
	return errors.Join(errs...)
}

func (s *Service) deliver(r *route, kept []series.Point) {
	if r == nil {
		return
	}
	points := make([]series.Point, 0, len(kept))
	for _, p := range kept {
		if own, ok := Reading(p); ok && r.byID[own.Series] != nil {
			points = append(points, own)
		}
	}
	if len(points) == 0 {
		return
	}
	r.meter.Take(len(points), s.now()) // a day that is full is told so by those that write next
	r.doubt(points)                    // lines know of what passed by them only
	s.tell(r, points, true)
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
	return s.set(ctx, r, true, who.ID, []Write{{Property: property, JSON: raw, At: at}})
}
