package device

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// The hidden variables of every thing: the time zone.
const (
	tzOffset = "tz_offset"    // seconds east of UTC, summer time included
	tzUntil  = "tz_dst_until" // second since 1970 until which that is so
)

// An EventKind says what happened to the connection.
type EventKind int

// The events, in the order in which they come.
const (
	Failed       EventKind = iota // a connection could not be made; Err says why
	Connected                     // the cloud knows the device
	Attached                      // the device has a thing, named by Thing
	Synced                        // last values were taken over
	Detached                      // the device has no thing any more
	Disconnected                  // the connection was lost; Err says why
)

func (k EventKind) String() string {
	names := [...]string{"failed", "connected", "attached", "synced", "detached", "disconnected"}
	if k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// An Event is something that happened to the connection.
type Event struct {
	Kind  EventKind
	Thing string
	Err   error
}

// Stats count since the client was made.
type Stats struct {
	Connections  int // that the cloud accepted
	Sent         int // values; with QoS 1 also those that were sent again
	Acknowledged int // values, with QoS 1
	Dropped      int // values, because the queue was full
	TooLarge     int // values that fit into no message
	Queued       int // values that wait now, or are not acknowledged
}

// A Client is a device. Make it with New.
type Client struct {
	config   Config
	all      []Property          // the program's and ours
	byName   map[string]Property // all
	offset   *Variable[int64]
	until    *Variable[int64]
	wake     chan struct{} // holds one: some variable may have something to send
	running  chan struct{} // holds one while Run runs
	sampling *time.Timer   // of Run: when the next variable is due

	// Of the goroutine of Run.
	queue      queue
	synced     bool // values may be sent
	everSynced bool // since the program started

	updates updates

	mu    sync.Mutex
	stats Stats // guarded by mu
}

// New checks a device and starts nothing.
func New(c Config) (*Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	client := &Client{
		config: c,
		offset: Int(tzOffset, OnDemand), until: Int(tzUntil, OnDemand),
		byName: map[string]Property{},
		wake:   make(chan struct{}, 1), running: make(chan struct{}, 1),
		queue: queue{limit: c.Queue}, updates: newUpdates(),
	}
	client.all = append(append(client.all, c.Properties...), client.offset, client.until)
	for _, v := range []*Variable[int64]{client.offset, client.until} {
		v.settings.quiet = true
		v.Set(0)
	}
	for _, p := range client.all {
		client.byName[p.Name()] = p
		p.bind(c.Now, client.poke)
	}
	return client, nil
}

// poke tells Run that a variable may have something to send.
func (c *Client) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Stats tells what was done so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

func (c *Client) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
	c.stats.Dropped = c.queue.dropped
	c.stats.Queued = len(c.queue.waiting)
	for _, b := range c.queue.flight {
		c.stats.Queued += len(b.items)
	}
}

// LocalTime is the time in the time zone that the cloud told, UTC before it did.
func (c *Client) LocalTime() time.Time {
	return c.config.Now().In(time.FixedZone("", int(c.offset.Get())))
}

func (c *Client) event(e Event) {
	level := c.config.Log.Info
	if e.Kind == Failed {
		level = c.config.Log.Warn
	}
	if e.Err != nil {
		level("device "+e.Kind.String(), "device", c.config.DeviceID, "thing", e.Thing, "err", e.Err)
	} else {
		level("device "+e.Kind.String(), "device", c.config.DeviceID, "thing", e.Thing)
	}
	if c.config.OnEvent != nil {
		c.config.OnEvent(e)
	}
}

// errRunning is a second Run at the same time.
var errRunning = errors.New("device: the client runs already")

// Run connects and stays connected until ctx ends; then it returns ctx's error, or until another image
// is to run; then it returns ErrReboot. What
// waits in the queue then is sent by the next Run. Only one may run at a time.
func (c *Client) Run(ctx context.Context) error {
	select {
	case c.running <- struct{}{}:
		defer func() { <-c.running }()
	default:
		return errRunning
	}
	c.sampling = time.NewTimer(0)
	defer c.sampling.Stop()
	ctx, stop := context.WithCancel(ctx)
	defer c.updates.work.Wait()
	defer stop()
	c.updates.life = ctx
	first := c.config.Timing.Reconnect
	retry := patience{first: first, most: c.config.Timing.ReconnectMax}
	for {
		calm := time.NewTimer(first)
		answered := c.connect(ctx)
		if c.updates.reboot.Load() {
			return ErrReboot
		}
		lasted := false
		select {
		case <-calm.C:
			lasted = true
		default:
			calm.Stop()
		}
		wait := time.Duration(0)
		switch {
		case !answered:
			wait = retry.next()
		case lasted: // the first try is at once, as boards do
			retry.reset()
		default: // as when two programs with one id drive each other out
			retry.reset()
			wait = first
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// pause waits, and keeps values meanwhile.
func (c *Client) pause(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
			return nil
		case <-c.wake:
			c.collect()
		case <-c.sampling.C:
			c.collect()
		}
	}
}

// connect makes one connection and serves it to its end. answered tells whether the
// cloud answered the question for the thing.
func (c *Client) connect(ctx context.Context) (answered bool) {
	dialing, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := open(dialing, c.config.Dial, c.config.Timing.Dial)
	var d dialed
	for d.conn == nil && d.err == nil {
		select {
		case d = <-answer:
			if d.conn == nil && d.err == nil {
				d.err = errors.New("device: Dial returned nothing")
			}
		case <-c.wake:
			c.collect()
		case <-c.sampling.C:
			c.collect()
		}
		// The end of ctx ends the dialling.
	}
	if d.err != nil {
		if ctx.Err() == nil {
			c.event(Event{Kind: Failed, Err: fmt.Errorf("connect: %w", d.err)})
		}
		return false
	}
	s := newSession(c, d.conn)
	defer s.end()
	if err := s.hello(ctx); err != nil {
		if ctx.Err() == nil {
			c.event(Event{Kind: Failed, Err: err})
		}
		return false
	}
	c.count(func(n *Stats) { n.Connections++ })
	c.event(Event{Kind: Connected})
	err := s.serve(ctx)
	c.synced = false
	c.queue.disconnected()
	c.count(func(*Stats) {})
	c.event(Event{Kind: Disconnected, Thing: s.thing, Err: err})
	return s.answered
}

// collect takes what is due into the queue, if it can be sent or kept, and sets the
// timer for the next.
func (c *Client) collect() {
	now := c.config.Now()
	next := time.Duration(math.MaxInt64)
	for _, p := range c.all {
		if !c.mayTake(p) {
			continue
		}
		for {
			isDue, wait := p.due(now, c.config.Pace)
			if isDue {
				c.queue.add(p.take(now))
				continue // to learn when it is due again
			}
			if wait > 0 {
				next = min(next, wait)
			}
			break
		}
	}
	c.count(func(*Stats) {})
	if next == math.MaxInt64 {
		c.sampling.Stop()
		return
	}
	c.sampling.Reset(next)
}

// mayTake tells whether a value can be sent now, or kept. Before the first last values only what the
// cloud cannot write is kept: the cloud may win over the rest.
func (c *Client) mayTake(p Property) bool {
	if c.synced {
		return true
	}
	return c.config.Queue > 0 && (c.everSynced || p.base().permission == ReadOnly) && !p.base().quiet
}

// patience is how long to wait for the next try: twice as long each time.
type patience struct {
	first, most time.Duration
	count       int
	wait        time.Duration
}

// next counts a try and returns how long to wait before the following one.
func (p *patience) next() time.Duration {
	p.count++
	return p.reload()
}

// reload computes the wait again, after first and most were changed. A wait that would not grow is most.
func (p *patience) reload() time.Duration {
	d := p.first
	for n := 1; n < p.count && d < p.most; n++ {
		d *= 2
	}
	if d <= p.wait {
		d = p.most
	}
	p.wait = min(d, p.most)
	return p.wait
}

func (p *patience) reset() { p.count, p.wait = 0, 0 }
