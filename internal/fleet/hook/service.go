package hook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/base/webhook"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same
// transaction as its change, unless it is nil; nil means that all is on disk.
type Store interface {
	add(ctx context.Context, h Hook, most int, e *journal.Entry) error // at most so many of one device
	find(ctx context.Context, space, id string) (Hook, error)
	ofThing(ctx context.Context, space, thing string) (Hook, error)
	ofDevice(ctx context.Context, space, device string) ([]Hook, error)
	// change changes a webhook by act; with clear what waits goes.
	change(ctx context.Context, space, id string, act func(h *Hook) (e *journal.Entry, clear bool, err error)) (Hook, error)
	remove(ctx context.Context, id string, e *journal.Entry) error // it may not be there
	eraseSpace(ctx context.Context, space string, e journal.Entry) ([]string, error)

	runStore
}

// runStore is what the engine and the lane need of a database.
type runStore interface {
	every(ctx context.Context) ([]Hook, error) // without those whose key was destroyed
	position(ctx context.Context) (int64, error)
	// queue adds events and how far values were looked at, all of it or nothing, and says how many events it dropped for lack of room.
	queue(ctx context.Context, seq int64, rows []event) (dropped int64, err error)
	// due are webhooks that have something to tell now.
	due(ctx context.Context, now int64, most int) ([]owned, error)
	oldest(ctx context.Context, id string, most int) ([]waiting, error)
	tried(ctx context.Context, x try) error
}

// owned is the ID of a webhook, and that of its space.
type owned struct{ id, space string }

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Thing(ctx context.Context, space, id string) (keys.Sealer, error)
	Device(ctx context.Context, space, id string) (keys.Sealer, error)
}

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
	List(ctx context.Context, who access.Actor, f thing.Filter) ([]thing.Thing, error)
	Update(ctx context.Context, who access.Actor, id string, steal bool, fn func(t *thing.Thing) error) (thing.Thing, error)
	Hooked(ctx context.Context) ([]thing.Owned, error)
	Watch(fn func(ctx context.Context, t thing.Thing))
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
}

// Needs are what a Service is made of. All must be there.
type Needs struct {
	Store   Store
	Keys    Keys
	Things  Things
	Devices Devices
	// Tap begins to follow values behind a commit: series.Service.Tap.
	Tap func(ctx context.Context, after, floor int64, watched func(thing, series string) bool) (*series.Tap, error)
	// Letter sends one to a person: post.Service.Send.
	Letter func(ctx context.Context, l post.Letter) error
	// Member says whether somebody is one of a space.
	Member func(ctx context.Context, space, user string) (bool, error)
	// Web is a client for addresses that users chose, and which may be anybody's: it must not reach
	// what the operator has not allowed, and not follow redirects.
	Web    *http.Client
	Now    func() time.Time
	Log    *slog.Logger
	Config Config
}

// Config is what an operator may change. Zero is the default of each field.
type Config struct {
	Retry time.Duration // first pause after a try that failed, doubled each time up to half an hour; 5 seconds
	Tick  time.Duration // how often is looked whose time has come; 1 second
}

func (c Config) withDefaults() Config {
	if c.Retry <= 0 {
		c.Retry = 5 * time.Second
	}
	if c.Tick <= 0 {
		c.Tick = time.Second
	}
	return c
}

// A ref is a webhook in memory. It never changes.
type ref struct {
	id, space, thing, device string
	url                      string
	active                   bool
	since                    int64
}

// A Service knows the webhooks of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs Needs
	cfg   Config
	tap   *series.Tap
	wake  chan struct{} // holds a word when an event waits

	looking sync.Mutex // held while a webhook is changed and put into memory, so that the newest is put last

	mu      sync.RWMutex
	hooks   map[string]*ref            // guarded by mu; by ID
	ofThing map[string]*ref            // guarded by mu
	of      map[string]map[string]*ref // guarded by mu; by device and ID
	device  map[string]string          // guarded by mu; by thing: its device, where that has webhooks
	stale   map[string]string          // guarded by mu; things that could not be looked at, with their space
	deaf    map[string]string          // guarded by mu; devices with webhooks whose things could not be found, with their space

	counts struct{ queued, delivered, failed, dropped, dead atomic.Uint64 }
	// cut is asked after each step of an event; an error ends it there, as a power cut would. For tests.
	cut func(step string) error
}

// Counts are what happened since the start.
type Counts struct {
	Queued    uint64 // events
	Delivered uint64
	Failed    uint64 // tries that were not taken
	Dropped   uint64 // events that did not fit in a queue
	Dead      uint64 // that nobody took in a day
}

// New reads all webhooks and begins to follow the values of their things. Run comes next; history must not run before New.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Store == nil || needs.Keys == nil || needs.Things == nil || needs.Devices == nil || needs.Tap == nil || needs.Letter == nil || needs.Member == nil ||
		needs.Web == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("webhooks need Store, Keys, Things, Devices, Tap, Letter, Member, Web, Now and Log")
	}
	s := &Service{
		needs: needs, cfg: needs.Config.withDefaults(), wake: make(chan struct{}, 1), hooks: map[string]*ref{}, ofThing: map[string]*ref{}, of: map[string]map[string]*ref{},
		device: map[string]string{}, stale: map[string]string{}, deaf: map[string]string{}, cut: func(string) error { return nil },
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	needs.Things.Watch(s.changed)
	return s, nil
}

// open reads what there is, and looks at all things that a webhook may be on: a kill may have come between the change of a thing and ours.
func (s *Service) open(ctx context.Context) error {
	position, err := s.needs.Store.position(ctx)
	if err != nil {
		return fmt.Errorf("how far values were looked at for webhooks: %w", err)
	}
	all, err := s.needs.Store.every(ctx)
	if err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	floor := position // numbers up to here were in use, also when history is an older archive than the webhooks
	for _, h := range all {
		floor = max(floor, h.Since)
	}
	if s.tap, err = s.needs.Tap(ctx, position, floor, s.watched); err != nil {
		return err
	}
	devices := map[string][]string{} // by space
	for _, h := range all {
		s.place(h.ID, &h)
		if h.Device != "" && !slices.Contains(devices[h.Space], h.Device) {
			devices[h.Space] = append(devices[h.Space], h.Device)
		}
	}
	hooked, err := s.needs.Things.Hooked(ctx)
	if err != nil {
		return err
	}
	things := map[thing.Owned]bool{}
	for _, t := range hooked {
		things[t] = true
	}
	for _, h := range all {
		if h.Thing != "" {
			things[thing.Owned{Thing: h.Thing, Space: h.Space}] = true
		}
	}
	for t := range things {
		if err := s.lookUp(ctx, t.Space, t.Thing); err != nil {
			return err
		}
	}
	for space, ids := range devices {
		if err := s.attached(ctx, space, ids); err != nil {
			return err
		}
	}
	return nil
}

// attached finds the things of devices that have webhooks.
func (s *Service) attached(ctx context.Context, space string, devices []string) error {
	all, err := s.needs.Things.List(ctx, system(space), thing.Filter{Devices: devices})
	if errors.Is(err, keys.ErrErased) {
		return nil // the erasure of the space goes on
	}
	if err != nil {
		return fmt.Errorf("things of devices with webhooks: %w", err)
	}
	s.mu.Lock()
	for _, t := range all {
		s.device[t.ID] = t.Device
	}
	s.mu.Unlock()
	s.tap.Changed()
	return nil
}

// hear finds the thing of a device with webhooks, or has it looked for again.
func (s *Service) hear(ctx context.Context, space, device string) error {
	err := s.attached(ctx, space, []string{device})
	if err != nil {
		s.mu.Lock()
		s.deaf[device] = space
		s.mu.Unlock()
	}
	return err
}

// Counts tells what was done since the start.
func (s *Service) Counts() Counts {
	c := &s.counts
	return Counts{c.queued.Load(), c.delivered.Load(), c.failed.Load(), c.dropped.Load(), c.dead.Load()}
}

// watched says whether somebody is told of the values of a thing.
func (s *Service) watched(thing, _ string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.ofThing[thing]; r != nil && r.active {
		return true
	}
	for _, r := range s.of[s.device[thing]] {
		if r.active {
			return true
		}
	}
	return false
}

// hooksOf are the webhooks that are told of the values of a thing, in an order that does not change.
func (s *Service) hooksOf(thing string) (all []*ref) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.ofThing[thing]; r != nil && r.active {
		all = append(all, r)
	}
	for _, r := range s.of[s.device[thing]] {
		if r.active {
			all = append(all, r)
		}
	}
	return all
}

// place puts a webhook in the place of what was there; nil removes it.
func (s *Service) place(id string, h *Hook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.hooks[id]; old != nil {
		delete(s.hooks, id)
		delete(s.ofThing, old.thing)
		if delete(s.of[old.device], id); len(s.of[old.device]) == 0 {
			delete(s.of, old.device)
		}
	}
	if h != nil {
		r := &ref{h.ID, h.Space, h.Thing, h.Device, h.URL, h.Active, h.Since}
		s.hooks[id] = r
		if h.Thing != "" {
			s.ofThing[h.Thing] = r
		} else {
			if s.of[h.Device] == nil {
				s.of[h.Device] = map[string]*ref{}
			}
			s.of[h.Device][id] = r
		}
	}
	if s.tap != nil {
		s.tap.Changed()
	}
}

// now is the clock, as far as databases keep it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func fromMicros(at int64) time.Time { return time.UnixMicro(at).UTC() }

func (s *Service) entry(who access.Actor, action, id string, detail map[string]string) *journal.Entry {
	return &journal.Entry{At: s.now(), Actor: who.String(), Space: who.Space, Action: action, Resource: "webhook", ID: id, Detail: detail}
}

// system is this server itself, in a space.
func system(space string) access.Actor { return access.Actor{Kind: access.System, Space: space} }

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

// isGone says whether something that was asked for is not there.
func isGone(err error) bool { return err != nil && problem.Of(err).Kind == problem.NotFound }

// word leaves a word for somebody who may not be listening now.
func word(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// host is what people are told of an address: the rest of it may be a secret.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "?"
	}
	return u.Host
}

// changed hears of a thing that was changed, made or erased.
func (s *Service) changed(ctx context.Context, t thing.Thing) {
	if err := s.follow(ctx, t); err != nil {
		s.needs.Log.ErrorContext(ctx, "the webhook of a thing is not as the thing says; trying again", "thing", t.ID, "err", err)
		s.again(t.Space, t.ID)
	}
}

// again has Run look at a thing.
func (s *Service) again(space, thing string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stale[thing] = space
}

// lookUp makes the webhook of a thing what the thing says.
func (s *Service) lookUp(ctx context.Context, space, id string) error {
	t, err := s.needs.Things.Get(ctx, system(space), id, true)
	if errors.Is(err, thing.ErrNotFound) || errors.Is(err, keys.ErrErased) {
		t, err = thing.Thing{ID: id, Space: space, DeletedAt: s.now()}, nil
	}
	if err != nil {
		return fmt.Errorf("thing %s with a webhook: %w", id, err)
	}
	return s.follow(ctx, t)
}

// follow makes webhooks what a thing says: its own, and whose values those of its device tell. It is repeatable.
func (s *Service) follow(ctx context.Context, t thing.Thing) error {
	s.looking.Lock()
	defer s.looking.Unlock()
	s.mu.Lock()
	own := s.ofThing[t.ID]
	before := s.device[t.ID]
	delete(s.device, t.ID)
	if !t.Deleted() && len(s.of[t.Device]) > 0 {
		s.device[t.ID] = t.Device
	}
	moved := s.device[t.ID] != before
	s.mu.Unlock()
	if moved {
		s.tap.Changed()
	}
	erased := t.Deleted() && t.Name == "" // what is only hidden has its name still
	switch {
	case own == nil && (t.Deleted() || t.Webhook == ""):
		return nil
	case own == nil:
		h := Hook{ID: uuid.NewString(), Space: t.Space, Owner: t.Owner, Thing: t.ID, content: content{URL: t.Webhook, Secret: webhook.NewSecret()}, Active: t.WebhookActive, Since: s.tap.Seq(), CreatedAt: s.now()}
		err := s.needs.Store.add(ctx, h, 0, nil) // the change of the thing is in the journal
		if errors.Is(err, keys.ErrErased) {
			return nil
		}
		if err == nil {
			s.place(h.ID, &h)
		}
		return err
	case erased || t.Webhook == "" && !t.Deleted():
		return s.remove(ctx, own.id, nil)
	}
	active := t.WebhookActive && !t.Deleted()
	if own.active == active && own.url == t.Webhook {
		return nil
	}
	h, err := s.needs.Store.change(ctx, own.space, own.id, func(h *Hook) (*journal.Entry, bool, error) {
		h.turn(active, s.tap.Seq())
		if h.URL != t.Webhook {
			h.URL = t.Webhook
			h.mend()
		}
		return nil, !active, nil
	})
	if isGone(err) {
		s.place(own.id, nil)
		return nil
	}
	if err == nil {
		s.place(own.id, &h)
		word(s.wake)
	}
	return err
}

func (s *Service) remove(ctx context.Context, id string, e *journal.Entry) error {
	if err := s.needs.Store.remove(ctx, id, e); err != nil {
		return fmt.Errorf("remove webhook %s: %w", id, err)
	}
	s.place(id, nil)
	return nil
}

// nameOf is what people call what a webhook is of, and who is told when it is turned off.
func (s *Service) nameOf(ctx context.Context, h *Hook) (name, owner string, err error) {
	if h.Thing != "" {
		t, err := s.needs.Things.Get(ctx, system(h.Space), h.Thing, true)
		return t.Name, t.Owner, err
	}
	d, err := s.needs.Devices.Get(ctx, system(h.Space), h.Space, h.Device, true)
	return d.Name, h.Owner, err
}

// errElsewhere is a webhook that has got another address.
var errElsewhere = errors.New("the webhook has another address")

// turnOff gives a webhook up, unless somebody has given it another address since. That of a thing is turned off at the thing
// first, which tells us.
func (s *Service) turnOff(ctx context.Context, h *Hook) error {
	who := system(h.Space)
	if h.Thing != "" {
		_, err := s.needs.Things.Update(ctx, who, h.Thing, false, func(t *thing.Thing) error {
			if t.Webhook != h.URL {
				return errElsewhere
			}
			t.WebhookActive = false
			return nil
		})
		if isGone(err) || errors.Is(err, errElsewhere) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	s.looking.Lock()
	defer s.looking.Unlock()
	failed := h.URL
	after, err := s.needs.Store.change(ctx, h.Space, h.ID, func(h *Hook) (*journal.Entry, bool, error) {
		if h.URL != failed {
			return nil, false, nil
		}
		h.turn(false, 0)
		h.DisabledAt = s.now()
		return s.entry(who, "webhook:disable", h.ID, map[string]string{"thing": h.Thing, "device": h.Device}), true, nil
	})
	if isGone(err) {
		return nil
	}
	if err == nil {
		s.place(h.ID, &after)
	}
	return err
}

// EraseSpace removes the webhooks of a space and what waits to be told. It needs no key and is repeatable.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	who.Space = space
	ids, err := s.needs.Store.eraseSpace(ctx, space, *s.entry(who, "webhook:erase-all", space, nil))
	if err != nil {
		return fmt.Errorf("erase webhooks of space %s: %w", space, err)
	}
	for _, id := range ids {
		s.place(id, nil)
	}
	return nil
}
