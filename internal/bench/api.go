package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// What a space has whose API is asked.
const (
	apiThings     = 100
	apiProperties = 20
	apiClients    = 8
)

// A furnished house has a space of its own with things, of which the first has a day of history.
type furnished struct {
	*house
	things []client.Thing
	from   time.Time
}

// apis measures requests to the API, the same on the embedded database and on PostgreSQL, in turns.
func (b *bench) apis(ctx context.Context) error {
	progress("API: a second house, on PostgreSQL")
	database, err := dbtest.Lasting(dbtest.Durable())
	if err != nil {
		return err
	}
	var sides [2]*furnished
	for i, c := range []struct{ name, database string }{{"embedded", ""}, {"postgres", database}} {
		// Both are new, so that they have the same.
		h, err := newHouse(ctx, filepath.Join(filepath.Dir(b.house.dir), c.name), c.database)
		if err != nil {
			return err
		}
		defer h.program.stop()
		progress("API: %d things with %d properties each, and a day of history, %s", apiThings, apiProperties, c.name)
		if sides[i], err = furnish(ctx, h); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		name string
		ask  func(f *furnished, client int) func() error
	}{
		{fmt.Sprintf("`GET /iot/v2/things?show_properties=true`, %d things × %d properties", apiThings, apiProperties), func(f *furnished, _ int) func() error { return f.list(ctx) }},
		{"`PUT …/properties/{pid}/publish`", func(f *furnished, i int) func() error { return f.publish(ctx, i) }},
		{fmt.Sprintf("`POST /iot/v2/series/batch_query`, %d series × 24 h of one value a second, 300 averages each", apiProperties), func(f *furnished, _ int) func() error { return f.query(ctx) }},
	} {
		progress("API: %s", c.name)
		var all [2][]result
		for range b.rounds {
			for i, f := range sides {
				r, err := b.drive(f.house, apiClients, func(i int) (func() error, func()) { return c.ask(f, i), func() {} })
				if err != nil {
					return err
				}
				all[i] = append(all[i], r)
			}
		}
		b.report.api(c.name, all[0], all[1])
	}
	return nil
}

// furnish makes the things, and sends a day's values of the first.
func furnish(ctx context.Context, h *house) (*furnished, error) {
	f := &furnished{house: h, things: make([]client.Thing, apiThings), from: time.Now().Truncate(time.Second).Add(-24 * time.Hour)}
	one, err := h.enroll(ctx, 0, false, new(atomic.Int64))
	if err != nil {
		return nil, err
	}
	h.boards = append(h.boards, one)
	if err := h.api.Do(ctx, "DELETE", "/iot/v2/things/"+one.thing+"?force=true", nil, nil); err != nil {
		return nil, err
	}
	var failed errs
	each(apiThings, apiClients, func(i int) {
		in := map[string]any{"name": "Room " + strconv.Itoa(i)}
		if i == 0 {
			in["device_id"] = one.id
		}
		var all []any
		for p := range apiProperties {
			all = append(all, map[string]any{"name": "p" + strconv.Itoa(p), "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE", "persist": true})
		}
		in["properties"] = all
		if err := h.api.Do(ctx, "PUT", "/iot/v2/things", in, &f.things[i]); err != nil {
			failed.add(err)
		}
	})
	if err := failed.first(); err != nil {
		return nil, err
	}
	return f, f.day()
}

// day sends what all properties of the first thing were each second of a day.
func (f *furnished) day() error {
	k, err := f.dial(0, false, 512)
	if err != nil {
		return err
	}
	defer k.Close()
	const pack = 20 // seconds
	rng := rand.New(rand.NewPCG(24, 2))
	var records []senml.Record
	for s := range daySeconds {
		for p := range apiProperties {
			v := 21 + 4*math.Sin(2*math.Pi*float64(s)/daySeconds+float64(p)) + rng.NormFloat64()*0.05
			records = append(records, senml.Record{Name: "p" + strconv.Itoa(p), Kind: senml.Float, Num: v, At: float64(f.from.Unix() + int64(s))})
		}
		if s%pack < pack-1 && s < daySeconds-1 {
			continue
		}
		if err := k.publish("/a/t/"+f.things[0].ID+"/e/o", 1, senml.Append(nil, records)); err != nil {
			return err
		}
		if _, err := k.ack(); err != nil {
			return err
		}
		records = records[:0]
	}
	return nil
}

func (f *furnished) list(ctx context.Context) func() error {
	return func() error {
		var out []client.Thing
		if err := f.api.Do(ctx, "GET", "/iot/v2/things?show_properties=true", nil, &out); err != nil {
			return err
		}
		if len(out) != apiThings || len(out[apiThings-1].Properties) != apiProperties {
			return fmt.Errorf("%d things were listed", len(out))
		}
		return nil
	}
}

// publish writes the properties of client i's own thing in turn.
func (f *furnished) publish(ctx context.Context, i int) func() error {
	th, n := f.things[1+i], 0
	return func() error {
		n++
		return f.api.Do(ctx, "PUT", "/iot/v2/things/"+th.ID+"/properties/"+th.Properties[n%apiProperties].ID+"/publish", map[string]any{"value": n}, nil)
	}
}

func (f *furnished) query(ctx context.Context) func() error {
	const bins, interval = 300, 288
	var all []any
	for _, p := range f.things[0].Properties {
		all = append(all, map[string]any{"q": "property." + p.ID, "from": f.from, "to": f.from.Add(24 * time.Hour), "interval": interval, "aggregation": "AVG", "series_limit": bins + 1})
	}
	in := map[string]any{"requests": all}
	return func() error {
		var out struct {
			Responses []struct{ Values []float64 }
		}
		if err := f.api.Do(ctx, "POST", "/iot/v2/series/batch_query", in, &out); err != nil {
			return err
		}
		if len(out.Responses) != apiProperties || len(out.Responses[apiProperties-1].Values) < bins {
			return fmt.Errorf("asked for %d × %d bins, got %d series", apiProperties, bins, len(out.Responses))
		}
		return nil
	}
}
