package thing

import (
	"context"
	"encoding/json"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/series"
)

// A Variable is a living property of a living thing with what there is to show of it.
type Variable struct {
	Property
	ThingName string
	Timezone  string // IANA name
	Device    string // ID of what the thing is attached to; "" for none
	// Last is the last value, as the API writes it; nil while there is none.
	Last   json.RawMessage
	LastAt time.Time
}

// Variables finds those of the given properties that live in a space, with their things and last
// values. Who asks has made sure that they may be seen.
func (s *Service) Variables(ctx context.Context, space string, ids []string) (map[string]Variable, error) {
	found, err := s.needs.Store.properties(ctx, space, ids)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var owners []string
	seen := map[string]bool{}
	for _, p := range found {
		if !seen[p.Thing] {
			seen[p.Thing] = true
			owners = append(owners, p.Thing)
		}
	}
	list, err := s.needs.Store.list(ctx, space, Filter{IDs: owners})
	if err != nil {
		return nil, err
	}
	things := make(map[string]Thing, len(list))
	for _, t := range list {
		things[t.ID] = t
	}
	all := make(map[string]Variable, len(found))
	for id, p := range found {
		t, there := things[p.Thing]
		if !there {
			continue // deleted between the two reads
		}
		v := Variable{Property: p, ThingName: t.Name, Timezone: t.Timezone, Device: t.Device}
		if last, ok := s.last(p.ID, p.Persist); ok {
			v.Last, v.LastAt = appendJSON(nil, last.Value), last.At
		}
		all[id] = v
	}
	return all, nil
}

// Bins are averages of a variable's history, at most limit of them and the oldest first; of a
// boolean, whether it was ever true. ErrNotNumeric and ErrRange say what cannot be asked for.
func (s *Service) Bins(ctx context.Context, space string, v Variable, from, to time.Time, limit int) ([]series.Bin, error) {
	if err := checkRange(from, to); err != nil {
		return nil, err
	}
	how, err := aggregationOf("", v.Type)
	if err != nil {
		return nil, err
	}
	return s.aggregate(ctx, space, v.Property, aggregate{from: from, to: to, interval: binsFor(from, to, limit), limit: limit, aggregation: how})
}

// OffsetAt is how many seconds the local time of a time zone is ahead of UTC, daylight saving
// included, and until when. A zone that is unknown is UTC.
func OffsetAt(timezone string, at time.Time) (seconds int64, until time.Time) {
	zone, err := loadZone(timezone)
	if err != nil {
		zone = time.UTC
	}
	o := offsetAt(zone, at)
	return o.seconds, time.Unix(o.until, 0).UTC()
}

// TemplateID is the friendly ID by which templates name a thing or a dashboard: its name in lower
// case with hyphens, and the last five characters of its ID; cloud-api reference, section 6.11.
func TemplateID(name, id string) string { return slug(name) + "-" + id[max(0, len(id)-5):] }
