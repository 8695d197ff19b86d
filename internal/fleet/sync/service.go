package sync

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	stdsync "sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// Store is what Service needs of a database. A method that takes an entry writes it in the same
// transaction as its change; nil means that both are on disk.
type Store interface {
	add(ctx context.Context, g Group, e journal.Entry) error // or ErrTaken
	find(ctx context.Context, space, id string) (Group, error)
	list(ctx context.Context, space string) ([]Group, error)
	change(ctx context.Context, space, id string, act func(g *Group) (journal.Entry, error)) (Group, error)
	erase(ctx context.Context, space, id string, e journal.Entry) error
	count(ctx context.Context, space string) (int, error)
	eraseSpace(ctx context.Context, space string, e journal.Entry) ([]string, error)
	every(ctx context.Context) ([]owned, error)
}

// owned is the ID of a group, and that of its space.
type owned struct{ id, space string }

// Things is what this room needs of the room of things: *thing.Service.
type Things interface {
	Property(ctx context.Context, who access.Actor, id string) (thing.Thing, thing.Property, error)
	Get(ctx context.Context, who access.Actor, id string, deleted bool) (thing.Thing, error)
	Last(p thing.Property) (series.Point, bool)
	Deliver(points []series.Point) []series.Point
	DeliverLater(points []series.Point) error
	Watch(fn func(ctx context.Context, t thing.Thing))
}

// Needs are what a Service is made of. All must be there but Limit.
type Needs struct {
	Store  Store
	Things Things
	// Mirror begins to keep copies: series.Service.Mirror.
	Mirror       func(with series.MirrorFuncs) *series.Mirror
	Organization func(ctx context.Context, space string) (string, error)
	Now          func() time.Time
	Log          *slog.Logger
	// Limit is how many groups a space may have; 0 is any number.
	Limit func(ctx context.Context, space string) (int, error)
}

// A Service knows the groups of all spaces. All methods may be called from any goroutine.
type Service struct {
	needs  Needs
	mirror *series.Mirror
	desk   desk // the committer's
	late   chan series.Point

	renewing stdsync.Mutex // held while a group is read and put into memory, so that the newest is put last
	making   stdsync.Mutex // held from counting what a space has until there is more

	mu     stdsync.RWMutex
	pools  map[string]*pool           // guarded by mu; by group
	series map[string]*pool           // guarded by mu; of members that take part, by series
	groups map[string]string          // guarded by mu; by property: all members
	things map[string]map[string]bool // guarded by mu; groups by thing
	stale  map[string]string          // guarded by mu; groups that could not be looked at, with their space

	counts struct{ copies, echoes, unfit, untold atomic.Uint64 }
}

// Counts are what happened since the start.
type Counts struct {
	Copies uint64 // values that were given to others
	Echoes uint64 // values by which boards confirmed what they were told
	Unfit  uint64 // copies that were not made, since their property cannot hold the value
	Untold uint64 // copies that are kept, and whose board was not told
}

// New reads all groups and begins to keep copies. Run comes next; history must not run before New.
func New(ctx context.Context, needs Needs) (*Service, error) {
	if needs.Limit == nil {
		needs.Limit = func(context.Context, string) (int, error) { return 0, nil }
	}
	if needs.Store == nil || needs.Things == nil || needs.Mirror == nil || needs.Organization == nil || needs.Now == nil || needs.Log == nil {
		return nil, errors.New("synchronised properties need Store, Things, Mirror, Organization, Now and Log")
	}
	s := &Service{
		needs: needs, late: make(chan series.Point, maxLater), pools: map[string]*pool{}, series: map[string]*pool{}, groups: map[string]string{},
		things: map[string]map[string]bool{}, stale: map[string]string{}, desk: desk{news: map[string]series.Point{}, echoes: map[string]echoes{}},
	}
	all, err := needs.Store.every(ctx)
	if err != nil {
		return nil, fmt.Errorf("groups of synchronised properties: %w", err)
	}
	for _, g := range all {
		s.renew(ctx, g.space, g.id)
	}
	s.mirror = needs.Mirror(s.funcs())
	needs.Things.Watch(s.changed)
	return s, nil
}

// Counts tells what was done since the start.
func (s *Service) Counts() Counts {
	c := &s.counts
	return Counts{c.copies.Load(), c.echoes.Load(), c.unfit.Load(), c.untold.Load()}
}

// Of is the group that a property is in; "" for none.
func (s *Service) Of(property string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.groups[property]
}

// now is the clock, as far as databases keep it.
func (s *Service) now() time.Time { return s.needs.Now().UTC().Truncate(time.Microsecond) }

func (s *Service) entry(who access.Actor, action, id string) journal.Entry {
	return journal.Entry{At: s.now(), Actor: who.String(), Space: who.Space, Action: action, Resource: "sync", ID: id}
}

// ours is the second lock behind the policy: nobody acts outside of a space.
func ours(who access.Actor) error {
	if who.Space == "" || who.Kind == access.Anonymous || who.Kind == access.Device {
		return access.ErrDenied
	}
	return nil
}

func isNotFound(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, thing.ErrPropertyNotFound) || errors.Is(err, thing.ErrNotFound)
}

// A Member is a property of a group as people see it.
type Member struct {
	ID        string
	State     State
	Thing     string // ID
	ThingName string
	Name      string
	Variable  string
	property  thing.Property
}

// look finds the members of a group as they are now, in their order.
func (s *Service) look(ctx context.Context, g *Group) ([]Member, error) {
	who := access.Actor{Kind: access.System, Space: g.Space}
	all := make([]Member, 0, len(g.Members))
	for _, m := range g.Members {
		one := Member{ID: m.Property, State: Gone, Thing: m.Thing}
		t, err := s.needs.Things.Get(ctx, who, m.Thing, true)
		if err != nil && !isNotFound(err) && !errors.Is(err, keys.ErrErased) {
			return nil, fmt.Errorf("property %s of group %s: %w", m.Property, g.ID, err)
		}
		if i := slices.IndexFunc(t.Properties, func(p thing.Property) bool { return p.ID == m.Property }); i >= 0 {
			p := t.Properties[i]
			one.State, one.ThingName, one.Name, one.Variable, one.property = g.stateOf(&t, &p), t.Name, p.Name, p.Variable, p
		}
		all = append(all, one)
	}
	return all, nil
}

// settle makes g one that can be kept: it says what is wrong with its members, and takes its type from them when it has none. Members
// that it had may be deleted.
func (s *Service) settle(ctx context.Context, who access.Actor, g *Group, members []string, had []Member) error {
	g.Members = nil
	if len(members) < minMembers || len(members) > maxMembers {
		return ErrMembers
	}
	seen, writable := map[string]bool{}, false
	for _, id := range members {
		if seen[id] {
			return ErrMembers
		}
		seen[id] = true
		if i := slices.IndexFunc(had, func(m Member) bool { return m.ID == id }); i >= 0 && had[i].State != Part && had[i].State != Gives {
			g.Members = append(g.Members, Seat{id, had[i].Thing}) // marked, and left where it is
			continue
		}
		t, p, err := s.needs.Things.Property(ctx, who, id)
		if err != nil {
			return err
		}
		g.Members = append(g.Members, Seat{id, t.ID})
		if g.Type == "" {
			g.Type = p.Type.Name
		}
		if p.Type.Name != g.Type {
			return ErrType.With(fmt.Sprintf("The property %s of the thing %s is of type %s, and the group of type %s.", p.Name, t.Name, p.Type.Name, g.Type))
		}
		writable = writable || p.Writable()
	}
	if !writable {
		return ErrReadOnly
	}
	return nil
}

// Create makes a group in who's space. Nothing is copied until one of its properties changes.
func (s *Service) Create(ctx context.Context, who access.Actor, typ string, members []string) (Group, error) {
	if err := ours(who); err != nil {
		return Group{}, err
	}
	g := Group{ID: uuid.NewString(), Space: who.Space, Owner: who.ID, Type: typ, CreatedAt: s.now()}
	g.UpdatedAt = g.CreatedAt
	if err := s.settle(ctx, who, &g, members, nil); err != nil {
		return Group{}, err
	}
	s.making.Lock()
	defer s.making.Unlock()
	most, err := s.needs.Limit(ctx, g.Space)
	if err != nil {
		return Group{}, err
	}
	if most > 0 {
		used, err := s.needs.Store.count(ctx, g.Space)
		if err != nil {
			return Group{}, err
		}
		if used >= most {
			return Group{}, ErrFull.With(org.FullText(org.Syncs, used, most))
		}
	}
	if err := s.needs.Store.add(ctx, g, s.entry(who, "sync:create", g.ID)); err != nil {
		return Group{}, err
	}
	s.renew(ctx, g.Space, g.ID)
	return g, nil
}

// Get finds a group in who's space, and its members as they are now.
func (s *Service) Get(ctx context.Context, who access.Actor, id string) (Group, []Member, error) {
	if err := ours(who); err != nil {
		return Group{}, nil, err
	}
	g, err := s.needs.Store.find(ctx, who.Space, id)
	if err != nil {
		return Group{}, nil, err
	}
	all, err := s.look(ctx, &g)
	return g, all, err
}

// List tells the groups of who's space, the oldest first.
func (s *Service) List(ctx context.Context, who access.Actor) ([]Group, error) {
	if err := ours(who); err != nil {
		return nil, err
	}
	return s.needs.Store.list(ctx, who.Space)
}

// Update gives a group other members. typ is "" or the type that all of them have. Members that are deleted or have another type may stay.
func (s *Service) Update(ctx context.Context, who access.Actor, id, typ string, members []string) (Group, error) {
	had, seats, err := s.Get(ctx, who, id)
	if err != nil {
		return Group{}, err
	}
	next := had
	if typ != "" {
		next.Type = typ
	}
	if err := s.settle(ctx, who, &next, members, seats); err != nil {
		return Group{}, err
	}
	g, err := s.needs.Store.change(ctx, who.Space, id, func(g *Group) (journal.Entry, error) {
		g.Type, g.Members, g.Owner, g.UpdatedAt = next.Type, next.Members, who.ID, s.now()
		return s.entry(who, "sync:update", id), nil
	})
	if err != nil {
		return Group{}, err
	}
	s.renew(ctx, who.Space, id)
	return g, nil
}

// Delete removes a group. Its properties stay as they are.
func (s *Service) Delete(ctx context.Context, who access.Actor, id string) error {
	if err := ours(who); err != nil {
		return err
	}
	if err := s.needs.Store.erase(ctx, who.Space, id, s.entry(who, "sync:delete", id)); err != nil {
		return err
	}
	s.renew(ctx, who.Space, id)
	return nil
}

// Count is how many groups a space has.
func (s *Service) Count(ctx context.Context, space string) (int, error) {
	n, err := s.needs.Store.count(ctx, space)
	if err != nil {
		return 0, fmt.Errorf("count synchronised properties of space %s: %w", space, err)
	}
	return n, nil
}

// EraseSpace removes the groups of a space. It needs no key and is repeatable.
func (s *Service) EraseSpace(ctx context.Context, who access.Actor, space string) error {
	e := journal.Entry{At: s.now(), Actor: who.String(), Space: space, Action: "sync:erase-all", Resource: "space", ID: space}
	ids, err := s.needs.Store.eraseSpace(ctx, space, e)
	if err != nil {
		return fmt.Errorf("erase synchronised properties of space %s: %w", space, err)
	}
	for _, id := range ids {
		s.place(id, nil)
	}
	return nil
}
