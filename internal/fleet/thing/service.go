package thing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/feed"
	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// Store is what Service needs of a database. Its methods are unexported: no other
// room can reach the data around the Service. A method that takes an entry writes
// it in the same transaction as its change; nil means that both are on disk.
type Store interface {
	add(ctx context.Context, t Thing, steal bool, e journal.Entry) (moved string, err error)
	find(ctx context.Context, space, id string) (Thing, error)
	list(ctx context.Context, space string, f Filter) ([]Thing, error)
	properties(ctx context.Context, space string, ids []string) (map[string]Property, error)
	change(ctx context.Context, space, id string, act func(t *Thing) (Act, error)) (before, after Thing, moved string, err error)
	erase(ctx context.Context, space, id, property string, e journal.Entry) (lost []string, device string, err error)

	upkeep
}

// upkeep is the half of Store that the Service uses by itself, in any space.
type upkeep interface {
	route(ctx context.Context, device, id string) (Thing, error)
	count(ctx context.Context, space string) (int, error)           // deleted ones too
	countProperties(ctx context.Context, space string) (int, error) // without deleted ones
	eraseSpace(ctx context.Context, space string, e journal.Entry) (things, devices []string, err error)
	hooked(ctx context.Context) ([]Owned, error) // living ones whose webhooks are on
	erasing(ctx context.Context, n int) ([]string, error)
	erased(ctx context.Context, series []string) error
	among(ctx context.Context, ids []string) ([]Owned, error)
	zones(ctx context.Context) ([]string, error)
	inZone(ctx context.Context, zone, after string, n int) ([]string, error)
}

// An Act is what a change of a thing is called, and whether it may take a device
// from another thing.
type Act struct {
	Entry journal.Entry
	Steal bool
}

// A Filter says which things of a space are listed. The zero Filter lists all
// that are not deleted, without their properties.
type Filter struct {
	IDs        []string // nil is any
	Devices    []string // attached to one of these; nil is any
	Tags       []Tag    // all of them
	Deleted    bool     // deleted ones too
	Properties bool     // with their properties
}

// Series is what this room needs of the room of series: *series.Service.
type Series interface {
	Append(ctx context.Context, points []series.Point) error
	Fill(ctx context.Context, points []series.Point) error
	Enqueue(points []series.Point, done func(error))
	Last(series string) (series.Point, bool)
	Raw(ctx context.Context, q series.Query) ([]series.Point, error)
	Each(ctx context.Context, q series.Query, fn func(series.Point) error) error
	Aggregate(ctx context.Context, q series.Query) ([]series.Bin, error)
	Sample(ctx context.Context, q series.Query) ([]series.Point, error)
	Age(ctx context.Context, space string) (time.Duration, error)
	Erase(ctx context.Context, ids []string) error
	EraseSpace(ctx context.Context, space string) error
}

// Devices is what this room needs of the room of devices: *device.Service.
type Devices interface {
	Get(ctx context.Context, who access.Actor, space, id string, deleted bool) (device.Device, error)
	List(ctx context.Context, who access.Actor, space string, f device.Filter) ([]device.Device, error)
}

// Keyring is what this room needs of the key ring beside Store: *keys.Ring.
type Keyring interface {
	// Erased tells the IDs of a kind whose keys were destroyed.
	Erased(ctx context.Context, kind string) ([]string, error)
}

// An Owned is the ID of a thing, and that of its space.
type Owned struct{ Thing, Space string }

// Needs are what a Service is made of; all but Limit and Lent must be there.
type Needs struct {
	Store   Store
	Keys    Keyring
	Series  Series
	Devices Devices
	Policy  *access.Policy
	// Organization is how clients know a space: "" for a private one.
	Organization func(ctx context.Context, space string) (string, error)
	Now          func() time.Time
	Log          *slog.Logger
	// Limit is how many things, deleted ones included, and properties a space may have; 0 is
	// any number. It may be nil.
	Limit func(ctx context.Context, space string) (things, properties int, err error)
	// Meter counts the values of a space, and refuses those that are too many. It may be nil.
	Meter func(ctx context.Context, space string) (*org.Meter, error)
	// Lent tells which of some properties are lent to who, by their IDs. It may be nil.
	Lent func(ctx context.Context, who access.Actor, properties []string) (map[string]Loan, error)
}

// A Send hands a message to everyone who subscribed to its topic and may hear it.
// It must not block; payload is the receiver's.
type Send func(topic string, payload []byte, qos byte)

// A Change is values that are on disk, all from one message. Its points belong to
// everyone who hears it: nobody may change them.
type Change struct {
	Space, Thing string
	// Cloud says that people wrote the values, not the device.
	Cloud  bool
	Points []series.Point // Series is the ID of the property
}

// An Attachment tells that a device has another thing than before. It is on disk.
type Attachment struct {
	Space, Device string
	Thing         string // "" for none
	Old           string // "" for none
}

// Counts are what happened to messages since the start.
type Counts struct {
	Messages  int64 // that devices and people sent, good ones
	Values    int64 // of these
	Malformed int64 // messages that could not be read
	Foreign   int64 // messages for a thing that is not the sender's
	Unknown   int64 // records whose property does not exist, or may not be written
	Refused   int64 // records with a value that the property cannot hold
	Over      int64 // values that were too many for their space's day
	Failed    int64 // messages that could not be kept
}

// A Service knows the things of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs  Needs
	routes *routes
	send   Send                         // set by Bind before anything is served
	heard  func(topic string) bool      // set by Bind before anything is served
	linked func(property string) bool   // set by BindTriggers before anything is served
	group  func(property string) string // set by BindSync before anything is served
	// watchers are called after each change of a thing; set by Watch before anything is served.
	watchers []func(ctx context.Context, t Thing)

	// Changes tells what values changed.
	Changes feed.Feed[Change]
	// Attachments tells which device has got another thing.
	Attachments feed.Feed[Attachment]

	making sync.Mutex // held from counting what a space has until there is more

	counts struct {
		messages, values, malformed, foreign, unknown, refused, over, failed atomic.Int64
	}
	zoned chan struct{} // holds one word for Run: the time zones in use may be others
	stale chan struct{} // holds one word for Run: there is something to erase
}

// New checks needs. Bind and EraseAgain come next.
func New(needs Needs) (*Service, error) {
	if needs.Limit == nil {
		needs.Limit = func(context.Context, string) (int, int, error) { return 0, 0, nil }
	}
	if needs.Lent == nil {
		needs.Lent = func(context.Context, access.Actor, []string) (map[string]Loan, error) { return nil, nil }
	}
	if needs.Store == nil || needs.Keys == nil || needs.Series == nil || needs.Devices == nil || needs.Policy == nil ||
		needs.Organization == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("things need Store, Keys, Series, Devices, Policy, Organization, Now and Log")
	}
	routes := newRoutes(needs.Store.route)
	routes.meter = needs.Meter
	return &Service{
		needs:  needs,
		routes: routes,
		send:   func(string, []byte, byte) {},
		heard:  func(string) bool { return false },
		zoned:  make(chan struct{}, 1),
		stale:  make(chan struct{}, 1),
	}, nil
}

// Bind gives the Service its way to devices and live clients. heard says whether
// anybody subscribed to a topic, so that nothing is written for nobody; nil when
// that cannot be told. Without Bind nobody can be reached. It must be called before
// anything is served, or not at all.
func (s *Service) Bind(send Send, heard func(topic string) bool) {
	if heard == nil {
		heard = func(string) bool { return true }
	}
	s.send, s.heard = send, heard
}

// Counts says what happened to messages, for metrics.
func (s *Service) Counts() Counts {
	c := &s.counts
	return Counts{c.messages.Load(), c.values.Load(), c.malformed.Load(), c.foreign.Load(), c.unknown.Load(), c.refused.Load(), c.over.Load(), c.failed.Load()}
}

// now is the clock, as far as database and history keep it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, action, id string, detail map[string]string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: who.Space, Action: action, Resource: "thing", ID: id, Detail: detail}
}

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

// Create makes a thing in who's space, with its tags and properties. t.ID is the ID
// that it shall have, or "". steal takes t.Device from the thing that has it.
func (s *Service) Create(ctx context.Context, who access.Actor, t Thing, steal bool) (Thing, error) {
	if err := ours(who); err != nil {
		return Thing{}, err
	}
	t.Space, t.Owner = who.Space, who.ID
	if t.Timezone == "" {
		t.Timezone = DefaultTimezone
	}
	if err := s.checkDevice(ctx, who, t.Device); err != nil {
		return Thing{}, err
	}
	t.CreatedAt = s.now()
	t.UpdatedAt, t.DeletedAt = t.CreatedAt, time.Time{}
	tags, properties := t.Tags, t.Properties
	t.Tags, t.Properties = nil, nil
	for _, tag := range tags {
		if err := t.setTag(tag); err != nil {
			return Thing{}, err
		}
	}
	if t.ID == "" {
		t.ID = uuid.NewString()
	}
	for _, p := range properties {
		t.addProperty(newProperty(p, t.ID, t.CreatedAt))
	}
	return s.create(ctx, who, t, steal, "thing:create", nil)
}

// newProperty gives p what belongs to a new property.
func newProperty(p Property, thing string, at time.Time) Property {
	p.ID, p.Thing = uuid.NewString(), thing
	p.CreatedAt, p.UpdatedAt, p.DeletedAt = at, at, time.Time{}
	return p
}

// maxUntitled is how many names are tried for a thing whose maker gave none.
const maxUntitled = 1000

func (s *Service) create(ctx context.Context, who access.Actor, t Thing, steal bool, action string, detail map[string]string) (Thing, error) {
	s.making.Lock()
	defer s.making.Unlock()
	if err := s.room(ctx, t.Space, 1, len(t.Properties)); err != nil {
		return Thing{}, err
	}
	named := t.Name != ""
	for n := 1; ; n++ {
		if !named {
			t.Name = untitled(n)
		}
		if err := t.Check(); err != nil {
			return Thing{}, err
		}
		moved, err := s.needs.Store.add(ctx, t, steal, s.entry(who, action, t.ID, detail))
		if !named && errors.Is(err, ErrNameTaken) && n < maxUntitled {
			continue
		}
		if errors.Is(err, keys.ErrErased) {
			if _, gone := s.needs.Organization(ctx, t.Space); gone == nil {
				return Thing{}, ErrIDErased // not the space was erased, but a thing with that ID
			}
		}
		if err != nil {
			return Thing{}, err
		}
		t.Count = len(t.Properties)
		s.attached(Thing{Space: t.Space, ID: t.ID}, t, moved)
		s.changed(ctx, t)
		s.lookAgain(ctx, t.Space, moved)
		return t, nil
	}
}

// checkDevice says whether who may attach the device.
func (s *Service) checkDevice(ctx context.Context, who access.Actor, id string) error {
	if id == "" {
		return nil
	}
	d, err := s.needs.Devices.Get(ctx, who, who.Space, id, false)
	if err != nil {
		return err
	}
	return s.needs.Policy.Allow(who, "device:update", access.Resource{Type: "Device", ID: d.ID, Space: d.Space, Owner: d.Owner})
}

// attached forgets and tells what follows from a thing having got another device.
func (s *Service) attached(before, after Thing, moved string) {
	s.routes.forget([]string{after.ID, moved}, []string{before.Device, after.Device})
	if before.Device == after.Device {
		return
	}
	if before.Device != "" {
		s.Attachments.Publish(Attachment{Space: after.Space, Device: before.Device, Old: after.ID})
	}
	if after.Device != "" {
		s.Attachments.Publish(Attachment{Space: after.Space, Device: after.Device, Thing: after.ID, Old: moved})
	}
	word(s.zoned)
}

// word leaves a word for somebody who may not be listening now.
func word(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Get finds a thing in who's space, with its tags and properties. A deleted one is
// not there unless deleted is set.
func (s *Service) Get(ctx context.Context, who access.Actor, id string, deleted bool) (Thing, error) {
	if err := ours(who); err != nil {
		return Thing{}, err
	}
	t, err := s.needs.Store.find(ctx, who.Space, id)
	if err == nil && t.Deleted() && !deleted {
		return Thing{}, ErrNotFound
	}
	return t, err
}

// List tells the things of who's space that pass a filter, the oldest first.
func (s *Service) List(ctx context.Context, who access.Actor, f Filter) ([]Thing, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	return s.needs.Store.list(ctx, who.Space, f)
}

// Update changes a thing by fn, which may run more than once. A soft-deleted thing
// comes back when fn clears DeletedAt, if its name is still free. steal takes the
// device that fn names from the thing that has it.
func (s *Service) Update(ctx context.Context, who access.Actor, id string, steal bool, fn func(t *Thing) error) (Thing, error) {
	return s.change(ctx, who, id, step{action: "thing:update", steal: steal}, fn)
}

// A step is what a change is called in the journal.
type step struct {
	action   string
	property string // ID, for changes of one
	steal    bool
}

// change is how every change of a thing goes: read, change, check, keep, tell.
func (s *Service) change(ctx context.Context, who access.Actor, id string, as step, fn func(t *Thing) error) (Thing, error) {
	if err := ours(who); err != nil {
		return Thing{}, err
	}
	var wanted string // a device whose permission was asked
	granted := 0      // properties for which there is room
	for {
		more := 0
		var ask string
		before, after, moved, err := s.needs.Store.change(ctx, who.Space, id, func(t *Thing) (Act, error) {
			had := *t
			if err := fn(t); err != nil {
				return Act{}, err
			}
			t.ID, t.Space, t.Owner, t.CreatedAt, t.Template = had.ID, had.Space, had.Owner, had.CreatedAt, had.Template
			t.UpdatedAt = s.now()
			action, detail := as.action, map[string]string{}
			if as.property != "" {
				detail["property"] = as.property
			}
			switch {
			case t.Deleted() && !had.Deleted():
				t.Device = "" // it becomes free
				action = "thing:delete"
			case !t.Deleted() && had.Deleted():
				action = "thing:restore"
			}
			if t.Device != had.Device {
				if ask = ""; t.Device != "" && t.Device != wanted {
					ask = t.Device
					return Act{}, errAsk
				}
				detail["device"], detail["device_before"] = t.Device, had.Device
			}
			if err := t.Check(); err != nil {
				return Act{}, err
			}
			if more = len(t.Living()) - len(had.Living()); more > granted {
				return Act{}, errRoom
			}
			return Act{Entry: s.entry(who, action, id, detail), Steal: as.steal}, nil
		})
		if errors.Is(err, errAsk) {
			// Whether the device may be attached is asked outside of the transaction.
			if err := s.checkDevice(ctx, who, ask); err != nil {
				return Thing{}, err
			}
			wanted = ask
			continue
		}
		if errors.Is(err, errRoom) {
			if granted == 0 {
				s.making.Lock()
				defer s.making.Unlock()
			}
			if err := s.room(ctx, who.Space, 0, more); err != nil {
				return Thing{}, err
			}
			granted = more
			continue
		}
		if err != nil {
			return Thing{}, err
		}
		s.attached(before, after, moved)
		s.changed(ctx, after)
		s.lookAgain(ctx, after.Space, moved)
		if err := s.afterChange(ctx, before, after); err != nil {
			return Thing{}, err
		}
		return after, nil
	}
}

var errRoom = errors.New("whether there is room for more properties has not been asked")

var errAsk = errors.New("whether the device may be attached has not been asked")

// afterChange does what follows from a change of a thing, beside its device.
func (s *Service) afterChange(ctx context.Context, before, after Thing) error {
	if before.Timezone != after.Timezone {
		word(s.zoned)
		if after.Device != "" {
			s.sendOffset(after.ID, after.Timezone)
		}
	}
	return s.moveLast(ctx, before, after)
}

// moveLast keeps the last value of properties that have got or lost their history:
// the two are kept in different places. It is repeatable; a crash before it shows an older last value.
func (s *Service) moveLast(ctx context.Context, before, after Thing) error {
	var points []series.Point
	for _, old := range before.Living() {
		i := slices.IndexFunc(after.Properties, func(p Property) bool { return p.ID == old.ID })
		if i < 0 || after.Properties[i].Persist == old.Persist {
			continue
		}
		p, ok := s.last(old.ID, old.Persist)
		if !ok {
			continue
		}
		if old.Persist {
			p = wrap(p)
		}
		points = append(points, p)
	}
	if len(points) == 0 {
		return nil
	}
	if err := s.needs.Series.Append(ctx, points); err != nil {
		return fmt.Errorf("move last values of thing %s: %w", after.ID, err)
	}
	return nil
}
