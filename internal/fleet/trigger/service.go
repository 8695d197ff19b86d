package trigger

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
	"github.com/ardesia-iot/ardesia/internal/people/post"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same
// transaction as its change; nil means that both are on disk.
type Store interface {
	add(ctx context.Context, t Trigger, first memory, e journal.Entry) error
	find(ctx context.Context, space, id string) (Trigger, error)
	list(ctx context.Context, space string, deleted bool) ([]Trigger, error)
	change(ctx context.Context, space, id string, act func(t *Trigger) (edit, error)) (Trigger, error)
	erase(ctx context.Context, space, id string, e journal.Entry) error
	count(ctx context.Context, space string) (int, error) // deleted ones too

	actionStore
	runStore
	deliveryStore
	peopleStore
}

type actionStore interface {
	addAction(ctx context.Context, a Action, e journal.Entry) error
	findAction(ctx context.Context, space, id string) (Action, error)
	listActions(ctx context.Context, space string) ([]Action, error)
	changeAction(ctx context.Context, space, id string, act func(a *Action) (journal.Entry, error)) (a Action, before string, err error)
	dropAction(ctx context.Context, space, id string, e journal.Entry) (trigger string, err error)
}

// An edit is what a change of a trigger is called, and how far it goes.
type edit struct {
	entry   journal.Entry
	anew    bool   // what it watches is another; it begins anew with first
	first   memory //
	actions bool   // its actions are others
}

// memory is what a trigger knows when it begins.
type memory struct {
	holds  bool
	seen   []byte
	online []string // devices
}

// Keys is what this room needs of the key ring: *keys.Ring.
type Keys interface {
	Space(ctx context.Context, space string) (keys.Sealer, error)
	Thing(ctx context.Context, space, id string) (keys.Sealer, error)
	Device(ctx context.Context, space, id string) (keys.Sealer, error)
	Person(ctx context.Context, user string) (keys.Sealer, error)
	MAC(name string) func(msg []byte) []byte
}

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Property(ctx context.Context, who access.Actor, id string) (thing.Thing, thing.Property, error)
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
	List(ctx context.Context, who access.Actor, f thing.Filter) ([]thing.Thing, error)
	Last(p thing.Property) (series.Point, bool)
	Show(t thing.Thing, p thing.Property) any
	Moment(who access.Actor, thing, property string) (time.Time, error)
	CommandAt(ctx context.Context, who access.Actor, thing, property string, at time.Time, raw json.RawMessage) error
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
	List(ctx context.Context, who access.Actor, space string, f device.Filter) ([]device.Device, error)
	Show(ctx context.Context, who access.Actor, all []device.Device) ([]any, error)
}

// Needs are what a Service is made of. All must be there but the last two.
type Needs struct {
	Store   Store
	Keys    Keys
	Things  Things
	Devices Devices
	// Comings are the Changes of devices.
	Comings *feed.Feed[device.Change]
	// Tap begins to follow values behind a commit: series.Service.Tap.
	Tap func(ctx context.Context, after, floor int64, watched func(thing, series string) bool) (*series.Tap, error)
	// Letter sends one to a person: post.Service.Send.
	Letter func(ctx context.Context, l post.Letter) error
	// Role is what somebody is in a space; access.NoRole for who is no member.
	Role         func(ctx context.Context, space, user string) (access.Role, error)
	Person       func(ctx context.Context, user string) (name, email string, err error)
	Organization func(ctx context.Context, space string) (string, error)
	// Web is a client for addresses that users chose, and which may be anybody's: it must not reach
	// what the operator has not allowed, and not follow redirects.
	Web *http.Client
	// Signer is the key by which push services know this server; it signs with ES256.
	Signer crypto.Signer
	// Base is the https:// address of the API, without a final slash.
	Base func() string
	Now  func() time.Time
	Log  *slog.Logger
	// Limit is how many triggers a space may have, and how often they may do something in a day; 0 is any number.
	Limit  func(ctx context.Context, space string) (triggers, notices int, err error)
	Config Config
}

// Config is what an operator may change. Zero is the default of each field.
type Config struct {
	Rate int // how often a minute one trigger does something, over some time; 60; below 0 is without limit
	// Settle is how long after a start devices that were online have to come back until they count as offline; 2 minutes.
	Settle time.Duration
	// Retry is the first pause after a delivery that failed, doubled each time up to 2 hours; 5 seconds.
	Retry time.Duration
}

func (c Config) withDefaults() Config {
	if c.Rate == 0 {
		c.Rate = 60
	}
	if c.Settle <= 0 {
		c.Settle = 2 * time.Minute
	}
	if c.Retry <= 0 {
		c.Retry = 5 * time.Second
	}
	return c
}

// A Service knows the triggers of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs    Needs
	cfg      Config
	seen     func([]byte) []byte // keyed hash of a text value
	token    func([]byte) []byte // keyed hash in links
	endpoint func([]byte) []byte // keyed hash of where a browser is reached
	tap      *series.Tap
	comings  *feed.Sub[device.Change]

	mu     sync.RWMutex
	rules  map[string]*rule            // guarded by mu; all that are armed, by trigger
	index  map[string][]*rule          // guarded by mu; by series; lists never change
	homes  map[string]map[string]*rule // guarded by mu; those on devices, by space and trigger
	linked map[string]int              // guarded by mu; triggers by property, armed or not
	begun  []beginning                 // guarded by mu; in order
	stale  map[string]string           // guarded by mu; triggers that could not be armed, with their space

	arming   sync.Mutex  // held while a trigger is read whose actions have changed, so that the newest is armed last
	making   sync.Mutex  // held from counting what a space has until there is more
	fresh    chan string // triggers on devices whose devices are to be looked at
	lanes    []*lane
	position int64           // on disk; the engine's
	usedDay  int64           // the engine's
	usedNow  map[string]*use // by space, on usedDay; likewise
	tick     time.Duration
	pages    pages

	counts struct{ fired, held, done, failed, dead atomic.Uint64 }
	// cut is asked after each step of a delivery; an error ends it there, as a power cut would. For tests.
	cut func(step string) error
}

// Counts are what happened since the start.
type Counts struct {
	Fired  uint64 // deliveries that were decided
	Held   uint64 // that a rate or a quota kept back
	Done   uint64
	Failed uint64 // tries after which there will be another
	Dead   uint64
}

// New reads all triggers and begins to follow the values that they watch. Run comes next; series and
// devices must not run before New.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Limit == nil {
		needs.Limit = func(context.Context, string) (int, int, error) { return 0, 0, nil }
	}
	if needs.Store == nil || needs.Keys == nil || needs.Things == nil || needs.Devices == nil || needs.Comings == nil || needs.Tap == nil || needs.Letter == nil ||
		needs.Role == nil || needs.Person == nil || needs.Organization == nil || needs.Web == nil || needs.Signer == nil || needs.Base == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("triggers need Store, Keys, Things, Devices, Comings, Tap, Letter, Role, Person, Organization, Web, Signer, Base, Now and Log")
	}
	s := &Service{
		needs: needs, cfg: needs.Config.withDefaults(), seen: needs.Keys.MAC("trigger-seen"), token: needs.Keys.MAC("trigger-unsubscribe"), endpoint: needs.Keys.MAC("trigger-push"),
		rules: map[string]*rule{}, index: map[string][]*rule{}, homes: map[string]map[string]*rule{}, linked: map[string]int{},
		stale: map[string]string{}, fresh: make(chan string, 256), lanes: newLanes(), tick: tick, cut: func(string) error { return nil },
	}
	var err error
	if s.pages, err = readPages(); err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	s.comings = needs.Comings.Subscribe(comingsQueue)
	return s, nil
}

// Counts tells what was done since the start.
func (s *Service) Counts() Counts {
	c := &s.counts
	return Counts{c.fired.Load(), c.held.Load(), c.done.Load(), c.failed.Load(), c.dead.Load()}
}

// now is the clock, as far as databases keep it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, action, resource, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: who.Space, Action: action, Resource: resource, ID: id, Detail: detail}
}

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

// system is this server itself, in a space.
func system(space string) access.Actor { return access.Actor{Kind: access.System, Space: space} }

// Create makes a trigger in who's space, with its actions. t.ID is the ID that it shall have, or "".
func (s *Service) Create(ctx context.Context, who access.Actor, t Trigger) (Trigger, error) {
	if err := ours(who); err != nil {
		return Trigger{}, err
	}
	if t.ID == "" {
		t.ID = uuid.NewString()
	}
	t.Space, t.Owner, t.Revision = who.Space, who.ID, 1
	t.CreatedAt = s.now()
	t.UpdatedAt, t.DeletedAt = t.CreatedAt, time.Time{}
	if err := t.Check(); err != nil {
		return Trigger{}, err
	}
	first, err := s.first(ctx, who, &t)
	if err != nil {
		return Trigger{}, err
	}
	if err := s.settleActions(ctx, who, &t); err != nil {
		return Trigger{}, err
	}
	s.making.Lock()
	defer s.making.Unlock()
	most, _, err := s.needs.Limit(ctx, t.Space)
	if err != nil {
		return Trigger{}, err
	}
	if most > 0 {
		used, err := s.needs.Store.count(ctx, t.Space)
		if err != nil {
			return Trigger{}, err
		}
		if used >= most {
			return Trigger{}, ErrFull.With(org.FullText(org.Triggers, used, most))
		}
	}
	t.Since = s.tap.Seq()
	if err := s.needs.Store.add(ctx, t, first, s.entry(who, "trigger:create", "trigger", t.ID, nil)); err != nil {
		return Trigger{}, err
	}
	s.arm(ctx, Trigger{}, t)
	return t, nil
}

// first finds what t watches, makes sure that it can be watched, and says what it knows at first:
// a condition that holds already is not news.
func (s *Service) first(ctx context.Context, who access.Actor, t *Trigger) (m memory, err error) {
	if t.Status != nil {
		t.Thing = ""
		all, err := s.needs.Devices.List(ctx, who, who.Space, device.Filter{})
		if err != nil {
			return m, err
		}
		known, has := map[string]bool{}, t.Status.among()
		for _, d := range all {
			known[d.ID] = true
			if d.Status == device.Online && has(d.ID) {
				m.online = append(m.online, d.ID)
			}
		}
		for i, id := range t.Status.Devices {
			if !known[id] {
				return m, device.ErrNotFound.With(fmt.Sprintf("There is no such device here as the %d. of device_ids.", i+1))
			}
		}
		return m, nil
	}
	th, p, err := s.needs.Things.Property(ctx, who, t.Property)
	if err != nil {
		return m, err
	}
	if p.Deleted() || th.Deleted() {
		return m, thing.ErrPropertyNotFound
	}
	t.Thing = th.ID
	c, err := t.Condition.compile(p.Type.Kind)
	if err != nil {
		return m, err
	}
	if last, ok := s.needs.Things.Last(p); ok && c.suits(p.Type.Kind, last.Value) {
		if c.op == Any {
			m.seen = s.seenOf(t.ID, last.Value.Text)
		} else {
			m.holds = c.holds(last.Value, false)
		}
	}
	return m, nil
}

// seenOf is what is remembered of a text: it tells nothing, and not even that two triggers saw the same.
func (s *Service) seenOf(trigger, text string) []byte { return s.seen(keys.Place(trigger, text))[:16] }

// Get finds a trigger in who's space, with its actions. A deleted one is not there unless deleted is set.
func (s *Service) Get(ctx context.Context, who access.Actor, id string, deleted bool) (Trigger, error) {
	if err := ours(who); err != nil {
		return Trigger{}, err
	}
	t, err := s.needs.Store.find(ctx, who.Space, id)
	if err == nil && t.Deleted() && !deleted {
		return Trigger{}, ErrNotFound
	}
	return t, err
}

// A Filter says which triggers of a space are listed. The zero Filter lists all that are not deleted.
type Filter struct {
	Device, Property string // that are about it
	Source           string // of this kind
	Deleted          bool   // deleted ones too
	Tags             []device.Tag
}

// List tells the triggers of who's space that pass a filter, the oldest first.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter) ([]Trigger, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	all, err := s.needs.Store.list(ctx, who.Space, f.Deleted)
	return slices.DeleteFunc(all, func(t Trigger) bool {
		return f.Property != "" && t.Property != f.Property || f.Source != "" && t.Source() != f.Source ||
			f.Device != "" && (t.Status == nil || !t.Status.has(f.Device)) || !t.Tags.Match(f.Tags)
	}), err
}

// Update changes a trigger by fn, which may run more than once. When fn leaves Actions alone they stay as they
// are; what it puts there is in their place. A soft-deleted trigger comes back when fn clears DeletedAt.
func (s *Service) Update(ctx context.Context, who access.Actor, id string, fn func(t *Trigger) (actions bool, err error)) (Trigger, error) {
	if err := ours(who); err != nil {
		return Trigger{}, err
	}
	// What it watches is looked up outside of the transaction, and again if somebody was faster.
	for try := 0; ; try++ {
		had, err := s.needs.Store.find(ctx, who.Space, id)
		if err != nil {
			return Trigger{}, err
		}
		next := had
		replaced, err := fn(&next)
		if err != nil {
			return Trigger{}, err
		}
		next.ID, next.Space, next.CreatedAt, next.Revision, next.Thing, next.Since = had.ID, had.Space, had.CreatedAt, had.Revision, had.Thing, had.Since
		next.Owner, next.UpdatedAt = who.ID, s.now()
		if err := next.Check(); err != nil {
			return Trigger{}, err
		}
		as := edit{actions: replaced, anew: anew(had, next)}
		if as.anew && !next.Deleted() {
			if as.first, err = s.first(ctx, who, &next); err != nil {
				return Trigger{}, err
			}
		}
		if as.anew {
			next.Since = s.tap.Seq()
		}
		if replaced {
			if err := s.settleActions(ctx, who, &next); err != nil {
				return Trigger{}, err
			}
		}
		action := "trigger:update"
		switch {
		case next.Deleted() && !had.Deleted():
			action = "trigger:delete"
		case !next.Deleted() && had.Deleted():
			action = "trigger:restore"
		case next.Active != had.Active && next.Active:
			action = "trigger:arm"
		case next.Active != had.Active:
			action = "trigger:disarm"
		}
		as.entry = s.entry(who, action, "trigger", id, nil)
		after, err := s.needs.Store.change(ctx, who.Space, id, func(t *Trigger) (edit, error) {
			if t.Revision != had.Revision || !t.UpdatedAt.Equal(had.UpdatedAt) {
				return edit{}, errFaster
			}
			keep := t.Actions
			*t = next
			if !replaced {
				t.Actions = keep
			}
			return as, nil
		})
		if errors.Is(err, errFaster) && try < maxTries {
			continue
		}
		if err != nil {
			return Trigger{}, err
		}
		s.arm(ctx, had, after)
		return after, nil
	}
}

var errFaster = errors.New("the trigger was changed meanwhile")

// maxTries is how often a change is tried anew when somebody else was faster.
const maxTries = 10

// anew says whether what a trigger watches, or whether it watches, is another than before.
func anew(had, next Trigger) bool {
	same := func(a, b any) bool {
		x, errX := json.Marshal(a)
		y, errY := json.Marshal(b)
		return errX == nil && errY == nil && string(x) == string(y)
	}
	return had.Property != next.Property || had.Active != next.Active || had.Deleted() != next.Deleted() ||
		!same(had.Condition, next.Condition) || !same(had.Status, next.Status)
}

// Delete hides a trigger, which comes back by Update, or removes it for good with hard. What
// waits to be delivered is not done any more.
func (s *Service) Delete(ctx context.Context, who access.Actor, id string, hard bool) error {
	if !hard {
		_, err := s.Update(ctx, who, id, func(t *Trigger) (bool, error) {
			if t.Deleted() {
				return false, ErrNotFound
			}
			t.DeletedAt = s.now()
			return false, nil
		})
		return err
	}
	had, err := s.Get(ctx, who, id, true)
	if err != nil {
		return err
	}
	if err := s.needs.Store.erase(ctx, who.Space, id, s.entry(who, "trigger:erase", "trigger", id, nil)); err != nil {
		return err
	}
	s.disarm(had)
	return nil
}

// Count is how many triggers a space has, soft-deleted ones included.
func (s *Service) Count(ctx context.Context, space string) (int, error) {
	n, err := s.needs.Store.count(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("count triggers of space %s: %w", space, err)
	}
	return n, nil
}

// Today is how often the triggers of a space did something on this day, UTC.
func (s *Service) Today(ctx context.Context, space string) (int, error) {
	u, err := s.needs.Store.used(ctx, space, day(s.now()))
	if err != nil {
		return 0, fmt.Errorf("usage of space %s: %w", space, err)
	}
	return int(u.fired), nil
}

// Linked says whether a trigger watches a property.
func (s *Service) Linked(property string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.linked[property] > 0
}

// isProblem says whether an error is one that its caller can act on.
func isProblem(err error) bool {
	var p *problem.Problem
	return errors.As(err, &p) && p.Kind != problem.Internal && p.Kind != problem.Unavailable
}
