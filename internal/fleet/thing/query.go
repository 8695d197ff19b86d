package thing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrNotNumeric is a question for an average of what is no number.
	ErrNotNumeric = problem.New(problem.Invalid, "not-numeric", "Values of this property are no numbers. Use batch_query_sampling or batch_query_raw.")
	// ErrAggregation is a way of aggregating that does not exist.
	ErrAggregation = problem.New(problem.Invalid, "invalid-aggregation", "An aggregation is one of AVG, MIN, MAX, SUM, COUNT, PCT_99, PCT_95, PCT_90, PCT_75, PCT_50, PCT_15, PCT_5, BOOL_OR, BOOL_AND.")
	// ErrRange is a stretch of time that ends before it begins, or an interval that is too short.
	ErrRange = problem.New(problem.Invalid, "invalid-range", "A range ends after it begins, between 1842-01-01 and 2242-01-01, and an interval is at least a second.")
	// ErrTarget is a query for something else than a property or a thing.
	ErrTarget = problem.New(problem.Invalid, "invalid-target", "A query is about property.<id> or thing.<id>.")
	// ErrBudget is the rest of a batch that asks for more than one answer can hold.
	ErrBudget = problem.New(problem.TooLarge, "batch-too-large", "The answer would be too large. Ask for the rest in another batch.")
)

// Bounds of an answer, in values; cloud-api reference, section 6.9.
const (
	binsDefault = 300
	binsMax     = 1000
	rawDefault  = 1000
	rawMax      = 1000
	thingMax    = 10_000 // of each property, in a query about a whole thing
	// batchBudget bounds the values of all answers of a batch together; each takes
	// about 60 bytes on the wire.
	batchBudget = 200_000
)

const (
	intervalMax     = 86_400 * time.Second
	sampleMin       = 60 * time.Second
	sampleDefault   = 300 * time.Second
	sampleWindow    = 24 * time.Hour
	timeseriesSpan  = 14 * 24 * time.Hour
	timeseriesLimit = 1000
)

// targets are the properties that the queries of one batch are about.
type targets struct {
	properties map[string]Property
	things     map[string]Thing
	spaces     map[string]string // of properties that are lent, by their ID
}

// space is where a property is that who may ask for.
func (t targets) space(p Property, own string) string {
	if lent, ok := t.spaces[p.ID]; ok {
		return lent
	}
	return own
}

// A target is what one query is about.
type target struct {
	whole bool // a thing
	all   []Property
}

// lookUp finds what all queries of a batch are about, in two looks at the database.
func (s *Service) lookUp(ctx context.Context, who access.Actor, queries []string) (targets, error) {
	t := targets{things: map[string]Thing{}, spaces: map[string]string{}}
	if err := ours(who); err != nil {
		return t, err
	}
	var properties, things []string
	for _, q := range queries {
		if kind, id, ok := parseTarget(q); ok && kind == "property" {
			properties = append(properties, id)
		} else if ok {
			things = append(things, id)
		}
	}
	var err error
	if t.properties, err = s.needs.Store.properties(ctx, who.Space, properties); err != nil {
		return t, err
	}
	if err := s.borrow(ctx, who, &t, properties); err != nil {
		return t, err
	}
	if len(things) == 0 {
		return t, nil
	}
	list, err := s.needs.Store.list(ctx, who.Space, Filter{IDs: things, Properties: true})
	for _, one := range list {
		t.things[one.ID] = one
	}
	return t, err
}

func parseTarget(q string) (kind, id string, ok bool) {
	kind, id, _ = strings.Cut(q, ".")
	id = strings.ToLower(id)
	return kind, id, (kind == "property" || kind == "thing") && topic.IsID(id)
}

// of finds the properties of one query.
func (t targets) of(q string) (target, error) {
	kind, id, ok := parseTarget(q)
	if !ok {
		return target{}, ErrTarget
	}
	if kind == "thing" {
		thing, found := t.things[id]
		if !found {
			return target{}, ErrNotFound
		}
		return target{whole: true, all: thing.Living()}, nil
	}
	p, found := t.properties[id]
	if !found {
		return target{}, ErrPropertyNotFound
	}
	return target{all: []Property{p}}, nil
}

// clamp is what a client gets who asks for limit values: official clients ask for
// more than there may be.
func clamp(limit *int64, standard, most int64, t target) int {
	n := standard
	if limit != nil && *limit > 0 {
		n = *limit
	}
	if t.whole {
		most = thingMax
	}
	return int(min(n, most))
}

// binsFor is the shortest interval, in whole seconds, that gives at most n bins from one time to another. They may lie
// further apart than a Duration is long.
func binsFor(from, to time.Time, n int) time.Duration {
	seconds := (to.UnixMicro() - from.UnixMicro() + 999_999) / 1_000_000
	return time.Duration(max(1, (seconds+int64(n)-1)/int64(n))) * time.Second
}

// An aggregate is a question for bins of one property.
type aggregate struct {
	from, to    time.Time
	interval    time.Duration
	limit       int
	aggregation series.Aggregation
	desc        bool
}

// aggregationOf reads the name of an aggregation; "" is what suits the type.
func aggregationOf(name string, t *Type) (series.Aggregation, error) {
	if name == "" {
		if t.Kind == Bool {
			return series.BoolOr, nil
		}
		return series.Avg, nil
	}
	a, ok := series.ParseAggregation(name)
	if !ok {
		return 0, ErrAggregation
	}
	return a, nil
}

func (s *Service) aggregate(ctx context.Context, space string, p Property, a aggregate) ([]series.Bin, error) {
	if !p.Type.Kind.numeric() {
		return nil, ErrNotNumeric
	}
	bins, err := s.needs.Series.Aggregate(ctx, series.Query{Series: p.ID, Space: space, From: a.from, To: a.to, Limit: a.limit,
		Desc: a.desc, Interval: a.interval, Aggregation: a.aggregation})
	if err != nil {
		return nil, fmt.Errorf("aggregate property %s: %w", p.ID, err)
	}
	return bins, nil
}

// checkRange says whether a stretch of time can be asked for.
func checkRange(from, to time.Time) error {
	if from.Before(series.Earliest) || to.After(series.Latest) || to.Before(from) {
		return ErrRange
	}
	return nil
}

// statusOf is the word by which one query of a batch failed, and why. What is our
// own fault fails the whole batch.
func statusOf(err error) (status, message string, fatal error) {
	p := problem.Of(err)
	switch p.Kind {
	case problem.NotFound:
		return "not_found", p.Detail, nil
	case problem.Invalid:
		return "invalid", p.Detail, nil
	case problem.TooLarge:
		return "too_large", p.Detail, nil
	}
	return "", "", err
}
