package thing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrNoTarget is a question for rows of nothing.
	ErrNoTarget = problem.New(problem.Invalid, "no-target", "Say whose values: property=ID, or thing=ID and perhaps name=VARIABLE. Each may be repeated.")
	// ErrTooManyRows is a question whose answer would be too large.
	ErrTooManyRows = problem.New(problem.TooLarge, "too-many-rows", "An answer has at most "+strconv.Itoa(rowsMax)+" rows of at most "+strconv.Itoa(rowProperties)+
		" properties, and 16 MiB of texts. Ask for fewer properties, for less time, for a longer interval, or for fewer points.")
	// ErrTooManyBins is an interval that is too short for the time that is asked for.
	ErrTooManyBins = problem.New(problem.Invalid, "too-many-bins", "The interval is too short for so much time. Ask for a longer one, or for less time.")
)

// Bounds of an answer in rows.
const (
	rowsMax       = 100_000  // of all properties together; each takes about 100 bytes on the wire
	rowsText      = 16 << 20 // bytes of texts and objects in them
	rowProperties = 100      // as many as a thing has
	pointsDefault = 1000     // of each property: about what a screen shows
	pointsMax     = 10_000
	pointsText    = 1000         // of one whose values may be long
	rowSpan       = sampleWindow // where no time is said
)

// howLast is the aggregation that takes the last value of each interval, of whatever type.
const howLast = "LAST"

// A rowsQuery is a question for values of several properties as rows.
type rowsQuery struct {
	properties, things []string // IDs
	names              []string // of the things' properties, by ID, variable name or name; none is all
	from, to           time.Time
	interval           time.Duration // 0: as they came, or as short as makes that many points
	how                string        // name of an aggregation, howLast, or "": what suits the type
	points             int           // at most, of each property
}

// binned says whether values are put together in intervals.
func (q *rowsQuery) binned() bool { return q.interval > 0 || q.how != "" }

// of is how many points q asks for of a property.
func (q *rowsQuery) of(p *Property) int {
	if p.Type.Kind == Text || p.Type.Kind == Free {
		return min(q.points, pointsText)
	}
	return q.points
}

// A row is a value of one of the properties that were asked for.
type row struct {
	of    int // which
	at    time.Time
	value series.Value
}

// A rowsAnswer is the properties that a question is about, and their values in the order of time.
type rowsAnswer struct {
	q          rowsQuery
	who        access.Actor
	properties []Property
	targets    targets
	rows       []row
	text       int // bytes in rows
}

// rows answers a question. Of values as they came those are told that are the newest, where there are more than points.
func (s *Service) rows(ctx context.Context, who access.Actor, q rowsQuery) (*rowsAnswer, error) {
	if len(q.properties)+len(q.things) == 0 {
		return nil, ErrNoTarget
	}
	if len(q.properties)+len(q.things) > rowProperties {
		return nil, ErrTooManyRows
	}
	a := &rowsAnswer{q: q, who: who}
	if err := s.aim(ctx, a); err != nil {
		return nil, err
	}
	for i := range a.properties {
		if err := s.addRows(ctx, a, i); err != nil {
			return nil, fmt.Errorf("rows of property %s: %w", a.properties[i].ID, err)
		}
		if len(a.rows) > rowsMax || a.text > rowsText {
			return nil, ErrTooManyRows
		}
	}
	slices.SortStableFunc(a.rows, func(a, b row) int { return a.at.Compare(b.at) })
	return a, nil
}

// aim finds the properties that a is about, each once, and their things.
func (s *Service) aim(ctx context.Context, a *rowsAnswer) (err error) {
	var queries []string
	for _, id := range a.q.properties {
		queries = append(queries, "property."+id)
	}
	for _, id := range a.q.things {
		queries = append(queries, "thing."+id)
	}
	if a.targets, err = s.lookUp(ctx, a.who, queries); err != nil {
		return err
	}
	named := make([]bool, len(a.q.names))
	for _, text := range queries {
		t, err := a.targets.of(text)
		if err != nil {
			return err
		}
		some := t.all
		switch {
		case t.whole && len(a.q.names) > 0:
			some = nil
			for i, name := range a.q.names {
				if p := called(t.all, name); p != nil {
					some, named[i] = append(some, *p), true
				}
			}
		case t.whole && a.q.how != "" && a.q.how != howLast: // nobody named those that have no such thing
			some = slices.DeleteFunc(some, func(p Property) bool { return !p.Type.Kind.numeric() })
		}
		for _, p := range some {
			if slices.ContainsFunc(a.properties, func(had Property) bool { return had.ID == p.ID }) {
				continue
			}
			if len(a.properties) == rowProperties {
				return ErrTooManyRows
			}
			a.properties = append(a.properties, p)
		}
	}
	if slices.Contains(named, false) { // things that are asked together need not all have it, but one must
		return ErrPropertyNotFound
	}
	return s.nameThings(ctx, a)
}

// nameThings finds the things of a's properties that nobody has asked for by their IDs: their names stand in rows.
func (s *Service) nameThings(ctx context.Context, a *rowsAnswer) error {
	missing := map[string][]string{} // by space
	for _, p := range a.properties {
		space := a.targets.space(p, a.who.Space)
		if _, known := a.targets.things[p.Thing]; !known && !slices.Contains(missing[space], p.Thing) {
			missing[space] = append(missing[space], p.Thing)
		}
	}
	for space, ids := range missing {
		list, err := s.needs.Store.list(ctx, space, Filter{IDs: ids})
		if err != nil {
			return fmt.Errorf("things of rows: %w", err)
		}
		for _, one := range list {
			a.targets.things[one.ID] = one
		}
	}
	return nil
}

// addRows adds the rows of the property with the number of.
func (s *Service) addRows(ctx context.Context, a *rowsAnswer, of int) error {
	p, q := &a.properties[of], &a.q
	ask := series.Query{Series: p.ID, Space: a.targets.space(*p, a.who.Space), From: q.from, To: q.to, Limit: q.of(p)}
	if !q.binned() {
		ask.Desc = true
		points, err := s.needs.Series.Raw(ctx, ask)
		slices.Reverse(points)
		a.add(of, points)
		return err
	}
	if ask.Interval = q.interval; ask.Interval == 0 {
		ask.Interval = binsFor(q.from, q.to, ask.Limit)
	}
	if err := checkBins(ask, *p); err != nil {
		return err
	}
	ask.Limit++ // a range that does not begin with a bin has a part of one more
	if q.how == howLast || q.how == "" && !p.Type.Kind.numeric() {
		points, err := s.needs.Series.Sample(ctx, ask)
		a.add(of, points)
		return err
	}
	how, err := aggregationOf(q.how, p.Type)
	if err != nil {
		return err
	}
	bins, err := s.aggregate(ctx, ask.Space, *p, aggregate{from: ask.From, to: ask.To, interval: ask.Interval, limit: ask.Limit, aggregation: how})
	for _, one := range bins {
		a.rows = append(a.rows, row{of, one.At, series.Value{Kind: series.Float, Num: one.Value}})
	}
	return err
}

func (a *rowsAnswer) add(of int, points []series.Point) {
	for _, one := range points {
		a.rows = append(a.rows, row{of, one.At, one.Value})
		a.text += len(one.Value.Text)
	}
}

// checkBins says whether what is asked for has more bins than there may be.
func checkBins(q series.Query, p Property) error {
	width, span := q.Interval.Microseconds(), q.To.UnixMicro()-q.From.UnixMicro()
	if bins := (span + width - 1) / width; bins > int64(q.Limit) {
		return ErrTooManyBins.With(fmt.Sprintf("So much time has %d intervals of %v, and an answer at most %d of %s. Ask for less time, or for interval=%d or more.",
			bins, q.Interval, q.Limit, p.Variable, int64(binsFor(q.From, q.To, q.Limit)/time.Second)))
	}
	return nil
}
