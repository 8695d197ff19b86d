package fault

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A clerk writes over HTTP all the time, and remembers what was answered with success.
type clerk struct {
	t      *testing.T
	key    servertest.Key
	api    atomic.Pointer[client.Client]
	thing  client.Thing
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	things map[string]string // guarded by mu; names by id, of those that were made
	values map[int64]any     // guarded by mu; by ms since 1970
}

// newClerk puts one to work.
func newClerk(t *testing.T, h house) *clerk {
	t.Helper()
	_, key := h.Person("clerk@example.org")
	c := &clerk{t: t, key: key, things: map[string]string{}, values: map[int64]any{}}
	c.find(h)
	c.owner().do("PUT", "/iot/v2/things", map[string]any{"name": "register", "properties": []any{
		map[string]any{"name": "entry", "type": "INT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &c.thing)
	var ctx context.Context
	ctx, c.cancel = context.WithCancel(context.Background())
	c.work.Go(func() { c.write(ctx) })
	t.Cleanup(c.rest)
	return c
}

// find tells the clerk where the house is.
func (c *clerk) find(h house) { c.api.Store(h.Client(c.key)) }

func (c *clerk) owner() *owner { return &owner{c.t, c.key, c.api.Load()} }

// rest ends the work.
func (c *clerk) rest() {
	c.cancel()
	c.work.Wait()
}

// write does one thing after the other, within the limits of a key, and does not mind failures.
func (c *clerk) write(ctx context.Context) {
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	entries := "/iot/v2/things/" + c.thing.ID + "/properties/" + c.thing.Properties[0].ID + "/publish_batch"
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		api, at := c.api.Load(), time.Now().UTC().Truncate(time.Millisecond)
		if api.Do(ctx, "PUT", entries, []any{map[string]any{"timestamp": at, "value": n}}, nil) == nil {
			c.mu.Lock()
			c.values[at.UnixMilli()] = float64(n)
			c.mu.Unlock()
		}
		if n%4 != 0 {
			continue
		}
		var th client.Thing
		if api.Do(ctx, "PUT", "/iot/v2/things", map[string]any{"name": fmt.Sprint("page ", n)}, &th) == nil {
			c.mu.Lock()
			c.things[th.ID] = th.Name
			c.mu.Unlock()
		}
	}
}

// check complains about what is missing of that which was answered with success.
func (c *clerk) check() {
	c.t.Helper()
	o := c.owner()
	c.mu.Lock()
	things, values := maps.Clone(c.things), history{"entry": maps.Clone(c.values)}
	c.mu.Unlock()
	o.stored(c.thing).missing(c.t, "written over HTTP and not stored", values)
	var all []client.Thing
	o.do("GET", "/iot/v2/things", nil, &all)
	got := map[string]string{}
	for _, th := range all {
		got[th.ID] = th.Name
	}
	for id, name := range things {
		if got[id] != name {
			c.t.Errorf("thing %s was made as %q and is %q", id, name, got[id])
		}
	}
	if len(things) == 0 || values.len() == 0 {
		c.t.Errorf("the clerk made only %d things and %d entries", len(things), values.len())
	}
	c.t.Logf("%d things and %d values that were written over HTTP are there", len(things), values.len())
}
