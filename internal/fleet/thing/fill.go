package thing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// Bounds of one call of Fill.
const (
	// MaxFill is how many values it takes.
	MaxFill = 10_000
	// fillRead is how many values that are there it compares with; what lies behind them is written
	// without a look, over an equal instant. Who fills from the oldest to the newest never gets there.
	fillRead = 4 * MaxFill
)

// A Past is one value that a property had elsewhere.
type Past struct {
	At   time.Time
	JSON json.RawMessage
}

// Filled is what became of the values of one call of Fill. Each is counted once.
type Filled struct {
	Written  int
	Same     int       // were there already
	Occupied int       // another value was there at that instant, and stays
	Expired  int       // older than the space keeps values
	Refused  []Refusal // in order; the others are kept all the same
}

// A Refusal is a value that the property cannot hold.
type Refusal struct {
	Index int // among those that were given
	Why   *problem.Problem
}

// Fill puts values of the past into the history of a property, for a history that was kept elsewhere.
// Each value stands by itself: one that cannot be kept is told, and does not keep others out. Where
// there is a value already it stays, so that a call that is repeated changes nothing. When Fill
// returns, what it counts as written is on disk.
//
// Nobody is told of the values: no device, live client, webhook or trigger, because what they say
// happened long ago. They count as values of today for the space's quota. Of a property without history
// only the newest is kept, if it is newer than the last value.
func (s *Service) Fill(ctx context.Context, who access.Actor, thing, property string, values []Past) (Filled, error) {
	s.routes.passing.RLock()
	defer s.routes.passing.RUnlock()
	r, err := s.routeOf(who, thing)
	if err != nil {
		return Filled{}, err
	}
	l := r.byID[property]
	if l == nil {
		return Filled{}, ErrPropertyNotFound
	}
	if len(values) > MaxFill {
		return Filled{}, ErrTooManyValues.With(fmt.Sprintf("A batch has at most %d values.", MaxFill))
	}
	now := s.now()
	floor, err := s.fillFloor(ctx, r.space, now)
	if err != nil {
		return Filled{}, err
	}
	var done Filled
	points := make([]series.Point, 0, len(values))
	for i, v := range values {
		p := series.Point{Series: l.property, Thing: r.thing, Space: r.space, At: v.At.UTC().Truncate(time.Microsecond)}
		switch {
		case p.At.Before(clockSet), p.At.After(now.Add(maxAhead)):
			err = ErrTime
		case p.At.Before(floor):
			done.Expired++
			continue
		default:
			p.Value, err = l.kind.ReadPast(v.JSON, MaxText)
		}
		if err != nil {
			done.Refused = append(done.Refused, Refusal{i, problem.Of(err)})
			continue
		}
		points = append(points, p)
	}
	slices.SortStableFunc(points, func(a, b series.Point) int { return a.At.Compare(b.At) })
	if l.persist {
		points, err = s.missing(ctx, l, points, &done)
	} else {
		points = s.newest(l, points, &done)
	}
	if err != nil || len(points) == 0 {
		return done, err
	}
	if !r.meter.Take(len(points), now) {
		s.counts.over.Add(int64(len(points)))
		return Filled{}, r.meter.Refusal(now)
	}
	if err := s.needs.Series.Fill(ctx, s.kept(r, points)); err != nil {
		s.counts.failed.Add(1)
		r.doubt(points) // when ctx ended they may come to be
		return Filled{}, fmt.Errorf("fill the series of property %s: %w", l.property, err)
	}
	r.doubt(points) // one of them may be the last value now
	done.Written = len(points)
	return done, nil
}

// fillFloor is the first instant that a space still keeps.
func (s *Service) fillFloor(ctx context.Context, space string, now time.Time) (time.Time, error) {
	age, err := s.needs.Series.Age(ctx, space)
	if err != nil || age <= 0 {
		return time.Time{}, err
	}
	return now.Add(-age), nil
}

// missing are those points, which are in order of time, whose instant is free, each once.
func (s *Service) missing(ctx context.Context, l *line, points []series.Point, done *Filled) ([]series.Point, error) {
	if len(points) == 0 {
		return nil, nil
	}
	there := map[int64]series.Value{}
	first, last := points[0], points[len(points)-1]
	if newest, ok := s.needs.Series.Last(l.property); ok && !newest.At.Before(first.At) {
		old, err := s.needs.Series.Raw(ctx, series.Query{Series: l.property, Space: first.Space, From: first.At, To: last.At.Add(time.Microsecond), Limit: fillRead})
		if err != nil {
			return nil, fmt.Errorf("look for values of property %s: %w", l.property, err)
		}
		for _, p := range old {
			there[p.At.UnixMicro()] = p.Value
		}
	}
	free := points[:0]
	for _, p := range points {
		at := p.At.UnixMicro()
		switch v, taken := there[at]; {
		case !taken:
			there[at] = p.Value
			free = append(free, p)
		case v == p.Value:
			done.Same++
		default:
			done.Occupied++
		}
	}
	return free, nil
}

// newest is the last of points, which are in order of time, if it is newer than the last value of a
// property without history. The others count as expired: nothing keeps them.
func (s *Service) newest(l *line, points []series.Point, done *Filled) []series.Point {
	if len(points) == 0 {
		return nil
	}
	p := points[len(points)-1]
	done.Expired += len(points) - 1
	switch last, ok := s.last(l.property, false); {
	case !ok || last.At.Before(p.At):
		return []series.Point{p}
	case last.At.Equal(p.At) && last.Value == p.Value:
		done.Same++
	case last.At.Equal(p.At):
		done.Occupied++
	default:
		done.Expired++
	}
	return nil
}
