package thing

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// A route is what the way of a value needs to know of a thing, in memory. It is
// never changed, except for what its lines remember: a change of the thing makes
// another route.
type route struct {
	space, thing string
	device       string // "" for none
	zone         *time.Location
	meter        *org.Meter       // of the space; nil counts nothing
	lines        []*line          // living properties, by number
	byName       map[string]*line // by variable name, and by name where that is free
	byID         map[string]*line
}

// A line is one property of a route.
type line struct {
	property string // ID
	variable string
	kind     Kind
	writable bool
	persist  bool

	arrived atomic.Int64 // the newest time that arrive gave, µs since 1970

	mu    sync.Mutex
	known bool         // guarded by mu: what follows was looked up or set
	whole whole        // guarded by mu: last value of a composite, with what is still on its way to the disk
	free  series.Value // guarded by mu: the same of a free object
}

func newRoute(t Thing) *route {
	zone, err := loadZone(t.Timezone)
	if err != nil {
		zone = time.UTC // was good when it was kept; the tz database has dropped it
	}
	r := &route{space: t.Space, thing: t.ID, device: t.Device, zone: zone, byName: map[string]*line{}, byID: map[string]*line{}}
	living := t.Living()
	for _, p := range living {
		l := &line{property: p.ID, variable: p.Variable, kind: p.Type.Kind, writable: p.Writable(), persist: p.Persist}
		r.lines = append(r.lines, l)
		r.byName[p.Variable] = l
		r.byID[p.ID] = l
	}
	for i, p := range living {
		// Programs often use the name that people see. A variable name wins over it.
		if _, taken := r.byName[p.Name]; !taken && !reserved(p.Name) && !strings.Contains(p.Name, ":") {
			r.byName[p.Name] = r.lines[i]
		}
	}
	return r
}

// routes remembers routes by their thing and by their device, nothing of which is
// also remembered: a device without a thing asks as often as one with.
type routes struct {
	load  func(ctx context.Context, device, thing string) (Thing, error)
	meter func(ctx context.Context, space string) (*org.Meter, error) // nil: nothing is counted
	// passing is held for reading from the look for a route until history has the
	// values, so that an erase can wait for those that are on their way.
	passing  sync.RWMutex
	byThing  *cache.Map[string, *route]
	byDevice *cache.Map[string, *route]

	mu      sync.Mutex // held while something is remembered or forgotten
	changes int64      // guarded by mu: a route that was read before a change must not be remembered after it
}

// remembered is the least number of things whose routes are kept: those of as many devices
// as the broker lets in. With fewer, devices that speak in turns would have each message wait
// for the database. A route of two properties takes about 1 kB, of ten about 4.
const remembered = 50_000

func newRoutes(load func(ctx context.Context, device, thing string) (Thing, error)) *routes {
	return &routes{load: load, byThing: cache.New[string, *route](remembered), byDevice: cache.New[string, *route](remembered)}
}

// ofDevice is the route of a device's thing, nil when it has none.
func (rs *routes) ofDevice(device string) (*route, error) {
	return rs.get(rs.byDevice, device, device, "")
}

// of is the route of a thing, nil when there is no such living thing.
func (rs *routes) of(thing string) (*route, error) {
	return rs.get(rs.byThing, thing, "", thing)
}

func (rs *routes) get(from *cache.Map[string, *route], key, device, thing string) (*route, error) {
	if r, ok := from.Get(key); ok {
		return r, nil
	}
	ctx, cancel := lookContext()
	defer cancel()
	rs.mu.Lock()
	before := rs.changes
	rs.mu.Unlock()
	t, err := rs.load(ctx, device, thing)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	var r *route
	if err == nil {
		r = newRoute(t)
		if rs.meter != nil {
			if r.meter, err = rs.meter(ctx, t.Space); err != nil {
				return nil, err
			}
		}
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.changes != before {
		return r, nil // true when it was read, and good for this one message
	}
	if r != nil {
		// Two routes of one thing would each remember the last values for themselves.
		if have := rs.byThing.Add(r.thing, func() *route { return r }); have != nil {
			r = have
		} else {
			rs.byThing.Set(r.thing, r)
		}
	}
	from.Set(key, r)
	return r, nil
}

// settle waits until all values have reached history whose route was found before.
func (rs *routes) settle() {
	rs.passing.Lock()
	defer rs.passing.Unlock()
}

// forget drops what is known of things and devices after a change of them.
func (rs *routes) forget(things, devices []string) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.changes++
	for _, id := range things {
		if id != "" {
			rs.byThing.Delete(id)
		}
	}
	for _, id := range devices {
		if id != "" {
			rs.byDevice.Delete(id)
		}
	}
}
